//! Doing one stage: its job, the engine, and what is kept of it.

use std::path::Path;

use labelmix_data::ExampleId;
use labelmix_engine::{Drawn, Probe, ProbeLabels, StageJob, StageScores, finite_scores, kept_shot};
use labelmix_methods::{
    CONTENT_FREE, Calibration, Choice, ProbeFeatures, ProbePlan, PromptPlan, Recipe, Role, Scores, StagePlan,
    contextual_shift, mean_log_odds, prior_shift, test_metrics,
};
use labelmix_store::{
    DoneStage, KeptClassifiers, PROBE_FILE, PromptFile, Shortened, StageKey, StageOutcome, Store, StoreError,
    TestLogOdds,
};
use labelmix_train::{Continuation, Interrupt, StageProgress};

use crate::features::{COVERAGE_LAYERS, covers, layers_of};
use crate::graph::StageNode;
use crate::purchase::Reference;
use crate::stage_error::StageError;
use crate::sweep::Sweep;

/// Does a stage and keeps its outcome.
///
/// # Errors
/// If training fails, an input cannot be read, or the outcome not be kept.
pub(crate) fn do_stage(
    sweep: &Sweep,
    store: &Store,
    node: &StageNode,
    continuation: Continuation<'_>,
    mut observe: impl FnMut(StageProgress),
) -> Result<StageOutcome, StageError> {
    let work = Work { sweep, store, node };
    let mut job = work.job();
    let mut chosen = work.cover(&mut job.drawn, continuation.interrupt)?;
    store.write_stage(&node.key, |folder| {
        let (scores, shift) = match &node.plan {
            StagePlan::Average { calibration, .. } => work.average(*calibration, continuation.interrupt)?,
            StagePlan::Probe(probe) => (work.probe(probe, &job, folder, continuation.interrupt)?, None),
            StagePlan::Train(_) | StagePlan::Ask(_) | StagePlan::Judge(_) => {
                (sweep.engine.do_stage(&job, folder, continuation, &mut observe)?, None)
            }
        };
        let StageScores { history, chosen: by_predictions, scores, shortened, written } = scores;
        chosen.extend(by_predictions);
        let log_odds = scores.log_odds();
        let gold: Vec<bool> =
            sweep.data.test.iter().map(|example| example.gold.expect("test examples have gold labels")).collect();
        let outcome = StageOutcome {
            key: node.key.clone(),
            parent: work.parent().cloned(),
            labels: sweep.graph().labels(node),
            count: node.plan.count(),
            seed: node.seed,
            options: node.plan.training().map(|training| training.options).unwrap_or_default(),
            recipe: work.recipe().clone(),
            history,
            chosen,
            averages: work.averages().cloned().collect(),
            shift,
            features: work.features(),
            engine: sweep.engine.runner().filter(|_| !matches!(node.plan, StagePlan::Average { .. })),
            metrics: test_metrics(&log_odds, &gold),
        };
        let ids = sweep.data.test.iter().map(|example| example.id).collect();
        let prompt = node.plan.prompt().map(|prompt| work.prompt_file(prompt, &job, shortened));
        Ok(DoneStage { outcome, log_odds: TestLogOdds { ids, log_odds }, prompt, written })
    })
}

#[derive(Clone, Copy)]
struct Work<'a> {
    sweep: &'a Sweep,
    store: &'a Store,
    node: &'a StageNode,
}

impl<'a> Work<'a> {
    fn job(self) -> StageJob<'a> {
        let Self { sweep, store, node } = self;
        StageJob {
            data: &sweep.data,
            plan: &node.plan,
            seed: node.seed,
            drawn: sweep.drawn(node),
            parent: self.parent().map(|key| store.stage_folder(key)),
            reads: self.reads().map(|key| store.stage_folder(key)).collect(),
        }
    }

    fn recipe(self) -> &'a Recipe {
        let of_study = &self.sweep.study().recipe;
        self.node.plan.training().map_or(of_study, |training| training.recipe(of_study))
    }

    fn parent(self) -> Option<&'a StageKey> {
        self.node.parent.map(|index| &self.sweep.graph().nodes()[index].key)
    }

    fn reads(self) -> impl Iterator<Item = &'a StageKey> {
        let Self { sweep, node, .. } = self;
        node.reads.iter().map(|index| &sweep.graph().nodes()[*index].key)
    }

    /// The stages whose log-odds it averages, if that is the plan.
    fn averages(self) -> impl Iterator<Item = &'a StageKey> {
        self.reads().filter(move |_| matches!(self.node.plan, StagePlan::Average { .. }))
    }

    /// What its features are made by, if it reads some.
    fn features(self) -> Option<StageKey> {
        let plan = &self.node.plan;
        let layers = layers_of(plan).or(covers(plan).then_some(COVERAGE_LAYERS))?;
        Some(self.sweep.shared.features_key(layers))
    }

    /// Decides which texts draws by coverage take, in place of those among which they choose; the ids of those taken.
    fn cover(self, drawn: &mut [Drawn], interrupt: &Interrupt) -> Result<Vec<ExampleId>, StageError> {
        let train = &self.sweep.data.train;
        let mut chosen = Vec::new();
        for drawn in drawn.iter_mut().filter(|drawn| drawn.draw.choice == Choice::Coverage) {
            let texts: Vec<&str> = drawn.examples(train).map(|example| example.text.as_str()).collect();
            let order = self.sweep.covering(&[], &texts, drawn.draw.count, interrupt)?;
            drawn.places = order.into_iter().map(|place| drawn.places[place]).collect();
            chosen.extend(drawn.examples(train).map(|example| example.id));
        }
        Ok(chosen)
    }

    /// Fits a probe to the labels of the draws, and scores the test set with it.
    fn probe(
        self,
        plan: &ProbePlan,
        job: &StageJob<'_>,
        out: &Path,
        interrupt: &Interrupt,
    ) -> Result<StageScores, StageError> {
        let (sweep, data) = (self.sweep, &*self.sweep.data);
        let (mut texts, mut labels): (Vec<&str>, _) = (Vec::new(), ProbeLabels::default());
        for drawn in &job.drawn {
            let weight = if let Role::Jointly(loss) = drawn.draw.role { loss.weight } else { 1.0 };
            let targets = drawn.labels(&data.train).expect("a probe learns from labels");
            labels.weights.extend(targets.iter().map(|_| weight));
            labels.targets.extend(targets.into_iter().map(f64::from));
            texts.extend(drawn.examples(&data.train).map(|example| example.text.as_str()));
        }
        let test: Vec<&str> = data.test.iter().map(|example| example.text.as_str()).collect();
        let probe = match plan.features {
            ProbeFeatures::HiddenStates { layers } => {
                let rows = sweep.hidden_states(layers, &texts, interrupt)?;
                Probe::of_hidden_states(&rows, &labels, plan.penalty, layers)?
            }
            ProbeFeatures::Words => Probe::of_words(sweep.frequencies(), &texts, &labels, plan.penalty)?,
        };
        let log_odds = probe.score(&test, |layers, texts| sweep.hidden_states(layers, texts, interrupt))?;
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        probe.write(out)?;
        let (scores, shortened) = (finite_scores(log_odds)?, Shortened::default());
        let written = vec![PROBE_FILE.to_owned()];
        Ok(StageScores { history: None, chosen: Vec::new(), scores, shortened, written })
    }

    /// Averages the test set's log-odds of the stages that it reads, and shifts them if that is the plan; by how much.
    fn average(
        self,
        calibration: Calibration,
        interrupt: &Interrupt,
    ) -> Result<(StageScores, Option<f32>), StageError> {
        let mut scores = Vec::new();
        for key in self.reads() {
            let path = self.store.stage_folder(key);
            let kept = self.store.test_log_odds(key)?;
            let reason = || StoreError::Damaged { path, reason: "it holds no predictions of the test set".to_owned() };
            scores.push(kept.ok_or_else(reason)?.log_odds);
        }
        let mut log_odds = mean_log_odds(&scores);
        let shift = match (calibration, &self.node.reference) {
            (Calibration::Contextual, _) => Some(contextual_shift(&self.mean_log_odds(&CONTENT_FREE, interrupt)?)),
            (_, Some(Reference { places, prior })) => {
                let texts = places.iter().map(|place| self.sweep.data.train[*place].text.as_str()).collect::<Vec<_>>();
                Some(prior_shift(&self.mean_log_odds(&texts, interrupt)?, *prior))
            }
            (_, None) => None,
        };
        for score in &mut log_odds {
            *score += shift.unwrap_or(0.0);
        }
        let (scores, shortened) = (Scores::of_log_odds(log_odds), Shortened::default());
        Ok((StageScores { history: None, chosen: Vec::new(), scores, shortened, written: Vec::new() }, shift))
    }

    /// The mean log-odds of texts by the classifiers that it reads.
    fn mean_log_odds(self, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<f32>, StageError> {
        let mut scores = Vec::new();
        for key in self.reads() {
            let KeptClassifiers { folders, .. } = Store::classifiers(&self.store.stage_folder(key))?;
            for folder in folders {
                scores.push(self.log_odds(&folder, texts, interrupt)?);
            }
        }
        Ok(mean_log_odds(&scores))
    }

    /// The log-odds of texts of the study by the classifier in a folder.
    fn log_odds(self, folder: &Path, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<f32>, StageError> {
        let sweep = self.sweep;
        Ok(match Probe::kept(folder)? {
            Some(probe) => probe.score(texts, |layers, texts| sweep.hidden_states(layers, texts, interrupt))?,
            None => sweep.engine.scorer(folder)?.score(texts, interrupt)?.log_odds(),
        })
    }

    fn prompt_file(self, prompt: &PromptPlan, job: &StageJob<'_>, shortened: Shortened) -> PromptFile {
        let Self { sweep, node, .. } = self;
        let PromptPlan { shots, follow_up } = prompt;
        let drawn = job.drawn.iter().filter(|drawn| drawn.draw.role == Role::Shot);
        PromptFile {
            template: sweep.data.prompt.clone(),
            order: shots.order,
            seed: node.seed,
            follow_up: follow_up.clone(),
            asks_language_model: matches!(node.plan, StagePlan::Ask(_)),
            shots: drawn
                .flat_map(|drawn| drawn.examples(&sweep.data.train))
                .map(|shot| kept_shot(shot, *shots))
                .collect(),
            shortened,
        }
    }
}
