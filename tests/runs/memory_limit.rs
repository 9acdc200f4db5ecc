//! `--memory-limit`: what does not fit at once is done in parts where that is possible. (The error where it is not, and
//! the batch that it names: `faults.rs`.)

use crate::common::{TINY, exgnet, fails, json, path, text, train};
use std::path::Path;
use std::process::Output;

fn ok(args: &[&str]) -> Output {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    out
}

/// What the pool holds after a step at the whole batch, bytes.
fn held(sets: &[&str]) -> u64 {
    let out = ok(&[&["train", "--dry-run", "--json"][..], &TINY, sets].concat());
    json(&out.stdout)["memory_held"].as_u64().expect("a number")
}

#[test]
fn batches_of_every_shape_fit_where_the_largest_does() {
    let tmp = tempfile::tempdir().expect("a folder");
    // a last batch of another size, and a validation: three shapes in turn, each recorded with memory of its own
    let sets = ["--set", "data.synthetic.records=100", "--set", "train.batch=24", "--set", "train.epochs=2"];
    let limit = (held(&sets) * 115 / 100).to_string();
    let (free, bound) = (path(tmp.path(), "free"), path(tmp.path(), "bound"));
    train(Path::new(&free), &sets);
    train(Path::new(&bound), &[&sets[..], &["--memory-limit", &limit]].concat());
    let model = |dir: &str| std::fs::read(Path::new(dir).join("model.safetensors")).expect("a model");
    assert!(model(&free) == model(&bound), "the same bytes");
}

#[test]
fn an_evaluation_is_divided_until_it_fits() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = path(tmp.path(), "run");
    train(Path::new(&run), &["--set", "train.epochs=1", "--set", "data.synthetic.records=120"]);
    let evaluate = |more: &[&str]| json(&ok(&[&["evaluate", "--model", &run, "--json"][..], more].concat()).stdout);
    let (free, bound) = (evaluate(&[]), evaluate(&["--memory-limit", "500k"]));
    assert_eq!(free["confusion"], bound["confusion"]);
    for score in ["ncc", "energy", "deletion_auc", "insertion_auc"] {
        let of = |metrics: &serde_json::Value| metrics["explanation"][score].as_f64().expect("a number");
        assert!((of(&free) - of(&bound)).abs() < 1e-4, "{score}: {} and {}", of(&free), of(&bound));
    }
    // not even one strip
    fails(&["evaluate", "--model", &run, "--memory-limit", "60k"], 1, &["memory: ", "0.060 MB", "raise the limit"]);
}
