//! Parallel loops on one small thread pool.
//!
//! A parallel loop is cut into tasks by shape alone, and whoever is awake claims tasks. The caller
//! claims as well and never waits for a thread that sleeps, or has claimed nothing. Between loops the
//! workers spin for a while before they sleep: waking one takes tens of microseconds, which is as
//! long as a whole kernel.
//!
//! On a busy machine a worker may lose its core in the middle of a task, and then the caller has to
//! wait for it. It leaves its own core to it meanwhile. Such a loop is followed by a pause, many times
//! as long as it waited, in which its thread does without workers: so the pool never costs much more
//! time than it saves.
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

/// How long it spins without offering its core to other threads.
const SPIN_ALONE: Duration = Duration::from_micros(20);

/// How long a caller spins for a worker's last task, before it offers its core to it.
const WAIT: Duration = Duration::from_micros(50);

/// A pause is so many times as long as what the caller waited for in vain: at first, and at most,
/// where each try fails.
const MIN_BACKOFF: u32 = 10;
const MAX_BACKOFF: u32 = 40;

thread_local! {
    /// The number of threads inside of [`with`]; 0 outside.
    static OVERRIDE: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread runs a task: nested loops are sequential.
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static BACKOFF: Cell<Backoff> = const { Cell::new(Backoff { until: None, factor: MIN_BACKOFF }) };
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
///
/// The task is an object, so that it is compiled once, not for a pool and for a thread alone.
pub(crate) fn parallel_for(count: usize, task: &(dyn Fn(usize) + Sync)) {
    let workers = self::count().min(count) - usize::from(count > 0);
    if workers == 0 || IN_TASK.get() || !pool().run(workers, count, task) {
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
    parallel_for(count, &|i| {
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
    let (start, total, len) = (Pointer(slice.as_mut_ptr()), slice.len(), len.max(1));
    parallel_for(total.div_ceil(len), &|i| {
        // SAFETY: `slice` is borrowed by us alone, and the loop gives each number once.
        task(i, unsafe { chunk(&start, total, len, i) });
    });
}

/// As [`parallel_chunks_mut`], for tasks that may fail; see [`try_parallel_for`].
pub(crate) fn try_parallel_chunks_mut<T: Send, E: Send>(
    slice: &mut [T],
    len: usize,
    task: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let (start, total, len) = (Pointer(slice.as_mut_ptr()), slice.len(), len.max(1));
    try_parallel_for(total.div_ceil(len), |i| {
        // SAFETY: `slice` is borrowed by us alone, and the loop gives each number once.
        task(i, unsafe { chunk(&start, total, len, i) })
    })
}

/// The chunk of a number, of a slice of `total` elements that is cut into chunks of `len`.
///
/// # Safety
/// The slice begins at `start` and is borrowed for as long; the number is one of a chunk, and nobody else
/// has that chunk.
unsafe fn chunk<'a, T>(start: &Pointer<T>, total: usize, len: usize, i: usize) -> &'a mut [T] {
    let from = i * len;
    let to = (from + len).min(total);
    // SAFETY: the chunk lies inside of the slice and overlaps with no other one.
    unsafe { std::slice::from_raw_parts_mut(start.get().add(from), to - from) }
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
    /// Claims and runs tasks until there are none; gives how many it ran.
    fn claim(&self) -> usize {
        let mut ran = 0;
        IN_TASK.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let i = self.next.fetch_add(1, SeqCst);
                if i >= self.count {
                    break;
                }
                (self.task)(i);
                ran += 1;
            }
        }));
        IN_TASK.set(false);
        if let Err(panic) = result {
            self.next.store(self.count, SeqCst);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        ran
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
    /// Whether a caller waits for the last worker, and what it waits with.
    awaited: AtomicBool,
    idle: Condvar,
}

/// When a thread may share its loops again, and how long the next pause will be.
#[derive(Clone, Copy)]
struct Backoff {
    until: Option<Instant>,
    factor: u32,
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
        awaited: AtomicBool::new(false),
        idle: Condvar::new(),
    };
    &POOL
}

impl Pool {
    /// Runs a loop with workers; `false` if another loop has them, or they do not help.
    fn run(&'static self, workers: usize, count: usize, task: &(dyn Fn(usize) + Sync)) -> bool {
        if BACKOFF.get().until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
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
        let start = Instant::now();
        let ran = job.claim();
        // From here on nobody joins, and whoever has joined is waited for: the job is ours to drop.
        self.job.store(ptr::null_mut(), SeqCst);
        if self.busy.load(SeqCst) > 0 {
            let worked = start.elapsed();
            self.wait();
            // As long as all tasks would take the caller: unknown if it had none.
            if ran > 0 {
                let alone = worked.mul_f64(count as f64 / ran as f64);
                BACKOFF.set(BACKOFF.get().after(alone, worked, start.elapsed()));
            }
        }
        self.taken.store(false, SeqCst);
        let panic = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        true
    }

    /// Waits until no worker looks at the job any more.
    fn wait(&self) {
        let start = Instant::now();
        let mut spins = 0_u32;
        while self.busy.load(SeqCst) > 0 {
            spins += 1;
            if spins.is_multiple_of(64) && start.elapsed() > WAIT {
                // First this, then the look: a worker does it the other way round, so that one of us
                // sees the other. A core where nobody runs is one that a worker can have.
                self.awaited.store(true, SeqCst);
                let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                while self.busy.load(SeqCst) > 0 {
                    lock = self.idle.wait(lock).unwrap_or_else(PoisonError::into_inner);
                }
                self.awaited.store(false, SeqCst);
            } else {
                std::hint::spin_loop();
            }
        }
    }

    /// Notes that a worker does not look at the job any more.
    fn leave(&self) {
        if self.busy.fetch_sub(1, SeqCst) == 1 && self.awaited.load(SeqCst) {
            // As in waking: who is on the way to sleep has arrived there.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.idle.notify_all();
        }
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
                match idle_since.elapsed() {
                    idle if idle > SPIN => {
                        self.sleep();
                        idle_since = Instant::now();
                    }
                    idle if idle > SPIN_ALONE => std::thread::yield_now(),
                    _ => {}
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
                self.leave();
                idle_since = Instant::now();
            } else {
                self.leave();
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

impl Backoff {
    /// What follows a loop that would have taken the caller so long `alone`, for which it worked and
    /// which took so long in all: the rest of the time it waited.
    fn after(self, alone: Duration, worked: Duration, took: Duration) -> Backoff {
        let waited = took.saturating_sub(worked);
        if waited > WAIT && took.mul_f64(1.1) > alone {
            let until = Instant::now().checked_add(waited.saturating_mul(self.factor));
            Backoff { until, factor: (2 * self.factor).min(MAX_BACKOFF) }
        } else {
            Backoff { until: None, factor: (self.factor / 2).max(MIN_BACKOFF) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_waited_in_vain_is_followed_by_a_pause_that_grows() {
        let millis = Duration::from_millis;
        let none = Backoff { until: None, factor: MIN_BACKOFF };
        let left = |pause: Backoff| pause.until.unwrap() - Instant::now();
        // Half of the tasks in 4 ms, and then 6 ms for the other half.
        let first = none.after(millis(8), millis(4), millis(10));
        assert!(left(first) > millis(50) && left(first) <= millis(60));
        let second = first.after(millis(8), millis(4), millis(10));
        assert!(left(second) > millis(110) && left(second) <= millis(120));
        assert!(second.after(millis(8), millis(4), millis(5)).until.is_none(), "it saved time");
        let [short, micros] = [5, 30].map(Duration::from_micros);
        assert!(second.after(short, short, micros).until.is_none(), "so little is no loss");
        // Meanwhile this thread takes all tasks.
        BACKOFF.set(second);
        let caller = std::thread::current().id();
        with(2, || parallel_for(1000, &|_| assert_eq!(std::thread::current().id(), caller)));
        BACKOFF.set(none);
    }

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
                        parallel_for(5, &|_| {
                            parallel_for(3, &|_| {
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
            catch_unwind(|| with(2, || parallel_for(10, &|i| assert!(i != 7, "task seven"))));
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
