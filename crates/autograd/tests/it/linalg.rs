//! Linear algebra: what it gives for singular, empty and broadcast matrices, and which matrix an
//! error names.

use lossgraph_autograd::{Tape, Triangular, Var, hessian};
use lossgraph_tensor::{DType, Tensor};

fn assert_close(y: Var<'_>, expected: &[f64]) {
    let y = y.value().unwrap().to_f64s();
    assert_eq!(y.len(), expected.len());
    for (y, expected) in y.iter().zip(expected) {
        assert!((y - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{y} against {expected}");
    }
}

#[test]
fn factors_and_their_slopes_are_those_of_pytorch() {
    let tape = Tape::f64();
    let a = tape.variable([[4.0, 2.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]]);
    let l = a.cholesky();
    assert_close(l, &[2.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.5, 1.6583123951777]);
    let rows = [
        [0.17658611475902755, 0.1468277704819449, 0.16268891807222047],
        [0.1468277704819449, 0.20634445903611023, 0.1746221638555591],
        [0.16268891807222047, 0.1746221638555591, 0.30151134457776363],
    ];
    assert_close(tape.grad(l.sum(..), &[a])[0], &rows.concat());
    let adjugate = [14.0, -6.0, 2.0, -6.0, 12.0, -4.0, 2.0, -4.0, 16.0];
    assert_close(a.inverse(), &adjugate.map(|x| x / 44.0));
    assert_close(a.det(), &[44.0]);
    let [sign, logarithm] = (-a).slogdet();
    assert_close(sign, &[-1.0]);
    assert_close(logarithm, &[44_f64.ln()]);
}

#[test]
fn an_error_names_the_function_and_the_matrix() {
    for tape in [Tape::new(), Tape::f64(), Tape::f64().unfused()] {
        let x = tape.variable([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]);
        let error = x.cholesky().sum(..).value().unwrap_err();
        let text = format!("{error:?}");
        assert_eq!(error.operation(), "cholesky");
        assert!(text.contains("matrix [1] of the batch is not positive definite"), "{text}");
        assert!(text.contains("order 2") && text.contains("perhaps"), "{text}");
        assert_eq!(error.location(), Some(format!("{}:{}", file!(), line!() - 5)));
        let singular = tape.variable([[1.0, 2.0], [2.0, 4.0]]);
        let all = [("inverse", singular.inverse()), ("solve", singular.solve(tape.fill([2], 1.0)))];
        for (name, y) in all {
            let error = y.value().unwrap_err();
            assert_eq!(error.operation(), name);
            assert!(error.to_string().contains("the matrix is singular"), "{error}");
        }
    }
}

#[test]
fn the_determinant_of_a_singular_matrix_has_the_slopes_of_a_polynomial() {
    let tape = Tape::f64();
    let a = tape.variable([[1.0, 2.0], [2.0, 4.0]]);
    let det = a.det();
    assert_close(det, &[0.0]);
    let slope = tape.grad(det, &[a])[0];
    assert_close(slope, &[4.0, -2.0, -2.0, 1.0]);
    // det = ad − bc, at the zero matrix as everywhere.
    for x in [Tensor::from([[1.0, 2.0], [2.0, 4.0]]), Tensor::zeros([2, 2], DType::F64).unwrap()] {
        let curved = hessian(|_, a| a[0].det(), &[x]).unwrap()[0].to_f64s();
        let expected = [
            [0.0, 0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0, 0.0],
            [0.0, -1.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ];
        assert_eq!(curved, expected.concat());
    }
}

#[test]
fn the_third_derivative_of_a_determinant_of_rank_1_is_that_of_a_product() {
    let tape = Tape::f64();
    let a = tape.variable(Tensor::ones([3, 3], DType::F64).unwrap());
    let mut y = a.det();
    // Along the diagonal, det(1 + t I) = t³ + 3 t².
    let direction = tape.constant(Tensor::eye(3, DType::F64).unwrap());
    let mut along = Vec::new();
    for _ in 0..3 {
        y = (tape.grad(y, &[a])[0] * direction).sum(..);
        along.push(y);
    }
    let along: Vec<f64> = along.into_iter().map(|y| y.item().unwrap()).collect();
    for (given, expected) in along.iter().zip([0.0, 6.0, 6.0]) {
        assert!((given - expected).abs() < 1e-13, "{along:?}");
    }
}

#[test]
fn the_logarithm_of_a_determinant_neither_overflows_nor_underflows() {
    let tape = Tape::new();
    let a = tape.variable(Tensor::eye(100, DType::F32).unwrap()) * 1e-3;
    let [sign, logarithm] = a.slogdet();
    assert_eq!(sign.item().unwrap(), 1.0);
    assert!((logarithm.item().unwrap() - 100.0 * 1e-3_f64.ln()).abs() < 1e-3);
    let singular = tape.variable([[1.0, 2.0], [2.0, 4.0]]);
    let [sign, logarithm] = singular.slogdet();
    assert_eq!(sign.item().unwrap(), 0.0);
    assert_eq!(logarithm.item().unwrap(), f64::NEG_INFINITY);
    let slope = tape.grad(logarithm, &[singular])[0].value().unwrap();
    assert!(slope.to_f64s().iter().all(|x| x.is_infinite()));
    // The sign has slope 0, beside an infinite one as well.
    assert_eq!(tape.grad(sign, &[a])[0].value().unwrap().to_f64s(), [0.0; 10_000]);
}

#[test]
fn a_right_side_may_be_a_vector_for_all_matrices_or_one_for_each() {
    let tape = Tape::f64();
    let a = tape.constant([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 2.0]]]);
    assert_close(a.solve(tape.constant([4.0, 8.0])), &[2.0, 2.0, 4.0, 4.0]);
    assert_close(a.solve(tape.constant([[4.0, 8.0], [1.0, 2.0]])), &[2.0, 2.0, 1.0, 1.0]);
    let one = a.index(0, 0);
    let b = tape.constant([[[4.0], [8.0]], [[2.0], [4.0]], [[6.0], [4.0]]]);
    let x = one.solve(b);
    assert_eq!(x.shape()[..], [3, 2, 1]);
    assert_close(x, &[2.0, 2.0, 1.0, 1.0, 3.0, 1.0]);
    assert_eq!(a.unsqueeze(1).solve_triangular(b, Triangular::LOWER).shape()[..], [2, 3, 2, 1]);
}

#[test]
fn a_triangle_with_a_zero_on_its_diagonal_divides_by_it() {
    let tape = Tape::f64();
    let (a, b) = (tape.constant([[0.0, 2.0], [0.0, 4.0]]), tape.constant([[1.0], [1.0]]));
    let x = a.solve_triangular(b, Triangular::UPPER).value().unwrap().to_f64s();
    assert_eq!(x, [f64::INFINITY, 0.25]);
}

#[test]
fn matrices_without_rows_and_batches_without_matrices_are_fine() {
    let tape = Tape::f64();
    let none = tape.variable(Tensor::zeros([2, 0, 0], DType::F64).unwrap());
    assert_close(none.det(), &[1.0, 1.0]);
    let [sign, logarithm] = none.slogdet();
    assert_eq!(sign.value().unwrap().to_f64s(), [1.0, 1.0]);
    assert_eq!(logarithm.value().unwrap().to_f64s(), [0.0, 0.0]);
    for empty in [none, tape.variable(Tensor::zeros([0, 3, 3], DType::F64).unwrap())] {
        let all = [empty.cholesky(), empty.inverse(), empty.solve(empty), empty.det()];
        for y in all {
            let slope = tape.grad(y.sum(..), &[empty])[0].value().unwrap();
            assert_eq!(slope.shape(), &empty.shape());
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_faults() {
    let tape = Tape::f64();
    let (wide, a) = (tape.fill([2, 3], 1.0), tape.fill([3, 2, 2], 1.0));
    for y in [wide.cholesky(), wide.inverse(), wide.det(), wide.slogdet()[1], wide.solve(wide)] {
        let error = format!("{:?}", y.value().unwrap_err());
        assert!(error.contains("[2, 3]") && error.contains("square matrices"), "{error}");
    }
    for b in [tape.fill((), 1.0), tape.fill([3], 1.0), tape.fill([3, 3, 1], 1.0)] {
        assert!(a.solve(b).value().is_err());
        assert!(a.solve_triangular(b, Triangular::LOWER).value().is_err());
    }
    let error = a.solve(tape.fill([2, 2, 1], 1.0)).value().unwrap_err().to_string();
    assert!(error.contains("the batch axes do not broadcast"), "{error}");
    assert!(tape.fill([2], 1.0).det().value().is_err());
}

#[test]
fn single_precision_is_rounded_once() {
    let hilbert = |tape: &Tape| {
        let element = |i: usize| 1.0 / ((i / 6) + (i % 6) + 1) as f64;
        let data = Tensor::new([6, 6], (0..36).map(element).collect::<Vec<f64>>()).unwrap();
        let a = tape.constant(data.to_dtype(DType::F32).to_dtype(DType::F64));
        a.solve(tape.fill([6], 1.0)).value().unwrap().to_f64s()
    };
    let (single, double) = (hilbert(&Tape::new()), hilbert(&Tape::f64()));
    for (single, double) in single.iter().zip(&double) {
        assert_eq!(*single, f64::from(*double as f32));
    }
}
