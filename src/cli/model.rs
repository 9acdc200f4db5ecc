//! The model of a command, with everything that it takes said.

use super::Common;
use super::evaluate::run_dir;
use crate::ecg::preprocessing::{Difference, Preprocessing};
use crate::ecg::sources::count;
use crate::error::{Error, Result};
use crate::nn::ModelFile;
use crate::run::RunFolder;
use crate::run::origin::resume;
use crate::run::read::read_all;
use crate::run::record::quoted;
use std::path::Path;

/// Reads the model file that `--model` names. What a file of an earlier version does not say is taken from the run
/// folder that it lies in; of one that lies alone, what is assumed is printed.
pub(super) fn load(common: &Common, path: &Path) -> Result<ModelFile> {
    let mut model = ModelFile::read(path).map_err(|e| unfinished(path).or_else(|| several(path)).unwrap_or(e))?;
    if model.assumed.is_empty() {
        return Ok(model);
    }
    if let Ok(folder) = run_dir(path).and_then(RunFolder::open) {
        let of_run = folder.read_config(&[])?.data.load_options().preprocessing();
        for key in std::mem::take(&mut model.assumed) {
            take(&mut model.info.preprocessing, &of_run, key);
        }
        return Ok(model);
    }
    assumption(&model).iter().for_each(|note| common.say(format!("note: {note}")));
    Ok(model)
}

/// The error of a run that has no model yet.
fn unfinished(path: &Path) -> Option<Error> {
    let folder = RunFolder::open(path).ok()?;
    if folder.is_finished().unwrap_or(true) || folder.model().exists() {
        return None;
    }
    let what = "the run is not finished: it has no model yet";
    Some(Error::file(path, what, format!("resume it: {}", resume(path))))
}

/// The error of a folder that holds runs and is none.
fn several(path: &Path) -> Option<Error> {
    if !path.is_dir() || RunFolder::open(path).is_ok() {
        return None;
    }
    let found = read_all(&[path.to_path_buf()]).ok()?;
    let (first, n) = (found.runs.first()?, count(found.runs.len(), "run", "runs"));
    let what = format!("is no run folder but holds {n}, expected one run or a model file");
    Some(Error::file(path, what, format!("name one of them, such as {}", quoted(&first.dir.display().to_string()))))
}

/// What is assumed of a model whose file does not say everything.
pub(super) fn assumption(model: &ModelFile) -> Option<String> {
    let all = model.info.preprocessing.metadata();
    let assumed: Vec<String> = all
        .iter()
        .filter(|(key, _)| model.assumed.contains(key))
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    let what = "the model file is of an earlier version and does not say how its strips were made; assumed";
    (!assumed.is_empty()).then(|| format!("{what}: {}", assumed.join(", ")))
}

/// Takes one setting over.
fn take(to: &mut Preprocessing, from: &Preprocessing, key: &str) {
    match key {
        "scheme" => to.scheme.clone_from(&from.scheme),
        "clean" => to.clean = from.clean,
        "mains" => to.mains = from.mains,
        "detector" => to.detector = from.detector,
        // never assumed: every version of the file says it
        _ => {}
    }
}

/// Refuses strips that were made in another way than the model's, naming every difference.
pub(super) fn refuse(subject: &str, differences: &[Difference], hint: String) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    Err(Error::data(subject, format!("not the strips that the model takes: {}", all.join("; ")), hint))
}
