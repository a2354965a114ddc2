//! Programs and comparisons for teaching: what goes wrong, and what cures it.

use lossgraph_autograd::Var;
use lossgraph_tensor::Tensor;

use crate::Result;
use crate::inputs::{Inputs, parse};
use crate::subject::Subject;

/// A program beside the catalogue: how one would write a loss at first.
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Its formula.
    pub latex: &'static str,
    /// Its inputs, with names, shapes and samples.
    pub inputs: &'static [(&'static str, &'static [usize], &'static [f64])],
    /// Records its terms.
    pub record: for<'t> fn(&[Var<'t>]) -> Var<'t>,
}

const LOGITS: (&str, &[usize], &[f64]) = ("logits", &[2, 3], &[2.0, 1.0, 0.0, -1.0, 0.5, 0.0]);
const LABELS: (&str, &[usize], &[f64]) = ("labels", &[2], &[0.0, 1.0]);

static PROGRAMS: [Program; 3] = [
    Program {
        name: "mse_after_softmax",
        summary: "Squared errors of probabilities: flat where the softmax is sure and wrong.",
        latex: r"\frac{1}{C} \sum_c \left( \mathrm{softmax}(z)_c - [c = y] \right)^2",
        inputs: &[LOGITS, LABELS],
        record: |x| {
            let (logits, labels) = (x[0], x[1]);
            (logits.softmax(-1) - labels.one_hot(logits.dim(-1))).square().mean(-1)
        },
    },
    Program {
        name: "log_of_softmax",
        summary: "The logarithm of a softmax: of 0 where a probability is too small for a float.",
        latex: r"-\log \mathrm{softmax}(z)_y",
        inputs: &[LOGITS, LABELS],
        record: |x| of_label(x[0].softmax(-1).ln(), x[1]),
    },
    Program {
        name: "log_softmax",
        summary: "The same logarithm from the logits themselves, which never takes that of 0.",
        latex: r"-\left( z_y - \log \sum_c e^{z_c} \right)",
        inputs: &[LOGITS, LABELS],
        record: |x| of_label(x[0].log_softmax(-1), x[1]),
    },
];

/// Less each row's number at its label.
fn of_label<'t>(log_p: Var<'t>, labels: Var<'t>) -> Var<'t> {
    -log_p.gather(-1, labels.reshape([labels.len(), 1])).flatten(..)
}

/// A comparison worth seeing.
pub struct Lesson {
    /// What it is called.
    pub name: &'static str,
    losses: &'static [&'static str],
    inputs: &'static str,
}

static LESSONS: [Lesson; 3] = [
    Lesson {
        name: "vanishing",
        losses: &["mse_after_softmax", "cross_entropy"],
        inputs: r#"{"logits": [[8, 0, -2], [1, 0.5, 0]], "labels": [2, 0]}"#,
    },
    Lesson {
        name: "nan",
        losses: &["log_of_softmax", "log_softmax"],
        inputs: r#"{"logits": [[800, 0, -2], [1, 0.5, 0]], "labels": [0, 0]}"#,
    },
    Lesson {
        name: "outlier",
        losses: &["mse", "l1", "huber"],
        inputs: r#"{"prediction": [0.2, -0.3, 0.1, 8], "target": [0, 0, 0, 0]}"#,
    },
];

/// The lesson with a name.
pub fn find(name: &str) -> Option<&'static Lesson> {
    LESSONS.iter().find(|lesson| lesson.name == name)
}

/// The program with a name.
pub fn program(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

/// A sample.
pub fn tensor(shape: &[usize], numbers: &[f64]) -> Tensor {
    Tensor::new(shape, numbers.to_vec()).expect("as many as the shape says")
}

impl Lesson {
    /// The losses that are compared.
    ///
    /// # Errors
    /// None that tests do not rule out, like [`inputs`](Lesson::inputs).
    pub fn subjects(&self) -> Result<Vec<Subject>> {
        self.losses.iter().map(|name| Subject::new(name, "")).collect()
    }

    /// The numbers that they are compared on.
    ///
    /// # Errors
    /// See [`subjects`](Lesson::subjects).
    pub fn inputs(&self) -> Result<Inputs> {
        parse(self.inputs)
    }
}
