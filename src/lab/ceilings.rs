//! What the adapter can do at most through kernels of its own: multiply-adds and copies, measured in turn with what they are
//! the ceilings of.

use super::read::number;
use super::statistics::Spread;
use crate::error::Result;
use crate::gpu::{Gpu, Launch, Needs};
use crate::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Most that kernels reach: medians over the rounds; not a number where a file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ceilings {
    /// Multiply-adds without loads, 1e9 floating-point operations per second.
    #[serde(deserialize_with = "number")]
    pub gflops: f64,
    /// Bytes read and written by a copy of 64 MiB, 1e9 per second.
    #[serde(deserialize_with = "number")]
    pub gb_per_s: f64,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self { gflops: f64::NAN, gb_per_s: f64::NAN }
    }
}

/// Which ceiling binds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// The multiply-adds.
    #[default]
    #[serde(rename = "multiply-adds")]
    Arithmetic,
    /// The copy.
    #[serde(rename = "copy")]
    Memory,
}

impl Bound {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arithmetic => "madd",
            Self::Memory => "copy",
        }
    }
}

/// Seconds of the device for what `f` records; of the clock where the device has no timestamps.
pub(super) fn device_seconds(gpu: &Gpu, f: impl FnMut() -> Result<()>) -> Result<f64> {
    device_seconds_of(gpu, &|_| true, f)
}

/// The same of kernels that `counts` says yes to, by their names.
pub(super) fn device_seconds_of(
    gpu: &Gpu,
    counts: &dyn Fn(&str) -> bool,
    mut f: impl FnMut() -> Result<()>,
) -> Result<f64> {
    gpu.finish()?;
    let start = Instant::now();
    let times = gpu.profiled(&mut f)?;
    let wall = start.elapsed().as_secs_f64();
    Ok(times.map_or(wall, |all| all.iter().filter(|t| counts(&t.kernel)).map(|t| t.seconds).sum()))
}

/// Elements that are copied.
const COPIED: usize = 1 << 23;

impl Ceilings {
    /// What measuring them takes.
    pub(super) const NEEDS: Needs = Needs { largest: 4 * COPIED as u64, tensors: 9 * COPIED as u64, host: 0 };

    /// Least seconds that work of `flops` floating-point operations and `bytes` takes, and which ceiling says so.
    pub fn least(&self, [flops, bytes]: [f64; 2]) -> (f64, Bound) {
        let (arithmetic, memory) = (1e-9 * flops / self.gflops, 1e-9 * bytes / self.gb_per_s);
        if arithmetic >= memory { (arithmetic, Bound::Arithmetic) } else { (memory, Bound::Memory) }
    }
}

/// Both kernels with their buffers, to be measured round by round.
pub(super) struct Probe {
    gpu: Gpu,
    threads: usize,
    trips: usize,
    /// Threads of a group, and vec4s that each copies.
    shape: (u32, usize),
    factor: Tensor,
    sums: Tensor,
    from: Tensor,
    to: Tensor,
    rounds: Vec<Ceilings>,
}

impl Probe {
    /// Compiles and warms up.
    pub(super) fn new(gpu: &Gpu) -> Result<Self> {
        let software = gpu.report().is_software;
        let (threads, trips) = if software { (4096, 2000) } else { (1 << 20, 500) };
        let mut probe = Self {
            gpu: gpu.clone(),
            threads,
            trips,
            shape: if software { (8, 64) } else { (64, 4) },
            factor: Tensor::from_f32(gpu, &[1], &[0.999])?,
            sums: Tensor::empty(gpu, &[threads], DType::F32)?,
            from: Tensor::zeros(gpu, &[COPIED])?,
            to: Tensor::empty(gpu, &[COPIED], DType::F32)?,
            rounds: Vec::new(),
        };
        probe.round()?;
        probe.rounds.clear();
        Ok(probe)
    }

    /// Measures both once more.
    pub(super) fn round(&mut self) -> Result<()> {
        let (width, each) = self.shape;
        let peak = device_seconds(&self.gpu, || {
            let launch = Launch::new("lab/peak").uint([self.threads, self.trips]).bind(self.factor.storage());
            launch.bind(self.sums.storage()).threads(&self.gpu, self.threads, width)
        })?;
        let n = COPIED / 4;
        let copy = device_seconds(&self.gpu, || {
            let launch = Launch::new("lab/copy").uint([n, each]).bind(self.from.storage()).bind(self.to.storage());
            launch.threads(&self.gpu, n.div_ceil(each), width)
        })?;
        let operations = 2.0 * 16.0 * 8.0 * (self.threads * self.trips) as f64;
        self.rounds.push(Ceilings { gflops: 1e-9 * operations / peak, gb_per_s: 1e-9 * 8.0 * COPIED as f64 / copy });
        Ok(())
    }

    /// What each round found.
    pub(super) fn rounds(&self) -> &[Ceilings] {
        &self.rounds
    }

    /// Medians of the rounds; there must have been one.
    pub(super) fn medians(&self) -> Ceilings {
        let median = |of: fn(&Ceilings) -> f64| Spread::of(self.rounds.iter().map(of).collect()).median;
        Ceilings { gflops: median(|c| c.gflops), gb_per_s: median(|c| c.gb_per_s) }
    }
}
