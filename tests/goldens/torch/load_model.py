"""A model file in PyTorch against `exgnet predict`.

    exgnet predict --model RUN *.npy --json > predictions.jsonl
    python load_model.py RUN/model.safetensors --strips predictions.jsonl

The predictions name their strips: .npy files of the model's rate and length. Prints the worst difference of the logits and
fails over 1e-4. A model that was trained on cleaned strips is refused: `predict` cleans what it reads, this program does not.
pip install torch safetensors numpy
"""

import argparse
import json
import sys

import numpy as np
import torch
from safetensors import safe_open

import twin

MOST = 1e-4


def zscored(path):
    x = np.load(path).astype(np.float64)
    sd = x.std()
    return ((x - x.mean()) / max(sd + min(1e-8, 1e-7 * sd), 1e-10 * abs(x.mean()))).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model.safetensors of exgnet, of training or exported")
    parser.add_argument("--strips", required=True, help="what `exgnet predict --json` printed for .npy strips")
    args = parser.parse_args()
    with open(args.strips) as lines:
        rows = [json.loads(line) for line in lines]
    with safe_open(args.model, "np") as file:
        if file.metadata().get("clean") == "true":
            sys.exit(f"{args.model} takes cleaned strips (clean true), which this program does not make of raw ones")
    net = twin.load(args.model)
    x = torch.from_numpy(np.stack([zscored(row["input"]) for row in rows])[:, None, :])
    with torch.no_grad():
        logits = net(x)[0].double().numpy()
    worst = np.abs(logits - np.array([row["logits"] for row in rows])).max()
    print(f"{args.model}: {len(rows)} strips, logits differ by {worst:.1e} at most")
    if not worst < MOST:
        sys.exit(f"failed: more than {MOST}")


if __name__ == "__main__":
    main()
