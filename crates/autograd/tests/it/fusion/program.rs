//! Random programs, and how a program run fused is compared with the reference.

use std::fmt;

use lossgraph_autograd::{Tape, Var, concat, keep};
use lossgraph_tensor::{DType, Slice, Tensor};

use super::numbers::{cosines, extremes, moderate};

/// How the data of a leaf lie in memory.
#[derive(Clone, Copy, Debug)]
pub enum Lie {
    Rows,
    /// The axes in memory in the opposite order.
    Columns,
    /// Every axis from its end to its start: negative strides.
    Backwards,
    /// Every second element of the last axis.
    Sparse,
}

/// The numbers of a leaf.
#[derive(Clone, Copy, Debug)]
pub enum Numbers {
    /// Between −1.7 and 1.7; others for each seed.
    Moderate,
    /// Drawn by this seed from those at the ends of a float type: see [`EXTREMES`](super::numbers::EXTREMES).
    Extreme(u64),
}

/// A variable that a program begins with.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub shape: Vec<usize>,
    pub lie: Lie,
    pub numbers: Numbers,
}

impl Leaf {
    /// The tensor for a tape of a float type; others for each `seed`, unless they are extreme.
    fn data(&self, seed: f64, dtype: DType) -> Tensor {
        let of = |shape: &[usize]| {
            let len = shape.iter().product::<usize>();
            let data = match self.numbers {
                Numbers::Moderate => moderate(seed, len),
                Numbers::Extreme(draw) => extremes(draw, dtype, len),
            };
            Tensor::new(shape, data).unwrap()
        };
        let rank = self.shape.len() as isize;
        match self.lie {
            Lie::Columns => {
                let shape: Vec<usize> = self.shape.iter().rev().copied().collect();
                of(&shape).permute((0..rank).rev().collect::<Vec<_>>()).unwrap()
            }
            Lie::Backwards => {
                (0..rank).fold(of(&self.shape), |data, axis| data.flip(axis).unwrap())
            }
            Lie::Sparse if rank > 0 => {
                let (mut shape, mut slices) = (self.shape.clone(), Vec::new());
                slices.extend(shape.iter().map(|&len| Slice::all(len)));
                if let (Some(len), Some(slice)) = (shape.last_mut(), slices.last_mut()) {
                    slice.step = 2;
                    *len *= 2;
                }
                of(&shape).slices(&slices).unwrap()
            }
            Lie::Rows | Lie::Sparse => of(&self.shape),
        }
    }
}

/// One line of a program: an op, and which earlier values it takes.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub op: u8,
    pub a: u8,
    pub b: u8,
    pub axis: u8,
}

/// A program on two leaves.
#[derive(Clone)]
pub struct Program {
    pub ops: Ops,
    pub leaves: [Leaf; 2],
    pub lines: Vec<Line>,
}

/// What a line has recorded.
pub struct Recorded<'t> {
    pub value: Var<'t>,
    /// How the line is written.
    pub text: &'static str,
    /// How far each element is from a kink or a jump, if there is one.
    pub margin: Option<Var<'t>>,
}

/// How lines are recorded.
pub type Ops = for<'t> fn(Line, &[Var<'t>]) -> Recorded<'t>;

/// What a line has recorded, with its text.
macro_rules! written {
    ($value:expr $(, off $margin:expr)?) => {{
        let margin: Option<lossgraph_autograd::Var<'_>> = None;
        $(let margin = margin.or(Some($margin));)?
        $crate::fusion::program::Recorded { value: $value, text: stringify!($value), margin }
    }};
}
pub(crate) use written;

impl Line {
    /// The numbers of the operands, and the axis.
    pub fn operands(self, v: &[Var<'_>]) -> (usize, usize, isize) {
        let [a, b] = [self.a, self.b].map(|n| n as usize % v.len());
        (a, b, (self.axis as usize % v[a].rank().max(1)) as isize)
    }

    /// Records the line, on moderate numbers; what does not fit its operands does nothing.
    pub fn moderate<'t>(self, v: &[Var<'t>]) -> Recorded<'t> {
        let (a, b, at) = self.operands(v);
        let (a, b) = (v[a], v[b]);
        let fits = a.shape().broadcast(&b.shape()).is_some();
        let axes = a.rank() > 0;
        let full = axes && a.len() > 0;
        match self.op % 31 {
            0 => written!(a.tanh()),
            1 => written!(a.sigmoid()),
            2 => written!(a.tanh().exp()),
            3 => written!((a.square() + 1.0).ln()),
            4 => written!(-a),
            5 => written!(a * 0.37 - 0.2),
            // Off the kink by a number that cancels against nothing.
            6 => written!((a + 0.371_93).relu(), off a + 0.371_93),
            7 => written!((a * 1.3 + 0.277_31).abs(), off a * 1.3 + 0.277_31),
            8 => written!(a / 3.0),
            9 if fits => written!(a + b),
            10 if fits => written!(a - b),
            11 if fits => written!(a.tanh() * b),
            12 if fits => written!(a / (b.square() + 1.5)),
            13 if fits => written!(a.gt(0.137_7).select(b, a * 0.5), off a - 0.137_7),
            14 if fits => written!((a * 1.01 + 0.3).maximum(b), off a * 1.01 + 0.3 - b),
            15 if axes => written!(a.sum(at).tanh()),
            16 if axes => written!(a.mean(keep(at))),
            17 if full => written!((a + 0.1).max(keep(at)), off a.max(keep(at)) - a),
            18 if full => written!(a.log_softmax(at)),
            19 => written!(a.mean(..) * 0.7),
            20 if axes => written!(a.flip(at)),
            21 if axes => written!(every_second(a, at)),
            22 if a.rank() > 1 => written!(a.transpose(0, -1)),
            23 => written!(a.flatten(..)),
            24 if a.rank() < 3 => written!(a.unsqueeze(at)),
            25 if full => written!(gathered(a, at)),
            26 if full => written!(a.scatter_add(at, places(a, at), gathered(a, at).tanh())),
            27 if a.rank() == 2 => written!(a.matmul(a.t()) * 0.1),
            28 if axes => written!(a.cumsum(at) * 0.5),
            29 if axes => written!(concat(&[a, a * 0.3], at)),
            30 if a.shape() == b.shape() => written!((a * b).softplus()),
            _ => written!(a),
        }
    }
}

/// Every second place of an axis.
pub fn every_second(a: Var<'_>, axis: isize) -> Var<'_> {
    let half = |(i, &len): (usize, &usize)| match i == axis as usize && len > 2 {
        true => Slice { start: 0, len: len.div_ceil(2), step: 2 },
        false => Slice::all(len),
    };
    a.slices(&a.shape().iter().enumerate().map(half).collect::<Vec<_>>())
}

/// One place a row, along an axis.
pub fn places(a: Var<'_>, axis: isize) -> Var<'_> {
    let (mut shape, extent) = (a.shape().to_vec(), a.dim(axis));
    shape[axis as usize] = 1;
    let len = shape.iter().product::<usize>();
    let places = (0..len).map(|i| ((i * 7 + 3) % extent) as i64).collect();
    a.tape().constant(Tensor::new(shape, places).unwrap())
}

pub fn gathered(a: Var<'_>, axis: isize) -> Var<'_> {
    a.gather(axis, places(a, axis))
}

impl Program {
    pub fn record(&self, v: &mut Vec<Var<'_>>) {
        for line in &self.lines {
            v.push((self.ops)(*line, v).value);
        }
    }

    /// Whether some value is so close to a kink that rounding in `f32` may carry it across.
    fn is_near_a_kink(&self) -> bool {
        let tape = Tape::f64();
        let mut v: Vec<Var<'_>> = leaves(&tape, &self.leaves, 0.0);
        let mut margins = Vec::new();
        for line in &self.lines {
            let recorded = (self.ops)(*line, &v);
            v.push(recorded.value);
            margins.extend(recorded.margin);
        }
        let near = |x: &f64| *x != 0.0 && x.abs() < 1e-4;
        margins.iter().any(|margin| margin.value().unwrap().to_f64s().iter().any(near))
    }

    pub fn compare(&self) -> Result<(), String> {
        let precisions: &[DType] =
            if self.is_near_a_kink() { &[DType::F64] } else { &[DType::F64, DType::F32] };
        compare_in(precisions, &self.leaves, &|v| self.record(v))
    }
}

/// The program as Rust: what to paste into a test.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaf = |Leaf { shape, lie, numbers }: &Leaf| {
            format!(
                "Leaf {{ shape: vec!{shape:?}, lie: Lie::{lie:?}, numbers: Numbers::{numbers:?} }}"
            )
        };
        let [x, y] = self.leaves.each_ref().map(leaf);
        writeln!(f, "\n    compare(&[{x}, {y}], &|v| {{")?;
        let tape = Tape::f64();
        let mut v = leaves(&tape, &self.leaves, 0.0);
        for line in &self.lines {
            let ((a, b, at), recorded) = (line.operands(&v), (self.ops)(*line, &v));
            writeln!(f, "        let (a, b, at) = (v[{a}], v[{b}], {at});")?;
            let text = recorded.text.replace('\n', " ");
            writeln!(f, "        v.push({text}); // {}", recorded.value.shape())?;
            v.push(recorded.value);
        }
        writeln!(f, "    }})\n    .unwrap();")
    }
}

/// Values, gradients, and gradients of gradients.
type Orders = [Vec<Tensor>; 3];

fn leaves<'t>(tape: &'t Tape, leaves: &[Leaf; 2], seed: f64) -> Vec<Var<'t>> {
    let seeds = [seed, seed + 1.0];
    leaves
        .iter()
        .zip(seeds)
        .map(|(leaf, seed)| tape.variable(leaf.data(seed, tape.dtype())))
        .collect()
}

/// The last values of a program, the gradients of a number made of them, and those of a number
/// made of these gradients. Numbers are made by weights for the elements.
pub fn run(
    tape: &Tape,
    from: &[Leaf; 2],
    seed: f64,
    weights: &dyn Fn(f64, usize) -> Vec<f64>,
    program: &dyn Fn(&mut Vec<Var<'_>>),
) -> Orders {
    let mut v = leaves(tape, from, seed);
    let xs = v.clone();
    program(&mut v);
    let number = |vars: &[Var<'_>], k: f64| {
        let each = vars.iter().map(|&v| {
            let w = tape.constant(Tensor::new(v.shape(), weights(k, v.len())).unwrap());
            tape.var((v * w).sum(..).number()).unwrap()
        });
        each.reduce(|a, b| a + b).unwrap()
    };
    let last = v.split_off(v.len().saturating_sub(3));
    let first = tape.grad(number(&last, 0.2), &xs);
    let second = tape.grad(number(&first, 0.9), &xs);
    let requested = [&last[..], &first, &second].concat();
    let mut values = tape.eval(&requested).unwrap_or_else(|error| panic!("{error:?}")).into_iter();
    [last.len(), 2, 2].map(|count| values.by_ref().take(count).collect())
}

/// Compares a program, run fused in both float types, with the reference.
pub fn compare(from: &[Leaf; 2], program: &dyn Fn(&mut Vec<Var<'_>>)) -> Result<(), String> {
    compare_in(&[DType::F64, DType::F32], from, program)
}

/// How far results may be apart, as a part of the largest element.
///
/// How many digits rounding takes depends on the program: sums that cancel, slopes that grow. The
/// reference itself tells: what it loses in `f32` against itself in `f64`. Rounding errors grow in
/// proportion to the unit roundoff, so that in `f64` it loses 2⁻²⁹ of that. A fused plan rounds
/// as often as the reference, but elsewhere, so that its error is another draw of the same size.
/// Three draws of the reference, on other data, make a lucky one unlikely, and the error of a fused
/// plan may be `DRAW` times the largest of them: of normally distributed errors, one is that much
/// larger than the largest of three others twice in ten thousand times. On top comes what some
/// hundred roundings make of numbers that happen to be exact in the reference.
fn allowed(lost: f64, dtype: DType) -> f64 {
    const DRAW: f64 = 16.0;
    const ROUNDINGS: f64 = 128.0;
    match dtype {
        DType::F32 => DRAW * lost + ROUNDINGS * f64::from(f32::EPSILON),
        _ => DRAW * lost * 2_f64.powi(-29) + ROUNDINGS * f64::EPSILON,
    }
}

fn compare_in(
    precisions: &[DType],
    from: &[Leaf; 2],
    program: &dyn Fn(&mut Vec<Var<'_>>),
) -> Result<(), String> {
    let reference = |dtype: DType, seed: f64| {
        run(&Tape::with_dtype(dtype).unfused(), from, seed, &cosines, program)
    };
    let exact = reference(DType::F64, 0.0);
    // For each order, the largest loss of it and of those that it is computed from.
    let mut lost = [0.0_f64; 3];
    for seed in [0.0, 5.0, 11.0] {
        let single = reference(DType::F32, seed);
        let other = (seed != 0.0).then(|| reference(DType::F64, seed));
        let double = other.as_ref().unwrap_or(&exact);
        let mut largest = 0.0_f64;
        for ((single, double), lost) in single.iter().zip(double).zip(&mut lost) {
            largest = single.iter().zip(double).fold(largest, |l, (x, y)| l.max(distance(x, y)));
            *lost = lost.max(largest);
        }
    }
    for &dtype in precisions {
        let fused = run(&Tape::with_dtype(dtype), from, 0.0, &cosines, program);
        for (order, (fused, exact)) in fused.iter().zip(&exact).enumerate() {
            for (at, (x, y)) in fused.iter().zip(exact).enumerate() {
                let (given, most) = (distance(x, y), allowed(lost[order], dtype));
                if x.dtype() != dtype || x.shape() != y.shape() || given > most {
                    return Err(format!(
                        "order {order}, result {at}: {given:e} of the largest element off in {dtype}, \
                         at most {most:e} is rounding\n{x:?}\nfused, and by the reference\n{y:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The largest difference of two tensors, as a part of the largest element of `y`, or of 1 if that
/// is more; ∞ where only one is finite.
fn distance(x: &Tensor, y: &Tensor) -> f64 {
    let (x, y) = (x.to_f64s(), y.to_f64s());
    // Loops, not iterators: tests are not optimized.
    let mut scale = 1.0;
    for &y in &y {
        if y.is_finite() && y.abs() > scale {
            scale = y.abs();
        }
    }
    let mut most = 0.0;
    for i in 0..x.len().min(y.len()) {
        let (x, y) = (x[i], y[i]);
        if x != y && !(x.is_nan() && y.is_nan()) {
            let apart = (x - y).abs() / scale;
            if apart.is_nan() {
                return f64::INFINITY;
            }
            if apart > most {
                most = apart;
            }
        }
    }
    most
}
