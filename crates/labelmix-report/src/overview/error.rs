//! Why studies cannot be seen together.

use miette::Diagnostic;

use super::StudyAnswer;
use crate::notation::prices_in_words;

/// Why studies cannot be seen together.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum OverviewError {
    /// Their reports would be one folder.
    #[error("two studies are called {study:?}")]
    #[diagnostic(help("give each study a name of its own; results in the store are found under the name"))]
    SameName { study: String },
    #[error("the studies {first:?} and {second:?} are both of the task {task:?} with the model {model:?}")]
    #[diagnostic(help("give one of them; methods are compared within a study"))]
    SameQuestion {
        /// A study's name.
        first: String,
        second: String,
        task: String,
        model: String,
    },
    #[error(
        "the studies {first:?} and {second:?} have different prices. The first: {first_prices}. The second: {second_prices}."
    )]
    #[diagnostic(help("write the same [prices] into every study; nothing is trained again for that"))]
    OtherPrices {
        /// A study's name.
        first: String,
        first_prices: String,
        /// Another study's name.
        second: String,
        second_prices: String,
    },
}

impl OverviewError {
    /// Holds every study against those before it.
    pub(super) fn check(studies: &[StudyAnswer]) -> Result<(), Self> {
        for (place, study) in studies.iter().enumerate() {
            for before in &studies[..place] {
                Self::check_pair(before, study)?;
            }
        }
        Ok(())
    }

    fn check_pair(first: &StudyAnswer, second: &StudyAnswer) -> Result<(), Self> {
        if first.answer.study == second.answer.study {
            return Err(Self::SameName { study: first.answer.study.clone() });
        }
        let (first_name, second_name) = (first.answer.study.clone(), second.answer.study.clone());
        if (&first.task, &first.model) == (&second.task, &second.model) {
            return Err(Self::SameQuestion {
                first: first_name,
                second: second_name,
                task: first.task.clone(),
                model: first.model.name.clone(),
            });
        }
        if first.tariff != second.tariff {
            return Err(Self::OtherPrices {
                first: first_name,
                first_prices: prices_in_words(&first.tariff),
                second: second_name,
                second_prices: prices_in_words(&second.tariff),
            });
        }
        Ok(())
    }
}
