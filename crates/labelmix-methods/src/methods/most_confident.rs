//! seq-sft that trains on the weak labels that are surest of their class (Mallen & Belrose 2024).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::seq_sft::smallest_batch;
use super::{GOLD, WEAK};
use crate::draw::Choice;
use crate::method::{Configuration, Method, OptionError, OptionHelp};
use crate::plan::{FirstStageOptions, StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MostConfident {
    keep: f64,
    weak: FirstStageOptions,
    gold: StageOptions,
}

impl Default for MostConfident {
    fn default() -> Self {
        Self { keep: 0.5, weak: FirstStageOptions::default(), gold: StageOptions::default() }
    }
}

impl Method for MostConfident {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let of = split.n_weak;
        let kept = (self.keep * of as f64).round() as usize;
        TrainPlan::sequence([
            TrainPlan::new(LabelKind::Weak, kept.max(of.min(1)), self.weak).choosing(Choice::SurestLabels { of }),
            TrainPlan::new(LabelKind::Gold, split.n_gold, self.gold),
        ])
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss, self.gold.loss])
    }
}

impl Configuration for MostConfident {
    const NAME: &'static str = "most-confident";
    const SUMMARY: &'static str = "seq-sft on the weak labels that are surest of their class";
    const EXPLANATION: &'static str = "Buys weak labels, trains the weak stage on the share of them that is farthest from \
        one half, then the gold stage as seq-sft does. All weak labels that were looked at are paid. Hard labels (0 or 1) \
        are all equally sure: of those the first are taken.";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp { name: "keep", meaning: "the share of the weak labels that is trained on, above 0 and at most 1" },
        WEAK,
        GOLD,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "most-confident"
keep = 0.5
"#;

    fn check(&self) -> Result<(), OptionError> {
        if !(self.keep > 0.0 && self.keep <= 1.0) {
            return Err(OptionError {
                reason: format!("`keep` = {}", self.keep),
                help: "give the share of the weak labels to train on, above 0 and at most 1".into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_what_is_bought_is_trained_on() {
        let weak_stage = |keep, n_weak| {
            let stages = MostConfident { keep, ..MostConfident::default() }.stages(Allocation { n_weak, n_gold: 0 });
            stages.iter().flat_map(StagePlan::draws).next().map(|draw| (draw.count, draw.choice))
        };
        assert_eq!(weak_stage(0.25, 10), Some((3, Choice::SurestLabels { of: 10 })));
        assert_eq!(weak_stage(0.01, 10), Some((1, Choice::SurestLabels { of: 10 })));
        assert_eq!(weak_stage(0.5, 0), None);
    }
}
