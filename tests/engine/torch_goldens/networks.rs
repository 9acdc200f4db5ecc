//! Layers and whole networks: logits, gradients, Grad-CAM, and the second-order gradients of the guidance.

use crate::common::golden::{Golden, Worst, dot, gpu, gradients, network};
use exgnet::autograd::grad;
use exgnet::explain::{grad_cam, resize_map, target_layer};
use exgnet::nn::{Added, ConvOptions, Mode, Model, Padding, ParamBuilder};
use exgnet::ops;
use exgnet::tensor::Tensor;

/// Layers with options other than the default, with a state dict that PyTorch saved.
#[test]
fn layers_with_options() {
    let g = Golden::open("layers");
    let mut worst = Worst::new("layers");
    let mut p = ParamBuilder::new(1);
    let o = ConvOptions::default();
    let strided = ConvOptions { stride: 2, padding: Padding::Both(3), dilation: 2, groups: 2, ..o };
    let conv = p.conv1d("conv", 4, 6, 5, strided);
    let bn = p.batch_norm("bn", 6).with_eps(1e-3).with_momentum(0.25);
    let depthwise =
        p.conv1d("depthwise", 6, 6, 3, ConvOptions { padding: Padding::Both(0), groups: 6, bias: false, ..o });
    let head = p.linear("head", 6, 3);
    let params = p.init(gpu()).expect("parameters");
    params.load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/torch/layers_state.safetensors")).expect("loaded");
    let x = g.leaf("x").detach();
    for (name, mode) in [("eval", Mode::EVAL), ("train", Mode::TRAIN)] {
        let y = conv.forward(&x).and_then(|y| bn.relu(&y, Added::Nothing, &mode, None));
        let y = y.and_then(|y| depthwise.forward(&y)).and_then(|y| ops::global_avg_pool(&y));
        worst.tensor(name, &y.and_then(|y| head.forward(&y)).expect("forward"), &g, 1e-5, 1e-4);
    }
    for name in ["running_mean", "running_var"] {
        let now = params.get(&format!("bn.{name}")).expect("an estimate");
        worst.tensor(&format!("after.{name}"), &now, &g, 1e-6, 1e-5);
    }
    worst.done();
}

/// An embedding, layer normalisation and a linear layer at each position.
#[test]
fn layers_of_tokens() {
    let g = Golden::open("tokens");
    let mut worst = Worst::new("tokens");
    let mut p = ParamBuilder::new(1);
    let (table, norm) = (p.embedding("table", 7, 6), p.layer_norm("norm", 6).with_eps(1e-3));
    let head = p.linear("head", 6, 3);
    let params = p.init(gpu()).expect("parameters");
    for (name, _) in params.trainable() {
        params.set(name, &g.f32(name)).expect("set");
    }
    let (shape, index) = &g.tensors["index"];
    let words: Vec<u32> = index.iter().map(|&v| v as u32).collect();
    let index = Tensor::from_u32(gpu(), shape, &words).expect("uploaded");
    let y = table.forward(&index).and_then(|x| norm.forward(&x)).and_then(|x| head.forward(&x)).expect("forward");
    worst.tensor("y", &y, &g, 1e-5, 1e-5);
    let loss = y.square().and_then(|y| y.sum_all()).expect("a loss");
    for ((name, _), gradient) in params.trainable().iter().zip(params.gradients(&loss).expect("gradients")) {
        worst.tensor(&format!("grad.{name}"), &gradient.expect("all are used"), &g, 1e-5, 1e-4);
    }
    worst.done();
}

fn whole_network(name: &'static str) {
    let g = Golden::open(name);
    let net = network(&g);
    let mut logits_worst = Worst::new(name);
    let mut grads_worst = Worst::new(name);
    let x = g.leaf("in.x").detach();
    let labels = g.labels("in.labels");
    let features = g.leaf("in.features").detach();
    let targets =
        ops::cross_entropy_targets(&labels, &Tensor::full(gpu(), &[4], 1.0).expect("ones"), 0.0).expect("targets");
    for name in ["eval", "train"] {
        let mode = Mode { batch_stats: name == "train", update_running: name == "train", ..Mode::EVAL };
        let out = net.forward(&x, &mode).expect("forward");
        logits_worst.tensor(&format!("out.logits_{name}"), &out.logits, &g, 1e-5, 1e-4);
        logits_worst.tensor(&format!("out.embedding_{name}"), &out.embedding, &g, 1e-5, 1e-4);
        let (joint, regressed) = net.train_only(&out.embedding, &features, &mode).expect("train-only part");
        let ce = ops::cross_entropy(&out.logits, &targets).expect("ce");
        let joint = ops::cross_entropy(&joint, &targets).expect("joint");
        let feature = ops::smooth_l1(&regressed, &features).expect("feature");
        let total = ops::add(&ce, &ops::scale(&joint, 0.5).expect("scale")).expect("add");
        let total = ops::add(&total, &ops::scale(&feature, 0.1).expect("scale")).expect("add");
        for (k, t) in [("ce", &ce), ("joint", &joint), ("feature", &feature), ("total", &total)] {
            logits_worst.tensor(&format!("loss_{name}.{k}"), t, &g, 1e-5, 1e-4);
        }
        let params = net.params().trainable();
        let wrt: Vec<&Tensor> = params.iter().map(|(_, t)| t).collect();
        for ((n, _), d) in params.iter().zip(gradients(&total, &wrt, None, false)) {
            grads_worst.tensor(&format!("grad_{name}.{n}"), &d, &g, 1e-6, 1e-3);
        }
    }
    for (n, _, values) in net.params().read().expect("read back") {
        if n.contains("running_") {
            logits_worst.see(&n, &values, g.values(&format!("after.{n}")), 1e-5, 1e-4);
        }
    }
    logits_worst.done();
    grads_worst.done();
}

#[test]
fn network_parallel() {
    whole_network("exgnet_parallel");
}

#[test]
fn network_cascade_squeeze_mlp() {
    whole_network("exgnet_cascade_se_mlp");
}

#[test]
fn other_networks() {
    ["resnet1d", "inceptiontime", "cnn"].into_iter().for_each(whole_network);
}

/// Networks with goldens.
const NETWORKS: [&str; 5] = ["exgnet_parallel", "exgnet_cascade_se_mlp", "resnet1d", "inceptiontime", "cnn"];

/// Target layers of the goldens: the first block and the last.
fn first_and_last(net: &Model) -> [(usize, &'static str); 2] {
    let maps = net.config().maps();
    [(target_layer(Some("blocks.0"), &maps).expect("a block"), "first"), (maps.len() - 1, "last")]
}

#[test]
fn grad_cam_maps() {
    for name in NETWORKS {
        let g = Golden::open(name);
        let net = network(&g);
        let mut worst = Worst::new("grad_cam");
        let out = net.forward(&g.leaf("in.x").detach(), &Mode::EVAL).expect("forward");
        for (layer, which) in first_and_last(&net) {
            let cam = grad_cam(&out, layer, &g.labels("in.labels"), false).expect("grad_cam");
            worst.tensor(&format!("cam.{which}.activation"), &out.maps[layer], &g, 1e-5, 1e-4);
            worst.tensor(&format!("cam.{which}.alpha"), &cam.alpha, &g, 1e-7, 1e-3);
            worst.tensor(&format!("cam.{which}.map"), &cam.map, &g, 1e-7, 1e-3);
            let (bins, len) = (cam.map.dim(1), g.values("in.x").len() / 4);
            let maps = cam.map.to_vec().expect("read back");
            let resized: Vec<f32> = maps.chunks(bins).flat_map(|m| resize_map(m, len)).collect();
            worst.see(&format!("cam.{which}.resized"), &resized, g.values(&format!("cam.{which}.resized")), 1e-4, 1e-3);
        }
        worst.done();
    }
}

/// The second-order gradient of the guidance loss with respect to every parameter, through map and channel weights.
#[test]
fn guidance_gradients() {
    for name in NETWORKS {
        let g = Golden::open(name);
        let net = network(&g);
        let mut worst = Worst::new("guidance gradients");
        let x = g.leaf("in.x").detach();
        let truth = g.leaf("in.truth").detach();
        let (batch, len) = (x.dim(0), truth.dim(1));
        let valid = g.leaf("in.valid").detach();
        let count: f64 = g.values("in.valid").iter().sum();
        for (mode_name, batch_stats) in [("eval", false), ("train", true)] {
            let mode = Mode { batch_stats, update_running: false, ..Mode::EVAL };
            for (layer, which) in first_and_last(&net) {
                let out = net.forward(&x, &mode).expect("forward");
                let cam = grad_cam(&out, layer, &g.labels("in.labels"), true).expect("grad_cam");
                let pooled =
                    ops::adaptive_avg_pool(&ops::reshape(&truth, &[batch, 1, len]).expect("3-D"), cam.map.dim(1));
                let pooled = ops::reshape(&pooled.expect("pooled"), cam.map.shape()).expect("2-D");
                let score = ops::ncc(&cam.map, &pooled).expect("ncc");
                let gap = ops::add_scalar(&ops::neg(&score).expect("neg"), 1.0).expect("1 - ncc");
                let loss = ops::scale(&dot(&gap, &valid), (1.0 / count) as f32).expect("mean");
                worst.tensor(&format!("xai_{mode_name}.{which}.loss"), &loss, &g, 1e-4, 1e-3);
                let params = net.params().trainable();
                let wrt: Vec<&Tensor> = params.iter().map(|(_, t)| t).collect();
                let all = grad(&loss, &wrt, None, false).expect("gradients");
                let scale = g.tensors.iter().filter(|(k, _)| k.starts_with(&format!("grad_xai_{mode_name}.{which}.")));
                let scale = scale.flat_map(|(_, (_, v))| v).fold(0.0f64, |m, v| m.max(v.abs()));
                for ((n, t), d) in params.iter().zip(all) {
                    let key = format!("grad_xai_{mode_name}.{which}.{n}");
                    let Some((_, reference)) = g.tensors.get(&key) else { continue };
                    let got = d.map_or(vec![0.0; t.numel()], |d| d.to_vec().expect("read back"));
                    worst.see(&key, &got, reference, 1e-4 * scale, 1e-3);
                }
            }
        }
        worst.done();
    }
}
