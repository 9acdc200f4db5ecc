//! The error function and what the GELU is made of: in f64 for the oracles, and the second derivatives of both of its forms in
//! operations of the engine.

use super::{add, add_scalar, clamp, exp, mul, scale, square, sub, tanh};
use crate::error::Result;
use crate::tensor::Tensor;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// `1 / sqrt(2 pi)`.
const DENSITY_AT_0: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
/// `sqrt(2 / pi)` and the factor of the cube (Hendrycks and Gimpel 2016).
const INNER: [f64; 2] = [FRAC_2_SQRT_PI * FRAC_1_SQRT_2, 0.044715];
/// Beyond it both forms of the GELU are 0 or x in f32, and their derivatives 0 or 1.
const FAR: f32 = 14.0;

/// `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to x, by a series of positive terms (Abramowitz and Stegun 7.1.6).
pub(super) fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// The share of a standard normal distribution below x.
pub(super) fn normal_cdf(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * FRAC_1_SQRT_2))
}

/// The density of the standard normal distribution.
pub(super) fn normal_pdf(x: f64) -> f64 {
    DENSITY_AT_0 * (-0.5 * x * x).exp()
}

/// What the GELU's tanh form takes the tanh of.
pub(super) fn gelu_inner(x: f64) -> f64 {
    INNER[0] * (x + INNER[1] * x * x * x)
}

/// The derivative of the GELU's tanh form.
pub(super) fn gelu_tanh_slope(x: f64) -> f64 {
    let t = gelu_inner(x).tanh();
    // where t is 1, so is the derivative, however large x is
    if 1.0 - t * t == 0.0 {
        return 0.5 * (1.0 + t);
    }
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * INNER[0] * (1.0 + 3.0 * INNER[1] * x * x)
}

/// The second derivative of the GELU: `(2 - x^2)` times the normal density.
pub(super) fn gelu_curvature(x: &Tensor) -> Result<Tensor> {
    let x2 = square(&clamp(x, -FAR, FAR)?)?;
    let density = scale(&exp(&scale(&x2, -0.5)?)?, DENSITY_AT_0 as f32)?;
    mul(&density, &add_scalar(&scale(&x2, -1.0)?, 2.0)?)
}

/// The second derivative of the GELU's tanh form: `(1 - t^2) (u' + x u'' / 2 - x t u'^2)` with `t = tanh(u)`.
pub(super) fn gelu_tanh_curvature(x: &Tensor) -> Result<Tensor> {
    let [c, a] = INNER.map(|v| v as f32);
    let x = clamp(x, -FAR, FAR)?;
    let x2 = square(&x)?;
    let t = tanh(&mul(&x, &add_scalar(&scale(&x2, c * a)?, c)?)?)?;
    let slope = add_scalar(&scale(&x2, 3.0 * c * a)?, c)?;
    // u' + x u'' / 2
    let near = add_scalar(&scale(&x2, 6.0 * c * a)?, c)?;
    let rest = sub(&near, &mul(&mul(&x, &t)?, &square(&slope)?)?)?;
    sub(&rest, &mul(&rest, &square(&t)?)?)
}

/// The derivative of `x sigmoid(x)` from `y`, its value, and `s`, the sigmoid: `s + y - s y`.
pub(super) fn silu_slope(y: &Tensor, s: &Tensor) -> Result<Tensor> {
    sub(&add(s, y)?, &mul(s, y)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Python's math.erf, which are the C library's.
    #[test]
    fn erf_is_the_libraries() {
        let known = [
            (0.0, 0.0),
            (1e-3, 0.0011283787909692363),
            (0.5, 0.5204998778130465),
            (1.0, 0.8427007929497148),
            (2.5, 0.999593047982555),
            (-4.0, -0.9999999845827421),
        ];
        for (x, y) in known {
            assert!((erf(x) - y).abs() < 1e-15, "erf({x}) = {}, not {y}", erf(x));
        }
    }
}
