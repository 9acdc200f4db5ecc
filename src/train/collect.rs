//! Gathers the runs of a sweep into a table: means over folds, intervals over patients, paired comparisons.

use super::config::Fold;
use super::metrics::Metrics;
use super::run_folder::{RunFolder, RunRecord};
use super::stats::{self, Case, Cells, RESAMPLES, bootstrap_patients, fold_means, mean_sd, paired_cells};
use super::table::{Best, Cell, Column, Table};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// One finished run.
struct Run {
    variant: String,
    fold: usize,
    seed: u64,
    metrics: Metrics,
    /// Patient, true and predicted class of each record.
    predictions: Vec<(String, usize, usize)>,
}

/// What [`collect`] found.
pub struct Collected {
    /// The table.
    pub table: Table,
    /// Finished runs.
    pub runs: usize,
    /// Runs that are not finished.
    pub unfinished: Vec<PathBuf>,
}

/// A number of a run.
type Of = fn(&Metrics) -> Option<f64>;

/// The numbers of a run that the table has columns for.
const COLUMNS: [(&str, Of); 6] = [
    ("macro-F1", |m| Some(m.macro_f1)),
    ("accuracy", |m| Some(m.accuracy)),
    ("AUROC", |m| m.macro_auroc),
    ("NCC", |m| m.explanation.ncc),
    ("energy", |m| m.explanation.energy),
    ("pointing", |m| m.explanation.pointing),
];

/// Reads `dir/VARIANT/RUN` of every finished run. The first variant of the alphabet, or `plain` where there is one, is the
/// reference that the others are compared with.
///
/// # Errors
/// [`Error::File`] for a damaged run; [`Error::Data`] where no run is finished, or runs have different classes.
pub fn collect(dir: &Path) -> Result<Collected> {
    let (mut runs, mut unfinished) = (Vec::new(), Vec::new());
    for folder in run_folders(dir)? {
        if folder.is_finished()? && folder.dir().join("metrics.json").exists() {
            runs.push(read(&folder)?);
        } else {
            unfinished.push(folder.dir().to_path_buf());
        }
    }
    let Some(first) = runs.first() else {
        return Err(Error::data(
            dir.display().to_string(),
            format!("no finished run, {} unfinished", unfinished.len()),
            "give the folder that `exgnet sweep` writes its runs to",
        ));
    };
    let classes = first.metrics.classes.clone();
    if let Some(other) = runs.iter().find(|r| r.metrics.classes != classes) {
        return Err(Error::data(
            format!("{}/fold-{}", other.variant, other.fold),
            format!("classes {:?}, expected {classes:?} as in {}", other.metrics.classes, first.variant),
            "compare runs of one data set",
        ));
    }
    let mut names: Vec<String> = runs.iter().map(|r| r.variant.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by_key(|n| n != "plain");
    let mut columns = vec![Column::new("runs", 0)];
    columns.extend(COLUMNS.iter().map(|(name, _)| Column::new(*name, 3).best(Best::Largest)));
    columns.extend([Column::new("macro-F1, pooled [95 %]", 3), Column::new("p", 3), Column::new("effect", 2)]);
    let name = dir.file_name().map_or("runs".into(), |n| n.to_string_lossy());
    let title = format!("{name}: mean and sd over folds, seeds averaged within a fold");
    let mut table = Table::new(title, "variant", columns);
    let mut f1: BTreeMap<&str, Cells> = BTreeMap::new();
    for name in &names {
        let own: Vec<&Run> = runs.iter().filter(|r| r.variant == *name).collect();
        let cells =
            |of: Of| -> Cells { own.iter().filter_map(|r| Some(((r.fold, r.seed), of(&r.metrics)?))).collect() };
        let mut row = vec![Cell::Value(own.len() as f64)];
        row.extend(COLUMNS.iter().map(|(_, of)| over_folds(&cells(*of))));
        let interval = bootstrap_patients(&cases(&own), classes.len(), 42, RESAMPLES, stats::macro_f1)?;
        row.push(Cell::Interval { value: interval.estimate, low: interval.low, high: interval.high });
        f1.insert(name, cells(COLUMNS[0].1));
        if name == &names[0] {
            row.extend([Cell::Missing, Cell::Missing]);
        } else {
            let paired = paired_cells(&f1[name.as_str()], &f1[names[0].as_str()]);
            let test = stats::wilcoxon_signed_rank(&paired.differences);
            row.extend([Cell::PValue(test.p_value), Cell::Value(test.effect_size)]);
        }
        table.push(name.clone(), row)?;
    }
    // the baseline is the same for every variant
    let baseline = |of: Of| -> Cells {
        let own = runs.iter().filter(|r| r.variant == names[0]);
        own.filter_map(|r| Some(((r.fold, r.seed), of(&r.metrics)?))).collect()
    };
    let mut row = vec![Cell::Missing; COLUMNS.len() + 4];
    row[1] = over_folds(&baseline(|m| m.baseline.macro_f1));
    row[2] = over_folds(&baseline(|m| m.baseline.accuracy));
    table.push("class prior", row)?;
    Ok(Collected { table, runs: runs.len(), unfinished })
}

fn over_folds(cells: &Cells) -> Cell {
    if cells.is_empty() {
        return Cell::Missing;
    }
    let (mean, sd) = mean_sd(&fold_means(cells));
    Cell::MeanSd { mean, sd }
}

/// The records of all runs of a variant; a patient is the same in every run.
fn cases(runs: &[&Run]) -> Vec<Case> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut all = Vec::new();
    for (patient, truth, predicted) in runs.iter().flat_map(|r| &r.predictions) {
        let next = numbers.len();
        let patient = *numbers.entry(patient).or_insert(next);
        all.push(Case { patient, truth: *truth, predicted: *predicted });
    }
    all
}

/// The run folders two levels below `dir`, in order.
fn run_folders(dir: &Path) -> Result<Vec<RunFolder>> {
    let below = |dir: &Path| -> Result<BTreeSet<PathBuf>> {
        let fail = |e: std::io::Error| Error::file(dir, format!("cannot be listed: {e}"), "give the sweep's folder");
        let entries = std::fs::read_dir(dir).map_err(fail)?;
        Ok(entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect())
    };
    let mut folders = Vec::new();
    for variant in below(dir)? {
        folders.extend(below(&variant)?.iter().filter_map(|p| RunFolder::open(p).ok()));
    }
    Ok(folders)
}

fn read(folder: &RunFolder) -> Result<Run> {
    let dir = folder.dir();
    let bad = |name: &str, e: String| {
        Error::file(dir.join(name), format!("cannot be used: {e}"), "run it again: remove the folder, then sweep")
    };
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).map_err(|e| bad(name, e.to_string()));
    let metrics: Metrics =
        serde_json::from_str(&text("metrics.json")?).map_err(|e| bad("metrics.json", e.to_string()))?;
    let record: RunRecord = serde_json::from_str(&text("run.json")?).map_err(|e| bad("run.json", e.to_string()))?;
    let Fold::Index(fold) = record.fold else { return Err(bad("run.json", "it has no test fold".into())) };
    let table = text("predictions.csv")?;
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let wrong = |e: String| bad("predictions.csv", e);
    let head = csv.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let column = |name: &str| head.iter().position(|h| h == name).ok_or_else(|| wrong(format!("no column {name}")));
    let [patient, truth, predicted] = [column("patient")?, column("true")?, column("predicted")?];
    let class = |name: &str| {
        metrics
            .classes
            .iter()
            .position(|c| c == name)
            .ok_or_else(|| wrong(format!("class {name} is not in metrics.json")))
    };
    let mut predictions = Vec::new();
    for row in csv.records() {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        predictions.push((row[patient].to_string(), class(&row[truth])?, class(&row[predicted])?));
    }
    let variant = dir.parent().and_then(Path::file_name).map_or(String::new(), |n| n.to_string_lossy().into_owned());
    Ok(Run { variant, fold, seed: record.seed, metrics, predictions })
}
