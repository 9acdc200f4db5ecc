//! Every number on a page is that of a committed file: `pages.toml` has, for tables and sentences, which one.
//!
//! `EXGNET_PAGES=write cargo test --release --test figures pages::` writes the files' numbers into the pages.

mod commands;
mod source;

use crate::common::goldens::asked;
use crate::common::markdown;
use crate::common::root;
use regex_lite::Regex;
use serde::Deserialize;
use source::{Files, NUMBER, Part, Place, parts};
use std::collections::BTreeMap;
use std::ops::Range;

const PAGES: [&str; 5] =
    ["README.md", "results/README.md", "experiments/README.md", "shaders/README.md", "tests/README.md"];

/// `pages.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    /// Short names of files.
    files: BTreeMap<String, String>,
    table: Vec<Table>,
    sentence: Vec<Sentence>,
    exception: Vec<Exception>,
}

/// A table of a page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    page: String,
    /// How its first line begins.
    head: String,
    /// Where its numbers are, but for the row.
    #[serde(default)]
    from: String,
    /// The file's column that names the row.
    key: String,
    /// How the page writes what is missing.
    #[serde(default = "dash")]
    missing: String,
    /// Head, template, and more on where its numbers are; the head alone: words.
    columns: Vec<Vec<String>>,
    /// Label on the page, name in the file, and more on where its numbers are.
    rows: Vec<Vec<String>>,
}

/// Text of a page, with templates for its numbers; it is there once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    page: String,
    #[serde(default)]
    from: String,
    text: String,
    /// What the sentence claims of the numbers, `A > B` or `A < B`.
    #[serde(default)]
    holds: Vec<String>,
}

/// Numbers that are no results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    page: String,
    text: Vec<String>,
    #[expect(dead_code, reason = "for who reads the file")]
    reason: String,
}

fn dash() -> String {
    "-".into()
}

/// A page beside its sources.
struct Compared<'a> {
    page: &'a str,
    text: &'a str,
    /// What differs or is not there, each with its line.
    wrong: Vec<String>,
    /// The file's text for a part of the page.
    edits: Vec<(Range<usize>, String)>,
    /// What has a source.
    covered: Vec<Range<usize>>,
}

impl Compared<'_> {
    fn fail(&mut self, at: usize, what: &str) {
        let line = self.text[..at].matches('\n').count() + 1;
        self.wrong.push(format!("{}:{line}: {what}", self.page));
    }

    fn compare(&mut self, at: Range<usize>, expected: &str, of: &str) {
        let found = self.text[at.clone()].trim();
        if found != expected {
            self.fail(at.start, &format!("found {found:?}, expected {expected:?} of {of}"));
            // a cell keeps a space on either side
            let padded = self.text[..at.start].ends_with('|');
            let blank = if expected.is_empty() { " ".into() } else { format!(" {expected} ") };
            self.edits.push((at, if padded { blank } else { expected.into() }));
        }
    }

    /// The page with the numbers of the files.
    fn corrected(mut self) -> String {
        self.edits.sort_by_key(|(at, _)| at.start);
        let mut text = self.text.to_owned();
        self.edits.into_iter().rev().for_each(|(at, expected)| text.replace_range(at, &expected));
        text
    }
}

/// A pattern for `text` with any white space for white space, and for each template what a number looks like.
fn pattern(text: &str) -> Regex {
    let mut pattern = String::new();
    for part in parts(text) {
        match part {
            Part::Text(t) => {
                let mut words =
                    t.split(char::is_whitespace).filter(|w| !w.is_empty()).map(regex_lite::escape).peekable();
                pattern += if t.starts_with(char::is_whitespace) { r"\s+" } else { "" };
                while let Some(word) = words.next() {
                    pattern += &word;
                    pattern += if words.peek().is_some() || t.ends_with(char::is_whitespace) { r"\s+" } else { "" };
                }
            }
            Part::Of(_) => pattern = format!("{pattern}({NUMBER})"),
        }
    }
    Regex::new(&pattern).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Numbers with decimals that a reader takes for results: not in code or in the target of a link.
fn decimals(text: &str) -> Vec<Range<usize>> {
    let mut prose = text.as_bytes().to_vec();
    for skipped in [r"(?s)```.*?```", r"`[^`\n]*`", r"\]\([^)\s]*\)"] {
        let shown = String::from_utf8(prose.clone()).expect("whole characters");
        let skipped = Regex::new(skipped).expect("a pattern");
        skipped.find_iter(&shown).for_each(|m| prose[m.range()].fill(b'_'));
    }
    let prose = String::from_utf8(prose).expect("whole characters");
    Regex::new(r"\d+\.\d+").expect("a pattern").find_iter(&prose).map(|m| m.range()).collect()
}

impl Sources {
    fn read() -> (Self, Files) {
        let path = root("tests/figures/pages/pages.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut sources: Self = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let files = Files::new(std::mem::take(&mut sources.files));
        (sources, files)
    }

    fn compare<'a>(&self, files: &Files, page: &'a str, text: &'a str) -> Compared<'a> {
        let mut all = Compared { page, text, wrong: Vec::new(), edits: Vec::new(), covered: Vec::new() };
        self.table.iter().filter(|t| t.page == page).for_each(|t| t.compare(files, &mut all));
        self.sentence.iter().filter(|s| s.page == page).for_each(|s| s.compare(files, &mut all));
        for text in self.exception.iter().filter(|e| e.page == page).flat_map(|e| &e.text) {
            let found: Vec<_> = pattern(text).find_iter(all.text).map(|m| m.range()).collect();
            if found.is_empty() {
                all.fail(0, &format!("found no {text:?}, an exception of pages.toml"));
            }
            all.covered.extend(found);
        }
        for number in decimals(text) {
            if !all.covered.iter().any(|c| c.start <= number.start && number.end <= c.end) {
                all.fail(
                    number.start,
                    &format!("found {}, expected a source of it in pages.toml", &text[number.clone()]),
                );
            }
        }
        all
    }
}

impl Table {
    fn compare(&self, files: &Files, all: &mut Compared<'_>) {
        let text = all.text;
        let starts = |start: usize| start == 0 || text[..start].ends_with('\n');
        let Some((start, _)) = text.match_indices(&self.head).find(|(at, _)| starts(*at)) else {
            return all.fail(0, &format!("found no table {:?}", self.head));
        };
        let mut lines = Vec::new();
        let mut at = start;
        for line in text[start..].split_inclusive('\n').take_while(|l| l.starts_with('|')) {
            let cells: Vec<_> = markdown::cells(line).into_iter().map(|c| c.start + at..c.end + at).collect();
            lines.push(cells);
            at += line.len();
        }
        all.covered.push(start..at);
        let heads: Vec<&str> = lines[0].iter().skip(1).map(|c| text[c.clone()].trim()).collect();
        if heads != self.columns.iter().map(|c| c[0].as_str()).collect::<Vec<_>>() {
            return all.fail(start, &format!("found the columns {heads:?}, expected those of pages.toml"));
        }
        let labels: Vec<&str> = lines[2..].iter().map(|l| text[l[0].clone()].trim()).collect();
        if labels != self.rows.iter().map(|r| r[0].as_str()).collect::<Vec<_>>() {
            return all.fail(start, &format!("found the rows {labels:?}, expected those of pages.toml"));
        }
        let table = Place::default().and(&self.from).0;
        let more = |place: &Place, entry: &[String]| entry.get(2).map_or(place.clone(), |m| place.and(m).0);
        for (cells, row) in lines[2..].iter().zip(&self.rows) {
            let place = more(&table, row).with(&self.key, &row[1]);
            for (i, column) in self.columns.iter().enumerate() {
                let Some(cell) = cells.get(i + 1).cloned() else {
                    all.fail(
                        cells[0].start,
                        &format!("found {} cells, expected {}", cells.len(), self.columns.len() + 1),
                    );
                    break;
                };
                let Some(template) = column.get(1) else {
                    if !decimals(&text[cell.clone()]).is_empty() {
                        all.fail(
                            cell.start,
                            &format!("found a number, expected a template of the column {:?}", column[0]),
                        );
                    }
                    continue;
                };
                let place = more(&place, column);
                match files.render(&place, template) {
                    Ok(expected) => {
                        let expected = expected.as_deref().unwrap_or(&self.missing);
                        all.compare(cell, expected, &format!("{template} ({place})"));
                    }
                    Err(e) => all.fail(cell.start, &e),
                }
            }
        }
    }
}

impl Sentence {
    fn compare(&self, files: &Files, all: &mut Compared<'_>) {
        let place = Place::default().and(&self.from).0;
        let found: Vec<_> = pattern(&self.text).captures_iter(all.text).collect();
        let [found] = &found[..] else {
            return all.fail(0, &format!("found {} times, expected once: {:?}", found.len(), self.text));
        };
        let templates = parts(&self.text).into_iter().filter_map(|p| match p {
            Part::Of(of) => Some(of),
            Part::Text(_) => None,
        });
        for (of, number) in templates.zip(found.iter().skip(1).flatten()) {
            match files.value(&place, of) {
                Ok(Some(expected)) => all.compare(number.range(), &expected, &format!("{{{of}}} ({place})")),
                Ok(None) => {
                    all.fail(number.start(), &format!("found {}, but {{{of}}} ({place}) is missing", number.as_str()))
                }
                Err(e) => all.fail(number.start(), &e),
            }
            all.covered.push(number.range());
        }
        let at = found.get(0).expect("a match").start();
        for claim in &self.holds {
            match files.holds(&place, claim) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    all.fail(at, &format!("found {found}, which does not hold; the sentence claims {claim} ({place})"))
                }
                Err(e) => all.fail(at, &e),
            }
        }
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn numbers_on_pages_are_those_of_the_files() {
    let (sources, files) = Sources::read();
    let mut wrong = Vec::new();
    for name in PAGES {
        if asked("EXGNET_PAGES") {
            let corrected = sources.compare(&files, name, &page(name)).corrected();
            std::fs::write(root(name), corrected).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        wrong.extend(sources.compare(&files, name, &page(name)).wrong);
    }
    assert!(wrong.is_empty(), "{}\nEXGNET_PAGES=write writes the files' numbers into the pages", wrong.join("\n"));
}

#[test]
fn another_number_on_a_page_is_found_and_corrected() {
    if asked("EXGNET_PAGES") {
        // the pages are being written
        return;
    }
    let (sources, files) = Sources::read();
    for name in ["README.md", "results/README.md"] {
        let text = sources.compare(&files, name, &page(name)).corrected();
        let covered = sources.compare(&files, name, &text).covered;
        let excepted = sources.exception.iter().filter(|e| e.page == name).flat_map(|e| &e.text);
        let excepted: Vec<_> =
            excepted.flat_map(|t| pattern(t).find_iter(&text).map(|m| m.range()).collect::<Vec<_>>()).collect();
        // heads and labels of tables are words
        let first = |at: usize| {
            text[..at].rsplit('\n').next().is_some_and(|line| line.starts_with('|') && line.matches('|').count() == 1)
        };
        let changed: Vec<_> = decimals(&text)
            .into_iter()
            .filter(|n| !first(n.start) && !excepted.iter().any(|e| e.contains(&n.start)))
            .filter(|n| covered.iter().any(|c| c.contains(&n.start)))
            .collect();
        assert!(changed.len() > 6, "{name}: {changed:?}");
        // one digit of each
        let mut other = text.clone().into_bytes();
        for number in &changed {
            let last = &mut other[number.end - 1];
            *last = if *last == b'9' { b'0' } else { *last + 1 };
        }
        let other = String::from_utf8(other).expect("digits for digits");
        let compared = sources.compare(&files, name, &other);
        for number in &changed {
            let edited = compared.edits.iter().any(|(at, _)| at.start <= number.start && number.end <= at.end);
            assert!(edited, "{name}: {} is not compared", &text[number.clone()]);
        }
        let corrected = compared.corrected();
        let differs = corrected.lines().zip(text.lines()).find(|(is, was)| is != was);
        assert!(corrected == text, "{name}: {differs:?}");

        // rows, tables and sentences without a source
        let before = sources.compare(&files, name, &text).wrong;
        let new = |text: &str| {
            let mut wrong = sources.compare(&files, name, text).wrong;
            wrong.retain(|w| !before.contains(w));
            wrong
        };
        for (added, word) in [
            ("\nIt reaches 0.987 elsewhere.\n", "found 0.987, expected a source"),
            ("\n| a | b |\n|---|---|\n| c | 0.987 |\n", "found 0.987, expected a source"),
        ] {
            let wrong = new(&format!("{text}{added}"));
            assert!(matches!(&wrong[..], [one] if one.contains(word)), "{added}: {wrong:?}");
        }
        let plain = text.lines().find(|l| l.starts_with("| plain | ")).expect("a row");
        let wrong = new(&text.replacen(plain, &format!("{plain}\n{plain}"), 1));
        assert!(wrong.iter().any(|w| w.contains("found the rows")), "{wrong:?}");
    }
}
