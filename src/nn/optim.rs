//! The optimiser over a network's parameters, and the learning rate's schedule.

use super::params::Params;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::lock;
use crate::ops::{AdamState, Hyper, adam_update, mul, slice, update_loss_scale};
use crate::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// Adam or AdamW over all parameters of a network. A parameter whose gradient is `None` in a step is not part of it: its
/// value and its moments stay, it does not count into the norm that gradients are clipped by, and its own count of steps,
/// which the moments are corrected by, stays too (as in PyTorch).
#[derive(Debug)]
pub struct Optimizer {
    hyper: Hyper,
    state: AdamState,
    grads: Tensor,
    step: u32,
    /// Also a recording's, which counts when it is replayed.
    counts: Arc<Mutex<Counts>>,
    /// The loss is multiplied with a factor that adapts itself.
    scaled: bool,
}

/// What changes from step to step.
#[derive(Debug)]
struct Counts {
    /// Rate of the step that has begun.
    lr: f64,
    /// Steps of each parameter.
    steps: Vec<u32>,
}

impl Optimizer {
    /// Before the first step; `hyper.lr` is the peak that [`learning_rate`] scales.
    pub fn new(params: &Params, hyper: Hyper) -> Result<Self> {
        let flat = params.flat();
        let counts = Counts { lr: hyper.lr, steps: vec![0; params.trainable().len()] };
        Ok(Self {
            hyper,
            state: AdamState::of_parts(flat.gpu(), flat.numel(), params.offsets())?,
            grads: Tensor::zeros(flat.gpu(), flat.shape())?,
            step: 0,
            counts: Arc::new(Mutex::new(counts)),
            scaled: false,
        })
    }

    /// Goes on after `step` steps with the moments that [`Optimizer::moments`] gave; [`Optimizer::with_counts`] where not
    /// every parameter was part of every step.
    pub fn resume(params: &Params, hyper: Hyper, moments: &[Vec<f32>; 2], step: u32) -> Result<Self> {
        let mut optimizer = Self::new(params, hyper)?;
        let flat = params.flat();
        if let Some(wrong) = moments.iter().find(|m| m.len() != flat.numel()) {
            return Err(Error::shape(
                "optimizer",
                format!("moments of {} values", wrong.len()),
                format!("{}", flat.numel()),
                "the checkpoint was made for another network",
            ));
        }
        optimizer.state.m = Tensor::from_f32(flat.gpu(), flat.shape(), &moments[0])?;
        optimizer.state.v = Tensor::from_f32(flat.gpu(), flat.shape(), &moments[1])?;
        optimizer.step = step;
        lock(&optimizer.counts).steps.fill(step);
        Ok(optimizer)
    }

    /// Steps of each of [`Params::trainable`]: those in which it had a gradient.
    pub fn counts(&self) -> Vec<u32> {
        lock(&self.counts).steps.clone()
    }

    /// Goes on with the counts that [`Optimizer::counts`] gave.
    pub fn with_counts(self, counts: &[u32]) -> Result<Self> {
        let own = lock(&self.counts).steps.len();
        if counts.len() != own {
            return Err(Error::shape(
                "optimizer",
                format!("counts of {} parameters", counts.len()),
                format!("{own}"),
                "the counts are those of another network",
            ));
        }
        lock(&self.counts).steps.copy_from_slice(counts);
        Ok(self)
    }

    /// First and second moment, laid out like [`Params::flat`].
    pub fn moments(&self) -> Result<[Vec<f32>; 2]> {
        Ok([self.state.m.to_vec()?, self.state.v.to_vec()?])
    }

    /// Scales the loss from here on ([`Optimizer::scale_loss`]), at first with the factor `scale[0]`, which has not changed for
    /// `scale[1]` steps.
    pub fn with_loss_scale(mut self, scale: [f32; 2]) -> Result<Self> {
        self.scaled = true;
        self.state.scale.overwrite(&scale)?;
        Ok(self)
    }

    /// `loss` `[1]` times the factor that [`Optimizer::update`] takes out of the gradients again.
    pub fn scale_loss(&self, loss: &Tensor) -> Result<Tensor> {
        if !self.scaled {
            return Ok(loss.clone());
        }
        mul(loss, &no_grad(|| slice(&self.state.scale, 0, 0, 1))?)
    }

    /// The loss scale and the steps since it changed, where the loss is scaled.
    pub fn loss_scale(&self) -> Result<Option<[f32; 2]>> {
        if !self.scaled {
            return Ok(None);
        }
        let values = self.state.scale.to_vec()?;
        Ok(Some([values[0], values[1]]))
    }

    /// Steps done.
    pub fn steps(&self) -> u32 {
        self.step
    }

    /// One step with the gradients of [`Params::trainable`], at rate `lr`. Parameters without one stay as they are.
    pub fn step(&mut self, params: &Params, gradients: &[Option<Tensor>], lr: f64) -> Result<()> {
        self.begin(lr)?;
        self.update(params, gradients)
    }

    /// Begins a step at rate `lr`, finite and at least 0, and counts it. The part of [`Optimizer::step`] that changes from step to step.
    pub fn begin(&mut self, lr: f64) -> Result<()> {
        if !(lr >= 0.0 && lr.is_finite()) {
            return Err(Error::config(
                format!("learning rate {lr}, expected a finite number of at least 0"),
                "1e-3 is usual; see train.lr and the schedule",
            ));
        }
        self.step += 1;
        lock(&self.counts).lr = lr;
        Ok(())
    }

    /// The part of [`Optimizer::step`] that can be recorded. In a recording the parameters' steps count when it is replayed.
    pub fn update(&self, params: &Params, gradients: &[Option<Tensor>]) -> Result<()> {
        params.gather(gradients, &self.grads)?;
        let (hyper, state, counts) = (self.hyper, self.state.clone(), self.counts.clone());
        let present: Vec<bool> = gradients.iter().map(Option::is_some).collect();
        params.flat().gpu().at_each_run(move || {
            let mut counts = lock(&counts);
            let steps = counts.steps.iter_mut().zip(&present);
            let steps = steps
                .map(|(step, &present)| {
                    if present {
                        *step += 1;
                        *step
                    } else {
                        0
                    }
                })
                .collect::<Vec<_>>();
            state.set_parts(&Hyper { lr: counts.lr, ..hyper }, &steps)
        })?;
        no_grad(|| {
            let norm2 = adam_update(params.flat(), &self.grads, &self.state)?;
            if self.scaled { update_loss_scale(&self.state.scale, &norm2) } else { Ok(()) }
        })
    }
}

/// Rate at `step` (from 0) of `total`: linear warm-up over the first `warmup` share of the steps, then, with `cosine`,
/// down to 0 along half a cosine.
pub fn learning_rate(peak: f64, step: usize, total: usize, warmup: f64, cosine: bool) -> f64 {
    let ramp = (warmup * total as f64).round().max(0.0);
    let at = step as f64;
    if at < ramp {
        return peak * (at + 1.0) / ramp;
    }
    if !cosine {
        return peak;
    }
    let progress = (at - ramp) / (total as f64 - ramp).max(1.0);
    peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_falls_to_nearly_nothing() {
        let rates: Vec<f64> = (0..200).map(|s| learning_rate(1e-3, s, 200, 0.03, true)).collect();
        assert!((rates[0] - 1e-3 / 6.0).abs() < 1e-12 && (rates[5] - 1e-3).abs() < 1e-12 && rates[6] == 1e-3);
        assert!(rates.windows(2).skip(6).all(|w| w[1] < w[0]) && rates[199] < 1e-6 && rates[199] > 0.0);
        assert_eq!(learning_rate(0.5, 77, 100, 0.0, false), 0.5);
    }
}
