//! Linear algebra of small matrices: the last two axes are rows and columns, all before them a
//! batch. Computed in `f64` on tapes of either type, and rounded once.

use lossgraph_tensor::kernels::{self, Singular, Triangle};
use lossgraph_tensor::{Shape, Tensor};
use smallvec::smallvec;

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, one};
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// The family of factorizations, and of what is read off them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Linalg {
    Cholesky,
    Solve(Singular),
    SolveTriangular(Triangle),
    Det,
    /// The sign and the logarithm of the absolute value, along a last axis.
    SlogDet,
    Cofactors,
}

impl Family for Linalg {
    fn name(&self) -> &'static str {
        match self {
            Linalg::Cholesky => "cholesky",
            Linalg::Solve(_) => "solve",
            Linalg::SolveTriangular(_) => "solve_triangular",
            Linalg::Det => "det",
            Linalg::SlogDet => "slogdet",
            Linalg::Cofactors => "cofactors",
        }
    }

    fn attributes(&self) -> String {
        match self {
            Linalg::SolveTriangular(Triangle { upper, unit }) => {
                let side = if *upper { "upper" } else { "lower" };
                if *unit { format!("{side}, ones on the diagonal") } else { side.into() }
            }
            _ => String::new(),
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, y, a) = (rule.g, rule.y, rule.inputs[0]);
        match *self {
            // With S = L⁻ᵀ Φ(Lᵀ G) L⁻¹ the slope is Φ(S + Sᵀ), since the lower triangle alone is
            // read. Φ leaves the triangle, half of its diagonal.
            Linalg::Cholesky => {
                let back = Linalg::SolveTriangular(Triangle { upper: true, unit: false });
                let left = record(back, y.t(), halved_triangle(y.t().matmul(g)));
                let s = record(back, y.t(), left.t());
                one(halved_triangle(s + s.t()))
            }
            // ∂L/∂B = A⁻ᵀ G, ∂L/∂A = −∂L/∂B Xᵀ
            Linalg::Solve(_) => {
                let slope = record(*self, a.t(), g);
                smallvec![rule.when(0, || -slope.matmul(y.t())), rule.when(1, || slope)]
            }
            Linalg::SolveTriangular(Triangle { upper, unit }) => {
                let back = Linalg::SolveTriangular(Triangle { upper: !upper, unit });
                let slope = record(back, a.t(), g);
                let read = || {
                    let [i, j] = indices(g.tape(), a.dim(-1));
                    let read = match (upper, unit) {
                        (true, true) => i.lt(j),
                        (true, false) => i.le(j),
                        (false, true) => i.gt(j),
                        (false, false) => i.ge(j),
                    };
                    read.select(-slope.matmul(y.t()), 0.0)
                };
                smallvec![rule.when(0, read), rule.when(1, || slope)]
            }
            Linalg::Det => one(beside_matrices(g) * record_square(Linalg::Cofactors, a)),
            Linalg::SlogDet => {
                let inverse = a.t().inverse_or(Singular::Infinite);
                one(beside_matrices(g.index(-1, 1)) * inverse)
            }
            // A cofactor is the determinant with a row replaced by one of the identity, so that
            // Σⱼ Gᵢⱼ Cᵢⱼ is that of A with row i replaced by that of G. Summed up over i, the slope is
            // made of the cofactors of these n matrices, but for those of the rows of G.
            Linalg::Cofactors => {
                let [i, j] = indices(g.tape(), a.dim(-1));
                let replaced = i.eq(j).unsqueeze(-1);
                let matrices = replaced.select(g.unsqueeze(-2), a.unsqueeze(-3));
                let cofactors = record_square(Linalg::Cofactors, matrices);
                one(replaced.select(0.0, cofactors).sum(-3))
            }
        }
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match *self {
            Linalg::Cholesky => kernels::cholesky(inputs[0], out),
            Linalg::Solve(singular) => kernels::solve(inputs[0], inputs[1], singular, out),
            Linalg::SolveTriangular(of) => kernels::solve_triangular(inputs[0], inputs[1], of, out),
            Linalg::Det => kernels::det(inputs[0], out),
            Linalg::SlogDet => kernels::slogdet(inputs[0], out),
            Linalg::Cofactors => kernels::cofactors(inputs[0], out),
        }
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// Which triangle of a system of equations is given, and on which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangular {
    /// Whether the triangle above the diagonal is read, and not that below it.
    pub upper: bool,
    /// Whether the triangle stands left of the solution, `A X = B`, and not right of it, `X A = B`.
    pub left: bool,
    /// Whether the diagonal counts as ones, and is not read.
    pub unitriangular: bool,
}

impl Triangular {
    /// `A X = B` with a triangle below the diagonal.
    pub const LOWER: Triangular = Triangular { upper: false, left: true, unitriangular: false };
    /// `A X = B` with a triangle above the diagonal.
    pub const UPPER: Triangular = Triangular { upper: true, ..Triangular::LOWER };
}

#[track_caller]
fn record<'t>(op: Linalg, a: Var<'t>, b: Var<'t>) -> Var<'t> {
    a.tape().record(Op::Linalg(op), &[a, b], b.shape(), a.dtype())
}

#[track_caller]
fn record_square(op: Linalg, a: Var<'_>) -> Var<'_> {
    a.tape().record(Op::Linalg(op), &[a], a.shape(), a.dtype())
}

/// The numbers of the rows and of the columns of a matrix, shaped to broadcast against it.
#[track_caller]
fn indices(tape: &Tape, n: usize) -> [Var<'_>; 2] {
    let count = tape.fill([n], 1.0).cumsum(0);
    [count.unsqueeze(1), count]
}

/// A number for each matrix, shaped to broadcast against them.
#[track_caller]
fn beside_matrices(numbers: Var<'_>) -> Var<'_> {
    numbers.unsqueeze(-1).unsqueeze(-1)
}

/// The lower triangle, with half of the diagonal.
#[track_caller]
fn halved_triangle(matrix: Var<'_>) -> Var<'_> {
    let [i, j] = indices(matrix.tape(), matrix.dim(-1));
    i.gt(j).select(matrix, i.eq(j).select(matrix * 0.5, 0.0))
}

impl<'t> Var<'t> {
    /// The lower triangle `L` with `A = L Lᵀ`.
    ///
    /// ```text
    /// ∂L/∂A = ½ (S + Sᵀ)    with S = L⁻ᵀ Φ(Lᵀ G) L⁻¹, and Φ the triangle with half of the diagonal
    /// ```
    ///
    /// `A` is `[…, n, n]`, and read as `½ (A + Aᵀ)`. PyTorch reads the lower triangle alone, and gives
    /// the slope of the symmetric part; for a symmetric matrix both are the same.
    ///
    /// # Errors
    /// What is not square is recorded as a fault. A matrix that is not positive definite is an error
    /// of the run, which names it.
    ///
    /// # Source
    /// Murray, Differentiation of the Cholesky decomposition, 2016.
    #[track_caller]
    pub fn cholesky(self) -> Var<'t> {
        let _call = self.tape().call("cholesky");
        match self.matrices("cholesky") {
            Ok(a) => record_square(Linalg::Cholesky, (a + a.t()) * 0.5),
            Err(fault) => fault,
        }
    }

    /// The solution `X` of `A X = B`.
    ///
    /// ```text
    /// ∂L/∂B = A⁻ᵀ ∂L/∂X
    /// ∂L/∂A = −∂L/∂B Xᵀ
    /// ```
    ///
    /// `A` is `[…, n, n]` and `B` `[…, n, columns]`, with batches that broadcast; or `B` is one
    /// vector for all matrices, `[n]`, or one for each, of the shape of `A` without its last axis.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let tape = Tape::f64();
    /// let (a, b) = (tape.variable([[2.0, 0.0], [0.0, 4.0]]), tape.variable([6.0, 8.0]));
    /// let x = a.solve(b);
    /// assert_eq!(x.value()?.to_f64s(), [3.0, 2.0]);
    /// let [da, db] = [a, b].map(|v| tape.grad(x.sum(..), &[v])[0]);
    /// assert_eq!(db.value()?.to_f64s(), [0.5, 0.25]);
    /// assert_eq!(da.value()?.to_f64s(), [-1.5, -1.0, -0.75, -0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Shapes that do not fit are recorded as a fault. A singular matrix is an error of the run, which
    /// names it.
    #[track_caller]
    pub fn solve(self, b: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("solve");
        let a = match self.matrices("solve") {
            Ok(a) => a,
            Err(fault) => return fault,
        };
        let b = self.admit("solve", b).to_float();
        let vectors = b.rank() == 1 || b.shape()[..] == self.shape()[..self.rank() - 1];
        if b.is_faulty() || !vectors {
            return a.solved("solve", Linalg::Solve(Singular::Refused), b);
        }
        a.solved("solve", Linalg::Solve(Singular::Refused), b.unsqueeze(-1)).squeeze(-1)
    }

    /// The solution `X` of `A X = B`, or of `X A = B`, for a matrix of which one triangle is read.
    ///
    /// `A` is `[…, n, n]`, `B` `[…, n, columns]`, or `[…, rows, n]` on the left of the triangle;
    /// batches broadcast. A 0 on the diagonal divides, as in PyTorch: the result is infinite or NaN.
    /// Slopes are those of [`solve`](Var::solve), 0 for what is not read.
    ///
    /// ```
    /// use lossgraph_autograd::{Tape, Triangular};
    ///
    /// let tape = Tape::f64();
    /// let (a, b) = (tape.variable([[2.0, 1.0], [9.0, 4.0]]), tape.constant([[4.0], [8.0]]));
    /// assert_eq!(a.solve_triangular(b, Triangular::UPPER).value()?.to_f64s(), [1.0, 2.0]);
    /// let ones = Triangular { unitriangular: true, ..Triangular::UPPER };
    /// assert_eq!(a.solve_triangular(b, ones).value()?.to_f64s(), [-4.0, 8.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: shapes that do not fit.
    #[track_caller]
    pub fn solve_triangular(self, b: Var<'t>, options: Triangular) -> Var<'t> {
        let _call = self.tape().call("solve_triangular");
        let a = match self.matrices("solve_triangular") {
            Ok(a) => a,
            Err(fault) => return fault,
        };
        let b = self.admit("solve_triangular", b).to_float();
        let Triangular { upper, left, unitriangular: unit } = options;
        let of = |upper| Linalg::SolveTriangular(Triangle { upper, unit });
        if left || b.rank() < 2 {
            return a.solved("solve_triangular", of(upper), b);
        }
        a.t().solved("solve_triangular", of(!upper), b.t()).t()
    }

    /// The inverse matrix: the solution of `A X = I`.
    ///
    /// # Errors
    /// As for [`Var::solve`].
    #[doc(alias = "inv")]
    #[track_caller]
    pub fn inverse(self) -> Var<'t> {
        let _call = self.tape().call("inverse");
        match self.matrices("inverse") {
            Ok(a) => a.inverse_or(Singular::Refused),
            Err(fault) => fault,
        }
    }

    /// The determinant of each matrix, `[…, n, n]` to `[…]`; 1 of a matrix without rows.
    ///
    /// ```text
    /// ∂ det A/∂Aᵢⱼ = Cᵢⱼ    the cofactor: the determinant without row i and column j, times (−1)^(i+j)
    /// ```
    ///
    /// Slopes of all orders are right for singular matrices, too, where PyTorch gives 0 or NaN. A
    /// second derivative takes n times as long as the first.
    ///
    /// # Errors
    /// Recorded as a fault: matrices that are not square.
    #[track_caller]
    pub fn det(self) -> Var<'t> {
        let _call = self.tape().call("det");
        match self.matrices("det") {
            Ok(a) => {
                let batch = Shape::from(&a.shape()[..a.rank() - 2]);
                a.tape().record(Op::Linalg(Linalg::Det), &[a], batch, a.dtype())
            }
            Err(fault) => fault,
        }
    }

    /// The sign of the determinant of each matrix, and the logarithm of its absolute value: `[…, n, n]`
    /// to `[…]` each. Neither overflows nor underflows. A singular matrix has 0 and −∞.
    ///
    /// ```text
    /// ∂ ln |det A|/∂A = A⁻ᵀ    infinite or NaN for a singular matrix; that of the sign is 0
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: matrices that are not square.
    #[track_caller]
    pub fn slogdet(self) -> [Var<'t>; 2] {
        let _call = self.tape().call("slogdet");
        match self.matrices("slogdet") {
            Ok(a) => {
                let mut dims = a.shape()[..a.rank() - 2].to_vec();
                dims.push(2);
                let op = Op::Linalg(Linalg::SlogDet);
                let both = a.tape().record(op, &[a], Shape::from(dims), a.dtype());
                [both.index(-1, 0), both.index(-1, 1)]
            }
            Err(fault) => [fault; 2],
        }
    }

    /// The logarithm of the determinant of each matrix: −∞ of a singular one, and NaN of one whose
    /// determinant is negative.
    ///
    /// # Errors
    /// Recorded as a fault: matrices that are not square.
    #[track_caller]
    pub fn logdet(self) -> Var<'t> {
        let _call = self.tape().call("logdet");
        let [sign, logarithm] = self.slogdet();
        sign.lt(0.0).select(f64::NAN, logarithm)
    }

    /// The matrices as floats, if they are square.
    #[track_caller]
    fn matrices(self, name: &str) -> Result<Var<'t>, Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        if self.rank() >= 2 && self.dim(-1) == self.dim(-2) {
            return Ok(self.to_float());
        }
        let fault = Fault::new(name, "the last two axes are those of square matrices");
        let fault = fault.operand("matrix", self);
        Err(self.tape().fault(fault.cure("an input of […, n, n]")))
    }

    #[track_caller]
    fn inverse_or(self, singular: Singular) -> Var<'t> {
        let [i, j] = indices(self.tape(), self.dim(-1));
        record(Linalg::Solve(singular), self, i.eq(j).expand(self.shape()))
    }

    /// Records the solution of `A X = B` for square matrices.
    #[track_caller]
    fn solved(self, name: &str, op: Linalg, b: Var<'t>) -> Var<'t> {
        if b.is_faulty() {
            return b;
        }
        let n = self.dim(-1);
        let refuse = |why: &str, cure: String| {
            let fault = Fault::new(name, why).operand("matrix", self).operand("right side", b);
            self.tape().fault(fault.cure(cure))
        };
        if b.rank() < 2 || b.dim(-2) != n {
            let why = "the right side has not as many rows as the matrix";
            return refuse(why, format!("a right side of […, {n}, columns]"));
        }
        let batch = |x: Var<'t>| Shape::from(&x.shape()[..x.rank() - 2]);
        let Some(common) = batch(self).broadcast(&batch(b)) else {
            let cure = "as many matrices on both sides, or one on either".to_owned();
            return refuse("the batch axes do not broadcast", cure);
        };
        let with = |columns: usize| Shape::from([&common[..], &[n, columns]].concat());
        record(op, self.expand(with(n)), b.expand(with(b.dim(-1))))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("cholesky", "linalg", "L Lᵀ = A", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).cholesky()
    })
    .torch("cholesky, linalg.cholesky"),
    op("solve", "linalg", "A X = B", &[Floats(&[2, 3, 3], AROUND), Floats(&[3, 2], AROUND)], |x| {
        positive_definite(x[0]).solve(x[1])
    })
    .torch("linalg.solve"),
    op(
        "solve_triangular",
        "linalg",
        "X A = B",
        &[Floats(&[2, 3, 3], [1.0, 2.0]), Floats(&[2, 3], AROUND)],
        |x| x[0].solve_triangular(x[1], Triangular { left: false, ..Triangular::UPPER }),
    )
    .torch("linalg.solve_triangular"),
    op("inverse", "linalg", "A X = I", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).inverse()
    })
    .torch("inverse, linalg.inv"),
    op("logdet", "composed", "ln det A", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).logdet()
    }),
    op("det", "linalg", "det A", &[Floats(&[2, 3, 3], AROUND)], |x| x[0].det())
        .torch("det, linalg.det"),
    op("slogdet", "linalg", "ln |det A|", &[Floats(&[2, 3, 3], AROUND)], |x| {
        let [sign, logarithm] = positive_definite(x[0]).slogdet();
        sign * logarithm
    })
    .torch("slogdet, linalg.slogdet"),
];

/// `A Aᵀ + 2 I`.
#[track_caller]
fn positive_definite(a: Var<'_>) -> Var<'_> {
    let n = a.dim(-1);
    let place = a.tape().fill([n], 1.0).cumsum(0);
    a.matmul(a.t()) + place.unsqueeze(1).eq(place) * 2.0
}
