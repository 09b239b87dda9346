//! The pure numbers behind an accuracy table: scores, intervals, paired tests, averages.
//!
//! Functions of slices and counts, without tensors or files. Where a quantity is undefined (an AUROC of one class, a
//! deviation of one value) the answer is `None`, never a number that looks like one. What is random depends on a seed
//! alone, not on the number of threads.

mod accuracy;
mod auroc;
mod bootstrap;
mod calibration;
mod confusion;
mod error;
mod gap;
mod mcnemar;
mod moments;
mod paired;
mod random;
mod scores;
mod threshold;

pub use accuracy::{Interval, Z_95, wilson_interval};
pub use auroc::{auroc, auroc_interval};
pub use bootstrap::{Bootstrap, BootstrapInterval, bootstrap_mean};
pub use calibration::{Binning, CalibrationBin, calibration_curve, expected_calibration_error};
pub use confusion::ConfusionMatrix;
pub use error::{Result, StatsError};
pub use gap::{GapItem, gap_recovered_interval, performance_gap_recovered};
pub use mcnemar::{ChiSquared, McNemar};
pub use moments::{mean, sample_standard_deviation};
pub use paired::{ComparedStatistic, PairedComparison, PairedDifference, Resampled, Verdict};
pub use scores::{brier_score, log_loss, log_loss_of_log_odds, probability};
pub use threshold::{CalibratedAccuracy, calibrated_accuracy};
