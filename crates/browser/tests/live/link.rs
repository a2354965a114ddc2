//! Links to states of a page: what of them is understood is taken, and the rest is said.

use lossgraph_browser::Result;
use serde_json::json;

use crate::page::{Live, is_there};

#[test]
#[ignore = "needs chromium"]
fn what_a_link_says_that_is_nonsense_is_said() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    let before = live.case()?["inputs"].clone();
    live.browser.visit(
        "logits=abc&step=999&open=zzz&label_smoothing=0.25&at=logits.99&foo=1&view=x&7.step=2",
    )?;
    live.started()?;
    let said = live.browser.texts(".status")?[0].clone();
    assert!(said.starts_with("Not understood in the link: "), "{said}");
    for lost in [
        "logits=abc (expected numbers, such as [[1, 2], [3, 4]])",
        "step=999 (expected a number from 0 to ",
        "open=zzz (there is no such group)",
        "at=logits.99 (there is no such element)",
        "foo=1 (there is no such input or option)",
        "view=x (expected ops or teaching)",
        "7.step=2 (there is no such input or option)",
    ] {
        assert!(said.contains(lost), "{lost}: {said}");
    }
    // What was understood is taken.
    assert!(!said.contains("label_smoothing"), "{said}");
    assert_eq!(live.case()?["setting"], "label_smoothing=0.25");
    assert_eq!(live.case()?["inputs"], before);
    // An edit that is taken makes all well.
    live.enter("logits", 0, "1")?;
    assert!(live.browser.texts(".status")?[0].starts_with("live: "));
    live.console_is_silent()
}

/// The link that `docs/explaining.md` shows.
#[test]
#[ignore = "needs chromium"]
fn the_link_of_the_docs_is_one() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explaining.md");
    let docs = std::fs::read_to_string(docs)?;
    let link = docs.split("`#").nth(1).and_then(|rest| rest.split('`').next()).unwrap_or_default();
    let live = Live::new("cross_entropy")?;
    live.browser.visit(link)?;
    live.started()?;
    assert!(live.browser.texts(".status")?[0].starts_with("live: "), "{link}");
    // All of it is taken: the page writes the same link.
    assert_eq!(live.browser.run("return decodeURIComponent(stateText(sides))")?, link);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn what_a_loss_cannot_have_of_a_link_is_left_out() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("huber")?;
    live.browser.visit("delta=-1&prediction=[[1,2]]&target=[[0,0]]&weight=[[1,3]]")?;
    live.started()?;
    let said = live.browser.texts(".status")?[0].clone();
    assert!(said.contains("delta=-1 (huber: delta is -1, expected a number above 0)"), "{said}");
    live.browser.visit("prediction=[[1,2]]&target=[[0,0]]&weight=[[1,3]]&delta=2")?;
    live.started()?;
    let case = live.case()?;
    assert_eq!(case["setting"], "delta=2 weight");
    assert_eq!(case["inputs"]["weight"], json!([[1, 3]]));
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn what_a_link_says_twice_is_said() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("huber")?;
    live.browser.visit("delta=2&prediction=[[1,2]]&target=[[0,0]]&delta=3")?;
    live.started()?;
    let said = live.browser.texts(".status")?[0].clone();
    assert!(said.contains("delta=2 (it comes again, and the last one is taken)"), "{said}");
    assert!(!said.contains("delta=3"), "{said}");
    assert_eq!(live.case()?["setting"], "delta=3");
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn no_gradient_is_shown_before_it_is_computed() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    let slopes = || live.browser.texts(".entry .slope:not(:empty)");
    assert!(!slopes()?.is_empty());
    live.browser.visit("at=logits.0&step=8")?;
    live.started()?;
    assert_eq!(live.browser.run("return [sides[0].done, sides[0].element]")?, json!([8, 0]));
    assert_eq!(slopes()?, Vec::<String>::new());
    assert_eq!(live.browser.texts(".element")?, Vec::<String>::new());
    assert!(!live.browser.texts(".panel")?[0].contains(['▲', '▼']));
    assert!(
        live.browser.texts(".node .hint")?.contains(&"Its gradient is not computed yet.".into())
    );
    let titles = live.browser.texts(".drawing .edge title")?;
    assert!(
        !titles.is_empty() && titles.iter().all(|title| !title.contains("flows back, at most"))
    );
    // At the last step, all of it is there.
    live.browser.run(
        "sides[0].go(sides[0].steps.length); sides[0].chooseInput('logits', 0); return null",
    )?;
    assert!(!slopes()?.is_empty() && !live.browser.texts(".element")?.is_empty());
    live.console_is_silent()
}
