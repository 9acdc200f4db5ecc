//! Sums, means, maxima and minima over dimensions, and where those are (`shaders/reductions`).

use super::family::{Family, Kernel};
use super::{
    Array, Forward, Op, Saved, apply, check_floats, expand, linear, neg, place, reshape, scale, squeeze, sum_of_squares,
};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

const SUM: Kernel = Kernel {
    name: "sum",
    formula: "y[o, s, i] = sum over r in [s chunk, min(reduce, (s + 1) chunk)) of x[o, r, i], or (square) of its square",
    operands: &[("x", "[outer, reduce, inner]"), ("y", "[outer, chunks, inner]")],
    sizes: &[("outer", 2), ("reduce", 9), ("inner", 1), ("chunks", 2), ("chunk", 5), ("square", 0)],
    ..Kernel::of("reductions")
};

const MAXIMUM: Kernel = Kernel {
    name: "maximum",
    formula: "y[o, i] = max over r of x[o, r, i], at[o, i] the first r that has it",
    operands: &[("x", "[outer, reduce, inner]"), ("y", "[outer, inner]"), ("at", "[outer, inner]")],
    sizes: &[("outer", 2), ("reduce", 9), ("inner", 3), ("chunks", 1), ("chunk", 9)],
    ..Kernel::of("reductions")
};

pub(super) const FAMILY: Family = Family { name: "reductions", kernels: &[&SUM, &MAXIMUM], operations: &["reduce"] };

/// Longest sum done in one launch; longer ones are cut into chunks and those summed.
const CHUNK: usize = 4096;

/// What is summed: the value or its square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Value,
    Square,
}

/// Sums the middle dimension of `x` seen as `[outer, reduce, inner]` into `out` (`outer * inner` elements).
pub(super) fn launch_sum(x: &Tensor, dims: [usize; 3], term: Term, out: &Tensor) -> Result<()> {
    let [outer, reduce, inner] = dims;
    let chunks = reduce.div_ceil(CHUNK);
    if chunks == 1 {
        return launch_chunks(x, dims, term, 1, out);
    }
    let part = Tensor::empty(x.gpu(), &[outer, chunks, inner], DType::F32)?;
    launch_chunks(x, dims, term, chunks, &part)?;
    launch_sum(&part, [outer, chunks, inner], Term::Value, out)
}

fn launch_chunks(x: &Tensor, dims: [usize; 3], term: Term, chunks: usize, out: &Tensor) -> Result<()> {
    let [outer, reduce, inner] = dims;
    SUM.at(x.gpu(), &dims)
        .ints(&[
            ("outer", outer),
            ("reduce", reduce),
            ("inner", inner),
            ("chunks", chunks),
            ("chunk", reduce.div_ceil(chunks)),
        ])
        .flag("square", term == Term::Square)
        .bind("x", x)
        .bind("y", out)
        .cost((outer * reduce * inner) as f64, 4.0 * (outer * (reduce + chunks) * inner) as f64)
        .run()
}

/// `[outer, reduce, inner]` for dimension `d` of a shape.
pub(super) fn around(shape: &[usize], d: usize) -> [usize; 3] {
    [numel(&shape[..d]), shape[d], numel(&shape[d + 1..])]
}

/// Sum over one dimension, which stays with extent 1.
fn sum_dim(x: &Tensor, dim: usize) -> Result<Tensor> {
    let forward = move |x: &[&Tensor]| {
        let mut shape = x[0].shape().to_vec();
        shape[dim] = 1;
        let y = Tensor::empty(x[0].gpu(), &shape, DType::F32)?;
        launch_sum(x[0], around(x[0].shape(), dim), Term::Value, &y).map(|()| y)
    };
    linear("sum", &[x], forward, |g, x| expand(g, x[0].shape()))
}

pub(super) fn check_dims(op: &str, x: &Tensor, dims: &[usize]) -> Result<()> {
    let sorted = dims.windows(2).all(|w| w[0] < w[1]);
    if dims.is_empty() || !sorted || dims.iter().any(|&d| d >= x.rank()) {
        return Err(Error::shape(
            op,
            format!("dimensions {dims:?} of a tensor of shape {:?}", x.shape()),
            "increasing numbers below its rank",
            "dimensions count from 0",
        ));
    }
    Ok(())
}

/// Sum over the dimensions `dims` (increasing), which stay with extent 1.
pub fn sum(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    check_floats("sum", &[x])?;
    check_dims("sum", x, dims)?;
    // Adjacent dimensions are summed as one.
    let mut y = x.clone();
    let mut rest = dims.to_vec();
    while let Some(last) = rest.pop() {
        let mut first = last;
        while rest.last() == Some(&(first.wrapping_sub(1))) {
            first = first.wrapping_sub(1);
            rest.pop();
        }
        let shape = y.shape().to_vec();
        if first < last {
            let mut merged = shape[..first].to_vec();
            merged.push(numel(&shape[first..=last]));
            merged.extend(&shape[last + 1..]);
            y = reshape(&y, &merged)?;
        }
        y = sum_dim(&y, first)?;
        let mut kept = shape;
        kept[first..=last].fill(1);
        y = reshape(&y, &kept)?;
    }
    Ok(y)
}

/// Mean over the dimensions `dims` (increasing), which stay with extent 1.
pub fn mean(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    check_floats("mean", &[x])?;
    let total = sum(x, dims)?;
    let n = x.numel() / total.numel();
    scale(&total, 1.0 / n as f32)
}

/// What a reduction does with the dimensions that it goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They stay with extent 1: the result broadcasts to what was reduced.
    Yes,
    /// They are dropped; of all of them `[1]` is left.
    No,
}

impl Keep {
    /// `y`, which was reduced over `dims` and has extent 1 there, with or without them.
    pub(super) fn of(self, y: Tensor, dims: &[usize]) -> Result<Tensor> {
        match self {
            Self::Yes => Ok(y),
            Self::No => squeeze(&y, dims),
        }
    }
}

/// Sums over what was repeated when a tensor of `shape` was broadcast to `x`'s shape.
pub fn sum_to(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    check_floats("sum_to", &[x])?;
    if x.shape() == shape {
        return Ok(x.clone());
    }
    let skip = x.rank() - shape.len();
    let repeated = |d: &usize| x.dim(*d) != 1 && (*d < skip || shape[*d - skip] == 1);
    let dims: Vec<usize> = (0..x.rank()).filter(repeated).collect();
    let y = if dims.is_empty() { x.clone() } else { sum(x, &dims)? };
    reshape(&y, shape)
}

/// The largest value along dimension `dim` of `x`, which stays with extent 1, and where it is first, `[outer, inner]`.
fn launch_max(x: &Tensor, dim: usize) -> Result<[Tensor; 2]> {
    let [outer, reduce, inner] = around(x.shape(), dim);
    let mut shape = x.shape().to_vec();
    shape[dim] = 1;
    let y = Tensor::empty(x.gpu(), &shape, DType::F32)?;
    let index = Tensor::empty(x.gpu(), &[outer, inner], DType::U32)?;
    MAXIMUM
        .at(x.gpu(), &[outer, reduce, inner])
        .ints(&[("outer", outer), ("reduce", reduce), ("inner", inner), ("chunks", 1), ("chunk", reduce)])
        .bind("x", x)
        .bind("y", &y)
        .bind("at", &index)
        .cost(x.numel() as f64, 4.0 * (x.numel() + 2 * y.numel()) as f64)
        .run()?;
    index.storage().holds_at_most(reduce as u32 - 1);
    Ok([y, index])
}

struct MaxDim {
    dim: usize,
}

impl Op for MaxDim {
    fn name(&self) -> &'static str {
        "max"
    }

    fn forward(&self, _: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let [output, index] = launch_max(inputs[0], self.dim)?;
        Ok(Forward { output, saved: vec![index] })
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let x = &s.inputs[0];
        let [outer, reduce, inner] = around(x.shape(), self.dim);
        let g = place(&reshape(grad, &[outer, inner])?, &s.saved[0], reduce)?;
        Ok(vec![Some(reshape(&g, x.shape())?)])
    }
}

/// Maximum over one dimension, which stays with extent 1. Of equal values the first gets the gradient.
pub fn max(x: &Tensor, dim: usize) -> Result<Tensor> {
    check_dims("max", x, &[dim])?;
    apply(MaxDim { dim }, &[x])
}

/// Minimum over one dimension, which stays with extent 1. Of equal values the first gets the gradient.
pub fn min(x: &Tensor, dim: usize) -> Result<Tensor> {
    check_floats("min", &[x])?;
    check_dims("min", x, &[dim])?;
    neg(&max(&neg(x)?, dim)?)
}

/// Where the maximum over one dimension is, which stays with extent 1: integers, of equal values the first's position. They
/// have no gradient; [`super::pick`] takes values at them with one.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let logits = Tensor::from_f32(&gpu, &[2, 3], &[0.5, 2., 1., 3., 3., -1.])?;
/// let class = logits.argmax(1, Keep::No)?; // [2]
/// assert_eq!(class.to_vec_u32()?, [1, 0]);
/// assert_eq!(ops::pick(&logits, &class)?.to_vec()?, [2., 3.]);
/// # Ok::<(), Error>(())
/// ```
pub fn argmax(x: &Tensor, dim: usize) -> Result<Tensor> {
    check_floats("argmax", &[x])?;
    check_dims("argmax", x, &[dim])?;
    let [largest, index] = launch_max(x, dim)?;
    Ok(index.view(largest.shape()))
}

/// Where the minimum over one dimension is, as [`argmax`] for the maximum.
pub fn argmin(x: &Tensor, dim: usize) -> Result<Tensor> {
    check_floats("argmin", &[x])?;
    check_dims("argmin", x, &[dim])?;
    argmax(&no_grad(|| neg(x))?, dim)
}

pub(super) fn cpu_fold(x: &Array, dims: &[usize], start: f64, f: impl Fn(f64, f64) -> f64) -> Array {
    let shape: Vec<usize> = x.shape.iter().enumerate().map(|(d, &n)| if dims.contains(&d) { 1 } else { n }).collect();
    let mut out = Array::new(&shape, vec![start; numel(&shape)]);
    let mut index = vec![0; shape.len()];
    for row in x.data.chunks(x.dim(shape.len() - 1)) {
        let first = index.iter().zip(&shape).fold(0, |i, (&a, &d)| i * d + if d == 1 { 0 } else { a });
        match shape.last() {
            Some(1) => out.data[first] = row.iter().fold(out.data[first], |a, &v| f(a, v)),
            _ => out.data[first..].iter_mut().zip(row).for_each(|(a, &v)| *a = f(*a, v)),
        }
        for d in (0..shape.len() - 1).rev() {
            index[d] += 1;
            if index[d] < x.shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    out
}

/// Sum of `shape` over `dims`.
pub(crate) fn sum_case(shape: &[usize], dims: &'static [usize]) -> Case {
    let terms: usize = dims.iter().map(|&d| shape[d]).product();
    Case::new(
        format!("sum {shape:?} over {dims:?}"),
        vec![Input::normal(shape, 31)],
        move |x| sum(&x[0], dims),
        move |x| cpu_fold(&x[0], dims, 0.0, |a, v| a + v),
    )
    .within(1e-5 + 2e-6 * (terms as f64).sqrt() + 1e-8 * terms as f64)
    .cost(numel(shape) as f64, 4.0 * (numel(shape) + numel(shape) / terms) as f64)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes: [(&[usize], &'static [usize]); 8] = [
        (&[13], &[0]),
        (&[2, 3, 5], &[2]),
        (&[2, 3, 5], &[0, 2]),
        (&[4, 3, 2], &[1]),
        (&[2, 3, 5], &[0, 1, 2]),
        (&[3, 4], &[0]),
        (&[2, 2, 3, 2], &[1, 3]),
        (&[2, 3, 8], &[1]),
    ];
    for (shape, dims) in shapes {
        cases.push(sum_case(shape, dims));
        cases.push(Case::new(
            format!("mean {shape:?} over {dims:?}"),
            vec![Input::normal(shape, 32)],
            move |x| mean(&x[0], dims),
            move |x| {
                let n: usize = dims.iter().map(|&d| x[0].shape[d]).product();
                cpu_fold(&x[0], dims, 0.0, |a, v| a + v).map(|v| v / n as f64)
            },
        ));
    }
    // Longer than a chunk: two launches.
    for shape in [[3 * CHUNK + 17, 1], [CHUNK + 5, 3], [CHUNK + 5, 4]] {
        cases.push(sum_case(&shape, &[0]).along());
    }
    // Rows and columns of lengths around what a group and a vec4 take; many of them.
    let shapes: [(&[usize], &'static [usize]); 9] = [
        (&[9, 1], &[0]),
        (&[7, 31], &[1]),
        (&[7, 33], &[1]),
        (&[5, 257], &[1]),
        (&[2, 1023], &[1]),
        (&[65, 3, 9], &[1]),
        (&[3, 17, 64], &[1]),
        (&[9, 5, 68], &[0, 2]),
        (&[33, 20], &[0]),
    ];
    cases.extend(shapes.map(|(shape, dims)| sum_case(shape, dims).along()));
    // Squares, as for the norm of the gradients: a row, and one of several chunks.
    for n in [1, 77, 4 * CHUNK + 3] {
        let case = Case::new(
            format!("sum_of_squares [{n}]"),
            vec![Input::normal(&[n], 36)],
            |x| sum_of_squares(&x[0]),
            |x| Array::scalar(x[0].data.iter().map(|v| v * v).sum()),
        );
        cases.push(case.tolerance(1e-5, 1e-5).oracle_only());
    }
    for shape in [&[9, 65, 3][..], &[70, 9]] {
        cases.extend(extreme_cases(shape, 1, 35).map(Case::along));
    }
    for (shape, dim) in [(&[3, 5][..], 1), (&[2, 4, 3], 1), (&[7], 0)] {
        cases.extend(extreme_cases(shape, dim, 34));
    }
    for (shape, dim) in [(&[7][..], 0), (&[3, 5], 1), (&[4, 6], 0), (&[2, 9, 3], 1), (&[2, 3, 2, 5], 2), (&[70, 33], 1)]
    {
        cases.extend(position_cases(shape, dim));
    }
    cases
}

fn extreme_cases(shape: &[usize], dim: usize, seed: u64) -> [Case; 2] {
    let case = |name: &str, run: fn(&Tensor, usize) -> Result<Tensor>, start: f64, fold: fn(f64, f64) -> f64| {
        Case::new(
            format!("{name} {shape:?} over {dim}"),
            vec![Input::spaced(shape, seed)],
            move |x| run(&x[0], dim),
            move |x| cpu_fold(&x[0], &[dim], start, fold),
        )
    };
    [case("max", max, f64::NEG_INFINITY, f64::max), case("min", min, f64::INFINITY, f64::min)]
}

/// Positions of the extremes, with values that come several times.
fn position_cases(shape: &[usize], dim: usize) -> [Case; 2] {
    let input = || Input::fixed(shape, (0..numel(shape)).map(|i| (i * 7 % 5) as f32 - 2.0).collect());
    let first = move |x: &Array, better: fn(f64, f64) -> bool| {
        let mut kept = x.shape.clone();
        kept[dim] = 1;
        Array::from_index(&kept, |at| {
            let value = |r: usize| {
                let mut at = at.to_vec();
                at[dim] = r;
                x.broadcast_at(&at)
            };
            (1..x.shape[dim]).fold(0, |best, r| if better(value(r), value(best)) { r } else { best }) as f64
        })
    };
    let label = |name: &str| format!("{name} {shape:?} over {dim}");
    [
        Case::new(label("argmax"), vec![input()], move |x| argmax(&x[0], dim), move |x| first(&x[0], |a, b| a > b)),
        Case::new(label("argmin"), vec![input()], move |x| argmin(&x[0], dim), move |x| first(&x[0], |a, b| a < b)),
    ]
    .map(Case::oracle_only)
}
