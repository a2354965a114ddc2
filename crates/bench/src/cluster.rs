//! A step of data-parallel training, and what it would take on a cluster.

use std::cell::Cell;
use std::time::{Duration, Instant};

use lossgraph_autograd::Tape;
use lossgraph_losses::cross_entropy;
use lossgraph_nn::parallel::{Communicator, DataParallel};
use lossgraph_nn::{Activation, AdamW, Layer, Module, Result, Sequential, UpdateRule};

use crate::op::{labels, uniform};
use crate::training::linear;

const BATCH: usize = 512;
const STEPS: usize = 20;

/// Networks: latency of a message in seconds, and bytes a second.
const NETWORKS: [(&str, f64, f64); 2] =
    [("10 Gbit Ethernet", 30e-6, 1.25e9), ("100 Gbit InfiniBand", 2e-6, 12.5e9)];

/// Times a step, and prints it with what it sends; process 0 prints.
pub fn print(world: &dyn Communicator) -> Result<()> {
    let counted = Counted { world, sent: Cell::new(0) };
    let parallel = DataParallel::new(&counted, DataParallel::SHARDS)?;
    let model = Sequential::new()
        .then(linear(1, 784, 512))
        .then(Activation::Relu)
        .then(linear(2, 512, 512))
        .then(Activation::Relu)
        .then(linear(3, 512, 10));
    parallel.broadcast(&model)?;
    let mut optimizer = AdamW::default().over(&model)?;
    let x = uniform(4, [BATCH, 784], 1.0);
    let classes = labels(5, BATCH, 10);
    let (mut steps, mut computing, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    let mut sent = 0;
    for _ in 0..STEPS {
        counted.sent.set(0);
        let (start, mut own) = (Instant::now(), Duration::ZERO);
        let gradients = parallel.backward(&model, BATCH, |shard| {
            let start = Instant::now();
            let tape = Tape::new();
            let scores = model.forward_train(tape.constant(shard.of(&x)?));
            let loss = cross_entropy(scores, tape.constant(shard.of(&classes)?)).mean();
            let gradients = loss.backward()?;
            own += start.elapsed();
            Ok(gradients)
        })?;
        let update = Instant::now();
        optimizer.step(&gradients)?;
        updates.push(update.elapsed().as_secs_f64());
        steps.push(start.elapsed().as_secs_f64());
        computing.push(own.as_secs_f64());
        sent = counted.sent.get();
    }
    let (latency, bandwidth) = network(world)?;
    if !world.is_leader() {
        return Ok(());
    }
    let [step, computing, update] = [steps, computing, updates].map(median);
    let (size, bytes) = (world.size(), 4 * model.num_parameters());
    let [all, own, rest, last] =
        [step, computing, step - computing - update, update].map(|seconds| 1e3 * seconds);
    println!("{} parameters, batch of {BATCH}, {} shards", bytes / 4, parallel.shards());
    println!("| processes | step, ms | computing | merging | update | sent by a process, MB |");
    println!("|---|---|---|---|---|---|");
    println!("| {size} | {all:.1} | {own:.1} | {rest:.1} | {last:.1} | {:.2} |", sent as f64 / 1e6);
    if size > 1 {
        println!("here: a message takes {:.1} us, {:.2} GB/s", 1e6 * latency, bandwidth / 1e9);
        return Ok(());
    }
    println!(
        "\nOne process a machine: S/p + U + m a + 2 (p - 1)/p n / b, m = ceil(log2 p) + 2 (p - 1)"
    );
    println!(
        "S = {:.1} ms of shards, U = {last:.1} ms of the update, n = {bytes} bytes",
        own + rest
    );
    println!("| network | machines | step, ms | times as fast |\n|---|---|---|---|");
    for (name, latency, bandwidth) in NETWORKS {
        for p in [1, 2, 4, 8] {
            let others = (p - 1) as f64;
            let messages = (p as f64).log2().ceil() + 2.0 * others;
            let sending = 2.0 * others / p as f64 * bytes as f64 / bandwidth;
            let time = (step - update) / p as f64 + update + messages * latency + sending;
            println!("| {name} | {p} | {:.1} | {:.1} |", 1e3 * time, step / time);
        }
    }
    Ok(())
}

/// How long a small message takes, and how many bytes of a large one go in a second.
fn network(world: &dyn Communicator) -> Result<(f64, f64)> {
    let time = |bytes: usize, rounds: usize| -> Result<f64> {
        let message = vec![0; bytes];
        let mut times = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            world.alltoall(&message)?;
            times.push(start.elapsed().as_secs_f64());
        }
        Ok(median(times))
    };
    let (size, large) = (world.size(), 1 << 24);
    let others = (size - 1) as f64;
    let small = time(size, 200)? / others.max(1.0);
    let sent = large as f64 * others / size as f64;
    Ok((small, sent / time(large, 10)?))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Processes, and how many bytes this one has sent to others.
struct Counted<'a> {
    world: &'a dyn Communicator,
    sent: Cell<usize>,
}

impl Counted<'_> {
    fn count(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes);
    }
}

impl Communicator for Counted<'_> {
    fn rank(&self) -> usize {
        self.world.rank()
    }

    fn size(&self) -> usize {
        self.world.size()
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        self.count(if root == self.rank() { bytes.len() } else { 0 });
        self.world.broadcast(root, bytes)
    }

    fn allgather(&self, own: &[u8]) -> Result<Vec<u8>> {
        self.count(own.len() * (self.size() - 1));
        self.world.allgather(own)
    }

    fn alltoall(&self, own: &[u8]) -> Result<Vec<u8>> {
        self.count(own.len() / self.size() * (self.size() - 1));
        self.world.alltoall(own)
    }
}
