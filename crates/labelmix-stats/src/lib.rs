//! The pure numbers behind an accuracy table: intervals, ranking quality, averages.
//!
//! Functions of slices and counts, without tensors, files or randomness. Where a quantity is undefined (an
//! AUROC of one class, a deviation of one value) the answer is `None`, never a number that looks like one.

mod accuracy;
mod auroc;
mod moments;

pub use accuracy::{Interval, Z_95, wilson_interval};
pub use auroc::auroc;
pub use moments::{mean, sample_standard_deviation};
