//! Samples of a WFDB record: formats 16 and 212, interleaved, one or several files.

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

/// The largest stretch of a signal file that is read at once, in bytes.
const MAX_BYTES: u64 = 8 << 30;

/// Reads signal `index` of a record. Signals with several samples per frame are averaged to one per
/// frame, and a skew is undone (the last samples are then missing).
///
/// The header's initial value and checksum are held against the samples: a mismatch is a warning, or an
/// error when `strict`. A checksum written as 0 that does not match means that none was published
/// (CinC 2017); then neither is checked.
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
    let codes = read_codes(header, index, spec)?;
    let warnings = check_integrity(spec, &codes);
    if strict && !warnings.is_empty() {
        return Err(Error::file(
            header.signal_path(&spec.file),
            warnings.join("; "),
            "the file differs from what its header was written for: fetch it again, or leave strict checking off",
        ));
    }
    let missing = if spec.format == 16 { -32768 } else { -2048 };
    let scale = to_mv / spec.gain;
    let offset = f64::from(spec.baseline);
    let value = |c: i16| if c == missing { f64::NAN } else { (f64::from(c) - offset) * scale };
    let mut mv: Vec<f64> = if spec.per_frame == 1 {
        codes.iter().map(|&c| value(c)).collect()
    } else {
        let n = spec.per_frame as f64;
        codes.chunks_exact(spec.per_frame).map(|f| f.iter().map(|&c| value(c)).sum::<f64>() / n).collect()
    };
    if spec.skew > 0 {
        let skew = spec.skew.min(mv.len());
        mv.rotate_left(skew);
        let n = mv.len();
        mv[n - skew..].fill(f64::NAN);
    }
    Ok(Signal { mv, warnings })
}

fn check_integrity(spec: &SignalSpec, codes: &[i16]) -> Vec<String> {
    let sum = codes.iter().fold(0_i16, |s, &c| s.wrapping_add(c));
    let mut warnings = Vec::new();
    if spec.checksum == Some(0) && sum != 0 {
        return warnings;
    }
    if let Some(expected) = spec.checksum.filter(|&e| e != sum) {
        warnings.push(format!("signal `{}`: checksum {sum}, its header says {expected}", spec.description));
    }
    if let (Some(expected), Some(&first)) = (spec.initial, codes.first())
        && i32::from(first) != expected
    {
        warnings.push(format!("signal `{}`: first code {first}, its header says {expected}", spec.description));
    }
    warnings
}

/// All codes of one signal, `per_frame` of them for each frame.
fn read_codes(header: &Header, index: usize, spec: &SignalSpec) -> Result<Vec<i16>> {
    let path = header.signal_path(&spec.file);
    if !matches!(spec.format, 16 | 212) {
        return Err(Error::file(
            &header.path,
            format!("storage format {}, expected 16 or 212", spec.format),
            "convert the record, for instance with `xform -O 16`",
        ));
    }
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
    let before: usize = group.iter().filter(|(i, _)| *i < index).map(|(_, s)| s.per_frame).sum();
    let offset = group.iter().map(|(_, s)| s.offset).max().unwrap_or(0);

    let open = |e: std::io::Error| {
        Error::file(&path, format!("cannot read the signal file: {e}"), "put it beside its header, or fetch it again")
    };
    let mut file = File::open(&path).map_err(open)?;
    let meta = file.metadata().map_err(open)?;
    if !meta.is_file() {
        return Err(Error::file(&path, "is no plain file, expected the signal file", "fetch the record again"));
    }
    let found = meta.len();
    let stored = found.saturating_sub(offset).min(MAX_BYTES);
    let available = codes_in(spec.format, stored);
    let frames = match header.samples {
        Some(n) => {
            let codes = (n as u64).checked_mul(frame as u64);
            let needed = codes.and_then(|c| bytes_for(spec.format, c)).and_then(|b| b.checked_add(offset));
            if codes.is_none_or(|c| c > available) {
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
            n
        }
        None => (available / frame as u64) as usize,
    };
    let total = frames * frame;
    let mut bytes = vec![0; bytes_for(spec.format, total as u64).unwrap_or(0) as usize];
    file.seek(SeekFrom::Start(offset)).map_err(open)?;
    file.read_exact(&mut bytes).map_err(open)?;

    let mut codes = Vec::with_capacity(frames * spec.per_frame);
    for f in 0..frames {
        for k in 0..spec.per_frame {
            let i = f * frame + before + k;
            codes.push(if spec.format == 16 { code16(&bytes, i) } else { code212(&bytes, i) });
        }
    }
    Ok(codes)
}

fn codes_in(format: u32, bytes: u64) -> u64 {
    if format == 16 { bytes / 2 } else { bytes / 3 * 2 + u64::from(bytes % 3 == 2) }
}

fn bytes_for(format: u32, codes: u64) -> Option<u64> {
    // two 12-bit codes take three bytes; a last single one takes two
    if format == 16 { codes.checked_mul(2) } else { (codes / 2).checked_mul(3)?.checked_add(codes % 2 * 2) }
}

fn code16(bytes: &[u8], i: usize) -> i16 {
    i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])
}

/// Format 212: byte 1 holds the high four bits of the even code (low nibble) and of the odd one (high nibble).
fn code212(bytes: &[u8], i: usize) -> i16 {
    let pair = &bytes[i / 2 * 3..];
    let raw = if i.is_multiple_of(2) {
        i16::from(pair[1] & 0x0f) << 8 | i16::from(pair[0])
    } else {
        i16::from(pair[1] & 0xf0) << 4 | i16::from(pair[2])
    };
    raw << 4 >> 4
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
        let mut out = Vec::new();
        for pair in codes.chunks(2) {
            let (a, b) = (pair[0] as u16, pair.get(1).map_or(0, |&b| b as u16));
            out.push(a as u8);
            out.push((a >> 8 & 0x0f) as u8 | (b >> 4 & 0xf0) as u8);
            if pair.len() == 2 {
                out.push(b as u8);
            }
        }
        out
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
            ("r 1 360 2\nr.dat 80\n", "storage format 80"),
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

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), format in prop_oneof![Just(16), Just(212)],
                        x in 1usize..4, y in 1usize..4, offset in 0u64..70, skew in 0usize..70, n in proptest::option::of(0usize..40)) {
            let dir = tempfile::tempdir().unwrap();
            let n = n.map_or(String::new(), |n| n.to_string());
            let h = record(dir.path(), &format!("r 2 360 {n}\nr.dat {format}x{x}:{skew}+{offset}\nr.dat {format}x{y}\n"), &[("r.dat", &bytes)]);
            for i in 0..3 {
                let _ = read_signal(&h, i, false);
            }
        }

        #[test]
        fn format_212_round_trip(codes in proptest::collection::vec(-2047i16..2048, 0..33)) {
            let bytes = bytes212(&codes);
            prop_assert_eq!(codes_in(212, bytes.len() as u64), codes.len() as u64);
            prop_assert_eq!(bytes_for(212, codes.len() as u64), Some(bytes.len() as u64));
            let back: Vec<i16> = (0..codes.len()).map(|i| code212(&bytes, i)).collect();
            prop_assert_eq!(back, codes);
        }
    }
}
