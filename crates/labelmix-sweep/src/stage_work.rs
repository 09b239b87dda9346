//! Doing one stage: its job, the engine, and what is kept of it.

use std::path::Path;

use labelmix_data::ExampleId;
use labelmix_engine::{Drawn, Probe, ProbeLabels, StageJob, StageScores, finite_scores, kept_scorer, kept_shot};
use labelmix_methods::{
    COVERED_TEXTS, Choice, ProbeFeatures, ProbePlan, PromptPlan, Recipe, Role, Scores, StagePlan, by_coverage,
    mean_log_odds, prior_shift, test_metrics,
};
use labelmix_store::{
    DoneStage, KeptClassifiers, PROBE_FILE, PromptFile, Shortened, StageKey, StageOutcome, Store, StoreError,
    TestLogOdds,
};
use labelmix_train::{Continuation, Interrupt, StageProgress};

use crate::features::{COVERAGE_LAYERS, layers_of};
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
        let mut shift = None;
        let scores = match &node.plan {
            StagePlan::Average { .. } => work.average(continuation.interrupt, &mut shift)?,
            StagePlan::Probe(probe) => work.probe(probe, &job, folder, continuation.interrupt)?,
            StagePlan::Train(_) | StagePlan::Ask(_) => {
                sweep.engine.do_stage(&job, folder, continuation, &mut observe)?
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
        let covers = self.node.plan.draws().any(|draw| draw.choice == Choice::Coverage);
        let layers = layers_of(&self.node.plan).or(covers.then_some(COVERAGE_LAYERS))?;
        Some(self.sweep.shared.features_key(layers))
    }

    /// Decides which texts draws by coverage take, in place of those among which they choose; the ids of those taken.
    fn cover(self, drawn: &mut [Drawn], interrupt: &Interrupt) -> Result<Vec<ExampleId>, StageError> {
        let train = &self.sweep.data.train;
        let mut chosen = Vec::new();
        for drawn in drawn.iter_mut().filter(|drawn| drawn.draw.choice == Choice::Coverage) {
            let texts: Vec<&str> = drawn.examples(train).map(|example| example.text.as_str()).collect();
            let (covered, behind) = texts.split_at(texts.len().min(COVERED_TEXTS));
            let rows = self.sweep.hidden_states(COVERAGE_LAYERS, covered, interrupt)?;
            let mut order = by_coverage(&[], &rows, drawn.draw.count.min(rows.len()));
            order.extend((0..behind.len()).map(|place| place + covered.len()));
            order.truncate(drawn.draw.count);
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
        let (probe, log_odds) = match plan.features {
            ProbeFeatures::HiddenStates { layers } => {
                let rows = sweep.hidden_states(layers, &texts, interrupt)?;
                let probe = Probe::of_hidden_states(&rows, &labels, plan.penalty, layers)?;
                let rows = sweep.hidden_states(layers, &test, interrupt)?;
                let log_odds = rows.iter().map(|row| probe.of_row(row)).collect();
                (probe, log_odds)
            }
            ProbeFeatures::Words => {
                let probe = Probe::of_words(sweep.frequencies(), &texts, &labels, plan.penalty)?;
                let log_odds = test.iter().map(|text| probe.of_text(text)).collect();
                (probe, log_odds)
            }
        };
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        probe.write(out)?;
        let (scores, shortened) = (finite_scores(log_odds)?, Shortened::default());
        let written = vec![PROBE_FILE.to_owned()];
        Ok(StageScores { history: None, chosen: Vec::new(), scores, shortened, written })
    }

    /// Averages the test set's log-odds of the stages that it reads, and shifts them if that is the plan; by how much.
    fn average(self, interrupt: &Interrupt, shift: &mut Option<f32>) -> Result<StageScores, StageError> {
        let mut scores = Vec::new();
        for key in self.reads() {
            let path = self.store.stage_folder(key);
            let kept = self.store.test_log_odds(key)?;
            let reason = || StoreError::Damaged { path, reason: "it holds no predictions of the test set".to_owned() };
            scores.push(kept.ok_or_else(reason)?.log_odds);
        }
        let mut log_odds = mean_log_odds(&scores);
        *shift = self.node.reference.as_ref().map(|reference| self.shift(reference, interrupt)).transpose()?;
        for score in &mut log_odds {
            *score += shift.unwrap_or(0.0);
        }
        let (scores, shortened) = (Scores::of_log_odds(log_odds), Shortened::default());
        Ok(StageScores { history: None, chosen: Vec::new(), scores, shortened, written: Vec::new() })
    }

    /// What brings the reference texts to the prior.
    fn shift(self, Reference { places, prior }: &Reference, interrupt: &Interrupt) -> Result<f32, StageError> {
        let Self { sweep, store, .. } = self;
        let texts: Vec<&str> = places.iter().map(|place| sweep.data.train[*place].text.as_str()).collect();
        let mut scores = Vec::new();
        for key in self.reads() {
            let KeptClassifiers { folders, .. } = Store::classifiers(&store.stage_folder(key))?;
            for folder in folders {
                scores.push(self.log_odds(&folder, &texts, interrupt)?);
            }
        }
        Ok(prior_shift(&mean_log_odds(&scores), *prior))
    }

    /// The log-odds of texts of the study by the classifier in a folder.
    fn log_odds(self, folder: &Path, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<f32>, StageError> {
        if let Some(probe) = Probe::kept(folder)?
            && let Probe::HiddenStates { layers, .. } = probe
        {
            let rows = self.sweep.hidden_states(layers, texts, interrupt)?;
            return Ok(rows.iter().map(|row| probe.of_row(row)).collect());
        }
        Ok(kept_scorer(&*self.sweep.engine, folder)?.score(texts, interrupt)?.log_odds())
    }

    fn prompt_file(self, prompt: &PromptPlan, job: &StageJob<'_>, shortened: Shortened) -> PromptFile {
        let Self { sweep, node, .. } = self;
        let PromptPlan { shots, follow_up } = prompt;
        let drawn = job.drawn.iter().filter(|drawn| drawn.draw.role == Role::Shot);
        PromptFile {
            template: sweep.study().prompt.clone(),
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
