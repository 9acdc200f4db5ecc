//! Where a training step goes: per kernel and phase, what each guidance adds, and an inference batch beside it.
//!
//! The batch is noise of the experiment's rate and length; the time of a step does not depend on what it shows.

use super::ceilings::{Bound, Ceilings, Probe};
use super::groups::{GroupShare, groups};
use super::read::{list, number};
use super::workloads::layers;
use super::{Interval, Spread};
use crate::error::Result;
use crate::experiment::{Experiment, LossConfig};
use crate::gpu::{Gpu, KernelTime};
use crate::ops::Pass;
use crate::tensor::Tensor;
use crate::train::batch_fit::with_batch;
use crate::train::estimate::random_batch;
use crate::train::losses::BatchTargets;
use crate::train::step::Stepper;
use serde::{Deserialize, Serialize};
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
    /// An interval of that median.
    pub interval: Interval,
}

/// The step as recorded once and replayed, beside the same step described again each time; in turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Time of a described step, ms.
    pub described_ms: Spread,
    /// Median of the ratios of a replayed step to the described one of the same round.
    pub ratio: f64,
    /// An interval of that median.
    pub interval: Interval,
    /// Host time before a step is submitted, ms: replayed and described.
    pub host_ms: [f64; 2],
}

/// Bytes that the tensors of a step hold, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Parameters with their gathered gradients and moments, and the batch.
    pub parameters: u64,
    /// What the forward pass keeps for the backward pass.
    pub activations: u64,
    /// What the losses keep, the maps of XAI guidance above all.
    pub losses: u64,
    /// Gradients in flight: the most that the backward pass holds on top.
    pub backward: u64,
}

/// Time of one kernel in a step of the experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelShare {
    /// Part of the step.
    pub phase: String,
    /// Version, `conv1d/04_subgroup_shuffle`, with all stages of its launches.
    pub kernel: String,
    /// The shape, as tuning tables name it, and the layers whose convolutions have it; empty where the launch has none.
    pub shape: String,
    /// Dispatches a step.
    pub count: usize,
    /// Device time a step, ms.
    #[serde(deserialize_with = "number")]
    pub ms: f64,
    /// 1e9 floating-point operations per second (of the direct sums), where the launches say what they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gflops: Option<f64>,
    /// 1e9 bytes per second of those that must be moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gb_per_s: Option<f64>,
    /// Share of the ceiling that binds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// What [`profile`] found; in files that do not say, sizes are 0 and lists empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    #[serde(deserialize_with = "number")]
    pub train_step_ms: f64,
    /// Its spread.
    pub train_step: Spread,
    /// Time of an inference batch, median, ms.
    #[serde(deserialize_with = "number")]
    pub infer_batch_ms: f64,
    /// Its spread.
    pub infer_batch: Spread,
    /// The same step with each guidance, interleaved.
    #[serde(skip_deserializing)]
    pub guidance: Vec<Guided>,
    /// Replay against description.
    #[serde(skip_deserializing)]
    pub replay: Replayed,
    /// ms a step: device time of `forward`, `loss`, `backward`, `optimizer` (where the device has timestamps); `host`,
    /// before the step is submitted; `submit`, encoding and handing it over; `wait`, from then until it is done;
    /// `read_back` of a loss after that.
    pub by_phase: BTreeMap<String, f64>,
    /// Most that kernels reach on this adapter.
    pub ceilings: Ceilings,
    /// Kernels by device time, longest first; empty where the device has no timestamps.
    #[serde(deserialize_with = "list")]
    pub by_kernel: Vec<KernelShare>,
    /// The same by what they are for.
    #[serde(skip_deserializing)]
    pub by_group: Vec<GroupShare>,
    /// Most bytes that tensors held.
    pub peak_memory_bytes: u64,
    /// The same by what they are for.
    #[serde(skip_deserializing)]
    pub memory: Memory,
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
        let samples = e.data.samples();
        let (x, targets) =
            random_batch(gpu, e, classes, samples).map_err(|error| with_batch(error, e, classes, samples))?;
        Ok(Self { stepper: Stepper::new(gpu, e, &vec![1.0; classes], None)?, x, targets, lr: e.train.lr })
    }

    /// A step, until a loss is on the host; ms of its parts.
    pub(super) fn step(&mut self) -> Result<StepTime> {
        let gpu = self.x.gpu().clone();
        let start = Instant::now();
        let (terms, _) = self.stepper.step(&self.x, &self.targets, self.lr)?;
        let described = Instant::now();
        gpu.flush()?;
        let submitted = Instant::now();
        gpu.finish()?;
        let done = Instant::now();
        terms.total.item()?;
        let ms = |from: Instant, to: Instant| 1e3 * (to - from).as_secs_f64();
        Ok(StepTime {
            host: ms(start, described),
            submit: ms(described, submitted),
            wait: ms(submitted, done),
            read_back: ms(done, Instant::now()),
        })
    }

    /// What a step's tensors hold.
    fn memory(&mut self) -> Result<Memory> {
        let gpu = self.x.gpu().clone();
        self.stepper.replay = false;
        let phases = gpu.memory_by_phase(|| self.step().map(|_| ()))?;
        self.stepper.replay = true;
        let of = |name| phases.iter().find(|p| p.phase == name).map_or((0, 0), |p| (p.first, p.most));
        let [forward, loss, backward] = ["forward", "loss", "backward"].map(of);
        Ok(Memory {
            parameters: forward.0,
            activations: loss.0.saturating_sub(forward.0),
            losses: backward.0.saturating_sub(loss.0),
            backward: backward.1.saturating_sub(backward.0),
        })
    }

    /// An inference batch until its logits are on the host, ms, with the parameters folded beforehand, as they are for all
    /// batches but the first.
    pub(super) fn infer(&mut self) -> Result<f64> {
        self.stepper.prepare_inference()?;
        self.x.gpu().finish()?;
        let start = Instant::now();
        self.stepper.infer(&self.x)?.to_vec()?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    }
}

/// ms of the parts of a step, see [`Profile::by_phase`].
#[derive(Debug, Clone, Copy)]
pub(super) struct StepTime {
    host: f64,
    submit: f64,
    wait: f64,
    read_back: f64,
}

impl StepTime {
    /// Until the device is done.
    pub(super) fn step(&self) -> f64 {
        self.host + self.submit + self.wait
    }
}

/// Profiles `steps` steps of an experiment, after one to warm up.
pub fn profile(gpu: &Gpu, experiment: &Experiment, steps: usize) -> Result<Profile> {
    let steps = steps.max(1);
    let classes = experiment.data.synthetic.classes.len().max(2);
    let mut configured = Bench::new(gpu, experiment, classes)?;
    let memory = configured.memory()?;
    configured.step()?;
    configured.infer()?;
    let peak_memory_bytes = gpu.pool_stats().peak;
    let mut described = Bench::new(gpu, experiment, classes)?;
    described.stepper.replay = false;
    described.step()?;
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
    let (mut train, mut fresh, mut infer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..steps {
        train.push(configured.step()?);
        fresh.push(described.step()?);
        infer.push(configured.infer()?);
        for (_, bench, times) in &mut benches {
            times.push(bench.step()?.step());
        }
    }
    let spread = |times: &[StepTime], part: fn(&StepTime) -> f64| Spread::of(times.iter().map(part).collect());
    let interval = Interval::of_median(train.iter().zip(&fresh).map(|(a, b)| a.step() / b.step()).collect());
    let replay = Replayed {
        described_ms: spread(&fresh, StepTime::step),
        ratio: interval.median,
        interval,
        host_ms: [&train, &fresh].map(|times| spread(times, |t| t.host).median),
    };
    let plain: Vec<f64> = benches[0].2.clone();
    let guidance = benches
        .into_iter()
        .map(|(name, _, times)| {
            let interval = Interval::of_median(times.iter().zip(&plain).map(|(a, b)| a / b).collect());
            Guided { name, ratio: interval.median, interval, step_ms: Spread::of(times) }
        })
        .collect();
    // the ceilings before and after what they are the ceilings of
    let mut probe = Probe::new(gpu)?;
    (0..2).try_for_each(|_| probe.round())?;
    let times = gpu.profiled(|| (0..steps).try_for_each(|_| configured.step().map(|_| ())))?;
    (0..2).try_for_each(|_| probe.round())?;
    let most = probe.medians();
    let layers = layers_by_shape(experiment)?;
    let by_kernel: Vec<KernelShare> = times.into_iter().flatten().map(|t| share(t, steps, &most, &layers)).collect();
    type Part = fn(&StepTime) -> f64;
    let parts: [(&str, Part); 4] =
        [("host", |t| t.host), ("submit", |t| t.submit), ("wait", |t| t.wait), ("read_back", |t| t.read_back)];
    let mut by_phase = BTreeMap::from(parts.map(|(name, part)| (name.to_owned(), spread(&train, part).median)));
    by_kernel.iter().for_each(|k| *by_phase.entry(k.phase.clone()).or_default() += k.ms);
    let report = gpu.report();
    let (train_step, infer_batch) = (spread(&train, StepTime::step), Spread::of(infer));
    Ok(Profile {
        adapter: report.title(),
        batch: experiment.train.batch,
        samples: experiment.data.samples(),
        parameters: configured.stepper.net.params().count(),
        train_step_ms: train_step.median,
        train_step,
        infer_batch_ms: infer_batch.median,
        infer_batch,
        guidance,
        replay,
        by_phase,
        ceilings: most,
        by_group: groups(&by_kernel, &most),
        by_kernel,
        peak_memory_bytes,
        memory,
    })
}

/// Layers whose convolutions have a shape, by its name in tuning tables.
fn layers_by_shape(e: &Experiment) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (layer, shape) in layers(&e.network, e.train.batch, e.data.samples())? {
        for pass in Pass::ALL {
            let keys = shape.conv_spec().keys(pass, &[&[shape.out, shape.c_in, shape.k]]);
            keys.into_iter().for_each(|key| all.entry(key).or_default().push(layer.clone()));
        }
    }
    Ok(all)
}

/// Times of one kernel at one shape, a step's.
fn share(t: KernelTime, steps: usize, most: &Ceilings, layers: &BTreeMap<String, Vec<String>>) -> KernelShare {
    let known = |amount: f64| (amount > 0.0 && t.seconds > 0.0).then(|| 1e-9 * amount / t.seconds);
    let [gflops, gb_per_s] = t.cost.map(known);
    let (least, bound) = most.least(t.cost);
    let is_known = gflops.is_some() || gb_per_s.is_some();
    let shape = match layers.get(&t.shape) {
        Some(layers) => format!("{} ({})", t.shape, layers.join(", ")),
        None => t.shape,
    };
    KernelShare {
        phase: t.phase.to_owned(),
        kernel: t.kernel,
        shape,
        count: t.count / steps,
        ms: 1e3 * t.seconds / steps as f64,
        gflops,
        gb_per_s,
        share: is_known.then(|| least / t.seconds),
        bound: is_known.then_some(bound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shares_of_the_ceiling_that_binds() {
        let most = Ceilings { gflops: 100.0, gb_per_s: 10.0 };
        let layers = BTreeMap::from([("conv1d 1->2".to_owned(), vec!["stem".to_owned()])]);
        let of = |shape: &str, cost| {
            let (kernel, shape) = ("conv1d/01_naive".to_owned(), shape.to_owned());
            share(KernelTime { phase: "forward", kernel, shape, count: 4, seconds: 0.2, cost }, 2, &most, &layers)
        };
        let heavy = of("conv1d 1->2", [1e10, 1e8]);
        assert_eq!((heavy.count, heavy.ms, heavy.shape.as_str()), (2, 100.0, "conv1d 1->2 (stem)"));
        assert_eq!((heavy.gflops, heavy.share, heavy.bound), (Some(50.0), Some(0.5), Some(Bound::Arithmetic)));
        let light = of("add 3", [1e8, 1e9]);
        assert_eq!((light.gb_per_s, light.share, light.bound), (Some(5.0), Some(0.5), Some(Bound::Memory)));
        let untold = of("", [0.0; 2]);
        assert_eq!((untold.gflops, untold.share, untold.bound), (None, None, None));
    }
}
