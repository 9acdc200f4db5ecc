//! A step that is recorded once and replayed gives the bits of one that is described again each time. A device of its
//! own: nothing else uses its pool.

use exgnet::experiment::Experiment;
use exgnet::prelude::*;
use exgnet::train::estimate::random_batch;
use exgnet::train::step::Stepper;

/// Loss, logits and parameters of some steps on batches of two sizes, as bits.
fn train(gpu: &Gpu, replay: bool) -> Vec<u32> {
    let sets = ["train.batch=6", "data.fs=100", "data.seconds=10", "train.clip=5"].map(String::from);
    let e = Experiment::quickstart(&sets).expect("an experiment");
    let mut stepper = Stepper::new(gpu, &e, &[1.0; 4], None).expect("a network");
    stepper.replay = replay;
    let mut seen = Vec::new();
    let mut bits = |t: &Tensor| seen.extend(t.to_vec().expect("read back").iter().map(|v| v.to_bits()));
    for step in 0..6 {
        let mut e = e.clone();
        e.train.batch = if step % 3 == 2 { 4 } else { 6 };
        let (x, targets) = random_batch(gpu, &e, 4, 1000).expect("a batch");
        // another batch each step, and another rate
        let x = exgnet::ops::scale(&x, 1.0 + 0.1 * step as f32).expect("scaled");
        let (terms, logits) = stepper.step(&x, &targets, 1e-3 / (step + 1) as f64).expect("a step");
        terms.named().for_each(|(_, t)| bits(t));
        bits(&logits);
        // tensors that come and go between two steps must not meet those of the recording
        Tensor::full(gpu, &[6, 32, 250], f32::NAN).expect("filled").to_vec().expect("read back");
    }
    bits(stepper.net.params().flat());
    stepper
        .net
        .params()
        .read()
        .expect("read back")
        .iter()
        .for_each(|(_, _, v)| seen.extend(v.iter().map(|v| v.to_bits())));
    seen
}

/// Inference between steps sees the parameters as they are, and leaves training alone.
#[test]
fn a_recorded_inference_follows_the_parameters() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let sets = ["train.batch=6", "data.fs=100", "data.seconds=10"].map(String::from);
    let e = Experiment::quickstart(&sets).expect("an experiment");
    let mut stepper = Stepper::new(&gpu, &e, &[1.0; 4], None).expect("a network");
    let (x, targets) = random_batch(&gpu, &e, 4, 1000).expect("a batch");
    let mut before = Vec::new();
    for step in 0..3 {
        let found = stepper.infer(&x).expect("inferred").to_vec().expect("read back");
        let net = stepper.net.folded().expect("folded");
        let described = no_grad(|| net.forward(&x, &Mode::EVAL)).expect("forward").logits.to_vec().expect("read back");
        assert_eq!(found, described, "step {step}");
        assert_ne!(found, before, "step {step}");
        before = found;
        stepper.step(&x, &targets, 1e-2).expect("a step");
        Tensor::full(&gpu, &[6, 32, 250], f32::NAN).expect("filled").to_vec().expect("read back");
    }
}

#[test]
fn what_cannot_be_recorded_is_an_error_and_leaves_the_device_in_order() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let arena = gpu.arena();
    let x = Tensor::full(&gpu, &[3], 2.0).expect("uploaded");
    let twice = || exgnet::ops::scale(&x, 2.0);
    let said = gpu.capture(&arena, || twice()?.to_vec()).expect_err("a tensor is read").to_string();
    assert!(said.contains("being recorded") && said.contains("HINT"), "{said}");
    let said = gpu.capture(&arena, || gpu.capture(&arena, twice)).expect_err("one inside another").to_string();
    assert!(said.contains("inside of one") && said.contains("HINT"), "{said}");
    let (work, y) = gpu.capture(&arena, twice).expect("recorded");
    work.replay().expect("replayed");
    assert_eq!(y.to_vec().expect("read back"), [4.0; 3]);
}

/// A small training with dropout, of a program of one's own; parameters and losses as bits.
fn train_own(gpu: &Gpu, capture: bool) -> Vec<u32> {
    let mut p = ParamBuilder::new(1);
    let (hidden, drop, out) = (p.linear("hidden", 2, 70), p.dropout("drop", 0.25), p.linear("out", 70, 3));
    let params = p.init(gpu).expect("parameters");
    let sgd = Sgd { dampening: 0.2, weight_decay: 1e-3, ..Sgd::default() };
    let mut sgd = Optimizer::sgd(&params, sgd).expect("an optimiser");
    let x = Tensor::zeros(gpu, &[6, 2]).expect("room");
    let labels = Tensor::from_u32(gpu, &[6], &[0; 6]).expect("room");
    let weights = Tensor::full(gpu, &[3], 1.0).expect("weights");
    let mode = params.train_mode(0).expect("a mode");
    let mut seen = Vec::new();
    let mut recorded: Option<Capture<Tensor>> = None;
    let data: Vec<f32> = (0..7 * 6 * 2).map(|i| (i as f32 * 0.7).sin()).collect();
    let classes: Vec<u32> = (0..7 * 6).map(|i| i % 3).collect();
    let mut loader = Loader::new(&data, &[2], 6).and_then(|l| l.labels(&classes)).expect("a loader").shuffled(3);
    for number in 0..7 {
        let batch = loader.next_batch(gpu).expect("a batch");
        x.assign(&batch.x).and_then(|()| labels.assign(batch.labels()?)).expect("written");
        params.train_mode(number).and_then(|_| sgd.begin(0.1 / f64::from(number + 1))).expect("begun");
        let step = || {
            let logits = out.forward(&drop.forward(&hidden.forward(&x)?.tanh()?, &mode)?)?;
            let loss = ops::cross_entropy(&logits, &ops::cross_entropy_targets(&labels, &weights, 0.0)?)?;
            sgd.update(&params, &params.gradients(&loss)?)?;
            Ok(loss.detach())
        };
        let loss = if capture {
            let recorded = recorded.get_or_insert_with(|| Capture::new(gpu, step).expect("recorded"));
            recorded.replay().expect("replayed").clone()
        } else {
            step().expect("a step")
        };
        seen.push(loss.item().expect("read back").to_bits());
    }
    assert_eq!(sgd.counts(), [7; 4]);
    seen.extend(params.flat().to_vec().expect("read back").iter().map(|v| v.to_bits()));
    seen
}

#[test]
fn a_captured_step_of_ones_own_is_the_step_itself() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let described = train_own(&gpu, false);
    assert_eq!(described, train_own(&gpu, true));
    assert_ne!(described[0], described[6]);
}

#[test]
fn what_a_capture_cannot_hold_is_an_error_that_says_what_to_do() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let mut p = ParamBuilder::new(1);
    let (out, drop) = (p.linear("out", 2, 1), p.dropout("drop", 0.5));
    let params = p.init(&gpu).expect("parameters");
    let mut adam = Optimizer::new(&params, Hyper::default()).expect("an optimiser");
    let x = Tensor::full(&gpu, &[3, 2], 1.0).expect("ones");
    let loss = || out.forward(&x)?.square()?.mean_all();
    let says = |e: Error, words: &[&str]| {
        let said = e.to_string();
        assert!(said.contains("HINT") && words.iter().all(|word| said.contains(word)), "{said}");
    };
    let step = Capture::new(&gpu, || adam.step(&params, &params.gradients(&loss()?)?, 0.1));
    says(step.expect_err("its rate is fixed"), &["optimiser", "before each replay", "Optimizer::begin"]);
    let dropped = Capture::new(&gpu, || drop.forward(&x, &params.train_mode(1)?));
    says(dropped.expect_err("its numbers are fixed"), &["dropout", "before each replay", "Params::train_mode"]);
    says(Capture::new(&gpu, || loss()?.item()).expect_err("a tensor is read"), &["being recorded"]);
    let inner = Capture::new(&gpu, loss).expect("recorded");
    says(Capture::new(&gpu, || inner.replay().cloned()).expect_err("one inside another"), &["a replay inside"]);
    says(x.assign(&Tensor::zeros(&gpu, &[2, 2]).expect("zeros")).expect_err("fewer"), &["assign", "[2, 2]", "[3, 2]"]);
    let words = Tensor::from_u32(&gpu, &[3, 2], &[0; 6]).expect("uploaded");
    says(x.assign(&words).expect_err("integers"), &["assign", "F32"]);
    // what failed has left nothing behind, and counted nothing
    assert_eq!((adam.steps(), adam.counts()), (0, vec![0, 0]));
    let found = inner.replay().and_then(|t| t.item()).expect("replayed");
    assert_eq!(found, loss().and_then(|t| t.item()).expect("computed"));
}

/// A step of a deep network whose first map is guided has more than ten thousand launches.
#[test]
fn a_recording_holds_the_longest_step_and_reports_its_end() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let x = Tensor::full(&gpu, &[1], 1.0).expect("uploaded");
    let times = |n: usize| (0..n).try_fold(x.clone(), |y, _| exgnet::ops::add_scalar(&y, 1.0));
    let (work, y) = gpu.capture(&gpu.arena(), || no_grad(|| times(12_000))).expect("recorded");
    work.replay().expect("replayed");
    assert_eq!(y.item().expect("read back"), 12_001.0);
    let said = gpu.capture(&gpu.arena(), || no_grad(|| times(33_000))).expect_err("too long").to_string();
    assert!(said.contains("more than 32768 launches") && said.contains("HINT"), "{said}");
    assert_eq!(exgnet::ops::scale(&x, 2.0).and_then(|y| y.item()).expect("in order"), 2.0);
}

#[test]
fn a_replayed_step_is_the_step_itself() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let described = train(&gpu, false);
    let before = gpu.pool_stats();
    let replayed = train(&gpu, true);
    let differ = described.iter().zip(&replayed).filter(|(a, b)| a != b).count();
    println!("{} values, {differ} differ", described.len());
    assert!(described == replayed, "{differ} of {} values differ", described.len());
    assert!(described.iter().all(|v| f32::from_bits(*v).is_finite()));
    // a recording gives its memory back
    let after = gpu.pool_stats();
    println!("{before:?} then {after:?}");
    assert_eq!(after.in_use, before.in_use);
}
