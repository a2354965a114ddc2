//! A penalty on noise in pictures.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use crate::catalogue::{Invariance, Loss, Task, WIDE, flag, input};
use crate::check::floats;
use crate::terms::Terms;

/// How much a picture varies from each pixel to the next, to the right and down: a penalty that
/// flattens noise and keeps edges.
///
/// ```text
/// L[y, x] = |p[y, x+1] − p[y, x]| + |p[y+1, x] − p[y, x]|
/// L[y, x] = √((p[y, x+1] − p[y, x])² + (p[y+1, x] − p[y, x])²)    isotropic
/// ∂L/∂p[y, x+1] = sign(p[y, x+1] − p[y, x])
/// ```
///
/// A step costs its height however steep it is, which a squared difference would smear out. Beyond
/// the last row and column there is no difference. The total variation of a picture is the sum of its
/// terms, so that of a batch is [`Terms::sum`], and [`Terms::batch_mean`] for a picture; the mean
/// divides by the pixels. Without `isotropic` a slanted edge costs up to √2 times a straight one.
/// Slopes are 0 between equal pixels.
///
/// | | |
/// |---|---|
/// | shapes | pictures `[…, height, width]`; terms are alike |
/// | unit | the pixels' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{TotalVariation, total_variation};
/// let tape = Tape::f64();
/// let p = tape.variable([[0.0, 3.0], [4.0, 4.0]]);
/// let gradients = total_variation(p).sum().backward()?;
/// assert_eq!(gradients.loss(), 8.0); // (3 + 4) + (0 + 1) + 0
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-2.0, 0.0, 1.0, 1.0]);
/// let isotropic = TotalVariation { isotropic: true }.forward(p);
/// assert_eq!(isotropic.sum().item()?, 6.0); // √(9 + 16) + 1
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Less than two axes.
///
/// # Source
/// Rudin, Osher and Fatemi, Nonlinear Total Variation Based Noise Removal Algorithms, 1992.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "TVLoss")]
pub struct TotalVariation {
    /// Measures both differences by the length of the gradient.
    pub isotropic: bool,
}

/// [`TotalVariation`] of absolute differences.
#[doc(alias = "tv_loss")]
#[track_caller]
pub fn total_variation(pictures: Var<'_>) -> Terms<'_> {
    TotalVariation::default().forward(pictures)
}

impl TotalVariation {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, pictures: Var<'t>) -> Terms<'t> {
        pictures.tape().named_call("total_variation", || {
            let p = floats("total_variation", "pictures", pictures);
            if p.is_faulty() || p.rank() < 2 {
                let fault = Fault::new("total_variation", "pictures are […, height, width]");
                let fault = fault.operand("pictures", p);
                return Terms::new(if p.is_faulty() { p } else { p.tape().fault(fault) });
            }
            let (right, down) = (difference(p, -1), difference(p, -2));
            Terms::new(match self.isotropic {
                true => {
                    let size = right.abs().maximum(down.abs()).detach();
                    let size = size.lt(f64::INFINITY).select(size, 1.0).clamp(1e-18, f64::INFINITY);
                    let [right, down] = [right, down].map(|difference| difference / size);
                    (right.square() + down.square()).root(0.5) * size
                }
                false => right.abs() + down.abs(),
            })
        })
    }
}

/// The next element along an axis less this one; 0 at the end.
#[track_caller]
fn difference(x: Var<'_>, axis: isize) -> Var<'_> {
    let mut around = vec![(0, 0); x.rank()];
    around[(x.rank() as isize + axis) as usize] = (0, x.dim(axis).min(1));
    (x.slice(axis, 1..) - x.slice(axis, ..-1)).pad(&around, 0.0)
}

pub(crate) static ROW: Loss = Loss {
    name: "total_variation",
    aliases: &["TVLoss", "tv_loss", "TotalVariation"],
    summary: "How much a picture varies from each pixel to the next.",
    formula: "|p[y, x+1] − p[y, x]| + |p[y+1, x] − p[y, x]|",
    latex: r"\lvert p_{y, x+1} - p_{y, x} \rvert + \lvert p_{y+1, x} - p_{y, x} \rvert",
    shapes: "pictures: [batch, channel, height, width] or others that end so; terms: alike",
    unit: "the pixels'",
    range: "[0, ∞)",
    source: "Rudin, Osher and Fatemi, 1992",
    tasks: &[Task::Pictures.fit().penalty(0.01)],
    inputs: &[input("pictures", &[2, 1, 3, 4], WIDE)],
    options: &[flag("isotropic", "measures both differences by the length of the gradient")],
    grid: &["", "isotropic"],
    invariances: &[Invariance::Order(&["pictures"])],
    run: |x| TotalVariation { isotropic: x.flag("isotropic") }.forward(x.var("pictures")),
    naive: |x| {
        let (p, width) = (x.of("pictures"), 4);
        let plane = 3 * width;
        let term = |i: usize| {
            let right = if i % width + 1 < width { p[i + 1] - p[i] } else { 0.0 };
            let down = if i % plane + width < plane { p[i + width] - p[i] } else { 0.0 };
            if x.flag("isotropic") { right.hypot(down) } else { right.abs() + down.abs() }
        };
        (0..p.len()).map(term).collect()
    },
    ..FAMILY
};
