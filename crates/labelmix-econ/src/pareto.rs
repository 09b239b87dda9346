//! The Pareto frontier of cost and accuracy: what money well spent would buy.

use std::ops::Range;

use crate::Observation;

/// By how much a point must beat the frontier so far to join it: less is noise of the test set.
pub(crate) const MINIMUM_GAIN: f64 = 0.002;

/// Costs that differ by less than this share are the same money: the less accurate of two such points is a
/// worse experiment, not a cheaper one.
pub(crate) const SIMILAR_COST: f64 = 0.05;

/// The indices of the observations on the frontier, in order of rising cost.
///
/// Mallen & Belrose (2024): walk the points by rising cost; a point joins if its accuracy exceeds the best so far by
/// more than `MINIMUM_GAIN` and no point within `SIMILAR_COST` of its cost does better. Read here as:
/// - *the best so far* is that of the frontier, not of all points walked. Otherwise a slow climb in steps
///   of less than the minimum gain would never join, and a point kept out by a slightly better neighbour would
///   keep the neighbour out in turn.
/// - *within 5% of its cost* is `|cost′ − cost| ≤ 0.05·cost`, on either side, so a dearer neighbour counts too.
/// - *does better* is a strictly larger accuracy. Of points equal in both the first joins.
///
/// An accuracy that is not a number never joins and never keeps another out.
pub fn pareto_frontier(points: &[Observation]) -> Vec<usize> {
    let costs: Vec<f64> = points.iter().map(|point| point.cost_usd).collect();
    let accuracies: Vec<f64> = points.iter().map(|point| point.accuracy).collect();
    CostOrder::new(&costs).frontier(&accuracies)
}

/// The points in order of cost and what is near each: the part of the rule that a resample of accuracies shares with
/// the next one.
pub(crate) struct CostOrder {
    by_cost: Vec<usize>,
    /// For each place of `by_cost` the places of about the same cost.
    nearby: Vec<Range<usize>>,
}

impl CostOrder {
    pub(crate) fn new(costs_usd: &[f64]) -> Self {
        let mut by_cost: Vec<usize> = (0..costs_usd.len()).collect();
        by_cost.sort_by(|&a, &b| costs_usd[a].total_cmp(&costs_usd[b]));
        let nearby = |&index: &usize| {
            let cost = costs_usd[index];
            let start = by_cost.partition_point(|&other| cost - costs_usd[other] > SIMILAR_COST * cost);
            let end = by_cost.partition_point(|&other| costs_usd[other] - cost <= SIMILAR_COST * cost);
            start..end.max(start)
        };
        let nearby = by_cost.iter().map(nearby).collect();
        Self { by_cost, nearby }
    }

    /// The indices of the points by rising cost.
    pub(crate) fn by_cost(&self) -> &[usize] {
        &self.by_cost
    }

    /// The rule of [`pareto_frontier`] for these accuracies.
    pub(crate) fn frontier(&self, accuracies: &[f64]) -> Vec<usize> {
        let mut best_accuracy = f64::NEG_INFINITY;
        let mut members = Vec::new();
        for (&index, nearby) in self.by_cost.iter().zip(&self.nearby) {
            let accuracy = accuracies[index];
            let outdone = || self.by_cost[nearby.clone()].iter().any(|&other| accuracies[other] > accuracy);
            if accuracy > best_accuracy + MINIMUM_GAIN && !outdone() {
                best_accuracy = accuracy;
                members.push(index);
            }
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Allocation;
    use proptest::prelude::*;

    fn observed(points: &[(f64, f64)]) -> Vec<Observation> {
        let observation = |&(cost_usd, accuracy)| Observation { allocation: Allocation::default(), cost_usd, accuracy };
        points.iter().map(observation).collect()
    }

    fn frontier(points: &[(f64, f64)]) -> Vec<usize> {
        pareto_frontier(&observed(points))
    }

    #[test]
    fn rises_in_cost_and_accuracy() {
        assert_eq!(frontier(&[]), [0usize; 0]);
        let points = [(256.0, 0.77), (16.0, 0.60), (64.0, 0.70), (128.0, 0.65)];
        assert_eq!(frontier(&points), [1, 2, 0]);
    }

    #[test]
    fn a_gain_within_noise_does_not_join() {
        assert_eq!(frontier(&[(16.0, 0.6), (64.0, 0.6015), (256.0, 0.603)]), [0, 2]);
    }

    #[test]
    fn a_better_neighbour_of_similar_cost_takes_the_place() {
        assert_eq!(frontier(&[(100.0, 0.6), (105.0, 0.6005)]), [1]);
        assert_eq!(frontier(&[(100.0, 0.6), (106.0, 0.65)]), [0, 1]);
    }

    #[test]
    fn equal_points_join_once() {
        assert_eq!(frontier(&[(64.0, 0.7), (64.0, 0.7), (64.0, 0.7)]), [0]);
    }

    #[test]
    fn a_failed_measurement_neither_joins_nor_keeps_out() {
        assert_eq!(frontier(&[(16.0, f64::NAN), (16.0, 0.6)]), [1]);
    }

    /// Costs close enough together that neighbours are common, accuracies in thousandths.
    fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
        let point = (1u16..150, 500u16..600);
        prop::collection::vec(point.prop_map(|(cost, acc)| (f64::from(cost), f64::from(acc) / 1000.0)), 0..40)
    }

    proptest! {
        /// The rule, asked of each point by itself: it is on the frontier exactly if it beats every cheaper
        /// member by the minimum gain, nobody nearby beats it, and no equal point comes first.
        #[test]
        fn holds_exactly_the_points_that_obey_the_rule(points in points()) {
            let members = frontier(&points);
            for (index, &(cost, accuracy)) in points.iter().enumerate() {
                let gains = members.iter().all(|&m| {
                    let comes_before = (points[m].0, m) < (cost, index);
                    !comes_before || accuracy > points[m].1 + MINIMUM_GAIN
                });
                let outdone = points.iter().any(|&(other_cost, other_accuracy)| {
                    (0.95 * cost - 1e-9..=1.05 * cost + 1e-9).contains(&other_cost) && other_accuracy > accuracy
                });
                prop_assert_eq!(members.contains(&index), gains && !outdone, "point {}", index);
            }
        }

        #[test]
        fn rises_strictly(points in points()) {
            for pair in frontier(&points).windows(2) {
                prop_assert!(points[pair[0]].0 < points[pair[1]].0);
                prop_assert!(points[pair[0]].1 < points[pair[1]].1);
            }
        }

        /// By powers of two, which multiply without rounding.
        #[test]
        fn does_not_depend_on_the_currency(points in points(), exponent in -8i32..8) {
            let scaled: Vec<_> = points.iter().map(|(cost, acc)| (cost * 2f64.powi(exponent), *acc)).collect();
            prop_assert_eq!(frontier(&points), frontier(&scaled));
        }
    }
}
