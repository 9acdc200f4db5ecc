//! Every version of every kernel on this machine's adapter: values against the f64 oracle, first and second derivatives
//! against differences of the oracle, equal bits when run twice; every text against naga within WebGPU's default limits.

use exgnet::gpu::{Gpu, ShaderSource, expand};
use exgnet::lab::check::{Checker, Target};
use exgnet::ops::{self, Branch, DropoutState, MaxPool};
use exgnet::tensor::Tensor;
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

/// All versions of all families, compiled for this and other adapters; those that can run, to the second derivative.
#[test]
fn every_version_to_second_order() {
    let mut checker = Checker::new();
    let (mut failed, mut ran) = (Vec::new(), 0);
    for target in Target::all() {
        let versions = target.versions(gpu(), None).expect("versions");
        let none = versions.is_empty().then_some(None);
        for version in versions.iter().map(Some).chain(none) {
            let row = checker.check(gpu(), &target, version, |_| {}).expect("checked");
            println!(
                "{:<42} {:>3} cases, {:>2} texts, {:.1} s",
                row.name(),
                row.cases.len(),
                row.compiled,
                row.seconds
            );
            ran += row.cases.len();
            if !row.passed() {
                let cases = row.cases.iter().filter(|c| !c.passed());
                failed.push(format!("{}: {:?} {:?}", row.name(), row.problems, cases.collect::<Vec<_>>()));
            }
        }
    }
    let others = checker.others(gpu());
    assert!(others.passed(), "{:?}", others.problems);
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(ran > 1000, "{ran} cases ran");
}

#[test]
fn a_template_without_its_constants_is_reported() {
    let text = "{% for i in range(n) %}{% endfor %}";
    let e = expand(&ShaderSource::default(), "conv1d/90_mine", text.into(), []).expect_err("n is missing").to_string();
    assert!(e.contains("conv1d/90_mine.wgsl:1") && e.contains("`n`") && e.contains("HINT"), "{e}");
}

#[test]
fn more_groups_than_one_dimension_holds() {
    // 65,535 groups of 64 threads are 4.2 million maxima: this needs a second row of groups.
    let n = 4_300_003;
    let values: Vec<f32> = (0..2 * n).map(|i| (i % 1013) as f32).collect();
    let x = Tensor::from_f32(gpu(), &[n, 2], &values).expect("uploaded");
    let y = ops::max(&x, 1).expect("maxima").to_vec().expect("read back");
    assert!(y.iter().zip(values.chunks(2)).all(|(y, x)| *y == x[0].max(x[1])));
}

#[test]
fn wrong_shapes_are_errors_not_panics() {
    let t = |shape: &[usize]| Tensor::zeros(gpu(), shape).expect("zeros");
    let said = |r: exgnet::Result<Tensor>| r.expect_err("refused").to_string();
    let message = said(ops::matmul(&t(&[3, 4]), &t(&[5, 2]), false, false));
    assert!(message.contains("matmul: found [3, 4] x [5, 2]") && message.contains("HINT"), "{message}");
    assert!(said(ops::add(&t(&[3, 4]), &t(&[3, 5]))).contains("[3, 5]"));
    assert!(said(ops::conv1d(&t(&[1, 2, 9]), &t(&[4, 3, 3]), 1, 1, Branch::same(3, 1))).contains("2 channels"));
    assert!(
        said(ops::conv1d(&t(&[1, 1, 2]), &t(&[1, 1, 5]), 1, 1, Branch { dilation: 1, pad_left: 0, pad_right: 0 }))
            .contains("2 samples")
    );
    assert!(said(ops::concat(&[&t(&[1, 2]), &t(&[2, 2])], 1)).contains("concat"));
    assert!(said(ops::max_pool(&t(&[1, 1, 2]), MaxPool { kernel: 3, stride: 1, pad: 0 })).contains("kernel 3"));
    assert!(said(ops::batch_norm_train(&t(&[1, 3, 1]), &t(&[3]), &t(&[3]), 1e-5).map(|r| r.0)).contains("train mode"));
    assert!(said(ops::dropout(&t(&[4]), 1.0, &DropoutState::new(gpu(), 0).expect("a state"), 0)).contains("rate 1"));
    assert!(said(Tensor::from_f32(gpu(), &[3], &[1.0])).contains("1 values"));
    assert!(said(Tensor::zeros(gpu(), &[0, 3])).contains("[0, 3]"));
    assert!(said(Tensor::empty(gpu(), &[1 << 30], exgnet::tensor::DType::F32)).contains("limit"));
}

#[test]
fn the_device_times_its_work_where_it_can() {
    let x = Tensor::full(gpu(), &[64, 1024], 1.0).expect("uploaded");
    let times = gpu().profiled(|| ops::exp(&x).map(drop)).expect("profiled");
    assert_eq!(times.is_some(), gpu().report().timestamps);
    let seconds: Option<f64> = times.map(|all| all.iter().map(|t| t.seconds).sum());
    assert!(seconds.is_none_or(|s| s > 0.0 && s < 10.0), "{seconds:?}");
}
