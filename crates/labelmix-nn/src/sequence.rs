//! Concatenated sequences.

use std::sync::Arc;

/// Where each of several concatenated sequences begins and ends. Cloning shares the offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceOffsets {
    bounds: Arc<[usize]>,
    /// The tokens of the first sequence, if the others continue it.
    shared: usize,
}

impl SequenceOffsets {
    /// Offsets for sequences of the given lengths (in tokens).
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut bounds = vec![0];
        let mut total = 0;
        for length in lengths {
            total += length;
            bounds.push(total);
        }
        Self { bounds: bounds.into(), shared: 0 }
    }

    /// Offsets for a sequence of `shared` tokens and others of the given lengths that each continue it.
    pub fn behind(shared: usize, lengths: impl IntoIterator<Item = usize>) -> Self {
        let offsets = Self::from_lengths([shared].into_iter().filter(|length| *length > 0).chain(lengths));
        Self { shared, ..offsets }
    }

    /// The tokens of the first sequence, if the others continue it; else none.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// The number of sequences, one that is shared among them.
    pub fn sequences(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The number of tokens in all sequences.
    pub fn total(&self) -> usize {
        self.bounds[self.bounds.len() - 1]
    }

    /// The tokens of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.bounds.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The tokens of one sequence.
    pub fn range(&self, sequence: usize) -> std::ops::Range<usize> {
        self.bounds[sequence]..self.bounds[sequence + 1]
    }

    /// Each token's position in its sequence, counted from the beginning of what it continues.
    pub fn positions(&self) -> Vec<u32> {
        let before = |start: usize| if start > 0 { self.shared as u32 } else { 0 };
        self.ranges().flat_map(|range| (0..range.len() as u32).map(move |place| before(range.start) + place)).collect()
    }

    /// The index of each sequence's first token.
    pub fn first_tokens(&self) -> Vec<u32> {
        self.ranges().map(|range| range.start as u32).collect()
    }

    /// The index of each sequence's last token, but for one that others continue.
    pub fn last_tokens(&self) -> Vec<u32> {
        let skipped = usize::from(self.shared > 0);
        self.ranges().skip(skipped).map(|range| range.end as u32 - 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_continue_a_shared_one() {
        let offsets = SequenceOffsets::behind(3, [2, 1]);
        assert_eq!((offsets.sequences(), offsets.total(), offsets.shared()), (3, 6, 3));
        assert_eq!(offsets.positions(), [0, 1, 2, 3, 4, 3]);
        assert_eq!(offsets.last_tokens(), [4, 5]);
        assert_eq!(SequenceOffsets::behind(0, [2, 1]), SequenceOffsets::from_lengths([2, 1]));
    }
}
