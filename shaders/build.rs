//! Lists the kernels, so that a file in `shaders/` is built in because it is there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for path in entries.map(|e| e.expect("an entry of shaders/").path()) {
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            all.push(path);
        }
    }
}

fn main() {
    println!("cargo:rerun-if-changed=shaders");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("shaders");
    let mut all = Vec::new();
    files(&root, &mut all);
    all.sort();
    let mut list = String::from("&[\n");
    for path in all {
        let name = path.strip_prefix(&root).expect("below shaders/").to_string_lossy().replace('\\', "/");
        // writing into a String cannot fail
        let _ = writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    list.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo")).join("shaders.rs");
    std::fs::write(&out, list).unwrap_or_else(|e| panic!("{}: {e}", out.display()));
}
