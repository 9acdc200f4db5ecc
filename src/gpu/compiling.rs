//! Waiting for the device, and progress of the compilation on software drivers, which compile a kernel when it first runs: what
//! runs for the first time is submitted kernel by kernel and waited for. Progress is logged at level info, a device that does
//! not answer at level warn.

use super::kernel::Kernel;
use super::record::Command;
use super::{Gpu, lock};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Time between two lines, and before the first: a driver that finds its kernels in its cache is through before.
const PAUSE: Duration = Duration::from_secs(2);

/// A device that has not answered for this long is worth a line in the log: a kernel's loop may not end.
pub(super) const LATE: Duration = Duration::from_secs(30);

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
            *lock(&self.0.first_run) = part.last().and_then(|command| command.kernel()).cloned();
            // a device that is lost says so when the work is waited for
            let _ = self.wait_for(Some(submit(part)), LATE);
        }
        *lock(&self.0.first_run) = None;
        rest
    }

    /// The kernel that runs for the first time just now, with its constants, where the driver compiles on the way.
    pub fn first_run(&self) -> Option<String> {
        lock(&self.0.first_run).as_ref().map(|kernel| kernel.label.clone())
    }

    /// Waits until a submission is done, or all of them are. Whenever `late` passes, the log says what is waited for.
    pub(super) fn wait_for(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        late: Duration,
    ) -> Result<(), wgpu::PollError> {
        let begin = Instant::now();
        loop {
            let poll = wgpu::PollType::Wait { submission_index: submission_index.clone(), timeout: Some(late) };
            match self.0.device.poll(poll) {
                Err(wgpu::PollError::Timeout) => {
                    let seconds = begin.elapsed().as_secs();
                    let what = self.first_run().map_or_else(String::new, |kernel| format!(" with {kernel}"));
                    log::warn!(
                        "the device has been busy{what} for {seconds} s; a loop that does not end looks like this"
                    );
                }
                done => return done.map(drop),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn waiting_goes_on_past_the_time_that_is_logged() {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        let x = Tensor::full(&gpu, &[64, 256], 1.0).expect("uploaded");
        let mut y = x.clone();
        for _ in 0..200 {
            y = crate::ops::scale(&y, 1.01).expect("launched");
        }
        gpu.flush().expect("submitted");
        gpu.wait_for(None, Duration::from_nanos(1)).expect("done in the end");
        assert_eq!(gpu.first_run(), None, "nothing is under way");
        assert!((y.to_vec().expect("read")[0] / 1.01f32.powi(200) - 1.0).abs() < 1e-4);
    }
}
