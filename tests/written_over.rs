//! A tensor that a gradient is computed from and that was written over since the forward pass is an error, whoever wrote: an
//! optimiser, a running estimate, a replay, the caller; in every version of the kernels.

#[path = "common/engine.rs"]
mod engine;

use engine::{floats, gpu, says};
use exgnet::autograd::{grad, no_grad};
use exgnet::gpu::Forced;
use exgnet::nn::{BatchNorm, Conv1d, Linear, Mode, Optimizer, ParamBuilder, Params};
use exgnet::ops::{self, Branch, Hyper};
use exgnet::tensor::Tensor;

/// A network of layers whose gradients read weights, inputs, outputs and statistics.
struct Net {
    params: Params,
    conv: Conv1d,
    norm: BatchNorm,
    head: Linear,
}

impl Net {
    fn new() -> Self {
        let mut p = ParamBuilder::new(7);
        Conv1d::declare(&mut p, "conv", 2, 8, 5);
        BatchNorm::declare(&mut p, "norm", 8);
        Linear::declare(&mut p, "head", 8, 3);
        let params = p.init(gpu()).expect("parameters");
        let (conv, norm) = (Conv1d::new(&params, "conv", 1), BatchNorm::new(&params, "norm"));
        let head = Linear::new(&params, "head").expect("a layer");
        Self { conv: conv.expect("a layer"), norm: norm.expect("a layer"), head, params }
    }

    fn loss(&self, x: &Tensor, mode: &Mode<'_>) -> Tensor {
        let forward = || {
            let y = ops::relu(&self.norm.forward(&self.conv.forward(x)?, mode)?)?;
            let logits = self.head.forward(&ops::global_avg_pool(&y)?)?;
            ops::mean(&ops::square(&logits)?, &[0, 1]).and_then(|l| ops::reshape(&l, &[1]))
        };
        forward().expect("forward")
    }

    fn get(&self, name: &str) -> Tensor {
        self.params.get(name).expect("a parameter")
    }
}

const WRITTEN: &str = "written over since the forward pass";

fn batch() -> Tensor {
    let values: Vec<f32> = (0..3 * 2 * 40).map(|i| ((i * 37 % 101) as f32) / 50.0 - 1.0).collect();
    Tensor::from_f32(gpu(), &[3, 2, 40], &values).expect("uploaded")
}

/// Each version of the kernels, and the usual one.
fn in_all_versions(f: impl Fn(&str)) {
    // one test at a time: they share the device, and a version is asked for on all of it
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for version in ["naive", "plain", "tile", "fast", "wide", ""] {
        gpu().force(Forced::parse(version).expect("a version")).expect("a version");
        f(if version.is_empty() { "default" } else { version });
    }
    gpu().force(Forced::default()).expect("none");
}

#[test]
fn a_step_of_the_optimiser_before_the_gradients_is_an_error() {
    in_all_versions(|version| {
        let net = Net::new();
        let mut adam = Optimizer::new(&net.params, Hyper::default()).expect("an optimiser");
        let (old, new) = (net.loss(&batch(), &Mode::TRAIN), net.loss(&batch(), &Mode::TRAIN));
        adam.step(&net.params, &net.params.gradients(&new).expect("gradients"), 0.01).expect("a step");
        let said = says(net.params.gradients(&old), &[WRITTEN, "input of shape"]);
        assert!(said.starts_with("matmul") && said.contains("[3, 8]"), "{version}: {said}");
        // and forward, backward, step again is as ever
        for _ in 0..3 {
            let loss = net.loss(&batch(), &Mode::TRAIN);
            adam.step(&net.params, &net.params.gradients(&loss).expect("gradients"), 0.01).expect("a step");
        }
    });
}

#[test]
fn what_a_gradient_needs_may_not_be_written_over() {
    in_all_versions(|version| {
        println!("{version}");
        let net = Net::new();
        let x = batch().leaf();
        let wrt_x = |loss: &Tensor| grad(loss, &[&x], None, false);
        // weights of the layers, and the input of one
        for (name, op, shape) in [
            ("conv.weight", "conv1d", "[8, 2, 5]"),
            ("norm.weight", "batch_norm", "[8]"),
            ("head.weight", "matmul", "[3, 8]"),
        ] {
            let loss = net.loss(&x, &Mode::TRAIN);
            assert!(wrt_x(&loss).is_ok(), "before");
            let weight = net.get(name);
            weight.overwrite(&weight.to_vec().expect("read back")).expect("written");
            says(wrt_x(&loss), &[op, WRITTEN, shape]);
            // a new forward pass is another matter
            assert!(wrt_x(&net.loss(&x, &Mode::TRAIN)).is_ok());
        }
        let loss = net.loss(&x, &Mode::TRAIN);
        x.overwrite(&batch().to_vec().expect("read back")).expect("written");
        says(net.params.gradients(&loss), &["conv1d", WRITTEN, "[3, 2, 40]"]);

        // what no gradient reads may change: biases, and parameters of another network
        let loss = net.loss(&x, &Mode::TRAIN);
        let before = wrt_x(&loss).expect("gradients").remove(0).expect("one").to_vec().expect("read back");
        net.get("head.bias").overwrite(&[9.0; 3]).expect("written");
        Net::new().get("conv.weight").overwrite(&[9.0; 80]).expect("written");
        let after = wrt_x(&loss).expect("gradients").remove(0).expect("one").to_vec().expect("read back");
        assert_eq!(before, after);
    });
}

#[test]
fn outputs_estimates_and_states_count_as_well() {
    let x = floats(&[2, 6]).leaf();
    let y = ops::tanh(&x).expect("computed");
    let z = ops::scale(&y, 2.0).expect("computed");
    y.overwrite(&[0.0; 12]).expect("written");
    says(grad(&z, &[&x], None, false), &["tanh", "output of shape [2, 6]", WRITTEN]);

    // running estimates that an evaluation used, moved by a forward pass in training
    let net = Net::new();
    let loss = net.loss(&batch().leaf(), &Mode::EVAL);
    no_grad(|| net.loss(&batch(), &Mode::TRAIN));
    says(net.params.gradients(&loss), &["batch_norm", "[8]", WRITTEN]);

    // dropout draws its numbers again in the gradient
    let state = ops::DropoutState::new(gpu(), 1).expect("a state");
    let y = ops::dropout(&x, 0.5, &state, 0).expect("computed");
    state.set(1, 1).expect("moved");
    says(grad(&y, &[&x], None, false), &["dropout", "[3]", WRITTEN]);

    // statistics that the caller got too
    let wide = batch().leaf();
    let (w, b) = (floats(&[2]).leaf(), floats(&[2]).leaf());
    in_all_versions(|_| {
        let (y, stats) = ops::batch_norm_train(&wide, &w, &b, 1e-5).expect("normalised");
        stats.overwrite(&[0.0; 10]).expect("written");
        says(grad(&y, &[&wide], None, false), &["batch_norm", "statistics of shape [5, 2]", WRITTEN]);
    });
}

#[test]
fn a_second_derivative_after_an_update_is_an_error() {
    let net = Net::new();
    let x = batch().leaf();
    let loss = net.loss(&x, &Mode::TRAIN);
    let first = grad(&loss, &[&x], None, true).expect("gradients").remove(0).expect("one");
    let penalty = ops::sum(&ops::square(&first).expect("squared"), &[0, 1, 2]).expect("a sum");
    assert!(net.params.gradients(&penalty).is_ok(), "the graph is kept");
    let weight = net.get("conv.weight");
    weight.overwrite(&weight.to_vec().expect("read back")).expect("written");
    says(net.params.gradients(&penalty), &["conv1d", WRITTEN, "[8, 2, 5]"]);
}

#[test]
fn a_replay_writes_what_it_wrote_when_it_was_recorded() {
    let net = Net::new();
    let mut adam = Optimizer::new(&net.params, Hyper::default()).expect("an optimiser");
    let x = batch();
    adam.begin(0.01).expect("a rate");
    let work = || {
        let loss = net.loss(&x, &Mode::TRAIN);
        adam.update(&net.params, &net.params.gradients(&loss)?)?;
        Ok(loss.detach())
    };
    let (work, found) = gpu().capture(&gpu().arena(), work).expect("recorded");
    work.replay().expect("replayed");
    let graph = net.loss(&x, &Mode::TRAIN);
    let leaf = found.leaf();
    let of_found = ops::square(&leaf).expect("squared");
    assert!(net.params.gradients(&graph).is_ok());
    work.replay().expect("replayed");
    says(net.params.gradients(&graph), &[WRITTEN]);
    says(grad(&of_found, &[&leaf], None, false), &["square", WRITTEN]);
}

#[test]
fn convolutions_of_one_input_see_it_as_it_is() {
    in_all_versions(|version| {
        let x = batch();
        let w = floats(&[4, 2, 3]);
        let spec = ops::ConvSpec::single(1, 1, Branch::same(3, 1));
        let input = ops::ConvInput::new(&x);
        let first = input.branches(&[&w], &spec).expect("computed").to_vec().expect("read back");
        x.overwrite(&batch().to_vec().expect("read back").iter().map(|v| 2.0 * v).collect::<Vec<_>>())
            .expect("written");
        let second = input.branches(&[&w], &spec).expect("computed").to_vec().expect("read back");
        let close = first.iter().zip(&second).all(|(a, b)| (2.0 * a - b).abs() < 1e-4);
        assert!(close, "{version}: {:?} then {:?}", &first[..4], &second[..4]);
    });
}
