//! Cost against accuracy, with the Pareto frontier.

use plotters::prelude::*;

use super::axes::{Axis, accuracy_axis, cost_axis, round_cost_axis};
use super::canvas::{
    Area, Columns, DrawError, INK, LINE_WIDTH, MUTED, axis_width, chart, figure, pale, panels, weak_share_colour,
};
use super::key::Symbol;
use super::marks::{aside, draw_marker, fine_bar, ring};
use super::series::{Priced, PricedAllocation, price_panels};
use crate::notation::dollars;
use crate::{Analysis, Answer};

/// Methods of one cost are set apart by no more than this.
const MOST_ASIDE: f64 = 64.0;

/// Draws what every purchase cost (logarithmic) against the accuracy it bought, with its 95% interval: coloured by the
/// share of the cost that went into weak labels, in a shape per method, with the Pareto frontier as a step line in its
/// band and its points ringed. Methods of one cost are set apart by a few pixels. SVG.
pub fn cost_accuracy(answer: &Answer, analysis: &Analysis, columns: Columns) -> String {
    let priced = Priced::new(answer, analysis, answer.prices);
    figure(columns, &key_entries(answer), |area| {
        let costs = priced.purchases.iter().map(|purchase| purchase.cost_usd);
        let costs = cost_axis(costs, answer.budgets_usd(), axis_width(area));
        let title = format!("{}: what labels cost and what they buy", answer.study);
        let methods = answer.methods().len();
        draw_chart(area, &priced, methods, ("Cost of the labels (US dollars)", costs), accuracies([&priced]), &title)
    })
}

/// The same at the published price ratios and at the study's own: a panel each. SVG.
pub fn cost_accuracy_by_price(answer: &Answer, analysis: &Analysis, columns: Columns) -> String {
    let priced: Vec<Priced> =
        price_panels(&answer.prices).into_iter().map(|prices| Priced::new(answer, analysis, prices)).collect();
    let accuracies = accuracies(&priced);
    panels(columns, priced.len(), &key_entries(answer), |panel, area| {
        let priced = &priced[panel];
        let costs = priced.purchases.iter().map(|purchase| purchase.cost_usd);
        let title = format!("weak labels at {}", dollars(priced.prices.weak_usd()));
        let costs = round_cost_axis(costs, axis_width(area));
        draw_chart(area, priced, answer.methods().len(), ("Cost (US dollars)", costs), accuracies.clone(), &title)
    })
}

fn accuracies<'a>(priced: impl IntoIterator<Item = &'a Priced>) -> Axis {
    let purchases = priced.into_iter().flat_map(|priced| &priced.purchases);
    accuracy_axis(purchases.flat_map(|purchase| [purchase.accuracy, purchase.interval.low, purchase.interval.high]))
}

fn draw_chart(
    area: &Area<'_>,
    priced: &Priced,
    methods: usize,
    (x_title, costs): (&str, Axis),
    accuracies: Axis,
    title: &str,
) -> Result<(), DrawError> {
    let pixels = axis_width(area);
    let most = MOST_ASIDE.min(f64::from(pixels) / 12.0);
    let x = |purchase: &PricedAllocation| costs.moved(purchase.cost_usd, aside(purchase.method, methods, most), pixels);
    let dearest = costs.range.end;
    let within = accuracies.range.clone();
    let mut chart = chart(area, title, (x_title, costs.clone()), ("Test accuracy", accuracies))?;
    let band = priced.band_outline(dearest).into_iter();
    let band: Vec<(f64, f64)> = band.map(|(cost, height)| (cost, height.clamp(within.start, within.end))).collect();
    chart.draw_series([Polygon::new(band, pale(MUTED, 0.25).filled())])?;
    chart.draw_series(LineSeries::new(priced.frontier_steps(dearest), INK.stroke_width(LINE_WIDTH)))?;
    for purchase in &priced.purchases {
        let colour = weak_share_colour(purchase.weak_share);
        let bar = fine_bar(x(purchase), [purchase.interval.low, purchase.accuracy, purchase.interval.high], colour);
        chart.plotting_area().draw(&bar)?;
    }
    for purchase in &priced.purchases {
        let place = (x(purchase), purchase.accuracy);
        draw_marker(chart.plotting_area(), &place, purchase.method, weak_share_colour(purchase.weak_share))?;
        if purchase.on_frontier {
            chart.plotting_area().draw(&ring(place))?;
        }
    }
    Ok(())
}

fn key_entries(answer: &Answer) -> Vec<(Symbol, String)> {
    let heading = |text: &str| (Symbol::Heading, text.to_owned());
    let mut entries = vec![heading("Share spent on weak:")];
    entries.extend(
        [(1.0, "all"), (0.75, ".75"), (0.5, ".5"), (0.25, ".25"), (0.0, "none")]
            .map(|(share, text)| (Symbol::Marker(0, weak_share_colour(share)), text.to_owned())),
    );
    let methods = answer.methods();
    if methods.len() > 1 {
        entries.extend([heading(""), heading("Method:")]);
        entries
            .extend(methods.iter().enumerate().map(|(method, name)| (Symbol::Marker(method, INK), (*name).to_owned())));
    }
    entries.extend([
        heading(""),
        (Symbol::Line(INK), "Pareto frontier".to_owned()),
        (Symbol::Ring, "on it".to_owned()),
        (Symbol::Area(pale(MUTED, 0.25)), "its 95% band".to_owned()),
        (Symbol::Bar, "95% interval".to_owned()),
    ]);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn is_well_formed_and_the_same_every_time() {
        for columns in [Columns::One, Columns::Two] {
            for draw in [cost_accuracy, cost_accuracy_by_price] {
                let svg = draw(&answer(), &analysis(), columns);
                roxmltree::Document::parse(&svg).unwrap();
                assert_eq!(svg, draw(&answer(), &analysis(), columns));
            }
        }
    }

    #[test]
    fn the_key_names_the_methods_where_there_are_several() {
        let texts =
            |answer: &Answer| -> Vec<String> { key_entries(answer).into_iter().map(|(_, text)| text).collect() };
        assert!(texts(&answer()).contains(&"few-shot".to_owned()));
        let mut one_method = answer();
        one_method.budgets.retain(|split| split.method == "seq-sft");
        one_method.not_affordable.clear();
        assert!(!texts(&one_method).contains(&"seq-sft".to_owned()));
    }
}
