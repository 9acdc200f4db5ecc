//! 1-D convolution and the multiresolution branches: several kernels over one
//! input, written side by side into one output without a copy. A plain
//! convolution is the case of one branch.
//!
//! Three operations, bilinear and each other's derivatives: the convolution and
//! its gradients with respect to the input and to one branch's weight. `family.rs` says what the kernels' files may ask
//! for, `spec.rs` what is to be done, `way.rs` which version does it. Versions read their signals as they are (`plain.rs`)
//! or from padded rows (`rows.rs`), direct (`sum.rs`) or as a fast convolution with fewer multiplications (`fast.rs`).

mod cases;
mod family;
mod fast;
mod layout_cases;
mod oracle;
mod plain;
mod rows;
mod spec;
mod sum;
mod way;

pub(crate) use cases::{ConvShape, branches_input_grad_case, conv_case};
pub(super) use cases::{branches_cases, branches_relu_cases, cases, input_grad_cases, weight_grad_cases};
pub(super) use family::{CONV1D_FAMILY, INPUT_GRAD_FAMILY, LAYOUTS_FAMILY, WEIGHT_GRAD_FAMILY};
pub(super) use layout_cases::layout_cases;

use super::{About, Forward, Op, Saved, apply, gate, pad, reshape, slice, sum};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, lock};
use crate::tensor::{DType, Tensor};
pub use spec::{Branch, ConvSpec, Pass, Precision};
use spec::{Sizes, gcd};
use std::sync::{Arc, Mutex};
use way::{GradRows, SharedRows};

fn shapes<'a>(weights: &[&'a Tensor]) -> Vec<&'a [usize]> {
    weights.iter().map(|w| w.shape()).collect()
}

/// Inputs: x `[B, C_in, L]`, one weight `[C_j, C_in/G, K_j]` a branch, with `relu` a bias `[sum C_j]`. Output
/// `[B, sum C_j, T]`.
struct Conv {
    spec: ConvSpec,
    /// Ends with `max(0, . + bias)`.
    relu: bool,
    /// Rows of x, for other convolutions of it and for the gradients.
    rows: SharedRows,
}

impl Conv {
    fn new(spec: ConvSpec) -> Self {
        Self { spec, relu: false, rows: Arc::default() }
    }

    /// The input, the weights, and the bias where there is one.
    fn split<'a>(&self, inputs: &'a [&'a Tensor]) -> (&'a Tensor, &'a [&'a Tensor], Option<&'a Tensor>) {
        let (weights, bias) = inputs[1..].split_at(inputs.len() - 1 - usize::from(self.relu));
        (inputs[0], weights, bias.first().copied())
    }
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        Pass::Forward.name()
    }

    fn about(&self) -> About<'_> {
        About::Convolutions { spec: &self.spec, biased: self.relu }
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, weights, bias) = self.split(inputs);
        let ws = shapes(weights);
        if x.rank() != 3 {
            return Err(Error::shape(
                "conv1d",
                format!("input {:?}", x.shape()),
                "[B, C_in, L]",
                "reshape a strip to [1, 1, L]",
            ));
        }
        let [b, c, l] = [x.dim(0), x.dim(1), x.dim(2)];
        let t = self.spec.check(c, l, &ws)?;
        let channels = ws.iter().map(|w| w[0]).sum();
        if let Some(bias) = bias.filter(|bias| bias.shape() != [channels]) {
            return Err(Error::shape(
                "conv1d",
                format!("bias {:?}", bias.shape()),
                format!("[{channels}]"),
                "a bias has one value a channel of the output, those of all branches",
            ));
        }
        let y = Tensor::empty(gpu, &[b, channels, t], DType::F32)?;
        let sizes = self.spec.sizes([b, c, l], t, &ws);
        let way = self.spec.way(gpu, Pass::Forward, &ws, &sizes)?;
        way.forward(gpu, (x, &self.rows), (weights, bias), &y, &sizes)?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, ws) = (&s.inputs[0], &s.inputs[1..]);
        if !self.relu {
            return gradients(&self.spec, (x, &self.rows), grad, ws, s.needs);
        }
        let g = gate(grad, s.output)?;
        let (bias, needs) = (&ws[ws.len() - 1], &s.needs[..ws.len()]);
        let mut all = gradients(&self.spec, (x, &self.rows), &g, &ws[..ws.len() - 1], needs)?;
        all.push(if s.needs[ws.len()] { Some(reshape(&sum(&g, &[0, 2])?, bias.shape())?) } else { None });
        Ok(all)
    }
}

/// Gradients of a convolution of `x` with respect to `x` and the weights, where `needs` says so; `g` is the output's.
fn gradients(
    spec: &ConvSpec,
    (x, rows): (&Tensor, &SharedRows),
    g: &Tensor,
    weights: &[Tensor],
    needs: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let shapes: Vec<&[usize]> = weights.iter().map(Tensor::shape).collect();
    let sizes = spec.sizes([x.dim(0), x.dim(1), x.dim(2)], g.dim(2), &shapes);
    let grad_rows = spec.way(x.gpu(), Pass::WeightGrad, &shapes, &sizes)?.grad_rows(x.gpu(), g, rows, &sizes)?;
    let mut all = vec![None];
    if needs[0] {
        all[0] = Some(input_grad(spec, g, weights, x.dim(2), grad_rows.clone())?);
    }
    for (j, &need) in needs[1..].iter().enumerate() {
        let op = WeightGrad {
            spec: spec.clone(),
            j,
            weights: shapes.iter().map(|w| w.to_vec()).collect(),
            rows: Mutex::new(Some((rows.clone(), grad_rows.clone()))),
        };
        all.push(if need { Some(apply(op, &[x, g])?) } else { None });
    }
    Ok(all)
}

/// Inputs: g `[B, sum C_j, T]`, the weights. Output `[B, C_in, L]`.
struct InputGrad {
    spec: ConvSpec,
    len: usize,
    /// Rows of g for the tiles, where they were made before. Let go when used: the history need not hold them.
    rows: Mutex<GradRows>,
}

fn input_grad(spec: &ConvSpec, g: &Tensor, weights: &[Tensor], len: usize, rows: GradRows) -> Result<Tensor> {
    let mut inputs = vec![g];
    inputs.extend(weights);
    apply(InputGrad { spec: spec.clone(), len, rows: Mutex::new(rows) }, &inputs)
}

impl Op for InputGrad {
    fn name(&self) -> &'static str {
        Pass::InputGrad.name()
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (g, ws) = (inputs[0], shapes(&inputs[1..]));
        let (b, c, t) = (g.dim(0), ws[0][1] * self.spec.groups, g.dim(2));
        let dx = Tensor::empty(gpu, &[b, c, self.len], DType::F32)?;
        let sizes = self.spec.sizes([b, c, self.len], t, &ws);
        let rows = std::mem::take(&mut *lock(&self.rows));
        self.spec.way(gpu, Pass::InputGrad, &ws, &sizes)?.input_grad(gpu, (g, rows), &inputs[1..], &dx, &sizes)?;
        Ok(dx.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (g, ws) = (&s.inputs[0], &s.inputs[1..]);
        let mut inputs = vec![grad];
        inputs.extend(ws);
        let conv = Conv::new(self.spec.clone());
        let rows = conv.rows.clone();
        let dg = if s.needs[0] { Some(apply(conv, &inputs)?) } else { None };
        let needs: Vec<bool> = std::iter::once(false).chain(s.needs[1..].iter().copied()).collect();
        let mut all = if needs.contains(&true) {
            gradients(&self.spec, (grad, &rows), g, ws, &needs)?
        } else {
            vec![None; s.needs.len()]
        };
        all[0] = dg;
        Ok(all)
    }
}

/// Inputs: x `[B, C_in, L]`, g `[B, sum C_j, T]`. Output: the gradient of weight `j`, `[C_j, C_in/G, K_j]`.
struct WeightGrad {
    spec: ConvSpec,
    j: usize,
    weights: Vec<Vec<usize>>,
    /// Rows of x and g for the tiles; let go when used.
    rows: Mutex<Option<(SharedRows, GradRows)>>,
}

impl Op for WeightGrad {
    fn name(&self) -> &'static str {
        Pass::WeightGrad.name()
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, g) = (inputs[0], inputs[1]);
        let ws: Vec<&[usize]> = self.weights.iter().map(Vec::as_slice).collect();
        let sizes = self.spec.sizes([x.dim(0), x.dim(1), x.dim(2)], g.dim(2), &ws);
        let dw = Tensor::empty(gpu, ws[self.j], DType::F32)?;
        let (rows, grad_rows) = lock(&self.rows).take().unwrap_or_default();
        let way = self.spec.way(gpu, Pass::WeightGrad, &ws, &sizes)?;
        way.weight_grad(gpu, (x, &rows), (g, grad_rows), (&dw, self.j, &sizes))?;
        Ok(dw.into())
    }

    /// Both derivatives are convolutions with the incoming gradient in the weight's place, of this branch alone.
    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&s.inputs[0], &s.inputs[1]);
        let first: usize = self.weights[..self.j].iter().map(|w| w[0]).sum();
        let end = first + self.weights[self.j][0];
        let one = ConvSpec::single(self.spec.stride, self.spec.groups, self.spec.branches[self.j]);
        let dx = if s.needs[0] {
            let part = slice(g, 1, first, end)?;
            Some(input_grad(&one, &part, std::slice::from_ref(grad), x.dim(2), GradRows::default())?)
        } else {
            None
        };
        let dg = if s.needs[1] {
            let part = apply(Conv::new(one), &[x, grad])?;
            Some(pad(&part, 1, first, g.dim(1) - end)?)
        } else {
            None
        };
        Ok(vec![dx, dg])
    }
}

/// 1-D convolution (cross-correlation) of `x` `[B, C_in, L]` with `weight` `[C_out, C_in / groups, K]`:
/// `[B, C_out, T]`, `T = (L + pad_left + pad_right - dilation (K - 1) - 1) / stride + 1`.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let x = Tensor::from_f32(&gpu, &[1, 1, 5], &[0., 0., 1., 2., 0.])?;
/// let difference = Tensor::from_f32(&gpu, &[1, 1, 2], &[-1., 1.])?;
/// // `same` keeps the length: of an even kernel's padding the odd sample goes to the right
/// let y = ops::conv1d(&x, &difference, 1, 1, Branch::same(2, 1))?;
/// assert_eq!(y.to_vec()?, [0., 1., 1., -2., 0.]);
/// # Ok::<(), Error>(())
/// ```
pub fn conv1d(x: &Tensor, weight: &Tensor, stride: usize, groups: usize, branch: Branch) -> Result<Tensor> {
    branches(x, &[weight], &ConvSpec::single(stride, groups, branch))
}

/// `x` `[B, C, L]` with `w` `[O, C, 1]` in tiles, `[B, O, L]`; `None` where a version is chosen that reads no rows.
pub(super) fn one_tap(x: &Tensor, w: &Tensor) -> Result<Option<Tensor>> {
    let (gpu, spec) = (x.gpu(), ConvSpec::single(1, 1, Branch::same(1, 1)));
    let [b, c, l] = [x.dim(0), x.dim(1), x.dim(2)];
    let sizes = spec.sizes([b, c, l], l, &[w.shape()]);
    let way = spec.way(gpu, Pass::Forward, &[w.shape()], &sizes)?;
    if way.layout(0) == "plain" {
        return Ok(None);
    }
    let y = Tensor::empty(gpu, &[b, w.dim(0), l], DType::F32)?;
    way.forward(gpu, (x, &SharedRows::default()), (&[w], None), &y, &sizes)?;
    Ok(Some(y))
}

/// Several convolutions over one input, their outputs, of one length, side by side: `[B, sum C_j, T]` for weights
/// `[C_j, C_in / groups, K_j]`.
pub fn branches(x: &Tensor, weights: &[&Tensor], spec: &ConvSpec) -> Result<Tensor> {
    ConvInput::new(x).branches(weights, spec)
}

/// The input of several convolutions, which is laid out for them once.
#[derive(Debug)]
pub struct ConvInput<'a> {
    x: &'a Tensor,
    rows: SharedRows,
}

impl<'a> ConvInput<'a> {
    /// Input `x` `[B, C_in, L]`.
    pub fn new(x: &'a Tensor) -> Self {
        Self { x, rows: Arc::default() }
    }

    /// As [`branches`], of this input.
    pub fn branches(&self, weights: &[&Tensor], spec: &ConvSpec) -> Result<Tensor> {
        let mut inputs = vec![self.x];
        inputs.extend(weights);
        apply(Conv { spec: spec.clone(), relu: false, rows: self.rows.clone() }, &inputs)
    }

    /// `max(0, branches + bias)` for a `bias` `[sum C_j]`, in one pass: a layer whose normalisation is folded into its
    /// weights.
    pub fn branches_relu(&self, weights: &[&Tensor], bias: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
        let mut inputs = vec![self.x];
        inputs.extend(weights);
        inputs.push(bias);
        apply(Conv { spec: spec.clone(), relu: true, rows: self.rows.clone() }, &inputs)
    }
}

/// An error where `g` is not the gradient of an output of this shape.
fn check_gradient(pass: Pass, g: &Tensor, output: [usize; 3]) -> Result<()> {
    if g.shape() == output {
        return Ok(());
    }
    let expected = format!("{output:?}, the output's");
    Err(Error::shape(
        pass.name(),
        format!("a gradient of shape {:?}", g.shape()),
        expected,
        "take that of the same convolution",
    ))
}

/// Gradient of [`branches`] with respect to an input of `len` samples, from the output's gradient `g`.
pub fn branches_input_grad(g: &Tensor, weights: &[&Tensor], spec: &ConvSpec, len: usize) -> Result<Tensor> {
    let c_in = weights.first().map_or(0, |w| w.dim(1)) * spec.groups;
    let t = spec.check(c_in, len, &shapes(weights))?;
    check_gradient(Pass::InputGrad, g, [g.dim(0), weights.iter().map(|w| w.dim(0)).sum(), t])?;
    let weights: Vec<Tensor> = weights.iter().map(|&w| w.clone()).collect();
    input_grad(spec, g, &weights, len, GradRows::default())
}

/// Gradient of [`conv1d`] with respect to a weight of shape `weight`, from its input and its output's gradient `g`.
pub fn conv1d_weight_grad(x: &Tensor, g: &Tensor, weight: [usize; 3], spec: &ConvSpec) -> Result<Tensor> {
    let t = spec.check(x.dim(1), x.dim(2), &[&weight])?;
    check_gradient(Pass::WeightGrad, g, [x.dim(0), weight[0], t])?;
    apply(WeightGrad { spec: spec.clone(), j: 0, weights: vec![weight.to_vec()], rows: Mutex::default() }, &[x, g])
}
