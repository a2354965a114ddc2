//! Optimizers and gradient clipping.

use lossgraph_autograd::{Gradients, Parameter, Tape, Var};
use lossgraph_nn::optimizer::{Adagrad, Adam, AdamW, RmsProp, Sgd};
use lossgraph_nn::{Optimizer, UpdateRule, clip_grad_norm, clip_grad_value};
use lossgraph_tensor::Tensor;
use serde_json::Value;

use super::case::{Golden, number, tensors};
use super::compare::{FIRST, TRAJECTORY, compare, compare_numbers};
use super::{Part, Stop};

/// Runs a case of the kinds "optim", "clip" and "scheduler". `file` is the whole file.
pub fn run(file: &Value, case: &Value) -> Result<(), Stop> {
    if file["kind"] == "clip" {
        return clip(file, case);
    }
    with_rule(file["name"].as_str().unwrap_or(""), &case["options"], Training { file, case })
}

/// What to do with a rule, whatever its type.
pub trait Use {
    fn with<R: UpdateRule>(self, rule: R) -> Result<(), Stop>;
}

/// The rule of PyTorch's optimizer `name` with its options.
pub fn with_rule(name: &str, options: &Value, task: impl Use) -> Result<(), Stop> {
    let at = |name: &str, default: f64| options.get(name).and_then(number).unwrap_or(default);
    let on = |name: &str| options.get(name).and_then(Value::as_bool).unwrap_or(false);
    let betas = || match options.get("betas").and_then(Value::as_array) {
        Some(pair) => [0, 1].map(|i| pair.get(i).and_then(number).unwrap_or(f64::NAN)),
        None => [0.9, 0.999],
    };
    match name {
        "sgd" | "SGD" => task.with(Sgd {
            lr: at("lr", 1e-3),
            momentum: at("momentum", 0.0),
            dampening: at("dampening", 0.0),
            weight_decay: at("weight_decay", 0.0),
            nesterov: on("nesterov"),
            maximize: on("maximize"),
        }),
        "adam" | "Adam" => task.with(Adam {
            lr: at("lr", 1e-3),
            betas: betas(),
            eps: at("eps", 1e-8),
            weight_decay: at("weight_decay", 0.0),
            decoupled_weight_decay: on("decoupled_weight_decay"),
            amsgrad: on("amsgrad"),
            maximize: on("maximize"),
        }),
        "adamw" | "AdamW" => task.with(AdamW {
            lr: at("lr", 1e-3),
            betas: betas(),
            eps: at("eps", 1e-8),
            weight_decay: at("weight_decay", 1e-2),
            amsgrad: on("amsgrad"),
            maximize: on("maximize"),
        }),
        "rmsprop" | "RMSprop" if !on("maximize") => task.with(RmsProp {
            lr: at("lr", 1e-2),
            alpha: at("alpha", 0.99),
            eps: at("eps", 1e-8),
            weight_decay: at("weight_decay", 0.0),
            momentum: at("momentum", 0.0),
            centered: on("centered"),
        }),
        "adagrad" | "Adagrad" if !on("maximize") => task.with(Adagrad {
            lr: at("lr", 1e-2),
            lr_decay: at("lr_decay", 0.0),
            weight_decay: at("weight_decay", 0.0),
            initial_accumulator_value: at("initial_accumulator_value", 0.0),
            eps: at("eps", 1e-10),
        }),
        _ => Err(Stop::unsupported(format!("there is no {name}"))),
    }
}

struct Training<'a> {
    file: &'a Value,
    case: &'a Value,
}

impl Use for Training<'_> {
    fn with<R: UpdateRule>(self, rule: R) -> Result<(), Stop> {
        let case = self.case;
        if case["error"] == true {
            return match rule.over_parameters([]) {
                Err(_) => Ok(()),
                Ok(_) => Err(Stop::failed(Part::Refusal, "invalid options are accepted")),
            };
        }
        let problem = &self.file["problems"][case["problem"].as_str().unwrap_or("")];
        let parameters: Vec<Parameter> = tensors(problem, "initial")
            .into_iter()
            .map(|(name, golden)| Parameter::new(name, golden.tensor()))
            .collect();
        let mut optimizer = grouped(rule, &parameters, case)?;
        let steps = case["steps"].as_u64().unwrap_or(0) as usize;
        let (mut losses, mut norms) = (Vec::new(), Vec::new());
        for step in 0..steps {
            let mut gradients = gradients(problem, &parameters, step)?;
            losses.push(gradients.loss());
            norms.push(norm(&gradients));
            clipped(&case["clip"], &mut gradients)?;
            if let Some(lr) = case["lrs"].get(step).and_then(number) {
                optimizer.set_lr(lr).map_err(failed)?;
            }
            optimizer.step(&gradients).map_err(failed)?;
            check_parameters(case, step + 1, &parameters)?;
        }
        if problem["type"] != "gradients" {
            losses.push(gradients(problem, &parameters, steps)?.loss());
        }
        for (what, got) in [("losses", losses), ("grad_norms", norms)] {
            if let Some(expected) = case[what].as_array() {
                let expected: Vec<f64> = expected.iter().filter_map(number).collect();
                compare_numbers(what, &expected, &got, TRAJECTORY)?;
            }
        }
        Ok(())
    }
}

/// The rule at work on all parameters. Groups with options of their own are not read.
fn grouped<R: UpdateRule>(rule: R, all: &[Parameter], case: &Value) -> Result<Optimizer<R>, Stop> {
    if case.get("param_groups").is_some_and(|groups| !groups.is_null()) {
        return Err(Stop::unsupported("parameter groups are not read"));
    }
    rule.over_parameters(all.iter().cloned()).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::failed(Part::Trajectory, error.to_string())
}

fn norm(gradients: &Gradients) -> f64 {
    let squares = |gradient: &Tensor| gradient.to_f64s().iter().map(|x| x * x).sum::<f64>();
    gradients.parameters().iter().map(|(_, gradient)| squares(gradient)).sum::<f64>().sqrt()
}

fn clipped(clip: &Value, gradients: &mut Gradients) -> Result<(), Stop> {
    match clip["type"].as_str() {
        Some("norm") => {
            let order = clip.get("norm_type").and_then(number).unwrap_or(2.0);
            let limit = clip.get("max_norm").and_then(number).unwrap_or(f64::NAN);
            clip_grad_norm(gradients, limit, order).map_err(failed).map(|_| ())
        }
        Some("value") => {
            let limit = clip.get("clip_value").and_then(number).unwrap_or(f64::NAN);
            clip_grad_value(gradients, limit).map_err(failed)
        }
        _ => Ok(()),
    }
}

fn check_parameters(case: &Value, step: usize, parameters: &[Parameter]) -> Result<(), Stop> {
    let kept = case["params"].as_array().into_iter().flatten();
    for record in kept.filter(|record| record["step"].as_u64() == Some(step as u64)) {
        for (name, expected) in tensors(record, "values") {
            let parameter = parameters.iter().find(|parameter| parameter.name() == name);
            let value = parameter.ok_or_else(|| failed(format!("no parameter {name}")))?.value();
            compare(&format!("{name} after step {step}"), &expected, &value, TRAJECTORY)?;
        }
    }
    Ok(())
}

/// The gradients of a problem at a step: recorded, or those of the case.
fn gradients(problem: &Value, parameters: &[Parameter], step: usize) -> Result<Gradients, Stop> {
    if problem["type"] == "gradients" {
        let given = |parameter: &Parameter| {
            let golden = Golden::read(problem["gradients"][parameter.name()].get(step)?)?;
            Some((parameter.clone(), golden.tensor()))
        };
        return Ok(Gradients::new(0.0, parameters.iter().filter_map(given).collect()));
    }
    let tape = Tape::f64();
    let of = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter.name() == name);
        parameter.map(|parameter| tape.parameter(parameter))
    };
    let data =
        |name: &str| Golden::read(&problem[name]).map(|golden| tape.constant(golden.tensor()));
    let loss = match problem["type"].as_str() {
        Some("rosenbrock") => of("x").map(rosenbrock),
        Some("mlp") => (|| {
            let hidden = data("x")?.matmul(of("W1")?) + of("b1")?;
            let hidden =
                if problem["activation"] == "tanh" { hidden.tanh() } else { hidden.sigmoid() };
            let output = hidden.matmul(of("W2")?) + of("b2")?;
            Some((output - data("y")?).square().mean(..))
        })(),
        _ => None,
    };
    let loss = loss.ok_or_else(|| Stop::unsupported(format!("problem {}", problem["type"])))?;
    loss.backward().map_err(failed)
}

/// `Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²`
fn rosenbrock(x: Var<'_>) -> Var<'_> {
    let (near, next) = (x.slice(0, ..-1), x.slice(0, 1..));
    ((next - near.square()).square() * 100.0 + (1.0 - near).square()).sum(..)
}

fn clip(file: &Value, case: &Value) -> Result<(), Stop> {
    let given = tensors(case, "inputs");
    let pairs = given.iter().map(|(name, golden)| {
        let tensor = golden.tensor();
        (Parameter::new(name.as_str(), &tensor), tensor)
    });
    let mut gradients = Gradients::new(0.0, pairs.collect());
    let options = &case["options"];
    let at = |name: &str, default: f64| options.get(name).and_then(number).unwrap_or(default);
    let norm = match file["name"].as_str() {
        Some("clip_grad_norm") => {
            clip_grad_norm(&mut gradients, at("max_norm", f64::NAN), at("norm_type", 2.0))
        }
        Some("clip_grad_value") => {
            clip_grad_value(&mut gradients, at("clip_value", f64::NAN)).map(|()| 0.0)
        }
        _ => return Err(Stop::unsupported(format!("there is no {}", file["name"]))),
    };
    let norm = match (norm, case["error"] == true) {
        (Ok(norm), false) => norm,
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err(Stop::failed(Part::Refusal, "invalid input is accepted")),
        (Err(error), false) => return Err(failed(error)),
    };
    for (name, expected) in tensors(case, "outputs") {
        let got = match gradients.parameters().iter().find(|(p, _)| p.name() == name) {
            Some((_, gradient)) => gradient.clone(),
            None => Tensor::from(norm),
        };
        compare(&name, &expected, &got, FIRST.of(case))?;
    }
    Ok(())
}
