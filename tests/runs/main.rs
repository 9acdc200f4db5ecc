//! Runs by the command line: trained, resumed, damaged, moved, full disks. A file a subject.

#[path = "../common/mod.rs"]
mod common;

mod baselines;
mod batch_fit;
mod cli;
mod determinism;
mod export;
mod faults;
mod faults_kill;
mod files;
mod last_checkpoint;
mod memory_limit;
mod networks;
mod pool;
mod resume;
mod schemas;
mod sweep;
mod telling;
