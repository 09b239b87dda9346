//! What was measured, and which split of one budget measured best.

use std::cmp::Reverse;

use serde::Serialize;

use crate::Allocation;

/// An allocation that was tried, what it cost, and how accurate a classifier it bought (usually a mean over
/// seeds).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Observation {
    /// The labels bought.
    pub allocation: Allocation,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// The test accuracy, from 0 to 1.
    pub accuracy: f64,
}

/// The index of the most accurate of one budget's observations. Of equally accurate ones the cheapest, then the
/// one with the fewest weak labels, then the first. Accuracies that are not numbers are passed over; `None` if
/// nothing remains.
pub fn best_split(of_one_budget: &[Observation]) -> Option<usize> {
    (0..of_one_budget.len()).filter(|&index| !of_one_budget[index].accuracy.is_nan()).max_by(|&left, &right| {
        let (a, b) = (&of_one_budget[left], &of_one_budget[right]);
        a.accuracy
            .total_cmp(&b.accuracy)
            .then(b.cost_usd.total_cmp(&a.cost_usd))
            .then(b.allocation.n_weak.cmp(&a.allocation.n_weak))
            .then(Reverse(left).cmp(&Reverse(right)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(n_weak: usize, cost_usd: f64, accuracy: f64) -> Observation {
        Observation { allocation: Allocation { n_weak, n_gold: 0 }, cost_usd, accuracy }
    }

    #[test]
    fn the_most_accurate_wins() {
        let splits = [observed(0, 64.0, 0.70), observed(320, 64.0, 0.75), observed(640, 64.0, 0.72)];
        assert_eq!(best_split(&splits), Some(1));
    }

    #[test]
    fn ties_go_to_the_cheaper_then_to_fewer_weak_labels_then_to_the_first() {
        let splits = [
            observed(640, 64.0, 0.75),
            observed(630, 63.0, 0.75),
            observed(320, 63.0, 0.75),
            observed(320, 63.0, 0.75),
        ];
        assert_eq!(best_split(&splits), Some(2));
    }

    #[test]
    fn nothing_measured_has_no_best() {
        assert_eq!(best_split(&[]), None);
        assert_eq!(best_split(&[observed(0, 64.0, f64::NAN)]), None);
    }
}
