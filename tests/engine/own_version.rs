//! What somebody meets who writes a version of their own: a loop that does not end.

use crate::common::{exgnet, text};
use exgnet::gpu::embedded_shaders;
use std::path::Path;

fn embedded(name: &str) -> &'static str {
    embedded_shaders().iter().find(|(n, _)| *n == name).expect("embedded").1
}

fn write(dir: &Path, changed: &str) {
    std::fs::create_dir_all(dir.join("conv1d")).expect("made");
    std::fs::write(dir.join("conv1d/90_mine.wgsl"), changed).expect("written");
}

/// A text whose code, without the comments, is changed.
fn changed(text: &str, from: &str, to: &str) -> String {
    let line = |line: &str| match line.split_once("//") {
        Some((code, comment)) if !line.contains("{{") => format!("{}//{comment}\n", code.replace(from, to)),
        _ => format!("{}\n", line.replace(from, to)),
    };
    let all: String = text.lines().map(line).collect();
    assert_ne!(all, text, "{from}");
    all
}

/// The device is not waited for without an end, and the message names the kernel.
#[test]
fn a_loop_that_does_not_end_is_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let endless = "var sum = 0.0;\n    while p.n > 0u { sum += src[0]; }";
    write(dir.path(), &changed(embedded("conv1d/01_naive.wgsl"), "var sum = 0.0;", endless));
    let dir = dir.path().to_str().expect("Unicode");
    let mine = ["--shader-dir", dir, "--version", "mine", "--limit", "5"];
    for (command, more) in [("check", &[][..]), ("bench", &["--shape", "batch=1,in=2,out=2,len=50"])] {
        let done = exgnet(&[&[command, "conv1d"], &mine[..], more].concat());
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{command}: {said}");
        let (error, hint) = said.split_once("\nHINT: a loop of the kernel does not end").expect("a hint");
        let error = error.lines().last().unwrap_or_default();
        assert!(error.starts_with("error: GPU: ") && hint.contains("--limit SECONDS"), "{command}: {said}");
        for word in ["has not answered for 5 seconds", "under way: conv1d/90_mine"] {
            assert!(error.contains(word), "{command}: no {word} in {error}");
        }
        assert_eq!(error.contains("conv1d/90_mine, case 'conv1d "), command == "check", "{error}");
        let refused = exgnet(&[command, "conv1d", "--limit", "0"]);
        assert!(text(&refused.stderr).contains("--limit 0: expected seconds, more than 0"), "{command}");
    }
}
