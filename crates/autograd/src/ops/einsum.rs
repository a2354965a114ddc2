//! Einstein's summation: products of tensors, by the names of their axes.

use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::ops::combine::of_nothing;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// Sums the product of tensors over the axes that the result does not name:
/// `einsum("bij,bjk->bik", &[a, b])` is a product of batches of matrices.
///
/// A letter names an axis; axes of one name have one length, or are of length 1 and broadcast. A
/// letter twice in one operand takes the diagonal. `...` stands for any number of axes, which
/// broadcast from the last. Without `->`, the result has the axes of `...` and the letters that occur
/// once, in the order of the alphabet. It is planned as matrix products, two operands at a time from
/// the left.
///
/// ```
/// use lossgraph_autograd::{Tape, einsum};
///
/// let tape = Tape::f64();
/// let a = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
/// let b = tape.constant([[10.0, 0.0], [0.0, 1.0]]);
/// assert_eq!(einsum("ij,jk->ik", &[a, b]).value()?.to_f64s(), [10.0, 2.0, 30.0, 4.0]);
/// assert_eq!(einsum("ii", &[a]).item()?, 5.0);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Recorded as faults: an equation that names more or fewer axes than an operand has, a result with
/// an axis that no operand has or that it names twice, lengths that differ.
#[track_caller]
pub fn einsum<'t>(equation: &str, operands: &[Var<'t>]) -> Var<'t> {
    let Some(&first) = operands.first() else { return of_nothing("einsum") };
    let _call = first.tape().call("einsum");
    if let Some(&faulty) = operands.iter().find(|var| var.is_faulty()) {
        return faulty;
    }
    match Equation::parse(equation, operands) {
        Ok(equation) => equation.record(operands),
        Err(why) => {
            let fault = Fault::new("einsum", format!("`{equation}`: {why}"));
            let fault = operands
                .iter()
                .enumerate()
                .fold(fault, |fault, (i, &var)| fault.operand(format!("input {i}"), var));
            first.tape().fault(fault)
        }
    }
}

/// The name of an axis: a letter, or one of `...`, counted from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(std::cmp::Reverse<usize>),
    Letter(char),
}

/// The axes of each operand and of the result, by their names.
struct Equation {
    operands: Vec<Vec<Label>>,
    result: Vec<Label>,
}

impl Equation {
    fn parse(equation: &str, operands: &[Var<'_>]) -> Result<Equation, String> {
        let compact: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (terms, result) = match compact.split_once("->") {
            Some((terms, result)) => (terms, Some(result)),
            None => (&compact[..], None),
        };
        let terms: Vec<&str> = terms.split(',').collect();
        if terms.len() != operands.len() {
            return Err(format!("it has {} terms for {} operands", terms.len(), operands.len()));
        }
        let named = terms.iter().zip(operands).map(|(term, var)| labels(term, var.rank()));
        let named: Vec<Vec<Label>> = named.collect::<Result<_, String>>()?;
        if let Some((label, [one, other])) = disagreeing(&named, operands) {
            return Err(format!("axis {} has lengths {one} and {other}", text(label)));
        }
        let ellipsis = named.iter().flatten().filter(|label| matches!(label, Label::Ellipsis(_)));
        let mut ellipsis: Vec<Label> = ellipsis.copied().collect();
        ellipsis.sort_unstable();
        ellipsis.dedup();
        let result = match result {
            Some(result) => {
                let unnamed = if result.contains("...") { ellipsis.len() } else { 0 };
                labels(result, letters(result)? + unnamed)?
            }
            None => {
                let all: Vec<Label> = named.iter().flatten().copied().collect();
                let once = |label: &&Label| all.iter().filter(|other| other == label).count() == 1;
                let letter = |label: &&Label| matches!(label, Label::Letter(_));
                let mut single: Vec<Label> =
                    all.iter().filter(letter).filter(once).copied().collect();
                single.sort_unstable();
                [ellipsis, single].concat()
            }
        };
        for (i, &label) in result.iter().enumerate() {
            if !named.iter().any(|operand| operand.contains(&label)) {
                return Err(format!("no operand has the axis {} of the result", text(label)));
            }
            if result[..i].contains(&label) {
                return Err(format!("the result names {} twice", text(label)));
            }
        }
        Ok(Equation { operands: named, result })
    }

    #[track_caller]
    fn record<'t>(&self, operands: &[Var<'t>]) -> Var<'t> {
        let terms = operands.iter().zip(&self.operands).rev();
        let terms = terms.map(|(&var, labels)| Term { var, labels: labels.clone() }.diagonal());
        // The next one is last.
        let mut rest: Vec<Term<'t>> = terms.collect();
        let Some(mut left) = rest.pop() else { return of_nothing("einsum") };
        while let Some(right) = rest.pop() {
            let wanted = |label: &Label| {
                self.result.contains(label) || rest.iter().any(|term| term.labels.contains(label))
            };
            left = left.times(right, wanted);
        }
        left.sum_unless(|label| self.result.contains(label)).with_labels(&self.result).var
    }
}

/// A tensor with the names of its axes.
struct Term<'t> {
    var: Var<'t>,
    labels: Vec<Label>,
}

impl<'t> Term<'t> {
    /// Takes the diagonal of axes with one name.
    #[track_caller]
    fn diagonal(mut self) -> Term<'t> {
        while let Some((i, j)) = self.twice() {
            // The diagonal comes last.
            let label = self.labels[i];
            self.var = self.var.diagonal(0, i, j);
            self.labels.remove(j);
            self.labels.remove(i);
            self.labels.push(label);
        }
        self
    }

    fn twice(&self) -> Option<(usize, usize)> {
        let pairs = (0..self.labels.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        pairs.into_iter().find(|&(i, j)| self.labels[i] == self.labels[j])
    }

    /// Sums over the axes that nobody wants.
    #[track_caller]
    fn sum_unless(self, wanted: impl Fn(&Label) -> bool) -> Term<'t> {
        let axes: Vec<usize> =
            (0..self.labels.len()).filter(|&i| !wanted(&self.labels[i])).collect();
        if axes.is_empty() {
            return self;
        }
        let labels = self.labels.iter().copied().filter(|label| wanted(label)).collect();
        Term { var: self.var.sum(&axes[..]), labels }
    }

    fn dim(&self, label: Label) -> usize {
        self.labels.iter().position(|&other| other == label).map_or(1, |axis| self.var.dim(axis))
    }

    /// The same with the axes in this order; those that it lacks have length 1.
    #[track_caller]
    fn with_labels(self, labels: &[Label]) -> Term<'t> {
        let at = |label| self.labels.iter().position(|&other| other == label);
        let order: Vec<isize> = labels.iter().filter_map(|&l| Some(at(l)? as isize)).collect();
        let dims: Vec<usize> = labels.iter().map(|&label| self.dim(label)).collect();
        Term { var: self.var.permute(&order).reshape(dims), labels: labels.to_vec() }
    }

    /// The product with another term, summed over what both have and nobody wants: a product of
    /// batches of matrices.
    #[track_caller]
    fn times(self, other: Term<'t>, wanted: impl Fn(&Label) -> bool) -> Term<'t> {
        let left = self.sum_unless(|label| wanted(label) || other.labels.contains(label));
        let right = other.sum_unless(|label| wanted(label) || left.labels.contains(label));
        let of = |term: &Term<'t>, keep: &dyn Fn(&Label) -> bool| -> Vec<Label> {
            term.labels.iter().copied().filter(|label| keep(label)).collect()
        };
        let common = of(&left, &|label| right.labels.contains(label));
        // An axis of length 1 on one side is no axis of that side: it broadcasts.
        let both = |label: &Label| left.dim(*label) == right.dim(*label);
        let batch: Vec<Label> = common.iter().copied().filter(|label| wanted(label)).collect();
        let inner: Vec<Label> = common.iter().copied().filter(|l| !wanted(l) && both(l)).collect();
        let stretched: Vec<Label> =
            common.iter().copied().filter(|l| !wanted(l) && !both(l)).collect();
        // What is summed, but of length 1 on one side, is summed on the other before.
        let is_stretched = |label: &Label| stretched.contains(label);
        let left = left.sum_unless(|label| !is_stretched(label));
        let right = right.sum_unless(|label| !is_stretched(label));
        let rows = of(&left, &|label| !common.contains(label));
        let columns = of(&right, &|label| !common.contains(label));
        let dims = |term: &Term<'t>, labels: &[Label]| -> Vec<usize> {
            labels.iter().map(|&label| term.dim(label)).collect()
        };
        let (row_dims, column_dims) = (dims(&left, &rows), dims(&right, &columns));
        let matrix = |term: Term<'t>, groups: [&[Label]; 3]| {
            let outer = dims(&term, groups[0]);
            let [m, n] = [groups[1], groups[2]].map(|labels| dims(&term, labels).iter().product());
            let var = term.with_labels(&groups.concat()).var;
            var.reshape([outer, vec![m, n]].concat())
        };
        let product =
            matrix(left, [&batch, &rows, &inner]).matmul(matrix(right, [&batch, &inner, &columns]));
        let outer = product.shape()[..batch.len()].to_vec();
        let var = product.reshape([outer, row_dims, column_dims].concat());
        Term { var, labels: [batch, rows, columns].concat() }
    }
}

/// The names of the axes of a term; `...` has those that no letter names.
fn labels(term: &str, rank: usize) -> Result<Vec<Label>, String> {
    let count = letters(term)?;
    let (before, behind) = match term.split_once("...") {
        Some((before, behind)) => (before, Some(behind)),
        None => (term, None),
    };
    let unnamed = match rank.checked_sub(count) {
        Some(unnamed) if unnamed == 0 || behind.is_some() => unnamed,
        _ => return Err(format!("`{term}` names {count} axes of an operand with {rank}")),
    };
    let mut labels: Vec<Label> = before.chars().map(Label::Letter).collect();
    labels.extend((0..unnamed).rev().map(|from_end| Label::Ellipsis(std::cmp::Reverse(from_end))));
    labels.extend(behind.unwrap_or("").chars().map(Label::Letter));
    Ok(labels)
}

/// How many letters a term has; an error if it has something else.
fn letters(term: &str) -> Result<usize, String> {
    let rest = term.replacen("...", "", 1);
    match rest.chars().find(|c| !c.is_ascii_alphabetic()) {
        Some(odd) => Err(format!("`{odd}` is no letter: axes are letters or `...`")),
        None => Ok(rest.len()),
    }
}

fn text(label: Label) -> String {
    match label {
        Label::Letter(letter) => format!("`{letter}`"),
        Label::Ellipsis(std::cmp::Reverse(from_end)) => format!("−{} of `...`", from_end + 1),
    }
}

/// The first name with two lengths of which none is 1, or whose axes lie in one operand.
fn disagreeing(named: &[Vec<Label>], operands: &[Var<'_>]) -> Option<(Label, [usize; 2])> {
    let mut lengths: Vec<(Label, usize)> = Vec::new();
    for (labels, var) in named.iter().zip(operands) {
        let shape = var.shape();
        for (axis, &label) in labels.iter().enumerate() {
            let here = labels.iter().position(|&other| other == label).unwrap_or(axis);
            if shape[here] != shape[axis] {
                return Some((label, [shape[here], shape[axis]]));
            }
            match lengths.iter_mut().find(|(known, _)| *known == label) {
                None => lengths.push((label, shape[axis])),
                Some((_, known)) if *known == 1 => *known = shape[axis],
                Some((_, known)) if *known != shape[axis] && shape[axis] != 1 => {
                    return Some((label, [*known, shape[axis]]));
                }
                Some(_) => {}
            }
        }
    }
    None
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[op(
    "einsum",
    "composed",
    "Σ a b, by the names of axes",
    &[CUBE, Floats(&[4, 2], AROUND), Floats(&[2, 2], AROUND)],
    |x| einsum("bij,jk,bb->ki", &[x[0], x[1], x[2]]),
)];
