//! The gradients of a batch normalisation as operations of their own, which can be differentiated again
//! (`sums` and `grad` of `shaders/batch_norm`).

use super::family::{GRAD, SUMS};
use super::{BatchStats, call, dims};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops::{
    Forward, Op, Saved, add_scalar, apply, backward_of_composed, concat, mean, mul, reshape, rsqrt, scale, slice,
    square, sub, sum,
};
use crate::tensor::{DType, Tensor};

/// Gradients of a batch's own normalisation with respect to x, weight and bias.
pub(super) fn gradients(
    eps: f32,
    stats: &BatchStats,
    inputs: &[Tensor],
    needs: &[bool],
    g: &Tensor,
) -> Result<Vec<Option<Tensor>>> {
    let (x, w) = (&inputs[0], &inputs[1]);
    let sums = apply(Sums { eps, stats: stats.clone() }, &[g, x])?;
    let row = |i: usize| reshape(&slice(&sums, 0, i, i + 1)?, &[x.dim(1)]);
    let dx = if needs[0] { Some(apply(InputGrad { eps, stats: stats.clone() }, &[g, x, w, &sums])?) } else { None };
    Ok(vec![dx, Some(row(1)?), Some(row(0)?)])
}

/// `(x - mean) / sqrt(var + eps)` and `1 / sqrt(var + eps)`, in simple operations.
fn normalised(x: &Tensor, eps: f32) -> Result<(Tensor, Tensor)> {
    let over: &[usize] = if x.rank() == 3 { &[0, 2] } else { &[0] };
    let centred = sub(x, &mean(x, over)?)?;
    let rstd = rsqrt(&add_scalar(&mean(&square(&centred)?, over)?, eps)?)?;
    Ok((mul(&centred, &rstd)?, rstd))
}

/// Inputs: g, x. Output `[2, C]`: sums of g and of g xhat.
struct Sums {
    eps: f32,
    stats: BatchStats,
}

impl Op for Sums {
    fn name(&self) -> &'static str {
        "batch_norm_sums"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (g, x) = (inputs[0], inputs[1]);
        let sums = Tensor::empty(gpu, &[2, x.dim(1)], DType::F32)?;
        call(&SUMS, gpu, dims(x), true)
            .bind("g", g)
            .bind("x", x)
            .bind("norm", &self.stats)
            .bind("totals", &sums)
            .cost(4.0 * x.numel() as f64, 8.0 * x.numel() as f64)
            .run()?;
        Ok(sums.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        backward_of_composed(s, grad, |inputs| {
            let (g, x) = (&inputs[0], &inputs[1]);
            let over: &[usize] = if x.rank() == 3 { &[0, 2] } else { &[0] };
            let (xhat, _) = normalised(x, self.eps)?;
            let flat = |t: Tensor| reshape(&t, &[1, x.dim(1)]);
            concat(&[&flat(sum(g, over)?)?, &flat(sum(&mul(g, &xhat)?, over)?)?], 0)
        })
    }
}

/// Inputs: g, x, weight, sums `[2, C]`. Output as x.
struct InputGrad {
    eps: f32,
    stats: BatchStats,
}

impl Op for InputGrad {
    fn name(&self) -> &'static str {
        "batch_norm_grad"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let [g, x, w, sums] = [inputs[0], inputs[1], inputs[2], inputs[3]];
        let dx = Tensor::empty(gpu, x.shape(), DType::F32)?;
        call(&GRAD, gpu, dims(x), false)
            .bind("g", g)
            .bind("x", x)
            .bind("norm", &self.stats)
            .bind("w", w)
            .bind("g_sums", sums)
            .bind("dx", &dx)
            .cost(6.0 * x.numel() as f64, 12.0 * x.numel() as f64)
            .run()?;
        Ok(dx.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        backward_of_composed(s, grad, |inputs| {
            let [g, x, w, sums] = [&inputs[0], &inputs[1], &inputs[2], &inputs[3]];
            let per_channel: &[usize] = if x.rank() == 3 { &[1, x.dim(1), 1] } else { &[1, x.dim(1)] };
            let n = (x.numel() / x.dim(1)) as f32;
            let (xhat, rstd) = normalised(x, self.eps)?;
            let row = |i: usize| scale(&reshape(&slice(sums, 0, i, i + 1)?, per_channel)?, 1.0 / n);
            let inner = sub(&sub(g, &row(0)?)?, &mul(&xhat, &row(1)?)?)?;
            mul(&inner, &mul(&rstd, &reshape(w, per_channel)?)?)
        })
    }
}
