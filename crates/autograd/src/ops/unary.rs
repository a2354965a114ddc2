//! Element-wise functions of one tensor. Each section is a row: what it computes, and its rule.

use lossgraph_tensor::kernels::{self, Integers1, Map1};
use lossgraph_tensor::{DType, Tensor, map1};

use super::Kink;
use super::facts::Precedence::{self, Atom, Power, Product};
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
    /// The slice kernels for both float types: see [`map1`].
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

/// `x²`, flat where it overflows: for a slope that is 0 there, and of which the slope is 0 as well,
/// although its formula is 0 times `x`.
pub(super) fn flat_square(x: Var<'_>) -> Var<'_> {
    let largest = if x.tape().dtype() == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
    let bound = 2.0 * largest.sqrt();
    x.clamp(-bound, bound).square()
}

/// One section: the docs, the method, and the row.
macro_rules! unary {
    (
        $(#[$doc:meta])*
        fn $method:ident($($arg:ident),*) = $row:ident {
            formula: $formula:literal,
            value: $($compact:ident)? |$x:ident, $p:ident| $value:expr $(, where $near:expr => $plain:expr)?,
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
                map1!($($compact)? |$x, $p| $value $(, where $near => $plain)?),
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

/// `neg`: −x. The operator `-x` records it.
pub static NEG: Unary = Unary::new("neg", "−x", map1!(|x, _p| -x))
    .vjp(|g, _, _, _| -g)
    .integers(|x, _| x.wrapping_neg())
    .cheap()
    .exact()
    .written(Notation::unary("−a", Precedence::Sign, Power));

unary! {
    /// The reciprocal, `1/x`; slope `−1/x²`.
    #[doc(alias = "reciprocal")]
    fn recip() = RECIP {
        formula: "1/x",
        value: |x, _p| T::ONE / x,
        vjp: Some(|g, _, y, _| -g * y.square()),
        domain: [0.3, 3.0],
        facts: positive_of_positive().cheap().zero_by_underflow().written(Notation::unary("1 / a", Product, Precedence::Sign)),
    }
}

unary! {
    /// The square, `x²`; slope `2x`.
    fn square() = SQUARE {
        formula: "x²",
        value: |x, _p| x * x,
        // The factor meets g first: what x is multiplied with is one number where g is.
        vjp: Some(|g, x, _, _| (g * 2.0) * x),
        domain: [-3.0, 3.0],
        facts: positive().cheap().integers(|x, _| x.wrapping_mul(x)).zero_by_underflow().written(Notation::unary("a²", Power, Atom)),
    }
}

unary! {
    /// The square root, `√x`; slope `1/(2√x)`, which is infinite at 0.
    fn sqrt() = SQRT {
        formula: "√x",
        value: |x, _p| x.sqrt(),
        vjp: Some(|g, _, y, _| g * 0.5 / y),
        domain: [0.1, 4.0],
        facts: positive_of_positive().written(Notation::unary("√a", Power, Atom)),
    }
}

unary! {
    /// The reciprocal of the square root, `1/√x`; slope `−½ y³`.
    fn rsqrt() = RSQRT {
        formula: "1/√x",
        value: |x, _p| T::ONE / x.sqrt(),
        vjp: Some(|g, _, y, _| g * (y * y.square() * -0.5)),
        domain: [0.1, 4.0],
        facts: positive_of_positive().zero_by_underflow(),
    }
}

unary! {
    /// The power with a number as exponent, `xⁿ`; slope `n xⁿ⁻¹`, and 0 where `n = 0`.
    #[doc(alias = "pow")]
    #[doc(alias = "float_power")]
    fn powf(exponent) = POWF {
        formula: "xⁿ",
        value: compact |x, p| x.powf(p[0]),
        vjp: Some(|g, x, _, [n, _]| match n {
            0.0 => g.tape().fill(g.shape(), 0.0),
            1.0 => g,
            _ => g * (x.powf(n - 1.0) * n),
        }),
        domain: [0.2, 3.0],
        sample: [2.5, 0.0],
        facts: zero_by_underflow().written(Notation::unary("a^p", Power, Atom)),
    }
}

impl<'t> Var<'t> {
    /// The power with a whole number as exponent, `xⁿ`; slope `n xⁿ⁻¹`.
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Var<'t> {
        match u32::try_from(exponent) {
            Ok(2) => self.square(),
            Ok(exponent) if !self.dtype().is_float() => self.repeated_squares(exponent),
            _ => self.powf(exponent.into()),
        }
    }

    /// The power of an integer, by squares: it wraps as a product does.
    #[track_caller]
    fn repeated_squares(self, exponent: u32) -> Var<'t> {
        let (mut power, mut square, mut rest) =
            (self.tape().integers(self.shape(), 1), self, exponent);
        while rest > 0 {
            power = if rest % 2 == 1 { power * square } else { power };
            rest /= 2;
            square = if rest > 0 { square.square() } else { square };
        }
        power
    }
}

unary! {
    /// The absolute value, `|x|`; slope `signum(x)`, which is 0 at 0.
    #[doc(alias = "absolute")]
    fn abs() = ABS {
        formula: "|x|",
        value: |x, _p| x.abs(),
        vjp: Some(|g, x, _, _| g * x.signum()),
        domain: [-3.0, 3.0],
        facts: positive().cheap().integers(|x, _| x.wrapping_abs()).written(Notation::unary("|a|", Atom, Precedence::Comparison)),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "a minimum: 0 lies between the slopes −1 and 1",
    }
}

unary! {
    /// The sign: −1, 0 or 1; 0 for NaN. Its slope is 0.
    #[doc(alias = "sign")]
    #[doc(alias = "sgn")]
    fn signum() = SIGNUM {
        formula: "−1 if x < 0, 0 if x = 0, 1 if x > 0",
        value: |x, _p| x.signum0(),
        vjp: None,
        domain: [-3.0, 3.0],
        facts: cheap().integers(|x, _| x.signum()).written(Notation::Call("sign")),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// The largest whole number that is not above `x`. Its slope is 0.
    fn floor() = FLOOR {
        formula: "⌊x⌋",
        value: |x, _p| x.floor(),
        vjp: None,
        domain: [0.1, 0.9],
        facts: cheap().integers(|x, _| x),
        kink: "x whole", |[x, _], _| x == x.floor(), 1.0, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// The exponential, `eˣ`; slope `y`.
    fn exp() = EXP {
        formula: "eˣ",
        value: |x, _p| x.exp(),
        vjp: Some(|g, _, y, _| g * y),
        domain: [-3.0, 3.0],
        facts: positive().zero_by_underflow(),
    }
}

unary! {
    /// `eˣ − 1`, exact near 0; slope `y + 1`.
    #[doc(alias = "expm1")]
    fn exp_m1() = EXP_M1 {
        formula: "eˣ − 1",
        value: |x, _p| x.exp_m1(),
        vjp: Some(|g, _, y, _| g * (y + 1.0)),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The natural logarithm, `ln x`; slope `1/x`.
    #[doc(alias = "log")]
    fn ln() = LN {
        formula: "ln x",
        value: |x, _p| x.ln(),
        vjp: Some(|g, x, _, _| g / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// `ln(1 + x)`, exact near 0; slope `1/(1 + x)`.
    #[doc(alias = "log1p")]
    fn ln_1p() = LN_1P {
        formula: "ln(1 + x)",
        value: |x, _p| x.ln_1p(),
        vjp: Some(|g, x, _, _| g / (x + 1.0)),
        domain: [-0.7, 3.0],
    }
}

unary! {
    /// The sine; slope `cos x`.
    fn sin() = SIN {
        formula: "sin x",
        value: |x, _p| x.sin(), where x.is_near() => x.sin_near(),
        vjp: Some(|g, x, _, _| g * x.cos()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The cosine; slope `−sin x`.
    fn cos() = COS {
        formula: "cos x",
        value: |x, _p| x.cos(), where x.is_near() => x.cos_near(),
        vjp: Some(|g, x, _, _| -g * x.sin()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The tangent; slope `1 + y²`.
    fn tan() = TAN {
        formula: "tan x",
        value: compact |x, _p| x.tan(), where x.is_near() => x.tan_near(),
        vjp: Some(|g, _, y, _| g * (y.square() + 1.0)),
        domain: [-1.2, 1.2],
    }
}

unary! {
    /// The angle whose sine is `x`; slope `1/√(1 − x²)`.
    #[doc(alias = "arcsin")]
    fn asin() = ASIN {
        formula: "arcsin x",
        value: compact |x, _p| x.asin(),
        vjp: Some(|g, x, _, _| g * (1.0 - x.square()).rsqrt()),
        domain: [-0.9, 0.9],
    }
}

unary! {
    /// The angle whose cosine is `x`; slope `−1/√(1 − x²)`.
    #[doc(alias = "arccos")]
    fn acos() = ACOS {
        formula: "arccos x",
        value: compact |x, _p| x.acos(),
        vjp: Some(|g, x, _, _| -g * (1.0 - x.square()).rsqrt()),
        domain: [-0.9, 0.9],
    }
}

unary! {
    /// The angle whose tangent is `x`; slope `1/(1 + x²)`.
    #[doc(alias = "arctan")]
    fn atan() = ATAN {
        formula: "arctan x",
        value: compact |x, _p| x.atan(),
        vjp: Some(|g, x, _, _| g / (flat_square(x) + 1.0)),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The hyperbolic sine; slope `cosh x`.
    fn sinh() = SINH {
        formula: "sinh x",
        value: compact |x, _p| x.sinh(),
        vjp: Some(|g, x, _, _| g * x.cosh()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The hyperbolic cosine; slope `sinh x`.
    fn cosh() = COSH {
        formula: "cosh x",
        value: compact |x, _p| x.cosh(),
        vjp: Some(|g, x, _, _| g * x.sinh()),
        domain: [-3.0, 3.0],
        facts: positive(),
    }
}

unary! {
    /// The hyperbolic tangent; slope `1 − y²`, kept as `(1 − y)(1 + y)` for accuracy near ±1.
    fn tanh() = TANH {
        formula: "tanh x",
        value: |x, _p| x.tanh(),
        vjp: Some(|g, _, y, _| g * ((1.0 - y) * (1.0 + y))),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The logistic function, `σ(x) = 1/(1 + e⁻ˣ)`; slope `σ(x) σ(−x)`.
    ///
    /// The slope is not written as `y (1 − y)`, which is 0 as soon as `y` rounds to 1.
    #[doc(alias = "expit")]
    fn sigmoid() = SIGMOID {
        formula: "1/(1 + e⁻ˣ)",
        value: |x, _p| x.sigmoid(),
        vjp: Some(|g, x, y, _| g * (y * (-x).sigmoid())),
        domain: [-4.0, 4.0],
        facts: positive().zero_by_underflow().written(Notation::Call("σ")),
    }
}

unary! {
    /// `ln(1 + eˣ)`, without overflow; slope `σ(x)`. The smooth relu.
    fn softplus() = SOFTPLUS {
        formula: "ln(1 + eˣ)",
        value: |x, _p| x.softplus(),
        vjp: Some(|g, x, _, _| g * x.sigmoid()),
        domain: [-4.0, 4.0],
        facts: positive().zero_by_underflow(),
    }
}

/// A power of two that brings a number above 0 which is outside of a range near 1; 1 within the range,
/// for 0 and for what is not finite. A product with it is exact. It scales what does not depend on the
/// scale, and so has no slope.
pub(crate) static SCALE: Unary = Unary::new(
    "scale",
    "1 if a ≤ x ≤ b, else 2^−⌊log₂ x⌋",
    map1!(|x, p| {
        let inside = x >= p[0] && x <= p[1];
        if inside || !(x > T::ZERO && x < T::INFINITY) {
            T::ONE
        } else {
            let least = T::MIN_POSITIVE;
            T::ONE / x.max(least).min(T::ONE / least).power_of_two()
        }
    }),
)
.domain(0.1, 4.0)
.sample([0.5, 2.0]);

/// `e^(−|x|)`, which [`SIGMOID`] and [`SOFTPLUS`] have in common. Plans compute it once for both,
/// by [`SIGMOID_BY`](super::binary::SIGMOID_BY) and [`SOFTPLUS_BY`](super::binary::SOFTPLUS_BY);
/// no tape records it.
pub(crate) static EXP_NEG_ABS: Unary =
    Unary::new("exp_neg_abs", "e^(−|x|)", map1!(|x, _p| x.exp_neg_abs()))
        .domain(-4.0, 4.0)
        .positive();

unary! {
    /// The rectifier, `max(x, 0)`; slope 1 above 0, and 0 at 0 and below. NaN stays NaN, with
    /// slope 1.
    fn relu() = RELU {
        formula: "max(x, 0)",
        // Written so that NaN stays NaN.
        value: |x, _p| if x < T::ZERO { T::ZERO } else { x },
        // Where the output is not 0, NaN included.
        vjp: Some(|g, _, y, _| g * y.ne(0.0)),
        domain: [-3.0, 3.0],
        facts: positive_of_positive().cheap().integers(|x, _| x.max(0)).zero_slope(&["its input is {x}, and relu is flat there"]),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "the left slope",
    }
}

unary! {
    /// `x` above 0, `slope · x` at 0 and below.
    fn leaky_relu(slope) = LEAKY_RELU {
        formula: "x if x > 0, else s·x",
        value: |x, p| if x > T::ZERO { x } else { x * p[0] },
        vjp: Some(|g, x, _, [slope, _]| g * x.gt(0.0).select(1.0, slope)),
        domain: [-3.0, 3.0],
        sample: [0.2, 0.0],
        facts: cheap(),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.2, "the left slope s",
    }
}

unary! {
    /// `x` above 0, `alpha · (eˣ − 1)` at 0 and below; slope `alpha · eˣ` there, with all digits far
    /// below 0 as well.
    fn elu(alpha) = ELU {
        formula: "x if x > 0, else α(eˣ − 1)",
        value: |x, p| if x > T::ZERO { x } else { x.exp_m1() * p[0] },
        vjp: Some(|g, x, _, [alpha, _]| g * x.gt(0.0).select(1.0, x.exp() * alpha)),
        domain: [-3.0, 3.0],
        sample: [0.7, 0.0],
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.7, "the left slope α",
    }
}

unary! {
    /// The error function, `2/√π ∫₀ˣ e^(−t²) dt`; slope `2/√π e^(−x²)`.
    fn erf() = ERF {
        formula: "2/√π ∫₀ˣ e^(−t²) dt",
        value: |x, _p| x.erf(),
        vjp: Some(|g, x, _, _| g * ((-flat_square(x)).exp() * std::f64::consts::FRAC_2_SQRT_PI)),
        domain: [-2.0, 2.0],
    }
}

unary! {
    /// `1 − erf(x)`, accurate in the right tail; slope `−2/√π e^(−x²)`.
    fn erfc() = ERFC {
        formula: "1 − erf x",
        value: |x, _p| x.erfc(),
        vjp: Some(|g, x, _, _| g * ((-flat_square(x)).exp() * -std::f64::consts::FRAC_2_SQRT_PI)),
        domain: [-2.0, 2.0],
        facts: positive().zero_by_underflow(),
    }
}

/// `clamp`: min(max(x, a), b). [`Var::clamp`] records it for bounds that are numbers.
pub static CLAMP: Unary = Unary::new(
    "clamp",
    "min(max(x, a), b)",
    // The upper bound wins when the bounds cross, as in PyTorch; NaN stays NaN.
    map1!(|x, p| {
        let raised = if x < p[0] { p[0] } else { x };
        if raised > p[1] { p[1] } else { raised }
    }),
)
// A choice, not a product: what a bound holds back stays back even where g is infinite.
.vjp(|g, x, _, [low, high]| (x.gt(low) * x.lt(high)).select(g, 0.0))
.sample([-1.0, 1.5])
.kinks(&[
    Kink {
        at: "x = a",
        here: |[x, _], [a, _]| x == a,
        input: [-1.0, 0.0],
        slope: [0.0, 0.0],
        because: "the slope outside",
    },
    Kink {
        at: "x = b",
        here: |[x, _], [_, b]| x == b,
        input: [1.5, 0.0],
        slope: [0.0, 0.0],
        because: "the slope outside",
    },
])
.cheap()
.integers(|x, p| x.max(p[0] as i64).min(p[1] as i64))
.zero_slope(&["its input is {x}, and clamp is flat there"]);
