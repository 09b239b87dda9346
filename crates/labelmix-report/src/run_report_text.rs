//! One run, as text for the terminal.

use labelmix_econ::LedgerTotals;
use labelmix_methods::Schedule;
use labelmix_stats::{Evaluation, Measure};
use labelmix_store::StageOutcome;

use crate::notation::{count, dollars, number, one_line_of, proportion, purchase, range};
use crate::run_comparison_text::measure;
use crate::text_table::{Style, align_right, table_with_header};
use crate::{GapRecovered, RunReport};

/// Characters of a text that are shown.
const TEXT_CHARACTERS: usize = 60;
/// Evaluations of a training curve that are shown.
const CURVE_POINTS: usize = 6;

/// The run: what it is, what it bought, how it trained, how good it is, where it is wrong.
pub fn render_run(report: &RunReport, style: Style) -> String {
    let mut sections = vec![heading(report), configuration(report)];
    sections.extend(report.file.labels.as_ref().map(|labels| ledger(labels, style)));
    sections.push(training(&report.training, style));
    sections.push(evaluation(report, style));
    sections.extend(report.evaluation.gap_recovered.as_ref().map(gap));
    sections.push(wrong(report, style));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn heading(report: &RunReport) -> String {
    let record = &report.file.record;
    let cost = record.cost_usd.map_or(String::new(), |usd| format!(" for {}", dollars(usd)));
    let labels = purchase(record.allocation.n_weak, record.allocation.n_gold);
    format!("{}/{}: {} on {labels}{cost}, seed {}", record.task, record.run, record.method, record.seed)
}

/// What decides the outcome, in the words of a study file.
fn configuration(report: &RunReport) -> String {
    let file = &report.file;
    let recipe = &file.recipe;
    let table = file.method.as_ref().filter(|table| table.method.is_some() || !table.options.is_empty());
    let method = table.map_or(String::new(), |table| {
        let based_on = table.method.as_ref().map(|method| format!("method = {method:?}"));
        let options = table.options.iter().map(|(name, value)| format!("{name} = {value}"));
        format!("\nmethod: {}", based_on.into_iter().chain(options).collect::<Vec<_>>().join(", "))
    });
    // The other schedules decide these themselves.
    let passes = if recipe.schedule == Schedule::EarlyStopping {
        format!(", {} examples in batches of {}", count(recipe.total_examples), recipe.batch_size)
    } else {
        String::new()
    };
    format!(
        "model: {}, {} pooling, weights {}\nrecipe: {}{passes}, learning rate {}, LoRA rank {}{method}",
        file.record.model,
        file.pooling,
        file.weights.name(),
        recipe.schedule.name(),
        number(recipe.learning_rate),
        recipe.lora_rank,
    )
}

fn ledger(labels: &LedgerTotals, style: Style) -> String {
    let mut table = table_with_header(style, ["label", "used for", "looked at", "paid", "cost"].map(str::to_owned));
    for entry in &labels.uses {
        table.add_row([
            entry.kind.name().to_owned(),
            entry.purpose.name().to_owned(),
            count(entry.looked_at),
            count(entry.paid),
            dollars(entry.cost_usd),
        ]);
    }
    align_right(&mut table, &[2, 3, 4]);
    format!(
        "Labels: {} looked at, {} paid\n{}",
        count(labels.looked_at),
        purchase(labels.paid.n_weak, labels.paid.n_gold),
        table.trim_fmt()
    )
}

fn training(stages: &[StageOutcome], style: Style) -> String {
    let header = ["stage", "trained on", "validated on", "steps", "best", "it ended as", "validation AUROC"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for (place, stage) in stages.iter().enumerate() {
        let name = format!("{} ({})", place + 1, stage.labels.name());
        let Some(history) = &stage.history else {
            let moved = stage.shift.map(|shift| format!("log-odds moved by {shift:+.2}"));
            let name = if moved.is_some() { format!("{} (calibration)", place + 1) } else { name };
            let ended = moved.unwrap_or_else(|| "–".to_owned());
            let nothing = ["nothing", "–", "–", "–", &ended, "–"].map(str::to_owned);
            table.add_row([name].into_iter().chain(nothing));
            continue;
        };
        let curve: Vec<String> =
            history.validation.iter().map(|point| point.auroc.map_or("–".to_owned(), proportion)).collect();
        table.add_row([
            name,
            count(history.n_train),
            count(history.n_validation),
            format!("{} of {}", count(history.steps), count(history.scheduled_steps)),
            count(history.best_step),
            history.stop_reason.in_words().to_owned(),
            shortened(&curve),
        ]);
    }
    align_right(&mut table, &[1, 2, 3, 4]);
    format!("Training\n{}", table.trim_fmt())
}

/// A curve's first and last points.
fn shortened(curve: &[String]) -> String {
    if curve.is_empty() {
        return "–".to_owned();
    }
    if curve.len() <= CURVE_POINTS {
        return curve.join(" ");
    }
    let (first, last) = (&curve[..CURVE_POINTS / 2], &curve[curve.len() - CURVE_POINTS / 2..]);
    format!("{} … {}", first.join(" "), last.join(" "))
}

/// A row for each measure, a column for each kind of labels.
fn evaluation(report: &RunReport, style: Style) -> String {
    let columns: Vec<(&str, &Evaluation)> = [
        ("against gold", Some(&report.evaluation.gold)),
        ("against weak", report.evaluation.weak.as_ref()),
        ("gold, where weak is wrong", report.evaluation.gold_where_weak_is_wrong.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, evaluation)| Some((name, evaluation?)))
    .collect();
    let header = ["measure"].into_iter().chain(columns.iter().map(|(name, _)| *name));
    let mut table = table_with_header(style, header.map(str::to_owned));
    let mut row = |name: &str, value: &dyn Fn(&Evaluation) -> String| {
        table.add_row([name.to_owned()].into_iter().chain(columns.iter().map(|(_, evaluation)| value(evaluation))));
    };
    row("test examples", &|evaluation| count(evaluation.items));
    row("accuracy", &|evaluation| measure(&evaluation.accuracy));
    row("AUROC", &|evaluation| evaluation.auroc.as_ref().map_or("–".to_owned(), measure));
    row("calibrated accuracy", &|evaluation| measure(&evaluation.calibrated_accuracy));
    row("its threshold (log-odds)", &|evaluation| format!("{:.2}", evaluation.threshold));
    row("log-loss", &|evaluation| loss(&evaluation.log_loss));
    row("Brier score", &|evaluation| measure(&evaluation.brier_score));
    row("calibration error (ECE)", &|evaluation| proportion(evaluation.calibration_error));
    format!("Test set (95% intervals)\n{}", table.trim_fmt())
}

/// Losses may exceed 1, and lose no zero.
fn loss(measure: &Measure) -> String {
    match measure.interval {
        Some(interval) => format!("{:.3} ({:.3}–{:.3})", measure.value, interval.low, interval.high),
        None => format!("{:.3}", measure.value),
    }
}

fn gap(gap: &GapRecovered) -> String {
    let ends = format!(
        "from the weak labels' {} to the {} of {}",
        proportion(gap.weak_accuracy),
        proportion(gap.ceiling_accuracy),
        gap.ceiling_run
    );
    let Some(value) = gap.value else {
        return format!("Performance gap: none to recover {ends}");
    };
    let left_out = if gap.left_out == 0 {
        String::new()
    } else {
        format!(", {} resamples without a gap left out", count(gap.left_out))
    };
    let interval = gap.interval.map_or(String::new(), |interval| format!(" ({}{left_out})", range(interval)));
    format!("Performance gap recovered: {}{interval}, {ends}", proportion(value))
}

fn wrong(report: &RunReport, style: Style) -> String {
    if report.most_confidently_wrong.is_empty() {
        return String::new();
    }
    let mut table = table_with_header(style, ["p(1)", "gold", "weak", "text"].map(str::to_owned));
    for example in &report.most_confidently_wrong {
        table.add_row([
            proportion(example.probability),
            example.gold.to_string(),
            example.weak.map_or("–".to_owned(), |weak| proportion(f64::from(weak))),
            one_line_of(&example.text, TEXT_CHARACTERS),
        ]);
    }
    align_right(&mut table, &[0, 1, 2]);
    format!("Most confidently wrong\n{}", table.trim_fmt())
}
