//! Relabelling: gold labels for texts that have a weak one, where the weak stage's classifier doubts it most.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::seq_sft::smallest_batch;
use super::{GOLD, WEAK};
use crate::draw::Choice;
use crate::method::{Configuration, Method, OptionHelp};
use crate::plan::{FirstStageOptions, StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Relabel {
    weak: FirstStageOptions,
    gold: StageOptions,
}

impl Method for Relabel {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        TrainPlan::sequence([
            TrainPlan::new(LabelKind::Weak, split.n_weak, self.weak),
            TrainPlan::new(LabelKind::Gold, split.n_gold, self.gold).choosing(Choice::Disputed { of: split.n_weak }),
        ])
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss, self.gold.loss])
    }
}

impl Configuration for Relabel {
    const NAME: &'static str = "relabel";
    const SUMMARY: &'static str = "seq-sft that asks for gold labels where the weak stage doubts the weak ones";
    const EXPLANATION: &'static str = "The weak stage of seq-sft, whose classifier then reads the texts that it learned from; gold \
        labels are bought for those where it is farthest from the weak label, and the gold stage trains on these. Texts \
        whose gold label is not for sale are passed over; where too few are left, the gold pool serves the rest. Where a \
        split buys labels of one kind, the method is seq-sft. Pays for the labels of both stages.";
    const OPTIONS: &'static [OptionHelp] = &[WEAK, GOLD];
    const EXAMPLE: &'static str = "[[methods]]\nname = \"relabel\"\n";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_weak_stage_nothing_is_disputed() {
        let choices = |n_weak, n_gold| -> Vec<Choice> {
            let stages = Relabel::default().stages(Allocation { n_weak, n_gold });
            stages.iter().flat_map(StagePlan::draws).map(|draw| draw.choice).collect()
        };
        assert_eq!(choices(0, 5), [Choice::Front]);
        assert_eq!(choices(20, 0), [Choice::Front]);
        assert_eq!(choices(20, 5), [Choice::Front, Choice::Disputed { of: 20 }]);
    }
}
