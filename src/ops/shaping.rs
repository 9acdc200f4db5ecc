//! Operations that move values without computing: reshape, expand, permute,
//! slice, pad, concat (`shaders/shaping`).

use super::elementwise::{broadcast_shape, broadcast_strides, front4};
use super::family::{Family, Kernel};
use super::index::{PICK, PLACE};
use super::reduce::around;
use super::{About, Array, Forward, Op, Saved, apply, check_floats, linear, sum_to};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

const STRIDED: Kernel = Kernel {
    name: "strided",
    formula: "y[i0, i1, i2, i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3]",
    operands: &[("x", "any"), ("y", "[d0, d1, d2, d3]")],
    sizes: &[("d0", 1), ("d1", 2), ("d2", 3), ("d3", 40), ("s0", 0), ("s1", 120), ("s2", 40), ("s3", 1), ("offset", 0)],
    ..Kernel::of("shaping")
};

const WRITE_BLOCK: Kernel = Kernel {
    name: "write_block",
    formula: "y[o, start + r, i] = x[o, r, i], the rest of y stays",
    operands: &[("x", "[outer, r_in, inner]"), ("y", "[outer, r_out, inner]")],
    sizes: &[("outer", 2), ("r_in", 3), ("r_out", 5), ("inner", 4), ("start", 1)],
    ..Kernel::of("shaping")
};

pub(super) const FAMILY: Family = Family {
    name: "shaping",
    kernels: &[&STRIDED, &WRITE_BLOCK, &PICK, &PLACE],
    operations: &["shaping", "index", "max_pool"],
};

struct Reshape {
    shape: Vec<usize>,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn takes(&self, _: usize) -> Option<DType> {
        None
    }

    fn forward(&self, _: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        Ok(inputs[0].view(&self.shape).into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(reshape(grad, s.inputs[0].shape())?)])
    }
}

/// The same values in the same order under another shape; shares the memory.
pub fn reshape(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if numel(shape) != x.numel() || shape.len() > 4 {
        return Err(Error::shape(
            "reshape",
            format!("{:?} to {shape:?}", x.shape()),
            "the same number of elements in at most 4 dimensions",
            "multiply out both shapes",
        ));
    }
    apply(Reshape { shape: shape.to_vec() }, &[x])
}

/// `x` without the dimensions `dims`, which have extent 1; without all of them it is `[1]`.
pub fn squeeze(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    if let Some(d) = dims.iter().find(|&&d| d >= x.rank() || x.dim(d) != 1) {
        return Err(Error::shape(
            "squeeze",
            format!("dimension {d} of {:?}", x.shape()),
            "a dimension of extent 1",
            "dimensions count from 0; reduce it first (sum, mean, max), or reshape",
        ));
    }
    let left: Vec<usize> = (0..x.rank()).filter(|d| !dims.contains(d)).map(|d| x.dim(d)).collect();
    reshape(x, if left.is_empty() { &[1] } else { &left })
}

/// `x` with a dimension of extent 1 before dimension `dim`, or behind the last.
pub fn unsqueeze(x: &Tensor, dim: usize) -> Result<Tensor> {
    if dim > x.rank() || x.rank() == 4 {
        return Err(Error::shape(
            "unsqueeze",
            format!("before dimension {dim} of {:?}", x.shape()),
            "a place among at most 3 dimensions, or behind them",
            "dimensions count from 0, and a tensor has at most 4",
        ));
    }
    let mut shape = x.shape().to_vec();
    shape.insert(dim, 1);
    reshape(x, &shape)
}

fn launch_strided(x: &Tensor, shape: &[usize], strides: [usize; 4], offset: usize) -> Result<Tensor> {
    let y = Tensor::empty(x.gpu(), shape, DType::F32)?;
    let [d0, d1, d2, d3] = front4(shape, 1);
    let [s0, s1, s2, s3] = strides;
    STRIDED
        .at(x.gpu(), shape)
        .ints(&[("d0", d0), ("d1", d1), ("d2", d2), ("d3", d3)])
        .ints(&[("s0", s0), ("s1", s1), ("s2", s2), ("s3", s3), ("offset", offset)])
        .bind("x", x)
        .bind("y", &y)
        .cost(0.0, 4.0 * (y.numel() + y.numel().min(x.numel())) as f64)
        .run()?;
    Ok(y)
}

/// Row-major strides, of dimensions with extent 1 too.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|d| numel(&shape[d + 1..])).collect()
}

/// `x` repeated to `shape` (NumPy's broadcasting).
pub fn expand(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    check_floats("expand", &[x])?;
    if x.shape() == shape {
        return Ok(x.clone());
    }
    if broadcast_shape("expand", x.shape(), shape)? != shape {
        return Err(Error::shape(
            "expand",
            format!("{:?} to {shape:?}", x.shape()),
            "a shape that x broadcasts to",
            "only dimensions of extent 1 can be repeated",
        ));
    }
    let (shape, strides) = (shape.to_vec(), broadcast_strides(x.shape()));
    linear("expand", &[x], move |x| launch_strided(x[0], &shape, strides, 0), |g, x| sum_to(g, x[0].shape()))
}

/// Dimension `i` of the result is dimension `order[i]` of `x`.
pub fn permute(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.rank()) {
        return Err(Error::shape(
            "permute",
            format!("order {order:?} for shape {:?}", x.shape()),
            "each dimension once",
            "dimensions count from 0",
        ));
    }
    let from = strides(x.shape());
    let (shape, strides): (Vec<usize>, Vec<usize>) = order.iter().map(|&d| (x.dim(d), from[d])).unzip();
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &d)| inverse[d] = i);
    let forward = move |x: &[&Tensor]| launch_strided(x[0], &shape, front4(&strides, 0), 0);
    linear("permute", &[x], forward, move |g, _| permute(g, &inverse))
}

/// Exchanges two dimensions.
pub fn transpose(x: &Tensor, a: usize, b: usize) -> Result<Tensor> {
    let mut order: Vec<usize> = (0..x.rank().max(a + 1).max(b + 1)).collect();
    order.swap(a, b);
    permute(x, &order)
}

/// Elements `[start, end)` of dimension `dim`.
pub fn slice(x: &Tensor, dim: usize, start: usize, end: usize) -> Result<Tensor> {
    check_floats("slice", &[x])?;
    if dim >= x.rank() || start >= end || end > x.dim(dim) {
        return Err(Error::shape(
            "slice",
            format!("[{start}, {end}) of dimension {dim} of {:?}", x.shape()),
            "a range inside the dimension, not empty",
            "the end is exclusive",
        ));
    }
    if end - start == x.dim(dim) {
        return Ok(x.clone());
    }
    let forward = move |x: &[&Tensor]| {
        let mut shape = x[0].shape().to_vec();
        let from = strides(&shape);
        shape[dim] = end - start;
        launch_strided(x[0], &shape, front4(&from, 0), start * from[dim])
    };
    linear("slice", &[x], forward, move |g, x| pad(g, dim, start, x[0].dim(dim) - end))
}

fn launch_block(x: &Tensor, y: &Tensor, dim: usize, start: usize) -> Result<()> {
    let [outer, r_in, inner] = around(x.shape(), dim);
    WRITE_BLOCK
        .at(x.gpu(), x.shape())
        .ints(&[("outer", outer), ("r_in", r_in), ("r_out", y.dim(dim)), ("inner", inner), ("start", start)])
        .bind("x", x)
        .bind("y", y)
        .cost(0.0, 8.0 * x.numel() as f64)
        .run()
}

/// Zeros before and after along dimension `dim`.
pub fn pad(x: &Tensor, dim: usize, before: usize, after: usize) -> Result<Tensor> {
    check_floats("pad", &[x])?;
    if dim >= x.rank() {
        return Err(Error::shape(
            "pad",
            format!("dimension {dim} of {:?}", x.shape()),
            "one it has",
            "they count from 0",
        ));
    }
    if before + after == 0 {
        return Ok(x.clone());
    }
    let forward = move |x: &[&Tensor]| {
        let mut shape = x[0].shape().to_vec();
        shape[dim] += before + after;
        let y = Tensor::zeros(x[0].gpu(), &shape)?;
        launch_block(x[0], &y, dim, before).map(|()| y)
    };
    linear("pad", &[x], forward, move |g, x| slice(g, dim, before, before + x[0].dim(dim)))
}

struct Concat {
    dim: usize,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn about(&self) -> About<'_> {
        About::Concat(self.dim)
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let mut shape = inputs[0].shape().to_vec();
        shape[self.dim] = inputs.iter().map(|t| t.dim(self.dim)).sum();
        let y = Tensor::empty(gpu, &shape, DType::F32)?;
        let mut start = 0;
        for x in inputs {
            launch_block(x, &y, self.dim, start)?;
            start += x.dim(self.dim);
        }
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let mut start = 0;
        let mut parts = Vec::new();
        for (x, &need) in s.inputs.iter().zip(s.needs) {
            let end = start + x.dim(self.dim);
            parts.push(if need { Some(slice(grad, self.dim, start, end)?) } else { None });
            start = end;
        }
        Ok(parts)
    }
}

/// Joins tensors along dimension `dim`; the other dimensions agree.
pub fn concat(parts: &[&Tensor], dim: usize) -> Result<Tensor> {
    check_floats("concat", parts)?;
    let same =
        |t: &&Tensor| t.rank() == parts[0].rank() && (0..t.rank()).all(|d| d == dim || t.dim(d) == parts[0].dim(d));
    if parts.is_empty() || dim >= parts[0].rank() || !parts.iter().all(same) {
        let shapes: Vec<&[usize]> = parts.iter().map(|t| t.shape()).collect();
        return Err(Error::shape(
            "concat",
            format!("{shapes:?} along dimension {dim}"),
            "one or more tensors that agree in all other dimensions",
            "reshape or slice them first",
        ));
    }
    if parts.len() == 1 {
        return Ok(parts[0].clone());
    }
    apply(Concat { dim }, parts)
}

/// Values that only change places: element `at` of the result, of shape `to`, is element `from(at)` of one of the inputs, or 0.
fn moved(
    label: String,
    inputs: Vec<Input>,
    to: &[usize],
    run: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    from: impl Fn(&[usize]) -> Option<(usize, Vec<usize>)> + Send + Sync + 'static,
) -> Case {
    let to = to.to_vec();
    let value = move |x: &[Array], at: &[usize]| from(at).map_or(0.0, |(i, at)| x[i].broadcast_at(&at));
    Case::new(label, inputs, run, move |x| Array::from_index(&to, |at| value(x, at)))
}

fn one(shape: &[usize]) -> Vec<Input> {
    vec![Input::normal(shape, 41)]
}

/// `at` with dimension `dim` moved by `by`.
fn beside(at: &[usize], dim: usize, by: isize) -> Vec<usize> {
    let mut at = at.to_vec();
    at[dim] = at[dim].wrapping_add_signed(by);
    at
}

/// `shape` with its dimensions in another order.
pub(crate) fn permute_case(shape: &[usize], order: &'static [usize]) -> Case {
    let to: Vec<usize> = order.iter().map(|&d| shape[d]).collect();
    let from = |at: &[usize]| {
        (0..order.len()).map(|d| at[order.iter().position(|&o| o == d).unwrap_or(0)]).collect::<Vec<_>>()
    };
    let label = format!("permute {shape:?} by {order:?}");
    moved(label, one(shape), &to, |x| permute(&x[0], order), move |at| Some((0, from(at))))
        .cost(0.0, 8.0 * numel(shape) as f64)
}

fn expand_case(shape: &[usize], to: &'static [usize]) -> Case {
    let label = format!("expand {shape:?} to {to:?}");
    moved(label, one(shape), to, |x| expand(&x[0], to), |at| Some((0, at.to_vec())))
}

fn slice_case(shape: &[usize], dim: usize, start: usize, end: usize) -> Case {
    let label = format!("slice {shape:?} to [{}{start}..{end}]", ":, ".repeat(dim));
    let mut to = shape.to_vec();
    to[dim] = end - start;
    let from = move |at: &[usize]| Some((0, beside(at, dim, start as isize)));
    moved(label, one(shape), &to, move |x| slice(&x[0], dim, start, end), from)
}

fn pad_case(shape: &[usize], dim: usize, [before, after]: [usize; 2]) -> Case {
    let (label, extent) = (format!("pad {shape:?} by {before}, {after}"), shape[dim]);
    let mut to = shape.to_vec();
    to[dim] += before + after;
    let inside = before..before + extent;
    let from = move |at: &[usize]| inside.contains(&at[dim]).then(|| (0, beside(at, dim, -(before as isize))));
    moved(label, one(shape), &to, move |x| pad(&x[0], dim, before, after), from)
}

/// Joined along the second dimension.
fn concat_case(shapes: &'static [[usize; 3]], seed: u64) -> Case {
    let label = format!("concat {}", shapes.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(", "));
    let inputs = shapes.iter().zip(seed..).map(|(shape, seed)| Input::normal(shape, seed)).collect();
    let [a, _, c] = shapes[0];
    let to = [a, shapes.iter().map(|s| s[1]).sum(), c];
    let from = |at: &[usize]| {
        let mut start = 0;
        shapes.iter().enumerate().find_map(|(i, s)| {
            start += s[1];
            (at[1] < start).then(|| (i, beside(at, 1, s[1] as isize - start as isize)))
        })
    };
    moved(label, inputs, &to, |x| concat(&x.iter().collect::<Vec<_>>(), 1), from)
}

pub(super) fn cases() -> Vec<Case> {
    // more than a group, rows longer than one
    let large = [
        expand_case(&[9, 1, 5], &[9, 131, 5]),
        permute_case(&[9, 5, 70, 3], &[2, 3, 1, 0]),
        slice_case(&[9, 33, 131], 1, 3, 32),
        slice_case(&[9, 5, 1031], 2, 7, 1030),
        pad_case(&[9, 3, 131], 2, [5, 2]),
        concat_case(&[[9, 17, 33], [9, 4, 33]], 45),
    ];
    let small = [
        Case::new(
            "reshape [2, 6] to [3, 4]",
            one(&[2, 6]),
            |x| reshape(&x[0], &[3, 4]),
            |x| Array::new(&[3, 4], x[0].data.clone()),
        ),
        expand_case(&[3, 1], &[2, 3, 5]),
        permute_case(&[2, 3, 5], &[2, 0, 1]),
        moved(
            "transpose [4, 7]".into(),
            one(&[4, 7]),
            &[7, 4],
            |x| transpose(&x[0], 0, 1),
            |at| Some((0, vec![at[1], at[0]])),
        ),
        permute_case(&[2, 3, 2, 3], &[3, 1, 0, 2]),
        slice_case(&[2, 7, 3], 1, 2, 6),
        slice_case(&[9], 0, 8, 9),
        pad_case(&[2, 3, 2], 1, [2, 1]),
        concat_case(&[[2, 3, 4], [2, 1, 4], [2, 2, 4]], 42),
    ];
    large.into_iter().map(Case::along).chain(small).collect()
}
