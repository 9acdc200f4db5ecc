"""Writes boosting.json: gradient-boosted trees of scikit-learn on a small data set of three classes and 17 features, some of
them not defined, with weights. python3 boosting.py; scikit-learn 1.9.1 wrote the committed file."""

import json
import pathlib

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss

rng = np.random.default_rng(5)


def make(n):
    x = rng.normal(size=(n, 17)).round(1)
    score = np.stack([x[:, 0] + x[:, 1] * x[:, 2], 1.5 * np.abs(x[:, 3]) - 1, x[:, 4] - x[:, 0]], 1)
    y = np.argmax(score + rng.gumbel(scale=0.4, size=score.shape), 1)
    x[rng.random((n, 17)) < 0.03] = np.nan
    # what is not defined says something, too
    x[(y == 2) & (rng.random(n) < 0.3), 5] = np.nan
    return x.astype(np.float32), y


train, labels = make(300)
test, truth = make(200)
weights = np.where(labels == 1, 1.5, 1.0) * rng.choice([0.5, 1.0], size=len(labels))
model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, max_leaf_nodes=31, min_samples_leaf=20,
                                       l2_regularization=0.0, max_bins=255, early_stopping=False)
model.fit(train, labels, sample_weight=weights)
p = model.predict_proba(test)


def rows(x):
    return [[None if np.isnan(v) else round(float(v), 1) for v in row] for row in x]


found = {"train": rows(train), "labels": labels.tolist(), "weights": weights.tolist(), "test": rows(test),
         "truth": truth.tolist(), "probabilities": [[float(f"{v:.6g}") for v in row] for row in p],
         "accuracy": accuracy_score(truth, p.argmax(1)), "log_loss": log_loss(truth, p)}
pathlib.Path(__file__).with_name("boosting.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
