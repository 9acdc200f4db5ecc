//! Layers. [`ParamBuilder`] hands them out (`p.linear("head", 16, 3)`), with their tensors as soon as the parameters are built.
//! Or in two steps: each declares its parameters with a builder and takes them by name from the [`Params`] that came of it.

use super::parameter::Parameter;
use super::params::{Init, ParamBuilder, Params};
use crate::error::{Error, Result};
use crate::ops::{self, BatchStats, Branch, ConvInput, ConvSpec, DropoutAt, DropoutState, Norm, Plus, Precision};
use crate::tensor::Tensor;

pub use super::conv1d::{Conv1d, ConvOptions, Padding};
pub use super::dropout::Dropout;
pub use super::embedding::Embedding;
pub use super::layer_norm::LayerNorm;

/// Epsilon of normalisations, and BatchNorm's momentum, where nothing else is said (method: PyTorch's defaults).
pub(crate) const EPS: f32 = 1e-5;
const MOMENTUM: f32 = 0.1;

/// How a forward pass runs.
#[derive(Debug, Clone, Copy)]
pub struct Mode<'a> {
    /// BatchNorm by the batch's own statistics (train) or by the running estimates (evaluation).
    pub batch_stats: bool,
    /// Move the running estimates towards the batch's.
    pub update_running: bool,
    /// Draw dropout from this state; `None` switches it off.
    pub dropout: Option<&'a DropoutState>,
    /// How convolutions keep and multiply what they read.
    pub precision: Precision,
    /// Blocks whose maps are those before their dropout, see [`super::network::Output::maps`].
    pub pre_dropout: PreDropout,
}

/// Blocks whose outputs before dropout are kept; the dropout of the others is fused into their epilogue, to the
/// same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreDropout {
    /// Every block.
    All,
    /// This one.
    One(usize),
    /// None.
    Nothing,
}

impl PreDropout {
    /// Whether the output of a block before dropout is kept.
    pub fn has(self, block: usize) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == block,
            Self::Nothing => false,
        }
    }
}

impl<'a> Mode<'a> {
    /// Evaluation: running estimates, no dropout.
    pub const EVAL: Self = Self {
        batch_stats: false,
        update_running: false,
        dropout: None,
        precision: Precision::F32,
        pre_dropout: PreDropout::All,
    };

    /// Training without dropout.
    pub const TRAIN: Self = Self { batch_stats: true, update_running: true, ..Self::EVAL };

    /// Training with dropout from `state`.
    pub fn train(state: &'a DropoutState) -> Self {
        Self { dropout: Some(state), ..Self::TRAIN }
    }

    /// Dropout of a share `rate` at a place of the network, where it is on.
    pub(super) fn dropout_at(&self, rate: f64, site: u32) -> Option<DropoutAt<'a>> {
        self.dropout.map(|state| DropoutAt { rate: rate as f32, state, site })
    }

    /// The same, applied.
    pub(super) fn drop(&self, x: &Tensor, rate: f64, site: u32) -> Result<Tensor> {
        match self.dropout {
            Some(state) => ops::dropout(x, rate as f32, state, site),
            None => Ok(x.clone()),
        }
    }
}

/// Several bias-free convolutions over one input, side by side; one of them is a plain convolution.
#[derive(Debug, Clone)]
pub(super) struct Convs {
    pub(super) spec: ConvSpec,
    pub(super) weights: Vec<Tensor>,
}

impl Convs {
    /// Declares a weight `[c_out, c_in, kernel]`.
    pub(super) fn declare(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize, kernel: usize) {
        p.param(name, &[c_out, c_in, kernel], Init::FanIn(c_in * kernel));
    }

    /// Convolutions by the names of their weights, each padded to keep the length at stride 1.
    pub(super) fn new(p: &Params, names: &[String], stride: usize, dilations: &[usize]) -> Result<Self> {
        let weights: Vec<Tensor> = names.iter().map(|n| p.get(n)).collect::<Result<_>>()?;
        let branches = weights.iter().zip(dilations).map(|(w, &d)| Branch::same(w.dim(2), d)).collect();
        Ok(Self { spec: ConvSpec { stride, groups: 1, branches, precision: Precision::F32 }, weights })
    }

    pub(super) fn forward(&self, x: &ConvInput<'_>, mode: &Mode<'_>) -> Result<Tensor> {
        let spec = ConvSpec { precision: mode.precision, ..self.spec.clone() };
        x.branches(&self.weights.iter().collect::<Vec<_>>(), &spec)
    }
}

/// Normalises each channel of `[B, C, L]` or `[B, C]` over batch and time, then scales and shifts it (Ioffe and Szegedy 2015;
/// epsilon 1e-5, momentum 0.1, as PyTorch).
#[derive(Debug, Clone)]
pub struct BatchNorm {
    weight: Parameter,
    bias: Parameter,
    mean: Parameter,
    variance: Parameter,
    eps: f32,
    momentum: f32,
}

impl BatchNorm {
    /// Declares `name.weight`, `name.bias` and the running estimates `name.running_mean` and `name.running_var`.
    pub fn declare(p: &mut ParamBuilder, name: &str, channels: usize) {
        p.param(format!("{name}.weight"), &[channels], Init::Value(1.0));
        p.param(format!("{name}.bias"), &[channels], Init::Value(0.0));
        p.buffer(format!("{name}.running_mean"), channels, 0.0);
        p.buffer(format!("{name}.running_var"), channels, 1.0);
    }

    /// The layer declared as `name`.
    pub fn new(p: &Params, name: &str) -> Result<Self> {
        Self::of(name, |name| Parameter::built(p, name))
    }

    fn of(name: &str, mut parameter: impl FnMut(&str) -> Result<Parameter>) -> Result<Self> {
        let mut part = |part: &str| parameter(&format!("{name}.{part}"));
        Ok(Self {
            mean: part("running_mean")?,
            variance: part("running_var")?,
            weight: part("weight")?,
            bias: part("bias")?,
            eps: EPS,
            momentum: MOMENTUM,
        })
    }

    /// With another epsilon, which is added to the variance.
    pub fn with_eps(self, eps: f32) -> Self {
        Self { eps, ..self }
    }

    /// With another momentum: the share of a batch in the running estimates.
    pub fn with_momentum(self, momentum: f32) -> Self {
        Self { momentum, ..self }
    }

    /// The normalised input, of its shape.
    pub fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let (weight, bias) = (self.weight.get()?, self.bias.get()?);
        if !mode.batch_stats {
            return ops::batch_norm_eval(x, weight, bias, [self.mean.get()?, self.variance.get()?], self.eps);
        }
        let (y, stats) = ops::batch_norm_train(x, weight, bias, self.eps)?;
        self.update(&stats, mode)?;
        Ok(y)
    }

    /// `max(0, norm + plus)`, and dropout of it, in one pass; of `x`'s shape. The fused epilogue of a residual block:
    /// `bn.relu(&y, Added::Tensor(&x), mode, drop.at(mode).as_ref())`.
    pub fn relu(
        &self,
        x: &Tensor,
        plus: Added<'_>,
        mode: &Mode<'_>,
        dropout: Option<&DropoutAt<'_>>,
    ) -> Result<Tensor> {
        let second = match plus {
            Added::Nothing => Plus::Nothing,
            Added::Tensor(z) => Plus::Tensor(z),
            Added::Norm(_, other) if other.eps != self.eps => {
                return Err(Error::shape(
                    "batch_norm",
                    format!("epsilons {} and {} in one pass", self.eps, other.eps),
                    "the same for both",
                    "give both layers one epsilon, or add the other's BatchNorm::forward as Added::Tensor",
                ));
            }
            Added::Norm(z, other) => Plus::Norm(other.norm(z, mode)?),
        };
        let (y, stats) = ops::batch_norm_relu(&self.norm(x, mode)?, &second, dropout, self.eps)?;
        self.update(&stats[0], mode)?;
        if let Added::Norm(_, other) = plus {
            other.update(&stats[1], mode)?;
        }
        Ok(y)
    }

    /// What evaluation does, as `gain x + shift`: both `[C]`, from the running estimates.
    pub(super) fn gain_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let deviation = ops::rsqrt(&ops::add_scalar(self.variance.get()?, self.eps)?)?;
        let gain = ops::mul(self.weight.get()?, &deviation)?;
        let shift = ops::sub(self.bias.get()?, &ops::mul(self.mean.get()?, &gain)?)?;
        Ok((gain, shift))
    }

    fn norm<'a>(&'a self, x: &'a Tensor, mode: &Mode<'_>) -> Result<Norm<'a>> {
        let running = if mode.batch_stats { None } else { Some([self.mean.get()?, self.variance.get()?]) };
        Ok(Norm { x, weight: self.weight.get()?, bias: self.bias.get()?, running })
    }

    fn update(&self, stats: &BatchStats, mode: &Mode<'_>) -> Result<()> {
        if mode.batch_stats && mode.update_running {
            ops::update_running(stats, self.mean.get()?, self.variance.get()?, self.momentum)?;
        }
        Ok(())
    }
}

/// What [`BatchNorm::relu`] adds.
#[derive(Debug, Clone, Copy)]
pub enum Added<'a> {
    /// Nothing.
    Nothing,
    /// A tensor of the same shape: a residual connection.
    Tensor(&'a Tensor),
    /// Another one's normalisation of a tensor: the shortcut of a block that changes its shape.
    Norm(&'a Tensor, &'a BatchNorm),
}

/// `x W^T + b` for `x` `[B, in]`, or at each position of `[B, T, in]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Parameter,
    bias: Option<Parameter>,
}

impl Linear {
    /// Declares `name.weight` `[c_out, c_in]` and `name.bias` `[c_out]`.
    pub fn declare(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize) {
        Self::declare_weight(p, name, c_in, c_out);
        p.param(format!("{name}.bias"), &[c_out], Init::FanIn(c_in));
    }

    fn declare_weight(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize) {
        p.param(format!("{name}.weight"), &[c_out, c_in], Init::FanIn(c_in));
    }

    /// The layer declared as `name`.
    pub fn new(p: &Params, name: &str) -> Result<Self> {
        let part = |part: &str| Parameter::built(p, &format!("{name}.{part}"));
        Ok(Self { weight: part("weight")?, bias: Some(part("bias")?) })
    }

    /// `[B, out]` of `x` `[B, in]`, `[B, T, out]` of `[B, T, in]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = ops::matmul(x, self.weight.get()?, false, true)?;
        match &self.bias {
            Some(bias) => ops::add(&y, bias.get()?),
            None => Ok(y),
        }
    }
}

impl ParamBuilder {
    /// A linear layer: `name.weight` `[c_out, c_in]` and `name.bias` `[c_out]`.
    pub fn linear(&mut self, name: &str, c_in: usize, c_out: usize) -> Linear {
        Linear::declare(self, name, c_in, c_out);
        let [weight, bias] = ["weight", "bias"].map(|part| self.slot(&format!("{name}.{part}")));
        Linear { weight, bias: Some(bias) }
    }

    /// A linear layer without a bias.
    pub fn linear_without_bias(&mut self, name: &str, c_in: usize, c_out: usize) -> Linear {
        Linear::declare_weight(self, name, c_in, c_out);
        Linear { weight: self.slot(&format!("{name}.weight")), bias: None }
    }

    /// Batch normalisation of `channels`: `name.weight`, `name.bias`, and `name.running_mean` and `name.running_var`, which are
    /// estimated.
    pub fn batch_norm(&mut self, name: &str, channels: usize) -> BatchNorm {
        BatchNorm::declare(self, name, channels);
        BatchNorm::of(name, |name| Ok(self.slot(name))).expect("a slot is no error")
    }
}
