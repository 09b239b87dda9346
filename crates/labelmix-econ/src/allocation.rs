//! How many labels of each kind a budget buys.

use serde::{Deserialize, Serialize};

use crate::{EconError, LabelKind, Prices};

/// A number of weak and a number of gold labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Allocation {
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
}

impl Allocation {
    /// Labels of one kind.
    pub fn of_kind(kind: LabelKind, count: usize) -> Self {
        match kind {
            LabelKind::Weak => Self { n_weak: count, n_gold: 0 },
            LabelKind::Gold => Self { n_weak: 0, n_gold: count },
        }
    }
}

/// The allocation that spends the share `f = weak_fraction` of a budget `B` on weak labels:
/// `n_gold = ⌊(1 − f)·B / c_g⌋`, then `n_weak = ⌊(B − n_gold·c_g) / c_w⌋` from what is left (Mallen & Belrose 2024).
///
/// A fraction of 0 means gold alone: the change from the last gold label then stays unspent, since a single
/// stray weak label would make another experiment of the all-gold end. At every other fraction what stays
/// unspent is less than the price of a weak label.
///
/// Labels are counted with a relative tolerance of one in a billion, so that floating error never loses one:
/// (1 − 0.8)·5 buys 1 and 0.3 / 0.1 buys 3, though both quotients fall short by a hair. The cost may exceed the
/// budget by the same tolerance.
///
/// # Errors
/// [`EconError`] for a budget that is negative or not finite and for a fraction outside [0, 1].
pub fn allocation_for(budget_usd: f64, weak_fraction: f64, prices: &Prices) -> Result<Allocation, EconError> {
    check_budget(budget_usd)?;
    check_fraction(weak_fraction)?;
    let n_gold = whole_labels((1.0 - weak_fraction) * budget_usd, prices.gold_usd());
    let n_weak = if weak_fraction > 0.0 {
        whole_labels(budget_usd - n_gold as f64 * prices.gold_usd(), prices.weak_usd())
    } else {
        0
    };
    Ok(Allocation { n_weak, n_gold })
}

pub(crate) fn check_budget(budget_usd: f64) -> Result<(), EconError> {
    if budget_usd.is_finite() && budget_usd >= 0.0 { Ok(()) } else { Err(EconError::Budget { budget_usd }) }
}

pub(crate) fn check_fraction(weak_fraction: f64) -> Result<(), EconError> {
    if (0.0..=1.0).contains(&weak_fraction) { Ok(()) } else { Err(EconError::WeakFraction { weak_fraction }) }
}

/// How many labels a sum pays for. A sum that rounding has left below zero pays for none: the cast saturates.
pub(crate) fn whole_labels(usd: f64, price_usd: f64) -> usize {
    const TOLERANCE: f64 = 1e-9;
    (usd / price_usd * (1.0 + TOLERANCE)).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bought(budget_usd: f64, weak_fraction: f64, weak_usd: f64, gold_usd: f64) -> (usize, usize) {
        let prices = Prices::new(weak_usd, gold_usd).unwrap();
        let allocation = allocation_for(budget_usd, weak_fraction, &prices).unwrap();
        (allocation.n_weak, allocation.n_gold)
    }

    #[test]
    fn splits_the_published_grid() {
        assert_eq!(bought(16.0, 0.0, 0.1, 1.0), (0, 16));
        assert_eq!(bought(16.0, 0.05, 0.1, 1.0), (10, 15));
        assert_eq!(bought(64.0, 0.8, 0.1, 1.0), (520, 12));
        assert_eq!(bought(1024.0, 0.95, 0.1, 1.0), (9730, 51));
        assert_eq!(bought(8192.0, 1.0, 0.1, 1.0), (81920, 0));
    }

    #[test]
    fn floating_error_loses_no_label() {
        assert_eq!(bought(5.0, 0.8, 1.0, 1.0), (4, 1));
        assert_eq!(bought(0.3, 1.0, 0.1, 1.0), (3, 0));
        assert_eq!(bought(1024.3, 0.0002, 0.1, 1.0), (3, 1024));
    }

    #[test]
    fn all_gold_buys_no_weak_label_from_the_change() {
        assert_eq!(bought(16.0, 0.0, 0.1, 3.0), (0, 5));
    }

    #[test]
    fn refuses_numbers_that_are_no_plan() {
        let prices = Prices::new(0.1, 1.0).unwrap();
        for budget_usd in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = allocation_for(budget_usd, 0.5, &prices);
            assert!(matches!(refused, Err(EconError::Budget { .. })));
        }
        for weak_fraction in [-0.1, 1.1, f64::NAN] {
            let refused = allocation_for(16.0, weak_fraction, &prices);
            assert!(matches!(refused, Err(EconError::WeakFraction { .. })));
        }
    }

    fn prices() -> impl Strategy<Value = Prices> {
        (0.001f64..2.0, 0.01f64..20.0).prop_map(|(weak, gold)| Prices::new(weak, gold).unwrap())
    }

    proptest! {
        #[test]
        fn spends_the_budget_and_no_more(budget in 0.0f64..1e4, fraction in 0.0f64..=1.0, prices in prices()) {
            let cost = prices.cost_usd(allocation_for(budget, fraction, &prices).unwrap());
            let slack = 1e-9 * (1.0 + budget);
            prop_assert!(cost <= budget + slack);
            if fraction > 0.0 {
                prop_assert!(budget - cost < prices.weak_usd() + slack);
            }
        }

        #[test]
        fn a_bigger_budget_buys_no_fewer_gold_labels(
            budget in 0.0f64..1e4, more in 0.0f64..100.0, fraction in 0.0f64..=1.0, prices in prices(),
        ) {
            let smaller = allocation_for(budget, fraction, &prices).unwrap();
            let bigger = allocation_for(budget + more, fraction, &prices).unwrap();
            prop_assert!(smaller.n_gold <= bigger.n_gold);
        }

        /// Prices in whole cents and a budget that pays for exactly these labels: every one of them is bought.
        #[test]
        fn an_exact_sum_buys_every_label(n_labels in 0u32..100_000, cents in 1u32..500) {
            let price = f64::from(cents) / 100.0;
            let budget = f64::from(n_labels * cents) / 100.0;
            let all_weak = bought(budget, 1.0, price, price);
            let all_gold = bought(budget, 0.0, price, price);
            prop_assert_eq!(all_weak, (n_labels as usize, 0));
            prop_assert_eq!(all_gold, (0, n_labels as usize));
        }
    }
}
