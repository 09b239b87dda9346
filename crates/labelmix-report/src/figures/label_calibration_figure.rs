//! What weak labels claim against what is true.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::{count_axis, fraction_axis};
use super::canvas::{Area, Columns, DrawError, INK, LINE_WIDTH, TEXT_SIZE, chart, figure, weak_share_colour};
use super::key::Symbol;
use super::marks::{dashed, draw_marker, error_bar};
use crate::LabelQuality;
use crate::notation::{count, proportion};

/// The height of the upper chart, in pixels.
const CURVE_HEIGHT: u32 = 470;

/// Draws the calibration curve of weak labels: above, the share of gold labels 1 against the mean weak label of each
/// bin, with 95% Wilson intervals, and dashed where both are equal; below, how many labels each bin holds. SVG.
pub fn label_calibration(quality: &LabelQuality, title: &str) -> String {
    figure(Columns::Two, &key_entries(quality), |area| {
        let (curve, counts) = area.split_vertically(CURVE_HEIGHT);
        draw_curve(&curve, quality, title)?;
        draw_counts(&counts, quality)
    })
}

fn draw_curve(area: &Area<'_>, quality: &LabelQuality, title: &str) -> Result<(), DrawError> {
    let title = format!("{title}: what weak labels claim and what is true");
    let mut chart = chart(area, &title, ("", fraction_axis()), ("Share of gold 1", fraction_axis()))?;
    let points = || quality.calibration.iter().map(|bin| (bin.mean_predicted, bin.fraction_positive));
    chart.draw_series([dashed(vec![(0.0, 0.0), (1.0, 1.0)])])?;
    chart.draw_series(LineSeries::new(points(), colour().stroke_width(LINE_WIDTH)))?;
    chart.draw_series(quality.calibration.iter().map(|bin| {
        error_bar(bin.mean_predicted, [bin.interval.low, bin.fraction_positive, bin.interval.high], colour())
    }))?;
    for point in points() {
        draw_marker(chart.plotting_area(), &point, 0, colour())?;
    }
    Ok(())
}

fn draw_counts(area: &Area<'_>, quality: &LabelQuality) -> Result<(), DrawError> {
    let most = quality.calibration.iter().map(|bin| bin.count).max().unwrap_or(0);
    let mut chart =
        chart(area, "", ("Weak label (probability of class 1)", fraction_axis()), ("Labels", count_axis(most)))?;
    chart.draw_series(quality.calibration.iter().map(|bin| {
        let mut bar = Rectangle::new([(bin.low, 0.0), (bin.high, bin.count as f64)], colour().filled());
        bar.set_margin(0, 0, 2, 2);
        bar
    }))?;
    let above = Pos::new(HPos::Center, VPos::Bottom);
    let style = ("sans-serif", TEXT_SIZE * 4 / 5).into_text_style(area).color(&INK).pos(above);
    for bin in &quality.calibration {
        let place = (f64::midpoint(bin.low, bin.high), bin.count as f64);
        let number = EmptyElement::at(place) + Text::new(count(bin.count), (0, -4), style.clone());
        chart.plotting_area().draw(&number)?;
    }
    Ok(())
}

fn colour() -> RGBColor {
    weak_share_colour(1.0)
}

fn key_entries(quality: &LabelQuality) -> Vec<(Symbol, String)> {
    let heading = |text: String| (Symbol::Heading, text);
    vec![
        (Symbol::MarkedLine(0, colour()), "weak labels".to_owned()),
        (Symbol::Bar, "95% interval".to_owned()),
        (Symbol::Dashed, "as claimed".to_owned()),
        heading(String::new()),
        heading(format!("{} labels", count(quality.count))),
        heading(format!("calibration error {}", proportion(quality.calibration_error))),
        heading(format!("Brier score {}", proportion(quality.brier_score))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::worked_example;

    #[test]
    fn is_well_formed_and_the_same_every_time() {
        let report = worked_example::report();
        let quality = report.pool.quality.as_ref().unwrap();
        let svg = label_calibration(quality, "<b> & \"quotes\"");
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(svg, label_calibration(quality, "<b> & \"quotes\""));
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        assert!(texts.iter().any(|text| text.starts_with("<b> & \"quotes\": what weak labels claim")), "{texts:?}");
        for bin in &quality.calibration {
            assert!(texts.contains(&count(bin.count).as_str()), "{texts:?}");
        }
    }
}
