//! Progress of the compilation on software drivers, which compile a kernel when it first runs: what runs for the first time is
//! submitted kernel by kernel and waited for. Logged at level info.

use super::Gpu;
use super::kernel::Kernel;
use super::record::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Time between two lines, and before the first: a driver that finds its kernels in its cache is through before.
const PAUSE: Duration = Duration::from_secs(2);

/// Parts of a batch that each end behind a kernel that has not run before, and what follows the last of them.
fn parts<'a, 'b>(mut commands: &'b [&'a Command]) -> (Vec<&'b [&'a Command]>, &'b [&'a Command]) {
    let is_new = |kernel: &Arc<Kernel>| !kernel.has_run.swap(true, Ordering::Relaxed);
    let mut parts = Vec::new();
    while let Some(end) = commands.iter().position(|c| c.kernel().is_some_and(is_new)) {
        let (part, rest) = commands.split_at(end + 1);
        parts.push(part);
        commands = rest;
    }
    (parts, commands)
}

impl Gpu {
    /// Submits commands up to the last kernel that has not run before, and waits until that has; gives the rest. On hardware,
    /// where kernels are compiled before they run, that is all.
    pub(super) fn run_new<'a, 'b>(
        &self,
        commands: &'b [&'a Command],
        submit: impl Fn(&[&Command]) -> wgpu::SubmissionIndex,
    ) -> &'b [&'a Command] {
        if !self.0.report.is_software {
            return commands;
        }
        let (parts, rest) = parts(commands);
        let mut logged = Instant::now();
        for (done, part) in parts.iter().enumerate() {
            if logged.elapsed() >= PAUSE {
                logged = Instant::now();
                log::info!("compiling kernels: {done} of {}", parts.len());
            }
            let poll = wgpu::PollType::Wait { submission_index: Some(submit(part)), timeout: None };
            // a device that is lost says so when the work is waited for
            let _ = self.0.device.poll(poll);
        }
        rest
    }
}
