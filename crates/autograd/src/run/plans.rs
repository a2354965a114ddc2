//! The plans that each thread keeps, and the memory that they run in.
//!
//! A program that is recorded again, node by node the same, runs by the plan that was made the first
//! time. A thread keeps its plans until they take more than [`capacity`], 64 MiB unless
//! [`set_capacity`] said otherwise; then those go that were used longest ago. The plan that was used
//! last stays, however large it is.
//!
//! The buffers that plans compute in are not kept for each plan: the one that runs next takes over
//! those of the one before. They are at most an eighth more than the plan among those kept needs that
//! needs most, or 1 MiB. So what a thread holds for programs of many shapes, such as
//! batches or sequences of all lengths, is what the largest of them needs.
//!
//! ```
//! use lossgraph_autograd::{Tape, plans};
//! use lossgraph_tensor::{DType, Tensor};
//!
//! for rows in 1..100 {
//!     let tape = Tape::new();
//!     let x = tape.variable(Tensor::full([rows, 1000], 0.5, DType::F32)?);
//!     (x.exp().sum(1).sin() * x.sum(1)).sum(..).backward()?;
//! }
//! assert!(plans::allocated() < 2 << 20);
//! plans::clear();
//! assert_eq!(plans::allocated(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arena::{Arena, bytes};
use super::cache::{Planned, Request};
use super::executor::Workspace;
use crate::record::node::{FxHashMap, Id, Node};

/// How many bytes the plans of a thread take, unless [`set_capacity`] says otherwise.
const CAPACITY: usize = 64 << 20;

/// A thread holds so many bytes of buffers even if no plan needs them.
const SMALL: usize = 1 << 20;

static CONFIGURED: AtomicUsize = AtomicUsize::new(CAPACITY);

thread_local! {
    static PLANS: RefCell<Plans> = RefCell::new(Plans::default());
}

/// How many bytes the plans of a thread may take.
pub fn capacity() -> usize {
    CONFIGURED.load(Ordering::Relaxed)
}

/// Sets how many bytes the plans of a thread may take, for all threads: 64 MiB unless set. With 0, a
/// thread keeps one plan. Each thread follows when it next keeps a plan. It changes how
/// long things take, never a result.
pub fn set_capacity(bytes: usize) {
    CONFIGURED.store(bytes, Ordering::Relaxed);
}

/// Forgets the plans of this thread, and frees their memory. What is recorded again is planned again.
#[doc(alias = "clear_caches")]
#[doc(alias = "empty_cache")]
pub fn clear() {
    // Dropped when the table is nobody's any more.
    let _plans = PLANS.take();
}

/// How many bytes this thread holds for its plans: about, for the plans, and exactly for the buffers
/// that they run in.
#[doc(alias = "memory_allocated")]
pub fn allocated() -> usize {
    PLANS.with_borrow(|plans| plans.bytes + plans.buffer_bytes())
}

/// How many plans this thread has made since it started, or since [`clear`]: those of programs that it
/// kept no plan of. When all steps of a training are alike, it stands still after the second one.
#[doc(alias = "cache_misses")]
pub fn made() -> u64 {
    PLANS.with_borrow(|plans| plans.made)
}

#[derive(Default)]
struct Plans {
    entries: FxHashMap<u64, Box<Entry>>,
    /// What the entries take.
    bytes: usize,
    /// How often a plan was kept.
    uses: u64,
    /// How many of them ran for the first time then.
    made: u64,
    /// The key of the plan whose workspace has the buffers.
    last: Option<u64>,
    arena: Arena,
    /// The largest need of any plan that is kept.
    largest: usize,
}

/// A plan with the program it is for.
pub(super) struct Entry {
    key: u64,
    nodes: Vec<Node>,
    request: Request,
    pub planned: Rc<Planned>,
    pub workspace: Workspace,
    bytes: usize,
    last_use: u64,
}

impl Entry {
    pub fn new(key: u64, nodes: Vec<Node>, request: Request, planned: Planned) -> Box<Entry> {
        let bytes = size_of::<Entry>() + nodes.len() * size_of::<Node>() + planned.plan.bytes();
        let (planned, workspace) = (Rc::new(planned), Workspace::default());
        Box::new(Entry { key, nodes, request, planned, workspace, bytes, last_use: 0 })
    }

    /// The numbers of a program that are others than in the one that was planned: none, if it runs by
    /// this plan. `None` if it is another program.
    fn other_numbers(&self, nodes: &[Node], request: &Request) -> Option<Vec<Id>> {
        if self.request != *request || self.nodes.len() != nodes.len() {
            return None;
        }
        let mut others = Vec::new();
        for (id, (a, b)) in self.nodes.iter().zip(nodes).enumerate() {
            if a != b {
                if !a.is_equal_but_for_its_number(b) {
                    return None;
                }
                if self.planned.arguments.binary_search(&(id as Id)).is_err() {
                    others.push(id as Id);
                }
            }
        }
        Some(others)
    }
}

/// Takes the plan of a program out of those of this thread. While it runs it is nobody else's, so
/// that a run inside of a run cannot meet its own workspace.
///
/// # Errors
/// There is none. If there is one of the same program with other numbers, these are the numbers that
/// changed since, now or before: to be arguments of the plan.
pub(super) fn take(key: u64, nodes: &[Node], request: &Request) -> Result<Box<Entry>, Vec<Id>> {
    PLANS.with_borrow_mut(|plans| {
        let Some(entry) = plans.entries.get(&key) else { return Err(Vec::new()) };
        match entry.other_numbers(nodes, request) {
            None => Err(Vec::new()),
            Some(others) if others.is_empty() => {
                let entry = plans.entries.remove(&key).ok_or(others)?;
                plans.bytes -= entry.bytes;
                Ok(entry)
            }
            Some(mut others) => {
                others.extend(&entry.planned.arguments);
                others.sort_unstable();
                Err(others)
            }
        }
    })
}

/// Gives a plan that is about to run its buffers.
pub(super) fn lend(entry: &mut Entry) {
    PLANS.with_borrow_mut(|plans| {
        // One that never ran has none, even if it is to replace the one that ran last.
        if plans.last == Some(entry.key) && entry.last_use > 0 {
            return;
        }
        plans.take_back();
        let plan = &entry.planned.plan;
        let limit = plans.limit(plan.shared_bytes);
        plans.arena.lend(plan, &mut entry.workspace, limit);
    });
}

/// Keeps a plan after it ran.
pub(super) fn keep(mut entry: Box<Entry>) {
    // Dropped when the table is nobody's any more.
    let _dropped = PLANS.with_borrow_mut(|plans| {
        if plans.last != Some(entry.key) {
            plans.take_back();
        }
        plans.uses += 1;
        plans.made += u64::from(entry.last_use == 0);
        entry.last_use = plans.uses;
        plans.last = Some(entry.key);
        plans.bytes += entry.bytes;
        plans.largest = plans.largest.max(entry.planned.plan.shared_bytes);
        let before = plans.entries.insert(entry.key, entry);
        plans.bytes -= before.as_ref().map_or(0, |before| before.bytes);
        (before, plans.shrink(capacity()))
    });
}

impl Plans {
    /// Takes the buffers from the plan that ran last, unless it runs now.
    fn take_back(&mut self) {
        let entry = self.last.take().and_then(|key| self.entries.get_mut(&key));
        if let Some(entry) = entry {
            self.arena.take_back(&entry.planned.plan, &mut entry.workspace);
        }
    }

    /// How many bytes of buffers the thread may hold, of which a plan needs so many.
    fn limit(&self, needed: usize) -> usize {
        let largest = self.largest.max(needed);
        (largest + largest / 8).max(SMALL)
    }

    /// Takes plans out that were used longest ago if all take too much: a quarter of them at once, so
    /// that looking for them costs little.
    fn shrink(&mut self, capacity: usize) -> Vec<Entry> {
        let mut dropped = Vec::new();
        if self.bytes > capacity {
            let mut uses: Vec<(u64, u64)> =
                self.entries.values().map(|entry| (entry.last_use, entry.key)).collect();
            uses.sort_unstable();
            uses.pop();
            for (_, key) in uses {
                if self.bytes > capacity / 4 * 3
                    && let Some(entry) = self.entries.remove(&key)
                {
                    self.bytes -= entry.bytes;
                    dropped.push(*entry);
                }
            }
            let needs = self.entries.values().map(|entry| entry.planned.plan.shared_bytes);
            self.largest = needs.max().unwrap_or(0);
            let held = self.buffer_bytes() - self.arena.bytes();
            self.arena.shrink(self.limit(0).saturating_sub(held));
        }
        dropped
    }

    fn buffer_bytes(&self) -> usize {
        let last = self.last.and_then(|key| self.entries.get(&key));
        let held = last.map_or(0, |entry| {
            let buffer = |at: u32| entry.workspace.buffers.get(at as usize)?.as_ref();
            entry
                .planned
                .plan
                .shared
                .iter()
                .filter_map(|shared| buffer(shared.buffer))
                .map(bytes)
                .sum()
        });
        held + self.arena.bytes()
    }
}
