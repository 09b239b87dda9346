//! Whether a model may stand in for annotators, by what the annotators say: the alternative annotator test (Calderon, Reichart
//! and Dror 2025, <https://arxiv.org/abs/2501.10970>).

use crate::student::StudentEstimate;

/// How one annotator and the candidate fare against the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnnotatorContest {
    /// Which annotator, by its place.
    pub annotator: usize,
    /// Items that the annotator, the candidate and at least one other annotator label.
    pub items: usize,
    /// The share of items on which the candidate agrees with the others at least as often as the annotator does.
    pub candidate_advantage: f64,
    /// The same the other way round.
    pub annotator_advantage: f64,
    /// The probability of as large an advantage of the candidate if it falls behind the annotator by `epsilon`: the paired t
    /// test, one-sided.
    pub p_value: f64,
    /// That, for a false discovery rate over all contests (Benjamini and Yekutieli 2001).
    pub adjusted_p_value: f64,
}

/// Fewer items than these tell nothing by a t test: such an annotator has no contest.
const FEWEST_ITEMS: usize = 30;

/// Leaves each annotator out in turn and asks whether the candidate agrees with the others as well as the annotator does, but for
/// `epsilon`, the advantage that annotators have by being dearer. `annotators` has the labels of each, as many as `candidate`.
///
/// # Panics
/// If there is not one label, or none, of everybody for each item.
pub fn alternative_annotator_test(
    candidate: &[Option<bool>],
    annotators: &[Vec<Option<bool>>],
    epsilon: f64,
) -> Vec<AnnotatorContest> {
    assert!(annotators.iter().all(|labels| labels.len() == candidate.len()), "everybody has a place for every item");
    let mut contests: Vec<AnnotatorContest> =
        (0..annotators.len()).filter_map(|annotator| contest(candidate, annotators, annotator, epsilon)).collect();
    let adjusted = benjamini_yekutieli(&contests.iter().map(|contest| contest.p_value).collect::<Vec<_>>());
    for (contest, adjusted) in contests.iter_mut().zip(adjusted) {
        contest.adjusted_p_value = adjusted;
    }
    contests
}

fn contest(
    candidate: &[Option<bool>],
    annotators: &[Vec<Option<bool>>],
    annotator: usize,
    epsilon: f64,
) -> Option<AnnotatorContest> {
    // For each item whether the candidate does at least as well, and whether the annotator does.
    let mut outcomes: Vec<[bool; 2]> = Vec::new();
    for (item, label) in candidate.iter().enumerate() {
        let (Some(label), Some(own)) = (*label, annotators[annotator][item]) else { continue };
        let others = annotators.iter().enumerate().filter(|(other, _)| *other != annotator);
        let others: Vec<bool> = others.filter_map(|(_, labels)| labels[item]).collect();
        if others.is_empty() {
            continue;
        }
        let agreeing = |with: bool| others.iter().filter(|other| **other == with).count();
        let [of_candidate, of_annotator] = [label, own].map(agreeing);
        outcomes.push([of_candidate >= of_annotator, of_annotator >= of_candidate]);
    }
    if outcomes.len() < FEWEST_ITEMS {
        return None;
    }
    let count = outcomes.len() as f64;
    let share = |side: usize| outcomes.iter().filter(|outcome| outcome[side]).count() as f64 / count;
    let difference = |outcome: &[bool; 2]| f64::from(u8::from(outcome[1])) - f64::from(u8::from(outcome[0]));
    let mean = outcomes.iter().map(difference).sum::<f64>() / count;
    let variance = outcomes.iter().map(|outcome| (difference(outcome) - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let deviation = (variance / count).sqrt();
    let behind = mean - epsilon;
    let p_value = if deviation > 0.0 {
        let two_sided = StudentEstimate { value: behind, deviation, degrees_of_freedom: count - 1.0 }.p_value();
        if behind < 0.0 { two_sided / 2.0 } else { 1.0 - two_sided / 2.0 }
    } else {
        f64::from(u8::from(behind >= 0.0))
    };
    Some(AnnotatorContest {
        annotator,
        items: outcomes.len(),
        candidate_advantage: share(0),
        annotator_advantage: share(1),
        p_value,
        adjusted_p_value: p_value,
    })
}

/// p-values under whose smallest ones, up to a level, the expected share of false ones is at most that level, however they depend
/// on each other (Benjamini and Yekutieli 2001).
fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let harmonic: f64 = (1..=count).map(|rank| 1.0 / rank as f64).sum();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; count];
    let mut least: f64 = 1.0;
    for (rank, place) in order.iter().enumerate().rev() {
        least = least.min(p_values[*place] * harmonic * count as f64 / (rank + 1) as f64);
        adjusted[*place] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::stream;

    #[test]
    fn three_annotators_by_hand() {
        // 40 items: two annotators and the candidate always say 1, the third says 0 on the first ten.
        let ones = vec![Some(true); 40];
        let third: Vec<Option<bool>> = (0..40).map(|item| Some(item >= 10)).collect();
        let contests = alternative_annotator_test(&ones, &[ones.clone(), ones.clone(), third], 0.1);
        assert_eq!(contests.len(), 3);
        assert!(contests[..2].iter().all(|contest| contest.candidate_advantage == 1.0 && contest.p_value == 0.0));
        let last = contests[2];
        assert_eq!((last.candidate_advantage, last.annotator_advantage, last.items), (1.0, 0.75, 40));
        // d is −1 ten times and 0 thirty times: mean −.25, deviation .06934; t = −.35 / .06934 with 39 degrees of freedom.
        // SciPy: ttest_1samp(d, 0.1, alternative="less")
        assert!((last.p_value / 5.385_176_936_202_785_5e-6 - 1.0).abs() < 1e-9, "{}", last.p_value);
    }

    #[test]
    fn nobody_is_compared_where_items_are_few() {
        let few = vec![Some(true); 29];
        assert!(alternative_annotator_test(&few, &[few.clone(), few.clone()], 0.1).is_empty());
        let alone = [vec![Some(true); 40], vec![None; 40]];
        assert!(alternative_annotator_test(&[Some(true); 40], &alone, 0.1).is_empty());
    }

    #[test]
    fn adjusted_p_values() {
        // R: p.adjust(c(0.01, 0.04, 0.03), "BY")
        let adjusted = benjamini_yekutieli(&[0.01, 0.04, 0.03]);
        for (found, wanted) in adjusted.iter().zip([0.055, 0.073_333_333, 0.073_333_333]) {
            assert!((found - wanted).abs() < 1e-8, "{adjusted:?}");
        }
    }

    /// Labels of annotators who are right so often.
    fn world(accuracies: &[f64], items: usize, seed: u64) -> Vec<Vec<Option<bool>>> {
        let mut random = stream(seed, "annotators of a test");
        let truth: Vec<bool> = (0..items).map(|_| random.random()).collect();
        let label = |accuracy: f64, truth: bool, random: &mut _| {
            let right = RngExt::random::<f64>(random) < accuracy;
            Some(truth == right)
        };
        accuracies
            .iter()
            .map(|accuracy| truth.iter().map(|truth| label(*accuracy, *truth, &mut random)).collect())
            .collect()
    }

    #[test]
    fn one_as_good_as_the_annotators_passes_and_a_worse_one_does_not() {
        let passes = |candidate: f64| {
            let rounds = 200;
            let passed = (0..rounds).filter(|seed| {
                let mut labels = world(&[candidate, 0.85, 0.85, 0.85], 200, *seed);
                let candidate = labels.remove(0);
                let contests = alternative_annotator_test(&candidate, &labels, 0.1);
                let won = contests.iter().filter(|contest| contest.adjusted_p_value <= 0.05).count();
                won * 2 >= contests.len()
            });
            passed.count() as f64 / rounds as f64
        };
        let [better, equal, worse, chance] = [0.95, 0.85, 0.72, 0.5].map(passes);
        assert!(better > 0.95 && equal > 0.5 && worse < 0.1 && chance == 0.0, "{better} {equal} {worse} {chance}");
    }
}
