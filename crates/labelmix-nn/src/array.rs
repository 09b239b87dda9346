//! Host memory for activations and gradients.
//!
//! A training step allocates the same few dozen buffers of megabytes over and over. Handing them back to the
//! operating system costs a page fault for every four kilobytes at the next use, and asking for zeros costs a pass
//! over memory; together about a tenth of a step. So each thread keeps the buffers that it has finished with and
//! hands them out again *with whatever they held*: [`Buffer::uninitialised`] is for callers that overwrite all of it.
//! Batches of other lengths need other buffers; those that nobody asks for make room for them, so that all threads
//! together keep little more than they once had in use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::mapped::Mapped;

/// Buffers shorter than this (in elements) go straight to the allocator, which is good at small things.
const SMALLEST_POOLED: usize = 4096;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new(&SIZES)) };
}

/// Of all threads: a buffer may be dropped by another than took it.
static SIZES: Sizes = Sizes::new();

/// How many elements the buffers of pools have.
struct Sizes {
    in_use: AtomicUsize,
    /// The most that were ever in use.
    most_in_use: AtomicUsize,
    free: AtomicUsize,
}

impl Sizes {
    const fn new() -> Self {
        Self { in_use: AtomicUsize::new(0), most_in_use: AtomicUsize::new(0), free: AtomicUsize::new(0) }
    }

    fn take(&self, capacity: usize) {
        let in_use = self.in_use.fetch_add(capacity, Relaxed) + capacity;
        self.most_in_use.fetch_max(in_use, Relaxed);
    }

    /// Whether there is more than an eighth above what was ever in use: lengths that come in turn find their buffers, and
    /// others that nobody asks for are not kept.
    fn are_too_large(&self) -> bool {
        let most = self.most_in_use.load(Relaxed);
        self.in_use.load(Relaxed) + self.free.load(Relaxed) > most + most / 8
    }
}

/// The free buffers of a thread.
struct Pool {
    by_capacity: BTreeMap<usize, Vec<Vec<f32>>>,
    sizes: &'static Sizes,
}

impl Pool {
    const fn new(sizes: &'static Sizes) -> Self {
        Self { by_capacity: BTreeMap::new(), sizes }
    }

    fn take(&mut self, length: usize) -> Vec<f32> {
        // A buffer up to twice as large will do; a larger one is better kept for a larger need.
        let mut fitting = self.by_capacity.range(length..=2 * length);
        let capacity = fitting.find_map(|(capacity, list)| (!list.is_empty()).then_some(*capacity));
        let vector = capacity.and_then(|capacity| self.take_free(capacity));
        let vector = vector.unwrap_or_else(|| Vec::with_capacity(size_class(length)));
        self.sizes.take(vector.capacity());
        while self.sizes.are_too_large()
            && let Some((&capacity, _)) = self.by_capacity.iter().rev().find(|(_, list)| !list.is_empty())
        {
            drop(self.take_free(capacity));
        }
        vector
    }

    fn take_free(&mut self, capacity: usize) -> Option<Vec<f32>> {
        let vector = self.by_capacity.get_mut(&capacity)?.pop()?;
        self.sizes.free.fetch_sub(capacity, Relaxed);
        Some(vector)
    }

    /// Takes a buffer back that this or another thread took.
    fn give_back(&mut self, vector: Vec<f32>) {
        self.sizes.in_use.fetch_sub(vector.capacity(), Relaxed);
        self.sizes.free.fetch_add(vector.capacity(), Relaxed);
        if self.sizes.are_too_large() {
            self.sizes.free.fetch_sub(vector.capacity(), Relaxed);
        } else {
            self.by_capacity.entry(vector.capacity()).or_default().push(vector);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let free: usize = self.by_capacity.values().flatten().map(Vec::capacity).sum();
        self.sizes.free.fetch_sub(free, Relaxed);
    }
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
        let mut vector = POOL.with_borrow_mut(|pool| pool.take(length));
        // Only what lies beyond the old length is written.
        vector.resize(length, 0.0);
        Self(vector)
    }

    /// A buffer that holds what a vector does, in the vector's memory.
    fn of(values: Vec<f32>) -> Self {
        if values.capacity() >= SMALLEST_POOLED {
            SIZES.take(values.capacity());
        }
        Self(values)
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

/// The capacity that is allocated for `length`: the next multiple of an eighth of the power of two above it. Coarse,
/// so that micro-batches of different lengths share their buffers; what lies beyond a buffer's length is never
/// touched, so it costs addresses and no memory.
fn size_class(length: usize) -> usize {
    length.next_multiple_of(length.next_power_of_two() / 8)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() >= SMALLEST_POOLED {
            let vector = std::mem::take(&mut self.0);
            // While a thread is being torn down its free list may be gone: then the memory is simply freed.
            let _ = POOL.try_with(|pool| pool.borrow_mut().give_back(vector));
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
        Self::from_buffer(Buffer::of(values), shape)
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
    fn a_buffer_that_was_given_back_is_handed_out_again() {
        static SIZES: Sizes = Sizes::new();
        let mut pool = Pool::new(&SIZES);
        let first = pool.take(10_000);
        let address = first.as_ptr();
        pool.give_back(first);
        let second = pool.take(9_000);
        assert_eq!(second.as_ptr(), address);
        let mut dirty = Buffer::uninitialised(9_000);
        dirty.fill(7.0);
        drop(dirty);
        assert!(Buffer::zeros(9_000).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_thread_keeps_little_more_than_was_once_in_use() {
        static SIZES: Sizes = Sizes::new();
        let mut pool = Pool::new(&SIZES);
        for _ in 0..20 {
            // A step of each length has forty buffers at once.
            for length in [90_000, 40_000, 17_000, 8_000] {
                let step: Vec<_> = (0..40).map(|_| pool.take(length)).collect();
                for buffer in step {
                    pool.give_back(buffer);
                }
                let kept: usize = pool.by_capacity.values().flatten().map(Vec::capacity).sum();
                assert_eq!((SIZES.in_use.load(Relaxed), SIZES.free.load(Relaxed)), (0, kept));
                assert!(kept <= 40 * size_class(90_000) * 9 / 8, "{kept}");
            }
        }
        // What one thread took another gives back.
        let taken = pool.take(90_000);
        std::thread::scope(|scope| scope.spawn(move || Pool::new(&SIZES).give_back(taken)).join().unwrap());
        drop(pool);
        assert_eq!((SIZES.in_use.load(Relaxed), SIZES.free.load(Relaxed)), (0, 0));
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
