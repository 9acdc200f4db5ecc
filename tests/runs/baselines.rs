//! Baselines as variants of a sweep, and maps as weights become random.

use crate::common::{exgnet, fails, path, text};
use std::path::Path;

const BASE: &str = "[data]\nfs = 100.0\nseconds = 4.0\nsplit = 'stratified'\nfolds = 2\n\
    [data.synthetic]\nrecords = 40\nclasses = ['SR', 'AFIB/AFL']\n\
    [network]\nwidths = [6, 8]\nstrides = [1, 2]\nstem_channels = 6\n[train]\nepochs = 2\nbatch = 8\n[output]\ngradcam = 0\n";

#[test]
fn baselines_stand_beside_networks() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    std::fs::write(at("base.toml"), BASE).expect("written");
    let (base, out) = (at("base.toml"), at("runs"));
    let works = |args: &[&str]| {
        let done = exgnet(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        text(&done.stdout)
    };
    for seed in ["1", "2"] {
        works(&["train", &base, "--seed", seed, "--out", &at(&format!("runs/plain/fold-0-seed-{seed}")), "--quiet"]);
    }
    let baselines = ["baselines", &base, "--out", &out, "--seed"];
    let said = works(&[&baselines[..], &["1"]].concat());
    for name in ["prior ", "rule ", "mlp ", "boosting ", "mlp-annotated "] {
        assert!(said.lines().any(|l| l.starts_with(name) && l.contains("macro-F1")), "{name}: {said}");
    }
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let before = read("runs/boosting/fold-0-seed-1/predictions.csv");
    fails(&[&baselines[..], &["1"]].concat(), 1, &["holds a run already", "--force"]);
    works(&[&baselines[..], &["1", "--force", "--threads", "1"]].concat());
    assert_eq!(read("runs/boosting/fold-0-seed-1/predictions.csv"), before, "one thread or several");
    fails(&["baselines", &base, "--out", &out, "--fold", "all"], 1, &["nothing to test on", "--fold 0"]);
    let run = at("runs/plain/fold-0-seed-1");
    fails(&["baselines", &base, "--out", &run], 1, &["is a run folder", "HINT"]);
    works(&[&baselines[..], &["2"]].concat());

    let table = works(&["collect", &out, "--quiet"]);
    // variant and number of runs
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split('|').map(str::trim).skip(1).take(2).collect()).collect();
    for name in ["plain", "rule", "boosting", "mlp-annotated"] {
        assert!(rows.contains(&vec![name, "2"]), "{name}: {table}");
    }
    // two seeds: a table with seeds averaged, of the one database
    let averaged = read("runs/by_database.csv");
    assert!(averaged.lines().any(|l| l.starts_with("rule,synthetic,20,20,")), "{averaged}");
    assert!(read("runs/by_database.md").contains("less that of plain"), "{averaged}");
    // against another one, beside those
    works(&["collect", &out, "--reference", "mlp", "--out", &at("against/mlp"), "--quiet"]);
    assert!(read("against/mlp/by_database.md").contains("less that of mlp"));
    assert!(read("runs/by_database.md").contains("less that of plain"));

    // figures of tests show both, those of epochs and maps the networks alone; nothing that a baseline cannot have is missed
    let figures = exgnet(&[
        "figures",
        &out,
        "--out",
        &at("figures"),
        "--only",
        "training,ranking,gradcam-aligned,embedding,confusion",
    ]);
    let said = text(&figures.stderr);
    assert!(figures.status.success() && !said.contains("missing") && !said.contains("not drawn"), "{said}");
    let drawn = |stem: &str| Path::new(&at("figures")).join(format!("{stem}.png")).exists();
    assert!(
        ["losses", "reliability", "gradcam-aligned", "embedding", "confusion-rule", "confusion-plain"]
            .iter()
            .all(|s| drawn(s))
    );
    assert!(!drawn("embedding-rule"));
}

#[test]
fn maps_lose_their_likeness_layer_by_layer() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    std::fs::write(at("base.toml"), BASE).expect("written");
    let run = at("run");
    let works = |args: &[&str]| {
        let done = exgnet(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        text(&done.stdout)
    };
    works(&["train", &at("base.toml"), "--out", &run, "--quiet"]);
    let said = works(&["evaluate", "--model", &run, "--out", &run, "--randomise"]);
    let read = || std::fs::read_to_string(at("run/randomised.json")).expect("randomised.json");
    let json: serde_json::Value = serde_json::from_str(&read()).expect("JSON");
    let layers = json["layers"].as_array().expect("layers");
    let names: Vec<&str> = layers.iter().filter_map(|l| l["layer"].as_str()).collect();
    assert_eq!(names, ["head", "blocks.1", "blocks.0", "stem"]);
    assert!(names.iter().all(|name| said.lines().any(|l| l.starts_with(name))), "{said}");
    assert_eq!((json["records"].as_u64(), json["part"].as_str()), (Some(20), Some("test")));
    let within = |v: &serde_json::Value| v.is_null() || v.as_f64().is_some_and(|v| (-1.0..=1.0).contains(&v));
    assert!(layers.iter().all(|l| within(&l["spearman"]) && within(&l["ncc"])), "{json}");
    let before = read();
    works(&["evaluate", "--model", &run, "--out", &run, "--randomise", "--quiet"]);
    assert_eq!(read(), before, "the same weights again");

    let figures = at("figures");
    works(&["figures", &run, "--only", "randomised", "--format", "svg", "--out", &figures]);
    let caption = std::fs::read_to_string(at("figures/randomised.txt")).expect("a caption");
    assert!(caption.contains("head, blocks.1, blocks.0, stem"), "{caption}");
    // a new run of the folder takes it away
    works(&["train", &at("base.toml"), "--out", &run, "--force", "--quiet"]);
    assert!(!std::path::Path::new(&at("run/randomised.json")).exists());
}
