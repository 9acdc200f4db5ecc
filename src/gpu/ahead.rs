//! Compiling ahead on software drivers. They compile a kernel when it first runs, one after the other: tens of kernels are
//! tens of seconds at the first start on a machine. While the device works through a recording from its beginning, a
//! second one compiles the recording's kernels from the end; the driver's cache on disk hands them over.

use super::adapter;
use super::kernel::{Compiled, Kernel, PARAM_SLOT};
use super::pool::buffer;
use super::record::Command;
use super::texts::Texts;
use super::{AdapterReport, Gpu, Recording, ShaderSource, lock};
use crate::error::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A kernel that takes longer to run for the first time is compiled, and not found in the driver's cache.
pub(super) const SLOW: Duration = Duration::from_millis(200);
/// Bytes of the buffers that kernels are given: their parameters leave nothing to do.
const DUMMY: u64 = 1 << 16;

/// A thread that compiles from its begin until it is done, stopped, or dropped.
pub(super) struct Ahead {
    stop: Arc<AtomicBool>,
    begin: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// The device has something to compile.
    pub(super) fn begin(&self) {
        // one that is done needs no word
        let _ = self.begin.send(());
    }

    /// The device needs no more help.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.begin();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // it only helps: what became of it is of no interest
            let _ = thread.join();
        }
    }
}

impl Gpu {
    /// Helps with the compilation of a recording that is about to run for the first time, where the driver compiles on the
    /// way, as soon as one takes long. Changes nothing but the time.
    pub fn compile_ahead(&self, recording: &Recording) {
        let mut ahead = lock(&self.0.ahead);
        if !self.0.report.is_software || ahead.is_some() || self.has_shapes_alone() {
            return;
        }
        let mut kernels: Vec<Arc<Kernel>> = Vec::new();
        for kernel in recording.commands().iter().filter_map(Command::kernel) {
            if !kernels.iter().any(|k| Arc::ptr_eq(k, kernel)) {
                kernels.push(kernel.clone());
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (begin, begun) = channel();
        let (stopped, adapter) = (stop.clone(), self.0.adapter.clone());
        let (report, shaders) = (self.0.report.clone(), self.0.shaders.clone());
        let thread = std::thread::spawn(move || {
            if begun.recv().is_ok() {
                // a second device that cannot be had is no fault
                let _ = compile(&adapter, &report, &shaders, &kernels, &stopped);
            }
        });
        *ahead = Some(Ahead { stop, begin, thread: Some(thread) });
    }
}

/// Compiles kernels from the last to the first on a device of its own.
fn compile(
    adapter: &wgpu::Adapter,
    report: &AdapterReport,
    shaders: &ShaderSource,
    kernels: &[Arc<Kernel>],
    stop: &AtomicBool,
) -> Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (device, queue) = adapter::open(adapter, report)?;
    device.on_uncaptured_error(Arc::new(|_| ()));
    let params = buffer(&device, "parameters", PARAM_SLOT, wgpu::BufferUsages::UNIFORM);
    let storage: Vec<_> = (0..8).map(|_| buffer(&device, "dummy", DUMMY, wgpu::BufferUsages::STORAGE)).collect();
    for kernel in kernels.iter().rev() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let module = Texts::default().module(&kernel.key.template(shaders)?, &kernel.key)?;
        let own = Compiled::new(&device, &kernel.key, module, &kernel.slots)?;
        let group = own.bind(&device, (&kernel.slots, &params), storage.iter().map(wgpu::Buffer::as_entire_binding));
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&own.pipeline);
            pass.set_bind_group(0, &group, &[0]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        let submission_index = Some(queue.submit([encoder.finish()]));
        // an error ends the help, not the work
        if device.poll(wgpu::PollType::Wait { submission_index, timeout: None }).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Branch, conv1d, scale};
    use crate::tensor::Tensor;

    #[test]
    fn a_second_device_compiles_what_was_recorded() {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        let x = Tensor::full(&gpu, &[2, 3, 40], 1.0).expect("uploaded");
        let w = Tensor::full(&gpu, &[4, 3, 5], 0.5).expect("uploaded");
        let work = || scale(&conv1d(&x, &w, 1, 1, Branch::same(5, 1))?, 2.0);
        let (recording, _) = gpu.capture(&gpu.arena(), work).expect("recorded");
        let kernels: Vec<_> = recording.commands().iter().filter_map(Command::kernel).cloned().collect();
        assert!(kernels.len() >= 2, "{}", kernels.len());
        compile(&gpu.0.adapter, gpu.report(), &gpu.0.shaders, &kernels, &AtomicBool::new(false)).expect("compiled");
        assert!(gpu.check().is_ok(), "nothing of it reaches the first device");
    }
}
