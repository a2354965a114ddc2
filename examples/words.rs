//! A word model with two heads: cross entropy over all words of the vocabulary, and the adaptive
//! softmax, which has a short list of frequent words and two clusters of rarer ones, with narrower
//! features.
//!
//! The text is drawn from a source that is known, so that the least perplexity there can be is known,
//! too: how often a word comes falls with its rank, as in real texts (Zipf), and half of the time the
//! word before decides: it has two favorite successors.
//!
//! Prints for each head its parameters, the milliseconds of a training step, the memory of its buffers,
//! and the perplexity on other text of the source, all after 100 steps with seed 0.
//!
//! Expect a step of the adaptive softmax in a third of the time or less, and no higher a perplexity.
//! Memory is another matter: how many words fall into a cluster differs from batch to batch, and each
//! number has a plan with buffers of its own, which are kept.
//!
//! ```console
//! $ cargo run --release --example words
//!                  parameters    ms a step  MiB of buffers  perplexity
//! cross entropy       1294160         68.7            14.9         371
//! adaptive             863360         16.3            15.3         334
//! the source itself                                               94
//! ```

use std::time::Instant;

use lossgraph::nn::Embedding;
use lossgraph::plans;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const WORDS: usize = 10_000;
const FEATURES: usize = 64;
const CUTOFFS: [usize; 2] = [500, 2_500];
const BATCH: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Gives the scores of all words, or looks at frequent words first.
enum Head {
    Softmax(Linear),
    Adaptive(ClassClusters),
}

impl Module for Head {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        match self {
            Head::Softmax(linear) => linear.children(),
            Head::Adaptive(clusters) => clusters.children(),
        }
    }
}

struct Model {
    words: Embedding,
    hidden: Linear,
    head: Head,
}

module!(Model { words, hidden, head });

impl Model {
    fn new(is_adaptive: Adaptive, rng: &mut lossgraph::ChaCha8Rng) -> Result<Model> {
        Ok(Model {
            words: Embedding::new(WORDS, FEATURES, rng)?,
            hidden: Linear::new(FEATURES, FEATURES, rng)?,
            head: match is_adaptive {
                Adaptive::No => Head::Softmax(Linear::new(FEATURES, WORDS, rng)?),
                Adaptive::Yes => {
                    Head::Adaptive(ClassClusters::new(FEATURES, WORDS, &CUTOFFS, 2.0, rng)?)
                }
            },
        })
    }

    /// The negative log-likelihood of the next word, for each word, in nats.
    fn loss<'t>(&self, word: Var<'t>, next: Var<'t>) -> Terms<'t> {
        let features = self.hidden.forward(self.words.forward(word)).relu();
        match &self.head {
            Head::Softmax(linear) => cross_entropy(linear.forward(features), next),
            Head::Adaptive(clusters) => clusters.on(features.tape()).forward(features, next),
        }
    }
}

#[derive(Clone, Copy)]
enum Adaptive {
    No,
    Yes,
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let steps = if short { 5 } else { 100 };
    let source = Source::new();
    let train = source.text(steps * BATCH + 1, 1)?;
    let test = source.text(4 * BATCH + 1, 2)?;
    println!("                 parameters    ms a step  MiB of buffers  perplexity");
    for (name, adaptive) in [("cross entropy", Adaptive::No), ("adaptive", Adaptive::Yes)] {
        let model = Model::new(adaptive, &mut lossgraph::rng(SEED))?;
        let mut optimizer = Adam { lr: 1e-2, ..Adam::default() }.over(&model)?;
        plans::clear();
        let start = Instant::now();
        for (word, next) in batches(&train)? {
            let tape = Tape::new();
            let loss = model.loss(tape.constant(word), tape.constant(next)).mean();
            optimizer.step(&loss.backward()?)?;
        }
        let milliseconds = 1e3 * start.elapsed().as_secs_f64() / steps as f64;
        let mebibytes = plans::allocated() as f64 / f64::from(1 << 20);
        let perplexity = perplexity(&test, |word, next| {
            let tape = Tape::new();
            Ok(model.loss(tape.constant(word), tape.constant(next)).mean().item()?)
        })?;
        println!(
            "{name:<14} {:12}  {milliseconds:11.1}  {mebibytes:14.1}  {perplexity:10.0}",
            model.num_parameters()
        );
    }
    println!(
        "the source itself {:48.0}",
        perplexity(&test, |word, next| source.nats(&word, &next))?
    );
    Ok(())
}

/// Words, and the words that follow them.
fn batches(text: &[i64]) -> Result<Vec<(Tensor, Tensor)>> {
    let starts = (0..text.len() - 1).step_by(BATCH);
    Ok(starts.map(|at| (text[at..at + BATCH].into(), text[at + 1..=at + BATCH].into())).collect())
}

fn perplexity(text: &[i64], nats: impl Fn(Tensor, Tensor) -> Result<f64>) -> Result<f64> {
    let all: Vec<f64> =
        batches(text)?.into_iter().map(|(word, next)| nats(word, next)).collect::<Result<_>>()?;
    Ok((all.iter().sum::<f64>() / all.len() as f64).exp())
}

/// Half of the time one of two favorites of the word before, otherwise any word.
struct Source {
    /// The probability of all words up to each, by rank.
    up_to: Vec<f64>,
    favorites: Vec<[usize; 2]>,
}

impl Source {
    fn new() -> Source {
        let weights: Vec<f64> = (0..WORDS).map(|rank| 1.0 / (rank as f64 + 2.7)).collect();
        let (total, mut sum) = (weights.iter().sum::<f64>(), 0.0);
        let up_to = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        let mut source = Source { up_to: up_to.collect(), favorites: Vec::new() };
        let mut rng = lossgraph::rng(0);
        source.favorites = (0..WORDS).map(|_| [(); 2].map(|()| source.any(&mut rng))).collect();
        source
    }

    fn any(&self, rng: &mut lossgraph::ChaCha8Rng) -> usize {
        let at: f64 = rng.random();
        self.up_to.partition_point(|&up_to| up_to <= at).min(WORDS - 1)
    }

    fn text(&self, length: usize, seed: u64) -> Result<Vec<i64>> {
        let mut rng = lossgraph::rng(seed);
        let mut words = vec![self.any(&mut rng)];
        while words.len() < length {
            let favorites = self.favorites[words[words.len() - 1]];
            words.push(match rng.random_bool(0.5) {
                true => favorites[rng.random_range(0..2)],
                false => self.any(&mut rng),
            });
        }
        Ok(words.into_iter().map(|word| word as i64).collect())
    }

    /// The mean of `−ln p(next | word)` by the source's own probabilities.
    fn nats(&self, words: &Tensor, next: &Tensor) -> Result<f64> {
        let pairs = words.to_vec::<i64>()?.into_iter().zip(next.to_vec::<i64>()?);
        let nats = pairs.map(|(word, next)| {
            let (word, next) = (word as usize, next as usize);
            let before = next.checked_sub(1).map_or(0.0, |before| self.up_to[before]);
            let hits = self.favorites[word].iter().filter(|&&favorite| favorite == next).count();
            -(0.5 * (self.up_to[next] - before) + 0.25 * hits as f64).ln()
        });
        Ok(nats.sum::<f64>() / words.len() as f64)
    }
}
