//! Sequential supervised fine-tuning (Mallen & Belrose 2024): on the weak labels, then, from the weak stage's best
//! checkpoint and with a fresh optimizer, on the gold labels. Either stage may be empty.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::{GOLD, WEAK};
use crate::method::{Configuration, Method, OptionHelp};
use crate::plan::{FirstStageOptions, Loss, StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SeqSft {
    weak: FirstStageOptions,
    gold: StageOptions,
}

impl Method for SeqSft {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        TrainPlan::sequence([
            TrainPlan::new(LabelKind::Weak, split.n_weak, self.weak),
            TrainPlan::new(LabelKind::Gold, split.n_gold, self.gold),
        ])
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss, self.gold.loss])
    }
}

impl Configuration for SeqSft {
    const NAME: &'static str = "seq-sft";
    const SUMMARY: &'static str = "fine-tunes on the weak labels, then on the gold ones";
    const EXPLANATION: &'static str = "Fine-tunes on the weak labels, then, from the weak stage's best checkpoint and \
        with a fresh optimizer and schedule, on the gold labels. Where a split buys labels of one kind there is one \
        stage. Pays for the labels of both stages, their validation labels among them.";
    const OPTIONS: &'static [OptionHelp] = &[WEAK, GOLD];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "seq-sft"

[[methods]]                       # another variant beside it, with a name of its own
name = "new-head"
method = "seq-sft"
weak = { loss = "kl" }
gold = { reinitialise_head = true, carry_optimizer = true }
"#;
}

/// The smallest batch for the losses of both stages.
pub(super) fn smallest_batch(losses: [Loss; 2]) -> usize {
    if losses.contains(&Loss::LogConfidence) { Loss::FEWEST_FOR_THRESHOLD } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FirstStageOptions, Start, Trains};

    #[test]
    fn empty_stages_are_left_out() {
        let stages = |n_weak, n_gold| SeqSft::default().stages(Allocation { n_weak, n_gold });
        let weak = TrainPlan::new(LabelKind::Weak, 3, StageOptions::default());
        let gold = TrainPlan::new(LabelKind::Gold, 2, StageOptions::default());
        let after_weak = TrainPlan { start: Start::After(0), ..gold.clone() };
        assert_eq!(stages(3, 2), [weak.clone(), after_weak].map(StagePlan::Train));
        assert_eq!(stages(3, 0), [StagePlan::Train(weak)]);
        assert_eq!(stages(0, 2), [StagePlan::Train(gold)]);
        assert_eq!(stages(0, 0), []);
    }

    #[test]
    fn the_first_stage_takes_nothing_over_and_keeps_what_the_second_takes() {
        let gold = StageOptions { reinitialise_head: true, carry_optimizer: true, ..StageOptions::default() };
        let weak = FirstStageOptions { trains: Trains::Body, ..FirstStageOptions::default() };
        let method = SeqSft { weak, gold };
        let how = |n_weak, n_gold| -> Vec<(StageOptions, bool)> {
            let stages = method.stages(Allocation { n_weak, n_gold });
            stages
                .iter()
                .filter_map(|stage| Some((stage.training()?.options, stage.training()?.keep_optimizer)))
                .collect()
        };
        assert_eq!(how(3, 2), [(weak.into(), true), (gold, false)]);
        assert_eq!(how(0, 2), [(StageOptions::default(), false)]);
    }
}
