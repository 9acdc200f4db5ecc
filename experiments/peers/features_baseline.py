"""How far the 17 features alone separate the classes of a prepared data set: a linear model and a random forest.

    pip install numpy scikit-learn
    python features_baseline.py set.safetensors [--json out.json]

Five folds; by patient where a patient has several strips, else stratified. NaN becomes the training fold's mean.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("file", type=Path)
parser.add_argument("--json", type=Path)
args = parser.parse_args()

raw = args.file.read_bytes()
start = 8 + int.from_bytes(raw[:8], "little")
header = json.loads(raw[8:start])


def tensor(name, dtype):
    begin, end = header[name]["data_offsets"]
    return np.frombuffer(raw[start + begin : start + end], dtype).reshape(header[name]["shape"])


x, y = tensor("features", "<f4").astype(float), tensor("labels", "<i4")
classes = json.loads(header["__metadata__"]["classes"])
patients = np.array(json.loads(header["__metadata__"]["patient_ids"]))
grouped = len(set(patients)) < len(patients)
folds = GroupKFold(5) if grouped else StratifiedKFold(5, shuffle=True, random_state=42)
models = {
    "logistic regression": LogisticRegression(max_iter=5000, class_weight="balanced"),
    "random forest": RandomForestClassifier(500, class_weight="balanced", random_state=0, n_jobs=-1),
}
result = {"strips": len(y), "classes": classes, "split": "patients" if grouped else "stratified", "models": {}}
for name, model in models.items():
    pipeline = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model)
    found = cross_val_predict(pipeline, x, y, cv=folds, groups=patients)
    per_class = f1_score(y, found, average=None, labels=range(len(classes)))
    result["models"][name] = {
        "macro_f1": f1_score(y, found, average="macro"),
        "accuracy": accuracy_score(y, found),
        "f1": dict(zip(classes, per_class.tolist())),
    }
print(json.dumps(result, indent=2))
if args.json:
    args.json.write_text(json.dumps(result, indent=2) + "\n")
