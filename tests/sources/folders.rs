//! Folders of records: figshare's MUSE files and the Challenge 2017.

use super::recordings::recordings;
use super::{excluded, kept, muse_record, read, sample, small, small_workbook, write, write_cinc};
use exgnet::ecg::exclusions::Unit;
use exgnet::ecg::sources::Kind;
use exgnet::ecg::{Dataset, LoadOptions};
use std::path::Path;

#[test]
fn muse_records() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("chapman");
    write(&root, "Diagnostics.xlsx", small_workbook());
    let good = muse_record(600);
    for name in ["ECGDataDenoised/MUSE_00", "ECGDataDenoised/MUSE_05", "ECGDataDenoised/MUSE_06", "MUSE_08", "MUSE_99"]
    {
        write(&root, &format!("{name}.csv"), &good);
    }
    write(&root, "ECGData/MUSE_00.csv", "raw");
    write(&root, "ECGDataDenoised/MUSE_01.csv", muse_record(400));
    write(&root, "ECGDataDenoised/MUSE_02.csv", good.replacen(',', ",,", 1));
    write(&root, "ECGDataDenoised/MUSE_03.csv", format!("I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6\n{good}"));
    write(&root, "ECGDataDenoised/MUSE_11.csv", &good);
    let set = read(Kind::Muse, &root, &small()).unwrap();
    let expected = [
        "ECGDataDenoised/MUSE_00 SB",
        "ECGDataDenoised/MUSE_05 AFIB/AFL",
        "ECGDataDenoised/MUSE_06 SI",
        "MUSE_08 SVT/AT",
    ];
    assert_eq!(kept(&set), expected);
    assert_eq!(
        excluded(&set),
        [
            "chapman: listed in Diagnostics.xlsx, but there is no file",
            "ECGDataDenoised/MUSE_01: too short: 400 samples at 500 Hz are 0.80 s, expected 1 s (500 samples)",
            "ECGDataDenoised/MUSE_02: MUSE_02.csv, line 1: 13 cells, expected 12 leads",
            "ECGDataDenoised/MUSE_03: MUSE_03.csv, line 1: holds `II`, expected a number in microvolt",
            "ECGDataDenoised/MUSE_11: rhythm `VT` is not known",
            "MUSE_99: is not in Diagnostics.xlsx",
        ]
    );
    assert_eq!((set.exclusions[0].count, set.exclusions[0].unit), (4, Unit::Record));
    assert!(set.notes.iter().any(|n| n.contains("1 record has several files")), "{:?}", set.notes);
    // lead II is the second column, in microvolt
    let at_rate = LoadOptions { fs: 500.0, ..small() };
    let set = read(Kind::Muse, &root, &at_rate).unwrap();
    let wanted = (0..500).map(|i| 2.0 * sample(i, 2).parse::<f32>().unwrap());
    assert!(set.strips[0].signal.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4));
    let e = read(Kind::Muse, &root, &LoadOptions { lead: "V7".into(), ..small() }).unwrap_err().to_string();
    assert!(e.contains("no lead V7"), "{e}");
}

#[test]
fn muse_folders_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let says = |part: &str| {
        let e = read(Kind::Muse, dir.path(), &small()).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT"), "{e}");
    };
    says("holds no Diagnostics.xlsx");
    write(dir.path(), "Diagnostics.xlsx", b"PK, or not");
    says("holds no record");
    write(dir.path(), "MUSE_00.csv", muse_record(600));
    says("no ZIP archive");
    let workbook = small_workbook();
    write(dir.path(), "Diagnostics.xlsx", &workbook[..workbook.len() / 2]);
    says("no ZIP archive");
    let e = read(Kind::Muse, &dir.path().join("none"), &small()).unwrap_err().to_string();
    assert!(e.contains("no such folder"), "{e}");
}

#[test]
fn cinc2017_records() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("training2017");
    for (name, n) in [("A1", 400), ("A2", 400), ("A3", 400), ("A4", 400), ("A5", 200), ("A6", 400), ("val/A1", 400)] {
        write_cinc(&root.join(Path::new(name).parent().unwrap()), name.rsplit('/').next().unwrap(), n);
    }
    write(&root, "REFERENCE.csv", "A1,A\nA2,A\n");
    write(&root, "REFERENCE-v2.csv", "\u{feff}\"A1\",N\r\nA2, A\r\n\r\nA3,O\r\nA4,~\r\nA5,N\r\nA7,N\r\n");
    let set = read(Kind::Cinc2017, &root, &small()).unwrap();
    assert_eq!(kept(&set), ["A2 AFIB/AFL"]);
    let by_rate = "training2017: N names a normal rhythm, not its rate";
    assert!(set.notes.iter().any(|n| n.starts_with(by_rate)), "{:?}", set.notes);
    let expected = [
        "A7: labelled in REFERENCE-v2.csv, but there is no such record to read",
        "A1: a normal rhythm (N) of fewer than two R peaks, whose rate decides",
        "A3: its rhythm is in no class of rhythm6",
        "A4: noisy (~)",
        "A5: too short: 200 samples at 300 Hz are 0.67 s, expected 1 s (300 samples)",
        "A6: has no label in REFERENCE-v2.csv",
        "val/A1: the same record as training2017/A1",
    ];
    assert_eq!(excluded(&set), expected);
    let af3 = read(Kind::Cinc2017, &root, &LoadOptions { classes: "af3".into(), ..small() }).unwrap();
    assert_eq!(kept(&af3), ["A1 N", "A2 A", "A3 O"]);
    assert!(!af3.notes.iter().any(|n| n.starts_with(by_rate)), "{:?}", af3.notes);
    assert!(set.notes.iter().any(|n| n == "2 tables of labels, REFERENCE-v2.csv used"), "{:?}", set.notes);
    assert!(set.notes.iter().any(|n| n.contains("does not identify patients")), "{:?}", set.notes);
    // names that RECORDS lists are reported once; many labels without a record are one line
    write(&root, "RECORDS", "A1\nA2\nA7\n");
    write(&root, "REFERENCE-v3.csv", "A1,N\nA1,A\nA2,X\nA7,N\nA8,N\nA9,N\n");
    let e = read(Kind::Cinc2017, &root, &small()).unwrap_err().to_string();
    for part in ["2 x labelled in REFERENCE-v3.csv", "1 x "] {
        assert!(e.contains(part), "{e}");
    }
    std::fs::remove_file(root.join("REFERENCE-v3.csv")).unwrap();
    std::fs::remove_file(root.join("REFERENCE-v2.csv")).unwrap();
    let set = read(Kind::Cinc2017, &root, &small()).unwrap();
    assert_eq!(kept(&set), ["A1 AFIB/AFL", "A2 AFIB/AFL"]);
    assert_eq!(excluded(&set), ["A7: listed in RECORDS, but there is no header"]);
    write(&root, "REFERENCE.csv", " \n");
    assert!(read(Kind::Cinc2017, &root, &small()).unwrap_err().to_string().contains("holds no label"));
    std::fs::remove_file(root.join("REFERENCE.csv")).unwrap();
    assert!(read(Kind::Cinc2017, &root, &small()).unwrap_err().to_string().contains("holds no REFERENCE*.csv"));
}

/// Classes and their numbers, sound strips only.
fn table(set: &Dataset) -> Vec<(&str, usize)> {
    for s in &set.strips {
        assert_eq!(s.signal.len(), set.samples());
        assert!(s.signal.iter().all(|v| v.is_finite() && v.abs() < 20.0), "{}", s.id);
        assert!(s.r_peaks.is_sorted() && s.r_peaks.iter().all(|&p| (p as usize) < set.samples()));
    }
    set.classes.iter().map(String::as_str).zip(set.counts()).collect()
}

#[test]
fn chapman_of_figshare() {
    let Some(folder) = recordings("chapman-figshare") else { return };
    let set = read(Kind::Muse, &folder, &LoadOptions { min_class: 1, ..LoadOptions::default() }).unwrap();
    println!("{:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions);
    assert_eq!(kept(&set), ["ECGDataDenoised/MUSE_20180111_155115_19000 ST"]);
    assert_eq!(excluded(&set), ["chapman-figshare: listed in Diagnostics.xlsx, but there is no file"]);
    assert_eq!(set.exclusions[0].count, 10_645);
    // lead II begins so in the file, in microvolt. No word of its beats: of some twenty, the gradient method finds two,
    // here as in NeuroKit2.
    let begin = [-0.358_97, -0.336_81, -0.315_56];
    assert!(
        set.strips[0].signal.iter().zip(begin).all(|(a, b)| (a - b).abs() < 1e-6),
        "{:?}",
        &set.strips[0].signal[..3]
    );
}

#[test]
fn cinc2017_recordings() {
    let Some(folder) = recordings("cinc2017") else { return };
    let options = LoadOptions { min_class: 1, strict: true, ..LoadOptions::default() };
    let set = read(Kind::Cinc2017, &folder, &options).unwrap();
    println!("{:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions_by_reason());
    assert_eq!(set.strips.len() + set.exclusions.len(), 202);
    let reasons = set.exclusions_by_reason();
    assert_eq!(reasons.get("noisy (~)"), Some(&27));
    println!("{:#?}", set.exclusions.iter().filter(|e| !e.reason.contains("noisy")).collect::<Vec<_>>());
    // the 99 of N by their rate
    assert_eq!(table(&set), [("SR", 85), ("SB", 14), ("AFIB/AFL", 32)]);
    assert_eq!(reasons.get("its rhythm is in no class of rhythm6"), Some(&44));
    let af3 = read(Kind::Cinc2017, &folder, &LoadOptions { classes: "af3".into(), ..options }).unwrap();
    println!("{:?}\n{:#?}", table(&af3), af3.exclusions_by_reason());
    assert_eq!(table(&af3), [("N", 99), ("A", 32), ("O", 44)]);
    assert_eq!(af3.strips.len() + af3.exclusions.len(), 202);
}
