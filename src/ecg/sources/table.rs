//! Recordings with a table of labels: `labels.csv` says which stretches of which records are of which class, and whose they
//! are. The way for labels of one's own, and for databases without rhythm annotations.

use super::folder;
use super::leads::{self, Place};
use super::mitbih::{Beats, check_ectopic};
use super::notes::{How, Note, count};
use super::{Context, Draft, Outcome, Sink, one_line, scaled_beats, separated_by};
use crate::ecg::labels::{self, Rhythm};
use crate::ecg::options::check_file_rate;
use crate::ecg::preprocessing::LongRecord;
use crate::ecg::strip_input::{FileKind, record_files};
use crate::ecg::wfdb::{Annotation, Header, Signal, annotation, read_limited, read_signal};
use crate::ecg::{Exclusion, Line};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The table of a source that names its folder.
pub(crate) const TABLE: &str = "labels.csv";
/// What a table is to look like.
const LAYOUT: &str = "expected a header row `record,start,end,class,patient` (start, end and patient may be left away) and a row \
                      for every labelled stretch, times in seconds";
/// The largest table that is read, in bytes.
const MAX_TABLE: u64 = 1 << 28;
/// Annotation files that may hold a record's beats, the first that has some decides: audited ones before automatic ones.
const BEATS: [&str; 3] = ["atr", "qrs", "pu0"];

/// The table of a source's path, which is its folder or the table itself.
pub(super) fn table_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(TABLE) } else { path.to_path_buf() }
}

/// A row of the table that names a record and a class.
#[derive(Debug)]
struct Row {
    line: u64,
    /// From and to, s; `None` where the cell is empty.
    span: [Option<f64>; 2],
    rhythm: Rhythm,
    /// The patient column, where it says something.
    patient: Option<String>,
}

/// The rows of one record, in the table's order.
#[derive(Debug)]
struct Record {
    path: PathBuf,
    kind: FileKind,
    rows: Vec<Row>,
}

pub(super) fn read(context: &Context, table: &Path, sink: &mut Sink) -> Result<()> {
    check_file_rate(context.options.csv_fs)?;
    folder::check_root(&context.root)?;
    match table.exists() {
        true => {}
        false if table.ends_with(TABLE) => return Err(Error::file(table, "there is no table of labels", LAYOUT)),
        false => return Err(Error::file(table, "no such folder of recordings or table of labels", folder::MISSING)),
    }
    let name = table.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut account = Outcome::default();
    let records = read_table(context, table, &name, &mut account)?;
    let rows: usize = records.iter().map(|r| r.rows.len()).sum();
    let patients: BTreeSet<&String> = records.iter().flat_map(|r| &r.rows).filter_map(|r| r.patient.as_ref()).collect();
    let of = match patients.len() {
        0 => String::new(),
        n => format!(" of {}", count(n, "patient", "patients")),
    };
    let (rows, files) = (count(rows, "row", "rows"), count(records.len(), "record", "records"));
    account.notes.push(context.line(format_args!("{name}: {rows} of {files}{of}")));
    sink(account)?;
    let id = |record: &Record| context.record_id(&record.path);
    folder::in_order(context, &records, id, |record| Ok(read_record(context, &name, record)), sink)
}

/// The table's rows by record. What keeps a row from being used is an exclusion; what keeps the table from being read, an
/// error.
fn read_table(context: &Context, path: &Path, name: &str, out: &mut Outcome) -> Result<Vec<Record>> {
    let bytes = read_limited(path, MAX_TABLE, "table of labels")?;
    let fault = |what: String| Error::file(path, what, LAYOUT);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii().is_empty() {
        return Err(fault("is empty".into()));
    }
    let mut csv = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text);
    let head = csv.byte_headers().map_err(|e| fault(format!("has no header row: {e}")))?.clone();
    let head: Vec<String> = head.iter().map(|cell| String::from_utf8_lossy(cell).to_lowercase()).collect();
    if let Some(sign) = separated_by(&head.join(",")) {
        return Err(fault(format!("its cells are separated by {sign}, expected commas")));
    }
    let column = |wanted: &str| {
        let mut places = head.iter().enumerate().filter(|(_, cell)| *cell == wanted).map(|(i, _)| i);
        match (places.next(), places.next()) {
            (_, Some(_)) => Err(fault(format!("has two columns `{wanted}`"))),
            (place, None) => Ok(place),
        }
    };
    let need = |wanted: &str| {
        column(wanted)?.ok_or_else(|| {
            let found: String = head.join(",").chars().take(100).collect();
            fault(format!("has no column `{wanted}` in its header row, found `{}`", found.escape_debug()))
        })
    };
    let (record_at, class) = (need("record")?, need("class")?);
    let [start, end, patient] = [column("start")?, column("end")?, column("patient")?];
    let known = [Some(record_at), Some(class), start, end, patient];
    let others: Vec<&str> = (0..head.len()).filter(|i| !known.contains(&Some(*i))).map(|i| head[i].as_str()).collect();
    if !others.is_empty() {
        out.notes.push(context.line(format_args!("{name}: columns not used: {}", others.join(", "))));
    }
    if let (Some(_), None) | (None, Some(_)) = (start, end) {
        let (lacks, rows) =
            if end.is_none() { ("end", "end with their record") } else { ("start", "begin with their record") };
        out.notes.push(context.line(format_args!("{name}: no column `{lacks}`: all rows {rows}")));
    }
    let mut places: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut records: Vec<Record> = Vec::new();
    let mut named: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut line = csv::ByteRecord::new();
    let (mut any, mut lines) = (false, Lines { text, at: 0, line: 1 });
    while csv.read_byte_record(&mut line).map_err(|e| fault(format!("cannot be read: {e}")))? {
        any = true;
        let cell = |at: Option<usize>| {
            let text = at.and_then(|at| line.get(at)).map(String::from_utf8_lossy).unwrap_or_default();
            text.chars().take(500).collect::<String>()
        };
        let number = lines.of(line.position().map_or(0, csv::Position::byte));
        let record = cell(Some(record_at));
        let mut exclude = |reason: String| {
            let id = format!("{}/{}", context.source, record.escape_debug());
            out.exclusions.push(Exclusion::row(id, reason).at(line_of(name, number)));
        };
        let surplus = line.iter().skip(head.len()).any(|cell| !cell.is_empty());
        if surplus || line.len() <= record_at.max(class) {
            exclude(format!("{} cells, expected {} as in the header row", line.len(), head.len()));
            continue;
        }
        let (path, kind, others) = match find_record(&context.root, &record) {
            Ok(found) => found,
            Err(reason) => {
                exclude(reason);
                continue;
            }
        };
        let read = || -> Result<Row, String> {
            let span = [("start", start), ("end", end)].map(|(what, at)| seconds(what, &cell(at)));
            let [from, to] = span;
            let rhythm = labels::of_table(context.scheme, &cell(Some(class)))?;
            let patient = Some(cell(patient)).filter(|p| !p.is_empty());
            Ok(Row { line: number, span: [from?, to?], rhythm, patient })
        };
        let row = match read() {
            Ok(row) => row,
            Err(reason) => {
                exclude(reason);
                continue;
            }
        };
        let (real, id) = (folder::real(&path), context.record_id(&path));
        let first = named.entry(id.clone()).or_insert_with(|| path.clone());
        if *first != path {
            let [own, first] = [&path, &*first].map(|p| p.file_name().unwrap_or_default().display().to_string());
            exclude(format!("{own} has the name of the record {first}: rename one of them"));
            continue;
        }
        if let Err(first) = context.claim(real.clone(), &id) {
            exclude(format!("the same file as {first}"));
            continue;
        }
        let place = *places.entry(real).or_insert_with(|| {
            if !others.is_empty() {
                let what = format!(
                    "{}: files of one name, the first is read: write the extension to name another",
                    context.source
                );
                out.notes.push(Note::Record { record: format!("{id} ({})", others.join(", ")), what });
            }
            records.push(Record { path, kind, rows: Vec::new() });
            records.len() - 1
        });
        let whose = records[place].rows.first();
        if let Some(first) = whose.filter(|first| first.patient != row.patient) {
            let [own, other] = [&row, first].map(|r| r.patient.as_deref().unwrap_or(""));
            exclude(format!("patient `{own}`, but the record is of `{other}` in line {}", first.line));
            continue;
        }
        records[place].rows.push(row);
    }
    if !any {
        return Err(fault("holds no row".into()));
    }
    records.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(records)
}

fn line_of(table: &str, line: u64) -> Line {
    Line { file: table.into(), line }
}

/// Counts lines on the way through a text: the reader's own count depends on how lines end.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line, from 1, of the row that begins at this byte or after the line ends there.
    fn of(&mut self, byte: u64) -> u64 {
        let from = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let blank = self.text[from..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let end = (from + blank).max(self.at);
        self.line += self.text[self.at..end].iter().filter(|b| **b == b'\n').count() as u64;
        self.at = end;
        self.line
    }
}

/// The file of a record that a row names, with or without its extension; and where several may be meant, their names.
fn find_record(root: &Path, name: &str) -> Result<(PathBuf, FileKind, Vec<String>), String> {
    let below = Path::new(name);
    if name.is_empty() {
        return Err("names no record".into());
    }
    if !below.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err("names a path outside its folder".into());
    }
    // rebuilt from its parts so that `./a` and `a` are one record
    let parts = below.components().filter(|c| *c != Component::CurDir);
    let path: PathBuf = root.components().chain(parts).collect();
    let found = record_files(&path);
    let file_name = |(file, _): &(PathBuf, FileKind)| file.file_name().unwrap_or_default().display().to_string();
    let several = if found.len() > 1 { found.iter().map(file_name).collect() } else { Vec::new() };
    let none = "there is no such record, expected a WFDB record or a .npy, .csv or .txt file";
    let (path, kind) = found.into_iter().next().ok_or(none)?;
    Ok((path, kind, several))
}

/// A time of the table.
fn seconds(what: &str, cell: &str) -> Result<Option<f64>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let shown = || cell.chars().take(30).collect::<String>().escape_debug().to_string();
    match cell.parse::<f64>() {
        Ok(v) if v < 0.0 => Err(format!("{what} {} is negative, expected 0 s or more", shown())),
        Ok(v) if v.is_finite() => Ok(Some(v)),
        _ => Err(format!("{what} is `{}`, expected a number of seconds", shown())),
    }
}

/// A record's signal and what is known beside it.
struct Contents {
    signal: Signal,
    /// Beats of its annotations, where it has some.
    beats: Option<Beats>,
    /// Its header, and which of its signals that is; `None` for a file of another format.
    header: Option<(Header, usize)>,
}

fn contents(context: &Context, record: &Record, id: &str, out: &mut Outcome) -> Result<Contents, String> {
    let options = context.options;
    let FileKind::Wfdb(header) = &record.kind else {
        // the row names the record: of several files the reason is one
        let mv = record.kind.samples(&record.path).map_err(|e| match e {
            Error::File { what, hint, .. } => format!("{what} ({hint})"),
            e => one_line(&e),
        })?;
        let signal = Signal { mv, fs: options.csv_fs, warnings: Vec::new() };
        out.notes.push(Note::Record { record: id.into(), what: context.rate_note() });
        return Ok(Contents { signal, beats: None, header: None });
    };
    let header = Header::read(header).map_err(|e| one_line(&e))?;
    let wanted = header.lead(&options.lead);
    let index = wanted.unwrap_or_else(|| header.substitute());
    let signal = read_signal(&header, index, options.strict).map_err(|e| one_line(&e))?;
    if wanted.is_none() {
        out.notes.push(Note::OtherLead { record: id.into(), used: header.signal_name(index) });
    }
    let integrity = |what: &String| Note::Integrity { record: id.into(), what: what.clone() };
    out.notes.extend(signal.warnings.iter().map(integrity));
    let mut beats = None;
    for extension in BEATS {
        match annotation::with_beats(&header, index, extension) {
            Ok(None) => continue,
            Ok(Some(found)) => {
                let what = format!("{}: R peaks from .{extension}", context.source);
                out.notes.push(Note::Record { record: id.into(), what });
                beats = Some(Beats::new(found));
                break;
            }
            Err(e) => out.notes.push(Note::Record {
                record: format!("{id} ({})", one_line(&e)),
                what: format!("{}: annotations that cannot be read", context.source),
            }),
        }
    }
    Ok(Contents { signal, beats, header: Some((header, index)) })
}

/// The windows of all rows of a record, which is read once.
fn read_record(context: &Context, table: &str, record: &Record) -> Outcome {
    let id = context.record_id(&record.path);
    let mut out = Outcome::default();
    let mut outcome = || -> Result<(), String> {
        let Contents { signal: Signal { mv, fs, .. }, beats, header } = contents(context, record, &id, &mut out)?;
        let length = context.options.seconds * fs;
        if length < 2.0 {
            return Err(format!("{} s are less than two samples at {fs} Hz", context.options.seconds));
        }
        let whole = LongRecord::new(&context.preprocessing, &mv, fs)?;
        if beats.is_none() {
            let what = format!("{}: R peaks detected", context.source);
            out.notes.push(Note::Record { record: id.clone(), what });
        }
        let own = record.rows.first().and_then(|row| row.patient.clone());
        let (patient, note) = match own {
            // the column's keys are taken as they stand: one person may be in several tables
            Some(patient) => {
                let (source, how) = (context.source.clone(), How::Table);
                (patient.clone(), Note::Patient { source, record: id.clone(), patient, how })
            }
            None => match &header {
                Some((header, _)) => context.patient_of_header(&id, &header.name, &header.comments),
                None => context.patient(&id, &[]),
            },
        };
        let (mut taken, mut kept) = (Vec::new(), Vec::new());
        for row in &record.rows {
            let at = line_of(table, row.line);
            let [start, end] = match stretch(row.span, mv.len(), fs, length, &mut taken) {
                Ok(stretch) => stretch,
                Err(reason) => {
                    out.exclusions.push(Exclusion::row(&id, reason).at(at));
                    continue;
                }
            };
            let windows = ((end - start + 0.5) / length) as usize;
            let rest = (end - start - windows as f64 * length) / fs;
            if rest * fs > 0.5 {
                let what = format!("{}: {table}: the end of a row is too short for a window", context.source);
                out.notes.push(Note::Record { record: format!("{id}, line {} ({rest:.3} s)", row.line), what });
            }
            for k in 0..windows {
                let edge = |k: usize| (start + k as f64 * length).round() as i64;
                // half a sample beyond the record is no sample
                let over = (edge(k + 1) - mv.len() as i64).max(0);
                let (from, to) = (edge(k) - over, edge(k + 1) - over);
                let window = format!("{id}@{:.3}", from as f64 / fs);
                let strip = || -> Result<_, String> {
                    let own = beats.as_ref().map(|beats| beats.inside(from, to));
                    check_ectopic(own.unwrap_or_default(), context.options.ectopic_keep)?;
                    let (at, x) = whole.window(from, to)?;
                    let samples = |own: &[Annotation]| own.iter().map(|b| b.sample).collect::<Vec<_>>();
                    let beats = own.map(|own| scaled_beats(&samples(own), context.options.fs / fs, at, x.len()));
                    let (id, patient) = (window.clone(), patient.clone());
                    context.strip(Draft { id, patient, rhythm: row.rhythm, x, in_mv: header.is_some(), beats })
                };
                match strip() {
                    Ok(strip) => {
                        out.strips.push(strip);
                        kept.push((from, to));
                    }
                    Err(reason) => out.exclusions.push(Exclusion::strip(&window, reason).at(at.clone())),
                }
            }
        }
        if !out.strips.is_empty() {
            out.notes.push(note);
        }
        if let Some((header, index)) = &header {
            leads::add(context, header, *index, &id, &Place::Windows(&kept, fs), &mut out);
        }
        Ok(())
    };
    if let Err(reason) = outcome() {
        let of = |row: &Row| Exclusion::row(&id, &reason).at(line_of(table, row.line));
        out.exclusions = record.rows.iter().map(of).collect();
        out.strips.clear();
    }
    out
}

/// From and to of a row in samples (they may be fractional), among those of earlier rows in `taken`, in order of time.
fn stretch(
    span: [Option<f64>; 2],
    samples: usize,
    fs: f64,
    length: f64,
    taken: &mut Vec<[f64; 2]>,
) -> Result<[f64; 2], String> {
    let start = span[0].map_or(0.0, |s| s * fs);
    let end = span[1].map_or(samples as f64, |s| s * fs);
    let exact = |seconds: f64| (1000.0 * seconds).round() / 1000.0;
    let said = format!("from {} s to {} s", exact(start / fs), exact(end / fs));
    if span[1].is_some() && end <= start {
        return Err(format!("{said}, expected an end after the start"));
    }
    if end > samples as f64 + 0.5 || start >= samples as f64 {
        return Err(format!("{said} is beyond the end of the record at {} s ({fs} Hz)", exact(samples as f64 / fs)));
    }
    if end - start + 0.5 < length {
        let (have, seconds) = ((end - start) / fs, length / fs);
        return Err(format!("too short: {have:.3} s at {fs} Hz, expected {seconds} s"));
    }
    let place = taken.partition_point(|t| t[0] < start);
    let overlaps = |t: &[f64; 2]| start + 0.5 < t[1] && t[0] + 0.5 < end;
    let near = [place.checked_sub(1), Some(place)].into_iter().flatten().filter_map(|i| taken.get(i));
    if let Some(other) = near.into_iter().find(|t| overlaps(t)) {
        let other = format!("from {} s to {} s", exact(other[0] / fs), exact(other[1] / fs));
        return Err(format!("{said} overlaps an earlier row of the record, {other}"));
    }
    taken.insert(place, [start, end]);
    Ok([start, end])
}
