//! A program that is asked on its standard input and answers on its standard output, a line each.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So much of what a program prints to standard error is kept, to be shown if it fails.
const KEPT: usize = 16 * 1024;

/// A longer line is no answer.
const LONGEST: u64 = 1 << 30;

/// How long a program may take to end after nobody asks any more.
const GRACE: Duration = Duration::from_secs(2);

/// A running program. It is ended, with all that it started, when this is dropped.
pub struct Process {
    command: String,
    child: Child,
    asked: Option<Sender<String>>,
    answers: Receiver<Result<String, String>>,
    complaints: Arc<Mutex<Vec<u8>>>,
    timeout: Duration,
}

impl Process {
    /// Starts a command of the shell; an answer may take as long as `timeout`.
    pub fn start(command: &str, timeout: Duration) -> Result<Process, String> {
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
        let (answer, answers) = sync_channel(16);
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
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(line) = line(&mut stdout) {
                    if answer.send(line).is_err() {
                        return;
                    }
                }
            });
            let kept = Arc::clone(&complaints);
            thread::spawn(move || keep(stderr, &kept));
        }
        let (command, asked) = (command.to_owned(), Some(asked));
        Ok(Process { command, child, asked, answers, complaints, timeout })
    }

    /// Asks, in a line.
    pub fn ask(&self, mut question: String) {
        question.push('\n');
        if let Some(asked) = &self.asked {
            // A program that has ended is told of when its answer is missing.
            let _ = asked.send(question);
        }
    }

    /// The next line that the program prints that is not empty.
    pub fn answer(&mut self) -> Result<String, String> {
        let until = Instant::now() + self.timeout;
        loop {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(line)) if line.trim().is_empty() => {}
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(why)) => return Err(self.told(&why)),
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.timeout.as_secs_f64();
                    return Err(self.told(&format!(
                        "it gave no answer within {seconds} s: --timeout gives it longer"
                    )));
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

    /// Its exit status, if it ends soon.
    fn ended(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + GRACE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
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
        let until = Instant::now() + GRACE.min(self.timeout);
        let left = || until.saturating_duration_since(Instant::now());
        while !left().is_zero() && self.answers.recv_timeout(left()).is_ok() {}
        group::kill(&mut self.child);
        let _ = self.child.wait();
        group::forget();
    }
}

/// The next line, or what is wrong with it; `None` at the end.
fn line(stdout: &mut impl BufRead) -> Option<Result<String, String>> {
    let mut bytes = Vec::new();
    match stdout.by_ref().take(LONGEST).read_until(b'\n', &mut bytes) {
        Ok(0) => None,
        Ok(_) if bytes.len() as u64 == LONGEST => {
            Some(Err("it prints a line without an end".into()))
        }
        Ok(_) => Some(String::from_utf8(bytes).map_err(|error| {
            format!("it printed what is no text: {}", excerpt(&error.to_string()))
        })),
        Err(error) => Some(Err(format!("what it prints cannot be read: {error}"))),
    }
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

    /// Ends the group, too, when this process is interrupted.
    pub fn watch(group: u32) {
        static HANDLER: Once = Once::new();
        RUNNING.store(group as i32, Ordering::SeqCst);
        HANDLER.call_once(|| {
            // Without a handler, an interrupt leaves to the program when it ends.
            let _ = ctrlc::set_handler(|| {
                signal(RUNNING.load(Ordering::SeqCst));
                std::process::exit(130);
            });
        });
    }

    pub fn forget() {
        RUNNING.store(0, Ordering::SeqCst);
    }

    pub fn kill(child: &mut Child) {
        signal(child.id() as i32);
    }

    fn signal(group: i32) {
        if group > 0 {
            // A group that is gone needs no end.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

#[cfg(not(unix))]
mod group {
    use std::process::Child;

    pub fn watch(_: u32) {}

    pub fn forget() {}

    pub fn kill(child: &mut Child) {
        // One that has ended needs no end.
        let _ = child.kill();
    }
}
