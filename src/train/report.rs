//! The figures of a run: curves, confusion matrix, Grad-CAM of one strip per class.

use crate::error::{Error, Result};
use crate::eval::Tested;
use crate::explain::{explain_strips, probabilities, resize_map};
use crate::figures::{EpochRow, GradCamFigure, confusion, curves, gradcam};
use crate::nn::config::NetworkConfig;
use crate::plot::ecg_paper::Strip;
use crate::plot::{Format, Look};
use crate::run::folder::{EpochLog, RunFolder};
use crate::run::metrics::Metrics;
use crate::run::predictions::Prediction;
use std::path::Path;

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

/// The figures of a run that could not be drawn, by the name of the file, and why. A run is complete without them:
/// `exgnet figures` draws them from its folder.
pub type NotDrawn = Vec<(String, Error)>;

/// Draws a figure of the run; one that fails does not keep the others from being drawn.
fn draw(folder: &RunFolder, name: &str, failed: &mut NotDrawn, figure: impl FnOnce(&Path) -> Result<()>) {
    if let Err(e) = folder.figure(name).and_then(|path| figure(&path)) {
        failed.push((name.to_owned(), e));
    }
}

/// Draws losses and metrics over the epochs.
pub fn draw_curves(folder: &RunFolder, log: &[EpochLog]) -> NotDrawn {
    let (rows, mut failed) = (drawn_rows(log), Vec::new());
    draw(folder, "losses.png", &mut failed, |path| curves::draw_losses(path, &rows));
    draw(folder, "metrics.png", &mut failed, |path| curves::draw_metrics(path, &rows));
    failed
}

/// Draws the confusion matrix of the test fold.
pub fn draw_confusion(folder: &RunFolder, metrics: &Metrics) -> NotDrawn {
    let counts: Vec<Vec<u64>> = metrics.confusion.iter().map(|r| r.iter().map(|&n| n as u64).collect()).collect();
    let mut failed = Vec::new();
    draw(folder, "confusion.png", &mut failed, |path| confusion::draw(path, &metrics.classes, &counts, None));
    failed
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
pub fn draw_grad_cam(
    folder: &RunFolder,
    tested: &Tested<'_>,
    predictions: &[Prediction],
    per_class: usize,
) -> NotDrawn {
    let Tested { gpu, net, data, strips, records, .. } = *tested;
    let (shown, mut failed) = (examples(predictions, data.classes.len(), per_class), Vec::new());
    if shown.is_empty() {
        return failed;
    }
    let chosen: Vec<usize> = shown.iter().map(|&i| records[i]).collect();
    let block = net.config().widths.len() - 1;
    let layer = layer_name(net.config(), block);
    let explained = match strips.batch(gpu, &chosen).and_then(|x| explain_strips(net, &x, block, None)) {
        Ok(explained) => explained,
        Err(e) => return vec![("gradcam.png".into(), e)],
    };
    let maps: Vec<Vec<f32>> = explained.iter().map(|e| resize_map(&e.map, strips.len_of_strip())).collect();
    let mut figures = Vec::new();
    for ((&r, e), map) in chosen.iter().zip(&explained).zip(&maps) {
        let strip = &data.strips[r];
        let name = |class: usize| (data.classes[class].as_str(), class);
        figures.push(GradCamFigure {
            strip: Strip {
                record: &strip.id,
                signal: &strip.signal,
                fs: data.preprocessing.fs,
                in_mv: true,
                r_peaks: &strip.r_peaks,
                expert_beats: strip.expert_beats,
            },
            map,
            true_class: Some(name(strip.label)),
            predicted: name(e.class),
            probability: probabilities(&e.logits)[e.class],
            target: name(e.class),
            layer: &layer,
        });
    }
    let mut drawn = vec![0; data.classes.len()];
    for (figure, &r) in figures.iter().zip(&chosen) {
        let label = data.strips[r].label;
        drawn[label] += 1;
        let stem = format!("gradcam-{}-{}", data.classes[label].replace('/', "-"), drawn[label]);
        draw(folder, &stem, &mut failed, |path| {
            let dir = path.parent().unwrap_or(path);
            let pages = gradcam::figures(&Look::default(), &stem, figure)?;
            pages.iter().try_for_each(|page| page.write(dir, &[Format::Png]).map(drop))
        });
    }
    failed
}

/// Name of a target layer for a figure.
pub fn layer_name(config: &NetworkConfig, block: usize) -> String {
    let last = if block + 1 == config.widths.len() { " (last)" } else { "" };
    format!("blocks.{block}{last}")
}
