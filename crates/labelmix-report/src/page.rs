//! One page of HTML to think with: prices and a budget to move, and the decision that follows.
//!
//! The page is a single file that asks for nothing: style, scripts and data are in it, and its policy allows nothing else.
//! Rust prepares what is costly or random (resamples, surfaces, the map of regimes); `page/model.js` repeats the few
//! formulas that depend on prices, each tested against the Rust one; the other scripts draw. Text from data reaches the
//! document as text alone, through JSON in which `<` is escaped and the DOM's `textContent`.

mod data;
mod embedded;
mod live;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use self::data::PageData;
pub use self::live::{LivePage, live_page, studies_page};
use crate::Report;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// The program, in parts of which later ones use earlier ones.
const SCRIPTS: [&str; 4] = [
    include_str!("page/model.js"),
    include_str!("page/charts.js"),
    include_str!("page/purchases.js"),
    include_str!("page/page.js"),
];

/// The page of a report, as HTML.
pub fn page(report: &Report) -> String {
    let script = SCRIPTS.concat();
    let policy = policy(&script, STYLE, "");
    filled(&report.answer.study, &page_data(report), [&policy, STYLE, &script, ""])
}

/// What a page shows of a report, as JSON in which `<` is escaped.
pub fn page_data(report: &Report) -> String {
    let data = serde_json::to_string(&PageData::new(report)).expect("numbers, texts and lists of them become JSON");
    data.replace('<', "\\u003c")
}

/// The page of a study with this data.
fn filled(study: &str, data: &str, [policy, style, script, live]: [&str; 4]) -> String {
    let title = text(&format!("{study}: which labels to buy"));
    let parts = [
        ("{{policy}}", policy),
        ("{{title}}", &title),
        ("{{style}}", style),
        ("{{script}}", script),
        ("{{live}}", live),
        ("{{data}}", data),
    ];
    fill(TEMPLATE, &parts)
}

/// A template with its parts, in one walk: what is put in is not searched again.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        page.push_str(before);
        let (name, content) = parts
            .iter()
            .find(|(name, _)| from.starts_with(name))
            .expect("the template has places for known parts alone");
        page.push_str(content);
        rest = &from[name.len()..];
    }
    page + rest
}

/// The policy of a page: nothing but what is in it, and `more`.
fn policy(script: &str, style: &str, more: &str) -> String {
    let (script, style) = (hash(script), hash(style));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; {more}base-uri 'none'; form-action 'none'"
    )
}

/// A hash by which the policy knows a script or a style.
fn hash(content: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(content.as_bytes())))
}

/// Text in HTML.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::report;

    #[test]
    fn hostile_texts_stay_text() {
        let mut report = report();
        let hostile = "</script><script>document.title='owned'</script><!-- \"'> \u{202e}gnp.exe";
        report.answer.study = hostile.to_owned();
        for run in &mut report.answer.runs {
            run.model = hostile.to_owned();
        }
        for test in &mut report.details.test {
            test.text = hostile.repeat(1000);
        }
        let page = page(&report);
        assert_eq!(page.matches("</script>").count(), 2, "the data's and the program's");
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<!--"));
        assert!(page.contains("\\u003c/script>\\u003cscript>"));
        assert!(page.contains("<title>&lt;/script&gt;&lt;script&gt;"));
        assert!(page.len() < 1_500_000, "long texts are cut: {} bytes", page.len());
    }

    #[test]
    fn is_the_same_every_time_and_names_no_address() {
        let page = super::page(&report());
        assert_eq!(page, super::page(&report()));
        for address in ["http:", "https:", "src=", "url(\"", "url('", "@import"] {
            let namespace = "http://www.w3.org/2000/svg";
            assert!(!page.replace(namespace, "").contains(address), "{address}");
        }
    }

    #[test]
    fn a_report_without_runs_is_a_page_too() {
        let report = Report {
            answer: crate::worked_example::answer_without_runs(),
            analysis: None,
            details: crate::Details::default(),
        };
        assert!(super::page(&report).contains("\"count\":0"));
    }
}
