//! Gathers the runs of a sweep into tables: means over folds, intervals over patients, paired comparisons; per class; per
//! patient.

#[cfg(test)]
mod tests;

use super::methods::{Method, Outcome, methods};
use crate::error::{Error, Result};
use crate::explain::scores::MeanScores;
use crate::run::metrics::{ClassMetrics, MACRO, lacking_by_fold};
use crate::run::origin::again;
use crate::run::read::{Run, read_all};
use crate::run::set::RunSet;
use crate::stats;
use crate::stats::{Bootstrap, Case, RESAMPLES, bootstrap_difference, bootstrap_patients};
use crate::tables::{Best, Cell, Column, Table};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// What [`collect`] found.
pub struct Collected {
    /// A row a variant and a baseline: means over folds, intervals, the comparison with the reference.
    pub table: Table,
    /// A row for each of those and each class.
    pub per_class: Table,
    /// A row a patient, where some have several records.
    pub patients: Option<Table>,
    /// Finished runs.
    pub runs: usize,
    /// Runs that are not finished.
    pub unfinished: Vec<PathBuf>,
}

/// A number of a run.
type Of = fn(&Outcome) -> Option<f64>;

/// The numbers of a run that the main table has columns for.
const COLUMNS: [(&str, Of, Best); 8] = [
    ("macro-F1", |o| o.macro_f1, Best::Largest),
    ("accuracy", |o| o.accuracy, Best::Largest),
    ("AUROC", |o| o.auroc, Best::Largest),
    ("NCC", |o| o.maps.ncc, Best::Largest),
    ("energy", |o| o.maps.energy, Best::Largest),
    ("pointing", |o| o.maps.pointing, Best::Largest),
    ("deletion", |o| o.maps.deletion_auc, Best::Smallest),
    ("insertion", |o| o.maps.insertion_auc, Best::Largest),
];

/// Seed of the bootstrap.
const SEED: u64 = 42;

/// Reads the finished runs of a sweep. The others are compared with the variant `reference`; without one with the first,
/// `plain` where there is one.
///
/// # Errors
/// [`Error::File`] where there is no run; [`Error::Data`] where a file is damaged, no run is finished, the reference has
/// none, or runs have different classes, splits or test records.
pub fn collect(dir: &Path, reference: Option<&str>) -> Result<Collected> {
    let mut found = read_all(&[dir.to_path_buf()])?;
    found.undamaged()?;
    let finished = |run: &Run| run.metrics.is_some() && run.record.as_ref().is_some_and(|r| r.end.is_some());
    let (finished, unfinished) = std::mem::take(&mut found.runs).into_iter().partition(finished);
    found.runs = finished;
    let at = || dir.display().to_string();
    let Some(first) = found.runs.first() else {
        let what = format!("no finished run, {} unfinished", unfinished.len());
        return Err(Error::data(at(), what, "give the folder that `exgnet sweep` writes its runs to"));
    };
    check(&found.runs, first)?;
    let set = RunSet::new(&found)?;
    let reference = reference.unwrap_or(&set.variants[0]);
    if !set.variants.iter().any(|name| name == reference) {
        let what = format!("no finished run of variant '{reference}'");
        return Err(Error::data(at(), what, format!("there are {}", set.variants.join(", "))));
    }
    let (name, methods) = (&found.names[0], methods(&set));
    Ok(Collected {
        table: main_table(name, &set, &methods, reference)?,
        per_class: class_table(name, &set.classes, &methods)?,
        patients: patient_table(name, &set)?,
        runs: set.runs.len(),
        unfinished: unfinished.into_iter().map(|run| run.dir).collect(),
    })
}

/// What tables need of runs beyond one set of classes.
fn check(runs: &[Run], first: &Run) -> Result<()> {
    let mut cells = HashSet::new();
    for run in runs {
        let fail = |what: String, hint: String| Err(Error::data(run.dir.display().to_string(), what, hint));
        let Some(cell) = run.fold_and_seed() else {
            return fail("names no test fold".into(), "leave runs on all records out of a sweep".into());
        };
        if !cells.insert((&run.variant, cell)) {
            let what = format!("{} is there twice", run.name());
            return fail(what, "leave one of the two runs in the folder".into());
        }
        if run.predictions.is_none() {
            return fail("no predictions.csv".into(), format!("write it: {}", again(&run.dir)));
        }
        if run.grouped() != first.grouped() {
            let told = |run: &Run| if run.grouped() { "folds by patient" } else { "folds by record" };
            let what = format!("{}, expected {} as in {}", told(run), told(first), first.dir.display());
            return fail(what, "compare runs of one data set and one split".into());
        }
    }
    Ok(())
}

fn main_table(name: &str, set: &RunSet<'_>, methods: &[Method], against: &str) -> Result<Table> {
    let (classes, grouped) = (set.classes.len(), set.runs[0].grouped());
    let reference = methods.iter().find(|m| m.name == against).expect("a variant with runs");
    let mut columns = vec![Column::new("runs", 0)];
    columns.extend(COLUMNS.iter().map(|(name, _, best)| Column::new(*name, 3).best(*best)));
    columns.extend([
        Column::new("macro-F1, pooled [95 %]", 3),
        Column::new("difference [95 %]", 3),
        Column::new("p", 3),
        Column::new("effect", 2),
    ]);
    // in the CSV too, which has no notes
    let tested = set.runs.iter().filter_map(|run| Some((run.fold_and_seed()?.0, run.metrics.as_ref()?)));
    let lacking = lacking_by_fold(tested);
    columns.extend(lacking.as_ref().map(|_| Column::new("no test record in", 0)));
    let title = format!("{name}: mean and sd over folds, seeds averaged within a fold");
    let mut table = Table::new(title, "variant", columns);
    table.note(format!(
        "Pooled: macro-F1 of the records of all folds and seeds together; difference: that less the one of {against}. \
         95 % intervals of {RESAMPLES} resamples of the patients, the same patients for both sides of a difference."
    ));
    let cells = if grouped {
        "the means of the folds (folds by patient: seeds are averaged within a fold)"
    } else {
        "the cells of fold and seed (they share training records: read p with care)"
    };
    table.note(format!(
        "p and effect (rank-biserial): Wilcoxon's signed-rank test of macro-F1 against {against} over {cells}."
    ));
    table.note(
        "NCC, energy, pointing: maps for the true class against the guidance target; deletion and insertion of a few \
         records of each class. The uniform map's pointing is that of chance. Rows below the variants are of the runs \
         of the first.",
    );
    if let Some(folds) = &lacking {
        table.note(format!("No test record in {folds}. {MACRO}"));
    }
    for method in methods {
        let count = if method.baseline { Cell::Missing } else { Cell::Value(method.outcomes.len() as f64) };
        let mut row = vec![count];
        row.extend(COLUMNS.iter().map(|(_, of, _)| method.over_folds(of)));
        let cases: Vec<Case> = method.outcomes.values().flat_map(|o| o.cases.clone()).collect();
        if cases.is_empty() {
            row.extend([Cell::Missing, Cell::Missing, Cell::Missing, Cell::Missing]);
        } else {
            row.push(interval(bootstrap_patients(&cases, classes, SEED, RESAMPLES, stats::macro_f1)?));
            row.extend(comparison(method, reference, classes, grouped)?);
        }
        if let Some(folds) = &lacking {
            let own = method.outcomes.values().any(|o| o.macro_f1.is_some());
            row.push(if own { Cell::Text(folds.clone()) } else { Cell::Missing });
        }
        table.push(method.name.clone(), row)?;
    }
    Ok(table)
}

fn interval(b: Bootstrap) -> Cell {
    Cell::Interval { value: b.estimate, low: b.low, high: b.high }
}

/// Difference of the pooled macro-F1, p and effect of a method against the reference.
fn comparison(method: &Method, reference: &Method, classes: usize, grouped: bool) -> Result<[Cell; 3]> {
    if std::ptr::eq(method, reference) {
        return Ok([Cell::Missing, Cell::Missing, Cell::Missing]);
    }
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (cell, outcome) in &method.outcomes {
        if let Some(other) = reference.outcomes.get(cell) {
            a.extend(outcome.cases.iter().copied());
            b.extend(other.cases.iter().copied());
        }
    }
    let difference = if a.is_empty() {
        Cell::Missing
    } else {
        let found = bootstrap_difference(&a, &b, classes, SEED, RESAMPLES, stats::macro_f1);
        interval(found.map_err(|e| match e {
            Error::Data { what, hint, .. } => {
                Error::data(format!("{} and {}", method.name, reference.name), what, hint)
            }
            other => other,
        })?)
    };
    let test = stats::paired_test(&method.cells(|o| o.macro_f1), &reference.cells(|o| o.macro_f1), grouped);
    Ok([difference, Cell::PValue(test.p_value), Cell::Value(test.effect_size)])
}

/// A number of one class, from its predictions and from its maps.
type OfRecords = fn(&ClassMetrics) -> Option<f64>;
type OfMaps = fn(&MeanScores) -> f64;

fn class_table(name: &str, classes: &[String], methods: &[Method]) -> Result<Table> {
    let of_records: [(&str, OfRecords); 5] = [
        ("sensitivity", |c| (c.support > 0).then_some(c.sensitivity)),
        ("specificity", |c| Some(c.specificity)),
        ("PPV", |c| (c.support > 0).then_some(c.ppv)),
        ("F1", |c| (c.support > 0).then_some(c.f1)),
        ("AUROC", |c| c.auroc),
    ];
    let of_maps: [(&str, OfMaps); 5] = [
        ("NCC", |m| m.ncc),
        ("NCC with B", |m| m.ncc_beats),
        ("NCC with I", |m| m.ncc_intervals),
        ("energy", |m| m.energy),
        ("pointing", |m| m.pointing),
    ];
    let mut columns = vec![Column::new("class", 0), Column::new("support", 0)];
    columns.extend(of_records.iter().map(|(name, _)| Column::new(*name, 3)));
    columns.extend(of_maps.iter().map(|(name, _)| Column::new(*name, 3)));
    columns.push(Column::new("folds", 0));
    let mut table = Table::new(format!("{name}, per class: mean and sd over folds"), "variant", columns);
    table.note(
        "Support: test records of all folds; folds: those that have one of the class. Folds without count for its \
         specificity alone. Maps for the true class; B: beats, I: intervals of the guidance target.",
    );
    // the class prior has no numbers by class
    for method in methods.iter().filter(|m| m.outcomes.values().any(|o| !(o.classes.is_empty() && o.scores.is_empty())))
    {
        for (c, class) in classes.iter().enumerate() {
            let support = method.cells(|o| o.classes.get(c).map(|c| c.support as f64));
            let total: f64 = stats::fold_means(&support).iter().sum();
            let mut row = vec![Cell::Text(class.clone())];
            let folds: BTreeSet<usize> = support.iter().filter(|(_, n)| **n > 0.0).map(|(cell, _)| cell.0).collect();
            let counted = |number: f64| if support.is_empty() { Cell::Missing } else { Cell::Value(number) };
            row.push(counted(total));
            row.extend(of_records.iter().map(|(_, of)| method.over_folds(|o| of(o.classes.get(c)?))));
            row.extend(of_maps.iter().map(|(_, of)| method.over_folds(|o| Some(of(o.scores.get(c)?.as_ref()?)))));
            row.push(counted(folds.len() as f64));
            table.push(method.name.clone(), row)?;
        }
    }
    Ok(table)
}

/// Tested records of one patient.
#[derive(Default)]
struct Patient<'a> {
    /// Ids, of every class.
    records: Vec<HashSet<&'a str>>,
    /// Right and all predictions of each variant, those of all seeds.
    hits: BTreeMap<&'a str, (usize, usize)>,
}

/// Accuracy of every patient; `None` where no patient has several records.
fn patient_table(name: &str, set: &RunSet<'_>) -> Result<Option<Table>> {
    let (classes, variants) = (&set.classes, &set.variants);
    let mut patients: BTreeMap<&str, Patient> = BTreeMap::new();
    for run in &set.runs {
        for row in run.predictions.iter().flatten() {
            let patient = patients.entry(&row.patient).or_default();
            patient.records.resize_with(classes.len(), HashSet::new);
            patient.records[row.truth].insert(&row.record);
            let (right, all) = patient.hits.entry(&run.variant).or_default();
            *right += usize::from(row.truth == row.predicted());
            *all += 1;
        }
    }
    let records = |p: &Patient| p.records.iter().map(HashSet::len).sum::<usize>();
    if patients.values().all(|p| records(p) < 2) {
        return Ok(None);
    }
    let mut columns = vec![Column::new("records", 0)];
    columns.extend(classes.iter().map(|c| Column::new(c.clone(), 0)));
    columns.extend(variants.iter().map(|v| Column::new(format!("accuracy, {v}"), 3)));
    let title = format!("{name}: accuracy of every patient, over all seeds; records of each true class");
    let mut table = Table::new(title, "patient", columns);
    for (id, patient) in &patients {
        let mut row = vec![Cell::Value(records(patient) as f64)];
        row.extend(patient.records.iter().map(|of| Cell::Value(of.len() as f64)));
        row.extend(variants.iter().map(|v| match patient.hits.get(v.as_str()) {
            Some(&(right, all)) => Cell::Value(right as f64 / all as f64),
            None => Cell::Missing,
        }));
        table.push(*id, row)?;
    }
    Ok(Some(table))
}
