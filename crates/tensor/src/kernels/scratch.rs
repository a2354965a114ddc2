//! Scratch memory of a thread, reused from call to call.

use std::cell::Cell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::Elem;

/// Where a thread keeps scratch memory, one for each purpose.
pub(crate) type Memory = LocalKey<Cell<Vec<f64>>>;

/// How many numbers a thread keeps for a purpose at most: 16 MiB.
const MOST_KEPT: usize = 1 << 21;

/// Scratch memory of this thread, until it is dropped.
pub(crate) struct Scratch<T> {
    owner: &'static Memory,
    memory: Vec<f64>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Elem> Scratch<T> {
    /// Memory for so many elements, which hold whatever was left there.
    pub fn take(owner: &'static Memory, len: usize) -> Scratch<T> {
        let mut memory = owner.take();
        // In units of f64, with room to start at a cache line.
        let needed = (len * size_of::<T>()).div_ceil(8) + 8;
        if memory.len() < needed {
            // First without it, so that there are never both.
            drop(memory);
            memory = vec![0.0; needed];
        }
        Scratch { owner, memory, len, of: PhantomData }
    }

    /// As [`take`](Scratch::take), of elements that are all `x`.
    pub fn filled(owner: &'static Memory, len: usize, x: T) -> Scratch<T> {
        let mut scratch = Scratch::take(owner, len);
        scratch.elements().fill(x);
        scratch
    }

    /// The first element, at the start of a cache line.
    pub fn start(&mut self) -> *mut T {
        let start = self.memory.as_mut_ptr();
        start.wrapping_add(start.align_offset(64)).cast()
    }

    /// The elements.
    pub fn elements(&mut self) -> &mut [T] {
        let (start, len) = (self.start(), self.len);
        // SAFETY: `take` has seen to room for so many elements from the first cache line on. All of it
        // was written as zeros at least, and any bits are an element.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        if self.memory.len() <= MOST_KEPT {
            self.owner.set(std::mem::take(&mut self.memory));
        }
    }
}
