//! From an operation's cases: oracle test, gradcheck, gradgradcheck and the test that running twice gives the same bits; for
//! every version of a family of kernels ([`Checker`]), with the texts that this adapter cannot run compiled.
//!
//! All references come from the f64 oracle alone. With `y = f(x)`, random `r`
//! and `v`: the first derivative is checked as `d<r, f(x)>/dx` against central
//! differences, the second as the gradient, with respect to `x` and `r`, of
//! `S = <grad_x <r, f(x)>, v>` against mixed central differences. Of large cases the first derivative is checked along
//! random directions, and a wrong element is found by halving.

mod reference;
mod texts;
mod versions;

pub use versions::{CaseReport, Checker, Ran, Target, UnderWay, VersionReport};

use crate::autograd::grad;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops::case::{Case, Derivatives};
use crate::ops::{add, mul, reshape, sum};
use crate::tensor::{DType, Tensor};
use reference::Reference;
use serde::Serialize;
use std::sync::OnceLock;

/// Worst deviation from a reference.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Deviation {
    /// Largest `|a - b|`.
    pub error: f64,
    /// Largest `|a - b| / (atol + rtol |b|)`; passes up to 1.
    pub ratio: f64,
}

impl Deviation {
    fn worse(self, other: Self) -> Self {
        Self { error: self.error.max(other.error), ratio: self.ratio.max(other.ratio) }
    }
}

/// An element that is not what the oracle says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrong {
    /// What it is an element of, such as `the first derivative by input 2`.
    pub of: String,
    /// Where it is.
    pub index: Vec<usize>,
    /// What the device gave.
    pub found: f32,
    /// What the oracle gives.
    pub expected: f64,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { of, index, found, expected } = self;
        write!(f, "{of} at {index:?}: found {found}, expected {expected:.7}")
    }
}

/// The worst element of several comparisons.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) worst: Deviation,
    pub(super) wrong: Option<Wrong>,
}

/// The multi-dimensional index of element `flat`.
fn index_of(shape: &[usize], mut flat: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &d) in index.iter_mut().zip(shape).rev() {
        (*i, flat) = (flat % d, flat / d);
    }
    index
}

impl Comparison {
    /// Compares elements one by one; `of` says what they are.
    pub(super) fn add(
        &mut self,
        of: impl Fn() -> String,
        shape: &[usize],
        found: &[f32],
        expected: &[f64],
        [atol, rtol]: [f64; 2],
    ) {
        if found.len() != expected.len() {
            self.worst = Deviation { error: f64::INFINITY, ratio: f64::INFINITY };
            let of = format!("{} has {} elements, the oracle's {}; the first", of(), found.len(), expected.len());
            self.wrong = Some(Wrong { of, index: Vec::new(), found: f32::NAN, expected: f64::NAN });
            return;
        }
        for (i, (&a, &b)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(a) - b).abs();
            // NaN is worse than anything
            let error = if error.is_nan() { f64::INFINITY } else { error };
            let ratio = error / (atol + rtol * b.abs());
            if ratio > 1.0 && ratio > self.worst.ratio {
                self.wrong = Some(Wrong { of: of(), index: index_of(shape, i), found: a, expected: b });
            }
            self.worst = self.worst.worse(Deviation { error, ratio });
        }
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
    /// The worst element of the first of these that is out of tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Wrong>,
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
#[derive(Default)]
struct Outcome {
    value: Vec<f32>,
    /// With a graph for the second derivative.
    first: Vec<Vec<f32>>,
    /// Without one, as a training takes it: other kernels may run then.
    alone: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
}

impl Outcome {
    fn bits(&self) -> Vec<u32> {
        let all = self.first.iter().chain(&self.alone).chain(&self.second).chain([&self.value]);
        all.flatten().map(|v| v.to_bits()).collect()
    }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let product = mul(a, b)?;
    sum(&reshape(&product, &[product.numel()])?, &[0])
}

fn values_or_zeros(gradient: Option<Tensor>, like: &Tensor) -> Result<Vec<f32>> {
    gradient.map_or_else(|| Ok(vec![0.0; like.numel()]), |g| g.to_vec())
}

fn run_on_device(gpu: &Gpu, case: &Case, reference: &Reference) -> Result<Outcome> {
    let inputs = case.tensors(gpu)?;
    let y = (case.run)(&inputs)?;
    let value = match y.dtype() {
        DType::F32 => y.to_vec()?,
        // positions
        DType::U32 => y.to_vec_u32()?.into_iter().map(|word| word as f32).collect(),
    };
    let mut out = Outcome { value, ..Outcome::default() };
    if case.derivatives == Derivatives::None || y.numel() != reference.r.len() {
        return Ok(out);
    }
    let r = Tensor::from_f32(gpu, y.shape(), &reference.r)?.leaf();
    let wrt: Vec<&Tensor> = reference.wrt.iter().map(|&i| &inputs[i]).collect();
    let read = |gradients: Vec<Option<Tensor>>, wrt: &[&Tensor]| -> Result<Vec<Vec<f32>>> {
        gradients.into_iter().zip(wrt).map(|(g, x)| values_or_zeros(g, x)).collect()
    };
    out.alone = read(grad(&y, &wrt, Some(&r), false)?, &wrt)?;
    if case.derivatives == Derivatives::Along {
        return Ok(out);
    }
    let gradients = grad(&y, &wrt, Some(&r), true)?;
    let mut s: Option<Tensor> = None;
    for ((g, x), v) in gradients.iter().zip(&wrt).zip(&reference.v) {
        let Some(g) = g else { continue };
        let part = dot(g, &Tensor::from_f32(gpu, x.shape(), v)?)?;
        s = Some(match s {
            Some(s) => add(&s, &part)?,
            None => part,
        });
    }
    out.first = read(gradients, &wrt)?;
    let mut second_wrt = wrt.clone();
    second_wrt.push(&r);
    let second = match s {
        Some(s) => grad(&s, &second_wrt, None, false)?,
        None => vec![None; second_wrt.len()],
    };
    out.second = read(second, &second_wrt)?;
    Ok(out)
}

/// A case with what the oracle says of it, which is computed when it is asked for, once.
pub(crate) struct Prepared {
    pub(crate) case: Case,
    reference: OnceLock<Reference>,
}

impl Prepared {
    pub(crate) fn new(case: Case) -> Self {
        Self { case, reference: OnceLock::new() }
    }

    /// As [`check_case`]. With `fail_fast` nothing is computed after the first thing that is out of tolerance.
    pub(crate) fn check(&self, gpu: &Gpu, fail_fast: bool) -> Result<Report> {
        compare(gpu, &self.case, self.reference.get_or_init(|| Reference::new(&self.case)), fail_fast)
    }
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
    compare(gpu, case, &Reference::new(case), false)
}

fn compare(gpu: &Gpu, case: &Case, reference: &Reference, fail_fast: bool) -> Result<Report> {
    let got = run_on_device(gpu, case, reference)?;
    let mut values = Comparison::default();
    values.add(|| "the value".into(), &reference.values.shape, &got.value, &reference.values.data, case.tolerance);
    let mut report = Report {
        label: case.label.clone(),
        values: values.worst,
        gradient: None,
        second: None,
        same_bits: true,
        wrong: values.wrong,
    };
    if fail_fast && !report.passed() {
        return Ok(report);
    }
    let again = run_on_device(gpu, case, reference)?;
    report.same_bits = got.bits() == again.bits();
    if got.alone.is_empty() {
        return Ok(report);
    }
    let mut first = Comparison::default();
    if case.derivatives == Derivatives::Along {
        reference.compare_along(case, &got.alone, &mut first);
    } else {
        let expected = reference.first(case);
        for (how, all) in [("", &got.alone), (" (with a graph)", &got.first)] {
            for ((&i, found), expected) in reference.wrt.iter().zip(all).zip(expected) {
                let of = || format!("the first derivative by input {}{how}", i + 1);
                first.add(of, &case.inputs[i].shape, found, expected, FIRST_TOLERANCE);
            }
        }
    }
    report.gradient = Some(first.worst);
    report.wrong = report.wrong.or(first.wrong);
    if case.derivatives == Derivatives::Along || (fail_fast && !report.passed()) {
        return Ok(report);
    }
    let mut second = Comparison::default();
    let inputs = reference.wrt.iter().map(|&i| (format!("input {}", i + 1), &case.inputs[i].shape));
    let all = inputs.chain([("the output's gradient".to_owned(), &reference.values.shape)]);
    for (((by, shape), found), expected) in all.zip(&got.second).zip(reference.second(case)) {
        second.add(|| format!("the second derivative by {by}"), shape, found, expected, SECOND_TOLERANCE);
    }
    report.second = Some(second.worst);
    report.wrong = report.wrong.or(second.wrong);
    Ok(report)
}
