//! Run folders, read as far as they can be: a page about a half-finished sweep shows what is there and what is not.

use crate::ecg::SplitKind;
use crate::error::{Error, Result};
use crate::experiment::sweep::{Cell, listed, not_begun};
use crate::experiment::{Experiment, Fold};
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::explanation::Explanations;
use crate::run::folder::{self, CONFIG, EXPLANATION, EpochLog, LOG, METRICS, PREDICTIONS, RECORD, RunFolder, SANITY};
use crate::run::metrics::Metrics;
use crate::run::missing::{LeftOut, Missing};
use crate::run::origin::{again, foreign_files, resume};
use crate::run::predictions::{self, Prediction};
use crate::run::randomised::Randomised;
use crate::run::record::{RunRecord, quoted};
use crate::run::sanity::Sanity;
use crate::run::set::count;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
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
    /// Names of its classes, where `metrics.json` or `split.json` has them.
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
    /// What they are compared with.
    pub sanity: Option<Sanity>,
    /// Strips, maps, features.
    pub examples: Option<Examples>,
    /// What a prediction costs.
    pub cost: Option<Cost>,
    /// Its maps as weights become random.
    pub randomised: Option<Randomised>,
    /// The list of its sweep does not have it, as its file had it once and does not any more.
    pub unlisted: bool,
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
    /// Of the strips that the runs keep, those of these records alone; empty: all.
    pub picked: Vec<String>,
    /// Files that [`Found::complete`] left out, as not every run has them.
    pub left_out: Vec<&'static str>,
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

    /// It came to its end.
    pub fn is_finished(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.end.is_some())
    }

    /// It is a baseline's, see [`RunRecord::baseline`].
    pub fn is_baseline(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.baseline)
    }

    /// Whether a file was read.
    pub(super) fn has(&self, file: &str) -> bool {
        match file {
            LOG => !self.log.is_empty(),
            METRICS => self.metrics.is_some(),
            PREDICTIONS => self.predictions.is_some(),
            EXPLANATION => self.explanation.is_some(),
            SANITY => self.sanity.is_some(),
            Cost::FILE => self.cost.is_some(),
            Randomised::FILE => self.randomised.is_some(),
            _ => self.examples.is_some(),
        }
    }

    /// Leaves out what a file said.
    pub(super) fn forget(&mut self, file: &str) {
        match file {
            LOG => self.log.clear(),
            METRICS => self.metrics = None,
            PREDICTIONS => self.predictions = None,
            EXPLANATION => self.explanation = None,
            SANITY => self.sanity = None,
            Cost::FILE => self.cost = None,
            Randomised::FILE => self.randomised = None,
            Examples::FILE => self.examples = None,
            _ => {}
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
    let (mut known, mut from) = (BTreeSet::new(), Vec::new());
    for (place, input) in inputs.iter().enumerate() {
        let name = named(input);
        let dirs = run_folders(input)?;
        let mut list: Option<Vec<Cell>> = None;
        if dirs.iter().any(|dir| dir.parent().and_then(Path::parent) == Some(input)) {
            found.sweeps.push(input.clone());
            let lacks = |(variant, fold, seed)| {
                let what = "never begun: `exgnet sweep` with the sweep's file runs it";
                Missing::new(format!("{variant}, fold {fold}, seed {seed}"), what)
                    .leaves_out(LeftOut::NeverBegun(fold, seed))
            };
            list = listed(input)?;
            found.missing.extend(not_begun(input, list.as_deref().unwrap_or_default()).into_iter().map(lacks));
        }
        for dir in dirs {
            // a run that is named twice, alone and in its sweep, is one run
            if known.insert(std::fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone())) {
                let arm = variant(&dir, input);
                let variant = match inputs.len() {
                    1 => arm.clone(),
                    _ if arm == name || *input == dir => arm.clone(),
                    _ => format!("{name}/{arm}"),
                };
                let mut run = read(dir, variant, &mut found.missing);
                let cell = run.fold_and_seed().map(|(fold, seed)| (arm, fold, seed)).filter(|_| !run.is_baseline());
                // `exgnet baselines` adds to a sweep what its file never had
                run.unlisted = list.as_ref().zip(cell).is_some_and(|(list, cell)| !list.contains(&cell));
                found.runs.push(run);
                from.push(place);
            }
        }
        found.names.push(name);
    }
    found.tell_apart(inputs, &from);
    // the customary order: nothing, each guidance, both, then by name, and the baselines
    const FIRST: [&str; 5] = ["plain", "features", "xai", "both", "guided"];
    let rank = |run: &Run| FIRST.iter().position(|name| is_named(&run.variant, name)).unwrap_or(FIRST.len());
    found.runs.sort_by_key(|run| (run.is_baseline(), rank(run), run.variant.clone(), run.fold_and_seed()));
    // what they lack in the order of the runs, behind what was never begun
    let order: HashMap<String, usize> = found.runs.iter().enumerate().map(|(i, run)| (run.name(), i)).collect();
    found.missing.sort_by_key(|missing| order.get(&missing.place).copied());
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
pub(super) fn named(path: &Path) -> String {
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
    // one that lost its config.toml is one still, and is reported
    let is_run = |dir: &PathBuf| [CONFIG, RECORD].iter().any(|name| dir.join(name).is_file());
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
    let mut run = Run { config: std::fs::read_to_string(dir.join(CONFIG)).ok(), dir, variant, ..Run::default() };
    let at = quoted(&run.dir.display().to_string());
    let (evaluate, resume) = (again(&run.dir), resume(&run.dir));
    let train = format!("exgnet train EXPERIMENT.toml --out {at} --force");
    let fit = "exgnet baselines EXPERIMENT.toml --out DIR --force".to_string();
    let mut lacks: Vec<(Option<&'static str>, String, Option<&String>, bool)> = Vec::new();

    let folder = RunFolder::at(&run.dir);
    match folder.read_config(&[]) {
        Ok(experiment) => run.experiment = Some(experiment),
        Err(e) => lacks.push((Some(CONFIG), first_line(&e), Some(&train), true)),
    }
    match folder.read_run() {
        Ok(Some(record)) => run.record = Some(record),
        Ok(None) => {
            lacks.push((None, "no run.json: what ran, where and when is not known".into(), Some(&resume), false))
        }
        Err(e) => lacks.push((Some(RECORD), first_line(&e), Some(&train), true)),
    }
    let finished = run.is_finished();
    let tests = !run.record.as_ref().is_some_and(|r| r.fold == Fold::All && r.test_records == 0);
    if run.record.is_some() && !finished {
        lacks.push((None, "the run is not finished: it has no results yet".into(), Some(&resume), false));
    }
    let epochs = run.experiment.as_ref().map(|e| e.train.epochs).filter(|_| finished);
    let baseline = run.is_baseline();
    match folder.read_log() {
        Ok(log) if epochs.is_some_and(|epochs| epochs != log.len()) => {
            let (found, expected) = (count(log.len(), "epoch"), epochs.unwrap_or_default());
            let what = format!("{LOG} has {found}, expected the {expected} of {CONFIG}: it was cut off");
            lacks.push((Some(LOG), what, Some(&train), true));
        }
        Ok(log) => run.log = log,
        Err(_) if !finished && !run.dir.join(LOG).exists() => {}
        Err(e) => lacks.push((Some(LOG), first_line(&e), Some(&train), run.dir.join(LOG).exists())),
    }
    if !tests {
        lacks.push((None, "it trained on every record: there is no test fold, so no results".into(), None, false));
    }
    // an unfinished run is reported once, not file by file
    let expected = finished && tests;
    let command = if expected { Some(if baseline { &fit } else { &evaluate }) } else { None };
    macro_rules! part {
        ($field:ident, $file:expr, $read:expr, $without:literal) => {
            match $read {
                Ok(None) if expected => {
                    lacks.push((Some($file), format!("no {}: {}", $file, $without), command, false))
                }
                Ok(found) => run.$field = found,
                Err(e) => lacks.push((Some($file), e, command, true)),
            }
        };
    }
    part!(metrics, METRICS, json(&run.dir.join(METRICS)), "no results of a test");
    if run.metrics.as_ref().is_some_and(|m| !consistent(m)) {
        let what = format!("{METRICS} has a confusion matrix or classes that do not fit each other");
        lacks.push((Some(METRICS), what, command, true));
        run.metrics = None;
    }
    let split = || folder.read_split().ok().map(|s| s.classes).filter(|classes| !classes.is_empty());
    run.classes = run.metrics.as_ref().map(|m| m.classes.clone()).or_else(split);
    // without the names of the classes its columns say nothing
    if let Some(classes) = &run.classes {
        let rows = if_there(&run.dir.join(PREDICTIONS), |path| predictions::read(path, classes));
        part!(predictions, PREDICTIONS, rows, "no probabilities of every record");
    }
    part!(explanation, EXPLANATION, json(&run.dir.join(EXPLANATION)), "no scores of the maps by class");
    part!(sanity, SANITY, json(&run.dir.join(SANITY)), "nothing that the scores are compared with");
    part!(
        examples,
        Examples::FILE,
        if_there(&run.dir.join(Examples::FILE), Examples::read),
        "no strips to look through, no Grad-CAM figures"
    );
    // made only where it is asked for
    match json(&run.dir.join(Randomised::FILE)) {
        Ok(found) => run.randomised = found,
        Err(e) => lacks.push((Some(Randomised::FILE), e, command, true)),
    }
    part!(cost, Cost::FILE, json(&run.dir.join(Cost::FILE)), "no parameters and times of an inference");
    if let (Some(shown), Some(classes)) = (&run.examples, &run.classes)
        && shown.classes != *classes
    {
        let what = format!("{} has the classes {:?}, expected {classes:?}", Examples::FILE, shown.classes);
        lacks.push((Some(Examples::FILE), what, command, true));
        run.examples = None;
    }
    for (file, what) in foreign_files(&run.dir, run.record.as_ref().and_then(|r| r.data.as_ref())) {
        run.forget(file);
        lacks.push((Some(file), what, command, true));
    }
    if let (Some(rows), Some(metrics)) = (&run.predictions, &run.metrics)
        && let Err(what) = same_test(rows, metrics)
    {
        lacks.push((Some(PREDICTIONS), what, command, true));
        run.predictions = None;
    }
    if baseline {
        // results of a test are every run's, the rest a network's
        lacks.retain(|(file, .., damaged)| *damaged || matches!(file, None | Some(METRICS | PREDICTIONS)));
    }
    let place = run.name();
    let one = |(file, what, command, damaged): (_, _, Option<&String>, _)| Missing {
        place: place.clone(),
        what,
        command: command.cloned(),
        file,
        damaged,
        left_out: matches!(file, None | Some(METRICS)).then_some(LeftOut::Untested),
    };
    missing.extend(lacks.into_iter().map(one));
    run
}

/// Whether rows are all those of the metrics: a file that was cut off at a line looks whole.
fn same_test(rows: &[Prediction], metrics: &Metrics) -> Result<(), String> {
    let mut confusion = vec![vec![0; metrics.classes.len()]; metrics.classes.len()];
    rows.iter().for_each(|p| confusion[p.truth][p.predicted()] += 1);
    if confusion == metrics.confusion {
        return Ok(());
    }
    let (found, expected) = (count(rows.len(), "record"), metrics.records);
    Err(match rows.len() == expected {
        true => format!("{PREDICTIONS} has other predictions than the confusion matrix of {METRICS}"),
        false => format!("{PREDICTIONS} has {found}, expected the {expected} of {METRICS}: it was cut off"),
    })
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
