//! Honest derivatives are not blamed: every loss of the catalogue, in every setting.

use lossgraph_autograd::Var;
use lossgraph_check::{Check, Verdict};
use lossgraph_losses::ALL;

#[test]
fn no_loss_of_the_catalogue_is_blamed_and_few_verdicts_are_noise() {
    let mut counts = [0; 5];
    for loss in ALL {
        for &text in loss.grid {
            let samples = loss.given(&loss.setting(text).unwrap());
            for seed in 0..2 {
                let inputs: Vec<_> = samples.iter().map(|sample| sample.draw(seed)).collect();
                let check = Check {
                    title: format!("{} {text}", loss.name),
                    names: samples.iter().map(|sample| sample.name.to_owned()).collect(),
                    seed,
                    skip: (0..samples.len()).filter(|&i| samples[i].detached).collect(),
                    ..Check::default()
                };
                let report = check
                    .run(
                        |tape, x| {
                            let inputs: Vec<(&str, Var<'_>)> =
                                samples.iter().map(|s| s.name).zip(x.iter().copied()).collect();
                            loss.record(tape, &inputs, text).mean()
                        },
                        &inputs,
                    )
                    .unwrap_or_else(|error| panic!("{} {text}: {error:?}", loss.name));
                for row in &report.rows {
                    counts[match row.verdict {
                        Verdict::Pass => 0,
                        Verdict::Fail => 1,
                        Verdict::Kink => 2,
                        Verdict::Noise => 3,
                        Verdict::Skipped(_) => 4,
                    }] += 1;
                }
                assert!(report.passed(), "{report}");
            }
        }
    }
    let [pass, _, _, noise, _] = counts;
    assert!(100 * noise <= pass, "pass, fail, kink, noise, skipped: {counts:?}");
}
