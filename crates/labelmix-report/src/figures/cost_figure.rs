//! Cost against accuracy, with the Pareto frontier.

use plotters::prelude::*;

use super::axes::{accuracy_axis, cost_axis};
use super::canvas::{Area, DrawError, INK, LINE_WIDTH, chart, figure, weak_share_colour};
use super::key::{Symbol, draw_key};
use super::marks::{draw_marker, ring};
use super::series::{Purchase, frontier_steps, purchases};
use crate::Answer;

/// Draws what every purchase cost (logarithmic) against the accuracy it bought: coloured by the share of the cost that
/// went into weak labels, in a shape per method, with the Pareto frontier as a step line and its points ringed. SVG.
#[must_use]
pub fn cost_accuracy(answer: &Answer) -> String {
    let purchases = purchases(answer);
    figure(|area, key| {
        draw_chart(area, answer, &purchases)?;
        draw_key(key, &key_entries(answer))
    })
}

fn draw_chart(area: &Area<'_>, answer: &Answer, purchases: &[Purchase]) -> Result<(), DrawError> {
    let budgets = answer.budgets.iter().map(|split| split.budget_usd).collect();
    let costs = cost_axis(purchases.iter().map(|purchase| purchase.cost_usd), budgets);
    let frontier = frontier_steps(&answer.frontier, costs.range.end);
    let accuracies = accuracy_axis(purchases.iter().map(|purchase| purchase.accuracy));
    let title = format!("{}: what labels cost and what they buy", answer.study);
    let x_title = "Cost of the labels (US dollars, logarithmic)";
    let mut chart = chart(area, &title, (x_title, costs), ("Test accuracy", accuracies))?;

    chart.draw_series(LineSeries::new(frontier, INK.stroke_width(LINE_WIDTH)))?;
    for purchase in purchases {
        let place = (purchase.cost_usd, purchase.accuracy);
        draw_marker(chart.plotting_area(), &place, purchase.method, weak_share_colour(purchase.weak_share))?;
        if purchase.on_frontier {
            chart.plotting_area().draw(&ring(place))?;
        }
    }
    Ok(())
}

fn key_entries(answer: &Answer) -> Vec<(Symbol, String)> {
    let heading = |text: &str| (Symbol::Heading, text.to_owned());
    let mut entries = vec![heading("Share of the cost"), heading("spent on weak labels")];
    entries.extend(
        [(1.0, "1 (all weak)"), (0.75, "0.75"), (0.5, "0.5"), (0.25, "0.25"), (0.0, "0 (all gold)")]
            .map(|(share, text)| (Symbol::Marker(0, weak_share_colour(share)), text.to_owned())),
    );
    let methods = answer.methods();
    if methods.len() > 1 {
        entries.extend([heading(""), heading("Method")]);
        entries
            .extend(methods.iter().enumerate().map(|(method, name)| (Symbol::Marker(method, INK), (*name).to_owned())));
    }
    entries.extend([
        heading(""),
        (Symbol::Line(INK), "Pareto frontier".to_owned()),
        (Symbol::Ring, "on it".to_owned()),
    ]);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{answer, answer_without_runs};

    #[test]
    fn is_well_formed_and_the_same_every_time() {
        let svg = cost_accuracy(&answer());
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(svg, cost_accuracy(&answer()));
        roxmltree::Document::parse(&cost_accuracy(&answer_without_runs())).unwrap();
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
