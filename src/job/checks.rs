//! What must be so before a run begins or resumes.

use super::Host;
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::resolve;
use crate::ecg::sources::Kind;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::run::RunFolder;
use crate::run::kernels::{Kernels, KernelsEntry};
use crate::run::origin::resume;
use crate::run::record::{SplitRecord, quoted};
use crate::train::checkpoint::Checkpoint;
use std::path::Path;

/// There must be a run to resume.
pub fn to_resume(dir: &Path) -> Result<()> {
    if RunFolder::is_begun(dir) {
        return Ok(());
    }
    let found = match std::fs::read_dir(dir).map(Iterator::count) {
        Ok(0) => "is empty",
        Ok(_) => "holds no run",
        Err(_) if dir.exists() => "is no folder",
        Err(_) => "is not there",
    };
    let hint = "name the folder of a run with --out, or leave --resume away to begin one there";
    Err(Error::file(dir, format!("{found}: expected a run to resume"), hint))
}

/// A run in `dir` replaces no file that it is made from: not its experiment, unless that is of the run there, nor its data.
pub fn keeps_inputs(config: Option<&Path>, experiment: &Experiment, dir: &Path) -> Result<()> {
    let data = &experiment.data;
    let sources = [data.sources()?, experiment.test.sources()?].concat();
    let csv = sources.iter().filter(|s| matches!(s.kind, Kind::Csv | Kind::Table)).map(|s| resolve(&s.path));
    let named = [&data.prepared, &data.split_file].into_iter().filter(|p| !p.is_empty()).map(|p| resolve(p.as_ref()));
    let config = config.filter(|_| !RunFolder::is_begun(dir)).map(Path::to_path_buf);
    for path in config.into_iter().chain(named).chain(csv) {
        if let Some(name) = RunFolder::file_in(dir, &path) {
            let what = format!("is read for this run, which would write over it: its folder has a file {name} too");
            return Err(Error::file(path, what, "choose another folder with --out"));
        }
    }
    Ok(())
}

/// A run is resumed on the data that it was begun with: its content, not only its names.
pub(super) fn is_same_data(folder: &RunFolder, data: &Fingerprint, split: &SplitRecord) -> Result<()> {
    let refuse = |what: String| {
        let hint = "put the data back as they were, or start again with --force";
        Err(Error::file(folder.dir(), what, hint))
    };
    let begun = folder.read_run()?.and_then(|record| record.data);
    if let Some(differ) = begun.map(|begun| begun.differences(data)).filter(|d| !d.is_empty()) {
        let differ = differ.join(", ");
        return refuse(format!("was begun with other data than the data set gives now: found other {differ}"));
    }
    if folder.read_split()? != *split {
        return refuse("was begun with other records, or another division of them, than the data set gives now".into());
    }
    Ok(())
}

/// A run is resumed with the kernels that it was begun with: its bits depend on them. What earlier versions of the program
/// noted in words is not compared.
pub(super) fn are_same_kernels(folder: &RunFolder, kernels: &Kernels) -> Result<()> {
    let Some(KernelsEntry::Listed(begun)) = folder.read_run()?.and_then(|record| record.kernels) else { return Ok(()) };
    refuse(folder, &kernels.differences(&begun))
}

fn refuse(folder: &RunFolder, differ: &[String]) -> Result<()> {
    if differ.is_empty() {
        return Ok(());
    }
    Err(Error::file(
        folder.dir(),
        format!("was made with other kernels than those of now: {}", differ.join("; ")),
        "give --shader-dir, --kernels and the tuning table (EXGNET_CACHE, --no-tuned) as then; or begin again: --force in \
         the place of --resume",
    ))
}

/// Where the run of an experiment stands in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It begins at the start: nothing is there, or it was cut off before its first checkpoint.
    ToDo,
    /// Another process works on it.
    UnderWay,
    /// It was cut off, and resumes in the middle.
    Interrupted {
        /// Epoch that it resumes in, from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
    },
    /// It came to its end.
    Finished,
}

/// Where the run of an experiment stands in the folder `dir`, as far as it is known before the data are read.
///
/// # Errors
/// [`Error::File`] for a run that cannot be resumed: of another experiment, made with other kernels, or damaged.
pub fn state(host: &dyn Host, experiment: &Experiment, dir: &Path) -> Result<State> {
    if RunFolder::is_under_way(dir) {
        return Ok(State::UnderWay);
    }
    let Ok(folder) = RunFolder::open(dir) else { return Ok(State::ToDo) };
    if is_finished(host, experiment, &folder)? {
        return Ok(State::Finished);
    }
    let Some(checkpoint) = checkpoint(experiment, &folder)? else { return Ok(State::ToDo) };
    are_asked_kernels(host, &folder)?;
    let epochs = experiment.train.epochs;
    Ok(State::Interrupted { epoch: (checkpoint.epoch + 1).min(epochs), epochs })
}

/// Whether the run to resume came to its end.
pub(super) fn is_finished(host: &dyn Host, experiment: &Experiment, folder: &RunFolder) -> Result<bool> {
    let differ = folder.read_config(&[])?.differences(experiment);
    if !differ.is_empty() {
        let dir = quoted(&folder.dir().display().to_string());
        return Err(Error::file(
            folder.config(),
            format!("is another experiment than asked for: {}", some(&differ)),
            format!(
                "choose another folder with --out, or remove {dir} to run this one there; what is there resumes as it \
                 was begun with `{}`",
                resume(folder.dir())
            ),
        ));
    }
    let finished = folder.is_finished()?;
    if finished {
        are_asked_kernels(host, folder)?;
    }
    Ok(finished)
}

/// The checkpoint of a run of this experiment, where it has one.
pub(super) fn checkpoint(experiment: &Experiment, folder: &RunFolder) -> Result<Option<Checkpoint>> {
    let path = folder.checkpoint();
    if !path.exists() {
        return Ok(None);
    }
    let checkpoint = Checkpoint::read(&path)?;
    let begun = Experiment::parse(&checkpoint.experiment, "the checkpoint");
    if begun.is_ok_and(|begun| begun.differences(experiment).is_empty()) {
        return Ok(Some(checkpoint));
    }
    Err(Error::file(path, "belongs to another experiment than config.toml", "begin again with --force"))
}

/// As [`are_same_kernels`], before a device is opened: whatever the tuning table.
fn are_asked_kernels(host: &dyn Host, folder: &RunFolder) -> Result<()> {
    let Some(KernelsEntry::Listed(begun)) = folder.read_run()?.and_then(|record| record.kernels) else { return Ok(()) };
    let (shaders, asked) = host.kernels()?;
    refuse(folder, &begun.differences_from_asked(&shaders, &asked)?)
}

/// The first of several differences.
fn some(all: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = all.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!("; {more} more") };
    format!("{}{more}", all[..all.len().min(SHOWN)].join("; "))
}
