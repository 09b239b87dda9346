//! The label report through its public face.

use labelmix_stats::ConfusionMatrix;

use super::worked_example::{self, pool, report, test};
use super::*;
use crate::{Colours, Style};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

#[test]
fn scores_as_counted_by_hand() {
    let report = report();
    let quality = report.pool.quality.as_ref().unwrap();
    assert_eq!((report.pool.examples, report.pool.with_gold, report.pool.with_weak, quality.count), (12, 11, 11, 10));
    assert_eq!(quality.accuracy, 0.7);
    // 19 of the 25 pairs of a gold 1 and a gold 0 are in order, ties counting half.
    close(quality.auroc.unwrap(), 0.76);
    close(quality.brier_score, 0.193);
    close(quality.log_loss, 0.554_189_2);
    // |gold share − weak mean| by bin: .1, .3, .1 · 2, .5, .1 · 2, .7, .2, .1; over ten labels.
    close(quality.calibration_error, 0.23);
    let expected = ConfusionMatrix { true_positives: 4, false_positives: 2, true_negatives: 3, false_negatives: 1 };
    assert_eq!(quality.confusion, expected);
    assert_eq!(quality.certain_mistakes, 0);
    assert_eq!(quality.errors, ErrorProbe::TooFew { wrong: 3, right: 7, needed: 20 });
}

#[test]
fn groups_as_counted_by_hand() {
    let report = report();
    let quality = report.pool.quality.as_ref().unwrap();
    let counted = |groups: &[LabelGroup]| -> Vec<String> {
        groups.iter().map(|group| format!("{}: {} of {}", group.of.name(), group.wrong, group.count)).collect()
    };
    let by_length = ["1–2", "3–4", "5–6", "7–8", "9–10"].into_iter().zip([0, 1, 1, 1, 0]);
    let by_length: Vec<String> = by_length.map(|(ends, wrong)| format!("{ends} characters: {wrong} of 2")).collect();
    assert_eq!(counted(&quality.by_length), by_length);
    assert_eq!(counted(&quality.by_gold_class), ["gold 0: 2 of 5", "gold 1: 1 of 5"]);
    // A label of 0.6 or 0.4 is 0.6 sure, not more, though the nearest single-precision number to 0.6 is.
    assert_eq!(
        counted(&quality.by_confidence),
        [
            "confidence 0.5–0.6: 2 of 5",
            "confidence 0.6–0.7: 1 of 2",
            "confidence 0.7–0.8: 0 of 1",
            "confidence 0.8–0.9: 0 of 2"
        ]
    );
}

#[test]
fn fields_as_counted_by_hand() {
    let report = worked_example::report_by_field();
    let by_field = &report.pool.quality.as_ref().unwrap().by_field;
    assert_eq!(by_field.len(), 1);
    let counted: Vec<_> = by_field[0].groups.iter().map(|group| (group.of.name(), group.wrong, group.count)).collect();
    assert_eq!(counted, [("<shop>".into(), 3, 5), ("forum".into(), 0, 3), ("no value".into(), 0, 2)]);
    let text = render_labels(&report, Style::PLAIN);
    let table = text.split("\n\n").find(|section| section.starts_with("pool: where they fail by source")).unwrap();
    insta::assert_snapshot!(table, @r#"
pool: where they fail by source
            labels   wrong   accuracy
────────────────────────────────────────────────
 <shop>          5       3   .400 (.118–.769)
 forum           3       0   1.000 (.439–1.000)
 no value        2       0   1.000 (.342–1.000)
"#);
    let json = serde_json::to_value(&by_field[0]).unwrap();
    let values: Vec<_> = json["groups"].as_array().unwrap().iter().map(|group| group["value"].clone()).collect();
    assert_eq!(values, ["<shop>".into(), "forum".into(), serde_json::Value::Null]);
}

#[test]
fn texts_of_one_length_stay_together() {
    let example = |(number, gold)| Example::new(format!("text {number}"), Some(gold), Some(1.0));
    let pool: Vec<_> = (10..20).zip([true, false].into_iter().cycle()).map(example).collect();
    let report = LabelReport::new("tiny", &[], &pool, &[]).unwrap();
    let quality = report.pool.quality.as_ref().unwrap();
    assert_eq!(quality.by_length.len(), 1);
    assert_eq!(quality.by_length[0].of, GroupOf::Characters { low: 7, high: 7 });
    assert_eq!(quality.by_length[0].of.name(), "7 characters");
}

#[test]
fn certain_mistakes_are_counted_and_named() {
    let example = |(number, gold)| Example::new(format!("text {number}"), Some(gold), Some(1.0));
    let pool: Vec<_> = (0..10).zip([true, false].into_iter().cycle()).map(example).collect();
    let report = LabelReport::new("tiny", &[], &pool, &[]).unwrap();
    let quality = report.pool.quality.as_ref().unwrap();
    // −ln 2⁻⁵² for half of the labels, as good as nothing for the others.
    close(quality.log_loss, 0.5 * 36.043_653_389);
    assert_eq!(quality.certain_mistakes, 5);
    assert!(render_labels(&report, Style::PLAIN).contains("0 or 1 that are wrong: 5; each counts 36.04"));

    // 1 − 10⁻²⁰ is 1 to a double, but the label is not 0.
    let nearly_certain = [Example::new("almost".to_owned(), Some(true), Some(1e-20))];
    let report = LabelReport::new("tiny", &[], &nearly_certain, &[]).unwrap();
    assert_eq!(report.pool.quality.unwrap().certain_mistakes, 0);
}

#[test]
fn gold_labels_of_one_class_have_no_auroc() {
    let pool: Vec<_> = pool().into_iter().filter(|example| example.gold == Some(true)).collect();
    let report = LabelReport::new("tiny", &[], &pool, &[]).unwrap();
    let quality = report.pool.quality.as_ref().unwrap();
    assert_eq!((quality.auroc, quality.auroc_interval, quality.by_gold_class.len()), (None, None, 1));
    assert!(render_labels(&report, Style::PLAIN).contains("one class"));
}

/// Every third text says "plain" or "odd"; labels are wrong where `is_wrong` says so.
fn probed(is_wrong: impl Fn(usize) -> bool) -> ErrorProbe {
    let example = |number: usize| {
        let word = if number.is_multiple_of(3) { "odd" } else { "plain" };
        let gold = number.is_multiple_of(2);
        let weak = if gold == is_wrong(number) { 0.2 } else { 0.8 };
        Example::new(format!("{word} text of number {number}"), Some(gold), Some(weak))
    };
    let pool: Vec<_> = (0..300).map(example).collect();
    LabelReport::new("probed", &[], &pool, &[]).unwrap().pool.quality.unwrap().errors
}

#[test]
fn errors_that_follow_the_text_are_told_from_those_that_do_not() {
    let by_word = probed(|number| number.is_multiple_of(3));
    assert!(matches!(by_word, ErrorProbe::Learnable(probe) if probe.auroc > 0.95 && probe.positives == 100));
    assert!(by_word.sentence().starts_with("the errors can be told from the text: "));
    let by_nothing = probed(|number| without_pattern(number).is_multiple_of(5));
    assert!(matches!(by_nothing, ErrorProbe::NoSign(_)), "{by_nothing:?}");
    assert!(by_nothing.sentence().starts_with("no sign that the errors can be told from the text: "));
    let none = probed(|_| false);
    assert_eq!(none, ErrorProbe::TooFew { wrong: 0, right: 300, needed: super::error_probe::FEWEST_OF_A_KIND });
    assert!(matches!(probed(|_| true), ErrorProbe::TooFew { wrong: 300, right: 0, .. }));
}

/// A number without a pattern (the mixing steps of splitmix64).
fn without_pattern(number: usize) -> u64 {
    let mut mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 27)
}

#[test]
fn labels_that_cannot_be_judged() {
    let gold_alone = test();
    let error = LabelReport::new("tiny", &[], &gold_alone, &gold_alone).unwrap_err();
    assert_eq!(error.to_string(), "none of the 4 examples has a weak label");
    let weak_alone = [Example::new("weak alone".to_owned(), None, Some(0.5))];
    let error = LabelReport::new("tiny", &[], &weak_alone, &gold_alone).unwrap_err();
    assert_eq!(error.to_string(), "none of the 1 examples with a weak label has a gold label");
    // The test set is enough.
    assert!(LabelReport::new("tiny", &[], &weak_alone, &pool()).unwrap().pool.quality.is_none());
}

#[test]
fn the_order_of_the_examples_does_not_matter() {
    let mut backwards = pool();
    backwards.reverse();
    let backwards = LabelReport::new("tiny", &[], &backwards, &test()).unwrap();
    assert_eq!(render_labels(&backwards, Style::PLAIN), render_labels(&report(), Style::PLAIN));
}

#[test]
fn the_text_that_people_read() {
    insta::assert_snapshot!(render_labels(&report(), Style::PLAIN), @r#"
tiny: the weak labels beside the gold labels
pool: 12 examples, 11 with a gold label, 11 with a weak label, 10 with both
test: 2 examples, 2 with a gold label, 0 with a weak label, 0 with both

Quality (95% intervals in brackets)
                     pool
───────────────────────────────────────
 labels              10
 accuracy            .700 (.397–.892)
 AUROC               .760 (.375–1.000)
 log-loss            .554 nats
 Brier score         .193
 calibration error   .230

pool: confusion
 gold   weak says 0   weak says 1
──────────────────────────────────
    0             3             2
    1             1             4

pool: calibration, or what the weak labels claim and what is true
 weak label   labels   mean   share of gold 1
─────────────────────────────────────────────────
 0.0–0.1           1   .100   .000 (.000–.793)
 0.2–0.3           1   .300   .000 (.000–.793)
 0.3–0.4           2   .400   .500 (.095–.905)
 0.4–0.5           1   .500   1.000 (.207–1.000)
 0.5–0.6           2   .600   .500 (.095–.905)
 0.6–0.7           1   .700   .000 (.000–.793)
 0.7–0.8           1   .800   1.000 (.207–1.000)
 0.8–0.9           1   .900   1.000 (.207–1.000)

pool: where they fail
                      labels   wrong   accuracy
──────────────────────────────────────────────────────────
 1–2 characters            2       0   1.000 (.342–1.000)
 3–4 characters            2       1   .500 (.095–.905)
 5–6 characters            2       1   .500 (.095–.905)
 7–8 characters            2       1   .500 (.095–.905)
 9–10 characters           2       0   1.000 (.342–1.000)
 gold 0                    5       2   .600 (.231–.882)
 gold 1                    5       1   .800 (.376–.964)
 confidence 0.5–0.6        5       2   .600 (.231–.882)
 confidence 0.6–0.7        2       1   .500 (.095–.905)
 confidence 0.7–0.8        1       0   1.000 (.207–1.000)
 confidence 0.8–0.9        2       0   1.000 (.342–1.000)

pool: whether the errors can be told from the text is open: 3 labels are wrong and 7 right.
A probe needs 20 of each.
"#);
}

#[test]
fn groups_below_the_others_are_bold_in_colour() {
    let pool: Vec<_> = (0..100)
        .map(|number| {
            let (gold, failing) = (number % 2 == 0, number % 4 == 1);
            Example::new("a".repeat(number + 1), Some(gold), Some(if gold == failing { 0.1 } else { 0.9 }))
        })
        .collect();
    let report = LabelReport::new("tiny", &[], &pool, &[]).unwrap();
    let coloured = render_labels(&report, Style { colours: Colours::On, width: None });
    let bold: Vec<&str> = coloured.lines().filter(|line| line.contains("\u{1b}[1m")).collect();
    assert!(bold.len() == 1 && bold[0].contains("gold 0") && bold[0].contains('*'), "{bold:?}");
    assert!(!render_labels(&report, Style::PLAIN).contains('\u{1b}'));
}

/// The fields' names and the nulls are what programs rely on.
#[test]
#[expect(clippy::too_many_lines, reason = "it is one snapshot")]
fn the_json_that_programs_read() {
    let report = LabelReport::new("tiny", &[], &pool()[..2], &test()).unwrap();
    insta::assert_snapshot!(report.to_json(), @r#"
{
  "study": "tiny",
  "pool": {
    "examples": 2,
    "with_gold": 2,
    "with_weak": 2,
    "quality": {
      "count": 2,
      "accuracy": 1.0,
      "accuracy_interval": {
        "low": 0.34238022750665303,
        "high": 1.0
      },
      "auroc": null,
      "auroc_interval": null,
      "log_loss": 0.164252033486018,
      "certain_mistakes": 0,
      "brier_score": 0.024999999999999988,
      "calibration_error": 0.14999999999999997,
      "calibration": [
        {
          "low": 0.7,
          "high": 0.8,
          "count": 1,
          "mean_predicted": 0.8,
          "fraction_positive": 1.0,
          "interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          }
        },
        {
          "low": 0.8,
          "high": 0.9,
          "count": 1,
          "mean_predicted": 0.9,
          "fraction_positive": 1.0,
          "interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          }
        }
      ],
      "confusion": {
        "true_positives": 2,
        "false_positives": 0,
        "true_negatives": 0,
        "false_negatives": 0
      },
      "by_length": [
        {
          "characters": {
            "low": 1,
            "high": 1
          },
          "count": 1,
          "wrong": 0,
          "accuracy": 1.0,
          "accuracy_interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          },
          "below_all": false
        },
        {
          "characters": {
            "low": 2,
            "high": 2
          },
          "count": 1,
          "wrong": 0,
          "accuracy": 1.0,
          "accuracy_interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          },
          "below_all": false
        }
      ],
      "by_gold_class": [
        {
          "gold_class": 1,
          "count": 2,
          "wrong": 0,
          "accuracy": 1.0,
          "accuracy_interval": {
            "low": 0.34238022750665303,
            "high": 1.0
          },
          "below_all": false
        }
      ],
      "by_confidence": [
        {
          "confidence": {
            "low": 0.7,
            "high": 0.8
          },
          "count": 1,
          "wrong": 0,
          "accuracy": 1.0,
          "accuracy_interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          },
          "below_all": false
        },
        {
          "confidence": {
            "low": 0.8,
            "high": 0.9
          },
          "count": 1,
          "wrong": 0,
          "accuracy": 1.0,
          "accuracy_interval": {
            "low": 0.20654931437723745,
            "high": 1.0
          },
          "below_all": false
        }
      ],
      "by_field": [],
      "errors": {
        "verdict": "too-few",
        "wrong": 0,
        "right": 2,
        "needed": 20
      }
    }
  },
  "test": {
    "examples": 2,
    "with_gold": 2,
    "with_weak": 0,
    "quality": null
  }
}
"#);
}
