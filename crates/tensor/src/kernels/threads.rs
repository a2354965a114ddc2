//! The threads that kernels share their work among: one small pool for everything.
//!
//! A call cuts its work by shape alone and lets whoever is awake claim the pieces. The caller
//! claims as well and never waits for a thread that sleeps, so that a pool on a busy machine costs
//! nothing. Between calls the helpers look out for work for a while before they sleep: waking one
//! takes tens of microseconds, which is as long as a whole kernel.
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
const MOST: usize = 256;

/// How long a helper looks out for work before it sleeps.
const ALERT: Duration = Duration::from_micros(100);

thread_local! {
    /// The number of threads inside of [`with`]; 0 outside.
    static WITHIN: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread works on a piece: pieces of pieces are not shared again.
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// How many threads kernels may use, the caller's included.
pub fn count() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    match (WITHIN.get(), CHOSEN.load(SeqCst)) {
        (0, 0) => *DEFAULT.get_or_init(|| {
            let said = std::env::var("LOSSGRAPH_THREADS").ok();
            let said = said.and_then(|n| n.parse().ok()).filter(|&n| n > 0);
            let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
            said.unwrap_or_else(cores).min(MOST)
        }),
        (0, chosen) => chosen,
        (within, _) => within,
    }
}

/// Sets how many threads kernels may use, the caller's included; 0 stands for the default, which
/// is `LOSSGRAPH_THREADS` if it holds a number, else one a core.
pub fn set(count: usize) {
    CHOSEN.store(count.min(MOST), SeqCst);
}

/// Runs `work` with another number of threads for the kernels that this thread calls.
pub fn with<R>(count: usize, work: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }
    let _restore = Restore(WITHIN.replace(count.clamp(1, MOST)));
    work()
}

/// Calls `piece` with each number below `count`, on as many threads as there may be.
pub(crate) fn share(count: usize, piece: impl Fn(usize) + Sync) {
    let helpers = self::count().min(count) - usize::from(count > 0);
    if helpers == 0 || WORKING.get() || !pool().work(helpers, count, &piece) {
        (0..count).for_each(piece);
    }
}

/// As [`share`], for pieces that may fail: the error of the first one that did, in their order.
pub(crate) fn try_share<E: Send>(
    count: usize,
    piece: impl Fn(usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let first: Mutex<Option<(usize, E)>> = Mutex::new(None);
    share(count, |i| {
        if let Err(error) = piece(i) {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(earlier, _)| i < *earlier) {
                *first = Some((i, error));
            }
        }
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}

/// Calls `work` with each item, on as many threads as there may be.
pub fn share_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync) {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    share_chunks(&mut items, 1, |_, item| {
        if let Some(item) = item[0].take() {
            work(item);
        }
    });
}

/// As [`share`], over mutable pieces of a slice, `len` elements each, the last one shorter.
pub(crate) fn share_chunks<T: Send>(
    slice: &mut [T],
    len: usize,
    piece: impl Fn(usize, &mut [T]) + Sync,
) {
    let done: Result<(), std::convert::Infallible> = try_share_chunks(slice, len, |i, slice| {
        piece(i, slice);
        Ok(())
    });
    done.unwrap_or_else(|never| match never {})
}

/// As [`try_share`], over mutable pieces of a slice, `len` elements each, the last one shorter.
pub(crate) fn try_share_chunks<T: Send, E: Send>(
    slice: &mut [T],
    len: usize,
    piece: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let total = slice.len();
    let start = Pointer(slice.as_mut_ptr());
    try_share(total.div_ceil(len.max(1)), |i| {
        let from = i * len;
        let to = (from + len).min(total);
        // SAFETY: the pieces lie inside of `slice`, which is borrowed by us alone, and each number
        // is claimed once, so that no two of them overlap.
        piece(i, unsafe { std::slice::from_raw_parts_mut(start.get().add(from), to - from) })
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

/// What is being shared out.
struct Job<'a> {
    piece: &'a (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// How many more helpers may join.
    seats: AtomicIsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Claims pieces until there are none.
    fn claim(&self) {
        WORKING.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let i = self.next.fetch_add(1, SeqCst);
                if i >= self.count {
                    break;
                }
                (self.piece)(i);
            }
        }));
        WORKING.set(false);
        if let Err(panic) = result {
            self.next.store(self.count, SeqCst);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }
}

struct Pool {
    /// Whether some thread's job has the pool. Another caller does its work alone meanwhile.
    taken: AtomicBool,
    job: AtomicPtr<Job<'static>>,
    /// How many helpers look at the job.
    busy: AtomicUsize,
    /// How many helpers sleep, or are about to.
    asleep: AtomicUsize,
    /// What they sleep by.
    bed: Mutex<()>,
    wake: Condvar,
    started: AtomicUsize,
}

fn pool() -> &'static Pool {
    static POOL: Pool = Pool {
        taken: AtomicBool::new(false),
        job: AtomicPtr::new(ptr::null_mut()),
        busy: AtomicUsize::new(0),
        asleep: AtomicUsize::new(0),
        bed: Mutex::new(()),
        wake: Condvar::new(),
        started: AtomicUsize::new(0),
    };
    &POOL
}

impl Pool {
    /// Shares a job with helpers; `false` if somebody else's has them.
    fn work(&'static self, helpers: usize, count: usize, piece: &(dyn Fn(usize) + Sync)) -> bool {
        if self.taken.swap(true, SeqCst) {
            return false;
        }
        while self.started.load(SeqCst) < helpers {
            let started = std::thread::Builder::new()
                .name("lossgraph".into())
                .spawn(move || self.help())
                .is_ok();
            if !started {
                break;
            }
            self.started.fetch_add(1, SeqCst);
        }
        let (next, seats) = (AtomicUsize::new(0), AtomicIsize::new(helpers as isize));
        let job = Job { piece, count, next, seats, panic: Mutex::new(None) };
        self.job.store(ptr::from_ref(&job).cast_mut().cast(), SeqCst);
        if self.asleep.load(SeqCst) > 0 {
            // Taking the lock makes sure that a helper on its way to sleep has arrived there.
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
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

    /// The life of a helper.
    fn help(&self) {
        let mut idle_since = Instant::now();
        loop {
            if self.job.load(SeqCst).is_null() {
                // Not many: a pause takes some tens of cycles, and small work is over in few.
                for _ in 0..8 {
                    std::hint::spin_loop();
                }
                if idle_since.elapsed() > ALERT {
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
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        // First this, then the look at the job: a caller does it the other way round, so that one
        // of us sees the other.
        self.asleep.fetch_add(1, SeqCst);
        while self.job.load(SeqCst).is_null() {
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            for pieces in [0, 1, 2, 3, 100] {
                let mut done = vec![0; pieces];
                with(threads, || share_chunks(&mut done, 1, |i, one| one[0] += i + 1));
                assert_eq!(done, (1..=pieces).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn callers_on_many_threads_and_pieces_of_pieces_do_not_wait_for_each_other() {
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        share(5, |_| {
                            share(3, |_| {
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
    fn a_panic_in_a_piece_comes_back_to_the_caller() {
        let result = catch_unwind(|| with(2, || share(10, |i| assert!(i != 7, "piece seven"))));
        assert!(result.is_err());
        let mut after = [0; 4];
        with(2, || share_chunks(&mut after, 1, |_, one| one[0] = 1));
        assert_eq!(after, [1; 4]);
    }

    #[test]
    fn the_error_of_the_first_piece_that_fails_comes_back() {
        for threads in [1, 2, 7] {
            let failed =
                with(threads, || try_share(50, |i| if i % 10 == 3 { Err(i) } else { Ok(()) }));
            assert_eq!(failed, Err(3));
        }
    }

    #[test]
    fn the_number_of_threads_is_set_for_all_or_for_a_while() {
        assert_eq!(with(3, || with(5, count)), 5);
        assert_eq!(with(0, count), 1);
    }
}
