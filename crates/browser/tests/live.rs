//! Pages of the catalogue as a class has them: a number is changed, and everything follows.

use std::io::Read;
use std::path::{Path, PathBuf};

use lossgraph_autograd::Tape;
use lossgraph_browser::{Browser, Result};
use lossgraph_engine::{Inputs, Subject, answer, controls};
use lossgraph_losses::ALL;
use serde_json::{Value, json};

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
fn is_there() -> Result<bool> {
    let is_there = !engine()?.is_empty();
    if !is_there {
        println!("no engine is committed, so nothing ran: crates/engine/build makes one");
    }
    Ok(is_there)
}

/// A page of the catalogue in the browser, with its engine started.
struct Live {
    browser: Browser,
    loss: &'static str,
}

impl Live {
    fn new(loss: &'static str) -> Result<Live> {
        // A browser of its own: a loss has several tests, which run side by side.
        let thread = std::thread::current();
        let test = thread.name().unwrap_or(loss);
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(test);
        let browser = Browser::start(&folder)?;
        browser.open(&page(loss)?)?;
        let live = Live { browser, loss };
        live.started()?;
        Ok(live)
    }

    fn started(&self) -> Result<()> {
        self.browser.wait("return document.body.dataset.engine === 'ready'")?;
        Ok(())
    }

    /// Types a number into a cell.
    fn enter(&self, input: &str, element: usize, x: &str) -> Result<()> {
        self.browser.run(&format!(
            "const field = document.querySelector('[data-input=\"{input}\"][data-element=\"{element}\"]');
             field.focus();
             field.value = '{x}';
             field.dispatchEvent(new Event('input', {{ bubbles: true }}));
             return null"
        ))?;
        Ok(())
    }

    /// Sets an option, as a reader does who leaves its field.
    fn set(&self, option: &str, value: &str) -> Result<()> {
        self.browser.run(&format!(
            "const field = document.querySelector('[data-option=\"{option}\"]');
             if (field.type === 'checkbox') field.checked = {value} === true; else field.value = '{value}';
             field.dispatchEvent(new Event('change', {{ bubbles: true }}));
             return null"
        ))?;
        Ok(())
    }

    /// What the page holds.
    fn data(&self) -> Result<Value> {
        self.browser.run("return sides[0].data")
    }

    /// The case that the page shows.
    fn case(&self) -> Result<Value> {
        self.browser.run("return sides[0].case()")
    }

    /// The nodes of the page are those that the library computes for its case.
    fn shows_what_the_library_says(&self) -> Result<()> {
        // The comparison with differences comes when the hand rests.
        self.browser.wait("return sides[0].data.checked")?;
        let expected: Value =
            serde_json::from_str(&answer(&json!({ "page": self.case()? }).to_string()))?;
        let data = self.data()?;
        for part in ["nodes", "inputs", "checked", "live"] {
            assert_near(&data[part], &expected[part], &format!("{part} of {}", self.loss));
        }
        Ok(())
    }

    fn loss(&self) -> Result<f64> {
        let loss =
            self.browser.run("return Number(sides[0].data.nodes.at(-1).value.numbers[0])")?;
        Ok(loss.as_f64().unwrap_or(f64::NAN))
    }

    fn console_is_silent(&self) -> Result<()> {
        assert_eq!(self.browser.console()?, Vec::<Value>::new());
        Ok(())
    }
}

/// Compares replies. Elementary functions have the same bits everywhere; sums of products and the
/// sign of a least 0 depend on the processor's vectors.
fn assert_near(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).for_each(|(a, b)| assert_near(a, b, place));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            // Which of equal parts are listed, and which of equal elements is worked, is a matter of
            // last digits.
            let parts = a.iter().filter(|(key, _)| !["lines", "at"].contains(&key.as_str()));
            parts.for_each(|(key, a)| assert_near(a, &b[key], &format!("{place} {key}")));
        }
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|x| x.as_f64().unwrap_or(f64::NAN));
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{place}: {a} {b}");
        }
        // The arithmetic as text, and layouts by the width of text, follow the numbers.
        (Value::String(_), Value::String(_)) => {}
        _ => assert_eq!(found, expected, "{place}"),
    }
}

/// The page of a loss as the program writes it, without its formula.
fn page(loss: &str) -> Result<String> {
    let subject = Subject::new(loss, "")?;
    let inputs = Inputs::samples(std::slice::from_ref(&subject))?;
    let tape = Tape::f64();
    let (_, page) = subject.page(&tape, &inputs)?;
    Ok(page.live(engine()?, controls(&subject, &inputs)?).to_html()?)
}

#[test]
#[ignore = "needs chromium"]
fn a_number_that_is_changed_changes_graph_gradients_paths_and_curve() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    let before = live.loss()?;
    live.enter("logits", 4, "2.5")?;
    assert_ne!(live.loss()?, before);
    assert_eq!(live.case()?["inputs"]["logits"][1][1], 2.5);
    live.shows_what_the_library_says()?;
    // The element in hand has its paths and its curve.
    assert!(live.browser.texts(".element h3")?[0].starts_with("∂L/∂logits[1, 1]"));
    assert_eq!(live.browser.texts(".element .plot")?.len(), 2);
    live.browser.picture("changed")?;
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn an_option_that_is_changed_is_that_of_the_library() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("huber")?;
    live.set("delta", "0.25")?;
    assert_eq!(live.case()?["setting"], "delta=0.25");
    live.shows_what_the_library_says()?;
    live.set("weight", "true")?;
    assert_eq!(live.case()?["setting"], "delta=0.25 weight");
    live.shows_what_the_library_says()?;
    // What the loss cannot have is said, and all stays.
    let before = live.loss()?;
    live.set("delta", "wide")?;
    assert!(live.browser.texts(".controls > .refused")?[0].contains("expected a number"));
    assert_eq!(live.loss()?, before);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn numbers_are_reset_drawn_and_pasted() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let first = live.case()?["inputs"].clone();
    live.browser.click(".random")?;
    assert_ne!(live.case()?["inputs"], first);
    live.browser.click(".reset")?;
    assert_eq!(live.case()?["inputs"], first);
    for (text, expected) in [
        (r#"{"prediction": [[1, 2]], "target": [[0, 0]]}"#, json!([[1.0, 2.0]])),
        ("array([[ 1. ,  2.5]])", json!([[1.0, 2.5]])),
        ("[[1. 2.]\\n ]", json!([[1.0, 2.0]])),
    ] {
        live.browser.run(&format!(
            "const dialog = document.querySelector('.pasting');
             dialog.showModal();
             dialog.querySelector('select').value = 'prediction';
             dialog.querySelector('textarea').value = `{text}`;
             dialog.querySelector('.tools button').click();
             return null"
        ))?;
        assert_near(&live.case()?["inputs"]["prediction"], &expected, text);
    }
    // Shapes that do not go together are refused in the words of the library.
    live.browser.run(
        "const dialog = document.querySelector('.pasting');
         dialog.showModal();
         dialog.querySelector('textarea').value = '{\"prediction\": [1, 2, 3]}';
         dialog.querySelector('.tools button').click();
         return null",
    )?;
    let said = live.browser.texts(".controls .refused")?;
    assert!(said.iter().any(|said| said.contains("mse: ")), "{said:?}");
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn descent_lowers_the_loss_and_divergence_is_named() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let before = live.loss()?;
    live.browser.click(".one")?;
    assert!(live.loss()? < before);
    live.browser.run("document.querySelector('.descent input').value = '1000'; return null")?;
    live.browser.click(".descend")?;
    let said = "const said = document.querySelector('.descent [role=status]').textContent;
                return said.startsWith('diverge') ? said : null";
    assert!(
        live.browser
            .wait(said)?
            .as_str()
            .is_some_and(|said| said.contains("a smaller rate may help"))
    );
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_link_leads_to_the_state_it_was_copied_at() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    live.enter("logits", 0, "0.75")?;
    live.set("label_smoothing", "0.1")?;
    live.browser.press("\u{E011}")?;
    live.browser.run("sides[0].go(7); sides[0].act.remember(); return null")?;
    let [data, state] = [live.data()?, live.browser.run("return location.hash.slice(1)")?];
    live.browser.visit(state.as_str().unwrap_or_default())?;
    live.started()?;
    let now = live.data()?;
    assert_eq!(now["live"], data["live"]);
    assert_eq!(live.browser.run("return sides[0].done")?, 7);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn the_engine_computes_what_the_library_computes() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    for loss in ALL {
        let drawn: Value = serde_json::from_str(&answer(
            &json!({ "draw": { "loss": loss.name, "setting": loss.grid[0] }, "seed": 1 })
                .to_string(),
        ))?;
        let case = json!({ "loss": loss.name, "setting": loss.grid[0], "inputs": drawn["inputs"] });
        let request = json!({ "page": case, "curves": [] }).to_string();
        let script = format!("return act.engine.exchange({})", json!(request));
        let reply = live.browser.run(&script)?;
        let [found, expected]: [Value; 2] = [
            serde_json::from_str(reply.as_str().unwrap_or_default())?,
            serde_json::from_str(&answer(&request))?,
        ];
        assert_near(&found["live"], &expected["live"], &format!("inputs of {}", loss.name));
        // The gradients of the inputs, and the loss. Between them, a comparison of nearly equal
        // numbers, and whether a slope is exactly 0, are matters of last digits.
        let nodes = |data: &Value| data["nodes"].as_array().cloned().unwrap_or_default();
        let (found, expected) = (nodes(&found), nodes(&expected));
        assert_eq!(found.len(), expected.len(), "{}", loss.name);
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            let is_input = b["inputs"].as_array().is_some_and(Vec::is_empty);
            if is_input || at + 1 == expected.len() {
                for part in ["value", "gradient"] {
                    assert_near(&a[part], &b[part], &format!("{part} {at} of {}", loss.name));
                }
            }
        }
    }
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn nothing_scrolls_sideways_on_a_phone_and_the_step_is_seen() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("giou")?;
    live.browser.resize(390, 844)?;
    let fits = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(live.browser.run(fits)?, true);
    let sheet = "const box = document.querySelector('.card.step').getBoundingClientRect();
                 return box.height > 40 && box.bottom <= innerHeight + 1";
    for scroll in [0, 600] {
        live.browser.run(&format!("scrollTo(0, {scroll}); return null"))?;
        assert_eq!(live.browser.run(sheet)?, true);
    }
    live.browser.picture("phone")?;
    live.console_is_silent()
}

/// `LOSSGRAPH_AXE` names axe.min.js of the package axe-core; without it there is nothing to run.
#[test]
#[ignore = "needs chromium"]
fn axe_finds_nothing_on_pages_of_all_families() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let Ok(axe) = std::env::var("LOSSGRAPH_AXE") else {
        println!("LOSSGRAPH_AXE is not set: axe did not run");
        return Ok(());
    };
    let axe = std::fs::read_to_string(&axe).map_err(|error| format!("{axe}: {error}"))?;
    let mut last = "";
    for loss in ALL {
        if std::mem::replace(&mut last, loss.family) == loss.family {
            continue;
        }
        let live = Live::new(loss.name)?;
        live.browser.run(&format!("{axe}; return null"))?;
        for keys in ["", "a", "e"] {
            live.browser.press(keys)?;
            live.browser.run(
                "window.found = null;
                 axe.run().then(({ violations }) => { window.found = violations; });
                 return null",
            )?;
            let found = live.browser.wait(
                "return window.found && window.found.map(({ id, nodes }) => [id, nodes.map(({ html }) => html).slice(0, 3)])",
            )?;
            assert_eq!(found, json!([]), "{} {keys}", loss.name);
        }
    }
    Ok(())
}
