//! Accuracy against weak spending fraction.

use std::ops::Range;

use plotters::prelude::*;

use super::axes::{accuracy_axis, fraction_axis};
use super::canvas::{Area, Columns, DrawError, LINE_WIDTH, amount_colour, axis_width, chart, figure};
use super::key::Symbol;
use super::marks::{aside, dashed, draw_marker, error_bar, ring};
use super::series::{Curve, CurvePoint, curves};
use crate::Answer;
use crate::notation::dollars;

/// Draws the accuracy of a method against the share of the budget that is spent on weak labels: a line per budget,
/// with bars of one standard deviation over seeds, the best split of each budget ringed, and the weak labels' own
/// accuracy, where it is known, dashed. Marks of one split are set apart by a few pixels. A budget has the same colour and mark for every method. SVG.
#[must_use]
pub fn accuracy_by_weak_fraction(answer: &Answer, method: &str, columns: Columns) -> String {
    let curves = curves(answer, method);
    figure(columns, &key_entries(answer, &curves), |area| draw_chart(area, answer, method, &curves))
}

/// Budgets of one split are set apart by no more than this.
const MOST_ASIDE: f64 = 36.0;

fn draw_chart(area: &Area<'_>, answer: &Answer, method: &str, curves: &[Curve]) -> Result<(), DrawError> {
    let spreads = curves.iter().flat_map(|curve| &curve.points).map(CurvePoint::spread);
    let accuracies = accuracy_axis(spreads.flat_map(|(low, high)| [low, high]).chain(answer.weak_label_accuracy));
    let title = format!("{}: {method}", answer.study);
    let x_title = "Share of the budget spent on weak labels";
    let fractions = fraction_axis();
    let Range { start, end } = fractions.range;
    let all = answer.budgets_usd().len();
    let pixels = axis_width(area);
    let x = |budget: usize, fraction: f64| fractions.moved(fraction, aside(budget, all, MOST_ASIDE), pixels);
    let mut chart = chart(area, &title, (x_title, fractions.clone()), ("Test accuracy", accuracies))?;

    if let Some(accuracy) = answer.weak_label_accuracy {
        chart.draw_series([dashed(vec![(start, accuracy), (end, accuracy)])])?;
    }
    for Curve { budget, points, .. } in curves {
        let colour = amount_colour(*budget, all);
        let line = points.iter().map(|point| (x(*budget, point.weak_fraction), point.accuracy));
        chart.draw_series(LineSeries::new(line, colour.stroke_width(LINE_WIDTH)))?;
        chart.draw_series(points.iter().filter(|point| point.deviation.is_some()).map(|point| {
            let (low, high) = point.spread();
            error_bar(x(*budget, point.weak_fraction), [low, point.accuracy, high], colour)
        }))?;
    }
    for Curve { budget, points, .. } in curves {
        for point in points {
            let place = (x(*budget, point.weak_fraction), point.accuracy);
            draw_marker(chart.plotting_area(), &place, *budget, amount_colour(*budget, all))?;
            if point.best {
                chart.plotting_area().draw(&ring(place))?;
            }
        }
    }
    Ok(())
}

/// The biggest budget first, as its line is the highest.
fn key_entries(answer: &Answer, curves: &[Curve]) -> Vec<(Symbol, String)> {
    let all = answer.budgets_usd().len();
    let line =
        |curve: &Curve| (Symbol::MarkedLine(curve.budget, amount_colour(curve.budget, all)), dollars(curve.budget_usd));
    let mut entries = vec![(Symbol::Heading, "Budget".to_owned())];
    entries.extend(curves.iter().rev().map(line));
    entries.push((Symbol::Ring, "best split".to_owned()));
    if answer.weak_label_accuracy.is_some() {
        entries.push((Symbol::Dashed, "weak labels".to_owned()));
    }
    if curves.iter().flat_map(|curve| &curve.points).any(|point| point.deviation.is_some()) {
        entries.push((Symbol::Bar, "± s.d. over seeds".to_owned()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{answer, answer_without_runs};

    #[test]
    fn is_well_formed_and_the_same_every_time() {
        let svg = accuracy_by_weak_fraction(&answer(), "seq-sft", Columns::Two);
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(svg, accuracy_by_weak_fraction(&answer(), "seq-sft", Columns::Two));
        roxmltree::Document::parse(&accuracy_by_weak_fraction(&answer_without_runs(), "seq-sft", Columns::One))
            .unwrap();
    }

    #[test]
    fn the_key_names_what_is_drawn() {
        let texts = |answer: &Answer| -> Vec<String> {
            key_entries(answer, &curves(answer, "seq-sft")).into_iter().map(|(_, text)| text).collect()
        };
        insta::assert_debug_snapshot!(texts(&answer()), @r#"
        [
            "Budget",
            "$64",
            "$4.50",
            "best split",
            "weak labels",
            "± s.d. over seeds",
        ]
        "#);
    }

    #[test]
    fn a_name_full_of_markup_stays_text() {
        let name = "<b> & \"quotes\" 'and' \u{1}";
        let svg = accuracy_by_weak_fraction(&Answer { study: name.to_owned(), ..answer() }, "seq-sft", Columns::Two);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let title = document.descendants().filter_map(|node| node.text()).find(|text| text.contains("seq-sft"));
        assert_eq!(title.unwrap().trim(), "<b> & \"quotes\" 'and'  : seq-sft");
    }
}
