//! `lossgraph train --find-rate`: losses by learning rates, and a good rate to begin with.

use lossgraph_nn::fit::{LrCurve, LrFinder};
use serde_json::json;

use super::optimizer::Descent;
use super::sparkline::sparkline;
use super::training::Training;
use super::{Options, Result};
use crate::output;

/// How wide the curve is, in characters.
const WIDTH: usize = 60;

/// Finds the losses by rates from very low to very high, and says which rate is a good one.
///
/// # Errors
/// What a training refuses; a loss that no rate makes fall.
pub fn run(options: &Options, training: &Training<'_>, mut descent: Descent) -> Result<()> {
    let trained = training.trained();
    training.parallel.broadcast(&trained)?;
    let (batches, step) =
        (|epoch| training.batches(epoch), |batch: &Vec<usize>| training.gradients(batch));
    let curve = LrFinder::default().run(&trained, &mut *descent.optimizer, batches, step)?;
    if !training.parallel.world().is_leader() {
        return Ok(());
    }
    let Some(rate) = curve.suggestion() else {
        return Err("the loss does not fall at any rate: another optimizer, net or loss?".into());
    };
    output::print(picture(&curve, rate))?;
    match options.json {
        true => {
            let LrCurve { lrs, losses, smoothed } = &curve;
            let object = json!({
                "lr": rate,
                "lrs": lrs,
                "losses": losses,
                "smoothed": smoothed,
            });
            output::print(format!("{object}\n"))
        }
        false => Ok(()),
    }
}

/// The losses, smoothed, as bars above their rates, with an arrow at the good one.
fn picture(curve: &LrCurve, rate: f64) -> String {
    let (first, last) = (curve.lrs[0], curve.lrs[curve.lrs.len() - 1]);
    // Losses of rates far too high would leave no height to those that fall.
    let [begin, lowest] =
        [curve.smoothed[0], curve.smoothed.iter().copied().fold(f64::MAX, f64::min)];
    let highest = begin + 0.2 * (begin - lowest);
    let seen: Vec<f64> = curve.smoothed.iter().map(|loss| loss.min(highest)).collect();
    let bars = sparkline(&seen, WIDTH);
    let width = bars.chars().count();
    let at = curve.lrs.iter().position(|&lr| lr >= rate).unwrap_or(0) * width / curve.lrs.len();
    let (left, right) = (format!("{first:.0e}"), format!("{last:.0e}"));
    let between = width.saturating_sub(left.len());
    format!(
        "the loss of {} steps, by their rates\n{bars}\n{}↑\n{left}{right:>between$}\n\
         a good rate is {rate:.2e}: --lr {rate:.2e}\n",
        curve.lrs.len(),
        " ".repeat(at),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrow_stands_below_the_rate() {
        let lrs = vec![1e-4, 1e-3, 1e-2, 1e-1];
        let losses = vec![4.0, 3.0, 1.0, 8.0];
        let curve = LrCurve { lrs, losses: losses.clone(), smoothed: losses };
        let picture = picture(&curve, 1e-3);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines[1..3], ["▇▅▁█", " ↑"]);
        assert!(lines[4].contains("a good rate is 1.00e-3"), "{picture}");
    }
}
