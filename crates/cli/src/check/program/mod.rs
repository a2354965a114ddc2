//! `lossgraph check --program`: a program in any language that gives value and gradients, asked in
//! lines of JSON. docs/protocol.md describes them.

mod draw;
mod group;
mod host;
mod message;
mod process;
mod tensor;
mod waiting;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use lossgraph_check::{Answer, BlackBox, Evaluation, Products};
use lossgraph_tensor::Tensor;
use serde_json::{Map, Value, json};

pub use draw::{Input, draw, read};
pub use host::Host;
use message::{Message, excerpt};
pub use process::Limits;
use process::{Process, Question};
use tensor::{Encoder, Encoding};

/// How inputs become integers or floats.
pub const TYPES: &str =
    "floats are 2.0 in a file, and `of 0.0..10.0` in --draw; integers are 2, and `of 0..10`";

/// The version of the protocol.
const VERSION: u64 = 1;

/// A program that speaks the protocol.
pub struct Program {
    command: String,
    /// The options of the check that a smaller case is to have, too.
    options: String,
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
        let Message { line, fields: greeting, .. } = process.greeting()?;
        let version = greeting.as_ref().and_then(|greeting| greeting.get("lossgraph"));
        let features = match (&greeting, version) {
            (Some(greeting), Some(version)) if version.as_u64() == Some(VERSION) => {
                greeting.get("features").cloned()
            }
            (_, Some(version)) => {
                return Err(process.told(&format!(
                    "it speaks version {version} of the protocol, expected {VERSION}, a number"
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
        let features = match features {
            None => Vec::new(),
            Some(Value::Array(features)) => features,
            Some(other) => {
                return Err(process.told(&format!(
                    "its features are {other}, expected a list: [\"bytes\", \"points\"]"
                )));
            }
        };
        let has = |name: &str| features.iter().any(|feature| feature == name);
        Ok(Program {
            command: command.to_owned(),
            options: String::new(),
            names,
            encoding: match () {
                () if has("bytes") => Encoding::Bytes,
                () if has("base64") => Encoding::Base64,
                () => Encoding::Numbers,
            },
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

    /// With options that the test of a smaller case names.
    pub fn with_options(self, options: String) -> Program {
        Program { options, ..self }
    }

    /// Inputs by their names, in words: `labels: int64 [8]`.
    fn described(&self, inputs: &[Tensor]) -> String {
        let each =
            |(name, x): (&String, &Tensor)| format!("{name}: {} {}", tensor::name(x), x.shape());
        self.names.iter().zip(inputs).map(each).collect::<Vec<_>>().join(", ")
    }

    /// Asks, and reads from the answer to that. `fields` are those of the request beside its inputs.
    fn ask<T>(
        &self,
        request: Request,
        inputs: &[Tensor],
        fields: impl FnOnce(&mut Encoder) -> Value,
        read: impl Fn(&Answered) -> Result<T, String>,
    ) -> Answer<T> {
        let mut conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &conversation.ended {
            return Err(why.clone().into());
        }
        conversation.asked += 1;
        let id = conversation.asked;
        let mut encoder = Encoder::new(self.encoding);
        let mut question = json!({ "id": id, "request": request.name });
        if !(self.keeps && same(inputs, &conversation.kept)) {
            let named = |(i, x): (usize, &Tensor)| {
                let mut sent = encoder.json(x);
                if let Some(name) = self.names.get(i) {
                    sent["name"] = name.as_str().into();
                }
                sent
            };
            question["inputs"] = inputs.iter().enumerate().map(named).collect();
            conversation.kept = inputs.to_vec();
        }
        if let (Value::Object(question), Value::Object(fields)) =
            (&mut question, fields(&mut encoder))
        {
            question.extend(fields);
        }
        if self.encoding == Encoding::Bytes {
            question["bytes"] = encoder.len().into();
        }
        let elements = inputs.iter().map(Tensor::len).sum();
        let question = Question { line: question.to_string(), tensors: encoder };
        conversation.process.ask(question, elements);
        let Message { line, fields, bytes } = match conversation.process.answer(&request.awaited) {
            Ok(message) => message,
            Err(why) => {
                conversation.ended = Some(why.clone());
                return Err(why.into());
            }
        };
        let told = |why: String| conversation.process.told(&why);
        let Some(fields) = fields else {
            let why = match line.starts_with(|c: char| c.is_control()) {
                true => "bytes follow its last answer that no line announces".to_owned(),
                false => format!(
                    "it printed `{}` instead of an answer: what a loss prints belongs to standard error",
                    excerpt(&line)
                ),
            };
            return Err(told(why).into());
        };
        if fields.contains_key("request") {
            return Err(told("it repeats the request instead of answering it".to_owned()).into());
        }
        if fields.get("id").and_then(Value::as_u64) != Some(id) {
            let given = fields.get("id").map_or("no id".to_owned(), |id| format!("id {id}"));
            return Err(told(format!("it answered with {given} to the request {id}")).into());
        }
        if let Some(error) = fields.get("error") {
            let message = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            let why = told(format!("it failed: {}", message.trim_end()));
            // A loss that fails at once may have been given numbers of the wrong type, and says so then.
            let words = ["dtype", "type", "int64", "Long", "Int", "Float", "Double", "integer"];
            let is_of_types = words.iter().any(|word| message.contains(word));
            return Err(match id {
                1 if is_of_types => {
                    format!("{why}\nit was given {}; {TYPES}", self.described(inputs))
                }
                _ => why,
            }
            .into());
        }
        read(&Answered { fields, bytes })
            .map_err(|why| told(format!("{why}, in its answer `{}`", excerpt(&line))).into())
    }
}

/// A request: its name, and what a person is told that it waits for.
struct Request {
    name: &'static str,
    awaited: String,
}

impl Request {
    fn new(name: &'static str, awaited: impl Into<String>) -> Request {
        Request { name, awaited: awaited.into() }
    }
}

/// An answer, with the bytes that follow its line.
struct Answered {
    fields: Map<String, Value>,
    bytes: Vec<u8>,
}

impl Answered {
    /// A field that it has to have.
    fn field(&self, name: &str) -> Result<&Value, String> {
        self.fields.get(name).ok_or(format!("there is no `{name}`"))
    }

    /// Gradients by position; `null` for an input that has none. One in integers, but for zeros, says
    /// that floats were meant.
    fn gradients(&self, inputs: &[Tensor]) -> Result<Vec<Option<Tensor>>, String> {
        let all = self.field("gradients")?.as_array().ok_or("`gradients` is no list")?;
        let gradient = |(i, value): (usize, &Value)| match value {
            Value::Null => Ok(None),
            value => {
                let like = inputs.get(i).map(|x| x.shape().to_vec());
                let read = tensor::shaped(value, like.as_deref(), &self.bytes)
                    .map_err(|why| format!("the gradient of input {i}: {why}"))?;
                let is_float = inputs.get(i).is_none_or(|x| x.dtype().is_float());
                match is_float || read.to_f64s().iter().all(|slope| *slope == 0.0) {
                    true => Ok(Some(read)),
                    false => Err(format!(
                        "input {i} holds integers, and has a gradient all the same: `null`, or floats ({TYPES})"
                    )),
                }
            }
        };
        all.iter().enumerate().map(gradient).collect()
    }
}

/// Whether two lists of inputs are the same, bit by bit.
fn same(inputs: &[Tensor], others: &[Tensor]) -> bool {
    inputs.len() == others.len() && inputs.iter().zip(others).all(|(a, b)| alike(a, b))
}

/// Whether two inputs are the same, bit by bit. Those of integers are never moved, but a smaller case
/// may have others.
fn alike(a: &Tensor, b: &Tensor) -> bool {
    let (x, y) = (a.contiguous(), b.contiguous());
    let is_equal = match (x.as_slice::<f64>(), y.as_slice::<f64>()) {
        (Some(x), Some(y)) => x.iter().zip(y).all(|(x, y)| x.to_bits() == y.to_bits()),
        _ => x.as_slice::<i64>().is_some() && x.as_slice::<i64>() == y.as_slice::<i64>(),
    };
    a.shape() == b.shape() && is_equal
}

fn float(value: &Value) -> Result<f64, String> {
    tensor::to_float(value).ok_or(format!("the value is {value}, expected a number"))
}

impl BlackBox for Program {
    fn evaluate(&self, inputs: &[Tensor]) -> Answer<Evaluation> {
        let request = Request::new("evaluate", "the value and its gradients");
        self.ask(
            request,
            inputs,
            |_| Value::Null,
            |answer| {
                Ok(Evaluation {
                    value: float(answer.field("value")?)?,
                    gradients: answer.gradients(inputs)?,
                })
            },
        )
    }

    fn values(
        &self,
        inputs: &[Tensor],
        steps: &[Option<Tensor>],
        multiples: &[f64],
    ) -> Answer<Vec<f64>> {
        let moving: Vec<usize> = (0..steps.len()).filter(|&i| steps[i].is_some()).collect();
        let name = match moving.len() {
            _ if self.points => "points",
            1 if self.values => "values",
            _ => return lossgraph_check::each_value(self, inputs, steps, multiples),
        };
        let fields = |encoder: &mut Encoder| {
            let step = |step: &Option<Tensor>| step.as_ref().map(|step| encoder.json(step));
            let sent: Vec<Option<Value>> = steps.iter().map(step).collect();
            match name {
                "points" => json!({ "steps": sent, "multiples": multiples }),
                _ => json!({ "move": moving[0], "step": sent[moving[0]], "multiples": multiples }),
            }
        };
        let request = Request::new(name, format!("the values at {} points", multiples.len()));
        self.ask(request, inputs, fields, |answer| {
            let values = answer.field("values")?.as_array().ok_or("`values` is no list")?;
            values.iter().map(float).collect()
        })
    }

    fn products(&self, inputs: &[Tensor], which: usize, direction: &Tensor) -> Answer<Products> {
        if !self.products {
            return Ok(Products::ByDifferences);
        }
        let fields =
            |encoder: &mut Encoder| json!({ "move": which, "direction": encoder.json(direction) });
        let request = Request::new("products", "Hessian-vector products");
        self.ask(request, inputs, fields, |answer| match answer.fields.get("missing") {
            Some(Value::String(why)) => Ok(Products::Missing(without_addresses(why))),
            _ => Ok(Products::Gradients(answer.gradients(inputs)?)),
        })
    }

    fn test(&self, case: &[(String, Tensor)]) -> Option<String> {
        let inputs: Map<String, Value> =
            case.iter().map(|(name, x)| (name.clone(), tensor::to_json(x))).collect();
        Some(format!(
            "cat > smallest.json <<'EOF'\n{}\nEOF\nlossgraph check --program {} --inputs smallest.json{}\n",
            Value::Object(inputs),
            quoted(&self.command),
            self.options
        ))
    }
}

/// Text without addresses in memory, as Python prints them of its objects: `<function f at 0x7f…>`. Two
/// runs would differ in them.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" at 0x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    plain
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
