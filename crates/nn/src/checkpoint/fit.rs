//! Which tensors fit which parameters of a model.

use std::collections::{BTreeMap, HashMap, HashSet};

use lossgraph_autograd::Parameter;
use lossgraph_tensor::{DType, Tensor};

use super::Matching;
use super::format::bytes;
use super::training::RESERVED;

/// The tensors that there are, by name, or why one cannot be read.
pub(super) type Found = BTreeMap<String, Result<Tensor, String>>;

/// Values for parameters, and what is wrong with others. Nothing has changed yet.
pub(super) struct Fit {
    values: Vec<(Parameter, Tensor)>,
    mismatches: Vec<String>,
    loaded: Vec<String>,
    missing: Vec<String>,
    unexpected: Vec<String>,
}

/// The parameters by name, if each name has one.
pub(super) fn unique(
    parameters: Vec<(String, Parameter)>,
) -> Result<BTreeMap<String, Parameter>, String> {
    let mut unique: BTreeMap<String, Parameter> = BTreeMap::new();
    for (name, parameter) in parameters {
        let id = parameter.id();
        let before = unique.get(&name).map(Parameter::id);
        if before.is_some_and(|before| before != id) {
            return Err(format!(
                "the model has two parameters named `{name}`, and a file has one tensor of a name: \
                 name the parts that they are of, as `module!` does"
            ));
        }
        unique.insert(name, parameter);
    }
    Ok(unique)
}

/// Looks for the tensor of each parameter.
///
/// # Errors
/// Two parameters of one name.
pub(super) fn fit(parameters: Vec<(String, Parameter)>, found: &Found) -> Result<Fit, String> {
    let (mut values, mut mismatches) = (Vec::new(), Vec::new());
    let (mut loaded, mut without) = (Vec::new(), Vec::new());
    // A parameter of several names has one value.
    let mut given: HashMap<u64, (String, Tensor)> = HashMap::new();
    let names: HashSet<String> = unique(parameters.clone())?.into_keys().collect();
    for (name, parameter) in parameters {
        let Some(tensor) = found.get(&name) else {
            without.push((name, parameter.id()));
            continue;
        };
        let tensor = match tensor.clone().and_then(|tensor| fitted(tensor, &parameter.value())) {
            Ok(tensor) => tensor,
            Err(why) => {
                mismatches.push(format!("`{name}` {why}"));
                continue;
            }
        };
        loaded.push(name.clone());
        match given.get(&parameter.id()) {
            Some((other, before)) if bytes(before) != bytes(&tensor) => mismatches
                .push(format!("`{other}` and `{name}` are one parameter in the model, and differ")),
            Some(_) => {}
            None => {
                given.insert(parameter.id(), (name, tensor.clone()));
                values.push((parameter, tensor));
            }
        }
    }
    let missing = without.into_iter().filter(|(_, id)| !given.contains_key(id));
    let missing = missing.map(|(name, _)| name).collect();
    let unexpected = found.iter().filter(|(name, tensor)| {
        !names.contains(*name) && !name.starts_with(RESERVED) && !is_count_of_batches(name, tensor)
    });
    let unexpected = unexpected.map(|(name, _)| name.clone()).collect();
    Ok(Fit { values, mismatches, loaded, missing, unexpected })
}

/// Whether it is what PyTorch's batch normalization counts, and nobody here reads.
fn is_count_of_batches(name: &str, tensor: &Result<Tensor, String>) -> bool {
    let counts = |tensor: &Tensor| tensor.rank() == 0 && tensor.dtype() == DType::I64;
    name.rsplit('.').next() == Some("num_batches_tracked") && tensor.as_ref().is_ok_and(counts)
}

/// The tensor in the type of a value, or why it does not fit.
fn fitted(tensor: Tensor, value: &Tensor) -> Result<Tensor, String> {
    if tensor.shape() != value.shape() {
        return Err(format!("is {}, expected {} as in the model", tensor.shape(), value.shape()));
    }
    let (given, expected) = (tensor.dtype(), value.dtype());
    if given.is_float() != expected.is_float() {
        return Err(format!("is {given}, expected {expected} as in the model"));
    }
    let rounded = tensor.to_dtype(expected);
    if given == DType::F64 && expected == DType::F32 {
        let pairs = tensor.to_f64s().into_iter().zip(rounded.to_f64s());
        let beyond = |(exact, rounded): &(f64, f64)| exact.is_finite() && !rounded.is_finite();
        if let Some((exact, _)) = pairs.into_iter().find(beyond) {
            return Err(format!(
                "has {exact:e} in it, which is beyond f32: load it into `model.with_dtype(DType::F64)`"
            ));
        }
    }
    Ok(rounded)
}

impl Fit {
    /// What fits, if nothing is wrong with any tensor that has a name of the model.
    pub fn without_mismatches(self) -> Result<Fit, String> {
        if self.mismatches.is_empty() { Ok(self) } else { Err(self.mismatches.join("; ")) }
    }

    /// What fits, if besides nothing is missing or left over.
    pub fn strict(mut self) -> Result<Fit, String> {
        let missing = self.missing.iter().map(|name| format!("`{name}` is missing"));
        let left = self.unexpected.iter().map(|name| format!("`{name}` is not in the model"));
        self.mismatches.extend(missing.chain(left));
        self.without_mismatches()
    }

    /// Sets the parameters.
    pub fn apply(self) {
        for (parameter, tensor) in self.values {
            parameter.update(|value| *value = tensor);
        }
    }

    /// Sets the parameters, and says by which names.
    pub fn matching(self, metadata: BTreeMap<String, String>) -> Matching {
        let (loaded, missing) = (self.loaded.clone(), self.missing.clone());
        let unexpected = self.unexpected.clone();
        self.apply();
        Matching { loaded, missing, unexpected, metadata }
    }
}
