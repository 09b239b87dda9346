//! What a study asks, as the store has it; of a store that does not say, as its runs let one guess.

use std::collections::HashSet;

use labelmix_econ::{LabelKind, Prices};
use labelmix_store::{FinishedRun, RunRecord, StudyQuestion};
use labelmix_study::{GridPoint, PricesTable};

/// The question of runs whose store does not say which budgets they belong to: what each purchase costs is a budget of its
/// own. Prices are those of the ledgers.
pub(crate) fn guessed(runs: &[impl AsRef<FinishedRun>]) -> StudyQuestion {
    let usual = PricesTable::default().first().expect("the usual prices are prices");
    let price = |kind: LabelKind| {
        let uses = runs.iter().filter_map(|run| run.as_ref().file.labels.as_ref()).flat_map(|ledger| &ledger.uses);
        let (paid, cost_usd) = uses
            .filter(|of| of.kind == kind)
            .fold((0, 0.0), |(paid, cost_usd), of| (paid + of.paid, cost_usd + of.cost_usd));
        // A price was a person's number before it was multiplied and divided.
        if paid > 0 { rounded(cost_usd / paid as f64) } else { usual.price_usd(kind) }
    };
    let prices = Prices::new(price(LabelKind::Weak), price(LabelKind::Gold)).unwrap_or(usual);
    let mut seen = HashSet::new();
    let records = runs.iter().map(|run| &run.as_ref().file.record);
    let distinct = records.filter(|record| seen.insert((record.method.as_str(), record.allocation)));
    let point = |record: &RunRecord| {
        let cost_usd = record.cost_usd.unwrap_or_else(|| prices.bill_usd(record.allocation));
        let weak_usd = record.allocation.n_weak as f64 * prices.weak_usd();
        GridPoint {
            method: record.method.clone(),
            budget_usd: cost_usd,
            weak_fraction: if cost_usd > 0.0 { (weak_usd / cost_usd).clamp(0.0, 1.0) } else { 0.0 },
            allocation: record.allocation,
        }
    };
    StudyQuestion {
        study_file: None,
        prices,
        points: distinct.map(point).collect(),
        not_affordable: Vec::new(),
        weak_label_accuracy: None,
        labels: None,
        found: None,
    }
}

/// To nine digits.
fn rounded(usd: f64) -> f64 {
    format!("{usd:.8e}").parse().unwrap_or(usd)
}
