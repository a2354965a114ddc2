//! What can be passed on from a page: a link, the inputs, a drawing, a handout, a slide.

use lossgraph_browser::Result;
use serde_json::{Value, json};

use crate::page::{Live, is_there};

#[test]
#[ignore = "needs chromium"]
fn a_link_leads_to_the_group_the_view_and_the_element_it_was_copied_at() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    live.browser.press("e")?;
    live.browser.click(".box.group > .face")?;
    live.browser.run("sides[0].chooseInput('logits', 2); sides[0].act.remember(); return null")?;
    let told = "const { view, node, element } = sides[0];
                return [view, sides[0].state().open, node, element]";
    let [told_before, state] =
        [live.browser.run(told)?, live.browser.run("return location.hash.slice(1)")?];
    assert_eq!(told_before[0], "ops");
    assert!(told_before[1].is_string(), "{told_before}");
    live.browser.visit(state.as_str().unwrap_or_default())?;
    live.started()?;
    assert_eq!(live.browser.run(told)?, told_before);
    // The curve of the element is drawn by the engine.
    assert_eq!(live.browser.texts(".element .plot")?.len(), 2);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn the_link_and_the_inputs_are_copied() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    live.enter("prediction", 1, "7.5")?;
    live.browser.run(
        "window.copied = [];
         Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { copied.push(text); } } });
         return null",
    )?;
    live.browser.click(".copy-json")?;
    live.browser.click(".copy-link")?;
    let copied = live.browser.wait("return copied.length === 2 && copied")?;
    let inputs: Value = serde_json::from_str(copied[0].as_str().unwrap_or_default())?;
    assert_eq!(inputs, live.case()?["inputs"]);
    assert_eq!(inputs["prediction"][0][1], 7.5);
    let link = copied[1].as_str().unwrap_or_default().to_owned();
    assert_eq!(Some(link.as_str()), live.browser.run("return location.href")?.as_str());
    assert!(link.contains("#") && link.contains("prediction="), "{link}");
    assert_eq!(live.browser.texts(".share output")?, ["the link is copied"]);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn the_drawing_is_saved_as_svg_and_as_png() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    // What is saved is caught on its way.
    live.browser.run(
        "window.saved = {};
         const [blobs, make] = [{}, URL.createObjectURL];
         URL.createObjectURL = (blob) => { const url = make(blob); blobs[url] = blob; return url; };
         HTMLAnchorElement.prototype.click = function () { saved[this.download] = blobs[this.href]; };
         return null",
    )?;
    live.browser.click(".save-svg")?;
    live.browser.click(".save-png")?;
    live.browser.wait("return 'mse.png' in saved && 'mse.svg' in saved")?;
    live.browser.run(
        "window.found = null;
         const { type, size } = saved['mse.png'];
         saved['mse.svg'].text().then((text) => { window.found = { text, type, size }; });
         return null",
    )?;
    let found = live.browser.wait("return found")?;
    let text = found["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("<svg") && text.contains("square"), "{text:.200}");
    assert_eq!(found["type"], "image/png");
    assert!(found["size"].as_u64() > Some(2000), "{}", found["size"]);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_handout_has_all_steps() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let printed = live.browser.run(
        "let printed = null;
         window.print = () => {
             const items = [...document.querySelectorAll('.handout li')];
             printed = [items.length, items[0].textContent, document.body.classList.contains('printing-steps')];
         };
         document.querySelector('.print-steps').click();
         return [printed, sides[0].steps.length, document.querySelectorAll('.handout').length]",
    )?;
    assert_eq!(printed[0][0], printed[1]);
    assert!(
        printed[0][1].as_str().is_some_and(|text| text.starts_with("a = prediction − target")),
        "{printed}"
    );
    assert_eq!((&printed[0][2], &printed[2]), (&json!(true), &json!(0)));
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_slide_has_the_drawing_and_the_step_alone() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::embedded("cross_entropy")?;
    let seen = |selector: &str| {
        live.browser.run(&format!(
            "const box = document.querySelector('{selector}').getBoundingClientRect();
             return box.width > 0 && box.height > 0"
        ))
    };
    assert_eq!(seen(".drawing")?, true);
    for hidden in [".bar-of-tools", ".controls", ".notes", ".panel > .node", ".legend"] {
        assert_eq!(seen(hidden)?, false, "{hidden}");
    }
    live.browser.press("\u{E011}\u{E014}")?;
    assert_eq!(seen(".card.step")?, true);
    live.console_is_silent()
}
