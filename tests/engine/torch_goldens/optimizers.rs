//! Steps of Adam and SGD, clipping, and groups of parameters.

use crate::common::golden::{Golden, Worst, gpu};
use exgnet::nn::{Group, Init, Optimizer, ParamBuilder};
use exgnet::ops::{self, AdamState, Hyper, Sgd, SgdState};
use exgnet::tensor::Tensor;

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
