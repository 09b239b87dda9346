//! What a sweep tells while it runs, and what can become of a stage.

use labelmix_store::{Damage, Holder, RunRecord, StageOutcome};
use labelmix_train::StageProgress;

use crate::graph::StageNode;
use crate::stage_error::StageFailure;

/// Who hears of a sweep while it runs. Calls come from several threads.
pub trait Observer: Sync {
    /// Something happened.
    fn hear(&self, event: &SweepEvent<'_>);
}

/// Something that happens in a sweep.
#[derive(Clone, Copy, Debug)]
pub enum SweepEvent<'a> {
    /// A stage is in the store, from an earlier sweep.
    StageKept { stage: &'a StageNode, outcome: &'a StageOutcome },
    /// A stage's folder was found damaged and set aside: it is among the missing ones.
    StageDamaged {
        stage: &'a StageNode,
        /// What is wrong.
        damage: &'a Damage,
    },
    /// What was read of some texts was found damaged and set aside: they are read anew.
    FeaturesDamaged {
        /// What is wrong.
        damage: &'a Damage,
    },
    /// Texts were read for all stages that ask what the pretrained model makes of them.
    TextsRead { done: usize, total: usize },
    /// Work begins on what is missing.
    Began {
        /// The missing stages.
        stages: &'a [&'a StageNode],
        /// How much work each is expected to be, in texts that are read once.
        work: &'a [f64],
        /// How many are done at a time.
        jobs: usize,
    },
    /// A worker began a stage.
    StageBegan {
        /// The worker, from 0 to below the number of jobs.
        worker: usize,
        stage: &'a StageNode,
    },
    /// Another process is at a stage; it is waited for.
    StageElsewhere {
        stage: &'a StageNode,
        /// Who is at it, if that can be told.
        holder: Option<&'a Holder>,
    },
    /// A worker made a step.
    StageProgressed { worker: usize, stage: &'a StageNode, progress: StageProgress },
    /// A stage's outcome is kept.
    StageFinished {
        /// The worker; none if another process did it.
        worker: Option<usize>,
        stage: &'a StageNode,
        outcome: &'a StageOutcome,
    },
    /// A stage failed, now or, if it would fail again, in an earlier sweep.
    StageFailed {
        /// The worker; none if it was not tried.
        worker: Option<usize>,
        stage: &'a StageNode,
        failure: &'a StageFailure,
    },
    /// All stages of a run are done, and its record is kept.
    RunFinished {
        /// What came out.
        record: &'a RunRecord,
    },
}
