//! An exported model gives what the full one gives.

use crate::common::{exgnet, fails, json, path, text, train};
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

    // in 16 bits: smaller, taken wherever a model is, nearly the same; and once more to the same bytes
    let half = at("half.safetensors");
    says(&["export", "--model", &run, "--out", &half, "--half"]);
    let stored = std::fs::read(&half).expect("a model");
    assert!((stored.len() as f64) < 0.75 * bytes.len() as f64, "{} of {}", stored.len(), bytes.len());
    says(&["export", "--model", &half, "--out", &at("half-again.safetensors"), "--half"]);
    assert!(std::fs::read(at("half-again.safetensors")).expect("a model") == stored);
    let logits = |model: &str| {
        let list = json(predict(model).as_bytes())["logits"].as_array().expect("a list").clone();
        list.iter().map(|v| v.as_f64().expect("a number")).collect::<Vec<f64>>()
    };
    let apart = logits(&run).iter().zip(logits(&half)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart > 0.0 && apart < 0.02, "{apart}");
    evaluate(&half);
    map(&half, "maps-half");

    fails(&["export", "--model", &at("strip.txt"), "--out", &at("x.safetensors")], 1, &["no safetensors file"]);
    fails(
        &["export", "--model", &run, "--out", &path(Path::new(&run), "model.safetensors")],
        1,
        &["is what this command reads"],
    );
    fails(&["export", "--model", &run, "--out", &run], 1, &["is a folder"]);
    fails(&["export", "--model", &run], 2, &["--out"]);
}
