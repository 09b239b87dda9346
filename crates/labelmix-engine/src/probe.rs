//! Linear probes: logistic regression on what a pretrained model makes of texts, or on their words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use labelmix_methods::Scores;
use labelmix_stats::{FeatureMatrix, LogisticRegression, WordFrequencies, words};
use labelmix_store::{PROBE_FILE, read_json, write_whole};
use labelmix_train::Interrupt;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Scorer};
use crate::error::{Error, Result};

/// The hidden states of a text, `[hidden]`.
pub type HiddenStates = Arc<[f32]>;

/// What a probe learns from, a label for each text.
#[derive(Clone, Debug, Default)]
pub struct ProbeLabels {
    /// Probabilities of class 1.
    pub targets: Vec<f64>,
    /// What each one's loss is multiplied by.
    pub weights: Vec<f64>,
}

/// A linear classifier: its log-odds of class 1 are a sum of weights, and an intercept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reads", rename_all = "kebab-case")]
pub enum Probe {
    /// One weight for each of the pretrained model's hidden states.
    HiddenStates {
        /// Of how many of the last blocks they are; of the upper half without a number.
        layers: Option<usize>,
        intercept: f64,
        weights: Vec<f64>,
    },
    /// A weight for each occurrence of a word.
    Words { intercept: f64, weights: BTreeMap<String, f64> },
}

impl Probe {
    /// A probe of hidden states. They are divided by their root mean squared distance from their mean, so that the
    /// penalty means the same for every model.
    ///
    /// # Errors
    /// If the fit does not converge.
    ///
    /// # Panics
    /// If there is not one label for each text.
    pub fn of_hidden_states(
        rows: &[HiddenStates],
        labels: &ProbeLabels,
        penalty: f64,
        layers: Option<usize>,
    ) -> Result<Self> {
        let hidden = rows.first().map_or(0, |row| row.len());
        let mut mean = vec![0.0; hidden];
        for row in rows {
            mean.iter_mut().zip(row.iter()).for_each(|(mean, value)| *mean += f64::from(*value) / rows.len() as f64);
        }
        // The mean is taken away, which changes the intercept alone, for numbers that the fit is good at.
        let centred: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| row.iter().zip(&mean).map(|(value, mean)| f64::from(*value) - mean).collect())
            .collect();
        let squares: f64 = centred.iter().flatten().map(|value| value * value).sum();
        let scale = scale(squares / rows.len() as f64);
        let scaled: Vec<Vec<f64>> =
            centred.into_iter().map(|row| row.into_iter().map(|value| value * scale).collect()).collect();
        let features = FeatureMatrix::from_dense(&scaled).map_err(Error::Probe)?;
        let fitted = fit(&features, labels, penalty)?;
        let weights: Vec<f64> = fitted.weights.iter().map(|weight| weight * scale).collect();
        let shift: f64 = weights.iter().zip(&mean).map(|(weight, mean)| weight * mean).sum();
        Ok(Self::HiddenStates { layers, intercept: fitted.intercept - shift, weights })
    }

    /// A probe of words. The feature of a word is how often it stands in a text, times its inverse document frequency; rows
    /// are scaled as hidden states are.
    ///
    /// # Errors
    /// If the fit does not converge.
    ///
    /// # Panics
    /// If there is not one label for each text.
    pub fn of_words(frequencies: &WordFrequencies, texts: &[&str], labels: &ProbeLabels, penalty: f64) -> Result<Self> {
        // Words that stand in none of these texts would have no weight.
        let mut columns: BTreeMap<&str, u32> = BTreeMap::new();
        let texts: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
        columns.extend(texts.iter().flatten().map(|word| (word.as_str(), 0)));
        let idf: Vec<f64> = columns.keys().map(|word| frequencies.inverse(word)).collect();
        for (column, place) in columns.values_mut().zip(0..) {
            *column = place;
        }
        let mut mean = vec![0.0; columns.len()];
        let mut rows: Vec<BTreeMap<u32, f64>> = Vec::new();
        for text in &texts {
            let mut row: BTreeMap<u32, f64> = BTreeMap::new();
            for word in text {
                let column = columns[word.as_str()];
                *row.entry(column).or_default() += idf[column as usize];
                mean[column as usize] += idf[column as usize] / texts.len() as f64;
            }
            rows.push(row);
        }
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let squares = square(&mut rows.iter().flat_map(|row| row.values().copied())) / rows.len() as f64;
        let scale = scale(squares - square(&mut mean.iter().copied()));
        let mut features = FeatureMatrix::new(columns.len());
        for row in &rows {
            features.push_row(row.iter().map(|(column, value)| (*column, value * scale))).map_err(Error::Probe)?;
        }
        let fitted = fit(&features, labels, penalty)?;
        let weights = columns.keys().zip(fitted.weights).zip(&idf);
        let weights = weights.map(|((word, weight), idf)| ((*word).to_owned(), weight * idf * scale)).collect();
        Ok(Self::Words { intercept: fitted.intercept, weights })
    }

    /// The log-odds of class 1 of texts, whose hidden states of so many layers `read` gives, if it reads them.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn score(
        &self,
        texts: &[&str],
        read: impl FnOnce(Option<usize>, &[&str]) -> Result<Vec<HiddenStates>>,
    ) -> Result<Vec<f32>> {
        Ok(match self {
            Self::HiddenStates { layers, intercept, weights } => {
                let products = |row: &HiddenStates| -> f64 {
                    weights.iter().zip(row.iter()).map(|(weight, value)| weight * f64::from(*value)).sum()
                };
                read(*layers, texts)?.iter().map(|row| (products(row) + intercept) as f32).collect()
            }
            Self::Words { intercept, weights } => {
                let found = |text: &&str| words(text).into_iter().filter_map(|word| weights.get(&word)).sum::<f64>();
                texts.iter().map(|text| (found(text) + intercept) as f32).collect()
            }
        })
    }

    /// Keeps it in a stage's folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(PROBE_FILE);
        let json = serde_json::to_vec(self).expect("a probe is numbers with names");
        Ok(write_whole(&path, &json)?)
    }

    /// The probe kept in a stage's folder; `None` if the stage is something else.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn kept(folder: &Path) -> Result<Option<Self>> {
        Ok(read_json(&folder.join(PROBE_FILE))?)
    }
}

/// What numbers of this mean square are multiplied by to have a mean square of 1.
fn scale(mean_square: f64) -> f64 {
    if mean_square > 0.0 { mean_square.sqrt().recip() } else { 1.0 }
}

/// Logistic regression. Where all labels are of one class, the log-odds of their count and half an example more of each
/// class.
fn fit(features: &FeatureMatrix, labels: &ProbeLabels, penalty: f64) -> Result<LogisticRegression> {
    let ProbeLabels { targets, weights } = labels;
    let total: f64 = weights.iter().sum();
    let positive: f64 = weights.iter().zip(targets).map(|(weight, target)| weight * target).sum();
    if positive <= 0.0 || positive >= total {
        let intercept = ((positive + 0.5) / (total - positive + 0.5)).ln();
        return Ok(LogisticRegression { weights: vec![0.0; features.columns()], intercept });
    }
    LogisticRegression::fit_soft(features, targets, weights, penalty).map_err(Error::Probe)
}

/// What is kept in a stage's folder, ready to score texts: a probe, or what the engine trained.
///
/// # Errors
/// If it is damaged, or of another model.
pub fn kept_scorer<'a>(engine: &'a dyn Engine, folder: &Path) -> Result<Box<dyn Scorer + 'a>> {
    match Probe::kept(folder)? {
        Some(probe) => Ok(Box::new(Probed { engine, probe })),
        None => engine.scorer(folder),
    }
}

/// A kept probe, with the engine that reads texts for it.
struct Probed<'a> {
    engine: &'a dyn Engine,
    probe: Probe,
}

impl Scorer for Probed<'_> {
    fn score(&self, texts: &[&str], interrupt: &Interrupt) -> Result<Scores> {
        let read = |layers, texts: &[&str]| self.engine.hidden_states(layers, texts, interrupt);
        Ok(Scores::of_log_odds(self.probe.score(texts, read)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[[f32; 2]]) -> Vec<HiddenStates> {
        values.iter().map(|row| Arc::from(row.as_slice())).collect()
    }

    /// The log-odds of texts with these hidden states.
    fn scores(probe: &Probe, rows: &[HiddenStates]) -> Vec<f32> {
        probe.score(&vec![""; rows.len()], |_, _| Ok(rows.to_vec())).unwrap()
    }

    fn of_text(probe: &Probe, text: &str) -> f32 {
        probe.score(&[text], |_, _| panic!("it reads words")).unwrap()[0]
    }

    fn labels(targets: &[f64]) -> ProbeLabels {
        ProbeLabels { targets: targets.to_vec(), weights: vec![1.0; targets.len()] }
    }

    #[test]
    fn a_probe_does_not_depend_on_where_and_how_large_hidden_states_are() {
        let values = [[1.0, 0.5], [2.0, -1.0], [-1.0, 0.25], [-2.0, 1.5], [0.5, 1.0]];
        let labels = labels(&[1.0, 0.9, 0.0, 0.2, 1.0]);
        let probe = Probe::of_hidden_states(&rows(&values), &labels, 1.0, None).unwrap();
        let moved = rows(&values.map(|row| row.map(|value| 1000.0 * value + 50.0)));
        let other = Probe::of_hidden_states(&moved, &labels, 1.0, None).unwrap();
        for (score, moved) in scores(&probe, &rows(&values)).into_iter().zip(scores(&other, &moved)) {
            assert!((score - moved).abs() < 1e-4);
        }
        let sides = scores(&probe, &rows(&[[2.0, 0.0], [-2.0, 0.0]]));
        assert!(sides[0] > 0.0 && sides[1] < 0.0);
    }

    #[test]
    fn labels_of_one_class_say_how_many_they_are() {
        let probe =
            Probe::of_hidden_states(&rows(&[[1.0, 0.5], [2.0, -1.0]]), &labels(&[1.0, 1.0]), 1.0, None).unwrap();
        let expected = Probe::HiddenStates { layers: None, intercept: 5.0_f64.ln(), weights: vec![0.0; 2] };
        assert_eq!(probe, expected);
    }

    #[test]
    fn rare_words_weigh_more() {
        let pool = ["a good film", "a bad film", "a fine film", "a film", "a good day"];
        let frequencies = WordFrequencies::of(pool);
        let texts = ["a fine film", "a bad film", "a good film", "a bad day"];
        let probe = Probe::of_words(&frequencies, &texts, &labels(&[1.0, 0.0, 1.0, 0.0]), 1.0).unwrap();
        let Probe::Words { intercept, weights } = &probe else { panic!("it reads words") };
        assert!(weights["fine"] > weights["good"] && weights["good"] > weights["a"].abs(), "{weights:?}");
        assert!(of_text(&probe, "Fine!") > 0.0 && of_text(&probe, "bad") < 0.0);
        assert_eq!(of_text(&probe, "never heard"), *intercept as f32);
    }

    #[test]
    fn a_kept_probe_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Probe::kept(folder.path()).unwrap(), None);
        for probe in [
            Probe::HiddenStates { layers: Some(4), intercept: 0.3, weights: vec![0.1, -3e7] },
            Probe::Words { intercept: 1.0 / 3.0, weights: BTreeMap::from([("word".to_owned(), -0.1)]) },
        ] {
            probe.write(folder.path()).unwrap();
            assert_eq!(Probe::kept(folder.path()).unwrap(), Some(probe));
        }
        std::fs::write(folder.path().join(PROBE_FILE), "{").unwrap();
        assert!(Probe::kept(folder.path()).is_err());
    }
}
