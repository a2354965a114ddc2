//! What gates are for: numbers pass one by one, two of them are marked, and at the end their sum is
//! asked for. A plain recurrent net forgets the first before it has seen the second; a GRU keeps it.
//!
//! Both have a state of 32 numbers, and see equally many sequences of 50 steps, drawn anew each time.
//! Prints the squared error on 512 other ones, with seed 0. To answer 1, the mean, has error 1/6: the
//! plain net never does better, and the GRU is 280 times as good.
//!
//! ```console
//! $ cargo run --release --example gru
//! step        RNN        GRU
//!    0     0.9873     1.4123
//!  300     0.1634     0.1556
//!  600     0.1631     0.0052
//!  900     0.1630     0.0018
//! 1200     0.1638     0.0008
//! 1500     0.1630     0.0006
//! ```
//!
//! Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, the adding problem.

use lossgraph::nn::{Gru, Rnn};
use lossgraph::prelude::*;

const SEED: u64 = 0;
const HIDDEN: usize = 32;
const BATCH: usize = 32;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Reads a sequence, and answers with a number made of its last state.
struct Reader<R> {
    recurrent: R,
    answer: Linear,
}

impl<R: Layer> Module for Reader<R> {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        vec![("recurrent".to_owned(), &self.recurrent), ("answer".to_owned(), &self.answer)]
    }
}

impl<R: Layer> Layer for Reader<R> {
    /// From `[batch, time, 2]` to `[batch, 1]`.
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        let last = self.recurrent.record(x, mode).index(1, -1);
        self.answer.record(last, mode)
    }
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let (time, steps) = if short { (20, 300) } else { (50, 1500) };
    let rng = &mut lossgraph::rng(SEED);
    let answer = || Linear::new(HIDDEN, 1, &mut lossgraph::rng(SEED));
    let rnn = Reader { recurrent: Rnn::new(2, HIDDEN, rng)?, answer: answer()? };
    let gru = Reader { recurrent: Gru::new(2, HIDDEN, rng)?, answer: answer()? };
    println!("step        RNN        GRU");
    let (mut of_rnn, mut of_gru) = (Training::new(&rnn, time)?, Training::new(&gru, time)?);
    for step in 0..=steps {
        if step % (steps / 5) == 0 {
            println!("{step:4}  {:9.4}  {:9.4}", of_rnn.error()?, of_gru.error()?);
        }
        of_rnn.step(step)?;
        of_gru.step(step)?;
    }
    Ok(())
}

struct Training<'m, M> {
    model: &'m M,
    time: usize,
    optimizer: Optimizer<Adam>,
}

impl<'m, M: Layer> Training<'m, M> {
    fn new(model: &'m M, time: usize) -> Result<Training<'m, M>> {
        let optimizer = Adam { lr: 3e-3, ..Adam::default() }.over(model)?;
        Ok(Training { model, time, optimizer })
    }

    fn step(&mut self, step: u64) -> Result<()> {
        let (sequences, sums) = drawn(BATCH, self.time, 1 + step)?;
        let tape = Tape::new();
        let answers = self.model.forward_train(tape.constant(sequences));
        let mut gradients = mse(answers, tape.constant(sums)).mean().backward()?;
        // Through many steps a gradient may be huge at times.
        clip_grad_norm(&mut gradients, 1.0, 2.0)?;
        Ok(self.optimizer.step(&gradients)?)
    }

    fn error(&self) -> Result<f64> {
        let (sequences, sums) = drawn(512, self.time, 0)?;
        let tape = Tape::new();
        Ok(mse(self.model.forward(tape.constant(sequences)), tape.constant(sums)).mean().item()?)
    }
}

/// Sequences `[count, time, 2]` of numbers from 0 to 1 with a mark, 0 or 1, and the sums of those that
/// are marked: one in each half.
fn drawn(count: usize, time: usize, seed: u64) -> Result<(Tensor, Tensor)> {
    let mut rng = lossgraph::rng(seed);
    let (mut sequences, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let marked = [rng.random_range(0..time / 2), rng.random_range(time / 2..time)];
        let numbers: Vec<f32> = (0..time).map(|_| rng.random()).collect();
        sums.push(numbers[marked[0]] + numbers[marked[1]]);
        for (at, number) in numbers.into_iter().enumerate() {
            sequences.extend([number, f32::from(u8::from(marked.contains(&at)))]);
        }
    }
    Ok((Tensor::new([count, time, 2], sequences)?, Tensor::new([count, 1], sums)?))
}
