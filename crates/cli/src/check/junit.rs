//! Results as JUnit XML, which continuous integration reads.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::{Result, Timed};
use lossgraph_check::{Finding, Verdict};

/// A test suite: a case for each derivative, with its report as text if it failed.
pub fn suite(results: &[Timed]) -> Result<Vec<u8>> {
    let rows = || results.iter().flat_map(|timed| &timed.report.rows);
    let all =
        || results.iter().flat_map(|timed| timed.report.rows.iter().map(move |row| (timed, row)));
    let failures = all().filter(|(timed, row)| timed.is_failure(row)).count();
    let is_skipped = |(timed, row): &(&Timed, &Finding)| {
        matches!(row.verdict, Verdict::Skipped(_)) && !timed.is_failure(row)
    };
    let skipped = all().filter(is_skipped).count();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(quick_xml::events::BytesDecl::new(
        "1.0",
        Some("UTF-8"),
        None,
    )))?;
    let suite = BytesStart::new("testsuite").with_attributes([
        ("name", "lossgraph check"),
        ("tests", &rows().count().to_string()),
        ("failures", &failures.to_string()),
        ("skipped", &skipped.to_string()),
    ]);
    writer.write_event(Event::Start(suite))?;
    for timed in results {
        // The time of a program is shared by its derivatives.
        let seconds = timed.took.as_secs_f64() / timed.report.rows.len().max(1) as f64;
        for row in &timed.report.rows {
            case(&mut writer, timed, row, seconds)?;
        }
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    Ok(writer.into_inner())
}

fn case(writer: &mut Writer<Vec<u8>>, timed: &Timed, row: &Finding, seconds: f64) -> Result<()> {
    let order = if row.order == 1 { "gradient" } else { "Hessian" };
    let case = BytesStart::new("testcase").with_attributes([
        ("classname", &*timed.report.title),
        ("name", &format!("{order} in {}", row.input)),
        ("time", &format!("{seconds:.6}")),
    ]);
    match &row.verdict {
        Verdict::Fail => {
            writer.write_event(Event::Start(case))?;
            let why = row.failure.as_ref().map_or(String::new(), |f| f.diagnosis.to_string());
            let failure = BytesStart::new("failure").with_attributes([("message", &*why)]);
            writer.write_event(Event::Start(failure))?;
            writer.write_event(Event::Text(BytesText::new(&timed.report.to_string())))?;
            writer.write_event(Event::End(BytesEnd::new("failure")))?;
            writer.write_event(Event::End(BytesEnd::new("testcase")))?;
        }
        Verdict::Skipped(_) | Verdict::Noise if timed.is_failure(row) => {
            writer.write_event(Event::Start(case))?;
            let why = match &row.verdict {
                Verdict::Skipped(why) => why,
                _ => "lost in noise",
            };
            let failure = BytesStart::new("failure").with_attributes([("message", why)]);
            writer.write_event(Event::Empty(failure))?;
            writer.write_event(Event::End(BytesEnd::new("testcase")))?;
        }
        Verdict::Skipped(why) => {
            writer.write_event(Event::Start(case))?;
            let skipped = BytesStart::new("skipped").with_attributes([("message", &**why)]);
            writer.write_event(Event::Empty(skipped))?;
            writer.write_event(Event::End(BytesEnd::new("testcase")))?;
        }
        _ => writer.write_event(Event::Empty(case))?,
    }
    Ok(())
}
