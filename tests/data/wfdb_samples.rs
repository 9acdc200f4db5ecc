//! Every sample record of wfdb-python, with what wfdb-python reads from it (`tests/goldens/ecg/wfdb/samples.py`).
//!
//! The records are looked for in `EXGNET_DATA/wfdb-samples`; without them the tests say that they are skipped.

use crate::common::recordings::recordings;
use exgnet::ecg::wfdb::{Header, read_annotations, read_signal};
use serde_json::Value;
use std::path::Path;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/wfdb/samples.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Copies a folder; the headers of the copy give every unit as mV, so that signals of any unit can be read from it.
fn copy_in_mv(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_in_mv(&path, &copy);
        } else if path.extension().is_some_and(|e| e == "hea") {
            let bytes = std::fs::read(&path).unwrap();
            let mut lines: Vec<String> = String::from_utf8_lossy(&bytes).lines().map(String::from).collect();
            let described = lines.iter_mut().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).skip(1);
            for line in described {
                let gain = line.split_whitespace().nth(2).unwrap_or_default().to_string();
                if let Some((codes, _)) = gain.split_once('/') {
                    *line = line.replacen(&gain, &format!("{codes}/mV"), 1);
                }
            }
            std::fs::write(copy, lines.join("\n")).unwrap();
        } else {
            std::fs::copy(&path, copy).unwrap();
        }
    }
}

/// What differs between a signal and the golden's, if anything does.
fn difference(x: &[f64], rate: f64, expected: &Value) -> Option<String> {
    let number = |key: &str| expected[key].as_f64().unwrap();
    let there = || x.iter().enumerate().filter(|(_, v)| !v.is_nan());
    let found = [
        ("rate", rate, 1e-12 * rate),
        ("length", x.len() as f64, 0.0),
        ("missing", x.iter().filter(|v| v.is_nan()).count() as f64, 0.0),
        ("sum", there().map(|(_, v)| v).sum(), 1e-11 * number("scale")),
        ("weighted", there().map(|(i, v)| v * (1 + i % 1009) as f64).sum(), 1e-11 * 1009.0 * number("scale")),
    ];
    for (key, found, tolerance) in found {
        if (found - number(key)).abs() > tolerance {
            return Some(format!("{key} {found}, expected {}", number(key)));
        }
    }
    expected["samples"].as_array().unwrap().iter().find_map(|place| {
        let (i, v) = (place[0].as_u64().unwrap() as usize, x[place[0].as_u64().unwrap() as usize]);
        let equal = place[1].as_f64().map_or(v.is_nan(), |e| (v - e).abs() <= 1e-9 * e.abs());
        (!equal).then(|| format!("sample {i} is {v}, expected {}", place[1]))
    })
}

#[test]
fn every_signal_of_every_sample_record_equals_wfdb_python() {
    let Some(folder) = recordings("wfdb-samples") else { return };
    let golden = golden();
    let in_mv = tempfile::tempdir().unwrap();
    copy_in_mv(&folder, in_mv.path());
    let (mut signals, mut records, mut refused, mut faults) = (0, 0, Vec::new(), Vec::new());
    for (name, expected) in golden["records"].as_object().unwrap() {
        let header = match Header::read(&folder.join(format!("{name}.hea"))) {
            Ok(header) => header,
            Err(e) => {
                faults.push(format!("{name}: {e}"));
                continue;
            }
        };
        let copied = Header::read(&in_mv.path().join(format!("{name}.hea"))).unwrap();
        let Some(of_signals) = expected["signals"].as_array() else {
            // wfdb-python does not read it: files are missing, or it is a layout
            for i in 0..header.signals.len() {
                match read_signal(&copied, i, false) {
                    Ok(_) => refused.push(format!("{name}: signal {i} is read here")),
                    Err(e) if i == 0 => refused.push(format!("{e}").lines().next().unwrap_or_default().to_string()),
                    Err(_) => {}
                }
            }
            continue;
        };
        records += 1;
        let names: Vec<&str> = header.signals.iter().map(|s| s.description.as_str()).collect();
        let expected_names: Vec<&str> =
            expected["names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        if (names.as_slice(), header.fs) != (&expected_names, expected["fs"].as_f64().unwrap()) {
            faults.push(format!("{name}: {} Hz, {names:?}, expected {expected}", header.fs));
            continue;
        }
        for (i, (spec, expected)) in header.signals.iter().zip(of_signals).enumerate() {
            signals += 1;
            let physical = match read_signal(&copied, i, false) {
                Ok(signal) => signal.mv,
                Err(e) => {
                    faults.push(format!("{name}, signal {i}: {e}"));
                    continue;
                }
            };
            faults.extend(difference(&physical, header.rate(i), expected).map(|d| format!("{name}, signal {i}: {d}")));
            // and in mV the same samples
            if let Some(to_mv) = spec.millivolts() {
                let signal = read_signal(&header, i, false).unwrap();
                let near =
                    |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b * to_mv).abs() <= 1e-12 * a.abs();
                if signal.fs != header.rate(i) || !signal.mv.iter().zip(&physical).all(near) {
                    faults.push(format!("{name}, signal {i}: not the same in mV"));
                }
            }
        }
    }
    println!("{records} records, {signals} signals, {} differ", faults.len());
    println!("{} records that wfdb-python does not read:\n  {}", refused.len(), refused.join("\n  "));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(records > 30 && signals > 100, "{records} records, {signals} signals");
}

#[test]
fn every_sample_annotation_equals_wfdb_python() {
    let Some(folder) = recordings("wfdb-samples") else { return };
    let fnv = |text: &str| {
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    };
    for (name, expected) in golden()["annotations"].as_object().unwrap() {
        // times as stored: none of these files has a time resolution of its own
        let list = read_annotations(&folder.join(name), 1.0, 1.0).unwrap_or_else(|e| panic!("{e}"));
        let lines: String =
            list.iter().map(|a| format!("{} {} {}\n", a.sample, a.symbol().to_string().trim(), a.aux)).collect();
        let sum: i64 = list.iter().map(|a| a.sample).sum();
        assert_eq!(
            (Some(list.len() as u64), Some(sum)),
            (expected["number"].as_u64(), expected["sum"].as_i64()),
            "{name}"
        );
        assert_eq!(expected["lines"], format!("{:016x}", fnv(&lines)), "{name}: {}", &lines[..lines.len().min(500)]);
        println!("{name}: {} annotations", list.len());
    }
}
