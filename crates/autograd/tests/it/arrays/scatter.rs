use lossgraph_autograd::{IncludeSelf, ScatterReduce, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use super::{assert_close, of_table, refused};

/// The value and both slopes of `Σ y cos i`, of a base, a source and an index of six elements.
fn reduced(reduce: ScatterReduce, include_self: IncludeSelf) -> [Vec<f64>; 3] {
    let tape = Tape::f64();
    let base = tape.variable([[1.0, 2.0, 3.0], [4.0, 0.0, 6.0]]);
    let source = tape.variable([[2.0, 0.0, 3.0], [3.0, 5.0, 3.0]]);
    let index = tape.labels(&[0, 1, 0, 1, 1, 1]).reshape([2, 3]);
    let y = base.scatter_reduce(1, index, source, reduce, include_self);
    let weights = (0..6).map(|i| f64::from(i).cos()).collect::<Vec<_>>();
    let loss = (y.flatten(..) * tape.constant(weights)).sum(..);
    let slopes = tape.grad(loss, &[base, source]);
    [y, slopes[0], slopes[1]].map(|x| x.value().unwrap().to_f64s())
}

// From torch 2.15.
#[test]
fn what_is_scattered_to_one_place_is_combined_as_in_torch() {
    let [c1, c2, c3, c4, c5] = [1.0, 2.0, 3.0, 4.0, 5.0].map(f64::cos);
    let (yes, no) = (IncludeSelf::Yes, IncludeSelf::No);
    let check = |reduce, own, expected: [[f64; 6]; 3]| {
        let got = reduced(reduce, own);
        got.iter().zip(&expected).for_each(|(got, expected)| assert_close(got, expected));
    };
    let source = [1.0, c1, 1.0, c4, c4, c4];
    let y = [6.0, 2.0, 3.0, 4.0, 11.0, 6.0];
    check(ScatterReduce::Sum, yes, [y, [1.0, c1, c2, c3, c4, c5], source]);
    let y = [5.0, 0.0, 3.0, 4.0, 11.0, 6.0];
    check(ScatterReduce::Sum, no, [y, [0.0, 0.0, c2, c3, 0.0, c5], source]);
    let y = [6.0, 0.0, 3.0, 4.0, 0.0, 6.0];
    let source = [3.0, 2.0 * c1, 2.0, 0.0, 0.0, 0.0];
    check(ScatterReduce::Prod, yes, [y, [6.0, 0.0, c2, c3, 45.0 * c4, c5], source]);
    let y = [6.0, 0.0, 3.0, 4.0, 45.0, 6.0];
    let source = [3.0, c1, 2.0, 15.0 * c4, 9.0 * c4, 15.0 * c4];
    check(ScatterReduce::Prod, no, [y, [0.0, 0.0, c2, c3, 0.0, c5], source]);
    let y = [2.0, 1.0, 3.0, 4.0, 2.75, 6.0];
    let (third, half) = (1.0 / 3.0, 0.5);
    let base = [third, half * c1, c2, c3, c4 / 4.0, c5];
    let source = [third, half * c1, third, c4 / 4.0, c4 / 4.0, c4 / 4.0];
    check(ScatterReduce::Mean, yes, [y, base, source]);
    let y = [2.5, 0.0, 3.0, 4.0, 11.0 / 3.0, 6.0];
    let source = [0.5, c1, 0.5, c4 / 3.0, c4 / 3.0, c4 / 3.0];
    check(ScatterReduce::Mean, no, [y, [0.0, 0.0, c2, c3, 0.0, c5], source]);
    let y = [3.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let source = [0.0, 0.0, 1.0, 0.0, c4, 0.0];
    check(ScatterReduce::Amax, yes, [y, [0.0, c1, c2, c3, 0.0, c5], source]);
    let y = [3.0, 0.0, 3.0, 4.0, 5.0, 6.0];
    let source = [0.0, c1, 1.0, 0.0, c4, 0.0];
    check(ScatterReduce::Amax, no, [y, [0.0, 0.0, c2, c3, 0.0, c5], source]);
    let y = [1.0, 0.0, 3.0, 4.0, 0.0, 6.0];
    let source = [0.0, c1, 0.0, 0.0, 0.0, 0.0];
    check(ScatterReduce::Amin, yes, [y, [1.0, 0.0, c2, c3, c4, c5], source]);
    let y = [2.0, 0.0, 3.0, 4.0, 3.0, 6.0];
    let source = [1.0, c1, 0.0, c4 / 2.0, 0.0, c4 / 2.0];
    check(ScatterReduce::Amin, no, [y, [0.0, 0.0, c2, c3, 0.0, c5], source]);
}

#[test]
fn equal_infinities_that_are_scattered_share_the_slope_among_themselves() {
    let tape = Tape::f64();
    let base = tape.variable([7.0]);
    let source = tape.variable([f64::NEG_INFINITY, f64::NEG_INFINITY]);
    let index = tape.labels(&[0, 0]);
    let y = base.scatter_reduce(0, index, source, ScatterReduce::Amax, IncludeSelf::No);
    assert_eq!(y.value().unwrap().to_f64s(), [f64::NEG_INFINITY]);
    let slopes = tape.grad(y.sum(..), &[base, source]).into_iter();
    let slopes: Vec<_> = slopes.map(|g| g.value().unwrap().to_f64s()).collect();
    assert_eq!(slopes, [vec![0.0], vec![0.5, 0.5]]);
}

#[test]
fn second_slopes_of_a_scattered_product_hold_where_two_factors_are_0() {
    let tape = Tape::f64();
    let base = tape.variable([2.0]);
    let source = tape.variable([0.0, 3.0, 0.0]);
    let index = tape.labels(&[0, 0, 0]);
    let y = base.scatter_reduce(0, index, source, ScatterReduce::Prod, IncludeSelf::Yes);
    let slope = tape.grad(y.sum(..), &[source])[0];
    assert_eq!(slope.value().unwrap().to_f64s(), [0.0, 0.0, 0.0]);
    // ∂²y/∂s₀∂s₂ = 2 · 3.
    let second = tape.grad(slope.index(0, 0), &[source])[0];
    assert_eq!(second.value().unwrap().to_f64s(), [0.0, 0.0, 6.0]);
}

#[test]
fn what_is_infinite_or_nan_in_one_place_spoils_no_slope_of_another() {
    let tape = Tape::f64();
    let base = tape.variable([1.0, 2.0, 3.0]);
    for extreme in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300] {
        let source = tape.variable([5.0, extreme, 7.0, extreme, 4.0]);
        let index = tape.labels(&[0, 1, 2, 1, 0]);
        for own in [IncludeSelf::Yes, IncludeSelf::No] {
            let y = base.scatter_reduce(0, index, source, ScatterReduce::Prod, own);
            let slope = tape.grad(y.sum(..), &[source])[0];
            let of_base = if own == IncludeSelf::Yes { 3.0 } else { 1.0 };
            let slopes = slope.value().unwrap().to_f64s();
            assert_eq!([slopes[0], slopes[2], slopes[4]], [4.0, of_base, 5.0], "{extreme}");
            // ∂²y₀/∂s₀∂s₄ = 1, for it is the base's factor; nothing in the other places.
            let second = tape.grad(slope.index(0, 0), &[source])[0].value().unwrap().to_f64s();
            assert_eq!([second[0], second[2], second[4]], [0.0, 0.0, 1.0], "{extreme}");
        }
    }
}

#[test]
fn the_last_of_what_is_scattered_to_one_place_is_written_and_has_the_slope() {
    let tape = Tape::f64();
    let base = tape.variable([1.0, 2.0, 3.0]);
    let source = tape.variable([7.0, 8.0, 9.0, 10.0]);
    let index = tape.labels(&[0, 2, 0]);
    let y = base.scatter(0, index, source);
    assert_eq!(y.value().unwrap().to_f64s(), [9.0, 2.0, 8.0]);
    let weights = tape.constant([10.0, 20.0, 30.0]);
    let slopes = tape.grad((y * weights).sum(..), &[base, source]).into_iter();
    let slopes: Vec<_> = slopes.map(|g| g.value().unwrap().to_f64s()).collect();
    assert_eq!(slopes, [vec![0.0, 20.0, 0.0], vec![0.0, 30.0, 10.0, 0.0]]);
}

#[test]
fn numbers_and_integers_are_scattered_as_what_they_are() {
    let tape = Tape::new();
    let x = tape.constant([[1_i64, 2, 3], [4, 5, 6]]);
    let index = tape.constant([[2_i64], [0]]);
    let filled = x.scatter(1, index, 0).value().unwrap();
    assert_eq!(filled, Tensor::from([[1_i64, 2, 0], [0, 5, 6]]));
    let floats = x.scatter(1, index, 0.5).value().unwrap();
    assert_eq!(floats, Tensor::from([[1.0_f32, 2.0, 0.5], [0.5, 5.0, 6.0]]));
    let sums = x.index_add(1, tape.labels(&[0, 0]), tape.constant([[1_i64, 2], [3, 4]]), 2.0);
    assert_eq!(sums.value().unwrap(), Tensor::from([[7_i64, 2, 3], [18, 5, 6]]));
    let product =
        x.scatter_reduce(1, index, index, ScatterReduce::Prod, IncludeSelf::Yes).value().unwrap();
    assert_eq!(product, Tensor::from([[1_i64, 2, 6], [0, 5, 6]]));
    let mean =
        x.scatter_reduce(1, index, 4, ScatterReduce::Mean, IncludeSelf::Yes).value().unwrap();
    assert_eq!(mean, Tensor::from([[1.0_f32, 2.0, 3.5], [4.0, 5.0, 6.0]]));
}

#[test]
fn whole_slices_are_added_copied_and_filled() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0, 3.0]);
    let index = tape.labels(&[0, 2, 0]);
    let added = x.index_add(0, index, tape.constant([1.0, 2.0, 3.0]), 2.0);
    assert_eq!(added.value().unwrap().to_f64s(), [9.0, 2.0, 7.0]);
    let source = tape.variable([7.0, 8.0, 9.0]);
    let copied = x.index_copy(0, index, source);
    assert_eq!(copied.value().unwrap().to_f64s(), [9.0, 2.0, 8.0]);
    let slopes = tape.grad(copied.sum(..), &[x, source]).into_iter();
    let slopes: Vec<_> = slopes.map(|g| g.value().unwrap().to_f64s()).collect();
    assert_eq!(slopes, [vec![0.0, 1.0, 0.0], vec![0.0, 1.0, 1.0]]);
    let filled = of_table(|x| x.index_fill(1, x.tape().labels(&[0, 2]), f64::INFINITY));
    assert_eq!(filled.to_f64s()[1..5], [2.0, f64::INFINITY, f64::INFINITY, 5.0]);
    let rows =
        of_table(|x| x.index_copy(0, x.tape().labels(&[1]), x.tape().constant([[7.0, 8.0, 9.0]])));
    assert_eq!(rows, Tensor::from([[1.0, 2.0, 3.0], [7.0, 8.0, 9.0]]));
}

#[test]
fn slices_are_written_over() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let column = tape.constant([7.0, 8.0]);
    let y = x.select_scatter(1, -2, column).value().unwrap();
    assert_eq!(y, Tensor::from([[1.0, 7.0, 3.0], [4.0, 8.0, 6.0]]));
    let block = tape.constant([[7.0, 8.0], [9.0, 0.0]]);
    let y = x.slice_scatter(1, -2.., block).value().unwrap();
    assert_eq!(y, Tensor::from([[1.0, 7.0, 8.0], [4.0, 9.0, 0.0]]));
    assert_eq!(
        x.slice_scatter(0, 5.., tape.fill([0, 3], 0.0)).value().unwrap(),
        x.value().unwrap()
    );
    let masked = x.masked_fill(x.gt(2.0), f64::NEG_INFINITY);
    assert_eq!(masked.value().unwrap().to_f64s()[..2], [1.0, 2.0]);
    let slope = tape.grad(masked.exp().sum(..), &[x])[0].value().unwrap().to_f64s();
    assert_close(&slope, &[1_f64.exp(), 2_f64.exp(), 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_scalar_is_written_to_as_one_element() {
    let tape = Tape::f64();
    let x = tape.variable(3.0);
    let (zero, zeros) = (tape.constant(0_i64), tape.labels(&[0]));
    let sum = ScatterReduce::Sum;
    for (y, expected) in [
        (x.scatter(0, zero, 5.0), 5.0),
        (x.scatter_reduce(0, zeros, tape.constant([5.0]), sum, IncludeSelf::Yes), 8.0),
        (x.index_add(0, zero, tape.constant(5.0), 1.0), 8.0),
        (x.index_copy(0, zeros, tape.constant(5.0)), 5.0),
        (x.index_fill(-1, zero, 5.0), 5.0),
    ] {
        assert_eq!((y.rank(), y.item().unwrap()), (0, expected));
    }
}

#[test]
fn nothing_is_scattered_to_nowhere() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let nothing = tape.constant(Tensor::zeros([0], DType::I64).unwrap());
    let none = tape.variable(Tensor::zeros([0], DType::F64).unwrap());
    for reduce in [
        ScatterReduce::Sum,
        ScatterReduce::Prod,
        ScatterReduce::Mean,
        ScatterReduce::Amax,
        ScatterReduce::Amin,
    ] {
        let y = x.scatter_reduce(0, nothing, none, reduce, IncludeSelf::No);
        assert_eq!(y.value().unwrap(), x.value().unwrap());
        let slopes = tape.grad(y.sum(..), &[x, none]);
        assert_eq!(slopes[0].value().unwrap().to_f64s(), [1.0, 1.0]);
        assert_eq!(slopes[1].value().unwrap().len(), 0);
    }
    let kept = [x.scatter(0, nothing, none), x.index_copy(0, nothing, none)];
    for y in
        kept.into_iter().chain([x.index_fill(0, nothing, 9.0), x.index_add(0, nothing, none, 2.0)])
    {
        assert_eq!(y.value().unwrap(), x.value().unwrap());
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    fn index<'t>(x: Var<'t>, of: &[i64], shape: [usize; 2]) -> Var<'t> {
        x.tape().labels(of).reshape(shape)
    }
    let error = refused(|x| x.scatter(2, index(x, &[0], [1, 1]), 1.0));
    assert!(error.contains("there is no axis 2"), "{error}");
    let error = refused(|x| x.scatter(1, index(x, &[3], [1, 1]), 1.0));
    assert!(error.contains("index 3"), "{error}");
    let error = refused(|x| x.scatter(1, index(x, &[-1], [1, 1]), 1.0));
    assert!(error.contains("index -1"), "{error}");
    let error = refused(|x| x.scatter(1, x, 1.0));
    assert!(error.contains("the index holds floats"), "{error}");
    let error = refused(|x| x.scatter(1, x.tape().labels(&[0]), 1.0));
    assert!(error.contains("do not fit"), "{error}");
    let error = refused(|x| x.scatter(1, index(x, &[0, 1], [2, 1]), x.tape().constant([[1.0]])));
    assert!(error.contains("not an element for each index"), "{error}");
    let error = refused(|x| x.index_add(0, x.tape().labels(&[0]), x, 1.0));
    assert!(error.contains("the source has not the shape [1, 3]"), "{error}");
    let error = refused(|x| x.index_copy(0, index(x, &[0], [1, 1]), x));
    assert!(error.contains("more than one axis"), "{error}");
    let error = refused(|x| x.index_fill(0, x.tape().labels(&[2]), 1.0));
    assert!(error.contains("index 2"), "{error}");
    assert!(refused(|x| x.index_fill(0, x.tape().labels(&[0]), x)).contains("not one number"));
    assert!(refused(|x| x.slice_scatter(0, 1.., x)).contains("has not the shape [1, 3]"));
    assert!(refused(|x| x.select_scatter(0, 0, x)).contains("has not the shape [3]"));
    assert!(refused(|x| x.select_scatter(0, 2, x)).contains("out of range"));
}
