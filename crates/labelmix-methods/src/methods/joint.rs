//! Joint training: one stage on both kinds of labels (beyond the paper).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::seq_sft::smallest_batch;
use crate::draw::{DrawSource, JointLoss};
use crate::method::{Configuration, Method, OptionError, OptionHelp};
use crate::plan::{FirstStageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Joint {
    weak_weight: f64,
    by_confidence: bool,
    stage: FirstStageOptions,
}

impl Default for Joint {
    fn default() -> Self {
        Self { weak_weight: 0.3, by_confidence: false, stage: FirstStageOptions::default() }
    }
}

impl Method for Joint {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let gold = TrainPlan::new(LabelKind::Gold, split.n_gold, self.stage);
        if split.n_weak == 0 || split.n_gold == 0 {
            return TrainPlan::sequence([TrainPlan::new(LabelKind::Weak, split.n_weak, self.stage), gold]);
        }
        let loss = JointLoss { weight: self.weak_weight, by_confidence: self.by_confidence, denoise: None };
        vec![StagePlan::Train(gold.jointly(DrawSource::Labels(LabelKind::Weak), split.n_weak, loss))]
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.stage.loss; 2])
    }
}

impl Configuration for Joint {
    const NAME: &'static str = "joint";
    const SUMMARY: &'static str = "one stage on both kinds of labels, the weak ones counting less";
    const EXPLANATION: &'static str = "Fine-tunes on weak and gold labels together. A weak label's part of the loss is \
        multiplied by weak_weight, and with by_confidence by how far it is from one half, |2y − 1|, too. A part of \
        either kind is validated on. Labels of one kind alone are trained on as seq-sft does. Pays for all of them.";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp { name: "weak_weight", meaning: "what a weak label's part of the loss is multiplied by, above 0" },
        OptionHelp {
            name: "by_confidence",
            meaning: "whether that is multiplied by |2y − 1|, how sure the weak label y is",
        },
        OptionHelp { name: "stage", meaning: "how the stage trains: a table with `loss` and `trains`" },
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "joint"
weak_weight = 0.3
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_weight("weak_weight", self.weak_weight)
    }
}

/// Refuses what is no weight of a loss.
pub(super) fn check_weight(name: &str, weight: f64) -> Result<(), OptionError> {
    if weight.is_finite() && weight > 0.0 {
        return Ok(());
    }
    Err(OptionError { reason: format!("`{name}` = {weight}"), help: "a weight is a positive number".into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Role;
    use crate::plan::StageOptions;

    #[test]
    fn both_kinds_are_one_stage_and_one_kind_is_the_usual_one() {
        let stages = |n_weak, n_gold| Joint::default().stages(Allocation { n_weak, n_gold });
        let both = stages(3, 2);
        let draws: Vec<_> = both[0].draws().map(|draw| (draw.labels(), draw.count, draw.role)).collect();
        let loss = JointLoss { weight: 0.3, by_confidence: false, denoise: None };
        let expected = [(Some(LabelKind::Gold), 2, Role::Train), (Some(LabelKind::Weak), 3, Role::Jointly(loss))];
        assert_eq!((both.len(), &*draws), (1, &expected[..]));
        let usual = |kind, count| [StagePlan::Train(TrainPlan::new(kind, count, StageOptions::default()))];
        assert_eq!(stages(3, 0), usual(LabelKind::Weak, 3));
        assert_eq!(stages(0, 2), usual(LabelKind::Gold, 2));
        assert_eq!(stages(0, 0), []);
    }
}
