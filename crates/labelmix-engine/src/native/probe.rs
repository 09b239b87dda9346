//! Hidden states, read once for all stages of a process, and linear probes on them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use labelmix_methods::{ProbePlan, Role, StageExample};
use labelmix_models::KeptTensors;
use labelmix_stats::{FeatureMatrix, LogisticRegression};
use labelmix_store::{PROBE_FILE, Shortened, StoreError};
use labelmix_train::{Interrupt, hidden_states};

use super::NativeEngine;
use super::stage::{Work, finite_scores};
use crate::engine::StageScores;
use crate::error::{Error, Result};

/// What the pretrained model's pooling gives for texts that were read, `[hidden]` each, by the number of layers and their
/// tokens.
#[derive(Default)]
pub(super) struct Features(Mutex<HashMap<Option<usize>, Rows>>);

/// Those of texts, by their tokens.
type Rows = HashMap<Box<[u32]>, Row>;

/// One text's, `[hidden]`.
type Row = Arc<[f32]>;

impl NativeEngine {
    /// The features of these texts. A sweep's are read once and kept: stages ask for them again and again.
    pub(super) fn features(&self, layers: Option<usize>, texts: &[&[u32]], interrupt: &Interrupt) -> Result<Vec<Row>> {
        let read = |texts: &[&[u32]]| -> Result<Vec<Row>> {
            let read = hidden_states(interrupt, &self.model, layers, texts, self.recipe.micro_batch_tokens)?;
            Ok(read.into_iter().map(Arc::from).collect())
        };
        if self.texts.train.is_empty() {
            return read(texts);
        }
        let known = || self.features.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let missing: Vec<&[u32]> = {
            let mut known = known();
            let known = known.entry(layers).or_default();
            texts.iter().copied().filter(|text| !known.contains_key(*text)).collect()
        };
        let new = read(&missing)?;
        let mut known = known();
        let known = known.entry(layers).or_default();
        known.extend(missing.into_iter().map(Box::from).zip(new));
        Ok(texts.iter().map(|text| Arc::clone(&known[*text])).collect())
    }
}

impl Work<'_> {
    /// Fits a probe to the labels of the draws, and scores the test set with it.
    pub(super) fn probe(self, plan: &ProbePlan, out: &Path) -> Result<StageScores> {
        let Self { engine, job, continuation } = self;
        let (texts, interrupt) = (&engine.texts, continuation.interrupt);
        let (mut tokens, mut examples): (Vec<&[u32]>, _) = (Vec::new(), Vec::new());
        for drawn in &job.drawn {
            let weight = if let Role::Jointly(loss) = drawn.draw.role { loss.weight as f32 } else { 1.0 };
            let labels = drawn.labels(&job.data.train).expect("a probe learns from labels");
            examples.extend(labels.into_iter().map(|target| StageExample { weight, ..StageExample::new(&[], target) }));
            tokens.extend(drawn.places.iter().map(|place| &*texts.train[*place]));
        }
        let probe =
            Probe::fit(&engine.features(plan.layers, &tokens, interrupt)?, &examples, plan.penalty, plan.layers)?;
        let test: Vec<&[u32]> = texts.test.iter().map(Vec::as_slice).collect();
        let log_odds = probe.score(engine, &test, interrupt)?;
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        probe.write(&out.join(PROBE_FILE))?;
        engine.model.model().check_unchanged()?;
        Ok(StageScores {
            history: None,
            chosen: Vec::new(),
            scores: finite_scores(log_odds)?,
            shortened: Shortened::default(),
            written: vec![PROBE_FILE.to_owned()],
        })
    }
}

/// A linear classifier of hidden states.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probe {
    weights: Vec<f32>,
    intercept: f32,
    /// Of how many of the last blocks it reads the hidden states; the upper half without a number.
    layers: Option<usize>,
}

impl Probe {
    /// Logistic regression on rows that are divided by their root mean squared distance from their mean. Where all labels
    /// are of one class, the log-odds of their count and half an example more of each class.
    fn fit(rows: &[Row], examples: &[StageExample<'_>], penalty: f64, layers: Option<usize>) -> Result<Self> {
        let hidden = rows.first().map_or(0, |row| row.len());
        let weights: Vec<f64> = examples.iter().map(|example| f64::from(example.weight)).collect();
        let targets: Vec<f64> = examples.iter().map(|example| f64::from(example.target)).collect();
        let total: f64 = weights.iter().sum();
        let positive: f64 = weights.iter().zip(&targets).map(|(weight, target)| weight * target).sum();
        if positive <= 0.0 || positive >= total {
            let intercept = ((positive + 0.5) / (total - positive + 0.5)).ln() as f32;
            return Ok(Self { weights: vec![0.0; hidden], intercept, layers });
        }
        let mut mean = vec![0.0; hidden];
        for row in rows {
            mean.iter_mut().zip(row.iter()).for_each(|(mean, value)| *mean += f64::from(*value) / rows.len() as f64);
        }
        let distance =
            |row: &Row| -> f64 { row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).powi(2)).sum() };
        let spread = (rows.iter().map(distance).sum::<f64>() / rows.len() as f64).sqrt();
        let scale = if spread > 0.0 { spread.recip() } else { 1.0 };
        // The mean is taken away, which changes the intercept alone, for numbers that the fit is good at.
        let scaled: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean) * scale).collect())
            .collect();
        let features = FeatureMatrix::from_dense(&scaled).map_err(Error::Probe)?;
        let fitted = LogisticRegression::fit_soft(&features, &targets, &weights, penalty).map_err(Error::Probe)?;
        let weights: Vec<f64> = fitted.weights.iter().map(|weight| weight * scale).collect();
        let shift: f64 = weights.iter().zip(&mean).map(|(weight, mean)| weight * mean).sum();
        Ok(Self {
            weights: weights.into_iter().map(|weight| weight as f32).collect(),
            intercept: (fitted.intercept - shift) as f32,
            layers,
        })
    }

    /// The log-odds of class 1 of these texts.
    pub(super) fn score(&self, engine: &NativeEngine, texts: &[&[u32]], interrupt: &Interrupt) -> Result<Vec<f32>> {
        Ok(engine.features(self.layers, texts, interrupt)?.iter().map(|row| self.log_odds(row)).collect())
    }

    /// The log-odds of class 1 of a text with these hidden states.
    fn log_odds(&self, row: &[f32]) -> f32 {
        let products = self.weights.iter().zip(row).map(|(weight, value)| f64::from(*weight) * f64::from(*value));
        (products.sum::<f64>() + f64::from(self.intercept)) as f32
    }

    fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = KeptTensors::about("a linear probe of pooled hidden states".to_owned());
        tensors.add_row("weight", &self.weights);
        tensors.add_row("intercept", &[self.intercept]);
        // 0 for the upper half.
        tensors.add_row("layers", &[self.layers.unwrap_or(0) as f32]);
        Ok(tensors.write(path).map_err(StoreError::io(path))?)
    }

    /// The probe kept in a stage's folder; `None` if the stage is something else.
    pub(super) fn kept(folder: &Path, hidden: usize) -> Result<Option<Self>> {
        let path = folder.join(PROBE_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let read = || -> std::io::Result<Self> {
            let tensors = KeptTensors::read(&path)?;
            let number = |name| Ok::<_, std::io::Error>(tensors.row(name, 1)?[0]);
            let layers = Some(number("layers")? as usize).filter(|layers| *layers > 0);
            Ok(Self { weights: tensors.row("weight", hidden)?, intercept: number("intercept")?, layers })
        };
        Ok(Some(read().map_err(StoreError::io(&path))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[[f32; 2]]) -> Vec<Row> {
        values.iter().map(|row| Arc::from(row.as_slice())).collect()
    }

    fn examples(targets: &[f32]) -> Vec<StageExample<'static>> {
        targets.iter().map(|target| StageExample::new(&[], *target)).collect()
    }

    #[test]
    fn a_probe_does_not_depend_on_where_and_how_large_hidden_states_are() {
        let values = [[1.0, 0.5], [2.0, -1.0], [-1.0, 0.25], [-2.0, 1.5], [0.5, 1.0]];
        let targets = [1.0, 0.9, 0.0, 0.2, 1.0];
        let probe = Probe::fit(&rows(&values), &examples(&targets), 1.0, None).unwrap();
        let moved = rows(&values.map(|row| row.map(|value| 1000.0 * value + 50.0)));
        let other = Probe::fit(&moved, &examples(&targets), 1.0, None).unwrap();
        for (row, moved) in rows(&values).iter().zip(&moved) {
            assert!((probe.log_odds(row) - other.log_odds(moved)).abs() < 1e-4);
        }
        assert!(probe.log_odds(&[2.0, 0.0]) > 0.0 && probe.log_odds(&[-2.0, 0.0]) < 0.0);
    }

    #[test]
    fn labels_of_one_class_say_how_many_they_are() {
        let probe = Probe::fit(&rows(&[[1.0, 0.5], [2.0, -1.0]]), &examples(&[1.0, 1.0]), 1.0, None).unwrap();
        assert_eq!(probe, Probe { weights: vec![0.0; 2], intercept: 5.0_f32.ln(), layers: None });
    }

    #[test]
    fn a_kept_probe_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Probe::kept(folder.path(), 2).unwrap(), None);
        let probe = Probe { weights: vec![0.1, -3e7], intercept: 0.3, layers: Some(4) };
        probe.write(&folder.path().join(PROBE_FILE)).unwrap();
        assert_eq!(Probe::kept(folder.path(), 2).unwrap(), Some(probe));
        assert!(Probe::kept(folder.path(), 3).is_err(), "of another model");
    }
}
