//! Element-wise functions of two tensors. Rules never mention broadcasting: what is broadcast is
//! expanded before, and the rule of `expand` is `sum_to`.

use lossgraph_tensor::kernels::{self, Integers2, Map2};
use lossgraph_tensor::{DType, Tensor, map2};

use super::Kink;
use super::facts::Precedence::{self, Atom, Comparison, Power, Product, Sum};
use super::facts::{Arithmetic, Cost, Element, Facts, Notation, Sign};
use super::family::{At, Cotangents, Family, Rule, none};
use super::table::{AROUND, CUBE, MASK, Row, Sample::Floats, two};
use crate::ops::op::{Op, RowRef};
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// The rule of a binary op for one of its inputs: the cotangent from `g` (that of `y`), both
/// inputs, and `y`.
pub type BinaryRule = for<'t> fn(g: Var<'t>, a: Var<'t>, b: Var<'t>, y: Var<'t>) -> Var<'t>;

/// A row of the table of element-wise functions `y = f(a, b)`. A row of one's own is recorded by
/// [`Var::binary`].
#[derive(Clone, Copy, Debug)]
pub struct Binary {
    /// The name in listings.
    pub name: &'static str,
    /// The formula, as text.
    pub formula: &'static str,
    /// The slice kernels for both float types: see [`map2`].
    pub kernel: Map2,
    /// A rule for each input; `None` for a function that is flat wherever it has a derivative.
    pub vjp: Option<[BinaryRule; 2]>,
    /// Where checks draw both inputs from.
    pub domain: [f64; 2],
    /// The points without a derivative.
    pub kinks: &'static [Kink],
    /// Whether `f(a, b) = f(b, a)`.
    pub commutes: bool,
    /// The function of integers, if it has one; of other functions, integers become floats.
    pub integers: Option<Integers2>,
    /// Cost, notation, and so on.
    pub facts: Facts,
}

impl Binary {
    /// A function that is flat wherever it has a derivative, until [`vjp`](Binary::vjp) says
    /// otherwise; as cheap as reading its operands; checked between −3 and 3.
    pub const fn new(name: &'static str, formula: &'static str, kernel: Map2) -> Binary {
        let facts = Facts { cost: Cost::Cheap, ..Facts::DEFAULT };
        let domain = [-3.0, 3.0];
        let (vjp, kinks, commutes, integers) = (None, &[], false, None);
        Binary { name, formula, kernel, vjp, domain, kinks, commutes, integers, facts }
    }

    /// With a rule for each input.
    pub const fn vjp(self, a: BinaryRule, b: BinaryRule) -> Binary {
        Binary { vjp: Some([a, b]), ..self }
    }

    /// With another interval for checks.
    pub const fn domain(self, low: f64, high: f64) -> Binary {
        Binary { domain: [low, high], ..self }
    }

    /// With points that have no derivative.
    pub const fn kinks(self, kinks: &'static [Kink]) -> Binary {
        Binary { kinks, ..self }
    }

    /// `f(a, b) = f(b, a)`.
    pub const fn commutes(self) -> Binary {
        Binary { commutes: true, ..self }
    }

    /// Exact for integers; what leaves them wraps.
    pub const fn integers(self, integers: Integers2) -> Binary {
        Binary { integers: Some(integers), ..self }
    }

    /// Not computed twice by the planner.
    pub const fn expensive(self) -> Binary {
        Binary { facts: Facts { cost: Cost::Expensive, ..self.facts }, ..self }
    }

    /// Written in another way than `name(a, b)`.
    pub const fn written(self, notation: Notation) -> Binary {
        Binary { facts: Facts { notation, ..self.facts }, ..self }
    }

    /// 0 for finite operands other than 0 only because of underflow.
    pub const fn zero_by_underflow(self) -> Binary {
        Binary { facts: Facts { zero_by_underflow: true, ..self.facts }, ..self }
    }

    /// Never negative, and never −0.
    pub const fn positive(self) -> Binary {
        Binary { facts: Facts { sign: Sign::Positive, ..self.facts }, ..self }
    }

    /// One of the four operations of arithmetic.
    pub const fn arithmetic(self, operation: Arithmetic) -> Binary {
        Binary { facts: Facts { arithmetic: Some(operation), ..self.facts }, ..self }
    }

    /// With the reasons why no slope comes back where none does; `{x}` stands for the operand.
    pub const fn zero_slope(self, why: &'static [&'static str; 2]) -> Binary {
        Binary { facts: Facts { zero_slope: why, ..self.facts }, ..self }
    }
}

/// A row in a program.
#[derive(Clone, Copy, PartialEq, Hash, Debug)]
pub(crate) struct BinaryOp(pub RowRef<Binary>);

impl Family for BinaryOp {
    fn name(&self) -> &'static str {
        self.0.0.name
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        self.0.0.vjp.is_some()
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let [a, b] = [rule.inputs[0], rule.inputs[1]];
        match self.0.0.vjp {
            Some(rules) => {
                (0..2).map(|i| rule.when(i, || rules[i](rule.g, a, b, rule.y))).collect()
            }
            None => none(),
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match (self.0.0.integers, inputs[0].dtype()) {
            (Some(integers), DType::I64) => {
                kernels::combine_integers(integers, inputs[0], inputs[1], out)
            }
            _ => kernels::map2(&self.0.0.kernel, inputs[0], inputs[1], out),
        }
    }

    fn facts(&self) -> Facts {
        self.0.0.facts
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        at.map()
    }
}

/// Records a row on two nodes, expanding them to their common shape.
#[track_caller]
pub(crate) fn record<'t>(row: &'static Binary, a: Var<'t>, b: Var<'t>) -> Var<'t> {
    let (tape, b) = (a.tape(), a.admit(row.name, b));
    let ([a, b], dtype) = promoted(row, a, b);
    let left = a.shape();
    let op = Op::Binary(BinaryOp(RowRef(row)));
    if b.has_shape(&left) || a.is_faulty() || b.is_faulty() {
        return tape.record(op, &[a, b], left, dtype);
    }
    match left.broadcast(&b.shape()) {
        Some(shape) => {
            let operands = [a.expand(shape.clone()), b.expand(shape.clone())];
            tape.record(op, &operands, shape, dtype)
        }
        None => tape.fault(
            Fault::new(row.name, "the shapes do not broadcast")
                .operand("left", a)
                .operand("right", b),
        ),
    }
}

/// Both operands as integers, if they are and the function has such a kernel, or else as floats;
/// and the type of the result.
#[track_caller]
fn promoted<'t>(row: &'static Binary, a: Var<'t>, b: Var<'t>) -> ([Var<'t>; 2], DType) {
    let float = a.tape().dtype();
    let integers = [a, b].map(|x| !x.dtype().is_float());
    if integers == [false; 2] {
        return ([a, b], float);
    }
    match row.integers {
        Some(Integers2::Number(_) | Integers2::Quotient(_)) if integers == [true; 2] => {
            ([a, b], DType::I64)
        }
        // The type of a mask does not depend on that of a number beside integers, so that a whole
        // one is compared exactly.
        Some(Integers2::Mask(_)) => match [a, b].map(Var::as_integers) {
            [Some(a), Some(b)] => ([a, b], float),
            _ => ([a, b].map(Var::to_float), float),
        },
        _ => ([a, b].map(Var::to_float), float),
    }
}

/// One section: the docs, the method, and the row.
macro_rules! binary {
    (
        $(#[$doc:meta])*
        fn $method:ident = $row:ident {
            formula: $formula:literal,
            value: $($specialized:ident:)? |$a:ident, $b:ident| $value:expr $(, where $near:expr => $plain:expr)?,
            vjp: $vjp:expr,
            domain: $domain:expr
            $(, facts: $($fact:ident($($value_of:expr),*)).+)?
            $(, kink: $at:literal, $here:expr, $input:expr, $slope:expr, $because:literal)*
            $(,)?
        }
    ) => {
        #[doc = concat!("`", stringify!($method), "`: ", $formula, ".")]
        pub static $row: Binary = Binary {
            vjp: $vjp,
            domain: $domain,
            kinks: &[$(Kink { at: $at, here: $here, input: $input, slope: $slope, because: $because }),*],
            ..Binary::new(
                stringify!($method),
                $formula,
                map2!($($specialized:)? |$a, $b| $value $(, where $near => $plain)?),
            )
            $($(.$fact($($value_of),*))+)?
        };

        impl<'t> Var<'t> {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(self, other: impl Operand<'t>) -> Var<'t> {
                self.binary(&$row, other)
            }
        }
    };
}

// The four operators: their methods are those of `std::ops`.

/// `add`: a + b.
pub static ADD: Binary = Binary::new("add", "a + b", map2!(specialized: |a, b| a + b))
    .vjp(|g, _, _, _| g, |g, _, _, _| g)
    .integers(Integers2::Number(i64::wrapping_add))
    .commutes()
    .arithmetic(Arithmetic::Sum)
    .written(Notation::binary("a + b", Sum, Sum, Sum));

/// `sub`: a − b.
pub static SUB: Binary = Binary::new("sub", "a − b", map2!(specialized: |a, b| a - b))
    .vjp(|g, _, _, _| g, |g, _, _, _| -g)
    .integers(Integers2::Number(i64::wrapping_sub))
    .arithmetic(Arithmetic::Difference)
    .written(Notation::binary("a − b", Sum, Sum, Product));

/// `mul`: a · b.
pub static MUL: Binary = Binary::new("mul", "a · b", map2!(specialized: |a, b| a * b))
    .vjp(|g, _, b, _| g * b, |g, a, _, _| g * a)
    .integers(Integers2::Number(i64::wrapping_mul))
    .commutes()
    .arithmetic(Arithmetic::Product)
    .zero_by_underflow()
    .zero_slope(&["it is multiplied by 0"; 2])
    .written(Notation::binary("a · b", Product, Product, Product));

/// `div`: a / b.
pub static DIV: Binary = Binary::new("div", "a / b", map2!(specialized: |a, b| a / b))
    .vjp(|g, _, b, _| g / b, |g, _, b, y| -g * y / b)
    .domain(0.4, 3.0)
    .arithmetic(Arithmetic::Quotient)
    .zero_by_underflow()
    .written(Notation::binary("a / b", Product, Product, Precedence::Sign));

binary! {
    /// The power `aᵇ`; slopes `b aᵇ⁻¹` (0 where `b = 0`) and `y ln a` (0 where `y = 0`).
    ///
    /// At `a = 0` a power with `b ≥ 0` counts as one that does not depend on `b`, in every order of
    /// derivative; so there, second slopes are `b (b − 1) aᵇ⁻²` by `a` twice, and else 0.
    #[doc(alias = "float_power")]
    fn pow = POW {
        formula: "aᵇ",
        value: |a, b| a.powf(b),
        vjp: Some([
            |g, a, b, _| {
                let b = exponent(a, b);
                let power = a.pow(b - 1.0);
                // 0 times what is not finite: of `1/a` for b = 0, which is the slope of this slope by b.
                let is_finite = power.abs().lt(f64::INFINITY);
                (b.eq(0.0) * is_finite.eq(0.0)).select(0.0, g * (b * power))
            },
            |g, a, b, y| (y.eq(0.0) + a.eq(0.0) * b.eq(0.0)).select(0.0, g * (y * a.ln())),
        ]),
        domain: [0.3, 2.5],
        facts: expensive().zero_by_underflow().written(Notation::binary("a^b", Power, Atom, Atom)),
        kink: "b = 0", |[_, b], _| b == 0.0, [2.0, 0.0], [0.0, std::f64::consts::LN_2], "aᵇ is 1 for every a",
        kink: "a = b = 0", |[a, b], _| a == 0.0 && b == 0.0, [0.0, 0.0], [0.0, 0.0], "0ᵇ jumps, and a⁰ is 1",
        kink: "a = 0 < b", |[a, b], _| a == 0.0 && b > 0.0, [0.0, 1.0], [1.0, 0.0], "0ᵇ is 0 for every b > 0",
    }
}

/// The exponent b of `aᵇ`; without a slope where `a = 0 ≤ b`. A number of the formula has none anyway.
fn exponent<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    match b.is_fill() {
        true => b,
        false => (a.eq(0.0) * b.ge(0.0)).select(b.detach(), b),
    }
}

binary! {
    /// The angle of the point with ordinate `self` and abscissa `other`, in radians. Its slopes are
    /// 0 at the origin, where every angle fits, and at infinity.
    #[doc(alias = "arctan2")]
    fn atan2 = ATAN2 {
        formula: "arctan a/b, in the quadrant of (b, a)",
        value: |a, b| a.atan2(b),
        vjp: Some([
            |g, a, b, _| g * at_distance(b, a, b),
            |g, a, b, _| -g * at_distance(a, a, b),
        ]),
        domain: [0.4, 3.0],
        facts: expensive(),
        kink: "a = b = 0", |[a, b], _| a == 0.0 && b == 0.0, [0.0, 0.0], [0.0, 0.0], "every angle fits",
    }
}

/// `x / (a² + b²)`; 0 where `a = b = 0`, and where one of both is infinite.
fn at_distance<'t>(x: Var<'t>, a: Var<'t>, b: Var<'t>) -> Var<'t> {
    // By the larger one first: squares overflow, and underflow, long before numbers do.
    let s = a.abs().maximum(b.abs()).detach();
    let outside = s.eq(0.0) + s.eq(f64::INFINITY);
    let s = outside.select(1.0, s);
    let square = (a / s).square() + (b / s).square();
    outside.select(0.0, x / s / outside.select(1.0, square) / s)
}

binary! {
    /// The larger of each pair; NaN if either is. The larger has slope 1; ties share, ½ each.
    ///
    /// To hold a tensor at a number without sharing, see [`Var::clamp`] and [`Var::relu`].
    fn maximum = MAXIMUM {
        formula: "max(a, b)",
        value: specialized: |a, b| a.max(b),
        vjp: Some([
            |g, a, b, _| g * ((a - b).signum() * 0.5 + 0.5),
            |g, a, b, _| g * ((b - a).signum() * 0.5 + 0.5),
        ]),
        domain: [-3.0, 3.0],
        facts: integers(Integers2::Number(i64::max)).zero_slope(&["it is {x}, and the other operand is taken"; 2]),
        kink: "a = b", |[a, b], _| a == b, [1.0, 1.0], [0.5, 0.5], "a tie is shared",
    }
}

binary! {
    /// The smaller of each pair; NaN if either is. The smaller has slope 1; ties share, ½ each.
    fn minimum = MINIMUM {
        formula: "min(a, b)",
        value: specialized: |a, b| a.min(b),
        vjp: Some([
            |g, a, b, _| g * ((b - a).signum() * 0.5 + 0.5),
            |g, a, b, _| g * ((a - b).signum() * 0.5 + 0.5),
        ]),
        domain: [-3.0, 3.0],
        facts: integers(Integers2::Number(i64::min)).zero_slope(&["it is {x}, and the other operand is taken"; 2]),
        kink: "a = b", |[a, b], _| a == b, [1.0, 1.0], [0.5, 0.5], "a tie is shared",
    }
}

binary! {
    /// `ln(eᵃ + eᵇ)`, without overflow; its slopes are the shares of both, see
    /// [`Var::exp_share`]. A sum of probabilities, in logarithms.
    ///
    /// Two times −∞, the sum of two impossible things, give −∞ with slopes 0.
    #[doc(alias = "logaddexp")]
    fn log_add_exp = LOG_ADD_EXP {
        formula: "ln(eᵃ + eᵇ)",
        value: |a, b| {
            // Equal infinities have no difference.
            let lesser = if a == b { T::ZERO } else { -(a - b).abs() };
            a.max(b) + lesser.softplus()
        },
        vjp: Some([|g, a, b, _| g * a.exp_share(b), |g, a, b, _| g * b.exp_share(a)]),
        domain: [-3.0, 3.0],
        facts: expensive(),
    }
}

binary! {
    /// The share of `eᵃ` in `eᵃ + eᵇ`, the softmax of two; 0 for an `a` of −∞, whatever `b`.
    fn exp_share = EXP_SHARE {
        formula: "eᵃ/(eᵃ + eᵇ)",
        value: |a, b| {
            let more = if a == b { T::ZERO } else { a - b };
            if a == T::NEG_INFINITY { T::ZERO } else { more.sigmoid() }
        },
        vjp: Some([
            |g, a, b, y| g * (y * b.exp_share(a)),
            |g, a, b, y| -g * (y * b.exp_share(a)),
        ]),
        domain: [-3.0, 3.0],
        facts: positive().zero_by_underflow(),
    }
}

pub(super) use binary;

/// A comparison: a mask of 0 and 1, without a slope.
macro_rules! comparison {
    ($method:ident $row:ident $sign:literal |$a:ident, $b:ident| $holds:expr) => {
        binary! {
            #[doc = concat!("1 where `self ", $sign, " other`, else 0; no slope.")]
            #[allow(
                clippy::should_implement_trait,
                reason = "the comparison of tensors is a tensor, not a bool"
            )]
            fn $method = $row {
                formula: $sign,
                value: specialized: |$a, $b| if $holds { T::ONE } else { T::ZERO },
                vjp: None,
                domain: [-3.0, 3.0],
                facts: positive().integers(Integers2::Mask(|$a, $b| $holds)).written(Notation::binary(concat!("a ", $sign, " b"), Comparison, Comparison, Sum)),
            }
        }
    };
}

comparison!(lt LT "<" |a, b| a < b);
comparison!(le LE "≤" |a, b| a <= b);
comparison!(gt GT ">" |a, b| a > b);
comparison!(ge GE "≥" |a, b| a >= b);
comparison!(eq EQ "=" |a, b| a == b);
comparison!(ne NE "≠" |a, b| a != b);

/// What plans make of `sigmoid` and `softplus` of `x`, given `e = e^(−|x|)`; no tape records them.
macro_rules! by_exp_neg_abs {
    ($row:ident $name:literal $method:ident) => {
        #[doc = concat!("`", $name, "`, given `e^(−|x|)`.")]
        pub(crate) static $row: Binary =
            Binary::new($name, concat!($name, " x, given e^(−|x|)"), map2!(|x, e| x.$method(e)))
                .domain(-4.0, 4.0)
                .expensive()
                .positive();
    };
}

by_exp_neg_abs!(SIGMOID_BY "sigmoid_by" sigmoid_by);
by_exp_neg_abs!(SOFTPLUS_BY "softplus_by" softplus_by);

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    two(&ADD, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] + x[1]),
    two(&SUB, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] - x[1]).torch("sub, subtract"),
    two(&MUL, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] * x[1]).torch("mul, multiply"),
    two(&DIV, &[CUBE, Floats(&[3, 1], DIV.domain)], |x| x[0] / x[1])
        .torch("div, divide, true_divide"),
    two(&POW, &[Floats(&[2, 3], POW.domain), Floats(&[3], POW.domain)], |x| x[0].pow(x[1]))
        .torch("pow"),
    two(&ATAN2, &[Floats(&[2, 3], ATAN2.domain), Floats(&[3], AROUND)], |x| x[0].atan2(x[1]))
        .torch("atan2, arctan2"),
    two(&MAXIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].maximum(x[1])),
    two(&MINIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].minimum(x[1])),
    two(&LOG_ADD_EXP, &[CUBE, Floats(&[4], AROUND)], |x| x[0].log_add_exp(x[1])).torch("logaddexp"),
    two(&EXP_SHARE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].exp_share(x[1]))
        .ours("the slope of `log_add_exp`"),
    two(&LT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].lt(x[1])).torch("lt, less").differs(MASK),
    two(&LE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].le(x[1]))
        .torch("le, less_equal")
        .differs(MASK),
    two(&GT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].gt(x[1])).torch("gt, greater").differs(MASK),
    two(&GE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ge(x[1]))
        .torch("ge, greater_equal")
        .differs(MASK),
    two(&EQ, &[CUBE, Floats(&[4], AROUND)], |x| x[0].eq(x[1])).differs(MASK),
    two(&NE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ne(x[1])).torch("ne, not_equal").differs(MASK),
];
