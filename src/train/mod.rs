//! Training and evaluation: [`config`] (experiment files), [`data`] (from an experiment to batches), [`augment`],
//! [`estimate`] (what a run will cost), [`losses`], [`fit`] (the loop), [`step`] (one step of it), [`checkpoint`],
//! [`evaluate`](mod@evaluate), [`explanations`] (what figures need of a test), [`metrics`], [`sanity`] and [`feature_classifier`] (what a network is held against),
//! [`room`] (which batch fits), [`run_folder`], [`report`] (a run's figures), [`sweep`], [`collect`], [`stats`] and [`table`] (over several runs).

pub mod augment;
pub mod checkpoint;
pub mod collect;
pub mod config;
pub mod data;
pub mod diagram;
pub mod estimate;
pub mod evaluate;
pub mod explanations;
pub mod feature_classifier;
pub mod fit;
mod journal;
pub mod losses;
pub mod metrics;
pub mod predictions;
pub mod report;
pub mod room;
pub mod run_folder;
pub mod sanity;
pub mod stats;
pub mod step;
pub mod sweep;
pub mod table;
pub mod targets;

pub use config::Experiment;
pub use data::Strips;
pub use evaluate::{Evaluation, Tested, evaluate};
pub use fit::{Observer, Training};
pub use metrics::Metrics;
pub use run_folder::RunFolder;
pub use targets::Targets;
