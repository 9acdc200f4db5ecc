//! Where a training stands, in a file: from it the training resumes to the same bytes as one that was never interrupted.
//!
//! A `safetensors` file: every parameter and running estimate under its name, `adam.m` and `adam.v`, and in the metadata
//! the counters, the experiment, and what the current epoch has shown so far; where [`Select`] is not the last network
//! also the selected one's values, as `best.NAME`. The order of the records, augmentation and the dropout masks need no state: they
//! depend on seed, epoch, record and step alone.

use super::journal::RunningMetrics;
use crate::error::{Error, Result};
use crate::experiment::Select;
use crate::files::{Safetensors, write_atomically};
use crate::gpu::Gpu;
use crate::nn::Model;
use crate::nn::model_file::safetensors_bytes;
use crate::nn::params::NamedTensor;
use crate::run::folder::EpochLog;
use std::collections::HashMap;
use std::path::Path;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-checkpoint-1";
const MOMENTS: [&str; 2] = ["adam.m", "adam.v"];
const LOSS_SCALE: &str = "adam.loss_scale";
/// Before the names of the selected values.
const BEST: &str = "best.";

/// The network that a training would give if it ended now, where that is not the last one, see [`Select`].
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Epoch, from 1; the last one of a mean.
    pub epoch: usize,
    /// Macro-F1 on the validation records, where the best is selected.
    pub score: Option<f64>,
    /// Its parameters and running estimates.
    pub values: Vec<NamedTensor>,
}

impl Selected {
    /// Takes the network `net` that epoch `log.epoch` of `epochs` ended with into account.
    pub(super) fn consider(
        selected: &mut Option<Self>,
        select: Select,
        (log, epochs): (&EpochLog, usize),
        net: &Model,
    ) -> Result<()> {
        let epoch = log.epoch;
        match select {
            Select::Final => {}
            Select::Best => {
                let score =
                    log.metrics.iter().find(|(name, _)| name == "validation_macro_f1").map_or(f64::NAN, |m| m.1);
                // the first of equals stays
                if selected.as_ref().and_then(|best| best.score).is_none_or(|best| score > best) {
                    *selected = Some(Self { epoch, score: Some(score), values: net.params().read()? });
                }
            }
            Select::Average if 2 * epoch <= epochs => {}
            Select::Average => match selected {
                None => *selected = Some(Self { epoch, score: None, values: net.params().read()? }),
                Some(mean) => mean.join(epoch, epoch - epochs / 2, net.params().read()?),
            },
        }
        Ok(())
    }

    /// Makes it the mean of `networks`, of which this is the last; values are found by name, as a file has them in an order of
    /// its own.
    fn join(&mut self, epoch: usize, networks: usize, values: Vec<NamedTensor>) {
        self.epoch = epoch;
        let values: HashMap<String, Vec<f32>> = values.into_iter().map(|(name, _, v)| (name, v)).collect();
        for (name, _, mean) in &mut self.values {
            for (m, v) in mean.iter_mut().zip(&values[name]) {
                *m += ((f64::from(*v) - f64::from(*m)) / networks as f64) as f32;
            }
        }
    }

    /// The network with its values; `last` is the one that the training ended with.
    pub(super) fn network(&self, gpu: &Gpu, last: &Model) -> Result<Model> {
        let values = self.values.iter().map(|(name, _, v)| (name.clone(), v.clone())).collect();
        Model::with_values(gpu, last.config(), last.classes(), last.has_train_only(), 0, &values)
    }
}

/// A training's state between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The experiment as TOML, complete.
    pub experiment: String,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Batches of that epoch that are done.
    pub batch: usize,
    /// Steps done.
    pub step: usize,
    /// Parameters and running estimates.
    pub values: Vec<NamedTensor>,
    /// First and second moment of the optimiser, laid out like the parameters' flat buffer.
    pub moments: [Vec<f32>; 2],
    /// The loss scale and the steps since it changed, where the loss is scaled.
    pub loss_scale: Option<[f32; 2]>,
    /// What the epoch has shown so far.
    pub(super) seen: RunningMetrics,
    /// What is selected so far.
    pub selected: Option<Selected>,
}

impl Checkpoint {
    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = self.values.clone();
        for (name, values) in MOMENTS.iter().zip(&self.moments) {
            tensors.push(((*name).to_string(), vec![values.len()], values.clone()));
        }
        tensors.extend(self.loss_scale.map(|scale| (LOSS_SCALE.to_string(), vec![2], scale.to_vec())));
        let selected = self.selected.iter().flat_map(|b| &b.values);
        tensors.extend(selected.map(|(name, shape, v)| (format!("{BEST}{name}"), shape.clone(), v.clone())));
        let mut metadata = vec![
            ("format", FORMAT.to_string()),
            ("epoch", self.epoch.to_string()),
            ("batch", self.batch.to_string()),
            ("step", self.step.to_string()),
            ("experiment", self.experiment.clone()),
            ("seen", serde_json::to_string(&self.seen).expect("numbers always serialise")),
        ];
        if let Some(best) = &self.selected {
            metadata.push(("best_epoch", best.epoch.to_string()));
            metadata.extend(best.score.map(|score| ("best_score", score.to_string())));
        }
        write_atomically(path, &safetensors_bytes(&tensors, &metadata))?;
        log::info!("checkpoint after step {} written: {}", self.step, path.display());
        Ok(())
    }

    /// Reads a file that [`Checkpoint::write`] wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| {
            Error::file(path, what, "without it the run can only begin again: leave --resume away and give --force")
        };
        let bytes = std::fs::read(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        Self::parse(&bytes).map_err(bad)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = Safetensors::parse(bytes, FORMAT)?;
        let [mut values, mut best_values] = [const { Vec::new() }; 2];
        for name in file.names().into_iter().filter(|name| !MOMENTS.contains(name) && *name != LOSS_SCALE) {
            let (shape, v) = file.tensor(name)?;
            match name.strip_prefix(BEST) {
                Some(name) => best_values.push((name.to_string(), shape, v)),
                None => values.push((name.to_string(), shape, v)),
            }
        }
        let mut selected = None;
        if file.optional("best_epoch").is_some() {
            let score = file.optional("best_score").map(|_| file.number("best_score")).transpose()?;
            let epoch = file.number("best_epoch")?;
            selected = Some(Selected { epoch, score, values: best_values });
        }
        let mut loss_scale = None;
        if file.names().contains(&LOSS_SCALE) {
            let bad = |v: Vec<f32>| format!("'{LOSS_SCALE}' has {} values, expected 2", v.len());
            loss_scale = Some(<[f32; 2]>::try_from(file.tensor(LOSS_SCALE)?.1).map_err(bad)?);
        }
        Ok(Self {
            experiment: file.text("experiment")?.to_string(),
            epoch: file.number("epoch")?,
            batch: file.number("batch")?,
            step: file.number("step")?,
            values,
            moments: [file.tensor(MOMENTS[0])?.1, file.tensor(MOMENTS[1])?.1],
            loss_scale,
            seen: serde_json::from_str(file.text("seen")?).map_err(|e| format!("'seen' in the metadata: {e}"))?,
            selected,
        })
    }
}
