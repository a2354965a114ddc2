//! Numbers that a reader types or pastes: what is taken, and what is said of the rest.

use lossgraph_browser::Result;
use lossgraph_engine::answer;
use serde_json::{Value, json};

use crate::page::{Live, is_there};
use crate::same::assert_same;

/// What of the drawings lies nowhere: attributes that are no numbers.
const LOST: &str = "
    return [...document.querySelectorAll('svg, svg *')].flatMap((element) => [...element.attributes]
        .filter(({ name, value }) => !name.startsWith('aria-') && /NaN|Infinity/.test(value))
        .map(({ name, value }) => `${element.tagName} ${name}=${value}`))";

#[test]
#[ignore = "needs chromium"]
fn a_decimal_comma_is_a_decimal_point() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    live.enter("prediction", 0, "2,75")?;
    assert_eq!(live.case()?["inputs"]["prediction"][0][0], 2.75);
    // While it is typed, it stays as it is typed.
    let typed = "return document.querySelector('[data-input=prediction]').value";
    assert_eq!(live.browser.run(typed)?, "2,75");
    live.shows_what_the_library_says()?;
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_cell_that_holds_no_number_is_named_and_does_not_stay() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let before = live.loss()?;
    live.enter("prediction", 1, "0.5")?;
    live.enter("prediction", 1, "half")?;
    let said = live.browser.texts(".controls > .refused")?;
    assert_eq!(said, ["“half” is no number: prediction [0, 1] is still 0.5"]);
    let field =
        "const field = document.querySelector('[data-input=prediction][data-element=\"1\"]');";
    let invalid = live.browser.run(&format!("{field} return field.ariaInvalid"))?;
    assert_eq!(invalid, "true");
    assert_ne!(live.loss()?, before);
    let left = format!(
        "{field} field.dispatchEvent(new FocusEvent('blur')); return [field.value, field.ariaInvalid]"
    );
    assert_eq!(live.browser.run(&left)?, json!(["0.5", "false"]));
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn an_input_without_a_gradient_says_so() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    // The embeddings of circle are constants of its checks, and have a gradient all the same.
    for (loss, expected) in
        [("cross_entropy", vec!["labels"]), ("mse", vec![]), ("circle", vec!["labels"])]
    {
        let live = Live::new(loss)?;
        let labelled = live.browser.run(
            "return [...document.querySelectorAll('.entry-tensor')]
                 .filter((tensor) => tensor.querySelector('.unmoved:not([hidden])'))
                 .map((tensor) => tensor.querySelector('legend b').textContent)",
        )?;
        assert_eq!(labelled, json!(expected), "{loss}");
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn infinite_and_huge_numbers_are_taken_and_what_cannot_be_drawn_says_why() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for (loss, input) in [
        ("mse", "prediction"),
        ("cross_entropy", "logits"),
        ("list_net", "scores"),
        ("triplet_margin", "anchor"),
        ("info_nce", "query"),
        ("ssim", "prediction"),
        ("ctc", "log_p"),
        ("giou", "prediction"),
    ] {
        let live = Live::new(loss)?;
        live.browser.run("document.querySelector('.surface').open = true; return null")?;
        for (typed, expected) in
            [("1e308", json!(1e308)), ("inf", json!("Infinity")), ("-Infinity", json!("-Infinity"))]
        {
            live.enter(input, 0, typed)?;
            let told = format!("{loss} {typed}");
            let refused = live.browser.texts(".controls > .refused:not([hidden])")?;
            // A loss may refuse it, in its own name.
            if refused.iter().all(String::is_empty) {
                let mut first = live.case()?["inputs"][input].clone();
                while first.is_array() {
                    first = first[0].clone();
                }
                assert_eq!(first, expected, "{told}");
                let request = json!({ "page": live.case()?, "curves": [], "shows": null });
                let expected: Value = serde_json::from_str(&answer(&request.to_string()))?;
                let nodes = live.data()?["nodes"].clone();
                for (at, node) in expected["nodes"].as_array().into_iter().flatten().enumerate() {
                    for part in ["value", "gradient"] {
                        assert_same(&nodes[at][part], &node[part], &format!("{part} {at}, {told}"));
                    }
                }
                let why = live.browser.texts(".element > .hint")?;
                assert!(why.iter().any(|why| why.starts_with("No curve: ")), "{told}: {why:?}");
            } else {
                assert!(refused[0].starts_with(loss) && !refused[0].contains(".rs"), "{refused:?}");
            }
            assert_eq!(live.browser.run(LOST)?, json!([]), "{told}");
        }
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn padding_is_said_and_in_no_list_and_the_graph_stays() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("list_net")?;
    let shown = "return [...document.querySelectorAll('.drawing .title')].map(({ textContent }) => textContent)";
    let before = live.browser.run(shown)?;
    let items = || live.browser.texts(".ranked .item");
    let all = items()?.len();
    live.enter("scores", 0, "-inf")?;
    assert_eq!(live.remarks()?, "scores[0, 0] is −∞, which is padding: no list has that item");
    assert_eq!(items()?.len(), all - 1);
    // Its ops are still seen, and not one box.
    let titles = live.browser.run(shown)?;
    for op in ["log-softmax", "softmax", "times"] {
        assert!(titles.as_array().is_some_and(|all| all.contains(&json!(op))), "{op}: {titles}");
    }
    live.enter("scores", 0, "0.5")?;
    assert_eq!((live.remarks()?, live.browser.run(shown)?), (String::new(), before));
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_number_beyond_all_is_named_with_what_infinity_is_called() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let before = live.case()?;
    let told = "1e999 is beyond the range of numbers, which ends at 1.8e308: infinity is written \"Infinity\"";
    live.enter("prediction", 0, "1e999")?;
    assert!(live.browser.texts(".controls > .refused")?[0].starts_with(told));
    for text in [r#"{"prediction": [[1e999, 1]], "target": [[0, 0]]}"#, "[[1e999, 1]]", "1e999, 1"]
    {
        assert_eq!(paste(&live, text)?[0], told, "{text}");
    }
    live.browser.visit("prediction=[[1e999,1]]")?;
    live.started()?;
    let said = live.browser.texts(".status")?[0].clone();
    assert!(said.contains(told), "{said}");
    assert_eq!(live.case()?, before);
    live.browser.visit("prediction=[[\"Infinity\",1]]&target=[[0,0]]")?;
    live.started()?;
    assert_eq!(live.case()?["inputs"]["prediction"], json!([["Infinity", 1]]));
    live.console_is_silent()
}

/// Pastes a text, into an input where it has no names.
fn paste(live: &Live, text: &str) -> Result<Value> {
    live.browser.run(&format!(
        "const dialog = document.querySelector('.pasting');
         document.querySelector('.controls .paste').click();
         dialog.querySelector('textarea').value = {};
         dialog.querySelector('.tools button').click();
         const said = [dialog.querySelector('.refused').textContent, document.querySelector('.status').textContent];
         dialog.close();
         return said",
        json!(text)
    ))
}

#[test]
#[ignore = "needs chromium"]
fn what_is_pasted_and_not_understood_is_said() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("mse")?;
    let before = live.case()?;
    for (text, told) in [
        ("hello", "“hello” is no number"),
        (r#"{"nonsense": [1, 2]}"#, "there is no input “nonsense”: expected prediction, target"),
        (r#"{"prediction": [[1, 2}"#, "do not fit together"),
        (r#"{"prediction": "abc"}"#, r#""abc" is no number"#),
    ] {
        let said = paste(&live, text)?;
        assert!(said[0].as_str().is_some_and(|said| said.contains(told)), "{text}: {said}");
        assert_eq!(live.case()?, before, "{text}");
    }
    // What is understood is taken, and the rest is named; NaN is written as Python writes it.
    let text = r#"{"prediction": [[NaN, 1]], "target": [[0, 0]], "extra": 3}"#;
    let said = paste(&live, text)?;
    assert_eq!(said[0], "");
    let status = said[1].as_str().unwrap_or_default();
    assert!(status.contains("there is no input “extra”"), "{status}");
    assert_eq!(live.case()?["inputs"]["prediction"], json!([["NaN", 1]]));
    // Numbers for a tensor that is an option switch it on.
    paste(&live, r#"{"prediction": [[1, 2]], "target": [[0, 0]], "weight": [[1, 3]]}"#)?;
    assert_eq!(live.case()?["setting"], "weight");
    live.shows_what_the_library_says()?;
    assert!(live.browser.texts(".status")?[0].starts_with("live: "));
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_paste_that_is_wrong_has_one_error_at_a_time() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("cross_entropy")?;
    let standing = "return [...document.querySelectorAll('.controls .refused')]
        .filter((said) => !said.hidden && said.textContent !== '').map((said) => said.textContent)";
    for (text, told) in [
        (r#"{"labels": [1e20]}"#, "labels holds 1e20, expected whole numbers of at most 15 digits"),
        (r#"{"logits": [1, 2]}"#, "cross_entropy: "),
    ] {
        live.browser.run(&format!(
            "const dialog = document.querySelector('.pasting');
             if (!dialog.open) document.querySelector('.controls .paste').click();
             dialog.querySelector('textarea').value = {};
             dialog.querySelector('.tools button').click();
             return null",
            json!(text)
        ))?;
        let said = live.browser.run(standing)?;
        assert_eq!(said.as_array().map(Vec::len), Some(1), "{said}");
        assert!(said[0].as_str().is_some_and(|said| said.contains(told)), "{said}");
    }
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn descent_moves_what_has_a_gradient_or_says_why_not() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    // The weights of circle are constants to the gradient, and its embeddings move all the same.
    let live = Live::new("circle")?;
    assert_eq!(live.browser.texts(".descent .moving label")?, ["embeddings"]);
    let before = live.case()?["inputs"].clone();
    live.browser.click(".one")?;
    assert_ne!(live.case()?["inputs"], before);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn the_teaching_view_has_no_gradient_into_constants() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("ctc")?;
    let told = "const side = sides[0];
        const constants = side.data.nodes.flatMap((node, at) => (node.passive ? [at] : []));
        return [constants.length, constants.filter((at) => side.data.nodes[at].gradient).length,
            side.steps.filter(({ into }) => constants.includes(into)).length]";
    let found = live.browser.run(told)?;
    assert!(found[0].as_u64() > Some(5), "{found}");
    assert_eq!((&found[1], &found[2]), (&json!(0), &json!(0)));
    // Every op has them.
    live.browser.press("e")?;
    assert!(live.browser.run(told)?[1].as_u64() > Some(0));
    live.console_is_silent()
}
