//! What must be so before a run begins or resumes.

use super::Host;
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::resolve;
use crate::ecg::sources::Kind;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::run::RunFolder;
use crate::run::kernels::{Kernels, KernelsEntry};
use crate::run::record::SplitRecord;
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

/// Whether the run to resume came to its end, which is reported.
pub(super) fn is_finished(host: &dyn Host, experiment: &Experiment, folder: &RunFolder) -> Result<bool> {
    if *experiment != folder.read_config(&[])? {
        return Err(Error::file(
            folder.config(),
            "is another experiment than the one to resume",
            "leave the experiment and --set away with --resume, or choose another folder with --out",
        ));
    }
    let finished = folder.is_finished()?;
    if finished {
        if let Some(KernelsEntry::Listed(begun)) = folder.read_run()?.and_then(|record| record.kernels) {
            let (shaders, asked) = host.kernels()?;
            refuse(folder, &begun.differences_from_asked(&shaders, &asked)?)?;
        }
        host.say(format!("finished already: {}", folder.dir().display()));
    }
    Ok(finished)
}
