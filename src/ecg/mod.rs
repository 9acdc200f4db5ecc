//! Everything that knows about hearts and nothing about GPUs.
//!
//! May use: `error`, `files`.
//!
//! | module | holds |
//! |---|---|
//! | [`dataset`], [`samples`] | [`Strip`], [`Dataset`] |
//! | [`options`], [`exclusions`] | [`LoadOptions`]: what is read and how; [`Exclusion`]: what was left out, and why |
//! | [`mod@zscore`] | [`zscore()`]: a strip in the unit of the network |
//! | [`preprocessing`] | [`Preprocessing`]: from a recording to the network's input |
//! | [`sources`] | [`Source`], [`load`], [`load_all`]: recordings to a [`Dataset`]; [`data_root`], [`resolve`] |
//! | [`prepared`] | a data set as one `safetensors` file, made once and read by memory map |
//! | [`strip_input`] | one strip for `predict` and `explain`: [`strip_input::read`], [`strip_input::prepare`], [`strip_input::expand`] |
//! | [`wfdb`] | headers, signals and annotations of the WFDB format |
//! | [`labels`] | class schemes, SNOMED codes, rhythm notes |
//! | [`patients`] | whose recording a record is |
//! | [`resample`], [`filter`] | polyphase resampling; Butterworth and moving-average filters, zero phase |
//! | [`rpeaks`] | [`clean`], R peaks by a [`rpeaks::Detector`], and how good they are |
//! | [`features`] | the 17 quantitative features |
//! | [`mod@guidance`] | where an explanation should point |
//! | [`fingerprint`] | what a data set holds, in a few hashes |
//! | [`splits`] | [`folds`]: scikit-learn's folds bit for bit, and folds by patient; [`SavedSplit`]: kept in a file |
//! | [`synthetic`], [`ecgsyn`] | [`synthesize`]: labelled artificial ECG |
//! | [`export`] | a data set as WFDB records |

pub mod dataset;
pub mod ecgsyn;
pub mod exclusions;
pub mod export;
pub mod features;
pub mod filter;
pub mod fingerprint;
pub mod guidance;
pub mod labels;
pub mod options;
pub mod patients;
pub mod prepared;
pub mod preprocessing;
pub mod resample;
pub mod rpeaks;
pub mod samples;
pub mod sources;
pub mod splits;
pub mod strip_input;
pub mod synthetic;
pub mod wfdb;
pub mod zscore;

pub use dataset::{Dataset, Strip};
pub use exclusions::{Exclusion, Line};
pub use guidance::{Guidance, GuidanceConfig, guidance};
pub use options::{Leads, LoadOptions};
pub use preprocessing::{Difference, Preprocessing};
pub use rpeaks::{clean, r_peaks};
pub use samples::Samples;
pub use sources::{Source, data_root, load, load_all, resolve};
pub use splits::{SavedSplit, SplitKind, folds, hold_out};
pub use strip_input::InputStrip;
pub use synthetic::{SyntheticOptions, synthesize};
pub use zscore::zscore;
