//! The part of a signal file that a header speaks of, in every storage format.

use super::flac;
use super::format::{Format, Place};
use super::header::{Header, SignalSpec};
use crate::error::{Error, Result};
use crate::files::open;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The most samples of a signal that are read.
pub(super) const MAX_SAMPLES: u64 = 1 << 30;
/// Bytes of a signal file that are read at once, about.
const CHUNK: u64 = 1 << 18;

/// How a signal file stores codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// Codes packed in bytes.
    Packed(Format),
    /// A FLAC stream of codes of at most n bits.
    Flac(u32),
}

impl Storage {
    const FLAC: [u32; 3] = [8, 16, 24];

    fn of(header: &Header, spec: &SignalSpec) -> Result<Self> {
        let flac = Self::FLAC.into_iter().find(|bits| spec.format == 500 + bits).map(Self::Flac);
        if let Some(storage) = flac.or_else(|| Format::from_number(spec.format).map(Self::Packed)) {
            return Ok(storage);
        }
        let signal = &spec.description;
        Err(if spec.format == 0 {
            let what = format!("signal `{signal}` has no samples: format 0 is that of a layout");
            Error::file(&header.path, what, "name the record itself, not its layout or a signal that was not recorded")
        } else {
            let flac = Self::FLAC.map(|bits| format!(", {}", 500 + bits)).concat();
            let what = format!("storage format {}, expected one of {}{flac}", spec.format, Format::numbers());
            Error::file(&header.path, what, "convert the record, for instance with `xform -O 16`")
        })
    }

    /// The code that marks a missing sample: the lowest one, but for format 8.
    pub(super) fn missing(self) -> Option<i32> {
        match self {
            Self::Packed(format) => format.missing(),
            Self::Flac(bits) => Some(-1 << (bits - 1)),
        }
    }

    pub(super) fn is_difference(self) -> bool {
        matches!(self, Self::Packed(format) if format.is_difference())
    }
}

/// One signal in its file; for packed codes the file's size is already checked.
pub(super) struct Stretch<'a> {
    path: PathBuf,
    file: File,
    /// Bytes (of packed codes) or codes of a channel (of FLAC) before the record's first.
    offset: u64,
    pub(super) storage: Storage,
    place: Place,
    /// Frames to read; `None` takes all of a FLAC stream.
    frames: Option<usize>,
    /// True where the header gives the record's length, and all of it is read.
    pub(super) whole: bool,
    spec: &'a SignalSpec,
}

impl<'a> Stretch<'a> {
    /// Opens the file of signal `index`; of the record's frames at most `limit` are read.
    pub(super) fn open(header: &Header, index: usize, spec: &'a SignalSpec, limit: Option<usize>) -> Result<Self> {
        let storage = Storage::of(header, spec)?;
        let path = header.path_below(&spec.file);
        // the signals of one file are interleaved, frame by frame
        let group: Vec<(usize, &SignalSpec)> =
            header.signals.iter().enumerate().filter(|(_, s)| s.file == spec.file).collect();
        let uneven =
            |what: &str, hint: &str| Error::file(&header.path, format!("{what} for the one file {}", spec.file), hint);
        if group.iter().any(|(_, s)| s.format != spec.format) {
            return Err(uneven("several storage formats", "correct the header: signals of one file share a format"));
        }
        if matches!(storage, Storage::Flac(_)) && group.iter().any(|(_, s)| s.per_frame != spec.per_frame) {
            return Err(uneven(
                "several numbers of samples per frame",
                "correct the header: the channels of a FLAC file have one rate",
            ));
        }
        let before = |of: fn(&SignalSpec) -> usize| group.iter().filter(|(i, _)| *i < index).map(|(_, s)| of(s)).sum();
        let place = match storage {
            Storage::Packed(_) => Place {
                frame: group.iter().map(|(_, s)| s.per_frame).sum(),
                before: before(|s| s.per_frame),
                per_frame: spec.per_frame,
            },
            Storage::Flac(_) => Place { frame: group.len(), before: before(|_| 1), per_frame: spec.per_frame },
        };
        let offset = group.iter().map(|(_, s)| s.offset).max().unwrap_or(0);

        let file = open(&path).map_err(|e| cannot_read(&path, &e))?;
        let meta = file.metadata().map_err(|e| cannot_read(&path, &e))?;
        if !meta.is_file() {
            return Err(Error::file(&path, "is no plain file, expected the signal file", "fetch the record again"));
        }
        let limit = limit.map(|n| n as u64);
        let mut frames = header.samples.map(|n| n as u64);
        if let Storage::Packed(format) = storage {
            let available = format.codes_in(meta.len().saturating_sub(offset));
            frames = Some(frames.unwrap_or(available / place.frame as u64));
            let frames = frames.unwrap_or(0).max(limit.unwrap_or(0));
            let codes = frames.checked_mul(place.frame as u64);
            if codes.is_none_or(|c| c > available) {
                let needed = codes.and_then(|c| format.bytes_for(c)).and_then(|b| b.checked_add(offset));
                let needed = needed.map_or("more than any file holds".to_string(), |b| format!("{b} bytes"));
                let (found, signals) = (meta.len(), group.len());
                return Err(Error::file(
                    &path,
                    format!(
                        "is truncated: {found} bytes found, {needed} expected for {frames} samples of {signals} signals"
                    ),
                    "fetch the file again, or correct the header",
                ));
            }
        }
        // what a skew moves to the front lies past the limit
        let limit = limit.map(|n| n.saturating_add(spec.skew as u64));
        let whole = header.samples.is_some() && limit.is_none_or(|n| frames.is_some_and(|frames| n >= frames));
        let frames = frames.into_iter().chain(limit).min();
        let samples = frames.map(|n| n.saturating_mul(spec.per_frame as u64));
        if let Some(samples) = samples.filter(|n| *n > MAX_SAMPLES) {
            let what = format!("holds {samples} samples of a signal, expected at most {MAX_SAMPLES}");
            return Err(Error::file(&path, what, "cut the record into parts"));
        }
        Ok(Self { path, file, offset, storage, place, frames: frames.map(|n| n as usize), whole, spec })
    }

    /// Samples that there are, where the file's size says it.
    pub(super) fn samples(&self) -> usize {
        match self.storage {
            Storage::Packed(_) => self.frames.unwrap_or(0) * self.spec.per_frame,
            Storage::Flac(_) => 0,
        }
    }

    /// Gives all codes of the signal, some at a time.
    pub(super) fn read(self, take: impl FnMut(&[i32])) -> Result<()> {
        match self.storage {
            Storage::Packed(format) => self.read_packed(format, take),
            Storage::Flac(bits) => {
                let codes = self.frames.map(|n| (n * self.spec.per_frame) as u64);
                flac::read(&self.path, self.file, bits, self.place, (self.offset, codes), take)
            }
        }
    }

    fn read_packed(mut self, format: Format, mut take: impl FnMut(&[i32])) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.offset)).map_err(|e| cannot_read(&self.path, &e))?;
        let size = |frames: usize| format.bytes_for((frames * self.place.frame) as u64).unwrap_or(0);
        // chunks end with a whole group of codes
        let chunk = (CHUNK / size(Format::WHOLE).max(1)).max(1) as usize * Format::WHOLE;
        let mut level = self.spec.initial.unwrap_or(self.spec.adc_zero);
        let (mut bytes, mut codes) = (Vec::new(), Vec::new());
        let mut left = self.frames.unwrap_or(0);
        while left > 0 {
            let frames = left.min(chunk);
            left -= frames;
            bytes.resize(size(frames) as usize, 0);
            self.file.read_exact(&mut bytes).map_err(|e| cannot_read(&self.path, &e))?;
            format.decode(&bytes, self.place, frames, &mut codes);
            if format.is_difference() {
                for code in &mut codes {
                    level = level.wrapping_add(*code);
                    *code = level;
                }
            }
            take(&codes);
        }
        Ok(())
    }
}

fn cannot_read(path: &Path, e: &std::io::Error) -> Error {
    Error::file(path, format!("cannot read the signal file: {e}"), "put it beside its header, or fetch it again")
}
