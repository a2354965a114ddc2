//! Element-wise functions of one tensor. Each section is a row: what it computes, and its rule.

use lossgraph_tensor::kernels::{self, Integers1, Map1};
use lossgraph_tensor::{DType, Tensor};

use super::Kink;
use super::facts::{Cost, Element, Facts, Notation, Sign};
use super::family::{At, Cotangents, Family, Rule, none, one};
use crate::ops::op::{Number, Op, RowRef, listed, number};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The rule of a unary op: the cotangent of `x`, from `g` (that of `y`), `x`, `y`, and the
/// parameters. It records; it never computes.
pub type UnaryRule = for<'t> fn(g: Var<'t>, x: Var<'t>, y: Var<'t>, p: [f64; 2]) -> Var<'t>;

/// A row of the table of element-wise functions `y = f(x; p)`.
///
/// The library's rows are below; a row of one's own is recorded by [`Var::unary`]:
///
/// ```
/// use lossgraph_autograd::{Tape, Unary};
/// use lossgraph_tensor::map1;
///
/// static CUBE: Unary = Unary::new("cube", "x³", map1!(|x, _p| x * x * x))
///     .vjp(|g, x, _, _| g * (x.square() * 3.0));
///
/// let tape = Tape::f64();
/// let x = tape.variable(2.0);
/// let gradients = x.unary(&CUBE, [0.0; 2]).backward()?;
/// assert_eq!((gradients.loss(), gradients.of(x).unwrap().item()?), (8.0, 12.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unary {
    /// The name in listings.
    pub name: &'static str,
    /// The formula, as text.
    pub formula: &'static str,
    /// The slice kernels for both float types: see [`map1!`](lossgraph_tensor::map1).
    pub kernel: Map1,
    /// The rule; `None` for a function that is flat wherever it has a derivative.
    pub vjp: Option<UnaryRule>,
    /// Where checks draw their inputs from.
    pub domain: [f64; 2],
    /// Parameters for checks.
    pub sample: [f64; 2],
    /// The points without a derivative.
    pub kinks: &'static [Kink],
    /// The function of integers, if it has integers as results: with parameters that are whole, or
    /// infinite. Of other functions, integers become floats.
    pub integers: Option<Integers1>,
    /// Cost, notation, and so on.
    pub facts: Facts,
}

impl Unary {
    /// A function that is flat wherever it has a derivative, until [`vjp`](Unary::vjp) says
    /// otherwise; checked between −3 and 3.
    pub const fn new(name: &'static str, formula: &'static str, kernel: Map1) -> Unary {
        let facts = Facts::DEFAULT;
        let (domain, sample) = ([-3.0, 3.0], [0.0; 2]);
        let (vjp, integers) = (None, None);
        Unary { name, formula, kernel, vjp, domain, sample, kinks: &[], integers, facts }
    }

    /// With a rule.
    pub const fn vjp(self, vjp: UnaryRule) -> Unary {
        Unary { vjp: Some(vjp), ..self }
    }

    /// With another interval for checks.
    pub const fn domain(self, low: f64, high: f64) -> Unary {
        Unary { domain: [low, high], ..self }
    }

    /// With parameters for checks.
    pub const fn sample(self, p: [f64; 2]) -> Unary {
        Unary { sample: p, ..self }
    }

    /// With points that have no derivative.
    pub const fn kinks(self, kinks: &'static [Kink]) -> Unary {
        Unary { kinks, ..self }
    }

    /// With integers as results for integers; what leaves them wraps.
    pub const fn integers(self, integers: Integers1) -> Unary {
        Unary { integers: Some(integers), ..self }
    }

    /// As cheap as reading its operand: the planner may compute it twice.
    pub const fn cheap(self) -> Unary {
        Unary { facts: Facts { cost: Cost::Cheap, ..self.facts }, ..self }
    }

    /// Written in another way than `name(x)`.
    pub const fn written(self, notation: Notation) -> Unary {
        Unary { facts: Facts { notation, ..self.facts }, ..self }
    }

    /// Never rounded.
    pub const fn exact(self) -> Unary {
        Unary { facts: Facts { exact: true, ..self.facts }, ..self }
    }

    /// 0 for a finite operand other than 0 only because of underflow.
    pub const fn zero_by_underflow(self) -> Unary {
        Unary { facts: Facts { zero_by_underflow: true, ..self.facts }, ..self }
    }

    /// Never negative, and never −0.
    pub const fn positive(self) -> Unary {
        Unary { facts: Facts { sign: Sign::Positive, ..self.facts }, ..self }
    }

    /// Neither of the two where the operand is neither.
    pub const fn positive_of_positive(self) -> Unary {
        Unary { facts: Facts { sign: Sign::PositiveOfPositive, ..self.facts }, ..self }
    }

    /// With the reason why no slope comes back where none does; `{x}` stands for the operand.
    pub const fn zero_slope(self, why: &'static [&'static str; 1]) -> Unary {
        Unary { facts: Facts { zero_slope: why, ..self.facts }, ..self }
    }
}

/// A row with its parameters.
#[derive(Clone, Copy, PartialEq, Hash, Debug)]
pub(crate) struct UnaryOp {
    pub row: RowRef<Unary>,
    pub p: [Number; 2],
}

impl UnaryOp {
    pub fn new(row: &'static Unary, p: [f64; 2]) -> UnaryOp {
        UnaryOp { row: RowRef(row), p: p.map(Number) }
    }
}

impl Family for UnaryOp {
    fn name(&self) -> &'static str {
        self.row.0.name
    }

    fn attributes(&self) -> String {
        // A sample has a parameter where the row has one.
        let count = self.row.0.sample.iter().rposition(|&p| p != 0.0).map_or(0, |last| last + 1);
        listed(self.p[..count].iter().map(|p| number(p.0)))
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        self.row.0.vjp.is_some()
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        match self.row.0.vjp {
            Some(vjp) => one(vjp(rule.g, rule.inputs[0], rule.y, self.p.map(|p| p.0))),
            None => none(),
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        let p = self.p.map(|p| p.0);
        match (self.row.0.integers, inputs[0].dtype()) {
            (Some(integers), DType::I64) => kernels::map_integers(integers, inputs[0], p, out),
            _ => kernels::map1(&self.row.0.kernel, inputs[0], p, out),
        }
    }

    fn facts(&self) -> Facts {
        self.row.0.facts
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        at.map()
    }
}

impl<'t> Var<'t> {
    /// Records a row of the unary table. For rows of one's own; the library's have methods.
    #[track_caller]
    pub fn unary(self, row: &'static Unary, p: [f64; 2]) -> Var<'t> {
        if p.iter().any(|p| p.is_nan()) && !self.is_faulty() {
            let fault = Fault::new(row.name, "a parameter is NaN").operand("input", self);
            return self.tape().fault(fault);
        }
        let whole = p.iter().all(|p| p.fract() == 0.0 || p.is_infinite());
        let x = if row.integers.is_some() && whole { self } else { self.to_float() };
        self.tape().record(Op::Unary(UnaryOp::new(row, p)), &[x], x.shape(), x.dtype())
    }
}

/// One section: the docs, the method, and the row.
macro_rules! unary {
    (
        $(#[$doc:meta])*
        fn $method:ident($($arg:ident),*) = $row:ident {
            formula: $formula:literal,
            value: $($specialized:ident:)? |$x:ident, $p:ident| $value:expr $(, where $near:expr => $plain:expr)?,
            vjp: $vjp:expr,
            domain: $domain:expr
            $(, sample: $sample:expr)?
            $(, facts: $($fact:ident($($value_of:expr),*)).+)?
            $(, kink: $at:literal, $here:expr, $input:expr, $slope:literal, $because:literal)*
            $(,)?
        }
    ) => {
        #[doc = concat!("`", stringify!($method), "`: ", $formula, ".")]
        pub static $row: Unary = Unary {
            vjp: $vjp,
            domain: $domain,
            $(sample: $sample,)?
            kinks: &[$(Kink {
                at: $at, here: $here, input: [$input, 0.0], slope: [$slope, 0.0], because: $because,
            }),*],
            ..Unary::new(
                stringify!($method),
                $formula,
                map1!($($specialized:)? |$x, $p| $value $(, where $near => $plain)?),
            )
            $($(.$fact($($value_of),*))+)?
        };

        impl<'t> Var<'t> {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(self $(, $arg: f64)*) -> Var<'t> {
                let p: &[f64] = &[$($arg),*];
                self.unary(&$row, [p.first().copied().unwrap_or(0.0), p.get(1).copied().unwrap_or(0.0)])
            }
        }
    };
}

pub(super) use unary;
