//! The samples of a strip: in memory of their own, or a stretch of a mapped file.

use memmap2::Mmap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Samples that are read like a slice of `f32`. Cloning is cheap: clones share the samples.
#[derive(Clone)]
pub struct Samples(Store);

#[derive(Clone)]
enum Store {
    Owned(Arc<[f32]>),
    /// Bytes `start..start + 4 * len` of the file, checked to be aligned when made.
    Mapped {
        file: Arc<Mmap>,
        start: usize,
        len: usize,
    },
}

impl Samples {
    /// `len` little-endian values from byte `start` of a mapped file; `None` where the file ends before. Copied
    /// where they do not lie in memory as the machine reads them.
    pub(crate) fn mapped(file: &Arc<Mmap>, start: usize, len: usize) -> Option<Self> {
        let bytes = file.get(start..start.checked_add(len.checked_mul(4)?)?)?;
        let direct = cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, f32>(bytes).is_ok();
        Some(if direct {
            Self(Store::Mapped { file: file.clone(), start, len })
        } else {
            let values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
            Self(Store::Owned(values.collect()))
        })
    }
}

impl Deref for Samples {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Store::Owned(values) => values,
            Store::Mapped { file, start, len } => bytemuck::cast_slice(&file[*start..start + 4 * len]),
        }
    }
}

impl From<Vec<f32>> for Samples {
    fn from(values: Vec<f32>) -> Self {
        Self(Store::Owned(values.into()))
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples", self.len())
    }
}
