//! The served page in Chromium: progress, results that come while it is open, sliders that stay. Skipped without a
//! chromedriver.

use labelmix_browser::Browser;

use crate::served::Served;
use crate::workplace::Workplace;

/// Moves the slider of the budget as a person does.
const SLIDE: &str = "const slider = document.getElementById('budget-slider'); slider.value = 640; \
                     slider.dispatchEvent(new Event('input', { bubbles: true })); return labelmix.state.budget";

#[test]
fn results_come_and_what_a_person_set_stays() {
    let Some(browser) = Browser::start() else { return };
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    let served = Served::start(&workplace, &["study.toml"]);
    browser.resize(1280, 1400);
    browser.open(&served.url);
    browser.wait_for("return document.getElementById('live-notes').textContent.includes('has not been swept')");
    browser.picture("served_before.png");

    // The page is open while the sweep runs.
    workplace.output_of(&["sweep", "study.toml"]);
    browser.wait_for("return document.querySelectorAll('#cost-chart .mark').length === 6");
    // Progress and results come one after the other.
    browser.wait_for(
        "return document.getElementById('live-progress').textContent.startsWith('6 of 6 runs; stages: 7 of 7 done')",
    );
    assert!(browser.text_of("about").starts_with("6 runs"));
    let state = "return JSON.stringify(labelmix.state)";
    assert!(
        browser.run("return labelmix.state.budget === labelmix.initial.budget") == true,
        "first results set the sliders"
    );

    // A person sets a budget, opens a run, and is at a mark.
    let budget = browser.run(SLIDE);
    browser.settle();
    browser.run("document.querySelectorAll('#runs td button')[0].click()");
    browser.wait_for("return !document.getElementById('run').hidden");
    // It comes into view smoothly.
    browser.wait_for("const still = scrollY > 100 && scrollY === window.before; window.before = scrollY; return still");
    let opened = browser.text_of("run-heading");
    browser.run("const mark = document.querySelector('#cost-chart .mark[tabindex=\"0\"]'); mark.focus({ preventScroll: true }); return mark.dataset.key");
    let at = browser.run("return document.activeElement.dataset.key");
    let set = browser.run(state);
    let scrolled = browser.run("return scrollY");

    workplace.write("study.toml", Workplace::study());
    workplace.output_of(&["sweep", "study.toml"]);
    browser.wait_for("return document.getElementById('about').textContent.startsWith('12 runs')");
    browser.settle();
    assert_eq!(browser.run(state), set);
    assert_eq!(browser.run("return labelmix.state.budget"), budget);
    assert_eq!(browser.text_of("run-heading"), opened, "what was opened stays open");
    assert_eq!(browser.run("return document.activeElement.dataset.key"), at, "the reader is where they were");
    assert_eq!(browser.run("return scrollY"), scrolled);
    browser.wait_for(
        "return document.getElementById('live-results').textContent.startsWith('Results of 12 runs, updated')",
    );
    assert_eq!(browser.run("return document.getElementById('live-bar').value"), 14);
    browser.picture("served_after.png");

    // The list of studies, and back by its link.
    browser.run("scrollTo({ top: 0, behavior: 'instant' })");
    browser.click("#live a");
    browser.wait_for("return document.querySelector('#studies a')?.textContent === 'small'");
    browser.picture("served_studies.png");
    browser.click("#studies a");
    browser.wait_for("return document.getElementById('about')?.textContent.startsWith('12 runs')");
    assert_eq!(browser.complaints(), [""; 0]);

    // A server that is gone is told, and the page stays.
    served.stop("INT");
    browser.wait_for("return document.getElementById('live-results').textContent.includes('does not answer')");
    browser.run(SLIDE);
    assert!(browser.text_of("sentence").starts_with("For $"));
}

#[test]
fn the_printed_address_lets_a_browser_in_and_keeps_the_token_out_of_sight() {
    let Some(browser) = Browser::start() else { return };
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]").replace("[8, 16]", "[8]"));
    workplace.output_of(&["sweep", "study.toml"]);
    let served = Served::start(&workplace, &["study.toml", "--expose"]);
    assert!(served.url.contains("/study/small/?token="), "{}", served.url);
    browser.open(&served.url);
    browser.wait_for("return document.getElementById('about').textContent.startsWith('3 runs')");
    assert_eq!(browser.run("return location.search + document.cookie"), "");
    assert_eq!(browser.complaints(), [""; 0]);
}
