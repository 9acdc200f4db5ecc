//! The maps of a batch and their scores.

use crate::ecg::guidance::{marked_bins, pool};
use crate::error::Result;
use crate::eval::Tested;
use crate::explain::scores::{MapScores, pointing_chance, slope_map, uniform};
use crate::explain::{argmax, grad_cam};
use crate::nn::network::FEATURES;
use crate::nn::{Mode, Model, Output};
use crate::run::predictions;
use crate::tensor::Tensor;
use rayon::prelude::*;

/// What the network says of a record, and where it looked.
pub(super) struct Scored {
    pub logits: Vec<f32>,
    pub predicted: usize,
    /// Map for the true class, at the target layer's resolution.
    pub map: Vec<f32>,
    pub scores: Scores,
    /// What the classifier was given.
    pub embedding: Vec<f32>,
    /// Features that the regressor made of the strip, standardised; `None` without one.
    pub regressed: Option<Vec<f32>>,
}

/// Scores of the maps of one record; all `None` where its target is not valid.
#[derive(Clone, Copy, Default)]
pub(super) struct Scores {
    pub truth: Option<MapScores>,
    pub predicted: Option<MapScores>,
    pub uniform: Option<MapScores>,
    pub chance: Option<f64>,
    pub slope: Option<MapScores>,
    /// Of the network with random weights, where there is one.
    pub random: Option<MapScores>,
}

/// Maps at place `layer` for `classes`, one a record.
pub(super) fn maps(out: &Output, layer: usize, classes: &Tensor) -> Result<Vec<Vec<f32>>> {
    let cam = grad_cam(out, layer, classes, false)?;
    let values = cam.map.to_vec()?;
    Ok(values.chunks(cam.map.dim(1)).map(<[f32]>::to_vec).collect())
}

/// Predicts and explains a batch of records; the sanity maps are scored where `random` is given.
pub(super) fn score(tested: &Tested<'_>, part: &[usize], layer: usize, random: Option<&Model>) -> Result<Vec<Scored>> {
    let Tested { gpu, net, data, strips, experiment, .. } = *tested;
    let x = strips.batch(gpu, part)?;
    let truth = strips.batch_labels(gpu, part)?;
    let out = net.forward(&x, &Mode::EVAL)?;
    let logits = out.logits.to_vec()?;
    let logits: Vec<&[f32]> = logits.chunks(net.classes()).collect();
    let predicted: Vec<usize> = logits.iter().map(|row| argmax(row)).collect();
    let own = maps(&out, layer, &truth)?;
    let wrong = part.iter().zip(&predicted).any(|(&r, &p)| strips.label(r) != p);
    let other = if wrong {
        let classes: Vec<u32> = predicted.iter().map(|&p| p as u32).collect();
        Some(maps(&out, layer, &Tensor::from_u32(gpu, &[part.len()], &classes)?)?)
    } else {
        None
    };
    let regressed = tested.scale.and(net.regress(&out.embedding)?).map(|values| values.to_vec()).transpose()?;
    let embedding = out.embedding.to_vec()?;
    let width = out.embedding.dim(1);
    drop(out);
    let random = random.map(|net| maps(&net.forward(&x, &Mode::EVAL)?, layer, &truth)).transpose()?;
    let one = |i: usize| {
        let strip = &data.strips[part[i]];
        let made = strip.guidance(data.preprocessing.fs, &experiment.guidance);
        let against = |map: &[f32]| {
            MapScores::against(map, &made, &strip.r_peaks, data.preprocessing.fs).map(predictions::short_scores)
        };
        let bins = own[i].len();
        let mut scores = Scores { truth: against(&own[i]), ..Scores::default() };
        scores.predicted =
            other.as_ref().filter(|_| predicted[i] != strip.label).map_or(scores.truth, |maps| against(&maps[i]));
        if let Some(random) = &random {
            let target = pool(&made.target, bins);
            scores.uniform = against(&uniform(bins));
            let (fs, samples) = (data.preprocessing.fs, strip.signal.len());
            let seen = marked_bins(made.marked, samples, bins);
            scores.chance = made.valid.then(|| pointing_chance(fs, samples, &strip.r_peaks, &target, seen));
            scores.slope = against(&slope_map(&strip.zscored(), bins));
            scores.random = against(&random[i]);
        }
        let regressed = regressed.as_ref().map(|rows| rows[i * FEATURES..(i + 1) * FEATURES].to_vec());
        Scored {
            logits: logits[i].to_vec(),
            predicted: predicted[i],
            map: own[i].clone(),
            scores,
            embedding: embedding[i * width..(i + 1) * width].to_vec(),
            regressed,
        }
    };
    Ok((0..part.len()).into_par_iter().map(one).collect())
}
