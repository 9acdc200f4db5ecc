//! Passes that are merged are the same function: BatchNorm and shortcuts folded into convolutions, dropout in the last pass of
//! a block.

use crate::common::golden::{Worst, gpu};
use exgnet::experiment::Experiment;
use exgnet::explain::grad_cam;
use exgnet::nn::models::exgnet::Sizes;
use exgnet::nn::network::expected_tensors;
use exgnet::nn::{Mode, Model, NetworkConfig, Output, PreDropout};
use exgnet::ops::{self, DropoutState};
use exgnet::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const CLASSES: usize = 3;

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| 3.0 * rng.random::<f32>() - 1.5).collect()
}

/// A network whose normalisations are far from doing nothing.
fn network(config: &NetworkConfig) -> Model {
    let mut values = BTreeMap::new();
    for (i, (name, shape)) in expected_tensors(config, CLASSES, false).into_iter().enumerate() {
        let start = random(shape.iter().product(), 900 + i as u64);
        let fan_in: usize = shape.iter().skip(1).product();
        let of: Box<dyn Fn(f32) -> f32> = match name.rsplit('.').next() {
            Some("running_var") => Box::new(|v| 0.3 + v * v),
            Some("running_mean" | "bias") => Box::new(|v| 0.5 * v),
            _ if shape.len() == 1 => Box::new(|v| 1.0 + 0.4 * v),
            _ => Box::new(move |v| v / (fan_in as f32).sqrt()),
        };
        values.insert(name, start.into_iter().map(of).collect::<Vec<f32>>());
    }
    Model::with_values(gpu(), config, CLASSES, false, 1, &values).expect("a network")
}

/// Logits, every map, and Grad-CAM on every map, one behind the other.
fn all(out: &Output) -> Vec<Vec<f32>> {
    let classes = Tensor::from_u32(gpu(), &[2], &[0, 2]).expect("uploaded");
    let read = |t: &Tensor| t.to_vec().expect("read back");
    let cams = (0..out.maps.len()).map(|i| read(&grad_cam(out, i, &classes, false).expect("maps").map));
    let maps = out.maps.iter().map(read);
    std::iter::once(read(&out.logits)).chain(maps).chain(cams).collect()
}

#[test]
fn a_folded_network_is_the_same_function() {
    let mut worst = Worst::new("folded");
    let cases: [&[&str]; 10] = [
        &[],
        // shortcuts: the input itself, and convolutions with and without a stride
        &["widths=[32, 32, 48]", "strides=[1, 2, 1]"],
        &["dilations=[1, 2, 4]", "strides=[1, 2, 2]", "widths=[16, 24, 24]"],
        &["kernels=[4, 8, 15]"],
        // an even kernel that is dilated has no tap in the middle; these blocks do more than can be folded
        &["kernels=[4, 7, 15]", "dilations=[2, 1, 1]"],
        &["kind=cascade", "kernels=[16]"],
        &["se_reduction=4"],
        &["kind=resnet1d", "widths=[12, 12, 20]"],
        &["kind=inceptiontime", "filters=6", "kernels=[16, 8, 5]"],
        &["kind=cnn"],
    ];
    for sets in cases {
        let sets: Vec<String> = sets.iter().map(|s| format!("network.{s}")).collect();
        let config = Experiment::quickstart(&sets).expect("a configuration").network;
        let net = network(&config);
        let x = Tensor::from_f32(gpu(), &[2, 1, 400], &random(800, 7)).expect("uploaded");
        let forward = |net: &Model, mode| net.forward(&x, mode).expect("forward");
        let folded = net.folded().expect("folded");
        let pairs = all(&forward(&net, &Mode::EVAL)).into_iter().zip(all(&forward(&folded, &Mode::EVAL)));
        let mut other_bits = false;
        for (i, (own, folded)) in pairs.enumerate() {
            // a map may be dead, logits and outputs are not
            let dead = i <= config.maps().len() && own.iter().all(|v| *v == 0.0);
            assert!(!dead, "{sets:?}: nothing to compare in {i}");
            other_bits |= own != folded;
            let own: Vec<f64> = own.into_iter().map(f64::from).collect();
            worst.see(&format!("{sets:?} {i}"), &folded, &own, 2e-5, 2e-4);
        }
        assert!(other_bits, "{sets:?}: the stem at least is folded");
        // training does not know of it
        let train = Mode { update_running: false, dropout: None, ..Mode { batch_stats: true, ..Mode::EVAL } };
        assert_eq!(all(&forward(&net, &train)), all(&forward(&folded, &train)), "{sets:?}");
    }
    worst.done();
}

/// Dropout of a block that nobody looks into before is part of the block's last pass, forward and backward.
#[test]
fn dropout_in_a_blocks_last_pass_is_dropout() {
    let config = NetworkConfig::from(Sizes { dropout: 0.3, ..Sizes::small() });
    let net = Model::new(gpu(), &config, 4, false, 1).expect("a network");
    let state = DropoutState::new(gpu(), 7).expect("a state");
    let values: Vec<f32> = (0..3 * 500).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    let x = Tensor::from_f32(gpu(), &[3, 1, 500], &values).expect("strips");
    let run = |pre_dropout| {
        let mode = Mode { update_running: false, pre_dropout, ..Mode::train(&state) };
        let out = net.forward(&x, &mode).expect("a forward pass");
        let loss = ops::sum(&ops::square(&out.logits).expect("a square"), &[0, 1]).expect("a loss");
        let gradients = net.params().gradients(&loss).expect("gradients").into_iter().flatten();
        let gradients: Vec<f32> = gradients.flat_map(|g| g.to_vec().expect("read back")).collect();
        (out.logits.to_vec().expect("read back"), out.maps[1].to_vec().expect("read back"), gradients)
    };
    let (kept, fused) = (run(PreDropout::All), run(PreDropout::Nothing));
    assert_eq!(kept.0, fused.0, "logits");
    let dropped = |v: &[f32]| v.iter().filter(|v| **v == 0.0).count() as f32 / v.len() as f32;
    assert!(dropped(&fused.1) > dropped(&kept.1) + 0.05, "blocks after dropout and before it");
    let largest = kept.2.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
    let worst = kept.2.iter().zip(&fused.2).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
    println!("gradients differ by {:.1e} of the largest", worst / largest);
    assert!(worst <= 1e-5 * largest, "{worst} of {largest}");
}
