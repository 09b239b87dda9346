//! Which keys a query sees.

use std::ops::Range;

/// Which keys of its sequence a query sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// All of them (encoders).
    None,
    /// Its own and those before it (decoders).
    Causal,
    /// Its own and those before it, this many in all (Mistral's sliding window).
    CausalWindow(usize),
    /// Those at most this far from its own, on either side (ModernBERT's local attention).
    Window(usize),
}

impl Mask {
    /// The keys that the query at `position` sees, of a sequence with `keys` of them. Never none: a query sees its own.
    #[inline(always)]
    pub(crate) fn visible(self, position: usize, keys: usize) -> Range<usize> {
        match self {
            Self::None => 0..keys,
            Self::Causal => 0..position + 1,
            Self::CausalWindow(width) => (position + 1).saturating_sub(width)..position + 1,
            Self::Window(reach) => position.saturating_sub(reach)..keys.min(position + reach + 1),
        }
    }

    /// The keys that any query of a range of positions sees.
    pub(crate) fn visible_to_any(self, positions: Range<usize>, keys: usize) -> Range<usize> {
        let (first, last) = (self.visible(positions.start, keys), self.visible(positions.end - 1, keys));
        first.start..last.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_they_should() {
        let seen = |mask: Mask| [0, 3, 5].map(|position| mask.visible(position, 6));
        assert_eq!(seen(Mask::None), [0..6, 0..6, 0..6]);
        assert_eq!(seen(Mask::Causal), [0..1, 0..4, 0..6]);
        assert_eq!(seen(Mask::CausalWindow(2)), [0..1, 2..4, 4..6]);
        assert_eq!(seen(Mask::Window(2)), [0..3, 1..6, 3..6]);
        assert_eq!(Mask::Window(1).visible_to_any(2..4, 6), 1..5);
    }
}
