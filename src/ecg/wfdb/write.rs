//! Writes WFDB records and MIT annotations, as read by this crate, the WFDB library and wfdb-python.

use super::annotation::{AUX, Annotation, CHN, NUM, SKIP, SUB};
use super::format::{Format, pack_212};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use std::path::Path;

/// Lines of a header are at most that long, the line feed not counted (`header(5)`).
const MAX_LINE: usize = 254;
/// The longest text of an annotation in bytes, its NUL not counted: readers keep the length in a byte.
const MAX_TEXT: usize = 254;

/// A record to be written: signals of one length in one signal file.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordToWrite {
    /// Record name: letters, digits, `_` and `-`.
    pub name: String,
    /// Sampling rate in Hz.
    pub fs: f64,
    /// [`Format::F16`] or [`Format::F212`].
    pub format: Format,
    /// At least one signal, all of the same length.
    pub signals: Vec<SignalToWrite>,
    /// Comment lines without their `#`, e.g. `Dx: 426783006`.
    pub comments: Vec<String>,
}

/// A signal to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalToWrite {
    /// What the signal is: the lead's name.
    pub description: String,
    /// Codes per mV.
    pub gain: f64,
    /// Code of 0 mV.
    pub baseline: i32,
    /// Samples; the format's lowest code ([`Format::missing`]) marks a missing one.
    pub codes: Vec<i16>,
}

/// Writes `name.dat` and `name.hea` into `dir`, which is made if need be. Initial values and checksums are those of
/// the codes. The header comes last, so that there is none without its signals.
///
/// # Errors
/// [`Error::File`] naming the header for what it cannot hold (name, rate, gain, lengths, codes beyond the format,
/// text other than one line of printable ASCII), and for a file that cannot be written.
pub fn write_record(dir: &Path, record: &RecordToWrite) -> Result<()> {
    // a name that is no plain word must not lead out of the folder: it is checked before it becomes a path
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if record.name.is_empty() || !record.name.chars().all(plain) {
        let what = format!("cannot hold a record named `{}`, expected letters, digits, `_` and `-`", record.name);
        return Err(Error::file(dir, what, "choose another record name"));
    }
    let path = dir.join(format!("{}.hea", record.name));
    let text = header_text(record).map_err(|what| {
        Error::file(&path, format!("cannot be written: {what}"), "correct the record before it is written")
    })?;
    let length = record.signals.first().map_or(0, |s| s.codes.len());
    let codes = (0..length).flat_map(|i| record.signals.iter().map(move |s| s.codes[i]));
    let bytes =
        if record.format == Format::F212 { pack_212(codes) } else { codes.flat_map(i16::to_le_bytes).collect() };
    write_atomically(&dir.join(format!("{}.dat", record.name)), &bytes)?;
    write_atomically(&path, text.as_bytes())
}

/// The header, or what it cannot hold.
fn header_text(record: &RecordToWrite) -> Result<String, String> {
    let (bits, lowest, highest) = match record.format {
        Format::F16 => (16, i16::MIN, i16::MAX),
        Format::F212 => (12, -2048, 2047),
        other => return Err(format!("storage format {}, expected 16 or 212", other.number())),
    };
    if !(0.01..=1e7).contains(&record.fs) {
        return Err(format!("sampling rate {} Hz, expected 0.01 to 10000000", record.fs));
    }
    let length = record.signals.first().map_or(0, |s| s.codes.len());
    if length == 0 || record.signals.len() > 1024 {
        return Err(format!("{} signals of {length} samples, expected 1 to 1024 of any", record.signals.len()));
    }
    let name = &record.name;
    let mut lines = vec![format!("{name} {} {} {length}", record.signals.len(), record.fs)];
    for (i, s) in record.signals.iter().enumerate() {
        let fault = |what: String| format!("signal {i} (`{}`): {what}", s.description);
        if s.codes.len() != length {
            return Err(fault(format!("{} samples, expected {length} as in the first", s.codes.len())));
        }
        if !(1e-9..=1e12).contains(&s.gain.abs()) {
            return Err(fault(format!("gain {}, expected 1e-9 to 1e12 codes per mV", s.gain)));
        }
        if let Some((at, code)) = s.codes.iter().enumerate().find(|(_, c)| !(lowest..=highest).contains(*c)) {
            return Err(fault(format!("code {code} at sample {at}, expected {lowest} to {highest}")));
        }
        if s.description.is_empty() {
            return Err(fault("no description, expected the lead's name".into()));
        }
        let checksum = s.codes.iter().fold(0_i16, |sum, &c| sum.wrapping_add(c));
        lines.push(format!(
            "{name}.dat {} {}({})/mV {bits} 0 {} {checksum} 0 {}",
            record.format.number(),
            s.gain,
            s.baseline,
            s.codes[0],
            s.description
        ));
    }
    lines.extend(record.comments.iter().map(|c| format!("# {c}").trim_end().to_string()));
    let texts = record.signals.iter().map(|s| &s.description).chain(&record.comments);
    if let Some(bad) = texts.into_iter().find(|t| t.trim() != *t || !t.chars().all(|c| matches!(c, ' '..='~'))) {
        return Err(format!("the text {bad:?}, expected printable ASCII without blanks around it"));
    }
    if let Some(long) = lines.iter().find(|l| l.len() > MAX_LINE) {
        return Err(format!("a line of {} characters, expected at most {MAX_LINE}: {long}", long.len()));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Writes annotations in MIT format, ordered by sample. Gaps of 1024 samples and more become a SKIP, texts an AUX
/// field ending in a NUL as in published files.
///
/// # Errors
/// [`Error::File`] naming the annotation for a code outside 1 to 49, a negative sample, a gap past 31 bits, a text
/// of more than 254 bytes or with blanks or NULs at its ends (readers would lose them), and for a file that cannot
/// be written.
pub fn write_annotations(path: &Path, annotations: &[Annotation]) -> Result<()> {
    let mut sorted: Vec<&Annotation> = annotations.iter().collect();
    sorted.sort_by_key(|a| a.sample);
    let mut bytes = Vec::new();
    // channel and num hold until they change
    let (mut last, mut channel, mut num) = (0, 0, 0);
    for a in sorted {
        let fault = |what: String| {
            let what = format!("cannot be written: annotation at sample {}: {what}", a.sample);
            Error::file(path, what, "correct the annotations before they are written")
        };
        if !(1..=49).contains(&a.code) {
            return Err(fault(format!("code {}, expected 1 to 49", a.code)));
        }
        let gap = a.sample - last;
        if !(0..=i64::from(i32::MAX)).contains(&gap) {
            return Err(fault(format!("{gap} samples after the one before, expected 0 to {}", i32::MAX)));
        }
        if a.aux.len() > MAX_TEXT || a.aux.contains('\0') || a.aux.trim() != a.aux {
            return Err(fault(format!("the text {:?}, expected up to {MAX_TEXT} bytes without blanks around", a.aux)));
        }
        let code = u16::from(a.code);
        if gap < 1024 {
            put(&mut bytes, code, gap as u16);
        } else {
            put(&mut bytes, SKIP, 0);
            bytes.extend(((gap >> 16) as u16).to_le_bytes());
            bytes.extend((gap as u16).to_le_bytes());
            put(&mut bytes, code, 0);
        }
        if a.sub != 0 {
            put(&mut bytes, SUB, a.sub as u16);
        }
        if a.channel != channel {
            put(&mut bytes, CHN, a.channel.into());
        }
        if a.num != num {
            put(&mut bytes, NUM, a.num as u16);
        }
        if !a.aux.is_empty() {
            put(&mut bytes, AUX, a.aux.len() as u16 + 1);
            bytes.extend(a.aux.as_bytes());
            // its NUL, and one more byte to fill a word
            bytes.resize(bytes.len() + 2 - a.aux.len() % 2, 0);
        }
        (last, channel, num) = (a.sample, a.channel, a.num);
    }
    put(&mut bytes, 0, 0);
    write_atomically(path, &bytes)
}

/// A word of a field code (6 bits) and a value (10 bits).
fn put(bytes: &mut Vec<u8>, code: u16, value: u16) {
    bytes.extend((code << 10 | value & 0x3ff).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::wfdb::{Header, read_annotations, read_signal};
    use proptest::prelude::*;

    fn record() -> RecordToWrite {
        let signal = |description: &str, gain, baseline, codes: [i16; 3]| SignalToWrite {
            description: description.into(),
            gain,
            baseline,
            codes: codes.into(),
        };
        RecordToWrite {
            name: "synth_1".into(),
            fs: 257.5,
            format: Format::F212,
            signals: vec![signal("II", 200.0, 0, [2047, -2048, 5]), signal("ECG lead V1", 0.1, -7, [-1, 0, 1])],
            comments: vec!["Dx: 426783006".into(), String::new(), "synthetic".into()],
        }
    }

    fn read(path: &Path) -> Vec<Annotation> {
        read_annotations(path, 1.0, 1.0).unwrap()
    }

    fn beat(sample: i64) -> Annotation {
        Annotation::new(sample, 1, "")
    }

    #[test]
    fn the_header_is_as_expected() {
        let dir = tempfile::tempdir().unwrap();
        write_record(dir.path(), &record()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("synth_1.hea")).unwrap();
        assert_eq!(
            text,
            "synth_1 2 257.5 3\nsynth_1.dat 212 200(0)/mV 12 0 2047 4 0 II\n\
             synth_1.dat 212 0.1(-7)/mV 12 0 -1 0 0 ECG lead V1\n# Dx: 426783006\n#\n# synthetic\n"
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_a_record_cannot_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        type Change = fn(&mut RecordToWrite);
        let cases: [(Change, &str); 15] = [
            (|r| r.name = "../x".into(), "named `../x`"),
            (|r| r.name.clear(), "named ``"),
            (|r| r.fs = f64::NAN, "sampling rate NaN"),
            (|r| r.format = Format::F80, "storage format 80"),
            (|r| r.signals.clear(), "0 signals"),
            (|r| r.signals = vec![r.signals[0].clone(); 1025], "1025 signals"),
            (|r| r.signals.iter_mut().for_each(|s| s.codes.clear()), "0 samples"),
            (|r| r.signals[1].codes.push(0), "4 samples, expected 3"),
            (|r| r.signals[1].codes[2] = 2048, "code 2048 at sample 2"),
            (|r| r.signals[0].gain = 0.0, "gain 0"),
            (|r| r.signals[0].gain = f64::INFINITY, "gain inf"),
            (|r| r.signals[0].description = "I\nI".into(), "printable ASCII"),
            (|r| r.signals[0].description.clear(), "no description"),
            (|r| r.comments.push("\u{b5}V".into()), "printable ASCII"),
            (|r| r.comments.push("x".repeat(253)), "255 characters"),
        ];
        for (change, part) in cases {
            let mut r = record();
            change(&mut r);
            let e = write_record(dir.path(), &r).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{part}: {e}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut r = record();
        (r.format, r.signals[1].codes[2]) = (Format::F16, 2048);
        r.comments.push("x".repeat(252));
        write_record(dir.path(), &r).unwrap();
    }

    #[test]
    fn annotations_are_as_expected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.atr");
        let rhythm = Annotation { code: 28, aux: "(AFIB".into(), ..beat(18) };
        let far = Annotation { sub: -1, channel: 2, num: 3, ..beat(18 + 1024) };
        write_annotations(&path, &[far.clone(), rhythm.clone()]).unwrap();
        let words = [0x7012_u16, 0xfc06, 0x4128, 0x4946, 0x0042, 0xec00, 0, 1024, 0x0400, 0xf7ff, 0xf802, 0xf003, 0];
        let expected: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        assert_eq!(read(&path), [rhythm, far]);
        write_annotations(&path, &[]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [0, 0]);
    }

    #[test]
    fn what_an_annotation_cannot_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.atr");
        let text = |text: &str| Annotation { aux: text.into(), ..beat(1) };
        let far = beat(i64::from(i32::MAX) + 1);
        for (list, part) in [
            (vec![Annotation { code: 0, ..beat(1) }], "code 0"),
            (vec![Annotation { code: 50, ..beat(1) }], "code 50"),
            (vec![beat(i64::MIN), beat(i64::MAX)], "expected 0 to 2147483647"),
            (vec![beat(1), beat(i64::MAX)], "expected 0 to 2147483647"),
            (vec![far.clone()], "2147483648 samples after"),
            (vec![text(" (N")], "text"),
            (vec![text("(N\0")], "text"),
            (vec![text(&"x".repeat(255))], "up to 254 bytes"),
        ] {
            let e = write_annotations(&path, &list).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{part}: {e}");
        }
        assert!(!path.exists());
        let good = [text(&"x".repeat(254)), far];
        write_annotations(&path, &good).unwrap();
        assert_eq!(read(&path), good);
    }

    fn annotations() -> impl Strategy<Value = Vec<Annotation>> {
        let sample = prop_oneof![0i64..3000, 0i64..(1 << 31)];
        let one = (sample, 1u8..50, any::<i8>(), any::<u8>(), any::<i8>(), "([!-~\u{e9}]([ -~]{0,9}[!-~])?)?");
        let one =
            one.prop_map(|(sample, code, sub, channel, num, aux)| Annotation { sample, code, sub, channel, num, aux });
        proptest::collection::vec(one, 0..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn records_come_back(wide in any::<bool>(), count in 1usize..4, all in proptest::collection::vec(any::<i16>(), 3..120), fs in 0.01f64..1e4,
                             gain in prop_oneof![-1e3f64..-0.1, 0.1f64..1e3, 1e-9f64..1e-6], baseline in -40_000i32..40_000) {
            let dir = tempfile::tempdir().unwrap();
            let format = if wide { Format::F16 } else { Format::F212 };
            let (n, narrow) = (all.len() / count, |c: &i16| c >> if wide { 0 } else { 4 });
            let signal = |(k, codes): (usize, &[i16])|
                SignalToWrite { description: format!("lead {k}"), gain, baseline, codes: codes.iter().map(narrow).collect() };
            let signals = all.chunks_exact(n).take(count).enumerate().map(signal).collect();
            let r = RecordToWrite { name: "a-1_B".into(), fs, format, signals, comments: vec!["a comment".into()] };
            write_record(&dir.path().join("new/folder"), &r).unwrap();
            let h = Header::read(&dir.path().join("new/folder/a-1_B.hea")).unwrap();
            prop_assert_eq!((h.fs, h.samples, h.signals.len(), &h.comments), (fs, Some(n), count, &r.comments));
            for (k, s) in r.signals.iter().enumerate() {
                prop_assert_eq!((h.signals[k].gain, h.signals[k].baseline, &h.signals[k].description), (gain, baseline, &s.description));
                let mv = read_signal(&h, k, true).unwrap().mv;
                prop_assert_eq!(mv.len(), n);
                for (&v, &c) in mv.iter().zip(&s.codes) {
                    let expected = (f64::from(c) - f64::from(baseline)) / gain;
                    let missing = Some(i32::from(c)) == format.missing();
                    prop_assert!(if missing { v.is_nan() } else { (v - expected).abs() <= 1e-12 * expected.abs() }, "{} {}", v, expected);
                }
            }
        }

        #[test]
        fn annotations_come_back(list in annotations()) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("r.atr");
            write_annotations(&path, &list).unwrap();
            let mut expected = list;
            // a comment at time 0 is about the file
            expected.retain(|a| (a.sample, a.code) != (0, 22));
            expected.sort_by_key(|a| a.sample);
            prop_assert_eq!(read(&path), expected);
        }
    }
}
