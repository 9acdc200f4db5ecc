//! How recordings become strips belongs to the model: every path from a recording to the network does the same, or says
//! what is different.

use crate::common::{exgnet, fails, json, path, text, train};
use exgnet::ecg::sources::Kind;
use exgnet::ecg::wfdb::{Annotation, Format, RecordToWrite, SignalToWrite, write_annotations, write_record};
use exgnet::ecg::{LoadOptions, load, strip_input};
use serde_json::Value;
use std::path::Path;

/// A record of two leads with drift, hum and beats at a rate of its own.
fn write(dir: &Path, name: &str, fs: f64, seconds: f64, bpm: f64, code: &str) -> Vec<i64> {
    let n = (fs * seconds) as usize;
    let beat = 60.0 / bpm * fs;
    let wave = |lead: f64| {
        let value = |i: usize| {
            let t = i as f64 / fs;
            let from_beat = (i as f64 + 0.3 * beat) % beat / fs - 0.3;
            let qrs = (-0.5 * (from_beat / 0.012).powi(2)).exp()
                - 0.3 * lead * (-0.5 * ((from_beat - 0.25) / 0.04).powi(2)).exp();
            let drift = 0.8 * (0.9 * t + lead).sin() + 0.05 * (314.159 * t).sin();
            (1000.0 * (qrs * (1.2 - 0.4 * lead) + drift)).round() as i16
        };
        (0..n).map(value).collect::<Vec<i16>>()
    };
    let signal = |description: &str, lead| SignalToWrite {
        description: description.into(),
        gain: 1000.0,
        baseline: 0,
        codes: wave(lead),
    };
    let record = RecordToWrite {
        name: name.into(),
        fs,
        format: Format::F16,
        signals: vec![signal("II", 0.0), signal("V5", 1.0)],
        comments: vec![format!("Dx: {code}")],
    };
    write_record(dir, &record).expect("written");
    (0..).map(|k| (f64::from(k) * beat + 0.0).round() as i64).take_while(|&b| b < n as i64).collect()
}

/// Twenty short records of each of two rhythms, at 360 Hz.
fn records(dir: &Path) {
    std::fs::create_dir_all(dir).expect("made");
    for i in 0..40 {
        let (bpm, code) = if i % 2 == 0 { (70.0, "426783006") } else { (130.0, "427084000") };
        write(dir, &format!("r{i:02}"), 360.0, 6.0, bpm + f64::from(i) * 0.3, code);
    }
}

fn annotation(sample: i64, code: u8, aux: &str) -> Annotation {
    Annotation { sample, code, sub: 0, channel: 0, num: 0, aux: aux.into() }
}

/// Standard output of a command that must succeed, and what it printed on standard error.
fn says(args: &[&str]) -> (String, String) {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    (text(&out.stdout), text(&out.stderr))
}

fn rows(args: &[&str]) -> Vec<Value> {
    says(args).0.lines().map(|l| json(l.as_bytes())).collect()
}

/// Record, predicted class and probabilities of a `predictions.csv`.
fn predictions(dir: &str) -> Vec<(String, String, Vec<f64>)> {
    let mut csv = csv::Reader::from_path(Path::new(dir).join("predictions.csv")).expect("predictions");
    let head = csv.headers().expect("a head").clone();
    let p: Vec<usize> = (0..head.len()).filter(|&i| head[i].starts_with("p_")).collect();
    let row = |r: csv::StringRecord| {
        let p = p.iter().map(|&i| r[i].parse().expect("a number")).collect();
        (r[0].to_string(), r[3].to_string(), p)
    };
    csv.records().map(|r| row(r.expect("a row"))).collect()
}

fn of_records(dir: &str, sets: &[&str]) -> Vec<String> {
    let source = format!("data.source=\"wfdb:{dir}\"");
    let fixed = [source.as_str(), "data.split=stratified", "train.validation=0"];
    fixed.iter().chain(sets).flat_map(|s| ["--set".to_string(), (*s).to_string()]).collect()
}

fn trained(run: &str, records: &str, sets: &[&str]) {
    let sets = of_records(records, sets);
    train(Path::new(run), &sets.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The model file again without some keys of its metadata, as earlier versions wrote it.
fn without(model: &str, keys: &[&str], to: &str) {
    let bytes = std::fs::read(model).expect("a model");
    let n = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut head: Value = serde_json::from_slice(&bytes[8..8 + n]).expect("a head");
    for key in keys {
        head["__metadata__"].as_object_mut().expect("metadata").remove(*key).expect("the key was there");
    }
    let mut head = serde_json::to_vec(&head).expect("a head");
    head.resize(head.len().next_multiple_of(8), b' ');
    let all = [&(head.len() as u64).to_le_bytes()[..], &head, &bytes[8 + n..]].concat();
    std::fs::write(to, all).expect("written");
}

#[test]
fn a_network_of_cleaned_strips_is_given_cleaned_strips() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (data, run) = (at("data"), at("run"));
    records(Path::new(&data));
    trained(&run, &data, &["data.clean=true", "data.mains=60"]);
    let tested = predictions(&run);
    assert_eq!(tested.len(), 8);

    // predict: the same class and probabilities as the test of the run; a folder means its records, in order
    let all = rows(&["predict", "--model", &run, &data, "--json", "--quiet"]);
    let names: Vec<&str> =
        all.iter().map(|r| r["input"].as_str().expect("a path").rsplit('/').next().expect("a name")).collect();
    assert_eq!(names, (0..40).map(|i| format!("r{i:02}.hea")).collect::<Vec<_>>());
    for (record, class, p) in &tested {
        let name = record.rsplit('/').next().expect("a name");
        let row = all.iter().zip(&names).find(|(_, n)| n.trim_end_matches(".hea") == name).expect("predicted").0;
        assert_eq!(row["class"], **class, "{record}");
        let found = row["probabilities"].as_object().expect("by class").values().map(|v| v.as_f64().expect("a number"));
        for (a, b) in found.zip(p) {
            assert!((a - b).abs() < 1e-5, "{record}: {row} {p:?}");
        }
    }
    // evaluate on the source itself, and explain
    says(&["evaluate", "--model", &run, "--data", &format!("wfdb:{data}"), "--out", &at("again")]);
    let again = predictions(&at("again"));
    for row in &tested {
        let other = again.iter().find(|r| r.0 == row.0).expect("the same record");
        assert!(row.1 == other.1 && row.2.iter().zip(&other.2).all(|(a, b)| (a - b).abs() < 1e-5), "{row:?} {other:?}");
    }
    let record = path(Path::new(&data), "r03");
    let explained = rows(&["explain", "--model", &run, &record, "--out", &at("maps"), "--json", "--quiet"]);
    assert_eq!(explained[0]["logits"], rows(&["predict", "--model", &run, &record, "--json"])[0]["logits"]);

    // an exported file knows it; an ONNX graph cannot clean
    let small = at("small.safetensors");
    says(&["export", "--model", &run, "--out", &small]);
    let of = |model: &str| rows(&["predict", "--model", model, &record, "--json"])[0]["logits"].clone();
    assert_eq!(of(&small), of(&run));
    let onnx = at("small.onnx");
    fails(&["export", "--model", &run, "--out", &onnx], 1, &["clean true", "--input cleaned"]);
    assert!(!Path::new(&onnx).exists());
    says(&["export", "--model", &run, "--out", &onnx, "--input", "cleaned"]);
    assert!(String::from_utf8_lossy(&std::fs::read(&onnx).expect("written")).contains("cleaned_strips"));

    // prepared raw, of another lead, at another rate, in another scheme: refused, every difference named
    let prepare = |name: &str, more: &[&str]| {
        let source = format!("wfdb:{data}");
        says(&[&["prepare", "--source", &source, "--seconds", "4", "--out", &at(name)][..], more].concat());
        at(name)
    };
    let raw = prepare("raw.safetensors", &["--fs", "100"]);
    let said =
        fails(&["evaluate", "--model", &run, "--data", &raw], 1, &["clean: expected true, found false", "--clean on"]);
    assert!(!said.contains("lead") && !said.contains("fs:"), "{said}");
    let out = at("g.safetensors");
    fails(&["grads", "--model", &run, "--data", &raw, "--records", "0", "--out", &out], 1, &["clean: expected true"]);
    let other = prepare("other.safetensors", &["--fs", "120", "--lead", "V5", "--classes", "af3", "--clean", "on"]);
    let words = [
        "lead: expected II, found V5",
        "fs: expected 100, found 120",
        "scheme: expected rhythm6, found af3",
        "mains: expected 60, found 50",
    ];
    fails(&["evaluate", "--model", &run, "--data", &other], 1, &words);
    let same = prepare("same.safetensors", &["--fs", "100", "--clean", "on", "--mains", "60"]);
    says(&["evaluate", "--model", &run, "--data", &same]);
    // an experiment file that says otherwise
    let config = std::fs::read_to_string(Path::new(&run).join("config.toml")).expect("a config");
    std::fs::write(at("e.toml"), config.replace("clean = true", "clean = false")).expect("written");
    fails(
        &["evaluate", "--model", &run, "--data", &at("e.toml")],
        1,
        &["clean: expected true, found false", "data.clean = true"],
    );

    // a file of an earlier version: the run folder knows what it does not say; alone, what is assumed is printed
    let old = ["scheme", "clean", "mains", "detector"];
    let file = path(Path::new(&run), "model.safetensors");
    let expected = of(&run);
    without(&file, &old, &at("alone.safetensors"));
    let (_, said) = says(&["predict", "--model", &at("alone.safetensors"), &record]);
    assert!(said.contains("earlier version") && said.contains("clean false"), "{said}");
    let row = &rows(&["predict", "--model", &at("alone.safetensors"), &record, "--json", "--quiet"])[0];
    assert!(row["notes"].to_string().contains("clean false"), "{row}");
    assert_ne!(of(&at("alone.safetensors")), expected);
    without(&file, &old, &file);
    assert_eq!(of(&run), expected);
    let (_, said) = says(&["predict", "--model", &run, &record]);
    assert!(!said.contains("assumed"), "{said}");
}

#[test]
fn a_scheme_has_a_name_in_the_model() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (data, run) = (at("data"), at("run"));
    records(Path::new(&data));
    // GSVT and SR of rhythm4; SR means another thing in rhythm6
    trained(&run, &data, &["data.classes=rhythm4"]);
    let prepare = |classes: &str| {
        let (source, out) = (format!("wfdb:{data}"), at(&format!("{classes}.safetensors")));
        says(&["prepare", "--source", &source, "--fs", "100", "--seconds", "4", "--classes", classes, "--out", &out]);
        out
    };
    let words = ["scheme: expected rhythm4, found rhythm6", "--classes rhythm4"];
    fails(&["evaluate", "--model", &run, "--data", &prepare("rhythm6")], 1, &words);
    says(&["evaluate", "--model", &run, "--data", &prepare("rhythm4")]);
    // a source is sorted by the model's scheme: all forty records have a class that it knows
    let metrics = json(says(&["evaluate", "--model", &run, "--data", &format!("wfdb:{data}"), "--json"]).0.as_bytes());
    assert_eq!(metrics["records"], 40);
}

#[test]
fn leads_units_and_maps_are_as_they_are_said() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (data, run) = (at("data"), at("run"));
    records(Path::new(&data));
    trained(&run, &data, &[]);
    let predict = |more: &[&str]| rows(&[&["predict", "--model", &run, "--json", "--quiet"][..], more].concat());
    let record = path(Path::new(&data), "r05");
    let own = &predict(&[&record])[0];
    assert_eq!((&own["lead"], &own["lead_substituted"]), (&"II".into(), &false.into()));
    assert!(own["class"].is_string() && own["probabilities"].is_object() && own["logits"].is_array());
    let other = &predict(&[&record, "--lead", "v5"])[0];
    assert_eq!((&other["lead"], &other["lead_substituted"]), (&"V5".into(), &true.into()));
    assert!(other["logits"] != own["logits"] && other["notes"].to_string().contains("V5"), "{other}");
    fails(&["predict", "--model", &run, &record, "--lead", "aVR"], 1, &["no lead aVR", "II, V5"]);
    // a record without the model's lead
    let header = std::fs::read_to_string(format!("{record}.hea")).expect("a header").replace(" II\n", " V1\n");
    std::fs::write(format!("{record}.hea"), header).expect("written");
    let instead = &predict(&[&record])[0];
    assert_eq!((&instead["lead"], &instead["lead_substituted"]), (&"V1".into(), &true.into()));
    assert!(instead["notes"].to_string().contains("lead II is missing, V1 used instead"), "{instead}");
    assert_eq!(instead["logits"], own["logits"]);

    // of a folder of such records a few are named, the others counted
    let pool = at("pool");
    std::fs::create_dir(&pool).expect("made");
    for i in 0..9 {
        let name = |folder: &str, ending: &str| format!("{folder}/r{i:02}.{ending}");
        std::fs::copy(name(&data, "dat"), name(&pool, "dat")).expect("copied");
        let header = std::fs::read_to_string(name(&data, "hea")).expect("a header").replace(" II\n", " V1\n");
        std::fs::write(name(&pool, "hea"), header).expect("written");
    }
    let (rows, notes) = says(&["predict", "--model", &run, &pool]);
    let missing: Vec<&str> = notes.lines().filter(|line| line.contains("lead II is missing")).collect();
    assert_eq!((rows.lines().count(), missing.len()), (9, 1), "{notes}");
    // as they were given: folder and ending
    assert!(missing[0].starts_with(&format!("note: {pool}/r00.hea: lead II is missing")), "{notes}");
    assert!(missing[0].contains(&format!(": {pool}/r01.hea, ")) && missing[0].ends_with(" and 3 more"), "{notes}");

    // so are files that state no rate
    let strips = at("strips");
    std::fs::create_dir(&strips).expect("made");
    let wave: String = (0..400).map(|i| format!("{}\n", (f64::from(i) * 0.4).sin())).collect();
    (0..3).for_each(|i| std::fs::write(format!("{strips}/s{i}.txt"), &wave).expect("written"));
    let (_, notes) = says(&["predict", "--model", &run, &strips]);
    let rate: Vec<&str> = notes.lines().filter(|line| line.contains("sampling rate")).collect();
    let first = format!("note: {strips}/s0.txt: no sampling rate in the file, 100 Hz assumed; --fs HZ gives it");
    let others = format!("{first}; likewise (--json has every note): {strips}/s1.txt, {strips}/s2.txt");
    assert_eq!(rate, [&*others]);
    assert!(!says(&["predict", "--model", &run, &strips, "--fs", "100"]).1.contains("sampling rate"));

    // a strip in mV, V, nV as a number of V, and counts
    let mv: Vec<f64> = (0..400).map(|i| (f64::from(i) * 0.4).sin() + f64::from(i % 90) / 50.0).collect();
    let write = |name: &str, unit: f64| {
        std::fs::write(at(name), mv.iter().map(|v| format!("{:e}\n", v * unit)).collect::<String>()).expect("written");
        at(name)
    };
    let logits = |row: &Value| -> Vec<f64> {
        row["logits"].as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
    };
    let strip = &predict(&[&write("mv.txt", 1.0)])[0];
    assert!(strip["lead"].is_null() && strip["lead_substituted"].is_null(), "{strip}");
    for (name, unit) in [("v.txt", 1e-3), ("nv.txt", 1e-9), ("counts.txt", 2000.0)] {
        let found = logits(&predict(&[&write(name, unit)])[0]);
        let apart = found.iter().zip(logits(strip)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-4, "{name}: {apart}");
    }
    let noted = &predict(&[&at("mv.txt"), "--lead", "V5"])[0];
    assert!(noted["notes"].to_string().contains("--lead V5 is not used"), "{noted}");
    std::fs::create_dir(at("nothing")).expect("made");
    fails(&["predict", "--model", &run, &at("nothing")], 1, &["without recordings"]);

    // the class that a map explains is named, and a map that says nothing too: all weights of the class below zero
    let file = path(Path::new(&run), "model.safetensors");
    let mut bytes = std::fs::read(&file).expect("a model");
    let n = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let head: Value = serde_json::from_slice(&bytes[8..8 + n]).expect("a head");
    let (tensor, width) = (&head["head.weight"], head["head.weight"]["shape"][1].as_u64().expect("a width") as usize);
    let start = 8 + n + tensor["data_offsets"][0].as_u64().expect("a place") as usize;
    for weight in bytes[start..start + 4 * width].chunks_mut(4) {
        weight.copy_from_slice(&(-0.5_f32).to_le_bytes());
    }
    std::fs::write(at("dead.safetensors"), bytes).expect("written");
    let explain = |class: &str, more: &[&str]| {
        let (dead, maps) = (at("dead.safetensors"), at(&format!("maps-{}", class.replace('/', "-"))));
        let all = ["explain", "--model", &dead, &at("mv.txt"), "--out", &maps, "--class", class];
        says(&[&all[..], more].concat()).0
    };
    let classes: Vec<String> = strip["probabilities"].as_object().expect("by class").keys().cloned().collect();
    let (first, second) = (&classes[0], &classes[1]);
    let dead = explain(first, &[]);
    assert!(dead.contains(&format!("map of {first} (dead")), "{dead}");
    let row = json(explain(second, &["--json"]).as_bytes());
    assert_eq!((&row["explained_class"], &row["dead_map"]), (&second.as_str().into(), &false.into()), "{row}");
    assert!(Path::new(row["map"].as_str().expect("a path")).is_file());
}

#[test]
fn a_single_strip_is_that_of_the_data_set() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (short, long) = (tmp.path().join("short"), tmp.path().join("long"));
    std::fs::create_dir_all(&short).expect("made");
    std::fs::create_dir_all(&long).expect("made");
    for (i, seconds) in [5.0, 5.2, 9.0].into_iter().enumerate() {
        write(&short, &format!("s{i}"), 360.0, seconds, 70.0, "426783006");
    }
    let beats = write(&long, "l", 360.0, 61.0, 75.0, "426783006");
    let mut notes: Vec<Annotation> = beats.iter().map(|&b| annotation(b, 1, "")).collect();
    notes.extend([annotation(0, 28, "(N"), annotation(7001, 28, "(AFIB"), annotation(15_002, 28, "(N")]);
    notes.sort_by_key(|a| a.sample);
    write_annotations(&long.join("l.atr"), &notes).expect("written");

    for (clean, fs) in [(false, 360.0), (false, 250.0), (true, 250.0), (true, 360.0), (false, 500.0), (true, 500.0)] {
        let options = LoadOptions { clean, fs, seconds: 5.0, min_class: 1, mains: 60.0, ..LoadOptions::default() };
        for (kind, folder, count) in [(Kind::Wfdb, &short, 3), (Kind::Mitbih, &long, 10)] {
            let set = load(kind, folder, &options).expect("a set");
            assert!(set.strips.len() >= count, "{}", set.strips.len());
            for strip in &set.strips {
                let name = strip.id.split_once('/').expect("below its source").1;
                let recording = strip_input::read(&folder.join(name), "II", None).expect("read");
                let single = strip_input::prepare(&recording, None, &set.preprocessing).expect("prepared");
                assert_eq!(single.signal[..], strip.signal[..], "{name} {clean} {fs}");
                assert_eq!((single.r_peaks, single.expert_beats), (strip.r_peaks.clone(), strip.expert_beats));
            }
        }
    }
    // without a time, and entered in minutes
    let set =
        load(Kind::Mitbih, &long, &LoadOptions { seconds: 5.0, fs: 250.0, min_class: 1, ..LoadOptions::default() });
    let set = set.expect("a set");
    let same = |name: &str, id: &str| {
        let recording = strip_input::read(&long.join(name), "II", None).expect("read");
        let single = strip_input::prepare(&recording, None, &set.preprocessing).expect("prepared");
        let strip = set.strips.iter().find(|s| s.id == id).expect("the window");
        assert_eq!(single.signal[..], strip.signal[..], "{name}");
    };
    same("l", "long/l@0.000");
    same("l@0:05", "long/l@5.000");
    same("l@0:00:10.0", "long/l@10.000");
}
