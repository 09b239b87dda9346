//! Finished runs with what they predict of their test set, from the store alone.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labelmix_data::{Example, ExampleId};
use labelmix_econ::{CorrectItems, MeasuredRun, Outcome, Prices, RankedItems};
use labelmix_stats::ComparedStatistic;
use labelmix_study::Study;

use crate::asked::Asked;
use crate::error::{Result, StoreError};
use crate::key::StageKey;
use crate::manifest::{Damage, Scrutiny};
use crate::plans::StudyQuestion;
use crate::record::RunRecord;
use crate::run_file::RunFile;
use crate::store::{LEDGER_FILE, RUN_FILE, StageOutcome, Store};

/// A finished run with what it predicts.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    pub folder: PathBuf,
    /// Its configuration and record.
    pub file: RunFile,
    /// Its stages, first to last.
    pub stages: Vec<Arc<StageOutcome>>,
    /// The texts that it was tested on.
    pub ids: Arc<[ExampleId]>,
    /// The log-odds of class 1 of each.
    pub log_odds: Vec<f32>,
}

/// What runs have in common, once: stages and test sets.
#[derive(Default)]
pub(crate) struct Shared {
    stages: HashMap<StageKey, Arc<StageOutcome>>,
    test_sets: HashSet<Arc<[ExampleId]>>,
}

impl FinishedRun {
    /// Reads the run kept in `folder`.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::read_shared(folder, &mut Shared::default())
    }

    pub(crate) fn read_shared(folder: &Path, shared: &mut Shared) -> Result<Self> {
        let (file, _) = Store::read_run(folder)?;
        let store = Store::of_run(folder)?;
        let missing = |key: &StageKey| StoreError::Damaged {
            path: store.stage_folder(key),
            reason: format!("the run {} was made of this stage, which is not there", file.record.run),
        };
        let mut stages = Vec::with_capacity(file.stages.len());
        for key in &file.stages {
            let stage = match shared.stages.get(key) {
                Some(stage) => Arc::clone(stage),
                // The texts of the last stage have been checked with the run.
                None if Some(key) == file.stages.last() => Arc::new(store.outcome(key)?.ok_or_else(|| missing(key))?),
                None => Arc::new(store.sound_outcome(key, Scrutiny::Texts)?.ok_or_else(|| missing(key))?),
            };
            shared.stages.entry(key.clone()).or_insert_with(|| Arc::clone(&stage));
            stages.push(stage);
        }
        let last = file.stages.last().expect("a run that could be read has a stage");
        let predicted = Store::read_log_odds(&store.stage_folder(last))?.ok_or_else(|| missing(last))?;
        if predicted.ids.len() != predicted.log_odds.len() {
            let reason = format!("{} ids and {} log-odds", predicted.ids.len(), predicted.log_odds.len());
            return Err(StoreError::Damaged { path: store.stage_folder(last), reason });
        }
        let ids = match shared.test_sets.get(&predicted.ids[..]) {
            Some(ids) => Arc::clone(ids),
            None => Arc::from(predicted.ids),
        };
        shared.test_sets.insert(Arc::clone(&ids));
        Ok(Self { folder: folder.to_owned(), file, stages, ids, log_odds: predicted.log_odds })
    }

    /// The run with what its labels cost at these prices.
    fn at(mut self, prices: &Prices) -> Self {
        if let Some(labels) = self.file.labels.take() {
            let labels = labels.at(prices);
            self.file.record.cost_usd = Some(labels.cost_usd);
            self.file.labels = Some(labels);
        }
        self
    }

    /// The store that keeps the run.
    ///
    /// # Errors
    /// If the folder is in none.
    pub fn store(&self) -> Result<Store> {
        Store::of_run(&self.folder)
    }

    /// The test examples that the run was tested on, in the order of its predictions, from those of its study.
    ///
    /// # Errors
    /// If some of them are missing, or their gold labels are not those that the run was judged by.
    pub fn examples<'a>(&self, test: &'a [Example]) -> Result<Vec<&'a Example>> {
        let by_id: HashMap<ExampleId, &Example> = test.iter().map(|example| (example.id, example)).collect();
        let examples: Vec<&Example> = self.ids.iter().filter_map(|id| by_id.get(id).copied()).collect();
        let tested = self.ids.len();
        if examples.len() < tested {
            let missing = tested - examples.len();
            let reason = format!("{missing} of the {tested} texts it was tested on are not in the study's test set");
            return Err(StoreError::OtherTestSet { path: self.folder.clone(), reason });
        }
        self.check_labels(examples.iter().copied())?;
        Ok(examples)
    }

    /// Passes if the run was judged by the gold labels of these examples, which it was tested on in this order.
    fn check_labels<'a>(&self, test: impl Iterator<Item = &'a Example>) -> Result<()> {
        let right = test.zip(&self.log_odds).filter(|(example, score)| example.gold == Some(**score > 0.0)).count();
        let (accuracy, recorded) = (right as f64 / self.ids.len() as f64, self.file.record.metrics.accuracy);
        if accuracy.total_cmp(&recorded).is_eq() {
            return Ok(());
        }
        let reason = format!(
            "it was recorded with an accuracy of {recorded}, and has {accuracy} by the gold labels of the study's test set"
        );
        Err(StoreError::OtherTestSet { path: self.folder.clone(), reason })
    }

    /// The texts that the run was tested on, from its store; `None` if that does not have them.
    ///
    /// # Errors
    /// If the store cannot be read, or is damaged.
    pub fn kept_test_set(&self) -> Result<Option<Vec<Example>>> {
        for test in self.store()?.all_test_sets()? {
            let test = test?;
            if self.examples(&test).is_ok() {
                return Ok(Some(test));
            }
        }
        Ok(None)
    }

    /// The log-odds of another run's texts, in that run's order.
    ///
    /// # Errors
    /// If the two were tested on different texts.
    pub fn log_odds_in_order_of(&self, other: &Self) -> Result<Vec<f32>> {
        let mine: HashMap<ExampleId, f32> = self.ids.iter().copied().zip(self.log_odds.iter().copied()).collect();
        let scores: Vec<f32> = other.ids.iter().filter_map(|id| mine.get(id).copied()).collect();
        let (first, second, common) = (other.ids.len(), self.ids.len(), scores.len());
        if common < first || common < second {
            return Err(StoreError::DifferentTests { first, second, common });
        }
        Ok(scores)
    }

    /// The run of the same study, method and seed that bought no weak labels and the most gold ones: the ceiling that a
    /// run with weak labels is held against. `None` where there is none but this one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ceiling(&self) -> Result<Option<Self>> {
        let Some(study) = self.folder.parent().and_then(Path::file_name) else { return Ok(None) };
        let mut best: Option<(usize, PathBuf)> = None;
        let own = &self.file.record;
        for (_, folder) in self.store()?.run_folders(&study.to_string_lossy())? {
            let Some(RunFile { record, .. }) = Store::read_run_file(&folder)? else {
                if folder.join(LEDGER_FILE).exists() {
                    // It was finished: which run is the ceiling is not known without it.
                    return Err(Damage::missing(folder.join(RUN_FILE)).into());
                }
                continue;
            };
            let fits = record.method == own.method && record.seed == own.seed && record.allocation.n_weak == 0;
            if fits && best.as_ref().is_none_or(|(n_gold, _)| record.allocation.n_gold > *n_gold) {
                best = Some((record.allocation.n_gold, folder));
            }
        }
        let Some((_, folder)) = best else { return Ok(None) };
        let ceiling = Self::read(&folder)?;
        Ok((ceiling.file.record.run != own.run).then_some(ceiling))
    }

    /// The run as the economics reads it, with the test items that it got right or how it ranks them. `test` holds its test
    /// texts, in their order.
    ///
    /// # Errors
    /// If a run that is judged by its AUROC has none.
    fn measured_on(&self, test: &[Example], statistic: ComparedStatistic) -> Result<MeasuredRun> {
        let judged = self.log_odds.iter().zip(test);
        let outcome = match statistic {
            ComparedStatistic::Accuracy => {
                let correct: Vec<bool> = judged.map(|(score, example)| example.gold == Some(*score > 0.0)).collect();
                Outcome::Items(CorrectItems::new(&correct))
            }
            ComparedStatistic::Auroc => {
                let (scores, labels): (Vec<f64>, Vec<bool>) =
                    judged.filter_map(|(score, example)| Some((f64::from(*score), example.gold?))).unzip();
                let ranked = RankedItems::new(&scores, &labels);
                let run = &self.file.record.run;
                Outcome::Ranked(ranked.ok_or_else(|| StoreError::NoAuroc { run: run.clone() })?)
            }
        };
        Ok(MeasuredRun { outcome, ..self.file.record.measured() })
    }
}

impl RunRecord {
    /// The run as the economics reads it where nobody knows which items are right, only how many.
    pub fn measured(&self) -> MeasuredRun {
        MeasuredRun {
            task: self.task.clone(),
            method: self.method.clone(),
            allocation: self.allocation,
            seed: self.seed,
            outcome: Outcome::Accuracy { accuracy: self.metrics.accuracy, n_test: self.metrics.n_test },
            gpu_hours: None,
        }
    }
}

/// The finished runs of a study, with what is asked and the texts that they were tested on.
#[derive(Clone, Debug)]
pub struct FinishedStudy {
    /// The study's name.
    pub study: String,
    /// What is asked.
    pub question: StudyQuestion,
    /// The finished runs of those that are asked for, in the order of the plan. All were tested on the same texts.
    pub runs: Vec<Arc<FinishedRun>>,
    /// These texts with their labels, in the order of the runs' predictions; none where nobody knows them.
    pub test: Vec<Example>,
    /// The share of class 1 in the test file, where balancing changed it.
    pub own_share: Option<f64>,
    /// Runs whose records are from before records had a checksum, so that they are taken as they are.
    pub unchecked: usize,
    /// Runs that are asked for and not finished.
    pub unfinished: usize,
    /// The tables of the study file that are not what was swept.
    pub changed: Vec<&'static str>,
}

impl Store {
    /// The finished runs of what a study file asks: from the store's own plan and records, without data or model. A
    /// store from before test sets were kept has no texts.
    ///
    /// # Errors
    /// If the study has not been swept, or the store is damaged.
    pub fn study(&self, study: &Study) -> Result<FinishedStudy> {
        let Asked { plan, question, not_swept, changed } = self.asked(study)?;
        let mut runs = Vec::new();
        let mut shared = Shared::default();
        for planned in &plan.runs {
            match FinishedRun::read_shared(&self.run_folder(&study.name, &planned.run), &mut shared) {
                Ok(run) if run.file.stages == planned.stages => runs.push(Arc::new(run.at(&question.prices))),
                // Of an earlier version of the study, or not there yet.
                Ok(_) | Err(StoreError::NoSuchRun { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(first) = runs.first()
            && let Some(other) = runs.iter().find(|run| run.ids != first.ids)
        {
            let reason = "its predictions are of another test set".to_owned();
            return Err(StoreError::Damaged { path: other.folder.clone(), reason });
        }
        let unfinished = plan.runs.len() - runs.len() + not_swept;
        let test = match &question.found {
            Some(found) => self.test_set(&found.test_set)?,
            None => None,
        };
        let unchecked = runs.iter().filter(|run| run.file.ledger_blake3.is_none()).count();
        let finished =
            FinishedStudy { runs, unchecked, unfinished, changed, ..FinishedStudy::empty(&study.name, question) };
        match test {
            Some(test) => finished.tested_on(&test),
            None => Ok(finished),
        }
    }
}

impl FinishedStudy {
    /// A study without runs.
    pub fn empty(study: &str, question: StudyQuestion) -> Self {
        let own_share = question.found.as_ref().and_then(|found| found.own_share);
        Self {
            study: study.to_owned(),
            question,
            runs: Vec::new(),
            test: Vec::new(),
            own_share,
            unchecked: 0,
            unfinished: 0,
            changed: Vec::new(),
        }
    }

    /// With the texts that its runs were tested on, which are among these.
    ///
    /// # Errors
    /// If some are not, or their gold labels are not those that the runs were judged by.
    pub fn tested_on(mut self, test: &[Example]) -> Result<Self> {
        self.test = match self.runs.first() {
            None => test.to_vec(),
            Some(run) => run.examples(test)?.into_iter().cloned().collect(),
        };
        self.runs.iter().try_for_each(|run| run.check_labels(self.test.iter()))?;
        Ok(self)
    }

    pub fn records(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter().map(|run| &run.file.record)
    }

    /// The runs as the economics reads them: with the test items that each got right, where these are known.
    pub fn measured(&self) -> Vec<MeasuredRun> {
        if self.test.is_empty() {
            return self.records().map(RunRecord::measured).collect();
        }
        self.measured_by(ComparedStatistic::Accuracy).expect("every run has an accuracy")
    }

    /// The runs with their test items, judged by accuracy or by AUROC.
    ///
    /// # Errors
    /// If a run has no AUROC.
    pub fn measured_by(&self, statistic: ComparedStatistic) -> Result<Vec<MeasuredRun>> {
        self.runs.iter().map(|run| run.measured_on(&self.test, statistic)).collect()
    }
}
