//! Parity with PyTorch on the committed goldens (`tests/goldens/torch/make.py` made them in f64).
//! Logits within 1e-4, gradients within 1e-3 of the tensor's scale; each test prints the worst error it saw.

use crate::common::golden::{Golden, Worst, dot, gpu, gradients, network};
use exgnet::autograd::grad;
use exgnet::explain::{grad_cam, resize_map, target_layer};
use exgnet::nn::{Added, ConvOptions, Group, Init, Mode, Model, Optimizer, Padding, ParamBuilder};
use exgnet::ops::{self, AdamState, AvgPool, Branch, Hyper, Keep, MaxPool, Sgd, SgdState};
use exgnet::tensor::Tensor;

#[test]
fn conv1d_to_second_order() {
    let g = Golden::open("conv1d");
    let mut worst = Worst::new("conv1d");
    for (i, case) in g.json("cases").as_array().expect("a list").iter().enumerate() {
        let n = |k: &str| case[k].as_u64().expect("a number") as usize;
        let key = |k: &str| format!("case{i}.{k}");
        let (x, w, c) = (g.leaf(&key("x")), g.leaf(&key("w")), g.leaf(&key("g")));
        let branch = Branch { dilation: n("dilation"), pad_left: n("pad_left"), pad_right: n("pad_right") };
        let y = ops::conv1d(&x, &w, n("stride"), n("groups"), branch).expect("conv1d");
        let first = gradients(&y, &[&x, &w], Some(&c), true);
        let s = ops::add(&dot(&first[0], &g.leaf(&key("u"))), &dot(&first[1], &g.leaf(&key("v")))).expect("sum");
        let second = gradients(&s, &[&c, &x, &w], None, false);
        for (k, t) in [
            ("y", &y),
            ("dx", &first[0]),
            ("dw", &first[1]),
            ("s_g", &second[0]),
            ("s_x", &second[1]),
            ("s_w", &second[2]),
        ] {
            worst.tensor(&key(k), t, &g, 1e-5, 1e-4);
        }
    }
    worst.done();
}

#[test]
fn batch_norm_to_second_order() {
    let g = Golden::open("batch_norm");
    let mut worst = Worst::new("batch_norm");
    let (x, w, b, c) = (g.leaf("x"), g.leaf("weight"), g.leaf("bias"), g.leaf("g"));
    let (mean, var) = (g.leaf("running_mean").detach(), g.leaf("running_var").detach());
    for mode in ["eval", "train"] {
        let y = if mode == "train" {
            let (y, stats) = ops::batch_norm_train(&x, &w, &b, 1e-5).expect("batch_norm");
            ops::update_running(&stats, &mean, &var, 0.1).expect("running estimates");
            worst.tensor("train.running_mean", &mean, &g, 1e-6, 1e-5);
            worst.tensor("train.running_var", &var, &g, 1e-6, 1e-5);
            y
        } else {
            ops::batch_norm_eval(&x, &w, &b, [&mean, &var], 1e-5).expect("batch_norm")
        };
        let first = gradients(&y, &[&x, &w, &b], Some(&c), true);
        let second = gradients(&dot(&first[0], &g.leaf("u")), &[&c, &w], None, false);
        let key = |k: &str| format!("{mode}.{k}");
        for (k, t) in [
            ("y", &y),
            ("dx", &first[0]),
            ("dweight", &first[1]),
            ("dbias", &first[2]),
            ("s_g", &second[0]),
            ("s_weight", &second[1]),
        ] {
            worst.tensor(&key(k), t, &g, 1e-5, 1e-4);
        }
        if mode == "train" {
            let s_x = gradients(&dot(&first[0], &g.leaf("u")), &[&x], None, false);
            worst.tensor("train.s_x", &s_x[0], &g, 1e-5, 1e-4);
        }
    }
    worst.done();
}

#[test]
fn pooling() {
    let g = Golden::open("max_pool");
    let mut worst = Worst::new("pooling");
    for (i, case) in g.json("cases").as_array().expect("a list").iter().enumerate() {
        let n = |k: &str| case[k].as_u64().expect("a number") as usize;
        let key = |k: &str| format!("case{i}.{k}");
        let x = g.leaf(&key("x"));
        let y = match case["op"].as_str().expect("a name") {
            "max_pool1d" => {
                ops::max_pool(&x, MaxPool { kernel: n("kernel_size"), stride: n("stride"), pad: n("padding") })
            }
            "avg_pool1d" => {
                let count_pad = case["count_include_pad"].as_bool().expect("a switch");
                ops::avg_pool(
                    &x,
                    AvgPool { kernel: n("kernel_size"), stride: n("stride"), pad: n("padding"), count_pad },
                )
            }
            "adaptive_avg_pool1d" => ops::adaptive_avg_pool(&x, n("output_size")),
            "global_avg_pool1d" => ops::global_avg_pool(&x),
            other => panic!("{other}"),
        };
        let y = y.expect("pooling");
        let seed = ops::reshape(&g.leaf(&key("g")), y.shape()).expect("same size");
        let dx = gradients(&y, &[&x], Some(&seed), false);
        worst.tensor(&key("y"), &y, &g, 1e-6, 1e-5);
        worst.tensor(&key("dx"), &dx[0], &g, 1e-6, 1e-5);
    }
    worst.done();
}

/// Functions of one tensor and of several, to the second derivative: the last two kinds squared, multiplied or cubed as in
/// `make.py`.
#[test]
fn functions_to_second_order() {
    let g = Golden::open("functions");
    let mut worst = Worst::new("functions");
    for (i, case) in g.json("cases").as_array().expect("a list").iter().enumerate() {
        let key = |k: &str| format!("case{i}.{k}");
        let number = |k: &str| case[k].as_f64().expect("a number") as f32;
        let x: Vec<Tensor> = (0..number("inputs") as usize).map(|j| g.leaf(&key(&format!("x{j}")))).collect();
        let c = g.leaf(&key("g"));
        let op = case["op"].as_str().expect("a name");
        let y = match op {
            "gelu" => x[0].gelu(),
            "gelu_tanh" => x[0].gelu_tanh(),
            "silu" => x[0].silu(),
            "erf" => x[0].erf(),
            "pow_scalar" => x[0].pow(number("exponent")),
            "pow" => x[0].pow(&x[1]),
            "maximum" => x[0].maximum(&x[1]),
            "minimum" => x[0].minimum(&x[1]),
            "where" => {
                let condition = g.leaf(&key("condition")).detach();
                x[0].square().and_then(|a| condition.where_cond(&a, &x[1].mul(&x[0])?))
            }
            "var" => {
                let dims = case["dims"].as_array().expect("a list").iter();
                let dims: Vec<usize> = dims.map(|d| d.as_u64().expect("a number") as usize).collect();
                x[0].var(&dims, number("correction") as usize, Keep::Yes)
            }
            "layer_norm" => x[0].layer_norm(&x[1], &x[2], 1e-5),
            "embedding" => {
                let index = g.leaf(&key("index"));
                let words: Vec<u32> = g.f32(&key("index")).iter().map(|&v| v as u32).collect();
                let index = Tensor::from_u32(gpu(), index.shape(), &words).expect("uploaded");
                x[0].embedding(&index).and_then(|y| y.pow(3.0))
            }
            other => panic!("{other}"),
        };
        let y = y.expect(op);
        worst.tensor(&key("y"), &y, &g, 1e-6, 1e-5);
        let wrt: Vec<&Tensor> = x.iter().collect();
        let first = gradients(&y, &wrt, Some(&c), true);
        let mut s: Option<Tensor> = None;
        for (j, d) in first.iter().enumerate() {
            worst.tensor(&key(&format!("d{j}")), d, &g, 1e-6, 1e-5);
            let part = dot(d, &g.leaf(&key(&format!("u{j}"))).detach());
            s = Some(s.map_or(part.clone(), |s| s.add(&part).expect("sum")));
        }
        // what S does not depend on has no gradient here, and zeros there
        let wrt: Vec<&Tensor> = [&c].into_iter().chain(&x).collect();
        let second = grad(&s.expect("a sum"), &wrt, None, false).expect("gradients");
        for (j, (d, t)) in second.iter().zip(&wrt).enumerate() {
            let label = key(&if j == 0 { "s_g".to_owned() } else { format!("s{}", j - 1) });
            let got = d.as_ref().map_or(vec![0.0; t.numel()], |d| d.to_vec().expect("read back"));
            worst.see(&label, &got, g.values(&label), 1e-5, 1e-4);
        }
    }
    worst.done();
}

#[test]
fn adam_steps_and_clipping() {
    let g = Golden::open("adam");
    let mut worst = Worst::new("adam");
    for (name, weight_decay, decoupled) in [("adam", 0.0, false), ("adamw", 0.01, true)] {
        let w = g.leaf("start").detach();
        let state = AdamState::new(gpu(), w.numel()).expect("state");
        let hyper = Hyper { weight_decay, decoupled, ..Hyper::default() };
        for step in 0..3 {
            ops::adam_step(&w, &g.leaf(&format!("grad{step}")), &state, &hyper, step + 1).expect("a step");
            worst.tensor(&format!("{name}.step{step}"), &w, &g, 1e-6, 1e-6);
        }
    }
    // A clipped gradient, seen through one step of Adam with betas 0: m is the gradient itself.
    for size in ["large", "small"] {
        let flat = [g.f32(&format!("clip.{size}.a")), g.f32(&format!("clip.{size}.b"))].concat();
        let n = flat.len();
        let state = AdamState::new(gpu(), n).expect("state");
        let hyper = Hyper { betas: [0.0, 0.0], clip: 5.0, ..Hyper::default() };
        let (w, grads) =
            (Tensor::zeros(gpu(), &[n]).expect("zeros"), Tensor::from_f32(gpu(), &[n], &flat).expect("uploaded"));
        let norm2 = ops::adam_step(&w, &grads, &state, &hyper, 1).expect("a step").item().expect("read back");
        worst.see("norm", &[norm2.sqrt()], g.values(&format!("clip.{size}.norm")), 1e-6, 1e-6);
        let clipped =
            [g.values(&format!("clip.{size}.a_clipped")), g.values(&format!("clip.{size}.b_clipped"))].concat();
        worst.see(size, &state.m.to_vec().expect("read back"), &clipped, 1e-6, 1e-5);
    }
    worst.done();
}

#[test]
fn sgd_steps() {
    let g = Golden::open("sgd");
    let mut worst = Worst::new("sgd");
    for (name, options) in g.json("cases").as_object().expect("cases by name") {
        let number = |key: &str| options.get(key).map_or(0.0, |v| v.as_f64().expect("a number"));
        let hyper = Sgd {
            lr: 0.01,
            momentum: number("momentum"),
            dampening: number("dampening"),
            nesterov: options.get("nesterov").is_some(),
            weight_decay: number("weight_decay"),
            clip: 0.0,
        };
        let w = g.leaf("start").detach();
        let state = SgdState::new(gpu(), w.numel()).expect("state");
        for step in 0..4 {
            ops::sgd_step(&w, &g.leaf(&format!("grad{step}")), &state, &hyper).expect("a step");
            worst.tensor(&format!("{name}.step{step}"), &w, &g, 1e-6, 1e-6);
        }
    }
    worst.done();
}

/// Groups with a rate and a decay of their own, and one that is frozen for two of the steps.
#[test]
fn groups_of_parameters() {
    let g = Golden::open("sgd");
    let mut worst = Worst::new("groups");
    let start = g.f32("start");
    let names = ["a.weight", "b.bias", "c.weight"];
    for name in ["groups_sgd", "groups_dampened", "groups_adamw"] {
        let mut builder = ParamBuilder::new(1);
        names.iter().for_each(|name| builder.param(*name, &[100], Init::Value(0.0)));
        let p = builder.init(gpu()).expect("parameters");
        names.iter().zip(start.chunks(100)).for_each(|(name, values)| p.set(name, values).expect("set"));
        let optimizer = match name {
            "groups_sgd" => Optimizer::sgd(&p, Sgd { lr: 0.01, weight_decay: 0.1, ..Sgd::default() }),
            "groups_dampened" => {
                Optimizer::sgd(&p, Sgd { lr: 0.01, dampening: 0.4, weight_decay: 0.1, ..Sgd::default() })
            }
            _ => Optimizer::new(&p, Hyper { weight_decay: 0.1, decoupled: true, ..Hyper::default() }),
        };
        let group = |lr_factor, weight_decay| Group { lr_factor, weight_decay };
        let mut optimizer = optimizer
            .and_then(|o| o.with_group(&p, "a.*", group(Some(3.0), None)))
            .and_then(|o| o.with_group(&p, "*.bias", group(None, Some(0.0))))
            .expect("groups");
        for step in 0..4 {
            let frozen = if name == "groups_dampened" { step < 2 } else { matches!(step, 1 | 2) };
            if frozen { p.freeze("b.*") } else { p.unfreeze("b.*") }.expect("b.bias");
            let gradient = g.f32(&format!("grad{step}"));
            let gradients = gradient.chunks(100).map(|g| Tensor::from_f32(gpu(), &[100], g).ok());
            optimizer.step(&p, &gradients.collect::<Vec<_>>(), 0.01).expect("a step");
            let now: Vec<f32> =
                names.iter().flat_map(|name| p.get(name).and_then(|t| t.to_vec()).expect("read back")).collect();
            let key = format!("{name}.step{step}");
            worst.see(&key, &now, g.values(&key), 1e-6, 1e-6);
        }
    }
    worst.done();
}

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

#[test]
fn losses() {
    let g = Golden::open("losses");
    let mut worst = Worst::new("losses");
    let logits = g.leaf("ce.logits");
    for (name, weighted, smoothing) in
        [("plain", false, 0.0), ("weighted", true, 0.0), ("smooth", false, 0.1), ("weighted_smooth", true, 0.1)]
    {
        let weights =
            if weighted { g.leaf("ce.weights").detach() } else { Tensor::full(gpu(), &[4], 1.0).expect("ones") };
        let targets = ops::cross_entropy_targets(&g.labels("ce.labels"), &weights, smoothing).expect("targets");
        let loss = ops::cross_entropy(&logits, &targets).expect("cross_entropy");
        worst.tensor(&format!("ce.{name}.value"), &loss, &g, 1e-6, 1e-5);
        worst.tensor(&format!("ce.{name}.dlogits"), &gradients(&loss, &[&logits], None, false)[0], &g, 1e-6, 1e-5);
    }
    let x = g.leaf("smooth_l1.x");
    let loss = ops::smooth_l1(&x, &g.leaf("smooth_l1.target").detach()).expect("smooth_l1");
    worst.tensor("smooth_l1.value", &loss, &g, 1e-6, 1e-5);
    worst.tensor("smooth_l1.dx", &gradients(&loss, &[&x], None, false)[0], &g, 1e-7, 1e-5);

    // The guidance loss from the map before its relu; row 2 is dead, and its gradient exactly 0.
    let pre = g.leaf("ncc.pre");
    let map = ops::relu(&pre).expect("relu");
    let truth = g.leaf("ncc.truth").detach();
    let (rows, len, bins) = (truth.dim(0), truth.dim(1), map.dim(1));
    let pooled = ops::adaptive_avg_pool(&ops::reshape(&truth, &[rows, 1, len]).expect("3-D"), bins).expect("pooled");
    let pooled = ops::reshape(&pooled, &[rows, bins]).expect("2-D");
    worst.tensor("ncc.pooled", &pooled, &g, 1e-6, 1e-5);
    let score = ops::ncc(&map, &pooled).expect("ncc");
    worst.tensor("ncc.score", &score, &g, 1e-6, 1e-5);
    let valid = g.leaf("ncc.valid").detach();
    let count: f64 = g.values("ncc.valid").iter().sum();
    let gap = ops::add_scalar(&ops::neg(&score).expect("neg"), 1.0).expect("1 - ncc");
    let loss = ops::scale(&dot(&gap, &valid), (1.0 / count) as f32).expect("mean over valid records");
    worst.tensor("ncc.loss", &loss, &g, 1e-6, 1e-5);
    worst.tensor("ncc.dpre", &gradients(&loss, &[&pre], None, false)[0], &g, 1e-6, 1e-4);
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
