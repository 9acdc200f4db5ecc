//! Results of a test by database, where its records are of several. The database of a record is the name of its source: the
//! part of its id before the first `/`.

use crate::run::predictions::Prediction;
use crate::stats::ranking::{brier, calibration};
use crate::stats::{OneClass, accuracy, macro_f1_of_true};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Bins of the expected calibration error.
pub(crate) const BINS: usize = 15;

/// What macro-F1 of a database is, for the notes of tables.
pub const MACRO: &str = "Macro-F1 is over the classes that the database has a record of, as F1 is given of those alone (that of a whole \
                         test counts predicted classes too): databases of different classes do not compare.";

/// Name of the row of all databases together.
pub const POOLED: &str = "pooled";

/// How far probabilities are what they say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error of the predicted class, 15 equal bins of its probability, see
    /// [`calibration`].
    pub ece: f64,
    /// Brier score, 0 to 2, see [`brier`].
    pub brier: f64,
}

impl Calibration {
    /// Of predictions; `None` without any.
    pub fn of(rows: &[&Prediction]) -> Option<Self> {
        let top = |p: &&Prediction| (p.probabilities[p.predicted()], p.predicted() == p.truth);
        let of = rows.iter().map(|p| (p.probabilities.as_slice(), p.truth));
        (!rows.is_empty())
            .then(|| Self { ece: calibration(&rows.iter().map(top).collect::<Vec<_>>(), BINS).ece, brier: brier(of) })
    }
}

/// Results of the records of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Name of the source, or [`POOLED`].
    pub name: String,
    /// Number of records.
    pub records: usize,
    /// Number of patients.
    pub patients: usize,
    /// Mean of F1 over the classes that are the true one of some record.
    pub macro_f1: f64,
    /// Share of records that are predicted right.
    pub accuracy: f64,
    /// F1 of every class; `None` without a record of it.
    pub f1: Vec<Option<f64>>,
    /// Mean NCC of the maps for the true class; `None` without a valid target.
    pub ncc: Option<f64>,
    /// Share of maps whose maximum points at a beat or into the target; `None` without a valid target.
    pub pointing: Option<f64>,
    /// Mean NCC with the intervals I of the maps of every class; `None` without a valid target of it.
    pub ncc_intervals: Vec<Option<f64>>,
    /// How far probabilities are what they say.
    pub calibration: Option<Calibration>,
}

impl Database {
    /// Of the predictions `rows` for `classes` classes.
    pub fn of(name: &str, classes: usize, rows: &[&Prediction]) -> Self {
        let mut confusion = vec![vec![0_u64; classes]; classes];
        rows.iter().for_each(|p| confusion[p.truth][p.predicted()] += 1);
        let f1 = |c| Some(OneClass::of(&confusion, c)).filter(|of| of.support > 0.0).map(|of| of.f1());
        let mean = |of: &dyn Fn(&Prediction) -> Option<f64>| {
            let values: Vec<f64> = rows.iter().filter_map(|p| of(p)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self {
            name: name.to_owned(),
            records: rows.iter().map(|p| p.record.as_str()).collect::<HashSet<_>>().len(),
            patients: rows.iter().map(|p| p.patient.as_str()).collect::<HashSet<_>>().len(),
            macro_f1: macro_f1_of_true(&confusion),
            accuracy: accuracy(&confusion),
            f1: (0..classes).map(f1).collect(),
            ncc: mean(&|p| Some(p.explanation?.ncc)),
            pointing: mean(&|p| Some(f64::from(u8::from(p.explanation?.pointing)))),
            ncc_intervals: (0..classes)
                .map(|c| mean(&|p| p.explanation.filter(|_| p.truth == c).map(|e| e.ncc_intervals)))
                .collect(),
            calibration: Calibration::of(rows),
        }
    }
}

impl Prediction {
    /// The database of the record; empty for an id that names none.
    pub fn database(&self) -> &str {
        self.record.split_once('/').map_or("", |(name, _)| name)
    }
}

/// Rows by database, in the order of names, then all of them as [`POOLED`]; of one database alone its own.
pub fn parts<'a>(rows: impl IntoIterator<Item = &'a Prediction>) -> Vec<(&'a str, Vec<&'a Prediction>)> {
    let all: Vec<&Prediction> = rows.into_iter().collect();
    let mut by_name: BTreeMap<&str, Vec<&Prediction>> = BTreeMap::new();
    all.iter().for_each(|p| by_name.entry(p.database()).or_default().push(p));
    let mut parts: Vec<_> = by_name.into_iter().collect();
    if parts.len() > 1 {
        parts.push((POOLED, all));
    }
    parts
}

/// Results by database and pooled; none where all records are of one.
pub fn by_database(classes: usize, rows: &[Prediction]) -> Vec<Database> {
    let parts = parts(rows);
    let several = parts.len() > 1;
    parts.into_iter().filter(|_| several).map(|(name, rows)| Database::of(name, classes, &rows)).collect()
}

/// The results for a terminal, a row per database; empty without any.
pub fn text_table(classes: &[String], databases: &[Database]) -> String {
    if databases.is_empty() {
        return String::new();
    }
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
    let heads = ["database", "records", "patients", "macro-F1", "accuracy", "NCC", "pointing", "ECE"];
    let heads = heads.map(String::from).into_iter().chain(classes.iter().map(|c| format!("F1 {c}")));
    let mut rows: Vec<Vec<String>> = vec![heads.collect()];
    rows.extend(databases.iter().map(|d| {
        let counts = [d.name.clone(), d.records.to_string(), d.patients.to_string()];
        let values = [Some(d.macro_f1), Some(d.accuracy), d.ncc, d.pointing, d.calibration.map(|c| c.ece)];
        counts.into_iter().chain(values.into_iter().chain(d.f1.iter().copied()).map(cell)).collect()
    }));
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).skip(1).map(|(cell, &width)| format!("  {cell:>width$}"));
        format!("{:first$}{}\n", row[0], cells.collect::<String>(), first = widths[0])
    };
    format!("\n{}{MACRO}\n", rows.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::scores::MapScores;

    fn row(record: &str, patient: &str, truth: usize, p: &[f64], ncc: Option<f64>) -> Prediction {
        let maps =
            |ncc| MapScores { ncc, ncc_beats: 0.0, ncc_intervals: 0.0, energy: 0.5, pointing: ncc > 0.5, dead: false };
        Prediction {
            record: record.into(),
            patient: patient.into(),
            truth,
            probabilities: p.to_vec(),
            explanation: ncc.map(maps),
            areas: None,
            by_features: None,
        }
    }

    #[test]
    fn classes_that_a_database_lacks_are_not_in_its_mean() {
        let rows = [
            row("b/1", "p", 0, &[0.75, 0.25, 0.0], Some(0.25)),
            row("b/2/x", "p", 0, &[0.25, 0.75, 0.0], Some(0.75)),
            row("a/1", "q", 0, &[1.0, 0.0, 0.0], None),
            row("a/2", "r", 1, &[0.0, 1.0, 0.0], None),
            row("a/3", "r", 2, &[0.0, 1.0, 0.0], None),
        ];
        let found = by_database(3, &rows);
        let names: Vec<(&str, usize, usize)> = found.iter().map(|d| (d.name.as_str(), d.records, d.patients)).collect();
        assert_eq!(names, [("a", 3, 2), ("b", 2, 1), (POOLED, 5, 3)]);
        // b: one of two right, the other taken for a class that it has no record of
        assert_eq!(found[1].f1, [Some(2.0 / 3.0), None, None]);
        assert_eq!((found[1].macro_f1, found[1].accuracy), (2.0 / 3.0, 0.5));
        assert_eq!((found[1].ncc, found[1].pointing, found[0].ncc), (Some(0.5), Some(0.5), None));
        assert_eq!(found[0].f1, [Some(1.0), Some(2.0 / 3.0), Some(0.0)]);
        // (0.0625 + 0.0625 + 2 * 0.5625) / 2, and |0.75 - 0.5| in the one bin of both
        let calibration = found[1].calibration.expect("predictions");
        assert!((calibration.brier - 0.625).abs() < 1e-12 && (calibration.ece - 0.25).abs() < 1e-12);
        assert!(by_database(3, &rows[..2]).is_empty());
        let nameless = [row("1", "p", 0, &[1.0, 0.0], None), row("2", "q", 0, &[1.0, 0.0], None)];
        assert!(by_database(2, &nameless).is_empty(), "ids without a source are of one database");
        let text = text_table(&["SR", "AF", "ST"].map(String::from), &found);
        let lines: Vec<&str> = text.trim().lines().collect();
        assert!(lines[0].starts_with("database  records") && lines[0].ends_with("F1 ST"), "{text}");
        assert!(lines[2].starts_with("b ") && lines[2].ends_with("-"), "{text}");
        assert!(lines.len() == 5 && lines[4].starts_with("Macro-F1 is over the classes that"), "{text}");
        assert!(text_table(&[], &[]).is_empty());
    }
}
