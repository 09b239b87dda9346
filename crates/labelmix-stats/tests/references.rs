//! The crate's numbers are those of scikit-learn, SciPy, statsmodels and a fit in plain array code, which
//! `references/make_references.py` wrote to `references/references.json`.

use std::collections::HashMap;

use labelmix_stats::{
    Binning, Bootstrap, ConfusionMatrix, DawidSkeneSettings, Evaluation, FeatureMatrix, LogisticRegression, McNemar,
    StudentEstimate, Votes, Z_95, auroc, brier_score, calibration_curve, dawid_skene, holm_adjusted, log_loss,
    log_loss_of_log_odds, wilson_interval,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    predictions: Predictions,
    certain_predictions: CertainPredictions,
    /// Successes, trials, low, high.
    wilson: Vec<(usize, usize, f64, f64)>,
    /// The two counts, the exact p-value, the corrected statistic, its p-value.
    mcnemar: Vec<(usize, usize, f64, f64, f64)>,
    regressions: Vec<Regression>,
    crowd: Crowd,
    evaluation: EvaluationCase,
    /// p-values, adjusted.
    holm: (Vec<f64>, Vec<f64>),
    /// The statistic, the degrees of freedom, the two-sided p-value, the 97.5% quantile.
    student: Vec<(f64, f64, f64, f64)>,
}

#[derive(Deserialize)]
struct EvaluationCase {
    log_odds: Vec<f64>,
    labels: Vec<bool>,
    accuracy: f64,
    accuracy_interval: (f64, f64),
    auroc: f64,
    threshold: f64,
    calibrated_accuracy: f64,
    log_loss: f64,
    brier_score: f64,
    calibration_error: f64,
}

#[derive(Deserialize)]
struct Predictions {
    log_odds: Vec<f64>,
    probabilities: Vec<f64>,
    labels: Vec<bool>,
    log_loss: f64,
    brier_score: f64,
    auroc: f64,
    calibration_curves: HashMap<String, Curve>,
    /// The threshold, then true and false positives, true and false negatives.
    confusions: Vec<(f64, usize, usize, usize, usize)>,
}

#[derive(Deserialize)]
struct CertainPredictions {
    probabilities: Vec<f64>,
    labels: Vec<bool>,
    log_loss: f64,
    brier_score: f64,
}

#[derive(Deserialize)]
struct Curve {
    mean_predicted: Vec<f64>,
    fraction_positive: Vec<f64>,
}

#[derive(Deserialize)]
struct Regression {
    features: Vec<Vec<f64>>,
    labels: Vec<bool>,
    fits: Vec<RegressionFit>,
}

#[derive(Deserialize)]
struct RegressionFit {
    penalty: f64,
    weights: Vec<f64>,
    intercept: f64,
}

#[derive(Deserialize)]
struct Crowd {
    /// `[items, annotators]`, −1 where there is no vote.
    votes: Vec<Vec<i8>>,
    fits: Vec<CrowdFit>,
}

#[derive(Deserialize)]
struct CrowdFit {
    /// −1 where it is not known.
    gold: Vec<i8>,
    smoothing: f64,
    posteriors: Vec<f64>,
    sensitivities: Vec<f64>,
    specificities: Vec<f64>,
    prevalence: f64,
    log_likelihood: f64,
}

fn references() -> References {
    serde_json::from_str(include_str!("references/references.json")).expect("the script writes what is read here")
}

/// Close in relation to the reference, or to 1 if that is larger.
#[track_caller]
fn assert_close(ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{ours}, not {theirs}");
}

#[track_caller]
fn assert_all_close(ours: impl ExactSizeIterator<Item = Option<f64>>, theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.zip(theirs) {
        assert_close(ours.expect("defined, as the reference is"), *theirs, tolerance);
    }
}

fn label(number: i8) -> Option<bool> {
    (number >= 0).then_some(number == 1)
}

#[test]
fn scores_of_predictions() {
    let case = references().predictions;
    let ours = [
        log_loss(&case.probabilities, &case.labels),
        log_loss_of_log_odds(&case.log_odds, &case.labels),
        brier_score(&case.probabilities, &case.labels),
        auroc(&case.log_odds, &case.labels),
    ];
    assert_all_close(ours.into_iter(), &[case.log_loss, case.log_loss, case.brier_score, case.auroc], 1e-12);

    let case = references().certain_predictions;
    let ours = [log_loss(&case.probabilities, &case.labels), brier_score(&case.probabilities, &case.labels)];
    assert_all_close(ours.into_iter(), &[case.log_loss, case.brier_score], 1e-12);
}

#[test]
fn calibration_curves() {
    let case = references().predictions;
    for (strategy, bins, binning) in [("uniform", 10, Binning::EqualWidth), ("quantile", 7, Binning::EqualMass)] {
        let ours = calibration_curve(&case.probabilities, &case.labels, bins, binning).expect("probabilities");
        let theirs = &case.calibration_curves[strategy];
        assert_all_close(ours.iter().map(|bin| Some(bin.mean_predicted)), &theirs.mean_predicted, 1e-12);
        assert_all_close(ours.iter().map(|bin| Some(bin.fraction_positive)), &theirs.fraction_positive, 1e-12);
    }
}

#[test]
fn confusion_matrices() {
    let case = references().predictions;
    for (threshold, true_positives, false_positives, true_negatives, false_negatives) in case.confusions {
        let theirs = ConfusionMatrix { true_positives, false_positives, true_negatives, false_negatives };
        assert_eq!(ConfusionMatrix::at_threshold(&case.log_odds, &case.labels, threshold), Some(theirs));
    }
}

#[test]
fn wilson_intervals() {
    for (successes, trials, low, high) in references().wilson {
        let ours = wilson_interval(successes, trials, Z_95);
        assert_close(ours.low, low, 1e-12);
        assert_close(ours.high, high, 1e-12);
    }
}

#[test]
fn mcnemar_tests() {
    for (only_first_right, only_second_right, exact, statistic, p_value) in references().mcnemar {
        let ours = McNemar { only_first_right, only_second_right };
        assert_close(ours.exact_p_value(), exact, 1e-11);
        let corrected = ours.corrected().expect("there is disagreement");
        assert_close(corrected.statistic, statistic, 1e-12);
        assert_close(corrected.p_value, p_value, 1e-12);
    }
}

#[test]
fn evaluations() {
    let case = references().evaluation;
    let ours = Evaluation::of(&case.log_odds, &case.labels, &Bootstrap::new(0)).expect("numbers");
    let interval = ours.accuracy.interval.expect("an accuracy has one");
    let close = |ours, theirs| assert_close(ours, theirs, 1e-12);
    close(ours.accuracy.value, case.accuracy);
    close(interval.low, case.accuracy_interval.0);
    close(interval.high, case.accuracy_interval.1);
    close(ours.auroc.expect("two classes").value, case.auroc);
    close(ours.threshold, case.threshold);
    close(ours.calibrated_accuracy.value, case.calibrated_accuracy);
    close(ours.log_loss.value, case.log_loss);
    close(ours.brier_score.value, case.brier_score);
    close(ours.calibration_error, case.calibration_error);
}

#[test]
fn adjusted_p_values() {
    let (p_values, adjusted) = references().holm;
    assert_all_close(holm_adjusted(&p_values).into_iter().map(Some), &adjusted, 1e-12);
}

#[test]
fn student_distributions() {
    for (value, degrees_of_freedom, p_value, quantile) in references().student {
        let ours = StudentEstimate { value, deviation: 1.0, degrees_of_freedom };
        assert_close(ours.p_value() / p_value, 1.0, 1e-9);
        assert_close(ours.interval(0.95).high - value, quantile, 1e-9);
    }
}

#[test]
fn logistic_regressions() {
    for problem in references().regressions {
        let features = FeatureMatrix::from_dense(&problem.features).expect("finite features");
        for theirs in problem.fits {
            let ours = LogisticRegression::fit(&features, &problem.labels, theirs.penalty).expect("both classes");
            assert_close(ours.intercept, theirs.intercept, 1e-8);
            assert_all_close(ours.weights.iter().copied().map(Some), &theirs.weights, 1e-8);
        }
    }
}

#[test]
fn dawid_skene_fits() {
    let crowd = references().crowd;
    let column = |annotator: usize| crowd.votes.iter().map(|row| label(row[annotator])).collect();
    let columns: Vec<Vec<Option<bool>>> = (0..crowd.votes[0].len()).map(column).collect();
    let votes = Votes::from_columns(&columns);
    for theirs in crowd.fits {
        let settings = DawidSkeneSettings { smoothing: theirs.smoothing, tolerance: 0.0, max_iterations: 20_000 };
        let gold: Vec<Option<bool>> = theirs.gold.iter().map(|number| label(*number)).collect();
        let ours = dawid_skene(&votes, &gold, &settings).expect("there are votes");
        assert_close(ours.prevalence, theirs.prevalence, 1e-9);
        assert_close(ours.log_likelihood, theirs.log_likelihood, 1e-9);
        assert_all_close(ours.annotators.iter().map(|annotator| annotator.sensitivity), &theirs.sensitivities, 1e-9);
        assert_all_close(ours.annotators.iter().map(|annotator| annotator.specificity), &theirs.specificities, 1e-9);
        assert_all_close(ours.posteriors.iter().copied().map(Some), &theirs.posteriors, 1e-9);
    }
}
