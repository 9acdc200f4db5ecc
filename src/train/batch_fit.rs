//! Which batch fits into memory: what an error about memory is to say of a training.

use super::estimate::Estimate;
use crate::error::{Error, MemoryLimit, Result};
use crate::experiment::Experiment;
use crate::gpu::{Gpu, Needs};
use crate::tensor::numel;

/// What a training may hold beyond one step, as a factor: buffers that the pool keeps free, a last, smaller batch, inference.
/// (Where memory ends, [`super::step::Stepper`] lets go of what it recorded for other shapes.)
const MARGIN: f64 = 1.1;

/// The largest batch below the experiment's own with which a training of `classes` classes on strips of `samples`
/// samples takes no more than `bytes` bytes of device memory by the estimate with its margin; `None` where not even one
/// of 2 does.
fn batch_within(experiment: &Experiment, classes: usize, samples: usize, bytes: u64) -> Option<usize> {
    let mut e = experiment.clone();
    let mut fits = |batch: usize| {
        e.train.batch = batch;
        Estimate::new(None, &e, classes, samples).is_ok_and(|n| n.memory.allocated as f64 * MARGIN <= bytes as f64)
    };
    let (mut low, mut high) = (1, experiment.train.batch);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        *if fits(middle) { &mut low } else { &mut high } = middle;
    }
    (low > 1).then_some(low)
}

/// Refuses a training of `classes` classes on strips of `samples` samples whose step cannot fit, before anything is
/// allocated.
///
/// # Errors
/// [`Error::Memory`] with what a step needs and what there is ([`with_batch`] adds the batch that fits).
pub fn check(gpu: &Gpu, experiment: &Experiment, classes: usize, samples: usize) -> Result<()> {
    let batch = experiment.train.batch;
    let estimate = Estimate::on(&gpu.shapes_of_next()?, experiment, classes, samples)?;
    let outputs = estimate.parts.iter().map(|part| (batch * numel(&part.output)) as f64);
    let outputs: Vec<f64> = outputs.chain([(batch * samples) as f64]).collect();
    let needs = Needs { tensors: estimate.memory_bytes(), host: 0, ..Needs::of(&outputs, 0) };
    gpu.check_fits(&format!("a training step at a batch of {batch}"), needs)
}

/// Puts into an error about memory what a step of the training needs by the estimate, and which batch would fit; other
/// errors stay as they are.
pub fn with_batch(e: Error, experiment: &Experiment, classes: usize, samples: usize) -> Error {
    let Error::Memory { what, limit, hint } = e else { return e };
    let Ok(estimate) = Estimate::new(None, experiment, classes, samples) else {
        return Error::Memory { what, limit, hint };
    };
    let batch = experiment.train.batch;
    let what =
        format!("{what}; a step at train.batch={batch} needs about {:.1} MB", estimate.memory_bytes() as f64 / 1e6);
    let fitting = match limit {
        MemoryLimit::Tensors(bytes) => {
            Some((batch_within(experiment, classes, samples, bytes), "the estimate a batch of"))
        }
        // tensors grow with the batch
        MemoryLimit::Tensor { most, needed } => {
            let n = (batch as u128 * u128::from(most) / u128::from(needed.max(1))) as usize;
            Some(((n > 1).then_some(n), "the size of that tensor a batch of at most"))
        }
        MemoryLimit::Unknown => None,
    };
    let raise = if matches!(limit, MemoryLimit::Tensors(_)) { "raise the limit, or " } else { "" };
    let hint = match fitting {
        Some((Some(fitting), by)) => {
            format!("by {by} {fitting} fits: --set train.batch={fitting}; or {raise}shorten the strips")
        }
        Some((None, _)) => format!(
            "not even the smallest batch fits: {raise}take shorter strips or a smaller network (network.preset, \
             network.widths)"
        ),
        None => format!("{hint}; `exgnet train --dry-run` prints what a batch needs"),
    };
    Error::Memory { what, limit, hint }
}
