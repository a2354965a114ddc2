//! Runtime dispatch: loops with the widest vectors that the processor has.
//!
//! A loop is compiled once for each level (function multiversioning) and is the same code on all of
//! them: no level contracts or reorders arithmetic, so results are bitwise equal. Most of the time
//! that the library takes to compile goes there, so loops for AVX-512 are compiled with the feature
//! `avx512` alone, and not in builds with debug assertions.

mod vector;

pub(crate) use vector::{Lanes, MAX_LEN, Vector, VectorLoop, Vectorized, in_vectors, prefetch};

/// Whether there are loops for AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) const HAS_AVX512: bool = cfg!(all(feature = "avx512", not(debug_assertions)));

/// Calls `$body` compiled for the processor at hand. `$body` has to be a call of an
/// `#[inline(always)]` function, so that each level compiles it. For an x86 processor without AVX2 and
/// FMA there may be other code, behind `portable`, that is smaller: fused multiply-adds are calls there,
/// and a hundred times as slow in any case.
macro_rules! dispatch {
    ($(<$($generic:ident: $bound:path),* $(; $n:ident)?>)? ($($arg:ident: $type:ty),*) $(-> $ret:ty)? $body:block
        $(portable $portable:block)?) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512$(<$($generic: $bound,)* $(const $n: usize)?>)?($($arg: $type),*) $(-> $ret)? $body
            #[target_feature(enable = "avx2,fma")]
            fn avx2$(<$($generic: $bound,)* $(const $n: usize)?>)?($($arg: $type),*) $(-> $ret)? $body
            use crate::kernels::simd::{HAS_AVX512, Level, level};
            // Of what a constant rules out, nothing is compiled.
            if HAS_AVX512 && matches!(level(), Level::Avx512) {
                // SAFETY: the processor has these features, as `level` has detected.
                return unsafe { avx512$(::<$($generic,)* $($n)?>)?($($arg),*) };
            }
            if !matches!(level(), Level::Portable) {
                // SAFETY: all other levels have these features, as `level` has detected.
                return unsafe { avx2$(::<$($generic,)* $($n)?>)?($($arg),*) };
            }
            $(return $portable)?
        }
        // NEON is part of every 64-bit Arm, so that the plain loop is the vector loop there.
        #[allow(unreachable_code, reason = "where x86 processors without AVX2 have other code")]
        $body
    }};
}
pub(crate) use dispatch;

/// Work in plain loops, to be run by [`vectorized`].
pub trait Loop {
    /// How many bytes the vectors have that it is cut into, if it is written for some: it is compiled
    /// for that level alone, and whoever runs it has asked `vector_bytes`.
    const VECTOR_BYTES: Option<usize> = None;

    /// Does the work; `#[inline(always)]`, so that each level compiles it.
    fn run(self);
}

/// Runs loops with the widest vectors that the processor has.
pub fn vectorized<L: Loop>(work: L) {
    #[cfg(target_arch = "x86_64")]
    {
        if const { HAS_AVX512 && is_for::<L>(64) } && matches!(level(), Level::Avx512) {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512<L: Loop>(work: L) {
                work.run()
            }
            // SAFETY: the processor has these features, as `level` has detected.
            return unsafe { avx512(work) };
        }
        if const { is_for::<L>(32) } && !matches!(level(), Level::Portable) {
            #[target_feature(enable = "avx2,fma")]
            fn avx2<L: Loop>(work: L) {
                work.run()
            }
            // SAFETY: all levels but the portable one have these features, as `level` has detected.
            return unsafe { avx2(work) };
        }
    }
    if const { is_for::<L>(32) } {
        return work.run();
    }
    unreachable!("a loop is written for the vectors of this processor");
}

/// Whether a loop may be run with vectors of so many bytes.
const fn is_for<L: Loop>(bytes: usize) -> bool {
    match L::VECTOR_BYTES {
        Some(written_for) => written_for == bytes,
        None => true,
    }
}

/// How many bytes the vectors have that loops are cut into: those of AVX-512 or of AVX2, or pairs of
/// narrower ones.
pub(crate) fn vector_bytes() -> usize {
    #[cfg(target_arch = "x86_64")]
    if HAS_AVX512 && matches!(level(), Level::Avx512) {
        return 64;
    }
    32
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
        return Level::Avx512;
    }
    if has!("avx2") && has!("fma") { Level::Avx2 } else { Level::Portable }
}
