//! Tracing: a scalar function is called with numbers that record what is done to them.
//!
//! A function is generic over the float type, so that [`Traced`] can be one: its operators add nodes to
//! the graph of this thread. A comparison has to answer yes or no; so a function that branches is called
//! again for each way that it can take, and the ways are joined by selects. What all ways have in common
//! is in the graph once.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::graph::{Binary, Compare, Graph, Node, NodeId, Rounding, Unary};
use crate::dtype::sealed;
use crate::kernels::accumulate::Accumulate;
use crate::math::{exp, ln};
use crate::tensor::Storage;
use crate::{DType, Elem, Float};

/// From how many branches on a function is not traced.
const MOST_BRANCHES: usize = 4;

/// A number that records what is done to it, in the graph of the thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traced(NodeId);

#[derive(Default)]
struct Recorder {
    graph: Graph,
    /// How comparisons answer that could answer either way, and what has been compared so far.
    answers: Vec<bool>,
    compared: Vec<NodeId>,
    /// The relations that are still possible between two nodes, the first of which has the smaller number.
    relations: HashMap<[NodeId; 2], u8>,
    /// Whether something was done that a kernel has no instruction for.
    failed: bool,
}

/// The relations of two numbers; those that are possible are a set of bits.
const LESS: u8 = 1;
const EQUAL: u8 = 2;
const GREATER: u8 = 4;
const UNORDERED: u8 = 8;

impl Recorder {
    /// Whether a node is NaN or is not, as far as is known: the relation to itself.
    fn to_itself(&self, x: NodeId) -> u8 {
        match (self.graph.number(x), self.relations.get(&[x, x])) {
            (Some(number), _) if number.is_nan() => UNORDERED,
            (Some(_), _) => EQUAL,
            (None, known) => known.copied().unwrap_or(EQUAL | UNORDERED),
        }
    }

    /// The relations that are possible between two nodes.
    fn possible(&self, [a, b]: [NodeId; 2]) -> u8 {
        let [of_a, of_b] = [a, b].map(|x| self.to_itself(x));
        let all = if a == b { of_a } else { LESS | EQUAL | GREATER | UNORDERED };
        let known = all & self.relations.get(&[a, b]).copied().unwrap_or(all);
        match (of_a, of_b) {
            (UNORDERED, _) | (_, UNORDERED) => known & UNORDERED,
            (EQUAL, EQUAL) => known & !UNORDERED,
            _ => known,
        }
    }

    /// Notes the relations that are left, and what follows of the numbers themselves.
    fn restrict(&mut self, [a, b]: [NodeId; 2], to: u8) {
        self.relations.insert([a, b], to);
        if to & UNORDERED == 0 {
            self.relations.extend([([a, a], EQUAL), ([b, b], EQUAL)]);
        } else if to == UNORDERED {
            for (x, other) in [(a, b), (b, a)] {
                if self.to_itself(other) == EQUAL {
                    self.relations.insert([x, x], UNORDERED);
                }
            }
        }
    }
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

/// Adds to the graph what a function does to nodes; `None` if it does what kernels can't.
pub(super) fn trace<const N: usize>(
    graph: &mut Graph,
    operands: [NodeId; N],
    f: impl Fn([Traced; N]) -> Traced,
) -> Option<NodeId> {
    let taken = RECORDER.take();
    RECORDER.set(Recorder { graph: std::mem::take(graph), ..Recorder::default() });
    let y = joined(&|| f(operands.map(Traced)).0, &mut vec![]);
    let recorder = RECORDER.replace(taken);
    *graph = recorder.graph;
    y.filter(|_| !recorder.failed)
}

/// The result of all ways that begin with the answers so far.
fn joined(run: &dyn Fn() -> NodeId, answers: &mut Vec<bool>) -> Option<NodeId> {
    RECORDER.with_borrow_mut(|recorder| {
        recorder.answers.clone_from(answers);
        recorder.compared.clear();
        recorder.relations.clear();
    });
    // A function may panic if comparisons answer as they never do together.
    let y = catch_unwind(AssertUnwindSafe(run)).ok()?;
    let next = RECORDER.with_borrow(|recorder| recorder.compared.get(answers.len()).copied());
    let Some(mask) = next else { return Some(y) };
    if answers.len() == MOST_BRANCHES {
        return None;
    }
    let mut way = |answer: bool| {
        answers.push(answer);
        let y = joined(run, answers);
        answers.pop();
        y
    };
    let (a, b) = (way(true)?, way(false)?);
    if a == b {
        return Some(a);
    }
    Some(record(|graph| graph.node(Node::Select([mask, a, b]))))
}

fn record<R>(f: impl FnOnce(&mut Graph) -> R) -> R {
    RECORDER.with_borrow_mut(|recorder| f(&mut recorder.graph))
}

/// What kernels have no instruction for.
#[cold]
fn failed() -> Traced {
    RECORDER.with_borrow_mut(|recorder| recorder.failed = true);
    Traced(0)
}

/// How a comparison answers this time.
fn compare(op: Compare, a: Traced, b: Traced) -> bool {
    RECORDER.with_borrow_mut(|recorder| {
        let (pair, swapped) = ([a.0.min(b.0), a.0.max(b.0)], a.0 > b.0);
        let below = if swapped { GREATER } else { LESS };
        let holds = match op {
            Compare::Equal => EQUAL,
            Compare::Less => below,
            Compare::LessEqual => below | EQUAL,
            Compare::Unordered => UNORDERED,
        };
        if let (Some(a), Some(b)) = (recorder.graph.number(a.0), recorder.graph.number(b.0)) {
            let relation = match a.partial_cmp(&b) {
                Some(Ordering::Less) => below,
                Some(Ordering::Equal) => EQUAL,
                Some(Ordering::Greater) => below ^ (LESS | GREATER),
                None => UNORDERED,
            };
            return holds & relation != 0;
        }
        let possible = recorder.possible(pair);
        if possible & holds == 0 || possible & !holds == 0 {
            return possible & holds != 0;
        }
        let mask = recorder.graph.node(Node::Compare(op, [a.0, b.0]));
        let nth = recorder.compared.len();
        recorder.compared.push(mask);
        // A loop may wait for either answer.
        let answer = recorder.answers.get(nth).copied();
        let answer = answer.unwrap_or(nth > MOST_BRANCHES && nth % 2 == 1);
        recorder.restrict(pair, if answer { possible & holds } else { possible & !holds });
        answer
    })
}

fn number(x: f32) -> Traced {
    Traced(record(|graph| graph.constant(x)))
}

fn bits(x: u32) -> Traced {
    number(f32::from_bits(x))
}

fn unary(op: Unary, x: Traced) -> Traced {
    Traced(record(|graph| graph.node(Node::Unary(op, x.0))))
}

fn binary(op: Binary, a: Traced, b: Traced) -> Traced {
    Traced(record(|graph| graph.binary(op, a.0, b.0)))
}

macro_rules! operators {
    ($($trait:ident $method:ident)*) => {
        $(impl $trait for Traced {
            type Output = Traced;

            fn $method(self, other: Traced) -> Traced {
                binary(Binary::$trait, self, other)
            }
        })*
    };
}

operators!(Add add Sub sub Mul mul Div div);

impl Neg for Traced {
    type Output = Traced;

    fn neg(self) -> Traced {
        binary(Binary::Xor, self, bits(1 << 31))
    }
}

impl PartialEq for Traced {
    fn eq(&self, other: &Traced) -> bool {
        compare(Compare::Equal, *self, *other)
    }
}

impl PartialOrd for Traced {
    fn partial_cmp(&self, _: &Traced) -> Option<Ordering> {
        failed();
        None
    }

    fn lt(&self, other: &Traced) -> bool {
        compare(Compare::Less, *self, *other)
    }

    fn le(&self, other: &Traced) -> bool {
        compare(Compare::LessEqual, *self, *other)
    }

    fn gt(&self, other: &Traced) -> bool {
        other < self
    }

    fn ge(&self, other: &Traced) -> bool {
        other <= self
    }
}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl Accumulate for Traced {
    type Total = Traced;
    const NOTHING: Traced = Traced(0);

    fn added(total: Traced, term: Traced) -> Traced {
        total + term
    }

    fn joined(a: Traced, b: Traced) -> Traced {
        a + b
    }

    fn rounded(total: Traced) -> Traced {
        total
    }
}

impl sealed::Numeric for Traced {}

/// No tensor holds numbers that are traced.
impl sealed::Stored for Traced {
    fn store(_: Vec<Traced>) -> Storage {
        unreachable!("traced numbers are in no tensor")
    }

    fn stored(_: &Storage) -> Option<&Arc<Vec<Traced>>> {
        None
    }

    fn stored_mut(_: &mut Storage) -> Option<&mut Arc<Vec<Traced>>> {
        None
    }
}

/// The nodes that every graph begins with, so that constants of [`Float`] are nodes of any graph.
const CONSTANTS: [f32; 7] =
    [0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0];

impl Graph {
    /// A graph of numbers, for what is traced.
    pub fn new() -> Graph {
        let mut graph = Graph::default();
        for x in CONSTANTS {
            graph.constant(x);
        }
        graph
    }
}

impl Elem for Traced {
    const DTYPE: DType = DType::F32;
    const ZERO: Traced = Traced(0);
    const ONE: Traced = Traced(1);

    fn of(x: f64) -> Traced {
        number(x as f32)
    }

    fn to_f64(self) -> f64 {
        failed();
        0.0
    }

    fn plus(self, other: Traced) -> Traced {
        self + other
    }
}

/// Methods that kernels have no instructions for.
macro_rules! untraced {
    ($($method:ident($($arg:ident),*))*) => {
        $(fn $method(self, $(_: $arg),*) -> Traced {
            failed()
        })*
    };
}

impl Float for Traced {
    const INFINITY: Traced = Traced(2);
    const NEG_INFINITY: Traced = Traced(3);
    const MAX: Traced = Traced(4);
    const MIN_POSITIVE: Traced = Traced(5);
    const NEG_ZERO: Traced = Traced(6);

    fn abs(self) -> Traced {
        binary(Binary::And, self, bits(!(1 << 31)))
    }

    fn signum0(self) -> Traced {
        let [one, zero] = [Traced::ONE, Traced::ZERO];
        if self > zero {
            one
        } else if self < zero {
            -one
        } else {
            zero
        }
    }

    fn floor(self) -> Traced {
        unary(Unary::Round(Rounding::Down), self)
    }

    fn ceil(self) -> Traced {
        unary(Unary::Round(Rounding::Up), self)
    }

    fn trunc(self) -> Traced {
        unary(Unary::Round(Rounding::Zero), self)
    }

    fn round_ties_even(self) -> Traced {
        unary(Unary::Round(Rounding::Nearest), self)
    }

    fn copysign(self, sign: Traced) -> Traced {
        binary(Binary::Or, self.abs(), binary(Binary::And, sign, bits(1 << 31)))
    }

    fn sqrt(self) -> Traced {
        unary(Unary::Sqrt, self)
    }

    fn mul_add(self, a: Traced, b: Traced) -> Traced {
        Traced(record(|graph| graph.node(Node::MulAdd([self.0, a.0, b.0]))))
    }

    fn is_nan(self) -> bool {
        compare(Compare::Unordered, self, self)
    }

    fn max(self, other: Traced) -> Traced {
        // An instruction gives the second one if either is NaN.
        Traced(record(|graph| graph.extremum(Binary::Greater, self.0, other.0)))
    }

    fn min(self, other: Traced) -> Traced {
        Traced(record(|graph| graph.extremum(Binary::Less, self.0, other.0)))
    }

    fn power_of_two(self) -> Traced {
        binary(Binary::And, self, Traced::INFINITY)
    }

    /// As `math::exp::f32::exp`.
    fn exp(self) -> Traced {
        let x = binary(Binary::Greater, number(-104.0), self);
        let x = binary(Binary::Less, number(90.0), x);
        let whole = number(exp::f32::WHOLE);
        let shifted = x.mul_add(number(std::f32::consts::LOG2_E), whole);
        let n = shifted - whole;
        let [high, low] = exp::f32::LN_2;
        let r = n.mul_add(number(-low), n.mul_add(number(-high), x));
        let rest = polynomial(r, exp::f32::REST);
        let e = r.mul_add(r.mul_add(rest, Traced::ONE), Traced::ONE);
        // What the product of two factors is there.
        binary(Binary::Scale, e, n)
    }

    /// As `math::ln::f32::ln`.
    fn ln(self) -> Traced {
        let (x, whole) = (self, number(ln::f32::WHOLE));
        let tiny = Traced(record(|graph| {
            graph.node(Node::Compare(Compare::Less, [x.0, Traced::MIN_POSITIVE.0]))
        }));
        let [scale, scaled] = ln::f32::SUBNORMAL;
        let (normal, shift) =
            (select(tiny, x * number(scale), x), select(tiny, number(scaled), Traced::ZERO));
        let least = number(ln::f32::LEAST);
        let k = unary(Unary::ShiftSign(23), binary(Binary::SubInt, normal, least));
        let one_and_f = binary(Binary::SubInt, normal, unary(Unary::ShiftLeft(23), k));
        let k = binary(Binary::AddInt, k, whole) - whole - shift;
        let f = one_and_f - Traced::ONE;
        let square = f * f;
        let rest = square * (f * polynomial(f, &ln::P));
        let [high, low] = ln::f32::LN_2;
        let low = k.mul_add(number(low), rest);
        let y = k.mul_add(number(high), f + square.mul_add(number(-0.5), low));
        // The special values of 0 and of x < 0; infinity and NaN stay.
        let mask = |op, a: Traced, b: Traced| {
            Traced(record(|graph| graph.node(Node::Compare(op, [a.0, b.0]))))
        };
        let y = select(mask(Compare::Equal, x, Traced::ZERO), Traced::NEG_INFINITY, y);
        let y = select(mask(Compare::Less, x, Traced::ZERO), number(f32::NAN), y);
        select(mask(Compare::Less, x, Traced::INFINITY), y, x)
    }

    /// As `math::ln::f32::ln_1p_of_fraction`.
    fn ln_1p_of_fraction(self) -> Traced {
        let q = polynomial(self, &ln::Q);
        (self * self).mul_add(q, self)
    }

    fn is_near(self) -> bool {
        failed();
        false
    }

    fn quotient_is_near(self, _: Traced) -> bool {
        failed();
        false
    }

    fn squares_are_near(self, _: Traced) -> bool {
        failed();
        false
    }

    untraced! {
        exp_m1() ln_1p() log2() log10() exp2() sin() cos() tan() sin_near() cos_near() tan_near()
        asin() acos() atan() atan2(Traced) sinh() cosh() tanh() asinh() acosh() atanh()
        hypot(Traced) hypot_near(Traced) cosine(Traced) fmod(Traced) remainder(Traced) floor_divide(Traced)
        fmod_near(Traced) remainder_near(Traced) floor_divide_near(Traced) sinc() sinc_slope(Traced)
        powf(Traced) erf() erfc() erfinv() ndtr() ndtri() log_ndtr() log_ndtr_slope()
        log_ndtr_bend() lgamma() lgamma_of_positive() digamma() digamma_of_positive() trigamma()
        trigamma_of_positive() polygamma(Traced) polygamma_of_positive(Traced)
    }
}

fn select(mask: Traced, a: Traced, b: Traced) -> Traced {
    Traced(record(|graph| graph.node(Node::Select([mask.0, a.0, b.0]))))
}

/// A polynomial with coefficients from the highest power on (Horner).
fn polynomial(x: Traced, coefficients: &[f32]) -> Traced {
    let [first, rest @ ..] = coefficients else { return Traced::ZERO };
    rest.iter().fold(number(*first), |p, &c| x.mul_add(p, number(c)))
}

impl Graph {
    /// The larger or the smaller of two; NaN if either is.
    pub fn extremum(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        let y = self.binary(op, a, b);
        let nan = self.node(Node::Compare(Compare::Unordered, [a, a]));
        self.node(Node::Select([nan, a, y]))
    }
}
