//! Prompt against fine-tuning: what examples in the context add to labels that are trained on.

use super::axes::{accuracy_axis, round_cost_axis};
use super::canvas::{Columns, amount_colour, axis_width, chart, panels};
use super::key::Symbol;
use super::marks::{aside, dashed, draw_marked_line};
use super::series::spread;
use crate::prompted::{PromptedMethod, TrainedOn};
use crate::{Answer, SplitEntry};
use labelmix_econ::LabelKind;

/// Draws the accuracy of fine-tuning behind a prompt against its cost, a panel for each kind of labels in the prompt and in
/// training, a line for each number of shots (none is `seq-sft`) with bars of one standard deviation over seeds, and dashed
/// what the same prompts reach without training. `None` without a method that does both. SVG.
pub fn prompt_or_sft(answer: &Answer, prompted: &[PromptedMethod], columns: Columns) -> Option<String> {
    let drawn = Panel::all(answer, prompted);
    let mut shots: Vec<usize> =
        drawn.iter().flat_map(|panel| panel.lines.iter().chain(&panel.alone)).map(|line| line.shots).collect();
    shots.sort_unstable();
    shots.dedup();
    let points = || drawn.iter().flat_map(|panel| panel.lines.iter().chain(&panel.alone)).flat_map(|line| &line.points);
    if drawn.is_empty() || points().next().is_none() {
        return None;
    }
    let key = key_entries(&shots, drawn.iter().any(|panel| !panel.alone.is_empty()));
    let accuracies = accuracy_axis(points().flat_map(|point| [point.low, point.high]));
    Some(panels(columns, drawn.len(), &key, |panel, area| {
        let costs = points().map(|point| point.cost_usd);
        let x = round_cost_axis(costs, axis_width(area));
        let (ends, axis, pixels) = (x.range.clone(), x.clone(), axis_width(area));
        let beside = |cost: f64, place: usize| axis.moved(cost, aside(place, shots.len(), MOST_ASIDE), pixels);
        let panel = &drawn[panel];
        let mut chart = chart(area, &panel.title, ("Cost (US dollars)", x), ("Test accuracy", accuracies.clone()))?;
        for point in panel.alone.iter().flat_map(|line| &line.points) {
            chart.draw_series([dashed(vec![(ends.start, point.accuracy), (ends.end, point.accuracy)])])?;
        }
        for line in panel.lines.iter().chain(&panel.alone) {
            let place = shots.binary_search(&line.shots).unwrap_or(0);
            let colour = amount_colour(place, shots.len());
            let measured =
                |Point { cost_usd, low, accuracy, high }: &Point| (beside(*cost_usd, place), [*low, *accuracy, *high]);
            let measured: Vec<_> = line.points.iter().map(measured).collect();
            draw_marked_line(&mut chart, &measured, place, colour)?;
        }
        Ok(())
    }))
}

/// Numbers of shots at one cost are set apart by no more than this.
const MOST_ASIDE: f64 = 36.0;

struct Panel {
    title: String,
    lines: Vec<Line>,
    /// The same prompts without training.
    alone: Vec<Line>,
}

/// A number of shots by rising cost.
#[derive(Debug)]
struct Line {
    shots: usize,
    points: Vec<Point>,
}

#[derive(Debug)]
struct Point {
    cost_usd: f64,
    accuracy: f64,
    low: f64,
    high: f64,
}

impl Panel {
    fn all(answer: &Answer, prompted: &[PromptedMethod]) -> Vec<Self> {
        let kinds = [LabelKind::Gold, LabelKind::Weak];
        let trainings = [TrainedOn::Weak, TrainedOn::Gold, TrainedOn::Both];
        let pairs = kinds.into_iter().flat_map(|kind| trainings.map(|training| (kind, training)));
        pairs.filter_map(|(kind, training)| Self::new(answer, prompted, kind, training)).collect()
    }

    fn new(answer: &Answer, prompted: &[PromptedMethod], kind: LabelKind, training: TrainedOn) -> Option<Self> {
        let behind = |trained_on: TrainedOn| -> Vec<Line> {
            let of_kind = prompted.iter().filter(|method| method.shots > 0 && method.shot_labels == kind);
            let mut lines: Vec<Line> = of_kind
                .filter(|method| method.trained_on == trained_on)
                .map(|method| Line::new(answer, method, TrainedOn::Both))
                .collect();
            lines.sort_by_key(|line| line.shots);
            lines
        };
        let mut lines = behind(training);
        if lines.is_empty() {
            return None;
        }
        let plain = prompted.iter().find(|method| method.shots == 0);
        lines.splice(0..0, plain.map(|method| Line::new(answer, method, training)));
        let context = if kind == LabelKind::Gold { "gold" } else { "weak" };
        let sft = match training {
            TrainedOn::Weak => "weak",
            TrainedOn::Gold => "gold",
            TrainedOn::Both | TrainedOn::Nothing => "sequential",
        };
        Some(Self { title: format!("{context} in context, {sft} SFT"), lines, alone: behind(TrainedOn::Nothing) })
    }
}

impl Line {
    /// The best split of each budget among those that buy the labels that `training` is on; a prompt's own come on top.
    fn new(answer: &Answer, method: &PromptedMethod, training: TrainedOn) -> Self {
        let bought = |split: &&SplitEntry| match training {
            TrainedOn::Weak => split.n_gold == 0,
            TrainedOn::Gold => split.n_weak == 0,
            TrainedOn::Both | TrainedOn::Nothing => true,
        };
        let splits: Vec<&SplitEntry> = answer.splits_of(&method.method).filter(bought).collect();
        let of_budget = splits.chunk_by(|a, b| a.budget_usd.total_cmp(&b.budget_usd).is_eq());
        let best = of_budget.filter_map(|splits| {
            splits
                .iter()
                .copied()
                .reduce(|best, split| if split.accuracy_mean > best.accuracy_mean { split } else { best })
        });
        let mut points: Vec<Point> = best.map(Point::new).collect();
        // A prompt alone costs the same whatever the budget.
        points.dedup_by(|next, point| next.cost_usd == point.cost_usd);
        Self { shots: method.shots, points }
    }
}

impl Point {
    fn new(split: &SplitEntry) -> Self {
        let (low, high) = spread(split.accuracy_mean, split.accuracy_sd);
        Self { cost_usd: split.cost_usd, accuracy: split.accuracy_mean, low, high }
    }
}

fn key_entries(shots: &[usize], alone: bool) -> Vec<(Symbol, String)> {
    let entry = |(place, count): (usize, &usize)| {
        let text = if *count == 0 { "no prompt".to_owned() } else { format!("{count} shots") };
        (Symbol::MarkedLine(place, amount_colour(place, shots.len())), text)
    };
    let mut entries: Vec<(Symbol, String)> = shots.iter().enumerate().map(entry).collect();
    if alone {
        entries.push((Symbol::Dashed, "prompt alone".to_owned()));
    }
    entries.push((Symbol::Bar, "± s.d. over seeds".to_owned()));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::answer;

    fn prompted(method: &str, shots: usize, trained_on: TrainedOn) -> PromptedMethod {
        PromptedMethod { method: method.to_owned(), shots, shot_labels: LabelKind::Gold, trained_on }
    }

    #[test]
    fn a_panel_for_each_pair_of_labels_and_a_line_for_each_number_of_shots() {
        let methods = [prompted("seq-sft", 0, TrainedOn::Both), prompted("few-shot", 8, TrainedOn::Gold)];
        let panels = Panel::all(&answer(), &methods);
        let line = |line: &Line| {
            let points = line.points.iter().map(|p| format!("${:.2} {:.3} to {:.3}", p.cost_usd, p.low, p.high));
            format!("{} shots: {}", line.shots, points.collect::<Vec<_>>().join(", "))
        };
        let text = panels
            .iter()
            .map(|panel| format!("{}\n{}", panel.title, panel.lines.iter().map(line).collect::<Vec<_>>().join("\n")));
        insta::assert_snapshot!(text.collect::<Vec<_>>().join("\n"), @r"
        gold in context, gold SFT
        0 shots: $4.00 0.519 to 0.539, $64.00 0.655 to 0.675
        8 shots: $4.50 0.638 to 0.638, $64.00 0.704 to 0.704
        ");
        roxmltree::Document::parse(&prompt_or_sft(&answer(), &methods, Columns::Two).unwrap()).unwrap();
    }

    #[test]
    fn a_prompt_by_itself_is_dashed_and_no_figure_alone() {
        let alone = prompted("few-shot", 8, TrainedOn::Nothing);
        assert!(prompt_or_sft(&answer(), std::slice::from_ref(&alone), Columns::One).is_none());
        let methods = [prompted("seq-sft", 2, TrainedOn::Both), alone];
        let panels = Panel::all(&answer(), &methods);
        assert_eq!((panels.len(), panels[0].alone.len()), (1, 1));
        let texts = key_entries(&[2, 8], true).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts, ["2 shots", "8 shots", "prompt alone", "± s.d. over seeds"]);
    }
}
