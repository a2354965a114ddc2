//! Checkpoints: the tensors of a model and metadata about it, in a safetensors file.

mod fit;
mod format;
mod half;
mod training;

pub use training::{Stateful, Training};

use std::collections::BTreeMap;
use std::path::Path;

use lossgraph_tensor::Tensor;

use crate::error::{Error, Result};
use crate::module::{Module, all};
use fit::{Fit, Found, fit, unique};
use format::File;

/// Named tensors and metadata, as a file holds them.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// The tensors, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Text about them, such as the sizes of layers.
    pub metadata: BTreeMap<String, String>,
}

/// What [`load_matching`] did with each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// The names in the model and in the file.
    pub loaded: Vec<String>,
    /// The names that are in the model alone: these parameters are as before.
    #[doc(alias = "missing_keys")]
    pub missing: Vec<String>,
    /// The names that are in the file alone.
    #[doc(alias = "unexpected_keys")]
    pub unexpected: Vec<String>,
    /// The metadata of the file.
    pub metadata: BTreeMap<String, String>,
}

/// Writes the parameters and buffers of a model to a file, with metadata about it. Tied weights are
/// written under each of their names.
///
/// # Errors
/// What [`load`] would not give back: two parameters, or two pieces of metadata, of one name; a name
/// that the format keeps for itself. See [`Checkpoint::write`]. The file that is there stays.
pub fn save(
    model: &(impl Module + ?Sized),
    metadata: &[(&str, &str)],
    path: impl AsRef<Path>,
) -> Result<()> {
    let path = path.as_ref();
    let checkpoint = Checkpoint::with(model, metadata);
    checkpoint.map_err(|why| Error::File { path: path.to_owned(), why })?.write(path)
}

/// Reads the parameters and buffers of a model from a file, and gives the metadata in it.
///
/// Each number is rounded to the type that the parameter has, or widened. So a file of `f16`, `bf16`
/// or `f32` is read exactly, and one of `f64` is rounded by a model of `f32`. Of tied weights, one
/// name is enough, and several have to agree. PyTorch's `num_batches_tracked`, which nothing here
/// reads, may be in the file.
///
/// # Errors
/// See [`Checkpoint::read`]; also tensors that are missing, left over, of another shape than the
/// model's, integers for floats or the other way round, or with numbers beyond the range of the
/// parameter's type: the error names them all, and the model is as before.
pub fn load(
    model: &(impl Module + ?Sized),
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let file = File::read(path)?;
    let (found, metadata) = file.of_the_model();
    strictly(all(model), &found).map_err(|mismatches| of_another_model(path, mismatches))?.apply();
    Ok(metadata)
}

/// Reads the tensors of a file whose names the model has, and says which these were: PyTorch's
/// `load_state_dict(…, strict=False)`. Other parameters stay as they are. Numbers are rounded as by
/// [`load`].
///
/// To leave out tensors, or to name them otherwise, see [`Checkpoint::load_matching`].
///
/// # Errors
/// See [`load`]; a tensor of the model's names that does not fit is an error here as well.
#[doc(alias = "load_state_dict")]
#[doc(alias = "strict")]
pub fn load_matching(model: &(impl Module + ?Sized), path: impl AsRef<Path>) -> Result<Matching> {
    let path = path.as_ref();
    let file = File::read(path)?;
    let (found, metadata) = file.of_the_model();
    let fit = fit(all(model), &found).and_then(Fit::without_mismatches);
    Ok(fit.map_err(|mismatches| of_another_model(path, mismatches))?.matching(metadata))
}

/// Copies the parameters and buffers of a model to one of the same names and shapes, as for a target
/// network. The values are equal, and training one leaves the other as it is.
///
/// ```
/// use lossgraph_nn::{Linear, copy_parameters};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let [online, target] = [Linear::new(4, 2, &mut rng)?, Linear::new(4, 2, &mut rng)?];
/// copy_parameters(&online, &target)?;
/// assert_eq!(online.weight().value(), target.weight().value());
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// Names or shapes that differ: the error names them all, and both models are as before.
#[doc(alias = "load_state_dict")]
pub fn copy_parameters(from: &(impl Module + ?Sized), to: &(impl Module + ?Sized)) -> Result<()> {
    let copied = unique(all(from)).and_then(|from| {
        let found = from.into_iter().map(|(name, p)| (name, Ok(p.value()))).collect();
        strictly(all(to), &found)
    });
    copied.map_err(|differences| Error::Models { differences })?.apply();
    Ok(())
}

/// What fits, if everything does and nothing is missing or left over.
fn strictly(
    parameters: Vec<(String, lossgraph_autograd::Parameter)>,
    found: &Found,
) -> std::result::Result<Fit, String> {
    fit(parameters, found).and_then(Fit::strict)
}

fn of_another_model(path: &Path, mismatches: String) -> Error {
    let why = format!(
        "it is of another model: {mismatches}. Build the model with the sizes that were saved"
    );
    Error::File { path: path.to_owned(), why }
}

impl Checkpoint {
    /// The parameters and buffers of a model, under all their names.
    ///
    /// # Errors
    /// Two parameters of one name.
    #[doc(alias = "state_dict")]
    pub fn of(model: &(impl Module + ?Sized)) -> Result<Checkpoint> {
        Checkpoint::with(model, &[]).map_err(|why| Error::Checkpoint { why })
    }

    /// A model with metadata about it, as nothing else has these names.
    fn with(
        model: &(impl Module + ?Sized),
        metadata: &[(&str, &str)],
    ) -> std::result::Result<Checkpoint, String> {
        let mut checkpoint = Checkpoint::default();
        for (name, parameter) in unique(all(model))? {
            if name.starts_with(training::RESERVED) {
                return Err(format!("`{name}` begins like the state of a training: rename it"));
            }
            checkpoint.tensors.insert(name, parameter.value());
        }
        for &(key, value) in metadata {
            if key.starts_with(training::RESERVED) {
                return Err(format!("metadata `{key}` begins like those of a training: rename it"));
            }
            let before = checkpoint.metadata.insert(key.to_owned(), value.to_owned());
            if before.is_some_and(|before| before != value) {
                return Err(format!("metadata `{key}` is given twice, and differs"));
            }
        }
        Ok(checkpoint)
    }

    /// Sets the parameters and buffers of a model, as [`load`] does.
    ///
    /// # Errors
    /// See [`load`]; the model is as before.
    #[doc(alias = "load_state_dict")]
    pub fn load(&self, model: &(impl Module + ?Sized)) -> Result<()> {
        let fit = strictly(all(model), &self.found());
        fit.map_err(|why| Error::Checkpoint { why })?.apply();
        Ok(())
    }

    /// With other names for its tensors, such as ours for those of another framework's model. A tensor
    /// for whose name there is `None` is left out.
    ///
    /// ```
    /// use lossgraph_nn::{Checkpoint, Module, Mlp};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let model = Mlp::new(&[4, 8, 3], &mut ChaCha8Rng::seed_from_u64(0))?;
    /// # let mut checkpoint = Checkpoint::of(&model)?;
    /// # let tensors = std::mem::take(&mut checkpoint.tensors).into_iter();
    /// # let named = |name: String| name.replace("0.", "fc1.").replace("2.", "fc2.");
    /// # checkpoint.tensors = tensors.map(|(name, tensor)| (named(name), tensor)).collect();
    /// // A state dict with the names `fc1.weight`, `fc2.bias`, …
    /// let ours = |name: &str| Some(name.replace("fc1.", "0.").replace("fc2.", "2."));
    /// checkpoint.map_names(ours)?.load(&model)?;
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Two tensors that get one name.
    #[doc(alias = "rename")]
    pub fn map_names(self, mut name_of: impl FnMut(&str) -> Option<String>) -> Result<Checkpoint> {
        let mut tensors = BTreeMap::new();
        let mut before: BTreeMap<String, String> = BTreeMap::new();
        for (old, tensor) in self.tensors {
            let Some(new) = name_of(&old) else { continue };
            if let Some(other) = before.insert(new.clone(), old.clone()) {
                let why = format!("`{other}` and `{old}` would both be named `{new}`");
                return Err(Error::Checkpoint { why });
            }
            tensors.insert(new, tensor);
        }
        Ok(Checkpoint { tensors, metadata: self.metadata })
    }

    /// Sets the parameters whose names it has, as [`load_matching`] does.
    ///
    /// ```
    /// use lossgraph_nn::{Checkpoint, Linear, Mlp};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(0);
    /// let pretrained = Mlp::new(&[4, 8, 3], &mut rng)?;
    /// // Another head: its tensors stay behind.
    /// let model = Mlp::new(&[4, 8, 5], &mut rng)?;
    /// let mut checkpoint = Checkpoint::of(&pretrained)?;
    /// checkpoint.tensors.retain(|name, _| !name.starts_with("2."));
    /// let matching = checkpoint.load_matching(&model)?;
    /// assert_eq!(matching.loaded, ["0.weight", "0.bias"]);
    /// assert_eq!(matching.missing, ["2.weight", "2.bias"]);
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`load_matching`]; the model is as before.
    pub fn load_matching(&self, model: &(impl Module + ?Sized)) -> Result<Matching> {
        let fit = fit(all(model), &self.found()).and_then(Fit::without_mismatches);
        Ok(fit.map_err(|why| Error::Checkpoint { why })?.matching(self.metadata.clone()))
    }

    fn found(&self) -> Found {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), Ok(tensor.clone()))).collect()
    }

    /// Writes a file, atomically: on a failure the one that is there stays. The same content gives
    /// the same bytes.
    ///
    /// # Errors
    /// What [`read`](Checkpoint::read) would not give back, such as a tensor named `__metadata__`; a
    /// folder that does not exist or cannot be written to.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let file = format::encode(self).map_err(|why| Error::File {
            path: path.to_owned(),
            why: format!("it is not written: {why}"),
        })?;
        Ok(lossgraph_file::write_atomically(path, file)?)
    }

    /// Reads a file. Floats of 16 bits become `f32`, and integers of other widths `i64`, exactly.
    ///
    /// # Errors
    /// No file; a file that is no safetensors file, or a damaged one; a tensor of 8-bit floats,
    /// complex numbers or `u64`.
    pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        let File { tensors, metadata } = File::read(path)?;
        let tensors: std::result::Result<_, String> = tensors
            .into_iter()
            .map(|(name, tensor)| match tensor {
                Ok(tensor) => Ok((name, tensor)),
                Err(why) => Err(format!("tensor `{name}`: {why}")),
            })
            .collect();
        let fail = |why| Error::File { path: path.to_owned(), why };
        Ok(Checkpoint { tensors: tensors.map_err(fail)?, metadata })
    }
}

#[cfg(test)]
mod tests;
