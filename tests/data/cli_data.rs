//! The commands about data: `synth`, `prepare`, `data`, `rpeaks`, and what `train` and `evaluate` make of their files.

use crate::common::{exgnet, fails, json, path, text, train};
use std::path::Path;

fn succeeds(args: &[&str]) -> (String, String) {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    (text(&out.stdout), text(&out.stderr))
}

#[test]
fn synthetic_records_are_prepared_drawn_and_trained_on() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (said, _) = succeeds(&[
        "synth",
        "--out",
        &at("synth"),
        "--n",
        "40",
        "--classes",
        "SR,AFIB/AFL",
        "--fs",
        "100",
        "--seconds",
        "4",
    ]);
    assert!(said.contains("40 records"), "{said}");
    let synth = at("synth");
    let source = format!("wfdb:{synth}");

    // from the written records comes what the generator made, but for rounding
    let args =
        ["prepare", "--source", &source, "--fs", "100", "--seconds", "4", "--out", &at("set.safetensors"), "--json"];
    let (summary, _) = succeeds(&args);
    let summary = json(summary.as_bytes());
    assert_eq!(
        (&summary["strips"], &summary["counts"]["SR"], &summary["counts"]["AFIB/AFL"]),
        (&40.into(), &20.into(), &20.into())
    );
    assert!(
        std::fs::read_to_string(at("set.exclusions.csv")).expect("a table").starts_with("record,count,unit,reason")
    );
    let bytes = std::fs::read(at("set.safetensors")).expect("a set");
    succeeds(&[&args[..], &["--threads", "1"]].concat());
    assert!(bytes == std::fs::read(at("set.safetensors")).expect("a set"), "the same bytes with one thread");

    let (printed, _) = succeeds(&["data", &at("set.safetensors"), "--json", "--out", &at("figures")]);
    let printed = json(printed.as_bytes());
    assert_eq!(
        (&printed["classes"][1]["class"], &printed["classes"][1]["expert_beats"]),
        (&"AFIB/AFL".into(), &20.into())
    );
    for name in ["counts.png", "rates.svg", "strips.png", "guidance.svg"] {
        assert!(Path::new(&at("figures")).join(name).is_file(), "{name}");
    }

    // train on the file; folds can be kept and used again
    let (run, again) = (tmp.path().join("run"), tmp.path().join("again"));
    train(&run, &["--data", &at("set.safetensors")]);
    let folds = format!("data.split_file={}", path(&run, "folds.json"));
    train(&again, &["--data", &at("set.safetensors"), "--set", &folds, "--set", "data.split_seed=7"]);
    // the test fold comes from the file, only the validation part is dealt with the other seed
    let tested = |dir: &Path| json(&std::fs::read(dir.join("split.json")).expect("a split"))["test"].clone();
    assert_eq!(tested(&run), tested(&again));
    let model = run.to_str().expect("Unicode");
    let (metrics, _) = succeeds(&["evaluate", "--model", model, "--data", &at("set.safetensors"), "--json", "--quiet"]);
    assert_eq!(json(metrics.as_bytes())["records"], 40);
    let (metrics, _) = succeeds(&["evaluate", "--model", model, "--json", "--quiet"]);
    assert_eq!(json(metrics.as_bytes())["records"], 8);

    // what does not fit is reported with the way out
    let other = at("other");
    let wrong = ["train", "--data", &at("set.safetensors"), "--out", &other, "--set", "train.epochs=1"];
    fails(&wrong, 1, &["data.fs is 250, in the file 100", "--set data.fs=100"]);
    fails(&["evaluate", "--model", model, "--data", "nothing.safetensors"], 1, &["nothing.safetensors"]);
    let prepare = |more: &[&str]| {
        [&["prepare", "--out", &at("x.safetensors"), "--source"][..], more]
            .concat()
            .iter()
            .map(|s| (*s).to_string())
            .collect::<Vec<_>>()
    };
    for (more, words) in [
        (&["dicom:x"][..], &["found the kind `dicom`", "muse:PATH"][..]),
        (&["tabel:own"], &["did you mean table"]),
        (&[synth.as_str()], &["is a folder without a kind", "wfdb:"]),
        (&["csv:none.csv"], &["none.csv"]),
        (&["wfdb:none"], &["none", "no such folder"]),
        (&[source.as_str(), "--lead", "V9"], &["no strip is left", "no lead V9"]),
        (&[source.as_str(), "--classes", "rhythm9"], &["rhythm9", "af3"]),
        (&[source.as_str(), "--fs", "7"], &["7 Hz"]),
        (&[source.as_str(), "--detector", "best"], &["best", "adaptive"]),
        (&[source.as_str(), "--mains", "nan"], &["mains"]),
    ] {
        let args = prepare(more);
        fails(&args.iter().map(String::as_str).collect::<Vec<_>>(), 1, words);
        assert!(!Path::new(&at("x.safetensors")).exists());
    }
    fails(&["prepare", "--out", &at("x.txt"), "--source", &source], 1, &[".safetensors"]);
    fails(&["prepare", "--out", &at("x.safetensors")], 2, &["--source"]);
    let many = ["data", &at("set.safetensors"), "--out", &at("many"), "--examples"];
    fails(&[&many[..], &["61"]].concat(), 1, &["--examples 61: expected 0 to 60", "2 classes"]);
    assert!(!Path::new(&at("many")).exists(), "before any work");
    succeeds(&[&many[..], &["8", "--format", "svg"]].concat());
    assert!(Path::new(&at("many")).join("guidance-2.svg").is_file(), "on several pages");
    fails(&[&many[..], &["-1"]].concat(), 2, &["'-1' for '--examples <N>': expected a whole number, 0 or more"]);
    fails(&["synth", "--out", &at("s"), "--n=-3"], 2, &["'-3' for '--n <N>': expected a whole number, 0 or more"]);
    fails(&["--threads", "-1", "info"], 2, &["'-1' for '--threads <N>': expected a whole number, 0 or more"]);
    fails(&["train", "--fold", "-1"], 2, &["expected a number from 0, or all"]);
    // beside the records lie tables of the program's own
    std::fs::write(at("synth/labels.csv"), "record,class\n000000,SR\n").expect("written");
    let (predicted, noted) = succeeds(&["predict", "--model", model, &at("synth")]);
    assert!(predicted.lines().count() == 40 && !noted.contains("not a strip"), "{noted}");
    std::fs::write(at("strip.txt"), "1\n2\n").expect("written");
    fails(&["predict", "--model", model, "--fs", "0", &at("strip.txt")], 1, &["strip.txt in Hz"]);
    for out in ["x.pt", "x"] {
        let words = [out, "expected one that ends in .safetensors or .onnx", "--format onnx"];
        fails(&["export", "--model", model, "--out", &at(out)], 1, &words);
    }
    fails(&["report", model, "--out", &at("x.csv")], 1, &["x.csv", "expected one that ends in .html"]);
    fails(&["data", &at("run/config.toml")], 1, &["config.toml", "safetensors"]);
    fails(&["data", &at("run/model.safetensors")], 1, &["exgnet-data-1"]);
    fails(&["synth", "--out", &at("s"), "--n", "0"], 1, &["0 synthetic records"]);
    fails(&["synth", "--out", &at("s"), "--n", "3", "--classes", "VF"], 1, &["VF"]);
    fails(&["synth", "--out", &at("s"), "--n", "3", "--overlap", "2"], 1, &["overlap 2"]);
}

/// `exgnet train`, `synth` and `predict` as a newcomer types them: every strip has a class that the model knows.
#[test]
fn synth_makes_the_rhythms_of_the_quick_start() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (_, said) = succeeds(&["synth", "--out", &path(tmp.path(), "ecg"), "--n", "6"]);
    assert!(said.contains("6 strips of 10 s at 500 Hz: SR 2, SB 2, ST 1, AFIB/AFL 1"), "{said}");
}

#[test]
fn detectors_are_compared_with_known_beats() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "rpeaks");
    let (rows, _) = succeeds(&["rpeaks", "--source", "synthetic", "--json", "--out", &out]);
    let rows = json(rows.as_bytes());
    assert_eq!(rows.as_array().expect("rows").len(), 6);
    for row in rows.as_array().expect("rows") {
        assert!(row["scores"]["adaptive"]["sensitivity"].as_f64().expect("a share") > 0.99, "{row}");
    }
    for name in ["table.md", "records.csv", "synthetic.png", "synthetic.svg"] {
        assert!(Path::new(&out).join(name).is_file(), "{name}");
    }
    fails(&["rpeaks", "--source", "csv:x"], 1, &["csv", "expert beats"]);
    fails(&["rpeaks", "--source", "mitbih:none"], 1, &["none"]);
}

/// What no unit stands beside is drawn in none; and rows that are left out for one reason are one line, with the classes in words.
#[test]
fn text_files_have_no_unit_and_their_faults_one_line() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (own, set, figures) =
        (tmp.path().join("own"), path(tmp.path(), "own.safetensors"), path(tmp.path(), "figures"));
    std::fs::create_dir(&own).expect("made");
    let beat = |i: i32| (-(f64::from(i % 80 - 40) / 3.0).powi(2)).exp();
    let counts: String = (0..400).map(|i| format!("{:.1}\n", 900.0 * beat(i))).collect();
    std::fs::write(own.join("a.txt"), counts).expect("written");
    let rows: String = (2..13).map(|i| format!("nobody{i},SR\n")).collect();
    std::fs::write(own.join("labels.csv"), format!("record,class\na,SR\n{rows}")).expect("written");
    let source = format!("table:{}", own.display());
    let rates = ["--fs", "100", "--csv-fs", "100", "--seconds", "4", "--min-class", "1"];
    let (_, said) = succeeds(&[&["prepare", "--source", &source, "--out", &set][..], &rates].concat());
    let left: Vec<&str> = said.lines().filter(|line| line.starts_with("left out")).collect();
    assert_eq!(left.len(), 1, "{said}");
    assert!(left[0].contains("11 rows  there is no such record"), "{said}");
    assert!(left[0].ends_with("(own/labels.csv, lines 3, 4, 5, 6, 7 and 6 more)"), "{said}");
    assert!(said.contains("classes: SR: sinus rhythm\n") && said.matches("dropped").count() == 1, "{said}");
    succeeds(&["data", &set, "--out", &figures, "--format", "svg"]);
    for name in ["strips", "guidance"] {
        let read =
            |end: &str| std::fs::read_to_string(Path::new(&figures).join(format!("{name}.{end}"))).expect("drawn");
        assert!(read("svg").contains("10 mm = 500 arbitrary units (not mV)"), "{name}");
        assert!(!read("svg").contains("mm/mV") && !read("txt").contains("mV"), "{name}: {}", read("txt"));
    }
}

#[test]
fn a_source_of_its_own_kind_is_read_once_and_then_from_the_cache() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    succeeds(&[
        "synth",
        "--out",
        &at("synth"),
        "--n",
        "40",
        "--classes",
        "SR,AFIB/AFL",
        "--fs",
        "100",
        "--seconds",
        "4",
    ]);
    let source = format!("wfdb:{}", at("synth"));
    let (a, b) = (tmp.path().join("a"), tmp.path().join("b"));
    train(&a, &["--data", &source]);
    // the second run has it from the cache: nothing changes
    train(&b, &["--data", &source]);
    let model = |dir: &Path| std::fs::read(dir.join("model.safetensors")).expect("a model");
    assert!(model(&a) == model(&b));
    let (c, _) = (tmp.path().join("c"), ());
    train(&c, &["--data", &source, "--set", "data.cache=false"]);
    assert!(model(&a) == model(&c), "cached or not, the same bytes");
}
