//! The page about runs: whole, harmless, and honest about what is missing.

use crate::common::{exgnet, fails, path, text};
use exgnet::experiment::Experiment;
use exgnet::experiment::Fold;
use exgnet::explain::scores::{MapScores, summary};
use exgnet::report::report;
use exgnet::run::cost::Cost;
use exgnet::run::examples::{Aligned, Example, Examples};
use exgnet::run::explanation::{Explanations, Perturbation};
use exgnet::run::folder::EpochLog;
use exgnet::run::predictions;
use exgnet::run::predictions::Prediction;
use exgnet::run::record::RunRecord;
use exgnet::run::sanity::{Chance, Sanity};
use exgnet::run::{Metrics, RunFolder};
use quick_xml::events::Event;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Names that would do harm where they are not escaped.
const CLASSES: [&str; 2] = ["SR</script><b>", "AFIB/AFL & \"co\""];
const RECORD: &str = "<script>alert('x')</script><img src=\"http://example.org/x\" onerror=\"alert(1)\">";

fn strip(record: &str, class: usize, guided: bool) -> Example {
    let mut signal: Vec<f32> = (0..500).map(|i| ((i % 100) as f32 / 50.0 - 1.0).powi(9)).collect();
    signal[7] = f32::NAN;
    signal[8] = f32::INFINITY;
    Example {
        record: record.into(),
        class,
        predicted: usize::from(guided),
        probabilities: vec![0.75, 0.25],
        ncc: if class == 0 { 0.5 } else { f32::NAN },
        expert_beats: class == 0,
        marked: None,
        r_peaks: vec![0, 100, 200, 499],
        signal,
        in_mv: true,
        target: if class == 0 { (0..500).map(|i| (i % 100) as f32 / 99.0).collect() } else { vec![0.0; 500] },
        // a run of before keeps the map of the true class alone
        maps: match (guided, class) {
            (true, _) => vec![vec![0.0, 3.0, 1.5, 0.25, 0.0], vec![1.0, 0.0, 0.0, 0.0, 0.5]],
            (false, 0) => vec![vec![0.0; 5], Vec::new()],
            _ => vec![Vec::new(), vec![0.0; 5]],
        },
        patient: "p".into(),
    }
}

/// Writes a finished run with all that a page shows.
fn run(dir: &Path, fold: usize, guided: bool) -> PathBuf {
    let folder = RunFolder::create(dir, false).expect("a folder");
    let mut experiment = Experiment::default();
    (experiment.train.fold, experiment.train.epochs) = (Fold::Index(fold), 2);
    folder.write_config(&experiment).expect("written");
    let mut record = RunRecord::start(&experiment);
    record.adapter = Some("an <adapter>".into());
    record.finish(61.0);
    folder.write_run(&record).expect("written");
    for epoch in 1..=2 {
        let losses = vec![("ce <x>".into(), if epoch == 1 { f64::NAN } else { 0.5 })];
        let metrics = vec![("train_accuracy".into(), 0.5)];
        let line = EpochLog { epoch, step: 10 * epoch, lr: 1e-3, losses, metrics, seconds: 1.0 };
        folder.append_log(&line).expect("written");
    }
    let classes = CLASSES.map(String::from);
    let records = [format!("{RECORD}{fold}"), format!("other {fold}")];
    let rows = [vec![0.75, 0.25], vec![0.75, 0.25]];
    let metrics = Metrics::compute(&classes, &records, &[0, 1], &rows, Some(&[3, 1])).expect("metrics");
    std::fs::write(dir.join("metrics.json"), serde_json::to_string(&metrics).expect("JSON")).expect("written");
    let prediction = |i: usize| Prediction {
        record: records[i].clone(),
        patient: records[i].clone(),
        truth: i,
        probabilities: rows[i].clone(),
        explanation: None,
        areas: None,
        by_features: None,
    };
    predictions::write(&dir.join("predictions.csv"), &classes, &[prediction(0), prediction(1)], None).expect("written");
    let scores =
        MapScores { ncc: 0.5, ncc_beats: 0.25, ncc_intervals: 0.125, energy: 0.75, pointing: true, dead: false };
    let summary = summary(&[(0, Some(scores)), (1, None)], &classes).expect("scores");
    let explanation = Explanations {
        true_class: summary.clone(),
        predicted_class: summary.clone(),
        perturbation: Perturbation { steps: 1, records: 0, dead: 0, per_class: Vec::new() },
    };
    let sanity = Sanity {
        uniform: summary.clone(),
        pointing_chance: Chance::of(&[(0, Some(0.25))], 2),
        slope: summary.clone(),
        random_network: summary,
        random_seed: 7,
        features: Some(metrics),
    };
    // what can be tested again has a model
    std::fs::write(folder.model(), "").expect("written");
    let json = |value: Result<String, serde_json::Error>| value.expect("JSON");
    std::fs::write(dir.join("explanation.json"), json(serde_json::to_string(&explanation))).expect("written");
    let cost = Cost { parameters: 9, multiply_adds: 8, samples: 500, adapter: None, inference: Vec::new() };
    std::fs::write(dir.join(Cost::FILE), json(serde_json::to_string(&cost))).expect("written");
    std::fs::write(dir.join("sanity.json"), json(serde_json::to_string(&sanity))).expect("written");
    let shown = Examples {
        classes: classes.to_vec(),
        fs: 100.0,
        layer: "blocks.<1>".into(),
        strips: vec![strip(&records[0], 0, guided), strip(&records[1], 1, guided)],
        aligned: vec![Aligned::default(); 2],
        ..Examples::default()
    };
    shown.write(&dir.join(Examples::FILE), None).expect("written");
    dir.to_path_buf()
}

/// Two variants of two folds.
fn sweep(dir: &Path) {
    for (variant, guided) in [("plain", false), ("gui<d>ed & \"co\"", true)] {
        for fold in 0..2 {
            run(&dir.join(variant).join(format!("fold-{fold}-seed-1")), fold, guided);
        }
    }
}

/// Reads a page as XML; gives the names of its elements. Whatever would run or fetch fails.
fn check(html: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(html);
    let (mut names, mut ids, mut depth) = (Vec::new(), HashSet::new(), 0);
    let mut links = Vec::new();
    loop {
        let event = reader.read_event().unwrap_or_else(|e| panic!("{e} at byte {}", reader.error_position()));
        let start = match &event {
            Event::Start(start) => {
                depth += 1;
                start
            }
            Event::Empty(start) => start,
            Event::End(_) => {
                depth -= 1;
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        names.push(start.local_name().as_ref().to_owned());
        for attribute in start.attributes() {
            let attribute = attribute.expect("an attribute");
            let (key, value) = (attribute.key.as_ref(), attribute.value.to_string());
            assert!(!key.to_lowercase().starts_with("on"), "{key}={value}");
            match key {
                "id" => assert!(ids.insert(value.clone()), "the id {value} is there twice"),
                "href" | "xlink:href" => links.push(value),
                "src" | "srcset" | "action" | "data" | "poster" => panic!("{key}={value}"),
                _ if key.starts_with("xmlns") => {}
                _ => assert!(!value.contains("://"), "{key}={value}"),
            }
        }
    }
    assert_eq!(depth, 0, "elements are left open");
    for link in links {
        assert!(link.strip_prefix('#').is_some_and(|id| ids.contains(id)), "a link to {link}");
    }
    names
}

/// The data of the strips' browser.
fn data(html: &str) -> Value {
    let start = html.find("id=\"strips-data\">").expect("data") + "id=\"strips-data\">".len();
    let end = start + html[start..].find("</script>").expect("an end");
    serde_json::from_str(&html[start..end]).expect("JSON")
}

fn base64(text: &Value) -> Vec<u8> {
    let place = |c: char| match c {
        'A'..='Z' => c as u32 - 65,
        'a'..='z' => c as u32 - 71,
        '0'..='9' => c as u32 + 4,
        '+' => 62,
        _ => 63,
    };
    let text: Vec<char> = text.as_str().expect("text").chars().filter(|c| *c != '=').collect();
    let four = |part: &[char]| {
        let bits = part.iter().enumerate().fold(0, |bits, (i, c)| bits | place(*c) << (18 - 6 * i));
        let bytes = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
        bytes[..part.len() - 1].to_vec()
    };
    text.chunks(4).flat_map(four).collect()
}

fn numbers(of: &Value, key: &str) -> Vec<f64> {
    let unit = of["unit"].as_f64().expect("a unit");
    let one = |b: &[u8]| match i16::from_le_bytes([b[0], b[1]]) {
        i16::MIN => f64::NAN,
        v => f64::from(v) * unit,
    };
    base64(&of[key]).chunks(2).map(one).collect()
}

#[test]
fn the_page_is_whole_and_harmless() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    // drawings that were made before, one of them hostile, and with the ids of the other
    let figures = tmp.path().join("plain/fold-0-seed-1/figures");
    std::fs::create_dir_all(&figures).expect("made");
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><clipPath id=\"c\"/><g clip-path=\"url(#c)\"/><script>alert(2)\
               </script><image href=\"http://example.org/x.png\"/></svg>";
    std::fs::write(figures.join("roc.svg"), svg).expect("written");
    std::fs::write(figures.join("roc2.svg"), svg).expect("written");
    std::fs::write(figures.join("roc.txt"), "A caption of 1 < 2\n").expect("written");
    std::fs::write(figures.join("broken.svg"), "<svg").expect("written");

    let page = report(&[tmp.path().to_path_buf()], 12).expect("a page");
    let names = check(&page.html);
    assert_eq!(names.iter().filter(|n| *n == "script").count(), 2, "the page's own");
    assert!(!names.iter().any(|n| ["img", "link", "iframe", "object", "b-"].contains(&n.as_str())));
    for bad in ["<script>alert", "<img", "</script><b>", "example.org/x.png", "alert(2)"] {
        assert!(!page.html.contains(bad), "{bad}");
    }
    for part in [
        "What ran",
        "an &lt;adapter&gt;",
        "A caption of 1 &lt; 2",
        "gui&lt;d&gt;ed &amp; &quot;co&quot;",
        "mean and standard deviation over ",
        "class prior",
        "17 features alone",
        "random weights",
        "url(#f1-c)",
        "url(#f2-c)",
        "Confusion matrix: plain",
        "id=\"figure-confusion-plain\"",
        "id=\"figure-confusion-gui-d-ed----co-\"",
        "0.667 ±\u{a0}0.000",
    ] {
        assert!(page.html.contains(part), "{part}");
    }
    // in the order of a paper, in every table of runs
    let order = "macro-F1 accuracy AUROC NCC energy pointing deletion insertion";
    let order = order.split(' ').map(|name| format!("<th scope=\"col\" class=\"n\">{name}</th>")).collect::<String>();
    assert_eq!(page.html.matches(&order).count(), 2, "means over folds, every run");
    let said_of: Vec<&str> = page.missing.iter().map(|m| m.what.as_str()).collect();
    assert!(said_of.len() == 1 && said_of[0].contains("no SVG"), "{said_of:?}");
    assert_eq!((page.runs, page.strips), (4, (8, 8)));
}

#[test]
fn the_data_are_the_numbers_of_the_runs() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let all = data(&report(&[tmp.path().to_path_buf()], 12).expect("a page").html);
    assert_eq!(all["classes"], serde_json::json!(CLASSES));
    assert_eq!(all["variants"], serde_json::json!(["plain", "gui<d>ed & \"co\""]));
    let (strips, maps) = (all["strips"].as_array().expect("strips"), all["maps"].as_array().expect("maps"));
    assert_eq!((strips.len(), maps.len()), (4, 8), "a strip of two variants is there once");
    for map in maps {
        let s = &strips[map["strip"].as_u64().expect("a place") as usize];
        let class = s["truth"].as_u64().expect("a class") as usize;
        let guided = map["variant"] == 1;
        let expected = strip(s["record"].as_str().expect("a name"), class, guided);
        let close = |found: &[f64], expected: &[f32], half: f64| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let same = (found - f64::from(*expected)).abs() <= half * 1.001;
                assert!(if expected.is_finite() { same } else { found.is_nan() }, "{found} {expected}");
            }
        };
        // beyond what the file itself rounds: to 1 µV, to bytes, to 16-bit floats
        close(&numbers(s, "signal"), &expected.signal, s["unit"].as_f64().expect("a unit") / 2.0 + 5e-4);
        if class == 0 {
            let target: Vec<f64> = base64(&s["target"]).iter().map(|b| f64::from(*b) / 254.0).collect();
            close(&target, &expected.target, 1.0 / 254.0);
        } else {
            assert!(s["target"].is_null(), "a target that is not valid is none");
        }
        for (c, found) in map["maps"].as_array().expect("maps").iter().enumerate() {
            let kept = &expected.maps[c];
            let top = kept.iter().fold(1e-9_f32, |top, v| v.max(top));
            let scaled: Vec<f32> = kept.iter().map(|v| v / top).collect();
            if kept.is_empty() {
                assert!(found.is_null(), "a map that is not kept is none");
            } else {
                close(
                    &base64(found).iter().map(|b| f64::from(*b) / 254.0).collect::<Vec<_>>(),
                    &scaled,
                    0.5 / 254.0 + 1e-3,
                );
            }
        }
        assert_eq!(s["peaks"], serde_json::json!([0, 100, 200, 499]));
        assert_eq!((&s["expert"], &s["fs"]), (&(class == 0).into(), &100.0.into()));
        assert_eq!((&map["predicted"], &map["p"]), (&usize::from(guided).into(), &serde_json::json!([0.75, 0.25])));
        assert_eq!(map["ncc"], if class == 0 { 0.5.into() } else { Value::Null });
    }
    // one right and one wrong strip of each class and variant: each with what every variant made of it
    let page = report(&[tmp.path().to_path_buf()], 1).expect("a page");
    let few = data(&page.html);
    assert_eq!(page.strips, (4, 8));
    assert_eq!((few["strips"].as_array().map(Vec::len), few["kept"].as_u64()), (Some(2), Some(8)));
    assert_eq!(report(&[tmp.path().to_path_buf()], 0).expect("a page").strips, (0, 8));
}

#[test]
fn what_is_missing_is_reported() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = run(&tmp.path().join("one run"), 0, true);
    let said_of = |name: &str, content: Option<&str>| {
        let whole = std::fs::read(dir.join(name)).expect("there");
        match content {
            Some(content) => std::fs::write(dir.join(name), content).expect("written"),
            None => std::fs::remove_file(dir.join(name)).expect("removed"),
        }
        let page = report(std::slice::from_ref(&dir), 12).expect("a page");
        check(&page.html);
        std::fs::write(dir.join(name), whole).expect("written");
        let all = |m: &exgnet::run::missing::Missing| {
            format!("{}: {} {}", m.place, m.what, m.command.clone().unwrap_or_default())
        };
        page.missing.iter().map(all).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said_of("run.json", Some(&std::fs::read_to_string(dir.join("run.json")).expect("there"))), "");
    let evaluate = format!("exgnet evaluate --model '{0}' --out '{0}'", dir.display());
    for name in ["explanations.safetensors", "explanation.json", "sanity.json", "metrics.json"] {
        for content in [None, Some(""), Some("{\"classes\": [1e999]}")] {
            let said = said_of(name, content);
            assert!(said.contains(name) && said.contains(&evaluate), "{name} {content:?}: {said}");
        }
    }
    let odd = std::fs::read_to_string(dir.join("metrics.json")).expect("there").replacen("1,", "1, 7,", 1);
    assert!(said_of("metrics.json", Some(&odd)).contains("metrics.json"));
    assert!(said_of("run.json", None).contains("exgnet train --out"), "how it resumes");
    let unfinished = std::fs::read_to_string(dir.join("run.json")).expect("there");
    let mut unfinished: Value = serde_json::from_str(&unfinished).expect("JSON");
    unfinished["end"] = Value::Null;
    let said = said_of("run.json", Some(&unfinished.to_string()));
    assert!(said.contains("not finished") && said.contains("--resume"), "{said}");
    unfinished["end"] = "2026-01-01T00:00:00Z".into();
    unfinished["fold"] = "all".into();
    assert!(said_of("run.json", Some(&unfinished.to_string())).contains("there is no test fold"));
    assert!(said_of("log.jsonl", Some("{}\n")).contains("log.jsonl"));
    assert!(said_of("log.jsonl", None).contains("log.jsonl"));

    // nothing but an experiment
    let bare = tmp.path().join("bare");
    std::fs::create_dir_all(&bare).expect("made");
    std::fs::write(bare.join("config.toml"), "").expect("written");
    let page = report(std::slice::from_ref(&bare), 12).expect("a page");
    check(&page.html);
    assert!(page.html.contains("No run has results of a test") && page.html.contains("id=\"missing\""));
    assert_eq!((page.figures, page.strips), (0, (0, 0)));
}

#[test]
fn the_command_writes_one_file_or_says_why_not() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "made/report.html");
    let at = |name: &str| path(tmp.path(), name);
    let empty = at("empty");
    std::fs::create_dir_all(&empty).expect("made");
    fails(&["report", &empty, "--out", &out], 1, &["no config.toml", "expected a run folder"]);
    fails(&["report", &at("none"), "--out", &out], 1, &["is not there, expected a run folder"]);
    fails(&["report", "--out", &out], 2, &["RUN_OR_SWEEP"]);
    sweep(Path::new(&at("runs")));
    fails(&["report", &at("runs/plain/fold-0-seed-1/config.toml"), "--out", &out], 1, &["is a file"]);
    assert!(!Path::new(&out).exists());
    // a run that is also in the sweep is one run
    let alone = at("runs/plain/fold-0-seed-1");
    let done = exgnet(&["report", &at("runs"), &alone, "--out", &out, "--strips", "2", "--json"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = crate::common::json(&done.stdout);
    assert_eq!((&said["runs"], &said["maps"]["shown"]), (&4.into(), &8.into()));
    let html = std::fs::read_to_string(&out).expect("a page");
    assert_eq!(said["bytes"], html.len());
    check(&html);
    let left = std::fs::read_dir(at("made")).expect("a folder").count();
    assert_eq!(left, 1, "nothing else is left");
    fails(&["report", &alone, "--out", &at("made")], 1, &["it is a folder"]);
}
