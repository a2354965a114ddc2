//! Sums with factors, of tensors and of products of matrices: composed.

use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// From `self` to `end`, by a weight: `self + weight · (end − self)`, and from the middle on
    /// `end − (1 − weight) · (end − self)`, so that both ends are exact.
    #[track_caller]
    pub fn lerp(self, end: impl Operand<'t>, weight: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("lerp");
        let start = self.to_float();
        if let Some(weight) = weight.number() {
            // One formula does for all elements.
            let end = end.beside(start).to_float();
            return match weight.abs() < 0.5 {
                true => start + (end - start) * weight,
                false => end - (end - start) * (1.0 - weight),
            };
        }
        let (end, weight) = (end.beside(start).to_float(), weight.beside(start).to_float());
        let way = end - start;
        let near = weight.abs().lt(0.5);
        near.select(start + weight * way, end - way * (1.0 - weight))
    }

    /// `self + value · a · b`.
    #[track_caller]
    pub fn addcmul(self, a: impl Operand<'t>, b: impl Operand<'t>, value: f64) -> Var<'t> {
        let _call = self.tape().call("addcmul");
        self + a.beside(self) * value * b.beside(self)
    }

    /// `self + value · a / b`.
    #[track_caller]
    pub fn addcdiv(self, a: impl Operand<'t>, b: impl Operand<'t>, value: f64) -> Var<'t> {
        let _call = self.tape().call("addcdiv");
        self + a.beside(self) * value / b.beside(self)
    }

    /// The products of each element of a vector with each of another: `yᵢⱼ = aᵢ bⱼ`.
    ///
    /// # Errors
    /// Recorded as a fault: operands that are no vectors.
    #[doc(alias = "ger")]
    #[track_caller]
    pub fn outer(self, other: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("outer");
        match self.ranks("outer", [1, 1], [self, other]) {
            Ok([a, b]) => a.unsqueeze(1) * b.unsqueeze(0),
            Err(fault) => fault,
        }
    }

    /// The products of rows, summed up: `y[…i, …j] = Σₖ a[…i, k] b[…j, k]`, so that all axes but the
    /// last of both are those of the result. A scalar multiplies the other operand.
    ///
    /// # Errors
    /// Recorded as a fault: last axes of different lengths.
    #[track_caller]
    pub fn inner(self, other: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("inner");
        let other = self.admit("inner", other);
        if let Some(&faulty) = [self, other].iter().find(|operand| operand.is_faulty()) {
            return faulty;
        }
        if self.rank() == 0 || other.rank() == 0 {
            return self * other;
        }
        if self.dim(-1) != other.dim(-1) {
            let fault = Fault::new("inner", "the last axes differ in length");
            return self.tape().fault(fault.operand("left", self).operand("right", other));
        }
        self.tensordot(other, -1, -1)
    }

    /// The inner product of two vectors, `Σ aᵢ bᵢ`. Of tensors of more axes it is
    /// [`inner`](Var::inner).
    ///
    /// # Errors
    /// Recorded as a fault: operands that are no vectors, or of different lengths.
    #[doc(alias = "vdot")]
    #[track_caller]
    pub fn dot(self, other: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("dot");
        match self.ranks("dot", [1, 1], [self, other]) {
            Ok([a, b]) => a.matmul(b),
            Err(fault) => fault,
        }
    }

    /// `beta · self + alpha · a b`, of matrices `[n, k]` and `[k, m]`; `self` broadcasts to `[n, m]`.
    /// With a `beta` of 0, `self` is not read: NaN in it stays out.
    ///
    /// # Errors
    /// Recorded as faults: operands that are no matrices or do not fit, and a `self` that does not
    /// broadcast to their product.
    #[track_caller]
    pub fn addmm(self, a: Var<'t>, b: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("addmm");
        match self.ranks("addmm", [2, 2], [a, b]) {
            Ok([a, b]) => self.plus_product("addmm", a.matmul(b), beta, alpha),
            Err(fault) => fault,
        }
    }

    /// `beta · self + alpha · A v`, of a matrix `[n, k]` and a vector `[k]`; `self` broadcasts to `[n]`.
    /// With a `beta` of 0, `self` is not read.
    ///
    /// # Errors
    /// Recorded as faults: operands of other ranks or that do not fit.
    #[track_caller]
    pub fn addmv(self, matrix: Var<'t>, vector: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("addmv");
        match self.ranks("addmv", [2, 1], [matrix, vector]) {
            Ok([a, b]) => self.plus_product("addmv", a.matmul(b), beta, alpha),
            Err(fault) => fault,
        }
    }

    /// `beta · self + alpha · a bᵀ`, of vectors `[n]` and `[m]`; `self` broadcasts to `[n, m]`. With a
    /// `beta` of 0, `self` is not read.
    ///
    /// # Errors
    /// Recorded as faults: operands that are no vectors or do not fit.
    #[track_caller]
    pub fn addr(self, a: Var<'t>, b: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("addr");
        match self.ranks("addr", [1, 1], [a, b]) {
            Ok([a, b]) => self.plus_product("addr", a.outer(b), beta, alpha),
            Err(fault) => fault,
        }
    }

    /// `beta · self + alpha · a b`, of batches of matrices, `[batch, n, k]` and `[batch, k, m]`; `self`
    /// broadcasts to `[batch, n, m]`. With a `beta` of 0, `self` is not read.
    ///
    /// # Errors
    /// Recorded as faults: operands of other ranks or that do not fit.
    #[track_caller]
    pub fn baddbmm(self, a: Var<'t>, b: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("baddbmm");
        match self.ranks("baddbmm", [3, 3], [a, b]) {
            Ok([a, b]) => self.plus_product("baddbmm", a.matmul(b), beta, alpha),
            Err(fault) => fault,
        }
    }

    /// `beta · self + alpha · Σ a b`, of batches of matrices, `[batch, n, k]` and `[batch, k, m]`, whose
    /// products are summed over the batch; `self` broadcasts to `[n, m]`. With a `beta` of 0, `self` is
    /// not read.
    ///
    /// # Errors
    /// Recorded as faults: operands of other ranks or that do not fit.
    #[track_caller]
    pub fn addbmm(self, a: Var<'t>, b: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        let _call = self.tape().call("addbmm");
        match self.ranks("addbmm", [3, 3], [a, b]) {
            Ok([a, b]) => self.plus_product("addbmm", a.matmul(b).sum(0), beta, alpha),
            Err(fault) => fault,
        }
    }

    /// Both operands of a product, if they are on this tape and have so many axes.
    #[track_caller]
    fn ranks(
        self,
        name: &str,
        ranks: [usize; 2],
        of: [Var<'t>; 2],
    ) -> Result<[Var<'t>; 2], Var<'t>> {
        let of = of.map(|operand| self.admit(name, operand));
        if let Some(&faulty) = [self, of[0], of[1]].iter().find(|operand| operand.is_faulty()) {
            return Err(faulty);
        }
        if of.map(Var::rank) == ranks {
            return Ok(of);
        }
        let [a, b] =
            ranks.map(|rank| if rank == 1 { "1 axis".into() } else { format!("{rank} axes") });
        let fault = Fault::new(name, format!("it multiplies what has {a} by what has {b}"));
        Err(self.tape().fault(fault.operand("left", of[0]).operand("right", of[1])))
    }

    #[track_caller]
    fn plus_product(self, name: &str, product: Var<'t>, beta: f64, alpha: f64) -> Var<'t> {
        if product.is_faulty() {
            return product;
        }
        let shape = product.shape();
        if self.shape().broadcast(&shape).as_ref() != Some(&shape) {
            let fault = Fault::new(name, format!("the input does not broadcast to {shape}"));
            return self.tape().fault(fault.operand("input", self).operand("product", product));
        }
        let times = |x: Var<'t>, factor: f64| if factor == 1.0 { x } else { x * factor };
        match beta {
            0.0 => times(product, alpha),
            _ => times(self, beta) + times(product, alpha),
        }
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "lerp",
        "composed",
        "a + w (b − a)",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], [-0.5, 1.5])],
        |x| x[0].lerp(x[1], x[2]),
    ),
    op(
        "addcmul",
        "composed",
        "x + v a b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], AROUND)],
        |x| x[0].addcmul(x[1], x[2], 0.7),
    ),
    op(
        "addcdiv",
        "composed",
        "x + v a / b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], [0.4, 3.0])],
        |x| x[0].addcdiv(x[1], x[2], 0.7),
    ),
    op("outer", "composed", "aᵢ bⱼ", &[Floats(&[3], AROUND), Floats(&[4], AROUND)], |x| {
        x[0].outer(x[1])
    })
    .torch("outer, ger"),
    op("inner", "composed", "Σ aᵢₖ bⱼₖ", &[CUBE, Floats(&[2, 4], AROUND)], |x| {
        x[0].inner(x[1])
    }),
    op("dot", "composed", "Σ aᵢ bᵢ", &[Floats(&[3], AROUND), Floats(&[3], AROUND)], |x| {
        x[0].dot(x[1])
    })
    .torch("dot, vdot"),
    op(
        "addmm",
        "composed",
        "β x + α a b",
        &[Floats(&[4], AROUND), Floats(&[2, 3], AROUND), Floats(&[3, 4], AROUND)],
        |x| x[0].addmm(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addmv",
        "composed",
        "β x + α a v",
        &[Floats(&[2], AROUND), Floats(&[2, 3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].addmv(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addr",
        "composed",
        "β x + α a bᵀ",
        &[Floats(&[2, 1], AROUND), Floats(&[2], AROUND), Floats(&[3], AROUND)],
        |x| x[0].addr(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "baddbmm",
        "composed",
        "β x + α a b",
        &[Floats(&[2, 4], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2, 3, 4], AROUND)],
        |x| x[0].baddbmm(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addbmm",
        "composed",
        "β x + α Σ a b",
        &[Floats(&[2, 4], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2, 3, 4], AROUND)],
        |x| x[0].addbmm(x[1], x[2], 0.7, 1.3),
    ),
];
