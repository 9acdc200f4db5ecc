//! Stochastic gradient descent with momentum over all parameters in one launch (`shaders/optimiser`; Polyak 1964, Nesterov
//! 1983 as Sutskever et al. 2013 write it, which is PyTorch's form), with clipping by the global norm.

use super::adam::{clipping, part_of_blocks};
use super::family::Kernel;
use super::{Array, check_floats, concat, sum_of_squares};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::Tensor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const SGD: Kernel = Kernel {
    name: "sgd",
    formula: "m = mu m + (1 - dampening) g', w = w - lr m, with Nesterov w - lr (g' + mu m)",
    operands: &[
        ("g", "[n]"),
        ("norm2", "[1]"),
        ("hyper", "[5 + P]"),
        ("s", "[2]"),
        ("w", "[n]"),
        ("m", "[n]"),
        ("part", "[n / 64, rounded up]"),
    ],
    sizes: &[("n", 77)],
    ..Kernel::of("optimiser")
};

/// Settings of one step of SGD. They go to the device as a buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// Share of the last step's direction in this one; 0 for plain gradient descent.
    pub momentum: f64,
    /// Share of the gradient that stays out of the momentum, in \[0, 1\] (PyTorch's `dampening`): with `1 - momentum` the
    /// momentum is a running mean. The first step of a parameter is not dampened, nor is anything without momentum.
    pub dampening: f64,
    /// Looks ahead: the step goes along the gradient and the momentum after it. Not with `dampening`.
    pub nesterov: bool,
    /// Weight decay, through the gradient.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip: f64,
}

impl Default for Sgd {
    /// Rate 0.01, momentum 0.9.
    fn default() -> Self {
        Self { lr: 1e-2, momentum: 0.9, dampening: 0.0, nesterov: false, weight_decay: 0.0, clip: 0.0 }
    }
}

impl Sgd {
    /// An error for settings that do not go together.
    pub(crate) fn check(&self) -> Result<()> {
        let found = format!("dampening {} of SGD", self.dampening);
        if !(0.0..=1.0).contains(&self.dampening) {
            let hint = "0 is none; 1 - momentum makes the momentum a running mean of the gradients";
            return Err(Error::config(format!("{found}, expected a number in [0, 1]"), hint));
        }
        if self.nesterov && self.dampening != 0.0 {
            let hint = "Nesterov's momentum is defined without dampening: leave out one of the two";
            return Err(Error::config(format!("{found} with Nesterov's momentum, expected 0"), hint));
        }
        Ok(())
    }

    /// What the gradient of a parameter is multiplied with on its way into the momentum, at its `step` from 1 on; less than 0
    /// where it is not part of the step (0).
    fn share(&self, step: u32) -> f64 {
        match step {
            0 => -1.0,
            1 => 1.0,
            _ if self.momentum == 0.0 => 1.0,
            _ => 1.0 - self.dampening,
        }
    }
}

/// Momentum of the gradients, and the step's settings on the device.
#[derive(Debug, Clone)]
pub struct SgdState {
    /// Momentum, `[n]`.
    pub m: Tensor,
    /// Factor that the loss was multiplied with, and steps since it changed, `[2]`, see [`super::update_loss_scale`].
    pub scale: Tensor,
    hyper: Tensor,
    part: Tensor,
    parts: usize,
    /// Steps that [`SgdState::set`] began, of all clones.
    steps: Arc<AtomicU32>,
}

impl SgdState {
    /// For `n` parameters, before the first step.
    pub fn new(gpu: &Gpu, n: usize) -> Result<Self> {
        Self::of_parts(gpu, n, &[0])
    }

    /// As [`super::AdamState::of_parts`].
    pub(crate) fn of_parts(gpu: &Gpu, n: usize, starts: &[usize]) -> Result<Self> {
        Ok(Self {
            m: Tensor::zeros(gpu, &[n])?,
            scale: Tensor::from_f32(gpu, &[2], &[1.0, 0.0])?,
            hyper: Tensor::zeros(gpu, &[5 + starts.len()])?,
            part: part_of_blocks(gpu, n, starts)?,
            parts: starts.len(),
            steps: Arc::default(),
        })
    }

    /// The same momentum, with settings of its own for other parts.
    pub(crate) fn another(&self) -> Result<Self> {
        Ok(Self { hyper: Tensor::zeros(self.hyper.gpu(), self.hyper.shape())?, ..self.clone() })
    }

    /// Puts the settings of the next step on the device.
    ///
    /// # Errors
    /// [`Error::Config`] for dampening that is not in \[0, 1\], or is there with Nesterov's momentum.
    pub fn set(&self, hyper: &Sgd) -> Result<()> {
        hyper.check()?;
        let step = self.steps.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.set_parts(hyper, &vec![step; self.parts])
    }

    /// As [`SgdState::set`] for parts at these steps; one at step 0 keeps its values and momentum.
    pub(crate) fn set_parts(&self, hyper: &Sgd, steps: &[u32]) -> Result<()> {
        let nesterov = f64::from(u8::from(hyper.nesterov));
        let common = [hyper.lr, hyper.momentum, hyper.weight_decay, hyper.clip, nesterov];
        let all = common.into_iter().chain(steps.iter().map(|&step| hyper.share(step)));
        self.hyper.overwrite(&all.map(|v| v as f32).collect::<Vec<_>>())
    }
}

/// One step, in place on `weights` `[n]` and the state; returns the squared norm of `grads` `[1]`.
pub fn sgd_step(weights: &Tensor, grads: &Tensor, state: &SgdState, hyper: &Sgd) -> Result<Tensor> {
    state.set(hyper)?;
    sgd_update(weights, grads, std::slice::from_ref(state))
}

/// A step with the settings that are on the device, of groups that share momentum and loss scale.
pub(crate) fn sgd_update(weights: &Tensor, grads: &Tensor, states: &[SgdState]) -> Result<Tensor> {
    let n = weights.numel();
    for state in states {
        check_floats("sgd", &[weights, grads, &state.m])?;
        if [grads, &state.m].iter().any(|t| t.numel() != n) {
            return Err(Error::shape(
                "sgd",
                format!("weights {:?}, gradients {:?}, momentum {:?}", weights.shape(), grads.shape(), state.m.shape()),
                "a gradient and a momentum for each weight",
                "make the state for the same number of parameters",
            ));
        }
    }
    let norm2 = sum_of_squares(grads)?;
    for state in states {
        SGD.at(weights.gpu(), &[n])
            .ints(&[("n", n)])
            .bind("g", grads)
            .bind("norm2", &norm2)
            .bind("hyper", &state.hyper)
            .bind("s", &state.scale)
            .bind("w", weights)
            .bind("m", &state.m)
            .bind("part", &state.part)
            .cost(8.0 * n as f64, 20.0 * n as f64)
            .run()?;
    }
    Ok(norm2)
}

/// Three steps on `n` parameters in parts that begin at `starts`; every second part is left out of the second step. The loss
/// was multiplied with `scaled`.
fn case(label: &str, n: usize, starts: &'static [usize], hyper: Sgd, scaled: f32) -> Case {
    // a step for each part, 0 where it is left out
    let steps = |step: u32| -> Vec<u32> {
        let one = |i: usize| if i.is_multiple_of(2) { step } else { [1, 0, 2][step as usize - 1] };
        (0..starts.len()).map(one).collect()
    };
    Case::new(
        format!("sgd {label}, 3 steps, [{n}]"),
        vec![Input::normal(&[n], 161), Input::normal(&[n], 162)],
        move |x| {
            let w = super::scale(&x[0], 1.0)?;
            let mut state = SgdState::of_parts(w.gpu(), n, starts)?;
            state.scale = Tensor::from_f32(w.gpu(), &[2], &[scaled, 0.0])?;
            for step in 1..=3 {
                let g = super::scale(&x[1], step as f32 * scaled)?;
                state.set_parts(&hyper, &steps(step))?;
                sgd_update(&w, &g, std::slice::from_ref(&state))?;
            }
            concat(&[&w, &state.m], 0)
        },
        move |x| {
            let (mut w, mut m) = (x[0].data.clone(), vec![0.0; n]);
            for step in 1..=3 {
                let g: Vec<f64> = x[1].data.iter().map(|g| g * f64::from(step)).collect();
                let shrink = clipping(&g, hyper.clip);
                let steps = steps(step);
                for i in 0..n {
                    let own = steps[starts.partition_point(|&start| start <= i) - 1];
                    if own == 0 {
                        continue;
                    }
                    let g = g[i] * shrink + hyper.weight_decay * w[i];
                    let dampening = if own > 1 && hyper.momentum > 0.0 { hyper.dampening } else { 0.0 };
                    m[i] = hyper.momentum * m[i] + (1.0 - dampening) * g;
                    w[i] -= hyper.lr * if hyper.nesterov { g + hyper.momentum * m[i] } else { m[i] };
                }
            }
            Array::new(&[n * 2], [w, m].concat())
        },
    )
    .oracle_only()
    .cost(24.0 * n as f64, 60.0 * n as f64)
}

pub(super) fn cases() -> Vec<Case> {
    let momentum = Sgd { lr: 0.1, ..Sgd::default() };
    let nesterov = Sgd { nesterov: true, weight_decay: 0.1, clip: 0.5, ..momentum };
    let mut cases = vec![
        case("plain", 77, &[0], Sgd { momentum: 0.0, ..momentum }, 1.0),
        case("with momentum", 77, &[0], momentum, 1.0),
        case("with decay", 77, &[0], Sgd { weight_decay: 0.1, ..momentum }, 1.0),
        case("with Nesterov's momentum", 77, &[0], Sgd { nesterov: true, ..momentum }, 1.0),
        case("dampened", 77, &[0], Sgd { dampening: 0.3, weight_decay: 0.1, ..momentum }, 1.0),
        case("with nothing but the first gradient", 77, &[0], Sgd { dampening: 1.0, ..momentum }, 1.0),
        case("dampened without momentum", 77, &[0], Sgd { dampening: 0.3, momentum: 0.0, ..momentum }, 1.0),
        case("dampened in parts", 64 * 5 + 3, &[0, 64, 192], Sgd { dampening: 0.6, clip: 0.5, ..momentum }, 8.0),
        case("clipped", 77, &[0], Sgd { clip: 0.5, ..momentum }, 1.0),
        case("of a scaled loss", 77, &[0], nesterov, 1024.0),
        case("in parts", 64 * 5 + 3, &[0, 64, 192], nesterov, 1.0),
    ];
    cases.extend([1, 3, 65, 4099, 70_003].map(|n| case("with all", n, &[0], nesterov, 1.0)));
    // a step with non-finite gradients changes nothing where the loss is scaled
    cases.push(
        Case::new(
            "sgd of a scaled loss, non-finite gradients",
            vec![Input::normal(&[77], 163), Input::fixed(&[77], vec![f32::NAN; 77])],
            |x| {
                let w = super::scale(&x[0], 1.0)?;
                let mut state = SgdState::new(w.gpu(), 77)?;
                state.scale = Tensor::from_f32(w.gpu(), &[2], &[2.0, 0.0])?;
                sgd_step(&w, &x[1], &state, &Sgd::default())?;
                concat(&[&w, &state.m], 0)
            },
            |x| Array::new(&[77 * 2], [x[0].data.clone(), vec![0.0; 77]].concat()),
        )
        .oracle_only(),
    );
    cases
}
