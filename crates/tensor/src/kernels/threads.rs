//! Parallel loops on one small thread pool.
//!
//! A parallel loop is cut into tasks by shape alone, and whoever is awake claims tasks. The caller
//! claims as well and never waits for a thread that sleeps, so that a pool on a busy machine costs
//! nothing. Between loops the workers spin for a while before they sleep: waking one takes tens of
//! microseconds, which is as long as a whole kernel.
//!
//! The number of threads is that of the processor, or `LOSSGRAPH_THREADS`, or what
//! [`set`] says. It changes how long things take, never a result.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// More threads than this are never started.
const MAX_THREADS: usize = 256;

/// How long a worker spins before it sleeps.
const SPIN: Duration = Duration::from_micros(100);

thread_local! {
    /// The number of threads inside of [`with`]; 0 outside.
    static OVERRIDE: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread runs a task: nested loops are sequential.
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
}

static CONFIGURED: AtomicUsize = AtomicUsize::new(0);

/// How many threads kernels may use, the caller's included.
pub fn count() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    match (OVERRIDE.get(), CONFIGURED.load(SeqCst)) {
        (0, 0) => *DEFAULT.get_or_init(|| {
            let variable = std::env::var("LOSSGRAPH_THREADS").ok();
            let variable = variable.and_then(|n| n.parse().ok()).filter(|&n| n > 0);
            let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
            variable.unwrap_or_else(cores).min(MAX_THREADS)
        }),
        (0, configured) => configured,
        (scoped, _) => scoped,
    }
}

/// Sets how many threads kernels may use, the caller's included; 0 stands for the default, which
/// is `LOSSGRAPH_THREADS` if it holds a number, else one a core.
pub fn set(count: usize) {
    CONFIGURED.store(count.min(MAX_THREADS), SeqCst);
}

/// Runs `work` with another number of threads for the kernels that this thread calls.
pub fn with<R>(count: usize, work: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    let _restore = Restore(OVERRIDE.replace(count.clamp(1, MAX_THREADS)));
    work()
}

/// A parallel loop: calls `task` with each number below `count`.
pub(crate) fn parallel_for(count: usize, task: impl Fn(usize) + Sync) {
    let workers = self::count().min(count) - usize::from(count > 0);
    if workers == 0 || IN_TASK.get() || !pool().run(workers, count, &task) {
        (0..count).for_each(task);
    }
}

/// As [`parallel_for`], for tasks that may fail: gives the error of the first one that did, in
/// their order.
pub(crate) fn try_parallel_for<E: Send>(
    count: usize,
    task: impl Fn(usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let first: Mutex<Option<(usize, E)>> = Mutex::new(None);
    parallel_for(count, |i| {
        if let Err(error) = task(i) {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(earlier, _)| i < *earlier) {
                *first = Some((i, error));
            }
        }
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}

/// A parallel loop over items: calls `work` with each.
pub fn parallel_for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync) {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    parallel_chunks_mut(&mut items, 1, |_, item| {
        if let Some(item) = item[0].take() {
            work(item);
        }
    });
}

/// A parallel loop over mutable chunks of a slice, `len` elements each, the last one shorter.
pub(crate) fn parallel_chunks_mut<T: Send>(
    slice: &mut [T],
    len: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    let done: Result<(), std::convert::Infallible> =
        try_parallel_chunks_mut(slice, len, |i, slice| {
            task(i, slice);
            Ok(())
        });
    done.unwrap_or_else(|never| match never {})
}

/// As [`parallel_chunks_mut`], for tasks that may fail; see [`try_parallel_for`].
pub(crate) fn try_parallel_chunks_mut<T: Send, E: Send>(
    slice: &mut [T],
    len: usize,
    task: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let total = slice.len();
    let start = Pointer(slice.as_mut_ptr());
    try_parallel_for(total.div_ceil(len.max(1)), |i| {
        let from = i * len;
        let to = (from + len).min(total);
        // SAFETY: the chunks lie inside of `slice`, which is borrowed by us alone, and each number
        // is claimed once, so that no two of them overlap.
        task(i, unsafe { std::slice::from_raw_parts_mut(start.get().add(from), to - from) })
    })
}

/// A pointer that threads may pass to each other; what they do with it is their business.
pub(crate) struct Pointer<T>(pub *mut T);

impl<T> Pointer<T> {
    pub fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: a pointer by itself reads and writes nothing; each use says why it is sound.
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Pointer<T> {}

/// A parallel loop in progress.
struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// How many more workers may join.
    seats: AtomicIsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Claims and runs tasks until there are none.
    fn claim(&self) {
        IN_TASK.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let i = self.next.fetch_add(1, SeqCst);
                if i >= self.count {
                    break;
                }
                (self.task)(i);
            }
        }));
        IN_TASK.set(false);
        if let Err(panic) = result {
            self.next.store(self.count, SeqCst);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }
}

struct Pool {
    /// Whether some thread's job has the pool. The loops of other callers are sequential meanwhile.
    taken: AtomicBool,
    job: AtomicPtr<Job<'static>>,
    /// How many workers look at the job.
    busy: AtomicUsize,
    /// How many workers sleep, or are about to.
    asleep: AtomicUsize,
    /// What they wait with.
    lock: Mutex<()>,
    wake: Condvar,
    started: AtomicUsize,
}

fn pool() -> &'static Pool {
    static POOL: Pool = Pool {
        taken: AtomicBool::new(false),
        job: AtomicPtr::new(ptr::null_mut()),
        busy: AtomicUsize::new(0),
        asleep: AtomicUsize::new(0),
        lock: Mutex::new(()),
        wake: Condvar::new(),
        started: AtomicUsize::new(0),
    };
    &POOL
}

impl Pool {
    /// Runs a loop with workers; `false` if another loop has them.
    fn run(&'static self, workers: usize, count: usize, task: &(dyn Fn(usize) + Sync)) -> bool {
        if self.taken.swap(true, SeqCst) {
            return false;
        }
        while self.started.load(SeqCst) < workers {
            let started = std::thread::Builder::new()
                .name("lossgraph".into())
                .spawn(move || self.work())
                .is_ok();
            if !started {
                break;
            }
            self.started.fetch_add(1, SeqCst);
        }
        let (next, seats) = (AtomicUsize::new(0), AtomicIsize::new(workers as isize));
        let job = Job { task, count, next, seats, panic: Mutex::new(None) };
        self.job.store(ptr::from_ref(&job).cast_mut().cast(), SeqCst);
        if self.asleep.load(SeqCst) > 0 {
            // Taking the lock makes sure that a worker on its way to sleep has arrived there.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
        job.claim();
        // From here on nobody joins, and whoever has joined is waited for: the job is ours to drop.
        self.job.store(ptr::null_mut(), SeqCst);
        let mut spins = 0_u32;
        while self.busy.load(SeqCst) > 0 {
            spins += 1;
            if spins.is_multiple_of(1024) {
                std::thread::yield_now()
            } else {
                std::hint::spin_loop()
            }
        }
        self.taken.store(false, SeqCst);
        let panic = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        true
    }

    /// The loop of a worker.
    fn work(&self) {
        let mut idle_since = Instant::now();
        loop {
            if self.job.load(SeqCst).is_null() {
                // Not many: a pause takes some tens of cycles, and small work is over in few.
                for _ in 0..8 {
                    std::hint::spin_loop();
                }
                if idle_since.elapsed() > SPIN {
                    self.sleep();
                    idle_since = Instant::now();
                }
                continue;
            }
            self.busy.fetch_add(1, SeqCst);
            let job = self.job.load(SeqCst);
            if !job.is_null() {
                // SAFETY: `busy` was raised before the job was seen, and its owner first takes the
                // job away and then waits until `busy` is 0: so it stays alive until we lower it.
                let job = unsafe { &*job };
                if job.seats.fetch_sub(1, SeqCst) > 0 {
                    job.claim();
                }
                self.busy.fetch_sub(1, SeqCst);
                idle_since = Instant::now();
            } else {
                self.busy.fetch_sub(1, SeqCst);
            }
        }
    }

    fn sleep(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // First this, then the look at the job: a caller does it the other way round, so that one
        // of us sees the other.
        self.asleep.fetch_add(1, SeqCst);
        while self.job.load(SeqCst).is_null() {
            lock = self.wake.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            for tasks in [0, 1, 2, 3, 100] {
                let mut done = vec![0; tasks];
                with(threads, || parallel_chunks_mut(&mut done, 1, |i, one| one[0] += i + 1));
                assert_eq!(done, (1..=tasks).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn callers_on_many_threads_and_nested_loops_do_not_wait_for_each_other() {
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        parallel_for(5, |_| {
                            parallel_for(3, |_| {
                                total.fetch_add(1, SeqCst);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 200 * 15);
    }

    #[test]
    fn a_panic_in_a_task_comes_back_to_the_caller() {
        let result =
            catch_unwind(|| with(2, || parallel_for(10, |i| assert!(i != 7, "task seven"))));
        assert!(result.is_err());
        let mut after = [0; 4];
        with(2, || parallel_chunks_mut(&mut after, 1, |_, one| one[0] = 1));
        assert_eq!(after, [1; 4]);
    }

    #[test]
    fn the_error_of_the_first_task_that_fails_comes_back() {
        for threads in [1, 2, 7] {
            let failed = with(threads, || {
                try_parallel_for(50, |i| if i % 10 == 3 { Err(i) } else { Ok(()) })
            });
            assert_eq!(failed, Err(3));
        }
    }

    #[test]
    fn the_number_of_threads_is_set_for_all_or_for_a_while() {
        assert_eq!(with(3, || with(5, count)), 5);
        assert_eq!(with(0, count), 1);
    }
}
