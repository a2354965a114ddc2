//! Where things are on a page: all of the graph is seen, and nothing covers it.

use lossgraph_browser::Result;
use serde_json::json;

use crate::page::{Live, is_there};

/// Whether all boxes lie within the picture, and the tools outside of it.
const IS_WHOLE: &str = "
    const at = (element) => element.getBoundingClientRect();
    const picture = at(document.querySelector('.picture'));
    const inside = ({ left, right, top, bottom }) => left >= picture.left - 1 && right <= picture.right + 1
        && top >= picture.top - 1 && bottom <= picture.bottom + 1;
    const apart = ({ left, right, top, bottom }) => right <= picture.left || left >= picture.right
        || bottom <= picture.top + 1 || top >= picture.bottom - 1;
    return [...document.querySelectorAll('.drawing .box > .face')].every((face) => inside(at(face)))
        && [...document.querySelectorAll('.search, .zoom, .map:not([hidden])')].every((tool) => apart(at(tool)))";

#[test]
#[ignore = "needs chromium"]
fn a_page_opens_with_all_of_its_graph_in_sight_and_nothing_over_it() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["huber", "kl_div", "triplet_margin", "giou"] {
        let live = Live::new(loss)?;
        for size in [[1280, 800], [1920, 1080]] {
            live.browser.resize(size[0], size[1])?;
            assert_eq!(live.browser.run(IS_WHOLE)?, json!(true), "{loss} {size:?}");
        }
        // What is larger than the frame has a map, beside it.
        live.browser.press("+++")?;
        let tools = "return document.querySelector('.map').hidden";
        assert_eq!(live.browser.run(tools)?, json!(false), "{loss}");
        live.console_is_silent()?;
    }
    Ok(())
}

/// Whether all cells of inputs lie within their column.
const NO_CELL_IS_CUT: &str = "
    const column = document.querySelector('.changes').getBoundingClientRect();
    return [...document.querySelectorAll('.entry')].every((cell) => cell.getBoundingClientRect().right <= column.right - 8)";

#[test]
#[ignore = "needs chromium"]
fn no_number_of_an_input_is_cut() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["giou", "list_mle", "ctc", "ssim", "fast_ap"] {
        let live = Live::new(loss)?;
        for size in [[1280, 800], [1920, 1080]] {
            live.browser.resize(size[0], size[1])?;
            assert_eq!(live.browser.run(NO_CELL_IS_CUT)?, json!(true), "{loss} {size:?}");
        }
        live.console_is_silent()?;
    }
    Ok(())
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
    live.browser.run("scrollTo(0, 0); return null")?;
    // The sheet covers none of the graph.
    let seen = "const sheet = document.querySelector('.card.step').getBoundingClientRect();
                return [...document.querySelectorAll('.drawing .box > .face')]
                    .every((face) => face.getBoundingClientRect().bottom <= sheet.top)";
    assert_eq!(live.browser.run(seen)?, true);
    live.browser.picture("phone")?;
    live.console_is_silent()
}

/// Whether no table of numbers is wider than its place, and the text of the graph can be read.
const IS_READ_ON_A_PHONE: &str = "
    const tables = [...document.querySelectorAll('.grid')].every((grid) => grid.scrollWidth <= grid.clientWidth);
    return tables && sides[0].frame.drawnAt * 11 >= 6.5";

#[test]
#[ignore = "needs chromium"]
fn a_phone_shows_whole_tables_and_a_graph_that_can_be_read() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["ctc", "ssim", "huber", "kl_div", "triplet_margin"] {
        let live = Live::new(loss)?;
        live.browser.resize(390, 844)?;
        assert_eq!(live.browser.run(IS_READ_ON_A_PHONE)?, json!(true), "{loss}");
        // The box that is chosen is in sight, and all of them if somebody asks.
        let seen = "const at = (element) => element.getBoundingClientRect();
                    const picture = at(document.querySelector('.picture'));
                    return [...document.querySelectorAll('.box.selected > .face')].every((face) =>
                        at(face).left >= picture.left - 1 && at(face).right <= picture.right + 1)";
        assert_eq!(live.browser.run(seen)?, json!(true), "{loss}");
        live.browser.press("0")?;
        let all = seen.replace("'.box.selected > .face'", "'.drawing .box > .face'");
        assert_eq!(live.browser.run(&all)?, json!(true), "{loss}");
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn a_phone_shows_all_of_a_graph_or_where_it_goes_on() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["cross_entropy", "ctc", "list_net", "circle", "giou", "ms_ssim"] {
        let live = Live::new(loss)?;
        live.browser.resize(390, 844)?;
        let seen = live.browser.run(
            "const at = (element) => element.getBoundingClientRect();
             const picture = at(document.querySelector('.picture'));
             const faces = [...document.querySelectorAll('.drawing .box > .face')].map(at);
             const inside = ({ left, right, top, bottom }) => left >= picture.left - 1 && right <= picture.right + 1
                 && top >= picture.top - 1 && bottom <= picture.bottom + 1;
             const map = document.querySelector('.map');
             const sheet = at(document.querySelector('.card.step'));
             return [faces.every(inside), inside(at(document.querySelector('.box.leaf > .face'))),
                 at(map).height > 0 && at(map).bottom <= sheet.top + 1, getComputedStyle(document.querySelector('.picture')).maskImage !== 'none']",
        )?;
        let is_whole = seen[0] == json!(true);
        assert_eq!(seen, json!([is_whole, true, !is_whole, !is_whole]), "{loss}");
        live.browser.picture(&format!("phone-{loss}"))?;
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn matrices_of_an_input_are_told_apart() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("ctc")?;
    let titles = live.browser.texts(".entry-tensor:first-child .matrix")?;
    assert_eq!(titles, ["[0, ·, ·]", "[1, ·, ·]", "[2, ·, ·]", "[3, ·, ·]", "[4, ·, ·]"]);
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn triplets_are_drawn_at_their_true_distances() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("triplet_margin")?;
    let apart = live.browser.run(
        "const rows = (name) => sides[0].live.numbers[name];
         const apart = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
         const far = rows('anchor').map((a, i) => [apart(a, rows('positive')[i]), apart(a, rows('negative')[i])]);
         return [...document.querySelectorAll('.triplets .scene')].map((scene, i) => {
             const center = (circle) => [circle.cx.baseVal.value, circle.cy.baseVal.value];
             const [a, p, n] = [...scene.querySelectorAll('.handle')].map(center);
             const radius = scene.querySelector('.margin').r.baseVal.value;
             const scale = radius / (far[i][0] + 1);
             return Math.max(Math.abs(apart(a, p) / scale - far[i][0]), Math.abs(apart(a, n) / scale - far[i][1]));
         })",
    )?;
    let apart = apart.as_array().cloned().unwrap_or_default();
    assert_eq!(apart.len(), 4);
    assert!(apart.iter().all(|each| each.as_f64() < Some(1e-4)), "{apart:?}");
    live.console_is_silent()
}

#[test]
#[ignore = "needs chromium"]
fn a_page_says_that_it_is_live_and_names_no_line_of_the_library() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::new("giou")?;
    assert!(live.browser.texts(".status")?[0].starts_with("live: change any number"));
    let text = live.browser.run("return document.body.innerText + sides[0].data.listing")?;
    assert!(!text.as_str().unwrap_or_default().contains("crates/"));
    live.console_is_silent()
}

/// How large the text of charts is, at least.
const LEAST_TEXT: &str = "
    const texts = [...document.querySelectorAll('.figure .chart text')];
    const scale = (chart) => chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
    return Math.min(...texts.map((text) => parseFloat(getComputedStyle(text).fontSize) * scale(text.ownerSVGElement)))";

#[test]
#[ignore = "needs chromium"]
fn the_text_of_charts_can_be_read() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for loss in ["ctc", "rnn_t", "fast_ap", "list_mle"] {
        let live = Live::new(loss)?;
        for size in [[1280, 800], [1920, 1080], [390, 844]] {
            live.browser.resize(size[0], size[1])?;
            let least = live.browser.run(LEAST_TEXT)?;
            assert!(least.as_f64() >= Some(12.0), "{loss} {size:?}: {least}");
        }
        live.console_is_silent()?;
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium"]
fn losses_side_by_side_can_be_read_on_a_phone() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let live = Live::versus("mse", "huber")?;
    live.browser.resize(390, 844)?;
    let fits = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(live.browser.run(fits)?, true);
    // Each card, drawing and column begins where the one before it ends.
    let overlaps = live.browser.run(
        "const parts = [...document.querySelectorAll('.side .picture, .side .changes > *, .side .panel > *')]
             .map((part) => [part.className, part.getBoundingClientRect()])
             .filter(([, { height }]) => height > 0)
             .sort(([, a], [, b]) => a.top - b.top);
         return parts.slice(1).flatMap(([name, { top }], at) => (top < parts[at][1].bottom - 1 ? [[parts[at][0], name]] : []))",
    )?;
    assert_eq!(overlaps, json!([]));
    live.browser.picture("versus-phone")?;
    live.console_is_silent()
}
