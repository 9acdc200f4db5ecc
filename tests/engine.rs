//! Every operation on this machine's adapter: values against the f64 oracle, first and second derivatives against
//! differences of the oracle, equal bits when run twice; every shader against naga within WebGPU's default limits.

use exgnet::autograd::check::check_case;
use exgnet::gpu::{Gpu, Setting, embedded_shaders, expand};
use exgnet::ops::{self, Branch, DropoutState, MaxPool, REGISTRY};
use exgnet::tensor::Tensor;
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn operations_to_second_order() {
    let mut failed = Vec::new();
    // convolutions have a version for some adapters beside the plain one
    let plain = REGISTRY.iter().filter(|op| op.name.starts_with("conv1d") || op.name == "branches");
    for (op, plain) in REGISTRY.iter().map(|op| (op, false)).chain(plain.map(|op| (op, true))) {
        gpu().use_plain(plain);
        let (mut cases, mut worst) = (0, [0.0f64; 3]);
        for case in (op.cases)() {
            let report = match check_case(gpu(), &case) {
                Ok(report) => report,
                Err(e) => {
                    failed.push(format!("{} {}: {e}", op.name, case.label));
                    continue;
                }
            };
            cases += 1;
            let found = [Some(report.values), report.gradient, report.second];
            for (w, d) in worst.iter_mut().zip(found) {
                *w = w.max(d.map_or(0.0, |d| d.error));
            }
            if !report.passed() {
                failed.push(format!("{} {}: {report:?}", op.name, case.label));
            }
        }
        println!(
            "{:<20} {cases:>3} cases, worst error: values {:.1e}, first {:.1e}, second {:.1e}",
            op.name, worst[0], worst[1], worst[2]
        );
    }
    gpu().use_plain(false);
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// Constants that the templates are expanded with here: the usual ones, and odd ones for other subgroups.
const TEMPLATES: [(&str, &[&[Setting]]); 2] = [
    (
        "conv1d_tile.wgsl",
        &[
            &[
                ("lanes", 8),
                ("oc", 5),
                ("p", 12),
                ("taps", 11),
                ("shift", 3),
                ("mo", 2),
                ("mq", 4),
                ("split", 1),
                ("add", 0),
            ],
            &[
                ("lanes", 4),
                ("oc", 3),
                ("p", 4),
                ("taps", 21),
                ("shift", 2),
                ("mo", 2),
                ("mq", 4),
                ("split", 2),
                ("add", 1),
            ],
            &[
                ("lanes", 32),
                ("oc", 1),
                ("p", 8),
                ("taps", 1),
                ("shift", 0),
                ("mo", 1),
                ("mq", 8),
                ("split", 1),
                ("add", 0),
            ],
        ],
    ),
    (
        "conv1d_weight_tile.wgsl",
        &[
            &[("lanes", 8), ("oc", 5), ("uc", 2), ("p", 8), ("taps", 11), ("shift", 3), ("mj", 8)],
            &[("lanes", 16), ("oc", 1), ("uc", 1), ("p", 4), ("taps", 33), ("shift", 1), ("mj", 4)],
        ],
    ),
];

/// What plain WGSL is expanded with: nothing.
const PLAIN: &[&[Setting]] = &[&[]];

#[test]
fn shaders_are_valid() {
    for (name, text) in embedded_shaders() {
        let settings = TEMPLATES.iter().find(|(template, _)| template == name).map_or(PLAIN, |(_, all)| *all);
        assert!(!text.contains("{%") || !settings[0].is_empty(), "{name}: a template, give it constants");
        for constants in settings {
            let text = expand(name, (*text).into(), constants).unwrap_or_else(|e| panic!("{name}: {e}"));
            let module =
                naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            let subgroups = naga::valid::Capabilities::SUBGROUP;
            let allowed = if constants.is_empty() { naga::valid::Capabilities::empty() } else { subgroups };
            let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), allowed);
            validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
            validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
            validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let storage =
                module.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. }));
            assert!(storage.count() <= 8, "{name}: more storage buffers than WebGPU's default of 8");
        }
    }
}

#[test]
fn a_template_without_its_constants_is_told() {
    let e =
        expand("conv1d_tile", "{% for i in range(n) %}{% endfor %}".into(), &[]).expect_err("n is missing").to_string();
    assert!(e.contains("conv1d_tile.wgsl") && e.contains("HINT"), "{e}");
}

#[test]
fn more_groups_than_one_dimension_holds() {
    // 65,535 groups of 64 threads of 4 values are 16.8 million values: this needs a second row of groups.
    let n = 17_000_003;
    let values: Vec<f32> = (0..n).map(|i| (i % 1013) as f32).collect();
    let x = Tensor::from_f32(gpu(), &[n], &values).expect("uploaded");
    let y = ops::scale(&x, 2.0).expect("scale").to_vec().expect("read back");
    assert!(y.iter().zip(&values).all(|(y, x)| *y == 2.0 * x));
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
    let seconds = gpu().timed(|| ops::exp(&x).map(drop)).expect("timed");
    assert_eq!(seconds.is_some(), gpu().report().timestamps);
    assert!(seconds.is_none_or(|s| s > 0.0 && s < 10.0), "{seconds:?}");
}
