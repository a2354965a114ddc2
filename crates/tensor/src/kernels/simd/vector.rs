//! Vectors that stay in registers, for kernels that hold a tile of sums in them.
//!
//! A loop over arrays is left to the compiler, which may cut it along another axis, and then keep the sums
//! in memory: products were fifty times as slow with eight rows to a tile, and right with six. So these few
//! kernels name the vectors. All of them do the same arithmetic, so that results are bitwise equal.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::Float;

/// No vector has more elements.
pub(crate) const MAX_LEN: usize = 16;

/// A vector of elements, as wide as a register.
///
/// # Safety
/// All methods are for processors that have these vectors; a kernel is only ever given those.
pub(crate) trait Vector: Copy {
    type Elem: Float;
    /// How many elements there are.
    const LEN: usize;

    /// A vector that holds `x` alone.
    unsafe fn splat(x: Self::Elem) -> Self;
    /// The elements from an address on, which can be read.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes the elements from an address on, where they can be written.
    unsafe fn store(self, to: *mut Self::Elem);
    /// `self · by + to`, rounded once.
    unsafe fn mul_add(self, by: Self, to: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
}

/// A float with vectors.
pub(crate) trait Vectorized: Float {
    /// Vectors for each level of processors.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Elem = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Elem = Self>;
    type Portable: Vector<Elem = Self>;
}

impl Vectorized for f32 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = __m512;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = __m256;
    type Portable = Lanes<f32, 8>;
}

impl Vectorized for f64 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = __m512d;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = __m256d;
    type Portable = Lanes<f64, 4>;
}

/// Work that is written with the vectors of a processor, to be run by [`in_vectors`].
pub(crate) trait VectorLoop {
    type Elem: Vectorized;

    /// Does the work; `#[inline(always)]`, so that it is compiled for the processors that have them. A
    /// tile of `R` rows and two vectors, and what is added to it, fit the registers.
    ///
    /// # Safety
    /// The processor has these vectors.
    unsafe fn run<V: Vector<Elem = Self::Elem>, const R: usize>(self);
}

/// Runs work with the widest vectors that the processor has.
pub(crate) fn in_vectors<L: VectorLoop>(work: L) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::{HAS_AVX512, Level, level};
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        fn avx512<L: VectorLoop>(work: L) {
            // SAFETY: the features of this function are those of these vectors.
            unsafe { work.run::<<L::Elem as Vectorized>::Avx512, 8>() }
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<L: VectorLoop>(work: L) {
            // SAFETY: as above.
            unsafe { work.run::<<L::Elem as Vectorized>::Avx2, 6>() }
        }
        if HAS_AVX512 && matches!(level(), Level::Avx512) {
            // SAFETY: the processor has these features, as `level` has detected.
            return unsafe { avx512(work) };
        }
        if !matches!(level(), Level::Portable) {
            // SAFETY: all levels but the portable one have these features, as `level` has detected.
            return unsafe { avx2(work) };
        }
    }
    // SAFETY: arrays are on every processor.
    unsafe { work.run::<<L::Elem as Vectorized>::Portable, 6>() }
}

/// Asks for the cache line of an address, if the processor can be asked: it will be needed soon.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor can be asked, for any address.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// An array in place of a vector: two registers of NEON, or what the compiler makes of it.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T, const N: usize>(pub [T; N]);

impl<T: Float, const N: usize> Vector for Lanes<T, N> {
    type Elem = T;
    const LEN: usize = N;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Lanes([x; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: as the caller says; an array is aligned as its elements are.
        Lanes(unsafe { *from.cast::<[T; N]>() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as above.
        unsafe { *to.cast::<[T; N]>() = self.0 };
    }

    #[inline(always)]
    unsafe fn mul_add(self, by: Self, mut to: Self) -> Self {
        for n in 0..N {
            to.0[n] = self.0[n].mul_add(by.0[n], to.0[n]);
        }
        to
    }

    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        for n in 0..N {
            self.0[n] = self.0[n] + other.0[n];
        }
        self
    }
}

/// Makes a register of x86 a [`Vector`].
macro_rules! register {
    ($type:ty: $len:literal of $elem:ty,
        $splat:ident, $load:ident, $store:ident, $mul_add:ident, $add:ident) => {
        #[cfg(target_arch = "x86_64")]
        impl Vector for $type {
            type Elem = $elem;
            const LEN: usize = $len;

            #[inline(always)]
            unsafe fn splat(x: $elem) -> Self {
                // SAFETY: the caller vouches for the processor, here and below.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: as the caller says; any address will do.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: as above.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, by: Self, to: Self) -> Self {
                // SAFETY: as the caller says.
                unsafe { $mul_add(self, by, to) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as the caller says.
                unsafe { $add(self, other) }
            }
        }
    };
}

register!(__m512: 16 of f32,
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps);
register!(__m512d: 8 of f64,
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, _mm512_add_pd);
register!(__m256: 8 of f32,
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps);
register!(__m256d: 4 of f64,
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, _mm256_add_pd);
