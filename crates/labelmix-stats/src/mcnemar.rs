//! Do two classifiers differ, judged by the items that only one of them gets right?

use serde::{Deserialize, Serialize};

use crate::paired::Verdict;

/// The test for paired proportions (Psychometrika 12, 1947, pages 153 to 157): the items on which two classifiers
/// disagree, and what follows from their counts. Items that both get right or both get wrong say nothing about which is
/// better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct McNemar {
    /// The number of items that the first gets right and the second wrong.
    pub only_first_right: usize,
    /// The number of items that the second gets right and the first wrong.
    pub only_second_right: usize,
}

/// A test statistic that follows the χ² distribution with one degree of freedom where the classifiers do not differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChiSquared {
    pub statistic: f64,
    /// The probability of a statistic at least as large.
    pub p_value: f64,
}

impl McNemar {
    /// Counts the items on which two classifiers disagree, from whether each gets them right.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn of(first_right: &[bool], second_right: &[bool]) -> Self {
        assert_eq!(first_right.len(), second_right.len(), "both classifiers on the same items");
        let only = |right: &[bool], wrong: &[bool]| right.iter().zip(wrong).filter(|(r, w)| **r && !**w).count();
        Self { only_first_right: only(first_right, second_right), only_second_right: only(second_right, first_right) }
    }

    /// The two-sided exact p-value: with n items in disagreement, min(1, 2 · P(X ≤ the smaller count)) for X ~
    /// Binomial(n, ½). 1 where there is no disagreement. As `mcnemar(table, exact=True)` of statsmodels.
    pub fn exact_p_value(&self) -> f64 {
        let smaller = self.only_first_right.min(self.only_second_right);
        let larger = self.only_first_right.max(self.only_second_right);
        if smaller == larger {
            return 1.0;
        }
        // Binomial coefficients relative to the middle one, downwards: C(n, k − 1) = C(n, k) · k / (n − k + 1). They
        // sum to 2ⁿ over all k, so neither a factorial nor a power of two is needed, and nothing overflows.
        let n = smaller + larger;
        let middle = n / 2;
        let mut coefficient = 1.0;
        let (mut lower_half, mut tail) = (0.0, 0.0);
        for k in (0..=middle).rev() {
            if 2 * k < n {
                lower_half += coefficient;
            }
            if k <= smaller {
                tail += coefficient;
            }
            coefficient *= k as f64 / (n - k + 1) as f64;
        }
        let center = if n.is_multiple_of(2) { 1.0 } else { 0.0 };
        2.0 * tail / (2.0 * lower_half + center)
    }

    /// The χ² test with Edwards' continuity correction, (|b − c| − 1)² / (b + c), for counts too large to wait for the
    /// exact one. As `mcnemar(table, exact=False, correction=True)` of statsmodels; where the counts are equal it
    /// overcorrects, and the exact p-value is the one to read. `None` where there is no disagreement.
    pub fn corrected(&self) -> Option<ChiSquared> {
        let total = self.only_first_right + self.only_second_right;
        let excess = self.only_first_right.abs_diff(self.only_second_right) as f64 - 1.0;
        (total > 0).then(|| {
            let statistic = excess * excess / total as f64;
            // A χ² variable of one degree of freedom is a squared normal one.
            ChiSquared { statistic, p_value: libm::erfc((statistic / 2.0).sqrt()) }
        })
    }

    /// Whether the first classifier is better or worse, where the exact p-value is at most `significance` (such as
    /// 0.05); tied where it is not.
    pub fn verdict(&self, significance: f64) -> Verdict {
        if self.exact_p_value() > significance {
            Verdict::Tied
        } else if self.only_first_right > self.only_second_right {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(only_first_right: usize, only_second_right: usize) -> McNemar {
        McNemar { only_first_right, only_second_right }
    }

    #[test]
    fn by_hand() {
        // P(X ≤ 1) of Binomial(5, ½) is 6/32.
        assert!((counts(4, 1).exact_p_value() - 12.0 / 32.0).abs() < 1e-15);
        assert!((counts(0, 4).exact_p_value() - 2.0 / 16.0).abs() < 1e-15);
        assert_eq!(counts(4, 1).corrected().unwrap().statistic, 0.8);
    }

    #[test]
    fn agreement_everywhere_is_a_tie() {
        assert_eq!(counts(0, 0).exact_p_value(), 1.0);
        assert_eq!(counts(0, 0).corrected(), None);
        assert_eq!(counts(0, 0).verdict(0.05), Verdict::Tied);
        assert_eq!(counts(9, 9).verdict(0.05), Verdict::Tied);
    }

    #[test]
    fn counts_what_only_one_gets_right() {
        let found = McNemar::of(&[true, true, true, false, false], &[false, false, true, true, false]);
        assert_eq!(found, counts(2, 1));
    }

    #[test]
    fn verdicts() {
        assert_eq!(counts(15, 3).verdict(0.05), Verdict::Better);
        assert_eq!(counts(3, 15).verdict(0.05), Verdict::Worse);
        assert_eq!(counts(15, 3).verdict(0.001), Verdict::Tied);
    }

    #[test]
    fn a_million_disagreements_neither_overflow_nor_vanish() {
        let (exact, corrected) = (counts(500_700, 499_300).exact_p_value(), counts(500_700, 499_300).corrected());
        let corrected = corrected.unwrap().p_value;
        assert!((exact / corrected - 1.0).abs() < 1e-3, "{exact}, {corrected}");
        assert_eq!(counts(1_000_000, 0).exact_p_value(), 0.0);
    }

    proptest! {
        #[test]
        fn knows_no_order(first in 0usize..300, second in 0usize..300) {
            let (forward, backward) = (counts(first, second), counts(second, first));
            prop_assert_eq!(forward.exact_p_value(), backward.exact_p_value());
            prop_assert_eq!(forward.corrected(), backward.corrected());
            let mirrored = match backward.verdict(0.05) {
                Verdict::Better => Verdict::Worse,
                Verdict::Worse => Verdict::Better,
                Verdict::Tied => Verdict::Tied,
            };
            prop_assert_eq!(forward.verdict(0.05), mirrored);
            let p = forward.exact_p_value();
            prop_assert!((0.0..=1.0).contains(&p));
        }
    }
}
