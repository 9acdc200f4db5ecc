"""Writes small WFDB records into records/ and what wfdb-python reads from them into records.json.

    pip install wfdb==4.3.1 "numpy>=2"
    python make.py

Formats that wfdb-python writes (16, 24, 32, 80, 212) are written by it; the bytes of those that it only reads
(8, 61, 160, 310, 311) are packed here, after the manual page signal(5). In both cases the expected values
are what wfdb-python reads back:

    digital   codes of every signal, all samples of a frame, in the order of the file
    physical  in the header's units, all samples of a frame, null where missing

`more` holds records of which only the physical values are compared: FLAC, several segments.

Left out, because wfdb-python reads it differently from the manual or not at all: skew together with several
samples per frame (too few samples are marked as missing), different skews above 0 in one file, skew in format 8 and in FLAC,
the two unused bits of format 311 when set, a format 8 header without initial values but with an ADC zero.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import wfdb

HERE = Path(__file__).parent
RECORDS = HERE / "records"
MISSING = {8: None, 16: -(1 << 15), 24: -(1 << 23), 32: -(1 << 31), 61: -(1 << 15), 80: -128, 160: -(1 << 15),
           212: -2048, 310: -512, 311: -512}
BITS = {16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12, 310: 10, 311: 10}
rng = np.random.RandomState(3)


def codes(fmt, n, gaps=True):
    """Random codes over the format's whole range, its ends and some missing samples among them."""
    if fmt == 8:
        return np.cumsum(rng.randint(-128, 128, n)).astype(np.int64)
    half = 1 << (BITS[fmt] - 1)
    x = rng.randint(-half + 1, half, n, dtype=np.int64)
    x[rng.randint(n)] = half - 1
    x[rng.randint(n)] = -half + 1
    if gaps:
        x[rng.choice(n, 2, replace=False)] = MISSING[fmt]
    return x


def interleave(signals, per_frame):
    return np.concatenate([s.reshape(-1, k) for s, k in zip(signals, per_frame)], axis=1)


def pack(fmt, signals, per_frame):
    """The bytes of a signal file."""
    if fmt == 8:
        # the first difference is to the header's initial value, which is the first sample
        signals = [np.diff(s, prepend=s[:1]) for s in signals]
    flat = interleave(signals, per_frame).reshape(-1)
    if fmt == 8:
        return flat.astype("<i1").tobytes()
    if fmt == 61:
        return flat.astype(">i2").tobytes()
    if fmt == 160:
        return (flat + 32768).astype("<u2").tobytes()
    out = bytearray()
    for i in range(0, len(flat), 3):
        group = [int(v) & 0x3FF for v in flat[i : i + 3]]
        a, b, c = group + [0] * (3 - len(group))
        if fmt == 310:
            # each word: 5 bits of the third code, 10 bits of the first or second, an unused bit (set here now and then)
            spare = i // 3 % 2
            low = (c & 0x1F) << 11 | a << 1 | spare
            high = (c >> 5) << 11 | b << 1 | spare
            out += (high << 16 | low).to_bytes(4, "little")[: {1: 2, 2: 4, 3: 4}[len(group)]]
        else:
            out += (c << 20 | b << 10 | a).to_bytes(4, "little")[: {1: 2, 2: 3, 3: 4}[len(group)]]
    return bytes(out)


def read_codes(path, fmts):
    """The codes as wfdb-python reads them. It cannot return those of format 61 as they are: there from its
    physical values."""
    if 61 not in fmts:
        return wfdb.rdrecord(path, physical=False, smooth_frames=False, ignore_skew=True).e_d_signal
    r = wfdb.rdrecord(path, physical=True, smooth_frames=False, ignore_skew=True)
    back = [p * g + b for p, g, b in zip(r.e_p_signal, r.adc_gain, r.baseline)]
    return [np.where(np.isnan(x), MISSING[f] or 0, np.rint(x)).astype(np.int64) for x, f in zip(back, fmts)]


def case(
    name, fmt, n, per_frame, offset=0, skew=None, files=None, units=None, comments=(), length=True, integrity=True
):
    """One record of `n` frames; `files[i]` says which file signal i is in, `fmt` may differ from file to file."""
    count = len(per_frame)
    files = files or [0] * count
    fmts = [fmt[f] for f in files] if isinstance(fmt, list) else [fmt] * count
    units = units or ["mV"] * count
    skew = skew or [0] * count
    signals = [codes(f, n * k) for f, k in zip(fmts, per_frame)]
    gains = [float(g) for g in np.round(rng.uniform(0.5, 900, count), 3)]
    baselines = [int(b) for b in rng.randint(-1000, 1000, count)]
    names = [f"{name}{'' if max(files) == 0 else '_' + str(f)}.dat" for f in files]
    leads = ["II", "ECG lead V5", "resp", "x"][:count]
    sums = [int(s.sum() % 65536) for s in signals]
    starts = [int(s[0]) for s in signals]
    if all(f in (16, 24, 32, 80, 212) for f in fmts) and length and integrity:
        record = wfdb.Record(
            record_name=name, n_sig=count, fs=257.5, sig_len=n, file_name=names, fmt=[str(f) for f in fmts],
            samps_per_frame=list(per_frame), skew=list(skew), byte_offset=[offset] * count, adc_gain=gains,
            baseline=baselines, units=units, adc_res=[BITS[f] for f in fmts], adc_zero=[0] * count, init_value=starts,
            checksum=sums, block_size=[0] * count, sig_name=leads, comments=list(comments), e_d_signal=signals,
        )
        record.wrsamp(expanded=True, write_dir=str(RECORDS))
    else:
        lines = [f"{name} {count} 257.5" + (f" {n}" if length else "")]
        for i in range(count):
            form = f"{fmts[i]}" + (f"x{per_frame[i]}" if per_frame[i] > 1 else "")
            form += (f":{skew[i]}" if skew[i] else "") + (f"+{offset}" if offset else "")
            line = f"{names[i]} {form} {gains[i]}({baselines[i]})/{units[i]}"
            if integrity:
                # the checksum is signed in the manual, unsigned in what wfdb-python writes
                line += f" 0 0 {starts[i]} {(sums[i] + 32768) % 65536 - 32768} 0 {leads[i]}"
            lines.append(line)
        (RECORDS / f"{name}.hea").write_bytes(("\n".join(lines + [f"#{c}" for c in comments]) + "\n").encode())
        for f in sorted(set(files)):
            own = [i for i in range(count) if files[i] == f]
            data = pack(fmts[own[0]], [signals[i] for i in own], [per_frame[i] for i in own])
            (RECORDS / names[own[0]]).write_bytes(bytes(offset) + data)

    path = str(RECORDS / name)
    digital = read_codes(path, fmts)
    for own, found in zip(signals, digital):
        assert np.array_equal(own, found), name
    read = wfdb.rdrecord(path, physical=True, smooth_frames=False)
    assert read.sig_len == n, name
    physical = read.e_p_signal
    return {
        "name": name,
        "fs": read.fs,
        "frames": read.sig_len,
        "comments": read.comments,
        "checksums": length and integrity,
        "signals": [
            {
                "description": read.sig_name[i] or "",
                "units": read.units[i],
                "digital": [int(v) for v in digital[i]],
                "physical": [None if np.isnan(v) else float(v) for v in physical[i]],
            }
            for i in range(count)
        ],
    }


def described(name):
    """What wfdb-python reads, physical values only."""
    read = wfdb.rdrecord(str(RECORDS / name), smooth_frames=False)
    signals = [
        {"description": d, "per_frame": len(x) // read.sig_len, "physical": [None if np.isnan(v) else float(v) for v in x]}
        for d, x in zip(read.sig_name, read.e_p_signal)
    ]
    return {"name": name, "fs": read.fs, "frames": read.sig_len, "signals": signals}


def flac(name, fmt, n, count, per_frame=1, offset=0):
    """A FLAC file: `offset` counts samples of a channel."""
    bits = fmt - 500
    half = 1 << (bits - 1)
    x = rng.randint(-half + 1, half, (offset + n * per_frame, count))
    x[rng.randint(offset, offset + n * per_frame, 2), 0] = -half
    # 8 and 24 bits are stored in the upper bits of the next wider integer
    kind, shift, subtype = {8: ("int16", 8, "PCM_S8"), 16: ("int16", 0, "PCM_16"), 24: ("int32", 8, "PCM_24")}[bits]
    soundfile.write(RECORDS / f"{name}.dat", (x << shift).astype(kind), 96000, format="FLAC", subtype=subtype)
    lines = [f"{name} {count} 250 {n}"]
    for i in range(count):
        form = f"{fmt}" + (f"x{per_frame}" if per_frame > 1 else "")
        own = x[offset:, i]
        lines.append(
            f"{name}.dat {form}" + (f"+{offset}" if offset else "")
            + f" {100 + i}({7 - i})/mV {bits} 0 {own[0]} {int(own.sum()) % 65536} 0 {['II', 'V1', 'V2'][i]}"
        )
    (RECORDS / f"{name}.hea").write_bytes(("\n".join(lines) + "\n").encode())
    return described(name)


def segments(name, layout, parts):
    """A record of several segments. `layout`: its signals and samples per frame, None for a fixed layout. `parts`: each
    the signals of a segment, or a number of frames without any."""
    lines, total = [], 0
    if layout is not None:
        form = "\n".join(f"~ 0{f'x{k}' if k > 1 else ''} 200/mV 12 0 0 0 0 {d}" for d, k in layout)
        (RECORDS / f"{name}_layout.hea").write_bytes(f"{name}_layout {len(layout)} 125 0\n{form}\n".encode())
        lines.append(f"{name}_layout 0")
    for i, part in enumerate(parts):
        if isinstance(part, int):
            lines.append(f"~ {part}")
            total += part
            continue
        segment, n = f"{name}_{i}", part[0]
        own = []
        flat = []
        for k, (description, gain, per_frame, skew) in enumerate(part[1:]):
            x = codes(212, n * per_frame)
            flat.append(x)
            form = "212" + (f"x{per_frame}" if per_frame > 1 else "") + (f":{skew}" if skew else "")
            sums = int(x.sum()) % 65536
            own.append(f"{segment}.dat {form} {gain}({k})/mV 12 0 {x[0]} {sums} 0 {description}")
        write212(segment, interleave(flat, [p[2] for p in part[1:]]).reshape(-1))
        head = f"{segment} {len(own)} 125 {n}"
        (RECORDS / f"{segment}.hea").write_bytes(("\n".join([head, *own]) + "\n").encode())
        lines.append(f"{segment} {n}")
        total += n
    count = len(layout) if layout is not None else len(parts[0]) - 1
    head = f"{name}/{len(lines)} {count} 125 {total}"
    (RECORDS / f"{name}.hea").write_bytes(("\n".join([head, *lines]) + "\n").encode())
    return described(name)


def write212(name, flat):
    out = bytearray()
    for i in range(0, len(flat), 2):
        a, b = int(flat[i]) & 0xFFF, int(flat[i + 1]) & 0xFFF if i + 1 < len(flat) else 0
        out += bytes([a & 0xFF, a >> 8 | b >> 8 << 4, b & 0xFF])[: 3 if i + 1 < len(flat) else 2]
    (RECORDS / f"{name}.dat").write_bytes(bytes(out))


def more():
    records = []
    for fmt in (508, 516, 524):
        records.append(flac(f"f{fmt}", fmt, 60, 1))
        records.append(flac(f"f{fmt}_three", fmt, 40, 3, per_frame=2, offset=5))
    three = [("II", 200, 1, 0), ("V1", 100, 4, 0), ("V2", 50, 1, 0)]
    records.append(segments("fixed", None, [[20, *three], [13, *three], [8, *three]]))
    records.append(segments("variable", [("II", 1), ("V1", 2), ("V2", 1)], [
        7,
        [20, ("V1", 100, 2, 0), ("II", 200, 1, 0)],
        11,
        [9, ("V2", 40, 1, 0)],
        [14, ("II", 321.5, 1, 2), ("V2", 44, 1, 0)],
        5,
    ]))
    return records


def definitions():
    """Annotations with a time resolution and codes of their own."""
    labels = pd.DataFrame({"label_store": [42, 43, 5], "symbol": ["N", "q", "A"], "description": ["beat", "mark", "atrial"]})
    sample = np.array([10, 40, 90, 140, 1200])
    symbol = ["+", "N", "A", "q", "N"]
    aux = ["(AFIB\x00", "", "", "", ")"]
    wfdb.wrann("ann_own", "atr", sample, symbol=symbol, aux_note=aux, fs=250, custom_labels=labels, write_dir=str(RECORDS))
    read = wfdb.rdann(str(RECORDS / "ann_own"), "atr", return_label_elements=["symbol", "label_store"])
    assert read.sample.tolist() == sample.tolist() and read.symbol == symbol and read.fs == 250, read.__dict__
    assert set(read.label_store.tolist()) >= {42, 43}, read.label_store
    list_ = [{"sample": int(s), "symbol": y, "aux": a.rstrip("\x00")} for s, y, a in zip(read.sample, read.symbol, read.aux_note)]
    return {"fs": read.fs, "annotations": list_}


def annotations():
    """Gaps that need a SKIP, every further field, rhythm texts of odd and even length."""
    sample = np.array([0, 18, 77, 77, 1100, 2124, 3147, 70_000, 2_000_000_000])
    symbol = ["+", "N", "V", "~", "A", "+", "/", "N", '"']
    aux = ["(N\x00", "", "", "", "", "(AFIB\x00", "", "", "MISSB"]
    sub = np.array([0, 0, 1, -1, 0, 0, 127, -128, 2])
    chan = np.array([0, 0, 1, 1, 0, 3, 3, 0, 0])
    num = np.array([0, 0, 0, 2, 2, 127, 0, 5, 5])
    fields = {"symbol": symbol, "subtype": sub, "chan": chan, "num": num, "aux_note": aux}
    wfdb.wrann("ann", "atr", sample, **fields, write_dir=str(RECORDS))
    read = wfdb.rdann(str(RECORDS / "ann"), "atr")
    assert read.sample.tolist() == sample.tolist() and read.symbol == symbol and read.aux_note == aux
    return [
        {"sample": int(s), "symbol": y, "sub": int(u), "channel": int(c), "num": int(n), "aux": a.rstrip("\x00")}
        for s, y, u, c, n, a in zip(read.sample, read.symbol, read.subtype, read.chan, read.num, read.aux_note)
    ]


def main():
    RECORDS.mkdir(exist_ok=True)
    records = []
    for fmt in sorted(MISSING):
        # 57, 58 and 59 codes end in whole and in incomplete groups
        records += [case(f"f{fmt}_{n}", fmt, n, [1]) for n in ((58,) if fmt not in (212, 310, 311) else (57, 58, 59))]
        records.append(case(f"f{fmt}_two", fmt, 29, [1, 1], comments=["Dx: 1,2", "Age: 40"]))
        records.append(case(f"f{fmt}_frames", fmt, 7, [1, 4, 2], offset=5))
        if fmt != 8:
            records.append(case(f"f{fmt}_skew", fmt, 20, [1, 1, 1], offset=24, skew=[0, 3, 3]))
    records.append(case("files", [212, 16, 80], 21, [1, 1, 3, 1], files=[0, 0, 1, 2]))
    records.append(case("files_read", [310, 8, 61], 22, [1, 2, 1, 1], files=[0, 0, 1, 2]))
    records.append(case("units", 16, 12, [1, 1, 1], units=["uV", "V", "nV"]))
    records.append(case("short_header", 311, 30, [1], length=False, integrity=False))
    lines = ",\n".join(json.dumps(r) for r in records)
    notes = ",\n".join(json.dumps(a) for a in annotations())
    others = ",\n".join(json.dumps(r) for r in more())
    own = json.dumps(definitions())
    text = f'{{"wfdb": "{wfdb.__version__}", "records": [\n{lines}\n], "annotations": [\n{notes}\n],\n'
    text += f'"more": [\n{others}\n], "own_annotations": {own}}}\n'
    (HERE / "records.json").write_bytes(text.encode())
    print(f"{len(records)} records")


if __name__ == "__main__":
    main()
