//! Run folders, read as far as they can be: a page about a half-finished sweep tells what is there and what is not.

use crate::error::{Error, Result};
use crate::train::config::Fold;
use crate::train::evaluate::Explanations;
use crate::train::explanations::Shown;
use crate::train::metrics::Metrics;

use crate::train::run_folder::{EpochLog, RunFolder, RunRecord, quoted};
use crate::train::sanity::Sanity;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const HINT: &str = "give the folder that `exgnet train` or `exgnet sweep` wrote";

/// A run, with what it has.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder, as it was named.
    pub dir: PathBuf,
    /// Name of the variant: of the folder above a sweep's run, else of the run's own folder.
    pub variant: String,
    /// The complete experiment.
    pub config: Option<String>,
    /// What ran, where and when.
    pub record: Option<RunRecord>,
    /// The epochs.
    pub log: Vec<EpochLog>,
    /// The test's results.
    pub metrics: Option<Metrics>,
    /// Scores of the maps.
    pub explanation: Option<Explanations>,
    /// What they are held against.
    pub sanity: Option<Sanity>,
    /// Strips, maps, features.
    pub shown: Option<Shown>,
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
}

impl Run {
    /// Fold and seed, in words.
    pub fn cell(&self) -> String {
        match &self.record {
            Some(RunRecord { fold: Fold::All, seed, .. }) => format!("all records, seed {seed}"),
            Some(r) => format!("fold {}, seed {}", r.fold, r.seed),
            None => self.dir.file_name().map_or_else(|| "run".into(), |n| n.to_string_lossy().into_owned()),
        }
    }

    /// Variant, fold and seed.
    pub fn name(&self) -> String {
        format!("{}, {}", self.variant, self.cell())
    }

    /// Number of the fold and seed; `None` for a run without a test fold.
    pub fn fold_and_seed(&self) -> Option<(usize, u64)> {
        match self.record.as_ref()? {
            RunRecord { fold: Fold::Index(fold), seed, .. } => Some((*fold, *seed)),
            _ => None,
        }
    }
}

/// Reads the runs of every path: a run folder, a folder of runs, or one of variants with runs.
///
/// # Errors
/// [`Error::File`] for a path without a run; [`Error::Data`] without a path.
pub fn read_all(inputs: &[PathBuf]) -> Result<Found> {
    if inputs.is_empty() {
        return Err(Error::data("report", "found no run folder, expected at least one", HINT));
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
    // `plain` first, as in the tables of a sweep
    let place = |run: &Run| (!run.variant.ends_with("plain"), run.variant.clone(), run.fold_and_seed());
    found.runs.sort_by_key(place);
    Ok(found)
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
    let mut run = Run {
        config: std::fs::read_to_string(dir.join("config.toml")).ok(),
        dir,
        variant,
        record: None,
        log: Vec::new(),
        metrics: None,
        explanation: None,
        sanity: None,
        shown: None,
    };
    let at = quoted(&run.dir.display().to_string());
    let (evaluate, resume) =
        (format!("exgnet evaluate --model {at} --out {at}"), format!("exgnet train --out {at} --resume"));
    let mut told = Vec::new();
    let mut tell = |what: String, command: Option<&String>| told.push((what, command.cloned()));

    match json::<RunRecord>(&run.dir.join("run.json")) {
        Ok(record) => run.record = record,
        Err(e) => tell(e, None),
    }
    let finished = run.record.as_ref().is_some_and(|r| r.end.is_some());
    let tests = !run.record.as_ref().is_some_and(|r| r.fold == Fold::All);
    if run.record.is_none() {
        tell("no run.json: what ran, where and when is not known".into(), Some(&resume));
    } else if !finished {
        tell("the run is not finished: it has no results yet".into(), Some(&resume));
    }
    match RunFolder::open(&run.dir).and_then(|folder| folder.read_log()) {
        Ok(log) => run.log = log,
        Err(_) if !finished => {}
        Err(e) => tell(first_line(&e), None),
    }
    if !tests {
        tell("it trained on every record: there is no test fold, so no results".into(), None);
    }
    // an unfinished run is told once, not file by file
    let expected = finished && tests;
    let command = if expected { Some(&evaluate) } else { None };
    macro_rules! part {
        ($field:ident, $read:expr, $what:literal) => {
            match $read {
                Ok(None) if expected => tell(format!("no {}", $what), command),
                Ok(found) => run.$field = found,
                Err(e) => tell(e, command),
            }
        };
    }
    part!(metrics, json(&run.dir.join("metrics.json")), "metrics.json: no results of a test");
    part!(explanation, json(&run.dir.join("explanation.json")), "explanation.json: no scores of the maps by class");
    part!(sanity, json(&run.dir.join("sanity.json")), "sanity.json: nothing that the scores are held against");
    let path = run.dir.join(Shown::FILE);
    let shown = if path.exists() { Shown::read(&path).map(Some).map_err(|e| first_line(&e)) } else { Ok(None) };
    part!(shown, shown, "explanations.safetensors: no strips to look through, no Grad-CAM figures");
    if run.metrics.as_ref().is_some_and(|m| !consistent(m)) {
        tell("metrics.json has a confusion matrix or classes that do not fit each other".into(), command);
        run.metrics = None;
    }
    let place = run.name();
    missing.extend(told.into_iter().map(|(what, command)| Missing { place: place.clone(), what, command }));
    run
}

/// Whether lists and matrix are of the same classes, as the tables take them to be.
fn consistent(m: &Metrics) -> bool {
    let k = m.classes.len();
    k > 0 && m.per_class.len() == k && m.confusion.len() == k && m.confusion.iter().all(|row| row.len() == k)
}

/// An error without its hint.
pub(super) fn first_line(e: &Error) -> String {
    e.to_string().lines().next().unwrap_or_default().to_owned()
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
