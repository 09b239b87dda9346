//! L2-regularised logistic regression, fitted to the last digits.

use crate::error::{Result, StatsError};
use crate::features::FeatureMatrix;
use crate::scores::{probability, softplus};

/// The fit ends when no component of the gradient exceeds this share of what the features could make it.
const GRADIENT_TOLERANCE: f64 = 1e-11;
const MAX_NEWTON_STEPS: usize = 200;
const MAX_CONJUGATE_GRADIENT_STEPS: usize = 1000;
/// A step must win this share of what the gradient promises (Armijo's condition).
const SUFFICIENT_DECREASE: f64 = 1e-4;

/// A linear classifier: log-odds of class 1 = weights · features + intercept.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    /// One weight per column.
    pub weights: Vec<f64>,
    /// The log-odds where every feature is 0.
    pub intercept: f64,
}

impl LogisticRegression {
    /// The classifier that minimises Σ −ln p(label) + penalty / 2 · ‖weights‖², the intercept free of penalty. This is
    /// `LogisticRegression(C=1/penalty)` of scikit-learn.
    ///
    /// By a truncated Newton method: each step solves the Newton equation by preconditioned conjugate gradients, only as
    /// exactly as the distance to the optimum is worth, and is halved until it descends (Nocedal and Wright, Numerical
    /// Optimization, algorithm 7.1). Memory and time of a product are those of the entries that are not zero.
    ///
    /// # Errors
    /// If the penalty is not above 0, if there are no examples of a class, or if the features are so badly scaled that
    /// the optimizer does not converge.
    ///
    /// # Panics
    /// If there is not one label per row.
    pub fn fit(features: &FeatureMatrix, labels: &[bool], penalty: f64) -> Result<Self> {
        assert_eq!(features.rows(), labels.len(), "one label per row");
        let rows: Vec<usize> = (0..labels.len()).collect();
        Self::fit_rows(features, labels, &rows, penalty)
    }

    /// Fits on some of the rows.
    pub(crate) fn fit_rows(features: &FeatureMatrix, labels: &[bool], rows: &[usize], penalty: f64) -> Result<Self> {
        check_penalty(penalty)?;
        let positives = rows.iter().filter(|row| labels[**row]).count();
        for (class, count) in [(0, rows.len() - positives), (1, positives)] {
            if count == 0 {
                return Err(StatsError::TooFewOfClass { class, count, needed: 1 });
            }
        }
        let targets: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(labels[*row]))).collect();
        Problem { features, targets: &targets, weights: &vec![1.0; rows.len()], rows, penalty }.fitted()
    }

    /// As [`fit`](Self::fit), with targets that may lie between the classes, and weights: minimises
    /// Σ weight · −(target ln p + (1 − target) ln(1 − p)) + penalty / 2 · ‖weights‖².
    ///
    /// # Errors
    /// As [`fit`](Self::fit), if a target is no probability, if a weight is not above 0, or if all targets are 0, or all 1.
    ///
    /// # Panics
    /// If there is not one target and one weight per row.
    pub fn fit_soft(features: &FeatureMatrix, targets: &[f64], weights: &[f64], penalty: f64) -> Result<Self> {
        assert!(features.rows() == targets.len() && features.rows() == weights.len(), "one of each per row");
        check_penalty(penalty)?;
        for target in targets {
            check_setting("a target", *target, (0.0..=1.0).contains(target), "a probability")?;
        }
        for weight in weights {
            check_setting("a weight", *weight, *weight > 0.0 && weight.is_finite(), "a number above 0")?;
        }
        for (class, all) in [(0, 1.0), (1, 0.0)] {
            if targets.iter().all(|target| *target == all) {
                return Err(StatsError::TooFewOfClass { class, count: 0, needed: 1 });
            }
        }
        let rows: Vec<usize> = (0..targets.len()).collect();
        Problem { features, targets, weights, rows: &rows, penalty }.fitted()
    }

    /// The log-odds of class 1 for a row of a matrix of as many columns.
    ///
    /// # Panics
    /// If there is no such row, or the matrix has more columns.
    pub fn log_odds(&self, features: &FeatureMatrix, row: usize) -> f64 {
        features.dot(row, &self.weights) + self.intercept
    }
}

fn check_penalty(penalty: f64) -> Result<()> {
    check_setting("the penalty", penalty, penalty > 0.0 && penalty.is_finite(), "a number above 0")
}

fn check_setting(setting: &'static str, value: f64, fits: bool, range: &'static str) -> Result<()> {
    if fits { Ok(()) } else { Err(StatsError::SettingOutOfRange { setting, value, range }) }
}

/// The objective. Its parameters are the weights and then the intercept, `[columns + 1]`; scores are those of `rows`.
struct Problem<'a> {
    features: &'a FeatureMatrix,
    /// Those of `rows`, as the weights.
    targets: &'a [f64],
    weights: &'a [f64],
    rows: &'a [usize],
    penalty: f64,
}

impl Problem<'_> {
    fn fitted(&self) -> Result<LogisticRegression> {
        let parameters = self.minimise()?;
        let (intercept, weights) = parameters.split_last().expect("the intercept is always there");
        Ok(LogisticRegression { weights: weights.to_vec(), intercept: *intercept })
    }

    fn minimise(&self) -> Result<Vec<f64>> {
        let tolerance = GRADIENT_TOLERANCE * largest(&self.accumulate(|_| 1.0, f64::abs));
        let mut parameters = vec![0.0; self.features.columns() + 1];
        let mut scores = vec![0.0; self.rows.len()];
        let mut objective = self.objective(&parameters, &scores);
        let mut first_gradient = None;
        let mut gradient_size = f64::INFINITY;
        for iterations in 0..MAX_NEWTON_STEPS {
            let probabilities: Vec<f64> = scores.iter().map(|score| probability(*score)).collect();
            let gradient = self.gradient(&parameters, &probabilities);
            gradient_size = largest(&gradient);
            if gradient_size <= tolerance {
                return Ok(parameters);
            }
            let first_gradient = *first_gradient.get_or_insert(gradient_size);
            let exactness = (gradient_size / first_gradient).sqrt().min(0.5);
            let curvatures: Vec<f64> =
                probabilities.iter().zip(self.weights).map(|(p, weight)| weight * p * (1.0 - p)).collect();
            let step = self.newton_step(&gradient, &curvatures, exactness);

            let slope = dot(&gradient, &step);
            let step_scores = self.scores(&step);
            // What rounding can change in the objective, which near the optimum is more than a step can win.
            let slack = 1e-13 * objective.abs();
            let mut length = 1.0;
            loop {
                let trial = sum_scaled(&parameters, length, &step);
                let trial_scores = sum_scaled(&scores, length, &step_scores);
                let trial_objective = self.objective(&trial, &trial_scores);
                if trial_objective <= objective + SUFFICIENT_DECREASE * length * slope + slack {
                    (parameters, scores, objective) = (trial, trial_scores, trial_objective);
                    break;
                }
                length /= 2.0;
                if length < 1e-10 {
                    return Err(StatsError::NotConverged { iterations, gradient: gradient_size });
                }
            }
        }
        Err(StatsError::NotConverged { iterations: MAX_NEWTON_STEPS, gradient: gradient_size })
    }

    fn scores(&self, parameters: &[f64]) -> Vec<f64> {
        let (intercept, weights) = parameters.split_last().expect("the intercept is always there");
        self.rows.iter().map(|row| self.features.dot(*row, weights) + intercept).collect()
    }

    fn objective(&self, parameters: &[f64], scores: &[f64]) -> f64 {
        let losses =
            self.targets.iter().zip(self.weights).zip(scores).map(|((target, weight), score)| {
                weight * (target * softplus(-score) + (1.0 - target) * softplus(*score))
            });
        let weights = &parameters[..self.features.columns()];
        losses.sum::<f64>() + 0.5 * self.penalty * dot(weights, weights)
    }

    /// ∂/∂θ = Σ weight · (p − target) · x + penalty · weights.
    fn gradient(&self, parameters: &[f64], probabilities: &[f64]) -> Vec<f64> {
        let mut gradient =
            self.accumulate(|place| self.weights[place] * (probabilities[place] - self.targets[place]), |value| value);
        self.add_penalty(&mut gradient, parameters);
        gradient
    }

    /// The Hessian times a vector: Σ weight · p(1 − p) · x · (x · v) + penalty · v.
    fn hessian_product(&self, curvatures: &[f64], vector: &[f64]) -> Vec<f64> {
        let scores = self.scores(vector);
        let mut product = self.accumulate(|place| curvatures[place] * scores[place], |value| value);
        self.add_penalty(&mut product, vector);
        product
    }

    /// An approximate solution of Hessian · step = −gradient, by conjugate gradients preconditioned with the Hessian's
    /// diagonal, until the residual has shrunk to `exactness`. Always a direction of descent.
    fn newton_step(&self, gradient: &[f64], curvatures: &[f64], exactness: f64) -> Vec<f64> {
        let mut diagonal = self.accumulate(|place| curvatures[place], |value| value * value);
        self.add_penalty(&mut diagonal, &vec![1.0; gradient.len()]);
        // Where every prediction is certain, the intercept has no curvature left.
        let precondition = |residual: &[f64]| -> Vec<f64> {
            residual.iter().zip(&diagonal).map(|(r, d)| r / d.max(f64::MIN_POSITIVE)).collect()
        };
        let mut step = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|component| -component).collect();
        let target = exactness * dot(&residual, &residual).sqrt();
        let mut preconditioned = precondition(&residual);
        let mut direction = preconditioned.clone();
        let mut energy = dot(&residual, &preconditioned);
        for _ in 0..MAX_CONJUGATE_GRADIENT_STEPS {
            let product = self.hessian_product(curvatures, &direction);
            let length = energy / dot(&direction, &product);
            step = sum_scaled(&step, length, &direction);
            residual = sum_scaled(&residual, -length, &product);
            if dot(&residual, &residual).sqrt() <= target {
                break;
            }
            preconditioned = precondition(&residual);
            let next_energy = dot(&residual, &preconditioned);
            direction = sum_scaled(&preconditioned, next_energy / energy, &direction);
            energy = next_energy;
        }
        step
    }

    /// Σ over the rows of weight(place) · map(x), where the last component is the intercept's, whose feature is 1.
    fn accumulate(&self, weight: impl Fn(usize) -> f64, map: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut total = vec![0.0; self.features.columns() + 1];
        let mut intercept = 0.0;
        for (place, row) in self.rows.iter().enumerate() {
            let weight = weight(place);
            for (column, value) in self.features.row(*row) {
                total[column] += weight * map(value);
            }
            intercept += weight;
        }
        total[self.features.columns()] = intercept;
        total
    }

    /// Adds the penalty's part, which spares the intercept.
    fn add_penalty(&self, total: &mut [f64], vector: &[f64]) {
        let columns = self.features.columns();
        total[..columns].iter_mut().zip(vector).for_each(|(total, value)| *total += self.penalty * value);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// a + factor · b.
fn sum_scaled(a: &[f64], factor: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + factor * b).collect()
}

fn largest(vector: &[f64]) -> f64 {
    vector.iter().fold(0.0, |largest, component| component.abs().max(largest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::ItemDraws;
    use proptest::prelude::*;

    fn random_rows(rows: usize, columns: usize) -> Vec<Vec<f64>> {
        let draws = ItemDraws::new(2, "features");
        (0..rows)
            .map(|row| (0..columns).map(|column| draws.uniform((row * columns + column) as u64) - 0.5).collect())
            .collect()
    }

    #[test]
    fn without_information_the_intercept_is_the_log_odds() {
        let features = FeatureMatrix::from_dense(&[[0.0]; 4]).unwrap();
        let fitted = LogisticRegression::fit(&features, &[true, true, true, false], 1.0).unwrap();
        assert!((fitted.intercept - 3f64.ln()).abs() < 1e-9);
        assert_eq!(fitted.weights, [0.0]);
    }

    #[test]
    fn separable_classes_are_held_back_by_the_penalty() {
        let features = FeatureMatrix::from_dense(&[[-1.0], [1.0]]).unwrap();
        let mut weights = Vec::new();
        for penalty in [1.0, 1e-3, 1e-6] {
            let fitted = LogisticRegression::fit(&features, &[false, true], penalty).unwrap();
            // By symmetry the optimum has intercept 0 and penalty · w = 2 · p(−w).
            let weight = fitted.weights[0];
            assert!((penalty * weight - 2.0 * probability(-weight)).abs() < 1e-9 * weight, "{fitted:?}");
            assert!(fitted.intercept.abs() < 1e-9);
            weights.push(weight);
        }
        assert!(weights.is_sorted());
    }

    #[test]
    fn more_columns_than_rows() {
        let rows = random_rows(30, 500);
        let labels: Vec<bool> = rows.iter().map(|row| row[0] + row[1] > 0.0).collect();
        let features = FeatureMatrix::from_dense(&rows).unwrap();
        let fitted = LogisticRegression::fit(&features, &labels, 0.1).unwrap();
        assert!((0..30).all(|row| (fitted.log_odds(&features, row) > 0.0) == labels[row]));
    }

    #[test]
    fn columns_of_very_different_sizes() {
        let mut rows = random_rows(200, 3);
        let noise = ItemDraws::new(2, "noise");
        let labels = rows.iter().zip(0..).map(|(row, item)| row[0] + row[1] + noise.uniform(item) > 0.5);
        let labels: Vec<bool> = labels.collect();
        let plain = LogisticRegression::fit(&FeatureMatrix::from_dense(&rows).unwrap(), &labels, 1e-6).unwrap();
        for row in &mut rows {
            row[1] *= 1e4;
        }
        let scaled = LogisticRegression::fit(&FeatureMatrix::from_dense(&rows).unwrap(), &labels, 1e-6).unwrap();
        // With next to no penalty the scale of a column is the inverse scale of its weight.
        assert!((scaled.weights[1] * 1e4 / plain.weights[1] - 1.0).abs() < 0.02, "{scaled:?}, {plain:?}");
    }

    #[test]
    fn a_soft_target_is_both_classes_by_its_share() {
        let rows = random_rows(30, 4);
        let targets: Vec<f64> = (0..30).map(|row| f64::from(row % 7) / 6.0).collect();
        let weights: Vec<f64> = (0..30).map(|row| 0.5 + f64::from(row % 3)).collect();
        let soft = LogisticRegression::fit_soft(&FeatureMatrix::from_dense(&rows).unwrap(), &targets, &weights, 0.7);
        let twice: Vec<Vec<f64>> = rows.iter().chain(&rows).cloned().collect();
        let shares: Vec<f64> = weights.iter().zip(&targets).map(|(weight, target)| weight * target).collect();
        let others = weights.iter().zip(&shares).map(|(weight, share)| weight - share);
        // A weight of 0 is none; so small a one changes nothing.
        let shares: Vec<f64> = shares.iter().copied().chain(others).map(|share| share.max(1e-300)).collect();
        let classes: Vec<f64> = (0..60).map(|row| f64::from(u8::from(row < 30))).collect();
        let hard = LogisticRegression::fit_soft(&FeatureMatrix::from_dense(&twice).unwrap(), &classes, &shares, 0.7);
        let (soft, hard) = (soft.unwrap(), hard.unwrap());
        for (soft, hard) in
            soft.weights.iter().chain([&soft.intercept]).zip(hard.weights.iter().chain([&hard.intercept]))
        {
            assert!((soft - hard).abs() < 1e-9, "{soft} {hard}");
        }
    }

    #[test]
    fn whole_targets_that_count_once_are_labels() {
        let features = FeatureMatrix::from_dense(&random_rows(20, 3)).unwrap();
        let labels: Vec<bool> = (0..20).map(|row| row % 3 == 0).collect();
        let targets: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        let soft = LogisticRegression::fit_soft(&features, &targets, &[1.0; 20], 0.3).unwrap();
        assert_eq!(soft, LogisticRegression::fit(&features, &labels, 0.3).unwrap());
        for (targets, weight) in [(vec![1.0; 20], 1.0), (vec![1.5; 20], 1.0), (targets, 0.0)] {
            assert!(LogisticRegression::fit_soft(&features, &targets, &[weight; 20], 0.3).is_err());
        }
    }

    #[test]
    fn refuses_what_cannot_be_fitted() {
        let features = FeatureMatrix::from_dense(&[[1.0], [2.0]]).unwrap();
        let error = LogisticRegression::fit(&features, &[true, true], 1.0).unwrap_err();
        assert_eq!(error.to_string(), "too few examples of class 0: 0 of at least 1");
        for penalty in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = LogisticRegression::fit(&features, &[true, false], penalty).unwrap_err();
            assert_eq!(error.to_string(), format!("the penalty is {penalty}, but must be a number above 0"));
        }
    }

    #[test]
    fn says_so_where_it_does_not_converge() {
        let features = FeatureMatrix::from_dense(&[[1e200], [-1e200], [1e-3]]).unwrap();
        let error = LogisticRegression::fit(&features, &[true, false, true], 1.0).unwrap_err();
        assert!(matches!(error, StatsError::NotConverged { .. }), "{error}");
    }

    proptest! {
        /// At the optimum the gradient is zero: the predicted probabilities of all rows sum to the positives, and the
        /// weights are the residuals' projection on the features.
        #[test]
        fn satisfies_the_normal_equations(
            rows in prop::collection::vec((prop::array::uniform3(-3.0f64..3.0), any::<bool>()), 2..40),
            penalty in 0.01f64..10.0,
        ) {
            let (rows, labels): (Vec<[f64; 3]>, Vec<bool>) = rows.into_iter().unzip();
            prop_assume!(labels.iter().any(|label| *label) && labels.iter().any(|label| !*label));
            let features = FeatureMatrix::from_dense(&rows).unwrap();
            let fitted = LogisticRegression::fit(&features, &labels, penalty).unwrap();
            let residuals: Vec<f64> = labels.iter().enumerate().map(|(row, label)| {
                f64::from(u8::from(*label)) - probability(fitted.log_odds(&features, row))
            }).collect();
            prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-8);
            for column in 0..3 {
                let projection: f64 = rows.iter().zip(&residuals).map(|(row, residual)| row[column] * residual).sum();
                prop_assert!((projection - penalty * fitted.weights[column]).abs() < 1e-8);
            }
        }
    }
}
