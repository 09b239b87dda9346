//! Few-shot prompting (Mallen & Belrose 2024): the language model itself, behind labelled examples. Nothing is trained.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use crate::method::{Configuration, Method, OptionError, OptionHelp, UsableSplits, check_count};
use crate::plan::{PromptPlan, ShotOrder, ShotsPlan, StagePlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FewShot {
    shots: usize,
    shot_labels: LabelKind,
}

impl Default for FewShot {
    fn default() -> Self {
        Self { shots: 8, shot_labels: LabelKind::Gold }
    }
}

impl Method for FewShot {
    fn extra(&self) -> Allocation {
        Allocation::of_kind(self.shot_labels, self.shots)
    }

    fn splits(&self) -> UsableSplits {
        UsableSplits::Nothing
    }

    fn stages(&self, _: Allocation) -> Vec<StagePlan> {
        let shots = ShotsPlan { labels: self.shot_labels, count: self.shots, order: ShotOrder::OneForAll };
        vec![StagePlan::Ask(PromptPlan { shots, follow_up: None })]
    }
}

impl Configuration for FewShot {
    const NAME: &'static str = "few-shot";
    const SUMMARY: &'static str = "asks the language model behind labelled examples; trains nothing";
    const EXPLANATION: &'static str = "A prompt of labelled examples, each as text, newline, target and a blank line, \
        then the query's text and a newline. The score is the logit of the target of class 1 as the next token minus \
        that of class 0. One shuffle of the examples serves all queries. Needs a decoder. Pays for the examples, so \
        every budget that they fit into buys the same; targets and separators are in the study's [prompt].";
    const OPTIONS: &'static [OptionHelp] = &[
        OptionHelp { name: "shots", meaning: "labelled examples in the prompt, at least 1" },
        OptionHelp { name: "shot_labels", meaning: "the kind of their labels: \"weak\" or \"gold\"" },
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "few-shot"
shots = 8

[[methods]]
name = "few-shot-32-weak"
method = "few-shot"
shots = 32
shot_labels = "weak"
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_shots(self.shots)
    }
}

/// Refuses a prompt without examples.
pub(super) fn check_shots(shots: usize) -> Result<(), OptionError> {
    check_count("shots", shots, 1..=10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_buys_its_shots_whatever_the_split() {
        let method = FewShot { shots: 3, shot_labels: LabelKind::Weak };
        assert_eq!(method.extra(), Allocation { n_weak: 3, n_gold: 0 });
        let stages = method.stages(Allocation::default());
        assert_eq!(stages, method.stages(Allocation { n_weak: 5, n_gold: 5 }));
        assert!(matches!(stages[..], [StagePlan::Ask(_)]));
        assert!(FewShot { shots: 0, ..method }.check().is_err());
    }
}
