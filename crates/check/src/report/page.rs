//! A page of results: a table of all that was checked, in which each failure opens its picture.

use std::fmt::Write;

use crate::report::number::{number, pair};
use crate::report::{Finding, Line, Report, Verdict};

/// A page of the results of checks, as one self-contained file of HTML.
///
/// ```
/// use lossgraph_check::{Page, check};
///
/// let report = check(|_, x| x[0].square().sum(..), &[[1.0, 2.0].into()])?;
/// let html = Page::new("my losses").report(&report).to_html();
/// assert!(html.contains("<td class=\"PASS\">PASS</td>"));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Page<'a> {
    title: String,
    parts: Vec<(&'a Report, Option<String>)>,
}

impl<'a> Page<'a> {
    /// A page without results.
    pub fn new(title: impl Into<String>) -> Page<'a> {
        Page { title: title.into(), parts: Vec::new() }
    }

    /// Adds a report.
    #[must_use]
    pub fn report(mut self, report: &'a Report) -> Page<'a> {
        self.parts.push((report, None));
        self
    }

    /// Adds a page of the explainer, as HTML, to the report that was added last: each of its
    /// failures and kinks opens it.
    #[must_use]
    pub fn explained(mut self, html: impl Into<String>) -> Page<'a> {
        if let Some((_, explainer)) = self.parts.last_mut() {
            *explainer = Some(html.into());
        }
        self
    }

    /// The page as HTML.
    pub fn to_html(&self) -> String {
        let rows = || self.parts.iter().flat_map(|(report, _)| &report.rows);
        let count = |name: &str| rows().filter(|row| row.verdict.name() == name).count();
        let counts: Vec<String> = ["PASS", "KINK", "NOISE", "FAIL", "SKIPPED"]
            .map(|name| (name, count(name)))
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("<span class=\"{name}\">{count} {name}</span>"))
            .collect();
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>\n{style}</style>\n<h1>{title}</h1>\n<p>{counts}</p>\n",
            title = escaped(&self.title),
            style = include_str!("page.css"),
            counts = counts.join(", "),
        );
        for (report, explainer) in &self.parts {
            section(&mut html, report, explainer.as_deref());
        }
        html + "</html>\n"
    }
}

/// The table of a report.
fn section(html: &mut String, report: &Report, explainer: Option<&str>) {
    let mut line = |text: String| {
        html.push_str(&text);
        html.push('\n');
    };
    line(format!("<h2>{}</h2>", escaped(&report.title)));
    line(format!("<p>loss {}, seed {}, {} runs</p>", report.loss, report.seed, report.runs));
    line("<table>".to_owned());
    line(
        "<tr><th>order</th><th>input</th><th>verdict</th><th class=\"number\">digits</th>\
         <th class=\"number\">margin</th></tr>"
            .to_owned(),
    );
    for row in &report.rows {
        let name = row.verdict.name();
        let (digits, margin) = match &row.verdict {
            Verdict::Skipped(_) => (String::new(), String::new()),
            _ => (format!("{:.1}", row.digits), format!("{:.2e}", row.margin)),
        };
        line(format!(
            "<tr><td>{}</td><td>{}</td><td class=\"{name}\">{name}</td><td class=\"number\">{digits}\
             </td><td class=\"number\">{margin}</td></tr>",
            row.order,
            escaped(&row.input),
        ));
        let reasons = reasons(row, explainer);
        if !reasons.is_empty() {
            line(format!("<tr><td colspan=\"5\">{reasons}</td></tr>"));
        }
    }
    line("</table>".to_owned());
    if let Some(single) = &report.single {
        line(format!("<pre>{}</pre>", escaped(single.to_string().trim_end())));
    }
}

/// What a row opens: words, the picture, and the explainer.
fn reasons(row: &Finding, explainer: Option<&str>) -> String {
    if let Verdict::Skipped(why) = &row.verdict {
        return escaped(why);
    }
    let texts = [
        row.kink.as_ref().map(ToString::to_string),
        row.tried.as_ref().map(ToString::to_string),
        row.failure.as_ref().map(ToString::to_string),
    ];
    let text: String = texts.into_iter().flatten().collect();
    if text.is_empty() && row.line.is_none() {
        return String::new();
    }
    let open = if row.verdict == Verdict::Fail { " open" } else { "" };
    let mut reasons = format!("<details{open}><summary>why</summary>");
    if !text.is_empty() {
        reasons += &format!("<pre>{}</pre>", escaped(&dedented(&text)));
    }
    reasons += &row.line.as_ref().map(picture).unwrap_or_default();
    let op = match (&row.failure, &row.kink) {
        (Some(failure), _) => failure.blame.as_ref().or(failure.end.as_ref()),
        (_, Some(kink)) => kink.op.as_ref(),
        _ => None,
    };
    if let (Some(explainer), Some(op)) = (explainer, op) {
        reasons += &format!(
            "<details><summary>the program, step by step; look at <code>{}</code>, node %{}</summary>\
             <iframe loading=\"lazy\" srcdoc=\"{}\"></iframe></details>",
            escaped(op.op),
            op.node,
            escaped(&opened_at(explainer, op.node))
        );
    }
    reasons + "</details>"
}

/// A page of the explainer that opens all groups and selects a node.
fn opened_at(explainer: &str, node: usize) -> String {
    let script = format!("<script>active.openAll(); active.find({node});</script>\n</body>");
    explainer.replacen("</body>", &script, 1)
}

/// Lines without the spaces that all of them begin with.
fn dedented(text: &str) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let indent = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let all: Vec<&str> = text.lines().map(|line| line.get(indent..).unwrap_or("")).collect();
    all.join("\n")
}

/// The function along a direction, with its slopes by rules and by differences, as SVG.
fn picture(line: &Line) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 320.0;
    const EDGE: f64 = 40.0;
    let points: Vec<(f64, f64)> =
        line.points.iter().copied().filter(|(_, y)| y.is_finite()).collect();
    let here = points.iter().find(|(t, _)| *t == 0.0).map(|(_, y)| *y);
    let (Some(here), Some(first), Some(last)) = (here, points.first(), points.last()) else {
        return String::new();
    };
    let (left, right) = (first.0, last.0);
    let mut low = points.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let mut high = points.iter().map(|(_, y)| *y).fold(f64::NEG_INFINITY, f64::max);
    // Room for a slope that is wrong, but not so much that the function is a line.
    let rise = (line.analytic * (right - left)).abs();
    if rise.is_finite() {
        let room = rise.min(2.0 * (high - low)) / 2.0;
        (low, high) = (low.min(here - room), high.max(here + room));
    }
    if high <= low {
        let room = here.abs().max(1.0) * 1e-3;
        (low, high) = (here - room, here + room);
    }
    let x =
        |t: f64| EDGE + (t - left) / (right - left).max(f64::MIN_POSITIVE) * (WIDTH - 2.0 * EDGE);
    let y = |value: f64| HEIGHT - EDGE - (value - low) / (high - low) * (HEIGHT - 2.0 * EDGE);
    let curve: Vec<String> =
        points.iter().map(|(t, value)| format!("{:.1},{:.1}", x(*t), y(*value))).collect();
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"The function along the \
         direction, with its slopes\"><clipPath id=\"frame\"><rect x=\"{EDGE}\" y=\"{EDGE}\" width=\"{}\" \
         height=\"{}\"/></clipPath><rect x=\"{EDGE}\" y=\"{EDGE}\" width=\"{}\" height=\"{}\" fill=\"none\" \
         stroke=\"#ccc\"/>",
        WIDTH - 2.0 * EDGE,
        HEIGHT - 2.0 * EDGE,
        WIDTH - 2.0 * EDGE,
        HEIGHT - 2.0 * EDGE,
    );
    let mut tangent = |slope: f64, style: &str| {
        if slope.is_finite() {
            let end = |t: f64| format!("{:.1} {:.1}", x(t), y(here + slope * t).clamp(-1e4, 1e4));
            let _ = write!(
                svg,
                "<path d=\"M{} L{}\" fill=\"none\" {style} clip-path=\"url(#frame)\"/>",
                end(left),
                end(right)
            );
        }
    };
    tangent(line.numeric.value, "stroke=\"#1a7f37\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"");
    tangent(line.analytic, "stroke=\"#cf222e\" stroke-width=\"1.5\"");
    let [analytic, numeric] = pair(line.analytic, line.numeric.value);
    let (low, high) = (number(low), number(high));
    let _ = write!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0550ae\" stroke-width=\"2\"/>\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"#0550ae\"/>\
         <g font-size=\"12\" fill=\"#57606a\"><text x=\"{EDGE}\" y=\"{:.0}\">{left:.1e}</text>\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{right:.1e}</text>\
         <text x=\"{EDGE}\" y=\"{:.0}\"><tspan fill=\"#0550ae\">the function along the direction, from \
         {low} to {high}</tspan></text>\
         <text x=\"{EDGE}\" y=\"{:.0}\"><tspan fill=\"#cf222e\">claimed slope {analytic}</tspan> \
         <tspan fill=\"#1a7f37\">by differences {numeric} ± {:.0e}</tspan></text></g></svg>",
        curve.join(" "),
        x(0.0),
        y(here),
        HEIGHT - EDGE + 16.0,
        WIDTH - EDGE,
        HEIGHT - EDGE + 16.0,
        EDGE - 22.0,
        EDGE - 6.0,
        line.numeric.error,
    );
    svg
}

/// Text within HTML, or within an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
