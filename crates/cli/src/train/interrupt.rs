//! Ctrl-C: the first one asks a training to save and leave, the second one ends the program.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that an interrupt ended, as shells have it: 128 + SIGINT.
pub const STATUS: u8 = 130;

static FLAG: AtomicBool = AtomicBool::new(false);

/// The flag that an interrupt sets from now on, also one by SIGTERM or SIGHUP.
pub fn flag() -> &'static AtomicBool {
    // Without a handler, an interrupt ends the program at once, and the last epoch is saved.
    let _ = ctrlc::set_handler(|| {
        if FLAG.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    });
    &FLAG
}

/// A training was interrupted, and is saved. It says how to go on.
#[derive(Debug)]
pub struct Interrupted(pub String);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Interrupted {}
