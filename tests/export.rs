//! An exported model gives what the full one gives.

mod common;

use common::{exgnet, fails, path, text, train};
use std::path::Path;

/// Standard output of a command that must succeed.
fn says(args: &[&str]) -> String {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

#[test]
fn the_exported_part_says_the_same() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (run, small) = (at("run"), at("small.safetensors"));
    train(Path::new(&run), &[]);
    says(&["export", "--model", &run, "--out", &small]);
    let bytes = std::fs::read(&small).expect("a model");
    let head = String::from_utf8_lossy(&bytes[8..8 + bytes[0] as usize + 256 * bytes[1] as usize]).into_owned();
    for part in ["feature", "joint", "regressor"] {
        assert!(!head.contains(part), "{part}: {head}");
    }
    assert!(head.contains("stem.conv.weight") && head.contains("\"head.weight\"") && head.contains("running_var"));
    // once more, from the folder's file, and from the exported file
    for (i, model) in [path(Path::new(&run), "model.safetensors"), small.clone()].iter().enumerate() {
        let again = at(&format!("again-{i}.safetensors"));
        says(&["export", "--model", model, "--out", &again, "--quiet"]);
        assert!(std::fs::read(&again).expect("a model") == bytes, "{model}");
    }
    // every digit of the metrics, on the run's data
    let config = path(Path::new(&run), "config.toml");
    let evaluate = |model: &str| says(&["evaluate", "--model", model, "--data", &config, "--json"]);
    let full = evaluate(&run);
    assert!(full.contains("\"macro_f1\"") && full == evaluate(&small), "{full}\n{}", evaluate(&small));

    let strip: String = (0..400).map(|i| format!("{}\n", (f64::from(i) * 0.4).sin() + f64::from(i % 90))).collect();
    std::fs::write(at("strip.txt"), strip).expect("written");
    let predict = |model: &str| says(&["predict", "--model", model, &at("strip.txt"), "--json"]);
    assert_eq!(predict(&run), predict(&small));
    let map = |model: &str, to: &str| {
        says(&["explain", "--model", model, &at("strip.txt"), "--out", &at(to)]);
        std::fs::read(Path::new(&at(to)).join("strip.npy")).expect("a map")
    };
    assert!(map(&run, "maps-full") == map(&small, "maps-small"));

    fails(&["export", "--model", &at("strip.txt"), "--out", &at("x")], 1, &["no safetensors file"]);
    fails(&["export", "--model", &run, "--out", &path(Path::new(&run), "model.safetensors")], 1, &["the model itself"]);
    fails(&["export", "--model", &run, "--out", &run], 1, &["is a folder"]);
    fails(&["export", "--model", &run], 2, &["--out"]);
}
