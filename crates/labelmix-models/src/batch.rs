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

    /// The ids of all tokens, `[tokens]`.
    pub fn token_ids(&self) -> &[u32] {
        &self.token_ids
    }

    /// Where each sequence begins.
    pub fn offsets(&self) -> &SequenceOffsets {
        &self.offsets
    }
}
