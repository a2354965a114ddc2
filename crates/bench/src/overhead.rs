//! The overhead of a step, beside its arithmetic: `lossgraph-bench overhead`.

use std::hint::black_box;
use std::time::Instant;

use lossgraph_autograd::{Gradients, Parameter, Result, Tape, Var, keep};
use lossgraph_nn::{Sgd, UpdateRule};
use lossgraph_tensor::Tensor;

/// How often each is timed.
const ROUNDS: usize = 300;

/// The least of what `time` gives, in nanoseconds.
fn least(mut time: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..ROUNDS).try_fold(f64::INFINITY, |least, _| Ok(time()?.min(least)))
}

fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = Instant::now();
    let result = black_box(work());
    (result, start.elapsed().as_nanos() as f64)
}

/// Nanoseconds of evaluating a value of a tape that `record` has recorded so much on.
fn evaluating(
    tape: fn() -> Tape,
    record: fn(&Tape, usize) -> Var<'_>,
    count: usize,
) -> Result<f64> {
    least(|| {
        let tape = tape();
        let requested = record(&tape, count);
        let (value, time) = timed(|| requested.value());
        value.map(|_| time)
    })
}

/// What one more costs, from the times for few and for many.
fn each(time: impl Fn(usize) -> Result<f64>) -> Result<f64> {
    let [few, many] = [10, 1010];
    Ok((time(many)? - time(few)?) / (many - few) as f64)
}

/// So many additions to sixteen numbers.
fn additions(tape: &Tape, count: usize) -> Var<'_> {
    let step = tape.constant(vec![0.5_f32; 16]);
    (0..count).fold(tape.variable(vec![1.0_f32; 16]), |x, _| x + step)
}

/// So many additions that are dead code: the value recorded after them needs none.
fn dead_additions(tape: &Tape, count: usize) -> Var<'_> {
    let _ = additions(tape, count);
    tape.variable(vec![1.0_f32; 16]).exp()
}

/// Each centering needs a mean of its own, and so a pass of its own.
fn centerings(tape: &Tape, count: usize) -> Var<'_> {
    (0..count).fold(tape.variable(vec![1.0_f32; 16]), |x, _| x - x.mean(keep(..)))
}

fn products(tape: &Tape, count: usize) -> Var<'_> {
    let one = || Tensor::from([[1.0_f32]]);
    let factor = tape.constant(one());
    (0..count).fold(tape.variable(one()), |x, _| x.matmul(factor))
}

/// Nanoseconds of an optimizer's step over so many parameters of one element.
fn optimizing(count: usize) -> Result<f64> {
    let parameters: Vec<Parameter> = (0..count).map(|_| Parameter::new("p", [1.0_f32])).collect();
    let gradients = parameters.iter().map(|p| (p.clone(), Tensor::from([0.5_f32]))).collect();
    let gradients = Gradients::new(0.0, gradients);
    let mut sgd = Sgd::default().over_parameters(parameters).expect("valid options");
    least(|| Ok(timed(|| sgd.step(&gradients).expect("finite gradients")).1))
}

/// Prints least times of the parts of a step.
pub fn print() -> Result<()> {
    let recording = |count| {
        least(|| {
            let tape = Tape::new();
            Ok(timed(|| additions(&tape, count).number()).1)
        })
    };
    let lookup = each(|count| evaluating(Tape::new, dead_additions, count))?;
    // A centering records three nodes, which are looked up as well.
    let pass = each(|count| evaluating(Tape::new, centerings, count))? - 3.0 * lookup;
    let product = each(|count| evaluating(Tape::new, products, count))? - lookup;
    let unfused = || Tape::new().unfused();
    let parts = [
        ("recording a node", each(recording)?),
        ("looking up the plan of a node", lookup),
        ("a micro-op on 16 elements", each(|n| evaluating(Tape::new, additions, n))? - lookup),
        ("an unfused op", each(|n| evaluating(unfused, additions, n))? - lookup),
        ("a pass over 16 elements", pass),
        ("a product of 1 × 1 and 1 × 1", product),
        ("a parameter in an optimizer's step", each(optimizing)?),
    ];
    for (part, time) in parts {
        println!("{part:<40} {time:>7.1} ns");
    }
    Ok(())
}
