//! Results say of which part and which data they are, and a run resumes on the data that it was begun with.

use super::{at, borrowed, content, copy, prepare, run, unicode, works};
use crate::common::cut::cut_off;
use crate::common::{exgnet, fails, json, program, text, training};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

#[test]
fn a_run_that_does_not_say_its_data_is_not_taken_at_its_word() {
    let tmp = tempfile::tempdir().expect("a folder");
    let own = tmp.path().join("own");
    copy(run(), &own);
    let (dir, record) = (unicode(&own), own.join("run.json"));
    let evaluate = ["evaluate", "--model", dir, "--out", dir];
    for bytes in [&b"\xff\xfe\x00 no text"[..], b"no json", b""] {
        std::fs::write(&record, bytes).expect("written");
        fails(&evaluate, 1, &["run.json", "is no record of a run"]);
    }
    std::fs::remove_file(&record).expect("removed");
    assert!(works(&evaluate).contains("does not record the data"));
    // and gradients take no setting that would change nothing
    let out = at(tmp.path(), "g.safetensors");
    for set in ["network.widths=[9,9]", "data.lead=V1", "train.precision=f16"] {
        let grads = ["grads", "--model", dir, "--records", "0", "--out", &out, "--set", set];
        fails(&grads, 1, &[set, "does not apply to gradients"]);
    }
    works(&["grads", "--model", dir, "--records", "0", "--out", &out, "--set", "losses.xai=0.25"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_an_error_at_once() {
    let tmp = tempfile::tempdir().expect("a folder");
    let pipe = at(tmp.path(), "r.dat");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    std::fs::write(tmp.path().join("r.hea"), "r 1 100 1000\nr.dat 16 1000/mV 16 0 0 0 0 II\n").expect("written");
    fails(&["predict", "--model", unicode(run()), &at(tmp.path(), "r.hea")], 1, &["r.dat", "is no plain file"]);
    fails(&["predict", "--model", &pipe, &at(tmp.path(), "r.hea")], 1, &["r.dat", "is no plain file"]);
}

#[test]
fn only_its_own_test_goes_into_a_run_s_folder() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (own, other) = (tmp.path().join("own"), tmp.path().join("other"));
    copy(run(), &own);
    copy(run(), &other);
    let before = content(&own);
    let dir = unicode(&own);
    let evaluate = ["evaluate", "--model", dir, "--out"];
    let set = at(tmp.path(), "set.safetensors");
    works(&borrowed(&prepare(&set, &[])));
    for more in [
        &["--split", "train"][..],
        &["--split", "all"],
        &["--data", &set],
        &["--data", &set, "--split", "test"],
        &["--records", "synthetic/000003"],
        &["--split", "train", "--force"],
    ] {
        fails(&[&evaluate[..], &[dir], more].concat(), 1, &["own", "run", "choose another folder"]);
        // by another path too
        let through = at(&own, "../own/.");
        fails(&[&evaluate[..], &[&through], more].concat(), 1, &["choose another folder"]);
    }
    fails(&[&evaluate[..], &[unicode(&other)]].concat(), 1, &["other", "another run"]);
    let model = at(&own, "model.safetensors");
    fails(&["evaluate", "--model", &model, "--data", &set, "--out", unicode(&other)], 1, &["another run"]);
    assert!(content(&own) == before && content(&other) == before);
    // the own test, by folder or model file, gives the same bytes, but for the time that it measures
    works(&[&evaluate[..], &[dir]].concat());
    works(&["evaluate", "--model", &model, "--out", dir]);
    let untimed = |mut files: BTreeMap<String, Vec<u8>>| {
        assert!(files.remove("cost.json").is_some());
        files
    };
    assert!(untimed(content(&own)) == untimed(before.clone()));

    // elsewhere every file says of what it is
    let out = at(tmp.path(), "train");
    works(&[&evaluate[..], &[&out, "--split", "train"]].concat());
    works(&[&evaluate[..], &[&out, "--split", "train"]].concat());
    let files = content(Path::new(&out));
    for name in ["metrics.json", "explanation.json", "sanity.json"] {
        let (of_train, of_test) = (json(&files[name]), json(&before[name]));
        assert_eq!((&of_train["part"], &of_test["part"]), (&"train".into(), &"test".into()), "{name}");
        assert_eq!(of_train["data"], of_test["data"], "{name}");
        assert!(of_train["data"].as_str().is_some_and(|d| d.starts_with("synthetic:")), "{name}");
    }
    let rows = String::from_utf8(files["predictions.csv"].clone()).expect("text");
    assert!(rows.lines().next().is_some_and(|head| head.ends_with(",part,data")), "{rows}");
    assert!(rows.lines().skip(1).all(|row| row.contains(",train,synthetic:")), "{rows}");
    let printed = exgnet(&["evaluate", "--model", dir, "--split", "train", "--json"]);
    assert_eq!(json(&printed.stdout), json(&files["metrics.json"]));
    // another part, other data, other records: not in their place
    for more in [&[][..], &["--split", "all"], &["--data", &set], &["--records", "synthetic/000003"]] {
        fails(&[&evaluate[..], &[&out], more].concat(), 1, &["is there already", "--force"]);
    }
    assert!(content(Path::new(&out)) == files);
    // nor another model's
    let exported = at(tmp.path(), "exported.safetensors");
    works(&["export", "--model", dir, "--half", "--out", &exported]);
    let config = at(&own, "config.toml");
    let all = at(tmp.path(), "all");
    works(&["evaluate", "--model", dir, "--data", &config, "--out", &all]);
    fails(&["evaluate", "--model", &exported, "--data", &config, "--out", &all], 1, &["is there already"]);
    works(&[&evaluate[..], &[&out, "--force"]].concat());
    assert_eq!(json(&content(Path::new(&out))["metrics.json"])["part"], "test");
}

#[test]
fn tables_and_pages_take_no_training_numbers_for_a_test() {
    let tmp = tempfile::tempdir().expect("a folder");
    let sweep = tmp.path().join("sweep");
    let cell = |name: &str| sweep.join(name).join("fold-0-seed-1");
    copy(run(), &cell("plain"));
    copy(run(), &cell("both"));
    works(&["collect", unicode(&sweep)]);
    let page = at(tmp.path(), "page.html");
    assert!(!works(&["report", unicode(&sweep), "--out", &page]).contains("is of the part"));
    // each file of the training part by itself
    let train = at(tmp.path(), "train");
    works(&["evaluate", "--model", unicode(run()), "--split", "train", "--out", &train]);
    let other = at(tmp.path(), "data");
    let set = at(tmp.path(), "set.safetensors");
    works(&borrowed(&prepare(&set, &[])));
    works(&["evaluate", "--model", unicode(run()), "--data", &set, "--out", &other]);
    for name in ["metrics.json", "explanation.json", "sanity.json", "predictions.csv", "explanations.safetensors"] {
        for (from, part) in [(&train, "`train`"), (&other, "`all`")] {
            let place = cell("both").join(name);
            std::fs::copy(Path::new(from).join(name), &place).expect("copied");
            let words = [name, "is of the part", part, "exgnet evaluate --model"];
            fails(&["collect", unicode(&sweep)], 1, &words);
            fails(&["figures", unicode(&sweep), "--only", "confusion", "--out", &at(tmp.path(), "f")], 1, &words[..3]);
            let said = works(&["report", unicode(&sweep), "--out", &page]);
            assert!(said.contains(name) && said.contains("is of the part"), "{said}");
            std::fs::copy(run().join(name), place).expect("copied");
        }
    }
    // a run of before says nothing, and is read as it was
    let path = cell("both").join("metrics.json");
    let mut old = json(&std::fs::read(&path).expect("read"));
    ["part", "data"].iter().for_each(|key| drop(old.as_object_mut().expect("an object").remove(*key)));
    std::fs::write(&path, old.to_string()).expect("written");
    works(&["collect", unicode(&sweep)]);
    // a table that is not of this sweep
    std::fs::write(sweep.join("table.md"), "mine\n").expect("written");
    fails(&["collect", unicode(&sweep)], 1, &["table.md", "is there already"]);
}

#[test]
fn a_run_resumes_on_the_same_signals_only() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (set, run) = (at(tmp.path(), "set.safetensors"), tmp.path().join("run"));
    works(&borrowed(&prepare(&set, &[])));
    let mut command = training(&run, &["--no-figures", "--data", &set]);
    command.args([
        "--set",
        "train.epochs=30",
        "--set",
        "train.checkpoint_steps=1",
        "--set",
        "train.validation=0",
        "--set",
        "data.min_class=1",
    ]);
    assert!(cut_off(&mut command, &run), "it was over before it could be killed");

    let good = std::fs::read(&set).expect("a set");
    let head = u64::from_le_bytes(good[..8].try_into().expect("8 bytes")) as usize;
    let header = json(&good[8..8 + head]);
    let start = |name: &str| 8 + head + header[name]["data_offsets"][0].as_u64().expect("an offset") as usize;
    // without what a killed process leaves
    let mut before = content(&run);
    before.retain(|name, _| name != "run.lock" && !name.starts_with(".exgnet-"));
    for (tensor, what) in
        [("signals", "signals"), ("labels", "labels"), ("features", "features"), ("targets", "targets")]
    {
        let mut changed = good.clone();
        // the third value: another sample or feature, still sound; for labels the third record's
        let value = &mut changed[start(tensor) + 8..start(tensor) + 12];
        let new = match tensor {
            "labels" => u32::from(value == 0_u32.to_le_bytes()).to_le_bytes(),
            _ => 0.125_f32.to_le_bytes(),
        };
        assert!(value != new, "{tensor}");
        value.copy_from_slice(&new);
        std::fs::write(&set, &changed).expect("written");
        fails(&["train", "--no-figures", "--out", unicode(&run), "--resume"], 1, &["other data", what, "--force"]);
        assert!(content(&run) == before, "{tensor}");
    }
    // the data as they were, in a file of another name and time
    std::fs::write(&set, &good).expect("written");
    let mut command = program(&["train", "--no-figures", "--out", unicode(&run), "--resume"]);
    let out = command.output().expect("the program starts");
    let said = text(&out.stderr);
    assert!(out.status.success() && said.contains("after step"), "{said}");
}
