"""What `protocol.rs` is to the others, in Python."""

import sys
import time

import numpy as np

CLASSES = 5


def data(batch, samples):
    """Signals `[batch, 1, samples]` and their classes, to the bits those of `protocol.rs`."""
    i = np.arange(batch * samples, dtype=np.uint32) * np.uint32(2654435761)
    i = (i ^ (i >> np.uint32(15))) * np.uint32(2246822519) >> np.uint32(8)
    noise = i.astype(np.float32) / 2**24 - np.float32(0.5)
    classes = np.arange(batch) % CLASSES
    triangle = np.abs(np.arange(samples) * (classes[:, None] + 1) % 128 - 64).astype(np.float32) / 32 - np.float32(1)
    return (triangle + noise.reshape(batch, samples))[:, None], classes


def memory():
    """Most bytes the process held (Linux)."""
    with open("/proc/self/status") as lines:
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def checksum(arrays):
    """FNV-1a of the bits of all parameters, of which 52 fit a number."""
    h = 0xCBF29CE484222325
    for byte in b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays):
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h >> 12


def serve(name, twin):
    """Answers until standard input ends."""
    value = twin.train()
    print(f"ready {name}", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        match line.strip():
            case "train":
                value = twin.train()
                answer = 1e3 * (time.perf_counter() - start)
            case "infer":
                logits = twin.infer()
                answer = 1e3 * (time.perf_counter() - start)
                value = float(np.abs(logits).sum())
            case "value":
                answer = value
            case "bits":
                answer = checksum(twin.parameters())
            case "memory":
                answer = memory()
            case "second":
                answer = twin.second_order()
            case other:
                raise ValueError(f"'{other}': expected train, infer, value, bits, memory or second")
        print(answer, flush=True)
