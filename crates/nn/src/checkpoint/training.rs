//! A training as a file holds it: to go on where a run stopped.

use std::collections::BTreeMap;
use std::path::Path;

use lossgraph_autograd::Module;

use super::fit::{Found, fit, unique};
use super::format::File;
use super::{Checkpoint, of_another_model, strictly};
use crate::error::{Error, Result};
use crate::generator::check_state;
use crate::module::all;

/// What the names of all begin with that belongs to a training and not to its model.
pub(super) const RESERVED: &str = "lossgraph/";

/// What changes from step to step, and has a state as tensors and text: optimizers, the generators of
/// `rand_chacha`, and what of one's own implements it.
pub trait Stateful {
    /// The state.
    fn state_dict(&self) -> Checkpoint;

    /// Goes on from a state.
    ///
    /// # Errors
    /// A state that does not fit. Then nothing has changed.
    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()>;
}

/// A state that is drawn from while a training saves it, such as a sampler that the batches of an epoch
/// come from.
///
/// # Panics
/// As those of a [`RefCell`](std::cell::RefCell), if it is borrowed meanwhile.
impl<S: Stateful> Stateful for &std::cell::RefCell<S> {
    fn state_dict(&self) -> Checkpoint {
        self.borrow().state_dict()
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        self.borrow_mut().load_state_dict(state)
    }
}

/// A model with what else a training changes: so that a run that is resumed equals one that was not
/// interrupted, bit for bit. The generators of layers, such as those of dropout, belong to it.
///
/// The same value saves and loads. [`load`](crate::load) reads the model alone from such a file.
///
/// ```
/// use lossgraph_nn::{Adam, Linear, Training, UpdateRule};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// # let path = std::env::temp_dir().join(format!("lossgraph-training-{}", std::process::id()));
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let model = Linear::new(2, 1, &mut rng)?;
/// let mut optimizer = Adam::default().over(&model)?;
/// let mut training =
///     Training::of(&model).with("optimizer", &mut optimizer).with("batches", &mut rng);
/// training.save(&[("epoch", "3")], &path)?;
/// // In the next run, made anew in the same way:
/// let metadata = training.load(&path)?;
/// assert_eq!(metadata["epoch"], "3");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "state_dict")]
#[doc(alias = "resume")]
#[must_use = "it saves and loads"]
pub struct Training<'a> {
    model: &'a dyn Module,
    parts: Vec<(String, &'a mut dyn Stateful)>,
}

impl<'a> Training<'a> {
    /// A model, so far without an optimizer.
    pub fn of(model: &'a dyn Module) -> Training<'a> {
        Training { model, parts: Vec::new() }
    }

    /// With an optimizer, or with a generator that batches or augmentations are drawn from. The name
    /// is that in the file.
    pub fn with(mut self, name: &str, part: &'a mut dyn Stateful) -> Training<'a> {
        self.parts.push((name.to_owned(), part));
        self
    }

    /// Writes a file, with metadata about it.
    ///
    /// # Errors
    /// See [`save`](crate::save); two parts of one name, or a name with a `/` in it.
    pub fn save(&self, metadata: &[(&str, &str)], path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        self.check_names().map_err(fail)?;
        let mut checkpoint = Checkpoint::with(self.model, metadata).map_err(fail)?;
        let layers = Generators(self.model).state_dict().map_err(fail)?;
        checkpoint.insert(LAYERS, layers);
        for (name, part) in &self.parts {
            checkpoint.insert(&within(name), part.state_dict());
        }
        checkpoint.write(path)
    }

    /// Goes on from a file, and gives the metadata in it.
    ///
    /// # Errors
    /// See [`load`](crate::load); a part that the file lacks, one that it has besides, or a state that
    /// does not fit. Then nothing has changed.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<BTreeMap<String, String>> {
        let path = path.as_ref();
        self.go_on(path, File::read(path)?)
    }

    /// Goes on from the bytes of a file, which another process may have read.
    pub(crate) fn load_bytes(
        &mut self,
        path: &Path,
        bytes: &[u8],
    ) -> Result<BTreeMap<String, String>> {
        self.go_on(path, File::decode(path, bytes)?)
    }

    fn go_on(&mut self, path: &Path, file: File) -> Result<BTreeMap<String, String>> {
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        self.check_names().map_err(fail)?;
        let File { tensors, metadata } = file;
        let (reserved, found) =
            tensors.into_iter().partition(|(name, _)| name.starts_with(RESERVED));
        let mut checkpoint = Checkpoint { tensors: readable(reserved).map_err(fail)?, metadata };
        let model = strictly(all(self.model), &found).map_err(|why| of_another_model(path, why))?;
        let layers = Generators(self.model).fit(&checkpoint.remove(LAYERS)).map_err(fail)?;
        let states: Vec<Checkpoint> =
            self.parts.iter().map(|(name, _)| checkpoint.remove(&within(name))).collect();
        let mut left = checkpoint.tensors.keys().chain(checkpoint.metadata.keys());
        if let Some(left) = left.find(|key| key.starts_with(RESERVED)) {
            return Err(fail(format!(
                "it has a state besides, `{left}`: say `with` what it is of"
            )));
        }
        self.load_parts(&states).map_err(fail)?;
        model.apply();
        layers.apply();
        Ok(checkpoint.metadata)
    }

    /// All parts go on, or none.
    fn load_parts(&mut self, states: &[Checkpoint]) -> std::result::Result<(), String> {
        let before: Vec<Checkpoint> =
            self.parts.iter().map(|(_, part)| part.state_dict()).collect();
        for (i, state) in states.iter().enumerate() {
            let (name, part) = &mut self.parts[i];
            let Err(error) = part.load_state_dict(state) else { continue };
            let empty = state.tensors.is_empty() && state.metadata.is_empty();
            let why = if empty { "it has no such state".to_owned() } else { error.to_string() };
            let why = format!("`{name}`: {why}");
            for ((_, part), before) in self.parts[..i].iter_mut().zip(&before) {
                // A part takes its own state.
                let _ = part.load_state_dict(before);
            }
            return Err(why);
        }
        Ok(())
    }

    fn check_names(&self) -> std::result::Result<(), String> {
        for (i, (name, _)) in self.parts.iter().enumerate() {
            if name.contains('/') || name.is_empty() {
                return Err(format!(
                    "a part of a training is named `{name}`, expected a name without `/`"
                ));
            }
            if self.parts[..i].iter().any(|(other, _)| other == name) {
                return Err(format!("two parts of the training are named `{name}`"));
            }
        }
        Ok(())
    }
}

/// Where the generators of layers stand.
const LAYERS: &str = "lossgraph/layers/";

/// Where a part stands.
fn within(part: &str) -> String {
    format!("{RESERVED}parts/{part}/")
}

fn readable(
    found: Found,
) -> std::result::Result<BTreeMap<String, lossgraph_tensor::Tensor>, String> {
    let named = |(name, tensor): (String, std::result::Result<_, String>)| match tensor {
        Ok(tensor) => Ok((name, tensor)),
        Err(why) => Err(format!("`{name}` {why}")),
    };
    found.into_iter().map(named).collect()
}

impl Checkpoint {
    /// Puts a state under a prefix.
    fn insert(&mut self, prefix: &str, state: Checkpoint) {
        let name = |name: String| format!("{prefix}{name}");
        self.tensors.extend(state.tensors.into_iter().map(|(key, tensor)| (name(key), tensor)));
        self.metadata.extend(state.metadata.into_iter().map(|(key, text)| (name(key), text)));
    }

    /// Takes the state under a prefix out.
    fn remove(&mut self, prefix: &str) -> Checkpoint {
        fn take<V>(map: &mut BTreeMap<String, V>, prefix: &str) -> BTreeMap<String, V> {
            let (taken, left) =
                std::mem::take(map).into_iter().partition(|(key, _)| key.starts_with(prefix));
            *map = left;
            let taken: BTreeMap<String, V> = taken;
            taken.into_iter().map(|(key, value)| (key[prefix.len()..].to_owned(), value)).collect()
        }
        let (tensors, metadata) =
            (take(&mut self.tensors, prefix), take(&mut self.metadata, prefix));
        Checkpoint { tensors, metadata }
    }
}

/// The generators of the layers of a model.
struct Generators<'a>(&'a dyn Module);

impl Generators<'_> {
    fn state_dict(&self) -> std::result::Result<Checkpoint, String> {
        let all = unique(self.0.generators())?.into_iter().map(|(name, p)| (name, p.value()));
        Ok(Checkpoint { tensors: all.collect(), ..Checkpoint::default() })
    }

    fn fit(&self, state: &Checkpoint) -> std::result::Result<super::fit::Fit, String> {
        let of = |why: String| format!("generators of layers: {why}");
        for (name, state) in &state.tensors {
            check_state(state).map_err(|why| of(format!("`{name}`: {why}")))?;
        }
        fit(self.0.generators(), &state.found()).and_then(super::fit::Fit::strict).map_err(of)
    }
}
