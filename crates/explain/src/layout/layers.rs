//! Layer assignment.

use super::{Arrow, Item, Rank};

/// The layer of each box: below all that it reads, and right above its readers if that shortens
/// its edges. What only this box reads, and is made of nothing else, moves along with it.
pub(crate) fn layers(items: &[Item], arrows: &[Arrow]) -> Vec<usize> {
    let mut into = vec![Vec::new(); items.len()];
    let mut out_of = vec![Vec::new(); items.len()];
    for arrow in arrows {
        into[arrow.to].push(arrow.from);
        out_of[arrow.from].push(arrow.to);
    }
    let mut moves_along = vec![false; items.len()];
    let mut held = vec![0; items.len()];
    for (i, item) in items.iter().enumerate() {
        held[i] = into[i].iter().filter(|&&from| !moves_along[from]).count();
        let readers = &out_of[i];
        let has_one = readers.first().is_some_and(|first| readers.iter().all(|to| to == first));
        moves_along[i] = item.rank == Rank::Free && held[i] == 0 && has_one;
    }
    let start = usize::from(items.iter().any(|item| item.rank == Rank::Source));
    let mut layers = vec![0; items.len()];
    let mut last = 0;
    for (i, item) in items.iter().enumerate() {
        if item.rank != Rank::Source {
            layers[i] = into[i].iter().map(|&from| layers[from] + 1).fold(start, usize::max);
        }
        // One more than any other layer has.
        last = last.max(layers[i] + usize::from(item.rank != Rank::Sink));
    }
    for (i, item) in items.iter().enumerate().rev() {
        let readers = out_of[i].iter().map(|&to| layers[to]).min();
        match (item.rank, readers) {
            (Rank::Sink, _) => layers[i] = last,
            (Rank::Free, Some(reader)) if out_of[i].len() > held[i] => layers[i] = reader - 1,
            _ => {}
        }
    }
    layers
}
