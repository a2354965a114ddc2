//! What a picture of a loss moves, and what stays: chosen from the catalogue's inputs alone, so
//! that a new loss has its picture without a line of its own.

use std::error::Error;
use std::ops::Range;

use lossgraph_autograd::Tape;
use lossgraph_explain::{Curve, Sweep, curve};
use lossgraph_losses::{Case, Domain, Loss, Sample};
use lossgraph_tensor::{DType, Shape, Tensor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A loss in a setting, with the inputs that a picture begins with.
pub struct Scene {
    /// The inputs of the catalogue, or one element of each.
    pub case: Case,
    /// What moves.
    pub along: Sweep,
    /// What the axis of a picture says.
    pub axis: String,
    /// What stays.
    pub note: String,
    /// How it was chosen.
    pub framing: Framing,
}

/// How a scene was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One element by itself: the loss is a number for each.
    Single,
    /// A row of scores of which that of the label moves.
    TrueClass,
    /// The catalogue's sample.
    Sample,
}

/// What a user requests to vary, where it is not left to the scene.
#[derive(Clone, Debug, Default)]
pub struct VariedRequest {
    /// The name of the input.
    pub input: Option<String>,
    /// The number of the element.
    pub element: Option<usize>,
    /// From where to where.
    pub range: Option<Range<f64>>,
}

impl VariedRequest {
    /// Whether all is left to the scene.
    pub fn is_empty(&self) -> bool {
        self.input.is_none() && self.element.is_none() && self.range.is_none()
    }
}

impl Scene {
    /// The scene of a loss: one element by itself where the loss is a number for each; the score of
    /// the right class where it is of class numbers; and else the catalogue's sample, with its first
    /// element or the requested one.
    pub fn of(loss: &'static Loss, setting: &str, request: &VariedRequest) -> Result<Scene> {
        let case = Case::new(loss, setting, 0)?;
        let input = moving(&case, request)?;
        let moving = case.samples[input];
        let (name, len) = (moving.name, Shape::from(moving.shape).numel());
        if let Some(element) = request.element.filter(|element| *element >= len) {
            let why = format!("`{name}` has {len} elements, there is no element {element}");
            return Err(format!("{}: {why}; they count from 0", loss.name).into());
        }
        let scene = Scene {
            along: Sweep {
                input,
                element: request.element.unwrap_or(0),
                range: request.range.clone().unwrap_or_else(|| reach(moving)),
            },
            axis: String::new(),
            note: String::new(),
            framing: Framing::Sample,
            case,
        };
        if request.element.is_none() && scene.is_elementwise() {
            return scene.single();
        }
        match scene.labels() {
            Some(labels) if request.element.is_none() => scene.true_class(labels),
            _ => Ok(scene.sample()),
        }
    }

    /// The curve of the mean of the loss in a setting.
    pub fn curve(&self, setting: &str) -> Result<Curve> {
        let case = self.case.in_setting(setting);
        Ok(curve(|tape, x| case.record(tape, x).mean(), &case.inputs, &self.along)?)
    }

    /// The sample of the input that moves.
    pub fn moving(&self) -> &'static Sample {
        self.case.samples[self.along.input]
    }

    /// An element of the input that moves, as one would write it.
    pub fn element_name(&self, element: usize) -> String {
        let sample = self.moving();
        format!("{}{}", sample.name, index(sample.shape, element))
    }

    /// The inputs that stay, with their indices.
    fn others(&self) -> impl Iterator<Item = (usize, &'static Sample)> {
        let all = self.case.samples.iter().copied().enumerate();
        all.filter(|(i, _)| *i != self.along.input)
    }

    /// Whether the terms are one for each element of the input that moves.
    fn is_elementwise(&self) -> bool {
        let tape = Tape::f64();
        let inputs = self.case.inputs.iter().map(|input| tape.constant(input));
        let terms = self.case.record(&tape, &inputs.collect::<Vec<_>>()).unreduced();
        terms.shape() == Shape::from(self.moving().shape) && self.moving().shape.len() < 4
    }

    /// Where the labels are, if the loss is one of a row of scores and a class number.
    fn labels(&self) -> Option<usize> {
        let moving = self.moving();
        let [_, classes] = *moving.shape else { return None };
        let scores = matches!(moving.domain, Domain::Logits | Domain::LogProbabilities);
        let mut others = self.others();
        match (others.next(), others.next()) {
            (Some((i, labels)), None) if scores && labels.domain == Domain::Labels(classes) => {
                Some(i)
            }
            _ => None,
        }
    }

    /// One element of each input, and the others at a number that says something.
    fn single(mut self) -> Result<Scene> {
        let number = |sample: &Sample| sample.still.unwrap_or_else(|| still(sample.domain));
        let stays: Vec<(&str, f64)> =
            self.others().map(|(_, sample)| (sample.name, number(sample))).collect();
        self.case.inputs = self
            .case
            .samples
            .iter()
            .map(|sample| {
                let shape = vec![1; sample.shape.len()];
                Tensor::full(shape, number(sample), sample.draw(0).dtype())
            })
            .collect::<std::result::Result<_, _>>()?;
        let name = self.moving().name;
        self.axis = match stays.iter().find(|(name, _)| *name == "target") {
            Some((target, 0.0)) if name == "prediction" => format!("{name} − {target}"),
            _ => name.to_owned(),
        };
        let stays = stays.iter().map(|(name, number)| format!("{name} = {}", signed(*number)));
        self.note =
            sentence(&format!("one element of {name} moves"), stays.collect::<Vec<_>>().join(", "));
        self.framing = Framing::Single;
        Ok(self)
    }

    /// A row of scores that are alike, but for that of its class, which moves.
    fn true_class(mut self, labels: usize) -> Result<Scene> {
        let moving = self.along.input;
        let classes = self.moving().shape[1];
        let others = match self.moving().domain {
            Domain::LogProbabilities => -(classes as f64).ln(),
            _ => 0.0,
        };
        self.case.inputs[moving] = Tensor::full([1, classes], others, DType::F64)?;
        self.case.inputs[labels] = Tensor::from([0_i64]);
        let name = self.moving().name;
        self.axis = format!("{name} of the label");
        self.note = format!(
            "that of the label moves; the other {} are {}",
            classes - 1,
            signed((others * 1000.0).round() / 1000.0)
        );
        self.framing = Framing::TrueClass;
        Ok(self)
    }

    /// The catalogue's sample, of which one element moves.
    fn sample(mut self) -> Scene {
        self.axis = self.element_name(self.along.element);
        self.note =
            "one number of the catalogue's sample moves, from the dot; all else stays".into();
        self
    }
}

/// The index of the input that moves.
fn moving(case: &Case, request: &VariedRequest) -> Result<usize> {
    let loss = case.loss.name;
    let Some(name) = &request.input else {
        let first = case.samples.iter().position(|sample| sample.domain.is_continuous());
        return first.ok_or_else(|| format!("{loss}: it has no input that can move").into());
    };
    match case.index_of(name) {
        Some(at) if case.samples[at].domain.is_continuous() => Ok(at),
        Some(_) => Err(format!("{loss}: `{name}` holds no numbers that can move").into()),
        None => {
            let names = case.names().collect::<Vec<_>>().join(", ");
            Err(format!("{loss}: there is no input `{name}`; there are {names}").into())
        }
    }
}

/// From where to where an input moves: as its sample says, else as far as its domain lets it, and
/// not onto its poles.
fn reach(sample: &Sample) -> Range<f64> {
    if let Some((low, high)) = sample.range {
        return low..high;
    }
    match sample.domain {
        Domain::Between(low, high) if low > 0.0 && high < 1.0 => 0.01..0.99,
        Domain::Between(low, high) if low > 0.0 => 0.05..1.5 * high,
        Domain::Between(low, high) => low..high,
        Domain::Probabilities => 0.01..0.99,
        Domain::LogProbabilities => -4.0..0.0,
        Domain::Floats(numbers) => {
            let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            least..numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        }
        _ => -4.0..4.0,
    }
}

/// The number at which an element stays: 0 or 1 where its domain has them, and the one that makes a
/// target right.
fn still(domain: Domain) -> f64 {
    match domain {
        Domain::Between(low, high) if low < 0.0 && high > 0.0 => 0.0,
        Domain::Between(..) | Domain::Signs | Domain::Bits => 1.0,
        Domain::Probabilities => 0.5,
        Domain::LogProbabilities => -std::f64::consts::LN_2,
        Domain::Floats(numbers) => numbers.first().copied().unwrap_or(0.0),
        Domain::Integers(numbers) => numbers.first().map_or(0.0, |number| *number as f64),
        Domain::Logits | Domain::Labels(_) => 0.0,
    }
}

fn sentence(moves: &str, stays: String) -> String {
    if stays.is_empty() { moves.to_owned() } else { format!("{moves}; {stays}") }
}

/// A number with a real minus.
pub fn signed(x: f64) -> String {
    let text = format!("{x}");
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// The indices of an element: `[1, 2]`.
fn index(shape: &[usize], element: usize) -> String {
    format!("{:?}", Shape::from(shape).unravel_index(element))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_losses::find;

    fn scene(name: &str) -> Scene {
        let loss = find(name).unwrap();
        Scene::of(loss, loss.grid[0], &VariedRequest::default()).unwrap()
    }

    #[test]
    fn a_regression_is_seen_over_its_residual() {
        let huber = scene("huber");
        assert_eq!(huber.axis, "prediction − target");
        assert_eq!(huber.note, "one element of prediction moves; target = 0");
        assert_eq!(huber.along.range, -3.0..3.0);
    }

    #[test]
    fn a_classification_is_seen_over_the_logit_of_the_right_class() {
        assert_eq!(scene("bce_with_logits").note, "one element of logits moves; target = 1");
        assert_eq!(scene("cross_entropy").axis, "logits of the label");
    }

    #[test]
    fn a_loss_of_distances_is_seen_over_its_sample() {
        let triplet = scene("triplet_margin");
        assert_eq!(triplet.axis, "anchor[0, 0]");
        assert_eq!(triplet.framing, Framing::Sample);
    }

    #[test]
    fn an_element_is_named_by_its_index() {
        assert_eq!(index(&[2, 3], 5), "[1, 2]");
        assert_eq!(index(&[], 0), "[]");
    }
}
