//! Kernels beside the interpreter, bit by bit.

mod cases;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kernels::{Map1, Map2, Map3, ReduceOp, threads};
use crate::program::code::Instruction;
use crate::program::{Binding, Executable, Extent, Program, Value};
use crate::{DType, Shape, Tensor, map1, map2, map3};

static MAPS1: [(&str, Map1); 14] = [
    ("neg", map1!(|x, _p| -x)),
    ("square", map1!(specialized: |x, _p| x * x)),
    ("abs", map1!(|x, _p| x.abs())),
    ("signum", map1!(|x, _p| x.signum0())),
    ("sqrt", map1!(|x, _p| x.sqrt())),
    ("rounded", map1!(|x, _p| x.floor() + x.ceil() * x.trunc() - x.round_ties_even())),
    ("exp", map1!(|x, _p| x.exp())),
    ("ln", map1!(|x, _p| x.ln())),
    ("softplus", map1!(|x, _p| x.softplus())),
    ("sigmoid", map1!(|x, _p| x.sigmoid())),
    (
        "clamp",
        map1!(|x, p| {
            let raised = if x < p[0] { p[0] } else { x };
            if raised > p[1] { p[1] } else { raised }
        }),
    ),
    (
        "shrink",
        map1!(|x, p| {
            let y = if x > T::ZERO { x - p[0] } else { x + p[0] };
            if x.abs() <= p[1] { T::ZERO } else { y }
        }),
    ),
    ("one", map1!(|_x, _p| T::ONE)),
    // No kernel has an instruction for it.
    ("tanh", map1!(|x, _p| x.tanh())),
];

static MAPS2: [(&str, Map2); 10] = [
    ("add", map2!(specialized: |a, b| a + b)),
    ("sub", map2!(specialized: |a, b| a - b)),
    ("mul", map2!(specialized: |a, b| a * b)),
    ("div", map2!(|a, b| a / b)),
    ("max", map2!(|a, b| a.max(b))),
    ("min", map2!(|a, b| a.min(b))),
    ("greater", map2!(|a, b| if a > b { T::ONE } else { T::ZERO })),
    ("at least", map2!(|a, b| if a >= b { b } else { a - b })),
    ("equal", map2!(|a, b| if a == b { T::ZERO } else { a })),
    // The sign of NaN is nobody's.
    ("copysign", map2!(|a, b| if b.is_nan() { a } else { a.copysign(b) })),
];

static MAPS3: [(&str, Map3); 4] = [
    ("select", map3!(|a, b, c| if a != T::ZERO { b } else { c })),
    ("mul_add", map3!(|a, b, c| a.mul_add(b, c))),
    ("a·b + c", map3!(|a, b, c| a * b + c)),
    ("between", map3!(|a, b, c| if b <= a && a <= c { a } else { b.max(c) })),
];

/// Whether programs have kernels here.
fn runs_kernels() -> bool {
    let mut program = Program::new(1 << 13, 1, DType::F32);
    let x = program.input(Extent::Full);
    let y = program.one("square", x);
    let y = program.one("exp", y);
    program.output(y);
    has_kernel(&program.compile())
}

fn has_kernel(executable: &Executable) -> bool {
    executable.body.iter().any(|code| matches!(code, Instruction::Kernel(_)))
}

/// Both ways to run a program, bit by bit; whether there was a kernel.
fn compared(
    program: &Program,
    inputs: &[&Tensor],
    indices: &[&Tensor],
    lens: &[usize],
) -> Result<bool, String> {
    let expected = Program::without_jit(|| program.compile());
    let compiled = program.compile();
    let run = |executable: &Executable| -> Result<Vec<Vec<u32>>, String> {
        let mut out: Vec<Tensor> =
            lens.iter().map(|&n| Tensor::zeros([n], DType::F32).unwrap()).collect();
        executable
            .run(inputs, indices, &mut out)
            .map_err(|error| format!("tag {:?}: {error}", error.tag))?;
        let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        Ok(out.iter().map(|y| y.to_vec::<f32>().unwrap().into_iter().map(bits).collect()).collect())
    };
    let (got, expected) = (run(&compiled), run(&expected));
    match (&got, &expected) {
        (Ok(got), Ok(expected)) => {
            for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
                if let Some(i) = got.iter().zip(expected).position(|(a, b)| a != b) {
                    let [a, b] = [got[i], expected[i]].map(f32::from_bits);
                    return Err(format!(
                        "output {at} differs at {i}: {a:?}, expected {b:?}\n{program}"
                    ));
                }
            }
        }
        _ if got == expected => {}
        _ => return Err(format!("got {got:?}, expected {expected:?}\n{program}")),
    }
    Ok(has_kernel(&compiled))
}

fn wave(n: usize) -> Tensor {
    Tensor::new([n], (0..n).map(|i| (i as f32 * 0.37).sin() * 3.0).collect::<Vec<f32>>()).unwrap()
}

fn op1(name: &str) -> (&'static str, &'static Map1) {
    let (label, f) = MAPS1.iter().find(|(label, _)| *label == name).unwrap();
    (label, f)
}

fn op2(name: &str) -> (&'static str, &'static Map2) {
    let (label, f) = MAPS2.iter().find(|(label, _)| *label == name).unwrap();
    (label, f)
}

impl Program {
    fn one(&mut self, name: &str, x: Value) -> Value {
        let (label, f) = op1(name);
        self.map1(label, f, [0.3, 1.5], x)
    }

    fn two(&mut self, name: &str, a: Value, b: Value) -> Value {
        let (label, f) = op2(name);
        self.map2(label, f, a, b)
    }
}

/// A random program: several indices, values that nothing reads, outputs that are
/// so twice, reductions over everything of all kinds, maps of columns; and inputs of any layout,
/// products, and those that an output is written over.
struct Wild {
    program: Program,
    inputs: Vec<Tensor>,
    indices: Vec<Tensor>,
    lens: Vec<usize>,
    seed: u64,
}

fn extreme(rng: &mut ChaCha8Rng, wild: bool) -> f32 {
    const NUMBERS: [f32; 14] = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        1.0,
        -1.0,
        -104.0,
        90.0,
    ];
    match rng.random_range(0..if wild { 4 } else { 400 }) {
        0 => NUMBERS[rng.random_range(0..NUMBERS.len())],
        1 => f32::from_bits(rng.random()),
        2 => [0.0, -0.0][rng.random_range(0..2)],
        _ => rng.random_range(-3.0..3.0),
    }
}

fn wild_case(seed: u64, [rows, columns]: [usize; 2], ops: usize) -> Wild {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut program = Program::new(rows, columns, DType::F32);
    let flat = columns == 1;
    let wild = rng.random_range(0..3) == 0;
    let mut extents = vec![Extent::Full, Extent::Full, Extent::Full, Extent::One];
    if !flat {
        extents.extend([Extent::Rows, Extent::Rows, Extent::Columns, Extent::Columns]);
    }
    let (mut values, mut inputs): (Vec<Value>, Vec<Tensor>) = (vec![], vec![]);
    for extent in extents {
        values.push(program.input(extent));
        let n = extent.len(rows, columns);
        let x = (0..n).map(|_| extreme(&mut rng, wild)).collect::<Vec<f32>>();
        inputs.push(Tensor::new([n], x).unwrap());
    }
    values.push(program.constant(0.7));
    values.push(program.constant(0.0));
    let index: Vec<u32> = (0..4).map(|_| program.index()).collect();
    let shape = Shape::from([rows, 1]);
    let (mut ones, mut lens): (Vec<Value>, Vec<usize>) = (vec![], vec![]);
    let mut scattered: Vec<Value> = vec![];
    for _ in 0..ops {
        let n = values.len();
        let mut pick = || values[n - 1 - rng.random_range(0..n).min(rng.random_range(0..n))];
        let [a, b, c] = [pick(), pick(), pick()];
        let which = rng.random_range(0..4_usize);
        let op = [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min][rng.random_range(0..3)];
        let value = match rng.random_range(0..if flat { 11 } else { 18 }) {
            0..3 => {
                let (label, f) = &MAPS1[rng.random_range(0..MAPS1.len())];
                program.map1(label, f, [0.3, 1.5], a)
            }
            3..7 => {
                let (label, f) = &MAPS2[rng.random_range(0..MAPS2.len())];
                program.map2(label, f, a, b)
            }
            7 | 8 => {
                let (label, f) = &MAPS3[rng.random_range(0..MAPS3.len())];
                program.map3(label, f, [a, b, c])
            }
            9 | 10 => {
                ones.push(program.reduce_all(op, a));
                if which == 0 {
                    ones.push(program.reduce_all(op, a));
                    let [x, y] = [ones[0], ones[ones.len() - 1]];
                    ones.push(program.two("sub", x, y));
                }
                continue;
            }
            11 | 12 => program.reduce_row(op, a),
            13 => program.gather(a, index[which], shape.clone(), which as u32),
            14 => program.gather(values[which.min(2)], index[which], shape.clone(), 9),
            15 => {
                let [row, other] = [b, c].map(|x| program.reduce_row(ReduceOp::Min, x));
                match which {
                    0 => program.weighted([a, row, b, other]),
                    1 => program.masked_product([a, row, other]),
                    _ => program.masked_weighted([[a, row, other], [b, other, row]]),
                }
            }
            16 => {
                let added = program.reduce_row(ReduceOp::Max, b);
                let onto = if which == 0 { None } else { Some(a) };
                let mut y = program.scatter(onto, added, index[which], shape.clone(), 2);
                if which > 1 {
                    y = program.scatter(Some(y), added, index[3 - which], shape.clone(), 2);
                }
                scattered.push(y);
                y
            }
            _ => {
                program.reduce_columns(op, a);
                lens.push(columns);
                continue;
            }
        };
        values.push(value);
    }
    for _ in 0..rng.random_range(1..6) {
        let n = values.len();
        let x = values[n - 1 - rng.random_range(0..n).min(rng.random_range(0..n))];
        program.output(x);
        lens.push(program.extent(x).len(rows, columns));
    }
    for x in ones {
        program.output(x);
        lens.push(1);
    }
    let indices = (0..4)
        .map(|_| {
            Tensor::from((0..rows).map(|_| rng.random_range(0..columns as i64)).collect::<Vec<_>>())
        })
        .collect();
    Wild { program, inputs, indices, lens, seed }
}

impl Wild {
    /// `kind`: tensors as they are, turned, in place, or a product.
    fn run(&self, executable: &Executable, kind: usize, over: &[Option<usize>]) -> Vec<Vec<u32>> {
        let mut out: Vec<Tensor> =
            self.lens.iter().map(|&n| Tensor::full([n], f64::NAN, DType::F32).unwrap()).collect();
        let (rows, columns) = (executable.rows, executable.columns);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 7);
        let mut factor = |shape: [usize; 2]| {
            let x =
                (0..shape[0] * shape[1]).map(|_| extreme(&mut rng, false)).collect::<Vec<f32>>();
            Tensor::new(shape, x).unwrap()
        };
        let products = [(); 2].map(|()| [factor([rows, 5]), factor([5, columns])]);
        let turned: Vec<Tensor> = self
            .inputs
            .iter()
            .map(|x| match x.len() == rows * columns {
                true => x.reshape([rows, columns]).unwrap().t().unwrap().contiguous().t().unwrap(),
                false => x.flip(0).unwrap().contiguous().flip(0).unwrap(),
            })
            .collect();
        for (at, output) in over.iter().enumerate() {
            if let (Some(output), 2) = (output, kind) {
                out[*output] =
                    Tensor::new([rows * columns], self.inputs[at].to_vec::<f32>().unwrap())
                        .unwrap();
            }
        }
        let bindings: Vec<Binding<'_>> = (0..self.inputs.len())
            .map(|at| match kind {
                1 => Binding::Tensor(&turned[at]),
                2 => match over[at] {
                    Some(output) => Binding::Output(output),
                    None => Binding::Tensor(&self.inputs[at]),
                },
                3 if at < 2 && executable.product_shape(at).is_some() => {
                    Binding::Product(products[at].each_ref())
                }
                _ => Binding::Tensor(&self.inputs[at]),
            })
            .collect();
        let indices: Vec<&Tensor> = self.indices.iter().collect();
        executable.run(&bindings, &indices, &mut out).unwrap();
        let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        out.iter().map(|y| y.to_vec::<f32>().unwrap().into_iter().map(bits).collect()).collect()
    }

    /// For each input an output that may be written over it, no output twice.
    fn over(&self, executable: &Executable) -> Vec<Option<usize>> {
        let mut taken = vec![false; self.lens.len()];
        (0..self.inputs.len())
            .map(|input| {
                let output = (0..self.lens.len())
                    .find(|&output| !taken[output] && executable.may_overwrite(output, input));
                output.inspect(|&output| taken[output] = true)
            })
            .collect()
    }

    fn check(&self) -> Result<[usize; 3], String> {
        let expected = Program::without_jit(|| self.program.compile());
        let compiled = self.program.compile();
        let over = self.over(&compiled);
        let can = expected.product_shape(0) == compiled.product_shape(0);
        let plain = self.run(&expected, 0, &over);
        for kind in 0..if can { 4 } else { 3 } {
            let products = if kind == 3 { Some(self.run(&expected, 3, &over)) } else { None };
            let expected = products.as_ref().unwrap_or(&plain);
            for count in [1, 3] {
                let got = threads::with(count, || self.run(&compiled, kind, &over));
                for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
                    if let Some(i) = got.iter().zip(expected).position(|(a, b)| a != b) {
                        let [a, b] = [got[i], expected[i]].map(f32::from_bits);
                        return Err(format!(
                            "kind {kind}, {over:?}, {count} threads, output {at} at {i}: {a:?}, expected {b:?}\n{}",
                            self.program
                        ));
                    }
                }
            }
        }
        let in_place = over.iter().flatten().count();
        Ok([1, usize::from(has_kernel(&compiled)), in_place])
    }
}

#[test]
fn kernels_give_the_bits_of_the_interpreter_for_inputs_of_all_kinds() {
    const COUNT: u64 = 1500;
    let mut seen = [0; 3];
    let mut failed = vec![];
    for seed in 0..COUNT {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xABCD);
        let shape = match rng.random_range(0..10) {
            0 => [rng.random_range(4096..20_000), 1],
            1 => [rng.random_range(1..4), rng.random_range(3000..4200)],
            2 => [rng.random_range(1..4), rng.random_range(6100..20_000)],
            3 => [1, rng.random_range(4096..10_000)],
            4 => [rng.random_range(64..80), rng.random_range(63..66)],
            _ => [rng.random_range(20..90), rng.random_range(64..700)],
        };
        let ops = rng.random_range(2..30);
        let got = std::panic::catch_unwind(|| wild_case(seed, shape, ops).check());
        match got {
            Ok(Ok(new)) => seen = std::array::from_fn(|i| seen[i] + new[i]),
            Ok(Err(error)) => failed.push(format!("seed {seed} {shape:?} {ops}: {error}")),
            Err(_) => failed.push(format!("seed {seed} {shape:?} {ops}: panicked")),
        }
    }
    failed.sort_by_key(String::len);
    failed.truncate(4);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let [_, with_kernels, in_place] = seen;
    assert!(!runs_kernels() || (with_kernels > 800 && in_place > 400), "{seen:?}");
}
