//! Recording work once, to run it again and again: what a training step repeats is described to the device a single time
//! (kernels looked up, buffers found, bind groups made) and only encoded again. [`Capture`] is that with its results;
//! [`Gpu::capture`] the part it is made of, for several recordings that share memory.

use super::content::Place;
use super::pool::Pool;
use super::record::{Command, Stream};
use super::{Gpu, lock};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::thread::ThreadId;

/// Launches that a recording holds at most, more than a step of the deepest network has: their parameters take 8 MiB.
const MAX_CAPTURED: usize = 32_768;

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
pub(super) struct Capturing {
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

impl Capturing {
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

/// A step that is recorded once and replayed with other inputs: to the same bits as one that is described again each time, and
/// without the time that describing it takes, which for a small network is most of a step.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1);
/// let (hidden, drop, out) = (p.linear("hidden", 2, 16), p.dropout("drop", 0.1), p.linear("out", 16, 1));
/// let params = p.init(&gpu)?;
/// let mut adam = Optimizer::new(&params, Hyper::default())?;
///
/// // inputs of one shape, and a mode, that stay the same tensors
/// let (x, y) = (Tensor::zeros(&gpu, &[8, 2])?, Tensor::zeros(&gpu, &[8, 1])?);
/// let mode = params.train_mode(0)?;
/// let step = Capture::new(&gpu, || {
///     let h = drop.forward(&hidden.forward(&x)?.relu()?, &mode)?;
///     let loss = (&out.forward(&h)? - &y)?.square()?.mean_all()?;
///     adam.update(&params, &params.gradients(&loss)?)?;
///     Ok(loss.detach()) // what is read later
/// })?;
///
/// let values: Vec<f32> = (0..160).map(|i| (i as f32).sin()).collect();
/// let sums: Vec<f32> = values.chunks(2).map(|x| x[0] + x[1]).collect();
/// let mut loader = Loader::new(&values, &[2], 8)?.targets(&sums, &[1])?.shuffled(1);
/// for number in 0..100 {
///     let batch = loader.next_batch(&gpu)?;
///     x.assign(&batch.x)?;
///     y.assign(batch.targets()?)?;
///     params.train_mode(number)?; // the dropout of this batch
///     adam.begin(learning_rate(2e-2, number as usize, 100, 0.0, true))?;
///     step.replay()?;
/// }
/// assert!(step.results().item()? < 0.05); // of the last replay
/// # Ok::<(), Error>(())
/// ```
///
/// What may change from replay to replay lies in tensors that were made before, and is put there before each: inputs
/// ([`Tensor::assign`](crate::tensor::Tensor::assign), [`Tensor::overwrite`](crate::tensor::Tensor::overwrite)), the rate and
/// number of the optimiser's step ([`Optimizer::begin`](crate::nn::Optimizer::begin) before,
/// [`Optimizer::update`](crate::nn::Optimizer::update) inside), the numbers of dropout
/// ([`Params::train_mode`](crate::nn::Params::train_mode) before). Parameters, moments and running estimates change as they do
/// without a recording.
///
/// Everything else stays as it was when it was recorded: shapes (a smaller last batch wants a recording of its own, or
/// [`Loader::whole_batches`](crate::nn::Loader::whole_batches)), the way that the program took, numbers and values that the
/// host gave (`scale(&x, 0.5)`, `Tensor::full`), and which parameters are frozen.
///
/// The memory of what is recorded is its own until it is dropped. Results keep their history, and what it holds, unless they are
/// [detached](crate::tensor::Tensor::detach).
#[derive(Debug)]
pub struct Capture<T> {
    recording: Recording,
    results: T,
}

impl<T> Capture<T> {
    /// Records what `step` launches on this thread, without running it, and keeps what it returns.
    ///
    /// # Errors
    /// Those of `step`; [`Error::Gpu`] if it reads a tensor back, begins a step of an optimiser or of dropout, records or replays
    /// in turn, or launches more than 4096 kernels.
    pub fn new(gpu: &Gpu, step: impl FnOnce() -> Result<T>) -> Result<Self> {
        Self::within(gpu, &gpu.arena(), step)
    }

    /// The same in the memory of other recordings, see [`Gpu::arena`].
    pub fn within(gpu: &Gpu, arena: &Arena, step: impl FnOnce() -> Result<T>) -> Result<Self> {
        let (recording, results) = gpu.capture(arena, step)?;
        Ok(Self { recording, results })
    }

    /// Runs it, in order with what is done before and after; the results, which hold the values of this replay until the next.
    ///
    /// # Errors
    /// [`Error::Shape`] for labels or positions beyond their range in what it reads; [`Error::Gpu`] inside of a recording.
    pub fn replay(&self) -> Result<&T> {
        self.recording.replay()?;
        Ok(&self.results)
    }

    /// What the step returned: with the values of the last replay.
    pub fn results(&self) -> &T {
        &self.results
    }

    /// The recording alone.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

impl Gpu {
    /// Memory for recordings.
    pub fn arena(&self) -> Arena {
        Arena(Arc::new(self.0.pool.apart()))
    }

    /// Records what `f` launches, on this thread, without running it: what [`Capture`] is made of. What changes from replay to
    /// replay must lie in buffers that are written outside of `f`.
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
        let capture = Capturing { thread, stream, written: Vec::new(), before: Vec::new(), arena: arena.0.clone() };
        lock(&self.0.recorder).capture = Some(capture);
        let done = f();
        let capture = lock(&self.0.recorder).capture.take();
        let value = done?;
        let Capturing { stream, mut written, before, .. } = capture.expect("set above");
        // the rest was released on the way
        written.retain(Place::lives);
        if !stream.params.is_empty() {
            self.0.queue.write_buffer(&stream.param_buffer, 0, &stream.params);
        }
        Ok((Recording { gpu: self.clone(), stream: Arc::new(stream), written, before, _arena: arena.clone() }, value))
    }

    /// An error where this thread's work is recorded: `what` would be done once, and not before each replay.
    pub(crate) fn refuse_recording(&self, what: &str, instead: &str) -> Result<()> {
        if self.arena_in_use().is_none() {
            return Ok(());
        }
        Err(Error::gpu(
            format!("found {what} inside of a step that is being recorded, expected it before each replay"),
            instead,
        ))
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
