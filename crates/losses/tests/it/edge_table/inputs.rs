//! What inputs of a loss hold at the edges: made from the kinds that its row declares.

use lossgraph_losses::{Case, Domain, Invariance};
use lossgraph_tensor::{DType, Tensor};

/// An edge: what it is called, and the inputs of a case there, if the case has it.
pub struct Edge {
    pub name: &'static str,
    pub about: &'static str,
    pub inputs: fn(&Case) -> Option<Vec<Tensor>>,
}

pub const EDGES: &[Edge] = &[
    Edge {
        name: "an impossible class",
        about: "a score of −∞ for a class or item that is not the right one",
        inputs: |case| right(case, Certain::Masked),
    },
    Edge {
        name: "sure and right",
        about: "scores of +∞ where they should be, −∞ where a single score can be wrong",
        inputs: |case| right(case, Certain::Infinite),
    },
    Edge {
        name: "all others impossible",
        about: "−∞ for all but the right class",
        inputs: |case| right(case, Certain::Alone),
    },
    Edge {
        name: "sure and wrong",
        about: "scores of +∞ for a wrong class",
        inputs: |case| right(case, Certain::Wrong),
    },
    Edge {
        name: "the label impossible",
        about: "−∞ for the right class",
        inputs: |case| right(case, Certain::Never),
    },
    Edge {
        name: "nothing relevant",
        about: "a relevance of 0 for all items",
        inputs: nothing_relevant,
    },
    Edge { name: "all ignored", about: "all labels are `ignore_index`", inputs: all_ignored },
    Edge { name: "weights of 0", about: "weights of 0", inputs: weights_of_0 },
    Edge {
        name: "one class",
        about: "embeddings of one class: no negatives",
        inputs: |case| labelled(case, |_| 0),
    },
    Edge {
        name: "a class for each",
        about: "embeddings of as many classes: no positives",
        inputs: |case| labelled(case, |i| i as i64),
    },
    Edge { name: "one example", about: "a batch of one", inputs: |case| batch_of(case, 1) },
    Edge { name: "no example", about: "a batch of none", inputs: |case| batch_of(case, 0) },
    Edge {
        name: "constant",
        about: "½ everywhere; equal probabilities",
        inputs: |case| moving(case, |_, _, _| 0.5),
    },
    Edge {
        name: "equal",
        about: "the second input is the first; all embeddings are the same",
        inputs: equal,
    },
    Edge {
        name: "zeros",
        about: "0 everywhere; equal probabilities",
        inputs: |case| moving(case, |_, _, _| 0.0),
    },
    Edge { name: "NaN", about: "one NaN", inputs: |case| first(case, |_| f64::NAN) },
    Edge { name: "+∞", about: "one +∞", inputs: |case| first(case, |_| f64::INFINITY) },
    Edge { name: "−∞", about: "one −∞", inputs: |case| first(case, |_| f64::NEG_INFINITY) },
    Edge { name: "1e20", about: "one 1e20", inputs: |case| first(case, |_| 1e20) },
    Edge { name: "−1e20", about: "one −1e20", inputs: |case| first(case, |_| -1e20) },
    Edge { name: "1e30", about: "one 1e30", inputs: |case| first(case, |_| 1e30) },
    Edge { name: "−1e30", about: "one −1e30", inputs: |case| first(case, |_| -1e30) },
    Edge { name: "all times 1e20", about: "samples times 1e20", inputs: |case| scaled(case, 1e20) },
    Edge { name: "all times 1e10", about: "samples times 1e10", inputs: |case| scaled(case, 1e10) },
    Edge {
        name: "all times 1e-10",
        about: "samples times 1e-10",
        inputs: |case| scaled(case, 1e-10),
    },
    Edge {
        name: "all times 1e-20",
        about: "samples times 1e-20",
        inputs: |case| scaled(case, 1e-20),
    },
    Edge { name: "subnormal", about: "samples times 1e-40", inputs: |case| scaled(case, 1e-40) },
];

/// The same shape and type with other numbers.
fn mapped(tensor: &Tensor, change: impl Fn(usize, f64) -> f64) -> Tensor {
    let numbers = tensor.to_f64s().into_iter().enumerate();
    let changed = numbers.map(|(i, x)| change(i, x)).collect();
    Tensor::new(tensor.shape().clone(), changed).unwrap().to_dtype(tensor.dtype())
}

/// Whether an input can hold numbers of any size: what lies within 0 and 1 is a probability.
fn is_scaled(domain: Domain) -> bool {
    match domain {
        Domain::Between(low, high) => low < 0.0 || high > 1.0,
        Domain::Logits | Domain::Floats(_) => true,
        _ => false,
    }
}

/// The first element of the first input that moves.
fn first(case: &Case, number: impl Fn(f64) -> f64) -> Option<Vec<Tensor>> {
    let at = case.samples.iter().position(|sample| sample.is_differentiable())?;
    let mut inputs = case.inputs.clone();
    inputs[at] = mapped(&inputs[at], |i, x| if i == 0 { number(x) } else { x });
    Some(inputs)
}

/// All inputs that move, by the index of the input, of the element, and what it held.
fn moving(case: &Case, number: impl Fn(usize, usize, f64) -> f64) -> Option<Vec<Tensor>> {
    let each = case.samples.iter().zip(&case.inputs).enumerate();
    let inputs = each.map(|(at, (sample, data))| match sample.domain {
        domain if !domain.is_continuous() => data.clone(),
        Domain::LogProbabilities | Domain::Probabilities => {
            let classes = data.shape().last().copied().unwrap_or(1) as f64;
            let ln = sample.domain == Domain::LogProbabilities;
            mapped(data, |_, _| if ln { -classes.ln() } else { 1.0 / classes })
        }
        _ => mapped(data, |i, x| number(at, i, x)),
    });
    Some(inputs.collect())
}

fn scaled(case: &Case, factor: f64) -> Option<Vec<Tensor>> {
    case.samples.iter().any(|sample| is_scaled(sample.domain) && !sample.optional).then(|| {
        let each = case.samples.iter().zip(&case.inputs);
        let scaled =
            each.map(|(sample, data)| match is_scaled(sample.domain) && !sample.optional {
                true => mapped(data, |_, x| x * factor),
                false => data.clone(),
            });
        scaled.collect()
    })
}

/// The second input is the first, where both are of a kind; all embeddings are one.
fn equal(case: &Case) -> Option<Vec<Tensor>> {
    let mut inputs = case.inputs.clone();
    let moves = |i: &usize| case.samples[*i].domain.is_continuous();
    let continuous: Vec<usize> = (0..inputs.len()).filter(moves).collect();
    let mut changed = false;
    for pair in continuous.windows(2) {
        let [a, b] = [case.samples[pair[0]], case.samples[pair[1]]];
        if a.shape == b.shape
            && std::mem::discriminant(&a.domain) == std::mem::discriminant(&b.domain)
        {
            inputs[pair[1]] = inputs[pair[0]].clone();
            changed = true;
        }
    }
    if let Some(at) = case.index_of("embeddings") {
        let numbers = inputs[at].to_f64s();
        let width = inputs[at].shape()[1];
        inputs[at] = mapped(&inputs[at], |i, _| numbers[i % width]);
        changed = true;
    }
    changed.then_some(inputs)
}

/// How certain scores are.
#[derive(Clone, Copy, PartialEq)]
enum Certain {
    /// A class that is not the label's is impossible.
    Masked,
    /// The right scores are infinite.
    Infinite,
    /// All classes but the label's are impossible.
    Alone,
    /// The wrong scores are infinite.
    Wrong,
    /// The label's class is impossible.
    Never,
}

const INF: f64 = f64::INFINITY;

/// Infinite scores, by what says which ones are right.
fn right(case: &Case, certain: Certain) -> Option<Vec<Tensor>> {
    let mut inputs = case.inputs.clone();
    let is_scores = |domain| matches!(domain, Domain::Logits | Domain::LogProbabilities);
    let logs = |i: usize| case.samples[i].domain == Domain::LogProbabilities;
    let scores: Vec<usize> =
        (0..inputs.len()).filter(|&i| is_scores(case.samples[i].domain)).collect();
    let mut signs = (0..inputs.len()).filter(|&i| case.samples[i].domain == Domain::Signs);
    let at = match scores.first() {
        Some(&at) => at,
        None => {
            // A prediction and signs.
            let sign = signs.next()?;
            if case.samples[sign].shape != case.samples[0].shape
                || matches!(certain, Certain::Masked | Certain::Never)
            {
                return None;
            }
            let turn = if certain == Certain::Wrong { -INF } else { INF };
            let s = inputs[sign].to_f64s();
            inputs[0] = mapped(&inputs[0], |i, _| turn * s[i]);
            return Some(inputs);
        }
    };
    let shape = case.samples[at].shape;
    let classes = *shape.last()?;
    let labels = (0..inputs.len()).find_map(|i| match case.samples[i].domain {
        Domain::Labels(count) => Some((inputs[i].to_f64s(), count)),
        _ => None,
    });
    let target = case.index_of("target").filter(|&i| case.samples[i].shape == shape);
    let distributions = target.filter(|&i| case.samples[i].domain == Domain::Probabilities);
    let at_infinity = |label: usize, class: usize, x: f64, log: bool| match certain {
        Certain::Masked if class == (label + 1) % classes => -INF,
        Certain::Infinite if class == label => {
            if log {
                0.0
            } else {
                INF
            }
        }
        Certain::Infinite if log => -INF,
        Certain::Alone if class != label => -INF,
        Certain::Alone if log => 0.0,
        Certain::Never if class == label => -INF,
        Certain::Wrong if class == label && log => -INF,
        Certain::Wrong if class == (label + 1) % classes => {
            if log {
                0.0
            } else {
                INF
            }
        }
        _ => x,
    };
    match (labels, distributions, target) {
        // Classes along the second of more axes are left to the others.
        (Some(_), _, _) if shape.len() > 2 => return None,
        (Some((labels, count)), _, _) if count == classes => {
            for &at in &scores {
                let log = logs(at);
                let change = |i, x| at_infinity(labels[i / classes] as usize, i % classes, x, log);
                inputs[at] = mapped(&inputs[at], change);
            }
        }
        (Some((labels, _)), _, _) => {
            // Thresholds, of which the label is a number.
            let turn = match certain {
                Certain::Infinite | Certain::Alone => INF,
                Certain::Wrong => -INF,
                Certain::Masked | Certain::Never => return None,
            };
            let above = |i: usize| ((i % classes) as f64) < labels[i / classes];
            inputs[at] = mapped(&inputs[at], |i, _| if above(i) { turn } else { -turn });
        }
        (None, Some(target), _) => {
            let log = logs(at);
            inputs[at] = mapped(&inputs[at], |i, x| at_infinity(0, i % classes, x, log));
            inputs[target] = mapped(&inputs[target], |i, x| match (certain, i % classes) {
                (Certain::Masked, 1) => 0.0,
                (Certain::Masked, 0) => x + inputs[target].to_f64s()[i + 1],
                (Certain::Masked, _) => x,
                (_, 0) => 1.0,
                _ => 0.0,
            });
        }
        (None, None, Some(target)) => {
            let turn = match certain {
                Certain::Infinite | Certain::Alone => INF,
                Certain::Wrong => -INF,
                Certain::Masked | Certain::Never => return None,
            };
            inputs[target] = mapped(&inputs[target], |_, t| t.round());
            let t = inputs[target].to_f64s();
            inputs[at] = mapped(&inputs[at], |i, _| turn * (2.0 * t[i] - 1.0));
        }
        (None, None, None) => {
            let relevance = case.index_of("relevance");
            let last = classes - 1;
            for &at in &scores {
                let log = logs(at);
                inputs[at] = mapped(&inputs[at], |i, x| match (certain, i % classes) {
                    (Certain::Masked, c) if c == last => -INF,
                    (Certain::Alone, c) if c != 0 => -INF,
                    (Certain::Infinite, 0) => {
                        if log {
                            0.0
                        } else {
                            INF
                        }
                    }
                    (Certain::Wrong, c) if c == last && !log => INF,
                    (Certain::Never, 0) => -INF,
                    _ => x,
                });
            }
            if let Some(relevance) = relevance {
                let graded = |i: usize, x: f64| match i % classes {
                    0 => 3.0,
                    c if c == last => 0.0,
                    _ if certain == Certain::Masked => x,
                    _ => 0.0,
                };
                inputs[relevance] = mapped(&inputs[relevance], graded);
            }
        }
    }
    Some(inputs)
}

fn nothing_relevant(case: &Case) -> Option<Vec<Tensor>> {
    let at = case.index_of("relevance")?;
    let mut inputs = case.inputs.clone();
    inputs[at] = mapped(&inputs[at], |_, _| 0.0);
    Some(inputs)
}

fn all_ignored(case: &Case) -> Option<Vec<Tensor>> {
    let has = case.loss.options.iter().any(|option| option.name == "ignore_index");
    let at = (0..case.samples.len())
        .find(|&i| matches!(case.samples[i].domain, Domain::Labels(_)))
        .filter(|_| has)?;
    let mut inputs = case.inputs.clone();
    let ignored = case.loss.setting(&case.setting).ok()?.number("ignore_index");
    inputs[at] = mapped(&inputs[at], |_, _| ignored);
    Some(inputs)
}

fn weights_of_0(case: &Case) -> Option<Vec<Tensor>> {
    let at = case.index_of("weight").or(case.index_of("class_weight"))?;
    let mut inputs = case.inputs.clone();
    inputs[at] = mapped(&inputs[at], |_, _| 0.0);
    Some(inputs)
}

/// Other labels.
fn labelled(case: &Case, label: impl Fn(usize) -> i64) -> Option<Vec<Tensor>> {
    let at = case.index_of("labels").filter(|_| case.loss.family == "embedding")?;
    let mut inputs = case.inputs.clone();
    inputs[at] = mapped(&inputs[at], |i, _| label(i) as f64);
    Some(inputs)
}

/// The first examples alone. Which inputs have a row for each, the row's invariances say.
fn batch_of(case: &Case, count: usize) -> Option<Vec<Tensor>> {
    let order = case.loss.invariances.iter().find_map(|invariance| match invariance {
        Invariance::Order(inputs) => Some(*inputs),
        _ => None,
    })?;
    let cut = |(name, data): (&'static str, &Tensor)| {
        if !order.contains(&name) {
            return data.clone();
        }
        let mut shape = data.shape().to_vec();
        let row = data.len() / shape[0].max(1);
        shape[0] = count.min(shape[0]);
        let numbers = data.to_f64s()[..row * shape[0]].to_vec();
        Tensor::new(&shape[..], numbers).unwrap().to_dtype(data.dtype())
    };
    Some(case.names().zip(&case.inputs).map(cut).collect())
}

/// Whether any input holds a number of which `holds` is true.
pub fn any(inputs: &[Tensor], holds: impl Fn(f64) -> bool) -> bool {
    let floats = inputs.iter().filter(|input| input.dtype() != DType::I64);
    floats.flat_map(|input| input.to_f64s()).any(holds)
}
