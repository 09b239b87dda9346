//! A sweep of ten thousand runs: how large its page is. `measure_a_large_page` prints how fast, too, for docs/performance.md.

use labelmix_report::page;

use super::simulated::Simulation;

/// 4 methods × 27 budgets × 20 splits × 5 seeds.
pub(crate) fn large() -> Simulation<'static> {
    const BUDGETS: [f64; 27] = [
        8.0, 11.0, 16.0, 22.0, 32.0, 45.0, 64.0, 90.0, 128.0, 181.0, 256.0, 300.0, 362.0, 430.0, 512.0, 600.0, 724.0,
        850.0, 1024.0, 1200.0, 1448.0, 1700.0, 2048.0, 2400.0, 2900.0, 3400.0, 4096.0,
    ];
    const FRACTIONS: [f64; 20] =
        [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0];
    Simulation {
        study: "ten thousand runs",
        methods: &["seq-sft", "log-confidence", "uncertainty", "few-shot-sft"],
        budgets: &BUDGETS,
        fractions: &FRACTIONS,
        seeds: 5,
        n_test: 1000,
        text: |item| format!("a review of some length, number {item}: {}", "it was good and it was bad. ".repeat(6)),
    }
}

#[test]
fn the_page_of_ten_thousand_runs_is_under_five_megabytes() {
    let (report, _) = large().report();
    assert!(report.answer.runs.len() >= 10_000, "{} runs", report.answer.runs.len());
    let page = page(&report);
    eprintln!("{} runs: {} bytes", report.answer.runs.len(), page.len());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    if let Some(path) = std::env::var_os("LABELMIX_WRITE_LARGE_PAGE") {
        std::fs::write(path, page).unwrap();
    }
}
