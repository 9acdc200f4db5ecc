//! Experiment files: everything that a run needs, in one TOML file, with a default for every key.
//!
//! May use: `ecg`, `error`, `explain`, `files`, `gpu`, `nn`, `ops`, `tensor`.
//!
//! This file holds the tables and their defaults; `read.rs` turns text and `--set` values into them,
//! `check.rs` knows which values make sense.

mod augment;
mod check;
pub mod data;
mod losses;
mod read;
pub mod sweep;
mod test_sources;
mod train;
mod unknown_key;

use crate::ecg::options::strip_samples;
use crate::ecg::rpeaks::Detector;
use crate::ecg::{GuidanceConfig, Leads, LoadOptions, Source, SplitKind, SyntheticOptions};
use crate::error::Result;
use crate::nn::config::NetworkConfig;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

pub use augment::AugmentConfig;
pub use losses::{LossConfig, XaiGoal};
pub use train::{Fold, Optimizer, SamplerKind, Schedule, Select, TrainConfig};

/// The experiment that `exgnet train` runs when none is named.
pub const QUICKSTART: &str = include_str!("../../experiments/quickstart.toml");
/// The name under which errors speak of [`QUICKSTART`].
pub const QUICKSTART_NAME: &str = "experiments/quickstart.toml (built in)";

/// A complete experiment.
///
/// ```
/// use exgnet::experiment::Experiment;
/// let sets = ["train.epochs=3".to_string(), "network.head=mlp".to_string()];
/// let experiment = Experiment::parse_with("[network]\npreset = \"exgnet-small\"", "an example", &sets)?;
/// assert_eq!((experiment.train.epochs, experiment.network.maps().len()), (3, 5)); // the stem and four blocks
/// # Ok::<(), exgnet::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Experiment {
    /// Records, classes, folds.
    pub data: DataConfig,
    /// Sizes of the network.
    pub network: NetworkConfig,
    /// Terms of the loss.
    pub losses: LossConfig,
    /// Constants of the guidance target.
    pub guidance: GuidanceConfig,
    /// Random changes of the training strips.
    pub augment: AugmentConfig,
    /// Optimiser, schedule, length.
    pub train: TrainConfig,
    /// What is tested on besides the test fold.
    pub test: TestConfig,
    /// Where the run goes.
    pub output: OutputConfig,
}

impl Experiment {
    /// The complete experiment as TOML, with every default filled in; parses back to an equal value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("names, numbers and text always fit into TOML")
    }

    /// The same experiment, whose run goes to the folder `dir`.
    pub fn into_folder(mut self, dir: &Path) -> Self {
        self.output.dir = dir.to_string_lossy().into_owned();
        self
    }
}

/// The `[data]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// One or several of `synthetic`, `mitbih:PATH`, `wfdb:PATH`, `cinc2017:PATH`, `csv:PATH`, `muse:PATH`,
    /// `table:PATH`; with `NAME=` before it under a name of its own.
    pub source: SourceList,
    /// A file that `exgnet prepare` wrote; it goes before `source`. Empty: none.
    pub prepared: String,
    /// Keep what sources gave in the cache folder, so that the next run finds it there.
    pub cache: bool,
    /// Class scheme.
    pub classes: String,
    /// Sampling rate of the strips, Hz; records at another rate are resampled.
    pub fs: f64,
    /// Length of the strips, seconds.
    pub seconds: f64,
    /// Lead name.
    pub lead: String,
    /// Remove baseline wander and mains hum.
    pub clean: bool,
    /// Classes with fewer strips are dropped.
    pub min_class: usize,
    /// Classes of fewer patients are dropped as well; 0 asks for none.
    pub min_patients: usize,
    /// Which leads a training sees: `one`, that of `lead`, or `all`, in each epoch one of each window at random. Validation and
    /// test are of the first alone.
    pub leads: Leads,
    /// Most windows of a patient and class that an epoch sees, drawn again for each; 0 = all.
    pub per_patient: usize,
    /// What becomes of windows with ectopic, paced or unclassifiable beats (long records only).
    pub ectopic: Ectopic,
    /// A failed integrity check excludes the record instead of being noted.
    pub strict: bool,
    /// Frequency of the mains, Hz: what cleaning averages out.
    pub mains: f64,
    /// Finds the R peaks where no expert did: `gradient` (the published method) or `adaptive`.
    pub detector: Detector,
    /// Rate of `csv` sources, and of the `.npy`, `.csv` and `.txt` files of `table` sources, Hz.
    pub csv_fs: f64,
    /// How record names give patients: `auto`, `none`, or a pattern with one group, see [`PatientNames::parse`].
    ///
    /// [`PatientNames::parse`]: crate::ecg::patients::PatientNames::parse
    pub patient_pattern: String,
    /// How records are dealt to folds.
    pub split: SplitKind,
    /// A `folds.json` of an earlier run (or of one's own) whose folds are used instead of made. Empty: none.
    pub split_file: String,
    /// Number of folds.
    pub folds: usize,
    /// Seed of the split, as scikit-learn's `random_state`.
    pub split_seed: u32,
    /// Weights of sources by name, for [`SamplerKind::Patients`]; 1 where none is given, and with 0 a source is not trained on.
    pub weights: BTreeMap<String, f64>,
    /// The generator of synthetic ECG; its rate and length are those above.
    pub synthetic: SyntheticOptions,
}

impl Default for DataConfig {
    fn default() -> Self {
        let load = LoadOptions::default();
        Self {
            source: SourceList::One("synthetic".into()),
            prepared: String::new(),
            cache: true,
            classes: load.classes,
            fs: load.fs,
            seconds: load.seconds,
            lead: load.lead,
            clean: load.clean,
            min_class: load.min_class,
            min_patients: load.min_patients,
            leads: load.leads,
            per_patient: 0,
            ectopic: if load.ectopic_keep { Ectopic::Keep } else { Ectopic::Drop },
            strict: load.strict,
            mains: load.mains,
            detector: load.detector,
            csv_fs: load.csv_fs,
            patient_pattern: load.patient_pattern,
            split: SplitKind::KFold,
            split_file: String::new(),
            folds: 5,
            split_seed: 42,
            weights: BTreeMap::new(),
            synthetic: load.synthetic,
        }
    }
}

impl DataConfig {
    /// The sources; that each is one [`Experiment::validate`] found before.
    pub fn sources(&self) -> Result<Vec<Source>> {
        self.source.names().iter().map(|name| name.parse()).collect()
    }

    /// How the sources are read.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            classes: self.classes.clone(),
            fs: self.fs,
            seconds: self.seconds,
            lead: self.lead.clone(),
            min_class: self.min_class,
            min_patients: self.min_patients,
            leads: self.leads,
            ectopic_keep: self.ectopic == Ectopic::Keep,
            clean: self.clean,
            strict: self.strict,
            mains: self.mains,
            detector: self.detector,
            csv_fs: self.csv_fs,
            patient_pattern: self.patient_pattern.clone(),
            synthetic: self.synthetic_options(),
        }
    }

    /// What the generator makes, for [`crate::ecg::synthesize`].
    pub fn synthetic_options(&self) -> SyntheticOptions {
        SyntheticOptions { fs: self.fs, seconds: self.seconds, ..self.synthetic.clone() }
    }

    /// Samples of a strip; 0 before [`Experiment::validate`] found rate and length usable.
    pub fn samples(&self) -> usize {
        strip_samples(self.fs, self.seconds)
    }
}

/// One source or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SourceList {
    /// Written as a string.
    One(String),
    /// Written as a list.
    Many(Vec<String>),
}

impl SourceList {
    /// The sources as they are written.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for SourceList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        let expected = || format!("expected a source ({}) or a list of sources", Source::forms());
        Ok(match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(expected()))? {
            Written::One(name) => Self::One(name),
            Written::Many(names) => Self::Many(names),
        })
    }
}

/// What becomes of windows with abnormal beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ectopic {
    /// They stay.
    Keep,
    /// They are excluded, and counted.
    Drop,
}

/// The `[test]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TestConfig {
    /// Sources, as in [`DataConfig::source`], that are tested on and never trained on: they join the test fold.
    pub sources: SourceList,
}

impl Default for TestConfig {
    fn default() -> Self {
        Self { sources: SourceList::Many(Vec::new()) }
    }
}

impl TestConfig {
    /// The sources; that each is one [`Experiment::validate`] found before.
    pub fn sources(&self) -> Result<Vec<Source>> {
        self.sources.names().iter().map(|name| name.parse()).collect()
    }
}

/// The `[output]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// The run folder.
    pub dir: String,
    /// Grad-CAM figures per class.
    pub gradcam: usize,
    /// Strips that a run keeps of each true class for its figures, at most: n that are predicted right and n that
    /// are not.
    pub examples: usize,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { dir: "results/run".into(), gradcam: 1, examples: 3 }
    }
}

#[cfg(test)]
mod tests;
