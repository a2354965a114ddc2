//! Diagonals and triangles of matrices, which lie along two axes; other axes are batches of them.

use lossgraph_tensor::{DType, IntoAxis, Shape, Slice, Tensor};

use super::combine::pad_at;
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// A diagonal of two axes, which are dropped for one new axis at the end: `x[i, i + offset]`, so
    /// that it lies above the main one for an offset above 0. Of a matrix it is
    /// `x.diagonal(0, 0, 1)`, of batches of them `x.diagonal(0, -2, -1)`.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or one that is named twice.
    #[track_caller]
    pub fn diagonal(self, offset: isize, a: impl IntoAxis, b: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("diagonal");
        let (a, b) = (a.into_axis(), b.into_axis());
        let shape = self.shape();
        let (Some(i), Some(j)) = (shape.axis(a), shape.axis(b)) else {
            return self.no_axis("diagonal", if shape.axis(a).is_none() { a } else { b });
        };
        if i == j {
            let fault = Fault::new("diagonal", format!("axis {i} is named twice"));
            return self.tape().fault(fault.operand("input", self));
        }
        // Rows above the diagonal, or columns before it, take no part.
        let (rows, columns) = match offset {
            0.. => (0, offset as usize),
            _ => (offset.unsigned_abs(), 0),
        };
        let cut = |x: Var<'t>, axis: usize, from: usize| x.slice(axis, from.min(shape[axis])..);
        cut(cut(self, i, rows), j, columns).main_diagonal(i, j)
    }

    /// The main diagonal of two axes, which are none of each other's.
    #[track_caller]
    fn main_diagonal(self, i: usize, j: usize) -> Var<'t> {
        let shape = self.shape();
        let mut order: Vec<usize> =
            (0..shape.rank()).filter(|&axis| axis != i && axis != j).collect();
        let mut dims: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        order.extend([i, j]);
        // In a matrix laid out row by row, the diagonal is every (columns + 1)-th element.
        let (rows, columns) = (shape[i], shape[j]);
        let mut slices: Vec<Slice> = dims.iter().map(|&len| Slice::all(len)).collect();
        slices.push(Slice { start: 0, len: rows.min(columns), step: columns as isize + 1 });
        dims.push(rows * columns);
        self.permute(order).reshape(dims).slices(&slices)
    }

    /// Of a matrix, a diagonal; of a line, the matrix of which it is that diagonal, and which is 0
    /// elsewhere.
    ///
    /// # Errors
    /// Recorded as a fault: a tensor of another number of axes.
    #[track_caller]
    pub fn diag(self, offset: isize) -> Var<'t> {
        let _call = self.tape().call("diag");
        match self.rank() {
            _ if self.is_faulty() => self,
            1 => self.diag_embed(offset, 0, 1),
            2 => self.diagonal(offset, 0, 1),
            rank => {
                let why = format!("it takes one or two axes, given {rank}");
                let fault = Fault::new("diag", why).operand("input", self);
                self.tape().fault(fault.cure("diagonal or diag_embed, which take batches"))
            }
        }
    }

    /// Matrices along the axes `a` and `b` of the result, of which the last axis is a diagonal and
    /// which are 0 elsewhere: the transpose of [`diagonal`](Var::diagonal).
    ///
    /// # Errors
    /// Recorded as a fault: a scalar, no such axis of the result, or one that is named twice.
    #[track_caller]
    pub fn diag_embed(self, offset: isize, a: impl IntoAxis, b: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("diag_embed");
        let (a, b) = (a.into_axis(), b.into_axis());
        if self.is_faulty() {
            return self;
        }
        let shape = self.shape();
        let refuse =
            |why: &str| self.tape().fault(Fault::new("diag_embed", why).operand("input", self));
        let Some((&len, batch)) = shape.split_last() else {
            return refuse("a scalar is no diagonal");
        };
        let n = len.checked_add(offset.unsigned_abs());
        let (Some(n), Some(all)) = (n, n.and_then(|n| n.checked_mul(n))) else {
            return refuse("the matrix has more elements than memory has addresses");
        };
        // In a matrix laid out row by row, the diagonal is every (n + 1)-th element.
        let start = if offset >= 0 { offset as usize } else { offset.unsigned_abs() * n };
        let mut slices: Vec<Slice> = batch.iter().map(|&len| Slice::all(len)).collect();
        slices.push(Slice { start, len, step: n as isize + 1 });
        let flat = [batch, &[all]].concat();
        let matrices = [batch, &[n, n]].concat();
        let x = match len {
            0 => self.tape().fill(Shape::from(flat), 0.0),
            _ => pad_at(self, slices.into(), Shape::from(flat), 0.0),
        };
        x.reshape(matrices).movedim([-2, -1], [a, b])
    }

    /// The sum of the diagonal of a matrix.
    ///
    /// # Errors
    /// Recorded as a fault: a tensor that has not two axes.
    #[track_caller]
    pub fn trace(self) -> Var<'t> {
        let _call = self.tape().call("trace");
        if !self.is_faulty() && self.rank() != 2 {
            let why = format!("a matrix has two axes, given {}", self.rank());
            let fault = Fault::new("trace", why).operand("input", self);
            return self.tape().fault(fault.cure("x.diagonal(0, -2, -1).sum(-1), for batches"));
        }
        self.diagonal(0, 0, 1).sum(..)
    }

    /// The lower triangle of the last two axes: `x[i, j]` where `j − i ≤ diagonal`, else 0, whatever
    /// was there.
    ///
    /// # Errors
    /// Recorded as a fault: fewer than two axes.
    #[track_caller]
    pub fn tril(self, diagonal: isize) -> Var<'t> {
        let _call = self.tape().call("tril");
        self.triangle("tril", diagonal, |column, row| column.le(row))
    }

    /// The upper triangle of the last two axes: `x[i, j]` where `j − i ≥ diagonal`, else 0, whatever
    /// was there.
    ///
    /// # Errors
    /// Recorded as a fault: fewer than two axes.
    #[track_caller]
    pub fn triu(self, diagonal: isize) -> Var<'t> {
        let _call = self.tape().call("triu");
        self.triangle("triu", diagonal, |column, row| column.ge(row))
    }

    /// Where `holds` says so of the column and of the column that the diagonal has in the row.
    #[track_caller]
    fn triangle(
        self,
        name: &str,
        diagonal: isize,
        holds: impl FnOnce(Var<'t>, Var<'t>) -> Var<'t>,
    ) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        if self.rank() < 2 {
            let fault = Fault::new(name, "a matrix has two axes");
            return self.tape().fault(fault.operand("input", self));
        }
        let (rows, columns) = (self.dim(-2) as i64, self.dim(-1) as i64);
        let diagonal = (diagonal as i64).clamp(-rows, columns);
        // Floats are exact up to 2²⁴, and fused.
        let dtype = if rows + columns < 1 << 23 { self.tape().dtype() } else { DType::I64 };
        let numbers = |from: i64, to: i64| {
            self.tape().constant(Tensor::from((from..to).collect::<Vec<i64>>()).to_dtype(dtype))
        };
        let row = numbers(diagonal, diagonal + rows).unsqueeze(1);
        holds(numbers(0, columns).unsqueeze(0), row).select(self, 0)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("diagonal", "composed", "x[i, i + k]", &[CUBE], |x| x[0].diagonal(1, 1, 2)),
    op("diag", "composed", "a diagonal, or a matrix of it", &[Floats(&[3, 4], AROUND)], |x| {
        x[0].diag(-1).diag(1)
    }),
    op("diag_embed", "composed", "matrices of diagonals", &[Floats(&[2, 3], AROUND)], |x| {
        x[0].diag_embed(-1, 0, 2)
    }),
    op("trace", "composed", "Σ xᵢᵢ", &[Floats(&[3, 4], AROUND)], |x| x[0].trace()),
    op("tril", "composed", "xᵢⱼ where j − i ≤ k, else 0", &[CUBE], |x| x[0].tril(1)),
    op("triu", "composed", "xᵢⱼ where j − i ≥ k, else 0", &[CUBE], |x| x[0].triu(-1)),
];
