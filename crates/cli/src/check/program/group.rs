//! A program and all that it starts: a process group, which ends as a whole, also if the user
//! interrupts the check.

pub use system::{adopt, forget, kill, shell, watch};

#[cfg(unix)]
mod system {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};
    use std::sync::Once;
    use std::sync::atomic::{AtomicI32, Ordering};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    /// The group that runs; 0 for none.
    static RUNNING: AtomicI32 = AtomicI32::new(0);

    /// A command of the shell, in a group of its own.
    pub fn shell(command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).process_group(0);
        shell
    }

    /// Makes this process the parent of what a program leaves behind, so that it is found even in a
    /// session of its own.
    pub fn adopt() {
        // Where that cannot be done, what leaves the group is left alone.
        #[cfg(target_os = "linux")]
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }

    /// Ends the group, too, when this process is interrupted.
    pub fn watch(group: u32) {
        static HANDLER: Once = Once::new();
        RUNNING.store(group as i32, Ordering::SeqCst);
        HANDLER.call_once(|| {
            // Without a handler, an interrupt leaves to the program when it ends.
            let _ = ctrlc::set_handler(|| {
                signal(RUNNING.load(Ordering::SeqCst));
                orphans::end();
                std::process::exit(130);
            });
        });
    }

    pub fn forget() {
        RUNNING.store(0, Ordering::SeqCst);
    }

    /// Ends a program with all that it started.
    pub fn kill(child: &mut Child) {
        signal(child.id() as i32);
        // One that is waited for is no orphan.
        let _ = child.wait();
        orphans::end();
    }

    fn signal(group: i32) {
        if group > 0 {
            // A group that is gone needs no end.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }

    /// What a program started and left behind.
    #[cfg(target_os = "linux")]
    mod orphans {
        use std::fs;
        use std::time::{Duration, Instant};

        use nix::sys::signal::{Signal, kill};
        use nix::sys::wait::waitpid;
        use nix::unistd::Pid;

        /// Ends children of this process until there are none: what an ended one had started is a
        /// child then, too.
        pub fn end() {
            let until = Instant::now() + Duration::from_secs(2);
            loop {
                let children = children();
                if children.is_empty() || Instant::now() > until {
                    return;
                }
                for child in children {
                    // One that is gone by itself needs no end.
                    let _ = kill(child, Signal::SIGKILL);
                    let _ = waitpid(child, None);
                }
            }
        }

        /// The children of this process, of all its threads.
        fn children() -> Vec<Pid> {
            let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            let listed =
                tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
            let each = |list: String| -> Vec<Pid> {
                list.split_whitespace()
                    .filter_map(|id| id.parse().ok())
                    .map(Pid::from_raw)
                    .collect()
            };
            listed.flat_map(each).collect()
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod orphans {
        pub fn end() {}
    }
}

#[cfg(not(unix))]
mod system {
    use std::process::{Child, Command};

    pub fn shell(command: &str) -> Command {
        let mut shell = Command::new("cmd");
        shell.args(["/C", command]);
        shell
    }

    pub fn adopt() {}

    pub fn watch(_: u32) {}

    pub fn forget() {}

    pub fn kill(child: &mut Child) {
        // One that has ended needs no end.
        let _ = child.kill();
        let _ = child.wait();
    }
}
