//! The optimiser's state in a file, so that a training resumes to the same bits.

use super::optim::Optimizer;
use super::params::{NamedTensor, Params};
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};
use crate::files::other_format;
use serde_json::json;
use std::path::Path;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-optimizer-1";

impl Optimizer {
    /// Writes moments, steps and loss scale to a safetensors file. With [`Params::save`] it is all that a training needs to
    /// resume to the same bits; groups and settings are the program's.
    pub fn save(&self, params: &Params, path: impl AsRef<Path>) -> Result<()> {
        let mut tensors: Vec<NamedTensor> = Vec::new();
        for (moment, flat) in self.rule.moments() {
            let values = flat.to_vec()?;
            for ((name, tensor), &offset) in params.trainable().iter().zip(params.offsets()) {
                let own = values[offset..offset + tensor.numel()].to_vec();
                tensors.push((format!("{moment}.{name}"), tensor.shape().to_vec(), own));
            }
        }
        let mut metadata = vec![
            ("format", FORMAT.to_owned()),
            ("rule", self.rule.name().to_owned()),
            ("step", self.steps().to_string()),
            ("counts", json!(self.counts()).to_string()),
        ];
        if let Some(scale) = self.loss_scale()? {
            metadata.push(("loss_scale", json!(scale).to_string()));
        }
        TensorFile::write(path, &tensors, &metadata)
    }

    /// Reads what [`Optimizer::save`] wrote for the same parameters and kind of optimiser, which resumes there.
    ///
    /// # Errors
    /// [`Error::File`] for a file of another optimiser or network; nothing was replaced then.
    pub fn load(&mut self, params: &Params, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let file = TensorFile::read(path)?;
        let bad = |what: String| Error::file(path, what, "give a file that Optimizer::save wrote for the same network");
        let text = |key: &str| file.metadata(key).ok_or_else(|| bad(format!("has no '{key}' in its metadata")));
        match text("format")? {
            FORMAT => {}
            other => return Err(bad(format!("is of {}", other_format(other, FORMAT)))),
        }
        if text("rule")? != self.rule.name() {
            return Err(bad(format!("is of the optimiser '{}', expected '{}'", text("rule")?, self.rule.name())));
        }
        let step = text("step")?.parse().map_err(|_| bad("'step' in its metadata is not a number".into()))?;
        let numbers = |key: &str| bad(format!("'{key}' in its metadata is no list of numbers"));
        let counts: Vec<u32> = serde_json::from_str(text("counts")?).map_err(|_| numbers("counts"))?;
        if counts.len() != params.trainable().len() {
            return Err(bad(format!("is of {} parameters, expected {}", counts.len(), params.trainable().len())));
        }
        let scale = file.metadata("loss_scale").map(serde_json::from_str::<[f32; 2]>);
        let scale = scale.transpose().map_err(|_| numbers("loss_scale"))?;
        if scale.is_some() != self.loss_scale()?.is_some() {
            let [found, expected] = if scale.is_some() { ["with", "without"] } else { ["without", "with"] };
            return Err(bad(format!("is of a training {found} a scaled loss, expected {expected}")));
        }
        let mut moments = Vec::new();
        for (moment, flat) in self.rule.moments() {
            let mut values = vec![0.0; flat.numel()];
            for ((name, tensor), &offset) in params.trainable().iter().zip(params.offsets()) {
                let name = format!("{moment}.{name}");
                let shape = file.shape(&name)?;
                if shape != tensor.shape() {
                    return Err(bad(format!("'{name}' is of shape {shape:?}, expected {:?}", tensor.shape())));
                }
                values[offset..offset + tensor.numel()].copy_from_slice(file.values(&name)?);
            }
            moments.push(values);
        }
        for ((_, flat), values) in self.rule.moments().into_iter().zip(&moments) {
            flat.overwrite(values)?;
        }
        self.set_counts(&counts)?;
        self.set_steps(step);
        match scale {
            Some(scale) => self.set_loss_scale(scale),
            None => Ok(()),
        }
    }
}
