//! WFDB records against wfdb-python: its records read here, and ours written for it.
//!
//! With `EXGNET_KEEP_WRITTEN=DIR` the written records stay in DIR, where `tests/goldens/ecg/wfdb/check_written.py`
//! reads them with wfdb-python.

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
            let told = (spec.description.as_str(), spec.units.as_str());
            assert_eq!(told, (expected["description"].as_str().unwrap(), expected["units"].as_str().unwrap()));
            // strict: initial values and checksums fit
            let mv = read_signal(&h, i, true).unwrap_or_else(|e| panic!("{name} {i}: {e}")).mv;
            let to_mv = spec.millivolts().unwrap();
            let physical = items(expected, "physical");
            assert_eq!((mv.len(), physical.len()), (record["frames"].as_u64().unwrap() as usize, mv.len()), "{name}");
            for (t, (&v, p)) in mv.iter().zip(physical).enumerate() {
                let equal = p.as_f64().map_or(v.is_nan(), |p| close(v, p * to_mv));
                assert!(equal, "{name}, signal {i}, sample {t}: {v} mV, expected {p} {}", spec.units);
            }
            // with one sample per frame the codes themselves come back from the millivolts
            if spec.per_frame == 1 {
                let missing = Format::from_number(spec.format).unwrap().missing();
                let code = |v: f64| (v / to_mv * spec.gain + f64::from(spec.baseline)).round() as i64;
                let codes: Vec<Value> =
                    mv.iter().map(|&v| if v.is_nan() { json!(missing) } else { json!(code(v)) }).collect();
                let stored = items(expected, "digital");
                let kept = stored.len() - spec.skew;
                assert_eq!(codes[..kept], stored[spec.skew..], "{name}, signal {i}");
            }
        }
    }
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), [8, 16, 24, 32, 61, 80, 160, 212, 310, 311]);
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
    let found = read_annotations(&goldens().join("records/ann.atr")).unwrap();
    let found: Vec<Value> = found.iter().map(described).collect();
    assert_eq!(found, items(&golden(), "annotations"));
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
    let mut told = Vec::new();
    for (record, annotations) in to_write() {
        write_record(dir, &record).unwrap();
        let path = dir.join(format!("{}.hea", record.name));
        write_annotations(&path.with_extension("atr"), &annotations).unwrap();
        assert_eq!(read_annotations(&path.with_extension("atr")).unwrap(), annotations);
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
        told.push(json!({ "name": record.name, "fs": record.fs, "comments": record.comments, "signals": signals,
            "annotations": annotations.iter().map(described).collect::<Vec<_>>() }));
    }
    std::fs::write(dir.join("expected.json"), serde_json::to_string(&told).unwrap()).unwrap();
}
