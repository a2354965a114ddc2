//! The arithmetic of an op or of its derivative rule, read off the ops that were recorded for it.

use std::fmt;

use lossgraph_autograd::Var;
use lossgraph_tensor::{Shape, Tensor};

use crate::number::signed;
use crate::op_facts::{Element, Notation, OpFacts, OperandElement, Precedence};

/// Arithmetic on the operands of an op.
///
/// Displayed with `a`, `b`, `c`, … for the inputs, `y` for the output and `g` for the output's
/// gradient; see [`Expression::text`] for other names, and [`Expression::text_at`] for numbers.
#[derive(Clone, Debug)]
pub enum Expression {
    /// An input, the output, or its gradient.
    Symbol(Role),
    /// A number of the rule itself.
    Constant(f64),
    /// An op applied to other expressions.
    Call(Call),
    /// More than is worth writing out.
    Elided,
}

/// An op applied to expressions.
#[derive(Clone, Debug)]
pub struct Call {
    op: OpFacts,
    operands: Vec<(Expression, Shape)>,
}

/// What a symbol of a rule stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An input of the op, counted from 0.
    Input(usize),
    /// Its output.
    Output,
    /// The gradient of the loss with respect to its output.
    Gradient,
}

/// How many ops of one rule are written out.
const MAX_OPS: usize = 40;

/// A piece of an expression as text, and how tightly it binds.
type Rendered = (String, Precedence);

/// The text of a symbol, of the element at an index or of the whole.
type Symbols<'a> = dyn Fn(Role, Option<&[usize]>) -> Option<Rendered> + 'a;

impl Expression {
    /// Reads what was recorded for `var`, down to the nodes that have a role.
    pub(crate) fn of(var: Var<'_>, roles: &[(usize, Role)]) -> Expression {
        read(var, roles, &mut { MAX_OPS })
    }

    /// As text, with a name for each symbol.
    ///
    /// Views that only repeat or regroup elements are not written: `g` stands for its broadcast,
    /// too.
    pub fn text(&self, name: &dyn Fn(Role) -> String) -> String {
        let rendered = self.render(None, &|role, _| Some((name(role), Precedence::Atom)));
        rendered.map_or_else(|| "…".to_owned(), |(text, _)| text)
    }

    /// The arithmetic of the element at an index with its numbers, given the value of each symbol:
    /// `0.5 · (3 · 2)`. `None` if it cannot be told element by element, or if there is no such
    /// element.
    pub fn text_at(
        &self,
        index: &[usize],
        value: &dyn Fn(Role) -> Option<Tensor>,
    ) -> Option<String> {
        let number = |role, index: Option<&[usize]>| Some(literal(value(role)?.get(index?).ok()?));
        self.render(Some(index), &number).map(|(text, _)| text)
    }

    fn render(&self, index: Option<&[usize]>, symbols: &Symbols<'_>) -> Option<Rendered> {
        match self {
            Expression::Symbol(role) => symbols(*role, index),
            Expression::Constant(x) => Some(literal(*x)),
            Expression::Elided => index.is_none().then(|| ("…".to_owned(), Precedence::Atom)),
            Expression::Call(call) => call.render(index, symbols),
        }
    }
}

impl Call {
    fn render(&self, index: Option<&[usize]>, symbols: &Symbols<'_>) -> Option<Rendered> {
        let Some(index) = index else {
            return self.notated(&|i| self.operands.get(i)?.0.render(None, symbols));
        };
        let shapes: Vec<&Shape> = self.operands.iter().map(|(_, shape)| shape).collect();
        let at = |(operand, index): &OperandElement| {
            self.operands.get(*operand)?.0.render(Some(index), symbols)
        };
        // An integer is written with all its digits, so that its text can be read back.
        let data = |i: usize, index: &[usize]| at(&(i, index.to_vec()))?.0.parse().ok();
        match self.op.element(index, &shapes, &data) {
            Element::Elementwise(index) => self.notated(&|i| at(&(i, index.clone()))),
            Element::Copy(element) => at(&element),
            Element::Reduction(indices) => self.reduction(&indices, &at),
            Element::SumOfProducts(terms) => sum_of_products(&terms, &at),
            Element::Opaque => None,
        }
    }

    /// The text of the op in its own notation.
    fn notated(&self, operand: &dyn Fn(usize) -> Option<Rendered>) -> Option<Rendered> {
        let tight = |i: usize, least: Precedence| Some(parenthesized(operand(i)?, least));
        let atom = |i: usize| tight(i, Precedence::Atom);
        Some(match self.op.notation() {
            Notation::Transparent => operand(0)?,
            Notation::Infix { sign, precedence, right } => {
                (format!("{} {sign} {}", tight(0, precedence)?, tight(1, right)?), precedence)
            }
            Notation::Prefix { sign, operand, precedence } => {
                (format!("{sign}{}", tight(0, operand)?), precedence)
            }
            Notation::Postfix(sign) => (format!("{}{sign}", atom(0)?), Precedence::Power),
            Notation::Surround(open, close) => {
                (format!("{open}{}{close}", operand(0)?.0), Precedence::Atom)
            }
            Notation::Power => {
                let exponent = match self.operands.len() {
                    1 => self.op.attributes().to_owned(),
                    _ => atom(1)?,
                };
                (format!("{}^{exponent}", atom(0)?), Precedence::Power)
            }
            Notation::Juxtaposition => {
                let [a, b] = [tight(0, Precedence::Power)?, tight(1, Precedence::Power)?];
                (format!("{a} {b}"), Precedence::Product)
            }
            Notation::Conditional => {
                let [mask, yes, no] = [operand(0)?.0, operand(1)?.0, operand(2)?.0];
                (format!("{yes} if {mask}, else {no}"), Precedence::Comparison)
            }
            Notation::Call(symbol) => {
                let texts = (0..self.operands.len()).map(|i| Some(operand(i)?.0));
                let mut texts = texts.collect::<Option<Vec<_>>>()?;
                let attributes = self.op.attributes();
                texts.extend((!attributes.is_empty()).then(|| attributes.to_owned()));
                (format!("{symbol}({})", texts.join(", ")), Precedence::Atom)
            }
        })
    }

    /// An element of a reduction, term by term.
    fn reduction(
        &self,
        indices: &[Vec<usize>],
        at: &dyn Fn(&OperandElement) -> Option<Rendered>,
    ) -> Option<Rendered> {
        let term =
            |index: &Vec<usize>| Some(parenthesized(at(&(0, index.clone()))?, Precedence::Product));
        let terms = elided(indices, term)?;
        Some(match (self.op.is_sum(), self.op.notation()) {
            (true, _) if terms.is_empty() => literal(0.0),
            (true, _) => (terms.join(" + "), Precedence::Sum),
            (false, Notation::Call(symbol)) => {
                (format!("{symbol}({})", terms.join(", ")), Precedence::Atom)
            }
            (false, _) => return None,
        })
    }
}

/// The text of a sum of products of elements; of one element, that itself.
fn sum_of_products(
    terms: &[Vec<OperandElement>],
    at: &dyn Fn(&OperandElement) -> Option<Rendered>,
) -> Option<Rendered> {
    let factor = |element: &OperandElement| Some(parenthesized(at(element)?, Precedence::Product));
    let product = |term: &Vec<OperandElement>| {
        Some(term.iter().map(factor).collect::<Option<Vec<_>>>()?.join(" · "))
    };
    match terms {
        [] => Some(literal(0.0)),
        [only] if only.len() == 1 => at(&only[0]),
        [only] => Some((product(only)?, Precedence::Product)),
        many => Some((elided(many, product)?.join(" + "), Precedence::Sum)),
    }
}

/// In brackets, unless it binds tightly enough to stand without.
fn parenthesized((text, precedence): Rendered, least: Precedence) -> String {
    if precedence >= least { text } else { format!("({text})") }
}

/// Texts of some things; of many, what is before the last one is left out.
fn elided<T>(things: &[T], text: impl Fn(&T) -> Option<String>) -> Option<Vec<String>> {
    const SHOWN: usize = 6;
    let Some(last) = things.last().filter(|_| things.len() > SHOWN) else {
        return things.iter().map(text).collect();
    };
    let mut texts = things[..SHOWN - 2].iter().map(&text).collect::<Option<Vec<_>>>()?;
    texts.extend(["…".to_owned(), text(last)?]);
    Some(texts)
}

/// A number; a negative one is in brackets wherever it is an operand.
fn literal(x: f64) -> Rendered {
    let precedence = if x < 0.0 { Precedence::Comparison } else { Precedence::Atom };
    (signed(x), precedence)
}

/// Reads what was recorded for `var`; `left` says how many more ops are written out.
fn read(var: Var<'_>, roles: &[(usize, Role)], left: &mut usize) -> Expression {
    if let Some((_, role)) = roles.iter().find(|(number, _)| *number == var.number()) {
        return Expression::Symbol(*role);
    }
    let Some(info) = var.tape().node(var.number()) else { return Expression::Elided };
    let op = OpFacts::of(var.tape(), &info);
    if let Some(number) = op.constant() {
        return Expression::Constant(number);
    }
    if op.is_leaf() || *left == 0 {
        return Expression::Elided;
    }
    *left -= 1;
    let inputs = info.inputs.iter().filter_map(|&input| var.tape().var(input));
    let operands = inputs.map(|input| (read(input, roles, left), input.shape())).collect();
    Expression::Call(Call { op, operands })
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |role| match role {
            Role::Input(i) => ('a'..='f').nth(i).map_or_else(|| format!("x{i}"), String::from),
            Role::Output => "y".to_owned(),
            Role::Gradient => "g".to_owned(),
        };
        f.write_str(&self.text(&name))
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, keep};

    use super::*;

    /// The rule that the op of `record` has for its first input, and its numbers at an index.
    fn rule(
        record: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>,
        index: &[usize],
    ) -> (String, Option<String>) {
        let tape = Tape::f64();
        let a = tape.variable([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0]]);
        let b = tape.variable([[2.0, 4.0, 8.0], [0.5, 0.25, 1.0]]);
        let y = record(a, b);
        let g = tape.constant(Tensor::full(y.shape(), 0.5, y.dtype()).unwrap());
        let flow = tape.vjp(y, g, &[a])[0];
        let roles =
            [(a, Role::Input(0)), (b, Role::Input(1)), (y, Role::Output), (g, Role::Gradient)];
        let numbers = roles.map(|(var, role)| (var.number(), role));
        let rule = Expression::of(flow, &numbers);
        let at = rule.text_at(index, &|role| {
            roles.iter().find(|(_, r)| *r == role).and_then(|(var, _)| var.value().ok())
        });
        (rule.to_string(), at)
    }

    #[test]
    fn a_rule_reads_like_the_mathematics_with_and_without_numbers() {
        let of = |text: &str, at: &str| (text.to_owned(), Some(at.to_owned()));
        assert_eq!(rule(|a, b| a * b, &[1, 0]), of("g · b", "0.5 · 0.5"));
        assert_eq!(rule(|a, _| a.exp(), &[0, 0]), of("g · y", "0.5 · 2.718"));
        assert_eq!(rule(|a, _| a.square(), &[1, 1]), of("g · a · 2", "0.5 · (−5) · 2"));
        assert_eq!(rule(|a, _| -a, &[1, 1]), of("−g", "−0.5"));
        assert_eq!(rule(|a, _| a.sum(keep(1)), &[0, 2]), of("g", "0.5"));
    }

    #[test]
    fn a_reduction_is_written_term_by_term() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]]);
        let roles = [(x.number(), Role::Input(0))];
        let sum = Expression::of(x.square().sum(keep(1)), &roles);
        assert_eq!(sum.to_string(), "Σ(a², axes 1)");
        let at = sum.text_at(&[0, 0], &|_| x.value().ok());
        assert_eq!(at.unwrap(), "1² + (−2)² + 3²");
    }

    #[test]
    fn a_product_of_matrices_is_a_sum_of_products() {
        let (text, at) = rule(|a, b| a.matmul(b.t()), &[0, 1]);
        assert_eq!((text.contains('g'), at.unwrap()), (true, "0.5 · 4 + 0.5 · 0.25".to_owned()));
    }

    #[test]
    fn what_is_gathered_flows_back_to_where_it_was_read() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let indices = tape.constant([[2_i64, 2], [0, 1]]);
        let y = x.gather(1, indices);
        let g = tape.constant(Tensor::full([2, 2], 0.5, y.dtype()).unwrap());
        let roles = [(x, Role::Input(0)), (indices, Role::Input(1)), (g, Role::Gradient)];
        let of = |var: Var<'_>| Expression::of(var, &roles.map(|(var, role)| (var.number(), role)));
        let at = |var: Var<'_>, index: &[usize]| {
            of(var).text_at(index, &|role| roles.iter().find(|(_, r)| *r == role)?.0.value().ok())
        };
        assert_eq!(at(y, &[1, 1]).unwrap(), "5");
        let flow = tape.vjp(y, g, &[x])[0];
        let at = |index: &[usize]| at(flow, index);
        assert_eq!(at(&[0, 2]).unwrap(), "0.5 + 0.5");
        assert_eq!(
            (at(&[0, 0]).unwrap(), at(&[1, 0]).unwrap()),
            ("0".to_owned(), "0.5".to_owned())
        );
    }
}
