//! Run folders, read as far as they can be: a page about a half-finished sweep tells what is there and what is not.

use crate::ecg::SplitKind;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Fold};
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::explanation::Explanations;
use crate::run::folder::{self, CONFIG, EXPLANATION, EpochLog, LOG, METRICS, PREDICTIONS, RECORD, RunFolder, SANITY};
use crate::run::metrics::Metrics;
use crate::run::missing::Missing;
use crate::run::origin::{again, foreign_files};
use crate::run::predictions::{self, Prediction};
use crate::run::randomised::Randomised;
use crate::run::record::{RunRecord, quoted};
use crate::run::sanity::Sanity;
use crate::run::set::count;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Its maps as weights become random.
    pub randomised: Option<Randomised>,
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
            self.picked = records.to_vec();
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
        self.missing.iter().find(|m| m.damaged).map_or(Ok(()), |m| Err(m.error()))
    }

    /// Leaves out what only some of the runs have, since a figure of those would pass for one of all: a file that one of them
    /// lacks or has damaged, and runs under way beside finished ones. What they lack stays in [`Found::missing`].
    ///
    /// # Errors
    /// [`Error::Data`] where a run does not say what it is: `config.toml` or `run.json` is damaged.
    pub fn complete(&mut self) -> Result<()> {
        let nameless = |m: &&Missing| m.damaged && matches!(m.file, Some(CONFIG | RECORD));
        if let Some(missing) = self.missing.iter().find(nameless) {
            return Err(missing.error());
        }
        if self.runs.iter().any(Run::is_finished) {
            self.runs.retain(Run::is_finished);
        }
        self.on_common_folds()?;
        let names: BTreeSet<String> = self.runs.iter().map(Run::name).collect();
        let files = self.missing.iter().filter(|m| names.contains(&m.place)).filter_map(|m| m.file);
        let mut files: BTreeSet<&'static str> = files.collect();
        // predictions are held against the metrics
        if files.contains(METRICS) {
            files.insert(PREDICTIONS);
        }
        // what none has is not left out
        let there = |file: &&'static str| {
            self.missing.iter().any(|m| m.damaged && m.file == Some(*file)) || self.runs.iter().any(|run| run.has(file))
        };
        self.left_out = files.into_iter().filter(there).collect();
        for file in &self.left_out {
            self.runs.iter_mut().for_each(|run| run.forget(file));
        }
        Ok(())
    }

    /// Of several arms, keeps the runs of folds and seeds that all of them have, and notes the others: arms are compared on the
    /// same test folds.
    ///
    /// # Errors
    /// [`Error::Data`] where they have none in common.
    pub fn on_common_folds(&mut self) -> Result<()> {
        let left = off_common_folds(&self.runs)?;
        let mut index = 0..;
        self.runs.retain(|_| !left.contains_key(&index.next().unwrap_or_default()));
        self.missing.extend(left.into_values());
        Ok(())
    }

    /// Puts the folder above before the names of arms of different inputs that have runs of the same fold and seed, and before
    /// names of inputs that are alike.
    fn tell_apart(&mut self, inputs: &[PathBuf], from: &[usize]) {
        let cells: Vec<_> = self.runs.iter().map(|r| (r.variant.clone(), r.fold_and_seed())).zip(from).collect();
        let twice = |(one, place): &((String, _), &usize)| cells.iter().any(|(other, at)| other == one && at != place);
        let doubled: BTreeSet<String> = cells.iter().filter(|one| twice(one)).map(|one| one.0.0.clone()).collect();
        for run in self.runs.iter_mut().filter(|run| doubled.contains(&run.variant)) {
            let of_sweep = named(&run.dir).starts_with("fold-");
            let arm = if of_sweep { run.dir.parent() } else { Some(run.dir.as_path()) };
            if let Some(above) = arm.and_then(Path::parent).filter(|above| !above.as_os_str().is_empty()) {
                run.variant = format!("{}/{}", named(above), run.variant.rsplit('/').next().unwrap_or_default());
            }
        }
        let alike = |name: &String| self.names.iter().filter(|other| *other == name).count() > 1;
        let full = |(name, input): (&String, &PathBuf)| match input.parent().filter(|_| alike(name)) {
            Some(above) if !above.as_os_str().is_empty() => format!("{}/{name}", named(above)),
            _ => name.clone(),
        };
        self.names = self.names.iter().zip(inputs).map(full).collect();
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

    /// It came to its end.
    pub fn is_finished(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.end.is_some())
    }

    /// It is a baseline's, see [`RunRecord::baseline`].
    pub fn is_baseline(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.baseline)
    }

    /// Whether a file told something.
    fn has(&self, file: &str) -> bool {
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

    /// Leaves out what a file told.
    fn forget(&mut self, file: &str) {
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
    Ok(found)
}

/// By their places the runs of folds and seeds that not all of several arms have, with what is to be said of each.
///
/// # Errors
/// [`Error::Data`] where the arms have none in common.
pub fn off_common_folds(runs: &[Run]) -> Result<BTreeMap<usize, Missing>> {
    let arms: BTreeSet<&str> = runs.iter().map(|r| r.variant.as_str()).collect();
    let cells: Option<Vec<(usize, u64)>> = runs.iter().map(Run::fold_and_seed).collect();
    let Some(cells) = cells.filter(|_| arms.len() > 1) else { return Ok(BTreeMap::new()) };
    let of = |arm: &&str| -> BTreeSet<(usize, u64)> {
        runs.iter().zip(&cells).filter(|(r, _)| r.variant == *arm).map(|(_, cell)| *cell).collect()
    };
    let all: Vec<BTreeSet<(usize, u64)>> = arms.iter().map(of).collect();
    if all.iter().cloned().reduce(|a, b| &a & &b).is_some_and(|common| common.is_empty()) {
        let what = "found no fold and seed that all of them have runs of, expected one or more";
        let hint = "arms are compared on the same test folds: draw those of other folds by themselves";
        return Err(Error::data(Vec::from_iter(arms).join(", "), what, hint));
    }
    let lacks = |cell: &(usize, u64)| arms.iter().zip(&all).find(|(_, own)| !own.contains(cell)).map(|(arm, _)| *arm);
    let left = |(i, (run, cell)): (usize, (&Run, &(usize, u64)))| {
        let what = format!("left out of comparisons: no finished run of {} on this fold and seed", lacks(cell)?);
        Some((i, Missing::new(run.name(), what)))
    };
    Ok(runs.iter().zip(&cells).enumerate().filter_map(left).collect())
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
    // one that lost its config.toml is one still, and is told so
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
    let (evaluate, resume) = (again(&run.dir), format!("exgnet train --out {at} --resume"));
    let train = format!("exgnet train EXPERIMENT.toml --out {at} --force");
    let fit = "exgnet baselines EXPERIMENT.toml --out DIR --force".to_string();
    let mut told: Vec<(Option<&'static str>, String, Option<&String>, bool)> = Vec::new();

    let folder = RunFolder::at(&run.dir);
    match folder.read_config(&[]) {
        Ok(experiment) => run.experiment = Some(experiment),
        Err(e) => told.push((Some(CONFIG), first_line(&e), Some(&train), true)),
    }
    match folder.read_run() {
        Ok(Some(record)) => run.record = Some(record),
        Ok(None) => {
            told.push((None, "no run.json: what ran, where and when is not known".into(), Some(&resume), false))
        }
        Err(e) => told.push((Some(RECORD), first_line(&e), Some(&train), true)),
    }
    let finished = run.is_finished();
    let tests = !run.record.as_ref().is_some_and(|r| r.fold == Fold::All && r.test_records == 0);
    if run.record.is_some() && !finished {
        told.push((None, "the run is not finished: it has no results yet".into(), Some(&resume), false));
    }
    let epochs = run.experiment.as_ref().map(|e| e.train.epochs).filter(|_| finished);
    let baseline = run.is_baseline();
    match folder.read_log() {
        Err(_) if baseline => {}
        Ok(log) if epochs.is_some_and(|epochs| epochs != log.len()) => {
            let (found, expected) = (count(log.len(), "epoch"), epochs.unwrap_or_default());
            let what = format!("{LOG} has {found}, expected the {expected} of {CONFIG}: it was cut off");
            told.push((Some(LOG), what, Some(&train), true));
        }
        Ok(log) => run.log = log,
        Err(_) if !finished && !run.dir.join(LOG).exists() => {}
        Err(e) => told.push((Some(LOG), first_line(&e), Some(&train), run.dir.join(LOG).exists())),
    }
    if !tests {
        told.push((None, "it trained on every record: there is no test fold, so no results".into(), None, false));
    }
    // an unfinished run is told once, not file by file
    let expected = finished && tests;
    let command = if expected { Some(if baseline { &fit } else { &evaluate }) } else { None };
    macro_rules! part {
        ($field:ident, $file:expr, $read:expr, $without:literal) => {
            match $read {
                // what tells of a test is every run's, the rest a network's
                Ok(None) if expected && (!baseline || [METRICS, PREDICTIONS].contains(&$file)) => {
                    told.push((Some($file), format!("no {}: {}", $file, $without), command, false))
                }
                Ok(found) => run.$field = found,
                Err(e) => told.push((Some($file), e, command, true)),
            }
        };
    }
    part!(metrics, METRICS, json(&run.dir.join(METRICS)), "no results of a test");
    if run.metrics.as_ref().is_some_and(|m| !consistent(m)) {
        let what = format!("{METRICS} has a confusion matrix or classes that do not fit each other");
        told.push((Some(METRICS), what, command, true));
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
    part!(sanity, SANITY, json(&run.dir.join(SANITY)), "nothing that the scores are held against");
    part!(
        examples,
        Examples::FILE,
        if_there(&run.dir.join(Examples::FILE), Examples::read),
        "no strips to look through, no Grad-CAM figures"
    );
    // made only where it is asked for
    match json(&run.dir.join(Randomised::FILE)) {
        Ok(found) => run.randomised = found,
        Err(e) => told.push((Some(Randomised::FILE), e, command, true)),
    }
    part!(cost, Cost::FILE, json(&run.dir.join(Cost::FILE)), "no parameters and times of an inference");
    if let (Some(shown), Some(classes)) = (&run.examples, &run.classes)
        && shown.classes != *classes
    {
        let what = format!("{} has the classes {:?}, expected {classes:?}", Examples::FILE, shown.classes);
        told.push((Some(Examples::FILE), what, command, true));
        run.examples = None;
    }
    for (file, what) in foreign_files(&run.dir, run.record.as_ref().and_then(|r| r.data.as_ref())) {
        run.forget(file);
        told.push((Some(file), what, command, true));
    }
    if let (Some(rows), Some(metrics)) = (&run.predictions, &run.metrics)
        && let Err(what) = same_test(rows, metrics)
    {
        told.push((Some(PREDICTIONS), what, command, true));
        run.predictions = None;
    }
    let place = run.name();
    let one = |(file, what, command, damaged): (_, _, Option<&String>, _)| Missing {
        place: place.clone(),
        what,
        command: command.cloned(),
        file,
        damaged,
    };
    missing.extend(told.into_iter().map(one));
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
