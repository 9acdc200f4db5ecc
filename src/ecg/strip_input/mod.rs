//! One strip for `predict` and `explain`, from a NumPy file, a text file or a WFDB record.

mod folder;
mod npy;
mod place;
#[cfg(test)]
mod tests;
mod text;

use super::labels::{Rhythm, header_label};
use super::preprocessing::{Finished, LongRecord, Preprocessing, Unusable};
use super::wfdb::{Header, annotation, read_signal};
use super::{resample, sources};
use crate::error::{Error, Result};
use place::{Kind, Place};
pub(crate) use place::{Kind as FileKind, record_files};
use std::path::{Path, PathBuf};

pub use folder::expand;

/// A recording as read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// The path as it was given, by which errors name it.
    pub input: PathBuf,
    /// The file's stem; for a WFDB record that was entered at a time, with that time in seconds (`201@120`).
    pub name: String,
    /// All samples; in mV where `in_mv`.
    pub signal: Vec<f64>,
    /// Sampling rate in Hz, where the file says it.
    pub fs: Option<f64>,
    /// The sample at which the strip is to begin.
    pub start: usize,
    /// True for a record with rhythm annotations, of which a strip is one of many windows.
    pub long: bool,
    /// Expert beats in samples, where the record has them.
    pub beats: Option<Vec<i64>>,
    /// True where the signal is known to be in mV. (The network sees it z-scored, so it does not matter there.)
    pub in_mv: bool,
    /// Name of the lead that was read, where the file has names.
    pub lead: Option<String>,
    /// True where that is another lead than the one wanted.
    pub lead_substituted: bool,
    /// Lines worth printing about it: another lead used, a damaged checksum.
    pub notes: Vec<String>,
}

/// A strip made of a [`Recording`] as a model needs it, not yet z-scored.
#[derive(Debug, Clone, PartialEq)]
pub struct InputStrip {
    /// [`Recording::name`].
    pub name: String,
    /// Samples at the model's rate, cleaned if the model's are; in mV where `in_mv`.
    pub signal: Vec<f32>,
    /// R peaks in samples of `signal`: the expert's beats, or detected ones.
    pub r_peaks: Vec<u32>,
    /// True where `r_peaks` are an expert's.
    pub expert_beats: bool,
    /// [`Recording::in_mv`].
    pub in_mv: bool,
    /// [`Recording::lead`].
    pub lead: Option<String>,
    /// [`Recording::lead_substituted`].
    pub lead_substituted: bool,
    /// Lines worth printing about it: those of the recording, a longer strip cut, a rate assumed.
    pub notes: Vec<String>,
}

/// Reads one recording; where the file has several leads, that of the name `wanted`, or the one `chosen` in its place.
///
/// - `x.npy`: one dimension (others of length 1 allowed), whole numbers of 8 to 64 bits or floats of 16 to 64, in either
///   order of bytes
/// - `x.csv`, `x.txt`: one number a line, or one row; separated by commas, semicolons, tabs or blanks. Where semicolons
///   or tabs separate, the decimal sign may be a comma
/// - a WFDB record: `x.hea`, `x.dat`, `x.mat` or `x` beside its `x.hea`; of the lead `wanted` (the first signal, with a
///   note, if the record has at most two and none of that name) or `chosen`, with beats from its annotations; `x@120`, `x@2:00` or `x@0:02:00.0` enters the record two minutes after its start
///
/// A relative path that does not exist is looked for below the data folder too, see [`super::resolve`].
pub fn read(path: &Path, wanted: &str, chosen: Option<&str>) -> Result<Recording> {
    let Place { kind, file, start, name } = place::locate(path)?;
    let ignored = chosen.map(|lead| format!("the file has no names of leads, --lead {lead} is not used"));
    let read = match &kind {
        Kind::Wfdb(header) => read_wfdb(header, wanted, chosen, start)?,
        Kind::Npy | Kind::Text => {
            let (signal, notes) = (kind.samples(&file)?, ignored.into_iter().collect());
            Recording { signal, notes, ..Recording::default() }
        }
    };
    Ok(Recording { input: path.to_path_buf(), name, ..read })
}

/// The rhythm that experts gave the strip that [`read`] reads from `path`: of a WFDB record with a diagnosis in its
/// header, or of its first `seconds` where rhythm annotations hold one rhythm over all of them.
pub fn expert_rhythm(path: &Path, seconds: f64) -> Option<Rhythm> {
    let Place { kind: Kind::Wfdb(header), start, .. } = place::locate(path).ok()? else { return None };
    let header = Header::read(&header).ok()?;
    header_label(&header.comments)
        .map_or_else(|_| sources::rhythm_at(&header, start, seconds), |found| Some(found.rhythm))
}

fn read_wfdb(path: &Path, wanted: &str, chosen: Option<&str>, start: f64) -> Result<Recording> {
    let header = Header::read(path)?;
    let mut notes = Vec::new();
    let own = header.lead(wanted);
    let absent = |lead: &str, hint: &str| Err(Error::file(path, header.no_lead(lead), hint));
    let index = match (chosen, own) {
        (Some(lead), _) => match header.lead(lead) {
            Some(index) => index,
            None => return absent(lead, "name one of its leads with --lead"),
        },
        (None, Some(index)) => index,
        (None, None) if header.signals.len() <= 2 => header.substitute(),
        (None, None) => return absent(wanted, "the model needs the lead it was trained on; --lead NAME reads another"),
    };
    let lead_substituted = own != Some(index);
    if lead_substituted {
        let used = header.signal_name(index);
        notes.push(match own {
            None => format!("lead {wanted} is missing, {used} used instead"),
            Some(_) => format!("lead {used} read instead of {wanted}, the model's"),
        });
    }
    let read = read_signal(&header, index, false)?;
    notes.extend(read.warnings.into_iter().map(|w| format!("an integrity check fails: {w}")));
    let first = (start * read.fs).round();
    if first >= read.mv.len() as f64 {
        let seconds = read.mv.len() as f64 / read.fs;
        let what = format!("start {start} s, but the record ends after {seconds:.2} s");
        return Err(Error::file(path, what, "choose an earlier start"));
    }
    let beats = annotation::beats_of_lead(&header, index).unwrap_or_else(|e| {
        let why = sources::one_line(&e);
        notes.push(format!("its beats are not used, the annotations cannot be read: {why}"));
        None
    });
    Ok(Recording {
        signal: read.mv,
        fs: Some(read.fs),
        start: first as usize,
        long: sources::has_rhythms(&header),
        beats,
        in_mv: true,
        lead: Some(header.signal_name(index)),
        lead_substituted,
        notes,
        ..Recording::default()
    })
}

/// Makes the strip that a model needs of a recording, exactly as the strips of a data set are made: a record with
/// rhythm annotations, or one that is entered after its start, as [`LongRecord`] does it, any other as
/// [`Preprocessing::first_strip`] does; then [`Preprocessing::finish`].
///
/// The recording's rate is what its file says, else `fs_given`, else that of the model (with a note).
///
/// # Errors
/// [`Error::Data`] naming the strip: it is too short (found and expected length), holds NaN or infinity
/// (first index), never changes, or has a rate other than `fs_given`. [`Error::Config`] for rates and
/// lengths that cannot be used.
pub fn prepare(recording: &Recording, fs_given: Option<f64>, to: &Preprocessing) -> Result<InputStrip> {
    let samples = super::options::check_rate_and_length(to.fs, to.seconds)?;
    let mut notes = recording.notes.clone();
    let name = &recording.input.display().to_string();
    let fs = match (recording.fs, fs_given) {
        (Some(own), Some(given)) if (own - given).abs() > 1e-6 * own => {
            let what = format!("its file says {own} Hz, but {given} Hz was given");
            return Err(Error::data(name, what, "leave the rate (--fs) away"));
        }
        (Some(own), _) => own,
        (None, Some(given)) => {
            let most = resample::MAX_FACTOR;
            let fits = format!(
                "--fs {given}: expected the rate of {name} in Hz, within a factor of {most} of the model's {}",
                to.fs
            );
            let hint = "give the rate at which the strip was recorded, e.g. --fs 500";
            resample::check(given, to.fs).map_err(|_| Error::config(fits, hint))?;
            given
        }
        (None, None) => {
            notes.push(sources::rate_assumed(to.fs, "--fs HZ"));
            to.fs
        }
    };
    resample::check(fs, to.fs)?;
    let left = recording.signal.len().saturating_sub(recording.start);
    let found = finished(recording, fs, to, samples).map_err(|e| Error::data(name, e.what, e.hint))?;
    let Finished { signal, r_peaks, expert_beats } = found;
    if left > super::options::strip_samples(fs, to.seconds) {
        let (all, seconds) = (left as f64 / fs, to.seconds);
        notes.push(format!("the first {seconds} s of {all:.3} s are used"));
    }
    Ok(InputStrip {
        name: recording.name.clone(),
        signal,
        r_peaks,
        expert_beats,
        in_mv: recording.in_mv,
        lead: recording.lead.clone(),
        lead_substituted: recording.lead_substituted,
        notes,
    })
}

fn finished(recording: &Recording, fs: f64, to: &Preprocessing, samples: usize) -> Result<Finished, Unusable> {
    let (at, x) = if recording.long || recording.start > 0 {
        LongRecord::new(to, &recording.signal, fs)?.strip_from(recording.start)?
    } else {
        (0, to.first_strip(recording.signal.clone(), fs)?)
    };
    let beats = recording.beats.as_ref().map(|beats| sources::scaled_beats(beats, to.fs / fs, at, samples));
    to.finish(x, beats)
}
