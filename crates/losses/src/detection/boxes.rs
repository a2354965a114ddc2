//! Pairs of boxes, and how they lie to each other: what all losses of boxes share.

use lossgraph_autograd::{Fault, Var};

use crate::catalogue::{Domain, Invariance, N, Numbers, Sample, input};
use crate::check::{Unequal, demand, pair};
use crate::terms::Terms;

/// The corners x1, y1, x2, y2 of predicted boxes and of targets, and what all losses of them need.
pub(super) struct Boxes<'t> {
    p: [Var<'t>; 4],
    t: [Var<'t>; 4],
    /// What sides are divided by.
    scale: Var<'t>,
    /// The area that both cover.
    intersection: Var<'t>,
    /// The area that at least one covers.
    pub union: Var<'t>,
    /// What is added to areas that divide.
    pub eps: Var<'t>,
}

/// The terms of a loss: `each` gives one for each pair of boxes.
#[track_caller]
pub(super) fn terms<'t>(
    loss: &str,
    prediction: Var<'t>,
    target: Var<'t>,
    eps: f64,
    each: impl FnOnce(Boxes<'t>) -> Var<'t>,
) -> Terms<'t> {
    prediction.tape().named_call(loss, || {
        let (p, t) = pair(loss, prediction, target, Unequal::Refuse);
        let fits = p.rank() > 0 && p.dim(-1) == 4;
        let why = || format!("boxes are […, 4]: x1, y1, x2, y2, given {}", p.shape());
        let p = demand(loss, fits, why, p);
        let why = || format!("eps is {eps}, expected a number from 0");
        let p = demand(loss, eps >= 0.0 && eps.is_finite(), why, p);
        let (p, t) = (in_order(loss, "prediction", p), in_order(loss, "target", t));
        Terms::new(each(Boxes::new(p, t, eps)))
    })
}

/// `boxes`, if those that are data have finite corners in order, else a fault. What is NaN stays NaN.
#[track_caller]
fn in_order<'t>(loss: &str, name: &str, boxes: Var<'t>) -> Var<'t> {
    let data = boxes.data();
    let mut numbers = data.iter().flat_map(|data| data.iter_f64());
    let each = std::iter::from_fn(|| {
        let mut corner = || numbers.next();
        Some([corner()?, corner()?, corner()?, corner()?])
    });
    let is_none = |b: &[f64; 4]| b.iter().any(|x| x.is_infinite()) || b[2] < b[0] || b[3] < b[1];
    match each.into_iter().find(is_none) {
        None => boxes,
        Some(b) => {
            let why = format!(
                "{name} holds the box {b:?}, expected finite corners with x1 ≤ x2 and y1 ≤ y2"
            );
            boxes.tape().fault(Fault::new(loss, why).operand(name, boxes))
        }
    }
}

/// Width and height.
#[track_caller]
fn sides<'t>([x1, y1, x2, y2]: [Var<'t>; 4]) -> [Var<'t>; 2] {
    [x2 - x1, y2 - y1]
}

/// Width and height of the smallest box around two.
#[track_caller]
fn enclosing<'t>(p: [Var<'t>; 4], t: [Var<'t>; 4]) -> [Var<'t>; 2] {
    sides([p[0].minimum(t[0]), p[1].minimum(t[1]), p[2].maximum(t[2]), p[3].maximum(t[3])])
}

impl<'t> Boxes<'t> {
    /// Nothing changes if sides are divided by a number, and `eps` by its square; so no area
    /// overflows.
    #[track_caller]
    fn new(p: Var<'t>, t: Var<'t>, eps: f64) -> Boxes<'t> {
        let tape = p.tape();
        let ([p, t], scale, eps) = tape.scope("boxes", || {
            let [p, t] = [p, t].map(|x| [0, 1, 2, 3].map(|corner| x.index(-1, corner)));
            let [width, height] = enclosing(p, t);
            let longest = width.maximum(height).detach();
            let scale =
                longest.lt(f64::INFINITY).select(longest / 1e15, 1.0).clamp(1.0, f64::INFINITY);
            ([p, t], scale, eps / scale.square())
        });
        let scaled = |[x1, y1, x2, y2]: [Var<'t>; 4]| [(x2 - x1) / scale, (y2 - y1) / scale];
        let intersection = tape.scope("intersection", || {
            let [x1, y1] = [p[0].maximum(t[0]), p[1].maximum(t[1])];
            let [x2, y2] = [p[2].minimum(t[2]), p[3].minimum(t[3])];
            let [width, height] = scaled([x1, y1, x2, y2]);
            width.relu() * height.relu()
        });
        let union = tape.scope("union", || {
            let [p, t] = [p, t].map(|corners| {
                let [width, height] = scaled(corners);
                width * height
            });
            p + t - intersection
        });
        Boxes { p, t, scale, intersection, union, eps }
    }

    /// Width and height.
    #[track_caller]
    fn sides(&self, corners: [Var<'t>; 4]) -> [Var<'t>; 2] {
        sides(corners).map(|side| side / self.scale)
    }

    /// The intersection as a part of the union.
    #[track_caller]
    pub fn iou(&self) -> Var<'t> {
        self.p[0].tape().scope("iou", || self.intersection / (self.union + self.eps))
    }

    /// Width and height of the smallest box around both.
    #[track_caller]
    fn around(&self) -> [Var<'t>; 2] {
        enclosing(self.p, self.t).map(|side| side / self.scale)
    }

    /// The area of the smallest box around both.
    #[track_caller]
    pub fn hull(&self) -> Var<'t> {
        self.p[0].tape().scope("hull", || {
            let [width, height] = self.around();
            width * height
        })
    }

    /// The squared distance of the centers by the squared diagonal around both.
    #[track_caller]
    pub fn apart(&self) -> Var<'t> {
        let (p, t) = (self.p, self.t);
        let center = |i: usize| (p[i] + p[i + 2] - t[i] - t[i + 2]) / self.scale * 0.5;
        p[0].tape().scope("distance of centers", || {
            let [width, height] = self.around();
            let distance = center(0).square() + center(1).square();
            distance / (width.square() + height.square() + self.eps)
        })
    }

    /// The angles of the diagonals of prediction and target, from the vertical.
    #[track_caller]
    pub fn angles(&self) -> [Var<'t>; 2] {
        // Not the arctangent of a quotient, which has no slope at height 0.
        [self.p, self.t].map(|corners| {
            let [width, height] = self.sides(corners);
            width.atan2(height)
        })
    }
}

/// Boxes that overlap, that hold one another, that cross, and that are apart.
pub(super) const INPUTS: [Sample; 2] = [
    input(
        "prediction",
        &[N, 4],
        Domain::Floats(&[
            0.0, 0.1, 2.0, 1.6, //
            0.3, 0.2, 3.1, 2.9, //
            1.0, 0.5, 2.0, 3.5, //
            0.0, 0.0, 1.0, 1.2,
        ]),
    ),
    input(
        "target",
        &[N, 4],
        Domain::Floats(&[
            0.9, 0.7, 2.7, 2.2, //
            1.1, 0.9, 2.3, 1.4, //
            0.2, 1.3, 2.6, 2.2, //
            1.7, 2.1, 3.0, 2.8,
        ]),
    ),
];

pub(super) const INVARIANCES: &[Invariance] = &[Invariance::Order(&["prediction", "target"])];

/// A pair of boxes as plain numbers.
pub(super) struct Plain {
    pub intersection: f64,
    pub union: f64,
    /// Width and height of the box around both.
    pub around: [f64; 2],
    /// The squared diagonal of the box around both.
    pub diagonal: f64,
    /// The squared distance of the centers.
    pub apart: f64,
    /// Width by height, of prediction and target.
    pub proportions: [f64; 2],
}

/// The terms of plain numbers: `each` gives one for each pair of boxes.
pub(super) fn naive(x: &Numbers<'_>, each: impl Fn(Plain) -> f64) -> Vec<f64> {
    let pair = |(p, t): (&[f64], &[f64])| {
        // What two intervals have in common, from start to end.
        let common = |i: usize| (p[i + 2].min(t[i + 2]) - p[i].max(t[i])).max(0.0);
        let both = |i: usize| p[i + 2].max(t[i + 2]) - p[i].min(t[i]);
        let area = |b: &[f64]| (b[2] - b[0]) * (b[3] - b[1]);
        let center = |b: &[f64], i: usize| (b[i] + b[i + 2]) / 2.0;
        let intersection = common(0) * common(1);
        each(Plain {
            intersection,
            union: area(p) + area(t) - intersection,
            around: [both(0), both(1)],
            diagonal: both(0).powi(2) + both(1).powi(2),
            apart: (0..2).map(|i| (center(p, i) - center(t, i)).powi(2)).sum(),
            proportions: [p, t].map(|b| (b[2] - b[0]) / (b[3] - b[1])),
        })
    };
    x.rows("prediction").into_iter().zip(x.rows("target")).map(pair).collect()
}
