//! The kernel lab: tuned kernels give what plain ones give, the commands say what they found.

use exgnet::gpu::{Gpu, Variant};
use exgnet::lab::measure::{Shape, layers, measure};
use exgnet::lab::subjects::Subject;
use exgnet::lab::tune;
use exgnet::ops::Pass;
use exgnet::train::Experiment;
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
        assert!(!gpu.choices().is_empty(), "the built-in table is empty");
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
