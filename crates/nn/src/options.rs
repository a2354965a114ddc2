//! Options by name, as a command line or a configuration gives them, and the nearest right name.

use crate::error::{Error, Result};

/// A struct of options that can be read and set by their names, as text: an optimizer, a schedule.
///
/// A number is written as Rust writes it, a flag `true` or `false`, a list with commas between, and
/// what is absent `none`.
///
/// ```
/// use lossgraph_nn::{Adam, Options};
///
/// let mut adam = Adam::default();
/// adam.set_option("betas", "0.9,0.95")?;
/// assert_eq!(adam.betas, [0.9, 0.95]);
/// assert_eq!(adam.options()[0], ("lr", "0.001".to_owned()));
/// let error = adam.set_option("beta", "0.9").unwrap_err().to_string();
/// assert!(error.starts_with("adam: there is no option `beta`; the nearest is `betas`"));
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
pub trait Options {
    /// The options in their order, with their values.
    fn options(&self) -> Vec<(&'static str, String)>;

    /// Sets an option.
    ///
    /// # Errors
    /// A name that is not an option's; a value that cannot be read. The options are as before.
    fn set_option(&mut self, name: &str, value: &str) -> Result<()>;

    /// Sets some options.
    ///
    /// # Errors
    /// As for [`set_option`](Options::set_option); those before are set.
    fn set_options(&mut self, options: &[(&str, &str)]) -> Result<()> {
        options.iter().try_for_each(|(name, value)| self.set_option(name, value))
    }
}

/// A value of an option as text, and back.
pub(crate) trait OptionValue: Sized {
    /// What is expected, in errors.
    const EXPECTED: &'static str;

    fn read(text: &str) -> Option<Self>;

    fn text(&self) -> String;
}

macro_rules! plain_values {
    ($($type:ty: $expected:literal;)*) => {
        $(impl OptionValue for $type {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Option<$type> {
                text.trim().parse().ok()
            }

            fn text(&self) -> String {
                self.to_string()
            }
        })*
    };
}

plain_values! {
    f64: "a number";
    usize: "a whole number, 0 or more";
    bool: "true or false";
}

impl<T: OptionValue> OptionValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(text: &str) -> Option<Option<T>> {
        match text.trim() {
            "none" => Some(None),
            text => T::read(text).map(Some),
        }
    }

    fn text(&self) -> String {
        self.as_ref().map_or("none".to_owned(), T::text)
    }
}

impl<T: OptionValue> OptionValue for Vec<T> {
    const EXPECTED: &'static str = "values with commas between";

    fn read(text: &str) -> Option<Vec<T>> {
        match text.trim() {
            "" => Some(Vec::new()),
            text => text.split(',').map(T::read).collect(),
        }
    }

    fn text(&self) -> String {
        self.iter().map(T::text).collect::<Vec<_>>().join(",")
    }
}

impl<T: OptionValue, const N: usize> OptionValue for [T; N] {
    const EXPECTED: &'static str = match N {
        2 => "two values with a comma between",
        3 => "three values with commas between",
        _ => "values with commas between",
    };

    fn read(text: &str) -> Option<[T; N]> {
        Vec::read(text)?.try_into().ok()
    }

    fn text(&self) -> String {
        self.each_ref().map(T::text).join(",")
    }
}

impl<A: OptionValue, B: OptionValue> OptionValue for (A, B) {
    const EXPECTED: &'static str = "two values with a comma between";

    fn read(text: &str) -> Option<(A, B)> {
        let (a, b) = text.split_once(',')?;
        Some((A::read(a)?, B::read(b)?))
    }

    fn text(&self) -> String {
        format!("{},{}", self.0.text(), self.1.text())
    }
}

/// Reads an option into its place.
pub(crate) fn set<T: OptionValue>(
    subject: &'static str,
    name: &'static str,
    place: &mut T,
    text: &str,
) -> Result<()> {
    let given = || text.to_owned();
    *place = T::read(text).ok_or_else(|| Error::Value {
        subject,
        name,
        given: given(),
        expected: T::EXPECTED,
    })?;
    Ok(())
}

/// A name that is none of those that there are.
pub(crate) fn unknown<'a>(
    subject: &'static str,
    what: &'static str,
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Error {
    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
    let nearest = nearest(given, known.iter().map(String::as_str)).map(str::to_owned);
    Error::Name { subject, what, given: given.to_owned(), nearest, known }
}

/// The nearest of some names by the letters to be changed, upper and lower case alike; none, if it is
/// neither part of the other name nor has most letters in common with it.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let letters = |name: &str| -> Vec<char> {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let given = letters(given);
    let each = names.into_iter().map(|name| {
        let own = letters(name);
        let distance = crate::metrics::edit_distance(&given, &own);
        let [shorter, longer] = [given.len().min(own.len()), given.len().max(own.len())];
        let is_part = shorter > 2 && distance == longer - shorter;
        (name, distance, is_part || 5 * distance <= 2 * longer)
    });
    let near = each.filter(|(_, _, is_near)| *is_near);
    near.min_by_key(|(_, distance, _)| *distance).map(|(name, ..)| name)
}

/// Whether a name is one of a row's, whatever the case of its letters.
pub(crate) fn is_named(given: &str, name: &str, aliases: &[&str]) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    std::iter::once(&name).chain(aliases).any(|each| plain(each) == plain(given))
}

/// Defines a struct of options: its fields with their defaults, and their names and values as text.
/// What follows as `state` is no option.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $type:ident($subject:literal) {
            $($(#[$field_meta:meta])* $field:ident: $of:ty = $default:expr,)*
        }
        $(state { $(#[$state_meta:meta])* $state:ident: $state_of:ty })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
        pub struct $type {
            $($(#[$field_meta])* pub $field: $of,)*
            $($(#[$state_meta])* #[cfg_attr(feature = "serde", serde(skip))] pub $state: $state_of,)?
        }

        impl Default for $type {
            fn default() -> $type {
                $type { $($field: $default,)* $($state: <$state_of>::default(),)? }
            }
        }

        impl $crate::options::Options for $type {
            fn options(&self) -> Vec<(&'static str, String)> {
                use $crate::options::OptionValue;
                vec![$((stringify!($field), self.$field.text()),)*]
            }

            fn set_option(&mut self, name: &str, value: &str) -> $crate::error::Result<()> {
                // PyTorch writes some in capitals, such as `T_max`.
                match &name.to_lowercase()[..] {
                    $(stringify!($field) => {
                        $crate::options::set($subject, stringify!($field), &mut self.$field, value)
                    })*
                    _ => {
                        let known = [$(stringify!($field),)*];
                        Err($crate::options::unknown($subject, "option", name, known))
                    }
                }
            }
        }
    };
}

/// Defines an enum whose variants are words of options.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $type:ident($expected:literal) {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $type {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $crate::options::OptionValue for $type {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Option<$type> {
                match text.trim() {
                    $($word => Some($type::$variant),)*
                    _ => None,
                }
            }

            fn text(&self) -> String {
                match self {
                    $($type::$variant => $word.to_owned(),)*
                }
            }
        }
    };
}

pub(crate) use {options, words};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Adam;

    #[test]
    fn what_options_say_of_themselves_can_be_set_again() {
        let adam = Adam { lr: 0.1, betas: [0.5, 1e-300], amsgrad: true, ..Adam::default() };
        let mut other = Adam::default();
        for (name, value) in adam.options() {
            other.set_option(name, &value).unwrap();
        }
        assert_eq!(other, adam);
    }

    #[test]
    fn a_value_that_cannot_be_read_leaves_the_option_and_says_what_was_expected() {
        let mut adam = Adam::default();
        for text in ["", "0.9", "0.9,0.9,0.9", "0.9,x"] {
            let error = adam.set_option("betas", text).unwrap_err().to_string();
            let expected = format!("adam: betas is `{text}`, expected two values with a comma");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert!(adam.set_option("amsgrad", "1").is_err());
        assert_eq!(adam, Adam::default());
    }

    #[test]
    fn the_nearest_name_is_that_with_the_fewest_letters_to_change() {
        let names = ["sgd", "adam", "adagrad", "rmsprop"];
        assert_eq!(nearest("Adams", names), Some("adam"));
        assert_eq!(nearest("RMS-prop", names), Some("rmsprop"));
        assert_eq!(nearest("adagrat", names), Some("adagrad"));
        assert_eq!(nearest("rms", names), Some("rmsprop"));
    }

    #[test]
    fn a_name_that_is_like_none_of_them_has_no_nearest() {
        let names = ["sgd", "adam", "adagrad", "rmsprop"];
        for given in ["x", "newton", "banana", "gradient_descent"] {
            assert_eq!(nearest(given, names), None, "{given}");
        }
    }
}
