//! Losses: value, and gradients of the prediction.

use lossgraph_losses::{
    Ctc, bce_with_logits, cosine_embedding as cosine, cross_entropy as softmax_entropy,
    kl_div as kl, linear_cross_entropy as blockwise, mse as squared, smooth_l1 as smooth,
    triplet_margin,
};
use lossgraph_tensor::Tensor;

use crate::data;
use crate::harness::Case;
use crate::op::{gradient_case, labels, tensor, uniform};

const MANY: usize = 1_000_000;
const PAIRS: [usize; 2] = [4096, 256];

pub fn mse(n: usize) -> Case {
    let target = uniform(2, [n], 3.0);
    gradient_case([uniform(1, [n], 3.0)], move |[p]| {
        squared(p, p.tape().constant(target.clone())).mean()
    })
}

pub fn smooth_l1() -> Case {
    let target = uniform(2, [MANY], 3.0);
    gradient_case([uniform(1, [MANY], 3.0)], move |[p]| {
        smooth(p, p.tape().constant(target.clone()), 1.0).mean()
    })
}

/// Class numbers below 2 as the floats `zero` and `one`.
fn signs(seed: u32, n: usize, [zero, one]: [f32; 2]) -> Tensor {
    let labels = data::labels(seed, n, 2);
    tensor([n], labels.into_iter().map(|label| [zero, one][label]).collect())
}

pub fn bce_logits() -> Case {
    let target = signs(2, MANY, [0.0, 1.0]);
    gradient_case([uniform(1, [MANY], 3.0)], move |[p]| {
        bce_with_logits(p, p.tape().constant(target.clone())).mean()
    })
}

pub fn cross_entropy(rows: usize, classes: usize) -> Case {
    let labels = labels(2, rows, classes as u32);
    gradient_case([uniform(1, [rows, classes], 4.0)], move |[logits]| {
        softmax_entropy(logits, logits.tape().constant(labels.clone())).mean()
    })
}

pub fn triplet() -> Case {
    let inputs = [1, 2, 3].map(|seed| uniform(seed, PAIRS, 1.0));
    gradient_case(inputs, |[a, p, n]| triplet_margin(a, p, n, 1.0).mean())
}

pub fn cosine_embedding() -> Case {
    let target = signs(3, PAIRS[0], [-1.0, 1.0]);
    gradient_case([1, 2].map(|seed| uniform(seed, PAIRS, 1.0)), move |[a, b]| {
        cosine(a, b, a.tape().constant(target.clone()), 0.0).mean()
    })
}

pub fn kl_div() -> Case {
    let logs = |seed| data::log_softmax(&data::uniform(seed, 4096 * 1000, 2.0), 1000);
    let target: Vec<f32> = logs(2).into_iter().map(f32::exp).collect();
    let target = tensor([4096, 1000], target);
    gradient_case([tensor([4096, 1000], logs(1))], move |[p]| {
        kl(p, p.tape().constant(target.clone())).batch_mean()
    })
}

/// The last layer and its cross-entropy: 512 rows of 256 features, 50,000 classes.
pub fn linear_cross_entropy() -> Case {
    let labels = labels(2, 512, 50_000);
    let inputs = [uniform(1, [512, 256], 1.0), uniform(3, [50_000, 256], 0.1)];
    gradient_case(inputs, move |[features, matrix]| {
        blockwise(features, matrix, features.tape().constant(labels.clone())).mean()
    })
}

/// CTC from logits: 150 frames, 16 targets of 40 labels, 64 classes.
pub fn ctc() -> Case {
    let [frames, batch, labels, classes] = [150, 16, 40, 64];
    let targets: Vec<i64> = data::labels(2, batch * labels, classes as u32 - 1)
        .into_iter()
        .map(|label| label as i64 + 1)
        .collect();
    let targets = Tensor::new([batch, labels], targets).expect("as many as the shape says");
    let lengths = |length: usize| Tensor::from(vec![length as i64; batch]);
    let data = [targets, lengths(frames), lengths(labels)];
    gradient_case([uniform(1, [frames, batch, classes], 4.0)], move |[logits]| {
        let [targets, inputs, counts] = data.clone().map(|data| logits.tape().constant(data));
        Ctc::default().of_logits(logits, targets, inputs, counts).mean()
    })
}
