//! What was left out of a data set, and why.

use super::sources::count;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something a source holds that did not become a strip, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The record (or the strip) as the source names it; the source itself for several records.
    pub record: String,
    /// How many were left out.
    pub count: usize,
    /// Of what.
    pub unit: Unit,
    /// Why.
    pub reason: String,
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
        Self { record: record.into(), count: 1, unit: Unit::Record, reason: reason.into() }
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

/// Exclusions by reason, in order of the reasons.
pub(crate) fn by_reason(exclusions: &[Exclusion]) -> BTreeMap<&str, Vec<&Exclusion>> {
    let mut reasons: BTreeMap<&str, Vec<&Exclusion>> = BTreeMap::new();
    exclusions.iter().for_each(|e| reasons.entry(&e.reason).or_default().push(e));
    reasons
}

/// The most frequent reasons before the others.
pub(crate) fn most_first(exclusions: &[Exclusion]) -> Vec<(&str, Vec<&Exclusion>)> {
    let mut reasons: Vec<_> = by_reason(exclusions).into_iter().collect();
    reasons.sort_by_key(|(_, of)| std::cmp::Reverse(total(of.iter().copied())));
    reasons
}

/// The error for a data set without a strip.
pub(crate) fn nothing_left(exclusions: &[Exclusion], hint: &str) -> Error {
    let reasons = most_first(exclusions).into_iter().take(3);
    let most: Vec<String> = reasons.map(|(reason, of)| format!("{} x {reason}", total(of))).collect();
    Error::data(
        "data set",
        format!("no strip is left, expected at least one; most were left out for: {}", most.join("; ")),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_are_counted_by_unit_and_by_reason() {
        let all = [
            Exclusion::row("own/a", "labels.csv, line 3: names no record"),
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
        assert_eq!(most[2], ("flat line", "2 strips".into()));
    }
}
