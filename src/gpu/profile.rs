//! Where the device's time goes: every dispatch in a pass of its own between two timestamps.

use super::pool::buffer;
use super::record::{Command, encode};
use super::{Gpu, lock};
use crate::error::Result;
use std::collections::BTreeMap;

/// Time of all dispatches of one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTime {
    /// What the work was for: the latest [`Gpu::phase`].
    pub phase: &'static str,
    /// Version, `conv1d/04_subgroup_shuffle`, with all stages of its launches; of a kernel outside the families its constants too.
    pub kernel: String,
    /// The shape, as tuning tables name it; empty outside the families.
    pub shape: String,
    /// Dispatches.
    pub count: usize,
    /// Seconds on the device.
    pub seconds: f64,
    /// Floating-point operations and bytes that they stand for; 0 where nobody says.
    pub cost: [f64; 2],
}

/// Dispatches with the queries that time them, read when the profile ends.
#[derive(Default)]
pub(super) struct Profile {
    phase: &'static str,
    batches: Vec<Batch>,
}

/// Phase, kernel, shape.
type Label = (&'static str, String, String);

struct Batch {
    labels: Vec<(Label, [f64; 2])>,
    times: wgpu::Buffer,
}

impl Profile {
    /// As [`encode`], a pass a dispatch.
    pub(super) fn encode(&mut self, device: &wgpu::Device, encoder: &mut wgpu::CommandEncoder, commands: &[&Command]) {
        let dispatches = commands.iter().filter(|c| matches!(c, Command::Dispatch { .. })).count() as u32;
        if dispatches == 0 {
            return encode(encoder, commands);
        }
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * dispatches,
        });
        let mut labels = Vec::new();
        for (i, command) in commands.iter().enumerate() {
            if let Command::Phase(phase) = command {
                self.phase = phase;
            }
            let Command::Dispatch { kernel, group, param_offset, groups, stands_for } = command else {
                encode(encoder, &commands[i..=i]);
                continue;
            };
            let first = 2 * labels.len() as u32;
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(first),
                    end_of_pass_write_index: Some(first + 1),
                }),
            });
            pass.set_pipeline(&kernel.compiled().pipeline);
            pass.set_bind_group(0, group, &[*param_offset]);
            pass.dispatch_workgroups(groups[0], groups[1], 1);
            let shape = stands_for.shape.as_deref().unwrap_or_default();
            labels.push(((self.phase, kernel.name(), shape.to_owned()), stands_for.cost));
        }
        let size = 16 * u64::from(dispatches);
        let buffer = |usage| buffer(device, "times", size, usage);
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let times = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        encoder.resolve_query_set(&queries, 0..2 * dispatches, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &times, 0, size);
        self.batches.push(Batch { labels, times });
    }
}

impl Gpu {
    /// Time per phase and kernel of the work that `f` records and submits, longest first; `None` where the device has
    /// no timestamps. Timing every dispatch by itself forbids overlap: the sum may exceed the time without a profile.
    pub fn profiled(&self, f: impl FnOnce() -> Result<()>) -> Result<Option<Vec<KernelTime>>> {
        self.finish()?;
        if !self.0.report.timestamps {
            f()?;
            self.finish()?;
            return Ok(None);
        }
        lock(&self.0.recorder).profile = Some(Profile::default());
        let done = f().and_then(|()| self.finish());
        let profile = lock(&self.0.recorder).profile.take();
        done?;
        let period = f64::from(self.0.queue.get_timestamp_period()) * 1e-9;
        let mut sums: BTreeMap<Label, (usize, f64, [f64; 2])> = BTreeMap::new();
        for batch in profile.into_iter().flat_map(|p| p.batches) {
            let bytes = self.read_mapped(&batch.times, 16 * batch.labels.len())?;
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
            for ((label, cost), pair) in batch.labels.into_iter().zip(ticks.chunks(2)) {
                let sum = sums.entry(label).or_default();
                sum.0 += 1;
                sum.1 += pair[1].saturating_sub(pair[0]) as f64 * period;
                sum.2.iter_mut().zip(cost).for_each(|(sum, own)| *sum += own);
            }
        }
        let one = |((phase, kernel, shape), (count, seconds, cost)): (Label, _)| KernelTime {
            phase,
            kernel,
            shape,
            count,
            seconds,
            cost,
        };
        let mut times: Vec<KernelTime> = sums.into_iter().map(one).collect();
        times.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Ok(Some(times))
    }
}
