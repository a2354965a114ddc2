//! Whole trainings.

use lossgraph_autograd::{Conv, Padding, Parameter, Pool, Tape, Var};
use lossgraph_losses::{CrossEntropy, Distance, Terms, TripletMargin, bce_with_logits, huber, mse};
use lossgraph_nn::UpdateRule;
use lossgraph_tensor::{Tensor, kernels};
use serde_json::Value;

use super::case::{Golden, number, tensors};
use super::compare::{TRAJECTORY, compare, compare_numbers};
use super::optim::{Use, with_rule};
use super::{Part, Stop};

/// Runs a case of the kind "e2e". `file` is the whole file.
pub fn run(file: &Value, case: &Value) -> Result<(), Stop> {
    let optimizer = &case["optimizer"];
    let name = optimizer["type"].as_str().unwrap_or("");
    with_rule(name, optimizer, Training::new(file, case)?)
}

struct Training<'a> {
    case: &'a Value,
    x: Tensor,
    y: Vec<i64>,
    parameters: Vec<Parameter>,
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::failed(Part::Trajectory, error.to_string())
}

impl<'a> Training<'a> {
    fn new(file: &Value, case: &'a Value) -> Result<Training<'a>, Stop> {
        let data = |name: &str| {
            let golden = Golden::read(&file["data"][name]);
            golden.map(|golden| golden.tensor()).ok_or_else(|| failed("there are no data"))
        };
        let parameters = tensors(case, "initial")
            .into_iter()
            .map(|(name, golden)| Parameter::new(name, golden.tensor()))
            .collect();
        let y = data("y")?.to_vec().map_err(failed)?;
        Ok(Training { case, x: data("x")?, y, parameters })
    }

    /// The examples at some rows, shaped as the first layer takes them.
    fn rows<'t>(&self, tape: &'t Tape, rows: &[usize]) -> Result<Var<'t>, Stop> {
        let index = Tensor::from(rows.iter().map(|&row| row as i64).collect::<Vec<i64>>());
        let width = self.x.shape()[1];
        let mut x = Tensor::zeros([rows.len(), width], self.x.dtype()).map_err(failed)?;
        kernels::index_select(&self.x, 0, &index, &mut x).map_err(failed)?;
        let shape = self.case["input_shape"].as_array().into_iter().flatten();
        let mut dims = vec![rows.len()];
        dims.extend(shape.filter_map(Value::as_u64).map(|dim| dim as usize));
        Ok(tape.constant(x.reshape(dims).map_err(failed)?))
    }

    fn forward<'t>(&self, mut x: Var<'t>) -> Result<Var<'t>, Stop> {
        let tape = x.tape();
        for layer in self.case["layers"].as_array().into_iter().flatten() {
            let parameter = |key: &str| {
                let name = layer[key].as_str();
                let found = self.parameters.iter().find(|p| Some(p.name()) == name);
                found.map(|parameter| tape.parameter(parameter))
            };
            let weight = || parameter("weight").ok_or_else(|| failed("a layer has no weight"));
            let size = || layer["kernel_size"].as_u64().unwrap_or(0) as usize;
            let both = |key: &str, default: usize| {
                [layer[key].as_u64().map_or(default, |n| n as usize); 2]
            };
            x = match layer["type"].as_str().unwrap_or("") {
                "linear" => x.linear(weight()?, parameter("bias")),
                "conv2d" => {
                    let padding = Padding::Each(both("padding", 0));
                    let stride = both("stride", 1);
                    let options = Conv { stride, padding, ..Conv::default() };
                    x.conv2d(weight()?, parameter("bias"), options)
                }
                "max_pool2d" => x.max_pool2d(Pool::new([size(); 2])),
                "avg_pool2d" => x.avg_pool2d(Pool::new([size(); 2])),
                "flatten" => x.reshape([x.dim(0), x.len() / x.dim(0).max(1)]),
                "layer_norm" => {
                    let shape = [x.dim(-1)];
                    x.layer_norm(&shape, parameter("weight"), parameter("bias"), 1e-5)
                }
                "relu" => x.relu(),
                "leaky_relu" => {
                    x.leaky_relu(layer.get("negative_slope").and_then(number).unwrap_or(0.01))
                }
                "tanh" => x.tanh(),
                "sigmoid" => x.sigmoid(),
                "softplus" => x.softplus(),
                "gelu" => x.gelu(),
                other => return Err(Stop::unsupported(format!("there is no layer {other}"))),
            };
        }
        Ok(x)
    }

    /// The loss of a classifier or regression on some rows.
    fn loss<'t>(&self, tape: &'t Tape, rows: &[usize]) -> Result<Var<'t>, Stop> {
        let output = self.forward(self.rows(tape, rows)?)?;
        let classes: Vec<i64> = rows.iter().map(|&row| self.y[row]).collect();
        let labels = tape.constant(classes.clone());
        let numbers = |f: fn(i64) -> f64| {
            tape.constant(classes.iter().map(|&label| f(label)).collect::<Vec<f64>>())
        };
        let options = &self.case["loss"]["options"];
        let at = |name: &str, default: f64| options.get(name).and_then(number).unwrap_or(default);
        Ok(match self.case["loss"]["type"].as_str().unwrap_or("") {
            "cross_entropy" => CrossEntropy {
                weight: options
                    .get("weight")
                    .and_then(Golden::read)
                    .map(|weight| tape.constant(weight.tensor())),
                label_smoothing: at("label_smoothing", 0.0),
                ..CrossEntropy::default()
            }
            .forward(output, labels)
            .mean(),
            "mse_onehot" => mse(output, labels.one_hot(output.dim(-1))).mean(),
            "multi_margin_loss" if at("p", 1.0) == 1.0 || at("p", 1.0) == 2.0 => {
                // max(0, margin − x[label] + x[c])ᵖ over the classes but the label, by C.
                let right = output.gather(1, labels.unsqueeze(1));
                let wrong = 1.0 - labels.one_hot(output.dim(-1));
                let over = (output - right + at("margin", 1.0)).relu() * wrong;
                let over = if at("p", 1.0) == 2.0 { over.square() } else { over };
                over.mean(-1).mean(..)
            }
            "binary_cross_entropy_with_logits" => {
                let odd = numbers(|label| (label % 2) as f64);
                bce_with_logits(output.index(1, 0), odd).mean()
            }
            "huber_digit" => {
                let digit = numbers(|label| label as f64);
                huber(output.index(1, 0), digit, at("delta", 1.0)).mean()
            }
            other => return Err(Stop::unsupported(format!("there is no loss {other}"))),
        })
    }

    /// The loss of an embedding on triplets of rows.
    fn triplet_loss<'t>(&self, tape: &'t Tape, triplets: &[[usize; 3]]) -> Result<Var<'t>, Stop> {
        let options = &self.case["loss"]["options"];
        let at = |name: &str, default: f64| options.get(name).and_then(number).unwrap_or(default);
        let distance = match options["distance_function"].as_str() {
            None | Some("pairwise_distance") => {
                Distance::Lp { p: at("p", 2.0), eps: at("eps", 1e-6) }
            }
            Some("one_minus_cosine") => Distance::Cosine,
            Some("squared_euclidean") => Distance::SquaredEuclidean,
            Some(other) => return Err(Stop::unsupported(format!("there is no distance {other}"))),
        };
        let embedded = |which: usize| -> Result<Var<'t>, Stop> {
            let rows: Vec<usize> = triplets.iter().map(|triplet| triplet[which]).collect();
            self.forward(self.rows(tape, &rows)?)
        };
        let swap = options["swap"] == true;
        let margin = at("margin", 1.0);
        let loss = TripletMargin { margin, distance, swap, ..TripletMargin::default() };
        let terms: Terms<'t> = loss.forward(embedded(0)?, embedded(1)?, embedded(2)?);
        Ok(terms.mean())
    }
}

/// The row numbers of a step: one for each example, or three for each triplet.
enum Step {
    Rows(Vec<usize>),
    Triplets(Vec<[usize; 3]>),
}

impl Use for Training<'_> {
    fn with<R: UpdateRule>(self, rule: R) -> Result<(), Stop> {
        if self.case.get("initial_buffers").is_some_and(|buffers| !buffers.is_null()) {
            return Err(Stop::unsupported("running statistics are not read"));
        }
        let numbers = |value: &Value| -> Vec<usize> {
            let list = value.as_array().into_iter().flatten();
            list.filter_map(Value::as_u64).map(|n| n as usize).collect()
        };
        let steps: Vec<Step> = match self.case["batches"].as_array() {
            Some(batches) => batches.iter().map(|batch| Step::Rows(numbers(batch))).collect(),
            None => self.case["triplets"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|step| {
                    let triplet = |value: &Value| {
                        let rows = numbers(value);
                        [0, 1, 2].map(|i| rows.get(i).copied().unwrap_or(0))
                    };
                    Step::Triplets(step.as_array().into_iter().flatten().map(triplet).collect())
                })
                .collect(),
        };
        let all = match steps.first() {
            Some(Step::Triplets(_)) => Step::Triplets(
                steps
                    .iter()
                    .flat_map(|step| match step {
                        Step::Triplets(triplets) => triplets.clone(),
                        Step::Rows(_) => Vec::new(),
                    })
                    .collect(),
            ),
            _ => Step::Rows((0..self.y.len()).collect()),
        };
        let loss_of = |step: &Step| -> Result<(f64, Option<lossgraph_autograd::Gradients>), Stop> {
            let tape = Tape::f64();
            let loss = match step {
                Step::Rows(rows) => self.loss(&tape, rows)?,
                Step::Triplets(triplets) => self.triplet_loss(&tape, triplets)?,
            };
            let gradients = loss.backward().map_err(failed)?;
            Ok((gradients.loss(), Some(gradients)))
        };
        let mut optimizer =
            rule.over_parameters(self.parameters.iter().cloned()).map_err(failed)?;
        let (mut losses, mut full) = (Vec::new(), Vec::new());
        for (i, step) in steps.iter().enumerate() {
            let (loss, gradients) = loss_of(step)?;
            let gradients = gradients.ok_or_else(|| failed("no gradients"))?;
            if i == 0 {
                for (name, expected) in tensors(self.case, "first_grads") {
                    let of = gradients.parameters().iter().find(|(p, _)| p.name() == name);
                    let (_, got) = of.ok_or_else(|| failed(format!("no gradient of {name}")))?;
                    compare(&format!("first gradient of {name}"), &expected, got, TRAJECTORY)?;
                }
            }
            optimizer.step(&gradients).map_err(failed)?;
            losses.push(loss);
            full.push(loss_of(&all)?.0);
        }
        for (what, got) in [("losses", losses), ("full_losses", full)] {
            let expected = self.case[what].as_array().into_iter().flatten();
            let expected: Vec<f64> = expected.filter_map(number).collect();
            compare_numbers(what, &expected, &got, TRAJECTORY)?;
        }
        for (name, expected) in tensors(self.case, "final") {
            let of = self.parameters.iter().find(|parameter| parameter.name() == name);
            let value = of.ok_or_else(|| failed(format!("no parameter {name}")))?.value();
            compare(&format!("final {name}"), &expected, &value, TRAJECTORY)?;
        }
        self.check_accuracy(&all)
    }
}

impl Training<'_> {
    fn check_accuracy(&self, all: &Step) -> Result<(), Stop> {
        let (Some(expected), Step::Rows(rows)) =
            (self.case.get("final_accuracy").and_then(number), all)
        else {
            return Ok(());
        };
        let tape = Tape::f64();
        let output = self.forward(self.rows(&tape, rows)?)?;
        let labels: Vec<usize> = self.y.iter().map(|&label| label as usize).collect();
        let got =
            lossgraph_nn::accuracy(&output.value().map_err(failed)?, &labels).map_err(failed)?;
        compare_numbers("final accuracy", &[expected], &[got], TRAJECTORY).map_err(Stop::from)
    }
}
