//! The mixes of labels that reach an accuracy, and how the best mix changes as budgets grow.

use labelmix_econ::{ExpansionStep, IsoquantPoint, Surface, isoquant};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::labels_axis;
use super::canvas::{
    Area, Columns, DrawError, INK, LINE_WIDTH, TEXT_SIZE, amount_colour, axis_width, chart, figure, pale,
};
use super::key::Symbol;
use super::marks::{dot, draw_marker};
use crate::analysis::{budget_range, equal_factors, expansion, measured_allocations};
use crate::notation::{dollars, proportion};
use crate::{Analysis, Answer};

/// Draws curves of equal expected accuracy over numbers of weak and gold labels, with the interval of the gold labels
/// that each needs, the allocations that were measured, and the path of the best splits of growing budgets at the study's
/// prices. `None` without a surface. SVG.
pub fn isoquants(answer: &Answer, analysis: &Analysis, method: &str, columns: Columns) -> Option<String> {
    let surface = analysis.surfaces.iter().find(|surface| surface.method() == method)?;
    let plan = Isoquants::new(answer, surface);
    let measured: Vec<(f64, f64)> =
        measured_allocations(analysis, method).map(|labels| (labels.n_weak as f64, labels.n_gold as f64)).collect();
    Some(figure(columns, &key_entries(&plan), |area| draw_chart(area, answer, method, &plan, &measured)))
}

struct Isoquants {
    most_weak: f64,
    most_gold: f64,
    /// By rising accuracy.
    levels: Vec<Level>,
    path: Vec<ExpansionStep>,
}

struct Level {
    accuracy: f64,
    points: Vec<IsoquantPoint>,
}

impl Level {
    /// The median number of gold labels for each number of weak labels, where it lies on the chart, up to where none is
    /// needed.
    fn line(&self, most_gold: f64) -> Vec<(f64, f64)> {
        let at = |point: &IsoquantPoint| Some((point.n_weak as f64, point.n_gold.median?));
        let mut line: Vec<(f64, f64)> =
            self.points.iter().filter_map(at).filter(|(_, gold)| *gold <= most_gold).collect();
        // From where no gold label is needed the line would run along the axis.
        let needed = line.iter().take_while(|(_, gold)| *gold > 0.0).count();
        line.truncate(needed + 1);
        line
    }

    /// The outline of the interval.
    fn band(&self, most_gold: f64) -> Vec<(f64, f64)> {
        let known = self.points.iter().filter(|point| point.n_gold.low.is_some_and(|low| low <= most_gold));
        let side = |end: fn(&IsoquantPoint) -> Option<f64>| {
            known.clone().map(move |point| (point.n_weak as f64, end(point).unwrap_or(f64::INFINITY).min(most_gold)))
        };
        side(|point| point.n_gold.high)
            .chain(side(|point| point.n_gold.low).collect::<Vec<_>>().into_iter().rev())
            .collect()
    }
}

impl Isoquants {
    fn new(answer: &Answer, surface: &Surface) -> Self {
        let largest = surface.largest();
        let (_, most) = budget_range(answer);
        let ratio = answer.prices.weak_usd() / answer.prices.gold_usd();
        let most_weak = (1.2 * largest.n_weak as f64).max(10.0).min(most / ratio);
        let most_gold = (1.2 * largest.n_gold as f64).max(10.0).min(most);
        let weak_counts: Vec<usize> =
            equal_factors((1.0, most_weak + 1.0), 56).iter().map(|weak| (weak - 1.0).round() as usize).collect();
        let level = |accuracy: f64| {
            let points = isoquant(surface, accuracy, &weak_counts).expect("levels lie between .5 and 1");
            Level { accuracy, points }
        };
        Self {
            most_weak,
            most_gold,
            levels: levels(surface, (most_weak, most_gold)).into_iter().map(level).collect(),
            path: expansion(answer, surface, 25),
        }
    }
}

/// Three to six round accuracies between what a few labels and the most labels are expected to reach.
fn levels(surface: &Surface, (most_weak, most_gold): (f64, f64)) -> Vec<f64> {
    let mean = |weak: f64, gold: f64| {
        let draws = surface.accuracy_draws(weak, gold);
        draws.iter().sum::<f64>() / draws.len() as f64
    };
    let (low, high) = (mean(most_weak.min(10.0), 0.0).max(0.51), mean(most_weak, most_gold).min(0.99));
    let between = |step: u32| -> Vec<f64> {
        (1..1000 / step).map(|count| f64::from(count * step) / 1000.0).filter(|l| (low..high).contains(l)).collect()
    };
    [10, 20, 25, 50, 100].map(between).into_iter().find(|levels| levels.len() <= 6).unwrap_or_default()
}

fn draw_chart(
    area: &Area<'_>,
    answer: &Answer,
    method: &str,
    plan: &Isoquants,
    measured: &[(f64, f64)],
) -> Result<(), DrawError> {
    let x = labels_axis(plan.most_weak, axis_width(area));
    let y = labels_axis(plan.most_gold, 520);
    let title = format!("{}: mixes of equal accuracy, {method}", answer.study);
    let mut chart = chart(area, &title, ("Weak labels", x), ("Gold labels", y))?;
    let colour = |index: usize| amount_colour(index, plan.levels.len());
    for (index, level) in plan.levels.iter().enumerate().rev().filter(|(index, _)| plan.has_band(*index)) {
        chart.draw_series([Polygon::new(level.band(plan.most_gold), pale(colour(index), 0.16).filled())])?;
    }
    for (index, level) in plan.levels.iter().enumerate() {
        chart.draw_series(LineSeries::new(level.line(plan.most_gold), colour(index).stroke_width(LINE_WIDTH)))?;
    }
    let on_chart = |place: &(f64, f64)| place.0 <= plan.most_weak && place.1 <= plan.most_gold;
    chart.draw_series(measured.iter().copied().filter(on_chart).map(dot))?;

    let path = plan.path.iter().map(|step| (step.allocation.n_weak as f64, step.allocation.n_gold as f64));
    let path: Vec<(f64, f64)> = path.take_while(on_chart).collect();
    chart.draw_series([super::marks::dashed(path)])?;
    for budget in answer.budgets_to_split_usd() {
        let nearest = plan
            .path
            .iter()
            .min_by(|a, b| (a.budget_usd / budget).ln().abs().total_cmp(&(b.budget_usd / budget).ln().abs()));
        let place = nearest.map(|step| (step.allocation.n_weak as f64, step.allocation.n_gold as f64));
        if let Some(place) = place.filter(on_chart) {
            draw_marker(chart.plotting_area(), &place, 3, INK)?;
        }
    }
    let style = ("sans-serif", TEXT_SIZE * 4 / 5).into_text_style(area).color(&INK);
    let style = style.pos(Pos::new(HPos::Left, VPos::Bottom));
    for level in &plan.levels {
        if let Some(first) = level.line(plan.most_gold).first() {
            // Above its line, but within the chart.
            let down = if first.1 > 0.85 * plan.most_gold { 24 } else { -3 };
            let label = EmptyElement::at(*first) + Text::new(proportion(level.accuracy), (6, down), style.clone());
            chart.plotting_area().draw(&label)?;
        }
    }
    Ok(())
}

fn key_entries(plan: &Isoquants) -> Vec<(Symbol, String)> {
    let mut entries = vec![(Symbol::Heading, "Expected accuracy".to_owned())];
    let count = plan.levels.len();
    entries.extend(
        plan.levels
            .iter()
            .enumerate()
            .rev()
            .map(|(index, level)| (Symbol::Line(amount_colour(index, count)), proportion(level.accuracy))),
    );
    entries.extend([
        (
            Symbol::Area(pale(amount_colour(count / 2, count), 0.16)),
            if count > MOST_BANDS { "90%, every other" } else { "90% interval" }.to_owned(),
        ),
        (Symbol::Heading, String::new()),
        (Symbol::Dot, "measured".to_owned()),
        (Symbol::Dashed, "best by budget".to_owned()),
        (Symbol::Marker(3, INK), format!("{} to {}", plan.first_budget(), plan.last_budget())),
    ]);
    entries
}

/// So many bands can be told apart; of more levels every other has one.
const MOST_BANDS: usize = 3;

impl Isoquants {
    fn has_band(&self, level: usize) -> bool {
        self.levels.len() <= MOST_BANDS || level.is_multiple_of(2)
    }

    fn first_budget(&self) -> String {
        self.path.first().map_or(String::new(), |step| dollars((step.budget_usd * 1.5).round()))
    }

    fn last_budget(&self) -> String {
        self.path.last().map_or(String::new(), |step| dollars((step.budget_usd / 1.5).round()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn is_well_formed() {
        let svg = isoquants(&answer(), &analysis(), "seq-sft", Columns::One).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }

    #[test]
    fn more_accuracy_needs_more_gold_and_weak_labels_save_some() {
        let plan = Isoquants::new(&answer(), &analysis().surfaces[0]);
        assert!(plan.levels.len() >= 2, "{} levels", plan.levels.len());
        let at_no_weak = |level: &Level| level.points[0].n_gold.median.unwrap_or(f64::INFINITY);
        assert!(plan.levels.windows(2).all(|pair| at_no_weak(&pair[0]) <= at_no_weak(&pair[1])));
        let line = plan.levels[0].line(f64::INFINITY);
        assert!(line.first().unwrap().1 >= line.last().unwrap().1);
        let band = plan.levels[0].band(50.0);
        assert!(band.iter().all(|(_, gold)| *gold <= 50.0));
    }
}
