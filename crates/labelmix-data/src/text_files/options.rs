//! How files of texts are read.

use crate::clean::CleaningOptions;
use crate::task::MergeVotes;

/// How a study's files of texts become a dataset.
#[derive(Default, Clone, Copy)]
pub struct TextOptions<'a> {
    /// What is left out.
    pub cleaning: CleaningOptions,
    /// How the votes for one text become a weak label; by default their mean does.
    pub merge_votes: Option<&'a MergeVotes<'a>>,
    /// Whether the weak labels come from elsewhere: those of the files are not read, and texts without a gold label wait for
    /// them among the training examples.
    pub weak_from_elsewhere: bool,
    /// Fields of the rows to keep with the examples (`Example::fields`); the training file must have them, the test file
    /// may.
    pub fields: &'a [String],
}
