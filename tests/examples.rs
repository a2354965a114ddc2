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
fn a_photograph_is_restored_by_each_of_three_losses() {
    let text = printed("photograph");
    let (fit, moved) = text.split_once("pairs a third moved").unwrap();
    for part in [fit, moved] {
        for name in ["L2", "L1", "Charbonnier"] {
            let [edges, noise, mean, squared] = figures(part, name);
            // What the net sees has a mean error of 0.0398, and a squared one of 0.0025.
            assert!(edges > 50.0 && noise < 0.0565, "{text}");
            assert!(mean < 0.0398 && squared < 0.0025, "{text}");
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
