//! Sweeps: variants of an experiment x folds x seeds, each a run of its own.

use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::files::{csv, guard, write_atomically};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A sweep file (TOML).
///
/// ```toml
/// base = "mitbih.toml"              # an experiment, beside this file
/// out = "results/mitbih-ablation"   # the runs go to out/VARIANT/fold-K-seed-S
/// folds = [0, 1, 2, 3, 4]
/// seeds = [1, 2]
/// set = ["train.epochs=20"]         # settings of every variant; those of a variant go after them
/// [[variant]]
/// name = "plain"
/// set = ["losses.joint=0", "losses.feature=0", "losses.xai=0"]
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The experiment that the variants change, relative to the sweep file.
    base: PathBuf,
    /// Folder for the runs.
    pub out: PathBuf,
    /// Test folds.
    folds: Vec<usize>,
    /// Seeds of the training.
    seeds: Vec<u64>,
    /// Settings of every variant, as for `--set`; a variant's own go after them.
    #[serde(default)]
    set: Vec<String>,
    /// What is compared, the reference first.
    #[serde(rename = "variant")]
    variants: Vec<Variant>,
}

/// A variant of the experiment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name and that of its folder.
    pub name: String,
    /// Settings as for `--set`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The variant's name.
    pub variant: String,
    /// Test fold.
    pub fold: usize,
    /// Seed.
    pub seed: u64,
    /// Its run folder below the sweep's.
    pub dir: PathBuf,
    /// The complete experiment.
    pub experiment: Experiment,
}

/// File in the sweep's folder: variant, fold and seed of every run that it has, begun or not.
const LIST: &str = "sweep.csv";

impl Sweep {
    /// Writes the list of all runs into the sweep's folder, for [`listed`].
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn write_list(&self, tasks: &[Task]) -> Result<()> {
        let path = self.out.join(LIST);
        guard::replaces(&path);
        let row = |task: &Task| vec![task.variant.clone(), task.fold.to_string(), task.seed.to_string()];
        write_atomically(&path, &csv("variant,fold,seed", tasks.iter().map(row)))
    }

    /// Reads a sweep file and makes its tasks: by variant, then fold, then seed. `out` goes before the file's own.
    pub fn load(path: &Path, out: Option<&Path>) -> Result<(Self, Vec<Task>)> {
        let bad = |what: String| Error::file(path, what, "a sweep has base, out, folds, seeds and [[variant]] tables");
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        let mut sweep: Self = toml::from_str(&text).map_err(|e| bad(format!("is no sweep: {}", e.message())))?;
        if let Some(out) = out {
            sweep.out = out.to_path_buf();
        }
        if sweep.folds.is_empty() || sweep.seeds.is_empty() || sweep.variants.is_empty() {
            return Err(bad("has no fold, no seed or no variant".into()));
        }
        if let Some(fold) = twice(&sweep.folds) {
            return Err(bad(format!("folds: {fold} is there twice")));
        }
        if let Some(seed) = twice(&sweep.seeds) {
            return Err(bad(format!("seeds: {seed} is there twice")));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let names: Vec<&str> = sweep.variants.iter().map(|v| v.name.as_str()).collect();
        if let Some(name) = names.iter().find(|n| n.is_empty() || n.starts_with('.') || !n.chars().all(plain)) {
            return Err(bad(format!("variant `{name}`: the name is that of a folder")));
        }
        if let Some(name) = twice(&names) {
            return Err(bad(format!("variant `{name}` is there twice")));
        }
        let base = path.parent().unwrap_or(Path::new("")).join(&sweep.base);
        let mut tasks = Vec::new();
        for variant in &sweep.variants {
            for &fold in &sweep.folds {
                for &seed in &sweep.seeds {
                    let dir = run_dir(&sweep.out, &variant.name, fold, seed);
                    let mut sets = [sweep.set.as_slice(), &variant.set].concat();
                    let dir_text = toml::Value::from(dir.to_string_lossy().into_owned());
                    sets.extend([
                        format!("train.fold={fold}"),
                        format!("train.seed={seed}"),
                        format!("output.dir={dir_text}"),
                    ]);
                    let experiment = Experiment::load(&base, &sets)?;
                    tasks.push(Task { variant: variant.name.clone(), fold, seed, dir, experiment });
                }
            }
        }
        Ok((sweep, tasks))
    }
}

/// Variant, fold and seed of a run.
pub type Cell = (String, usize, u64);

/// The runs that a sweep's folder lists, as its file had them last; `None` where it has no list.
///
/// # Errors
/// [`Error::File`] for a list that cannot be read.
pub fn listed(out: &Path) -> Result<Option<Vec<Cell>>> {
    let path = out.join(LIST);
    if !path.exists() {
        return Ok(None);
    }
    let bad = |e: csv::Error| Error::file(&path, format!("cannot be read: {e}"), "`exgnet sweep` writes it again");
    let rows = csv::Reader::from_path(&path).map_err(bad)?.into_deserialize();
    rows.collect::<std::result::Result<_, _>>().map(Some).map_err(bad)
}

/// Those of listed runs that have no folder.
pub fn not_begun(out: &Path, listed: &[Cell]) -> Vec<Cell> {
    let none = |(variant, fold, seed): &&Cell| !run_dir(out, variant, *fold, *seed).exists();
    listed.iter().filter(none).cloned().collect()
}

/// The folder of a run.
fn run_dir(out: &Path, variant: &str, fold: usize, seed: u64) -> PathBuf {
    out.join(variant).join(format!("fold-{fold}-seed-{seed}"))
}

/// The first value that an earlier one equals: two runs would have one folder.
fn twice<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    values.iter().enumerate().find(|(i, v)| values[..*i].contains(v)).map(|(_, v)| *v)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: &str = "base = 'base.toml'\nout = 'runs'\nfolds = [0, 1]\nseeds = [7]\n\
        [[variant]]\nname = 'plain'\nset = ['losses.xai=0']\n[[variant]]\nname = 'guided'\n";

    fn load(sweep: &str) -> Result<Vec<Task>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("base.toml"), "[network]\npreset = 'exgnet-small'\n").unwrap();
        let path = dir.path().join("sweep.toml");
        std::fs::write(&path, sweep).unwrap();
        Sweep::load(&path, None).map(|(_, tasks)| tasks)
    }

    #[test]
    fn every_cell_is_a_task() {
        let tasks = load(SWEEP).unwrap();
        let names: Vec<_> = tasks.iter().map(|t| t.dir.to_string_lossy().into_owned()).collect();
        let expected = ["plain/fold-0-seed-7", "plain/fold-1-seed-7", "guided/fold-0-seed-7", "guided/fold-1-seed-7"];
        assert_eq!(names, expected.map(|n| format!("runs/{n}")));
        assert_eq!((tasks[0].experiment.losses.xai, tasks[3].experiment.losses.xai), (0.0, 0.5));
        assert_eq!((tasks[1].experiment.train.seed, &tasks[1].experiment.output.dir), (7, &names[1]));
    }

    #[test]
    fn what_was_not_begun_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("base.toml"), "").unwrap();
        let (file, out) = (dir.path().join("sweep.toml"), dir.path().join("runs"));
        std::fs::write(&file, SWEEP).unwrap();
        let (sweep, tasks) = Sweep::load(&file, Some(&out)).unwrap();
        assert_eq!(listed(&out).unwrap(), None, "no list");
        sweep.write_list(&tasks).unwrap();
        for task in &tasks[..3] {
            std::fs::create_dir_all(&task.dir).unwrap();
        }
        let all = listed(&out).unwrap().unwrap();
        assert_eq!((all.len(), not_begun(&out, &all)), (4, vec![("guided".to_owned(), 1, 7)]));
        std::fs::write(out.join(LIST), "variant,fold\nplain,x\n").unwrap();
        let e = listed(&out).unwrap_err().to_string();
        assert!(e.contains(LIST) && e.contains("HINT"), "{e}");
    }

    #[test]
    fn settings_of_the_sweep_go_before_those_of_a_variant() {
        let tasks = load(&SWEEP.replace(
            "[[variant]]\nname = 'plain'",
            "set = ['losses.xai=2', 'losses.joint=3']\n[[variant]]\nname = 'plain'",
        ));
        let losses: Vec<_> =
            tasks.unwrap().iter().map(|t| (t.experiment.losses.xai, t.experiment.losses.joint)).collect();
        assert_eq!(losses, [(0.0, 3.0), (0.0, 3.0), (2.0, 3.0), (2.0, 3.0)]);
    }

    #[test]
    fn what_is_no_sweep_is_refused() {
        for (from, to, part) in [
            ("seeds = [7]", "seeds = []", "no seed"),
            ("'guided'", "'plain'", "twice"),
            ("folds = [0, 1]", "folds = [0, 1, 0]", "folds: 0 is there twice"),
            ("seeds = [7]", "seeds = [7, 7]", "seeds: 7 is there twice"),
            ("'guided'", "'../x'", "folder"),
            ("folds = [0, 1]", "folds = [9]", "train.fold"),
            ("losses.xai=0", "losses.xia=0", "losses.xia"),
            ("base.toml", "none.toml", "none.toml"),
            ("seeds", "sedes", "no sweep"),
        ] {
            let e = load(&SWEEP.replace(from, to)).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{e}");
        }
    }
}
