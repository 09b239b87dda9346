//! An engine that trains nothing, for tests.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use labelmix_engine::{
    Calibration, Engine, Error, HiddenStates, Identity, LabelerJob, LabelerTraining, Result, Scorer, StageData,
    StageJob, StageScores,
};
use labelmix_methods::{Role, Scores, StageHistory, StopReason};
use labelmix_store::{OPTIMIZER_FILE, Shortened, StoreError};
use labelmix_train::{Continuation, Error as TrainError, Interrupt, StageProgress};

pub(crate) type Script = dyn Fn(&StageJob<'_>) -> Result<()> + Send + Sync;

/// What an engine was asked for.
#[derive(Default)]
pub(crate) struct Asked {
    /// Stages that were begun, in words.
    pub(crate) begun: Mutex<Vec<String>>,
    now: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
    /// Texts whose hidden states were read.
    pub(crate) texts_read: AtomicUsize,
}

/// An engine whose stages do what a script says, and score by what they were trained on.
pub(crate) struct FakeEngine {
    pub(crate) data: Arc<StageData>,
    pub(crate) slots: usize,
    pub(crate) script: Arc<Script>,
    pub(crate) asked: Arc<Asked>,
}

/// A stage in words: its labels and its seed.
pub(crate) fn in_words(job: &StageJob<'_>) -> String {
    let own = job.drawn.iter().find(|drawn| drawn.draw.role == Role::Train).unwrap();
    format!("{} {} seed {}", own.places.len(), own.draw.labels().unwrap().name(), job.seed)
}

impl Engine for FakeEngine {
    fn identity(&self) -> Result<Identity> {
        let (model, tokenizer) = ([1; 32], [2; 32]);
        Ok(Identity { engine: None, model, rounding: None, tokenizer, pooling: "mean", max_length: None })
    }

    fn parameters(&self) -> usize {
        0
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn memory_bytes(&self) -> u64 {
        1 << 20
    }

    fn do_stage(
        &self,
        job: &StageJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<StageScores> {
        self.asked.begun.lock().unwrap().push(in_words(job));
        let now = self.asked.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked.most_at_once.fetch_max(now, Ordering::SeqCst);
        let done = (self.script)(job).and_then(|()| continuation.interrupt.check().map_err(Error::from));
        self.asked.now.fetch_sub(1, Ordering::SeqCst);
        done?;
        observe(StageProgress {
            step: 1,
            scheduled_steps: 1,
            training_loss: 0.5,
            learning_rate: 0.1,
            evaluation: None,
        });
        // What a child starts from has to be there.
        for folder in job.parent.iter().chain(&job.reads) {
            assert!(folder.join("trained").exists(), "{} is there", folder.display());
        }
        let write = |name: &str| fs::write(out.join(name), in_words(job));
        fs::create_dir_all(out).and_then(|()| write("trained")).map_err(StoreError::io(out))?;
        if job.plan.training().unwrap().keep_optimizer {
            write(OPTIMIZER_FILE).unwrap();
        }
        let sign = |gold: Option<bool>| if gold == Some(true) { 1.0 } else { -1.0 };
        let log_odds = job.data.test.iter().map(|example| sign(example.gold) * job.plan.count() as f32);
        Ok(StageScores {
            history: None,
            chosen: Vec::new(),
            scores: Scores::of_log_odds(log_odds.collect()),
            shortened: Shortened::default(),
            written: vec!["trained".to_owned()],
        })
    }

    fn train_labeler(
        &self,
        job: &LabelerJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        _: &mut dyn FnMut(StageProgress),
    ) -> Result<LabelerTraining> {
        continuation.interrupt.check()?;
        if let Some(target) = job.target_accuracy {
            return Err(TrainError::TargetNotReached { target, nearest: 0.5, step: 1, steps: 1 }.into());
        }
        fs::create_dir_all(out).and_then(|()| fs::write(out.join("trained"), "labeler")).unwrap();
        let history = StageHistory {
            n_train: job.train.len(),
            n_validation: job.validation.len(),
            steps: 1,
            scheduled_steps: 1,
            best_step: 1,
            stop_reason: StopReason::ScheduleEnded,
            validation: Vec::new(),
        };
        Ok(LabelerTraining { history, target_stop: None, written: vec!["trained".to_owned()] })
    }

    fn readable(&self, texts: &[&str]) -> Result<Vec<bool>> {
        Ok(vec![true; texts.len()])
    }

    fn hidden_states(&self, _: Option<usize>, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<HiddenStates>> {
        interrupt.check()?;
        self.asked.texts_read.fetch_add(texts.len(), Ordering::SeqCst);
        let even = |text: &&str| if text.len().is_multiple_of(2) { [1.0, 0.0] } else { [0.0, 1.0] };
        Ok(texts.iter().map(|text| HiddenStates::from(even(text))).collect())
    }

    fn scorer(&self, folder: &Path) -> Result<Box<dyn Scorer + '_>> {
        assert!(folder.join("trained").exists(), "{} is there", folder.display());
        Ok(Box::new(EvenLength))
    }

    fn calibrate(&self) -> Result<Calibration> {
        assert!(!self.data.test.is_empty());
        Ok(Calibration { train_seconds: 2.0, read_seconds: 0.0 })
    }
}

/// Takes texts for class 1 that are of even length.
struct EvenLength;

impl Scorer for EvenLength {
    fn score(&self, texts: &[&str], _: &Interrupt) -> Result<Scores> {
        Ok(Scores::of_log_odds(texts.iter().map(|text| if text.len() % 2 == 0 { 2.0 } else { -2.0 }).collect()))
    }
}
