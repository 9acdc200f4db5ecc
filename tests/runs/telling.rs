//! What the program reports of itself: log lines by level, `info --json`, and what a run folder says of its making.

use crate::common::{TINY, exgnet, json, path, program, text, train, train_and_draw};

/// Standard error of a command with `RUST_LOG` set.
fn logged(level: &str, args: &[&str]) -> String {
    let done = program(args).env("RUST_LOG", level).env("EXGNET_CACHE", "off").output().expect("the program starts");
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stderr)
}

#[test]
fn log_lines_have_levels() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let steps = ["--set", "train.checkpoint_steps=2", "--set", "train.epochs=1", "--set", "output.gradcam=0"];
    let args = |out: &str, more: &[&str]| -> Vec<String> {
        [&["train", "--no-figures", "--out", out][..], &TINY, &steps, more]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let run = |level: &str, out: &str, more: &[&str]| {
        let args = args(&at(out), more);
        logged(level, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // what is logged at each level: the adapter and checkpoints, kernels, memory
    let counts = |said: &str| {
        ["info: exgnet::gpu: adapter: ", "debug: exgnet::gpu::kernel: kernel compiled: ", "trace: exgnet::gpu::pool: "]
            .map(|part| said.lines().filter(|l| l.starts_with(part)).count())
    };
    let said = run("exgnet=trace", "a", &[]);
    let [adapter, kernels, growth] = counts(&said);
    assert!(adapter == 1 && kernels > 5 && growth > 5, "{said}");
    assert!(said.contains("info: exgnet::train::checkpoint: checkpoint after step 2 written: "), "{said}");
    assert!(said.lines().any(|l| l.contains("kernel compiled: optimiser/")), "{said}");
    // each kernel once
    let mut compiled: Vec<&str> = said.lines().filter(|l| l.contains("kernel compiled: ")).collect();
    compiled.sort_unstable();
    assert!(compiled.windows(2).all(|w| w[0] != w[1]), "{compiled:#?}");
    let [adapter, kernels, growth] = counts(&run("exgnet=debug", "b", &[]));
    assert!(adapter == 1 && kernels > 5 && growth == 0);
    // RUST_LOG goes before --verbose, which stands for info, and before --quiet
    assert_eq!(counts(&run("exgnet=error", "c", &["--verbose"])), [0; 3]);
    assert_eq!(run("off", "d", &["--quiet"]), "");

    let verbose = exgnet(&[&["train", "--no-figures", "--out", &at("e"), "--verbose"][..], &TINY, &steps].concat());
    let said = text(&verbose.stderr);
    assert!(verbose.status.success() && counts(&said) == [1, 0, 0], "{said}");
    assert!(said.contains("checkpoint after step 2 written"), "{said}");
    let plain = text(&train(&tmp.path().join("f"), &steps).stderr);
    assert_eq!(counts(&plain), [0; 3], "{plain}");
    assert!(!plain.contains("warning: "), "{plain}");
}

/// Strips of a second have too few beats for all features, and strides of 32 leave a map of one sample.
#[test]
fn strips_too_short_for_features_and_maps_are_warned_of() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (run, strip) = (tmp.path().join("run"), path(tmp.path(), "strip.txt"));
    let short = ["--set", "data.seconds=1", "--set", "network.strides=[16, 2]", "--set", "losses.xai=0"];
    let said = text(&train(&run, &[&short[..], &["--set", "train.epochs=1"]].concat()).stderr);
    assert!(said.contains("warning: features without a value in any training strip: "), "{said}");
    assert!(said.contains("maps of blocks.1 are 1 sample long: their scores say nothing"), "{said}");

    std::fs::write(&strip, (0..100).map(|i| format!("{}\n", i % 7)).collect::<String>()).expect("written");
    let explained = |layer: &str| {
        let (model, out) = (path(tmp.path(), "run"), path(tmp.path(), layer));
        let done = exgnet(&["explain", "--model", &model, &strip, "--out", &out, "--layer", layer]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stderr)
    };
    let last = explained("last");
    assert!(last.contains("warning: maps of blocks.1 are 1 sample long and show no place"), "{last}");
    assert!(!explained("stem").contains("warning: maps"));
}

#[test]
fn info_names_the_adapter_in_use() {
    let out = exgnet(&["info", "--json"]);
    let info = json(&out.stdout);
    let adapters = info["adapters"].as_array().expect("a list");
    assert!(adapters.iter().any(|a| a["name"] == info["chosen"]), "{info}");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    // each program is as old as its file
    let commit = info["commit"].as_str();
    assert_eq!(commit.is_some(), exgnet::run::record::commit().is_some(), "{info}");
    assert!(commit.is_none_or(|c| c.len() >= 40 && c.bytes().take(40).all(|b| b.is_ascii_hexdigit())), "{info}");
}

#[test]
fn a_run_folder_records_how_it_was_made() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = tmp.path().join("run");
    train_and_draw(&run, &["--set", "train.epochs=1", "--set", "output.gradcam=0"]);
    let record = json(&std::fs::read(run.join("run.json")).expect("a record"));
    let info = json(&exgnet(&["info", "--json"]).stdout);
    assert_eq!((&record["version"], &record["commit"]), (&info["version"], &info["commit"]));
    assert_eq!((&record["adapter"], &record["cpu"]), (&info["chosen"], &info["cpu"]));
    let seconds = |of: &serde_json::Value| of.as_f64().expect("seconds");
    let phases: f64 =
        ["data", "training", "test", "figures"].iter().map(|phase| seconds(&record["phases"][phase])).sum();
    let whole = seconds(&record["wall_seconds"]);
    assert!(phases <= whole && phases > 0.8 * whole, "{phases} of {whole} s");
    let adapter = info["adapters"].as_array().expect("a list").iter().find(|a| a["name"] == info["chosen"]);
    let word = |key: &str| adapter.expect("the chosen one")[key].as_str().expect("text").to_owned();
    assert_eq!(record["driver"], format!("{} {}", word("driver"), word("driver_info")));
    let command = record["command"].as_str().expect("text");
    assert!(command.starts_with("exgnet train --out ") && command.contains("train.epochs=1"), "{command}");
    // built in, or none on a CPU without one
    assert!(record["kernels"]["table"]["from"].is_string(), "{record}");
    for key in ["start", "end"] {
        assert!(record[key].as_str().is_some_and(|v| !v.is_empty()), "{key}: {record}");
    }
    // the configuration, complete: what was given and what was not
    let config = std::fs::read_to_string(run.join("config.toml")).expect("a configuration");
    for line in ["epochs = 1", "batch = 8", "seed = 1", "kind = \"parallel\""] {
        assert!(config.lines().any(|l| l == line), "{line}: {config}");
    }
}

#[test]
fn first_steps_version_completions_and_man_pages() {
    let tmp = tempfile::tempdir().expect("a folder");
    let says = |args: &[&str]| {
        let done = exgnet(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        text(&done.stdout)
    };
    let first = says(&[]);
    assert!(first.lines().count() <= 12, "{first}");
    // every command that it names is one
    for line in first.lines().filter_map(|l| l.trim().strip_prefix("exgnet ")).filter(|l| !l.starts_with("trains ")) {
        let command = line.split_whitespace().next().expect("a command");
        assert!(command.starts_with("--") || exgnet(&[command, "--help"]).status.success(), "{line}");
    }
    let version = says(&["--version"]);
    assert!(version.starts_with(concat!("exgnet ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    assert!(version.contains("features: app; backends: "), "{version}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = says(&["completions", shell]);
        assert!(script.contains("gpu-report") && script.contains("shader-dir"), "{shell}");
    }
    assert!(says(&["man"]).contains(".TH exgnet 1"));
    let pages = path(tmp.path(), "man");
    says(&["man", "--out", &pages]);
    let train = std::fs::read_to_string(path(tmp.path(), "man/exgnet-train.1")).expect("a page");
    assert!(train.contains(".TH exgnet\\-train 1") || train.contains(".TH exgnet-train 1"), "{}", &train[..200]);
    assert!(train.contains("dry"), "options of the command");
}
