//! Training curves from the rows of a run's log.

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Entry, Frame, curve, legend, legend_height};
use crate::plot::canvas::{Canvas, save};
use crate::plot::style::{INK_SOFT, MM_PER_PT, OKABE_ITO, PT_CURVE, Page, series_color};
use std::path::Path;

/// One epoch of a training log.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRow {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimiser steps done at the end of the epoch.
    pub step: usize,
    /// Learning rate at the end of the epoch.
    pub lr: f64,
    /// Loss terms by name.
    pub losses: Vec<(String, f64)>,
    /// Validation metrics by name.
    pub metrics: Vec<(String, f64)>,
}

/// Dashes of the first eight series, of the next eight and so on, mm.
const DASHES: [f64; 4] = [0.0, 1.6, 0.5, 3.2];
/// Most series in one figure: all can be told apart.
const MOST_SERIES: usize = OKABE_ITO.len() * DASHES.len();
/// With at most this many epochs every value gets a mark.
const MARKED: usize = 40;
/// Positive losses that span more than this factor are drawn on a logarithmic axis.
const LOG_FROM: f64 = 50.0;
/// Left and right edge of the panels on the page, mm.
const EDGES: (f64, f64) = (18.0, Page::WIDTH_MM - 4.0);

/// A curve over the epochs.
struct Series {
    entry: Entry,
    points: Vec<(f64, f64)>,
}

/// Draws every loss term, and below them the learning rate, over the epochs. Values that are not finite leave gaps.
///
/// # Errors
/// Without a row or a loss term, with more than 32 terms, or if the file cannot be written.
pub fn draw_losses(path: impl AsRef<Path>, rows: &[EpochRow]) -> Result<()> {
    let series = series(rows, "loss term", |row| &row.losses)?;
    let rate = Entry::line("learning rate", INK_SOFT);
    let rate = vec![Series { entry: rate, points: rows.iter().map(|r| (r.epoch as f64, r.lr)).collect() }];
    let (x, x_label) = epochs(rows);
    let (losses, log) = value_axis(&series, 8);
    // a cosine reads as one on a linear axis, however small its end
    let rates = Axis::linear(rate.iter().flat_map(|s| s.points.iter().map(|p| p.1)), 4);
    let named = |name: &str, log: bool| if log { format!("{name} (log scale)") } else { name.to_owned() };
    let entries: Vec<Entry> = series.iter().map(|s| s.entry.clone()).collect();
    let top = 3.0 + legend_height(&entries, EDGES.1 - EDGES.0) + 1.5;
    let upper = Frame { x0: EDGES.0, y0: top, x1: EDGES.1, y1: top + 56.0 };
    let lower = Frame { y0: upper.y1 + 6.0, y1: upper.y1 + 30.0, ..upper };
    save(path, Page::paper(lower.y1 + 11.0), |c| {
        legend(c, &entries, (EDGES.0, 3.0), EDGES.1 - EDGES.0);
        upper.draw(c, &x, &losses, None, &named("loss", log));
        plot(c, upper, &x, &losses, &series);
        lower.draw(c, &x, &rates, Some(&x_label), "learning rate");
        plot(c, lower, &x, &rates, &rate);
        Ok(())
    })
}

/// Draws every metric over the epochs. Values that are not finite leave gaps.
///
/// # Errors
/// Without a row or a metric, with more than 32 metrics, or if the file cannot be written.
pub fn draw_metrics(path: impl AsRef<Path>, rows: &[EpochRow]) -> Result<()> {
    let mut series = series(rows, "metric", |row| &row.metrics)?;
    series.iter_mut().for_each(|s| s.entry.name = metric_name(&s.entry.name));
    let (x, x_label) = epochs(rows);
    let (y, log) = value_axis(&series, 8);
    let entries: Vec<Entry> = series.iter().map(|s| s.entry.clone()).collect();
    let top = 3.0 + legend_height(&entries, EDGES.1 - EDGES.0) + 1.5;
    let frame = Frame { x0: EDGES.0, y0: top, x1: EDGES.1, y1: top + 70.0 };
    save(path, Page::paper(frame.y1 + 11.0), |c| {
        legend(c, &entries, (EDGES.0, 3.0), EDGES.1 - EDGES.0);
        let label = if log { "metric (log scale)" } else { "metric" };
        frame.draw(c, &x, &y, Some(&x_label), label);
        plot(c, frame, &x, &y, &series);
        Ok(())
    })
}

/// The log's name of a metric as people write it: `train_macro_f1` is macro-F1 (training). Others stay as they are.
pub(super) fn metric_name(log: &str) -> String {
    let parts = [("train_", " (training)"), ("validation_", " (validation)"), ("test_", " (test)")];
    let found = parts.iter().find_map(|(start, part)| Some((log.strip_prefix(start)?, *part)));
    let (metric, part) = found.unwrap_or((log, ""));
    let name = match metric {
        "accuracy" => "accuracy",
        "macro_f1" => "macro-F1",
        "macro_sensitivity" => "macro-sensitivity",
        "macro_specificity" => "macro-specificity",
        "macro_auroc" => "macro-AUROC",
        "ncc" => "NCC",
        "dead_maps" => "dead maps",
        _ => return log.to_owned(),
    };
    format!("{name}{part}")
}

/// The named values of the rows as series, in the order in which the names first appear.
fn series(rows: &[EpochRow], what: &str, of: impl Fn(&EpochRow) -> &Vec<(String, f64)>) -> Result<Vec<Series>> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(&of) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let fail = |found: String, hint: &str| Err(Error::data("training curves", found, hint));
    if rows.is_empty() {
        return fail("the log has no epoch".into(), "train for at least one epoch");
    }
    if names.is_empty() {
        return fail(format!("the log has no {what}"), "look whether log.jsonl was written by this program");
    }
    if names.len() > MOST_SERIES {
        return fail(format!("{} series, at most {MOST_SERIES} can be told apart", names.len()), "draw fewer of them");
    }
    let value = |row: &EpochRow, name: &str| of(row).iter().find(|v| v.0 == name).map_or(f64::NAN, |v| v.1);
    let one = |(i, name): (usize, &&str)| {
        let dash = DASHES[i / OKABE_ITO.len() % DASHES.len()];
        let entry = Entry { dash, ..Entry::line(*name, series_color(i)) };
        Series { entry, points: rows.iter().map(|r| (r.epoch as f64, value(r, name))).collect() }
    };
    let mut all: Vec<Series> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let next = one((i, name));
        let same = |a: &(f64, f64), b: &(f64, f64)| a.1 == b.1 || (a.1.is_nan() && b.1.is_nan());
        let twin = |s: &&mut Series| s.points.iter().zip(&next.points).all(|(a, b)| same(a, b));
        // a curve under another one is not seen: both names stand at one
        match all.iter_mut().find(twin) {
            Some(twin) => twin.entry.name += &format!(" = {name}"),
            None => all.push(next),
        }
    }
    Ok(all)
}

/// The axis of the epochs and its label, which tells the steps of an epoch where all have as many.
fn epochs(rows: &[EpochRow]) -> (Axis, String) {
    let first = rows.iter().map(|r| r.epoch).min().unwrap_or(0);
    let last = rows.iter().map(|r| r.epoch).max().unwrap_or(0);
    let steps = rows[0].step.checked_div(rows[0].epoch).unwrap_or(0);
    let regular = steps > 0 && rows.iter().all(|r| r.epoch.checked_mul(steps) == Some(r.step));
    let plural = if steps == 1 { "" } else { "s" };
    let label = if regular { format!("epoch ({steps} step{plural} each)") } else { "epoch".into() };
    (Axis::whole(first, last), label)
}

/// The axis of the values with at most about `most` ticks; true if it is logarithmic.
fn value_axis(series: &[Series], most: usize) -> (Axis, bool) {
    let values = series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
    match Axis::logarithmic(values.clone(), LOG_FROM) {
        Some(axis) => (axis, true),
        None => (Axis::linear(values, most), false),
    }
}

/// Draws series in a frame, broken where a value has no place; single values and short series get marks.
fn plot(c: &mut Canvas, frame: Frame, x: &Axis, y: &Axis, series: &[Series]) {
    for Series { entry, points } in series {
        let placed: Vec<_> = points.iter().map(|p| frame.at(x, y, *p)).collect();
        for part in placed.split(|p| p.is_none()) {
            let part: Vec<_> = part.iter().flatten().copied().collect();
            curve(c, &part, (entry.color, entry.dash));
            if points.len() <= MARKED || part.len() == 1 {
                for &p in &part {
                    c.disc(p, PT_CURVE * MM_PER_PT * 1.25, entry.color);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, values: &[(&str, f64)]) -> EpochRow {
        let values: Vec<(String, f64)> = values.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        EpochRow { epoch, step: epoch.wrapping_mul(10), lr: 1e-3, losses: values.clone(), metrics: values }
    }

    #[test]
    fn curves_are_drawn_with_their_labels() {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<EpochRow> = (1..=12).map(|e| row(e, &[("total <x>", 2.0 / e as f64), ("xai", -0.3)])).collect();
        let svg = dir.path().join("loss.svg");
        draw_losses(&svg, &rows).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        for label in
            ["total &lt;x&gt;", "xai", "epoch (10 steps each)", "learning rate", ">\nloss\n<".trim_matches(['>', '<'])]
        {
            assert!(text.contains(label), "{label}");
        }
        draw_metrics(&svg, &rows).unwrap();
        assert!(std::fs::read_to_string(&svg).unwrap().contains("metric"));
        let png = dir.path().join("metrics.png");
        draw_metrics(&png, &rows).unwrap();
        let bytes = std::fs::read(&png).unwrap();
        assert_eq!(u32::from_be_bytes(bytes[16..20].try_into().unwrap()), 2126);
    }

    #[test]
    fn metrics_have_the_names_that_people_write() {
        assert_eq!(
            ["train_macro_f1", "validation_accuracy", "test_macro_auroc", "macro_f1", "train_odd", "a <b>"]
                .map(metric_name),
            ["macro-F1 (training)", "accuracy (validation)", "macro-AUROC (test)", "macro-F1", "train_odd", "a <b>"]
        );
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("metrics.svg");
        draw_metrics(&svg, &[row(1, &[("train_macro_f1", 0.5), ("validation_macro_f1", 0.4)])]).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(
            text.contains("macro-F1 (training)")
                && text.contains("macro-F1 (validation)")
                && !text.contains("macro_f1")
        );
    }

    #[test]
    fn odd_logs_are_drawn_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("a.svg");
        let odd = [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX, 1e-320, 0.0, -1.0];
        for v in odd {
            for w in odd {
                let mut rows =
                    [row(1, &[("a", v)]), row(2, &[("a", w), ("late", 1.0)]), row(usize::MAX, &[("a", 1.0)])];
                rows[2].step = 7;
                rows[1].lr = w;
                draw_losses(&svg, &rows[..1]).unwrap();
                draw_losses(&svg, &rows[..2]).unwrap();
                draw_metrics(&svg, &rows).unwrap();
            }
        }
        draw_losses(&svg, &[row(0, &[("a", 1.0)])]).unwrap();
        assert!(draw_losses(&svg, &[]).unwrap_err().to_string().contains("no epoch"));
        assert!(draw_metrics(&svg, &[row(1, &[])]).unwrap_err().to_string().contains("no metric"));
        let names: Vec<String> = (0..40).map(|i| format!("m{i}")).collect();
        let many: Vec<(&str, f64)> = names.iter().map(|n| (n.as_str(), 0.5)).collect();
        draw_metrics(&svg, &[row(1, &many[..32])]).unwrap();
        assert!(draw_metrics(&svg, &[row(1, &many)]).unwrap_err().to_string().contains("40 series"));
    }
}
