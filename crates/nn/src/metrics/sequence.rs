//! How far sequences are from one another.

/// How many elements have to be inserted, removed or replaced to make one sequence of the other.
///
/// ```
/// use lossgraph_nn::metrics::edit_distance;
///
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// ```
///
/// # Source
/// Levenshtein, 1966.
#[doc(alias = "levenshtein")]
pub fn edit_distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        // The distances of the prefix before, of which the next diagonal one is kept.
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_insertions_removals_and_replacements() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2), ("ab", "ba", 2)]
        {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(edit_distance(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
        }
    }
}
