//! What class numbers may be given as.

use lossgraph_tensor::{Number, Tensor};

/// Class numbers: integers of any type, as a slice, a vector, an array or a tensor.
///
/// A borrowed array is one of `usize`, so that the type of `&[0, 2]`, and of `&[]`, is known.
#[diagnostic::on_unimplemented(
    message = "`{Self}` holds no class numbers",
    note = "a slice, vector or tensor of integers does; of an array of them, write `&labels[..]`"
)]
pub trait IntoLabels {
    /// The class numbers as a tensor.
    fn into_labels(self) -> Tensor;
}

macro_rules! labels {
    ($([$($generic:tt)*] $labels:ty;)*) => {
        $(impl<$($generic)*> IntoLabels for $labels {
            fn into_labels(self) -> Tensor {
                Tensor::from(self)
            }
        })*
    };
}

labels! {
    [const K: usize] &[usize; K];
    [N: Number] &[N];
    [N: Number] &Vec<N>;
    [N: Number] Vec<N>;
    [N: Number, const K: usize] [N; K];
    [] &Tensor;
    [] Tensor;
}
