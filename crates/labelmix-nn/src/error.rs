//! What can go wrong in an operation.

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation. Shapes that do not fit are a programming error of the caller, so the message names the
/// operation and both shapes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two shapes do not fit together.
    #[error("{operation}: {expected}, but the shapes are {shapes:?}")]
    Shape {
        /// The operation that was asked for.
        operation: &'static str,
        /// What the operation needs, in words.
        expected: &'static str,
        /// The shapes it was given.
        shapes: Vec<Vec<usize>>,
    },
    #[error("{operation}: the inputs live on different devices")]
    MixedDevices {
        /// The operation that was asked for.
        operation: &'static str,
    },
    #[error("attention: keys and values of a prefix have no gradient, so nothing that sees them may need one")]
    PrefixGradient,
    /// An error of the tensor library.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
