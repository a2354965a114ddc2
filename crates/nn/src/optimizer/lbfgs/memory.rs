//! What L-BFGS remembers: the last steps, and what they changed.

use std::collections::VecDeque;

use lossgraph_tensor::Tensor;

use super::NAME;
use crate::checkpoint::Checkpoint;

/// What is known of the shape of the loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// How many directions were taken.
    pub iterations: usize,
    /// The last direction, how far it was followed, and the gradient before.
    pub direction: Vec<f64>,
    pub length: f64,
    pub gradient: Vec<f64>,
    /// The pairs, the oldest first.
    pairs: VecDeque<Pair>,
    /// The first estimate of the inverse Hessian is this times the identity.
    scale: f64,
}

/// A step, the change of the gradient along it, and 1 over their product.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    rho: f64,
}

impl Memory {
    /// Learns what the last step changed, and gives the direction to go.
    pub fn next_direction(&mut self, gradient: &[f64], history: usize) -> Vec<f64> {
        if self.iterations == 1 {
            self.pairs.clear();
            self.scale = 1.0;
            return gradient.iter().map(|g| -g).collect();
        }
        let y: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(g, old)| g - old).collect();
        let s: Vec<f64> = self.direction.iter().map(|d| d * self.length).collect();
        let curvature = dot(&y, &s);
        // Of a direction along which the loss is not convex, nothing is learned.
        if curvature > 1e-10 {
            if self.pairs.len() == history {
                self.pairs.pop_front();
            }
            self.scale = curvature / dot(&y, &y);
            self.pairs.push_back(Pair { s, y, rho: 1.0 / curvature });
        }
        let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::new();
        for pair in self.pairs.iter().rev() {
            let alpha = dot(&pair.s, &d) * pair.rho;
            add(&mut d, -alpha, &pair.y);
            alphas.push(alpha);
        }
        d.iter_mut().for_each(|d| *d *= self.scale);
        for (pair, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(&pair.y, &d) * pair.rho;
            add(&mut d, alpha - beta, &pair.s);
        }
        d
    }

    /// The state, with the rate that the next step has.
    pub fn state_dict(&self, lr: f64) -> Checkpoint {
        let mut state = Checkpoint::default();
        let mut put = |name: &str, values: Vec<f64>| {
            state.tensors.insert(name.to_owned(), Tensor::from(values));
        };
        let pairs = |of: fn(&Pair) -> &[f64]| self.pairs.iter().flat_map(of).copied().collect();
        put("numbers", vec![lr, self.length, self.scale]);
        put("direction", self.direction.clone());
        put("gradient", self.gradient.clone());
        put("steps", pairs(|pair| &pair.s));
        put("changes", pairs(|pair| &pair.y));
        put("rhos", self.pairs.iter().map(|pair| pair.rho).collect());
        let iterations = Tensor::from(self.iterations as i64);
        state.tensors.insert("iterations".to_owned(), iterations);
        state.metadata.insert("rule".to_owned(), NAME.to_owned());
        state
    }

    /// The rate and the memory that a state holds, or what is wrong with it.
    pub fn of(state: &Checkpoint, elements: usize) -> Result<(f64, Memory), String> {
        if state.metadata.get("rule").map(String::as_str) != Some(NAME) {
            return Err("it is no state of this optimizer".to_owned());
        }
        let get = |name: &str| {
            let tensor = state.tensors.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
            Ok::<_, String>(tensor.to_f64s())
        };
        let [lr, length, scale] = get("numbers")?[..] else {
            return Err("`numbers` are not three".to_owned());
        };
        let rhos = get("rhos")?;
        let of = |name: &str, vectors: usize| {
            let values = get(name)?;
            if values.len() == vectors * elements {
                Ok(values)
            } else {
                let (given, expected) = (values.len(), vectors * elements);
                Err(format!(
                    "`{name}` has {given} elements, expected {expected} as the parameters have"
                ))
            }
        };
        let begun = usize::from(!get("direction")?.is_empty());
        let (s, y) = (of("steps", rhos.len())?, of("changes", rhos.len())?);
        let pair = |(i, rho): (usize, f64)| {
            let at = i * elements..(i + 1) * elements;
            Pair { s: s[at.clone()].to_vec(), y: y[at].to_vec(), rho }
        };
        let memory = Memory {
            iterations: get("iterations")?.first().map_or(0, |&count| count as usize),
            direction: of("direction", begun)?,
            length,
            gradient: of("gradient", begun)?,
            pairs: rhos.into_iter().enumerate().map(pair).collect(),
            scale,
        };
        Ok((lr, memory))
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `x ← x + factor · y`
fn add(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}
