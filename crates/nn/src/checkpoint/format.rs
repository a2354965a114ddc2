//! Tensors as bytes of a safetensors file, and back.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use lossgraph_tensor::{DType, Elem, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::Checkpoint;
use super::fit::Found;
use super::half::{from_bf16, from_f16};
use super::training::RESERVED;
use crate::error::{Error, Result};

/// The name that the format keeps for text about a file.
const TEXT: &str = "__metadata__";

/// The key under which all metadata stand.
const METADATA: &str = "lossgraph";

/// What a file holds: tensors, or why one cannot be read, and metadata.
pub(super) struct File {
    pub tensors: Found,
    pub metadata: BTreeMap<String, String>,
}

impl File {
    pub fn read(path: &Path) -> Result<File> {
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fail("there is no such file".into()),
            _ => fail(format!("it cannot be read: {error}")),
        })?;
        File::decode(path, &bytes)
    }

    /// What the bytes of a file hold.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<File> {
        let fail = |why: String| Error::File { path: path.to_owned(), why };
        let damaged = |error| {
            fail(match lossgraph_file::kind(bytes) {
                None | Some("a safetensors file") => {
                    format!("it is no safetensors checkpoint, or a damaged one ({error})")
                }
                Some(what) => format!("it is no safetensors checkpoint, but {what}{}", cure(bytes)),
            })
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let parsed = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let tensors = parsed.iter().map(|(name, view)| (name.to_owned(), decode(&view)));
        Ok(File { tensors: tensors.collect(), metadata: flat(header.metadata().iter().flatten()) })
    }

    /// The same without what belongs to a training.
    pub fn of_the_model(mut self) -> (Found, BTreeMap<String, String>) {
        self.tensors.retain(|name, _| !name.starts_with(RESERVED));
        self.metadata.retain(|key, _| !key.starts_with(RESERVED));
        (self.tensors, self.metadata)
    }
}

/// How a model of PyTorch becomes a checkpoint.
fn cure(bytes: &[u8]) -> &'static str {
    match bytes.starts_with(b"PK") || bytes.starts_with(b"\x80") {
        true => ": in PyTorch, `safetensors.torch.save_file(model.state_dict(), file)` writes one",
        false => "",
    }
}

/// The bytes of a file.
///
/// # Errors
/// What reading them would not give back.
pub(super) fn encode(checkpoint: &Checkpoint) -> std::result::Result<Vec<u8>, String> {
    if checkpoint.tensors.contains_key(TEXT) {
        let why = "no tensor can be named `__metadata__`, under which the format keeps text about \
                   the file: rename it";
        return Err(why.to_owned());
    }
    let encoded: Vec<_> = checkpoint
        .tensors
        .iter()
        .map(|(name, tensor)| (name, dtype(tensor), tensor.shape().to_vec(), bytes(tensor)))
        .collect();
    let views: std::result::Result<Vec<(&String, TensorView<'_>)>, _> = encoded
        .iter()
        .map(|(name, dtype, shape, data)| {
            Ok((*name, TensorView::new(*dtype, shape.clone(), data)?))
        })
        .collect();
    let views = views.map_err(|error: safetensors::SafeTensorError| error.to_string())?;
    // The format's metadata is a map without an order: one entry of it holds all of ours, in
    // order, so that equal checkpoints are equal files.
    let metadata = (!checkpoint.metadata.is_empty())
        .then(|| [(METADATA.to_owned(), to_json(&checkpoint.metadata))].into_iter().collect());
    let file = safetensors::serialize(views, metadata).map_err(|error| error.to_string())?;
    let (_, header) = SafeTensors::read_metadata(&file).map_err(|error| error.to_string())?;
    let comes_back = |(name, dtype, shape, _): &(&String, Dtype, Vec<usize>, Vec<u8>)| {
        header.info(name).is_some_and(|info| info.dtype == *dtype && info.shape == *shape)
    };
    if let Some((name, ..)) = encoded.iter().find(|tensor| !comes_back(tensor)) {
        return Err(format!("`{name}` could not be read again"));
    }
    if flat(header.metadata().iter().flatten()) != checkpoint.metadata {
        return Err("its metadata could not be read again".to_owned());
    }
    Ok(file)
}

/// One JSON object, which `serde_json`'s grammar escapes for us, keys in order.
fn to_json(metadata: &BTreeMap<String, String>) -> String {
    serde_json::json!(metadata).to_string()
}

/// The metadata of a file: ours from under their key, and those of others as they are.
fn flat<'a>(metadata: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (key, value) in metadata {
        match serde_json::from_str::<BTreeMap<String, String>>(value) {
            Ok(ours) if key == METADATA => flat.extend(ours),
            _ => _ = flat.insert(key.clone(), value.clone()),
        }
    }
    flat
}

fn dtype(tensor: &Tensor) -> Dtype {
    match tensor.dtype() {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
    }
}

/// The numbers of a tensor as a file has them.
pub(super) fn bytes(tensor: &Tensor) -> Vec<u8> {
    fn of<T: Elem, const N: usize>(tensor: &Tensor, bytes: fn(T) -> [u8; N]) -> Vec<u8> {
        tensor.to_vec::<T>().unwrap_or_default().into_iter().flat_map(bytes).collect()
    }
    match tensor.dtype() {
        DType::F32 => of(tensor, f32::to_le_bytes),
        DType::F64 => of(tensor, f64::to_le_bytes),
        DType::I64 => of(tensor, i64::to_le_bytes),
    }
}

/// The tensor of a view, in the narrowest of our types that has all its numbers.
fn decode(view: &TensorView<'_>) -> std::result::Result<Tensor, String> {
    fn tensor<T: Elem, const N: usize>(
        view: &TensorView<'_>,
        number: impl Fn([u8; N]) -> T,
    ) -> std::result::Result<Tensor, String> {
        let (chunks, _) = view.data().as_chunks::<N>();
        let numbers = chunks.iter().map(|&chunk| number(chunk));
        Tensor::new(view.shape(), numbers.collect()).map_err(|error| error.to_string())
    }
    match view.dtype() {
        Dtype::F32 => tensor(view, f32::from_le_bytes),
        Dtype::F64 => tensor(view, f64::from_le_bytes),
        Dtype::F16 => tensor(view, |bytes| from_f16(u16::from_le_bytes(bytes))),
        Dtype::BF16 => tensor(view, |bytes| from_bf16(u16::from_le_bytes(bytes))),
        Dtype::I64 => tensor(view, i64::from_le_bytes),
        Dtype::I32 => tensor(view, |bytes| i64::from(i32::from_le_bytes(bytes))),
        Dtype::U32 => tensor(view, |bytes| i64::from(u32::from_le_bytes(bytes))),
        Dtype::I16 => tensor(view, |bytes| i64::from(i16::from_le_bytes(bytes))),
        Dtype::U16 => tensor(view, |bytes| i64::from(u16::from_le_bytes(bytes))),
        Dtype::I8 => tensor(view, |[byte]| i64::from(byte as i8)),
        Dtype::U8 | Dtype::BOOL => tensor(view, |[byte]| i64::from(byte)),
        other => Err(format!(
            "has elements of {other:?}, expected F32, F64, F16, BF16 or integers of up to 64 bits \
             with a sign"
        )),
    }
}
