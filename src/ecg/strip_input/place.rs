//! What a path on the command line means: a file, or a record and a time.

use super::{npy, text};
use crate::ecg::resolve;
use crate::ecg::sources::stem;
use crate::ecg::wfdb::with_hea;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A file that can be read, and where its strip begins.
pub(super) struct Place {
    pub kind: Kind,
    pub file: PathBuf,
    /// Where to enter the record, s.
    pub start: f64,
    /// Name of the strip.
    pub name: String,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Npy,
    Text,
    /// The header.
    Wfdb(PathBuf),
}

impl Kind {
    /// Of a file that is there.
    pub fn of(path: &Path) -> Option<Self> {
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

    /// The samples of a file that holds nothing else.
    pub fn samples(&self, file: &Path) -> Result<Vec<f64>> {
        match self {
            Self::Npy => npy::read(file),
            Self::Text => text::read(file),
            Self::Wfdb(_) => Err(missing(file)),
        }
    }
}

/// The files that a record's path, with or without the extension, may mean; the first is meant. A WFDB record is named by its
/// header, and goes before others of the same name.
pub(crate) fn record_files(path: &Path) -> Vec<(PathBuf, Kind)> {
    let with = |extension: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let found = |file: PathBuf| match Kind::of(&file)? {
        Kind::Wfdb(header) => header.is_file().then(|| (header.clone(), Kind::Wfdb(header))),
        kind => Some((file, kind)),
    };
    match found(path.to_path_buf()) {
        Some(file) => vec![file],
        None => [".hea", ".npy", ".csv", ".txt"].map(with).into_iter().filter_map(found).collect(),
    }
}

/// Finds the file of a path such as `x.npy`, `201`, `201.hea@120` or `201@2:00`.
pub(super) fn locate(path: &Path) -> Result<Place> {
    let whole = |kind, file: PathBuf| Place { kind, name: stem(&file), file, start: 0.0 };
    let found = resolve(path);
    if let Some(kind) = Kind::of(&found) {
        return Ok(whole(kind, found));
    }
    // no such file: perhaps a record with a start time
    if let Some((file, written)) = path.to_str().and_then(|p| p.rsplit_once('@'))
        && let Some(start) = seconds_of(written)
    {
        let file = resolve_record(Path::new(file));
        if !(start.is_finite() && start >= 0.0) {
            let what = format!("start `{written}`, expected 0 s or more, minutes and seconds below 60");
            return Err(Error::file(path, what, "write e.g. 201.hea@120, or 201.hea@2:00 for two minutes"));
        }
        return match Kind::of(&file) {
            Some(kind @ Kind::Wfdb(_)) => {
                // seconds as they were written; a colon is no letter for the name of a file everywhere
                let time = if written.contains(':') { start.to_string() } else { written.to_string() };
                Ok(Place { kind, name: format!("{}@{time}", stem(&file)), file, start })
            }
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

/// Seconds of `120`, `2:00` or `1:02:03.5`; NaN where there are colons and the parts are no time, none where it is no
/// number at all.
fn seconds_of(written: &str) -> Option<f64> {
    let parts: Vec<&str> = written.split(':').collect();
    if let [seconds] = parts[..] {
        return seconds.parse().ok();
    }
    let whole = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (last, before) = parts.split_last()?;
    let fraction = last.split_once('.').map_or("0", |(_, f)| f);
    let seconds = last.split('.').next().unwrap_or_default();
    if !(whole(&seconds) && whole(&fraction) && before.iter().all(whole) && before.len() <= 2) {
        return Some(f64::NAN);
    }
    let below_60 = |text: &&str| text.parse::<f64>().is_ok_and(|v| v < 60.0);
    if !(below_60(last) && before.iter().skip(1).all(below_60)) {
        return Some(f64::NAN);
    }
    parts.iter().try_fold(0.0, |sum, part| Some(60.0 * sum + part.parse::<f64>().ok()?))
}

fn missing(path: &Path) -> Error {
    let hint = "check the path; .npy, .csv, .txt, WFDB records (.hea, .dat, .mat or the bare name) and folders of them \
                can be read";
    let what = if path.is_file() { "is no kind of strip that can be read" } else { "no such strip" };
    Error::file(path, what, hint)
}

/// `dir/100` may stand for `data root/dir/100.hea`.
fn resolve_record(path: &Path) -> PathBuf {
    let direct = resolve(path);
    if direct.exists() && !direct.is_dir() {
        return direct;
    }
    let header = resolve(&with_hea(path));
    if header.exists() { header } else { direct }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (written, seconds) in
            [("120", 120.0), ("2:00", 120.0), ("02:00.5", 120.5), ("1:02:03.5", 3723.5), ("90:00", 5400.0), ("0", 0.0)]
        {
            assert_eq!(seconds_of(written), Some(seconds), "{written}");
        }
        for written in ["1:60", "1:99:00", "1:2:3:4", ":30", "2:", "2:-1", "1:2e1", "-1:00", "a:b", "1.5:00"] {
            assert!(seconds_of(written).is_some_and(f64::is_nan), "{written}");
        }
        assert!(seconds_of("x").is_none() && seconds_of("").is_none());
    }
}
