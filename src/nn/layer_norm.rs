//! Layer normalisation as a layer.

use super::parameter::Parameter;
use super::params::{Init, ParamBuilder, Params};
use crate::error::Result;
use crate::ops;
use crate::tensor::Tensor;

/// Normalises the values along the last dimension of each record and position by their own mean and variance, then scales and
/// shifts them (Ba et al. 2016; epsilon 1e-5, as PyTorch): the same in training and evaluation. See [`ops::layer_norm`].
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Parameter,
    eps: f32,
}

impl LayerNorm {
    /// Declares `name.weight` and `name.bias`, both `[width]`, for [`LayerNorm::new`].
    pub fn declare(p: &mut ParamBuilder, name: &str, width: usize) {
        p.param(format!("{name}.weight"), &[width], Init::Value(1.0));
        p.param(format!("{name}.bias"), &[width], Init::Value(0.0));
    }

    /// The layer declared as `name`.
    pub fn new(p: &Params, name: &str) -> Result<Self> {
        let part = |part: &str| Parameter::built(p, &format!("{name}.{part}"));
        Ok(Self { weight: part("weight")?, bias: part("bias")?, eps: super::layers::EPS })
    }

    /// With another epsilon, which is added to the variance.
    pub fn with_eps(self, eps: f32) -> Self {
        Self { eps, ..self }
    }

    /// `x` `[.., width]` of up to four dimensions, normalised over the last; of its shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, self.weight.get()?, self.bias.get()?, self.eps)
    }
}

impl ParamBuilder {
    /// Layer normalisation of `width` values: `name.weight` and `name.bias`.
    pub fn layer_norm(&mut self, name: &str, width: usize) -> LayerNorm {
        LayerNorm::declare(self, name, width);
        let [weight, bias] = ["weight", "bias"].map(|part| self.slot(&format!("{name}.{part}")));
        LayerNorm { weight, bias, eps: super::layers::EPS }
    }
}
