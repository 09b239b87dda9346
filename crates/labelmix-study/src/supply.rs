//! What is for sale, and which points of a grid it serves.

use labelmix_data::{Boundary, Example, Pools};
use labelmix_econ::{Allocation, Prices};
use labelmix_methods::{COVERED_TEXTS, Method};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StudyError};
use crate::grid::{WantedPoint, split_of, wanted_points};
use crate::points::{GridPoint, NotAffordable};
use crate::study::{NamedMethod, Study};

/// What is for sale whatever the seed, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "KeptSupply", from = "KeptSupply")]
pub struct Supply {
    /// For every number of gold labels, how many weak ones there are beside them.
    weak_beside: Vec<usize>,
    labelled: LabelledExamples,
}

/// Training examples by which of their labels are for sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledExamples {
    either: usize,
    only_gold: usize,
    only_weak: usize,
}

impl LabelledExamples {
    /// Counts them.
    pub fn of(train: &[Example]) -> Self {
        let mut counts = Self::default();
        for example in train {
            match (example.for_sale.gold.is_some(), example.for_sale.weak.is_some()) {
                (true, true) => counts.either += 1,
                (true, false) => counts.only_gold += 1,
                (false, true) => counts.only_weak += 1,
                (false, false) => {}
            }
        }
        counts
    }

    /// The pools' boundary where these points are wanted: the study's, or the default.
    pub fn boundary(&self, study: &Study, points: &[WantedPoint], methods: &[NamedMethod]) -> Boundary {
        match study.task.gold_pool {
            Some(gold_pool) => Boundary::Fixed(gold_pool),
            None => Boundary::ForChoosing(self.default_boundary(points, methods)),
        }
    }

    /// How many examples belong to the gold pool for methods that choose among gold labels or read texts without buying
    /// their labels, unless the study says so.
    ///
    /// As many as any point asks for, but no greater share of the gold labels than is left of the weak ones, and at least
    /// half of the examples that could be sold either way, so that a large grid leaves something to label weakly. If a
    /// method chooses which gold labels it buys, there have to be more to choose from: all that the grid does not buy weakly,
    /// or as many as a choice by coverage looks at.
    fn default_boundary(&self, points: &[WantedPoint], methods: &[NamedMethod]) -> usize {
        let wanted = |count: fn(Allocation) -> usize| {
            points.iter().map(|wanted| count(wanted.point.allocation)).max().unwrap_or(0)
        };
        let Self { either, only_gold, only_weak } = *self;
        let even = (either * (only_weak + either)) / (only_weak + only_gold + 2 * either).max(1);
        let smallest = wanted(|allocation| allocation.n_gold).min(only_gold + even.max(either / 2));
        let mut choosing = methods.iter().filter(|named| named.method.chooses_gold()).peekable();
        if choosing.peek().is_none() {
            return smallest;
        }
        let most = if choosing.all(|named| named.method.covers_gold()) { COVERED_TEXTS } else { usize::MAX };
        let weak = wanted(|allocation| allocation.n_weak).saturating_sub(only_weak).min(either);
        smallest.max(most.min(only_gold + either - weak))
    }
}

/// A supply as it is kept: the weak labels beside no gold one, and by how much they fall from each gold label to the next, as
/// `[fall, times]`.
#[derive(Serialize, Deserialize)]
struct KeptSupply {
    weak: usize,
    weak_falls: Vec<[usize; 2]>,
    #[serde(flatten)]
    labelled: LabelledExamples,
}

impl From<Supply> for KeptSupply {
    fn from(Supply { weak_beside, labelled }: Supply) -> Self {
        let mut weak_falls: Vec<[usize; 2]> = Vec::new();
        for pair in weak_beside.windows(2) {
            let fall = pair[0] - pair[1];
            match weak_falls.last_mut() {
                Some([last, times]) if *last == fall => *times += 1,
                _ => weak_falls.push([fall, 1]),
            }
        }
        Self { weak: weak_beside[0], weak_falls, labelled }
    }
}

impl From<KeptSupply> for Supply {
    fn from(KeptSupply { weak, weak_falls, labelled }: KeptSupply) -> Self {
        let mut weak_beside = vec![weak];
        let mut left = weak;
        for [fall, times] in weak_falls {
            weak_beside.extend((0..times).map(|_| {
                left = left.saturating_sub(fall);
                left
            }));
        }
        Self { weak_beside, labelled }
    }
}

impl Supply {
    /// Of the pools of some seeds.
    pub fn of(labelled: LabelledExamples, pools: &[(u64, Pools)]) -> Self {
        let gold = pools.iter().map(|(_, pools)| pools.gold_size()).min().unwrap_or(0);
        let least = |n_gold| pools.iter().map(|(_, pools)| pools.weak_beside(n_gold)).min().unwrap_or(0);
        Self { weak_beside: (0..=gold).map(least).collect(), labelled }
    }

    /// The points of a study's grid that can be bought from this supply, and those that cannot.
    ///
    /// # Errors
    /// If none can be bought.
    pub fn points(
        &self,
        study: &Study,
        prices: &Prices,
        methods: &[NamedMethod],
    ) -> Result<(Vec<GridPoint>, Vec<NotAffordable>)> {
        let wanted = wanted_points(study, prices, methods)?;
        let (Boundary::Fixed(size) | Boundary::ForChoosing(size)) = self.labelled.boundary(study, &wanted, methods);
        let sale = Sale { supply: self, candidates: size.min(self.gold()), budgets: &study.grid.budgets, prices };
        let (points, not_affordable) = sale.serve(wanted, methods);
        if let (true, Some(first)) = (points.is_empty(), not_affordable.first()) {
            return Err(StudyError::NothingAffordable { reason: first.reason.clone() });
        }
        Ok((points, not_affordable))
    }

    /// How many gold labels are for sale.
    pub fn gold(&self) -> usize {
        self.weak_beside.len() - 1
    }

    /// How many weak labels are for sale where no gold ones are bought.
    pub fn weak(&self) -> usize {
        self.weak_beside[0]
    }

    fn weak_beside(&self, n_gold: usize) -> usize {
        self.weak_beside[n_gold.min(self.gold())]
    }
}

/// A supply at a study's prices.
struct Sale<'a> {
    supply: &'a Supply,
    /// Gold labels that a method may choose from.
    candidates: usize,
    /// The study's budgets.
    budgets: &'a [f64],
    prices: &'a Prices,
}

impl Sale<'_> {
    /// The most labels of these that a method can buy.
    fn most(&self, method: &(dyn Method + 'static), wanted: Allocation) -> Allocation {
        let supply = self.supply;
        if method.chooses_gold() {
            let n_weak = wanted.n_weak.min(supply.weak_beside(self.candidates));
            return Allocation { n_weak, n_gold: wanted.n_gold.min(self.candidates) };
        }
        let n_gold = wanted.n_gold.min(supply.gold());
        let n_weak = wanted.n_weak.min(supply.weak());
        let beside = |n_gold| n_weak.min(supply.weak_beside(n_gold));
        // Texts with both labels are divided so that no kind gets a smaller share of what it asks for than the other: what is
        // left of the weak ones falls as gold ones are bought.
        let is_even = |gold: usize| beside(gold) as u128 * n_gold as u128 >= gold as u128 * n_weak as u128;
        let (mut even, mut uneven) = (0, n_gold + 1);
        while even + 1 < uneven {
            let middle = usize::midpoint(even, uneven);
            *if is_even(middle) { &mut even } else { &mut uneven } = middle;
        }
        Allocation { n_weak: beside(even), n_gold: even }
    }

    /// Separates the points that can be bought from those that cannot. Of a budget that affords more labels than there are, all
    /// that there are is bought, unless a smaller budget buys as much already.
    fn serve(&self, points: Vec<WantedPoint>, methods: &[NamedMethod]) -> (Vec<GridPoint>, Vec<NotAffordable>) {
        let (mut can, mut cannot) = (Vec::<GridPoint>::new(), Vec::new());
        for WantedPoint { mut point, refusal, is_exact } in points {
            let wanted = point.allocation;
            let method = methods.iter().find(|named| named.name == point.method);
            let method = &*method.expect("points are of the study's methods").method;
            let most = self.most(method, wanted);
            let makes_sense = refusal.is_none() && !is_exact;
            let mut missing: Vec<String> = refusal.into_iter().collect();
            for (kind, wanted, most) in [("weak", wanted.n_weak, most.n_weak), ("gold", wanted.n_gold, most.n_gold)] {
                if most < wanted {
                    missing.push(format!("{wanted} {kind} labels wanted, {most} for sale"));
                }
            }
            let fits = missing.is_empty();
            point.allocation = most;
            let is_new = |point: &GridPoint| !can.iter().any(|other| other.buys_the_same(point));
            if fits || (makes_sense && self.is_worth_it(method, &point, wanted) && is_new(&point)) {
                can.push(point);
            } else {
                point.allocation = wanted;
                cannot.push(NotAffordable { point, reason: missing.join("; ") });
            }
        }
        (can, cannot)
    }

    /// Whether what there is in place of what a budget affords is more than a smaller budget buys: something of each kind.
    fn is_worth_it(&self, method: &(dyn Method + 'static), point: &GridPoint, wanted: Allocation) -> bool {
        let (most, extra) = (point.allocation, method.extra());
        if most.n_weak < extra.n_weak || most.n_gold < extra.n_gold {
            return false;
        }
        let (split, wanted) = (split_of(method, most), split_of(method, wanted));
        let something = (split.n_weak > 0) == (wanted.n_weak > 0) && (split.n_gold > 0) == (wanted.n_gold > 0);
        let smaller = self.budgets.iter().copied().filter(|budget| *budget < point.budget_usd).max_by(f64::total_cmp);
        let cost_usd = self.prices.bill_usd(most);
        something && !method.stages(split).is_empty() && smaller.is_none_or(|budget| cost_usd > budget * (1.0 + 1e-9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A supply of `gold` labels, each of which takes `fall` weak ones off sale, of `weak`.
    fn supply(weak: usize, gold: usize, fall: usize) -> Supply {
        let weak_beside = (0..=gold).map(|n_gold| weak.saturating_sub(n_gold * fall)).collect();
        Supply { weak_beside, labelled: LabelledExamples { either: gold, only_gold: 0, only_weak: weak } }
    }

    #[test]
    fn a_supply_is_kept_in_few_words() {
        let kept = serde_json::to_string(&supply(1000, 600, 1)).unwrap();
        assert_eq!(kept, r#"{"weak":1000,"weak_falls":[[1,600]],"either":600,"only_gold":0,"only_weak":1000}"#);
        for supply in [supply(1000, 600, 1), supply(7, 0, 1), supply(5, 9, 2), supply(0, 3, 0)] {
            let kept = serde_json::to_string(&supply).unwrap();
            assert_eq!(serde_json::from_str::<Supply>(&kept).unwrap(), supply);
        }
    }

    #[test]
    fn no_kind_gets_a_smaller_share_of_what_it_asks_for_than_the_other() {
        let prices = Prices::new(0.1, 1.0).unwrap();
        let method = labelmix_methods::method_named("seq-sft").unwrap().configure(&toml::Table::new()).unwrap();
        for (supply, n_weak, n_gold) in [
            (supply(100, 100, 1), 80, 80),
            (supply(100, 100, 1), 100, 7),
            (supply(100, 40, 2), 60, 40),
            (supply(3, 90, 0), 50, 80),
        ] {
            let sale = Sale { supply: &supply, candidates: 0, budgets: &[], prices: &prices };
            let bought = sale.most(&*method, Allocation { n_weak, n_gold });
            let (n_weak, n_gold) = (n_weak.min(supply.weak()), n_gold.min(supply.gold()));
            let is_even = |gold: usize| supply.weak_beside(gold).min(n_weak) * n_gold >= gold * n_weak;
            let most = (0..=n_gold).rev().find(|gold| is_even(*gold)).unwrap();
            assert_eq!(bought, Allocation { n_weak: supply.weak_beside(most).min(n_weak), n_gold: most });
        }
    }
}
