"""Reads records written by exgnet with wfdb-python and compares them with DIR/expected.json.

    pip install wfdb==4.3.1
    EXGNET_KEEP_WRITTEN=DIR cargo test --test data wfdb::written
    python check_written.py DIR

Says each difference and exits with status 1 if there is one.
"""

import json
import sys
from pathlib import Path

import numpy as np
import wfdb


def main(folder):
    faults = []

    def same(what, found, expected):
        if found != expected:
            faults.append(f"{what}: {found!r}, expected {expected!r}")

    records = json.loads((folder / "expected.json").read_text())
    same("records that were described", bool(records), True)
    samples = 0
    for r in records:
        name, path = r["name"], str(folder / r["name"])
        raw = wfdb.rdrecord(path, physical=False)
        read = wfdb.rdrecord(path)
        same(f"{name} fs", raw.fs, r["fs"])
        same(f"{name} comments", raw.comments, r["comments"])
        keys = {"description": "sig_name", "units": "units", "gain": "adc_gain", "baseline": "baseline"}
        for key, attribute in keys.items():
            same(f"{name} {key}", getattr(raw, attribute), [s[key] for s in r["signals"]])
        same(f"{name} formats", raw.fmt, [str(s["format"]) for s in r["signals"]])
        codes = np.array([s["digital"] for s in r["signals"]], dtype=np.int64).T
        same(f"{name} shape", raw.d_signal.shape, codes.shape)
        same(f"{name} length in the header", raw.sig_len, len(codes))
        same(f"{name} codes", raw.d_signal.tolist(), codes.tolist())
        same(f"{name} initial values", raw.init_value, codes[0].tolist())
        same(f"{name} checksums", [c % 65536 for c in raw.checksum], raw.calc_checksum())
        same(f"{name} sums", raw.calc_checksum(), [int(c) for c in codes.sum(axis=0) % 65536])
        for i, s in enumerate(r["signals"]):
            expected = (codes[:, i] - s["baseline"]) / s["gain"]
            expected[codes[:, i] == s["missing"]] = np.nan
            equal = np.allclose(read.p_signal[:, i], expected, rtol=1e-12, atol=0, equal_nan=True)
            same(f"{name} values of signal {i}", equal, True)
        samples += codes.size

        a = wfdb.rdann(path, "atr")
        found = [
            {"sample": int(s), "symbol": y, "sub": int(u), "channel": int(c), "num": int(n), "aux": t.rstrip("\0")}
            for s, y, u, c, n, t in zip(a.sample, a.symbol, a.subtype, a.chan, a.num, a.aux_note)
        ]
        same(f"{name} number of annotations", len(found), len(r["annotations"]))
        for f, e in zip(found, r["annotations"]):
            same(f"{name} annotation at {e['sample']}", f, e)

    for fault in faults:
        print(fault)
    notes = sum(len(r["annotations"]) for r in records)
    print(f"{len(records)} records, {samples} samples, {notes} annotations; {len(faults)} differences")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
