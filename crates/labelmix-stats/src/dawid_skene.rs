//! Annotators of unknown reliability, and what their votes say when each is believed as far as they deserve.

use serde::{Deserialize, Serialize};

use crate::annotators::{Vote, Votes};
use crate::error::{Result, StatsError};

/// Less than this many votes, counted by the belief in the class, say nothing of an annotator.
const NEGLIGIBLE_VOTES: f64 = 1e-6;

/// How the model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DawidSkeneSettings {
    /// Pseudo-counts added to both outcomes of every proportion that is estimated: each annotator's right and wrong
    /// votes within each class, and the items of each class. It is the prior Beta(1 + s, 1 + s), and keeps an annotator
    /// with three votes from counting as infallible. 0 gives the maximum likelihood.
    pub smoothing: f64,
    /// The fit ends when no item's posterior changes by more than this from one iteration to the next.
    pub tolerance: f64,
    /// The fit ends after so many iterations at the latest.
    pub max_iterations: usize,
}

impl Default for DawidSkeneSettings {
    fn default() -> Self {
        Self { smoothing: 1.0, tolerance: 1e-6, max_iterations: 1000 }
    }
}

/// What is estimated of one annotator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnnotatorQuality {
    /// The number of votes.
    pub votes: usize,
    /// The probability of voting 1 on an item of class 1. `None` where the annotator voted on none, by the posteriors.
    pub sensitivity: Option<f64>,
    /// The probability of voting 0 on an item of class 0. `None` where the annotator voted on none, by the posteriors.
    pub specificity: Option<f64>,
}

/// A fitted model of the votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DawidSkene {
    /// Each item's probability of class 1 given all votes. Known gold labels stay 0 or 1; an item without votes has the
    /// prevalence.
    pub posteriors: Vec<f64>,
    /// Each annotator's quality.
    pub annotators: Vec<AnnotatorQuality>,
    /// The probability of class 1 before any vote.
    pub prevalence: f64,
    /// The log-likelihood, in nats, of the votes and the known gold labels under the estimates.
    pub log_likelihood: f64,
    /// The log-likelihood plus the prior's log-density (up to a constant; nothing where smoothing is 0), iteration by
    /// iteration: what the fit maximises, and which never decreases.
    pub objectives: Vec<f64>,
    /// The number of iterations.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

/// Fits the model of Dawid and Skene (1979) for two classes by expectation-maximisation: given an item's class,
/// annotators vote independently, each with a sensitivity and a specificity of their own.
///
/// `gold` has the known label of each item, or none at all: it may be empty. The fit starts from the majority vote, and
/// so takes annotators to be right more often than not; where most are not, gold labels are needed.
///
/// # Errors
/// If there are no votes, or a setting is out of its range.
///
/// # Panics
/// If `gold` is neither empty nor of one entry per item.
pub fn dawid_skene(votes: &Votes, gold: &[Option<bool>], settings: &DawidSkeneSettings) -> Result<DawidSkene> {
    let &DawidSkeneSettings { smoothing, tolerance, max_iterations } = settings;
    assert!(gold.is_empty() || gold.len() == votes.items(), "one gold label, known or unknown, per item");
    for (setting, value) in [("the smoothing", smoothing), ("the tolerance", tolerance)] {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(StatsError::SettingOutOfRange { setting, value, range: "a number from 0 up" });
        }
    }
    if max_iterations == 0 {
        let (setting, range) = ("the largest number of iterations", "at least 1");
        return Err(StatsError::SettingOutOfRange { setting, value: 0.0, range });
    }
    if votes.all().is_empty() {
        return Err(StatsError::NoVotes);
    }
    let known = |item: usize| gold.get(item).copied().flatten();
    // Items that nothing is known of would only slow the estimate of the prevalence down.
    let informative: Vec<usize> =
        (0..votes.items()).filter(|&item| known(item).is_some() || !votes.of_item(item).is_empty()).collect();

    let start = |item: usize| known(item).map_or_else(|| shares_of_votes(votes.of_item(item)), certain);
    let mut beliefs: Vec<Belief> = (0..votes.items()).map(start).collect();
    let mut objectives = Vec::new();
    loop {
        let estimates = Estimates::from_beliefs(votes, &informative, &beliefs, smoothing);
        let mut log_likelihood = 0.0;
        let mut change = 0.0f64;
        for &item in &informative {
            let joint = estimates.log_joint(votes, item);
            let (belief, evidence) = match known(item) {
                Some(label) => (certain(label), joint[usize::from(label)]),
                None => normalise(joint),
            };
            log_likelihood += evidence;
            // Of both classes: a change too small to be seen in a belief near 1 is seen in the other.
            change = (0..2).map(|class| (belief[class] - beliefs[item][class]).abs()).fold(change, f64::max);
            beliefs[item] = belief;
        }
        objectives.push(log_likelihood + estimates.log_prior(smoothing));
        let converged = change <= tolerance;
        if converged || objectives.len() == max_iterations {
            let posterior = |item: usize| {
                let unknown = known(item).is_none() && votes.of_item(item).is_empty();
                if unknown { estimates.classes[1] } else { beliefs[item][1] }
            };
            return Ok(DawidSkene {
                posteriors: (0..votes.items()).map(posterior).collect(),
                annotators: estimates.qualities(),
                prevalence: estimates.classes[1],
                log_likelihood,
                iterations: objectives.len(),
                objectives,
                converged,
            });
        }
    }
}

/// The probabilities of class 0 and class 1. Both, because one minus the other has lost what is small: then the fit
/// would treat the classes differently.
type Belief = [f64; 2];

fn certain(label: bool) -> Belief {
    if label { [0.0, 1.0] } else { [1.0, 0.0] }
}

/// The majority vote; without votes, a half each.
fn shares_of_votes(votes: &[Vote]) -> Belief {
    let mut counts = [0.0; 2];
    for vote in votes {
        counts[usize::from(vote.label)] += 1.0;
    }
    proportions(counts, 0.0)
}

/// The probabilities of two classes and the log of their sum, from the logs of their unnormalised probabilities. One of
/// these is finite, because the estimates were made from beliefs that allow the votes.
fn normalise(joint: [f64; 2]) -> (Belief, f64) {
    let largest = joint[0].max(joint[1]);
    let evidence = largest + joint.map(|joint| (joint - largest).exp()).iter().sum::<f64>().ln();
    (joint.map(|joint| (joint - evidence).exp()), evidence)
}

/// The model's parameters.
struct Estimates {
    /// The probability of each class.
    classes: Belief,
    annotators: Vec<AnnotatorRates>,
}

/// What is estimated of one annotator, by class and then by vote.
#[derive(Default)]
struct AnnotatorRates {
    votes: usize,
    /// How many votes there are, each counted by the belief in the class.
    counts: [[f64; 2]; 2],
    /// The probability of a vote given the class.
    probabilities: [[f64; 2]; 2],
    logs: [[f64; 2]; 2],
}

impl Estimates {
    /// The estimates that maximise the expected objective under the beliefs.
    fn from_beliefs(votes: &Votes, informative: &[usize], beliefs: &[Belief], smoothing: f64) -> Self {
        let mut annotators: Vec<AnnotatorRates> = (0..votes.annotators()).map(|_| AnnotatorRates::default()).collect();
        for vote in votes.all() {
            let annotator = &mut annotators[vote.annotator];
            annotator.votes += 1;
            for (counts, belief) in annotator.counts.iter_mut().zip(beliefs[vote.item]) {
                counts[usize::from(vote.label)] += belief;
            }
        }
        for annotator in &mut annotators {
            annotator.probabilities = annotator.counts.map(|counts| proportions(counts, smoothing));
            annotator.logs = annotator.probabilities.map(|votes| votes.map(f64::ln));
        }
        let total = |class: usize| informative.iter().map(|item| beliefs[*item][class]).sum();
        Self { classes: proportions([total(0), total(1)], smoothing), annotators }
    }

    /// ln P(class, the item's votes) for class 0 and class 1.
    fn log_joint(&self, votes: &Votes, item: usize) -> [f64; 2] {
        let mut joint = self.classes.map(f64::ln);
        for vote in votes.of_item(item) {
            for (joint, logs) in joint.iter_mut().zip(self.annotators[vote.annotator].logs) {
                *joint += logs[usize::from(vote.label)];
            }
        }
        joint
    }

    /// The log-density of the estimates under Beta(1 + s, 1 + s), up to a constant.
    fn log_prior(&self, smoothing: f64) -> f64 {
        // Not left to the multiplication, in which the log of a proportion of 0 would be infinite.
        if smoothing == 0.0 {
            return 0.0;
        }
        let logs = self.annotators.iter().flat_map(|annotator| annotator.logs).flatten();
        smoothing * logs.chain(self.classes.map(f64::ln)).sum::<f64>()
    }

    fn qualities(&self) -> Vec<AnnotatorQuality> {
        let quality = |annotator: &AnnotatorRates| {
            let [specificity, sensitivity] = [0, 1].map(|class| {
                let votes: f64 = annotator.counts[class].iter().sum();
                (votes >= NEGLIGIBLE_VOTES).then_some(annotator.probabilities[class][class])
            });
            AnnotatorQuality { votes: annotator.votes, sensitivity, specificity }
        };
        self.annotators.iter().map(quality).collect()
    }
}

/// The two counts' shares after smoothing. Of nothing they are a half each; such shares multiply nothing.
fn proportions(counts: [f64; 2], smoothing: f64) -> [f64; 2] {
    let total = counts[0] + counts[1] + 2.0 * smoothing;
    if total > 0.0 { counts.map(|count| (count + smoothing) / total) } else { [0.5; 2] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotators::majority_vote;
    use crate::random::ItemDraws;
    use proptest::prelude::*;

    const LIKELIHOOD: DawidSkeneSettings =
        DawidSkeneSettings { smoothing: 0.0, tolerance: 1e-12, max_iterations: 10_000 };

    /// Annotators of the given sensitivities and specificities, who vote on every item with probability 0.7.
    fn crowd(items: usize, qualities: &[(f64, f64)]) -> (Votes, Vec<bool>) {
        let draw = |purpose, id: usize| ItemDraws::new(17, purpose).uniform(id as u64);
        let gold: Vec<bool> = (0..items).map(|item| draw("class", item) < 0.4).collect();
        let mut votes = Vec::new();
        for (item, class) in gold.iter().enumerate() {
            for (annotator, (sensitivity, specificity)) in qualities.iter().enumerate() {
                let id = item * qualities.len() + annotator;
                if draw("present", id) < 0.7 {
                    let right = draw("right", id) < if *class { *sensitivity } else { *specificity };
                    votes.push(Vote { item, annotator, label: *class == right });
                }
            }
        }
        (Votes::new(items, qualities.len(), votes).unwrap(), gold)
    }

    fn accuracy(posteriors: impl IntoIterator<Item = f64>, gold: &[bool]) -> f64 {
        let right = posteriors.into_iter().zip(gold).filter(|(posterior, label)| (*posterior > 0.5) == **label);
        right.count() as f64 / gold.len() as f64
    }

    #[test]
    fn finds_the_annotators_qualities_and_beats_the_majority() {
        let qualities = [(0.95, 0.9), (0.6, 0.55), (0.55, 0.6), (0.6, 0.6), (0.9, 0.95)];
        let (votes, gold) = crowd(5000, &qualities);
        let found = dawid_skene(&votes, &[], &DawidSkeneSettings::default()).unwrap();
        assert!(found.converged && found.iterations == found.objectives.len());
        assert!((found.prevalence - 0.4).abs() < 0.03, "{}", found.prevalence);
        for (annotator, (sensitivity, specificity)) in found.annotators.iter().zip(qualities) {
            assert!((annotator.sensitivity.unwrap() - sensitivity).abs() < 0.05, "{annotator:?}");
            assert!((annotator.specificity.unwrap() - specificity).abs() < 0.05, "{annotator:?}");
            assert!((3300..3700).contains(&annotator.votes));
        }
        let majority = majority_vote(&votes).into_iter().map(|share| share.unwrap_or(0.5));
        let (by_model, by_majority) = (accuracy(found.posteriors, &gold), accuracy(majority, &gold));
        assert!(by_model > by_majority + 0.04, "{by_model}, majority {by_majority}");
    }

    #[test]
    fn gold_labels_overrule_a_wrong_majority() {
        // Three of four annotators are mostly wrong.
        let (votes, gold) = crowd(2000, &[(0.2, 0.2), (0.25, 0.25), (0.3, 0.2), (0.9, 0.9)]);
        let settings = DawidSkeneSettings::default();
        let without = dawid_skene(&votes, &[], &settings).unwrap();
        assert!(accuracy(without.posteriors, &gold) < 0.2);
        let some: Vec<Option<bool>> =
            gold.iter().enumerate().map(|(item, label)| (item % 3 == 0).then_some(*label)).collect();
        let with = dawid_skene(&votes, &some, &settings).unwrap();
        assert!(accuracy(with.posteriors.iter().copied(), &gold) > 0.9);
        for (posterior, label) in with.posteriors.iter().zip(&some) {
            assert!(label.is_none_or(|label| *posterior == f64::from(u8::from(label))));
        }
    }

    #[test]
    fn what_nobody_voted_on_is_the_prevalence_and_who_did_not_vote_is_unknown() {
        let columns = [vec![Some(true), Some(true), Some(false), None], vec![None; 4]];
        let found = dawid_skene(&Votes::from_columns(&columns), &[], &DawidSkeneSettings::default()).unwrap();
        assert_eq!(found.posteriors[3], found.prevalence);
        assert_eq!(found.annotators[1], AnnotatorQuality { votes: 0, sensitivity: None, specificity: None });
    }

    #[test]
    fn without_smoothing_agreement_is_certainty() {
        let columns = [vec![Some(true), Some(false)], vec![Some(true), Some(false)]];
        let found = dawid_skene(&Votes::from_columns(&columns), &[], &LIKELIHOOD).unwrap();
        assert_eq!(found.posteriors, [1.0, 0.0]);
        assert!((found.log_likelihood - 2.0 * 0.5f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_cannot_be_fitted() {
        let votes = Votes::from_columns(&[[Some(true)]]);
        let error = dawid_skene(&votes, &[], &DawidSkeneSettings { smoothing: -1.0, ..LIKELIHOOD }).unwrap_err();
        assert_eq!(error.to_string(), "the smoothing is -1, but must be a number from 0 up");
        let error = dawid_skene(&votes, &[], &DawidSkeneSettings { tolerance: f64::NAN, ..LIKELIHOOD }).unwrap_err();
        assert_eq!(error.to_string(), "the tolerance is NaN, but must be a number from 0 up");
        let error = dawid_skene(&votes, &[], &DawidSkeneSettings { max_iterations: 0, ..LIKELIHOOD }).unwrap_err();
        assert_eq!(error.to_string(), "the largest number of iterations is 0, but must be at least 1");
        let nothing = Votes::from_columns(&[[None]]);
        assert_eq!(dawid_skene(&nothing, &[], &LIKELIHOOD), Err(StatsError::NoVotes));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn climbs_knows_no_order_of_annotators_and_swaps_with_the_labels(
            rows in prop::collection::vec(prop::array::uniform5(any::<Option<bool>>()), 1..30),
            gold in prop::collection::vec(prop::option::weighted(0.2, any::<bool>()), 30),
            smoothing in prop::sample::select(vec![0.0, 0.1, 1.0]),
        ) {
            // Fits of mirrored data agree only as far as they have run equally long.
            let settings = DawidSkeneSettings { smoothing, tolerance: 0.0, max_iterations: 30 };
            let fit = |order: [usize; 5], swap: bool| {
                let flip = |label: Option<bool>| label.map(|label| label != swap);
                let column = |annotator: usize| rows.iter().map(|row| flip(row[annotator])).collect();
                let columns: Vec<Vec<Option<bool>>> = order.into_iter().map(column).collect();
                let gold: Vec<Option<bool>> = gold[..rows.len()].iter().map(|label| flip(*label)).collect();
                dawid_skene(&Votes::from_columns(&columns), &gold, &settings)
            };
            let Ok(found) = fit([0, 1, 2, 3, 4], false) else { return Ok(()) };
            prop_assert!(found.posteriors.iter().all(|posterior| (0.0..=1.0).contains(posterior)), "{found:?}");
            for pair in found.objectives.windows(2) {
                prop_assert!(pair[1] >= pair[0] - 1e-12 * (1.0 + pair[0].abs()), "{:?}", found.objectives);
            }
            let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
            let swapped = fit([0, 1, 2, 3, 4], true).unwrap();
            prop_assert!(close(found.log_likelihood, swapped.log_likelihood));
            prop_assert!(close(found.prevalence, 1.0 - swapped.prevalence));
            for item in 0..rows.len() {
                prop_assert!(close(found.posteriors[item], 1.0 - swapped.posteriors[item]));
            }
            for (found, swapped) in found.annotators.iter().zip(&swapped.annotators) {
                prop_assert!(close(found.sensitivity.unwrap_or(-1.0), swapped.specificity.unwrap_or(-1.0)));
            }
            // Without smoothing a belief can underflow to 0, and when it does depends on the last bit.
            if smoothing == 0.0 {
                return Ok(());
            }
            let order = [3, 1, 4, 0, 2];
            let reordered = fit(order, false).unwrap();
            prop_assert!(close(found.log_likelihood, reordered.log_likelihood));
            for (found, reordered) in found.posteriors.iter().zip(&reordered.posteriors) {
                prop_assert!(close(*found, *reordered));
            }
            for (place, annotator) in order.into_iter().enumerate() {
                let (found, reordered) = (found.annotators[annotator], reordered.annotators[place]);
                prop_assert!(close(found.sensitivity.unwrap_or(-1.0), reordered.sensitivity.unwrap_or(-1.0)));
                prop_assert!(close(found.specificity.unwrap_or(-1.0), reordered.specificity.unwrap_or(-1.0)));
            }
        }
    }
}
