//! What was left out of a data set, and why.

use super::sources::{NAMED, count};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Something a source holds that did not become a strip, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The record (or the strip) as the source names it; the source itself for several records.
    pub record: String,
    /// How many were left out.
    pub count: usize,
    /// Of what.
    pub unit: Unit,
    /// Where that stands in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Line>,
    /// Why.
    pub reason: String,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// Name of the file.
    pub file: String,
    /// From 1.
    pub line: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)
    }
}

/// What an exclusion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A recording.
    Record,
    /// A row of a table of labels.
    Row,
    /// A window of a record, or one of its leads.
    Strip,
}

impl Unit {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Row => "row",
            Self::Strip => "strip",
        }
    }
}

impl Exclusion {
    /// One record.
    pub fn record(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { record: record.into(), count: 1, unit: Unit::Record, at: None, reason: reason.into() }
    }

    /// A row of a table of labels, about `record`.
    pub fn row(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { unit: Unit::Row, ..Self::record(record, reason) }
    }

    /// A strip by its id, or one of `record`.
    pub fn strip(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { unit: Unit::Strip, ..Self::record(record, reason) }
    }

    /// The same for several.
    pub fn times(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// The same for what stands in a line of a file.
    pub fn at(self, at: Line) -> Self {
        Self { at: Some(at), ..self }
    }

    /// Where, and why: `labels.csv, line 12: too short`.
    pub fn why(&self) -> String {
        self.at.as_ref().map_or_else(|| self.reason.clone(), |at| format!("{at}: {}", self.reason))
    }

    /// Name of its source.
    pub fn source(&self) -> &str {
        self.record.split('/').next().unwrap_or_default()
    }
}

/// Numbers of exclusions by unit, in words: `3 rows, 1 strip`.
pub(crate) fn in_units<'a>(exclusions: impl IntoIterator<Item = &'a Exclusion>) -> String {
    let mut units: BTreeMap<Unit, usize> = BTreeMap::new();
    for e in exclusions {
        let n = units.entry(e.unit).or_default();
        *n = n.saturating_add(e.count);
    }
    let words = units.into_iter().map(|(unit, n)| count(n, unit.name(), &format!("{}s", unit.name())));
    let words: Vec<String> = words.collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// How many some exclusions stand for.
pub(crate) fn total<'a>(exclusions: impl IntoIterator<Item = &'a Exclusion>) -> usize {
    exclusions.into_iter().fold(0, |n, e| n.saturating_add(e.count))
}

/// Exclusions by reason, in the order in which the reasons come first.
pub(crate) fn by_reason(exclusions: &[Exclusion]) -> Vec<(&str, Vec<&Exclusion>)> {
    let mut reasons: Vec<(&str, Vec<&Exclusion>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for e in exclusions {
        let place = *places.entry(&e.reason).or_insert(reasons.len());
        if place == reasons.len() {
            reasons.push((&e.reason, Vec::new()));
        }
        reasons[place].1.push(e);
    }
    reasons
}

/// Where exclusions stand in files, in words in parentheses behind a blank: the first few lines, ascending, and how many more there
/// are; nothing where none stands in one.
pub(crate) fn lines_of(exclusions: &[&Exclusion]) -> String {
    let at = |e: &&Exclusion| e.at.as_ref().map(|at| (format!("{}/{}", e.source(), at.file), at.line));
    let lines: BTreeSet<(String, u64)> = exclusions.iter().filter_map(at).collect();
    let named: Vec<&(String, u64)> = lines.iter().take(NAMED).collect();
    let words = named.chunk_by(|a, b| a.0 == b.0).map(|of| {
        let numbers: Vec<String> = of.iter().map(|(_, line)| line.to_string()).collect();
        format!("{}, {} {}", of[0].0, if of.len() == 1 { "line" } else { "lines" }, numbers.join(", "))
    });
    let words = words.collect::<Vec<_>>().join("; ");
    match lines.len() {
        0 => String::new(),
        n if n > NAMED => format!(" ({words} and {} more)", n - NAMED),
        _ => format!(" ({words})"),
    }
}

/// The most frequent reasons before the others, those that are as frequent in the order in which they come.
pub(crate) fn most_first(exclusions: &[Exclusion]) -> Vec<(&str, Vec<&Exclusion>)> {
    let mut reasons = by_reason(exclusions);
    reasons.sort_by_key(|(_, of)| std::cmp::Reverse(total(of.iter().copied())));
    reasons
}

/// The error for a data set without a strip.
pub(crate) fn nothing_left(exclusions: &[Exclusion], hint: &str) -> Error {
    let reasons = most_first(exclusions).into_iter().take(3);
    let most = reasons.map(|(reason, of)| format!("{} x {reason}{}", total(of.iter().copied()), lines_of(&of)));
    let most: Vec<String> = most.collect();
    Error::data(
        "data set",
        format!("no strip is left, expected at least one; most were left out for: {}", most.join("; ")),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &str, file: &str, line: u64, reason: &str) -> Exclusion {
        Exclusion::row(record, reason).at(Line { file: file.into(), line })
    }

    /// Rows that differ in their line alone are one reason, whose lines are in the order of numbers.
    #[test]
    fn lines_are_no_part_of_a_reason() {
        let of = |file, number| line("own/a", file, number, "names no record");
        let all = [of("labels.csv", 10), of("labels.csv", 2), of("b.csv", 7), Exclusion::record("own/c", "flat line")];
        let most = most_first(&all);
        assert_eq!((most.len(), most[0].0, most[0].1.len()), (2, "names no record", 3));
        assert_eq!(lines_of(&most[0].1), " (own/b.csv, line 7; own/labels.csv, lines 2, 10)");
        assert_eq!(
            (lines_of(&most[1].1), all[0].why()),
            (String::new(), "labels.csv, line 10: names no record".into())
        );
        let many: Vec<Exclusion> = (1..=12).rev().map(|number| of("labels.csv", number)).collect();
        let many = most_first(&many);
        assert_eq!(lines_of(&many[0].1), " (own/labels.csv, lines 1, 2, 3, 4, 5 and 7 more)");
    }

    #[test]
    fn exclusions_are_counted_by_unit_and_by_reason() {
        let all = [
            line("own/a", "labels.csv", 10, "names no record"),
            Exclusion::strip("own/a@1.000", "flat line"),
            Exclusion::strip("own/a", "ectopic").times(12),
            Exclusion::strip("own/b", "flat line"),
            // what a reason says makes no difference to what was left out
            Exclusion::record("own", "12 windows: in x.csv, line 3").times(2),
        ];
        assert_eq!(in_units(&all), "2 records, 1 row, 14 strips");
        assert_eq!(in_units([]), "nothing");
        let most: Vec<(&str, String)> = most_first(&all).into_iter().map(|(r, of)| (r, in_units(of))).collect();
        assert_eq!(most[0], ("ectopic", "12 strips".into()));
        assert_eq!(most[1], ("flat line", "2 strips".into()));
    }
}
