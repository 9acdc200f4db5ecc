//! Every operation on this machine's adapter: values against the f64 oracle, first and second derivatives against
//! differences of the oracle, equal bits when run twice; every shader against naga within WebGPU's default limits.

use exgnet::gpu::{Gpu, Setting, ShaderSource, Variant, embedded_shaders, expand, template_defaults};
use exgnet::lab::check::check_case;
use exgnet::ops::{self, Branch, DropoutState, MaxPool, REGISTRY};
use exgnet::tensor::Tensor;
use naga::valid::Capabilities;
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn operations_to_second_order() {
    let mut failed = Vec::new();
    let all = REGISTRY.iter().flat_map(|op| Variant::ALL.map(|v| (op, Some(v))));
    for (op, variant) in all {
        gpu().force_variant(variant);
        let version = variant.map_or("", Variant::name);
        let (mut cases, mut worst) = (0, [0.0f64; 3]);
        for case in (op.cases)() {
            let report = match check_case(gpu(), &case) {
                Ok(report) => report,
                Err(e) => {
                    failed.push(format!("{} {version} {}: {e}", op.name, case.label));
                    continue;
                }
            };
            cases += 1;
            let found = [Some(report.values), report.gradient, report.second];
            for (w, d) in worst.iter_mut().zip(found) {
                *w = w.max(d.map_or(0.0, |d| d.error));
            }
            if !report.passed() {
                failed.push(format!("{} {version} {}: {report:?}", op.name, case.label));
            }
        }
        println!(
            "{:<20} {version:<6} {cases:>3} cases, worst error: values {:.1e}, first {:.1e}, second {:.1e}",
            op.name, worst[0], worst[1], worst[2]
        );
    }
    gpu().force_variant(None);
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// Constants, beside their defaults, that the templates are expanded with here: odd ones for other adapters and shapes.
const TEMPLATES: [(&str, &[&[Setting]]); 10] = [
    (
        "conv1d_tile.wgsl",
        &[
            &[("lanes", 4), ("oc", 3), ("p", 4), ("taps_0", 21), ("shift_0", 3), ("mo", 2), ("mq", 4), ("add", 1)],
            &[("lanes", 32), ("oc", 1), ("p", 8), ("taps_0", 1), ("shift_0", 0), ("du_0", 4), ("mo", 1)],
            &[
                ("fast", 1),
                ("half", 1),
                ("parts", 2),
                ("oc", 3),
                ("p", 8),
                ("taps_0", 6),
                ("taps_1", 2),
                ("shift_0", 1),
            ],
            &[("parts", 3), ("taps_0", 5), ("taps_1", 11), ("taps_2", 6), ("shift_2", 1), ("du_1", 2)],
        ],
    ),
    (
        "conv1d_weight_tile.wgsl",
        &[
            &[("va", 2), ("ub", 3), ("p", 12), ("taps", 11), ("shift", 3), ("mv", 2), ("mj", 4), ("swap", 1)],
            &[("lanes", 16), ("va", 3), ("ub", 17), ("p", 4), ("taps", 1), ("shift", 1), ("mj", 4)],
        ],
    ),
    (
        "conv1d_wide.wgsl",
        &[
            &[("oc", 7), ("taps_0", 64), ("shift_0", 3)],
            &[("parts", 2), ("taps_1", 11), ("du_1", 2), ("add", 1)],
            &[("half", 1), ("native", 1)],
        ],
    ),
    ("batch_norm.wgsl", &[&[("drop", 1)]]),
    ("batch_norm_back_sums.wgsl", &[&[("lanes", 8)]]),
    ("batch_norm_stats.wgsl", &[&[("lanes", 8)]]),
    ("batch_norm_sums.wgsl", &[&[("lanes", 8)]]),
    ("cross_entropy.wgsl", &[&[("lanes", 8)]]),
    ("reduce_rows.wgsl", &[&[("lanes", 8)]]),
    (
        "conv1d_weight_wide.wgsl",
        &[
            &[("ub", 8), ("taps", 1), ("shift", 0), ("swap", 1)],
            &[("ub", 1), ("taps", 64)],
            &[("half", 1), ("native", 1)],
        ],
    ),
];

#[test]
fn shaders_are_valid() {
    for (name, text) in embedded_shaders() {
        let odd = TEMPLATES.iter().find(|(template, _)| template == name).map_or(&[][..], |(_, all)| *all);
        assert!(text.contains("{%") || template_defaults(text).is_empty(), "{name}: no template, but has defaults");
        for constants in std::iter::once(&[][..]).chain(odd.iter().copied()) {
            let text = expand(&ShaderSource::default(), name, (*text).into(), constants.iter().copied())
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let module =
                naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            // pack2x16float and its inverse are in WebGPU's core
            let core = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
            let core = if constants.contains(&("native", 1)) { core | Capabilities::SHADER_FLOAT16 } else { core };
            let subgroups = core | Capabilities::SUBGROUP;
            let in_subgroups = name.ends_with("_tile.wgsl") || constants.contains(&("lanes", 8));
            let allowed = if in_subgroups { subgroups } else { core };
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
    let e = expand(&ShaderSource::default(), "conv1d_tile", "{% for i in range(n) %}{% endfor %}".into(), [])
        .expect_err("n is missing")
        .to_string();
    assert!(e.contains("conv1d_tile.wgsl") && e.contains("HINT"), "{e}");
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
