//! The kernel lab: tuned kernels give what plain ones give, the tuner does not trust, the commands say what they found.

use exgnet::gpu::{AdapterChoice, Choice, Choices, Gpu, ShaderSource, Variant, embedded_shaders};
use exgnet::lab::measure::{Shape, layers, measure};
use exgnet::lab::subjects::Subject;
use exgnet::lab::tune;
use exgnet::ops::Pass;
use exgnet::train::Experiment;
use std::collections::BTreeMap;
use std::process::{Command, Output};

fn exgnet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exgnet")).args(args).output().expect("exgnet starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Quick start, all versions, with the table in force: right to f32, the same bits twice.
#[test]
fn tuned_kernels_are_right_and_deterministic() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    tune::load(&gpu).expect("the built-in table");
    if gpu.report().name.starts_with("llvmpipe") {
        assert!(!gpu.choices().is_empty(), "results/tuning/llvmpipe.json is empty");
    }
    let e = Experiment::quickstart(&[]).expect("quick start");
    let mut subjects = Vec::new();
    for (name, shape) in layers(&e.network, 2, 600) {
        for pass in Pass::ALL {
            subjects.push((Some(name.clone()), shape, Subject::conv(&gpu, pass, shape).expect("a subject")));
        }
    }
    let values = || -> Vec<Vec<f32>> {
        subjects.iter().map(|(_, _, s)| s.run().and_then(|y| y.to_vec()).expect("values")).collect()
    };
    assert!(values() == values(), "two runs differ");
    let (_, rows) = measure(&gpu, &subjects, &[None, Some(Variant::Plain)], 1).expect("measured");
    let worst = rows.iter().max_by(|a, b| a.error.total_cmp(&b.error)).expect("rows");
    println!("worst of {} rows: {:.1e} ({} {:?})", rows.len(), worst.error, worst.operation, worst.shape);
    assert!(worst.error < 1e-5, "{worst:?}");
}

/// Rows of several chunks, whose ends fall between two vec4s.
#[test]
fn kernels_along_rows_are_right_in_every_version() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let shape = Shape::parse("batch=3,in=5,len=4201").expect("a shape");
    let names =
        ["batch_norm", "batch_norm_relu", "batch_norm_relu_grad", "sum", "max_pool", "avg_pool", "dropout", "add"];
    let subjects: Vec<_> = names.map(|n| (None, shape, Subject::new(&gpu, n, shape).expect("a subject"))).into();
    let versions = [Variant::Plain, Variant::Tile, Variant::Wide].map(Some);
    let (_, rows) = measure(&gpu, &subjects, &versions, 1).expect("measured");
    assert_eq!(rows.len(), names.len() * versions.len());
    for row in rows {
        println!("{} {}: {:.1e}", row.operation, row.variant, row.error);
        assert!(row.error < 1e-5, "{row:?}");
    }
}

/// A table's entry decides which kernel runs.
#[test]
fn a_choice_is_taken() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let shape = Shape::parse("batch=1,in=3,len=50,out=4,k=5").expect("a shape");
    let subject = Subject::conv(&gpu, Pass::Forward, shape).expect("a subject");
    let kernels = |gpu: &Gpu| -> Vec<String> {
        let times = gpu.profiled(|| subject.run().map(drop)).expect("profiled").expect("timestamps");
        times.into_iter().map(|t| t.kernel.split_whitespace().next().unwrap_or_default().to_owned()).collect()
    };
    if !gpu.report().timestamps {
        return;
    }
    for (variant, kernel) in [(Variant::Plain, "conv1d"), (Variant::Wide, "conv1d_wide")] {
        let choice = Choice { variant, settings: BTreeMap::new() };
        gpu.set_choices(Choices::from([("conv1d 3->4 k5 s1 d1 g1".to_owned(), choice)]));
        assert!(kernels(&gpu).contains(&kernel.to_owned()), "{:?}", kernels(&gpu));
    }
}

/// With a kernel that is off by a thousandth, the tuner must not take it however fast it is.
#[test]
fn the_tuner_rejects_wrong_kernels() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["conv1d_tile.wgsl", "conv1d_wide.wgsl", "batch_norm_back.wgsl"] {
        let (_, text) = embedded_shaders().iter().find(|(n, _)| *n == name).expect("embedded");
        let wrong = text.replace("s.x; }", "s.x * 1.001; }").replace("a{{ o }}[half];", "a{{ o }}[half] * 1.001;");
        let wrong = wrong.replace("dx[q] = select", "dx[q] = 1.001 * select");
        assert_ne!(&wrong, text, "{name}");
        std::fs::write(dir.path().join(name), wrong).expect("written");
    }
    let shaders = ShaderSource::folder(dir.path()).expect("a folder");
    let gpu = Gpu::open(&AdapterChoice::from_env(), shaders).unwrap_or_else(|e| panic!("{e}"));
    let sets = ["widths=[3]", "strides=[1]", "kernels=[3,3,3]", "stem_channels=3", "stem_kernel=3"];
    let sets: Vec<String> = sets.iter().map(|s| format!("network.{s}")).collect();
    let e = Experiment::quickstart(&sets).expect("a small network");
    let table = tune::tune(&gpu, &e.network, (2, 64), ("", 1), |_, _, _, _| {}).expect("tuned");
    let mut rejected = 0;
    for (key, found) in &table.found {
        // the sums' kernel is tried together with the wrong one
        if ["conv1d ", "conv1d_input_grad ", "batch_norm_back "].iter().any(|wrong| key.starts_with(wrong)) {
            assert_eq!(found.choice.variant, Variant::Plain, "{key}: {found:?}");
            assert_eq!(found.timed, 1, "{key}");
            rejected += found.rejected;
        }
    }
    assert!(rejected > 0, "{:?}", table.found.keys());
    assert!(gpu.choices().is_empty(), "the tuner left its candidates in force");
}

#[test]
fn shaders_are_printed_expanded() {
    let done = exgnet(&["shader", "conv1d_tile", "--set", "oc=2", "--set", "mo=2"]);
    let said = text(&done.stdout);
    assert!(done.status.success() && !said.contains("{%") && said.contains("var a1_0"), "{}", text(&done.stderr));
    assert!(!said.contains("var a2_0"));
    let list = text(&exgnet(&["shader", "--list"]).stdout);
    assert!(list.lines().count() == embedded_shaders().len() && list.contains("conv1d_tile"), "{list}");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _) in embedded_shaders() {
        let file = dir.path().join("out.spv");
        let done = exgnet(&["shader", name, "--spirv", file.to_str().expect("utf-8")]);
        assert!(done.status.success(), "{name}: {}", text(&done.stderr));
        let words = std::fs::read(&file).expect("written");
        assert_eq!(words[..4], [0x03, 0x02, 0x23, 0x07], "{name}: SPIR-V's magic number");
    }
    for wrong in [&["shader", "nonesuch"][..], &["shader", "conv1d_tile", "--set", "oc=no"]] {
        let done = exgnet(wrong);
        assert!(!done.status.success() && text(&done.stderr).contains("HINT"), "{wrong:?}");
    }
}

#[test]
fn bench_prints_json_and_refuses_nonsense() {
    let args = ["bench", "matmul", "--shape", "in=8,out=4,len=16", "--rounds", "2", "--json"];
    let done = exgnet(&args);
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON only");
    let row = &found["rows"][0];
    assert!(row["ms"]["median"].as_f64().is_some_and(|v| v > 0.0), "{row}");
    assert!(row["error"].as_f64().is_some_and(|v| v < 1e-5), "{row}");
    assert!(found["ceilings"]["gflops"].as_f64().is_some_and(|v| v > 0.0));
    for wrong in [
        &["bench", "nonesuch"][..],
        &["bench", "conv1d", "--shape", "in=0"],
        &["bench", "conv1d", "--shape", "width=3"],
        &["bench", "conv1d", "--variant", "fastest"],
        &["bench", "dropout", "--variant", "fast"],
        &["bench", "--suite", "nowhere.toml"],
        &["bench", "conv1d", "--rounds", "0"],
    ] {
        let done = exgnet(wrong);
        assert!(!done.status.success() && text(&done.stderr).contains("HINT"), "{wrong:?}: {}", text(&done.stderr));
    }
}
