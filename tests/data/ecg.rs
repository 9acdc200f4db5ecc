//! The ECG side against other software (goldens) and against real recordings.
//!
//! The recordings are looked for in `EXGNET_DATA`, else `../shared/data`. Without them those tests say that
//! they are skipped; with `EXGNET_REQUIRE_DATA=1` they fail instead.

use crate::common::recordings::recordings;
use exgnet::ecg::sources::Kind;
use exgnet::ecg::{Dataset, LoadOptions, SplitKind, filter, resample, rpeaks, splits, strip_input};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/ecg.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn items<'a>(v: &'a Value, key: &str) -> &'a [Value] {
    v[key].as_array().unwrap_or_else(|| panic!("golden has no {key}"))
}

fn numbers(v: &Value, key: &str) -> Vec<f64> {
    items(v, key).iter().map(|x| x.as_f64().unwrap()).collect()
}

fn indices(v: &Value, key: &str) -> Vec<usize> {
    items(v, key).iter().map(|x| x.as_u64().unwrap() as usize).collect()
}

/// Largest difference relative to the largest expected value.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-300_f64, |m, v| m.max(v.abs()));
    found.iter().zip(expected).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / scale
}

#[test]
fn resampling_equals_scipy() {
    for case in items(&golden(), "resample_poly") {
        let (up, down) = (case["up"].as_f64().unwrap(), case["down"].as_f64().unwrap());
        let d = distance(&resample::resample(&numbers(case, "x"), down, up).unwrap(), &numbers(case, "y"));
        assert!(d < 1e-12, "{up}/{down}: {d:e}");
    }
}

#[test]
fn filter_design_equals_scipy() {
    for case in items(&golden(), "butterworth_highpass") {
        let order = case["order"].as_u64().unwrap() as usize;
        let sos = filter::butterworth_highpass(order, case["cutoff"].as_f64().unwrap(), case["fs"].as_f64().unwrap());
        let found: Vec<f64> = sos.unwrap().iter().flat_map(|s| [s.b[0], s.b[1], s.b[2], 1.0, s.a[0], s.a[1]]).collect();
        let expected: Vec<f64> =
            items(case, "sos").iter().flat_map(|row| row.as_array().unwrap()).map(|v| v.as_f64().unwrap()).collect();
        assert!(distance(&found, &expected) < 1e-12, "order {order}: {found:?} {expected:?}");
    }
}

#[test]
fn cleaning_and_r_peaks_equal_neurokit() {
    let all = golden();
    for case in items(&all, "clean").iter().chain(items(&all, "clean_more")) {
        let fs = case["fs"].as_f64().unwrap();
        let clean = rpeaks::clean(&numbers(case, "x"), fs, case["mains"].as_f64().unwrap()).unwrap();
        let thinned: Vec<f64> = clean.iter().copied().step_by(20).collect();
        let d = distance(&thinned, &numbers(case, "clean_every_20th"));
        assert!(d < 1e-9, "{fs} Hz: {d:e}");
        let peaks: Vec<usize> = rpeaks::r_peaks(&clean, fs).into_iter().map(|p| p as usize).collect();
        assert!(peaks.len() >= 4);
        assert_eq!(peaks, indices(case, "peaks"), "{fs} Hz");
    }
}

fn unique(n: usize) -> Vec<String> {
    (0..n).map(|i| i.to_string()).collect()
}

#[test]
fn splits_equal_scikit_learn() {
    for case in items(&golden(), "splits") {
        let y = indices(case, "y");
        let groups = unique(y.len());
        let (k, seed) = (case["k"].as_u64().unwrap() as usize, case["seed"].as_u64().unwrap());
        assert_eq!(splits::folds(SplitKind::KFold, &y, &groups, k, seed).unwrap(), indices(case, "kfold"));
        if !case["stratified"].is_null() {
            assert_eq!(
                splits::folds(SplitKind::Stratified, &y, &groups, k, seed).unwrap(),
                indices(case, "stratified")
            );
        }
    }
}

/// The first 50 values and a weighted sum of all, against a golden.
fn assert_summary(found: &[usize], expected: &Value, what: &str) {
    assert_eq!(found[..found.len().min(50)], indices(expected, "first"), "{what}");
    let sum: usize = found.iter().enumerate().map(|(i, f)| (i % 1009 + 1) * f).sum();
    assert_eq!(Some(sum as u64), expected["sum"].as_u64(), "{what}");
}

#[test]
fn splits_of_whole_databases_equal_scikit_learn() {
    let class = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3];
    for case in items(&golden(), "large_splits") {
        let [n, k, seed] = ["n", "k", "seed"].map(|key| case[key].as_u64().unwrap());
        let y: Vec<usize> = (0..n as usize).map(|i| class[(i * i + 3 * i) % 17]).collect();
        for kind in [SplitKind::KFold, SplitKind::Stratified] {
            let found = splits::folds(kind, &y, &unique(y.len()), k as usize, seed).unwrap();
            assert_summary(&found, &case[kind.name()], &format!("{kind:?} of {n}, {k} folds, seed {seed}"));
        }
    }
}

#[test]
fn random_numbers_equal_numpy() {
    for case in items(&golden(), "random_numbers") {
        let seed = case["seed"].as_u64().unwrap() as u32;
        let mut rng = splits::Mt19937::new(seed);
        let drawn: Vec<usize> = (0..5).map(|_| rng.next_u32() as usize).collect();
        assert_eq!(drawn, indices(case, "u32"), "seed {seed}");
        assert_eq!(splits::Mt19937::new(seed).permutation(10), indices(case, "permutation_10"), "seed {seed}");
        assert_summary(&splits::Mt19937::new(seed).permutation(1000), &case["permutation_1000"], "permutation(1000)");
    }
}

fn load(kind: Kind, folder: &Path, change: impl Fn(&mut LoadOptions)) -> Dataset {
    let mut options = LoadOptions { min_class: 1, strict: true, ..LoadOptions::default() };
    change(&mut options);
    let set = exgnet::ecg::load(kind, folder, &options).unwrap();
    let ids: HashSet<&str> = set.strips.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids.len(), set.strips.len(), "ids are unique");
    for s in &set.strips {
        assert_eq!(s.signal.len(), set.samples());
        assert!(s.signal.iter().all(|v| v.is_finite() && v.abs() < 20.0), "{}", s.id);
        assert!(s.r_peaks.windows(2).all(|w| w[0] < w[1]) && s.r_peaks.iter().all(|&p| (p as usize) < set.samples()));
    }
    set
}

fn table(set: &Dataset) -> Vec<(&str, usize)> {
    set.classes.iter().map(String::as_str).zip(set.counts()).collect()
}

#[test]
fn mitdb_windows() {
    let Some(folder) = recordings("mitdb") else { return };
    let set = load(Kind::Mitbih, &folder, |_| {});
    println!("mitdb: {:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions_by_reason());
    assert_eq!(table(&set), [("SR", 2874), ("SB", 989), ("ST", 386), ("AFIB/AFL", 471), ("SVT/AT", 10)]);
    let other: usize =
        set.exclusions_by_reason().iter().filter(|(r, _)| r.contains("in no class")).map(|(_, n)| n).sum();
    assert_eq!(other, 704);
    assert!(set.strips.iter().all(|s| s.expert_beats));
    assert!(set.notes.iter().any(|n| n.contains("V5 used instead: mitdb/102")));
    let of = |name: &str| set.strips.iter().find(|s| s.id.starts_with(name)).map(|s| s.patient.clone()).unwrap();
    assert_eq!(of("mitdb/201@"), of("mitdb/202@"));
    assert_ne!(of("mitdb/200@"), of("mitdb/201@"));

    // beats in [t0, t0 + 10 s), escape beats are ectopic; the data's README counts one SR window more (a beat
    // on the last sample of it) and one more of other rhythms
    let set = load(Kind::Mitbih, &folder, |o| o.ectopic_keep = false);
    let counts = table(&set);
    assert_eq!(counts[..3], [("SR", 1973), ("SB", 693), ("ST", 62)]);
    let f = splits::folds(SplitKind::Grouped, &set.labels(), &set.patients(), 5, 42).unwrap();
    assert!((0..5).all(|k| f.contains(&k)));
}

#[test]
fn ludb_strips() {
    let Some(folder) = recordings("ludb") else { return };
    let set = load(Kind::Wfdb, &folder, |_| {});
    println!("ludb: {:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions);
    assert_eq!(table(&set), [("SR", 96), ("SB", 17), ("ST", 3), ("SI", 7), ("AFIB/AFL", 12)]);
    assert!(set.exclusions.is_empty() && set.strips.iter().all(|s| s.expert_beats && s.r_peaks.len() >= 3));
    // every record lacks its outermost beats: the marked part is from 0.15 s before the first beat to as long after the last
    for s in &set.strips {
        let ([from, to], peaks) = (s.marked.expect("a part"), &s.r_peaks);
        let near = |a: u32, b: u32| a.abs_diff(b) <= 1;
        assert!(
            near(from, peaks[0].saturating_sub(75)) && near(to, peaks[peaks.len() - 1] + 76),
            "{}: {from} {to}",
            s.id
        );
    }
    let outside = set.strips.iter().map(|s| s.marked.map_or(0, |[from, to]| from + 5000 - to)).sum::<u32>();
    println!("ludb: {:.1} % of the samples are outside", f64::from(outside) / 50.0 / set.strips.len() as f64);
    // dropping small classes is reported, and nothing gets lost
    let small = load(Kind::Wfdb, &folder, |o| o.min_class = 10);
    assert_eq!(small.classes, ["SR", "SB", "AFIB/AFL"]);
    assert_eq!(small.strips.len() + small.exclusions.len(), 135);
}

#[test]
fn cinc2021_strips() {
    let Some(folder) = recordings("cinc2021") else { return };
    let set = load(Kind::Wfdb, &folder, |o| o.seconds = 5.0);
    println!("cinc2021: {:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions);
    // the data's README counts a second SVT/AT: JS45550, whose header names a paroxysmal ventricular tachycardia too
    let expected = [("SR", 26), ("SB", 13), ("ST", 20), ("SI", 2), ("AFIB/AFL", 7), ("SVT/AT", 1)];
    assert_eq!(table(&set), expected);
    assert_eq!(set.exclusions.len(), 24);
    let because = |part: &str| set.exclusions.iter().filter(|e| e.reason.contains(part)).count();
    assert_eq!((because("PVT (425856008)"), because("is not known")), (6, 0), "{:#?}", set.exclusions);
    let ten = load(Kind::Wfdb, &folder, |_| {});
    println!("cinc2021 at 10 s: {:?}\n{:#?}", table(&ten), ten.exclusions_by_reason());
    assert_eq!(ten.strips.len() + ten.exclusions.len(), 93);
    let early = recordings("cinc2020-early").map(|f| load(Kind::Wfdb, &f, |o| o.seconds = 5.0));
    if let Some(early) = early {
        assert_eq!(early.counts(), [2, 2, 1, 1, 2, 1]);
        assert_eq!(early.exclusions.len(), 15);
    }
}

#[test]
fn a_strip_of_a_long_record_is_the_window_of_its_data_set() {
    let Some(folder) = recordings("mitdb") else { return };
    let set = load(Kind::Mitbih, &folder, |_| {});
    let window = set.strips.iter().filter(|s| s.id.starts_with("mitdb/201@")).nth(5).unwrap();
    let file = folder.join(window.id.strip_prefix("mitdb/").unwrap());
    let strip = strip_input::read(&file, "II", None).unwrap();
    let ready = strip_input::prepare(&strip, None, &set.preprocessing).unwrap();
    assert_eq!(ready.signal.len(), 5000);
    assert_eq!(ready.r_peaks, window.r_peaks);
    assert_eq!(ready.signal[..], window.signal[..]);
}

/// A small two-minute record with rhythm annotations: header, format 212 signal, annotations.
fn artificial_record() -> [Vec<u8>; 3] {
    let codes: Vec<u16> = (0..3000_i16).map(|i| (i % 97 * if i % 75 == 0 { 20 } else { 1 }) as u16 & 0xfff).collect();
    let mut signal = Vec::new();
    for pair in codes.chunks_exact(2) {
        signal.extend([pair[0] as u8, (pair[0] >> 8 | pair[1] >> 8 << 4) as u8, pair[1] as u8]);
    }
    let word = |code: u16, value: u16| (code << 10 | value).to_le_bytes();
    let mut notes = [word(28, 5), word(63, 2), *b"(N"].concat();
    for i in 0..38_u16 {
        notes.extend(word(1, 75));
        if i == 20 {
            notes.extend([word(28, 1), word(63, 6)].concat());
            notes.extend(b"(AFIB\0");
        }
    }
    notes.extend(word(0, 0));
    let header = b"r 1 25 3000\nr.dat 212 200(0)/mV 12 0 0 0 0 MLII\n# Dx: 426783006\n".to_vec();
    [header, signal, notes]
}

proptest::proptest! {
    /// Whatever is wrong with a record's files, loading says so and does not panic.
    #[test]
    fn damaged_records_never_panic(
        edits in proptest::collection::vec((0_usize..3, 0_usize..5000, proptest::prelude::any::<u8>()), 0..6),
        cut in proptest::option::of((0_usize..3, 0_usize..5000)),
    ) {
        let mut files = artificial_record();
        for (file, at, byte) in edits {
            let n = files[file].len();
            files[file][at % n] = byte;
        }
        if let Some((file, at)) = cut {
            files[file].truncate(at);
        }
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in ["r.hea", "r.dat", "r.atr"].iter().zip(&files) {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let options = LoadOptions { fs: 50.0, seconds: 10.0, min_class: 1, clean: true, ..LoadOptions::default() };
        for kind in [Kind::Mitbih, Kind::Wfdb, Kind::Cinc2017, Kind::Muse] {
            let _ = exgnet::ecg::load(kind, dir.path(), &options);
        }
        for name in ["r", "r.dat@30", "r@99999"] {
            if let Ok(strip) = strip_input::read(&dir.path().join(name), "II", None) {
                let _ = strip_input::prepare(&strip, None, &options.preprocessing());
            }
        }
    }
}

#[test]
fn the_artificial_record_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in ["r.hea", "r.dat", "r.atr"].iter().zip(artificial_record()) {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let set = load(Kind::Mitbih, dir.path(), |o| (o.fs, o.strict) = (50.0, false));
    assert_eq!(table(&set), [("SB", 6), ("AFIB/AFL", 5)]);
    let strip = strip_input::read(&dir.path().join("r@60"), "II", None).unwrap();
    let found = (strip.signal.len(), strip.start, strip.long, strip.fs);
    assert_eq!(found, (3000, 1500, true, Some(25.0)));
    let after = strip.beats.map(|all| all.iter().filter(|&&b| b >= 1500).count());
    assert_eq!(after, Some(19));
}
