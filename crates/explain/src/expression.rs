//! The arithmetic of an op or of its derivative rule, read off the ops that were recorded for it.

use std::fmt;

use lossgraph_autograd::ops::facts::{Element, Factor, Notation, Precedence};
use lossgraph_autograd::{OpInstance, Var};
use lossgraph_tensor::Tensor;
use lossgraph_tensor::kernels::ReduceOp;

use crate::number::signed;
use crate::operation::Operation;

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
    Call(OpInstance, Vec<Expression>),
    /// More than is worth writing out.
    Elided,
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
            Expression::Call(op, operands) => match index {
                Some(index) => element(op, operands, index, symbols),
                None => written(op, operands.len(), &|i| operands.get(i)?.render(None, symbols)),
            },
        }
    }
}

/// The text of one element of an op.
fn element(
    op: &OpInstance,
    operands: &[Expression],
    index: &[usize],
    symbols: &Symbols<'_>,
) -> Option<Rendered> {
    let at = |i: usize, index: &[usize]| operands.get(i)?.render(Some(index), symbols);
    let factor = |(i, index): &Factor| at(*i, index);
    // An index is a whole number, which its text says exactly.
    let integer = |i: usize, index: &[usize]| at(i, index)?.0.parse().ok();
    match op.element(index, &integer)? {
        Element::Map(indices) => written(op, operands.len(), &|i| at(i, indices.get(i)?)),
        Element::Copy(element) => factor(&element),
        Element::Reduce(indices) => reduction(op, &indices, &|index| at(0, index)),
        Element::SumOfProducts(terms) => sum_of_products(&terms, &factor),
    }
}

/// The text of an op in its own notation.
fn written(
    op: &OpInstance,
    arity: usize,
    operand: &dyn Fn(usize) -> Option<Rendered>,
) -> Option<Rendered> {
    match op.facts().notation {
        Notation::Operand => operand(0),
        Notation::Formula { text, precedence, operands } => {
            let letter = |c: char| match "abcp".find(c)? {
                3 => Some(op.attributes()),
                i => Some(parenthesized(operand(i)?, operands[i])),
            };
            Some((substituted(text, &letter)?, precedence))
        }
        Notation::Call(symbol) => {
            let symbol = if symbol.is_empty() { op.name() } else { symbol };
            let texts = (0..arity).map(|i| Some(operand(i)?.0));
            let mut texts = texts.collect::<Option<Vec<_>>>()?;
            texts.extend(Some(op.attributes()).filter(|attributes| !attributes.is_empty()));
            Some((format!("{symbol}({})", texts.join(", ")), Precedence::Atom))
        }
    }
}

/// A formula with its letters a, b, c and p replaced, but not those inside of words.
fn substituted(formula: &str, letter: &dyn Fn(char) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut characters = formula.chars().peekable();
    let mut in_word = false;
    while let Some(c) = characters.next() {
        let before = std::mem::replace(&mut in_word, c.is_ascii_alphabetic());
        let within = before || characters.peek().is_some_and(char::is_ascii_alphabetic);
        match c {
            'a' | 'b' | 'c' | 'p' if !within => text += &letter(c)?,
            c => text.push(c),
        }
    }
    Some(text)
}

/// The text of an element of a reduction, term by term.
fn reduction(
    op: &OpInstance,
    indices: &[Vec<usize>],
    at: &dyn Fn(&[usize]) -> Option<Rendered>,
) -> Option<Rendered> {
    let term = |index: &Vec<usize>| Some(parenthesized(at(index)?, Precedence::Product));
    let terms = elided(indices, term)?;
    Some(match op.facts().reduces {
        Some(ReduceOp::Sum) if terms.is_empty() => literal(0.0),
        Some(ReduceOp::Sum) => (terms.join(" + "), Precedence::Sum),
        _ => (format!("{}({})", op.name(), terms.join(", ")), Precedence::Atom),
    })
}

/// The text of a sum of products of elements; of one element, that itself.
fn sum_of_products(
    terms: &[Vec<Factor>],
    at: &dyn Fn(&Factor) -> Option<Rendered>,
) -> Option<Rendered> {
    let factor = |element: &Factor| Some(parenthesized(at(element)?, Precedence::Product));
    let product =
        |term: &Vec<Factor>| Some(term.iter().map(factor).collect::<Option<Vec<_>>>()?.join(" · "));
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
    let op = match Operation::of(var.tape(), &info) {
        Operation::Constant(number) => return Expression::Constant(number),
        Operation::Op(op) if *left > 0 => op,
        Operation::Op(_) | Operation::Variable | Operation::Data => return Expression::Elided,
    };
    *left -= 1;
    let inputs = info.inputs.iter().filter_map(|&input| var.tape().var(input));
    Expression::Call(op, inputs.map(|input| read(input, roles, left)).collect())
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
    use lossgraph_autograd::{Tape, Unary, keep};
    use lossgraph_tensor::map1;

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
        assert_eq!(rule(|a, _| a.square(), &[1, 1]), of("g · 2 · a", "0.5 · 2 · (−5)"));
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
    fn a_row_of_ones_own_is_written_in_its_own_notation() {
        static SCALED: Unary = Unary::new("scaled", "p x", map1!(|x, p| x * p[0]))
            .written(Notation::unary("cap(a) · p", Precedence::Product, Precedence::Sum))
            .sample([2.0, 0.0]);
        let tape = Tape::f64();
        let x = tape.variable([1.0, 3.0]);
        let y = Expression::of((-x).unary(&SCALED, [0.5, 0.0]), &[(x.number(), Role::Input(0))]);
        assert_eq!(y.to_string(), "cap(−a) · 0.5");
        assert_eq!(y.text_at(&[1], &|_| x.value().ok()).unwrap(), "cap(−3) · 0.5");
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
