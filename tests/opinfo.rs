//! PyTorch's own tables of functions, against ours: every entry of `op_db` and `module_db` of an
//! installed torch, value, gradient and Hessian-vector product, in `f64`.
//!
//! ```text
//! cargo test --workspace --test opinfo -- --ignored              all entries
//! cargo test --workspace --test opinfo -- --ignored softmax      entries whose name contains `softmax`
//! ```
//!
//! `tests/peers/opinfo.py` makes the cases anew each time, so it takes minutes, and torch: with the
//! interpreter `$LOSSGRAPH_PYTHON`, or `python3`. `$LOSSGRAPH_OPINFO` names a folder of cases that were
//! made before. Which call of ours an entry is stands in `opinfo_runner/rows.rs`, and why one has
//! none in `opinfo_runner/left_out.rs`; an entry that is in neither fails the test.

#[allow(dead_code, reason = "the golden test uses the rest")]
mod golden_runner;
mod opinfo_runner;

fn main() -> std::process::ExitCode {
    opinfo_runner::main()
}
