//! Results as a page, with the explainer of each loss that failed.

use lossgraph_check::{Page, Verdict};

use super::{Result, Subject, Timed};
use crate::explain;

/// The page of all results.
pub fn of(results: &[Timed]) -> Result<String> {
    let mut page = Page::new("lossgraph check");
    for timed in results {
        page = page.report(&timed.report);
        let opens = |verdict: &Verdict| matches!(verdict, Verdict::Fail | Verdict::Kink);
        if let (Subject::Loss(case), true) =
            (&timed.subject, timed.report.rows.iter().any(|row| opens(&row.verdict)))
        {
            page = page.explained(explain::html_of(case)?);
        }
    }
    Ok(page.to_html())
}
