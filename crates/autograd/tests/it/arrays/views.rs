use lossgraph_autograd::{Indexing, PadMode, Tape, Var, hstack, meshgrid, vstack};
use lossgraph_tensor::{DType, Tensor};

use super::{assert_close, derived, of_table, refused};

fn table() -> Tensor {
    Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
}

// From torch 2.15, whose pairs are in the other order.
#[test]
fn padding_and_its_slopes_are_those_of_torch() {
    let of = |mode| derived(|x| x.pad(&[(1, 1), (2, 1)], mode), table());
    let [y, g, h] = of(PadMode::Reflect);
    assert_eq!(y[..12], [6.0, 5.0, 4.0, 5.0, 6.0, 5.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    let expected = [
        2.912303096718,
        12.624776853885,
        12.310123101616,
        7.239540870795,
        28.686351161408,
        23.741493869033,
    ];
    assert_close(&g, &expected);
    assert_close(&h[..3], &[1.682941969616, 5.455784560954, 0.564480032239]);
    let [y, g, h] = of(PadMode::Replicate);
    assert_eq!(y[..12], [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    assert_close(&g[..3], &[8.406626756777, 4.495012531784, 11.028597088422]);
    assert_close(&h[..3], &[5.048825908847, 1.818594853651, 0.564480032239]);
    let [y, g, h] = of(PadMode::Circular);
    assert_eq!(y[..12], [5.0, 6.0, 4.0, 5.0, 6.0, 4.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    assert_close(&g[..3], &[4.141544158683, 8.975448013955, 12.730210879582]);
    assert_close(&h[..3], &[3.365883939232, 3.637189707303, 0.564480032239]);
}

#[test]
fn what_is_too_short_to_be_padded_is_refused() {
    let error = refused(|x| x.pad(&[(0, 0), (3, 0)], PadMode::Reflect));
    assert!(error.contains("fewer than its length are mirrored"), "{error}");
    assert!(refused(|x| x.pad(&[(3, 0), (0, 0)], PadMode::Circular)).contains("comes again"));
    assert!(refused(|x| x.pad(&[(3, 0)], PadMode::Circular)).contains("1 pairs for 2 axes"));
    let none = refused(|x| x.slice(0, 2..).pad(&[(1, 0), (0, 0)], PadMode::Replicate));
    assert!(none.contains("it has no ends"), "{none}");
    let huge = [(usize::MAX, 1), (0, 0)];
    for mode in [PadMode::Replicate, PadMode::Circular, PadMode::Constant(0.0)] {
        let _ = refused(|x| x.pad(&huge, mode));
    }
    let whole = of_table(|x| x.pad(&[(2, 0), (0, 0)], PadMode::Circular));
    assert_eq!(whole.shape()[..], [4, 3]);
}

#[test]
fn elements_roll_around_the_ends() {
    let rolled = of_table(|x| x.roll([1, -1], [0, 1]));
    assert_eq!(rolled, Tensor::from([[5.0, 6.0, 4.0], [2.0, 3.0, 1.0]]));
    assert_eq!(of_table(|x| x.roll(1, ())), Tensor::from([[6.0, 1.0, 2.0], [3.0, 4.0, 5.0]]));
    assert_eq!(of_table(|x| x.roll(-7, 1)), of_table(|x| x.roll(2, 1)));
    assert_eq!(of_table(|x| x.roll(isize::MIN, 1).roll(isize::MAX, 1).roll(1, 1)), table());
    assert_eq!(of_table(|x| x.slice(0, 2..).roll(1, 0)).shape()[..], [0, 3]);
    assert!(refused(|x| x.roll(1, 2)).contains("no axis 2"));
    assert!(refused(|x| x.roll([1, 2], 0)).contains("2 shifts for 1 axes"));
}

#[test]
fn tensors_and_elements_are_repeated() {
    let x = || Tape::f64();
    let tape = x();
    let line = tape.variable([1.0, 2.0]);
    let value = |y: Var<'_>| y.value().unwrap();
    assert_eq!(value(line.repeat([2, 2])), Tensor::from([[1.0, 2.0, 1.0, 2.0]; 2]));
    assert_eq!(value(line.tile(3)), Tensor::from([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]));
    assert_eq!(of_table(|x| x.tile(2)).shape()[..], [2, 6]);
    assert_eq!(value(line.repeat_interleave(2, 0)), Tensor::from([1.0, 1.0, 2.0, 2.0]));
    assert_eq!(value(line.repeat_interleave([0, 3], 0)), Tensor::from([2.0, 2.0, 2.0]));
    let columns = of_table(|x| x.repeat_interleave([1, 0, 2], -1));
    assert_eq!(columns, Tensor::from([[1.0, 3.0, 3.0], [4.0, 6.0, 6.0]]));
    assert_eq!(of_table(|x| x.repeat([0, 1])).shape()[..], [0, 3]);
    assert_eq!(value(tape.variable(3.0).repeat(2)), Tensor::from([3.0, 3.0]));
    assert!(refused(|x| x.repeat(2)).contains("1 numbers for 2 axes"));
    assert!(refused(|x| x.repeat([2, -1])).contains("-1 times"));
    assert!(refused(|x| x.repeat([isize::MAX, 2])).contains("addresses"));
    assert!(refused(|x| x.repeat_interleave([1, 2], 1)).contains("2 numbers for 3 indices"));
    assert!(refused(|x| x.repeat_interleave(isize::MAX, 1)).contains("addresses"));
    assert!(refused(|x| x.repeat_interleave([isize::MAX, 0], 0)).contains("no memory"));
}

#[test]
fn an_axis_is_cut_into_pieces_as_in_torch() {
    let tape = Tape::f64();
    let lens = |pieces: Vec<Var<'_>>| -> Vec<usize> {
        pieces.into_iter().map(|piece| piece.value().unwrap().len()).collect()
    };
    let line = |n: usize| tape.variable(Tensor::arange(n, DType::F64).unwrap());
    assert_eq!(lens(line(5).split(2, 0)), [2, 2, 1]);
    assert_eq!(lens(line(5).split([1, 0, 4], 0)), [1, 0, 4]);
    assert_eq!(lens(line(0).split(2, 0)), [0]);
    assert_eq!(lens(line(0).split(0, 0)), [0]);
    assert_eq!(lens(line(5).chunk(4, 0)), [2, 2, 1]);
    assert_eq!(lens(line(6).chunk(4, 0)), [2, 2, 2]);
    assert_eq!(lens(line(0).chunk(3, -1)), [0, 0, 0]);
    assert_eq!(lens(line(2).unbind(0)), [1, 1]);
    let columns = of_table(|x| x.unbind(1)[2]);
    assert_eq!(columns, Tensor::from([3.0, 6.0]));
    assert!(refused(|x| x.split(0, 1)[0]).contains("length of 0"));
    assert!(refused(|x| x.split(-1, 1)[0]).contains("length of -1"));
    assert!(refused(|x| x.split([1, 1], 1)[0]).contains("do not add up to axis 1"));
    assert!(refused(|x| x.split([4, -1], 1)[0]).contains("do not add up"));
    assert!(refused(|x| x.split(1, 2)[0]).contains("no axis 2"));
    assert!(refused(|x| x.chunk(0, 1)[0]).contains("at least one piece"));
    assert!(refused(|x| x.chunk(2, 2)[0]).contains("no axis 2"));
    assert!(refused(|x| x.unbind(2)[0]).contains("no axis 2"));
}

#[test]
fn axes_move_and_are_joined_and_taken_apart() {
    let shape = |f: &dyn for<'t> Fn(Var<'t>) -> Var<'t>| {
        let tape = Tape::f64();
        let x = tape.variable(Tensor::zeros([2, 3, 4, 5], DType::F64).unwrap());
        f(x).value().unwrap().shape().to_vec()
    };
    assert_eq!(shape(&|x| x.movedim([0, 3], [2, 0])), [5, 3, 2, 4]);
    assert_eq!(shape(&|x| x.movedim(-1, 0)), [5, 2, 3, 4]);
    assert_eq!(shape(&|x| x.flatten(1..=2)), [2, 12, 5]);
    assert_eq!(shape(&|x| x.flatten(0)), [120]);
    assert_eq!(shape(&|x| x.unflatten(2, [2, -1])), [2, 3, 2, 2, 5]);
    assert_eq!(shape(&|x| x.narrow(-1, -3, 2)), [2, 3, 4, 2]);
    let tape = Tape::f64();
    let scalar = tape.variable(3.0);
    assert_eq!(scalar.flatten(0).shape()[..], [1]);
    assert_eq!(scalar.movedim(0, 0).rank(), 0);
    assert!(refused(|x| x.movedim([0, 0], [0, 1])).contains("place of its own"));
    assert!(refused(|x| x.movedim(0, [0, 1])).contains("place of its own"));
    assert!(refused(|x| x.movedim(0, 2)).contains("no axis 2"));
    assert!(refused(|x| x.flatten(1..=x.rank() - 2)).contains("before axis 1"));
    assert!(refused(|x| x.flatten(0..=2)).contains("no axis 2"));
    assert!(refused(|x| x.unflatten(1, [2, 2])).contains("axis 1: 3 elements do not fill"));
    assert!(refused(|x| x.narrow(1, 2, 2)).contains("out of range"));
    assert!(refused(|x| x.narrow(1, -4, 1)).contains("out of range"));
    assert!(refused(|x| x.narrow(1, 1, usize::MAX)).contains("out of range"));
}

#[test]
fn a_grid_has_the_coordinates_of_all_its_points() {
    let tape = Tape::f64();
    let (x, y) = (tape.variable([1.0, 2.0, 3.0]), tape.variable([4.0, 5.0]));
    let values = |grid: Vec<Var<'_>>| -> Vec<Tensor> {
        grid.into_iter().map(|each| each.value().unwrap()).collect()
    };
    let xy = values(meshgrid(&[x, y], Indexing::Xy));
    assert_eq!(xy[0], Tensor::from([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]));
    assert_eq!(xy[1], Tensor::from([[4.0, 4.0, 4.0], [5.0, 5.0, 5.0]]));
    let ij = values(meshgrid(&[x, y, tape.variable(7.0)], Indexing::Ij));
    assert_eq!(ij[0].shape()[..], [3, 2, 1]);
    assert_eq!(ij[1].to_f64s(), [4.0, 5.0, 4.0, 5.0, 4.0, 5.0]);
    assert_eq!(values(meshgrid(&[x], Indexing::Xy))[0], x.value().unwrap());
    assert!(meshgrid(&[], Indexing::Ij)[0].value().is_err());
    assert!(refused(|x| meshgrid(&[x], Indexing::Ij)[0]).contains("more than one axis"));
    let other = Tape::f64();
    assert!(meshgrid(&[x, other.variable(1.0)], Indexing::Ij)[0].value().is_err());
}

#[test]
fn tensors_are_stacked_in_two_directions() {
    let tape = Tape::f64();
    let (a, b) = (tape.variable([1.0, 2.0]), tape.variable([3.0, 4.0]));
    let value = |y: Var<'_>| y.value().unwrap();
    assert_eq!(value(hstack(&[a, b])), Tensor::from([1.0, 2.0, 3.0, 4.0]));
    assert_eq!(value(vstack(&[a, b])), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    let (a, b) = (a.unsqueeze(1), b.unsqueeze(1));
    assert_eq!(value(hstack(&[a, b])), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    let (one, two) = (tape.variable(1.0), tape.variable(2.0));
    assert_eq!(value(hstack(&[one, two])), Tensor::from([1.0, 2.0]));
    assert_eq!(value(vstack(&[one, two])), Tensor::from([[1.0], [2.0]]));
    assert!(hstack(&[]).value().is_err() && vstack(&[]).value().is_err());
}

#[test]
fn diagonals_lie_above_and_below_the_main_one() {
    assert_eq!(of_table(|x| x.diagonal(1, 0, 1)), Tensor::from([2.0, 6.0]));
    assert_eq!(of_table(|x| x.diagonal(-1, 0, 1)), Tensor::from([4.0]));
    assert_eq!(of_table(|x| x.diagonal(1, 1, 0)), Tensor::from([4.0]));
    for beyond in [5, -5, isize::MAX, isize::MIN] {
        assert!(of_table(|x| x.diagonal(beyond, 0, 1)).is_empty());
    }
    assert_eq!(of_table(|x| x.diag(0)), Tensor::from([1.0, 5.0]));
    assert_eq!(of_table(|x| x.trace()).item().unwrap(), 6.0);
    let below = Tensor::from([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 5.0, 0.0]]);
    assert_eq!(of_table(|x| x.diag(0).diag(-1)), below);
    let tape = Tape::f64();
    let batch = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
    let expected = Tensor::from([
        [[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]],
        [[0.0, 0.0, 2.0], [0.0, 0.0, 4.0]],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ]);
    assert_eq!(batch.diag_embed(1, 0, 2).value().unwrap(), expected);
    let nothing = tape.variable(Tensor::zeros([0], DType::F64).unwrap());
    assert_eq!(nothing.diag(-2).value().unwrap(), Tensor::from([[0.0, 0.0], [0.0, 0.0]]));
    assert!(refused(|x| x.unsqueeze(0).diag(0)).contains("one or two axes"));
    assert!(refused(|x| x.sum(..).diag_embed(0, -2, -1)).contains("scalar"));
    assert!(refused(|x| x.diag_embed(0, 0, 0)).contains("place of its own"));
    assert!(refused(|x| x.diag_embed(0, 0, 3)).contains("no axis 3"));
    assert!(refused(|x| x.diag_embed(isize::MAX, 0, 1)).contains("addresses"));
    assert!(refused(|x| x.unsqueeze(0).trace()).contains("two axes"));
    assert!(refused(|x| x.diagonal(0, 1, 1)).contains("named twice"));
    assert!(refused(|x| x.diagonal(0, 1, 2)).contains("no axis 2"));
}

#[test]
fn triangles_leave_out_whatever_is_in_the_other() {
    assert_eq!(of_table(|x| x.tril(0)), table().tril(0).unwrap());
    assert_eq!(of_table(|x| x.triu(1)), table().triu(1).unwrap());
    for k in [isize::MIN, -3, -1, 2, 3, isize::MAX] {
        assert_eq!(of_table(|x| x.tril(k)), table().tril(k).unwrap(), "{k}");
        assert_eq!(of_table(|x| x.triu(k)), table().triu(k).unwrap(), "{k}");
    }
    let tape = Tape::f64();
    let x = tape.variable([[1.0, f64::NAN], [2.0, 3.0]]);
    assert_eq!(x.tril(0).value().unwrap(), Tensor::from([[1.0, 0.0], [2.0, 3.0]]));
    let slope = tape.grad(x.sqrt().tril(0).sum(..), &[x])[0].value().unwrap().to_f64s();
    assert_eq!(slope[1], 0.0);
    let integers = tape.constant([[1_i64, 2], [3, 4]]).triu(0).value().unwrap();
    assert_eq!(integers, Tensor::from([[1_i64, 2], [0, 4]]));
    assert!(refused(|x| x.index(0, 0).tril(0)).contains("two axes"));
}

#[test]
fn products_over_chosen_axes_are_those_of_einsum() {
    let tape = Tape::f64();
    let wave = |shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        let data = (0..n).map(|i| (i as f64 * 0.7).sin()).collect();
        tape.variable(Tensor::new(shape, data).unwrap())
    };
    let (a, b) = (wave(&[2, 3, 4]), wave(&[4, 5, 2]));
    let y = a.tensordot(b, [0, -1], [2, 0]).value().unwrap();
    let expected = lossgraph_autograd::einsum("ijk,kli->jl", &[a, b]).value().unwrap();
    assert!(y.allclose(&expected, 1e-14, 1e-14));
    let outer = a.tensordot(b, (), ());
    assert_eq!(outer.value().unwrap().shape()[..], [2, 3, 4, 4, 5, 2]);
    assert!(refused(|x| x.tensordot(x, 0, 1)).contains("differ in length"));
    assert!(refused(|x| x.tensordot(x, [0, 1], 1)).contains("2 axes against 1"));
    assert!(refused(|x| x.tensordot(x, [0, 0], [0, 0])).contains("named twice"));
    assert!(refused(|x| x.tensordot(x, 2, 1)).contains("no axis 2"));
    let (a, b) = (tape.variable([1.0, 2.0]), tape.variable([[1.0, 10.0], [3.0, 4.0]]));
    let kron = a.kron(b).value().unwrap();
    assert_eq!(kron, Tensor::from([[1.0, 10.0, 2.0, 20.0], [3.0, 4.0, 6.0, 8.0]]));
}

#[test]
fn elements_are_taken_by_indices_that_may_count_from_the_end() {
    let taken = of_table(|x| x.take(x.tape().constant([[-1_i64, 0], [2, -6]])));
    assert_eq!(taken, Tensor::from([[6.0, 1.0], [3.0, 1.0]]));
    let taken = of_table(|x| x.take_along_dim(x.tape().constant([[-1_i64, 0]]), 1));
    assert_eq!(taken, Tensor::from([[3.0, 1.0], [6.0, 4.0]]));
    let column = of_table(|x| x.slice(1, ..1).take_along_dim(x.tape().constant([[1_i64, -2]]), 0));
    assert_eq!(column, Tensor::from([[4.0, 1.0]]));
    assert!(refused(|x| x.take(x.tape().constant([6_i64]))).contains("index 6"));
    assert!(refused(|x| x.take(x.tape().constant([-7_i64]))).contains("index -7"));
    assert!(refused(|x| x.take(x)).contains("holds floats"));
    assert!(refused(|x| x.take_along_dim(x.tape().labels(&[0]), 1)).contains("do not fit"));
    let odd = refused(|x| x.take_along_dim(x.tape().constant([[0_i64, 0]]), 0));
    assert!(odd.contains("do not fit"), "{odd}");
}

// From torch 2.15.
#[test]
fn negative_borders_cut_off_as_in_torch() {
    let tape = Tape::f64();
    let x = tape.constant([0.0, 1.0, 2.0, 3.0]);
    let of = |pair: (i32, i32), mode: PadMode| x.pad(&[pair], mode).value().unwrap().to_f64s();
    assert_eq!(of((-1, 2), 0.5.into()), [1.0, 2.0, 3.0, 0.5, 0.5]);
    assert_eq!(of((1, -3), 0.5.into()), [0.5, 0.0]);
    assert_eq!(of((-4, 2), 0.5.into()), [0.5, 0.5]);
    assert_eq!(of((-1, 2), PadMode::Reflect), [1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(of((-5, 3), PadMode::Reflect), [1.0, 0.0]);
    assert_eq!(of((2, -1), PadMode::Replicate), [0.0, 0.0, 0.0, 1.0, 2.0]);
    assert_eq!(of((-5, 3), PadMode::Replicate), [3.0, 3.0]);
    assert_eq!(of((-1, 2), PadMode::Circular), [1.0, 2.0, 3.0, 1.0, 2.0]);
    assert_eq!(of((2, -1), PadMode::Circular), [1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(of((-2, -2), PadMode::Circular), []);
    for mode in [PadMode::Constant(0.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
        let error = x.pad(&[(-3, -2)], mode).value().unwrap_err().to_string();
        assert!(error.contains("cuts off more than there is"), "{error}");
    }
    assert!(x.pad(&[(-3, 2)], PadMode::Circular).is_faulty());
    assert!(x.pad(&[(isize::MIN, isize::MAX)], PadMode::Reflect).is_faulty());
    assert!(x.pad(&[(isize::MAX, isize::MAX)], 0.0).is_faulty());
}

#[test]
fn a_diagonal_is_written_where_it_is_read() {
    let written = of_table(|x| x.diagonal_scatter(x.tape().constant([9.0, 8.0]), 1, 0, 1));
    assert_eq!(written, Tensor::from([[1.0, 9.0, 3.0], [4.0, 5.0, 8.0]]));
    let written = of_table(|x| x.diagonal_scatter(x.tape().constant([9.0]), 1, 1, 0));
    assert_eq!(written, Tensor::from([[1.0, 2.0, 3.0], [9.0, 5.0, 6.0]]));
    let nothing = of_table(|x| x.diagonal_scatter(x.diagonal(7, 0, 1), 7, 0, 1));
    assert_eq!(nothing, table());
    let tape = Tape::f64();
    let (x, s) = (tape.variable([[1.0, 2.0], [3.0, 4.0]]), tape.variable([5.0, 6.0]));
    let loss = x.diagonal_scatter(s, 0, 0, 1).square().sum(..);
    let slopes = tape.grad(loss, &[x, s]);
    assert_eq!(slopes[0].value().unwrap().to_f64s(), [0.0, 4.0, 6.0, 0.0]);
    assert_eq!(slopes[1].value().unwrap().to_f64s(), [10.0, 12.0]);
    let error = refused(|x| x.diagonal_scatter(x.tape().constant([9.0]), 0, 0, 1));
    assert!(error.contains("has not the shape [2]"), "{error}");
}

#[test]
fn axes_from_one_on_or_in_a_range_are_flattened() {
    let tape = Tape::f64();
    let x = tape.constant(Tensor::zeros([2, 3, 4, 5], DType::F64).unwrap());
    assert_eq!(x.flatten(..).shape()[..], [120]);
    assert_eq!(x.flatten(1).shape()[..], [2, 60]);
    assert_eq!(x.flatten(-2).shape()[..], [2, 3, 20]);
    assert_eq!(x.flatten(1..3).shape()[..], [2, 12, 5]);
    assert_eq!(x.flatten(..-1).shape()[..], [24, 5]);
    let last = -2;
    assert_eq!(x.flatten(1..=last).shape()[..], [2, 12, 5]);
    for wrong in [x.flatten(4), x.flatten(0..5), x.flatten(..-9), x.flatten(..0)] {
        assert!(wrong.is_faulty());
    }
}
