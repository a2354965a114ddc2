//! The golden values: every case of `tests/golden` (or of `$LOSSGRAPH_GOLDEN`), computed in `f64`
//! and compared with the tolerances of `tests/golden/FORMAT.md`.
//!
//! ```text
//! cargo test --test golden                    all files
//! cargo test --test golden -- ops/softmax     files whose name contains `ops/softmax`
//! cargo test --test golden -- --advice        with the differences that do not count
//! ```
//!
//! The table is the point of it, so the target has a `main` of its own: cargo would show what a
//! passing test prints to nobody.

mod golden_runner;

fn main() -> std::process::ExitCode {
    golden_runner::main()
}
