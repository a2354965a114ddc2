//! Random tensors. The generator is the caller's, so that a seed determines them.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

use crate::create::allocatable_len;
use crate::kernels::chacha::Stream;
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Result, Shape, Tensor};

impl Tensor {
    /// Uniform in `[0, 1)`; see [`uniform`](Tensor::uniform).
    pub fn rand(shape: impl Into<Shape>, dtype: DType, rng: &mut impl Rng) -> Result<Tensor> {
        Tensor::uniform(shape, 0.0, 1.0, dtype, rng)
    }

    /// Normal with mean 0 and standard deviation 1; see [`normal`](Tensor::normal).
    #[doc(alias = "standard_normal")]
    pub fn randn(shape: impl Into<Shape>, dtype: DType, rng: &mut impl Rng) -> Result<Tensor> {
        Tensor::normal(shape, 0.0, 1.0, dtype, rng)
    }

    /// Uniform in `[low, high)`.
    ///
    /// # Errors
    /// Bounds that are not finite, or not in order.
    pub fn uniform(
        shape: impl Into<Shape>,
        low: f64,
        high: f64,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let (name, expected) = ("high − low", "a positive, finite number");
        let error =
            |_| Error::OutOfRange { operation: "uniform", name, given: high - low, expected };
        sample(shape.into(), dtype, Uniform::new(low, high).map_err(error)?, rng)
    }

    /// Whole numbers, each of a range equally likely, as `I64`: class numbers, indices.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let dice = Tensor::integers([2, 100], 1..7, &mut ChaCha8Rng::seed_from_u64(0))?;
    /// assert_eq!((dice.min(..)?.item()?, dice.max(..)?.item()?), (1.0, 6.0));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// A range that is empty.
    #[doc(alias = "randint")]
    pub fn integers(
        shape: impl Into<Shape>,
        range: Range<i64>,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let given = range.end as f64 - range.start as f64;
        let (name, expected) = ("the length of the range", "at least 1");
        let error = |_| Error::OutOfRange { operation: "integers", name, given, expected };
        let uniform = Uniform::try_from(range).map_err(error)?;
        let shape = shape.into();
        let len = allocatable_len::<i64>(&shape)?;
        Tensor::new(shape, (0..len).map(|_| uniform.sample(rng)).collect::<Vec<i64>>())
    }

    /// One of two numbers, independently in each element: `yes` with a probability, else `no`. The
    /// mask of a dropout that keeps `p` is `[no, yes] = [0, 1/p]`.
    ///
    /// The generator is read as a counter-based one: each element takes one word of its stream, which
    /// any thread can compute, so that the result is the same for any number of them. The probability
    /// is rounded to a multiple of 2⁻³².
    ///
    /// ```
    /// use lossgraph_tensor::{DType, Tensor};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let rng = &mut ChaCha8Rng::seed_from_u64(0);
    /// let x = Tensor::bernoulli([100, 100], 0.25, [0.0, 4.0], DType::F32, rng)?;
    /// assert!((x.mean(..)?.item()? - 1.0).abs() < 0.05);
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// A probability that is not between 0 and 1.
    pub fn bernoulli(
        shape: impl Into<Shape>,
        probability: f64,
        [no, yes]: [f64; 2],
        dtype: DType,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        bernoulli(shape.into(), probability, [no, yes], dtype, rng)
    }

    /// Normal with a mean and a standard deviation.
    ///
    /// # Errors
    /// A deviation that is negative or not finite.
    pub fn normal(
        shape: impl Into<Shape>,
        mean: f64,
        deviation: f64,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let (name, expected) = ("the standard deviation", "0 or more, and finite");
        let error = |_| Error::OutOfRange { operation: "normal", name, given: deviation, expected };
        let normal = Normal::new(mean, deviation).map_err(error)?;
        if deviation < 0.0 {
            return Err(Error::OutOfRange {
                operation: "normal",
                name,
                given: deviation,
                expected,
            });
        }
        sample(shape.into(), dtype, normal, rng)
    }

    /// Kaiming's uniform initialization of a weight `[out, in, window…]` before a relu: uniform
    /// in ±√(6 / fan_in), so that the variance of activations stays from layer to layer.
    ///
    /// # Source
    /// He et al., Delving Deep into Rectifiers, 2015.
    pub fn kaiming_uniform(
        shape: impl Into<Shape>,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let bound = (6.0 / fans("kaiming_uniform", &shape)?.0).sqrt();
        Tensor::uniform(shape, -bound, bound, dtype, rng)
    }

    /// Kaiming's normal initialization: standard deviation √(2 / fan_in). See
    /// [`kaiming_uniform`](Tensor::kaiming_uniform).
    pub fn kaiming_normal(
        shape: impl Into<Shape>,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let deviation = (2.0 / fans("kaiming_normal", &shape)?.0).sqrt();
        Tensor::normal(shape, 0.0, deviation, dtype, rng)
    }

    /// Xavier's uniform initialization of a weight `[out, in, window…]`: uniform in
    /// ±√(6 / (fan_in + fan_out)), which weighs activations and gradients alike.
    ///
    /// # Source
    /// Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural
    /// Networks, 2010.
    pub fn xavier_uniform(
        shape: impl Into<Shape>,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let (fan_in, fan_out) = fans("xavier_uniform", &shape)?;
        let bound = (6.0 / (fan_in + fan_out)).sqrt();
        Tensor::uniform(shape, -bound, bound, dtype, rng)
    }

    /// Xavier's normal initialization: standard deviation √(2 / (fan_in + fan_out)). See
    /// [`xavier_uniform`](Tensor::xavier_uniform).
    pub fn xavier_normal(
        shape: impl Into<Shape>,
        dtype: DType,
        rng: &mut impl Rng,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let (fan_in, fan_out) = fans("xavier_normal", &shape)?;
        Tensor::normal(shape, 0.0, (2.0 / (fan_in + fan_out)).sqrt(), dtype, rng)
    }
}

/// Inputs and outputs of one unit of a weight `[out, in, window…]`.
fn fans(operation: &'static str, shape: &Shape) -> Result<(f64, f64)> {
    if shape.rank() < 2 || shape.contains(&0) {
        let (right, why) = (Shape::from([1, 1]), "a weight has at least the axes [out, in]");
        return Err(Error::Shape { operation, left: shape.clone(), right, why });
    }
    let window: f64 = shape[2..].iter().map(|&dim| dim as f64).product();
    Ok((shape[1] as f64 * window, shape[0] as f64 * window))
}

fn bernoulli(
    shape: Shape,
    probability: f64,
    values: [f64; 2],
    dtype: DType,
    rng: &mut ChaCha8Rng,
) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&probability) {
        let (operation, name) = ("bernoulli", "the probability");
        let expected = "a number from 0 to 1";
        return Err(Error::OutOfRange { operation, name, given: probability, expected });
    }
    // So many of the words stand for yes; the last of them, since all are more than u32 holds.
    let count = (probability * 2.0_f64.powi(32)).round() as u64;
    let last = count.checked_sub(1).map(|last| last as u32);
    with_elem!(dtype, T => {
        let [no, yes] = values.map(T::of);
        let mut elements = vec![no; allocatable_len::<T>(&shape)?];
        if let Some(last) = last {
            let of = move |word: u32| if word <= last { yes } else { no };
            Stream::of(rng).fill(&mut elements, of);
        }
        rng.set_word_pos(rng.get_word_pos() + elements.len() as u128);
        Tensor::new(shape, elements)
    })
}

fn sample(
    shape: Shape,
    dtype: DType,
    distribution: impl Distribution<f64>,
    rng: &mut impl Rng,
) -> Result<Tensor> {
    if !dtype.is_float() {
        let expected = DType::F32;
        return Err(Error::DType { operation: "random", given: dtype, expected });
    }
    with_elem!(dtype, T => {
        let len = allocatable_len::<T>(&shape)?;
        Tensor::new(shape, (0..len).map(|_| T::of(distribution.sample(rng))).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn integers_are_within_their_range_and_an_empty_one_is_refused() {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let x = Tensor::integers([1000], -2..2, rng).unwrap();
        for n in -2..2 {
            assert!(x.to_vec::<i64>().unwrap().iter().filter(|&&x| x == n).count() > 200);
        }
        assert!(Tensor::integers([3], i64::MIN..i64::MAX, rng).is_ok());
        let error = Tensor::integers([3], 2..2, rng).err().unwrap().to_string();
        assert_eq!(error, "integers: the length of the range is 0, expected at least 1");
        let (from, to) = (3, 2);
        assert!(Tensor::integers([0], from..to, rng).is_err());
    }

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    /// Mean and standard deviation.
    fn moments(x: &Tensor) -> (f64, f64) {
        let x = x.to_f64s();
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        (mean, var.sqrt())
    }

    #[test]
    fn the_same_seed_gives_the_same_tensor() {
        let draw = || Tensor::normal([3, 4], 0.0, 1.0, DType::F32, &mut rng()).unwrap();
        assert_eq!(draw(), draw());
        assert_eq!(draw(), Tensor::randn([3, 4], DType::F32, &mut rng()).unwrap());
    }

    #[test]
    fn distributions_have_the_moments_they_promise() {
        let near = |(mean, deviation): (f64, f64), expected: (f64, f64)| {
            (mean - expected.0).abs() < 0.03 && (deviation - expected.1).abs() < 0.03
        };
        let shape = [100, 200];
        let uniform = Tensor::uniform(shape, -1.0, 3.0, DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&uniform), (1.0, 4.0 / 12.0_f64.sqrt())));
        let normal = Tensor::normal(shape, 2.0, 0.5, DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&normal), (2.0, 0.5)));
        let kaiming = Tensor::kaiming_uniform(shape, DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&kaiming), (0.0, 0.1)));
        let kaiming = Tensor::kaiming_normal(shape, DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&kaiming), (0.0, 0.1)));
        let xavier = Tensor::xavier_uniform([50, 10, 5], DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&xavier), (0.0, (2.0 / 300.0_f64).sqrt())));
        let xavier = Tensor::xavier_normal([50, 10, 5], DType::F64, &mut rng()).unwrap();
        assert!(near(moments(&xavier), (0.0, (2.0 / 300.0_f64).sqrt())));
    }

    #[test]
    fn a_mask_takes_one_word_an_element_and_goes_on_where_the_last_one_stopped() {
        let draw = |len: usize, rng: &mut ChaCha8Rng| {
            Tensor::bernoulli([len], 0.3, [0.0, 2.0], DType::F64, rng).unwrap().to_f64s()
        };
        let (whole, parts) = (&mut rng(), &mut rng());
        let all = draw(5000, whole);
        let joined = [1, 15, 17, 2000, 2967].map(|len| draw(len, parts)).concat();
        assert_eq!((all.clone(), &*whole), (joined, &*parts));
        let rng = &mut rng();
        assert!(
            all.iter().all(|&x| (x == 2.0) == (f64::from(rng.next_u32()) < 0.3 * 2_f64.powi(32)))
        );
    }

    #[test]
    fn a_mask_has_its_probability_and_no_pattern() {
        for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
            let n = 1 << 20;
            let x = Tensor::bernoulli([n], p, [0.0, 1.0], DType::F32, &mut rng()).unwrap();
            let x = x.to_f64s();
            let within = |sum: f64, n: usize, p: f64| {
                (sum - n as f64 * p).abs() <= 5.0 * (n as f64 * p * (1.0 - p)).sqrt()
            };
            assert!(within(x.iter().sum(), n, p), "{p}");
            // Elements are independent of those in the next lane, block, and group of blocks.
            for lag in [1, 2, 15, 16, 32, 512] {
                let both = (lag..n).step_by(2 * lag).map(|i| x[i] * x[i - lag]);
                let (count, sum) = both.fold((0, 0.0), |(count, sum), x| (count + 1, sum + x));
                assert!(within(sum, count, p * p), "{p} {lag}");
            }
        }
        assert!(Tensor::bernoulli([2], 1.1, [0.0, 1.0], DType::F32, &mut rng()).is_err());
        assert!(Tensor::bernoulli([2], f64::NAN, [0.0, 1.0], DType::F32, &mut rng()).is_err());
    }

    #[test]
    fn impossible_distributions_are_refused() {
        assert!(Tensor::uniform([2], 1.0, 1.0, DType::F32, &mut rng()).is_err());
        assert!(Tensor::uniform([2], 0.0, f64::INFINITY, DType::F32, &mut rng()).is_err());
        assert!(Tensor::normal([2], 0.0, -1.0, DType::F32, &mut rng()).is_err());
        assert!(Tensor::normal([2], 0.0, 1.0, DType::I64, &mut rng()).is_err());
        assert!(Tensor::kaiming_normal([2], DType::F32, &mut rng()).is_err());
    }
}
