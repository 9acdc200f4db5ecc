//! What to read from a source and how, and the ranges of rates and lengths.

use super::labels::Scheme;
use super::patients::{AUTO, PatientNames};
use super::preprocessing::Preprocessing;
use super::rpeaks::Detector;
use super::synthetic::SyntheticOptions;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Which leads of a window are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leads {
    /// The one asked for.
    #[default]
    One,
    /// Also every other signal of WFDB records, for a training to choose from.
    All,
}

impl Leads {
    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::All => "all",
        }
    }
}

/// What to read from a source and how.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Name of the class scheme, see [`Scheme::by_name`].
    pub classes: String,
    /// Rate of the strips in Hz; records at another rate are resampled.
    pub fs: f64,
    /// Length of the strips in seconds; longer records give their first part, shorter ones are excluded.
    pub seconds: f64,
    /// Lead name, compared without regard to case; `II` also finds `MLII`.
    pub lead: String,
    /// Classes with fewer strips are dropped; the drop is reported in the notes and the exclusions.
    pub min_class: usize,
    /// Classes of fewer patients are dropped as well.
    pub min_patients: usize,
    /// Which leads of a window are read.
    pub leads: Leads,
    /// Keep windows with ectopic, paced or unclassifiable beats (long records with beat types only).
    pub ectopic_keep: bool,
    /// Clean every strip with [`super::rpeaks::clean`] after resampling.
    pub clean: bool,
    /// Make a failed checksum or initial value an exclusion instead of a note.
    pub strict: bool,
    /// Frequency of the mains, Hz: what cleaning averages out.
    pub mains: f64,
    /// Finds the R peaks where no expert did.
    pub detector: Detector,
    /// Rate of `csv` sources, and of the `.npy`, `.csv` and `.txt` files of `table` sources, which do not say it, Hz.
    pub csv_fs: f64,
    /// How record names give patients, see [`PatientNames::parse`].
    pub patient_pattern: String,
    /// What a `synthetic` source makes; its rate and length are those of the data set.
    pub synthetic: SyntheticOptions,
}

impl Default for LoadOptions {
    /// 10 s of lead II at 500 Hz in the six rhythm classes. A class needs 10 strips: with fewer, five
    /// folds would leave test folds with at most one of them.
    fn default() -> Self {
        Self {
            classes: "rhythm6".into(),
            fs: 500.0,
            seconds: 10.0,
            lead: "II".into(),
            min_class: 10,
            min_patients: 0,
            leads: Leads::One,
            ectopic_keep: true,
            clean: false,
            strict: false,
            mains: 50.0,
            detector: Detector::default(),
            csv_fs: 500.0,
            patient_pattern: AUTO.into(),
            synthetic: SyntheticOptions::default(),
        }
    }
}

impl LoadOptions {
    /// How the strips are to be made of recordings.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            scheme: self.classes.clone(),
            fs: self.fs,
            seconds: self.seconds,
            lead: self.lead.clone(),
            clean: self.clean,
            mains: self.mains,
            detector: self.detector,
        }
    }

    /// Checks what [`Preprocessing::check`] checks, and the pattern of patients.
    pub fn check(&self) -> Result<&'static Scheme> {
        PatientNames::parse(&self.patient_pattern)?;
        self.preprocessing().check()
    }
}

/// Samples of `seconds` at `fs`, rounded; 0 where the product is no usable number.
pub(crate) fn strip_samples(fs: f64, seconds: f64) -> usize {
    let n = (fs * seconds).round();
    if n.is_finite() && n > 0.0 { n as usize } else { 0 }
}

/// A strip must have between 16 and 2^22 samples at a rate of 20 Hz to 100 kHz.
pub(crate) fn check_rate_and_length(fs: f64, seconds: f64) -> Result<usize> {
    check_range("sampling rate", fs, 20.0..=100_000.0, " Hz", "give the rate in Hz, e.g. fs = 500")?;
    let n = strip_samples(fs, seconds);
    if !(16..=1 << 22).contains(&n) {
        let what = format!("{seconds} s at {fs} Hz is {n} samples, expected 16 to {}", 1 << 22);
        return Err(Error::config(what, "give the length in seconds, e.g. seconds = 10"));
    }
    Ok(n)
}

/// Refuses the rate of files that do not say theirs, where no recording has it.
pub(crate) fn check_file_rate(csv_fs: f64) -> Result<()> {
    check_range("csv_fs", csv_fs, 20.0..=100_000.0, " Hz", "give the rate of the files")
}

/// A setting that must lie in a range.
pub(crate) fn check_range(what: &str, found: f64, range: RangeInclusive<f64>, unit: &str, hint: &str) -> Result<()> {
    if range.contains(&found) {
        return Ok(());
    }
    Err(Error::config(format!("{what} {found}{unit}, expected {} to {}", range.start(), range.end()), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_what_is_wrong() {
        for (fs, seconds) in [(f64::NAN, 10.0), (0.0, 10.0), (-5.0, 1.0), (500.0, f64::INFINITY), (500.0, 0.0)] {
            let e = LoadOptions { fs, seconds, ..LoadOptions::default() }.check().unwrap_err();
            assert!(e.to_string().contains("HINT"));
        }
        assert_eq!(LoadOptions::default().preprocessing().samples(), 5000);
    }
}
