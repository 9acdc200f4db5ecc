//! Sources with a table of labels.

use super::recordings::recordings;
use super::{excluded, kept, read, sample, samples, small, write};
use exgnet::ecg::fingerprint::Fingerprint;
use exgnet::ecg::sources::{Kind, Source, load_all};
use exgnet::ecg::wfdb::{Annotation, Format, RecordToWrite, SignalToWrite, write_annotations, write_record};
use exgnet::ecg::{Dataset, GuidanceConfig, Leads, LoadOptions, prepared};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A record of one lead at 100 Hz, beats every 0.4 s.
pub(super) fn record(dir: &Path, name: &str, n: usize) {
    let codes = (0..n).map(|i| (sample(i, 1).parse::<f64>().unwrap() * 1000.0).round() as i16).collect();
    let signal = SignalToWrite { description: "II".into(), gain: 1000.0, baseline: 0, codes };
    let comments = vec!["Patient: 7".into()];
    let record = RecordToWrite { name: name.into(), fs: 100.0, format: Format::F16, signals: vec![signal], comments };
    write_record(dir, &record).unwrap();
}

fn beats(dir: &Path, name: &str, times: impl Iterator<Item = i64>) {
    let all: Vec<Annotation> = times.map(|at| Annotation::new(at, 1, "")).collect();
    write_annotations(&dir.join(name), &all).unwrap();
}

/// An empty folder of the name `own`, and the one that it lies in.
fn own() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("own");
    std::fs::create_dir(&root).unwrap();
    (dir, root)
}

fn with(text: &str) -> Result<Dataset, String> {
    let (_dir, root) = own();
    record(&root, "a", 450);
    write(&root, "labels.csv", text);
    read(Kind::Table, &root, &small()).map_err(|e| e.to_string())
}

#[test]
fn rows_become_windows_and_every_other_row_has_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("own");
    std::fs::create_dir_all(root.join("deep")).unwrap();
    record(&root, "a", 1000);
    record(&root.join("deep"), "b", 450);
    record(&root, "cut", 450);
    std::fs::write(root.join("cut.dat"), [0; 30]).unwrap();
    write(&root, "strip.csv", samples(250, 3));
    beats(&root, "a.qrs", (0..25).map(|k| 20 + 40 * k));
    beats(&root, "a.atr", [20].into_iter());
    let rows = [
        "\u{feff}class,record,end,start,patient,comment",
        "SR,a,1,0,ann,",
        "\"AFIB\",a.hea,3.5,1,ann,a note",
        "SVT/AT,./a,3.2,2.4,ann",
        "AFL,a,4.0,3.4,ann",
        "426177001,a,6,5,ann",
        "sinus tachycardia,a,7,6,ann",
        "XY,a,8,7,ann",
        "SR,a,9,x,ann",
        "SR,a,9,-1,ann",
        "SR,a,8,8,ann",
        "SR,a,10.1,9,ann",
        "SR,nobody,1,0,ann",
        "SR,../a,1,0,ann",
        "SR,cut,1,0,ann",
        "SR,a,9,8,bob",
        "O,a,9,8,ann",
        "SR,deep/b,,,",
        "ST,strip,,,ann",
        "SR,,1,0,ann",
    ];
    write(&root, "labels.csv", rows.join("\r\n"));
    let set = read(Kind::Table, &root, &small()).unwrap();
    let expected = [
        "a@0.000 SR",
        "a@1.000 AFIB/AFL",
        "a@2.000 AFIB/AFL",
        "a@5.000 SB",
        "a@6.000 ST",
        "deep/b@0.000 SR",
        "deep/b@1.000 SR",
        "deep/b@2.000 SR",
        "deep/b@3.000 SR",
        "strip@0.000 ST",
        "strip@1.000 ST",
    ];
    assert_eq!(kept(&set), expected);
    let line = |n: usize, text: &str| format!("labels.csv, line {n}: {text}");
    let expected = [
        format!(
            "a: {}",
            line(
                8,
                "the class `XY` is not known, expected SR, SB, ST, SI, AFIB/AFL, SVT/AT, a rhythm in words or its SNOMED CT code"
            )
        ),
        format!("a: {}", line(9, "start is `x`, expected a number of seconds")),
        format!("a: {}", line(10, "start -1 is negative, expected 0 s or more")),
        format!("nobody: {}", line(13, "there is no such record, expected a WFDB record or a .npy, .csv or .txt file")),
        format!("../a: {}", line(14, "names a path outside its folder")),
        format!("a: {}", line(16, "patient `bob`, but the record is of `ann` in line 2")),
        format!(
            "a: {}",
            line(
                17,
                "the class `O` is not known, expected SR, SB, ST, SI, AFIB/AFL, SVT/AT, a rhythm in words or its SNOMED CT code"
            )
        ),
        format!(": {}", line(20, "names no record")),
        format!("a: {}", line(4, "too short: 0.800 s at 100 Hz, expected 1 s")),
        format!("a: {}", line(5, "too short: 0.600 s at 100 Hz, expected 1 s")),
        format!("a: {}", line(11, "from 8 s to 8 s, expected an end after the start")),
        format!("a: {}", line(12, "from 9 s to 10.1 s is beyond the end of the record at 10 s (100 Hz)")),
    ];
    let found = excluded(&set);
    assert_eq!(found[..12], expected, "{found:#?}");
    assert!(found[12].starts_with("cut: labels.csv, line 15: ") && found[12].contains("truncated"), "{}", found[12]);
    assert_eq!(found.len(), 13);
    // whose they are, and where the R peaks are from
    let patient = |id: &str| set.strips.iter().find(|s| s.id == id).map(|s| (s.patient.as_str(), s.expert_beats));
    assert_eq!(patient("own/a@0.000"), Some(("ann", true)));
    assert_eq!(patient("own/deep/b@1.000"), Some(("own/7", false)));
    assert_eq!(patient("own/strip@0.000"), Some(("ann", false)));
    assert_eq!(set.strips[0].r_peaks, [20, 60]);
    for part in [
        "own: labels.csv: 11 rows of 4 records of 1 patient",
        "own: R peaks from .qrs: own/a",
        "own: R peaks detected: own/deep/b, own/strip",
        "the end of a row is too short for a window: own/a, line 3 (0.500 s), own/deep/b, line 18 (0.500 s), own/strip, line 19 (0.500 s)",
        "columns not used: comment",
        "own: no sampling rate in the file, 100 Hz as given: own/strip",
        "1 patient by the table (2 records; own/a is of ann)",
    ] {
        assert!(set.notes.iter().any(|n| n.contains(part)), "{part}: {:#?}", set.notes);
    }
}

/// A misspelt `end` labels the rest of the record: that is said.
#[test]
fn a_table_with_one_of_start_and_end_says_so() {
    for (head, part) in
        [("record,start,stop,class", "no column `end`: all rows end with"), ("record,end,class", "no column `start`")]
    {
        let row = if head.contains("start") { "a,0,1,SR" } else { "a,1,SR" };
        let set = with(&format!("{head}\n{row}\n")).expect("a set");
        assert!(set.notes.iter().any(|n| n.contains(part)), "{head}: {:#?}", set.notes);
    }
}

#[test]
fn rows_that_overlap_and_lengths_within_half_a_sample() {
    let text = "record,start,end,class\na,0,1,SR\na,0.5,1.5,SR\na,1.0,1.996,ST\na,3,4,SR\na,2.0,3.2,SR\n";
    let set = with(text).unwrap();
    assert_eq!(kept(&set), ["a@0.000 SR", "a@1.000 ST", "a@3.000 SR"]);
    assert_eq!(
        excluded(&set),
        [
            "a: labels.csv, line 3: from 0.5 s to 1.5 s overlaps an earlier row of the record, from 0 s to 1 s",
            "a: labels.csv, line 6: from 2 s to 3.2 s overlaps an earlier row of the record, from 3 s to 4 s",
        ]
    );
}

#[test]
fn a_table_that_is_none_is_refused() {
    for (text, part) in [
        ("", "is empty"),
        ("\u{feff}\r\n", "is empty"),
        ("record;start;end;class\na;0;1;SR\n", "separated by semicolons, expected commas"),
        ("record\tclass\na\tSR\n", "separated by tabs, expected commas"),
        ("record,start,end\na,0,1\n", "no column `class` in its header row, found `record,start,end`"),
        ("record,class,class\na,SR,SR\n", "two columns `class`"),
        ("record,class\n", "holds no row"),
        ("record,class\nnone,SR\n", "no strip is left"),
        ("record,class\nnone,SR\n", "HINT: mend what the reasons name: the records, their labels"),
    ] {
        let e = with(text).unwrap_err();
        assert!(e.contains(part) && e.contains("HINT"), "{text:?}: {e}");
    }
    let dir = tempfile::tempdir().unwrap();
    let e = read(Kind::Table, dir.path(), &small()).unwrap_err().to_string();
    assert!(e.contains("labels.csv: there is no table of labels") && e.contains("`record,start,end,class"), "{e}");
    let e = read(Kind::Table, &dir.path().join("none"), &small()).unwrap_err().to_string();
    assert!(e.contains("none: no such folder of recordings") && e.contains("EXGNET_DATA"), "{e}");
}

/// What stands behind the last column may be a shifted cell: a class of another row, a decimal comma. A row without all of its
/// cells has lost one.
#[test]
fn rows_longer_or_shorter_than_the_header_are_excluded() {
    let set = with("record,start,end,class\na,0,1,SR,,\na,1,5,2,5,SR\na,3,4,SR,ann\na,1,2\n").unwrap();
    assert_eq!(kept(&set), ["a@0.000 SR"]);
    let expected = [(3, 6), (4, 5), (5, 3)]
        .map(|(line, cells)| format!("a: labels.csv, line {line}: {cells} cells, expected 4 as in the header row"));
    assert_eq!(excluded(&set), expected);
}

#[test]
fn files_of_one_name_are_told_apart() {
    let (_dir, root) = own();
    record(&root, "a", 100);
    write(&root, "a.csv", samples(200, 3));
    let rows = |text: &str| {
        write(&root, "labels.csv", format!("record,class\n{text}\n"));
        read(Kind::Table, &root, &small()).unwrap()
    };
    // the header goes first, and that is said
    let set = rows("a,SR");
    assert_eq!(kept(&set), ["a@0.000 SR"]);
    let note = "own: files of one name, the first is read: write the extension to name another: own/a (a.hea, a.csv)";
    assert!(set.notes.iter().any(|n| n == note), "{:#?}", set.notes);
    // who writes the extension is given that file, and nothing is to be said
    let set = rows("a.csv,SR");
    assert_eq!(kept(&set), ["a@0.000 SR", "a@1.000 SR"]);
    assert!(!set.notes.iter().any(|n| n.contains("of one name")), "{:#?}", set.notes);
    // both would have the same ids
    let set = rows("a.hea,SR\na.csv,ST");
    assert_eq!(kept(&set), ["a@0.000 SR"]);
    assert_eq!(
        excluded(&set),
        ["a.csv: labels.csv, line 3: a.csv has the name of the record a.hea: rename one of them"]
    );
}

/// The row names the file, so that equal reasons are one.
#[test]
fn what_is_wrong_with_files_is_said_without_their_names() {
    let (_dir, root) = own();
    record(&root, "a", 100);
    ["b.csv", "c.csv"].iter().for_each(|name| drop(write(&root, name, "II\n0.1\n")));
    write(&root, "labels.csv", "record,class\na,SR\nb,SR\nc,SR\n");
    let set = read(Kind::Table, &root, &small()).unwrap();
    let reasons: Vec<&str> = set.exclusions.iter().map(|e| e.reason.as_str()).collect();
    assert!(reasons.len() == 2 && reasons[0] == reasons[1], "{reasons:?}");
    assert!(reasons[0].starts_with("line 1 holds `II`") && reasons[0].contains("headings"), "{reasons:?}");
}

/// Text and NumPy files state no unit, headers do; a prepared file keeps that.
#[test]
fn strips_of_files_without_a_unit_are_not_taken_for_mv() {
    let (dir, root) = own();
    record(&root, "a", 100);
    write(&root, "b.csv", samples(100, 3));
    write(&root, "labels.csv", "record,class\na,SR\nb,SR\n");
    let set = |name: &str| {
        let out = dir.path().join(name);
        let sources = [Source::new(Kind::Table, &root)];
        prepared::prepare(&sources, &small(), &GuidanceConfig::default(), &out, &|_| {}).unwrap();
        prepared::read(&out).unwrap()
    };
    let units = |set: &Dataset| set.strips.iter().map(|s| (s.id.clone(), s.in_mv)).collect::<Vec<_>>();
    assert_eq!(units(&set("mixed.safetensors")), [("own/a@0.000".to_owned(), true), ("own/b@0.000".to_owned(), false)]);
    write(&root, "labels.csv", "record,class\na,SR\n");
    assert_eq!(units(&set("mv.safetensors")), [("own/a@0.000".to_owned(), true)]);
}

/// Text and NumPy files state no rate.
#[test]
fn a_rate_that_nobody_gave_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("own");
    ["a.csv", "b.csv"].iter().for_each(|name| drop(write(&root, name, samples(600, 3))));
    write(&root, "labels.csv", "record,class\na,SR\nb,SR\n");
    let notes = |csv_fs| read(Kind::Table, &root, &LoadOptions { csv_fs, ..small() }).unwrap().notes;
    let rates = |csv_fs| notes(csv_fs).into_iter().filter(|n| n.contains("sampling rate")).collect::<Vec<_>>();
    assert_eq!(
        rates(LoadOptions::default().csv_fs),
        [
            "own: no sampling rate in the file, 500 Hz assumed; prepare --csv-fs HZ (in an experiment data.csv_fs) gives it: \
          own/a, own/b"
        ]
    );
    assert_eq!(rates(200.0), ["own: no sampling rate in the file, 200 Hz as given: own/a, own/b"]);
}

/// One person under two names would be in training and in test.
#[test]
fn patients_that_differ_by_case_alone_are_warned_of() {
    let (_dir, root) = own();
    ["a", "b", "c"].iter().for_each(|name| record(&root, name, 100));
    write(&root, "labels.csv", "record,class,patient\na,SR,p1\nb,SR,P1 \nc,SR,p2\n");
    let set = read(Kind::Table, &root, &small()).unwrap();
    let warned =
        |n: &String| n.starts_with("warning: names of patients") && n.contains("`P1` and `p1`") && !n.contains("p2");
    assert!(set.notes.iter().any(warned), "{:#?}", set.notes);
}

#[test]
fn several_tables_of_a_folder_share_no_record() {
    let (_dir, root) = own();
    record(&root, "a", 200);
    record(&root, "b", 200);
    write(&root, "labels.csv", "record,class,patient\na,SR,1\n");
    let more = write(&root, "more.csv", "record,class,patient\nb,ST,2\na,SR,1\n");
    let sources = [Source::new(Kind::Table, &root), Source::new(Kind::Table, more)];
    let set = load_all(&sources, &small(), &|_| {}).unwrap();
    let ids: Vec<&str> = set.strips.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["own/a@0.000", "own/a@1.000", "own-more/b@0.000", "own-more/b@1.000"]);
    assert_eq!(excluded(&set), ["a: more.csv, line 3: the same file as own/a"]);
}

/// A class, its windows and their patients.
type Row = (&'static str, usize, usize);

fn table(set: &Dataset) -> Vec<Row> {
    let patients = |class: usize| {
        set.strips.iter().filter(|s| s.label == class).map(|s| &s.patient).collect::<BTreeSet<_>>().len()
    };
    let of = |(class, name): (usize, &'static str)| (name, set.counts()[class], patients(class));
    let names = ["SR", "SB", "ST", "SI", "AFIB/AFL", "SVT/AT"];
    let kept = names.into_iter().filter(|n| set.classes.iter().any(|c| c == n));
    kept.map(|n| of((set.classes.iter().position(|c| c == n).unwrap(), n))).collect()
}

#[test]
fn ambulatory_recordings() {
    let expected: [(&str, usize, &[Row]); 4] = [
        ("svdb", 57, &[("SR", 3775, 53), ("SB", 958, 19), ("ST", 128, 7), ("SVT/AT", 76, 3)]),
        ("qtdb", 50, &[("SR", 2131, 36), ("SB", 1162, 23), ("ST", 432, 9)]),
        ("afpdb", 148, &[("SR", 2697, 65), ("SB", 1064, 31), ("ST", 174, 14), ("AFIB/AFL", 450, 15)]),
        ("aftdb", 68, &[("AFIB/AFL", 408, 41)]),
    ];
    for (name, records, classes) in expected {
        let Some(folder) = recordings(name) else { return };
        let options = LoadOptions { fs: 250.0, min_class: 1, strict: true, ..LoadOptions::default() };
        let set = read(Kind::Table, &folder, &options).unwrap();
        println!("{name} {:?}\n{:#?}\n{:#?}", table(&set), set.notes, set.exclusions);
        assert_eq!(table(&set), classes, "{name}");
        assert!(set.exclusions.is_empty(), "{name}: {:?}", set.exclusions);
        let files: BTreeSet<&str> = set.strips.iter().filter_map(|s| s.id.split('@').next()).collect();
        assert_eq!(files.len(), records, "{name}");
        assert!(set.strips.iter().all(|s| s.expert_beats && s.signal.len() == 2500), "{name}");
        assert!(set.strips[0].id.starts_with(&format!("{name}/")));
    }
}

#[test]
fn other_leads_come_with_their_window() {
    let (dir, root) = own();
    let wave =
        |gain: f64| (0..400).map(|i| (sample(i, 1).parse::<f64>().unwrap() * gain).round() as i16).collect::<Vec<_>>();
    let mut half = wave(700.0);
    half[..200].fill(3);
    let signals = [("V1", wave(500.0)), ("II", wave(1000.0)), ("V1", half), ("V9", vec![0; 400])];
    let signal =
        |(lead, codes): (&str, Vec<i16>)| SignalToWrite { description: lead.into(), gain: 1000.0, baseline: 0, codes };
    let record = RecordToWrite {
        name: "a".into(),
        fs: 100.0,
        format: Format::F16,
        signals: signals.map(signal).into(),
        comments: vec!["Dx: 426783006".into()],
    };
    write_record(&root, &record).unwrap();
    beats(&root, "a.atr", (0..10).map(|k| 20 + 40 * k));
    write(&root, "labels.csv", "record,class\na,ST\n");
    let all = LoadOptions { leads: Leads::All, ..small() };
    let set = read(Kind::Table, &root, &all).unwrap();
    assert_eq!((set.strips.len(), set.counts()), (4, vec![4]));
    let others = |i: usize| set.strips[i].others.iter().map(|s| s.id.as_str()).collect::<Vec<_>>();
    assert_eq!(others(0), ["own/a@0.000#V1"]);
    assert_eq!(others(3), ["own/a@3.000#V1", "own/a@3.000#V1-3"]);
    let (window, other) = (&set.strips[3], &set.strips[3].others[0]);
    assert_eq!((&other.r_peaks, other.expert_beats, other.label), (&window.r_peaks, true, window.label));
    assert!(window.signal.iter().zip(other.signal.iter()).all(|(a, b)| (a - 2.0 * b).abs() < 0.02));
    assert_eq!(
        excluded(&set),
        [
            "a@0.000#V1-3: flat line",
            "a@1.000#V1-3: flat line",
            "a@0.000#V9: flat line",
            "a@1.000#V9: flat line",
            "a@2.000#V9: flat line",
            "a@3.000#V9: flat line",
        ]
    );
    // a short record is one strip of each
    let short = read(Kind::Wfdb, &root, &all).unwrap();
    assert_eq!(
        (short.strips.len(), short.strips[0].others.len(), &short.strips[0].others[0].id[..]),
        (1, 1, "own/a#V1")
    );
    // with one lead the windows are the same
    let one = read(Kind::Table, &root, &small()).unwrap();
    assert!(one.strips.iter().zip(&set.strips).all(|(a, b)| a.signal == b.signal && a.others.is_empty()));
    // a prepared file keeps them
    let out = dir.path().join("set.safetensors");
    let sources = [Source::new(Kind::Table, &root)];
    prepared::prepare(&sources, &all, &GuidanceConfig::default(), &out, &|_| {}).unwrap();
    let kept = prepared::read(&out).unwrap();
    assert_eq!((kept.leads, kept.strips.len()), (Leads::All, 4));
    for (a, b) in kept.strips.iter().zip(&set.strips) {
        assert_eq!((&a.id, a.others.len()), (&b.id, b.others.len()));
        for (a, b) in a.others.iter().zip(&b.others) {
            assert_eq!((&a.id, &a.signal, &a.r_peaks, a.label), (&b.id, &b.signal, &b.r_peaks, b.label));
            assert!(a.target.is_some());
        }
    }
    let constants = GuidanceConfig::default();
    let of = |set: &Dataset| Fingerprint::of(set, &constants);
    assert!(of(&kept).differences(&of(&set)).is_empty());
    assert_eq!(of(&one).differences(&of(&set)), ["other leads"]);
    // a training sees them as strips behind all others
    let (trained, places) = set.with_leads(&[1, 3]);
    assert_eq!((trained.strips.len(), places.len(), &places[&1], &places[&3]), (7, 2, &(4..5), &(5..7)));
    assert_eq!(trained.strips[6].id, "own/a@3.000#V1-3");
    // and a class needs patients enough
    let e = read(Kind::Table, &root, &LoadOptions { min_patients: 2, ..all }).unwrap_err().to_string();
    assert!(e.contains("4 x class ST has fewer than 2 patients"), "{e}");
}
