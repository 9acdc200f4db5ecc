//! What was left out of a data set, and why.

use super::sources::count;
use crate::error::Error;
use std::collections::BTreeMap;

/// Something a source holds that did not become a strip, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The record (or the strip) as the source names it.
    pub record: String,
    /// Why it was left out; for several windows of one record, or several records, their number comes first.
    pub reason: String,
}

impl Exclusion {
    /// An exclusion from its parts.
    pub fn new(record: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { record: record.into(), reason: reason.into() }
    }

    /// For how many strips it stands, and the reason without that number.
    pub fn counted(&self) -> (usize, &str) {
        for separator in [" windows: ", " window: ", " records: ", " record: "] {
            if let Some((head, tail)) = self.reason.split_once(separator)
                && let Ok(n) = head.parse()
            {
                return (n, tail);
            }
        }
        (1, &self.reason)
    }

    /// What [`Exclusion::counted`] counts: `strip` (a window of a record, or one of its leads), `row` of a table of labels, or
    /// `record`.
    pub fn unit(&self) -> &'static str {
        let (_, reason) = self.counted();
        let counted = self.reason.strip_suffix(reason).unwrap_or_default();
        let of_row =
            || reason.split_once(", line ").is_some_and(|(_, at)| at.starts_with(|c: char| c.is_ascii_digit()));
        if counted.contains("window") || self.record.contains(['@', '#']) {
            "strip"
        } else if !counted.contains("record") && of_row() {
            "row"
        } else {
            "record"
        }
    }
}

/// Numbers of exclusions by unit, in words: `3 rows, 1 strip`.
pub(crate) fn in_units<'a>(exclusions: impl Iterator<Item = &'a Exclusion>) -> String {
    let mut units: BTreeMap<&str, usize> = BTreeMap::new();
    exclusions.for_each(|e| *units.entry(e.unit()).or_default() += e.counted().0);
    let words: Vec<String> = units.into_iter().map(|(unit, n)| count(n, unit, &format!("{unit}s"))).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// Exclusions counted by reason.
pub(crate) fn by_reason(exclusions: &[Exclusion]) -> BTreeMap<String, usize> {
    let mut table = BTreeMap::new();
    for e in exclusions {
        let (count, reason) = e.counted();
        *table.entry(reason.to_string()).or_insert(0) += count;
    }
    table
}

/// The error for a data set without a strip.
pub(crate) fn nothing_left(exclusions: &[Exclusion]) -> Error {
    let mut reasons: Vec<(String, usize)> = by_reason(exclusions).into_iter().collect();
    reasons.sort_by_key(|r| std::cmp::Reverse(r.1));
    let most: Vec<String> = reasons.into_iter().take(3).map(|(r, n)| format!("{n} x {r}")).collect();
    Error::data(
        "data set",
        format!("no strip is left, expected at least one; most were left out for: {}", most.join("; ")),
        "mend what the reasons name: the records, their labels, or lead, seconds, min_class and the kind of source",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_reasons_are_added_up() {
        for (reason, counted) in [
            ("12 windows: ectopic", (12, "ectopic")),
            ("1 window: ectopic", (1, "ectopic")),
            ("10645 records: no file", (10_645, "no file")),
            ("1 record: no file", (1, "no file")),
            ("other records: no file", (1, "other records: no file")),
        ] {
            assert_eq!(Exclusion::new("r", reason).counted(), counted);
        }
    }

    #[test]
    fn exclusions_have_their_units() {
        let all = [
            ("own/a", "labels.csv, line 3: names no record", "row"),
            ("own/a@1.000", "labels.csv, line 3: flat line", "strip"),
            ("own/a#V1", "flat line", "strip"),
            ("own/a", "12 windows: ectopic", "strip"),
            ("own", "2 records: labelled in x, line by line", "record"),
            ("own/b", "line 2 has 3 cells", "record"),
        ];
        let all = all.map(|(record, reason, unit)| (Exclusion::new(record, reason), unit));
        all.iter().for_each(|(e, unit)| assert_eq!(e.unit(), *unit, "{e:?}"));
        assert_eq!(in_units(all.iter().map(|(e, _)| e)), "3 records, 1 row, 14 strips");
        assert_eq!(in_units([].iter()), "nothing");
    }
}
