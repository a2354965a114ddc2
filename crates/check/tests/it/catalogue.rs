//! Honest derivatives are not blamed: every loss of the catalogue, in every setting.

use lossgraph_check::{Check, Verdict};
use lossgraph_losses::{ALL, Case};

#[test]
fn no_loss_of_the_catalogue_is_blamed_and_few_verdicts_are_noise() {
    let mut counts = [0; 5];
    for loss in ALL {
        for seed in 0..2 {
            for case in Case::grid(loss, seed).unwrap() {
                let check = Check {
                    title: case.title(),
                    names: case.names().map(str::to_owned).collect(),
                    seed,
                    skip: (0..case.samples.len()).filter(|&i| case.samples[i].detached).collect(),
                    ..Check::default()
                };
                let report = check
                    .run(|tape, x| case.record(tape, x).mean(), &case.inputs)
                    .unwrap_or_else(|error| panic!("{}: {error:?}", case.title()));
                for row in &report.rows {
                    counts[match row.verdict {
                        Verdict::Pass => 0,
                        Verdict::Fail => 1,
                        Verdict::Kink => 2,
                        Verdict::Noise => 3,
                        Verdict::Skipped(_) => 4,
                    }] += 1;
                }
                let stops = case.samples.iter().all(|sample| !sample.is_differentiable());
                assert!(report.passed() || stops, "{report}");
            }
        }
    }
    let [pass, _, _, noise, _] = counts;
    assert!(100 * noise <= pass, "pass, fail, kink, noise, skipped: {counts:?}");
}
