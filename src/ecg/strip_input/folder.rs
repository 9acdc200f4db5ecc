//! A folder on the command line: the recordings that it holds.

use super::place::Kind;
use super::text;
use crate::ecg::prepared::EXCLUSIONS;
use crate::ecg::resolve;
use crate::ecg::sources::{self, Source};
use crate::ecg::wfdb::with_hea;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The recordings that a path means: itself, or of a folder all that [`super::read`] can read, at any depth, in order
/// of their paths. Also gives lines worth printing.
///
/// WFDB records are those that the folder's `RECORDS` lists, or all. Beside records, text files are often about them: one
/// that holds other things than numbers is left out with a note; the program's own, a table of labels or of exclusions, are no
/// recordings and not mentioned.
pub fn expand(path: &Path) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let folder = resolve(path);
    // `dir/100` is the record where there is a folder of that name as well
    let record = resolve(&with_hea(path));
    if !folder.is_dir() || record.is_file() {
        return Ok((vec![path.to_path_buf()], Vec::new()));
    }
    let hidden = |file: &Path| {
        let below = file.strip_prefix(&folder).unwrap_or(file);
        below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
    };
    let own = |file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name == sources::TABLE || name.split_once('.').is_some_and(|(_, ending)| ending.ends_with(EXCLUSIONS))
    };
    let files: Vec<PathBuf> =
        sources::walk(&folder, &|file| !hidden(file) && !own(file))?.files.into_values().collect();
    let mut notes = Vec::new();
    let mut found: Vec<PathBuf> = Vec::new();
    if files.iter().any(|f| f.extension().is_some_and(|e| e.eq_ignore_ascii_case("hea"))) {
        let (headers, _, left_out) = sources::record_headers(&Source::new(sources::Kind::Wfdb, &folder))?;
        notes.extend(left_out.iter().map(|e| format!("{}: {}", e.record, e.reason)));
        found.extend(headers);
    }
    let records = !found.is_empty();
    for file in files {
        match Kind::of(&file) {
            Some(Kind::Npy) => found.push(file),
            Some(Kind::Text) => match text::read(&file) {
                Err(e) if records => notes.push(format!("not a strip, left out: {}", sources::one_line(&e))),
                _ => found.push(file),
            },
            _ => {}
        }
    }
    if found.is_empty() {
        let what = "is a folder without recordings (.npy, .csv, .txt or .hea at any depth)";
        return Err(Error::file(path, what, "name the folder that holds the strips or records"));
    }
    found.sort();
    Ok((found, notes))
}
