//! Things by their names: the right one, or the nearest.

/// The first of some things with a name or alias, whatever its case and punctuation; else what to do
/// about it. `what` is what they are: `data set`.
pub fn named<'a, T>(
    what: &str,
    wanted: &str,
    all: &'a [T],
    names: impl Fn(&'a T) -> Vec<&'a str>,
) -> Result<&'a T, String> {
    let is = |name: &str| plain(name) == plain(wanted);
    if let Some(found) = all.iter().find(|each| names(each).into_iter().any(is)) {
        return Ok(found);
    }
    let firsts = all.iter().filter_map(|each| names(each).first().copied());
    let listed = firsts.collect::<Vec<&str>>().join(", ");
    let all = all.iter().flat_map(|each| {
        let names = names(each);
        let first = names.first().copied().unwrap_or_default();
        names.into_iter().map(move |name| (first, name))
    });
    let near = nearest(wanted, all).map(|first| format!("; the nearest is `{first}`"));
    let near = near.unwrap_or_default();
    Err(format!("there is no {what} `{wanted}`{near}\nall of them: {listed}"))
}

/// What belongs to the name that is nearest to a wanted one, if one is near at all.
pub fn nearest<'a, T>(wanted: &str, names: impl Iterator<Item = (T, &'a str)>) -> Option<T> {
    let each = names.filter_map(|(of, name)| Some((of, distance(wanted, name)?)));
    each.min_by_key(|(_, distance)| *distance).map(|(of, _)| of)
}

/// How far a name is from another one: first whether one is part of the other, then by letters. None, if
/// it is too far to be meant.
fn distance(a: &str, b: &str) -> Option<(bool, usize)> {
    let (a, b) = (plain(a), plain(b));
    let is_part = a.len() > 2 && b.len() > 2 && (a.contains(&b) || b.contains(&a));
    let changed = strsim::levenshtein(&a, &b);
    let longer = a.chars().count().max(b.chars().count());
    (is_part || 5 * changed <= 2 * longer).then_some((!is_part, changed))
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&[&str]; 3] = [&["digits"], &["fashion-mnist", "clothes"], &["penguins"]];

    fn found(name: &str) -> Result<&'static str, String> {
        named("data set", name, &ALL, |names| names.to_vec()).map(|names| names[0])
    }

    #[test]
    fn case_and_punctuation_do_not_count_and_aliases_do() {
        assert_eq!(found("Fashion_MNIST").unwrap(), "fashion-mnist");
        assert_eq!(found("clothes").unwrap(), "fashion-mnist");
    }

    #[test]
    fn the_nearest_is_found_by_letters_by_parts_and_by_aliases() {
        for (wrong, right) in [
            ("pinguins", "penguins"),
            ("mnist", "fashion-mnist"),
            ("cloth", "fashion-mnist"),
            ("digts", "digits"),
        ] {
            let told = found(wrong).unwrap_err();
            assert!(
                told.starts_with(&format!(
                    "there is no data set `{wrong}`; the nearest is `{right}`"
                )),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_like_none_of_them_has_no_nearest() {
        for wrong in ["x", "weather", "iris"] {
            let told = found(wrong).unwrap_err();
            let expected = format!("there is no data set `{wrong}`\nall of them: digits, ");
            assert!(told.starts_with(&expected), "{told}");
        }
    }
}
