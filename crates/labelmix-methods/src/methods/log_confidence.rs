//! seq-sft with the log-confidence loss in the weak stage (Mallen & Belrose 2024).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::GOLD;
use crate::method::{Configuration, Method, OptionHelp};
use crate::plan::{Loss, StageOptions, StagePlan, TrainPlan, Trains};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfidence {
    weak: WeakStage,
    gold: StageOptions,
}

/// How the weak stage trains; its loss is what the method is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WeakStage {
    trains: Trains,
}

impl Method for LogConfidence {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let weak = StageOptions { loss: Loss::LogConfidence, trains: self.weak.trains, ..StageOptions::default() };
        TrainPlan::sequence([
            TrainPlan::new(LabelKind::Weak, split.n_weak, weak),
            TrainPlan::new(LabelKind::Gold, split.n_gold, self.gold),
        ])
    }

    fn smallest_batch(&self) -> usize {
        Loss::FEWEST_FOR_THRESHOLD
    }
}

impl Configuration for LogConfidence {
    const NAME: &'static str = "log-confidence";
    const SUMMARY: &'static str = "seq-sft whose weak stage trusts its own confident predictions";
    const EXPLANATION: &'static str = "seq-sft with the log-confidence loss (Burns et al. 2023) in the weak stage: \
        cross-entropy against a mixture of the weak label and the model's own hardened prediction, whose weight rises to \
        one half over 200 steps. A prediction hardens to class 0 if its p(0) is at least the quantile of the batch's \
        p(0) at the batch's mean label; batches of fewer than 8 examples are trained on with their labels alone. Pays \
        for the labels of both stages.";
    const OPTIONS: &'static [OptionHelp] =
        &[OptionHelp { name: "weak", meaning: "how the weak stage trains: a table with `trains`" }, GOLD];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "log-confidence"

[[methods]]
name = "log-confidence-new-head"
method = "log-confidence"
gold = { reinitialise_head = true }
"#;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weak_stage_has_the_loss_whatever_else_is_set() {
        let method: LogConfidence = toml::from_str("weak = { trains = 'head' }").unwrap();
        let losses: Vec<Loss> = method
            .stages(Allocation { n_weak: 3, n_gold: 2 })
            .iter()
            .filter_map(|stage| Some(stage.training()?.options.loss))
            .collect();
        assert_eq!(losses, [Loss::LogConfidence, Loss::Xent]);
        assert_eq!(method.smallest_batch(), 8);
    }
}
