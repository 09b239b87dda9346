//! Can something be told from the features? A logistic regression tries, on items that it was not fitted to.
//!
//! The question behind it: are the weak labels' mistakes learnable from the text? Then a model trained on them learns
//! the mistakes too.

use std::f64::consts::SQRT_2;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::accuracy::Interval;
use crate::auroc::{auroc, auroc_interval};
use crate::bootstrap::Bootstrap;
use crate::error::{Result, StatsError};
use crate::features::FeatureMatrix;
use crate::logistic::LogisticRegression;
use crate::random::ItemDraws;

/// How a probe is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbeSettings {
    /// The number of parts, at least 2, each of which is predicted by a classifier fitted to the others.
    pub folds: usize,
    /// The L2 penalty, see [`LogisticRegression::fit`].
    pub penalty: f64,
    /// The resamples behind the interval. Its seed also decides the folds.
    pub bootstrap: Bootstrap,
}

impl ProbeSettings {
    /// Five folds, a penalty of 1, 1,000 resamples and a 95% interval.
    pub fn new(seed: u64) -> Self {
        Self { folds: 5, penalty: 1.0, bootstrap: Bootstrap::new(seed) }
    }
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The number of items.
    pub items: usize,
    /// The number of items of class 1.
    pub positives: usize,
    /// How well the cross-validated predictions rank the items. ½ is chance.
    pub auroc: f64,
    /// The AUROC's interval: that over resamples of the items, √2 times as wide to either side, within [0, 1].
    pub interval: Interval,
    /// Whether the labels can be predicted better than by chance: the interval lies above ½.
    pub predictable: bool,
}

/// Asks whether the labels can be told from the features.
///
/// Resampling the items takes the predictions as given. But they were made from the other items' labels, and where there
/// is nothing to find, every pair of items counts twice: what j's label does to i's prediction, i's label does to j's. So
/// the AUROC has twice the variance around ½ that the resamples show, and the interval is widened for it. Otherwise
/// one probe in ten would find what is not there; with it, one in fifty does (texts, 300 to 1,500 items).
///
/// # Errors
/// As `cross_validated_log_odds`.
///
/// # Panics
/// If there is not one label and one id per row, or the bootstrap's level is not between 0 and 1.
pub fn probe(features: &FeatureMatrix, labels: &[bool], ids: &[u64], settings: &ProbeSettings) -> Result<Probe> {
    let log_odds = cross_validated_log_odds(features, labels, ids, settings)?;
    let positives = labels.iter().filter(|label| **label).count();
    let both = "both classes are there and log-odds of finite features are numbers";
    let auroc = auroc(&log_odds, labels).expect(both);
    let resampled = auroc_interval(&log_odds, labels, &settings.bootstrap).expect(both).interval;
    let interval = Interval {
        low: (auroc - SQRT_2 * (auroc - resampled.low)).max(0.0),
        high: (auroc + SQRT_2 * (resampled.high - auroc)).min(1.0),
    };
    Ok(Probe { items: labels.len(), positives, auroc, interval, predictable: interval.low > 0.5 })
}

/// The log-odds of every item by a classifier fitted to the folds that the item is not in. Folds are stratified, and
/// depend on the seed, the ids and the labels, not on the items' order.
///
/// # Errors
/// If there are fewer than two folds or two items of a class, if the penalty is not above 0, or if a fit does not
/// converge.
///
/// # Panics
/// If there is not one label and one id per row.
pub(crate) fn cross_validated_log_odds(
    features: &FeatureMatrix,
    labels: &[bool],
    ids: &[u64],
    settings: &ProbeSettings,
) -> Result<Vec<f64>> {
    assert!(features.rows() == labels.len() && labels.len() == ids.len(), "one label and one id per row");
    let fold_of = stratified_folds(labels, ids, settings.folds, settings.bootstrap.seed)?;
    let predictions: Vec<Vec<(usize, f64)>> = (0..settings.folds)
        .into_par_iter()
        .map(|fold| {
            let (held_out, others): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|row| fold_of[*row] == fold);
            let classifier = LogisticRegression::fit_rows(features, labels, &others, settings.penalty)?;
            Ok(held_out.into_iter().map(|row| (row, classifier.log_odds(features, row))).collect())
        })
        .collect::<Result<_>>()?;
    let mut log_odds = vec![0.0; labels.len()];
    for (row, prediction) in predictions.into_iter().flatten() {
        log_odds[row] = prediction;
    }
    Ok(log_odds)
}

/// Each item's fold. The items of either class, in an order that depends on the seed and their ids, are dealt to the
/// folds in turn; the second class goes on where the first ended, which keeps the folds' sizes within one of another.
fn stratified_folds(labels: &[bool], ids: &[u64], folds: usize, seed: u64) -> Result<Vec<usize>> {
    if folds < 2 {
        let (setting, range) = ("the number of folds", "at least 2");
        return Err(StatsError::SettingOutOfRange { setting, value: folds as f64, range });
    }
    for class in [false, true] {
        let count = labels.iter().filter(|label| **label == class).count();
        // With two of a class, each is left to fit to while the other is predicted.
        if count < 2 {
            return Err(StatsError::TooFewOfClass { class: u8::from(class), count, needed: 2 });
        }
    }
    let mut items = ItemDraws::new(seed, "folds").order(ids);
    items.sort_by_key(|item| labels[*item]);
    let mut fold_of = vec![0; labels.len()];
    for (place, item) in items.into_iter().enumerate() {
        fold_of[item] = place % folds;
    }
    Ok(fold_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text_features::hashed_words;
    use proptest::prelude::*;

    const BITS: u32 = 12;

    fn draw(purpose: &'static str, item: usize) -> f64 {
        ItemDraws::new(9, purpose).uniform(item as u64)
    }

    /// Texts of ten words out of fifty.
    fn texts(count: usize) -> Vec<String> {
        let word = |place: usize| format!("w{}", (draw("words", place) * 50.0) as usize);
        (0..count).map(|text| (0..10).map(|place| word(text * 10 + place)).collect::<Vec<_>>().join(" ")).collect()
    }

    fn features(texts: &[String]) -> FeatureMatrix {
        let mut features = FeatureMatrix::new(1 << BITS);
        for text in texts {
            features.push_row(hashed_words(text, BITS)).unwrap();
        }
        features
    }

    #[test]
    fn finds_what_is_in_the_text_and_nothing_in_coin_flips() {
        let texts = texts(1500);
        let (features, ids) = (features(&texts), (0..1500).collect::<Vec<u64>>());
        let in_text: Vec<bool> =
            texts.iter().enumerate().map(|(item, text)| text.contains("w7 ") && draw("noise", item) < 0.8).collect();
        let found = probe(&features, &in_text, &ids, &ProbeSettings::new(1)).unwrap();
        assert!(found.predictable && found.auroc > 0.8, "{found:?}");
        let coins: Vec<bool> = (0..1500).map(|item| draw("coins", item) < 0.2).collect();
        let found = probe(&features, &coins, &ids, &ProbeSettings::new(1)).unwrap();
        assert!(!found.predictable && (found.auroc - 0.5).abs() < 0.05, "{found:?}");
        assert_eq!(found.positives, coins.iter().filter(|label| **label).count());
    }

    #[test]
    fn coin_flips_are_found_predictable_as_rarely_as_the_interval_promises() {
        let texts = texts(150);
        let (features, ids) = (features(&texts), (0..150).collect::<Vec<u64>>());
        let found = (0..200).filter(|trial| {
            let coins: Vec<bool> = (0..150).map(|item| draw("trials", trial * 150 + item) < 0.3).collect();
            probe(&features, &coins, &ids, &ProbeSettings::new(0)).unwrap().predictable
        });
        // Five are expected at most. An interval that is not widened finds 18.
        let found = found.count();
        assert!(found <= 8, "{found} of 200");
    }

    #[test]
    fn predictions_are_those_of_a_classifier_that_did_not_see_the_item() {
        // Every item has a column of its own: fitted to itself, it would be told perfectly.
        let mut features = FeatureMatrix::new(40);
        (0..40).for_each(|column| features.push_row([(column, 100.0)]).unwrap());
        let labels: Vec<bool> = (0..40).map(|item| item % 2 == 0).collect();
        let ids: Vec<u64> = (0..40).collect();
        let log_odds = cross_validated_log_odds(&features, &labels, &ids, &ProbeSettings::new(0)).unwrap();
        assert!(log_odds.iter().all(|log_odds| log_odds.abs() < 0.2), "{log_odds:?}");
    }

    #[test]
    fn threads_change_nothing() {
        let texts = texts(200);
        let (features, ids) = (features(&texts), (0..200).collect::<Vec<u64>>());
        let labels: Vec<bool> = (0..200).map(|item| draw("coins", item) < 0.3).collect();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| cross_validated_log_odds(&features, &labels, &ids, &ProbeSettings::new(0)).unwrap())
        };
        assert_eq!(with_threads(1), with_threads(3));
    }

    #[test]
    fn refuses_too_little() {
        let features = FeatureMatrix::from_dense(&[[1.0], [2.0], [3.0]]).unwrap();
        let settings = ProbeSettings::new(0);
        let error = probe(&features, &[true, false, false], &[1, 2, 3], &settings).unwrap_err();
        assert_eq!(error.to_string(), "too few examples of class 1: 1 of at least 2");
        let error = probe(&features, &[true, false, false], &[1, 2, 3], &ProbeSettings { folds: 1, ..settings });
        assert_eq!(error.unwrap_err().to_string(), "the number of folds is 1, but must be at least 2");
    }

    proptest! {
        #[test]
        fn folds_are_even_in_each_class(
            items in prop::collection::btree_map(any::<u64>(), any::<bool>(), 4..60),
            folds in 2usize..7,
            seed: u64,
        ) {
            let (ids, labels): (Vec<u64>, Vec<bool>) = items.into_iter().unzip();
            let positives = labels.iter().filter(|label| **label).count();
            prop_assume!(positives >= 2 && labels.len() - positives >= 2);
            let fold_of = stratified_folds(&labels, &ids, folds, seed).unwrap();
            let within_one = |of: &dyn Fn(usize) -> bool| {
                let counts = (0..folds).map(|fold| (0..ids.len()).filter(|item| fold_of[*item] == fold && of(*item)).count());
                let counts: Vec<usize> = counts.collect();
                counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1
            };
            prop_assert!(within_one(&|_| true));
            prop_assert!(within_one(&|item| labels[item]));
            prop_assert!(within_one(&|item| !labels[item]));

            let backwards = |n: &[u64]| n.iter().rev().copied().collect::<Vec<u64>>();
            let reversed_labels: Vec<bool> = labels.iter().rev().copied().collect();
            let mut reversed = stratified_folds(&reversed_labels, &backwards(&ids), folds, seed).unwrap();
            reversed.reverse();
            prop_assert_eq!(reversed, fold_of);
        }
    }
}
