//! How stages learned.

use labelmix_econ::LabelKind;
use labelmix_store::StageOutcome;
use plotters::prelude::*;

use super::axes::{accuracy_axis, exact_axis};
use super::canvas::{Area, Columns, DrawError, amount_colour, axis_width, chart, pale, panels};
use super::key::Symbol;
use crate::notation::{count, number};

/// Draws how well each stage ranked its validation labels as it learned (AUROC), a line for each seed, coloured by
/// the number of labels, of stages that validate on eight labels or more, a panel for weak labels, for gold ones, and for gold after weak; a mark where the kept
/// checkpoint is. `None` where no stage could be validated. SVG.
pub fn learning_curves(stages: &[StageOutcome], columns: Columns) -> Option<String> {
    let panels_of = Panel::all(stages);
    if panels_of.is_empty() {
        return None;
    }
    let counts = counts(&panels_of);
    Some(panels(columns, panels_of.len(), &key_entries(&counts), |panel, area| {
        draw_chart(area, &panels_of[panel], &counts)
    }))
}

/// On fewer validation labels an AUROC is a coin's toss, 0 or 1 as like as not.
const FEWEST_VALIDATED: usize = 8;

struct Panel {
    title: &'static str,
    lines: Vec<Line>,
}

struct Line {
    /// The number of labels of the stage.
    labels: usize,
    /// Steps and AUROC.
    points: Vec<(f64, f64)>,
    /// The place of the kept checkpoint.
    best: Option<(f64, f64)>,
}

impl Panel {
    fn all(stages: &[StageOutcome]) -> Vec<Self> {
        let kinds = [
            ("weak labels", LabelKind::Weak, false),
            ("weak after others", LabelKind::Weak, true),
            ("gold labels", LabelKind::Gold, false),
            ("gold after weak", LabelKind::Gold, true),
        ];
        let panel = |(title, kind, after)| {
            let of_kind = stages.iter().filter(|stage| stage.labels == kind && stage.parent.is_some() == after);
            let lines: Vec<Line> = of_kind.filter_map(Line::new).collect();
            (!lines.is_empty()).then_some(Self { title, lines })
        };
        kinds.into_iter().filter_map(panel).collect()
    }
}

impl Line {
    fn new(stage: &StageOutcome) -> Option<Self> {
        let history = stage.history.as_ref().filter(|history| history.n_validation >= FEWEST_VALIDATED)?;
        let evaluations = history.validation.iter().filter(|point| point.step > 0);
        let points: Vec<(f64, f64)> = evaluations.filter_map(|point| Some((point.step as f64, point.auroc?))).collect();
        let best = points.iter().copied().find(|(step, _)| *step == history.best_step as f64);
        (points.len() > 1).then_some(Self { labels: stage.count, points, best })
    }
}

/// The distinct numbers of labels, rising: at most six, evenly chosen, have entries in the key.
fn counts(panels: &[Panel]) -> Vec<usize> {
    let mut counts: Vec<usize> = panels.iter().flat_map(|panel| &panel.lines).map(|line| line.labels).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

fn draw_chart(area: &Area<'_>, panel: &Panel, counts: &[usize]) -> Result<(), DrawError> {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let (first, last) =
        points().fold((f64::INFINITY, 0f64), |(low, high), (step, _)| (low.min(*step), high.max(*step)));
    let x = exact_axis(first / 1.2..last * 1.2, axis_width(area), number);
    let y = accuracy_axis(points().map(|(_, auroc)| *auroc));
    let mut chart = chart(area, panel.title, ("Optimisation steps", x), ("Validation AUROC", y))?;
    let place = |line: &Line| counts.binary_search(&line.labels).unwrap_or(0);
    for line in &panel.lines {
        let colour = pale(amount_colour(place(line), counts.len()), 0.75);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
    }
    for line in &panel.lines {
        if let Some(best) = line.best {
            let colour = amount_colour(place(line), counts.len());
            chart.plotting_area().draw(&Circle::new(best, 6, colour.filled()))?;
        }
    }
    Ok(())
}

fn key_entries(counts: &[usize]) -> Vec<(Symbol, String)> {
    const MOST: usize = 7;
    let shown = counts.len().min(MOST);
    let places = (0..shown).map(|entry| entry * (counts.len() - 1) / shown.saturating_sub(1).max(1));
    let mut entries = vec![(Symbol::Heading, "Labels:".to_owned())];
    entries.extend(places.map(|place| (Symbol::Line(amount_colour(place, counts.len())), count(counts[place]))));
    entries.push((Symbol::Dot, "kept checkpoint".to_owned()));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::stages;

    #[test]
    fn a_panel_for_each_kind_of_stage_and_a_line_for_each() {
        let panels = Panel::all(&stages());
        let line = |panel: &Panel| {
            let line =
                |line: &Line| format!("{} labels, {} points, best {:?}", line.labels, line.points.len(), line.best);
            format!("{}: {}", panel.title, panel.lines.iter().map(line).collect::<Vec<_>>().join("; "))
        };
        insta::assert_snapshot!(panels.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        weak labels: 160 labels, 4 points, best Some((30.0, 0.65))
        gold labels: 64 labels, 4 points, best Some((30.0, 0.65))
        gold after weak: 48 labels, 4 points, best Some((30.0, 0.65))
        "#);
        roxmltree::Document::parse(&learning_curves(&stages(), Columns::Two).unwrap()).unwrap();
        assert!(learning_curves(&[], Columns::Two).is_none());
    }
}
