//! The table of all losses. Tests, docs and the `lossgraph` program come from it.

use lossgraph_autograd::{Fault, Tape, Var};

use crate::samples::{Domain, Plain, Sample};
use crate::{
    Bce, BceWithLogits, CosineEmbedding, CrossEntropy, Distance, Huber, KlDiv, L1, Mse, Nll,
    SmoothL1, Terms, TripletMargin,
};

/// A loss as tests, docs and programs see it.
#[derive(Debug)]
pub struct Loss {
    /// Its name: that of the function.
    pub name: &'static str,
    /// Other names in use.
    pub aliases: &'static [&'static str],
    /// What kind of loss it is.
    pub family: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The formula of a term, as text.
    pub formula: &'static str,
    /// The formula of a term, as LaTeX.
    pub latex: &'static str,
    /// The shapes of its inputs and terms.
    pub shapes: &'static str,
    /// The unit of a term.
    pub unit: &'static str,
    /// Where a term can lie.
    pub range: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Its inputs, tensor options included, with samples of what they hold.
    pub inputs: &'static [Sample],
    /// Its numeric options with their defaults.
    pub options: &'static [(&'static str, f64)],
    /// Settings that checks run: values of options; a tensor option is given by its name.
    pub grid: &'static [&'static [(&'static str, f64)]],
    /// Records the loss.
    pub run: for<'t> fn(&Args<'t>) -> Terms<'t>,
    /// The terms once more, as a plain function on numbers, for the inputs of the samples' shapes.
    pub naive: fn(&Numbers<'_>) -> Vec<f64>,
    /// Whether an input takes logits, so that ±100 has to be finite.
    pub takes_logits: bool,
}

/// Inputs and options of a loss, by name.
pub struct Args<'t> {
    tape: &'t Tape,
    inputs: Vec<(&'static str, Var<'t>)>,
    options: Vec<(String, f64)>,
}

/// Inputs and options as plain numbers, by name.
#[derive(Debug)]
pub struct Numbers<'a> {
    /// The inputs.
    pub inputs: &'a [Plain],
    /// The options that are set.
    pub options: &'a [(&'static str, f64)],
}

impl<'t> Args<'t> {
    fn var(&self, name: &str) -> Var<'t> {
        self.maybe(name).unwrap_or_else(|| {
            self.tape.fault(Fault::new("catalogue", format!("the input `{name}` is missing")))
        })
    }

    fn maybe(&self, name: &str) -> Option<Var<'t>> {
        self.inputs.iter().find(|(each, _)| *each == name).map(|(_, var)| *var)
    }

    fn number(&self, name: &str, default: f64) -> f64 {
        self.options.iter().find(|(each, _)| each == name).map_or(default, |(_, value)| *value)
    }

    fn flag(&self, name: &str) -> bool {
        self.number(name, 0.0) != 0.0
    }
}

impl Numbers<'_> {
    fn of(&self, name: &str) -> &[f64] {
        self.maybe(name).unwrap_or(&[])
    }

    fn maybe(&self, name: &str) -> Option<&[f64]> {
        self.inputs.iter().find(|input| input.name == name).map(|input| &input.numbers[..])
    }

    fn number(&self, name: &str, default: f64) -> f64 {
        self.options.iter().find(|(each, _)| *each == name).map_or(default, |(_, value)| *value)
    }

    /// The number of an optional weight, 1 without it.
    fn weight(&self, name: &str, i: usize) -> f64 {
        self.maybe(name).map_or(1.0, |weight| weight[i % weight.len()])
    }
}

impl Loss {
    /// Records the loss on inputs and options by name.
    ///
    /// # Errors
    /// Recorded as faults: an input or option that the loss does not have.
    #[track_caller]
    pub fn record<'t>(
        &self,
        tape: &'t Tape,
        inputs: &[(&str, Var<'t>)],
        options: &[(&str, f64)],
    ) -> Terms<'t> {
        let mut known = Vec::new();
        for (name, var) in inputs {
            match self.inputs.iter().find(|sample| sample.name == *name) {
                Some(sample) => known.push((sample.name, *var)),
                None => return Terms::new(self.unknown(tape, "input", name)),
            }
        }
        let given = |name: &str| self.inputs.iter().any(|sample| sample.name == name);
        let options: Vec<(String, f64)> = options
            .iter()
            .filter(|(name, _)| !given(name))
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        let stranger = options.iter().find(|(name, _)| self.options.iter().all(|o| o.0 != *name));
        if let Some((name, _)) = stranger {
            return Terms::new(self.unknown(tape, "option", name));
        }
        (self.run)(&Args { tape, inputs: known, options })
    }

    #[track_caller]
    fn unknown<'t>(&self, tape: &'t Tape, what: &str, name: &str) -> Var<'t> {
        tape.fault(Fault::new(self.name, format!("there is no {what} `{name}`")))
    }
}

/// The loss with a name or alias, whatever its case and punctuation; else the nearest name.
///
/// ```
/// use lossgraph_losses::find;
///
/// assert_eq!(find("nn.CrossEntropyLoss").unwrap().name, "cross_entropy");
/// assert_eq!(find("croos_entropy").unwrap_err(), "cross_entropy");
/// ```
pub fn find(name: &str) -> Result<&'static Loss, &'static str> {
    let plain = |name: &str| -> String {
        let name = name.rsplit(['.', ':']).next().unwrap_or(name);
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(name);
    let names =
        |loss: &'static Loss| std::iter::once(loss.name).chain(loss.aliases.iter().copied());
    if let Some(loss) = ALL.iter().find(|loss| names(loss).any(|name| plain(name) == wanted)) {
        return Ok(loss);
    }
    let nearest = ALL
        .iter()
        .flat_map(|loss| names(loss).map(move |name| (loss.name, plain(name))))
        .min_by_key(|(_, name)| distance(&wanted, name));
    Err(nearest.map_or("mse", |(name, _)| name))
}

/// How many letters have to be put in, taken out or changed to come from `a` to `b`
/// (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

const fn input(name: &'static str, shape: &'static [usize], domain: Domain) -> Sample {
    Sample { name, shape, domain, optional: false }
}

const fn option(name: &'static str, shape: &'static [usize], domain: Domain) -> Sample {
    Sample { name, shape, domain, optional: true }
}

const WIDE: Domain = Domain::Between(-3.0, 3.0);
const POSITIVE: Domain = Domain::Between(0.2, 2.0);
const INNER: Domain = Domain::Between(0.05, 0.95);
/// Examples and classes (or features) of the samples.
const N: usize = 4;
const C: usize = 3;

const PAIR: [Sample; 3] = [
    input("prediction", &[N, C], WIDE),
    input("target", &[N, C], WIDE),
    option("weight", &[N, C], POSITIVE),
];

/// Every loss.
pub static ALL: &[Loss] = &[
    Loss {
        name: "mse",
        aliases: &["MSELoss", "mse_loss", "l2", "squared_error", "mean_squared_error"],
        family: "regression",
        summary: "The squared error of each element.",
        formula: "(p − t)²",
        latex: r"(p - t)^2",
        shapes: "prediction, target: alike; terms: alike",
        unit: "the target's, squared",
        range: "[0, ∞)",
        source: "PyTorch MSELoss",
        inputs: &PAIR,
        options: &[("broadcast", 0.0)],
        grid: &[&[], &[("weight", 1.0)]],
        run: |x| {
            Mse { weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
                .forward(x.var("prediction"), x.var("target"))
        },
        naive: |x| residuals(x, |d| d * d),
        takes_logits: false,
    },
    Loss {
        name: "l1",
        aliases: &["L1Loss", "l1_loss", "mae", "absolute_error", "mean_absolute_error"],
        family: "regression",
        summary: "The absolute error of each element.",
        formula: "|p − t|",
        latex: r"\lvert p - t \rvert",
        shapes: "prediction, target: alike; terms: alike",
        unit: "the target's",
        range: "[0, ∞)",
        source: "PyTorch L1Loss",
        inputs: &PAIR,
        options: &[("broadcast", 0.0)],
        grid: &[&[], &[("weight", 1.0)]],
        run: |x| {
            L1 { weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
                .forward(x.var("prediction"), x.var("target"))
        },
        naive: |x| residuals(x, f64::abs),
        takes_logits: false,
    },
    Loss {
        name: "smooth_l1",
        aliases: &["SmoothL1Loss", "smooth_l1_loss"],
        family: "regression",
        summary: "The absolute error with its kink rounded off within beta.",
        formula: "d²/2β if |d| < β, else |d| − β/2, with d = p − t",
        latex: r"\begin{cases} \frac{d^2}{2\beta} & \lvert d \rvert < \beta \\ \lvert d \rvert - \frac{\beta}{2} & \text{else} \end{cases} \quad d = p - t",
        shapes: "prediction, target: alike; terms: alike",
        unit: "the target's",
        range: "[0, ∞)",
        source: "Girshick, Fast R-CNN, 2015; PyTorch SmoothL1Loss",
        inputs: &PAIR,
        options: &[("beta", 1.0), ("broadcast", 0.0)],
        grid: &[&[], &[("beta", 0.5)], &[("beta", 2.0), ("weight", 1.0)], &[("beta", 0.0)]],
        run: |x| {
            let beta = x.number("beta", 1.0);
            SmoothL1 { beta, weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
                .forward(x.var("prediction"), x.var("target"))
        },
        naive: |x| {
            let beta = x.number("beta", 1.0);
            residuals(
                x,
                |d| {
                    if d.abs() < beta { d * d / (2.0 * beta) } else { d.abs() - beta / 2.0 }
                },
            )
        },
        takes_logits: false,
    },
    Loss {
        name: "huber",
        aliases: &["HuberLoss", "huber_loss"],
        family: "regression",
        summary: "Squared near 0, linear beyond delta.",
        formula: "d²/2 if |d| < δ, else δ (|d| − δ/2), with d = p − t",
        latex: r"\begin{cases} \frac{d^2}{2} & \lvert d \rvert < \delta \\ \delta \left(\lvert d \rvert - \frac{\delta}{2}\right) & \text{else} \end{cases} \quad d = p - t",
        shapes: "prediction, target: alike; terms: alike",
        unit: "the target's, squared",
        range: "[0, ∞)",
        source: "Huber, 1964; PyTorch HuberLoss",
        inputs: &PAIR,
        options: &[("delta", 1.0), ("broadcast", 0.0)],
        grid: &[&[], &[("delta", 0.5)], &[("delta", 2.0), ("weight", 1.0)]],
        run: |x| {
            let delta = x.number("delta", 1.0);
            Huber { delta, weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
                .forward(x.var("prediction"), x.var("target"))
        },
        naive: |x| {
            let delta = x.number("delta", 1.0);
            residuals(x, |d| {
                if d.abs() < delta { d * d / 2.0 } else { delta * (d.abs() - delta / 2.0) }
            })
        },
        takes_logits: false,
    },
    Loss {
        name: "nll",
        aliases: &["NLLLoss", "nll_loss", "negative_log_likelihood"],
        family: "classification",
        summary: "The negative log-likelihood of class numbers.",
        formula: "−w[label] · log_p[label]",
        latex: r"-w_{y} \log p_{y}",
        shapes: "log_p: [batch, class, …] or [class]; labels and terms: without the class axis",
        unit: "nats",
        range: "[0, ∞)",
        source: "PyTorch NLLLoss",
        inputs: &[
            input("log_p", &[N, C], Domain::LogProbabilities),
            input("labels", &[N], Domain::Labels(C)),
            option("weight", &[C], POSITIVE),
        ],
        options: &[("ignore_index", -100.0)],
        grid: &[&[], &[("weight", 1.0)], &[("weight", 1.0), ("ignore_index", 1.0)]],
        run: |x| {
            let ignore_index = x.number("ignore_index", -100.0) as i64;
            Nll { weight: x.maybe("weight"), ignore_index }.forward(x.var("log_p"), x.var("labels"))
        },
        naive: |x| {
            labelled(x, |i, label| -x.weight("weight", label) * x.of("log_p")[i * C + label])
        },
        takes_logits: false,
    },
    Loss {
        name: "cross_entropy",
        aliases: &[
            "CrossEntropyLoss",
            "softmax_cross_entropy",
            "softmax_cross_entropy_with_integer_labels",
        ],
        family: "classification",
        summary: "Cross-entropy of the softmax of logits against class numbers or probabilities.",
        formula: "w[label] (log_sum_exp(z) − z[label])",
        latex: r"w_{y} \left( \log \sum_c e^{z_c} - z_{y} \right)",
        shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis; or probabilities like the logits",
        unit: "nats",
        range: "[0, ∞)",
        source: "PyTorch CrossEntropyLoss; smoothing: Szegedy et al., 2016",
        inputs: &[
            input("logits", &[N, C], WIDE),
            input("labels", &[N], Domain::Labels(C)),
            option("probabilities", &[N, C], Domain::Probabilities),
            option("weight", &[C], POSITIVE),
        ],
        options: &[("ignore_index", -100.0), ("label_smoothing", 0.0)],
        grid: &[
            &[],
            &[("weight", 1.0)],
            &[("label_smoothing", 0.2)],
            &[("weight", 1.0), ("label_smoothing", 0.2), ("ignore_index", 1.0)],
            &[("probabilities", 1.0)],
            &[("probabilities", 1.0), ("weight", 1.0), ("label_smoothing", 0.2)],
        ],
        run: |x| {
            let ignore_index = x.number("ignore_index", -100.0) as i64;
            let label_smoothing = x.number("label_smoothing", 0.0);
            CrossEntropy { weight: x.maybe("weight"), ignore_index, label_smoothing }.forward(
                x.var("logits"),
                x.maybe("probabilities").unwrap_or_else(|| x.var("labels")),
            )
        },
        naive: |x| {
            let z = x.of("logits");
            let smoothing = x.number("label_smoothing", 0.0);
            let log_p = |i: usize, c: usize| {
                let sum: f64 = (0..C).map(|k| z[i * C + k].exp()).sum();
                z[i * C + c] - sum.ln()
            };
            let spread = |i: usize, sharp: &dyn Fn(usize) -> f64| -> f64 {
                let target = |c: usize| (1.0 - smoothing) * sharp(c) + smoothing / C as f64;
                (0..C).map(|c| -x.weight("weight", c) * target(c) * log_p(i, c)).sum()
            };
            match x.maybe("probabilities") {
                Some(t) => (0..N).map(|i| spread(i, &|c| t[i * C + c])).collect(),
                None => labelled(x, |i, label| spread(i, &|c| f64::from(u8::from(c == label)))),
            }
        },
        takes_logits: true,
    },
    Loss {
        name: "bce",
        aliases: &["BCELoss", "binary_cross_entropy"],
        family: "classification",
        summary: "Binary cross-entropy of probabilities.",
        formula: "−w (t ln p + (1 − t) ln(1 − p))",
        latex: r"-w \left( t \log p + (1 - t) \log (1 - p) \right)",
        shapes: "prediction, target: alike; terms: alike",
        unit: "nats",
        range: "[0, 100 w]",
        source: "PyTorch BCELoss",
        inputs: &[
            input("prediction", &[N, C], INNER),
            input("target", &[N, C], INNER),
            option("weight", &[C], POSITIVE),
        ],
        options: &[],
        grid: &[&[], &[("weight", 1.0)]],
        run: |x| Bce { weight: x.maybe("weight") }.forward(x.var("prediction"), x.var("target")),
        naive: |x| {
            let (p, t) = (x.of("prediction"), x.of("target"));
            let term = |i: usize| t[i] * p[i].ln() + (1.0 - t[i]) * (1.0 - p[i]).ln();
            (0..N * C).map(|i| -x.weight("weight", i) * term(i)).collect()
        },
        takes_logits: false,
    },
    Loss {
        name: "bce_with_logits",
        aliases: &[
            "BCEWithLogitsLoss",
            "binary_cross_entropy_with_logits",
            "sigmoid_binary_cross_entropy",
        ],
        family: "classification",
        summary: "Binary cross-entropy of the sigmoid of logits.",
        formula: "w ((1 − t) z + (1 + (c − 1) t) softplus(−z))",
        latex: r"-w \left( c\, t \log \sigma(z) + (1 - t) \log \sigma(-z) \right)",
        shapes: "logits, target: alike; terms: alike",
        unit: "nats",
        range: "[0, ∞)",
        source: "PyTorch BCEWithLogitsLoss",
        inputs: &[
            input("logits", &[N, C], WIDE),
            input("target", &[N, C], INNER),
            option("weight", &[C], POSITIVE),
            option("pos_weight", &[C], POSITIVE),
        ],
        options: &[],
        grid: &[
            &[],
            &[("weight", 1.0)],
            &[("pos_weight", 1.0)],
            &[("weight", 1.0), ("pos_weight", 1.0)],
        ],
        run: |x| {
            BceWithLogits { weight: x.maybe("weight"), pos_weight: x.maybe("pos_weight") }
                .forward(x.var("logits"), x.var("target"))
        },
        naive: |x| {
            let (z, t) = (x.of("logits"), x.of("target"));
            let term = |i: usize| {
                let p = 1.0 / (1.0 + (-z[i]).exp());
                x.weight("pos_weight", i) * t[i] * p.ln() + (1.0 - t[i]) * (1.0 - p).ln()
            };
            (0..N * C).map(|i| -x.weight("weight", i) * term(i)).collect()
        },
        takes_logits: true,
    },
    Loss {
        name: "kl_div",
        aliases: &["KLDivLoss", "kl_divergence", "kullback_leibler"],
        family: "divergence",
        summary: "The terms of the Kullback-Leibler divergence of a target from a prediction.",
        formula: "t (ln t − p), with log-probabilities p",
        latex: r"t \left( \log t - \log p \right)",
        shapes: "prediction, target: alike, [batch, …]; terms: alike",
        unit: "nats",
        range: "(−∞, ∞); the sum of an example's terms is in [0, ∞)",
        source: "Kullback and Leibler, 1951; PyTorch KLDivLoss",
        inputs: &[
            input("prediction", &[N, C], Domain::LogProbabilities),
            input("target", &[N, C], Domain::Probabilities),
            option("log_target", &[N, C], Domain::LogProbabilities),
        ],
        options: &[("broadcast", 0.0)],
        grid: &[&[], &[("log_target", 1.0)]],
        run: |x| {
            let log_target = x.maybe("log_target");
            KlDiv { log_target: log_target.is_some(), broadcast: x.flag("broadcast") }
                .forward(x.var("prediction"), log_target.unwrap_or_else(|| x.var("target")))
        },
        naive: |x| {
            let p = x.of("prediction");
            let t: Vec<f64> = match x.maybe("log_target") {
                Some(log) => log.iter().map(|t| t.exp()).collect(),
                None => x.of("target").to_vec(),
            };
            (0..N * C).map(|i| t[i] * (t[i].ln() - p[i])).collect()
        },
        takes_logits: false,
    },
    Loss {
        name: "triplet_margin",
        aliases: &[
            "TripletMarginLoss",
            "triplet_margin_loss",
            "TripletMarginWithDistanceLoss",
            "triplet",
        ],
        family: "embedding",
        summary: "An anchor nearer to a positive than to a negative, by a margin.",
        formula: "max(0, d(a, p) − d(a, n) + margin)",
        latex: r"\max \left( 0, d(a, p) - d(a, n) + m \right)",
        shapes: "anchor, positive, negative: [batch, features] or [features]; terms: [batch]",
        unit: "the distance's",
        range: "[0, ∞)",
        source: "Balntas et al., 2016; PyTorch TripletMarginLoss",
        inputs: &[
            input("anchor", &[N, C], WIDE),
            input("positive", &[N, C], WIDE),
            input("negative", &[N, C], WIDE),
        ],
        options: &[("margin", 1.0), ("p", 2.0), ("eps", 1e-6), ("swap", 0.0)],
        grid: &[
            &[],
            &[("margin", 3.0)],
            &[("p", 1.0), ("margin", 4.0)],
            &[("p", 3.0), ("swap", 1.0), ("margin", 5.0)],
        ],
        run: |x| {
            let (p, eps) = (x.number("p", 2.0), x.number("eps", 1e-6));
            let margin = x.number("margin", 1.0);
            TripletMargin { margin, distance: Distance::Lp { p, eps }, swap: x.flag("swap") }
                .forward(x.var("anchor"), x.var("positive"), x.var("negative"))
        },
        naive: |x| {
            let (p, eps) = (x.number("p", 2.0), x.number("eps", 1e-6));
            let distance = |a: &str, b: &str, i: usize| -> f64 {
                let (a, b) = (x.of(a), x.of(b));
                let sum: f64 =
                    (i * C..(i + 1) * C).map(|k| (a[k] - b[k] + eps).abs().powf(p)).sum();
                sum.powf(1.0 / p)
            };
            let term = |i: usize| {
                let mut far = distance("anchor", "negative", i);
                if x.number("swap", 0.0) != 0.0 {
                    far = far.min(distance("positive", "negative", i));
                }
                (distance("anchor", "positive", i) - far + x.number("margin", 1.0)).max(0.0)
            };
            (0..N).map(term).collect()
        },
        takes_logits: false,
    },
    Loss {
        name: "cosine_embedding",
        aliases: &["CosineEmbeddingLoss", "cosine_embedding_loss"],
        family: "embedding",
        summary: "Similar pairs in one direction, others not, by a margin.",
        formula: "1 − cos(a, b) if y = 1, max(0, cos(a, b) − margin) if y = −1",
        latex: r"\begin{cases} 1 - \cos(a, b) & y = 1 \\ \max(0, \cos(a, b) - m) & y = -1 \end{cases}",
        shapes: "a, b: [batch, features] or [features]; target and terms: [batch] or []",
        unit: "none",
        range: "[0, 2]",
        source: "PyTorch CosineEmbeddingLoss",
        inputs: &[
            input("a", &[N, C], WIDE),
            input("b", &[N, C], WIDE),
            input("target", &[N], Domain::Signs),
        ],
        options: &[("margin", 0.0)],
        grid: &[&[], &[("margin", -0.5)]],
        run: |x| {
            CosineEmbedding { margin: x.number("margin", 0.0) }.forward(
                x.var("a"),
                x.var("b"),
                x.var("target"),
            )
        },
        naive: |x| {
            let dot = |a: &[f64], b: &[f64], i: usize| -> f64 {
                (i * C..(i + 1) * C).map(|k| a[k] * b[k]).sum()
            };
            let (a, b) = (x.of("a"), x.of("b"));
            let term = |i: usize| {
                let cosine = dot(a, b, i) / (dot(a, a, i) * dot(b, b, i)).sqrt();
                match x.of("target")[i] {
                    1.0 => 1.0 - cosine,
                    _ => (cosine - x.number("margin", 0.0)).max(0.0),
                }
            };
            (0..N).map(term).collect()
        },
        takes_logits: false,
    },
];

/// Terms of `prediction − target`, with their weights.
fn residuals(x: &Numbers<'_>, term: impl Fn(f64) -> f64) -> Vec<f64> {
    let (p, t) = (x.of("prediction"), x.of("target"));
    (0..N * C).map(|i| x.weight("weight", i) * term(p[i] - t[i])).collect()
}

/// Terms of labels; 0 for those to ignore.
fn labelled(x: &Numbers<'_>, term: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let ignored = x.number("ignore_index", -100.0);
    let each = x.of("labels").iter().enumerate();
    each.map(|(i, &label)| if label == ignored { 0.0 } else { term(i, label as usize) }).collect()
}
