//! Operations and losses, to the second derivative.

use crate::common::golden::{Golden, Worst, dot, gpu, gradients};
use exgnet::autograd::grad;
use exgnet::ops::{self, AvgPool, Branch, Keep, MaxPool};
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
