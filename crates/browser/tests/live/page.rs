//! A page of the catalogue in the browser.

use std::io::Read;
use std::path::{Path, PathBuf};

use lossgraph_autograd::Tape;
use lossgraph_browser::{Browser, Result};
use lossgraph_engine::{Inputs, Subject, answer, controls};
use lossgraph_explain::{Engine, Page};
use serde_json::{Value, json};

use crate::same::assert_same;

/// The engine that is committed, or the one that was just built.
fn engine() -> Result<&'static [u8]> {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/src/explain/engine.wasm.gz");
    let file = std::env::var("LOSSGRAPH_ENGINE").unwrap_or_else(|_| committed.to_owned());
    let mut bytes = Vec::new();
    std::fs::File::open(&file)
        .map_err(|error| format!("{file}: {error}"))?
        .read_to_end(&mut bytes)?;
    Ok(bytes.leak())
}

/// Whether there is an engine to test: where none is committed, pages stand still.
pub fn is_there() -> Result<bool> {
    let is_there = !engine()?.is_empty();
    if !is_there {
        println!("no engine is committed, so nothing ran: crates/engine/build makes one");
    }
    Ok(is_there)
}

/// A page of the catalogue in the browser, with its engine started.
pub struct Live {
    pub browser: Browser,
    folder: PathBuf,
    loss: &'static str,
}

impl Live {
    pub fn new(loss: &'static str) -> Result<Live> {
        Live::opened(loss, false)
    }

    /// A page for a slide.
    pub fn embedded(loss: &'static str) -> Result<Live> {
        Live::opened(loss, true)
    }

    /// Two losses side by side.
    pub fn versus(loss: &'static str, other: &'static str) -> Result<Live> {
        Live::showing(loss, &html(&[loss, other], false)?)
    }

    fn opened(loss: &'static str, is_embedded: bool) -> Result<Live> {
        Live::showing(loss, &html(&[loss], is_embedded)?)
    }

    fn showing(loss: &'static str, html: &str) -> Result<Live> {
        // A browser of its own: a loss has several tests, which run side by side.
        let thread = std::thread::current();
        let test = thread.name().unwrap_or(loss);
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(test);
        let browser = Browser::start(&folder)?;
        browser.open(html)?;
        let live = Live { browser, folder, loss };
        live.started()?;
        Ok(live)
    }

    pub fn started(&self) -> Result<()> {
        self.browser.wait("return document.body.dataset.engine === 'ready'")?;
        Ok(())
    }

    /// The bytes of the page.
    pub fn size(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.folder.join("page.html"))?.len())
    }

    /// Types a number into a cell.
    pub fn enter(&self, input: &str, element: usize, x: &str) -> Result<()> {
        self.browser.run(&format!(
            "const field = document.querySelector('[data-input=\"{input}\"][data-element=\"{element}\"]');
             field.focus();
             // A window that has no focus, such as the first of a new profile, tells its fields nothing.
             if (!document.hasFocus()) field.dispatchEvent(new FocusEvent('focus'));
             field.value = '{x}';
             field.dispatchEvent(new Event('input', {{ bubbles: true }}));
             return null"
        ))?;
        Ok(())
    }

    /// Sets an option, as a reader does who leaves its field.
    pub fn set(&self, option: &str, value: &str) -> Result<()> {
        self.browser.run(&format!(
            "const field = document.querySelector('[data-option=\"{option}\"]');
             if (field.type === 'checkbox') field.checked = {value} === true; else field.value = '{value}';
             field.dispatchEvent(new Event('change', {{ bubbles: true }}));
             return null"
        ))?;
        Ok(())
    }

    /// What the page says of numbers that it takes.
    pub fn remarks(&self) -> Result<String> {
        Ok(self.browser.texts(".remarks")?.concat())
    }

    /// What the page holds.
    pub fn data(&self) -> Result<Value> {
        self.browser.run("return sides[0].found")
    }

    /// The case that the page shows.
    pub fn case(&self) -> Result<Value> {
        self.browser.run("return sides[0].case()")
    }

    /// The nodes of the page are those that the library computes for its case.
    pub fn shows_what_the_library_says(&self) -> Result<()> {
        // The comparison with differences comes when the hand rests.
        self.browser.wait("return sides[0].data.checked")?;
        let [curves, written, shown] =
            ["sides[0].chosen()", "sides[0].written()", "[sides[0].view, sides[0].level]"]
                .map(|each| self.browser.run(&format!("return {each}")));
        let mut request = json!({ "page": self.case()?, "curves": curves?, "steps": written? });
        let whole: Value = serde_json::from_str(&answer(&request.to_string()))?;
        request["shows"] = shown?;
        let sketch: Value = serde_json::from_str(&answer(&request.to_string()))?;
        let data = self.data()?;
        for (part, expected) in [
            ("nodes", &whole),
            ("inputs", &sketch),
            ("live", &sketch),
            ("checked", &whole),
            ("listing", &whole),
        ] {
            assert_same(&data[part], &expected[part], &format!("{part} of {}", self.loss));
        }
        Ok(())
    }

    pub fn loss(&self) -> Result<f64> {
        let loss =
            self.browser.run("return Number(sides[0].data.nodes.at(-1).value.numbers[0])")?;
        Ok(loss.as_f64().unwrap_or(f64::NAN))
    }

    pub fn console_is_silent(&self) -> Result<()> {
        assert_eq!(self.browser.console()?, Vec::<Value>::new());
        Ok(())
    }
}

/// The page of some losses as the program writes it, without their formulas.
fn html(losses: &[&str], is_embedded: bool) -> Result<String> {
    let subjects: Vec<Subject> =
        losses.iter().map(|loss| Subject::new(loss, "")).collect::<std::result::Result<_, _>>()?;
    let inputs = Inputs::samples(&subjects)?;
    let tapes: Vec<Tape> = subjects.iter().map(|_| Tape::f64()).collect();
    let mut pages = Vec::new();
    for (subject, tape) in subjects.iter().zip(&tapes) {
        let (_, page) = subject.page(tape, &inputs)?;
        pages.push(page.live(Engine::Carried(engine()?), controls(subject, &inputs)?));
    }
    let page = pages.into_iter().reduce(Page::versus).ok_or("no loss")?;
    Ok(if is_embedded { page.embed() } else { page }.to_html()?)
}
