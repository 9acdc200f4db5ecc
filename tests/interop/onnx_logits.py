#!/usr/bin/env python3
"""An exported ONNX file in onnxruntime against `exgnet predict`: python3 onnx_logits.py MODEL.onnx PREDICTIONS

PREDICTIONS is what `exgnet predict --json` printed for at least 32 .npy strips of the model's length. Batches of 1, 2, 7
and 32 must give the same logits within 1e-4, and the same probabilities. pip install onnxruntime numpy
"""

import json
import sys

import numpy as np
import onnxruntime

BATCHES = (1, 2, 7, 32)
MOST = 1e-4


def main():
    path, predictions = sys.argv[1:3]
    with open(predictions) as lines:
        rows = [json.loads(line) for line in lines]
    strips = np.stack([np.load(row["input"]).astype(np.float32) for row in rows])[:, None, :]
    logits = np.array([row["logits"] for row in rows])
    chances = np.array([list(row["probabilities"].values()) for row in rows])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    classes = json.loads(about["classes"])
    if classes != list(rows[0]["probabilities"]):
        sys.exit(f"failed: the file's classes are {classes}")
    if len(rows) < max(BATCHES):
        sys.exit(f"failed: {len(rows)} strips, expected at least {max(BATCHES)}")
    failed = False
    for batch in BATCHES:
        parts = [session.run(None, {"strips": strips[i : i + batch]}) for i in range(0, len(strips), batch)]
        found, p = (np.concatenate(values) for values in zip(*parts))
        worst, apart = np.abs(found - logits).max(), np.abs(p - chances).max()
        print(f"{path}: batch {batch:2}: logits differ by {worst:.1e}, probabilities by {apart:.1e}")
        failed |= not (worst < MOST and apart < MOST)
    if failed:
        sys.exit(f"failed: more than {MOST}")


main()
