//! The folder that a run writes. A file appears whole or not at all: it is written beside its place and renamed.

use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::files::{TEMPORARY, guard, temporary, write_atomically, write_json};
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::randomised::Randomised;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::run::kernels::Kernels;
use crate::run::lock::{self, RunLock};
use crate::run::record::{RunRecord, SplitRecord};

/// Names of files of a run.
pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const RECORD: &str = "run.json";
pub(crate) const LOG: &str = "log.jsonl";
pub(crate) const METRICS: &str = "metrics.json";
pub(crate) const EXPLANATION: &str = "explanation.json";
pub(crate) const SANITY: &str = "sanity.json";
pub(crate) const PREDICTIONS: &str = "predictions.csv";
/// All of them, apart from figures.
const FILES: [&str; 14] = [
    RECORD,
    LOG,
    "split.json",
    "folds.json",
    METRICS,
    EXPLANATION,
    SANITY,
    PREDICTIONS,
    Examples::FILE,
    Cost::FILE,
    Randomised::FILE,
    "model.safetensors",
    "checkpoint.safetensors",
    // last: while files are being removed, the folder still counts as that of a run
    CONFIG,
];
/// How the last line of a figure's caption begins. A file `STEM.txt` that ends so, and what lies beside it under the same
/// stem, is a figure of ours: removed with its run, replaced by one of the same; any other file in `figures/` is not.
const DRAWN_FROM: &str = "Drawn from: ";

const OUT_HINT: &str = "choose a folder that can be written to: --out DIR, or output.dir in the experiment";

/// A run's folder: the complete experiment, what ran where and when, the split, the log, the model, predictions,
/// metrics and figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    dir: PathBuf,
}

impl RunFolder {
    /// Makes the folder. One that holds files of a run, finished or not, is refused unless `force`, which removes
    /// those files, and never any other. The embedded quick start passes `force` when it writes to its own folder,
    /// so that it can be run again.
    ///
    /// # Errors
    /// [`Error::File`] for a folder in use or one that cannot be made or written to.
    pub fn create(dir: impl AsRef<Path>, force: bool) -> Result<Self> {
        let dir = dir.as_ref();
        make(dir)?;
        let folder = Self { dir: dir.to_path_buf() };
        let present = |name: &&str| dir.join(name).symlink_metadata().is_ok();
        if let Some(found) = FILES.iter().rev().find(|name| present(name)) {
            if !force {
                let resume = match folder.is_finished() {
                    Ok(false) => "it is not finished: --resume goes on with it; or ",
                    _ => "",
                };
                let hint = format!("{resume}give another folder (--out DIR), or --force to write over that run");
                return Err(Error::file(dir, format!("holds a run already ({found}), expected none"), hint));
            }
            folder.clear()?;
        }
        // an unwritable folder is reported now, not after an hour of training
        drop(temporary(dir).map_err(|e| Error::file(dir, format!("cannot be written to: {e}"), OUT_HINT))?);
        Ok(folder)
    }

    /// Takes the folder for this process, and makes it where it is not there; nobody else may while the lock lives.
    ///
    /// # Errors
    /// [`Error::File`] where another process has it, and for a folder that cannot be made or written to.
    pub fn lock(dir: impl AsRef<Path>) -> Result<RunLock> {
        make(dir.as_ref())?;
        RunLock::take(dir.as_ref())
    }

    /// Whether a process works in the folder at this moment.
    pub fn is_under_way(dir: impl AsRef<Path>) -> bool {
        RunLock::is_taken(dir.as_ref())
    }

    /// The folder of an existing run.
    ///
    /// # Errors
    /// [`Error::File`] where there is no `config.toml`.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        if dir.join(CONFIG).is_file() {
            return Ok(Self { dir: dir.to_path_buf() });
        }
        Err(Error::file(dir, "is no run folder: found no config.toml", "give the folder that `exgnet train` wrote"))
    }

    /// The folder of a run, whatever is there.
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Whether a run was begun in the folder, even if it was killed before it wrote much. A `config.toml` alone is anybody's.
    pub fn is_begun(dir: impl AsRef<Path>) -> bool {
        let dir = dir.as_ref();
        let others = FILES.iter().filter(|name| **name != CONFIG);
        dir.join(lock::NAME).exists() || dir.join(CONFIG).is_file() && others.clone().any(|n| dir.join(n).exists())
    }

    /// The file of a run in `dir` that `path` is, if it is one.
    pub(crate) fn file_in(dir: &Path, path: &Path) -> Option<&'static str> {
        FILES.into_iter().find(|name| guard::is_same_file(path, &dir.join(name)))
    }

    /// Removes what a run wrote.
    fn clear(&self) -> Result<()> {
        let remove = |path: PathBuf| match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(
                path,
                format!("cannot be removed: {e}"),
                "remove it, or give another folder with --out",
            )),
            _ => Ok(()),
        };
        self.clear_temporaries()?;
        if let Some(figures) = self.own_figures() {
            let names = names_in(&figures)?;
            // the captions last: without them the others are anybody's
            let own = names.iter().filter(|name| is_figure(&figures, name)).map(|name| figures.join(name));
            let (captions, drawings): (Vec<PathBuf>, Vec<PathBuf>) =
                own.partition(|path| path.extension().is_some_and(|end| end == "txt"));
            drawings.into_iter().chain(captions).try_for_each(remove)?;
            // stays where something else is left in it
            let _ = std::fs::remove_dir(&figures);
        }
        FILES.iter().try_for_each(|name| remove(self.dir.join(name)))
    }

    /// `figures/` where it is there; a link would lead out of the folder.
    fn own_figures(&self) -> Option<PathBuf> {
        let figures = self.figures();
        figures.symlink_metadata().is_ok_and(|m| m.is_dir()).then_some(figures)
    }

    /// Removes what a killed run left half written.
    pub fn clear_temporaries(&self) -> Result<()> {
        let own = self.own_figures();
        for dir in std::iter::once(&self.dir).chain(&own) {
            for name in names_in(dir)?.into_iter().filter(|name| name.starts_with(TEMPORARY)) {
                // one that stays is in nobody's way
                let _ = std::fs::remove_file(dir.join(name));
            }
        }
        Ok(())
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `config.toml`: the complete experiment.
    pub fn config(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }

    /// `model.safetensors`: the trained model.
    pub fn model(&self) -> PathBuf {
        self.dir.join("model.safetensors")
    }

    /// `figures/`, which `exgnet figures` draws to as well.
    pub fn figures(&self) -> PathBuf {
        self.dir.join("figures")
    }

    /// Writes `config.toml`.
    pub fn write_config(&self, experiment: &Experiment) -> Result<()> {
        write_atomically(&self.config(), experiment.to_toml().as_bytes())
    }

    /// Reads `config.toml`, with `key=value` settings that go before it.
    ///
    /// # Errors
    /// [`Error::File`] for one that was cut off: what it lacks would be taken for a default; else as [`Experiment::load`].
    pub fn read_config(&self, sets: &[String]) -> Result<Experiment> {
        let experiment = Experiment::load(self.config(), sets)?;
        let text = std::fs::read_to_string(self.config()).unwrap_or_default();
        if text.lines().any(|line| line == "[output]") {
            return Ok(experiment);
        }
        let what = "is not whole: found no table [output], with which the file of a run ends";
        Err(Error::file(self.config(), what, "take it from a copy of the run, or train again with --force"))
    }

    /// Writes `config.toml` with a line on kernels that it does not name, where the run is made with such.
    pub fn write_config_of(&self, experiment: &Experiment, kernels: &Kernels) -> Result<()> {
        let Some(differ) = kernels.differences_from_built_in() else { return self.write_config(experiment) };
        let line = format!("# Not all of the run: it was made with {differ}; `kernels` in run.json has the hashes.\n");
        write_atomically(&self.config(), (line + &experiment.to_toml()).as_bytes())
    }

    /// Writes `run.json`; at the start without an end, and again at the end.
    pub fn write_run(&self, record: &RunRecord) -> Result<()> {
        write_json(&self.dir.join(RECORD), record)
    }

    /// `checkpoint.safetensors`: there while the run is not finished.
    pub fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint.safetensors")
    }

    /// Reads `run.json`, where it is there.
    pub fn read_run(&self) -> Result<Option<RunRecord>> {
        let path = self.dir.join(RECORD);
        let bad = |e: &dyn std::fmt::Display| {
            Error::file(&path, format!("is no record of a run: {e}"), "start again with --force")
        };
        match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(bad(&e)),
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| bad(&e)),
        }
    }

    /// True where the run came to its end.
    pub fn is_finished(&self) -> Result<bool> {
        Ok(self.read_run()?.is_some_and(|record| record.end.is_some()))
    }

    /// Removes the checkpoint of a run that came to its end.
    pub fn remove_checkpoint(&self) -> Result<()> {
        let path = self.checkpoint();
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(path, format!("cannot be removed: {e}"), "remove it by hand: the run is finished"))
            }
            _ => Ok(()),
        }
    }

    /// Shortens `log.jsonl` to its first `epochs` lines; later ones were written after the checkpoint that a run resumes
    /// from. Returns the epochs kept.
    ///
    /// # Errors
    /// [`Error::File`]; also where fewer epochs are there.
    pub fn trim_log(&self, epochs: usize) -> Result<Vec<EpochLog>> {
        let path = self.dir.join(LOG);
        let text = if path.exists() || epochs > 0 {
            std::fs::read_to_string(&path)
                .map_err(|e| Error::file(&path, format!("cannot be read: {e}"), "begin again with --force"))?
        } else {
            String::new()
        };
        let kept: Vec<&str> = text.lines().take(epochs).collect();
        if kept.len() < epochs {
            let what = format!("{} epochs found, {epochs} expected by the checkpoint", kept.len());
            return Err(Error::file(&path, what, "begin again with --force"));
        }
        let text: String = kept.iter().map(|line| format!("{line}\n")).collect();
        write_atomically(&path, text.as_bytes())?;
        self.read_log()
    }

    /// `folds.json`: the fold of every record, to be used again with `data.split_file`.
    pub fn folds(&self) -> PathBuf {
        self.dir.join("folds.json")
    }

    /// Writes `split.json`.
    pub fn write_split(&self, split: &SplitRecord) -> Result<()> {
        write_json(&self.dir.join("split.json"), split)
    }

    /// Reads the division back.
    pub fn read_split(&self) -> Result<SplitRecord> {
        let path = self.dir.join("split.json");
        let fail = |e: String| Error::file(&path, e, "train writes it: see whether the run began, or name a data set");
        let text = std::fs::read_to_string(&path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        serde_json::from_str(&text).map_err(|e| fail(format!("is no division of records: {e}")))
    }

    /// Adds a line to `log.jsonl`.
    pub fn append_log(&self, epoch: &EpochLog) -> Result<()> {
        let path = self.dir.join(LOG);
        let mut line = serde_json::to_string(epoch).expect("names and numbers always serialise");
        line.push('\n');
        let mut options = std::fs::OpenOptions::new();
        // one write: whoever reads along sees whole lines
        let written = options.create(true).append(true).open(&path).and_then(|mut f| f.write_all(line.as_bytes()));
        written.map_err(|e| Error::file(&path, format!("cannot be written: {e}"), OUT_HINT))
    }

    /// The epochs of `log.jsonl`; a last line that was cut off is left out.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, with the number of a line that is no epoch.
    pub fn read_log(&self) -> Result<Vec<EpochLog>> {
        let path = self.dir.join(LOG);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::file(&path, format!("cannot be read: {e}"), "train writes it: see whether the run began")
        })?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |(i, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|e| {
                let hint = "a line is a JSON object as `exgnet train` writes it";
                Error::file(&path, format!("line {}: found no epoch: {e}", i + 1), hint)
            })
        };
        whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
    }
}

/// A line of `log.jsonl`. Values that are no finite number are written as `null` and read as NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochLog {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimiser steps done at its end.
    pub step: usize,
    /// Learning rate of its last step.
    #[serde(deserialize_with = "number_or_nan")]
    pub lr: f64,
    /// Loss terms by name (`ce`), means over the steps that were read back.
    #[serde(serialize_with = "as_map", deserialize_with = "from_map")]
    pub losses: Vec<(String, f64)>,
    /// Metrics by name (`train_accuracy`); empty where none were computed.
    #[serde(serialize_with = "as_map", deserialize_with = "from_map")]
    pub metrics: Vec<(String, f64)>,
    /// Wall time of the epoch, seconds.
    #[serde(deserialize_with = "number_or_nan")]
    pub seconds: f64,
}

fn as_map<S: Serializer>(pairs: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

fn from_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, f64)>, D::Error> {
    // serde_json's map keeps the order of the file
    let map = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
    let one = |(name, value)| Ok((name, number_or_nan(value).map_err(serde::de::Error::custom)?));
    map.into_iter().map(one).collect()
}

fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Lists the files of a run among what the command reads: nothing is written over them.
pub(crate) fn protect(dir: &Path) {
    FILES.iter().for_each(|name| guard::reads(&dir.join(name)));
}

/// Makes a folder for a run.
fn make(dir: &Path) -> Result<()> {
    if dir.exists() && !dir.is_dir() {
        return Err(Error::file(dir, "is a file, expected a folder", OUT_HINT));
    }
    std::fs::create_dir_all(dir).map_err(|e| Error::file(dir, format!("cannot be made: {e}"), OUT_HINT))
}

/// Names of the entries of a folder; those that are no Unicode are none of ours.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|e| Error::file(dir, format!("cannot be read: {e}"), OUT_HINT))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// A figure's caption with the line that says of which runs it is.
pub(crate) fn caption_of(caption: &str, of: &str) -> String {
    format!("{}\n{DRAWN_FROM}{of}.", caption.trim())
}

/// Of which runs the figure with this caption file is; `None` for a file that is no caption of ours.
pub(crate) fn drawn_from(caption: &Path) -> Option<String> {
    let text = std::fs::read_to_string(caption).ok()?;
    Some(text.lines().last()?.strip_prefix(DRAWN_FROM)?.strip_suffix('.')?.to_owned())
}

/// How the names of a figure's files end, its caption's first.
pub(crate) const FIGURE_ENDS: [&str; 4] = ["txt", "png", "svg", "pdf"];

/// Whether a file of a folder belongs to a figure of ours.
pub(crate) fn is_figure(dir: &Path, name: &str) -> bool {
    let own = name.rsplit_once('.').filter(|(_, end)| FIGURE_ENDS.contains(end));
    own.is_some_and(|(stem, _)| drawn_from(&dir.join(format!("{stem}.txt"))).is_some())
}

#[cfg(test)]
mod tests;
