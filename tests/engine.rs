//! Every operation on this machine's adapter: values against the f64 oracle, first and second derivatives against
//! differences of the oracle, equal bits when run twice; every shader against naga within WebGPU's default limits.

use exgnet::autograd::check::check_case;
use exgnet::gpu::{Gpu, embedded_shaders};
use exgnet::ops::REGISTRY;
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn operations_to_second_order() {
    let mut failed = Vec::new();
    for op in REGISTRY {
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
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn shaders_are_valid() {
    for (name, text) in embedded_shaders() {
        let module =
            naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let storage =
            module.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. }));
        assert!(storage.count() <= 8, "{name}: more storage buffers than WebGPU's default of 8");
    }
}
