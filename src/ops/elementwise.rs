//! Element-wise operations, one row of a table each (`shaders/elementwise`, the functions
//! in `shaders/include/elementwise.wgsl`), with NumPy's broadcasting for two tensors.

use super::family::{Family, Kernel};
use super::{About, Array, Forward, Op, Saved, apply, sum_to};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

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
    operations: &["elementwise", "broadcast"],
};

/// A row of the table of functions of one tensor, with up to two scalars.
struct Unary {
    name: &'static str,
    cpu: fn(f64, [f64; 2]) -> f64,
    /// Gradient from (x, y = f(x), gradient of y, scalars).
    backward: fn(&Tensor, &Tensor, &Tensor, [f32; 2]) -> Result<Tensor>,
    /// Inputs that the tests use.
    input: fn(&[usize]) -> Input,
    /// Scalars that the tests use.
    scalars: [f32; 2],
}

/// Gradients of both inputs.
type Pair = [Option<Tensor>; 2];

/// A row of the table of functions of two tensors.
struct Binary {
    name: &'static str,
    cpu: fn(f64, f64, [f64; 2]) -> f64,
    /// Gradients with respect to both (`None`: zero almost everywhere), before summing over broadcast dimensions.
    backward: fn(&Tensor, &Tensor, &Tensor, [f32; 2]) -> Result<Pair>,
    scalars: [f32; 2],
}

fn any(shape: &[usize]) -> Input {
    Input::normal(shape, 11)
}
fn spaced(shape: &[usize]) -> Input {
    Input::spaced(shape, 12)
}
fn positive(shape: &[usize]) -> Input {
    Input::positive(shape, 13)
}

/// In the order of the cases of `of_one` in `include/elementwise.wgsl`: the code of a row is its place.
#[rustfmt::skip]
const UNARY: &[Unary] = &[
    Unary { name: "neg", cpu: |x, _| -x, backward: |_, _, g, _| neg(g), input: any, scalars: [0.0; 2] },
    Unary { name: "scale", cpu: |x, s| s[0] * x, backward: |_, _, g, s| scale(g, s[0]), input: any, scalars: [-1.5, 0.0] },
    Unary { name: "add_scalar", cpu: |x, s| x + s[0], backward: |_, _, g, _| Ok(g.clone()), input: any, scalars: [0.75, 0.0] },
    Unary { name: "relu", cpu: |x, _| x.max(0.0), backward: |x, _, g, _| gate(g, x), input: spaced, scalars: [0.0; 2] },
    Unary { name: "sigmoid", cpu: |x, _| 1.0 / (1.0 + (-x).exp()), backward: |_, y, g, _| mul(g, &sub(y, &square(y)?)?), input: any, scalars: [0.0; 2] },
    Unary { name: "tanh", cpu: |x, _| x.tanh(), backward: |_, y, g, _| sub(g, &mul(g, &square(y)?)?), input: any, scalars: [0.0; 2] },
    Unary { name: "exp", cpu: |x, _| x.exp(), backward: |_, y, g, _| mul(g, y), input: any, scalars: [0.0; 2] },
    Unary { name: "log", cpu: |x, _| x.ln(), backward: |x, _, g, _| div(g, x), input: positive, scalars: [0.0; 2] },
    Unary { name: "sqrt", cpu: |x, _| x.sqrt(), backward: |_, y, g, _| scale(&div(g, y)?, 0.5), input: positive, scalars: [0.0; 2] },
    Unary { name: "rsqrt", cpu: |x, _| 1.0 / x.sqrt(), backward: |x, y, g, _| scale(&mul(g, &div(y, x)?)?, -0.5), input: positive, scalars: [0.0; 2] },
    Unary { name: "abs", cpu: |x, _| x.abs(), backward: |x, _, g, _| binary(SIGN, g, x, [0.0; 2]), input: spaced, scalars: [0.0; 2] },
    Unary { name: "square", cpu: |x, _| x * x, backward: |x, _, g, _| scale(&mul(g, x)?, 2.0), input: any, scalars: [0.0; 2] },
    Unary { name: "clamp", cpu: |x, s| x.clamp(s[0], s[1]), backward: |x, _, g, s| binary(INSIDE, g, x, s), input: spaced, scalars: [-0.52, 0.73] },
    Unary { name: "recip", cpu: |x, _| 1.0 / x, backward: |_, y, g, _| neg(&mul(g, &square(y)?)?), input: positive, scalars: [0.0; 2] },
    Unary { name: "huber", cpu: |x, _| if x.abs() < 1.0 { 0.5 * x * x } else { x.abs() - 0.5 }, backward: |x, _, g, _| mul(g, &clamp(x, -1.0, 1.0)?), input: spaced, scalars: [0.0; 2] },
];

const ADD: usize = 0;
const SUB: usize = 1;
const MUL: usize = 2;
const DIV: usize = 3;
const GATE: usize = 4;
const SIGN: usize = 5;
const INSIDE: usize = 6;

/// In the order of the cases of `of_two`.
#[rustfmt::skip]
const BINARY: &[Binary] = &[
    Binary { name: "add", cpu: |a, b, _| a + b, backward: |_, _, g, _| Ok([Some(g.clone()), Some(g.clone())]), scalars: [0.0; 2] },
    Binary { name: "sub", cpu: |a, b, _| a - b, backward: |_, _, g, _| Ok([Some(g.clone()), Some(neg(g)?)]), scalars: [0.0; 2] },
    Binary { name: "mul", cpu: |a, b, _| a * b, backward: |a, b, g, _| Ok([Some(mul(g, b)?), Some(mul(g, a)?)]), scalars: [0.0; 2] },
    Binary { name: "div", cpu: |a, b, _| a / b, backward: |a, b, g, _| {
        let over = div(g, b)?;
        let b_part = neg(&mul(&over, &div(a, b)?)?)?;
        Ok([Some(over), Some(b_part)])
    }, scalars: [0.0; 2] },
    Binary { name: "gate", cpu: |a, b, _| if b > 0.0 { a } else { 0.0 }, backward: |_, b, g, _| Ok([Some(binary(GATE, g, b, [0.0; 2])?), None]), scalars: [0.0; 2] },
    Binary { name: "sign", cpu: |a, b, _| a * b.signum(), backward: |_, b, g, _| Ok([Some(binary(SIGN, g, b, [0.0; 2])?), None]), scalars: [0.0; 2] },
    Binary { name: "inside", cpu: |a, b, s| if b >= s[0] && b <= s[1] { a } else { 0.0 }, backward: |_, b, g, s| Ok([Some(binary(INSIDE, g, b, s)?), None]), scalars: [-0.52, 0.73] },
];

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

/// `values` behind so many of `fill` that they are four.
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
}

/// `factor * x`.
pub fn scale(x: &Tensor, factor: f32) -> Result<Tensor> {
    unary("scale", x, [factor, 0.0])
}

/// `x + summand`.
pub fn add_scalar(x: &Tensor, summand: f32) -> Result<Tensor> {
    unary("add_scalar", x, [summand, 0.0])
}

/// `x` limited to `[low, high]`; gradient 0 outside.
pub fn clamp(x: &Tensor, low: f32, high: f32) -> Result<Tensor> {
    unary("clamp", x, [low, high])
}

/// A function of one tensor, by its name in the table.
pub(crate) fn unary_case(name: &'static str, shape: &[usize]) -> Case {
    let row = UNARY.iter().find(|r| r.name == name).expect("a row of the table");
    let (s, cpu, n) = (row.scalars, row.cpu, numel(shape) as f64);
    let wide = s.map(f64::from);
    Case::new(
        format!("{name} {shape:?}"),
        vec![(row.input)(shape)],
        move |x| unary(name, &x[0], s),
        move |x| x[0].map(|v| cpu(v, wide)),
    )
    .cost(n, 8.0 * n)
}

/// A function of two tensors, by its name in the table.
pub(crate) fn binary_case(name: &'static str, a: &[usize], b: &[usize]) -> Case {
    let i = BINARY.iter().position(|r| r.name == name).expect("a row of the table");
    let (s, cpu) = (BINARY[i].scalars, BINARY[i].cpu);
    let wide = s.map(f64::from);
    let shape = broadcast_shape(name, a, b).expect("shapes of a case");
    let n = numel(&shape);
    let second = if name == "div" { Input::positive(b, 22) } else { Input::spaced(b, 22) };
    Case::new(
        format!("{name} {a:?} {b:?}"),
        vec![Input::normal(a, 21), second],
        move |x| binary(i, &x[0], &x[1], s),
        move |x| Array::from_index(&shape, |at| cpu(x[0].broadcast_at(at), x[1].broadcast_at(at), wide)),
    )
    .cost(n as f64, 4.0 * (numel(a) + numel(b) + n) as f64)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in UNARY {
        cases.extend([&[37][..], &[2, 3, 5]].map(|shape| unary_case(row.name, shape)));
    }
    cases.extend(BINARY.iter().map(|row| binary_case(row.name, &[3, 7], &[3, 7])));
    // Every function on more than a group, and lengths around a vec4, a group and what one does at most.
    cases.extend(UNARY.iter().map(|row| unary_case(row.name, &[9, 7, 33]).oracle_only()));
    cases.extend(BINARY.iter().map(|row| binary_case(row.name, &[9, 7, 33], &[9, 7, 33]).oracle_only()));
    for n in [1, 3, 4, 5, 31, 32, 33, 255, 256, 257, 2049, 8191, 70_003] {
        cases.push(unary_case("scale", &[n]).oracle_only());
        cases.push(binary_case("sub", &[n], &[n]).oracle_only());
    }
    cases
}

pub(super) fn broadcast_cases() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[2, 3, 5], &[1, 3, 1]),
        (&[2, 3, 5], &[5]),
        (&[3, 1], &[1, 7]),
        (&[1], &[2, 9]),
        (&[2, 1, 3, 2], &[4, 1, 2]),
        (&[6, 1], &[6, 1]),
    ];
    let mut cases: Vec<Case> =
        shapes.into_iter().flat_map(|(a, b)| BINARY.iter().map(move |row| binary_case(row.name, a, b))).collect();
    let large: [(&[usize], &[usize]); 6] = [
        (&[9, 7, 33], &[7, 1]),
        (&[9, 7, 33], &[33]),
        (&[9, 1, 1], &[7, 33]),
        (&[9, 5, 3, 17], &[9, 1, 3, 1]),
        (&[1, 1], &[70, 131]),
        (&[65, 1], &[1, 260]),
    ];
    cases.extend(large.map(|(a, b)| binary_case("sub", a, b).along()));
    cases
}
