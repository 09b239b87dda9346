//! `labelmix tasks check`: a task on all of its data, and how long its texts are for a model.

use std::fmt;
use std::path::Path;

use labelmix_data::{Example, LoadOptions, TaskCheck};
use labelmix_models::{Error as ModelError, TextLimit, Tokenizer};
use labelmix_report::count;
use rayon::prelude::*;
use serde::Serialize;

use super::wordings::TriedWordings;
use crate::arguments::TaskCheckArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::model::{Parts, checkpoint};
use crate::progress::counting_bar;
use crate::task::{TaskSplits, files, task};

/// Everything that is printed.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    check: TaskCheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenLengths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wordings: Option<TriedWordings>,
}

/// How long the texts are for a model.
#[derive(Serialize)]
struct TokenLengths {
    model: String,
    /// The most tokens that the model reads.
    context: usize,
    train: LengthSummary,
    test: LengthSummary,
}

/// Lengths of a split's texts in tokens, those that the model adds included.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct LengthSummary {
    texts: usize,
    median: usize,
    percentile_95: usize,
    largest: usize,
    beyond_context: usize,
}

pub(crate) fn run(arguments: &TaskCheckArguments) -> Result<Status, Failure> {
    let task = task(&arguments.task, arguments.folder.as_deref())?;
    let files = files(&task, TaskSplits::All)?;
    let parts = if arguments.wordings { Parts::All } else { Parts::Tokenizer };
    let model = match &arguments.model {
        Some(name) => {
            let folder = checkpoint(Path::new(name), Path::new(""), parts)?;
            Some((name, Tokenizer::load(&folder)?, folder))
        }
        None => None,
    };
    let check = task.check(&files, &LoadOptions::default())?;
    let tokens = match &model {
        Some((name, tokenizer, _)) => Some(TokenLengths::measure(name, tokenizer, &check)?),
        None => None,
    };
    let wordings = match &model {
        Some((_, tokenizer, folder)) if arguments.wordings => {
            Some(TriedWordings::tried(arguments, &check, task.definition(), tokenizer, folder)?)
        }
        _ => None,
    };
    let checked = Checked { check, tokens, wordings };
    if arguments.json {
        print_json(&checked)?;
    } else {
        print_data(&checked.to_string())?;
    }
    Ok(Status::Done)
}

impl TokenLengths {
    fn measure(model: &str, tokenizer: &Tokenizer, check: &TaskCheck) -> Result<Self, ModelError> {
        let [train, test] = [&check.dataset.train, &check.dataset.test];
        let bar = counting_bar((train.len() + test.len()) as u64, "texts");
        let lengths = |examples: &[Example]| -> Result<LengthSummary, ModelError> {
            let length = |example: &Example| {
                let length = match tokenizer.encode(&example.text, TextLimit::Refuse) {
                    Ok(token_ids) => token_ids.len(),
                    Err(ModelError::TooLong { tokens, .. }) => tokens,
                    Err(error) => return Err(error),
                };
                bar.inc(1);
                Ok(length)
            };
            let lengths = examples.par_iter().map(length).collect::<Result<_, ModelError>>()?;
            Ok(LengthSummary::new(lengths, tokenizer.context()))
        };
        let measured = Self {
            model: model.to_owned(),
            context: tokenizer.context(),
            train: lengths(train)?,
            test: lengths(test)?,
        };
        bar.finish_and_clear();
        Ok(measured)
    }
}

impl LengthSummary {
    /// The summary of some lengths, of which there is at least one.
    fn new(mut lengths: Vec<usize>, context: usize) -> Self {
        lengths.sort_unstable();
        // The smallest length that so many in a hundred do not exceed.
        let percentile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100) - 1];
        Self {
            texts: lengths.len(),
            median: percentile(50),
            percentile_95: percentile(95),
            largest: percentile(100),
            beyond_context: lengths.iter().filter(|length| **length > context).count(),
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.check)?;
        writeln!(f)?;
        let Some(TokenLengths { model, context, train, test }) = &self.tokens else { return Ok(()) };
        writeln!(f, "\nlengths in tokens of {model}, which reads at most {}", count(*context))?;
        writeln!(f, "train: {train}\ntest:  {test}")?;
        self.wordings.iter().try_for_each(|wordings| write!(f, "\n{wordings}"))
    }
}

impl fmt::Display for LengthSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, median, percentile_95, largest, beyond_context } = *self;
        let [texts, median, percentile_95, largest, beyond_context] =
            [texts, median, percentile_95, largest, beyond_context].map(count);
        write!(f, "median {median}, 95% up to {percentile_95}, largest {largest}; ")?;
        write!(f, "{beyond_context} of {texts} texts exceed the model's context")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_summarised_by_nearest_ranks() {
        let summary = LengthSummary::new((1..=40).rev().collect(), 38);
        let expected = LengthSummary { texts: 40, median: 20, percentile_95: 38, largest: 40, beyond_context: 2 };
        assert_eq!(summary, expected);
        let one = LengthSummary { texts: 1, median: 7, percentile_95: 7, largest: 7, beyond_context: 0 };
        assert_eq!(LengthSummary::new(vec![7], 7), one);
    }
}
