"""Writes stats.json: SciPy's Wilcoxon signed-rank tests, NumPy's means and scikit-learn's metrics of small examples.

    pip install numpy scipy scikit-learn
    python make.py
"""

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.stats import PermutationMethod, rankdata, wilcoxon
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score
from sklearn.utils.multiclass import unique_labels

rng = np.random.RandomState(11)


def exact(d):
    """Twice the smaller tail over all sign patterns of the mean ranks, in whole numbers and fractions."""
    d = d[d != 0]
    ranks = [int(r) for r in 2 * rankdata(np.abs(d))]
    counts = {0: 1}
    for rank in ranks:
        more = dict(counts)
        for s, n in counts.items():
            more[s + rank] = more.get(s + rank, 0) + n
        counts = more
    plus = sum(r for r, x in zip(ranks, d) if x > 0)
    less = Fraction(sum(n for s, n in counts.items() if s <= plus), 2 ** len(d))
    greater = Fraction(sum(n for s, n in counts.items() if s >= plus), 2 ** len(d))
    return float(min(1, 2 * min(less, greater)))


def one(d):
    nonzero = d[d != 0]
    ranks = rankdata(np.abs(nonzero))
    n = len(nonzero)
    tied = len(np.unique(np.abs(nonzero))) < n
    case = {
        "d": d.tolist(), "n": n, "tied": bool(tied),
        "statistic": float(wilcoxon(d, method="asymptotic").statistic),
        "effect": float(np.sum(np.sign(nonzero) * ranks) / np.sum(ranks)),
        "asymptotic": float(wilcoxon(d, method="asymptotic", correction=False).pvalue),
        "corrected": float(wilcoxon(d, method="asymptotic", correction=True).pvalue),
    }
    if n <= 50:
        case["exact"] = exact(d)
        if not tied:
            # zeros are dropped beforehand: SciPy's own switch counts them
            case["scipy"] = float(wilcoxon(nonzero, method="exact").pvalue)
        elif len(d) <= 16:
            # the permutation of all signs, which is what method="auto" does up to 13 values
            permutation = PermutationMethod(n_resamples=2 ** len(d))
            case["scipy"] = float(wilcoxon(d, method=permutation).pvalue)
        if len(d) <= 13 or not (tied or len(nonzero) < len(d)):
            case["auto"] = float(wilcoxon(d, method="auto").pvalue)
    return case


def signed_ranks():
    out = []
    for n in [1, 2, 3, 5, 8, 10, 13, 20, 35, 49, 50, 51, 60, 100, 400]:
        for shift in [0.0, 0.4]:
            out.append(one(rng.randn(n) + shift))
    # one decimal: ties and zeros
    for n in [3, 5, 7, 10, 12, 13, 14, 16, 20, 30, 50, 51, 53, 80, 300]:
        for shift in [0.0, 0.3]:
            out.append(one(np.round(rng.randn(n) * 0.7 + shift, 1)))
    # all of one sign, all of one size, zeros without ties, a distance of zero and of half a rank, far in the tail
    out += [one(np.array(d, dtype=float)) for d in [
        [1, 2, 3, 4, 5], [-1, -2, -3, -4, -5], [2, 2, 2, 2, 2], [2, -2], [2, -2, 2], [0, 1.5, 0, -2.5, 3.5], [0, 0, 1],
        [1, 4, -2, -3], [1, 2, -3, 4, -5], [0.25] * 40, [-0.25] * 60, list(range(1, 51)), list(range(1, 200)),
    ]]
    return out


def means():
    out = []
    # eighths at 1e9: numbers that every parser reads exactly
    for x in [rng.randn(5), 1e9 + rng.randint(0, 9, 7) / 8, rng.rand(2), np.array([0.3, 0.3, 0.3])]:
        out.append({"x": x.tolist(), "mean": float(np.mean(x)), "sd": float(np.std(x, ddof=1))})
    return out


def metrics():
    out = []
    for n, k, present in [(40, 3, 3), (200, 5, 5), (30, 6, 4), (1, 2, 2), (12, 4, 1)]:
        truth = rng.randint(0, present, n)
        predicted = np.where(rng.rand(n) < 0.6, truth, rng.randint(0, k, n))
        out.append({"truth": truth.tolist(), "predicted": predicted.tolist(), "classes": k, **scores(truth, predicted)})
    return out


def scores(truth, predicted):
    """Macro means over the classes that occur in truth or prediction: scikit-learn's default, no labels given."""
    specificity = [recall_score(truth != c, predicted != c, zero_division=0) for c in unique_labels(truth, predicted)]
    return {
        "accuracy": accuracy_score(truth, predicted),
        "macro_f1": f1_score(truth, predicted, average="macro", zero_division=0),
        "macro_sensitivity": recall_score(truth, predicted, average="macro", zero_division=0),
        "macro_specificity": float(np.mean(specificity)),
    }


def absent_classes():
    """Folds that lack classes: neither true nor predicted, predicted only, true only; the most frequent class of the
    training fold among the lacking ones."""
    out = []
    for classes, true, guessed, prior in [
        (5, [0, 1, 3], [0, 1, 3], 0), (5, [0, 1, 3], [0, 2, 3], 1), (4, [0, 1], [0, 1, 2, 3], 3), (3, [1], [1], 1),
        (3, [1], [0, 2], 0), (6, [2, 5], [2], 2), (4, [0, 1, 2, 3], [0, 1, 2, 3], 2), (2, [0], [1], 1),
    ]:
        n = 24
        truth = rng.choice(true, n)
        # sixteenths, the guessed classes ahead: exact in every parser, with ties
        points = rng.randint(0, 8, (n, classes)) / 16
        points[:, guessed] += 0.5
        predicted = points.argmax(axis=1)
        areas = [roc_auc_score(truth == c, points[:, c]) for c in range(classes) if 0 < np.sum(truth == c) < n]
        always = np.full(n, prior)
        labels = unique_labels(truth, predicted)
        out.append({
            "classes": classes, "truth": truth.tolist(), "points": points.tolist(), **scores(truth, predicted),
            "macro_ppv": precision_score(truth, predicted, average="macro", zero_division=0),
            "macro_auroc": float(np.mean(areas)) if areas else None,
            "absent": [c for c in range(classes) if c not in labels], "prior": prior,
            "baseline_f1": f1_score(truth, always, average="macro", zero_division=0),
            "baseline_accuracy": accuracy_score(truth, always),
        })
    return out


warnings.simplefilter("ignore")  # small samples
result = {"wilcoxon": signed_ranks(), "mean_sd": means(), "metrics": metrics(),
          "absent_classes": absent_classes()}
Path(__file__).with_name("stats.json").write_text(json.dumps(result) + "\n")
