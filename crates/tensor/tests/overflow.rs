//! Sizes whose product overflows, and numbers near the ends of the integers, in every function that
//! makes a tensor or a view: an error or a small result, in debug and in release, and no panic.

use lossgraph_tensor::kernels::{self, Convolution};
use lossgraph_tensor::{
    Comparison, DType, Error, Layout, Shape, Slice, Tensor, Window, kernels::threads,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const HALF: usize = isize::MAX as usize + 1;

/// Lengths whose product no memory holds, some of which wrap to 0 or to a small number.
const SHAPES: [&[usize]; 12] = [
    &[1 << 32, 1 << 32],
    &[1 << 32, (1 << 32) + 1],
    &[usize::MAX],
    &[usize::MAX, usize::MAX],
    &[usize::MAX, 2],
    &[2, usize::MAX - 1, usize::MAX],
    &[HALF],
    &[HALF, 2],
    &[3, HALF, 2],
    &[isize::MAX as usize],
    &[1 << 60],
    &[0, HALF, 2],
];

const NUMBERS: [usize; 8] = [0, 1, 2, 3, HALF - 1, HALF, usize::MAX - 1, usize::MAX];

const SIGNED: [isize; 8] = [0, 1, -1, -3, isize::MAX - 1, isize::MAX, isize::MIN + 1, isize::MIN];

fn cube() -> Tensor {
    Tensor::arange(24, DType::F32).unwrap().reshape([2, 3, 4]).unwrap()
}

/// Reads all elements, if there are few.
fn read(x: Result<Tensor, Error>) {
    let Ok(x) = x else { return };
    assert!(x.layout().len() == x.len() && x.len() < 1 << 60);
    let text = x.to_string();
    assert!(!text.is_empty());
    if x.len() < 10_000 {
        assert_eq!(x.iter_f64().count(), x.to_f64s().len());
        assert_eq!(x.contiguous().len(), x.len());
    }
}

#[test]
fn no_constructor_makes_a_shape_beyond_memory() {
    for dims in SHAPES {
        let shape = || Shape::from(dims);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for dtype in [DType::F32, DType::F64, DType::I64] {
            let too_large = |x: Result<Tensor, Error>| {
                assert!(matches!(x, Err(Error::TooLarge { .. })), "{dims:?}");
            };
            too_large(Tensor::full(shape(), 1.0, dtype));
            too_large(Tensor::zeros(shape(), dtype));
            too_large(Tensor::ones(shape(), dtype));
            too_large(Tensor::filled_view(shape(), 1.0, dtype));
            if dtype.is_float() {
                too_large(Tensor::rand(shape(), dtype, &mut rng));
                too_large(Tensor::randn(shape(), dtype, &mut rng));
                too_large(Tensor::uniform(shape(), 0.0, 1.0, dtype, &mut rng));
                too_large(Tensor::normal(shape(), 0.0, 1.0, dtype, &mut rng));
            }
        }
        assert!(Tensor::kaiming_uniform(shape(), DType::F32, &mut rng).is_err());
        assert!(Tensor::kaiming_normal(shape(), DType::F32, &mut rng).is_err());
        assert!(Tensor::xavier_uniform(shape(), DType::F32, &mut rng).is_err());
        assert!(Tensor::xavier_normal(shape(), DType::F32, &mut rng).is_err());
        for data in [vec![], vec![1.0_f32], vec![0.0; 24]] {
            assert!(Tensor::new(shape(), data).is_err());
        }
        for x in [cube(), cube().narrow(0, 0, 0).unwrap(), Tensor::from(1.0)] {
            assert!(x.expand(shape()).is_err(), "{dims:?}");
            assert!(x.reshape(shape()).is_err(), "{dims:?}");
            assert!(x.reshape(dims).is_err(), "{dims:?}");
            assert!(x.clone().contiguous().recycled(&shape()).is_none(), "{dims:?}");
        }
    }
    for n in NUMBERS.into_iter().chain([1 << 31, 1 << 32, (1 << 32) + 1, 1 << 60]) {
        let small = n < 4;
        assert_eq!(Tensor::eye(n, DType::F32).is_ok(), small, "{n}");
        let large = n >= 1 << 40;
        assert!(!large || Tensor::arange(n, DType::F32).is_err(), "{n}");
        assert!(!large || Tensor::linspace(0.0, 1.0, n, DType::F32).is_err(), "{n}");
    }
}

#[test]
fn no_layout_reads_beyond_its_buffer() {
    let x = cube();
    let mut layouts: Vec<Layout> = SHAPES.iter().map(|&dims| Layout::contiguous(dims)).collect();
    for &dims in &SHAPES {
        let layout = Layout::contiguous(dims);
        for start in NUMBERS {
            for len in NUMBERS {
                layouts.extend(layout.slice(&[Slice { start, len, step: 1 }]));
            }
        }
        layouts.extend(layout.diagonal(0, -1));
        layouts.extend(layout.unsqueeze(0));
        layouts.extend(layout.windows(0, Window { size: 2, stride: 1, dilation: HALF }));
        layouts.extend(layout.reshape(&Shape::from([usize::MAX, 1])));
        assert!(layout.expand(&Shape::from(dims)).is_err());
        assert!(layout.len() == 0 || layout.len() > 1 << 59);
        let _ = layout.is_contiguous();
    }
    for layout in layouts {
        let few = layout.len() <= 24;
        let view = x.with_layout(layout.clone());
        assert!(view.is_err() || few, "{layout:?}");
        read(view);
    }
    // The strides of this one wrap so that its ends seem to be inside of the buffer.
    let wrapped = Layout::contiguous([2, usize::MAX - 1, usize::MAX]);
    let wrapped = wrapped.slice(&[Slice { start: 1, len: 1, step: 1 }]).unwrap();
    assert!(x.with_layout(wrapped.squeeze(0).unwrap()).is_err());
}

#[test]
fn views_of_any_numbers_are_refused_or_small() {
    let empty = Tensor::zeros([0, 1 << 58], DType::F32).unwrap();
    let repeated = Tensor::filled_view([1 << 33, 2], 1.0, DType::F32).unwrap();
    for x in [cube(), cube().permute([2, 0, 1]).unwrap(), Tensor::from(1.0), empty, repeated] {
        for i in NUMBERS {
            for j in NUMBERS {
                read(x.narrow(0, i, j));
                read(x.narrow(i, j, 1));
                read(x.slice(i, j..));
                read(x.slice(0, i..j));
                read(x.slice(0, ..=j));
                read(x.transpose(i, j));
                read(x.diagonal(i, j));
                read(x.select(i, j));
                read(x.permute([i, j, 0]));
                read(x.unsqueeze(i));
                read(x.squeeze(i));
                read(x.flip(i));
                read(x.reshape([i, j]));
                assert!(x.get([i, j, 7]).is_err());
                for k in SIGNED {
                    read(x.slices(&[Slice { start: i, len: j, step: k }]));
                    let slice = Slice::resolve(Some(k), Some(k.wrapping_add(1)), k, i);
                    assert!(slice.is_none_or(|slice| slice.fits(i)), "{slice:?} of {i}");
                }
                for size in NUMBERS {
                    read(x.windows(0, Window { size, stride: i, dilation: j }));
                }
            }
        }
        for i in SIGNED {
            for j in SIGNED {
                read(x.transpose(i, j));
                read(x.select(i, j));
                read(x.slice(i, j..));
                read(x.slice(0, i..j));
                read(x.slice(0, i..=j));
                read(x.reshape((i, j)));
                read(x.diagonal(i, j));
                read(x.unsqueeze(i));
                assert!(x.get([i, j, 7]).is_err());
            }
        }
    }
    // A start inside, and a length that is negative where it is taken for a signed number.
    let row = Tensor::arange(10, DType::F32).unwrap();
    assert!(row.narrow(0, 5, usize::MAX).is_err());
    assert!(row.slices(&[Slice { start: 5, len: usize::MAX, step: 1 }]).is_err());
    // Overlapping windows of a repeated element.
    let repeated = Tensor::filled_view([1 << 33], 1.0, DType::F32).unwrap();
    let half = Window { size: 1 << 32, stride: 1, dilation: 1 };
    assert!(matches!(repeated.windows(0, half), Err(Error::TooLarge { .. })));
}

#[test]
fn tensors_do_not_grow_beyond_memory() {
    let x = cube();
    for before in NUMBERS {
        for after in NUMBERS {
            let small = before < 4 && after < 4;
            let padded = x.pad(&[(before, after), (0, 0), (0, 0)], 0.0);
            assert_eq!(padded.is_ok(), small);
            let all = x.pad(&[(before, after); 3], 0.0);
            assert_eq!(all.is_ok(), small);
        }
    }
    let long = Tensor::filled_view([1 << 58], 1.0, DType::F32).unwrap();
    assert!(Tensor::concat(&vec![long.clone(); 40], 0).is_err());
    assert!(Tensor::concat(std::slice::from_ref(&long), 0).is_err());
    assert!(Tensor::stack(&[long.clone(), long.clone()], 0).is_err());
    assert!(Tensor::stack(&[long.clone(), long.clone()], usize::MAX).is_err());
    let column = Tensor::filled_view([1 << 30, 1], 1.0, DType::F32).unwrap();
    assert!((&column + column.t()).is_err());
    assert!((&long * 2.0).is_err());
    assert!(column.compare(Comparison::Lt, &column.t().unwrap()).is_err());
    assert!(long.get([usize::MAX]).is_err());
    assert_eq!(Shape::from([3, 4]).ravel_index(&[usize::MAX, usize::MAX]), usize::MAX);
}

#[test]
fn empty_tensors_of_long_axes_pass_through_kernels() {
    let x = Tensor::zeros([0, 1 << 30, 1 << 27], DType::F32).unwrap();
    let mut out = Tensor::zeros([0, 1, 1], DType::F32).unwrap();
    kernels::reduce(kernels::ReduceOp::Sum, &x, [1, 2].into_iter().collect(), &mut out).unwrap();
    kernels::copy(&x, &mut Tensor::zeros(x.shape(), DType::F32).unwrap()).unwrap();
    kernels::cumsum(&x, 1, kernels::Direction::Forward, &mut x.contiguous().copied_out()).unwrap();
    assert_eq!(x, x.contiguous());
    assert!((&x + &x).unwrap().is_empty());
    assert!(Tensor::concat(&[x.clone(), x.clone()], 0).unwrap().is_empty());
    assert!(x.rows().next().is_none() && x.iter_f64().next().is_none());
}

/// A tensor of one's own to write to.
trait CopiedOut {
    fn copied_out(&self) -> Tensor;
}

impl CopiedOut for Tensor {
    fn copied_out(&self) -> Tensor {
        Tensor::zeros(self.shape(), self.dtype()).unwrap()
    }
}

#[test]
fn windows_of_any_numbers_over_images_are_refused_or_computed() {
    let image = Tensor::arange(16, DType::F32).unwrap().reshape([1, 1, 4, 4]).unwrap();
    let numbers = [0, 1, 2, 5, 1 << 50, HALF, usize::MAX];
    threads::with(1, || {
        for size in numbers {
            for stride in numbers {
                for dilation in numbers {
                    let window = Window { size, stride, dilation };
                    for padding in numbers {
                        for counts in [[1, 1], [2, 2], [0, 3]] {
                            let mut out = Tensor::zeros(counts, DType::I64).unwrap();
                            let image = image.reshape([4, 4]).unwrap();
                            let _ =
                                kernels::window_argmax(&image, [window; 2], [padding; 2], &mut out);
                            if size > 5 {
                                continue;
                            }
                            let conv = Convolution {
                                windows: [window; 2],
                                padding: [padding; 2],
                                groups: 1,
                            };
                            let weights = Tensor::ones([1, 1, size, size], DType::F32).unwrap();
                            let [a, b] = counts;
                            let mut y = Tensor::zeros([1, 1, a, b], DType::F32).unwrap();
                            let _ = conv.results(
                                &image.reshape([1, 1, 4, 4]).unwrap(),
                                &weights,
                                None,
                                &mut y,
                            );
                            let mut x = Tensor::zeros([1, 1, 4, 4], DType::F32).unwrap();
                            let _ = conv.images(&weights, &y, &mut x);
                            let mut w = Tensor::zeros([1, 1, size, size], DType::F32).unwrap();
                            let _ = conv.weights(&x, &y, &mut w);
                        }
                    }
                }
            }
        }
    });
}
