//! `lossgraph check --program`: a program in any language that gives value and gradients, asked in
//! lines of JSON. docs/protocol.md describes them.

mod draw;
mod host;
mod process;
mod tensor;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use lossgraph_check::{Answer, BlackBox, Evaluation, Products};
use lossgraph_tensor::Tensor;
use serde_json::{Map, Value, json};

pub use draw::{Input, draw, read};
pub use host::Host;
pub use process::Limits;
use process::{Process, excerpt};
use tensor::Encoding;

/// The version of the protocol.
const VERSION: u64 = 1;

/// A program that speaks the protocol.
pub struct Program {
    command: String,
    names: Vec<String>,
    encoding: Encoding,
    keeps: bool,
    points: bool,
    values: bool,
    products: bool,
    conversation: Mutex<Conversation>,
}

struct Conversation {
    process: Process,
    asked: u64,
    /// The inputs that were sent last.
    kept: Vec<Tensor>,
    /// Why the program gives no answers any more.
    ended: Option<String>,
}

impl Program {
    /// Starts a program, and waits for its greeting. Its inputs are sent by these names.
    pub fn start(command: &str, names: Vec<String>, limits: Limits) -> Result<Program, String> {
        let mut process = Process::start(command, limits)?;
        let line = process.greeting()?;
        let greeting = tensor::parse(&line).ok();
        let version = greeting.as_ref().and_then(|greeting| greeting.get("lossgraph"));
        let features = match (&greeting, version.map(Value::as_u64)) {
            (Some(greeting), Some(Some(VERSION))) => greeting.get("features").cloned(),
            (_, Some(version)) => {
                let version = version.map_or("none".to_owned(), |version| version.to_string());
                return Err(process.told(&format!(
                    "it speaks version {version} of the protocol, expected {VERSION}"
                )));
            }
            _ => {
                return Err(process.told(&format!(
                    "it did not greet: its first line is `{}`, expected {{\"lossgraph\": {VERSION}}} \
                     (docs/protocol.md; `lossgraph check --host torch` prints a program that does)",
                    excerpt(&line)
                )));
            }
        };
        let features = features.unwrap_or(Value::Null);
        let has = |name: &str| {
            features.as_array().is_some_and(|all| all.iter().any(|feature| feature == name))
        };
        Ok(Program {
            command: command.to_owned(),
            names,
            encoding: if has("base64") { Encoding::Base64 } else { Encoding::Numbers },
            keeps: has("kept"),
            points: has("points"),
            values: has("values"),
            products: has("products"),
            conversation: Mutex::new(Conversation {
                process,
                asked: 0,
                kept: Vec::new(),
                ended: None,
            }),
        })
    }

    fn tensor(&self, x: &Tensor) -> Value {
        tensor::to_json(x, self.encoding)
    }

    /// Asks, and reads from the answer to that.
    fn ask<T>(
        &self,
        request: &str,
        inputs: &[Tensor],
        more: Value,
        read: impl Fn(&Map<String, Value>) -> Result<T, String>,
    ) -> Answer<T> {
        let mut conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &conversation.ended {
            return Err(why.clone().into());
        }
        conversation.asked += 1;
        let id = conversation.asked;
        let named = |(i, x): (usize, &Tensor)| {
            let mut sent = self.tensor(x);
            if let Some(name) = self.names.get(i) {
                sent["name"] = name.as_str().into();
            }
            sent
        };
        let elements = inputs.iter().map(Tensor::len).sum();
        let mut question = json!({ "id": id, "request": request });
        if !(self.keeps && same(inputs, &conversation.kept)) {
            question["inputs"] = inputs.iter().enumerate().map(named).collect();
            conversation.kept = inputs.to_vec();
        }
        if let (Value::Object(question), Value::Object(more)) = (&mut question, more) {
            question.extend(more);
        }
        conversation.process.ask(question.to_string(), elements);
        let line = match conversation.process.answer() {
            Ok(line) => line,
            Err(why) => {
                conversation.ended = Some(why.clone());
                return Err(why.into());
            }
        };
        let told = |why: String| conversation.process.told(&why);
        let answer = tensor::parse(&line).ok();
        let Some(Value::Object(answer)) = answer else {
            return Err(told(format!(
                "it printed `{}` instead of an answer: what a loss prints belongs to standard error",
                excerpt(&line)
            ))
            .into());
        };
        if answer.get("id").and_then(Value::as_u64) != Some(id) {
            let given = answer.get("id").map_or("no id".to_owned(), |id| format!("id {id}"));
            return Err(told(format!("it answered with {given} to the request {id}")).into());
        }
        if let Some(error) = answer.get("error") {
            let message = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Err(told(format!("it failed: {}", message.trim_end())).into());
        }
        read(&answer)
            .map_err(|why| told(format!("{why}, in its answer `{}`", excerpt(&line))).into())
    }
}

/// Whether two lists of inputs are the same, bit by bit.
fn same(inputs: &[Tensor], others: &[Tensor]) -> bool {
    let bits = |x: &Tensor| x.to_f64s().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let alike = |(a, b): (&Tensor, &Tensor)| match a.dtype().is_float() {
        true => a.shape() == b.shape() && a.dtype() == b.dtype() && bits(a) == bits(b),
        // Those of integers are never moved, but a smaller case may have others.
        false => a.shape() == b.shape() && a.to_vec::<i64>().ok() == b.to_vec::<i64>().ok(),
    };
    inputs.len() == others.len() && inputs.iter().zip(others).all(alike)
}

/// A field that an answer has to have.
fn field<'a>(answer: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    answer.get(name).ok_or(format!("there is no `{name}`"))
}

fn float(value: &Value) -> Result<f64, String> {
    tensor::to_float(value).ok_or(format!("the value is {value}, expected a number"))
}

/// Gradients by position; `null` for an input that has none.
fn gradients(value: &Value, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, String> {
    let all = value.as_array().ok_or("`gradients` is no list")?;
    let gradient = |(i, value): (usize, &Value)| match value {
        Value::Null => Ok(None),
        value => {
            let like = inputs.get(i).map(|x| x.shape().to_vec());
            let read = tensor::shaped(value, like.as_deref()).map(Some);
            read.map_err(|why| format!("the gradient of input {i}: {why}"))
        }
    };
    all.iter().enumerate().map(gradient).collect()
}

impl BlackBox for Program {
    fn evaluate(&self, inputs: &[Tensor]) -> Answer<Evaluation> {
        self.ask("evaluate", inputs, Value::Null, |answer| {
            Ok(Evaluation {
                value: float(field(answer, "value")?)?,
                gradients: gradients(field(answer, "gradients")?, inputs)?,
            })
        })
    }

    fn values(
        &self,
        inputs: &[Tensor],
        steps: &[Option<Tensor>],
        multiples: &[f64],
    ) -> Answer<Vec<f64>> {
        let step = |step: &Option<Tensor>| step.as_ref().map(|step| self.tensor(step));
        let moving: Vec<usize> = (0..steps.len()).filter(|&i| steps[i].is_some()).collect();
        let (request, line) = match moving[..] {
            _ if self.points => {
                let steps: Vec<Option<Value>> = steps.iter().map(step).collect();
                ("points", json!({ "steps": steps, "multiples": multiples }))
            }
            [one] if self.values => (
                "values",
                json!({ "move": one, "step": step(&steps[one]), "multiples": multiples }),
            ),
            _ => return lossgraph_check::each_value(self, inputs, steps, multiples),
        };
        self.ask(request, inputs, line, |answer| {
            let values = field(answer, "values")?.as_array().ok_or("`values` is no list")?;
            values.iter().map(float).collect()
        })
    }

    fn products(&self, inputs: &[Tensor], which: usize, direction: &Tensor) -> Answer<Products> {
        if !self.products {
            return Ok(Products::ByDifferences);
        }
        let line = json!({ "move": which, "direction": self.tensor(direction) });
        self.ask("products", inputs, line, |answer| match answer.get("missing") {
            Some(Value::String(why)) => Ok(Products::Missing(why.clone())),
            _ => Ok(Products::Gradients(gradients(field(answer, "gradients")?, inputs)?)),
        })
    }

    fn test(&self, case: &[(String, Tensor)]) -> Option<String> {
        let inputs: Map<String, Value> = case
            .iter()
            .map(|(name, x)| (name.clone(), tensor::to_json(x, Encoding::Numbers)))
            .collect();
        Some(format!(
            "cat > smallest.json <<'EOF'\n{}\nEOF\nlossgraph check --program {} --inputs smallest.json\n",
            Value::Object(inputs),
            quoted(&self.command)
        ))
    }
}

/// A command in quotes, as a shell reads them.
fn quoted(command: &str) -> String {
    match command.contains(['"', '$', '`', '\\', '!']) {
        true => format!("'{}'", command.replace('\'', r"'\''")),
        false => format!("\"{command}\""),
    }
}

/// The inputs of a check: from a file, or drawn.
pub fn inputs(file: Option<&Path>, drawn: Option<&str>, seed: u64) -> Result<Vec<Input>, String> {
    match (file, drawn) {
        (Some(file), _) => read(file),
        (_, Some(text)) => draw(text, seed),
        _ => Err(
            "--program needs inputs: a file by --inputs, or shapes by --draw \"logits: [8, 10], \
                  labels: 8 of 0..10\""
                .to_owned(),
        ),
    }
}
