#!/usr/bin/env python3
"""Strips for the checks: python3 strips.py MODEL.onnx FOLDER [N]

Writes N (32) strips of the model's length as FOLDER/strip-00.npy ..., float32 in no unit of the network's: each has an
offset and a scale of its own, every fourth an offset far above its size, as counts of a converter have. The length is read
off the graph's input.
"""

import pathlib
import sys

import numpy as np
import onnxruntime


def main():
    model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 32
    samples = onnxruntime.InferenceSession(model).get_inputs()[0].shape[2]
    rng = np.random.default_rng(20250)
    time = np.arange(samples)
    for i in range(count):
        beats = np.exp(-0.5 * (((time + rng.uniform(0, 200)) % rng.uniform(80, 300) - 40) / 3) ** 2)
        strip = beats + 0.2 * np.sin(time * rng.uniform(0.001, 0.05)) + 0.1 * rng.standard_normal(samples)
        offset, size = rng.uniform(-3, 3), rng.uniform(0.1, 20)
        if i % 4 == 3:
            offset *= 1000 * size
        strip = offset + size * strip
        np.save(folder / f"strip-{i:02}.npy", strip.astype(np.float32))


main()
