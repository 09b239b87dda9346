//! A finished run with what it predicts of its test set: what there is to judge it by, without training anything.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_data::{Example, ExampleId};

use crate::error::{Error, Result};
use crate::store::{RunFile, StageOutcome, Store, TestLogOdds};

/// A run, its stages, and its predictions.
#[derive(Clone, Debug)]
pub struct TestedRun {
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration and record.
    pub file: RunFile,
    /// Its stages, first to last.
    pub stages: Vec<StageOutcome>,
    /// What it predicts.
    pub predicted: TestLogOdds,
}

impl TestedRun {
    /// Reads the run kept in `folder`.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        let (file, _) = Store::read_run(folder)?;
        let store = Store::of_run(folder)?;
        let missing = |key: &crate::key::StageKey| Error::Damaged {
            path: store.stage_folder(key),
            reason: format!("the run {} was made of this stage, which is not there", file.record.run),
        };
        let mut stages = Vec::with_capacity(file.stages.len());
        for key in &file.stages {
            stages.push(store.outcome(key)?.ok_or_else(|| missing(key))?);
        }
        let last = file.stages.last().expect("a run that could be read has a stage");
        let predicted = store.test_log_odds(last)?.ok_or_else(|| missing(last))?;
        if predicted.ids.len() != predicted.log_odds.len() {
            let reason = format!("{} ids and {} log-odds", predicted.ids.len(), predicted.log_odds.len());
            return Err(Error::Damaged { path: store.stage_folder(last), reason });
        }
        Ok(Self { folder: folder.to_owned(), file, stages, predicted })
    }

    /// The folder of the store that keeps the run.
    #[must_use]
    pub fn store_folder(&self) -> &Path {
        self.folder.ancestors().nth(3).unwrap_or(&self.folder)
    }

    /// The test examples that the run was tested on, in the order of its predictions, from those of its study.
    ///
    /// # Errors
    /// If the study's test set lacks some of them, or their gold labels are not those that the run was judged by.
    pub fn examples<'a>(&self, test: &'a [Example]) -> Result<Vec<&'a Example>> {
        let other = |reason: String| Error::OtherTestSet { path: self.folder.clone(), reason };
        let by_id: HashMap<ExampleId, &Example> = test.iter().map(|example| (example.id, example)).collect();
        let examples: Vec<&Example> = self.predicted.ids.iter().filter_map(|id| by_id.get(id).copied()).collect();
        let tested = self.predicted.ids.len();
        if examples.len() < tested {
            let missing = tested - examples.len();
            return Err(other(format!(
                "{missing} of the {tested} texts it was tested on are not in the study's test set"
            )));
        }
        let right = examples.iter().zip(&self.predicted.log_odds);
        let right = right.filter(|(example, score)| example.gold == Some(**score > 0.0)).count();
        let (accuracy, recorded) = (right as f64 / tested as f64, self.file.record.metrics.accuracy);
        if accuracy.total_cmp(&recorded).is_ne() {
            return Err(other(format!(
                "it was recorded with an accuracy of {recorded}, and has {accuracy} by the gold labels of the study's test set"
            )));
        }
        Ok(examples)
    }

    /// The log-odds of another run's texts, in that run's order.
    ///
    /// # Errors
    /// If the two were tested on different texts.
    pub fn log_odds_in_order_of(&self, other: &Self) -> Result<Vec<f32>> {
        let mine: HashMap<ExampleId, f32> =
            self.predicted.ids.iter().copied().zip(self.predicted.log_odds.iter().copied()).collect();
        let scores: Vec<f32> = other.predicted.ids.iter().filter_map(|id| mine.get(id).copied()).collect();
        let (first, second, common) = (other.predicted.ids.len(), self.predicted.ids.len(), scores.len());
        if common < first || common < second {
            return Err(Error::DifferentTests { first, second, common });
        }
        Ok(scores)
    }

    /// The run of the same study, method and seed that bought no weak labels and the most gold ones: the ceiling that a
    /// run with weak labels is held against. `None` where there is none but this one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ceiling(&self) -> Result<Option<Self>> {
        let Some(siblings) = self.folder.parent() else { return Ok(None) };
        let mut folders = Vec::new();
        for entry in fs::read_dir(siblings).map_err(Error::store(siblings))? {
            folders.push(entry.map_err(Error::store(siblings))?.path());
        }
        folders.sort();
        let mut best: Option<(usize, PathBuf)> = None;
        let own = &self.file.record;
        for folder in folders {
            let Ok((file, _)) = Store::read_run(&folder) else { continue };
            let record = file.record;
            let fits = record.method == own.method && record.seed == own.seed && record.allocation.n_weak == 0;
            if fits && best.as_ref().is_none_or(|(n_gold, _)| record.allocation.n_gold > *n_gold) {
                best = Some((record.allocation.n_gold, folder));
            }
        }
        let Some((_, folder)) = best else { return Ok(None) };
        let ceiling = Self::read(&folder)?;
        Ok((ceiling.file.record.run != own.run).then_some(ceiling))
    }
}
