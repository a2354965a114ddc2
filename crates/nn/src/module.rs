//! Modules of one's own, and the names that lead to what they are made of.

use std::collections::HashMap;

use lossgraph_autograd::Parameter;

/// Optimizers, [`save`](crate::save), [`load`](crate::load) and
/// [`copy_parameters`](crate::copy_parameters) take any.
///
/// A model of one's own is a struct, and [`module!`](crate::module) names its parts. It needs not be
/// a [`Layer`](crate::Layer): its methods may take and give what they like.
///
/// ```
/// use lossgraph_autograd::{Tape, Var};
/// use lossgraph_nn::{Adam, Layer, Linear, Module, Result, UpdateRule, module};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// struct Encoder {
///     hidden: Linear,
///     mean: Linear,
///     log_variance: Linear,
/// }
///
/// module!(Encoder { hidden, mean, log_variance });
///
/// impl Encoder {
///     fn forward<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
///         let hidden = self.hidden.forward(x).relu();
///         (self.mean.forward(hidden), self.log_variance.forward(hidden))
///     }
/// }
///
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let mut linear = |inputs, outputs| Linear::new(inputs, outputs, &mut rng);
/// let (hidden, mean, log_variance) = (linear(4, 8)?, linear(8, 2)?, linear(8, 2)?);
/// let encoder = Encoder { hidden, mean, log_variance };
/// assert_eq!(encoder.parameters()[2].0, "mean.weight");
/// let optimizer = Adam::default().over(&encoder)?;
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
pub use lossgraph_autograd::Module;

/// Implements [`Module`] for a struct: names the fields that have parameters, which are modules,
/// [`Parameter`]s, or options, vectors and arrays of them.
///
/// A field that is left out does not compile, so that no parameter is forgotten; `..` at the end
/// says that the other fields have none. Parameters that are saved but not trained follow as
/// `buffers`.
///
/// ```
/// use lossgraph_autograd::Parameter;
/// use lossgraph_nn::{LayerNorm, Linear, Module, module};
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// struct Model {
///     position: Parameter,
///     blocks: Vec<Linear>,
///     norm: Option<LayerNorm>,
///     steps: Parameter,
///     heads: usize,
/// }
///
/// module!(Model { position, blocks, norm, .. } buffers { steps });
///
/// # let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let model = Model {
///     position: Parameter::new("position", [[0.0_f32; 4]; 8]),
///     blocks: vec![Linear::new(4, 4, &mut rng)?],
///     norm: None,
///     steps: Parameter::new("steps", 0.0_f32),
///     heads: 2,
/// };
/// let names = |all: Vec<(String, Parameter)>| all.into_iter().map(|p| p.0).collect::<Vec<_>>();
/// assert_eq!(names(model.parameters()), ["position", "blocks.0.weight", "blocks.0.bias"]);
/// assert_eq!(names(model.buffers()), ["steps"]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// ```compile_fail
/// # use lossgraph_nn::{Linear, module};
/// struct Model {
///     first: Linear,
///     second: Linear,
/// }
///
/// module!(Model { first }); // pattern does not mention field `second`
/// ```
///
/// A generic struct implements [`Module::children`] by hand.
#[macro_export]
macro_rules! module {
    ($type:ty { $($part:ident),* $(,)? } $(buffers { $($buffer:ident),* $(,)? })?) => {
        $crate::module!(@of $type, [$($part),*], [$($($buffer),*)?], []);
    };
    ($type:ty { $($part:ident,)* .. } $(buffers { $($buffer:ident),* $(,)? })?) => {
        $crate::module!(@of $type, [$($part),*], [$($($buffer),*)?], [..]);
    };
    (@of $type:ty, [$($part:ident),*], [$($buffer:ident),*], [$($rest:tt)*]) => {
        impl $crate::Module for $type {
            fn children(&self) -> ::std::vec::Vec<(::std::string::String, &dyn $crate::Module)> {
                let Self { $($part,)* $($buffer: _,)* $($rest)* } = self;
                ::std::vec![
                    $((
                        ::std::string::String::from(::std::stringify!($part)),
                        $part as &dyn $crate::Module,
                    )),*
                ]
            }

            fn buffers(
                &self,
            ) -> ::std::vec::Vec<(::std::string::String, $crate::expansion::Parameter)> {
                $crate::expansion::buffers_of(
                    self,
                    &[$((::std::stringify!($buffer), &self.$buffer as &dyn $crate::Module)),*],
                )
            }
        }
    };
}

/// The buffers of a module's children, and its own.
pub fn buffers_of(module: &dyn Module, own: &[(&str, &dyn Module)]) -> Vec<(String, Parameter)> {
    let children = module.children().into_iter();
    let of_children = children.map(|(child, module)| (child, module.buffers()));
    let own = own.iter().map(|&(name, part)| (name.to_owned(), part.parameters()));
    let parts = of_children.chain(own);
    parts
        .flat_map(|(part, all)| {
            all.into_iter().map(move |(name, buffer)| (within(&part, name), buffer))
        })
        .collect()
}

/// The parameters of a module under every name that leads to them: tied weights have several.
pub(crate) fn named(module: &(impl Module + ?Sized)) -> Vec<(String, Parameter)> {
    let mut names: HashMap<u64, Vec<String>> = HashMap::new();
    for (child, module) in module.children() {
        for (name, parameter) in named(module) {
            names.entry(parameter.id()).or_default().push(within(&child, name));
        }
    }
    let mut all = Vec::new();
    for (name, parameter) in module.parameters() {
        // A module that lists its parameters itself decides which there are, and how they are named.
        match names.get(&parameter.id()).filter(|names| names.contains(&name)) {
            Some(names) => all.extend(names.iter().map(|name| (name.clone(), parameter.clone()))),
            None => all.push((name, parameter)),
        }
    }
    all
}

/// The parameters and buffers of a module under all their names, as a file holds them.
#[doc(alias = "state_dict")]
pub(crate) fn all(module: &(impl Module + ?Sized)) -> Vec<(String, Parameter)> {
    named(module).into_iter().chain(module.buffers()).collect()
}

/// The name of a part of a child. A parameter is a child itself, and has no name within itself.
fn within(child: &str, name: String) -> String {
    if name.is_empty() { child.to_owned() } else { format!("{child}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm, Linear, Sequential};
    use lossgraph_tensor::DType;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    struct Block {
        linear: Linear,
        norm: Option<BatchNorm>,
        scale: Parameter,
    }

    module!(Block { linear, norm, scale });

    struct Model {
        blocks: Vec<Block>,
        heads: [Linear; 2],
        tail: Sequential,
        seen: Parameter,
        _width: usize,
    }

    module!(Model { blocks, heads, tail, .. } buffers { seen });

    fn model() -> Model {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut linear = || Linear::new(2, 2, &mut rng).unwrap();
        let mut block = |norm| {
            let (linear, scale) = (linear(), Parameter::new("scale", 1.0_f32));
            Block { linear, norm, scale }
        };
        let blocks = vec![block(None), block(Some(BatchNorm::new(2).unwrap()))];
        let heads = [linear().without_bias(), linear()];
        let (tail, seen) = (Sequential::new().then(linear()), Parameter::new("seen", 0.0_f32));
        Model { blocks, heads, tail, seen, _width: 2 }
    }

    #[test]
    fn names_lead_through_fields_and_numbers_to_each_parameter() {
        let names =
            |all: Vec<(String, Parameter)>| all.into_iter().map(|p| p.0).collect::<Vec<_>>();
        let expected = [
            "blocks.0.linear.weight",
            "blocks.0.linear.bias",
            "blocks.0.scale",
            "blocks.1.linear.weight",
            "blocks.1.linear.bias",
            "blocks.1.norm.weight",
            "blocks.1.norm.bias",
            "blocks.1.scale",
            "heads.0.weight",
            "heads.1.weight",
            "heads.1.bias",
            "tail.0.weight",
            "tail.0.bias",
        ];
        assert_eq!(names(model().parameters()), expected);
        let buffers = ["blocks.1.norm.running_mean", "blocks.1.norm.running_var", "seen"];
        assert_eq!(names(model().buffers()), buffers);
    }

    #[test]
    fn children_are_the_parts_that_were_named() {
        let model = model();
        let names = |module: &dyn Module| -> Vec<String> {
            module.children().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(&model), ["blocks", "heads", "tail"]);
        assert_eq!(names(&model.blocks), ["0", "1"]);
        assert_eq!(names(&model.blocks[0].linear), ["weight", "bias"]);
        assert_eq!(names(&model.seen), [""; 0]);
    }

    #[test]
    fn a_module_changes_its_type_with_its_buffers() {
        let all_are =
            |model: &Model, dtype| all(model).iter().all(|p| p.1.value().dtype() == dtype);
        let model = model();
        assert!(all_are(&model, DType::F32));
        let model = model.with_dtype(DType::F64);
        assert!(all_are(&model, DType::F64));
        assert!(all_are(&model.with_dtype(DType::I64), DType::F64));
    }
}
