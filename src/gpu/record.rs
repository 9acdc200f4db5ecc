//! Recording work in order, submitting it in batches, reading back.

use super::capture::Capturing;
use super::compiling::LATE;
use super::kernel::{Kernel, PARAM_SLOT};
use super::launched::Watched;
use super::pool::buffer;
use super::profile::Profile;
use super::{Gpu, Storage, lock};
use crate::error::{Error, Result};
use std::sync::{Arc, mpsc};

/// Launches held back before they are submitted on their own.
const MAX_RECORDED: usize = 1024;
/// Submissions that may wait in the queue; more would only hold memory.
const MAX_IN_FLIGHT: usize = 4;

pub(super) struct Recorder {
    /// What is submitted next.
    stream: Stream,
    pub(super) capture: Option<Capturing>,
    in_flight: std::collections::VecDeque<wgpu::SubmissionIndex>,
    pub(super) profile: Option<Profile>,
    /// Kernels as they are recorded, where somebody wants to know.
    pub(super) watched: Option<Watched>,
}

/// What a dispatch is about, for whoever profiles it.
#[derive(Debug, Clone, Default)]
pub(super) struct StandsFor {
    /// Floating-point operations and bytes, 0 where nobody says.
    pub(super) cost: [f64; 2],
    /// The shape, as tuning tables name it.
    pub(super) shape: Option<Arc<str>>,
}

/// Commands in order, and the parameters of their dispatches.
pub(super) struct Stream {
    pub(super) commands: Vec<Command>,
    pub(super) params: Vec<u8>,
    pub(super) param_buffer: wgpu::Buffer,
}

pub(super) enum Command {
    Dispatch {
        kernel: Arc<Kernel>,
        group: wgpu::BindGroup,
        param_offset: u32,
        groups: [u32; 2],
        stands_for: StandsFor,
    },
    Copy {
        from: wgpu::Buffer,
        from_offset: u64,
        to: wgpu::Buffer,
        to_offset: u64,
        bytes: u64,
    },
    Clear {
        buffer: wgpu::Buffer,
        offset: u64,
        bytes: u64,
    },
    /// Names what follows, for profiles.
    Phase(&'static str),
    /// What was captured before, once more.
    Captured(Arc<Stream>),
}

impl Command {
    /// The kernel that it launches.
    pub(super) fn kernel(&self) -> Option<&Arc<Kernel>> {
        match self {
            Self::Dispatch { kernel, .. } => Some(kernel),
            _ => None,
        }
    }
}

impl Stream {
    /// For n dispatches.
    pub(super) fn new(device: &wgpu::Device, launches: usize) -> Self {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let param_buffer = buffer(device, "parameters", launches as u64 * PARAM_SLOT, usage);
        Self { commands: Vec::new(), params: Vec::new(), param_buffer }
    }

    pub(super) fn is_full(&self) -> bool {
        self.params.len() as u64 >= self.param_buffer.size()
    }

    fn dispatch(
        &mut self,
        device: &wgpu::Device,
        kernel: Arc<Kernel>,
        params: &[u32],
        bindings: &[&Storage],
        (groups, stands_for): ([u32; 2], StandsFor),
    ) {
        let param_offset = self.params.len() as u32;
        self.params.extend_from_slice(bytemuck::cast_slice(params));
        self.params.resize(param_offset as usize + PARAM_SLOT as usize, 0);
        let group =
            kernel.compiled().bind(device, (&kernel.slots, &self.param_buffer), bindings.iter().map(|s| s.binding()));
        self.commands.push(Command::Dispatch { kernel, group, param_offset, groups, stands_for });
    }

    /// Its commands, captured ones in their place.
    fn flat(&self) -> Vec<&Command> {
        fn own(command: &Command) -> Vec<&Command> {
            match command {
                Command::Captured(stream) => stream.commands.iter().collect(),
                command => vec![command],
            }
        }
        self.commands.iter().flat_map(own).collect()
    }
}

impl Recorder {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let stream = Stream::new(device, MAX_RECORDED);
        Self { stream, capture: None, in_flight: Default::default(), profile: None, watched: None }
    }

    /// Notes a write of what is recorded next, see [`Storage::written`].
    fn writes(&mut self, to: &Storage, offset: u64, bytes: u64, largest: Option<u32>) {
        to.written(offset, bytes, largest);
        if let Some(capture) = self.capture.as_mut().filter(|c| c.is_mine()) {
            capture.written.push(to.place());
        }
    }

    /// Where this thread's work goes.
    fn target(&mut self) -> &mut Stream {
        match &mut self.capture {
            Some(capture) if capture.is_mine() => &mut capture.stream,
            _ => &mut self.stream,
        }
    }
}

fn copy_size(bytes: u64) -> u64 {
    bytes.div_ceil(4) * 4
}

impl Gpu {
    pub(super) fn record_dispatch(
        &self,
        kernel: Arc<Kernel>,
        params: &[u32],
        bindings: &[&Storage],
        groups: [u32; 2],
        stands_for: StandsFor,
    ) -> Result<()> {
        bindings.iter().try_for_each(|s| s.check_kept())?;
        let mut recorder = lock(&self.0.recorder);
        // Again if another thread filled it meanwhile.
        while recorder.target().is_full() {
            if recorder.capture.as_ref().is_some_and(Capturing::is_mine) {
                let most = recorder.target().params.len() as u64 / PARAM_SLOT;
                return Err(Error::gpu(
                    format!(
                        "found more than {most} launches in a step that is being recorded, expected at most that number"
                    ),
                    "take fewer blocks or a later target layer, or record a part of the step",
                ));
            }
            drop(recorder);
            self.flush()?;
            recorder = lock(&self.0.recorder);
        }
        for (storage, _) in bindings.iter().zip(&kernel.slots).filter(|(_, slot)| slot.written) {
            recorder.writes(storage, 0, storage.bytes(), None);
        }
        if let Some(watched) = &mut recorder.watched {
            watched.push((kernel.clone(), groups, stands_for.clone()));
        }
        if self.has_shapes_alone() {
            return Ok(());
        }
        recorder.target().dispatch(&self.0.device, kernel, params, bindings, (groups, stands_for));
        Ok(())
    }

    pub(super) fn record(&self, command: Command) {
        if !self.has_shapes_alone() {
            lock(&self.0.recorder).target().commands.push(command);
        }
    }

    /// Names what the work recorded from here on is for, in a profile under way.
    pub fn phase(&self, name: &'static str) {
        self.0.pool.begin_phase(name);
        self.record(Command::Phase(name));
    }

    /// Records a write of a part of `to`, `largest` as in [`Storage::written`].
    fn record_write(&self, command: Command, (to, offset, bytes): (&Storage, u64, u64), largest: Option<u32>) {
        let mut recorder = lock(&self.0.recorder);
        recorder.writes(to, offset, bytes, largest);
        if !self.has_shapes_alone() {
            recorder.target().commands.push(command);
        }
    }

    /// Records a copy of all of `from` to `to`, from its byte `offset` on.
    pub(crate) fn record_copy(&self, from: &Storage, to: &Storage, offset: u64) -> Result<()> {
        from.check_kept()?;
        let command = Command::Copy {
            from: from.buffer().clone(),
            from_offset: from.offset(),
            to: to.buffer().clone(),
            to_offset: to.offset() + offset,
            bytes: copy_size(from.bytes()),
        };
        self.record_write(command, (to, offset, from.bytes()), from.largest());
        Ok(())
    }

    /// Records filling a storage with zero bytes.
    pub(crate) fn record_clear(&self, s: &Storage) {
        let (buffer, offset, bytes) = (s.buffer().clone(), s.offset(), copy_size(s.bytes()));
        self.record_write(Command::Clear { buffer, offset, bytes }, (s, 0, s.bytes()), Some(0));
    }

    /// Writes `data` into a storage, in recorded order (what was recorded before still sees the old content); of integers
    /// `largest` is the largest.
    pub(crate) fn write(&self, to: &Storage, data: &[u8], largest: Option<u32>) -> Result<()> {
        assert!(data.len() as u64 <= to.bytes(), "write past the end of a storage");
        if self.has_shapes_alone() {
            lock(&self.0.recorder).writes(to, 0, data.len() as u64, largest);
            return Ok(());
        }
        let bytes = copy_size(data.len() as u64);
        let desc = wgpu::BufferDescriptor {
            label: Some("upload"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        };
        let staging = self.scoped(|| self.0.device.create_buffer(&desc))?;
        {
            let mut view = staging.get_mapped_range_mut(..).map_err(|e| self.fault(&e.to_string()))?;
            view.slice(..data.len()).copy_from_slice(data);
        }
        staging.unmap();
        let (dst, to_offset) = (to.buffer().clone(), to.offset());
        let command = Command::Copy { from: staging, from_offset: 0, to: dst, to_offset, bytes };
        self.record_write(command, (to, 0, data.len() as u64), largest);
        Ok(())
    }

    /// Submits all recorded work.
    pub fn flush(&self) -> Result<()> {
        // Held until submitted: the order of batches is the order of recording, whichever thread submits.
        let mut recorder = lock(&self.0.recorder);
        if recorder.capture.as_ref().is_some_and(Capturing::is_mine) {
            return Err(Error::gpu(
                "found a wait for the device inside a step that is being recorded, expected launches only",
                "a step to record may not read its tensors: read them after its replay",
            ));
        }
        let Recorder { stream, profile, .. } = &mut *recorder;
        if stream.commands.is_empty() {
            return self.check();
        }
        let submitted = self.scoped(|| {
            // Ordered after the work submitted before, so one parameter buffer serves all batches.
            if !stream.params.is_empty() {
                self.0.queue.write_buffer(&stream.param_buffer, 0, &stream.params);
            }
            let submit = |encode: &mut dyn FnMut(&mut wgpu::CommandEncoder)| {
                let mut encoder = self.0.device.create_command_encoder(&Default::default());
                encode(&mut encoder);
                self.0.queue.submit([encoder.finish()])
            };
            let commands = stream.flat();
            if let Some(profile) = profile {
                return submit(&mut |encoder| profile.encode(&self.0.device, encoder, &commands));
            }
            let rest = self.run_new(&commands, |part| submit(&mut |encoder| encode(encoder, part)));
            submit(&mut |encoder| encode(encoder, rest))
        });
        stream.commands.clear();
        stream.params.clear();
        recorder.in_flight.push_back(submitted?);
        let overdue = if recorder.in_flight.len() > MAX_IN_FLIGHT { recorder.in_flight.pop_front() } else { None };
        drop(recorder);
        if let Some(index) = overdue {
            self.wait(Some(index))?;
        }
        self.check()
    }

    /// Submits all recorded work and waits until it is done.
    pub fn finish(&self) -> Result<()> {
        self.flush()?;
        self.wait(None)?;
        lock(&self.0.recorder).in_flight.clear();
        self.check()
    }

    fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.wait_for(submission_index, None, LATE).map_err(|e| self.fault(&format!("waiting for the device: {e}")))?;
        if let Some(ahead) = &*lock(&self.0.ahead) {
            ahead.stop();
        }
        Ok(())
    }

    /// Records a copy of a storage for the host. [`PendingRead::wait`] submits it if nobody else did.
    pub(crate) fn read_later(&self, from: &Storage) -> Result<PendingRead> {
        from.check_kept()?;
        if self.has_shapes_alone() {
            let what = "found a read of a tensor on a device of shapes alone, where none has values";
            return Err(Error::gpu(what, "open an adapter: Gpu::from_env()"));
        }
        let size = copy_size(from.bytes());
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.scoped(|| buffer(&self.0.device, "read back", size, usage))?;
        let (source, from_offset, to) = (from.buffer().clone(), from.offset(), staging.clone());
        self.record(Command::Copy { from: source, from_offset, to, to_offset: 0, bytes: size });
        Ok(PendingRead { gpu: self.clone(), staging, bytes: from.bytes() as usize })
    }

    /// The first `bytes` bytes of a MAP_READ buffer whose filling was submitted.
    pub(super) fn read_mapped(&self, staging: &wgpu::Buffer, bytes: usize) -> Result<Vec<u8>> {
        let (send, receive) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |r| {
            // The receiver is gone only if this function returned early.
            let _ = send.send(r);
        });
        self.wait(None)?;
        let lost = |e: String| self.fault(&format!("reading back: {e}"));
        receive.recv().map_err(|e| lost(e.to_string()))?.map_err(|e| lost(e.to_string()))?;
        let view = staging.get_mapped_range(..).map_err(|e| lost(e.to_string()))?;
        let out = view[..bytes].to_vec();
        drop(view);
        staging.unmap();
        self.check()?;
        Ok(out)
    }
}

pub(super) fn encode(encoder: &mut wgpu::CommandEncoder, commands: &[&Command]) {
    let mut rest = commands.iter().filter(|c| !matches!(c, Command::Phase(_))).peekable();
    while let Some(first) = rest.peek() {
        match first {
            Command::Copy { from, from_offset, to, to_offset, bytes } => {
                encoder.copy_buffer_to_buffer(from, *from_offset, to, *to_offset, *bytes);
                rest.next();
            }
            Command::Clear { buffer, offset, bytes } => {
                encoder.clear_buffer(buffer, *offset, Some(*bytes));
                rest.next();
            }
            Command::Dispatch { .. } => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                while let Some(Command::Dispatch { kernel, group, param_offset, groups, .. }) =
                    rest.next_if(|c| matches!(c, Command::Dispatch { .. }))
                {
                    pass.set_pipeline(&kernel.compiled().pipeline);
                    pass.set_bind_group(0, group, &[*param_offset]);
                    pass.dispatch_workgroups(groups[0], groups[1], 1);
                }
            }
            Command::Phase(_) | Command::Captured(_) => unreachable!("left out above, or flat"),
        }
    }
}

/// A read-back under way.
pub struct PendingRead {
    gpu: Gpu,
    staging: wgpu::Buffer,
    bytes: usize,
}

impl PendingRead {
    /// Waits for the content.
    pub fn wait(self) -> Result<Vec<u8>> {
        self.gpu.flush()?;
        self.gpu.read_mapped(&self.staging, self.bytes)
    }
}
