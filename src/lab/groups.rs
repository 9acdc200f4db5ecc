//! The kernels of a step by what they are for: [`groups`].

use super::ceilings::Ceilings;
use super::profile::KernelShare;
use serde::Serialize;

/// Kinds of work of a step, in the order of tables.
const GROUPS: [&str; 8] = [
    "convolutions",
    "their layouts",
    "normalisation",
    "elementwise and shaping",
    "pooling",
    "losses and guidance",
    "optimiser",
    "the rest",
];
const LOSSES: &str = GROUPS[5];

/// What the kernels of one kind take in a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GroupShare {
    /// `convolutions`, `their layouts`, `normalisation`, `elementwise and shaping`, `pooling`, `losses and guidance` (all that
    /// runs between forward and backward pass), `optimiser`, `the rest`.
    pub group: &'static str,
    /// Dispatches a step.
    pub count: usize,
    /// Device time a step, ms.
    pub ms: f64,
    /// Share of the step's device time.
    pub of_step: f64,
    /// Bytes that must be moved, of the launches that say so.
    pub bytes: f64,
    /// 1e9 bytes per second of those launches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gb_per_s: Option<f64>,
    /// The same as a share of the copy's ceiling; above 1 where caches hold what is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_copy: Option<f64>,
}

fn group(k: &KernelShare) -> &'static str {
    if k.phase == "loss" {
        return LOSSES;
    }
    match k.kernel.split('/').next().unwrap_or_default() {
        "conv1d" | "conv1d_input_grad" | "conv1d_weight_grad" => GROUPS[0],
        "layouts" => GROUPS[1],
        "batch_norm" => GROUPS[2],
        "elementwise" | "shaping" | "dropout" => GROUPS[3],
        "pooling" => GROUPS[4],
        "losses" => LOSSES,
        "optimiser" => GROUPS[6],
        _ if k.phase == "optimizer" => GROUPS[6],
        _ => GROUPS[7],
    }
}

/// The kernels of a step in groups; those without a kernel are left out.
pub fn groups(kernels: &[KernelShare], most: &Ceilings) -> Vec<GroupShare> {
    let total: f64 = kernels.iter().map(|k| k.ms).sum();
    let of = |name: &'static str| {
        let mut all = GroupShare { group: name, ..GroupShare::default() };
        let mut timed = 0.0;
        for k in kernels.iter().filter(|k| group(k) == name) {
            all.count += k.count;
            all.ms += k.ms;
            if let Some(rate) = k.gb_per_s {
                all.bytes += 1e6 * rate * k.ms;
                timed += k.ms;
            }
        }
        all.of_step = all.ms / total;
        all.gb_per_s = (timed > 0.0).then(|| 1e-6 * all.bytes / timed);
        all.of_copy = all.gb_per_s.map(|rate| rate / most.gb_per_s);
        all
    };
    GROUPS.into_iter().map(of).filter(|g| g.count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_add_up_to_the_step() {
        let of = |phase: &str, kernel: &str, ms, gb_per_s| KernelShare {
            phase: phase.to_owned(),
            kernel: kernel.to_owned(),
            count: 2,
            ms,
            gb_per_s,
            ..KernelShare::default()
        };
        let kernels = [
            of("forward", "conv1d/05_fast", 5.0, Some(1.0)),
            of("forward", "layouts/03_runs", 2.0, Some(4.0)),
            of("forward", "layouts/02_vectors", 1.0, None),
            of("loss", "conv1d_input_grad/04_fast", 0.5, Some(1.0)),
            of("optimizer", "reductions/03_subgroup", 1.5, Some(2.0)),
        ];
        let found = groups(&kernels, &Ceilings { gflops: 50.0, gb_per_s: 8.0 });
        let names: Vec<_> = found.iter().map(|g| (g.group, g.ms, g.count)).collect();
        let expected = [
            ("convolutions", 5.0, 2),
            ("their layouts", 3.0, 4),
            ("losses and guidance", 0.5, 2),
            ("optimiser", 1.5, 2),
        ];
        assert_eq!(names, expected);
        assert_eq!((found[1].bytes, found[1].gb_per_s, found[1].of_copy), (8e6, Some(4.0), Some(0.5)));
        assert!((found.iter().map(|g| g.of_step).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
