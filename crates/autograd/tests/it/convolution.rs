//! Convolution and pooling against what they are by definition, composed of views and products.

use lossgraph_autograd::{Conv, Padding, Pool, Tape, Var, concat};
use lossgraph_tensor::kernels::threads;
use lossgraph_tensor::{DType, Tensor, Window};

/// `Σ w · window + b`, the windows written out.
fn composed<'t>(x: Var<'t>, w: Var<'t>, b: Var<'t>, options: Conv<2>) -> Var<'t> {
    let Conv { stride, dilation, groups, .. } = options;
    let around = [0, 1].map(|axis| match options.padding {
        Padding::Each(padding) => (padding[axis], padding[axis]),
        Padding::Same => {
            let total = (w.dim(axis as isize + 2) - 1) * dilation[axis];
            (total / 2, total - total / 2)
        }
    });
    let (ins, outs) = (w.dim(1), w.dim(0) / groups);
    let places = |group: usize, len: usize| (group * len) as isize..((group + 1) * len) as isize;
    let each = |group: usize| {
        let x = x.slice(1, places(group, ins));
        let mut windows = x.pad(&[(0, 0), (0, 0), around[0], around[1]], 0.0);
        for axis in 0..2 {
            let size = w.dim(axis as isize + 2);
            let window = Window { size, stride: stride[axis], dilation: dilation[axis] };
            windows = windows.windows(axis as isize + 2, window);
        }
        // [n, i, p, p, k, k] → [n, p, p, i · k · k]
        let (n, up, across) = (x.dim(0), windows.dim(2), windows.dim(3));
        let len = ins * w.dim(2) * w.dim(3);
        let rows = windows.permute(&[0, 2, 3, 1, 4, 5]).reshape([n, up, across, len]);
        let w = w.slice(0, places(group, outs)).reshape([outs, len]);
        let y = rows.matmul(w.t()) + b.slice(0, places(group, outs));
        y.permute(&[0, 3, 1, 2])
    };
    concat(&(0..groups).map(each).collect::<Vec<_>>(), 1)
}

fn waves(shape: &[usize], by: f64) -> Tensor {
    let len = shape.iter().product();
    Tensor::new(shape, (0..len).map(|i| (i as f64 * by + 0.3).sin()).collect::<Vec<f64>>()).unwrap()
}

type Record = for<'t> fn(Var<'t>, Var<'t>, Var<'t>, Conv<2>) -> Var<'t>;

/// The results, the gradients of a number made of them, and those of a number made of these.
fn derivatives(shapes: [&[usize]; 2], options: Conv<2>, record: Record) -> Vec<Tensor> {
    let tape = Tape::f64();
    let [x, w] = [0, 1].map(|i| tape.variable(waves(shapes[i], 0.37 + i as f64)));
    let b = tape.variable(waves(&shapes[1][..1], 0.9));
    let y = record(x, w, b, options);
    let weighted = |v: Var<'_>, by: f64| {
        let weights = tape.constant(waves(&v.shape(), by));
        tape.var((v * weights).sum(..).number()).unwrap()
    };
    let first = tape.grad(weighted(y.square(), 1.1), &[x, w, b]);
    let number = weighted(first[0], 0.7) + weighted(first[1], 1.3) + weighted(first[2], 0.2);
    let second = tape.grad(number, &[x, w, b]);
    tape.eval(&[&[y][..], &first, &second].concat()).unwrap()
}

const EACH: Conv<2> =
    Conv { stride: [1, 1], padding: Padding::Each([0, 0]), dilation: [1, 1], groups: 1 };

#[test]
fn a_convolution_and_its_derivatives_are_those_of_windows_times_weights() {
    let cases: [([&[usize]; 2], Conv<2>); 7] = [
        ([&[2, 3, 7, 6], &[4, 3, 3, 2]], EACH),
        ([&[1, 2, 9, 8], &[9, 2, 3, 3]], Conv { stride: [2, 3], ..EACH }),
        ([&[2, 1, 6, 9], &[2, 1, 2, 3]], Conv { dilation: [3, 2], ..EACH }),
        ([&[1, 2, 5, 4], &[3, 2, 3, 3]], Conv { padding: Padding::Each([2, 1]), ..EACH }),
        ([&[2, 6, 5, 5], &[4, 3, 2, 2]], Conv { groups: 2, stride: [1, 2], ..EACH }),
        ([&[1, 2, 6, 5], &[2, 2, 4, 2]], Conv { padding: Padding::Same, dilation: [1, 3], ..EACH }),
        (
            [&[3, 4, 11, 10], &[4, 2, 3, 2]],
            Conv { stride: [2, 2], padding: Padding::Each([1, 3]), dilation: [3, 1], groups: 2 },
        ),
    ];
    for (shapes, options) in cases {
        let given = derivatives(shapes, options, |x, w, b, options| x.conv2d(w, Some(b), options));
        let expected = derivatives(shapes, options, composed);
        for (at, (given, expected)) in given.iter().zip(&expected).enumerate() {
            assert!(given.allclose(expected, 1e-11, 1e-11), "{options:?}: {at} of {shapes:?}");
        }
    }
}

#[test]
fn large_convolutions_are_bitwise_the_same_on_any_number_of_threads() {
    // The first has more rows than fit a block, the second more images than pieces.
    for shapes in [[&[1, 16, 150, 70][..], &[9, 16, 3, 3]], [&[37, 3, 20, 18], &[10, 3, 5, 5]]] {
        let options = Conv { padding: Padding::Each([1, 1]), ..EACH };
        let run = |count: usize| {
            let record: Record = |x, w, b, options| x.conv2d(w, Some(b), options);
            threads::with(count, || derivatives(shapes, options, record))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(7));
        let expected = derivatives(shapes, options, composed);
        for (given, expected) in one.iter().zip(&expected) {
            let scale = expected.to_f64s().iter().fold(1.0_f64, |a, b| a.max(b.abs()));
            assert!(given.allclose(expected, 1e-11, 1e-12 * scale), "{shapes:?}");
        }
    }
}

#[test]
fn single_precision_agrees_with_double_precision() {
    let run = |tape: Tape| {
        let (x, w) = (waves(&[3, 5, 12, 13], 0.37), waves(&[10, 5, 3, 3], 1.37));
        let (x, w) = (tape.variable(x), tape.variable(w));
        let y = x.conv2d(w, None, EACH).max_pool2d(Pool::new([2, 2])).square();
        let gradients = y.sum(..).backward().unwrap();
        [x, w].map(|v| gradients.of(v).unwrap().to_f64s())
    };
    let (single, double) = (run(Tape::new()), run(Tape::f64()));
    for (single, double) in single.iter().zip(&double) {
        let scale = double.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-5 * scale;
        assert!(!single.iter().zip(double).any(far));
    }
}

#[test]
fn a_last_window_may_stand_out_behind_the_input() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::arange(25, DType::F64).unwrap().reshape([5, 5]).unwrap());
    let pool = Pool { partial: true, ..Pool::new([2, 2]) };
    let largest = x.max_pool2d(pool);
    assert_eq!(
        largest.value().unwrap().to_f64s(),
        [6.0, 8.0, 9.0, 16.0, 18.0, 19.0, 21.0, 23.0, 24.0]
    );
    let means = x.avg_pool2d(pool).value().unwrap().to_f64s();
    assert_eq!(means, [3.0, 5.0, 6.5, 13.0, 15.0, 16.5, 20.5, 22.5, 24.0]);
    // A window that begins behind the input and its padding is none.
    let wide = Pool { stride: [3, 3], partial: true, ..Pool::new([2, 2]) };
    assert_eq!(x.slice(0, ..3).max_pool2d(wide).shape()[..], [1, 2]);
}

#[test]
fn padding_and_what_lies_behind_it_count_as_in_pytorch() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::arange(36, DType::F64).unwrap().reshape([6, 6]).unwrap());
    let pool = Pool { stride: [2, 2], padding: [1, 1], partial: true, ..Pool::new([3, 3]) };
    let row = |y: Var<'_>| y.value().unwrap().to_f64s()[12..].to_vec();
    assert_eq!(row(x.max_pool2d(pool)), [31.0, 33.0, 35.0, 35.0]);
    let alone = Pool { count_padding: false, ..pool };
    assert_eq!(row(x.avg_pool2d(alone)), [30.5, 32.0, 34.0, 35.0]);
    assert_eq!(row(x.avg_pool2d(pool)), [61.0 / 6.0, 16.0, 17.0, 8.75]);
    let apart = Pool { stride: [3, 3], dilation: [2, 2], size: [2, 2], ..pool };
    let largest = [7.0, 10.0, 11.0, 25.0, 28.0, 29.0, 31.0, 34.0, 35.0];
    assert_eq!(x.max_pool2d(apart).value().unwrap().to_f64s(), largest);
}

#[test]
fn the_elements_of_a_pooled_window_may_lie_apart() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::arange(16, DType::F64).unwrap().reshape([4, 4]).unwrap());
    let pool = Pool { stride: [1, 1], dilation: [2, 1], ..Pool::new([2, 2]) };
    assert_eq!(x.max_pool2d(pool).value().unwrap().to_f64s(), [9.0, 10.0, 11.0, 13.0, 14.0, 15.0]);
    assert_eq!(x.avg_pool2d(pool).value().unwrap().to_f64s()[0], 4.5);
}

#[test]
fn options_without_sense_are_faults() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::arange(9, DType::F64).unwrap().reshape([1, 3, 3]).unwrap());
    let w = tape.variable(Tensor::ones([1, 1, 2, 2], DType::F64).unwrap());
    let far = [usize::MAX; 2];
    for options in [
        Conv { stride: [0, 1], ..EACH },
        Conv { dilation: [1, 0], ..EACH },
        Conv { dilation: far, ..EACH },
        Conv { dilation: far, padding: Padding::Same, ..EACH },
        Conv { padding: Padding::Each(far), ..EACH },
        Conv { padding: Padding::Same, stride: [2, 1], ..EACH },
        Conv { groups: 0, ..EACH },
        Conv { groups: 2, ..EACH },
    ] {
        assert!(x.conv2d(w, None, options).value().is_err(), "{options:?}");
    }
    let pool = Pool::new([2, 2]);
    for options in [
        Pool::new([0, 2]),
        Pool { stride: [0, 1], ..pool },
        Pool { dilation: [0, 1], ..pool },
        Pool { dilation: far, ..pool },
        Pool { padding: far, ..pool },
        Pool { padding: [2, 0], ..pool },
    ] {
        assert!(x.max_pool2d(options).value().is_err(), "{options:?}");
        assert!(x.avg_pool2d(options).value().is_err(), "{options:?}");
    }
}

#[test]
fn a_single_window_may_have_any_stride() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::arange(9, DType::F64).unwrap().reshape([1, 3, 3]).unwrap());
    let w = tape.variable(Tensor::ones([1, 1, 2, 2], DType::F64).unwrap());
    let far = [usize::MAX; 2];
    let alone = Pool { stride: far, partial: true, ..Pool::new([2, 2]) };
    let y = x.conv2d(w, None, Conv { stride: far, ..EACH });
    let numbers = [y, x.max_pool2d(alone), x.avg_pool2d(alone)];
    assert_eq!(numbers.map(|y| y.item().unwrap()), [8.0, 4.0, 2.0]);
}

#[test]
fn a_window_that_sees_nothing_but_padding_is_refused() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::ones([1, 4], DType::F64).unwrap());
    let pool = Pool { padding: [2, 0], dilation: [3, 1], ..Pool::new([2, 2]) };
    let error = x.max_pool2d(pool).value().unwrap_err().to_string();
    assert!(error.contains("a window sees nothing but padding"), "{error}");
}
