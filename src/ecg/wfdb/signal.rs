//! Samples of a WFDB record: of every storage format, interleaved, in one or several files, in one or several segments.

use super::header::{Header, SignalSpec};
use super::segments;
use super::stretch::{Storage, Stretch};
use crate::error::{Error, Result};

/// One signal in millivolts.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Samples in mV; NaN where the file marks a sample as missing, and where a segment lacks the signal.
    pub mv: Vec<f64>,
    /// Samples per second in Hz: those of a frame times the frames per second ([`Header::rate`]).
    pub fs: f64,
    /// Integrity checks that failed, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads signal `index` of a record, all samples of each frame. A skew is undone (the last samples are then missing).
///
/// The header's initial value and checksum are compared with the samples: a mismatch is a warning, or an
/// error when `strict`. The checksum is the 16-bit sum of all codes as stored, those before the skew and those
/// of missing samples included; it counts only where the header gives the number of samples. The initial value is
/// the first code (with a skew: that or the one at the skew). In format 8 it is what the differences start from,
/// and the ADC zero where the header has none. A checksum written as 0 that does not match means that none was
/// published (CinC 2017); then neither is checked.
///
/// Of a record of several segments the signal is found by its name, or by its place where all segments have the same
/// signals; gaps, and segments without it, are missing samples.
///
/// # Errors
/// [`Error::File`] for a missing or truncated file, an unknown storage format, a unit that is no voltage, segments that
/// do not fit together.
pub fn read_signal(header: &Header, index: usize, strict: bool) -> Result<Signal> {
    if index >= header.signals.len() {
        let what = format!("has no signal number {index}, it has {}", header.signals.len());
        return Err(Error::file(&header.path, what, "choose one of its leads"));
    }
    if header.segments.is_empty() {
        read_part(header, index, strict, None)
    } else {
        segments::read(header, index, strict)
    }
}

/// Reads signal `index` of a record of one segment: all of it, or its first frames.
pub(super) fn read_part(header: &Header, index: usize, strict: bool, frames: Option<usize>) -> Result<Signal> {
    let spec = &header.signals[index];
    let millivolts = spec.millivolts().ok_or_else(|| {
        let what = format!("signal `{}` is in `{}`, expected a voltage (mV, uV, V)", spec.description, spec.units);
        Error::file(&header.path, what, "choose an ECG lead")
    })?;
    let scale = millivolts / spec.gain;
    let stretch = Stretch::open(header, index, spec, frames)?;
    let offset = f64::from(spec.baseline);
    let (storage, whole) = (stretch.storage, stretch.whole);
    let missing = storage.missing();
    let mut mv: Vec<f64> = Vec::with_capacity(stretch.samples());
    let mut check = Check { spec, seen: 0, sum: 0, first: None, after_skew: None };
    stretch.read(|codes| {
        check.add(codes);
        let start = mv.len();
        mv.extend(codes.iter().map(|&c| (f64::from(c) - offset) * scale));
        if missing.is_some_and(|m| codes.contains(&m)) {
            for (value, _) in mv[start..].iter_mut().zip(codes).filter(|(_, c)| Some(**c) == missing) {
                *value = f64::NAN;
            }
        }
    })?;
    let warnings = check.warnings(storage, whole);
    if strict && !warnings.is_empty() {
        return Err(Error::file(
            header.path_below(&spec.file),
            warnings.join("; "),
            "the file differs from what its header was written for: fetch it again, or leave strict checking off",
        ));
    }
    // a stream of unknown length may end inside a frame
    let read = mv.len() / spec.per_frame;
    mv.truncate(read * spec.per_frame);
    if spec.skew > 0 {
        mv.drain(..spec.skew.min(read) * spec.per_frame);
    }
    mv.resize(frames.unwrap_or(read) * spec.per_frame, f64::NAN);
    Ok(Signal { mv, fs: header.rate(index), warnings })
}

/// What the integrity checks need of a signal's codes.
struct Check<'a> {
    spec: &'a SignalSpec,
    /// Codes seen.
    seen: usize,
    sum: i16,
    first: Option<i32>,
    /// The first code that the skew leaves.
    after_skew: Option<i32>,
}

impl Check<'_> {
    fn add(&mut self, codes: &[i32]) {
        self.first = self.first.or(codes.first().copied());
        let start = self.spec.skew.saturating_mul(self.spec.per_frame);
        let here = start.checked_sub(self.seen).and_then(|at| codes.get(at).copied());
        self.after_skew = self.after_skew.or(here);
        self.seen += codes.len();
        // only the low 16 bits count
        self.sum = codes.iter().fold(self.sum, |s, &c| s.wrapping_add(c as i16));
    }

    fn warnings(&self, storage: Storage, length_known: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let (spec, sum) = (self.spec, self.sum);
        if spec.checksum == Some(0) && sum != 0 {
            return warnings;
        }
        if let Some(expected) = spec.checksum.filter(|&e| length_known && e != sum) {
            warnings.push(format!("signal `{}`: checksum {sum}, its header says {expected}", spec.description));
        }
        if let (Some(expected), Some(first)) = (spec.initial, self.first)
            && !storage.is_difference()
            && first != expected
            && self.after_skew != Some(expected)
        {
            warnings.push(format!("signal `{}`: first code {first}, its header says {expected}", spec.description));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{Format, pack_212};
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn record(dir: &Path, header: &str, files: &[(&str, &[u8])]) -> Header {
        for (name, bytes) in files {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
        Header::parse(&dir.join("r.hea"), header).unwrap()
    }

    fn bytes16(codes: &[i16]) -> Vec<u8> {
        codes.iter().flat_map(|c| c.to_le_bytes()).collect()
    }

    #[test]
    fn integrity_is_a_warning_or_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = bytes16(&[4, 5]);
        let good = record(dir.path(), "r 1 360 2\nr.dat 16 1 0 0 4 9 0 x\n", &[("r.dat", &bytes)]);
        assert!(read_signal(&good, 0, true).unwrap().warnings.is_empty());
        assert!(read_signal(&good, 1, false).unwrap_err().to_string().contains("no signal number 1"));
        let bad = record(dir.path(), "r 1 360 2\nr.dat 16 1 0 0 3 8 0 x\n", &[]);
        assert_eq!(read_signal(&bad, 0, false).unwrap().warnings.len(), 2);
        assert!(read_signal(&bad, 0, true).unwrap_err().to_string().contains("checksum 9, its header says 8"));
        let unpublished = record(dir.path(), "r 1 360 2\nr.dat 16 1 0 0 3 0 0 x\n", &[]);
        assert!(read_signal(&unpublished, 0, true).unwrap().warnings.is_empty());
    }

    #[test]
    fn truncated_and_lying_headers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = bytes16(&[4, 5]);
        for (header, part) in [
            ("r 1 360 3\nr.dat 16\n", "4 bytes found, 6 bytes expected"),
            ("r 1 360 18446744073709551615\nr.dat 16x100\n", "truncated"),
            ("r 1 360 2\nr.dat 16+1\n", "truncated"),
            ("r 1 360 2\nr.dat 16+18446744073709551615\n", "truncated"),
            ("r 1 360 2\nr.dat 517\n", "storage format 517, expected one of 8, 16, 24"),
            ("r 2 360 1\nr.dat 16\nr.dat 212\n", "several storage formats"),
            ("r 1 360 2\nnone.dat 16\n", "cannot read"),
            ("r 1 360 2\nr.dat 16 1/mmHg\n", "mmHg"),
        ] {
            let h = record(dir.path(), header, &[("r.dat", &bytes)]);
            let e = read_signal(&h, 0, false).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{header}: {e}");
        }
        std::fs::write(dir.path().join("r.dat"), b"").unwrap();
        let h = record(dir.path(), "r 1 360\nr.dat 212\n", &[]);
        assert!(read_signal(&h, 0, false).unwrap().mv.is_empty());
    }

    #[test]
    fn differences_start_from_the_initial_value_or_the_adc_zero() {
        let dir = tempfile::tempdir().unwrap();
        // two signals, the second with two samples per frame; 2 frames
        let bytes: Vec<u8> = [0_i8, 1, 2, -3, 0, -128].map(|d| d as u8).to_vec();
        let files = [("r.dat", &bytes[..])];
        let h = record(dir.path(), "r 2 360 2\nr.dat 8 1 10 5 100 197 0 a\nr.dat 8x2 1 10 -7\n", &files);
        assert_eq!(read_signal(&h, 0, true).unwrap().mv, [95.0, 92.0]);
        assert_eq!(read_signal(&h, 1, true).unwrap().mv, [1.0, 3.0, 3.0, -125.0]);
        let wrong = record(dir.path(), "r 2 360 2\nr.dat 8 1 10 5 100 198 0 a\nr.dat 8x2 1 10 -7\n", &[]);
        assert!(read_signal(&wrong, 0, true).unwrap_err().to_string().contains("checksum 197"));
        // sums past 32 bits wrap
        let h = record(dir.path(), "r 1 360 6\nr.dat 8 1 32 0 2147483647\n", &[]);
        assert_eq!(read_signal(&h, 0, true).unwrap().mv[1], -2_147_483_648.0);
    }

    #[test]
    fn initial_values_with_frames_and_skew() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = bytes16(&[1, 3, 7, 5]);
        for (initial, fits) in [(1, true), (7, true), (3, false), (5, false)] {
            let text = format!("r 1 360 2\nr.dat 16x2:1 1 0 0 {initial} 16 0 x\n");
            let h = record(dir.path(), &text, &[("r.dat", &bytes)]);
            assert_eq!(read_signal(&h, 0, true).is_ok(), fits, "{initial}");
        }
        // without the number of samples nothing is said about the sum
        let h = record(dir.path(), "r 1 360\nr.dat 16 1 0 0 1 99 0 x\n", &[]);
        assert!(read_signal(&h, 0, true).is_ok());
    }

    #[test]
    fn long_files_are_read_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let n = 200_003_usize;
        let codes: Vec<i16> = (0..3 * n).map(|i| (i * 7 % 4001) as i16 - 2000).collect();
        let sum = codes.iter().skip(1).step_by(3).fold(0_i16, |s, &c| s.wrapping_add(c));
        let spec = "r.dat 212 1 12 0";
        let text = format!("r 3 360 {n}\n{spec}\n{spec} {} {sum} 0 b\n{spec}\n", codes[1]);
        let h = record(dir.path(), &text, &[("r.dat", &pack_212(codes.iter().copied()))]);
        for k in 0..3 {
            let found = read_signal(&h, k, true).unwrap().mv;
            assert!(found.len() == n && found.iter().enumerate().all(|(i, &v)| v == f64::from(codes[3 * i + k])));
        }
    }

    proptest! {
        #[test]
        fn a_cut_file_is_refused(which in 0usize..10, x in 1usize..4, y in 1usize..4, n in 1usize..30, cut in 1usize..200, offset in 0usize..9) {
            let format = Format::ALL[which];
            let size = offset + format.bytes_for((n * (x + y)) as u64).unwrap() as usize;
            let bytes = vec![1; size.saturating_sub(cut)];
            let dir = tempfile::tempdir().unwrap();
            let (f, g) = (format.number(), size - 1);
            let text = format!("r 2 360 {n}\nr.dat {f}x{x}+{offset} 1\nr.dat {f}x{y}+{offset} 1\n");
            let h = record(dir.path(), &text, &[("r.dat", &bytes)]);
            for i in 0..2 {
                let e = read_signal(&h, i, false).unwrap_err().to_string();
                prop_assert!(e.contains("truncated") && e.contains(&format!("{size} bytes expected")), "{} {}", g, e);
            }
            let h = record(dir.path(), &text, &[("r.dat", &vec![1; size])]);
            prop_assert_eq!(read_signal(&h, 1, false).unwrap().mv.len(), n * y);
        }
    }
}
