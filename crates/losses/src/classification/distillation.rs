//! Learning from the scores of another model.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, Task, input, integer, number, option,
};
use crate::check::{Unequal, demand, floats, named_pair};
use crate::labels::{IGNORED, Labels, SECOND, on_class_axis};
use crate::rows::{capped, infinite, times};
use crate::terms::Terms;

/// The divergence of a teacher's distribution from a student's, both softened by a temperature;
/// with labels, mixed with their cross-entropy.
///
/// ```text
/// t = softmax(teacherᵢ/T),  s = softmax(studentᵢ/T)
/// Dᵢ = T² Σ_c t[c] (ln t[c] − ln s[c])
/// Lᵢ = Dᵢ                                             without labels
/// Lᵢ = α Dᵢ + (1 − α) cross_entropy(studentᵢ, labelᵢ)       with labels
/// ∂Dᵢ/∂studentᵢ = T (s − t)
/// ```
///
/// A high temperature shows what the teacher knows of the wrong classes. The factor `T²` keeps the
/// size of the slopes, which would shrink with it. An example whose label is ignored learns from the
/// teacher alone, with weight `α`. The teacher has a gradient too: give its scores as constants, or
/// detached, if it is not to learn.
///
/// | | |
/// |---|---|
/// | shapes | student and teacher alike, `[batch, class]`, `[batch, class, …]` or `[class]`; labels and terms: without the class axis |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::distillation;
/// let tape = Tape::f64();
/// let ln_3 = 3.0_f64.ln();
/// let student = tape.variable([[0.0, 0.0]]); // ½, ½
/// let teacher = tape.constant([[0.0, 2.0 * ln_3]]); // ¼, ¾ at temperature 2
/// let gradients = distillation(student, teacher, 2.0).mean().backward()?;
/// assert!((gradients.loss() - (3.0 * ln_3 - 4.0 * 2.0_f64.ln())).abs() < 1e-15);
/// assert!(gradients.of(student).unwrap().allclose(&[[0.5, -0.5]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Student and teacher of unequal shapes; labels as for [`Nll`](crate::Nll); a temperature that is
/// not above 0, or infinite; an `alpha` outside of 0 to 1.
///
/// # Source
/// Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "DistillationLoss")]
pub struct Distillation<'t> {
    /// What scores are divided by before their softmax.
    pub temperature: f64,
    /// The true classes, if they are known.
    pub labels: Option<Var<'t>>,
    /// How much the teacher counts beside the labels, 0 to 1.
    pub alpha: f64,
    /// The label of examples that have none.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Distillation<'_> {
    fn default() -> Self {
        Distillation {
            temperature: 2.0,
            labels: None,
            alpha: 0.5,
            ignore_index: IGNORED,
            axis: SECOND,
        }
    }
}

/// [`Distillation`] from the teacher alone, at a `temperature`.
#[doc(alias = "knowledge_distillation")]
#[track_caller]
pub fn distillation<'t>(student: Var<'t>, teacher: Var<'t>, temperature: f64) -> Terms<'t> {
    Distillation { temperature, ..Distillation::default() }.forward(student, teacher)
}

impl<'t> Distillation<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, student: Var<'t>, teacher: Var<'t>) -> Terms<'t> {
        student.tape().named_call("distillation", || {
            let Distillation { temperature, labels, alpha, ignore_index, .. } = *self;
            let teacher = floats("distillation", "teacher", teacher);
            let (student, teacher) = named_pair(
                "distillation",
                ("student", student),
                ("teacher", teacher),
                Unequal::Refuse,
            );
            let fits = temperature > 0.0 && temperature.is_finite();
            let why = || format!("temperature is {temperature}, expected a number above 0");
            let student = demand("distillation", fits, why, student);
            let fits = (0.0..=1.0).contains(&alpha);
            let why = || format!("alpha is {alpha}, expected 0 to 1");
            let student = demand("distillation", fits, why, student);
            let (student, axis) = on_class_axis("distillation", self.axis, ("student", student));
            let ln_t = capped(teacher / temperature).log_softmax(axis);
            let ln_s = capped(student / temperature).log_softmax(axis);
            let t = ln_t.exp();
            let divergence = (times(t, ln_t) - times(t, ln_s)).sum(axis) * temperature.powi(2);
            let Some(labels) = labels else { return Terms::new(infinite(divergence)) };
            match Labels::new("distillation", axis, ("student", student), labels, ignore_index) {
                Ok(labels) => {
                    let hard = labels.counted(labels.nll(capped(student)));
                    Terms::new(infinite(divergence * alpha + hard * (1.0 - alpha)))
                }
                Err(fault) => Terms::new(fault),
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "distillation",
    aliases: &["DistillationLoss", "knowledge_distillation", "KDLoss"],
    summary: "The divergence of a teacher's softened distribution from a student's.",
    formula: "α T² Σ_c t[c] (ln t[c] − ln s[c]) + (1 − α) cross_entropy(student, label)",
    latex: r"\alpha T^2 \sum_c t_c \log \frac{t_c}{s_c} - (1 - \alpha) \log \operatorname{softmax}(z)_y",
    letters: &[
        ("t, s", "the softmax of teacher / T and of student / T"),
        ("z", "the student's logits"),
    ],
    shapes: "student, teacher: alike, [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Hinton, Vinyals and Dean, 2015",
    tasks: &[Task::Distributions.fit()],
    over: "temperature=1,2,4",
    inputs: &[
        input("student", &[N, C], Domain::Logits),
        input("teacher", &[N, C], Domain::Logits),
        option("labels", &[N], Domain::Labels(C), "the true classes, if they are known"),
    ],
    options: &[
        number("temperature", 2.0, "what scores are divided by before their softmax"),
        number("alpha", 0.5, "how much the teacher counts beside the labels"),
        integer("ignore_index", -100, "the label of examples that have none"),
        CLASS_AXIS,
    ],
    grid: &["", "temperature=1", "labels", "labels alpha=0.2 temperature=4 ignore_index=1"],
    invariances: &[
        Invariance::Shift("student"),
        Invariance::Shift("teacher"),
        Invariance::Order(&["student", "teacher", "labels"]),
    ],
    run: |x| {
        Distillation {
            temperature: x.number("temperature"),
            labels: x.maybe("labels"),
            alpha: x.number("alpha"),
            ignore_index: x.integer("ignore_index"),
            axis: x.axis(),
        }
        .forward(x.var("student"), x.var("teacher"))
    },
    naive: |x| {
        let (temperature, alpha) = (x.number("temperature"), x.number("alpha"));
        let soft = |z: &[f64]| softmax_of(&z.iter().map(|z| z / temperature).collect::<Vec<_>>());
        let (student, teacher) = (x.rows("student"), x.rows("teacher"));
        let divergence = |i: usize| -> f64 {
            let (s, t) = (soft(student[i]), soft(teacher[i]));
            temperature.powi(2) * (0..C).map(|c| t[c] * (t[c] / s[c]).ln()).sum::<f64>()
        };
        if x.maybe("labels").is_none() {
            return (0..N).map(divergence).collect();
        }
        let hard = x.labeled(|i, label| -softmax_of(student[i])[label].ln());
        (0..N).map(|i| alpha * divergence(i) + (1.0 - alpha) * hard[i]).collect()
    },
    edges: &[
        ("−∞", "the slope in the teacher is ∞ − ∞"),
        ("all times 1e10", "scores of this size have no digits left for their differences"),
    ],
    ..FAMILY
};
