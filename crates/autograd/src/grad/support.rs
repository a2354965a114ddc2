//! The support of a cotangent: where a choice lets it be other than 0.
//!
//! What is not chosen has slope 0, however steep it is. A product does not know that: 0 times an
//! infinite slope is NaN. So a cotangent that came through a choice carries the mask of it on its
//! way, and is held to it once more where it leaves the element-wise ops.

use smallvec::SmallVec;

use crate::ops::combine;
use crate::ops::op::Op;
use crate::record::node::Id;
use crate::record::var::Var;

/// A cotangent on its way.
#[derive(Clone, Copy)]
pub(crate) struct Cotangent<'t> {
    pub var: Var<'t>,
    /// Where it may be other than 0, if a choice has a say in it.
    pub support: Option<Support<'t>>,
    /// Whether it was multiplied by what may be infinite since it was held to its support.
    rough: bool,
}

/// Where a mask is not 0, or where it is.
#[derive(Clone, Copy)]
pub(crate) struct Support<'t> {
    mask: Var<'t>,
    side: Side,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Chosen,
    Other,
}

impl<'t> Cotangent<'t> {
    /// A cotangent that no choice has a say in.
    pub fn new(var: Var<'t>) -> Cotangent<'t> {
        Cotangent { var, support: None, rough: false }
    }

    /// What came in at a node. A single cotangent is taken as it is, several are held to their
    /// supports before they are added up.
    #[track_caller]
    pub fn total(all: &[Cotangent<'t>]) -> Option<Cotangent<'t>> {
        if let &[one] = all {
            return Some(one);
        }
        let vars: SmallVec<[Var<'t>; 2]> = all.iter().map(|each| each.held().var).collect();
        let var = combine::total(&vars)?;
        let supports = all.iter().map(|each| each.support);
        let union = supports.reduce(|all, more| all.zip(more).and_then(|(a, b)| a.or(b))).flatten();
        Some(Cotangent { support: union, ..Cotangent::new(var) })
    }

    /// The same, 0 wherever its support says so.
    #[track_caller]
    pub fn held(self) -> Cotangent<'t> {
        match self.support {
            Some(Support { mask, side: Side::Chosen }) if self.rough => {
                Cotangent { var: mask.select(self.var, 0.0), rough: false, ..self }
            }
            Some(Support { mask, side: Side::Other }) if self.rough => {
                Cotangent { var: mask.select(0.0, self.var), rough: false, ..self }
            }
            _ => self,
        }
    }

    /// The cotangent of an operand of an element-wise op, which a rule gave for this one.
    #[track_caller]
    pub fn through_map(self, var: Var<'t>, finite: &mut FiniteFactors<'t>) -> Cotangent<'t> {
        let rough = self.support.is_some() && (self.rough || !finite.lead_to(var));
        let given = Cotangent { var, support: self.support, rough };
        match (self.support, Support::of_choice(var)) {
            (_, None) => given,
            (None, support) => Cotangent { support, ..given },
            (Some(a), Some(b)) if a.is(b) => Cotangent { rough: false, ..given },
            (Some(a), Some(b)) => Cotangent { support: Some(a.and(b)), ..given.held() },
        }
    }

    /// The cotangent of an operand of any other op; `mask` gives what the rule makes of a support.
    /// It is lost where the rule reads other numbers than cotangents, as that of a product of
    /// matrices does.
    #[track_caller]
    pub fn through(
        self,
        var: Var<'t>,
        finite: &mut FiniteFactors<'t>,
        mask: impl FnOnce(Support<'t>) -> Option<Var<'t>>,
    ) -> Cotangent<'t> {
        let here = self.support.filter(|_| finite.lead_to(var));
        let mask = here.and_then(mask);
        let support = mask.map(|mask| Support { mask, side: Side::Chosen });
        Cotangent { support, ..Cotangent::new(var) }
    }
}

impl<'t> Support<'t> {
    /// That of a cotangent which is a choice between a cotangent and 0.
    fn of_choice(var: Var<'t>) -> Option<Support<'t>> {
        let recording = var.tape().recording();
        let node = &recording.nodes[var.id() as usize];
        let (Op::Select(_), &[mask, a, b]) = (&node.op, &node.inputs[..]) else { return None };
        let is_zero =
            |id: Id| matches!(recording.nodes[id as usize].op, Op::Fill(n) if n.to_f64() == 0.0);
        let side = match [is_zero(a), is_zero(b)] {
            [false, true] => Side::Chosen,
            [true, false] => Side::Other,
            _ => return None,
        };
        Some(Support { mask: Var::new(var.tape(), mask), side })
    }

    fn is(self, other: Support<'t>) -> bool {
        self.mask.id() == other.mask.id() && self.side == other.side
    }

    /// 1 where it is, else 0.
    #[track_caller]
    pub fn indicator(self) -> Var<'t> {
        match self.side {
            Side::Chosen => self.mask.ne(0.0),
            Side::Other => self.mask.eq(0.0),
        }
    }

    #[track_caller]
    fn and(self, other: Support<'t>) -> Support<'t> {
        Support { mask: self.indicator() * other.indicator(), side: Side::Chosen }
    }

    /// Where one of both is; `None` for everywhere.
    #[track_caller]
    fn or(self, other: Support<'t>) -> Option<Support<'t>> {
        if self.is(other) {
            return Some(self);
        }
        let all = self.mask.id() == other.mask.id();
        let mask = || self.indicator() + other.indicator();
        (!all).then(|| Support { mask: mask(), side: Side::Chosen })
    }
}

/// Which nodes a rule made of a cotangent without a factor that may be infinite: they read other
/// numbers through comparisons only.
pub(crate) struct FiniteFactors<'t> {
    g: Var<'t>,
    /// The first node that the rule recorded.
    from: Id,
    /// The answers for the nodes from there on, as far as they were asked for.
    known: SmallVec<[bool; 8]>,
}

impl<'t> FiniteFactors<'t> {
    /// For a rule that is applied to `g`, before it records anything.
    pub fn before(g: Var<'t>) -> FiniteFactors<'t> {
        FiniteFactors { g, from: g.tape().len() as Id, known: SmallVec::new() }
    }

    /// Whether `given` was made so.
    fn lead_to(&mut self, given: Var<'t>) -> bool {
        let (g, from) = (self.g.id(), self.from);
        if given.id() < from {
            return given.id() == g;
        }
        let recording = self.g.tape().recording();
        for id in from + self.known.len() as Id..=given.id() {
            let node = &recording.nodes[id as usize];
            let reads =
                |i: usize| node.op.is_differentiable_in(i) || matches!(node.op, Op::Detach(_));
            let is_fine = |(i, &input): (usize, &Id)| match &recording.nodes[input as usize].op {
                _ if input == g || !reads(i) => true,
                _ if input >= from => self.known[(input - from) as usize],
                Op::Fill(number) => number.to_f64().is_finite(),
                _ => false,
            };
            let all = node.inputs.iter().enumerate().all(is_fine);
            let infinite = matches!(node.op, Op::Fill(number) if !number.to_f64().is_finite());
            self.known.push(all && !infinite);
        }
        self.known[(given.id() - from) as usize]
    }
}
