"""Describes what wfdb-python reads from its own sample records, for tests/data/wfdb_samples.rs.

    pip install wfdb==4.3.1
    python samples.py FOLDER > samples.json

FOLDER holds the folder `sample-data` of the project wfdb-python (some large signal files may be missing). The records
themselves are not copied; of every signal the golden holds its rate, length, number of missing samples, first, last and
some samples between them, and two sums over all of them, each in the header's unit:

    sum        of all samples
    weighted   of each sample times 1 + its index modulo 1009: samples that change places are seen

For a record that wfdb-python does not read it holds the kind of error. Annotations: the number, the sum of the samples,
and a 64-bit FNV-1a hash of `sample symbol text` lines (symbol and text without NULs and blanks at their ends).
"""

import json
import sys
from pathlib import Path

import numpy as np
import wfdb


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 % 2**64
    return h


def signal(rate, x):
    there = np.nan_to_num(x, nan=0.0)
    weights = 1 + np.arange(len(x)) % 1009
    places = sorted({0, len(x) // 3, len(x) // 2, len(x) - 1} if len(x) else set())
    return {
        "rate": rate,
        "length": len(x),
        "missing": int(np.isnan(x).sum()),
        "sum": float(there.sum()),
        "weighted": float((there * weights).sum()),
        "scale": float(np.abs(there).sum()),
        "samples": [[int(i), None if np.isnan(x[i]) else float(x[i])] for i in places],
    }


def record(path):
    try:
        r = wfdb.rdrecord(str(path), smooth_frames=False)
    except Exception as e:
        return {"error": type(e).__name__}
    per_frame = [len(x) // r.sig_len if r.sig_len else 1 for x in r.e_p_signal]
    return {
        "fs": float(r.fs),
        "names": [n.strip() for n in r.sig_name],
        "signals": [signal(float(r.fs) * k, x) for k, x in zip(per_frame, r.e_p_signal)],
    }


def annotations(path):
    try:
        a = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    except Exception as e:
        return {"error": type(e).__name__}
    # a code without a symbol gives NaN
    symbols = [y.strip() if isinstance(y, str) else "" for y in a.symbol]
    lines = "".join(f"{s} {y} {t.strip(chr(0)).strip()}\n" for s, y, t in zip(a.sample, symbols, a.aux_note))
    return {
        "number": len(a.sample),
        "sum": int(sum(int(s) for s in a.sample)),
        "lines": f"{fnv(lines.encode()):016x}",
    }


def main(folder):
    headers = sorted(folder.rglob("*.hea"))
    records = {str(p.relative_to(folder).with_suffix("")): record(p.with_suffix("")) for p in headers}
    kinds = {".atr", ".qrs", ".wabp", ".wqrs", ".anI"}
    files = sorted(p for p in folder.rglob("*") if p.suffix in kinds)
    notes = {str(p.relative_to(folder)): annotations(p) for p in files}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in records.items())
    more = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in notes.items())
    print(f'{{"wfdb": "{wfdb.__version__}", "records": {{\n{lines}\n}}, "annotations": {{\n{more}\n}}}}')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
