//! Samples of a WFDB record: every [`Format`], interleaved, in one or several files.

use super::format::{Format, Place};
use super::header::{Header, SignalSpec};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// One signal in physical units.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Samples in mV at the record's rate; NaN where the file marks a sample as missing.
    pub mv: Vec<f64>,
    /// Integrity checks that failed, one sentence each.
    pub warnings: Vec<String>,
}

/// The most samples of a signal that are read.
const MAX_SAMPLES: u64 = 1 << 30;
/// Bytes of a signal file that are read at once, about.
const CHUNK: u64 = 1 << 18;

/// Reads signal `index` of a record. Signals with several samples per frame are averaged to one per
/// frame, and a skew is undone (the last samples are then missing).
///
/// The header's initial value and checksum are held against the samples: a mismatch is a warning, or an
/// error when `strict`. The checksum is the 16-bit sum of all codes as stored, those before the skew and those
/// of missing samples included; it counts only where the header gives the number of samples. The initial value is
/// the first code (with a skew: that or the one at the skew). In format 8 it is what the differences start from,
/// and the ADC zero where the header has none. A checksum written as 0 that does not match means that none was
/// published (CinC 2017); then neither is checked.
///
/// # Errors
/// [`Error::File`] for a missing or truncated file, an unknown storage format, a unit that is no voltage.
pub fn read_signal(header: &Header, index: usize, strict: bool) -> Result<Signal> {
    let Some(spec) = header.signals.get(index) else {
        return Err(Error::file(
            &header.path,
            format!("has no signal number {index}, it has {}", header.signals.len()),
            "choose one of its leads",
        ));
    };
    let to_mv = spec.millivolts().ok_or_else(|| {
        Error::file(
            &header.path,
            format!("signal `{}` is in `{}`, expected a voltage (mV, uV, V)", spec.description, spec.units),
            "choose an ECG lead",
        )
    })?;
    let format = Format::from_number(spec.format).ok_or_else(|| {
        Error::file(
            &header.path,
            format!("storage format {}, expected one of {}", spec.format, Format::numbers()),
            "convert the record, for instance with `xform -O 16`",
        )
    })?;
    let mut stretch = Stretch::open(header, index, spec, format)?;

    let scale = to_mv / spec.gain;
    let offset = f64::from(spec.baseline);
    let missing = format.missing();
    let convert = |codes: &[i32], out: &mut Vec<f64>| {
        let start = out.len();
        out.extend(codes.iter().map(|&c| (f64::from(c) - offset) * scale));
        if missing.is_some_and(|m| codes.contains(&m)) {
            for (value, _) in out[start..].iter_mut().zip(codes).filter(|(_, c)| Some(**c) == missing) {
                *value = f64::NAN;
            }
        }
    };
    let mut mv = Vec::with_capacity(stretch.frames);
    let mut values = Vec::new();
    let mut check = Check::new(spec);
    stretch.read(|codes| {
        check.add(codes);
        if spec.per_frame == 1 {
            convert(codes, &mut mv);
        } else {
            values.clear();
            convert(codes, &mut values);
            let n = spec.per_frame as f64;
            mv.extend(values.chunks_exact(spec.per_frame).map(|f| f.iter().sum::<f64>() / n));
        }
    })?;
    let warnings = check.warnings(format, header.samples.is_some());
    if strict && !warnings.is_empty() {
        return Err(Error::file(
            header.signal_path(&spec.file),
            warnings.join("; "),
            "the file differs from what its header was written for: fetch it again, or leave strict checking off",
        ));
    }
    if spec.skew > 0 {
        let skew = spec.skew.min(mv.len());
        mv.rotate_left(skew);
        let n = mv.len();
        mv[n - skew..].fill(f64::NAN);
    }
    Ok(Signal { mv, warnings })
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

impl<'a> Check<'a> {
    fn new(spec: &'a SignalSpec) -> Self {
        Self { spec, seen: 0, sum: 0, first: None, after_skew: None }
    }

    fn add(&mut self, codes: &[i32]) {
        self.first = self.first.or(codes.first().copied());
        let start = self.spec.skew.saturating_mul(self.spec.per_frame);
        let here = start.checked_sub(self.seen).and_then(|at| codes.get(at).copied());
        self.after_skew = self.after_skew.or(here);
        self.seen += codes.len();
        // only the low 16 bits count
        self.sum = codes.iter().fold(self.sum, |s, &c| s.wrapping_add(c as i16));
    }

    fn warnings(&self, format: Format, length_known: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let (spec, sum) = (self.spec, self.sum);
        if spec.checksum == Some(0) && sum != 0 {
            return warnings;
        }
        if let Some(expected) = spec.checksum.filter(|&e| length_known && e != sum) {
            warnings.push(format!("signal `{}`: checksum {sum}, its header says {expected}", spec.description));
        }
        if let (Some(expected), Some(first)) = (spec.initial, self.first)
            && !format.is_difference()
            && first != expected
            && self.after_skew != Some(expected)
        {
            warnings.push(format!("signal `{}`: first code {first}, its header says {expected}", spec.description));
        }
        warnings
    }
}

/// The part of an open signal file that a header speaks of, its size already checked.
struct Stretch<'a> {
    path: std::path::PathBuf,
    file: File,
    offset: u64,
    format: Format,
    place: Place,
    frames: usize,
    spec: &'a SignalSpec,
}

impl<'a> Stretch<'a> {
    fn open(header: &Header, index: usize, spec: &'a SignalSpec, format: Format) -> Result<Self> {
        let path = header.signal_path(&spec.file);
        // the signals of one file are interleaved, frame by frame
        let group: Vec<(usize, &SignalSpec)> =
            header.signals.iter().enumerate().filter(|(_, s)| s.file == spec.file).collect();
        if group.iter().any(|(_, s)| s.format != spec.format) {
            return Err(Error::file(
                &header.path,
                format!("several storage formats for the one file {}", spec.file),
                "correct the header: signals of one file share a format",
            ));
        }
        let frame: usize = group.iter().map(|(_, s)| s.per_frame).sum();
        let before = group.iter().filter(|(i, _)| *i < index).map(|(_, s)| s.per_frame).sum();
        let place = Place { frame, before, per_frame: spec.per_frame };
        let offset = group.iter().map(|(_, s)| s.offset).max().unwrap_or(0);

        let file = File::open(&path).map_err(|e| cannot_read(&path, &e))?;
        let meta = file.metadata().map_err(|e| cannot_read(&path, &e))?;
        if !meta.is_file() {
            return Err(Error::file(&path, "is no plain file, expected the signal file", "fetch the record again"));
        }
        let found = meta.len();
        let available = format.codes_in(found.saturating_sub(offset));
        let frames = match header.samples {
            Some(n) => {
                let codes = (n as u64).checked_mul(frame as u64);
                if codes.is_none_or(|c| c > available) {
                    let needed = codes.and_then(|c| format.bytes_for(c)).and_then(|b| b.checked_add(offset));
                    let needed = needed.map_or("more than any file holds".to_string(), |b| format!("{b} bytes"));
                    return Err(Error::file(
                        &path,
                        format!(
                            "is truncated: {found} bytes found, {needed} expected for {n} samples of {} signals",
                            group.len()
                        ),
                        "fetch the file again, or correct the header",
                    ));
                }
                n as u64
            }
            None => available / frame as u64,
        };
        if frames.saturating_mul(spec.per_frame as u64) > MAX_SAMPLES {
            return Err(Error::file(
                &path,
                format!("holds {frames} samples of a signal, expected at most {MAX_SAMPLES}"),
                "cut the record into parts",
            ));
        }
        Ok(Self { path, file, offset, format, place, frames: frames as usize, spec })
    }

    /// Gives all codes of the signal, whole frames at a time, `per_frame` codes for each.
    fn read(&mut self, mut take: impl FnMut(&[i32])) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.offset)).map_err(|e| cannot_read(&self.path, &e))?;
        let size = |frames: usize| self.format.bytes_for((frames * self.place.frame) as u64).unwrap_or(0);
        // chunks end with a whole group of codes
        let chunk = (CHUNK / size(Format::WHOLE).max(1)).max(1) as usize * Format::WHOLE;
        let mut level = self.spec.initial.unwrap_or(self.spec.adc_zero);
        let (mut bytes, mut codes) = (Vec::new(), Vec::new());
        let mut left = self.frames;
        while left > 0 {
            let frames = left.min(chunk);
            left -= frames;
            bytes.resize(size(frames) as usize, 0);
            self.file.read_exact(&mut bytes).map_err(|e| cannot_read(&self.path, &e))?;
            self.format.decode(&bytes, self.place, frames, &mut codes);
            if self.format.is_difference() {
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

fn cannot_read(path: &std::path::Path, e: &std::io::Error) -> Error {
    Error::file(path, format!("cannot read the signal file: {e}"), "put it beside its header, or fetch it again")
}

#[cfg(test)]
mod tests {
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

    fn bytes212(codes: &[i16]) -> Vec<u8> {
        super::super::format::pack_212(codes.iter().copied())
    }

    #[test]
    fn reads_format_16_with_offset_gaps_and_units() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = vec![9; 24];
        bytes.extend(bytes16(&[100, 1, -32768, 2, 300, 3]));
        let h = record(
            dir.path(),
            "r 2 500 3\nr.mat 16+24 100(50)/mV\nr.mat 16+24 1000/uV 0 0 1 6 0 b\n",
            &[("r.mat", &bytes)],
        );
        let a = read_signal(&h, 0, true).unwrap().mv;
        assert_eq!((a[0], a[2]), (0.5, 2.5));
        assert!(a[1].is_nan());
        let b = read_signal(&h, 1, true).unwrap().mv;
        assert!((b[1] - 2e-6).abs() < 1e-18);
        assert!(read_signal(&h, 2, false).is_err());
    }

    #[test]
    fn reads_format_212_odd_counts_and_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let codes: [i16; 5] = [-2047, 2047, -1, 5, -2048];
        let h = record(
            dir.path(),
            "r 2 360 5\nr.dat 212 1\ns.dat 16 1\n",
            &[("r.dat", &bytes212(&codes)), ("s.dat", &bytes16(&[1, 2, 3, 4, 5]))],
        );
        let a = read_signal(&h, 0, true).unwrap().mv;
        assert_eq!(&a[..4], &[-2047.0, 2047.0, -1.0, 5.0]);
        assert!(a[4].is_nan());
        assert_eq!(read_signal(&h, 1, true).unwrap().mv, [1.0, 2.0, 3.0, 4.0, 5.0]);
        // no number of samples: the file decides
        let h = record(dir.path(), "r 1 360\nr.dat 212 1\n", &[]);
        assert_eq!(read_signal(&h, 0, true).unwrap().mv.len(), 5);
    }

    #[test]
    fn frames_and_skew() {
        let dir = tempfile::tempdir().unwrap();
        let h =
            record(dir.path(), "r 2 360 2\nr.dat 16x2 1\nr.dat 16:1 1\n", &[("r.dat", &bytes16(&[1, 3, 7, 5, 7, 8]))]);
        assert_eq!(read_signal(&h, 0, true).unwrap().mv, [2.0, 6.0]);
        let b = read_signal(&h, 1, true).unwrap().mv;
        assert!(b[0] == 8.0 && b[1].is_nan());
    }

    #[test]
    fn integrity_is_a_warning_or_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = bytes16(&[4, 5]);
        let good = record(dir.path(), "r 1 360 2\nr.dat 16 1 0 0 4 9 0 x\n", &[("r.dat", &bytes)]);
        assert!(read_signal(&good, 0, true).unwrap().warnings.is_empty());
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
            ("r 1 360 2\nr.dat 516\n", "storage format 516, expected one of 8, 16, 24"),
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
        assert_eq!(read_signal(&h, 1, true).unwrap().mv, [2.0, (3.0 - 125.0) / 2.0]);
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
        let h = record(dir.path(), &text, &[("r.dat", &bytes212(&codes))]);
        for k in 0..3 {
            let found = read_signal(&h, k, true).unwrap().mv;
            assert!(found.len() == n && found.iter().enumerate().all(|(i, &v)| v == f64::from(codes[3 * i + k])));
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), which in 0usize..11,
                        x in 1usize..4, y in 1usize..4, offset in 0u64..70, skew in 0usize..70, n in proptest::option::of(0usize..40)) {
            let dir = tempfile::tempdir().unwrap();
            let format = Format::ALL.get(which).map_or(0, |f| f.number());
            let n = n.map_or(String::new(), |n| n.to_string());
            let h = record(dir.path(), &format!("r 2 360 {n}\nr.dat {format}x{x}:{skew}+{offset}\nr.dat {format}x{y}\n"), &[("r.dat", &bytes)]);
            for i in 0..3 {
                let _ = read_signal(&h, i, false);
            }
        }

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
            prop_assert_eq!(read_signal(&h, 1, false).unwrap().mv.len(), n);
        }
    }
}
