//! One strip for `predict` and `explain`, from a NumPy file, a text file or a WFDB record.

mod npy;
mod text;

use super::dataset::{check_rate_and_length, strip_samples};
use super::labels::{HeaderLabel, Rhythm, header_label};
use super::wfdb::{Header, annotation, read_signal};
use super::{resample, resolve, sources};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// One strip as read, or as prepared for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct InputStrip {
    /// The file's stem; for a WFDB record that was entered at a time, with that time (`201@120`).
    pub name: String,
    /// Samples; in mV where `units_known`.
    pub signal: Vec<f32>,
    /// Sampling rate in Hz, where the file says it.
    pub fs: Option<f64>,
    /// Expert beats in samples, where the record has them.
    pub beats: Option<Vec<u32>>,
    /// True where the signal is known to be in mV. (The network sees it z-scored, so it does not matter there.)
    pub units_known: bool,
    /// Lines worth printing: another lead used, a longer strip cut, a rate assumed.
    pub notes: Vec<String>,
}

/// Reads one strip.
///
/// - `x.npy`: one dimension (others of length 1 allowed), `f4`, `f8`, `i2` or `i4`, little-endian
/// - `x.csv`, `x.txt`: one number a line, or one row; separated by commas, semicolons or blanks
/// - a WFDB record: `x.hea`, `x.dat`, `x.mat` or `x` beside its `x.hea`; the lead chosen by name (the first
///   signal, with a note, if the record has at most two and none of that name), beats from its annotations;
///   `x@120` enters the record 120 s after its start
///
/// A relative path that does not exist is looked for below the data folder too, see [`resolve`].
///
/// # Errors
/// [`Error::File`] naming the file, the line or index, what was found and what was expected.
pub fn read(path: &Path, lead: &str) -> Result<InputStrip> {
    let Located { kind, file, start, written } = locate(path)?;
    kind.read(&file, lead, start, &written)
}

/// The rhythm that experts gave the strip that [`read`] reads from `path`: of a WFDB record with a diagnosis in its
/// header, or of its first `seconds` where rhythm annotations hold one rhythm over all of them.
pub fn expert_rhythm(path: &Path, seconds: f64) -> Option<Rhythm> {
    let Located { kind: Kind::Wfdb(header), start, .. } = locate(path).ok()? else { return None };
    let header = Header::read(&header).ok()?;
    match header_label(&header.comments) {
        HeaderLabel::Rhythm { rhythm, .. } => Some(rhythm),
        HeaderLabel::None(_) => sources::rhythm_at(&header, start, seconds),
    }
}

/// What a path means.
struct Located {
    kind: Kind,
    file: PathBuf,
    /// Where to enter the record, s, and how that was written.
    start: f64,
    written: String,
}

fn locate(path: &Path) -> Result<Located> {
    let whole = |kind, file| Located { kind, file, start: 0.0, written: String::new() };
    let found = resolve(path);
    if let Some(kind) = Kind::of(&found) {
        return Ok(whole(kind, found));
    }
    // no such file: perhaps a record with a start time
    if let Some((file, written)) = path.to_str().and_then(|p| p.rsplit_once('@'))
        && let Ok(start) = written.parse::<f64>()
    {
        let file = resolve_record(Path::new(file));
        if !(start.is_finite() && start >= 0.0) {
            return Err(Error::file(
                path,
                format!("start `{written}` s, expected 0 or more"),
                "write e.g. 201.hea@120",
            ));
        }
        return match Kind::of(&file) {
            Some(kind @ Kind::Wfdb(_)) => Ok(Located { kind, file, start, written: written.into() }),
            Some(_) => Err(Error::file(
                &file,
                "a start time is only for WFDB records",
                "leave the @ and the seconds away, or cut the strip first",
            )),
            None => Err(missing(path)),
        };
    }
    let record = resolve_record(path);
    Kind::of(&record).map(|kind| whole(kind, record)).ok_or_else(|| missing(path))
}

fn missing(path: &Path) -> Error {
    let hint = "check the path; .npy, .csv, .txt and WFDB records (.hea, .dat, .mat or the bare name) can be read";
    let what = if path.is_file() { "is no kind of strip that can be read" } else { "no such strip" };
    Error::file(path, what, hint)
}

/// `dir/100` may stand for `data root/dir/100.hea`.
fn resolve_record(path: &Path) -> PathBuf {
    let direct = resolve(path);
    if direct.exists() {
        return direct;
    }
    let mut header = path.as_os_str().to_owned();
    header.push(".hea");
    let header = resolve(Path::new(&header));
    if header.exists() { header } else { direct }
}

enum Kind {
    Npy,
    Text,
    /// The header.
    Wfdb(PathBuf),
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        if !path.is_file() {
            return None;
        }
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "npy" => Some(Self::Npy),
            "csv" | "txt" => Some(Self::Text),
            "hea" => Some(Self::Wfdb(path.to_path_buf())),
            "dat" | "mat" => Some(Self::Wfdb(path.with_extension("hea"))),
            _ => None,
        }
    }

    fn read(self, path: &Path, lead: &str, start: f64, written: &str) -> Result<InputStrip> {
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        let plain = |signal| InputStrip {
            name: stem.clone(),
            signal,
            fs: None,
            beats: None,
            units_known: false,
            notes: Vec::new(),
        };
        match self {
            Self::Npy => npy::read(path).map(plain),
            Self::Text => text::read(path).map(plain),
            Self::Wfdb(header) => {
                let name = if written.is_empty() { stem.clone() } else { format!("{stem}@{written}") };
                read_wfdb(&header, lead, start, name)
            }
        }
    }
}

fn read_wfdb(path: &Path, lead: &str, start: f64, name: String) -> Result<InputStrip> {
    let header = Header::read(path)?;
    let mut notes = Vec::new();
    let index = match header.lead(lead) {
        Some(index) => index,
        None if header.signals.len() <= 2 => {
            let used = header.signals.first().map_or("", |s| s.description.as_str());
            notes.push(format!("{name}: lead {lead} is missing, {used} used instead"));
            0
        }
        None => {
            return Err(Error::file(
                path,
                format!("has no lead {lead}; it has {}", header.lead_names()),
                "the model needs the lead it was trained on",
            ));
        }
    };
    let read = read_signal(&header, index, false)?;
    notes.extend(read.warnings.into_iter().map(|w| format!("warning: {name}: {w}")));
    let first = (start * read.fs).round();
    if first >= read.mv.len() as f64 {
        let seconds = read.mv.len() as f64 / read.fs;
        return Err(Error::file(
            path,
            format!("start {start} s, but the record ends after {seconds:.2} s"),
            "choose an earlier start",
        ));
    }
    let first = first as usize;
    let signal: Vec<f32> = read.mv.iter().skip(first).map(|&v| v as f32).collect();
    let beats = annotation::beats_of_lead(&header, index).unwrap_or_else(|e| {
        notes
            .push(format!("{name}: its beats are not used, the annotations cannot be read: {}", sources::one_line(&e)));
        None
    });
    let from_start = |b: i64| usize::try_from(b).ok()?.checked_sub(first).filter(|&b| b < signal.len());
    let beats = beats.map(|beats| beats.into_iter().filter_map(from_start).map(|b| b as u32).collect());
    Ok(InputStrip { name, signal, fs: Some(read.fs), beats, units_known: true, notes })
}

/// Makes a strip fit a model: brought to `fs_model` (Hz) and cut to the first `seconds`.
///
/// The strip's rate is what its file says, else `fs_given`, else that of the model (with a note).
///
/// # Errors
/// [`Error::Data`] naming the strip: it is too short (found and expected length), holds NaN or infinity
/// (first index), never changes, or has a rate other than `fs_given`. [`Error::Config`] for rates and
/// lengths that cannot be used.
pub fn prepare(strip: &InputStrip, fs_given: Option<f64>, fs_model: f64, seconds: f64) -> Result<InputStrip> {
    let samples = check_rate_and_length(fs_model, seconds)?;
    let fault = |what: String, hint: &str| Err(Error::data(&strip.name, what, hint));
    let mut notes = strip.notes.clone();
    let fs = match (strip.fs, fs_given) {
        (Some(own), Some(given)) if (own - given).abs() > 1e-6 * own => {
            return fault(format!("its file says {own} Hz, but {given} Hz was given"), "leave the rate away");
        }
        (Some(own), _) => own,
        (None, Some(given)) => given,
        (None, None) => {
            notes.push(format!("{}: no rate given, {fs_model} Hz assumed", strip.name));
            fs_model
        }
    };
    resample::check(fs, fs_model)?;
    let found = strip.signal.len();
    if found == 0 {
        return fault("holds no sample".into(), "give a strip of the model's length");
    }
    let needed = strip_samples(fs, seconds);
    // half a second more keeps the resampling filter's edge out of the strip
    let used = &strip.signal[..found.min(strip_samples(fs, seconds + 0.5))];
    let must_be_good = needed.min(used.len());
    if let Some(i) = used[..must_be_good].iter().position(|v| !v.is_finite()) {
        return fault(format!("sample {i} is {}, expected a number", used[i]), "cut out a stretch without gaps");
    }
    let good = used.iter().position(|v| !v.is_finite()).unwrap_or(used.len());
    let mut x: Vec<f64> = used[..good].iter().map(|&v| f64::from(v)).collect();
    if sources::is_flat(&x[..must_be_good]) {
        return fault("is a flat line".into(), "check the electrode or the lead; a rhythm cannot be told from it");
    }
    x = resample::resample_centred(x, fs, fs_model)?;
    if x.len() < samples {
        return fault(
            format!(
                "{found} samples at {fs} Hz are {:.3} s, expected at least {seconds} s ({needed} samples)",
                found as f64 / fs
            ),
            "give a longer strip, or the right sampling rate",
        );
    }
    x.truncate(samples);
    if found > needed {
        notes.push(format!("{}: the first {seconds} s of {:.3} s are used", strip.name, found as f64 / fs));
    }
    let beats = strip.beats.as_ref().map(|beats| {
        let scaled = beats.iter().map(|&b| (f64::from(b) * fs_model / fs).round());
        scaled.filter(|&b| b < samples as f64).map(|b| b as u32).collect()
    });
    let signal = x.iter().map(|&v| v as f32).collect();
    Ok(InputStrip {
        name: strip.name.clone(),
        signal,
        fs: Some(fs_model),
        beats,
        units_known: strip.units_known,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(signal: Vec<f32>, fs: Option<f64>) -> InputStrip {
        InputStrip { name: "s".into(), signal, fs, beats: Some(vec![0, 60, 119]), units_known: false, notes: vec![] }
    }

    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.3).sin()).collect()
    }

    #[test]
    fn prepares_and_refuses() {
        let ok = prepare(&strip(wave(120), None), None, 100.0, 1.0).unwrap();
        assert_eq!((ok.signal.len(), ok.fs, ok.beats.as_deref()), (100, Some(100.0), Some(&[0, 60][..])));
        assert_eq!(ok.signal, wave(100));
        assert_eq!(ok.notes.len(), 2, "{:?}", ok.notes);
        let up = prepare(&strip(wave(120), Some(50.0)), Some(50.0), 100.0, 2.0).unwrap();
        assert_eq!((up.signal.len(), up.beats.unwrap()), (200, vec![0, 120]));

        let mut gap = wave(120);
        gap[110] = f32::NAN;
        assert!(prepare(&strip(gap.clone(), None), None, 100.0, 1.0).is_ok());
        gap[7] = f32::INFINITY;
        for (s, given, fs, part) in [
            (strip(gap, None), None, 100.0, "sample 7"),
            (strip(wave(99), None), None, 100.0, "99 samples"),
            (strip(vec![1.0; 100], None), None, 100.0, "flat"),
            (strip(vec![], None), None, 100.0, "no sample"),
            (strip(wave(100), Some(360.0)), Some(500.0), 100.0, "360 Hz"),
            (strip(wave(100), None), Some(0.0), 100.0, "positive rates"),
            (strip(wave(100), None), Some(f64::NAN), 100.0, "positive rates"),
            (strip(wave(100), None), None, -1.0, "-1 Hz"),
        ] {
            let e = prepare(&s, given, fs, 1.0).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{e}");
        }
    }

    #[test]
    fn records_with_a_start_time_and_files_with_an_at() {
        let dir = tempfile::tempdir().unwrap();
        let codes: Vec<u8> = (0..1000_i16).flat_map(|i| (i % 91).to_le_bytes()).collect();
        std::fs::write(dir.path().join("r.dat"), codes).unwrap();
        std::fs::write(dir.path().join("r.hea"), "r 1 100 1000\nr.dat 16 1/mV 0 0 0 0 0 V5\n").unwrap();
        std::fs::write(dir.path().join("a@2.txt"), "1\n2\n").unwrap();
        let at = |p: &str| read(&dir.path().join(p), "II");
        for p in ["r", "r.hea", "r.dat"] {
            let s = at(p).unwrap();
            assert_eq!((s.name.as_str(), s.signal.len(), s.fs), ("r", 1000, Some(100.0)), "{p}");
            assert!(s.notes[0].contains("V5 used"));
        }
        for p in ["r@2", "r.hea@2", "r.dat@2"] {
            let s = at(p).unwrap();
            assert_eq!((s.name.as_str(), s.signal.len(), s.signal[0]), ("r@2", 800, f32::from(200_i16 % 91)), "{p}");
        }
        assert_eq!(at("a@2.txt").unwrap().signal, [1.0, 2.0]);
        for p in ["r@10", "r@-1", "r@NaN", "r@x", "a@2.txt@1", "q", "q@1", "", "@3", "r.pdf"] {
            assert!(at(p).unwrap_err().to_string().contains("HINT"), "{p}");
        }
        std::fs::write(dir.path().join("m.hea"), "m 3 100 10\nr.dat 16 1 0 0 0 0 0 I\nr.dat 16\nr.dat 16\n").unwrap();
        assert!(at("m").unwrap_err().to_string().contains("no lead II"));
        std::fs::write(dir.path().join("r.atr"), [1]).unwrap();
        assert!(at("r").unwrap().notes.iter().any(|n| n.contains("r.atr")));
    }
}
