//! The optimizers by name.

use lossgraph_autograd::{Module, Parameter};

use super::groups::Groups;
use super::optimize::Optimize;
use super::rule::{Rule, UpdateRule};
use super::{adabelief, adadelta, adafactor, adagrad, adam, adamax, asgd, lamb, lbfgs};
use super::{lion, muon, nadam, radam, rmsprop, rprop, sgd, yogi};
use crate::error::Result;
use crate::options::{Options, is_named, unknown};

/// All optimizers.
pub static ALL: &[Row] = &[
    sgd::ROW,
    adam::ADAM,
    adam::ADAMW,
    adam::AMSGRAD,
    nadam::ROW,
    radam::ROW,
    adamax::ROW,
    adabelief::ROW,
    yogi::ROW,
    lamb::ROW,
    lion::ROW,
    muon::ROW,
    rmsprop::ROW,
    adagrad::ROW,
    adadelta::ROW,
    adafactor::ROW,
    rprop::ROW,
    asgd::ROW,
    lbfgs::ROW,
];

/// An optimizer of a name.
///
/// ```
/// use lossgraph_nn::{Linear, optimizer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let model = Linear::new(2, 1, &mut ChaCha8Rng::seed_from_u64(0))?;
/// let adamw = optimizer::named("adamw")?.over(&model, &[("lr", "0.1"), ("betas", "0.9,0.95")])?;
/// assert_eq!(adamw.lrs(), [0.1]);
/// let error = optimizer::named("adamv").unwrap_err().to_string();
/// assert!(error.starts_with("optimizer: there is no optimizer `adamv`; the nearest is `adam"));
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// A name that no optimizer has.
pub fn named(name: &str) -> Result<&'static Row> {
    let found = ALL.iter().find(|row| is_named(name, row.name, row.aliases));
    found.ok_or_else(|| unknown("optimizer", "optimizer", name, ALL.iter().map(|row| row.name)))
}

/// What is known of an optimizer.
#[derive(Clone, Copy)]
pub struct Row {
    /// The name.
    pub name: &'static str,
    /// Other names, such as PyTorch's.
    pub aliases: &'static [&'static str],
    /// What it does, in a line.
    pub summary: &'static str,
    /// Whether its steps need the gradients of all examples, so that those of a minibatch mislead it.
    pub whole_batches: bool,
    /// Options that differ from the defaults of its rule.
    pub(super) preset: &'static [(&'static str, &'static str)],
    pub(super) defaults: fn() -> Box<dyn Options>,
    pub(super) build: fn(preset: Preset, Vec<ParameterGroup>) -> Result<Box<dyn Optimize>>,
}

pub(super) type Preset = &'static [(&'static str, &'static str)];

/// Parameters with options of their own.
#[derive(Clone, Debug, Default)]
pub struct ParameterGroup {
    /// The options by name, as [`Options`] reads them.
    pub options: Vec<(String, String)>,
    /// The parameters with their names, as [`Module::parameters`] gives them.
    pub parameters: Vec<(String, Parameter)>,
}

impl ParameterGroup {
    /// Parameters with options.
    pub fn new(
        parameters: impl IntoIterator<Item = (String, Parameter)>,
        options: &[(&str, &str)],
    ) -> ParameterGroup {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        ParameterGroup {
            options: options.iter().map(owned).collect(),
            parameters: parameters.into_iter().collect(),
        }
    }

    /// Options with those of the group.
    pub(super) fn configured<R: Options + Default>(&self, preset: Preset) -> Result<R> {
        let mut rule = R::default();
        rule.set_options(preset)?;
        for (name, value) in &self.options {
            rule.set_option(name, value)?;
        }
        Ok(rule)
    }
}

impl Row {
    /// Its options, with their defaults as text.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let mut defaults = (self.defaults)();
        // The names of a preset are those of the rule.
        let _ = defaults.set_options(self.preset);
        defaults.options()
    }

    /// An optimizer of the parameters of a model.
    ///
    /// # Errors
    /// An option that there is not, or out of its range.
    pub fn over(
        &self,
        model: &(impl Module + ?Sized),
        options: &[(&str, &str)],
    ) -> Result<Box<dyn Optimize>> {
        self.over_groups(vec![ParameterGroup::new(model.parameters(), options)])
    }

    /// An optimizer of groups of parameters.
    ///
    /// # Errors
    /// As for [`over`](Row::over); a parameter in two groups; several groups of `lbfgs`.
    pub fn over_groups(&self, groups: Vec<ParameterGroup>) -> Result<Box<dyn Optimize>> {
        // A rule may be made of another one, or be that of several names.
        (self.build)(self.preset, groups).map_err(|error| error.of(self.name))
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The row of an update rule.
pub(super) const fn row<R: UpdateRule + Options + Default + 'static>(
    name: &'static str,
    aliases: &'static [&'static str],
    summary: &'static str,
) -> Row {
    Row {
        name,
        aliases,
        summary,
        whole_batches: false,
        preset: &[],
        defaults: || Box::new(R::default()),
        build: |preset, groups| {
            let rule = |group: &ParameterGroup| -> Result<Box<dyn Rule>> {
                Ok(Box::new(group.configured::<R>(preset)?))
            };
            optimizer(R::NAME, groups, &rule)
        },
    }
}

/// An optimizer of groups, each with a rule.
fn optimizer(
    name: &'static str,
    parameter_groups: Vec<ParameterGroup>,
    rule: &dyn Fn(&ParameterGroup) -> Result<Box<dyn Rule>>,
) -> Result<Box<dyn Optimize>> {
    let mut groups = Groups::new(name);
    for group in parameter_groups {
        groups.add(rule(&group)?, group.parameters)?;
    }
    Ok(Box::new(groups))
}

/// A row with other defaults than those of its rule.
pub(super) const fn preset(row: Row, preset: Preset) -> Row {
    Row { preset, ..row }
}

/// A row whose rule compares the gradients of steps, which are to be of the same examples.
pub(super) const fn of_whole_batches(row: Row) -> Row {
    Row { whole_batches: true, ..row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AdamW;
    use lossgraph_autograd::{Gradients, Tape};
    use lossgraph_tensor::{DType, Tensor};

    #[test]
    fn every_optimizer_is_found_by_each_of_its_names_and_takes_its_own_options() {
        let p = Parameter::new("p", [1.0]);
        for row in ALL {
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(named(name).unwrap().name, row.name);
            }
            let options = row.options();
            let options: Vec<(&str, &str)> =
                options.iter().map(|(name, value)| (*name, &value[..])).collect();
            let optimizer = row.over(&p, &options).unwrap();
            let lr: f64 =
                options.iter().find(|(name, _)| *name == "lr").unwrap().1.parse().unwrap();
            assert_eq!(optimizer.lrs(), [lr], "{row:?}");
            let error = row.over(&p, &[("lr", "-1")]).err().unwrap().to_string();
            let expected = format!("{}: lr is -1, expected 0 or more, and finite", row.name);
            assert_eq!(error, expected);
            for (option, value) in [("no such", "1"), ("lr", "fast")] {
                let error = row.over(&p, &[(option, value)]).err().unwrap().to_string();
                assert!(error.starts_with(&format!("{}: ", row.name)), "{error}");
            }
        }
        let amsgrad = named("AMSGrad").unwrap();
        assert!(amsgrad.options().contains(&("amsgrad", "true".to_owned())));
    }

    /// The gradients of an ellipse and of a matrix that is not there yet.
    fn gradients(v: &Parameter, m: &Parameter) -> Result<Gradients> {
        let tape = Tape::with_dtype(v.value().dtype());
        let weights = tape.constant(Tensor::from([1.0, 4.0, 0.5]).to_dtype(tape.dtype()));
        let of_v = (tape.parameter(v).square() * weights).sum(..);
        Ok((of_v + (tape.parameter(m) - 1.0).square().sum(..)).backward()?)
    }

    fn parameters(dtype: DType) -> [Parameter; 2] {
        let v = Tensor::from([1.0, -0.5, 2.0]).to_dtype(dtype);
        let m = Tensor::from([[0.5, 2.0, 0.0], [1.5, -1.0, 0.25]]).to_dtype(dtype);
        [Parameter::new("v", v), Parameter::new("m", m)]
    }

    #[test]
    fn every_optimizer_goes_down_and_goes_on_from_its_state_bit_for_bit_in_both_types() {
        let bits = |parameters: &[Parameter; 2]| {
            parameters
                .each_ref()
                .map(|p| p.value().to_f64s().into_iter().map(f64::to_bits).collect::<Vec<u64>>())
        };
        for row in ALL {
            for dtype in [DType::F32, DType::F64] {
                let all = |parameters: &[Parameter; 2]| {
                    let named = parameters.iter().cloned().map(Into::into).collect();
                    let options = vec![("lr".to_owned(), "0.01".to_owned())];
                    row.over_groups(vec![ParameterGroup { options, parameters: named }]).unwrap()
                };
                let (whole, resumed) = (parameters(dtype), parameters(dtype));
                let (mut a, mut b) = (all(&whole), all(&resumed));
                let step = |optimizer: &mut Box<dyn Optimize>, [v, m]: &[Parameter; 2]| {
                    optimizer.step_with(&mut || gradients(v, m)).unwrap().loss()
                };
                let first = step(&mut a, &whole);
                (0..6).for_each(|_| _ = step(&mut a, &whole));
                b.load_state_dict(&a.state_dict()).unwrap();
                for (from, to) in whole.iter().zip(&resumed) {
                    to.set(from.value()).unwrap();
                }
                for _ in 0..7 {
                    let losses = [step(&mut a, &whole), step(&mut b, &resumed)];
                    assert_eq!(losses[0].to_bits(), losses[1].to_bits(), "{row:?} {dtype}");
                    assert!(losses[0] < first, "{row:?} {dtype}: {first} and then {losses:?}");
                }
                assert_eq!(bits(&whole), bits(&resumed), "{row:?} {dtype}");
            }
        }
    }

    #[test]
    fn a_rule_that_is_made_of_another_one_has_its_own_name_in_errors() {
        let rule = AdamW { eps: -1.0, ..AdamW::default() };
        let error = UpdateRule::check(&rule).unwrap_err().to_string();
        assert_eq!(error, "adamw: eps is -1, expected 0 or more, and finite");
    }

    #[test]
    fn the_state_of_one_optimizer_is_refused_by_all_others() {
        let p = Parameter::new("p", [1.0]);
        for row in ALL {
            for other in ALL {
                let state = other.over(&p, &[]).unwrap().state_dict();
                let taken = row.over(&p, &[]).unwrap().load_state_dict(&state);
                let same =
                    row.name.replace("amsgrad", "adam") == other.name.replace("amsgrad", "adam");
                assert_eq!(taken.is_ok(), same, "{row:?} and {other:?}");
            }
        }
    }

    #[test]
    fn ascending_is_descending_of_the_negative() {
        for row in
            ALL.iter().filter(|row| row.options().iter().any(|(name, _)| *name == "maximize"))
        {
            let run = |maximize: &str, sign: f64| {
                let p = Parameter::new("p", [1.0, -2.0]);
                let mut optimizer = row.over(&p, &[("maximize", maximize)]).unwrap();
                for g in [1.0, 0.5, -3.0] {
                    let g = Tensor::from([sign * g, sign * 2.0]);
                    let gradients = Gradients::new(0.0, vec![(p.clone(), g)]);
                    optimizer.step_with(&mut || Ok(gradients.clone())).unwrap();
                }
                p.value().to_f64s()
            };
            assert_eq!(run("true", 1.0), run("false", -1.0), "{row:?}");
        }
    }
}
