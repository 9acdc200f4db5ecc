//! Training with what convolutions read kept in f16: exact where f16 can hold the values, infinite where it cannot, and
//! with a loss scale that finds its way. A device of its own: the versions of the kernels are forced.

use exgnet::autograd::grad;
use exgnet::experiment::Experiment;
use exgnet::gpu::{Forced, Gpu};
use exgnet::nn::models::exgnet::Sizes;
use exgnet::nn::{Model, NetworkConfig, Optimizer};
use exgnet::ops::{self, Branch, ConvSpec, Hyper, Precision};
use exgnet::tensor::Tensor;
use exgnet::train::estimate::random_batch;
use exgnet::train::losses::Terms;
use exgnet::train::step::Stepper;
use std::sync::{Mutex, OnceLock};

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

/// Tests that force a version take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Values that f16 holds exactly.
fn exact(shape: &[usize], seed: usize) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((i * 7919 + seed * 104_729) % 401) as f32 / 64.0 - 3.0).collect();
    Tensor::from_f32(gpu(), shape, &values).expect("uploaded").leaf()
}

/// A convolution with all its gradients, the gradient's gradient too.
fn all_of(spec: &ConvSpec, x: &Tensor, weights: &[&Tensor], g: &Tensor) -> Vec<Vec<f32>> {
    let y = ops::branches(x, weights, spec).expect("a convolution");
    let mut wrt = vec![x];
    wrt.extend(weights);
    let mut all = vec![y.to_vec().expect("read back")];
    for d in grad(&y, &wrt, Some(g), false).expect("gradients").into_iter().flatten() {
        all.push(d.to_vec().expect("read back"));
    }
    all
}

#[test]
fn what_f16_holds_gives_the_same_bits() {
    let _turn = TURN.lock();
    for version in ["naive", "plain", "tile", "fast", "wide"] {
        gpu().force(Forced::everywhere(version)).expect("a version");
        for (stride, dilation, len) in [(1, 1, 61), (2, 1, 150), (1, 3, 40)] {
            let x = exact(&[3, 5, len], 1);
            let weights = [exact(&[4, 5, 5], 2), exact(&[3, 5, 4], 3)];
            let weights: Vec<&Tensor> = weights.iter().collect();
            let branches = weights.iter().map(|w| Branch::same(w.dim(2), dilation)).collect();
            let mut spec = ConvSpec { stride, groups: 1, branches, precision: Precision::F32 };
            let t = ops::branches(&x, &weights, &spec).expect("a convolution").dim(2);
            let g = exact(&[3, 7, t], 4);
            let full = all_of(&spec, &x, &weights, &g);
            spec.precision = Precision::F16;
            let half = all_of(&spec, &x, &weights, &g);
            assert!(full == half, "{version} stride {stride} dilation {dilation}");
            assert!(full.iter().flatten().any(|v| *v != 0.0));
        }
    }
    gpu().force(Forced::default()).expect("none");
}

/// Products and sums of small whole numbers are whole numbers that f16 holds; of others three digits are left.
#[test]
fn native_f16_is_exact_where_f16_is_and_near_elsewhere() {
    let _turn = TURN.lock();
    if !gpu().report().shader_f16 {
        eprintln!("SKIPPED: {} has no 16-bit arithmetic", gpu().report().name);
        return;
    }
    for (stride, len) in [(1, 61), (2, 150)] {
        let run = |precision, whole: bool| {
            let of = |shape: &[usize], seed| {
                let t = exact(shape, seed).to_vec().expect("read back");
                let t: Vec<f32> = if whole { t.iter().map(|v| (v / 2.0).round()).collect() } else { t };
                Tensor::from_f32(gpu(), shape, &t).expect("uploaded").leaf()
            };
            let (x, weights) = (of(&[3, 5, len], 1), [of(&[4, 5, 5], 2), of(&[3, 5, 4], 3)]);
            let weights: Vec<&Tensor> = weights.iter().collect();
            let branches = weights.iter().map(|w| Branch::same(w.dim(2), 1)).collect();
            let spec = ConvSpec { stride, groups: 1, branches, precision };
            let t = ops::branches(&x, &weights, &spec).expect("a convolution").dim(2);
            all_of(&spec, &x, &weights, &of(&[3, 7, t], 4))
        };
        assert!(run(Precision::F32, true) == run(Precision::NativeF16, true), "stride {stride}");
        let (full, native) = (run(Precision::F32, false), run(Precision::NativeF16, false));
        assert!(full != native, "f16 arithmetic leaves a trace");
        for (full, native) in full.iter().zip(&native) {
            let largest = full.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
            let worst = full.iter().zip(native).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
            println!("stride {stride}: {:.1e} of the largest", worst / largest);
            assert!(worst < 2e-3 * largest, "{worst} of {largest}");
        }
    }
}

#[test]
fn what_f16_cannot_hold_is_seen() {
    let _turn = TURN.lock();
    let mut values = vec![1.0; 64];
    values[20] = 1e6;
    let x = Tensor::from_f32(gpu(), &[1, 1, 64], &values).expect("uploaded");
    let w = Tensor::full(gpu(), &[1, 1, 5], 1.0).expect("uploaded");
    for version in ["tile", "wide"] {
        gpu().force(Forced::everywhere(version)).expect("a version");
        let spec = ConvSpec { precision: Precision::F16, ..ConvSpec::single(1, 1, Branch::same(5, 1)) };
        let y = ops::branches(&x, &[&w], &spec).expect("a convolution").to_vec().expect("read back");
        assert!(!y[20].is_finite() && y[40] == 5.0, "{}: {} and {}", version, y[20], y[40]);
    }
    gpu().force(Forced::default()).expect("none");
}

#[test]
fn the_loss_scale_halves_skips_and_doubles() {
    let net = Model::new(
        gpu(),
        &NetworkConfig::from(Sizes { widths: vec![3], strides: vec![1], ..Sizes::default() }),
        2,
        false,
        1,
    )
    .expect("a network");
    let mut optimizer =
        Optimizer::new(net.params(), Hyper::default()).and_then(|o| o.with_loss_scale([64.0, 0.0])).expect("one");
    let step = |optimizer: &mut Optimizer, v: f32| {
        let like = |(_, p): &(String, Tensor)| Some(Tensor::full(gpu(), p.shape(), v).expect("filled"));
        let gradients: Vec<_> = net.params().trainable().iter().map(like).collect();
        optimizer.step(net.params(), &gradients, 1e-3).expect("a step");
        (optimizer.loss_scale().expect("read").expect("scaled"), net.params().flat().to_vec().expect("read back"))
    };
    let before = net.params().flat().to_vec().expect("read back");
    let (scale, after) = step(&mut optimizer, f32::INFINITY);
    assert!(scale == [32.0, 0.0] && after == before, "a step with non-finite gradients is skipped");
    let (scale, after) = step(&mut optimizer, 1.0);
    assert!(scale == [32.0, 1.0] && after != before && after.iter().all(|v| v.is_finite()));
    for _ in 0..498 {
        step(&mut optimizer, 1.0);
    }
    assert_eq!(step(&mut optimizer, 1.0).0, [64.0, 0.0]);
    let loss = Tensor::full(gpu(), &[1], 0.5).expect("uploaded");
    assert_eq!(optimizer.scale_loss(&loss).expect("scaled").item().expect("read back"), 32.0);
}

/// Losses of some steps with the settings, bytes held by a further one, and its terms.
fn steps(sets: &[&str]) -> (Vec<f32>, u64, Terms) {
    let sets: Vec<String> = ["data.fs=100", "train.batch=8"].iter().chain(sets).map(|s| (*s).to_owned()).collect();
    let e = Experiment::quickstart(&sets).expect("an experiment");
    let mut stepper = Stepper::new(gpu(), &e, &[1.0; 4], None).expect("a network");
    stepper.replay = false;
    let (x, targets) = random_batch(gpu(), &e, 4, e.data.samples()).expect("a batch");
    let mut losses = Vec::new();
    for _ in 0..4 {
        let (terms, _) = stepper.step(&x, &targets, 1e-3).expect("a step");
        losses.push(terms.total.item().expect("read back"));
    }
    let before = gpu().pool_stats().in_use;
    let (terms, _) = stepper.step(&x, &targets, 1e-3).expect("a step");
    (losses, gpu().pool_stats().in_use - before, terms)
}

#[test]
fn a_step_in_native_f16_is_near_that_in_f32() {
    let _turn = TURN.lock();
    let small = ["network.widths=[6]", "network.strides=[1]", "network.kernels=[3,5,7]", "data.seconds=4"];
    let of = |precision: &str| steps(&[&small[..], &[precision]].concat()).0;
    if !gpu().report().shader_f16 {
        let e = Experiment::quickstart(&["train.precision=f16-native".to_owned()]).expect("an experiment");
        let e = Stepper::new(gpu(), &e, &[1.0; 4], None).expect_err("there is none");
        assert!(e.to_string().contains("HINT"), "{e}");
        return;
    }
    let (full, native) = (of("train.precision=f32"), of("train.precision=f16-native"));
    println!("losses {full:?} in f32, {native:?} in native f16");
    assert!(native != full && full.iter().zip(&native).all(|(a, b)| (a - b).abs() <= 1e-2 * a.abs()));
}

/// The gradient's factor is taken out again: a step in f16 is nearly that in f32, in less memory.
#[test]
fn a_step_in_f16_is_nearly_that_in_f32() {
    let _turn = TURN.lock();
    let run = |precision: &str| steps(&["data.seconds=10", precision]);
    let (full, held, _) = run("train.precision=f32");
    let (half, less, _) = run("train.precision=f16");
    println!("losses {full:?} in f32, {half:?} in f16; held by the last step {held} and {less} bytes");
    assert!(full.iter().zip(&half).all(|(a, b)| (a - b).abs() <= 5e-3 * a.abs()));
    assert!(less < held);
}
