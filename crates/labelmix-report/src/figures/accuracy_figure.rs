//! Accuracy against weak spending fraction.

use std::ops::Range;

use plotters::prelude::*;

use super::axes::{Axis, accuracy_axis, fraction_axis};
use super::canvas::{Area, Columns, DrawError, LINE_WIDTH, amount_colour, axis_width, chart, figure, panels};
use super::key::{Symbol, budget_entries};
use super::marks::{aside, dashed, draw_marker, error_bar, ring};
use super::series::{Curve, CurvePoint, curves};
use crate::Answer;
use crate::notation::rising;

/// Draws the accuracy of a method against the share of the budget that is spent on weak labels: a line per budget,
/// with bars of one standard deviation over seeds, the best split of each budget ringed, and the weak labels' own
/// accuracy, where it is known, dashed. Marks of one split are set apart by a few pixels. A budget has the same colour and mark for every method. SVG.
pub fn accuracy_by_weak_fraction(answer: &Answer, method: &str, columns: Columns) -> String {
    let budgets = answer.budgets_usd();
    let panel = Panel::new(&format!("{}: {method}", answer.study), answer, method, &budgets);
    let accuracies = accuracies(std::slice::from_ref(&panel));
    let x_title = "Share of the budget spent on weak labels";
    figure(columns, &key_entries(std::slice::from_ref(&panel), &budgets), |area| {
        panel.draw(area, budgets.len(), x_title, accuracies)
    })
}

/// The same of several answers side by side, by their titles, with one scale; `None` unless two have the method. SVG.
pub(crate) fn accuracy_panels(answers: &[(&str, &Answer)], method: &str, columns: Columns) -> Option<String> {
    let budgets = rising(answers.iter().flat_map(|(_, answer)| answer.budgets_usd()).collect());
    let all = answers.iter().map(|(title, answer)| Panel::new(title, answer, method, &budgets));
    let drawn: Vec<Panel> = all.filter(|panel| !panel.curves.is_empty()).collect();
    let accuracies = accuracies(&drawn);
    (drawn.len() > 1).then(|| {
        panels(columns, drawn.len(), &key_entries(&drawn, &budgets), |panel, area| {
            drawn[panel].draw(area, budgets.len(), "Share spent on weak labels", accuracies.clone())
        })
    })
}

/// Budgets of one split are set apart by no more than this.
const MOST_ASIDE: f64 = 36.0;

struct Panel {
    title: String,
    curves: Vec<Curve>,
    weak_label_accuracy: Option<f64>,
}

impl Panel {
    fn new(title: &str, answer: &Answer, method: &str, budgets: &[f64]) -> Self {
        let curves = curves(answer, method, budgets);
        Self { title: title.to_owned(), curves, weak_label_accuracy: answer.weak_label_accuracy }
    }

    fn points(&self) -> impl Iterator<Item = &CurvePoint> {
        self.curves.iter().flat_map(|curve| &curve.points)
    }

    /// `all` is the number of the figure's budgets.
    fn draw(&self, area: &Area<'_>, all: usize, x_title: &str, accuracies: Axis) -> Result<(), DrawError> {
        let fractions = fraction_axis();
        let Range { start, end } = fractions.range;
        let pixels = axis_width(area);
        let most_aside = MOST_ASIDE.min(f64::from(pixels) / 11.0);
        let x = |budget: usize, fraction: f64| fractions.moved(fraction, aside(budget, all, most_aside), pixels);
        let mut chart = chart(area, &self.title, (x_title, fractions.clone()), ("Test accuracy", accuracies))?;

        if let Some(accuracy) = self.weak_label_accuracy {
            chart.draw_series([dashed(vec![(start, accuracy), (end, accuracy)])])?;
        }
        for Curve { budget, points, .. } in &self.curves {
            let colour = amount_colour(*budget, all);
            let line = points.iter().map(|point| (x(*budget, point.weak_fraction), point.accuracy));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(LINE_WIDTH)))?;
            chart.draw_series(points.iter().filter(|point| point.deviation.is_some()).map(|point| {
                let (low, high) = point.spread();
                error_bar(x(*budget, point.weak_fraction), [low, point.accuracy, high], colour)
            }))?;
        }
        for Curve { budget, points, .. } in &self.curves {
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
}

fn accuracies(panels: &[Panel]) -> Axis {
    let spreads = panels.iter().flat_map(Panel::points).map(CurvePoint::spread);
    let weak = panels.iter().filter_map(|panel| panel.weak_label_accuracy);
    accuracy_axis(spreads.flat_map(|(low, high)| [low, high]).chain(weak))
}

fn key_entries(panels: &[Panel], budgets: &[f64]) -> Vec<(Symbol, String)> {
    let is_drawn = |budget| panels.iter().flat_map(|panel| &panel.curves).any(|curve| curve.budget == budget);
    let mut entries = budget_entries(budgets, is_drawn);
    entries.push((Symbol::Ring, "best split".to_owned()));
    if panels.iter().any(|panel| panel.weak_label_accuracy.is_some()) {
        entries.push((Symbol::Dashed, "weak labels".to_owned()));
    }
    if panels.iter().flat_map(Panel::points).any(|point| point.deviation.is_some()) {
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
            let budgets = answer.budgets_usd();
            let panel = Panel::new("", answer, "seq-sft", &budgets);
            key_entries(&[panel], &budgets).into_iter().map(|(_, text)| text).collect()
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
