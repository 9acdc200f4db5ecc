//! Figures and the report. A file a subject.

#[path = "../common/mod.rs"]
mod common;

mod kernels;
mod pages;
mod report;
mod runs;
