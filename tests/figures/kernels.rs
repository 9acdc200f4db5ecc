//! Figures of kernels and of the network: what their SVG consists of, and files that are not as one would wish.
//!
//! `EXGNET_GOLDENS=write cargo test --test figures kernels::` rewrites the expected structures;
//! `EXGNET_FIGURES=write` draws the networks of `results/network` again; `EXGNET_FIGURES_DIR=DIR` draws them there in
//! every theme and width, to be looked at.

mod data;

use crate::common::drawing::{check, texts};
use crate::common::goldens::{asked, same_as_golden};
use crate::common::root;
use data::{ladders, row, suite};
use exgnet::experiment::Experiment;
use exgnet::figures::catalogue::{Draw, FIGURES, Kind};
use exgnet::figures::kernels::KernelData;
use exgnet::figures::network::diagram::{NetworkDiagram, diagram};
use exgnet::figures::{kernels, network};
use exgnet::plot::{Figure, Format, Look, Theme};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const LOOKS: [(f64, Theme); 6] = [
    (85.0, Theme::Paper),
    (180.0, Theme::Paper),
    (85.0, Theme::Slides),
    (180.0, Theme::Slides),
    (85.0, Theme::Dark),
    (180.0, Theme::Dark),
];

fn look((width_mm, theme): (f64, Theme)) -> Look {
    Look { width_mm, theme, ..Look::default() }
}

fn write(dir: &Path, name: &str, value: &Value) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, value.to_string()).unwrap();
    path
}

/// How many elements of each kind an SVG has, and its texts in the order of drawing.
fn structure(svg: &str) -> String {
    let count = |tag: &str| svg.matches(&format!("<{tag} ")).count();
    let mut out = String::new();
    for tag in ["rect", "polyline", "line", "polygon", "circle", "text"] {
        writeln!(out, "{tag} {}", count(tag)).unwrap();
    }
    for text in texts(svg) {
        writeln!(out, "| {text}").unwrap();
    }
    out
}

fn compare(figure: &Figure, width: f64) {
    let name = format!("{}-{width}.txt", figure.stem);
    let found = format!("{}\n\n{}", structure(&check(figure, &name)), figure.caption);
    same_as_golden(&format!("figures/{name}"), &found);
}

/// Networks of every kind; those whose name has no space are in `results/network`.
const NETWORKS: [(&str, &[&str]); 10] = [
    ("exgnet", &["network.preset='exgnet'"]),
    ("exgnet-small", &["network.preset='exgnet-small'"]),
    ("resnet1d", &["network.kind='resnet1d'"]),
    ("inceptiontime", &["network.kind='inceptiontime'"]),
    ("cnn", &["network.kind='cnn'"]),
    ("a cascade", &["network.kind='cascade'"]),
    (
        "a cascade with more",
        &["network.kind='cascade'", "network.se_reduction=8", "network.dilations=[1,2,4]", "network.head='mlp'"],
    ),
    ("equal lengths", &["network.se_reduction=8", "network.strides=[1,1,1,1,1,1,1,1]", "network.dropout=0"]),
    ("one module", &["network.kind='inceptiontime'", "network.depth=1"]),
    ("many modules", &["network.kind='inceptiontime'", "network.depth=60"]),
];

fn drawn(sets: &[String]) -> NetworkDiagram {
    diagram(&Experiment::parse_with("", "e.toml", sets).unwrap(), 5).unwrap()
}

fn small_network() -> NetworkDiagram {
    let sets = ["network.preset='exgnet-small'".to_owned(), "data.seconds=10".to_owned()];
    diagram(&Experiment::parse_with("", "e.toml", &sets).unwrap(), 4).unwrap()
}

/// Every figure of kernels that the data has enough for.
fn all(data: &KernelData, look: &Look) -> Vec<Figure<'static>> {
    let draw = |kind: &Kind| match kind.draw {
        Draw::Kernels(draw) => draw(data, look),
        Draw::Runs(_) | Draw::Networks(_) => Vec::new(),
    };
    FIGURES.iter().flat_map(draw).collect()
}

#[test]
fn figures_consist_of_what_they_should() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, versions) = suite();
    write(dir.path(), "suite.json", &suite);
    write(dir.path(), "variants.json", &versions);
    write(dir.path(), "ladder.json", &ladders());
    let data = kernels::read(dir.path()).unwrap();
    for width_mm in [85.0, 180.0] {
        let look = look((width_mm, Theme::Paper));
        let figures = all(&data, &look);
        let stems: Vec<&str> = figures.iter().map(|f| f.stem.as_str()).collect();
        assert_eq!(stems, ["roofline", "variants", "step-share", "scaling", "ladder-conv1d", "ladder-max_pool"]);
        figures.iter().for_each(|f| compare(f, width_mm));
        network::network(&small_network(), "network", &look).iter().for_each(|f| compare(f, width_mm));
    }
}

#[test]
fn every_theme_and_width_has_room_for_the_real_results() {
    let data = kernels::read(root("results/kernels/llvmpipe-amd-avx512")).unwrap();
    for (i, case) in LOOKS.into_iter().enumerate() {
        for figure in all(&data, &look(case)) {
            check(&figure, &format!("{} {case:?}", figure.stem));
        }
        for (name, sets) in NETWORKS {
            let mut sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            if i % 2 == 1 {
                sets.extend(["losses.joint=0", "losses.feature=0"].map(String::from));
            }
            for figure in network::network(&drawn(&sets), "network", &look(case)) {
                check(&figure, &format!("{} {name} {case:?}", figure.stem));
                let (most, high) = (if case.0 > 100.0 { 235.1 } else { 120.1 }, figure.page.height_mm);
                assert!(high < most || case.1.scale() > 1.0, "{name} {case:?}: {high} mm");
            }
        }
    }
}

#[test]
fn a_file_gives_the_figures_that_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, versions) = suite();
    let stems = |value: &Value| -> Vec<String> {
        let data = kernels::read(write(dir.path(), "x.json", value)).unwrap();
        let all = LOOKS.map(|case| all(&data, &look(case)));
        all.iter().flatten().for_each(|f| drop(check(f, &f.stem)));
        all[0].iter().map(|f| f.stem.clone()).collect()
    };
    assert_eq!(stems(&versions), ["roofline", "variants"], "the fastest versions have a roofline");
    assert_eq!(stems(&suite["step"]), ["step-share"], "what `exgnet profile --json` prints");
    assert_eq!(stems(&ladders()), ["ladder-conv1d", "ladder-max_pool"], "what `exgnet ladder --out` writes");
    let only = |keys: &[&str]| {
        let all = suite.as_object().unwrap();
        Value::Object(
            all.iter().filter(|(k, _)| keys.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect(),
        )
    };
    assert_eq!(stems(&only(&["lengths"])), ["scaling"]);
    assert_eq!(stems(&only(&["batches", "layers"])), ["roofline", "scaling"], "without ceilings and adapter");
    let one = json!({"rows": [row("stem", "conv1d", 15, "default", 16.0)], "ceilings": {"gflops": 99.0}});
    assert_eq!(stems(&one), ["roofline"], "one layer, and one ceiling");
    let one = json!({"rows": [row("", "conv1d", 3, "a", 16.0), row("", "conv1d", 3, "b", 2.0)], "lengths": [suite["lengths"][0]]});
    assert_eq!(stems(&one), ["roofline", "variants", "scaling"]);
}

#[test]
fn missing_numbers_and_long_names_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (mut suite, mut versions) = suite();
    let long = "a_very_long_name_of_a_shader_that_nobody_would_write ".repeat(8);
    let odd = [Value::Null, json!(0), json!(-3.5), json!(1e300), json!(1e-300), json!("x"), json!([1])];
    for (i, value) in odd.iter().enumerate() {
        suite["layers"][i]["gflops"] = value.clone();
        versions["rows"][i]["ms"]["high"] = value.clone();
        versions["rows"][i + 8]["gflops"] = value.clone();
        suite["step"]["by_kernel"][i % 6]["ms"] = value.clone();
        suite["lengths"][i % 4]["train_ms"]["median"] = value.clone();
        suite["batches"][i % 3]["infer_ms"]["low"] = value.clone();
        suite["ceilings"]["gb_per_s"] = value.clone();
        suite["step"]["by_kernel"][1]["kernel"] = json!(long);
        suite["step"]["by_kernel"][0]["phase"] = json!(long);
        suite["layers"][8]["layer"] = json!(long);
        versions["rows"][30]["layer"] = json!(long);
        versions["rows"][30]["variant"] = json!(long);
        write(dir.path(), "suite.json", &suite);
        write(dir.path(), "variants.json", &versions);
        let data = kernels::read(dir.path()).unwrap();
        for case in LOOKS {
            let figures = all(&data, &look(case));
            assert!(!figures.is_empty());
            figures.iter().for_each(|f| drop(check(f, &format!("{} {value} {case:?}", f.stem))));
        }
    }
    let mut ladders = ladders();
    for (i, value) in odd.iter().enumerate() {
        ladders["ladders"][0]["rungs"][i % 3]["gflops"] = value.clone();
        ladders["ladders"][0]["rungs"][(i + 1) % 3]["ms"]["p95"] = value.clone();
        ladders["ladders"][1]["ceilings"]["gb_per_s"] = value.clone();
        ladders["ladders"][1]["rungs"][0]["times_faster"] = value.clone();
        for key in ["name", "change", "note"] {
            ladders["ladders"][0]["rungs"][3][key] = json!(long);
        }
        let data = kernels::read(write(dir.path(), "l.json", &ladders)).unwrap();
        for case in LOOKS {
            all(&data, &look(case)).iter().for_each(|f| drop(check(f, &format!("{} {value} {case:?}", f.stem))));
        }
    }
    std::fs::remove_file(dir.path().join("l.json")).unwrap();
    suite["layers"][0]["gflops"] = Value::Null;
    let data = kernels::read(write(dir.path(), "suite.json", &suite)).unwrap();
    let roofline = kernels::roofline(&data, &Look::default()).unwrap();
    assert!(roofline.caption.contains("without numbers"), "{}", roofline.caption);
    // every number missing: nothing is drawn, and nothing fails
    let nulls = json!({"rows": [{"operation": "conv1d"}], "by_kernel": [{"kernel": "a"}], "lengths": [{"batch": 1, "samples": 2}]});
    assert!(all(&kernels::read(write(dir.path(), "n.json", &nulls)).unwrap(), &Look::default()).is_empty());
    assert!(all(&KernelData::default(), &Look::default()).is_empty());
}

/// Every picture of these pages is drawn again from what lies under `results/`, byte for byte.
#[test]
fn figures_of_the_pages_come_from_committed_results() {
    let tmp = tempfile::tempdir().unwrap();
    let mut drawn = BTreeSet::new();
    for page in ["README.md", "results/README.md", "experiments/README.md", "shaders/README.md"] {
        let (text, dir) = (std::fs::read_to_string(root(page)).unwrap(), root(page).parent().unwrap().to_path_buf());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((folder, file)) = link.split_once("/figures/").filter(|_| link.ends_with(".png")) else {
                continue;
            };
            let (results, committed) = (dir.join(folder), dir.join(link).canonicalize().unwrap());
            if !drawn.insert(committed.clone()) {
                continue;
            }
            let out = tmp.path().join(drawn.len().to_string());
            let kind = FIGURES.iter().map(|k| k.stem).filter(|stem| file.starts_with(stem));
            let kind = kind.max_by_key(|stem| stem.len()).expect("a kind of figure");
            // of one seed or fold where its caption says so
            let caption = std::fs::read_to_string(committed.with_extension("txt")).unwrap();
            let part = caption.trim().rsplit_once(" (").and_then(|(_, part)| part.strip_suffix(")."));
            let part = part.filter(|p| p.starts_with("fold ") || p.starts_with("seed ")).unwrap_or_default();
            let part = part.split("; ").filter_map(|p| p.split_once(' ')).map(|(what, n)| format!("--{what}={n}"));
            let args = [results.to_str().unwrap(), "--only", kind, "--format", "png", "--out", out.to_str().unwrap()];
            let args: Vec<String> = args.into_iter().map(str::to_owned).chain(part).collect();
            let (code, _, said) = exgnet(&args.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(code, Some(0), "{link}: {said}");
            let bytes = |path: &Path| std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let same = bytes(&out.join(file)) == bytes(&committed);
            assert!(same, "{page}: {link}: `exgnet figures {}` draws another one", results.display());
        }
    }
    assert!(drawn.len() >= 4, "{drawn:?}");
}

#[test]
fn committed_networks_are_there() {
    for (name, sets) in NETWORKS.into_iter().filter(|(name, _)| !name.contains(' ')) {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        let mut figure = network::network(&drawn(&sets), "network", &look((180.0, Theme::Paper))).remove(0);
        figure.stem = name.into();
        let dir = root("results/network");
        if asked("EXGNET_FIGURES") {
            figure.write(&dir, &[Format::Png, Format::Svg]).unwrap();
        }
        let committed = std::fs::read_to_string(dir.join(format!("{name}.svg"))).unwrap();
        assert!(committed == figure.svg().unwrap(), "{name}: EXGNET_FIGURES=write draws it again");
    }
}

#[test]
fn figures_to_look_at() {
    if let Ok(dir) = std::env::var("EXGNET_FIGURES_DIR") {
        for case in LOOKS {
            let data = kernels::read(root("results/kernels/llvmpipe-amd-avx512")).unwrap();
            let mut all = all(&data, &look(case));
            for (name, sets) in NETWORKS {
                let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
                for mut figure in network::network(&drawn(&sets), "network", &look(case)) {
                    figure.stem = format!("{}-{}", figure.stem, name.replace(' ', "-"));
                    all.push(figure);
                }
            }
            for figure in all {
                figure.write(&Path::new(&dir).join(format!("{}-{}", case.1.name(), case.0)), &[Format::Png]).unwrap();
            }
        }
    }
}

/// Runs the program; its exit code, standard output and standard error.
fn exgnet(args: &[&str]) -> (Option<i32>, String, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_exgnet")).arg("figures").args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_command_draws_what_a_folder_has() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let kernels = root("results/kernels/llvmpipe-amd-avx512");
    let kernels = kernels.to_str().unwrap();
    let (code, said, _) = exgnet(&[
        kernels,
        "--only",
        "roofline",
        "--width-mm",
        "85",
        "--theme",
        "dark",
        "--format",
        "svg",
        "--out",
        out,
    ]);
    assert_eq!((code, said.lines().count()), (Some(0), 2), "{said}");
    let svg = std::fs::read_to_string(dir.path().join("roofline.svg")).unwrap();
    assert!(svg.contains("width=\"85mm\""), "{}", &svg[..200]);
    let run = root("results/mitbih-ablation/both/fold-2-seed-1");
    let (code, said, _) = exgnet(&[run.to_str().unwrap(), "--out", out]);
    assert!(code == Some(0) && said.contains("network.png") && dir.path().join("network.txt").is_file(), "{said}");
    for (args, word) in [
        (&[kernels, "--width-mm", "NaN", "--out", out][..], "HINT"),
        (&[kernels, "--only", "network", "--out", out], "nothing there"),
        (&["no-such-folder", "--out", out], "HINT"),
        (&[out, "--out", out], "HINT"),
    ] {
        let (code, _, said) = exgnet(args);
        assert!(code == Some(1) && said.contains(word) && !said.contains("panicked"), "{args:?}: {said}");
    }
}
