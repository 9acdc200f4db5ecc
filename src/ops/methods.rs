//! The operations as methods of tensors, and numbers in the place of tensors.

use super::{Keep, add_scalar, reduce, scale};
use crate::error::Result;
use crate::ops;
use crate::tensor::Tensor;
use std::ops::Range;

/// What a method takes beside its tensor: another tensor, or a number.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a> {
    /// A tensor, which broadcasts as in NumPy.
    Tensor(&'a Tensor),
    /// A number for every element.
    Number(f32),
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<f32> for Operand<'_> {
    fn from(number: f32) -> Self {
        Self::Number(number)
    }
}

impl Operand<'_> {
    /// As a tensor on the device of `beside`.
    fn tensor(self, beside: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor.clone()),
            Self::Number(number) => Tensor::full(beside.gpu(), &[1], number),
        }
    }
}

macro_rules! of_one {
    ($($name:ident)*) => {
        /// Functions of each element: those of [`crate::ops`] of the same name.
        impl Tensor {$(
            #[doc = concat!("[`ops::", stringify!($name), "`].")]
            pub fn $name(&self) -> Result<Tensor> {
                ops::$name(self)
            }
        )*}
    };
}

of_one! {
    neg relu sigmoid tanh exp log sqrt rsqrt abs square recip huber erf gelu gelu_tanh silu softmax log_softmax
}

macro_rules! with_operand {
    ($($name:ident)*) => {
        /// Functions of this tensor and another one or a number: those of [`crate::ops`] of the same name.
        impl Tensor {$(
            #[doc = concat!("[`ops::", stringify!($name), "`], also with a number.")]
            pub fn $name<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
                ops::$name(self, &other.into().tensor(self)?)
            }
        )*}
    };
}

with_operand! { maximum minimum gt ge lt le eq ne }

/// Arithmetic by name, for chains: `x.mul(&w)?.add(1.0)?`. The operators ([`crate::ops`]) do the same.
impl Tensor {
    /// `self + other`, also with a number.
    pub fn add<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        match other.into() {
            Operand::Tensor(other) => ops::add(self, other),
            Operand::Number(number) => add_scalar(self, number),
        }
    }

    /// `self - other`, also with a number.
    pub fn sub<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        match other.into() {
            Operand::Tensor(other) => ops::sub(self, other),
            Operand::Number(number) => add_scalar(self, -number),
        }
    }

    /// `self * other`, element by element, also with a number.
    pub fn mul<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        match other.into() {
            Operand::Tensor(other) => ops::mul(self, other),
            Operand::Number(number) => scale(self, number),
        }
    }

    /// `self / other`; with a number it is `self` times its reciprocal.
    pub fn div<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        match other.into() {
            Operand::Tensor(other) => ops::div(self, other),
            Operand::Number(number) => scale(self, 1.0 / number),
        }
    }

    /// `self` to a power: a number ([`ops::pow_scalar`]) or a tensor
    /// ([`ops::pow`]).
    pub fn pow<'a>(&self, exponent: impl Into<Operand<'a>>) -> Result<Tensor> {
        match exponent.into() {
            Operand::Tensor(exponent) => ops::pow(self, exponent),
            Operand::Number(exponent) => ops::pow_scalar(self, exponent),
        }
    }

    /// Limited to `[low, high]`; gradient 0 outside.
    pub fn clamp(&self, low: f32, high: f32) -> Result<Tensor> {
        ops::clamp(self, low, high)
    }

    /// `a` where this is not 0, `b` where it is, each a tensor or a number
    /// ([`ops::where_cond`]): `x.gt(0.0)?.where_cond(&x, 0.0)?`.
    #[doc(alias = "where")]
    pub fn where_cond<'a, 'b>(&self, a: impl Into<Operand<'a>>, b: impl Into<Operand<'b>>) -> Result<Tensor> {
        ops::where_cond(self, &a.into().tensor(self)?, &b.into().tensor(self)?)
    }
}

/// Reductions over dimensions (increasing numbers), which stay with extent 1 or are dropped.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let x = Tensor::from_f32(&gpu, &[2, 3], &[1., 2., 3., 4., 5., 9.])?;
/// assert_eq!(x.sum(&[1], Keep::No)?.shape(), [2]);
/// assert_eq!(x.mean(&[1], Keep::Yes)?.shape(), [2, 1]);
/// assert_eq!(x.max(0, Keep::No)?.to_vec()?, [4., 5., 9.]);
/// assert_eq!(x.var(&[1], 1, Keep::No)?.to_vec()?, [1., 7.]);
/// assert_eq!(x.sum_all()?.item()?, 24.);
/// # Ok::<(), Error>(())
/// ```
impl Tensor {
    /// Sum over `dims` ([`ops::sum`]).
    pub fn sum(&self, dims: &[usize], keep: Keep) -> Result<Tensor> {
        keep.of(ops::sum(self, dims)?, dims)
    }

    /// Mean over `dims` ([`ops::mean`]).
    pub fn mean(&self, dims: &[usize], keep: Keep) -> Result<Tensor> {
        keep.of(ops::mean(self, dims)?, dims)
    }

    /// Variance over `dims`: biased with `correction` 0, unbiased with 1 ([`ops::var`]).
    pub fn var(&self, dims: &[usize], correction: usize, keep: Keep) -> Result<Tensor> {
        keep.of(ops::var(self, dims, correction)?, dims)
    }

    /// Maximum over one dimension ([`ops::max`]).
    pub fn max(&self, dim: usize, keep: Keep) -> Result<Tensor> {
        keep.of(reduce::max(self, dim)?, &[dim])
    }

    /// Minimum over one dimension ([`ops::min`]).
    pub fn min(&self, dim: usize, keep: Keep) -> Result<Tensor> {
        keep.of(ops::min(self, dim)?, &[dim])
    }

    /// Where the maximum over one dimension is, as integers ([`ops::argmax`]).
    pub fn argmax(&self, dim: usize, keep: Keep) -> Result<Tensor> {
        keep.of(ops::argmax(self, dim)?, &[dim])
    }

    /// Where the minimum over one dimension is, as integers ([`ops::argmin`]).
    pub fn argmin(&self, dim: usize, keep: Keep) -> Result<Tensor> {
        keep.of(ops::argmin(self, dim)?, &[dim])
    }

    /// Sum of all elements: `[1]`.
    pub fn sum_all(&self) -> Result<Tensor> {
        ops::sum(&self.reshape(&[self.numel()])?, &[0])
    }

    /// Mean of all elements: `[1]`.
    pub fn mean_all(&self) -> Result<Tensor> {
        ops::mean(&self.reshape(&[self.numel()])?, &[0])
    }
}

/// Shapes, products and layers.
impl Tensor {
    /// The same values in the same order under another shape ([`ops::reshape`]).
    pub fn reshape(&self, shape: &[usize]) -> Result<Tensor> {
        ops::reshape(self, shape)
    }

    /// Repeated to `shape` ([`ops::expand`]).
    pub fn expand(&self, shape: &[usize]) -> Result<Tensor> {
        ops::expand(self, shape)
    }

    /// Without dimensions of extent 1 ([`ops::squeeze`]).
    pub fn squeeze(&self, dims: &[usize]) -> Result<Tensor> {
        ops::squeeze(self, dims)
    }

    /// With a dimension of extent 1 before dimension `dim` ([`ops::unsqueeze`]).
    pub fn unsqueeze(&self, dim: usize) -> Result<Tensor> {
        ops::unsqueeze(self, dim)
    }

    /// Dimension `i` of the result is dimension `order[i]` ([`ops::permute`]).
    pub fn permute(&self, order: &[usize]) -> Result<Tensor> {
        ops::permute(self, order)
    }

    /// Two dimensions exchanged ([`ops::transpose`]).
    pub fn transpose(&self, a: usize, b: usize) -> Result<Tensor> {
        ops::transpose(self, a, b)
    }

    /// Elements `range` of dimension `dim` ([`ops::slice`]): `x.slice(1, 2..6)?`.
    pub fn slice(&self, dim: usize, range: Range<usize>) -> Result<Tensor> {
        ops::slice(self, dim, range.start, range.end)
    }

    /// Matrix product of the last two dimensions, `[B, M, K] x [B, K, N]`, either without `B`
    /// ([`ops::matmul`], which also takes transposed matrices).
    pub fn matmul(&self, other: &Tensor) -> Result<Tensor> {
        ops::matmul(self, other, false, false)
    }

    /// Rows of this table `[V, D]` ([`ops::embedding`]).
    pub fn embedding(&self, index: &Tensor) -> Result<Tensor> {
        ops::embedding(self, index)
    }

    /// Normalised over the last dimensions, those of `weight` and `bias`
    /// ([`ops::layer_norm`]).
    pub fn layer_norm(&self, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
        ops::layer_norm(self, weight, bias, eps)
    }
}
