//! Losses composed of simpler operations: smooth-L1 and the normalised
//! cross-correlation of the Grad-CAM guidance.

use super::{Array, add_scalar, check_floats, div, huber, mean, mul, reshape, sqrt, square, sub, sum};
use crate::error::{Error, Result};
use crate::ops::case::{Case, Input};
use crate::tensor::Tensor;

/// Mean over all elements of Huber's function of `x - target` (beta 1): a scalar `[1]`.
pub fn smooth_l1(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    check_floats("smooth_l1", &[x, target])?;
    if x.shape() != target.shape() {
        return Err(Error::shape(
            "smooth_l1",
            format!("{:?} and {:?}", x.shape(), target.shape()),
            "equal shapes",
            "a target is never broadcast",
        ));
    }
    let flat = reshape(&huber(&sub(x, target)?)?, &[x.numel()])?;
    mean(&flat, &[0])
}

/// Normalised cross-correlation of each row of `map` `[B, T]` with the same row of `truth` `[B, T]`: `[B]`, in `[-1, 1]`.
///
/// With `a`, `b` the rows minus their means: `sum(ab) / (sqrt(sum a^2 + 1e-12) sqrt(sum b^2 + 1e-12) + 1e-6)`. The small
/// terms inside the roots keep the gradient finite for a constant row, whose correlation is 0.
pub fn ncc(map: &Tensor, truth: &Tensor) -> Result<Tensor> {
    check_floats("ncc", &[map, truth])?;
    if map.rank() != 2 || map.shape() != truth.shape() {
        return Err(Error::shape(
            "ncc",
            format!("{:?} and {:?}", map.shape(), truth.shape()),
            "both [B, T]",
            "pool the truth to the map's resolution with adaptive_avg_pool",
        ));
    }
    let a = sub(map, &mean(map, &[1])?)?;
    let b = sub(truth, &mean(truth, &[1])?)?;
    let norm = |v: &Tensor| sqrt(&add_scalar(&sum(&square(v)?, &[1])?, 1e-12)?);
    let below = add_scalar(&mul(&norm(&a)?, &norm(&b)?)?, 1e-6)?;
    let score = div(&sum(&mul(&a, &b)?, &[1])?, &below)?;
    reshape(&score, &[map.dim(0)])
}

pub(super) fn smooth_l1_cases() -> Vec<Case> {
    [[3, 17], [9, 131]]
        .map(|shape| {
            Case::new(
                format!("smooth_l1 {shape:?}"),
                vec![Input::spaced(&shape, 131), Input::normal(&shape, 132).map(|v| 0.01 * v)],
                |x| smooth_l1(&x[0], &x[1]),
                |x| {
                    let huber = |d: f64| if d.abs() < 1.0 { 0.5 * d * d } else { d.abs() - 0.5 };
                    let n = x[0].data.len() as f64;
                    Array::scalar(x[0].data.iter().zip(&x[1].data).map(|(a, b)| huber(a - b)).sum::<f64>() / n)
                },
            )
        })
        .into()
}

fn cpu_ncc(map: &Array, truth: &Array) -> Array {
    let t = map.dim(1);
    let row = |a: &Array, b: usize| {
        let r = &a.data[b * t..(b + 1) * t];
        let mean = r.iter().sum::<f64>() / t as f64;
        r.iter().map(|v| v - mean).collect::<Vec<f64>>()
    };
    let score = |b: usize| {
        let (u, v) = (row(map, b), row(truth, b));
        let norm = |w: &[f64]| (w.iter().map(|x| x * x).sum::<f64>() + 1e-12).sqrt();
        u.iter().zip(&v).map(|(x, y)| x * y).sum::<f64>() / (norm(&u) * norm(&v) + 1e-6)
    };
    Array::new(&[map.dim(0)], (0..map.dim(0)).map(score).collect())
}

pub(super) fn ncc_cases() -> Vec<Case> {
    let dead = Input::fixed(&[2, 5], vec![0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    vec![
        Case::new(
            "ncc [3, 11]",
            vec![Input::normal(&[3, 11], 133), Input::normal(&[3, 11], 134)],
            |x| ncc(&x[0], &x[1]),
            |x| cpu_ncc(&x[0], &x[1]),
        ),
        Case::new(
            "ncc [9, 157]",
            vec![Input::normal(&[9, 157], 136), Input::normal(&[9, 157], 137)],
            |x| ncc(&x[0], &x[1]),
            |x| cpu_ncc(&x[0], &x[1]),
        )
        .along(),
        Case::new(
            "ncc of constant rows",
            vec![dead, Input::normal(&[2, 5], 135)],
            |x| ncc(&x[0], &x[1]),
            |x| cpu_ncc(&x[0], &x[1]),
        )
        .oracle_only(),
    ]
}
