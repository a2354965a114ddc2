//! The CSV format: RFC 4180, with other separators.

use std::collections::HashSet;

/// The names of the columns, and the fields row by row.
#[derive(Debug, PartialEq)]
pub(super) struct Records {
    pub header: Vec<String>,
    pub fields: Vec<String>,
    /// The line on which each record begins, behind the header.
    pub lines: Vec<usize>,
}

/// What separates fields.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Reads all records, each of as many fields as the header; lines without anything are passed over.
pub(super) fn records(text: &str) -> Result<Records, String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: &char| {
        let outside = first.split('"').step_by(2);
        outside.map(|part| part.matches(*separator).count()).sum::<usize>()
    };
    // The first of equals, a comma if there is none.
    let separator = SEPARATORS.iter().rev().max_by_key(|each| count(each)).copied().unwrap_or(',');
    let mut reader = Reader { rest: text, separator, line: 1 };
    let Some(header) = reader.record()? else {
        return Err("it is empty, expected a header and rows".to_owned());
    };
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut seen = HashSet::new();
    if let Some(twice) = header.iter().find(|name| !name.is_empty() && !seen.insert(&name[..])) {
        return Err(format!("its header has the column `{twice}` twice"));
    }
    if header.iter().all(String::is_empty) {
        return Err("its header has no names".to_owned());
    }
    let (mut fields, mut lines) = (Vec::new(), Vec::new());
    loop {
        let line = reader.next_line();
        let Some(record) = reader.record()? else { break };
        if record.len() != header.len() {
            return Err(format!(
                "line {line}: fields: {}, expected {} as in the header",
                record.len(),
                header.len()
            ));
        }
        fields.extend(record);
        lines.push(line);
    }
    if fields.is_empty() {
        return Err("there are no rows behind the header".to_owned());
    }
    Ok(Records { header, fields, lines })
}

struct Reader<'a> {
    rest: &'a str,
    separator: char,
    line: usize,
}

impl Reader<'_> {
    /// The line on which the next record begins.
    fn next_line(&mut self) -> usize {
        while let Some((line, rest)) = self.rest.split_once('\n') {
            if !line.trim().is_empty() {
                break;
            }
            (self.rest, self.line) = (rest, self.line + 1);
        }
        self.line
    }

    /// The fields of the next record; none at the end.
    fn record(&mut self) -> Result<Option<Vec<String>>, String> {
        self.next_line();
        if self.rest.trim().is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            let mut chars = self.rest.chars();
            match chars.next() {
                Some(c) if c == self.separator => self.rest = chars.as_str(),
                Some('\r') => {
                    self.rest = chars.as_str().strip_prefix('\n').unwrap_or(chars.as_str());
                    self.line += 1;
                    return Ok(Some(fields));
                }
                Some('\n') => {
                    self.rest = chars.as_str();
                    self.line += 1;
                    return Ok(Some(fields));
                }
                None => return Ok(Some(fields)),
                Some(other) => {
                    return Err(format!(
                        "line {}: `{other}` follows a closing quote, expected `{}` or the end of \
                         the line",
                        self.line, self.separator
                    ));
                }
            }
        }
    }

    fn field(&mut self) -> Result<String, String> {
        let Some(mut quoted) = self.rest.strip_prefix('"') else {
            let is_end = |c: char| c == self.separator || c == '\n' || c == '\r';
            let end = self.rest.find(is_end).unwrap_or(self.rest.len());
            let (field, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(field.to_owned());
        };
        let start = self.line;
        let mut field = String::new();
        loop {
            let Some((part, rest)) = quoted.split_once('"') else {
                return Err(format!("line {start}: a quote is not closed"));
            };
            field.push_str(part);
            self.line += part.matches('\n').count();
            match rest.strip_prefix('"') {
                // Two quotes within quotes stand for one.
                Some(rest) => {
                    field.push('"');
                    quoted = rest;
                }
                None => {
                    self.rest = rest;
                    return Ok(field);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<String> {
        records(text).unwrap().fields
    }

    #[test]
    fn quotes_hold_separators_lines_and_quotes() {
        let text = "a,b\r\n\"1,5\",\"two\nlines\"\r\n\"say \"\"hi\"\"\",\r\n";
        assert_eq!(fields(text), ["1,5", "two\nlines", "say \"hi\"", ""]);
    }

    #[test]
    fn the_header_says_what_separates_fields() {
        assert_eq!(fields("a;b\n1,5;2\n"), ["1,5", "2"]);
        assert_eq!(fields("a\tb\n1\t2"), ["1", "2"]);
        assert_eq!(fields("\"a;b;c\",d\n1,2\n\n3,4\n"), ["1", "2", "3", "4"]);
        assert_eq!(fields("a\n1\n"), ["1"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let refused = |text: &str| records(text).unwrap_err();
        assert!(refused("").contains("it is empty"));
        assert!(refused("a,b\n").contains("no rows"));
        assert!(refused("a,b,a\n1,2,3\n").contains("the column `a` twice"));
        assert_eq!(
            refused("a,b\n1,2\n\n\"x\ny\",2\n3\n"),
            "line 6: fields: 1, expected 2 as in the header"
        );
        assert_eq!(refused("a,b\n1,\"2\n3,4\n"), "line 2: a quote is not closed");
        assert!(refused("a,b\n1,\"2\"x\n").starts_with("line 2: `x` follows a closing quote"));
    }
}
