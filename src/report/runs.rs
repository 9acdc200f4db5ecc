//! What the given folders hold.

use super::kernels::Measured;
use crate::error::{Error, Result};
use crate::figures::EpochRow;
use crate::train::config::{Experiment, Fold, Split};
use crate::train::evaluate::Explanations;
use crate::train::explanations::Shown;
use crate::train::metrics::Metrics;
use crate::train::predictions::{self, Prediction};
use crate::train::run_folder::{RunFolder, RunRecord};
use crate::train::sanity::Sanity;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How files of a test are had again.
pub(super) const EVALUATE: &str = "write it with: exgnet evaluate --model RUN --out RUN";

/// One run; what its folder does not have is `None`.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub dir: PathBuf,
    /// Its variant: the folder above `fold-0-seed-1`, or its own folder.
    pub variant: String,
    /// Test fold; `None` for a run on all records.
    pub fold: Option<usize>,
    /// Seed.
    pub seed: u64,
    /// Patients are on one side of the split each.
    pub grouped: bool,
    /// The complete experiment.
    pub experiment: Experiment,
    /// Names of its classes, where `metrics.json` or `split.json` tells them.
    pub classes: Option<Vec<String>>,
    /// Its epochs; of the metrics those that are drawn.
    pub log: Vec<EpochRow>,
    /// `metrics.json`.
    pub metrics: Option<Metrics>,
    /// `predictions.csv`.
    pub predictions: Option<Vec<Prediction>>,
    /// `explanation.json`.
    pub explanation: Option<Explanations>,
    /// `sanity.json`.
    pub sanity: Option<Sanity>,
    /// `explanations.safetensors`.
    pub shown: Option<Shown>,
}

impl Run {
    /// Fold and seed, as a figure has them.
    pub fn label(&self) -> String {
        match self.fold {
            Some(fold) => format!("fold {fold}"),
            None => "all records".into(),
        }
    }
}

/// What was given.
#[derive(Debug, Default)]
pub struct Material {
    /// Runs, by variant (`plain` first, `both` last), then fold, then seed.
    pub runs: Vec<Run>,
    /// Variants in that order.
    pub variants: Vec<String>,
    /// Names of the classes, those of the first run that tells them.
    pub classes: Vec<String>,
    /// Measurements of kernels.
    pub measured: Vec<Measured>,
}

impl Material {
    /// Reads run folders, folders of runs up to three levels deep, and files of measurements or folders that hold them.
    ///
    /// # Errors
    /// [`Error::File`] for a path that holds none of these, and for a damaged file of a run; [`Error::Data`] for runs of
    /// different classes.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut material = Self::default();
        for path in paths {
            let before = (material.runs.len(), material.measured.len());
            if path.is_file() {
                material.measured.push(Measured::read(path)?);
            } else {
                material.gather(path, 3)?;
            }
            if before == (material.runs.len(), material.measured.len()) {
                let what = if path.exists() { "holds no run folder and no measurements" } else { "does not exist" };
                let hint = "give a run folder, the folder of a sweep, or what bench, profile and tune wrote as JSON";
                return Err(Error::file(path, what, hint));
            }
        }
        material.order()?;
        Ok(material)
    }

    fn gather(&mut self, dir: &Path, depth: usize) -> Result<()> {
        if let Ok(folder) = RunFolder::open(dir) {
            self.runs.push(read(&folder)?);
            return Ok(());
        }
        let suite = dir.join("suite.json");
        if suite.is_file() {
            self.measured.push(Measured::read(&suite)?);
        }
        let Some(deeper) = depth.checked_sub(1) else { return Ok(()) };
        let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
        let mut below: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
        below.sort();
        below.iter().try_for_each(|dir| self.gather(dir, deeper))
    }

    fn order(&mut self) -> Result<()> {
        // the customary order: nothing, each guidance, both, and then by name
        const FIRST: [&str; 4] = ["plain", "features", "xai", "both"];
        let rank = |name: &str| FIRST.iter().position(|n| *n == name).unwrap_or(FIRST.len());
        let mut runs = std::mem::take(&mut self.runs);
        runs.sort_by(|a, b| {
            let key = |r: &Run| (rank(&r.variant), r.variant.clone(), r.fold, r.seed);
            key(a).cmp(&key(b))
        });
        for run in &runs {
            if self.variants.last() != Some(&run.variant) {
                self.variants.push(run.variant.clone());
            }
        }
        let tested = || runs.iter().filter_map(|r| Some((r, r.classes.as_ref()?)));
        if let Some((first, classes)) = tested().next() {
            if let Some((other, found)) = tested().find(|(_, found)| *found != classes) {
                return Err(Error::data(
                    other.dir.display().to_string(),
                    format!("classes {found:?}, expected {classes:?} as in {}", first.dir.display()),
                    "draw runs of one data set together, others by themselves",
                ));
            }
            self.classes.clone_from(classes);
        }
        self.runs = runs;
        Ok(())
    }

    /// The runs of a variant.
    pub fn of<'a>(&'a self, variant: &'a str) -> impl Iterator<Item = &'a Run> + Clone {
        self.runs.iter().filter(move |r| r.variant == variant)
    }

    /// The end of a figure's name: none where there is but one variant.
    pub(super) fn suffix(&self, variant: &str) -> String {
        if self.variants.len() == 1 { String::new() } else { format!("-{variant}") }
    }

    /// The variants that are compared strip by strip: `plain`, or the first, and `both`, or `xai`, or the last.
    pub(super) fn pair(&self) -> Option<[&str; 2]> {
        let named = |name: &str| self.variants.iter().find(|v| *v == name);
        let first = named("plain").or(self.variants.first())?;
        let second = named("both").or(named("xai")).or(self.variants.last())?;
        (first != second).then_some([first, second])
    }

    /// Numbers of the patients of some runs: a patient has the same in all of them.
    pub(super) fn patients<'a>(runs: impl Iterator<Item = &'a Run>) -> HashMap<&'a str, usize> {
        let mut numbers = HashMap::new();
        for p in runs.filter_map(|r| r.predictions.as_ref()).flatten() {
            let next = numbers.len();
            numbers.entry(p.patient.as_str()).or_insert(next);
        }
        numbers
    }
}

/// Sensitivity is nearly accuracy and specificity nearly 1: two curves a part tell enough.
fn is_drawn(metric: &str) -> bool {
    ["_accuracy", "_macro_f1", "_dead_maps"].iter().any(|end| metric.ends_with(end))
}

fn read(folder: &RunFolder) -> Result<Run> {
    let dir = folder.dir();
    let experiment = Experiment::load(folder.config(), &[])?;
    let record: Option<RunRecord> = read_if_there(&dir.join("run.json"))?;
    let log = if dir.join("log.jsonl").exists() { folder.read_log()? } else { Vec::new() };
    let log = log.into_iter().map(|e| EpochRow {
        epoch: e.epoch,
        step: e.step,
        lr: e.lr,
        losses: e.losses,
        metrics: e.metrics.into_iter().filter(|(name, _)| is_drawn(name)).collect(),
    });
    let metrics: Option<Metrics> = read_if_there(&dir.join("metrics.json"))?;
    let listed = dir.join("predictions.csv");
    let predictions = match &metrics {
        Some(metrics) if listed.exists() => Some(predictions::read_all(&listed, &metrics.classes)?),
        _ => None,
    };
    let shown = if folder.explanations().exists() { Some(Shown::read(&folder.explanations())?) } else { None };
    if let (Some(shown), Some(metrics)) = (&shown, &metrics)
        && shown.classes != metrics.classes
    {
        let what = format!("classes {:?}, expected {:?} as in metrics.json", shown.classes, metrics.classes);
        return Err(Error::file(folder.explanations(), what, EVALUATE));
    }
    let split = || folder.read_split().ok().map(|s| s.classes).filter(|classes| !classes.is_empty());
    let classes = metrics.as_ref().map(|m| m.classes.clone()).or_else(split);
    let name = |path: Option<&Path>| path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    // a relative path such as `.` has a name all the same
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    let own = name(Some(&whole)).unwrap_or_else(|| "run".into());
    let above = if own.starts_with("fold-") { name(whole.parent()) } else { None };
    let fold = record.as_ref().map_or(experiment.train.fold, |r| r.fold);
    Ok(Run {
        dir: dir.to_path_buf(),
        variant: above.unwrap_or(own),
        fold: if let Fold::Index(fold) = fold { Some(fold) } else { None },
        seed: record.as_ref().map_or(experiment.train.seed, |r| r.seed),
        grouped: record.as_ref().map_or(experiment.data.split, |r| r.split) == Split::Grouped,
        experiment,
        classes,
        log: log.collect(),
        metrics,
        predictions,
        explanation: read_if_there(&dir.join("explanation.json"))?,
        sanity: read_if_there(&dir.join("sanity.json"))?,
        shown,
    })
}

fn read_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let bad = |e: String| Error::file(path, format!("cannot be used: {e}"), EVALUATE);
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(&text).map(Some).map_err(|e| bad(e.to_string()))
}
