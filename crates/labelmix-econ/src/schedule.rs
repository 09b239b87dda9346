//! What labels from one source cost, where the price depends on how many are bought.

use serde::{Deserialize, Serialize};

use crate::EconError;
use crate::allocation::whole_labels;

/// A price that holds from a certain label on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The first label at this price, counted from 1.
    pub from_label: usize,
    /// The price of each of them, in dollars.
    pub usd_per_label: f64,
}

/// The prices of one source: a set-up cost that is paid with its first label, and tiers of prices.
///
/// Tiers work as tax brackets do: each label costs what its own tier says, so a bill never falls when a label is added
/// and a budget buys a definite number of labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceSchedule {
    setup_usd: f64,
    tiers: Vec<Tier>,
}

impl PriceSchedule {
    /// One price for every label.
    ///
    /// # Errors
    /// [`EconError`] for a price that is zero, negative or not finite.
    pub fn flat(usd_per_label: f64) -> Result<Self, EconError> {
        Self::new(0.0, vec![Tier { from_label: 1, usd_per_label }])
    }

    /// A set-up cost and tiers.
    ///
    /// # Errors
    /// [`EconError`] for a set-up cost that is negative or not finite, for prices that are zero, negative or not
    /// finite, and for tiers that do not start with label 1 or do not rise.
    pub fn new(setup_usd: f64, tiers: Vec<Tier>) -> Result<Self, EconError> {
        if !(setup_usd.is_finite() && setup_usd >= 0.0) {
            return Err(EconError::Setup { setup_usd });
        }
        let mut expected = 1;
        for (index, tier) in tiers.iter().enumerate() {
            if !(tier.usd_per_label.is_finite() && tier.usd_per_label > 0.0) {
                return Err(EconError::TierPrice { from_label: tier.from_label, price_usd: tier.usd_per_label });
            }
            if tier.from_label < expected || (index == 0 && tier.from_label != 1) {
                return Err(EconError::TierStart { from_label: tier.from_label, expected });
            }
            expected = tier.from_label + 1;
        }
        if tiers.is_empty() {
            return Err(EconError::NoTiers);
        }
        Ok(Self { setup_usd, tiers })
    }

    /// The set-up cost, in dollars.
    pub fn setup_usd(&self) -> f64 {
        self.setup_usd
    }

    /// The tiers, by their first label.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// What this many labels cost, in dollars: nothing for none.
    pub fn cost_usd(&self, labels: usize) -> f64 {
        self.cost_of(labels as f64)
    }

    /// The cost of a number of labels that need not be whole, as a plan's curves need it.
    pub fn cost_of(&self, labels: f64) -> f64 {
        if labels <= 0.0 {
            return 0.0;
        }
        self.brackets().fold(self.setup_usd, |cost, (first, last, usd)| {
            // A single tier is one product, so that a flat price costs exactly what `Prices` says.
            if labels > first { cost + (labels.min(last) - first) * usd } else { cost }
        })
    }

    /// How many labels a sum pays for, with the tolerance of [`allocation_for`](crate::allocation_for).
    pub fn affordable(&self, usd: f64) -> usize {
        self.affordable_beyond(0, usd)
    }

    /// How many labels one has, of which `have` are paid, after spending a sum on more.
    pub fn affordable_beyond(&self, have: usize, usd: f64) -> usize {
        let mut left = usd - if have == 0 { self.setup_usd } else { 0.0 };
        let mut owned = have;
        for (_, last, price_usd) in self.brackets() {
            if (owned as f64) < last && left > 0.0 {
                let room = last - owned as f64;
                let bought = whole_labels(left, price_usd);
                if (bought as f64) < room {
                    return owned + bought;
                }
                owned = last as usize;
                left -= room * price_usd;
            }
        }
        owned
    }

    /// What the next label costs after this many, in dollars, the set-up cost aside.
    pub fn next_label_usd(&self, labels: usize) -> f64 {
        let tier = self.tiers.iter().rev().find(|tier| tier.from_label <= labels + 1);
        tier.expect("the first tier starts with label 1").usd_per_label
    }

    /// The same prices in another currency.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        let scale = |tier: &Tier| Tier { usd_per_label: tier.usd_per_label * factor, ..*tier };
        Self { setup_usd: self.setup_usd * factor, tiers: self.tiers.iter().map(scale).collect() }
    }

    /// Labels before the tier, labels at its end (infinite for the last one), and its price.
    fn brackets(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.tiers.iter().enumerate().map(|(index, tier)| {
            let last = self.tiers.get(index + 1).map_or(f64::INFINITY, |next| (next.from_label - 1) as f64);
            ((tier.from_label - 1) as f64, last, tier.usd_per_label)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tiered() -> PriceSchedule {
        let tier = |from_label, usd_per_label| Tier { from_label, usd_per_label };
        PriceSchedule::new(50.0, vec![tier(1, 1.0), tier(101, 0.5), tier(301, 0.25)]).unwrap()
    }

    #[test]
    fn each_label_costs_what_its_tier_says() {
        let schedule = tiered();
        let costs: Vec<f64> = [0, 1, 100, 101, 300, 304].iter().map(|&n| schedule.cost_usd(n)).collect();
        assert_eq!(costs, [0.0, 51.0, 150.0, 150.5, 250.0, 251.0]);
        assert_eq!(schedule.next_label_usd(99), 1.0);
        assert_eq!(schedule.next_label_usd(100), 0.5);
    }

    #[test]
    fn the_set_up_is_paid_once() {
        let schedule = tiered();
        assert_eq!(
            [0.0, 50.0, 51.0, 150.4, 150.5, 251.0].map(|usd| schedule.affordable(usd)),
            [0, 0, 1, 100, 101, 304]
        );
        assert_eq!(schedule.affordable_beyond(99, 1.5), 101);
    }

    #[test]
    fn refuses_tiers_that_are_no_schedule() {
        let tier = |from_label, usd_per_label| Tier { from_label, usd_per_label };
        let refused = |setup, tiers| PriceSchedule::new(setup, tiers).unwrap_err().to_string();
        assert_eq!(refused(-1.0, vec![tier(1, 1.0)]), "the set-up cost is -1: it must be zero dollars or more");
        assert_eq!(refused(0.0, vec![]), "a schedule has no prices: give it at least the price of its first label");
        assert_eq!(
            refused(0.0, vec![tier(1, 1.0), tier(100, -0.5)]),
            "the price from label 100 on is -0.5: it must be a positive number of dollars"
        );
        assert_eq!(
            refused(0.0, vec![tier(1, 1.0), tier(1, 0.5)]),
            "a tier starts with label 1: here it must start with label 2 or later (the first tier with label 1)"
        );
        assert!(PriceSchedule::new(0.0, vec![tier(2, 1.0)]).is_err());
        assert!(PriceSchedule::flat(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn a_sum_buys_as_many_labels_as_it_pays_for(usd in 0.0f64..2000.0, have in 0usize..500) {
            let schedule = tiered();
            let owned = schedule.affordable_beyond(have, usd);
            let spent = |labels| schedule.cost_usd(labels) - schedule.cost_usd(have);
            prop_assert!(owned >= have);
            prop_assert!(owned == have || spent(owned) <= usd + 1e-6);
            prop_assert!(spent(owned + 1) > usd - 1e-6);
        }
    }
}
