//! Dropout as a layer: each has a place of its own, and all draw from one state, see
//! [`Params::train_mode`](super::Params::train_mode).

use super::layers::Mode;
use super::params::ParamBuilder;
use crate::error::{Error, Result};
use crate::ops::DropoutAt;
use crate::tensor::Tensor;

/// Sets a share of the values to 0 while training and scales the others up (Srivastava et al. 2014); does nothing in
/// [`Mode::EVAL`], and nothing in [`Mode::TRAIN`], which is training without dropout.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1);
/// let hidden = p.linear("hidden", 2, 64);
/// let drop = p.dropout("drop", 0.5);
/// let params = p.init(&gpu)?;
///
/// let h = ops::relu(&hidden.forward(&Tensor::full(&gpu, &[8, 2], 1.0)?)?)?;
/// let first = drop.forward(&h, &params.train_mode(0)?)?.to_vec()?;
/// let second = drop.forward(&h, &params.train_mode(1)?)?.to_vec()?;
/// assert_ne!(first, second); // each batch draws numbers of its own,
/// assert_eq!(first, drop.forward(&h, &params.train_mode(0)?)?.to_vec()?); // and the same ones when it comes again
/// assert_eq!(drop.forward(&h, &Mode::EVAL)?.to_vec()?, h.to_vec()?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    rate: f32,
    site: u32,
}

impl Dropout {
    /// `x` of any shape, with its dropout where `mode` has it on.
    pub fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        mode.drop(x, self.rate.into(), self.site)
    }

    /// For [`BatchNorm::relu`](super::BatchNorm::relu), which does it in the same pass; `None` where `mode` has it off.
    pub fn at<'a>(&self, mode: &Mode<'a>) -> Option<DropoutAt<'a>> {
        mode.dropout_at(self.rate.into(), self.site)
    }
}

impl ParamBuilder {
    /// Dropout of a share `rate` in `[0, 1)`. The name says which numbers it draws; nothing is saved.
    pub fn dropout(&mut self, name: &str, rate: f32) -> Dropout {
        if !(0.0..1.0).contains(&rate) {
            let found = format!("'{}' of rate {rate}", self.full(name));
            self.fault(Error::shape("dropout", found, "a rate in [0, 1)", "0 switches it off"));
        }
        Dropout { rate, site: self.site(name) }
    }
}
