//! Snapshots: files that a test compares its output with, and writes if `LOSSGRAPH_BLESS=1`.

use std::fs;
use std::path::Path;

/// Compares a text with its snapshot. With `LOSSGRAPH_BLESS=1` the snapshot is written instead; what
/// changed is then seen by `git diff`.
pub fn assert_snapshot(snapshot: &Path, text: &str) {
    if std::env::var_os("LOSSGRAPH_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(snapshot, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(snapshot).unwrap_or_default();
    if text == expected {
        return;
    }
    // The first line that differs: a whole page twice would hide it.
    let same = text.lines().zip(expected.lines()).take_while(|(got, expected)| got == expected);
    let line = same.count();
    let of = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    panic!(
        "{}:{}: the snapshot differs\n  expected  {}\n  got       {}\nperhaps: if the new one is \
         right, write it with LOSSGRAPH_BLESS=1",
        snapshot.display(),
        line + 1,
        of(&expected),
        of(text),
    );
}
