//! The key beside a chart: what its colours, lines and marks mean.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, DrawError, INK, LINE_WIDTH, TEXT_SIZE, printable};
use super::marks::{dashed, draw_marker, error_bar, ring};

/// What a line of the key explains.
pub(super) enum Symbol {
    /// The heading of the lines below.
    Heading,
    /// A line with a mark.
    MarkedLine(RGBColor),
    /// A line.
    Line(RGBColor),
    /// A dashed line.
    Dashed,
    /// A mark with an error bar.
    Bar,
    /// The mark of a method, by the method's place.
    Marker(usize, RGBColor),
    /// A ring around a mark.
    Ring,
}

/// Draws the key, a line for each entry.
pub(super) fn draw_key(area: &Area<'_>, entries: &[(Symbol, String)]) -> Result<(), DrawError> {
    const TOP: i32 = 75;
    const LINE_HEIGHT: usize = 34;
    const SYMBOL: (i32, i32) = (10, 50);
    const TEXT: i32 = 62;
    let centred = Pos::new(HPos::Left, VPos::Center);
    let style = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&INK).pos(centred);

    for (y, (symbol, text)) in (TOP..).step_by(LINE_HEIGHT).zip(entries) {
        let middle = (i32::midpoint(SYMBOL.0, SYMBOL.1), y);
        let ends = vec![(SYMBOL.0, y), (SYMBOL.1, y)];
        let solid = |colour: RGBColor| PathElement::new(ends.clone(), colour.stroke_width(LINE_WIDTH));
        match symbol {
            Symbol::Heading => {}
            Symbol::MarkedLine(colour) => {
                area.draw(&solid(*colour))?;
                draw_marker(area, &middle, 0, *colour)?;
            }
            Symbol::Line(colour) => area.draw(&solid(*colour))?,
            Symbol::Dashed => area.draw(&dashed(ends))?,
            Symbol::Bar => {
                area.draw(&error_bar(middle.0, [y - 15, y, y + 15], INK))?;
                draw_marker(area, &middle, 0, INK)?;
            }
            Symbol::Marker(method, colour) => draw_marker(area, &middle, *method, *colour)?,
            Symbol::Ring => area.draw(&ring(middle))?,
        }
        let x = if matches!(symbol, Symbol::Heading) { SYMBOL.0 } else { TEXT };
        area.draw_text(&printable(text), &style, (x, y))?;
    }
    Ok(())
}
