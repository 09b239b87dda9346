//! The marks that stand for measurements.

use plotters::coord::CoordTranslate;
use plotters::element::{DashedPathElement, ErrorBarOrientV};
use plotters::prelude::*;

use super::canvas::{Chart, DrawError, INK, LINE_WIDTH, MUTED, pale};

/// Draws a filled mark with a white rim. Each method has its shape, by its place in the answer: circle, square,
/// triangle, diamond, triangles that point down, left and right, hexagon, and again.
pub(super) fn draw_marker<C: CoordTranslate>(
    area: &DrawingArea<SVGBackend<'_>, C>,
    at: &C::From,
    method: usize,
    colour: RGBColor,
) -> Result<(), DrawError>
where
    C::From: Clone,
{
    for (radius, colour) in [(10, WHITE), (8, colour)] {
        let (wide, far) = (radius * 5 / 4, radius * 4 / 3);
        let corners = match method % 8 {
            0 => {
                area.draw(&Circle::new(at.clone(), radius, colour.filled()))?;
                continue;
            }
            1 => vec![(-radius, -radius), (radius, -radius), (radius, radius), (-radius, radius)],
            2 => vec![(0, -wide), (wide, radius), (-wide, radius)],
            3 => vec![(0, -far), (far, 0), (0, far), (-far, 0)],
            4 => vec![(0, wide), (wide, -radius), (-wide, -radius)],
            5 => vec![(-wide, 0), (radius, -wide), (radius, wide)],
            6 => vec![(wide, 0), (-radius, -wide), (-radius, wide)],
            _ => {
                let half = radius / 2;
                vec![(-half, -radius), (half, -radius), (wide, 0), (half, radius), (-half, radius), (-wide, 0)]
            }
        };
        area.draw(&(EmptyElement::at(at.clone()) + Polygon::new(corners, colour.filled())))?;
    }
    Ok(())
}

/// Draws measurements as a line with marks, and a bar where the lowest and the highest of the three values differ.
pub(super) fn draw_marked_line(
    chart: &mut Chart<'_, '_>,
    measured: &[(f64, [f64; 3])],
    shape: usize,
    colour: RGBColor,
) -> Result<(), DrawError> {
    let corners = measured.iter().map(|(x, [_, middle, _])| (*x, *middle));
    chart.draw_series(LineSeries::new(corners.clone(), colour.stroke_width(LINE_WIDTH)))?;
    let bars = measured.iter().filter(|(_, [low, _, high])| high > low);
    chart.draw_series(bars.map(|(x, values)| error_bar(*x, *values, colour)))?;
    for place in corners {
        draw_marker(chart.plotting_area(), &place, shape, colour)?;
    }
    Ok(())
}

/// A bar from the lowest to the highest of three values.
pub(super) fn error_bar<X, Y>(
    x: X,
    [low, middle, high]: [Y; 3],
    colour: RGBColor,
) -> ErrorBar<X, Y, ErrorBarOrientV<X, Y>> {
    ErrorBar::new_vertical(x, low, middle, high, colour.stroke_width(2), 10)
}

/// A thin bar without ends, for charts with many of them.
pub(super) fn fine_bar<X: Clone, Y>(x: X, [low, _, high]: [Y; 3], colour: RGBColor) -> PathElement<(X, Y)> {
    PathElement::new(vec![(x.clone(), low), (x, high)], pale(colour, 0.6).stroke_width(2))
}

/// How many pixels the mark of one of several series is moved to the side, so that marks and intervals at one place can be
/// told apart: symmetric, and all within a few millimetres.
pub(super) fn aside(series: usize, of: usize, most_pixels: f64) -> f64 {
    const APART: f64 = 15.0;
    let gaps = of.saturating_sub(1).max(1) as f64;
    (series as f64 - of.saturating_sub(1) as f64 / 2.0) * APART.min(most_pixels / gaps)
}

/// A ring around a mark that stands out.
pub(super) fn ring<C>(at: C) -> Circle<C, i32> {
    Circle::new(at, 14, INK.stroke_width(2))
}

/// A dashed line.
pub(super) fn dashed<C: Clone>(points: Vec<C>) -> DashedPathElement<std::vec::IntoIter<C>, i32> {
    DashedPathElement::new(points, 10, 7, MUTED.stroke_width(LINE_WIDTH))
}

/// A small dot: a place that was measured.
pub(super) fn dot<C>(at: C) -> Circle<C, i32> {
    Circle::new(at, 4, MUTED.filled())
}

/// A cross: a place that is asked about.
pub(super) fn cross<C>(at: C) -> Cross<C, i32> {
    Cross::new(at, 8, INK.stroke_width(LINE_WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_aside_symmetrically_and_within_bounds() {
        assert_eq!(aside(0, 1, 60.0), 0.0);
        assert_eq!([0, 1, 2].map(|series| aside(series, 3, 60.0)), [-15.0, 0.0, 15.0]);
        assert_eq!([0, 10].map(|series| aside(series, 11, 60.0)), [-30.0, 30.0]);
    }
}
