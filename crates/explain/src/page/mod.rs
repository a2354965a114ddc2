//! The page of a loss: one HTML file that expands it level by level and steps through it.

mod data;
mod elements;
mod engine;
mod levels;
mod names;
mod nodes;
mod picture;
mod script;
mod verdict;

use std::fmt;
use std::path::Path;

use lossgraph_autograd::{Fault, Result, Tape, Var};
use serde::Serialize;
use serde_json::Value;

use crate::graph::Graph;
use crate::svg::escaped;
use data::{Data, Seen, listing};
pub use engine::Engine;
use script::{in_script, squeezed};
use verdict::{Summary, summary, verdict_on};

/// A builder of a page; see [`page`].
#[derive(Clone, Debug)]
pub struct Page<'t> {
    loss: Var<'t>,
    title: String,
    formula: String,
    notes: Vec<String>,
    names: Vec<(Var<'t>, String)>,
    beside: Vec<Page<'t>>,
    curves: Option<Vec<(Var<'t>, usize)>>,
    steps: Option<Vec<Step>>,
    sketched: Option<(View, Opened)>,
    live: Option<Live>,
    embedded: bool,
    located: bool,
}

/// A view of the graph of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What only stabilizes, averages or regroups is folded into named groups.
    Teaching,
    /// Every op, as it was recorded.
    EveryOp,
}

/// A level of a view of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The outermost.
    Top,
    /// The inside of a group.
    Group(usize),
    /// All groups at once.
    All,
}

/// A step of a page. Nodes are counted as those of its [`Graph`](crate::Graph) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node is computed.
    Forward(usize),
    /// What flows back from a node to one of its inputs.
    Backward(usize, usize),
}

/// What makes a page follow its reader.
#[derive(Clone, Debug)]
struct Live {
    engine: Engine,
    controls: Value,
}

/// A page that could not be written.
#[derive(thiserror::Error)]
pub enum PageError {
    /// The loss cannot be computed or differentiated.
    #[error(transparent)]
    Loss(#[from] lossgraph_autograd::Error),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] lossgraph_file::Error),
}

/// What a program shows that ends with it: of a loss, the operands and the likely cure.
impl fmt::Debug for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Loss(error) => write!(f, "{error:?}"),
            PageError::File(error) => write!(f, "{error}"),
        }
    }
}

/// A page about a loss of any program: its scopes expand one by one, each op has its value, its
/// gradient and its cotangents, and steps go through both passes with the arithmetic written out. The
/// page is one self-contained file.
///
/// ```no_run
/// # use lossgraph_autograd::Tape;
/// use lossgraph_explain as explain;
///
/// let tape = Tape::f64();
/// let x = tape.variable([3.0, 4.0]);
/// let loss = tape.scope("length", || x.square().sum(..).sqrt());
/// explain::page(&tape, loss).title("The length of a vector").name(x, "x").write("out.html")?;
/// # Ok::<(), explain::PageError>(())
/// ```
#[track_caller]
pub fn page<'t>(tape: &'t Tape, loss: Var<'t>) -> Page<'t> {
    let loss = match std::ptr::eq(tape, loss.tape()) {
        true => loss,
        false => {
            let fault = Fault::new("page", "the loss is on another tape").operand("loss", loss);
            tape.fault(fault.cure("explain::page(loss.tape(), loss)"))
        }
    };
    Page {
        loss,
        title: "A loss, step by step".to_owned(),
        formula: String::new(),
        notes: Vec::new(),
        names: Vec::new(),
        beside: Vec::new(),
        curves: None,
        steps: None,
        sketched: None,
        live: None,
        embedded: false,
        located: true,
    }
}

impl<'t> Page<'t> {
    /// Sets the title.
    pub fn title(self, title: impl Into<String>) -> Page<'t> {
        Page { title: title.into(), ..self }
    }

    /// Sets the formula of the loss, as MathML or any other HTML. It is not escaped.
    pub fn formula(self, html: impl Into<String>) -> Page<'t> {
        Page { formula: html.into(), ..self }
    }

    /// Adds a line about the loss: an option with its value, a unit, a source.
    pub fn note(mut self, text: impl Into<String>) -> Page<'t> {
        self.notes.push(text.into());
        self
    }

    /// Names an input. One of another tape makes the page an error.
    #[track_caller]
    pub fn name(mut self, var: Var<'t>, name: &str) -> Page<'t> {
        if !std::ptr::eq(var.tape(), self.loss.tape()) && !self.loss.is_faulty() {
            let fault = Fault::new("page", format!("`{name}` is on another tape than the loss"));
            let fault = fault.operand("loss", self.loss).operand(name, var);
            return Page { loss: self.loss.tape().fault(fault), ..self };
        }
        self.names.push((var, name.to_owned()));
        self
    }

    /// Shows another loss side by side with this one.
    pub fn versus(mut self, other: Page<'t>) -> Page<'t> {
        self.beside.push(other);
        self
    }

    /// Follows the paths and draws the curves of these elements of inputs alone, not those of all.
    pub fn curves(self, elements: impl IntoIterator<Item = (Var<'t>, usize)>) -> Page<'t> {
        Page { curves: Some(elements.into_iter().collect()), ..self }
    }

    /// Writes out the arithmetic of these steps alone, not that of all.
    pub fn steps(self, steps: impl IntoIterator<Item = Step>) -> Page<'t> {
        Page { steps: Some(steps.into_iter().collect()), ..self }
    }

    /// Computes what is seen, so that it can follow a hand that moves a number: of the levels, the
    /// outermost and one that is opened in a view; no listing, and no comparison with finite
    /// differences.
    pub fn sketch(self, view: View, opened: Opened) -> Page<'t> {
        Page { sketched: Some((view, opened)), ..self }
    }

    /// Gives the page an engine that answers with what [`data`](Page::data) gives, and the controls that
    /// the page begins with. `lossgraph-engine` describes both.
    pub fn live(self, engine: Engine, controls: Value) -> Page<'t> {
        Page { live: Some(Live { engine, controls }), ..self }
    }

    /// Leaves out where each op was recorded: for a program that its reader has no lines of.
    pub fn without_locations(self) -> Page<'t> {
        Page { located: false, ..self }
    }

    /// Shows the drawing alone, for a slide or a notebook.
    pub fn embed(self) -> Page<'t> {
        Page { embedded: true, ..self }
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// An error of the program, or a loss with more than one element.
    #[track_caller]
    pub fn to_html(&self) -> Result<String> {
        let sides: Vec<&Page<'t>> = std::iter::once(self).chain(&self.beside).collect();
        let mut data = Vec::new();
        for side in &sides {
            data.push(side.data()?);
        }
        let title: Vec<String> = sides.iter().map(|side| escaped(&side.title)).collect();
        let engine = self.live.as_ref().map_or(Engine::Carried(&[]), |live| live.engine);
        let data = in_script(&Sides { sides: data, embed: self.embedded });
        Ok(format!(
            include_str!("page.html"),
            title = title.join(" – "),
            style = squeezed(include_str!("style.css")),
            data = engine.data_element(&data),
            engine = engine.element(),
            program = engine.program_element(),
        ))
    }

    /// Writes the page to a file, atomically: on a failure the one that is there stays.
    ///
    /// # Errors
    /// Those of [`to_html`](Page::to_html), and of the file system.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>) -> std::result::Result<(), PageError> {
        Ok(lossgraph_file::write_atomically(path, self.to_html()?)?)
    }

    #[track_caller]
    fn graph(&self) -> Result<Graph> {
        let graph = Graph::of(self.loss)?;
        Ok(self.names.iter().fold(graph, |graph, (var, name)| graph.name(*var, name)))
    }

    /// Whether finite differences confirm the gradient of a node: of all that [`data`](Page::data) says
    /// of it, what takes longest. Nodes are counted as those of its [`Graph`](crate::Graph) are.
    ///
    /// # Errors
    /// Those of [`to_html`](Page::to_html).
    #[track_caller]
    pub fn check(&self, node: usize) -> Result<impl Serialize + use<>> {
        verdict_on(&self.graph()?, node)
    }

    /// What a [`sketch`](Page::sketch) lacks: the line about what [`check`](Page::check) said of all
    /// nodes, and the listing.
    ///
    /// # Errors
    /// Those of [`to_html`](Page::to_html).
    #[track_caller]
    pub fn rest(&self, checks: &[Value]) -> Result<impl Serialize + use<>> {
        let graph = self.graph()?;
        let verdicts: Vec<Option<&str>> =
            checks.iter().map(|check| check["verdict"].as_str()).collect();
        let checked = summary(&graph, &verdicts);
        Ok(Rest { checked, listing: listing(&graph, self.located) })
    }

    /// What one loss of the page shows, to be written as JSON.
    ///
    /// # Errors
    /// Those of [`to_html`](Page::to_html).
    #[track_caller]
    pub fn data(&self) -> Result<impl Serialize + use<>> {
        let graph = self.graph()?;
        let number = |(var, element): &(Var<'t>, usize)| Some((graph.number_of(*var)?, *element));
        // A live page has its engine follow the paths, draw the curves, lay out the levels and write
        // out the steps that its reader looks at.
        let is_live = self.live.as_ref().is_some_and(|live| live.engine.is_there());
        let first = is_live.then_some((View::Teaching, Opened::Top));
        let curves = self.curves.as_ref().map(|each| each.iter().filter_map(number).collect());
        let seen = Seen {
            curves: curves.or(is_live.then(Vec::new)),
            steps: self.steps.clone().or(is_live.then(Vec::new)),
            level: self.sketched.or(first),
            is_sketch: self.sketched.is_some(),
            locations: self.located,
        };
        Ok(Data {
            title: self.title.clone(),
            formula: self.formula.clone(),
            notes: self.notes.clone(),
            live: self.live.as_ref().map(|live| live.controls.clone()),
            ..Data::of(&graph, &seen)?
        })
    }
}

/// The losses of a page, side by side.
#[derive(Serialize)]
struct Sides<D> {
    sides: Vec<D>,
    embed: bool,
}

#[derive(Serialize)]
struct Rest {
    checked: Option<Summary>,
    listing: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The data of a page as JSON.
    fn data(page: &Page<'_>) -> Value {
        serde_json::to_value(page.data().unwrap()).unwrap()
    }

    /// The data of a page as it is read there.
    fn read(html: &str) -> Value {
        let start = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let end = start + html[start..].find("</script>").unwrap();
        serde_json::from_str(&html[start..end]).unwrap()
    }

    #[test]
    fn no_text_ends_the_data_or_becomes_a_tag() {
        let tape = Tape::f64();
        let loss = tape.variable(2.0).square();
        let title = "</script><b>\u{2028}{script}";
        let html = page(&tape, loss).title(title).to_html().unwrap();
        assert_eq!(read(&html)["sides"][0]["title"], title);
        assert!(!html.contains("</script><b>"));
        assert_eq!(html.matches("</script>").count(), 3);
    }

    #[test]
    fn pages_share_an_engine_that_lies_beside_them() {
        let tape = Tape::f64();
        let page = page(&tape, tape.variable(2.0).square());
        let html = page.live(Engine::Beside("engine.js"), json!({})).to_html().unwrap();
        assert!(html.contains(r#"<script id="engine" src="engine.js"></script>"#));
        assert!(Engine::script(b"Man").contains("\"O,`^\""));
    }

    #[test]
    fn a_live_page_leaves_to_its_engine_what_nobody_looked_at_yet() {
        let tape = Tape::f64();
        let x = tape.variable([0.5, -1.0]);
        let page = page(&tape, tape.scope("length", || x.square().sum(..))).name(x, "x");
        let still = data(&page);
        let live = data(&page.clone().live(Engine::Carried(b"Man"), json!({})));
        assert!(live["views"]["ops"].is_null() && !still["views"]["ops"].is_null());
        assert!(live["inputs"][0]["curves"][0].is_null());
        assert!(still["inputs"][0]["curves"][0].is_object());
        assert_eq!(live["views"]["teaching"]["top"], still["views"]["teaching"]["top"]);
        assert_eq!(live["checked"], still["checked"]);
        for (live, still) in
            live["nodes"].as_array().unwrap().iter().zip(still["nodes"].as_array().unwrap())
        {
            for part in ["name", "formula", "value", "gradient", "check", "hazards"] {
                assert_eq!(live[part], still[part]);
            }
            assert!(live["forward"].is_null() && still["forward"].is_array());
        }
        // A step that is looked at has its arithmetic.
        let last = live["nodes"].as_array().unwrap().len() - 1;
        let seen = data(&page.clone().steps([Step::Forward(last), Step::Backward(last, 0)]));
        for part in ["forward", "inputs"] {
            assert_eq!(seen["nodes"][last][part], still["nodes"][last][part]);
        }
        assert!(seen["nodes"][1]["inputs"][0]["flow"]["lines"].is_null());
        // Without an engine, all of it is there.
        let without = data(&page.live(Engine::Carried(&[]), json!({})));
        assert_eq!(without["views"], still["views"]);
    }

    #[test]
    fn a_page_without_locations_names_no_line() {
        let tape = Tape::f64();
        let page = page(&tape, tape.variable(2.0).square());
        assert!(page.to_html().unwrap().contains("page/mod.rs:"));
        assert!(!page.without_locations().to_html().unwrap().contains("page/mod.rs:"));
    }

    #[test]
    fn what_flows_back_step_by_step_adds_up_to_the_gradient() {
        let tape = Tape::f64();
        let x = tape.variable([0.5, -1.0]);
        let loss = (x.exp() * x.sin() + x).sum(..);
        let data = &read(&page(&tape, loss).name(x, "x").to_html().unwrap())["sides"][0];
        // The steps go through readers from the last one to the first: that is part 3 of 3.
        let nodes = data["nodes"].as_array().unwrap();
        let last = nodes.iter().find(|node| node["inputs"][0]["node"] == 0).unwrap();
        assert_eq!((&last["op"], &nodes[0]["name"]), (&"exp".into(), &"x".into()));
        for line in last["inputs"][0]["flow"]["lines"].as_array().unwrap() {
            let sum = line["before"].as_f64().unwrap() + line["is"].as_f64().unwrap();
            let at = line["at"].as_u64().unwrap() as usize;
            let gradient = nodes[0]["gradient"]["numbers"][at].as_f64().unwrap();
            assert!((sum - gradient).abs() < 1e-15, "{sum} {gradient}");
        }
    }

    #[test]
    fn a_curve_goes_through_the_point_of_the_inputs() {
        let tape = Tape::new();
        let x = tape.variable([0.5, -1.0]);
        let loss = x.square().sum(..);
        let data = &read(&page(&tape, loss).to_html().unwrap())["sides"][0];
        let curve = &data["inputs"][0]["curves"][1];
        assert_eq!(curve["current"], json!([-1.0, 1.25, -2.0]));
        let points = curve["pieces"][0].as_array().unwrap();
        assert!(points.len() > 90 && curve["kinks"] == json!([]));
        for point in points {
            let [x, slope] = [0, 2].map(|i| point[i].as_f64().unwrap());
            assert_eq!(slope as f32, 2.0 * x as f32);
        }
    }

    #[test]
    fn a_loss_of_another_tape_is_an_error() {
        let [tape, other] = [Tape::f64(), Tape::f64()];
        let error = page(&tape, other.variable(1.0)).to_html().unwrap_err();
        assert!(error.to_string().contains("the loss is on another tape"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let tape = Tape::f64();
        let error = page(&tape, tape.variable(1.0)).write("no/such/folder/out.html").unwrap_err();
        assert!(error.to_string().starts_with("no/such/folder/out.html cannot be written: "));
    }
}
