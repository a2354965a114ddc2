//! A report of a check with what it is about, the time that it took, and what counts as a failure of it.

use std::time::Duration;

use lossgraph_check::{Finding, INTEGERS, Report, Verdict};
use lossgraph_losses::{Case, Loss};
use serde_json::Value;

/// A report with what it is about, and the time that it took.
pub struct Timed {
    pub report: Report,
    pub subject: Subject,
    pub took: Duration,
    /// Whether it lacks a derivative that `--strict` demands.
    is_refused: bool,
}

/// What is checked.
pub enum Subject {
    Loss(Case),
    Program,
}

impl Timed {
    /// A report of a check, whose rows say what a strict one would not let pass.
    pub fn of(mut report: Report, subject: Subject, took: Duration) -> Timed {
        for row in report.rows.iter_mut().filter(|row| row.verdict.is_unchecked()) {
            if let Verdict::Skipped(why) = &mut row.verdict {
                *why += " (with --strict, a failure)";
            }
        }
        Timed { report, subject, took, is_refused: false }
    }

    /// The same of a strict check: all that should be there has to be compared.
    pub fn strict(self) -> Timed {
        let is_refused = self.report.rows.iter().any(|row| row.verdict.is_unchecked());
        Timed { is_refused, ..self }
    }

    /// Whether it is about a loss.
    pub fn is_of(&self, loss: &Loss) -> bool {
        matches!(&self.subject, Subject::Loss(case) if std::ptr::eq(case.loss, loss))
    }

    /// Whether something was compared, or there is nothing to compare on purpose: all gradients of
    /// some losses stop.
    pub fn compared(&self) -> bool {
        let has_gradients = |case: &Case| case.samples.iter().any(|x| x.is_differentiable());
        match &self.subject {
            Subject::Loss(case) if !has_gradients(case) => true,
            _ => self.report.compared(),
        }
    }

    /// Whether a row of it fails: it is wrong, or `--strict` demands what was not compared.
    pub fn is_failure(&self, row: &Finding) -> bool {
        row.verdict == Verdict::Fail || self.is_refused && row.verdict.is_unchecked()
    }

    /// Whether its inputs hold nothing but integers.
    pub fn is_of_integers(&self) -> bool {
        let holds = |verdict: &Verdict| matches!(verdict, Verdict::Skipped(why) if why == INTEGERS);
        self.report.rows.iter().all(|row| holds(&row.verdict))
    }

    /// Whether nothing is wrong, and something was compared.
    pub fn passed(&self) -> bool {
        self.compared() && self.report.verdict() != Verdict::Fail && !self.is_refused
    }

    pub fn to_json(&self) -> Value {
        let mut report = self.report.to_json();
        report["seconds"] = self.took.as_secs_f64().into();
        report
    }
}
