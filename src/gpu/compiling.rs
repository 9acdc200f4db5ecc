//! Waiting for the device, and progress of the compilation on software drivers, which compile a kernel when it first runs: what
//! runs for the first time is submitted kernel by kernel and waited for. Progress is logged at level info, a device that does
//! not answer at level warn.

use super::ahead::SLOW;
use super::kernel::Kernel;
use super::record::Command;
use super::{Gpu, lock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// Time between two lines, and before the first: a driver that finds its kernels in its cache is through before.
const PAUSE: Duration = Duration::from_secs(2);

/// A device that has not answered for this long is worth a line in the log: a kernel's loop may not end.
pub(super) const LATE: Duration = Duration::from_secs(30);

/// A wait for the device, or for its driver.
#[derive(Debug, Clone)]
pub struct Wait {
    since: Instant,
    thread: ThreadId,
    gpu: Gpu,
    /// What is compiled, or runs for the first time.
    kernel: Option<String>,
}

/// The waits for a device that are under way.
pub(super) type Waits = Arc<Mutex<Vec<Wait>>>;

impl Wait {
    /// How long it has lasted.
    pub fn lasted(&self) -> Duration {
        self.since.elapsed()
    }

    /// The kernel that is compiled, or runs for the first time, with its constants; where that is not known those that were
    /// launched since versions were chosen last.
    pub fn kernels(&self) -> Vec<String> {
        let launched = || {
            let plans = self.gpu.planned().into_iter();
            plans.map(|(kernel, plan)| format!("{} {kernel}", plan.chosen.version.file())).collect()
        };
        self.kernel.clone().map_or_else(launched, |kernel| vec![kernel])
    }
}

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
            let (known, new) = part.split_at(part.len() - 1);
            let kernel = new[0].kernel().map(|kernel| kernel.label.clone());
            // a device that is lost says so when the work is waited for
            let _ = self.wait_for(Some(submit(known)), None, LATE);
            let begin = Instant::now();
            let _ = self.wait_for(Some(submit(new)), kernel, LATE);
            if begin.elapsed() > SLOW
                && let Some(ahead) = &*lock(&self.0.ahead)
            {
                ahead.begin();
            }
        }
        rest
    }

    /// The wait that has lasted longest, for the device of this handle and of those [beside](Gpu::beside) it.
    pub fn waiting(&self) -> Option<Wait> {
        lock(&self.0.waits).iter().min_by_key(|wait| wait.since).cloned()
    }

    /// Notes that this thread waits while `f` runs: for this kernel, if it is a certain one.
    pub(super) fn noted<T>(&self, kernel: Option<String>, f: impl FnOnce() -> T) -> T {
        let thread = std::thread::current().id();
        lock(&self.0.waits).push(Wait { since: Instant::now(), thread, gpu: self.clone(), kernel });
        let done = f();
        lock(&self.0.waits).retain(|wait| wait.thread != thread);
        done
    }

    /// Waits until a submission, which runs `kernel` for the first time, is done, or all of them are. Whenever `late` passes, the
    /// log says what is waited for.
    pub(super) fn wait_for(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        kernel: Option<String>,
        late: Duration,
    ) -> Result<(), wgpu::PollError> {
        let begin = Instant::now();
        let with = kernel.as_ref().map_or_else(String::new, |kernel| format!(" with {kernel}"));
        self.noted(kernel, || {
            loop {
                let poll = wgpu::PollType::Wait { submission_index: submission_index.clone(), timeout: Some(late) };
                match self.0.device.poll(poll) {
                    Err(wgpu::PollError::Timeout) => {
                        let seconds = begin.elapsed().as_secs();
                        log::warn!(
                            "the device has been busy{with} for {seconds} s; a loop that does not end looks like this"
                        );
                    }
                    done => return done.map(drop),
                }
            }
        })
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
        let beside = gpu.beside(gpu.shaders().clone()).expect("the same device");
        let seen = beside.noted(Some("mine".into()), || gpu.waiting().expect("shared"));
        assert_eq!(seen.kernels(), ["mine"]);
        gpu.wait_for(None, None, Duration::from_nanos(1)).expect("done in the end");
        assert!(gpu.waiting().is_none(), "nothing is under way");
        assert!((y.to_vec().expect("read")[0] / 1.01f32.powi(200) - 1.0).abs() < 1e-4);
    }
}
