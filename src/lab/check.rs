//! From an operation's cases: oracle test, gradcheck, gradgradcheck and the test
//! that running twice gives the same bits.
//!
//! All references come from the f64 oracle alone. With `y = f(x)`, random `r`
//! and `v`: the first derivative is checked as `d<r, f(x)>/dx` against central
//! differences, the second as the gradient, with respect to `x` and `r`, of
//! `S = <grad_x <r, f(x)>, v>` against mixed central differences.

use crate::autograd::grad;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops::case::{Case, Derivatives, Input, Kind, normals};
use crate::ops::{Array, add, mul, reshape, sum};
use crate::tensor::Tensor;
use serde::Serialize;

/// Worst deviation from a reference.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Deviation {
    /// Largest `|a - b|`.
    pub error: f64,
    /// Largest `|a - b| / (atol + rtol |b|)`; passes up to 1.
    pub ratio: f64,
}

impl Deviation {
    fn of(values: &[f32], reference: &[f64], [atol, rtol]: [f64; 2]) -> Self {
        let mut worst = Self::default();
        if values.len() != reference.len() {
            return Self { error: f64::INFINITY, ratio: f64::INFINITY };
        }
        for (&a, &b) in values.iter().zip(reference) {
            let error = (f64::from(a) - b).abs();
            // NaN is worse than anything.
            let error = if error.is_nan() { f64::INFINITY } else { error };
            worst.error = worst.error.max(error);
            worst.ratio = worst.ratio.max(error / (atol + rtol * b.abs()));
        }
        worst
    }

    fn worse(self, other: Self) -> Self {
        Self { error: self.error.max(other.error), ratio: self.ratio.max(other.ratio) }
    }
}

/// What was found for one case.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The case's label.
    pub label: String,
    /// Values against the oracle.
    pub values: Deviation,
    /// First derivatives; `None` where the case has none.
    pub gradient: Option<Deviation>,
    /// Second derivatives.
    pub second: Option<Deviation>,
    /// Two runs gave the same bits, derivatives included.
    pub same_bits: bool,
}

impl Report {
    /// Whether everything is within tolerance.
    pub fn passed(&self) -> bool {
        let fine = |d: Option<Deviation>| d.is_none_or(|d| d.ratio <= 1.0);
        self.values.ratio <= 1.0 && fine(self.gradient) && fine(self.second) && self.same_bits
    }
}

const FIRST_TOLERANCE: [f64; 2] = [5e-5, 1e-4];
const SECOND_TOLERANCE: [f64; 2] = [5e-4, 1e-3];

/// What one run on the device gives.
#[derive(PartialEq)]
struct Outcome {
    value: Vec<f32>,
    /// With a graph for the second derivative.
    first: Vec<Vec<f32>>,
    /// Without one, as a training takes it: other kernels may run then.
    alone: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
}

fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let product = mul(a, b)?;
    sum(&reshape(&product, &[product.numel()])?, &[0])
}

fn values_or_zeros(gradient: Option<Tensor>, like: &Tensor) -> Result<Vec<f32>> {
    gradient.map_or_else(|| Ok(vec![0.0; like.numel()]), |g| g.to_vec())
}

fn run_on_device(gpu: &Gpu, case: &Case, r: &[f32], v: &[Vec<f32>]) -> Result<Outcome> {
    let inputs = case.tensors(gpu)?;
    let y = (case.run)(&inputs)?;
    let value = y.to_vec()?;
    if case.derivatives != Derivatives::All {
        return Ok(Outcome { value, first: Vec::new(), alone: Vec::new(), second: Vec::new() });
    }
    let r = Tensor::from_f32(gpu, y.shape(), r)?.leaf();
    let wrt: Vec<&Tensor> = inputs.iter().filter(|t| t.requires_grad()).collect();
    let read = |gradients: Vec<Option<Tensor>>, wrt: &[&Tensor]| -> Result<Vec<Vec<f32>>> {
        gradients.into_iter().zip(wrt).map(|(g, x)| values_or_zeros(g, x)).collect()
    };
    let alone = read(grad(&y, &wrt, Some(&r), false)?, &wrt)?;
    let gradients = grad(&y, &wrt, Some(&r), true)?;
    let mut s: Option<Tensor> = None;
    for ((g, x), v) in gradients.iter().zip(&wrt).zip(v) {
        let Some(g) = g else { continue };
        let part = dot(g, &Tensor::from_f32(gpu, x.shape(), v)?)?;
        s = Some(match s {
            Some(s) => add(&s, &part)?,
            None => part,
        });
    }
    let first = read(gradients, &wrt)?;
    let mut second_wrt = wrt.clone();
    second_wrt.push(&r);
    let second = match s {
        Some(s) => grad(&s, &second_wrt, None, false)?,
        None => vec![None; second_wrt.len()],
    };
    Ok(Outcome { value, first, alone, second: read(second, &second_wrt)? })
}

/// Differences of the oracle.
struct Reference<'a> {
    case: &'a Case,
    arrays: Vec<Array>,
    /// Which inputs are differentiated.
    wrt: Vec<usize>,
}

impl Reference<'_> {
    /// `f` at the inputs moved by `steps` (input, element, distance), plus `along` times `v`.
    fn at(&self, step: Option<(usize, usize, f64)>, along: f64, v: &[Vec<f32>]) -> Array {
        let mut moved = self.arrays.clone();
        if along != 0.0 {
            for (&i, v) in self.wrt.iter().zip(v) {
                moved[i].data.iter_mut().zip(v).for_each(|(x, &d)| *x += along * f64::from(d));
            }
        }
        if let Some((i, e, d)) = step {
            moved[i].data[e] += d;
        }
        (self.case.cpu)(&moved)
    }

    fn first(&self, r: &[f32], h: f64) -> Vec<Vec<f64>> {
        let phi = |i, e, d| inner(&self.at(Some((i, e, d)), 0.0, &[]), r);
        let one = |&i: &usize| {
            (0..self.arrays[i].data.len()).map(move |e| (phi(i, e, h) - phi(i, e, -h)) / (2.0 * h)).collect()
        };
        self.wrt.iter().map(one).collect()
    }

    fn second(&self, r: &[f32], v: &[Vec<f32>], h: f64) -> Vec<Vec<f64>> {
        let phi = |i, e, d, a| inner(&self.at(Some((i, e, d)), a, v), r);
        let mixed = |i, e| (phi(i, e, h, h) - phi(i, e, h, -h) - phi(i, e, -h, h) + phi(i, e, -h, -h)) / (4.0 * h * h);
        let mut all: Vec<Vec<f64>> =
            self.wrt.iter().map(|&i| (0..self.arrays[i].data.len()).map(|e| mixed(i, e)).collect()).collect();
        let (up, down) = (self.at(None, h, v), self.at(None, -h, v));
        all.push(up.data.iter().zip(&down.data).map(|(u, d)| (u - d) / (2.0 * h)).collect());
        all
    }
}

fn inner(a: &Array, r: &[f32]) -> f64 {
    a.data.iter().zip(r).map(|(a, &r)| a * f64::from(r)).sum()
}

/// Runs all checks of one case.
///
/// ```
/// use exgnet::lab::check::check_case;
/// use exgnet::ops::case::{Case, Input};
/// use exgnet::prelude::*;
///
/// let case = Case::new(
///     "x tanh(x)",
///     vec![Input::normal(&[3, 4], 1)],
///     |x| ops::mul(&x[0], &ops::tanh(&x[0])?),
///     |x| x[0].map(|v| v * v.tanh()),
/// );
/// let report = check_case(&Gpu::from_env()?, &case)?;
/// assert!(report.passed() && report.gradient.is_some() && report.second.is_some());
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Those of the operation itself; a wrong value is not an error but a report that did not pass.
pub fn check_case(gpu: &Gpu, case: &Case) -> Result<Report> {
    let arrays: Vec<Array> = case.inputs.iter().map(Input::array).collect();
    let expected = (case.cpu)(&arrays);
    let r = normals(expected.data.len(), 7001);
    let wrt: Vec<usize> = (0..arrays.len()).filter(|&i| case.inputs[i].kind == Kind::Float).collect();
    let v: Vec<Vec<f32>> = wrt.iter().map(|&i| normals(arrays[i].data.len(), 7100 + i as u64)).collect();
    let got = run_on_device(gpu, case, &r, &v)?;
    let again = run_on_device(gpu, case, &r, &v)?;
    let values = Deviation::of(&got.value, &expected.data, case.tolerance);
    let (mut gradient, mut second) = (None, None);
    if case.derivatives == Derivatives::All {
        let reference = Reference { case, arrays, wrt };
        let all = |got: &[Vec<f32>], expected: &[Vec<f64>], tolerance| {
            let parts = got.iter().zip(expected).map(|(g, e)| Deviation::of(g, e, tolerance));
            parts.fold(Deviation::default(), Deviation::worse)
        };
        let first = reference.first(&r, 1e-5);
        gradient = Some(all(&got.first, &first, FIRST_TOLERANCE).worse(all(&got.alone, &first, FIRST_TOLERANCE)));
        second = Some(all(&got.second, &reference.second(&r, &v, 2e-4), SECOND_TOLERANCE));
    }
    let bits = |o: &Outcome| -> Vec<u32> {
        o.first.iter().chain(&o.alone).chain(&o.second).chain([&o.value]).flatten().map(|v| v.to_bits()).collect()
    };
    Ok(Report { label: case.label.clone(), values, gradient, second, same_bits: bits(&got) == bits(&again) })
}
