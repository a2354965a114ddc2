//! Modules: what has parameters, by names that say where they are.

use std::collections::HashSet;
use std::sync::Arc;

use lossgraph_tensor::DType;

use crate::record::parameter::Parameter;

/// Something with parameters: a layer, a model, or a part of one; a [`Parameter`] is one without
/// children.
pub trait Module {
    /// What it is made of, by name: modules, and parameters, which are modules without children.
    #[doc(alias = "named_children")]
    fn children(&self) -> Vec<(String, &dyn Module)> {
        Vec::new()
    }

    /// The parameters, by the names of the children that lead to them: `encoder.0.weight`. One that
    /// several names lead to, as tied weights do, is listed once, by the first.
    #[doc(alias = "named_parameters")]
    fn parameters(&self) -> Vec<(String, Parameter)> {
        let mut all = collect(self.children(), &|child| child.parameters());
        let mut listed = HashSet::new();
        all.retain(|(_, parameter)| listed.insert(parameter.id()));
        all
    }

    /// The number of elements of all parameters.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(|(_, parameter)| parameter.shape().numel()).sum()
    }

    /// State that is saved but not trained, such as running statistics.
    #[doc(alias = "named_buffers")]
    fn buffers(&self) -> Vec<(String, Parameter)> {
        collect(self.children(), &|child| child.buffers())
    }

    /// Integers that are the state of random generators, such as those of dropout: saved with a
    /// training, and not with a model.
    fn generators(&self) -> Vec<(String, Parameter)> {
        collect(self.children(), &|child| child.generators())
    }

    /// The module with its parameters and buffers in another float type, as its tape has; integers
    /// stay. Initial values that were drawn at random have all digits of the new type. Make the
    /// optimizer after it. It changes the parameters themselves, and so every clone of the module.
    #[doc(alias = "to_dtype")]
    #[doc(alias = "double")]
    #[must_use = "it gives the module back"]
    fn with_dtype(self, dtype: DType) -> Self
    where
        Self: Sized,
    {
        for (_, parameter) in self.parameters().into_iter().chain(self.buffers()) {
            parameter.cast(dtype);
        }
        self
    }
}

/// What a module has, by name.
type Named = Vec<(String, Parameter)>;

/// What all children have, by names that lead through them.
fn collect(children: Vec<(String, &dyn Module)>, of: &dyn Fn(&dyn Module) -> Named) -> Named {
    let mut all = Vec::new();
    for (child, module) in children {
        all.extend(
            of(module).into_iter().map(|(name, parameter)| (join(&child, &name), parameter)),
        );
    }
    all
}

/// The name of a part of a child. A parameter is a child itself, and has no name within itself.
fn join(child: &str, name: &str) -> String {
    if name.is_empty() { child.to_owned() } else { format!("{child}.{name}") }
}

impl Module for Parameter {
    fn parameters(&self) -> Vec<(String, Parameter)> {
        vec![(String::new(), self.clone())]
    }
}

fn numbered<'a, M: Module + 'a>(
    modules: impl Iterator<Item = &'a M>,
) -> Vec<(String, &'a dyn Module)> {
    modules.enumerate().map(|(i, module)| (i.to_string(), module as &dyn Module)).collect()
}

impl<M: Module> Module for Vec<M> {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        numbered(self.iter())
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        numbered(self.iter())
    }
}

macro_rules! behind {
    ($($of:ident: $pointer:ty),*) => {
        $(impl<$of: Module + ?Sized> Module for $pointer {
            fn children(&self) -> Vec<(String, &dyn Module)> {
                (**self).children()
            }

            fn parameters(&self) -> Vec<(String, Parameter)> {
                (**self).parameters()
            }

            fn buffers(&self) -> Vec<(String, Parameter)> {
                (**self).buffers()
            }

            fn generators(&self) -> Vec<(String, Parameter)> {
                (**self).generators()
            }
        })*
    };
}

behind!(M: &M, M: Box<M>, M: Arc<M>);

impl<M: Module> Module for Option<M> {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        self.as_ref().map_or_else(Vec::new, Module::children)
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        self.as_ref().map_or_else(Vec::new, Module::parameters)
    }

    fn buffers(&self) -> Vec<(String, Parameter)> {
        self.as_ref().map_or_else(Vec::new, Module::buffers)
    }

    fn generators(&self) -> Vec<(String, Parameter)> {
        self.as_ref().map_or_else(Vec::new, Module::generators)
    }
}
