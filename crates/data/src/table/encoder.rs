//! How the rows of a table become numbers: standardized, one number for each category.

use std::collections::HashSet;

use lossgraph_tensor::Tensor;

use super::target::{Target, TargetKind, target_of};
use super::{Column, Table, Values};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::rows::Rows;

/// More categories than this are names of rows, not categories.
pub(super) const MOST_CATEGORIES: usize = 256;

/// What a model takes of a table, and what it is to learn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The column to learn.
    pub target: String,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// What becomes of missing values. Rows whose target is missing are left out in any case.
    pub missing: Missing,
    /// What the target is.
    pub kind: TargetKind,
}

/// What becomes of missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Missing {
    /// The mean of the column stands for a number, and none of the categories for a word.
    #[default]
    #[doc(alias = "SimpleImputer")]
    Mean,
    /// As [`Mean`](Missing::Mean), and one more number for each column with missing values says
    /// where they are.
    #[doc(alias = "MissingIndicator")]
    Flag,
    /// The row is left out.
    #[doc(alias = "dropna")]
    Drop,
}

impl Columns {
    /// All columns to learn one of them.
    pub fn target(name: &str) -> Columns {
        Columns { target: name.to_owned(), ..Columns::default() }
    }
}

/// How the rows of a table become numbers, as found in the table that a model is trained on: the
/// same for every table that it is used on.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "ColumnTransformer")]
#[doc(alias = "StandardScaler")]
#[doc(alias = "OneHotEncoder")]
pub struct TableEncoder {
    /// The columns that are inputs.
    pub features: Vec<Feature>,
    /// The column that is learned.
    pub target: Target,
    /// What becomes of missing values.
    pub missing: Missing,
}

/// A column that is an input.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// How its values become numbers.
    pub encoding: Encoding,
    /// Whether one more number says where a value is missing.
    pub flag: bool,
}

/// How the values of a column become numbers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Encoding {
    /// `(x − mean) / deviation`.
    Standardized {
        /// The mean.
        mean: f64,
        /// The standard deviation; 1 where all are equal.
        deviation: f64,
    },
    /// 1 for the category that it is, 0 for all others. One that training did not see is 0 for all.
    OneHot(Vec<String>),
}

impl TableEncoder {
    /// Finds out how to encode a table.
    ///
    /// # Errors
    /// A column that the table does not have; a target of fewer than two classes, of one number in all
    /// rows, or of words that are to be numbers; a column with more than 256 categories, such as names; nothing left to
    /// learn from.
    pub fn fit(table: &Table, columns: &Columns) -> Result<TableEncoder> {
        let refuse = |why: String| Err(Error::Read { path: table.name().into(), why });
        let target = table.column(&columns.target)?;
        for name in &columns.ignore {
            table.column(name)?;
        }
        let ignored: HashSet<&String> = columns.ignore.iter().collect();
        if ignored.contains(&columns.target) {
            return refuse(format!("the column `{}` is the target, and ignored", target.name));
        }
        let mut features = Vec::new();
        for column in table.columns() {
            if column.name == target.name || ignored.contains(&column.name) {
                continue;
            }
            // Nothing can be learned from what is missing everywhere.
            if column.values.missing() == table.len() {
                continue;
            }
            let encoding = match &column.values {
                Values::Numbers(numbers) => {
                    let [mean, deviation] = moments(numbers);
                    if !deviation.is_finite() {
                        let name = &column.name;
                        return refuse(format!(
                            "the column `{name}` has numbers too large to be standardized"
                        ));
                    }
                    Encoding::Standardized { mean, deviation }
                }
                Values::Words(words) => Encoding::OneHot(distinct(words)),
            };
            if let Encoding::OneHot(categories) = &encoding
                && categories.len() > MOST_CATEGORIES
            {
                return refuse(format!(
                    "the column `{}` has {} different words, too many for categories: leave it out",
                    column.name,
                    categories.len()
                ));
            }
            let flag = columns.missing == Missing::Flag && column.values.missing() > 0;
            features.push(Feature { name: column.name.clone(), encoding, flag });
        }
        if features.is_empty() {
            return refuse("there is no column beside the target to learn from".to_owned());
        }
        let target = target_of(table, target, columns.kind)
            .map_err(|why| Error::Read { path: table.name().into(), why })?;
        Ok(TableEncoder { features, target, missing: columns.missing })
    }

    /// What is left out of a table, a sentence each: columns without a value; rows without a target or,
    /// as asked, with a value missing; words that training did not have.
    ///
    /// # Errors
    /// As for [`examples`](TableEncoder::examples).
    pub fn notes(&self, table: &Table) -> Result<Vec<String>> {
        let columns = table.columns().iter();
        let empty = columns.filter(|column| column.values.missing() == table.len());
        let empty: Vec<&str> = empty.map(|column| &column.name[..]).collect();
        let target = &table.column(self.target.name())?.fields;
        let without_target = target.iter().filter(|field| field.is_none()).count();
        let (_, rows) = self.inputs(table)?;
        let kept = rows.iter().filter(|row| target[**row].is_some()).count();
        let unknown = self.unknown_words(table, &rows)?;
        let incomplete = table.len() - without_target - kept;
        let notes = [
            (!empty.is_empty()).then(|| {
                format!("columns without a value, which are left out: {}", empty.join(", "))
            }),
            (without_target > 0).then(|| {
                let name = self.target.name();
                format!(
                    "rows without `{name}`, which are left out: {without_target} of {}",
                    table.len()
                )
            }),
            (incomplete > 0).then(|| {
                format!(
                    "rows with missing values, which are left out: {incomplete} of {}",
                    table.len()
                )
            }),
        ];
        Ok(notes.into_iter().flatten().chain(unknown).collect())
    }

    /// The words of some rows that training did not have, a sentence for each column that has any.
    ///
    /// # Errors
    /// A column that is missing.
    pub fn unknown_words(&self, table: &Table, rows: &[usize]) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for Feature { name, encoding, .. } in &self.features {
            let Encoding::OneHot(categories) = encoding else { continue };
            let fields = &table.column(name)?.fields;
            let word = |row: &usize| fields[*row].as_deref();
            let is_unknown =
                |row: &&usize| word(row).is_some_and(|word| position(categories, word).is_none());
            let mut unknown = rows.iter().filter(is_unknown);
            let Some(first) = unknown.next() else { continue };
            notes.push(format!(
                "column `{name}` has words that training did not have, such as `{}` in line {}: they \
                 count as none of its categories, in {} of {} rows",
                word(first).unwrap_or_default(),
                table.line(*first),
                1 + unknown.count(),
                rows.len()
            ));
        }
        Ok(notes)
    }

    /// How many numbers an example has.
    pub fn inputs_len(&self) -> usize {
        let width = |feature: &Feature| {
            let own = match &feature.encoding {
                Encoding::Standardized { .. } => 1,
                Encoding::OneHot(categories) => categories.len(),
            };
            own + usize::from(feature.flag)
        };
        self.features.iter().map(width).sum()
    }

    /// The rows of a table as inputs `[examples, inputs]`, without the target, and which rows these
    /// are: with [`Missing::Drop`], those without a missing value.
    ///
    /// # Errors
    /// A column that is missing, or has words for numbers.
    pub fn inputs(&self, table: &Table) -> Result<(Tensor, Vec<usize>)> {
        let columns: Vec<(&Feature, &Column)> = self
            .features
            .iter()
            .map(|feature| Ok((feature, table.column(&feature.name)?)))
            .collect::<Result<_>>()?;
        let words: Vec<&[Option<String>]> =
            columns.iter().map(|(_, column)| &column.fields[..]).collect();
        let mut numbers = Vec::with_capacity(table.len() * self.inputs_len());
        let mut rows = Vec::new();
        for row in 0..table.len() {
            if self.missing == Missing::Drop && words.iter().any(|column| column[row].is_none()) {
                continue;
            }
            rows.push(row);
            for ((feature, column), words) in columns.iter().zip(&words) {
                let word = words[row].as_deref();
                match (&feature.encoding, &column.values) {
                    (Encoding::Standardized { mean, deviation }, Values::Numbers(all)) => {
                        let x = all[row].map_or(0.0, |x| (x - mean) / deviation);
                        numbers.push(x as f32);
                    }
                    (Encoding::Standardized { .. }, Values::Words(_)) => {
                        return Err(words_for_numbers(table, column));
                    }
                    (Encoding::OneHot(categories), _) => {
                        let found = word.and_then(|word| position(categories, word));
                        let is = |at: usize| f32::from(u8::from(found == Some(at)));
                        numbers.extend((0..categories.len()).map(is));
                    }
                }
                if feature.flag {
                    numbers.push(f32::from(u8::from(word.is_none())));
                }
            }
        }
        Ok((Tensor::new([rows.len(), self.inputs_len()], numbers)?, rows))
    }

    /// The rows of a table as examples with their targets: classes, or standardized numbers
    /// `[examples, 1]`. Rows without a target are left out.
    ///
    /// # Errors
    /// See [`inputs`](TableEncoder::inputs); a class that training did not have; no row that is left.
    pub fn examples(&self, table: &Table) -> Result<Dataset> {
        let refuse = |why: String| Err(Error::Read { path: table.name().into(), why });
        let (inputs, rows) = self.inputs(table)?;
        let column = table.column(self.target.name())?;
        let words = &column.fields;
        let (kept, rows): (Vec<usize>, Vec<usize>) =
            rows.into_iter().enumerate().filter(|(_, row)| words[*row].is_some()).unzip();
        if rows.is_empty() {
            return refuse("no row is left to learn from: all have missing values".to_owned());
        }
        let targets = match (&self.target, &column.values) {
            (Target::Number { mean, deviation, .. }, Values::Numbers(all)) => {
                let of = |&row: &usize| all[row].map_or(0.0, |x| ((x - mean) / deviation) as f32);
                Tensor::new([rows.len(), 1], rows.iter().map(of).collect::<Vec<f32>>())?
            }
            (Target::Number { .. }, Values::Words(_)) => {
                return Err(words_for_numbers(table, column));
            }
            (Target::Class { name, classes }, _) => {
                let mut labels = Vec::with_capacity(rows.len());
                for &row in &rows {
                    let word = words[row].as_deref().unwrap_or_default();
                    match position(classes, word) {
                        Some(label) => labels.push(label),
                        None => {
                            return refuse(format!(
                                "row {}, line {}: `{name}` is `{word}`, and was one of {} in training",
                                row + 1,
                                table.line(row),
                                classes.join(", ")
                            ));
                        }
                    }
                }
                let inputs = Rows::from(inputs).select(&kept)?;
                return Dataset::new(inputs.values().clone(), labels, classes.len());
            }
        };
        let inputs = Rows::from(inputs).select(&kept)?;
        Dataset::pairs(inputs, targets)
    }
}

/// A column that had numbers in training, and has words now.
fn words_for_numbers(table: &Table, column: &Column) -> Error {
    let is_word = |row: &usize| {
        column.fields[*row].as_deref().is_some_and(|word| super::number(word).is_none())
    };
    let row = (0..table.len()).find(is_word).unwrap_or(0);
    let word = column.fields.get(row).and_then(Option::as_deref).unwrap_or_default();
    let why = format!(
        "line {}: the column `{}` has words such as `{word}`, and had numbers in training",
        table.line(row),
        column.name,
    );
    Error::Read { path: table.name().into(), why }
}

/// Which of some categories a word is: as it is written, or as a number.
fn position(categories: &[String], word: &str) -> Option<usize> {
    let find = |word: &str| categories.iter().position(|each| each == word);
    find(word).or_else(|| find(&super::number(word)?.to_string()))
}

/// Mean and standard deviation of what is not missing; a deviation of 1 where all are equal.
pub(super) fn moments(numbers: &[Option<f64>]) -> [f64; 2] {
    let present: Vec<f64> = numbers.iter().flatten().copied().collect();
    let count = present.len().max(1) as f64;
    let mean = present.iter().map(|x| x / count).sum::<f64>();
    let deviation = (present.iter().map(|x| (x - mean) * (x - mean) / count).sum::<f64>()).sqrt();
    [mean, if deviation > 0.0 { deviation } else { 1.0 }]
}

/// The words that there are, each once, in order.
pub(super) fn distinct(words: &[Option<String>]) -> Vec<String> {
    let mut all: Vec<String> = words.iter().flatten().cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::parse("t.csv", "x,town,y\n1,A,yes\n3,B,no\n,A,yes\n5,,\n").unwrap()
    }

    fn encoder(missing: Missing) -> TableEncoder {
        TableEncoder::fit(&table(), &Columns { missing, ..Columns::target("y") }).unwrap()
    }

    #[test]
    fn numbers_are_standardized_and_categories_have_a_number_each() {
        let data = encoder(Missing::Mean).examples(&table()).unwrap();
        assert_eq!((data.len(), data.classes()), (3, 2));
        assert_eq!(data.labels(), [1, 0, 1]);
        // The mean of 1, 3 and 5 is 3, their deviation √(8/3).
        let low = (-2.0 / (8.0_f64 / 3.0).sqrt()) as f32;
        let rows = data.inputs().to_vec::<f32>().unwrap();
        assert_eq!(rows, [low, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn missing_values_are_flagged_or_dropped_as_asked() {
        let flagged = encoder(Missing::Flag).inputs(&table()).unwrap();
        assert_eq!(flagged.0.shape()[..], [4, 5]);
        let of_row = |row: usize| flagged.0.to_f64s()[5 * row..][..5].to_vec();
        assert_eq!((of_row(2)[1], of_row(3)[2..].to_vec()), (1.0, vec![0.0, 0.0, 1.0]));
        let (inputs, rows) = encoder(Missing::Drop).inputs(&table()).unwrap();
        assert_eq!((inputs.shape()[0], rows), (2, vec![0, 1]));
        assert_eq!(encoder(Missing::Drop).examples(&table()).unwrap().len(), 2);
    }

    #[test]
    fn what_training_did_not_see_is_no_category_and_a_new_class_is_refused() {
        let encoder = encoder(Missing::Mean);
        let other = Table::parse("other.csv", "x,town,y\n1,C,maybe\n").unwrap();
        assert_eq!(encoder.inputs(&other).unwrap().0.to_f64s()[1..], [0.0, 0.0]);
        let error = encoder.examples(&other).unwrap_err().to_string();
        assert!(
            error.contains("row 1, line 2: `y` is `maybe`, and was one of no, yes in training"),
            "{error}"
        );
        let words = Table::parse("words.csv", "x,town\nmany,A\n").unwrap();
        let error = encoder.inputs(&words).unwrap_err().to_string();
        assert!(error.contains("the column `x` has words such as `many`"), "{error}");
    }

    #[test]
    fn names_of_rows_are_no_categories() {
        let rows: String = (0..300).map(|i| format!("name{i},{}\n", i % 2)).collect();
        let table = Table::parse("names.csv", &format!("id,y\n{rows}")).unwrap();
        let error = TableEncoder::fit(&table, &Columns::target("y")).unwrap_err().to_string();
        assert!(error.contains("`id` has 300 different words"), "{error}");
    }
}
