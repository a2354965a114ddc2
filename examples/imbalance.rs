//! Rare classes: of the digits 0 to 4 all examples of the training part, of 5 to 9 only three each.
//! Compares training as if nothing were the matter with class weights in the loss, with batches that
//! hold equally many examples of every class, and with such batches followed by fine-tuning at the
//! true frequencies. All take equally many steps of equally large batches.
//!
//! Prints the recall of the frequent and of the rare digits on the test part, in the mean over five
//! models, and what share of digits they would recognize if they came as often as they do in training.
//!
//! Expect some 26 % of the rare digits without a remedy, and twice as many with class weights and
//! with balanced batches alike. The frequent digits lose nothing by either here, for digits can be
//! told apart. So there is nothing for fine-tuning to win back: it trades some of the rare digits in
//! for nothing. It is meant for classes that overlap, of which a balanced model overrates the rare.

use lossgraph::data::{Dataset, digits};
use lossgraph::prelude::*;

const SEEDS: u64 = 5;
const STEPS: usize = 600;
const RATE: f64 = 3e-3;
/// The last steps of those models that are fine-tuned, at a tenth of the rate.
const FINE_TUNING: usize = 100;
const PER_CLASS: usize = 3;
const RARE: usize = 3;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy)]
enum Method {
    Nothing,
    ClassWeights,
    Balanced,
    FineTuned,
}

fn main() -> Result<()> {
    let (train, test) = digits()?.split(0.2, 0)?;
    let train = with_rare_digits(&train)?;
    let share = |digit| train.labels().iter().filter(|&&d| d == digit).count() as f64;
    let shares: Vec<f64> = (0..10).map(|digit| share(digit) / train.len() as f64).collect();
    println!("                             recall 0–4  recall 5–9  of all digits");
    for (name, method) in [
        ("nothing", Method::Nothing),
        ("class weights", Method::ClassWeights),
        ("balanced batches", Method::Balanced),
        ("balanced, then fine-tuned", Method::FineTuned),
    ] {
        let mut recall = [0.0; 10];
        for seed in 0..SEEDS {
            let model = trained(method, &train, seed)?;
            let tape = Tape::new();
            let scores = model.forward(tape.constant(test.inputs())).value()?;
            let of_model = ConfusionMatrix::new(&scores, test.labels())?.recall();
            for (sum, recall) in recall.iter_mut().zip(of_model) {
                *sum += recall / SEEDS as f64;
            }
        }
        let mean = |digits: &[f64]| digits.iter().sum::<f64>() / digits.len() as f64;
        let known: f64 = recall.iter().zip(&shares).map(|(recall, share)| recall * share).sum();
        let [frequent, rare, known] =
            [mean(&recall[..5]), mean(&recall[5..]), known].map(|share| 100.0 * share);
        println!("{name:<28} {frequent:8.1} %  {rare:8.1} %  {known:11.1} %");
    }
    Ok(())
}

/// All examples of the digits 0 to 4, and the first few of each other digit.
fn with_rare_digits(data: &Dataset) -> Result<Dataset> {
    let mut seen = [0; 10];
    let mut kept = Vec::new();
    for (index, &digit) in data.labels().iter().enumerate() {
        seen[digit] += 1;
        if digit < 5 || seen[digit] <= RARE {
            kept.push(index);
        }
    }
    Ok(data.select(&kept)?)
}

fn trained(method: Method, data: &Dataset, seed: u64) -> Result<Mlp> {
    let model = Mlp::new(&[64, 64, 10], &mut lossgraph::rng(seed))?;
    let mut optimizer = AdamW { lr: RATE, ..AdamW::default() }.over(&model)?;
    let size = PER_CLASS * data.classes();
    let mut ordinary = (0..).flat_map(|epoch| data.batches(size, seed, epoch)).flatten();
    let mut balanced = data.balanced(PER_CLASS, seed)?;
    for step in 0..STEPS {
        let fine_tuning = matches!(method, Method::FineTuned) && step >= STEPS - FINE_TUNING;
        if fine_tuning {
            optimizer.set_lr(RATE / 10.0)?;
        }
        let batch = match method {
            Method::Balanced | Method::FineTuned if !fine_tuning => balanced.next(),
            _ => ordinary.next(),
        };
        let Some(batch) = batch else { break };
        let tape = Tape::new();
        let logits = model.forward_train(tape.constant(batch.inputs));
        let weight = match method {
            Method::ClassWeights => Some(tape.constant(weights(data))),
            _ => None,
        };
        let loss = CrossEntropy { weight, ..CrossEntropy::default() };
        let loss = loss.forward(logits, tape.constant(batch.labels)).mean();
        optimizer.step(&loss.backward()?)?;
    }
    Ok(model)
}

/// One weight a class: the inverse of how often it occurs, 1 for a class of mean size.
fn weights(data: &Dataset) -> Tensor {
    let count = |class| data.labels().iter().filter(|&&label| label == class).count() as f64;
    let mean = data.len() as f64 / data.classes() as f64;
    let weights: Vec<f64> = (0..data.classes()).map(|class| mean / count(class)).collect();
    Tensor::from(weights).to_dtype(DType::F32)
}
