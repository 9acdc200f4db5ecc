//! The example programs do what they say: they are run here, on one device, as their `main` runs them.

#[path = "../../experiments/examples/cnn.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod cnn;
#[path = "../../experiments/examples/own_network.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod own_network;
#[path = "../../experiments/examples/own_operation.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod own_operation;
#[path = "../../experiments/examples/sine.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod sine;

use exgnet::gpu::{Gpu, Launch, ShaderSource};
use exgnet::prelude::{DType, Tensor, grad};
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn a_sine_is_fitted() {
    let error = sine::run(gpu()).unwrap_or_else(|e| panic!("{e}"));
    assert!(sine::fitted(error), "{error}");
    assert!(!sine::fitted(0.5) && !sine::fitted(f32::NAN), "a flat line is no fit");
}

#[test]
fn a_plain_network_learns_three_rhythms() {
    let accuracy = cnn::run(gpu()).unwrap_or_else(|e| panic!("{e}"));
    assert!(cnn::learned(accuracy), "{accuracy}");
    assert!(!cnn::learned(1.0 / 3.0), "chance is no success");
}

#[test]
fn a_network_of_ones_own_is_trained_saved_loaded_and_explained() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("own.safetensors");
    let (accuracy, off) = own_network::run(gpu(), &path).unwrap_or_else(|e| panic!("{e}"));
    // by chance a third would be right, and maps some 20 samples off
    assert!(accuracy > 0.9 && off < 5.0, "accuracy {accuracy}, {off} samples off");
    let text = include_str!("../../experiments/examples/own_network.rs");
    assert!(text.lines().count() <= 80, "{} lines, too long to begin with", text.lines().count());
    // what the guide shows of it is what was run
    let page = include_str!("../../experiments/README.md");
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    assert!(text.contains(shown), "experiments/README.md shows another program than own_network.rs:\n{shown}");
}

/// The commands of the guide make a file and a row of their own; that these compile is as true as of what they copy.
#[test]
#[cfg(target_os = "linux")]
fn a_network_of_the_table_begins_as_a_copy() {
    let dir = tempfile::tempdir().expect("a folder");
    let models = dir.path().join("src/nn/models");
    std::fs::create_dir_all(&models).expect("made");
    for name in ["cnn.rs", "mod.rs"] {
        std::fs::copy(crate::common::root(&format!("src/nn/models/{name}")), models.join(name)).expect("copied");
    }
    let page = include_str!("../../experiments/README.md");
    let commands: Vec<&str> = page.lines().filter(|line| line.starts_with("sed ")).collect();
    let done = std::process::Command::new("sh").args(["-ec", &commands.join("\n")]).current_dir(dir.path()).status();
    assert!(commands.len() == 2 && done.expect("a shell").success(), "{commands:?}");
    let read = |name: &str| std::fs::read_to_string(models.join(name)).expect("written");
    let (own, table) = (read("mine.rs"), read("mod.rs"));
    assert!(
        own.contains("pub enum Kind {") && own.contains("impl Network for Mine {") && !own.contains("Cnn"),
        "{own}"
    );
    for line in ["pub mod mine;", "    Mine(mine) [\"mine\"];"] {
        assert_eq!(table.lines().filter(|l| *l == line).count(), 1, "{line}");
    }
}

#[test]
fn an_operation_from_outside_passes_the_engines_checks() {
    let reports = own_operation::run(gpu()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(reports.len(), 3);
    for r in &reports {
        assert!(r.passed() && r.gradient.is_some() && r.second.is_some(), "{r:?}");
    }
    let x = Tensor::from_f32(gpu(), &[3], &[-4.0, 0.0, 4.0]).expect("uploaded").leaf();
    let y = own_operation::asinh(&x, 4.0).expect("an operation");
    let first = grad(&y, &[&x], None, false).expect("gradients").remove(0).expect("depends on x");
    // asinh(1) = ln(1 + sqrt 2); slope 1 / sqrt(x^2 + s^2)
    let close = |got: Vec<f32>, expected: [f64; 3]| {
        got.iter().zip(expected).for_each(|(&a, b)| assert!((f64::from(a) - b).abs() < 1e-6, "{a} {b}"));
    };
    let end = (1.0 + 2.0_f64.sqrt()).ln();
    close(y.to_vec().expect("read"), [-end, 0.0, end]);
    close(first.to_vec().expect("read"), [1.0 / 32.0_f64.sqrt(), 0.25, 1.0 / 32.0_f64.sqrt()]);
    for s in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(own_operation::asinh(&x, s).unwrap_err().to_string().contains("HINT"), "{s}");
    }
}

/// `y = x * factor` in a text of its own.
fn text(factor: u32) -> &'static str {
    let text = format!(
        "struct Params {{ n: u32 }}\n@group(0) @binding(0) var<uniform> p: Params;\n\
         @group(0) @binding(1) var<storage, read> x: array<f32>;\n\
         @group(0) @binding(2) var<storage, read_write> y: array<f32>;\noverride WG: u32;\n\
         @compute @workgroup_size(WG)\n\
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
         if id.x < p.n {{ y[id.x] = x[id.x] * f32({factor}); }}\n}}\n"
    );
    text.leak()
}

#[test]
fn kernels_from_outside_are_distinguished() {
    let times = |gpu: &Gpu, name: &'static str, text: &'static str| {
        let x = Tensor::from_f32(gpu, &[2], &[1.0, 2.0])?;
        let y = Tensor::empty(gpu, &[2], DType::F32)?;
        Launch::from_text(name, text).uint([2]).bind(x.storage()).bind(y.storage()).threads(gpu, 2, 64)?;
        y.to_vec()
    };
    // one name, two texts; the name of a kernel of the crate
    assert_eq!(times(gpu(), "times", text(2)).expect("runs"), [2.0, 4.0]);
    assert_eq!(times(gpu(), "times", text(3)).expect("runs"), [3.0, 6.0]);
    assert_eq!(times(gpu(), "unary", text(5)).expect("runs"), [5.0, 10.0]);
    // what does not compile is an error with the kernel's name
    let e = times(gpu(), "broken", "fn main( {").unwrap_err().to_string();
    assert!(e.contains("broken.wgsl") && e.contains("HINT"), "{e}");
    let source = ShaderSource::default();
    assert!(source.text("nothing").unwrap_err().to_string().contains("'nothing'"));
}
