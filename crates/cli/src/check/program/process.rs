//! A program that is asked on its standard input and answers on its standard output, a line each.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// So much of what a program prints to standard error is kept, to be shown if it fails.
const KEPT: usize = 16 * 1024;

/// A greeting, or an error with its traceback, is shorter than that.
const LONGEST: usize = 1 << 20;

/// So many bytes an element of a gradient may take in an answer, with all its brackets and spaces.
const PER_ELEMENT: usize = 64;

/// How long a program may take to end after nobody asks any more.
const GRACE: Duration = Duration::from_secs(2);

/// A running program. It is ended, with all that it started, when this is dropped.
pub struct Process {
    command: String,
    child: Child,
    asked: Option<Sender<String>>,
    answers: Receiver<Result<String, String>>,
    complaints: Arc<Mutex<Vec<u8>>>,
    /// Reads the complaints, to their end.
    listener: Option<JoinHandle<()>>,
    limits: Limits,
    /// Whether it has answered a request.
    has_answered: bool,
    /// The most bytes that a line may have, so that what a program prints by mistake fills no memory.
    longest: Arc<AtomicUsize>,
}

/// How long a program may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For its greeting, and for its first answer: until then libraries are loaded and compiled.
    pub start: Duration,
    /// For each answer after that.
    pub answer: Duration,
}

impl Process {
    /// Starts a command of the shell.
    pub fn start(command: &str, limits: Limits) -> Result<Process, String> {
        group::adopt();
        let mut child = shell(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{command}` cannot be started: {error}"))?;
        group::watch(child.id());
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let (asked, questions) = channel::<String>();
        // Bounded, so that a program that never stops printing waits instead of filling memory.
        let (answer, answers) = sync_channel(1);
        let longest = Arc::new(AtomicUsize::new(LONGEST));
        let mut listener = None;
        if let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            // A program that does not read must not stop whoever waits for its answer.
            thread::spawn(move || {
                for question in questions {
                    let written = stdin.write_all(question.as_bytes()).and_then(|()| stdin.flush());
                    if written.is_err() {
                        return;
                    }
                }
            });
            let longest = Arc::clone(&longest);
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(line) = line(&mut stdout, &longest) {
                    let is_last = line.is_err();
                    if answer.send(line).is_err() || is_last {
                        return;
                    }
                }
            });
            let kept = Arc::clone(&complaints);
            listener = Some(thread::spawn(move || keep(stderr, &kept)));
        }
        let (command, asked) = (command.to_owned(), Some(asked));
        let has_answered = false;
        Ok(Process {
            command,
            child,
            asked,
            answers,
            complaints,
            listener,
            limits,
            has_answered,
            longest,
        })
    }

    /// The greeting.
    pub fn greeting(&mut self) -> Result<String, String> {
        self.line(self.limits.start, |seconds| {
            format!("it did not greet within {seconds} s: --start-timeout gives it longer")
        })
    }

    /// Asks, in a line. The answer is about so many elements.
    pub fn ask(&self, mut question: String, elements: usize) {
        self.longest.store(LONGEST.saturating_add(PER_ELEMENT.saturating_mul(elements)), Relaxed);
        question.push('\n');
        if let Some(asked) = &self.asked {
            // A program that has ended is told of when its answer is missing.
            let _ = asked.send(question);
        }
    }

    /// The answer to what was asked last.
    pub fn answer(&mut self) -> Result<String, String> {
        let (limit, option) = match self.has_answered {
            true => (self.limits.answer, "--timeout"),
            false => (self.limits.start, "--start-timeout"),
        };
        self.has_answered = true;
        self.line(limit, |seconds| {
            format!("it gave no answer within {seconds} s: {option} gives it longer")
        })
    }

    /// The next line that the program prints that is not empty. `late` says that there is none within
    /// so many seconds.
    fn line(&mut self, limit: Duration, late: impl Fn(f64) -> String) -> Result<String, String> {
        let started = Instant::now();
        loop {
            match self.answers.recv_timeout(limit.saturating_sub(started.elapsed())) {
                Ok(Ok(line)) if line.trim().is_empty() => {}
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(why)) => return Err(self.told(&why)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.told(&late(limit.as_secs_f64())));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = match self.ended() {
                        Some(status) => format!("it ended ({status}) without an answer"),
                        None => "it closed its standard output without an answer".to_owned(),
                    };
                    return Err(self.told(&ended));
                }
            }
        }
    }

    /// Its exit status, if it ends soon; all that it printed is read then.
    fn ended(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + GRACE;
        let is_heard = |listener: &Option<JoinHandle<()>>| {
            listener.as_ref().is_none_or(JoinHandle::is_finished) || Instant::now() >= until
        };
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if is_heard(&self.listener) => return Some(status),
                Ok(Some(_)) => thread::sleep(Duration::from_millis(5)),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }

    /// An error of the program, with what it printed to standard error.
    pub fn told(&self, why: &str) -> String {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&complaints);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        let mut message = format!("the program `{}`: {why}", self.command);
        if !last.is_empty() {
            message += "\nit printed to standard error:";
            last.iter().for_each(|line| message += &format!("\n  {line}"));
        }
        message
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input tells it to end; its output is closed when it has.
        self.asked = None;
        let until = Instant::now() + GRACE.min(self.limits.answer);
        let left = || until.saturating_duration_since(Instant::now());
        while !left().is_zero() && self.answers.recv_timeout(left()).is_ok() {}
        group::kill(&mut self.child);
        group::forget();
    }
}

/// The next line, or what is wrong with it; `None` at the end.
fn line(stdout: &mut impl BufRead, longest: &AtomicUsize) -> Option<Result<String, String>> {
    let mut line = Vec::new();
    loop {
        let printed = match stdout.fill_buf() {
            Ok(printed) => printed,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Some(Err(format!("what it prints cannot be read: {error}"))),
        };
        let end = printed.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(printed.len(), |end| end + 1);
        line.extend_from_slice(&printed[..taken]);
        stdout.consume(taken);
        // What was asked meanwhile may allow for more.
        let most = longest.load(Relaxed);
        if line.len() > most {
            let begins = excerpt(&String::from_utf8_lossy(&line[..LONGEST.min(most)]));
            return Some(Err(format!(
                "it prints a line of more than {most} bytes, which is longer than any answer to this: \
                 `{begins}`"
            )));
        }
        match (end, taken) {
            (None, 1..) => {}
            (None, 0) if line.is_empty() => return None,
            _ => break,
        }
    }
    Some(
        String::from_utf8(line).map_err(|error| {
            format!("it printed what is no text: {}", excerpt(&error.to_string()))
        }),
    )
}

/// Keeps the end of what is printed to standard error.
fn keep(mut stderr: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}

/// The beginning of what a program printed.
pub fn excerpt(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}

/// A program and all that it starts are a process group, which ends as a whole: also if the user
/// interrupts the check.
#[cfg(unix)]
mod group {
    use std::process::Child;
    use std::sync::Once;
    use std::sync::atomic::{AtomicI32, Ordering};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    /// The group that runs; 0 for none.
    static RUNNING: AtomicI32 = AtomicI32::new(0);

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
mod group {
    use std::process::Child;

    pub fn adopt() {}

    pub fn watch(_: u32) {}

    pub fn forget() {}

    pub fn kill(child: &mut Child) {
        // One that has ended needs no end.
        let _ = child.kill();
        let _ = child.wait();
    }
}
