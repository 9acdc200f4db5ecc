//! Optimisers with groups and frozen parameters, accumulated gradients, and a training that resumes to the bit.

use super::{Net, bits, data, says};
use crate::common::engine::gpu;
use exgnet::prelude::*;

/// A training with everything that has a state; `sgd` or AdamW.
fn optimizer(params: &Params, sgd: bool) -> Optimizer {
    let new = if sgd {
        Optimizer::sgd(params, Sgd { nesterov: true, weight_decay: 0.1, ..Sgd::default() })
    } else {
        Optimizer::new(params, Hyper { weight_decay: 0.1, decoupled: true, ..Hyper::default() })
    };
    let head = Group { lr_factor: Some(2.0), ..Group::default() };
    new.and_then(|o| o.with_decay_of_weights_only(params))
        .and_then(|o| o.with_group(params, "head.*", head))
        .expect("an optimiser")
}

fn steps(n: usize, net: &Net, params: &Params, optimizer: &mut Optimizer, loader: &mut Loader<'_>) -> Result<()> {
    for _ in 0..n {
        // two batches a step
        let mut sum = Accumulator::new(params);
        for _ in 0..2 {
            let number = loader.batches();
            let batch = loader.next_batch(gpu())?;
            let loss = net.loss(&batch, &params.train_mode(number)?)?;
            sum.add(&params.gradients(&loss)?, batch.rows.len() as f64)?;
        }
        optimizer.step(params, &sum.take()?, 0.02)?;
    }
    Ok(())
}

#[test]
fn a_training_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    let (x, labels) = data();
    let loader = || {
        let loader = Loader::new(&x, &[2, 12], 4).and_then(|l| l.labels(&labels)).expect("a loader");
        loader.shuffled(9).whole_batches().expect("enough rows")
    };
    for sgd in [true, false] {
        let ((net, params), mut all) = (Net::built(3, 4), loader());
        let mut adam = optimizer(&params, sgd);
        steps(3, &net, &params, &mut adam, &mut all).expect("trained");
        params.save(path("net")).and_then(|()| adam.save(&params, path("optimizer"))).expect("saved");
        let state = serde_json::to_string(&all.state()).expect("as JSON");
        steps(4, &net, &params, &mut adam, &mut all).expect("trained");

        let ((net, again), mut rest) = (Net::built(4, 4), loader());
        let mut resumed = optimizer(&again, sgd);
        again.load(path("net")).and_then(|()| resumed.load(&again, path("optimizer"))).expect("loaded");
        // the seed of the dropout is the builder's
        let (other, dropout_of) = Net::built(3, 4);
        dropout_of.load(path("net")).expect("loaded");
        let mut same = optimizer(&dropout_of, sgd);
        same.load(&dropout_of, path("optimizer")).expect("loaded");
        rest.resume(&serde_json::from_str(&state).expect("from JSON")).expect("resumed");
        steps(4, &other, &dropout_of, &mut same, &mut rest.clone()).expect("trained");
        assert_eq!(bits(&params), bits(&dropout_of), "sgd {sgd}");
        assert_eq!((same.steps(), same.counts()), (adam.steps(), adam.counts()));
        assert_eq!(same.moments().expect("moments"), adam.moments().expect("moments"));
        steps(4, &net, &again, &mut resumed, &mut rest).expect("trained");
        assert_ne!(bits(&params), bits(&again), "another seed drops other values");

        // another optimiser, another network
        let says_file = |e: Error, word: &str| says(e, &["Optimizer::save", word]);
        says_file(optimizer(&again, !sgd).load(&again, path("optimizer")).expect_err("another"), "of the optimiser");
        says_file(resumed.load(&again, path("net")).expect_err("parameters"), "exgnet-params-1");
        let (_, wide) = Net::built(1, 5);
        says_file(optimizer(&wide, sgd).load(&wide, path("optimizer")).expect_err("wider"), "[5, 2, 3]");
    }
}

/// Only the first step of a parameter is not dampened; a file says which that was, as those from before dampening do.
#[test]
fn dampened_momentum_resumes_from_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("optimizer");
    let built = || {
        let mut p = ParamBuilder::new(1);
        p.param("w", &[1], Init::Value(1.0));
        p.init(gpu()).expect("parameters")
    };
    let dampened = Sgd { momentum: 0.5, dampening: 0.5, ..Sgd::default() };
    let step = |p: &Params, sgd: &mut Optimizer, gradient: f32| {
        let gradient = Tensor::full(gpu(), &[1], gradient).expect("a gradient");
        sgd.step(p, &[Some(gradient)], 0.125).expect("a step");
        p.get("w").and_then(|w| w.item()).expect("read back")
    };
    let (p, mut sgd) = (built(), Optimizer::sgd(&built(), dampened).expect("an optimiser"));
    assert_eq!(step(&p, &mut sgd, 4.0), 0.5); // m = 4
    sgd.save(&p, &path).expect("saved");
    assert_eq!(step(&p, &mut sgd, 4.0), 0.0); // m = 4 / 2 + 4 / 2
    let mut again = Optimizer::sgd(&p, dampened).expect("an optimiser");
    again.load(&p, &path).expect("loaded");
    assert_eq!(step(&p, &mut again, 4.0), -0.5);
    let mut new = Optimizer::sgd(&p, dampened).expect("an optimiser");
    assert_eq!(step(&p, &mut new, 8.0), -1.5); // m = 8
    for (wrong, words) in [
        (Sgd { nesterov: true, ..dampened }, ["dampening 0.5", "Nesterov"]),
        (Sgd { dampening: 1.5, ..dampened }, ["dampening 1.5", "[0, 1]"]),
        (Sgd { dampening: f64::NAN, ..dampened }, ["dampening NaN", "[0, 1]"]),
    ] {
        says(Optimizer::sgd(&p, wrong).expect_err("no such"), &words);
        let state = ops::SgdState::new(gpu(), 1).expect("a state");
        says(state.set(&wrong).expect_err("no such"), &words);
    }
}

#[test]
fn a_group_with_the_common_settings_changes_no_bits() {
    let (x, labels) = data();
    let run = |grouped: bool| {
        let (net, params) = Net::built(3, 4);
        let mut loader = Loader::new(&x, &[2, 12], 11).and_then(|l| l.labels(&labels)).expect("a loader");
        let mut adam =
            Optimizer::new(&params, Hyper { weight_decay: 0.1, clip: 1.0, ..Hyper::default() }).expect("adam");
        if grouped {
            // two launches, of the same rate in the end
            let far = Group { lr_factor: Some(1.0), weight_decay: Some(0.1) };
            let other = Group { lr_factor: Some(7.0), ..Group::default() };
            adam = adam
                .with_group(&params, "head.*", other)
                .and_then(|o| o.with_group(&params, "head.*", far))
                .expect("set");
        }
        steps(3, &net, &params, &mut adam, &mut loader).expect("trained");
        bits(&params)
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn what_is_frozen_stays_to_the_bit() {
    let (x, labels) = data();
    let (net, params) = Net::built(3, 4);
    let mut loader = Loader::new(&x, &[2, 12], 11).and_then(|l| l.labels(&labels)).expect("a loader");
    let mut sgd = optimizer(&params, true);
    let values = |name: &str| params.get(name).and_then(|t| t.to_vec()).expect("read back");
    let before = ["body.conv.weight", "body.bn.bias", "head.weight"].map(values);
    params.clone().freeze("body.*").expect("a pattern");
    let batch = loader.next_batch(gpu()).expect("a batch");
    let gradients = net.loss(&batch, &Mode::TRAIN).and_then(|loss| params.gradients(&loss)).expect("gradients");
    assert_eq!(gradients.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, false, true, true]);
    steps(2, &net, &params, &mut sgd, &mut loader).expect("trained");
    let after = ["body.conv.weight", "body.bn.bias", "head.weight"].map(values);
    assert_eq!(before.iter().zip(&after).map(|(a, b)| a == b).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(sgd.counts(), [0, 0, 0, 0, 2, 2]);
    params.unfreeze("*.conv.*").expect("a pattern");
    steps(1, &net, &params, &mut sgd, &mut loader).expect("trained");
    assert_ne!(values("body.conv.weight"), before[0]);
    assert_eq!(sgd.counts(), [1, 1, 0, 0, 3, 3]);
    says(params.freeze("hed.*").expect_err("no such"), &["'hed.*'", "'head."]);
    let group = Group { lr_factor: Some(f64::NAN), ..Group::default() };
    says(optimizer(&params, true).with_group(&params, "*", group).expect_err("no rate"), &["lr_factor", "NaN"]);
}

#[test]
fn accumulated_gradients_are_those_of_the_whole_batch() {
    let (x, labels) = data();
    let (net, params) = Net::built(3, 4);
    let gradients = |loader: &mut Loader<'_>| {
        let batch = loader.next_batch(gpu()).expect("a batch");
        let loss = net.loss(&batch, &Mode::EVAL).expect("a loss");
        (params.gradients(&loss).expect("gradients"), batch.rows.len())
    };
    let loader = |batch| Loader::new(&x, &[2, 12], batch).and_then(|l| l.labels(&labels)).expect("a loader");
    let (whole, mut parts, mut sum) = (gradients(&mut loader(22)).0, loader(5), Accumulator::new(&params));
    for _ in 0..5 {
        let (g, n) = gradients(&mut parts);
        sum.add(&g, n as f64).expect("added");
    }
    for (a, b) in sum.take().expect("a mean").iter().zip(&whole) {
        let [a, b] = [a, b].map(|g| g.as_ref().expect("a gradient").to_vec().expect("read back"));
        a.iter().zip(&b).for_each(|(a, b)| assert!((a - b).abs() < 1e-6 + 1e-4 * b.abs(), "{a} {b}"));
    }
    says(sum.take().expect_err("nothing"), &["no gradients"]);
    says(sum.add(&whole[1..], 1.0).expect_err("too few"), &["5 gradients"]);
    says(sum.add(&whole, 0.0).expect_err("no weight"), &["weight 0"]);
    // a parameter without a gradient has none in the mean
    sum.add(&vec![None; whole.len()], 2.0).expect("added");
    assert!(sum.take().expect("a mean").iter().all(Option::is_none));
}
