//! Gradient descent on the inputs of a loss.

use lossgraph_autograd::{Parameter, Tape};
use lossgraph_losses::Domain;
use lossgraph_nn::optimizer::{Adagrad, Optimize, RmsProp};
use lossgraph_nn::{Adam, Sgd, UpdateRule};
use lossgraph_tensor::Tensor;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::inputs::{Inputs, json_of};
use crate::request::{message, refusal};
use crate::subject::{Subject, Takes};

/// The most steps of a request: the page asks again for more.
const MOST_STEPS: u64 = 1000;

/// How many times as large as at the start a loss or an input is that diverges.
const MUCH: f64 = 1e6;

/// Starts an optimizer with a rate.
type Start = fn(f64, &[Parameter]) -> Result<Box<dyn Optimize>>;

/// An optimizer that a page offers.
pub struct Choice {
    pub name: &'static str,
    start: Start,
}

pub const OPTIMIZERS: [Choice; 5] = [
    Choice { name: "sgd", start: |lr, p| start(Sgd { lr, ..Sgd::default() }, p) },
    Choice {
        name: "momentum 0.9",
        start: |lr, p| start(Sgd { lr, momentum: 0.9, ..Sgd::default() }, p),
    },
    Choice { name: "adam", start: |lr, p| start(Adam { lr, ..Adam::default() }, p) },
    Choice { name: "rmsprop", start: |lr, p| start(RmsProp { lr, ..RmsProp::default() }, p) },
    Choice { name: "adagrad", start: |lr, p| start(Adagrad { lr, ..Adagrad::default() }, p) },
];

fn start<R: UpdateRule + 'static>(rule: R, parameters: &[Parameter]) -> Result<Box<dyn Optimize>> {
    Ok(Box::new(rule.over_parameters(parameters.iter().cloned())?))
}

/// How to descend.
pub struct Descent {
    optimizer: String,
    rate: f64,
    steps: u64,
    /// The inputs that move; the others are constants.
    moves: Vec<String>,
}

impl Descent {
    pub fn read(request: &Map<String, Value>) -> Result<Descent> {
        let get = |key: &str| request.get(key);
        let optimizer = get("optimizer").and_then(Value::as_str).ok_or("`optimizer` is a name")?;
        let rate = match get("rate").and_then(Value::as_f64) {
            Some(0.0) => Err("at a rate of 0 nothing moves: the rate is a number above 0"),
            rate => {
                rate.filter(|rate| *rate > 0.0).ok_or("the rate is a number above 0, such as 0.1")
            }
        }?;
        let steps = get("steps").and_then(Value::as_u64).ok_or("`steps` is a whole number")?;
        let moves = get("moves").and_then(Value::as_array).ok_or("`moves` is a list of inputs")?;
        let moves = moves.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let optimizer = optimizer.to_owned();
        Ok(Descent { optimizer, rate, steps: steps.min(MOST_STEPS), moves })
    }
}

/// The inputs and the loss at the start and after each step, a sentence if it ended early, and one for
/// each input that is kept in its domain.
///
/// Along a slope, log-probabilities soon are none, and a loss of them gets below all that it could have:
/// so each step ends at the distribution that it leads to.
pub fn descend(subject: &Subject, inputs: &Inputs, descent: &Descent) -> Result<Value> {
    let row = OPTIMIZERS.iter().find(|each| each.name == descent.optimizer).ok_or_else(|| {
        let known = OPTIMIZERS.map(|each| each.name).join(", ");
        format!("there is no optimizer `{}`; expected one of {known}", descent.optimizer)
    })?;
    let takes = subject.takes();
    let moves = |takes: &Takes| takes.is_variable && descent.moves.iter().any(|m| m == takes.name);
    let mut parameters = Vec::new();
    for takes in &takes {
        let tensor = inputs.of(subject.name(), takes)?;
        parameters.push((takes, Parameter::new(takes.name, tensor)));
    }
    let moving: Vec<Parameter> = parameters
        .iter()
        .filter(|(takes, _)| moves(takes))
        .map(|(_, parameter)| parameter.clone())
        .collect();
    if moving.is_empty() {
        return Err("no input moves: choose one that has a gradient".into());
    }
    let kept: Vec<String> = takes.iter().filter(|takes| moves(takes)).filter_map(keeping).collect();
    let began: Vec<f64> = moving.iter().map(size).collect();
    let mut optimizer = (row.start)(descent.rate, &moving)?;
    let (mut losses, mut path, mut ended) = (Vec::new(), Vec::new(), None);
    for step in 0..=descent.steps {
        let now: Vec<(&str, Tensor)> =
            parameters.iter().map(|(takes, parameter)| (takes.name, parameter.value())).collect();
        let far = moving.iter().zip(&began).find_map(|(parameter, began)| {
            let now = size(parameter);
            (now > MUCH * began.max(1.0)).then(|| {
                let after = steps(step);
                let name = parameter.name();
                format!("diverges: after {after} {name} holds {now:.3e}; a smaller rate may help")
            })
        });
        let tape = Tape::f64();
        let vars = parameters.iter().map(|(takes, parameter)| match moves(takes) {
            true => tape.parameter(parameter),
            false => tape.constant(parameter.value()),
        });
        let loss = subject.mean_of(&tape, &vars.collect::<Vec<_>>());
        let gradients = match loss.backward() {
            Ok(gradients) => gradients,
            Err(_) if step == 0 => {
                return Err("nothing moves: no gradient flows to what is chosen".into());
            }
            Err(error) => {
                let why = refusal(&error);
                ended = Some(far.unwrap_or_else(|| {
                    format!(
                        "stops after {}: the next step is not taken, and a smaller rate may help\n{why}",
                        steps(step - 1)
                    )
                }));
                break;
            }
        };
        let value = gradients.loss();
        losses.push(value);
        path.push(json_of(&now));
        let first = losses[0];
        if !value.is_finite() {
            ended = Some(match step {
                0 => format!("the loss is {value}, and has no slope to go down"),
                _ => format!("diverged: the loss is {value} after {}", steps(step)),
            });
            break;
        }
        if far.is_some() {
            ended = far;
            break;
        }
        if value - first > MUCH * first.abs().max(1.0) {
            ended = Some(format!(
                "diverges: after {} the loss is {value:.3e}, and it began at {first:.3e}; a smaller rate \
                 may help",
                steps(step)
            ));
            break;
        }
        if step == descent.steps {
            break;
        }
        let is_flat = |parameter: &Parameter| {
            gradients
                .get(parameter)
                .is_none_or(|slopes| slopes.iter_f64().all(|slope| slope == 0.0))
        };
        if step == 0 && moving.iter().all(is_flat) {
            ended = Some("nothing moves: every gradient is 0 at these numbers".to_owned());
            break;
        }
        if let Err(error) = optimizer.step_with(&mut || Ok(gradients.clone())) {
            ended = Some(format!("diverges after {}: {}", steps(step), message(&error)));
            break;
        }
        for (takes, parameter) in parameters.iter().filter(|(takes, _)| moves(takes)) {
            if let Some(normalized) = takes.domain.normalized(tape.constant(parameter.value())) {
                parameter.set(normalized.value()?)?;
            }
        }
    }
    if let [first, .., last] = losses[..]
        && ended.is_none()
        && last >= first
    {
        let after = steps(descent.steps);
        ended = Some(format!(
            "no lower: after {after} the loss is {last:.4}, and it began at {first:.4}; a smaller rate may \
             help"
        ));
    }
    let losses: Vec<Value> = losses.into_iter().map(crate::inputs::exact).collect();
    Ok(json!({ "losses": losses, "inputs": path, "ended": ended, "kept": kept }))
}

/// The largest finite number of a parameter, without its sign.
fn size(parameter: &Parameter) -> f64 {
    let numbers = parameter.value().to_f64s();
    numbers.into_iter().map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

/// What a reader is told of an input that is kept in its domain.
fn keeping(takes: &Takes) -> Option<String> {
    let how = match takes.domain {
        Domain::LogProbabilities => "its log_softmax",
        Domain::Probabilities => "the nearest distribution",
        _ => return None,
    };
    Some(format!("{} stays {}: after each step, it is {how}", takes.name, takes.domain))
}

/// So many steps, in words.
fn steps(count: u64) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descended(optimizer: &str, rate: f64, steps: u64) -> Value {
        let subject = Subject::new("mse", "").unwrap();
        let inputs = crate::parse(r#"{"prediction": [4, -2], "target": [1, 1]}"#).unwrap();
        let moves = vec!["prediction".to_owned()];
        let descent = Descent { optimizer: optimizer.to_owned(), rate, steps, moves };
        descend(&subject, &inputs, &descent).unwrap()
    }

    #[test]
    fn a_step_of_gradient_descent_goes_down_the_slope() {
        let found = descended("sgd", 0.5, 1);
        // The slopes are 2 (4 − 1) / 2 and 2 (−2 − 1) / 2; the target stays.
        assert_eq!(found["inputs"][1]["prediction"], json!([2.5, -0.5]));
        assert_eq!(found["inputs"][1]["target"], json!([1.0, 1.0]));
        assert_eq!(found["losses"], json!([9.0, 2.25]));
        assert_eq!(found["ended"], Value::Null);
    }

    #[test]
    fn every_optimizer_gets_lower() {
        for each in OPTIMIZERS {
            let losses = descended(each.name, 0.1, 50)["losses"].clone();
            assert!(losses[50].as_f64() < losses[0].as_f64(), "{}: {losses}", each.name);
        }
    }

    #[test]
    fn what_is_a_distribution_stays_one() {
        let mut count = 0;
        for case in lossgraph_losses::ALL
            .iter()
            .flat_map(|loss| lossgraph_losses::Case::grid(loss, 0).unwrap())
        {
            let (loss, setting) = (case.loss.name, case.setting.clone());
            let subject = Subject::Loss(case);
            for takes in subject.takes().into_iter().filter(|takes| takes.is_variable) {
                let mass: fn(f64) -> f64 = match takes.domain {
                    Domain::Probabilities => |p| p,
                    Domain::LogProbabilities => f64::exp,
                    _ => continue,
                };
                let (optimizer, moves) = ("sgd".to_owned(), vec![takes.name.to_owned()]);
                let descent = Descent { optimizer, rate: 0.5, steps: 100, moves };
                // Not all settings have a gradient in all of them.
                let Ok(found) = descend(&subject, &Inputs::default(), &descent) else { continue };
                let told = format!("{loss} {setting} {}: {}", takes.name, found["ended"]);
                let kept = found["kept"][0].as_str().unwrap();
                assert!(kept.starts_with(&format!("{} stays ", takes.name)), "{told}: {kept}");
                for inputs in found["inputs"].as_array().unwrap() {
                    let text = json!({ takes.name: inputs[takes.name] }).to_string();
                    let now = crate::parse(&text).unwrap().of(loss, &takes).unwrap();
                    let classes = now.shape()[now.rank() - 1];
                    for row in now.to_f64s().chunks(classes) {
                        assert!(row.iter().all(|&x| mass(x) >= 0.0), "{told}: {row:?}");
                        let sum: f64 = row.iter().map(|&x| mass(x)).sum();
                        assert!((sum - 1.0).abs() < 1e-12, "{told}: {row:?}");
                    }
                }
                count += 1;
            }
        }
        assert!(count > 5, "{count}");
    }

    #[test]
    fn a_loss_of_log_probabilities_gets_no_lower_than_0() {
        let subject = Subject::new("ctc", "").unwrap();
        for rate in [0.5, 1e3, 1e300] {
            let (optimizer, moves) = ("sgd".to_owned(), vec!["log_p".to_owned()]);
            let descent = Descent { optimizer, rate, steps: 100, moves };
            let found = descend(&subject, &Inputs::default(), &descent).unwrap();
            let losses = found["losses"].as_array().unwrap();
            assert!(losses.iter().all(|loss| loss.as_f64() >= Some(-1e-12)), "{rate}: {found}");
        }
    }

    #[test]
    fn a_rate_that_is_none_says_what_one_is() {
        let subject = Subject::new("mse", "").unwrap();
        for (rate, told) in [
            (json!(0), "at a rate of 0 nothing moves: the rate is a number above 0"),
            (json!(-1), "the rate is a number above 0, such as 0.1"),
            (json!("Infinity"), "the rate is a number above 0, such as 0.1"),
            (json!("NaN"), "the rate is a number above 0, such as 0.1"),
        ] {
            let request =
                json!({ "optimizer": "sgd", "rate": rate, "steps": 1, "moves": ["prediction"] });
            let error = Descent::read(request.as_object().unwrap()).err().unwrap().to_string();
            assert_eq!(error, told);
        }
        assert!(subject.takes().len() == 2);
    }

    #[test]
    fn a_step_that_a_loss_refuses_is_not_taken() {
        let subject = Subject::new("giou", "").unwrap();
        let (optimizer, moves) = ("sgd".to_owned(), vec!["prediction".to_owned()]);
        let descent = Descent { optimizer, rate: 1000.0, steps: 5, moves };
        let found = descend(&subject, &Inputs::default(), &descent).unwrap();
        let told = found["ended"].as_str().unwrap();
        let why = "stops after 0 steps: the next step is not taken, and a smaller rate may help\n\
                   giou: prediction holds the box [";
        assert!(told.starts_with(why) && !told.contains('%'), "{told}");
        assert_eq!(found["losses"].as_array().unwrap().len(), 1);
        assert_eq!(found["inputs"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_huge_rate_diverges_in_every_loss_whose_inputs_can() {
        for loss in lossgraph_losses::ALL {
            let subject = Subject::of(loss).unwrap();
            let moves = subject.takes().into_iter().find(|takes| takes.is_variable).unwrap();
            let optimizer = "sgd".to_owned();
            let descent =
                Descent { optimizer, rate: 1e300, steps: 5, moves: vec![moves.name.to_owned()] };
            let found = descend(&subject, &Inputs::default(), &descent).unwrap();
            let told = found["ended"].as_str().unwrap_or_default();
            let is_kept = moves.domain == Domain::Probabilities;
            assert!(told.starts_with("diverge") != is_kept, "{}: {told}", loss.name);
        }
    }

    #[test]
    fn every_loss_gets_lower_at_once_or_says_why_not() {
        for loss in lossgraph_losses::ALL {
            let subject = Subject::of(loss).unwrap();
            let moves = subject.takes().into_iter().find(|takes| takes.is_variable).unwrap();
            let (optimizer, moves) = ("sgd".to_owned(), vec![moves.name.to_owned()]);
            let descent = Descent { optimizer, rate: 0.5, steps: 5, moves };
            let found = descend(&subject, &Inputs::default(), &descent).unwrap();
            let losses = found["losses"].as_array().unwrap();
            let [first, last] = [&losses[0], &losses[losses.len() - 1]].map(Value::as_f64);
            assert!(last < first || found["ended"].is_string(), "{}: {found}", loss.name);
        }
    }

    #[test]
    fn a_loss_that_is_flat_or_gets_no_lower_says_so() {
        let ended = |prediction: &str, rate: f64| {
            let subject = Subject::new("mse", "").unwrap();
            let inputs = format!(r#"{{"prediction": {prediction}, "target": [1, 1]}}"#);
            let inputs = crate::parse(&inputs).unwrap();
            let (optimizer, moves) = ("sgd".to_owned(), vec!["prediction".to_owned()]);
            let descent = Descent { optimizer, rate, steps: 4, moves };
            let found = descend(&subject, &inputs, &descent).unwrap();
            found["ended"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(ended("[1, 1]", 0.5), "nothing moves: every gradient is 0 at these numbers");
        // From one side to the other, as far away.
        assert!(ended("[3, 1]", 2.0).starts_with("no lower: after 4 steps"));
        assert_eq!(ended("[3, 1]", 0.5), "");
    }

    #[test]
    fn one_step_is_no_steps() {
        let ended = descended("sgd", 1e200, 5)["ended"].as_str().unwrap().to_owned();
        assert!(ended.ends_with("after 1 step"), "{ended}");
    }

    #[test]
    fn divergence_is_named() {
        let found = descended("sgd", 5.0, 100);
        let told = found["ended"].as_str().unwrap();
        assert!(told.starts_with("diverges: after "), "{told}");
        assert!(found["losses"].as_array().unwrap().len() < 100);
    }
}
