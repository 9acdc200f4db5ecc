//! **exgnet**: a small GPU-compute engine (reverse-mode autodiff on hand-written WGSL kernels) that trains EXGnet, an
//! explainable single-lead ECG rhythm classifier (arXiv 2506.12404).
//!
//! [`guide`] is a chapter on training a network of your own with it; [`ops`](ops#all-operations-by-kind) lists all operations.
//!
//! Where to find what, from the bottom up:
//! - [`error`]: the one error type
//! - [`gpu`]: device, buffers, kernels, recording (the only module that names wgpu)
//! - [`tensor`]: shape, memory, history
//! - [`autograd`]: the reverse pass
//! - [`ops`]: one file an operation, twin of its shader in `shaders/`
//! - [`nn`]: layers, networks (one file each), optimiser, model files
//! - [`ecg`]: everything about hearts and nothing about GPUs: readers, labels, R peaks, splits, synthesis
//! - [`explain`]: where the network looked (Grad-CAM); [`onnx`]: the inference network for other programs
//! - [`stats`]: intervals, tests, areas under curves
//! - [`experiment`]: experiment files, sweeps, from an experiment to batches
//! - [`run`]: the run folder, the only contract between training and showing: formats, lock, the one reader
//! - [`train`]: the loop, a step, checkpoints; [`eval`]: a network on records it is tested on
//! - [`plot`]: canvas, axes, ECG paper; [`figures`]: one file per kind of figure, from runs to a drawing
//! - [`tables`]: runs of a sweep as tables; [`report`]: one page about runs
//! - [`job`]: a whole run: lock, split, training, test, files, figures
//! - [`lab`]: everything that looks at kernels: check, bench, tune, profile
//! - [`cli`]: one file a command; [`files`]: writing files whole
//!
//! # As a library
//!
//! [`prelude`] holds what one needs to write a network and train it. The device does nothing before somebody reads a tensor
//! back ([`tensor::Tensor::to_vec`]) or calls [`gpu::Gpu::flush`]; until then operations are only recorded. Whatever can go
//! wrong is an [`Error`] that says how to mend it. That the device fails ([`Error::Gpu`], [`Error::Memory`]), that shapes do not
//! fit ([`Error::Shape`]), that nothing has a name ([`Error::Config`]), or that a file is damaged, docs mention only where there is
//! more to say.
//!
//! ```
//! use exgnet::prelude::*;
//!
//! let gpu = Gpu::from_env()?; // EXGNET_ADAPTER, or the best there is
//! let x = Tensor::from_f32(&gpu, &[3], &[1., 2., 3.])?.leaf();
//! let y = ops::mul(&x, &ops::square(&x)?)?; // x^3
//! let first = grad(&y, &[&x], None, true)?.remove(0).expect("y depends on x");
//! let second = grad(&first, &[&x], None, false)?.remove(0).expect("so does its derivative");
//! assert_eq!(first.to_vec()?, [3., 12., 27.]); // 3 x^2
//! assert_eq!(second.to_vec()?, [6., 12., 18.]); // 6 x
//! # Ok::<(), Error>(())
//! ```
//!
//! Four programs in `experiments/examples` to begin one's own with (`cargo run --release --example NAME`):
//! - `sine` fits a sine with a network of one hidden layer, by a step that is recorded once and replayed ([`gpu::Capture`]);
//! - `cnn` trains a plain convolutional network on synthetic ECG ([`ecg::synthesize`]);
//! - `own_network` trains a network with a loss that differentiates a gradient, saves and loads it, and asks where it looks;
//! - `own_operation` adds an operation from outside the crate, with a kernel of its own ([`gpu::Launch::from_text`], the trait
//!   [`ops::Op`]), and puts it through the checks of the engine's own ([`lab::check::check_case`]).
//!
//! What happens is logged through the `log` crate: the adapter and checkpoints at level info, every kernel that is compiled at
//! debug, every growth of the pool at trace.

#![deny(unsafe_code, missing_docs, rustdoc::broken_intra_doc_links)]
// the engine by itself has helpers of the application that nothing calls then
#![cfg_attr(not(feature = "app"), allow(dead_code, unused_imports))]

pub mod autograd;
#[cfg(feature = "app")]
pub mod cli;
#[cfg(feature = "app")]
pub mod ecg;
pub mod error;
#[cfg(feature = "app")]
pub mod eval;
#[cfg(feature = "app")]
pub mod experiment;
#[cfg(feature = "app")]
pub mod explain;
#[cfg(feature = "app")]
pub mod figures;
pub mod files;
pub mod gpu;
pub mod guide;
#[cfg(feature = "app")]
pub mod job;
pub mod lab;
pub mod nn;
#[cfg(feature = "app")]
pub mod onnx;
pub mod ops;
#[cfg(feature = "app")]
pub mod plot;
pub mod prelude;
#[cfg(feature = "app")]
pub mod report;
#[cfg(feature = "app")]
pub mod run;
#[cfg(feature = "app")]
pub mod stats;
#[cfg(feature = "app")]
pub mod tables;
pub mod tensor;
#[cfg(feature = "app")]
pub mod train;

pub use error::{Error, Result};
