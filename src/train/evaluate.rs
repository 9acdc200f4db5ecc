//! A network on records it is tested on.

use super::data::Strips;
use super::run_folder::Prediction;
use crate::autograd::no_grad;
use crate::ecg::{Dataset, GuidanceConfig};
use crate::error::Result;
use crate::explain::scores::{MapScores, Summary, summary};
use crate::explain::{grad_cam, probabilities};
use crate::gpu::Gpu;
use crate::nn::{Exgnet, Mode};
use rayon::prelude::*;

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
        explanation: None,
    };
    Ok(records.iter().zip(&rows).map(one).collect())
}

/// Scores the Grad-CAM maps of block `block` for the true class of each prediction's record, in evaluation mode, and
/// notes them in the predictions; returns their means per true class.
///
/// # Errors
/// As [`logits`]; [`crate::Error::Data`] for a class that the data set does not have.
pub fn explain_predictions(
    gpu: &Gpu,
    net: &Exgnet,
    data: &Dataset,
    (strips, records): (&Strips, &[usize]),
    (block, constants): (usize, &GuidanceConfig),
    predictions: &mut [Prediction],
) -> Result<Summary> {
    for (part, predicted) in records.chunks(32).zip(predictions.chunks_mut(32)) {
        let out = net.forward(&strips.batch(gpu, part)?, &Mode::EVAL)?;
        let cam = grad_cam(&out, block, &strips.batch_labels(gpu, part)?, false)?;
        let maps = cam.map.to_vec()?;
        let maps: Vec<&[f32]> = maps.chunks(cam.map.dim(1)).collect();
        predicted.par_iter_mut().enumerate().for_each(|(i, p)| {
            let strip = &data.strips[part[i]];
            p.explanation = MapScores::of(maps[i], &strip.r_peaks, data.fs, strip.signal.len(), constants);
        });
    }
    let rows: Vec<(usize, Option<MapScores>)> = predictions.iter().map(|p| (p.truth, p.explanation)).collect();
    summary(&rows, &data.classes)
}
