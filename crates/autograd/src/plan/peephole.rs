//! Peephole fusion: superinstructions, micro-ops that absorb what nobody else reads. Two cheap ops
//! in one pass over a tile store nothing in between, and pay once for starting.
//!
//! Each computes what its parts do, bit for bit. The tables say which ops are absorbed by which.

use lossgraph_tensor::kernels::{Map2, Map3};
use lossgraph_tensor::program::{Extent, NARROW};
use lossgraph_tensor::{map2, map3};
use smallvec::SmallVec;

use super::analysis::{Access, Analysis, Pattern, Reads};
use super::fusion::{FusionGroup, GroupValue};
use crate::ops::arithmetic::SQUARE;
use crate::ops::binary::{ADD, Binary, BinaryOp, MUL, SUB};
use crate::ops::elementary::EXP;
use crate::ops::facts::Arithmetic;
use crate::ops::op::{Op, RowRef};
use crate::ops::unary::{Unary, UnaryOp};
use crate::record::node::{FxHashMap, FxHashSet, Id};

/// A binary op on the result of another.
pub(crate) struct Pair {
    pub inner: &'static Binary,
    pub outer: &'static Binary,
    /// The operand of `outer` that `inner` is, if it is not any.
    pub side: Option<usize>,
    /// a and b are the operands of `inner`, c is the other one of `outer`.
    pub formula: &'static str,
    pub kernel: Map3,
}

/// Rows of the table of pairs.
macro_rules! pairs {
    ($($inner:ident $outer:ident $side:expr, $formula:literal, |$x:ident, $y:ident, $z:ident| $value:expr;)*) => {
        [$(Pair {
            inner: &$inner,
            outer: &$outer,
            side: $side,
            formula: $formula,
            kernel: map3!(|$x, $y, $z| $value),
        }),*]
    };
}

pub(crate) static PAIRS: [Pair; 10] = pairs! {
    MUL ADD None, "a·b + c", |a, b, c| a * b + c;
    MUL SUB Some(0), "a·b − c", |a, b, c| a * b - c;
    MUL SUB Some(1), "c − a·b", |a, b, c| c - a * b;
    MUL MUL None, "a·b·c", |a, b, c| a * b * c;
    ADD ADD None, "a + b + c", |a, b, c| a + b + c;
    ADD SUB Some(0), "a + b − c", |a, b, c| a + b - c;
    ADD MUL None, "(a + b)·c", |a, b, c| (a + b) * c;
    SUB ADD None, "a − b + c", |a, b, c| a - b + c;
    SUB SUB Some(0), "a − b − c", |a, b, c| a - b - c;
    SUB MUL None, "(a − b)·c", |a, b, c| (a - b) * c;
};

/// A unary op on the result of a binary one.
pub(super) struct UnaryOfBinary {
    inner: &'static Binary,
    outer: &'static Unary,
    /// a and b are the operands of `inner`.
    pub formula: &'static str,
    pub kernel: Map2,
}

/// What every softmax does to its logits and their largest.
static UNARY_OF_BINARY: [UnaryOfBinary; 1] = [UnaryOfBinary {
    inner: &SUB,
    outer: &EXP,
    formula: "exp(a − b)",
    kernel: map2!(specialized: |x, y| (x - y).exp()),
}];

pub(super) type Read = (Access, Extent);

/// A micro-op that computes a value together with values that only it reads.
pub(super) enum Superinstruction {
    /// A sum or difference that adds one element in each row, which the scatter with this number
    /// would have placed.
    Scatter {
        scatter: Id,
        onto: Read,
        added: Read,
    },
    UnaryOfBinary(&'static UnaryOfBinary, [Read; 2]),
    Pair(&'static Pair, [Read; 3]),
    /// `a·s + b·t`, or `a·s − b·t`.
    Weighted([Read; 4]),
    /// `m ? a·s : 0`, for `[a, s, m]`.
    MaskedProduct([Read; 3]),
    /// The sum of two of them.
    MaskedWeighted([[Read; 3]; 2]),
}

/// The superinstructions of a group, and the values that they absorb.
pub(super) struct Peephole {
    pub fused: FxHashMap<GroupValue, Superinstruction>,
    pub absorbed: FxHashSet<GroupValue>,
}

impl Peephole {
    pub fn of(analysis: &Analysis<'_>, group: &FusionGroup) -> Peephole {
        let mut peephole = Peephole { fused: FxHashMap::default(), absorbed: FxHashSet::default() };
        let search = Search { analysis, group, readers: readers(group) };
        for &value in &group.values {
            if let Some((fused, absorbed)) = search.superinstruction(value, &peephole) {
                peephole.fused.insert(value, fused);
                peephole.absorbed.extend(absorbed);
            }
        }
        peephole
    }
}

/// The nodes that read each node, in one extent or another.
fn readers(group: &FusionGroup) -> FxHashMap<Id, SmallVec<[Id; 2]>> {
    let mut readers: FxHashMap<Id, SmallVec<[Id; 2]>> = FxHashMap::default();
    for ((reader, _), reads) in &group.reads {
        for (access, _) in reads {
            if let Access::Inline(x) = *access {
                readers.entry(x).or_default().push(*reader);
            }
        }
    }
    readers
}

struct Search<'p, 'a> {
    analysis: &'p Analysis<'a>,
    group: &'p FusionGroup,
    readers: FxHashMap<Id, SmallVec<[Id; 2]>>,
}

type Found = (Superinstruction, SmallVec<[GroupValue; 2]>);

impl Search<'_, '_> {
    fn superinstruction(&self, value: GroupValue, found: &Peephole) -> Option<Found> {
        let reads = &self.group.reads[&value];
        match &self.analysis.node(value.0).op {
            Op::Unary(UnaryOp { row, .. }) => {
                let of = UNARY_OF_BINARY.iter().find(|of| RowRef(of.outer) == *row)?;
                let x = self.single_use(reads[0], value.1, found)?;
                let operands = self.operands(x, of.inner)?;
                let fused = Superinstruction::UnaryOfBinary(of, [operands[0], operands[1]]);
                Some((fused, SmallVec::from_iter([x])))
            }
            Op::Binary(BinaryOp(row)) => self
                .scatter(row.0, reads, value.1)
                .or_else(|| self.weighted(row.0, reads, value.1, found))
                .or_else(|| self.masked_weighted(row.0, reads, value.1, found))
                .or_else(|| self.pair(row.0, reads, value, found)),
            Op::Select(_) => self.masked_product(reads, value.1, found),
            _ => None,
        }
    }

    /// A value that only one micro-op reads, with the same extent, and that is not part of another.
    fn single_use(
        &self,
        (access, extent): Read,
        of: Extent,
        found: &Peephole,
    ) -> Option<(Id, Extent)> {
        let Access::Inline(id) = access else { return None };
        let single = self.is_read_once(id);
        let free = !found.fused.contains_key(&(id, extent));
        (single && free && extent == of).then_some((id, extent))
    }

    /// The operands of a value that is the result of a binary op; a square is a product.
    fn operands(&self, value: GroupValue, row: &'static Binary) -> Option<Reads> {
        let reads = &self.group.reads[&value];
        let is_product = RowRef(row) == RowRef(&MUL);
        match &self.analysis.node(value.0).op {
            Op::Binary(BinaryOp(of)) if *of == RowRef(row) => Some(reads.clone()),
            Op::Unary(UnaryOp { row: of, .. }) if is_product && *of == RowRef(&SQUARE) => {
                Some([reads[0], reads[0]].into_iter().collect())
            }
            _ => None,
        }
    }

    /// A scatter that a sum, or a difference that subtracts it, absorbs.
    fn scatter(&self, row: &'static Binary, reads: &Reads, extent: Extent) -> Option<Found> {
        let sides: &[usize] = match row.facts.arithmetic {
            Some(Arithmetic::Sum) => &[0, 1],
            Some(Arithmetic::Difference) => &[1],
            _ => &[],
        };
        sides.iter().find_map(|&side| {
            let Access::Inline(id) = reads[side].0 else { return None };
            let scatters = self.analysis.pattern(id) == Pattern::Scatter && extent == Extent::Full;
            (scatters && self.is_read_once(id)).then(|| {
                let (scatter, onto) = ((id, reads[side].1), reads[1 - side]);
                let added = self.group.reads[&scatter][0];
                (
                    Superinstruction::Scatter { scatter: id, onto, added },
                    SmallVec::from_iter([scatter]),
                )
            })
        })
    }

    /// The sum or difference of two tiles, each times what is one number in a row.
    fn weighted(
        &self,
        row: &'static Binary,
        reads: &Reads,
        extent: Extent,
        found: &Peephole,
    ) -> Option<Found> {
        let additive =
            matches!(row.facts.arithmetic, Some(Arithmetic::Sum | Arithmetic::Difference));
        if !additive || extent != Extent::Full {
            return None;
        }
        let [left, right] = [reads[0], reads[1]].map(|read| self.product(read, extent, found));
        let ((left, [a, s]), (right, [b, t])) = left.zip(right)?;
        Some((Superinstruction::Weighted([a, s, b, t]), SmallVec::from_iter([left, right])))
    }

    /// A tile times what is one number in a row, where the mask of the row is set, and else 0.
    fn masked_product(&self, reads: &Reads, extent: Extent, found: &Peephole) -> Option<Found> {
        let zero = matches!(reads[2].0, Access::Constant(number) if number.to_bits() == 0);
        if extent != Extent::Full || !zero || !self.is_number(&reads[0]) {
            return None;
        }
        let (product, [a, s]) = self.product(reads[1], extent, found)?;
        let fused = Superinstruction::MaskedProduct([a, s, reads[0]]);
        Some((fused, SmallVec::from_iter([product])))
    }

    /// The sum of two masked products.
    fn masked_weighted(
        &self,
        row: &'static Binary,
        reads: &Reads,
        extent: Extent,
        found: &Peephole,
    ) -> Option<Found> {
        if row.facts.arithmetic != Some(Arithmetic::Sum) {
            return None;
        }
        let masked = |(access, of): Read| {
            let Access::Inline(id) = access else { return None };
            let product = match found.fused.get(&(id, of))? {
                Superinstruction::MaskedProduct(product) => *product,
                _ => return None,
            };
            (of == extent && self.is_read_once(id)).then_some(((id, of), product))
        };
        let ((left, first), (right, second)) = masked(reads[0]).zip(masked(reads[1]))?;
        let fused = Superinstruction::MaskedWeighted([first, second]);
        Some((fused, SmallVec::from_iter([left, right])))
    }

    /// A tile and what is one number in a row, of whose product a value is the only reader.
    fn product(
        &self,
        read: Read,
        extent: Extent,
        found: &Peephole,
    ) -> Option<(GroupValue, [Read; 2])> {
        let product = self.single_use(read, extent, found)?;
        let factors = self.operands(product, &MUL)?;
        let side = factors.iter().position(|factor| self.is_number(factor))?;
        let x = factors[1 - side];
        (x.1 == Extent::Full).then_some((product, [x, factors[side]]))
    }

    /// Whether a micro-op reads one number in a row.
    fn is_number(&self, read: &Read) -> bool {
        match read.1 {
            Extent::One => true,
            Extent::Rows => self.group.space.columns >= NARROW,
            Extent::Full | Extent::Columns => false,
        }
    }

    /// Whether one node of this group alone reads a value, and nobody outside.
    fn is_read_once(&self, id: Id) -> bool {
        self.readers[&id].len() == 1 && !self.group.outputs.contains(&id)
    }

    /// A binary op on the result of another.
    fn pair(
        &self,
        row: &'static Binary,
        reads: &Reads,
        (id, extent): (Id, Extent),
        found: &Peephole,
    ) -> Option<Found> {
        // What only a sum reads is summed without being stored, but not where an operand is a
        // number: then the sum absorbs the last op alone.
        let sums = |id: &Id| {
            matches!(self.analysis.pattern(*id), Pattern::ReduceRow(_) | Pattern::ReduceAll(_))
        };
        let readers = self.readers.get(&id);
        let summed = readers.is_some_and(|readers| readers.len() == 1 && sums(&readers[0]));
        (0..2).find_map(|side| {
            let inner = self.single_use(reads[side], extent, found)?;
            let mut fitting = PAIRS.iter().filter(|pair| {
                RowRef(pair.outer) == RowRef(row) && pair.side.is_none_or(|at| at == side)
            });
            fitting.find_map(|pair| {
                let x = self.operands(inner, pair.inner)?;
                let commutes = pair.inner.commutes;
                // The first operand has an element at each point.
                let [x, y] = match [x[0].1, x[1].1] {
                    [first, _] if first == extent => [x[0], x[1]],
                    [_, second] if second == extent && commutes => [x[1], x[0]],
                    _ => return None,
                };
                let operands = [x, y, reads[1 - side]];
                let tiled = |(_, extent): &Read| matches!(extent, Extent::Full | Extent::Columns);
                let fits = !summed || operands.iter().all(tiled);
                fits.then(|| (Superinstruction::Pair(pair, operands), SmallVec::from_iter([inner])))
            })
        })
    }
}
