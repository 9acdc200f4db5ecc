//! The training loop: one submission a step, losses and logits read back every few steps.

use super::augment::Augment;
use super::checkpoint::{Checkpoint, Selected};
use super::journal::{Journal, NO_NUMBER, RunningMetrics, named_metrics};
use super::losses::BatchTargets;
use super::sampler::Sampler;
use super::step::Stepper;
use super::targets::Targets;
use crate::error::{Error, Result};
use crate::eval::logits_by;
use crate::experiment::data::Strips;
use crate::experiment::{Experiment, Schedule};
use crate::explain::probabilities;
use crate::gpu::Gpu;
use crate::nn::params::{NamedTensor, Params};
use crate::nn::{Model, learning_rate};
use crate::run::folder::EpochLog;
use crate::tensor::Tensor;
use std::path::Path;
use std::time::Instant;

/// Where a training stands, reported after each step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// The last loss that was read back; NaN before the first.
    pub loss: f64,
    /// Learning rate of the step.
    pub lr: f64,
}

/// Somebody who watches a training.
pub trait Observer {
    /// After each step.
    fn step(&mut self, _progress: &Progress) {}

    /// After each epoch.
    fn epoch(&mut self, _log: &EpochLog) -> Result<()> {
        Ok(())
    }
}

/// Nobody.
impl Observer for () {}

/// When a training writes checkpoints, and when it is to stop.
pub struct Safety<'a> {
    /// The file.
    pub path: &'a Path,
    /// Asked after every step: true ends the training with a checkpoint.
    pub stop: &'a dyn Fn() -> bool,
}

/// How a training ended.
#[derive(Debug)]
pub enum Ended {
    /// With a trained network.
    Done {
        /// The network.
        net: Box<Model>,
        /// The epoch that it is of, from 1, see [`Select`](crate::experiment::Select).
        epoch: usize,
    },
    /// It was stopped, and wrote a checkpoint after n steps.
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
}

/// Everything a training works on.
pub struct Training<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// All settings.
    pub experiment: &'a Experiment,
    /// The strips.
    pub strips: &'a Strips,
    /// What they teach besides their classes.
    pub targets: &'a Targets<'a>,
    /// Class names.
    pub classes: &'a [String],
    /// Windows that train.
    pub records: &'a [usize],
    /// Deals them to the epochs.
    pub sampler: &'a Sampler,
    /// Records whose metrics are computed after each epoch; may be none.
    pub validation: &'a [usize],
    /// Look for the first operation with a non-finite output, see [`Stepper::trace`].
    pub trace: bool,
}

impl Training<'_> {
    /// Weight of each class: `N / (K n_c)` of the training records, or 1.
    fn class_weights(&self) -> Vec<f32> {
        let k = self.classes.len();
        if !self.experiment.losses.class_weights {
            return vec![1.0; k];
        }
        let mut counts = vec![0; k];
        self.records.iter().for_each(|&r| counts[self.strips.label(r)] += 1);
        counts.iter().map(|&n: &usize| (self.records.len() as f64 / (k as f64 * n.max(1) as f64)) as f32).collect()
    }

    /// Trains a new network, or resumes at a checkpoint: to the same bytes as without the interruption.
    ///
    /// # Errors
    /// [`Error::Data`] when the loss or a parameter is no longer finite; the observer's.
    pub fn run(&self, from: Option<Checkpoint>, safety: &Safety, observer: &mut dyn Observer) -> Result<Ended> {
        let (gpu, t) = (self.gpu, &self.experiment.train);
        let k = self.classes.len();
        let mut real = self.experiment.clone();
        real.train.batch = real.train.batch.min(self.records.len().max(1));
        super::batch_fit::check(gpu, &real, k, self.strips.len_of_strip())?;
        let mut stepper = Stepper::new(gpu, self.experiment, &self.class_weights(), from.as_ref())?;
        stepper.trace = self.trace;
        let augment = Augment::new(self.experiment);
        let mut journal = Journal::new(gpu, t.batch + 1, k, t.log_every)?;
        let per_epoch = self.sampler.batches(0).len();
        let steps = per_epoch * t.epochs;
        let (mut step, mut loss) = (from.as_ref().map_or(0, |c| c.step), f64::NAN);
        let (first, mut skip) = from.as_ref().map_or((0, 0), |c| (c.epoch, c.batch));
        let (mut seen, mut selected) = from.map_or_else(Default::default, |c| (c.seen, c.selected));
        let mut saved = (step, Instant::now());
        for epoch in first..t.epochs {
            let start = Instant::now();
            let mut lr = 0.0;
            for (i, batch) in self.sampler.batches(epoch).into_iter().enumerate().skip(skip) {
                lr = learning_rate(t.lr, step, steps, t.warmup, t.schedule == Schedule::Cosine);
                let (x, targets) = self.batch(&batch, epoch, augment.as_ref(), &stepper.class_weights)?;
                let (terms, logits) = stepper.step(&x, &targets, lr)?;
                journal.note(&terms, &logits, batch)?;
                gpu.flush()?;
                step += 1;
                if journal.len() == t.log_every || i + 1 == per_epoch {
                    loss = journal.read(self.strips, &mut seen, step)?;
                }
                observer.step(&Progress { epoch: epoch + 1, step, steps, loss, lr });
                let stop = (safety.stop)() && step < steps;
                let due = t.checkpoint_steps > 0 && step - saved.0 >= t.checkpoint_steps
                    || t.checkpoint_minutes > 0.0 && saved.1.elapsed().as_secs_f64() > 60.0 * t.checkpoint_minutes;
                // the end of an epoch has its own place below, after its line was written
                if (stop || due) && i + 1 < per_epoch {
                    if journal.len() > 0 {
                        loss = journal.read(self.strips, &mut seen, step)?;
                    }
                    self.save(safety.path, &stepper, (epoch, i + 1, step), (&seen, &selected))?;
                    saved = (step, Instant::now());
                    if stop {
                        return Ok(Ended::Stopped { step, steps });
                    }
                }
            }
            skip = 0;
            let mut log = std::mem::take(&mut seen).log(self.classes, epoch + 1, step, lr)?;
            log.metrics.extend(self.validate(&mut stepper)?);
            log.metrics
                .extend(stepper.optimizer.loss_scale()?.map(|[scale, _]| ("loss_scale".into(), f64::from(scale))));
            log.seconds = start.elapsed().as_secs_f64();
            observer.epoch(&log)?;
            Selected::consider(&mut selected, t.select, (&log, t.epochs), &stepper.net)?;
            let stop = (safety.stop)() && step < steps;
            if stop || t.checkpoint_steps > 0 && step - saved.0 >= t.checkpoint_steps {
                self.save(safety.path, &stepper, (epoch + 1, 0, step), (&seen, &selected))?;
                saved = (step, Instant::now());
                if stop {
                    return Ok(Ended::Stopped { step, steps });
                }
            }
        }
        let (net, epoch) = match selected {
            Some(selected) => (selected.network(gpu, &stepper.net)?, selected.epoch),
            None => (stepper.net, t.epochs),
        };
        sound(net.params(), step)?;
        Ok(Ended::Done { net: Box::new(net), epoch })
    }

    /// The strips of a batch, changed by `augment`, and what they teach.
    fn batch(
        &self,
        records: &[usize],
        epoch: usize,
        augment: Option<&Augment>,
        class_weights: &Tensor,
    ) -> Result<(Tensor, BatchTargets)> {
        let smoothing = self.experiment.losses.label_smoothing;
        let mut shifts = Vec::with_capacity(records.len());
        let x = self.strips.batch_with(self.gpu, records, |record, strip| {
            shifts.push(augment.map_or(0, |a| a.apply(strip, epoch, record)));
        })?;
        let targets = self.targets.batch(self.gpu, self.strips, (records, &shifts), class_weights, smoothing)?;
        Ok((x, targets))
    }

    /// Writes a checkpoint: `(epoch, batch, step)` is what comes next. A network that is no longer sound never takes the place
    /// of an earlier one.
    fn save(
        &self,
        path: &Path,
        stepper: &Stepper,
        (epoch, batch, step): (usize, usize, usize),
        (seen, selected): (&RunningMetrics, &Option<Selected>),
    ) -> Result<()> {
        let checkpoint = Checkpoint {
            experiment: self.experiment.to_toml(),
            epoch,
            batch,
            step,
            values: sound(stepper.net.params(), step)?,
            moments: stepper.optimizer.moments()?,
            loss_scale: stepper.optimizer.loss_scale()?,
            seen: seen.clone(),
            selected: selected.clone(),
        };
        checkpoint.write(path)
    }

    /// The validation records' metrics by name.
    fn validate(&self, stepper: &mut Stepper) -> Result<Vec<(String, f64)>> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let batch = self.experiment.train.batch;
        let rows = logits_by(self.gpu, self.strips, self.validation, batch, |x| stepper.infer(x))?;
        let truth: Vec<usize> = self.validation.iter().map(|&r| self.strips.label(r)).collect();
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| probabilities(row)).collect();
        named_metrics("validation", self.classes, &truth, &rows)
    }
}

/// The values of a network after `step` steps, all of them finite. A loss is that of the network before the step, which may
/// have spoilt it unseen.
fn sound(params: &Params, step: usize) -> Result<Vec<NamedTensor>> {
    let values = params.read()?;
    match values.iter().find(|(_, _, v)| v.iter().any(|v| !v.is_finite())) {
        None => Ok(values),
        Some((name, ..)) => {
            Err(Error::data("training", format!("'{name}' holds NaN or infinity after step {step}"), NO_NUMBER))
        }
    }
}
