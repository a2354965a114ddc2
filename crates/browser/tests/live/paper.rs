//! What goes onto paper.

use lossgraph_browser::Result;
use serde_json::{Value, json};

use crate::page::{Live, is_there};

/// What is printed: figures with their names, how large the text of their drawings is at least, whether
/// one is wider than its page, how many boxes are cut, and how many drawings with a hazard do not say which.
const PRINTED: &str = "
    let printed = null;
    window.print = () => {
        dispatchEvent(new Event('beforeprint'));
        const drawings = [...document.querySelectorAll('.levels .drawing')];
        const scale = (drawing) => Number(drawing.getAttribute('width')) / Number(drawing.getAttribute('viewBox').split(' ')[2]);
        printed = {
            names: [...document.querySelectorAll('.levels figcaption')].map(({ textContent }) => textContent),
            text: Math.min(...drawings.map((drawing) => 11 * scale(drawing))),
            whole: 11 * scale(drawings[0]),
            cut: drawings.filter((drawing) => 11 * scale(drawing) < 8.5 && drawing.closest('figure').textContent.includes(', part ')).length,
            wide: drawings.filter((drawing) => Number(drawing.getAttribute('width')) > 731).length,
            halved: drawings.flatMap((drawing) => {
                const [x, y, width, height] = drawing.getAttribute('viewBox').split(' ').map(Number);
                const turned = drawing.querySelector(':scope > g[transform^=rotate]');
                return [...(turned ?? drawing).querySelectorAll(':scope > .box')].filter((box) => {
                    const [left, top] = box.getAttribute('transform').match(/[-\\d.]+/g).map(Number);
                    const [across, down] = ['width', 'height'].map((side) => Number(box.querySelector(':scope > .face > rect').getAttribute(side)));
                    const [from, to] = turned ? [[top, -left - across], [top + down, -left]] : [[left, top], [left + across, top + down]];
                    const meets = from[0] < x + width && to[0] > x && from[1] < y + height && to[1] > y;
                    return meets && !(from[0] >= x && to[0] <= x + width && from[1] >= y && to[1] <= y + height);
                });
            }).length,
            warned: [...document.querySelectorAll('.levels figure')].filter((figure) => figure.querySelector('.badge.warning') && !figure.querySelector('p.hazard')).length,
            hazards: document.querySelectorAll('.levels p.hazard').length,
            steps: document.querySelectorAll('.handout li').length,
        };
        dispatchEvent(new Event('afterprint'));
    };
    document.querySelector('.print-steps').click();
    printed.left = document.querySelectorAll('.levels, .handout').length;
    return printed";

#[test]
#[ignore = "needs chromium"]
fn a_handout_has_each_level_by_itself_in_a_size_that_can_be_read() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["list_net", "cross_entropy", "circle", "ctc", "giou"] {
        let live = Live::new(loss)?;
        live.browser.run("sides[0].go(3); return null")?;
        let printed = live.browser.run(PRINTED)?;
        let names = printed["names"].as_array().cloned().unwrap_or_default();
        assert!(names[0].as_str().is_some_and(|name| name.starts_with("the whole loss")), "{loss}");
        assert!(names.len() > 1 && !names.contains(&json!("guard, nothing to do")), "{names:?}");
        // A level is drawn smaller rather than cut: not the whole loss.
        assert!(printed["whole"].as_f64() >= Some(8.5), "{loss}: {}", printed["whole"]);
        assert!(printed["text"].as_f64() >= Some(5.5), "{loss}: {}", printed["text"]);
        assert_eq!(printed["cut"], json!(0), "{loss}");
        assert_eq!(printed["wide"], json!(0), "{loss}");
        assert_eq!(printed["halved"], json!(0), "{loss}: boxes that are cut");
        // What a “!” stands for is said below its drawing.
        assert_eq!(printed["warned"], json!(0), "{loss}");
        assert!(loss != "giou" || printed["hazards"].as_u64() > Some(0), "{loss}");
        assert_eq!(printed["steps"], live.browser.run("return sides[0].steps.length")?, "{loss}");
        // Nothing of it stays.
        assert_eq!(
            (&printed["left"], live.browser.run("return sides[0].done")?),
            (&json!(0), json!(3))
        );
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn no_number_of_a_formula_goes_over_two_lines() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("list_net")?;
    let broken = live.browser.run(
        "const sheet = document.createElement('section');
         sheet.style.width = '240px';
         sides[0].writeOutAll();
         sheet.append(...sides[0].steps.map((_, at) => description(sides[0].data.nodes, sides[0].steps, at + 1)));
         document.body.append(sheet);
         const texts = [];
         const walker = document.createTreeWalker(sheet, NodeFilter.SHOW_TEXT);
         while (walker.nextNode()) texts.push(walker.currentNode);
         const broken = [];
         for (const text of texts) {
             for (const { index, 0: number } of text.data.matchAll(/−?[0-9][0-9.]*(e−?[0-9]+)?/g)) {
                 const range = document.createRange();
                 range.setStart(text, index);
                 range.setEnd(text, index + number.length);
                 if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) broken.push(number);
             }
         }
         return broken",
    )?;
    assert_eq!(broken, Value::Array(Vec::new()));
    live.console_is_silent()
}
