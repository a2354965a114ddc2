//! A softmax over many classes, of which few are frequent.

use lossgraph_autograd::{Fault, Var, concat};

use super::FAMILY;
use crate::catalogue::{Domain, Invariance, Loss, N, WIDE, input, option};
use crate::check::floats;
use crate::labels::integers;
use crate::terms::Terms;

/// The negative log-likelihood of class numbers in a softmax over clusters: the head holds the
/// frequent classes and one entry for each cluster of rarer ones, whose classes have a softmax of
/// their own.
///
/// ```text
/// L = −ln softmax(head)[label]                                       if the label is in the head
///   = −ln softmax(head)[cluster] − ln softmax(tail of the cluster)[label]    else
/// head = x Hᵀ + b,   tail = x Pᵀ Wᵀ
/// ```
///
/// A tail sees only the examples whose label it holds, and a narrower projection of them: the cost
/// is that of the head and of few examples in few classes. Since shapes follow the labels, batches
/// whose labels fall into clusters in other numbers are planned again.
///
/// The model is often called an approximation of the softmax. It is none: it is a softmax in two
/// steps, whose probabilities add up to 1, and loss and gradient are exact for it.
///
/// [`log_prob`](AdaptiveLogSoftmax::log_prob) gives all classes, and
/// [`predict`](AdaptiveLogSoftmax::predict) the likeliest. [`ClassClusters`](crate::ClassClusters)
/// holds the weights as parameters.
///
/// | | |
/// |---|---|
/// | shapes | features: `[batch, feature]` or `[feature]`; labels, terms: `[batch]` or `[]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::AdaptiveLogSoftmax;
/// let tape = Tape::f64();
/// // One class in the head, two in a cluster; all scores are 0.
/// let head = tape.variable([[0.0], [0.0]]);
/// let tails = vec![[tape.constant([[0.0]]), tape.constant([[0.0], [0.0]])]];
/// let loss = AdaptiveLogSoftmax { cutoffs: vec![1], head, head_bias: None, tails };
/// let terms = loss.forward(tape.constant([[1.0], [1.0]]), tape.labels(&[0, 2]));
/// let gradients = terms.sum().backward()?;
/// assert!((gradients.loss() - 8.0_f64.ln()).abs() < 1e-15); // ½, and ½ · ½
/// assert_eq!(gradients.of(head).unwrap().to_f64s(), [0.0, 0.0]); // (½ − 1) + ½ each
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Cutoffs that do not ascend from 1 at least; weights that do not fit them; labels that are no
/// classes.
///
/// # Source
/// Grave et al., Efficient Softmax Approximation for GPUs, 2017. PyTorch's
/// `AdaptiveLogSoftmaxWithLoss`, whose `head.weight`, `head.bias`, `tail.K.0.weight` and
/// `tail.K.1.weight` are the weights here.
#[derive(Clone, Debug)]
#[doc(alias = "AdaptiveLogSoftmaxWithLoss")]
pub struct AdaptiveLogSoftmax<'t> {
    /// The first class of each cluster. The classes before the first are the head's.
    pub cutoffs: Vec<usize>,
    /// A row for each class of the head, then one for each cluster: `[classes, feature]`.
    pub head: Var<'t>,
    /// A number for each row of the head.
    pub head_bias: Option<Var<'t>>,
    /// For each cluster, the projection of the features, `[size, feature]`, and a row for each
    /// class, `[classes, size]`.
    pub tails: Vec<[Var<'t>; 2]>,
}

const NAME: &str = "adaptive_log_softmax";

impl<'t> AdaptiveLogSoftmax<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, features: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        features.tape().named_call(NAME, || {
            let examples = &features.shape()[..features.rank().saturating_sub(1)];
            match self.rows(features).and_then(|x| Ok((x, self.numbers(features, labels)?))) {
                Ok((x, numbers)) => Terms::new(-self.log_likelihood(x, &numbers).reshape(examples)),
                Err(fault) => Terms::new(fault),
            }
        })
    }

    /// The log-probability of every class, `[…, classes]`.
    #[track_caller]
    pub fn log_prob(&self, features: Var<'t>) -> Var<'t> {
        features.tape().named_call(NAME, || {
            let mut shape = features.shape().to_vec();
            match self.rows(features) {
                Ok(x) => {
                    shape.pop();
                    shape.push(self.classes());
                    self.all_classes(x).reshape(shape)
                }
                Err(fault) => fault,
            }
        })
    }

    /// The likeliest class of each example. Where that is a class of the head, no tail is looked
    /// at: none of its classes is likelier than its cluster.
    #[track_caller]
    pub fn predict(&self, features: Var<'t>) -> Var<'t> {
        features.tape().named_call(NAME, || {
            let examples = &features.shape()[..features.rank().saturating_sub(1)];
            match self.rows(features).and_then(|x| self.likeliest(x)) {
                Ok(classes) => classes.reshape(examples),
                Err(fault) => fault,
            }
        })
    }

    /// How many classes there are.
    fn classes(&self) -> usize {
        self.tails.iter().map(|[_, rows]| rows.dim(0)).sum::<usize>() + self.cutoffs[0]
    }

    /// The log-probabilities of the head, `[batch, classes of the head and clusters]`.
    fn head(&self, x: Var<'t>) -> Var<'t> {
        x.linear(self.head, self.head_bias).log_softmax(1)
    }

    /// The log-probabilities of the classes of a cluster, given the cluster.
    fn tail(&self, cluster: usize, x: Var<'t>) -> Var<'t> {
        let [projection, rows] = self.tails[cluster];
        x.linear(projection, None).linear(rows, None).log_softmax(1)
    }

    fn log_likelihood(&self, x: Var<'t>, labels: &[usize]) -> Var<'t> {
        let in_head = self.cutoffs[0];
        let cluster = |label: usize| self.cutoffs.iter().rposition(|&first| first <= label);
        let entry = |label: usize| cluster(label).map_or(label, |cluster| in_head + cluster);
        let entries: Vec<usize> = labels.iter().map(|&label| entry(label)).collect();
        // What the examples have beyond the head: nothing, or their index within a cluster.
        let mut beyond = vec![x.tape().fill([1], 0.0)];
        let mut indices = vec![0; labels.len()];
        let mut count = 1;
        for (at, &first) in self.cutoffs.iter().enumerate() {
            let members: Vec<usize> =
                (0..labels.len()).filter(|&i| cluster(labels[i]) == Some(at)).collect();
            if members.is_empty() {
                continue;
            }
            let within: Vec<usize> = members.iter().map(|&i| labels[i] - first).collect();
            let few = x.index_select(0, x.tape().labels(&members));
            beyond.push(picked(self.tail(at, few), &within));
            for &i in &members {
                indices[i] = count;
                count += 1;
            }
        }
        let beyond = concat(&beyond, 0).index_select(0, x.tape().labels(&indices));
        picked(self.head(x), &entries) + beyond
    }

    fn all_classes(&self, x: Var<'t>) -> Var<'t> {
        let (head, in_head) = (self.head(x), self.cutoffs[0] as isize);
        let tail = |at: usize| head.index(1, in_head + at as isize).unsqueeze(1) + self.tail(at, x);
        let head = std::iter::once(head.slice(1, ..in_head));
        concat(&head.chain((0..self.tails.len()).map(tail)).collect::<Vec<_>>(), 1)
    }

    fn likeliest(&self, x: Var<'t>) -> Result<Var<'t>, Var<'t>> {
        let (best, batch) = (self.head(x).argmax(1), x.dim(0));
        let entries = integers(NAME, "features", best)?;
        let in_tails: Vec<usize> =
            (0..batch).filter(|&i| entries[i] >= self.cutoffs[0] as i64).collect();
        if in_tails.is_empty() {
            return Ok(best);
        }
        let tape = x.tape();
        let looked_up = self.all_classes(x.index_select(0, tape.labels(&in_tails))).argmax(1);
        let row = |i: usize| in_tails.binary_search(&i).map_or(i, |at| batch + at);
        let indices: Vec<usize> = (0..batch).map(row).collect();
        Ok(concat(&[best, looked_up], 0).index_select(0, tape.labels(&indices)))
    }

    /// The features as rows, if everything fits.
    fn rows(&self, features: Var<'t>) -> Result<Var<'t>, Var<'t>> {
        let tails = self.tails.iter().flatten();
        let mut given =
            [features, self.head].into_iter().chain(self.head_bias).chain(tails.copied());
        if let Some(faulty) = given.find(|var| var.is_faulty()) {
            return Err(faulty);
        }
        let refuse = |why: String| {
            let fault = Fault::new(NAME, why).operand("features", features);
            Err(features.tape().fault(fault.operand("head", self.head)))
        };
        let own = |name: &str, var| (name.to_owned(), var);
        let given = [own("features", features), own("head", self.head)].into_iter();
        let given = given.chain(self.head_bias.map(|bias| own("head_bias", bias)));
        let given =
            given.chain(self.tails.iter().enumerate().flat_map(|(i, &[projection, rows])| {
                [(format!("projection{i}"), projection), (format!("rows{i}"), rows)]
            }));
        for (name, var) in given {
            let checked = floats(NAME, &name, var);
            if checked.is_faulty() {
                return Err(checked);
            }
        }
        let (cutoffs, inner) = (&self.cutoffs, features.dim(-1));
        if !(1..=2).contains(&features.rank()) {
            return refuse("features are [batch, feature] or [feature]".to_owned());
        }
        if cutoffs.first().is_none_or(|&first| first == 0) || !cutoffs.is_sorted_by(|a, b| a < b) {
            return refuse(format!("cutoffs {cutoffs:?} do not ascend from 1 at least"));
        }
        if self.tails.len() != cutoffs.len() {
            return refuse(format!("{} cutoffs for {} tails", cutoffs.len(), self.tails.len()));
        }
        let entries = cutoffs[0] + cutoffs.len();
        if self.head.shape()[..] != [entries, inner]
            || self.head_bias.is_some_and(|bias| bias.shape()[..] != [entries])
        {
            return refuse(format!("expected a head [{entries}, {inner}], its bias [{entries}]"));
        }
        for (at, &[projection, rows]) in self.tails.iter().enumerate() {
            let (first, size) = (cutoffs[at], projection.dim(0));
            let classes = cutoffs.get(at + 1).map_or(rows.dim(0), |end| end - first);
            if projection.shape()[..] != [size, inner]
                || rows.shape()[..] != [classes, size]
                || classes == 0
            {
                let (projection, rows) = (projection.shape(), rows.shape());
                return refuse(format!(
                    "tail {at} is {projection} and {rows}, expected [size, {inner}] and \
                     [classes, size] from class {first} to the next cutoff"
                ));
            }
        }
        let batch = if features.rank() == 2 { features.dim(0) } else { 1 };
        Ok(features.reshape([batch, inner]))
    }

    /// The labels as numbers, if they are a class for each example.
    fn numbers(&self, features: Var<'t>, labels: Var<'t>) -> Result<Vec<usize>, Var<'t>> {
        let (numbers, classes) = (integers(NAME, "labels", labels)?, self.classes());
        let refuse = |why: String| {
            let fault = Fault::new(NAME, why).operand("features", features);
            Err(features.tape().fault(fault.operand("labels", labels)))
        };
        if labels.shape()[..] != features.shape()[..features.rank() - 1] {
            return refuse("expected labels as the features without their last axis".to_owned());
        }
        match numbers.iter().find(|&label| !(0..classes as i64).contains(label)) {
            Some(label) => refuse(format!("label {label} is none of the classes 0..{classes}")),
            None => Ok(numbers.into_iter().map(|label| label as usize).collect()),
        }
    }
}

/// One number of each row.
fn picked<'t>(scores: Var<'t>, indices: &[usize]) -> Var<'t> {
    scores.gather(1, scores.tape().labels(indices).unsqueeze(1)).squeeze(1)
}

pub(crate) static ROW: Loss = Loss {
    name: NAME,
    aliases: &["AdaptiveLogSoftmaxWithLoss", "adaptive_softmax"],
    summary: "The negative log-likelihood of class numbers in a softmax over clusters.",
    formula: "−ln p_head[label], or −ln p_head[cluster] − ln p_cluster[label]",
    latex: r"-\ln p_{\text{head}, y} \quad \text{or} \quad -\ln p_{\text{head}, k} - \ln p_{k, y}",
    letters: &[("p", "the softmax of the head, and of the k-th tail")],
    shapes: "features: [batch, feature] or [feature]; labels, terms: [batch] or []",
    unit: "nats",
    range: "[0, ∞)",
    source: "Grave et al., 2017; PyTorch AdaptiveLogSoftmaxWithLoss",
    // Classes 0 and 1 in the head, 2 and 3 in one cluster, 4, 5 and 6 in another one.
    inputs: &[
        input("features", &[N, D], WIDE),
        input("labels", &[N], Domain::Integers(&[1, 5, 3, 4])),
        input("head", &[4, D], WIDE).learned(|x| vec![CUTOFFS[0] + CUTOFFS.len(), x.features]),
        input("projection0", &[2, D], WIDE).learned(|x| vec![x.features, x.features]),
        input("rows0", &[2, 2], WIDE).learned(|x| vec![CUTOFFS[1] - CUTOFFS[0], x.features]),
        input("projection1", &[1, D], WIDE).learned(|x| vec![x.features, x.features]),
        input("rows1", &[3, 1], WIDE).learned(|x| vec![x.classes - CUTOFFS[1], x.features]),
        option("head_bias", &[4], WIDE, "a number for each row of the head"),
    ],
    grid: &["", "head_bias"],
    invariances: &[Invariance::Order(&["features", "labels"])],
    run: |x| {
        let tail = |names: [&str; 2]| names.map(|name| x.var(name));
        AdaptiveLogSoftmax {
            cutoffs: CUTOFFS.to_vec(),
            head: x.var("head"),
            head_bias: x.maybe("head_bias"),
            tails: vec![tail(["projection0", "rows0"]), tail(["projection1", "rows1"])],
        }
        .forward(x.var("features"), x.var("labels"))
    },
    naive: |x| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let product = |matrix: &str, vector: &[f64]| -> Vec<f64> {
            x.rows(matrix).iter().map(|row| dot(row, vector)).collect()
        };
        let nll = |scores: &[f64], at: usize| {
            scores.iter().map(|z| z.exp()).sum::<f64>().ln() - scores[at]
        };
        let term = |(features, label): (&[f64], usize)| {
            let mut head = product("head", features);
            for (score, bias) in head.iter_mut().zip(x.of("head_bias")) {
                *score += bias;
            }
            let tail = |projection: &str, rows: &str| product(rows, &product(projection, features));
            match label {
                0 | 1 => nll(&head, label),
                2 | 3 => nll(&head, 2) + nll(&tail("projection0", "rows0"), label - 2),
                _ => nll(&head, 3) + nll(&tail("projection1", "rows1"), label - 4),
            }
        };
        let labels = x.of("labels").iter().map(|&label| label as usize);
        x.rows("features").into_iter().zip(labels).map(term).collect()
    },
    edges: &[("+∞ | −∞", "sums of products with infinite features are ∞ − ∞")],
    ..FAMILY
};

/// Features and clusters of the samples.
const D: usize = 2;
const CUTOFFS: [usize; 2] = [2, 4];
