//! Examples around the center of their class.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::vectors_of;
use super::sample::{CLASSES, ORDER, squared_distance};
use crate::catalogue::{Loss, Task};
use crate::terms::Terms;

/// Half the squared distance of an embedding to the center of its class.
///
/// ```text
/// L = ‖x − c[label]‖² / 2
/// ∂L/∂x = x − c[label],  ∂L/∂c[label] = c[label] − x
/// ```
///
/// Alone it is least when everything is one point; it is used beside a classification loss. The
/// paper moves the centers by a rule of its own, a mean over the examples of each class; here they
/// have the gradient that they have.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, centers `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | the embedding's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::center;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 2.0]]);
/// let centers = tape.variable([[9.0, 9.0], [0.0, 0.0]]);
/// let gradients = center(x, centers, tape.labels(&[1])).mean().backward()?;
/// assert_eq!(gradients.loss(), 2.5);
/// assert_eq!(gradients.of(x).unwrap().to_f64s(), [1.0, 2.0]);
/// assert_eq!(gradients.of(centers).unwrap().to_f64s(), [0.0, 0.0, -1.0, -2.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class.
///
/// # Source
/// Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, 2016.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CenterLoss")]
pub struct Center;

/// [`Center`], which has no options.
#[track_caller]
pub fn center<'t>(embeddings: Var<'t>, centers: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    Center.forward(embeddings, centers, labels)
}

impl Center {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, centers: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("center", || {
            let own = vectors_of("center", embeddings, centers, labels);
            Terms::new((embeddings - own).square().sum(-1) * 0.5)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "center",
    aliases: &["CenterLoss", "center_loss"],
    summary: "Half the squared distance of an embedding to the center of its class.",
    formula: "‖x − c[label]‖² / 2",
    latex: r"\frac{1}{2} \lVert x - c_y \rVert^2",
    letters: &[("x", "an embedding"), ("c", "the center of a class")],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "the embedding's, squared",
    range: "[0, ∞)",
    source: "Wen et al., 2016",
    tasks: &[Task::Embeddings.fit().penalty(0.1)],
    inputs: &CLASSES,
    invariances: &[ORDER],
    run: |x| Center.forward(x.var("embeddings"), x.var("vectors"), x.var("labels")),
    naive: |x| {
        let own = |i: usize| x.rows("vectors")[x.label(i)];
        (0..5).map(|i| squared_distance(x.rows("embeddings")[i], own(i)) / 2.0).collect()
    },
    ..FAMILY
};
