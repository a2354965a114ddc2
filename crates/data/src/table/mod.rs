//! Tables with a header: what a CSV file holds, and what a model takes of it.

mod csv;
mod encoder;
mod target;

pub use encoder::{Columns, Encoding, Feature, Missing, TableEncoder};
pub use target::{Target, TargetKind};

use std::collections::HashMap;
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
    /// Where each column stands among them.
    places: HashMap<String, usize>,
    /// The line of the file on which each row begins.
    lines: Vec<usize>,
    /// How many columns were left out since they have no name.
    unnamed: usize,
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
        let csv::Records { header, fields, lines } = csv::records(text)?;
        let column = |(at, name): (usize, &String)| {
            let of_rows = fields.iter().skip(at).step_by(header.len());
            let present = |field: &String| (!is_missing(field)).then(|| field.trim().to_owned());
            let fields: Vec<Option<String>> = of_rows.map(present).collect();
            Column { name: name.clone(), values: Values::of(&fields), fields }
        };
        let named = header.iter().enumerate().filter(|(_, name)| !name.is_empty());
        let columns: Vec<Column> = named.map(column).collect();
        let names = columns.iter().enumerate();
        let places = names.map(|(at, column)| (column.name.clone(), at)).collect();
        let unnamed = header.len() - columns.len();
        Ok(Table { name, columns, places, lines, unnamed })
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
        self.places.get(name).map(|&at| &self.columns[at]).ok_or_else(|| {
            // As many as one can read.
            const MOST: usize = 40;
            let names = self.columns.iter().take(MOST).map(|column| &*column.name);
            let names = names.collect::<Vec<&str>>().join(", ");
            let more = if self.columns.len() > MOST { ", …" } else { "" };
            let why = format!("there is no column `{name}`; its columns are {names}{more}");
            Error::Read { path: self.name.clone().into(), why }
        })
    }

    /// The line of the file on which a row begins, from 1 on; 0 if there is no such row.
    pub fn line(&self, row: usize) -> usize {
        self.lines.get(row).copied().unwrap_or(0)
    }

    /// What its reader did not expect, a sentence each: columns that are left out, columns of numbers
    /// that a few cells make words of, and those that commas do.
    ///
    /// ```
    /// use lossgraph_data::Table;
    ///
    /// let table = Table::parse("t.csv", "mass\n1.5\nn/a?\n2\n3\n")?;
    /// let told = table.notes();
    /// assert!(told[0].starts_with("column `mass` has 1 cell that is no number, `n/a?` in line 3"));
    /// # Ok::<(), lossgraph_data::Error>(())
    /// ```
    pub fn notes(&self) -> Vec<String> {
        let unnamed = (self.unnamed > 0)
            .then(|| format!("columns without a name, which are left out: {}", self.unnamed));
        let with_commas = self.columns.iter().filter_map(|column| {
            let row = column.decimal_comma()?;
            let (name, field, line) = (&column.name, column.fields[row].as_deref()?, self.line(row));
            Some(format!(
                "column `{name}` has numbers with a comma, such as `{field}` in line {line}: all its \
                 values are taken for words; write {}",
                match readings(field) {
                    [Some(point), Some(none)] => {
                        format!("{none} if it stands between thousands, or else {point}")
                    }
                    [Some(point), None] => format!("{point} with a point"),
                    [None, none] => {
                        format!("{}, with none between thousands", none.unwrap_or_default())
                    }
                }
            ))
        });
        let odd = self.columns.iter().filter(|column| column.decimal_comma().is_none());
        let odd = odd.filter_map(|column| {
            let rows = column.odd_cells();
            let first = column.fields.get(*rows.first()?)?.as_deref()?;
            let (name, count) = (&column.name, rows.len());
            let cells = if count == 1 { "cell that is no number" } else { "cells that are no numbers" };
            let such = if count == 1 { "" } else { "such as " };
            let cure = match first.parse::<f64>() {
                Ok(_) => "a number of 64 bits cannot hold it: if it is a name, leave the column out",
                Err(_) => "mend it, or write NA if it is missing",
            };
            Some(format!(
                "column `{name}` has {count} {cells}, {such}`{first}` in line {}: all its values are \
                 taken for words; {cure}",
                self.line(rows[0])
            ))
        });
        unnamed.into_iter().chain(with_commas).chain(odd).collect()
    }

    /// How many rows there are, without the header.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Column {
    /// The first row with a comma, of a column of words that are numbers but for commas.
    fn decimal_comma(&self) -> Option<usize> {
        let Values::Words(words) = &self.values else { return None };
        let is_number = |word: &String| readings(word).iter().any(Option::is_some);
        let has_comma =
            |word: &Option<String>| word.as_ref().is_some_and(|word| word.contains(','));
        words.iter().flatten().all(is_number).then(|| words.iter().position(has_comma))?
    }

    /// The rows whose cells are no numbers, of a column of words most of whose cells are.
    fn odd_cells(&self) -> Vec<usize> {
        let Values::Words(words) = &self.values else { return Vec::new() };
        let present = words.iter().flatten().count();
        let is_odd =
            |row: &usize| words[*row].as_deref().is_some_and(|word| number(word).is_none());
        let odd: Vec<usize> = (0..words.len()).filter(is_odd).collect();
        if odd.len() * 2 <= present { odd } else { Vec::new() }
    }
}

/// How a number is written without its commas: if one stands for a point, and if they stand between
/// thousands.
fn readings(field: &str) -> [Option<String>; 2] {
    let digits = |group: &str| group.split('.').next().map_or(0, str::len);
    let are_thousands = field.split(',').skip(1).all(|group| digits(group) == 3);
    let [point, thousands] = [field.replacen(',', ".", 1), field.replace(',', "")];
    let is_number = |text: &String| number(text).is_some();
    [Some(point).filter(is_number), Some(thousands).filter(is_number).filter(|_| are_thousands)]
}

/// The number that a field says. Infinity is none, nor is an integer that a float does not hold: two
/// of them would become one.
fn number(field: &str) -> Option<f64> {
    let number = field.parse::<f64>().ok().filter(|x| x.is_finite())?;
    // Beyond 2⁵³ not every integer is a float.
    const EXACT: f64 = (1_u64 << 53) as f64;
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_held = || field.parse::<i128>().is_ok_and(|exact| number as i128 == exact);
    (!is_integer || number.abs() < EXACT || is_held()).then_some(number)
}

impl Values {
    fn of(fields: &[Option<String>]) -> Values {
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
    fn integers_that_a_float_does_not_hold_are_words_and_stay_apart() {
        let table = Table::parse("ids.csv", "x\n9007199254740992\n9007199254740993\n").unwrap();
        let Values::Words(words) = &table.columns()[0].values else { panic!("{table:?}") };
        assert_eq!(words[1].as_deref(), Some("9007199254740993"));
        assert!(table.notes()[0].contains("`9007199254740993` in line 3"), "{:?}", table.notes());
        for exact in ["9007199254740994", "-18014398509481984", "1e300", "0.1"] {
            assert!(number(exact).is_some(), "{exact}");
        }
    }

    #[test]
    fn an_odd_cell_among_numbers_is_told_with_its_line() {
        let of = |text: &str| Table::parse("t.csv", text).unwrap().notes();
        assert!(of("x,y\n1,a\n,b\n").is_empty());
        let told = of("x\n1\n2\n\n3?\n4\n5\n");
        assert!(told[0].contains("1 cell that is no number, `3?` in line 5"), "{told:?}");
        let told = of("x\n1\n2\n3?\n4\n5\nsix\n");
        assert!(
            told[0].contains("2 cells that are no numbers, such as `3?` in line 4"),
            "{told:?}"
        );
        // Names are no numbers gone wrong.
        assert!(of("x\na\nb\n3\n").is_empty());
        assert_eq!(of(",x\n0,1\n"), ["columns without a name, which are left out: 1"]);
    }

    #[test]
    fn infinity_is_a_word() {
        let table = Table::parse("inf.csv", "x\n1\ninf\n").unwrap();
        assert!(matches!(table.columns()[0].values, Values::Words(_)));
    }
}
