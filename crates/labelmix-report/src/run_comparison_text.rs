//! Two runs against each other, as text for the terminal.

use labelmix_stats::{Measure, PairedDifference, Verdict};

use crate::notation::{count, dollars, p_value, proportion, purchase, range, signed, signed_range};
use crate::text_table::{Style, align_right, table_with_header};
use crate::{Agreement, ComparedRun, RunComparison};

/// The runs, how they differ, and where.
pub fn render_run_comparison(comparison: &RunComparison, style: Style) -> String {
    let sections = [runs(comparison, style), differences(comparison), agreement(comparison, style)];
    sections.join("\n\n") + "\n"
}

fn runs(comparison: &RunComparison, style: Style) -> String {
    let header = ["", "run", "method", "labels", "cost", "seed", "accuracy", "AUROC"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for (name, ComparedRun { record, accuracy, auroc }) in
        [("first", &comparison.first), ("second", &comparison.second)]
    {
        table.add_row([
            name.to_owned(),
            format!("{}/{}", record.task, record.run),
            record.method.clone(),
            purchase(record.allocation.n_weak, record.allocation.n_gold),
            record.cost_usd.map_or("–".to_owned(), dollars),
            record.seed.to_string(),
            measure(accuracy),
            auroc.as_ref().map_or("–".to_owned(), measure),
        ]);
    }
    align_right(&mut table, &[4, 5]);
    format!("Two runs on the same {} test items\n{}", count(comparison.items), table.trim_fmt())
}

/// A number with its interval: `.742 (.710–.771)`.
pub(crate) fn measure(measure: &Measure) -> String {
    match measure.interval {
        Some(interval) => format!("{} ({})", proportion(measure.value), range(interval)),
        None => proportion(measure.value),
    }
}

fn differences(comparison: &RunComparison) -> String {
    let difference = |name: &str, found: &PairedDifference| {
        format!("{name}: first − second {}, 95% interval {}", signed(found.difference), signed_range(found.interval))
    };
    let Agreement { only_first_right, only_second_right, .. } = comparison.agreement;
    let verdict = match comparison.verdict {
        Verdict::Better => "the first run is better",
        Verdict::Worse => "the first run is worse",
        Verdict::Tied => "tied: the data cannot tell which run is better",
    };
    let mut lines = vec![difference("accuracy", &comparison.accuracy)];
    lines.extend(comparison.auroc.as_ref().map(|found| difference("AUROC", found)));
    lines.push(format!(
        "McNemar: {} items are right by the first alone, {} by the second alone, exact p {}",
        count(only_first_right),
        count(only_second_right),
        p_value(comparison.mcnemar_p_value)
    ));
    lines.push(format!("{verdict} (these two runs; other seeds of their methods may differ otherwise)"));
    lines.join("\n")
}

fn agreement(comparison: &RunComparison, style: Style) -> String {
    let header = ["test items", "both right", "only first", "only second", "both wrong"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    let kinds = comparison.by_kind.iter().map(|kind| (kind.kind.in_words(), kind.agreement));
    for (name, agreement) in [("all", comparison.agreement)].into_iter().chain(kinds) {
        let Agreement { both_right, only_first_right, only_second_right, both_wrong } = agreement;
        let counts = [both_right, only_first_right, only_second_right, both_wrong].map(count);
        table.add_row([name.to_owned()].into_iter().chain(counts));
    }
    align_right(&mut table, &[1, 2, 3, 4]);
    format!("Who is right\n{}", table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use labelmix_data::Example;

    use super::*;
    use crate::worked_example::run;

    /// 40 items of alternating classes, whose weak labels are wrong at every fifth. The first run is right but for `wrong`
    /// of them, the second errs at every fourth.
    fn compared(wrong: usize, weak: bool) -> RunComparison {
        let examples: Vec<Example> = (0..40)
            .map(|item| {
                let (gold, weak_is_wrong) = (item % 2 == 0, item % 5 == 0);
                let label = if gold == weak_is_wrong { 0.25 } else { 0.75 };
                Example::new(format!("text {item}"), Some(gold), weak.then_some(label))
            })
            .collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let scores = |wrong: &dyn Fn(usize) -> bool| -> Vec<f32> {
            (0..40).map(|item| if (item % 2 == 0) == wrong(item) { -1.0 } else { 1.0 } * (item as f32 + 1.0)).collect()
        };
        let (first, second) = (scores(&|item| item < wrong), scores(&|item| item % 4 == 3));
        let records = [run("seq-sft", 160, 48, 0), run("few-shot", 0, 4, 0)];
        RunComparison::new([&records[0], &records[1]], [&first, &second], &examples).unwrap()
    }

    #[test]
    fn two_runs() {
        insta::assert_snapshot!(render_run_comparison(&compared(1, true), Style::PLAIN), @"
        Two runs on the same 40 test items
                  run                           method     labels               cost   seed   accuracy           AUROC
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         first    reviews/seq-sft-w160-g48-s0   seq-sft    160 weak + 48 gold      –      0   .975 (.871–.996)   1.000 (1.000–1.000)
         second   reviews/few-shot-w0-g4-s0     few-shot   4 gold                  –      0   .750 (.598–.858)   .725 (.567–.885)

        accuracy: first − second +.225, 95% interval +.075 to +.375
        AUROC: first − second +.275, 95% interval +.119 to +.465
        McNemar: 10 items are right by the first alone, 1 by the second alone, exact p .012
        the first run is better (these two runs; other seeds of their methods may differ otherwise)

        Who is right
         test items         both right   only first   only second   both wrong
        ───────────────────────────────────────────────────────────────────────
         all                        29           10             1            0
         gold 0                     10           10             0            0
         gold 1                     19            0             1            0
         weak label right           24            8             0            0
         weak label wrong            5            2             1            0
        ");
    }

    #[test]
    fn a_tie_without_weak_labels() {
        let text = render_run_comparison(&compared(10, false), Style::PLAIN);
        assert!(text.contains("\ntied: the data cannot tell"), "{text}");
        assert!(!text.contains("weak label"), "{text}");
        let agreement = compared(10, true).agreement;
        assert_eq!(agreement.only_first_right + agreement.both_right, 30);
        let kinds: usize = compared(10, true).by_kind.iter().map(|kind| kind.agreement.both_wrong).sum();
        assert_eq!(kinds, 2 * agreement.both_wrong);
    }

    #[test]
    fn a_run_ties_with_itself() {
        let examples =
            [Example::new("a".to_owned(), Some(true), None), Example::new("b".to_owned(), Some(false), None)];
        let record = run("seq-sft", 160, 48, 0);
        let examples: Vec<&Example> = examples.iter().collect();
        let scores = [1.0, 1.0];
        let found = RunComparison::new([&record, &record], [&scores, &scores], &examples).unwrap();
        assert_eq!((found.verdict, found.mcnemar_p_value, found.accuracy.difference), (Verdict::Tied, 1.0, 0.0));
        assert_eq!(found.agreement, Agreement { both_right: 1, both_wrong: 1, ..Agreement::default() });
    }
}
