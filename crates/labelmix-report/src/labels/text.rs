//! The label report as text for the terminal.

use comfy_table::{Attribute, Cell};
use labelmix_stats::Interval;

use super::{
    Annotators, Contest, FieldGroups, LabelGroup, LabelQuality, LabelReport, SourceLabels, SourcePair, SplitLabels,
};
use crate::Style;
use crate::notation::{count, one_line, proportion, range};
use crate::text_table::{align_right, table_with_header};

/// The label report as text: what there is, the scores of pool and test set side by side, then for each of them the
/// confusion, the calibration, where the labels fail (by each field that was asked for, too), and whether their errors can be told from the text.
pub fn render_labels(report: &LabelReport, style: Style) -> String {
    let mut sections = vec![heading(report), quality_table(report, style)];
    for (name, quality) in report.judged() {
        sections.push(confusion_table(name, quality, style));
        sections.push(calibration_table(name, quality, style));
        sections.push(group_table(&format!("{name}: where they fail"), &quality.groups(), style));
        sections.extend(quality.by_field.iter().map(|FieldGroups { field, groups }| {
            group_table(&format!("{name}: where they fail by {}", one_line(field)), &[groups], style)
        }));
        sections.push(format!("{name}: {}", quality.errors.sentence()));
    }
    if let Some(annotators) = &report.annotators {
        sections.push(sources_table(annotators, style));
        sections.push(pairs_table(annotators, style));
        sections.push(contests_table(annotators, style));
    }
    sections.join("\n\n") + "\n"
}

fn sources_table(annotators: &Annotators, style: Style) -> String {
    let mut table = table_with_header(style, ["", "labels", "with gold", "accuracy"].map(str::to_owned));
    for SourceLabels { name, labels, with_gold, accuracy, accuracy_interval } in &annotators.sources {
        let accuracy = accuracy.map_or_else(String::new, |accuracy| with_range(accuracy, *accuracy_interval));
        table.add_row([one_line(name), count(*labels), count(*with_gold), accuracy]);
    }
    align_right(&mut table, &[1, 2]);
    format!("The weak labels beside annotators\n{}", table.trim_fmt())
}

fn pairs_table(annotators: &Annotators, style: Style) -> String {
    let mut table = table_with_header(style, ["", "texts", "agree", "errors coincide"].map(str::to_owned));
    for SourcePair { sources, texts, agreement, error_correlation } in &annotators.pairs {
        let [one, other] = sources;
        let agreement = agreement.map_or_else(String::new, proportion);
        let errors = error_correlation.map_or_else(String::new, |correlation| format!("{correlation:+.2}"));
        table.add_row([one_line(&format!("{one}, {other}")), count(*texts), agreement, errors]);
    }
    align_right(&mut table, &[1, 2, 3]);
    format!("Agreement, and the correlation of errors\n{}", table.trim_fmt())
}

fn contests_table(annotators: &Annotators, style: Style) -> String {
    let replacement = &annotators.replacement;
    let header = ["left out", "texts", "weak at least as well", "annotator at least as well", "p"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for Contest { annotator, texts, weak_advantage, annotator_advantage, p_value } in &replacement.contests {
        let [weak, own] = [weak_advantage, annotator_advantage].map(|share| proportion(*share));
        table.add_row([one_line(annotator), count(*texts), weak, own, format!("{p_value:.3}")]);
    }
    align_right(&mut table, &[1, 2, 3, 4]);
    let rows = if replacement.contests.is_empty() { String::new() } else { format!("{}\n", table.trim_fmt()) };
    format!("May the weak labels stand in for annotators?\n{rows}{}", replacement.sentence())
}

fn heading(report: &LabelReport) -> String {
    let line = |(name, split): (&str, &SplitLabels)| {
        let [examples, gold, weak, both] =
            [split.examples, split.with_gold, split.with_weak, split.quality.as_ref().map_or(0, |both| both.count)]
                .map(count);
        format!("\n{name}: {examples} examples, {gold} with a gold label, {weak} with a weak label, {both} with both")
    };
    format!("{}: the weak labels beside the gold labels{}", report.study, report.splits().map(line).concat())
}

fn quality_table(report: &LabelReport, style: Style) -> String {
    let (names, judged): (Vec<&str>, Vec<&LabelQuality>) = report.judged().unzip();
    let mut table = table_with_header(style, [""].into_iter().chain(names).map(str::to_owned));
    let mut row = |score: &str, cell: fn(&LabelQuality) -> String| {
        table.add_row([score.to_owned()].into_iter().chain(judged.iter().map(|quality| cell(quality))));
    };
    row("labels", |quality| count(quality.count));
    row("accuracy", |quality| with_range(quality.accuracy, Some(quality.accuracy_interval)));
    row("AUROC", |quality| {
        quality.auroc.map_or("one class".to_owned(), |auroc| with_range(auroc, quality.auroc_interval))
    });
    row("log-loss", |quality| format!("{} nats", proportion(quality.log_loss)));
    row("Brier score", |quality| proportion(quality.brier_score));
    row("calibration error", |quality| proportion(quality.calibration_error));
    let certain = report.judged().filter(|(_, quality)| quality.certain_mistakes > 0);
    let notes: Vec<String> = certain
        .map(|(name, quality)| {
            let mistakes = count(quality.certain_mistakes);
            format!("\n{name}: labels of exactly 0 or 1 that are wrong: {mistakes}; each counts 36.04 in the log-loss")
        })
        .collect();
    let notes = notes.concat();
    format!("Quality (95% intervals in brackets)\n{}{notes}", table.trim_fmt())
}

fn confusion_table(name: &str, quality: &LabelQuality, style: Style) -> String {
    let matrix = &quality.confusion;
    let mut table = table_with_header(style, ["gold", "weak says 0", "weak says 1"].map(str::to_owned));
    table.add_row(["0".to_owned(), count(matrix.true_negatives), count(matrix.false_positives)]);
    table.add_row(["1".to_owned(), count(matrix.false_negatives), count(matrix.true_positives)]);
    align_right(&mut table, &[0, 1, 2]);
    format!("{name}: confusion\n{}", table.trim_fmt())
}

fn calibration_table(name: &str, quality: &LabelQuality, style: Style) -> String {
    let header = ["weak label", "labels", "mean", "share of gold 1"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for bin in &quality.calibration {
        table.add_row([
            format!("{:.1}–{:.1}", bin.low, bin.high),
            count(bin.count),
            proportion(bin.mean_predicted),
            with_range(bin.fraction_positive, Some(bin.interval)),
        ]);
    }
    align_right(&mut table, &[1, 2]);
    format!("{name}: calibration, or what the weak labels claim and what is true\n{}", table.trim_fmt())
}

fn group_table(title: &str, kinds: &[&[LabelGroup]], style: Style) -> String {
    let mut table = table_with_header(style, ["", "labels", "wrong", "accuracy"].map(str::to_owned));
    for group in kinds.iter().copied().flatten() {
        let accuracy = with_range(group.accuracy, Some(group.accuracy_interval));
        let accuracy = if group.below_all {
            Cell::new(accuracy + " *").add_attribute(Attribute::Bold)
        } else {
            Cell::new(accuracy)
        };
        table.add_row([
            Cell::new(group.of.name()),
            Cell::new(count(group.count)),
            Cell::new(count(group.wrong)),
            accuracy,
        ]);
    }
    align_right(&mut table, &[1, 2]);
    let any_below = kinds.iter().copied().flatten().any(|group| group.below_all);
    let legend = if any_below { " (* the interval lies below the accuracy of all)" } else { "" };
    format!("{title}{legend}\n{}", table.trim_fmt())
}

/// `.742 (.710–.771)`.
fn with_range(value: f64, interval: Option<Interval>) -> String {
    let value = proportion(value);
    interval.map_or(value.clone(), |interval| format!("{value} ({})", range(interval)))
}
