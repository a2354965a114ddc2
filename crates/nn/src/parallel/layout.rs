//! What shards give for a model, as numbers in a row.

use std::collections::HashMap;

use lossgraph_autograd::{Gradients, Module, Parameter};
use lossgraph_tensor::{DType, Elem, Float, Shape, Tensor};

use super::wire::{Wire, put, take};
use crate::error::{Error, Result};
use crate::generator::{self, Words};

/// The parameters, states and generators of a model, and where their numbers stand.
pub(super) struct Layout {
    entries: Vec<Entry>,
    generators: Vec<Parameter>,
    pub f32: Lengths,
    pub f64: Lengths,
    integers: usize,
}

struct Entry {
    name: String,
    parameter: Parameter,
    kind: Kind,
    shape: Shape,
    dtype: DType,
    start: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gradient,
    State,
}

/// How many numbers of a type there are: first those that are added, gradients, then those of which
/// the mean is taken, states.
#[derive(Clone, Copy, Default)]
pub(super) struct Lengths {
    pub sums: usize,
    pub all: usize,
}

/// The floats of a shard, or of a node of the tree.
#[derive(Default)]
pub(super) struct Values {
    pub f32: Vec<f32>,
    pub f64: Vec<f64>,
}

/// What else a shard gives. All processes get those of all shards.
pub(super) struct Record {
    pub loss: f64,
    /// The generators, as the shard left them.
    generators: Vec<Words>,
    /// Which parameters have a gradient, and which states were assigned to.
    present: Vec<bool>,
    integers: Vec<i64>,
}

impl Layout {
    pub fn of(model: &(impl Module + ?Sized)) -> Layout {
        let mut layout = Layout {
            entries: Vec::new(),
            generators: model.generators().into_iter().map(|(_, p)| p).collect(),
            f32: Lengths::default(),
            f64: Lengths::default(),
            integers: 0,
        };
        let parameters = model.parameters().into_iter().map(|(name, p)| (name, p, Kind::Gradient));
        let states = model.buffers().into_iter().map(|(name, p)| (name, p, Kind::State));
        for (name, parameter, kind) in parameters.chain(states) {
            let value = parameter.value();
            let (shape, dtype) = (value.shape().clone(), value.dtype());
            let start = match dtype {
                DType::F32 => layout.f32.add(kind, value.len()),
                DType::F64 => layout.f64.add(kind, value.len()),
                DType::I64 => {
                    layout.integers += value.len();
                    layout.integers - value.len()
                }
            };
            layout.entries.push(Entry { name, parameter, kind, shape, dtype, start });
        }
        layout
    }

    /// The numbers of a shard, the gradients times its weight.
    ///
    /// # Errors
    /// A gradient or a state that is not one of the model, or does not fit.
    pub fn flatten(&self, gradients: &Gradients, weight: f64) -> Result<(Values, Record)> {
        let gradient = gradients.parameters().iter().map(|(p, tensor)| (p, tensor));
        let mut given: HashMap<u64, (&Parameter, &Tensor)> = gradient
            .chain(gradients.next_states())
            .map(|(p, tensor)| (p.id(), (p, tensor)))
            .collect();
        let mut values =
            Values { f32: Vec::with_capacity(self.f32.all), f64: Vec::with_capacity(self.f64.all) };
        let mut record = self.nothing(gradients.loss() * weight);
        for (entry, present) in self.entries.iter().zip(&mut record.present) {
            let tensor = given.remove(&entry.parameter.id()).map(|(_, tensor)| tensor.clone());
            *present = tensor.is_some();
            let tensor = entry.fitting(tensor)?;
            let factor = if entry.kind == Kind::Gradient { weight } else { 1.0 };
            match entry.dtype {
                DType::F32 => extend(&mut values.f32, &tensor, factor)?,
                DType::F64 => extend(&mut values.f64, &tensor, factor)?,
                DType::I64 => {
                    let integers = tensor.to_vec::<i64>()?;
                    record.integers[entry.start..entry.start + integers.len()]
                        .copy_from_slice(&integers);
                }
            }
        }
        if let Some((stranger, _)) = given.into_values().next() {
            let why = format!(
                "`{}` is no part of the model: name it among the parts or the buffers of a `module!`",
                stranger.name()
            );
            return Err(Error::Parallel { why });
        }
        record.generators = self.words()?;
        Ok((values, record))
    }

    /// What a shard gives that has no examples.
    pub fn nothing(&self, loss: f64) -> Record {
        Record {
            loss,
            generators: vec![[0; 8]; self.generators.len()],
            present: vec![false; self.entries.len()],
            integers: vec![0; self.integers],
        }
    }

    /// The gradients of all shards.
    pub fn gradients(&self, loss: f64, records: &[Record], values: &Values) -> Result<Gradients> {
        let (mut parameters, mut states) = (Vec::new(), Vec::new());
        for (i, entry) in self.entries.iter().enumerate() {
            // Integers, which count, are those of the last shard.
            let Some(last) = records.iter().rfind(|record| record.present[i]) else { continue };
            let range = entry.start..entry.start + entry.shape.numel();
            let tensor = match entry.dtype {
                DType::F32 => Tensor::new(entry.shape.clone(), values.f32[range].to_vec())?,
                DType::F64 => Tensor::new(entry.shape.clone(), values.f64[range].to_vec())?,
                DType::I64 => Tensor::new(entry.shape.clone(), last.integers[range].to_vec())?,
            };
            let list = if entry.kind == Kind::Gradient { &mut parameters } else { &mut states };
            list.push((entry.parameter.clone(), tensor));
        }
        Ok(Gradients::new(loss, parameters).assigning(states))
    }

    /// The generators as they are.
    pub fn words(&self) -> Result<Vec<Words>> {
        let words = self.generators.iter().map(|p| generator::words(&p.value()));
        words.collect::<std::result::Result<_, _>>().map_err(|why| Error::Parallel { why })
    }

    /// Lets the generators draw a shard's own numbers: those of a stream that belongs to the shard,
    /// from where the generators are. The first shard has the stream of a run that is not shared out.
    pub fn enter(&self, base: &[Words], shard: usize) -> Result<()> {
        for (parameter, words) in self.generators.iter().zip(base) {
            parameter.set(generator::in_stream(words, shard))?;
        }
        Ok(())
    }

    /// Lets the generators go on behind all that any shard drew.
    pub fn leave(&self, base: &[Words], records: &[Record]) -> Result<()> {
        for (i, (parameter, base)) in self.generators.iter().zip(base).enumerate() {
            let drawn = records.iter().map(|record| &record.generators[i]);
            parameter.set(generator::furthest(base, drawn))?;
        }
        Ok(())
    }

    /// The length of a record.
    pub fn record_len(&self) -> usize {
        8 + 64 * self.generators.len() + self.entries.len() + 8 * self.integers
    }

    pub fn encode(&self, record: &Record, bytes: &mut Vec<u8>) {
        put(bytes, &[record.loss]);
        record.generators.iter().for_each(|words| put(bytes, words));
        bytes.extend(record.present.iter().map(|&present| u8::from(present)));
        put(bytes, &record.integers);
    }

    pub fn decode(&self, mut bytes: &[u8]) -> Record {
        let mut record = self.nothing(take(&mut bytes, 1)[0]);
        for words in &mut record.generators {
            words.copy_from_slice(&take(&mut bytes, 8));
        }
        let (present, integers) = bytes.split_at(self.entries.len());
        record.present = present.iter().map(|&present| present == 1).collect();
        record.integers = take(&mut &*integers, self.integers);
        record
    }
}

impl Lengths {
    /// Places so many numbers, and says where. All that is added comes first.
    fn add(&mut self, kind: Kind, count: usize) -> usize {
        let start = self.all;
        self.all += count;
        if kind == Kind::Gradient {
            self.sums = self.all;
        }
        start
    }
}

impl Entry {
    /// A tensor of the shape and type: 0 for a gradient that a shard does not have, and the value as
    /// it is for a state that it does not assign to.
    fn fitting(&self, tensor: Option<Tensor>) -> Result<Tensor> {
        match (tensor, self.kind) {
            (None, Kind::Gradient) => Ok(Tensor::zeros(self.shape.clone(), self.dtype)?),
            (None, Kind::State) => Ok(self.parameter.value()),
            (Some(tensor), Kind::State) if *tensor.shape() == self.shape => {
                Ok(tensor.to_dtype(self.dtype))
            }
            (Some(tensor), Kind::Gradient)
                if *tensor.shape() == self.shape && tensor.dtype() == self.dtype =>
            {
                Ok(tensor)
            }
            (Some(tensor), _) => Err(Error::Gradient {
                parameter: self.name.clone().into(),
                given: (tensor.shape().clone(), tensor.dtype()),
                expected: (self.shape.clone(), self.dtype),
            }),
        }
    }
}

fn extend<T: Float + Elem>(to: &mut Vec<T>, tensor: &Tensor, factor: f64) -> Result<()> {
    let (factor, tensor) = (T::of(factor), tensor.contiguous());
    match tensor.as_slice::<T>() {
        Some(numbers) => to.extend(numbers.iter().map(|&x| x * factor)),
        // Of another type, which is the error of this.
        None => drop(tensor.to_vec::<T>()?),
    }
    Ok(())
}

/// Merges what two nodes give: gradients are added, and of states the mean is taken, where the right
/// one counts as much as its `share` of the examples. Equal states stay what they are.
pub(super) fn merge<T: Wire>(mut left: Vec<T>, right: &[T], sums: usize, share: f64) -> Vec<T> {
    let share = T::of(share);
    let (added, averaged) = left.split_at_mut(sums);
    added.iter_mut().zip(right).for_each(|(a, &b)| *a = *a + b);
    averaged.iter_mut().zip(&right[sums..]).for_each(|(a, &b)| *a = *a + (b - *a) * share);
    left
}
