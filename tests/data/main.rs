//! Recordings, from the file to features, and statistics. A file a subject.

#[path = "../common/mod.rs"]
mod common;

mod augment;
mod cli_data;
mod cli_sources;
mod ecg;
mod evaluation;
mod experiments;
mod features;
mod preprocessing;
mod rpeaks;
mod scores;
mod stats;
mod wfdb;
mod wfdb_meaning;
mod wfdb_samples;
