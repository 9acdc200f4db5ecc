//! From a recording to the network's input: one description of it, which data sets, prepared files and models carry,
//! and one way to follow it, for the strips of a data set as for the single strips of `predict` and `explain`.

use super::labels::Scheme;
use super::rpeaks::{self, Detector};
use super::wfdb::same_lead;
use super::zscore::{FLOOR, mean_and_sd};
use super::{options, resample};
use crate::error::{Error, Result};
use std::fmt;

/// How recordings become the network's input, and which classes they are sorted into.
///
/// Two strips of one recording that were made with equal values are equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Name of the class scheme, see [`Scheme::by_name`]. (Of a file that does not say it and whose classes are none
    /// of a scheme's: `unknown`.)
    pub scheme: String,
    /// Sampling rate of the strips, Hz.
    pub fs: f64,
    /// Length of the strips, s.
    pub seconds: f64,
    /// The lead asked for.
    pub lead: String,
    /// Strips are cleaned with [`rpeaks::clean`] after resampling.
    pub clean: bool,
    /// Frequency of the mains, Hz: what cleaning averages out.
    pub mains: f64,
    /// Finds the R peaks where no expert did: those of features, guidance targets and figures.
    pub detector: Detector,
}

/// A setting in which two descriptions differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The setting's name in files and messages, see [`Preprocessing::metadata`].
    pub key: &'static str,
    /// What is wanted.
    pub wanted: String,
    /// What was found.
    pub found: String,
}

impl Difference {
    /// The option of `exgnet prepare` that asks for what is wanted.
    pub fn option(&self) -> String {
        match self.key {
            "scheme" => format!("--classes {}", self.wanted),
            "clean" => format!("--clean {}", if self.wanted == "true" { "on" } else { "off" }),
            key => format!("--{key} {}", shell_word(&self.wanted)),
        }
    }

    /// The setting's key in the `[data]` table of an experiment.
    pub fn data_key(&self) -> &'static str {
        if self.key == "scheme" { "classes" } else { self.key }
    }
}

/// A value as one word of a command line.
fn shell_word(value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("'{value}'") } else { value.to_string() }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.key, self.wanted, self.found)
    }
}

/// Why a recording gives no strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What was found, and what was expected.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl Unusable {
    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

impl From<Unusable> for String {
    fn from(unusable: Unusable) -> Self {
        unusable.what
    }
}

impl From<Error> for Unusable {
    fn from(e: Error) -> Self {
        Self::new(super::sources::one_line(&e), "check the sampling rate and the length")
    }
}

const FLAT: &str = "check the electrode or the lead; a flat line has no rhythm";

fn check_present(x: &[f64]) -> Result<(), Unusable> {
    x.iter().position(|v| !v.is_finite()).map_or(Ok(()), |i| {
        Err(Unusable::new(format!("missing sample (first at {i})"), "cut out a stretch without gaps"))
    })
}

fn check_changing(x: &[f64]) -> Result<(), Unusable> {
    if is_flat(x) { Err(Unusable::new("flat line", FLAT)) } else { Ok(()) }
}

/// A strip of the data set's rate and length, cleaned if it is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The samples, not z-scored.
    pub signal: Vec<f32>,
    /// R peaks in samples, ascending.
    pub r_peaks: Vec<u32>,
    /// True where the R peaks are an expert's.
    pub expert_beats: bool,
}

impl Preprocessing {
    /// Samples of a strip.
    pub fn samples(&self) -> usize {
        options::strip_samples(self.fs, self.seconds)
    }

    /// Checks rate, length, lead, mains and class scheme.
    pub fn check(&self) -> Result<&'static Scheme> {
        self.check_signal()?;
        Scheme::by_name(&self.scheme)
    }

    /// [`Preprocessing::check`] but for the scheme.
    fn check_signal(&self) -> Result<()> {
        options::check_rate_and_length(self.fs, self.seconds)?;
        if self.lead.trim().is_empty() {
            return Err(Error::config("the lead name is empty", "name a lead such as II, V1 or MLII"));
        }
        options::check_range("mains", self.mains, 40.0..=70.0, " Hz", "give 50, or 60 in America")
    }

    /// The settings in which `found` differs from this, the one that is wanted. The frequency of the mains matters
    /// only to strips that are cleaned.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        let cleaned = self.clean && found.clean;
        let same_lead = same_lead(&found.lead, &self.lead);
        let all = self.metadata().into_iter().zip(found.metadata());
        all.filter(|((key, wanted), (_, found))| match *key {
            "lead" => !same_lead,
            "mains" => cleaned && wanted != found,
            _ => wanted != found,
        })
        .map(|((key, wanted), (_, found))| Difference { key, wanted, found })
        .collect()
    }

    /// The settings as text by name, as prepared files, model files and ONNX files hold them.
    pub fn metadata(&self) -> [(&'static str, String); 7] {
        [
            ("scheme", self.scheme.clone()),
            ("fs", self.fs.to_string()),
            ("seconds", self.seconds.to_string()),
            ("lead", self.lead.clone()),
            ("clean", self.clean.to_string()),
            ("mains", self.mains.to_string()),
            ("detector", self.detector.name().to_string()),
        ]
    }

    /// Reads [`Preprocessing::metadata`] back; `text` gives the value of a key. Files of earlier versions lack some:
    /// `scheme` is then the first whose classes `classes` may be, `clean` false, `mains` 50, `detector` gradient. Also
    /// gives the keys that were not there.
    ///
    /// # Errors
    /// What is wrong, in words: `fs`, `seconds` or `lead` is missing, or a value makes no sense.
    pub fn from_metadata<'a>(
        text: impl Fn(&str) -> Option<&'a str>,
        classes: &[String],
    ) -> Result<(Self, Vec<&'static str>), String> {
        let need = |key: &str| text(key).ok_or_else(|| format!("its metadata has no `{key}`"));
        let wrong = |key: &str, found: &str, expected: &str| {
            format!("`{key}` in its metadata is `{found}`, expected {expected}")
        };
        let number = |key: &str, found: &str| found.parse::<f64>().map_err(|_| wrong(key, found, "a number"));
        let mut missing = Vec::new();
        let mut later = |key: &'static str| {
            text(key).or_else(|| {
                missing.push(key);
                None
            })
        };
        let read = Self {
            fs: number("fs", need("fs")?)?,
            seconds: number("seconds", need("seconds")?)?,
            lead: need("lead")?.to_string(),
            scheme: later("scheme").unwrap_or_else(|| Scheme::of_classes(classes).map_or("unknown", |s| s.name)).into(),
            clean: later("clean").map_or(Ok(false), |v| v.parse().map_err(|_| wrong("clean", v, "true or false")))?,
            mains: later("mains").map_or(Ok(50.0), |v| number("mains", v))?,
            detector: later("detector").map_or(Ok(Detector::default()), |v| {
                v.parse().map_err(|_| wrong("detector", v, "gradient or adaptive"))
            })?,
        };
        read.check_signal().map_err(|e| super::sources::one_line(&e))?;
        Ok((read, missing))
    }

    /// The first strip of a recording that is one strip, or little more: `x` at `fs` Hz in any unit, brought to the
    /// strips' rate and length. Half a second beyond the strip is used where it is there, so that the resampling
    /// filter does not meet the end. Not cleaned yet, see [`Preprocessing::finish`].
    ///
    /// # Errors
    /// Missing samples, a flat line, too few samples, rates that cannot be brought together.
    pub fn first_strip(&self, mut x: Vec<f64>, fs: f64) -> Result<Vec<f64>, Unusable> {
        let seconds = self.seconds;
        let found = x.len();
        // half a second more keeps the resampling filter's edge out of the strip
        x.truncate(((seconds + 0.5) * fs).ceil() as usize);
        check_present(&x[..x.len().min((seconds * fs).ceil() as usize)])?;
        x.truncate(x.iter().position(|v| !v.is_finite()).unwrap_or(x.len()));
        if x.is_empty() {
            return Err(Unusable::new("holds no sample", "give a strip of the model's length"));
        }
        check_changing(&x[..x.len().min(options::strip_samples(fs, seconds))])?;
        let mut x = resample::resample_centred(x, fs, self.fs)?;
        if x.len() < self.samples() {
            return Err(too_short(found, fs, seconds));
        }
        x.truncate(self.samples());
        Ok(x)
    }

    /// What a strip of the right rate and length becomes: cleaned if it is to be, with its R peaks (`beats` where an
    /// expert marked them, else the detector's), in f32. An offset beside which f32 could not hold the signal is taken out.
    ///
    /// # Errors
    /// Samples that are not finite, a flat line, a strip too short to clean.
    pub fn finish(&self, mut x: Vec<f64>, beats: Option<Vec<u32>>) -> Result<Finished, Unusable> {
        check_present(&x)?;
        check_changing(&x)?;
        // detection needs a clean signal, whether the strip is to be one or not
        let clean = (self.clean || beats.is_none()).then(|| rpeaks::clean(&x, self.fs, self.mains));
        let expert_beats = beats.is_some();
        let r_peaks = match (beats, &clean) {
            (Some(beats), _) => beats,
            (None, Some(Ok(clean))) => self.detector.r_peaks(clean, self.fs),
            (None, _) => Vec::new(),
        };
        if self.clean
            && let Some(clean) = clean
        {
            x = clean?;
        }
        Ok(Finished { signal: in_f32(&x)?, r_peaks, expert_beats })
    }
}

/// An offset of more standard deviations than this is taken out before a strip is stored: f32 keeps seven digits, and the
/// signal needs four of them.
const LARGEST_OFFSET: f64 = 1e3;

/// A strip as it is stored, without an offset that f32 could not hold the signal beside.
fn in_f32(x: &[f64]) -> Result<Vec<f32>, Unusable> {
    let (mean, sd) = mean_and_sd(x.iter().copied());
    if sd <= FLOOR * mean.abs() {
        return Err(Unusable::new("flat line, but for rounding", FLAT));
    }
    let offset = if mean.abs() > LARGEST_OFFSET * sd { mean } else { 0.0 };
    let signal: Vec<f32> = x.iter().map(|&v| (v - offset) as f32).collect();
    if signal.iter().any(|v| !v.is_finite()) {
        return Err(Unusable::new("values beyond the range of f32", "give the signal in mV"));
    }
    if is_flat(&signal) {
        return Err(Unusable::new("flat line in the precision of f32", "give the signal in mV"));
    }
    Ok(signal)
}

fn too_short(found: usize, fs: f64, seconds: f64) -> Unusable {
    let needed = options::strip_samples(fs, seconds);
    let have = found as f64 / fs;
    Unusable::new(
        format!("too short: {found} samples at {fs} Hz are {have:.2} s, expected {seconds} s ({needed} samples)"),
        "give a longer strip, or the right sampling rate",
    )
}

/// True where a signal never changes.
pub(crate) fn is_flat<T: PartialEq>(x: &[T]) -> bool {
    x.windows(2).all(|w| w[0] == w[1])
}

/// A long record: windows are cut from it as if it had been resampled as a whole, so that the filter sees what is before
/// and after them.
#[derive(Debug)]
pub struct LongRecord<'a> {
    x: &'a [f64],
    fs: f64,
    to: &'a Preprocessing,
    /// `x` without its mean, 0 where a sample is missing.
    centred: Vec<f64>,
    plan: resample::Plan,
}

impl<'a> LongRecord<'a> {
    /// Of all samples `x` at `fs` Hz; missing ones (not finite) count as the record's mean, and no window with one of
    /// them is given.
    pub fn new(to: &'a Preprocessing, x: &'a [f64], fs: f64) -> Result<Self, Unusable> {
        // the mean is taken out first, or the zeros that the filter sees outside would make a step of it
        let known: Vec<f64> = x.iter().copied().filter(|v| v.is_finite()).collect();
        if known.is_empty() {
            return Err(Unusable::new("no sample is present", "give a record with samples"));
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let centred: Vec<f64> = x.iter().map(|v| if v.is_finite() { v - mean } else { 0.0 }).collect();
        let plan = resample::Plan::new(x.len(), fs, to.fs)?;
        Ok(Self { x, fs, to, centred, plan })
    }

    /// The strip of the record's samples from `start` to `end`: its first sample in the resampled record, and its
    /// samples, the record's mean removed. Not cleaned yet, see [`Preprocessing::finish`].
    ///
    /// # Errors
    /// A window outside the record, with missing samples, or flat.
    pub fn window(&self, start: i64, end: i64) -> Result<(usize, Vec<f64>), Unusable> {
        let place = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let (first, original) = place
            .and_then(|(a, b)| Some((a, self.x.get(a..b)?)))
            .ok_or_else(|| Unusable::new("window outside the record", "choose an earlier start"))?;
        check_present(original)?;
        check_changing(original)?;
        let at = (first as f64 * self.to.fs / self.fs).round() as usize;
        let end = at.checked_add(self.to.samples()).filter(|&end| end <= self.plan.len);
        let end = end.ok_or_else(|| {
            Unusable::new("the record ends inside the window after resampling", "choose an earlier start")
        })?;
        Ok((at, self.plan.part(&self.centred, at..end)))
    }

    /// The strip of the strips' length that begins at sample `first`.
    pub fn strip_from(&self, first: usize) -> Result<(usize, Vec<f64>), Unusable> {
        let left = self.x.len().saturating_sub(first);
        let needed = options::strip_samples(self.fs, self.to.seconds);
        if left < needed {
            return Err(too_short(left, self.fs, self.to.seconds));
        }
        self.window(first as i64, (first + needed) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_costs_no_digits() {
        let wave: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.1).sin() * 300.0).collect();
        let z_scores = |offset: f64, unit: f64| {
            let x: Vec<f64> = wave.iter().map(|v| v * unit + offset).collect();
            let mut stored = in_f32(&x).unwrap();
            super::super::zscore(&mut stored);
            stored
        };
        let plain = z_scores(0.0, 1.0);
        for (offset, unit) in [(2f64.powi(31), 1.0), (1e12, 1.0), (1e6, 1e-3), (-1e5, 1e-3)] {
            let apart = z_scores(offset, unit).iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{offset}, {unit}: {apart}");
        }
        // an offset that f32 has the digits for stays
        assert_eq!(in_f32(&[100.0, 101.0, 103.0]).unwrap(), [100.0, 101.0, 103.0]);
    }

    #[test]
    fn what_is_flat_but_for_rounding_is_flat() {
        let rounding: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 0.1 } else { 0.1_f64.next_up() }).collect();
        let tiny: Vec<f64> = (0..400).map(|i| f64::from(i % 7) * 1e-310).collect();
        for x in [rounding, tiny] {
            assert!(in_f32(&x).unwrap_err().what.contains("flat line"));
        }
    }
}
