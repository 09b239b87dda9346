//! The page that figures are drawn on: its size, its type, its colours.

use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::Axis;
use super::key::{Symbol, draw_key, draw_key_beneath, height_beneath};

/// How wide a figure is set. Type and lines have the same size on paper at both widths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// 84 mm: a column of a page with two.
    One,
    /// 174 mm: the whole width of such a page.
    #[default]
    Two,
}

/// Pixels of a millimetre on paper. Coordinates are whole pixels, so there are many of them.
const PIXELS_PER_MM: f64 = 1200.0 / 174.0;

impl Columns {
    /// The width in pixels.
    pub(super) fn width(self) -> u32 {
        match self {
            Self::One => 580,
            Self::Two => 1200,
        }
    }

    /// The height of a chart that has the page for itself.
    fn chart_height(self) -> u32 {
        match self {
            Self::One => 450,
            Self::Two => 720,
        }
    }

    /// How many of so many panels stand side by side.
    fn side_by_side(self, panels: usize) -> usize {
        match (self, panels) {
            (Self::One, _) => 1,
            (Self::Two, 3 | 5..) => 3,
            (Self::Two, _) => panels.min(2),
        }
    }
}

/// The width of the column for the key.
const KEY_WIDTH: u32 = 300;

/// A little taller than it will be: the drawing library divides by 1.24.
pub(super) const TEXT_SIZE: u32 = 27;
/// What a letter takes of a line, generously: readers have different fonts.
pub(super) const LETTER_WIDTH: u32 = 12;
const MARGIN: u32 = 20;
/// There is room for half of an axis's last label.
const MARGIN_RIGHT: u32 = 36;
const TITLE_HEIGHT: u32 = 34;
pub(super) const LINE_WIDTH: u32 = 3;

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const MUTED: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(228, 228, 228);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Draws a figure of one chart, with the key to the right of it or, in one column, beneath.
pub(super) fn figure(
    columns: Columns,
    key: &[(Symbol, String)],
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> String {
    let (width, chart_height) = (columns.width(), columns.chart_height());
    match columns {
        Columns::Two => page((width, chart_height), |page| {
            let (chart, beside) = page.split_horizontally(width - KEY_WIDTH);
            draw(&chart)?;
            draw_key(&beside, key)
        }),
        Columns::One => page((width, chart_height + height_beneath(key, width)), |page| {
            let (chart, beneath) = page.split_vertically(chart_height);
            draw(&chart)?;
            draw_key_beneath(&beneath, key)
        }),
    }
}

/// Draws a figure of several charts, side by side as far as there is room, with one key beneath.
pub(super) fn panels(
    columns: Columns,
    count: usize,
    key: &[(Symbol, String)],
    draw: impl Fn(usize, &Area<'_>) -> Result<(), DrawError>,
) -> String {
    let across = columns.side_by_side(count.max(1));
    let rows = count.max(1).div_ceil(across);
    let width = columns.width();
    let panel_height = match (across, count) {
        (1, 3..) => 340,
        (3, _) => 430,
        _ => 450,
    };
    let height = panel_height * rows as u32;
    page((width, height + height_beneath(key, width)), |page| {
        let (charts, beneath) = page.split_vertically(height);
        for (panel, area) in charts.split_evenly((rows, across)).iter().enumerate().take(count) {
            draw(panel, area)?;
        }
        draw_key_beneath(&beneath, key)
    })
}

/// A white page of this size in pixels, as SVG with its size on paper.
fn page((width, height): (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>) -> String {
    let mut svg = String::new();
    let page = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
    page.fill(&WHITE)
        .and_then(|()| draw(&page))
        .and_then(|()| page.present())
        .expect("drawing into a string cannot fail");
    drop(page);
    let in_mm = |pixels: u32| f64::from(pixels) / PIXELS_PER_MM;
    let on_paper = format!("width=\"{:.2}mm\" height=\"{:.2}mm\"", in_mm(width), in_mm(height));
    svg.replacen(&format!("width=\"{width}\" height=\"{height}\""), &on_paper, 1).replace(is_not_for_xml, " ")
}

/// Characters that XML has no place for, not even escaped.
fn is_not_for_xml(character: char) -> bool {
    (character.is_ascii_control() && !character.is_ascii_whitespace()) || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Draws a chart's title, axes and grid. An empty title takes no space; one too long for the chart goes without the study's
/// name, which ends with its first colon.
pub(super) fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x_title, x): (&str, Axis),
    (y_title, y): (&str, Axis),
) -> Result<Chart<'a, 'b>, DrawError> {
    let text = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&INK);
    let broken = x.break_at();
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_top(if title.is_empty() { MARGIN } else { MARGIN + TITLE_HEIGHT })
        .margin_right(MARGIN_RIGHT)
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
    if let Some(broken) = broken {
        draw_break(area, &chart, broken)?;
    }
    draw_title(area, &chart, title)?;
    Ok(chart)
}

/// Two strokes through the lower axis, and nothing of it between them.
fn draw_break(area: &Area<'_>, chart: &Chart<'_, '_>, at: f64) -> Result<(), DrawError> {
    const STROKE: i32 = 7;
    let (left, top) = area.get_base_pixel();
    let (x, y) = chart.plotting_area().as_coord_spec().translate(&(at, chart.plotting_area().get_y_range().start));
    let (x, y) = (x - left, y - top);
    area.draw(&Rectangle::new([(x - STROKE / 2, y - 2), (x + STROKE / 2, y + 2)], WHITE.filled()))?;
    for side in [x - STROKE / 2, x + STROKE / 2] {
        area.draw(&PathElement::new(
            [(side - STROKE / 2, y + STROKE), (side + STROKE / 2, y - STROKE)],
            INK.stroke_width(2),
        ))?;
    }
    Ok(())
}

/// Above the middle of the plot, or of the area where it would not fit there.
fn draw_title(area: &Area<'_>, chart: &Chart<'_, '_>, title: &str) -> Result<(), DrawError> {
    let width = area.dim_in_pixel().0;
    let fits = |title: &str| title.chars().count() as u32 * LETTER_WIDTH <= width;
    let short = title.split_once(": ").map_or(title, |(_, short)| short);
    let title = if fits(title) { title } else { short };
    let (left, _) = area.get_base_pixel();
    let (plot, _) = chart.plotting_area().get_pixel_range();
    let half = (title.chars().count() as u32 * LETTER_WIDTH / 2).cast_signed();
    let last = width.cast_signed() - half;
    let middle = (i32::midpoint(plot.start, plot.end) - left).min(last).max(half);
    let style = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&INK);
    let style = style.pos(Pos::new(HPos::Center, VPos::Center));
    area.draw_text(&printable(title), &style, (middle, (MARGIN + TITLE_HEIGHT / 2 - 6).cast_signed()))
}

/// The width that is left for a chart's axis in an area, in pixels.
pub(super) fn axis_width(area: &Area<'_>) -> u32 {
    const BESIDE: u32 = 105 + MARGIN + MARGIN_RIGHT;
    area.dim_in_pixel().0.saturating_sub(BESIDE).max(1)
}

/// The height that is left for an upright axis in an area, in pixels.
pub(super) fn axis_height(area: &Area<'_>) -> u32 {
    const ABOVE_AND_BELOW: u32 = TITLE_HEIGHT + 85 + 2 * MARGIN;
    area.dim_in_pixel().1.saturating_sub(ABOVE_AND_BELOW).max(1)
}

/// Text without the control characters that XML has no place for.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The colour of one of several amounts (budgets, numbers of labels), from dark for the smallest to light for the
/// largest: the part of Viridis that stands out from white paper, also in grey and to the colour-blind.
pub(super) fn amount_colour(index: usize, amounts: usize) -> RGBColor {
    let place = index as f64 / amounts.saturating_sub(1).max(1) as f64;
    ViridisRGB.get_color(0.82 * place)
}

/// The colour of a purchase: gold if all of it is gold, over mauve to blue if all of it is weak. Gold and blue are of Okabe
/// and Ito's set for the colour-blind; the mauve is darker than theirs, so that it is halfway between the two in grey, too.
pub(super) fn weak_share_colour(weak_share: f64) -> RGBColor {
    const SCALE: [RGBColor; 3] = [RGBColor(230, 159, 0), RGBColor(176, 92, 142), RGBColor(0, 114, 178)];
    DerivedColorMap::new(&SCALE).get_color(weak_share)
}

/// The colour of a method, by its place in the study: Okabe and Ito's set, and again. Marks tell methods apart in grey.
pub(super) fn method_colour(method: usize) -> RGBColor {
    const SET: [RGBColor; 7] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
        RGBColor(86, 180, 233),
        RGBColor(230, 159, 0),
        RGBColor(40, 40, 40),
    ];
    SET[method % SET.len()]
}

/// A colour mixed with white, for what lies beneath: opaque, so that a printer does the same everywhere.
pub(super) fn pale(RGBColor(red, green, blue): RGBColor, strength: f64) -> RGBColor {
    let mix = |channel: u8| (255.0 - strength * (255.0 - f64::from(channel))).round() as u8;
    RGBColor(mix(red), mix(green), mix(blue))
}
