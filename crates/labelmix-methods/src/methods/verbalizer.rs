//! The verbalizer: fine-tuning that starts from the language model's own answer (beyond the paper).

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::seq_sft::smallest_batch;
use super::{GOLD, HEAD, WEAK};
use crate::method::{Configuration, Method, OptionError, OptionHelp, check_count};
use crate::plan::{FirstStageOptions, FollowUp, HeadStart, PromptPlan, StageOptions, StagePlan, Start, TrainPlan};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Verbalizer {
    head: HeadStart,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_up: Option<String>,
    answer_tokens: usize,
    weak: FirstStageOptions,
    gold: StageOptions,
}

impl Default for Verbalizer {
    fn default() -> Self {
        let (weak, gold) = (FirstStageOptions::default(), StageOptions::default());
        Self { head: HeadStart::Words, follow_up: None, answer_tokens: 1, weak, gold }
    }
}

impl Method for Verbalizer {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let follow_up = self
            .follow_up
            .as_ref()
            .map(|template| FollowUp { template: template.clone(), answer_tokens: self.answer_tokens });
        let prompt = PromptPlan::without_shots(follow_up);
        if split == Allocation::default() && self.head == HeadStart::Words {
            return vec![StagePlan::Ask(prompt)];
        }
        let stage = |labels, count, options: StageOptions| TrainPlan {
            prompt: Some(prompt.clone()),
            start: Start::Fresh(self.head),
            ..TrainPlan::new(labels, count, options)
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

impl Configuration for Verbalizer {
    const NAME: &'static str = "verbalizer";
    const SUMMARY: &'static str = "seq-sft that starts from the language model's own answer";
    const EXPLANATION: &'static str = "seq-sft whose head starts as the language model's rows for the two targets of the \
        study's [prompt], on the text in its words: before any training its log-odds are what few-shot would say without \
        shots, and at $0 that is its point. With a follow_up the model first answers the text itself, and a text that \
        asks on from its answer takes the text's place. Needs a decoder. Pays for the labels of both stages.";
    const OPTIONS: &'static [OptionHelp] = &[
        HEAD,
        OptionHelp {
            name: "follow_up",
            meaning: "a text with {answer} in it, and {text} if you like, that is read in place of the text",
        },
        OptionHelp { name: "answer_tokens", meaning: "tokens of the model's answer to the text, at least 1" },
        WEAK,
        GOLD,
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "verbalizer"

[[methods]]
name = "asked-on"
method = "verbalizer"
follow_up = "the {answer}"

[prompt]
targets = ["blue", "red"]
before_target = " is "
"#;

    fn check(&self) -> Result<(), OptionError> {
        if self.follow_up.as_ref().is_some_and(|template| !template.contains("{answer}")) {
            return Err(OptionError {
                reason: format!("`follow_up` = {:?}", self.follow_up.as_deref().unwrap_or_default()),
                help: "put {answer} where the model's answer goes".into(),
            });
        }
        check_count("answer_tokens", self.answer_tokens, 1..=10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_behind_no_shots_and_cost_nothing_more() {
        let method: Verbalizer = toml::from_str("follow_up = 'so {answer}'").unwrap();
        let stages = method.stages(Allocation { n_weak: 3, n_gold: 2 });
        let starts: Vec<Start> = stages.iter().map(|stage| stage.training().unwrap().start).collect();
        assert_eq!(starts, [Start::Fresh(HeadStart::Words), Start::After(0)]);
        let prompts: Vec<&PromptPlan> = stages.iter().filter_map(StagePlan::prompt).collect();
        assert!(prompts.len() == 2 && prompts.iter().all(|prompt| prompt.shots.count == 0));
        assert_eq!(prompts[1].follow_up, Some(FollowUp { template: "so {answer}".into(), answer_tokens: 1 }));
        assert_eq!(method.extra(), Allocation::default());
        let without = method.stages(Allocation::default());
        assert!(matches!(&without[..], [StagePlan::Ask(prompt)] if prompt == prompts[0]));
        let random: Verbalizer = toml::from_str("head = 'random'").unwrap();
        assert!(random.stages(Allocation::default()).is_empty());
    }

    #[test]
    fn a_follow_up_without_an_answer_is_refused() {
        let check = |text: &str| toml::from_str::<Verbalizer>(text).unwrap().check().map_err(|error| error.reason);
        assert_eq!(check("follow_up = 'is it red?'"), Err("`follow_up` = \"is it red?\"".to_owned()));
        assert_eq!(check("answer_tokens = 0"), Err("`answer_tokens` = 0".to_owned()));
    }
}
