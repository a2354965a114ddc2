//! What the golden files of pytorch-metric-learning name: embeddings with labels or mined indices,
//! distances, reducers.

use lossgraph_autograd::{Fault, Var};
use lossgraph_losses::{Distance, Pairs, Parts, Reduction, Triplets};
use serde_json::Value;

use super::super::case::{Inputs, Reply};

/// All pairs of a case, or those that it lists.
pub fn pairs<'t>(x: &Inputs<'t>) -> Pairs<'t> {
    match mined(x) {
        Some(Mined::Pairs { positive, negative }) => {
            Pairs::listed(x.var("embeddings"), references(x), &positive, &negative)
        }
        Some(Mined::Triplets(_)) => triplets(x).pairs(),
        None => labeled(x),
    }
}

/// All pairs of a case, by its labels.
pub fn labeled<'t>(x: &Inputs<'t>) -> Pairs<'t> {
    let (embeddings, labels) = (x.var("embeddings"), x.var("labels"));
    match x.maybe("ref_emb") {
        None => Pairs::of(embeddings, labels),
        Some(references) => {
            let of_references = x.maybe("ref_labels").unwrap_or(labels);
            Pairs::with_references(embeddings, labels, references, of_references)
        }
    }
}

/// All triplets of a case, or those that it lists.
pub fn triplets<'t>(x: &Inputs<'t>) -> Triplets<'t> {
    match mined(x) {
        Some(Mined::Triplets(indices)) => {
            Triplets::listed(x.var("embeddings"), references(x), indices)
        }
        _ => Triplets::of(pairs(x)),
    }
}

fn references<'t>(x: &Inputs<'t>) -> Var<'t> {
    x.maybe("ref_emb").unwrap_or_else(|| x.var("embeddings"))
}

enum Mined {
    Triplets(Vec<[usize; 3]>),
    Pairs { positive: Vec<[usize; 2]>, negative: Vec<[usize; 2]> },
}

fn mined(x: &Inputs<'_>) -> Option<Mined> {
    let indices = |name: &str| -> Option<Vec<usize>> {
        let data = x.maybe(name)?.data()?;
        Some(data.to_f64s().into_iter().map(|index| index as usize).collect())
    };
    let pairs = |a: &str, b: &str| -> Option<Vec<[usize; 2]>> {
        Some(indices(a)?.into_iter().zip(indices(b)?).map(|(a, b)| [a, b]).collect())
    };
    if let Some(anchors) = indices("anchors") {
        let others = pairs("positives", "negatives")?;
        let triplets = anchors.into_iter().zip(others).map(|(a, [p, n])| [a, p, n]);
        return Some(Mined::Triplets(triplets.collect()));
    }
    let positive = pairs("anchors1", "positives")?;
    Some(Mined::Pairs { positive, negative: pairs("anchors2", "negatives")? })
}

/// The distance of a case, or `default` if it names none.
pub fn distance(x: &Inputs<'_>, default: Distance) -> Distance {
    let Some(named) = x.option("distance") else { return default };
    let number = |name: &str, default: f64| named[name].as_f64().unwrap_or(default);
    let normalize = named["normalize_embeddings"] != Value::Bool(false);
    match named["type"].as_str() {
        Some("CosineSimilarity") => Distance::CosineSimilarity,
        Some("DotProductSimilarity") if normalize => Distance::CosineSimilarity,
        Some("DotProductSimilarity") => Distance::DotProduct,
        Some("SNRDistance") => Distance::Snr,
        _ => {
            let p = if named["p"] == "Infinity" { f64::INFINITY } else { number("p", 2.0) };
            Distance::Norm { p, power: number("power", 1.0), normalize }
        }
    }
}

/// The parts as the option `reducer` has them.
pub fn reduced<'t>(x: &Inputs<'t>, parts: impl Into<Parts<'t>>) -> Reply<'t> {
    let reducer = match x.option("reducer").and_then(|reducer| reducer["type"].as_str()) {
        None | Some("MeanReducer") => Reduction::MeanOrZero,
        Some("AvgNonZeroReducer") => Reduction::NonZeroMean,
        Some("SumReducer") => Reduction::Sum,
        Some("DivisorReducer") => Reduction::Divisor,
        Some(other) => {
            return x.tape().fault(Fault::new("reducer", format!("there is no {other}"))).into();
        }
    };
    parts.into().reduce(reducer).into()
}
