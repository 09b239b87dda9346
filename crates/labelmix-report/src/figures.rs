//! The answer as figures: drawn as SVG, with text as text, the same bytes for the same answer, and turned into the formats
//! of papers and slides.

mod accuracy_figure;
mod axes;
mod canvas;
mod cost_figure;
mod exchange_figure;
mod formats;
mod isoquant_figure;
mod key;
mod label_accuracy_figure;
mod label_calibration_figure;
mod learning_figure;
mod marks;
mod methods_figure;
mod prompt_figure;
mod regime_map_figure;
mod scaling_figure;
mod series;

pub use accuracy_figure::accuracy_by_weak_fraction;
pub(crate) use accuracy_figure::accuracy_panels;
pub use canvas::Columns;
pub use cost_figure::{cost_accuracy, cost_accuracy_by_price};
pub use exchange_figure::exchange_rates;
pub(crate) use formats::figure_files;
pub use formats::{FigureFormat, FigureSettings};
pub use isoquant_figure::isoquants;
pub(crate) use label_accuracy_figure::{label_accuracy, label_accuracy_by_field};
pub use label_calibration_figure::label_calibration;
pub use learning_figure::learning_curves;
pub use methods_figure::methods_by_budget;
pub use prompt_figure::prompt_or_sft;
pub use regime_map_figure::regime_map;
pub(crate) use scaling_figure::scaling;
