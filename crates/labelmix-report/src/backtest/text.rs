//! Replays as text for the terminal.

use labelmix_econ::Rule;

use super::{BacktestReport, BacktestSummary, NotReplayed, Regrets, Replay, RuleSummary};
use crate::notation::{count, dollars, percent, points, prices_in_words, purchase};
use crate::text_table::{Style, align_right, table_with_header};

/// The replays as text: one by one, against the rules of thumb, and what could not be replayed.
pub fn render_backtest(report: &BacktestReport, style: Style) -> String {
    let mut sections = vec![heading(report), replays(report, style)];
    if let Some(summary) = &report.summary {
        sections.push(rules(summary, style));
        sections.push(calibration(report, summary));
    }
    sections.push(not_replayed(&report.not_replayed));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn heading(report: &BacktestReport) -> String {
    let studies = report.replays.iter().map(|replay| replay.study.as_str()).collect::<std::collections::BTreeSet<_>>();
    let studies: Vec<&str> = studies.into_iter().collect();
    let what = match report.replays.len() {
        0 => "No replay could be made".to_owned(),
        1 => format!("1 replay of {}", studies.join(", ")),
        replays => format!("{replays} replays of {}", studies.join(", ")),
    };
    format!(
        "{what}: recorded runs, as if only those within a pilot's labels had been made.\n{}.",
        prices_in_words(&report.tariff)
    )
}

fn replays(report: &BacktestReport, style: Style) -> String {
    if report.replays.is_empty() {
        return String::new();
    }
    let header = ["study", "method", "budget", "pilot", "seen", "plan", "regret", "best in hindsight", "in intervals"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for Replay { study, pilot_share, backtest } in &report.replays {
        table.add_row([
            study.clone(),
            backtest.method.clone(),
            dollars(backtest.budget_usd),
            percent(*pilot_share),
            backtest.pilot_allocations.to_string(),
            purchase(backtest.chosen.n_weak, backtest.chosen.n_gold),
            points(backtest.regret),
            purchase(backtest.best.n_weak, backtest.best.n_gold),
            format!("{:.0} of {}", backtest.score.coverage * backtest.score.predicted as f64, backtest.score.predicted),
        ]);
    }
    align_right(&mut table, &[2, 3, 4, 6, 8]);
    format!("Regret is accuracy lost against the best split in hindsight, in points\n{}", table.trim_fmt())
}

fn rules(summary: &BacktestSummary, style: Style) -> String {
    let header = ["", "mean regret", "largest", "within a point", "plan better", "equal", "plan worse"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    let regrets = |Regrets { mean, largest, within_a_point, of }: Regrets| {
        [points(mean), points(largest), format!("{within_a_point} of {of}")]
    };
    let nothing = ["", "", ""].map(str::to_owned);
    table.add_row(["the plan".to_owned()].into_iter().chain(regrets(summary.plan)).chain(nothing));
    for RuleSummary { rule, regrets: of_rule, plan_wins, ties, plan_loses } in &summary.rules {
        let against = [plan_wins, ties, plan_loses].map(ToString::to_string);
        table.add_row([name(*rule).to_owned()].into_iter().chain(regrets(*of_rule)).chain(against));
    }
    align_right(&mut table, &[1, 2, 3, 4, 5, 6]);
    format!("The plan and rules of thumb\n{}", table.trim_fmt())
}

fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::AllGold => "all gold",
        Rule::AllWeak => "all weak",
        Rule::HalfAndHalf => "half and half",
        Rule::BestOfPilot => "shares of the pilot's best",
    }
}

fn calibration(report: &BacktestReport, summary: &BacktestSummary) -> String {
    format!(
        "Intervals of {} hold {} of {} later measurements.",
        percent(report.level),
        percent(summary.coverage),
        count(summary.predicted)
    )
}

/// A line for each budget and reason, with the pilots that it concerns.
fn not_replayed(missed: &[NotReplayed]) -> String {
    let place = |missed: &NotReplayed| (missed.study.clone(), missed.method.clone(), missed.reason.clone());
    let together =
        |a: &NotReplayed, b: &NotReplayed| place(a) == place(b) && a.budget_usd.total_cmp(&b.budget_usd).is_eq();
    let line = |missed: &[NotReplayed]| {
        let NotReplayed { study, method, budget_usd, reason, .. } = &missed[0];
        let pilots: Vec<String> = missed.iter().map(|missed| percent(missed.pilot_share)).collect();
        format!("\n{study}, {method}, {} with a pilot of {}: {reason}", dollars(*budget_usd), pilots.join(", "))
    };
    let lines: String = missed.chunk_by(together).map(line).collect();
    if lines.is_empty() { lines } else { format!("Not replayed:{lines}") }
}
