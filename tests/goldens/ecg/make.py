"""Writes ecg.json: what SciPy, NeuroKit2 and scikit-learn make of artificial signals, beats and labels, and the
guidance target computed sample by sample from its formulas.

    pip install numpy scipy scikit-learn neurokit2==0.2.13
    python make.py
"""

import json
import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
from scipy.signal import butter, resample_poly
from sklearn.model_selection import KFold, StratifiedKFold

warnings.simplefilter("ignore")  # of means of nothing, classes smaller than k

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


def cleaning(cases):
    out = []
    for fs, seconds, rate, mains, seed in cases:
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


def made_up_labels(n):
    """Uneven classes that any language can make: the rarest has n / 17 records."""
    return [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3][(i * i + 3 * i) % 17] for i in range(n)]


def summary(fold):
    """The first folds and a sum over all, so that long lists stay out of the file."""
    return {"first": fold[:50], "sum": sum((i % 1009 + 1) * f for i, f in enumerate(fold))}


def large_splits():
    out = []
    for n, k, seed in [(5087, 5, 42), (5087, 10, 0), (5087, 3, 1), (10646, 5, 42), (10000, 2, 2**32 - 1)] + [
        (311, k, seed) for k, seed in zip(range(2, 11), [0, 1, 42, 2**32 - 1, 7, 0, 1, 42, 2**32 - 1])
    ]:
        y = made_up_labels(n)
        out.append({
            "n": n, "k": k, "seed": seed,
            "kfold": summary(fold_of_each(KFold(k, shuffle=True, random_state=seed), y)),
            "stratified": summary(fold_of_each(StratifiedKFold(k, shuffle=True, random_state=seed), y)),
        })
    return out


def random_numbers():
    out = []
    for seed in [0, 1, 42, 2**32 - 1]:
        r = np.random.RandomState(seed)
        out.append({
            "seed": seed, "u32": [int(v) for v in r.randint(0, 2**32, 5, dtype=np.uint32)],
            "permutation_10": np.random.RandomState(seed).permutation(10).tolist(),
            "permutation_1000": summary(np.random.RandomState(seed).permutation(1000).tolist()),
        })
    return out


NAMES = "MeanNN SDNN SDSD RMSSD CVNN CVSD MedianNN MadNN MCVNN IQRNN SDRMSSD Prc20NN Prc80NN MinNN MaxNN HTI".split()


def features():
    """Peaks and what hrv_time makes of them, bpm first; null is NaN or infinity."""
    r = np.random.RandomState(2)
    lists = [
        (500, [100, 512, 905, 1341, 1702, 2150, 2533, 2961, 3380, 3802, 4190, 4655]),
        (500, [0, 354, 722, 1347, 1952, 2145, 2273, 2895]),  # HTI 3.5
        (500, [0, 400]), (500, [0, 400, 820]), (500, [0, 400, 800]), (360, [7, 296]), (360, [0, 289, 578, 867]),
        (250, [10, 210, 210, 480]), (360, [100, 400, 700, 1001]),
    ]
    for fs in [250, 360, 500]:
        multiple = {250: 125, 360: 45, 500: 125}[fs]  # the fewest samples that are a multiple of 7.8125 ms
        for n in [2, 3, 4, 5, 6, 9, 12, 15, 21, 33, 40]:
            regular = int(fs * r.uniform(0.4, 1.4))
            spread = [0, max(1, fs // 100), fs // 4][r.randint(3)]
            rr = regular + r.randint(-spread, spread + 1, n - 1)
            lists.append((fs, np.concatenate([[r.randint(0, 200)], rr]).cumsum().tolist()))
            irregular = r.randint(fs * 3 // 10, fs * 3 // 2, n - 1)
            if n % 2 == 0:  # the longest on the edge of a bin
                longest = multiple * (fs * 3 // 2 // multiple + 1)
                irregular[r.randint(n - 1)] = longest
            lists.append((fs, np.concatenate([[r.randint(0, 200)], irregular]).cumsum().tolist()))
    for fs, n, rr in [(300, 12, 211), (128, 9, 97), (257, 11, 200), (1000, 30, 803)]:  # equal intervals
        lists.append((fs, (5 + rr * np.arange(n)).tolist()))
    out = []
    for fs, peaks in lists:
        h = nk.hrv_time(np.array(peaks), sampling_rate=fs).iloc[0]
        values = [60000 / h["HRV_MeanNN"]] + [float(h["HRV_" + name]) for name in NAMES]
        out.append({"fs": fs, "peaks": peaks, "values": [v if np.isfinite(v) else None for v in values]})
    return out


def guidance(peaks, fs, n, tolerance=0.15, beat_sigma=0.05, smooth_sigma=0.04, radius=4.0):
    """Sample by sample; beats in samples, those outside the strip ignored."""
    r = np.array([p for p in peaks if 0 <= p < n]) / fs
    t = np.arange(n) / fs
    B = np.zeros(n)
    for beat in r:
        B = np.maximum(B, np.exp(-(t - beat) ** 2 / (2 * beat_sigma**2)))
    rr = np.diff(r)
    v = np.clip(np.abs(rr - rr.mean()) / rr.mean() / tolerance, 0, 1) if len(rr) else np.zeros(0)
    rho = v.mean() if len(v) else 0.0
    step = np.zeros(n)
    samples = np.round(r * fs).astype(int)
    for i in range(len(v)):
        for s in range(samples[i], samples[i + 1]):
            step[s] = v[i]
    reach = int(np.ceil(radius * smooth_sigma * fs))
    kernel = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * (smooth_sigma * fs) ** 2))
    kernel /= kernel.sum()
    I = np.zeros(n)
    for s in range(n):
        for u in range(-reach, reach + 1):
            if 0 <= s - u < n:
                I[s] += kernel[u + reach] * step[s - u]
    G = (1 - rho) * B + rho * I
    valid = len(r) >= 3 and G.max() > G.min()
    return B, I, G / G.max() if valid else np.zeros(n), float(rho), bool(valid)


def pool(x, bins):
    L = len(x)
    return [float(np.mean(x[t * L // bins : -(-(t + 1) * L // bins)])) for t in range(bins)]


def guidance_cases():
    r = np.random.RandomState(3)
    af = np.concatenate([[60], r.randint(90, 330, 11)]).cumsum().tolist()
    every, out = 9, []
    for fs, n, peaks, config in [
        (250, 2500, list(range(120, 2500, 200)), {}),
        (250, 2500, (np.arange(12) * 205 + 40 + r.randint(-9, 10, 12)).tolist(), {}),
        (250, 2500, af, {}),
        (500, 5000, [(2 * p) for p in af], {"tolerance": 0.3, "beat_sigma": 0.03, "smooth_sigma": 0.06, "radius": 3.0}),
        (125, 1250, [200, 500], {}),
        (125, 1250, [700], {}),
        (125, 1250, [0, 101, 333, 420, 640, 900, 1249], {}),
        (125, 1250, [0, 1, 2, 700, 1248, 1249, 1250, 4000], {}),
        (360, 1000, [150, 470, 640], {}),
    ]:
        B, I, G, rho, valid = guidance(peaks, fs, n, **config)
        out.append({
            "fs": fs, "samples": n, "peaks": peaks, "config": config, "irregularity": rho, "valid": valid,
            "every": every, "beats": B[::every].round(9).tolist(), "intervals": I[::every].round(9).tolist(),
            "target": G[::every].round(9).tolist(),
            "pooled": {str(bins): np.round(pool(G, bins), 9).tolist() for bins in [1, 7, 40]},
        })
    return out


golden = {
    "butterworth_highpass": [
        {"order": o, "cutoff": c, "fs": fs, "sos": butter(o, c, "highpass", fs=fs, output="sos").tolist()}
        for o, c, fs in [(5, 0.5, 500.0), (4, 8.0, 250.0), (1, 1.0, 100.0)]
    ],
    "resample_poly": resampling(),
    "clean": cleaning([(500, 10, 70, 50, 1), (360, 10, 120, 60, 2), (250, 8, 45, 50, 3), (90, 10, 80, 50, 4)]),
    "splits": splits(),
    "clean_more": cleaning([(1000, 4, 95, 60, 5), (300, 9, 150, 50, 6), (128, 6, 65, 60, 7), (257, 5, 75, 50, 8)]),
    "large_splits": large_splits(),
    "random_numbers": random_numbers(),
    "features": features(),
    "guidance": guidance_cases(),
}
Path(__file__).with_name("ecg.json").write_text(json.dumps(golden) + "\n")
