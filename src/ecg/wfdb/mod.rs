//! The WFDB formats of PhysioNet: `.hea` headers of one or several segments, signals in every [`Format`] and in FLAC
//! (`.dat`, `.mat`) and MIT annotations (`.atr` and others). Records and annotations can also be written.
//!
//! Nothing in a header is believed before it was compared with the size of the file it speaks of.

pub mod annotation;
mod definitions;
mod flac;
pub mod format;
pub mod header;
mod lead;
mod lines;
mod segments;
pub mod signal;
mod stretch;
pub mod write;

pub use annotation::{Annotation, AnnotationFile, RhythmChange, read_annotations};
pub use definitions::Label;
pub use format::Format;
pub use header::{Header, Segment, SignalSpec};
pub use lead::{find_lead, same_lead};
pub(crate) use segments::headers_of_segments;
pub use signal::{Signal, read_signal};
pub use write::{RecordToWrite, SignalToWrite, write_annotations, write_record};

use crate::error::{Error, Result};
use crate::files::open;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The header `dir/100.hea` of a record `dir/100`.
pub(crate) fn with_hea(record: &Path) -> PathBuf {
    let mut name = record.as_os_str().to_owned();
    name.push(".hea");
    name.into()
}

/// Reads a whole file of at most `limit` bytes.
pub(crate) fn read_limited(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>> {
    let file = open(path).map_err(|e| {
        Error::file(path, format!("cannot open the {what}: {e}"), "check that the file exists and may be read")
    })?;
    let meta = file.metadata().map_err(|e| Error::file(path, format!("cannot ask its size: {e}"), "check the disk"))?;
    if !meta.is_file() {
        return Err(Error::file(path, format!("is no plain file, expected the {what}"), "name a file, not a folder"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::file(path, format!("cannot read the {what}: {e}"), "check the disk and permissions"))?;
    if bytes.len() as u64 > limit {
        let what = format!("is larger than {limit} bytes, too large for the {what}");
        return Err(Error::file(path, what, "check that this is the right file"));
    }
    Ok(bytes)
}
