//! How what is printed looks.

use std::io::{self, IsTerminal};

use labelmix_report::{Colours, Style};

/// Colours where a person looks at a terminal and has not asked for none (`NO_COLOR`).
pub(crate) fn terminal_style() -> Style {
    let colourful = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colours: if colourful { Colours::On } else { Colours::Off }, width: None }
}
