//! What the files of a test are of. Each says it of itself, so that numbers of the training fold, or of other data, are never
//! taken for those of a run's test.

use crate::ecg::fingerprint::Fingerprint;
use crate::error::{Error, Result};
use crate::files::{guard, map};
use crate::nn::model_file;
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::folder::{EXPLANATION, METRICS, PREDICTIONS, RunFolder, SANITY};
use crate::run::randomised::Randomised;
use crate::run::record::quoted;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// The files that a test writes.
const FILES: [&str; 7] = [METRICS, EXPLANATION, SANITY, PREDICTIONS, Examples::FILE, Cost::FILE, Randomised::FILE];

/// Which records of a data set were tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The training fold of the model's run.
    Train,
    /// Its test fold.
    Test,
    /// All of them.
    All,
    /// Some, by name.
    Records,
}

impl Part {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::All => "all",
            Self::Records => "records",
        }
    }
}

/// What a file of a test is of: keys of `metrics.json`, `explanation.json` and `sanity.json`, columns of `predictions.csv`,
/// metadata of `explanations.safetensors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Which records.
    pub part: Part,
    /// Of which data set: its sources and a hash of its content, see [`Fingerprint::id`].
    pub data: String,
    /// Hash of the model file, which `explanations.safetensors` alone says: the numbers of an exported model are those of the
    /// whole one.
    #[serde(skip)]
    pub model: Option<String>,
    /// How many of the tested patients the model was trained on, as far as its file says; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<usize>,
}

/// A file's content, and of what it is.
#[derive(Serialize)]
pub struct Of<'a, T: Serialize> {
    /// The content.
    #[serde(flatten)]
    pub content: &'a T,
    /// What it is of.
    #[serde(flatten)]
    pub origin: &'a Origin,
}

impl Origin {
    /// A test of `model` (a file or a run folder) on a part of the data set with this fingerprint.
    pub fn new(part: Part, data: &Fingerprint, model: &Path) -> Result<Self> {
        let path = model_file::path_of(model);
        let bytes = std::fs::read(&path)
            .map_err(|e| Error::file(&path, format!("cannot be read: {e}"), "give a model file or a run folder"))?;
        Ok(Self { part, data: data.id(), model: Some(format!("{:016x}", xxh3_64(&bytes))), trained_on: None })
    }

    /// What a file says of itself; `None` for one that says nothing, as files of earlier versions, or cannot be read.
    fn recorded(path: &Path) -> Option<Self> {
        let parts = |part: &str, data: &str| {
            let part = [Part::Train, Part::Test, Part::All, Part::Records].into_iter().find(|p| p.name() == part)?;
            Some(Self { part, data: data.into(), model: None, trained_on: None })
        };
        match path.extension()?.to_str()? {
            "json" => serde_json::from_slice(&std::fs::read(path).ok()?)
                .ok()
                .map(|found: Self| Self { trained_on: None, ..found }),
            "csv" => {
                let mut csv = csv::Reader::from_path(path).ok()?;
                let head = csv.headers().ok()?.clone();
                let place = |name: &str| head.iter().position(|h| h == name);
                let row = csv.records().next()?.ok()?;
                parts(row.get(place("part")?)?, row.get(place("data")?)?)
            }
            _ => {
                let mapped = map(path).ok()?;
                let (_, header) = SafeTensors::read_metadata(&mapped).ok()?;
                let metadata = header.metadata().clone()?;
                let found = parts(metadata.get("part")?, metadata.get("data")?)?;
                Some(Self { model: metadata.get("model").cloned(), ..found })
            }
        }
    }

    /// Whether the files of this test may be written to `dir`; those of the same test are then replaced. `run` is the folder
    /// of the model's run, `own_data` whether the data set is the run's.
    ///
    /// # Errors
    /// [`Error::File`] for the folder of a run of which this is not the test, and, without `--force`, for files of another
    /// test.
    pub fn may_go_to(&self, dir: &Path, model: &Path, run: Option<&Path>, own_data: bool) -> Result<()> {
        let files: Vec<PathBuf> = FILES.iter().map(|name| dir.join(name)).collect();
        if let Ok(folder) = RunFolder::open(dir) {
            let own = run.is_some_and(|run| guard::is_same_file(run, dir))
                && guard::is_same_file(&model_file::path_of(model), &folder.model());
            let what = match (own, self.part, own_data) {
                (false, ..) => "is the folder of another run than the model's".to_owned(),
                (true, Part::Test, true) => {
                    files.iter().for_each(|path| guard::replaces(path));
                    return Ok(());
                }
                (true, Part::Test, false) => {
                    "holds the test of a run, and the data set is not the run's own".to_owned()
                }
                (true, part, _) => format!("holds the test of a run: expected its test part, found `{}`", part.name()),
            };
            let hint = "choose another folder with --out: what lies in a run folder passes for the run's test";
            return Err(Error::file(dir, what, hint));
        }
        let model = Self::recorded(&dir.join(Examples::FILE)).and_then(|found| found.model);
        for path in &files {
            match Self::recorded(path).map(|found| Self { model: found.model.or_else(|| model.clone()), ..found }) {
                // which records by name is not said, and for their cost nothing
                Some(found) if found == *self && (self.part != Part::Records || path.ends_with(Cost::FILE)) => {
                    guard::replaces(path)
                }
                // found out before the test, not after it
                Some(found) if found != *self => guard::check(path, None)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is wrong with the files of a run's test: those of another part, or of other data than the run's (where that is known).
pub fn foreign_files(dir: &Path, data: Option<&Fingerprint>) -> Vec<(&'static str, String)> {
    let wrong = |name: &'static str| {
        let found = Origin::recorded(&dir.join(name))?;
        let of = |what: String| Some((name, format!("{name} is of {what}, expected the run's own test")));
        match (found.part, data) {
            (Part::Test, Some(own)) if found.data != own.id() => of(format!("other data ({})", found.data)),
            (Part::Test, _) => None,
            (part, _) => of(format!("the part `{}`", part.name())),
        }
    };
    FILES.into_iter().filter_map(wrong).collect()
}

/// The command that resumes a run.
pub fn resume(dir: &Path) -> String {
    format!("exgnet train --out {} --resume", quoted(&dir.display().to_string()))
}

/// The command that writes the files of a run's test.
pub fn again(dir: &Path) -> String {
    let at = quoted(&dir.display().to_string());
    // of committed runs the models are left out
    match RunFolder::open(dir).is_ok_and(|folder| folder.model().exists()) {
        true => format!("exgnet evaluate --model {at} --out {at}"),
        false => format!("exgnet train {at}/config.toml --out {at} --force   # trains again: the model is not there"),
    }
}
