//! `[prompt]`: how examples become a prompt.

use labelmix_data::PromptTemplate;
use serde::{Deserialize, Serialize};

use super::Problem;

/// How examples become a prompt, for methods that have one: in a wording of the task, or in words of the study's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PromptTable {
    /// Which of the task's wordings, counted from 1; the first of a task that has some, where the study has no words of its
    /// own.
    #[serde(skip_serializing_if = "Option::is_none")]
    wording: Option<usize>,
    /// What stands before a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    before_text: Option<String>,
    /// What stands for class 0 and for class 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<[String; 2]>,
    /// What stands between a text and its target.
    #[serde(skip_serializing_if = "Option::is_none")]
    before_target: Option<String>,
    /// What stands between two examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<String>,
    /// Whether the words go through the model's chat template.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) chat: bool,
    /// What stands before the answer in texts that end with one, in place of what the task says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before_answer: Option<String>,
}

impl PromptTable {
    /// Whether it asks in words of its own.
    fn has_words(&self) -> bool {
        let Self { before_text, targets, before_target, between, .. } = self;
        targets.is_some() || [before_text, before_target, between].into_iter().any(Option::is_some)
    }

    /// The prompt that it means, where the task has these wordings.
    pub(super) fn template(&self, wordings: &[PromptTemplate]) -> Result<PromptTemplate, Problem> {
        let Self { wording, before_text, targets, before_target, between, chat: _, before_answer: _ } = self.clone();
        let base = match (wording, wordings) {
            (None, [first, ..]) if !self.has_words() => first.clone(),
            (None, _) => PromptTemplate::default(),
            (Some(number), _) => match number.checked_sub(1).and_then(|place| wordings.get(place)) {
                Some(wording) => wording.clone(),
                None => return Err(no_wording(number, wordings.len())),
            },
        };
        Ok(PromptTemplate {
            before_text: before_text.unwrap_or(base.before_text),
            targets: targets.unwrap_or(base.targets),
            before_target: before_target.unwrap_or(base.before_target),
            between: between.unwrap_or(base.between),
            ..base
        })
    }
}

fn no_wording(number: usize, of_task: usize) -> Problem {
    let help = match of_task {
        0 => "the data has no task with [[prompts]]: give `before_text`, `before_target` and `targets` of your own"
            .to_owned(),
        1 => "the task has one".to_owned(),
        count => format!("the task has {count}, counted from 1"),
    };
    Problem { reason: format!("wording = {number} in [prompt]"), help }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Study;

    const FILES: &str = "train = 'a.csv'\ntest = 'b.csv'";

    /// What stands around the text "T", and the targets.
    fn prompt(task: &str, table: &str) -> Result<String, String> {
        let study = format!("name = 'a'\n[task]\n{task}\n[model]\npath = 'm'\n[prompt]\n{table}");
        let study = Study::parse(&study, PathBuf::new());
        study
            .map(|study| format!("{:?} {:?}", study.prompt_template().query("T"), study.prompt_template().targets))
            .map_err(|Problem { reason, help }| format!("{reason} | {help}"))
    }

    #[test]
    fn a_task_asks_in_its_own_words_and_a_study_in_others() {
        let of = |task: &str, table: &str| prompt(task, table).unwrap_or_else(|problem| problem);
        insta::assert_snapshot!(of("name = 'sst2'", ""), @r#""Review: T\nSentiment:" [" negative", " positive"]"#);
        insta::assert_snapshot!(of("name = 'sst2'", "wording = 3"), @r#""Film review: T\nDid the critic like the film?" [" No", " Yes"]"#);
        insta::assert_snapshot!(of("name = 'sst2'", "wording = 3\nbefore_text = ''"), @r#""T\nDid the critic like the film?" [" No", " Yes"]"#);
        insta::assert_snapshot!(of("name = 'sst2'", "targets = ['bad', 'good']"), @r#""T\n" ["bad", "good"]"#);
        insta::assert_snapshot!(of(FILES, ""), @r#""T\n" ["0", "1"]"#);
        insta::assert_snapshot!(of("name = 'sst2'", "wording = 4"), @"wording = 4 in [prompt] | the task has 3, counted from 1");
        insta::assert_snapshot!(of("name = 'sst2'", "wording = 0"), @"wording = 0 in [prompt] | the task has 3, counted from 1");
        insta::assert_snapshot!(of(FILES, "wording = 1"), @"wording = 1 in [prompt] | the data has no task with [[prompts]]: give `before_text`, `before_target` and `targets` of your own");
    }
}
