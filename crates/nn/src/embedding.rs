//! Vectors of words, and of places in a sequence.

use lossgraph_autograd::{Fault, Parameter, Var};
use lossgraph_tensor::{DType, Tensor};
use rand::Rng;

use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::{Layer, Mode};
use crate::module::Module;

/// A vector for each word: integers `[…]` below `words` become `[…, features]`.
///
/// ```
/// use lossgraph_autograd::Tape;
/// use lossgraph_nn::{Embedding, Layer};
/// use lossgraph_tensor::Tensor;
///
/// let layer = Embedding::of(Tensor::from([[0.0_f32, 1.0], [2.0, 3.0], [4.0, 5.0]]));
/// let tape = Tape::new();
/// let words = tape.constant([2, 0]);
/// assert_eq!(layer.forward(words).value()?.to_f64s(), [4.0, 5.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    weight: Parameter,
    padding: Option<usize>,
}

crate::module!(Embedding { weight, .. });

impl Embedding {
    /// Vectors that begin with normal numbers of mean 0 and variance 1, as PyTorch's do.
    pub fn new(words: usize, features: usize, rng: &mut impl Rng) -> Result<Embedding> {
        Embedding::with(words, features, Init::Normal(0.0, 1.0), rng)
    }

    /// Vectors that are drawn as `init` says.
    ///
    /// # Errors
    /// Impossible bounds.
    pub fn with(
        words: usize,
        features: usize,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Embedding> {
        let weight = init.draw(&[words, features], DType::F64, rng)?;
        Ok(Embedding { weight: Parameter::drawn("weight", weight), padding: None })
    }

    /// With given vectors, `[words, features]`.
    pub fn of(weight: Tensor) -> Embedding {
        Embedding { weight: Parameter::new("weight", weight), padding: None }
    }

    /// Vectors as of [`new`](Embedding::new), but for one word for padding: its vector is zeros, and
    /// stays so, since its slope is 0.
    ///
    /// # Errors
    /// A word that there is not.
    #[doc(alias = "padding_idx")]
    pub fn padded(
        words: usize,
        features: usize,
        word: usize,
        rng: &mut impl Rng,
    ) -> Result<Embedding> {
        let mut weight = Init::Normal(0.0, 1.0).draw(&[words, features], DType::F64, rng)?;
        let row =
            weight.as_mut_slice::<f64>().and_then(|all| all.chunks_mut(features.max(1)).nth(word));
        row.into_iter().for_each(|row| row.fill(0.0));
        let weight = Parameter::drawn("weight", weight);
        Embedding { weight, padding: None }.with_padding(word)
    }

    /// With one word for padding, whose vector has slope 0, and so stays as it is.
    ///
    /// # Errors
    /// A word that there is not.
    #[doc(alias = "padding_idx")]
    pub fn with_padding(self, word: usize) -> Result<Embedding> {
        let words = self.weight.shape().first().copied().unwrap_or(0);
        if word >= words {
            let (subject, name, expected) = ("embedding", "padding", "below the number of words");
            return Err(Error::Option { subject, name, given: word as f64, expected });
        }
        Ok(Embedding { padding: Some(word), ..self })
    }

    /// The vectors, `[words, features]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }
}

impl Layer for Embedding {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("embedding", || {
            let vectors = tape.parameter(&self.weight).embedding(x);
            match self.padding {
                Some(word) if !vectors.is_faulty() => {
                    x.ne(word as f64).unsqueeze(-1).select(vectors, vectors.detach())
                }
                _ => vectors,
            }
        })
    }
}

/// Adds to each vector of a sequence, `[…, places, features]`, a learned one for its place.
///
/// # Source
/// Gehring et al., Convolutional Sequence to Sequence Learning, 2017.
#[doc(alias = "position embedding")]
#[derive(Clone, Debug)]
pub struct LearnedPositions {
    weight: Parameter,
}

crate::module!(LearnedPositions { weight });

impl LearnedPositions {
    /// For sequences of `places` at most. The vectors begin with normal numbers of mean 0 and standard
    /// deviation 0.02, as in GPT-2.
    pub fn new(places: usize, features: usize, rng: &mut impl Rng) -> Result<LearnedPositions> {
        LearnedPositions::with(places, features, Init::Normal(0.0, 0.02), rng)
    }

    /// With vectors that are drawn as `init` says.
    ///
    /// # Errors
    /// Impossible bounds.
    pub fn with(
        places: usize,
        features: usize,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<LearnedPositions> {
        let weight = init.draw(&[places, features], DType::F64, rng)?;
        Ok(LearnedPositions { weight: Parameter::drawn("weight", weight) })
    }

    /// With given vectors, `[places, features]`.
    pub fn of(weight: Tensor) -> LearnedPositions {
        LearnedPositions { weight: Parameter::new("weight", weight) }
    }

    /// The vectors, `[places, features]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }
}

impl Layer for LearnedPositions {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("learned_positions", || {
            let table = tape.parameter(&self.weight);
            match table.is_faulty() {
                true => table,
                false => add_positions("learned_positions", x, &table.shape(), |places| {
                    table.slice(0, ..places)
                }),
            }
        })
    }
}

/// Adds to each vector of a sequence, `[…, places, features]`, waves of its place.
///
/// ```text
/// y[p, 2i]     = x[p, 2i]     + sin(p / 10000^(2i/features))
/// y[p, 2i + 1] = x[p, 2i + 1] + cos(p / 10000^(2i/features))
/// ```
///
/// # Source
/// Vaswani et al., Attention Is All You Need, 2017.
#[doc(alias = "PositionalEncoding")]
#[derive(Clone, Debug)]
pub struct SinusoidalPositions {
    /// In `f64`, from which tapes of other types round.
    table: Tensor,
}

impl SinusoidalPositions {
    /// For sequences of `places` at most.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    /// use lossgraph_nn::{Layer, SinusoidalPositions};
    ///
    /// let tape = Tape::f64();
    /// let y = SinusoidalPositions::new(9, 4)?.forward(tape.fill([2, 4], 0.0));
    /// let expected = [0.0, 1.0, 0.0, 1.0, 1.0_f64.sin(), 1.0_f64.cos(), 0.01_f64.sin(), 0.01_f64.cos()];
    /// assert_eq!(y.value()?.to_f64s(), expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A table that memory has no room for.
    pub fn new(places: usize, features: usize) -> Result<SinusoidalPositions> {
        let wave = |at: usize| {
            let (place, feature) = (at / features, at % features);
            let even = feature - feature % 2;
            let angle = place as f64 / 10_000_f64.powf(even as f64 / features as f64);
            if feature == even { angle.sin() } else { angle.cos() }
        };
        let mut table = Tensor::zeros([places, features], DType::F64)?;
        for (at, number) in table.as_mut_slice::<f64>().into_iter().flatten().enumerate() {
            *number = wave(at);
        }
        Ok(SinusoidalPositions { table })
    }
}

impl Module for SinusoidalPositions {}

impl Layer for SinusoidalPositions {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        const NAME: &str = "sinusoidal_positions";
        tape.named_call(NAME, || {
            // The rows that are added alone are rounded to the type of the tape.
            add_positions(NAME, x, self.table.shape(), |places| {
                match self.table.narrow(0, 0, places) {
                    Ok(rows) => tape.constant(rows),
                    Err(error) => tape.fault(Fault::new(NAME, error.to_string())),
                }
            })
        })
    }
}

/// Adds the first rows of a table of this shape, as many as the sequence has places.
#[track_caller]
fn add_positions<'t>(
    name: &'static str,
    x: Var<'t>,
    table: &[usize],
    rows: impl FnOnce(usize) -> Var<'t>,
) -> Var<'t> {
    if x.is_faulty() {
        return x;
    }
    let refuse = |why: String| x.tape().fault(Fault::new(name, why).operand("input", x));
    let &[places, features] = table else {
        return refuse(format!("the table is {table:?}, expected [places, features]"));
    };
    if x.rank() < 2 || x.dim(-2) > places || x.dim(-1) != features {
        return refuse(format!("the input is […, places, {features}], of {places} places at most"));
    }
    x + rows(x.dim(-2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(3)
    }

    #[test]
    fn the_vector_of_the_padding_stays() {
        let layer = Embedding::padded(3, 2, 1, &mut rng()).unwrap();
        assert_eq!(layer.weight().value().to_f64s()[2..4], [0.0, 0.0]);
        let tape = Tape::new();
        let y = layer.forward_train(tape.constant([[1, 2], [1, 1]]));
        assert_eq!(y.shape()[..], [2, 2, 2]);
        let gradients = y.sum(..).backward().unwrap();
        let slopes = gradients.get(layer.weight()).unwrap().to_f64s();
        assert_eq!(slopes, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        // Nothing but padding is no cut.
        let gradients = layer.forward(tape.constant([1])).sum(..).backward().unwrap();
        assert_eq!(gradients.get(layer.weight()).unwrap().to_f64s(), [0.0; 6]);
        let error = layer.with_padding(3).unwrap_err().to_string();
        assert_eq!(error, "embedding: padding is 3, expected below the number of words");
    }

    #[test]
    fn words_begin_with_a_variance_of_1() {
        let layer = Embedding::new(100, 100, &mut rng()).unwrap();
        let values = layer.weight().value().to_f64s();
        let square = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!((square - 1.0).abs() < 0.05, "{square}");
    }

    #[test]
    fn places_are_added_to_the_first_of_a_sequence() {
        let table = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let (layer, tape) = (LearnedPositions::of(table), Tape::new());
        let y = layer.forward(tape.fill([2, 2, 2], 1.0));
        assert_eq!(y.value().unwrap().to_f64s(), [2.0, 3.0, 4.0, 5.0, 2.0, 3.0, 4.0, 5.0]);
        let gradients = y.sum(..).backward().unwrap();
        let slopes = gradients.get(layer.weight()).unwrap().to_f64s();
        assert_eq!(slopes, [2.0, 2.0, 2.0, 2.0, 0.0, 0.0]);
        for shape in [&[1, 4, 2][..], &[3, 3], &[2]] {
            let x = tape.fill(lossgraph_tensor::Shape::from(shape), 1.0);
            let error = layer.forward(x).value().unwrap_err().to_string();
            assert!(error.contains("the input is […, places, 2], of 3 places at most"), "{error}");
        }
    }

    #[test]
    fn waves_of_an_odd_number_of_features_end_with_a_sine() {
        let layer = SinusoidalPositions::new(5, 3).unwrap();
        let tape = Tape::f64();
        let y = layer.forward(tape.fill([5, 3], 0.0)).slice(0, 4..);
        let last = 4.0 / 10_000_f64.powf(2.0 / 3.0);
        assert_eq!(y.value().unwrap().to_f64s(), [4.0_f64.sin(), 4.0_f64.cos(), last.sin()]);
    }
}
