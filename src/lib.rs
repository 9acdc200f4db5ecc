//! **exgnet**: a small GPU-compute engine (reverse-mode autodiff on hand-written WGSL kernels) that trains EXGnet, an
//! explainable single-lead ECG rhythm classifier (arXiv 2506.12404).
//!
//! Where to find what, from the bottom up:
//! - [`error`]: the one error type
//! - [`gpu`]: device, buffers, kernels, recording (the only module that names wgpu)
//! - [`tensor`]: shape, memory, history
//! - [`autograd`]: the reverse pass; [`autograd::check`] derives every operation's tests from its cases
//! - [`ops`]: one file an operation, twin of its shader in `shaders/`
//! - [`nn`]: layers, EXGnet, optimiser, model files
//! - [`ecg`]: everything about hearts and nothing about GPUs: readers, labels, R peaks, splits, synthesis
//! - [`explain`]: where the network looked (Grad-CAM)
//! - [`figures`]: plots from plain data
//! - [`train`]: experiment files, the loop, metrics, run folders
//! - [`plates`]: which figures runs give
//! - [`report`]: one page about runs
//! - [`mod@bench`]: where a training step goes
//! - [`cli`]: one file a command; [`files`]: writing files whole

#![deny(unsafe_code)]

pub mod autograd;
pub mod bench;
pub mod cli;
pub mod ecg;
pub mod error;
pub mod explain;
pub mod figures;
pub mod files;
pub mod gpu;
pub mod nn;
pub mod ops;
pub mod plates;
pub mod report;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
