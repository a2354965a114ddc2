//! The stream of ChaCha8 from any position on, as a counter-based generator: a word of it depends on
//! key, stream and position alone, so that any thread can compute any part.
//!
//! Blocks are computed many at a time, each in a lane of vectors. The words are those that
//! `rand_chacha` gives one after another.

use std::slice;

use rand_chacha::ChaCha8Rng;

use crate::kernels::simd::{Loop, vectorized};
use crate::kernels::threads::parallel_chunks_mut;
use crate::kernels::transpose::transpose;

/// The words of a block.
const WORDS: usize = 16;
/// How many blocks are computed together: some vectors of any width, all in the first cache.
const LANES: usize = 32;
/// How many words a task computes: some microseconds' worth.
const TASK: usize = 1 << 14;

/// A word of each of the blocks that are computed together.
type Lanes = [u32; LANES];

/// What a generator draws next, and whatever follows.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    /// Blocks at counter 0: constants, key, two words of the counter, stream.
    start: [u32; WORDS],
    /// The next word, counted from the start of the stream.
    position: u128,
}

impl Stream {
    /// The stream of a generator, which stays where it is.
    pub fn of(rng: &ChaCha8Rng) -> Stream {
        let mut start = [0; WORDS];
        start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
        for (word, bytes) in start[4..12].iter_mut().zip(rng.get_seed().chunks_exact(4)) {
            *word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        }
        let stream = rng.get_stream();
        (start[14], start[15]) = (stream as u32, (stream >> 32) as u32);
        Stream { start, position: rng.get_word_pos() }
    }

    /// Sets each element to `of` its word, in parallel: the first element to that of the next word.
    pub fn fill<T: Copy + Send + Sync>(
        self,
        elements: &mut [T],
        of: impl Fn(u32) -> T + Copy + Sync,
    ) {
        parallel_chunks_mut(elements, TASK, |task, elements| {
            vectorized(Fill { stream: self.skipping(task * TASK), elements, of });
        });
    }

    /// The stream without its next words.
    fn skipping(self, words: usize) -> Stream {
        Stream { position: self.position + words as u128, ..self }
    }

    /// The block that begins at a counter, and those behind it.
    #[inline(always)]
    fn blocks(&self, counter: u64) -> [Lanes; WORDS] {
        let counter = |lane: usize| counter.wrapping_add(lane as u64);
        let counters: [Lanes; 2] = [
            std::array::from_fn(|lane| counter(lane) as u32),
            std::array::from_fn(|lane| (counter(lane) >> 32) as u32),
        ];
        let mut state = [[0; LANES]; WORDS];
        for (state, word) in state.iter_mut().zip(self.start) {
            *state = [word; LANES];
        }
        state[12..14].copy_from_slice(&counters);
        for _ in 0..4 {
            quarter_round(&mut state, [0, 4, 8, 12]);
            quarter_round(&mut state, [1, 5, 9, 13]);
            quarter_round(&mut state, [2, 6, 10, 14]);
            quarter_round(&mut state, [3, 7, 11, 15]);
            quarter_round(&mut state, [0, 5, 10, 15]);
            quarter_round(&mut state, [1, 6, 11, 12]);
            quarter_round(&mut state, [2, 7, 8, 13]);
            quarter_round(&mut state, [3, 4, 9, 14]);
        }
        for (state, word) in state.iter_mut().zip(self.start) {
            state.iter_mut().for_each(|state| *state = state.wrapping_add(word));
        }
        // At counter 0, what the blocks began with has nothing there.
        for (state, counters) in state[12..14].iter_mut().zip(&counters) {
            for (state, counter) in state.iter_mut().zip(counters) {
                *state = state.wrapping_add(*counter);
            }
        }
        state
    }
}

/// The quarter round of Bernstein (2008), in all lanes.
#[allow(clippy::needless_range_loop, reason = "four rows are read and written at the same lane")]
#[inline(always)]
fn quarter_round(state: &mut [Lanes; WORDS], [a, b, c, d]: [usize; 4]) {
    for lane in 0..LANES {
        let (mut x, mut y) = (state[a][lane], state[b][lane]);
        let (mut z, mut w) = (state[c][lane], state[d][lane]);
        x = x.wrapping_add(y);
        w = (w ^ x).rotate_left(16);
        z = z.wrapping_add(w);
        y = (y ^ z).rotate_left(12);
        x = x.wrapping_add(y);
        w = (w ^ x).rotate_left(8);
        z = z.wrapping_add(w);
        y = (y ^ z).rotate_left(7);
        (state[a][lane], state[b][lane], state[c][lane], state[d][lane]) = (x, y, z, w);
    }
}

/// Block by block what was word by word.
fn transpose_words(lanes: &[u32], words: &mut [u32]) {
    // SAFETY: both types have the same size and alignment, and any bits are a number of either;
    // transposing moves numbers, and computes none.
    let (lanes, words) = unsafe {
        (
            slice::from_raw_parts(lanes.as_ptr().cast::<f32>(), lanes.len()),
            slice::from_raw_parts_mut(words.as_mut_ptr().cast::<f32>(), words.len()),
        )
    };
    transpose(lanes, LANES, [WORDS, LANES], words);
}

/// The work of a task.
struct Fill<'a, T, F> {
    stream: Stream,
    elements: &'a mut [T],
    of: F,
}

impl<T: Copy, F: Fn(u32) -> T> Loop for Fill<'_, T, F> {
    #[inline(always)]
    fn run(self) {
        let Fill { stream, mut elements, of } = self;
        let mut counter = (stream.position / WORDS as u128) as u64;
        let mut skipped = (stream.position % WORDS as u128) as usize;
        let mut words = [0; LANES * WORDS];
        while !elements.is_empty() {
            transpose_words(stream.blocks(counter).as_flattened(), &mut words);
            let words = &words[skipped..];
            let (now, later) = elements.split_at_mut(words.len().min(elements.len()));
            now.iter_mut().zip(words).for_each(|(element, &word)| *element = of(word));
            elements = later;
            counter = counter.wrapping_add(LANES as u64);
            skipped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::kernels::threads;

    #[test]
    fn the_words_are_those_of_the_generator_from_any_position_on() {
        for (stream, position) in [(0, 0), (7, 5), (u64::MAX, 16 * 31 + 15), (3, (1 << 36) - 9)] {
            let mut rng = ChaCha8Rng::seed_from_u64(position as u64 ^ stream);
            rng.set_stream(stream);
            rng.set_word_pos(position);
            let mut words = vec![0; 3 * TASK + 77];
            Stream::of(&rng).fill(&mut words, |word| word);
            assert!(words.into_iter().all(|word| word == rng.next_u32()), "{stream} {position}");
        }
    }

    #[test]
    fn the_words_are_the_same_for_any_number_of_threads() {
        let stream = Stream::of(&ChaCha8Rng::seed_from_u64(1));
        let drawn = |count| {
            let mut words = vec![0; 5 * TASK + 3];
            threads::with(count, || stream.fill(&mut words, |word| word));
            words
        };
        assert!([2, 3, 8].into_iter().all(|count| drawn(count) == drawn(1)));
    }
}
