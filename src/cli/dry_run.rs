//! `exgnet train --dry-run`: what a training would be and cost, without training.

use super::progress::reading;
use super::{Common, print_json, print_line};
use crate::ecg::labels::Scheme;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::experiment::data;
use crate::explain::target_layers;
use crate::train::Sampler;
use crate::train::batch_fit::{check, with_batch};
use crate::train::estimate::Estimate;
use serde_json::json;

/// Checks the experiment and its data where they are at hand, and runs a step on a device of shapes alone.
pub(super) fn run(common: &Common, experiment: &Experiment, as_json: bool) -> Result<()> {
    let t = &experiment.train;
    let samples = experiment.data.samples();
    let found = at_hand(common, experiment)?;
    let classes = match &found {
        Some(found) => found.classes,
        None => Scheme::by_name(&experiment.data.classes)?.classes.len(),
    };
    let (steps_per_epoch, strips) = (found.as_ref().map(|f| f.steps), found.as_ref().map(|f| f.strips));
    // memory differs a little with the versions of the kernels that an adapter runs
    let gpu = match common.gpu() {
        Ok(gpu) => Some(gpu),
        Err(e @ Error::NoAdapter { .. }) => {
            common.say(format!("counted for an adapter that has no more than every one has: {e}"));
            None
        }
        Err(e) => return Err(e),
    };
    let in_memory = |e| with_batch(e, experiment, classes, samples);
    if let Some(gpu) = &gpu {
        check(gpu, experiment, classes, samples).map_err(in_memory)?;
    }
    let estimate = Estimate::new(gpu.as_ref(), experiment, classes, samples).map_err(in_memory)?;
    let adapter = gpu.as_ref().map(|gpu| gpu.report().name.clone());
    let steps = steps_per_epoch.map(|steps| steps * t.epochs);
    if as_json {
        let phases: serde_json::Map<_, _> = estimate.phases.iter().map(|p| (p.phase.into(), p.most.into())).collect();
        // null: cannot be known here
        let found = json!({
            "parameters": estimate.parameters, "parameters_inference": estimate.parameters_inference,
            "multiply_adds": estimate.multiply_adds, "memory_bytes": estimate.memory_bytes(),
            "memory_held": estimate.memory.allocated, "memory_by_phase": phases, "adapter": adapter,
            "strips_per_epoch": strips, "steps_per_epoch": steps_per_epoch, "steps": steps,
        });
        print_json(&found, true);
        return Ok(());
    }
    let (kind, layers) = (experiment.network.kind(), target_layers(&experiment.network.maps()));
    print_line(&format!("{kind}, {classes} classes, strips of {samples} samples; target layers: {layers}\n"));
    print_line(&format!("{:<12} {:>14} {:>14}", "part", "output", "parameters"));
    for part in &estimate.parts {
        let shape = part.output.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        print_line(&format!("{:<12} {shape:>14} {:>14}", part.name, part.parameters));
    }
    let (all, inference) = (estimate.parameters, estimate.parameters_inference);
    print_line(&format!("{:<12} {:>14} {all:>14}   (exported: {inference})\n", "total", ""));
    let mega = |n: u64| n as f64 / 1e6;
    print_line(&format!("multiply-adds of an inference   {:.1} M a strip", mega(estimate.multiply_adds)));
    let of = adapter.map_or(String::new(), |name| format!(" on {name}"));
    print_line(&format!("memory of a step of {} strips{of}, most in each phase", t.batch));
    if let Some(first) = estimate.phases.first() {
        print_line(&format!("  {:<12} {:>10.1} MB", "before", mega(first.first)));
    }
    for phase in &estimate.phases {
        print_line(&format!("  {:<12} {:>10.1} MB", phase.phase, mega(phase.most)));
    }
    let [most, held] = [estimate.memory_bytes(), estimate.memory.allocated].map(mega);
    print_line(&format!("  {:<12} {most:>10.1} MB ({held:.1} MB with free buffers)", "at most"));
    let known = |n: Option<usize>| n.map_or_else(|| "unknown".to_string(), |n| n.to_string());
    let [strips, steps_per_epoch, steps] = [strips, steps_per_epoch, steps].map(known);
    print_line(&format!("\nstrips per epoch {strips}"));
    print_line(&format!("steps per epoch  {steps_per_epoch}, epochs {}", t.epochs));
    print_line(&format!("steps in all     {steps}; how long one takes here is measured by `exgnet profile`"));
    Ok(())
}

/// What the data gives.
struct AtHand {
    classes: usize,
    /// In an epoch.
    steps: usize,
    strips: usize,
}

/// Classes, and steps and strips of an epoch, where the data can be read here.
fn at_hand(common: &Common, experiment: &Experiment) -> Result<Option<AtHand>> {
    let set = match data::load(experiment, &reading(common.quiet)) {
        Ok(set) => set,
        Err(e @ Error::File { .. }) => {
            common.say(format!("data not at hand: {e}"));
            common.say(format!("counted with every class of {}", experiment.data.classes));
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    super::train::print_data(common, &set);
    let division = data::divide(experiment, &set)?;
    let (_, others) = set.with_leads(&division.train);
    let sampler = Sampler::new(experiment, &set, &division.train, others);
    let batches = sampler.batches(0);
    sampler.line().into_iter().for_each(|line| common.say(line));
    Ok(Some(AtHand { classes: set.classes.len(), steps: batches.len(), strips: batches.iter().map(Vec::len).sum() }))
}
