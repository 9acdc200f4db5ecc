//! `exgnet figures` on old, damaged and unequal runs, and with options that choose among them.

use super::fake::Fake;
use super::{draw, runs, svgs, sweep};
use crate::common::{exgnet, fails, path, text};
use exgnet::plot::Look;
use exgnet::run::set::RunSet;
use std::path::Path;

#[test]
fn an_old_run_is_drawn_as_far_as_it_goes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake { explained: false, ..Fake::new("plain", 0) }.write(tmp.path());
    let out = path(tmp.path(), "out");
    let done = exgnet(&["figures", &dir.to_string_lossy(), "--out", &out, "--format", "svg,pdf"]);
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    for part in [
        "not drawn: gradcam: no explanations.safetensors of plain, fold 0",
        "not drawn: features:",
        "exgnet evaluate --model RUN",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for name in ["losses.svg", "confusion.svg", "ranking.svg", "network.svg", "losses.txt", "ranking.pdf"] {
        assert!(Path::new(&out).join(name).is_file(), "{name}");
    }
    assert!(!Path::new(&out).join("losses.png").exists());
    fails(
        &["figures", &dir.to_string_lossy(), "--only", "gradcam", "--out", &out],
        1,
        &["nothing could be drawn", "explanations"],
    );
    // what a folder can be drawn as is listed, and nothing written
    let listed = exgnet(&["figures", "--list", &dir.to_string_lossy(), "--out", &path(tmp.path(), "none")]);
    let (said, list) = (text(&listed.stderr), text(&listed.stdout));
    assert!(listed.status.success() && list.contains("losses (") && !list.contains("gradcam ("), "{list} {said}");
    assert!(said.contains("not drawn: gradcam: no explanations") && !Path::new(&path(tmp.path(), "none")).exists());
    let kinds = text(&exgnet(&["figures", "--list"]).stdout);
    assert!(kinds.contains("gradcam (") && kinds.contains("roofline ("), "{kinds}");
    fails(&["figures", "--list", &path(tmp.path(), "nobody")], 1, &["does not exist", "HINT"]);
    std::fs::remove_file(dir.join("predictions.csv")).expect("removed");
    let (found, missing) = svgs("ranking", &runs(&[&dir]), &Look::default());
    assert!(found.is_empty() && missing.iter().all(|m| m.contains("predictions.csv")), "{missing:?}");
    let runs = runs(&[&dir]);
    let drawn = draw("performance", &RunSet::new(&runs).expect("a set of runs"), &Look::default()).figures.len();
    assert_eq!(drawn, 1, "bars from metrics.json");
}

#[test]
fn bad_input_is_reported() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake::new("plain", 0).write(tmp.path());
    let run = dir.to_string_lossy().into_owned();
    let at = |name: &str| path(tmp.path(), name);
    fails(&["figures", &at("none")], 1, &["does not exist", "HINT"]);
    std::fs::create_dir(at("empty")).expect("made");
    fails(&["figures", &at("empty")], 1, &["no run folder", "HINT: give the folder of a run"]);
    fails(&["figures", &run, "--only", "pictures"], 2, &["one of training, confusion"]);
    fails(&["figures", &run, "--format", "eps"], 2, &["expected png, svg or pdf"]);
    for width in ["10", "NaN", "1e9"] {
        fails(&["figures", &run, "--width-mm", width], 1, &["--width-mm", "expected 80 to 400"]);
    }
    fails(&["figures", &run, "--width-mm", "85", "--theme", "slides"], 1, &["expected 120 to 400", "slides"]);
    fails(&["figures", &run, "--dpi", "0"], 1, &["--dpi 0: expected 50 to 1200"]);
    fails(&["figures", &run, "--fold", "3"], 1, &["fold 3", "expected one of the folds 0", "HINT"]);
    fails(&["figures", &run, "--records", "nobody"], 1, &["nobody", "they keep 6 records, such as class 0 no. 0"]);
    std::fs::write(at("odd.json"), b"{}").expect("written");
    fails(&["figures", &at("odd.json")], 1, &["no measurement of kernels"]);
    fails(&["figures", &run, "--only", "kernels"], 1, &["nothing there of what --only names"]);
}

/// A file that is broken, or cut off at a line and looks whole, is reported, and no figure shows some folds as if they were all:
/// none of those that need the file is drawn, all others are.
#[test]
fn a_damaged_file_is_reported_and_costs_its_own_figures() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let (root, fold) = (tmp.path().to_string_lossy().into_owned(), tmp.path().join("both/fold-1-seed-1"));
    // a file, how it is damaged, what is said, a figure that needs it, and one that does not
    let cut = |lines: usize| move |text: &str| text.lines().take(lines).map(|l| format!("{l}\n")).collect::<String>();
    type Damage<'a> = &'a dyn Fn(&str) -> String;
    let cases: [(&str, Damage, &[&str], &str, &str); 6] = [
        ("explanations.safetensors", &|_| "broken".into(), &["cannot be used"], "gradcam-both", "losses"),
        ("metrics.json", &|_| "{".into(), &["metrics.json cannot be used"], "confusion-both", "losses"),
        (
            "predictions.csv",
            &cut(20),
            &["has 19 records, expected the 30 of metrics.json", "cut off"],
            "ranking-both",
            "losses",
        ),
        ("log.jsonl", &cut(2), &["has 2 epochs, expected the 4 of config.toml", "cut off"], "losses", "ranking-both"),
        ("config.toml", &cut(30), &["is not whole", "[output]", "--force"], "losses", ""),
        ("run.json", &|_| "{}".into(), &["is no record of a run"], "losses", ""),
    ];
    for (file, damage, said, without, with) in cases {
        let at = fold.join(file);
        let before = std::fs::read(&at).expect("a file");
        std::fs::write(&at, damage(&String::from_utf8_lossy(&before))).expect("written");
        let out = tmp.path().with_extension(file);
        let args = ["figures", &root, "--format", "svg", "--out", &out.to_string_lossy()];
        fails(&args, 1, &[said, &[file, "both, fold 1, seed 1", "HINT"]].concat());
        assert!(!out.join(format!("{without}.svg")).exists(), "{file}: {without} is of some folds");
        assert!(with.is_empty() || out.join(format!("{with}.svg")).exists(), "{file}: {with} needs it not");
        fails(&["collect", &root], 1, said);
        std::fs::write(&at, before).expect("written");
        let _ = std::fs::remove_dir_all(&out);
    }
    // a run that lost its experiment, and one under way
    std::fs::remove_file(fold.join("config.toml")).expect("removed");
    fails(&["figures", &fold.to_string_lossy()], 1, &["config.toml", "cannot be read"]);
}

/// Arms are compared on the folds that all of them have, and on the same records; what is left out is reported.
#[test]
fn arms_are_compared_on_the_same_tests() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (root, out) = (tmp.path().join("sweep"), at("out"));
    sweep(&root);
    std::fs::remove_dir_all(root.join("both/fold-2-seed-1")).expect("removed");
    let shown = root.to_string_lossy().into_owned();
    let done = exgnet(&["figures", &shown, "--only", "per-class,ablation", "--format", "svg", "--out", &out]);
    let said = text(&done.stderr);
    assert!(
        done.status.success()
            && said.contains("plain, fold 2, seed 1: left out of comparisons: no finished run of both")
    );
    for name in ["per-class.txt", "ablation.txt"] {
        let caption = std::fs::read_to_string(Path::new(&out).join(name)).expect("a caption");
        assert!(caption.contains("(2 folds, 1 seed)"), "{caption}");
    }
    let done = exgnet(&["collect", &shown]);
    let (table, said) = (text(&done.stdout), text(&done.stderr));
    assert!(table.contains("over 2 folds") && said.contains("left out of comparisons"), "{table}{said}");
    assert!(table.contains("Left out: plain, fold 2, seed 1: left out of comparisons"), "{table}");
    // a run under way has no results, so that its fold is left out too, and says how it goes on
    let record = root.join("both/fold-1-seed-1/run.json");
    let whole = std::fs::read_to_string(&record).expect("a file");
    let mut under_way: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    under_way["end"] = serde_json::Value::Null;
    std::fs::write(&record, under_way.to_string()).expect("written");
    let page = at("page.html");
    for args in [&["collect", &shown][..], &["report", &shown, "--out", &page]] {
        let done = exgnet(args);
        let (found, said) = (text(&done.stdout), text(&done.stderr));
        let left = "plain, fold 1, seed 1; plain, fold 2, seed 1: left out of comparisons: no finished run of both";
        for part in [left, "both, fold 1, seed 1: the run is not finished", "--resume"] {
            assert!(said.contains(part), "{args:?}: {part}: {said}");
        }
        assert!(
            found.contains("5 runs (1 not finished)") || said.contains("2 runs; written"),
            "{args:?}: {found}{said}"
        );
    }
    std::fs::write(&record, whole).expect("written");
    // no fold in common
    let pair = ["plain/fold-1-seed-1", "both/fold-0-seed-1"].map(|name| root.join(name).to_string_lossy().into_owned());
    fails(&["figures", &pair[0], &pair[1], "--out", &at("none")], 1, &["found no fold and seed", "HINT"]);
    // arms of one name are distinguished; a run is not counted twice
    for name in ["a", "b"] {
        Fake::new("plain", 0).write(&tmp.path().join(name));
    }
    let twins = [at("a/plain"), at("b/plain")];
    let done =
        exgnet(&["figures", &twins[0], &twins[1], "--only", "confusion", "--format", "svg", "--out", &at("twins")]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let caption = std::fs::read_to_string(tmp.path().join("twins/confusion-a-plain.txt")).expect("a caption");
    assert!(
        caption.contains("n = 1 run") && caption.trim_end().ends_with("Drawn from: a/plain, b/plain."),
        "{caption}"
    );
    // other records
    Fake { there: vec![0, 1], ..Fake::new("both", 0) }.write(&tmp.path().join("c"));
    let other = at("c/both/fold-0-seed-1/predictions.csv");
    let rows = std::fs::read_to_string(&other).expect("rows");
    std::fs::write(&other, rows.replace("\nr", "\nq")).expect("written");
    fails(&["figures", &twins[0], &at("c/both"), "--out", &at("none")], 1, &["tests other records than", "HINT"]);
}

/// One record of one fold, and the caption says so.
#[test]
fn strips_and_folds_are_chosen() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let (root, out) = (tmp.path().to_string_lossy().into_owned(), path(tmp.path(), "out"));
    let args = ["--only", "gradcam", "--fold", "1", "--records", "class 1 no. 1", "--out", &out, "--format", "svg"];
    let done = exgnet(&[&["figures", &root][..], &args].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let caption = std::fs::read_to_string(Path::new(&out).join("gradcam-both.txt")).expect("a caption");
    assert!(caption.ends_with("(fold 1) (records class 1 no. 1).\n"), "{caption}");
    let drawn = std::fs::read_to_string(Path::new(&out).join("gradcam-both.svg")).expect("a figure");
    assert!(drawn.contains("class 1 no. 1") && !drawn.contains("no. 0"));
}
