//! How many weak labels replace a gold one, along the way of best splits.

use labelmix_econ::{Quantity, Surface, marginal_values};
use plotters::prelude::*;

use super::axes::{cost_axis, exact_axis};
use super::canvas::{Area, Columns, DrawError, LINE_WIDTH, axis_width, chart, figure, method_colour, pale};
use super::key::Symbol;
use super::marks::{dashed, draw_marker};
use crate::analysis::expansion;
use crate::notation::number;
use crate::{Analysis, Answer};

/// Draws, for every method with a response surface, how many weak labels gain as much as the next gold label at the best
/// split of each budget, with 90% intervals, and dashed how many weak labels a gold one costs: below the dashed line gold
/// is too dear for what it brings. `None` without a surface. SVG.
#[must_use]
pub fn exchange_rates(answer: &Answer, analysis: &Analysis, columns: Columns) -> Option<String> {
    let rates: Vec<Rates> = analysis.surfaces.iter().map(|surface| Rates::new(answer, surface)).collect();
    if rates.iter().all(|rates| rates.points.is_empty()) {
        return None;
    }
    Some(figure(columns, &key_entries(answer, &rates), |area| draw_chart(area, answer, &rates)))
}

struct Rates {
    /// The method's place in the study.
    method: usize,
    /// Budgets where the rate is known, and the rate.
    points: Vec<(f64, Quantity)>,
}

/// What is drawn of rates that know no bounds.
const DRAWN: std::ops::Range<f64> = 0.1..1000.0;

impl Rates {
    fn new(answer: &Answer, surface: &Surface) -> Self {
        let rate = |step: labelmix_econ::ExpansionStep| {
            let values = marginal_values(surface, &answer.prices.into(), step.allocation);
            let drawn = values.weak_per_gold.median.is_some_and(|median| DRAWN.contains(&median));
            (drawn && !step.extrapolation.is_far()).then_some((step.budget_usd, values.weak_per_gold))
        };
        Self {
            method: answer.place_of(surface.method()),
            points: expansion(answer, surface, 13).into_iter().filter_map(rate).collect(),
        }
    }

    fn band(&self) -> Vec<(f64, f64)> {
        let side = |end: fn(&Quantity) -> Option<f64>, unbounded: f64| {
            self.points
                .iter()
                .map(move |(budget, rate)| (*budget, end(rate).unwrap_or(unbounded).clamp(DRAWN.start, DRAWN.end)))
        };
        let low: Vec<_> = side(|rate| rate.low, DRAWN.start).collect();
        side(|rate| rate.high, DRAWN.end).chain(low.into_iter().rev()).collect()
    }
}

fn draw_chart(area: &Area<'_>, answer: &Answer, rates: &[Rates]) -> Result<(), DrawError> {
    let weak_for_a_gold = answer.prices.gold_usd() / answer.prices.weak_usd();
    let corners = rates.iter().flat_map(Rates::band).map(|(_, rate)| rate).chain([weak_for_a_gold]);
    let (low, high) = corners.fold((f64::INFINITY, 0f64), |(low, high), rate| (low.min(rate), high.max(rate)));
    let budget_range = rates.iter().flat_map(|rates| &rates.points).map(|(budget, _)| *budget);
    let x = cost_axis(budget_range, answer.budgets_usd(), axis_width(area));
    let ends = (x.range.start, x.range.end);
    let y = exact_axis(low / 1.3..high * 1.3, 520, number);
    let title = format!("{}: what a gold label is worth at the best split", answer.study);
    let mut chart = chart(area, &title, ("Budget (US dollars)", x), ("Weak labels for a gold one", y))?;
    for rates in rates {
        chart.draw_series([Polygon::new(rates.band(), pale(method_colour(rates.method), 0.16).filled())])?;
    }
    chart.draw_series([dashed(vec![(ends.0, weak_for_a_gold), (ends.1, weak_for_a_gold)])])?;
    for Rates { method, points } in rates {
        let line = points.iter().filter_map(|(budget, rate)| Some((*budget, rate.median?)));
        chart.draw_series(LineSeries::new(line.clone(), method_colour(*method).stroke_width(LINE_WIDTH)))?;
        for place in line {
            draw_marker(chart.plotting_area(), &place, *method, method_colour(*method))?;
        }
    }
    Ok(())
}

fn key_entries(answer: &Answer, rates: &[Rates]) -> Vec<(Symbol, String)> {
    let methods = answer.methods();
    let line = |rates: &Rates| {
        (Symbol::MarkedLine(rates.method, method_colour(rates.method)), methods[rates.method].to_owned())
    };
    let mut entries: Vec<_> = rates.iter().map(line).collect();
    let first = rates.first().map_or(0, |rates| rates.method);
    entries.push((Symbol::Area(pale(method_colour(first), 0.16)), "90% interval".to_owned()));
    entries.push((Symbol::Dashed, "what it costs".to_owned()));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn is_well_formed() {
        let svg = exchange_rates(&answer(), &analysis(), Columns::Two).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }

    #[test]
    fn rates_are_drawn_inside_their_bands() {
        let rates = Rates::new(&answer(), &analysis().surfaces[0]);
        assert!(!rates.points.is_empty());
        assert_eq!(rates.band().len(), 2 * rates.points.len());
        for (_, rate) in &rates.points {
            let median = rate.median.unwrap();
            assert!(rate.low.is_none_or(|low| low <= median) && rate.high.is_none_or(|high| high >= median));
        }
    }
}
