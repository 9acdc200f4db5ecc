//! What the adapter can do at most through kernels of its own: multiply-adds and copies, measured in the same process.

use super::Spread;
use crate::error::Result;
use crate::gpu::{Gpu, Launch, Needs};
use crate::tensor::{DType, Tensor};
use serde::Serialize;
use std::time::Instant;

/// Most that kernels reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ceilings {
    /// Multiply-adds without loads, 1e9 floating-point operations per second.
    pub gflops: f64,
    /// Bytes read and written by a copy of 64 MiB, 1e9 per second.
    pub gb_per_s: f64,
}

/// Seconds of the device for what `f` records; of the clock where the device cannot tell.
pub(super) fn device_seconds(gpu: &Gpu, mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    gpu.finish()?;
    let start = Instant::now();
    let times = gpu.profiled(&mut f)?;
    let wall = start.elapsed().as_secs_f64();
    Ok(times.map_or(wall, |all| all.iter().map(|t| t.seconds).sum()))
}

/// Elements that are copied.
const COPIED: usize = 1 << 23;

impl Ceilings {
    /// What measuring them takes.
    pub(super) const NEEDS: Needs = Needs { largest: 4 * COPIED as u64, tensors: 9 * COPIED as u64, host: 0 };
}

/// Measures both, the best of several rounds.
///
/// # Errors
/// [`crate::Error::Gpu`].
pub fn ceilings(gpu: &Gpu) -> Result<Ceilings> {
    let software = gpu.report().is_software;
    let (threads, trips) = if software { (4096, 2000) } else { (1 << 20, 500) };
    let factor = Tensor::from_f32(gpu, &[1], &[0.999])?;
    let sums = Tensor::empty(gpu, &[threads], DType::F32)?;
    let width = if software { 8 } else { 64 };
    let n = COPIED;
    let (x, y) = (Tensor::zeros(gpu, &[n])?, Tensor::empty(gpu, &[n], DType::F32)?);
    let peak = || {
        let launch = Launch::new("lab/peak").uint([threads, trips]).bind(factor.storage());
        launch.bind(sums.storage()).threads(gpu, threads, width)
    };
    let each = if software { 64 } else { 4 };
    let copy = || {
        let launch = Launch::new("lab/copy").uint([n / 4, each]).bind(x.storage()).bind(y.storage());
        launch.threads(gpu, (n / 4).div_ceil(each), width)
    };
    let (mut peaks, mut copies) = (Vec::new(), Vec::new());
    for round in 0..6 {
        let both = [device_seconds(gpu, peak)?, device_seconds(gpu, copy)?];
        // the first one compiles
        if round > 0 {
            peaks.push(both[0]);
            copies.push(both[1]);
        }
    }
    let operations = 2.0 * 16.0 * 8.0 * (threads * trips) as f64;
    Ok(Ceilings {
        gflops: 1e-9 * operations / Spread::of(peaks).low,
        gb_per_s: 1e-9 * 8.0 * n as f64 / Spread::of(copies).low,
    })
}
