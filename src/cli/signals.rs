//! Ctrl-C, SIGTERM and SIGHUP. A command ends at once with exit code 130 and leaves no temporary file; while a training (or a
//! sweep's children) can stop in order, the first signal only asks for that, and the second ends the program.

use super::{INTERRUPTED, say};
use crate::files;
use crate::gpu::lock;
use std::io::BufRead;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

/// A line for people, where there is something to say.
type Line = Box<dyn Fn() -> Option<String> + Send>;

/// Set by the first signal while something can stop in order.
static STOP: AtomicBool = AtomicBool::new(false);
/// How many [`InOrder`] live.
static IN_ORDER: AtomicUsize = AtomicUsize::new(0);
/// This process is the child of one that prints.
static FOLLOWS: AtomicBool = AtomicBool::new(false);
/// How what is under way resumes; the whole before its parts.
static RESUMES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
/// What a parent writes to a child's standard input so that it stops in order; the input's end then means: at once.
pub(super) const STOP_LINE: &str = "stop\n";

/// Whether somebody asked to stop.
pub(super) fn is_stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Asks to stop, as the first signal does.
pub(super) fn stop() {
    STOP.store(true, Ordering::Relaxed);
}

/// Takes the signals for this process; SIGHUP stays ignored where it was, as under nohup. Where it cannot, they end the program
/// as they always did.
pub(super) fn listen() {
    // a second command in one program finds the handler in place
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = ignore_hangup();
        if let Err(e) = ctrlc::set_handler(on_signal) {
            log::warn!("signals are not handled, and may leave temporary files: {e}");
        }
        if ignored {
            ignore_hangup();
        }
    });
}

/// Ignores SIGHUP; whether it was ignored before.
#[cfg(unix)]
fn ignore_hangup() -> bool {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler is installed, so that none can be unsound.
    #[expect(unsafe_code, reason = "what becomes of a signal cannot be set without")]
    let before = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    matches!(before, Ok(SigHandler::SigIgn))
}

#[cfg(not(unix))]
fn ignore_hangup() -> bool {
    false
}

fn on_signal() {
    if IN_ORDER.load(Ordering::Relaxed) == 0 || STOP.swap(true, Ordering::Relaxed) {
        end();
    }
    if !FOLLOWS.load(Ordering::Relaxed) {
        say("stopping in order, with a checkpoint (once more: at once)");
    }
}

/// Ends the program.
pub(super) fn end() {
    if !FOLLOWS.load(Ordering::Relaxed) {
        say("stopped by a signal");
        lock(&RESUMES).iter().find_map(|line| line()).into_iter().for_each(|line| say(&line));
    }
    files::remove_all();
    std::process::exit(i32::from(INTERRUPTED));
}

/// While it lives, the first signal sets [`is_stopped`] and does no more.
pub(super) struct InOrder(());

impl InOrder {
    pub fn new() -> Self {
        IN_ORDER.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for InOrder {
    fn drop(&mut self) {
        IN_ORDER.fetch_sub(1, Ordering::Relaxed);
    }
}

/// While it lives, a signal that ends the program at once prints how the work resumes.
pub(super) struct Resumes(());

impl Resumes {
    /// `line` is asked when the signal comes; `None` where there is nothing yet.
    pub fn new(line: impl Fn() -> Option<String> + Send + 'static) -> Self {
        lock(&RESUMES).push(Box::new(line));
        Self(())
    }
}

impl Drop for Resumes {
    fn drop(&mut self) {
        lock(&RESUMES).pop();
    }
}

/// Makes this process stop with its parent, whose pipe is the standard input: in order when it says so or is gone, at once
/// when it is gone after it said so.
pub(super) fn follow_parent() {
    FOLLOWS.store(true, Ordering::Relaxed);
    std::thread::spawn(|| {
        let mut lines = std::io::stdin().lock().lines();
        let in_order = lines.next().is_some_and(|line| line.is_ok());
        if IN_ORDER.load(Ordering::Relaxed) == 0 {
            end();
        }
        stop();
        if in_order {
            lines.for_each(drop);
            end();
        }
    });
}
