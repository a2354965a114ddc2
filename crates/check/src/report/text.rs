//! A report as text.

use std::fmt;

use crate::report::number::{number, pair};
use crate::report::{Colored, Failure, KinkPoint, Loses, Report, Single, Tried, Verdict};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |verdict| format!("{:<7}", verdict.name()))
    }
}

impl fmt::Display for Colored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, |verdict| {
            let color = match verdict {
                Verdict::Pass => 32,
                Verdict::Fail => 31,
                Verdict::Kink | Verdict::Noise => 33,
                Verdict::Skipped(_) => 90,
            };
            format!("\x1b[{color}m{:<7}\x1b[0m", verdict.name())
        })
    }
}

impl Report {
    fn write(&self, f: &mut fmt::Formatter<'_>, word: impl Fn(&Verdict) -> String) -> fmt::Result {
        writeln!(
            f,
            "{}: loss {}, seed {}, {} runs",
            self.title,
            number(self.loss),
            self.seed,
            self.runs
        )?;
        let width = self.rows.iter().map(|row| row.input.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "  order  {:<width$}  verdict  digits  margin", "input")?;
        for row in &self.rows {
            write!(f, "  {:>5}  {:<width$}  {}", row.order, row.input, word(&row.verdict))?;
            match &row.verdict {
                Verdict::Skipped(why) => writeln!(f, "  {why}")?,
                _ => writeln!(f, "  {:>6.1}  {}", row.digits, margin(row.margin))?,
            }
            if let Some(kink) = &row.kink {
                write!(f, "{kink}")?;
            }
            if let Some(tried) = &row.tried {
                write!(f, "{tried}")?;
            }
            if let Some(failure) = &row.failure {
                write!(f, "{failure}")?;
            }
        }
        match &self.single {
            Some(single) => write!(f, "{single}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.loss.is_finite() && self.gradient.is_finite() {
            true => writeln!(
                f,
                "  in f32: the loss is {} ulp off, the gradient {}",
                ulps(self.loss),
                ulps(self.gradient)
            )?,
            false => writeln!(f, "  in f32: the loss or its gradient is not finite")?,
        }
        match &self.loses {
            Some(Loses { op, digits: (before, after) }) => writeln!(
                f,
                "          most digits are lost in `{}` ({}): {before:.1} in what it reads, {after:.1} \
                 in what it gives",
                op.op,
                op.origin()
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.numeric.value.is_nan() {
            return writeln!(
                f,
                "           uncertain: no step to both sides stays where the value is finite"
            );
        }
        let [numeric, analytic] = pair(self.numeric.value, self.analytic);
        writeln!(
            f,
            "           uncertain: with steps up to {:.0e} the slope along a direction is {numeric} ± \
             {:.0e} by differences, {analytic} by rules",
            self.step, self.numeric.error,
        )
    }
}

impl fmt::Display for KinkPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self
            .element
            .as_ref()
            .map_or("along a direction".to_owned(), |element| format!("at {element:?}"));
        if self.slopes.1.is_infinite() {
            write!(f, "           the value jumps {at}")?;
        } else {
            let (left, right) = (number(self.slopes.0), number(self.slopes.1));
            write!(f, "           a kink {at}: slope {left} on the left, {right} on the right")?;
        }
        match &self.op {
            Some(op) => writeln!(f, "; from {op}"),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.worst.is_empty() {
            writeln!(f, "           diagnosis: {}", self.diagnosis)?;
            return self.write_end(f);
        }
        let (wrong, checked) = self.wrong;
        writeln!(
            f,
            "           {} wrong of {checked} looked at, of {}",
            match wrong {
                1 => "1 element is".to_owned(),
                _ => format!("{wrong} elements are"),
            },
            self.elements
        )?;
        let header = ["element", "value", "analytic", "numeric", "± error"];
        let rows = self.worst.iter().map(|element| {
            let [analytic, numeric] = pair(element.analytic, element.numeric.value);
            [
                format!("{:?}", element.index),
                number(element.value),
                analytic,
                numeric,
                format!("{:.0e}", element.numeric.error),
            ]
        });
        let rows: Vec<[String; 5]> =
            std::iter::once(header.map(str::to_owned)).chain(rows).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        for row in &rows {
            write!(f, "          ")?;
            for (column, cell) in row.iter().enumerate() {
                write!(f, " {cell:>width$} ", width = width(column))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "           diagnosis: {}", self.diagnosis)?;
        match &self.blame {
            Some(blame) => writeln!(f, "           blame: the rule of {blame}")?,
            None if self.opaque => {
                writeln!(f, "           blame: none, since the ops of a black box cannot be seen")?;
            }
            None => writeln!(f, "           blame: the rule of each op by itself is right")?,
        }
        self.write_end(f)
    }
}

impl Failure {
    /// Where a second derivative ends, and the smallest case.
    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(end) = &self.end {
            let origin = end.origin();
            writeln!(f, "           the graph of the gradient ends at `{}` ({origin})", end.op)?;
        }
        match &self.smallest {
            Some(smallest) => write!(f, "{smallest}"),
            None => Ok(()),
        }
    }
}

fn margin(margin: f64) -> String {
    if margin < 1e3 { format!("{margin:.2}") } else { format!("{margin:.0e}") }
}

fn ulps(ulps: f64) -> String {
    if ulps < 1e4 { format!("{ulps:.1}") } else { format!("{ulps:.0e}") }
}
