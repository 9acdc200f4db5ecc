//! Tensors given to the wrong operation, labels and positions out of range, names of layers that there are not: errors that
//! name the operation, in every version of the kernels and in recordings; never a value, never a panic.

use exgnet::autograd::{grad, no_grad};
use exgnet::explain::{explain_strips, grad_cam, target_block};
use exgnet::gpu::Gpu;
use exgnet::nn::config::NetworkConfig;
use exgnet::nn::params::ParamBuilder;
use exgnet::nn::{BatchNorm, Conv1d, Exgnet, Linear, Mode, Optimizer};
use exgnet::ops::{self, AdamState, Branch, Hyper, REGISTRY};
use exgnet::tensor::{DType, Tensor};
use exgnet::{Error, Result};
use std::sync::OnceLock;

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

fn floats(shape: &[usize]) -> Tensor {
    Tensor::full(gpu(), shape, 0.5).expect("uploaded")
}

fn integers(shape: &[usize]) -> Tensor {
    Tensor::from_u32(gpu(), shape, &vec![1; shape.iter().product()]).expect("uploaded")
}

/// The message of an error about an operation's inputs, which has all of `words`.
#[track_caller]
fn says<T>(done: Result<T>, words: &[&str]) -> String {
    let Err(e) = done else { panic!("expected an error with {words:?}") };
    assert!(matches!(e, Error::Shape { .. } | Error::Config { .. }), "{e}");
    let said = e.to_string();
    assert!(said.contains("\nHINT: "), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no '{word}' in: {said}"));
    said
}

/// What an entry of the registry is made of, where that has a name of its own.
const COMPOSED: [(&str, &str); 5] = [
    ("branches", "conv1d"),
    ("branches_relu", "conv1d"),
    ("shaping", "permute"),
    // the case makes its tensors so
    ("adam", "scale"),
    ("avg_pool", "global_avg_pool"),
];

#[test]
fn every_operation_refuses_inputs_of_the_other_type() {
    let mut tried = 0;
    for op in REGISTRY {
        for case in (op.cases)() {
            for i in 0..case.inputs() {
                match case.run_with_other_type(gpu(), i) {
                    // only moves the values, whatever they are
                    Ok(y) => {
                        assert!(case.label.starts_with("reshape"), "{} {}, input {i}: {y:?}", op.name, case.label);
                        assert_eq!(y.dtype(), DType::U32);
                    }
                    Err(e) => {
                        let said = says(Err::<(), _>(e), &["U32", "F32", "expected"]);
                        let name = said.split(':').next().unwrap_or_default();
                        let known = name == op.name
                            || case.label.split_whitespace().any(|word| word == name || word == format!("{name},"))
                            || COMPOSED.contains(&(op.name, name));
                        assert!(known, "{} {}: {said}", op.name, case.label);
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 150, "{tried}");
    gpu().check().expect("nothing reached the device");
}

#[test]
fn functions_outside_of_the_registry_refuse_integers_too() {
    let (f, i) = (floats(&[4, 3]), integers(&[4, 3]));
    let both = |name: &str, done: Result<Tensor>| says(done, &[name, "U32", "F32", "[4, 3]"]);
    both("add", ops::add(&f, &i));
    both("add", ops::add(&i, &f));
    // what would give the tensor back as it is
    both("slice", ops::slice(&i, 0, 0, 4));
    both("pad", ops::pad(&i, 0, 0, 0));
    both("concat", ops::concat(&[&i], 0));
    both("expand", ops::expand(&i, &[4, 3]));
    both("sum_to", ops::sum_to(&i, &[4, 3]));
    both("mean", ops::mean(&i, &[0]));
    both("cross_entropy", ops::cross_entropy(&f, &i));
    both("softmax", ops::softmax(&i));
    both("matmul", ops::matmul(&f, &i, false, true));
    both("sum_of_squares", ops::sum_of_squares(&i));
    says(grad(&f.leaf(), &[], Some(&i), false), &["grad", "U32"]);
    says(grad(&i, &[], None, false), &["grad", "U32"]);
    says(f.overwrite_u32(&[1; 12]), &["overwrite_u32", "F32"]);
    says(i.overwrite(&[1.0; 12]), &["overwrite", "U32"]);
    let state = AdamState::new(gpu(), 12).expect("a state");
    says(ops::adam_step(&f, &i, &state, &Hyper::default(), 1), &["adam", "U32"]);
    says(ops::adam_step(&f, &floats(&[5]), &state, &Hyper::default(), 1), &["adam", "[5]"]);
    let (_, stats) = ops::batch_norm_train(&f, &floats(&[3]), &floats(&[3]), 1e-5).expect("normalised");
    says(ops::update_running(&stats, &integers(&[3]), &floats(&[3]), 0.1), &["update_running", "U32"]);
    says(ops::update_running(&stats, &floats(&[4]), &floats(&[4]), 0.1), &["update_running", "[4]"]);
}

#[test]
fn labels_and_positions_out_of_range_are_errors() {
    let labels = |l: &[u32]| Tensor::from_u32(gpu(), &[l.len()], l).expect("uploaded");
    let (weights, logits) = (floats(&[4]), floats(&[3, 4]));
    let targets = |l: &Tensor| ops::cross_entropy_targets(l, &weights, 0.1);
    assert!(targets(&labels(&[0, 3, 2])).is_ok());
    says(targets(&labels(&[0, 4, 2])), &["cross_entropy", "label 4", "0 to 3"]);
    says(targets(&labels(&[u32::MAX, 0, 0])), &["cross_entropy", "label 4294967295"]);
    says(targets(&floats(&[3])), &["cross_entropy", "F32", "U32"]);
    says(ops::pick(&logits, &labels(&[0, 9, 1])), &["pick", "position 9", "0 to 3"]);
    says(ops::pick(&logits, &floats(&[3])), &["pick", "F32", "U32"]);
    says(ops::place(&floats(&[3]), &labels(&[0, 1, 2]), 2), &["place", "position 2", "0 to 1"]);
    // what was written later counts, and only that
    let changing = labels(&[0, 1, 2]);
    assert!(targets(&changing).is_ok());
    changing.overwrite_u32(&[0, 1, 7]).expect("written");
    says(targets(&changing), &["label 7"]);
    changing.overwrite_u32(&[3, 3, 3]).expect("written");
    assert!(targets(&changing).is_ok());
    // labels that the device made: nobody but the device knows them
    let made = |value: f32| {
        let words = Tensor::empty(gpu(), &[3], DType::U32).expect("room");
        let from = Tensor::full(gpu(), &[3], value).expect("uploaded");
        exgnet::gpu::Launch::from_text(
            "to_integers",
            "struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
override WG: u32 = 64u;
@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < p.n { y[id.x] = u32(x[id.x]); }
}",
        )
        .uint([3])
        .bind(from.storage())
        .bind(words.storage())
        .threads(gpu(), 3, 64)
        .expect("launched");
        words
    };
    assert!(targets(&made(3.0)).is_ok());
    says(targets(&made(5.0)), &["label 5"]);
    // the index of a maximum is the engine's own
    let x = floats(&[3, 4]).leaf();
    let top = ops::max(&x, 1).expect("a maximum");
    assert!(grad(&top, &[&x], None, false).is_ok());
}

#[test]
fn a_recording_checks_the_labels_of_each_replay() {
    let labels = Tensor::from_u32(gpu(), &[3], &[0, 1, 2]).expect("uploaded");
    let (weights, logits) = (floats(&[4]), floats(&[3, 4]));
    let loss = || ops::cross_entropy(&logits, &ops::cross_entropy_targets(&labels, &weights, 0.0)?);
    let (work, found) = gpu().capture(&gpu().arena(), loss).expect("recorded");
    work.replay().expect("in range");
    let first = found.item().expect("read back");
    assert!((first - 4.0f32.ln()).abs() < 1e-5, "{first}");
    labels.overwrite_u32(&[0, 1, 4]).expect("written");
    says(work.replay(), &["cross_entropy", "label 4"]);
    labels.overwrite_u32(&[3, 1, 3]).expect("written");
    work.replay().expect("in range again");
}

#[test]
fn a_training_refuses_labels_without_a_class() {
    use exgnet::train::Experiment;
    use exgnet::train::estimate::random_batch;
    use exgnet::train::step::Stepper;
    let sets = ["train.batch=4", "data.fs=100", "data.seconds=4"].map(String::from);
    let e = Experiment::quickstart(&sets).expect("an experiment");
    for replay in [true, false] {
        let mut stepper = Stepper::new(gpu(), &e, &[1.0; 4], None).expect("a network");
        stepper.replay = replay;
        let (x, mut targets) = random_batch(gpu(), &e, 4, 400).expect("a batch");
        stepper.step(&x, &targets, 1e-3).expect("a step");
        targets.classes = Tensor::from_u32(gpu(), &[4], &[0, 1, 2, 4]).expect("uploaded");
        says(stepper.step(&x, &targets, 1e-3), &["pick", "position 4"]);
    }
}

#[test]
fn names_of_layers_that_there_are_not() {
    let mut p = ParamBuilder::new(1);
    Linear::declare(&mut p, "head", 4, 2);
    Conv1d::declare(&mut p, "conv", 1, 4, 3);
    BatchNorm::declare(&mut p, "norm", 4);
    let p = p.init(gpu()).expect("parameters");
    assert!(
        Linear::new(&p, "head").is_ok() && BatchNorm::new(&p, "norm").is_ok() && Conv1d::new(&p, "conv", 1).is_ok()
    );
    says(Linear::new(&p, "haed").map(drop), &["'haed.weight'", "'head.weight'"]);
    says(Conv1d::new(&p, "convv", 1).map(drop), &["'convv.weight'", "'conv.weight'"]);
    // not a BatchNorm
    says(BatchNorm::new(&p, "head").map(drop), &["'head.running_mean'"]);
    says(p.get("norm.running_men"), &["'norm.running_men'", "'norm.running_mean'"]);

    assert_eq!((target_block(None, 4).ok(), target_block(Some("last"), 4).ok()), (Some(3), Some(3)));
    assert_eq!(target_block(Some("blocks.2"), 4).ok(), Some(2));
    for (name, near) in [
        ("blocks.4", "blocks.0"),
        ("block.1", "'blocks.1'"),
        ("blocks1", "'blocks.1'"),
        ("blocks.+1", "'blocks.1'"),
        ("blocks.01", "did you mean"),
        ("Blocks.2", "'blocks.2'"),
        ("stem", "blocks.0"),
        ("", "blocks.0"),
    ] {
        says(target_block(Some(name), 4), &[&format!("'{name}'"), near, "blocks.3"]);
    }
    says(target_block(None, 0), &["no block"]);

    let config =
        NetworkConfig { widths: vec![6, 8], strides: vec![1, 2], stem_channels: 6, ..NetworkConfig::default() };
    let net = Exgnet::new(gpu(), &config, 3, false, 1).expect("a network");
    let x = floats(&[2, 1, 200]);
    let out = net.forward(&x, &Mode::EVAL).expect("forward");
    let classes = |c: u32| Tensor::from_u32(gpu(), &[2], &[0, c]).expect("uploaded");
    assert!(grad_cam(&out, 1, &classes(2), false).is_ok());
    says(grad_cam(&out, 2, &classes(2), false), &["grad_cam", "block 2"]);
    says(grad_cam(&out, 1, &classes(3), false), &["pick", "position 3"]);
    says(explain_strips(&net, &x, 9, None), &["grad_cam", "block 9"]);
    says(explain_strips(&net, &x, 0, Some(3)), &["pick", "position 3"]);
}

/// A network of layers whose gradients read weights, inputs, outputs and statistics.
struct Net {
    params: exgnet::nn::params::Params,
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
    for variant in exgnet::gpu::Variant::ALL.map(Some).into_iter().chain([None]) {
        gpu().force_variant(variant);
        f(variant.map_or("default", |v| v.name()));
    }
    gpu().force_variant(None);
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
