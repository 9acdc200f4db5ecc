//! Average pooling over fixed or adaptive windows, and global
//! (`shaders/pooling`). Linear: the derivative of the backward pass is the
//! forward pass.

use super::family::Kernel;
use super::max_pool::{MaxPool, SIZES, pooled_len};
use super::{Array, check_floats, linear, mean, reshape};
use crate::error::{Error, Result};
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};
use std::ops::Range;

pub(super) const AVG_POOL: Kernel = Kernel {
    name: "avg_pool",
    formula: "y[r, t] = mean of x[r, s] over the window of t",
    operands: &[("x", "[rows, len]"), ("y", "[rows, out_len]")],
    sizes: SIZES,
    ..Kernel::of("pooling")
};

pub(super) const AVG_POOL_BACK: Kernel = Kernel {
    name: "avg_pool_back",
    formula: "dx[r, s] = sum over the windows t that hold s of g[r, t] / (divisor of t)",
    operands: &[("g", "[rows, out_len]"), ("dx", "[rows, len]")],
    sizes: SIZES,
    ..Kernel::of("pooling")
};

/// Fixed windows, as [`super::MaxPool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool {
    /// Samples in a window.
    pub kernel: usize,
    /// Step of the windows.
    pub stride: usize,
    /// Zeros before and after the input.
    pub pad: usize,
    /// Divide by the kernel even where a window hangs over the edge.
    pub count_pad: bool,
}

#[derive(Debug, Clone, Copy)]
enum Windows {
    Fixed(AvgPool),
    Adaptive,
}

#[derive(Debug, Clone, Copy)]
struct Average {
    windows: Windows,
    len: usize,
    out_len: usize,
    /// The backward pass of the same windows.
    transposed: bool,
}

impl Average {
    fn of(self, x: &Tensor) -> Result<Tensor> {
        let name = if self.transposed { "avg_pool_grad" } else { "avg_pool" };
        let backward = Self { transposed: !self.transposed, ..self };
        linear(name, &[x], move |x| self.launch(x[0]), move |g, _| backward.of(g))
    }

    fn launch(self, x: &Tensor) -> Result<Tensor> {
        let out = if self.transposed { self.len } else { self.out_len };
        let y = Tensor::empty(x.gpu(), &[x.dim(0), x.dim(1), out], DType::F32)?;
        let (adaptive, count_pad, [kernel, stride, pad]) = match self.windows {
            Windows::Fixed(p) => (false, p.count_pad, [p.kernel, p.stride, p.pad]),
            Windows::Adaptive => (true, false, [0; 3]),
        };
        let (kernel_of, [from, to]) =
            if self.transposed { (&AVG_POOL_BACK, ["g", "dx"]) } else { (&AVG_POOL, ["x", "y"]) };
        kernel_of
            .at(x.gpu(), &[x.dim(0), x.dim(1), self.len, self.out_len])
            .ints(&[("rows", x.dim(0) * x.dim(1)), ("len", self.len), ("out_len", self.out_len)])
            .ints(&[("kernel", kernel), ("stride", stride), ("pad", pad), ("average", 1)])
            .flag("adaptive", adaptive)
            .flag("count_pad", count_pad)
            .bind(from, x)
            .bind(to, &y)
            .cost(x.numel().max(y.numel()) as f64, 4.0 * (x.numel() + y.numel()) as f64)
            .run()?;
        Ok(y)
    }
}

/// Mean of each window of `x` `[B, C, L]`.
pub fn avg_pool(x: &Tensor, pool: AvgPool) -> Result<Tensor> {
    let out_len = pooled_len("avg_pool", x, pool.kernel, pool.stride, pool.pad)?;
    Average { windows: Windows::Fixed(pool), len: x.dim(2), out_len, transposed: false }.of(x)
}

/// Means of `bins` windows that cover `x` `[B, C, L]`: bin `t` holds samples `floor(t L / bins)` to
/// `ceil((t + 1) L / bins)`, as PyTorch's `adaptive_avg_pool1d`.
pub fn adaptive_avg_pool(x: &Tensor, bins: usize) -> Result<Tensor> {
    // The shader multiplies positions with lengths in 32 bits.
    let fits = x.rank() == 3 && bins > 0 && (x.dim(2) as u64 + 1) * (bins as u64 + 1) < 1 << 32;
    if !fits {
        return Err(Error::shape(
            "adaptive_avg_pool",
            format!("input {:?}, {bins} bins", x.shape()),
            "input [B, C, L] and at least one bin, L times bins below 2^32",
            "reshape to three dimensions",
        ));
    }
    Average { windows: Windows::Adaptive, len: x.dim(2), out_len: bins, transposed: false }.of(x)
}

/// Mean over time of `x` `[B, C, T]`: `[B, C]`.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    check_floats("global_avg_pool", &[x])?;
    if x.rank() != 3 {
        return Err(Error::shape("global_avg_pool", format!("{:?}", x.shape()), "[B, C, T]", "reshape it"));
    }
    reshape(&mean(x, &[2])?, &[x.dim(0), x.dim(1)])
}

/// Means of windows of `[B, C, L]`: of output `t` the samples `window(t)`, divided by `count`.
fn means(x: &Array, t: usize, window: impl Fn(usize) -> Range<usize>, count: impl Fn(&Range<usize>) -> usize) -> Array {
    let row = |row: &[f64], t: usize| {
        let window = window(t);
        row[window.clone()].iter().sum::<f64>() / count(&window) as f64
    };
    let rows = x.data.chunks(x.dim(2));
    Array::new(&[x.dim(0), x.dim(1), t], rows.flat_map(|r| (0..t).map(|t| row(r, t)).collect::<Vec<_>>()).collect())
}

/// Pooling of `[B, C, L]`.
pub(crate) fn avg_pool_case(shape: [usize; 3], pool: AvgPool) -> Case {
    let AvgPool { kernel, stride, pad, count_pad } = pool;
    let windows = MaxPool { kernel, stride, pad };
    let [b, c, len] = shape;
    let t = windows.windows(len);
    Case::new(
        format!("{shape:?} kernel {kernel} stride {stride} padding {pad}{}", if count_pad { " counted" } else { "" }),
        vec![Input::normal(&shape, 95)],
        move |x| avg_pool(&x[0], pool),
        move |x| means(&x[0], t, |t| windows.window(t, len), |w| if count_pad { kernel } else { w.len() }),
    )
    .cost((b * c * t * kernel) as f64, 4.0 * (b * c * (len + t)) as f64)
}

/// Backward pass of a pooling of `[B, C, L]`: a window's gradient goes to all its samples, in equal parts.
pub(crate) fn avg_pool_grad_case(shape: [usize; 3], pool: AvgPool) -> Case {
    let AvgPool { kernel, stride, pad, count_pad } = pool;
    let windows = MaxPool { kernel, stride, pad };
    let [b, c, len] = shape;
    let t = windows.windows(len);
    Case::new(
        format!(
            "gradient of {shape:?} kernel {kernel} stride {stride} padding {pad}{}",
            if count_pad { " counted" } else { "" }
        ),
        vec![Input::normal(&[b, c, t], 94)],
        move |x| Average { windows: Windows::Fixed(pool), len, out_len: t, transposed: true }.of(&x[0]),
        move |x| {
            let mut y = Array::zeros(&[b, c, len]);
            for (i, g) in x[0].data.iter().enumerate() {
                let window = windows.window(i % t, len);
                let count = if count_pad { kernel } else { window.len() };
                y.data[i / t * len..][window].iter_mut().for_each(|v| *v += g / count as f64);
            }
            y
        },
    )
    .cost((b * c * t * kernel) as f64, 4.0 * (b * c * (len + t)) as f64)
}

/// Means of `bins` windows that cover `[B, C, L]`.
fn adaptive_avg_pool_case(shape: [usize; 3], bins: usize) -> Case {
    let [b, c, len] = shape;
    Case::new(
        format!("adaptive {shape:?} to {bins}"),
        vec![Input::normal(&shape, 96)],
        move |x| adaptive_avg_pool(&x[0], bins),
        move |x| means(&x[0], bins, |t| t * len / bins..((t + 1) * len).div_ceil(bins), Range::len),
    )
    .cost((b * c * len) as f64, 4.0 * (b * c * (len + bins)) as f64)
}

pub(super) fn cases() -> Vec<Case> {
    let settings = [
        ([2, 3, 13], 2, 2, 0, false),
        ([1, 2, 11], 3, 2, 1, false),
        ([1, 2, 11], 3, 2, 1, true),
        ([1, 1, 9], 4, 1, 2, false),
        ([1, 2, 9], 2, 3, 0, true),
        // windows side by side that cover a row
        ([2, 2, 16], 2, 2, 0, false),
    ];
    // Rows of several chunks, ends of chunks, many records and channels.
    let large = [
        ([3, 3, 1031], 2, 2, 0, false),
        ([3, 3, 1032], 2, 2, 0, false),
        ([9, 2, 513], 3, 1, 1, true),
        ([2, 3, 1300], 3, 2, 1, false),
        ([12, 17, 66], 5, 3, 2, true),
    ];
    let large = large.map(|(shape, kernel, stride, pad, count_pad)| {
        avg_pool_case(shape, AvgPool { kernel, stride, pad, count_pad }).along()
    });
    let windows = settings.into_iter().flat_map(|(shape, kernel, stride, pad, count_pad)| {
        let pool = AvgPool { kernel, stride, pad, count_pad };
        [avg_pool_case(shape, pool), avg_pool_grad_case(shape, pool)]
    });
    let bins = [([2, 3, 13], 5), ([1, 2, 12], 4), ([1, 2, 5], 8), ([2, 1, 7], 1), ([1, 1, 6], 6)];
    let mut cases: Vec<Case> = windows.chain(bins.map(|(shape, bins)| adaptive_avg_pool_case(shape, bins))).collect();
    cases.extend(large);
    let bins = [([9, 3, 1200], 75), ([2, 2, 700], 650), ([1, 3, 40], 600)];
    cases.extend(bins.map(|(shape, bins)| adaptive_avg_pool_case(shape, bins).along()));
    cases.push(Case::new(
        "global [2, 3, 7]",
        vec![Input::normal(&[2, 3, 7], 97)],
        |x| global_avg_pool(&x[0]),
        |x| Array::from_index(&[2, 3], |at| (0..7).map(|s| x[0].broadcast_at(&[at[0], at[1], s])).sum::<f64>() / 7.0),
    ));
    cases
}
