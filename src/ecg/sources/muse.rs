//! Chapman's figshare layout: a CSV file per record (5000 rows, 12 leads, microvolt, no header row) and
//! `Diagnostics.xlsx`, the table of their rhythms.

mod xlsx;

use super::folder::{self, Label};
use super::notes::count;
use super::{Context, Draft, Outcome, Sink, one_line};
use crate::ecg::labels::{Rhythm, chapman_acronym};
use crate::ecg::wfdb::{find_lead, read_limited};
use crate::ecg::{Exclusion, Line};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The table's name.
const TABLE: &str = "Diagnostics.xlsx";
/// Of several files for one record, that in this folder is read.
const PREFERRED: &str = "ECGDataDenoised";
/// The largest record file that is read, in bytes; a published one has 500,000.
const MAX_RECORD: u64 = 1 << 24;
/// Sampling rate, Hz.
const FS: f64 = 500.0;
/// The columns of a record file.
const LEADS: [&str; 12] = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];

pub(super) fn read(context: &Context, sink: &mut Sink) -> Result<()> {
    let root = &context.root;
    folder::check_root(root)?;
    let table = root.join(TABLE);
    if !table.is_file() {
        return Err(Error::file(
            root,
            format!("holds no {TABLE}, expected the table of rhythms beside the records"),
            "name the folder with Diagnostics.xlsx and ECGDataDenoised/ of figshare's collection 4560497",
        ));
    }
    let mut account = Outcome::default();
    let found = folder::walk(root, &|path| path.extension().is_some_and(|e| e == "csv"))?;
    if found.files.is_empty() {
        let what = "holds no record (no .csv file at any depth)";
        return Err(Error::file(root, what, "unpack ECGDataDenoised.zip beside Diagnostics.xlsx"));
    }
    let mut labels = rhythms(xlsx::two_columns(&table, ["FileName", "Rhythm"])?);
    found.note(context, &mut account);
    let files = folder::once(context, found.files, &mut account);
    let mut items: Vec<(PathBuf, Label)> = Vec::new();
    for (name, path) in one_file_each(context, files, &mut account) {
        let label = labels.remove(&name).unwrap_or_else(|| Err(format!("is not in {TABLE}")));
        items.push((path, label));
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    if !labels.is_empty() {
        let reason = format!("listed in {TABLE}, but there is no file");
        account.exclusions.push(Exclusion::record(&context.source, reason).times(labels.len()));
    }
    sink(account)?;
    let lead = find_lead(LEADS, &context.options.lead);
    folder::in_order_labelled(context, &items, |path, rhythm| read_record(context, path, rhythm, lead), sink)
}

/// Rhythm of each record name.
fn rhythms(rows: Vec<[String; 2]>) -> BTreeMap<String, Label> {
    let rows = rows.into_iter().map(|[name, rhythm]| {
        let label = chapman_acronym(&rhythm).ok_or_else(|| format!("rhythm `{rhythm}` is not known"));
        (name.trim_end_matches(".csv").to_string(), label)
    });
    folder::labels(rows, &format!("two rows of {TABLE} differ in its rhythm"))
}

/// One file for each record name; says how many names have several.
fn one_file_each(context: &Context, files: BTreeSet<PathBuf>, out: &mut Outcome) -> BTreeMap<String, PathBuf> {
    let preferred = |path: &Path| path.components().any(|c| c.as_os_str() == PREFERRED);
    let mut chosen: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut several = BTreeSet::new();
    for path in files {
        let name = folder::stem(&path);
        if let Some(other) = chosen.get(&name) {
            several.insert(name.clone());
            if preferred(other) || !preferred(&path) {
                continue;
            }
        }
        chosen.insert(name, path);
    }
    if !several.is_empty() {
        let records = count(several.len(), "record has", "records have");
        out.notes
            .push(context.line(format_args!("{records} several files, that in {PREFERRED} (else the first) is read")));
    }
    chosen
}

fn read_record(context: &Context, path: &Path, rhythm: Rhythm, lead: Option<usize>) -> Result<Outcome, String> {
    let lead = lead.ok_or_else(|| format!("no lead {}, found {}", context.options.lead, LEADS.join(", ")))?;
    let bytes = read_limited(path, MAX_RECORD, "record").map_err(|e| one_line(&e))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "is no UTF-8 text")?;
    let id = context.record_id(path);
    let mv = match samples(text, lead) {
        Ok(mv) => mv,
        Err((line, reason)) => {
            let file = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            let exclusions = vec![Exclusion::record(id, reason).at(Line { file, line })];
            return Ok(Outcome { exclusions, ..Outcome::default() });
        }
    };
    let x = context.preprocessing.first_strip(mv, FS)?;
    let (patient, note) = context.patient(&id, &[]);
    let draft = Draft { patient, id, rhythm, x, in_mv: true, beats: None };
    Ok(Outcome { strips: vec![context.strip(draft)?], notes: vec![note], ..Outcome::default() })
}

/// One lead in mV; NaN for an empty cell. Or the line that has none, and why.
fn samples(text: &str, lead: usize) -> Result<Vec<f64>, (u64, String)> {
    let mut mv = Vec::new();
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    for (i, line) in lines {
        let columns = 1 + line.bytes().filter(|&b| b == b',').count();
        if columns != LEADS.len() {
            return Err((i as u64 + 1, format!("{columns} cells, expected {} leads", LEADS.len())));
        }
        let cell = line.split(',').nth(lead).unwrap_or_default().trim();
        let value = if cell.is_empty() { Some(f64::NAN) } else { cell.parse::<f64>().ok() };
        let value = value.ok_or_else(|| {
            let shown: String = cell.chars().take(30).collect();
            (i as u64 + 1, format!("holds `{}`, expected a number in microvolt", shown.escape_debug()))
        })?;
        mv.push(value * 1e-3);
    }
    Ok(mv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_lead() {
        let line = "1,-2000, 3,4,5,6,7,8,9,10,11,12";
        assert_eq!(samples(&format!("{line}\r\n\r\n{line}"), 1).unwrap(), [-2.0, -2.0]);
        assert!(samples(&line.replace("-2000", ""), 1).unwrap()[0].is_nan());
        let (at, reason) = samples("I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6", 1).unwrap_err();
        assert!(at == 1 && reason.contains("holds `II`"), "{reason}");
        let (at, reason) = samples(&format!("{line}\n1,2"), 1).unwrap_err();
        assert!(at == 2 && reason.contains("2 cells"), "{reason}");
    }

    #[test]
    fn rows_of_the_table() {
        let rows = [["a", "AF"], ["b.csv", "SR"], ["c", "SR"], ["c", "SB"], ["d", "XY"], ["a", "AFIB"]];
        let labels = rhythms(rows.map(|r| r.map(String::from)).to_vec());
        assert_eq!((&labels["a"], &labels["b"]), (&Ok(Rhythm::Fibrillation), &Ok(Rhythm::Sinus)));
        assert!(labels["c"].as_ref().unwrap_err().contains("two rows"));
        assert!(labels["d"].as_ref().unwrap_err().contains("`XY`"));
    }
}
