//! What is known of the content of device memory: when each part of a buffer was written last, and how large the integers
//! are that were put there. A history keeps its tensors [as they were](Storage::kept): a launch that reads one of them after
//! it was written over is an error, whichever operation, optimiser, copy or replay wrote.

use super::pool::Owner;
use super::{Gpu, Storage, lock};
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Counts writes, of all buffers: of two the later one has the larger number.
static CLOCK: AtomicU64 = AtomicU64::new(0);

/// The last write of a part of a buffer.
struct Write {
    /// First byte, and the one after the last.
    range: [u64; 2],
    stamp: u64,
    /// The largest integer that was written, or more; `None` where it is not known.
    largest: Option<u32>,
}

/// The writes of a buffer that no later one covers.
#[derive(Default)]
pub(super) struct Content(Mutex<Vec<Write>>);

impl Content {
    fn write(&self, range: [u64; 2], largest: Option<u32>) {
        let mut all = lock(&self.0);
        all.retain(|w| w.range[0] < range[0] || w.range[1] > range[1]);
        all.push(Write { range, stamp: CLOCK.fetch_add(1, Ordering::Relaxed) + 1, largest });
    }

    fn stamp(&self, range: [u64; 2]) -> u64 {
        lock(&self.0).iter().filter(|w| w.meets(range)).map(|w| w.stamp).max().unwrap_or(0)
    }

    /// Whether a single write covers the part, and what is known of its integers.
    fn largest(&self, range: [u64; 2]) -> Option<u32> {
        let all = lock(&self.0);
        let mut met = all.iter().filter(|w| w.meets(range));
        let only = met.next().filter(|w| w.range[0] <= range[0] && w.range[1] >= range[1])?;
        if met.next().is_some() { None } else { only.largest }
    }

    /// What was found in a part by reading it.
    fn know(&self, range: [u64; 2], largest: u32) {
        let mut all = lock(&self.0);
        let mut met = all.iter_mut().filter(|w| w.meets(range));
        if let (Some(only), None) = (met.next(), met.next())
            && only.range == range
        {
            only.largest = Some(largest);
        }
    }
}

impl Write {
    fn meets(&self, range: [u64; 2]) -> bool {
        self.range[0] < range[1] && range[0] < self.range[1]
    }
}

/// What saved a tensor for its backward pass, and when.
pub(super) struct SavedBy {
    op: &'static str,
    role: &'static str,
    shape: Vec<usize>,
    stamp: u64,
}

/// A storage that a recording wrote, if it still lives.
pub(super) struct Place {
    owner: Weak<Owner>,
    range: [u64; 2],
}

impl Place {
    pub(super) fn lives(&self) -> bool {
        self.owner.strong_count() > 0
    }

    /// It was written again.
    pub(super) fn written(&self) {
        if let Some(owner) = self.owner.upgrade() {
            owner.content.write(self.range, None);
        }
    }

    fn storage(&self) -> Option<Storage> {
        self.owner.upgrade().map(|owner| Storage::at(owner, self.range[0], self.range[1] - self.range[0]))
    }
}

impl Storage {
    fn range(&self) -> [u64; 2] {
        [self.offset(), self.offset() + self.bytes()]
    }

    /// The part `[offset, offset + bytes)` was written by what is recorded next; `largest` is at least the largest integer
    /// there, where it is known.
    pub(super) fn written(&self, offset: u64, bytes: u64, largest: Option<u32>) {
        let first = self.offset() + offset;
        self.owner().content.write([first, first + bytes], largest);
    }

    /// Says how large the integers are that an operation has put here.
    pub(crate) fn holds_at_most(&self, largest: u32) {
        self.written(0, self.bytes(), Some(largest));
    }

    /// See [`Storage::holds_at_most`]; `None` where it is not known.
    pub(super) fn largest(&self) -> Option<u32> {
        self.owner().content.largest(self.range())
    }

    /// Where it lies, without holding it.
    pub(super) fn place(&self) -> Place {
        Place { owner: Arc::downgrade(self.owner()), range: self.range() }
    }

    /// When the content that is meant was written: the latest, or that which a history kept.
    pub(crate) fn stamp(&self) -> u64 {
        self.keeper().map_or_else(|| self.owner().content.stamp(self.range()), |kept| kept.stamp)
    }

    /// The same memory, meant as it was at `stamp`: for the history of operation `op`, whose `role` (`input`, `output`, ...) it
    /// is.
    pub(crate) fn kept(&self, stamp: u64, op: &'static str, role: &'static str, shape: &[usize]) -> Self {
        self.with_keeper(Arc::new(SavedBy { op, role, shape: shape.to_vec(), stamp }))
    }

    /// An error where a history kept it and it was written over since.
    pub(crate) fn check_kept(&self) -> Result<()> {
        let Some(kept) = self.keeper() else { return Ok(()) };
        if self.owner().content.stamp(self.range()) <= kept.stamp {
            return Ok(());
        }
        Err(Error::shape(
            kept.op,
            format!("its {} of shape {:?} written over since the forward pass", kept.role, kept.shape),
            "the values of the forward pass, which its gradient is computed from",
            "take the gradients before the tensor is written (optimiser step, overwrite, another replay of the step that \
             it belongs to), or run the forward pass again after that",
        ))
    }
}

impl Gpu {
    /// An error where the integers in `index` are not below `limit`: now, or in a recording at each replay. `complain` makes
    /// the error of the largest. What the host wrote is known here; other content is read back.
    ///
    /// # Errors
    /// That of `complain`; [`Error::Gpu`] for integers that only exist inside of a recording and whose range is not known.
    pub(crate) fn require_below(
        &self,
        index: &Storage,
        limit: usize,
        complain: impl Fn(u32) -> Error + Send + Sync + 'static,
    ) -> Result<()> {
        let fits = move |largest: u32| (largest as usize) < limit;
        let (gpu, place, known) = (self.clone(), index.place(), index.largest());
        self.at_each_run(move || {
            let Some(index) = place.storage() else {
                return match known {
                    Some(largest) if fits(largest) => Ok(()),
                    _ => Err(Error::gpu(
                        "found integers that were computed inside of a recording, expected a known range",
                        "make labels and positions outside of what is recorded",
                    )),
                };
            };
            if index.largest().is_some_and(fits) {
                return Ok(());
            }
            let words: Vec<u32> = bytemuck::pod_collect_to_vec(&gpu.read_later(&index)?.wait()?);
            let largest = words.into_iter().max().unwrap_or(0);
            if !fits(largest) {
                return Err(complain(largest));
            }
            index.owner().content.know(index.range(), largest);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_stamp_of_its_own_last_write() {
        let content = Content::default();
        assert_eq!((content.stamp([0, 512]), content.largest([0, 512])), (0, None));
        content.write([0, 256], Some(7));
        let first = content.stamp([0, 256]);
        content.write([256, 512], Some(3));
        assert_eq!(content.stamp([0, 256]), first);
        assert!(content.stamp([256, 512]) > first && content.stamp([0, 512]) == content.stamp([256, 512]));
        assert_eq!((content.largest([0, 256]), content.largest([256, 300])), (Some(7), Some(3)));
        assert_eq!(content.largest([0, 512]), None, "two writes");
        content.write([0, 512], None);
        assert!(content.stamp([0, 256]) > content.stamp([512, 600]) && content.largest([0, 256]).is_none());
        assert_eq!(lock(&content.0).len(), 1, "what is covered is forgotten");
        content.know([0, 512], 2);
        assert_eq!(content.largest([0, 256]), Some(2));
    }
}
