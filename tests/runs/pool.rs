//! A pool of recordings with all that goes with it: a table of labels, all leads, a sampler, sources that only test.

use super::resume::killed_and_resumed;
use super::schemas::follows;
use crate::common::{exgnet, fails, json, path, text};
use exgnet::ecg::wfdb::{Format, RecordToWrite, SignalToWrite, write_record};
use exgnet::ecg::{SyntheticOptions, synthesize};
use exgnet::nn::ModelFile;
use std::fmt::Write;
use std::path::Path;

/// Records of two leads with their table, two of each patient. The second lead of the last is flat.
fn labelled(dir: &Path, name: &str, records: usize, seed: u64) -> String {
    let classes = ["SR", "AFIB/AFL"].map(String::from).to_vec();
    let options = SyntheticOptions { records, classes, seed, fs: 100.0, seconds: 4.0, ..SyntheticOptions::default() };
    let set = synthesize(&options).expect("a set");
    let dir = dir.join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    let mut table = String::from("record,class,patient\n");
    let mut of_class = [0; 2];
    for (i, strip) in set.strips.iter().enumerate() {
        let flat = i + 1 == set.strips.len();
        let codes = |gain: f32| strip.signal.iter().map(|v| (v * 1000.0 * gain) as i16).collect::<Vec<i16>>();
        let signal = |lead: &str, codes| SignalToWrite { description: lead.into(), gain: 1000.0, baseline: 0, codes };
        let signals = vec![signal("II", codes(1.0)), signal("V1", codes(if flat { 0.0 } else { -0.5 }))];
        let record = format!("r{i:02}");
        let written =
            RecordToWrite { name: record.clone(), fs: 100.0, format: Format::F16, signals, comments: Vec::new() };
        write_record(&dir, &written).expect("written");
        let class = &set.classes[strip.label];
        let patient = of_class[strip.label] / 2;
        of_class[strip.label] += 1;
        writeln!(table, "{record},{class},{name}-{}-{patient}", &class[..2]).expect("text");
    }
    std::fs::write(dir.join("labels.csv"), table).expect("written");
    format!("table:{}", dir.display())
}

fn settings(test: &str) -> Vec<String> {
    let sets = [
        "data.split=grouped",
        "data.leads=all",
        "data.min_patients=3",
        "data.per_patient=1",
        "data.weights.pool=2.5",
        "train.sampler=patients",
        "augment.shift=0.1",
        "train.epochs=12",
    ];
    let tests = format!("test.sources=[\"{test}\"]");
    sets.into_iter().map(String::from).chain([tests]).flat_map(|s| ["--set".into(), s]).collect()
}

#[test]
fn a_pool_is_trained_resumed_tested_and_remembered() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (pool, test) = (labelled(tmp.path(), "pool", 48, 1), labelled(tmp.path(), "unseen", 10, 2));
    let mut sets = vec!["--data".to_string(), pool.clone()];
    sets.extend(settings(&test));
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let runs = killed_and_resumed(&sets);
    let run = runs.path().join("broken");
    let read = |name: &str| json(&std::fs::read(run.join(name)).expect("a file"));
    let split = read("split.json");
    let ids = |part: &str| -> Vec<String> {
        split[part].as_array().expect("a list").iter().map(|v| v.as_str().expect("text").to_string()).collect()
    };
    let (train, tested) = (ids("train"), ids("test"));
    assert!(train.iter().chain(&ids("validation")).all(|id| id.starts_with("pool/") && !id.contains('#')));
    assert_eq!(tested.iter().filter(|id| id.starts_with("unseen/")).count(), 10);
    assert!(tested.iter().any(|id| id.starts_with("pool/")));
    assert_eq!(read("folds.json")["records"].as_object().expect("records").len(), 48);
    assert_eq!(read("metrics.json")["records"], tested.len());
    // of several databases; and below with patients that training had
    assert!(read("metrics.json")["databases"].is_array());
    follows("metrics", "metrics.json", &read("metrics.json"));
    // the model says whose strips it has seen
    let trained = ModelFile::read(&run).expect("a model").info.trained_on.expect("its sources");
    assert_eq!(Vec::from_iter(&trained.sources), ["pool"]);
    let dir = run.to_str().expect("Unicode");
    let own = exgnet(&["evaluate", "--model", dir, "--json"]);
    assert!(own.status.success(), "{}", text(&own.stderr));
    let found = json(&own.stdout);
    assert_eq!((&found["records"], found.get("trained_on")), (&tested.len().into(), None));
    assert!(!text(&own.stderr).contains("by heart"));
    let all = exgnet(&["evaluate", "--model", dir, "--data", &pool, "--json"]);
    assert!(all.status.success(), "{}", text(&all.stderr));
    assert_eq!(json(&all.stdout)["trained_on"], trained.patients.len());
    follows("metrics", "evaluate --json", &json(&all.stdout));
    let note = format!("the model was trained on {} of the patients", trained.patients.len());
    assert!(text(&all.stderr).contains(&note), "{}", text(&all.stderr));
    let unseen = exgnet(&["evaluate", "--model", dir, "--data", &test, "--json"]);
    assert_eq!((unseen.status.code(), json(&unseen.stdout).get("trained_on")), (Some(0), None));
}

fn run(args: &[String]) -> std::process::Output {
    exgnet(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn refused(args: &[String], parts: &[&str]) {
    fails(&args.iter().map(String::as_str).collect::<Vec<_>>(), 1, parts);
}

#[test]
fn what_a_dry_run_says_and_what_is_refused() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (pool, test) = (labelled(tmp.path(), "pool", 48, 1), labelled(tmp.path(), "unseen", 10, 2));
    let sets = settings(&test);
    let dry = |more: &[&str]| {
        let base = ["train", "--dry-run", "--json", "--data", &pool, "--set", "data.fs=100", "--set", "data.seconds=4"];
        let words = |words: &[&str]| words.iter().map(|s| (*s).to_string()).collect::<Vec<String>>();
        [words(&base), sets.clone(), words(more)].concat()
    };
    let done = run(&dry(&["--fold", "all", "--set", "train.validation=0", "--set", "train.select=final"]));
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    // 24 patients with two windows of one class each
    assert_eq!(json(&done.stdout)["strips_per_epoch"], 24);
    for part in [
        "48 strips of 4 s at 100 Hz: SR 24, AFIB/AFL 24",
        "10 strips of 4 s at 100 Hz that only test: SR 5, AFIB/AFL 5",
        "47 strips of other leads",
        "24 strips an epoch of 48, drawn by class, source and patient; 47 other leads to choose from",
        "flat line",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for (set, parts) in [
        ("data.weights.nobody=1", &["data.weights.nobody", "name one of pool"][..]),
        ("data.weights.pool=-1", &["data.weights.pool", "from 0"]),
        ("data.weights.pool=0", &["the training fold"]),
        ("train.sampler=most", &["train.sampler", "all"]),
        ("data.leads=two", &["data.leads", "one"]),
        ("data.min_patients=13", &["no strip is left"]),
        ("data.per_patient=-1", &["data.per_patient", "whole number"]),
        ("test.sources=dicom:x", &["test.sources", "table:PATH"]),
        ("test.source=wfdb:x", &["unknown key 'test.source'"]),
    ] {
        refused(&dry(&["--set", set]), parts);
    }
    let same = format!("test.sources=twin={pool}");
    refused(&dry(&["--set", &same]), &["two sources of the same recordings"]);
    // a copy under other names of patients has the same samples; one with the same names, the same patients
    let copy = labelled(tmp.path(), "copy", 48, 1);
    let other = format!("test.sources={copy}");
    refused(&dry(&["--set", &other]), &["copy/r00@0.000 of a test source has the samples of pool/r00@0.000"]);
    let table = Path::new(&path(tmp.path(), "unseen")).join("labels.csv");
    let text = std::fs::read_to_string(&table).expect("a table").replace("unseen-SR-0", "pool-SR-3");
    std::fs::write(&table, text).expect("written");
    refused(&dry(&[]), &["patient pool-SR-3 is in the training pool (pool/", "in a test source (unseen/"]);
}
