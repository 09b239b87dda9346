//! The page in Chromium: the sliders, the runs, both themes, hostile data. Skipped without a chromedriver.

use std::path::{Path, PathBuf};

use labelmix_browser::Browser;
use labelmix_econ::{Measurements, Prices, pareto_frontier};
use labelmix_report::{Answer, Details, Report, page};
use serde_json::Value;

use super::simulated::Simulation;

fn written(simulation: &Simulation<'_>, folder: &Path) -> PathBuf {
    let path = folder.join("report.html");
    std::fs::write(&path, page(&simulation.report().0)).unwrap();
    path
}

/// Moves a slider as a person does, and says what the page's number is then.
fn slide(browser: &Browser, name: &str, to: u32) -> f64 {
    let script = format!(
        "const slider = document.getElementById('{name}-slider'); slider.value = {to}; \
         slider.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    );
    browser.run(&script);
    browser.settle();
    let state = if name == "budget" { name } else { name.split('-').next().unwrap() };
    browser.run(&format!("return labelmix.state['{state}']")).as_f64().unwrap()
}

#[test]
fn sliders_change_the_figures_to_what_rust_computes() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::PLAIN;
    let path = written(&simulation, folder.path());
    let measurements = Measurements::new(simulation.report().1).unwrap();
    browser.resize(1280, 1400);
    browser.open_file(&path);
    browser.picture("light.png");

    let mut sentences = vec![browser.text_of("sentence")];
    for (slider, to) in [("weak", 780), ("gold", 420), ("budget", 640), ("weak", 240)] {
        slide(&browser, slider, to);
        let state = browser.run("return labelmix.state");
        let number = |name: &str| state[name].as_f64().unwrap();
        let prices = Prices::new(number("weak"), number("gold")).unwrap();
        let expected = pareto_frontier(&measurements.observations(&prices.into()));
        assert_eq!(browser.run("return labelmix.frontier"), serde_json::json!(expected));
        let ringed = browser.run("return document.querySelectorAll('#cost-chart .mark.on').length");
        assert_eq!(ringed, expected.len(), "the figure shows it");
        sentences.push(browser.text_of("sentence"));
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 5, "every move changes what to buy: {sentences:?}");

    // Typing a price, and back to the study's.
    browser.run("const price = document.getElementById('weak-price'); price.value = '0.25'; price.dispatchEvent(new Event('input'));");
    browser.settle();
    assert_eq!(browser.run("return labelmix.state.weak"), 0.25);
    browser.run("document.getElementById('reset').click()");
    browser.settle();
    assert_eq!(browser.text_of("sentence"), sentences[0]);

    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests_elsewhere(), [""; 0], "the page asks for nothing");
}

#[test]
fn a_mark_opens_its_runs_by_mouse_and_by_keyboard() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = written(&Simulation::PLAIN, folder.path());
    browser.resize(1280, 1400);
    browser.open_file(&path);

    // By keyboard alone: the focused mark, two further, Enter.
    let keys = "const key = (name) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true })); \
                    document.querySelector('#cost-chart .mark[tabindex=\"0\"]').focus(); key('ArrowRight'); key('ArrowRight'); \
                    const point = document.activeElement.dataset.point; key('Enter'); return point;";
    let point = browser.run(keys).as_str().unwrap().to_owned();
    browser.settle();
    let run = browser.text_of("run");
    for expected in [
        "seq-sft",
        "What it bought",
        "How it learned",
        "Test texts it got wrong",
        "Where weak and gold labels differ",
        "text number",
    ] {
        assert!(run.contains(expected) || expected == "seq-sft", "{expected} in {run}");
    }
    assert!(!browser.run("return location.hash").as_str().unwrap().is_empty(), "point {point}");
    assert_eq!(browser.run("return document.activeElement.id"), "run", "the reader is taken there");
    browser.picture("run.png");

    // Back closes it.
    browser.run("history.back()");
    browser.wait_for("return document.getElementById('run').hidden");

    // By mouse, and hovering says what it is.
    browser.run("const mark = document.querySelectorAll('#cost-chart .mark')[3]; mark.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));");
    let tip = browser.text_of("tip");
    assert!(tip.contains('$') && tip.contains('%') && tip.contains("3 runs"), "{tip}");
    browser.run(
        "document.querySelectorAll('#cost-chart .mark')[3].dispatchEvent(new MouseEvent('click', { bubbles: true }));",
    );
    browser.settle();
    assert_eq!(browser.run("return document.getElementById('run').hidden"), false);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn dark_and_small() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = written(&Simulation::PLAIN, folder.path());
    browser.resize(1280, 1400);
    browser.open_file(&path);
    let paper = "return getComputedStyle(document.body).backgroundColor";
    let before = browser.run(paper);
    browser.click("#theme");
    assert_ne!(browser.run(paper), before);
    assert_eq!(browser.run("return document.documentElement.dataset.theme"), "dark");
    browser.picture("dark.png");

    // 500 pixels are the least that a headless window takes; a phone's width is that of a frame in it.
    browser.resize(500, 1000);
    browser.wait_for("return document.getElementById('cost-chart').viewBox.baseVal.width < 500");
    browser.settle();
    let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.run(wider), 0, "nothing sticks out");
    browser.picture("phone.png");
    browser.run("scrollTo(0, document.getElementById('cost-chart').getBoundingClientRect().top - 150 + scrollY)");
    browser.settle();
    browser.picture("phone_figures.png");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn hostile_data_stays_text() {
    const HOSTILE: &str = "</script><script>window.owned = 1</script><img src=x onerror='window.owned=1'> \"'`${window.owned=1} \u{202e}txt.exe";
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation {
        study: HOSTILE,
        methods: &["<b>seq</b>", "a\"onmouseover=\"window.owned=1"],
        text: |item| if item == 0 { HOSTILE.repeat(1000) } else { format!("{HOSTILE} {item}") },
        ..Simulation::PLAIN
    };
    let path = written(&simulation, folder.path());
    browser.open_file(&path);
    browser.run(
        "document.querySelectorAll('#cost-chart .mark')[0].dispatchEvent(new MouseEvent('click', { bubbles: true }));",
    );
    browser.settle();
    assert_eq!(browser.run("return window.owned ?? null"), Value::Null);
    assert_eq!(browser.run("return document.querySelectorAll('script').length"), 2);
    assert_eq!(browser.run("return document.querySelectorAll('img, b').length"), 0);
    assert_eq!(browser.text_of("study"), HOSTILE);
    assert!(browser.text_of("run").contains("<img src=x"));
    assert!(browser.run("return document.title").as_str().unwrap().starts_with("</script><script>"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_sweep_without_runs_has_a_page() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let answer = Answer::new("not begun", &Simulation::prices(), &[], &[], &[], None);
    std::fs::write(&path, page(&Report { answer, analysis: None, details: Details::default() })).unwrap();
    browser.open_file(&path);
    assert!(browser.text_of("sentence").starts_with("Too few allocations"));
    slide(&browser, "budget", 700);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn of_thousands_of_marks_few_are_elements_and_all_are_found() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    browser.resize(1280, 1400);
    browser.open_file(&written(&super::large::large(), folder.path()));
    let elements = "return document.querySelectorAll('#cost-chart .mark').length";
    let on_frontier = "return document.querySelectorAll('#cost-chart .mark.on').length";
    let few = browser.run(on_frontier).as_u64().unwrap() + 2;
    assert!((1..=few).contains(&browser.run(elements).as_u64().unwrap()));
    browser.picture("large.png");

    // By keyboard to the dearest purchase, which is painted, and back.
    let key = |name: &str| {
        browser.run(&format!(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{name}', bubbles: true }}))"
        ));
        browser.run("return document.activeElement.getAttribute('aria-label')").as_str().unwrap().to_owned()
    };
    browser.run("document.querySelector('#cost-chart .mark[tabindex=\"0\"]').focus()");
    let (last, before_last) = (key("End"), key("ArrowLeft"));
    assert!(last.contains("$4,096") && last.contains("5 runs") && last != before_last, "{last}");
    assert_eq!(key("ArrowRight"), last);
    assert!(browser.run(elements).as_u64().unwrap() <= few, "those that were left are painted again");

    // By pointer: the first place from the left and the top at which there is one.
    let point = "const svg = document.getElementById('cost-chart'); const box = svg.getBoundingClientRect(); \
                 const at = (kind, x, y) => svg.dispatchEvent(new PointerEvent(kind, { clientX: x, clientY: y, bubbles: true })); \
                 document.activeElement.blur(); \
                 for (let x = box.left + 60; x < box.right; x += 4) for (let y = box.top; y < box.bottom; y += 4) { \
                   at('pointermove', x, y); const tip = document.getElementById('tip'); \
                   if (!tip.hidden) { const said = tip.textContent; at('click', x, y); return said; } }";
    let said = browser.run(point).as_str().unwrap().to_owned();
    assert!(said.contains("$8") && said.contains("5 runs"), "{said}");
    browser.wait_for("return !document.getElementById('run').hidden");
    assert!(browser.run(elements).as_u64().unwrap() <= few);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Prints how fast the page of ten thousand runs is, for docs/performance.md; asserts nothing about time.
#[test]
#[ignore = "a measurement"]
fn measure_a_large_page() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = written(&super::large::large(), folder.path());
    browser.resize(1280, 1400);
    browser.open_file(&path);
    let usable = browser.run("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd");
    // The slider moves in every frame: how long one is after the other, script, layout and painting included.
    let script = "const [done] = arguments; const slider = document.getElementById('weak-slider'); const times = []; \
                  const move = (step, before) => requestAnimationFrame((now) => { \
                    if (step > 0) times.push(now - before); \
                    if (step === 60) { times.sort((a, b) => a - b); done([times[30], times[56], times[59]]); return; } \
                    slider.value = 300 + 5 * step; slider.dispatchEvent(new Event('input')); move(step + 1, now); }); \
                  move(0);";
    let frames = browser.run_async(script);
    eprintln!(
        "usable after {usable} ms; a frame takes {} ms in the median, 95% take {} ms or less, the longest {} ms",
        frames[0], frames[1], frames[2]
    );
}
