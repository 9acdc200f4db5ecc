"""Throughput of `exgnet prepare` beside wfdb-python, SciPy and NeuroKit2 doing the same work on the same records.

    pip install numpy scipy wfdb neurokit2==0.2.13
    python prepare.py path/to/exgnet path/to/folder [--fs 250] [--rounds 5] [--json out.json]

The folder holds short WFDB records without annotation files (else exgnet takes the experts' beats and detects none).
Both sides read the lead, resample it, clean it, find the R peaks and compute the features, and for the records that
exgnet kept, so that neither side reads more than the other. Measured in turns, median of the rounds: whole processes of
exgnet with 1 and 2 threads (start, label reading and writing included), and Python with 1 and 2 processes, its imports
and the start of the pool left out.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = "1"

import neurokit2 as nk
import numpy as np
import wfdb
from scipy.signal import resample_poly

warnings.filterwarnings("ignore")


def one(job):
    """The features of one record."""
    path, lead, fs, seconds = job
    header = wfdb.rdheader(path)
    channel = [name.upper() for name in header.sig_name].index(lead.upper())
    record = wfdb.rdrecord(path, channels=[channel], sampto=min(header.sig_len, int((seconds + 0.5) * header.fs)))
    x = record.p_signal[:, 0]
    if record.fs != fs:
        g = np.gcd(int(fs), int(record.fs))
        mean = x.mean()
        x = resample_poly(x - mean, int(fs) // g, int(record.fs) // g) + mean
    x = x[: int(fs * seconds)]
    clean = nk.ecg_clean(x, sampling_rate=fs)
    peaks = nk.ecg_findpeaks(clean, sampling_rate=fs)["ECG_R_Peaks"]
    return nk.hrv_time(peaks, sampling_rate=fs)["HRV_MeanNN"][0] if len(peaks) > 2 else np.nan


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("exgnet")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fs", type=int, default=250)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--lead", default="II")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if any(args.folder.rglob("*.atr")):
        raise SystemExit(f"{args.folder} holds annotation files: exgnet would not detect R peaks")

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.safetensors"

        def ours(threads):
            command = [args.exgnet, "prepare", "--source", f"wfdb:{args.folder}", "--fs", str(args.fs), "--seconds",
                       str(args.seconds), "--lead", args.lead, "--clean", "on", "--out", str(out), "--threads", str(threads), "--quiet"]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - start

        ours(1)
        raw = out.read_bytes()
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        kept = json.loads(header["__metadata__"]["record_ids"])
        start = 8 + int.from_bytes(raw[:8], "little") + header["features"]["data_offsets"][0]
        features = np.frombuffer(raw, "<f4", 17 * len(kept), start).reshape(-1, 17)
        jobs = [(str(args.folder / id.split("/", 1)[1]), args.lead, args.fs, args.seconds) for id in kept]

        # the same work has the same result
        theirs_mean_nn = np.array([one(job) for job in jobs])
        known = np.isfinite(theirs_mean_nn)
        worst = np.max(np.abs(features[known, 1] / theirs_mean_nn[known] - 1))

        times = {"ours 1": [], "ours 2": [], "python 1": [], "python 2": []}
        with multiprocessing.Pool(2) as pool:
            pool.map(one, jobs[:4])
            for _ in range(args.rounds):
                times["ours 1"].append(ours(1))
                start = time.perf_counter()
                for job in jobs:
                    one(job)
                times["python 1"].append(time.perf_counter() - start)
                times["ours 2"].append(ours(2))
                start = time.perf_counter()
                pool.map(one, jobs, chunksize=8)
                times["python 2"].append(time.perf_counter() - start)

    median = {name: statistics.median(values) for name, values in times.items()}
    info = json.loads(subprocess.run([args.exgnet, "info", "--json"], check=True, capture_output=True).stdout)
    result = {
        "program": " ".join(filter(None, [info["version"], info["commit"]])),
        "cpu": info["cpu"],
        "records": len(jobs),
        "fs": args.fs,
        "worst_relative_difference_of_MeanNN": float(worst),
        "seconds": median,
        "ratio_1": median["python 1"] / median["ours 1"],
        "ratio_2": median["python 2"] / median["ours 2"],
        "versions": {"neurokit2": nk.__version__, "wfdb": wfdb.__version__},
    }
    print(json.dumps(result, indent=2))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
