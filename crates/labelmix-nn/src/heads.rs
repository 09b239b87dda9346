//! Memory whose head columns several threads write at once, each its own.

use std::marker::PhantomData;
use std::ops::Range;

use crate::matmul::MatrixMut;

/// A matrix `[tokens, columns]` of which tasks write disjoint head columns.
pub(crate) struct SharedHeads<'a> {
    start: *mut f32,
    length: usize,
    columns: usize,
    head_dim: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: `head` hands out each region to one task only (its callers' duty), so the pointer is never used to write
// to one place from two threads.
unsafe impl Sync for SharedHeads<'_> {}

impl<'a> SharedHeads<'a> {
    pub(crate) fn new(memory: &'a mut [f32], columns: usize, head_dim: usize) -> Self {
        Self { start: memory.as_mut_ptr(), length: memory.len(), columns, head_dim, memory: PhantomData }
    }

    /// The rows of one head for the given tokens.
    ///
    /// # Safety
    /// The result spans the rows between its first and its last element, and with them other heads' columns: the
    /// caller writes only through a matrix of `head_dim` columns, and no other thread uses this head of these
    /// tokens meanwhile.
    pub(crate) unsafe fn head(&self, head: usize, tokens: Range<usize>) -> MatrixMut<'_> {
        let first = tokens.start * self.columns + head * self.head_dim;
        let span = (tokens.len() - 1) * self.columns + self.head_dim;
        assert!(first + span <= self.length);
        // SAFETY: within the memory, as just checked; exclusive by the caller's promise.
        let values = unsafe { std::slice::from_raw_parts_mut(self.start.add(first), span) };
        MatrixMut::with_stride(values, tokens.len(), self.head_dim, self.columns)
    }

    /// `length` consecutive elements.
    ///
    /// # Safety
    /// No other thread uses these elements meanwhile.
    #[expect(clippy::mut_from_ref, reason = "each task takes a region of its own")]
    pub(crate) unsafe fn elements(&self, first: usize, length: usize) -> &mut [f32] {
        assert!(first + length <= self.length);
        // SAFETY: within the memory, as just checked; exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), length) }
    }
}
