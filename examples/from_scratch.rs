//! Reverse mode from scratch, in about a hundred lines of plain Rust and without our crates: a
//! tape of numbers, the sweep back along it, a check against finite differences, and a small
//! network that learns the exclusive or.
//!
//! The idea: while a formula is computed, write down for each operation which numbers it read and
//! how fast its result changes with each of them. Then the chain rule is one loop over what was
//! written down, from the last line to the first.

use std::cell::RefCell;
use std::ops::{Add, Mul, Sub};

/// One operation: up to two inputs, each with the slope of the result in it. Unused inputs have
/// slope 0.
#[derive(Clone, Copy)]
struct Line {
    inputs: [usize; 2],
    slopes: [f64; 2],
}

/// The operations in the order in which they were computed.
#[derive(Default)]
struct Tape(RefCell<Vec<Line>>);

/// A number, and the line of the tape that computed it.
#[derive(Clone, Copy)]
struct Num<'t> {
    tape: &'t Tape,
    line: usize,
    value: f64,
}

impl Tape {
    /// Writes a line down.
    fn write(&self, value: f64, inputs: [usize; 2], slopes: [f64; 2]) -> Num<'_> {
        let mut lines = self.0.borrow_mut();
        lines.push(Line { inputs, slopes });
        Num { tape: self, line: lines.len() - 1, value }
    }

    /// A number from outside: nothing lies before it.
    fn num(&self, value: f64) -> Num<'_> {
        self.write(value, [0, 0], [0.0, 0.0])
    }
}

impl<'t> Num<'t> {
    /// An operation of one input.
    fn map(self, value: f64, slope: f64) -> Num<'t> {
        self.tape.write(value, [self.line, 0], [slope, 0.0])
    }

    /// The hyperbolic tangent `y`; slope `1 − y²`.
    fn tanh(self) -> Num<'t> {
        let y = self.value.tanh();
        self.map(y, 1.0 - y * y)
    }

    /// The slope of this number in every number of the tape, by line.
    ///
    /// A line reads only lines above it. So when the sweep from below comes to a line, all that
    /// read it have been visited, and its gradient is complete. Each line is visited once: the
    /// gradient in all inputs costs about as much as the value.
    fn gradient(self) -> Vec<f64> {
        let lines = self.tape.0.borrow();
        let mut gradient = vec![0.0; lines.len()];
        gradient[self.line] = 1.0;
        for (at, line) in lines.iter().enumerate().take(self.line + 1).rev() {
            for (input, slope) in line.inputs.into_iter().zip(line.slopes) {
                // Added, not set: a number that is read twice counts through both readers.
                gradient[input] += slope * gradient[at];
            }
        }
        gradient
    }
}

impl<'t> Add for Num<'t> {
    type Output = Num<'t>;
    fn add(self, b: Num<'t>) -> Num<'t> {
        self.tape.write(self.value + b.value, [self.line, b.line], [1.0, 1.0])
    }
}

impl<'t> Sub for Num<'t> {
    type Output = Num<'t>;
    fn sub(self, b: Num<'t>) -> Num<'t> {
        self.tape.write(self.value - b.value, [self.line, b.line], [1.0, -1.0])
    }
}

impl<'t> Mul for Num<'t> {
    type Output = Num<'t>;
    fn mul(self, b: Num<'t>) -> Num<'t> {
        self.tape.write(self.value * b.value, [self.line, b.line], [b.value, self.value])
    }
}

/// Two inputs, three hidden units with `tanh`, one output: three weights and a bias for each
/// unit, then one output weight for each, then the output's bias.
const HIDDEN: usize = 3;
const WEIGHTS: usize = HIDDEN * 4 + 1;

fn network<'t>(w: &[Num<'t>], a: Num<'t>, b: Num<'t>) -> Num<'t> {
    (0..HIDDEN).fold(w[WEIGHTS - 1], |sum, unit| {
        let w = &w[unit * 4..];
        sum + w[3] * (w[0] * a + w[1] * b + w[2]).tanh()
    })
}

/// The sum of squared errors over the four rows of the exclusive or.
fn loss<'t>(tape: &'t Tape, w: &[Num<'t>]) -> Num<'t> {
    let rows = [[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]];
    rows.into_iter().fold(tape.num(0.0), |sum, row| {
        let [a, b, target] = row.map(|x| tape.num(x));
        let error = network(w, a, b) - target;
        sum + error * error
    })
}

/// Value and gradient of the loss at some weights.
fn value_and_gradient(weights: &[f64]) -> (f64, Vec<f64>) {
    let tape = Tape::default();
    let w: Vec<Num<'_>> = weights.iter().map(|&weight| tape.num(weight)).collect();
    let loss = loss(&tape, &w);
    let gradient = loss.gradient();
    (loss.value, w.iter().map(|w| gradient[w.line]).collect())
}

fn main() {
    let mut weights: Vec<f64> = (0..WEIGHTS).map(|i| (1.7 * i as f64 + 0.4).sin()).collect();

    // Is the gradient right? A central difference has an error of order h², here about 1e-10.
    let (_, gradient) = value_and_gradient(&weights);
    let mut worst = 0.0_f64;
    for i in 0..WEIGHTS {
        const H: f64 = 1e-5;
        let moved = |by: f64| {
            let mut weights = weights.clone();
            weights[i] += by;
            value_and_gradient(&weights).0
        };
        worst = worst.max((gradient[i] - (moved(H) - moved(-H)) / (2.0 * H)).abs());
    }
    println!("largest difference from finite differences: {worst:.1e}");
    assert!(worst < 1e-8);

    // Then going down it makes the loss smaller.
    for step in 0..=500 {
        let (loss, gradient) = value_and_gradient(&weights);
        if step % 100 == 0 {
            println!("step {step:>3}  loss {loss:.6}");
        }
        weights.iter_mut().zip(gradient).for_each(|(w, g)| *w -= 0.05 * g);
    }
    let tape = Tape::default();
    let w: Vec<Num<'_>> = weights.iter().map(|&weight| tape.num(weight)).collect();
    for [a, b] in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] {
        println!("{a} xor {b} is {:.3}", network(&w, tape.num(a), tape.num(b)).value);
    }
    assert!(value_and_gradient(&weights).0 < 1e-3);
}
