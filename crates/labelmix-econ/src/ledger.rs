//! What was bought, label by label: the account behind a cost.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Allocation, Prices};

/// The kind of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// Cheap and often wrong.
    Weak,
    Gold,
}

impl LabelKind {
    /// As it is written in tables and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Gold => "gold",
        }
    }
}

/// What a label was looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A stage learned from it.
    Train,
    /// A stage was stopped by it.
    Validation,
    /// It stood in a prompt as an example.
    Shot,
    /// It was asked for to decide what to learn from.
    Query,
}

impl Purpose {
    /// As it is written in tables and ledgers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Shot => "shot",
            Self::Query => "query",
        }
    }
}

/// One look at a label. Its fields are the columns of a ledger's file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LedgerEntry<'a> {
    /// The example's id.
    pub id: &'a str,
    /// Which of the example's two labels.
    pub kind: LabelKind,
    pub purpose: Purpose,
    /// What was paid, in dollars: the label's price at the first look, nothing at every later one.
    pub price_usd: f64,
}

/// Which labels were bought, in the order of purchase, and what for. A label is an example's id and a kind; it is paid
/// once, whatever it is used for and however often.
#[derive(Clone, Debug)]
pub struct Ledger {
    prices: Prices,
    looks: Vec<Look>,
    paid: HashSet<(LabelKind, String)>,
}

#[derive(Clone, Debug)]
struct Look {
    id: String,
    kind: LabelKind,
    purpose: Purpose,
    paid: bool,
}

/// A ledger in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerTotals {
    /// Labels looked at: one that serves twice counts twice.
    pub looked_at: usize,
    /// Labels paid: one that serves twice counts once.
    pub paid: Allocation,
    /// What they cost, in dollars ([`Prices::bill_usd`]).
    pub cost_usd: f64,
    /// The same for every kind and purpose that occurs.
    pub uses: Vec<UseTotals>,
}

/// The labels of one kind that were looked at for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UseTotals {
    pub kind: LabelKind,
    pub purpose: Purpose,
    /// Labels looked at.
    pub looked_at: usize,
    /// Labels paid here, and not for an earlier purpose.
    pub paid: usize,
    /// What those cost, in dollars.
    pub cost_usd: f64,
}

impl LedgerTotals {
    /// The same labels at these prices.
    pub fn at(mut self, prices: &Prices) -> Self {
        self.cost_usd = prices.bill_usd(self.paid);
        for of in &mut self.uses {
            of.cost_usd = prices.bill_usd(Allocation::of_kind(of.kind, of.paid));
        }
        self
    }
}

impl Ledger {
    /// An empty ledger.
    pub fn new(prices: Prices) -> Self {
        Self { prices, looks: Vec::new(), paid: HashSet::new() }
    }

    /// Enters a look at a label, which is paid if it has not been yet.
    pub fn enter(&mut self, id: String, kind: LabelKind, purpose: Purpose) {
        let paid = self.paid.insert((kind, id.clone()));
        self.looks.push(Look { id, kind, purpose, paid });
    }

    /// Every look at a label, in order.
    pub fn entries(&self) -> impl Iterator<Item = LedgerEntry<'_>> {
        self.looks.iter().map(|Look { id, kind, purpose, paid }| LedgerEntry {
            id,
            kind: *kind,
            purpose: *purpose,
            price_usd: if *paid { self.prices.price_usd(*kind) } else { 0.0 },
        })
    }

    /// The labels paid.
    pub fn paid(&self) -> Allocation {
        let n_weak = self.paid.iter().filter(|(kind, _)| *kind == LabelKind::Weak).count();
        Allocation { n_weak, n_gold: self.paid.len() - n_weak }
    }

    /// What the labels cost, in dollars: [`Prices::bill_usd`] of the labels paid, so that an allocation and the ledger
    /// of its purchase cost the same to the last bit.
    pub fn cost_usd(&self) -> f64 {
        self.prices.bill_usd(self.paid())
    }

    /// The ledger in numbers.
    pub fn totals(&self) -> LedgerTotals {
        let mut uses: BTreeMap<(LabelKind, Purpose), [usize; 2]> = BTreeMap::new();
        for look in &self.looks {
            let [looked_at, paid] = uses.entry((look.kind, look.purpose)).or_default();
            *looked_at += 1;
            *paid += usize::from(look.paid);
        }
        let use_totals = |((kind, purpose), [looked_at, paid]): (_, [usize; 2])| {
            let cost_usd = self.prices.bill_usd(Allocation::of_kind(kind, paid));
            UseTotals { kind, purpose, looked_at, paid, cost_usd }
        };
        LedgerTotals {
            looked_at: self.looks.len(),
            paid: self.paid(),
            cost_usd: self.cost_usd(),
            uses: uses.into_iter().map(use_totals).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [LabelKind; 2] = [LabelKind::Weak, LabelKind::Gold];
    const PURPOSES: [Purpose; 4] = [Purpose::Train, Purpose::Validation, Purpose::Shot, Purpose::Query];

    fn prices() -> Prices {
        Prices::new(0.1, 1.0).unwrap()
    }

    #[test]
    fn a_label_is_paid_once_and_counted_at_every_look() {
        let mut ledger = Ledger::new(prices());
        ledger.enter("a".to_owned(), LabelKind::Weak, Purpose::Query);
        ledger.enter("a".to_owned(), LabelKind::Weak, Purpose::Train);
        ledger.enter("a".to_owned(), LabelKind::Gold, Purpose::Shot);
        ledger.enter("b".to_owned(), LabelKind::Weak, Purpose::Query);
        ledger.enter("c".to_owned(), LabelKind::Weak, Purpose::Query);
        let paid: Vec<f64> = ledger.entries().map(|entry| entry.price_usd).collect();
        assert_eq!(paid, [0.1, 0.0, 1.0, 0.1, 0.1]);

        let use_of = |kind, purpose, looked_at, paid, cost_usd| UseTotals { kind, purpose, looked_at, paid, cost_usd };
        let expected = LedgerTotals {
            looked_at: 5,
            paid: Allocation { n_weak: 3, n_gold: 1 },
            cost_usd: 1.3,
            uses: vec![
                use_of(LabelKind::Weak, Purpose::Train, 1, 0, 0.0),
                use_of(LabelKind::Weak, Purpose::Query, 3, 3, 0.3),
                use_of(LabelKind::Gold, Purpose::Shot, 1, 1, 1.0),
            ],
        };
        assert_eq!(ledger.totals(), expected);
    }

    #[test]
    fn an_empty_ledger_costs_nothing() {
        let totals = Ledger::new(prices()).totals();
        assert_eq!((totals.looked_at, totals.paid, totals.cost_usd), (0, Allocation::default(), 0.0));
        assert!(totals.uses.is_empty());
    }

    proptest! {
        #[test]
        fn totals_are_those_of_the_entries(
            looks in prop::collection::vec((0u8..20, prop::sample::select(&KINDS[..]), prop::sample::select(&PURPOSES[..])), 0..120),
            weak_usd in 0.001f64..2.0,
            gold_usd in 0.01f64..20.0,
        ) {
            let prices = Prices::new(weak_usd, gold_usd).unwrap();
            let mut ledger = Ledger::new(prices);
            for (id, kind, purpose) in &looks {
                ledger.enter(id.to_string(), *kind, *purpose);
            }
            let totals = ledger.totals();
            let distinct = |kind| looks.iter().filter(|look| look.1 == kind).map(|look| look.0).collect::<HashSet<_>>().len();
            prop_assert_eq!(totals.looked_at, looks.len());
            prop_assert_eq!(totals.paid, Allocation { n_weak: distinct(LabelKind::Weak), n_gold: distinct(LabelKind::Gold) });
            prop_assert_eq!(totals.cost_usd, prices.bill_usd(totals.paid));

            // To the millionth of a dollar that a bill is rounded to.
            let added_up: f64 = ledger.entries().map(|entry| entry.price_usd).sum();
            prop_assert!((added_up - totals.cost_usd).abs() <= 5.1e-7, "{} and {}", added_up, totals.cost_usd);
            let of_uses = |count: fn(&UseTotals) -> usize| totals.uses.iter().map(count).sum::<usize>();
            prop_assert_eq!(of_uses(|total| total.looked_at), looks.len());
            prop_assert_eq!(of_uses(|total| total.paid), totals.paid.n_weak + totals.paid.n_gold);
        }
    }
}
