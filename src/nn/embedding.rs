//! A table of vectors, one for each number, as a layer.

use super::parameter::Parameter;
use super::params::{Init, ParamBuilder, Params};
use crate::error::Result;
use crate::ops;
use crate::tensor::Tensor;

/// A vector for each of a vocabulary's numbers, learned with the rest of the network. They begin as standard normal values, as
/// PyTorch's. See [`ops::embedding`].
///
/// ```
/// use exgnet::prelude::*;
///
/// // which of four classes a sequence of three numbers is of: that of the number in its middle
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1);
/// let (table, norm, head) = (p.embedding("table", 4, 8), p.layer_norm("norm", 8), p.linear("head", 3 * 8, 4));
/// let params = p.init(&gpu)?;
/// let forward = |numbers: &Tensor| {
///     let x = norm.forward(&table.forward(numbers)?)?; // [B, 3, 8]
///     head.forward(&x.reshape(&[x.dim(0), 3 * 8])?) // [B, 4]
/// };
///
/// let words: Vec<u32> = (0..64).flat_map(|i| [i % 4, i / 4 % 4, i / 16]).collect();
/// let numbers = Tensor::from_u32(&gpu, &[64, 3], &words)?;
/// let labels = Tensor::from_u32(&gpu, &[64], &words.chunks(3).map(|w| w[1]).collect::<Vec<_>>())?;
/// let targets = ops::cross_entropy_targets(&labels, &Tensor::full(&gpu, &[4], 1.0)?, 0.0)?;
/// let mut adam = Optimizer::new(&params, Hyper::default())?;
/// let mut losses = Vec::new();
/// for _ in 0..20 {
///     let loss = ops::cross_entropy(&forward(&numbers)?, &targets)?;
///     adam.step(&params, &params.gradients(&loss)?, 0.02)?;
///     losses.push(loss.item()?);
/// }
/// assert!(losses[19] < 0.1 * losses[0], "{losses:?}");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Parameter,
}

impl Embedding {
    /// Declares `name.weight` `[rows, width]`, for [`Embedding::new`].
    pub fn declare(p: &mut ParamBuilder, name: &str, rows: usize, width: usize) {
        p.param(format!("{name}.weight"), &[rows, width], Init::Normal(1.0));
    }

    /// The layer declared as `name`.
    pub fn new(p: &Params, name: &str) -> Result<Self> {
        Ok(Self { weight: Parameter::built(p, &format!("{name}.weight"))? })
    }

    /// `[.., width]` for integers `[..]` of at most three dimensions, each below the number of rows.
    pub fn forward(&self, numbers: &Tensor) -> Result<Tensor> {
        ops::embedding(self.weight.get()?, numbers)
    }
}

impl ParamBuilder {
    /// A table of `rows` vectors of `width`: `name.weight` `[rows, width]`.
    pub fn embedding(&mut self, name: &str, rows: usize, width: usize) -> Embedding {
        Embedding::declare(self, name, rows, width);
        Embedding { weight: self.slot(&format!("{name}.weight")) }
    }
}
