//! Every experiment that comes along can be run; the authors' tables, which are not at hand, stand in as small ones.

use crate::common::tables;
use crate::common::{exgnet, json, text};
use exgnet::experiment::Experiment;
use exgnet::experiment::sweep::Sweep;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")
}

#[test]
fn every_file_is_an_experiment_or_a_sweep() {
    let (mut experiments, mut sweeps) = (0, 0);
    for entry in std::fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let name = path.file_stem().and_then(|s| s.to_str()).expect("Unicode").to_string();
        let content = std::fs::read_to_string(&path).expect("text");
        if content.contains("[suite]") {
            let (experiment, suite) = exgnet::lab::suite::read(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
            let expected = if suite.ours.is_some() { (2500, 4) } else { (5000, 2) };
            assert_eq!((experiment.data.samples(), suite.peers.len()), expected, "{name}");
            for path in suite.ours.iter().chain(&suite.peers).filter_map(|p| p.source.as_ref()) {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file(), "{}", path.display());
            }
            continue;
        }
        let dir = if content.contains("[[variant]]") {
            let (sweep, tasks) = Sweep::load(&path, None).unwrap_or_else(|e| panic!("{e}"));
            let distinct: Vec<String> = tasks
                .iter()
                .filter(|t| t.fold == 0 && t.seed == 1)
                .map(|t| {
                    let mut experiment = t.experiment.clone();
                    experiment.output.dir.clear();
                    experiment.to_toml()
                })
                .collect();
            assert!(
                distinct.iter().enumerate().all(|(i, a)| !distinct[..i].contains(a)),
                "{name}: two variants are one"
            );
            sweeps += 1;
            sweep.out.to_string_lossy().into_owned()
        } else {
            let experiment = Experiment::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
            let lines = content.lines().filter(|l| l.contains(" = ") && !l.starts_with('#'));
            lines.for_each(|l| assert!(l.contains(" # "), "{name}: no comment: {l}"));
            experiments += 1;
            experiment.output.dir
        };
        assert_eq!(dir, format!("results/{name}"));
    }
    assert!(experiments >= 4 && sweeps >= 6, "{experiments} experiments, {sweeps} sweeps");
}

/// A table of the published layout with n rows of each class.
fn table(path: &Path, rows: [usize; 6]) {
    let classes = &tables::CLASSES[..6];
    let mut lines = vec![tables::header(5000, classes)];
    for (class, n) in rows.into_iter().enumerate() {
        for row in 0..n {
            // a beat every 300 to 500 samples
            let period = 300 + 40 * class + row % 40;
            let sample = |i: usize| if i % period < 12 { 1 + row % 7 } else { (i * (row + 3)) % 3 };
            let samples: Vec<String> = (0..5000).map(|i| format!("0.{}", sample(i))).collect();
            lines.push(tables::row(&samples.join(","), 1 + class, class, classes.len()));
        }
    }
    std::fs::write(path, lines.join("\n") + "\n").expect("written");
}

#[test]
fn the_authors_protocol_leaves_five_classes_and_the_published_size() {
    let tmp = tempfile::tempdir().expect("a folder");
    // no SI in one, 15 of SVT/AT in the other
    for (name, file, rows, classes) in [
        ("chapman", "Chapman.csv", [20, 20, 20, 0, 20, 20], "SR 20, SB 20, ST 20, AFIB/AFL 20, SVT/AT 20"),
        ("ningbo", "Ningbo.csv", [20, 20, 20, 20, 20, 15], "SR 20, SB 20, ST 20, SI 20, AFIB/AFL 20"),
    ] {
        let csv = tmp.path().join(file);
        table(&csv, rows);
        let config = folder().join(format!("{name}.toml"));
        let (config, data) = (config.to_str().expect("Unicode"), format!("csv:{}", csv.display()));
        let small = ["--set", "train.batch=2", "--set", "data.cache=false"];
        let out = exgnet(&[&["train", config, "--data", &data, "--dry-run", "--json"][..], &small].concat());
        let said = text(&out.stderr);
        assert!(out.status.success() && said.contains(classes), "{said}");
        let report = json(&out.stdout);
        assert_eq!((&report["parameters"], &report["steps_per_epoch"]), (&1_777_339.into(), &40.into()), "{report}");
        assert_eq!(report["steps"], 40 * 60);
        let bytes = |name: &str| report[name].as_u64().expect("a number");
        let phases = report["memory_by_phase"].as_object().expect("phases");
        let most = phases.values().filter_map(serde_json::Value::as_u64).max();
        assert_eq!((phases.len(), most), (4, Some(bytes("memory_bytes"))), "{report}");
        assert!(bytes("memory_held") >= bytes("memory_bytes") && bytes("multiply_adds") > 100_000_000, "{report}");
    }
}

#[test]
fn a_dry_run_reports_what_it_can_and_writes_nothing() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = crate::common::path(tmp.path(), "run");
    let dry = |more: &[&str]| {
        let out = exgnet(&[&["train", "--out", &dir, "--dry-run"][..], &crate::common::TINY, more].concat());
        assert!(!Path::new(&dir).exists(), "a folder was made");
        out
    };
    let out = dry(&["--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let report = json(&out.stdout);
    // 40 strips: 8 test, 8 of the other 32 are watched (2 of each class), batches of 8
    assert_eq!(report["steps_per_epoch"], 3, "{report}");
    assert!(report["parameters"].as_u64() > report["parameters_inference"].as_u64() && report["memory_bytes"].is_u64());
    let table = text(&dry(&[]).stdout);
    for part in ["blocks.1", "8 x 50", "regressor", "steps per epoch  3", "multiply-adds", "backward"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // data that are not there
    let out = dry(&["--json", "--set", "data.source=csv:nowhere.csv"]);
    assert!(out.status.success() && text(&out.stderr).contains("data not at hand"), "{}", text(&out.stderr));
    let report = json(&out.stdout);
    assert!(report["steps_per_epoch"].is_null() && report["steps"].is_null() && report["memory_bytes"].is_u64());
    assert_eq!(dry(&["--set", "train.fold=9"]).status.code(), Some(1));
    crate::common::fails(&["train", "--json"], 2, &["--dry-run"]);
}
