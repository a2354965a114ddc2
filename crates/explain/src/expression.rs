//! The arithmetic of an op or of its rule, read off the ops that were recorded for it.

use std::fmt;

use lossgraph_autograd::Var;
use lossgraph_tensor::{Shape, Tensor};

use crate::number::signed;
use crate::places::{Term, made_of, moved};

/// Arithmetic on what an op is given.
///
/// Displayed with `a`, `b`, `c`, … for the inputs, `y` for the output and `g` for the output's
/// gradient; see [`Expression::text`] for names of one's own, and [`Expression::at`] for numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// What the op is given or gives.
    Given(Role),
    /// A number of the rule itself.
    Number(f64),
    /// An op on other expressions.
    Call {
        /// The op's name.
        op: &'static str,
        /// What else it was told.
        attributes: String,
        /// The shape of its result.
        shape: Shape,
        /// What it is applied to, with their shapes.
        of: Vec<(Expression, Shape)>,
    },
    /// More than is worth writing out.
    Long,
}

/// What a rule is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An input of the op, counted from 0.
    Input(usize),
    /// Its output.
    Output,
    /// The gradient of the loss with respect to its output.
    Gradient,
}

/// How tightly a piece of text holds together.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Bond {
    Comparison,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// How many ops of one rule are written out.
const WRITTEN: usize = 40;

impl Expression {
    /// Reads what was recorded for `var`, down to the nodes that have a role.
    pub(crate) fn of(var: Var<'_>, roles: &[(usize, Role)]) -> Expression {
        read(var, roles, &mut { WRITTEN })
    }

    /// As text, with a name for each role.
    ///
    /// Views that only repeat or regroup numbers are not written: `g` stands for what a broadcast
    /// makes of it, too.
    pub fn text(&self, name: &dyn Fn(Role) -> String) -> String {
        let written = self.written(None, &|role, _| Some((name(role), Bond::Atom)));
        written.map_or_else(|| "…".to_owned(), |(text, _)| text)
    }

    /// The arithmetic of one element of the result with the numbers themselves, given what each
    /// role holds: `0.5 · (3 · 2)`. `None` if it is no arithmetic of single elements, as for a
    /// product of matrices, or there is no such element.
    pub fn at(&self, place: &[usize], holds: &dyn Fn(Role) -> Option<Tensor>) -> Option<String> {
        let written =
            self.written(Some(place), &|role, place| Some(literal(holds(role)?.get(place?).ok()?)));
        written.map(|(text, _)| text)
    }

    /// The text and how tightly it holds together; at a place of the result, or of the whole.
    fn written(&self, place: Option<&[usize]>, given: &Given<'_>) -> Option<(String, Bond)> {
        use Bond::{Atom, Comparison, Power, Product, Sign, Sum};
        let (op, attributes, shape, of) = match self {
            Expression::Given(role) => return given(*role, place),
            Expression::Number(x) => return Some(literal(*x)),
            Expression::Long => return place.is_none().then(|| ("…".to_owned(), Atom)),
            Expression::Call { op, attributes, shape, of } => (*op, attributes, shape, of),
        };
        if let ("sum" | "max" | "min", Some(place)) = (op, place) {
            return folded(op, &of[0], place, shape, given);
        }
        if let Some(made) = place.and_then(|place| self.made(place, given)) {
            return summed(of, &made, given);
        }
        let operand = |i: usize| -> Option<(String, Bond)> {
            let (expression, of_shape) = of.get(i)?;
            match place {
                Some(place) => expression.written(Some(&moved(op, place, shape, of_shape)?), given),
                None => expression.written(None, given),
            }
        };
        if matches!(op, "expand" | "reshape" | "after" | "to_float") {
            return operand(0);
        }
        let tight = |i: usize, least: Bond| -> Option<String> {
            let (text, bond) = operand(i)?;
            Some(if bond >= least { text } else { format!("({text})") })
        };
        let infix = |sign: &str, bond: Bond, right: Bond| -> Option<(String, Bond)> {
            Some((format!("{} {sign} {}", tight(0, bond)?, tight(1, right)?), bond))
        };
        match op {
            "add" => infix("+", Sum, Sum),
            "sub" => infix("−", Sum, Product),
            "mul" => infix("·", Product, Product),
            "div" => infix("/", Product, Sign),
            "lt" => infix("<", Comparison, Sum),
            "le" => infix("≤", Comparison, Sum),
            "gt" => infix(">", Comparison, Sum),
            "ge" => infix("≥", Comparison, Sum),
            "eq" => infix("=", Comparison, Sum),
            "ne" => infix("≠", Comparison, Sum),
            "neg" => Some((format!("−{}", tight(0, Power)?), Sign)),
            "recip" => Some((format!("1 / {}", tight(0, Sign)?), Product)),
            "square" => Some((format!("{}²", tight(0, Atom)?), Power)),
            "sqrt" => Some((format!("√{}", tight(0, Atom)?), Power)),
            "powf" => Some((format!("{}^{attributes}", tight(0, Atom)?), Power)),
            "pow" => Some((format!("{}^{}", tight(0, Atom)?, tight(1, Atom)?), Power)),
            "abs" => Some((format!("|{}|", operand(0)?.0), Atom)),
            "matmul" => Some((format!("{} {}", tight(0, Power)?, tight(1, Power)?), Product)),
            "permute" => Some((format!("{}ᵀ", tight(0, Atom)?), Power)),
            "select" => {
                let [mask, yes, no] = [operand(0)?.0, operand(1)?.0, operand(2)?.0];
                Some((format!("{yes} if {mask}, else {no}"), Comparison))
            }
            _ => {
                let mut texts =
                    (0..of.len()).map(|i| Some(operand(i)?.0)).collect::<Option<Vec<_>>>()?;
                texts.extend((!attributes.is_empty()).then(|| attributes.clone()));
                Some((format!("{}({})", symbol(op), texts.join(", ")), Atom))
            }
        }
    }
}

impl Expression {
    /// What an element of an op that reads or writes at other places is the sum of.
    fn made(&self, place: &[usize], given: &Given<'_>) -> Option<Vec<Term>> {
        let Expression::Call { op, attributes, shape, of } = self else { return None };
        let shapes: Vec<&Shape> = of.iter().map(|(_, shape)| shape).collect();
        // An index is a whole number, which its text says exactly.
        let index = |at: &[usize]| of.get(1)?.0.written(Some(at), given)?.0.parse().ok();
        made_of(op, attributes, place, shape, &shapes, &index)
    }
}

/// The text of what has a role, at a place or of the whole.
type Given<'a> = dyn Fn(Role, Option<&[usize]>) -> Option<(String, Bond)> + 'a;

/// A sum of products of elements.
fn summed(of: &[(Expression, Shape)], terms: &[Term], given: &Given<'_>) -> Option<(String, Bond)> {
    let written =
        |(operand, place): &(usize, Vec<usize>)| of[*operand].0.written(Some(place), given);
    if let [term] = terms
        && let [only] = &term[..]
    {
        return written(only);
    }
    let factor = |at: &(usize, Vec<usize>)| {
        let (text, bond) = written(at)?;
        Some(if bond >= Bond::Product { text } else { format!("({text})") })
    };
    let term = |term: &Term| Some(term.iter().map(factor).collect::<Option<Vec<_>>>()?.join(" · "));
    match terms {
        [] => Some(literal(0.0)),
        [only] => Some((term(only)?, Bond::Product)),
        many => Some((elided(many, term)?.join(" + "), Bond::Sum)),
    }
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

/// How a function is written.
fn symbol(op: &str) -> &str {
    match op {
        "sum" => "Σ",
        "sigmoid" => "σ",
        "signum" => "sign",
        op => op,
    }
}

/// A number; a negative one is in brackets wherever it is an operand.
fn literal(x: f64) -> (String, Bond) {
    let bond = if x < 0.0 { Bond::Comparison } else { Bond::Atom };
    (signed(x), bond)
}

/// What an element of a fold is made of, term by term; what is between many is left out.
fn folded(
    op: &str,
    (of, of_shape): &(Expression, Shape),
    place: &[usize],
    shape: &Shape,
    given: &Given<'_>,
) -> Option<(String, Bond)> {
    let belongs = |from: &[usize]| {
        (0..place.len()).all(|axis| shape[axis] != of_shape[axis] || from[axis] == place[axis])
    };
    let places: Vec<Vec<usize>> =
        (0..of_shape.len()).map(|at| of_shape.unravel_index(at)).filter(|at| belongs(at)).collect();
    let term = |place: &Vec<usize>| -> Option<String> {
        let (text, bond) = of.written(Some(place), given)?;
        Some(if bond >= Bond::Product { text } else { format!("({text})") })
    };
    let terms = elided(&places, term)?;
    match (op, terms.len()) {
        ("sum", 0) => Some(literal(0.0)),
        ("sum", _) => Some((terms.join(" + "), Bond::Sum)),
        (_, _) => Some((format!("{op}({})", terms.join(", ")), Bond::Atom)),
    }
}

/// Reads what was recorded for `var`; `left` says how many more ops are written out.
fn read(var: Var<'_>, roles: &[(usize, Role)], left: &mut usize) -> Expression {
    if let Some((_, role)) = roles.iter().find(|(number, _)| *number == var.number()) {
        return Expression::Given(*role);
    }
    let Some(info) = var.tape().node(var.number()) else { return Expression::Long };
    if let ("fill", Ok(number)) = (info.op, info.attributes.parse()) {
        return Expression::Number(number);
    }
    if info.inputs.is_empty() || *left == 0 {
        return Expression::Long;
    }
    *left -= 1;
    let operands = info.inputs.iter().filter_map(|&input| var.tape().var(input));
    let of = operands.map(|input| (read(input, roles, left), input.shape())).collect();
    Expression::Call { op: info.op, attributes: info.attributes, shape: info.shape, of }
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

    /// The rule that the op of `record` has for its first input, and its numbers at a place.
    fn rule(
        record: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>,
        place: &[usize],
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
        let at = rule.at(place, &|role| {
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
    fn a_fold_is_written_term_by_term() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]]);
        let roles = [(x.number(), Role::Input(0))];
        let sum = Expression::of(x.square().sum(keep(1)), &roles);
        assert_eq!(sum.to_string(), "Σ(a², axes 1)");
        let at = sum.at(&[0, 0], &|_| x.value().ok());
        assert_eq!(at.unwrap(), "1² + (−2)² + 3²");
    }

    #[test]
    fn a_product_of_matrices_is_a_sum_of_products() {
        let (text, at) = rule(|a, b| a.matmul(b.t()), &[0, 1]);
        assert_eq!((text.contains('g'), at.unwrap()), (true, "0.5 · 4 + 0.5 · 0.25".to_owned()));
    }

    #[test]
    fn what_is_read_at_places_flows_back_to_them() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let places = tape.constant([[2_i64, 2], [0, 1]]);
        let y = x.gather(1, places);
        let g = tape.constant(Tensor::full([2, 2], 0.5, y.dtype()).unwrap());
        let roles = [(x, Role::Input(0)), (places, Role::Input(1)), (g, Role::Gradient)];
        let of = |var: Var<'_>| Expression::of(var, &roles.map(|(var, role)| (var.number(), role)));
        let at = |var: Var<'_>, place: &[usize]| {
            of(var).at(place, &|role| roles.iter().find(|(_, r)| *r == role)?.0.value().ok())
        };
        assert_eq!(at(y, &[1, 1]).unwrap(), "5");
        let flow = tape.vjp(y, g, &[x])[0];
        let at = |place: &[usize]| at(flow, place);
        assert_eq!(at(&[0, 2]).unwrap(), "0.5 + 0.5");
        assert_eq!(
            (at(&[0, 0]).unwrap(), at(&[1, 0]).unwrap()),
            ("0".to_owned(), "0.5".to_owned())
        );
    }
}
