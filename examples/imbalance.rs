//! Rare classes that overlap with frequent ones. Of the upper parts of Fashion-MNIST, T-shirts,
//! pullovers and dresses are frequent; coats, which look like pullovers, and shirts, which look like
//! T-shirts, are rare: ten of each. Five ways to train the same net in equally many steps of equally
//! large batches:
//!
//! - plain: as if nothing were the matter;
//! - weights: a weight for each class in the cross entropy, the inverse of how often it comes;
//! - focal: less weight for what is recognized already;
//! - balanced: batches with as many examples of each class, from circular buffers;
//! - fine-tuned: balanced, and at the end a fifth of the steps on batches as the data come.
//!
//! Prints the recall of the frequent and of the rare classes on pictures that were not trained on, its
//! mean over classes, and what share of pictures is recognized where classes come as often as in
//! training, with the cross entropy there. In the mean over three models, with seeds from 0 on.
//!
//! ```console
//! $ cargo run --release --example imbalance
//!             frequent     rare     mean   as they come  cross entropy
//! plain         91.1 %    0.7 %   54.9 %         85.5 %          0.510
//! weights       89.2 %   23.0 %   62.7 %         85.1 %          0.529
//! focal         90.3 %    3.8 %   55.7 %         84.9 %          0.556
//! balanced      89.2 %   19.8 %   61.5 %         84.9 %          0.517
//! fine-tuned    90.8 %    6.7 %   57.1 %         85.5 %          0.537
//! ```
//!
//! Weights and balanced batches find more of the rare, and give up some of the frequent for it.
//! Fine-tuning gives these back with most of the rare. The notes call balanced batches with fine-tuning
//! better than weights; here they are not.

use lossgraph::data::{Dataset, fashion_mnist_2000};
use lossgraph::prelude::*;

const RATE: f64 = 1e-3;
/// T-shirt, pullover, dress; coat and shirt.
const CLOTHES: [usize; 5] = [0, 2, 3, 4, 6];
const FREQUENT: usize = 3;
const RARE: usize = 10;
const PER_CLASS: usize = 8;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Plain,
    Weights,
    Focal,
    Balanced,
    FineTuned,
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let (models, steps) = if short { (1, 60) } else { (3, 200) };
    let (train, test) = clothes()?.split(0.5, 0)?;
    let train = with_rare_classes(&train)?;
    let share = |class| train.labels().iter().filter(|&&c| c == class).count() as f64;
    let shares = [0, 1, 2, 3, 4].map(|class| share(class) / train.len() as f64);
    println!("            frequent     rare     mean   as they come  cross entropy");
    for (name, method) in [
        ("plain", Method::Plain),
        ("weights", Method::Weights),
        ("focal", Method::Focal),
        ("balanced", Method::Balanced),
        ("fine-tuned", Method::FineTuned),
    ] {
        let (mut recall, mut nats) = ([0.0; 5], 0.0);
        for seed in 0..models {
            let model = trained(method, &train, steps, seed)?;
            let tape = Tape::new();
            let scores = model.forward(tape.constant(test.inputs()));
            let of_model = ConfusionMatrix::new(&scores.value()?, test.labels())?.recall();
            recall.iter_mut().zip(of_model).for_each(|(sum, x)| *sum += x / models as f64);
            // Examples weighted so that classes come as often as in training.
            let weight = Some(tape.constant(&shares[..]));
            let loss = CrossEntropy { weight, ..CrossEntropy::default() };
            let loss = loss.forward(scores, tape.constant(test.targets())).mean().item()?;
            nats += loss / models as f64;
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let as_they_come = recall.iter().zip(shares).map(|(recall, share)| recall * share).sum();
        let [frequent, rare, mean, known] =
            [mean(&recall[..FREQUENT]), mean(&recall[FREQUENT..]), mean(&recall), as_they_come]
                .map(|share| 100.0 * share);
        println!(
            "{name:<11} {frequent:6.1} % {rare:6.1} % {mean:6.1} % {known:12.1} % {nats:14.3}"
        );
    }
    Ok(())
}

/// The upper parts of the 2,000 pictures, as rows of pixels with labels from 0 to 4.
fn clothes() -> Result<Dataset> {
    let all = fashion_mnist_2000()?;
    let class = |label| CLOTHES.iter().position(|&class| class == label);
    let kept = |index: &usize| class(all.labels()[*index]).is_some();
    let upper = all.select(&(0..all.len()).filter(kept).collect::<Vec<usize>>())?;
    let labels = upper.labels().iter().filter_map(|&label| class(label)).collect();
    let pixels = upper.inputs().reshape([upper.len(), 28 * 28])?;
    Ok(Dataset::new(pixels, labels, CLOTHES.len())?)
}

/// All examples of the frequent classes, and the first few of each rare one.
fn with_rare_classes(data: &Dataset) -> Result<Dataset> {
    let mut seen = [0; CLOTHES.len()];
    let mut kept = Vec::new();
    for (index, &class) in data.labels().iter().enumerate() {
        seen[class] += 1;
        if class < FREQUENT || seen[class] <= RARE {
            kept.push(index);
        }
    }
    Ok(data.select(&kept)?)
}

fn trained(method: Method, data: &Dataset, steps: usize, seed: u64) -> Result<Mlp> {
    let model = Mlp::new(&[28 * 28, 64, CLOTHES.len()], &mut lossgraph::rng(seed))?;
    let mut optimizer = AdamW { lr: RATE, ..AdamW::default() }.over(&model)?;
    let size = PER_CLASS * data.classes();
    let mut as_they_come = (0..).flat_map(|epoch| data.batches(size, seed, epoch)).flatten();
    let mut balanced = data.balanced(PER_CLASS, seed)?;
    for step in 0..steps {
        let fine_tuning = method == Method::FineTuned && step >= steps * 4 / 5;
        if fine_tuning {
            optimizer.set_lr(RATE / 10.0)?;
        }
        let batch = match method {
            Method::Balanced | Method::FineTuned if !fine_tuning => balanced.next(),
            _ => as_they_come.next(),
        };
        let batch = batch.ok_or("batches do not end")?;
        let tape = Tape::new();
        let scores = model.forward_train(tape.constant(batch.inputs));
        let labels = tape.constant(batch.labels);
        let loss = match method {
            Method::Focal => softmax_focal(scores, labels, 2.0),
            Method::Weights => {
                let weight = Some(tape.constant(weights(data)));
                CrossEntropy { weight, ..CrossEntropy::default() }.forward(scores, labels)
            }
            _ => cross_entropy(scores, labels),
        };
        optimizer.step(&loss.mean().backward()?)?;
    }
    Ok(model)
}

/// One weight a class: the inverse of how often it comes, 1 for a class of mean size.
fn weights(data: &Dataset) -> Vec<f64> {
    let count = |class| data.labels().iter().filter(|&&label| label == class).count() as f64;
    let mean = data.len() as f64 / data.classes() as f64;
    (0..data.classes()).map(|class| mean / count(class)).collect()
}
