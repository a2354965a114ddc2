//! Shapes drawn on a small canvas, with noise: masks and boxes to find.

use lossgraph_data::Dataset;
use lossgraph_tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::train::Result;

pub const SIDE: usize = 16;
/// Background, disc, square.
pub const CLASSES: usize = 3;

/// Pictures `[count, 1, 16, 16]` with a disc or a square on each.
pub struct Canvas {
    pub pictures: Tensor,
    /// The class of each pixel, `[count, 16, 16]`.
    pub classes: Tensor,
    /// `[x1, y1, x2, y2]` of each shape, `[count, 4]`, from 0 to 1.
    pub boxes: Tensor,
}

impl Canvas {
    pub fn draw(count: usize, seed: u64) -> Result<Canvas> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut pixels, mut classes, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let class = rng.random_range(1..CLASSES as i64);
            let radius = rng.random_range(2..=5_i64);
            let mut center = || rng.random_range(radius..SIDE as i64 - radius);
            let (x, y) = (center(), center());
            let shade = 0.4 + 0.5 * rng.random::<f32>();
            for at in 0..(SIDE * SIDE) as i64 {
                let (dx, dy) = (at % SIDE as i64 - x, at / SIDE as i64 - y);
                let inside = match class {
                    1 => dx * dx + dy * dy <= radius * radius,
                    _ => dx.abs().max(dy.abs()) <= radius,
                };
                classes.push(if inside { class } else { 0 });
                pixels.push(if inside { shade } else { 0.0 } + 0.3 * rng.random::<f32>());
            }
            let side = SIDE as f32;
            let edge = |at: i64| at as f32 / side;
            boxes.extend([x - radius, y - radius, x + radius + 1, y + radius + 1].map(edge));
        }
        Ok(Canvas {
            pictures: Tensor::new([count, 1, SIDE, SIDE], pixels)?,
            classes: Tensor::new([count, SIDE, SIDE], classes)?,
            boxes: Tensor::new([count, 4], boxes)?,
        })
    }

    /// Pictures with the classes of their pixels.
    pub fn masks(count: usize, seed: u64) -> Result<Dataset> {
        let canvas = Canvas::draw(count, seed)?;
        Ok(Dataset::pairs(canvas.pictures, canvas.classes)?)
    }

    /// Pictures, each as one row, with the boxes of their shapes.
    pub fn located(count: usize, seed: u64) -> Result<Dataset> {
        let canvas = Canvas::draw(count, seed)?;
        Ok(Dataset::pairs(canvas.pictures.reshape([count, SIDE * SIDE])?, canvas.boxes)?)
    }
}
