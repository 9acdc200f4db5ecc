//! Max pooling (`shaders/pooling`). Its backward pass scatters by the saved position; the derivative of that gathers (`pick` of
//! `shaders/shaping`).

use super::family::{Call, Family, Kernel};
use super::index::launch_pick;
use super::{About, Array, Forward, Op, Saved, apply, avg_pool, linear};
use crate::autograd::grad;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};
use std::ops::Range;

/// Windows of `kernel` samples every `stride`, the input padded by `pad` on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Samples in a window.
    pub kernel: usize,
    /// Step of the windows.
    pub stride: usize,
    /// Samples before and after the input that never win.
    pub pad: usize,
}

/// Sizes of a pooling.
pub(super) const SIZES: &[(&str, i64)] = &[
    ("rows", 6),
    ("len", 13),
    ("out_len", 6),
    ("kernel", 3),
    ("stride", 2),
    ("pad", 0),
    ("average", 0),
    ("adaptive", 0),
    ("count_pad", 0),
];

const MAX_POOL: Kernel = Kernel {
    name: "max_pool",
    formula: "y[r, t] = max of x[r, s] over s in [t stride - pad, t stride - pad + kernel) inside [0, len), at[r, t] the first such s",
    operands: &[("x", "[rows, len]"), ("y", "[rows, out_len]"), ("at", "[rows, out_len]")],
    sizes: SIZES,
    ..Kernel::of("pooling")
};

const MAX_POOL_BACK: Kernel = Kernel {
    name: "max_pool_back",
    formula: "dx[r, s] = sum of g[r, t] over the t with index[r, t] = s",
    operands: &[("g", "[rows, out_len]"), ("index", "[rows, out_len]"), ("dx", "[rows, len]")],
    sizes: SIZES,
    ..Kernel::of("pooling")
};

pub(super) const FAMILY: Family = Family {
    name: "pooling",
    kernels: &[&MAX_POOL, &MAX_POOL_BACK, &avg_pool::AVG_POOL, &avg_pool::AVG_POOL_BACK],
    operations: &["max_pool", "avg_pool"],
};

impl MaxPool {
    /// A launch for `x` `[B, C, L]` pooled to `T`.
    fn launch<'a>(&self, kernel: &'static Kernel, gpu: &'a Gpu, x: [usize; 3], t: usize) -> Call<'a> {
        let call = kernel.at(gpu, &x).ints(&[("rows", x[0] * x[1]), ("len", x[2]), ("out_len", t)]);
        call.ints(&[("kernel", self.kernel), ("stride", self.stride), ("pad", self.pad), ("average", 0)])
    }

    /// Windows of a row of `len` samples, where they fit.
    pub(super) fn windows(&self, len: usize) -> usize {
        (len + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Samples of window `t` of such a row.
    pub(super) fn window(&self, t: usize, len: usize) -> Range<usize> {
        (t * self.stride).saturating_sub(self.pad)..(t * self.stride + self.kernel - self.pad).min(len)
    }
}

/// Output length of a pooling, with the conditions that every window holds a sample.
pub(super) fn pooled_len(op: &str, x: &Tensor, kernel: usize, stride: usize, pad: usize) -> Result<usize> {
    let room = (x.dim(2) + 2 * pad).checked_sub(kernel);
    match room {
        Some(room) if x.rank() == 3 && kernel > 0 && stride > 0 && 2 * pad <= kernel => Ok(room / stride + 1),
        _ => Err(Error::shape(
            op,
            format!("input {:?}, kernel {kernel}, stride {stride}, padding {pad}", x.shape()),
            "input [B, C, L] at least as long as the window, padding at most half of it",
            "use longer strips or a smaller window",
        )),
    }
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn about(&self) -> About<'_> {
        About::MaxPool(*self)
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let x = inputs[0];
        let t = pooled_len("max_pool", x, self.kernel, self.stride, self.pad)?;
        let shape = [x.dim(0), x.dim(1), t];
        let y = Tensor::empty(gpu, &shape, DType::F32)?;
        let index = Tensor::empty(gpu, &shape, DType::U32)?;
        self.launch(&MAX_POOL, gpu, [x.dim(0), x.dim(1), x.dim(2)], t)
            .bind("x", x)
            .bind("y", &y)
            .bind("at", &index)
            .cost((y.numel() * (self.kernel - 1)) as f64, 4.0 * (x.numel() + 2 * y.numel()) as f64)
            .run()?;
        Ok(Forward { output: y, saved: vec![index] })
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(scatter(*self, s.inputs[0].dim(2), grad, &s.saved[0])?)])
    }
}

/// The gradients `g` `[B, C, T]` at the samples of `index` `[B, C, T]`: `[B, C, L]`.
fn scatter(pool: MaxPool, len: usize, g: &Tensor, index: &Tensor) -> Result<Tensor> {
    let forward = move |x: &[&Tensor]| {
        let (g, index) = (x[0], x[1]);
        let y = Tensor::empty(g.gpu(), &[g.dim(0), g.dim(1), len], DType::F32)?;
        pool.launch(&MAX_POOL_BACK, g.gpu(), [y.dim(0), y.dim(1), len], g.dim(2))
            .bind("g", g)
            .bind("index", index)
            .bind("dx", &y)
            .cost(g.numel() as f64, 4.0 * (y.numel() + 2 * g.numel()) as f64)
            .run()?;
        Ok(y)
    };
    linear("max_pool_scatter", &[g, index], forward, move |g, x| gather(pool, g, &x[1]))
}

/// `x` `[B, C, L]` at the samples of `index` `[B, C, T]`: `[B, C, T]`.
fn gather(pool: MaxPool, x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let forward = |x: &[&Tensor]| launch_pick(x[0], x[1], [x[0].dim(0) * x[0].dim(1), x[0].dim(2), x[1].dim(2), 1]);
    linear("max_pool_gather", &[x, index], forward, move |g, x| scatter(pool, x[0].dim(2), g, &x[1]))
}

/// Maximum of each window of `x` `[B, C, L]`: `[B, C, (L + 2 pad - kernel) / stride + 1]`. Of equal values the first
/// gets the gradient.
pub fn max_pool(x: &Tensor, pool: MaxPool) -> Result<Tensor> {
    pooled_len("max_pool", x, pool.kernel, pool.stride, pool.pad)?;
    apply(pool, &[x])
}

/// Backward pass of a pooling of `[B, C, L]`: gradients go to the sample that their window took.
pub(crate) fn max_pool_grad_case(shape: [usize; 3], pool: MaxPool) -> Case {
    let MaxPool { kernel, stride, pad } = pool;
    let [b, c, len] = shape;
    let t = pool.windows(len);
    // any sample of the window
    let taken = |i: usize| {
        let window = pool.window(i % t, len);
        (window.start + i * 7 % 11 % window.len()) as u32
    };
    let outputs = (b * c * t) as f64;
    Case::new(
        format!("gradient of {shape:?} kernel {kernel} stride {stride} padding {pad}"),
        vec![Input::normal(&[b, c, t], 92), Input::index(&[b, c, t], (0..b * c * t).map(taken).collect())],
        move |x| scatter(pool, len, &x[0], &x[1]),
        move |x| {
            let mut y = Array::zeros(&[b, c, len]);
            for (i, (g, at)) in x[0].data.iter().zip(&x[1].data).enumerate() {
                y.data[i / t * len + *at as usize] += g;
            }
            y
        },
    )
    .cost(outputs, 8.0 * outputs + 4.0 * (b * c * len) as f64)
}

/// Pooling of `[B, C, L]`.
pub(crate) fn max_pool_case(shape: [usize; 3], pool: MaxPool) -> Case {
    let MaxPool { kernel, stride, pad } = pool;
    let [b, c, len] = shape;
    let t = pool.windows(len);
    let outputs = (b * c * t) as f64;
    Case::new(
        format!("{shape:?} kernel {kernel} stride {stride} padding {pad}"),
        vec![Input::spaced(&shape, 91)],
        move |x| max_pool(&x[0], pool),
        move |x| {
            let row = |row: &[f64], t| row[pool.window(t, len)].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Array::new(&[b, c, t], x[0].data.chunks(len).flat_map(|r| (0..t).map(move |t| row(r, t))).collect())
        },
    )
    // a value and a position of every window
    .cost((kernel - 1) as f64 * outputs, 4.0 * (b * c * len) as f64 + 8.0 * outputs)
}

/// Backward pass where samples of a window are equal: the gradient goes to the first of them.
fn ties_case(shape: [usize; 3], pool: MaxPool) -> Case {
    let MaxPool { kernel, stride, pad } = pool;
    let [b, c, len] = shape;
    let t = pool.windows(len);
    Case::new(
        format!("gradient, equal samples {shape:?} kernel {kernel} stride {stride} padding {pad}"),
        vec![Input::normal(&shape, 93).map(f32::signum), Input::normal(&[b, c, t], 94)],
        |x| {
            let first = grad(&x[2], &[&x[0]], Some(&x[1].leaf()), false)?.into_iter().next().flatten();
            first.ok_or_else(|| Error::gpu("no gradient of x", "report this: it is a fault of the engine"))
        },
        move |x| {
            let mut y = Array::zeros(&shape);
            for (i, g) in x[1].data.iter().enumerate() {
                let row = i / t * len;
                // the first of the largest: of equal ones, max_by takes the last
                let at =
                    pool.window(i % t, len).rev().max_by(|&a, &b| x[0].data[row + a].total_cmp(&x[0].data[row + b]));
                y.data[row + at.unwrap_or_default()] += g;
            }
            y
        },
    )
    .after(move |x| max_pool(&x[0], pool))
    .oracle_only()
}

pub(super) fn cases() -> Vec<Case> {
    let small = [
        ([2, 3, 13], 2, 2, 0),
        ([1, 2, 9], 3, 1, 0),
        ([2, 2, 11], 3, 2, 1),
        ([1, 1, 7], 7, 1, 0),
        ([1, 2, 10], 2, 3, 1),
    ];
    // Rows of several chunks and of one that is not full, of pairs and of longer windows; ends of chunks; many records.
    let large = [
        ([3, 3, 1031], 2, 2, 0),
        ([9, 2, 130], 2, 2, 0),
        ([2, 1, 2], 2, 2, 0),
        ([1, 2, 1024], 2, 2, 0),
        ([1, 2, 1026], 2, 2, 0),
        ([2, 3, 1300], 3, 2, 1),
        ([1, 5, 777], 3, 1, 1),
        ([12, 17, 66], 5, 3, 2),
        ([2, 2, 2600], 2, 4, 1),
    ];
    let case = |(shape, kernel, stride, pad)| max_pool_case(shape, MaxPool { kernel, stride, pad });
    let ties = [
        ([2, 3, 40], MaxPool { kernel: 2, stride: 2, pad: 0 }),
        ([1, 2, 31], MaxPool { kernel: 3, stride: 2, pad: 1 }),
    ];
    let ties = ties.map(|(shape, pool)| ties_case(shape, pool));
    small.into_iter().map(case).chain(large.into_iter().map(|s| case(s).along())).chain(ties).collect()
}
