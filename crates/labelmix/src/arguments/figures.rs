//! How the figures of a command are set and written.

use clap::{Args, ValueEnum};
use labelmix_report::{Columns, FigureFormat, FigureSettings};

/// Figures that may be one or two columns wide.
#[derive(Debug, Args)]
pub(crate) struct FigureArguments {
    /// How many columns of a page figures are as wide as: one is 84 mm, two are 174 mm
    #[arg(long, value_name = "COLUMNS", value_enum, default_value_t = FigureColumns::Two)]
    columns: FigureColumns,
    #[command(flatten)]
    formats: FormatArgument,
}

/// The formats of figures.
#[derive(Debug, Args)]
pub(crate) struct FormatArgument {
    /// The formats of figures, with commas between them: svg, pdf, and png with 300 pixels to an inch
    #[arg(long = "figures", value_name = "FORMATS", value_enum, value_delimiter = ',', hide_possible_values = true,
        default_values = ["svg", "pdf"])]
    formats: Vec<FormatName>,
}

/// How wide figures are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FigureColumns {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Svg,
    Pdf,
    Png,
}

impl FigureArguments {
    pub(crate) fn settings(&self) -> FigureSettings {
        let columns = match self.columns {
            FigureColumns::One => Columns::One,
            FigureColumns::Two => Columns::Two,
        };
        FigureSettings { columns, formats: self.formats.formats() }
    }
}

impl FormatArgument {
    /// Each format once, in a fixed order.
    pub(crate) fn formats(&self) -> Vec<FigureFormat> {
        let all = [
            (FormatName::Svg, FigureFormat::Svg),
            (FormatName::Pdf, FigureFormat::Pdf),
            (FormatName::Png, FigureFormat::Png),
        ];
        all.into_iter().filter(|(name, _)| self.formats.contains(name)).map(|(_, format)| format).collect()
    }
}
