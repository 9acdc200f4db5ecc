//! WFDB records against wfdb-python: its records read here, and ours written for it.
//!
//! With `EXGNET_KEEP_WRITTEN=DIR` the written records stay in DIR, where `tests/goldens/ecg/wfdb/check_written.py`
//! reads them with wfdb-python.

use exgnet::ecg::wfdb::annotation::parse_annotations;
use exgnet::ecg::wfdb::{
    Annotation, Format, Header, RecordToWrite, SignalToWrite, read_annotations, read_signal, write_annotations,
    write_record,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/wfdb")
}

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(goldens().join("records.json")).unwrap()).unwrap()
}

fn items<'a>(v: &'a Value, key: &str) -> &'a [Value] {
    v[key].as_array().unwrap_or_else(|| panic!("golden has no {key}"))
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs()
}

#[test]
fn signals_equal_wfdb_python() {
    let mut formats = BTreeSet::new();
    for record in items(&golden(), "records") {
        let name = record["name"].as_str().unwrap();
        let h = Header::read(&goldens().join(format!("records/{name}.hea"))).unwrap();
        assert_eq!((h.name.as_str(), h.fs), (name, record["fs"].as_f64().unwrap()));
        assert_eq!(json!(h.comments), record["comments"], "{name}");
        let checks = record["checksums"].as_bool().unwrap();
        assert!(h.signals.iter().all(|s| s.checksum.is_some() == checks && s.initial.is_some() == checks), "{name}");
        assert_eq!(h.signals.len(), items(record, "signals").len());
        for (i, (spec, expected)) in h.signals.iter().zip(items(record, "signals")).enumerate() {
            formats.insert(spec.format);
            let found = (spec.description.as_str(), spec.units.as_str());
            assert_eq!(found, (expected["description"].as_str().unwrap(), expected["units"].as_str().unwrap()));
            // strict: initial values and checksums fit
            let mv = read_signal(&h, i, true).unwrap_or_else(|e| panic!("{name} {i}: {e}")).mv;
            let to_mv = spec.millivolts().unwrap();
            let physical = items(expected, "physical");
            let samples = record["frames"].as_u64().unwrap() as usize * spec.per_frame;
            assert_eq!((mv.len(), physical.len()), (samples, samples), "{name}");
            for (t, (&v, p)) in mv.iter().zip(physical).enumerate() {
                let equal = p.as_f64().map_or(v.is_nan(), |p| close(v, p * to_mv));
                assert!(equal, "{name}, signal {i}, sample {t}: {v} mV, expected {p} {}", spec.units);
            }
            // the codes themselves come back from the millivolts
            let missing = Format::from_number(spec.format).unwrap().missing();
            let code = |v: f64| (v / to_mv * spec.gain + f64::from(spec.baseline)).round() as i64;
            let codes: Vec<Value> =
                mv.iter().map(|&v| if v.is_nan() { json!(missing) } else { json!(code(v)) }).collect();
            let stored = items(expected, "digital");
            let kept = stored.len() - spec.skew * spec.per_frame;
            assert_eq!(codes[..kept], stored[spec.skew * spec.per_frame..], "{name}, signal {i}");
        }
    }
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), [8, 16, 24, 32, 61, 80, 160, 212, 310, 311]);
}

#[test]
fn flac_and_segments_equal_wfdb_python() {
    let golden = golden();
    let mut names = Vec::new();
    for record in items(&golden, "more") {
        let name = record["name"].as_str().unwrap();
        names.push(name);
        let h = Header::read(&goldens().join(format!("records/{name}.hea"))).unwrap();
        assert_eq!((h.fs, h.samples.map(|n| n as u64)), (record["fs"].as_f64().unwrap(), record["frames"].as_u64()));
        assert_eq!(h.signals.len(), items(record, "signals").len());
        for (i, (spec, expected)) in h.signals.iter().zip(items(record, "signals")).enumerate() {
            assert_eq!(expected["description"], spec.description);
            let signal = read_signal(&h, i, true).unwrap_or_else(|e| panic!("{name} {i}: {e}"));
            assert_eq!(signal.fs, h.fs * expected["per_frame"].as_f64().unwrap(), "{name}");
            let physical = items(expected, "physical");
            assert_eq!(signal.mv.len(), physical.len(), "{name} {i}");
            for (t, (&v, p)) in signal.mv.iter().zip(physical).enumerate() {
                assert!(p.as_f64().map_or(v.is_nan(), |p| close(v, p)), "{name}, signal {i}, sample {t}: {v}, {p}");
            }
        }
    }
    assert_eq!(names, ["f508", "f508_three", "f516", "f516_three", "f524", "f524_three", "fixed", "variable"]);
}

#[test]
fn damaged_flac_is_refused_or_not_reached() {
    let dir = tempfile::tempdir().unwrap();
    let copied = |name: &str, header: &dyn Fn(String) -> String, file: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let from = goldens().join("records");
        let text = header(std::fs::read_to_string(from.join(format!("{name}.hea"))).unwrap());
        std::fs::write(dir.path().join("x.hea"), text.replace(name, "x")).unwrap();
        let bytes = file(std::fs::read(from.join(format!("{name}.dat"))).unwrap());
        std::fs::write(dir.path().join("x.dat"), bytes).unwrap();
        Header::read(&dir.path().join("x.hea")).and_then(|h| read_signal(&h, h.signals.len() - 1, false))
    };
    let (same, whole) = (|text: String| text, |bytes: Vec<u8>| bytes);
    let good = copied("f516_three", &same, &whole).unwrap().mv;
    // without its length in the header, the stream's own counts: 5 samples come before the record's
    let read = copied("f516_three", &|t| t.replacen(" 250 40\n", " 250\n", 1), &whole).unwrap().mv;
    assert_eq!(
        read.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
        good.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    );
    // a skew moves the signal, as in other formats
    let plain = copied("f516", &same, &whole).unwrap().mv;
    let moved = copied("f516", &|t| t.replacen(" 516 ", " 516:4 ", 1), &whole).unwrap().mv;
    let bits = |x: &[f64]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&moved[..20]), moved.len()), (bits(&plain[4..24]), plain.len()));
    assert!(moved[plain.len() - 4..].iter().all(|v| v.is_nan()));
    type Texts<'a> = &'a dyn Fn(String) -> String;
    type Bytes<'a> = &'a dyn Fn(Vec<u8>) -> Vec<u8>;
    let cases: [(Texts, Bytes, &str); 7] = [
        (
            &|t| t.replacen(" 250 40\n", " 250 41\n", 1),
            &whole,
            "is truncated: 80 samples of a channel found, 82 expected",
        ),
        (&|t| t.replace("516x2", "508x2"), &whole, "holds codes of 16 bits, expected at most 8 in format 508"),
        (&|t| t.replacen("516x2", "516x1", 1), &whole, "several numbers of samples per frame"),
        (
            &|t| {
                let lines: Vec<&str> = t.lines().collect();
                format!("{}\n{}\n{}\n", lines[0].replacen(" 3 ", " 2 ", 1), lines[1], lines[2])
            },
            &whole,
            "holds 3 channels, expected 2",
        ),
        (&same, &|b| b[..b.len() - 3].to_vec(), "FLAC"),
        (
            &same,
            &|mut b: Vec<u8>| {
                let n = b.len();
                b[n - 30] ^= 4;
                b
            },
            "FLAC",
        ),
        (&same, &|_| b"no flac at all".to_vec(), "FLAC"),
    ];
    for (header, file, part) in cases {
        let e = copied("f516_three", header, file).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT"), "{part}: {e}");
    }
}

#[test]
fn segments_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let bytes: Vec<u8> = (0..20_i16).flat_map(i16::to_le_bytes).collect();
    std::fs::write(dir.path().join("s.dat"), bytes).unwrap();
    write("a.hea", "a 2 100 10\ns.dat 16 1/mV 0 0 0 0 0 I\ns.dat 16 1/mV 0 0 0 0 0 II\n");
    write("swapped.hea", "swapped 2 100 10\ns.dat 16 1/mV 0 0 0 0 0 II\ns.dat 16 1/mV 0 0 0 0 0 I\n");
    write("one.hea", "one 1 100 10\ns.dat 16 1/mV 0 0 0 0 0 I\n");
    write("fast.hea", "fast 2 200 10\ns.dat 16 1/mV 0 0 0 0 0 I\ns.dat 16 1/mV 0 0 0 0 0 II\n");
    write("frames.hea", "frames 2 100 5\ns.dat 16 1/mV 0 0 0 0 0 I\ns.dat 16x3 1/mV 0 0 0 0 0 II\n");
    write("lay.hea", "lay 2 100 0\n~ 0 1/mV 0 0 0 0 0 II\n~ 0 1/mV 0 0 0 0 0 V1\n");
    write("nested.hea", "nested/1 2 100 10\na 10\n");
    let read = |text: &str| {
        write("r.hea", text);
        Header::read(&dir.path().join("r.hea")).and_then(|h| read_signal(&h, h.signals.len() - 1, false))
    };
    assert_eq!(read("r/2 2 100 20\na 10\na 10\n").unwrap().mv[8..12], [17.0, 19.0, 1.0, 3.0]);
    assert_eq!(read("r/2 2 100 14\na 10\na 4\n").unwrap().mv.len(), 14);
    let lead = |text: &str| {
        write("r.hea", text);
        let h = Header::read(&dir.path().join("r.hea")).unwrap();
        read_signal(&h, h.lead("II").unwrap(), false).unwrap().mv
    };
    // a variable layout goes by names
    let found = lead("r/4 2 100\nlay 0\nswapped 2\n~ 1\na 2\n");
    assert_eq!((&found[..2], found[2].is_nan(), &found[3..]), (&[0.0, 2.0][..], true, &[1.0, 3.0][..]));
    for (text, part) in [
        ("r/2 2 100 20\na 10\nswapped 10\n", "signal 1 is `I`, expected `II`"),
        ("r/2 2 100 20\na 10\none 10\n", "a segment of 1 signals, expected 2"),
        ("r/2 2 100 20\na 10\nfast 10\n", "a segment at 200 Hz, expected 100 Hz"),
        ("r/2 2 100 15\na 10\nframes 5\n", "has 3 samples per frame, expected 1"),
        ("r/2 2 100 21\na 10\na 11\n", "a segment of 10 samples, expected 11"),
        ("r/2 2 100 20\na 10\nnested 10\n", "segments of its own"),
        ("r/2 2 100 20\na 10\nr 10\n", "segments of its own"),
        ("r/1 2 100 20\nr 20\n", "segments of its own"),
        ("r/2 2 100 20\na 10\nnone 10\n", "cannot open"),
        ("r/1 2 100 20\n~ 20\n", "gaps"),
        ("r/2 3 100 10\nlay 0\na 10\n", "announces 3 signals, but its segment lay has 2"),
        ("r/3 2 100\nlay 0\na 10\n~ 900000000\n", "900000010 samples are missing, 0 are there"),
    ] {
        let e = read(text).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT"), "{text}: {e}");
    }
}

#[test]
fn a_cut_golden_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for record in items(&golden(), "records").iter().filter(|r| r["checksums"] == true) {
        let name = record["name"].as_str().unwrap();
        let h = Header::read(&goldens().join(format!("records/{name}.hea"))).unwrap();
        let path = dir.path().join(format!("{name}.hea"));
        std::fs::copy(&h.path, &path).unwrap();
        for s in &h.signals {
            let bytes = std::fs::read(goldens().join("records").join(&s.file)).unwrap();
            // a last byte may be filling only (two codes in the four bytes of 310): two are never
            std::fs::write(dir.path().join(&s.file), &bytes[..bytes.len() - 2]).unwrap();
        }
        let h = Header::read(&path).unwrap();
        for i in 0..h.signals.len() {
            let e = read_signal(&h, i, false).unwrap_err().to_string();
            assert!(e.contains("is truncated") && e.contains(".dat") && e.contains("HINT"), "{name}: {e}");
        }
    }
}

#[test]
fn annotations_equal_wfdb_python() {
    let found = read_annotations(&goldens().join("records/ann.atr"), 360.0, 360.0).unwrap();
    let found: Vec<Value> = found.iter().map(described).collect();
    assert_eq!(found, items(&golden(), "annotations"));
}

#[test]
fn annotations_with_codes_and_times_of_their_own_equal_wfdb_python() {
    let (golden, path) = (golden(), goldens().join("records/ann_own.atr"));
    let expected = &golden["own_annotations"];
    let file = parse_annotations(&path, &std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(file.fs, expected["fs"].as_f64());
    let symbols: Vec<String> = (file.annotations.iter())
        .map(|a| file.labels.iter().find(|l| l.code == a.code).map_or(a.symbol().to_string(), |l| l.symbol.clone()))
        .collect();
    let found: Vec<Value> = (file.annotations.iter().zip(symbols))
        .map(|(a, symbol)| json!({ "sample": a.sample, "symbol": symbol, "aux": a.aux }))
        .collect();
    assert_eq!(found, items(expected, "annotations"));
    // the mark of the file's own is no beat, and times are those of the signal
    let list = read_annotations(&path, 360.0, 1000.0).unwrap();
    let beats: Vec<(i64, char)> = list.iter().filter(|a| a.is_beat()).map(|a| (a.sample, a.symbol())).collect();
    assert_eq!(beats, [(160, 'N'), (360, 'A'), (4800, 'N')]);
}

fn described(a: &Annotation) -> Value {
    json!({ "sample": a.sample, "symbol": a.symbol().to_string(), "sub": a.sub, "channel": a.channel, "num": a.num, "aux": a.aux })
}

/// Records of both formats with missing samples, ends of the range, odd lengths, and their annotations.
fn to_write() -> Vec<(RecordToWrite, Vec<Annotation>)> {
    let mut records = Vec::new();
    for (format, lowest, name) in [(Format::F16, i16::MIN, "w16"), (Format::F212, -2048, "w212")] {
        for (count, n) in [(1, 61), (2, 60), (3, 35)] {
            let wave = |k: usize, t: usize| match t {
                3 => lowest,
                4 => lowest + 1,
                5 => -1 - lowest,
                _ => (1500.0 * (0.3 * t as f64 + k as f64).sin()) as i16,
            };
            let signals = (0..count)
                .map(|k| SignalToWrite {
                    description: ["II", "ECG lead V5", "aVR"][k].into(),
                    gain: [200.0, 1000.0 / 3.0, 0.25][k],
                    baseline: [0, -1024, 7][k],
                    codes: (0..n).map(|t| wave(k, t)).collect(),
                })
                .collect();
            let comments = vec!["Dx: 426783006,164889003".into(), "synthetic".into()];
            let record = RecordToWrite { name: format!("{name}_{count}"), fs: 360.5, format, signals, comments };
            let at = |sample, code| Annotation { sample, code, sub: 0, channel: 0, num: 0, aux: String::new() };
            let annotations = vec![
                Annotation { aux: "(N".into(), ..at(0, 28) },
                at(7, 1),
                Annotation { sub: 1, channel: 1, num: 2, ..at(1030, 5) },
                Annotation { aux: "(AFIB".into(), channel: 1, ..at(1030 + 1024, 28) },
                Annotation { sub: -3, ..at(1_000_000 * count as i64, 12) },
                at(2_000_000_000, 13),
            ];
            records.push((record, annotations));
        }
    }
    records
}

#[test]
fn written_records_are_read_back() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("EXGNET_KEEP_WRITTEN").map(PathBuf::from);
    let dir = kept.as_deref().unwrap_or(temporary.path());
    let mut records = Vec::new();
    for (record, annotations) in to_write() {
        write_record(dir, &record).unwrap();
        let path = dir.join(format!("{}.hea", record.name));
        write_annotations(&path.with_extension("atr"), &annotations).unwrap();
        assert_eq!(read_annotations(&path.with_extension("atr"), 360.5, 360.5).unwrap(), annotations);
        let h = Header::read(&path).unwrap();
        let mut signals = Vec::new();
        for (i, s) in record.signals.iter().enumerate() {
            let mv = read_signal(&h, i, true).unwrap().mv;
            let expected = s.codes.iter().map(|&c| (f64::from(c) - f64::from(s.baseline)) / s.gain);
            for ((&v, e), &c) in mv.iter().zip(expected).zip(&s.codes) {
                let missing = Some(i32::from(c)) == record.format.missing();
                assert!(if missing { v.is_nan() } else { close(v, e) }, "{}: {v} {e}", record.name);
            }
            assert_eq!(mv.len(), s.codes.len());
            signals.push(json!({ "description": s.description, "units": "mV", "gain": s.gain, "baseline": s.baseline,
                "format": record.format.number(), "missing": record.format.missing(), "digital": s.codes }));
        }
        records.push(json!({ "name": record.name, "fs": record.fs, "comments": record.comments, "signals": signals,
            "annotations": annotations.iter().map(described).collect::<Vec<_>>() }));
    }
    std::fs::write(dir.join("expected.json"), serde_json::to_string(&records).unwrap()).unwrap();
}
