//! Which batch fits into memory: what an error about memory is to say of a training.

use super::estimate::Estimate;
use crate::error::{Error, Result, Room};
use crate::experiment::Experiment;
use crate::gpu::{Gpu, Needs};

/// What a training may hold beyond the estimate of one step, as a factor: the estimate's own error (15 %), and buffers that
/// the pool keeps free at the peak because nothing of their size is asked for then. The most seen is 1.82, of networks with
/// some ten channels; 1.4 of the quick start. (A last, smaller batch and inference do not add to it: where memory ends,
/// [`super::step::Stepper`] lets go of what it recorded for other shapes.)
const MARGIN: f64 = 2.0;

/// The largest batch below the experiment's own with which a training of `classes` classes on strips of `samples`
/// samples takes no more than `bytes` bytes of device memory by the estimate with its margin; `None` where not even one
/// of 2 does.
fn batch_within(experiment: &Experiment, classes: usize, samples: usize, bytes: u64) -> Option<usize> {
    let mut e = experiment.clone();
    let fits = |batch: &usize| {
        e.train.batch = *batch;
        Estimate::new(&e, classes, samples).is_ok_and(|n| n.memory_bytes() as f64 * MARGIN <= bytes as f64)
    };
    (2..experiment.train.batch).rev().find(fits)
}

/// The estimate may be above what a step takes by so much.
const SURE: f64 = 0.8;

/// Refuses a training of `classes` classes on strips of `samples` samples whose step cannot fit, before anything is
/// allocated.
///
/// # Errors
/// [`Error::Memory`] with what a step needs and what there is ([`with_batch`] adds the batch that fits).
pub fn check(gpu: &Gpu, experiment: &Experiment, classes: usize, samples: usize) -> Result<()> {
    let (network, batch) = (&experiment.network, experiment.train.batch);
    let estimate = Estimate::new(experiment, classes, samples)?.memory_bytes();
    let per_record = |channels: usize, length: usize| (batch * channels * length) as f64;
    let blocks = network.widths.iter().zip(network.block_lengths(samples)).map(|(&c, t)| per_record(c, t));
    let outputs: Vec<f64> =
        blocks.chain([per_record(network.stem_channels, samples.div_ceil(2)), per_record(1, samples)]).collect();
    let needs = Needs { tensors: (SURE * estimate as f64) as u64, host: 0, ..Needs::of(&outputs, 0) };
    gpu.room_for(&format!("a training step at a batch of {batch}"), needs)
}

/// Puts into an error about memory what a step of the training needs by the estimate, and which batch would fit; other
/// errors stay as they are.
pub fn with_batch(e: Error, experiment: &Experiment, classes: usize, samples: usize) -> Error {
    let Error::Memory { what, room, hint } = e else { return e };
    let Ok(estimate) = Estimate::new(experiment, classes, samples) else {
        return Error::Memory { what, room, hint };
    };
    let batch = experiment.train.batch;
    let what =
        format!("{what}; a step at train.batch={batch} needs about {:.1} MB", estimate.memory_bytes() as f64 / 1e6);
    let fitting = match room {
        Room::Tensors(bytes) => Some((batch_within(experiment, classes, samples, bytes), "the estimate a batch of")),
        // tensors grow with the batch
        Room::Tensor { most, needed } => {
            let n = (batch as u128 * u128::from(most) / u128::from(needed.max(1))) as usize;
            Some(((n > 1).then_some(n), "the size of that tensor a batch of at most"))
        }
        Room::Unknown => None,
    };
    let raise = if matches!(room, Room::Tensors(_)) { "raise the limit, or " } else { "" };
    let hint = match fitting {
        Some((Some(fitting), by)) => {
            format!("by {by} {fitting} fits: --set train.batch={fitting}; or {raise}shorten the strips")
        }
        Some((None, _)) => format!(
            "not even the smallest batch fits: {raise}take shorter strips or a smaller network (network.preset, \
             network.widths)"
        ),
        None => format!("{hint}; `exgnet train --dry-run` tells what a batch needs"),
    };
    Error::Memory { what, room, hint }
}
