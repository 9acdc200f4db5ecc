//! Batch normalisation of `[B, C, T]` (or `[B, C]`) over batch and time (Ioffe and
//! Szegedy 2015; eps, biased and unbiased variance as PyTorch), forward and
//! backward fused (`shaders/batch_norm*.wgsl`). The backward passes' own
//! derivatives come from their definition in simple operations.

use super::{
    Array, Forward, Op, Saved, add, add_scalar, apply, backward_of_composed, concat, mean, mul, reshape, rsqrt, scale,
    slice, square, sub, sum,
};
use crate::autograd::check::{Case, Input};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Launch};
use crate::tensor::{DType, Tensor};

/// What a batch had: `[3, C]` with mean, `1 / sqrt(var + eps)` (biased) and the unbiased variance.
pub type BatchStats = Tensor;

/// `[B, C, T]` of a tensor with two or three dimensions.
fn dims(x: &Tensor) -> [usize; 3] {
    [x.dim(0), x.dim(1), x.dim(2)]
}

fn check(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<()> {
    let fits = (2..=3).contains(&x.rank()) && w.shape() == [x.dim(1)] && b.shape() == w.shape();
    if fits {
        return Ok(());
    }
    Err(Error::shape(
        "batch_norm",
        format!("input {:?}, weight {:?}, bias {:?}", x.shape(), w.shape(), b.shape()),
        "input [B, C, T] or [B, C], weight and bias [C]",
        "weight and bias have one value a channel",
    ))
}

/// Launches a kernel that works on the vec4s of rows `(b, c)` in chunks.
fn launch_rows(gpu: &Gpu, shader: &'static str, dims: [usize; 3], bind: &[&Tensor]) -> Result<()> {
    let [b, c, t] = dims;
    // a software adapter likes few threads with much to do
    let (width, span) = if gpu.report().is_software { (8, 512) } else { (64, 256) };
    let chunks = t.div_ceil(4).div_ceil(span);
    let mut launch = Launch::new(shader).uint([b * c, c, t, chunks, span]);
    for tensor in bind {
        launch = launch.bind(tensor.storage());
    }
    if t < 4 {
        return launch.entry("short").threads(gpu, b * c, width);
    }
    launch.constant("WG", width).groups(gpu, b * c * chunks)
}

/// Mean and reciprocal standard deviation per channel `[3, C]`, see [`BatchStats`].
fn launch_stats(gpu: &Gpu, x: &Tensor, eps: f32) -> Result<BatchStats> {
    let [b, c, t] = dims(x);
    let part = Tensor::empty(gpu, &[b, c, 2], DType::F32)?;
    let stats = Tensor::empty(gpu, &[3, c], DType::F32)?;
    let launch = |entry| {
        let launch = Launch::new("batch_norm_stats").entry(entry).uint([b, c, t]).float([eps]);
        launch.bind(x.storage()).bind(part.storage()).bind(stats.storage())
    };
    launch("rows").constant("WG", gpu.reduce_width()).groups(gpu, b * c)?;
    launch("combine").threads(gpu, c, 8)?;
    Ok(stats)
}

/// Inputs: x, weight, bias. Output as x.
#[derive(Debug)]
struct BatchNorm {
    eps: f32,
    stats: BatchStats,
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let y = Tensor::empty(gpu, inputs[0].shape(), DType::F32)?;
        launch_rows(gpu, "batch_norm", dims(&y), &[inputs[0], &self.stats, inputs[1], inputs[2], &y])?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, w) = (&s.inputs[0], &s.inputs[1]);
        let c = x.dim(1);
        let sums = apply(Sums { eps: self.eps, stats: self.stats.clone() }, &[grad, x])?;
        let row = |i: usize| reshape(&slice(&sums, 0, i, i + 1)?, &[c]);
        let dx = if s.needs[0] {
            Some(apply(InputGrad { eps: self.eps, stats: self.stats.clone() }, &[grad, x, w, &sums])?)
        } else {
            None
        };
        Ok(vec![dx, Some(row(1)?), Some(row(0)?)])
    }
}

/// `(x - mean) / sqrt(var + eps)` and `1 / sqrt(var + eps)`, in simple operations.
fn normalised(x: &Tensor, eps: f32) -> Result<(Tensor, Tensor)> {
    let over: &[usize] = if x.rank() == 3 { &[0, 2] } else { &[0] };
    let centred = sub(x, &mean(x, over)?)?;
    let rstd = rsqrt(&add_scalar(&mean(&square(&centred)?, over)?, eps)?)?;
    Ok((mul(&centred, &rstd)?, rstd))
}

/// Inputs: g, x. Output `[2, C]`: sums of g and of g xhat.
#[derive(Debug)]
struct Sums {
    eps: f32,
    stats: BatchStats,
}

impl Op for Sums {
    fn name(&self) -> &'static str {
        "batch_norm_sums"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let [b, c, t] = dims(inputs[0]);
        let part = Tensor::empty(gpu, &[b, c, 2], DType::F32)?;
        let sums = Tensor::empty(gpu, &[2, c], DType::F32)?;
        let launch = |entry| {
            let launch = Launch::new("batch_norm_sums").entry(entry).uint([b, c, t]).bind(inputs[0].storage());
            launch.bind(inputs[1].storage()).bind(self.stats.storage()).bind(part.storage()).bind(sums.storage())
        };
        launch("rows").constant("WG", gpu.reduce_width()).groups(gpu, b * c)?;
        launch("combine").threads(gpu, c, 8)?;
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
#[derive(Debug)]
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
        launch_rows(gpu, "batch_norm_grad", dims(x), &[g, x, &self.stats, w, sums, &dx])?;
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

/// Train mode: normalises `x` `[B, C, T]` or `[B, C]` by the batch's own statistics, then scales and shifts per channel.
/// Also returns the statistics, for [`update_running`].
///
/// # Errors
/// [`Error::Shape`] if weight or bias do not fit, or for a single value per channel; [`Error::Gpu`].
pub fn batch_norm_train(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<(Tensor, BatchStats)> {
    check(x, weight, bias)?;
    if x.numel() == x.dim(1) {
        return Err(Error::shape(
            "batch_norm",
            format!("input {:?} in train mode", x.shape()),
            "more than one value per channel",
            "use batches of at least two records",
        ));
    }
    let stats = launch_stats(x.gpu(), x, eps)?;
    let y = apply(BatchNorm { eps, stats: stats.clone() }, &[x, weight, bias])?;
    Ok((y, stats))
}

/// Evaluation mode: `(x - running_mean) / sqrt(running_var + eps) * weight + bias`, per channel.
///
/// # Errors
/// [`Error::Shape`] if a parameter does not fit; [`Error::Gpu`].
pub fn batch_norm_eval(x: &Tensor, weight: &Tensor, bias: &Tensor, running: [&Tensor; 2], eps: f32) -> Result<Tensor> {
    check(x, weight, bias)?;
    let per_channel: &[usize] = if x.rank() == 3 { &[1, x.dim(1), 1] } else { &[1, x.dim(1)] };
    let gain = mul(weight, &rsqrt(&add_scalar(running[1], eps)?)?)?;
    let shift = sub(bias, &mul(running[0], &gain)?)?;
    add(&mul(x, &reshape(&gain, per_channel)?)?, &reshape(&shift, per_channel)?)
}

/// Moves the running estimates towards a batch's statistics, in place: `r = (1 - momentum) r + momentum batch`.
///
/// # Errors
/// [`Error::Gpu`].
pub fn update_running(stats: &BatchStats, mean: &Tensor, variance: &Tensor, momentum: f32) -> Result<()> {
    no_grad(|| {
        Launch::new("batch_norm_running")
            .uint([mean.numel()])
            .float([momentum])
            .bind(stats.storage())
            .bind(mean.storage())
            .bind(variance.storage())
            .threads(mean.gpu(), mean.numel(), 8)
    })
}

const EPS: f32 = 1e-5;

/// Mean and variance (biased) of each channel.
fn cpu_stats(x: &Array) -> Vec<(f64, f64)> {
    let (b, c, t) = (x.dim(0), x.dim(1), x.dim(2));
    let n = (b * t) as f64;
    let channel = |ch: usize| (0..b * t).map(move |i| x.data[(i / t * c + ch) * t + i % t]);
    (0..c)
        .map(|ch| {
            let mean = channel(ch).sum::<f64>() / n;
            (mean, channel(ch).map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
        })
        .collect()
}

fn cpu_norm(x: &Array, w: &Array, b: &Array, stats: &[(f64, f64)]) -> Array {
    Array::from_index(&x.shape, |at| {
        let (mean, var) = stats[at[1]];
        (x.broadcast_at(at) - mean) / (var + f64::from(EPS)).sqrt() * w.data[at[1]] + b.data[at[1]]
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [vec![3, 2, 5], vec![2, 3, 1], vec![1, 2, 9], vec![5, 3]] {
        let c = [shape[1]];
        let inputs = vec![Input::normal(&shape, 101), Input::normal(&c, 102), Input::normal(&c, 103)];
        cases.push(Case::new(
            format!("train {shape:?}"),
            inputs.clone(),
            |x| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS)?.0),
            |x| cpu_norm(&x[0], &x[1], &x[2], &cpu_stats(&x[0])),
        ));
        cases.push(Case::new(
            format!("eval {shape:?}"),
            [inputs, vec![Input::normal(&c, 104), Input::positive(&c, 105)]].concat(),
            |x| batch_norm_eval(&x[0], &x[1], &x[2], [&x[3], &x[4]], EPS),
            |x| {
                let stats: Vec<(f64, f64)> = x[3].data.iter().copied().zip(x[4].data.iter().copied()).collect();
                cpu_norm(&x[0], &x[1], &x[2], &stats)
            },
        ));
    }
    // Running estimates: in place, so only the values are tested.
    cases.push(
        Case::new(
            "running estimates [3, 2, 5]",
            vec![Input::normal(&[3, 2, 5], 106), Input::normal(&[2], 107), Input::positive(&[2], 108)],
            |x| {
                let stats = launch_stats(x[0].gpu(), &x[0], EPS)?;
                let (mean, var) = (scale(&x[1], 1.0)?, scale(&x[2], 1.0)?);
                update_running(&stats, &mean, &var, 0.1)?;
                concat(&[&mean, &var], 0)
            },
            |x| {
                let stats = cpu_stats(&x[0]);
                let n = 15.0;
                let mean = stats.iter().zip(&x[1].data).map(|(s, r)| 0.9 * r + 0.1 * s.0);
                let var = stats.iter().zip(&x[2].data).map(|(s, r)| 0.9 * r + 0.1 * s.1 * n / (n - 1.0));
                Array::new(&[4], mean.chain(var).collect())
            },
        )
        .oracle_only(),
    );
    // A large mean must not eat the variance.
    cases.push(
        Case::new(
            "train, mean 1000 times the spread",
            vec![
                Input::normal(&[2, 2, 64], 109).map(|v| 1000.0 + v),
                Input::normal(&[2], 110),
                Input::normal(&[2], 111),
            ],
            |x| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS)?.0),
            |x| cpu_norm(&x[0], &x[1], &x[2], &cpu_stats(&x[0])),
        )
        .oracle_only()
        .tolerance(3e-4, 3e-4),
    );
    cases
}
