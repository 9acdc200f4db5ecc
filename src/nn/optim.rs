//! The optimiser over a network's parameters, and the learning rate's schedule.

use super::groups::{Group, Grouped};
use super::params::Params;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::lock;
use crate::ops::adam::adam_groups;
use crate::ops::sgd::sgd_update;
use crate::ops::{AdamState, Hyper, Sgd, SgdState, mul, slice, update_loss_scale};
use crate::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// Adam, AdamW or SGD over all parameters of a network. A parameter whose gradient is `None` in a step, or that is
/// [frozen](Params::freeze), is not part of it: its value and its moments stay, it does not count into the norm that gradients
/// are clipped by, and its own count of steps, which Adam's moments are corrected by, stays too (as in PyTorch).
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1);
/// let (body, head) = (p.linear("body", 2, 8), p.linear("head", 8, 1));
/// let params = p.init(&gpu)?;
/// // no decay of biases and normalisation, ten times the rate in the head, the body's bias stays as it is
/// let mut sgd = Optimizer::sgd(&params, Sgd { nesterov: true, weight_decay: 1e-4, ..Sgd::default() })?
///     .with_decay_of_weights_only(&params)?
///     .with_group(&params, "head.*", Group { lr_factor: Some(10.0), ..Group::default() })?;
/// params.freeze("body.bias")?;
///
/// let x = Tensor::full(&gpu, &[4, 2], 1.0)?;
/// let before = params.get("body.bias")?.to_vec()?;
/// for _ in 0..3 {
///     let y = head.forward(&ops::relu(&body.forward(&x)?)?)?;
///     let loss = ops::mean(&ops::square(&y)?, &[0, 1])?;
///     sgd.step(&params, &params.gradients(&loss)?, 1e-2)?;
/// }
/// assert_eq!(params.get("body.bias")?.to_vec()?, before);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Optimizer {
    pub(super) rule: Rule,
    grads: Tensor,
    step: u32,
    /// Also a recording's, which counts when it is replayed.
    counts: Arc<Mutex<Counts>>,
    /// The loss is multiplied with a factor that adapts itself.
    scaled: bool,
    groups: Grouped,
}

/// What changes from step to step.
#[derive(Debug)]
struct Counts {
    /// Rate of the step that has begun.
    lr: f64,
    /// Steps of each parameter.
    steps: Vec<u32>,
}

/// How parameters follow from gradients; a state for each group, all with the same moments.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Adam(Hyper, Vec<AdamState>),
    Sgd(Sgd, Vec<SgdState>),
}

impl Rule {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Adam(..) => "adam",
            Self::Sgd(..) => "sgd",
        }
    }

    /// Moments by name, laid out like [`Params::flat`].
    pub(super) fn moments(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            Self::Adam(_, states) => vec![("m", &states[0].m), ("v", &states[0].v)],
            Self::Sgd(_, states) => vec![("m", &states[0].m)],
        }
    }

    fn scale(&self) -> &Tensor {
        match self {
            Self::Adam(_, states) => &states[0].scale,
            Self::Sgd(_, states) => &states[0].scale,
        }
    }

    pub(super) fn weight_decay(&self) -> f64 {
        match self {
            Self::Adam(hyper, _) => hyper.weight_decay,
            Self::Sgd(hyper, _) => hyper.weight_decay,
        }
    }

    /// With a state for each of `n` groups.
    fn in_groups(mut self, n: usize) -> Result<Self> {
        match &mut self {
            Self::Adam(_, states) => {
                states.truncate(1);
                (1..n).try_for_each(|_| states[0].another().map(|state| states.push(state)))?;
            }
            Self::Sgd(_, states) => {
                states.truncate(1);
                (1..n).try_for_each(|_| states[0].another().map(|state| states.push(state)))?;
            }
        }
        Ok(self)
    }

    /// Puts a group's settings of a step on the device; parameters at step 0 are not part of it.
    fn set(&self, group: usize, lr: f64, weight_decay: f64, steps: &[u32]) -> Result<()> {
        match self {
            Self::Adam(hyper, states) => states[group].set_parts(&Hyper { lr, weight_decay, ..*hyper }, steps),
            Self::Sgd(hyper, states) => states[group].set_parts(&Sgd { lr, weight_decay, ..*hyper }, steps),
        }
    }

    fn update(&self, weights: &Tensor, grads: &Tensor) -> Result<Tensor> {
        match self {
            Self::Adam(_, states) => adam_groups(weights, grads, states),
            Self::Sgd(_, states) => sgd_update(weights, grads, states),
        }
    }
}

impl Optimizer {
    /// Adam, or AdamW, before the first step; `hyper.lr` is the peak that [`learning_rate`] scales.
    pub fn new(params: &Params, hyper: Hyper) -> Result<Self> {
        let flat = params.flat();
        let state = AdamState::of_parts(flat.gpu(), flat.numel(), params.offsets())?;
        Self::of(params, hyper.lr, Rule::Adam(hyper, vec![state]))
    }

    /// SGD with momentum, before the first step.
    ///
    /// # Errors
    /// [`Error::Config`] for dampening that is not in \[0, 1\], or is there with Nesterov's momentum.
    pub fn sgd(params: &Params, hyper: Sgd) -> Result<Self> {
        hyper.check()?;
        let flat = params.flat();
        let state = SgdState::of_parts(flat.gpu(), flat.numel(), params.offsets())?;
        Self::of(params, hyper.lr, Rule::Sgd(hyper, vec![state]))
    }

    fn of(params: &Params, lr: f64, rule: Rule) -> Result<Self> {
        let (flat, n) = (params.flat(), params.trainable().len());
        Ok(Self {
            groups: Grouped::one(n, rule.weight_decay()),
            rule,
            grads: Tensor::zeros(flat.gpu(), flat.shape())?,
            step: 0,
            counts: Arc::new(Mutex::new(Counts { lr, steps: vec![0; n] })),
            scaled: false,
        })
    }

    /// With a learning rate or weight decay of their own for the parameters of a pattern ([`Params::matching`]). Of two groups
    /// that have a parameter in common the later one holds, in what it sets.
    pub fn with_group(self, params: &Params, pattern: &str, group: Group) -> Result<Self> {
        let members = params.matching(pattern)?;
        self.grouped(members, group)
    }

    /// With weight decay for matrices and kernels only: none for what has one dimension, biases and normalisation.
    pub fn with_decay_of_weights_only(self, params: &Params) -> Result<Self> {
        let vectors = params.trainable().iter().enumerate().filter(|(_, (_, t))| t.rank() < 2);
        let vectors = vectors.map(|(i, _)| i).collect();
        self.grouped(vectors, Group { weight_decay: Some(0.0), ..Group::default() })
    }

    fn grouped(mut self, members: Vec<usize>, group: Group) -> Result<Self> {
        self.groups = self.groups.with(&members, group)?;
        self.rule = self.rule.in_groups(self.groups.len())?;
        Ok(self)
    }

    /// Resumes after `step` steps of Adam with the moments that [`Optimizer::moments`] gave; [`Optimizer::with_counts`] where
    /// not every parameter was part of every step. [`Optimizer::load`] reads all of it from a file.
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
        for ((_, tensor), values) in optimizer.rule.moments().into_iter().zip(moments) {
            tensor.overwrite(values)?;
        }
        optimizer.set_steps(step);
        lock(&optimizer.counts).steps.fill(step);
        Ok(optimizer)
    }

    pub(super) fn set_steps(&mut self, step: u32) {
        self.step = step;
    }

    /// Steps of each of [`Params::trainable`]: those in which it had a gradient.
    pub fn counts(&self) -> Vec<u32> {
        lock(&self.counts).steps.clone()
    }

    /// Resumes with the counts that [`Optimizer::counts`] gave.
    pub fn with_counts(self, counts: &[u32]) -> Result<Self> {
        self.set_counts(counts)?;
        Ok(self)
    }

    pub(super) fn set_counts(&self, counts: &[u32]) -> Result<()> {
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
        Ok(())
    }

    /// First and second moment, laid out like [`Params::flat`]; SGD has no second one.
    pub fn moments(&self) -> Result<[Vec<f32>; 2]> {
        let mut all = [Vec::new(), Vec::new()];
        for ((_, tensor), values) in self.rule.moments().into_iter().zip(&mut all) {
            *values = tensor.to_vec()?;
        }
        Ok(all)
    }

    /// Scales the loss from here on ([`Optimizer::scale_loss`]), at first with the factor `scale[0]`, which has not changed for
    /// `scale[1]` steps.
    pub fn with_loss_scale(mut self, scale: [f32; 2]) -> Result<Self> {
        self.scaled = true;
        self.set_loss_scale(scale)?;
        Ok(self)
    }

    pub(super) fn set_loss_scale(&self, scale: [f32; 2]) -> Result<()> {
        self.rule.scale().overwrite(&scale)
    }

    /// `loss` `[1]` times the factor that [`Optimizer::update`] takes out of the gradients again.
    pub fn scale_loss(&self, loss: &Tensor) -> Result<Tensor> {
        if !self.scaled {
            return Ok(loss.clone());
        }
        mul(loss, &no_grad(|| slice(self.rule.scale(), 0, 0, 1))?)
    }

    /// The loss scale and the steps since it changed, where the loss is scaled.
    pub fn loss_scale(&self) -> Result<Option<[f32; 2]>> {
        if !self.scaled {
            return Ok(None);
        }
        let values = self.rule.scale().to_vec()?;
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

    /// Begins a step at rate `lr`, finite and at least 0, and counts it. The part of [`Optimizer::step`] that changes from step
    /// to step: of a recorded one ([`crate::gpu::Capture`]) it is done before each replay.
    ///
    /// # Errors
    /// [`Error::Gpu`] inside of a recording, whose replays would not count.
    pub fn begin(&mut self, lr: f64) -> Result<()> {
        let hint = "call Optimizer::begin before each replay, and record Optimizer::update alone";
        self.grads.gpu().refuse_recording("the beginning of an optimiser's step", hint)?;
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

    /// The part of [`Optimizer::step`] that can be recorded. In a recording the parameters' steps count when it is replayed, and
    /// those are frozen that are so now.
    pub fn update(&self, params: &Params, gradients: &[Option<Tensor>]) -> Result<()> {
        let free = |(i, g): (usize, &Option<Tensor>)| {
            g.clone().filter(|_| i >= params.trainable().len() || !params.is_frozen(i))
        };
        let gradients: Vec<Option<Tensor>> = gradients.iter().enumerate().map(free).collect();
        params.gather(&gradients, &self.grads)?;
        let (rule, groups, counts) = (self.rule.clone(), self.groups.clone(), self.counts.clone());
        let present: Vec<bool> = gradients.iter().map(Option::is_some).collect();
        params.flat().gpu().at_each_run(move || {
            let mut counts = lock(&counts);
            let lr = counts.lr;
            let mut step = |(step, &present): (&mut u32, &bool)| {
                *step += u32::from(present);
                if present { *step } else { 0 }
            };
            let steps: Vec<u32> = counts.steps.iter_mut().zip(&present).map(&mut step).collect();
            groups.each(&steps, |group, settings, steps| {
                rule.set(group, lr * settings.lr_factor, settings.weight_decay, steps)
            })
        })?;
        no_grad(|| {
            let norm2 = self.rule.update(params.flat(), &self.grads)?;
            if self.scaled { update_loss_scale(self.rule.scale(), &norm2) } else { Ok(()) }
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
