//! The convolution as a layer.

use super::parameter::Parameter;
use super::params::{Init, ParamBuilder, Params};
use crate::error::{Error, Result};
use crate::ops::{self, Branch};
use crate::tensor::Tensor;

/// Zeros around the input of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// `dilation (K - 1)` in all, so that stride 1 keeps the length; the odd one goes to the right.
    Same,
    /// n on each side (PyTorch's `padding`); 0 for none.
    Both(usize),
    /// n before and m after. `Sides(dilation (K - 1), 0)` is a causal convolution.
    Sides(usize, usize),
}

/// Options of a [`Conv1d`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// Samples from one output to the next.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// Distance of the taps in samples.
    pub dilation: usize,
    /// Groups of channels that do not see each other; one for each channel in a depthwise convolution.
    pub groups: usize,
    /// Whether each output channel has a bias.
    pub bias: bool,
}

impl Default for ConvOptions {
    /// Stride 1, [`Padding::Same`], no dilation, one group, a bias.
    fn default() -> Self {
        Self { stride: 1, padding: Padding::Same, dilation: 1, groups: 1, bias: true }
    }
}

/// A convolution (cross-correlation) with its options, see [`ops::conv1d`].
#[derive(Debug, Clone)]
pub struct Conv1d {
    weight: Parameter,
    bias: Option<Parameter>,
    options: ConvOptions,
}

impl Conv1d {
    /// Declares `name.weight` `[c_out, c_in, kernel]` and `name.bias` `[c_out]`, for [`Conv1d::new`].
    pub fn declare(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize, kernel: usize) {
        Self::declare_with(p, name, [c_out, c_in, kernel], true);
    }

    fn declare_with(p: &mut ParamBuilder, name: &str, shape: [usize; 3], bias: bool) {
        let fan_in = shape[1] * shape[2];
        p.param(format!("{name}.weight"), &shape, Init::FanIn(fan_in));
        if bias {
            p.param(format!("{name}.bias"), &shape[..1], Init::FanIn(fan_in));
        }
    }

    /// The layer declared as `name`, with steps of `stride` samples.
    pub fn new(p: &Params, name: &str, stride: usize) -> Result<Self> {
        let part = |part: &str| Parameter::built(p, &format!("{name}.{part}"));
        let options = ConvOptions { stride, ..ConvOptions::default() };
        Ok(Self { weight: part("weight")?, bias: Some(part("bias")?), options })
    }

    /// Its options.
    pub fn options(&self) -> &ConvOptions {
        &self.options
    }

    /// `[B, c_out, T]` of `x` `[B, c_in, L]`: `T = (L + padding - dilation (K - 1) - 1) / stride + 1`, with [`Padding::Same`]
    /// `ceil(L / stride)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, o) = (self.weight.get()?, &self.options);
        let branch = match o.padding {
            Padding::Same => Branch::same(weight.dim(2), o.dilation),
            Padding::Both(n) => Branch { dilation: o.dilation, pad_left: n, pad_right: n },
            Padding::Sides(pad_left, pad_right) => Branch { dilation: o.dilation, pad_left, pad_right },
        };
        let y = ops::conv1d(x, weight, o.stride, o.groups, branch)?;
        match &self.bias {
            Some(bias) => ops::add(&y, &ops::reshape(bias.get()?, &[weight.dim(0), 1])?),
            None => Ok(y),
        }
    }
}

impl ParamBuilder {
    /// A convolution with a `kernel` of that many taps: `name.weight` `[c_out, c_in / groups, kernel]` and, with a bias,
    /// `name.bias` `[c_out]`, as PyTorch's. Options that do not fit are an error of [`ParamBuilder::init`].
    pub fn conv1d(&mut self, name: &str, c_in: usize, c_out: usize, kernel: usize, options: ConvOptions) -> Conv1d {
        let o = options;
        let multiples = o.groups > 0 && c_in.is_multiple_of(o.groups) && c_out.is_multiple_of(o.groups);
        if !multiples || [c_in, c_out, kernel, o.stride, o.dilation].contains(&0) {
            self.fault(Error::shape(
                "conv1d",
                format!("'{}' from {c_in} to {c_out} channels, kernel {kernel}, {o:?}", self.full(name)),
                "kernel, stride, dilation and groups of at least 1, and channels that are multiples of groups",
                "a depthwise convolution has one group for each input channel",
            ));
        }
        Conv1d::declare_with(self, name, [c_out, c_in / o.groups.max(1), kernel], o.bias);
        let bias = o.bias.then(|| self.slot(&format!("{name}.bias")));
        Conv1d { weight: self.slot(&format!("{name}.weight")), bias, options }
    }
}
