"""Writes references.json: what scikit-learn, SciPy, statsmodels and a NumPy fit say about small inputs.

    python -m venv venv && venv/bin/pip install scikit-learn scipy statsmodels
    venv/bin/python make_references.py

The inputs are stored with the answers, so the tests need nothing but the file.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
import statsmodels
from scipy.special import expit
from scipy.stats import t as student
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, log_loss, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

random = np.random.default_rng(20240613)


def predictions():
    """Log-odds in steps of 1/8, so that some tie; their probabilities; labels that follow them in part."""
    log_odds = np.round(random.normal(0.3, 1.5, 200) * 8) / 8
    labels = random.random(200) < expit(0.8 * log_odds - 0.2)
    probabilities = expit(log_odds)
    curves = {
        strategy: dict(zip(("fraction_positive", "mean_predicted"),
                           map(list, calibration_curve(labels, probabilities, n_bins=bins, strategy=strategy))))
        for strategy, bins in (("uniform", 10), ("quantile", 7))
    }
    confusions = []
    for threshold in (-1.0, 0.0, 0.7):
        (tn, fp), (fn, tp) = confusion_matrix(labels, log_odds > threshold)
        confusions.append([threshold, int(tp), int(fp), int(tn), int(fn)])
    return {
        "log_odds": list(log_odds),
        "probabilities": list(probabilities),
        "labels": labels.tolist(),
        "log_loss": log_loss(labels, probabilities),
        "brier_score": brier_score_loss(labels, probabilities),
        "auroc": roc_auc_score(labels, log_odds),
        "calibration_curves": curves,
        "confusions": confusions,
    }


def certain_predictions():
    """Probabilities of exactly 0 and 1, right and wrong."""
    probabilities, labels = [0.0, 1.0, 0.0, 1.0, 0.25], [False, True, True, False, True]
    return {
        "probabilities": probabilities,
        "labels": labels,
        "log_loss": log_loss(labels, probabilities),
        "brier_score": brier_score_loss(labels, probabilities),
    }


def wilson():
    counts = [(0, 10), (1, 1), (7, 10), (500, 1000), (873, 1000), (2693, 2693)]
    return [[k, n, *map(float, proportion_confint(k, n, alpha=0.05, method="wilson"))] for k, n in counts]


def mcnemar_tests():
    tests = []
    for b, c in [(1, 0), (0, 6), (4, 1), (5, 5), (12, 30), (31, 29), (200, 260), (1000, 1100), (15000, 14500)]:
        table = [[10, b], [c, 20]]
        corrected = mcnemar(table, exact=False, correction=True)
        exact = mcnemar(table, exact=True)
        tests.append([b, c, float(exact.pvalue), float(corrected.statistic), float(corrected.pvalue)])
    return tests


def evaluation():
    """An uncalibrated classifier: what `Evaluation` says, by scikit-learn and, for the threshold and the calibration
    error, by NumPy from their definitions. Log-odds in steps of 1/16, so that some tie."""
    log_odds = np.round((random.normal(0, 1.4, 500) + 0.9) * 16) / 16
    labels = random.random(500) < expit(1.3 * (log_odds - 0.9))
    probabilities = expit(log_odds)
    # As many positives as there are, ties at the threshold negative.
    threshold = np.sort(log_odds)[(~labels).sum() - 1]
    bins = np.clip(np.ceil(probabilities * 10).astype(int) - 1, 0, 9)
    error = sum(abs(labels[bins == b].mean() - probabilities[bins == b].mean()) * (bins == b).mean()
                for b in range(10) if (bins == b).any())
    right = accuracy_score(labels, log_odds > 0, normalize=False)
    return {
        "log_odds": list(log_odds),
        "labels": labels.tolist(),
        "accuracy": accuracy_score(labels, log_odds > 0),
        "accuracy_interval": [*map(float, proportion_confint(right, 500, alpha=0.05, method="wilson"))],
        "auroc": roc_auc_score(labels, log_odds),
        "threshold": float(threshold),
        "calibrated_accuracy": accuracy_score(labels, log_odds > threshold),
        "log_loss": log_loss(labels, probabilities),
        "brier_score": brier_score_loss(labels, probabilities),
        "calibration_error": float(error),
    }


def holm():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03, 1.0, 0.0]
    return [p_values, multipletests(p_values, method="holm")[1].tolist()]


def student_tests():
    """The statistic, the degrees of freedom, the two-sided p-value, and what |t| exceeds with that probability."""
    cases = [(t, f) for t in (0.01, 0.7, 2.0, 4.5, 30.0) for f in (1.0, 2.0, 3.3, 11.0, 250.0, 1e5)]
    return [[t, f, float(2 * student.sf(t, f)), float(student.ppf(0.975, f))] for t, f in cases]


def regressions():
    """One small dense problem and one with more columns than rows, mostly zeros."""
    dense = np.round(random.normal(0, 1, (60, 4)) * [1, 5, 0.2, 1], 3)
    sparse = np.where(random.random((40, 60)) < 0.1, np.round(random.normal(0, 2, (40, 60)), 2), 0.0)
    problems = []
    for features in (dense, sparse):
        truth = random.normal(0, 1, features.shape[1])
        labels = random.random(len(features)) < expit(features @ truth + 0.5)
        fits = []
        for penalty in (0.1, 1.0, 10.0):
            fit = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
            fit.fit(features, labels)
            fits.append({"penalty": penalty, "weights": list(fit.coef_[0]), "intercept": float(fit.intercept_[0])})
        problems.append({"features": features.tolist(), "labels": labels.tolist(), "fits": fits})
    return problems


def dawid_skene(votes, gold, smoothing, iterations=20_000):
    """Expectation-maximisation on dense arrays: votes [items, annotators] and gold [items], −1 where unknown."""
    voted = votes >= 0
    says = np.stack([votes == 0, votes == 1], axis=2).astype(float)  # [items, annotators, vote]
    share = (votes == 1).sum(1) / np.maximum(voted.sum(1), 1)
    fixed = np.stack([gold == 0, gold == 1], axis=1).astype(float)
    is_fixed = (gold >= 0)[:, None]
    belief = np.where(is_fixed, fixed, np.stack([1 - share, share], axis=1))  # [items, class]
    for _ in range(iterations):
        classes = (belief.sum(0) + smoothing) / (len(votes) + 2 * smoothing)
        confusion = np.einsum("ic,iav->acv", belief, says) + smoothing  # [annotators, class, vote]
        confusion /= confusion.sum(2, keepdims=True)
        with np.errstate(divide="ignore"):
            logs = np.log(confusion)
        terms = np.where(says[:, :, None, :] > 0, logs[None], 0.0).sum((1, 3))  # [items, class]
        joint = np.log(classes) + terms
        evidence = np.logaddexp(joint[:, 0], joint[:, 1])
        belief = np.where(is_fixed, fixed, np.exp(joint - evidence[:, None]))
    log_likelihood = np.where(is_fixed[:, 0], (np.where(fixed > 0, joint, 0.0)).sum(1), evidence).sum()
    return {
        "gold": gold.tolist(),
        "smoothing": smoothing,
        "posteriors": belief[:, 1].tolist(),
        "sensitivities": confusion[:, 1, 1].tolist(),
        "specificities": confusion[:, 0, 0].tolist(),
        "prevalence": float(classes[1]),
        "log_likelihood": float(log_likelihood),
    }


def crowd():
    """Four annotators, of whom each votes on three quarters of the items; without gold labels and with some."""
    truth = random.random(80) < 0.4
    right = np.where(truth[:, None], [0.9, 0.7, 0.6, 0.8], [0.8, 0.75, 0.7, 0.6])
    votes = np.where(random.random((80, 4)) < right, truth[:, None], ~truth[:, None]).astype(int)
    votes[random.random((80, 4)) < 0.25] = -1
    votes[votes.max(1) < 0, 0] = 1
    unknown = np.full(80, -1)
    some = np.where(random.random(80) < 0.15, truth.astype(int), -1)
    fits = [dawid_skene(votes, gold, smoothing) for gold in (unknown, some) for smoothing in (0.0, 0.5, 1.0)]
    return {"votes": votes.tolist(), "fits": fits}


references = {
    "made_with": {module.__name__: module.__version__ for module in (np, scipy, sklearn, statsmodels)},
    "predictions": predictions(),
    "certain_predictions": certain_predictions(),
    "wilson": wilson(),
    "mcnemar": mcnemar_tests(),
    "regressions": regressions(),
    "crowd": crowd(),
    "evaluation": evaluation(),
    "holm": holm(),
    "student": student_tests(),
}
path = pathlib.Path(__file__).with_name("references.json")
path.write_text(json.dumps(references, separators=(",", ":")) + "\n")
