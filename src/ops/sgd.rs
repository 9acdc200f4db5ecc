//! Stochastic gradient descent with momentum over all parameters in one launch (`shaders/optimiser`; Polyak 1964, Nesterov
//! 1983 as Sutskever et al. 2013 write it, which is PyTorch's form), with clipping by the global norm.

use super::adam::{clipping, part_of_blocks};
use super::family::Kernel;
use super::{Array, check_floats, concat, sum_of_squares};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::Tensor;

pub(super) const SGD: Kernel = Kernel {
    name: "sgd",
    formula: "m = mu m + g', w = w - lr m, with Nesterov w - lr (g' + mu m)",
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
    /// Looks ahead: the step goes along the gradient and the momentum after it.
    pub nesterov: bool,
    /// Weight decay, through the gradient.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip: f64,
}

impl Default for Sgd {
    /// Rate 0.01, momentum 0.9.
    fn default() -> Self {
        Self { lr: 1e-2, momentum: 0.9, nesterov: false, weight_decay: 0.0, clip: 0.0 }
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
        })
    }

    /// The same momentum, with settings of its own for other parts.
    pub(crate) fn another(&self) -> Result<Self> {
        Ok(Self { hyper: Tensor::zeros(self.hyper.gpu(), self.hyper.shape())?, ..self.clone() })
    }

    /// Puts the settings of a step on the device.
    pub fn set(&self, hyper: &Sgd) -> Result<()> {
        self.set_parts(hyper, &vec![true; self.parts])
    }

    /// As [`SgdState::set`] for the parts of this step; others keep their values and momentum.
    pub(crate) fn set_parts(&self, hyper: &Sgd, present: &[bool]) -> Result<()> {
        let flag = |on: bool| f64::from(u8::from(on));
        let common = [hyper.lr, hyper.momentum, hyper.weight_decay, hyper.clip, flag(hyper.nesterov)];
        let all = common.into_iter().chain(present.iter().map(|&on| flag(on)));
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
                "make the state for as many parameters as there are",
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
    let present = |step: usize| (0..starts.len()).map(move |i| i.is_multiple_of(2) || step != 2).collect::<Vec<_>>();
    Case::new(
        format!("sgd {label}, 3 steps, [{n}]"),
        vec![Input::normal(&[n], 161), Input::normal(&[n], 162)],
        move |x| {
            let w = super::scale(&x[0], 1.0)?;
            let mut state = SgdState::of_parts(w.gpu(), n, starts)?;
            state.scale = Tensor::from_f32(w.gpu(), &[2], &[scaled, 0.0])?;
            for step in 1..=3 {
                let g = super::scale(&x[1], step as f32 * scaled)?;
                state.set_parts(&hyper, &present(step))?;
                sgd_update(&w, &g, std::slice::from_ref(&state))?;
            }
            concat(&[&w, &state.m], 0)
        },
        move |x| {
            let (mut w, mut m) = (x[0].data.clone(), vec![0.0; n]);
            for step in 1..=3 {
                let g: Vec<f64> = x[1].data.iter().map(|g| g * step as f64).collect();
                let shrink = clipping(&g, hyper.clip);
                let present = present(step);
                for i in (0..n).filter(|&i| present[starts.partition_point(|&start| start <= i) - 1]) {
                    let g = g[i] * shrink + hyper.weight_decay * w[i];
                    m[i] = hyper.momentum * m[i] + g;
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
        case("clipped", 77, &[0], Sgd { clip: 0.5, ..momentum }, 1.0),
        case("of a scaled loss", 77, &[0], nesterov, 1024.0),
        case("in parts", 64 * 5 + 3, &[0, 64, 192], nesterov, 1.0),
    ];
    cases.extend([1, 3, 65, 4099, 70_003].map(|n| case("with all", n, &[0], nesterov, 1.0)));
    // a step whose gradients are no numbers changes nothing where the loss is scaled
    cases.push(
        Case::new(
            "sgd of a scaled loss, gradients that are no numbers",
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
