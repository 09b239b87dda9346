//! What a label of each kind costs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Allocation, LabelKind};

/// A number that no budget can be planned with.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum EconError {
    #[error("the price of a {label} label is {price_usd}: it must be a positive number of dollars")]
    Price {
        /// "weak" or "gold".
        label: &'static str,
        /// The price given.
        price_usd: f64,
    },
    #[error("the budget is {budget_usd}: it must be a number of dollars, zero or more")]
    Budget {
        /// The budget given.
        budget_usd: f64,
    },
    #[error("the weak spending fraction is {weak_fraction}: it must lie between 0 and 1")]
    WeakFraction {
        /// The fraction given.
        weak_fraction: f64,
    },
    #[error("the set-up cost is {setup_usd}: it must be zero dollars or more")]
    Setup {
        /// The cost given.
        setup_usd: f64,
    },
    #[error("a schedule has no prices: give it at least the price of its first label")]
    NoTiers,
    #[error("the price from label {from_label} on is {price_usd}: it must be a positive number of dollars")]
    TierPrice {
        /// The tier's first label.
        from_label: usize,
        /// The price given.
        price_usd: f64,
    },
    #[error(
        "a tier starts with label {from_label}: here it must start with label {expected} or later (the first tier with \
         label 1)"
    )]
    TierStart {
        /// The first label given.
        from_label: usize,
        /// The least that is possible.
        expected: usize,
    },
    #[error("the price of a GPU-hour is {gpu_hour_usd}: it must be zero dollars or more")]
    Compute {
        /// The price given.
        gpu_hour_usd: f64,
    },
    #[error("prices are multiplied by {factor}: it must be a positive number")]
    Factor {
        /// The factor given.
        factor: f64,
    },
}

/// The price of one weak and of one gold label, in dollars; both positive and finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPrices")]
pub struct Prices {
    weak_usd: f64,
    gold_usd: f64,
}

/// Prices as they are written, before they are checked.
#[derive(Deserialize)]
struct WrittenPrices {
    weak_usd: f64,
    gold_usd: f64,
}

impl TryFrom<WrittenPrices> for Prices {
    type Error = EconError;

    fn try_from(WrittenPrices { weak_usd, gold_usd }: WrittenPrices) -> Result<Self, EconError> {
        Self::new(weak_usd, gold_usd)
    }
}

impl Prices {
    /// The prices of a weak and of a gold label.
    ///
    /// # Errors
    /// [`EconError::Price`] for a price that is zero, negative or not finite.
    pub fn new(weak_usd: f64, gold_usd: f64) -> Result<Self, EconError> {
        for (label, price_usd) in [("weak", weak_usd), ("gold", gold_usd)] {
            if !(price_usd.is_finite() && price_usd > 0.0) {
                return Err(EconError::Price { label, price_usd });
            }
        }
        Ok(Self { weak_usd, gold_usd })
    }

    /// The price of a weak label, in dollars.
    pub fn weak_usd(&self) -> f64 {
        self.weak_usd
    }

    /// The price of a gold label, in dollars.
    pub fn gold_usd(&self) -> f64 {
        self.gold_usd
    }

    /// The price of a label of this kind, in dollars.
    pub fn price_usd(&self, kind: LabelKind) -> f64 {
        match kind {
            LabelKind::Weak => self.weak_usd,
            LabelKind::Gold => self.gold_usd,
        }
    }

    /// What an allocation costs, in dollars.
    pub fn cost_usd(&self, allocation: Allocation) -> f64 {
        allocation.n_weak as f64 * self.weak_usd + allocation.n_gold as f64 * self.gold_usd
    }

    /// What an allocation costs as it is reported, to a millionth of a dollar: 3 labels at $0.10 are $0.30 and not
    /// $0.30000000000000004.
    pub fn bill_usd(&self, allocation: Allocation) -> f64 {
        (self.cost_usd(allocation) * 1e6).round() / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_are_free_of_floating_error() {
        let prices = Prices::new(0.1, 1.0).unwrap();
        let allocation = Allocation { n_weak: 3, n_gold: 0 };
        assert_eq!(prices.cost_usd(allocation).to_string(), "0.30000000000000004");
        assert_eq!(prices.bill_usd(allocation).to_string(), "0.3");
    }

    #[test]
    fn refuses_a_price_that_is_no_price() {
        for price_usd in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(Prices::new(price_usd, 1.0), Err(EconError::Price { label: "weak", .. })));
            assert!(matches!(Prices::new(0.1, price_usd), Err(EconError::Price { label: "gold", .. })));
        }
        assert_eq!(
            Prices::new(0.0, 1.0).unwrap_err().to_string(),
            "the price of a weak label is 0: it must be a positive number of dollars"
        );
    }
}
