//! How reading and training are shown: a bar on a terminal; for training plain lines elsewhere.

use super::signals::InOrder;
use crate::ecg::sources;
use crate::error::Result;
use crate::run::folder::EpochLog;
use crate::train::fit::{Observer, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// A bar on a terminal, cleared when it is dropped; none elsewhere.
pub(super) fn bar(quiet: bool, template: &str) -> Option<ProgressBar> {
    (!quiet && std::io::stderr().is_terminal()).then(|| ProgressBar::new(1).with_style(style(template)))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a valid template")
}

/// Shows how far reading is by a bar for each source.
pub(super) fn reading(quiet: bool) -> impl Fn(sources::Progress) + Sync {
    let bar = bar(quiet, "{msg}");
    move |progress| {
        let Some(bar) = &bar else { return };
        match progress {
            sources::Progress::Begin { source, total, bytes } => {
                let count = if bytes { "{bytes}/{total_bytes}" } else { "{pos}/{len} records" };
                bar.set_style(style(&format!("{{msg}} {{bar:32}} {count}, {{elapsed}} gone, {{eta}} left")));
                bar.set_length(total);
                bar.set_position(0);
                bar.set_message(source);
            }
            sources::Progress::Advance(n) => bar.inc(n),
        }
    }
}

/// Shows the progress of a training; while it lives, a signal waits for the end of a step.
pub(super) struct Display {
    _in_order: InOrder,
    bar: Option<ProgressBar>,
    quiet: bool,
    start: Instant,
    steps: usize,
}

impl Display {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = bar(quiet, "{bar:32} {pos}/{len} steps, {msg}, {elapsed} gone, {eta} left");
        bar.iter().for_each(|bar| bar.set_message("begins"));
        Self { _in_order: InOrder::new(), bar, quiet, start: Instant::now(), steps: 1 }
    }
}

impl Observer for Display {
    fn step(&mut self, p: &Progress) {
        self.steps = p.steps;
        if let Some(bar) = &self.bar {
            bar.set_length(p.steps as u64);
            bar.set_position(p.step as u64);
            // no loss was read yet
            let loss = if p.loss.is_nan() { "-".into() } else { format!("{:.4}", p.loss) };
            bar.set_message(format!("epoch {}, loss {loss}, rate {:.2e}", p.epoch, p.lr));
        }
    }

    fn epoch(&mut self, log: &EpochLog) -> Result<()> {
        let value =
            |pairs: &[(String, f64)], name: &str| pairs.iter().find(|(n, _)| n == name).map_or(f64::NAN, |p| p.1);
        let left = self.start.elapsed().as_secs_f64() * (self.steps as f64 / log.step.max(1) as f64 - 1.0);
        let watched = value(&log.metrics, "validation_macro_f1");
        let watched = if watched.is_nan() { String::new() } else { format!(", validation {watched:.3}") };
        let line = format!(
            "epoch {:>3}  step {:>5}/{}  loss {:.4}  rate {:.2e}  macro-F1 training {:.3}{}  {:.1} s, {left:.0} s left",
            log.epoch,
            log.step,
            self.steps,
            value(&log.losses, "ce"),
            log.lr,
            value(&log.metrics, "train_macro_f1"),
            watched,
            log.seconds,
        );
        match &self.bar {
            Some(bar) => bar.println(line),
            None if !self.quiet => eprintln!("{line}"),
            None => {}
        }
        Ok(())
    }
}
