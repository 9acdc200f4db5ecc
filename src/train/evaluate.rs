//! A network on records it is tested on.

use super::data::Strips;
use super::run_folder::Prediction;
use crate::autograd::no_grad;
use crate::ecg::Dataset;
use crate::error::Result;
use crate::explain::probabilities;
use crate::gpu::Gpu;
use crate::nn::{Exgnet, Mode};

/// Logits of each of `records`, in evaluation mode.
///
/// # Errors
/// [`crate::Error::Shape`], [`crate::Error::Gpu`].
pub fn logits(gpu: &Gpu, net: &Exgnet, strips: &Strips, records: &[usize], batch: usize) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::with_capacity(records.len());
    for part in records.chunks(batch) {
        let x = strips.batch(gpu, part)?;
        let values = no_grad(|| net.forward(&x, &Mode::EVAL))?.logits.to_vec()?;
        all.extend(values.chunks(net.classes()).map(<[f32]>::to_vec));
    }
    Ok(all)
}

/// Predictions for `records` of a data set.
///
/// # Errors
/// As [`logits`].
pub fn evaluate(
    gpu: &Gpu,
    net: &Exgnet,
    data: &Dataset,
    strips: &Strips,
    records: &[usize],
) -> Result<Vec<Prediction>> {
    let rows = logits(gpu, net, strips, records, 32)?;
    let one = |(&r, row): (&usize, &Vec<f32>)| Prediction {
        record: data.strips[r].id.clone(),
        patient: data.strips[r].patient.clone(),
        truth: data.strips[r].label,
        probabilities: probabilities(row),
    };
    Ok(records.iter().zip(&rows).map(one).collect())
}
