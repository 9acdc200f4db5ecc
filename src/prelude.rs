//! What one needs to write a network on the engine and to train it: `use exgnet::prelude::*`.
//!
//! ```
//! use exgnet::prelude::*;
//!
//! let gpu = Gpu::from_env()?;
//! let mut p = ParamBuilder::new(1); // the seed of the starting values
//! let out = p.linear("out", 2, 1);
//! let params = p.init(&gpu)?;
//!
//! // y = x0 - 2 x1
//! let x = Tensor::from_f32(&gpu, &[4, 2], &[0., 0., 1., 0., 0., 1., 1., 1.])?;
//! let y = Tensor::from_f32(&gpu, &[4, 1], &[0., 1., -2., -1.])?;
//! let mut adam = Optimizer::new(&params, Hyper::default())?;
//! let mut loss = f32::NAN;
//! for _ in 0..300 {
//!     let error = ops::square(&ops::sub(&out.forward(&x)?, &y)?)?;
//!     let mean = ops::mean(&error, &[0, 1])?;
//!     adam.step(&params, &params.gradients(&mean)?, 0.05)?;
//!     loss = mean.item()?;
//! }
//! assert!(loss < 1e-4, "{loss}");
//! # Ok::<(), Error>(())
//! ```

pub use crate::autograd::{grad, no_grad};
pub use crate::error::{Error, Result};
pub use crate::gpu::{Capture, Gpu, Launch};
pub use crate::nn::{
    Accumulator, Added, Batch, BatchNorm, Conv1d, ConvOptions, Dropout, Embedding, Group, Init, LayerNorm, Linear,
    Loader, Mode, Optimizer, Padding, ParamBuilder, Parameter, Params, TensorFile, learning_rate,
};
pub use crate::ops::{self, Branch, Forward, Hyper, Keep, MaxPool, Op, Saved, Sgd, apply};
pub use crate::tensor::{DType, Tensor};
