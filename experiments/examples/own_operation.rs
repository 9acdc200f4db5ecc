//! An operation of one's own, from outside the crate: `asinh(x / s)`, which tames large values. Its kernel is the file
//! `asinh.wgsl` beside this one; its backward rule is written in operations of the engine and so can be differentiated
//! again. The engine's own checks are run on it: values, first and second derivatives, and the same bits twice.
//!
//! `cargo run --release --example own_operation`

use exgnet::lab::check::{Deviation, Report, check_case};
use exgnet::ops::case::{Case, Input};
use exgnet::prelude::*;
use std::process::ExitCode;

#[derive(Debug)]
struct Asinh {
    s: f32,
}

impl Op for Asinh {
    fn name(&self) -> &'static str {
        "asinh"
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let x = inputs[0];
        let y = Tensor::empty(gpu, x.shape(), DType::F32)?;
        Launch::from_text("asinh", include_str!("asinh.wgsl"))
            .uint([x.numel()])
            .float([self.s])
            .bind(x.storage())
            .bind(y.storage())
            .threads(gpu, x.numel(), 64)?;
        Ok(y.into())
    }

    /// `1 / sqrt(x^2 + s^2)` times the gradient that comes in.
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let square = ops::add_scalar(&ops::square(&saved.inputs[0])?, self.s * self.s)?;
        Ok(vec![Some(ops::mul(grad, &ops::rsqrt(&square)?)?)])
    }
}

/// `asinh(x / s)` of `x` of any shape.
///
/// # Errors
/// [`Error::Shape`] for an `s` that is not above 0; [`Error::Gpu`].
pub fn asinh(x: &Tensor, s: f32) -> Result<Tensor> {
    if !(s > 0.0 && s.is_finite()) {
        return Err(Error::shape("asinh", format!("s = {s}"), "a number above 0", "s is where the curve bends"));
    }
    apply(Asinh { s }, &[x])
}

/// Checks it in several shapes and prints the worst errors.
pub fn run(gpu: &Gpu) -> Result<Vec<Report>> {
    let cases = [(vec![37], 1.0_f32), (vec![2, 3, 5], 0.5), (vec![4, 70], 2.0)].map(|(shape, s)| {
        let oracle = move |x: f64| (x / f64::from(s)).asinh();
        Case::new(
            format!("{shape:?} s = {s}"),
            vec![Input::normal(&shape, 5)],
            move |x| asinh(&x[0], s),
            move |x| x[0].map(oracle),
        )
    });
    let reports = cases.iter().map(|case| check_case(gpu, case)).collect::<Result<Vec<Report>>>()?;
    for r in &reports {
        let error = |d: Option<Deviation>| d.map_or(f64::NAN, |d| d.error);
        println!(
            "asinh {:<18} values {:.1e}  gradient {:.1e}  second {:.1e}  {}  {}",
            r.label,
            r.values.error,
            error(r.gradient),
            error(r.second),
            if r.same_bits { "same bits" } else { "OTHER BITS" },
            if r.passed() { "passed" } else { "FAILED" },
        );
    }
    Ok(reports)
}

fn main() -> ExitCode {
    match Gpu::from_env().and_then(|gpu| run(&gpu)) {
        Ok(reports) if reports.iter().all(Report::passed) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
