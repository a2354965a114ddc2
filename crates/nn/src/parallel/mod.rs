//! Data-parallel training: processes share out every batch, and take the same step.
//!
//! A batch is cut into a fixed number of *shards*. Each process computes the gradients of its share
//! of them, and the gradients of all are added by a fixed binary tree of shards, whichever process
//! has them. **So the bits of a training do not depend on the number of processes**, but on the number
//! of shards alone.
//!
//! ```
//! use lossgraph_autograd::Tape;
//! use lossgraph_nn::parallel::{DataParallel, Local};
//! use lossgraph_nn::{Layer, Mlp, Sgd, UpdateRule};
//! use lossgraph_tensor::Tensor;
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let world = Local::alone(); // or that of `parallel::mpi::run`
//! let parallel = DataParallel::new(&world, 4)?;
//! let model = Mlp::new(&[2, 8, 1], &mut ChaCha8Rng::seed_from_u64(0))?;
//! parallel.broadcast(&model)?;
//! let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.over(&model)?;
//! let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
//! let y = Tensor::from([[0.0], [1.0], [1.0], [2.0]]);
//! for _ in 0..50 {
//!     let gradients = parallel.backward(&model, 4, |shard| {
//!         let tape = Tape::new();
//!         let (x, y) = (tape.constant(shard.of(&x)?), tape.constant(shard.of(&y)?));
//!         Ok((model.forward_train(x) - y).square().mean(..).backward()?)
//!     })?;
//!     optimizer.step(&gradients)?;
//! }
//! # Ok::<(), lossgraph_nn::Error>(())
//! ```
//!
//! | what | how it is shared out |
//! |---|---|
//! | rows | shard `i` of `s` has those from `⌊i n / s⌋` on, of `n`; a small batch leaves some empty |
//! | the loss, gradients | the mean over the examples: `Σ (nᵢ / n) Lᵢ`, as that of the batch if the loss is a mean over its examples |
//! | a loss of pairs within a batch | pairs are those of a shard |
//! | batch norm | statistics of a shard, as PyTorch's `DistributedDataParallel` has them without `SyncBatchNorm` |
//! | running statistics | the mean of what the shards make of them, by their examples; of integers, that of the last shard |
//! | dropout, generators of layers | each shard draws from a stream of its own, the first from that of a run which is not shared out; all go on behind what any shard drew |

mod communicator;
mod layout;
#[cfg(feature = "mpi")]
pub mod mpi;
mod reduce;
mod tree;
mod wire;

pub use communicator::{Communicator, Local};

use std::fmt;
use std::ops::Range;

use lossgraph_autograd::{Gradients, Module, Parameter};
use lossgraph_tensor::{DType, Elem, Tensor};

use crate::error::{Error, Result};
use layout::{Layout, Record, Values};
use reduce::{Deal, Part, allreduce, join};
use tree::{Tree, merged};
use wire::{Wire, put, take};

/// Shares out batches among processes, each of which has a model of the same shapes.
///
/// All processes make the same calls with the same batches; what one computes of a batch is its
/// [`Shard`]s.
#[derive(Clone, Copy)]
pub struct DataParallel<'a> {
    world: &'a dyn Communicator,
    shards: usize,
}

/// How many bytes are sent at a time.
const MESSAGE: usize = 1 << 26;

/// A part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    rows: Range<usize>,
    examples: usize,
}

impl Shard {
    /// Its number within the batch.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its rows within the batch; at least one.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Its rows of a tensor that has an example of the batch in each; nothing is copied.
    ///
    /// # Errors
    /// A tensor with another number of rows than the batch.
    pub fn of(&self, batch: &Tensor) -> Result<Tensor> {
        if batch.shape().first() != Some(&self.examples) {
            let (shape, examples) = (batch.shape(), self.examples);
            let why =
                format!("a tensor is {shape}, expected one with the {examples} rows of the batch");
            return Err(Error::Parallel { why });
        }
        Ok(batch.narrow(0, self.rows.start, self.rows.len())?)
    }
}

impl<'a> DataParallel<'a> {
    /// The shards of a batch where nothing else is said: enough for 1, 2, 4 or 8 processes.
    pub const SHARDS: usize = 8;

    /// For batches of so many shards, which are dealt to the processes evenly. With one shard, and so
    /// one process, training has the bits of one that is not shared out.
    ///
    /// # Errors
    /// Shards that are not a multiple of the processes, or more than 65,536.
    pub fn new(world: &'a dyn Communicator, shards: usize) -> Result<DataParallel<'a>> {
        const MOST: usize = 1 << 16;
        let size = world.size();
        if shards > MOST {
            let why = format!("{shards} shards, expected {MOST} at most: one for each process");
            return Err(Error::Parallel { why });
        }
        if shards == 0 || !shards.is_multiple_of(size) {
            let cure = shards.next_multiple_of(size).max(size);
            let why = format!(
                "{shards} shards cannot be dealt to {size} processes evenly, expected a multiple of \
                 {size}, such as {cure}; the bits of a training depend on their number"
            );
            return Err(Error::Parallel { why });
        }
        Ok(DataParallel { world, shards })
    }

    /// The processes.
    pub fn world(&self) -> &'a dyn Communicator {
        self.world
    }

    /// How many shards a batch has.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Gives the model of every process the parameters, buffers and generators of that of process 0.
    ///
    /// # Errors
    /// A model of other names, shapes or types than that of process 0.
    pub fn broadcast(&self, model: &(impl Module + ?Sized)) -> Result<()> {
        if self.world.size() == 1 {
            return Ok(());
        }
        let parts = [model.parameters(), model.buffers(), model.generators()].concat();
        self.check_models(&parts)?;
        for (_, parameter) in parts {
            let value = parameter.value();
            parameter.set(match value.dtype() {
                DType::F32 => self.broadcast_tensor::<f32>(&value)?,
                DType::F64 => self.broadcast_tensor::<f64>(&value)?,
                DType::I64 => self.broadcast_tensor::<i64>(&value)?,
            })?;
        }
        Ok(())
    }

    fn broadcast_tensor<T: wire::Bytes + Elem>(&self, value: &Tensor) -> Result<Tensor> {
        let mut bytes = Vec::new();
        put(&mut bytes, &value.to_vec::<T>()?);
        bytes.chunks_mut(MESSAGE).try_for_each(|bytes| self.world.broadcast(0, bytes))?;
        Ok(Tensor::new(value.shape().clone(), take::<T>(&mut &bytes[..], value.len()))?)
    }

    fn check_models(&self, parts: &[(String, Parameter)]) -> Result<()> {
        let line = |(name, p): &(String, Parameter)| {
            let value = p.value();
            format!("{name} {} {}\n", value.shape(), value.dtype())
        };
        let own: Vec<u8> = parts.iter().map(line).collect::<String>().into_bytes();
        let mut length = (own.len() as u64).to_ne_bytes();
        self.world.broadcast(0, &mut length)?;
        let mut first = own.clone();
        first.resize(u64::from_ne_bytes(length) as usize, 0);
        self.world.broadcast(0, &mut first)?;
        let same = self.world.allgather(&[u8::from(first == own)])?;
        match same.iter().position(|&same| same == 0) {
            None => Ok(()),
            Some(rank) => {
                let why = format!(
                    "the model of process {rank} is another one than that of process 0: build it \
                     with the same sizes and types"
                );
                Err(Error::Parallel { why })
            }
        }
    }

    /// The gradients of a batch: those of each shard, as `program` computes them, added up. `program`
    /// is called for the shards of this process that have examples, and records on a new tape each
    /// time the mean loss of a shard.
    ///
    /// A parameter without a gradient in any shard has none; in some, it has 0 in the others. Gradients
    /// of variables are left out. With one shard, it is what `program` gives.
    ///
    /// # Errors
    /// What `program` returns in any process: all get the error of the first, with its name. A batch
    /// without examples, or of other sizes in other processes; a gradient or a state that is not the
    /// model's.
    pub fn backward(
        &self,
        model: &(impl Module + ?Sized),
        examples: usize,
        mut program: impl FnMut(&Shard) -> Result<Gradients>,
    ) -> Result<Gradients> {
        let deal = self.deal(examples)?;
        if self.shards == 1 {
            return program(&Shard { index: 0, rows: 0..examples, examples });
        }
        let layout = Layout::of(model);
        let base = layout.words()?;
        let mut parts = Parts { f32: Tree::new(self.shards), f64: Tree::new(self.shards) };
        let mut own = Vec::new();
        let computed = self.own_shards(&deal, |index, shard| {
            let Some(shard) = shard else {
                parts.push(index, 0, Values::default(), &layout);
                layout.encode(&layout.nothing(0.0), &mut own);
                return Ok(());
            };
            layout.enter(&base, index)?;
            let count = shard.rows.len();
            let (values, record) =
                layout.flatten(&program(&shard)?, count as f64 / examples as f64)?;
            parts.push(index, count, values, &layout);
            layout.encode(&record, &mut own);
            Ok(())
        });
        layout.leave(&base, &[])?;
        let share = self.shards / deal.processes;
        let all = self.agree(examples, computed.map(|()| own), share * layout.record_len())?;
        let records: Vec<Record> =
            all.chunks(layout.record_len()).map(|bytes| layout.decode(bytes)).collect();
        layout.leave(&base, &records)?;
        let loss = merged(records.iter().map(|record| record.loss).collect(), |a, b| a + b);
        let (f32, f64) = (numbers(parts.f32), numbers(parts.f64));
        let values = Values {
            f32: allreduce(self.world, &deal, f32, layout.f32)?,
            f64: allreduce(self.world, &deal, f64, layout.f64)?,
        };
        layout.gradients(loss.unwrap_or(0.0), &records, &values)
    }

    /// Numbers of a batch, such as how many examples are classified right: those of each shard, as
    /// `program` computes them, added by the tree.
    ///
    /// # Errors
    /// As for [`backward`](DataParallel::backward).
    #[doc(alias = "metrics")]
    pub fn sum<const N: usize>(
        &self,
        examples: usize,
        mut program: impl FnMut(&Shard) -> Result<[f64; N]>,
    ) -> Result<[f64; N]> {
        let deal = self.deal(examples)?;
        let mut own = Vec::new();
        let computed = self.own_shards(&deal, |_, shard| {
            put(&mut own, &shard.map_or(Ok([0.0; N]), |shard| program(&shard))?);
            Ok(())
        });
        let share = self.shards / deal.processes;
        let all = self.agree(examples, computed.map(|()| own), share * N * 8)?;
        let each: Vec<[f64; N]> = take(&mut &all[..], self.shards * N).as_chunks().0.to_vec();
        let sum = merged(each, |a, b| std::array::from_fn(|i| a[i] + b[i]));
        Ok(sum.unwrap_or([0.0; N]))
    }

    /// Whether a flag is set in any process.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn any(&self, flag: bool) -> Result<bool> {
        Ok(self.agree(0, Ok(vec![u8::from(flag)]), 1)?.contains(&1))
    }

    /// What each process has, unless one of them has an error: then all get the first.
    ///
    /// # Errors
    /// That one; a process that has ended.
    pub fn all_ok<T>(&self, own: Result<T>) -> Result<T> {
        let mut value = None;
        self.agree(0, own.map(|own| _ = value.insert(own)).map(|()| Vec::new()), 0)?;
        value.ok_or_else(|| Error::Parallel { why: "there is no value".to_owned() })
    }

    /// Gives all processes the bytes of process 0; those of others count for nothing.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn from_leader(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut length = (bytes.len() as u64).to_ne_bytes();
        self.world.broadcast(0, &mut length)?;
        bytes.resize(u64::from_ne_bytes(length) as usize, 0);
        bytes.chunks_mut(MESSAGE).try_for_each(|bytes| self.world.broadcast(0, bytes))?;
        Ok(bytes)
    }

    fn deal(&self, examples: usize) -> Result<Deal> {
        if examples == 0 {
            let why = "the batch has no examples, expected at least one".to_owned();
            return Err(Error::Parallel { why });
        }
        let each = (0..self.shards).map(|i| self.rows(examples, i).len()).collect();
        Ok(Deal { examples: each, processes: self.world.size() })
    }

    /// The rows of a shard: as many as of others, or one less.
    fn rows(&self, examples: usize, shard: usize) -> Range<usize> {
        // In 128 bits: the product may have more than those of an index.
        let cut = |i: usize| (i as u128 * examples as u128 / self.shards as u128) as usize;
        cut(shard)..cut(shard + 1)
    }

    /// Goes through the shards of this process; those without examples are `None`.
    fn own_shards(
        &self,
        deal: &Deal,
        mut each: impl FnMut(usize, Option<Shard>) -> Result<()>,
    ) -> Result<()> {
        let examples = deal.examples.iter().sum();
        deal.shards(self.world.rank()).try_for_each(|index| {
            let rows = self.rows(examples, index);
            let shard = (!rows.is_empty()).then_some(Shard { index, rows, examples });
            each(index, shard)
        })
    }

    /// What all processes have, each so many bytes, or the error of the first that has none.
    fn agree(&self, examples: usize, own: Result<Vec<u8>>, length: usize) -> Result<Vec<u8>> {
        let mut message = vec![u8::from(own.is_err())];
        put(&mut message, &[examples as u64]);
        match &own {
            Ok(bytes) => message.extend_from_slice(bytes),
            Err(_) => message.resize(message.len() + length, 0),
        }
        let all = self.world.allgather(&message)?;
        // Errors first: whoever has one tells it, whatever else differs.
        if let Some(rank) = all.chunks(message.len()).position(|theirs| theirs[0] == 1) {
            return Err(self.failure(rank, own.err()));
        }
        let mut bodies = Vec::new();
        for (rank, theirs) in all.chunks(message.len()).enumerate() {
            let mut theirs = &theirs[1..];
            let count = take::<u64>(&mut theirs, 1)[0];
            if count != examples as u64 {
                let why = format!(
                    "process {rank} has a batch of {count} examples, and process {} one of \
                     {examples}: all take the same batches, and `shard.of` gives their share",
                    self.world.rank()
                );
                return Err(Error::Parallel { why });
            }
            bodies.extend_from_slice(theirs);
        }
        Ok(bodies)
    }

    /// The error of a process, told to all.
    fn failure(&self, rank: usize, own: Option<Error>) -> Error {
        const LENGTH: usize = 4096;
        match own {
            Some(own) if self.world.size() == 1 => own,
            own => {
                let own = own.map_or(String::new(), |own| format!("{}: {own}", self.world.name()));
                let mut text = own.into_bytes();
                text.resize(LENGTH, 0);
                if let Err(error) = self.world.broadcast(rank, &mut text) {
                    return error;
                }
                let text = String::from_utf8_lossy(&text);
                Error::Parallel { why: text.trim_end_matches('\0').to_owned() }
            }
        }
    }
}

impl fmt::Debug for DataParallel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} shards", self.world.name(), self.shards)
    }
}

/// What the shards of a process give, merged as far as they are neighbors.
struct Parts {
    f32: Tree<Part<f32>>,
    f64: Tree<Part<f64>>,
}

impl Parts {
    fn push(&mut self, shard: usize, examples: usize, values: Values, layout: &Layout) {
        let (sums32, sums64) = (layout.f32.sums, layout.f64.sums);
        self.f32.push_leaf(shard, (examples, values.f32), &mut |a, b| join(a, b, sums32));
        self.f64.push_leaf(shard, (examples, values.f64), &mut |a, b| join(a, b, sums64));
    }
}

fn numbers<T: Wire>(tree: Tree<Part<T>>) -> Vec<Vec<T>> {
    tree.into_nodes().into_iter().map(|(_, (_, numbers))| numbers).collect()
}

/// What launchers say in the environment of a process: how many there are, or its number.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];
const RANKS: [&str; 2] = ["PMIX_RANK", "PMI_RANK"];

/// Whether the process was started by `mpirun`, `srun` or the like, which say so in its environment.
pub fn launched() -> bool {
    SIZES.iter().chain(&RANKS).any(|variable| std::env::var_os(variable).is_some())
}

/// Whether a launcher started other processes beside this one, as far as one can see: where it says
/// ranks alone, the one of rank 0 cannot know.
pub fn is_one_of_several() -> bool {
    let number = |variable: &&str| std::env::var(variable).ok()?.parse::<usize>().ok();
    SIZES.iter().filter_map(number).any(|size| size > 1)
        || RANKS.iter().filter_map(number).any(|rank| rank > 0)
}
