//! The table of all losses. Tests, docs and the `lossgraph` program come from it.

use std::fmt;

mod case;
mod configured;
pub mod figure;
#[cfg(test)]
mod refusals;
mod row;
mod sample;
mod setting;
mod symbols;
mod task;

pub use case::Case;
pub use configured::Configured;
pub(crate) use row::{
    BROADCAST, C, CLASS_AXIS, INNER, LAST_AXIS, N, PAIR, POSITIVE, TWO, WIDE, count, detached,
    flag, input, integer, list, number, option, word,
};
pub use row::{Choice, Invariance, Loss, OptionKind, Slope};
pub use sample::{Domain, Plain, Sample};
pub use setting::{Args, BadSetting, Numbers, Setting};
pub use task::{Fit, Sizes, Task};

use crate::{
    classification, detection, divergence, embedding, pictures, ranking, regression, segmentation,
    self_supervised, sequence,
};

/// The losses of all families, in the order of a reader who begins.
const FAMILIES: [&[&Loss]; 10] = [
    regression::ROWS,
    classification::ROWS,
    divergence::ROWS,
    embedding::ROWS,
    self_supervised::ROWS,
    segmentation::ROWS,
    detection::ROWS,
    pictures::ROWS,
    ranking::ROWS,
    sequence::ROWS,
];

/// Every loss.
pub static ALL: &[&Loss] = &joined::<{ losses() }>();

const fn losses() -> usize {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
}

/// One list of the families' lists. Loops by `while`, since a constant has no iterators.
const fn joined<const COUNT: usize>() -> [&'static Loss; COUNT] {
    let mut all = [FAMILIES[0][0]; COUNT];
    let (mut at, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut i = 0;
        while i < FAMILIES[family].len() {
            all[at] = FAMILIES[family][i];
            at += 1;
            i += 1;
        }
        family += 1;
    }
    all
}

/// A name that no loss has. Shown, it says which one comes nearest, if one is near.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownLoss {
    /// The name.
    pub name: String,
    /// The loss whose name, or alias, is the nearest.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no loss `{}`", self.name)?;
        self.nearest.map_or(Ok(()), |nearest| write!(f, "; perhaps `{nearest}`"))
    }
}

impl fmt::Debug for UnknownLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for UnknownLoss {}

/// The loss with a name or alias, whatever its case and punctuation.
///
/// ```
/// use lossgraph_losses::find;
///
/// assert_eq!(find("nn.CrossEntropyLoss").unwrap().name, "cross_entropy");
/// let error = find("CrossEntropyLos").unwrap_err();
/// assert_eq!(error.to_string(), "there is no loss `CrossEntropyLos`; perhaps `cross_entropy`");
/// ```
///
/// # Errors
/// There is no such loss.
pub fn find(name: &str) -> Result<&'static Loss, UnknownLoss> {
    let plain = |name: &str| -> String {
        let name = name.rsplit(['.', ':']).next().unwrap_or(name);
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(name);
    let names =
        |loss: &'static Loss| std::iter::once(loss.name).chain(loss.aliases.iter().copied());
    if let Some(loss) = ALL.iter().find(|loss| names(loss).any(|name| plain(name) == wanted)) {
        return Ok(loss);
    }
    let all = ALL.iter().flat_map(|loss| names(loss).map(move |name| (loss.name, plain(name))));
    Err(UnknownLoss { name: name.to_owned(), nearest: nearest(&wanted, all) })
}

/// What belongs to the nearest of some names; none, if it is neither part of the other nor has most
/// letters in common with it.
fn nearest<T>(wanted: &str, names: impl Iterator<Item = (T, String)>) -> Option<T> {
    let each = names.map(|(of, name)| {
        let distance = distance(wanted, &name);
        let [a, b] = [wanted, &name].map(|name| name.chars().count());
        let is_part = a.min(b) > 2 && (name.contains(wanted) || wanted.contains(&name));
        (of, distance, is_part || 5 * distance <= 2 * a.max(b))
    });
    let near = each.filter(|(_, _, is_near)| *is_near);
    near.min_by_key(|(_, distance, _)| *distance).map(|(of, ..)| of)
}

/// How many letters have to be put in, taken out or changed to come from `a` to `b`
/// (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
