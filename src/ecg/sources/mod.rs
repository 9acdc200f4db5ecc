//! Sources of recordings to a [`Dataset`]: which records there are, what is kept, and why the rest is not.
//!
//! One file per kind of source; each delivers `Outcome`s in a fixed order, and this module does the rest: what
//! every strip must fulfil, small classes, the notes. Nothing here holds a whole source in memory: strips go to a
//! sink as they come, [`load_all`]'s into a list, [`super::prepared`]'s into a file.

mod cinc2017;
mod csv_file;
mod folder;
mod generated;
mod mitbih;
mod muse;
mod notes;
mod physionet;

use super::dataset::{Dataset, Exclusion, LoadOptions, Strip};
use super::guidance::GuidanceConfig;
use super::labels::{Rhythm, Scheme};
use super::{features, resample, rpeaks};
use crate::error::{Error, Result};
use crate::files::guard;
use notes::Note;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub(crate) use folder::MAX_DEPTH;
pub use folder::{data_root, resolve};
pub(crate) use mitbih::rhythm_at;

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Long WFDB records with rhythm annotations (MIT-BIH arrhythmia and its kin); windows inside one rhythm.
    Mitbih,
    /// Folders of short WFDB records with the diagnosis in the header: PhysioNet's ecg-arrhythmia
    /// (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.
    Wfdb,
    /// The Challenge 2017: single-lead WFDB records and a `REFERENCE*.csv` with their labels.
    Cinc2017,
    /// The EXGnet authors' single-lead files: one row per strip, with 17 features and one-hot classes.
    Csv,
    /// Chapman's figshare layout: one CSV file per record and `Diagnostics.xlsx`.
    Muse,
    /// The built-in generator; it has no path.
    Synthetic,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Mitbih, Self::Wfdb, Self::Cinc2017, Self::Csv, Self::Muse, Self::Synthetic];

    /// The name used in experiment files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mitbih => "mitbih",
            Self::Wfdb => "wfdb",
            Self::Cinc2017 => "cinc2017",
            Self::Csv => "csv",
            Self::Muse => "muse",
            Self::Synthetic => "synthetic",
        }
    }
}

/// A kind and where the recordings are, written `KIND:PATH`, or `synthetic` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What lies there.
    pub kind: Kind,
    /// A folder, or a file for `csv`; empty for `synthetic`. Resolved by [`resolve`].
    pub path: PathBuf,
}

impl Source {
    /// A source from its parts.
    pub fn new(kind: Kind, path: impl Into<PathBuf>) -> Self {
        Self { kind, path: path.into() }
    }

    /// What can be written as a source, for messages.
    pub fn forms() -> String {
        let with_path = Kind::ALL.iter().filter(|k| **k != Kind::Synthetic).map(|k| format!("{}:PATH", k.name()));
        format!("synthetic, {}", with_path.collect::<Vec<_>>().join(", "))
    }

    /// Lists the source among what the command reads: nothing is written over it.
    pub(crate) fn protect(&self) {
        if self.kind != Kind::Synthetic {
            guard::reads(&resolve(&self.path));
        }
    }

    /// Name of the source in ids: that of its folder, or of its file without the extension.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Synthetic => "synthetic".into(),
            Kind::Csv => self.path.file_stem().map_or_else(|| "csv".into(), |n| n.to_string_lossy().into_owned()),
            _ => folder::name_of(&resolve(&self.path)),
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == Kind::Synthetic.name() {
            return Ok(Self::new(Kind::Synthetic, ""));
        }
        if text.ends_with(".safetensors") && !text.contains(':') {
            let hint = "see that the name is right; a relative path is also looked for below EXGNET_DATA";
            return Err(Error::file(text, "is not there, expected a prepared data set", hint));
        }
        let (kind, path) = text.split_once(':').unwrap_or((text, ""));
        let known = Kind::ALL.into_iter().find(|k| k.name() == kind && *k != Kind::Synthetic);
        match known {
            Some(kind) if !path.trim().is_empty() => Ok(Self::new(kind, path)),
            Some(_) => Err(Error::config(
                format!("source `{text}`: found no path, expected {kind}:PATH"),
                "name the file or folder; a relative path is also looked for below EXGNET_DATA",
            )),
            None => Err(Error::config(
                format!("source `{text}`: found the kind `{kind}`, expected one of {}", Self::forms()),
                "write KIND:PATH, for instance wfdb:ludb",
            )),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Synthetic => f.write_str(self.kind.name()),
            kind => write!(f, "{}:{}", kind.name(), self.path.display()),
        }
    }
}

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
        Self { exclusions: vec![Exclusion::new(record, reason)], ..Self::default() }
    }
}

/// Takes outcomes in order.
type Sink<'a> = dyn FnMut(Outcome) -> Result<()> + 'a;

/// What every record of a source needs to know.
struct Context<'a> {
    options: &'a LoadOptions,
    scheme: &'static Scheme,
    /// The source's name.
    source: String,
    /// Its folder or file.
    root: PathBuf,
    watch: &'a (dyn Fn(Progress) + Sync),
}

/// A strip before it was finished.
struct Draft {
    id: String,
    patient: String,
    rhythm: Rhythm,
    /// mV at the data set's rate, of the data set's length.
    x: Vec<f64>,
    /// Expert beats in samples of `x`.
    beats: Option<Vec<u32>>,
    /// The 17 features where the source publishes them.
    features: Option<[f32; 17]>,
}

impl Context<'_> {
    /// Name of a record in the data set: the source's name and the path below its folder.
    fn record_id(&self, file: &Path) -> String {
        let below = file.strip_prefix(&self.root).unwrap_or(file).with_extension("");
        let parts: Vec<_> = below.components().map(|c| c.as_os_str().to_string_lossy()).collect();
        format!("{}/{}", self.source, parts.join("/"))
    }

    fn begin(&self, total: usize) {
        (self.watch)(Progress::Begin { source: self.source.clone(), total: total as u64, bytes: false });
    }

    /// The first strip of a short record: `mv` at `fs` Hz, brought to the data set's rate and length.
    fn first_strip(&self, mut mv: Vec<f64>, fs: f64) -> Result<Vec<f64>, String> {
        let seconds = self.options.seconds;
        let found = mv.len();
        // half a second more keeps the resampling filter's edge out of the strip
        mv.truncate(((seconds + 0.5) * fs).ceil() as usize);
        if let Some(i) = mv.iter().take((seconds * fs).ceil() as usize).position(|v| !v.is_finite()) {
            return Err(format!("missing sample (first at {i})"));
        }
        mv.truncate(mv.iter().position(|v| !v.is_finite()).unwrap_or(mv.len()));
        if mv.is_empty() {
            return Err("holds no sample".into());
        }
        if is_flat(&mv) {
            return Err("flat line".into());
        }
        let mut x = resample::resample_centred(mv, fs, self.options.fs).map_err(|e| one_line(&e))?;
        let n = self.options.samples();
        if x.len() < n {
            return Err(format!(
                "too short: {found} samples at {fs} Hz are {:.2} s, expected {seconds} s",
                found as f64 / fs
            ));
        }
        x.truncate(n);
        Ok(x)
    }

    /// The finished strip, or why there is none.
    fn strip(&self, draft: Draft) -> Result<Strip, String> {
        let Draft { id, patient, rhythm, mut x, beats, features } = draft;
        let label =
            self.scheme.class_of(rhythm).ok_or_else(|| format!("its rhythm is in no class of {}", self.scheme.name))?;
        if let Some(i) = x.iter().position(|v| !v.is_finite()) {
            return Err(format!("missing or infinite sample (first at {i})"));
        }
        if is_flat(&x) {
            return Err("flat line".into());
        }
        let (options, fs) = (self.options, self.options.fs);
        // detection needs a clean signal, whether the strip is to be one or not
        let clean = if options.clean || beats.is_none() { Some(rpeaks::clean(&x, fs, options.mains)) } else { None };
        let expert_beats = beats.is_some();
        let r_peaks = match (beats, &clean) {
            (Some(beats), _) => beats,
            (None, Some(Ok(clean))) => options.detector.r_peaks(clean, fs),
            (None, _) => Vec::new(),
        };
        if options.clean
            && let Some(clean) = clean
        {
            x = clean.map_err(|e| one_line(&e))?;
        }
        let signal: Vec<f32> = x.iter().map(|&v| v as f32).collect();
        if signal.iter().any(|v| !v.is_finite()) {
            return Err("values beyond the range of f32".into());
        }
        let features = features.unwrap_or_else(|| features::hrv(&r_peaks, fs).map(|v| v as f32));
        let source = self.source.clone();
        Ok(Strip { id, patient, source, signal: signal.into(), label, r_peaks, expert_beats, features, target: None })
    }
}

/// True where a signal never changes.
pub(crate) fn is_flat(x: &[f64]) -> bool {
    x.windows(2).all(|w| w[0] == w[1])
}

/// An error's text without its hint, on one line.
pub(crate) fn one_line(e: &Error) -> String {
    let text = e.to_string();
    text.split("\nHINT").next().unwrap_or(&text).replace('\n', " ")
}

/// Beats at a strip's rate, those inside its `n` samples.
fn scaled_beats(beats: &[i64], ratio: f64, n: usize) -> Vec<u32> {
    let scaled = beats.iter().map(|&b| (b as f64 * ratio).round());
    let mut inside: Vec<u32> = scaled.filter(|&p| p >= 0.0 && p < n as f64).map(|p| p as u32).collect();
    inside.dedup();
    inside
}

/// What was left out of several sources and what is to be told about them.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub exclusions: Vec<Exclusion>,
    pub notes: Vec<String>,
}

/// Reads several sources one after the other. Strips reach the sink ordered by source, record and time, whatever the
/// number of threads, with labels that count in the scheme's classes.
///
/// # Errors
/// As [`load_all`], and whatever the sink returns.
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
    sources.iter().for_each(Source::protect);
    let mut names: Vec<String> = Vec::new();
    let mut account = Account::default();
    let mut all_notes = Vec::new();
    for source in sources {
        let name = source.name();
        if names.contains(&name) {
            return Err(Error::config(
                format!("two sources are named `{name}`"),
                "give the folders different names: records are told apart by them",
            ));
        }
        names.push(name.clone());
        let context = Context { options, scheme, source: name, root: resolve(&source.path), watch };
        let mut take = |outcome: Outcome| {
            account.exclusions.extend(outcome.exclusions);
            all_notes.extend(outcome.notes);
            outcome.strips.into_iter().try_for_each(&mut *sink)
        };
        match source.kind {
            Kind::Mitbih => folder::for_each_record(&context, mitbih::read_record, &mut take)?,
            Kind::Wfdb => folder::for_each_record(&context, physionet::read_record, &mut take)?,
            Kind::Cinc2017 => cinc2017::read(&context, &mut take)?,
            Kind::Csv => csv_file::read(&context, &mut take)?,
            Kind::Muse => muse::read(&context, &mut take)?,
            Kind::Synthetic => generated::read(&context, &mut take)?,
        }
    }
    account.notes = notes::words(all_notes, &options.lead);
    Ok(account)
}

/// The headers of a folder's records in the order of [`load`], the source's name, and what its list names in vain.
pub(crate) fn record_headers(path: &Path) -> Result<(Vec<PathBuf>, String, Vec<Exclusion>)> {
    let options = LoadOptions::default();
    let source = Source::new(Kind::Wfdb, path).name();
    let context = Context { options: &options, scheme: options.check()?, source, root: resolve(path), watch: &|_| {} };
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
/// As [`load`]; also for no source at all, and for two sources of the same name (their patients could not be told
/// apart).
pub fn load_all(sources: &[Source], options: &LoadOptions, watch: &(dyn Fn(Progress) + Sync)) -> Result<Dataset> {
    let scheme = options.check()?;
    let mut strips = Vec::new();
    let account = read_all(sources, options, watch, &mut |strip| {
        strips.push(strip);
        Ok(())
    })?;
    let set = Dataset {
        scheme: scheme.name.into(),
        classes: scheme.classes.iter().map(|c| (*c).to_string()).collect(),
        fs: options.fs,
        seconds: options.seconds,
        lead: options.lead.clone(),
        clean: options.clean,
        guidance: GuidanceConfig::default(),
        strips,
        exclusions: account.exclusions,
        notes: account.notes,
    };
    set.without_small_classes(options.min_class)
}

#[cfg(test)]
mod tests;
