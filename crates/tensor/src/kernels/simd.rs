//! Runtime dispatch: loops with the widest vectors that the processor has.
//!
//! A loop is compiled once for each level (function multiversioning) and is the same code on all of
//! them: no level contracts or reorders arithmetic, so results are bitwise equal. Builds with debug
//! assertions have no loops for AVX-512, which a third of their time would go to.

/// Calls `$body` compiled for the processor at hand. `$body` has to be a call of an
/// `#[inline(always)]` function, so that each level compiles it.
macro_rules! dispatch {
    ($(<$($generic:ident: $bound:path),* $(; $n:ident)?>)? ($($arg:ident: $type:ty),*) $(-> $ret:ty)? $body:block) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[cfg(not(debug_assertions))]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512$(<$($generic: $bound,)* $(const $n: usize)?>)?($($arg: $type),*) $(-> $ret)? $body
            #[target_feature(enable = "avx2,fma")]
            fn avx2$(<$($generic: $bound,)* $(const $n: usize)?>)?($($arg: $type),*) $(-> $ret)? $body
            match crate::kernels::simd::level() {
                #[cfg(not(debug_assertions))]
                crate::kernels::simd::Level::Avx512 => {
                    // SAFETY: the processor has these features, as `level` has detected.
                    return unsafe { avx512$(::<$($generic,)* $($n)?>)?($($arg),*) };
                }
                crate::kernels::simd::Level::Portable => {}
                _ => {
                    // SAFETY: all other levels have these features, as `level` has detected.
                    return unsafe { avx2$(::<$($generic,)* $($n)?>)?($($arg),*) };
                }
            }
        }
        // NEON is part of every 64-bit Arm, so that the plain loop is the vector loop there.
        $body
    }};
}
pub(crate) use dispatch;

/// Work in plain loops, to be run by [`vectorized`].
pub trait Loop {
    /// Does the work; `#[inline(always)]`, so that each level compiles it.
    fn run(self);
}

/// Runs loops with the widest vectors that the processor has.
pub fn vectorized<L: Loop>(work: L) {
    dispatch!(<L: Loop> (work: L) { work.run() })
}

/// How many bytes the widest vectors of this processor have.
pub(crate) fn vector_bytes() -> usize {
    #[cfg(target_arch = "x86_64")]
    match level() {
        Level::Avx512 => return 64,
        Level::Avx2 => return 32,
        Level::Portable => {}
    }
    16
}

/// The vector instructions that a processor has.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Portable,
    Avx2,
    Avx512,
}

/// The level of this processor.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn level() -> Level {
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    // 0 until it was detected. A micro-op runs for some tens of nanoseconds, so that even the
    // standard library's cache of five features would show.
    static LEVEL: AtomicU8 = AtomicU8::new(0);
    match LEVEL.load(Relaxed) {
        3 => Level::Avx512,
        2 => Level::Avx2,
        1 => Level::Portable,
        _ => {
            let level = detect();
            LEVEL.store(level as u8 + 1, Relaxed);
            level
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> Level {
    use std::arch::is_x86_feature_detected as has;
    if has!("avx512f")
        && has!("avx512dq")
        && has!("avx512bw")
        && has!("avx512vl")
        && has!("avx2")
        && has!("fma")
    {
        Level::Avx512
    } else if has!("avx2") && has!("fma") {
        Level::Avx2
    } else {
        Level::Portable
    }
}
