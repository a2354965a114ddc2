//! Chains of views, compared with a model that moves every element by hand.

use lossgraph_tensor::{Shape, Slice, Tensor, Window};
use proptest::prelude::*;

/// A tensor as a plain list: the lengths of the axes, and the elements row by row.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    dims: Vec<usize>,
    elements: Vec<i64>,
}

/// A view, with raw numbers that are fitted to whatever shape it meets.
#[derive(Clone, Debug)]
enum View {
    Permute(Vec<u8>),
    Slice(u8, usize, usize, isize),
    Expand(u8, usize),
    Lead(usize),
    Reshape(u8),
    Flatten,
    Squeeze(u8),
    Unsqueeze(u8),
    Diagonal(u8, u8),
    Windows(u8, Window),
    Flip(u8),
    Select(u8, usize),
}

/// Every index of a shape, row by row.
fn indices(dims: &[usize]) -> Vec<Vec<usize>> {
    dims.iter().fold(vec![vec![]], |indices, &dim| {
        let grow = |index: &Vec<usize>| {
            let index = index.clone();
            (0..dim).map(move |i| [&index[..], &[i]].concat()).collect::<Vec<_>>()
        };
        indices.iter().flat_map(grow).collect()
    })
}

impl Model {
    fn counting(dims: &[usize]) -> Model {
        Model { dims: dims.to_vec(), elements: (0..indices(dims).len() as i64).collect() }
    }

    fn at(&self, index: &[usize]) -> i64 {
        let number = index.iter().zip(&self.dims).fold(0, |number, (&i, &dim)| number * dim + i);
        self.elements[number]
    }

    /// The model of shape `dims` whose element at each index is the old one at `from(index)`.
    fn moved(&self, dims: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Model {
        let elements = indices(&dims).iter().map(|index| self.at(&from(index))).collect();
        Model { dims, elements }
    }

    /// The same with one axis changed.
    fn along(&self, axis: usize, len: usize, from: impl Fn(usize) -> usize) -> Model {
        let mut dims = self.dims.clone();
        dims[axis] = len;
        self.moved(dims, |index| {
            let mut index = index.to_vec();
            index[axis] = from(index[axis]);
            index
        })
    }

    fn reshaped(&self, dims: Vec<usize>) -> Model {
        Model { dims, elements: self.elements.clone() }
    }
}

/// Applies a view to the tensor and, by hand, to the model. Views that fit no axis do nothing.
fn apply(view: &View, x: &Tensor, model: &Model) -> (Tensor, Model) {
    let rank = model.dims.len();
    let axis = |raw: u8| (rank > 0).then(|| raw as usize % rank.max(1));
    let unchanged = || (x.clone(), model.clone());
    match *view {
        View::Permute(ref keys) => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.sort_by_key(|&axis| keys[axis % keys.len()]);
            // Every other axis is named from the end.
            let signed =
                |&axis: &usize| axis as isize - if axis % 2 == 1 { rank as isize } else { 0 };
            let named: Vec<isize> = order.iter().map(signed).collect();
            let dims = order.iter().map(|&axis| model.dims[axis]).collect();
            let moved = model.moved(dims, |index| {
                let mut from = vec![0; rank];
                order.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
                from
            });
            (x.permute(&named).unwrap(), moved)
        }
        View::Slice(raw, start, len, step) => {
            let Some(axis) = axis(raw) else { return unchanged() };
            let dim = model.dims[axis];
            let start = start.min(dim.saturating_sub(1));
            let room = if step > 0 { dim.saturating_sub(start + 1) } else { start };
            let most = if dim == 0 { 0 } else { room / step.unsigned_abs() + 1 };
            let len = len.min(most);
            let mut slices: Vec<Slice> = model.dims.iter().map(|&dim| Slice::all(dim)).collect();
            slices[axis] = Slice { start, len, step };
            let from = |i: usize| (start as isize + i as isize * step) as usize;
            (x.slices(&slices[..=axis]).unwrap(), model.along(axis, len, from))
        }
        View::Expand(raw, len) => {
            let Some(axis) = axis(raw) else { return unchanged() };
            if model.dims[axis] != 1 {
                return unchanged();
            }
            let moved = model.along(axis, len, |_| 0);
            (x.expand(moved.dims.clone()).unwrap(), moved)
        }
        View::Lead(len) => {
            let dims = [&[len][..], &model.dims].concat();
            let moved = model.moved(dims, |index| index[1..].to_vec());
            (x.expand(moved.dims.clone()).unwrap(), moved)
        }
        View::Reshape(split) => {
            // The first axis goes to the end as a factor and the rest, with a 1 between.
            let len = model.elements.len();
            let factor =
                (1..=split as usize % 6 + 1).rev().find(|&n| len.is_multiple_of(n)).unwrap();
            let moved = model.reshaped(vec![factor, 1, len / factor]);
            (x.reshape(moved.dims.clone()).unwrap(), moved)
        }
        View::Flatten => (x.flatten(), model.reshaped(vec![model.elements.len()])),
        View::Squeeze(raw) => match axis(raw) {
            Some(axis) if model.dims[axis] == 1 => {
                let mut dims = model.dims.clone();
                dims.remove(axis);
                (x.squeeze(axis as isize).unwrap(), model.reshaped(dims))
            }
            _ => unchanged(),
        },
        View::Unsqueeze(raw) => {
            let axis = raw as usize % (rank + 1);
            let mut dims = model.dims.clone();
            dims.insert(axis, 1);
            (x.unsqueeze(axis as isize).unwrap(), model.reshaped(dims))
        }
        View::Diagonal(a, b) => {
            let (Some(a), Some(b)) = (axis(a), axis(b)) else { return unchanged() };
            if a == b {
                assert!(x.diagonal(a as isize, b as isize).is_err());
                return unchanged();
            }
            let kept: Vec<usize> = (0..rank).filter(|&axis| axis != a && axis != b).collect();
            let mut dims: Vec<usize> = kept.iter().map(|&axis| model.dims[axis]).collect();
            dims.push(model.dims[a].min(model.dims[b]));
            let moved = model.moved(dims, |index| {
                let mut from = vec![index[kept.len()]; rank];
                kept.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
                from
            });
            (x.diagonal(a as isize, b as isize).unwrap(), moved)
        }
        View::Windows(raw, window) => {
            let Some(axis) = axis(raw) else { return unchanged() };
            let reach = (window.size - 1) * window.dilation + 1;
            if reach > model.dims[axis] {
                assert!(x.windows(axis as isize, window).is_err());
                return unchanged();
            }
            let mut dims = model.dims.clone();
            dims[axis] =
                (0..).take_while(|n| n * window.stride + reach <= model.dims[axis]).count();
            dims.push(window.size);
            let moved = model.moved(dims, |index| {
                let mut from = index[..rank].to_vec();
                from[axis] = index[axis] * window.stride + index[rank] * window.dilation;
                from
            });
            (x.windows(axis as isize, window).unwrap(), moved)
        }
        View::Flip(raw) => {
            let Some(axis) = axis(raw) else { return unchanged() };
            let len = model.dims[axis];
            (x.flip(axis as isize).unwrap(), model.along(axis, len, |i| len - 1 - i))
        }
        View::Select(raw, at) => {
            let Some(axis) = axis(raw) else { return unchanged() };
            if at >= model.dims[axis] {
                assert!(x.select(axis as isize, at).is_err());
                return unchanged();
            }
            let mut moved = model.along(axis, 1, |_| at);
            moved.dims.remove(axis);
            (x.select(axis as isize, at).unwrap(), moved)
        }
    }
}

fn view() -> impl Strategy<Value = View> {
    let window = (1_usize..4, 1_usize..4, 1_usize..3).prop_map(|(size, stride, dilation)| Window {
        size,
        stride,
        dilation,
    });
    let step = prop_oneof![-3_isize..=-1, 1_isize..=3];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 8).prop_map(View::Permute),
        (any::<u8>(), 0_usize..6, 0_usize..6, step)
            .prop_map(|(a, b, c, d)| View::Slice(a, b, c, d)),
        (any::<u8>(), 0_usize..4).prop_map(|(a, b)| View::Expand(a, b)),
        (0_usize..3).prop_map(View::Lead),
        any::<u8>().prop_map(View::Reshape),
        Just(View::Flatten),
        any::<u8>().prop_map(View::Squeeze),
        any::<u8>().prop_map(View::Unsqueeze),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| View::Diagonal(a, b)),
        (any::<u8>(), window).prop_map(|(a, b)| View::Windows(a, b)),
        any::<u8>().prop_map(View::Flip),
        (any::<u8>(), 0_usize..4).prop_map(|(a, b)| View::Select(a, b)),
    ]
}

/// Shapes of rank 0 to 4, with axes of length 0 and 1 among them.
fn dims() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 2 => Just(1), 8 => 2_usize..6], 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_chain_of_views_moves_elements_as_the_model_does(
        dims in dims(),
        views in prop::collection::vec(view(), 0..8),
    ) {
        let mut model = Model::counting(&dims);
        let mut x = Tensor::new(dims, model.elements.clone()).unwrap();
        for view in &views {
            let next = apply(view, &x, &model);
            // Repetition multiplies; what grows beyond the test's patience is left out.
            if next.1.elements.len() > 2000 || next.1.dims.len() > 7 {
                continue;
            }
            (x, model) = next;
            prop_assert_eq!(&x.shape()[..], &model.dims[..], "{:?}", view);
            prop_assert_eq!(x.to_vec::<i64>().unwrap(), &model.elements[..], "{:?}", view);
        }
        for (index, &element) in indices(&model.dims).iter().zip(&model.elements) {
            prop_assert_eq!(x.get(index), Ok(element as f64));
        }
        if let Some(elements) = x.as_slice::<i64>() {
            prop_assert_eq!(elements, &model.elements[..]);
        }
        // A shared view becomes writable with the same elements, and the original stays.
        let mut own = x.clone();
        prop_assert_eq!(own.as_mut_slice::<i64>().map(|own| own.to_vec()), Some(model.elements.clone()));
        prop_assert!(own.is_unique());
        let side_by_side = x.contiguous();
        prop_assert_eq!(side_by_side.as_slice::<i64>(), Some(&model.elements[..]));
        let layout = x.layout().clone();
        prop_assert_eq!(x.with_layout(layout), Ok(x));
    }

    #[test]
    fn a_resolved_slice_has_the_indices_python_has(
        start in prop::option::of(-8_isize..8),
        stop in prop::option::of(-8_isize..8),
        step in prop_oneof![-4_isize..=-1, 1_isize..=4],
        dim in 0_usize..6,
    ) {
        let slice = Slice::resolve(start, stop, step, dim).unwrap();
        prop_assert!(slice.fits(dim));
        // Walk as Python does: an open end is beyond the axis; what is outside is skipped.
        let n = dim as isize;
        let from_end = |at: isize| if at < 0 { at + n } else { at };
        let (first, end) = if step > 0 { (0, n) } else { (n - 1, -1) };
        let begin = start.map_or(first, |at| from_end(at).clamp(end.min(first), end.max(first)));
        let end = stop.map_or(end, |at| from_end(at).clamp(end.min(first), end.max(first)));
        let mut expected = vec![];
        let mut at = begin;
        while if step > 0 { at < end } else { at > end } {
            expected.push(at);
            at += step;
        }
        let indices: Vec<isize> = (0..slice.len).map(|i| slice.start as isize + i as isize * slice.step).collect();
        prop_assert_eq!(indices, expected);
    }
}

#[test]
fn numbers_near_the_end_of_the_integers_do_not_panic() {
    assert_eq!(Slice::resolve(None, None, isize::MAX, 5).map(|slice| slice.len), Some(1));
    assert_eq!(Slice::resolve(None, None, isize::MIN, 5).map(|slice| slice.len), Some(1));
    let x = Tensor::new([2, 3, 4], (0..24).collect::<Vec<i64>>()).unwrap();
    let first = Slice { start: 0, len: 1, step: isize::MAX };
    assert_eq!(x.slices(&[first]).unwrap().to_vec::<i64>().unwrap(), (0..12).collect::<Vec<_>>());
    assert!(x.slices(&[Slice { start: 0, len: usize::MAX, step: 1 }]).is_err());
    let far = Window { size: 1, stride: usize::MAX, dilation: usize::MAX };
    assert_eq!(x.windows(0, far).unwrap().shape()[..], [1, 3, 4, 1]);
    assert!(x.windows(0, Window { size: 2, stride: 1, dilation: usize::MAX }).is_err());
    assert!(x.pad(&[(usize::MAX, 1), (0, 0), (0, 0)], 0.0).is_err());
}

#[test]
fn shapes_beyond_memory_are_refused() {
    let one = Tensor::from([1.0_f32]);
    assert!(one.expand([usize::MAX, 2, 1]).is_err());
    assert!(Tensor::filled_view([usize::MAX, 2], 0.0, one.dtype()).is_err());
    let half = one.expand([usize::MAX / 16]).unwrap();
    assert!(Tensor::concat(&vec![half; 40], 0).is_err());
    // Lengths of 0 do not count: all products of others are within the integers, for any kernel.
    assert!(Tensor::zeros([0, 1 << 62, 4], one.dtype()).is_err());
    let empty = Tensor::zeros([0, 1 << 57, 4], one.dtype()).unwrap();
    assert_eq!(empty.as_slice::<f32>(), Some(&[][..]));
    assert!(empty.slices(&[Slice::all(0), Slice { start: 1 << 56, len: 2, step: 4 }]).is_ok());
}

#[test]
fn an_empty_view_is_a_slice_and_can_be_written_to() {
    let mut x = Tensor::new([2, 0], Vec::<i64>::new()).unwrap().narrow(0, 1, 1).unwrap();
    assert_eq!(x.as_slice::<i64>(), Some(&[][..]));
    assert!(x.as_mut_slice::<i64>().is_some());
    assert!(x.as_mut_slice::<f32>().is_none());
}

#[test]
fn more_than_64_axes_can_be_permuted() {
    let x =
        Tensor::from([1_i64, 2]).reshape(vec![1; 65].into_iter().chain([2]).collect::<Vec<_>>());
    let order: Vec<isize> = (0..66).rev().collect();
    assert_eq!(x.unwrap().permute(&order).unwrap().shape()[0], 2);
}

#[test]
fn a_reshape_is_a_view_whenever_it_splits_or_joins_what_lies_in_step() {
    let x = Tensor::new([2, 3, 4], (0..24).collect::<Vec<i64>>()).unwrap();
    // Cutting the last axis keeps the first two in step with each other.
    let cut = x.narrow(2, 1, 2).unwrap();
    assert!(cut.reshape([6, 2]).unwrap().shares_storage_with(&x));
    assert!(!cut.reshape([2, 6]).unwrap().shares_storage_with(&x));
    assert!(x.flip(0).unwrap().reshape([2, 2, 6]).unwrap().shares_storage_with(&x));
    let repeated = x.unsqueeze(0).unwrap().expand([5, 2, 3, 4]).unwrap();
    assert!(repeated.reshape([5, 24]).unwrap().shares_storage_with(&x));
    assert_eq!(repeated.reshape(Shape::from(120)).unwrap().len(), 120);
}
