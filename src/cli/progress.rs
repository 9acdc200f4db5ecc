//! How reading and training are shown: a bar on a terminal; for training plain lines elsewhere.

use super::say;
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

/// What an epoch gave, on a line.
pub(super) fn results(log: &EpochLog) -> String {
    let value = |pairs: &[(String, f64)], name: &str| pairs.iter().find(|(n, _)| n == name).map_or(f64::NAN, |p| p.1);
    let watched = value(&log.metrics, "validation_macro_f1");
    let watched = if watched.is_nan() { String::new() } else { format!(", validation {watched:.3}") };
    format!(
        "loss {:.4}  rate {:.2e}  macro-F1 training {:.3}{watched}  {:.1} s",
        value(&log.losses, "ce"),
        log.lr,
        value(&log.metrics, "train_macro_f1"),
        log.seconds,
    )
}

/// Estimates the time that is left from the steps since a loss was first read: what ran before is compilation for the most part,
/// and what was done before a run was resumed took none of this time.
#[derive(Default)]
struct Left {
    from: Option<(Instant, usize)>,
}

impl Left {
    /// Takes a step into account; true where the estimate begins with it.
    fn step(&mut self, p: &Progress, now: Instant) -> bool {
        let begins = self.from.is_none() && !p.loss.is_nan();
        if begins {
            self.from = Some((now, p.step));
        }
        begins
    }

    /// Seconds for the steps behind `step`; `None` where nothing can be said yet.
    fn seconds(&self, step: usize, steps: usize, now: Instant) -> Option<f64> {
        let (start, first) = self.from.filter(|(_, first)| step > *first)?;
        let pace = now.duration_since(start).as_secs_f64() / (step - first) as f64;
        Some(pace * steps.saturating_sub(step) as f64)
    }
}

/// Shows the progress of a training; while it lives, a signal waits for the end of a step.
pub(super) struct Display {
    _in_order: InOrder,
    bar: Option<ProgressBar>,
    quiet: bool,
    left: Left,
    steps: usize,
}

impl Display {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = bar(quiet, "{bar:32} {pos}/{len} steps, {msg}, {elapsed} gone, {eta} left");
        bar.iter().for_each(|bar| bar.set_message("begins"));
        Self { _in_order: InOrder::new(), bar, quiet, left: Left::default(), steps: 1 }
    }
}

impl Observer for Display {
    fn step(&mut self, p: &Progress) {
        self.steps = p.steps;
        let begins = self.left.step(p, Instant::now());
        if let Some(bar) = &self.bar {
            bar.set_length(p.steps as u64);
            bar.set_position(p.step as u64);
            if begins {
                bar.reset_eta();
            }
            // no loss was read yet
            let loss = if p.loss.is_nan() { "-".into() } else { format!("{:.4}", p.loss) };
            bar.set_message(format!("epoch {}, loss {loss}, rate {:.2e}", p.epoch, p.lr));
        }
    }

    fn epoch(&mut self, log: &EpochLog) -> Result<()> {
        let left = self.left.seconds(log.step, self.steps, Instant::now());
        let left = left.map_or(String::new(), |left| format!(", {left:.0} s left"));
        let line = format!("epoch {:>3}  step {:>5}/{}  {}{left}", log.epoch, log.step, self.steps, results(log));
        match &self.bar {
            Some(bar) => bar.println(line),
            None if !self.quiet => say(&line),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn compilation_and_earlier_steps_are_not_extrapolated() {
        let (start, mut left) = (Instant::now(), Left::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let step = |step, loss| Progress { epoch: 1, step, steps: 100, loss, lr: 0.1 };
        // resumed after step 40; a minute until the kernels are compiled
        assert!(!left.step(&step(41, f64::NAN), at(30)));
        assert_eq!(left.seconds(41, 100, at(30)), None);
        assert!(left.step(&step(50, 0.5), at(60)) && !left.step(&step(51, 0.5), at(61)));
        assert_eq!(left.seconds(50, 100, at(60)), None);
        assert_eq!(left.seconds(60, 100, at(70)), Some(40.0));
        assert_eq!(left.seconds(100, 100, at(110)), Some(0.0));
    }
}
