//! Products of tensors over axes of one's choice, and of every element with every other.

use lossgraph_tensor::{IntoAxis, IntoDims, Shape};

use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// The sum of products along pairs of axes, `axes[i]` of this and `other_axes[i]` of the other,
    /// computed as a product of matrices. The axes that are left of this come first, then those of the
    /// other.
    ///
    /// # Errors
    /// Recorded as a fault: lists of different lengths, no such axis, one that is named twice, or a
    /// pair of different lengths.
    #[track_caller]
    pub fn tensordot(
        self,
        other: Var<'t>,
        axes: impl IntoDims,
        other_axes: impl IntoDims,
    ) -> Var<'t> {
        let _call = self.tape().call("tensordot");
        let other = self.admit("tensordot", other);
        if self.is_faulty() || other.is_faulty() {
            return if self.is_faulty() { self } else { other };
        }
        let refuse = |why: String| {
            let fault = Fault::new("tensordot", why).operand("a", self).operand("b", other);
            self.tape().fault(fault)
        };
        let (axes, other_axes) = (axes.into_dims(), other_axes.into_dims());
        if axes.len() != other_axes.len() {
            return refuse(format!("{} axes against {}", axes.len(), other_axes.len()));
        }
        let (a, b) = match (resolved(&self.shape(), &axes), resolved(&other.shape(), &other_axes)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(why), _) | (_, Err(why)) => return refuse(why),
        };
        let pairs = a.iter().zip(&b);
        if let Some((i, j)) = pairs.clone().find(|(i, j)| self.dim(**i) != other.dim(**j)) {
            return refuse(format!("axis {i} of a and axis {j} of b differ in length"));
        }
        let free = |x: Var<'t>, of: &[usize]| -> Vec<usize> {
            (0..x.rank()).filter(|axis| !of.contains(axis)).collect()
        };
        let (of_a, of_b) = (free(self, &a), free(other, &b));
        let lens = |x: Var<'t>, axes: &[usize]| -> Vec<usize> {
            axes.iter().map(|&axis| x.dim(axis)).collect()
        };
        let (rows, sums, columns) = (lens(self, &of_a), lens(self, &a), lens(other, &of_b));
        let product = |lens: &[usize]| lens.iter().product::<usize>();
        let left = self.permute([&of_a[..], &a].concat()).reshape([product(&rows), product(&sums)]);
        let right =
            other.permute([&b[..], &of_b].concat()).reshape([product(&sums), product(&columns)]);
        left.matmul(right).reshape([rows, columns].concat())
    }

    /// The Kronecker product: each element of this times the whole other tensor, in its place.
    ///
    /// # Errors
    /// Recorded as a fault: more elements than memory has addresses.
    #[track_caller]
    pub fn kron(self, other: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("kron");
        let other = self.admit("kron", other);
        if self.is_faulty() || other.is_faulty() {
            return if self.is_faulty() { self } else { other };
        }
        let rank = self.rank().max(other.rank());
        let lens = |x: Var<'t>| -> Vec<usize> {
            std::iter::repeat_n(1, rank - x.rank()).chain(x.shape().to_vec()).collect()
        };
        let (a, b) = (lens(self), lens(other));
        let apart: Vec<usize> = a.iter().flat_map(|&len| [len, 1]).collect();
        let beside: Vec<usize> = b.iter().flat_map(|&len| [1, len]).collect();
        let joined: Vec<usize> = a.iter().zip(&b).map(|(a, b)| a.saturating_mul(*b)).collect();
        (self.reshape(apart) * other.reshape(beside)).reshape(joined)
    }

    /// The cross products of vectors of three elements along an axis; other axes broadcast.
    ///
    /// # Errors
    /// Recorded as a fault: another number of elements, operands of different ranks or that do not
    /// broadcast.
    #[track_caller]
    pub fn cross(self, other: Var<'t>, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("cross");
        let (axis, other) = (axis.into_axis(), self.admit("cross", other));
        if self.is_faulty() || other.is_faulty() {
            return if self.is_faulty() { self } else { other };
        }
        let of_three = |x: Var<'t>| x.shape().axis(axis).is_some_and(|at| x.dim(at) == 3);
        if self.rank() != other.rank() || !of_three(self) || !of_three(other) {
            let why = format!("axis {axis} of both has three elements, and they have as many axes");
            let fault = Fault::new("cross", why).operand("left", self);
            return self.tape().fault(fault.operand("right", other));
        }
        let rolled = |x: Var<'t>, by: isize| x.roll(by, axis);
        rolled(self, -1) * rolled(other, -2) - rolled(self, -2) * rolled(other, -1)
    }

    /// `yₖ = Σᵢⱼ xᵢ wₖᵢⱼ zⱼ + bₖ` of two batches of vectors: `[…, i]`, `[…, j]` and weights `[k, i, j]`
    /// give `[…, k]`.
    ///
    /// # Errors
    /// Recorded as faults: weights of another number of axes, and operands that do not fit.
    #[track_caller]
    pub fn bilinear(self, other: Var<'t>, weight: Var<'t>, bias: Option<Var<'t>>) -> Var<'t> {
        const NAME: &str = "bilinear";
        let _call = self.tape().call(NAME);
        let [other, weight] = [other, weight].map(|x| self.admit(NAME, x));
        let bias = bias.map(|bias| self.admit(NAME, bias));
        let all = [Some(self), Some(other), Some(weight), bias];
        if let Some(&faulty) = all.iter().flatten().find(|x| x.is_faulty()) {
            return faulty;
        }
        let (batch, last) = (&self.shape()[..self.rank().max(1) - 1], |x: Var<'t>| x.dim(-1));
        let fits = self.rank() > 0
            && other.rank() == self.rank()
            && other.shape().starts_with(batch)
            && weight.rank() == 3
            && weight.shape()[1..] == [last(self), last(other)]
            && bias.is_none_or(|bias| bias.shape()[..] == weight.shape()[..1]);
        if !fits {
            let fault =
                Fault::new(NAME, "the operands are […, i], […, j], [k, i, j] and a bias [k]");
            let fault = fault.operand("left", self).operand("right", other);
            let fault = fault.operand("weight", weight);
            let fault = bias.map_or(fault.clone(), |bias| fault.operand("bias", bias));
            return self.tape().fault(fault);
        }
        // […, i, 1] · […, 1, j], against the weights laid out alike.
        let pairs = self.unsqueeze(-1) * other.unsqueeze(-2);
        let y = pairs.tensordot(weight, [-2, -1], [1, 2]);
        bias.map_or(y, |bias| y + bias)
    }
}

/// Axes from the start, each named once.
fn resolved(shape: &Shape, axes: &[isize]) -> Result<Vec<usize>, String> {
    let mut all = Vec::new();
    for &axis in axes {
        match shape.axis(axis) {
            None => return Err(format!("there is no axis {axis} in {shape}")),
            Some(at) if all.contains(&at) => return Err(format!("axis {axis} is named twice")),
            Some(at) => all.push(at),
        }
    }
    Ok(all)
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "tensordot",
        "composed",
        "Σ a b, by pairs of axes",
        &[CUBE, Floats(&[4, 5, 2], AROUND)],
        |x| x[0].tensordot(x[1], [0, 2], [2, 0]),
    ),
    op(
        "kron",
        "composed",
        "each aᵢⱼ times all of b",
        &[Floats(&[2, 3], AROUND), Floats(&[2], AROUND)],
        |x| x[0].kron(x[1]),
    ),
    op(
        "cross",
        "composed",
        "a × b",
        &[Floats(&[2, 3, 4], AROUND), Floats(&[2, 3, 1], AROUND)],
        |x| x[0].cross(x[1], 1),
    )
    .torch("cross, linalg.cross"),
    op(
        "bilinear",
        "composed",
        "Σ xᵢ wₖᵢⱼ zⱼ + bₖ",
        &[
            Floats(&[2, 3], AROUND),
            Floats(&[2, 2], AROUND),
            Floats(&[4, 3, 2], AROUND),
            Floats(&[4], AROUND),
        ],
        |x| x[0].bilinear(x[1], x[2], Some(x[3])),
    ),
];
