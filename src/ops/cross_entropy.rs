//! Softmax cross-entropy with class weights and label smoothing
//! (`shaders/losses`), and the plain softmax.

use super::family::{Family, Kernel};
use super::{
    Array, Forward, Op, Saved, apply, backward_of_composed, check_floats, check_types, div, exp, log, max, mul, sub,
    sum,
};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};

const CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    formula: "loss = sum over b, c of t[b, c] (logsumexp(x[b]) - x[b, c])",
    operands: &[("x", "[batch, classes]"), ("t", "[batch, classes]"), ("loss", "[1]")],
    sizes: &[("batch", 5), ("classes", 4)],
    ..Kernel::of("losses")
};

const CROSS_ENTROPY_GRAD: Kernel = Kernel {
    name: "cross_entropy_grad",
    formula: "y[b, c] = g (softmax(x[b])[c] sum over k of t[b, k] - t[b, c])",
    operands: &[("x", "[batch, classes]"), ("t", "[batch, classes]"), ("g", "[1]"), ("y", "[batch, classes]")],
    sizes: &[("batch", 5), ("classes", 4)],
    ..Kernel::of("losses")
};

const SOFT_TARGETS: Kernel = Kernel {
    name: "soft_targets",
    formula: "y[b, c] = ((1 - smoothing) w[y_b] [c = y_b] + smoothing / classes w[c]) / sum over b of w[y_b], y_b the label",
    operands: &[("labels", "[batch]"), ("weights", "[classes]"), ("y", "[batch, classes]")],
    sizes: &[("batch", 5), ("classes", 4)],
    floats: &[("smoothing", 0.1)],
    ..Kernel::of("losses")
};

pub(super) const FAMILY: Family = Family {
    name: "losses",
    kernels: &[&CROSS_ENTROPY, &CROSS_ENTROPY_GRAD, &SOFT_TARGETS],
    operations: &["cross_entropy"],
};

/// Inputs: logits `[B, K]`, targets `[B, K]` (constant). Output `[1]`.
struct CrossEntropy;

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let loss = Tensor::empty(gpu, &[1], DType::F32)?;
        let (x, t) = (inputs[0], inputs[1]);
        CROSS_ENTROPY
            .at(gpu, x.shape())
            .ints(&[("batch", x.dim(0)), ("classes", x.dim(1))])
            .bind("x", x)
            .bind("t", t)
            .bind("loss", &loss)
            .cost(4.0 * x.numel() as f64, 8.0 * x.numel() as f64)
            .run()?;
        Ok(loss.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(apply(LogitGrad, &[&s.inputs[0], &s.inputs[1], grad])?), None])
    }
}

/// Inputs: logits, targets (constant), gradient of the loss `[1]`. Output `[B, K]`.
struct LogitGrad;

impl Op for LogitGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, t, g) = (inputs[0], inputs[1], inputs[2]);
        let y = Tensor::empty(gpu, x.shape(), DType::F32)?;
        CROSS_ENTROPY_GRAD
            .at(gpu, x.shape())
            .ints(&[("batch", x.dim(0)), ("classes", x.dim(1))])
            .bind("x", x)
            .bind("t", t)
            .bind("g", g)
            .bind("y", &y)
            .cost(4.0 * x.numel() as f64, 12.0 * x.numel() as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        backward_of_composed(s, grad, |inputs| {
            let (x, t, g) = (&inputs[0], &inputs[1], &inputs[2]);
            mul(&sub(&mul(&softmax(x)?, &sum(t, &[1])?)?, t)?, g)
        })
    }
}

/// Softmax over the classes of `[B, K]`.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    check_floats("softmax", &[logits])?;
    let e = exp(&sub(logits, &max(logits, 1)?.detach())?)?;
    div(&e, &sum(&e, &[1])?)
}

/// Logarithm of the softmax over the classes of `[B, K]`.
pub fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    check_floats("log_softmax", &[logits])?;
    let shifted = sub(logits, &max(logits, 1)?.detach())?;
    sub(&shifted, &log(&sum(&exp(&shifted)?, &[1])?)?)
}

/// Soft targets `[B, K]` for [`cross_entropy`] from integer `labels` `[B]` and class `weights` `[K]`, divided by the sum
/// of the batch's weights (PyTorch's weighted mean); `smoothing` moves that share of each target to all classes.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit, and for a label of a class that there is not: at once, or, in a recording, when
/// it is replayed. Labels that the host did not write are read back for that. [`Error::Gpu`].
pub fn cross_entropy_targets(labels: &Tensor, weights: &Tensor, smoothing: f32) -> Result<Tensor> {
    check_types("cross_entropy", &[labels, weights], |i| Some(if i == 0 { DType::U32 } else { DType::F32 }))?;
    if labels.rank() != 1 || weights.rank() != 1 {
        return Err(Error::shape(
            "cross_entropy",
            format!("labels {:?}, weights {:?}", labels.shape(), weights.shape()),
            "integer labels [B] and weights [K]",
            "labels are made with Tensor::from_u32",
        ));
    }
    let (b, k) = (labels.dim(0), weights.dim(0));
    labels.gpu().require_below(labels.storage(), k, move |largest| {
        Error::shape(
            "cross_entropy",
            format!("label {largest} for {k} classes"),
            format!("labels 0 to {}", k - 1),
            "labels count from 0; give a weight for every class that occurs",
        )
    })?;
    let t = Tensor::empty(labels.gpu(), &[b, k], DType::F32)?;
    SOFT_TARGETS
        .at(labels.gpu(), &[b, k])
        .ints(&[("batch", b), ("classes", k)])
        .float("smoothing", smoothing)
        .bind("labels", labels)
        .bind("weights", weights)
        .bind("y", &t)
        .cost((b * k) as f64, 4.0 * (b + k + b * k) as f64)
        .run()?;
    Ok(t)
}

/// Cross-entropy of `logits` `[B, K]` against targets from [`cross_entropy_targets`]: a scalar `[1]`.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    check_floats("cross_entropy", &[logits, targets])?;
    if logits.rank() != 2 || logits.shape() != targets.shape() {
        return Err(Error::shape(
            "cross_entropy",
            format!("logits {:?}, targets {:?}", logits.shape(), targets.shape()),
            "both [B, K]",
            "make the targets with one weight for each class of the network",
        ));
    }
    apply(CrossEntropy, &[logits, targets])
}

/// The loss of logits `[b, k]`, with the making of its targets.
pub(crate) fn cross_entropy_case(b: usize, k: usize, weighted: bool, smoothing: f32) -> Case {
    let labels: Vec<u32> = (0..b).map(|i| ((i * 7 + i / 3 + 2) % k) as u32).collect();
    let weights: Vec<f32> = (0..k).map(|c| if weighted { 0.5 + (c * 5 % 7) as f32 / 4.0 } else { 1.0 }).collect();
    Case::new(
        format!("cross_entropy [{b}, {k}]{}, smoothing {smoothing}", if weighted { ", weighted" } else { "" }),
        vec![Input::normal(&[b, k], 121), Input::index(&[b], labels.clone()), Input::fixed(&[k], weights)],
        move |x| cross_entropy(&x[0], &cross_entropy_targets(&x[1], &x[2], smoothing)?),
        move |x| {
            let s = f64::from(smoothing);
            let w = &x[2].data;
            let mut loss = 0.0;
            let mut total = 0.0;
            for (row, &label) in x[0].data.chunks(k).zip(&labels) {
                let lse = row.iter().map(|v| v.exp()).sum::<f64>().ln();
                let y = label as usize;
                loss += (1.0 - s) * w[y] * (lse - row[y]);
                loss += s / k as f64 * row.iter().zip(w).map(|(v, w)| w * (lse - v)).sum::<f64>();
                total += w[y];
            }
            Array::scalar(loss / total)
        },
    )
    // logits and targets are read, the targets written
    .cost(8.0 * (b * k) as f64, 4.0 * (3 * b * k + b + k) as f64)
}

/// The targets themselves: the loss sees only their products with the logits.
fn targets_case(b: usize, k: usize) -> Case {
    let labels: Vec<u32> = (0..b).map(|i| ((i * 5 + 1) % k) as u32).collect();
    let weights: Vec<f32> = (0..k).map(|c| 0.5 + (c * 5 % 7) as f32 / 4.0).collect();
    Case::new(
        format!("targets of cross_entropy [{b}, {k}]"),
        vec![Input::index(&[b], labels), Input::fixed(&[k], weights)],
        |x| cross_entropy_targets(&x[0], &x[1], 0.2),
        move |x| {
            let (w, smoothing) = (&x[1].data, f64::from(0.2_f32));
            let total: f64 = x[0].data.iter().map(|&l| w[l as usize]).sum();
            Array::from_index(&[b, k], |at| {
                let hard = if x[0].data[at[0]] as usize == at[1] { (1.0 - smoothing) * w[at[1]] } else { 0.0 };
                (hard + smoothing / k as f64 * w[at[1]]) / total
            })
        },
    )
    .oracle_only()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (weighted, smoothing) in [(false, 0.0), (true, 0.0), (false, 0.1), (true, 0.25)] {
        cases.push(cross_entropy_case(5, 4, weighted, smoothing));
    }
    // fewer and more records than a group takes at once
    for (b, k) in [(1, 2), (9, 7), (33, 9), (65, 5), (300, 3)] {
        cases.push(cross_entropy_case(b, k, true, 0.1).along());
        cases.push(targets_case(b, k));
    }
    let cpu_softmax = |x: &Array| {
        let k = x.dim(1);
        let total = |b: usize| x.data[b * k..(b + 1) * k].iter().map(|v| v.exp()).sum::<f64>();
        Array::from_index(&x.shape, |at| x.broadcast_at(at).exp() / total(at[0]))
    };
    cases.push(Case::new(
        "softmax [3, 5]",
        vec![Input::normal(&[3, 5], 122)],
        |x| softmax(&x[0]),
        move |x| cpu_softmax(&x[0]),
    ));
    cases.push(Case::new(
        "log_softmax [3, 5]",
        vec![Input::normal(&[3, 5], 123)],
        |x| log_softmax(&x[0]),
        move |x| cpu_softmax(&x[0]).map(f64::ln),
    ));
    // Logits far apart: no overflow.
    cases.push(
        Case::new(
            "cross_entropy, logits of 200",
            vec![Input::fixed(&[2, 3], vec![200.0, -200.0, 0.0, 0.0, 200.0, 199.0]), Input::index(&[2], vec![1, 1])],
            |x| cross_entropy(&x[0], &cross_entropy_targets(&x[1], &Tensor::full(x[0].gpu(), &[3], 1.0)?, 0.0)?),
            |_| Array::scalar((400.0 + (1.0 + (-1f64).exp()).ln()) / 2.0),
        )
        .oracle_only(),
    );
    cases
}
