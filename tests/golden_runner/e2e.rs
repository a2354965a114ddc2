//! Whole trainings.

use std::collections::HashMap;

use lossgraph_autograd::{Conv, Gradients, Padding, Parameter, Pool, Tape, Var};
use lossgraph_nn::{BatchNorm, Layer, Mode};
use lossgraph_tensor::{Tensor, kernels};
use serde_json::Value;

use super::case::{Golden, Inputs, number, tensors};
use super::compare::{TRAJECTORY, compare, compare_numbers};
use super::function::call;
use super::optim::{only, optimizer};
use super::{Part, Stop, losses};

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::failed(Part::Trajectory, error.to_string())
}

/// Runs a case of the kind "e2e". `file` is the whole file.
pub fn run(file: &Value, case: &Value) -> Result<(), Stop> {
    Training::new(file, case)?.run()
}

/// The row numbers of a step: one for each example, or three for each triplet.
enum Step {
    Rows(Vec<usize>),
    Triplets(Vec<[usize; 3]>),
}

struct Training<'a> {
    case: &'a Value,
    x: Tensor,
    y: Vec<i64>,
    /// Parameters by their names in the file.
    parameters: Vec<(String, Parameter)>,
    /// Running statistics by their names in the file.
    buffers: Vec<(String, Parameter)>,
    /// Layers with running statistics, by the names of their weights.
    norms: HashMap<String, BatchNorm>,
}

impl<'a> Training<'a> {
    fn new(file: &Value, case: &'a Value) -> Result<Training<'a>, Stop> {
        let data = |name: &str| {
            let golden = Golden::read(&file["data"][name]);
            golden.map(|golden| golden.tensor()).ok_or_else(|| failed("there are no data"))
        };
        let (x, y) = (data("x")?, data("y")?.to_vec().map_err(failed)?);
        let (mut parameters, mut buffers, mut norms) = (Vec::new(), Vec::new(), HashMap::new());
        for (name, golden) in tensors(case, "initial") {
            let parameter = Parameter::new(name.as_str(), golden.tensor());
            parameters.push((name, parameter));
        }
        let statistics: HashMap<String, Golden> =
            tensors(case, "initial_buffers").into_iter().collect();
        let layers = case["layers"].as_array().into_iter().flatten();
        for layer in layers.filter(|layer| layer["type"] == "batch_norm") {
            let name = |key: &str| layer[key].as_str().unwrap_or("").to_owned();
            let channels = parameters.iter().find(|(each, _)| *each == name("weight"));
            let channels = channels.ok_or_else(|| Stop::unsupported("batch_norm has no weight"))?;
            let norm = BatchNorm::new(channels.1.value().len()).map_err(failed)?;
            for (key, own) in [("weight", norm.weight()), ("bias", norm.bias())] {
                let found = parameters.iter_mut().find(|(each, _)| *each == name(key));
                let (_, drawn) =
                    found.ok_or_else(|| Stop::unsupported("batch_norm has no bias"))?;
                own.set(drawn.value()).map_err(failed)?;
                *drawn = own.clone();
            }
            let own = [("running_mean", norm.running_mean()), ("running_var", norm.running_var())];
            for (key, own) in own {
                let found = statistics.get(&name(key));
                let found =
                    found.ok_or_else(|| Stop::unsupported("batch_norm has no statistics"))?;
                own.set(found.tensor()).map_err(failed)?;
                buffers.push((name(key), own.clone()));
            }
            norms.insert(name("weight"), norm);
        }
        Ok(Training { case, x, y, parameters, buffers, norms })
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

    fn forward<'t>(&self, mut x: Var<'t>, mode: Mode) -> Result<Var<'t>, Stop> {
        for layer in self.case["layers"].as_array().into_iter().flatten() {
            x = self.layer(x, layer, mode)?;
        }
        Ok(x)
    }

    fn layer<'t>(&self, x: Var<'t>, layer: &Value, mode: Mode) -> Result<Var<'t>, Stop> {
        let reads = |keys: &[&str]| only(layer, &[&["type"], keys].concat());
        let parameter = |key: &str| {
            let found = self.parameters.iter().find(|(name, _)| layer[key].as_str() == Some(name));
            found.map(|(_, parameter)| x.tape().parameter(parameter))
        };
        let weight = || parameter("weight").ok_or_else(|| failed("a layer has no weight"));
        let pair = |key: &str, default: usize| match layer[key].as_array() {
            Some(both) => [0, 1].map(|i| both[i].as_u64().unwrap_or(0) as usize),
            None => [layer[key].as_u64().map_or(default, |n| n as usize); 2],
        };
        Ok(match layer["type"].as_str().unwrap_or("") {
            "linear" => {
                reads(&["weight", "bias"])?;
                x.linear(weight()?, parameter("bias"))
            }
            "conv2d" => {
                reads(&["weight", "bias", "stride", "padding"])?;
                let padding = Padding::Each(pair("padding", 0));
                let options = Conv { stride: pair("stride", 1), padding, ..Conv::default() };
                x.conv2d(weight()?, parameter("bias"), options)
            }
            kind @ ("max_pool2d" | "avg_pool2d") => {
                reads(&["kernel_size"])?;
                let pool = Pool::new(pair("kernel_size", 0));
                if kind == "max_pool2d" { x.max_pool2d(pool) } else { x.avg_pool2d(pool) }
            }
            "flatten" => {
                reads(&[])?;
                x.reshape([x.dim(0), x.len() / x.dim(0).max(1)])
            }
            "batch_norm" => {
                reads(&["weight", "bias", "running_mean", "running_var"])?;
                let norm = layer["weight"].as_str().and_then(|name| self.norms.get(name));
                norm.ok_or_else(|| failed("a layer has no weight"))?.forward_in(x, mode)
            }
            "layer_norm" => {
                reads(&["weight", "bias"])?;
                let shape = [x.dim(-1)];
                x.layer_norm(&shape, parameter("weight"), parameter("bias"), 1e-5)
            }
            "leaky_relu" => {
                reads(&["negative_slope"])?;
                x.leaky_relu(layer.get("negative_slope").and_then(number).unwrap_or(0.01))
            }
            plain => {
                reads(&[])?;
                match plain {
                    "relu" => x.relu(),
                    "tanh" => x.tanh(),
                    "sigmoid" => x.sigmoid(),
                    "softplus" => x.softplus(),
                    "gelu" => x.gelu(),
                    other => return Err(Stop::unsupported(format!("there is no layer {other}"))),
                }
            }
        })
    }

    /// The loss of a step, with the options that its golden file would have.
    fn loss<'t>(&self, tape: &'t Tape, step: &Step, mode: Mode) -> Result<Var<'t>, Stop> {
        let name = self.case["loss"]["type"].as_str().unwrap_or("");
        let (stem, inputs) = match step {
            Step::Triplets(triplets) => {
                let embedded = |which: usize| -> Result<Var<'t>, Stop> {
                    let rows: Vec<usize> = triplets.iter().map(|triplet| triplet[which]).collect();
                    self.forward(self.rows(tape, &rows)?, mode)
                };
                let inputs = vec![
                    ("anchor", embedded(0)?),
                    ("positive", embedded(1)?),
                    ("negative", embedded(2)?),
                ];
                (name, inputs)
            }
            Step::Rows(rows) => {
                let output = self.forward(self.rows(tape, rows)?, mode)?;
                let classes: Vec<i64> = rows.iter().map(|&row| self.y[row]).collect();
                let numbers = |f: fn(i64) -> f64| {
                    tape.constant(classes.iter().map(|&label| f(label)).collect::<Vec<f64>>())
                };
                let (stem, input, target) = match name {
                    "mse_onehot" => {
                        let labels = tape.constant(classes.clone());
                        ("mse_loss", output, labels.one_hot(output.dim(-1)))
                    }
                    "huber_digit" => ("huber_loss", output.index(1, 0), numbers(|y| y as f64)),
                    "binary_cross_entropy_with_logits" => {
                        (name, output.index(1, 0), numbers(|y| (y % 2) as f64))
                    }
                    name => (name, output, tape.constant(classes.clone())),
                };
                (stem, vec![("input", input), ("target", target)])
            }
        };
        let adapter = losses::find(stem);
        let adapter =
            adapter.ok_or_else(|| Stop::unsupported(format!("there is no loss {stem}")))?;
        let inputs = inputs.into_iter().map(|(name, var)| (name.to_owned(), var)).collect();
        let inputs = Inputs::of(tape, inputs, self.case["loss"]["options"].clone());
        Ok(call(stem, adapter, &inputs)?[0].1)
    }

    /// The steps of the case.
    fn steps(&self) -> Vec<Step> {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let numbers = |value: &Value| -> Vec<usize> {
            list(value).iter().filter_map(Value::as_u64).map(|n| n as usize).collect()
        };
        let triplet = |value: &Value| {
            let rows = numbers(value);
            [0, 1, 2].map(|i| rows.get(i).copied().unwrap_or(0))
        };
        match self.case["batches"].as_array() {
            Some(batches) => batches.iter().map(|batch| Step::Rows(numbers(batch))).collect(),
            None => list(&self.case["triplets"])
                .iter()
                .map(|step| Step::Triplets(list(step).iter().map(triplet).collect()))
                .collect(),
        }
    }

    fn run(&self) -> Result<(), Stop> {
        let name = self.case["optimizer"]["type"].as_str().unwrap_or("");
        let made = optimizer(name, &self.case["optimizer"], &Value::Null, &self.parameters)?;
        let mut optimizer = made.map_err(failed)?;
        let steps = self.steps();
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
        let (mut losses, mut full) = (Vec::new(), Vec::new());
        for (i, step) in steps.iter().enumerate() {
            // The options of a loss are looked at before the optimizer calls for gradients.
            let tape = Tape::f64();
            let gradients = self.loss(&tape, step, Mode::Train)?.backward().map_err(failed)?;
            if i == 0 {
                self.check_first(&gradients)?;
            }
            losses.push(gradients.loss());
            optimizer.step_with(&mut || Ok(gradients.clone())).map_err(failed)?;
            let tape = Tape::f64();
            full.push(self.loss(&tape, &all, Mode::Evaluate)?.item().map_err(failed)?);
        }
        for (what, got) in [("losses", losses), ("full_losses", full)] {
            let expected = self.case[what].as_array().into_iter().flatten();
            let expected: Vec<f64> = expected.filter_map(number).collect();
            compare_numbers(what, &expected, &got, TRAJECTORY)?;
        }
        self.check_values("final", &self.parameters)?;
        self.check_values("final_buffers", &self.buffers)?;
        self.check_accuracy(&all)
    }

    fn check_first(&self, gradients: &Gradients) -> Result<(), Stop> {
        for (name, expected) in tensors(self.case, "first_grads") {
            let of = self.parameters.iter().find(|(each, _)| *each == name);
            let got = of.and_then(|(_, parameter)| gradients.get(parameter));
            let got = got.ok_or_else(|| failed(format!("no gradient of {name}")))?;
            compare(&format!("first gradient of {name}"), &expected, got, TRAJECTORY)?;
        }
        Ok(())
    }

    fn check_values(&self, key: &str, all: &[(String, Parameter)]) -> Result<(), Stop> {
        for (name, expected) in tensors(self.case, key) {
            // PyTorch counts the batches of batch norm, which nobody reads here.
            if name.ends_with("num_batches_tracked") {
                continue;
            }
            let of = all.iter().find(|(each, _)| *each == name);
            let value = of.ok_or_else(|| failed(format!("there is no {name}")))?.1.value();
            compare(&format!("{key} {name}"), &expected, &value, TRAJECTORY)?;
        }
        Ok(())
    }

    fn check_accuracy(&self, all: &Step) -> Result<(), Stop> {
        let (Some(expected), Step::Rows(rows)) =
            (self.case.get("final_accuracy").and_then(number), all)
        else {
            return Ok(());
        };
        let tape = Tape::f64();
        let output = self.forward(self.rows(&tape, rows)?, Mode::Evaluate)?;
        let labels: Vec<usize> = self.y.iter().map(|&label| label as usize).collect();
        let got =
            lossgraph_nn::accuracy(&output.value().map_err(failed)?, &labels).map_err(failed)?;
        compare_numbers("final accuracy", &[expected], &[got], TRAJECTORY).map_err(Stop::from)
    }
}
