//! Arithmetic: constants are folded; signs and constant factors move outward, to where they cost
//! least.

use lossgraph_tensor::{DType, Tensor};

use super::Dag;
use crate::graph::{Id, Inputs};
use crate::op::{Number, Op, Static};
use crate::ops::binary::{ADD, Binary, DIV, MUL, SIGMOID_BY, SOFTPLUS_BY, SUB};
use crate::ops::unary::{EXP_NEG_ABS, NEG, RECIP, SIGMOID, SOFTPLUS, Unary};

impl Dag {
    pub(super) fn unary(&mut self, row: &'static Unary, p: [Number; 2], x: Id) -> Id {
        let (shape, dtype) = (self.shape(x), self.node(x).dtype);
        let op = Op::Unary(Static(row), p);
        if let Some(value) = self.as_fill(x).and_then(|x| evaluate(&op, &[x], dtype)) {
            return self.fill(value, &shape);
        }
        if let Some(base) = self.as_expand(x) {
            let narrow = self.unary(row, p, base);
            return self.expand(narrow, &shape);
        }
        if std::ptr::eq(row, &NEG) {
            if let Some(inner) = self.as_unary(x, &NEG) {
                return inner;
            }
            if let Some([a, b]) = self.as_binary(x, &SUB) {
                return self.binary(&SUB, b, a);
            }
            if let Some([a, factor]) = self.as_binary(x, &MUL)
                && self.is_broadcast(factor)
            {
                let factor = self.neg(factor);
                return self.mul(a, factor);
            }
        }
        // σ and softplus of x, and those of −x, have e^(−|x|) in common.
        for (of_x, by) in [(&SIGMOID, &SIGMOID_BY), (&SOFTPLUS, &SOFTPLUS_BY)] {
            if std::ptr::eq(row, of_x) {
                let either = self.as_unary(x, &NEG).unwrap_or(x);
                let e = self.unary(&EXP_NEG_ABS, p, either);
                return self.binary(by, x, e);
            }
        }
        self.push(op, Inputs::from_slice(&[x]), &shape, dtype)
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

    pub(super) fn neg(&mut self, x: Id) -> Id {
        self.unary(&NEG, [Number(0.0); 2], x)
    }

    pub(super) fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(&MUL, a, b)
    }

    pub(super) fn binary(&mut self, row: &'static Binary, a: Id, b: Id) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        let op = Op::Binary(Static(row));
        let fills = self.as_fill(a).zip(self.as_fill(b));
        if let Some(value) = fills.and_then(|(a, b)| evaluate(&op, &[a, b], dtype)) {
            return self.fill(value, &shape);
        }
        if self.is_broadcast(a)
            && self.is_broadcast(b)
            && let Some(narrow) = self.narrowed(&[a, b])
        {
            let (a, b) = (self.narrow(a, &narrow), self.narrow(b, &narrow));
            let result = self.binary(row, a, b);
            return self.expand(result, &shape);
        }
        let rewritten = if std::ptr::eq(row, &ADD) {
            self.sum_of(a, b)
        } else if std::ptr::eq(row, &SUB) {
            self.difference_of(a, b)
        } else if std::ptr::eq(row, &MUL) {
            self.product_of(a, b)
        } else if std::ptr::eq(row, &DIV) {
            self.quotient_of(a, b)
        } else {
            None
        };
        rewritten.unwrap_or_else(|| {
            // One order for both, so that equal products and sums are found to be equal.
            let commutes = std::ptr::eq(row, &ADD) || std::ptr::eq(row, &MUL);
            let turned = commutes && (self.is_broadcast(a), a) > (self.is_broadcast(b), b);
            let operands = if turned { [b, a] } else { [a, b] };
            self.push(op, Inputs::from_slice(&operands), &shape, dtype)
        })
    }

    fn sum_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(0.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(0.0) {
            return Some(b);
        }
        if a == b {
            let two = self.fill(2.0, &self.shape(a));
            return Some(self.mul(a, two));
        }
        if let Some(b) = self.as_negative_term(b) {
            return Some(self.binary(&SUB, a, b));
        }
        if let Some(a) = self.as_negative_term(a) {
            return Some(self.binary(&SUB, b, a));
        }
        None
    }

    fn difference_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(0.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(0.0) {
            return Some(self.neg(b));
        }
        let b = self.as_negative_term(b)?;
        Some(self.binary(&ADD, a, b))
    }

    fn product_of(&mut self, a: Id, b: Id) -> Option<Id> {
        // What is broadcast stands on the right from here on.
        let (a, b) = if self.is_broadcast(a) { (b, a) } else { (a, b) };
        if self.as_fill(b) == Some(1.0) {
            return Some(a);
        }
        if self.as_fill(b) == Some(-1.0) {
            return Some(self.neg(a));
        }
        // A negation goes where it costs least: into a broadcast factor, else out of the product.
        match [self.is_broadcast(a), self.is_broadcast(b)] {
            [false, true] => {
                if let Some(a) = self.as_negative(a) {
                    let b = self.neg(b);
                    return Some(self.mul(a, b));
                }
            }
            [false, false] => {
                for [x, other] in [[a, b], [b, a]] {
                    if let Some(x) = self.as_negative(x) {
                        let product = self.mul(x, other);
                        return Some(self.neg(product));
                    }
                }
            }
            _ => {}
        }
        if self.is_broadcast(b) {
            // (x · s) · t = x · (s · t), where s · t is the smaller product.
            let [x, inner] = self.as_binary(a, &MUL)?;
            if !self.is_broadcast(inner) {
                return None;
            }
            let factor = self.mul(inner, b);
            return self.is_broadcast(factor).then(|| self.mul(x, factor));
        }
        // (x or 0) · (y or 0) = (x · y or 0), where one mask chooses in both.
        if let Some((mask, [x, y])) = self
            .masked(a)
            .zip(self.masked(b))
            .and_then(|(a, b)| (a.0 == b.0).then_some((a.0, [a.1, b.1])))
        {
            let product = self.mul(x, y);
            let zero = self.fill(0.0, &self.shape(product));
            return Some(self.select([mask, product, zero]));
        }
        // (x · s) · y = (x · y) · s for a number s.
        for [scaled, other] in [[a, b], [b, a]] {
            if let Some([x, factor]) = self.as_binary(scaled, &MUL)
                && self.is_number(factor)
            {
                let product = self.mul(x, other);
                return Some(self.mul(product, factor));
            }
        }
        None
    }

    /// Whether a value is one number, known or not, everywhere.
    fn is_number(&self, id: Id) -> bool {
        self.is_broadcast(id) && self.narrowest(id).iter().all(|&dim| dim == 1)
    }

    fn quotient_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(1.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(1.0) {
            return Some(self.unary(&RECIP, [Number(0.0); 2], b));
        }
        if let Some(a) = self.as_negative(a) {
            let quotient = self.binary(&DIV, a, b);
            return Some(self.neg(quotient));
        }
        // A single division stays as exact as it was written.
        if self.is_broadcast(b) && self.shape(a).len() > 1 {
            let reciprocal = self.unary(&RECIP, [Number(0.0); 2], b);
            return Some(self.mul(a, reciprocal));
        }
        None
    }
}

/// What an element-wise op makes of numbers, in its own precision.
fn evaluate(op: &Op, inputs: &[f64], dtype: DType) -> Option<f64> {
    let scalar = |x: f64| Tensor::full((), x, dtype).ok();
    let inputs: Vec<Tensor> = inputs.iter().filter_map(|&x| scalar(x)).collect();
    let mut out = scalar(0.0)?;
    op.compute(&inputs.iter().collect::<Vec<_>>(), &mut out).ok()?;
    out.item().ok()
}
