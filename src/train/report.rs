//! The figures of a run: curves, confusion matrix, Grad-CAM of one strip per class.

use super::evaluate::Tested;
use super::metrics::Metrics;
use super::predictions::Prediction;
use super::run_folder::{EpochLog, RunFolder};
use crate::error::Result;
use crate::explain::{explain_strips, probabilities, resize_map};
use crate::figures::{EpochRow, GradCamFigure, confusion, curves, gradcam};
use crate::nn::config::NetworkConfig;

/// Sensitivity is nearly accuracy and specificity nearly 1: two curves a part tell enough.
fn is_drawn(metric: &str) -> bool {
    ["_accuracy", "_macro_f1", "_dead_maps"].iter().any(|end| metric.ends_with(end))
}

/// The epochs with the metrics that tell something.
pub fn drawn_rows(log: &[EpochLog]) -> Vec<EpochRow> {
    let row = |e: &EpochLog| EpochRow {
        epoch: e.epoch,
        step: e.step,
        lr: e.lr,
        losses: e.losses.clone(),
        metrics: e.metrics.iter().filter(|(name, _)| is_drawn(name)).cloned().collect(),
    };
    log.iter().map(row).collect()
}

/// Draws losses and metrics over the epochs.
///
/// # Errors
/// [`crate::Error::File`] where a figure cannot be written.
pub fn draw_curves(folder: &RunFolder, log: &[EpochLog]) -> Result<()> {
    let rows = drawn_rows(log);
    curves::draw_losses(folder.figure("losses.png")?, &rows)?;
    curves::draw_metrics(folder.figure("metrics.png")?, &rows)
}

/// Draws the confusion matrix of the test fold.
///
/// # Errors
/// As [`draw_curves`].
pub fn draw_confusion(folder: &RunFolder, metrics: &Metrics) -> Result<()> {
    let counts: Vec<Vec<u64>> = metrics.confusion.iter().map(|r| r.iter().map(|&n| n as u64).collect()).collect();
    confusion::draw(folder.figure("confusion.png")?, &metrics.classes, &counts, None)
}

/// The records to show: of each class the first `per_class` that were predicted right, or simply the first where none
/// was. The first, not the best: what is drawn is not picked by its looks.
fn examples(predictions: &[Prediction], classes: usize, per_class: usize) -> Vec<usize> {
    let right = |p: &Prediction| p.predicted() == p.truth;
    let mut all = Vec::new();
    for class in 0..classes {
        let of: Vec<usize> = (0..predictions.len()).filter(|&i| predictions[i].truth == class).collect();
        let mut good: Vec<usize> = of.iter().copied().filter(|&i| right(&predictions[i])).collect();
        if good.is_empty() {
            good = of;
        }
        all.extend(good.into_iter().take(per_class));
    }
    all
}

/// Draws Grad-CAM maps of `per_class` examples of each class, one figure each and one panel of the first of every class.
///
/// # Errors
/// As [`draw_curves`], and [`crate::Error::Gpu`].
pub fn draw_grad_cam(
    folder: &RunFolder,
    tested: &Tested<'_>,
    predictions: &[Prediction],
    per_class: usize,
) -> Result<()> {
    let Tested { gpu, net, data, strips, records, .. } = *tested;
    let shown = examples(predictions, data.classes.len(), per_class);
    if shown.is_empty() {
        return Ok(());
    }
    let chosen: Vec<usize> = shown.iter().map(|&i| records[i]).collect();
    let block = net.config().widths.len() - 1;
    let layer = layer_name(net.config(), block);
    let explained = explain_strips(net, &strips.batch(gpu, &chosen)?, block, None)?;
    let maps: Vec<Vec<f32>> = explained.iter().map(|e| resize_map(&e.map, strips.len_of_strip())).collect();
    let mut figures = Vec::new();
    for ((&r, e), map) in chosen.iter().zip(&explained).zip(&maps) {
        let strip = &data.strips[r];
        figures.push(GradCamFigure {
            title: Some(&strip.id),
            signal_mv: &strip.signal,
            fs: data.preprocessing.fs,
            in_mv: true,
            map,
            r_peaks: &strip.r_peaks,
            expert_beats: strip.expert_beats,
            true_class: Some(&data.classes[strip.label]),
            predicted_class: &data.classes[e.class],
            probability: probabilities(&e.logits)[e.class] as f32,
            target_class: &data.classes[e.class],
            layer: &layer,
        });
    }
    let mut drawn = vec![0; data.classes.len()];
    let mut panel = Vec::new();
    for (figure, &r) in figures.iter().zip(&chosen) {
        let label = data.strips[r].label;
        drawn[label] += 1;
        let (class, nth) = (data.classes[label].replace('/', "-"), drawn[label]);
        gradcam::draw(folder.figure(&format!("gradcam-{class}-{nth}.png"))?, figure)?;
        if nth == 1 {
            panel.push(figure.clone());
        }
    }
    gradcam::draw_panel(folder.figure("gradcam.png")?, &panel)
}

/// Name of a target layer for a figure.
pub fn layer_name(config: &NetworkConfig, block: usize) -> String {
    let last = if block + 1 == config.widths.len() { " (last)" } else { "" };
    format!("blocks.{block}{last}")
}
