//! The tables of functions: a row each. Their code on the device is their place, see `shaders/include/elementwise.wgsl`.

use super::add_scalar;
use super::{
    binary, clamp, curves, div, exp, gate, gelu_slope, gelu_tanh_slope, log, mul, neg, pow, pow_scalar, scale, sigmoid,
    square, sub, where_cond,
};
use crate::error::Result;
use crate::ops::case::Input;
use crate::tensor::{Tensor, numel};

/// A row of the table of functions of one tensor, with up to two scalars.
pub(super) struct Unary {
    pub(super) name: &'static str,
    pub(super) cpu: fn(f64, [f64; 2]) -> f64,
    /// Gradient from (x, y = f(x), gradient of y, scalars).
    pub(super) backward: fn(&Tensor, &Tensor, &Tensor, [f32; 2]) -> Result<Tensor>,
    /// Inputs that the tests use.
    pub(super) input: fn(&[usize]) -> Input,
    /// Scalars that the tests use.
    pub(super) scalars: [f32; 2],
}

/// Gradients of both inputs.
type Pair = [Option<Tensor>; 2];

/// A row of the table of functions of two tensors.
pub(super) struct Binary {
    pub(super) name: &'static str,
    pub(super) cpu: fn(f64, f64, [f64; 2]) -> f64,
    /// Gradients with respect to both (`None`: zero almost everywhere), before summing over broadcast dimensions.
    pub(super) backward: fn(&Tensor, &Tensor, &Tensor, [f32; 2]) -> Result<Pair>,
    /// Inputs that the tests use.
    pub(super) inputs: fn(&[usize], &[usize]) -> [Input; 2],
    pub(super) scalars: [f32; 2],
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

fn usual(a: &[usize], b: &[usize]) -> [Input; 2] {
    [Input::normal(a, 21), Input::spaced(b, 22)]
}
fn over_positive(a: &[usize], b: &[usize]) -> [Input; 2] {
    [Input::normal(a, 21), Input::positive(b, 22)]
}
fn of_positive(a: &[usize], b: &[usize]) -> [Input; 2] {
    [Input::positive(a, 21), Input::normal(b, 22)]
}
/// No value of the one is near one of the other.
fn apart(a: &[usize], b: &[usize]) -> [Input; 2] {
    [Input::spaced(a, 21).map(|v| v + 0.02), Input::spaced(b, 22)]
}
/// The second is a condition: 0, or any other number.
fn when(a: &[usize], b: &[usize]) -> [Input; 2] {
    let n = numel(b);
    let condition = (0..n).map(|i| [0.0, 1.0, -0.5, 0.0, 2.0][(i + i / 5) % 5]).collect();
    [Input::normal(a, 21), Input::fixed(b, condition)]
}

/// In the order of the cases of `of_one` in `include/elementwise.wgsl`: the code of a row is its place.
#[rustfmt::skip]
pub(super) const UNARY: &[Unary] = &[
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
    Unary { name: "erf", cpu: |x, _| curves::erf(x), backward: |x, _, g, _| mul(g, &scale(&exp(&neg(&square(x)?)?)?, std::f32::consts::FRAC_2_SQRT_PI)?), input: any, scalars: [0.0; 2] },
    Unary { name: "gelu", cpu: |x, _| x * curves::normal_cdf(x), backward: |x, _, g, _| mul(g, &gelu_slope(x)?), input: any, scalars: [0.0; 2] },
    Unary { name: "gelu_slope", cpu: |x, _| curves::normal_cdf(x) + x * curves::normal_pdf(x), backward: |x, _, g, _| mul(g, &curves::gelu_curvature(x)?), input: any, scalars: [0.0; 2] },
    Unary { name: "gelu_tanh", cpu: |x, _| 0.5 * x * (1.0 + curves::gelu_inner(x).tanh()), backward: |x, _, g, _| mul(g, &gelu_tanh_slope(x)?), input: any, scalars: [0.0; 2] },
    Unary { name: "gelu_tanh_slope", cpu: |x, _| curves::gelu_tanh_slope(x), backward: |x, _, g, _| mul(g, &curves::gelu_tanh_curvature(x)?), input: any, scalars: [0.0; 2] },
    Unary { name: "silu", cpu: |x, _| x / (1.0 + (-x).exp()), backward: |x, y, g, _| mul(g, &curves::silu_slope(y, &sigmoid(x)?)?), input: any, scalars: [0.0; 2] },
    Unary { name: "pow", cpu: |x, s| x.powf(s[0]), backward: |x, _, g, s| if s[0] == 0.0 { scale(g, 0.0) } else { scale(&mul(g, &pow_scalar(x, s[0] - 1.0)?)?, s[0]) }, input: positive, scalars: [1.7, 0.0] },
];

pub(super) const ADD: usize = 0;
pub(super) const SUB: usize = 1;
pub(super) const MUL: usize = 2;
pub(super) const DIV: usize = 3;
pub(super) const GATE: usize = 4;
pub(super) const SIGN: usize = 5;
pub(super) const INSIDE: usize = 6;
pub(super) const MAXIMUM: usize = 7;
pub(super) const MINIMUM: usize = 8;
pub(super) const POW: usize = 9;
pub(super) const GT: usize = 10;
pub(super) const GE: usize = 11;
pub(super) const LT: usize = 12;
pub(super) const LE: usize = 13;
pub(super) const EQ: usize = 14;
pub(super) const NE: usize = 15;
pub(super) const SHARE: usize = 16;
pub(super) const KEEP_IF: usize = 17;
pub(super) const KEEP_UNLESS: usize = 18;

/// Gradients of the larger, or the smaller, of two: `share` of the incoming one for the first, the rest for the second.
fn shared(g: &Tensor, share: &Tensor) -> Result<Pair> {
    let first = mul(g, share)?;
    let second = sub(g, &first)?;
    Ok([Some(first), Some(second)])
}

/// Gradients of `y = a^b`: `b a^(b - 1)`, and 0 where b is 0, whatever a is; `y log a`, and 0 where a is 0.
fn pow_gradients(a: &Tensor, b: &Tensor, g: &Tensor) -> Result<Pair> {
    // a, and 1 where `other` is 0
    let one_where_0 = |other: &Tensor| where_cond(other, a, &Tensor::full(a.gpu(), &[1], 1.0)?);
    let by_a =
        a.requires_grad().then(|| mul(&mul(g, b)?, &pow(&one_where_0(b)?, &add_scalar(b, -1.0)?)?)).transpose()?;
    let by_b = b.requires_grad().then(|| mul(&mul(g, &pow(a, b)?)?, &log(&one_where_0(a)?)?)).transpose()?;
    Ok([by_a, by_b])
}

fn one_if(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

/// In the order of the cases of `of_two`.
#[rustfmt::skip]
pub(super) const BINARY: &[Binary] = &[
    Binary { name: "add", cpu: |a, b, _| a + b, backward: |_, _, g, _| Ok([Some(g.clone()), Some(g.clone())]), inputs: usual, scalars: [0.0; 2] },
    Binary { name: "sub", cpu: |a, b, _| a - b, backward: |_, _, g, _| Ok([Some(g.clone()), Some(neg(g)?)]), inputs: usual, scalars: [0.0; 2] },
    Binary { name: "mul", cpu: |a, b, _| a * b, backward: |a, b, g, _| Ok([Some(mul(g, b)?), Some(mul(g, a)?)]), inputs: usual, scalars: [0.0; 2] },
    Binary { name: "div", cpu: |a, b, _| a / b, backward: |a, b, g, _| {
        let over = div(g, b)?;
        let b_part = neg(&mul(&over, &div(a, b)?)?)?;
        Ok([Some(over), Some(b_part)])
    }, inputs: over_positive, scalars: [0.0; 2] },
    Binary { name: "gate", cpu: |a, b, _| if b > 0.0 { a } else { 0.0 }, backward: |_, b, g, _| Ok([Some(binary(GATE, g, b, [0.0; 2])?), None]), inputs: usual, scalars: [0.0; 2] },
    Binary { name: "sign", cpu: |a, b, _| a * b.signum(), backward: |_, b, g, _| Ok([Some(binary(SIGN, g, b, [0.0; 2])?), None]), inputs: usual, scalars: [0.0; 2] },
    Binary { name: "inside", cpu: |a, b, s| if b >= s[0] && b <= s[1] { a } else { 0.0 }, backward: |_, b, g, s| Ok([Some(binary(INSIDE, g, b, s)?), None]), inputs: usual, scalars: [-0.52, 0.73] },
    Binary { name: "maximum", cpu: |a, b, _| a.max(b), backward: |a, b, g, _| shared(g, &binary(SHARE, a, b, [0.0; 2])?), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "minimum", cpu: |a, b, _| a.min(b), backward: |a, b, g, _| shared(g, &binary(SHARE, b, a, [0.0; 2])?), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "pow", cpu: |a, b, _| a.powf(b), backward: |a, b, g, _| pow_gradients(a, b, g), inputs: of_positive, scalars: [0.0; 2] },
    Binary { name: "gt", cpu: |a, b, _| one_if(a > b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "ge", cpu: |a, b, _| one_if(a >= b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "lt", cpu: |a, b, _| one_if(a < b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "le", cpu: |a, b, _| one_if(a <= b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "eq", cpu: |a, b, _| one_if(a == b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "ne", cpu: |a, b, _| one_if(a != b), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "share", cpu: |a, b, _| 0.5 * (one_if(a > b) + one_if(a >= b)), backward: |_, _, _, _| Ok([None, None]), inputs: apart, scalars: [0.0; 2] },
    Binary { name: "keep_if", cpu: |a, b, _| if b != 0.0 { a } else { 0.0 }, backward: |_, b, g, _| Ok([Some(binary(KEEP_IF, g, b, [0.0; 2])?), None]), inputs: when, scalars: [0.0; 2] },
    Binary { name: "keep_unless", cpu: |a, b, _| if b == 0.0 { a } else { 0.0 }, backward: |_, b, g, _| Ok([Some(binary(KEEP_UNLESS, g, b, [0.0; 2])?), None]), inputs: when, scalars: [0.0; 2] },
];
