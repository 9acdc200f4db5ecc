//! The finished runs below a sweep's folder.

use crate::ecg::SplitKind;
use crate::error::{Error, Result};
use crate::experiment::Fold;
use crate::run::explanation::Explanations;
use crate::run::folder;
use crate::run::folder::RunFolder;
use crate::run::metrics::Metrics;
use crate::run::origin::{again, foreign_files};
use crate::run::predictions;
use crate::run::predictions::Row;
use crate::run::record::RunRecord;
use crate::run::sanity::Sanity;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One finished run.
pub(super) struct Run {
    pub variant: String,
    pub fold: usize,
    pub seed: u64,
    /// Patients are on one side of the split each.
    pub grouped: bool,
    pub metrics: Metrics,
    /// Scores per class; `None` where the run wrote none, as the next.
    pub explanation: Option<Explanations>,
    pub sanity: Option<Sanity>,
    pub rows: Vec<Row>,
}

impl Run {
    pub fn cell(&self) -> (usize, u64) {
        (self.fold, self.seed)
    }
}

/// Finished runs in `dir/VARIANT/RUN`, the variant `reference` first and the others by name, and the folders of those that
/// are not finished.
pub(super) fn read_all(dir: &Path, reference: &str) -> Result<(Vec<Run>, Vec<PathBuf>)> {
    let (mut runs, mut unfinished) = (Vec::new(), Vec::new());
    for folder in run_folders(dir)? {
        if folder.is_finished()? && folder.dir().join("metrics.json").exists() {
            runs.push(read(&folder)?);
        } else {
            unfinished.push(folder.dir().to_path_buf());
        }
    }
    runs.sort_by(|a, b| (a.variant != reference, &a.variant).cmp(&(b.variant != reference, &b.variant)));
    let Some(first) = runs.first() else {
        return Err(Error::data(
            dir.display().to_string(),
            format!("no finished run, {} unfinished", unfinished.len()),
            "give the folder that `exgnet sweep` writes its runs to",
        ));
    };
    let (classes, grouped) = (&first.metrics.classes, first.grouped);
    if let Some(other) = runs.iter().find(|r| r.metrics.classes != *classes || r.grouped != grouped) {
        let told =
            |r: &Run| format!("classes {:?}, {}grouped folds", r.metrics.classes, if r.grouped { "" } else { "un" });
        return Err(Error::data(
            format!("{}, fold {}", other.variant, other.fold),
            format!("{}, expected {} as in {}", told(other), told(first), first.variant),
            "compare runs of one data set and one split",
        ));
    }
    Ok((runs, unfinished))
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
    folder::protect(dir);
    let metrics: Metrics = read_json(&dir.join("metrics.json"))?;
    let record: RunRecord = read_json(&dir.join("run.json"))?;
    if let Some(what) = foreign_files(dir, record.data.as_ref()).first() {
        return Err(Error::file(dir, what.clone(), format!("write the test's files again: {}", again(dir))));
    }
    let Fold::Index(fold) = record.fold else {
        return Err(Error::file(
            dir.join("run.json"),
            "names no test fold",
            "leave runs on all records out of a sweep",
        ));
    };
    let variant = dir.parent().and_then(Path::file_name).map_or(String::new(), |n| n.to_string_lossy().into_owned());
    Ok(Run {
        variant,
        fold,
        seed: record.seed,
        grouped: record.split == SplitKind::Grouped,
        explanation: read_if_there(&dir.join("explanation.json"))?,
        sanity: read_if_there(&dir.join("sanity.json"))?,
        rows: predictions::read(&dir.join("predictions.csv"), &metrics.classes)?,
        metrics,
    })
}

fn read_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

/// Reads a JSON file of a run.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bad = |e: String| {
        let hint = "write it anew: exgnet evaluate --model RUN --out RUN";
        Error::file(path, format!("cannot be used: {e}"), hint)
    };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| bad(e.to_string()))
}
