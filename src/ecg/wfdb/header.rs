//! WFDB headers (`.hea`), after the format's manual page `header(5)`.

use super::lead::{find_lead, substitute};
use super::lines::{Line, length_of_segments, record_line, segment_line, signal_line};
use super::read_limited;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The largest header that is read, in bytes.
const MAX_HEADER: u64 = 1 << 20;

/// A record's header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The header file.
    pub path: PathBuf,
    /// Record name, without its folder and a `.mat` that some published headers carry.
    pub name: String,
    /// Frames per second in Hz; 250 where the header gives none. The rate of a signal is [`Header::rate`].
    pub fs: f64,
    /// Frames of the record; `None` where the header gives none or 0, then the file's size decides.
    pub samples: Option<usize>,
    /// The signals, in the order of the file. Of a record of several segments those of its layout, or of its first
    /// segment where all have the same; [`Header::parse`] alone does not know them.
    pub signals: Vec<SignalSpec>,
    /// The segments of a record that has several, one after the other in time; else empty.
    pub segments: Vec<Segment>,
    /// Comment lines without their `#` and surrounding blanks.
    pub comments: Vec<String>,
    /// Signals that the record line announces.
    pub(super) announced: usize,
}

/// One segment line of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Record of the segment, below the header's folder; `None` for a gap, whose samples are missing.
    pub record: Option<String>,
    /// Its length in frames; 0 for the layout that may come first.
    pub frames: usize,
}

/// One signal line of a header.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalSpec {
    /// Signal file, relative to the header's folder; `~` for none, in a layout.
    pub file: String,
    /// Number of the storage format; those of [`Format`](super::Format) can be read.
    pub format: u32,
    /// Samples of this signal in a frame, at least 1.
    pub per_frame: usize,
    /// Frames by which this signal lags behind the others.
    pub skew: usize,
    /// Bytes before the first sample.
    pub offset: u64,
    /// Codes per unit; never 0 (0 in the file means 200).
    pub gain: f64,
    /// Code of 0 units.
    pub baseline: i32,
    /// Units as written, `mV` by default.
    pub units: String,
    /// Code of the middle of the ADC's range.
    pub adc_zero: i32,
    /// Code of the first sample, where given.
    pub initial: Option<i32>,
    /// 16-bit sum of all codes, where given.
    pub checksum: Option<i16>,
    /// What the signal is: the lead's name.
    pub description: String,
}

impl SignalSpec {
    /// Millivolts in one of the signal's units; `None` where the unit is no voltage.
    pub fn millivolts(&self) -> Option<f64> {
        // U+FFFD stands for a micro sign in a header that is not UTF-8
        match self.units.to_lowercase().as_str() {
            "mv" => Some(1.0),
            "uv" | "\u{b5}v" | "\u{3bc}v" | "\u{fffd}v" => Some(1e-3),
            "nv" => Some(1e-6),
            "v" => Some(1e3),
            _ => None,
        }
    }
}

impl Header {
    /// Reads and parses a header file, and the signals of a record of several segments from its first segment's
    /// header. Text that is not UTF-8 is allowed (old comments).
    pub fn read(path: &Path) -> Result<Self> {
        let mut header = Self::read_alone(path)?;
        if !header.segments.is_empty() {
            header.signals = header.signals_of_segments()?;
        }
        Ok(header)
    }

    /// The header of this one file.
    pub(super) fn read_alone(path: &Path) -> Result<Self> {
        let bytes = read_limited(path, MAX_HEADER, "WFDB header")?;
        Self::parse(path, &String::from_utf8_lossy(&bytes))
    }

    /// Parses a header's text; `path` is for the messages and to find the signal files.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let lines = text.lines().enumerate().map(|(i, l)| Line { path, number: i + 1, text: l.trim() });
        let (comments, lines): (Vec<_>, Vec<_>) =
            lines.filter(|line| !line.text.is_empty()).partition(|line| line.text.starts_with('#'));
        let Some((first, rest)) = lines.split_first() else {
            let what = "holds no record line, expected e.g. `100 2 360 650000`";
            return Err(Error::file(path, what, "the header is empty or cut off: fetch it again"));
        };
        let (mut header, segments) = record_line(first, rest)?;
        let (announced, what) = segments.map_or((header.announced, "signal"), |segments| (segments, "segment"));
        if let Some(line) = rest.get(announced) {
            return Err(line.error(
                format!("one more {what} line than the {announced} announced"),
                format!("correct the number of {what}s in the first line"),
            ));
        }
        if rest.len() < announced {
            let what = format!("announces {announced} {what}s but describes {}", rest.len());
            return Err(Error::file(path, what, "the header is cut off: fetch it again"));
        }
        if segments.is_some() {
            header.segments = rest.iter().map(segment_line).collect::<Result<_>>()?;
            header.samples = Some(length_of_segments(first, &header)?);
        } else {
            header.signals = rest.iter().map(signal_line).collect::<Result<_>>()?;
        }
        header.comments = comments.iter().map(|line| line.text[1..].trim().to_string()).collect();
        Ok(header)
    }

    /// Samples per second of signal `index` in Hz: a frame may hold several of them.
    pub fn rate(&self, index: usize) -> f64 {
        self.fs * self.signals.get(index).map_or(1.0, |s| s.per_frame as f64)
    }

    /// Index of a lead by name, after [`find_lead`].
    pub fn lead(&self, name: &str) -> Option<usize> {
        find_lead(self.signals.iter().map(|s| s.description.as_str()), name)
    }

    /// The signal to read where the lead asked for is not there: the first that is an ECG.
    pub(crate) fn substitute(&self) -> usize {
        substitute(self.signals.iter().map(|s| (s.description.as_str(), s.millivolts().is_some())))
    }

    /// What signal `index` is called: its description, or its number where that is empty.
    pub(crate) fn signal_name(&self, index: usize) -> String {
        let description = self.signals.get(index).map_or("", |s| s.description.as_str());
        if description.is_empty() { format!("signal {}", index + 1) } else { description.to_string() }
    }

    /// What is said of a lead that is not there.
    pub(crate) fn no_lead(&self, name: &str) -> String {
        let names: Vec<&str> = self.signals.iter().map(|s| s.description.as_str()).collect();
        format!("no lead {name}, found {}", names.join(", "))
    }

    /// A file below the header's folder. Some headers name it by its path in the whole database (PTB-XL+): where there
    /// is no such path, it is the file of that name beside the header.
    pub(super) fn path_below(&self, file: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let named = folder.join(file);
        let beside = file.rsplit_once('/').map(|(_, name)| folder.join(name));
        match beside {
            Some(beside) if !named.exists() && beside.is_file() => beside,
            _ => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Header> {
        Header::parse(Path::new("dir/x.hea"), text)
    }

    #[test]
    fn reads_full_and_short_lines() {
        let h = parse(
            "# before\r\n100 2 360/720(5) 650000 0:0:0 1/2/1990\r\n100.dat 212 200(1024)/mV 11 1000 995 -22131 0 MLII\r\n\
             100.dat 212x2:3+8 0 11 1024 1011 20052 0 lead with  blanks \r\n# Dx: 1,2\r\n#Age: 4\r\n",
        )
        .unwrap();
        assert_eq!((h.fs, h.samples), (360.0, Some(650_000)));
        assert_eq!(h.comments, ["before", "Dx: 1,2", "Age: 4"]);
        let s = &h.signals[0];
        assert_eq!((s.baseline, s.adc_zero, s.initial, s.checksum), (1024, 1000, Some(995), Some(-22131)));
        let s = &h.signals[1];
        assert_eq!((s.format, s.per_frame, s.skew, s.offset), (212, 2, 3, 8));
        assert_eq!((s.gain, s.baseline, s.units.as_str()), (200.0, 1024, "mV"));
        assert_eq!(s.description, "lead with  blanks");
        assert_eq!((h.lead("ii"), h.lead("LEAD WITH  BLANKS"), h.lead("V1")), (Some(0), Some(1), None));

        let h = parse("r 1\nr.dat 16\n").unwrap();
        assert_eq!((h.fs, h.samples, h.signals[0].gain), (250.0, None, 200.0));
        assert_eq!(h.signals[0].checksum, None);
    }

    #[test]
    fn reads_the_oddities_of_published_files() {
        let h = parse("E00001.mat 1 500 5000 05-May-2020 14:50:55\nE00001.mat 16x1+24 1000.0(0)/mv 16 0 -4 2 0 I\n")
            .unwrap();
        assert_eq!((h.name.as_str(), h.signals[0].offset, h.signals[0].per_frame), ("E00001", 24, 1));
        assert_eq!(h.signals[0].millivolts(), Some(1.0));
        let h = parse("A1 1 300 9000 2014-05-08 05:05:15 \nA1.mat 16+24 1000/uV 16 0 -127 0 0 ECG \n").unwrap();
        assert_eq!((h.signals[0].millivolts(), h.lead("ecg")), (Some(1e-3), Some(0)));
        let h = parse("m 2 250 10\nm.dat 16 5/mmHg 0 0 0 0 0 ABP\nm.dat 16 200/V 0 0 0 65535 0 ECG II\n").unwrap();
        assert_eq!((h.signals[0].millivolts(), h.signals[1].millivolts()), (None, Some(1e3)));
        assert_eq!((h.lead("II"), h.signals[1].checksum), (Some(1), Some(-1)));
    }

    #[test]
    fn paths_and_segments() {
        let name = |path: &str, text: &str| {
            let h = Header::parse(Path::new(path), text).unwrap();
            (h.name, h.segments.len(), h.signals.len())
        };
        let one = "100.dat 16\n";
        assert_eq!(name("100.hea", &format!("mitdb/100 1 360 10\n{one}")), ("100".into(), 0, 1));
        assert_eq!(name("r.hea", &format!("./a/rec 1 360 10\n{one}")), ("rec".into(), 0, 1));
        assert_eq!(name("E1.hea", &format!("a/E1.mat 1 360 10\n{one}")), ("E1".into(), 0, 1));
        assert_eq!(name("2.hea", "set/2 2 360 10\n100.dat 16\n100.dat 16\n"), ("2".into(), 0, 2));
        assert_eq!(name("r.hea", "r/2 2 360 10\na 6\nb 4\n"), ("r".into(), 2, 0));
        assert_eq!(name("2.hea", "2/2 2 360 10\na 6\nb 4\n"), ("2".into(), 2, 0));
        assert_eq!(name("r.hea", "dir/r/3 4 360\nlayout 0\n~ 5\nsub/b 4\n"), ("r".into(), 3, 0));
        let h = parse("r/3 4 360\nlayout 0\n~ 5\nsub/./b 4\n").unwrap();
        let segments: Vec<_> = h.segments.iter().map(|s| (s.record.as_deref(), s.frames)).collect();
        assert_eq!(segments, [(Some("layout"), 0), (None, 5), (Some("sub/b"), 4)]);
        assert_eq!(h.samples, Some(9));
        let h = parse("r 3 360 10\n./a.dat 16\nsub/b.dat 16x3\nsub/../c.dat 16\n").unwrap();
        assert_eq!(h.signals.iter().map(|s| s.file.as_str()).collect::<Vec<_>>(), ["a.dat", "sub/b.dat", "c.dat"]);
        assert_eq!((h.rate(0), h.rate(1)), (360.0, 1080.0));
    }

    #[test]
    fn complains_with_the_line() {
        for (text, part) in [
            ("", "no record line"),
            ("# only comments\n", "no record line"),
            ("100\n", "number of signals"),
            ("100/3 2 360\n", "announces 3 segments but describes 0"),
            ("100/2 2 360 10\na 5\nb 4\n", "10 samples, but the segments have 9"),
            ("100/1 2 360\na\n", "no length of the segment"),
            ("100/1 2 360\na 5\nb 4\n", "one more segment"),
            ("100/0 2 360\n", "0 segments"),
            ("100/99999 2 360\n", "99999 segments"),
            ("100/2 2 360\na 18446744073709551615\nb 4\n", "too many together"),
            ("100/1 2 360\n../a 5\n", "not below"),
            ("100 x 360\n", "number of signals is `x`"),
            ("100 99999999999 360\n", "signals"),
            ("100 2 NaN\n", "sampling rate"),
            ("100 2 -1\n", "sampling rate"),
            ("100 1 360 -7\n", "number of samples"),
            ("100 2 360 10\na.dat 16\n", "announces 2"),
            ("100 1 360 10\na.dat 16\nb.dat 16\n", "one more"),
            ("100 1 360 10\n../a.dat 16\n", "not below"),
            ("100 1 360 10\nsub/../../a.dat 16\n", "not below"),
            ("100 1 360 10\n. 16\n", "not below"),
            ("100 1 360 10\n/etc/a.dat 16\n", "not below"),
            ("100 1 360 10\n- 16\n", "standard input"),
            ("100 1 360 10\na.dat\n", "storage format"),
            ("100 1 360 10\na.dat 16x0\n", "per frame"),
            ("100 1 360 10\na.dat 16+-4\n", "byte offset"),
            ("100 1 360 10\na.dat 16 200(3/mV\n", "closing bracket"),
            ("100 1 360 10\na.dat 16 inf\n", "gain"),
            ("100 1 360 10\na.dat 16 200 q\n", "ADC resolution"),
        ] {
            let e = parse(text).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT") && e.contains("x.hea"), "{text:?}: {e}");
        }
    }
}
