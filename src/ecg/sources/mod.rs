//! Sources of recordings to a [`Dataset`]: which records there are, what is kept, and why the rest is not.
//!
//! One file per kind of source; each delivers `Outcome`s in a fixed order, and this module does the rest: what
//! every strip must fulfil, small classes, the notes. Nothing here holds a whole source in memory: strips go to a
//! sink as they come, [`load_all`]'s into a list, [`super::prepared`]'s into a file.

mod cinc2017;
mod csv_file;
mod folder;
mod generated;
mod leads;
mod mitbih;
mod muse;
mod notes;
mod physionet;
mod source;
mod table;

use super::features;
use super::guidance::GuidanceConfig;
use super::labels::{Rhythm, Scheme};
use super::patients::{self, PatientNames};
use super::preprocessing::{Finished, Preprocessing};
use super::{Dataset, Exclusion, LoadOptions, Strip};
use crate::error::{Error, Result};
use notes::{How, Note, Notes};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use folder::{data_root, resolve};
pub(crate) use folder::{stem, walk};
pub(crate) use mitbih::{has_rhythms, rhythm_at};
pub(crate) use notes::{NAMED, Some5, count, rate_assumed};
pub use source::{Kind, Source};
pub(crate) use table::TABLE;

/// How far reading has come, for progress bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A source begins: its name and how much there is of it.
    Begin {
        /// Name of the source.
        source: String,
        /// Number of records, or of bytes.
        total: u64,
        /// True where `total` counts bytes.
        bytes: bool,
    },
    /// So much more is done.
    Advance(u64),
}

/// What one record gave.
#[derive(Debug, Default)]
struct Outcome {
    /// Strips whose label is an index into the scheme's classes.
    strips: Vec<Strip>,
    exclusions: Vec<Exclusion>,
    notes: Vec<Note>,
}

impl Outcome {
    fn excluded(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { exclusions: vec![Exclusion::record(record, reason)], ..Self::default() }
    }
}

/// Takes outcomes in order.
type Sink<'a> = dyn FnMut(Outcome) -> Result<()> + 'a;

/// What every record of a source needs to know.
struct Context<'a> {
    options: &'a LoadOptions,
    /// How strips are made, as the options say.
    preprocessing: Preprocessing,
    scheme: &'static Scheme,
    /// The source's name.
    source: String,
    /// Its folder or file.
    root: PathBuf,
    watch: &'a (dyn Fn(Progress) + Sync),
    patients: &'a PatientNames,
    /// Files that a source holds, by real path, and their records.
    claimed: &'a Mutex<BTreeMap<PathBuf, String>>,
}

/// A strip before it was finished.
struct Draft {
    id: String,
    patient: String,
    rhythm: Rhythm,
    /// At the data set's rate, of the data set's length; in mV if `in_mv`.
    x: Vec<f64>,
    in_mv: bool,
    /// Expert beats in samples of `x`.
    beats: Option<Vec<u32>>,
}

impl Context<'_> {
    /// A line about the source.
    fn line(&self, text: impl fmt::Display) -> Note {
        Note::Line(format!("{}: {text}", self.source))
    }

    /// What is said of files that state no rate: that of the options is taken, which is the default where nobody gave one.
    fn rate_note(&self) -> String {
        let fs = self.options.csv_fs;
        let said = match fs == LoadOptions::default().csv_fs {
            true => rate_assumed(fs, "prepare --csv-fs HZ (in an experiment data.csv_fs)"),
            false => format!("no sampling rate in the file, {fs} Hz as given"),
        };
        format!("{}: {said}", self.source)
    }

    /// Name of a record in the data set: the source's name and the path below its folder.
    fn record_id(&self, file: &Path) -> String {
        let below = file.strip_prefix(&self.root).unwrap_or(file).with_extension("");
        let parts: Vec<_> = below.components().map(|c| c.as_os_str().to_string_lossy()).collect();
        format!("{}/{}", self.source, parts.join("/"))
    }

    /// Takes a file, by its real path, for a record; or names the record that has it.
    fn claim(&self, real: PathBuf, record: &str) -> Result<(), String> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let first = claimed.entry(real).or_insert_with(|| record.to_string());
        if first == record { Ok(()) } else { Err(first.clone()) }
    }

    /// The patient of a record, from the comments of its header, from its name, or taken to be its own; and the note of
    /// how. A pattern of the user's goes before the header.
    fn patient(&self, record: &str, comments: &[String]) -> (String, Note) {
        let below = record.strip_prefix(&self.source).map_or(record, |r| r.trim_start_matches('/'));
        let header = comments.iter().find_map(|c| patients::in_comment(c)).map(|p| (p, How::Header));
        let name = self.patients.of(below).map(|p| (p, How::Name));
        let found = if self.patients.own { name.or(header) } else { header.or(name) };
        self.patient_note(record, found)
    }

    /// [`Context::patient`], the record's name in its header asked first.
    fn patient_of_header(&self, record: &str, name: &str, comments: &[String]) -> (String, Note) {
        match patients::same_person(name) {
            Some(person) => self.patient_note(record, Some((person, How::Database))),
            None => self.patient(record, comments),
        }
    }

    fn patient_note(&self, record: &str, found: Option<(&str, How)>) -> (String, Note) {
        let (patient, how) = match found {
            Some((patient, how)) => (format!("{}/{patient}", self.source), how),
            None => (record.to_string(), How::Own),
        };
        let note = Note::Patient { source: self.source.clone(), record: record.into(), patient: patient.clone(), how };
        (patient, note)
    }

    /// The finished strip, or why there is none.
    fn strip(&self, draft: Draft) -> Result<Strip, String> {
        let Draft { id, patient, rhythm, x, in_mv, beats } = draft;
        let label =
            self.scheme.class_of(rhythm).ok_or_else(|| format!("its rhythm is in no class of {}", self.scheme.name))?;
        let Finished { signal, r_peaks, expert_beats } = self.preprocessing.finish(x, beats)?;
        let features = features::hrv(&r_peaks, self.preprocessing.fs).map(|v| v as f32);
        let (source, signal, marked, target) = (self.source.clone(), signal.into(), None, None);
        let (others, tests_only) = (Vec::new(), false);
        Ok(Strip {
            id,
            patient,
            source,
            signal,
            in_mv,
            label,
            r_peaks,
            expert_beats,
            marked,
            features,
            target,
            others,
            tests_only,
        })
    }
}

/// An error's text without its hint, on one line.
pub(crate) fn one_line(e: &Error) -> String {
    let text = e.to_string();
    text.split("\nHINT").next().unwrap_or(&text).replace('\n', " ")
}

/// What separates the cells of a header row where it is not commas.
fn separated_by(head: &str) -> Option<&'static str> {
    let more = |sign: &char| head.matches(*sign).count() > head.matches(',').count();
    [(';', "semicolons"), ('\t', "tabs")].into_iter().find(|(sign, _)| more(sign)).map(|(_, name)| name)
}

/// Beats at a strip's rate, those inside its `n` samples from sample `at` of the record at that rate.
pub(crate) fn scaled_beats(beats: &[i64], ratio: f64, at: usize, n: usize) -> Vec<u32> {
    let scaled = beats.iter().map(|&b| (b as f64 * ratio).round() - at as f64);
    let mut inside: Vec<u32> = scaled.filter(|&p| p >= 0.0 && p < n as f64).map(|p| p as u32).collect();
    inside.dedup();
    inside
}

/// The part `[from, to)` of a strip of `n` samples in which beats are judged, first and last sample of a record's, at the strip's
/// rate; `None` where that is all of it.
fn scaled_span(span: (i64, i64), ratio: f64, n: usize) -> Option<[u32; 2]> {
    let at = |sample: i64| (sample as f64 * ratio).round().clamp(0.0, n as f64) as u32;
    let part = [at(span.0), at(span.1.saturating_add(1))];
    (part != [0, n as u32]).then_some(part)
}

/// What was left out of several sources, and notes about them.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub exclusions: Vec<Exclusion>,
    pub notes: Vec<String>,
}

/// Reads several sources one after the other. Strips reach the sink ordered by source, record and time, whatever the
/// number of threads, with labels that count in the scheme's classes.
pub(crate) fn read_all(
    sources: &[Source],
    options: &LoadOptions,
    watch: &(dyn Fn(Progress) + Sync),
    sink: &mut dyn FnMut(Strip) -> Result<()>,
) -> Result<Account> {
    let scheme = options.check()?;
    if sources.is_empty() {
        return Err(Error::config("no source of recordings", "name at least one, e.g. mitbih:mitdb"));
    }
    check_names(sources)?;
    sources.iter().for_each(Source::protect);
    let mut account = Account::default();
    let mut all_notes = Notes::default();
    let patients = PatientNames::parse(&options.patient_pattern)?;
    let claimed = Mutex::default();
    for source in sources {
        let (name, root) = (source.name(), source.root());
        let preprocessing = options.preprocessing();
        let (patients, claimed) = (&patients, &claimed);
        let context = Context { options, preprocessing, scheme, source: name, root, watch, patients, claimed };
        let mut take = |outcome: Outcome| {
            account.exclusions.extend(outcome.exclusions);
            outcome.notes.into_iter().for_each(|note| all_notes.add(note));
            outcome.strips.into_iter().try_for_each(&mut *sink)
        };
        match source.kind {
            Kind::Mitbih => folder::for_each_record(&context, mitbih::read_record, &mut take)?,
            Kind::Wfdb => folder::for_each_record(&context, physionet::read_record, &mut take)?,
            Kind::Cinc2017 => cinc2017::read(&context, &mut take)?,
            Kind::Csv => csv_file::read(&context, &mut take)?,
            Kind::Muse => muse::read(&context, &mut take)?,
            Kind::Table => table::read(&context, &table::table_of(&resolve(&source.path)), &mut take)?,
            Kind::Synthetic => generated::read(&context, &mut take)?,
        }
    }
    if patients.own && !all_notes.names_gave_patients() {
        let pattern = &options.patient_pattern;
        all_notes.add(Note::Line(format!("warning: patient_pattern {pattern} fits the name of no record")));
    }
    account.notes = all_notes.words(&options.lead);
    Ok(account)
}

/// Sources must differ in name, which distinguishes their records, and in place.
pub(crate) fn check_names(sources: &[Source]) -> Result<()> {
    for (i, source) in sources.iter().enumerate() {
        let name = source.name();
        let place = |s: &Source| folder::real(&resolve(&s.path));
        for other in &sources[..i] {
            if place(other) == place(source) {
                return Err(Error::config(
                    format!("the sources {other} and {source} are two sources of the same recordings"),
                    "name every file and folder once: records that come twice would be in training and test",
                ));
            }
            if other.name() == name {
                let hint = format!(
                    "records are distinguished by the source's name: write NAME=KIND:PATH for one of them, e.g. {name}-2={}",
                    Source { label: None, ..source.clone() }
                );
                return Err(Error::config(format!("two sources are named `{name}`: {other} and {source}"), hint));
            }
        }
    }
    Ok(())
}

/// The headers of a folder's records in the order of [`load`], the source's name, and what its list names in vain.
pub(crate) fn record_headers(source: &Source) -> Result<(Vec<PathBuf>, String, Vec<Exclusion>)> {
    let options = LoadOptions::default();
    let (patients, claimed) = (&PatientNames::parse(&options.patient_pattern)?, &Mutex::default());
    let (preprocessing, scheme) = (options.preprocessing(), options.check()?);
    let (root, source) = (resolve(&source.path), source.name());
    let context = Context { options: &options, preprocessing, scheme, source, root, watch: &|_| {}, patients, claimed };
    let mut out = Outcome::default();
    let headers = folder::find_headers(&context, &mut out)?.into_iter().collect();
    Ok((headers, context.source, out.exclusions))
}

/// Loads one source. `path` is tried as given and then below the data folder, see [`resolve`].
///
/// Strips come ordered by record and time, whatever the number of threads.
///
/// # Errors
/// [`Error::Config`] for unusable options; [`Error::File`] for a missing folder or one without records;
/// [`Error::Data`] when no strip is left. A record that cannot be used is no error but an entry of
/// [`Dataset::exclusions`].
///
/// ```no_run
/// use exgnet::ecg::{LoadOptions, load, sources::Kind};
/// let set = load(Kind::Mitbih, "mitdb".as_ref(), &LoadOptions::default())?;
/// println!("{:?} {:?}", set.classes, set.counts());
/// # Ok::<(), exgnet::error::Error>(())
/// ```
pub fn load(kind: Kind, path: &Path, options: &LoadOptions) -> Result<Dataset> {
    load_all(&[Source::new(kind, path)], options, &|_| {})
}

/// Loads several sources as one set, all of it in memory; `watch` hears how far it is.
///
/// # Errors
/// As [`load`]; also for no source at all, for two sources of the same name (their patients could not be distinguished)
/// and for two of the same recordings.
pub fn load_all(sources: &[Source], options: &LoadOptions, watch: &(dyn Fn(Progress) + Sync)) -> Result<Dataset> {
    let scheme = options.check()?;
    let mut strips = Vec::new();
    let account = read_all(sources, options, watch, &mut |strip| {
        strips.push(strip);
        Ok(())
    })?;
    let set = Dataset {
        preprocessing: options.preprocessing(),
        classes: scheme.classes.iter().map(|c| (*c).to_string()).collect(),
        patient_pattern: options.patient_pattern.clone(),
        leads: options.leads,
        guidance: GuidanceConfig::default(),
        strips,
        exclusions: account.exclusions,
        notes: account.notes,
    };
    set.without_small_classes(options.min_class, options.min_patients)
}

#[cfg(test)]
pub(crate) mod tests;
