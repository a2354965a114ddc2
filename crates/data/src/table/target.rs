//! The column of a table that is learned: numbers, or classes.

use super::encoder::{MOST_CATEGORIES, distinct, moments};
use super::{Column, Table, Values};

/// What a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetKind {
    /// Classes if the column has words, numbers if it has numbers.
    #[default]
    AsFound,
    /// Classes, of numbers as well.
    Classes,
    /// Numbers.
    Numbers,
}

/// The column that is learned.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Target {
    /// Numbers, standardized.
    Number {
        /// The column's name.
        name: String,
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
    /// One of some classes.
    Class {
        /// The column's name.
        name: String,
        /// The classes, in order.
        classes: Vec<String>,
    },
}

impl Target {
    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Target::Number { name, .. } | Target::Class { name, .. } => name,
        }
    }

    /// How many numbers a model gives for it: one, or a score for each class.
    pub fn outputs(&self) -> usize {
        match self {
            Target::Number { .. } => 1,
            Target::Class { classes, .. } => classes.len(),
        }
    }
}

/// What a column is as a target.
pub(super) fn target_of(
    table: &Table,
    column: &Column,
    kind: TargetKind,
) -> Result<Target, String> {
    let name = column.name.clone();
    match (&column.values, kind) {
        (Values::Numbers(all), TargetKind::AsFound | TargetKind::Numbers) => {
            let [mean, deviation] = moments(all);
            match all.iter().any(Option::is_some) {
                true if !deviation.is_finite() => {
                    Err(format!("the column `{name}` has numbers too large to be standardized"))
                }
                true => match constant(all) {
                    Some(x) => Err(format!(
                        "the column `{name}` is {x} in every row: nothing is to be learned"
                    )),
                    None => Ok(Target::Number { name, mean, deviation }),
                },
                false => Err(format!("the column `{name}` has no values")),
            }
        }
        (Values::Words(words), TargetKind::Numbers) => {
            let is_word = |(_, word): &(usize, &Option<String>)| {
                word.as_deref().is_some_and(|word| super::number(word).is_none())
            };
            let first = words.iter().enumerate().find(is_word);
            let (row, word) =
                first.map_or((0, ""), |(row, word)| (row, word.as_deref().unwrap_or("")));
            let line = table.line(row);
            Err(format!(
                "line {line}: the column `{name}` has words such as `{word}`, expected numbers"
            ))
        }
        (values, _) => {
            let mut classes = distinct(&values.words());
            // Classes that are numbers count up: 2 comes before 10.
            if let Values::Numbers(_) = values {
                let number = |class: &String| class.parse::<f64>().unwrap_or(0.0);
                classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
            }
            match classes.len() {
                0 | 1 => Err(format!("the column `{name}` has fewer than two classes")),
                count if count > MOST_CATEGORIES => Err(format!(
                    "the column `{name}` has {count} classes, expected {MOST_CATEGORIES} at most"
                )),
                _ => Ok(Target::Class { name, classes }),
            }
        }
    }
}

/// The number that all rows have, if there are several.
fn constant(numbers: &[Option<f64>]) -> Option<f64> {
    let mut present = numbers.iter().flatten();
    let first = *present.next()?;
    let mut rest = present.peekable();
    rest.peek()?;
    rest.all(|&x| x == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, TableEncoder, penguins};
    use super::*;

    #[test]
    fn a_target_of_numbers_is_standardized_and_can_be_classes() {
        let penguins = penguins().unwrap();
        let mass = Columns::target("body_mass_g");
        let encoder = TableEncoder::fit(&penguins, &mass).unwrap();
        let data = encoder.examples(&penguins).unwrap();
        assert_eq!(data.targets().shape()[..], [342, 1]);
        let mean = data.targets().to_f64s().iter().sum::<f64>() / 342.0;
        assert!(mean.abs() < 1e-6 && encoder.target.outputs() == 1);
        let years = Columns { kind: TargetKind::Classes, ..Columns::target("year") };
        let encoder = TableEncoder::fit(&penguins, &years).unwrap();
        assert_eq!(encoder.examples(&penguins).unwrap().classes(), 3);
        let wrong = Columns { kind: TargetKind::Numbers, ..Columns::target("species") };
        let error = TableEncoder::fit(&penguins, &wrong).unwrap_err().to_string();
        assert!(error.contains("has words such as `Adelie`, expected numbers"), "{error}");
    }

    #[test]
    fn a_number_that_is_the_same_in_all_rows_is_no_target() {
        let fit = |text: &str| {
            TableEncoder::fit(&Table::parse("t.csv", text).unwrap(), &Columns::target("y"))
        };
        let error = fit("x,y\n1,0.1\n2,\n3,0.1\n").unwrap_err().to_string();
        assert!(error.contains("the column `y` is 0.1 in every row"), "{error}");
        assert!(fit("x,y\n1,0.1\n").is_ok() && fit("x,y\n1,0.1\n2,0.2\n").is_ok());
    }
}
