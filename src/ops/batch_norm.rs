//! Batch normalisation of `[B, C, T]` (or `[B, C]`) over batch and time (Ioffe and
//! Szegedy 2015; eps, biased and unbiased variance as PyTorch), with the sum and ReLU that end a residual block in the
//! same pass (`shaders/batch_norm`). The backward passes' own derivatives come from their definition in simple
//! operations.

mod back;
mod cases;
mod family;
mod gradients;

pub(super) use cases::cases;
pub(crate) use cases::{Added, norm_case, norm_relu_case, norm_relu_grad_case};

use super::dropout::Dropout;
use super::family::{Call, Kernel};
use super::{
    About, DropoutAt, DropoutState, Forward, Op, Saved, add, add_scalar, apply, backward_of_composed, check_floats,
    gate, mul, relu, reshape, rsqrt, scale, sub,
};
use crate::autograd::{self, no_grad};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};
pub(super) use family::FAMILY;
use family::{APPLY, RUNNING, STATS, STATS_FIXED};
use gradients::gradients;

/// What a batch had: `[5, C]` with mean, `1 / sqrt(var + eps)` (biased), the unbiased variance, and what scales and shifts.
pub type BatchStats = Tensor;

/// One batch normalisation: of `x` `[B, C, T]` or `[B, C]`, with weight and bias `[C]`.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What is normalised.
    pub x: &'a Tensor,
    /// Scale of each channel.
    pub weight: &'a Tensor,
    /// Shift of each channel.
    pub bias: &'a Tensor,
    /// Mean and variance `[C]` to normalise by (evaluation); without them the batch's own (training).
    pub running: Option<[&'a Tensor; 2]>,
}

/// What is added to a batch normalisation.
#[derive(Debug, Clone, Copy)]
pub enum Plus<'a> {
    /// Nothing.
    Nothing,
    /// A tensor of the same shape.
    Tensor(&'a Tensor),
    /// Another one's batch normalisation.
    Norm(Norm<'a>),
}

/// `[B, C, T]` of a tensor with two or three dimensions.
fn dims(x: &Tensor) -> [usize; 3] {
    [x.dim(0), x.dim(1), x.dim(2)]
}

impl Norm<'_> {
    fn check(&self) -> Result<()> {
        check_floats("batch_norm", &self.inputs().collect::<Vec<_>>())?;
        let (x, w, b) = (self.x, self.weight, self.bias);
        let fits = (2..=3).contains(&x.rank()) && w.shape() == [x.dim(1)] && b.shape() == w.shape();
        if !fits {
            return Err(Error::shape(
                "batch_norm",
                format!("input {:?}, weight {:?}, bias {:?}", x.shape(), w.shape(), b.shape()),
                "input [B, C, T] or [B, C], weight and bias [C]",
                "weight and bias have one value a channel",
            ));
        }
        if let Some(running) = self.running.filter(|r| r.iter().any(|t| t.numel() != x.dim(1))) {
            let [mean, variance] = running.map(Tensor::shape);
            return Err(Error::shape(
                "batch_norm",
                format!("input {:?}, running estimates {mean:?} and {variance:?}", x.shape()),
                "mean and variance [C]",
                "running estimates have one value a channel",
            ));
        }
        if self.running.is_none() && x.numel() == x.dim(1) {
            return Err(Error::shape(
                "batch_norm",
                format!("input {:?} in train mode", x.shape()),
                "more than one value per channel",
                "use batches of at least two records",
            ));
        }
        Ok(())
    }

    fn stats(&self, eps: f32) -> Result<BatchStats> {
        self.check()?;
        launch_stats(self, eps)
    }

    /// What the operation takes: x, weight and bias, in evaluation also the estimates.
    fn inputs(&self) -> impl Iterator<Item = &Tensor> {
        [self.x, self.weight, self.bias].into_iter().chain(self.running.into_iter().flatten())
    }
}

/// A launch for `[B, C, T]`; `summing` for a kernel that sums over batch and time.
fn call<'a>(kernel: &'static Kernel, gpu: &'a Gpu, all: [usize; 3], summing: bool) -> Call<'a> {
    let [b, c, t] = all;
    kernel.at(gpu, &all).ints(&[("batch", b), ("channels", c), ("len", t)]).flag("summing", summing)
}

/// Mean and reciprocal standard deviation per channel `[5, C]`, see [`BatchStats`].
fn launch_stats(norm: &Norm<'_>, eps: f32) -> Result<BatchStats> {
    let (x, gpu) = (norm.x, norm.x.gpu());
    let moments = Tensor::empty(gpu, &[5, x.dim(1)], DType::F32)?;
    let call = match norm.running {
        Some([mean, variance]) => call(&STATS_FIXED, gpu, dims(x), false)
            .bind("mean", mean)
            .bind("variance", variance)
            .cost(3.0 * x.dim(1) as f64, 36.0 * x.dim(1) as f64),
        None => call(&STATS, gpu, dims(x), true).bind("x", x).cost(3.0 * x.numel() as f64, 4.0 * x.numel() as f64),
    };
    call.float("eps", eps).bind("w", norm.weight).bind("bias", norm.bias).bind("moments", &moments).run()?;
    Ok(moments)
}

/// Inputs: those of one [`Norm`], what is added (nothing, a tensor, or those of another), and dropout's state where there is
/// one. Output as x.
struct BatchNorm {
    eps: f32,
    relu: bool,
    /// By running estimates.
    eval: bool,
    first: BatchStats,
    second: Second,
    /// After the ReLU.
    dropout: Option<Dropout>,
}

/// What is added.
enum Second {
    Nothing,
    Tensor,
    Norm(BatchStats),
}

impl Second {
    /// What the kernels call `second`.
    fn code(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Tensor => 1,
            Self::Norm(_) => 2,
        }
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn about(&self) -> About<'_> {
        match self.eval {
            true => About::Normalisation { eps: self.eps, added: self.second.code(), relu: self.relu },
            false => About::Name,
        }
    }

    fn takes(&self, i: usize) -> Option<DType> {
        // the state of the dropout comes last
        let added = match self.second {
            Second::Nothing => 0,
            Second::Tensor => 1,
            Second::Norm(_) => self.own(),
        };
        Some(if i == self.own() + added { DType::U32 } else { DType::F32 })
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, stats) = (inputs[0], &self.first);
        let y = Tensor::empty(gpu, x.shape(), DType::F32)?;
        let (x2, stats2) = match &self.second {
            Second::Nothing => (x, stats),
            Second::Tensor => (inputs[self.own()], stats),
            Second::Norm(second) => (inputs[self.own()], second),
        };
        let n = y.numel() as f64;
        call(&APPLY, gpu, dims(&y), false)
            .ints(&[("second", self.second.code())])
            .flag("relu", self.relu)
            .flag("drop", self.dropout.is_some())
            .ints(&self.dropout.map_or([("site", 0), ("threshold", 0)], |dropout| dropout.numbers()))
            .float("scale", self.scale())
            .bind("x", x)
            .bind("norm", stats)
            .bind("x2", x2)
            .bind("norm2", stats2)
            // numbers of the dropout, or what is there in their place
            .bind("state", if self.dropout.is_some() { inputs[inputs.len() - 1] } else { stats })
            .bind("y", &y)
            .cost(3.0 * n, if self.second.code() == 0 { 8.0 * n } else { 12.0 * n })
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        if self.eval {
            return backward_of_composed(s, grad, |inputs| self.composed(inputs));
        }
        if !autograd::recording() {
            return self.fused_gradients(s, grad);
        }
        let mut g = grad.clone();
        if self.relu {
            g = gate(&g, s.output)?;
        }
        if self.dropout.is_some() {
            // what was dropped is 0 in the output, so that the gate has closed it
            g = scale(&g, self.scale())?;
        }
        let (own, more) = (s.inputs.split_at(self.own()), s.needs.split_at(self.own()));
        let mut all = gradients(self.eps, &self.first, own.0, more.0, &g)?;
        match &self.second {
            Second::Nothing => {}
            Second::Tensor => all.push(Some(g)),
            Second::Norm(second) => all.extend(gradients(self.eps, second, own.1, more.1, &g)?),
        }
        all.resize(s.inputs.len(), None);
        Ok(all)
    }
}

impl BatchNorm {
    /// Inputs of the first norm.
    fn own(&self) -> usize {
        if self.eval { 5 } else { 3 }
    }

    /// By what dropout multiplies what it keeps.
    fn scale(&self) -> f32 {
        self.dropout.map_or(1.0, |dropout| dropout.scale() as f32)
    }

    /// Evaluation in simple operations.
    fn composed(&self, inputs: &[Tensor]) -> Result<Tensor> {
        let one = |inputs: &[Tensor]| {
            let [x, w, b, mean, variance] = [0, 1, 2, 3, 4].map(|i| &inputs[i]);
            let per_channel: &[usize] = if x.rank() == 3 { &[1, x.dim(1), 1] } else { &[1, x.dim(1)] };
            let gain = mul(w, &rsqrt(&add_scalar(variance, self.eps)?)?)?;
            let centred = sub(x, &reshape(mean, per_channel)?)?;
            add(&mul(&centred, &reshape(&gain, per_channel)?)?, &reshape(b, per_channel)?)
        };
        let mut y = one(inputs)?;
        match self.second {
            Second::Nothing => {}
            Second::Tensor => y = add(&y, &inputs[self.own()])?,
            Second::Norm(_) => y = add(&y, &one(&inputs[self.own()..])?)?,
        }
        if self.relu {
            y = relu(&y)?;
        }
        match (self.dropout, inputs.last()) {
            (Some(dropout), Some(state)) => dropout.of(&y, state),
            _ => Ok(y),
        }
    }
}

/// Train mode: normalises `x` `[B, C, T]` or `[B, C]` by the batch's own statistics, then scales and shifts per channel.
/// Also returns the statistics, for [`update_running`]. A channel needs more than one value.
pub fn batch_norm_train(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<(Tensor, BatchStats)> {
    let norm = Norm { x, weight, bias, running: None };
    let (y, [stats, _]) = launch(&norm, &Plus::Nothing, &After::Nothing, eps)?;
    Ok((y, stats))
}

/// Evaluation mode: `(x - running_mean) / sqrt(running_var + eps) * weight + bias`, per channel.
pub fn batch_norm_eval(x: &Tensor, weight: &Tensor, bias: &Tensor, running: [&Tensor; 2], eps: f32) -> Result<Tensor> {
    let norm = Norm { x, weight, bias, running: Some(running) };
    Ok(launch(&norm, &Plus::Nothing, &After::Nothing, eps)?.0)
}

/// `max(0, norm + plus)`, and dropout of that where it is asked for, in one pass, as a residual block ends. Also returns the
/// statistics of `norm` and, where that is a batch normalisation too, of `plus` (else those of `norm` again), for
/// [`update_running`].
pub fn batch_norm_relu(
    norm: &Norm<'_>,
    plus: &Plus<'_>,
    dropout: Option<&DropoutAt<'_>>,
    eps: f32,
) -> Result<(Tensor, [BatchStats; 2])> {
    let dropout = match dropout {
        Some(drop) => drop.op()?.map(|op| (op, drop.state)),
        None => None,
    };
    launch(norm, plus, &After::Relu(dropout), eps)
}

/// What follows the sum.
enum After<'a> {
    Nothing,
    Relu(Option<(Dropout, &'a DropoutState)>),
}

fn launch(norm: &Norm<'_>, plus: &Plus<'_>, after: &After<'_>, eps: f32) -> Result<(Tensor, [BatchStats; 2])> {
    let added = match plus {
        Plus::Nothing => None,
        Plus::Tensor(z) => Some(*z),
        Plus::Norm(second) => Some(second.x),
    };
    let eval = norm.running.is_some();
    let mixed = matches!(plus, Plus::Norm(second) if second.running.is_some() != eval);
    if let Some(z) = added.filter(|z| mixed || z.shape() != norm.x.shape()) {
        return Err(Error::shape(
            "batch_norm",
            format!("{:?} added to {:?}", z.shape(), norm.x.shape()),
            "two tensors of one shape, both in training or both in evaluation",
            "the shortcut of a block needs the block's width and stride",
        ));
    }
    let first = norm.stats(eps)?;
    let mut inputs: Vec<&Tensor> = norm.inputs().collect();
    let mut stats = [first.clone(), first.clone()];
    let second = match plus {
        Plus::Nothing => Second::Nothing,
        Plus::Tensor(z) => {
            inputs.push(z);
            Second::Tensor
        }
        Plus::Norm(other) => {
            inputs.extend(other.inputs());
            stats[1] = other.stats(eps)?;
            Second::Norm(stats[1].kept("batch_norm", "statistics"))
        }
    };
    let (relu, dropout) = match after {
        After::Nothing => (false, None),
        After::Relu(dropout) => (true, dropout.as_ref()),
    };
    inputs.extend(dropout.map(|(_, state)| state.tensor()));
    let first = first.kept("batch_norm", "statistics");
    let op = BatchNorm { eps, relu, eval, first, second, dropout: dropout.map(|(op, _)| *op) };
    Ok((apply(op, &inputs)?, stats))
}

/// Moves the running estimates towards a batch's statistics, in place: `r = (1 - momentum) r + momentum batch`.
pub fn update_running(stats: &BatchStats, mean: &Tensor, variance: &Tensor, momentum: f32) -> Result<()> {
    check_floats("update_running", &[stats, mean, variance])?;
    if stats.shape() != [5, mean.numel()] || mean.shape() != variance.shape() {
        return Err(Error::shape(
            "update_running",
            format!("statistics {:?}, mean {:?}, variance {:?}", stats.shape(), mean.shape(), variance.shape()),
            "statistics [5, C], mean and variance [C]",
            "the statistics are those that batch_norm_train returns",
        ));
    }
    no_grad(|| {
        call(&RUNNING, mean.gpu(), [1, mean.numel(), 1], false)
            .float("momentum", momentum)
            .bind("norm", stats)
            .bind("running_mean", mean)
            .bind("running_variance", variance)
            .cost(6.0 * mean.numel() as f64, 24.0 * mean.numel() as f64)
            .run()
    })
}
