//! Which batch fits into memory: what an error about memory is to say of a training.

use super::config::Experiment;
use super::estimate::Estimate;
use crate::error::{Error, Result};

/// What a training may hold beyond the estimate of one step, as a factor: the estimate's own error (15 %), and the buffers of
/// a last, smaller batch and of inference, whose sizes nothing else asks for.
const MARGIN: f64 = 2.5;

/// The largest batch below the experiment's own with which a training of `classes` classes on strips of `samples`
/// samples takes no more than `bytes` bytes of device memory by the estimate with its margin; `None` where not even one
/// of 2 does.
///
/// # Errors
/// [`Error::Config`] for a target layer that the network does not have.
pub fn batch_within(experiment: &Experiment, classes: usize, samples: usize, bytes: u64) -> Result<Option<usize>> {
    let weights = experiment.losses.weights(experiment.network.widths.len())?;
    let fits = |batch: usize| {
        let mut train = experiment.train.clone();
        train.batch = batch;
        let estimate = Estimate::new(&experiment.network, &weights, classes, samples, &train).memory_bytes();
        estimate as f64 * MARGIN <= bytes as f64
    };
    Ok((2..experiment.train.batch).rev().find(|&batch| fits(batch)))
}

/// Puts into an error about memory what a step of the training needs by the estimate, and which batch would fit; other
/// errors stay as they are.
pub fn with_batch(e: Error, experiment: &Experiment, classes: usize, samples: usize) -> Error {
    let Error::Memory { what, limit, hint } = e else { return e };
    let estimate = experiment.losses.weights(experiment.network.widths.len()).map(|weights| {
        Estimate::new(&experiment.network, &weights, classes, samples, &experiment.train).memory_bytes()
    });
    let Ok(needed) = estimate else { return Error::Memory { what, limit, hint } };
    let batch = experiment.train.batch;
    let what = format!("{what}; a step at train.batch={batch} needs about {:.1} MB", needed as f64 / 1e6);
    let hint = match limit.map(|bytes| batch_within(experiment, classes, samples, bytes)) {
        Some(Ok(Some(fitting))) if fitting < batch => {
            format!(
                "by the estimate a batch of {fitting} fits: --set train.batch={fitting}; or raise the limit, or shorten the strips"
            )
        }
        Some(Ok(None)) => "not even the smallest batch fits: raise the limit, or take shorter strips or a smaller \
                           network (network.preset, network.widths)"
            .into(),
        _ => format!("{hint}; `exgnet train --dry-run` tells what a batch needs"),
    };
    Error::Memory { what, limit, hint }
}
