//! The training loop: one submission a step, losses and logits read back every few steps.

use super::config::{Experiment, Optimizer as Rule, Schedule};
use super::data::{Strips, batches};
use super::evaluate::logits;
use super::metrics::Metrics;
use super::run_folder::EpochLog;
use crate::autograd::grad;
use crate::error::{Error, Result};
use crate::explain::probabilities;
use crate::gpu::Gpu;
use crate::nn::{Exgnet, Mode, Optimizer, learning_rate};
use crate::ops::{self, DropoutState, Hyper};
use crate::tensor::{DType, Tensor};
use std::time::Instant;

/// Where a training stands, told after each step.
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
    fn step(&mut self, progress: &Progress);

    /// After each epoch.
    ///
    /// # Errors
    /// Whatever stops the training.
    fn epoch(&mut self, log: &EpochLog) -> Result<()>;
}

/// Everything a training works on.
pub struct Training<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// All settings.
    pub experiment: &'a Experiment,
    /// The strips.
    pub strips: &'a Strips,
    /// Class names.
    pub classes: &'a [String],
    /// Records that train.
    pub records: &'a [usize],
    /// Records whose metrics are computed after each epoch; may be none.
    pub validation: &'a [usize],
}

/// Losses and logits of the steps since the last read-back, on the device.
struct Journal {
    ring: Tensor,
    slot: usize,
    batches: Vec<Vec<usize>>,
}

impl Training<'_> {
    /// Weight of each class: `N / (K n_c)` of the training records, or 1.
    fn class_weights(&self) -> Vec<f32> {
        let k = self.classes.len();
        if !self.experiment.losses.class_weights {
            return vec![1.0; k];
        }
        let counts = self.class_counts();
        counts.iter().map(|&n| (self.records.len() as f64 / (k as f64 * n.max(1) as f64)) as f32).collect()
    }

    /// Training records of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.records.iter().for_each(|&r| counts[self.strips.label(r)] += 1);
        counts
    }

    /// Trains a new network.
    ///
    /// # Errors
    /// [`Error::Data`] when the loss is no longer a number; [`Error::Gpu`]; the observer's.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Exgnet> {
        let (gpu, t, seed) = (self.gpu, &self.experiment.train, self.experiment.train.seed);
        let k = self.classes.len();
        let net = Exgnet::new(gpu, &self.experiment.network, k, false, seed)?;
        let hyper = Hyper {
            lr: t.lr,
            betas: t.betas,
            weight_decay: t.weight_decay,
            decoupled: t.optimizer == Rule::AdamW,
            clip: t.clip,
            ..Hyper::default()
        };
        let mut optimizer = Optimizer::new(net.params(), hyper)?;
        let dropout = DropoutState::new(gpu, seed)?;
        let weights = Tensor::from_f32(gpu, &[k], &self.class_weights())?;
        let slot = 1 + (t.batch + 1) * k;
        let mut journal =
            Journal { ring: Tensor::empty(gpu, &[t.log_every * slot], DType::F32)?, slot, batches: Vec::new() };
        let per_epoch = batches(self.records, t.batch, seed, 0).len();
        let steps = per_epoch * t.epochs;
        let (mut step, mut loss) = (0, f64::NAN);
        for epoch in 0..t.epochs {
            let start = Instant::now();
            let mut seen = Seen::default();
            let mut lr = 0.0;
            for batch in batches(self.records, t.batch, seed, epoch) {
                lr = learning_rate(t.lr, step, steps, t.warmup, t.schedule == Schedule::Cosine);
                dropout.set(seed, step as u32)?;
                let (value, logits) = self.step(&net, &mut optimizer, &batch, &dropout, &weights, lr)?;
                journal.note(&value, &logits, batch);
                gpu.flush()?;
                step += 1;
                if journal.batches.len() == t.log_every || step % per_epoch == 0 {
                    loss = journal.read(self, k, &mut seen, step)?;
                }
                observer.step(&Progress { epoch: epoch + 1, step, steps, loss, lr });
            }
            let mut log = seen.log(self.classes, epoch + 1, step, lr)?;
            log.metrics.extend(self.validate(&net)?);
            log.seconds = start.elapsed().as_secs_f64();
            observer.epoch(&log)?;
        }
        Ok(net)
    }

    /// The validation records' metrics by name.
    fn validate(&self, net: &Exgnet) -> Result<Vec<(String, f64)>> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let rows = logits(self.gpu, net, self.strips, self.validation, self.experiment.train.batch)?;
        let truth: Vec<usize> = self.validation.iter().map(|&r| self.strips.label(r)).collect();
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| probabilities(row)).collect();
        named_metrics("validation", self.classes, &truth, &rows)
    }

    /// One optimiser step; returns loss and logits without waiting for them.
    fn step(
        &self,
        net: &Exgnet,
        optimizer: &mut Optimizer,
        batch: &[usize],
        dropout: &DropoutState,
        weights: &Tensor,
        lr: f64,
    ) -> Result<(Tensor, Tensor)> {
        let x = self.strips.batch(self.gpu, batch)?;
        let labels = self.strips.batch_labels(self.gpu, batch)?;
        let targets = ops::cross_entropy_targets(&labels, weights, self.experiment.losses.label_smoothing as f32)?;
        let out = net.forward(&x, &Mode::train(dropout))?;
        let loss = ops::cross_entropy(&out.logits, &targets)?;
        let params: Vec<&Tensor> = net.params().trainable().iter().map(|(_, p)| p).collect();
        let gradients = grad(&loss, &params, None, false)?;
        optimizer.step(net.params(), &gradients, lr)?;
        Ok((loss, out.logits))
    }
}

impl Journal {
    /// Copies a step's loss and logits into the ring, in the same submission.
    fn note(&mut self, loss: &Tensor, logits: &Tensor, batch: Vec<usize>) {
        let start = self.batches.len() * self.slot;
        self.ring.copy_from(start, loss);
        self.ring.copy_from(start + 1, logits);
        self.batches.push(batch);
    }

    /// Reads the ring; returns the mean loss of its steps.
    fn read(&mut self, training: &Training<'_>, k: usize, seen: &mut Seen, step: usize) -> Result<f64> {
        let values = self.ring.to_vec()?;
        let n = self.batches.len();
        let mut total = 0.0;
        for (i, batch) in self.batches.drain(..).enumerate() {
            let slot = &values[i * self.slot..(i + 1) * self.slot];
            let loss = f64::from(slot[0]);
            if !loss.is_finite() {
                return Err(Error::data(
                    "training",
                    format!("the loss (ce) is {loss} at step {} of {step} done", step - n + i + 1),
                    "lower the learning rate (--set train.lr=3e-4), keep clipping on (train.clip), check the data",
                ));
            }
            total += loss;
            for (logits, &record) in slot[1..].chunks(k).zip(&batch) {
                seen.truth.push(training.strips.label(record));
                seen.probabilities.push(probabilities(logits));
            }
            seen.losses.push(loss);
        }
        Ok(total / n as f64)
    }
}

/// What an epoch showed.
#[derive(Default)]
struct Seen {
    losses: Vec<f64>,
    truth: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
}

impl Seen {
    /// The epoch's line: mean loss, and the metrics of the training batches as the network saw them (train mode).
    fn log(&self, classes: &[String], epoch: usize, step: usize, lr: f64) -> Result<EpochLog> {
        let mean = self.losses.iter().sum::<f64>() / self.losses.len() as f64;
        Ok(EpochLog {
            epoch,
            step,
            lr,
            losses: vec![("ce".into(), mean)],
            metrics: named_metrics("train", classes, &self.truth, &self.probabilities)?,
            seconds: f64::NAN,
        })
    }
}

/// The metrics of a part of the data, named `part_accuracy` and so on.
fn named_metrics(part: &str, classes: &[String], truth: &[usize], rows: &[Vec<f64>]) -> Result<Vec<(String, f64)>> {
    let records: Vec<String> = (0..truth.len()).map(|i| format!("{part} record {i}")).collect();
    let metrics = Metrics::compute(classes, &records, truth, rows, None)?;
    Ok(metrics.scalars().into_iter().map(|(name, v)| (format!("{part}_{name}"), v)).collect())
}
