//! **exgnet**: a small GPU-compute engine (reverse-mode autodiff on hand-written WGSL kernels) that trains EXGnet, an
//! explainable single-lead ECG rhythm classifier (arXiv 2506.12404).
//!
//! Where to find what, from the bottom up:
//! - [`error`]: the one error type
//! - [`gpu`]: device, buffers, kernels, recording (the only module that names wgpu)
//! - [`tensor`]: shape, memory, history
//! - [`autograd`]: the reverse pass; [`autograd::check`] derives every operation's tests from its cases
//! - [`ops`]: one file an operation, twin of its shader in `shaders/`


pub mod autograd;
pub mod error;
pub mod gpu;
pub mod ops;
pub mod tensor;

pub use error::{Error, Result};
