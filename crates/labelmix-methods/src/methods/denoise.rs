//! Denoising: joint training whose loss knows how often weak labels are wrong (beyond the paper).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::WEAK;
use super::joint::check_weight;
use super::seq_sft::smallest_batch;
use crate::draw::{Denoise as Correct, DrawSource, JointLoss, RatesFrom};
use crate::method::{Configuration, Method, OptionError, OptionHelp, check_count};
use crate::noise::LossCorrection;
use crate::plan::{FirstStageOptions, StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Denoise {
    correction: LossCorrection,
    by_confidence: bool,
    by_agreement: bool,
    weak_weight: f64,
    rounds: usize,
    weak: FirstStageOptions,
}

impl Default for Denoise {
    fn default() -> Self {
        Self {
            correction: LossCorrection::Forward,
            by_confidence: true,
            by_agreement: false,
            weak_weight: 0.3,
            rounds: 1,
            weak: FirstStageOptions::default(),
        }
    }
}

impl Method for Denoise {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let weak = TrainPlan::new(LabelKind::Weak, split.n_weak, self.weak);
        let gold = TrainPlan::new(LabelKind::Gold, split.n_gold, StageOptions::default());
        if split.n_weak == 0 || split.n_gold == 0 {
            return TrainPlan::sequence([weak, gold]);
        }
        let mut stages = vec![StagePlan::Train(weak)];
        for round in 0..self.rounds {
            // The weak stage's classifier says what a weak labeler would: the gold labels tell how often that is wrong.
            // Those of later rounds say what is right.
            let (rates, by_agreement) = match round {
                0 => (RatesFrom::OwnLabels, false),
                _ => (RatesFrom::Predictions, self.by_agreement),
            };
            let loss = JointLoss {
                weight: self.weak_weight,
                by_confidence: self.by_confidence,
                denoise: Some(Correct { correction: self.correction, rates, by_agreement }),
            };
            let jointly = gold.clone().jointly(DrawSource::Labels(LabelKind::Weak), split.n_weak, loss);
            stages.push(StagePlan::Train(TrainPlan { reads: vec![round], ..jointly }));
        }
        stages
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss; 2])
    }
}

impl Configuration for Denoise {
    const NAME: &'static str = "denoise";
    const SUMMARY: &'static str = "trains on both kinds with a loss that knows how often weak labels are wrong";
    const EXPLANATION: &'static str = "The weak stage of seq-sft, whose classifier then predicts the weak labels that the \
        gold examples would have had; against their gold labels these tell how often weak labels of either class are \
        wrong. A fresh adapter then trains on both kinds as joint does, with the weak labels' loss corrected for these \
        errors. Each further round estimates the errors again from what the last one's classifier makes of the weakly \
        labelled texts. Labels of one kind alone are trained on as seq-sft does. Buys no weak label of a gold example; \
        pays for the labels that it trains on.";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp {
            name: "correction",
            meaning: "\"forward\" (the classifier predicts the label through the errors), \"backward\" (the loss is \
                      unbiased) or \"none\"",
        },
        OptionHelp { name: "by_confidence", meaning: "whether a weak label y counts |2y − 1|, as sure as it is" },
        OptionHelp {
            name: "by_agreement",
            meaning: "whether it counts, from the second round on, as much as the last round's classifier believes it",
        },
        OptionHelp { name: "weak_weight", meaning: "what a weak label's part of the loss is multiplied by, above 0" },
        OptionHelp { name: "rounds", meaning: "how often the errors are estimated and both kinds trained on" },
        WEAK,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "denoise"

[[methods]]
name = "denoise-twice"
method = "denoise"
rounds = 2
by_agreement = true
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_count("rounds", self.rounds, 1..=100)?;
        if self.by_agreement && self.rounds == 1 {
            return Err(OptionError {
                reason: "`by_agreement` with `rounds` = 1".into(),
                help: "the first round's classifier is there from the second round on: set `rounds` = 2".into(),
            });
        }
        check_weight("weak_weight", self.weak_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Role;

    #[test]
    fn each_round_reads_the_classifier_before_it_and_starts_afresh() {
        let method: Denoise = toml::from_str("rounds = 3\nby_agreement = true").unwrap();
        method.check().unwrap();
        let stages = method.stages(Allocation { n_weak: 30, n_gold: 5 });
        let reads: Vec<&[usize]> = stages.iter().map(StagePlan::reads).collect();
        assert_eq!(reads, [&[][..], &[0], &[1], &[2]]);
        assert!(stages.iter().all(|stage| stage.parent().is_none()));
        let rates: Vec<_> = stages
            .iter()
            .flat_map(StagePlan::draws)
            .filter_map(|draw| match draw.role {
                Role::Jointly(loss) => loss.denoise.map(|denoise| (denoise.rates, denoise.by_agreement)),
                Role::Train | Role::Shot => None,
            })
            .collect();
        let later = (RatesFrom::Predictions, true);
        assert_eq!(rates, [(RatesFrom::OwnLabels, false), later, later]);
        // Without gold labels nothing tells what is wrong.
        assert_eq!(method.stages(Allocation { n_weak: 30, n_gold: 0 }).len(), 1);
    }

    #[test]
    fn agreement_takes_two_rounds() {
        let check = |text: &str| toml::from_str::<Denoise>(text).unwrap().check().is_ok();
        assert!(!check("by_agreement = true") && !check("rounds = 0") && !check("weak_weight = 0.0"));
        assert!(check("by_agreement = true\nrounds = 2"));
    }
}
