//! Host memory for activations and gradients.
//!
//! A training step allocates the same few dozen buffers of megabytes over and over. Handing them back to the
//! operating system costs a page fault for every four kilobytes at the next use, and asking for zeros costs a pass
//! over memory; together about a tenth of a step. So each thread keeps the buffers that it has finished with and
//! hands them out again *with whatever they held*: [`Buffer::uninitialised`] is for callers that overwrite all of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::mapped::Mapped;

/// Buffers shorter than this (in elements) go straight to the allocator, which is good at small things.
const SMALLEST_POOLED: usize = 4096;

thread_local! {
    /// Free buffers of this thread by capacity.
    static FREE: RefCell<BTreeMap<usize, Vec<Vec<f32>>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A vector of f32 that returns to its thread's free list when dropped.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// A buffer of `length` elements with arbitrary (but initialised) contents.
    pub(crate) fn uninitialised(length: usize) -> Self {
        if length < SMALLEST_POOLED {
            return Self(vec![0.0; length]);
        }
        let recycled = FREE.with_borrow_mut(|free| {
            // A buffer up to twice as large will do; a larger one is better kept for a larger need.
            let capacity =
                free.range(length..=2 * length).find_map(|(capacity, list)| (!list.is_empty()).then_some(*capacity))?;
            free.get_mut(&capacity)?.pop()
        });
        let mut vector = recycled.unwrap_or_else(|| Vec::with_capacity(size_class(length)));
        // Only what lies beyond the old length is written.
        vector.resize(length, 0.0);
        Self(vector)
    }

    pub(crate) fn zeros(length: usize) -> Self {
        let mut buffer = Self::uninitialised(length);
        buffer.fill(0.0);
        buffer
    }

    pub(crate) fn copy_of(values: &[f32]) -> Self {
        let mut buffer = Self::uninitialised(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

/// The capacity that is allocated for `length`: the next multiple of a quarter of the power of two above it. Coarse,
/// so that micro-batches of different lengths share their buffers; what lies beyond a buffer's length is never
/// touched, so it costs addresses and no memory.
fn size_class(length: usize) -> usize {
    length.next_multiple_of(length.next_power_of_two() / 4)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() >= SMALLEST_POOLED {
            let vector = std::mem::take(&mut self.0);
            // While a thread is being torn down its free list may be gone: then the memory is simply freed.
            let _ = FREE.try_with(|free| free.borrow_mut().entry(vector.capacity()).or_default().push(vector));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// A dense row-major array of f32 in host memory. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct Array {
    storage: Storage,
    shape: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Storage {
    Buffer(Arc<Buffer>),
    /// A file's own bytes.
    Mapped(Mapped<f32>),
}

impl Array {
    /// An array over `values`, which must number as many as `shape` says.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn new(values: Vec<f32>, shape: &[usize]) -> Self {
        Self::from_buffer(Buffer(values), shape)
    }

    pub(crate) fn from_buffer(buffer: Buffer, shape: &[usize]) -> Self {
        assert_eq!(buffer.len(), shape.iter().product::<usize>(), "values do not fill the shape {shape:?}");
        Self { storage: Storage::Buffer(Arc::new(buffer)), shape: shape.to_vec() }
    }

    /// An array over numbers that lie in someone else's memory, such as a mapped file.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn mapped(values: Mapped<f32>, shape: &[usize]) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values do not fill the shape {shape:?}");
        Self { storage: Storage::Mapped(values), shape: shape.to_vec() }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row by row.
    pub fn values(&self) -> &[f32] {
        match &self.storage {
            Storage::Buffer(buffer) => buffer,
            Storage::Mapped(mapped) => mapped.values(),
        }
    }

    /// The length of a row: the last dimension (1 for a scalar).
    pub(crate) fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of rows: the product of all dimensions but the last.
    pub(crate) fn rows(&self) -> usize {
        self.shape[..self.shape.len().saturating_sub(1)].iter().product()
    }

    /// The elements for writing; copied first if another array shares them.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        let exclusive = match &mut self.storage {
            Storage::Buffer(buffer) => Arc::get_mut(buffer).is_some(),
            Storage::Mapped(_) => false,
        };
        if !exclusive {
            self.storage = Storage::Buffer(Arc::new(Buffer::copy_of(self.values())));
        }
        match &mut self.storage {
            Storage::Buffer(buffer) => Arc::get_mut(buffer).expect("the buffer was just made unique"),
            Storage::Mapped(_) => unreachable!("mapped memory was just copied"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_handed_out_again() {
        let first = Buffer::uninitialised(10_000);
        let address = first.as_ptr();
        drop(first);
        let second = Buffer::uninitialised(9_000);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(second.len(), 9_000);
        let third = Buffer::zeros(9_000);
        assert!(third.iter().all(|value| *value == 0.0));
    }

    #[test]
    fn writing_to_a_shared_array_copies_it() {
        let mut array = Array::new(vec![1.0, 2.0], &[2]);
        let shared = array.clone();
        array.values_mut()[0] = 5.0;
        assert_eq!(shared.values(), [1.0, 2.0]);
        assert_eq!(array.values(), [5.0, 2.0]);
    }
}
