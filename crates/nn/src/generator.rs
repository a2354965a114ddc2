//! Random generators whose state is saved with a training.

use lossgraph_autograd::{Module, Parameter};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::{ChaCha8Rng, ChaCha12Rng, ChaCha20Rng};

use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};

/// The generator of a layer, such as that of dropout: what it draws next is saved and loaded with a
/// [`Training`](crate::Training). A clone draws from the same stream.
///
/// It is a [`Module`], so that a layer of one's own lists it among its parts.
///
/// ```
/// use lossgraph_autograd::Var;
/// use lossgraph_nn::{Generator, Layer, Mode, Module, module};
/// use lossgraph_tensor::Tensor;
///
/// struct Noise {
///     generator: Generator,
/// }
///
/// module!(Noise { generator });
///
/// impl Layer for Noise {
///     fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
///         let noise = self.generator.draw(|rng| Tensor::randn(x.shape(), x.dtype(), rng));
///         noise.map_or(x, |noise| x + noise)
///     }
/// }
///
/// let noise = Noise { generator: Generator::new(1) };
/// assert_eq!(noise.generators()[0].0, "generator");
/// ```
#[derive(Clone, Debug)]
pub struct Generator(Parameter);

impl Generator {
    /// A generator with a seed.
    pub fn new(seed: u64) -> Generator {
        let state = ChaCha8Rng::seed_from_u64(seed).words();
        Generator(Parameter::new("generator", Tensor::from(state)))
    }

    /// Draws: the next time goes on where this one stopped. Two threads draw one after the other.
    pub fn draw<R>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> R) -> R {
        self.0.update(|state| {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            if let Ok(words) = words_of::<ChaCha8Rng>(state) {
                rng.set_words(words);
            }
            let drawn = draw(&mut rng);
            *state = Tensor::from(rng.words());
            drawn
        })
    }
}

impl Module for Generator {
    fn generators(&self) -> Vec<(String, Parameter)> {
        vec![(String::new(), self.0.clone())]
    }
}

/// Rounds, seed, stream and position: what a ChaCha generator draws next.
pub(crate) type Words = [i64; 8];

/// A generator as integers.
trait ChaCha {
    const NAME: &'static str;
    const ROUNDS: i64;

    fn words(&self) -> Words;
    fn set_words(&mut self, words: Words);
}

macro_rules! chacha {
    ($($rng:ty: $name:literal, $rounds:literal;)*) => {
        $(impl ChaCha for $rng {
            const NAME: &'static str = $name;
            const ROUNDS: i64 = $rounds;

            fn words(&self) -> Words {
                let seed = self.get_seed();
                let word = |i: usize| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(&seed[8 * i..8 * i + 8]);
                    i64::from_le_bytes(bytes)
                };
                let (stream, position) = (self.get_stream() as i64, self.get_word_pos());
                let [low, high] = [position as i64, (position >> 64) as i64];
                [$rounds, word(0), word(1), word(2), word(3), stream, low, high]
            }

            fn set_words(&mut self, words: Words) {
                let [_, a, b, c, d, stream, low, high] = words;
                let mut seed = [0; 32];
                for (bytes, word) in seed.chunks_exact_mut(8).zip([a, b, c, d]) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                *self = <$rng>::from_seed(seed);
                self.set_stream(stream as u64);
                self.set_word_pos(u128::from(high as u64) << 64 | u128::from(low as u64));
            }
        }

        /// Seed, stream and position: what it draws next.
        impl Stateful for $rng {
            fn state_dict(&self) -> Checkpoint {
                let mut state = Checkpoint::default();
                state.tensors.insert(STATE.to_owned(), Tensor::from(self.words()));
                state
            }

            fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
                let fail = |why: String| Error::StateDict { subject: Self::NAME, why };
                let tensor = match (state.tensors.get(STATE), state.tensors.len()) {
                    (Some(tensor), 1) => tensor,
                    _ => return Err(fail("it is no state of a generator".to_owned())),
                };
                self.set_words(words_of::<Self>(tensor).map_err(fail)?);
                Ok(())
            }
        })*
    };
}

chacha! {
    ChaCha8Rng: "chacha8", 8;
    ChaCha12Rng: "chacha12", 12;
    ChaCha20Rng: "chacha20", 20;
}

/// The name of the only tensor of a generator's state.
const STATE: &str = "state";

/// The words of a generator of one kind, or what else a tensor holds.
fn words_of<G: ChaCha>(tensor: &Tensor) -> std::result::Result<Words, String> {
    let words: Option<Words> = match tensor.dtype() {
        DType::I64 if tensor.rank() == 1 => {
            tensor.to_vec::<i64>().ok().and_then(|words| words.try_into().ok())
        }
        _ => None,
    };
    match words {
        Some(words) if words[0] == G::ROUNDS => Ok(words),
        Some(words) => Err(format!("the state is that of chacha{}", words[0])),
        None => {
            Err(format!("the state is {} {}, expected [8] i64", tensor.shape(), tensor.dtype()))
        }
    }
}

/// The words of a layer's generator.
pub(crate) fn words(state: &Tensor) -> std::result::Result<Words, String> {
    words_of::<ChaCha8Rng>(state)
}

/// The state of a generator at the same place of another stream, that of a shard. Streams of users
/// have small numbers, so that the shard's stands above them.
pub(crate) fn in_stream(words: &Words, shard: usize) -> Tensor {
    let mut words = *words;
    words[5] ^= (shard as i64) << 32;
    Tensor::from(words)
}

/// The state of a generator in its own stream, at the place of the one that drew most.
pub(crate) fn furthest<'a>(own: &'a Words, drawn: impl Iterator<Item = &'a Words>) -> Tensor {
    let place = |words: &Words| (words[7] as u64, words[6] as u64);
    let most = drawn.fold(own, |most, words| if place(words) > place(most) { words } else { most });
    let mut words = *own;
    [words[6], words[7]] = [most[6], most[7]];
    Tensor::from(words)
}

/// What is wrong with the state of a layer's generator.
pub(crate) fn check_state(state: &Tensor) -> std::result::Result<(), String> {
    words_of::<ChaCha8Rng>(state).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_generator_goes_on_from_any_place_of_its_stream() {
        for drawn in 0..200 {
            let mut rng = ChaCha12Rng::seed_from_u64(drawn);
            rng.set_stream(u64::MAX - drawn);
            (0..drawn).for_each(|_| _ = rng.next_u32());
            let mut other = ChaCha12Rng::seed_from_u64(1000);
            other.load_state_dict(&rng.state_dict()).unwrap();
            assert_eq!(other, rng);
            assert!((0..100).all(|_| other.next_u64() == rng.next_u64()));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        rng.set_word_pos((1 << 68) - 3);
        let mut other = ChaCha8Rng::seed_from_u64(2);
        other.load_state_dict(&rng.state_dict()).unwrap();
        assert!((0..100).all(|_| other.next_u64() == rng.next_u64()));
    }

    #[test]
    fn the_state_of_another_kind_of_generator_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let before = rng.clone();
        let error = rng.load_state_dict(&ChaCha20Rng::seed_from_u64(1).state_dict()).unwrap_err();
        let expected = "load_state_dict: chacha8: the state is that of chacha20";
        assert_eq!(error.to_string(), expected);
        let error = rng.load_state_dict(&Checkpoint::default()).unwrap_err().to_string();
        assert!(error.ends_with("it is no state of a generator"), "{error}");
        assert_eq!(rng, before);
    }

    #[test]
    fn what_a_layer_draws_is_one_stream_however_often_it_is_called() {
        let generator = Generator::new(3);
        let clone = generator.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for count in [1, 3, 40] {
            let drawn =
                generator.draw(|rng| (0..count).map(|_| rng.next_u32()).collect::<Vec<_>>());
            assert_eq!(drawn, (0..count).map(|_| rng.next_u32()).collect::<Vec<_>>());
            assert_eq!(clone.draw(Rng::next_u64), rng.next_u64());
        }
    }
}
