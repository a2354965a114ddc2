//! Pages of the catalogue as a class has them: a number is changed, and everything follows.

mod input;
mod layout;
mod link;
mod page;
mod paper;
mod same;
mod share;
mod times;

use lossgraph_browser::Result;
use lossgraph_engine::answer;
use lossgraph_losses::ALL;
use page::{Live, is_there};
use same::assert_same;
use serde_json::{Value, json};

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

/// Losses whose row says what they are about, with an input that a figure is of and what the figure says
/// once that is changed.
#[test]
#[ignore = "needs chromium"]
fn the_figure_of_a_loss_follows_its_inputs() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for (loss, input) in [
        ("list_mle", "scores"),
        ("ssim", "prediction"),
        ("ctc", "log_p"),
        ("fast_ap", "embeddings"),
        ("dice", "logits"),
    ] {
        let live = Live::new(loss)?;
        let told = "return document.querySelector('.figure').textContent";
        let before = live.browser.run(told)?;
        live.enter(input, 0, "-0.75")?;
        assert_ne!(live.browser.run(told)?, before, "{loss}");
        live.shows_what_the_library_says()?;
        let figure = live.data()?["live"]["figure"].clone();
        let captions = live.browser.texts(".figure figcaption")?;
        assert_eq!(captions.len(), figure["panels"].as_array().map_or(0, Vec::len), "{loss}");
        assert_eq!(captions[0], figure["panels"][0]["caption"], "{loss}");
        live.browser.picture(loss)?;
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn the_probabilities_of_a_cross_entropy_follow_its_logits() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    // Two equal logits and an impossible one, of which the first is the label's: −ln 0.5.
    live.browser.run(
        "sides[0].change({ inputs: { logits: [[3, 3, -1000]], labels: [0] } }); return null",
    )?;
    assert_eq!(live.browser.texts(".classes .contribution")?, ["0.5 ▲", "0.5 ▼", "0 ·"]);
    assert_eq!(live.browser.texts(".family figcaption")?, ["0: −ln 0.5 = 0.6931"]);
    assert_eq!(live.browser.texts(".classes .true .item")?, ["0"]);
    live.browser.picture("probabilities")?;
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn the_arithmetic_of_a_step_is_written_out_when_it_is_looked_at() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    // What nobody looked at yet, the page does not carry.
    assert_eq!(live.data()?["nodes"][2]["forward"], Value::Null);
    live.browser.run("sides[0].go(1); return null")?;
    let lines = live.browser.texts(".card.step .line")?;
    assert!(lines[0].starts_with("a[0, 0] = "), "{lines:?}");
    live.browser.run("sides[0].go(sides[0].steps.length - 1); return null")?;
    assert!(!live.browser.texts(".card.step .line")?.is_empty());
    // Nor the paths of an element.
    live.browser.run("sides[0].chooseInput('prediction', 2); return null")?;
    assert!(live.browser.texts(".element .path")?.len() == 1);
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
             document.querySelector('.controls .paste').click();
             dialog.querySelector('select').value = 'prediction';
             dialog.querySelector('textarea').value = `{text}`;
             dialog.querySelector('.tools button').click();
             return null"
        ))?;
        assert_same(&live.case()?["inputs"]["prediction"], &expected, text);
    }
    // Shapes that do not go together are refused in the words of the library.
    live.browser.run(
        "const dialog = document.querySelector('.pasting');
         document.querySelector('.controls .paste').click();
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
fn a_number_that_is_changed_ends_the_comparison_of_the_one_before() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    live.browser.run(
        "const ask = act.engine.ask.bind(act.engine);
         window.asked = [];
         act.engine.ask = (request) => { asked.push(request); return ask(request); };
         return null",
    )?;
    live.enter("logits", 0, "0.75")?;
    live.browser.wait("return asked.some(({ check }) => check) || null")?;
    live.enter("logits", 0, "1.25")?;
    live.shows_what_the_library_says()?;
    let kinds = live.browser.run(
        "return asked.flatMap((request) => Object.keys(request).slice(0, 1)
             .filter((kind) => kind !== 'page').map((kind) => [kind, request[kind].inputs.logits[0][0]]))",
    )?;
    let kinds = kinds.as_array().cloned().unwrap_or_default();
    let first = kinds.iter().take_while(|kind| **kind == json!(["check", 0.75])).count();
    let wanted = live.data()?["nodes"]
        .as_array()
        .map_or(0, |nodes| nodes.iter().filter(|node| !node["check"].is_null()).count());
    // Each gradient by itself; of the number before, no more than were there when the next one came.
    assert!((1..wanted).contains(&first), "{first} of {wanted}");
    let mut rest = vec![json!(["check", 1.25]); wanted];
    rest.push(json!(["rest", 1.25]));
    assert_eq!(kinds[first..], rest);
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
fn descent_says_what_a_rate_is_and_what_stays_a_distribution() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("ctc")?;
    let said = |rate: &str| {
        live.browser.run(&format!(
            "document.querySelector('.descent input').value = '{rate}';
             document.querySelector('.one').click();
             const said = document.querySelector('.descent [role=status]');
             return [said.textContent, said.classList.contains('refused')]"
        ))
    };
    for (rate, told) in [
        ("0", "at a rate of 0 nothing moves: the rate is a number above 0"),
        ("abc", "the rate is a number above 0, such as 0.1"),
        ("inf", "the rate is a number above 0, such as 0.1"),
        ("-1", "the rate is a number above 0, such as 0.1"),
    ] {
        assert_eq!(said(rate)?, json!([told, true]), "{rate}");
    }
    let told = said("0,5")?;
    let sentence = "; log_p stays log-probabilities along the last axis: after each step, it is its log_softmax";
    assert!(told[0].as_str().is_some_and(|told| told.ends_with(sentence)), "{told}");
    assert_eq!((&told[1], live.remarks()?), (&json!(false), String::new()));
    // A number that is typed leaves the domain, and that is said.
    live.enter("log_p", 0, "1e308")?;
    assert!(live.remarks()?.contains("does not hold log-probabilities"), "{}", live.remarks()?);
    live.console_is_silent()?;
    let live = Live::new("giou")?;
    live.browser.run("document.querySelector('.descent input').value = '1000'; return null")?;
    let before = live.case()?;
    live.browser.click(".descend")?;
    let said = live.browser.texts(".descent [role=status]")?[0].clone();
    assert!(said.starts_with("stops after 0 steps: ") && !said.contains('%'), "{said}");
    assert_eq!(live.case()?, before);
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
        let request = json!({ "page": case, "curves": [], "shows": null }).to_string();
        let script = format!("return act.engine.exchange({})", json!(request));
        let reply = live.browser.run(&script)?;
        let [found, expected]: [Value; 2] = [
            serde_json::from_str(reply.as_str().unwrap_or_default())?,
            serde_json::from_str(&answer(&request))?,
        ];
        assert_same(&found["live"], &expected["live"], &format!("inputs of {}", loss.name));
        // The gradients of the inputs, and the loss. Between them, a comparison of nearly equal
        // numbers, and whether a slope is exactly 0, are matters of last digits.
        let nodes = |data: &Value| data["nodes"].as_array().cloned().unwrap_or_default();
        let (found, expected) = (nodes(&found), nodes(&expected));
        assert_eq!(found.len(), expected.len(), "{}", loss.name);
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            let is_input = b["inputs"].as_array().is_some_and(Vec::is_empty);
            if is_input || at + 1 == expected.len() {
                for part in ["value", "gradient"] {
                    assert_same(&a[part], &b[part], &format!("{part} {at} of {}", loss.name));
                }
            }
        }
    }
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
