//! Records of several segments, each a record of its own, one after the other in time.
//!
//! In a fixed layout all segments have the same signals in the same order. In a variable one the first segment is a
//! layout of no length that names the signals; those that a segment lacks are missing in it.

use super::header::{Header, Segment, SignalSpec};
use super::signal::{self, Signal};
use super::stretch::MAX_SAMPLES;
use crate::error::{Error, Result};
use crate::files::open;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Missing samples that are believed of any header, and more for each sample that is there: days between recordings of
/// minutes, but no line of text that fills the memory.
const MISSING_FREE: u64 = 1 << 18;
const MISSING_PER_SAMPLE: u64 = 2048;
/// Bytes of a header in which its record line is looked for first.
const START: u64 = 1024;

/// The headers of a record's segments and of its layout; none for a record of one segment, and for a file that is no
/// header. Only the first lines of most files are read.
pub(crate) fn headers_of_segments(path: &Path) -> Vec<PathBuf> {
    let mut start = Vec::new();
    // long comments may come first; the record line is parsed below
    let read = open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    let start = String::from_utf8_lossy(&start);
    let mut lines = start.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if read.is_err() || lines.next().is_some_and(|line| !line.contains('/')) {
        return Vec::new();
    }
    let Ok(header) = Header::read_alone(path) else { return Vec::new() };
    let records = header.segments.iter().filter_map(|s| s.record.as_ref());
    records.map(|record| header.path_below(&format!("{record}.hea"))).collect()
}

impl Header {
    fn is_variable(&self) -> bool {
        self.segments.first().is_some_and(|s| s.frames == 0)
    }

    /// The signals of a record of several segments, the number that its record line announces.
    pub(super) fn signals_of_segments(&self) -> Result<Vec<SignalSpec>> {
        let record = self.segments.iter().find_map(|s| s.record.as_deref()).filter(|_| {
            // a layout has to come first
            !self.is_variable() || self.segments[0].record.is_some()
        });
        let Some(record) = record else {
            let what = "all segments are gaps, expected a layout or a segment with signals";
            return Err(Error::file(&self.path, what, "fetch the header again"));
        };
        let first = self.segment(record)?;
        if first.signals.len() != self.announced {
            let found = first.signals.len();
            return Err(Error::file(
                &self.path,
                format!("announces {} signals, but its segment {record} has {found}", self.announced),
                "correct the number of signals in the first line, or fetch the headers again",
            ));
        }
        Ok(first.signals)
    }

    /// The header of a segment, which has no segments itself: none can lead back to this one.
    fn segment(&self, record: &str) -> Result<Self> {
        let header = Self::read_alone(&self.path_below(&format!("{record}.hea")))?;
        let fault = |what: String| {
            Err(Error::file(&header.path, what, format!("mend it, or leave it out of {}", self.path.display())))
        };
        if !header.segments.is_empty() {
            return fault("is a segment with segments of its own, expected one with signals".into());
        }
        if (header.fs - self.fs).abs() > 1e-6 * self.fs {
            return fault(format!("a segment at {} Hz, expected {} Hz as in the whole record", header.fs, self.fs));
        }
        Ok(header)
    }

    /// Where signal `index` of the record is in a segment; `None` where it is missing there.
    fn place_in(&self, segment: &Self, index: usize) -> Result<Option<usize>> {
        let spec = &self.signals[index];
        let fault = |what: String| Err(Error::file(&segment.path, what, "fetch the headers of the record again"));
        let found = if self.is_variable() {
            segment.signals.iter().position(|s| s.description.trim() == spec.description.trim())
        } else {
            let own = segment.signals.get(index).filter(|_| segment.signals.len() == self.signals.len());
            let Some(own) = own else {
                let (found, expected) = (segment.signals.len(), self.signals.len());
                return fault(format!("a segment of {found} signals, expected {expected} as in the first segment"));
            };
            let names = [own.description.trim(), spec.description.trim()];
            if names[0] != names[1] && !names.contains(&"") {
                let [found, expected] = names;
                return fault(format!("signal {index} is `{found}`, expected `{expected}` as in the first segment"));
            }
            Some(index)
        };
        match found.map(|i| segment.signals[i].per_frame) {
            Some(per_frame) if per_frame != spec.per_frame => fault(format!(
                "signal `{}` has {per_frame} samples per frame, expected {} as in the whole record",
                spec.description, spec.per_frame
            )),
            _ => Ok(found),
        }
    }
}

/// Reads signal `index` of a record of several segments.
pub(super) fn read(header: &Header, index: usize, strict: bool) -> Result<Signal> {
    let per_frame = header.signals[index].per_frame;
    let total = header.samples.and_then(|n| n.checked_mul(per_frame)).filter(|n| *n as u64 <= MAX_SAMPLES);
    let Some(total) = total else {
        let what = format!("announces more than {MAX_SAMPLES} samples of a signal");
        return Err(Error::file(&header.path, what, "read its segments one by one"));
    };
    let mut all = Signal { mv: Vec::new(), fs: header.rate(index), warnings: Vec::new() };
    // gaps, as places in what is there; a header alone must not decide how much memory they take
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    for Segment { record, frames } in &header.segments {
        let mut missing = *frames > 0;
        if let Some(record) = record.as_deref().filter(|_| missing) {
            let segment = header.segment(record)?;
            if let Some(place) = header.place_in(&segment, index)? {
                if segment.samples.is_some_and(|n| n < *frames) {
                    let found = segment.samples.unwrap_or(0);
                    let what = format!("a segment of {found} samples, expected {frames} as in the whole record");
                    return Err(Error::file(&segment.path, what, "fetch the headers of the record again"));
                }
                let Signal { mv, warnings, .. } = signal::read_part(&segment, place, strict, Some(*frames))?;
                all.mv.extend(mv);
                all.warnings.extend(warnings.into_iter().map(|w| format!("segment {record}: {w}")));
                missing = false;
            }
        }
        if missing {
            gaps.push((all.mv.len(), frames * per_frame));
        }
    }
    let (there, missing) = (all.mv.len() as u64, (total - all.mv.len()) as u64);
    if missing > MISSING_FREE + MISSING_PER_SAMPLE * there {
        let what = format!(
            "of signal `{}` {missing} samples are missing, {there} are there",
            header.signals[index].description
        );
        return Err(Error::file(&header.path, what, "read the segments that have it one by one"));
    }
    if !gaps.is_empty() {
        let there = std::mem::take(&mut all.mv);
        all.mv.reserve_exact(total);
        let mut from = 0;
        for (at, length) in gaps {
            all.mv.extend(&there[from..at]);
            all.mv.resize(all.mv.len() + length, f64::NAN);
            from = at;
        }
        all.mv.extend(&there[from..]);
    }
    Ok(all)
}
