//! Accuracy against cost, drawn with characters.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::answer::distinct_purchases;
use crate::notation::{dollars, proportion};
use crate::{Answer, Style};

/// Rows of the field, and the columns it takes at most and at least.
const ROWS: usize = 9;
const WIDEST: usize = 64;
const NARROWEST: usize = 24;
/// The columns before the field: an accuracy and the axis.
const MARGIN: usize = 7;
const ON_FRONTIER: char = '●';
const DOMINATED: char = '·';

/// Every purchase that was measured, by the logarithm of its cost; empty for fewer than two costs.
pub(crate) fn cost_accuracy_plot(answer: &Answer, style: Style) -> String {
    let purchases = distinct_purchases(&answer.budgets);
    let on_frontier = |method: &str, n_weak, n_gold| {
        answer
            .frontier
            .iter()
            .any(|point| (point.method.as_str(), point.n_weak, point.n_gold) == (method, n_weak, n_gold))
    };
    let points: Vec<(f64, f64, bool)> = purchases
        .iter()
        .map(|split| (split.cost_usd, split.accuracy_mean, on_frontier(&split.method, split.n_weak, split.n_gold)))
        .collect();
    let columns = style.width.map_or(WIDEST, |width| usize::from(width).saturating_sub(MARGIN + 1).min(WIDEST));
    let costs = Costs::of(points.iter().map(|point| point.0), columns.saturating_sub(1));
    let accuracies = Scale::of(points.iter().map(|point| point.1), ROWS - 1);
    let (Some(costs), Some(accuracies)) = (costs, accuracies) else { return String::new() };
    if columns < NARROWEST {
        return String::new();
    }

    let mut marks = BTreeMap::new();
    for (cost, accuracy, best) in points {
        let mark = marks.entry((accuracies.place(accuracy), costs.place(cost))).or_insert(DOMINATED);
        if best {
            *mark = ON_FRONTIER;
        }
    }
    let mut plot = format!("Accuracy against cost ({ON_FRONTIER} on the frontier)\n");
    for row in (0..ROWS).rev() {
        // Every other row, so that labels do not crowd.
        let label = if row % 2 == 0 { proportion(accuracies.value(row)) } else { String::new() };
        let axis = if row % 2 == 0 { '┤' } else { '│' };
        let field: String = (0..columns).map(|column| *marks.get(&(row, column)).unwrap_or(&' ')).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(plot, "{}", format!(" {label:>4} {axis}{field}").trim_end());
    }
    plot + &cost_axis(answer, &costs, columns)
}

/// The axis of costs, with those budgets for which there is room.
fn cost_axis(answer: &Answer, costs: &Costs, columns: usize) -> String {
    let (mut line, mut labels) = (vec!['─'; columns], vec![' '; columns + MARGIN]);
    let mut free_from = 0;
    if costs.before > 0 {
        line[costs.before / 2] = '╱';
    }
    for budget in answer.budgets_usd().into_iter().filter(|budget| costs.contains(*budget)) {
        let column = costs.place(budget);
        let label: Vec<char> = dollars(budget).chars().collect();
        // Under its tick, as far as the edge allows.
        let first = (MARGIN + column).saturating_sub(label.len() / 2).min(labels.len() - label.len());
        if first >= free_from {
            line[column] = '┬';
            labels[first..first + label.len()].copy_from_slice(&label);
            free_from = first + label.len() + 1;
        }
    }
    let [line, labels] = [line, labels].map(String::from_iter);
    format!("      └{line}\n{}", labels.trim_end())
}

/// Costs by their logarithm; left of a break stands what costs nothing.
struct Costs {
    scale: Scale,
    /// The columns that nothing and the break take, if something costs nothing.
    before: usize,
}

impl Costs {
    /// `None` if there are not two different costs above nothing.
    fn of(costs: impl Iterator<Item = f64> + Clone, columns: usize) -> Option<Self> {
        let before = if costs.clone().any(|cost| cost == 0.0) { 6 } else { 0 };
        let scale = Scale::of(costs.filter(|cost| *cost > 0.0).map(f64::ln), columns.saturating_sub(before))?;
        Some(Self { scale, before })
    }

    fn contains(&self, cost: f64) -> bool {
        if cost > 0.0 { self.scale.contains(cost.ln()) } else { self.before > 0 }
    }

    fn place(&self, cost: f64) -> usize {
        if cost > 0.0 { self.before + self.scale.place(cost.ln()) } else { 0 }
    }
}

/// Values from the least to the largest, in equal steps.
struct Scale {
    least: f64,
    largest: f64,
    steps: usize,
}

impl Scale {
    /// `None` if there are not two different values.
    fn of(values: impl Iterator<Item = f64> + Clone, steps: usize) -> Option<Self> {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let largest = values.fold(f64::NEG_INFINITY, f64::max);
        (largest - least > 1e-9).then_some(Self { least, largest, steps })
    }

    fn contains(&self, value: f64) -> bool {
        (self.least - 1e-9..=self.largest + 1e-9).contains(&value)
    }

    fn place(&self, value: f64) -> usize {
        ((value - self.least) / (self.largest - self.least) * self.steps as f64).round() as usize
    }

    fn value(&self, place: usize) -> f64 {
        self.least + (self.largest - self.least) * place as f64 / self.steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;
    use crate::worked_example::{answer, answer_without_runs};

    #[test]
    fn the_purchases_by_their_cost() {
        insta::assert_snapshot!(cost_accuracy_plot(&answer(), Style::PLAIN), @r#"
        Accuracy against cost (● on the frontier)
         .714 ┤                                                               ●
              │                                                               ·
         .666 ┤                                                               ·
              │   ●
         .617 ┤
              │   ·
         .568 ┤
              │
         .519 ┤●
              └───┬───────────────────────────────────────────────────────────┬
                $4.50                                                       $64
        "#);
    }

    #[test]
    fn a_narrow_terminal_gets_a_narrow_plot_or_none() {
        for width in 0..120 {
            let plot = cost_accuracy_plot(&answer(), Style { colours: Colours::Off, width: Some(width) });
            assert!(plot.lines().skip(1).all(|line| line.chars().count() <= usize::from(width)), "{width}: {plot}");
            assert_eq!(plot.is_empty(), usize::from(width) < NARROWEST + MARGIN + 1);
        }
        assert_eq!(cost_accuracy_plot(&answer_without_runs(), Style::PLAIN), "");
    }
}
