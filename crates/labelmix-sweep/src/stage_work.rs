//! Doing one stage: its job, the engine, and what is kept of it.

use labelmix_engine::{StageJob, StageScores, kept_shot};
use labelmix_methods::{PromptPlan, Recipe, Role, Scores, StagePlan, mean_log_odds, prior_shift, test_metrics};
use labelmix_store::{
    DoneStage, KeptClassifiers, PromptFile, Shortened, StageKey, StageOutcome, Store, StoreError, TestLogOdds,
};
use labelmix_train::{Continuation, Interrupt, StageProgress};

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
    let job = work.job();
    store.write_stage(&node.key, |folder| {
        let averages = matches!(node.plan, StagePlan::Average { .. });
        let (StageScores { history, chosen, scores, shortened, written }, shift) = if averages {
            work.average(continuation.interrupt)?
        } else {
            (sweep.engine.do_stage(&job, folder, continuation, &mut observe)?, None)
        };
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
            averages: if averages { work.reads().cloned().collect() } else { Vec::new() },
            shift,
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

    /// Averages the test set's log-odds of the stages that it reads, and shifts them if that is the plan; by how much.
    fn average(self, interrupt: &Interrupt) -> Result<(StageScores, Option<f32>), StageError> {
        let mut scores = Vec::new();
        for key in self.reads() {
            let path = self.store.stage_folder(key);
            let kept = self.store.test_log_odds(key)?;
            let reason = || StoreError::Damaged { path, reason: "it holds no predictions of the test set".to_owned() };
            scores.push(kept.ok_or_else(reason)?.log_odds);
        }
        let mut log_odds = mean_log_odds(&scores);
        let shift = self.node.reference.as_ref().map(|reference| self.shift(reference, interrupt)).transpose()?;
        for score in &mut log_odds {
            *score += shift.unwrap_or(0.0);
        }
        let (scores, shortened) = (Scores::of_log_odds(log_odds), Shortened::default());
        Ok((StageScores { history: None, chosen: Vec::new(), scores, shortened, written: Vec::new() }, shift))
    }

    /// What makes as many of the reference texts positive as there are of class 1 by the prior.
    fn shift(self, Reference { places, prior }: &Reference, interrupt: &Interrupt) -> Result<f32, StageError> {
        let Self { sweep, store, .. } = self;
        let texts: Vec<&str> = places.iter().map(|place| sweep.data.train[*place].text.as_str()).collect();
        let mut scores = Vec::new();
        for key in self.reads() {
            let KeptClassifiers { folders, .. } = Store::classifiers(&store.stage_folder(key))?;
            for folder in folders {
                scores.push(sweep.engine.scorer(&folder)?.score(&texts, interrupt)?.log_odds());
            }
        }
        Ok(prior_shift(mean_log_odds(&scores), *prior))
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
