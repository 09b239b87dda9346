//! Concatenated sequences.

use std::sync::Arc;

/// Where each of several concatenated sequences begins and ends. Cloning shares the offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceOffsets(Arc<[usize]>);

impl SequenceOffsets {
    /// Offsets for sequences of the given lengths (in tokens).
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut offsets = vec![0];
        let mut total = 0;
        for length in lengths {
            total += length;
            offsets.push(total);
        }
        Self(offsets.into())
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.0.len() - 1
    }

    /// The number of tokens in all sequences.
    pub fn total(&self) -> usize {
        self.0[self.0.len() - 1]
    }

    /// The tokens of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.0.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The tokens of one sequence.
    pub fn range(&self, sequence: usize) -> std::ops::Range<usize> {
        self.0[sequence]..self.0[sequence + 1]
    }

    /// Each token's position in its sequence.
    pub fn positions(&self) -> Vec<u32> {
        self.ranges().flat_map(|range| 0..range.len() as u32).collect()
    }

    /// The index of each sequence's first token.
    pub fn first_tokens(&self) -> Vec<u32> {
        self.ranges().map(|range| range.start as u32).collect()
    }

    /// The index of each sequence's last token.
    pub fn last_tokens(&self) -> Vec<u32> {
        self.ranges().map(|range| range.end as u32 - 1).collect()
    }
}
