//! Element-wise operations, one row of a table each (`shaders/elementwise`, the functions
//! in `shaders/include/elementwise.wgsl`), with NumPy's broadcasting for two tensors.

mod cases;
mod curves;
mod table;

pub(crate) use cases::{binary_case, unary_case};
pub(super) use cases::{broadcast_cases, cases, where_cases};

use super::family::{Family, Kernel};
use super::{About, Forward, Op, Saved, apply, check_floats, sum_to};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};
use table::{
    ADD, BINARY, DIV, EQ, GATE, GE, GT, KEEP_IF, KEEP_UNLESS, LE, LT, MAXIMUM, MINIMUM, MUL, NE, POW, SUB, UNARY,
};

const UNARY_KERNEL: Kernel = Kernel {
    name: "unary",
    formula: "y[i] = f(x[i])",
    operands: &[("x", "[n]"), ("y", "[n]")],
    sizes: &[("n", 37), ("OP", 12)],
    floats: &[("a", -0.5), ("b", 0.5)],
    ..Kernel::of("elementwise")
};

const BINARY_KERNEL: Kernel = Kernel {
    name: "binary",
    formula: "y[i] = f(u[i], v[i]), u and v repeated to y's shape",
    operands: &[("u", "broadcasts to y's shape"), ("v", "broadcasts to y's shape"), ("y", "[d0, d1, d2, d3]")],
    sizes: &[
        ("n", 30),
        ("OP", 6),
        ("broadcast", 1),
        ("d1", 2),
        ("d2", 3),
        ("d3", 5),
        ("u0", 0),
        ("u1", 15),
        ("u2", 5),
        ("u3", 1),
        ("v0", 0),
        ("v1", 0),
        ("v2", 1),
        ("v3", 0),
    ],
    floats: &[("a", -0.5), ("b", 0.5)],
    ..Kernel::of("elementwise")
};

pub(super) const FAMILY: Family = Family {
    name: "elementwise",
    kernels: &[&UNARY_KERNEL, &BINARY_KERNEL],
    operations: &["elementwise", "broadcast", "where"],
};

struct UnaryOp {
    row: usize,
    scalars: [f32; 2],
}

impl Op for UnaryOp {
    fn name(&self) -> &'static str {
        UNARY[self.row].name
    }

    fn about(&self) -> About<'_> {
        About::Function(self.scalars)
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let y = Tensor::empty(gpu, inputs[0].shape(), DType::F32)?;
        let n = y.numel();
        UNARY_KERNEL
            .at(gpu, &[n])
            .ints(&[("n", n), ("OP", self.row)])
            .float("a", self.scalars[0])
            .float("b", self.scalars[1])
            .bind("x", inputs[0])
            .bind("y", &y)
            .cost(n as f64, 8.0 * n as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some((UNARY[self.row].backward)(&s.inputs[0], s.output, grad, self.scalars)?)])
    }
}

struct BinaryOp {
    row: usize,
    scalars: [f32; 2],
}

/// The shape two tensors broadcast to.
pub(super) fn broadcast_shape(op: &str, a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], d: usize| if d + s.len() >= rank { s[d + s.len() - rank] } else { 1 };
    (0..rank)
        .map(|d| match (dim(a, d), dim(b, d)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(Error::shape(
                op,
                format!("{a:?} and {b:?}"),
                "equal dimensions, or 1 where one is to be repeated",
                "dimensions are matched from the last one; reshape with a 1 to say which dimension is repeated",
            )),
        })
        .collect()
}

/// Strides of a tensor within a shape of four dimensions it broadcasts to: 0 where it is repeated.
pub(super) fn broadcast_strides(shape: &[usize]) -> [usize; 4] {
    let mut strides = [0; 4];
    let mut step = 1;
    for (d, &extent) in shape.iter().rev().enumerate() {
        strides[3 - d] = if extent == 1 { 0 } else { step };
        step *= extent;
    }
    strides
}

/// `values` behind enough of `fill` to make four.
pub(super) fn front4(values: &[usize], fill: usize) -> [usize; 4] {
    let mut out = [fill; 4];
    out[4 - values.len()..].copy_from_slice(values);
    out
}

impl Op for BinaryOp {
    fn name(&self) -> &'static str {
        BINARY[self.row].name
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (a, b) = (inputs[0], inputs[1]);
        let shape = broadcast_shape(self.name(), a.shape(), b.shape())?;
        let y = Tensor::empty(gpu, &shape, DType::F32)?;
        let broadcast = a.shape() != shape || b.shape() != shape;
        let [_, d1, d2, d3] = front4(&shape, 1);
        let [u, v] = [a, b].map(|t| broadcast_strides(t.shape()));
        let n = y.numel();
        BINARY_KERNEL
            .at(gpu, &shape)
            .ints(&[("n", n), ("OP", self.row), ("d1", d1), ("d2", d2), ("d3", d3)])
            .ints(&[("u0", u[0]), ("u1", u[1]), ("u2", u[2]), ("u3", u[3])])
            .ints(&[("v0", v[0]), ("v1", v[1]), ("v2", v[2]), ("v3", v[3])])
            .flag("broadcast", broadcast)
            .float("a", self.scalars[0])
            .float("b", self.scalars[1])
            .bind("u", a)
            .bind("v", b)
            .bind("y", &y)
            .cost(n as f64, 4.0 * (a.numel() + b.numel() + n) as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (a, b) = (&s.inputs[0], &s.inputs[1]);
        let [ga, gb] = (BINARY[self.row].backward)(a, b, grad, self.scalars)?;
        let fit = |g: Option<Tensor>, t: &Tensor, need: bool| match g {
            Some(g) if need => sum_to(&g, t.shape()).map(Some),
            _ => Ok(None),
        };
        Ok(vec![fit(ga, a, s.needs[0])?, fit(gb, b, s.needs[1])?])
    }
}

fn unary(name: &str, x: &Tensor, scalars: [f32; 2]) -> Result<Tensor> {
    let row = UNARY.iter().position(|r| r.name == name).expect("a row of the table");
    apply(UnaryOp { row, scalars }, &[x])
}

fn binary(row: usize, a: &Tensor, b: &Tensor, scalars: [f32; 2]) -> Result<Tensor> {
    apply(BinaryOp { row, scalars }, &[a, b])
}

/// `g` where `y` is positive, else 0: the gradient that passes a ReLU with output (or input) `y`.
pub(super) fn gate(g: &Tensor, y: &Tensor) -> Result<Tensor> {
    binary(GATE, g, y, [0.0; 2])
}

macro_rules! unary_functions {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(x: &Tensor) -> Result<Tensor> {
            unary(stringify!($name), x, [0.0; 2])
        }
    )*};
}

unary_functions! {
    /// `-x`.
    neg;
    /// `max(x, 0)`; gradient 0 at 0.
    relu;
    /// `1 / (1 + exp(-x))`.
    sigmoid;
    /// Hyperbolic tangent.
    tanh;
    /// `exp(x)`.
    exp;
    /// Natural logarithm.
    log;
    /// Square root.
    sqrt;
    /// `1 / sqrt(x)`.
    rsqrt;
    /// `|x|`; gradient 0 at 0.
    abs;
    /// `x^2`.
    square;
    /// `1 / x`.
    recip;
    /// `x^2 / 2` where `|x| < 1`, else `|x| - 1/2` (Huber 1964, delta 1).
    huber;
    /// The error function, `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to x (Abramowitz and Stegun 7.1).
    erf;
    /// `x` times the share of a standard normal distribution below `x`: `x (1 + erf(x / sqrt(2))) / 2` (GELU, Hendrycks and
    /// Gimpel 2016; PyTorch's default).
    gelu;
    /// The GELU's other form, `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2` (PyTorch's `approximate="tanh"`).
    gelu_tanh;
    /// `x sigmoid(x)` (SiLU or swish, Elfwing et al. 2018).
    silu;
}

/// The derivative of [`gelu`].
fn gelu_slope(x: &Tensor) -> Result<Tensor> {
    unary("gelu_slope", x, [0.0; 2])
}

/// The derivative of [`gelu_tanh`].
fn gelu_tanh_slope(x: &Tensor) -> Result<Tensor> {
    unary("gelu_tanh_slope", x, [0.0; 2])
}

macro_rules! binary_functions {
    ($($(#[$doc:meta])* $name:ident = $row:ident;)*) => {$(
        $(#[$doc])*
        /// Shapes broadcast as in NumPy.
        pub fn $name(a: &Tensor, b: &Tensor) -> Result<Tensor> {
            binary($row, a, b, [0.0; 2])
        }
    )*};
}

binary_functions! {
    /// `a + b`.
    add = ADD;
    /// `a - b`.
    sub = SUB;
    /// `a * b`, element by element.
    mul = MUL;
    /// `a / b`.
    div = DIV;
    /// The larger of `a` and `b`. Where they are equal each gets half of the gradient, as in PyTorch.
    maximum = MAXIMUM;
    /// The smaller of `a` and `b`. Where they are equal each gets half of the gradient, as in PyTorch.
    minimum = MINIMUM;
    /// `a^b`. A negative number has powers of whole `b` only; others are NaN, as are their derivatives by `b`.
    pow = POW;
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $row:ident;)*) => {$(
        $(#[$doc])*
        /// The result has no history: gradients stop here. Shapes broadcast as in NumPy.
        pub fn $name(a: &Tensor, b: &Tensor) -> Result<Tensor> {
            no_grad(|| binary($row, a, b, [0.0; 2]))
        }
    )*};
}

comparisons! {
    /// 1 where `a > b`, else 0.
    gt = GT;
    /// 1 where `a >= b`, else 0.
    ge = GE;
    /// 1 where `a < b`, else 0.
    lt = LT;
    /// 1 where `a <= b`, else 0.
    le = LE;
    /// 1 where `a` and `b` are equal, else 0.
    eq = EQ;
    /// 1 where `a` and `b` differ, else 0.
    ne = NE;
}

/// `a` where `condition` is not 0, `b` where it is: NumPy's and PyTorch's `where`, which is a word of Rust's. All three
/// broadcast as in NumPy. What is not taken gets no gradient, and a NaN in it does not spoil the result.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let x = Tensor::from_f32(&gpu, &[3], &[4., -4., 9.])?.leaf();
/// let zero = Tensor::zeros(&gpu, &[1])?;
/// let root = ops::where_cond(&ops::gt(&x, &zero)?, &ops::sqrt(&x)?, &zero)?;
/// assert_eq!(root.to_vec()?, [2., 0., 3.]);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "where")]
#[doc(alias = "select")]
pub fn where_cond(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check_floats("where_cond", &[condition, a, b])?;
    let both = broadcast_shape("where_cond", a.shape(), b.shape())?;
    broadcast_shape("where_cond", condition.shape(), &both)?;
    add(&binary(KEEP_IF, a, condition, [0.0; 2])?, &binary(KEEP_UNLESS, b, condition, [0.0; 2])?)
}

/// `factor * x`.
pub fn scale(x: &Tensor, factor: f32) -> Result<Tensor> {
    unary("scale", x, [factor, 0.0])
}

/// `x + summand`.
pub fn add_scalar(x: &Tensor, summand: f32) -> Result<Tensor> {
    unary("add_scalar", x, [summand, 0.0])
}

/// `x^exponent`. A negative number has powers of whole exponents only; others are NaN. Whole exponents from -16 to 16
/// are products, and exact where those are.
pub fn pow_scalar(x: &Tensor, exponent: f32) -> Result<Tensor> {
    unary("pow", x, [exponent, 0.0])
}

/// `x` limited to `[low, high]`; gradient 0 outside.
pub fn clamp(x: &Tensor, low: f32, high: f32) -> Result<Tensor> {
    unary("clamp", x, [low, high])
}
