//! The similarity of structures, which the losses of it share.

use lossgraph_autograd::{Conv, Fault, Var, keep};
use lossgraph_tensor::Tensor;

use crate::catalogue::figure::{Chart, Figure, Panel, Table, rounded};
use crate::catalogue::{Numbers, Setting};
use crate::check::above_zero;

/// How pictures are compared: windows with a Gaussian weight, and what keeps quotients finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub window: usize,
    pub sigma: f64,
    pub data_range: f64,
    pub k1: f64,
    pub k2: f64,
}

impl Comparison {
    /// `prediction`, if it is pictures that hold a window after `halvings`, else a fault.
    #[track_caller]
    pub fn fitting<'t>(self, loss: &str, halvings: usize, prediction: Var<'t>) -> Var<'t> {
        let positive = [("sigma", self.sigma), ("data_range", self.data_range)];
        let positive = positive.into_iter().chain([("k1", self.k1), ("k2", self.k2)]);
        let x = positive.fold(prediction, |x, (name, value)| above_zero(loss, name, value, x));
        if x.is_faulty() {
            return x;
        }
        let refuse = |why: String| Fault::new(loss, why).operand("prediction", x);
        if x.rank() != 4 {
            return x.tape().fault(refuse("pictures are [batch, channel, height, width]".into()));
        }
        let side = x.dim(2).min(x.dim(3)).checked_shr(halvings as u32).unwrap_or(0);
        match self.window {
            0 => x.tape().fault(refuse("window is 0, expected at least 1".into())),
            window if window > side => {
                let why = format!("a window of {window} does not fit into a side of {side}");
                let why =
                    if halvings > 0 { format!("{why}, halved {halvings} times") } else { why };
                let fits = if side.is_multiple_of(2) { side.saturating_sub(1) } else { side };
                let cure = match halvings {
                    0 => format!("window: {fits}"),
                    _ => {
                        let pixels = window as f64 * 2.0_f64.powi(halvings as i32);
                        format!("pictures of {pixels} pixels, or fewer weights")
                    }
                };
                x.tape().fault(refuse(why).cure(cure))
            }
            _ => x,
        }
    }

    /// Luminance and structure of every window, `[batch, channel, height − window + 1, …]`:
    /// ```text
    /// l  = (2 μ_p μ_t + c₁) / (μ_p² + μ_t² + c₁)
    /// cs = (2 σ_pt + c₂) / (σ_p² + σ_t² + c₂)
    /// ```
    #[track_caller]
    pub fn of<'t>(self, p: Var<'t>, t: Var<'t>) -> (Var<'t>, Var<'t>) {
        // Nothing changes if pictures and range are divided by a number; so no square overflows.
        let largest = p.abs().maximum(t.abs()).detach().max(keep([2, 3]));
        let scale = (largest / 1e18).clamp(1.0, f64::INFINITY);
        let [p, t] = [p / scale, t / scale];
        let [c1, c2] = [self.k1, self.k2].map(|k| (k * self.data_range / scale).square());
        let mean = |x| self.blur(x);
        // Nor does a variance if a number is subtracted: near 0, its two squares are small. The
        // least number, not the mean, which a single far pixel would carry off.
        let [least_p, least_t] = [p, t].map(nearest_to_0);
        let (p, t) = (p - least_p, t - least_t);
        let (mean_p, mean_t) = (mean(p), mean(t));
        let var_p = mean(p.square()) - mean_p.square();
        let var_t = mean(t.square()) - mean_t.square();
        let covariance = mean(p * t) - mean_p * mean_t;
        let (mean_p, mean_t) = (mean_p + least_p, mean_t + least_t);
        let luminance = (mean_p * mean_t * 2.0 + c1) / (mean_p.square() + mean_t.square() + c1);
        (luminance, (covariance * 2.0 + c2) / (var_p + var_t + c2))
    }

    /// The weighted mean of every window, of each channel by itself.
    #[track_caller]
    fn blur(self, x: Var<'_>) -> Var<'_> {
        let [batch, channels, height, width] = [0, 1, 2, 3].map(|axis| x.dim(axis));
        let weights = Tensor::from(gaussian(self.window, self.sigma));
        // The window is a product of a column and a row.
        let weights = x.tape().constant(weights);
        let [column, row] = [[1, 1, self.window, 1], [1, 1, 1, self.window]];
        let planes = x.reshape([batch * channels, 1, height, width]);
        let blurred = planes.conv2d(weights.reshape(column), None, Conv::default()).conv2d(
            weights.reshape(row),
            None,
            Conv::default(),
        );
        blurred.reshape([batch, channels, blurred.dim(2), blurred.dim(3)])
    }
}

/// What is nearest to 0 between the smallest and the largest pixel of each plane, as a constant.
#[track_caller]
fn nearest_to_0(x: Var<'_>) -> Var<'_> {
    let x = x.detach();
    x.min(keep([2, 3])).relu() - (-x.max(keep([2, 3]))).relu()
}

/// `e^(−(i − middle)² / 2σ²)`, divided by the sum.
pub(super) fn gaussian(window: usize, sigma: f64) -> Vec<f64> {
    let middle = (window as f64 - 1.0) / 2.0;
    let bell = |i: usize| (-(i as f64 - middle).powi(2) / (2.0 * sigma * sigma)).exp();
    let total: f64 = (0..window).map(bell).sum();
    (0..window).map(|i| bell(i) / total).collect()
}

/// A picture of one channel as plain numbers.
#[derive(Clone)]
pub(super) struct Plane {
    pub height: usize,
    pub width: usize,
    pub pixels: Vec<f64>,
}

impl Plane {
    /// The pictures of a tensor, channel by channel.
    pub fn all(shape: &[usize], numbers: &[f64]) -> Vec<Plane> {
        let (height, width) = (shape[2], shape[3]);
        let plane = |pixels: &[f64]| Plane { height, width, pixels: pixels.to_vec() };
        numbers.chunks(height * width).map(plane).collect()
    }

    fn at(&self, y: usize, x: usize) -> f64 {
        self.pixels[y * self.width + x]
    }

    /// The means of 2 × 2 pixels.
    pub fn halved(&self) -> Plane {
        let (height, width) = (self.height / 2, self.width / 2);
        let four = |i: usize| {
            let (y, x) = (i / width * 2, i % width * 2);
            let top = self.at(y, x) + self.at(y, x + 1);
            (top + self.at(y + 1, x) + self.at(y + 1, x + 1)) / 4.0
        };
        Plane { height, width, pixels: (0..height * width).map(four).collect() }
    }
}

impl Comparison {
    /// The comparison of a setting.
    pub fn set(x: &Setting) -> Comparison {
        let [sigma, data_range] = ["sigma", "data_range"].map(|name| x.number(name));
        let (window, k1, k2) = (x.count("window"), x.number("k1"), x.number("k2"));
        Comparison { window, sigma, data_range, k1, k2 }
    }

    /// Luminance and structure of every window of plain numbers: deviations are taken from the
    /// mean of each window, weight by weight.
    pub fn naive(self, p: &Plane, t: &Plane) -> Vec<[f64; 2]> {
        let line = gaussian(self.window, self.sigma);
        let [c1, c2] = [self.k1, self.k2].map(|k| (k * self.data_range).powi(2));
        let window = |y0: usize, x0: usize| {
            let window = self.window;
            (0..window * window).map(move |i| (y0 + i / window, x0 + i % window))
        };
        let compare = |y0: usize, x0: usize| {
            let mean = |each: &dyn Fn(usize, usize) -> f64| -> f64 {
                window(y0, x0).map(|(y, x)| line[y - y0] * line[x - x0] * each(y, x)).sum()
            };
            let (mean_p, mean_t) = (mean(&|y, x| p.at(y, x)), mean(&|y, x| t.at(y, x)));
            let var_p = mean(&|y, x| (p.at(y, x) - mean_p).powi(2));
            let var_t = mean(&|y, x| (t.at(y, x) - mean_t).powi(2));
            let covariance = mean(&|y, x| (p.at(y, x) - mean_p) * (t.at(y, x) - mean_t));
            [
                (2.0 * mean_p * mean_t + c1) / (mean_p.powi(2) + mean_t.powi(2) + c1),
                (2.0 * covariance + c2) / (var_p + var_t + c2),
            ]
        };
        let (rows, columns) = (p.height + 1 - self.window, p.width + 1 - self.window);
        (0..rows * columns).map(|i| compare(i / columns, i % columns)).collect()
    }
    /// Both pictures beside the dissimilarity of their windows, `1 − l · cs`.
    pub fn figure(self, x: &Numbers<'_>) -> Option<Figure> {
        let [shape, other] = [x.shape("prediction"), x.shape("target")];
        let &[_, channels, height, width] = shape else { return None };
        let fits = (1..=height.min(width)).contains(&self.window);
        (shape == other && fits).then_some(())?;
        let planes = |name: &str| Plane::all(shape, x.of(name));
        let panel = |(at, (p, t)): (usize, (Plane, Plane))| {
            let apart: Vec<f64> = self.naive(&p, &t).iter().map(|[l, cs]| 1.0 - l * cs).collect();
            let mean = apart.iter().sum::<f64>() / apart.len() as f64;
            let charts = [
                Table::pixels("prediction", width, &p.pixels),
                Table::pixels("target", width, &t.pixels),
                Table::pixels("1 − SSIM of each window", width + 1 - self.window, &apart),
            ];
            let (picture, channel) = (at / channels, at % channels);
            let channel = if channels > 1 { format!(", channel {channel}") } else { String::new() };
            let caption =
                format!("picture {picture}{channel}: 1 − SSIM is {} in the mean", rounded(mean));
            Panel { caption, charts: charts.map(Chart::Table).to_vec() }
        };
        let pairs = planes("prediction").into_iter().zip(planes("target"));
        Some(Figure {
            title: "The pictures and where they differ in structure",
            about: "The stronger the blue, the larger the number. A window compares the means, the \
                    contrast and the pattern of both pictures below it; 0 is alike.",
            panels: pairs.enumerate().map(panel).collect(),
        })
    }
}
