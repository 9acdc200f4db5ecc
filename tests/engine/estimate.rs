//! The memory that `train --dry-run` foretells against what the pool holds at most. A device of its own for each case:
//! nothing else uses its pool.

use exgnet::experiment::Experiment;
use exgnet::gpu::Gpu;
use exgnet::train::estimate::{Estimate, random_batch};
use exgnet::train::step::Stepper;

/// Estimated and measured bytes after two steps with the settings.
fn compare(samples: usize, sets: &[&str]) -> (f64, f64) {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
    let e = Experiment::quickstart(&sets).expect("an experiment");
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let mut stepper = Stepper::new(&gpu, &e, &[1.0; 4], None).expect("a network");
    let (x, targets) = random_batch(&gpu, &e, 4, samples).expect("a batch");
    for _ in 0..2 {
        let (terms, _) = stepper.step(&x, &targets, 1e-3).expect("a step");
        assert!(terms.total.item().expect("a loss").is_finite());
    }
    let estimate = Estimate::new(Some(&gpu), &e, 4, samples).expect("an estimate");
    let (estimated, held) = (estimate.memory_bytes() as f64, gpu.pool_stats().peak as f64);
    println!("{sets:?}: estimated {estimated:.3e}, held {held:.3e}, ratio {:.3}", estimated / held);
    (estimated, held)
}

#[test]
fn memory_is_as_estimated() {
    let small = ["train.batch=16", "data.fs=100", "data.seconds=10"];
    let plain = ["losses.joint=0", "losses.feature=0", "losses.xai=0"];
    let mut wrong = Vec::new();
    for more in [
        &[][..],
        &plain,
        &["losses.target_layer=blocks.2"],
        &["losses.target_layer=blocks.1"],
        &["losses.target_layer=blocks.0"],
        &["losses.detach_alpha=true"],
        &["network.dropout=0"],
        &["train.precision=f16"],
        &["network.kind=cascade", "network.kernels=16", "network.se_reduction=4"],
        &["network.kind=resnet1d"],
        &["network.kind=inceptiontime", "network.filters=8"],
        &["network.kind=cnn", "losses.target_layer=blocks.1"],
    ] {
        let (estimated, held) = compare(1000, &[&small[..], more].concat());
        if (estimated / held - 1.0).abs() > 0.02 {
            wrong.push(format!("{more:?}: {:.3}", estimated / held));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The preset `exgnet-small` as the quick start trains it.
#[test]
fn memory_of_the_quick_start() {
    let (estimated, held) = compare(2500, &[]);
    assert!((estimated / held - 1.0).abs() < 0.02, "{}", estimated / held);
}
