//! A loss over two numbers, and the paths of optimizers down it.

use std::error::Error;
use std::ops::Range;

use clap::ValueEnum;
use lossgraph_autograd::{Parameter, Tape, Var, concat};
use lossgraph_explain::{Sweep, surface};
use lossgraph_losses::{Domain, Loss, Sample};
use lossgraph_nn::optimizer::{Adagrad, RmsProp};
use lossgraph_nn::{Adam, AdamW, Sgd, UpdateRule};
use lossgraph_plot::{Landscape, Path};
use lossgraph_tensor::{DType, Tensor};

use super::scene::{Framing, Scene, VariedRequest};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many parts each range is cut into.
const PARTS: usize = 56;
/// The points that a line is fitted to.
const XS: [f64; 6] = [-2.0, -1.2, -0.4, 0.4, 1.2, 2.0];
/// What the line should give there: x + 0.3, a little off, and one outlier.
const TARGETS: [f64; 6] = [-1.6, -1.0, 0.0, 0.5, 3.5, 2.4];
/// The classes there: two points stand on the wrong side, so that no line is perfect.
const CLASSES: [f64; 6] = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0];
/// Where optimizers start on the landscape of a line, and how far it goes.
const START: [f64; 2] = [-1.2, -1.8];
const REACH: f64 = 3.0;

/// An optimizer of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Optimizer {
    Sgd,
    /// Sgd with a momentum of 0.9.
    Momentum,
    Adam,
    Adamw,
    Adagrad,
    Rmsprop,
}

/// How optimizers descend.
pub struct Descent<'a> {
    /// Which.
    pub optimizers: &'a [Optimizer],
    /// How many steps.
    pub steps: usize,
    /// The learning rate of each.
    pub lr: f64,
}

/// A program of two numbers.
struct Objective {
    scene: Scene,
    variables: Variables,
}

/// What the two numbers are.
enum Variables {
    /// Slope and height of a line, which gives a prediction at each of `XS`.
    Line(Vec<Tensor>),
    /// Slope and height of a line, which gives the score of the first of two classes.
    Classifier(Vec<Tensor>),
    /// Two elements of the input that moves: which, their one-hot rows, and the rest.
    Elements { elements: [usize; 2], one_hot: Tensor, rest: Tensor },
}

/// The landscape of a loss in a setting.
pub fn landscape(
    loss: &'static Loss,
    setting: &str,
    request: &VariedRequest,
    descent: &Descent<'_>,
) -> Result<Landscape> {
    let objective = Objective::of(loss, setting, request)?;
    let start = objective.start();
    let along = |element: usize| {
        let range = request.range.clone().unwrap_or(objective.reach(start[element]));
        Sweep { input: 0, element, range }
    };
    let inputs = [Tensor::from(start)];
    let surface =
        surface(|tape, x| objective.record(tape, x[0]), &inputs, [&along(0), &along(1)], PARTS)?;
    let paths = descent.optimizers.iter().map(|&optimizer| descent.path(&objective, optimizer));
    Ok(Landscape {
        title: objective.scene.case.title(),
        note: objective.note(),
        axes: objective.axes(),
        surface,
        paths: paths.collect::<Result<_>>()?,
    })
}

impl Objective {
    fn of(loss: &'static Loss, setting: &str, request: &VariedRequest) -> Result<Objective> {
        let scene = Scene::of(loss, setting, request)?;
        let moving = scene.moving();
        let can_be_any_number = match moving.domain {
            Domain::Between(low, high) => low < 0.0 && high > 0.0,
            domain => domain == Domain::Logits,
        };
        if scene.framing == Framing::Single && can_be_any_number {
            let stays =
                scene.case.samples.iter().map(|sample| fitted(sample)).collect::<Result<_>>()?;
            return Ok(Objective { scene, variables: Variables::Line(stays) });
        }
        if scene.framing == Framing::TrueClass && can_be_any_number {
            // Of the two inputs, the scores move: labels alone are read.
            let labels = Tensor::from(CLASSES.map(|class| 1 - class as i64));
            let stays = vec![labels; scene.case.samples.len()];
            return Ok(Objective { scene, variables: Variables::Classifier(stays) });
        }
        // Of a single element there is no surface: the sample has more.
        let element = request.element.unwrap_or(0);
        let scene =
            Scene::of(loss, setting, &VariedRequest { element: Some(element), ..request.clone() })?;
        let len = scene.case.inputs[scene.along.input].len();
        if element + 1 >= len {
            let name = scene.moving().name;
            let why = format!("`{name}` has {len} elements: there are no two from {element} on");
            return Err(format!("{}: {why}", loss.name).into());
        }
        let elements = [element, element + 1];
        let mut rest = scene.case.inputs[scene.along.input].to_f64s();
        let mut one_hot = vec![0.0; 2 * len];
        for (row, element) in elements.into_iter().enumerate() {
            one_hot[row * len + element] = 1.0;
            rest[element] = 0.0;
        }
        let (one_hot, rest) = (Tensor::new([2, len], one_hot)?, Tensor::new([1, len], rest)?);
        Ok(Objective { scene, variables: Variables::Elements { elements, one_hot, rest } })
    }

    fn record<'t>(&self, tape: &'t Tape, w: Var<'t>) -> Var<'t> {
        let moving = self.scene.along.input;
        let (moved, stays) = match &self.variables {
            Variables::Line(stays) => {
                (line(tape, w).reshape(column(self.scene.moving())), &stays[..])
            }
            Variables::Classifier(stays) => {
                let other = tape.fill([XS.len(), 1], 0.0);
                (concat(&[line(tape, w), other], 1), &stays[..])
            }
            Variables::Elements { one_hot, rest, .. } => {
                let (one_hot, rest) = (tape.constant(one_hot.clone()), tape.constant(rest.clone()));
                let shape = self.scene.moving().shape;
                (
                    (w.reshape([1, 2]).matmul(one_hot) + rest).reshape(shape),
                    &self.scene.case.inputs[..],
                )
            }
        };
        let var = |(i, tensor): (usize, &Tensor)| match i == moving {
            true => moved,
            false => tape.constant(tensor.clone()),
        };
        let inputs: Vec<Var<'t>> = stays.iter().enumerate().map(var).collect();
        self.scene.case.record(tape, &inputs).mean()
    }

    fn start(&self) -> [f64; 2] {
        match self.variables {
            Variables::Elements { elements, .. } => {
                let numbers = self.scene.case.inputs[self.scene.along.input].to_f64s();
                elements.map(|element| numbers[element])
            }
            _ => START,
        }
    }

    fn reach(&self, around: f64) -> Range<f64> {
        match self.variables {
            Variables::Elements { .. } => {
                let Range { start, end } = self.scene.along.range;
                start.min(around)..end.max(around)
            }
            _ => -REACH..REACH,
        }
    }

    fn note(&self) -> String {
        let (points, name) = (XS.len(), self.scene.moving().name);
        match self.variables {
            Variables::Line(_) => format!("{name} = slope · x + height, fitted to {points} points"),
            Variables::Classifier(_) => {
                format!("{name} = (slope · x + height, 0), fitted to {points} points")
            }
            Variables::Elements { .. } => {
                "two numbers of the catalogue's sample move; all else stays".to_owned()
            }
        }
    }

    fn axes(&self) -> [String; 2] {
        match self.variables {
            Variables::Elements { elements, .. } => {
                elements.map(|element| self.scene.element_name(element))
            }
            _ => ["slope", "height"].map(str::to_owned),
        }
    }
}

/// The line at each of `XS`, as a column.
fn line<'t>(tape: &'t Tape, w: Var<'t>) -> Var<'t> {
    let xs = tape.constant(XS.map(|x| [x, 1.0]));
    xs.matmul(w.reshape([2, 1]))
}

/// The shape of an elementwise input that has all of `XS` along its first axis.
fn column(sample: &Sample) -> Vec<usize> {
    let rest = std::iter::repeat_n(1, sample.shape.len().saturating_sub(1));
    std::iter::once(XS.len()).chain(rest).collect()
}

/// What an input holds beside the line: targets where it can, and else what says nothing.
fn fitted(sample: &Sample) -> Result<Tensor> {
    let numbers = match sample.domain {
        Domain::Between(low, high) if low < 0.0 && high > 0.0 => TARGETS.to_vec(),
        Domain::Signs => CLASSES.map(|class| 2.0 * class - 1.0).to_vec(),
        Domain::Between(low, high) if sample.name == "target" && low > 0.0 && high < 1.0 => {
            CLASSES.to_vec()
        }
        Domain::Bits => CLASSES.to_vec(),
        _ => vec![1.0; XS.len()],
    };
    Ok(Tensor::new(column(sample), numbers)?)
}

impl Descent<'_> {
    fn path(&self, objective: &Objective, optimizer: Optimizer) -> Result<Path> {
        let lr = self.lr;
        match optimizer {
            Optimizer::Sgd => self.steps_of("sgd", Sgd { lr, ..Sgd::default() }, objective),
            Optimizer::Momentum => {
                self.steps_of("momentum", Sgd { lr, momentum: 0.9, ..Sgd::default() }, objective)
            }
            Optimizer::Adam => self.steps_of("adam", Adam { lr, ..Adam::default() }, objective),
            Optimizer::Adamw => self.steps_of("adamw", AdamW { lr, ..AdamW::default() }, objective),
            Optimizer::Adagrad => {
                self.steps_of("adagrad", Adagrad { lr, ..Adagrad::default() }, objective)
            }
            Optimizer::Rmsprop => {
                self.steps_of("rmsprop", RmsProp { lr, ..RmsProp::default() }, objective)
            }
        }
    }

    fn steps_of(&self, label: &str, rule: impl UpdateRule, objective: &Objective) -> Result<Path> {
        let w = Parameter::new("w", Tensor::from(objective.start()).to_dtype(DType::F64));
        let mut optimizer = rule.over_parameters([w.clone()])?;
        let current = || {
            let numbers = w.value().to_f64s();
            [numbers[0], numbers[1]]
        };
        let mut points = vec![current()];
        for _ in 0..self.steps {
            let tape = Tape::f64();
            let loss = objective.record(&tape, tape.parameter(&w));
            optimizer.step(&loss.backward()?)?;
            points.push(current());
        }
        let tape = Tape::f64();
        let loss = objective.record(&tape, tape.parameter(&w)).item()?;
        Ok(Path { label: label.to_owned(), points, loss })
    }
}
