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
    let nearest = all.min_by_key(|(_, name)| distance(wanted, name)).map_or("", |(first, _)| first);
    Err(format!("there is no {what} `{wanted}`; the nearest is `{nearest}`\nall of them: {listed}"))
}

/// How far a name is from another one: first whether one is part of the other, then by letters.
fn distance(a: &str, b: &str) -> (bool, usize) {
    let (a, b) = (plain(a), plain(b));
    let is_part = a.len() > 2 && b.len() > 2 && (a.contains(&b) || b.contains(&a));
    (!is_part, strsim::levenshtein(&a, &b))
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
}
