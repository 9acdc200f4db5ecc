//! Figures for papers and for the README, drawn from plain data: slices, names and numbers, never tensors.
//!
//! A path ending in `.png` gives a bitmap whose header carries its resolution, one ending in `.svg` a drawing in
//! millimetres; both therefore print at their true size. Every file is written beside its place and then renamed, so
//! a reader never meets half a figure.
//!
//! - [`style`]: page, sizes in points, class colours, colour maps; what a figure looks like is decided there
//! - [`canvas`]: lines, areas and text in millimetres, as bitmap or SVG (underneath: [`raster`], [`text`], `output`)
//! - [`axes`]: ticks, frames, legends, colour bars
//! - [`gradcam`]: a strip on ECG [`paper`] with its Grad-CAM map, and the `caption` above it
//! - [`curves`]: losses, learning rate and metrics over the epochs
//! - [`confusion`]: confusion matrices
//! - [`dataset`]: strips per class, heart rates and irregularity, example strips (on [`reduced`] paper)
//! - [`guidance`]: what the XAI guidance points at
//! - [`network`]: the diagram of a configured EXGnet
//! - [`kernels`]: roofline, versions of kernels, where a step goes, how it grows
//! - [`rpeaks`]: sensitivity and positive predictive value of R-peak detectors

pub mod axes;
pub mod canvas;
mod caption;
pub mod confusion;
pub mod curves;
pub mod dataset;
pub mod figure;
pub mod gradcam;
pub mod guidance;
pub mod kernels;
pub mod network;
mod output;
pub mod paper;
pub mod raster;
pub mod reduced;
pub mod rpeaks;
mod strips;
pub mod style;
pub mod text;

pub use curves::EpochRow;
pub use dataset::{ClassSummary, ExampleStrip};
pub use figure::{Figure, Format};
pub use gradcam::GradCamFigure;
pub use guidance::GuidanceFigure;
pub use rpeaks::RPeakRow;
pub use style::{Look, Page, Theme};
