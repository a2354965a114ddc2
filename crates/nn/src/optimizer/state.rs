//! The state of an optimizer as tensors, to go on where a run stopped.

use std::collections::BTreeMap;

use lossgraph_tensor::{DType, Elem, Shape, Tensor};

use super::groups::Groups;
use super::rule::at_least_zero;
use super::slot::{Slot, States};
use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};

/// The key of the name of the rule.
const RULE: &str = "rule";

/// The key of the numbers of a parameter.
const NUMBERS: &str = "numbers";

/// Steps, moments and learning rates of all groups. The other options are those that an optimizer was
/// made with, and are not part of its state.
///
/// Tensors are named by group, place and parameter, such as `0.2.encoder.weight.step`.
impl Stateful for Groups {
    fn state_dict(&self) -> Checkpoint {
        let mut state = Checkpoint::default();
        state.metadata.insert(RULE.to_owned(), self.name.to_owned());
        for (at, group) in self.groups.iter().enumerate() {
            state.tensors.insert(lr_key(at), Tensor::from(group.rule.lr()));
            for (place, slot) in group.slots.iter().enumerate() {
                let step = Tensor::from(i64::from(slot.step));
                state.tensors.insert(slot.key(at, place, "step"), step);
                if !slot.numbers.is_empty() {
                    let numbers = Tensor::from(slot.numbers.clone());
                    state.tensors.insert(slot.key(at, place, NUMBERS), numbers);
                }
                for i in 0..slot.states.count() {
                    state
                        .tensors
                        .extend(slot.state(i).map(|state| (slot.key(at, place, i), state)));
                }
            }
        }
        state
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        let name = self.name;
        let fail = |why: String| Error::StateDict { subject: name, why };
        match state.metadata.get(RULE) {
            Some(rule) if rule == name => {}
            Some(rule) => return Err(fail(format!("the state is that of {rule}"))),
            None => return Err(fail("it is no state of an optimizer".to_owned())),
        }
        let mut reader = Reader { left: state.tensors.iter().collect(), mismatches: Vec::new() };
        let mut groups = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            let lr = reader.lr(name, &lr_key(at));
            let slots = group.slots.iter().enumerate().map(|(place, slot)| {
                let step = reader.step(&slot.key(at, place, "step"));
                let numbers = match slot.numbers.len() {
                    0 => Vec::new(),
                    count => reader.numbers(&slot.key(at, place, NUMBERS), count),
                };
                (step, numbers, reader.states(slot, |i| slot.key(at, place, i)))
            });
            groups.push((slots.collect::<Vec<_>>(), lr));
        }
        reader.finish().map_err(fail)?;
        for (group, (slots, lr)) in self.groups.iter_mut().zip(groups) {
            group.rule.set_lr(lr);
            for (slot, (step, numbers, states)) in group.slots.iter_mut().zip(slots) {
                (slot.step, slot.numbers, slot.states) = (step, numbers, states);
            }
        }
        Ok(())
    }
}

fn lr_key(group: usize) -> String {
    format!("{group}.lr")
}

impl Slot {
    /// The name of a tensor of its state. Names of parameters may be equal, so that their place
    /// belongs to it.
    fn key(&self, group: usize, place: usize, of: impl std::fmt::Display) -> String {
        format!("{group}.{place}.{}.{of}", self.name)
    }

    fn state(&self, i: usize) -> Option<Tensor> {
        let shape = self.shapes[i].clone();
        match &self.states {
            States::F32(states) => Tensor::new(shape, states[i].clone()).ok(),
            States::F64(states) => Tensor::new(shape, states[i].clone()).ok(),
        }
    }
}

/// Takes tensors by name, and collects what does not fit.
struct Reader<'a> {
    left: BTreeMap<&'a String, &'a Tensor>,
    mismatches: Vec<String>,
}

impl<'a> Reader<'a> {
    /// The tensor of a name, if it has the shape and the type.
    fn tensor(&mut self, key: &String, shape: &[usize], dtype: DType) -> Option<&'a Tensor> {
        let Some(tensor) = self.left.remove(key) else {
            self.mismatches.push(format!("`{key}` is missing"));
            return None;
        };
        if tensor.shape()[..] != *shape || tensor.dtype() != dtype {
            let (given, found) = (tensor.shape(), tensor.dtype());
            let expected = Shape::from(shape);
            let why = format!("`{key}` is {given} {found}, expected {expected} {dtype}");
            self.mismatches.push(why);
            return None;
        }
        Some(tensor)
    }

    fn lr(&mut self, rule: &'static str, key: &String) -> f64 {
        let lr = self.tensor(key, &[], DType::F64).and_then(|lr| lr.item().ok()).unwrap_or(0.0);
        if let Err(error) = at_least_zero(rule, "lr", lr) {
            self.mismatches.push(format!("`{key}`: {error}"));
        }
        lr
    }

    fn step(&mut self, key: &String) -> i32 {
        let Some(step) = self.tensor(key, &[], DType::I64) else { return 0 };
        let step = numbers::<i64>(step)[0];
        let count = i32::try_from(step).ok().filter(|&count| count >= 0);
        count.unwrap_or_else(|| {
            self.mismatches.push(format!("`{key}` is {step}, expected a count of steps"));
            0
        })
    }

    fn numbers(&mut self, key: &String, count: usize) -> Vec<f64> {
        self.tensor(key, &[count], DType::F64).map(numbers).unwrap_or_default()
    }

    fn states(&mut self, slot: &Slot, key: impl Fn(usize) -> String) -> States {
        let dtype = slot.states.dtype();
        let shapes = slot.shapes.iter().enumerate();
        let all = shapes.filter_map(|(i, shape)| self.tensor(&key(i), shape, dtype));
        match dtype {
            DType::F32 => States::F32(all.map(numbers).collect()),
            _ => States::F64(all.map(numbers).collect()),
        }
    }

    fn finish(mut self) -> std::result::Result<(), String> {
        let left = self.left.keys().map(|key| format!("`{key}` is not in the optimizer"));
        self.mismatches.extend(left);
        if self.mismatches.is_empty() { Ok(()) } else { Err(self.mismatches.join("; ")) }
    }
}

fn numbers<T: Elem>(tensor: &Tensor) -> Vec<T> {
    tensor.to_vec().unwrap_or_default()
}
