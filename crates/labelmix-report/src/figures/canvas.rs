//! The page that figures are drawn on: its size, its type, its colours.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::axes::Axis;

/// Width and height in pixels. Coordinates are whole pixels, so there are many of them.
const SIZE: (u32, u32) = (1200, 720);
/// The width of the column for the key.
const KEY_WIDTH: u32 = 270;

/// A little taller than it will be: the drawing library divides by 1.24.
pub(super) const TEXT_SIZE: u32 = 27;
pub(super) const LINE_WIDTH: u32 = 3;

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const MUTED: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(228, 228, 228);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Draws a figure: the chart to the left, the key to the right.
pub(super) fn figure(draw: impl FnOnce(&Area<'_>, &Area<'_>) -> Result<(), DrawError>) -> String {
    let mut svg = String::new();
    let page = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    let (chart, key) = page.split_horizontally(SIZE.0 - KEY_WIDTH);
    page.fill(&WHITE)
        .and_then(|()| draw(&chart, &key))
        .and_then(|()| page.present())
        .expect("drawing into a string cannot fail");
    drop((page, chart, key));
    svg
}

/// Draws a chart's title, axes and grid. An empty title takes no space.
pub(super) fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x_title, x): (&str, Axis),
    (y_title, y): (&str, Axis),
) -> Result<Chart<'a, 'b>, DrawError> {
    let text = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&INK);
    let mut builder = ChartBuilder::on(area);
    if !title.is_empty() {
        builder.caption(printable(title), text.clone());
    }
    let mut chart = builder
        .margin(20)
        .x_label_area_size(if x_title.is_empty() { 35 } else { 85 })
        .y_label_area_size(y.width())
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK.stroke_width(2))
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(x_title)
        .y_desc(y_title)
        .draw()?;
    Ok(chart)
}

/// Text without the control characters that XML has no place for.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The colour of one of several budgets, from dark for the smallest to light for the largest: the part of Viridis
/// that stands out from white paper, also in grey and to the colour-blind.
pub(super) fn budget_colour(index: usize, budgets: usize) -> RGBColor {
    let place = index as f64 / budgets.saturating_sub(1).max(1) as f64;
    ViridisRGB.get_color(0.82 * place)
}

/// The colour of a purchase: gold if all of it is gold, over mauve to blue if all of it is weak. The three are of Okabe
/// and Ito's set for the colour-blind, and darken on the way, so that grey tells them apart, too.
pub(super) fn weak_share_colour(weak_share: f64) -> RGBColor {
    const SCALE: [RGBColor; 3] = [RGBColor(230, 159, 0), RGBColor(204, 121, 167), RGBColor(0, 114, 178)];
    DerivedColorMap::new(&SCALE).get_color(weak_share)
}
