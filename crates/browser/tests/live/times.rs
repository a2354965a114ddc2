//! How large pages are, how soon they can be changed, and how fast they follow.

use lossgraph_browser::Result;
use serde_json::Value;

use crate::page::{Live, is_there};

/// The losses of the table in docs/explaining.md.
const LOSSES: [&str; 11] = [
    "cross_entropy",
    "mse",
    "huber",
    "kl_div",
    "triplet_margin",
    "giou",
    "ctc",
    "dice",
    "list_mle",
    "ssim",
    "fast_ap",
];

/// A measurement and no test of times: what a machine that does other things needs says little.
#[test]
#[ignore = "needs chromium"]
fn times_and_sizes_of_pages_are_told() -> Result<()> {
    if !is_there()? {
        return Ok(());
    }
    println!("| page | size (kB) | ready (ms) | an edit (ms) |\n|---|---|---|---|");
    for loss in LOSSES {
        let live = Live::new(loss)?;
        let found = live.browser.run(
            "const ready = performance.getEntriesByName('ready')[0].startTime;
             const field = document.querySelector('[data-input]');
             const before = Number(field.value);
             const times = Array.from({ length: 20 }, (_, i) => {
                 const start = performance.now();
                 field.value = String(before + 0.01 * (i + 1));
                 field.dispatchEvent(new Event('input', { bubbles: true }));
                 document.body.getBoundingClientRect();
                 return performance.now() - start;
             });
             return [ready, times.sort((a, b) => a - b)[10], sides[0].data.nodes.length]",
        )?;
        let number = |at: usize| found[at].as_f64().unwrap_or(f64::NAN);
        println!(
            "| {loss} | {:.0} | {:.0} | {:.0} |",
            live.size()? as f64 / 1e3,
            number(0),
            number(1)
        );
        assert_ne!(found[2], Value::Null);
        live.console_is_silent()?;
    }
    Ok(())
}
