//! Where a training step goes: per kernel and phase, what each guidance adds, and an inference batch beside it.
//!
//! The batch is noise of the experiment's rate and length; the time of a step does not depend on what it shows.

use super::Spread;
use crate::autograd::no_grad;
use crate::error::Result;
use crate::gpu::{Gpu, KernelTime};
use crate::nn::Mode;
use crate::tensor::Tensor;
use crate::train::Experiment;
use crate::train::config::LossConfig;
use crate::train::estimate::random_batch;
use crate::train::losses::BatchTargets;
use crate::train::step::Stepper;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// Which guidance each variant has: features, XAI.
const GUIDANCE: [(&str, bool, bool); 4] =
    [("plain", false, false), ("features", true, false), ("xai", false, true), ("both", true, true)];

/// A step with some of the guidance terms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guided {
    /// `plain`, `features`, `xai` or `both`.
    pub name: &'static str,
    /// Time of a step, ms.
    pub step_ms: Spread,
    /// Median of the ratios to the plain step of the same round.
    pub ratio: f64,
}

/// Time of one kernel in a step of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelShare {
    /// Part of the step.
    pub phase: &'static str,
    /// Shader, entry point and constants.
    pub kernel: String,
    /// Dispatches a step.
    pub count: usize,
    /// Device time a step, ms.
    pub ms: f64,
}

/// What [`profile`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Adapter and driver.
    pub adapter: String,
    /// Records a batch.
    pub batch: usize,
    /// Samples a strip.
    pub samples: usize,
    /// Trainable parameters, train-only part included.
    pub parameters: usize,
    /// Time of a training step as configured, median, ms: from the first call to the device being done.
    pub train_step_ms: f64,
    /// Its spread.
    pub train_step: Spread,
    /// Time of an inference batch, median, ms.
    pub infer_batch_ms: f64,
    /// Its spread.
    pub infer_batch: Spread,
    /// The same step with each guidance, interleaved.
    pub guidance: Vec<Guided>,
    /// ms a step: device time of `forward`, `loss`, `backward`, `optimizer` (where the device has timestamps); `host`,
    /// what recording takes before the step is submitted; `wait`, from then until it is done.
    pub by_phase: BTreeMap<&'static str, f64>,
    /// Kernels by device time, longest first; empty where the device has no timestamps.
    pub by_kernel: Vec<KernelShare>,
    /// Most bytes that tensors held.
    pub peak_memory_bytes: u64,
}

/// A network in training and its batch, to be stepped again and again.
pub(super) struct Bench {
    stepper: Stepper,
    x: Tensor,
    targets: BatchTargets,
    lr: f64,
}

impl Bench {
    pub(super) fn new(gpu: &Gpu, e: &Experiment, classes: usize) -> Result<Self> {
        let (x, targets) = random_batch(gpu, e, classes, e.data.samples())?;
        Ok(Self { stepper: Stepper::new(gpu, e, &vec![1.0; classes], None)?, x, targets, lr: e.train.lr })
    }

    /// Records and submits a step, and waits; ms for recording and for the rest.
    pub(super) fn step(&mut self) -> Result<[f64; 2]> {
        let start = Instant::now();
        self.stepper.step(&self.x, &self.targets, self.lr)?;
        let recorded = start.elapsed();
        self.x.gpu().finish()?;
        Ok([recorded, start.elapsed() - recorded].map(|d| 1e3 * d.as_secs_f64()))
    }

    /// An inference batch until its logits are on the host, ms.
    pub(super) fn infer(&self) -> Result<f64> {
        let start = Instant::now();
        no_grad(|| self.stepper.net.forward(&self.x, &Mode::EVAL))?.logits.to_vec()?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    }
}

/// Profiles `steps` steps of an experiment, after one to warm up.
///
/// # Errors
/// [`crate::Error::Config`] for a network that cannot be; [`crate::Error::Gpu`].
pub fn profile(gpu: &Gpu, experiment: &Experiment, steps: usize) -> Result<Profile> {
    let steps = steps.max(1);
    let classes = experiment.data.synthetic.classes.len().max(2);
    let mut configured = Bench::new(gpu, experiment, classes)?;
    configured.step()?;
    configured.infer()?;
    let peak_memory_bytes = gpu.pool_stats().peak;
    let mut benches = Vec::new();
    for (name, features, xai) in GUIDANCE {
        let mut e = experiment.clone();
        // a guidance that the experiment leaves out is measured with its usual weight
        let usual = LossConfig::default();
        let weight = |on: bool, own: f64, usual: f64| {
            if !on {
                0.0
            } else if own > 0.0 {
                own
            } else {
                usual
            }
        };
        e.losses.joint = weight(features, e.losses.joint, usual.joint);
        e.losses.feature = weight(features, e.losses.feature, usual.feature);
        e.losses.xai = weight(xai, e.losses.xai, usual.xai);
        let mut bench = Bench::new(gpu, &e, classes)?;
        bench.step()?;
        benches.push((name, bench, Vec::new()));
    }
    let (mut train, mut host, mut wait, mut infer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..steps {
        let [h, w] = configured.step()?;
        train.push(h + w);
        host.push(h);
        wait.push(w);
        infer.push(configured.infer()?);
        for (_, bench, times) in &mut benches {
            times.push(bench.step()?.iter().sum::<f64>());
        }
    }
    let plain: Vec<f64> = benches[0].2.clone();
    let guidance = benches
        .into_iter()
        .map(|(name, _, times)| {
            let ratios = times.iter().zip(&plain).map(|(a, b)| a / b).collect();
            Guided { name, ratio: Spread::of(ratios).median, step_ms: Spread::of(times) }
        })
        .collect();
    let times = gpu.profiled(|| (0..steps).try_for_each(|_| configured.step().map(|_| ())))?;
    let by_kernel: Vec<KernelShare> = times.into_iter().flatten().map(|t| share(t, steps)).collect();
    let mut by_phase = BTreeMap::from([("host", Spread::of(host).median), ("wait", Spread::of(wait).median)]);
    by_kernel.iter().for_each(|k| *by_phase.entry(k.phase).or_default() += k.ms);
    let report = gpu.report();
    let (train_step, infer_batch) = (Spread::of(train), Spread::of(infer));
    Ok(Profile {
        adapter: format!("{} ({} {})", report.name, report.driver, report.driver_info),
        batch: experiment.train.batch,
        samples: experiment.data.samples(),
        parameters: configured.stepper.net.params().count(),
        train_step_ms: train_step.median,
        train_step,
        infer_batch_ms: infer_batch.median,
        infer_batch,
        guidance,
        by_phase,
        by_kernel,
        peak_memory_bytes,
    })
}

fn share(t: KernelTime, steps: usize) -> KernelShare {
    KernelShare { phase: t.phase, kernel: t.kernel, count: t.count / steps, ms: 1e3 * t.seconds / steps as f64 }
}
