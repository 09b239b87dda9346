//! Choosing examples: where a classifier is least certain, where labels are surest, and so that texts cover a pool.

use labelmix_stats::{probability, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// For which texts of its pool a method buys gold labels, unless it chooses them itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoldTexts {
    /// A random sample.
    #[default]
    Random,
    /// Those whose hidden states cover the pool.
    Coverage,
}

/// The `count` of the examples with these log-odds on which a classifier is least certain, the least certain first:
/// those of the largest entropy at temperature 0, else a sample without replacement with weight
/// entropy^(1/temperature). More count contain fewer; ties keep their order.
pub fn least_certain(log_odds: &[f32], count: usize, temperature: f64, seed: u64) -> Vec<usize> {
    // The first `count` by rising exponential variables of rates w are a sample with weights w (Efraimidis and Spirakis
    // 2006). By their logarithms no entropy^(1/temperature) is too small to be a number. A rank for each example, the
    // lowest first.
    let mut random = stream(seed, "examples of high entropy");
    let ranks: Vec<f64> = log_odds
        .iter()
        .map(|score| {
            let distance = f64::from(score.abs());
            if temperature == 0.0 {
                // The entropy falls as the log-odds move away from zero, even where it is too small to be told from 0.
                return distance;
            }
            let uniform: f64 = random.random();
            (-(-uniform).ln_1p()).ln() - log_entropy(distance) / temperature
        })
        .collect();
    lowest(&ranks, count)
}

/// The `count` of the soft labels that are farthest from what a classifier with these log-odds says, the farthest first; ties keep
/// their order.
pub fn most_disputed(labels: &[f32], log_odds: &[f32], count: usize) -> Vec<usize> {
    let distance = |(label, score): (&f32, &f32)| (f64::from(*label) - probability(f64::from(*score))).abs();
    let ranks: Vec<f64> = labels.iter().zip(log_odds).map(|pair| -distance(pair)).collect();
    lowest(&ranks, count)
}

/// The `count` soft labels that are farthest from one half, in the order in which they stand.
pub fn surest_labels(labels: &[f32], count: usize) -> Vec<usize> {
    let ranks: Vec<f64> = labels.iter().map(|label| -(f64::from(*label) - 0.5).abs()).collect();
    let mut chosen = lowest(&ranks, count);
    chosen.sort_unstable();
    chosen
}

/// The `count` of the candidates that best cover all of them beside what is `covered` already, each given by its hidden
/// states: one after the other the one that adds most to Σ max cos(candidate, chosen), the facility location objective (its
/// greedy maximum is at least 1 − 1/e of the largest: Nemhauser, Wolsey and Fisher 1978). More count contain fewer; of
/// equals the first is taken.
///
/// # Panics
/// If there are fewer candidates.
pub fn by_coverage<R: AsRef<[f32]>>(covered: &[R], candidates: &[R], count: usize) -> Vec<usize> {
    assert!(count <= candidates.len(), "enough candidates");
    let unit = |row: &R| -> Vec<f32> {
        let length = row.as_ref().iter().map(|value| value * value).sum::<f32>().sqrt();
        row.as_ref().iter().map(|value| if length > 0.0 { value / length } else { 0.0 }).collect()
    };
    let candidates: Vec<Vec<f32>> = candidates.iter().map(unit).collect();
    let cosines = |row: &[f32]| -> Vec<f32> {
        candidates.iter().map(|other| row.iter().zip(other).map(|(a, b)| a * b).sum()).collect()
    };
    // How well each candidate is covered.
    let mut cover = vec![-1.0_f32; candidates.len()];
    let widen = |cover: &mut Vec<f32>, cosines: &[f32]| {
        cover.iter_mut().zip(cosines).for_each(|(cover, cosine)| *cover = cover.max(*cosine));
    };
    for row in covered {
        widen(&mut cover, &cosines(&unit(row)));
    }
    let cosines: Vec<Vec<f32>> = candidates.iter().map(|row| cosines(row)).collect();
    let mut chosen: Vec<usize> = Vec::new();
    let mut is_free = vec![true; candidates.len()];
    for _ in 0..count {
        let gain = |place: usize| -> f64 {
            cosines[place].iter().zip(&cover).map(|(cosine, cover)| f64::from((cosine - cover).max(0.0))).sum()
        };
        let free = (0..candidates.len()).filter(|place| is_free[*place]).map(|place| (place, gain(place)));
        let (best, _) = free.reduce(|best, other| if other.1 > best.1 { other } else { best }).expect("one is free");
        widen(&mut cover, &cosines[best]);
        is_free[best] = false;
        chosen.push(best);
    }
    chosen
}

/// The logarithm of the entropy, in nats, of a prediction whose log-odds have this absolute value:
/// H = log(1 + e⁻ᵃ) + a·e⁻ᵃ/(1 + e⁻ᵃ).
fn log_entropy(a: f64) -> f64 {
    let odds = (-a).exp();
    (odds.ln_1p() + a * odds / (1.0 + odds)).ln()
}

fn lowest(ranks: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_by(|a, b| ranks[*a].total_cmp(&ranks[*b]));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_a_classifier_disputes() {
        let (labels, log_odds) = ([0.9, 0.1, 0.6, 0.9], [3.0, 2.0, 0.4, -4.0]);
        assert_eq!(most_disputed(&labels, &log_odds, 3), [3, 1, 0]);
        assert_eq!(most_disputed(&labels, &log_odds, 9).len(), 4);
    }

    const LOG_ODDS: [f32; 5] = [3.0, -0.1, 0.5, -2.0, 0.1];

    #[test]
    fn without_temperature_the_largest_entropies_in_order() {
        assert_eq!(least_certain(&LOG_ODDS, 3, 0.0, 7), [1, 4, 2]);
        assert_eq!(least_certain(&[40.0, -50.0, 30.0], 3, 0.0, 7), [2, 0, 1]);
    }

    #[test]
    fn entropies_computed_by_hand() {
        assert!((log_entropy(0.0).exp() - 2.0_f64.ln()).abs() < 1e-12);
        // p = 1/4: H = −¼ ln ¼ − ¾ ln ¾.
        assert!((log_entropy(3.0_f64.ln()).exp() - 0.562_335_144_618_808_2).abs() < 1e-12);
    }

    #[test]
    fn the_first_of_a_sample_are_drawn_by_their_weights() {
        // The entropies of log-odds 0 and ln 3 are as 0.693 to 0.562; at temperature 1/2 they weigh as their squares.
        let log_odds = [0.0, 3.0_f32.ln()];
        for (temperature, power) in [(1.0, 1), (0.5, 2), (1e6, 0)] {
            let draws = 20_000;
            let first = (0..draws).filter(|seed| least_certain(&log_odds, 1, temperature, *seed) == [0]).count();
            let (a, b) = (std::f64::consts::LN_2.powi(power), 0.562_335_f64.powi(power));
            let expected = a / (a + b);
            // Five standard errors.
            assert!((first as f64 / f64::from(draws as u32) - expected).abs() < 0.018, "{temperature}: {first}");
        }
    }

    #[test]
    fn samples_are_nested_and_without_replacement() {
        let log_odds: Vec<f32> = (0..50).map(|n| n as f32 / 10.0 - 2.0).collect();
        let all = least_certain(&log_odds, 50, 1.0, 3);
        assert_eq!(least_certain(&log_odds, 20, 1.0, 3), all[..20]);
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 50);
    }

    #[test]
    fn each_group_of_texts_is_covered_before_any_is_covered_twice() {
        // Three directions, of which the first has most texts and the last least.
        let texts =
            [[9.0, 0.1, 0.0], [1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [3.0, 0.0, 0.1], [0.1, 1.0, 0.0], [0.0, 0.0, 2.0]];
        let chosen = by_coverage(&[], &texts, 6);
        assert!([0, 1, 3].contains(&chosen[0]) && [2, 4].contains(&chosen[1]) && chosen[2] == 5, "{chosen:?}");
        assert_eq!(by_coverage(&[], &texts, 2), chosen[..2]);
        let mut all = chosen;
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        // What is covered is not chosen first.
        let beside = by_coverage(&[[1.0, 0.0, 0.0]], &texts, 2);
        assert!([2, 4].contains(&beside[0]) && beside[1] == 5, "{beside:?}");
        assert_eq!(by_coverage::<[f32; 3]>(&[], &[], 0), [0; 0]);
    }

    #[test]
    fn the_surest_labels_in_their_order() {
        assert_eq!(surest_labels(&[0.6, 0.1, 0.99, 0.5, 0.05], 3), [1, 2, 4]);
        assert_eq!(surest_labels(&[1.0, 0.0, 1.0], 2), [0, 1]);
    }
}
