//! Tables with a header: what a CSV file holds, and what a model takes of it.

mod csv;
mod encoder;

pub use encoder::{Columns, Encoding, Feature, Missing, TableEncoder, Target, TargetKind};

use std::path::Path;

use crate::error::{Error, Result};
use crate::file;

/// A table: named columns of equally many rows.
///
/// ```
/// use lossgraph_data::{Columns, Table, TableEncoder};
///
/// let table = Table::parse("flats.csv", "rooms,town,price\n2,Bonn,700\n3,Köln,1100\n,Köln,900\n")?;
/// assert_eq!((table.len(), table.columns().len()), (3, 3));
/// let encoder = TableEncoder::fit(&table, &Columns::target("price"))?;
/// let data = encoder.examples(&table)?;
/// // The rooms, and one number for each town.
/// assert_eq!(data.inputs().shape()[..], [3, 3]);
/// # Ok::<(), lossgraph_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "DataFrame")]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    rows: usize,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// What it holds.
    pub values: Values,
    /// What the fields say; none where one is missing. A category such as `0100` is a word where it
    /// was one in training, even in a table whose column looks like numbers.
    fields: Vec<Option<String>>,
}

/// What a column holds: numbers, if everything in it that is not missing is one; else words.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; none where one is missing.
    Numbers(Vec<Option<f64>>),
    /// Words; none where one is missing.
    Words(Vec<Option<String>>),
}

impl Table {
    /// Reads a CSV file, gzipped or not, with a header: fields between commas, semicolons or tabs,
    /// whichever the header has most of; in quotes, if they hold one of these or a line break.
    ///
    /// A value is missing if its field is empty or `NA`, `N/A`, `NaN`, `null`, `None` or `?`,
    /// whatever the case. A column without a name, as pandas and R write the numbers of rows, is
    /// left out.
    ///
    /// # Errors
    /// A file that cannot be read or is not text; no header; two columns of one name; a row with
    /// more or fewer fields than the header; a quote that is not closed. The error names the line.
    #[doc(alias = "read_csv")]
    pub fn read(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let name = path.display().to_string();
        Table::from_text(name, &file::text(path)?).or_else(|why| file::fail(path, why))
    }

    /// As [`read`](Table::read), from text. Errors call it by `name`.
    ///
    /// # Errors
    /// See [`read`](Table::read).
    pub fn parse(name: &str, text: &str) -> Result<Table> {
        Table::from_text(name.to_owned(), text).or_else(|why| file::fail(Path::new(name), why))
    }

    fn from_text(name: String, text: &str) -> std::result::Result<Table, String> {
        let csv::Records { header, fields } = csv::records(text)?;
        let rows = fields.len() / header.len().max(1);
        let column = |(at, name): (usize, &String)| {
            let of_rows = fields.iter().skip(at).step_by(header.len());
            let present = |field: &String| (!is_missing(field)).then(|| field.trim().to_owned());
            let fields: Vec<Option<String>> = of_rows.map(present).collect();
            Column { name: name.clone(), values: Values::of(&fields), fields }
        };
        let named = header.iter().enumerate().filter(|(_, name)| !name.is_empty());
        let columns = named.map(column).collect();
        Ok(Table { name, columns, rows })
    }

    /// Where it comes from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its columns, in the order of the header.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of a name.
    ///
    /// # Errors
    /// There is none: the error names those that there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| &*column.name).collect();
            let why = format!("there is no column `{name}`; its columns are {}", names.join(", "));
            Error::Read { path: self.name.clone().into(), why }
        })
    }

    /// How many rows there are, without the header.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

impl Values {
    fn of(fields: &[Option<String>]) -> Values {
        let number = |field: &String| field.parse::<f64>().ok().filter(|x| x.is_finite());
        let numbers: Option<Vec<Option<f64>>> = fields
            .iter()
            .map(|field| match field {
                None => Some(None),
                Some(field) => number(field).map(Some),
            })
            .collect();
        match numbers {
            Some(numbers) => Values::Numbers(numbers),
            None => Values::Words(fields.to_vec()),
        }
    }

    /// How many values are missing.
    pub fn missing(&self) -> usize {
        match self {
            Values::Numbers(all) => all.iter().filter(|value| value.is_none()).count(),
            Values::Words(all) => all.iter().filter(|value| value.is_none()).count(),
        }
    }

    /// Each value as a word, as class names and categories are.
    pub(crate) fn words(&self) -> Vec<Option<String>> {
        match self {
            Values::Numbers(all) => {
                all.iter().map(|value| value.map(|number| number.to_string())).collect()
            }
            Values::Words(all) => all.clone(),
        }
    }
}

fn is_missing(field: &str) -> bool {
    let field = field.trim();
    let words = ["na", "n/a", "nan", "null", "none", "?"];
    field.is_empty() || words.iter().any(|word| field.eq_ignore_ascii_case(word))
}

/// 344 penguins of three species: where they live, their measures, sex and year, with values missing.
///
/// # Errors
/// None with the file that is compiled in.
///
/// # Source
/// K. Gorman, T. Williams and W. Fraser, PLoS ONE 9 (3), 2014; A. Horst, A. Hill and K. Gorman,
/// palmerpenguins, 2020. CC0.
pub fn penguins() -> Result<Table> {
    Table::parse("penguins.csv", include_str!("../../data/penguins.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_in_spite_of_missing_values() {
        let penguins = penguins().unwrap();
        assert_eq!((penguins.len(), penguins.columns().len()), (344, 8));
        let of = |name: &str| &penguins.column(name).unwrap().values;
        assert!(matches!(of("body_mass_g"), Values::Numbers(_)));
        assert!(matches!(of("sex"), Values::Words(_)));
        assert_eq!((of("body_mass_g").missing(), of("sex").missing()), (2, 11));
        let error = penguins.column("bodymass").unwrap_err().to_string();
        assert!(
            error.contains("there is no column `bodymass`; its columns are species"),
            "{error}"
        );
    }

    #[test]
    fn a_column_without_a_name_is_left_out() {
        let table = Table::parse("pandas.csv", ",x\n0,1.5\n1,\n").unwrap();
        assert_eq!(table.columns().len(), 1);
        assert_eq!(table.columns()[0].values, Values::Numbers(vec![Some(1.5), None]));
    }

    #[test]
    fn a_category_is_found_again_in_a_column_that_looks_like_numbers() {
        let text = "zip,y\n0100,1.5\n0200,2.5\nn-a2,3.5\n";
        let encoder =
            TableEncoder::fit(&Table::parse("train.csv", text).unwrap(), &Columns::target("y"));
        let encoder = encoder.unwrap();
        let later = Table::parse("later.csv", "zip\n0200\n0100\n").unwrap();
        assert!(matches!(later.columns()[0].values, Values::Numbers(_)));
        let (inputs, _) = encoder.inputs(&later).unwrap();
        assert_eq!(inputs.to_f64s(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        // Classes of numbers are those of training however they are written.
        let classes = Columns { kind: TargetKind::Classes, ..Columns::target("y") };
        let of = |text: &str| Table::parse("t.csv", text).unwrap();
        let encoder = TableEncoder::fit(&of("x,y\n1,1\n2,2\n"), &classes).unwrap();
        assert_eq!(encoder.examples(&of("x,y\n1,2.0\n2,1.0\n")).unwrap().labels(), [1, 0]);
    }

    #[test]
    fn infinity_is_a_word() {
        let table = Table::parse("inf.csv", "x\n1\ninf\n").unwrap();
        assert!(matches!(table.columns()[0].values, Values::Words(_)));
    }
}
