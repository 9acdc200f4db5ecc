//! The training loop: one submission a step, losses and logits read back every few steps.

use super::checkpoint::Checkpoint;
use super::config::{Experiment, Optimizer as Rule, Schedule};
use super::data::{Strips, batches};
use super::evaluate::logits;
use super::losses::{LossWeights, Terms, losses};
use super::metrics::Metrics;
use super::run_folder::EpochLog;
use super::targets::Targets;
use crate::autograd::{grad, no_grad};
use crate::error::{Error, Result};
use crate::explain::probabilities;
use crate::gpu::Gpu;
use crate::nn::{Exgnet, Mode, Optimizer, learning_rate};
use crate::ops::{self, DropoutState, Hyper};
use crate::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
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
    Done(Box<Exgnet>),
    /// It was told to stop, and wrote a checkpoint after so many steps.
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
    pub targets: &'a Targets,
    /// Class names.
    pub classes: &'a [String],
    /// Records that train.
    pub records: &'a [usize],
    /// Records whose metrics are computed after each epoch; may be none.
    pub validation: &'a [usize],
}

/// Names of the terms in the order of the journal.
const TERMS: [&str; 5] = ["ce", "joint", "feature", "xai", "total"];

/// Losses, maps and logits of the steps since the last read-back, on the device. A slot holds the terms, the sum of each
/// record's map, and each record's logits.
struct Journal {
    ring: Tensor,
    slot: usize,
    /// Records that fit into a slot.
    room: usize,
    notes: Vec<Note>,
}

/// What a step left in its slot.
struct Note {
    batch: Vec<usize>,
    terms: [bool; TERMS.len()],
    maps: bool,
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

    /// Trains a new network, or goes on from a checkpoint: to the same bytes as without the interruption.
    ///
    /// # Errors
    /// [`Error::Data`] when the loss is no longer a number; [`Error::Gpu`]; [`Error::File`] for a checkpoint that cannot
    /// be written; the observer's.
    pub fn run(&self, from: Option<Checkpoint>, safety: &Safety, observer: &mut dyn Observer) -> Result<Ended> {
        let (gpu, t, seed) = (self.gpu, &self.experiment.train, self.experiment.train.seed);
        let k = self.classes.len();
        let weights = self.experiment.losses.weights(self.experiment.network.widths.len())?;
        let values = from.iter().flat_map(|c| &c.values).map(|(name, _, v)| (name.clone(), v.clone())).collect();
        let network = &self.experiment.network;
        let net = Exgnet::with_values(gpu, network, k, weights.train_only(), seed, &values)?;
        let hyper = Hyper {
            lr: t.lr,
            betas: t.betas,
            weight_decay: t.weight_decay,
            decoupled: t.optimizer == Rule::AdamW,
            clip: t.clip,
            ..Hyper::default()
        };
        let mut optimizer = match &from {
            Some(c) => Optimizer::resume(net.params(), hyper, &c.moments, c.step as u32)?,
            None => Optimizer::new(net.params(), hyper)?,
        };
        let dropout = DropoutState::new(gpu, seed)?;
        let class_weights = Tensor::from_f32(gpu, &[k], &self.class_weights())?;
        let mut journal = Journal::new(gpu, t.batch + 1, k, t.log_every)?;
        let per_epoch = batches(self.records, t.batch, seed, 0).len();
        let steps = per_epoch * t.epochs;
        let (mut step, mut loss) = (from.as_ref().map_or(0, |c| c.step), f64::NAN);
        let (first, mut skip) = from.as_ref().map_or((0, 0), |c| (c.epoch, c.batch));
        let mut seen = from.map_or_else(Seen::default, |c| c.seen);
        let mut saved = (step, Instant::now());
        for epoch in first..t.epochs {
            let start = Instant::now();
            let mut lr = 0.0;
            for (i, batch) in batches(self.records, t.batch, seed, epoch).into_iter().enumerate().skip(skip) {
                lr = learning_rate(t.lr, step, steps, t.warmup, t.schedule == Schedule::Cosine);
                dropout.set(seed, step as u32)?;
                let (terms, logits) =
                    self.step(&net, &mut optimizer, &batch, &dropout, (&weights, &class_weights), lr)?;
                journal.note(&terms, &logits, batch)?;
                gpu.flush()?;
                step += 1;
                if journal.notes.len() == t.log_every || i + 1 == per_epoch {
                    loss = journal.read(self, k, &mut seen, step)?;
                }
                observer.step(&Progress { epoch: epoch + 1, step, steps, loss, lr });
                let stop = (safety.stop)() && step < steps;
                let due = t.checkpoint_steps > 0 && step - saved.0 >= t.checkpoint_steps
                    || t.checkpoint_minutes > 0.0 && saved.1.elapsed().as_secs_f64() > 60.0 * t.checkpoint_minutes;
                // the end of an epoch has its own place below, after its line was written
                if (stop || due) && i + 1 < per_epoch {
                    if !journal.notes.is_empty() {
                        loss = journal.read(self, k, &mut seen, step)?;
                    }
                    self.save(safety.path, &net, &optimizer, (epoch, i + 1, step), &seen)?;
                    saved = (step, Instant::now());
                    if stop {
                        return Ok(Ended::Stopped { step, steps });
                    }
                }
            }
            skip = 0;
            let mut log = std::mem::take(&mut seen).log(self.classes, epoch + 1, step, lr)?;
            log.metrics.extend(self.validate(&net)?);
            log.seconds = start.elapsed().as_secs_f64();
            observer.epoch(&log)?;
            let stop = (safety.stop)() && step < steps;
            if stop || t.checkpoint_steps > 0 && step - saved.0 >= t.checkpoint_steps {
                self.save(safety.path, &net, &optimizer, (epoch + 1, 0, step), &seen)?;
                saved = (step, Instant::now());
                if stop {
                    return Ok(Ended::Stopped { step, steps });
                }
            }
        }
        Ok(Ended::Done(Box::new(net)))
    }

    /// Writes a checkpoint: `(epoch, batch, step)` is what comes next.
    fn save(
        &self,
        path: &Path,
        net: &Exgnet,
        optimizer: &Optimizer,
        (epoch, batch, step): (usize, usize, usize),
        seen: &Seen,
    ) -> Result<()> {
        let checkpoint = Checkpoint {
            experiment: self.experiment.to_toml(),
            epoch,
            batch,
            step,
            values: net.params().read()?,
            moments: optimizer.moments()?,
            seen: seen.clone(),
        };
        checkpoint.write(path)
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

    /// One optimiser step; returns the loss's terms and the logits without waiting for them.
    fn step(
        &self,
        net: &Exgnet,
        optimizer: &mut Optimizer,
        batch: &[usize],
        dropout: &DropoutState,
        (weights, class_weights): (&LossWeights, &Tensor),
        lr: f64,
    ) -> Result<(Terms, Tensor)> {
        let x = self.strips.batch(self.gpu, batch)?;
        let smoothing = self.experiment.losses.label_smoothing;
        let targets = self.targets.batch(self.gpu, self.strips, batch, class_weights, smoothing)?;
        let mode = Mode::train(dropout);
        let out = net.forward(&x, &mode)?;
        let terms = losses(net, &out, &targets, weights, &mode)?;
        let params: Vec<&Tensor> = net.params().trainable().iter().map(|(_, p)| p).collect();
        let gradients = grad(&terms.total, &params, None, false)?;
        optimizer.step(net.params(), &gradients, lr)?;
        Ok((terms, out.logits))
    }
}

impl Journal {
    fn new(gpu: &Gpu, room: usize, k: usize, steps: usize) -> Result<Self> {
        let slot = TERMS.len() + room + room * k;
        Ok(Self { ring: Tensor::empty(gpu, &[steps * slot], DType::F32)?, slot, room, notes: Vec::new() })
    }

    /// Copies what a step showed into the ring, in the same submission.
    fn note(&mut self, terms: &Terms, logits: &Tensor, batch: Vec<usize>) -> Result<()> {
        let start = self.notes.len() * self.slot;
        let mut there = [false; TERMS.len()];
        for (name, value) in terms.named() {
            let place = TERMS.iter().position(|t| *t == name).expect("every term has a place");
            self.ring.copy_from(start + place, value);
            there[place] = true;
        }
        if let Some(map) = &terms.map {
            let sums = no_grad(|| ops::sum(map, &[1]))?;
            self.ring.copy_from(start + TERMS.len(), &sums);
        }
        self.ring.copy_from(start + TERMS.len() + self.room, logits);
        self.notes.push(Note { batch, terms: there, maps: terms.map.is_some() });
        Ok(())
    }

    /// Reads the ring; returns the mean loss of its steps.
    fn read(&mut self, training: &Training<'_>, k: usize, seen: &mut Seen, step: usize) -> Result<f64> {
        let values = self.ring.to_vec()?;
        let n = self.notes.len();
        let mut total = 0.0;
        for (i, note) in self.notes.drain(..).enumerate() {
            let slot = &values[i * self.slot..(i + 1) * self.slot];
            for (place, name) in TERMS.iter().enumerate().filter(|(place, _)| note.terms[*place]) {
                let value = f64::from(slot[place]);
                if !value.is_finite() {
                    return Err(Error::data(
                        "training",
                        format!("the loss ({name}) is {value} at step {} of {step} done", step - n + i + 1),
                        "lower the learning rate (--set train.lr=3e-4), keep clipping on (train.clip), check the data",
                    ));
                }
                seen.losses[place].push(value);
            }
            total += f64::from(slot[TERMS.len() - 1]);
            if note.maps {
                let sums = &slot[TERMS.len()..TERMS.len() + note.batch.len()];
                seen.maps += sums.len();
                seen.dead += sums.iter().filter(|v| **v == 0.0).count();
            }
            let logits = &slot[TERMS.len() + self.room..];
            for (logits, &record) in logits.chunks(k).zip(&note.batch) {
                seen.truth.push(training.strips.label(record));
                seen.probabilities.push(probabilities(logits));
            }
        }
        Ok(total / n as f64)
    }
}

/// What an epoch showed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Values of each of [`TERMS`].
    losses: [Vec<f64>; TERMS.len()],
    /// Guided maps, and how many of them were dead (all zero).
    maps: usize,
    dead: usize,
    truth: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
}

impl Seen {
    /// The epoch's line: means of the losses, and the metrics of the training batches as the network saw them (train
    /// mode).
    fn log(&self, classes: &[String], epoch: usize, step: usize, lr: f64) -> Result<EpochLog> {
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let terms = TERMS.iter().zip(&self.losses).filter(|(_, values)| !values.is_empty());
        let mut metrics = named_metrics("train", classes, &self.truth, &self.probabilities)?;
        if self.maps > 0 {
            metrics.push(("train_dead_maps".into(), self.dead as f64 / self.maps as f64));
        }
        Ok(EpochLog {
            epoch,
            step,
            lr,
            losses: terms.map(|(name, values)| ((*name).to_string(), mean(values))).collect(),
            metrics,
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
