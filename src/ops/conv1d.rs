//! 1-D convolution and the multiresolution branches: several kernels over one
//! input, written side by side into one output without a copy. A plain
//! convolution is the case of one branch.
//!
//! Three operations, bilinear and each other's derivatives: the convolution and
//! its gradients with respect to the input and to one branch's weight. Each has two
//! versions: `plain.rs`, for every adapter and every shape, and `tile.rs`, in
//! register tiles for adapters whose workgroup is best one subgroup.

mod cases;
mod plain;
mod tile;

pub(super) use cases::{branches_cases, cases, input_grad_cases, weight_grad_cases};

use super::{Forward, Op, Saved, apply, pad, slice};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, lock};
use crate::tensor::{DType, Tensor};
use std::sync::Mutex;

/// Stride, groups and, a branch each, dilation and padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvSpec {
    /// Step of the output in input samples; the same for all branches.
    pub stride: usize,
    /// Groups of channels that do not see each other; 1 is the ordinary convolution.
    pub groups: usize,
    /// The branches, in the order of their channels in the output.
    pub branches: Vec<Branch>,
}

/// What may differ from branch to branch beside the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// Distance of the taps in samples.
    pub dilation: usize,
    /// Zeros before the input.
    pub pad_left: usize,
    /// Zeros after the input.
    pub pad_right: usize,
}

impl Branch {
    /// Padding `dilation * (kernel - 1)` in all, so that stride 1 keeps the length; the odd sample goes to the right.
    pub fn same(kernel: usize, dilation: usize) -> Self {
        let total = dilation * (kernel - 1);
        Self { dilation, pad_left: total / 2, pad_right: total - total / 2 }
    }

    fn out_len(self, len: usize, kernel: usize, stride: usize) -> Option<usize> {
        let room = (len + self.pad_left + self.pad_right).checked_sub(self.dilation * (kernel - 1) + 1)?;
        Some(room / stride + 1)
    }
}

/// Sizes of one branch, as the launches need them.
struct Sizes {
    batch: usize,
    c_in: usize,
    len: usize,
    out_len: usize,
    in_g: usize,
    out_g: usize,
    kernel: usize,
    /// Channels of the whole output, and the first of this branch.
    channels: usize,
    first: usize,
    /// `m = S / gcd(S, D)` and `q = D / gcd(S, D)`, see the shaders.
    m: usize,
    q: usize,
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl ConvSpec {
    /// One branch.
    pub fn single(stride: usize, groups: usize, branch: Branch) -> Self {
        Self { stride, groups, branches: vec![branch] }
    }

    fn check(&self, c_in: usize, len: usize, weights: &[&[usize]]) -> Result<usize> {
        let bad = |found: String, expected: &str, hint: &str| Err(Error::shape("conv1d", found, expected, hint));
        if self.stride == 0 || self.groups == 0 || self.branches.iter().any(|b| b.dilation == 0) {
            return bad(format!("{self:?}"), "stride, groups and dilation of at least 1", "0 has no meaning here");
        }
        if weights.len() != self.branches.len() || weights.is_empty() {
            return bad(format!("{} weights", weights.len()), "one weight a branch", "give one Branch for each kernel");
        }
        let mut out_len = None;
        for (w, branch) in weights.iter().zip(&self.branches) {
            let fits = w.len() == 3
                && c_in.is_multiple_of(self.groups)
                && w[1] * self.groups == c_in
                && w[0].is_multiple_of(self.groups);
            if !fits {
                return bad(
                    format!("input with {c_in} channels, weight {w:?}, {} groups", self.groups),
                    "weight [C_out, C_in / groups, K] with C_in and C_out multiples of groups",
                    "the weight's second dimension counts the channels of one group",
                );
            }
            let Some(t) = branch.out_len(len, w[2], self.stride) else {
                return bad(
                    format!(
                        "{len} samples, kernel {}, dilation {}, padding {} + {}",
                        w[2], branch.dilation, branch.pad_left, branch.pad_right
                    ),
                    "an input at least as long as the dilated kernel",
                    "use longer strips, a smaller kernel or more padding",
                );
            };
            if *out_len.get_or_insert(t) != t {
                return bad(
                    format!("branches of {} and {t} samples", out_len.unwrap_or(t)),
                    "branches of equal output length",
                    "pad each branch with Branch::same",
                );
            }
        }
        Ok(out_len.unwrap_or(0))
    }

    fn sizes(&self, j: usize, batch: usize, c_in: usize, len: usize, out_len: usize, weights: &[&[usize]]) -> Sizes {
        let w = weights[j];
        let d = gcd(self.stride, self.branches[j].dilation);
        Sizes {
            batch,
            c_in,
            len,
            out_len,
            in_g: c_in / self.groups,
            out_g: w[0] / self.groups,
            kernel: w[2],
            channels: weights.iter().map(|w| w[0]).sum(),
            first: weights[..j].iter().map(|w| w[0]).sum(),
            m: self.stride / d,
            q: self.branches[j].dilation / d,
        }
    }

    /// Rows of `x` and of the output's gradient `g` for the gradients in register tiles; `None` where they go the plain way.
    fn pack(&self, x: &Tensor, g: &Tensor, ws: &[&[usize]]) -> Result<Option<tile::Packed>> {
        let Some(lanes) = tile::lanes(x.gpu(), self, ws) else { return Ok(None) };
        let size = |j| self.sizes(j, x.dim(0), x.dim(1), x.dim(2), g.dim(2), ws);
        let sizes: Vec<Sizes> = (0..ws.len()).map(size).collect();
        tile::pack(x.gpu(), self, (x, g), &sizes, lanes).map(Some)
    }

    /// [`ConvSpec::pack`] where the gradient of a weight is wanted: that of the input alone reads fewer rows.
    fn pack_for(&self, needs: &[bool], x: &Tensor, g: &Tensor, weights: &[Tensor]) -> Result<Option<tile::Packed>> {
        let shapes: Vec<&[usize]> = weights.iter().map(Tensor::shape).collect();
        if needs.contains(&true) { self.pack(x, g, &shapes) } else { Ok(None) }
    }

    /// All branches, in register tiles where the adapter and the shapes allow it.
    fn launch_all(
        &self,
        gpu: &Gpu,
        way: Way,
        (src, weights, dst): (&Tensor, &[&Tensor], &Tensor),
        (sizes, rows): (&[Sizes], Option<&tile::Rows>),
    ) -> Result<()> {
        if let Some(lanes) = tile::lanes(gpu, self, &shapes(weights)) {
            return tile::launch(gpu, self, way == Way::InputGrad, (src, weights, dst), (sizes, rows), lanes);
        }
        weights.iter().zip(sizes).enumerate().try_for_each(|(j, (w, s))| self.launch(gpu, way, [src, w, dst], j, s))
    }
}

/// Which of the two things that `shaders/conv1d.wgsl` computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    InputGrad,
}

fn shapes<'a>(weights: &[&'a Tensor]) -> Vec<&'a [usize]> {
    weights.iter().map(|w| w.shape()).collect()
}

/// Inputs: x `[B, C_in, L]`, one weight `[C_j, C_in/G, K_j]` a branch. Output `[B, sum C_j, T]`.
#[derive(Debug)]
struct Conv {
    spec: ConvSpec,
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        "conv1d"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, ws) = (inputs[0], shapes(&inputs[1..]));
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
        let y = Tensor::empty(gpu, &[b, ws.iter().map(|w| w[0]).sum(), t], DType::F32)?;
        let sizes: Vec<Sizes> = (0..ws.len()).map(|j| self.spec.sizes(j, b, c, l, t, &ws)).collect();
        self.spec.launch_all(gpu, Way::Forward, (x, &inputs[1..], &y), (&sizes, None))?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, ws) = (&s.inputs[0], &s.inputs[1..]);
        let packed = self.spec.pack_for(&s.needs[1..], x, grad, ws)?;
        let dx = if s.needs[0] { Some(input_grad(&self.spec, grad, ws, x.dim(2), packed.clone())?) } else { None };
        let mut all = vec![dx];
        all.extend(weight_grads(&self.spec, x, grad, ws, &s.needs[1..], packed)?);
        Ok(all)
    }
}

/// Inputs: g `[B, sum C_j, T]`, the weights. Output `[B, C_in, L]`.
#[derive(Debug)]
struct InputGrad {
    spec: ConvSpec,
    len: usize,
    /// Rows of g for the register tiles, where they were made before. Let go when used: the history need not hold them.
    packed: Mutex<Option<tile::Packed>>,
}

fn input_grad(
    spec: &ConvSpec,
    g: &Tensor,
    weights: &[Tensor],
    len: usize,
    packed: Option<tile::Packed>,
) -> Result<Tensor> {
    let mut inputs = vec![g];
    inputs.extend(weights);
    apply(InputGrad { spec: spec.clone(), len, packed: Mutex::new(packed) }, &inputs)
}

impl Op for InputGrad {
    fn name(&self) -> &'static str {
        "conv1d_input_grad"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (g, ws) = (inputs[0], shapes(&inputs[1..]));
        let (b, c, t) = (g.dim(0), ws[0][1] * self.spec.groups, g.dim(2));
        let dx = Tensor::empty(gpu, &[b, c, self.len], DType::F32)?;
        let sizes: Vec<Sizes> = (0..ws.len()).map(|j| self.spec.sizes(j, b, c, self.len, t, &ws)).collect();
        let packed = lock(&self.packed).take();
        let rows = packed.as_ref().map(|p| &p.g);
        self.spec.launch_all(gpu, Way::InputGrad, (g, &inputs[1..], &dx), (&sizes, rows))?;
        Ok(dx.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (g, ws) = (&s.inputs[0], &s.inputs[1..]);
        let mut inputs = vec![grad];
        inputs.extend(ws);
        let dg = if s.needs[0] { Some(apply(Conv { spec: self.spec.clone() }, &inputs)?) } else { None };
        let mut all = vec![dg];
        let packed = self.spec.pack_for(&s.needs[1..], grad, g, ws)?;
        all.extend(weight_grads(&self.spec, grad, g, ws, &s.needs[1..], packed)?);
        Ok(all)
    }
}

/// Inputs: x `[B, C_in, L]`, g `[B, sum C_j, T]`. Output: the gradient of weight `j`, `[C_j, C_in/G, K_j]`.
#[derive(Debug)]
struct WeightGrad {
    spec: ConvSpec,
    j: usize,
    weights: Vec<Vec<usize>>,
    /// Rows of x and g for the register tiles; let go when used.
    packed: Mutex<Option<tile::Packed>>,
}

fn weight_grads(
    spec: &ConvSpec,
    x: &Tensor,
    g: &Tensor,
    weights: &[Tensor],
    needs: &[bool],
    packed: Option<tile::Packed>,
) -> Result<Vec<Option<Tensor>>> {
    let shapes: Vec<Vec<usize>> = weights.iter().map(|w| w.shape().to_vec()).collect();
    let one = |j: usize| {
        let op = WeightGrad { spec: spec.clone(), j, weights: shapes.clone(), packed: Mutex::new(packed.clone()) };
        apply(op, &[x, g])
    };
    needs.iter().enumerate().map(|(j, &need)| if need { one(j).map(Some) } else { Ok(None) }).collect()
}

impl Op for WeightGrad {
    fn name(&self) -> &'static str {
        "conv1d_weight_grad"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, g) = (inputs[0], inputs[1]);
        let ws: Vec<&[usize]> = self.weights.iter().map(Vec::as_slice).collect();
        let sizes = self.spec.sizes(self.j, x.dim(0), x.dim(1), x.dim(2), g.dim(2), &ws);
        let dw = Tensor::empty(gpu, ws[self.j], DType::F32)?;
        let made = lock(&self.packed).take();
        let packed = if made.is_some() { made } else { self.spec.pack(x, g, &ws)? };
        match packed {
            Some(packed) => tile::launch_weight_grad(gpu, &self.spec, (&packed, &dw), (self.j, &sizes))?,
            None => self.spec.launch_weight_grad(gpu, x, g, &dw, self.j, &sizes)?,
        }
        Ok(dw.into())
    }

    /// Both derivatives are convolutions with the incoming gradient in the weight's place, of this branch alone.
    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&s.inputs[0], &s.inputs[1]);
        let first: usize = self.weights[..self.j].iter().map(|w| w[0]).sum();
        let end = first + self.weights[self.j][0];
        let one = ConvSpec::single(self.spec.stride, self.spec.groups, self.spec.branches[self.j]);
        let dx = if s.needs[0] {
            Some(input_grad(&one, &slice(g, 1, first, end)?, std::slice::from_ref(grad), x.dim(2), None)?)
        } else {
            None
        };
        let dg = if s.needs[1] {
            let part = apply(Conv { spec: one }, &[x, grad])?;
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
/// # Errors
/// [`Error::Shape`] if the shapes do not fit; [`Error::Gpu`].
pub fn conv1d(x: &Tensor, weight: &Tensor, stride: usize, groups: usize, branch: Branch) -> Result<Tensor> {
    branches(x, &[weight], &ConvSpec::single(stride, groups, branch))
}

/// Several convolutions over one input, their outputs side by side: `[B, sum C_j, T]` for weights
/// `[C_j, C_in / groups, K_j]`.
///
/// # Errors
/// As [`conv1d`], and where the branches' output lengths differ.
pub fn branches(x: &Tensor, weights: &[&Tensor], spec: &ConvSpec) -> Result<Tensor> {
    let mut inputs = vec![x];
    inputs.extend(weights);
    apply(Conv { spec: spec.clone() }, &inputs)
}
