//! A program that is asked on its standard input and answers on its standard output, a line each.

use std::io::{BufReader, BufWriter, Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::group;
use super::message::{LONGEST, Message, Reading};
use super::tensor::Encoder;
use super::waiting::Waiting;

/// So much of what a program prints to standard error is kept, to be shown if it fails.
const KEPT: usize = 16 * 1024;

/// So many bytes an element of a gradient may take in an answer, with all its brackets and spaces.
const PER_ELEMENT: usize = 64;

/// How long a program may take to end after nobody asks any more.
const GRACE: Duration = Duration::from_secs(2);

/// A running program. It is ended, with all that it started, when this is dropped.
pub struct Process {
    command: String,
    child: Child,
    asked: Option<Sender<Question>>,
    answers: Receiver<Result<Message, String>>,
    complaints: Arc<Mutex<Vec<u8>>>,
    /// Reads the complaints, to their end.
    listener: Option<JoinHandle<()>>,
    limits: Limits,
    /// Whether it has answered a request.
    has_answered: bool,
    /// Bounds what is read, so that what a program prints by mistake fills no memory.
    reading: Arc<Reading>,
}

/// A line, and the tensors whose bytes follow it.
pub struct Question {
    pub line: String,
    pub tensors: Encoder,
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
        let mut child = group::shell(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{command}` cannot be started: {error}"))?;
        group::watch(child.id());
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let (asked, questions) = channel::<Question>();
        // Bounded, so that a program that never stops printing waits instead of filling memory.
        let (answer, answers) = sync_channel(1);
        let reading = Arc::new(Reading::new());
        let mut listener = None;
        if let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            let mut stdin = BufWriter::new(stdin);
            // A program that does not read must not stop whoever waits for its answer.
            thread::spawn(move || {
                for question in questions {
                    let written = writeln!(stdin, "{}", question.line)
                        .and_then(|()| question.tensors.write(&mut stdin))
                        .and_then(|()| stdin.flush());
                    if written.is_err() {
                        return;
                    }
                }
            });
            let reading = Arc::clone(&reading);
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(message) = Message::read(&mut stdout, &reading) {
                    let is_last = message.is_err();
                    if answer.send(message).is_err() || is_last {
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
            reading,
        })
    }

    /// The greeting.
    pub fn greeting(&mut self) -> Result<Message, String> {
        self.message(self.limits.start, "the program's first line", |seconds| {
            format!(
                "it did not greet within {seconds} s, with a line such as {{\"lossgraph\": 1}} \
                 (docs/protocol.md; `lossgraph check --host torch` prints a program that does): \
                 --start-timeout gives it longer"
            )
        })
    }

    /// Asks. The answer is about so many elements.
    pub fn ask(&self, question: Question, elements: usize) {
        let longest = LONGEST.saturating_add(PER_ELEMENT.saturating_mul(elements));
        self.reading.longest.store(longest, Relaxed);
        if let Some(asked) = &self.asked {
            // A program that has ended is told of when its answer is missing.
            let _ = asked.send(question);
        }
    }

    /// The answer to what was asked last, which is `awaited`.
    pub fn answer(&mut self, awaited: &str) -> Result<Message, String> {
        let (limit, option) = match self.has_answered {
            true => (self.limits.answer, "--timeout"),
            false => (self.limits.start, "--start-timeout"),
        };
        self.has_answered = true;
        self.message(limit, awaited, |seconds| {
            format!("it gave no answer within {seconds} s: {option} gives it longer")
        })
    }

    /// The next line that the program prints that is not empty, with its bytes. `late` says that
    /// there is none within so many seconds.
    fn message(
        &mut self,
        limit: Duration,
        awaited: &str,
        late: impl Fn(f64) -> String,
    ) -> Result<Message, String> {
        let mut waiting = Waiting::new(awaited, limit);
        loop {
            match self.answers.recv_timeout(waiting.next()) {
                Ok(Ok(message)) if message.line.trim().is_empty() => {}
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(why)) => return Err(self.told(&why)),
                Err(RecvTimeoutError::Timeout) if waiting.is_over() => {
                    let seconds = limit.as_secs_f64();
                    let why = match self.reading.partial() {
                        Some(partial) => format!("{partial} within {seconds} s"),
                        None => late(seconds),
                    };
                    return Err(self.told(&why));
                }
                Err(RecvTimeoutError::Timeout) => waiting.show(),
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
