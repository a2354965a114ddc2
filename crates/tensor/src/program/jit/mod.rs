//! Just-in-time compilation: the part of a program that runs on vectors, as machine code.
//!
//! The interpreter stores each value of a tile before the next micro-op reads it. A kernel keeps it in a
//! register: it goes over a row as often as its reductions ask for, and what lies between is computed on
//! the way, as one would write it by hand. [`trace`] finds out what the functions of micro-ops do,
//! [`schedule`] cuts that into passes, and [`codegen`] writes them down. A kernel gives the bits that the
//! interpreter gives, operation by operation, so that it does not matter which of them runs.
//!
//! Kernels are for `f32` and AVX-512. All other programs, processors and systems, those that forbid to
//! write code among them, have the interpreter.

mod assembler;
mod codegen;
mod graph;
mod kernel;
mod plan;
mod schedule;
pub(crate) mod trace;

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

pub(in crate::program) use codegen::{Buffer, Rows};
pub(super) use kernel::KernelCall;
pub(super) use plan::Plan;

thread_local! {
    /// Whether this thread compiles kernels.
    static IS_ON: Cell<bool> = const { Cell::new(true) };
}

/// Whether kernels are compiled: unless the environment says `LOSSGRAPH_JIT=0`, or [`without`].
fn is_on() -> bool {
    static IS_OFF: OnceLock<bool> = OnceLock::new();
    let is_off = IS_OFF.get_or_init(|| std::env::var("LOSSGRAPH_JIT").is_ok_and(|is| is == "0"));
    !is_off && IS_ON.get() && !kernel::IS_REFUSED.load(Ordering::Relaxed)
}

/// Calls a closure; what it compiles is run by the interpreter alone.
pub(super) fn without<R>(f: impl FnOnce() -> R) -> R {
    /// Puts the switch back, if the closure panics as well.
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            IS_ON.set(self.0);
        }
    }
    let _back = Back(IS_ON.replace(false));
    f()
}

#[cfg(test)]
mod tests;
