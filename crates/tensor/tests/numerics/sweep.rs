//! `f32`: a sample by default, and all inputs on demand.

use super::{FUNCTIONS, Function, mapped, ulps};

/// How many inputs a loop is given at a time.
const SLICE: usize = 1 << 12;

impl Function {
    /// The largest error over the inputs with these bit patterns, and where it is.
    fn worst(&self, bits: impl Iterator<Item = u32>) -> (f64, f32) {
        let mut inputs = bits.map(f32::from_bits);
        let mut worst = (0.0, 0.0);
        loop {
            let x: Vec<f32> = inputs.by_ref().take(SLICE).collect();
            if x.is_empty() {
                return worst;
            }
            let y = mapped(&self.loops, x.clone());
            let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
            let exact = match self.exact {
                Some(exact) => wide.into_iter().map(exact).collect(),
                None => mapped(&self.loops, wide),
            };
            for ((x, y), exact) in x.into_iter().zip(y).zip(exact) {
                let error = ulps(y, exact);
                worst = if error > worst.0 { (error, x) } else { worst };
            }
        }
    }
}

#[test]
fn samples_of_f32_are_within_two_ulps() {
    for function in &FUNCTIONS {
        // Of all exponents and both signs, zeros, what is below the normal range, infinities and
        // NaN among them.
        let edges = [f32::MIN_POSITIVE, f32::MAX, f32::INFINITY].into_iter();
        let edges = edges.flat_map(|x| [x, -x]).map(f32::to_bits).chain([1 << 31]);
        let (error, x) = function.worst((0..=u32::MAX).step_by(4099).chain(edges));
        assert!(error <= 2.0, "{}({x:e}) is off by {error} ulps", function.name);
    }
}

/// The largest error over all inputs of a function.
fn sweep(name: &str) {
    let function = FUNCTIONS.iter().find(|function| function.name == name).unwrap();
    let (a, b) = std::thread::scope(|scope| {
        let negative = scope.spawn(|| function.worst(1 << 31..=u32::MAX));
        (function.worst(0..=u32::MAX >> 1), negative.join().unwrap())
    });
    let (error, x) = if b.0 > a.0 { b } else { a };
    println!("| {name} | {error:.2} | {x:e} |");
    assert!(error <= 2.0, "{name}({x:e}) is off by {error} ulps");
}

/// A test for each function, so that they can be run one by one.
macro_rules! sweeps {
    ($($name:ident)*) => {
        mod all_of_f32_are_within_two_ulps {
            $(
                #[test]
                #[ignore = "sweeps all 2³² inputs; docs/numerics.md has the table"]
                fn $name() {
                    super::sweep(stringify!($name));
                }
            )*
        }
    };
}

sweeps!(
    exp exp_m1 ln ln_1p sinh cosh tanh atanh sigmoid softplus sin cos tan erf erfc
    log2 log10 exp2 lgamma digamma erfinv ndtri log_ndtr log_ndtr_slope
);
