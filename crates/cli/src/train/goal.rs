//! Which loss trains what.

use clap::ValueEnum;
use lossgraph_losses::{ALL, Fit, Loss, Task};

use super::Result;
use super::source::Source;
use crate::subject::named;

/// How a loss trains that is not of the catalogue.
const OWN: &str = "write the loop in a program: `my_loss(…).backward()` and `optimizer.step` \
                   (README, \"A loss of your own\")";

/// What to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// Scores of classes: which digit it is.
    #[value(aliases = ["classification", "classes"])]
    Classifier,
    /// A point for each digit, near to those of its class.
    #[value(aliases = ["embeddings", "metric-learning"])]
    Embedding,
    /// Numbers: how heavy a penguin is.
    #[value(aliases = ["regression", "regressor"])]
    Numbers,
    /// Classes in an order.
    #[value(alias = "ordinal-regression")]
    Ordered,
    /// Several classes for each example: what is true of a digit.
    #[value(aliases = ["multilabel"])]
    MultiLabel,
    /// What a teacher says of digits.
    #[value(alias = "knowledge-distillation")]
    Distributions,
    /// Two views of digits, which are to agree.
    #[value(aliases = ["self-supervised"])]
    Views,
    /// Which pixels are of a disc or a square.
    #[value(aliases = ["segmentation"])]
    Masks,
    /// Where a disc or a square is.
    #[value(aliases = ["detection"])]
    Boxes,
    /// A photograph without its noise.
    #[value(aliases = ["denoising", "images"])]
    Pictures,
    /// Which documents answer a query best.
    #[value(aliases = ["ranking", "learning-to-rank"])]
    Rankings,
    /// What a string of digits says.
    #[value(aliases = ["sequence", "ocr"])]
    Sequences,
}

impl Goal {
    /// What losses can make of it; the first one's default loss is the goal's.
    pub fn tasks(self) -> &'static [Task] {
        match self {
            Goal::Classifier => &[Task::Classes],
            Goal::Embedding => &[Task::Triplets, Task::Pairs, Task::Embeddings],
            Goal::Numbers => &[Task::Numbers],
            Goal::Ordered => &[Task::OrderedClasses],
            Goal::MultiLabel => &[Task::MultiLabel],
            Goal::Distributions => &[Task::Distributions],
            Goal::Views => &[Task::Views],
            Goal::Masks => &[Task::Masks],
            Goal::Boxes => &[Task::Boxes],
            Goal::Pictures => &[Task::Pictures],
            Goal::Rankings => &[Task::Rankings],
            Goal::Sequences => &[Task::Sequences],
        }
    }

    /// The goal that a task is one of.
    pub fn of(task: Task) -> Goal {
        let all = Goal::value_variants().iter().copied();
        all.into_iter().find(|goal| goal.tasks().contains(&task)).unwrap_or(Goal::Classifier)
    }

    /// Its word.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn default_loss(self) -> Result<(&'static Loss, &'static Fit)> {
        let default = self.tasks().iter().find_map(|task| task.default_loss());
        default.ok_or_else(|| "there is no default loss for this task: name one by --loss".into())
    }

    fn fit(self, loss: &'static Loss) -> Option<&'static Fit> {
        loss.tasks.iter().find(|fit| self.tasks().contains(&fit.task))
    }

    fn losses(self) -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(move |loss| self.fit(loss).is_some()).map(|loss| loss.name)
    }
}

/// A goal, the loss that trains it, and the data.
pub struct Choice {
    pub goal: Goal,
    pub loss: &'static Loss,
    pub fit: &'static Fit,
    /// The data that were named.
    pub source: Option<Source>,
}

/// What is trained: as it is said, or as the loss or the data have it.
pub fn chosen(
    task: Option<Goal>,
    loss: Option<&str>,
    load: &dyn Fn(Goal) -> Result<Option<Source>>,
) -> Result<Choice> {
    let list = |goal: Goal| goal.losses().collect::<Vec<_>>().join(", ");
    let named = match loss {
        None => None,
        Some(name) => Some(named(name, OWN).map_err(|why| match task {
            Some(goal) => format!("{why}\nthis task can be trained with {}", list(goal)),
            None => why,
        })?),
    };
    // A loss of classes trains a classifier, though it may be made for something else; but not one of
    // numbers, from which classes could be made.
    let of_loss = |loss: &'static Loss| {
        let made_for = loss.tasks.first().map_or(Goal::Classifier, |fit| Goal::of(fit.task));
        match Goal::Classifier.fit(loss) {
            Some(_) if made_for != Goal::Numbers => Goal::Classifier,
            _ => made_for,
        }
    };
    let asked = task.or(named.map(of_loss)).unwrap_or(Goal::Classifier);
    let source = load(asked)?;
    // Data of numbers make no classes, nor the other way round: they are learned as they are unless
    // something else is said.
    let goal = match (asked, source.as_ref().map(Source::has_classes)) {
        (Goal::Classifier, Some(false)) if task.is_none() => Goal::Numbers,
        (Goal::Numbers, Some(true))
            if task.is_none() && named.is_none_or(|loss| Goal::Classifier.fit(loss).is_some()) =>
        {
            Goal::Classifier
        }
        _ => asked,
    };
    let Some(loss) = named else {
        let (loss, fit) = goal.default_loss()?;
        return Ok(Choice { goal, loss, fit, source });
    };
    match goal.fit(loss) {
        Some(fit) => Ok(Choice { goal, loss, fit, source }),
        None => {
            let (name, task) = (loss.name, goal.name());
            let made_for = of_loss(loss).name();
            let list = list(goal);
            Err(format!(
                "--loss {name}: the task {task} cannot be trained with it; it can with {list}\n\
                 perhaps: --task {made_for}, which {name} is for"
            )
            .into())
        }
    }
}
