//! What the examples show, in their short mode: `--short` trains little, and what is claimed shows as
//! far as it can by then.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the examples. `cargo test` builds them, but not beside a single test; if they are
/// built already, this costs a second.
fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/PROFILE/deps/THIS
        let this = std::env::current_exe().unwrap();
        let profile = this.parent().unwrap().parent().unwrap();
        let name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            name => name,
        };
        let build = Command::new(env!("CARGO"))
            .args(["build", "--workspace", "--examples", "--locked", "--profile", name])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
        profile.join("examples")
    })
}

/// What an example prints in its short mode.
fn printed(example: &str) -> String {
    let program = built().join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("examples");
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new(program).arg("--short").current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers behind the beginning of a line.
fn figures<const N: usize>(printed: &str, start: &str) -> [f64; N] {
    let line = printed.lines().find_map(|line| line.trim_start().strip_prefix(start));
    let line = line.unwrap_or_else(|| panic!("no line begins with `{start}`:\n{printed}"));
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|numbers| panic!("{start}: {numbers:?}"))
}

#[test]
fn a_transformer_begins_to_spell_after_one_epoch() {
    let text = printed("char_transformer");
    let [loss, _] = figures(&text, "1 ");
    // Of 33 characters that were equally likely, each would cost ln 33, which is 3.5 nats.
    assert!(loss < 1.5, "{text}");
    assert_eq!(text.matches(" = ").count(), 4, "{text}");
}

#[test]
fn a_gru_keeps_what_a_plain_recurrent_net_forgets() {
    let text = printed("gru");
    let [rnn, gru] = figures(&text, "300 ");
    // To answer 1 has error 1/6.
    assert!(rnn > 0.1 && gru < 0.06, "{text}");
}

#[test]
fn ctc_has_a_loss_from_the_first_epoch_on_and_spells_frame_by_frame() {
    let text = printed("ctc");
    let [loss, lines, digits] = figures(&text, "1 ");
    assert!(loss.is_finite() && lines <= digits, "{text}");
    assert_eq!(text.matches("is read as").count(), 4, "{text}");
}

#[test]
fn margin_ranking_with_the_best_wrong_score_leads_by_more_than_cross_entropy() {
    let text = printed("margin_ranking");
    let [clean, lead] = [0, 10].map(|at| figures::<11>(&text, "margin ranking")[at]);
    let other_lead = figures::<11>(&text, "cross entropy")[10];
    assert!(clean > 90.0 && lead > other_lead, "{text}");
}

#[test]
fn l2_asks_for_the_mean_of_photographs_and_l1_for_their_median() {
    let text = printed("photograph");
    // The part that is judged, in plain numbers, and the mean of two copies and one that moved.
    let camera = lossgraph::data::camera().unwrap().to_f64s();
    let (mut steps, mut off) = (Vec::new(), 0.0);
    for row in 64..192 {
        let row = &camera[row * 512 + 256..row * 512 + 384];
        let mean = |at: usize| (2.0 * row[at] + row[at.saturating_sub(1)]) / 3.0;
        steps.extend((0..127).map(|at| (row[at + 1] - row[at], mean(at + 1) - mean(at))));
        off += (0..128).map(|at| (mean(at) - row[at]).abs()).sum::<f64>() / 128.0 / 128.0;
    }
    steps.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    // The steepest tenth, and those that are as steep as the last of it: of 256 shades, many are.
    let steep = steps[steps.len() * 9 / 10].0.abs();
    let edges = || steps.iter().filter(|(of_truth, _)| of_truth.abs() >= steep);
    let kept: f64 = edges().map(|(of_truth, step)| step * of_truth.signum()).sum();
    let all: f64 = edges().map(|(of_truth, _)| of_truth.abs()).sum();
    let [edges, _, mean, _] = figures(&text, "L2");
    assert!((edges - 100.0 * kept / all).abs() < 0.2 && (mean - off).abs() < 1e-4, "{off} {text}");
    // Two of three did not move.
    let [edges, _, mean, _] = figures(&text, "L1");
    assert!(edges > 99.5 && mean < 2e-4, "{text}");
    let [edges, _, mean, _] = figures(&text, "Charbonnier");
    assert!((95.0..99.0).contains(&edges) && mean < 3e-3, "{text}");
}

#[test]
fn a_net_begins_to_restore_a_photograph_by_each_of_three_losses() {
    let text = printed("photograph");
    let [edges, _, seen, _] = figures(&text, "what the net sees");
    // The mean size of a normal number of deviation 0.05 is 0.05 √(2/π).
    assert!((edges - 100.0).abs() < 3.0 && (seen - 0.0399).abs() < 1e-3, "{text}");
    let (fit, moved) = text.split_once("pairs a third moved").unwrap();
    let (_, fit) = fit.split_once("pairs that fit").unwrap();
    for part in [fit, moved] {
        for name in ["L2", "L1", "Charbonnier"] {
            let [_, _, mean, _] = figures(part, name);
            assert!(mean < seen, "{text}");
        }
    }
}

#[test]
fn balanced_batches_find_the_rare_classes_and_fine_tuning_brings_back_the_frequent_ones() {
    let text = printed("imbalance");
    let [plain, balanced, tuned] = ["plain", "balanced", "fine-tuned"].map(|name| {
        let [t_shirt, pullover, dress, coat, shirt, _, _, known, _, _] = figures(&text, name);
        [(t_shirt + pullover + dress) / 3.0, (coat + shirt) / 2.0, known]
    });
    assert!(balanced[1] > plain[1] + 10.0, "{text}");
    assert!(balanced[0] < plain[0] && balanced[2] < plain[2], "{text}");
    assert!(tuned[0] > balanced[0] && tuned[2] > balanced[2], "{text}");
}

#[test]
fn the_adaptive_softmax_learns_as_well_with_fewer_parameters() {
    let text = printed("words");
    // Not the time, which depends on what else the machine does.
    let [parameters, _, _, of_all] = figures(&text, "cross entropy");
    let [fewer, _, _, perplexity] = figures(&text, "adaptive");
    assert!(fewer < parameters && perplexity < 1.1 * of_all, "{text}");
    let [least] = figures(&text, "the source itself");
    assert!(least < perplexity, "{text}");
}

#[test]
fn every_loss_of_embeddings_gives_a_recall() {
    let text = printed("metric_learning");
    // One line of the head, one of the net as it began, and ten losses.
    assert_eq!(text.lines().count(), 12, "{text}");
    let [before, _] = figures::<2>(&text, "untrained");
    for name in ["triplet, hard", "nt_xent", "arc_face", "proxy_anchor"] {
        let [seen, unseen] = figures(&text, name);
        // By chance, it would be one of six, and one of four.
        assert!(seen > before - 10.0 && unseen > 40.0, "{text}");
    }
}

#[test]
fn what_two_views_teach_is_of_use_for_labels() {
    let text = printed("two_views");
    let [untrained] = figures(&text, "an untrained net");
    for name in ["SimCLR", "BYOL", "Barlow Twins", "VICReg"] {
        let [right] = figures(&text, name);
        assert!(right > untrained, "{text}");
    }
}

#[test]
fn two_epochs_of_convolutions_know_99_of_100_digits() {
    let text = printed("digits_cnn");
    let [loss, right] = figures(&text, "2 ");
    assert!(loss < 0.3 && right >= 99.0, "{text}");
}

#[test]
fn an_epoch_of_2000_clothes_is_better_than_chance() {
    let text = printed("fashion_mnist");
    assert!(text.starts_with("1600 pictures to train with, 400 to test with"), "{text}");
    let [_, right, _] = figures(&text, "1 ");
    assert!(right > 30.0, "{text}");
}

#[test]
fn penguins_are_told_apart_by_a_table_with_missing_values() {
    let text = printed("penguins");
    let [penguins, right, _] = figures(&text, "of ");
    assert!(penguins == 69.0 && right > 95.0, "{text}");
}
