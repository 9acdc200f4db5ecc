"""Writes ecg.json: what SciPy, NeuroKit2 and scikit-learn make of artificial signals and labels.

    pip install numpy scipy scikit-learn neurokit2==0.2.13
    python make.py
"""

import json
from pathlib import Path

import neurokit2 as nk
import numpy as np
from scipy.signal import butter, resample_poly
from sklearn.model_selection import KFold, StratifiedKFold

rng = np.random.RandomState(1)


def strip(fs, seconds, rate, seed):
    """An artificial ECG with drift, hum and noise, to four decimals."""
    x = nk.ecg_simulate(duration=seconds, sampling_rate=fs, heart_rate=rate, noise=0.02, random_state=seed)
    t = np.arange(len(x)) / fs
    x = x + 0.3 * np.sin(2 * np.pi * 0.21 * t + 1) + 0.03 * np.sin(2 * np.pi * 50 * t) + 0.02 * rng.randn(len(x))
    return np.round(x, 4)


def resampling():
    out = []
    for up, down in [(25, 18), (25, 36), (5, 3), (500, 257), (1, 2), (4, 1), (10, 15)]:
        x = np.round(rng.randn(150) + 1, 4)
        out.append({"up": up, "down": down, "x": x.tolist(), "y": resample_poly(x, up, down).tolist()})
    return out


def cleaning():
    out = []
    for fs, seconds, rate, mains, seed in [(500, 10, 70, 50, 1), (360, 10, 120, 60, 2), (250, 8, 45, 50, 3), (90, 10, 80, 50, 4)]:
        x = strip(fs, seconds, rate, seed)
        clean = nk.ecg_clean(x, sampling_rate=fs, powerline=mains)
        peaks = nk.ecg_findpeaks(clean, sampling_rate=fs)["ECG_R_Peaks"]
        out.append({
            "fs": fs, "mains": mains, "x": x.tolist(),
            "clean_every_20th": clean[::20].tolist(), "peaks": [int(p) for p in peaks],
        })
    return out


def fold_of_each(splitter, y):
    fold = np.zeros(len(y), dtype=int)
    for k, (_, test) in enumerate(splitter.split(np.zeros(len(y)), y)):
        fold[test] = k
    return fold.tolist()


def splits():
    out = []
    for n, k, seed in [(10, 5, 42), (23, 5, 42), (101, 3, 0), (700, 10, 4294967295)]:
        y = rng.randint(0, 4, n) ** 2 + 1
        out.append({
            "k": k, "seed": seed, "y": y.tolist(),
            "kfold": fold_of_each(KFold(k, shuffle=True, random_state=seed), y),
            "stratified": fold_of_each(StratifiedKFold(k, shuffle=True, random_state=seed), y) if n > 10 else None,
        })
    return out


golden = {
    "butterworth_highpass": [
        {"order": o, "cutoff": c, "fs": fs, "sos": butter(o, c, "highpass", fs=fs, output="sos").tolist()}
        for o, c, fs in [(5, 0.5, 500.0), (4, 8.0, 250.0), (1, 1.0, 100.0)]
    ],
    "resample_poly": resampling(),
    "clean": cleaning(),
    "splits": splits(),
}
Path(__file__).with_name("ecg.json").write_text(json.dumps(golden) + "\n")
