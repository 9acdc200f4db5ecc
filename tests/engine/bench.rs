//! Measurements of kernels: values first, then times; two texts in turn; the ladder of a family.

use crate::common::{exgnet, fails, path, text};
use exgnet::experiment::Experiment;
use exgnet::gpu::Gpu;
use exgnet::lab::measure::{Arm, Row, Status, Timing, measure};
use exgnet::lab::operations::{OPERATIONS, Operation};
use exgnet::lab::tune;
use exgnet::lab::workloads::{Workload, layers};
use exgnet::ops::Pass;
use serde_json::Value;
use std::path::Path;

/// What a command prints as JSON, and its exit code.
fn json(args: &[&str]) -> (Value, Option<i32>) {
    let done = exgnet(args);
    let found = serde_json::from_slice(&done.stdout);
    (found.unwrap_or_else(|e| panic!("{args:?}: {e}: {}", text(&done.stderr))), done.status.code())
}

/// All versions of each workload, and what the device takes.
fn every_version(gpu: &Gpu, workloads: Vec<Workload>) -> Vec<Row> {
    let arms = |s: &Workload| -> Vec<Arm> {
        let versions = s.operation.versions(gpu).map(|v| Arm::forced(gpu, v));
        std::iter::once(Arm::usual(gpu)).chain(versions).collect()
    };
    let all: Vec<_> = workloads.into_iter().map(|s| (arms(&s), s)).map(|(arms, s)| (s, arms)).collect();
    measure(&all, None, &Timing::rounds(1)).expect("measured").1
}

/// Quick start, all versions, with the table in force: right to f32, the same bits twice.
#[test]
fn kernels_of_a_network_are_right_in_every_version() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    tune::load(&gpu).expect("the built-in table");
    let e = Experiment::quickstart(&[]).expect("quick start");
    let shapes =
        || layers(&e.network, 2, 600).expect("layers").into_iter().flat_map(|(_, s)| Pass::ALL.map(|pass| (pass, s)));
    let workloads: Vec<Workload> = shapes()
        .map(|(pass, shape)| {
            Workload::new(&gpu, Operation::named(pass.name()).expect("known"), shape).expect("a workload")
        })
        .collect();
    let values = |s: &Workload| s.on(&gpu).and_then(|ready| ready.run()?.to_vec()).expect("values");
    assert!(workloads.iter().all(|s| values(s) == values(s)), "two runs differ");
    let rows = every_version(&gpu, workloads);
    for row in &rows {
        assert!(row.status != Status::Wrong && row.status != Status::Failed, "{row:?}");
        assert!(row.status == Status::NotRun || row.error < 1e-5, "{row:?}");
    }
    // some versions do not fit some shapes; the first one fits all
    let naive = rows.iter().filter(|r| r.number == Some(1));
    assert!(naive.clone().count() == shapes().count() && naive.clone().all(|r| r.status == Status::Right));
}

/// Rows of several chunks, whose ends fall between two vec4s.
#[test]
fn kernels_along_rows_are_right_in_every_version() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let rows = OPERATIONS.iter().filter(|o| !o.name.starts_with("conv1d"));
    let workload = |o: &'static Operation| {
        let sizes = ["batch=3,in=5,len=4201", "batch=33,in=7", "out=5,in=67,len=131", "len=4201"];
        let shape = sizes.iter().find_map(|sizes| o.shape(sizes).ok()).expect("a shape");
        Workload::new(&gpu, o, shape).expect("a workload")
    };
    for row in every_version(&gpu, rows.map(workload).collect()) {
        println!("{} {}: {:?} {:.1e}", row.title, row.variant, row.status, row.error);
        assert!(!row.status.is_bad() && (row.status == Status::NotRun || row.error < 1e-5), "{row:?}");
        assert!(row.kernels.iter().all(|k| k.counts.is_some_and(|c| c.stores > 0)), "{row:?}");
    }
}

#[test]
fn bench_prints_json_and_refuses_nonsense() {
    let args = ["bench", "matmul", "--shape", "in=8,out=4,len=16", "--rounds", "2", "--json"];
    let (found, code) = json(&args);
    let row = &found["rows"][0];
    assert_eq!((code, row["title"].as_str(), row["status"].as_str()), (Some(0), Some("matmul 4x8x16"), Some("ok")));
    let ms = |key: &str| row["ms"][key].as_f64().unwrap_or_else(|| panic!("{key} in {row}"));
    assert!(ms("low") > 0.0 && ms("low") <= ms("p5") && ms("p5") <= ms("median") && ms("median") <= ms("p95"), "{row}");
    assert!(row["error"].as_f64().is_some_and(|v| v < 1e-5), "{row}");
    assert_eq!((row["flops"].as_f64(), row["bytes"].as_f64()), (Some(1024.0), Some(896.0)), "{row}");
    assert!(row["dispatches"].as_u64().is_some_and(|n| n >= 1), "{row}");
    assert!(row["threads"].as_u64().is_some_and(|n| n >= 1), "{row}");
    assert!(row["kernels"][0]["static"]["loads"].as_u64().is_some_and(|n| n >= 1), "{row}");
    assert!(["multiply-adds", "copy"].contains(&row["bound"].as_str().unwrap_or_default()), "{row}");
    assert!(found["ceilings"]["gflops"].as_f64().is_some_and(|v| v > 0.0));
    for wrong in [
        &["bench", "nonesuch"][..],
        &["bench", "conv1d", "--shape", "in=0"],
        &["bench", "conv1d", "--shape", "width=3"],
        &["bench", "matmul", "--shape", "k=3"],
        &["bench", "conv1d", "--version", "fastest"],
        &["bench", "conv1d", "--against", "fastest"],
        &["bench", "conv1d", "--against", "no/such/folder"],
        &["bench", "dropout", "--variant", "fast"],
        &["bench", "--suite", "nowhere.toml"],
        &["bench", "conv1d", "--rounds", "0"],
        &["bench", "conv1d", "--min-time", "NaN"],
        &["ladder", "nonesuch"],
        &["ladder", "conv1d", "--limit", "0"],
        &["ladder", "pooling", "--shape", "out=3"],
    ] {
        let done = exgnet(wrong);
        assert!(!done.status.success() && text(&done.stderr).contains("HINT"), "{wrong:?}: {}", text(&done.stderr));
    }
}

#[test]
fn operations_and_versions_are_listed() {
    let done = exgnet(&["bench", "--list"]);
    let said = text(&done.stdout);
    assert!(done.status.success());
    for operation in OPERATIONS {
        let line = said.lines().find(|l| l.split_whitespace().next() == Some(operation.name));
        assert!(line.is_some_and(|l| l.contains("=")), "{}: {said}", operation.name);
    }
    assert!(said.lines().any(|l| l.trim().starts_with("01_naive  ")), "{said}");
}

/// More rounds, while there is time.
#[test]
fn rounds_go_on_for_the_time_asked() {
    let args = ["bench", "add", "--shape", "batch=1,in=2,len=50", "--rounds", "1", "--min-time", "0.5", "--json"];
    let (found, _) = json(&args);
    assert!(found["rows"][0]["rounds"].as_u64().is_some_and(|n| n > 1), "{found}");
}

/// The naive convolution, changed, as another version of its family.
fn version(dir: &Path, name: &str, change: (&str, &str)) {
    let naive = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders/conv1d/01_naive.wgsl");
    let naive = std::fs::read_to_string(naive).expect("read");
    let changed = naive.replace(change.0, change.1);
    assert_ne!(changed, naive, "{name}");
    std::fs::create_dir_all(dir.join("conv1d")).expect("made");
    std::fs::write(dir.join(format!("conv1d/{name}.wgsl")), changed).expect("written");
}

const SHAPE: &str = "batch=3,in=8,out=8,len=200";

/// A thousandth too much, in the last record alone: no time, no rank, exit code 1.
#[test]
fn a_wrong_kernel_has_no_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let off = "if id >= p.n - p.groups * p.out_g * p.out_len { sum *= 1.001; }\n    if relu {";
    version(dir.path(), "90_off", ("if relu {", off));
    std::fs::write(dir.path().join("conv1d/91_broken.wgsl"), "// Nothing.\n//@ threads: batch\nfn main( {")
        .expect("written");
    let shaders = dir.path().to_str().expect("utf-8");
    let args = ["bench", "conv1d", "--shader-dir", shaders, "--version", "naive,off,broken", "--shape", SHAPE];
    let done = exgnet(&[&args[..], &["--rounds", "2"]].concat());
    let (said, errors) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(1), "{said}{errors}");
    let line =
        |name: &str| said.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name}: {said}")).to_owned();
    let wrong = line("90_off");
    assert!(
        wrong.contains("WRONG the value at [2, ") && wrong.contains("found") && wrong.contains("expected"),
        "{wrong}"
    );
    assert!(line("91_broken").contains("FAILED"), "{said}");
    assert!(line("01_naive").contains("madd") || line("01_naive").contains("copy"), "it has a time: {said}");
    assert!(errors.contains("2 of 3") && errors.contains("HINT"), "{errors}");
    let (found, code) = json(&[&args[..], &["--rounds", "2", "--json"]].concat());
    assert_eq!(code, Some(1));
    let row = &found["rows"][1];
    assert!(row["status"] == "WRONG" && row["ms"].is_null() && row["gflops"].is_null(), "{row}");
    assert_eq!(row["wrong"]["index"][0], 2, "{row}");
}

#[test]
fn two_texts_are_compared_in_turn() {
    let dir = tempfile::tempdir().expect("a folder");
    let slow =
        "for (var again = 0u; again < 12u; again++) { sum *= f32(p.n == 0u);\n    for (var c = 0u; c < p.in_g; c++) {";
    version(dir.path(), "90_slow", ("for (var c = 0u; c < p.in_g; c++) {", slow));
    let file = dir.path().join("conv1d/90_slow.wgsl");
    let closed = std::fs::read_to_string(&file).expect("read").replace("    if relu {", "    }\n    if relu {");
    std::fs::write(&file, closed).expect("written");
    let shaders = dir.path().to_str().expect("utf-8");
    let common = ["bench", "conv1d", "--shape", SHAPE, "--json", "--rounds", "15"];
    let slow = ["--shader-dir", shaders, "--version", "slow", "--against", "naive"];
    // twelve times the work; where others work on the machine too, noise may hide even that, but not again and again
    let reported = |_| {
        let (found, code) = json(&[&common[..], &slow].concat());
        assert_eq!((code, found["rows"].as_array().map(Vec::len)), (Some(0), Some(2)), "{found}");
        let against = &found["rows"][0]["against"];
        against["ratio"]["high"].as_f64().is_some_and(|v| v < 1.0) && against["within_noise"] == false
    };
    assert!((0..5).any(reported), "twelve times the work is not reported");
    // the folder's texts of the naive version are the built-in ones; one of twenty such comparisons may find a difference
    let same = ["--version", "naive", "--against", shaders];
    let none = |_| {
        let found = json(&[&common[..], &same].concat()).0;
        found["rows"][0]["against"]["within_noise"] == true
    };
    assert!((0..3).any(none), "the same text differs from itself");
    let done = exgnet(&["bench", "conv1d", "--shape", SHAPE, "--version", "naive", "--against", "built-in"]);
    assert!(text(&done.stdout).contains("both run the same texts"), "{}", text(&done.stdout));
}

#[test]
fn the_ladder_writes_its_tables_and_figure() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("ladder");
    let out = out.to_str().expect("utf-8");
    let args = ["ladder", "conv1d", "--shape", SHAPE, "--rounds", "2", "--out", out];
    let done = exgnet(&args);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(said.lines().any(|l| l.starts_with("01_naive ") && l.contains("1.00x")), "{said}");
    assert!(said.lines().all(|l| l.chars().count() <= 150), "{said}");
    let read =
        |name: &str| std::fs::read_to_string(Path::new(out).join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let found: Value = serde_json::from_str(&read("ladder.json")).expect("JSON");
    let info: Value = serde_json::from_slice(&exgnet(&["info", "--json"]).stdout).expect("JSON");
    assert_eq!(found["cpu"], info["cpu"], "what it was measured on, and with what");
    assert!(found["program"].as_str().is_some_and(|p| p.starts_with(env!("CARGO_PKG_VERSION"))), "{found}");
    let rungs = found["ladders"][0]["rungs"].as_array().expect("rungs").clone();
    assert!(rungs.len() >= 5 && rungs[0]["name"] == "naive" && rungs[0]["times_faster"] == 1.0, "{rungs:?}");
    assert!(rungs.iter().all(|r| r["change"].as_str().is_some_and(|c| !c.is_empty())), "{rungs:?}");
    assert_eq!(read("ladder.csv").lines().count(), 1 + rungs.len());
    assert_eq!(read("ladder.md").lines().filter(|l| l.starts_with("| 0")).count(), rungs.len());
    for file in ["figures/ladder-conv1d.png", "figures/ladder-conv1d.svg", "figures/ladder-conv1d.txt"] {
        assert!(!std::fs::read(Path::new(out).join(file)).expect(file).is_empty());
    }
    // measured again in the same place, and drawn again from the file alone
    assert!(exgnet(&args).status.success());
    let again = dir.path().join("again");
    let done =
        exgnet(&["figures", out, "--only", "ladder", "--out", again.to_str().expect("utf-8"), "--width-mm", "85"]);
    assert!(done.status.success() && again.join("ladder-conv1d.svg").is_file(), "{}", text(&done.stderr));
}

/// A part that takes too long is reported and left out, the rest stands, and the next start measures again what failed.
#[test]
fn a_report_about_the_adapter_names_what_it_lacks() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = path(tmp.path(), "report");
    let report = |more: &[&str]| exgnet(&[&["gpu-report", "--out", &out][..], more].concat());
    let late = report(&["--only", "check", "--limit", "0.01"]);
    assert_eq!(late.status.code(), Some(1), "{}", text(&late.stderr));
    let page = || std::fs::read_to_string(format!("{out}/report.md")).expect("a page");
    assert!(page().contains("| check | `exgnet check --json` |") && page().contains("not done after"), "{}", page());
    fails(&["gpu-report", "--out", &out, "--only", "ceiling"], 1, &["ceiling", "ladder"]);
    // no JSON of a report is written over
    let other = path(tmp.path(), "other");
    std::fs::create_dir(&other).expect("made");
    std::fs::write(format!("{other}/report.json"), "{\"mine\": 1}").expect("written");
    fails(&["gpu-report", "--out", &other, "--only", "tune"], 1, &["report.json", "--force"]);
    assert_eq!(std::fs::read_to_string(format!("{other}/report.json")).expect("kept"), "{\"mine\": 1}");
    let found: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{out}/report.json")).expect("numbers")).expect("JSON");
    assert_eq!((&found["of"]["small"], &found["parts"][0]["name"]), (&true.into(), &"check".into()));
}

/// Three programs: ours, one that computes the same, and one whose second process finds other bits and that has no second
/// order.
#[cfg(unix)]
#[test]
fn programs_are_compared_with_ours() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = dir.path().join("program.sh");
    let script = "echo ready $1\nwhile read what; do case $what in\n  train) echo $2;;\n  infer) echo 1;;\n  value) echo $3;;\n  \
                  bits) echo $4;;\n  memory) echo 1048576;;\n  second) echo $5;;\nesac; done\n# counted to here\ntrue\n";
    std::fs::write(&program, script).expect("written");
    let at = program.display();
    let peer = |table: &str, name: &str, rest: &str| {
        let command = format!("[\"sh\", \"-c\", \"sh {at} {name} {rest}\"]");
        format!("[{table}]\nname = \"{name}\"\ncommand = {command}\ninfer = true\nsource = \"{at}\"\n")
    };
    let suite = format!(
        "[suite]\nrounds = 3\nsteps = 4\n{}{}{}",
        peer("suite.ours", "a", "2 0.5 77 4"),
        peer("[suite.peers]", "b", "8 0.5 77 4"),
        peer("[suite.peers]", "c", "1 0.75 $$ NaN"),
    );
    let (file, out) = (dir.path().join("peers.toml"), dir.path().join("out"));
    std::fs::write(&file, suite).expect("written");
    let [file, out] = [&file, &out].map(|p| p.to_str().expect("Unicode"));
    let (found, code) = json(&["bench", "--suite", file, "--out", out, "--json"]);
    assert_eq!(code, Some(0));
    let twin = |i: usize, key: &str| found["twins"][i][key].clone();
    assert_eq!([0, 1, 2].map(|i| twin(i, "train_ratio").as_f64()), [Some(1.0), Some(0.25), Some(2.0)]);
    assert_eq!([0, 1, 2].map(|i| twin(i, "repeated").as_bool()), [Some(true), Some(true), Some(false)]);
    assert_eq!(twin(1, "trained")["losses"], serde_json::json!([0.5, 0.5, 0.5, 0.5]));
    assert_eq!((twin(1, "lines").as_u64(), twin(2, "trained")["second"].is_null()), (Some(9), true));
    let table = std::fs::read_to_string(Path::new(out).join("table.md")).expect("a table");
    let row =
        |name: &str| table.lines().find(|l| l.starts_with(&format!("| {name} |"))).unwrap_or_else(|| panic!("{table}"));
    assert!(row("b").ends_with("| 1 | 9 | 0e0 | 0e0 | 0e0 | yes | yes (off 0e0) |"), "{table}");
    assert!(row("c").ends_with("| 1 | 9 | 5e-1 | 5e-1 | 5e-1 | no | no |"), "{table}");
}
