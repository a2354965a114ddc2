//! Transposed convolutions, patches, pools and pictures of other sizes: against numbers of PyTorch
//! 2.15, and against what they are by definition.

use lossgraph_autograd::{
    Conv, ConvTranspose, Interpolate, Interpolation, Padding, Pool, Resize, Tape, Unfold, Var,
};
use lossgraph_tensor::{DType, Tensor};

/// 1, 2, 3, … in a shape.
fn counted(shape: &[usize]) -> Tensor {
    let len = shape.iter().product::<usize>();
    Tensor::new(shape, (1..=len).map(|i| i as f64).collect::<Vec<f64>>()).unwrap()
}

fn assert_close(y: Var<'_>, shape: &[usize], expected: &[f64]) {
    let y = y.value().unwrap();
    let expected = Tensor::new(shape, expected.to_vec()).unwrap();
    assert_eq!(y.shape(), expected.shape());
    assert!(y.allclose(&expected, 1e-14, 1e-14), "{y:?} against {expected:?}");
}

/// The error of a fault, and its cure.
fn refused(y: Var<'_>) -> String {
    format!("{:?}", y.value().unwrap_err())
}

#[test]
fn transposed_convolutions_are_those_of_pytorch() {
    let tape = Tape::f64();
    let [x, w, b] = [
        tape.constant(counted(&[1, 2, 2])),
        tape.constant(counted(&[2, 2, 3])),
        tape.constant([100.0, 200.0]),
    ];
    let options = ConvTranspose {
        stride: [2],
        padding: [1],
        output_padding: [1],
        ..ConvTranspose::default()
    };
    let expected = [126.0, 160.0, 136.0, 142.0, 238.0, 290.0, 254.0, 260.0];
    assert_close(x.conv_transpose1d(w, Some(b), options), &[1, 2, 4], &expected);
    let apart = ConvTranspose {
        stride: [3],
        output_padding: [2],
        groups: 2,
        dilation: [2],
        ..ConvTranspose::default()
    };
    let y = x.squeeze(0).conv_transpose1d(tape.constant(counted(&[2, 1, 3])), None, apart);
    let expected = [
        [1.0, 0.0, 2.0, 2.0, 3.0, 4.0, 0.0, 6.0, 0.0, 0.0],
        [12.0, 0.0, 15.0, 16.0, 18.0, 20.0, 0.0, 24.0, 0.0, 0.0],
    ];
    assert_close(y, &[2, 10], &expected.concat());
    let [x, w] = [&[1, 2, 2][..], &[1, 1, 2, 2]].map(|shape| tape.constant(counted(shape)));
    let options = ConvTranspose { stride: [1, 2], dilation: [2, 1], ..ConvTranspose::default() };
    let rows =
        [[1.0, 2.0, 2.0, 4.0], [3.0, 6.0, 4.0, 8.0], [3.0, 4.0, 6.0, 8.0], [9.0, 12.0, 12.0, 16.0]];
    assert_close(x.conv_transpose2d(w, None, options), &[1, 4, 4], &rows.concat());
}

#[test]
fn a_transposed_convolution_is_the_slope_of_the_convolution() {
    // Lengths that the stride divides with a rest: what is left is the output padding.
    for (stride, padding, dilation, groups) in
        [([1, 1], [0, 2], [1, 3], 1), ([2, 3], [1, 0], [2, 1], 2), ([3, 2], [2, 1], [1, 1], 3)]
    {
        let tape = Tape::f64();
        let x = tape.variable(counted(&[2, 6, 9, 10]));
        let w = tape.variable(counted(&[6, 6 / groups, 3, 2]));
        let conv = Conv { stride, padding: Padding::Each(padding), dilation, groups };
        let y = x.conv2d(w, None, conv);
        let g = tape.constant(counted(&y.shape())).sin();
        let slope = tape.grad((y * g).sum(..), &[x])[0];
        let rest = |axis: usize| {
            let reach = dilation[axis] * (w.dim(axis + 2) - 1) + 1;
            (x.dim(axis + 2) + 2 * padding[axis] - reach) % stride[axis]
        };
        let output_padding = [rest(0), rest(1)];
        let options = ConvTranspose { stride, padding, output_padding, dilation, groups };
        let transposed = g.conv_transpose2d(w, None, options);
        assert_eq!(transposed.value().unwrap(), slope.value().unwrap());
    }
}

#[test]
fn transposed_convolutions_without_sense_are_faults() {
    let tape = Tape::f64();
    let [x, w] = [&[1, 2, 3][..], &[2, 3, 2]].map(|shape| tape.constant(counted(shape)));
    let plain = ConvTranspose::<1>::default();
    let far = [usize::MAX];
    for options in [
        ConvTranspose { stride: [0], ..plain },
        ConvTranspose { dilation: [0], ..plain },
        ConvTranspose { groups: 0, ..plain },
        ConvTranspose { groups: 3, ..plain },
        ConvTranspose { output_padding: [1], ..plain },
        ConvTranspose { padding: [2], ..plain },
        ConvTranspose { padding: far, ..plain },
        ConvTranspose { stride: far, ..plain },
        ConvTranspose { dilation: far, ..plain },
        ConvTranspose { dilation: far, output_padding: [usize::MAX - 1], ..plain },
    ] {
        let error = refused(x.conv_transpose1d(w, None, options));
        assert!(error.starts_with("conv_transpose1d: ") && error.contains("perhaps"), "{error}");
    }
    let error = refused(x.conv_transpose1d(w.transpose(0, 1), None, plain));
    assert!(error.contains("the input has 2 channels, and the weight takes 3"), "{error}");
    assert!(refused(x.conv_transpose1d(w, Some(tape.fill([2], 0.0)), plain)).contains("[3]"));
    assert!(x.conv_transpose1d(w, Some(tape.fill([3], 0.0)), plain).value().is_ok());
}

#[test]
fn integers_become_floats_in_products_of_windows() {
    let tape = Tape::f64();
    let x = tape.constant(Tensor::from([[1_i64, 2, 4]]));
    let w = tape.constant(Tensor::from([[[1_i64, 10]]]));
    let results = [
        x.conv1d(w, None, Conv::default()),
        x.conv_transpose1d(w, None, ConvTranspose::default()),
        x.avg_pool1d(Pool::new([2])),
        x.adaptive_avg_pool1d(2),
    ];
    let expected = [&[21.0, 42.0][..], &[1.0, 12.0, 24.0, 40.0], &[1.5], &[1.5, 3.0]];
    for (y, expected) in results.into_iter().zip(expected) {
        assert_eq!(y.dtype(), DType::F64);
        assert_eq!(y.value().unwrap().to_f64s(), expected);
    }
}

#[test]
fn patches_are_columns_and_add_up_again() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[1, 3, 3]));
    let options = Unfold { padding: [1, 0], stride: [2, 1], ..Unfold::new([2, 2]) };
    let rows =
        [[0.0, 0.0, 4.0, 5.0], [0.0, 0.0, 5.0, 6.0], [1.0, 2.0, 7.0, 8.0], [2.0, 3.0, 8.0, 9.0]];
    assert_close(x.unfold(options), &[4, 4], &rows.concat());
    let y = tape.constant(counted(&[4, 4])).fold([3, 3], Unfold::new([2, 2]));
    assert_close(y, &[1, 3, 3], &[1.0, 7.0, 6.0, 12.0, 34.0, 22.0, 11.0, 27.0, 16.0]);
    // Each element comes back as often as there are patches that it is in.
    let again = x.unfold(options).fold([3, 3], options);
    let times = tape.fill([1, 3, 3], 1.0).unfold(options).fold([3, 3], options);
    assert_eq!(again.value().unwrap(), (x * times).value().unwrap());
}

#[test]
fn patches_that_do_not_fit_are_faults() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[2, 3, 3]));
    let far = [usize::MAX; 2];
    let plain = Unfold::new([2, 2]);
    for options in [
        Unfold::new([4, 1]),
        Unfold::new([0, 1]),
        Unfold { stride: [0, 1], ..plain },
        Unfold { dilation: [1, 0], ..plain },
        Unfold { dilation: far, ..plain },
        Unfold { padding: far, ..plain },
        Unfold { padding: [usize::MAX / 4; 2], ..plain },
    ] {
        assert!(x.unfold(options).value().is_err(), "{options:?}");
        assert!(tape.fill([8, 4], 1.0).fold([3, 3], options).value().is_err(), "{options:?}");
    }
    assert!(refused(x.index(0, 0).unfold(plain)).contains("an input of [batch, channels"));
    assert!(refused(tape.fill([8, 5], 1.0).fold([3, 3], plain)).contains("2 · 2 patches"));
    assert!(refused(tape.fill([7, 4], 1.0).fold([3, 3], plain)).contains("a multiple"));
    assert!(tape.fill([0, 8, 4], 1.0).fold([3, 3], plain).value().is_ok());
}

#[test]
fn channels_become_pixels_and_back() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[4, 1, 2]));
    let y = x.pixel_shuffle(2);
    assert_close(y, &[1, 2, 4], &[1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
    assert_eq!(y.pixel_unshuffle(2).value().unwrap(), x.value().unwrap());
    for faulty in [
        x.pixel_shuffle(0),
        x.pixel_shuffle(3),
        x.pixel_shuffle(usize::MAX),
        x.pixel_unshuffle(0),
        x.pixel_unshuffle(2),
        x.index(0, 0).pixel_shuffle(1),
    ] {
        assert!(refused(faulty).contains("perhaps: an input of […, channels, height, width]"));
    }
}

#[test]
fn a_last_window_begins_on_the_axis_or_its_padding() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[1, 3]));
    // A window that is larger than the input, but for less than a stride.
    let wide = Pool { stride: [2], partial: true, ..Pool::new([4]) };
    assert_close(x.avg_pool1d(wide), &[1, 1], &[2.0]);
    assert_close(x.max_pool1d(wide), &[1, 1], &[3.0]);
    assert!(refused(x.max_pool1d(Pool { partial: false, ..wide })).contains("larger than"));
    assert!(refused(x.max_pool1d(Pool { stride: [1], ..wide })).contains("larger than"));
    let seven = tape.constant(counted(&[1, 7]));
    let padded = Pool { padding: [1], partial: true, ..Pool::new([3]) };
    assert_close(seven.avg_pool1d(padded), &[1, 3], &[1.0, 4.0, 13.0 / 3.0]);
    let far = Pool { dilation: [usize::MAX / 2], stride: [usize::MAX], ..wide };
    assert!(x.max_pool1d(far).value().is_err());
}

#[test]
fn a_divisor_counts_for_windows_that_are_cut_off_as_well() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[1, 3, 3]));
    let pool = Pool { padding: [1, 1], divisor: Some(3), ..Pool::new([2, 2]) };
    assert_close(x.avg_pool2d(pool), &[1, 2, 2], &[1.0, 5.0, 11.0, 28.0].map(|sum| sum / 3.0));
    let partial = Pool { partial: true, divisor: Some(4), ..Pool::new([2, 2]) };
    assert_close(x.avg_pool2d(partial), &[1, 2, 2], &[3.0, 2.25, 3.75, 2.25]);
    assert!(refused(x.avg_pool2d(Pool { divisor: Some(0), ..pool })).contains("the divisor is 0"));
}

#[test]
fn adaptive_windows_are_those_of_pytorch() {
    let tape = Tape::f64();
    let seven = tape.constant(counted(&[1, 7]));
    assert_close(seven.adaptive_avg_pool1d(3), &[1, 3], &[2.0, 4.0, 6.0]);
    assert_close(seven.adaptive_max_pool1d(3), &[1, 3], &[3.0, 5.0, 7.0]);
    let three = tape.constant(counted(&[3]));
    assert_close(three.adaptive_avg_pool1d(5), &[5], &[1.0, 1.5, 2.0, 2.5, 3.0]);
    let x = tape.variable(counted(&[1, 3, 4]));
    let means = [3.5, 4.5, 5.5, 7.5, 8.5, 9.5];
    assert_close(x.adaptive_avg_pool2d([2, 3]), &[1, 2, 3], &means);
    let largest = (-x).adaptive_max_pool2d([2, 3]);
    assert_close(largest, &[1, 2, 3], &[-1.0, -2.0, -3.0, -5.0, -6.0, -7.0]);
    let slope = tape.grad(largest.sum(..), &[x])[0];
    let chosen = [[-1.0, -1.0, -1.0, 0.0], [-1.0, -1.0, -1.0, 0.0], [0.0; 4]];
    assert_close(slope, &[1, 3, 4], &chosen.concat());
    assert_close(x.adaptive_avg_pool2d([1, 1]), &[1, 1, 1], &[6.5]);
}

#[test]
fn an_infinite_element_stays_in_its_own_windows() {
    let tape = Tape::f64();
    let x = tape.constant([1.0, 2.0, 3.0, 4.0, f64::INFINITY]);
    assert_close(x.adaptive_avg_pool1d(3), &[3], &[1.5, 3.0, f64::INFINITY]);
    let low = tape.constant([f64::NEG_INFINITY; 5]);
    assert_close(low.adaptive_max_pool1d(2), &[2], &[f64::NEG_INFINITY; 2]);
    let y = tape.constant([1.0, f64::NAN, 3.0, 4.0, 5.0]).adaptive_max_pool1d(2);
    let y = y.value().unwrap().to_f64s();
    assert!(y[0].is_nan() && y[1] == 5.0);
}

#[test]
fn an_adaptive_pool_of_nothing_is_a_fault_and_one_to_nothing_is_empty() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[2, 3, 4]));
    for y in [x.adaptive_avg_pool2d([0, 2]), x.adaptive_max_pool2d([0, 2])] {
        assert_eq!(y.value().unwrap().shape()[..], [2, 0, 2]);
    }
    let x = tape.variable(counted(&[2, 3, 4]));
    for y in [x.adaptive_avg_pool2d([0, 2]), x.adaptive_max_pool2d([0, 2])] {
        let gradient = tape.grad(y.sum(..), &[x])[0].value().unwrap();
        assert_eq!(gradient.to_f64s(), [0.0; 24]);
    }
    let empty = tape.fill([2, 0], 1.0);
    for y in [empty.adaptive_avg_pool1d(2), empty.adaptive_max_pool1d(2)] {
        assert!(refused(y).contains("none of them empty"));
    }
    let batch = tape.fill([0, 5], 1.0);
    for y in [batch.adaptive_avg_pool1d(2), batch.adaptive_max_pool1d(2)] {
        assert_eq!(y.value().unwrap().shape()[..], [0, 2]);
    }
    assert!(x.adaptive_avg_pool1d(usize::MAX).value().is_err());
    assert!(x.adaptive_max_pool1d(usize::MAX).value().is_err());
    assert!(tape.fill((), 1.0).adaptive_max_pool1d(1).value().is_err());
}

#[test]
fn pictures_of_other_sizes_are_those_of_pytorch() {
    let tape = Tape::f64();
    let x = tape.constant([1.0, 5.0, 2.0]);
    let cases = [
        (Interpolation::Nearest, false, [1.0, 1.0, 5.0, 5.0, 2.0], [1.0, 1.0, 5.0, 5.0, 2.0]),
        (Interpolation::NearestExact, false, [1.0, 1.0, 5.0, 2.0, 2.0], [1.0, 1.0, 5.0, 2.0, 2.0]),
        (
            Interpolation::Linear,
            false,
            [1.0, 2.6, 5.0, 3.2, 2.0],
            [1.0, 2.529_411_764_705_882, 4.882_352_941_176_471, 3.323_529_411_764_706, 2.0],
        ),
        (Interpolation::Linear, true, [1.0, 3.0, 5.0, 3.5, 2.0], [1.0, 3.0, 5.0, 3.5, 2.0]),
    ];
    for (mode, align_corners, to_five, by_factor) in cases {
        let of = |to: Resize<1>| x.interpolate(Interpolate { to, mode, align_corners });
        assert_close(of(Resize::Size([5])), &[5], &to_five);
        assert_close(of(Resize::Scale([1.7])), &[5], &by_factor);
        assert_close(of(Resize::Scale([1.2])).slice(0, 2..), &[1], &[2.0]);
    }
    let square = tape.constant(counted(&[2, 2]));
    let linear = Interpolate { mode: Interpolation::Linear, ..Interpolate::size([3, 4]) };
    let rows = [[1.0, 1.25, 1.75, 2.0], [2.0, 2.25, 2.75, 3.0], [3.0, 3.25, 3.75, 4.0]];
    assert_close(square.interpolate(linear), &[3, 4], &rows.concat());
    let cubic = Interpolate { mode: Interpolation::Cubic, ..Interpolate::size([1, 4]) };
    let row = [2.42822265625, 3.02978515625, 3.97021484375, 4.57177734375];
    assert_close(tape.constant(counted(&[2, 3])).interpolate(cubic), &[1, 4], &row);
}

#[test]
fn a_picture_that_cannot_be_resized_is_a_fault() {
    let tape = Tape::f64();
    let x = tape.constant(counted(&[2, 5]));
    let aligned = Interpolate { align_corners: true, ..Interpolate::size([2]) };
    for faulty in [
        x.interpolate(Interpolate::size([0])),
        x.interpolate(Interpolate::size([usize::MAX])),
        x.interpolate(Interpolate::size([1, 2, 3])),
        x.interpolate(Interpolate::scale([0.1])),
        x.interpolate(Interpolate::scale([-1.0])),
        x.interpolate(Interpolate::scale([f64::NAN])),
        x.interpolate(Interpolate::scale([f64::INFINITY])),
        x.interpolate(aligned),
        tape.fill([2, 0], 1.0).interpolate(Interpolate::size([2])),
    ] {
        assert!(refused(faulty).starts_with("interpolate: "));
    }
    assert!(tape.fill([0, 3], 1.0).interpolate(Interpolate::size([2])).value().is_ok());
}

#[test]
fn a_maximum_says_where_it_comes_from() {
    let tape = Tape::f64();
    let x = tape.constant([[[1.0, 5.0, 2.0], [7.0, 0.0, 3.0], [4.0, 6.0, 8.0]]]);
    let read = |(y, i): (Var<'_>, Var<'_>)| (y.value().unwrap(), i.value().unwrap());
    let (values, places) =
        read(x.max_pool2d_with_indices(Pool { stride: [1, 1], ..Pool::new([2, 2]) }));
    assert_eq!(values, Tensor::from([[[7.0, 5.0], [7.0, 8.0]]]));
    assert_eq!(places, Tensor::from([[[3_i64, 1], [3, 8]]]));
    let (values, places) = read(x.adaptive_max_pool2d_with_indices([2, 1]));
    assert_eq!(values, Tensor::from([[[7.0], [8.0]]]));
    assert_eq!(places, Tensor::from([[[3_i64], [8]]]));
    let (values, places) = read(x.max_pool1d_with_indices(Pool::new([3])));
    assert_eq!(values, Tensor::from([[[5.0], [7.0], [8.0]]]));
    assert_eq!(places, Tensor::from([[[1_i64], [0], [2]]]));
    let (_, places) = read(x.adaptive_max_pool1d_with_indices(2));
    assert_eq!(places, Tensor::from([[[1_i64, 1], [0, 2], [1, 2]]]));
}
