//! Simulated annotators: gold labels flipped with known probabilities.
//!
//! Whether an item is flipped depends on the seed, the item's id and its probability alone. So the same item has the
//! same label whatever else is in the file, and what a lower probability flips, a higher one flips as well. Annotators
//! that err independently need seeds of their own.

use serde::{Deserialize, Serialize};

use crate::error::{Result, StatsError};
use crate::random::ItemDraws;
use crate::scores::{is_probability, probability};

/// The labels after flipping each with its own probability.
///
/// # Errors
/// If a flip probability is not a probability.
///
/// # Panics
/// If the slices differ in length.
pub fn flip_labels(gold: &[bool], ids: &[u64], flip_probabilities: &[f64], seed: u64) -> Result<Vec<bool>> {
    assert!(gold.len() == ids.len() && gold.len() == flip_probabilities.len(), "one id and probability per label");
    let draws = ItemDraws::new(seed, "label noise");
    let flipped = gold.iter().zip(ids).zip(flip_probabilities).enumerate();
    flipped
        .map(|(item, ((gold, id), flip))| {
            if !is_probability(*flip) {
                return Err(StatsError::NotAProbability { quantity: "the flip probability", item, value: *flip });
            }
            Ok(*gold != (draws.uniform(*id) < *flip))
        })
        .collect()
}

/// An annotator whose mistakes depend on the item's class alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassNoise {
    /// The probability of labelling 1 what is of class 1.
    pub sensitivity: f64,
    /// The probability of labelling 0 what is of class 0.
    pub specificity: f64,
}

impl ClassNoise {
    /// An annotator of the same accuracy in both classes.
    pub fn symmetric(accuracy: f64) -> Self {
        Self { sensitivity: accuracy, specificity: accuracy }
    }

    /// The probability that an item of this gold label is flipped.
    pub fn flip_probability(&self, gold: bool) -> f64 {
        1.0 - if gold { self.sensitivity } else { self.specificity }
    }
}

/// An annotator who errs where the question is hard: with probability 1 / (1 + e^(|margin| / temperature)), which is ½
/// at the boundary and falls away from it. It is how often logistic noise of this temperature, added to the margin,
/// turns its sign.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MarginNoise {
    /// In units of the margin, above 0.
    pub temperature: f64,
}

impl MarginNoise {
    /// The noise whose expected accuracy on items of these margins (a model's log-odds, say) hits the target. The
    /// expected accuracy falls with the temperature, so bisection finds it, to the precision of a double.
    ///
    /// # Errors
    /// If a margin is not finite, or the target lies outside what is reachable: from ½ to 1, or less where margins are
    /// exactly 0.
    pub fn of_expected_accuracy(margins: &[f64], target: f64) -> Result<Self> {
        for (item, margin) in margins.iter().enumerate() {
            if !margin.is_finite() {
                return Err(StatsError::NotFinite { quantity: "the margin", item, value: *margin });
            }
        }
        let nonzero = || margins.iter().map(|margin| margin.abs()).filter(|size| *size > 0.0);
        let (lowest, highest) = if margins.is_empty() {
            (0.5, 0.5)
        } else {
            (0.5, 0.5 + 0.5 * nonzero().count() as f64 / margins.len() as f64)
        };
        if !(lowest <= target && target <= highest) {
            return Err(StatsError::UnreachableAccuracy { target, lowest, highest });
        }
        // At these ends the flip probability of every margin but 0 is 0, or ½, to the last bit. The temperature itself
        // must not become 0.
        let mut low = (nonzero().fold(1.0, f64::min).ln() - 8.0).max(-700.0);
        let mut high = nonzero().fold(1.0, f64::max).ln() + 40.0;
        loop {
            let middle = low.midpoint(high);
            if middle <= low || middle >= high {
                return Ok(Self { temperature: middle.exp() });
            }
            let noise = Self { temperature: middle.exp() };
            let flips: f64 = margins.iter().map(|margin| noise.flip_probability(*margin)).sum();
            if 1.0 - flips / margins.len() as f64 > target { low = middle } else { high = middle }
        }
    }

    /// The probability that an item of this margin is flipped.
    pub fn flip_probability(&self, margin: f64) -> f64 {
        probability(-margin.abs() / self.temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(items: usize) -> Vec<u64> {
        (0..items as u64).map(|id| id * 977 + 5).collect()
    }

    fn accuracy(labels: &[bool], gold: &[bool]) -> f64 {
        labels.iter().zip(gold).filter(|(label, gold)| label == gold).count() as f64 / gold.len() as f64
    }

    #[test]
    fn class_noise_has_its_rates() {
        let gold: Vec<bool> = (0..20_000).map(|item| item % 2 == 0).collect();
        let noise = ClassNoise { sensitivity: 0.9, specificity: 0.7 };
        let flips: Vec<f64> = gold.iter().map(|gold| noise.flip_probability(*gold)).collect();
        let labels = flip_labels(&gold, &ids(gold.len()), &flips, 1).unwrap();
        let of_class = |class: bool| {
            let members = labels.iter().zip(&gold).filter(|(_, gold)| **gold == class);
            members.filter(|(label, gold)| label == gold).count() as f64 / 10_000.0
        };
        assert!((of_class(true) - 0.9).abs() < 0.01, "{}", of_class(true));
        assert!((of_class(false) - 0.7).abs() < 0.015, "{}", of_class(false));
        let symmetric = ClassNoise::symmetric(0.8);
        assert_eq!(symmetric.flip_probability(true), symmetric.flip_probability(false));
    }

    #[test]
    fn margin_noise_hits_its_accuracy_and_errs_at_the_boundary() {
        let margins: Vec<f64> = (0..20_000).map(|item| f64::from(item % 101 - 50) / 10.0).collect();
        let gold: Vec<bool> = margins.iter().map(|margin| *margin > 0.0).collect();
        for target in [0.6, 0.75, 0.9] {
            let noise = MarginNoise::of_expected_accuracy(&margins, target).unwrap();
            let flips: Vec<f64> = margins.iter().map(|margin| noise.flip_probability(*margin)).collect();
            let expected = 1.0 - flips.iter().sum::<f64>() / flips.len() as f64;
            assert!((expected - target).abs() < 1e-12, "{expected}");
            let labels = flip_labels(&gold, &ids(gold.len()), &flips, 3).unwrap();
            assert!((accuracy(&labels, &gold) - target).abs() < 0.01);
            assert_eq!(noise.flip_probability(0.0), 0.5);
            assert!(noise.flip_probability(1.0) > noise.flip_probability(-2.0));
        }
    }

    #[test]
    fn the_ends_of_margin_noise() {
        let sharp = MarginNoise::of_expected_accuracy(&[1e-3, -1e3], 1.0).unwrap();
        assert_eq!(sharp.flip_probability(1e-3), 0.0);
        let blunt = MarginNoise::of_expected_accuracy(&[1e-3, -1e3], 0.5).unwrap();
        assert!((blunt.flip_probability(1e3) - 0.5).abs() < 1e-9);
        let error = MarginNoise::of_expected_accuracy(&[0.0, 1.0], 0.9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "labels of expected accuracy 0.9 cannot be made: these margins allow 0.5 to 0.75"
        );
        assert!(MarginNoise::of_expected_accuracy(&[1.0], f64::NAN).is_err());
        assert!(MarginNoise::of_expected_accuracy(&[], 0.9).is_err());
        let error = MarginNoise::of_expected_accuracy(&[1.0, f64::INFINITY], 0.9).unwrap_err();
        assert_eq!(error.to_string(), "the margin of item 1 is inf, not a finite number");
    }

    #[test]
    fn refuses_what_is_no_probability() {
        let error = flip_labels(&[true], &[1], &[1.5], 0).unwrap_err();
        assert_eq!(error.to_string(), "the flip probability of item 0 is 1.5, not a probability");
        assert!(flip_labels(&[true], &[1], &[f64::NAN], 0).is_err());
    }

    #[test]
    fn seeds_err_independently() {
        let gold = vec![true; 10_000];
        let flips = vec![0.3; 10_000];
        let of = |seed| flip_labels(&gold, &ids(gold.len()), &flips, seed).unwrap();
        let both_wrong = of(1).iter().zip(&of(2)).filter(|(a, b)| !**a && !**b).count();
        assert!((800..1000).contains(&both_wrong), "{both_wrong} of 10,000, expected 900");
    }

    proptest! {
        #[test]
        fn an_item_is_decided_by_its_id_and_higher_rates_flip_more(
            items in prop::collection::vec((any::<u64>(), any::<bool>()), 1..50),
            rates in (0.0f64..1.0, 0.0f64..1.0),
            seed: u64,
        ) {
            let (ids, gold): (Vec<u64>, Vec<bool>) = items.iter().copied().unzip();
            let labels = flip_labels(&gold, &ids, &vec![rates.0; ids.len()], seed).unwrap();
            for (item, label) in labels.iter().enumerate() {
                let alone = flip_labels(&gold[item..=item], &ids[item..=item], &[rates.0], seed).unwrap();
                prop_assert_eq!(alone[0], *label);
            }
            let others = flip_labels(&gold, &ids, &vec![rates.1; ids.len()], seed).unwrap();
            let (fewer, more) = if rates.0 < rates.1 { (&labels, &others) } else { (&others, &labels) };
            for item in 0..gold.len() {
                prop_assert!(fewer[item] == gold[item] || more[item] != gold[item]);
            }
        }
    }
}
