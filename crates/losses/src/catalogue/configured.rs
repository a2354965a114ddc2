//! A loss with its options, held from step to step.

use lossgraph_autograd::{Fault, Tape, Var};
use lossgraph_tensor::Tensor;

use super::row::Loss;
use super::setting::BadSetting;
use crate::terms::Terms;

/// A loss with its options, the tensors among them included: it belongs to no tape, and is recorded
/// on that of each step.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Configured, find};
/// let loss = Configured::new(find("cross_entropy").unwrap(), "ignore_index=-1")?
///     .with("weight", [1.0, 3.0])?;
/// for labels in [[0], [1]] {
///     let tape = Tape::f64();
///     let (logits, labels) = (tape.variable([[0.0, 0.0]]), tape.labels(&labels));
///     let gradients = loss.record(&tape, &[logits, labels]).mean().backward()?;
///     assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Configured {
    loss: &'static Loss,
    setting: String,
    tensors: Vec<(&'static str, Tensor)>,
}

impl Configured {
    /// A loss in a setting, as [`Loss::setting`] reads it.
    ///
    /// # Errors
    /// Options that the loss does not have, and values that an option cannot have.
    pub fn new(loss: &'static Loss, setting: &str) -> Result<Configured, BadSetting> {
        loss.setting(setting)?;
        Ok(Configured { loss, setting: setting.to_owned(), tensors: Vec::new() })
    }

    /// With a tensor for an option that is one, such as the `weight` of each class.
    ///
    /// # Errors
    /// An option that the loss does not have, or that is no tensor.
    pub fn with(mut self, name: &str, tensor: impl Into<Tensor>) -> Result<Configured, BadSetting> {
        match self.loss.inputs.iter().find(|each| each.optional && each.name == name) {
            Some(option) => {
                self.tensors.retain(|(each, _)| *each != option.name);
                self.tensors.push((option.name, tensor.into()));
                Ok(self)
            }
            None => Err(BadSetting::unknown_tensor(self.loss, name)),
        }
    }

    /// The loss.
    pub fn loss(&self) -> &'static Loss {
        self.loss
    }

    /// The names of the inputs that [`record`](Configured::record) takes, in their order: those that
    /// are no options, and the tensor options that the setting names and that were not given yet.
    pub fn inputs(&self) -> Vec<&'static str> {
        let setting = self.loss.setting(&self.setting);
        let inputs = setting.map(|setting| self.loss.inputs_in(&setting)).unwrap_or_default();
        let names = inputs.into_iter().map(|sample| sample.name);
        names.filter(|name| self.tensors.iter().all(|(given, _)| given != name)).collect()
    }

    /// Records the loss on a tape, with its tensors as constants there.
    ///
    /// # Errors
    /// Recorded as faults: another number of inputs; what the loss refuses.
    #[track_caller]
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Terms<'t> {
        let names = self.inputs();
        if names.len() != inputs.len() {
            let why = format!("expected {}, given {} inputs", names.join(", "), inputs.len());
            return Terms::new(tape.fault(Fault::new(self.loss.name, why)));
        }
        let tensors = self.tensors.iter().map(|(name, tensor)| (*name, tape.constant(tensor)));
        let named: Vec<_> = names.into_iter().zip(inputs.iter().copied()).chain(tensors).collect();
        self.loss.record(tape, &named, &self.setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find;
    use crate::classification::CrossEntropy;

    #[test]
    fn a_configured_loss_is_the_same_on_every_tape() {
        let loss = Configured::new(find("cross_entropy").unwrap(), "").unwrap();
        let loss = loss.with("weight", [1.0, 3.0]).unwrap();
        let step = |label: usize| {
            let tape = Tape::f64();
            let (logits, labels) = (tape.variable([[0.5, -1.0]]), tape.labels(&[label]));
            let weight = Some(tape.constant([1.0, 3.0]));
            let own = CrossEntropy { weight, ..CrossEntropy::default() }.forward(logits, labels);
            let [ours, own] = [loss.record(&tape, &[logits, labels]), own].map(|terms| {
                let gradients = terms.sum().backward().unwrap();
                (gradients.loss(), gradients.of(logits).unwrap().to_f64s())
            });
            assert_eq!(ours, own);
            own.0
        };
        assert!(step(1) > step(0));
    }

    #[test]
    fn it_can_be_sent_to_another_thread() {
        fn is_send<T: Send + Sync + 'static>() {}
        is_send::<Configured>();
    }

    #[test]
    fn what_the_loss_does_not_have_is_refused() {
        let loss = Configured::new(find("huber").unwrap(), "delta=2").unwrap();
        assert!(Configured::new(loss.loss(), "detla=2").is_err());
        let error = loss.clone().with("wieght", [1.0]).unwrap_err().to_string();
        assert_eq!(error, "huber: there is no option `wieght`; perhaps `weight`");
        assert!(loss.clone().with("delta", 1.0).is_err());
        let tape = Tape::f64();
        let error = loss.record(&tape, &[tape.constant(1.0)]).mean().item().unwrap_err();
        assert!(
            error.to_string().starts_with("huber: expected prediction, target, given 1 inputs")
        );
        assert!(error.location().unwrap().contains("configured.rs"));
    }
}
