//! Run folders, read as far as they can be: a page about a half-finished sweep tells what is there and what is not.

use crate::ecg::SplitKind;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Fold};
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::explanation::Explanations;
use crate::run::folder::{self, EpochLog, RunFolder};
use crate::run::metrics::Metrics;
use crate::run::origin::{again, foreign_files};
use crate::run::predictions::{self, Prediction};
use crate::run::record::{RunRecord, quoted};
use crate::run::sanity::Sanity;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const HINT: &str = "give the folder that `exgnet train` or `exgnet sweep` wrote";

/// A run, with what it has.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Its folder, as it was named.
    pub dir: PathBuf,
    /// Name of the variant: of the folder above a sweep's run, else of the run's own folder.
    pub variant: String,
    /// The complete experiment, as it is written.
    pub config: Option<String>,
    /// The same, read.
    pub experiment: Option<Experiment>,
    /// Names of its classes, where `metrics.json` or `split.json` tells them.
    pub classes: Option<Vec<String>>,
    /// What ran, where and when.
    pub record: Option<RunRecord>,
    /// The epochs.
    pub log: Vec<EpochLog>,
    /// The test's results.
    pub metrics: Option<Metrics>,
    /// The same record by record.
    pub predictions: Option<Vec<Prediction>>,
    /// Scores of the maps.
    pub explanation: Option<Explanations>,
    /// What they are held against.
    pub sanity: Option<Sanity>,
    /// Strips, maps, features.
    pub examples: Option<Examples>,
    /// What a prediction costs.
    pub cost: Option<Cost>,
}

/// Something that a run does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The run, or the part of the page.
    pub place: String,
    /// What is missing, and why.
    pub what: String,
    /// The command that makes it, where there is one.
    pub command: Option<String>,
    /// It is there and cannot be used.
    pub damaged: bool,
}

impl Missing {
    /// Something that is not there, and no command makes it.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), command: None, damaged: false }
    }
}

/// All runs of a page.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Names of the folders that were given.
    pub names: Vec<String>,
    /// Those of them that hold variants with runs.
    pub sweeps: Vec<PathBuf>,
    /// The runs, by variant.
    pub runs: Vec<Run>,
    /// What they do not have.
    pub missing: Vec<Missing>,
    /// Of the strips that the runs keep, those of some records alone.
    pub picked: bool,
}

impl Found {
    /// Keeps the runs of one test fold and, of their strips, those of some records; what was given says so from then on.
    ///
    /// # Errors
    /// [`Error::Data`] where no run is of the fold, or no run keeps a strip of a record.
    pub fn restrict(&mut self, fold: Option<usize>, records: &[String]) -> Result<()> {
        let mut of = Vec::new();
        if let Some(fold) = fold {
            let folds: BTreeSet<usize> = self.runs.iter().filter_map(|r| Some(r.fold_and_seed()?.0)).collect();
            if !folds.contains(&fold) {
                let there: Vec<String> = folds.iter().map(usize::to_string).collect();
                let what = format!("found no run, expected one of the folds {}", there.join(", "));
                return Err(Error::data(format!("fold {fold}"), what, "give a fold of these runs with --fold"));
            }
            self.runs.retain(|r| r.fold_and_seed().is_some_and(|own| own.0 == fold));
            of.push(format!("fold {fold}"));
        }
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for strips in self.runs.iter_mut().filter_map(|r| Some(&mut r.examples.as_mut()?.strips)) {
            kept.extend(strips.iter().map(|s| s.record.clone()));
            strips.retain(|s| records.is_empty() || records.contains(&s.record));
        }
        if let Some(record) = records.iter().find(|r| !kept.contains(*r)) {
            let (n, some): (_, Vec<String>) = (kept.len(), kept.into_iter().take(6).collect());
            let what = format!("no run keeps a strip of it; they keep {n} records, such as {}", some.join(", "));
            let hint = "name kept ones; a training keeps output.examples of each class, right and wrong";
            return Err(Error::data(record, what, hint));
        }
        if !records.is_empty() {
            self.picked = true;
            of.push(format!("records {}", records.join(", ")));
        }
        if let (Some(last), false) = (self.names.last_mut(), of.is_empty()) {
            *last = format!("{last} ({})", of.join("; "));
        }
        Ok(())
    }

    /// Whether every file that is there can be used: a page may leave one out, a table of results may not.
    ///
    /// # Errors
    /// [`Error::Data`] for the first one that is damaged, or of another test than its run's.
    pub fn undamaged(&self) -> Result<()> {
        let Some(Missing { place, what, command, .. }) = self.missing.iter().find(|m| m.damaged) else {
            return Ok(());
        };
        let hint = "write the file again, or take the run out of the folder";
        Err(Error::data(place, what, command.as_ref().map_or(hint.into(), |c| format!("write it again: {c}"))))
    }
}

impl Run {
    /// Fold and seed, in words.
    pub fn cell(&self) -> String {
        match (self.fold_and_seed(), &self.record) {
            (Some((fold, seed)), _) => format!("fold {fold}, seed {seed}"),
            (None, Some(r)) => format!("all records, seed {}", r.seed),
            _ => self.dir.file_name().map_or_else(|| "run".into(), |n| n.to_string_lossy().into_owned()),
        }
    }

    /// Variant, fold and seed.
    pub fn name(&self) -> String {
        format!("{}, {}", self.variant, self.cell())
    }

    /// Number of the fold and seed; `None` for a run without a test fold.
    pub fn fold_and_seed(&self) -> Option<(usize, u64)> {
        let written = || self.experiment.as_ref().map(|e| (e.train.fold, e.train.seed));
        match self.record.as_ref().map(|r| (r.fold, r.seed)).or_else(written)? {
            (Fold::Index(fold), seed) => Some((fold, seed)),
            _ => None,
        }
    }

    /// Patients are on one side of the split each.
    pub fn grouped(&self) -> bool {
        let written = || self.experiment.as_ref().map(|e| e.data.split);
        self.record.as_ref().map(|r| r.split).or_else(written) == Some(SplitKind::Grouped)
    }
}

/// Reads the runs of every path: a run folder, a folder of runs, or one of variants with runs.
///
/// # Errors
/// [`Error::File`] for a path without a run; [`Error::Data`] without a path.
pub fn read_all(inputs: &[PathBuf]) -> Result<Found> {
    if inputs.is_empty() {
        return Err(Error::data("runs", "found no run folder, expected at least one", HINT));
    }
    let mut found = Found::default();
    let mut known = BTreeSet::new();
    for input in inputs {
        let name = named(input);
        let dirs = run_folders(input)?;
        if dirs.iter().any(|dir| dir.parent().and_then(Path::parent) == Some(input)) {
            found.sweeps.push(input.clone());
        }
        for dir in dirs {
            // a run that is named twice, alone and in its sweep, is one run
            if known.insert(std::fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone())) {
                let variant = variant(&dir, input);
                let variant = match inputs.len() {
                    1 => variant,
                    _ if variant == name || *input == dir => variant,
                    _ => format!("{name}/{variant}"),
                };
                let run = read(dir, variant, &mut found.missing);
                found.runs.push(run);
            }
        }
        found.names.push(name);
    }
    // the customary order: nothing, each guidance, both, and then by name
    const FIRST: [&str; 4] = ["plain", "features", "xai", "both"];
    let rank = |run: &Run| FIRST.iter().position(|name| is_named(&run.variant, name)).unwrap_or(FIRST.len());
    found.runs.sort_by_key(|run| (rank(run), run.variant.clone(), run.fold_and_seed()));
    Ok(found)
}

/// Whether a variant, of whatever sweep, has this name.
pub(crate) fn is_named(variant: &str, name: &str) -> bool {
    variant.rsplit('/').next() == Some(name)
}

/// Whether there is a run at a path or at most two levels below.
pub fn has_runs(path: &Path) -> bool {
    run_folders(path).is_ok()
}

/// Last part of a path, also of `.` and `..`.
fn named(path: &Path) -> String {
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    last(path).or_else(|| last(&std::fs::canonicalize(path).ok()?)).unwrap_or_else(|| "runs".into())
}

fn variant(dir: &Path, input: &Path) -> String {
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    match parent {
        // the name that a sweep gives to its runs
        Some(parent) if dir != input || named(dir).starts_with("fold-") => named(parent),
        _ => named(dir),
    }
}

/// The run folders at `input` or at most two levels below.
fn run_folders(input: &Path) -> Result<Vec<PathBuf>> {
    let is_run = |dir: &PathBuf| RunFolder::open(dir).is_ok();
    if !input.is_dir() {
        let what =
            if input.exists() { "is a file, expected a run folder" } else { "is not there, expected a run folder" };
        return Err(Error::file(input, what, HINT));
    }
    if is_run(&input.to_path_buf()) {
        return Ok(vec![input.to_path_buf()]);
    }
    let below = |dir: &Path| -> BTreeSet<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.is_dir()).collect()
    };
    let mut dirs = Vec::new();
    for child in below(input) {
        if is_run(&child) {
            dirs.push(child);
        } else {
            dirs.extend(below(&child).into_iter().filter(is_run));
        }
    }
    if dirs.is_empty() {
        let what = "found no config.toml here nor one or two folders below, expected a run folder or a sweep's";
        return Err(Error::file(input, what, HINT));
    }
    Ok(dirs)
}

fn read(dir: PathBuf, variant: String, missing: &mut Vec<Missing>) -> Run {
    folder::protect(&dir);
    let mut run = Run { config: std::fs::read_to_string(dir.join("config.toml")).ok(), dir, variant, ..Run::default() };
    let at = quoted(&run.dir.display().to_string());
    let (evaluate, resume) = (again(&run.dir), format!("exgnet train --out {at} --resume"));
    let mut told: Vec<(String, Option<&String>, bool)> = Vec::new();

    match Experiment::load(run.dir.join("config.toml"), &[]) {
        Ok(experiment) => run.experiment = Some(experiment),
        Err(e) => told.push((first_line(&e), None, true)),
    }
    let of_folder = |e: Error| first_line(&e);
    let folder = RunFolder::open(&run.dir).map_err(of_folder);
    match folder.clone().and_then(|f| f.read_run().map_err(of_folder)) {
        Ok(record) => run.record = record,
        Err(e) => told.push((e, None, true)),
    }
    let finished = run.record.as_ref().is_some_and(|r| r.end.is_some());
    let tests = !run.record.as_ref().is_some_and(|r| r.fold == Fold::All);
    if run.record.is_none() {
        told.push(("no run.json: what ran, where and when is not known".into(), Some(&resume), false));
    } else if !finished {
        told.push(("the run is not finished: it has no results yet".into(), Some(&resume), false));
    }
    match folder.clone().and_then(|f| f.read_log().map_err(of_folder)) {
        Ok(log) => run.log = log,
        Err(_) if !finished && !run.dir.join("log.jsonl").exists() => {}
        Err(e) => told.push((e, None, run.dir.join("log.jsonl").exists())),
    }
    if !tests {
        told.push(("it trained on every record: there is no test fold, so no results".into(), None, false));
    }
    // an unfinished run is told once, not file by file
    let expected = finished && tests;
    let command = if expected { Some(&evaluate) } else { None };
    macro_rules! part {
        ($field:ident, $read:expr, $what:literal) => {
            match $read {
                Ok(None) if expected => told.push((format!("no {}", $what), command, false)),
                Ok(found) => run.$field = found,
                Err(e) => told.push((e, command, true)),
            }
        };
    }
    part!(metrics, json(&run.dir.join("metrics.json")), "metrics.json: no results of a test");
    if run.metrics.as_ref().is_some_and(|m| !consistent(m)) {
        let what = "metrics.json has a confusion matrix or classes that do not fit each other";
        told.push((what.into(), command, true));
        run.metrics = None;
    }
    let split = || folder.ok()?.read_split().ok().map(|s| s.classes).filter(|classes| !classes.is_empty());
    run.classes = run.metrics.as_ref().map(|m| m.classes.clone()).or_else(split);
    // without the names of the classes its columns say nothing
    if let Some(classes) = &run.classes {
        let path = run.dir.join("predictions.csv");
        part!(
            predictions,
            if_there(&path, |path| predictions::read(path, classes)),
            "predictions.csv: no probabilities of every record"
        );
    }
    part!(explanation, json(&run.dir.join("explanation.json")), "explanation.json: no scores of the maps by class");
    part!(sanity, json(&run.dir.join("sanity.json")), "sanity.json: nothing that the scores are held against");
    part!(
        examples,
        if_there(&run.dir.join(Examples::FILE), Examples::read),
        "explanations.safetensors: no strips to look through, no Grad-CAM figures"
    );
    // runs of before have none, and miss nothing but a line of a figure
    match json(&run.dir.join(Cost::FILE)) {
        Ok(found) => run.cost = found,
        Err(e) => told.push((e, command, true)),
    }
    // files of before do not name the patients
    if let (Some(shown), Some(rows)) = (&mut run.examples, &run.predictions) {
        for strip in shown.strips.iter_mut().filter(|s| s.patient.is_empty()) {
            strip.patient = rows.iter().find(|p| p.record == strip.record).map_or(String::new(), |p| p.patient.clone());
        }
    }
    if let (Some(shown), Some(classes)) = (&run.examples, &run.classes)
        && shown.classes != *classes
    {
        let what = format!("{} has the classes {:?}, expected {classes:?}", Examples::FILE, shown.classes);
        told.push((what, command, true));
        run.examples = None;
    }
    for what in foreign_files(&run.dir, run.record.as_ref().and_then(|r| r.data.as_ref())) {
        match what.split(' ').next() {
            Some("metrics.json") => run.metrics = None,
            Some("predictions.csv") => run.predictions = None,
            Some("explanation.json") => run.explanation = None,
            Some("sanity.json") => run.sanity = None,
            Some(Cost::FILE) => run.cost = None,
            _ => run.examples = None,
        }
        told.push((what, command, true));
    }
    let place = run.name();
    let one = |(what, command, damaged): (String, Option<&String>, bool)| Missing {
        place: place.clone(),
        what,
        command: command.cloned(),
        damaged,
    };
    missing.extend(told.into_iter().map(one));
    run
}

/// Whether lists and matrix are of the same classes, as the tables take them to be.
fn consistent(m: &Metrics) -> bool {
    let k = m.classes.len();
    k > 0 && m.per_class.len() == k && m.confusion.len() == k && m.confusion.iter().all(|row| row.len() == k)
}

/// An error without its hint.
pub(crate) fn first_line(e: &Error) -> String {
    e.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A file, where it is there.
fn if_there<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>, String> {
    if path.exists() { read(path).map(Some).map_err(|e| first_line(&e)) } else { Ok(None) }
}

/// A JSON file, where it is there.
fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let bad = |e: String| format!("{} cannot be used: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(&text).map(Some).map_err(|e| bad(e.to_string()))
}
