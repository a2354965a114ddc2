//! Vectors that stand for classes, and are trained with the embeddings.

use lossgraph_autograd::{Module, Parameter, Tape, Var};
use lossgraph_tensor::{DType, Result, Tensor};
use rand::Rng;

/// A vector for each class, or several: the proxies, class weights or centers of the losses that
/// take them. A layer without a function: the losses stay compositions, which are given its
/// vectors.
///
/// ```
/// use lossgraph_autograd::Tape;
/// use lossgraph_losses::{ClassVectors, cos_face};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let proxies = ClassVectors::new(10, 4, &mut ChaCha8Rng::seed_from_u64(0))?;
/// let tape = Tape::new();
/// let embeddings = tape.variable([[1.0, 0.0, 0.0, 0.0]]);
/// let loss = cos_face(embeddings, proxies.on(&tape), tape.labels(&[3]), 0.35).mean();
/// let gradients = loss.backward()?;
/// assert_eq!(gradients.get(proxies.parameter()).unwrap().shape()[..], [10, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// They are a [`Module`]: a model has them as a field like any layer, trains and saves them, and names
/// them `proxies.class_vectors`. In a group of their own, an optimizer takes them beside the model:
/// `Adam::default().over(&model)?.and(rule, proxies.parameters())`.
#[derive(Clone, Debug)]
pub struct ClassVectors(Parameter);

const NAME: &str = "class_vectors";

impl Module for ClassVectors {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        vec![(NAME.to_owned(), &self.0)]
    }
}

impl ClassVectors {
    /// Vectors `[classes, features]` drawn from a normal distribution, so that their directions
    /// are uniform, with length 1 on average. For several vectors a class, as [`SoftTriple`] and
    /// [`ArcFace::sub_centers`] take them, ask for as many times more: those of a class follow
    /// each other.
    ///
    /// # Errors
    /// More numbers than memory has room for.
    ///
    /// [`SoftTriple`]: crate::SoftTriple
    /// [`ArcFace::sub_centers`]: crate::ArcFace::sub_centers
    pub fn new(classes: usize, features: usize, rng: &mut impl Rng) -> Result<ClassVectors> {
        let deviation = 1.0 / (features.max(1) as f64).sqrt();
        let vectors = Tensor::normal([classes, features], 0.0, deviation, DType::F64, rng)?;
        Ok(ClassVectors(Parameter::drawn(NAME, vectors)))
    }

    /// Given vectors.
    pub fn of(vectors: Tensor) -> ClassVectors {
        ClassVectors(Parameter::new(NAME, vectors))
    }

    /// The vectors on a tape, as they are now.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape) -> Var<'t> {
        tape.parameter(&self.0)
    }

    /// The parameter itself.
    pub fn parameter(&self) -> &Parameter {
        &self.0
    }

    /// The parameter, as a list that optimizers take.
    pub fn parameters(&self) -> [Parameter; 1] {
        [self.0.clone()]
    }
}
