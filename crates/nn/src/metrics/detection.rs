//! How well boxes fit.

use lossgraph_tensor::Tensor;

use super::invalid;
use crate::error::Result;

/// The intersection over the union of each of some boxes `[n, 4]` with each of others `[m, 4]`, as
/// `[n, m]`. A box is `[x₁, y₁, x₂, y₂]`; two without an area have 0.
///
/// ```
/// use lossgraph_nn::metrics::box_iou;
/// use lossgraph_tensor::Tensor;
///
/// let a = Tensor::from([[0.0, 0.0, 2.0, 2.0]]);
/// let b = Tensor::from([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]);
/// assert_eq!(box_iou(&a, &b)?.to_f64s(), [2.0 / 6.0, 0.0]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// Boxes of other shapes; a box that ends before it begins, or is not finite.
pub fn box_iou(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (boxes(a)?, boxes(b)?);
    let area = |[left, top, right, bottom]: [f64; 4]| (right - left) * (bottom - top);
    let iou = |a: [f64; 4], b: [f64; 4]| {
        let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
        let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
        let both = width * height;
        let either = area(a) + area(b) - both;
        if either > 0.0 { both / either } else { 0.0 }
    };
    let all = a.iter().flat_map(|&a| b.iter().map(move |&b| iou(a, b)));
    Ok(Tensor::new([a.len(), b.len()], all.collect::<Vec<f64>>())?)
}

fn boxes(tensor: &Tensor) -> Result<Vec<[f64; 4]>> {
    let subject = "intersection over union";
    let [_, 4] = tensor.shape()[..] else {
        return invalid(subject, format!("boxes are {}, expected [boxes, 4]", tensor.shape()));
    };
    let numbers = tensor.to_f64s();
    let boxes = numbers.as_chunks::<4>().0.to_vec();
    let is_one = |b: &[f64; 4]| b[0] <= b[2] && b[1] <= b[3] && b.iter().all(|x| x.is_finite());
    match boxes.iter().find(|each| !is_one(each)) {
        Some(bad) => invalid(
            subject,
            format!("a box is {bad:?}, expected [x₁, y₁, x₂, y₂] with x₁ ≤ x₂ and y₁ ≤ y₂"),
        ),
        None => Ok(boxes),
    }
}
