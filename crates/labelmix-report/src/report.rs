//! Everything that a report shows.

use crate::analysis::Analysis;
use crate::answer::Answer;
use crate::details::Details;

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct Report {
    pub answer: Answer,
    /// What the runs let expect; none without runs.
    pub analysis: Option<Analysis>,
    /// How the runs went.
    pub details: Details,
}
