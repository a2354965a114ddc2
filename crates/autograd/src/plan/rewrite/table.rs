//! The rewrites of arithmetic, each with the equation that it applies: all that plans know of
//! single ops. [`Dag`] tries them in this order whenever it makes a node; a replacement is made by
//! the same functions, so that it is rewritten in turn.
//!
//! In the equations, s is constant along an axis. Both sides of each are the same bit for bit,
//! whatever the numbers; a test tries all that are extreme.

use lossgraph_tensor::DType;

use super::Dag;
use super::scatter::pooled_slope;
use crate::ops::activation::{EXP_NEG_ABS, SIGMOID, SOFTPLUS};
use crate::ops::arithmetic::{NEG, RECIP};
use crate::ops::binary::{ADD, Binary, DIV, EQ, GT, LT, MUL, NE, SIGMOID_BY, SOFTPLUS_BY, SUB};
use crate::ops::clamp::CLAMP;
use crate::ops::unary::Unary;
use crate::record::node::Id;
use crate::record::var::Var;

/// What a rewrite of the planner applies. Both sides are the same bit for bit, whatever the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Equation {
    /// Both sides: `x − 0 = x`.
    pub text: &'static str,
    /// Records the left side, of an x, a y, and an s that is constant along an axis.
    pub left: for<'t> fn([Var<'t>; 3]) -> Var<'t>,
}

/// The equations of all rewrites.
pub(crate) fn equations() -> impl Iterator<Item = Equation> {
    let unary = UNARY.iter().map(|rewrite| rewrite.equation);
    unary.chain(BINARY.iter().map(|rewrite| rewrite.equation))
}

/// A rewrite of a node that computes `of`.
pub(super) struct Rewrite<Row: 'static, Operands> {
    pub of: &'static Row,
    equation: Equation,
    /// The replacement, if the operands are such.
    apply: fn(&mut Dag, Operands) -> Option<Id>,
}

impl<Row, Operands> Rewrite<Row, Operands> {
    /// The replacement, if the operands are such.
    pub fn applied(&self, dag: &mut Dag, operands: Operands) -> Option<Id> {
        let replacement = (self.apply)(dag, operands)?;
        if !dag.applied.contains(&self.equation.text) {
            dag.applied.push(self.equation.text);
        }
        Some(replacement)
    }
}

/// Rows of a table: the equation, for the reader; its left side, for the test; the replacement.
macro_rules! rewrites {
    ($(
        $of:ident $equation:literal: |$vars:pat_param| $left:expr;
        |$dag:ident, $operands:pat_param| $replacement:expr;
    )*) => {
        &[$(Rewrite {
            of: &$of,
            equation: Equation { text: $equation, left: |$vars| $left },
            apply: |$dag, $operands| $replacement,
        }),*]
    };
}

/// What compares with 0, and whether it is set where its argument is 0: that is a mask by itself, or the
/// opposite of one.
pub(super) static ZERO_TESTS: [(&Binary, bool); 2] = [(&NE, false), (&EQ, true)];

/// Of functions of one value.
pub(super) static UNARY: &[Rewrite<Unary, Id>] = rewrites! {
    NEG "−(−x) = x": |[x, ..]| -(-x);
    |dag, x| dag.as_unary(x, &NEG);

    NEG "−(x · s) = x · (−s)": |[x, _, s]| -(x * s);
    |dag, x| {
        let [x, s] = dag.as_binary(x, &MUL).filter(|&[_, s]| dag.is_broadcast(s))?;
        let s = dag.neg(s);
        Some(dag.mul(x, s))
    };

    // σ and softplus of x, and those of −x, have e^(−|x|) in common.
    SIGMOID "σ(x) by e^(−|x|)": |[x, ..]| x.sigmoid() * (-x).sigmoid();
    |dag, x| dag.by_exp_neg_abs(&SIGMOID_BY, x);

    SOFTPLUS "softplus(x) by e^(−|x|)": |[x, ..]| x.softplus() * (-x).softplus();
    |dag, x| dag.by_exp_neg_abs(&SOFTPLUS_BY, x);
};

/// Of functions of two values. What is constant along an axis stands on the right of a product.
pub(super) static BINARY: &[Rewrite<Binary, [Id; 2]>] = rewrites! {
    ADD "x + (−0) = x": |[x, ..]| x + -0.0;
    |dag, [x, zero]| dag.is_fill_of(zero, -0.0).then_some(x);

    ADD "(−0) + x = x": |[x, ..]| -0.0 + x;
    |dag, [zero, x]| dag.is_fill_of(zero, -0.0).then_some(x);

    ADD "x + 0 = x for an x that is never −0": |[x, ..]| x.square() + 0.0;
    |dag, [x, zero]| dag.adds_nothing(x, zero).then_some(x);

    ADD "0 + x = x for an x that is never −0": |[x, y, _]| 0.0 + (x.abs() - y);
    |dag, [zero, x]| dag.adds_nothing(x, zero).then_some(x);

    ADD "x + x = x · 2": |[x, ..]| x + x;
    |dag, [x, y]| (x == y).then(|| {
        let two = dag.fill(2.0, &dag.shape(x));
        dag.mul(x, two)
    });

    ADD "x + (−y) = x − y": |[x, y, _]| x + -y;
    |dag, [a, b]| {
        let b = dag.as_negative_term(b)?;
        Some(dag.binary(&SUB, a, b))
    };

    ADD "(−x) + y = y − x": |[x, y, _]| x * -2.5 + y;
    |dag, [a, b]| {
        let a = dag.as_negative_term(a)?;
        Some(dag.binary(&SUB, b, a))
    };

    SUB "x − 0 = x": |[x, ..]| x - 0.0;
    |dag, [x, zero]| dag.is_fill_of(zero, 0.0).then_some(x);

    SUB "x − (−y) = x + y": |[x, _, s]| x - -s;
    |dag, [a, b]| {
        let b = dag.as_negative_term(b)?;
        Some(dag.binary(&ADD, a, b))
    };

    MUL "x · 1 = x": |[x, ..]| x * 1.0;
    |dag, operands| {
        let [x, one] = dag.broadcast_last(operands);
        dag.is_fill_of(one, 1.0).then_some(x)
    };

    MUL "x · (−1) = −x": |[x, ..]| x * -1.0;
    |dag, operands| {
        let [x, one] = dag.broadcast_last(operands);
        dag.is_fill_of(one, -1.0).then(|| dag.neg(x))
    };

    // A negation goes where it costs least: into a broadcast factor, else out of the product.
    MUL "(−x) · s = x · (−s)": |[x, _, s]| -x * s;
    |dag, operands| {
        let [x, s] = dag.broadcast_last(operands);
        let one_is = dag.is_broadcast(s) && !dag.is_broadcast(x);
        let x = if one_is { dag.as_negative(x)? } else { return None };
        let s = dag.neg(s);
        Some(dag.mul(x, s))
    };

    MUL "(−x) · y = −(x · y)": |[x, y, _]| -x * y;
    |dag, [a, b]| {
        let none_is = !dag.is_broadcast(a) && !dag.is_broadcast(b);
        [[a, b], [b, a]].into_iter().filter(|_| none_is).find_map(|[x, y]| {
            let x = dag.as_negative(x)?;
            let product = dag.mul(x, y);
            Some(dag.neg(product))
        })
    };

    MUL "(m ? x : 0) · (m ? y : 0) = m ? x · y : 0":
    |[x, y, s]| x.gt(s).select(x, 0.0) * x.gt(s).select(y, 0.0);
    |dag, [mut a, mut b]| {
        // Of masks inside of masks, all at once, down to a product that is known.
        let mut masks = vec![];
        while !dag.masked_products.contains_key(&(a, b))
            && !dag.is_broadcast(a)
            && !dag.is_broadcast(b)
            && let Some(((mask, x), (other, y))) = dag.masked(a).zip(dag.masked(b))
            && mask == other
        {
            masks.push((mask, (a, b)));
            (a, b) = (x, y);
        }
        let known = dag.masked_products.get(&(a, b)).copied();
        if masks.is_empty() {
            return known;
        }
        let mut product = known.unwrap_or_else(|| dag.mul(a, b));
        let zero = dag.fill(0.0, &dag.shape(product));
        for (mask, factors) in masks.into_iter().rev() {
            product = dag.select([mask, product, zero]);
            dag.masked_products.insert(factors, product);
        }
        Some(product)
    };

    // The slope of a max pooling, which then goes into the relu before it.
    MUL "scatter(g, i) · (x ≠ 0) = scatter(g · (x[i] ≠ 0), i) for an i without repeats":
    |[x, y, _]| pooled_slope(x.relu(), y);
    |dag, operands| dag.masked_scatter(operands);

    DIV "x / 1 = x": |[x, ..]| x / 1.0;
    |dag, [x, one]| dag.is_fill_of(one, 1.0).then_some(x);

    DIV "1 / x = recip(x)": |[x, ..]| 1.0 / x;
    |dag, [one, x]| dag.is_fill_of(one, 1.0).then(|| dag.unary(&RECIP, [0.0; 2], x));

    DIV "(−x) / y = −(x / y)": |[x, y, _]| -x / y;
    |dag, [a, b]| {
        let a = dag.as_negative(a)?;
        let quotient = dag.binary(&DIV, a, b);
        Some(dag.neg(quotient))
    };

    DIV "x / 2ᵏ = x · 2⁻ᵏ": |[x, ..]| x / -0.25;
    |dag, [x, power]| {
        let reciprocal = dag.exact_reciprocal(dag.as_fill(power)?)?;
        let factor = dag.fill(reciprocal, &dag.shape(x));
        Some(dag.mul(x, factor))
    };
};

impl Dag {
    /// A function of x by `e^(−|x|)`, which is that of −x, too.
    fn by_exp_neg_abs(&mut self, by: &'static Binary, x: Id) -> Option<Id> {
        let either = self.as_unary(x, &NEG).unwrap_or(x);
        let e = self.unary(&EXP_NEG_ABS, [0.0; 2], either);
        Some(self.binary(by, x, e))
    }

    /// Whether the sum with `zero` is x.
    fn adds_nothing(&self, x: Id, zero: Id) -> bool {
        self.is_fill_of(zero, 0.0) && self.is_never_negative_zero(x)
    }

    /// The reciprocal of a power of two, if it is a normal number of this program.
    fn exact_reciprocal(&self, power: f64) -> Option<f64> {
        let normal = |x: f64| match self.float {
            DType::F32 => (x as f32).is_normal(),
            _ => x.is_normal(),
        };
        let is_power = power.to_bits() << 12 == 0 && normal(power);
        Some(power.recip()).filter(|&reciprocal| is_power && normal(reciprocal))
    }

    /// The operands of a product, what is constant along an axis on the right.
    fn broadcast_last(&self, [a, b]: [Id; 2]) -> [Id; 2] {
        if self.is_broadcast(a) { [b, a] } else { [a, b] }
    }

    /// What a node is the negative of, if it is one, expanded or not.
    fn as_negative(&mut self, id: Id) -> Option<Id> {
        if let Some(base) = self.as_expand(id) {
            let inner = self.as_unary(base, &NEG)?;
            let shape = self.shape(id);
            return Some(self.expand(inner, &shape));
        }
        self.as_unary(id, &NEG)
    }

    /// What a term of a sum is the negative of: a product with a negative number is one, too. So
    /// equal terms of both signs become differences of equal products.
    fn as_negative_term(&mut self, id: Id) -> Option<Id> {
        if let Some([x, factor]) = self.as_binary(id, &MUL)
            && let Some(number) = self.as_fill(factor).filter(|&number| number < 0.0)
        {
            let factor = self.fill(-number, &self.shape(factor));
            return Some(self.mul(x, factor));
        }
        self.as_negative(id)
    }

    fn neg(&mut self, x: Id) -> Id {
        self.unary(&NEG, [0.0; 2], x)
    }

    pub(super) fn sum(&mut self, a: Id, b: Id) -> Id {
        self.binary(&ADD, a, b)
    }

    pub(super) fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(&MUL, a, b)
    }

    /// Whether `f · x − f · clamp(x)` is 0 where the mask of this clamp is set: between the bounds
    /// both products are the same, and their difference is 0 unless they are infinite or NaN. So f is
    /// a product of known numbers that no x between the bounds makes overflow. It is what the slope
    /// of a bound leaves over where the bound is the best one, as in Huber's loss, which is the
    /// largest `c · x − c²/2` of all c within the bounds.
    pub(super) fn cancels(&self, mask: Id, x: Id) -> bool {
        let Some(clamp) = self.as_between(mask) else { return false };
        let Some([mut a, mut b]) = self.as_binary(x, &SUB) else { return false };
        let [low, high] = clamp.1.map(f64::abs);
        // As large as the product, or a part of it, can be.
        let mut largest = low.max(high).max(1.0);
        while !(self.is_clamp(a, b, clamp) || self.is_clamp(b, a, clamp)) {
            // Products are compared without the factors that they share.
            let factors = self.as_binary(a, &MUL).zip(self.as_binary(b, &MUL));
            let shared = match factors {
                Some(([p, q], [r, s])) if p == r => (p, q, s),
                Some(([p, q], [r, s])) if p == s => (p, q, r),
                Some(([p, q], [r, s])) if q == r => (q, p, s),
                Some(([p, q], [r, s])) if q == s => (q, p, r),
                _ => return false,
            };
            let Some(factor) = self.as_fill(shared.0).filter(|factor| !factor.is_nan()) else {
                return false;
            };
            largest *= factor.abs().max(1.0);
            (a, b) = (shared.1, shared.2);
        }
        // Far enough from overflow that rounding does not count.
        largest < if self.float == DType::F32 { f64::from(f32::MAX) } else { f64::MAX } / 2.0
    }

    /// The x and the bounds of a mask `(x > low) · (x < high)`, which is the slope of a clamp.
    fn as_between(&self, mask: Id) -> Option<(Id, [f64; 2])> {
        let [a, b] = self.as_binary(mask, &MUL)?;
        [[a, b], [b, a]].into_iter().find_map(|[above, below]| {
            let ([x, low], [y, high]) =
                self.as_binary(above, &GT).zip(self.as_binary(below, &LT))?;
            let (low, high) = self.as_fill(low).zip(self.as_fill(high))?;
            (x == y).then_some((x, [low, high]))
        })
    }

    /// Whether a node is `of`, which is x, held within the bounds.
    fn is_clamp(&self, id: Id, of: Id, (x, bounds): (Id, [f64; 2])) -> bool {
        let rounded = |p: [f64; 2]| match self.float {
            DType::F32 => p.map(|p| f64::from(p as f32)),
            _ => p,
        };
        of == x
            && self.as_unary(id, &CLAMP) == Some(x)
            && self.parameters(id).is_some_and(|p| rounded(p) == bounds)
    }
}
