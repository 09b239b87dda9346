//! Prompts as text: labelled examples, then the text in question (Mallen & Belrose 2024).

use serde::{Deserialize, Serialize};

/// How examples become a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptTemplate {
    /// What stands before everything, once.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub start: String,
    /// What stands before a text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before_text: String,
    /// What stands for class 0 and for class 1.
    pub targets: [String; 2],
    /// What stands between a text and its target.
    pub before_target: String,
    /// What stands between two examples.
    pub between: String,
}

impl Default for PromptTemplate {
    fn default() -> Self {
        Self {
            start: String::new(),
            before_text: String::new(),
            targets: ["0".into(), "1".into()],
            before_target: "\n".into(),
            between: "\n\n".into(),
        }
    }
}

impl PromptTemplate {
    /// The same as a conversation: the user's words are what stands around a text, the model's a target. `start` stands before the
    /// conversation, `answer` between the user's words and the model's, `next` between the model's and the user's.
    pub fn in_conversation(self, start: String, answer: &str, next: String) -> Self {
        Self {
            start,
            before_text: self.before_text,
            targets: self.targets.map(|target| target.trim_start().to_owned()),
            before_target: format!("{}{answer}", self.before_target.trim_end()),
            between: next,
        }
    }

    /// A text in question.
    pub fn query(&self, text: &str) -> String {
        format!("{}{text}{}", self.before_text, self.before_target)
    }

    /// A labelled example, with what stands between it and the next.
    pub fn shot(&self, text: &str, class: bool) -> String {
        format!("{}{}{}", self.query(text), self.targets[usize::from(class)], self.between)
    }
}
