//! The grid that imported runs stand on: which budget each belongs to, and how it splits it.

use labelmix_econ::{Allocation, Prices, allocation_for};
use labelmix_study::{GridPoint, budget_that_pays, weak_share};

use labelmix_store::RunRecord;

/// The budgets of the published sweeps, in gold labels.
pub const PUBLISHED_BUDGETS: [f64; 9] = [8.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2560.0, 4096.0, 8192.0];

/// Their weak spending fractions. Where several buy the same, the first stands for them: labels of one kind are all of it.
const PUBLISHED_FRACTIONS: [f64; 8] = [0.0, 1.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95];

/// A point for each method and allocation: on the smallest budget that pays for it, with the published fraction that buys
/// it where there is one, else with the share of its cost that goes to weak labels, to the hundredth. Runs that cost more
/// than the largest budget have no point.
pub fn published_points(records: &[RunRecord], prices: &Prices, budgets: &[f64]) -> Vec<GridPoint> {
    let mut purchases: Vec<(&str, Allocation)> =
        records.iter().map(|record| (record.method.as_str(), record.allocation)).collect();
    purchases.sort_unstable();
    purchases.dedup();
    let mut points = Vec::new();
    for (method, allocation) in purchases {
        let Some(budget_usd) = budget_that_pays(prices.cost_usd(allocation), budgets) else { continue };
        let buys_this = |fraction: &&f64| allocation_for(budget_usd, **fraction, prices) == Ok(allocation);
        let published = PUBLISHED_FRACTIONS.iter().find(buys_this).copied();
        let weak_fraction = published.unwrap_or_else(|| weak_share(allocation, prices));
        points.push(GridPoint { method: method.to_owned(), budget_usd, weak_fraction, allocation });
    }
    points
}

#[cfg(test)]
mod tests {
    use labelmix_methods::test_metrics;

    use super::*;

    fn record(n_weak: usize, n_gold: usize) -> RunRecord {
        RunRecord {
            run: format!("nw={n_weak}_no={n_gold}"),
            method: "seq_sft".to_owned(),
            task: "boolq".to_owned(),
            model: "tiny".to_owned(),
            seed: 0,
            allocation: Allocation { n_weak, n_gold },
            cost_usd: None,
            metrics: test_metrics(&[1.0], &[true]),
        }
    }

    #[test]
    fn published_allocations_stand_on_published_budgets_and_fractions() {
        let records: Vec<RunRecord> =
            [(640, 0), (610, 3), (520, 12), (390, 25), (40, 60), (0, 64), (80, 0), (70, 1), (100, 4), (99_999, 0)]
                .map(|(n_weak, n_gold)| record(n_weak, n_gold))
                .into();
        let line = |point: GridPoint| {
            let GridPoint { budget_usd, weak_fraction, allocation, .. } = point;
            format!("{} + {}: ${budget_usd}, {weak_fraction}", allocation.n_weak, allocation.n_gold)
        };
        let prices = Prices::new(0.1, 1.0).unwrap();
        let points = published_points(&records, &prices, &PUBLISHED_BUDGETS);
        insta::assert_snapshot!(points.into_iter().map(line).collect::<Vec<_>>().join("\n"), @"
        0 + 64: $64, 0
        40 + 60: $64, 0.05
        70 + 1: $8, 0.8
        80 + 0: $8, 1
        100 + 4: $16, 0.71
        390 + 25: $64, 0.6
        520 + 12: $64, 0.8
        610 + 3: $64, 0.95
        640 + 0: $64, 1
        ");
    }
}
