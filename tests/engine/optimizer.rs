//! The optimiser against Adam in f64, where not every parameter has a gradient in every step: what is not part of a step
//! keeps value, moments and count, as in PyTorch; described step by step, and recorded and replayed.

use crate::common::engine::gpu;
use exgnet::gpu::Recording;
use exgnet::nn::Optimizer;
use exgnet::nn::params::{Init, ParamBuilder, Params};
use exgnet::ops::{self, Hyper};
use exgnet::tensor::Tensor;

/// Names and numbers of values: smaller and larger than a block of the flat buffer.
const SHAPES: [(&str, usize); 4] = [("shared", 70), ("first", 5), ("unused", 3), ("second", 70)];

/// Losses in which a step can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loss {
    /// Sum of `(shared[..5] first)^2`.
    First,
    /// Sum of `(shared + second)^2`.
    Second,
}

fn params() -> Params {
    let mut builder = ParamBuilder::new(3);
    SHAPES.iter().for_each(|(name, n)| builder.param(*name, &[*n], Init::FanIn(1)));
    builder.init(gpu()).expect("parameters")
}

fn device_loss(p: &Params, loss: Loss) -> Tensor {
    let get = |name| p.get(name).expect("a parameter");
    let inner = match loss {
        Loss::First => ops::mul(&ops::slice(&get("shared"), 0, 0, 5).expect("a part"), &get("first")),
        Loss::Second => ops::add(&get("shared"), &get("second")),
    };
    ops::sum(&ops::square(&inner.expect("computed")).expect("squared"), &[0]).expect("a sum")
}

/// One parameter in f64.
#[derive(Clone)]
struct Reference {
    w: Vec<f64>,
    m: Vec<f64>,
    v: Vec<f64>,
    step: i32,
}

fn reference_gradients(all: &[Reference], loss: Loss) -> Vec<Option<Vec<f64>>> {
    let [shared, first, _, second] = [0, 1, 2, 3].map(|i| &all[i].w);
    match loss {
        Loss::First => {
            let mut of_shared = vec![0.0; shared.len()];
            (0..5).for_each(|i| of_shared[i] = 2.0 * shared[i] * first[i] * first[i]);
            let of_first = (0..5).map(|i| 2.0 * shared[i] * shared[i] * first[i]).collect();
            vec![Some(of_shared), Some(of_first), None, None]
        }
        Loss::Second => {
            let g: Vec<f64> = shared.iter().zip(second).map(|(a, b)| 2.0 * (a + b)).collect();
            vec![Some(g.clone()), None, None, Some(g)]
        }
    }
}

/// PyTorch's `clip_grad_norm_` and `Adam`/`AdamW`, one step.
fn reference_step(all: &mut [Reference], gradients: &[Option<Vec<f64>>], hyper: &Hyper, lr: f64) {
    let norm = gradients.iter().flatten().flatten().map(|g| g * g).sum::<f64>().sqrt();
    let shrink = if hyper.clip > 0.0 { (hyper.clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
    let [b1, b2] = hyper.betas;
    for (p, g) in all.iter_mut().zip(gradients) {
        let Some(g) = g else { continue };
        p.step += 1;
        for i in 0..p.w.len() {
            let mut g = g[i] * shrink;
            if hyper.decoupled {
                p.w[i] *= 1.0 - lr * hyper.weight_decay;
            } else {
                g += hyper.weight_decay * p.w[i];
            }
            p.m[i] = b1 * p.m[i] + (1.0 - b1) * g;
            p.v[i] = b2 * p.v[i] + (1.0 - b2) * g * g;
            let (m, v) = (p.m[i] / (1.0 - b1.powi(p.step)), p.v[i] / (1.0 - b2.powi(p.step)));
            p.w[i] -= lr * m / (v.sqrt() + hyper.eps);
        }
    }
}

/// The parameters' parts of a vector that is laid out as the flat buffer is.
fn parts(flat: &[f32]) -> Vec<Vec<f32>> {
    let mut start = 0;
    let part = |(_, n): &(&str, usize)| {
        let values = flat[start..start + n].to_vec();
        start += n.next_multiple_of(64);
        values
    };
    SHAPES.iter().map(part).collect()
}

fn close(found: &[Vec<f32>], truth: &[Reference], of: fn(&Reference) -> &Vec<f64>, what: &str) {
    for ((found, truth), (name, _)) in found.iter().zip(truth).zip(SHAPES) {
        for (i, (a, b)) in found.iter().zip(of(truth)).enumerate() {
            let error = (f64::from(*a) - b).abs();
            assert!(error <= 2e-6 + 2e-5 * b.abs(), "{what} of {name}[{i}]: {a}, expected {b}");
        }
    }
}

fn settings() -> [Hyper; 4] {
    let plain = Hyper { lr: 0.05, ..Hyper::default() };
    [
        plain,
        Hyper { weight_decay: 0.1, ..plain },
        Hyper { weight_decay: 0.1, decoupled: true, ..plain },
        // far below the norm: what is left in the fused buffer would count
        Hyper { clip: 0.3, ..plain },
    ]
}

/// Runs of the same loss, and both in turn.
const ORDER: [Loss; 9] = [
    Loss::First,
    Loss::First,
    Loss::Second,
    Loss::First,
    Loss::Second,
    Loss::Second,
    Loss::Second,
    Loss::First,
    Loss::Second,
];

fn compare(hyper: Hyper, step: &mut dyn FnMut(&Params, &mut Optimizer, Loss, f64)) {
    let p = params();
    let mut adam = Optimizer::new(&p, hyper).expect("an optimiser");
    let host = |t: &Tensor| t.to_vec().expect("read back");
    let start = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<_>>();
    let mut truth: Vec<Reference> = p
        .trainable()
        .iter()
        .map(|(_, t)| Reference { w: start(host(t)), m: vec![0.0; t.numel()], v: vec![0.0; t.numel()], step: 0 })
        .collect();
    let untouched = host(&p.get("unused").expect("a parameter"));
    for (i, &loss) in ORDER.iter().enumerate() {
        let lr = hyper.lr / (1.0 + i as f64);
        let gradients = reference_gradients(&truth, loss);
        reference_step(&mut truth, &gradients, &hyper, lr);
        step(&p, &mut adam, loss, lr);
        let [m, v] = adam.moments().expect("moments");
        close(&parts(&host(p.flat())), &truth, |r| &r.w, &format!("{hyper:?}, step {i}: value"));
        close(&parts(&m), &truth, |r| &r.m, &format!("{hyper:?}, step {i}: first moment"));
        close(&parts(&v), &truth, |r| &r.v, &format!("{hyper:?}, step {i}: second moment"));
    }
    assert_eq!(host(&p.get("unused").expect("a parameter")), untouched);
    assert_eq!(adam.counts(), truth.iter().map(|r| r.step as u32).collect::<Vec<_>>());
    assert_eq!(adam.steps(), ORDER.len() as u32);
}

#[test]
fn two_losses_in_turn_are_adam_of_each_parameter() {
    for hyper in settings() {
        compare(hyper, &mut |p, adam, loss, lr| {
            let gradients = p.gradients(&device_loss(p, loss)).expect("gradients");
            assert_eq!(gradients.iter().filter(|g| g.is_none()).count(), 2);
            adam.step(p, &gradients, lr).expect("a step");
        });
    }
}

#[test]
fn recorded_steps_of_two_losses_are_the_same() {
    for hyper in settings() {
        let arena = gpu().arena();
        let mut recorded: Vec<(Loss, Recording)> = Vec::new();
        compare(hyper, &mut |p, adam, loss, lr| {
            adam.begin(lr).expect("a rate");
            if !recorded.iter().any(|(of, _)| *of == loss) {
                let work = || adam.update(p, &p.gradients(&device_loss(p, loss))?);
                recorded.push((loss, gpu().capture(&arena, work).expect("recorded").0));
            }
            let (_, work) = recorded.iter().find(|(of, _)| *of == loss).expect("recorded above");
            work.replay().expect("replayed");
        });
    }
}

#[test]
fn a_frozen_part_stays_and_counts_into_no_norm() {
    let hyper = Hyper { lr: 0.05, clip: 0.3, weight_decay: 0.1, decoupled: true, ..Hyper::default() };
    let p = params();
    let mut adam = Optimizer::new(&p, hyper).expect("an optimiser");
    // a step with everything, so that there are moments and old gradients; then `shared` is frozen
    let mut truth: Vec<Reference> = p
        .trainable()
        .iter()
        .map(|(_, t)| {
            let w: Vec<f64> = t.to_vec().expect("read back").into_iter().map(f64::from).collect();
            Reference { m: vec![0.0; w.len()], v: vec![0.0; w.len()], w, step: 0 }
        })
        .collect();
    for frozen in [false, true, true, true, false] {
        let mut gradients = p.gradients(&device_loss(&p, Loss::Second)).expect("gradients");
        let mut of_truth = reference_gradients(&truth, Loss::Second);
        if frozen {
            gradients[0] = None;
            of_truth[0] = None;
        }
        let before = p.get("shared").expect("a parameter").to_vec().expect("read back");
        let moments = adam.moments().expect("moments");
        adam.step(&p, &gradients, hyper.lr).expect("a step");
        reference_step(&mut truth, &of_truth, &hyper, hyper.lr);
        let after = p.get("shared").expect("a parameter").to_vec().expect("read back");
        assert_eq!(before == after, frozen, "to the bit");
        if frozen {
            let now = adam.moments().expect("moments");
            assert!((0..2).all(|i| parts(&now[i])[0] == parts(&moments[i])[0]), "moments to the bit");
        }
        close(&parts(&p.flat().to_vec().expect("read back")), &truth, |r| &r.w, "value");
    }
    assert_eq!(adam.counts(), [2, 0, 0, 5]);
    // resuming from a checkpoint, with the counts
    let [m, v] = adam.moments().expect("moments");
    let mut again =
        Optimizer::resume(&p, hyper, &[m, v], 5).and_then(|o| o.with_counts(&[2, 0, 0, 5])).expect("resumed");
    let gradients = p.gradients(&device_loss(&p, Loss::First)).expect("gradients");
    let of_truth = reference_gradients(&truth, Loss::First);
    again.step(&p, &gradients, hyper.lr).expect("a step");
    reference_step(&mut truth, &of_truth, &hyper, hyper.lr);
    close(&parts(&p.flat().to_vec().expect("read back")), &truth, |r| &r.w, "value after resuming");
}

#[test]
fn gradients_that_are_not_the_parameters_are_errors() {
    let p = params();
    let mut adam = Optimizer::new(&p, Hyper::default()).expect("an optimiser");
    let all = p.gradients(&device_loss(&p, Loss::Second)).expect("gradients");
    let before = p.flat().to_vec().expect("read back");
    let said = |e: exgnet::Error| {
        let said = e.to_string();
        assert!(said.contains("HINT") && said.contains("optimizer") || said.contains("learning rate"), "{said}");
        said
    };
    let few = adam.step(&p, &all[..3], 0.1).expect_err("three of four");
    assert!(said(few).contains("3 gradients"));
    // in the place of a smaller one it would be written over its neighbour
    let mut swapped = all.clone();
    swapped[1] = all[3].clone();
    assert!(said(adam.step(&p, &swapped, 0.1).expect_err("another's")).contains("'first'"));
    assert!(said(adam.step(&p, &all, f64::NAN).expect_err("no rate")).contains("NaN"));
    assert_eq!(p.flat().to_vec().expect("read back"), before);
}
