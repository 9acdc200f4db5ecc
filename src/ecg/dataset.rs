//! What every source delivers: strips of one lead with a rhythm label, and an
//! account of everything that was left out.

use super::features::Features;
use super::guidance::GuidanceConfig;
use super::labels::Scheme;
use super::patients::{AUTO, PatientNames};
use super::preprocessing::{Difference, Preprocessing};
use super::rpeaks::Detector;
use super::samples::Samples;
use super::sources::count;
use super::synthetic::SyntheticOptions;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

/// One strip of one lead, ready for the network but not yet z-scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    /// Unique name of the strip, e.g. `georgia/E07500` or `mitdb/201@120.000` (start in seconds).
    pub id: String,
    /// Patient; strips of one patient must never be split over training and test.
    pub patient: String,
    /// Name of the source folder, e.g. `mitdb`.
    pub source: String,
    /// The signal in mV at the data set's rate, exactly [`Dataset::samples`] long.
    pub signal: Samples,
    /// Index into [`Dataset::classes`].
    pub label: usize,
    /// R peaks in samples at the data set's rate, ascending, all inside the strip.
    pub r_peaks: Vec<u32>,
    /// True where `r_peaks` are the record's own beat annotations, false where they were detected.
    pub expert_beats: bool,
    /// The part of the strip in which an expert marked beats, `[from, to)` in samples, where that is not all of it: LUDB leaves the
    /// outermost beats of a record unmarked. Beyond it nobody knows where the beats are.
    pub marked: Option<[u32; 2]>,
    /// The 17 features of [`super::features::NAMES`], not standardised; NaN where one is not defined. Those of
    /// `r_peaks`, or what the source publishes.
    pub features: Features,
    /// The guidance target as a prepared file holds it, as long as the signal; `None` where it is still to be
    /// made from `r_peaks`.
    pub target: Option<Samples>,
    /// The other leads of the same window, with [`Leads::All`]: strips of the same label whose ids are this one's with `#LEAD`
    /// added. Only a training sees them, see [`Dataset::with_leads`].
    pub others: Vec<Strip>,
    /// True for a strip of a source that only tests: it is in no fold and is never trained on. Such strips are the last ones of
    /// a data set.
    pub tests_only: bool,
}

impl Strip {
    /// Gives the window, with all its leads, another label.
    pub(crate) fn label_as(&mut self, label: usize) {
        self.label = label;
        self.others.iter_mut().for_each(|other| other.label = label);
    }
}

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

/// Something a source holds that did not become a strip, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The record (or the strip) as the source names it.
    pub record: String,
    /// Why it was left out; for several windows of one record, or several records, their number comes first.
    pub reason: String,
}

impl Exclusion {
    /// An exclusion from its parts.
    pub fn new(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { record: record.into(), reason: reason.into() }
    }

    /// For how many strips it stands, and the reason without that number.
    pub fn counted(&self) -> (usize, &str) {
        for separator in [" windows: ", " window: ", " records: ", " record: "] {
            if let Some((head, tail)) = self.reason.split_once(separator)
                && let Ok(n) = head.parse()
            {
                return (n, tail);
            }
        }
        (1, &self.reason)
    }

    /// What [`Exclusion::counted`] counts: `strip` (a window of a record, or one of its leads), `row` of a table of labels, or
    /// `record`.
    pub fn unit(&self) -> &'static str {
        let (_, reason) = self.counted();
        let counted = self.reason.strip_suffix(reason).unwrap_or_default();
        let of_row =
            || reason.split_once(", line ").is_some_and(|(_, at)| at.starts_with(|c: char| c.is_ascii_digit()));
        if counted.contains("window") || self.record.contains(['@', '#']) {
            "strip"
        } else if !counted.contains("record") && of_row() {
            "row"
        } else {
            "record"
        }
    }
}

/// Numbers of exclusions by unit, in words: `3 rows, 1 strip`.
pub(crate) fn in_units<'a>(exclusions: impl Iterator<Item = &'a Exclusion>) -> String {
    let mut units: BTreeMap<&str, usize> = BTreeMap::new();
    exclusions.for_each(|e| *units.entry(e.unit()).or_default() += e.counted().0);
    let words: Vec<String> = units.into_iter().map(|(unit, n)| count(n, unit, &format!("{unit}s"))).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// A labelled set of strips.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// How the strips were made of recordings.
    pub preprocessing: Preprocessing,
    /// Class names, those of the scheme that are left; [`Strip::label`] counts in this list.
    pub classes: Vec<String>,
    /// How record names gave patients, see [`PatientNames::parse`].
    pub patient_pattern: String,
    /// Which leads of a window were read.
    pub leads: Leads,
    /// Constants of the guidance target: those that [`Strip::target`] was made with.
    pub guidance: GuidanceConfig,
    /// The strips, in a fixed order.
    pub strips: Vec<Strip>,
    /// Everything that was left out.
    pub exclusions: Vec<Exclusion>,
    /// Lines worth printing: other leads used, dropped classes, conflicting labels, failed checksums.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Samples of every strip: `round(fs * seconds)`.
    pub fn samples(&self) -> usize {
        self.preprocessing.samples()
    }

    /// The settings in which the set differs from `wanted`, see [`Preprocessing::differences`]. How R peaks are found
    /// matters only where some strip has detected ones.
    pub fn differences(&self, wanted: &Preprocessing) -> Vec<Difference> {
        let detected = self.strips.iter().any(|s| !s.expert_beats);
        let all = wanted.differences(&self.preprocessing).into_iter();
        all.filter(|d| detected || d.key != "detector").collect()
    }

    /// Number of strips of each class, in the order of `classes`.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for strip in &self.strips {
            if let Some(c) = counts.get_mut(strip.label) {
                *c += 1;
            }
        }
        counts
    }

    /// Class index of each strip.
    pub fn labels(&self) -> Vec<usize> {
        self.strips.iter().map(|s| s.label).collect()
    }

    /// Patient of each strip, for grouped splits.
    pub fn patients(&self) -> Vec<String> {
        self.strips.iter().map(|s| s.patient.clone()).collect()
    }

    /// The strips that folds are made of: all but those of sources that only test.
    pub fn pool(&self) -> &[Strip] {
        &self.strips[..self.strips.iter().position(|s| s.tests_only).unwrap_or(self.strips.len())]
    }

    /// The set a training works on: the other leads of the strips `windows` follow behind all strips as strips of their own.
    /// Also gives the place of those of each window that has some.
    pub fn with_leads(&self, windows: &[usize]) -> (Cow<'_, Self>, BTreeMap<usize, Range<usize>>) {
        let mut places = BTreeMap::new();
        if windows.iter().all(|&w| self.strips[w].others.is_empty()) {
            return (Cow::Borrowed(self), places);
        }
        let mut set = self.clone();
        for &w in windows.iter().filter(|&&w| !self.strips[w].others.is_empty()) {
            let start = set.strips.len();
            set.strips.extend(self.strips[w].others.iter().cloned());
            places.insert(w, start..set.strips.len());
        }
        (Cow::Owned(set), places)
    }

    /// Drops the classes of fewer than `min_class` strips or `min_patients` patients (and empty ones), numbers the others
    /// again, and says so in the notes and the exclusions.
    pub fn without_small_classes(mut self, min_class: usize, min_patients: usize) -> Result<Self> {
        let keep = ClassesKept::of(&self.classes, self.strips.iter(), min_class, min_patients);
        let mut strips = Vec::with_capacity(self.strips.len());
        for mut strip in self.strips {
            match keep.renumbered[strip.label] {
                Some(label) => {
                    strip.label_as(label);
                    strips.push(strip);
                }
                None => self.exclusions.push(keep.exclusion(&strip.id, &self.classes[strip.label])),
            }
        }
        self.strips = strips;
        self.notes.extend(keep.notes);
        self.classes = keep.classes;
        if self.strips.is_empty() {
            return Err(nothing_left(&self.exclusions));
        }
        Ok(self)
    }

    /// Exclusions counted by reason: the leading count of a row (`"12 windows: ..."`) is read as that many.
    pub fn exclusions_by_reason(&self) -> BTreeMap<String, usize> {
        by_reason(&self.exclusions)
    }
}

/// Which classes stay when small ones are dropped.
pub(crate) struct ClassesKept {
    /// Names of those that stay.
    pub classes: Vec<String>,
    /// New number of each old class.
    pub renumbered: Vec<Option<usize>>,
    /// A line for each dropped class.
    pub notes: Vec<String>,
    /// What each dropped class, by name, has too few of.
    too_few: BTreeMap<String, String>,
}

impl ClassesKept {
    /// Those with at least `min_class` strips (and at least one) of at least `min_patients` patients.
    pub fn of<'a>(
        classes: &[String],
        strips: impl Iterator<Item = &'a Strip>,
        min_class: usize,
        min_patients: usize,
    ) -> Self {
        let n_strips = |n| count(n, "strip", "strips");
        let n_patients = |n| count(n, "patient", "patients");
        let mut found = vec![(0, BTreeSet::new()); classes.len()];
        for strip in strips {
            if let Some((number, patients)) = found.get_mut(strip.label) {
                *number += 1;
                patients.insert(&strip.patient);
            }
        }
        let mut kept =
            Self { classes: Vec::new(), renumbered: Vec::new(), notes: Vec::new(), too_few: BTreeMap::new() };
        for (name, (number, patients)) in classes.iter().zip(found) {
            let patients = patients.len();
            let (least, dropped) = match number {
                0 => (String::new(), Some("no strip".to_string())),
                n if n < min_class => {
                    (n_strips(min_class), Some(format!("{}, fewer than min_class = {min_class}", n_strips(n))))
                }
                n if patients < min_patients => {
                    let (found, of) = (n_strips(n), n_patients(patients));
                    let what = format!("{found} of {of}, fewer than min_patients = {min_patients}");
                    (n_patients(min_patients), Some(what))
                }
                _ => (String::new(), None),
            };
            kept.renumbered.push(dropped.is_none().then_some(kept.classes.len()));
            match dropped {
                None => kept.classes.push(name.clone()),
                Some(what) => {
                    kept.notes.push(format!("class {name} dropped: {what}"));
                    kept.too_few.insert(name.clone(), least);
                }
            }
        }
        kept
    }

    /// The exclusion of a strip of a dropped class.
    pub fn exclusion(&self, id: &str, class: &str) -> Exclusion {
        let least = self.too_few.get(class).map_or("", String::as_str);
        Exclusion::new(id, format!("class {class} has fewer than {least}"))
    }
}

/// The error for a data set without a strip.
pub(crate) fn nothing_left(exclusions: &[Exclusion]) -> Error {
    let mut reasons: Vec<(String, usize)> = by_reason(exclusions).into_iter().collect();
    reasons.sort_by_key(|r| std::cmp::Reverse(r.1));
    let most: Vec<String> = reasons.into_iter().take(3).map(|(r, n)| format!("{n} x {r}")).collect();
    Error::data(
        "data set",
        format!("no strip is left, expected at least one; most were left out for: {}", most.join("; ")),
        "mend what the reasons name: the records, their labels, or lead, seconds, min_class and the kind of source",
    )
}

/// Exclusions counted by reason.
pub(crate) fn by_reason(exclusions: &[Exclusion]) -> BTreeMap<String, usize> {
    let mut table = BTreeMap::new();
    for e in exclusions {
        let (count, reason) = e.counted();
        *table.entry(reason.to_string()).or_insert(0) += count;
    }
    table
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

    #[test]
    fn counted_reasons_are_added_up() {
        for (reason, counted) in [
            ("12 windows: ectopic", (12, "ectopic")),
            ("1 window: ectopic", (1, "ectopic")),
            ("10645 records: no file", (10_645, "no file")),
            ("1 record: no file", (1, "no file")),
            ("other records: no file", (1, "other records: no file")),
        ] {
            assert_eq!(Exclusion::new("r", reason).counted(), counted);
        }
    }

    #[test]
    fn exclusions_have_their_units() {
        let all = [
            ("own/a", "labels.csv, line 3: names no record", "row"),
            ("own/a@1.000", "labels.csv, line 3: flat line", "strip"),
            ("own/a#V1", "flat line", "strip"),
            ("own/a", "12 windows: ectopic", "strip"),
            ("own", "2 records: labelled in x, line by line", "record"),
            ("own/b", "line 2 has 3 cells", "record"),
        ];
        let all = all.map(|(record, reason, unit)| (Exclusion::new(record, reason), unit));
        all.iter().for_each(|(e, unit)| assert_eq!(e.unit(), *unit, "{e:?}"));
        assert_eq!(in_units(all.iter().map(|(e, _)| e)), "3 records, 1 row, 14 strips");
        assert_eq!(in_units([].iter()), "nothing");
    }
}
