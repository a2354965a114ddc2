//! What losses train: which inputs a training has for them, and how it makes them.

use lossgraph_autograd::Var;

use super::row::Loss;
use super::sample::Domain;
use super::setting::Setting;
use crate::classification::projected;
use crate::terms::Reduction;

/// What is to be learned, and so which inputs a training has. Those are known by their names: the
/// first input of a loss is what the model gives, unless it says otherwise here.
///
/// Whatever else a loss takes is learned with the model (`vectors` or a `matrix` of classes, a
/// `beta`): the input says of which shape, `Sample::learned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Numbers that are to be near to a `target`, and perhaps their variance, `var`.
    Numbers,
    /// One class for each example: the `labels`, or a `target` that is 1 at the class.
    Classes,
    /// Classes in an order: a score for each border between two of them, and `labels`.
    OrderedClasses,
    /// Several classes for each example: a `target` of 0 or 1, or of signs, for each class; or
    /// `labels`, a list for each example that −1 fills up.
    MultiLabel,
    /// A distribution for each example: `target`, `probabilities`, `distribution`, or the logits of
    /// a `teacher`.
    Distributions,
    /// `embeddings`, near to those of their class: `labels`.
    Embeddings,
    /// An `anchor`, nearer to a `positive` than to a `negative`.
    Triplets,
    /// `a` and `b`, or their `distance`: near where the `target` is 1, far where it is −1.
    Pairs,
    /// Two views of the same examples, which are to agree: `z1` and `z2`, a `query` and its
    /// `positive`, a `prediction` and its `target`.
    Views,
    /// A mask, or one for each class, that is to cover a `target` or `labels`.
    Masks,
    /// Boxes `[x1, y1, x2, y2]`, which are to cover those of `target`.
    Boxes,
    /// Pictures `[batch, channel, height, width]`, which are to look like `target`.
    Pictures,
    /// Scores that are to bring a list into the order of its `relevance`; or those of a `first` and
    /// a `second` item, of which `target` says by its sign which is to be higher.
    Rankings,
    /// Scores of symbols over time, which are to spell the `targets`.
    Sequences,
}

/// How a loss trains a task.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// The task.
    pub task: Task,
    /// The setting to begin with.
    pub setting: &'static str,
    /// How the terms become one number.
    pub reduction: Reduction,
    /// Whether it is the one that the task is trained with by default.
    pub is_default: bool,
    /// For a penalty, which trains nothing by itself: it is added to the default loss of its task,
    /// times this weight.
    pub penalty: Option<f64>,
    /// Whether it demands equally many examples of every class in a batch, which begins with one of
    /// each, in their order.
    pub balanced: bool,
}

/// What the shape of something depends on that is learned with a model.
#[derive(Clone, Copy, Debug)]
pub struct Sizes<'a> {
    /// How many classes there are.
    pub classes: usize,
    /// How many numbers the model gives for an example.
    pub features: usize,
    /// The options of the loss.
    pub setting: &'a Setting,
}

impl Task {
    /// All tasks, in the order of a reader who begins.
    pub const ALL: [Task; 14] = [
        Task::Numbers,
        Task::Classes,
        Task::OrderedClasses,
        Task::MultiLabel,
        Task::Distributions,
        Task::Embeddings,
        Task::Triplets,
        Task::Pairs,
        Task::Views,
        Task::Masks,
        Task::Boxes,
        Task::Pictures,
        Task::Rankings,
        Task::Sequences,
    ];

    /// The loss that the task is trained with where none is named.
    pub fn default_loss(self) -> Option<(&'static Loss, &'static Fit)> {
        let fits = super::ALL.iter().filter_map(|loss| Some((*loss, loss.fit(self)?)));
        fits.into_iter().find(|(_, fit)| fit.is_default)
    }

    /// The task, with the mean of a loss as it is by default.
    pub(crate) const fn fit(self) -> Fit {
        self.set("")
    }

    /// The task, with the mean of a loss in a setting.
    pub(crate) const fn set(self, setting: &'static str) -> Fit {
        let reduction = Reduction::Mean;
        let (is_default, penalty, balanced) = (false, None, false);
        Fit { task: self, setting, reduction, is_default, penalty, balanced }
    }
}

impl Fit {
    /// This fit with another reduction.
    pub(crate) const fn reduced(self, reduction: Reduction) -> Fit {
        Fit { reduction, ..self }
    }

    /// This fit as a penalty, which is added with a weight to the default loss of its task.
    pub(crate) const fn penalty(self, weight: f64) -> Fit {
        Fit { penalty: Some(weight), ..self }
    }

    /// This fit as one that demands equally many examples of every class in a batch.
    pub(crate) const fn balanced(self) -> Fit {
        Fit { balanced: true, ..self }
    }

    /// This fit as the default of its task, which has one at most.
    pub(crate) const fn by_default(self) -> Fit {
        Fit { is_default: true, ..self }
    }
}

impl Domain {
    /// What a model gives, any numbers, brought into this domain: by a softmax, a sigmoid or a
    /// softplus where it is narrower. `None` if the domain is that of data.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_losses::Domain;
    /// let tape = Tape::f64();
    /// let scores = tape.constant([[0.0, 0.0]]);
    /// let p = Domain::Probabilities.of_scores(scores).unwrap();
    /// assert_eq!(p.value()?.to_f64s(), [0.5, 0.5]);
    /// assert!(Domain::Signs.of_scores(scores).is_none());
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    #[track_caller]
    pub fn of_scores(self, scores: Var<'_>) -> Option<Var<'_>> {
        match self {
            Domain::Logits => Some(scores),
            Domain::LogProbabilities => Some(scores.log_softmax(-1)),
            Domain::Probabilities => Some(scores.softmax(-1)),
            Domain::Between(low, high) if low > 0.0 && high < 1.0 => Some(scores.sigmoid()),
            Domain::Between(low, _) if low > 0.0 => Some(scores.softplus()),
            Domain::Between(..) => Some(scores),
            Domain::Labels(_) | Domain::Signs | Domain::Bits => None,
            Domain::Floats(_) | Domain::Integers(_) => None,
        }
    }

    /// The point of this domain that a point goes back to, where its numbers along the last axis add
    /// up to 1, as they are or as powers of e: of probabilities the nearest one, of log-probabilities
    /// the one with the same differences. `None` for other domains.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_losses::Domain;
    /// let tape = Tape::f64();
    /// let p = Domain::Probabilities.normalized(tape.constant([1.5, 1.0, -1.0])).unwrap();
    /// assert_eq!(p.value()?.to_f64s(), [0.75, 0.25, 0.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    #[track_caller]
    pub fn normalized(self, point: Var<'_>) -> Option<Var<'_>> {
        match self {
            Domain::LogProbabilities => Some(point.log_softmax(-1)),
            Domain::Probabilities => Some(projected(point, point.rank() as isize - 1)),
            _ => None,
        }
    }

    /// Class numbers as a target of this domain: themselves, or 1 at the class and 0 elsewhere, −1
    /// elsewhere for signs. `None` if the domain has no such target.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_losses::Domain;
    /// let tape = Tape::f64();
    /// let target = Domain::Signs.of_labels(tape.labels(&[1]), 3).unwrap();
    /// assert_eq!(target.value()?.to_f64s(), [-1.0, 1.0, -1.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    #[track_caller]
    pub fn of_labels(self, labels: Var<'_>, classes: usize) -> Option<Var<'_>> {
        match self {
            Domain::Labels(_) => Some(labels),
            Domain::Signs => Some(labels.one_hot(classes) * 2.0 - 1.0),
            Domain::Bits | Domain::Probabilities | Domain::Between(..) => {
                Some(labels.one_hot(classes))
            }
            Domain::Logits | Domain::LogProbabilities => None,
            Domain::Floats(_) | Domain::Integers(_) => None,
        }
    }
}
