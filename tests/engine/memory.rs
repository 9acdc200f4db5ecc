//! Memory is flat and steps are reproducible. A device of its own: nothing else uses its pool.

use exgnet::autograd::grad;
use exgnet::gpu::Gpu;
use exgnet::nn::models::exgnet::Sizes;
use exgnet::nn::{Mode, Model, NetworkConfig, Optimizer};
use exgnet::ops::{self, DropoutState, Hyper};
use exgnet::tensor::Tensor;
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

/// A small network's training step, as the loop runs it.
fn train_step(net: &Model, optimizer: &mut Optimizer, dropout: &DropoutState, step: u32) -> f32 {
    let x: Vec<f32> = (0..4 * 160).map(|i| ((i * i) % 17) as f32 / 8.0 - 1.0).collect();
    let x = Tensor::from_f32(gpu(), &[4, 1, 160], &x).expect("uploaded");
    let labels = Tensor::from_u32(gpu(), &[4], &[0, 1, 2, 1]).expect("uploaded");
    let ones = Tensor::full(gpu(), &[3], 1.0).expect("uploaded");
    dropout.set(5, step).expect("set");
    let targets = ops::cross_entropy_targets(&labels, &ones, 0.0).expect("targets");
    let out = net.forward(&x, &Mode::train(dropout)).expect("forward");
    let loss = ops::cross_entropy(&out.logits, &targets).expect("loss");
    let params: Vec<&Tensor> = net.params().trainable().iter().map(|(_, p)| p).collect();
    let gradients = grad(&loss, &params, None, false).expect("gradients");
    optimizer.step(net.params(), &gradients, 1e-2).expect("a step");
    loss.item().expect("read back")
}

#[test]
fn memory_stays_flat_and_steps_are_reproducible() {
    let config =
        NetworkConfig::from(Sizes { widths: vec![6, 9], strides: vec![1, 2], stem_channels: 4, ..Sizes::default() });
    let run = || {
        let net = Model::new(gpu(), &config, 3, false, 11).expect("a network");
        let mut optimizer =
            Optimizer::new(net.params(), Hyper { clip: 5.0, ..Hyper::default() }).expect("an optimiser");
        let dropout = DropoutState::new(gpu(), 5).expect("a state");
        let mut losses = Vec::new();
        for step in 0..40 {
            losses.push(train_step(&net, &mut optimizer, &dropout, step).to_bits());
        }
        (losses, net.params().read().expect("read back"))
    };
    let first = run();
    let held = gpu().pool_stats().allocated;
    let second = run();
    assert!(first.0 == second.0 && first.1 == second.1, "two runs are equal to the bit");
    assert!(f32::from_bits(first.0[39]) < 0.5 * f32::from_bits(first.0[0]), "it learns");
    println!("pool after 40 steps {held} bytes, after 80 {}", gpu().pool_stats().allocated);
    assert_eq!(gpu().pool_stats().allocated, held, "the pool stops growing");
}
