//! The timing loop and the command line of the rig. Both are those of every other peer, or the
//! numbers would not compare.

use std::any::Any;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A workload that is set up: what to compare between peers, and the step to time.
pub struct Case {
    pub check: f64,
    pub grad_check: Option<f64>,
    pub step: Box<dyn FnMut()>,
}

impl Case {
    pub fn new(check: f64, grad_check: Option<f64>, step: impl FnMut() + 'static) -> Case {
        Case { check, grad_check, step: Box::new(step) }
    }
}

pub const WORKLOADS: &[&str] = &[
    "mse_1e6",
    "smooth_l1_1e6",
    "bce_logits_1e6",
    "cross_entropy_128x10",
    "cross_entropy_4096x1000",
    "cross_entropy_512x32000",
    "triplet_4096x256",
    "cosine_embedding_4096x256",
    "kl_div_4096x1000",
    "softmax_4096x1000",
    "layer_norm_4096x256",
    "matmul_64",
    "matmul_256",
    "matmul_1024",
    "mlp_tiny_step",
    "mlp_mnist_step",
    "cnn_step",
    "embed_step",
    "fashion_cnn_step",
    "resnet_step",
    "gru_step",
    "gpt_step",
    "ops_small",
    "digits_epoch",
];

/// Workloads that only PyTorch would have as well; `all` leaves them out.
pub const OTHERS: &[&str] = &["ctc", "linear_cross_entropy_512x50000"];

/// Steps timed before the workload is rebuilt, so that training never continues into all-zero
/// gradients and the subnormal moments that follow.
const REFRESH: usize = 500;

const HELP: &str = "\
lossgraph-bench [--ms N] [--serve | WORKLOAD... | all]: times each workload of the peer rig for about N ms (300) and prints a line of JSON for it.
With --serve, workload names are read from standard input, one a line. THREADS or LOSSGRAPH_THREADS sets the threads.
lossgraph-bench by_hand times losses beside hand-written loops; lossgraph-bench cluster times a step of data-parallel training (`mpirun -n 4`, built with the feature `mpi`) and prints what it would take on a cluster; lossgraph-bench copy times losses beside a copy of the bytes that they move; lossgraph-bench memory shows the peak memory of a loss; lossgraph-bench ops times single ops beside PyTorch's, run by LOSSGRAPH_PYTHON or python3; lossgraph-bench overhead times the overhead of a step; lossgraph-bench products times layers whose product is fused into the kernel that reads it; lossgraph-bench scaling prints the cost of a node of small programs and of large ones.";

fn time(make: &dyn Fn() -> Case, budget: Duration) -> (Case, f64, f64, usize) {
    let mut case = make();
    let warm = Instant::now();
    let mut n = 0;
    while n < 3 || (n < REFRESH && warm.elapsed() < budget / 5) {
        (case.step)();
        n += 1;
    }
    let mut us = Vec::new();
    let mut spent = Duration::ZERO;
    while us.len() < 5 || spent < budget {
        if us.len() % REFRESH == REFRESH - 1 {
            case = make();
            (case.step)();
        }
        let start = Instant::now();
        (case.step)();
        let elapsed = start.elapsed();
        spent += elapsed;
        us.push(elapsed.as_nanos() as f64 / 1e3);
    }
    us.sort_by(f64::total_cmp);
    (case, us[us.len() / 2], us[0], us.len())
}

/// What a panic says, as the inside of a JSON string.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panic".into());
    let plain = |c: char| {
        if c == '"' || c == '\\' || c.is_control() { ' ' } else { c }
    };
    text.chars().map(plain).take(300).collect()
}

fn measure(peer: &str, name: &str, budget: Duration, make: &dyn Fn(&str) -> Case) -> String {
    let run = || {
        if name == "startup" {
            return format!(r#""check":{:e}"#, make(name).check);
        }
        let (case, median, least, n) = time(&|| make(name), budget);
        let grad = case.grad_check.map_or(String::new(), |g| format!(r#","grad_check":{g:e}"#));
        format!(
            r#""median_us":{median:.3},"min_us":{least:.3},"check":{:e}{grad},"n":{n}"#,
            case.check
        )
    };
    let body = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| format!(r#""error":"{}""#, message(panic)));
    format!(r#"{{"peer":"{peer}","workload":"{name}",{body}}}"#)
}

/// Parses the command line and runs the requested workloads. `make` panics for a workload that
/// cannot run, and that is reported as its error.
pub fn main(peer: &str, make: impl Fn(&str) -> Case) -> ExitCode {
    let mut budget = Duration::from_millis(300);
    let mut serve = false;
    let mut names: Vec<String> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            "--ms" => match arguments.next().and_then(|ms| ms.parse().ok()) {
                Some(ms) => budget = Duration::from_millis(ms),
                None => {
                    eprintln!("--ms takes a number of milliseconds\n{HELP}");
                    return ExitCode::FAILURE;
                }
            },
            "--serve" => serve = true,
            "all" => names.extend(WORKLOADS.iter().map(|&name| name.to_owned())),
            name => names.push(name.to_owned()),
        }
    }
    if !serve && names.is_empty() {
        println!("{HELP}\nworkloads: {} startup", WORKLOADS.join(" "));
        println!("not in all: {}", OTHERS.join(" "));
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let run = |name: &str| {
        let mut out = std::io::stdout().lock();
        let line = measure(peer, name, budget, &make);
        // A closed pipe ends the run.
        writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
    };
    if serve {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        lines.take_while(|line| run(line.trim())).for_each(drop);
    } else {
        names.iter().take_while(|name| run(name)).for_each(drop);
    }
    ExitCode::SUCCESS
}
