//! Where a training stands, in a file: from it the training goes on to the same bytes as one that was never interrupted.
//!
//! A `safetensors` file: every parameter and running estimate under its name, `adam.m` and `adam.v`, and in the metadata
//! the counters, the experiment, and what the current epoch has shown so far. The order of the records and the dropout
//! masks need no state: they depend on seed, epoch and step alone.

use super::fit::Seen;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::nn::model_file::safetensors_bytes;
use crate::nn::params::NamedTensor;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-checkpoint-1";
const MOMENTS: [&str; 2] = ["adam.m", "adam.v"];

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
    /// What the epoch has shown so far.
    pub(super) seen: Seen,
}

impl Checkpoint {
    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = self.values.clone();
        for (name, values) in MOMENTS.iter().zip(&self.moments) {
            tensors.push(((*name).to_string(), vec![values.len()], values.clone()));
        }
        let metadata = [
            ("format", FORMAT.to_string()),
            ("epoch", self.epoch.to_string()),
            ("batch", self.batch.to_string()),
            ("step", self.step.to_string()),
            ("experiment", self.experiment.clone()),
            ("seen", serde_json::to_string(&self.seen).expect("numbers always serialise")),
        ];
        write_atomically(path, &safetensors_bytes(&tensors, &metadata))
    }

    /// Reads a file that [`Checkpoint::write`] wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing, damaged or no checkpoint.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| {
            Error::file(path, what, "without it the run can only begin anew: leave --resume away and give --force")
        };
        let bytes = std::fs::read(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(format!("no safetensors file: {e}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(format!("no safetensors file: {e}")))?;
        let meta = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| meta.get(key).ok_or_else(|| bad(format!("the metadata has no '{key}'")));
        if text("format")? != FORMAT {
            return Err(bad(format!("format '{}', expected '{FORMAT}'", text("format")?)));
        }
        let count = |key: &str| -> Result<usize> {
            text(key)?.parse().map_err(|_| bad(format!("'{key}' in the metadata is no number")))
        };
        let mut values = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(bad(format!("'{name}' is {:?}, expected F32", view.dtype())));
            }
            values.insert(name, (view.shape().to_vec(), bytemuck::pod_collect_to_vec::<u8, f32>(view.data())));
        }
        let mut moment = |name: &str| {
            values.remove(name).map(|(_, v)| v).ok_or_else(|| bad(format!("the tensor '{name}' is missing")))
        };
        let moments = [moment(MOMENTS[0])?, moment(MOMENTS[1])?];
        let seen = serde_json::from_str(text("seen")?).map_err(|e| bad(format!("'seen' in the metadata: {e}")))?;
        Ok(Self {
            experiment: text("experiment")?.clone(),
            epoch: count("epoch")?,
            batch: count("batch")?,
            step: count("step")?,
            values: values.into_iter().map(|(name, (shape, v))| (name, shape, v)).collect(),
            moments,
            seen,
        })
    }
}
