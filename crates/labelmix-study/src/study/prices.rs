//! `[prices]`: what labels cost. A number of dollars each, or a table with quantity tiers and a set-up cost.
//!
//! A sweep's grid and ledgers use the price of the first label, so that budgets mean the same numbers of labels
//! whatever the tiers; plans and the economics of a report use all of it.

use std::fmt;

use labelmix_econ::{EconError, PriceSchedule, Prices, Tariff, Tier};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// `[prices]`: dollars per label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PricesTable {
    /// A weak label's price.
    pub weak: LabelPrice,
    /// A gold label's price.
    pub gold: LabelPrice,
}

impl Default for PricesTable {
    fn default() -> Self {
        Self { weak: LabelPrice::Flat(0.10), gold: LabelPrice::Flat(1.00) }
    }
}

/// What labels of one kind cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LabelPrice {
    /// Each the same, in dollars.
    Flat(f64),
    /// By their number.
    Scheduled(ScheduleTable),
}

/// Prices by the number of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTable {
    /// What is paid with the first label, in dollars.
    #[serde(default)]
    pub setup: f64,
    /// The prices from a certain label on.
    pub tiers: Vec<Tier>,
}

impl PricesTable {
    /// The prices of first labels, which grids and ledgers use.
    ///
    /// # Errors
    /// If a price is not a positive number.
    pub fn first(&self) -> Result<Prices, EconError> {
        let tariff = self.tariff()?;
        Prices::new(tariff.weak.next_label_usd(0), tariff.gold.next_label_usd(0))
    }

    /// All prices, which plans use.
    ///
    /// # Errors
    /// If a price is not a positive number, or tiers are out of order.
    pub fn tariff(&self) -> Result<Tariff, EconError> {
        // Flat prices are checked as such: the message then names the kind of label.
        if let (LabelPrice::Flat(weak), LabelPrice::Flat(gold)) = (&self.weak, &self.gold) {
            return Ok(Prices::new(*weak, *gold)?.into());
        }
        Ok(Tariff::new(self.weak.schedule()?, self.gold.schedule()?))
    }
}

impl LabelPrice {
    fn schedule(&self) -> Result<PriceSchedule, EconError> {
        match self {
            Self::Flat(usd) => PriceSchedule::flat(*usd),
            Self::Scheduled(ScheduleTable { setup, tiers }) => PriceSchedule::new(*setup, tiers.clone()),
        }
    }
}

/// Read by hand, so that a mistake in the table is named and not only called unfit for either form.
impl<'de> Deserialize<'de> for LabelPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherForm;

        impl<'de> Visitor<'de> for EitherForm {
            type Value = LabelPrice;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number of dollars, or a table with `tiers` and `setup`")
            }

            fn visit_f64<E>(self, usd: f64) -> Result<LabelPrice, E> {
                Ok(LabelPrice::Flat(usd))
            }

            fn visit_i64<E>(self, usd: i64) -> Result<LabelPrice, E> {
                Ok(LabelPrice::Flat(usd as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LabelPrice, A::Error> {
                ScheduleTable::deserialize(MapAccessDeserializer::new(map)).map(LabelPrice::Scheduled)
            }
        }

        deserializer.deserialize_any(EitherForm)
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::Allocation;

    use super::*;

    fn table(text: &str) -> Result<PricesTable, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn flat_prices_and_schedules() {
        let flat = table("weak = 0.05\ngold = 2").unwrap();
        assert_eq!(flat.tariff().unwrap(), Prices::new(0.05, 2.0).unwrap().into());
        let tiers = "{ from_label = 1, usd_per_label = 0.1 }, { from_label = 1001, usd_per_label = 0.05 }";
        let tiered = table(&format!("weak = {{ setup = 50, tiers = [{tiers}] }}")).unwrap();
        let tariff = tiered.tariff().unwrap();
        assert_eq!(tariff.cost_usd(Allocation { n_weak: 1010, n_gold: 3 }), 50.0 + 100.0 + 0.5 + 3.0);
        assert_eq!(tiered.first().unwrap(), Prices::new(0.1, 1.0).unwrap());
        assert_eq!(table(&toml::to_string(&tiered).unwrap()).unwrap(), tiered, "what is written is read again");
    }

    #[test]
    fn prices_that_are_none() {
        let refused = |text: &str| table(text).unwrap().tariff().unwrap_err().to_string();
        assert_eq!(refused("weak = -1"), "the price of a weak label is -1: it must be a positive number of dollars");
        assert_eq!(
            refused("weak = { tiers = [] }"),
            "a schedule has no prices: give it at least the price of its first label"
        );
        assert_eq!(table("weak = { tier = [] }").unwrap_err(), "unknown field `tier`, expected `setup` or `tiers`");
        assert_eq!(
            table("weak = 'free'").unwrap_err(),
            "invalid type: string \"free\", expected a number of dollars, or a table with `tiers` and `setup`"
        );
    }
}
