//! The layers EXGnet is made of: each declares its parameters with a [`ParamBuilder`], takes them from the [`Params`] that
//! came of it, and applies itself. A module of one's own is a struct of layers that does the same.

use super::params::{Init, ParamBuilder, Params};
use crate::error::Result;
use crate::ops::{self, BatchStats, Branch, ConvInput, ConvSpec, DropoutAt, DropoutState, Norm, Numbers, Plus};
use crate::tensor::Tensor;

/// BatchNorm's epsilon and momentum (method: PyTorch's defaults).
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
    pub numbers: Numbers,
    /// Blocks that somebody wants as they are before their dropout, see [`super::network::Output::blocks`].
    pub kept: Kept,
}

/// Blocks whose outputs are kept as they are before dropout; that of the others is part of the block's last pass, to the
/// same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Every block.
    All,
    /// This one.
    One(usize),
    /// None.
    Nothing,
}

impl Kept {
    /// Whether a block is kept.
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
    pub const EVAL: Self =
        Self { batch_stats: false, update_running: false, dropout: None, numbers: Numbers::F32, kept: Kept::All };

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
        Ok(Self { spec: ConvSpec { stride, groups: 1, branches, numbers: Numbers::F32 }, weights })
    }

    pub(super) fn forward(&self, x: &ConvInput<'_>, mode: &Mode<'_>) -> Result<Tensor> {
        let spec = ConvSpec { numbers: mode.numbers, ..self.spec.clone() };
        x.branches(&self.weights.iter().collect::<Vec<_>>(), &spec)
    }
}

/// Normalises each channel of `[B, C, L]` or `[B, C]` over batch and time, then scales and shifts it (Ioffe and Szegedy 2015;
/// epsilon 1e-5, momentum 0.1).
#[derive(Debug, Clone)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
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
        let part = |part: &str| p.get(&format!("{name}.{part}"));
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        Ok(Self { weight: part("weight")?, bias: part("bias")?, mean, variance })
    }

    /// The normalised input, of its shape.
    pub fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        if !mode.batch_stats {
            return ops::batch_norm_eval(x, &self.weight, &self.bias, [&self.mean, &self.variance], EPS);
        }
        let (y, stats) = ops::batch_norm_train(x, &self.weight, &self.bias, EPS)?;
        self.update(&stats, mode)?;
        Ok(y)
    }

    /// `max(0, norm + plus)`, and dropout of it, in one pass.
    pub(super) fn relu(
        &self,
        x: &Tensor,
        plus: Added<'_>,
        mode: &Mode<'_>,
        dropout: Option<&DropoutAt<'_>>,
    ) -> Result<Tensor> {
        let second = match plus {
            Added::Nothing => Plus::Nothing,
            Added::Tensor(z) => Plus::Tensor(z),
            Added::Norm(z, other) => Plus::Norm(other.norm(z, mode)),
        };
        let (y, stats) = ops::batch_norm_relu(&self.norm(x, mode), &second, dropout, EPS)?;
        self.update(&stats[0], mode)?;
        if let Added::Norm(_, other) = plus {
            other.update(&stats[1], mode)?;
        }
        Ok(y)
    }

    /// What evaluation does, as `gain x + shift`: both `[C]`, from the running estimates.
    pub(super) fn gain_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let gain = ops::mul(&self.weight, &ops::rsqrt(&ops::add_scalar(&self.variance, EPS)?)?)?;
        let shift = ops::sub(&self.bias, &ops::mul(&self.mean, &gain)?)?;
        Ok((gain, shift))
    }

    fn norm<'a>(&'a self, x: &'a Tensor, mode: &Mode<'_>) -> Norm<'a> {
        let running = (!mode.batch_stats).then_some([&self.mean, &self.variance]);
        Norm { x, weight: &self.weight, bias: &self.bias, running }
    }

    fn update(&self, stats: &BatchStats, mode: &Mode<'_>) -> Result<()> {
        if mode.batch_stats && mode.update_running {
            ops::update_running(stats, &self.mean, &self.variance, MOMENTUM)?;
        }
        Ok(())
    }
}

/// What [`BatchNorm::relu`] adds.
#[derive(Clone, Copy)]
pub(super) enum Added<'a> {
    Nothing,
    Tensor(&'a Tensor),
    Norm(&'a Tensor, &'a BatchNorm),
}

/// `x W^T + b` for `x` `[B, in]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Declares `name.weight` `[c_out, c_in]` and `name.bias` `[c_out]`.
    pub fn declare(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize) {
        p.param(format!("{name}.weight"), &[c_out, c_in], Init::FanIn(c_in));
        p.param(format!("{name}.bias"), &[c_out], Init::FanIn(c_in));
    }

    /// The layer declared as `name`.
    pub fn new(p: &Params, name: &str) -> Result<Self> {
        Ok(Self { weight: p.get(&format!("{name}.weight"))?, bias: p.get(&format!("{name}.bias"))? })
    }

    /// `[B, out]` of `x` `[B, in]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::add(&ops::matmul(x, &self.weight, false, true)?, &self.bias)
    }
}

/// A convolution with a bias, padded to keep the length at stride 1.
#[derive(Debug)]
pub struct Conv1d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

impl Conv1d {
    /// Declares `name.weight` `[c_out, c_in, kernel]` and `name.bias` `[c_out, 1]`.
    pub fn declare(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize, kernel: usize) {
        p.param(format!("{name}.weight"), &[c_out, c_in, kernel], Init::FanIn(c_in * kernel));
        p.param(format!("{name}.bias"), &[c_out, 1], Init::FanIn(c_in * kernel));
    }

    /// The layer declared as `name`, with steps of `stride` samples.
    pub fn new(p: &Params, name: &str, stride: usize) -> Result<Self> {
        Ok(Self { weight: p.get(&format!("{name}.weight"))?, bias: p.get(&format!("{name}.bias"))?, stride })
    }

    /// `[B, c_out, ceil(L / stride)]` of `x` `[B, c_in, L]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::add(&ops::conv1d(x, &self.weight, self.stride, 1, Branch::same(self.weight.dim(2), 1))?, &self.bias)
    }
}
