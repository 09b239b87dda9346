//! Few-shot prompt and fine-tuning together (Mallen & Belrose 2024): the classifier of seq-sft reads labelled examples before
//! each text, in training and in testing.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::few_shot::check_shots;
use super::seq_sft::smallest_batch;
use super::{GOLD, HEAD, WEAK};
use crate::method::{Configuration, Method, OptionError, OptionHelp, UsableSplits};
use crate::plan::{
    FirstStageOptions, HeadStart, PromptPlan, ShotOrder, ShotsPlan, StageOptions, StagePlan, Start, TrainPlan,
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FewShotSft {
    shots: usize,
    shot_labels: LabelKind,
    sft: Sft,
    order: ShotOrder,
    head: HeadStart,
    train_on_shots: bool,
    weak: FirstStageOptions,
    gold: StageOptions,
}

/// What is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sft {
    Weak,
    Gold,
    Sequential,
}

impl Default for FewShotSft {
    fn default() -> Self {
        Self {
            shots: 2,
            shot_labels: LabelKind::Gold,
            sft: Sft::Sequential,
            order: ShotOrder::FreshForEachStep,
            head: HeadStart::Random,
            train_on_shots: false,
            weak: FirstStageOptions::default(),
            gold: StageOptions::default(),
        }
    }
}

impl Method for FewShotSft {
    fn extra(&self) -> Allocation {
        Allocation::of_kind(self.shot_labels, self.shots)
    }

    fn splits(&self) -> UsableSplits {
        match self.sft {
            Sft::Weak => UsableSplits::One(LabelKind::Weak),
            Sft::Gold => UsableSplits::One(LabelKind::Gold),
            Sft::Sequential => UsableSplits::All,
        }
    }

    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let shots = ShotsPlan { labels: self.shot_labels, count: self.shots, order: self.order };
        let stage = |labels, count, options: StageOptions| {
            let of_this_kind = if labels == self.shot_labels && count > 0 { self.shots } else { 0 };
            let (count, skip) = if self.train_on_shots { (count + of_this_kind, 0) } else { (count, of_this_kind) };
            let mut training = TrainPlan::new(labels, count, options);
            training.draws[0].skip = skip;
            let prompt = Some(PromptPlan { shots, follow_up: None });
            TrainPlan { prompt, start: Start::Fresh(self.head), ..training }
        };
        TrainPlan::sequence([
            stage(LabelKind::Weak, split.n_weak, self.weak.into()),
            stage(LabelKind::Gold, split.n_gold, self.gold),
        ])
    }

    fn smallest_batch(&self) -> usize {
        smallest_batch([self.weak.loss, self.gold.loss])
    }
}

impl Configuration for FewShotSft {
    const NAME: &'static str = "few-shot-sft";
    const SUMMARY: &'static str = "seq-sft whose classifier reads labelled examples before each text";
    const EXPLANATION: &'static str = "Fine-tunes as seq-sft does, but every text stands behind a prompt of labelled \
        examples, in training and in testing; no text is its own example. In training the examples are shuffled anew for \
        each step, so that its texts share a prompt that is computed once. The examples \
        are paid first, and what is left of a budget is split. They come from the front of their pool; the stage \
        trains on the labels after them, or on them too with train_on_shots. Targets and separators are in the \
        study's [prompt].";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp { name: "shots", meaning: "labelled examples in each prompt, at least 1" },
        OptionHelp { name: "shot_labels", meaning: "the kind of their labels: \"weak\" or \"gold\"" },
        OptionHelp {
            name: "sft",
            meaning: "the labels that are trained on: \"weak\", \"gold\", or \"sequential\" for weak, then gold",
        },
        OptionHelp {
            name: "order",
            meaning: "in which order the examples stand: \"fresh-for-each-step\", a shuffle for all texts of a training step, \
                      which have one prompt that is computed once, and one for all that are read; \"fresh-for-each\", a \
                      shuffle for each text, as published; \"one-for-all\"",
        },
        HEAD,
        OptionHelp {
            name: "train_on_shots",
            meaning: "whether the stage on labels of the examples' kind trains on the examples too (behind the others)",
        },
        WEAK,
        GOLD,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "few-shot-sft"             # 2 gold shots, then seq-sft

[[methods]]
name = "few-shot-sft-8-weak"
method = "few-shot-sft"
shots = 8
shot_labels = "weak"
sft = "gold"
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_shots(self.shots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(method: &FewShotSft, n_weak: usize, n_gold: usize) -> Vec<(LabelKind, usize, usize)> {
        let stages = method.stages(Allocation { n_weak, n_gold });
        assert!(stages.iter().all(|stage| stage.prompt().is_some()));
        let own = stages.iter().flat_map(|stage| stage.training().unwrap().own());
        own.map(|draw| (draw.labels().unwrap(), draw.skip, draw.count)).collect()
    }

    #[test]
    fn shots_are_set_apart_or_trained_on_too() {
        let apart = FewShotSft { shots: 8, ..FewShotSft::default() };
        assert_eq!(counts(&apart, 30, 5), [(LabelKind::Weak, 0, 30), (LabelKind::Gold, 8, 5)]);
        assert_eq!(counts(&apart, 30, 0), [(LabelKind::Weak, 0, 30)]);
        let trained_on = FewShotSft { train_on_shots: true, ..apart };
        assert_eq!(counts(&trained_on, 30, 5), [(LabelKind::Weak, 0, 30), (LabelKind::Gold, 0, 13)]);
        // Either way it pays for the split and eight gold labels.
        assert_eq!(apart.extra(), Allocation { n_weak: 0, n_gold: 8 });
    }

    #[test]
    fn a_step_shares_a_prompt_unless_a_study_says_otherwise() {
        let order = |options: &str| {
            let method: FewShotSft = toml::from_str(options).unwrap();
            method.stages(Allocation { n_weak: 0, n_gold: 4 })[0].prompt().unwrap().shots.order
        };
        assert_eq!(order(""), ShotOrder::FreshForEachStep);
        assert_eq!(order("order = 'fresh-for-each'"), ShotOrder::FreshForEach);
    }

    #[test]
    fn what_is_trained_on_says_which_splits_make_sense() {
        let splits = |sft| FewShotSft { sft, ..FewShotSft::default() }.splits();
        assert_eq!(splits(Sft::Weak), UsableSplits::One(LabelKind::Weak));
        assert_eq!(splits(Sft::Gold), UsableSplits::One(LabelKind::Gold));
        assert_eq!(splits(Sft::Sequential), UsableSplits::All);
    }
}
