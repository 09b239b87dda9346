//! Active learning (Mallen & Belrose 2024): seq-sft whose gold labels are asked for where the weak stage's classifier is least
//! certain.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::seq_sft::smallest_batch;
use super::{GOLD, WEAK};
use crate::draw::Choice;
use crate::method::{Configuration, Method, OptionError, OptionHelp};
use crate::plan::{FirstStageOptions, StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Uncertainty {
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<usize>,
    weak: FirstStageOptions,
    gold: StageOptions,
}

impl Method for Uncertainty {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        // At least as many are looked at as are chosen.
        let candidates = self.candidates.map(|candidates| candidates.max(split.n_gold));
        let choice = Choice::LeastCertain { temperature: self.temperature, candidates };
        TrainPlan::sequence([
            TrainPlan::new(LabelKind::Weak, split.n_weak, self.weak),
            TrainPlan::new(LabelKind::Gold, split.n_gold, self.gold).choosing(choice),
        ])
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss, self.gold.loss])
    }
}

impl Configuration for Uncertainty {
    const NAME: &'static str = "uncertainty";
    const SUMMARY: &'static str = "seq-sft that asks for gold labels where the weak stage is least certain";
    const EXPLANATION: &'static str = "The weak stage of seq-sft, whose classifier then reads the texts of the gold pool; \
        gold labels are bought for those of the largest entropy, or for a sample of them, and the gold stage trains on \
        these. Where a split buys no weak labels there is no classifier to ask, and the method is seq-sft. Reading texts \
        costs nothing; pays for the labels of both stages. The gold pool is as large as the data allows unless [task] \
        has a `gold_pool`.";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp {
            name: "temperature",
            meaning: "0 for the largest entropy; above, a sample without replacement with weight \
                      entropy^(1/temperature)",
        },
        OptionHelp {
            name: "candidates",
            meaning: "how many examples of the gold pool are read; without it, all of them",
        },
        WEAK,
        GOLD,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "uncertainty"

[[methods]]
name = "uncertainty-sampled"
method = "uncertainty"
temperature = 1.0
candidates = 2000
"#;

    fn check(&self) -> Result<(), OptionError> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(OptionError {
                reason: format!("`temperature` = {}", self.temperature),
                help: "a temperature is zero or a positive number".into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_weak_stage_the_front_of_the_pool_is_taken() {
        let method = Uncertainty { candidates: Some(10), ..Uncertainty::default() };
        let choices = |n_weak, n_gold| -> Vec<Choice> {
            method
                .stages(Allocation { n_weak, n_gold })
                .iter()
                .flat_map(StagePlan::draws)
                .map(|draw| draw.choice)
                .collect()
        };
        assert_eq!(choices(0, 5), [Choice::Front]);
        let of_ten = Choice::LeastCertain { temperature: 0.0, candidates: Some(10) };
        assert_eq!(choices(20, 5), [Choice::Front, of_ten]);
        let of_all_it_buys = Choice::LeastCertain { temperature: 0.0, candidates: Some(50) };
        assert_eq!(choices(20, 50)[1], of_all_it_buys);
    }
}
