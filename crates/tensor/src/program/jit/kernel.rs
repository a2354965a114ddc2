//! Kernels in memory, and how they are called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{Mmap, MmapMut};
use smallvec::{SmallVec, smallvec};

use super::codegen::{Generated, frame};
use crate::program::code::{Accesses, SlotId};

/// Whether the system has refused to run code that was written at run time: then none is written again.
pub(super) static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// A kernel in the code of a program.
#[derive(Clone, Debug)]
pub(in crate::program) struct KernelCall {
    pub kernel: Arc<Kernel>,
    pub accesses: Accesses,
    /// The slots of sums of rows, each with the accumulator that they are added up in.
    pub sums: Vec<(SlotId, usize)>,
}

/// The code of a kernel, which may be run.
#[derive(Debug)]
pub(in crate::program) struct Kernel {
    code: Mmap,
    /// The places of constants among the numbers of the frame, and how many numbers there are.
    constants: Vec<(usize, u32)>,
    numbers: usize,
}

impl Kernel {
    /// Puts generated code into memory; `None` where the system forbids to run it.
    pub(super) fn new(generated: Generated) -> Option<Kernel> {
        let Generated { code, constants, numbers } = generated;
        let mut memory = MmapMut::map_anon(code.len()).ok()?;
        memory.copy_from_slice(&code);
        let code = memory.make_exec();
        IS_REFUSED.fetch_or(code.is_err(), Ordering::Relaxed);
        Some(Kernel { code: code.ok()?, constants, numbers })
    }

    /// Runs over so many rows of so many columns; whether all indices are columns.
    ///
    /// # Safety
    /// There is an index for each row, of each index of the program. Each slot that the kernel was generated
    /// with has as many elements as its extent says; nobody else writes to one that it reads, and nobody
    /// else reads or writes one that it writes to. An output may lie over an input that no later pass
    /// reads ([`Executable::may_overwrite`](crate::program::Executable::may_overwrite)): within a pass,
    /// what stands at a place is loaded before it is stored.
    pub unsafe fn run(
        &self,
        slots: &[*mut f32],
        indices: &[*const i64],
        [rows, columns]: [usize; 2],
    ) -> bool {
        if rows == 0 || columns == 0 {
            return true;
        }
        let mut words: SmallVec<[u64; 64]> = smallvec![0; frame::WORDS + self.numbers.div_ceil(2)];
        let bytes = |n: usize| 4 * n as u64;
        words[frame::SLOTS] = slots.as_ptr() as u64;
        words[frame::ROWS] = bytes(rows);
        words[frame::ROW_BYTES] = bytes(columns);
        words[frame::BLOCK_END] = bytes(columns / 64 * 64);
        words[frame::VECTOR_END] = bytes(columns / 16 * 16);
        words[frame::PAIRS] = bytes(rows / 2 * 2);
        words[frame::MASK] = (1 << (columns % 16)) - 1;
        words[frame::COLUMNS] = columns as u64;
        for (at, indices) in indices.iter().take(frame::MOST_INDICES).enumerate() {
            words[frame::INDICES + at] = *indices as u64;
        }
        for &(at, bits) in &self.constants {
            // Two numbers are a word; the first one is its lower half.
            words[frame::WORDS + at / 2] |= u64::from(bits) << (at % 2 * 32);
        }
        // SAFETY: the code is a whole function of this type, as `codegen::generate` has written it, and
        // the processor has its instructions, as `Plan::of` has seen to. It reads and writes the frame,
        // the rows of slots, and no further: the caller says that they are there.
        unsafe {
            let run: unsafe extern "sysv64" fn(*mut u64) -> u64 =
                std::mem::transmute(self.code.as_ptr());
            run(words.as_mut_ptr()) == 0
        }
    }

    pub fn bytes(&self) -> usize {
        self.code.len().next_multiple_of(4096) + self.constants.len() * 8
    }
}
