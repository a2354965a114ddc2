//! Pooling, over windows, into a number of windows, and over everything; and the step to vectors.

use lossgraph_autograd::{Fault, Pool, Var};
use lossgraph_tensor::Shape;

use crate::layer::{Layer, Mode};
use crate::module::Module;

/// Layers that are one call of an op with their options.
macro_rules! pooling {
    ($($(#[$doc:meta])* $name:ident($options:ty) = $method:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(pub $options);

            impl Module for $name {}

            impl Layer for $name {
                #[track_caller]
                fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
                    x.tape().named_call(stringify!($method), || x.$method(self.0))
                }
            }
        )*
    };
}

pooling! {
    /// The largest of each window along the last axis.
    MaxPool1d(Pool<1>) = max_pool1d;
    /// The largest of each window over the last two axes.
    MaxPool2d(Pool<2>) = max_pool2d;
    /// The mean of each window along the last axis.
    AvgPool1d(Pool<1>) = avg_pool1d;
    /// The mean of each window over the last two axes.
    AvgPool2d(Pool<2>) = avg_pool2d;
    /// The means of so many windows along the last axis, however long it is.
    AdaptiveAvgPool1d(usize) = adaptive_avg_pool1d;
    /// The means of so many windows over the last two axes, however long they are. See
    /// [`GlobalAvgPool`] for `[1, 1]` without the two axes.
    AdaptiveAvgPool2d([usize; 2]) = adaptive_avg_pool2d;
    /// The largest of so many windows along the last axis, however long it is.
    AdaptiveMaxPool1d(usize) = adaptive_max_pool1d;
    /// The largest of so many windows over the last two axes, however long they are.
    AdaptiveMaxPool2d([usize; 2]) = adaptive_max_pool2d;
}

/// The mean of each channel (axis 1) over all axes behind it: `[batch, channels, …]` to
/// `[batch, channels]`. PyTorch's `nn.AdaptiveAvgPool2d(1)` and `nn.Flatten()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalAvgPool;

/// The largest of each channel (axis 1) over all axes behind it: `[batch, channels, …]` to
/// `[batch, channels]`. Several that are largest share the slope, as of a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalMaxPool;

impl Module for GlobalAvgPool {}

impl Module for GlobalMaxPool {}

impl Layer for GlobalAvgPool {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call("global_avg_pool", || match behind_channels("global_avg_pool", x) {
            Ok(axes) => x.mean(&axes[..]),
            Err(fault) => fault,
        })
    }
}

impl Layer for GlobalMaxPool {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call("global_max_pool", || match behind_channels("global_max_pool", x) {
            Ok(axes) => x.max(&axes[..]),
            Err(fault) => fault,
        })
    }
}

/// The axes behind the channels, or what is wrong with an input that has none.
fn behind_channels<'t>(name: &'static str, x: Var<'t>) -> Result<Vec<isize>, Var<'t>> {
    if x.is_faulty() {
        return Err(x);
    }
    if x.rank() < 3 {
        let fault = Fault::new(name, "the input is [batch, channels, …]").operand("input", x);
        return Err(x.tape().fault(fault.cure("x.unsqueeze(0) of a single example")));
    }
    Ok((2..x.rank() as isize).collect())
}

/// All axes but the batch as one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Module for Flatten {}

impl Layer for Flatten {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        // The features are counted by themselves, so that a batch of none has as many as any other.
        let shape = x.shape();
        let (batch, features) = match shape.split_first() {
            Some((&batch, features)) => (batch, Shape::from(features).numel()),
            None => (1, 1),
        };
        x.tape().unnamed_call(|| x.reshape([batch, features]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;
    use lossgraph_tensor::{DType, Tensor};

    #[test]
    fn a_channel_becomes_its_mean_or_its_largest() {
        let tape = Tape::f64();
        let x = Tensor::arange(12, DType::F64).unwrap().reshape([1, 2, 2, 3]).unwrap();
        let x = tape.constant(x);
        assert_eq!(GlobalAvgPool.forward(x).value().unwrap(), Tensor::from([[2.5, 8.5]]));
        assert_eq!(GlobalMaxPool.forward(x).value().unwrap(), Tensor::from([[5.0, 11.0]]));
        let adaptive = AdaptiveAvgPool2d([1, 1]).forward(x).reshape([1, 2]);
        assert_eq!(adaptive.value().unwrap(), Tensor::from([[2.5, 8.5]]));
        let lines = x.reshape([1, 4, 3]);
        assert_eq!(GlobalAvgPool.forward(lines).value().unwrap().to_f64s(), [1.0, 4.0, 7.0, 10.0]);
        let pool = Pool { stride: [1], ..Pool::new([2]) };
        let largest = MaxPool1d(pool).forward(lines).value().unwrap();
        assert_eq!(largest.to_f64s(), [1.0, 2.0, 4.0, 5.0, 7.0, 8.0, 10.0, 11.0]);
        let means = AvgPool1d(pool).forward(lines).value().unwrap();
        assert_eq!(means.to_f64s(), [0.5, 1.5, 3.5, 4.5, 6.5, 7.5, 9.5, 10.5]);
        let error = GlobalAvgPool.forward(tape.fill([2, 3], 1.0)).value().unwrap_err().to_string();
        let expected = "global_avg_pool: input [2, 3]: the input is [batch, channels, …], at ";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_batch_of_none_is_flattened_to_as_many_features_as_any_other() {
        let tape = Tape::new();
        for (from, to) in [
            (&[0, 1, 8, 8][..], [0, 64]),
            (&[2, 3, 0], [2, 0]),
            (&[0, 0], [0, 0]),
            (&[0], [0, 1]),
            (&[3], [3, 1]),
            (&[], [1, 1]),
            (&[2, 3, 4], [2, 12]),
        ] {
            let y = Flatten.forward(tape.fill(Shape::from(from), 1.0));
            assert_eq!((&y.shape()[..], &y.value().unwrap().shape()[..]), (&to[..], &to[..]));
        }
    }
}
