use super::*;

fn options() -> LoadOptions {
    LoadOptions { fs: 100.0, seconds: 1.0, min_class: 1, ..LoadOptions::default() }
}

fn write_record(dir: &Path, name: &str, codes: &[i16], comment: &str) {
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
    let reasons: Vec<_> = set.exclusions.iter().map(|e| format!("{}: {}", e.record, e.reason)).collect();
    let expect = [
        "cut: .*truncated",
        "empty: .*no record line",
        "flat: flat line",
        "gap: missing",
        "short: .*99",
        "unknown: no code",
    ];
    assert_eq!(reasons.len(), expect.len(), "{reasons:?}");
    for (reason, e) in reasons.iter().zip(expect) {
        let (name, part) = e.split_once(": ").unwrap();
        assert!(
            reason.starts_with(&format!("set/{name}: ")) && reason.contains(part.trim_start_matches(".*")),
            "{reason} / {e}"
        );
    }
    assert!(set.notes.iter().any(|n| n.starts_with("1 records carry labels")), "{:?}", set.notes);
    assert!(set.notes.iter().any(|n| n.contains("checksum")));
    assert!(set.notes.iter().any(|n| n.starts_with("class SB dropped: no strip")));
    // strict: the failed checksum leaves no record at all
    let e = load(Kind::Wfdb, &root, &LoadOptions { strict: true, ..options() }).unwrap_err().to_string();
    assert!(e.contains("no strip is left") && e.contains("checksum"), "{e}");
}

#[test]
fn records_file_decides_and_missing_records_are_told() {
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
fn small_classes_are_dropped_and_told() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        write_record(dir.path(), &format!("r{i}"), &wave(100), "#Dx: 426783006");
    }
    write_record(dir.path(), "s", &wave(100), "#Dx: 426177001");
    let set = load(Kind::Wfdb, dir.path(), &LoadOptions { min_class: 2, ..options() }).unwrap();
    assert_eq!((set.classes.len(), set.counts()), (1, vec![3]));
    assert!(set.exclusions[0].reason.contains("class SB has fewer than 2"));
    assert!(set.notes.iter().any(|n| n.contains("class SB dropped: 1")));
}

#[test]
fn wrong_kinds_and_folders_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let o = options();
    assert!("dicom:x".parse::<Source>().unwrap_err().to_string().contains("mitbih:PATH, wfdb:PATH"));
    assert!("wfdb".parse::<Source>().unwrap_err().to_string().contains("no path"));
    assert_eq!("csv:a:b.csv".parse::<Source>().unwrap(), Source::new(Kind::Csv, "a:b.csv"));
    assert_eq!("synthetic".parse::<Source>().unwrap().to_string(), "synthetic");
    assert!(load(Kind::Wfdb, dir.path(), &o).unwrap_err().to_string().contains("no record"));
    assert!(load(Kind::Mitbih, dir.path(), &o).unwrap_err().to_string().contains("no record"));
    assert!(load(Kind::Wfdb, &dir.path().join("none"), &o).unwrap_err().to_string().contains("none"));
    assert!(load_all(&[], &o, &|_| {}).is_err());
    let twice = Source::new(Kind::Wfdb, dir.path());
    write_record(dir.path(), "s", &wave(100), "#Dx: 426177001");
    assert!(load_all(&[twice.clone(), twice], &o, &|_| {}).unwrap_err().to_string().contains("two sources"));
}
