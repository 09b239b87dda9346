//! Scaling: what each budget buys with models of different sizes.

use super::axes::{accuracy_axis, models_axis};
use super::canvas::{Columns, amount_colour, axis_width, chart, panels};
use super::key::{Symbol, budget_entries};
use super::marks::{aside, dashed, draw_marked_line};
use super::series::spread;
use crate::notation::{parameters, rising};
use crate::overview::{Model, TaskAnswers};
use crate::{Answer, WithinBudget};

/// Draws the best accuracy that a method reaches within each budget against the models' size (logarithmic; by their order
/// where sizes are not known, or equal): a panel for each task, a line for each budget with bars of one standard deviation
/// over seeds, and the weak labels' accuracy dashed. `None` unless two models have the method on some task. SVG.
pub(crate) fn scaling(models: &[Model], tasks: &[TaskAnswers<'_>], method: &str, columns: Columns) -> Option<String> {
    let answers = || tasks.iter().flat_map(|task| &task.answers);
    let budgets = rising(answers().flat_map(|(_, answer)| answer.budgets_usd()).collect());
    let drawn: Vec<Panel> = tasks.iter().filter_map(|task| Panel::new(task, method, &budgets)).collect();
    if drawn.is_empty() {
        return None;
    }
    let sizes = sizes(models);
    let accuracies = accuracy_axis(drawn.iter().flat_map(Panel::accuracies));
    let key = key_entries(models, sizes.as_deref(), &budgets, &drawn);
    Some(panels(columns, drawn.len(), &key, |panel, area| {
        let Panel { title, lines, weak_label_accuracy } = &drawn[panel];
        let pixels = axis_width(area);
        let axis = models_axis(sizes.as_deref(), models.len(), pixels);
        let ends = axis.range.clone();
        let place = |model: usize| sizes.as_ref().map_or(model as f64, |sizes| sizes[model]);
        let beside = |model, budget| axis.moved(place(model), aside(budget, budgets.len(), MOST_ASIDE), pixels);
        let x_title = if sizes.is_some() { "Parameters of the model" } else { "Model" };
        let accuracies = ("Best accuracy in budget", accuracies.clone());
        let mut chart = chart(area, title, (x_title, axis.clone()), accuracies)?;
        if let Some(accuracy) = *weak_label_accuracy {
            chart.draw_series([dashed(vec![(ends.start, accuracy), (ends.end, accuracy)])])?;
        }
        for Line { budget, points } in lines {
            let colour = amount_colour(*budget, budgets.len());
            let measured =
                |Point { model, low, accuracy, high }: &Point| (beside(*model, *budget), [*low, *accuracy, *high]);
            let measured: Vec<_> = points.iter().map(measured).collect();
            draw_marked_line(&mut chart, &measured, *budget, colour)?;
        }
        Ok(())
    }))
}

/// Budgets of one model are set apart by no more than this.
const MOST_ASIDE: f64 = 36.0;

struct Panel {
    title: String,
    lines: Vec<Line>,
    /// The mean over the models, which may have seen other weak labels.
    weak_label_accuracy: Option<f64>,
}

/// A budget by rising size of the model.
struct Line {
    /// The budget's place among the figure's.
    budget: usize,
    points: Vec<Point>,
}

struct Point {
    model: usize,
    low: f64,
    accuracy: f64,
    high: f64,
}

impl Panel {
    fn new(TaskAnswers { task, answers }: &TaskAnswers<'_>, method: &str, budgets: &[f64]) -> Option<Self> {
        let line = |budget: usize| {
            let points =
                answers.iter().filter_map(|(model, answer)| Point::new(*model, answer, method, budgets[budget]));
            Line { budget, points: points.collect() }
        };
        let lines: Vec<Line> = (0..budgets.len()).map(line).filter(|line| !line.points.is_empty()).collect();
        let weak: Option<Vec<f64>> = answers.iter().map(|(_, answer)| answer.weak_label_accuracy).collect();
        let several = lines.iter().any(|line| line.points.len() > 1);
        several.then(|| Self {
            title: (*task).to_owned(),
            lines,
            weak_label_accuracy: weak.and_then(|weak| labelmix_stats::mean(&weak)),
        })
    }

    fn accuracies(&self) -> impl Iterator<Item = f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.flat_map(|point| [point.low, point.high]).chain(self.weak_label_accuracy)
    }
}

impl Point {
    fn new(model: usize, answer: &Answer, method: &str, budget_usd: f64) -> Option<Self> {
        let here = |best: &&WithinBudget| best.method == method && best.budget_usd == budget_usd;
        let WithinBudget { accuracy_mean, accuracy_sd, .. } = *answer.methods_within_budgets.iter().find(here)?;
        let (low, high) = spread(accuracy_mean, accuracy_sd);
        Some(Self { model, low, accuracy: accuracy_mean, high })
    }
}

/// The models' sizes, if all are known and no two are so close that they could not be told apart.
fn sizes(models: &[Model]) -> Option<Vec<f64>> {
    const APART: f64 = 1.05;
    let sizes: Vec<f64> = models.iter().map(|model| Some(model.parameters? as f64)).collect::<Option<_>>()?;
    sizes.windows(2).all(|pair| pair[1] >= APART * pair[0]).then_some(sizes)
}

/// The budgets, and which model is where.
fn key_entries(models: &[Model], sizes: Option<&[f64]>, budgets: &[f64], drawn: &[Panel]) -> Vec<(Symbol, String)> {
    let heading = |text: &str| (Symbol::Heading, text.to_owned());
    let is_drawn = |budget| drawn.iter().flat_map(|panel| &panel.lines).any(|line| line.budget == budget);
    let mut entries = budget_entries(budgets, is_drawn);
    if drawn.iter().any(|panel| panel.weak_label_accuracy.is_some()) {
        entries.push((Symbol::Dashed, "weak labels".to_owned()));
    }
    let points = drawn.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    if points.into_iter().any(|point| point.high > point.low) {
        entries.push((Symbol::Bar, "± s.d. over seeds".to_owned()));
    }
    for (number, model) in models.iter().enumerate() {
        let place = sizes.map_or_else(|| (number + 1).to_string(), |sizes| parameters(sizes[number]));
        entries.push(heading(&format!("{place}: {}", model.name)));
    }
    entries
}
