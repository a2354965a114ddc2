//! Requests and replies, as JSON.

use std::error::Error;

use lossgraph_autograd::Tape;
use lossgraph_explain::{Engine, Opened, Step, View};
use serde_json::{Map, Value, json};

use crate::descent::{Descent, descend};
use crate::inputs::{Inputs, json_of};
use crate::landscape::surface;
use crate::subject::Subject;
use crate::{Result, controls};

/// The reply to a request; see the crate. What is wrong with one is its reply.
pub fn answer(request: &str) -> String {
    let reply = serde_json::from_str(request).map_err(Into::into).and_then(|it| reply(&it));
    reply.unwrap_or_else(|error| json!({ "error": message(&*error) }).to_string())
}

/// The message of an error, without the lines that recorded a loss and the numbers of nodes: they are
/// those of this crate.
pub(crate) fn message(error: &(dyn Error + 'static)) -> String {
    use lossgraph_nn::Error::Program;
    match (error.downcast_ref(), error.downcast_ref::<lossgraph_autograd::Error>()) {
        (_, Some(fault)) | (Some(Program(fault)), _) => refusal(fault),
        _ => error.to_string(),
    }
}

/// Why a loss refuses its inputs: of two operands or more, with their shapes.
pub(crate) fn refusal(fault: &lossgraph_autograd::Error) -> String {
    let text = fault.without_locations();
    let node = |line: &str| line.starts_with("    ").then(|| line.find("   %")).flatten();
    let operands = text.lines().filter(|line| node(line).is_some()).count();
    let lines = text.lines().filter(|line| operands > 1 || node(line).is_none());
    let lines = lines.map(|line| &line[..node(line).unwrap_or(line.len())]);
    lines.collect::<Vec<_>>().join("\n")
}

fn reply(request: &Value) -> Result<String> {
    let object = request.as_object().ok_or("a request is an object")?;
    if let Some(case) = object.get("page") {
        return page(case, object);
    }
    if let Some(case) = object.get("check") {
        let node = request["node"].as_u64().ok_or("`node` is the number of one")?;
        let (subject, inputs) = self::case(case)?;
        let tape = Tape::f64();
        let (_, page) = subject.page(&tape, &inputs)?;
        let check = page.check(usize::try_from(node)?)?;
        return Ok(json!({ "check": check }).to_string());
    }
    if let Some(case) = object.get("rest") {
        let checks = request["checks"].as_array().ok_or("`checks` is a list of them")?;
        let (subject, inputs) = self::case(case)?;
        let tape = Tape::f64();
        let (_, page) = subject.page(&tape, &inputs)?;
        return Ok(serde_json::to_string(&page.rest(checks)?)?);
    }
    if let Some(case) = object.get("draw") {
        let seed = request["seed"].as_u64().ok_or("`seed` is a whole number from 0 on")?;
        let subject = subject(case)?;
        return Ok(json!({ "inputs": json_of(&subject.drawn(seed)?) }).to_string());
    }
    if let Some(case) = object.get("descend") {
        let (subject, inputs) = self::case(case)?;
        return Ok(descend(&subject, &inputs, &Descent::read(object)?)?.to_string());
    }
    if let Some(case) = object.get("surface") {
        let (subject, inputs) = self::case(case)?;
        let ends = [element(&request["across"])?, element(&request["up"])?];
        return Ok(surface(&subject, &inputs, ends)?.to_string());
    }
    Err("a request asks for `page`, `check`, `rest`, `draw`, `descend` or `surface`".into())
}

/// The data of a page: with the curves of all elements or of some, the arithmetic of all steps or of
/// some, and all or what it shows.
fn page(case: &Value, request: &Map<String, Value>) -> Result<String> {
    let (subject, inputs) = self::case(case)?;
    let tape = Tape::f64();
    let (vars, page) = subject.page(&tape, &inputs)?;
    let page = page.live(Engine::Carried(&[]), controls(&subject, &inputs)?);
    let page = match request.get("curves") {
        None => page,
        Some(Value::Array(wanted)) => {
            let mut elements = Vec::new();
            for each in wanted {
                let (name, at) = element(each)?;
                let var = vars.iter().find(|(each, _)| *each == name);
                elements.push((var.ok_or_else(|| no_input(&name))?.1, at));
            }
            page.curves(elements)
        }
        Some(_) => return Err("`curves` is a list of elements".into()),
    };
    let page = match request.get("steps") {
        None => page,
        Some(Value::Array(steps)) => {
            page.steps(steps.iter().map(step).collect::<Result<Vec<_>>>()?)
        }
        Some(_) => return Err("`steps` is a list of steps".into()),
    };
    let page = match request.get("shows") {
        None => page,
        Some(shows) => {
            let (view, opened) = shown(shows)?;
            page.sketch(view, opened)
        }
    };
    Ok(serde_json::to_string(&page.data()?)?)
}

/// What a page shows, `["ops", "all"]`: a view, and a group by its number or all of them; of `null`,
/// the outermost level of the teaching view.
fn shown(shows: &Value) -> Result<(View, Opened)> {
    let view = match &shows[0] {
        Value::Null => View::Teaching,
        view if view == "teaching" => View::Teaching,
        view if view == "ops" => View::EveryOp,
        view => return Err(format!("a page shows `teaching` or `ops`, not {view}").into()),
    };
    let opened = match (&shows[1], shows[1].as_u64()) {
        (Value::Null, _) => Opened::Top,
        (_, Some(group)) => Opened::Group(usize::try_from(group)?),
        (opened, _) if opened == "all" => Opened::All,
        (opened, _) => {
            return Err(format!("a group that is opened is a number or `all`, not {opened}").into());
        }
    };
    Ok((view, opened))
}

/// A step, `[3]` or `[3, 0]`: a node, or a node with the input that its gradient flows back to.
fn step(step: &Value) -> Result<Step> {
    let number = |at: usize| step[at].as_u64().and_then(|it| usize::try_from(it).ok());
    match (step.as_array().map_or(0, Vec::len), number(0), number(1)) {
        (1, Some(node), _) => Ok(Step::Forward(node)),
        (2, Some(node), Some(slot)) => Ok(Step::Backward(node, slot)),
        _ => Err(format!("a step is [node] or [node, input], not {step}").into()),
    }
}

fn no_input(name: &str) -> String {
    format!("there is no input `{name}`")
}

fn subject(case: &Value) -> Result<Subject> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    Subject::new(text("loss"), text("setting"))
}

/// A loss in a setting, with its inputs.
fn case(case: &Value) -> Result<(Subject, Inputs)> {
    let subject = subject(case)?;
    let given = case["inputs"].as_object().cloned().unwrap_or_else(Map::new);
    // An option that was just switched on has no numbers yet.
    Ok((subject, Inputs::of_some(given)?))
}

/// An element of an input, `["logits", 3]`.
fn element(value: &Value) -> Result<(String, usize)> {
    let parts = value[0].as_str().zip(value[1].as_u64());
    let (name, at) = parts.ok_or("an element is an input with a number, [\"logits\", 3]")?;
    Ok((name.to_owned(), usize::try_from(at)?))
}

#[cfg(test)]
mod tests {
    use lossgraph_losses::Domain;

    use super::*;

    fn asked(request: Value) -> Value {
        serde_json::from_str(&answer(&request.to_string())).unwrap()
    }

    fn huber(setting: &str) -> Value {
        let inputs = json!({ "prediction": [0.5, 4.0], "target": [0, 0] });
        json!({ "loss": "huber", "setting": setting, "inputs": inputs })
    }

    #[test]
    fn a_page_follows_its_inputs_and_its_options() {
        let loss = |setting: &str| {
            let data = asked(json!({ "page": huber(setting) }));
            data["nodes"].as_array().unwrap().last().unwrap()["value"]["numbers"][0].clone()
        };
        assert_eq!(loss("delta=1"), (0.125 + 3.5) / 2.0);
        assert_eq!(loss("delta=2"), (0.125 + 6.0) / 2.0);
    }

    #[test]
    fn a_sketch_has_the_curves_that_are_wanted_and_no_checks() {
        let data =
            asked(json!({ "page": huber(""), "curves": [["prediction", 1]], "shows": null }));
        let curves = data["inputs"][0]["curves"].as_array().unwrap();
        assert!(curves[0].is_null() && curves[1]["current"][0] == 4.0);
        assert!(data["checked"].is_null());
        assert!(data["nodes"].as_array().unwrap().iter().all(|node| node["check"].is_null()));
    }

    #[test]
    fn checks_one_by_one_are_those_of_the_page() {
        let whole = asked(json!({ "page": huber("") }));
        let nodes = whole["nodes"].as_array().unwrap();
        let check = |node| asked(json!({ "check": huber(""), "node": node }))["check"].clone();
        let checks: Vec<Value> = (0..nodes.len()).map(check).collect();
        for (node, check) in nodes.iter().zip(&checks) {
            assert_eq!(node["check"], *check);
        }
        assert!(checks.iter().any(|check| check["verdict"] == "agree"));
        let rest = asked(json!({ "rest": huber(""), "checks": checks }));
        assert_eq!((&rest["checked"], &rest["listing"]), (&whole["checked"], &whole["listing"]));
        // Of a node that there is not, nothing is said.
        assert_eq!(check(99), Value::Null);
    }

    #[test]
    fn a_sketch_lays_out_what_is_seen() {
        let shown = |shows: Value| {
            asked(json!({ "page": huber(""), "curves": [], "shows": shows }))["views"].clone()
        };
        let teaching = shown(Value::Null);
        assert!(teaching["ops"].is_null() && teaching["teaching"]["top"].is_object());
        assert!(teaching["teaching"]["all"].is_null());
        let whole = asked(json!({ "page": huber("") }))["views"].clone();
        assert_eq!(shown(json!(["ops", "all"]))["ops"]["all"], whole["ops"]["all"]);
        let inside = shown(json!(["ops", 0]))["ops"]["groups"][0]["level"].clone();
        assert!(inside.is_object());
        assert_eq!(inside, whole["ops"]["groups"][0]["level"]);
        // A group that there is none of is nothing to lay out.
        assert_eq!(shown(json!(["teaching", 99]))["teaching"]["top"], whole["teaching"]["top"]);
    }

    #[test]
    fn a_sketch_writes_out_the_steps_that_are_wanted() {
        let all = asked(json!({ "page": huber("") }))["nodes"].clone();
        let last = all.as_array().unwrap().len() - 1;
        let some = asked(json!({ "page": huber(""), "steps": [[last], [last, 0], [99]] }))["nodes"]
            .clone();
        for (at, (some, all)) in
            some.as_array().unwrap().iter().zip(all.as_array().unwrap()).enumerate()
        {
            let lines = |node: &Value| node["inputs"][0]["flow"]["lines"].clone();
            match at == last {
                true => assert_eq!((&some["forward"], lines(some)), (&all["forward"], lines(all))),
                false => assert!(some["forward"].is_null() && lines(some).is_null()),
            }
        }
    }

    #[test]
    fn what_cannot_be_served_is_an_error() {
        for (request, told) in [
            (json!([]), "a request is an object"),
            (json!({ "page": { "loss": "hubre" } }), "the nearest is `huber`"),
            (json!({ "page": huber("detla=1") }), "perhaps `delta`"),
            (json!({ "page": huber(""), "curves": [["x", 0]] }), "there is no input `x`"),
            (json!({ "page": huber(""), "steps": [[0, 1, 2]] }), "[node] or [node, input]"),
            (json!({ "page": huber(""), "steps": 3 }), "`steps` is a list"),
            (json!({ "page": huber(""), "curves": [], "shows": ["all"] }), "`teaching` or `ops`"),
            (json!({ "page": huber(""), "curves": [], "shows": ["ops", "top"] }), "not \"top\""),
            (json!({ "check": huber("") }), "`node` is the number"),
            (json!({ "rest": huber("") }), "`checks` is a list"),
            (json!({ "draw": huber("") }), "`seed` is a whole number"),
            (json!({ "surface": huber("") }), "an element is"),
        ] {
            let error = asked(request)["error"].as_str().unwrap().to_owned();
            assert!(error.contains(told), "{error}");
        }
        assert!(answer("{").contains("error"));
    }

    #[test]
    fn an_error_calls_inputs_as_the_page_does_and_names_no_line_of_ours() {
        let inputs = json!({ "scores": [[1, 2]], "relevance": [[1, 2, 3]] });
        let case = json!({ "loss": "list_net", "setting": "", "inputs": inputs });
        let error = asked(json!({ "page": case }))["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with("list_net: the shapes differ\n    scores "), "{error}");
        assert!(error.contains("\n    relevance "), "{error}");
        assert!(!error.contains(".rs") && !error.contains("prediction"), "{error}");
        assert!(!error.contains('%'), "{error}");
    }

    #[test]
    fn a_refusal_of_one_input_is_one_sentence() {
        for x in ["Infinity", "-Infinity"] {
            let inputs = json!({ "prediction": [[x, 0, 1, 1]], "target": [[0, 0, 1, 1]] });
            let case = json!({ "loss": "giou", "setting": "", "inputs": inputs });
            let error = asked(json!({ "page": case }))["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with("giou: prediction holds the box ["), "{error}");
            assert!(error.ends_with("y1 ≤ y2"), "{error}");
        }
    }

    #[test]
    fn numbers_that_are_no_distribution_and_padding_are_remarked_on() {
        let told = |loss: &'static str, input: &str, x: Value| {
            let loss = lossgraph_losses::find(loss).unwrap();
            let case = with_first(loss, input, &x);
            let data = asked(json!({ "page": case, "curves": [], "shows": null }));
            // What a loss refuses, it says itself.
            data["error"].as_str().map_or(data["live"]["remarks"][0].clone(), Into::into)
        };
        for loss in lossgraph_losses::ALL {
            let case = json!({ "loss": loss.name, "setting": loss.grid[0], "inputs": {} });
            let data = asked(json!({ "page": case, "curves": [], "shows": null }));
            assert_eq!(data["live"]["remarks"], json!([]), "{}", loss.name);
            for input in loss.inputs.iter().filter(|input| !input.optional) {
                let (x, what) = match input.domain {
                    Domain::Probabilities | Domain::LogProbabilities => (json!(1e308), "along"),
                    _ if input.padded => (json!("-Infinity"), "padding"),
                    _ => continue,
                };
                let said = told(loss.name, input.name, x).as_str().unwrap().to_owned();
                let is_refused = said.starts_with(&format!("{}: {} holds", loss.name, input.name));
                let is_remarked = said.starts_with(input.name) && said.contains(what);
                assert!(is_refused || is_remarked, "{}: {said}", loss.name);
            }
        }
        assert_eq!(
            told("ctc", "log_p", json!(1e308)),
            "log_p does not hold log-probabilities along the last axis: the powers of e to log_p[0, 0] \
             add up to inf, not to 1"
        );
        assert_eq!(
            told("kl_div", "target", json!(-0.5)),
            "target does not hold probabilities along the last axis: target[0, 0] is -0.5"
        );
        assert_eq!(
            told("list_net", "scores", json!("-Infinity")),
            "scores[0, 0] is −∞, which is padding: no list has that item"
        );
    }

    #[test]
    fn a_curve_that_cannot_be_drawn_says_why() {
        let why = |x: Value| {
            let inputs = json!({ "prediction": [x, 1], "target": [0, 0] });
            let case = json!({ "loss": "mse", "setting": "", "inputs": inputs });
            let request = json!({ "page": case, "curves": [["prediction", 0]], "shows": null });
            asked(request)["inputs"][0]["curves"][0]["why"].clone()
        };
        assert_eq!(why(json!(1)), Value::Null);
        for (x, around) in [(json!(1e308), "1e308"), (json!("-Infinity"), "−∞")] {
            assert_eq!(
                why(x),
                format!("No curve: the numbers around {around} are not all finite.")
            );
        }
        let told = "No curve: loss and slope are finite nowhere from −2e200 to 4e200.";
        assert_eq!(why(json!(1e200)), told);
    }

    /// The first element of an input of a case, at its samples, replaced.
    fn with_first(loss: &'static lossgraph_losses::Loss, input: &str, x: &Value) -> Value {
        let case = json!({ "loss": loss.name, "setting": loss.grid[0], "inputs": {} });
        let mut inputs = asked(json!({ "draw": case, "seed": 0 }))["inputs"].clone();
        let mut first = &mut inputs[input];
        while first.is_array() {
            first = &mut first[0];
        }
        *first = x.clone();
        json!({ "loss": loss.name, "setting": loss.grid[0], "inputs": inputs })
    }

    #[test]
    fn a_page_takes_any_number_that_its_loss_takes() {
        for loss in lossgraph_losses::ALL {
            for input in loss.inputs.iter().filter(|each| each.has_gradient() && !each.optional) {
                for x in [json!(1e308), json!("Infinity"), json!("-Infinity"), json!("NaN")] {
                    let case = with_first(loss, input.name, &x);
                    let curves = json!([[input.name, 0]]);
                    let data = asked(json!({ "page": case, "curves": curves, "shows": null }));
                    let told = format!("{} {} {x}: {}", loss.name, input.name, data["error"]);
                    // What the loss itself refuses, it says in its own name.
                    let refusal = data["error"].as_str().unwrap_or(loss.name);
                    assert!(refusal.starts_with(loss.name) && !refusal.contains(".rs"), "{told}");
                    let figure = data["live"]["figure"].to_string();
                    let attributes = figure.split("\\\"").skip(1).step_by(2);
                    for attribute in attributes {
                        let is_number = !attribute.contains("NaN") && !attribute.contains("inf");
                        assert!(is_number, "{told} {attribute}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_teaching_view_of_no_loss_has_a_gradient_into_constants_or_guards_in_a_row() {
        for loss in lossgraph_losses::ALL {
            let case = json!({ "loss": loss.name, "setting": loss.grid[0], "inputs": {} });
            let data = asked(json!({ "page": case, "curves": [], "shows": null }));
            let view = &data["views"]["teaching"];
            let boxes = view["top"]["boxes"].as_array().unwrap();
            for shown in boxes {
                let node = shown["node"].as_u64().map(|at| &data["nodes"][at as usize]);
                let has_gradient = shown["lines"].as_array().unwrap().len() > 1;
                let is_constant = node.is_some_and(|node| node["passive"] == true);
                assert!(!(is_constant && has_gradient), "{}: {shown}", loss.name);
            }
            let is_idle = |shown: &&Value| {
                let group = shown["group"].as_u64();
                group.is_some_and(|group| view["groups"][group as usize]["idle"] == true)
            };
            assert!(boxes.iter().filter(is_idle).count() <= 2, "{}", loss.name);
        }
    }

    #[test]
    fn what_is_drawn_can_be_recorded() {
        let case = huber("weight");
        let drawn = asked(json!({ "draw": case, "seed": 3 }))["inputs"].clone();
        assert_eq!(drawn.as_object().unwrap().len(), 3);
        let data =
            asked(json!({ "page": { "loss": "huber", "setting": "weight", "inputs": drawn } }));
        assert!(data["error"].is_null(), "{data}");
    }
}
