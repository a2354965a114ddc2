//! Checkpoints: the tensors of a model and metadata about it, in a safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use lossgraph_tensor::{DType, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::module::{Module, all};

/// Named tensors and metadata, as a file holds them.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// The tensors, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Text about them, such as the sizes of layers.
    pub metadata: BTreeMap<String, String>,
}

/// Writes the parameters and buffers of a model to a file, with metadata about it.
///
/// # Errors
/// See [`Checkpoint::write`].
pub fn save(
    model: &(impl Module + ?Sized),
    metadata: &[(&str, &str)],
    path: impl AsRef<Path>,
) -> Result<()> {
    let tensors = all(model).into_iter().map(|(name, parameter)| (name, parameter.value()));
    let metadata = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
    Checkpoint { tensors: tensors.collect(), metadata: metadata.collect() }.write(path)
}

/// Reads the parameters and buffers of a model from a file, and gives the metadata in it.
///
/// # Errors
/// See [`Checkpoint::read`]; also tensors that are missing, left over, or of another shape than
/// the model's: the error names them all, and the model is as before.
pub fn load(
    model: &(impl Module + ?Sized),
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let mut checkpoint = Checkpoint::read(path)?;
    fill(model, &mut checkpoint.tensors).map_err(|mismatches| {
        let why = format!(
            "it is of another model: {mismatches}. Build the model with the sizes that were saved"
        );
        Error::File { path: path.to_owned(), why }
    })?;
    Ok(checkpoint.metadata)
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
    let mut tensors = all(from).into_iter().map(|(name, p)| (name, p.value())).collect();
    fill(to, &mut tensors).map_err(|differences| Error::Models { differences })
}

/// Sets parameters and buffers by their names, each in its own type, or says what does not fit.
fn fill(
    model: &(impl Module + ?Sized),
    tensors: &mut BTreeMap<String, Tensor>,
) -> std::result::Result<(), String> {
    let mut matching = Vec::new();
    let mut mismatches = Vec::new();
    for (name, parameter) in all(model) {
        match tensors.remove(&name) {
            None => mismatches.push(format!("`{name}` is missing")),
            Some(tensor) if *tensor.shape() != parameter.shape() => mismatches.push(format!(
                "`{name}` is {}, expected {} as in the model",
                tensor.shape(),
                parameter.shape()
            )),
            Some(tensor) => matching.push((parameter, tensor)),
        }
    }
    mismatches.extend(tensors.keys().map(|name| format!("`{name}` is not in the model")));
    if !mismatches.is_empty() {
        return Err(mismatches.join("; "));
    }
    for (parameter, tensor) in matching {
        parameter.update(|value| *value = tensor.to_dtype(value.dtype()));
    }
    Ok(())
}

impl Checkpoint {
    /// Writes a file, atomically: on a failure the one that is there stays. The same content gives
    /// the same bytes.
    ///
    /// # Errors
    /// A folder that does not exist or cannot be written to.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes: Vec<_> =
            self.tensors.iter().map(|(name, tensor)| (name, encode(tensor))).collect();
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        let views: std::result::Result<Vec<(&String, TensorView<'_>)>, _> = bytes
            .iter()
            .map(|(name, (dtype, shape, data))| {
                Ok((*name, TensorView::new(*dtype, shape.clone(), data)?))
            })
            .collect();
        let views = views.map_err(|error: safetensors::SafeTensorError| fail(error.to_string()))?;
        // The format's metadata is a map without an order: one entry of it holds all of ours, in
        // order, so that equal checkpoints are equal files.
        let metadata = (!self.metadata.is_empty())
            .then(|| HashMap::from([(METADATA.to_owned(), to_json(&self.metadata))]));
        let file =
            safetensors::serialize(views, metadata).map_err(|error| fail(error.to_string()))?;
        Ok(lossgraph_file::write_atomically(path, file)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// No file; a file that is no safetensors file, or a damaged one; an element type other than
    /// `f32`, `f64` and `i64`.
    pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        let file = fs::read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fail("there is no such file".into()),
            _ => fail(format!("it cannot be read: {error}")),
        })?;
        let damaged =
            |error| fail(format!("it is no safetensors checkpoint, or a damaged one ({error})"));
        let (_, header) = SafeTensors::read_metadata(&file).map_err(damaged)?;
        let parsed = SafeTensors::deserialize(&file).map_err(damaged)?;
        let mut checkpoint = Checkpoint::default();
        for (name, view) in parsed.iter() {
            let tensor = decode(&view).map_err(|why| fail(format!("tensor `{name}`: {why}")))?;
            checkpoint.tensors.insert(name.to_owned(), tensor);
        }
        for (key, value) in header.metadata().iter().flatten() {
            match key.as_str() {
                METADATA => checkpoint.metadata.extend(from_json(value)),
                _ => _ = checkpoint.metadata.insert(key.clone(), value.clone()),
            }
        }
        Ok(checkpoint)
    }
}

/// The key under which all metadata stand.
const METADATA: &str = "lossgraph";

/// One JSON object, which `serde_json`'s grammar escapes for us, keys in order.
fn to_json(metadata: &BTreeMap<String, String>) -> String {
    serde_json::json!(metadata).to_string()
}

/// The metadata of [`to_json`]; none if somebody else wrote something else under our key.
fn from_json(text: &str) -> BTreeMap<String, String> {
    serde_json::from_str(text).unwrap_or_default()
}

fn encode(tensor: &Tensor) -> (Dtype, Vec<usize>, Vec<u8>) {
    let shape = tensor.shape().to_vec();
    let bytes = |dtype: DType| -> Vec<u8> {
        match dtype {
            DType::F32 => le_bytes::<f32, 4>(tensor, f32::to_le_bytes),
            DType::F64 => le_bytes::<f64, 8>(tensor, f64::to_le_bytes),
            DType::I64 => le_bytes::<i64, 8>(tensor, i64::to_le_bytes),
        }
    };
    let dtype = match tensor.dtype() {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
    };
    (dtype, shape, bytes(tensor.dtype()))
}

fn le_bytes<T: lossgraph_tensor::Elem, const N: usize>(
    tensor: &Tensor,
    bytes: fn(T) -> [u8; N],
) -> Vec<u8> {
    tensor.to_vec::<T>().unwrap_or_default().into_iter().flat_map(bytes).collect()
}

fn decode(view: &TensorView<'_>) -> std::result::Result<Tensor, String> {
    fn tensor<T: lossgraph_tensor::Elem, const N: usize>(
        view: &TensorView<'_>,
        number: fn([u8; N]) -> T,
    ) -> std::result::Result<Tensor, String> {
        let chunks = view.data().chunks_exact(N);
        let numbers = chunks.map(|chunk| {
            let mut bytes = [0; N];
            bytes.copy_from_slice(chunk);
            number(bytes)
        });
        Tensor::new(view.shape(), numbers.collect()).map_err(|error| error.to_string())
    }
    match view.dtype() {
        Dtype::F32 => tensor(view, f32::from_le_bytes),
        Dtype::F64 => tensor(view, f64::from_le_bytes),
        Dtype::I64 => tensor(view, i64::from_le_bytes),
        other => Err(format!("its elements are {other:?}, expected F32, F64 or I64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::normalization::BatchNorm;
    use crate::sequential::Mlp;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::path::PathBuf;

    /// A folder of one test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("lossgraph-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn model(sizes: &[usize], seed: u64) -> Mlp {
        Mlp::new(sizes, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn a_model_comes_back_as_it_was_saved() {
        let folder = Folder::new("round");
        let (path, other) = (folder.0.join("a.safetensors"), folder.0.join("b.safetensors"));
        let saved = model(&[3, 4, 2], 1);
        save(&saved, &[("sizes", "3,4,2"), ("a=b\n", "c\r\nd\\")], &path).unwrap();
        save(&saved, &[("a=b\n", "c\r\nd\\"), ("sizes", "3,4,2")], &other).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&other).unwrap());
        let loaded = model(&[3, 4, 2], 2);
        let metadata = load(&loaded, &path).unwrap();
        assert_eq!((metadata["sizes"].as_str(), metadata["a=b\n"].as_str()), ("3,4,2", "c\r\nd\\"));
        for ((_, a), (_, b)) in saved.parameters().iter().zip(loaded.parameters()) {
            assert_eq!(a.value(), b.value());
        }
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2);
    }

    #[test]
    fn damaged_and_foreign_files_are_refused_and_change_nothing() {
        let folder = Folder::new("damaged");
        let path = folder.0.join("a.safetensors");
        let saved = model(&[3, 4, 2], 1);
        save(&saved, &[], &path).unwrap();
        let whole = fs::read(&path).unwrap();
        let target = model(&[3, 4, 2], 2);
        let before = target.parameters()[0].1.value();
        for bytes in [&whole[..whole.len() / 2], &b"not a checkpoint"[..], &[]] {
            fs::write(&path, bytes).unwrap();
            let error = load(&target, &path).unwrap_err().to_string();
            assert!(error.contains("no safetensors checkpoint, or a damaged one"), "{error}");
        }
        assert_eq!(target.parameters()[0].1.value(), before);
        let error = load(&target, folder.0.join("none")).unwrap_err().to_string();
        assert!(error.contains("there is no such file"), "{error}");
    }

    #[test]
    fn a_checkpoint_of_another_model_is_named_tensor_by_tensor() {
        let folder = Folder::new("other");
        let path = folder.0.join("a.safetensors");
        save(&model(&[3, 4, 2], 1), &[], &path).unwrap();
        let error = load(&model(&[3, 5, 2, 2], 1), &path).unwrap_err().to_string();
        for part in
            ["`0.weight` is [4, 3], expected [5, 3] as in the model", "`4.weight` is missing"]
        {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn running_statistics_come_back_and_doubles_fit_into_singles() {
        let folder = Folder::new("statistics");
        let path = folder.0.join("a.safetensors");
        let [saved, loaded] = [(); 2].map(|()| BatchNorm::new(2).unwrap());
        let tape = lossgraph_autograd::Tape::new();
        let _ = saved.forward_train(tape.constant([[1.0, 10.0], [3.0, 30.0]]));
        let doubles =
            all(&saved).into_iter().map(|(name, p)| (name, p.value().to_dtype(DType::F64)));
        let checkpoint = Checkpoint { tensors: doubles.collect(), ..Checkpoint::default() };
        checkpoint.write(&path).unwrap();
        // What a killed run left behind disturbs nobody.
        fs::write(folder.0.join(".lossgraph-1-0.part"), "half").unwrap();
        load(&loaded, &path).unwrap();
        for ((_, a), (_, b)) in saved.buffers().iter().zip(loaded.buffers()) {
            assert_eq!(a.value(), b.value());
        }
    }

    #[test]
    fn a_copy_has_the_values_and_not_the_parameters_of_its_origin() {
        let [from, to] = [1, 2].map(|seed| model(&[3, 4, 2], seed));
        copy_parameters(&from, &to).unwrap();
        let values = |model: &Mlp| all(model).iter().map(|p| p.1.value()).collect::<Vec<_>>();
        assert_eq!(values(&from), values(&to));
        let before = values(&to);
        from.parameters()[0].1.update(|value| *value = value.to_dtype(DType::F64));
        from.parameters()[1].1.update(|value| value.as_mut_slice::<f32>().unwrap().fill(0.0));
        assert_eq!(values(&to), before);
    }

    #[test]
    fn a_copy_between_models_that_differ_names_what_differs_and_changes_nothing() {
        let [from, to] = [&[3, 4, 2][..], &[3, 5, 2, 2]].map(|sizes| model(sizes, 1));
        let before = to.parameters()[0].1.value();
        let error = copy_parameters(&from, &to).unwrap_err().to_string();
        let expected = "copy_parameters: the models differ: `0.weight` is [4, 3], expected [5, 3] as \
                        in the model; ";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.contains("`4.weight` is missing"), "{error}");
        assert_eq!(to.parameters()[0].1.value(), before);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = save(&model(&[1, 1], 1), &[], "no/such/folder/a.safetensors").unwrap_err();
        assert!(error.to_string().contains("the folder no/such/folder does not exist"), "{error}");
    }
}
