//! The rewrites of arithmetic, each with the equation that it applies: all that plans know of
//! single ops. [`Dag`] tries them in this order whenever it makes a node; a replacement is made by
//! the same functions, so that it is rewritten in turn.
//!
//! In the equations, s and t are constant along an axis.

use lossgraph_tensor::AxisSet;

use super::Dag;
use crate::ops::binary::{ADD, Binary, DIV, GT, LT, MUL, SIGMOID_BY, SOFTPLUS_BY, SUB};
use crate::ops::unary::{CLAMP, EXP_NEG_ABS, NEG, RECIP, SIGMOID, SOFTPLUS, Unary};
use crate::record::node::Id;

/// A rewrite of a node that computes `of`.
pub(super) struct Rewrite<Row: 'static, Operands> {
    pub of: &'static Row,
    /// The replacement, if the operands are such.
    pub apply: fn(&mut Dag, Operands) -> Option<Id>,
}

/// Rows of a table. The equation is for the reader.
macro_rules! rewrites {
    ($($of:ident $equation:literal |$dag:ident, $operands:pat_param| $replacement:expr;)*) => {
        &[$(Rewrite {
            of: &$of,
            apply: |$dag, $operands| $replacement,
        }),*]
    };
}

/// Of functions of one value.
pub(super) static UNARY: &[Rewrite<Unary, Id>] = rewrites! {
    NEG "−(−x) = x" |dag, x| dag.as_unary(x, &NEG);
    NEG "−(a − b) = b − a" |dag, x| {
        let [a, b] = dag.as_binary(x, &SUB)?;
        Some(dag.binary(&SUB, b, a))
    };
    NEG "−(x · s) = x · (−s)" |dag, x| {
        let [x, s] = dag.as_binary(x, &MUL).filter(|&[_, s]| dag.is_broadcast(s))?;
        let s = dag.neg(s);
        Some(dag.mul(x, s))
    };
    // σ and softplus of x, and those of −x, have e^(−|x|) in common.
    SIGMOID "σ(x) by e^(−|x|)" |dag, x| dag.by_exp_neg_abs(&SIGMOID_BY, x);
    SOFTPLUS "softplus(x) by e^(−|x|)" |dag, x| dag.by_exp_neg_abs(&SOFTPLUS_BY, x);
};

/// Of functions of two values. What is constant along an axis stands on the right of a product.
pub(super) static BINARY: &[Rewrite<Binary, [Id; 2]>] = rewrites! {
    ADD "x + 0 = x" |dag, [x, zero]| dag.is_fill_of(zero, 0.0).then_some(x);
    ADD "0 + x = x" |dag, [zero, x]| dag.is_fill_of(zero, 0.0).then_some(x);
    ADD "x + x = x · 2" |dag, [x, y]| (x == y).then(|| {
        let two = dag.fill(2.0, &dag.shape(x));
        dag.mul(x, two)
    });
    ADD "a + (−b) = a − b" |dag, [a, b]| {
        let b = dag.as_negative_term(b)?;
        Some(dag.binary(&SUB, a, b))
    };
    ADD "(−a) + b = b − a" |dag, [a, b]| {
        let a = dag.as_negative_term(a)?;
        Some(dag.binary(&SUB, b, a))
    };
    SUB "x − 0 = x" |dag, [x, zero]| dag.is_fill_of(zero, 0.0).then_some(x);
    SUB "0 − x = −x" |dag, [zero, x]| dag.is_fill_of(zero, 0.0).then(|| dag.neg(x));
    SUB "a − (−b) = a + b" |dag, [a, b]| {
        let b = dag.as_negative_term(b)?;
        Some(dag.binary(&ADD, a, b))
    };
    MUL "x · 1 = x" |dag, operands| {
        let [x, one] = dag.broadcast_last(operands);
        dag.is_fill_of(one, 1.0).then_some(x)
    };
    MUL "x · (−1) = −x" |dag, operands| {
        let [x, one] = dag.broadcast_last(operands);
        dag.is_fill_of(one, -1.0).then(|| dag.neg(x))
    };
    // A negation goes where it costs least: into a broadcast factor, else out of the product.
    MUL "(−x) · s = x · (−s)" |dag, operands| {
        let [x, s] = dag.broadcast_last(operands);
        let one_is = dag.is_broadcast(s) && !dag.is_broadcast(x);
        let x = if one_is { dag.as_negative(x)? } else { return None };
        let s = dag.neg(s);
        Some(dag.mul(x, s))
    };
    MUL "(−x) · y = −(x · y)" |dag, [a, b]| {
        let none_is = !dag.is_broadcast(a) && !dag.is_broadcast(b);
        [[a, b], [b, a]].into_iter().filter(|_| none_is).find_map(|[x, y]| {
            let x = dag.as_negative(x)?;
            let product = dag.mul(x, y);
            Some(dag.neg(product))
        })
    };
    MUL "(x · s) · t = x · (s · t)" |dag, operands| {
        let [product, t] = dag.broadcast_last(operands);
        let [x, s] = dag.as_binary(product, &MUL)?;
        let smaller = dag.is_broadcast(s) && dag.is_broadcast(t);
        let factor = if smaller { dag.mul(s, t) } else { return None };
        dag.is_broadcast(factor).then(|| dag.mul(x, factor))
    };
    MUL "(m ? x : 0) · (m ? y : 0) = m ? x · y : 0" |dag, [a, b]| {
        let none_is = !dag.is_broadcast(a) && !dag.is_broadcast(b);
        let ((mask, x), (other, y)) = dag.masked(a).zip(dag.masked(b)).filter(|_| none_is)?;
        (mask == other).then(|| {
            let product = dag.mul(x, y);
            let zero = dag.fill(0.0, &dag.shape(product));
            dag.select([mask, product, zero])
        })
    };
    MUL "(x · s) · y = (x · y) · s for a number s" |dag, [a, b]| {
        let none_is = !dag.is_broadcast(a) && !dag.is_broadcast(b);
        [[a, b], [b, a]].into_iter().filter(|_| none_is).find_map(|[scaled, y]| {
            let [x, s] = dag.as_binary(scaled, &MUL).filter(|&[_, s]| dag.is_number(s))?;
            let product = dag.mul(x, y);
            Some(dag.mul(product, s))
        })
    };
    DIV "x / 1 = x" |dag, [x, one]| dag.is_fill_of(one, 1.0).then_some(x);
    DIV "1 / x = recip(x)" |dag, [one, x]| {
        dag.is_fill_of(one, 1.0).then(|| dag.unary(&RECIP, [0.0; 2], x))
    };
    DIV "(−a) / b = −(a / b)" |dag, [a, b]| {
        let a = dag.as_negative(a)?;
        let quotient = dag.binary(&DIV, a, b);
        Some(dag.neg(quotient))
    };
    // A single division stays as exact as it was written.
    DIV "x / s = x · (1 / s)" |dag, [x, s]| {
        (dag.is_broadcast(s) && dag.shape(x).len() > 1).then(|| {
            let reciprocal = dag.unary(&RECIP, [0.0; 2], s);
            dag.mul(x, reciprocal)
        })
    };
};

/// Of sums along axes of what computes `of`.
pub(super) static SUM_OF_UNARY: &[Rewrite<Unary, (AxisSet, Id)>] = rewrites! {
    NEG "Σ (−x) = −Σ x" |dag, (axes, x)| {
        let x = dag.as_unary(x, &NEG)?;
        let sum = dag.sum(axes, x);
        Some(dag.neg(sum))
    };
};

/// Of sums along axes of what computes `of`.
pub(super) static SUM_OF_BINARY: &[Rewrite<Binary, (AxisSet, Id)>] = rewrites! {
    MUL "Σ (x · s) = (Σ x) · s, where s is constant along the axes" |dag, (axes, product)| {
        let [x, s] = dag.as_binary(product, &MUL)?;
        let narrow = dag.narrowest(s);
        let constant = dag.is_broadcast(s) && axes.iter().all(|axis| narrow[axis] == 1);
        if !constant || dag.shape(product).contains(&0) {
            return None;
        }
        let sum = dag.sum(axes, x);
        let s = dag.narrow(s, &dag.shape(sum));
        Some(dag.mul(sum, s))
    };
};

impl Dag {
    /// A function of x by `e^(−|x|)`, which is that of −x, too.
    fn by_exp_neg_abs(&mut self, by: &'static Binary, x: Id) -> Option<Id> {
        let either = self.as_unary(x, &NEG).unwrap_or(x);
        let e = self.unary(&EXP_NEG_ABS, [0.0; 2], either);
        Some(self.binary(by, x, e))
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

    pub(super) fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(&MUL, a, b)
    }

    /// Whether `f(x) − f(clamp(x))` is what the mask of this clamp chooses: between the bounds both
    /// are the same. It is what the slope of a bound leaves over where the bound is the best one,
    /// as in Huber's loss, which is the largest `c · x − c²/2` of all c within the bounds.
    pub(super) fn cancels(&self, mask: Id, x: Id) -> bool {
        let Some(clamp) = self.as_between(mask) else { return false };
        let Some([mut a, mut b]) = self.as_binary(x, &SUB) else { return false };
        while !(self.is_clamp(a, b, clamp) || self.is_clamp(b, a, clamp)) {
            // Products are compared without the factors that they share.
            let factors = self.as_binary(a, &MUL).zip(self.as_binary(b, &MUL));
            (a, b) = match factors {
                Some(([p, q], [r, s])) if p == r => (q, s),
                Some(([p, q], [r, s])) if p == s => (q, r),
                Some(([p, q], [r, s])) if q == r => (p, s),
                Some(([p, q], [r, s])) if q == s => (p, r),
                _ => return false,
            };
        }
        true
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
        of == x && self.as_unary(id, &CLAMP) == Some(x) && self.parameters(id) == Some(bounds)
    }
}
