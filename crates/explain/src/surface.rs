//! The surface of a program over two elements of its inputs.

use std::panic::Location;

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::sweep::{self, Sweep};

/// The values of a program on a grid; see [`surface`].
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// The values of the first element, column by column.
    pub xs: Vec<f64>,
    /// The values of the second element, row by row.
    pub ys: Vec<f64>,
    /// A row for each of `ys`, with a value for each of `xs`; NaN where there is none.
    pub values: Vec<Vec<f64>>,
}

/// Evaluates a program with one number as its result on a grid of the values of two elements, while
/// all else is constant. Each range is divided into `intervals` equal intervals.
///
/// ```
/// use lossgraph_explain::{Sweep, surface};
/// use lossgraph_tensor::Tensor;
///
/// let across = Sweep { input: 0, element: 0, range: 0.0..2.0 };
/// let up = Sweep { input: 0, element: 1, range: 0.0..3.0 };
/// let bowl = surface(|_, x| x[0].square().sum(..), &[Tensor::from([0.0, 0.0])], [&across, &up], 1)?;
/// assert_eq!(bowl.values, [[0.0, 4.0], [9.0, 13.0]]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`curve`](crate::curve), for either element.
#[track_caller]
pub fn surface(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    [across, up]: [&Sweep; 2],
    intervals: usize,
) -> Result<Surface> {
    let current = [across.current("surface", inputs)?, up.current("surface", inputs)?];
    let location = Location::caller();
    let value = |x: f64, y: f64| {
        let tape = Tape::f64();
        let vars = sweep::record(&tape, inputs, &[(across, x), (up, y)])?;
        let loss = program(&tape, &vars);
        tape.attributed_to(location, || loss.item())
    };
    let (xs, ys): (Vec<f64>, Vec<f64>) =
        (across.linspace(intervals).collect(), up.linspace(intervals).collect());
    // As in a curve, an error is one at the inputs themselves.
    value(current[0], current[1])?;
    let row = |&y: &f64| xs.iter().map(|&x| value(x, y).unwrap_or(f64::NAN)).collect();
    let values = ys.iter().map(row).collect();
    Ok(Surface { xs, ys, values })
}
