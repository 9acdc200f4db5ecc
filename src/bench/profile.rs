//! Where a training step goes: per kernel and phase, what each guidance adds, and an inference batch beside it.
//!
//! The batch is synthetic ECG of the experiment's rate and length; the time of a step does not depend on what it shows.

use crate::autograd::{grad, no_grad};
use crate::ecg::labels::RHYTHM6;
use crate::ecg::synthesize;
use crate::error::Result;
use crate::gpu::{Gpu, KernelTime};
use crate::nn::{Exgnet, Mode, Optimizer};
use crate::ops::{DropoutState, Hyper};
use crate::tensor::Tensor;
use crate::train::losses::{LossWeights, losses};
use crate::train::{Experiment, Strips, Targets};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// Median, smallest and largest of several times, ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Spread {
    /// Of at least one time.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let n = times.len();
        let median = 0.5 * (times[(n - 1) / 2] + times[n / 2]);
        Self { median, low: times[0], high: times[n - 1] }
    }
}

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

/// One network with its optimiser and a batch, to be stepped again and again.
struct Bench<'a> {
    gpu: &'a Gpu,
    net: Exgnet,
    optimizer: Optimizer,
    dropout: DropoutState,
    strips: Strips,
    targets: Targets,
    records: Vec<usize>,
    weights: LossWeights,
    class_weights: Tensor,
    smoothing: f64,
    lr: f64,
}

impl<'a> Bench<'a> {
    fn new(gpu: &'a Gpu, e: &Experiment, weights: LossWeights, batch: usize, classes: usize) -> Result<Self> {
        let mut options = e.data.synthetic_options();
        options.records = batch;
        options.classes = RHYTHM6.classes.iter().take(classes).map(|c| (*c).to_string()).collect();
        let set = synthesize(&options)?;
        let k = set.classes.len();
        let net = Exgnet::new(gpu, &e.network, k, weights.train_only(), e.train.seed)?;
        let hyper = Hyper { lr: e.train.lr, clip: e.train.clip, ..Hyper::default() };
        let records: Vec<usize> = (0..set.strips.len()).collect();
        let bins = e.network.block_lengths(set.samples())[weights.block];
        Ok(Self {
            gpu,
            optimizer: Optimizer::new(net.params(), hyper)?,
            dropout: DropoutState::new(gpu, e.train.seed)?,
            strips: Strips::new(&set),
            targets: Targets::new(&set, &records, None, &weights, &e.guidance, bins),
            records,
            class_weights: Tensor::full(gpu, &[k], 1.0)?,
            smoothing: e.losses.label_smoothing,
            lr: e.train.lr,
            weights,
            net,
        })
    }

    /// Records and submits a step, and waits; ms for recording and for the rest.
    fn step(&mut self) -> Result<[f64; 2]> {
        let start = Instant::now();
        self.dropout.set(1, self.optimizer.steps())?;
        self.gpu.phase("forward");
        let x = self.strips.batch(self.gpu, &self.records)?;
        let targets = self.targets.batch(self.gpu, &self.strips, &self.records, &self.class_weights, self.smoothing)?;
        let mode = Mode::train(&self.dropout);
        let out = self.net.forward(&x, &mode)?;
        self.gpu.phase("loss");
        let terms = losses(&self.net, &out, &targets, &self.weights, &mode)?;
        self.gpu.phase("backward");
        let params: Vec<&Tensor> = self.net.params().trainable().iter().map(|(_, p)| p).collect();
        let gradients = grad(&terms.total, &params, None, false)?;
        self.gpu.phase("optimizer");
        self.optimizer.step(self.net.params(), &gradients, self.lr)?;
        let recorded = start.elapsed();
        self.gpu.finish()?;
        Ok([recorded, start.elapsed() - recorded].map(|d| 1e3 * d.as_secs_f64()))
    }

    /// An inference batch until its logits are on the host, ms.
    fn infer(&self) -> Result<f64> {
        let start = Instant::now();
        let x = self.strips.batch(self.gpu, &self.records)?;
        no_grad(|| self.net.forward(&x, &Mode::EVAL))?.logits.to_vec()?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    }
}

/// Profiles `steps` steps of an experiment at `batch` records, after one to warm up.
///
/// # Errors
/// [`crate::Error::Config`] for a network that cannot be; [`crate::Error::Gpu`].
pub fn profile(gpu: &Gpu, experiment: &Experiment, batch: usize, steps: usize) -> Result<Profile> {
    let classes = experiment.data.synthetic.classes.len().max(2);
    let own = experiment.losses.weights(experiment.network.widths.len())?;
    // a guidance that the experiment leaves out is measured with the default weight
    let default = crate::train::config::LossConfig::default();
    let or = |value: f64, default: f64| if value > 0.0 { value } else { default };
    let (joint, feature) = (or(own.joint, default.joint), or(own.feature, default.feature));
    let xai = or(own.xai, default.xai);
    let variants = [
        ("plain", LossWeights { joint: 0.0, feature: 0.0, xai: 0.0, ..own }),
        ("features", LossWeights { joint, feature, xai: 0.0, ..own }),
        ("xai", LossWeights { joint: 0.0, feature: 0.0, xai, ..own }),
        ("both", LossWeights { joint, feature, xai, ..own }),
    ];
    let mut configured = Bench::new(gpu, experiment, own, batch, classes)?;
    configured.step()?;
    configured.infer()?;
    let peak_memory_bytes = gpu.pool_stats().peak;
    let mut benches = Vec::new();
    for (name, weights) in variants {
        let mut bench = Bench::new(gpu, experiment, weights, batch, classes)?;
        bench.step()?;
        benches.push((name, bench, Vec::new()));
    }
    let (mut train, mut host, mut wait, mut infer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..steps.max(1) {
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
    let times = gpu.profiled(|| (0..steps.max(1)).try_for_each(|_| configured.step().map(|_| ())))?;
    let by_kernel: Vec<KernelShare> = times.into_iter().flatten().map(|t| share(t, steps.max(1))).collect();
    let mut by_phase = BTreeMap::from([("host", Spread::of(host).median), ("wait", Spread::of(wait).median)]);
    by_kernel.iter().for_each(|k| *by_phase.entry(k.phase).or_default() += k.ms);
    let report = gpu.report();
    let (train_step, infer_batch) = (Spread::of(train), Spread::of(infer));
    Ok(Profile {
        adapter: format!("{} ({} {})", report.name, report.driver, report.driver_info),
        batch,
        samples: configured.strips.len_of_strip(),
        parameters: configured.net.params().count(),
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
