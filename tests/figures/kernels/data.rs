//! Measurements that nobody made, for figures of kernels.

use serde_json::{Value, json};

pub fn row(layer: &str, operation: &str, k: u64, variant: &str, gflops: f64) -> Value {
    let (c_in, len, out) = (32, 625 / k.max(1), 64);
    let work = 2e-6 * (8 * c_in * len * out * k) as f64;
    let ms = work / gflops;
    let bytes = 4e-6 * (8 * len * (c_in + out) + c_in * out * k) as f64;
    json!({
        "layer": layer, "operation": operation, "variant": variant, "gflops": gflops, "gb_per_s": bytes / ms,
        "shape": {"batch": 8, "c_in": c_in, "len": len, "out": out, "k": k, "stride": 1, "dilation": 1},
        "ms": {"median": ms, "low": 0.95 * ms, "high": 1.2 * ms}, "share": 0.5, "error": 1e-6, "first_ms": 3.0,
    })
}

const PASSES: [&str; 3] = ["conv1d", "conv1d_input_grad", "conv1d_weight_grad"];

/// A suite of three layers, and its versions.
pub fn suite() -> (Value, Value) {
    let layers = [("stem", 15, 16.0), ("blocks.0 k5", 5, 28.0), ("blocks.0 k21", 21, 110.0)];
    let kernel = |phase: &str, name: &str, ms: f64| json!({"phase": phase, "kernel": name, "count": 1, "ms": ms});
    let spread = |ms: f64| json!({"median": ms, "low": 0.9 * ms, "high": 1.1 * ms});
    let scaled = |batch: u64, samples: u64| {
        let ms = 20.0 + 0.005 * (batch * samples) as f64;
        json!({"batch": batch, "samples": samples, "train_ms": spread(ms), "infer_ms": spread(0.3 * ms), "relative": 1.0})
    };
    let mut rows = Vec::new();
    let mut versions = Vec::new();
    for (layer, k, rate) in layers {
        for (i, pass) in PASSES.into_iter().enumerate() {
            rows.push(row(layer, pass, k, "default", rate - 2.0 * i as f64));
            for (variant, part) in [("plain", 0.4), ("tile", 0.8), ("fast", 1.0), ("wide", 0.06)] {
                versions.push(row(layer, pass, k, variant, part * rate));
            }
        }
    }
    let ceilings = json!({"gflops": 98.94, "gb_per_s": 12.24});
    let suite = json!({
        "adapter": "an adapter (its driver)", "ceilings": ceilings, "layers": rows,
        "step": {
            "adapter": "an adapter (its driver)", "batch": 8, "samples": 5000, "train_step": spread(120.0),
            "by_kernel": [
                kernel("forward", "conv1d_tile lanes=8 fast=0", 30.0), kernel("forward", "batch_norm RELU=1", 4.0),
                kernel("backward", "conv1d_tile lanes=8 fast=1", 40.0), kernel("backward", "conv1d_weight_tile", 20.0),
                kernel("loss", "cross_entropy", 0.01), kernel("optimizer", "adam", 3.0),
            ],
        },
        "lengths": [scaled(8, 1250), scaled(8, 2500), scaled(8, 5000), scaled(8, 10000)],
        "batches": [scaled(1, 5000), scaled(4, 5000), scaled(16, 5000)],
    });
    (suite, json!({"adapter": "an adapter (its driver)", "ceilings": ceilings, "rows": versions}))
}

/// The versions of two kernels in their order: one that multiply-adds bind, one that copies bind.
pub fn ladders() -> Value {
    let rung = |number: u64, name: &str, change: &str, rate: f64| {
        let ms = 2000.0 / rate;
        json!({
            "number": number, "name": name, "change": change, "status": "ok", "gflops": rate, "gb_per_s": 0.5 * rate,
            "ms": {"median": ms, "low": 0.9 * ms, "high": 1.3 * ms, "p5": 0.95 * ms, "p95": 1.1 * ms},
            "times_faster": rate / 1.5,
        })
    };
    let without = |number: u64, name: &str, status: &str, note: &str| json!({"number": number, "name": name, "change": "An attempt", "status": status, "note": note, "ms": null, "gflops": null});
    let long = "Subgroup shuffle: a lane loads its own stretch of the signal once and hands the window's tail to its \
                neighbour, as a shuffle costs a tenth of a load on a software adapter; one subgroup is the workgroup";
    let ladder = |operation: &str, name: &str, bound: &str, rungs: Vec<Value>| {
        let ceilings = json!({"gflops": 98.94, "gb_per_s": 12.24});
        json!({"operation": operation, "name": name, "bound": bound, "ceilings": ceilings, "rungs": rungs})
    };
    let conv = vec![
        rung(1, "naive", "The formula as loops: one output a thread", 1.5),
        rung(4, "subgroup_shuffle", long, 57.0),
        rung(5, "fast", "Fast convolution: seven multiplications for four outputs of four taps", 111.0),
        without(6, "workgroup_tiles", "not run", "would take 40 s a run, more than 20 s"),
        without(90, "mine", "WRONG", ""),
    ];
    let pool = vec![rung(1, "naive", "One output a thread", 6.0), rung(2, "rows", "A group walks along a row", 21.0)];
    json!({"adapter": "an adapter (its driver)", "family": "conv1d", "ladders": [
        ladder("conv1d", "conv1d 32x64x625 -> 64 k5", "multiply-adds", conv),
        ladder("max_pool", "max_pool 32x64x2500 k2 s2", "copy", pool),
    ]})
}
