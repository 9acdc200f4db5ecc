//! Pooled, exclusive device buffers.
//!
//! A dropped buffer goes back to the pool at once, also when recorded work
//! still reads it: whatever reuses it is recorded later, and the queue keeps order.

use super::content::{Content, SavedBy};
use super::{Gpu, lock};
use crate::error::{Error, MemoryLimit, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What helps where memory does not suffice.
pub(super) const SMALLER: &str = "use a smaller batch (--set train.batch=16) or shorter strips";

/// Bytes in words.
pub(super) fn mb(bytes: u64) -> String {
    format!("{:.3} MB", bytes as f64 / 1e6)
}

/// The error of `what`, which needs `bytes` bytes where `held` are held.
pub(super) fn over_limit(what: &str, bytes: u64, held: u64, limit: u64) -> Error {
    Error::memory(
        format!(
            "{what} needs {} on top of {} that are held, the limit is {} (--memory-limit)",
            mb(bytes),
            mb(held),
            mb(limit)
        ),
        MemoryLimit::Tensors(limit),
        format!("raise the limit, or {SMALLER}"),
    )
}

/// A free buffer serves at most for a tensor so many times smaller (measured: of 2, 3, 4 and 8 a step of the large network holds
/// least with 3).
const MOST_WASTE: u64 = 3;

#[derive(Default)]
pub(super) struct Pool {
    /// By size.
    free: Mutex<BTreeMap<u64, Vec<wgpu::Buffer>>>,
    /// Of a device: the pools of its recordings count into the same.
    stats: Arc<Mutex<Stats>>,
}

#[derive(Default)]
struct Stats {
    pool: PoolStats,
    /// Kept while somebody asks for them.
    phases: Option<Vec<PhaseMemory>>,
    /// Most bytes to allocate.
    limit: Option<u64>,
}

impl Stats {
    fn grow(&mut self, bytes: u64) {
        self.pool.in_use += bytes;
        self.pool.peak = self.pool.peak.max(self.pool.in_use);
        if let Some(phase) = self.phases.as_mut().and_then(|p| p.last_mut()) {
            phase.most = phase.most.max(self.pool.in_use);
        }
    }
}

/// Memory of tensors while one phase of a step was recorded, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseMemory {
    /// See [`Gpu::phase`].
    pub phase: &'static str,
    /// When it began.
    pub first: u64,
    /// Most during it.
    pub most: u64,
}

/// Bytes of device memory that tensors use and that the pool holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Held by living tensors.
    pub in_use: u64,
    /// Created so far and kept: living and free together.
    pub allocated: u64,
    /// Largest `in_use` so far.
    pub peak: u64,
}

impl Pool {
    pub(super) fn stats(&self) -> PoolStats {
        lock(&self.stats).pool
    }

    /// An empty pool of the same device.
    pub(super) fn apart(&self) -> Self {
        Self { free: Mutex::default(), stats: self.stats.clone() }
    }

    pub(super) fn begin_phase(&self, phase: &'static str) {
        let mut stats = lock(&self.stats);
        let now = stats.pool.in_use;
        if let Some(phases) = &mut stats.phases {
            phases.push(PhaseMemory { phase, first: now, most: now });
        }
    }

    /// Lets go of all free buffers; the driver frees them when the work that uses them is done.
    fn trim(&self) {
        let mut free = lock(&self.free);
        let bytes: u64 = free.iter().map(|(size, buffers)| size * buffers.len() as u64).sum();
        free.clear();
        lock(&self.stats).pool.allocated -= bytes;
    }

    /// The smallest free buffer that holds `class` bytes, with its size, unless it is far larger.
    fn take(&self, class: u64) -> Option<(u64, wgpu::Buffer)> {
        let mut free = lock(&self.free);
        free.range_mut(class..=MOST_WASTE * class).find_map(|(size, buffers)| Some((*size, buffers.pop()?)))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.trim();
    }
}

/// A part of a device buffer. Clones share it.
#[derive(Clone)]
pub struct Storage {
    owner: Arc<Owner>,
    /// Bytes from the buffer's start; a multiple of 256 so that it can be bound.
    offset: u64,
    bytes: u64,
    /// The history that means its content as it was.
    keeper: Option<Arc<SavedBy>>,
}

pub(super) struct Owner {
    buffer: wgpu::Buffer,
    /// Bytes of the buffer.
    size: u64,
    /// Bytes that were asked for, rounded up.
    class: u64,
    pool: Arc<Pool>,
    pub(super) content: Content,
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.pool.stats).pool.in_use -= self.class;
        lock(&self.pool.free).entry(self.size).or_default().push(self.buffer.clone());
    }
}

/// Sizes are rounded up to a quarter of a power of two, so that tensors of
/// nearly the same size share buffers at no more than a quarter of waste.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(256);
    bytes.div_ceil(step) * step
}

impl Storage {
    pub(super) fn at(owner: Arc<Owner>, offset: u64, bytes: u64) -> Self {
        Self { owner, offset, bytes, keeper: None }
    }

    pub(super) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    pub(super) fn keeper(&self) -> Option<&SavedBy> {
        self.keeper.as_deref()
    }

    pub(super) fn with_keeper(&self, keeper: Arc<SavedBy>) -> Self {
        Self { keeper: Some(keeper), ..self.clone() }
    }

    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.owner.buffer
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The part `[offset, offset + bytes)` as a storage of its own.
    ///
    /// Parts may be read together; one that is written must not be bound with another.
    pub(crate) fn part(&self, offset: u64, bytes: u64) -> Self {
        assert!(
            offset.is_multiple_of(256) && offset + bytes <= self.bytes,
            "part of a storage: not aligned or out of range"
        );
        Self { offset: self.offset + offset, bytes, ..self.clone() }
    }

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: self.buffer(),
            offset: self.offset,
            // Whole vec4s: buffers and parts are padded to 256 bytes.
            size: wgpu::BufferSize::new(self.bytes.div_ceil(16) * 16),
        })
    }
}

/// A buffer of a device, not mapped.
pub(super) fn buffer(device: &wgpu::Device, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
}

impl Gpu {
    /// Memory of the phases that `f` goes through, in order.
    pub fn memory_by_phase(&self, f: impl FnOnce() -> Result<()>) -> Result<Vec<PhaseMemory>> {
        lock(&self.0.pool.stats).phases = Some(Vec::new());
        let done = f();
        let phases = lock(&self.0.pool.stats).phases.take();
        done.map(|()| phases.unwrap_or_default())
    }

    /// Limits tensors to `bytes` bytes together, free buffers of the pool included; `None`: what the device has.
    pub fn limit_memory(&self, bytes: Option<u64>) {
        lock(&self.0.pool.stats).limit = bytes;
    }

    /// See [`Gpu::limit_memory`].
    pub fn memory_limit(&self) -> Option<u64> {
        lock(&self.0.pool.stats).limit
    }

    /// An error where `class` bytes more are over the limit, even when what is free has been let go.
    fn within_limit(&self, class: u64) -> Result<()> {
        let Some(limit) = self.memory_limit() else { return Ok(()) };
        if self.pool_stats().allocated + class > limit {
            self.0.pool.trim();
        }
        let held = self.pool_stats().allocated;
        if held + class <= limit {
            return Ok(());
        }
        Err(over_limit("a tensor", class, held, limit))
    }

    /// A buffer of `bytes` bytes with undefined content.
    ///
    /// # Errors
    /// [`Error::Memory`] where it is over the adapter's limit or [`Gpu::limit_memory`], or memory is out.
    pub fn allocate(&self, bytes: u64) -> Result<Storage> {
        let limit = self.0.report.largest_tensor();
        if bytes > limit {
            return Err(Error::memory(
                format!("a tensor of {bytes} bytes is over this adapter's limit of {limit}"),
                MemoryLimit::Tensor { most: limit, needed: bytes },
                SMALLER,
            ));
        }
        let class = size_class(bytes).min(limit / 4 * 4).max(bytes);
        let arena = self.arena_in_use();
        let pool = arena.as_ref().unwrap_or(&self.0.pool);
        let (size, buffer) = match pool.take(class).or_else(|| self.0.pool.take(class)) {
            Some(free) => free,
            None => {
                let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
                self.within_limit(class)?;
                let buffer = match &self.0.placeholder {
                    Some(placeholder) => placeholder.clone(),
                    None => self.scoped(|| buffer(&self.0.device, "tensor", class, usage))?,
                };
                let allocated = {
                    let mut stats = lock(&pool.stats);
                    stats.pool.allocated += class;
                    stats.pool.allocated
                };
                if !self.has_shapes_alone() {
                    log::trace!("the pool grew by {class} to {allocated} bytes");
                }
                (class, buffer)
            }
        };
        lock(&pool.stats).grow(class);
        let content = Content::default();
        Ok(Storage::at(Arc::new(Owner { buffer, size, class, pool: pool.clone(), content }), 0, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_buffers_serve_tensors_that_are_a_little_smaller() {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        let gpu = gpu.beside(gpu.shaders().clone()).expect("the same device");
        let held = |bytes: u64| {
            let before = gpu.pool_stats().allocated;
            let storage = gpu.allocate(bytes).expect("allocated");
            (gpu.pool_stats().allocated - before, storage)
        };
        drop(held(1 << 20));
        let (grown, first) = held((1 << 20) - (1 << 18));
        assert_eq!(grown, 0, "served by the free one");
        let (grown, second) = held((1 << 20) - (1 << 18));
        assert!(grown > 0, "that is in use");
        drop((first, second));
        assert!(held(1 << 17).0 > 0, "a buffer eight times as large is left alone");
    }

    #[test]
    fn size_classes_hold_their_size_and_waste_little() {
        for bytes in [1, 255, 256, 257, 4096, 5000, 1 << 20, (1 << 20) + 1, 33_000_000] {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(256), "{bytes} -> {class}");
            assert!(bytes < 2048 || class as f64 <= bytes as f64 * 1.26, "{bytes} -> {class}");
        }
    }
}
