//! Draws: their moments, their shapes, their seeds.

use lossgraph_autograd::{Tape, Var};
use lossgraph_distributions::{
    Bernoulli, Beta, Categorical, Cdf, Distribution, Exponential, Gamma, Gumbel, Laplace,
    MultivariateNormal, Normal, Poisson, Reparametrized, Uniform,
};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const N: usize = 100_000;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(17)
}

/// Mean and variance of draws, each with its standard error.
fn moments(draws: &[f64]) -> [(f64, f64); 2] {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let moment = |k: i32| draws.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    let variance = moment(2);
    [(mean, (variance / n).sqrt()), (variance, ((moment(4) - variance * variance) / n).sqrt())]
}

/// Draws of `[N, batch]` have mean and variance of their distribution, within six standard errors.
fn assert_moments<'t>(name: &str, p: &impl Distribution<'t>) {
    let draws = p.sample([N], &mut rng()).unwrap();
    let expected = [p.mean(), p.variance()].map(|moment| moment.value().unwrap().to_f64s());
    for column in 0..expected[0].len() {
        let draws = draws.reshape([N, expected[0].len()]).unwrap();
        let draws = draws.select(1, column as isize).unwrap().to_f64s();
        for ((got, error), expected) in moments(&draws).into_iter().zip(&expected) {
            let off = (got - expected[column]).abs();
            assert!(off < 6.0 * error, "{name}: {got}, expected {}", expected[column]);
        }
    }
}

/// `cdf` of draws is uniform between 0 and 1, and undone by `icdf`.
fn assert_cdf<'t>(name: &str, p: &impl Cdf<'t>) {
    let draws = p.sample([N], &mut rng()).unwrap();
    let u = p.cdf(&draws);
    for ((got, error), expected) in
        moments(&u.value().unwrap().to_f64s()).into_iter().zip([0.5, 1.0 / 12.0])
    {
        assert!((got - expected).abs() < 6.0 * error, "{name}: {got}, expected {expected}");
    }
    let back = p.icdf(u).value().unwrap();
    // Near 1, a probability has few digits of its distance from 1.
    let near =
        |(u, (a, b)): (&f64, (f64, f64))| *u > 0.999 || (a - b).abs() < 1e-9 * (1.0 + b.abs());
    let pairs = back.to_f64s().into_iter().zip(draws.to_f64s());
    let all = u.value().unwrap().to_f64s().iter().zip(pairs).all(near);
    assert!(all, "{name}: icdf does not undo cdf");
}

#[test]
fn draws_have_the_moments_of_their_distribution() {
    let tape = Tape::f64();
    let [loc, scale] = [[-1.0, 0.5, 3.0], [0.5, 1.0, 2.5]].map(|x| tape.constant(x));
    assert_moments("Normal", &Normal::new(loc, scale));
    assert_moments("Laplace", &Laplace::new(loc, scale));
    assert_moments("Gumbel", &Gumbel::new(loc, scale));
    assert_moments("Uniform", &Uniform::new(loc, loc + scale));
    assert_moments("Exponential", &Exponential::new(scale));
    assert_moments("Poisson", &Poisson::new(tape.constant([0.3, 4.0, 60.0])));
    assert_moments("Gamma", &Gamma::new(scale, 2.0));
    assert_moments("Beta", &Beta::new(scale, 1.5));
    assert_moments("Bernoulli", &Bernoulli::new(tape.constant([0.02, 0.5, 0.9])));
    assert_moments("Bernoulli", &Bernoulli::from_logits(loc));
}

#[test]
fn draws_are_spread_as_their_cumulative_distribution_says() {
    let tape = Tape::f64();
    let [loc, scale] = [-0.7, 1.3].map(|x| tape.scalar(x));
    assert_cdf("Normal", &Normal::new(loc, scale));
    assert_cdf("Laplace", &Laplace::new(loc, scale));
    assert_cdf("Gumbel", &Gumbel::new(loc, scale));
    assert_cdf("Uniform", &Uniform::new(loc, scale));
    assert_cdf("Exponential", &Exponential::new(scale));
}

#[test]
fn classes_come_as_often_as_their_probabilities_say() {
    let tape = Tape::f64();
    let die = Categorical::new(tape.constant([[0.0, 1.0, 3.0, 0.0], [1.0, 1.0, 0.0, 6.0]]));
    let draws = die.sample([N], &mut rng()).unwrap();
    assert_eq!((draws.dtype(), &draws.shape()[..]), (DType::I64, &[N, 2][..]));
    for (row, expected) in [[0.0, 0.25, 0.75, 0.0], [0.125, 0.125, 0.0, 0.75]].iter().enumerate() {
        let draws = draws.select(1, row as isize).unwrap().to_f64s();
        for (class, &p) in expected.iter().enumerate() {
            let count = draws.iter().filter(|&&drawn| drawn == class as f64).count() as f64;
            let error = (p * (1.0 - p) * N as f64).sqrt();
            assert!((count - p * N as f64).abs() <= 6.0 * error, "class {class}: {count}");
        }
    }
}

#[test]
fn vectors_have_the_covariance_of_their_factor() {
    let tape = Tape::f64();
    let factor = tape.constant([[1.5, 0.0], [-0.8, 0.6]]);
    let p = MultivariateNormal::from_scale_tril(tape.constant([1.0, -2.0]), factor);
    let draws = p.sample([N], &mut rng()).unwrap();
    let column = |i: isize| draws.select(1, i).unwrap().to_f64s();
    let covariance = p.covariance_matrix().value().unwrap();
    let (a, b) = (column(0), column(1));
    for (i, x, mean) in [(0, &a, 1.0), (1, &b, -2.0)] {
        let [(got, error), (variance, of_variance)] = moments(x);
        assert!((got - mean).abs() < 6.0 * error);
        assert!((variance - covariance.get([i, i]).unwrap()).abs() < 6.0 * of_variance);
    }
    let products: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - 1.0) * (b + 2.0)).collect();
    let [(got, error), _] = moments(&products);
    assert!((got - covariance.get([0, 1]).unwrap()).abs() < 6.0 * error);
}

#[test]
fn one_seed_gives_one_sample_and_rsample_has_its_value() {
    let tape = Tape::new();
    let normal = Normal::new(tape.variable([[0.5], [1.5]]), tape.variable([1.0, 2.0, 3.0]));
    let sample = normal.sample([4], &mut rng()).unwrap();
    assert_eq!(sample.shape()[..], [4, 2, 3]);
    assert_eq!(sample, normal.sample([4], &mut rng()).unwrap());
    assert_eq!(sample, normal.rsample([4], &mut rng()).value().unwrap());
    let vectors = MultivariateNormal::from_scale_tril(
        tape.variable([1.0, 2.0]),
        Tensor::from([
            [[1.0, 0.0], [0.5, 1.0]],
            [[2.0, 0.0], [0.0, 2.0]],
            [[1.0, 0.0], [1.0, 1.0]],
        ]),
    );
    assert_eq!(
        (vectors.batch_shape()[..].to_vec(), vectors.event_shape()[..].to_vec()),
        (vec![3], vec![2])
    );
    assert_eq!(vectors.sample([5, 4], &mut rng()).unwrap().shape()[..], [5, 4, 3, 2]);
    assert_eq!(vectors.log_prob(tape.fill([5, 4, 3, 2], 0.5)).shape()[..], [5, 4, 3]);
}

#[test]
fn slopes_come_back_through_rsample() {
    let tape = Tape::f64();
    let slopes = |z: Var<'_>, parameters: &[Var<'_>]| -> Vec<f64> {
        tape.grad(z, parameters).iter().map(|g| g.item().unwrap()).collect()
    };
    let [loc, scale] = [0.5, 2.0].map(|x| tape.variable(x));
    let z = Normal::new(loc, scale).rsample([], &mut rng());
    assert_eq!(slopes(z, &[loc, scale]), [1.0, (z.item().unwrap() - 0.5) / 2.0]);
    let z = Uniform::new(loc, scale).rsample([], &mut rng());
    let u = (z.item().unwrap() - 0.5) / 1.5;
    let [low, high] = slopes(z, &[loc, scale])[..] else { panic!("two slopes") };
    assert!((low - (1.0 - u)).abs() < 1e-15 && (high - u).abs() < 1e-15);
    let z = Exponential::new(scale).rsample([], &mut rng());
    assert!((slopes(z, &[scale])[0] + z.item().unwrap() / 2.0).abs() < 1e-15);
}

#[test]
fn uniform_draws_in_single_precision_never_reach_the_upper_bound() {
    let tape = Tape::new();
    let draws = Uniform::new(tape.scalar(0.0), 1.0).sample([N], &mut rng()).unwrap();
    assert!(draws.to_f64s().iter().all(|&u| (0.0..1.0).contains(&u)));
}

#[test]
fn parameters_that_nothing_can_be_drawn_from_are_an_error() {
    let tape = Tape::f64();
    let error = Poisson::new(tape.constant([1.0, -1.0])).sample([], &mut rng()).unwrap_err();
    let line = line!() - 1;
    let text = "Poisson.sample: a rate is -1, expected a finite number, 0 or more";
    assert!(error.to_string().starts_with(text), "{error}");
    assert!(error.location().unwrap().ends_with(&format!("draws.rs:{line}")), "{error}");
    assert_eq!(Poisson::new(tape.scalar(0.0)).sample([3], &mut rng()).unwrap().to_f64s(), [0.0; 3]);
    let probability = tape.scalar(1.5);
    assert!(Bernoulli::new(probability).sample([], &mut rng()).is_err());
    assert!(Categorical::new(tape.constant([f64::NAN, 1.0])).sample([], &mut rng()).is_err());
    assert!(Categorical::new(tape.constant([0.0, 0.0])).sample([], &mut rng()).is_err());
    assert!(Gamma::new(tape.scalar(-1.0), 1.0).sample([], &mut rng()).is_err());
    assert!(Beta::new(tape.scalar(1.0), f64::NAN).sample([], &mut rng()).is_err());
    let huge = [usize::MAX / 16, 2];
    assert!(Normal::new(tape.scalar(0.0), 1.0).sample(huge, &mut rng()).is_err());
    assert!(Gamma::new(tape.scalar(1.0), 1.0).sample(huge, &mut rng()).is_err());
    assert!(Categorical::new(tape.constant([1.0])).sample(huge, &mut rng()).is_err());
}

#[test]
fn nothing_is_drawn_of_an_empty_batch() {
    let tape = Tape::f64();
    let none = tape.constant(Tensor::new([0, 2], Vec::<f64>::new()));
    for draws in [
        Normal::new(none, 1.0).sample([3], &mut rng()),
        Gamma::new(none, 1.0).sample([3], &mut rng()),
        Categorical::new(none).sample([3, 2], &mut rng()),
    ] {
        assert!(draws.unwrap().is_empty());
    }
}
