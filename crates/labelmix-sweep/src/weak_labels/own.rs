//! A labeler's own examples: those that it is trained and validated on, or sees before each text.

use std::collections::HashSet;

use labelmix_data::{Dataset, Example, ExampleId, ValidationSplit, labeler_split};
use labelmix_llm::Question;
use labelmix_methods::order_for_all;
use labelmix_store::HashedParts;
use labelmix_study::{LabelerTable, Study};

use crate::error::{Error, Result};

/// The examples that a labeler is trained and validated on, or sees before each text.
pub(super) struct OwnExamples<'a> {
    /// The training examples, or those of a file.
    pub(super) examples: &'a [Example],
    pub(super) split: ValidationSplit,
    from_file: bool,
}

impl<'a> OwnExamples<'a> {
    /// Those of a labeler that can read these texts of the pool, the test set and its own file, or all.
    pub(super) fn new(
        table: &LabelerTable,
        gold_file: Option<&'a [Example]>,
        dataset: &'a Dataset,
        readable: Option<&[bool]>,
    ) -> Result<Self> {
        let (examples, from_file) = (gold_file.unwrap_or(&dataset.train), gold_file.is_some());
        let first = if from_file { dataset.train.len() + dataset.test.len() } else { 0 };
        let is_readable = |index: usize| readable.is_none_or(|readable| readable[first + index]);
        let [train, validation] = table.own_labels();
        let split = labeler_split(examples, is_readable, train, validation, table.seed);
        if table.kind.trains() && split.train.len().min(split.validation.len()) < 2 {
            return Err(Error::LabelerStarves { train: split.train.len(), validation: split.validation.len() });
        }
        if table.kind.asks() && split.train.len() < train {
            return Err(Error::NoShotsForLabeler { shots: train, there: split.train.len() });
        }
        Ok(Self { examples, split, from_file })
    }

    /// What a language model behind a service is asked, if one is.
    pub(super) fn question(&self, study: &Study, table: &LabelerTable) -> Option<Question> {
        let llm = table.llm.as_ref()?;
        // In the order in which a language model of this machine would see them.
        let mut shots: Vec<(String, bool)> =
            self.gold(&self.split.train, table).map(|(text, class)| (text.to_owned(), class)).collect();
        order_for_all(&mut shots, table.seed);
        Some(Question::of(llm, study.prompt_template().clone(), shots))
    }

    /// The texts of these places, as the labeler sees them, with their gold labels.
    pub(super) fn gold(&self, places: &[usize], table: &LabelerTable) -> impl Iterator<Item = (&str, bool)> {
        let examples = places.iter().map(|index| &self.examples[*index]);
        examples
            .map(|example| (seen(table, example), example.gold.expect("a labeler's own examples have a gold label")))
    }

    /// The examples that get no label because the labeler learned from them.
    pub(super) fn left_out(&self, table: &LabelerTable) -> HashSet<ExampleId> {
        let own = self.split.train.iter().filter(|_| !table.include_own_examples);
        own.map(|index| self.examples[*index].id).collect()
    }

    /// Enters them into a key: those of a file with what it says.
    pub(super) fn add_to(&self, parts: &mut HashedParts) {
        for indices in [&self.split.train, &self.split.validation] {
            parts.add("own examples", &(indices.len() as u64).to_le_bytes());
            for index in indices {
                let example = &self.examples[*index];
                parts.add("own example", &example.id.number().to_le_bytes());
                if self.from_file {
                    parts.add("own gold", &[example.gold.map_or(2, u8::from)]);
                    parts.add("own text", example.text.as_bytes());
                }
            }
        }
    }
}

/// The text that the labeler sees.
pub(super) fn seen<'a>(table: &LabelerTable, example: &'a Example) -> &'a str {
    example.proxy.as_deref().filter(|_| table.proxy).unwrap_or(&example.text)
}
