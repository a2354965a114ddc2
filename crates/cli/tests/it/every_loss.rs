//! Every loss of the catalogue trains something.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_loss_falls_and_every_figure_beats_the_untrained_net() {
    let out = std::env::temp_dir().join(format!("lossgraph-every-loss-{}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
    command.args(["train", "--every-loss", "--epochs", "3", "--json", "--out"]).arg(&out);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(rows.len(), lossgraph_losses::ALL.len());
    let fails = |row: &&Value| {
        let [loss, loss_after, before, after] =
            ["loss_before", "loss_after", "before", "after"].map(|name| row[name].as_f64());
        !(loss_after < loss && after > before && after.is_some())
    };
    let failed: Vec<String> = rows.iter().filter(fails).map(Value::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let page = std::fs::read_to_string(out.join("training.md")).unwrap();
    for loss in lossgraph_losses::ALL {
        assert!(page.contains(&format!("| [{0}](README.md#{0}) |", loss.name)), "{}", loss.name);
    }
    std::fs::remove_dir_all(out).unwrap();
}
