//! What every source delivers: strips of one lead with a rhythm label, and an
//! account of everything that was left out.

use super::exclusions::{Exclusion, by_reason, nothing_left, total};
use super::features::Features;
use super::guidance::GuidanceConfig;
use super::options::Leads;
use super::preprocessing::{Difference, Preprocessing};
use super::samples::Samples;
use super::sources::count;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One strip of one lead, ready for the network but not yet z-scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    /// Unique name of the strip, e.g. `georgia/E07500` or `mitdb/201@120.000` (start in seconds).
    pub id: String,
    /// Patient; strips of one patient must never be split over training and test.
    pub patient: String,
    /// Name of the source folder, e.g. `mitdb`.
    pub source: String,
    /// The signal at the data set's rate, exactly [`Dataset::samples`] long; in mV if `in_mv`.
    pub signal: Samples,
    /// False where the source states no unit: the samples are as they stand there. (Networks see them z-scored.)
    pub in_mv: bool,
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

/// A labelled set of strips.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// How the strips were made of recordings.
    pub preprocessing: Preprocessing,
    /// Class names, those of the scheme that are left; [`Strip::label`] counts in this list.
    pub classes: Vec<String>,
    /// How record names gave patients, see [`PatientNames::parse`](super::patients::PatientNames::parse).
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
        if self.strips.is_empty() {
            return Err(keep.nothing_left(&self.exclusions));
        }
        keep.note(&mut self.notes);
        self.classes = keep.classes;
        Ok(self)
    }

    /// How many were left out for each reason.
    pub fn exclusions_by_reason(&self) -> BTreeMap<String, usize> {
        by_reason(&self.exclusions).into_iter().map(|(reason, of)| (reason.to_owned(), total(of))).collect()
    }
}

/// The settings that keep classes which are dropped with these; a hint.
pub(crate) fn keeping_small(min_class: usize, min_patients: usize) -> String {
    let mut ways = Vec::new();
    if min_class > 1 {
        ways.push(format!(
            "--set data.min_class=1 keeps classes of fewer than {min_class} strips (prepare: --min-class 1)"
        ));
    }
    if min_patients > 1 {
        ways.push(format!("--set data.min_patients=0 keeps those of fewer than {min_patients} patients"));
    }
    ways.push("or use more recordings".into());
    ways.join("; ")
}

/// What a note of dropped classes begins with.
pub(crate) const DROPPED: &str = "classes dropped: ";

/// Which classes stay when small ones are dropped.
pub(crate) struct ClassesKept {
    /// Names of those that stay.
    pub classes: Vec<String>,
    /// New number of each old class.
    pub renumbered: Vec<Option<usize>>,
    /// Dropped classes by what they have.
    dropped: Vec<(String, Vec<String>)>,
    /// What each dropped class, by name, has too few of.
    too_few: BTreeMap<String, String>,
    /// What keeps small classes, see [`keeping_small`].
    keeping: String,
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
        let mut kept = Self {
            classes: Vec::new(),
            renumbered: Vec::new(),
            dropped: Vec::new(),
            too_few: BTreeMap::new(),
            keeping: keeping_small(min_class, min_patients),
        };
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
                    match kept.dropped.iter_mut().find(|(other, _)| *other == what) {
                        Some((_, names)) => names.push(name.clone()),
                        None => kept.dropped.push((what, vec![name.clone()])),
                    }
                    kept.too_few.insert(name.clone(), least);
                }
            }
        }
        kept
    }

    /// Adds to the notes which classes were dropped: one line, which may be there from an earlier time.
    pub fn note(&self, notes: &mut Vec<String>) {
        let part = |(what, names): &(String, Vec<String>)| format!("{} ({what})", names.join(", "));
        let parts: Vec<String> = self.dropped.iter().map(part).collect();
        match notes.iter_mut().find(|note| note.starts_with(DROPPED)) {
            _ if parts.is_empty() => {}
            Some(line) => *line = format!("{line}; {}", parts.join("; ")),
            None => notes.push(format!("{DROPPED}{}", parts.join("; "))),
        }
    }

    /// The error where no strip is left.
    pub fn nothing_left(&self, exclusions: &[Exclusion]) -> Error {
        let small = self.too_few.values().any(|least| !least.is_empty());
        let others =
            "mend what the reasons name: the records, their labels, or lead, seconds, --csv-fs and the kind of source";
        nothing_left(exclusions, if small { &self.keeping } else { others })
    }

    /// The exclusion of a strip of a dropped class.
    pub fn exclusion(&self, id: &str, class: &str) -> Exclusion {
        let least = self.too_few.get(class).map_or("", String::as_str);
        Exclusion::strip(id, format!("class {class} has fewer than {least}"))
    }
}
