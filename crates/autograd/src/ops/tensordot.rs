//! Products of tensors over axes of one's choice, and of every element with every other.

use lossgraph_tensor::{IntoDims, Shape};

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
