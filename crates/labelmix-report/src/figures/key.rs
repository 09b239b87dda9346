//! The key of a chart, beside it or beneath: what its colours, lines and marks mean.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, DrawError, INK, LETTER_WIDTH, LINE_WIDTH, MUTED, TEXT_SIZE, amount_colour, pale, printable};
use super::marks::{cross, dashed, dot, draw_marker, error_bar, ring};
use crate::notation::dollars;

/// What a line of the key explains.
pub(super) enum Symbol {
    /// The heading of the lines below; beneath a chart it starts a row.
    Heading,
    /// A line with a mark, by the mark's place among the shapes.
    MarkedLine(usize, RGBColor),
    Line(RGBColor),
    /// A dashed line.
    Dashed,
    /// A mark with an error bar.
    Bar,
    /// A mark, by its place among the shapes.
    Marker(usize, RGBColor),
    /// A ring around a mark.
    Ring,
    /// A coloured area.
    Area(RGBColor),
    /// An area with stripes.
    Hatch,
    /// A small dot.
    Dot,
    Cross,
}

/// A heading and the lines of the budgets that are drawn, the biggest first, as its line is the highest.
pub(super) fn budget_entries(budgets_usd: &[f64], is_drawn: impl Fn(usize) -> bool) -> Vec<(Symbol, String)> {
    let line = |budget: usize| {
        (Symbol::MarkedLine(budget, amount_colour(budget, budgets_usd.len())), dollars(budgets_usd[budget]))
    };
    let lines = (0..budgets_usd.len()).rev().filter(|budget| is_drawn(*budget)).map(line);
    [(Symbol::Heading, "Budget".to_owned())].into_iter().chain(lines).collect()
}

const LINE_HEIGHT: u32 = 34;
const SYMBOL: (i32, i32) = (10, 50);
const TEXT: i32 = 62;

/// Draws the key in a column, a line for each entry.
pub(super) fn draw_key(area: &Area<'_>, entries: &[(Symbol, String)]) -> Result<(), DrawError> {
    const TOP: i32 = 75;
    for (y, entry) in (TOP..).step_by(LINE_HEIGHT as usize).zip(entries) {
        draw_entry(area, entry, (0, y))?;
    }
    Ok(())
}

/// Draws the key beneath a chart, in rows.
pub(super) fn draw_key_beneath(area: &Area<'_>, entries: &[(Symbol, String)]) -> Result<(), DrawError> {
    let (places, _) = flow(entries, area.dim_in_pixel().0);
    for (entry, (x, row)) in entries.iter().zip(places) {
        draw_entry(area, entry, (x.cast_signed(), (row * LINE_HEIGHT + LINE_HEIGHT / 2).cast_signed()))?;
    }
    Ok(())
}

/// The height that a key takes beneath a chart of this width, in pixels.
pub(super) fn height_beneath(entries: &[(Symbol, String)], width: u32) -> u32 {
    const BOTTOM: u32 = 12;
    flow(entries, width).1 * LINE_HEIGHT + BOTTOM
}

/// The place and the row of every entry, from left to right and down, and the number of rows.
fn flow(entries: &[(Symbol, String)], width: u32) -> (Vec<(u32, u32)>, u32) {
    const LEFT: u32 = 30;
    const GAP: u32 = 22;
    let (mut x, mut row, mut places) = (LEFT, 0, Vec::new());
    for (symbol, text) in entries {
        let heading = matches!(symbol, Symbol::Heading);
        if heading && text.is_empty() {
            places.push((x, row));
            continue;
        }
        let taken = text.chars().count() as u32 * LETTER_WIDTH + if heading { SYMBOL.0 } else { TEXT } as u32;
        if x > LEFT && (heading || x + taken > width) {
            (x, row) = (LEFT, row + 1);
        }
        places.push((x, row));
        x += taken + GAP;
    }
    (places, row + u32::from(!entries.is_empty()))
}

fn draw_entry(area: &Area<'_>, (symbol, text): &(Symbol, String), (x, y): (i32, i32)) -> Result<(), DrawError> {
    let centred = Pos::new(HPos::Left, VPos::Center);
    let style = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&INK).pos(centred);
    let (from, to) = (x + SYMBOL.0, x + SYMBOL.1);
    let middle = (i32::midpoint(from, to), y);
    let ends = vec![(from, y), (to, y)];
    let solid = |colour: RGBColor| PathElement::new(ends.clone(), colour.stroke_width(LINE_WIDTH));
    match symbol {
        Symbol::Heading => {}
        Symbol::MarkedLine(shape, colour) => {
            area.draw(&solid(*colour))?;
            draw_marker(area, &middle, *shape, *colour)?;
        }
        Symbol::Line(colour) => area.draw(&solid(*colour))?,
        Symbol::Dashed => area.draw(&dashed(ends))?,
        Symbol::Bar => {
            area.draw(&error_bar(middle.0, [y - 15, y, y + 15], INK))?;
            draw_marker(area, &middle, 0, INK)?;
        }
        Symbol::Marker(shape, colour) => draw_marker(area, &middle, *shape, *colour)?,
        Symbol::Ring => area.draw(&ring(middle))?,
        Symbol::Hatch => {
            area.draw(&Rectangle::new([(from, y - 9), (to, y + 9)], pale(MUTED, 0.5).filled()))?;
            for left in (from..to - 10).step_by(12) {
                area.draw(&PathElement::new(vec![(left, y + 9), (left + 14, y - 9)], WHITE.stroke_width(3)))?;
            }
        }
        Symbol::Dot => area.draw(&dot(middle))?,
        Symbol::Cross => area.draw(&cross(middle))?,
        Symbol::Area(colour) => area.draw(&Rectangle::new([(from, y - 9), (to, y + 9)], colour.filled()))?,
    }
    let text_at = if matches!(symbol, Symbol::Heading) { from } else { x + TEXT };
    area.draw_text(&printable(text), &style, (text_at, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_flow_and_headings_start_rows() {
        let entry = |text: &str| (Symbol::Dashed, text.to_owned());
        let heading = |text: &str| (Symbol::Heading, text.to_owned());
        let entries = [heading("Budget"), entry("$16"), entry("$64"), heading(""), heading("Method"), entry("seq-sft")];
        let (places, rows) = flow(&entries, 1200);
        assert_eq!(rows, 2);
        assert_eq!(places[4], (30, 1));
        assert!(places[1].0 > 30 && places[2].0 > places[1].0);
        let (narrow, rows) = flow(&entries, 240);
        assert_eq!((narrow[2], rows), ((30, 1), 4));
        assert_eq!(height_beneath(&[], 500), 12);
    }
}
