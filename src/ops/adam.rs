//! Adam and AdamW over all parameters in one launch (`shaders/optimiser`;
//! Kingma and Ba 2015, Loshchilov and Hutter 2019), with clipping by the global norm.

use super::family::{Family, Kernel};
use super::reduce::{Term, launch_sum};
use super::sgd::SGD;
use super::{Array, check_floats, concat};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};

const ADAM: Kernel = Kernel {
    name: "adam",
    formula: "m = b1 m + (1 - b1) g', v = b2 v + (1 - b2) g'^2, w = (1 - lr decay) w - lr (m / c1) / (sqrt(v / c2) + eps)",
    operands: &[
        ("g", "[n]"),
        ("norm2", "[1]"),
        ("hyper", "[7 + 2 P]"),
        ("s", "[2]"),
        ("w", "[n]"),
        ("m", "[n]"),
        ("v", "[n]"),
        ("part", "[n / 64, rounded up]"),
    ],
    sizes: &[("n", 77)],
    ..Kernel::of("optimiser")
};

const LOSS_SCALE: Kernel = Kernel {
    name: "loss_scale",
    formula: "scale[0] halved where norm2 is not finite, doubled after 500 steps without",
    operands: &[("norm2", "[1]"), ("scale", "[2]: factor, steps since it last changed")],
    ..Kernel::of("optimiser")
};

pub(super) const FAMILY: Family =
    Family { name: "optimiser", kernels: &[&ADAM, &LOSS_SCALE, &SGD], operations: &["adam", "sgd"] };

/// Settings of one step. They go to the device as a buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyper {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the running means of gradient and squared gradient.
    pub betas: [f64; 2],
    /// Added to the root of the second mean.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// AdamW: the decay acts on the weight, not through the gradient.
    pub decoupled: bool,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip: f64,
}

impl Default for Hyper {
    fn default() -> Self {
        Self { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: false, clip: 0.0 }
    }
}

impl Hyper {
    /// For parts at these steps, see `shaders/optimiser`.
    fn words(&self, steps: &[u32]) -> Vec<f32> {
        let (coupled, decoupled) = if self.decoupled { (0.0, self.weight_decay) } else { (self.weight_decay, 0.0) };
        let correction = |step: u32, b: f64| 1.0 - b.powi(step.min(i32::MAX as u32) as i32);
        let [b1, b2] = self.betas;
        let common = [self.lr, b1, b2, self.eps, coupled, decoupled, self.clip];
        let own = steps.iter().flat_map(|&step| [correction(step, b1), correction(step, b2)]);
        common.into_iter().chain(own).map(|v| v as f32).collect()
    }
}

/// First and second means of the gradients, and the step's settings on the device.
#[derive(Debug, Clone)]
pub struct AdamState {
    /// Mean of the gradient, `[n]`.
    pub m: Tensor,
    /// Mean of the squared gradient, `[n]`.
    pub v: Tensor,
    /// Factor that the loss was multiplied with, and steps since it changed, `[2]`, see [`update_loss_scale`].
    pub scale: Tensor,
    hyper: Tensor,
    /// The part that each [`BLOCK`] of parameters belongs to.
    part: Tensor,
    parts: usize,
}

/// Parts begin at multiples of this many parameters.
pub(crate) const BLOCK: usize = 64;

impl AdamState {
    /// For `n` parameters, before the first step.
    pub fn new(gpu: &Gpu, n: usize) -> Result<Self> {
        Self::of_parts(gpu, n, &[0])
    }

    /// For `n` parameters in parts that begin at `starts`, the first at 0 and each at a multiple of [`BLOCK`]: each has a step
    /// of its own.
    pub(crate) fn of_parts(gpu: &Gpu, n: usize, starts: &[usize]) -> Result<Self> {
        Ok(Self {
            m: Tensor::zeros(gpu, &[n])?,
            v: Tensor::zeros(gpu, &[n])?,
            scale: Tensor::from_f32(gpu, &[2], &[1.0, 0.0])?,
            hyper: Tensor::zeros(gpu, &[7 + 2 * starts.len()])?,
            part: part_of_blocks(gpu, n, starts)?,
            parts: starts.len(),
        })
    }

    /// The same moments, with settings of its own for other parts.
    pub(crate) fn another(&self) -> Result<Self> {
        Ok(Self { hyper: Tensor::zeros(self.hyper.gpu(), self.hyper.shape())?, ..self.clone() })
    }

    /// Puts the settings of a step on the device; `step` counts from 1.
    pub fn set(&self, hyper: &Hyper, step: u32) -> Result<()> {
        if step == 0 {
            return Err(Error::shape("adam", "step 0", "a step from 1 on", "the first step is number 1"));
        }
        self.set_parts(hyper, &vec![step; self.parts])
    }

    /// As [`AdamState::set`], with a step for each part; one at step 0 keeps its values and moments.
    pub(crate) fn set_parts(&self, hyper: &Hyper, steps: &[u32]) -> Result<()> {
        self.hyper.overwrite(&hyper.words(steps))
    }
}

/// The part that each [`BLOCK`] of `n` parameters belongs to, of parts that begin at `starts`.
pub(super) fn part_of_blocks(gpu: &Gpu, n: usize, starts: &[usize]) -> Result<Tensor> {
    debug_assert!(starts.first() == Some(&0) && starts.iter().all(|s| s.is_multiple_of(BLOCK)));
    let blocks = n.div_ceil(BLOCK);
    let part = |block: usize| starts.partition_point(|&start| start <= block * BLOCK) as u32 - 1;
    Tensor::from_u32(gpu, &[blocks], &(0..blocks).map(part).collect::<Vec<u32>>())
}

/// Sum of the squares of all elements, `[1]`, in a fixed order.
pub fn sum_of_squares(x: &Tensor) -> Result<Tensor> {
    check_floats("sum_of_squares", &[x])?;
    let y = Tensor::empty(x.gpu(), &[1], DType::F32)?;
    launch_sum(x, [1, x.numel(), 1], Term::Square, &y)?;
    Ok(y)
}

/// One step, in place on `weights` `[n]` and the state. `step` counts from 1; returns the squared norm of `grads` `[1]`.
pub fn adam_step(weights: &Tensor, grads: &Tensor, state: &AdamState, hyper: &Hyper, step: u32) -> Result<Tensor> {
    state.set(hyper, step)?;
    adam_update(weights, grads, state)
}

/// [`adam_step`] with the settings that [`AdamState::set`] put on the device.
pub fn adam_update(weights: &Tensor, grads: &Tensor, state: &AdamState) -> Result<Tensor> {
    adam_groups(weights, grads, std::slice::from_ref(state))
}

/// [`adam_update`] of groups that share moments and loss scale.
pub(crate) fn adam_groups(weights: &Tensor, grads: &Tensor, states: &[AdamState]) -> Result<Tensor> {
    let n = weights.numel();
    for state in states {
        check_floats("adam", &[weights, grads, &state.m, &state.v])?;
        if [grads, &state.m, &state.v].iter().any(|t| t.numel() != n) {
            return Err(Error::shape(
                "adam",
                format!("weights {:?}, gradients {:?}, moments {:?}", weights.shape(), grads.shape(), state.m.shape()),
                "a gradient and two moments for each weight",
                "make the state for the same number of parameters",
            ));
        }
    }
    let norm2 = sum_of_squares(grads)?;
    for state in states {
        ADAM.at(weights.gpu(), &[n])
            .ints(&[("n", n)])
            .bind("g", grads)
            .bind("norm2", &norm2)
            .bind("hyper", &state.hyper)
            .bind("s", &state.scale)
            .bind("w", weights)
            .bind("m", &state.m)
            .bind("v", &state.v)
            .bind("part", &state.part)
            .cost(18.0 * n as f64, 28.0 * n as f64)
            .run()?;
    }
    Ok(norm2)
}

/// Moves a loss scale `[2]` (factor, steps since it changed) after a step whose gradients had the squared norm `norm2`
/// `[1]`: halved where that is not finite, doubled after 500 steps without (Micikevicius et al. 2018, section 3.2).
pub fn update_loss_scale(scale: &Tensor, norm2: &Tensor) -> Result<()> {
    check_floats("update_loss_scale", &[scale, norm2])?;
    LOSS_SCALE.at(scale.gpu(), &[1]).bind("norm2", norm2).bind("scale", scale).cost(1.0, 20.0).run()
}

/// By what gradients are multiplied for their norm to be `clip` at most.
pub(super) fn clipping(g: &[f64], clip: f64) -> f64 {
    let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
    if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

/// Three steps on `n` parameters in parts that begin at `starts`; every second part is left out of the second step. The loss
/// was multiplied with `scaled`.
pub(crate) fn adam_case(label: &str, n: usize, starts: &'static [usize], hyper: Hyper, scaled: f32) -> Case {
    // a step for each part, 0 where it is left out
    let steps = move |step: u32| -> Vec<u32> {
        let one = |i: usize| if i.is_multiple_of(2) { step } else { [1, 0, 2][step as usize - 1] };
        (0..starts.len()).map(one).collect()
    };
    Case::new(
        format!("{label}, 3 steps, [{n}]"),
        vec![Input::normal(&[n], 151), Input::normal(&[n], 152)],
        move |x| {
            let w = super::scale(&x[0], 1.0)?;
            let mut state = AdamState::of_parts(w.gpu(), n, starts)?;
            state.scale = Tensor::from_f32(w.gpu(), &[2], &[scaled, 0.0])?;
            for step in 1..=3 {
                // another gradient each step
                let g = super::scale(&x[1], step as f32 * scaled)?;
                state.set_parts(&hyper, &steps(step))?;
                adam_update(&w, &g, &state)?;
            }
            concat(&[&w, &state.m, &state.v], 0)
        },
        move |x| {
            let mut w = x[0].data.clone();
            let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
            let [b1, b2] = hyper.betas;
            for step in 1..=3 {
                let g: Vec<f64> = x[1].data.iter().map(|g| g * f64::from(step)).collect();
                let shrink = clipping(&g, hyper.clip);
                let steps = steps(step);
                for i in 0..n {
                    let own = steps[starts.partition_point(|&start| start <= i) - 1] as i32;
                    if own == 0 {
                        continue;
                    }
                    let mut gi = g[i] * shrink;
                    if hyper.decoupled {
                        w[i] *= 1.0 - hyper.lr * hyper.weight_decay;
                    } else {
                        gi += hyper.weight_decay * w[i];
                    }
                    m[i] = b1 * m[i] + (1.0 - b1) * gi;
                    v[i] = b2 * v[i] + (1.0 - b2) * gi * gi;
                    let (mh, vh) = (m[i] / (1.0 - b1.powi(own)), v[i] / (1.0 - b2.powi(own)));
                    w[i] -= hyper.lr * mh / (vh.sqrt() + hyper.eps);
                }
            }
            Array::new(&[n * 3], [w, m, v].concat())
        },
    )
    .oracle_only()
    // four tensors are read and three written, three times
    .cost(36.0 * n as f64, 84.0 * n as f64)
}

/// The loss scale after steps whose gradients had these squared norms.
fn loss_scale_case(first: [f32; 2], norms: &'static [f32]) -> Case {
    Case::new(
        format!("loss scale {first:?} after squared norms {norms:?}"),
        vec![Input::fixed(&[2], first.to_vec()), Input::fixed(&[norms.len()], norms.to_vec())],
        move |x| {
            let state = super::scale(&x[0], 1.0)?;
            for i in 0..norms.len() {
                update_loss_scale(&state, &super::slice(&x[1], 0, i, i + 1)?)?;
            }
            Ok(state)
        },
        |x| {
            let (mut scale, mut steps) = (x[0].data[0], x[0].data[1]);
            for norm in &x[1].data {
                steps += 1.0;
                if !norm.is_finite() {
                    (scale, steps) = ((0.5 * scale).max(1.0), 0.0);
                } else if steps >= 500.0 {
                    (scale, steps) = ((2.0 * scale).min(f64::from(1 << 24)), 0.0);
                }
            }
            Array::new(&[2], vec![scale, steps])
        },
    )
    .oracle_only()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Hyper { lr: 0.01, ..Hyper::default() };
    let all = Hyper { weight_decay: 0.1, clip: 0.5, ..plain };
    let mut cases = vec![
        adam_case("adam", 77, &[0], plain, 1.0),
        adam_case("adam, coupled decay", 77, &[0], Hyper { weight_decay: 0.1, ..plain }, 1.0),
        adam_case("adamw", 77, &[0], Hyper { weight_decay: 0.1, decoupled: true, ..plain }, 1.0),
        adam_case("adam, clipped", 77, &[0], Hyper { clip: 0.5, ..plain }, 1.0),
        adam_case("adam, clip not reached", 77, &[0], Hyper { clip: 1e3, ..plain }, 1.0),
        adam_case("adamw, scaled loss, clipped", 77, &[0], Hyper { decoupled: true, ..all }, 1024.0),
        adam_case("adam in parts", 64 * 5 + 3, &[0, 64, 192], all, 1.0),
    ];
    // lengths around a vec4 and a group, and what one does at most
    cases.extend([1, 3, 4, 5, 31, 33, 257, 4099, 70_003].map(|n| adam_case("adam", n, &[0], all, 1.0)));
    cases.push(adam_case("adam in parts", 4099, &[0, 64, 2048, 4096], plain, 8.0));
    let inf = f32::INFINITY;
    let scales: [([f32; 2], &'static [f32]); 8] = [
        ([1024.0, 3.0], &[1.0, 0.0, 2.5]),
        ([1024.0, 498.0], &[1.0, 1.0, 1.0]),
        ([1024.0, 7.0], &[1.0, f32::INFINITY, 1.0]),
        ([8.0, 0.0], &[f32::NAN, f32::NEG_INFINITY]),
        ([1.0, 5.0], &[f32::INFINITY]),
        ([16_777_216.0, 499.0], &[3.0]),
        ([64.0, 499.0], &[1.5]),
        ([64.0, 499.0], &[f32::INFINITY]),
    ];
    cases.extend(scales.map(|(first, norms)| loss_scale_case(first, norms)));
    // a step with non-finite gradients changes nothing where the loss is scaled
    cases.push(
        Case::new(
            "adam, scaled loss, non-finite gradients",
            vec![Input::normal(&[77], 153), Input::fixed(&[77], vec![inf; 77])],
            |x| {
                let (w, hyper) = (super::scale(&x[0], 1.0)?, Hyper::default());
                let mut state = AdamState::new(w.gpu(), 77)?;
                state.scale = Tensor::from_f32(w.gpu(), &[2], &[2.0, 0.0])?;
                adam_step(&w, &x[1], &state, &hyper, 1)?;
                concat(&[&w, &state.m, &state.v], 0)
            },
            |x| Array::new(&[77 * 3], [x[0].data.clone(), vec![0.0; 77 * 2]].concat()),
        )
        .oracle_only(),
    );
    cases
}
