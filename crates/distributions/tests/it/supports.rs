//! What lies outside of the support, what is NaN, what does not fit.

use lossgraph_autograd::{Tape, Var};
use lossgraph_distributions::{
    Bernoulli, Beta, Categorical, Distribution, Entropy, Exponential, Gamma, Gumbel, KlDivergence,
    Laplace, MultivariateNormal, Normal, Poisson, Uniform, kl_divergence,
};
use lossgraph_tensor::Tensor;

const NEVER: f64 = f64::NEG_INFINITY;

/// The log-probability at a value, and its slopes by the parameters and the value.
fn at<'t>(
    tape: &'t Tape,
    parameters: &[f64],
    value: f64,
    log_prob: impl Fn(&[Var<'t>], Var<'t>) -> Var<'t>,
) -> (f64, Vec<f64>) {
    let mut x: Vec<Var<'t>> = parameters.iter().map(|&x| tape.variable(x)).collect();
    let value = tape.variable(value);
    let y = log_prob(&x, value);
    x.push(value);
    (y.item().unwrap(), tape.grad(y, &x).iter().map(|g| g.item().unwrap()).collect())
}

#[test]
fn a_value_outside_of_the_support_never_happens_and_has_no_slope() {
    let tape = &Tape::f64();
    let zeros = |n: usize| (NEVER, vec![0.0; n]);
    for value in [-0.5, f64::NEG_INFINITY] {
        assert_eq!(at(tape, &[2.0], value, |p, v| Exponential::new(p[0]).log_prob(v)), zeros(2));
        assert_eq!(at(tape, &[2.0], value, |p, v| Poisson::new(p[0]).log_prob(v)), zeros(2));
        assert_eq!(
            at(tape, &[2.0], value, |p, v| Bernoulli::from_logits(p[0]).log_prob(v)),
            zeros(2)
        );
        assert_eq!(
            at(tape, &[2.0, 1.0], value, |p, v| Gamma::new(p[0], p[1]).log_prob(v)),
            zeros(3)
        );
        assert_eq!(
            at(tape, &[2.0, 1.0], value, |p, v| Beta::new(p[0], p[1]).log_prob(v)),
            zeros(3)
        );
        assert_eq!(
            at(tape, &[0.0, 1.0], value, |p, v| Uniform::new(p[0], p[1]).log_prob(v)),
            zeros(3)
        );
    }
    assert_eq!(at(tape, &[0.0, 1.0], 1.0, |p, v| Uniform::new(p[0], p[1]).log_prob(v)), zeros(3));
    assert_eq!(at(tape, &[2.0, 1.0], 1.5, |p, v| Beta::new(p[0], p[1]).log_prob(v)), zeros(3));
    assert_eq!(at(tape, &[2.0], 1.5, |p, v| Poisson::new(p[0]).log_prob(v)), zeros(2));
    assert_eq!(at(tape, &[0.3], 0.5, |p, v| Bernoulli::new(p[0]).log_prob(v)), zeros(2));
    let logits = tape.variable([[0.5, 1.0, -1.0]]);
    let y = Categorical::from_logits(logits)
        .log_prob(tape.labels(&[-1_i64, 3, 2][..]))
        .value()
        .unwrap();
    assert_eq!(y.to_f64s()[..2], [NEVER, NEVER]);
    assert!(y.to_f64s()[2].is_finite());
}

#[test]
fn the_ends_of_a_support_are_what_their_formula_says() {
    let tape = &Tape::f64();
    let gamma = |a: f64, v: f64| Gamma::new(tape.scalar(a), 2.0).log_prob(v).item().unwrap();
    assert_eq!(
        [gamma(1.0, 0.0), gamma(2.0, 0.0), gamma(0.5, 0.0)],
        [2.0_f64.ln(), NEVER, f64::INFINITY]
    );
    let beta = |a: f64, v: f64| Beta::new(tape.scalar(a), 1.0).log_prob(v).item().unwrap();
    assert_eq!([beta(1.0, 0.0), beta(1.0, 1.0), beta(3.0, 0.0)], [0.0, 0.0, NEVER]);
    let poisson = |rate: f64, v: f64| Poisson::new(tape.scalar(rate)).log_prob(v).item().unwrap();
    assert_eq!([poisson(0.0, 0.0), poisson(0.0, 2.0)], [0.0, NEVER]);
    assert_eq!(Exponential::new(tape.scalar(2.0)).log_prob(0.0).item().unwrap(), 2.0_f64.ln());
}

#[test]
fn a_nan_stays_nan() {
    let tape = &Tape::f64();
    let (one, nan) = (tape.scalar(1.0), f64::NAN);
    let at_nan = [
        Normal::new(one, 1.0).log_prob(nan),
        Laplace::new(one, 1.0).log_prob(nan),
        Gumbel::new(one, 1.0).log_prob(nan),
        Uniform::new(one, 2.0).log_prob(nan),
        Exponential::new(one).log_prob(nan),
        Gamma::new(one + 1.0, 1.0).log_prob(nan),
        Beta::new(one + 1.0, 2.0).log_prob(nan),
        Poisson::new(one).log_prob(nan),
        Bernoulli::new(one / 2.0).log_prob(nan),
        Normal::new(tape.scalar(nan), 1.0).log_prob(0.0),
        Uniform::new(one - 1.0, nan).log_prob(0.5),
    ];
    for (i, y) in at_nan.into_iter().enumerate() {
        assert!(y.item().unwrap().is_nan(), "{i}");
    }
}

#[test]
fn parameters_and_values_that_do_not_fit_are_faults() {
    let tape = &Tape::f64();
    let (two, three) = (tape.constant([1.0, 2.0]), tape.constant([1.0, 2.0, 3.0]));
    let error = Normal::new(two, three).entropy().value().unwrap_err().to_string();
    assert!(error.starts_with("Normal: loc [2] and scale [3]: the shapes of the"), "{error}");
    assert!(Normal::new(two, 1.0).log_prob(three).value().is_err());
    assert!(Categorical::new(tape.scalar(1.0)).entropy().value().is_err());
    let labels = tape.labels(&[0, 1, 2]);
    assert!(Categorical::new(tape.constant([[1.0], [2.0]])).log_prob(labels).value().is_err());
    let error = Categorical::new(two).log_prob(1.0).value().unwrap_err().to_string();
    assert!(error.contains("a value is a class number, an integer"), "{error}");
    let square = Tensor::from([[1.0, 0.0], [0.0, 1.0]]);
    for p in [
        MultivariateNormal::from_scale_tril(three, &square),
        MultivariateNormal::from_scale_tril(tape.scalar(1.0), &square),
        MultivariateNormal::from_scale_tril(two, two),
    ] {
        assert!(p.log_prob(two).value().is_err());
        assert!(p.mean().value().is_err());
        assert!(p.entropy().value().is_err());
        assert_eq!(p.batch_shape().rank(), 0);
    }
    let [p, q] = [2, 3].map(|d| {
        let factor = tape.constant(Tensor::eye(d, lossgraph_tensor::DType::F64));
        MultivariateNormal::from_scale_tril(tape.fill([d], 0.0), factor)
    });
    assert!(kl_divergence(&p, &q).value().is_err());
}

#[test]
fn integers_are_parameters_like_floats() {
    let tape = &Tape::f64();
    let p = Poisson::new(tape.labels(&[1, 2]));
    assert_eq!(p.log_prob(0).value().unwrap().to_f64s(), [-1.0, -2.0]);
}

#[test]
fn a_divergence_is_infinite_where_q_cannot_give_what_p_gives() {
    fn infinite<'t, Q>(p: &impl KlDivergence<'t, Q>, q: &Q) -> bool {
        kl_divergence(p, q).item().unwrap() == f64::INFINITY
    }
    let tape = &Tape::f64();
    let one = tape.scalar(1.0);
    let (normal, uniform) = (Normal::new(one, 1.0), Uniform::new(-one, 2.0));
    assert!(infinite(&normal, &Exponential::new(one)));
    assert!(infinite(&normal, &uniform));
    assert!(infinite(&Laplace::new(one, 1.0), &Gamma::new(one, 1.0)));
    assert!(infinite(&Gumbel::new(one, 1.0), &Beta::new(one, 1.0)));
    assert!(infinite(&Gamma::new(one, 1.0), &uniform));
    assert!(infinite(&Poisson::new(one), &Bernoulli::new(one / 2.0)));
    assert!(infinite(&uniform, &Exponential::new(one)));
    assert!(infinite(&uniform, &Gamma::new(one, 1.0)));
    assert!(infinite(&uniform, &Beta::new(one, 1.0)));
    assert!(infinite(&uniform, &Uniform::new(-one, 1.5)));
    assert!(infinite(&Beta::new(one, 1.0), &Uniform::new(one / 2.0, 1.0)));
    assert!(infinite(&Bernoulli::new(one / 2.0), &Bernoulli::new(one)));
    // By the batch that both broadcast to.
    let many = Exponential::new(tape.constant([[1.0], [2.0]]));
    let y = kl_divergence(&Normal::new(tape.constant([1.0, 2.0, 3.0]), 1.0), &many);
    assert_eq!(y.shape()[..], [2, 3]);
}

#[test]
fn what_p_never_gives_adds_nothing_to_a_divergence() {
    let tape = &Tape::f64();
    let [p, q] = [[0.0, 0.5, 0.5], [0.0, 0.25, 0.75]].map(|p| Categorical::new(tape.constant(p)));
    let expected = 0.5 * (2.0_f64.ln() + (2.0_f64 / 3.0).ln());
    assert!((kl_divergence(&p, &q).item().unwrap() - expected).abs() < 1e-15);
    let [p, q] = [0.0, 0.5].map(|p| Bernoulli::new(tape.scalar(p)));
    assert!((kl_divergence(&p, &q).item().unwrap() - 2.0_f64.ln()).abs() < 1e-15);
    let certain = Categorical::from_logits(tape.constant([0.0, f64::NEG_INFINITY]));
    assert_eq!(certain.entropy().item().unwrap(), 0.0);
}

#[test]
fn a_class_number_has_no_mean() {
    let tape = &Tape::f64();
    let mean = Categorical::new(tape.constant([[1.0, 2.0], [3.0, 4.0]])).mean().value().unwrap();
    assert_eq!(mean.shape()[..], [2]);
    assert!(mean.to_f64s().iter().all(|x| x.is_nan()));
}

#[test]
fn vectors_of_no_numbers_are_certain() {
    let tape = &Tape::f64();
    let empty = |shape: &[usize]| tape.constant(Tensor::new(shape, Vec::<f64>::new()));
    let p = MultivariateNormal::from_scale_tril(empty(&[2, 0]), empty(&[2, 0, 0]));
    assert_eq!(p.log_prob(empty(&[2, 0])).value().unwrap().to_f64s(), [0.0, 0.0]);
}
