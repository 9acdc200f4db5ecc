//! Pooled, exclusive device buffers.
//!
//! A dropped buffer goes back to the pool at once, also when recorded work
//! still reads it: whatever reuses it is recorded later, and the queue keeps order.

use super::{Gpu, lock};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: HashMap<u64, Vec<wgpu::Buffer>>,
    stats: PoolStats,
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
        lock(&self.state).stats
    }
}

/// A part of a device buffer. Clones share it.
#[derive(Clone)]
pub struct Storage {
    owner: Arc<Owner>,
    /// Bytes from the buffer's start; a multiple of 256 so that it can be bound.
    offset: u64,
    bytes: u64,
}

struct Owner {
    buffer: wgpu::Buffer,
    class: u64,
    pool: Arc<Pool>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        state.stats.in_use -= self.class;
        state.free.entry(self.class).or_default().push(self.buffer.clone());
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
        Self { owner: self.owner.clone(), offset: self.offset + offset, bytes }
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

impl Gpu {
    /// A buffer of `bytes` bytes with undefined content.
    ///
    /// # Errors
    /// [`Error::Gpu`] where it is over the adapter's limit or memory is out.
    pub fn allocate(&self, bytes: u64) -> Result<Storage> {
        let limit = self.0.report.max_binding_bytes.min(self.0.report.max_buffer_bytes);
        if bytes > limit {
            return Err(Error::gpu(
                format!("a tensor of {bytes} bytes is over this adapter's limit of {limit}"),
                "use a smaller batch (--set train.batch=16) or shorter strips",
            ));
        }
        let class = size_class(bytes).min(limit / 4 * 4).max(bytes);
        let reused = {
            let mut state = lock(&self.0.pool.state);
            state.free.get_mut(&class).and_then(Vec::pop)
        };
        let buffer = match reused {
            Some(buffer) => buffer,
            None => {
                let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
                let desc = wgpu::BufferDescriptor { label: None, size: class, usage, mapped_at_creation: false };
                let buffer = self.scoped(|| self.0.device.create_buffer(&desc))?;
                lock(&self.0.pool.state).stats.allocated += class;
                buffer
            }
        };
        let mut state = lock(&self.0.pool.state);
        state.stats.in_use += class;
        state.stats.peak = state.stats.peak.max(state.stats.in_use);
        drop(state);
        Ok(Storage { owner: Arc::new(Owner { buffer, class, pool: self.0.pool.clone() }), offset: 0, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_hold_their_size_and_waste_little() {
        for bytes in [1, 255, 256, 257, 4096, 5000, 1 << 20, (1 << 20) + 1, 33_000_000] {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(256), "{bytes} -> {class}");
            assert!(bytes < 2048 || class as f64 <= bytes as f64 * 1.26, "{bytes} -> {class}");
        }
    }
}
