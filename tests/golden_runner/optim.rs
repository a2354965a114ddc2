//! Optimizers, gradient clipping and schedules.

use lossgraph_autograd::{Gradients, Parameter, Tape, Var};
use lossgraph_nn::optimizer::{self, Optimize, ParameterGroup};
use lossgraph_nn::schedule::{self, Chained, Schedule, Scheduler, Sequential};
use lossgraph_nn::{Error, Sgd, UpdateRule, clip_grad_norm, clip_grad_value};
use lossgraph_tensor::Tensor;
use serde_json::{Map, Value};

use super::case::{Golden, number, tensors};
use super::compare::{FIRST, TRAJECTORY, compare, compare_numbers};
use super::{Part, Stop};

/// Runs a case of the kinds "optim", "clip" and "scheduler". `file` is the whole file.
pub fn run(file: &Value, case: &Value) -> Result<(), Stop> {
    match file["kind"].as_str() {
        Some("clip") => clip(file, case),
        Some("scheduler") => scheduled(file, case),
        _ => trained(file, case),
    }
}

/// Options as text, under our names; those of torch that say how it computes, and not what, left out.
pub fn options(given: &Value) -> Result<Vec<(String, String)>, Stop> {
    const HOW: [&str; 5] = ["foreach", "fused", "capturable", "differentiable", "type"];
    let (mut options, mut betas) = (Vec::new(), [None, None]);
    for (name, value) in given.as_object().into_iter().flatten() {
        match name.as_str() {
            name if HOW.contains(&name) => {}
            // optax's names.
            "learning_rate" => options.push(("lr".to_owned(), text(value)?)),
            "b1" => betas[0] = Some(text(value)?),
            "b2" => betas[1] = Some(text(value)?),
            _ => options.push((name.clone(), text(value)?)),
        }
    }
    match betas {
        [None, None] => {}
        [Some(first), Some(second)] => {
            options.push(("betas".to_owned(), format!("{first},{second}")))
        }
        _ => return Err(Stop::unsupported("one beta without the other")),
    }
    Ok(options)
}

fn text(value: &Value) -> Result<String, Stop> {
    match value {
        Value::Null => Ok("none".to_owned()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(list) => Ok(list.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(",")),
        Value::Object(_) => Err(Stop::unsupported("an option that is a tensor")),
        Value::String(word) if number(value).is_none() => Ok(word.clone()),
        value => number(value)
            .map(|number| number.to_string())
            .ok_or_else(|| Stop::unsupported("an option that is no number")),
    }
}

/// The options as they are passed on.
pub fn pairs(options: &[(String, String)]) -> Vec<(&str, &str)> {
    options.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}

/// An option that we do not have is unsupported; one that is out of its range is refused.
pub fn known<T>(result: lossgraph_nn::Result<T>) -> Result<lossgraph_nn::Result<T>, Stop> {
    match result {
        Err(error @ (Error::Name { .. } | Error::Value { .. })) => {
            Err(Stop::unsupported(error.to_string()))
        }
        result => Ok(result),
    }
}

/// An optimizer of a name of torch's or optax's, with groups that have options of their own.
pub fn optimizer(
    name: &str,
    given: &Value,
    groups: &Value,
    parameters: &[(String, Parameter)],
) -> Result<lossgraph_nn::Result<Box<dyn Optimize>>, Stop> {
    let row = match optimizer::named(name) {
        Ok(row) => row,
        Err(error) => return Err(Stop::unsupported(error.to_string())),
    };
    let all = options(given)?;
    let Some(groups) = groups.as_array() else {
        let group = ParameterGroup { options: all, parameters: parameters.to_vec() };
        return known(row.over_groups(vec![group]));
    };
    let group = |group: &Value| {
        let mut own: Map<String, Value> = group.as_object().cloned().unwrap_or_default();
        let names = own.remove("params").unwrap_or_default();
        let listed = |(name, _): &&(String, Parameter)| {
            names.as_array().into_iter().flatten().any(|each| each == name.as_str())
        };
        let mut options_of_group = all.clone();
        options_of_group.extend(options(&Value::Object(own))?);
        let parameters = parameters.iter().filter(listed).cloned().collect();
        Ok(ParameterGroup { options: options_of_group, parameters })
    };
    known(row.over_groups(groups.iter().map(group).collect::<Result<_, Stop>>()?))
}

/// A schedule of a name of torch's.
fn schedule(name: &str, given: &Value) -> Result<lossgraph_nn::Result<Box<dyn Schedule>>, Stop> {
    let row = match schedule::named(name) {
        Ok(row) => row,
        Err(error) => return Err(Stop::unsupported(error.to_string())),
    };
    // Lengths are given, so that the last argument says nothing.
    known(row.with(&pairs(&options(given)?), 1))
}

/// The schedule of a case: one, or several after or upon one another.
fn schedule_of(
    file: &Value,
    case: &Value,
) -> Result<lossgraph_nn::Result<Box<dyn Schedule>>, Stop> {
    let name = file["name"].as_str().unwrap_or("").trim_start_matches("sched_");
    let given = &case["options"];
    let Some(parts) = given["schedulers"].as_array() else { return schedule(name, given) };
    let mut built = Vec::new();
    for part in parts {
        match schedule(part[0].as_str().unwrap_or(""), &part[1])? {
            Ok(schedule) => built.push(schedule),
            Err(error) => return Ok(Err(error)),
        }
    }
    let mut built = built.into_iter();
    let first = built.next().ok_or_else(|| Stop::unsupported("no schedule"))?;
    let milestones = given["milestones"].as_array().into_iter().flatten();
    let milestones: Vec<usize> =
        milestones.filter_map(Value::as_u64).map(|step| step as usize).collect();
    match name {
        "sequential" if milestones.len() == built.len() => {
            let then = milestones.into_iter().zip(built);
            let all = then.fold(Sequential::new(first), |all, (at, next)| all.then(at, next));
            Ok(Ok(Box::new(all)))
        }
        "chained" => Ok(Ok(Box::new(built.fold(Chained::new(first), Chained::and)))),
        name => Err(Stop::unsupported(format!("there is no {name} of schedules"))),
    }
}

fn scheduled(file: &Value, case: &Value) -> Result<(), Stop> {
    let lr = case.get("lr").and_then(number).unwrap_or(f64::NAN);
    let refused = case["error"] == true;
    let p = Parameter::new("p", [0.0]);
    let sgd = Sgd { lr, momentum: 0.9, ..Sgd::default() };
    let mut optimizer = sgd.over_parameters([p]).map_err(failed)?;
    let steps = case["steps"].as_u64().unwrap_or(50) as usize;
    let metrics: Vec<f64> =
        case["metrics"].as_array().into_iter().flatten().filter_map(number).collect();
    let schedule = schedule_of(file, case)?;
    let (mut lrs, mut momenta) = (Vec::new(), Vec::new());
    let run = || -> lossgraph_nn::Result<()> {
        let mut scheduler = Scheduler::new(schedule?, &mut optimizer)?;
        for step in 0..steps {
            lrs.extend(optimizer.lrs());
            momenta.extend(optimizer.momenta()[0]);
            if let Some(&metric) = metrics.get(step) {
                scheduler.observe(metric, &mut optimizer)?;
            }
            scheduler.step(&mut optimizer)?;
        }
        Ok(())
    };
    match (run(), refused) {
        (Err(_), true) => return Ok(()),
        (Ok(()), true) => return Err(Stop::failed(Part::Refusal, "invalid options are accepted")),
        (Err(error), false) => return Err(failed(error)),
        (Ok(()), false) => {}
    }
    for (what, got) in [("lrs", lrs), ("momentums", momenta)] {
        if let Some(expected) = case[what].as_array() {
            let expected: Vec<f64> = expected.iter().filter_map(number).collect();
            compare_numbers(what, &expected, &got, TRAJECTORY)?;
        }
    }
    Ok(())
}

fn trained(file: &Value, case: &Value) -> Result<(), Stop> {
    let name = file["name"].as_str().unwrap_or("");
    let problem = &file["problems"][case["problem"].as_str().unwrap_or("")];
    let parameters: Vec<Parameter> = tensors(problem, "initial")
        .into_iter()
        .map(|(name, golden)| Parameter::new(name, golden.tensor()))
        .collect();
    let named: Vec<(String, Parameter)> = parameters.iter().cloned().map(Into::into).collect();
    let made = optimizer(name, &case["options"], &case["param_groups"], &named)?;
    let mut optimizer = match (made, case["error"] == true) {
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err(Stop::failed(Part::Refusal, "invalid options are accepted")),
        (made, false) => made.map_err(failed)?,
    };
    let steps = case["steps"].as_u64().unwrap_or(0) as usize;
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for step in 0..steps {
        if let Some(lr) = case["lrs"].get(step).and_then(number) {
            let groups = optimizer.lrs().len();
            optimizer.set_lrs(&vec![lr; groups]).map_err(failed)?;
        }
        let mut stopped = None;
        let stepped = optimizer.step_with(&mut || {
            let evaluated = gradients(problem, &parameters, step).and_then(|mut gradients| {
                losses.push(gradients.loss());
                norms.push(norm(&gradients));
                clipped(&case["clip"], &mut gradients)?;
                Ok(gradients)
            });
            evaluated.map_err(|stop| {
                stopped = Some(stop);
                Error::Checkpoint { why: String::new() }
            })
        });
        match (stepped, stopped) {
            (_, Some(stop)) => return Err(stop),
            (Err(Error::NoGradient { .. }), None) if problem["type"] == "gradients" => {}
            (stepped, None) => _ = stepped.map_err(failed)?,
        }
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

/// `Ok` if there is no option but those that an adapter reads.
pub fn only(options: &Value, read: &[&str]) -> Result<(), Stop> {
    let mut given = options.as_object().into_iter().flatten();
    match given.find(|(name, value)| !read.contains(&&name[..]) && !value.is_null()) {
        Some((name, _)) => Err(Stop::unsupported(format!("the option {name} is not read"))),
        None => Ok(()),
    }
}

fn clip(file: &Value, case: &Value) -> Result<(), Stop> {
    let given = tensors(case, "inputs");
    let pairs = given.iter().map(|(name, golden)| {
        let tensor = golden.tensor();
        (Parameter::new(name.as_str(), &tensor), tensor)
    });
    let mut gradients = Gradients::new(0.0, pairs.collect());
    let options = &case["options"];
    only(options, &["max_norm", "norm_type", "error_if_nonfinite", "clip_value", "foreach"])?;
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
