//! The weights of classes in clusters.

use lossgraph_autograd::{Fault, Module, Parameter, Result, Tape};
use lossgraph_tensor::{DType, Tensor};
use rand::Rng;

use super::adaptive_log_softmax::AdaptiveLogSoftmax;

/// The weights of [`AdaptiveLogSoftmax`]: a head of frequent classes, and clusters of rarer ones,
/// each with features that are projected to fewer.
///
/// ```
/// use lossgraph_autograd::Tape;
/// use lossgraph_losses::ClassClusters;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// // 1000 classes: 100 in the head, 200 of 8 features, 700 of 2 features.
/// let rng = &mut ChaCha8Rng::seed_from_u64(0);
/// let clusters = ClassClusters::new(32, 1000, &[100, 300], 4.0, rng)?;
/// let tape = Tape::new();
/// let features = tape.variable([[0.1; 32], [0.2; 32]]);
/// let softmax = clusters.on(&tape);
/// let gradients = softmax.forward(features, tape.labels(&[3, 999])).mean().backward()?;
/// // No label fell into the first cluster: its parameters have no gradient.
/// let trained = clusters.parameters().iter().filter(|p| gradients.get(p).is_some()).count();
/// assert_eq!((clusters.parameters().len(), trained), (5, 3));
/// assert_eq!(softmax.log_prob(features).shape()[..], [2, 1000]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// They are a [`Module`]: a model has them as a field like any layer. Their names are PyTorch's, such as
/// `head.weight` and `tail.0.1.weight`.
#[derive(Clone, Debug)]
pub struct ClassClusters {
    cutoffs: Vec<usize>,
    head: Parameter,
    head_bias: Option<Parameter>,
    tails: Vec<[Parameter; 2]>,
}

impl Module for ClassClusters {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        let child = |name: &str, parameter| (name.to_owned(), parameter as &dyn Module);
        let head = [child("head.weight", &self.head)].into_iter();
        let bias = self.head_bias.iter().map(|bias| child("head.bias", bias));
        let tails = self.tails.iter().enumerate().flat_map(|(k, tail)| {
            let named = move |(i, weight)| child(&format!("tail.{k}.{i}.weight"), weight);
            tail.iter().enumerate().map(named)
        });
        head.chain(bias).chain(tails).collect()
    }
}

impl ClassClusters {
    /// Weights drawn as PyTorch draws them, uniform in ±1/√inputs. `cutoffs` holds the first class
    /// of each cluster; cluster `k` has `features / div_valueᵏ⁺¹` features.
    ///
    /// # Errors
    /// Cutoffs that do not ascend from 1 to below `classes`; a cluster without features.
    pub fn new(
        features: usize,
        classes: usize,
        cutoffs: &[usize],
        div_value: f64,
        rng: &mut impl Rng,
    ) -> Result<ClassClusters> {
        let refuse = |why: String| Err(Fault::new("class_clusters", why).into());
        let ends: Vec<usize> = [0].iter().chain(cutoffs).chain([&classes]).copied().collect();
        if cutoffs.is_empty() || !ends.is_sorted_by(|a, b| a < b) {
            return refuse(format!("cutoffs {cutoffs:?} do not ascend from 1 to below {classes}"));
        }
        let mut draw = |name: String, shape: [usize; 2]| -> Result<Parameter> {
            let bound = 1.0 / (shape[1] as f64).sqrt();
            let weight = Tensor::uniform(shape, -bound, bound, DType::F32, rng)
                .map_err(|error| Fault::new("class_clusters", error.to_string()))?;
            Ok(Parameter::new(name, weight))
        };
        let head = draw("head".to_owned(), [cutoffs[0] + cutoffs.len(), features])?;
        let mut tails = Vec::new();
        for (k, cluster) in ends[1..].windows(2).enumerate() {
            let size = (features as f64 / div_value.powi(k as i32 + 1)).floor() as usize;
            if !(1..=features).contains(&size) {
                return refuse(format!("cluster {k} has {size} of {features} features"));
            }
            tails.push([
                draw(format!("tail.{k}.projection"), [size, features])?,
                draw(format!("tail.{k}.rows"), [cluster[1] - cluster[0], size])?,
            ]);
        }
        Ok(ClassClusters { cutoffs: cutoffs.to_vec(), head, head_bias: None, tails })
    }

    /// These weights, with a bias of the head that begins with zeros.
    pub fn with_head_bias(self) -> ClassClusters {
        let zeros = vec![0.0_f32; self.head.shape()[0]];
        ClassClusters { head_bias: Some(Parameter::new("head_bias", zeros)), ..self }
    }

    /// The softmax of the weights as they are now, on a tape.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape) -> AdaptiveLogSoftmax<'t> {
        let tail = |tail: &[Parameter; 2]| tail.each_ref().map(|weight| tape.parameter(weight));
        AdaptiveLogSoftmax {
            cutoffs: self.cutoffs.clone(),
            head: tape.parameter(&self.head),
            head_bias: self.head_bias.as_ref().map(|bias| tape.parameter(bias)),
            tails: self.tails.iter().map(tail).collect(),
        }
    }

    /// The parameters, as a list that optimizers take.
    pub fn parameters(&self) -> Vec<Parameter> {
        let head = [&self.head].into_iter().chain(&self.head_bias);
        head.chain(self.tails.iter().flatten()).cloned().collect()
    }
}
