"""Writes bandpass.json: SciPy's Butterworth band-passes and what they make of an artificial signal.

    pip install numpy scipy
    python bandpass.py
"""

import json
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfiltfilt, sosfreqz

rng = np.random.RandomState(7)

cases = []
for order, low, high, fs in [(2, 5.0, 20.0, 360.0), (2, 5.0, 20.0, 50.0), (1, 0.5, 40.0, 250.0), (3, 8.0, 16.0, 500.0), (4, 10.0, 110.0, 256.0), (3, 2.0, 58.0, 120.0)]:
    x = np.round(np.cumsum(rng.randn(220)) * 0.1 + rng.randn(220), 3)
    sos = butter(order, [low, high], "bandpass", fs=fs, output="sos")
    poles = np.sort_complex(np.concatenate([np.roots(row[3:]) for row in sos]))
    frequencies = np.linspace(0.02, 0.48, 8) * fs
    cases.append({
        "order": order, "low": low, "high": high, "fs": fs, "x": x.tolist(),
        "poles": [[p.real, p.imag] for p in poles],
        "frequencies": frequencies.tolist(),
        "gain": np.abs(sosfreqz(sos, frequencies, fs=fs)[1]).tolist(),
        "y": sosfiltfilt(sos, x).tolist(),
    })
Path(__file__).with_name("bandpass.json").write_text(json.dumps({"bandpass": cases}) + "\n")
