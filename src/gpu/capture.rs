//! Recording work once, to run it again and again: what a training step repeats is described to the device a single time
//! (kernels looked up, buffers found, bind groups made) and only encoded again.

use super::content::Place;
use super::pool::Pool;
use super::record::{Command, Stream};
use super::{Gpu, lock};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::thread::ThreadId;

/// Launches that a recording holds at most: their parameters take 1 MiB.
const MAX_CAPTURED: usize = 4096;

/// Memory of recordings. Their tensors share its buffers by lifetime, as all tensors do, and nobody else does:
/// whatever runs between two replays cannot meet them. Recordings that share one must not run at the same time, which
/// they do not, as the device works in order.
#[derive(Clone)]
pub struct Arena(Arc<Pool>);

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arena")
    }
}

/// Work of one thread that is recorded instead of submitted.
pub(super) struct Capture {
    thread: ThreadId,
    pub(super) stream: Stream,
    /// What it writes.
    pub(super) written: Vec<Place>,
    /// What the host does before each replay.
    before: Vec<Before>,
    arena: Arc<Pool>,
}

/// What the host does before a recording runs.
type Before = Box<dyn Fn() -> Result<()> + Send + Sync>;

impl Capture {
    pub(super) fn is_mine(&self) -> bool {
        self.thread == std::thread::current().id()
    }
}

/// Recorded work. Its tensors hold new values after every replay.
pub struct Recording {
    gpu: Gpu,
    stream: Arc<Stream>,
    /// What it writes and somebody else can read.
    written: Vec<Place>,
    before: Vec<Before>,
    _arena: Arena,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} commands)", self.stream.commands.len())
    }
}

impl Recording {
    pub(super) fn commands(&self) -> &[Command] {
        &self.stream.commands
    }

    /// Runs it, in order with what is recorded before and after. What it writes counts as written once more.
    ///
    /// # Errors
    /// [`Error::Shape`] for labels or positions beyond their range in what it reads; [`Error::Gpu`] inside of another
    /// recording.
    pub fn replay(&self) -> Result<()> {
        if self.gpu.arena_in_use().is_some() {
            return Err(Error::gpu(
                "found a replay inside of a step that is being recorded, expected launches only",
                "replay recordings one after the other",
            ));
        }
        self.before.iter().try_for_each(|f| f())?;
        self.written.iter().for_each(Place::written);
        self.gpu.record(Command::Captured(self.stream.clone()));
        Ok(())
    }
}

impl Gpu {
    /// Memory for recordings.
    pub fn arena(&self) -> Arena {
        Arena(Arc::new(self.0.pool.apart()))
    }

    /// Records what `f` launches, on this thread, without running it. What changes from replay to replay must lie in
    /// buffers that are written outside of `f`.
    ///
    /// # Errors
    /// Those of `f`; [`crate::Error::Gpu`] if `f` waits for the device or captures in turn.
    pub fn capture<T>(&self, arena: &Arena, f: impl FnOnce() -> Result<T>) -> Result<(Recording, T)> {
        if self.arena_in_use().is_some() {
            return Err(Error::gpu(
                "found a recording inside of one that is under way, expected one after the other",
                "end the first with its `capture` before the second begins",
            ));
        }
        // one at a time, whichever thread
        let _turn = lock(&self.0.capturing);
        let stream = Stream::new(&self.0.device, MAX_CAPTURED);
        let thread = std::thread::current().id();
        let capture = Capture { thread, stream, written: Vec::new(), before: Vec::new(), arena: arena.0.clone() };
        lock(&self.0.recorder).capture = Some(capture);
        let done = f();
        let capture = lock(&self.0.recorder).capture.take();
        let value = done?;
        let Capture { stream, mut written, before, .. } = capture.expect("set above");
        // the rest was let go on the way
        written.retain(Place::lives);
        if !stream.params.is_empty() {
            self.0.queue.write_buffer(&stream.param_buffer, 0, &stream.params);
        }
        Ok((Recording { gpu: self.clone(), stream: Arc::new(stream), written, before, _arena: arena.clone() }, value))
    }

    /// Does `f` on the host: now, or, where this thread's work is recorded, before each replay.
    pub(crate) fn at_each_run(&self, f: impl Fn() -> Result<()> + Send + Sync + 'static) -> Result<()> {
        let mut recorder = lock(&self.0.recorder);
        if let Some(capture) = recorder.capture.as_mut().filter(|c| c.is_mine()) {
            capture.before.push(Box::new(f));
            return Ok(());
        }
        drop(recorder);
        f()
    }

    /// Where this thread's new tensors come from, other than the device's pool.
    pub(super) fn arena_in_use(&self) -> Option<Arc<Pool>> {
        lock(&self.0.recorder).capture.as_ref().filter(|c| c.is_mine()).map(|c| c.arena.clone())
    }
}
