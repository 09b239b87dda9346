//! Self-training: the pools' texts, which cost nothing, with the predictions of trained classifiers as their labels
//! (beyond the paper).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::inner::{OF, OPTIONS, check_inner, inner, inner_trainings, repeated};
use super::joint::check_weight;
use crate::calibration::Calibration;
use crate::draw::{Draw, DrawSource, JointLoss};
use crate::method::{Configuration, Method, OptionError, OptionHelp, UsableSplits, check_count};
use crate::plan::{StageOptions, StagePlan, TrainPlan};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SelfTraining {
    of: String,
    members: usize,
    rounds: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<usize>,
    pseudo_weight: f64,
    options: Table,
}

impl Default for SelfTraining {
    fn default() -> Self {
        Self { of: "seq-sft".to_owned(), members: 3, rounds: 1, texts: None, pseudo_weight: 1.0, options: Table::new() }
    }
}

impl SelfTraining {
    /// The stage of a student, without what it reads.
    fn student(&self, chain: &[TrainPlan]) -> Option<TrainPlan> {
        let (first, last) = (chain.first()?, chain.last()?);
        let gold = chain.iter().rev().flat_map(TrainPlan::own).find(|draw| draw.labels() == Some(LabelKind::Gold));
        let mut student = TrainPlan::new(LabelKind::Gold, 0, StageOptions::default());
        if let Some(Draw { count, skip, .. }) = gold {
            student.draws[0] = Draw { count: *count, skip: *skip, ..student.draws[0] };
        }
        let loss = JointLoss { weight: self.pseudo_weight, by_confidence: false, denoise: None };
        let student = student.jointly(DrawSource::Predictions, self.texts.unwrap_or(usize::MAX), loss);
        Some(TrainPlan { prompt: last.prompt.clone(), start: first.start, ..student })
    }
}

impl Method for SelfTraining {
    fn extra(&self) -> Allocation {
        inner(&self.of, &self.options).extra()
    }

    fn splits(&self) -> UsableSplits {
        inner(&self.of, &self.options).splits()
    }

    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let chain = inner_trainings(&self.of, &self.options, split);
        let Some(student) = self.student(&chain) else { return Vec::new() };
        let (mut stages, mut teachers) = repeated(&chain, self.members);
        for _ in 0..self.rounds {
            let first = stages.len();
            for repetition in 0..self.members {
                let reads = teachers.clone();
                stages.push(StagePlan::Train(TrainPlan { repetition, reads, ..student.clone() }));
            }
            teachers = (first..stages.len()).collect();
        }
        if self.members > 1 {
            stages.push(StagePlan::Average { of: teachers, prompt: student.prompt, calibration: Calibration::None });
        }
        stages
    }

    fn smallest_batch(&self) -> usize {
        inner(&self.of, &self.options).smallest_batch()
    }
}

impl Configuration for SelfTraining {
    const NAME: &'static str = "self-training";
    const SUMMARY: &'static str = "a method's classifiers label the pools' texts; fresh ones learn from that";
    const EXPLANATION: &'static str = "Trains a method several times, as ensemble does; the mean of their log-odds, as a \
        probability, is then the soft label of every text of both pools, bought or not, and as many fresh adapters are \
        trained on these, and on the gold labels that were bought. Each further round learns from the last one's. The score \
        of a text is the mean of the last round's log-odds. Texts cost nothing: pays for the method's labels.";
    const OPTIONS: &'static [OptionHelp] = &[
        OF,
        OptionHelp { name: "members", meaning: "classifiers of each round, the method's own among them, at least 1" },
        OptionHelp { name: "rounds", meaning: "how often texts are labelled and learnt from, at least 1" },
        OptionHelp { name: "texts", meaning: "how many of the pools' texts are labelled; without it, all of them" },
        OptionHelp {
            name: "pseudo_weight",
            meaning: "what the loss of such a text is multiplied by (a gold label's: by 1), above 0",
        },
        OPTIONS,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "self-training"

[[methods]]
name = "self-trained-joint"
method = "self-training"
of = "joint"
options = { weak_weight = 0.1 }
texts = 4000
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_count("members", self.members, 1..=100)?;
        check_count("rounds", self.rounds, 1..=100)?;
        check_count("texts", self.texts.unwrap_or(1), 1..=1_000_000_000)?;
        check_weight("pseudo_weight", self.pseudo_weight)?;
        check_inner(&self.of, &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(text: &str, n_weak: usize, n_gold: usize) -> Vec<StagePlan> {
        let method: SelfTraining = toml::from_str(text).unwrap();
        method.check().unwrap();
        method.stages(Allocation { n_weak, n_gold })
    }

    #[test]
    fn each_round_is_taught_by_the_one_before() {
        let stages = stages("members = 2\nrounds = 2", 3, 2);
        let reads: Vec<&[usize]> = stages.iter().map(StagePlan::reads).collect();
        let teachers: [&[usize]; 9] = [&[], &[], &[], &[], &[1, 3], &[1, 3], &[4, 5], &[4, 5], &[6, 7]];
        assert_eq!(reads, teachers);
        let students = stages[4..8].iter().map(|stage| stage.training().unwrap());
        assert!(students.clone().all(|stage| stage.is_taught() && stage.count() == 2));
        assert!(stages[4..8].iter().all(|stage| stage.parent().is_none()));
        assert!(matches!(stages[8], StagePlan::Average { .. }));
    }

    #[test]
    fn one_member_needs_no_average_and_weak_labels_alone_teach_too() {
        let stages = stages("members = 1", 3, 0);
        assert_eq!(stages.len(), 2);
        assert_eq!((stages[1].count(), stages[1].reads()), (0, &[0][..]));
    }
}
