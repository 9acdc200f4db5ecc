//! The PhysioNet/CinC Challenge 2017: single-lead WFDB records of 9 to 60 s and a table of their labels.

use super::folder::{self, Label};
use super::notes::Note;
use super::{Context, Outcome, Sink, one_line, physionet};
use crate::ecg::Exclusion;
use crate::ecg::labels::{Rhythm, by_rate, challenge_2017};
use crate::ecg::wfdb::{Header, read_limited};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest table of labels that is read, in bytes.
const MAX_TABLE: u64 = 1 << 24;

pub(super) fn read(context: &Context, sink: &mut Sink) -> Result<()> {
    let mut account = Outcome::default();
    let headers = folder::find_headers(context, &mut account)?;
    let table = newest_table(&context.root, &mut account)?;
    let table_name = table.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut labels = read_table(&table)?;

    let mut items: Vec<(PathBuf, Label)> = Vec::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for header in headers {
        let id = context.record_id(&header);
        let name = folder::stem(&header);
        // the sample of validation records is part of the training records: the same names lie in two folders
        let label = if let Some(first) = places.get(&name) {
            Err(format!("the same record as {first}"))
        } else {
            labels.remove(&name).unwrap_or_else(|| Err(format!("has no label in {table_name}")))
        };
        places.entry(name).or_insert(id);
        items.push((header, label));
    }
    // those that RECORDS lists and that are missing are excluded already
    let known: Vec<&str> = account.exclusions.iter().filter_map(|e| e.record.rsplit('/').next()).collect();
    let unread: Vec<&String> = labels.keys().filter(|name| !known.contains(&name.as_str())).collect();
    let reason = format!("labelled in {table_name}, but there is no such record to read");
    match unread[..] {
        [] => {}
        [name] => account.exclusions.push(Exclusion::record(format!("{}/{name}", context.source), reason)),
        _ => account.exclusions.push(Exclusion::record(&context.source, reason).times(unread.len())),
    }
    if items.iter().any(|(_, label)| label.as_ref().is_ok_and(|rhythm| is_by_rate(context, *rhythm))) {
        let scheme = context.scheme.name;
        let what = "N names a normal rhythm, not its rate: its class of";
        account
            .notes
            .push(context.line(format_args!("{what} {scheme} is that of the rate of the R peaks found in the strip")));
    }
    sink(account)?;
    folder::in_order_labelled(context, &items, |path, rhythm| read_record(context, path, rhythm), sink)
}

fn read_record(context: &Context, path: &Path, rhythm: Rhythm) -> Result<Outcome, String> {
    let options = context.options;
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let record = context.record_id(path);
    // the one signal is named ECG, whatever lead it is
    let index = if header.signals.len() == 1 { Some(0) } else { header.lead(&options.lead) };
    let index = index.ok_or_else(|| header.no_lead(&options.lead))?;
    let mut out = physionet::strip(context, &header, record, index, rhythm, false)?;
    if is_by_rate(context, rhythm) {
        for strip in &mut out.strips {
            let beats: Vec<i64> = strip.r_peaks.iter().map(|&p| p.into()).collect();
            let rhythm = by_rate(&beats, options.fs)
                .ok_or("a normal rhythm (N) of fewer than two R peaks, whose rate decides")?;
            let class = context.scheme.class_of(rhythm).ok_or("its rate is of no class")?;
            strip.label_as(class);
        }
    }
    Ok(out)
}

/// `N` names a normal rhythm, at whatever rate.
fn is_by_rate(context: &Context, rhythm: Rhythm) -> bool {
    context.scheme.by_rate && rhythm == Rhythm::Sinus
}

/// The `REFERENCE*.csv` of the highest version; says which, if there are several.
fn newest_table(root: &Path, out: &mut Outcome) -> Result<PathBuf> {
    let fault = |e: std::io::Error| Error::file(root, format!("cannot list the folder: {e}"), "check its permissions");
    let mut found: Vec<(i64, String)> = Vec::new();
    for entry in std::fs::read_dir(root).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name().to_string_lossy().into_owned();
        if let Some(version) = version(&name) {
            found.push((version, name));
        }
    }
    found.sort();
    let Some((_, name)) = found.last() else {
        let what = "holds no REFERENCE*.csv, expected the table of labels beside the records";
        return Err(Error::file(root, what, "fetch REFERENCE-v3.csv of the database into this folder"));
    };
    if found.len() > 1 {
        out.notes.push(Note::Line(format!("{} tables of labels, {name} used", found.len())));
    }
    Ok(root.join(name))
}

/// Rank of a table of labels: `REFERENCE-original.csv` -1, `REFERENCE.csv` 0, `REFERENCE-v3.csv` 3.
fn version(name: &str) -> Option<i64> {
    let lower = name.to_ascii_lowercase();
    let middle = lower.strip_prefix("reference")?.strip_suffix(".csv")?;
    if middle.is_empty() {
        return Some(0);
    }
    Some(middle.strip_prefix("-v").and_then(|n| n.parse::<u32>().ok()).map_or(-1, i64::from))
}

/// Labels by record name.
fn read_table(path: &Path) -> Result<BTreeMap<String, Label>> {
    let bytes = read_limited(path, MAX_TABLE, "table of labels")?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|l| !l.is_empty());
    let rows = lines.map(|line| {
        let (name, label) = line.split_once(',').unwrap_or((line, ""));
        let bare = |cell: &str| cell.trim().trim_matches('"').trim().chars().take(100).collect::<String>();
        let label = match bare(label).as_str() {
            "~" => Err("noisy (~)".into()),
            other => challenge_2017(other).ok_or_else(|| format!("label `{other}`, expected N, A, O or ~")),
        };
        (bare(name), label)
    });
    let labels = folder::labels(rows, "labelled twice, differently");
    if labels.is_empty() {
        return Err(Error::file(path, "holds no label, expected lines such as `A00001,N`", "fetch it again"));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_tables() {
        let names = ["REFERENCE.csv", "REFERENCE-v3.csv", "REFERENCE-v10.csv", "REFERENCE-original.csv"];
        assert_eq!(names.map(version), [Some(0), Some(3), Some(10), Some(-1)]);
        assert_eq!(["RECORDS", "REFERENCE.txt", "my-REFERENCE.csv"].map(version), [None; 3]);
    }
}
