//! The grid: which labels each method buys with each budget, and which of that can be bought.

use std::collections::BTreeSet;

use labelmix_econ::{Allocation, LabelKind, Prices, allocation_for};
use labelmix_methods::{Method, UsableSplits};

use crate::error::Result;
use crate::points::GridPoint;
use crate::study::{GridTable, NamedMethod, Study};

/// A point of the grid that is wanted; `refusal` says why it makes no sense whatever is for sale.
pub struct WantedPoint {
    pub(crate) point: GridPoint,
    pub(crate) refusal: Option<String>,
    /// Whether the study names these numbers of labels.
    pub(crate) is_exact: bool,
}

/// All points of the grid, in the order of methods; of each, budgets and fractions before numbers of labels. What a method
/// needs whatever the split is paid first; the rest is split in every way that makes sense to the method.
///
/// # Errors
/// If the prices or the grid make no sense.
pub fn wanted_points(study: &Study, prices: &Prices, methods: &[NamedMethod]) -> Result<Vec<WantedPoint>> {
    let mut points = Vec::new();
    for method in methods {
        let split = points_of_budgets(&study.grid, prices, method)?;
        let counted = points_of_counts(&study.grid, prices, method);
        let is_new = |wanted: &WantedPoint| split.iter().all(|other| !other.point.buys_the_same(&wanted.point));
        let counted: Vec<_> = counted.into_iter().filter(is_new).collect();
        points.extend(split);
        points.extend(counted);
    }
    Ok(points)
}

/// Every budget, split in every way; none if the grid names numbers of labels only. What costs nothing has a budget of $0
/// too.
fn points_of_budgets(grid: &GridTable, prices: &Prices, named: &NamedMethod) -> Result<Vec<WantedPoint>> {
    let NamedMethod { name, method, .. } = named;
    let extra_usd = prices.bill_usd(method.extra());
    let mut points = Vec::new();
    if grid.weak_fractions.is_empty() {
        return Ok(points);
    }
    let is_free = extra_usd == 0.0 && !method.stages(Allocation::default()).is_empty();
    for budget_usd in is_free.then_some(0.0).into_iter().chain(grid.budgets.iter().copied()) {
        let left = budget_usd - extra_usd;
        // Sums of prices in floating point may miss a budget that they exactly use up.
        let within = left >= -1e-9 * budget_usd;
        let fractions = fractions(&**method, if budget_usd > 0.0 { &grid.weak_fractions } else { &[0.0] });
        for weak_fraction in fractions {
            let split = match method.splits() {
                UsableSplits::Nothing => Allocation::default(),
                _ => allocation_for(left.max(0.0), weak_fraction, prices)?,
            };
            let refusal = if !within {
                let extra = method.extra();
                Some(format!("its {} shots cost ${extra_usd}", extra.n_weak + extra.n_gold))
            } else if method.stages(split).is_empty() {
                let left = if extra_usd > 0.0 { "what its shots leave of the budget" } else { "the budget" };
                Some(format!("{left} buys no label"))
            } else {
                None
            };
            let point =
                GridPoint { method: name.clone(), budget_usd, weak_fraction, allocation: with_extra(&**method, split) };
            points.push(WantedPoint { point, refusal, is_exact: false });
        }
    }
    Ok(points)
}

/// Every number of weak labels with every number of gold ones; the numbers of one kind for a method that trains on one.
fn points_of_counts(grid: &GridTable, prices: &Prices, named: &NamedMethod) -> Vec<WantedPoint> {
    let NamedMethod { name, method, .. } = named;
    if grid.weak_counts.is_empty() {
        return Vec::new();
    }
    let none = &[0][..];
    let (weak_counts, gold_counts) = match method.splits() {
        UsableSplits::Nothing => (none, none),
        UsableSplits::One(LabelKind::Weak) => (&grid.weak_counts[..], none),
        UsableSplits::One(LabelKind::Gold) => (none, &grid.gold_counts[..]),
        UsableSplits::All => (&grid.weak_counts[..], &grid.gold_counts[..]),
    };
    let pairs =
        weak_counts.iter().flat_map(|&n_weak| gold_counts.iter().map(move |&n_gold| Allocation { n_weak, n_gold }));
    let pairs: BTreeSet<Allocation> = pairs.filter(|split| !method.stages(*split).is_empty()).collect();
    let point = |split: Allocation| {
        let allocation = with_extra(&**method, split);
        let cost_usd = prices.bill_usd(allocation);
        let budget = if cost_usd > 0.0 { budget_that_pays(cost_usd, &grid.budgets) } else { Some(0.0) };
        let refusal = budget.is_none().then(|| format!("it costs ${cost_usd}, more than the largest budget"));
        let weak_fraction = weak_share(split, prices);
        let budget_usd = budget.unwrap_or(cost_usd);
        WantedPoint {
            point: GridPoint { method: name.clone(), budget_usd, weak_fraction, allocation },
            refusal,
            is_exact: true,
        }
    };
    pairs.into_iter().map(point).collect()
}

/// The smallest budget that pays for something.
pub fn budget_that_pays(cost_usd: f64, budgets: &[f64]) -> Option<f64> {
    // Sums of prices in floating point may miss a budget that they exactly use up.
    budgets.iter().copied().filter(|budget| cost_usd <= budget * (1.0 + 1e-9)).min_by(f64::total_cmp)
}

/// The share of the cost of these labels that goes to weak ones, to the hundredth; 0 for nothing.
pub fn weak_share(allocation: Allocation, prices: &Prices) -> f64 {
    let cost_usd = prices.cost_usd(allocation);
    let weak_usd = prices.cost_usd(Allocation { n_gold: 0, ..allocation });
    if cost_usd > 0.0 { (weak_usd / cost_usd * 100.0).round() / 100.0 } else { 0.0 }
}

/// The weak spending fractions that make sense to a method.
fn fractions(method: &dyn Method, grid: &[f64]) -> Vec<f64> {
    let of_kind = |kind| if kind == LabelKind::Weak { 1.0 } else { 0.0 };
    match method.splits() {
        UsableSplits::All => grid.to_vec(),
        UsableSplits::One(kind) => vec![of_kind(kind)],
        UsableSplits::Nothing => {
            vec![of_kind(if method.extra().n_weak > 0 { LabelKind::Weak } else { LabelKind::Gold })]
        }
    }
}

/// A split with what its method needs whatever the split.
fn with_extra(method: &dyn Method, split: Allocation) -> Allocation {
    let extra = method.extra();
    Allocation { n_weak: split.n_weak + extra.n_weak, n_gold: split.n_gold + extra.n_gold }
}

/// What a point buys by splitting: all but what its method needs whatever the split.
pub fn split_of(method: &dyn Method, allocation: Allocation) -> Allocation {
    let extra = method.extra();
    Allocation { n_weak: allocation.n_weak - extra.n_weak, n_gold: allocation.n_gold - extra.n_gold }
}

/// The seeds in their order, each once.
pub fn distinct(seeds: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    seeds.iter().copied().filter(|seed| seen.insert(*seed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The points of a study's grid, a line each.
    fn points(grid: &str, methods: &str) -> String {
        let study = format!(
            "name = 'counts'\n[task]\ntrain = 'train.jsonl'\ntest = 'test.jsonl'\n[model]\npath = 'model'\n[grid]\n{grid}\n{methods}"
        );
        let study: Study = toml::from_str(&study).unwrap();
        let prices = Prices::new(0.1, 1.0).unwrap();
        let line = |WantedPoint { point, refusal, .. }: WantedPoint| {
            let GridPoint { method, budget_usd, weak_fraction, allocation: Allocation { n_weak, n_gold } } = point;
            let refusal = refusal.map_or(String::new(), |reason| format!(": {reason}"));
            format!("{method} ${budget_usd} at {weak_fraction}: {n_weak} + {n_gold}{refusal}")
        };
        let wanted = wanted_points(&study, &prices, &study.configured_methods()).unwrap();
        wanted.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_of_labels_go_with_each_other_on_the_smallest_budget_that_pays() {
        let grid = "budgets = [16, 64]\nweak_counts = [160, 0, 160]\ngold_counts = [0, 8, 64]";
        insta::assert_snapshot!(points(grid, "[[methods]]\nname = 'seq-sft'"), @"
        seq-sft $16 at 0: 0 + 8
        seq-sft $64 at 0: 0 + 64
        seq-sft $16 at 1: 160 + 0
        seq-sft $64 at 0.67: 160 + 8
        seq-sft $80 at 0.2: 160 + 64: it costs $80, more than the largest budget
        ");
    }

    #[test]
    fn numbers_and_fractions_buy_the_same_once() {
        let grid = "budgets = [16]\nweak_fractions = [0, 1]\nweak_counts = [0, 80]\ngold_counts = [0, 8, 16]";
        insta::assert_snapshot!(points(grid, "[[methods]]\nname = 'seq-sft'"), @r#"
        seq-sft $16 at 0: 0 + 16
        seq-sft $16 at 1: 160 + 0
        seq-sft $16 at 0: 0 + 8
        seq-sft $16 at 1: 80 + 0
        seq-sft $16 at 0.5: 80 + 8
        seq-sft $24 at 0.33: 80 + 16: it costs $24, more than the largest budget
        "#);
    }

    #[test]
    fn a_method_gets_the_numbers_that_make_sense_to_it() {
        let grid = "budgets = [16]\nweak_counts = [0, 80]\ngold_counts = [0, 8]";
        let methods = "[[methods]]\nname = 'few-shot'\n[[methods]]\nname = 'zero-shot'\n\
                       [[methods]]\nname = 'most-confident'\n\
                       [[methods]]\nname = 'few-shot-sft'\n\
                       [[methods]]\nname = 'weak-sft'\nmethod = 'few-shot-sft'\nsft = 'weak'";
        insta::assert_snapshot!(points(grid, methods), @r#"
        few-shot $16 at 0: 0 + 8
        zero-shot $0 at 0: 0 + 0
        most-confident $16 at 0: 0 + 8
        most-confident $16 at 1: 80 + 0
        most-confident $16 at 0.5: 80 + 8
        few-shot-sft $16 at 0: 0 + 10
        few-shot-sft $16 at 1: 80 + 2
        few-shot-sft $18 at 0.5: 80 + 10: it costs $18, more than the largest budget
        weak-sft $16 at 1: 80 + 2
        "#);
    }
}
