//! The lines of a WFDB header: of the record, of its signals, of its segments.

use super::header::{Header, Segment, SignalSpec};
use crate::error::{Error, Result};
use std::path::{Component, Path};

const MAX_SIGNALS: usize = 1024;
const MAX_SEGMENTS: usize = 1 << 16;
/// What stands for no file in the lines of signals and segments.
const NO_FILE: &str = "~";

/// A line with what is needed to complain about it.
pub(super) struct Line<'a> {
    pub path: &'a Path,
    pub number: usize,
    pub text: &'a str,
}

impl Line<'_> {
    pub fn error(&self, what: impl std::fmt::Display, hint: impl Into<String>) -> Error {
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

/// `name[/segments] signals [fs[/counter[(base)]] [samples [time [date]]]]`; time and date are not read. `rest` are
/// the lines that follow. Gives the header, but for what they say, and the number of segments of a record of several.
pub(super) fn record_line(line: &Line, rest: &[Line]) -> Result<(Header, Option<usize>)> {
    let mut fields = line.text.split_whitespace();
    let name = fields.next().unwrap_or_default();
    let count = fields.next().ok_or_else(|| {
        line.error("no number of signals, expected e.g. `100 2 360 650000`", "is this a WFDB header? fetch it again")
    })?;
    let count: usize = line.number(count, "the number of signals")?;
    if count == 0 || count > MAX_SIGNALS {
        let what = format!("{count} signals, expected 1 to {MAX_SIGNALS}");
        return Err(line.error(what, "correct the number of signals in the first line"));
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
    let (name, segments) = record_name(line, name, count, rest)?;
    let header = Header {
        path: line.path.to_path_buf(),
        name,
        fs,
        samples: (samples > 0).then_some(samples),
        signals: Vec::new(),
        segments: Vec::new(),
        comments: Vec::new(),
        announced: count,
    };
    Ok((header, segments))
}

/// The record's own name, and its number of segments where `name/3` means that. Some write the record's folder before
/// its name: `mitdb/100` is record 100 where one line for each signal follows, and all are of signals.
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
        let what = format!("{segments} segments, expected 1 to {MAX_SEGMENTS}");
        return Err(line.error(what, "correct the number of segments after the record's name"));
    }
    Ok((own(before.rsplit('/').next().unwrap_or(before)), Some(segments)))
}

/// `record frames`; `~` for a gap.
pub(super) fn segment_line(line: &Line) -> Result<Segment> {
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
pub(super) fn length_of_segments(line: &Line, header: &Header) -> Result<usize> {
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
pub(super) fn signal_line(line: &Line) -> Result<SignalSpec> {
    let (file, mut rest) = word(line.text);
    let file = match file {
        NO_FILE => file.to_string(),
        "-" => {
            return Err(
                line.error("the signals come from the standard input", "write them to a file, and name it here")
            );
        }
        path => below(line, path, "signal")?,
    };
    let mut field = || {
        let (text, after) = word(rest);
        rest = after;
        text
    };
    let (format, per_frame, skew, offset) = format_field(line, field())?;
    let (gain, baseline, units) = gain_field(line, field())?;
    optional::<u32>(line, field(), "the ADC resolution")?;
    let adc_zero = optional(line, field(), "the ADC zero")?.unwrap_or(0);
    let initial = optional(line, field(), "the initial value")?;
    // written signed or unsigned: only the low 16 bits count
    let checksum = optional::<i64>(line, field(), "the checksum")?.map(|c| c as i16);
    optional::<u32>(line, field(), "the block size")?;
    Ok(SignalSpec {
        file,
        format,
        per_frame,
        skew,
        offset,
        gain,
        baseline: baseline.unwrap_or(adc_zero),
        units,
        adc_zero,
        initial,
        checksum,
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
