//! Model files: safetensors with PyTorch's names and shapes, and what is needed to
//! use the model in the metadata.

use super::config::NetworkConfig;
use super::network::{Model, expected_tensors};
use super::params::NamedTensor;
pub use super::tensor_file::safetensors_bytes;
use super::tensor_file::stored;
use crate::ecg::features::FeatureScale;
use crate::ecg::sources::Kind;
use crate::ecg::{Preprocessing, Strip};
use crate::error::{Error, Result};
use crate::files::{Safetensors, guard, open, write_atomically};
use crate::gpu::Gpu;
use crate::tensor::numel;
use half::f16;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Value of the metadata key `format`.
pub const FORMAT: &str = "exgnet-1";
/// Name of the model file in a run folder.
const FILE_NAME: &str = "model.safetensors";

/// What a model was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The network's sizes.
    pub config: NetworkConfig,
    /// Class names, in the order of the logits.
    pub classes: Vec<String>,
    /// How recordings become strips, and the scheme that the classes are of.
    pub preprocessing: Preprocessing,
    /// Scale of the features, with the train-only part.
    pub features: Option<FeatureScale>,
    /// Whose recordings it was trained on; `None` where that is not known.
    pub trained_on: Option<TrainedOn>,
}

/// Whose recordings a model was trained on, those that were watched included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// Names of the sources.
    pub sources: BTreeSet<String>,
    /// Hashes of the patients' keys: 48 bits each of XXH3, hexadecimal. Patients of synthetic strips have names that every seed
    /// uses, so that features are hashed with those.
    pub patients: BTreeSet<String>,
}

impl TrainedOn {
    /// The sources and patients of these strips.
    pub fn new<'a>(strips: impl Iterator<Item = &'a Strip>) -> Self {
        let mut found = Self { sources: BTreeSet::new(), patients: BTreeSet::new() };
        for strip in strips {
            if !found.sources.contains(&strip.source) {
                found.sources.insert(strip.source.clone());
            }
            found.patients.insert(Self::key(strip));
        }
        found
    }

    fn key(strip: &Strip) -> String {
        let mut hash = Xxh3::new();
        hash.update(strip.patient.as_bytes());
        if strip.source == Kind::Synthetic.name() {
            strip.features.iter().for_each(|v| hash.update(&v.to_bits().to_le_bytes()));
        }
        format!("{:012x}", hash.digest() >> 16)
    }

    /// How many patients of these strips are among them.
    pub fn among<'a>(&self, strips: impl Iterator<Item = &'a Strip>) -> usize {
        strips.map(Self::key).collect::<BTreeSet<_>>().intersection(&self.patients).count()
    }
}

impl ModelInfo {
    /// Samples of a strip.
    pub fn samples(&self) -> usize {
        self.preprocessing.samples()
    }
}

/// Whether `--half` keeps a tensor of this shape in 16 bits: the weights of convolutions and linear layers, nearly all
/// values. Biases and BatchNorm's vectors stay in 32: they are few, and variances may be of any size.
pub(crate) fn is_stored_in_half(shape: &[usize]) -> bool {
    shape.len() > 1
}

/// The metadata of a model file: what a model is for, whatever the format of the file. Settings in `assumed` are left out.
pub(crate) fn metadata(format: &str, info: &ModelInfo, assumed: &[&str]) -> Vec<(&'static str, String)> {
    let classes = json!(info.classes).to_string();
    let mut metadata = vec![("format", format.to_owned()), ("config", info.config.to_json()), ("classes", classes)];
    metadata.extend(info.preprocessing.metadata().into_iter().filter(|(key, _)| !assumed.contains(key)));
    if let Some(scale) = &info.features {
        let [mean, sd] = [scale.mean, scale.sd].map(|v| json!(v).to_string());
        metadata.extend([("feature_mean", mean), ("feature_sd", sd)]);
    }
    if let Some(trained) = &info.trained_on {
        metadata.push(("trained_on", json!(trained).to_string()));
    }
    metadata
}

/// Writes a network as a model file.
pub fn save(path: &Path, net: &Model, info: &ModelInfo) -> Result<()> {
    write_atomically(path, &safetensors_bytes(&net.params().read()?, &metadata(FORMAT, info, &[])))
}

/// The file that `--model` means: itself, or the model in a run folder.
pub fn path_of(model: &Path) -> PathBuf {
    if model.is_dir() { model.join(FILE_NAME) } else { model.to_path_buf() }
}

/// A model file's content, checked but not yet on a device.
#[derive(Debug)]
pub struct ModelFile {
    /// What the model was made for.
    pub info: ModelInfo,
    /// Settings of `info.preprocessing` that the file, one of an earlier version, does not say: those values are
    /// assumed, see [`Preprocessing::from_metadata`].
    pub assumed: Vec<&'static str>,
    /// Whether the train-only part is there.
    pub train_only: bool,
    /// Values by name.
    pub values: BTreeMap<String, Vec<f32>>,
}

impl ModelFile {
    /// Reads a model file, or the model of a run folder: names, shapes and metadata are all checked.
    pub fn read(path: &Path) -> Result<Self> {
        let path = path_of(path);
        guard::reads(&path);
        let bad =
            |what: String| Error::file(&path, what, "give a model.safetensors that exgnet wrote, or its run folder");
        let mut bytes = Vec::new();
        open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| bad(format!("cannot be read: {e}")))?;
        Self::parse(&bytes).map_err(|what| match path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx")) {
            true => {
                Error::file(&path, "is an ONNX file, which is for other programs", "give the model it was made from")
            }
            false => bad(what),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = Safetensors::parse(bytes, FORMAT)?;
        let classes: Vec<String> =
            serde_json::from_str(file.text("classes")?).map_err(|e| format!("'classes' in the metadata: {e}"))?;
        if classes.len() < 2 {
            return Err(format!("{} classes, expected at least 2", classes.len()));
        }
        let config =
            NetworkConfig::from_json(file.text("config")?).map_err(|e| format!("'config' in the metadata: {e}"))?;
        let list = |key: &str| -> Result<Option<[f64; 17]>, String> {
            let Some(text) = file.optional(key) else { return Ok(None) };
            let wrong = || format!("'{key}' in the metadata is no list of 17 numbers");
            let values: Vec<f64> = serde_json::from_str(text).map_err(|_| wrong())?;
            <[f64; 17]>::try_from(values).map(Some).map_err(|_| wrong())
        };
        let features = list("feature_mean")?.zip(list("feature_sd")?).map(|(mean, sd)| FeatureScale { mean, sd });
        let (preprocessing, assumed) = Preprocessing::from_metadata(|key| file.optional(key), &classes)?;
        let trained_on = file.optional("trained_on").map(serde_json::from_str).transpose();
        let trained_on = trained_on.map_err(|e| format!("'trained_on' in the metadata: {e}"))?;
        let info = ModelInfo { config, classes, preprocessing, features, trained_on };
        let train_only = file.names().iter().any(|n| n.starts_with("regressor."));
        let mut values = BTreeMap::new();
        for (name, expected) in expected_tensors(&info.config, info.classes.len(), train_only) {
            let (shape, data) = file.floats(&name)?;
            if shape != expected {
                return Err(format!("'{name}' is of shape {shape:?}, expected {expected:?}"));
            }
            if data.iter().any(|v| !v.is_finite()) {
                return Err(format!("'{name}' holds NaN or infinity: the training that wrote it diverged"));
            }
            values.insert(name, data);
        }
        Ok(Self { info, assumed, train_only, values })
    }

    /// Writes the part that inference needs: the model without its train-only part and the scale of the features. With `half`,
    /// the weights of convolutions and linear layers are stored in 16 bits; whoever reads the file computes in 32.
    pub fn export(&self, path: &Path, half: bool) -> Result<()> {
        let info = ModelInfo { features: None, ..self.info.clone() };
        let of = |(name, shape): (String, Vec<usize>)| {
            let values = self.values[&name].clone();
            (name, shape, values)
        };
        let mut tensors: Vec<NamedTensor> = self.inference_tensors().into_iter().map(of).collect();
        let metadata = metadata(FORMAT, &info, &self.assumed);
        if !half {
            return write_atomically(path, &safetensors_bytes(&tensors, &metadata));
        }
        self.check_half()?;
        // those of four bytes first, so that every tensor begins at a multiple of its values' size
        tensors.sort_by_key(|(_, shape, _)| is_stored_in_half(shape));
        write_atomically(path, &stored(&tensors, &metadata, is_stored_in_half))
    }

    /// An error that names the first weight which 16 bits cannot hold, where there is one.
    pub(crate) fn check_half(&self) -> Result<()> {
        for (name, _) in self.inference_tensors().into_iter().filter(|(_, shape)| is_stored_in_half(shape)) {
            if let Some(v) = self.values[&name].iter().find(|v| !f16::from_f32(**v).is_finite()) {
                return Err(Error::data(
                    "export",
                    format!("'{name}' holds {v}, expected at most 65504 in size for 16 bits"),
                    "leave --half away",
                ));
            }
        }
        Ok(())
    }

    /// Parameters that inference needs, running estimates not among them.
    pub fn parameters(&self) -> usize {
        let parameters = self.inference_tensors().into_iter().filter(|(name, _)| !name.contains("running_"));
        parameters.map(|(_, shape)| numel(&shape)).sum()
    }

    /// Values that inference needs: parameters and running estimates.
    pub fn inference_values(&self) -> usize {
        self.inference_tensors().iter().map(|(_, shape)| numel(shape)).sum()
    }

    fn inference_tensors(&self) -> Vec<(String, Vec<usize>)> {
        expected_tensors(&self.info.config, self.info.classes.len(), false)
    }

    /// Puts the network on a device.
    pub fn network(&self, gpu: &Gpu) -> Result<Model> {
        Model::with_values(gpu, &self.info.config, self.info.classes.len(), self.train_only, 0, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::SyntheticOptions;

    #[test]
    fn synthetic_patients_of_two_seeds_are_not_the_same() {
        let made = |seed| {
            let options = SyntheticOptions { records: 6, seed, fs: 100.0, seconds: 4.0, ..SyntheticOptions::default() };
            crate::ecg::synthesize(&options).expect("a set").strips
        };
        let (one, other) = (made(1), made(2));
        let trained = TrainedOn::new(one.iter());
        assert_eq!((trained.among(one.iter()), trained.among(other.iter())), (6, 0));
        assert_eq!(one[0].patient, other[0].patient, "names recur");
    }

    #[test]
    fn parameter_counts_of_the_presets() {
        let count = |preset, classes, train_only| -> usize {
            let config = NetworkConfig::preset(preset).expect("a preset");
            let all = expected_tensors(&config, classes, train_only);
            all.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, s)| numel(s)).sum()
        };
        assert_eq!(count("exgnet", 5, true), 1_777_339);
        assert_eq!(count("exgnet-small", 4, true), 44_537);
    }

    #[test]
    fn damaged_model_files_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, bytes) in
            [("empty", vec![]), ("short", vec![1, 2, 3]), ("huge header", vec![255; 64]), ("text", b"{}".to_vec())]
        {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            assert!(matches!(ModelFile::read(&path), Err(Error::File { .. })), "{name}");
        }
        assert!(matches!(ModelFile::read(&dir.path().join("absent")), Err(Error::File { .. })));
    }
}
