//! How exact the values of a function are, and on what scale it varies.

use lossgraph_autograd::Result;

use crate::gradient::Gradient;
use crate::slopes::{NEAR, SAMPLED, SAMPLES, noise};
use crate::steps::{norm, products, representable};

impl Gradient<'_> {
    /// Measures what a value is off, along a direction: as it follows from what is computed on the
    /// way, and as values near to each other show it. What those show is no noise beyond a multiple of
    /// the first, nor where it is gone between points that are nearer still: the function varies.
    pub(crate) fn measure_noise(&mut self, direction: &[f64]) -> Result<()> {
        const MULTIPLE: f64 = 100.0;
        let known = self.known_noise();
        let mut seen = self.noise_at(direction, &NEAR)?;
        // Of what a black box does to its numbers, only what is seen is known.
        let most = if self.function.program().is_some() { MULTIPLE * known } else { f64::INFINITY };
        if seen > most || most.is_infinite() {
            self.variation = if seen > most { seen } else { 0.0 };
            if let Some((variation, noise)) = self.variation(direction, seen)? {
                (self.variation, seen) = (variation, noise.min(seen));
            }
        }
        self.noise = 4.0 * known + seen.min(most);
        Ok(())
    }

    /// Whether the value varies, by what was `seen` as noise or by its own size, between near points,
    /// as the rules have it: then it is a straight line between points so near that it changes by a
    /// small part of that. Gives how much it varies, and the noise of values there.
    fn variation(&self, direction: &[f64], seen: f64) -> Result<Option<(f64, f64)>> {
        const SMALL: f64 = 1e-4;
        let slope = self.slope(direction);
        for (variation, near) in [(seen, NEAR[1]), (self.at_0.abs(), NEAR[0])] {
            if variation == 0.0 || variation >= slope * near * SAMPLES as f64 {
                continue;
            }
            let spacing = SMALL * (variation / slope);
            let step = representable(&self.x, direction, spacing, SAMPLES as f64);
            let values = self.values(&step, &SAMPLED)?;
            let rise = (values[SAMPLES - 1] - values[0]).abs();
            let noise = noise(&[spacing], |_| Ok(values.clone()))?;
            if noise < 1e-3 * rise {
                return Ok(Some((variation, noise)));
            }
        }
        Ok(None)
    }

    /// The step along a direction after which the value has changed by as much as it varies, as the
    /// rules have it; 1 at most.
    pub(crate) fn length_scale(&self, direction: &[f64]) -> f64 {
        let (variation, slope) = (self.variation, self.slope(direction));
        if variation > 0.0 && variation < slope { variation / slope } else { 1.0 }
    }

    /// The size of the slope along a direction, as the rules have it.
    fn slope(&self, direction: &[f64]) -> f64 {
        norm(products(&self.analytic, direction))
    }

    /// The error of a value as far as it follows from what is computed on the way: the least that it
    /// can be.
    pub(crate) fn known_noise(&self) -> f64 {
        self.rounding + f64::EPSILON * self.at_0.abs()
    }

    /// The noise of values at some spacings.
    pub(crate) fn noise_at(&self, direction: &[f64], spacings: &[f64]) -> Result<f64> {
        noise(spacings, |spacing| {
            let step = representable(&self.x, direction, spacing, SAMPLES as f64);
            self.values(&step, &SAMPLED)
        })
    }
}
