//! What the tests of the command line share.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod cut;
pub mod drawing;
pub mod engine;
pub mod golden;
pub mod goldens;
pub mod markdown;
pub mod onnx;
pub mod recordings;
pub mod tables;
pub mod training;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A training of seconds: four blocks are not needed to see the loop work.
pub const TINY: [&str; 18] = [
    "--set",
    "data.synthetic.records=40",
    "--set",
    "data.fs=100",
    "--set",
    "data.seconds=4",
    "--set",
    "network.widths=[6, 8]",
    "--set",
    "network.strides=[1, 2]",
    "--set",
    "network.stem_channels=6",
    "--set",
    "train.epochs=2",
    "--set",
    "train.batch=8",
    "--set",
    "train.validation=0.2",
];

/// A path of the repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A command of the program with what all tests set.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exgnet"));
    // what tests prepare is not for the user's cache
    command.env("EXGNET_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    // the program itself knows no folder but the one that it is given
    command.envs(recordings::data_root().map(|root| ("EXGNET_DATA", root)));
    command.args(args);
    command
}

pub fn exgnet(args: &[&str]) -> Output {
    program(args).output().expect("the program starts")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `config.toml` of a run without its folder, which differs between runs that are the same otherwise.
pub fn config(run: &Path) -> String {
    let config = std::fs::read_to_string(run.join("config.toml")).expect("a configuration");
    let folder = format!("dir = {:?}\n", run.to_str().expect("Unicode"));
    assert!(config.contains(&folder), "{folder}: {config}");
    config.replace(&folder, "")
}

/// Runs and expects a failure with a clear message: the code, all of `words`, a hint, no panic.
pub fn fails(args: &[&str], code: i32, words: &[&str]) -> String {
    let out = exgnet(args);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?}: no '{word}' in: {said}");
    }
    assert!(said.contains("HINT: "), "{args:?}: {said}");
    said
}

/// The command of a tiny run.
pub fn training(out: &Path, more: &[&str]) -> Command {
    program(&[&["train", "--out", out.to_str().expect("Unicode")], &TINY[..], more].concat())
}

/// A tiny run without its figures, which take longer to draw than its network to train.
pub fn train(out: &Path, more: &[&str]) -> Output {
    train_and_draw(out, &[&["--no-figures"], more].concat())
}

pub fn train_and_draw(out: &Path, more: &[&str]) -> Output {
    let done = training(out, more).output().expect("the program starts");
    assert!(done.status.success(), "{}", text(&done.stderr));
    done
}

/// A copy of a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(std::fs::copy(entry.path(), place).expect("copied")),
        }
    }
}

pub fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().expect("Unicode").to_owned()
}

pub fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", text(bytes)))
}
