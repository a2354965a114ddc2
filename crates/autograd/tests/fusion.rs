//! Fused plans against the reference: random programs, their gradients of first and second order,
//! run fused and node by node, in both float types, on one, two and seven threads.

use std::fmt;

use lossgraph_autograd::{Tape, Var, concat, keep};
use lossgraph_tensor::{DType, Shape, Slice, Tensor, kernels::threads};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// One line of a program: an op, and which earlier values it takes.
#[derive(Clone, Copy, Debug)]
struct Line {
    op: u8,
    a: u8,
    b: u8,
    axis: u8,
}

/// A program on two leaves. It prints as Rust, to be pasted into a test.
#[derive(Clone)]
struct Program {
    shapes: [Vec<usize>; 2],
    lines: Vec<Line>,
}

const OPS: u8 = 30;

impl Line {
    /// Records the line, on values that are `Var`s; what does not fit its operands does nothing.
    fn record<'t>(self, values: &[Var<'t>]) -> Var<'t> {
        let pick = |n: u8| values[n as usize % values.len()];
        let (a, b) = (pick(self.a), pick(self.b));
        let axis = self.axis as usize % a.rank().max(1);
        let at = axis as isize;
        let fits = a.shape().broadcast(&b.shape()).is_some();
        let empty = a.len() == 0;
        match self.op % OPS {
            0 => a.tanh(),
            1 => a.sigmoid(),
            2 => a.tanh().exp(),
            3 => (a.square() + 1.0).ln(),
            4 => -a,
            5 => a * 0.37 - 0.2,
            // Off the kink by a number that cancels against nothing.
            6 => (a + 0.371_93).relu(),
            7 => (a * 1.3 + 0.277_31).abs(),
            8 => a / 3.0,
            9 if fits => a + b,
            10 if fits => a - b,
            11 if fits => a.tanh() * b,
            12 if fits => a / (b.square() + 1.5),
            13 if fits => a.gt(0.137_7).select(b, a * 0.5),
            14 if fits => (a * 1.01 + 0.3).maximum(b),
            15 if a.rank() > 0 => a.sum(at).tanh(),
            16 if a.rank() > 0 => a.mean(keep(at)),
            17 if a.rank() > 0 && !empty => (a + 0.1).max(keep(at)),
            18 if a.rank() > 0 && !empty => a.log_softmax(at),
            19 => a.mean(..) * 0.7,
            20 if a.rank() > 0 => a.flip(at),
            21 if a.rank() > 0 => a.slices(
                &(0..a.rank())
                    .map(|i| {
                        let len = a.shape()[i];
                        if i == axis {
                            Slice { start: 0, len: len.div_ceil(2), step: 2 }
                        } else {
                            Slice::all(len)
                        }
                    })
                    .map(|s| if s.len < 2 { Slice { step: 1, ..s } } else { s })
                    .collect::<Vec<_>>(),
            ),
            22 if a.rank() > 1 => a.transpose(0, -1),
            23 => a.flatten(),
            24 if a.rank() < 3 => a.unsqueeze(at),
            25 if a.rank() > 0 && !empty => {
                // One place a row, along the axis.
                let mut shape = a.shape().to_vec();
                let extent = shape[axis];
                shape[axis] = 1;
                let len = shape.iter().product::<usize>();
                let index = (0..len).map(|i| ((i * 7 + 3) % extent) as i64).collect();
                let index = a.tape().constant(Tensor::new(shape, index).unwrap());
                let chosen = a.gather(at, index);
                if self.b.is_multiple_of(2) {
                    chosen
                } else {
                    a.scatter_add(at, index, chosen.tanh())
                }
            }
            26 if a.rank() == 2 => a.matmul(a.transpose(0, 1)) * 0.1,
            27 if a.rank() > 0 => a.cumsum(at) * 0.5,
            28 if a.rank() > 0 => concat(&[a, a * 0.3], at),
            29 if a.shape() == b.shape() => (a * b).softplus(),
            _ => a,
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "leaves of shapes {:?}; then", self.shapes)?;
        let tape = Tape::f64();
        let mut values = self.leaves(&tape);
        for line in &self.lines {
            let before = tape.len();
            let value = line.record(&values);
            let made: Vec<String> = (before..tape.len())
                .filter_map(|id| tape.node(id))
                .map(|node| format!("%{} = {}{:?} {}", node.id, node.op, node.inputs, node.shape))
                .collect();
            writeln!(f, "  {}", made.join("; "))?;
            values.push(value);
        }
        Ok(())
    }
}

impl Program {
    fn leaves<'t>(&self, tape: &'t Tape) -> Vec<Var<'t>> {
        let leaf = |(k, shape): (usize, &Vec<usize>)| {
            let len = shape.iter().product::<usize>();
            let at = |i: usize| (i as f64 * 0.73 + k as f64 * 1.9 + 0.4).sin() * 1.7;
            tape.variable(Tensor::new(&shape[..], (0..len).map(at).collect()).unwrap())
        };
        self.shapes.iter().enumerate().map(leaf).collect()
    }

    /// All values, the gradients of a number made of the last ones, and those of a number made of
    /// these gradients.
    fn run(&self, tape: &Tape) -> Vec<Tensor> {
        let mut values = self.leaves(tape);
        for line in &self.lines {
            let value = line.record(&values);
            values.push(value);
        }
        let leaves = [values[0], values[1]];
        let number = |vars: &[Var<'_>], k: f64| {
            let each = vars.iter().map(|&v| {
                let w = (0..v.len()).map(|i| (i as f64 * 1.1 + k).cos()).collect();
                let w = tape.constant(Tensor::new(v.shape(), w).unwrap());
                tape.var((v * w).sum(..).number()).unwrap()
            });
            each.reduce(|a, b| a + b).unwrap()
        };
        let last = &values[values.len().saturating_sub(3)..];
        let first = tape.grad(number(last, 0.2), &leaves);
        let second = tape.grad(number(&first, 0.9), &leaves);
        let mut asked = last.to_vec();
        asked.extend(first);
        asked.extend(second);
        tape.eval(&asked).unwrap_or_else(|error| panic!("{error:?}"))
    }
}

fn shapes(sizes: &'static [&'static [usize]]) -> impl Strategy<Value = Vec<usize>> {
    (0..sizes.len()).prop_map(|i| sizes[i].to_vec())
}

fn programs(
    sizes: &'static [&'static [usize]],
    lines: std::ops::Range<usize>,
) -> impl Strategy<Value = Program> {
    let line = (0..OPS, any::<u8>(), any::<u8>(), any::<u8>());
    let line = line.prop_map(|(op, a, b, axis)| Line { op, a, b, axis });
    (shapes(sizes), shapes(sizes), prop::collection::vec(line, lines))
        .prop_map(|(x, y, lines)| Program { shapes: [x, y], lines })
}

const SMALL: &[&[usize]] = &[
    &[],
    &[1],
    &[3],
    &[4, 3],
    &[4, 1],
    &[1, 3],
    &[2, 4, 3],
    &[2, 1, 3],
    &[0],
    &[0, 3],
    &[5, 70],
    &[5, 1],
    &[70],
    &[3, 3],
];

const LARGE: &[&[usize]] = &[
    &[300, 257],
    &[300, 1],
    &[257],
    &[1100, 70],
    &[70],
    &[40, 30, 66],
    // Rows that run piece by piece.
    &[6, 9000],
    &[6, 1],
    &[9000],
];

fn agree(fused: &[Tensor], reference: &[Tensor], tolerance: f64) -> Result<(), TestCaseError> {
    for (at, (x, y)) in fused.iter().zip(reference).enumerate() {
        prop_assert_eq!(x.shape(), y.shape());
        let (x, y) = (x.to_f64s(), y.to_f64s());
        let scale = y.iter().filter(|y| y.is_finite()).fold(1.0_f64, |a, b| a.max(b.abs()));
        for (i, (&x, &y)) in x.iter().zip(&y).enumerate() {
            let close = x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= tolerance * scale;
            prop_assert!(close, "result {at}, element {i}: {x} fused, {y} by the reference");
        }
    }
    Ok(())
}

/// How many random programs. Every day's tests try the same ones; `LOSSGRAPH_FUZZ=20` tries
/// twenty times as many new ones.
fn cases(usual: u32) -> ProptestConfig {
    let times: Option<u32> = std::env::var("LOSSGRAPH_FUZZ").ok().and_then(|n| n.parse().ok());
    let rng_seed = if times.is_some() { RngSeed::Random } else { RngSeed::Fixed(3) };
    let cases = usual * times.unwrap_or(1);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn fused_programs_agree_with_the_reference(program in programs(SMALL, 1..14)) {
        let fused = program.run(&Tape::f64());
        agree(&fused, &program.run(&Tape::f64().unfused()), 1e-9)?;
        // In f32 the values alone: second derivatives of long programs lose most of its digits.
        let single = program.run(&Tape::new());
        let reference = program.run(&Tape::new().unfused());
        prop_assert!(single.iter().all(|x| x.dtype() == DType::F32));
        let values = single.len() - 4;
        agree(&single[..values], &reference[..values], 1e-4)?;
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn large_programs_agree_and_are_bitwise_the_same_on_any_number_of_threads(
        program in programs(LARGE, 1..9)
    ) {
        let run = |threads: usize| threads::with(threads, || program.run(&Tape::f64()));
        let one = run(1);
        // Bits, since NaN is not equal to itself.
        let bits = |all: &[Tensor]| -> Vec<u64> {
            all.iter().flat_map(Tensor::to_f64s).map(f64::to_bits).collect()
        };
        prop_assert!(bits(&one) == bits(&run(2)) && bits(&one) == bits(&run(7)));
        agree(&one, &program.run(&Tape::f64().unfused()), 1e-9)?;
    }
}

#[test]
fn f32_programs_agree_with_the_reference_where_they_are_well_conditioned() {
    let tape = |fused: bool| if fused { Tape::new() } else { Tape::new().unfused() };
    let run = |fused: bool| {
        let tape = tape(fused);
        let data = |n: usize, k: f64| (0..n).map(|i| (i as f64 * k).sin()).collect::<Vec<f64>>();
        let x = tape.variable(Tensor::new([60, 90], data(5400, 0.37)).unwrap());
        let w = tape.variable(Tensor::new([90], data(90, 0.11)).unwrap());
        let y = x.layer_norm(&[90], Some(w), None, 1e-5).log_softmax(1).exp();
        let loss = (y * y.square()).mean(..) + (x - w).abs().mean(..);
        let gradients = loss.backward().unwrap();
        [gradients.of(x).unwrap().clone(), gradients.of(w).unwrap().clone()]
    };
    let (fused, reference) = (run(true), run(false));
    for (x, y) in fused.iter().zip(&reference) {
        let scale = y.to_f64s().iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (x, y) in x.to_f64s().iter().zip(y.to_f64s()) {
            assert!((x - y).abs() <= 1e-5 * scale, "{x} against {y}");
        }
    }
}

#[test]
fn a_softmax_of_wide_rows_is_that_of_the_reference() {
    let softmax = |tape: Tape| {
        let x = (0..18_000).map(|i| (f64::from(i) * 0.37).sin() * 5.0).collect();
        tape.constant(Tensor::new([2, 9000], x).unwrap()).softmax(1).value().unwrap()
    };
    assert!(softmax(Tape::f64()).allclose(&softmax(Tape::f64().unfused()), 1e-12, 0.0));
}

#[test]
fn a_tensor_larger_than_memory_is_an_error() {
    for tape in [Tape::f64(), Tape::f64().unfused()] {
        let x = tape.fill([1_usize << 40, 1 << 30], 1.0);
        for y in [x, x.sum(..), (x * tape.variable(2.0)).sum(..)] {
            let error = y.value().unwrap_err().to_string();
            assert!(error.contains("more elements than memory has addresses"), "{error}");
        }
    }
}

#[test]
fn a_changed_shape_or_number_never_meets_the_plan_of_another() {
    let value = |n: usize, factor: f64, mode: bool| {
        let tape = if mode { Tape::f64() } else { Tape::f64().unfused() };
        let x = tape.variable(vec![2.0; n]);
        (x * factor).sum(..).backward().unwrap().loss()
    };
    for _ in 0..2 {
        for (n, factor) in [(3, 1.5), (4, 1.5), (3, 2.5), (4, -0.5)] {
            for mode in [true, false] {
                assert_eq!(value(n, factor, mode), n as f64 * 2.0 * factor);
            }
        }
    }
    // The float type of constants belongs to the plan.
    let third = |tape: Tape| (tape.fill((), 1.0) / 3.0).value().unwrap().to_f64s()[0];
    assert_eq!([third(Tape::f64()), third(Tape::new())], [1.0 / 3.0, f64::from(1.0_f32 / 3.0)]);
}

#[test]
fn a_loss_of_logits_is_one_pass_that_reads_them_once() {
    let tape = Tape::new();
    let logits = tape.variable(Tensor::zeros(Shape::from([64, 100]), DType::F32).unwrap());
    let labels = tape.labels(&[3; 64]).unsqueeze(1);
    let losses = logits.log_sum_exp(keep(1)) - logits.gather(1, labels);
    let gradient = tape.grad(losses.mean(..), &[logits])[0];
    let plan = tape.plan(&[gradient]).unwrap().to_string();
    assert_eq!(plan.matches("kernel").count(), 1, "{plan}");
    assert_eq!(plan.matches("row_max(").count(), 1, "{plan}");
    assert_eq!(plan.matches("exp(").count(), 1, "{plan}");
}
