//! What the tables hold: means over folds, intervals over patients, paired comparisons; by class; by patient.

#[cfg(test)]
mod tests;

use super::methods::{Method, OF_THE_FIRST, Outcome};
use super::{Best, Cell, Column, Table};
use crate::ecg::labels::Scheme;
use crate::error::{Error, Result};
use crate::explain::scores::MeanScores;
use crate::run::cost::Cost;
use crate::run::metrics::{ClassMetrics, MACRO};
use crate::run::set::{RunSet, describe, folds_and_seeds};
use crate::stats;
use crate::stats::{Bootstrap, Case, RESAMPLES, bootstrap_difference, bootstrap_patients};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A number of a run; of a run and a class.
type Of = fn(&Outcome) -> Option<f64>;
type OfClass = fn(&Outcome, usize) -> Option<f64>;

/// The numbers of a run that the main table has columns for, in the order of a paper.
pub(crate) const COLUMNS: [(&str, Of, Best); 8] = [
    ("macro-F1", |o| o.macro_f1, Best::Largest),
    ("accuracy", |o| o.accuracy, Best::Largest),
    ("AUROC", |o| o.auroc, Best::Largest),
    ("NCC", |o| o.maps.ncc, Best::Largest),
    ("energy", |o| o.maps.energy, Best::Largest),
    ("pointing", |o| o.maps.pointing, Best::Largest),
    ("deletion", |o| o.maps.deletion_auc, Best::Smallest),
    ("insertion", |o| o.maps.insertion_auc, Best::Largest),
];

/// What a prediction costs, with unit and decimals: two that a network has, and two that are measured.
pub(crate) const COSTS: [(&str, &str, usize, Of); 4] = [
    ("parameters", "", 0, |o| Some(o.cost?.parameters as f64)),
    ("multiply-adds", "M", 2, |o| Some(o.cost?.multiply_adds as f64 / 1e6)),
    ("inference", "ms", 2, |o| o.cost?.single_ms()),
    ("inference in a batch", "ms", 3, |o| Some(o.cost?.batched()?.ms_per_strip)),
];
pub(super) const MEASURED: [&str; 2] = ["inference", "inference in a batch"];

/// Others that a table of single runs has behind them.
pub(crate) const MORE: [(&str, Of, Best); 2] = [
    ("macro-sensitivity", |o| o.macro_sensitivity, Best::Largest),
    ("macro-specificity", |o| o.macro_specificity, Best::Largest),
];

/// The numbers of a class.
pub(crate) const OF_CLASS: [(&str, OfClass); 10] = [
    ("sensitivity", |o, c| Some(tested(o, c)?.sensitivity)),
    ("specificity", |o, c| Some(o.classes.get(c)?.specificity)),
    ("PPV", |o, c| Some(tested(o, c)?.ppv)),
    ("F1", |o, c| Some(tested(o, c)?.f1)),
    ("AUROC", |o, c| o.classes.get(c)?.auroc),
    ("NCC", |o, c| Some(maps(o, c)?.ncc)),
    ("NCC with B", |o, c| Some(maps(o, c)?.ncc_beats)),
    ("NCC with I", |o, c| Some(maps(o, c)?.ncc_intervals)),
    ("energy", |o, c| Some(maps(o, c)?.energy)),
    ("pointing", |o, c| Some(maps(o, c)?.pointing)),
];

/// A class with test records: without one it has but a specificity.
fn tested<'a>(outcome: &'a Outcome<'_>, class: usize) -> Option<&'a ClassMetrics> {
    outcome.classes.get(class).filter(|c| c.support > 0)
}

fn maps<'a>(outcome: &'a Outcome<'_>, class: usize) -> Option<&'a MeanScores> {
    outcome.scores.get(class)?.as_ref()
}

/// What columns mean, in the notes of every table that has them.
const MEANINGS: [(&[&str], &str); 9] = [
    (
        &["macro-F1", "pooled macro-F1", "PPV", "F1"],
        "F1: harmonic mean of sensitivity and PPV (positive predictive value); macro: its mean over the classes.",
    ),
    (
        &["AUROC"],
        "AUROC: area under the receiver operating characteristic curve of one class against the rest, or its \
         mean over the classes.",
    ),
    (
        &["NCC", "NCC with B", "NCC with I"],
        "NCC: normalised cross-correlation of the Grad-CAM map for the true class and the guidance target.",
    ),
    (&["NCC with B", "NCC with I"], "B, I: beats and intervals of the target alone."),
    (&["energy"], "Energy: share of the map where the target is above 0.5."),
    (
        &["pointing"],
        "Pointing: share of maps with their maximum within 75 ms of an R peak or where the target is above 0.5; of the \
         uniform map that of chance.",
    ),
    (
        &["deletion", "insertion"],
        "Deletion (low is good), insertion (high is good): area under the probability of the true class while the samples \
         that the map marks most are taken away or brought in, of a few records of each class.",
    ),
    (&["multiply-adds"], "M: million, for one strip."),
    (&["support"], "Support: test records of all folds."),
];

/// Seed of the bootstrap.
pub(super) const SEED: u64 = 42;

/// Name, and what the numbers are of.
fn titled(name: &str, set: &RunSet<'_>) -> String {
    match folds_and_seeds(set.runs.iter().filter_map(|run| run.fold_and_seed())) {
        (1, 1) => format!("{name}: one run of each variant"),
        (1, seeds) => format!("{name}: mean over {seeds} seeds"),
        (folds, 1) => format!("{name}: mean and standard deviation over {folds} folds"),
        (folds, _) => format!("{name}: mean and standard deviation over {folds} folds, seeds averaged within a fold"),
    }
}

/// What every table says: of how many runs it is, and what its columns mean.
pub(super) fn explain(table: &mut Table, set: &RunSet<'_>) {
    let each: Vec<String> = set.variants.iter().map(|variant| describe(set.of(variant))).collect();
    let n = match each.iter().all(|n| *n == each[0]) {
        true => format!("{} of each variant", each[0]),
        false => set.variants.iter().zip(&each).map(|(v, n)| format!("{v} {n}")).collect::<Vec<_>>().join("; "),
    };
    table.note(format!("n = {n}."));
    MEANINGS.iter().for_each(|(columns, meaning)| table.note_on(columns, *meaning));
}

/// Means over folds, intervals over patients, paired comparisons with the variant `against`.
pub(super) fn main_table(name: &str, set: &RunSet<'_>, methods: &[Method], against: &str) -> Result<Table> {
    let (classes, grouped) = (set.classes.len(), set.grouped());
    let reference = methods.iter().find(|m| m.name == against).expect("a variant with runs");
    let mut columns = vec![Column::new("runs", 0)];
    columns.extend(COLUMNS.iter().map(|(name, _, best)| Column::new(*name, 3).best(*best)));
    columns.extend([
        Column::new("pooled macro-F1", 3).unit("95 % CI"),
        Column::new("difference", 3).unit("95 % CI"),
        Column::new("p", 3),
        Column::new("effect", 2),
    ]);
    let costs = costs(methods);
    columns.extend(costs.iter().map(|(name, unit, decimals, _)| Column::new(*name, *decimals).unit(*unit)));
    // in the CSV too, which has no notes
    let lacking = set.lacking();
    columns.extend(lacking.as_ref().map(|_| Column::new("no test record in", 0)));
    let mut table = Table::new(titled(name, set), "variant", columns);
    explain(&mut table, set);
    table.note_on(
        &["pooled macro-F1", "difference"],
        format!(
            "Pooled: of the records of all folds and seeds together; difference: that macro-F1 less the one of {against}. \
             CI: confidence interval, of {RESAMPLES} resamples of the patients, the same for both sides of a difference."
        ),
    );
    let cells = if grouped {
        "the means of the folds (folds by patient: seeds are averaged within a fold)"
    } else {
        "the cells of fold and seed (they share training records: read p with care)"
    };
    table.note_on(
        &["p", "effect"],
        format!("p, effect (rank-biserial): Wilcoxon's signed-rank test of macro-F1 against {against} over {cells}."),
    );
    table.note_on(&MEASURED, measured(methods));
    let results = COLUMNS.map(|(name, ..)| name);
    if methods.iter().any(|m| m.baseline) {
        table.note_on(&results, OF_THE_FIRST);
    }
    if let Some(folds) = &lacking {
        table.note_on(&results, format!("No test record in {folds}. {MACRO}"));
    }
    for method in methods {
        let runs = if method.baseline { Cell::Missing } else { Cell::Value(method.outcomes.len() as f64) };
        let mut row = vec![runs];
        row.extend(COLUMNS.iter().map(|(_, of, _)| method.over_folds(of)));
        let cases: Vec<Case> = method.outcomes.values().flat_map(|o| o.cases.clone()).collect();
        if cases.is_empty() {
            row.extend([Cell::Missing, Cell::Missing, Cell::Missing, Cell::Missing]);
        } else {
            row.push(interval(bootstrap_patients(&cases, classes, SEED, RESAMPLES, stats::macro_f1)?));
            row.extend(comparison(method, reference, classes, grouped)?);
        }
        row.extend(costs.iter().map(|(_, _, _, of)| method.mean(of)));
        if let Some(folds) = &lacking {
            let own = method.outcomes.values().any(|o| o.macro_f1.is_some());
            row.push(if own { Cell::Text(folds.clone()) } else { Cell::Missing });
        }
        table.push_row(method.name.clone(), row, method.baseline)?;
    }
    Ok(table)
}

/// The columns of what a prediction costs; none where no run says.
fn costs(methods: &[Method]) -> &'static [(&'static str, &'static str, usize, Of)] {
    let known = methods.iter().any(|m| m.outcomes.values().any(|o| o.cost.is_some()));
    if known { &COSTS } else { &[] }
}

/// How times were measured.
fn measured(methods: &[Method]) -> String {
    let costs = || methods.iter().flat_map(|m| m.outcomes.values()).filter_map(|o| o.cost);
    let words = |found: BTreeSet<String>| found.into_iter().collect::<Vec<_>>().join(", ");
    let adapters = words(costs().map(|c| c.adapter.clone().unwrap_or_else(|| "an adapter not known".into())).collect());
    let batches = words(costs().filter_map(Cost::batched).map(|i| i.batch.to_string()).collect());
    format!(
        "Inference: median time of a strip by itself and in a batch of {batches}, mean over the runs, on {adapters}. Times \
         depend on what else the machine did meanwhile: only those of an otherwise idle one compare."
    )
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
    let [p, effect] =
        test.map_or([Cell::Missing, Cell::Missing], |test| [Cell::PValue(test.p_value), Cell::Value(test.effect_size)]);
    Ok([difference, p, effect])
}

/// The same by class.
pub(super) fn class_table(name: &str, set: &RunSet<'_>, methods: &[Method]) -> Result<Table> {
    let mut columns = vec![Column::new("class", 0), Column::new("support", 0)];
    columns.extend(OF_CLASS.iter().map(|(name, _)| Column::new(*name, 3)));
    columns.push(Column::new("folds", 0));
    let mut table = Table::new(titled(&format!("{name}, per class"), set), "variant", columns);
    explain(&mut table, set);
    if let Some(names) = Scheme::spelled(&set.classes) {
        table.note(format!("{names}."));
    }
    table.note_on(&["folds"], "Folds: those with a test record of the class.");
    table.note_on(&["specificity"], "Folds without a record of the class count for its specificity alone.");
    // the class prior has no numbers by class
    for method in methods.iter().filter(|m| m.outcomes.values().any(|o| !(o.classes.is_empty() && o.scores.is_empty())))
    {
        for (c, class) in set.classes.iter().enumerate() {
            let support = method.cells(|o| o.classes.get(c).map(|c| c.support as f64));
            let total: f64 = stats::fold_means(&support).iter().sum();
            let folds: BTreeSet<usize> = support.iter().filter(|(_, n)| **n > 0.0).map(|(cell, _)| cell.0).collect();
            let counted = |number: f64| if support.is_empty() { Cell::Missing } else { Cell::Value(number) };
            let mut row = vec![Cell::Text(class.clone()), counted(total)];
            row.extend(OF_CLASS.iter().map(|(_, of)| method.over_folds(|o| of(o, c))));
            row.push(counted(folds.len() as f64));
            table.push_row(method.name.clone(), row, method.baseline)?;
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
pub(super) fn patient_table(name: &str, set: &RunSet<'_>) -> Result<Option<Table>> {
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
    columns.extend(classes.iter().map(|c| Column::new(c.clone(), 0).group("records")));
    columns.extend(variants.iter().map(|v| Column::new(v.clone(), 3).group("accuracy")));
    let title = format!("{name}: accuracy of every patient, over all seeds; records of each true class");
    let mut table = Table::new(title, "patient", columns);
    explain(&mut table, set);
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
