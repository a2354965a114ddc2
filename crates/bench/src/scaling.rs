//! How the cost of a node grows with the program: `lossgraph-bench scaling`.

use std::hint::black_box;
use std::time::Instant;

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_explain::{Graph, page};
use lossgraph_tensor::{DType, Tensor};

/// The nodes recorded, before gradients.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// The nodes of graphs and pages: for looking, not for every step.
const SHOWN: [usize; 2] = [1_000, 10_000];

/// How often each is timed.
const ROUNDS: usize = 3;

/// A program of about so many nodes, whose values have so many rows of 16 numbers.
type Program = for<'t> fn(&'t Tape, usize, usize) -> Var<'t>;

fn ones(tape: &Tape, rows: usize) -> Var<'_> {
    tape.variable(vec![1.0_f32; 16 * rows]).reshape([rows, 16])
}

/// Element-wise ops alone, of which all values are kept for the gradient.
fn chain(tape: &Tape, nodes: usize, rows: usize) -> Var<'_> {
    (0..nodes / 3).fold(ones(tape, rows), |y, _| y + (y * 1e-6).sin())
}

/// One operand of every op is the same.
fn maxima(tape: &Tape, nodes: usize, rows: usize) -> Var<'_> {
    let x = ones(tape, rows);
    (0..nodes).fold(x.sin(), |y, _| y.maximum(x))
}

/// A product, a sum and an activation for each step.
fn rnn(tape: &Tape, nodes: usize, rows: usize) -> Var<'_> {
    let w = Tensor::full([16, 16], 0.05, DType::F32).expect("a matrix of 16 × 16");
    let (x, w) = (ones(tape, rows), tape.variable(w));
    (0..nodes / 3).fold(x, |h, _| (h.matmul(w) + x).tanh())
}

/// A mean, and so a pass, for each step.
fn centerings(tape: &Tape, nodes: usize, rows: usize) -> Var<'_> {
    (0..nodes / 3).fold(ones(tape, rows), |x, _| x - x.mean(lossgraph_autograd::keep(..)))
}

/// As many parameters as there are steps, under a penalty.
fn penalty(tape: &Tape, nodes: usize, rows: usize) -> Var<'_> {
    let terms = (0..nodes / 3).map(|_| ones(tape, rows).square());
    terms.reduce(|sum, term| sum + term).unwrap_or_else(|| ones(tape, rows))
}

/// Nanoseconds of recording a program and of its gradients: the first time, and again.
fn step(program: Program, nodes: usize, rows: usize) -> Result<[f64; 2]> {
    let time = || -> Result<f64> {
        let start = Instant::now();
        let tape = Tape::new();
        let loss = program(&tape, nodes, rows).sum(..);
        black_box(loss.backward()?);
        Ok(start.elapsed().as_nanos() as f64)
    };
    Ok([time()?, time()?])
}

/// Nanoseconds of a graph with all values and gradients, and of a page from nothing.
fn views(program: Program, nodes: usize) -> Result<[f64; 2]> {
    let tape = Tape::f64();
    let loss = program(&tape, nodes, 1).sum(..);
    let start = Instant::now();
    black_box(Graph::of(loss)?);
    let graph = start.elapsed();
    let start = Instant::now();
    black_box(page(&tape, loss).to_html()?);
    Ok([graph, start.elapsed()].map(|time| time.as_nanos() as f64))
}

/// A row of the table: the cost of a node by size, and the ratio of the largest to the smallest.
fn row(label: &str, times: &[f64], sizes: &[usize]) {
    let costs: Vec<f64> = times.iter().zip(sizes).map(|(time, &n)| time / n as f64).collect();
    let columns: Vec<String> = costs.iter().map(|cost| format!("{cost:>12.0}")).collect();
    let ratio = costs.last().unwrap_or(&f64::NAN) / costs.first().unwrap_or(&f64::NAN);
    let columns = format!("{:<38}", columns.join(" "));
    println!("{label:<44} {columns}   largest / smallest {ratio:.2}");
}

/// Prints the cost of a node, for small programs and for large ones, and how the one is to the other.
pub fn print() -> Result<()> {
    let programs: [(&str, Program); 5] = [
        ("a chain of element-wise ops", chain),
        ("a recurrent network", rnn),
        ("centerings, each a pass", centerings),
        ("a penalty, a leaf a term", penalty),
        ("maxima with one operand", maxima),
    ];
    let sizes: Vec<String> = SIZES.iter().map(|n| format!("{n:>12}")).collect();
    println!("{:<44} {} nodes", "nanoseconds a node", sizes.join(" "));
    for (name, program) in programs {
        // A program of another shape has another plan, so that each round has a first time.
        let rounds = |nodes: usize| {
            (1..=ROUNDS).try_fold([f64::INFINITY; 2], |[first, again], rows| {
                let times = step(program, nodes, rows)?;
                Ok([first.min(times[0]), again.min(times[1])])
            })
        };
        let times: Vec<[f64; 2]> = SIZES.into_iter().map(rounds).collect::<Result<_>>()?;
        for (at, what) in ["first step", "repeated step"].into_iter().enumerate() {
            let times: Vec<f64> = times.iter().map(|times| times[at]).collect();
            row(&format!("{name}: {what}"), &times, &SIZES);
        }
    }
    for (name, program) in &programs[..2] {
        let [few, many] = SHOWN.map(|nodes| views(*program, nodes));
        let (few, many) = (few?, many?);
        for (at, what) in ["graph", "page"].into_iter().enumerate() {
            row(&format!("{name}: {what}"), &[few[at], many[at]], &SHOWN);
        }
    }
    Ok(())
}
