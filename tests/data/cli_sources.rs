//! Sources as a user names them: labels of other codes, patients by record names, links, names of sources, the data
//! folder.

use crate::common::{exgnet, fails, json, path, text};
use std::path::Path;
use std::process::Command;

/// Half a minute of a record at 100 Hz.
fn record(folder: &Path, name: &str, comment: &str) {
    std::fs::create_dir_all(folder).expect("a folder");
    let seed = name.bytes().map(i32::from).sum::<i32>();
    let beat = |i: i32| if i % 80 < 4 { 900 } else { (i * seed) % 37 };
    let codes: Vec<u8> = (0..3000).flat_map(|i| (beat(i) as i16).to_le_bytes()).collect();
    std::fs::write(folder.join(format!("{name}.dat")), codes).expect("written");
    let header = format!("{name} 1 100 3000\n{name}.dat 16 1000/mV 16 0 0 0 0 II\n{comment}\n");
    std::fs::write(folder.join(format!("{name}.hea")), header).expect("written");
}

/// The summary that `prepare --json` prints.
fn prepared(out: &str, more: &[&str]) -> serde_json::Value {
    let args = [&["prepare", "--json", "--force", "--fs", "100", "--out", out], more].concat();
    let done = exgnet(&args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    json(&done.stdout)
}

/// The metadata of a prepared set.
fn metadata(file: &str) -> serde_json::Value {
    let bytes = std::fs::read(file).expect("a file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    json(&bytes[8..8 + length])["__metadata__"].clone()
}

#[test]
fn codes_of_the_challenges_decide_and_unknown_ones_leave_out() {
    let tmp = tempfile::tempdir().expect("a folder");
    let set = tmp.path().join("set");
    for (name, codes) in [
        ("sinus", "426783006,164873001,164934002"),
        ("rapid", "426783006,314208002"),
        ("chronic", "426749004"),
        ("psvt", "427084000,67198005"),
        ("wandering", "17366009"),
        ("ventricular", "426783006,425856008"),
        ("paced", "426177001,10370003"),
        ("unlisted", "427393009,987654321"),
    ] {
        record(&set, name, &format!("#Dx: {codes}"));
    }
    let (source, out) = (format!("wfdb:{}", path(tmp.path(), "set")), path(tmp.path(), "x.safetensors"));
    let summary = prepared(&out, &["--source", &source]);
    assert_eq!(summary["counts"], serde_json::json!({"SR": 1, "AFIB/AFL": 2, "SVT/AT": 2}));
    let left_out = summary["exclusions"].as_object().expect("an object");
    assert_eq!(left_out.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 3, "{left_out:?}");
    for part in ["PVT (425856008)", "PR (10370003)", "987654321"] {
        assert!(left_out.keys().any(|reason| reason.contains(part)), "{part}: {left_out:?}");
    }
    let summary = prepared(&out, &["--source", &source, "--classes", "af3"]);
    assert_eq!(summary["counts"], serde_json::json!({"N": 1, "A": 2, "O": 4}));
}

/// Nine strips of each class, which are fewer than `data.min_class` asks for, of six patients.
#[test]
fn own_data_of_few_strips_are_told_how_to_be_used() {
    let tmp = tempfile::tempdir().expect("a folder");
    let own = tmp.path().join("own");
    let row = |i: usize| {
        record(&own, &format!("r{i}"), "");
        format!("r{i},{},p{i}\n", if i.is_multiple_of(2) { "SR" } else { "ST" })
    };
    let rows: String = (0..6).map(row).collect();
    std::fs::write(own.join("labels.csv"), format!("record,class,patient\n{rows}")).expect("written");
    let (source, out) = (format!("table:{}", path(tmp.path(), "own")), path(tmp.path(), "own.safetensors"));
    assert_eq!(prepared(&out, &["--source", &source])["counts"], serde_json::json!({"SR": 9, "ST": 9}));
    let run = path(tmp.path(), "run");
    let train = |more: &[&'static str]| {
        let fixed = ["train", "--data", &out, "--out", &run, "--set", "data.fs=100", "--set", "data.split=grouped"];
        [&fixed[..], &more.iter().flat_map(|set| ["--set", *set]).collect::<Vec<_>>()].concat().join("\u{1f}")
    };
    let refused = |sets: &[&'static str], words: &[&str]| {
        fails(&train(sets).split('\u{1f}').collect::<Vec<_>>(), 1, words);
    };
    refused(&[], &["class SR has fewer than 10 strips", "HINT: --set data.min_class=1 keeps classes of fewer than 10"]);
    refused(
        &["data.min_class=1", "data.folds=7"],
        &["found 6 patients for 7 folds, expected at least one a fold", "HINT: --set data.folds=6"],
    );
    let dry = [&train(&["data.min_class=1"]), "--dry-run"].join("\u{1f}");
    let done = exgnet(&dry.split('\u{1f}').collect::<Vec<_>>());
    let said = text(&done.stderr);
    assert!(done.status.success() && said.contains("18 strips of 10 s at 100 Hz: SR 9, ST 9"), "{said}");
}

#[test]
fn windows_of_one_patient_stay_together_by_record_name() {
    let tmp = tempfile::tempdir().expect("a folder");
    let set = tmp.path().join("icentia");
    for patient in 0..4 {
        for part in 0..3 {
            let folder = set.join(format!("p0/p0000{patient}"));
            record(&folder, &format!("p0000{patient}_s{part:02}"), "#Dx: 426783006");
        }
    }
    let (source, out) = (format!("wfdb:{}", path(tmp.path(), "icentia")), path(tmp.path(), "x.safetensors"));
    let patients = |more: &[&str]| {
        let summary = prepared(&out, &[&["--source", &source], more].concat());
        let ids: Vec<String> =
            serde_json::from_str(metadata(&out)["patient_ids"].as_str().expect("text")).expect("a list");
        let different: std::collections::BTreeSet<String> = ids.into_iter().collect();
        (different.len(), summary["notes"].to_string())
    };
    let (different, notes) = patients(&[]);
    assert_eq!(different, 4);
    // no split parts them, whether it was made by records or not
    let run = path(tmp.path(), "run");
    for split in ["kfold", "stratified"] {
        let split = format!("data.split={split}");
        let sets = ["--set", "data.fs=100", "--set", "data.min_class=0", "--set", "data.folds=3", "--set", &split];
        fails(
            &[&["train", "--data", &out, "--out", &run][..], &sets].concat(),
            1,
            &["patient icentia/", "data.split=grouped"],
        );
    }
    assert!(notes.contains("icentia: 4 patients by record names (12 records;"), "{notes}");
    assert_eq!(metadata(&out)["patient_pattern"], "auto");
    let (different, notes) = patients(&["--patient-pattern", "none"]);
    assert_eq!((different, notes.contains("12 records, each taken as one patient")), (12, true), "{notes}");
    assert_eq!(patients(&["--patient-pattern", r"_(s\d+)$"]).0, 3);
    assert_eq!(metadata(&out)["patient_pattern"], r"_(s\d+)$");
    let bad = ["prepare", "--force", "--source", &source, "--out", &out, "--patient-pattern", "p(\\d"];
    fails(&bad, 1, &["patient_pattern", "no regular expression"]);
    let dry = ["train", "--dry-run", "--set", "data.patient_pattern=p00000"];
    fails(&dry, 1, &["data.patient_pattern", "one group"]);
    // a prepared set of another pattern is not taken for that of the experiment
    let train = ["train", "--data", &out, "--out", &run, "--set", "data.fs=100", "--set", "data.split=grouped"];
    fails(&train, 1, &["data.patient_pattern is auto, in the file _(s"]);
}

#[test]
fn two_folders_of_one_name_are_two_sources() {
    let tmp = tempfile::tempdir().expect("a folder");
    for (place, name) in [("a/set", "one"), ("b/set", "one")] {
        record(&tmp.path().join(place), name, "#Dx: 426783006");
    }
    let [a, b] = ["a/set", "b/set"].map(|p| format!("wfdb:{}", path(tmp.path(), p)));
    let out = path(tmp.path(), "x.safetensors");
    let twice = ["prepare", "--out", &out, "--source", &a, "--source", &b];
    fails(&twice, 1, &["two sources are named `set`", "NAME=KIND:PATH", &format!("set-2={b}")]);
    let named = format!("second={b}");
    let summary = prepared(&out, &["--source", &a, "--source", &named]);
    assert_eq!(summary["sources"].as_object().expect("an object").keys().collect::<Vec<_>>(), ["set", "second"]);
    let again = ["prepare", "--force", "--out", &out, "--source", &a, "--source", &format!("x={a}")];
    fails(&again, 1, &["two sources of the same recordings"]);
    fails(&["prepare", "--force", "--out", &out, "--source", &format!("x/y={a}")], 1, &["found the name `x/y`"]);
    // in an experiment too
    let sources = format!("data.source=[\"{a}\", \"second={b}\"]");
    let one_class =
        exgnet(&["train", "--dry-run", "--set", &sources, "--set", "data.fs=100", "--set", "data.min_class=1"]);
    let said = text(&one_class.stderr);
    assert!(said.contains("SR 2") || said.contains("2 strips"), "{said}");
}

/// The program looks where it is pointed, and below `EXGNET_DATA`: not in a folder that only happens to be near.
#[test]
fn no_folder_is_looked_into_unasked() {
    let tmp = tempfile::tempdir().expect("a folder");
    let near = tmp.path().join("shared/data");
    record(&near.join("nearset"), "one", "#Dx: 426783006");
    let work = tmp.path().join("work");
    std::fs::create_dir(&work).expect("a folder");
    let prepare = |data: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exgnet"));
        command.current_dir(&work).env_remove("EXGNET_DATA").envs(data.map(|d| ("EXGNET_DATA", d)));
        let args = ["prepare", "--source", "wfdb:nearset", "--fs", "100", "--out", "x.safetensors"];
        let out = command.args(args).output().expect("the program starts");
        (out.status.code(), text(&out.stderr))
    };
    let (code, said) = prepare(None);
    assert!(code == Some(1) && said.contains("nearset") && said.contains("below EXGNET_DATA"), "{said}");
    assert!(!said.contains("shared"), "{said}");
    assert_eq!(prepare(Some(&near)).0, Some(0));
}
