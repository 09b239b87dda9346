//! The answer as figures: SVG, with text as text, the same bytes for the same answer.

mod accuracy_figure;
mod axes;
mod canvas;
mod cost_figure;
mod key;
mod label_accuracy_figure;
mod label_calibration_figure;
mod marks;
mod series;

pub use accuracy_figure::accuracy_by_weak_fraction;
pub use cost_figure::cost_accuracy;
pub use label_accuracy_figure::{label_accuracy, label_accuracy_by_field};
pub use label_calibration_figure::label_calibration;
