//! Which elements of its operands an element of a result is made of.

use lossgraph_tensor::Shape;

/// Elements that are multiplied: each the number of an operand and a place in it.
pub(crate) type Term = Vec<(usize, Vec<usize>)>;

/// The element of an operand that an element of the result is made of; `None` if it is not one.
pub(crate) fn moved(
    op: &str,
    place: &[usize],
    shape: &Shape,
    operand: &Shape,
) -> Option<Vec<usize>> {
    match op {
        "expand" => {
            let missing = place.len().checked_sub(operand.rank())?;
            let aligned = operand.iter().zip(&place[missing..]);
            Some(aligned.map(|(&len, &at)| if len == 1 { 0 } else { at }).collect())
        }
        "reshape" => Some(operand.unravel_index(shape.ravel_index(place))),
        // These read or write elsewhere, even if they happen to keep the shape. All others work
        // element by element, a user's own included.
        "cumsum" | "permute" | "slice" | "windows" | "pad" | "overlap_add" | "concat"
        | "gather" | "scatter_add" | "index_select" | "index_add" | "one_hot" | "argmax"
        | "argmin" | "argsort" | "window_argmax" | "matmul" | "convolve" | "convolve_images"
        | "convolve_weights" => None,
        _ => (operand == shape).then(|| place.to_vec()),
    }
}

/// The terms that an element of an op that reads or writes elsewhere is the sum of; `None` for other
/// ops. `index` reads the second operand, which says where.
pub(crate) fn made_of(
    op: &str,
    attributes: &str,
    place: &[usize],
    shape: &Shape,
    of: &[&Shape],
    index: &dyn Fn(&[usize]) -> Option<usize>,
) -> Option<Vec<Term>> {
    let axis = || attributes.strip_prefix("axis ")?.parse::<usize>().ok();
    let one = |operand: usize, at: Vec<usize>| Some(vec![vec![(operand, at)]]);
    let with = |axis: usize, len: usize| {
        let mut at = place.to_vec();
        at[axis] = len;
        at
    };
    match op {
        "permute" => {
            let order = attributes.strip_prefix("axes ")?.split(", ");
            let mut at = vec![0; place.len()];
            for (&to, from) in place.iter().zip(order) {
                *at.get_mut(from.parse::<usize>().ok()?)? = to;
            }
            one(0, at)
        }
        "slice" => {
            let at = place.iter().zip(attributes.split(", ")).map(|(&at, slice)| {
                let (_, start) = slice.split_once(" from ")?;
                let (start, step) = start.split_once(" by ").unwrap_or((start, "1"));
                let [start, step] = [start.parse::<isize>().ok()?, step.parse().ok()?];
                usize::try_from(start + step * at as isize).ok()
            });
            one(0, at.collect::<Option<_>>()?)
        }
        "gather" => one(0, with(axis()?, index(place)?)),
        "index_select" => one(0, with(axis()?, index(&[place[axis()?]])?)),
        // Only what a rule records: the transpose of reading, without a tensor to add to.
        "scatter_add" => {
            let axis = axis()?;
            let from = (0..*of.first()?.get(axis)?).map(|i| with(axis, i));
            let here = from.filter(|from| index(from) == Some(place[axis]));
            Some(here.map(|from| vec![(0, from)]).collect())
        }
        "concat" => {
            let axis = axis()?;
            let mut left = place[axis];
            for (operand, shape) in of.iter().enumerate() {
                match left.checked_sub(*shape.get(axis)?) {
                    Some(further) => left = further,
                    None => return one(operand, with(axis, left)),
                }
            }
            None
        }
        "matmul" => {
            let [row, column] = [shape.rank().checked_sub(2)?, shape.rank() - 1];
            let inner = *of.first()?.get(column)?;
            let term = |k| vec![(0, with(column, k)), (1, with(row, k))];
            Some((0..inner).map(term).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Conv, Padding, Tape};

    use super::*;

    fn single(op: &str, attributes: &str, place: &[usize], of: &[Shape]) -> Option<Term> {
        let shapes: Vec<&Shape> = of.iter().collect();
        let made = made_of(op, attributes, place, &Shape::from([9, 9, 9]), &shapes, &|_| None)?;
        made.into_iter().next()
    }

    #[test]
    fn views_are_followed_to_where_they_look() {
        let cube = [Shape::from([2, 3, 4])];
        assert_eq!(
            single("permute", "axes 2, 0, 1", &[3, 1, 2], &cube),
            Some(vec![(0, vec![1, 2, 3])])
        );
        let slice = "2 from 0, 2 from 2 by -1, 1 from 3";
        assert_eq!(single("slice", slice, &[1, 1, 0], &cube), Some(vec![(0, vec![1, 1, 3])]));
    }

    #[test]
    fn an_op_that_mixes_elements_is_followed_nowhere_even_if_all_shapes_are_equal() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]).reshape([1, 1, 2, 2]);
        let (kernel, same) = (x * 2.0, Conv { padding: Padding::Same, ..Conv::default() });
        let convolved = x.conv2d(kernel, None, same);
        let ops = [convolved, x.cumsum(3), x.flip(3), x.matmul(kernel)];
        for var in ops {
            let op = tape.node(var.number()).unwrap().op;
            assert_eq!(var.shape(), x.shape(), "{op}");
            assert_eq!(moved(op, &[0; 4], &var.shape(), &x.shape()), None, "{op}");
        }
    }

    #[test]
    fn a_concatenation_is_made_of_the_operand_at_that_place() {
        let parts = [Shape::from([2, 3]), Shape::from([2, 2])];
        assert_eq!(single("concat", "axis 1", &[1, 4], &parts), Some(vec![(1, vec![1, 1])]));
    }
}
