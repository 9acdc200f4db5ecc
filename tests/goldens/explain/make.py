"""Writes scores.json: scores of maps, deletion and insertion, in NumPy, from their definitions.

    pip install numpy
    python make.py
"""

import json
from pathlib import Path

import numpy as np


def target(peaks, fs, n, tolerance=0.15, beat_sigma=0.05, smooth_sigma=0.04, radius=4.0):
    """B, I, G of a strip, rho and whether it is valid."""
    r = np.unique([p for p in peaks if p < n]).astype(float)
    t = np.arange(n)[:, None]
    B = np.exp(-(((t - r) / fs / beat_sigma) ** 2) / 2).max(axis=1, initial=0)
    rr = np.diff(r)
    v = np.minimum(np.abs(rr / rr.mean() - 1) / tolerance, 1) if len(rr) else np.zeros(0)
    rho = v.mean() if len(v) else 0.0
    step = ((t >= r[:-1]) & (t < r[1:])) @ v if len(v) else np.zeros(n)
    reach = int(np.ceil(radius * smooth_sigma * fs - 1e-9))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / (smooth_sigma * fs)) ** 2) / 2)
    I = np.convolve(np.pad(step, reach), kernel / kernel.sum(), mode="valid")
    G = (1 - rho) * B + rho * I
    valid = len(r) >= 3 and G.max() > G.min()
    return B, I, G / G.max() if valid else np.zeros(n), float(rho), bool(valid)


def pool(x, bins):
    edges = [(t * len(x) // bins, -(-(t + 1) * len(x) // bins)) for t in range(bins)]
    return np.array([x[a:b].mean() for a, b in edges])


def ncc(m, g):
    a, b = m - m.mean(), g - g.mean()
    return float(a @ b / (np.sqrt(a @ a + 1e-12) * np.sqrt(b @ b + 1e-12) + 1e-6))


def energy(m, g):
    return float(m[g > 0.5].sum() / m.sum()) if m.any() else 0.0


def pointing(m, fs, n, peaks, g):
    if not m.any():
        return False
    top = int(np.argmax(m))
    centre = (top + 0.5) * n / len(m)
    away = [abs(centre - p) / fs for p in peaks if p < n]
    # no case may hang on a rounding error
    assert min([abs(d - 0.075) for d in away], default=1) > 1e-6
    return bool(min(away, default=np.inf) <= 0.075 or g[top] > 0.5)


def f32(x):
    """The values that a float32 holds of four decimals, which are what the file holds."""
    return np.float32(np.round(x, 4)).astype(float)


def score_cases():
    rng = np.random.RandomState(7)
    af = (np.concatenate([[60], rng.randint(90, 330, 11)]).cumsum()).tolist()
    regular = list(range(120, 2500, 200))
    rhythms = [
        (250, 2500, regular),
        (250, 2500, (np.arange(12) * 205 + 40 + rng.randint(-9, 10, 12)).tolist()),
        (250, 2500, af),
        (500, 5000, [2 * p for p in af]),
        (125, 1250, [0, 101, 333, 420, 640, 900, 1249, 1250, 4000]),
        (360, 3600, [300, 700]),
    ]
    out = []
    for number, (fs, n, peaks) in enumerate(rhythms):
        B, I, G, rho, valid = target(peaks, fs, n)
        for bins in [7, 40, 157]:
            if bins == 157 and number % 2:
                continue
            b, i, g = pool(B, bins), pool(I, bins), pool(G, bins)
            assert np.abs(g - 0.5).min() > 1e-6
            noise = np.maximum(rng.randn(bins), 0)
            maps = [noise, 0.7 * g + 0.3 * noise, 1e-4 * noise + 1e-4, np.zeros(bins), np.eye(bins)[bins // 2], 1 - g]
            if bins == 40:
                maps += [np.round(2 * noise)]  # equal maxima
            if bins == 157:
                maps = maps[:3]
            out.append({
                "fs": fs, "samples": n, "peaks": peaks, "bins": bins, "valid": valid, "irregularity": rho,
                "beats": b.round(7).tolist(), "intervals": i.round(7).tolist(), "target": g.round(7).tolist(),
                "maps": [
                    {
                        "map": m.round(4).tolist(), "ncc": ncc(m, g), "ncc_beats": ncc(m, b), "ncc_intervals": ncc(m, i),
                        "energy": energy(m, g), "pointing": pointing(m, fs, n, peaks, g), "dead": not m.any(),
                    }
                    for m in map(f32, maps)
                ] if valid else [],
            })
    return out


def bridged(x, kept):
    at = np.flatnonzero(kept)
    return np.interp(np.arange(len(x)), at, x[at]) if len(at) else np.zeros(len(x))


def perturbation_cases():
    rng = np.random.RandomState(8)
    out = []
    for n, steps, levels in [(61, 20, 5), (50, 7, 1000), (12, 12, 3), (9, 20, 4), (30, 1, 2), (23, 4, 1)]:
        x = f32(rng.randn(n).cumsum())
        m = f32(np.convolve(rng.randint(0, levels, n), [0.25, 0.5, 0.25], mode="same"))
        order = np.lexsort((np.arange(n), -m))
        deletion, insertion = [], []
        for k in range(steps + 1):
            taken = np.zeros(n, dtype=bool)
            taken[order[: k * n // steps]] = True
            deletion.append(bridged(x, ~taken).round(6).tolist())
            insertion.append(bridged(x, taken).round(6).tolist())
        out.append({
            "signal": x.round(4).tolist(), "map": m.round(4).tolist(), "steps": steps, "deletion": deletion, "insertion": insertion,
        })
    return out


def area_cases():
    rng = np.random.RandomState(9)
    curves = [np.round(rng.rand(n), 6) for n in [2, 3, 6, 21]]
    return [{"curve": c.tolist(), "area": float(np.trapezoid(c, np.linspace(0, 1, len(c))))} for c in curves]


def slope_cases():
    rng = np.random.RandomState(10)
    out = []
    for n, bins in [(50, 7), (40, 40), (9, 20), (2, 1)]:
        x = f32(rng.randn(n).cumsum())
        out.append({"signal": x.round(4).tolist(), "map": pool(np.abs(np.gradient(x)), bins).round(7).tolist()})
    return out


golden = {
    "scores": score_cases(),
    "perturbation": perturbation_cases(),
    "area": area_cases(),
    "slope": slope_cases(),
}
Path(__file__).with_name("scores.json").write_text(json.dumps(golden) + "\n")
