//! Zero-shot prompting: the language model itself, asked about each text. Nothing is bought, nothing is trained.

use labelmix_econ::Allocation;
use serde::{Deserialize, Serialize};

use crate::method::{Configuration, Method, OptionHelp, UsableSplits};
use crate::plan::{AnswerScore, PromptPlan, StagePlan};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ZeroShot {
    /// What the answer that a text ends with is judged by, in place of a question about the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<AnswerScore>,
}

impl Method for ZeroShot {
    fn splits(&self) -> UsableSplits {
        UsableSplits::Nothing
    }

    fn stages(&self, _: Allocation) -> Vec<StagePlan> {
        let question = || StagePlan::Ask(PromptPlan::without_shots(None));
        vec![self.answer.map_or_else(question, StagePlan::Judge)]
    }
}

impl Configuration for ZeroShot {
    const NAME: &'static str = "zero-shot";
    const SUMMARY: &'static str = "asks the language model about each text; buys and trains nothing";
    const EXPLANATION: &'static str = "few-shot without examples: the text in the words of the study's [prompt], or of \
        its task, and as score the logit of the target of class 1 as the next token minus that of class 0. Needs a \
        decoder. It costs nothing: a budget of $0, and the same at every other one. Where texts end \
        with an answer, as in tasks of multiple choice, the model can judge that instead.";
    const OPTIONS: &'static [OptionHelp] = &[OptionHelp {
        name: "answer",
        meaning: "what the answer that a text ends with is judged by, in place of a question: \"likelihood\", the mean \
            log-likelihood of its tokens; \"likelihood-gain\", its log-likelihood less that behind the prompt's \
            `before_answer` alone",
    }];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "zero-shot"

[prompt]
before_text = "Review: "
before_target = "\nSentiment:"
targets = [" negative", " positive"]
"#;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_and_buys_nothing() {
        let method = ZeroShot::default();
        assert_eq!(method.extra(), Allocation::default());
        let stages = method.stages(Allocation { n_weak: 5, n_gold: 5 });
        assert!(matches!(&stages[..], [stage @ StagePlan::Ask(_)] if stage.draws().all(|draw| draw.count == 0)));
    }
}
