//! Says what is under way, and ends the program where it does not end.

use crate::cli::progress::bar;
use crate::gpu::{Gpu, lock};
use crate::lab::check::UnderWay;
use indicatif::ProgressBar;
use std::process::exit;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A case that is under way, since when.
type Now = Arc<Mutex<Option<(UnderWay, Instant)>>>;

/// A bar on a terminal, a line a version elsewhere, and a thread that waits for the limit.
pub(super) struct Watch {
    now: Now,
    bar: Option<ProgressBar>,
}

impl Watch {
    /// Ends the program with exit code 1 where a case takes longer than `limit` seconds.
    pub(super) fn new(limit: f64, gpu: &Gpu, quiet: bool) -> Self {
        let now = Now::default();
        let bar = bar(quiet, "{msg} {bar:24} {pos}/{len}");
        let (seen, gpu) = (Arc::downgrade(&now), gpu.clone());
        std::thread::spawn(move || {
            let step = Duration::from_secs_f64((limit / 20.0).clamp(0.01, 0.5));
            while let Some(now) = seen.upgrade() {
                let late = lock(&now).clone();
                if let Some((under_way, _)) = late.filter(|(_, since)| since.elapsed().as_secs_f64() > limit) {
                    give_up(&gpu, &under_way, limit);
                }
                drop(now);
                std::thread::sleep(step);
            }
        });
        Self { now, bar }
    }

    /// The next case begins.
    pub(super) fn begins(&self, under_way: &UnderWay) {
        if let Some(bar) = &self.bar {
            bar.set_length(under_way.at[1] as u64);
            bar.set_position(under_way.at[0] as u64);
            bar.set_message(format!("{}: {}", under_way.version, under_way.case));
        }
        *lock(&self.now) = Some((under_way.clone(), Instant::now()));
    }

    /// Nothing is under way.
    pub(super) fn rests(&self) {
        *lock(&self.now) = None;
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Names the case and the kernel that is compiled and run for the first time, or else all that were launched last. A device that
/// does not come back cannot be recovered.
fn give_up(gpu: &Gpu, under_way: &UnderWay, limit: f64) -> ! {
    let UnderWay { version, case, .. } = under_way;
    eprintln!("error: GPU: {version}, case '{case}': not done after {limit} seconds");
    let launched =
        || gpu.planned().iter().map(|(kernel, plan)| format!("{} {kernel}", plan.chosen.version.file())).collect();
    let kernels: Vec<String> = gpu.first_run().map_or_else(launched, |kernel| vec![kernel]);
    eprintln!("under way: {}", kernels.join(", "));
    eprintln!("HINT: a loop of the kernel does not end, or all of them are slow here: --limit SECONDS waits longer");
    exit(1)
}
