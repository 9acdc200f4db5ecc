//! The run folder, the only contract between training and showing: its formats, its lock, its one reader.
//!
//! May use: `ecg`, `error`, `experiment`, `explain`, `files`, `gpu`, `nn`, `stats`.
//!
//! - [`folder`]: the files of a run; [`lock`]: one process at a time; [`record`] and [`kernels`]: what ran, where and when
//! - [`metrics`], [`predictions`], [`explanation`], [`sanity`], [`randomised`], [`examples`], [`cost`]: what a test writes, each with its type
//! - [`databases`]: results of a test by database
//! - [`origin`]: of which test a file is
//! - [`read`]: run folders, read as far as they can be, [`missing`]: and what they do not have; [`select`]: which of them are shown together; [`set`]: the runs of a sweep in their order

pub mod cost;
pub mod databases;
pub mod examples;
pub mod explanation;
pub mod folder;
pub mod kernels;
pub mod lock;
pub mod metrics;
pub mod missing;
pub mod origin;
pub mod predictions;
pub mod randomised;
pub mod read;
pub mod record;
pub mod sanity;
pub mod select;
pub mod set;

pub use folder::RunFolder;
pub use metrics::Metrics;
