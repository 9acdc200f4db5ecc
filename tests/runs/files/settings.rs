//! Long strips, figures that cannot be drawn, shares that are held out, and what `--resume`, `--fold` and `--data` are given.

use super::{at, unicode};
use crate::common::{TINY, exgnet, fails, json, path, text, train, train_and_draw};
use std::path::Path;

#[test]
fn strips_over_two_minutes_train_test_and_are_drawn() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = tmp.path().join("run");
    let sets = [
        "data.fs=50",
        "data.seconds=130",
        "data.synthetic.records=20",
        "data.min_class=1",
        "train.epochs=1",
        "data.folds=2",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|s| ["--set", s]).collect();
    let out = train_and_draw(&run, &sets);
    assert!(!text(&out.stderr).contains("not drawn"), "{}", text(&out.stderr));
    let record = json(&std::fs::read(run.join("run.json")).expect("a record"));
    assert!(record["end"].is_string() && run.join("metrics.json").is_file() && run.join("model.safetensors").is_file());
    let figures = std::fs::read_dir(run.join("figures")).expect("figures").flatten();
    let names: Vec<String> = figures.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|n| n.starts_with("gradcam-")) && names.contains(&"gradcam.png".into()), "{names:?}");
    // one strip by itself, and the figures of the folder
    let strip: String = (0..6500).map(|i| format!("{}\n", (f64::from(i) * 0.4).sin())).collect();
    std::fs::write(tmp.path().join("long.txt"), strip).expect("written");
    let (model, maps) = (unicode(&run), at(tmp.path(), "maps"));
    let out = exgnet(&["explain", "--model", model, &at(tmp.path(), "long.txt"), "--out", &maps]);
    assert!(out.status.success() && Path::new(&maps).join("long.png").is_file(), "{}", text(&out.stderr));
    let out = exgnet(&["figures", model]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let out = exgnet(&["report", model, "--out", &at(tmp.path(), "r.html")]);
    assert!(out.status.success(), "{}", text(&out.stderr));
}

#[test]
fn a_run_is_complete_without_its_figures() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = tmp.path().join("run");
    std::fs::create_dir(&run).expect("made");
    // no folder can be made where a file is
    std::fs::write(run.join("figures"), "a file").expect("written");
    let out = train_and_draw(&run, &[]);
    let said = text(&out.stderr);
    for figure in ["losses", "metrics", "confusion", "gradcam"] {
        assert!(said.contains(&format!("warning: the figure {figure} is not drawn")), "{figure}: {said}");
    }
    let record = json(&std::fs::read(run.join("run.json")).expect("a record"));
    assert!(record["end"].is_string() && !run.join("checkpoint.safetensors").exists());
    assert!(run.join("metrics.json").is_file() && text(&out.stdout).contains("macro"), "{}", text(&out.stdout));
}

#[test]
fn validation_is_a_share() {
    let tmp = tempfile::tempdir().expect("a folder");
    // 32 of 40 records train
    for (i, (split, share, low, high)) in [
        ("kfold", "0.4", 12, 14),
        ("stratified", "0.4", 12, 14),
        ("grouped", "0.4", 12, 14),
        ("stratified", "0.1", 3, 5),
        ("kfold", "0.1", 3, 4),
        ("kfold", "0.35", 10, 12),
    ]
    .into_iter()
    .enumerate()
    {
        let run = tmp.path().join(format!("run-{i}"));
        let sets = [format!("data.split={split}"), format!("train.validation={share}"), "train.epochs=1".into()];
        let sets: Vec<&str> = sets.iter().flat_map(|s| ["--set", s]).collect();
        train(&run, &sets);
        let split = json(&std::fs::read(run.join("split.json")).expect("a split"));
        let count = |part: &str| split[part].as_array().expect("a list").len();
        assert_eq!(count("train") + count("validation"), 32, "{split}");
        assert!((low..=high).contains(&count("validation")), "{share}: {}", count("validation"));
    }
}

#[test]
fn a_run_to_resume_must_be_there() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (missing, empty, other) = (at(tmp.path(), "missing"), at(tmp.path(), "empty"), tmp.path().join("other"));
    std::fs::create_dir(&empty).expect("made");
    std::fs::create_dir(&other).expect("made");
    std::fs::write(other.join("notes.txt"), "mine").expect("written");
    // somebody's experiment, not a run's
    std::fs::write(other.join("config.toml"), "# mine\n[train]\nepochs = 1\n").expect("written");
    for (dir, word) in [(missing.as_str(), "is not there"), (&empty, "is empty"), (unicode(&other), "holds no run")] {
        for more in [&[][..], &TINY] {
            let args = [&["train", "--out", dir, "--resume"][..], more].concat();
            fails(&args, 1, &[word, "expected a run to resume", "--out"]);
        }
    }
    assert!(!Path::new(&missing).exists() && std::fs::read_dir(&empty).expect("read").next().is_none());
    assert_eq!(std::fs::read_dir(&other).expect("read").count(), 2);
    fails(&["train", "--out", &empty, "--resume", "--force"], 2, &["--force", "--resume"]);
}

#[test]
fn an_option_is_named_as_it_was_written() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "run");
    let said = |args: &[&str], words: &[&str]| {
        let said = fails(&[&["train", "--out", &out][..], args].concat(), 1, words);
        assert!(!said.contains("built in"), "{said}");
    };
    said(&["--fold", "9"], &["--fold 9", "0 to 4"]);
    said(&["--set", "train.epoch=3"], &["--set train.epoch=3", "'train.epochs'"]);
    said(&["--set", "trian.epochs=3"], &["--set trian.epochs=3", "'train'"]);
    said(&["--set", "epochs=3"], &["--set epochs=3", "'train.epochs'"]);
    said(&["--data", "absent.safetensors"], &["absent.safetensors", "is not there"]);
    let words = ["--set network.strides=[1, 2]", "network.strides"];
    fails(&["train", "--out", &out, "--set", "network.strides=[1, 2]"], 1, &words);
    assert!(!Path::new(&out).exists());
}
