//! Substitution: a model recorded with other parameters than its own.

use crate::record::fault::Fault;
use crate::record::parameter::Parameter;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// Ends a substitution when it is dropped.
struct SubstitutionGuard<'t> {
    tape: &'t Tape,
    count: usize,
}

impl Drop for SubstitutionGuard<'_> {
    fn drop(&mut self) {
        self.tape.recording_mut().substitutes.truncate(self.count);
    }
}

impl Tape {
    /// Records with other values in the place of parameters: until `record` returns,
    /// [`Tape::parameter`] gives the node that stands for a parameter. Gradients flow through it,
    /// those of gradients as well, so that a step of training can be differentiated (MAML).
    ///
    /// Substitutions nest, and the innermost one of a parameter counts.
    ///
    /// ```
    /// use lossgraph_autograd::{Parameter, Tape};
    ///
    /// let w = Parameter::new("w", 3.0);
    /// let tape = Tape::f64();
    /// let model = || tape.parameter(&w).square();
    /// // One step of descent, w' = w − 0.1 · 2w, and the slope of the loss after it: 2w' · 0.8.
    /// let own = tape.parameter(&w);
    /// let adapted = own - 0.1 * tape.grad(model(), &[own])[0];
    /// let loss = tape.with_parameters(&[(&w, adapted)], model);
    /// let gradients = loss.backward()?;
    /// assert!((gradients.get(&w).unwrap().item()? - 3.84).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A node whose shape is not that of its parameter, or that is on another tape: a fault stands
    /// for the parameter.
    #[doc(alias = "functional_call")]
    #[track_caller]
    pub fn with_parameters<R>(
        &self,
        substitutes: &[(&Parameter, Var<'_>)],
        record: impl FnOnce() -> R,
    ) -> R {
        let mut nodes = Vec::with_capacity(substitutes.len());
        for &(parameter, var) in substitutes {
            nodes.push((parameter.id(), self.substitute(parameter, var).id()));
        }
        let _substitution = {
            let mut recording = self.recording_mut();
            let count = recording.substitutes.len();
            recording.substitutes.extend(nodes);
            SubstitutionGuard { tape: self, count }
        };
        record()
    }

    /// What stands for a parameter: the node, or what is wrong with it.
    #[track_caller]
    fn substitute<'t>(&'t self, parameter: &Parameter, var: Var<'_>) -> Var<'t> {
        let given = [("node that stands for a parameter", var)];
        if let Some(fault) = self.admit("with_parameters", &given) {
            return fault;
        }
        if !var.is_faulty() && !var.has_shape(&parameter.shape()) {
            let (name, shape) = (parameter.name(), parameter.shape());
            let why = format!("parameter `{name}` is {shape}");
            return self.fault(Fault::new("with_parameters", why).operand("given", var));
        }
        Var::new(self, var.id())
    }
}
