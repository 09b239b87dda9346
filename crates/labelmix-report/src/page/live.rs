//! The page as a server gives it: the same, with a strip that says how far the sweep is, and new results as they come. And
//! the list of a store's studies.
//!
//! Their scripts ask the server that they came from, and nobody else: `status.json` and `data.json` beside a study's page,
//! `studies.json` beside the list.

use super::{SCRIPTS, STYLE, fill, filled, policy, text};

const LIVE_PART: &str = include_str!("live.html");
const LIVE_STYLE: &str = include_str!("live.css");
const SEEN: &str = include_str!("seen.js");
const LIVE: &str = include_str!("live.js");
const STUDIES_TEMPLATE: &str = include_str!("studies.html");
const STUDIES: &str = include_str!("studies.js");

/// What a page may ask for beyond what is in it.
const ASKS: &str = "connect-src 'self'; ";

/// A page that is served.
#[derive(Clone, Debug)]
pub struct LivePage {
    pub html: String,
    /// Its content policy, for the answer's header. The page has it too.
    pub policy: String,
}

/// The page of a study with what there is of its results ([`page_data`](super::page_data)); `version` is what the server
/// calls them, and empty if there are none yet.
pub fn live_page(study: &str, data: &str, version: &str) -> LivePage {
    let (script, style) = (SCRIPTS.concat() + SEEN + LIVE, [STYLE, LIVE_STYLE].concat());
    let policy = policy(&script, &style, ASKS);
    let live = fill(LIVE_PART, &[("{{version}}", &text(version))]);
    LivePage { html: filled(study, data, [&policy, &style, &script, &live]), policy }
}

/// The list of a store's studies.
pub fn studies_page() -> LivePage {
    let (script, style) = ([SEEN, STUDIES].concat(), [STYLE, LIVE_STYLE].concat());
    let policy = policy(&script, &style, ASKS);
    let parts = [("{{policy}}", policy.as_str()), ("{{style}}", &style), ("{{script}}", &script)];
    LivePage { html: fill(STUDIES_TEMPLATE, &parts), policy }
}

#[cfg(test)]
mod tests {
    use super::super::{page, page_data};
    use super::*;
    use crate::worked_example::report;

    #[test]
    fn a_live_page_is_the_page_and_a_strip() {
        let report = report();
        let (exported, live) = (page(&report), live_page(&report.answer.study, &page_data(&report), "v1"));
        let body = |page: &str| {
            let start = page.find("<main>").unwrap();
            page[start..page.find("<script>").unwrap()].to_owned()
        };
        assert_eq!(body(&live.html), body(&exported));
        assert!(live.html.contains("data-version=\"v1\"") && live.html.contains("connect-src 'self'"));
        let script = SCRIPTS.concat();
        assert!(live.html.contains(&script) && exported.contains(&script));
        for live_only in ["connect-src", "fetch(", "id=\"live\"", "status.json"] {
            assert!(!exported.contains(live_only), "{live_only}");
        }
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let live = live_page("</title><script>owned()</script>", "{}", "\"><script>owned()</script>");
        assert_eq!(live.html.matches("<script").count(), 2, "the data's and the program's");
    }
}
