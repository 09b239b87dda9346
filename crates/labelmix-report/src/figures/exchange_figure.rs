//! How many weak labels replace a gold one, along the way of best splits.

use std::ops::Range;

use labelmix_econ::{Quantity, Surface, marginal_values};
use plotters::prelude::*;

use super::axes::{cost_axis, exact_axis};
use super::canvas::{
    Area, Columns, DrawError, INK, LINE_WIDTH, MUTED, axis_height, axis_width, chart, figure, method_colour, pale,
    panels,
};
use super::key::Symbol;
use super::marks::{dashed, draw_marker};
use crate::analysis::expansion;
use crate::notation::number;
use crate::{Analysis, Answer};

/// Draws, for every method with a response surface in a panel of its own, how many weak labels gain as much as the next gold label at the best
/// split of each budget, with 90% intervals, and dashed how many weak labels a gold one costs: below the dashed line gold
/// is too expensive for what it brings. `None` without a surface. SVG.
pub fn exchange_rates(answer: &Answer, analysis: &Analysis, columns: Columns) -> Option<String> {
    let rates: Vec<Rates> = analysis.surfaces.iter().map(|surface| Rates::new(answer, surface)).collect();
    let rates: Vec<Rates> = rates.into_iter().filter(|rates| !rates.points.is_empty()).collect();
    let (name, key) = (&answer.study, key_entries(&rates));
    match rates.as_slice() {
        [] => None,
        [only] => {
            let title = format!("{name}: what a gold label is worth at the best split");
            Some(figure(columns, &key, |area| draw_chart(area, answer, only, &drawn(answer, &rates), &title)))
        }
        several => {
            let (methods, range) = (answer.methods(), drawn(answer, several));
            Some(panels(columns, several.len(), &key, |panel, area| {
                draw_chart(area, answer, &several[panel], &range, methods[several[panel].method])
            }))
        }
    }
}

struct Rates {
    /// The method's place in the study.
    method: usize,
    /// Budgets where the rate is known, and the rate.
    points: Vec<(f64, Quantity)>,
}

/// Rates beyond these are as good as none.
const KNOWN: Range<f64> = 0.1..1000.0;

/// The rates that are drawn: from a quarter of the smallest to four times the largest, whatever else intervals hold.
fn drawn(answer: &Answer, rates: &[Rates]) -> Range<f64> {
    const ROOM: f64 = 4.0;
    let medians = rates.iter().flat_map(|rates| &rates.points).filter_map(|(_, rate)| rate.median);
    let all = medians.chain([answer.prices.gold_usd() / answer.prices.weak_usd()]);
    let (low, high) = all.fold((f64::INFINITY, 0f64), |(low, high), rate| (low.min(rate), high.max(rate)));
    low / ROOM..high * ROOM
}

impl Rates {
    fn new(answer: &Answer, surface: &Surface) -> Self {
        let rate = |step: labelmix_econ::ExpansionStep| {
            let values = marginal_values(surface, &answer.prices.into(), step.allocation);
            let known = values.weak_per_gold.median.is_some_and(|median| KNOWN.contains(&median));
            (known && !step.extrapolation.is_far()).then_some((step.budget_usd, values.weak_per_gold))
        };
        Self {
            method: answer.place_of(surface.method()),
            points: expansion(answer, surface, 13).into_iter().filter_map(rate).collect(),
        }
    }

    /// The outline of the intervals, where they lie on the chart.
    fn band(&self, drawn: &Range<f64>) -> Vec<(f64, f64)> {
        let side = |end: fn(&Quantity) -> Option<f64>, unbounded: f64| {
            self.points
                .iter()
                .map(move |(budget, rate)| (*budget, end(rate).unwrap_or(unbounded).clamp(drawn.start, drawn.end)))
        };
        let low: Vec<_> = side(|rate| rate.low, drawn.start).collect();
        side(|rate| rate.high, drawn.end).chain(low.into_iter().rev()).collect()
    }
}

fn draw_chart(
    area: &Area<'_>,
    answer: &Answer,
    rates: &Rates,
    drawn: &Range<f64>,
    title: &str,
) -> Result<(), DrawError> {
    let weak_for_a_gold = answer.prices.gold_usd() / answer.prices.weak_usd();
    let budgets = rates.points.iter().map(|(budget, _)| *budget);
    let x = cost_axis(budgets, answer.budgets_usd(), axis_width(area));
    let ends = (x.range.start, x.range.end);
    let y = exact_axis(drawn.clone(), axis_height(area), number);
    let mut chart = chart(area, title, ("Budget (US dollars)", x), ("Weak labels for a gold one", y))?;
    chart.draw_series([Polygon::new(rates.band(drawn), pale(BAND, 0.25).filled())])?;
    chart.draw_series([dashed(vec![(ends.0, weak_for_a_gold), (ends.1, weak_for_a_gold)])])?;
    let colour = method_colour(rates.method);
    let line = rates.points.iter().filter_map(|(budget, rate)| Some((*budget, rate.median?)));
    chart.draw_series(LineSeries::new(line.clone(), colour.stroke_width(LINE_WIDTH)))?;
    for place in line {
        draw_marker(chart.plotting_area(), &place, rates.method, colour)?;
    }
    Ok(())
}

fn key_entries(rates: &[Rates]) -> Vec<(Symbol, String)> {
    let symbol = match rates {
        [only] => Symbol::MarkedLine(only.method, method_colour(only.method)),
        _ => Symbol::MarkedLine(0, INK),
    };
    vec![
        (symbol, "what it gains".to_owned()),
        (Symbol::Area(pale(BAND, 0.25)), "90% interval".to_owned()),
        (Symbol::Dashed, "what it costs".to_owned()),
    ]
}

/// Of the interval, whatever the method.
const BAND: RGBColor = MUTED;

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
        let drawn = drawn(&answer(), std::slice::from_ref(&rates));
        let band = rates.band(&drawn);
        assert_eq!(band.len(), 2 * rates.points.len());
        assert!(band.iter().all(|(_, rate)| drawn.start <= *rate && *rate <= drawn.end));
        for (_, rate) in &rates.points {
            let median = rate.median.unwrap();
            assert!(rate.low.is_none_or(|low| low <= median) && rate.high.is_none_or(|high| high >= median));
        }
    }
}
