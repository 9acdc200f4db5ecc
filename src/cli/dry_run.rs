//! `exgnet train --dry-run`: what a training would be and cost, without training.

use super::progress::reading;
use super::{Common, print_json, print_line};
use crate::ecg::labels::Scheme;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::experiment::data::{self, batches};
use crate::gpu::{Gpu, PoolStats};
use crate::train::estimate::{Estimate, random_batch};
use crate::train::room::with_batch;
use crate::train::step::Stepper;
use serde_json::json;
use std::time::Instant;

/// Checks the experiment, its data where they are at hand, and takes two steps where there is a device.
pub(super) fn run(common: &Common, experiment: &Experiment, as_json: bool) -> Result<()> {
    let (network, t) = (&experiment.network, &experiment.train);
    let samples = experiment.data.samples();
    let (classes, steps_per_epoch) = match at_hand(common, experiment)? {
        Some((classes, steps)) => (classes, Some(steps)),
        None => (Scheme::by_name(&experiment.data.classes)?.classes.len(), None),
    };
    let estimate = Estimate::new(experiment, classes, samples)?;
    let measured = match common.gpu() {
        Ok(gpu) => {
            let found = two_steps(&gpu, experiment, classes, samples);
            let (ms, pool) = found.map_err(|e| with_batch(e, experiment, classes, samples))?;
            Some((ms, gpu.report().name.clone(), pool))
        }
        Err(e @ Error::NoAdapter { .. }) => {
            common.say(format!("a step is not timed: {e}"));
            None
        }
        Err(e) => return Err(e),
    };
    let step_ms = measured.as_ref().map(|(ms, ..)| *ms);
    let pool = measured.as_ref().map(|(.., pool)| *pool);
    let seconds = steps_per_epoch.zip(step_ms).map(|(steps, ms)| (steps * t.epochs) as f64 * ms / 1e3);
    if as_json {
        // null: cannot be known here
        let found = json!({
            "parameters": estimate.parameters, "parameters_inference": estimate.parameters_inference,
            "activation_bytes": estimate.activation_bytes, "memory_bytes": estimate.memory_bytes(),
            "memory_measured": pool.map(|p| p.peak), "memory_held": pool.map(|p| p.allocated),
            "steps_per_epoch": steps_per_epoch, "step_ms": step_ms, "total_seconds": seconds,
        });
        print_json(&found, true);
        return Ok(());
    }
    let kind = format!("{:?}", network.kind).to_lowercase();
    print_line(&format!("{kind}, {} blocks, {classes} classes, strips of {samples} samples\n", network.widths.len()));
    print_line(&format!("{:<12} {:>14} {:>14}", "part", "output", "parameters"));
    for part in &estimate.parts {
        let shape = part.output.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        print_line(&format!("{:<12} {shape:>14} {:>14}", part.name, part.parameters));
    }
    let (all, inference) = (estimate.parameters, estimate.parameters_inference);
    print_line(&format!("{:<12} {:>14} {all:>14}   (exported: {inference})\n", "total", ""));
    print_line(&format!("memory of a step of {} strips (see src/train/estimate.rs)", t.batch));
    for (name, bytes) in [
        ("parameters, their gradients and moments", estimate.parameter_bytes),
        ("activations", estimate.activation_bytes),
        ("XAI guidance", estimate.guidance_bytes),
        ("gradients in flight", estimate.flight_bytes),
        ("total", estimate.memory_bytes()),
    ] {
        print_line(&format!("  {name:<40} {:>10.1} MB", bytes as f64 / 1e6));
    }
    if let Some(pool) = pool {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let text = "measured on two steps";
        print_line(&format!(
            "  {text:<40} {:>10.1} MB ({:.1} MB with free buffers)",
            mb(pool.peak),
            mb(pool.allocated)
        ));
    }
    let unknown = || "unknown".to_string();
    let steps = steps_per_epoch.map_or_else(unknown, |n| n.to_string());
    print_line(&format!("\nsteps per epoch  {steps}, epochs {}", t.epochs));
    let step = measured.map_or_else(unknown, |(ms, name, _)| format!("{ms:.1} ms on {name}"));
    print_line(&format!("step             {step}"));
    print_line(&format!("training         {}", seconds.map_or_else(unknown, duration)));
    Ok(())
}

/// Number of classes and of steps an epoch, where the data can be read here.
fn at_hand(common: &Common, experiment: &Experiment) -> Result<Option<(usize, usize)>> {
    let set = match data::load(&experiment.data, &experiment.guidance, &reading(common.quiet)) {
        Ok(set) => set,
        Err(e @ Error::File { .. }) => {
            common.say(format!("data not at hand: {e}"));
            common.say(format!("counted with every class of {}", experiment.data.classes));
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    super::train::tell(common, &set);
    let division = data::divide(experiment, &set)?;
    let steps = batches(&division.train, experiment.train.batch, experiment.train.seed, 0).len();
    Ok(Some((set.classes.len(), steps)))
}

/// Milliseconds of a training step at the experiment's batch, the second of two, and the memory that they took.
fn two_steps(gpu: &Gpu, experiment: &Experiment, classes: usize, samples: usize) -> Result<(f64, PoolStats)> {
    let (x, targets) = random_batch(gpu, experiment, classes, samples)?;
    let mut stepper = Stepper::new(gpu, experiment, &vec![1.0; classes], None)?;
    let mut ms = f64::NAN;
    for _ in 0..2 {
        gpu.finish()?;
        let start = Instant::now();
        stepper.step(&x, &targets, experiment.train.lr)?;
        gpu.finish()?;
        ms = start.elapsed().as_secs_f64() * 1e3;
    }
    Ok((ms, gpu.pool_stats()))
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
