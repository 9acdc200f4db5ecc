//! Variance, and layer normalisation (Ba et al. 2016), composed of simpler operations.

use super::reduce::{check_dims, cpu_fold};
use super::{Array, add, add_scalar, check_floats, mean, mul, rsqrt, scale, square, sub, sum};
use crate::error::{Error, Result};
use crate::ops::case::{Case, Input};
use crate::tensor::{Tensor, numel};

/// Variance over the dimensions `dims` (increasing), which stay with extent 1: the sum of squared distances from the mean,
/// divided by the number of values less `correction`. `correction` 0 is that of the values themselves (biased), 1 estimates
/// that of what they were drawn from (Bessel, unbiased; PyTorch's default).
///
/// # Errors
/// [`Error::Shape`] also where there are no more values than `correction`.
pub fn var(x: &Tensor, dims: &[usize], correction: usize) -> Result<Tensor> {
    check_floats("var", &[x])?;
    check_dims("var", x, dims)?;
    let n: usize = dims.iter().map(|&d| x.dim(d)).product();
    if n <= correction {
        return Err(Error::shape(
            "var",
            format!("{n} values over dimensions {dims:?} of {:?}, correction {correction}", x.shape()),
            "more values than are taken off",
            "correction 0 is the biased variance, which one value has too (it is 0)",
        ));
    }
    let squares = square(&sub(x, &mean(x, dims)?)?)?;
    scale(&sum(&squares, dims)?, 1.0 / (n - correction) as f32)
}

/// Normalises `x` over its last dimensions, those of `weight` and `bias`, by mean and biased variance, then scales and shifts:
/// `(x - mean) / sqrt(var + eps) * weight + bias` (Ba et al. 2016; PyTorch's `layer_norm`, whose usual `eps` is 1e-5).
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let x = Tensor::from_f32(&gpu, &[2, 2], &[1., 3., -5., 5.])?;
/// let (weight, bias) = (Tensor::full(&gpu, &[2], 1.0)?, Tensor::zeros(&gpu, &[2])?);
/// let y = ops::layer_norm(&x, &weight, &bias, 1e-5)?.to_vec()?;
/// assert!(y.iter().zip([-1., 1., -1., 1.]).all(|(y, expected)| (y - expected).abs() < 1e-4), "{y:?}");
/// # Ok::<(), Error>(())
/// ```
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    check_floats("layer_norm", &[x, weight, bias])?;
    if weight.rank() == 0 || !x.shape().ends_with(weight.shape()) || bias.shape() != weight.shape() {
        return Err(Error::shape(
            "layer_norm",
            format!("input {:?}, weight {:?}, bias {:?}", x.shape(), weight.shape(), bias.shape()),
            "weight and bias of the input's last dimensions",
            "weight and bias say over what is normalised: [D] for an input [B, T, D]",
        ));
    }
    if !(eps >= 0.0 && eps.is_finite()) {
        let what = "the number keeps the root away from 0: 1e-5 is usual";
        return Err(Error::shape("layer_norm", format!("eps {eps}"), "a number of 0 or more", what));
    }
    let dims: Vec<usize> = (x.rank() - weight.rank()..x.rank()).collect();
    let centred = sub(x, &mean(x, &dims)?)?;
    let variance = mean(&square(&centred)?, &dims)?;
    let normalised = mul(&centred, &rsqrt(&add_scalar(&variance, eps)?)?)?;
    add(&mul(&normalised, weight)?, bias)
}

/// Values per result, their mean and the sum of squared distances from it.
fn moments(x: &Array, dims: &[usize]) -> (f64, Array, Array) {
    let n: usize = dims.iter().map(|&d| x.shape[d]).product();
    let mean = cpu_fold(x, dims, 0.0, |a, v| a + v).map(|v| v / n as f64);
    let squares = Array::from_index(&x.shape, |at| (x.broadcast_at(at) - mean.broadcast_at(at)).powi(2));
    let sums = cpu_fold(&squares, dims, 0.0, |a, v| a + v);
    (n as f64, mean, sums)
}

fn var_case(shape: &[usize], dims: &'static [usize], correction: usize) -> Case {
    Case::new(
        format!("var {shape:?} over {dims:?}, correction {correction}"),
        // far from 0 for what is spread: a mean of squares less a squared mean would lose digits
        vec![Input::normal(shape, 161).map(|v| v + 20.0)],
        move |x| var(&x[0], dims, correction),
        move |x| {
            let (n, _, sums) = moments(&x[0], dims);
            sums.map(|v| v / (n - correction as f64))
        },
    )
}

pub(super) fn var_cases() -> Vec<Case> {
    vec![
        var_case(&[13], &[0], 0),
        var_case(&[13], &[0], 1),
        var_case(&[2, 3, 5], &[2], 1),
        var_case(&[2, 3, 5], &[0, 2], 0),
        var_case(&[4, 1], &[1], 0),
        var_case(&[2, 2, 3, 2], &[1, 3], 1),
        var_case(&[9, 5, 131], &[0, 2], 1).along(),
        var_case(&[3, 9000], &[1], 0).along(),
    ]
}

fn layer_norm_case(shape: &[usize], last: &[usize], eps: f32) -> Case {
    assert!(numel(last) > 0 && shape.ends_with(last), "shapes of a case");
    let dims: Vec<usize> = (shape.len() - last.len()..shape.len()).collect();
    Case::new(
        format!("{shape:?} over {last:?}"),
        vec![Input::normal(shape, 162), Input::normal(last, 163), Input::normal(last, 164)],
        move |x| layer_norm(&x[0], &x[1], &x[2], eps),
        move |x| {
            let (n, mean, sums) = moments(&x[0], &dims);
            Array::from_index(&x[0].shape, |at| {
                let deviation = (sums.broadcast_at(at) / n + f64::from(eps)).sqrt();
                let normalised = (x[0].broadcast_at(at) - mean.broadcast_at(at)) / deviation;
                normalised * x[1].broadcast_at(&at[at.len() - x[1].shape.len()..])
                    + x[2].broadcast_at(&at[at.len() - x[2].shape.len()..])
            })
        },
    )
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer_norm_case(&[11], &[11], 1e-5),
        layer_norm_case(&[3, 8], &[8], 1e-5),
        layer_norm_case(&[2, 3, 5], &[5], 1e-3),
        layer_norm_case(&[2, 3, 5], &[3, 5], 1e-5),
        layer_norm_case(&[2, 2, 2, 4], &[4], 1e-5),
        layer_norm_case(&[9, 7, 65], &[65], 1e-5).along(),
        layer_norm_case(&[3, 5000], &[5000], 1e-5).along(),
    ]
}
