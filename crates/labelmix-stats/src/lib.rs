//! The pure numbers behind an accuracy table and a label report: scores, intervals, paired tests, annotators, noise, a
//! probe.
//!
//! Functions of slices and counts, without tensors or files. Where a quantity is undefined (an AUROC of one class, a
//! deviation of one value) the answer is `None`, never a number that looks like one; input that cannot be used is a
//! [`StatsError`] that says which item and why; slices that do not belong together are a panic. What is random depends
//! on a seed and, where there are any, on items' ids: never on the number of threads.

mod accuracy;
mod alternative_annotator;
mod annotators;
mod auroc;
mod bootstrap;
mod calibration;
mod confusion;
mod dawid_skene;
mod error;
mod evaluation;
mod features;
mod gap;
mod holm;
mod logistic;
mod mcnemar;
mod merging;
mod moments;
mod noise;
mod paired;
mod probe;
mod random;
mod scores;
mod shuffled_errors;
mod student;
mod text_features;
mod threshold;

pub use accuracy::{Interval, Z_95, wilson_interval};
pub use alternative_annotator::{AnnotatorContest, alternative_annotator_test};
pub use annotators::{Vote, Votes};
pub use auroc::{Ranking, auroc, auroc_interval};
pub use bootstrap::{Bootstrap, BootstrapInterval, percentile_interval};
pub use calibration::{Binning, CalibrationBin, calibration_curve, expected_calibration_error};
pub use confusion::ConfusionMatrix;
pub use dawid_skene::{AnnotatorQuality, DawidSkene, DawidSkeneSettings, dawid_skene};
pub use error::{Result, StatsError};
pub use evaluation::{Evaluation, Measure};
pub use features::FeatureMatrix;
pub use gap::{GapItem, gap_recovered_interval, performance_gap_recovered};
pub use holm::holm_adjusted;
pub use logistic::LogisticRegression;
pub use mcnemar::{ChiSquared, McNemar};
pub use merging::{merge_by_dawid_skene, merge_by_majority};
pub use moments::{mean, sample_standard_deviation};
pub use noise::{ClassNoise, MarginNoise, flip_labels};
pub use paired::{ComparedStatistic, PairedComparison, PairedDifference, Resampled, Verdict};
pub use probe::{Probe, ProbeSettings, probe};
pub use random::stream;
pub use scores::{brier_score, log_loss, log_loss_of_log_odds, probability};
pub use shuffled_errors::shuffled_errors;
pub use student::StudentEstimate;
pub use text_features::{WordFrequencies, hashed_words, words};
pub use threshold::{CalibratedAccuracy, calibrated_accuracy, calibrated_accuracy_interval};
