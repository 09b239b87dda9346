//! The prices that an analysis uses: a schedule for weak and one for gold labels, taken from a list of sources.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::allocation::{Allocation, check_budget, check_fraction};
use crate::{AnalysisError, EconError, PriceSchedule, Prices};

/// What weak and gold labels cost, and an hour of a GPU where that is to be shown. [`Prices`] turn into a tariff of two
/// flat prices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tariff {
    /// The weak labels' prices.
    pub weak: PriceSchedule,
    /// The gold labels' prices.
    pub gold: PriceSchedule,
    gpu_hour_usd: Option<f64>,
}

impl From<Prices> for Tariff {
    fn from(prices: Prices) -> Self {
        let flat = |usd| PriceSchedule::flat(usd).expect("the prices of `Prices` are positive");
        Self { weak: flat(prices.weak_usd()), gold: flat(prices.gold_usd()), gpu_hour_usd: None }
    }
}

impl Tariff {
    /// Schedules for weak and for gold labels.
    pub fn new(weak: PriceSchedule, gold: PriceSchedule) -> Self {
        Self { weak, gold, gpu_hour_usd: None }
    }

    /// The same with a price for computing. It never enters a budget of labels: it is shown apart.
    ///
    /// # Errors
    /// [`EconError::Compute`] for a price that is negative or not finite.
    pub fn with_compute(self, gpu_hour_usd: f64) -> Result<Self, EconError> {
        if !(gpu_hour_usd.is_finite() && gpu_hour_usd >= 0.0) {
            return Err(EconError::Compute { gpu_hour_usd });
        }
        Ok(Self { gpu_hour_usd: Some(gpu_hour_usd), ..self })
    }

    /// What an allocation costs, in dollars.
    pub fn cost_usd(&self, allocation: Allocation) -> f64 {
        self.weak.cost_usd(allocation.n_weak) + self.gold.cost_usd(allocation.n_gold)
    }

    /// What computing costs, in dollars, where it has a price.
    pub fn compute_usd(&self, gpu_hours: f64) -> Option<f64> {
        self.gpu_hour_usd.map(|usd| usd * gpu_hours)
    }

    /// As [`allocation_for`](crate::allocation_for): gold labels for (1 − f) of the budget, weak labels for what is
    /// left.
    ///
    /// # Errors
    /// [`EconError`] for a budget that is negative or not finite and for a fraction outside [0, 1].
    pub fn allocation_for(&self, budget_usd: f64, weak_fraction: f64) -> Result<Allocation, EconError> {
        self.allocation_beyond(Allocation::default(), budget_usd, weak_fraction)
    }

    /// The labels one has after spending a budget on top of labels already paid.
    ///
    /// # Errors
    /// [`EconError`] for a budget that is negative or not finite and for a fraction outside [0, 1].
    pub fn allocation_beyond(
        &self,
        have: Allocation,
        budget_usd: f64,
        weak_fraction: f64,
    ) -> Result<Allocation, EconError> {
        check_budget(budget_usd)?;
        check_fraction(weak_fraction)?;
        let n_gold = self.gold.affordable_beyond(have.n_gold, (1.0 - weak_fraction) * budget_usd);
        let left = budget_usd - (self.gold.cost_usd(n_gold) - self.gold.cost_usd(have.n_gold));
        let n_weak = if weak_fraction > 0.0 { self.weak.affordable_beyond(have.n_weak, left) } else { have.n_weak };
        Ok(Allocation { n_weak, n_gold })
    }

    /// The same prices in another currency.
    ///
    /// # Errors
    /// [`EconError::Factor`] for a factor that is zero, negative or not finite.
    pub fn scaled(&self, factor: f64) -> Result<Self, EconError> {
        check_factor(factor)?;
        Ok(Self {
            weak: self.weak.scaled(factor),
            gold: self.gold.scaled(factor),
            gpu_hour_usd: self.gpu_hour_usd.map(|usd| usd * factor),
        })
    }

    /// The same gold prices, and weak labels at a flat share of the first gold label's price.
    ///
    /// # Errors
    /// [`EconError::Factor`] for a ratio that is zero, negative or not finite.
    pub fn with_price_ratio(&self, weak_per_gold: f64) -> Result<Self, EconError> {
        check_factor(weak_per_gold)?;
        let weak = PriceSchedule::flat(self.gold.next_label_usd(0) * weak_per_gold)?;
        Ok(Self { weak, ..self.clone() })
    }
}

fn check_factor(factor: f64) -> Result<(), EconError> {
    if factor.is_finite() && factor > 0.0 { Ok(()) } else { Err(EconError::Factor { factor }) }
}

/// The prices of any number of sources of labels, by name: a crowd, an expert, a panel of experts.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SourcePrices {
    sources: BTreeMap<String, PriceSchedule>,
}

/// How many labels are bought from each source.
pub type LabelCounts = BTreeMap<String, usize>;

impl SourcePrices {
    /// Adds a source, or gives a known one other prices.
    pub fn with(mut self, source: &str, schedule: PriceSchedule) -> Self {
        self.sources.insert(source.to_owned(), schedule);
        self
    }

    pub fn sources(&self) -> impl Iterator<Item = (&str, &PriceSchedule)> {
        self.sources.iter().map(|(name, schedule)| (name.as_str(), schedule))
    }

    /// What a purchase costs, in dollars.
    ///
    /// # Errors
    /// [`AnalysisError::UnknownSource`] for a source without a price.
    pub fn cost_usd(&self, purchase: &LabelCounts) -> Result<f64, AnalysisError> {
        purchase.iter().map(|(source, labels)| Ok(self.schedule(source)?.cost_usd(*labels))).sum()
    }

    /// The tariff in which one source's labels are the weak ones and another's the gold ones.
    ///
    /// # Errors
    /// [`AnalysisError::UnknownSource`] for a source without a price.
    pub fn tariff(&self, weak: &str, gold: &str) -> Result<Tariff, AnalysisError> {
        Ok(Tariff::new(self.schedule(weak)?.clone(), self.schedule(gold)?.clone()))
    }

    fn schedule(&self, source: &str) -> Result<&PriceSchedule, AnalysisError> {
        self.sources.get(source).ok_or_else(|| AnalysisError::UnknownSource {
            source_name: source.to_owned(),
            known: self.sources.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tier, allocation_for};
    use proptest::prelude::*;

    #[test]
    fn three_sources_make_any_pair() {
        let panel = PriceSchedule::new(200.0, vec![Tier { from_label: 1, usd_per_label: 5.0 }]).unwrap();
        let sources = SourcePrices::default()
            .with("crowd", PriceSchedule::flat(0.08).unwrap())
            .with("expert", PriceSchedule::flat(1.0).unwrap())
            .with("panel", panel);
        let purchase = LabelCounts::from([("crowd".to_owned(), 100), ("panel".to_owned(), 10)]);
        assert_eq!(sources.cost_usd(&purchase).unwrap(), 258.0);
        let tariff = sources.tariff("crowd", "panel").unwrap();
        assert_eq!(tariff.cost_usd(Allocation { n_weak: 100, n_gold: 10 }), 258.0);
        assert_eq!(
            sources.tariff("robot", "panel").unwrap_err().to_string(),
            "no prices for the source \"robot\" (there are: crowd, expert, panel)"
        );
    }

    #[test]
    fn computing_is_shown_apart() {
        let tariff = Tariff::from(Prices::new(0.1, 1.0).unwrap()).with_compute(2.0).unwrap();
        assert_eq!(tariff.compute_usd(1.5), Some(3.0));
        assert_eq!(tariff.cost_usd(Allocation { n_weak: 10, n_gold: 1 }), 2.0);
        assert!(tariff.clone().with_compute(-1.0).is_err());
        assert_eq!(Tariff::from(Prices::new(0.1, 1.0).unwrap()).compute_usd(1.0), None);
    }

    proptest! {
        #[test]
        fn flat_tariffs_are_prices(
            budget in 0.0f64..1e4, fraction in 0.0f64..=1.0, weak in 0.001f64..2.0, gold in 0.01f64..20.0,
        ) {
            let prices = Prices::new(weak, gold).unwrap();
            let tariff = Tariff::from(prices);
            let allocation = allocation_for(budget, fraction, &prices).unwrap();
            prop_assert_eq!(tariff.allocation_for(budget, fraction).unwrap(), allocation);
            prop_assert_eq!(tariff.cost_usd(allocation), prices.cost_usd(allocation));
        }

        #[test]
        fn what_is_owned_is_not_paid_again(
            budget in 1.0f64..1e3, fraction in 0.0f64..=1.0, n_weak in 0usize..500, n_gold in 0usize..500,
        ) {
            let tariff = Tariff::from(Prices::new(0.1, 1.0).unwrap());
            let have = Allocation { n_weak, n_gold };
            let after = tariff.allocation_beyond(have, budget, fraction).unwrap();
            let spent = tariff.cost_usd(after) - tariff.cost_usd(have);
            prop_assert!(spent <= budget + 1e-6);
            prop_assert!(after.n_weak >= n_weak && after.n_gold >= n_gold);
        }
    }
}
