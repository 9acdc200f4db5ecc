//! What happens to files: nothing is written over that somebody wants to keep, every result says of what it is, nothing half
//! written is left by a signal, and a figure never fails a run.

mod origin;
mod overwriting;
mod settings;
#[cfg(unix)]
mod signals;

use crate::common::{copy, exgnet, path, text, train};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// A finished run of four classes, trained once for all tests; they change copies.
fn run() -> &'static Path {
    static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = RUN.get_or_init(|| {
        let tmp = tempfile::tempdir().expect("a folder");
        train(&tmp.path().join("run"), &["--set", "data.synthetic.records=60"]);
        tmp
    });
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| dir.path().join("run"))
}

/// The files of a folder with their content.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry"));
    let file = |e: std::fs::DirEntry| {
        let bytes = std::fs::read(e.path()).ok()?;
        Some((e.file_name().to_string_lossy().into_owned(), bytes))
    };
    entries.filter_map(file).collect()
}

fn works(args: &[&str]) -> String {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stderr) + &text(&out.stdout)
}

/// A prepared data set as the run was trained on, with other settings where given.
fn prepare(out: &str, more: &[&str]) -> Vec<String> {
    let args = ["prepare", "--source", "synthetic", "--fs", "100", "--seconds", "4", "--records", "36", "--out", out];
    args.iter().chain(more).map(ToString::to_string).collect()
}

fn borrowed(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// A strip of 4 s at 100 Hz as a NumPy file.
fn strip(file: &Path) {
    let mut header = "{'descr': '<f4', 'fortran_order': False, 'shape': (400,), }".to_owned();
    header += &" ".repeat(128 - 11 - header.len());
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let value = |i: u16| (f32::from(i) * 0.4).sin() + (f32::from(i) * 0.02).cos();
    bytes.extend((0..400).flat_map(|i| value(i).to_le_bytes()));
    std::fs::write(file, bytes).expect("written");
}

fn unicode(path: &Path) -> &str {
    path.to_str().expect("Unicode")
}

fn at(dir: &Path, name: &str) -> String {
    path(dir, name)
}
