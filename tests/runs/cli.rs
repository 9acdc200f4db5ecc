//! The command line as a user meets it: outputs, exit codes, messages, and what bad input leads to.

use crate::common::recordings::recordings;
use crate::common::{TINY, config, exgnet, fails, json, path, program, text, train, train_and_draw};
use std::path::{Path, PathBuf};

#[test]
fn a_run_from_training_to_maps() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (a, b, c) = (tmp.path().join("a"), tmp.path().join("b"), tmp.path().join("c"));
    train_and_draw(&a, &[]);
    train(&b, &[]);
    train(&c, &["--seed", "2"]);
    let model = |dir: &Path| std::fs::read(dir.join("model.safetensors")).expect("a model");
    assert!(model(&a) == model(&b), "the same seed gives the same bytes");
    assert!(model(&a) != model(&c), "another seed gives another model");

    // what a run leaves
    for file in
        ["config.toml", "run.json", "split.json", "predictions.csv", "figures/losses.png", "figures/gradcam.png"]
    {
        assert!(a.join(file).is_file(), "{file}");
    }
    // figures can be drawn later
    assert!(!b.join("figures").exists());
    let drawn = exgnet(&["figures", b.to_str().expect("Unicode")]);
    assert!(drawn.status.success() && b.join("figures/losses.png").is_file(), "{}", text(&drawn.stderr));
    let log = std::fs::read_to_string(a.join("log.jsonl")).expect("a log");
    let lines: Vec<serde_json::Value> = log.lines().map(|l| json(l.as_bytes())).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1]["losses"]["ce"].as_f64().expect("a loss") > 0.0 && lines[1]["validation_macro_f1"].is_null());
    let metrics = json(&std::fs::read(a.join("metrics.json")).expect("metrics"));
    assert_eq!(metrics["records"], 8);
    let explanation = metrics["explanation"].as_object().expect("scores");
    assert!(explanation.len() == 5 && explanation.values().all(serde_json::Value::is_f64), "{explanation:?}");
    let sanity = json(&std::fs::read(a.join("sanity.json")).expect("sanity"));
    assert_eq!((&sanity["uniform"]["overall"]["means"]["ncc"], &sanity["random_seed"]), (&0.0.into(), &1001.into()));
    assert!(sanity["features"]["macro_f1"].is_f64() && sanity["slope"]["overall"]["means"]["ncc"].is_f64());
    assert!(metrics["per_class"]["SR"]["support"].is_u64());

    // an earlier run is kept
    let dir = a.to_str().expect("Unicode");
    fails(&[&["train", "--out", dir], &TINY[..]].concat(), 1, &["holds a run already", "--force"]);
    assert!(model(&a) == model(&b));
    // the written configuration trains the same model, and names the folder that it is in
    let d = path(tmp.path(), "d");
    let again = exgnet(&["train", &path(&a, "config.toml"), "--out", &d, "--quiet"]);
    assert!(again.status.success() && again.stderr.is_empty(), "{}", text(&again.stderr));
    assert!(model(Path::new(&d)) == model(&a));
    assert_eq!(config(&a), config(Path::new(&d)));

    // every record, the other kind of network
    let all = tmp.path().join("all");
    let other = ["network.kind=cascade", "network.kernels=16", "network.head=mlp", "network.se_reduction=4"];
    let sets: Vec<&str> = other.iter().flat_map(|s| ["--set", s]).collect();
    train(&all, &[&["--fold", "all"], &sets[..]].concat());
    assert!(all.join("model.safetensors").is_file() && !all.join("metrics.json").exists());

    // evaluation gives the run's own numbers
    let out = exgnet(&["evaluate", "--model", dir, "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(json(&out.stdout), metrics);
    // and its own files, to the byte
    let again = tmp.path().join("again");
    let out = exgnet(&["evaluate", "--model", dir, "--out", again.to_str().expect("Unicode")]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    for file in ["metrics.json", "explanation.json", "sanity.json", "predictions.csv"] {
        let of = |dir: &Path| std::fs::read(dir.join(file)).expect("written");
        assert!(of(&a) == of(&again), "{file}");
    }
    fails(&["evaluate", "--model", dir, "--records", "nobody"], 1, &["nobody", "predictions.csv"]);

    // prediction and maps of single strips
    let strip: Vec<f64> = (0..400).map(|i| (f64::from(i) * 0.4).sin() + (f64::from(i) * 0.02).cos()).collect();
    let line = |v: &f64| format!("{v}\n");
    std::fs::write(tmp.path().join("strip.txt"), strip.iter().map(line).collect::<String>()).expect("written");
    let strip_path = path(tmp.path(), "strip.txt");
    let out = exgnet(&["predict", "--model", dir, &strip_path, &strip_path, "--json"]);
    let rows: Vec<serde_json::Value> = text(&out.stdout).lines().map(|l| json(l.as_bytes())).collect();
    assert_eq!((out.status.code(), rows.len()), (Some(0), 2), "{}", text(&out.stderr));
    assert_eq!(rows[0], rows[1]);
    let p = rows[0]["probabilities"].as_object().expect("by class");
    let sum: f64 = p.values().map(|v| v.as_f64().expect("a number")).sum();
    assert!(
        (sum - 1.0).abs() < 1e-9
            && p.contains_key("AFIB/AFL")
            && rows[0]["logits"].as_array().expect("a list").len() == 4
    );

    let mut maps = String::new();
    for layer in ["blocks.0", "blocks.1"] {
        maps = path(tmp.path(), layer);
        let out = exgnet(&["explain", "--model", dir, &strip_path, "--out", &maps, "--layer", layer, "--class", "SB"]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        let npy = std::fs::read(Path::new(&maps).join("strip.npy")).expect("a map");
        let values: Vec<f32> = npy[128..].chunks(4).map(|b| f32::from_le_bytes(b.try_into().expect("4"))).collect();
        assert_eq!((&npy[..6], values.len()), (b"\x93NUMPY".as_slice(), 400));
        let top = values.iter().copied().fold(0.0, f32::max);
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)) && (top == 1.0 || top == 0.0), "{layer}: {top}");
        assert!(Path::new(&maps).join("strip.png").is_file());
    }
    fails(
        &["explain", "--model", dir, &strip_path, "--out", &maps, "--layer", "blocks.7"],
        1,
        &["blocks.7", "blocks.1"],
    );
    fails(&["explain", "--model", dir, &strip_path, "--out", &maps, "--class", "XX"], 1, &["XX", "SR, SB"]);

    bad_strips(tmp.path(), dir);
}

/// What somebody tries first ends with a message that leads on.
#[test]
fn what_is_meant_is_named() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let run = tmp.path().join("sweep/both/fold-0-seed-1");
    train(&run, &["--set", "train.epochs=1", "--set", "output.gradcam=0"]);
    let (model, onnx, folder) = (run.to_str().expect("Unicode"), at("m.onnx"), format!("{}/", at("none")));
    assert!(exgnet(&["export", "--model", model, "--out", &onnx]).status.success());
    let set = |set: &'static str| ["train", "--dry-run", "--set", set];
    fails(&set("network.kind=resnet"), 1, &["found \"resnet\"", "did you mean resnet1d?"]);
    fails(&set("train.epochs=many"), 1, &["for example epochs = 60, which is taken where a file says nothing"]);
    fails(
        &["bench", "pooling"],
        1,
        &["'pooling' is a family of kernels", "max_pool, max_pool_grad", "exgnet bench max"],
    );
    fails(&["evaluate", "--model", &onnx], 1, &["is an ONNX file", "the model it was made from"]);
    fails(&["export", "--model", &at("sweep"), "--out", &onnx], 1, &["holds 1 run, expected one run", "fold-0-seed-1"]);
    fails(&["export", "--model", model, "--format", "onnx", "--out", &folder], 1, &["it is a folder"]);
    assert!(!Path::new(&folder).exists());
    fails(&["data", &at("sweep")], 1, &["is a folder", "exgnet prepare --source wfdb:"]);
    fails(&["data", &path(&run, "model.safetensors")], 1, &["(a model: `exgnet info` prints what it is for)"]);
}

/// Each of these ends with a message and writes nothing.
fn bad_strips(tmp: &Path, model: &str) {
    let maps = path(tmp, "none");
    let write = |name: &str, content: &str| {
        std::fs::write(tmp.join(name), content).expect("written");
        path(tmp, name)
    };
    let many = |n: usize, odd: &str| {
        (0..n).map(|i| if i == 7 { format!("{odd}\n") } else { format!("{}\n", i % 9) }).collect::<String>()
    };
    let cases = [
        (path(tmp, "absent.npy"), vec!["absent.npy", "no such strip"]),
        (write("short.txt", &many(399, "1")), vec!["399", "400"]),
        (write("nan.txt", &many(400, "NaN")), vec!["nan.txt"]),
        (write("word.txt", &many(400, "abc")), vec!["word.txt", "8"]),
        (write("flat.txt", &"1\n".repeat(400)), vec!["flat line"]),
        (write("empty.npy", ""), vec!["empty.npy"]),
        (write("fake.npy", "\u{93}NUMPY"), vec!["fake.npy"]),
    ];
    for (input, words) in &cases {
        fails(&["predict", "--model", model, input], 1, words);
        fails(&["explain", "--model", model, input, "--out", &maps], 1, words);
    }
    // a record whose signal file is shorter than its header says
    write("cut.hea", "cut 1 100 400\ncut.dat 16 200 16 0 0 0 0 II\n");
    std::fs::write(tmp.join("cut.dat"), [1u8, 0].repeat(300)).expect("written");
    fails(&["predict", "--model", model, &path(tmp, "cut")], 1, &["cut.dat", "600", "800"]);
    assert!(!Path::new(&maps).exists(), "nothing is written for bad input");
    // no model, or none
    fails(&["predict", "--model", &path(tmp, "absent"), "x.npy"], 1, &["absent", "cannot be read"]);
    fails(&["predict", "--model", &path(tmp, "short.txt"), "x.npy"], 1, &["no safetensors file"]);
}

#[test]
fn bad_usage_and_configuration() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "run");
    fails(&["train", "--fold", "second"], 2, &["--fold"]);
    fails(&["train", "--no-such-option"], 2, &["--no-such-option"]);
    fails(&["trian"], 2, &["train"]);
    fails(&["predict", "x.npy"], 2, &["--model"]);
    fails(&["train", "--set", "train.epoch=3", "--out", &out], 1, &["train.epoch", "train.epochs"]);
    fails(&["train", "--set", "train.optimizer=sgd", "--out", &out], 1, &["optimizer", "sgd"]);
    fails(&["train", "--set", "train.epochs=many", "--out", &out], 1, &["train.epochs"]);
    fails(&["train", &path(tmp.path(), "absent.toml"), "--out", &out], 1, &["absent.toml"]);
    let config = path(tmp.path(), "odd.toml");
    std::fs::write(&config, "[train]\nepochs = 1\n[netwrok]\nwidths = [8]\n").expect("written");
    fails(&["train", &config, "--out", &out], 1, &["netwrok", "network", "odd.toml"]);
    let missing = path(tmp.path(), "no-such-folder");
    fails(&["train", "--set", &format!("data.source=\"wfdb:{missing}\""), "--out", &out], 1, &["no-such-folder"]);
    fails(&["check", "conv2d"], 1, &["conv2d", "conv1d"]);
    fails(&["info", "--shader-dir", &missing], 1, &["no-such-folder"]);
    assert!(!PathBuf::from(&out).exists(), "a run that cannot begin leaves no folder");
}

#[test]
fn no_adapter_is_an_error_that_says_what_to_install() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "run");
    let run =
        |name: &str, value: &str, args: &[&str]| program(args).env(name, value).output().expect("the program starts");
    let done = run("EXGNET_ADAPTER", "nonesuch", &["train", "--out", &out]);
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("no GPU adapter") && said.contains("nonesuch") && said.contains("HINT"), "{said}");
    assert!(!Path::new(&out).exists());
    let info = run("EXGNET_ADAPTER", "nonesuch", &["info", "--json"]);
    assert_eq!(info.status.code(), Some(1));
    assert!(json(&info.stdout)["chosen"].is_null());
    // a machine without any driver
    let done = run("VK_DRIVER_FILES", "", &["check", "index"]);
    assert!(done.status.success() || text(&done.stderr).contains("setup.sh"), "{}", text(&done.stderr));
}

#[test]
fn an_edited_shader_is_used_without_a_rebuild() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = tmp.path().to_str().expect("Unicode");
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/include/elementwise.wgsl"))
        .expect("a shader");
    let file = tmp.path().join("include/elementwise.wgsl");
    std::fs::create_dir(tmp.path().join("include")).expect("a folder");
    std::fs::write(&file, &source).expect("written");
    let good = exgnet(&["check", "elementwise", "--shader-dir", dir]);
    assert!(good.status.success(), "{}", text(&good.stderr));
    std::fs::write(&file, source.replace("return exp(v);", "return v;")).expect("written");
    let wrong = exgnet(&["check", "elementwise", "--shader-dir", dir]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stdout).contains("exp [2, 3, 5]") && text(&wrong.stdout).contains("FAILED"),
        "{}",
        text(&wrong.stdout)
    );
    std::fs::write(&file, source.replace("return exp(v);", "return exp(;")).expect("written");
    let broken = exgnet(&["check", "elementwise", "--shader-dir", dir]);
    let said = text(&broken.stdout);
    assert_eq!(broken.status.code(), Some(1));
    assert!(said.contains("include/elementwise.wgsl:"), "the file and its line: {said}");
    assert!(said.contains("expected expression"), "naga's own words are there: {said}");
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_do_not_reach_standard_output_are_a_failure() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let run = |args: &[&str]| program(args).stdout(full()).output().expect("the program starts");
    for args in [&["info", "--json"][..], &["info"], &["shader", "elementwise/01_naive"], &["check", "index", "--json"]]
    {
        let done = run(args);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("standard output: cannot be written") && said.contains("HINT"), "{args:?}: {said}");
    }
}

#[test]
fn checks_are_reported_as_json() {
    let out = exgnet(&["check", "max_pool", "adam", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let rows = json(&out.stdout);
    let rows = rows.as_array().expect("a list");
    // every version of the families that run in them
    let versions: Vec<&str> = rows.iter().filter_map(|row| row["family"].as_str()).collect();
    assert!(
        versions.iter().filter(|f| **f == "pooling").count() >= 2 && versions.contains(&"optimiser"),
        "{versions:?}"
    );
    for row in rows {
        let first = &row["cases"][0];
        assert!(
            first["same_bits"].as_bool().expect("a switch")
                && first["values"]["error"].as_f64().expect("a number") < 1e-5
        );
    }
}

#[test]
fn real_recordings_from_training_to_maps() {
    let (Some(_), Some(_)) = (recordings("ludb"), recordings("mitdb")) else { return };
    let tmp = tempfile::tempdir().expect("a folder");
    let (run, maps) = (tmp.path().join("run"), path(tmp.path(), "maps"));
    let source =
        ["--set", "data.source=\"wfdb:ludb\"", "--set", "data.split=stratified", "--set", "train.validation=0"];
    let done = train(&run, &source);
    assert!(text(&done.stderr).contains("SR 96, SB 17, AFIB/AFL 12"), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("class ST has fewer than 10 strips"), "{}", text(&done.stderr));
    let model = run.to_str().expect("Unicode");
    // expert beats and the expert's rhythm come from the record's own annotations
    let out = exgnet(&["explain", "--model", model, "mitdb/201@120", "ludb/data/1", "--out", &maps]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    for file in ["201@120.npy", "201@120.png", "1.npy", "1.png"] {
        assert!(Path::new(&maps).join(file).is_file(), "{file}");
    }
    let out = exgnet(&["evaluate", "--model", model, "--data", "wfdb:cinc2021", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let metrics = json(&out.stdout);
    // SR 26, SB 13, AFIB/AFL 7; the model does not know the other classes
    assert_eq!((&metrics["records"], &metrics["baseline"]["accuracy"]), (&46.into(), &serde_json::Value::Null));
    assert!(text(&out.stderr).contains("class ST, which the model does not know"), "{}", text(&out.stderr));
    // long records too, as a source
    let out = exgnet(&["evaluate", "--model", model, "--data", "mitbih:mitdb", "--json", "--quiet"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let metrics = json(&out.stdout);
    assert!(metrics["records"].as_u64().expect("a number") > 4000 && metrics["per_class"]["ST"].is_null());
    fails(&["predict", "--model", model, "mitdb/201@99999"], 1, &["99999", "ends after"]);
}
