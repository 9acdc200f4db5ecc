//! What the steps of an epoch showed: losses, maps and logits, kept on the device until every few steps they are read.

use super::losses::Terms;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::experiment::LossConfig;
use crate::experiment::data::Strips;
use crate::explain::probabilities;
use crate::gpu::Gpu;
use crate::ops;
use crate::run::folder::EpochLog;
use crate::run::metrics::Metrics;
use crate::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to do about a loss or a parameter that is not finite.
pub(super) const NO_NUMBER: &str = "--trace-nan finds the operation it comes from; lower the learning rate (--set train.lr=3e-4), \
                                    keep clipping on (train.clip), check the data";

/// Losses, maps and logits of the steps since the last read-back, on the device. A slot holds the terms, the sum of each
/// record's map, and each record's logits.
pub(super) struct Journal {
    ring: Tensor,
    /// Names of all terms, the sum last.
    terms: Vec<&'static str>,
    classes: usize,
    slot: usize,
    /// Records that fit into a slot.
    capacity: usize,
    notes: Vec<Entry>,
}

/// What a step left in its slot.
struct Entry {
    batch: Vec<usize>,
    terms: Vec<bool>,
    maps: bool,
}

impl Journal {
    /// For `steps` steps of up to `capacity` records and `k` classes between two readings.
    pub(super) fn new(gpu: &Gpu, capacity: usize, k: usize, steps: usize) -> Result<Self> {
        let terms = LossConfig::terms();
        let slot = terms.len() + capacity + capacity * k;
        let ring = Tensor::empty(gpu, &[steps * slot], DType::F32)?;
        Ok(Self { ring, terms, classes: k, slot, capacity, notes: Vec::new() })
    }

    /// Steps that wait to be read.
    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    /// Copies what a step showed into the ring, in the same submission.
    pub(super) fn note(&mut self, terms: &Terms, logits: &Tensor, batch: Vec<usize>) -> Result<()> {
        let start = self.notes.len() * self.slot;
        let mut there = vec![false; self.terms.len()];
        for (name, value) in terms.named() {
            let place = self.terms.iter().position(|t| *t == name).expect("every term has a place");
            self.ring.copy_from(start + place, value)?;
            there[place] = true;
        }
        if let Some(map) = &terms.map {
            let sums = no_grad(|| ops::sum(map, &[1]))?;
            self.ring.copy_from(start + self.terms.len(), &sums)?;
        }
        self.ring.copy_from(start + self.terms.len() + self.capacity, logits)?;
        self.notes.push(Entry { batch, terms: there, maps: terms.map.is_some() });
        Ok(())
    }

    /// Reads the ring, after `step` steps in all; returns the mean loss of those in it.
    pub(super) fn read(&mut self, strips: &Strips, seen: &mut RunningMetrics, step: usize) -> Result<f64> {
        let values = self.ring.to_vec()?;
        let (n, terms) = (self.notes.len(), self.terms.len());
        let mut total = 0.0;
        for (i, note) in self.notes.drain(..).enumerate() {
            let slot = &values[i * self.slot..(i + 1) * self.slot];
            for (place, name) in self.terms.iter().enumerate().filter(|(place, _)| note.terms[*place]) {
                let value = f64::from(slot[place]);
                if !value.is_finite() {
                    return Err(Error::data(
                        "training",
                        format!("the loss ({name}) is {value} at step {} of {step} done", step - n + i + 1),
                        NO_NUMBER,
                    ));
                }
                seen.losses.entry((*name).to_owned()).or_default().push(value);
            }
            total += f64::from(slot[terms - 1]);
            if note.maps {
                let sums = &slot[terms..terms + note.batch.len()];
                seen.maps += sums.len();
                seen.dead += sums.iter().filter(|v| **v == 0.0).count();
            }
            let logits = &slot[terms + self.capacity..];
            for (logits, &record) in logits.chunks(self.classes).zip(&note.batch) {
                seen.truth.push(strips.label(record));
                seen.probabilities.push(probabilities(logits));
            }
        }
        Ok(total / n as f64)
    }
}

/// Running metrics of an epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct RunningMetrics {
    /// Values of each term, by its name.
    losses: BTreeMap<String, Vec<f64>>,
    /// Guided maps, and how many of them were dead (all zero).
    maps: usize,
    dead: usize,
    truth: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
}

impl RunningMetrics {
    /// The epoch's line: means of the losses, and the metrics of the training batches as the network saw them (train
    /// mode).
    pub(super) fn log(&self, classes: &[String], epoch: usize, step: usize, lr: f64) -> Result<EpochLog> {
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let terms = LossConfig::terms().into_iter().filter_map(|name| Some((name, self.losses.get(name)?)));
        let mut metrics = named_metrics("train", classes, &self.truth, &self.probabilities)?;
        if self.maps > 0 {
            metrics.push(("train_dead_maps".into(), self.dead as f64 / self.maps as f64));
        }
        Ok(EpochLog {
            epoch,
            step,
            lr,
            losses: terms.map(|(name, values)| (name.to_owned(), mean(values))).collect(),
            metrics,
            seconds: f64::NAN,
        })
    }
}

/// The metrics of a part of the data, named `part_accuracy` and so on.
pub(super) fn named_metrics(
    part: &str,
    classes: &[String],
    truth: &[usize],
    rows: &[Vec<f64>],
) -> Result<Vec<(String, f64)>> {
    let records: Vec<String> = (0..truth.len()).map(|i| format!("{part} record {i}")).collect();
    let metrics = Metrics::compute(classes, &records, truth, rows, None)?;
    Ok(metrics.scalars().into_iter().map(|(name, v)| (format!("{part}_{name}"), v)).collect())
}
