//! Methods against each other: what each makes of a budget.

use labelmix_econ::accuracy_at_budget;
use labelmix_stats::Interval;
use plotters::prelude::*;

use super::axes::{accuracy_axis, cost_axis};
use super::canvas::{Area, Columns, DrawError, LINE_WIDTH, axis_width, chart, figure, method_colour};
use super::key::Symbol;
use super::marks::{aside, dashed, draw_marker, error_bar};
use crate::{Analysis, Answer};

/// Draws the best accuracy that each method reaches within a budget, a step line and a mark for each, with 95% intervals
/// where it rises, methods a few pixels apart: a prompt against fine-tuning, or whatever methods the study has. `None` for a single method. SVG.
pub fn methods_by_budget(answer: &Answer, analysis: &Analysis, columns: Columns) -> Option<String> {
    let curves = curves(answer, analysis);
    (curves.len() > 1).then(|| figure(columns, &key_entries(answer, &curves), |area| draw_chart(area, answer, &curves)))
}

/// Methods are set apart by no more than this.
const MOST_ASIDE: f64 = 48.0;

struct MethodCurve {
    /// The method's place in the study.
    method: usize,
    /// From which cost on, how accurate, and the interval of the allocation that is.
    steps: Vec<(f64, f64, Interval)>,
}

fn curves(answer: &Answer, analysis: &Analysis) -> Vec<MethodCurve> {
    let points = analysis.measurements.points();
    let curve = |curve: labelmix_econ::AccuracyCurve| {
        let interval = |accuracy: f64| {
            let methods = analysis.measurements.methods();
            let same =
                |point: &labelmix_econ::Point| methods[point.method] == curve.method && point.accuracy == accuracy;
            points.iter().position(same).map(|point| analysis.resamples.interval(point))
        };
        let steps = curve
            .steps
            .iter()
            .filter_map(|step| Some((step.budget_usd, step.entry.accuracy, interval(step.entry.accuracy)?)));
        MethodCurve { method: answer.place_of(&curve.method), steps: steps.collect() }
    };
    let mut curves: Vec<MethodCurve> =
        accuracy_at_budget(&analysis.measurements, &answer.prices.into()).into_iter().map(curve).collect();
    curves.retain(|curve| !curve.steps.is_empty());
    curves.sort_by_key(|curve| curve.method);
    curves
}

fn draw_chart(area: &Area<'_>, answer: &Answer, curves: &[MethodCurve]) -> Result<(), DrawError> {
    let all = || curves.iter().flat_map(|curve| &curve.steps);
    let accuracies = all().flat_map(|(_, _, interval)| [interval.low, interval.high]);
    let y = accuracy_axis(accuracies.chain(answer.weak_label_accuracy));
    let x = cost_axis(all().map(|(cost, ..)| *cost), answer.budgets_usd(), axis_width(area));
    let ends = x.range.clone();
    let (methods, pixels, axis) = (answer.methods().len(), axis_width(area), x.clone());
    let beside = |method: usize, cost: f64| axis.moved(cost, aside(method, methods, MOST_ASIDE), pixels);
    let title = format!("{}: what each method makes of a budget", answer.study);
    let mut chart = chart(area, &title, ("Budget (US dollars)", x), ("Best test accuracy within it", y))?;
    if let Some(accuracy) = answer.weak_label_accuracy {
        chart.draw_series([dashed(vec![(ends.start, accuracy), (ends.end, accuracy)])])?;
    }
    for MethodCurve { method, steps } in curves {
        let colour = method_colour(*method);
        let costs: Vec<f64> = steps.iter().map(|(cost, ..)| beside(*method, *cost)).collect();
        let next = costs.iter().copied().skip(1).chain([ends.end]);
        let line = costs.iter().zip(steps).zip(next);
        let line = line.flat_map(|((cost, (_, accuracy, _)), until)| [(*cost, *accuracy), (until, *accuracy)]);
        chart.draw_series(LineSeries::new(line, colour.stroke_width(LINE_WIDTH)))?;
        chart.draw_series(steps.iter().map(|(cost, accuracy, interval)| {
            error_bar(beside(*method, *cost), [interval.low, *accuracy, interval.high], colour)
        }))?;
    }
    for MethodCurve { method, steps } in curves {
        for (cost, accuracy, _) in steps {
            let place = (beside(*method, *cost), *accuracy);
            draw_marker(chart.plotting_area(), &place, *method, method_colour(*method))?;
        }
    }
    Ok(())
}

fn key_entries(answer: &Answer, curves: &[MethodCurve]) -> Vec<(Symbol, String)> {
    let methods = answer.methods();
    let line = |curve: &MethodCurve| {
        (Symbol::MarkedLine(curve.method, method_colour(curve.method)), methods[curve.method].to_owned())
    };
    let mut entries: Vec<_> = curves.iter().map(line).collect();
    entries.push((Symbol::Bar, "95% interval".to_owned()));
    if answer.weak_label_accuracy.is_some() {
        entries.push((Symbol::Dashed, "weak labels".to_owned()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn steps_of_every_method() {
        let curves = curves(&answer(), &analysis());
        let line = |curve: &MethodCurve| {
            let step = |(cost, accuracy, interval): &(f64, f64, Interval)| {
                format!("${cost:.2} {accuracy:.3} ({:.2} to {:.2})", interval.low, interval.high)
            };
            format!("{}: {}", curve.method, curve.steps.iter().map(step).collect::<Vec<_>>().join(", "))
        };
        insta::assert_snapshot!(curves.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        0: $4.00 0.529 (0.50 to 0.56), $4.50 0.648 (0.62 to 0.68), $64.00 0.714 (0.68 to 0.74)
        1: $4.00 0.519 (0.48 to 0.55), $4.50 0.638 (0.60 to 0.67), $64.00 0.704 (0.67 to 0.74)
        "#);
        let svg = methods_by_budget(&answer(), &analysis(), Columns::One).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }
}
