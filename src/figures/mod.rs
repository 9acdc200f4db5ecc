//! Figures for papers and for the README, drawn from plain data: slices, names and numbers, never tensors.
//!
//! May use: `ecg`, `error`, `experiment`, `explain`, `files`, `lab`, `nn`, `ops`, `plot`, `run`, `stats`.
//!
//! A PNG carries its resolution, an SVG and a PDF are in millimetres: all print at their true size. Every file is written
//! beside its place and then renamed, so a reader never meets half a figure.
//!
//! - [`gradcam`]: the figure of `exgnet explain`, a strip with its map
//! - [`dataset`]: strips per class, heart rates and irregularity, example strips
//! - [`guidance`]: what the XAI guidance points at
//! - [`rpeaks`]: sensitivity and positive predictive value of R-peak detectors
//!
//! Those of `exgnet figures` (see [`crate::figures::catalogue`]) take a [`Look`] and give a [`Figure`], which has a caption:
//! - [`network`]: the diagram of a configured EXGnet
//! - [`kernels`]: roofline, versions of kernels, where a step goes, how it grows

mod ablation;
mod balance;
pub mod catalogue;
mod confusion;
pub mod dataset;
mod embedding;
mod features;
pub mod gradcam;
pub mod guidance;
pub mod kernels;
mod maps;
pub mod network;
mod networks;
mod patients;
mod per_class;
mod perturbation;
mod randomised;
mod ranking;
mod regressed;
mod reliability;
pub mod rpeaks;
mod scores;
mod shared;
mod strips;
mod training;

pub use crate::plot::{Figure, Format, Look, Page, Theme};
pub use dataset::{ClassSummary, ExampleStrip};
pub use gradcam::GradCamFigure;
pub use guidance::GuidanceFigure;
pub use rpeaks::RPeakRow;
