//! The EXGnet authors' single-lead files: a header row, then one row per strip with its samples, 17 features and
//! one-hot classes.
//!
//! The text (0.5 to 1.5 GB) is never in memory: some lines are read, rayon parses them, and their strips go to the sink
//! before the next are read.

mod columns;

use super::notes::Note;
use super::{Context, Draft, Outcome, Progress, Sink, folder};
use crate::ecg::Exclusion;
use crate::ecg::labels::{self, Rhythm};
use crate::ecg::options::{check_file_rate, strip_samples};
use crate::error::{Error, Result};
use columns::{Column, Columns};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The longest line that is read, in bytes, and about as much as is read at once. A published row has about 45,000.
const MAX_LINE: u64 = 4 << 20;

/// Most rows that are read at once.
const AT_ONCE: usize = 256;

/// Faulty rows that are listed one by one; beyond, they are counted, so that a file of another kind with millions of
/// lines does not fill the memory.
const MAX_LISTED: usize = 20_000;

pub(super) fn read(context: &Context, sink: &mut Sink) -> Result<()> {
    let path = &context.root;
    let csv_fs = context.options.csv_fs;
    check_file_rate(csv_fs)?;
    let unreadable = |e: std::io::Error| Error::file(path, format!("cannot be read: {e}"), folder::MISSING);
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Error::file(path, "is no plain file, expected a CSV file", "name the file, not its folder"));
    }
    if let Err(first) = context.claim(folder::real(path), &context.source) {
        return Err(Error::config(format!("{} is the same file as {first}", path.display()), "name every file once"));
    }
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    (context.watch)(Progress::Begin { source: context.source.clone(), total: meta.len(), bytes: true });

    let hint = "expected a header row (0, 1, 2, ..., features, classes) and one row a strip; fetch the file again";
    let (mut columns, mut row, mut listed, mut unlisted) = (None, 0, 0, 0);
    loop {
        let (lines, bytes) = some_lines(&mut file).map_err(unreadable)?;
        if bytes == 0 {
            break;
        }
        (context.watch)(Progress::Advance(bytes));
        let mut lines = &lines[..];
        if columns.is_none() {
            let Some((first, rest)) = lines.split_first() else { continue };
            let header = first.as_ref().ok_or_else(|| {
                let what = format!("its first line is longer than {} MB, expected the header row", MAX_LINE >> 20);
                Error::file(path, what, "check that this is a CSV file with one row a strip")
            })?;
            let header = Columns::parse(path, header)?;
            let notes = header.notes(uses_whole_row(context, &header));
            let notes = notes.into_iter().map(|text| context.line(text)).chain([Note::Line(context.rate_note())]);
            let notes = notes.collect();
            sink(Outcome { notes, ..Outcome::default() })?;
            (columns, lines) = (Some(header), rest);
        }
        let Some(columns) = &columns else { continue };
        let read = |(i, line): (usize, &Option<Vec<u8>>)| {
            let id = format!("{}/row-{:06}", context.source, row + 1 + i);
            let too_long = || format!("the line is longer than {} MB", MAX_LINE >> 20);
            let strip = line.as_ref().ok_or_else(too_long).and_then(|line| read_row(context, columns, &id, line));
            strip.unwrap_or_else(|reason| Outcome::excluded(id, reason))
        };
        let outcomes: Vec<Outcome> = lines.par_iter().enumerate().map(read).collect();
        row += lines.len();
        for mut outcome in outcomes {
            let room = MAX_LISTED - listed;
            unlisted += outcome.exclusions.len().saturating_sub(room);
            outcome.exclusions.truncate(room);
            listed += outcome.exclusions.len();
            sink(outcome)?;
        }
    }
    if columns.is_none() {
        return Err(Error::file(path, "is empty", hint));
    }
    if row == 0 {
        return Err(Error::file(path, "holds a header row but no strip", hint));
    }
    if unlisted > 0 {
        let reason = format!("faulty rows beyond the {MAX_LISTED} listed");
        let exclusions = vec![Exclusion::record(&context.source, reason).times(unlisted)];
        sink(Outcome { exclusions, ..Outcome::default() })?;
    }
    Ok(())
}

/// The next lines that are not blank, `None` for one that is too long, and how many bytes were read; 0 at the end.
fn some_lines(from: &mut impl BufRead) -> std::io::Result<(Vec<Option<Vec<u8>>>, u64)> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while bytes < MAX_LINE && lines.len() < AT_ONCE {
        let mut line = Vec::new();
        let read = from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            break;
        }
        bytes += read;
        if read == MAX_LINE && !line.ends_with(b"\n") {
            bytes += from.skip_until(b'\n')? as u64;
            lines.push(None);
        } else if !line.trim_ascii().is_empty() {
            lines.push(Some(line));
        }
    }
    Ok((lines, bytes))
}

/// The file's features are those of a strip only if the strip is the whole row.
fn uses_whole_row(context: &Context, columns: &Columns) -> bool {
    columns.samples == strip_samples(context.options.csv_fs, context.options.seconds)
}

/// What a row says.
struct Row {
    /// At the file's rate, in a unit that it does not name; NaN where a cell is empty.
    x: Vec<f64>,
    features: [Option<f32>; 17],
    rhythms: Vec<Rhythm>,
}

fn read_row(context: &Context, columns: &Columns, id: &str, line: &[u8]) -> Result<Outcome, String> {
    let Row { x, features, rhythms } = parse_row(columns, line)?;
    let (rhythm, conflict) = labels::deciding(&rhythms).ok_or("no class")?;
    let used = (context.options.seconds * context.options.csv_fs).ceil() as usize;
    if let Some(i) = x.iter().take(used).position(|v| v.is_nan()) {
        return Err(format!("missing sample (first in column `{i}`)"));
    }
    let x = context.preprocessing.first_strip(x, context.options.csv_fs)?;
    let (patient, note) = context.patient(id, &[]);
    let draft = Draft { id: id.into(), patient, rhythm, x, in_mv: false, beats: None };
    let mut strip = context.strip(draft)?;
    if uses_whole_row(context, columns) {
        for (own, published) in strip.features.iter_mut().zip(features) {
            *own = published.unwrap_or(*own);
        }
    }
    let notes = std::iter::once(note).chain(conflict.then_some(Note::Conflict)).collect();
    Ok(Outcome { strips: vec![strip], notes, ..Outcome::default() })
}

fn parse_row(columns: &Columns, line: &[u8]) -> Result<Row, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is no UTF-8 text")?;
    if text.contains('"') {
        let cells = columns::cells(line).ok_or("cannot be split into cells")?;
        row_of(columns, cells.len(), cells.iter())
    } else {
        // many times as fast; counted before anything is allocated for it
        row_of(columns, 1 + text.matches(',').count(), text.split(','))
    }
}

fn row_of<'a>(columns: &Columns, count: usize, cells: impl Iterator<Item = &'a str>) -> Result<Row, String> {
    if count != columns.kinds.len() {
        return Err(format!("{count} cells, expected {} as in the header row", columns.kinds.len()));
    }
    let mut row = Row { x: vec![f64::NAN; columns.samples], features: [None; 17], rhythms: Vec::new() };
    for (i, (cell, kind)) in cells.zip(&columns.kinds).enumerate() {
        let wrong = |expected: &str| {
            let shown: String = cell.trim().chars().take(30).collect();
            format!("column `{}` holds `{}`, expected {expected}", columns.names[i], shown.escape_debug())
        };
        match *kind {
            Column::Sample(at) => {
                let value = number(cell).filter(|v| !v.is_infinite()).ok_or_else(|| wrong("a number"))?;
                row.x[at as usize] = value;
            }
            Column::Feature(at) => {
                let value = number(cell).ok_or_else(|| wrong("a number"))? as f32;
                // as everywhere, a quotient with a zero below is NaN
                row.features[usize::from(at)] = Some(if value.is_finite() { value } else { f32::NAN });
            }
            Column::Class(rhythm) => {
                if one_hot(cell).ok_or_else(|| wrong("0 or 1"))? {
                    row.rhythms.push(rhythm);
                }
            }
            Column::Ignored => {}
        }
    }
    Ok(row)
}

/// A number; NaN for an empty cell or one of the usual words for it.
fn number(cell: &str) -> Option<f64> {
    let bare = columns::bare(cell);
    let missing = || ["", "na", "n/a", "null", "none"].iter().any(|w| bare.eq_ignore_ascii_case(w));
    bare.parse().ok().or_else(|| missing().then_some(f64::NAN))
}

fn one_hot(cell: &str) -> Option<bool> {
    match number(cell) {
        Some(value) if value.is_nan() || value == 0.0 => Some(false),
        Some(value) => (value == 1.0).then_some(true),
        None => ["false", "true"].iter().position(|w| columns::bare(cell).eq_ignore_ascii_case(w)).map(|i| i == 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        assert_eq!(["1", " 1.0 ", "True", "1e0", "\" 1\""].map(one_hot), [Some(true); 5]);
        assert_eq!(["0", "", "0.0", "nan", "FALSE"].map(one_hot), [Some(false); 5]);
        assert_eq!(["2", "x", "-1", "inf"].map(one_hot), [None; 4]);
        assert_eq!([" -2.5\t", "1e3", ".5"].map(number), [Some(-2.5), Some(1e3), Some(0.5)]);
        assert_eq!(["1,5", "\0", ".", "-", "1.2.3"].map(number), [None; 5]);
        assert!(["", "  ", "NaN", "null", "None"].iter().all(|c| number(c).unwrap().is_nan()));
    }

    #[test]
    fn long_lines_are_passed_over() {
        let long = "x".repeat(MAX_LINE as usize);
        let text = format!("ab\n{long}x\nc\r\n\n{long}");
        let mut from = text.as_bytes();
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Ok((lines, read @ 1..)) = some_lines(&mut from) {
            found.extend(lines);
            bytes += read;
        }
        assert_eq!((bytes, found.len()), (text.len() as u64, 4));
        assert_eq!((&found[0], &found[1], &found[3]), (&Some(b"ab\n".to_vec()), &None, &None));
    }
}
