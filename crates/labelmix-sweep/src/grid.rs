//! The grid: which labels each method buys with each budget, and which of that can be bought.

use std::collections::BTreeSet;

use labelmix_data::Example;
use labelmix_econ::{Allocation, LabelKind, Prices, allocation_for};
use labelmix_elicit::{Method, Splits};

use crate::error::Result;
use crate::record::{GridPoint, NotAffordable};
use crate::study::{NamedMethod, Study};

/// A point of the grid that is wanted; `refusal` says why it makes no sense whatever is for sale.
pub(crate) struct WantedPoint {
    point: GridPoint,
    refusal: Option<String>,
}

/// All points of the grid, in the order of methods, budgets and fractions. What a method needs whatever the split is paid
/// first; the rest is split in every way that makes sense to the method.
pub(crate) fn wanted_points(study: &Study, prices: &Prices, methods: &[NamedMethod]) -> Result<Vec<WantedPoint>> {
    let mut points = Vec::new();
    for NamedMethod { name, method, .. } in methods {
        let extra = method.extra();
        let extra_usd = prices.bill_usd(extra);
        for &budget_usd in &study.grid.budgets {
            let left = budget_usd - extra_usd;
            // Sums of prices in floating point may miss a budget that they exactly use up.
            let within = left >= -1e-9 * budget_usd;
            for weak_fraction in fractions(&**method, &study.grid.weak_fractions) {
                let split = match method.splits() {
                    Splits::Nothing => Allocation::default(),
                    _ => allocation_for(left.max(0.0), weak_fraction, prices)?,
                };
                let refusal = if !within {
                    Some(format!("its {} shots cost ${extra_usd}", extra.n_weak + extra.n_gold))
                } else if method.stages(split).is_empty() {
                    let left = if extra_usd > 0.0 { "what its shots leave of the budget" } else { "the budget" };
                    Some(format!("{left} buys no label"))
                } else {
                    None
                };
                let allocation =
                    Allocation { n_weak: split.n_weak + extra.n_weak, n_gold: split.n_gold + extra.n_gold };
                let point = GridPoint { method: name.clone(), budget_usd, weak_fraction, allocation };
                points.push(WantedPoint { point, refusal });
            }
        }
    }
    Ok(points)
}

/// The weak spending fractions that make sense to a method.
fn fractions(method: &dyn Method, grid: &[f64]) -> Vec<f64> {
    let of_kind = |kind| if kind == LabelKind::Weak { 1.0 } else { 0.0 };
    match method.splits() {
        Splits::All => grid.to_vec(),
        Splits::One(kind) => vec![of_kind(kind)],
        Splits::Nothing => vec![of_kind(if method.extra().n_weak > 0 { LabelKind::Weak } else { LabelKind::Gold })],
    }
}

/// What a point buys by splitting: all but what its method needs whatever the split.
pub(crate) fn split_of(method: &dyn Method, allocation: Allocation) -> Allocation {
    let extra = method.extra();
    Allocation { n_weak: allocation.n_weak - extra.n_weak, n_gold: allocation.n_gold - extra.n_gold }
}

/// How many gold labels are for sale unless the study says so.
///
/// As many as any point asks for, but at most half of the examples that could be sold either way (and all that could only
/// be sold as gold), so that a large grid leaves something to label weakly. If a method chooses which gold labels it
/// buys, there have to be more to choose from: all that the grid does not buy weakly.
pub(crate) fn default_gold_pool(train: &[Example], points: &[WantedPoint], methods: &[NamedMethod]) -> usize {
    let wanted =
        |count: fn(Allocation) -> usize| points.iter().map(|wanted| count(wanted.point.allocation)).max().unwrap_or(0);
    let either = train.iter().filter(|example| example.gold.is_some() && example.weak.is_some()).count();
    let only_gold = train.iter().filter(|example| example.weak.is_none()).count();
    let only_weak = train.len() - either - only_gold;
    let smallest = wanted(|allocation| allocation.n_gold).min(only_gold + either / 2);
    if !methods.iter().any(|named| named.method.chooses_gold()) {
        return smallest;
    }
    let weak = wanted(|allocation| allocation.n_weak).saturating_sub(only_weak).min(either);
    smallest.max(only_gold + either - weak)
}

/// Separates the points that the pools can serve from those that they cannot.
pub(crate) fn affordable(points: Vec<WantedPoint>, pools: Allocation) -> (Vec<GridPoint>, Vec<NotAffordable>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for WantedPoint { point, refusal } in points {
        let Allocation { n_weak, n_gold } = point.allocation;
        let mut missing: Vec<String> = refusal.into_iter().collect();
        if n_weak > pools.n_weak {
            missing.push(format!("{n_weak} weak labels wanted, {} for sale", pools.n_weak));
        }
        if n_gold > pools.n_gold {
            missing.push(format!("{n_gold} gold labels wanted, {} for sale", pools.n_gold));
        }
        if missing.is_empty() {
            can.push(point);
        } else {
            cannot.push(NotAffordable { point, reason: missing.join("; ") });
        }
    }
    (can, cannot)
}

/// The seeds in their order, each once.
pub(crate) fn distinct(seeds: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    seeds.iter().copied().filter(|seed| seen.insert(*seed)).collect()
}
