//! Attention: composed.

use lossgraph_tensor::keep;

use super::table::{AROUND, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// Which keys a query attends to.
#[derive(Clone, Copy, Debug, Default)]
pub enum AttentionMask<'t> {
    /// All keys.
    #[default]
    None,
    /// Those that do not come after the query: key `j` of query `i` if `j ≤ i`.
    #[doc(alias = "is_causal")]
    Causal,
    /// Those where this is not 0: PyTorch's mask of booleans, what a comparison gives here.
    Keep(Var<'t>),
    /// This is added to the scores: PyTorch's mask of floats. −∞ leaves a key out.
    Add(Var<'t>),
}

/// The options of attention. An [`AttentionMask`] alone stands for it with all other defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attention<'t> {
    /// Which keys a query attends to.
    pub mask: AttentionMask<'t>,
    /// What scores are multiplied with; `1/√features` if it is not given.
    pub scale: Option<f64>,
    /// What the weights are multiplied with, such as what a layer of dropout makes of ones: 0 where a
    /// weight is dropped, else `1/(1 − p)`. It broadcasts to `[…, queries, keys]`.
    #[doc(alias = "dropout_p")]
    pub dropout: Option<Var<'t>>,
    /// Whether there may be fewer heads of keys and values than of queries, along the third axis from
    /// the end: so many heads of queries that follow one another then share one.
    #[doc(alias = "enable_gqa")]
    pub grouped: bool,
}

impl<'t> From<AttentionMask<'t>> for Attention<'t> {
    fn from(mask: AttentionMask<'t>) -> Attention<'t> {
        Attention { mask, ..Attention::default() }
    }
}

impl<'t> Var<'t> {
    /// Attention of these queries `Q`: for each query the mean of the values, weighted by how well
    /// their keys fit.
    ///
    /// ```text
    /// (softmax(scale · Q Kᵀ + mask) · dropout) V
    /// ```
    ///
    /// The queries are `[…, queries, features]`, the keys `[…, keys, features]`, the values
    /// `[…, keys, size]`, the result `[…, queries, size]`; the axes before are a batch, heads among
    /// them, and broadcast. A mask broadcasts to `[…, queries, keys]`.
    ///
    /// A query that a mask leaves no key has the result 0, and slope 0, as in PyTorch.
    ///
    /// ```
    /// use lossgraph_autograd::{AttentionMask, Tape};
    ///
    /// let tape = Tape::f64();
    /// let (q, k) = (tape.variable([[1.0], [0.0]]), tape.constant([[0.0], [0.0]]));
    /// let v = tape.constant([[2.0], [4.0]]);
    /// let all = q.scaled_dot_product_attention(k, v, AttentionMask::None);
    /// assert_eq!(all.value()?.to_f64s(), [3.0, 3.0]);
    /// let before = q.scaled_dot_product_attention(k, v, AttentionMask::Causal);
    /// assert_eq!(before.value()?.to_f64s(), [2.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: queries, keys, values or a mask that do not fit.
    ///
    /// # Source
    /// Vaswani et al., Attention Is All You Need, 2017.
    #[doc(alias = "attention")]
    #[track_caller]
    pub fn scaled_dot_product_attention(
        self,
        keys: Var<'t>,
        values: Var<'t>,
        options: impl Into<Attention<'t>>,
    ) -> Var<'t> {
        const NAME: &str = "scaled_dot_product_attention";
        let _call = self.tape().call(NAME);
        let [keys, values] = [keys, values].map(|x| self.admit(NAME, x));
        let Attention { mask, scale, dropout, grouped } = options.into();
        let given = match mask {
            AttentionMask::Keep(mask) | AttentionMask::Add(mask) => Some(self.admit(NAME, mask)),
            _ => None,
        };
        let dropout = dropout.map(|dropout| self.admit(NAME, dropout));
        let all = [Some(self), Some(keys), Some(values), given, dropout];
        if let Some(faulty) = all.into_iter().flatten().find(|x| x.is_faulty()) {
            return faulty;
        }
        let refuse = |why: &str, cure: &str| {
            let fault = Fault::new(NAME, why).operand("queries", self).operand("keys", keys);
            let fault = fault.operand("values", values);
            let fault = given.map_or(fault.clone(), |mask| fault.operand("mask", mask));
            let fault = dropout.map_or(fault.clone(), |factors| fault.operand("dropout", factors));
            self.tape().fault(fault.cure(cure))
        };
        let features = self.dim(-1);
        if [self, keys, values].iter().any(|x| x.rank() < 2) {
            return refuse("each has at least two axes", "x.unsqueeze(0) of a single vector");
        }
        if keys.dim(-1) != features {
            let cure = format!("keys of […, keys, {features}]");
            return refuse("the keys have not as many features as the queries", &cure);
        }
        if values.dim(-2) != keys.dim(-2) {
            return refuse("there is not one value for each key", "as many rows of both");
        }
        let [keys, values] = match grouped && self.rank() > 2 {
            false => [keys, values],
            true => {
                let heads = self.dim(-3);
                let few = [keys, values].map(|x| if x.rank() > 2 { x.dim(-3) } else { 1 });
                if few.iter().any(|&few| few == 0 || !heads.is_multiple_of(few)) {
                    let cure =
                        "heads of queries that are a multiple of those of keys and of values";
                    return refuse("the heads of queries are not shared evenly", cure);
                }
                let shared = |x: Var<'t>, few: usize| match few {
                    1 => x,
                    _ => x.repeat_interleave(heads / few, -3),
                };
                [shared(keys, few[0]), shared(values, few[1])]
            }
        };
        let queries = self.to_float() * scale.unwrap_or(1.0 / (features as f64).sqrt());
        let scores = queries.matmul(keys.t());
        if scores.is_faulty() {
            return scores;
        }
        let fits = |mask: &Var<'t>| {
            mask.shape().broadcast(&scores.shape()).as_ref() == Some(&scores.shape())
        };
        if given.is_some_and(|mask| !fits(&mask)) {
            let cure = format!("a mask that broadcasts to {}", scores.shape());
            return refuse("the mask has not one number for each query and key", &cure);
        }
        let weights = match mask {
            AttentionMask::None => scores.softmax(-1),
            AttentionMask::Causal => {
                let number = |n: usize| self.tape().fill([n], 1.0).cumsum(0);
                let [i, j] = [number(scores.dim(-2)).unsqueeze(1), number(scores.dim(-1))];
                j.le(i).select(scores, f64::NEG_INFINITY).softmax(-1)
            }
            AttentionMask::Keep(mask) => {
                mask.select(scores, f64::NEG_INFINITY).softmax_or_nothing()
            }
            AttentionMask::Add(mask) => (scores + mask).softmax_or_nothing(),
        };
        let kept = match dropout {
            None => weights,
            Some(dropout) if fits(&dropout) => weights * dropout,
            Some(_) => {
                let cure = format!("a dropout that broadcasts to {}", scores.shape());
                return refuse("the dropout has not one factor for each weight", &cure);
            }
        };
        kept.matmul(values)
    }

    /// The softmax along the last axis; 0 where everything is −∞.
    #[track_caller]
    fn softmax_or_nothing(self) -> Var<'t> {
        if self.dim(-1) == 0 {
            return self;
        }
        let nothing = self.max(keep(-1)).eq(f64::NEG_INFINITY);
        nothing.select(0.0, nothing.select(0.0, self).softmax(-1))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[op(
    "scaled_dot_product_attention",
    "composed",
    "softmax(Q Kᵀ/√n) V",
    &[
        Floats(&[2, 3, 4], AROUND),
        Floats(&[2, 5, 4], AROUND),
        Floats(&[5, 2], AROUND),
        Floats(&[3, 5], AROUND),
    ],
    |x| x[0].scaled_dot_product_attention(x[1], x[2], AttentionMask::Add(x[3])),
)];
