//! Sorting and selecting along an axis.
//!
//! An element and its index are packed into one integer, in whose order elements are sorted: equal
//! elements by their index, and NaN as the largest. So every sort is stable, the fastest sorts and
//! selections of integers do, and results do not depend on how they go about it.

use super::threads::parallel_chunks_mut;
use super::{CHUNK, borrowed, copied, is_nan, outer_dim_inner, output};
use crate::{DType, Elem, Result, Tensor};

/// The order of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The largest first.
    Descending,
}

/// Which elements of a sorted line are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranks<'a> {
    /// All of them.
    All,
    /// Those at these ranks, counted from 0; NaN counts as the largest.
    At(&'a [usize]),
    /// Those at these ranks; in a line with a NaN, the first NaN for each of them.
    AtUnlessNan(&'a [usize]),
    /// The middle of those that are not NaN, the lower one of two; in a line of NaNs, the first.
    MiddleOfNumbers,
}

impl Ranks<'_> {
    /// How many there are in a line.
    fn count(self, line: usize) -> usize {
        match self {
            Ranks::All => line,
            Ranks::At(ranks) | Ranks::AtUnlessNan(ranks) => ranks.len(),
            Ranks::MiddleOfNumbers => 1,
        }
    }
}

/// The indices that sort the elements along an axis: `x[out[0]]` comes first. The sort is stable,
/// and NaN counts as the largest.
pub fn arg_sort(x: &Tensor, axis: usize, order: Order, out: &mut Tensor) -> Result<()> {
    arg_ranks(x, axis, order, Ranks::All, out)
}

/// The indices, along an axis, of the elements that have these ranks when they are sorted, in the
/// order of `ranks`; ranks are below the length of the axis.
pub fn arg_ranks(
    x: &Tensor,
    axis: usize,
    order: Order,
    ranks: Ranks<'_>,
    out: &mut Tensor,
) -> Result<()> {
    let narrow = u32::try_from(x.shape().get(axis).copied().unwrap_or(0)).is_ok();
    match x.dtype() {
        DType::F32 if narrow => lines::<f32, u64>(x, axis, order, ranks, out),
        DType::F32 => lines::<f32, u128>(x, axis, order, ranks, out),
        DType::F64 => lines::<f64, u128>(x, axis, order, ranks, out),
        DType::I64 => lines::<i64, u128>(x, axis, order, ranks, out),
    }
}

fn lines<T: Key, P: Packed>(
    x: &Tensor,
    axis: usize,
    order: Order,
    ranks: Ranks<'_>,
    out: &mut Tensor,
) -> Result<()> {
    let [outer, dim, inner] = outer_dim_inner("argsort", x.shape(), axis)?;
    let count = ranks.count(dim);
    let mut expected = x.shape().to_vec();
    expected[axis] = count;
    let out = output::<i64>("argsort", out, &expected)?;
    if out.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<usize> = match ranks {
        Ranks::At(ranks) | Ranks::AtUnlessNan(ranks) => ranks.to_vec(),
        Ranks::All | Ranks::MiddleOfNumbers => Vec::new(),
    };
    sorted.sort_unstable();
    sorted.dedup();
    let by_line = |data: &[T], out: &mut [i64]| {
        let some = (CHUNK / 8 / dim.max(1)).max(1);
        parallel_chunks_mut(out, some * count, |task, out| {
            let mut items: Vec<P> = Vec::with_capacity(dim);
            for (nth, out) in out.chunks_exact_mut(count).enumerate() {
                let line = &data[(task * some + nth) * dim..][..dim];
                items.clear();
                items.extend(line.iter().enumerate().map(|(i, x)| {
                    let key = x.key();
                    P::pack(if order == Order::Ascending { key } else { T::LAST ^ key }, i)
                }));
                along_line(line, &mut items, ranks, &sorted, out);
            }
        });
    };
    if inner == 1 {
        by_line(&borrowed::<T>(x), out);
        return Ok(());
    }
    // Lines one after another, and what is found in them back in its place.
    let last = x.rank() as isize - 1;
    let mut axes: Vec<isize> = (0..=last).filter(|&other| other != axis as isize).collect();
    axes.push(axis as isize);
    let data = copied::<T>(&x.permute(&axes)?);
    let mut found = vec![0; out.len()];
    by_line(&data, &mut found);
    for slab in 0..outer {
        for i in 0..inner {
            let line = &found[(slab * inner + i) * count..][..count];
            for (n, &index) in line.iter().enumerate() {
                out[(slab * count + n) * inner + i] = index;
            }
        }
    }
    Ok(())
}

/// Finds the indices in one line; `items` are its elements, packed, and `sorted` the ranks in order.
fn along_line<T: Elem, P: Packed>(
    line: &[T],
    items: &mut [P],
    ranks: Ranks<'_>,
    sorted: &[usize],
    out: &mut [i64],
) {
    let first_nan = || line.iter().position(|&x| is_nan(x));
    match ranks {
        Ranks::All => {
            items.sort_unstable();
            out.iter_mut().zip(items).for_each(|(out, item)| *out = item.index());
        }
        Ranks::MiddleOfNumbers => {
            let numbers = line.iter().filter(|&&x| !is_nan(x)).count();
            let middle = numbers.saturating_sub(1) / 2;
            items.select_nth_unstable(middle);
            out[0] = items[middle].index();
        }
        Ranks::AtUnlessNan(_) if first_nan().is_some() => {
            out.fill(first_nan().unwrap_or(0) as i64);
        }
        Ranks::At(ranks) | Ranks::AtUnlessNan(ranks) => {
            select(items, sorted, 0);
            out.iter_mut().zip(ranks).for_each(|(out, &rank)| *out = items[rank].index());
        }
    }
}

/// Puts the items that have these ranks, in ascending order, where a sort would put them. The first
/// item has the rank `before`.
fn select<P: Packed>(mut items: &mut [P], mut ranks: &[usize], before: usize) {
    // Nothing behind the last rank has to be in order.
    if let Some((&last, rest)) = ranks.split_last()
        && last - before + 1 < items.len()
    {
        items.select_nth_unstable(last - before);
        (items, ranks) = (&mut items[..last - before], rest);
    }
    if ranks.len() >= items.len() / 8 {
        if !ranks.is_empty() {
            items.sort_unstable();
        }
        return;
    }
    let Some(&middle) = ranks.get(ranks.len() / 2) else { return };
    let (left, _, right) = items.select_nth_unstable(middle - before);
    select(left, &ranks[..ranks.len() / 2], before);
    select(right, &ranks[ranks.len() / 2 + 1..], middle + 1);
}

/// An element as an integer without sign, of the same order: NaN the largest, and both zeros equal.
trait Key: Elem {
    /// The largest key.
    const LAST: u64;
    fn key(self) -> u64;
}

macro_rules! key {
    ($float:ty, $bits:ty) => {
        impl Key for $float {
            const LAST: u64 = <$bits>::MAX as u64;

            #[inline(always)]
            fn key(self) -> u64 {
                // −0 becomes 0.
                let bits = (self + 0.0).to_bits();
                let sign = 1 << (<$bits>::BITS - 1);
                let ordered = if bits & sign == 0 { bits | sign } else { !bits };
                (if self.is_nan() { <$bits>::MAX } else { ordered }) as u64
            }
        }
    };
}

key!(f32, u32);
key!(f64, u64);

impl Key for i64 {
    const LAST: u64 = u64::MAX;

    #[inline(always)]
    fn key(self) -> u64 {
        self as u64 ^ (1 << 63)
    }
}

/// A key and an index in one integer.
trait Packed: Copy + Ord {
    fn pack(key: u64, index: usize) -> Self;
    fn index(self) -> i64;
}

/// Keys and indices of 32 bits.
impl Packed for u64 {
    #[inline(always)]
    fn pack(key: u64, index: usize) -> u64 {
        key << 32 | index as u64
    }

    #[inline(always)]
    fn index(self) -> i64 {
        i64::from(self as u32)
    }
}

impl Packed for u128 {
    #[inline(always)]
    fn pack(key: u64, index: usize) -> u128 {
        u128::from(key) << 64 | index as u128
    }

    #[inline(always)]
    fn index(self) -> i64 {
        self as u64 as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(x: Tensor, axis: usize, order: Order) -> Vec<f64> {
        let mut out = Tensor::zeros(x.shape().clone(), DType::I64).unwrap();
        arg_sort(&x, axis, order, &mut out).unwrap();
        out.to_f64s()
    }

    #[test]
    fn equal_elements_stay_in_their_order_and_nan_is_the_largest() {
        let x = Tensor::from([2.0, f64::NAN, 1.0, 2.0]);
        for x in [x.clone(), x.to_dtype(DType::F32)] {
            assert_eq!(sorted(x.clone(), 0, Order::Ascending), [2.0, 0.0, 3.0, 1.0]);
            assert_eq!(sorted(x, 0, Order::Descending), [1.0, 0.0, 3.0, 2.0]);
        }
        let columns = Tensor::from([[3.0, 1.0, 2.0], [1.0, 2.0, 2.0]]);
        assert_eq!(sorted(columns, 0, Order::Ascending), [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let large = Tensor::from([(1_i64 << 53) + 1, 1 << 53]);
        assert_eq!(sorted(large, 0, Order::Ascending), [1.0, 0.0]);
        let nothing = Tensor::zeros([2, 0], DType::F32).unwrap();
        assert!(sorted(nothing, 1, Order::Ascending).is_empty());
    }

    #[test]
    fn keys_are_in_the_order_of_numbers() {
        let up = [f64::NEG_INFINITY, -1e300, -1.0, -1e-310, 0.0, 1e-310, 1.0, 2.0, f64::INFINITY];
        assert!(up.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        assert!((-0.0_f64).key() == 0.0_f64.key() && (-f64::NAN).key() > f64::INFINITY.key());
        let singles = [f32::NEG_INFINITY, -2.0, -1e-40, 0.0, 1e-40, 3.0, f32::INFINITY, f32::NAN];
        assert!(singles.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        assert!(singles.iter().all(|x| x.key() <= f32::LAST));
        assert!(i64::MIN.key() < (-1_i64).key() && (-1_i64).key() < i64::MAX.key());
    }

    #[test]
    fn a_selection_finds_what_a_sort_puts_there() {
        // Many equal numbers, in no order.
        let numbers: Vec<i64> = (0..500).map(|i| i * 7919 % 101).collect();
        let x = Tensor::new([500], numbers).unwrap();
        let all = [vec![0], vec![499], vec![250], vec![3, 1, 3, 499, 0], (0..40).collect()];
        for order in [Order::Ascending, Order::Descending] {
            let whole = sorted(x.clone(), 0, order);
            for ranks in all.iter().chain([&(0..500).step_by(3).collect()]) {
                let mut out = Tensor::zeros([ranks.len()], DType::I64).unwrap();
                arg_ranks(&x, 0, order, Ranks::At(ranks), &mut out).unwrap();
                let expected: Vec<f64> = ranks.iter().map(|&rank| whole[rank]).collect();
                assert_eq!(out.to_f64s(), expected, "{ranks:?}");
            }
        }
    }

    #[test]
    fn a_nan_is_found_or_left_out() {
        let x = Tensor::from([[3.0, f64::NAN, 1.0, f64::NAN], [4.0, 1.0, 2.0, 3.0]]);
        let found = |ranks: Ranks<'_>| {
            let mut out = Tensor::zeros([2, 1], DType::I64).unwrap();
            arg_ranks(&x, 1, Order::Ascending, ranks, &mut out).unwrap();
            out.to_f64s()
        };
        assert_eq!(found(Ranks::At(&[1])), [0.0, 2.0]);
        assert_eq!(found(Ranks::AtUnlessNan(&[1])), [1.0, 2.0]);
        assert_eq!(found(Ranks::MiddleOfNumbers), [2.0, 2.0]);
    }
}
