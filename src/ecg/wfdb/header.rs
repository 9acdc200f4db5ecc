//! WFDB headers (`.hea`), after the format's manual page `header(5)`.

use super::lead::find_lead;
use super::read_limited;
use crate::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// The largest header that is read, in bytes.
const MAX_HEADER: u64 = 1 << 20;
/// The most signals a record may have.
const MAX_SIGNALS: usize = 1024;
/// The most segments a record may have.
const MAX_SEGMENTS: usize = 1 << 16;
/// What stands for no file in the lines of signals and segments.
const NO_FILE: &str = "~";

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
    /// Time of day of the first sample, as written.
    pub base_time: Option<String>,
    /// Date of the first sample, as written.
    pub base_date: Option<String>,
    /// The signals, in the order of the file. Of a record of several segments those of its layout, or of its first
    /// segment where all have the same; [`Header::parse`] alone does not know them.
    pub signals: Vec<SignalSpec>,
    /// The segments of a record that has several, one after the other in time; else empty.
    pub segments: Vec<Segment>,
    /// Comment lines without their `#` and surrounding blanks.
    pub comments: Vec<String>,
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
    /// ADC resolution in bits; 0 unknown.
    pub resolution: u32,
    /// Code of the middle of the ADC's range.
    pub adc_zero: i32,
    /// Code of the first sample, where given.
    pub initial: Option<i32>,
    /// 16-bit sum of all codes, where given.
    pub checksum: Option<i16>,
    /// Block size in bytes; 0 for plain files.
    pub block: u32,
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
    ///
    /// # Errors
    /// [`Error::File`] when it is missing, too large or not a header.
    pub fn read(path: &Path) -> Result<Self> {
        let (mut header, count) = Self::read_alone(path)?;
        if !header.segments.is_empty() {
            header.signals = header.signals_of_segments(count)?;
        }
        Ok(header)
    }

    /// The header of this one file, and the number of signals that it announces.
    pub(super) fn read_alone(path: &Path) -> Result<(Self, usize)> {
        let bytes = read_limited(path, MAX_HEADER, "WFDB header")?;
        Self::parse_counted(path, &String::from_utf8_lossy(&bytes))
    }

    /// Parses a header's text; `path` is for the messages and to find the signal files.
    ///
    /// # Errors
    /// [`Error::File`] naming the line, what was found and what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        Self::parse_counted(path, text).map(|(header, _)| header)
    }

    fn parse_counted(path: &Path, text: &str) -> Result<(Self, usize)> {
        let lines = text.lines().enumerate().map(|(i, l)| Line { path, number: i + 1, text: l.trim() });
        let (comments, lines): (Vec<_>, Vec<_>) =
            lines.filter(|line| !line.text.is_empty()).partition(|line| line.text.starts_with('#'));
        let Some((first, rest)) = lines.split_first() else {
            return Err(Error::file(
                path,
                "holds no record line, expected e.g. `100 2 360 650000`",
                "the header is empty or cut off: fetch it again",
            ));
        };
        let Record { mut header, signals: count, segments } = record_line(first, rest)?;
        let (announced, what) = segments.map_or((count, "signal"), |segments| (segments, "segment"));
        if let Some(line) = rest.get(announced) {
            return Err(line.error(
                format!("one more {what} line than the {announced} announced"),
                format!("correct the number of {what}s in the first line"),
            ));
        }
        if rest.len() < announced {
            return Err(Error::file(
                path,
                format!("announces {announced} {what}s but describes {}", rest.len()),
                "the header is cut off: fetch it again",
            ));
        }
        if segments.is_some() {
            header.segments = rest.iter().map(segment_line).collect::<Result<_>>()?;
            header.samples = Some(length_of_segments(first, &header)?);
        } else {
            header.signals = rest.iter().map(signal_line).collect::<Result<_>>()?;
        }
        header.comments = comments.iter().map(|line| line.text[1..].trim().to_string()).collect();
        Ok((header, count))
    }

    /// Samples per second of signal `index` in Hz: a frame may hold several of them.
    pub fn rate(&self, index: usize) -> f64 {
        self.fs * self.signals.get(index).map_or(1.0, |s| s.per_frame as f64)
    }

    /// Index of a lead by name, after [`find_lead`].
    pub fn lead(&self, name: &str) -> Option<usize> {
        find_lead(self.signals.iter().map(|s| s.description.as_str()), name)
    }

    /// Lead names, for messages.
    pub fn lead_names(&self) -> String {
        self.signals.iter().map(|s| s.description.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// A file below the header's folder.
    pub(super) fn path_below(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }
}

/// A line with what is needed to complain about it.
struct Line<'a> {
    path: &'a Path,
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn error(&self, what: impl std::fmt::Display, hint: impl Into<String>) -> Error {
        let shown: String = self.text.chars().take(80).collect();
        Error::file(self.path, format!("line {}: {what}, in `{shown}`", self.number), hint)
    }

    fn number<T: std::str::FromStr>(&self, text: &str, what: &str) -> Result<T> {
        text.parse().map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            self.error(format!("{what} is `{shown}`, expected a number"), "correct the header or fetch it again")
        })
    }
}

/// What a record line says.
struct Record {
    header: Header,
    signals: usize,
    segments: Option<usize>,
}

/// `name[/segments] signals [fs[/counter[(base)]] [samples [time [date]]]]`; time and date in either order. `rest` are
/// the lines that follow.
fn record_line(line: &Line, rest: &[Line]) -> Result<Record> {
    let mut fields = line.text.split_whitespace();
    let name = fields.next().unwrap_or_default();
    let count = fields.next().ok_or_else(|| {
        line.error("no number of signals, expected e.g. `100 2 360 650000`", "is this a WFDB header? fetch it again")
    })?;
    let count: usize = line.number(count, "the number of signals")?;
    if count == 0 || count > MAX_SIGNALS {
        return Err(line.error(
            format!("{count} signals, expected 1 to {MAX_SIGNALS}"),
            "correct the number of signals in the first line",
        ));
    }
    let fs = match fields.next() {
        // the counter frequency after the slash is of no use here
        Some(text) => line.number(text.split(['/', '(']).next().unwrap_or(text), "the sampling rate")?,
        None => 250.0,
    };
    if !(0.01..=1e7).contains(&fs) {
        return Err(line.error(format!("sampling rate {fs} Hz, expected 0.01 to 10000000"), "correct the header"));
    }
    let samples: usize = fields.next().map_or(Ok(0), |t| line.number(t, "the number of samples"))?;
    let (mut base_time, mut base_date) = (None, None);
    for field in fields {
        // 20:21:26 and 20:21:26.5 are times; 23-Mar-2021, 2014-05-08 and 17/04/1995 are dates
        let slot = if field.contains(':') { &mut base_time } else { &mut base_date };
        slot.get_or_insert_with(|| field.to_string());
    }
    let (name, segments) = record_name(line, name, count, rest)?;
    let header = Header {
        path: line.path.to_path_buf(),
        name,
        fs,
        samples: (samples > 0).then_some(samples),
        base_time,
        base_date,
        signals: Vec::new(),
        segments: Vec::new(),
        comments: Vec::new(),
    };
    Ok(Record { header, signals: count, segments })
}

/// The record's own name, and its number of segments where `name/3` means that. Some write the record's folder before
/// its name: `mitdb/100` is record 100 where as many lines as there are signals follow, and all are of signals.
fn record_name(line: &Line, text: &str, signals: usize, rest: &[Line]) -> Result<(String, Option<usize>)> {
    let own = |name: &str| name.strip_suffix(".mat").unwrap_or(name).to_string();
    let Some((before, last)) = text.rsplit_once('/') else { return Ok((own(text), None)) };
    if last.is_empty() || !last.bytes().all(|b| b.is_ascii_digit()) {
        return Ok((own(last), None));
    }
    let segments: usize = line.number(last, "the number of segments")?;
    let named_so = line.path.file_stem().is_some_and(|stem| stem == last);
    // a segment's line has two fields, the first a record's name without an extension
    let of_signal = |line: &Line| line.text.split_whitespace().count() > 2 || word(line.text).0.contains('.');
    let of_signals = rest.len() == signals && rest.iter().all(of_signal);
    if of_signals && (rest.len() != segments || named_so && !before.ends_with(last)) {
        return Ok((own(last), None));
    }
    if segments == 0 || segments > MAX_SEGMENTS {
        return Err(line.error(
            format!("{segments} segments, expected 1 to {MAX_SEGMENTS}"),
            "correct the number of segments after the record's name",
        ));
    }
    Ok((own(before.rsplit('/').next().unwrap_or(before)), Some(segments)))
}

/// `record frames`; `~` for a gap.
fn segment_line(line: &Line) -> Result<Segment> {
    let mut fields = line.text.split_whitespace();
    let name = fields.next().unwrap_or_default();
    let frames = fields.next().ok_or_else(|| {
        line.error("no length of the segment, expected e.g. `100_1 5000`", "correct the header or fetch it again")
    })?;
    let frames = line.number(frames, "the length of the segment")?;
    let record = (name != NO_FILE).then(|| below(line, name, "segment")).transpose()?;
    Ok(Segment { record, frames })
}

/// Frames of all segments, which the record line has to agree with.
fn length_of_segments(line: &Line, header: &Header) -> Result<usize> {
    let sum = header.segments.iter().try_fold(0_usize, |sum, s| sum.checked_add(s.frames));
    sum.filter(|sum| header.samples.is_none_or(|n| n == *sum)).ok_or_else(|| {
        let shown = |n: Option<usize>| n.map_or("too many".to_string(), |n| n.to_string());
        line.error(
            format!("{} samples, but the segments have {} together", shown(header.samples), shown(sum)),
            "correct the number of samples in the first line, or fetch the header again",
        )
    })
}

/// A path in a header, which leads to a file below the header's folder and nowhere else: `./s.dat`, `sub/s.dat`.
fn below(line: &Line, text: &str, what: &str) -> Result<String> {
    let mut parts: Vec<&str> = Vec::new();
    let mut inside = true;
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) => parts.extend(part.to_str()),
            Component::CurDir => {}
            Component::ParentDir => inside &= parts.pop().is_some(),
            Component::RootDir | Component::Prefix(_) => inside = false,
        }
    }
    if !inside || parts.is_empty() {
        return Err(line.error(
            format!("the {what} file `{text}` is not below the header's folder"),
            format!("put the {what} file beside the header and name it there: a header must not lead to other files"),
        ));
    }
    Ok(parts.join("/"))
}

/// `file format [gain [resolution [zero [initial [checksum [block [description]]]]]]]`.
fn signal_line(line: &Line) -> Result<SignalSpec> {
    let (file, rest) = word(line.text);
    let file = match file {
        NO_FILE => file.to_string(),
        "-" => {
            return Err(
                line.error("the signals come from the standard input", "write them to a file, and name it here")
            );
        }
        path => below(line, path, "signal")?,
    };
    let (text, rest) = word(rest);
    let (format, per_frame, skew, offset) = format_field(line, text)?;
    let (text, rest) = word(rest);
    let (gain, baseline, units) = gain_field(line, text)?;
    let (text, rest) = word(rest);
    let resolution = optional(line, text, "the ADC resolution")?.unwrap_or(0);
    let (text, rest) = word(rest);
    let adc_zero = optional(line, text, "the ADC zero")?.unwrap_or(0);
    let (text, rest) = word(rest);
    let initial = optional(line, text, "the initial value")?;
    let (text, rest) = word(rest);
    // written signed or unsigned: only the low 16 bits count
    let checksum = optional::<i64>(line, text, "the checksum")?.map(|c| c as i16);
    let (text, rest) = word(rest);
    let block = optional(line, text, "the block size")?.unwrap_or(0);
    Ok(SignalSpec {
        file,
        format,
        per_frame,
        skew,
        offset,
        gain,
        baseline: baseline.unwrap_or(adc_zero),
        units,
        resolution,
        adc_zero,
        initial,
        checksum,
        block,
        description: rest.trim().to_string(),
    })
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

fn optional<T: std::str::FromStr>(line: &Line, text: &str, what: &str) -> Result<Option<T>> {
    if text.is_empty() { Ok(None) } else { line.number(text, what).map(Some) }
}

/// `16`, `212`, `16x2`, `212:3`, `16+24`, `16x1:0+24`.
fn format_field(line: &Line, text: &str) -> Result<(u32, usize, usize, u64)> {
    if text.is_empty() {
        return Err(line.error("no storage format, expected e.g. 16 or 212", "the line is cut off: fetch it again"));
    }
    let (text, offset) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
    let (text, skew) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
    let (text, per_frame) = text.split_once('x').map_or((text, None), |(a, b)| (a, Some(b)));
    let format = line.number(text, "the storage format")?;
    let per_frame = per_frame.map_or(Ok(1), |t| line.number(t, "the samples per frame"))?;
    if per_frame == 0 || per_frame > 10_000 {
        return Err(line.error(format!("{per_frame} samples per frame, expected 1 to 10000"), "correct the header"));
    }
    let skew = skew.map_or(Ok(0), |t| line.number(t, "the skew"))?;
    let offset = offset.map_or(Ok(0), |t| line.number(t, "the byte offset"))?;
    Ok((format, per_frame, skew, offset))
}

/// `200`, `1000/mV`, `200(1024)/mV`; a gain of 0 or none means 200 per mV.
fn gain_field(line: &Line, text: &str) -> Result<(f64, Option<i32>, String)> {
    let (text, units) = text.split_once('/').unwrap_or((text, ""));
    let (gain, baseline) = match text.split_once('(') {
        Some((gain, rest)) => {
            let inner = rest.strip_suffix(')').ok_or_else(|| {
                line.error("the gain has no closing bracket, expected e.g. 200(1024)/mV", "correct the header")
            })?;
            (gain, Some(line.number::<i32>(inner, "the baseline")?))
        }
        None => (text, None),
    };
    let gain: f64 = if gain.is_empty() { 0.0 } else { line.number(gain, "the gain")? };
    let gain = if gain == 0.0 { 200.0 } else { gain };
    // evoked potentials are published with 6.8e-14 codes per V
    if !(1e-30..=1e30).contains(&gain.abs()) {
        return Err(line.error(format!("gain {gain}, expected 1e-30 to 1e30 codes per unit"), "correct the header"));
    }
    Ok((gain, baseline, if units.is_empty() { "mV".into() } else { units.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!((h.base_time.as_deref(), h.base_date.as_deref()), (Some("0:0:0"), Some("1/2/1990")));
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
        assert_eq!((h.base_time.as_deref(), h.base_date.as_deref()), (Some("14:50:55"), Some("05-May-2020")));
        assert_eq!(h.signals[0].millivolts(), Some(1.0));
        let h = parse("A1 1 300 9000 2014-05-08 05:05:15 \nA1.mat 16+24 1000/uV 16 0 -127 0 0 ECG \n").unwrap();
        assert_eq!(h.base_date.as_deref(), Some("2014-05-08"));
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

    proptest! {
        #[test]
        fn never_panics(cuts in proptest::collection::vec((0usize..200, any::<char>()), 0..8), junk in ".{0,40}") {
            let good = "100 2 360/1 650000 0:0:0 1/2/1990\n100.dat 212x1:0+24 200(1024)/mV 11 1000 995 -22131 0 MLII\n100.dat 16\n#Dx: 1\n";
            let mut chars: Vec<char> = good.chars().collect();
            for (at, c) in cuts {
                let n = chars.len();
                chars[at % n] = c;
            }
            let text: String = chars.into_iter().collect();
            let _ = parse(&text);
            let _ = parse(&junk);
            let _ = parse(&format!("r 1\n{junk}\n"));
        }
    }
}
