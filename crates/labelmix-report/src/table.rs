//! The answer as text for the terminal.

use std::collections::BTreeSet;

use comfy_table::{Attribute, Cell};

use crate::notation::{count, dollars, mean_and_deviation, proportion, purchase, rising};
use crate::regimes::regimes_text;
use crate::terminal_plot::cost_accuracy_plot;
use crate::text_table::{Style, align_right, table_with_header};
use crate::{Answer, NotAffordableEntry, SplitEntry};

/// The answer as text: a table and the best splits of each method, the Pareto frontier, and what could not be bought.
pub fn render(answer: &Answer, style: Style) -> String {
    let mut sections = vec![heading(answer)];
    for method in answer.methods() {
        if answer.splits_of(method).next().is_some() {
            sections.push(accuracy_table(answer, method, style));
            sections.push(best_splits(answer, method));
        }
    }
    sections.push(match &answer.own_shares {
        Some(own_shares) if own_shares.matters() => own_shares.table(style),
        _ => String::new(),
    });
    sections.push(regimes_text(&answer.regimes, style));
    sections.push(methods_table(answer, style));
    sections.push(frontier_table(answer, style));
    sections.push(cost_accuracy_plot(answer, style));
    sections.push(not_affordable(answer));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn heading(answer: &Answer) -> String {
    let (weak, gold) = (dollars(answer.prices.weak_usd()), dollars(answer.prices.gold_usd()));
    let quality = answer
        .weak_label_accuracy
        .map_or(String::new(), |accuracy| format!(" and is right {} of the time", proportion(accuracy)));
    let unfinished = if answer.runs.is_empty() { "\nNo run has finished yet." } else { "" };
    format!("{}: a weak label costs {weak}{quality}, a gold label costs {gold}.{unfinished}", answer.study)
}

/// What a table's rows and columns are: budgets and weak fractions, or numbers of weak and of gold labels where there are
/// fewer of these than of fractions, as in a grid of numbers.
fn accuracy_table(answer: &Answer, method: &str, style: Style) -> String {
    let missed = || answer.not_affordable.iter().filter(|missed| missed.method == method);
    let measured = || answer.splits_of(method);
    let fractions = measured().map(|split| split.weak_fraction).chain(missed().map(|missed| missed.weak_fraction));
    let gold = measured().map(|split| split.n_gold).chain(missed().map(|missed| missed.n_gold));
    let by_number = gold.collect::<BTreeSet<_>>().len() < rising(fractions.collect()).len();
    let (title, corner) = if by_number {
        ("numbers of weak (rows) and gold labels (columns)", "weak")
    } else {
        ("budget and weak spending fraction", "budget")
    };
    let place = |budget_usd: f64, weak_fraction: f64, n_weak: usize, n_gold: usize| {
        if by_number { (n_weak as f64, n_gold as f64) } else { (budget_usd, weak_fraction) }
    };
    let place_of = |split: &SplitEntry| place(split.budget_usd, split.weak_fraction, split.n_weak, split.n_gold);
    let missed: Vec<_> =
        missed().map(|missed| place(missed.budget_usd, missed.weak_fraction, missed.n_weak, missed.n_gold)).collect();
    let (rows, columns): (Vec<f64>, Vec<f64>) = measured().map(place_of).chain(missed.iter().copied()).unzip();
    let (rows, columns) = (rising(rows), rising(columns));

    let number = |value: f64| if by_number { count(value as usize) } else { value.to_string() };
    let mut table =
        table_with_header(style, [corner.to_owned()].into_iter().chain(columns.iter().map(|column| number(*column))));
    for row in rows {
        let cells = columns.iter().map(|&column| match measured().find(|split| place_of(split) == (row, column)) {
            Some(split) => split_cell(split),
            // Nothing is split one way alone.
            None if missed.contains(&(row, column)) || !by_number && row == 0.0 => Cell::new("–"),
            None => Cell::new("not run"),
        });
        let name = if by_number { number(row) } else { dollars(row) };
        table.add_row([Cell::new(name)].into_iter().chain(cells));
    }
    align_right(&mut table, &[0]);
    let over_seeds = measured().any(|split| split.seeds > 1);
    let of_budget = if by_number { "* best of its budget" } else { "* best" };
    let legend = if over_seeds { format!("mean ± deviation over seeds, {of_budget}") } else { of_budget.to_owned() };
    format!("{method}: accuracy by {title} ({legend})\n{}", table.trim_fmt())
}

fn split_cell(split: &SplitEntry) -> Cell {
    let accuracy = mean_and_deviation(split.accuracy_mean, split.accuracy_sd);
    if split.best { Cell::new(accuracy + " *").add_attribute(Attribute::Bold) } else { Cell::new(accuracy) }
}

/// A sentence per budget.
fn best_splits(answer: &Answer, method: &str) -> String {
    let sentence = |split: &SplitEntry| {
        format!(
            "{}: best is {} (weak fraction {}), accuracy {}, for {}",
            dollars(split.budget_usd),
            purchase(split.n_weak, split.n_gold),
            split.weak_fraction,
            mean_and_deviation(split.accuracy_mean, split.accuracy_sd),
            dollars(split.cost_usd),
        )
    };
    let sentences: Vec<_> = answer.splits_of(method).filter(|split| split.best).map(sentence).collect();
    sentences.join("\n")
}

/// Rows are methods, columns budgets, cells the best of the purchases that cost no more; for several methods.
fn methods_table(answer: &Answer, style: Style) -> String {
    let best = &answer.methods_within_budgets;
    let methods: Vec<&str> =
        answer.methods().into_iter().filter(|method| best.iter().any(|b| b.method == *method)).collect();
    if methods.len() < 2 {
        return String::new();
    }
    let budgets = rising(best.iter().map(|best| best.budget_usd).collect());
    let header = ["method".to_owned()].into_iter().chain(budgets.iter().map(|budget| dollars(*budget)));
    let mut table = table_with_header(style, header);
    for method in methods {
        let cells = budgets.iter().map(|budget| {
            let here = best.iter().find(|best| best.method == method && best.budget_usd == *budget);
            here.map_or("–".to_owned(), |best| {
                let bought = purchase(best.n_weak, best.n_gold);
                format!("{} ({bought})", mean_and_deviation(best.accuracy_mean, best.accuracy_sd))
            })
        });
        table.add_row([method.to_owned()].into_iter().chain(cells));
    }
    format!("Methods at equal cost: the best of what costs no more than the budget\n{}", table.trim_fmt())
}

fn frontier_table(answer: &Answer, style: Style) -> String {
    if answer.frontier.is_empty() {
        return String::new();
    }
    let mut table = table_with_header(style, ["cost", "accuracy", "method", "weak", "gold"].map(str::to_owned));
    for point in &answer.frontier {
        table.add_row([
            dollars(point.cost_usd),
            proportion(point.accuracy),
            point.method.clone(),
            count(point.n_weak),
            count(point.n_gold),
        ]);
    }
    align_right(&mut table, &[0, 1, 3, 4]);
    format!("Pareto frontier of cost and accuracy\n{}", table.trim_fmt())
}

/// A line per budget, with the weak fractions that it concerns for any method. Of several reasons the first: with
/// the numbers in them they tend to differ from split to split, and the JSON has them all.
fn not_affordable(answer: &Answer) -> String {
    let mut missed: Vec<&NotAffordableEntry> = answer.not_affordable.iter().collect();
    missed.sort_by(|a, b| a.budget_usd.total_cmp(&b.budget_usd));
    let line = |splits: &[&NotAffordableEntry]| {
        let fractions = rising(splits.iter().map(|split| split.weak_fraction).collect());
        let fractions: Vec<_> = fractions.iter().map(f64::to_string).collect();
        let and_others = if splits.iter().any(|split| split.reason != splits[0].reason) { ", …" } else { "" };
        let (budget, reason) = (dollars(splits[0].budget_usd), &splits[0].reason);
        format!("\n{budget} at {}: {reason}{and_others}", fractions.join(", "))
    };
    let lines: String = missed.chunk_by(|a, b| a.budget_usd.total_cmp(&b.budget_usd).is_eq()).map(line).collect();
    if lines.is_empty() { lines } else { "Not affordable (–), budget at weak fraction:".to_owned() + &lines }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::Allocation;
    use labelmix_study::GridPoint;

    use super::*;
    use crate::Colours;
    use crate::worked_example::{answer, answer_without_runs, prices, run};

    #[test]
    fn a_grid_of_numbers_is_shown_by_numbers() {
        let pairs = [0, 40, 300].into_iter().flat_map(|n_weak| [0, 8, 50].map(|n_gold| Allocation { n_weak, n_gold }));
        let point = |allocation: Allocation| GridPoint {
            method: "seq-sft".to_owned(),
            budget_usd: if allocation.n_gold == 50 { 100.0 } else { 40.0 },
            weak_fraction: 0.1 * allocation.n_weak as f64 / prices().cost_usd(allocation),
            allocation,
        };
        let points: Vec<GridPoint> = pairs.filter(|pair| pair.n_weak + pair.n_gold > 0).map(point).collect();
        let runs: Vec<_> = points
            .iter()
            .map(|point| run("seq-sft", point.allocation.n_weak, point.allocation.n_gold, 0))
            .filter(|run| run.allocation.n_weak < 300 || run.allocation.n_gold > 0)
            .collect();
        let answer = Answer::new("reviews", &prices(), &points, &[], &runs, None);
        insta::assert_snapshot!(accuracy_table(&answer, "seq-sft", Style::PLAIN), @r#"
        seq-sft: accuracy by numbers of weak (rows) and gold labels (columns) (* best of its budget)
         weak   0         8        50
        ──────────────────────────────────
            0   not run   .535     .636
           40   .633      .640     .663
          300   not run   .695 *   .715 *
        "#);
    }

    #[test]
    fn the_whole_answer() {
        insta::assert_snapshot!(render(&answer(), Style::PLAIN), @r#"
        reviews: a weak label costs $0.10 and is right .683 of the time, a gold label costs $1.

        seq-sft: accuracy by budget and weak spending fraction (mean ± deviation over seeds, * best)
         budget   0             0.25            1
        ──────────────────────────────────────────────────────
          $4.50   .529 ± .010   .599 ± .010     .648 ± .010 *
            $64   .665 ± .010   .714 ± .010 *   .704 ± .010
           $256   –             –               not run

        $4.50: best is 45 weak (weak fraction 1), accuracy .648 ± .010, for $4.50
        $64: best is 160 weak + 48 gold (weak fraction 0.25), accuracy .714 ± .010, for $64

        few-shot: accuracy by budget and weak spending fraction (* best)
         budget   0      0.25     1
        ──────────────────────────────────
          $4.50   .519   .589     .638 *
            $64   .655   .704 *   .694
           $256   –      –        not run

        $4.50: best is 45 weak (weak fraction 1), accuracy .638, for $4.50
        $64: best is 160 weak + 48 gold (weak fraction 0.25), accuracy .704, for $64

        Methods at equal cost: the best of what costs no more than the budget
         method     $4.50                   $64
        ─────────────────────────────────────────────────────────────────────
         seq-sft    .648 ± .010 (45 weak)   .714 ± .010 (160 weak + 48 gold)
         few-shot   .638 (45 weak)          .704 (160 weak + 48 gold)

        Pareto frontier of cost and accuracy
          cost   accuracy   method    weak   gold
        ──────────────────────────────────────────
            $4       .529   seq-sft      0      4
         $4.50       .648   seq-sft     45      0
           $64       .714   seq-sft    160     48

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

        Not affordable (–), budget at weak fraction:
        $256 at 0, 0.25: 100 gold labels for sale
        "#);
    }

    #[test]
    fn nothing_finished_yet() {
        insta::assert_snapshot!(render(&answer_without_runs(), Style::PLAIN), @"
        reviews: a weak label costs $0.10, a gold label costs $1.
        No run has finished yet.

        Not affordable (–), budget at weak fraction:
        $256 at 0, 0.25: 100 gold labels for sale
        ");
    }

    #[test]
    fn the_best_splits_are_bold_in_colour() {
        let coloured = render(&answer(), Style { colours: Colours::On, width: None });
        let bold: Vec<&str> = coloured.lines().filter(|line| line.contains("\u{1b}[1m")).collect();
        assert_eq!(bold.len(), answer().budgets.iter().filter(|split| split.best).count());
        assert!(bold.iter().all(|line| line.contains('*')), "{bold:?}");
        assert!(!render(&answer(), Style::PLAIN).contains('\u{1b}'));
    }

    #[test]
    fn tables_fit_a_narrow_terminal() {
        let text = render(&answer(), Style { colours: Colours::Off, width: Some(40) });
        let in_table = |line: &&str| line.contains('±') && !line.contains(':') && !line.contains("mean");
        assert!(text.lines().filter(in_table).all(|line| line.chars().count() <= 40), "{text}");
    }
}
