//! Many questions at once: p-values that allow for how many were asked.

/// Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979, pages 65 to 70), in the order of the p-values.
/// Rejecting what is at most α among them errs anywhere with a probability of at most α, however the questions depend
/// on each other. As `multipletests(p_values, method="holm")` of statsmodels.
///
/// # Panics
/// If a p-value is not between 0 and 1.
pub fn holm_adjusted(p_values: &[f64]) -> Vec<f64> {
    assert!(p_values.iter().all(|p| (0.0..=1.0).contains(p)), "p-values lie between 0 and 1");
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &place) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[place]).min(1.0);
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // The smallest times 3, the next times 2, the largest as it is, but none below the one before it.
        assert_eq!(holm_adjusted(&[0.25, 0.0625, 0.125]), [0.25, 0.1875, 0.25]);
        assert_eq!(holm_adjusted(&[0.75, 0.5]), [1.0, 1.0]);
        assert_eq!(holm_adjusted(&[0.03]), [0.03]);
        assert!(holm_adjusted(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn never_smaller_and_in_the_same_order(p_values in prop::collection::vec(0.0f64..=1.0, 1..20)) {
            let adjusted = holm_adjusted(&p_values);
            for (p, adjusted) in p_values.iter().zip(&adjusted) {
                prop_assert!(p <= adjusted && *adjusted <= 1.0);
            }
            for (i, j) in (0..p_values.len()).flat_map(|i| (0..p_values.len()).map(move |j| (i, j))) {
                prop_assert!(p_values[i] > p_values[j] || adjusted[i] <= adjusted[j]);
            }
        }
    }
}
