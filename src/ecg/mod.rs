//! Everything that knows about hearts and nothing about GPUs.
//!
//! | module | holds |
//! |---|---|
//! | [`dataset`] | [`Strip`], [`Dataset`], [`LoadOptions`], [`zscore`] |
//! | [`sources`] | [`load`], [`load_all`]: folders of records to a [`Dataset`]; [`data_root`], [`resolve`] |
//! | [`strip_input`] | one strip for `predict` and `explain`: [`strip_input::read`], [`strip_input::prepare`] |
//! | [`wfdb`] | headers, signals and annotations of the WFDB format |
//! | [`labels`] | class schemes, SNOMED codes, rhythm notes |
//! | [`resample`], [`filter`] | polyphase resampling; Butterworth and moving-average filters, zero phase |
//! | [`rpeaks`] | [`clean`] and [`r_peaks`] |
//! | [`splits`] | [`folds`]: scikit-learn's folds bit for bit, and folds by patient |
//! | [`synthetic`], [`ecgsyn`] | [`synthesize`]: labelled artificial ECG |
//!
//! ```text
//! load(kind: &str, path: &Path, &LoadOptions) -> Result<Dataset>                 kind in sources::KINDS
//! load_all(&[(String, PathBuf)], &LoadOptions) -> Result<Dataset>                 several (kind, path) as one set
//! resolve(path: &Path) -> PathBuf;  data_root() -> Option<PathBuf>
//! strip_input::read(path: &Path, lead: &str) -> Result<InputStrip>
//! strip_input::prepare(&InputStrip, fs_given: Option<f64>, fs_model: f64, seconds: f64) -> Result<InputStrip>
//! clean(signal: &[f64], fs: f64, mains: f64) -> Result<Vec<f64>>;  r_peaks(clean: &[f64], fs: f64) -> Vec<u32>
//! resample::resample(x: &[f64], fs_in: f64, fs_out: f64) -> Result<Vec<f64>>
//! folds(kind: SplitKind, labels: &[usize], groups: &[String], k: usize, seed: u64) -> Result<Vec<usize>>
//! synthesize(&SyntheticOptions) -> Result<Dataset>
//! zscore(&mut [f32])
//! ```

pub mod dataset;
pub mod ecgsyn;
pub mod filter;
pub mod labels;
pub mod resample;
pub mod rpeaks;
pub mod sources;
pub mod splits;
pub mod strip_input;
pub mod synthetic;
pub mod wfdb;

pub use dataset::{Dataset, Exclusion, LoadOptions, Strip, zscore};
pub use rpeaks::{clean, r_peaks};
pub use sources::{data_root, load, load_all, resolve};
pub use splits::{SplitKind, folds};
pub use strip_input::InputStrip;
pub use synthetic::{SyntheticOptions, synthesize};
