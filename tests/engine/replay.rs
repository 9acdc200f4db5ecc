//! A step that is recorded once and replayed gives the bits of one that is described anew each time. A device of its
//! own: nothing else uses its pool.

use exgnet::autograd::no_grad;
use exgnet::experiment::Experiment;
use exgnet::gpu::Gpu;
use exgnet::nn::Mode;
use exgnet::tensor::Tensor;
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
        let anew = no_grad(|| net.forward(&x, &Mode::EVAL)).expect("forward").logits.to_vec().expect("read back");
        assert_eq!(found, anew, "step {step}");
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
