//! Numbers that lie in memory owned by someone else: a weight in a mapped file is used where it is.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::AnyBitPattern;

/// Whatever holds bytes that stay where they are.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Consecutive numbers within shared bytes, in the byte order of the machine.
#[derive(Clone)]
pub struct Mapped<T> {
    bytes: Bytes,
    range: Range<usize>,
    number: PhantomData<T>,
}

impl<T: AnyBitPattern> Mapped<T> {
    /// The numbers at `range` of `bytes`; `None` where they are not aligned as the type needs, do not fill the range,
    /// or are in another byte order than this machine's (files are little-endian).
    pub fn new(bytes: Bytes, range: Range<usize>) -> Option<Self> {
        let fits =
            bytes.as_ref().as_ref().get(range.clone()).is_some_and(|b| bytemuck::try_cast_slice::<u8, T>(b).is_ok());
        (fits && cfg!(target_endian = "little")).then_some(Self { bytes, range, number: PhantomData })
    }

    pub fn values(&self) -> &[T] {
        bytemuck::cast_slice(&(*self.bytes).as_ref()[self.range.clone()])
    }

    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mapped({:?})", self.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_place_and_misplaced_ones_refused() {
        let bytes: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|value| value.to_ne_bytes()).collect();
        let address = bytes.as_ptr();
        let shared: Bytes = Arc::new(bytes);
        let mapped = Mapped::<f32>::new(Arc::clone(&shared), 0..8).unwrap();
        assert_eq!(mapped.values(), [1.5, -2.0]);
        assert_eq!(mapped.values().as_ptr().cast::<u8>(), address);
        assert!(Mapped::<f32>::new(Arc::clone(&shared), 1..5).is_none());
        assert!(Mapped::<f32>::new(Arc::clone(&shared), 0..6).is_none());
        assert!(Mapped::<f32>::new(shared, 4..12).is_none());
    }
}
