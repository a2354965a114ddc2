//! Pages as a reader has them: opened from files in Chromium, clicked, and stepped through.

use std::path::{Path, PathBuf};

use lossgraph_autograd::{Tape, Var};
use lossgraph_browser::{Browser, Result};
use lossgraph_explain::{Graph, Page, page};
use lossgraph_losses::{cross_entropy, huber, triplet_margin};
use lossgraph_nn::{Layer, Mlp};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::Value;

const END: &str = "\u{E010}";
const HOME: &str = "\u{E011}";
const LEFT: &str = "\u{E012}";
const RIGHT: &str = "\u{E014}";
const ESCAPE: &str = "\u{E00C}";

/// A page in the browser, and the graph that it is to show.
struct Shown {
    browser: Browser,
    graph: Graph,
    name: &'static str,
}

impl Shown {
    fn new(name: &'static str, loss: Var<'_>, page: Page<'_>) -> Result<Shown> {
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages").join(name);
        let browser = Browser::start(&folder)?;
        browser.open(&page.to_html()?)?;
        let shown = Shown { browser, graph: Graph::of(loss)?, name };
        shown.keep("opened")?;
        Ok(shown)
    }

    fn keep(&self, what: &str) -> Result<()> {
        self.browser.picture(&format!("{}-{what}", self.name))
    }

    /// The numbers in the grid with a caption, as exact as the page has them.
    fn numbers(&self, caption: &str) -> Result<Vec<f64>> {
        let script = format!(
            "const figure = [...document.querySelectorAll('.node .tensor')]
                 .find((figure) => figure.querySelector('b').textContent.startsWith('{caption}'));
             return figure ? [...figure.querySelectorAll('.cell')].map((cell) => cell.title) : []"
        );
        let titles: Vec<String> = serde_json::from_value(self.browser.run(&script)?)?;
        let last = |title: &String| title.rsplit(' ').next().unwrap_or_default().parse();
        Ok(titles.iter().map(last).collect::<std::result::Result<_, _>>()?)
    }

    /// Opens everything, and compares value and gradient of each node with the library's.
    fn numbers_are_those_of_the_library(&self) -> Result<()> {
        // The teaching view has no gradients into constants.
        self.browser.press("ea")?;
        self.keep("all")?;
        for (at, node) in self.graph.nodes.iter().enumerate().filter(|(_, n)| n.shape.numel() <= 64)
        {
            let clicked = format!(
                "const face = document.querySelector('[data-node=\"{at}\"] > .face');
                 face?.dispatchEvent(new MouseEvent('click', {{ bubbles: true }}));
                 return face !== null"
            );
            assert_eq!(self.browser.run(&clicked)?, true, "{} has a box", node.op);
            assert_eq!(self.numbers("value")?, node.value.to_f64s(), "{} {at}", node.op);
            let gradient = node.gradient.as_ref().map(|g| g.to_f64s()).unwrap_or_default();
            assert_eq!(self.numbers("gradient")?, gradient, "{} {at}", node.op);
        }
        self.browser.press("ae")
    }

    /// Goes through all steps by keys, forward and back; each backward step shows what flows.
    fn every_step_shows_its_arithmetic(&self) -> Result<()> {
        // The teaching view passes over gradients into constants.
        self.browser.press("e")?;
        self.browser.press(HOME)?;
        assert!(self.browser.texts(".counter")?[0].starts_with("0 / "));
        let nodes = &self.graph.nodes;
        let forward = (0..nodes.len()).filter(|&at| !nodes[at].inputs.is_empty());
        let values = forward.map(|at| nodes[at].value.to_f64s());
        let edges = (0..nodes.len()).rev().flat_map(|at| nodes[at].inputs.iter());
        let flows = edges.filter_map(|input| Some(input.flow.as_ref()?.value.to_f64s()));
        let steps: Vec<Option<Vec<f64>>> =
            values.map(Some).chain([None]).chain(flows.map(Some)).collect();
        let halfway = steps.len() / 2;
        for (at, expected) in steps.iter().enumerate() {
            self.browser.press(RIGHT)?;
            if at == halfway {
                self.keep("step")?;
            }
            // At the last step, the page says what the loss is.
            let (Some(expected), true) = (expected, at + 1 < steps.len()) else { continue };
            let lines = self.browser.run(
                "return [...document.querySelectorAll('.step .line')].map((line) =>
                     [Number(line.dataset.element), Number(line.querySelector('[data-is]').dataset.is)])",
            )?;
            let lines: Vec<(usize, Value)> = serde_json::from_value(lines)?;
            assert!(!lines.is_empty(), "step {at}");
            for (element, shown) in lines {
                assert_eq!(shown.as_f64(), Some(expected[element]), "step {at}");
            }
        }
        let count = steps.len();
        assert_eq!(self.browser.texts(".counter")?, [format!("{count} / {count} all steps done")]);
        for _ in 0..count {
            self.browser.press(LEFT)?;
        }
        assert!(self.browser.texts(".counter")?[0].starts_with("0 / "));
        self.browser.press("e")?;
        self.browser.press(END)
    }

    /// Opens a group by a click and leaves it by a key.
    fn groups_open_and_close(&self) -> Result<()> {
        self.browser.press(END)?;
        self.browser.press("aa")?;
        let depth =
            || self.browser.run("return document.querySelectorAll('.crumbs button').length");
        let outside = depth()?;
        self.browser.click(".box.group > .face")?;
        assert_ne!(depth()?, outside);
        assert!(!self.browser.texts(".box.input-port, .box.output-port")?.is_empty());
        self.browser.press(ESCAPE)?;
        assert_eq!(depth()?, outside);
        Ok(())
    }

    /// Clicks an element of the first input: its paths add up to its gradient.
    fn paths_add_up(&self, element: usize) -> Result<()> {
        self.browser.click(".box.leaf > .face")?;
        self.browser.click(&format!("button.cell[data-element='{element}']"))?;
        self.keep("element")?;
        let sums = self.browser.run(
            "return [document.querySelector('.element .sum').dataset.sum,
                     ...[...document.querySelectorAll('.element [data-contribution]')].map((each) => each.dataset.contribution)]",
        )?;
        let texts: Vec<String> = serde_json::from_value(sums)?;
        let sums: Vec<f64> =
            texts.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>()?;
        let gradient = self.graph.nodes[0].gradient.as_ref().map(|g| g.to_f64s()[element]);
        let added: f64 = sums[1..].iter().sum();
        for sum in [sums[0], added] {
            assert!((sum - gradient.unwrap_or(f64::NAN)).abs() < 1e-12, "{sums:?} {gradient:?}");
        }
        self.browser.click(".path button")?;
        let marked = self.browser.run("return document.querySelectorAll('.edge.marked').length")?;
        assert!(marked.as_u64() > Some(0));
        Ok(())
    }

    /// Numbers are as wide as their text.
    fn no_digit_is_cut(&self) -> Result<()> {
        let cut = self.browser.run(
            "return [...document.querySelectorAll('.cell')]
                 .filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
                 .map((cell) => cell.textContent)",
        )?;
        assert_eq!(cut, Value::Array(Vec::new()));
        Ok(())
    }

    fn console_is_silent(&self) -> Result<()> {
        assert_eq!(self.browser.console()?, Vec::<Value>::new());
        Ok(())
    }

    fn all_of_it(&self) -> Result<()> {
        self.numbers_are_those_of_the_library()?;
        self.every_step_shows_its_arithmetic()?;
        self.groups_open_and_close()?;
        self.paths_add_up(1)?;
        self.console_is_silent()
    }
}

#[test]
#[ignore = "needs chromium"]
fn cross_entropy_opens_steps_and_adds_up() -> Result<()> {
    let tape = Tape::f64();
    let logits = tape.variable([[2.0, 1.0, 0.1], [-1.0, 0.5, 0.25]]);
    let loss = cross_entropy(logits, tape.labels(&[0, 2])).mean();
    let page = page(&tape, loss).title("cross_entropy </script>").name(logits, "logits");
    let shown = Shown::new("cross_entropy", loss, page)?;
    assert_eq!(shown.browser.texts("h1")?, ["cross_entropy </script>"]);
    shown.all_of_it()
}

#[test]
#[ignore = "needs chromium"]
fn triplet_margin_opens_steps_and_adds_up() -> Result<()> {
    let tape = Tape::f64();
    let anchor = tape.variable([[0.0, 1.0], [1.0, -1.0]]);
    let positive = tape.variable([[0.5, 1.5], [1.0, 0.5]]);
    let negative = tape.variable([[1.0, 1.0], [-1.0, -1.0]]);
    let loss = triplet_margin(anchor, positive, negative, 1.0).mean();
    let page = page(&tape, loss).name(anchor, "anchor").name(positive, "positive");
    Shown::new("triplet_margin", loss, page.name(negative, "negative"))?.all_of_it()
}

#[test]
#[ignore = "needs chromium"]
fn huber_opens_steps_and_adds_up() -> Result<()> {
    let tape = Tape::f64();
    let prediction = tape.variable([0.25, -0.5, 3.0]);
    let loss = huber(prediction, tape.constant([0.0, 0.0, 0.0]), 1.0).mean();
    let page = page(&tape, loss).title("huber").name(prediction, "prediction");
    Shown::new("huber", loss, page)?.all_of_it()
}

#[test]
#[ignore = "needs chromium"]
fn a_net_with_its_layers_opens_steps_and_adds_up() -> Result<()> {
    let tape = Tape::f64();
    let net = Mlp::new(&[2, 3, 2], &mut ChaCha8Rng::seed_from_u64(0))?;
    let x = tape.variable([[0.5, -1.0], [1.0, 2.0]]);
    let loss = cross_entropy(net.forward(x), tape.labels(&[0, 1])).mean();
    let page = page(&tape, loss).title("A net and its loss").name(x, "x");
    Shown::new("net", loss, page)?.all_of_it()
}

#[test]
#[ignore = "needs chromium"]
fn losses_side_by_side_show_where_a_nan_comes_from() -> Result<()> {
    let [tape, other] = [Tape::f64(), Tape::f64()];
    let naive = -tape.variable([[800.0, 0.0]]).softmax(1).ln().slice(1, 0..1).sum(..);
    let stable = -other.variable([[800.0, 0.0]]).log_softmax(1).slice(1, 0..1).sum(..);
    let page = page(&tape, naive).title("naive").versus(page(&other, stable).title("stable"));
    let shown = Shown::new("versus", naive, page)?;
    assert_eq!(shown.browser.texts("h1")?, ["naive", "stable"]);
    let hazards = shown.graph.hazards();
    let hazard = hazards.iter().find(|found| shown.graph.nodes[found.node].op == "ln");
    let hazard = hazard.ok_or("the logarithm of 0 is a hazard")?;
    shown.browser.press("a")?;
    shown.browser.click(&format!("[data-node='{}'] > .face", hazard.node))?;
    shown.keep("hazard")?;
    assert!(shown.browser.texts(".hazard")?.contains(&format!("! {}", hazard.text)));
    assert!(shown.browser.texts(".side:first-child .node .cell")?.contains(&"−∞".to_owned()));
    // Numbers that are none do not agree with anything.
    shown.browser.click(".side:first-child [data-node='0'] > .face")?;
    let checks = shown.browser.texts(".check")?;
    assert!(checks.iter().any(|check| check.contains("and the gradient NaN")), "{checks:?}");
    shown.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn long_numbers_are_shown_whole_and_the_checker_has_its_say() -> Result<()> {
    let tape = Tape::f64();
    let x = tape.variable([-1.0930001e-16, 123456.0, -2.5e-300, 1.0, 2.0, -3.0e-7, 5.0, 1e150]);
    let loss = (x * x.detach() * 1e-305).sum(..);
    let shown = Shown::new("long", loss, page(&tape, loss).title("Long numbers").name(x, "x"))?;
    shown.browser.click("[data-node='0'] > .face")?;
    assert!(shown.browser.texts(".cell")?.contains(&"−1.093e−16".to_owned()));
    shown.no_digit_is_cut()?;
    let line = shown.browser.texts(".checked")?;
    assert!(line[0].contains("gradients agree with finite differences"), "{line:?}");
    assert_eq!(shown.browser.texts(".differ")?, Vec::<String>::new());
    // Printed, the listing is open, and no other block was opened for it.
    let open = shown.browser.run(
        "dispatchEvent(new Event('beforeprint'));
         return document.querySelector('details.text').open",
    )?;
    assert_eq!(open, Value::Bool(true));
    shown.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn what_every_step_reads_is_drawn_again_and_leads_to_its_own_box() -> Result<()> {
    let tape = Tape::f64();
    let [x, w] = [tape.variable([[0.5, -1.0]]), tape.variable([[0.3, 0.4], [-0.2, 0.9]])];
    let loss = (0..60).fold(x, |h, _| (h.matmul(w) + x).tanh()).sum(..);
    let page = page(&tape, loss).title("Sixty steps").name(x, "x").name(w, "w");
    let shown = Shown::new("steps", loss, page)?;
    // Out of the box of steps that repeat.
    shown.browser.press("a")?;
    let wide = shown.browser.run("return document.querySelector('.drawing').dataset.width")?;
    assert!(wide.as_str().and_then(|wide| wide.parse().ok()) < Some(1200.0), "{wide}");
    let top = "return document.querySelector('.picture').scrollTop";
    shown.browser.run(
        "[...document.querySelectorAll('[data-reference=\"1\"]')].at(-1).scrollIntoView();
         return null",
    )?;
    let before = shown.browser.run(top)?.as_f64();
    shown.browser.run(
        "const last = [...document.querySelectorAll('[data-reference=\"1\"] > .face')].at(-1);
         last.dispatchEvent(new MouseEvent('click', { bubbles: true }));
         return null",
    )?;
    assert!(shown.browser.run(top)?.as_f64() < before);
    assert!(shown.browser.texts(".node h3")?[0].starts_with('w'));
    shown.keep("found")?;
    shown.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_page_of_500_nodes_opens_and_is_stepped_through() -> Result<()> {
    let tape = Tape::new();
    let sizes = [32; 100];
    let net = Mlp::new(&sizes, &mut ChaCha8Rng::seed_from_u64(0))?;
    let x = tape.variable(lossgraph_tensor::Tensor::full([32, 32], 0.5, tape.dtype())?);
    let loss = cross_entropy(net.forward(x), tape.labels(&[1; 32])).mean();
    let shown = Shown::new("deep", loss, page(&tape, loss).title("A deep net").name(x, "x"))?;
    assert!(shown.graph.nodes.len() >= 500, "{}", shown.graph.nodes.len());
    for _ in 0..3 {
        shown.browser.press(RIGHT)?;
    }
    shown.keep("step")?;
    let heat = shown.browser.run("return document.querySelectorAll('.heat i').length")?;
    assert!(heat.as_u64() > Some(0));
    shown.browser.press("a")?;
    shown.keep("all")?;
    shown.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_search_that_finds_nothing_says_so_and_leads_back() -> Result<()> {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages").join("index");
    let browser = Browser::start(&folder)?;
    let cards = "<section><ul><li data-words=\"huber\">huber</li><li data-words=\"mse\">mse</li></ul></section>";
    let index = include_str!("../../cli/src/explain/index.html");
    browser.open(&index.replace("{families}", "").replace("{losses}", cards))?;
    let search = |words: &str| {
        browser.run(&format!(
            "field.value = '{words}';
             field.dispatchEvent(new Event('input'));
             return [cards.filter(({{ hidden }}) => !hidden).length, !document.querySelector('main > p').hidden]"
        ))
    };
    assert_eq!(search("hub")?, serde_json::json!([1, false]));
    assert_eq!(search("hubert")?, serde_json::json!([0, true]));
    browser.click("main > p button")?;
    assert_eq!(
        browser.run("return [field.value, cards.filter(({ hidden }) => !hidden).length]")?,
        serde_json::json!(["", 2])
    );
    assert_eq!(browser.console()?, Vec::<Value>::new());
    Ok(())
}
