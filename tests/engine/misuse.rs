//! Tensors given to the wrong operation, labels and positions out of range, names of layers that there are not: errors that
//! name the operation, also in recordings; never a value, never a panic.

use crate::common::engine::{floats, gpu, integers, says};
use exgnet::Result;
use exgnet::autograd::grad;
use exgnet::explain::{explain_strips, grad_cam, target_layer};
use exgnet::nn::NetworkConfig;
use exgnet::nn::models::exgnet::Sizes;
use exgnet::nn::params::ParamBuilder;
use exgnet::nn::{BatchNorm, Conv1d, Linear, Mode, Model};
use exgnet::ops::{self, AdamState, Branch, Hyper, REGISTRY};
use exgnet::tensor::{DType, Tensor};

/// What an entry of the registry is made of, where that has a name of its own.
const COMPOSED: [(&str, &str); 6] = [
    ("branches", "conv1d"),
    ("branches_relu", "conv1d"),
    ("shaping", "permute"),
    ("avg_pool", "global_avg_pool"),
    ("avg_pool", "avg_pool_grad"),
    ("adam", "slice"),
];

#[test]
fn every_operation_refuses_inputs_of_the_other_type() {
    let (mut tried, mut others) = (0, Vec::new());
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
                            || COMPOSED.contains(&(op.name, name))
                            // cases of operations that work in place copy their inputs so
                            || name == "scale"
                            // and those of gradients take them
                            || (name == "grad" && case.label.contains("gradient"));
                        if !known {
                            others.push(format!("{} {}: {said}", op.name, case.label));
                        }
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
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
    let (w, spec) = (floats(&[8, 3, 5]), ops::ConvSpec::single(1, 1, Branch::same(5, 1)));
    says(
        ops::branches_input_grad(&floats(&[2, 7, 40]), &[&w], &spec, 40),
        &["conv1d_input_grad", "[2, 7, 40]", "[2, 8, 40]"],
    );
    says(ops::branches_input_grad(&floats(&[2, 8, 40]), &[], &spec, 40), &["0 weights"]);
    let (x, g) = (floats(&[2, 3, 40]), floats(&[2, 8, 39]));
    says(ops::conv1d_weight_grad(&x, &g, [8, 3, 5], &spec), &["conv1d_weight_grad", "[2, 8, 39]", "[2, 8, 40]"]);
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
    use exgnet::experiment::Experiment;
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

    let maps = ["stem", "blocks.0", "blocks.1", "blocks.2", "blocks.3"].map(String::from);
    assert_eq!((target_layer(None, &maps).ok(), target_layer(Some("last"), &maps).ok()), (Some(4), Some(4)));
    assert_eq!(target_layer(Some("blocks.2"), &maps).ok(), Some(3));
    for (name, near) in [
        ("blocks.4", "blocks.0"),
        ("block.1", "'blocks.1'"),
        ("blocks1", "'blocks.1'"),
        ("blocks.+1", "'blocks.1'"),
        ("blocks.01", "did you mean"),
        ("Blocks.2", "'blocks.2'"),
        ("stam", "'stem'"),
        ("", "blocks.0"),
    ] {
        says(target_layer(Some(name), &maps), &[&format!("'{name}'"), near, "blocks.3"]);
    }
    says(target_layer(None, &[]), &["without maps"]);

    let config =
        NetworkConfig::from(Sizes { widths: vec![6, 8], strides: vec![1, 2], stem_channels: 6, ..Sizes::default() });
    let net = Model::new(gpu(), &config, 3, false, 1).expect("a network");
    let x = floats(&[2, 1, 200]);
    let out = net.forward(&x, &Mode::EVAL).expect("forward");
    let classes = |c: u32| Tensor::from_u32(gpu(), &[2], &[0, c]).expect("uploaded");
    assert!(grad_cam(&out, 2, &classes(2), false).is_ok());
    says(grad_cam(&out, 3, &classes(2), false), &["grad_cam", "layer 3"]);
    says(grad_cam(&out, 1, &classes(3), false), &["pick", "position 3"]);
    says(explain_strips(&net, &x, 9, None), &["grad_cam", "layer 9"]);
    says(explain_strips(&net, &x, 0, Some(3)), &["pick", "position 3"]);
}
