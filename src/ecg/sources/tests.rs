use super::*;
use crate::ecg::wfdb::{Annotation, write_annotations};

fn options() -> LoadOptions {
    LoadOptions { fs: 100.0, seconds: 1.0, min_class: 1, ..LoadOptions::default() }
}

pub(crate) fn write_record(dir: &Path, name: &str, codes: &[i16], comment: &str) {
    std::fs::create_dir_all(dir).unwrap();
    let bytes: Vec<u8> = codes.iter().flat_map(|c| c.to_le_bytes()).collect();
    std::fs::write(dir.join(format!("{name}.dat")), bytes).unwrap();
    let header = format!("{name} 1 100 {}\n{name}.dat 16 1000/mV 16 0 {} 7 0 II\n{comment}\n", codes.len(), codes[0]);
    std::fs::write(dir.join(format!("{name}.hea")), header).unwrap();
}

fn wave(n: usize) -> Vec<i16> {
    (0..n).map(|i| (i as i16 * 37) % 500).collect()
}

#[test]
fn every_record_is_kept_or_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    write_record(&root.join("a/b"), "good", &wave(120), "# Dx: 426783006,427084000");
    write_record(&root, "plain", &wave(100), "#Dx: 426783006,");
    write_record(&root, "short", &wave(99), "#Dx: 426783006");
    write_record(&root, "flat", &[5; 100], "#Dx: 426783006");
    write_record(&root, "unknown", &wave(100), "#Dx: 59118001");
    let mut gap = wave(100);
    gap[40] = i16::MIN;
    write_record(&root, "gap", &gap, "#Dx: 426783006");
    write_record(&root, "cut", &wave(100), "#Dx: 426783006");
    std::fs::write(root.join("cut.dat"), [0; 30]).unwrap();
    std::fs::write(root.join("empty.hea"), "").unwrap();
    let set = load(Kind::Wfdb, &root, &options()).unwrap();
    assert_eq!(set.classes, ["SR", "ST"]);
    let ids: Vec<_> = set.strips.iter().map(|s| (s.id.as_str(), s.label, s.signal.len())).collect();
    assert_eq!(ids, [("set/a/b/good", 1, 100), ("set/plain", 0, 100)]);
    let expected = [
        ("cut", "truncated"),
        ("empty", "no record line"),
        ("flat", "flat line"),
        ("gap", "missing"),
        ("short", "99"),
        ("unknown", "no code of a rhythm"),
    ];
    assert_eq!(set.exclusions.len(), expected.len(), "{:?}", set.exclusions);
    for (found, (name, reason)) in set.exclusions.iter().zip(expected) {
        assert!(found.record == format!("set/{name}") && found.reason.contains(reason), "{found:?} / {reason}");
    }
    assert!(set.notes.iter().any(|n| n.starts_with("1 record carries labels")), "{:?}", set.notes);
    assert!(set.notes.iter().any(|n| n.contains("checksum")));
    assert!(set.notes.iter().any(|n| n == "classes dropped: SB, SI, AFIB/AFL, SVT/AT (no strip)"), "{:?}", set.notes);
    // strict: the failed checksum leaves no record at all
    let e = load(Kind::Wfdb, &root, &LoadOptions { strict: true, ..options() }).unwrap_err().to_string();
    assert!(e.contains("no strip is left") && e.contains("checksum"), "{e}");
}

#[test]
fn records_file_decides_and_missing_records_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    write_record(&root.join("p"), "a", &wave(100), "#Dx: 426783006");
    write_record(&root.join("p"), "b", &wave(100), "#Dx: 426783006");
    std::fs::write(root.join("RECORDS"), "p/\n../../etc/x\n").unwrap();
    std::fs::write(root.join("p/RECORDS"), "a\r\nnone\n\na\n").unwrap();
    let set = load(Kind::Wfdb, &root, &options()).unwrap();
    assert_eq!(set.strips.len(), 1);
    assert_eq!(set.exclusions.len(), 2, "{:?}", set.exclusions);
    assert!(set.notes.iter().any(|n| n.contains("1 header") && n.contains("RECORDS")), "{:?}", set.notes);
}

#[test]
fn wrong_kinds_and_folders_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert!("wfdb".parse::<Source>().unwrap_err().to_string().contains("no path"));
    assert_eq!("csv:a:b.csv".parse::<Source>().unwrap(), Source::new(Kind::Csv, "a:b.csv"));
    for kind in [Kind::Wfdb, Kind::Mitbih] {
        assert!(load(kind, dir.path(), &options()).unwrap_err().to_string().contains("no record"));
    }
    assert!(load_all(&[], &options(), &|_| {}).is_err());
}

fn ids(set: &Dataset) -> Vec<&str> {
    set.strips.iter().map(|s| s.id.as_str()).collect()
}

fn has_note(set: &Dataset, part: &str) -> bool {
    set.notes.iter().any(|n| n.contains(part))
}

#[cfg(unix)]
#[test]
fn files_reached_twice_count_once() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("set"), dir.path().join("outside"));
    let sr = "#Dx: 426783006";
    write_record(&root.join("b"), "one", &wave(100), sr);
    write_record(&root, "two", &wave(100), sr);
    write_record(&outside, "three", &wave(100), sr);
    // a folder and a file twice, two ways to the same outside, and cycles: to itself, above itself, to the root
    symlink(root.join("b"), root.join("a")).unwrap();
    symlink(root.join("two.hea"), root.join("2.hea")).unwrap();
    symlink(&outside, root.join("x")).unwrap();
    symlink(&outside, root.join("b/y")).unwrap();
    symlink(&root, root.join("b/loop")).unwrap();
    symlink(dir.path(), root.join("up")).unwrap();
    symlink("self", root.join("self")).unwrap();
    let set = load(Kind::Wfdb, &root, &options()).unwrap();
    assert_eq!(ids(&set), ["set/b/one", "set/b/y/three", "set/two"]);
    assert!(set.exclusions.is_empty(), "{:?}", set.exclusions);
    assert!(has_note(&set, "5 links lead to what is there already"), "{:?}", set.notes);
    // the folder itself may be a link, however it is named
    let link = dir.path().join("link");
    symlink(&root, &link).unwrap();
    assert_eq!(load(Kind::Wfdb, &link, &options()).unwrap().strips.len(), 3);
    // so do those of a list, however they are written
    std::fs::write(root.join("RECORDS"), "./two \r\ntwo\ntwo.hea\n2\nb/one\na/one\n./b/./one\na\nup\n").unwrap();
    let set = load(Kind::Wfdb, &root, &options()).unwrap();
    assert_eq!(ids(&set), ["set/b/one", "set/b/y/three", "set/two"]);
    assert!(set.exclusions.is_empty(), "{:?}", set.exclusions);
    // and those of two sources
    let of = |name: &str, path: &Path| Source::new(Kind::Wfdb, path).named(name).unwrap();
    let set = load_all(&[of("p", &root), of("q", &root.join("b"))], &options(), &|_| {}).unwrap();
    assert_eq!(ids(&set), ["p/b/one", "p/b/y/three", "p/two"]);
    let same = [("q/one", "the same file as p/b/one"), ("q/y/three", "the same file as p/b/y/three")];
    assert_eq!(set.exclusions, same.map(|(record, reason)| Exclusion::record(record, reason)));
    let e = load_all(&[of("p", &root), of("q", &link)], &options(), &|_| {}).unwrap_err().to_string();
    assert!(e.contains("two sources of the same recordings") && e.contains("HINT"), "{e}");
}

#[test]
fn record_names_give_patients() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    for name in ["p00000_s00", "p00000_s02", "p00001_s00", "x"] {
        write_record(&root.join(&name[..1]), name, &wave(100), "#Dx: 426783006");
    }
    write_record(&root, "y", &wave(100), "#Dx: 426783006\n# Patient: 7");
    let patients = |pattern: &str| {
        let options = LoadOptions { patient_pattern: pattern.into(), ..options() };
        let set = load(Kind::Wfdb, &root, &options).unwrap();
        (set.patients(), set.notes)
    };
    let (of, notes) = patients("auto");
    assert_eq!(of, ["set/p00000", "set/p00000", "set/p00001", "set/x/x", "set/7"]);
    let line = "set: 1 patient by their headers (1 record; set/y is of set/7), \
                2 patients by record names (3 records; set/p/p00000_s00 is of set/p00000), 1 record each taken as one patient";
    assert!(notes.iter().any(|n| n == line), "{notes:?}");
    assert_eq!(patients("none").0[..2], ["set/p/p00000_s00", "set/p/p00000_s02"]);
    assert_eq!(patients("_(s..)$").0, ["set/s00", "set/s02", "set/s00", "set/x/x", "set/7"]);
    let (of, notes) = patients("^no(where)");
    assert_eq!(of[0], "set/p/p00000_s00");
    assert!(notes.iter().any(|n| n.contains("patient_pattern ^no(where) fits the name of no record")), "{notes:?}");
    let bad = LoadOptions { patient_pattern: "^p".into(), ..options() };
    assert!(load(Kind::Wfdb, &root, &bad).unwrap_err().to_string().contains("without a group"));
}

/// Beats at 20, 45, 70 and 95 of 140 samples: known from 15 samples before the first to as long after the last.
#[test]
fn a_leads_annotations_say_nothing_beyond_their_outermost_beats() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    let beats = [20, 45, 70, 95].map(|at| Annotation::new(at, 1, ""));
    for name in ["of-lead", "of-all", "without"] {
        write_record(&root, name, &wave(140), "#Dx: 426177001");
    }
    for file in ["of-lead.ii", "of-all.atr"] {
        write_annotations(&root.join(file), &beats).unwrap();
    }
    let marked = |fs: f64, seconds: f64| {
        let set = load(Kind::Wfdb, &root, &LoadOptions { fs, seconds, ..options() }).unwrap();
        assert_eq!(ids(&set), ["set/of-all", "set/of-lead", "set/without"]);
        assert_eq!((set.strips[0].marked, set.strips[2].marked), (None, None));
        set.strips[1].marked
    };
    assert_eq!(marked(100.0, 1.4), Some([5, 111]));
    // at twice the rate; a strip that ends before the last beat is known to its end
    assert_eq!((marked(200.0, 1.4), marked(100.0, 1.0)), (Some([10, 222]), Some([5, 100])));
    // the same by way of a prepared file
    let (out, options) = (dir.path().join("set.safetensors"), LoadOptions { seconds: 1.4, ..options() });
    let sources = [Source::new(Kind::Wfdb, &root)];
    crate::ecg::prepared::prepare(&sources, &options, &GuidanceConfig::default(), &out, &|_| {}).unwrap();
    let (made, read) = (load_all(&sources, &options, &|_| {}).unwrap(), crate::ecg::prepared::read(&out).unwrap());
    assert_eq!(read.strips.iter().map(|s| s.marked).collect::<Vec<_>>(), [None, Some([5, 111]), None]);
    let of = |set: &Dataset| crate::ecg::fingerprint::Fingerprint::of(set, &GuidanceConfig::default());
    assert!(of(&made).differences(&of(&read)).is_empty() && of(&read).marked.is_some());
}

#[test]
fn names_of_sources() {
    for bad in ["=wfdb:x", "a/b=wfdb:x", " =wfdb:x", "..=wfdb:x", "a b=wfdb:x", "a=dicom:x", "a=wfdb:", "a=b=wfdb:x"] {
        let e = bad.parse::<Source>().unwrap_err().to_string();
        assert!(e.contains("HINT") && e.contains("source `"), "{bad}: {e}");
    }
    let plain = "wfdb:x=y/z".parse::<Source>().unwrap();
    assert_eq!((plain.label, plain.path), (None, PathBuf::from("x=y/z")));
    for text in ["synthetic", "s=synthetic"] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
}
