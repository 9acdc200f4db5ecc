//! The same bytes twice, by one worker thread and by two: everything that the program writes and prints, but for the times
//! that `run.json` (`start`, `end`, `wall_seconds`, `phases`, see [`exgnet::run::record::RunRecord`]) and `log.jsonl`
//! (`seconds`) are there to tell, and those that `cost.json` (`inference`) measures, which the
//! figure of the network shows.
//!
//! Each command runs in a folder of its own under relative names, with a cache of its own, so that nothing else differs.

use crate::common::cut::cut_off;
use crate::common::{TINY, program, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A working folder, and how its commands come to their worker threads.
struct Place {
    dir: PathBuf,
    threads: &'static str,
}

impl Place {
    fn new(root: &Path, name: &str, threads: &'static str) -> Self {
        let dir = root.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        Self { dir, threads }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command.current_dir(&self.dir).env("EXGNET_CACHE", "cache").env("RAYON_NUM_THREADS", self.threads);
        command.env_remove("RUST_LOG");
        command
    }

    /// Standard output of a command that succeeds.
    fn run(&self, args: &[&str]) -> String {
        let done = self.command(args).output().expect("the program starts");
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    /// Every file below `name` (or that file) with what must not differ.
    fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        gather(&self.dir.join(name), name, &mut all);
        assert!(!all.is_empty(), "{name}: nothing was written");
        all
    }
}

fn gather(path: &Path, name: &str, all: &mut BTreeMap<String, Vec<u8>>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            let entry = entry.expect("an entry");
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            gather(&entry.path(), &below, all);
        }
    } else if path.is_file() {
        let bytes = std::fs::read(path).expect("a file");
        let kept = match path.file_name().and_then(|n| n.to_str()) {
            Some("run.json") => without(&bytes, &["start", "end", "wall_seconds", "phases"]),
            Some("cost.json") => without(&bytes, &["inference"]),
            // shows the measured time
            Some("network.png" | "network.svg" | "network.txt") => Vec::new(),
            Some("log.jsonl") => without(&bytes, &["seconds"]),
            _ => bytes,
        };
        all.insert(name.to_owned(), kept);
    }
}

/// JSON lines, or one value, without some keys; each must be there.
fn without(bytes: &[u8], keys: &[&str]) -> Vec<u8> {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
    let lines = values.map(|value| {
        let mut value = value.expect("JSON");
        let table = value.as_object_mut().expect("a table");
        keys.iter().for_each(|key| assert!(table.remove(*key).is_some(), "no {key}"));
        value.to_string()
    });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

/// Names of the files, all of whose bytes are equal.
fn equal(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "other files");
    for (name, bytes) in a {
        let other = &b[name];
        let at = bytes.iter().zip(other).position(|(x, y)| x != y);
        assert!(bytes == other, "{name}: {} and {} bytes, other from byte {at:?}", bytes.len(), other.len());
    }
    a.keys().cloned().collect()
}

/// Runs a command in both places; its output and what it wrote must be equal. Gives the names of the files.
fn both(places: &[Place; 2], args: &[&str], written: &[&str]) -> Vec<String> {
    let [a, b] = places;
    assert_eq!(a.run(args), b.run(args), "{args:?}: other output");
    written.iter().flat_map(|name| equal(&a.files(name), &b.files(name))).collect()
}

fn has(files: &[String], names: &[&str]) {
    for name in names {
        assert!(files.iter().any(|f| f == name), "{name} is not among {files:?}");
    }
}

fn places(root: &Path) -> [Place; 2] {
    [Place::new(root, "one", "1"), Place::new(root, "two", "2")]
}

const RUN: [&str; 4] = ["train", "--out", "run", "--quiet"];

/// Training, and everything that is made of a run.
#[test]
fn a_run_and_what_is_made_of_it() {
    let tmp = tempfile::tempdir().expect("a folder");
    let places = places(tmp.path());
    let files = both(&places, &[&RUN[..], &TINY].concat(), &["run"]);
    has(&files, &["run/run.json", "run/log.jsonl", "run/model.safetensors", "run/predictions.csv", "run/sanity.json"]);
    has(&files, &["run/metrics.json", "run/explanation.json", "run/explanations.safetensors", "run/cost.json"]);
    has(&files, &["run/figures/losses.png", "run/figures/gradcam.png", "run/split.json", "run/folds.json"]);

    // from here on both work on one run, times included
    let [a, b] = &places;
    for name in ["run.json", "log.jsonl", "cost.json"] {
        std::fs::copy(a.dir.join("run").join(name), b.dir.join("run").join(name)).expect("copied");
    }
    let files = both(&places, &["evaluate", "--model", "run", "--out", "evaluated"], &["evaluated"]);
    has(&files, &["evaluated/metrics.json", "evaluated/predictions.csv", "evaluated/sanity.json"]);
    both(&places, &["evaluate", "--model", "run", "--json"], &[]);

    let strip: String =
        (0..400).map(|i| format!("{}\n", (f64::from(i) * 0.4).sin() + (f64::from(i) * 0.02).cos())).collect();
    places.iter().for_each(|p| std::fs::write(p.dir.join("strip.txt"), &strip).expect("written"));
    let files = both(&places, &["explain", "--model", "run", "strip.txt", "--out", "maps"], &["maps"]);
    has(&files, &["maps/strip.npy", "maps/strip.png"]);
    both(&places, &["predict", "--model", "run", "strip.txt", "--json"], &[]);
    both(&places, &["export", "--model", "run", "--out", "small.safetensors"], &["small.safetensors"]);

    let files = both(&places, &["figures", "run", "--out", "drawn", "--dpi", "80"], &["drawn"]);
    has(&files, &["drawn/network.png", "drawn/network.svg"]);
    let kernels = concat!(env!("CARGO_MANIFEST_DIR"), "/results/kernels/llvmpipe-amd-avx512");
    let files = both(&places, &["figures", kernels, "--out", "kernels", "--dpi", "80"], &["kernels"]);
    has(&files, &["kernels/roofline.png", "kernels/scaling.svg"]);
    has(&both(&places, &["report", "run", "--out", "report.html"], &["report.html"]), &["report.html"]);

    // as the only run of a sweep
    for place in &places {
        std::fs::create_dir_all(place.dir.join("sweep/plain")).expect("a folder");
        std::fs::rename(place.dir.join("run"), place.dir.join("sweep/plain/fold-0-seed-1")).expect("renamed");
    }
    has(
        &both(&places, &["collect", "sweep"], &["sweep"]),
        &["sweep/table.md", "sweep/table.tex", "sweep/per_class.csv"],
    );
}

/// Data sets: the file, what was left out, figures; by the environment and by the option.
#[test]
fn prepared_data() {
    let tmp = tempfile::tempdir().expect("a folder");
    let places = places(tmp.path());
    let small = ["--fs", "100", "--seconds", "4"];
    let synth = [&["synth", "--out", "synth", "--n", "40"][..], &small].concat();
    has(&both(&places, &synth, &["synth"]), &["synth/synthetic.safetensors"]);
    let prepare =
        [&["prepare", "--source", "wfdb:synth", "--clean", "on", "--out", "set.safetensors"][..], &small].concat();
    let written = ["set.safetensors", "set.exclusions.csv"];
    has(&both(&places, &prepare, &written), &written);
    has(&both(&places, &["data", "set.safetensors", "--out", "shown"], &["shown"]), &["shown/counts.png"]);
    let rpeaks = both(&places, &["rpeaks", "--source", "wfdb:synth", "--out", "peaks"], &["peaks"]);
    has(&rpeaks, &["peaks/table.md", "peaks/records.csv"]);
    // --threads goes before the environment
    let [a, b] = &places;
    let before: Vec<_> = written.iter().map(|name| a.files(name)).collect();
    let said = a.run(&[&prepare[..], &["--threads", "2"]].concat());
    assert_eq!(said, b.run(&[&prepare[..], &["--threads", "1"]].concat()));
    for (name, before) in written.iter().zip(&before) {
        equal(before, &a.files(name));
        equal(before, &b.files(name));
    }
}

/// Cut off with one worker thread and gone on with by two, and the other way round.
#[test]
fn a_resumed_run() {
    let tmp = tempfile::tempdir().expect("a folder");
    let whole = Place::new(tmp.path(), "whole", "1");
    let args = [&RUN[..], &TINY, &["--set", "train.checkpoint_steps=1", "--set", "train.epochs=6"]].concat();
    whole.run(&args);
    for [first, second] in [["1", "2"], ["2", "1"]] {
        let place = |attempt: usize, threads| Place::new(tmp.path(), &format!("from-{first}-{attempt}"), threads);
        // a training may be over before it is cut off: then another is tried
        let cut = (0..10).find(|&attempt| {
            let place = place(attempt, first);
            cut_off(&mut place.command(&args), &place.dir.join("run"))
        });
        let again = place(cut.expect("every training was over before it could be cut off"), second);
        again.run(&[&args[..], &["--resume"]].concat());
        let mut files = again.files("run");
        let command = |files: &mut BTreeMap<String, Vec<u8>>| {
            let record = files.remove("run/run.json").expect("a record");
            String::from_utf8(without(&record, &["command"])).expect("text")
        };
        let mut expected = whole.files("run");
        assert_eq!(command(&mut files), command(&mut expected));
        has(&equal(&files, &expected), &["run/model.safetensors", "run/log.jsonl", "run/figures/losses.png"]);
    }
}
