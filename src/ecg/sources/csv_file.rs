//! The EXGnet authors' single-lead files: a header row, then one row per strip with its samples, 17 features and
//! one-hot classes.
//!
//! The text (0.5 to 1.5 GB) is never in memory: one buffer holds as many whole lines as fit, rayon parses them, and
//! their strips go to the sink before the buffer is filled again.

mod columns;
mod lines;

use super::notes::Note;
use super::{Context, Draft, Outcome, Progress, Sink, folder};
use crate::ecg::dataset::{Exclusion, strip_samples};
use crate::ecg::labels::{self, Rhythm};
use crate::error::{Error, Result};
use columns::{Column, Columns};
use lines::{Lines, Piece};
use rayon::prelude::*;
use std::fs::File;

/// The longest line that is read, and the size of the buffer, in bytes. A published row has about 45,000.
const MAX_LINE: usize = 4 << 20;

/// Rows whose outcomes are held at once.
const AT_ONCE: usize = 256;

/// Faulty rows that are listed one by one; beyond, they are counted, so that a file of another kind with millions of
/// lines does not fill the memory.
const MAX_LISTED: usize = 20_000;

pub(super) fn read(context: &Context, sink: &mut Sink) -> Result<()> {
    let path = &context.root;
    let csv_fs = context.options.csv_fs;
    if !(20.0..=100_000.0).contains(&csv_fs) {
        return Err(Error::config(
            format!("csv_fs is {csv_fs} Hz, expected 20 to 100000"),
            "give the rate of the file",
        ));
    }
    let unreadable = |e: std::io::Error| Error::file(path, format!("cannot be read: {e}"), folder::MISSING);
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Error::file(path, "is no plain file, expected a CSV file", "name the file, not its folder"));
    }
    if let Err(first) = context.claim(folder::real(path), &context.source) {
        return Err(Error::config(format!("{} is the same file as {first}", path.display()), "name every file once"));
    }
    let file = File::open(path).map_err(unreadable)?;
    (context.watch)(Progress::Begin { source: context.source.clone(), total: meta.len(), bytes: true });

    let mut table = Table { context, columns: None, row: 0, listed: 0, unlisted: 0 };
    let mut lines = Lines::new(file, MAX_LINE);
    while let Some((piece, bytes)) = lines.next().map_err(unreadable)? {
        match piece {
            Piece::Lines(text) => table.read_lines(text, sink)?,
            Piece::TooLong => table.too_long(sink)?,
        }
        (context.watch)(Progress::Advance(bytes));
    }
    table.finish(sink)
}

/// How far reading has come.
struct Table<'a> {
    context: &'a Context<'a>,
    /// Known once the header row was read.
    columns: Option<Columns>,
    /// Number of the last row; the first below the header is 1.
    row: usize,
    /// Faulty rows told one by one.
    listed: usize,
    /// Faulty rows beyond [`MAX_LISTED`].
    unlisted: usize,
}

impl Table<'_> {
    /// Whole lines; the first line of the file is the header.
    fn read_lines(&mut self, text: &[u8], sink: &mut Sink) -> Result<()> {
        let mut lines = text.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty());
        if self.columns.is_none() {
            let Some(line) = lines.next() else { return Ok(()) };
            self.header(line, sink)?;
        }
        let mut some = Vec::with_capacity(AT_ONCE);
        loop {
            some.clear();
            some.extend(lines.by_ref().take(AT_ONCE));
            if some.is_empty() {
                return Ok(());
            }
            self.read_rows(&some, sink)?;
        }
    }

    fn read_rows(&mut self, rows: &[&[u8]], sink: &mut Sink) -> Result<()> {
        let Some(columns) = &self.columns else { return Ok(()) };
        let (context, before) = (self.context, self.row);
        let read = |(i, line): (usize, &&[u8])| {
            let id = row_id(context, before + 1 + i);
            read_row(context, columns, &id, line).unwrap_or_else(|reason| Outcome::excluded(id, reason))
        };
        let outcomes: Vec<Outcome> = rows.par_iter().enumerate().map(read).collect();
        self.row += rows.len();
        outcomes.into_iter().try_for_each(|outcome| self.hand_on(outcome, sink))
    }

    fn too_long(&mut self, sink: &mut Sink) -> Result<()> {
        if self.columns.is_none() {
            return Err(Error::file(
                &self.context.root,
                format!("its first line is longer than {} MB, expected the header row", MAX_LINE >> 20),
                "check that this is a CSV file with one row a strip",
            ));
        }
        self.row += 1;
        let reason = format!("the line is longer than {} MB", MAX_LINE >> 20);
        self.hand_on(Outcome::excluded(row_id(self.context, self.row), reason), sink)
    }

    /// To the sink, but for faulty rows beyond the limit.
    fn hand_on(&mut self, mut outcome: Outcome, sink: &mut Sink) -> Result<()> {
        let room = MAX_LISTED - self.listed;
        self.unlisted += outcome.exclusions.len().saturating_sub(room);
        outcome.exclusions.truncate(room);
        self.listed += outcome.exclusions.len();
        sink(outcome)
    }

    fn header(&mut self, line: &[u8], sink: &mut Sink) -> Result<()> {
        let context = self.context;
        let columns = Columns::parse(&context.root, line)?;
        let notes = columns.notes(&context.source, uses_whole_row(context, &columns));
        self.columns = Some(columns);
        sink(Outcome { notes: notes.into_iter().map(Note::Line).collect(), ..Outcome::default() })
    }

    fn finish(self, sink: &mut Sink) -> Result<()> {
        let path = &self.context.root;
        let hint = "expected a header row (0, 1, 2, ..., features, classes) and one row a strip; fetch the file again";
        if self.columns.is_none() {
            return Err(Error::file(path, "is empty", hint));
        }
        if self.row == 0 {
            return Err(Error::file(path, "holds a header row but no strip", hint));
        }
        if self.unlisted > 0 {
            let reason = format!("{} records: faulty rows beyond the {MAX_LISTED} listed", self.unlisted);
            sink(Outcome::excluded(&self.context.source, reason))?;
        }
        Ok(())
    }
}

fn row_id(context: &Context, row: usize) -> String {
    format!("{}/row-{row:06}", context.source)
}

/// The file's features are those of a strip only if the strip is the whole row.
fn uses_whole_row(context: &Context, columns: &Columns) -> bool {
    columns.samples == strip_samples(context.options.csv_fs, context.options.seconds)
}

/// What a row says.
struct Row {
    /// mV at the file's rate; NaN where a cell is empty.
    x: Vec<f64>,
    features: [Option<f32>; 17],
    rhythms: Vec<Rhythm>,
}

fn read_row(context: &Context, columns: &Columns, id: &str, line: &[u8]) -> Result<Outcome, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is no UTF-8 text")?;
    let Row { x, features, rhythms } = parse_row(columns, text.trim_end_matches('\r'))?;
    let (rhythm, conflict) = labels::deciding(&rhythms).ok_or("no class")?;
    let used = (context.options.seconds * context.options.csv_fs).ceil() as usize;
    if let Some(i) = x.iter().take(used).position(|v| v.is_nan()) {
        return Err(format!("missing sample (first in column `{i}`)"));
    }
    let x = context.first_strip(x, context.options.csv_fs)?;
    let (patient, note) = context.patient(id, &[]);
    let draft = Draft { id: id.into(), patient, rhythm, x, beats: None, marked: None, features: None };
    let mut strip = context.strip(draft)?;
    if uses_whole_row(context, columns) {
        for (own, published) in strip.features.iter_mut().zip(features) {
            *own = published.unwrap_or(*own);
        }
    }
    let notes = std::iter::once(note).chain(conflict.then_some(Note::Conflict)).collect();
    Ok(Outcome { strips: vec![strip], exclusions: Vec::<Exclusion>::new(), notes })
}

fn parse_row(columns: &Columns, text: &str) -> Result<Row, String> {
    let bytes = text.as_bytes();
    if bytes.contains(&b'"') {
        let cells = columns::quoted_cells(bytes).ok_or("cannot be split into cells")?;
        row_of(columns, cells.len(), cells.iter().map(str::as_bytes))
    } else {
        // counted before anything is allocated for it
        let count = 1 + bytes.iter().filter(|&&b| b == b',').count();
        row_of(columns, count, bytes.split(|&b| b == b','))
    }
}

/// The cells are UTF-8 text.
fn row_of<'a>(columns: &Columns, count: usize, cells: impl Iterator<Item = &'a [u8]>) -> Result<Row, String> {
    if count != columns.kinds.len() {
        return Err(format!("{count} cells, expected {} as in the header row", columns.kinds.len()));
    }
    let mut row = Row { x: vec![f64::NAN; columns.samples], features: [None; 17], rhythms: Vec::new() };
    for (i, (cell, kind)) in cells.zip(&columns.kinds).enumerate() {
        let wrong = |expected: &str| {
            let shown: String = String::from_utf8_lossy(cell).trim().chars().take(30).collect();
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
fn number(cell: &[u8]) -> Option<f64> {
    plain_decimal(cell).or_else(|| {
        let bare = columns::bare(std::str::from_utf8(cell).ok()?);
        let missing = bare.is_empty() || ["na", "n/a", "null", "none"].iter().any(|w| bare.eq_ignore_ascii_case(w));
        if missing { Some(f64::NAN) } else { bare.parse().ok() }
    })
}

/// Powers of ten that are exact.
const POWERS: [f64; 16] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number such as `-0.12345` of at most 15 digits: nearly every cell is one, and the general parser takes three times
/// as long. The digits and the power of ten are both exact, so that the quotient is the nearest f64, as the general
/// parser gives it (Clinger 1990).
fn plain_decimal(cell: &[u8]) -> Option<f64> {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, cell),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut mantissa, mut count, mut point) = (0_u64, 0, None);
    for &b in digits {
        if b.is_ascii_digit() {
            mantissa = 10 * mantissa + u64::from(b - b'0');
            count += 1;
        } else if b == b'.' && point.is_none() {
            point = Some(count);
        } else {
            return None;
        }
    }
    if count == 0 || count > 15 {
        return None;
    }
    let value = mantissa as f64 / POWERS[count - point.unwrap_or(count)];
    Some(if negative { -value } else { value })
}

fn one_hot(cell: &[u8]) -> Option<bool> {
    if let Some(value) = number(cell) {
        return if value.is_nan() || value == 0.0 { Some(false) } else { (value == 1.0).then_some(true) };
    }
    let word = columns::bare(std::str::from_utf8(cell).ok()?);
    ["false", "true"].iter().position(|w| word.eq_ignore_ascii_case(w)).map(|i| i == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells() {
        let hot = |cell: &str| one_hot(cell.as_bytes());
        assert_eq!(["1", " 1.0 ", "True", "1e0", "\" 1\""].map(hot), [Some(true); 5]);
        assert_eq!(["0", "", "0.0", "nan", "FALSE"].map(hot), [Some(false); 5]);
        assert_eq!(["2", "x", "-1", "inf"].map(hot), [None; 4]);
        let of = |cell: &str| number(cell.as_bytes());
        let found = [" -2.5\t", "1e3", ".5", "5.", "+1", "-.25", "1,5", "\0", ".", "-", "--1", "1.2.3"].map(of);
        let expected = [Some(-2.5), Some(1e3), Some(0.5), Some(5.0), Some(1.0), Some(-0.25)];
        assert_eq!((&found[..6], &found[6..]), (&expected[..], &[None; 6][..]));
        assert!(["", "  ", "NaN", "null", "None"].iter().all(|c| of(c).unwrap().is_nan()));
    }

    proptest! {
        #[test]
        fn short_cuts_change_no_bit(cell in "-?[0-9]{0,17}\\.?[0-9]{0,17}") {
            let expected = cell.parse::<f64>().ok();
            let found = plain_decimal(cell.as_bytes());
            prop_assert!(found.is_none() || found.map(f64::to_bits) == expected.map(f64::to_bits), "{cell}");
            if expected.is_some() && (1..=15).contains(&cell.bytes().filter(u8::is_ascii_digit).count()) {
                prop_assert!(found.is_some());
            }
        }
    }
}
