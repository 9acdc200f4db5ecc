//! Ends the program where the device does not answer, and names the kernel.

use super::{say, signals, within};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Wait, lock};
use std::process::exit;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// For commands without an option for it.
pub(super) const LIMIT: Duration = Duration::from_secs(300);
/// After which a program that was asked to stop does not wait for the device any more.
const STUCK: Duration = Duration::from_secs(60);
/// What can be done about a kernel that is only slow, where there is the option.
pub(super) const LONGER: &str = "--limit SECONDS waits longer";

/// The value of an option `--limit`.
pub(super) fn limit(seconds: f64) -> Result<Duration> {
    let hint = "60 is usual for a check, 300 for a measurement: the first run of a kernel compiles it";
    within("--limit", seconds, f64::MIN_POSITIVE..=1e6, "seconds, more than 0", hint)?;
    Ok(Duration::from_secs_f64(seconds))
}

/// A thread that looks at the device as long as this lives.
pub(super) struct Watch {
    /// What is under way, for the message.
    what: Arc<Mutex<Option<String>>>,
}

impl Watch {
    /// Ends the program with exit code 1 where the device, or its driver, does not answer for `limit`: it cannot be recovered.
    /// `slow` says what to do about a kernel that would answer in the end.
    pub(super) fn new(gpu: &Gpu, limit: Duration, slow: &'static str) -> Self {
        Self::of(gpu, limit, move |what, wait| {
            say(&format!("error: {}", given_up(what, wait, limit, slow)));
            exit(1);
        })
    }

    /// Ends the program as a second signal does, where the first asked it to stop in order and the device does not answer: the step
    /// that it waits for may have no end.
    pub(super) fn of_a_stop(gpu: &Gpu) -> Self {
        Self::of(gpu, STUCK, |what, wait| {
            if signals::is_stopped() {
                say(&format!("error: {}", given_up(what, wait, STUCK, "stopped at once")));
                signals::end();
            }
        })
    }

    /// Looks whether the device has not answered for `limit`.
    fn of(gpu: &Gpu, limit: Duration, give_up: impl Fn(Option<&str>, &Wait) + Send + 'static) -> Self {
        let what = Arc::<Mutex<Option<String>>>::default();
        let (seen, gpu) = (Arc::downgrade(&what), gpu.clone());
        std::thread::spawn(move || {
            let pause = (limit / 20).clamp(Duration::from_millis(10), Duration::from_millis(500));
            while let Some(what) = seen.upgrade() {
                if let Some(wait) = gpu.waiting().filter(|wait| wait.lasted() > limit) {
                    give_up(lock(&what).as_deref(), &wait);
                }
                drop(what);
                std::thread::sleep(pause);
            }
        });
        Self { what }
    }

    /// Names what is under way from here on.
    pub(super) fn begins(&self, what: String) {
        *lock(&self.what) = Some(what);
    }
}

fn given_up(what: Option<&str>, wait: &Wait, limit: Duration, slow: &str) -> Error {
    let what = what.map_or_else(String::new, |what| format!("{what}: "));
    let (seconds, kernels) = (limit.as_secs_f64(), wait.kernels().join(", "));
    let kernels = if kernels.is_empty() { kernels } else { format!("; under way: {kernels}") };
    Error::gpu(
        format!("{what}the device has not answered for {seconds} seconds{kernels}"),
        format!("a loop of the kernel does not end, or it is slow here: {slow}"),
    )
}
