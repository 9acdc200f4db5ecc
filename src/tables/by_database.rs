//! Results by database, seeds averaged: the predictions of a patient by all seeds stay together where intervals draw patients.

use super::contents::{SEED, explain};
use super::{Cell, Column, Table};
use crate::error::{Error, Result};
use crate::run::databases::{BINS, Database, MACRO, POOLED, parts};
use crate::run::predictions::Prediction;
use crate::run::set::RunSet;
use crate::stats::{Bootstrap, Case, OneClass, RESAMPLES, bootstrap_seeds, macro_f1_of_true, mean_sd};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

/// Predictions of a variant on a database, of each seed.
type Seeds<'a> = Vec<Vec<&'a Prediction>>;

/// A row of every variant and database; `None` where there is one database and one seed, of which the main table says all.
pub(super) fn database_table(name: &str, set: &RunSet<'_>, pools: &[Pool], against: &str) -> Result<Option<Table>> {
    check_pools(set, pools)?;
    let classes = &set.classes;
    let of: Vec<(&String, BTreeMap<&str, Seeds>)> = set.variants.iter().map(|v| (v, seeds(set, pools, v))).collect();
    let Some(reference) = of.iter().find(|(v, _)| *v == against).map(|(_, seeds)| seeds) else { return Ok(None) };
    if reference.len() < 2 && reference.values().all(|seeds| seeds.len() < 2) {
        return Ok(None);
    }
    let mut columns = vec![Column::new("database", 0), Column::new("records", 0), Column::new("patients", 0)];
    columns.push(Column::new("macro-F1", 3).unit("95 % CI"));
    columns.push(Column::new(SEEDS_SD, 3).group("macro-F1"));
    columns.push(Column::new("difference", 3).unit("95 % CI"));
    columns.push(Column::new(SEEDS_SD, 3).group("difference"));
    columns.extend(VALUES.iter().map(|(name, ..)| Column::new(*name, 3)));
    columns.extend(classes.iter().map(|c| Column::new(c.clone(), 3).group("F1")));
    columns.extend(classes.iter().map(|c| Column::new(c.clone(), 3).group("difference of F1").unit("95 % CI")));
    columns.extend(classes.iter().map(|c| Column::new(c.clone(), 3).group("NCC with I")));
    let mut table = Table::new(format!("{name}: results by database, seeds averaged"), "variant", columns);
    explain(&mut table, set);
    table.note(format!(
        "Every number is of the records of all folds together, by seed, and the mean over the seeds. Difference: that of the \
         variant less that of {against}. CI: confidence interval, of {RESAMPLES} resamples of the patients, in which the \
         predictions of a patient by all seeds stay together; none where a class is in so few patients that some resample has \
         none. It is of the networks of these seeds: how far others may differ says the standard deviation over the seeds. {MACRO}"
    ));
    table.note(format!(
        "ECE: expected calibration error, {BINS} bins; Brier: mean squared distance of probabilities from the true class, 0 to 2."
    ));
    let patients = set.patients();
    for (variant, databases) in &of {
        for (database, seeds) in databases {
            let own = cases(seeds, &patients);
            let other = reference.get(database).filter(|_| *variant != against).map(|seeds| cases(seeds, &patients));
            let each = |seeds: &Seeds| -> Vec<Database> {
                seeds.iter().map(|rows| Database::of(database, classes.len(), rows)).collect()
            };
            let found = each(seeds);
            let compared = reference.get(database).filter(|_| *variant != against).map(each);
            let sd = |values: Vec<f64>| Cell::Value(mean_sd(&values).1);
            let mean = |of: &dyn Fn(&Database) -> Option<f64>| {
                let values: Vec<f64> = found.iter().filter_map(of).collect();
                if values.is_empty() {
                    Cell::Missing
                } else {
                    Cell::Value(values.iter().sum::<f64>() / values.len() as f64)
                }
            };
            let interval = |other: &[Vec<Case>], metric: &(dyn Fn(&[Vec<u64>]) -> f64 + Sync)| -> Result<Cell> {
                let Bootstrap { low, high, estimate: value } =
                    bootstrap_seeds(&slices(&own), &slices(other), classes.len(), SEED, RESAMPLES, metric)?;
                Ok(Cell::Interval { value, low, high })
            };
            let difference = |metric: &(dyn Fn(&[Vec<u64>]) -> f64 + Sync)| {
                other.as_ref().map_or(Ok(Cell::Missing), |other| interval(other, metric))
            };
            let count = |of: fn(&Prediction) -> &str| {
                let all: HashSet<&str> = seeds.iter().flatten().map(|p| of(p)).collect();
                Cell::Value(all.len() as f64)
            };
            let mut row = vec![Cell::Text((*database).to_owned()), count(|p| &p.record), count(|p| &p.patient)];
            row.push(interval(&[], &macro_f1_of_true)?);
            row.push(sd(found.iter().map(|d| d.macro_f1).collect()));
            row.push(difference(&macro_f1_of_true)?);
            row.push(compared.map_or(Cell::Missing, |compared| {
                sd(found.iter().zip(&compared).map(|(own, other)| own.macro_f1 - other.macro_f1).collect())
            }));
            row.extend(VALUES.iter().map(|(_, of)| mean(of)));
            row.extend((0..classes.len()).map(|c| mean(&|d| d.f1[c])));
            for c in 0..classes.len() {
                let there = found.iter().any(|d| d.f1[c].is_some());
                // without a record of the class in a resample there is no F1 of it
                let f1 = |confusion: &[Vec<u64>]| {
                    let of = OneClass::of(confusion, c);
                    if of.support > 0.0 { of.f1() } else { f64::NAN }
                };
                row.push(if there { difference(&f1)? } else { Cell::Missing });
            }
            row.extend((0..classes.len()).map(|c| mean(&|d| d.ncc_intervals[c])));
            table.push(variant.as_str(), row)?;
        }
    }
    Ok(Some(table))
}

/// Name of the column of a standard deviation.
const SEEDS_SD: &str = "sd over seeds";

/// A number of a database.
type Of = fn(&Database) -> Option<f64>;
/// Columns beside macro-F1 and F1.
const VALUES: [(&str, Of); 5] = [
    ("accuracy", |d| Some(d.accuracy)),
    ("NCC", |d| d.ncc),
    ("pointing", |d| d.pointing),
    ("ECE", |d| Some(d.calibration?.ece)),
    ("Brier", |d| Some(d.calibration?.brier)),
];

/// Databases whose records also make a row together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Name of the row.
    pub name: String,
    /// The databases.
    pub databases: Vec<String>,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.databases.join("+"))
    }
}

impl FromStr for Pool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, databases) = text.split_once('=').unwrap_or((text, ""));
        let databases: Vec<String> = databases.split('+').map(|d| d.trim().to_owned()).collect();
        match name.trim() {
            name if name.is_empty() || databases.iter().any(String::is_empty) => {
                Err("expected NAME=DATABASE+DATABASE, such as external=ludb+cinc2021".into())
            }
            name => Ok(Self { name: name.to_owned(), databases }),
        }
    }
}

/// Pools are of databases that there are, and have names that no other row has.
fn check_pools(set: &RunSet<'_>, pools: &[Pool]) -> Result<()> {
    let predictions = set.runs.iter().flat_map(|run| run.predictions.iter().flatten());
    let mut rows: BTreeSet<&str> = predictions.map(Prediction::database).collect();
    let databases = rows.clone();
    rows.insert(POOLED);
    for pool in pools {
        let list = Vec::from_iter(rows.iter().copied()).join(", ");
        if let Some(unknown) = pool.databases.iter().find(|d| !databases.contains(d.as_str())) {
            let what = format!("--pool {pool}: found no record of a database {unknown}");
            return Err(Error::config(what, format!("rows that there are: {list}")));
        }
        if !rows.insert(&pool.name) {
            let what = format!("--pool {pool}: {} is the name of another row", pool.name);
            return Err(Error::config(what, format!("choose a name that is none of {list}")));
        }
    }
    Ok(())
}

/// Predictions of a variant by database, pools among them, and by seed, those of all folds together.
fn seeds<'r>(set: &RunSet<'r>, pools: &'r [Pool], variant: &str) -> BTreeMap<&'r str, Seeds<'r>> {
    let mut by_seed: BTreeMap<u64, Vec<&Prediction>> = BTreeMap::new();
    for run in set.of(variant) {
        if let (Some((_, seed)), Some(rows)) = (run.fold_and_seed(), &run.predictions) {
            by_seed.entry(seed).or_default().extend(rows);
        }
    }
    let mut all: BTreeMap<&str, Seeds> = BTreeMap::new();
    for rows in by_seed.into_values() {
        for pool in pools {
            let of = |p: &&&Prediction| pool.databases.iter().any(|d| d == p.database());
            let part: Vec<&Prediction> = rows.iter().filter(of).copied().collect();
            if !part.is_empty() {
                all.entry(&pool.name).or_default().push(part);
            }
        }
        for (name, part) in parts(rows) {
            all.entry(name).or_default().push(part);
        }
    }
    all
}

fn cases(seeds: &Seeds, patients: &HashMap<&str, usize>) -> Vec<Vec<Case>> {
    let case =
        |p: &&Prediction| Case { patient: patients[p.patient.as_str()], truth: p.truth, predicted: p.predicted() };
    seeds.iter().map(|rows| rows.iter().map(case).collect()).collect()
}

fn slices(sets: &[Vec<Case>]) -> Vec<&[Case]> {
    sets.iter().map(Vec::as_slice).collect()
}
