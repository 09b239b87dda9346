//! Token ids of several sequences.

use labelmix_nn::SequenceOffsets;

/// Concatenated sequences of token ids.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    token_ids: Vec<u32>,
    offsets: SequenceOffsets,
}

impl TokenBatch {
    /// A batch of sequences, none of them empty.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]> + Clone) -> Self {
        let offsets = SequenceOffsets::from_lengths(sequences.clone().into_iter().map(<[u32]>::len));
        Self { token_ids: sequences.into_iter().flatten().copied().collect(), offsets }
    }

    /// The same, with the beginning that all sequences share there once, if that is worth it: for models whose tokens see
    /// nothing behind them.
    pub(crate) fn sharing(sequences: &[&[u32]]) -> Self {
        let shared = shared_prefix(sequences);
        if shared == 0 {
            return Self::new(sequences.iter().copied());
        }
        let own = || sequences.iter().map(|sequence| &sequence[shared..]);
        Self {
            token_ids: sequences[0][..shared].iter().chain(own().flatten()).copied().collect(),
            offsets: SequenceOffsets::behind(shared, own().map(<[u32]>::len)),
        }
    }

    /// The ids of all tokens, `[tokens]`.
    pub fn token_ids(&self) -> &[u32] {
        &self.token_ids
    }

    /// Where each sequence begins.
    pub fn offsets(&self) -> &SequenceOffsets {
        &self.offsets
    }
}

/// How many tokens, with which all of some sequences begin, a batch has once; none if there are few.
pub fn shared_prefix(sequences: &[&[u32]]) -> usize {
    /// Fewer cost about as much to share as to repeat.
    const FEWEST: usize = 16;
    let [first, others @ ..] = sequences else { return 0 };
    // Every sequence has a token of its own.
    let most = sequences.iter().map(|sequence| sequence.len().saturating_sub(1)).min().unwrap_or(0);
    let in_common =
        |shared: usize, other: &&[u32]| first[..shared].iter().zip(*other).position(|(a, b)| a != b).unwrap_or(shared);
    let shared = others.iter().fold(most, in_common);
    if others.is_empty() || shared < FEWEST { 0 } else { shared }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sequences_begin_with_is_there_once() {
        let prompt: Vec<u32> = (0..20).collect();
        let [first, second] = [&[7, 8][..], &[9]].map(|own| [&prompt[..], own].concat());
        let batch = TokenBatch::sharing(&[&first, &second]);
        assert_eq!(batch.token_ids(), [&prompt[..], &[7, 8, 9]].concat());
        assert_eq!(batch.offsets(), &SequenceOffsets::behind(20, [2, 1]));
        // A sequence that is no longer than what it shares keeps its last token.
        assert_eq!(shared_prefix(&[&first, &prompt]), 19);
        for apart in [&[&first[..]][..], &[&first, &second[1..]], &[&first[12..], &second[12..]], &[]] {
            assert_eq!(shared_prefix(apart), 0);
        }
    }
}
