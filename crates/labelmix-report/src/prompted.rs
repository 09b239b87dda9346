//! Which of a study's methods put labelled examples before a text.

use std::collections::BTreeSet;

use labelmix_econ::{Allocation, LabelKind};
use labelmix_methods::{Draw, StageOptions, StagePlan, TrainPlan, UsableSplits, method_named};
use labelmix_study::{MethodTable, Study};

/// A method with a prompt, or the same without one, to hold it against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptedMethod {
    /// Its name in the study.
    pub method: String,
    /// The examples in its prompt; none of the plain fine-tuning.
    pub shots: usize,
    pub shot_labels: LabelKind,
    /// What its classifier is trained on.
    pub trained_on: TrainedOn,
}

/// Which labels a classifier behind a prompt is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainedOn {
    /// None: the language model is asked as it is.
    Nothing,
    Weak,
    Gold,
    /// Weak ones, then gold ones.
    Both,
}

impl PromptedMethod {
    /// The methods of a study that put examples before texts, and those that fine-tune as they do but without.
    pub(crate) fn of(study: &Study) -> Vec<Self> {
        study.methods.iter().filter_map(Self::new).collect()
    }

    fn new(table: &MethodTable) -> Option<Self> {
        let kind = method_named(table.method.as_ref().unwrap_or(&table.name))?;
        let method = kind.configure(&table.options).ok()?;
        let split = match method.splits() {
            UsableSplits::One(kind) => Allocation::of_kind(kind, 1),
            UsableSplits::All | UsableSplits::Nothing => Allocation { n_weak: 1, n_gold: 1 },
        };
        let stages = method.stages(split);
        let plain = [LabelKind::Weak, LabelKind::Gold].map(|kind| TrainPlan::new(kind, 1, StageOptions::default()));
        let (shots, shot_labels) = if stages == TrainPlan::sequence(plain) {
            (0, LabelKind::Gold)
        } else {
            let shots = stages.first()?.prompt()?.shots;
            (shots.count, shots.labels)
        };
        // A prompt without examples is another kind of prompt, and a mean another kind of method.
        let is_average = |stage: &StagePlan| matches!(stage, StagePlan::Average { .. });
        if shots == 0 && stages.iter().any(|stage| stage.prompt().is_some()) || stages.iter().any(is_average) {
            return None;
        }
        let trainings = stages.iter().filter_map(StagePlan::training);
        let kinds: BTreeSet<LabelKind> = trainings.flat_map(TrainPlan::own).filter_map(Draw::labels).collect();
        let trained_on = match (kinds.contains(&LabelKind::Weak), kinds.contains(&LabelKind::Gold)) {
            (false, false) => TrainedOn::Nothing,
            (true, false) => TrainedOn::Weak,
            (false, true) => TrainedOn::Gold,
            (true, true) => TrainedOn::Both,
        };
        Some(Self { method: table.name.clone(), shots, shot_labels, trained_on })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_of_a_study() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let methods = "methods = ['seq-sft', 'uncertainty', 'few-shot', { name = 'eight', method = 'few-shot-sft', shots = \
                       8, shot_labels = 'weak', sft = 'gold' }, { name = 'other', method = 'seq-sft', gold = { loss = \
                       'kl' } }]";
        let study = format!("name = 'a'\n{methods}\n[task]\ntrain = 'a.csv'\ntest = 'b.csv'\n[model]\npath = 'm'\n");
        std::fs::write(&path, study).unwrap();
        let line = |prompted: &PromptedMethod| {
            let PromptedMethod { method, shots, shot_labels, trained_on } = prompted;
            format!("{method}: {shots} {shot_labels:?}, {trained_on:?}")
        };
        let found = PromptedMethod::of(&Study::read(&path).unwrap());
        insta::assert_snapshot!(found.iter().map(line).collect::<Vec<_>>().join("\n"), @r"
        seq-sft: 0 Gold, Both
        few-shot: 8 Gold, Nothing
        eight: 8 Weak, Gold
        ");
    }
}
