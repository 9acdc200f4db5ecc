//! What ran, where and when: `run.json` and `split.json`.

use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::{Dataset, SplitKind};
use crate::experiment::data::Division;
use crate::experiment::{Experiment, Fold};
use crate::run::kernels::KernelsEntry;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the program.
    pub version: String,
    /// Commit that it was built from, see [`commit`].
    pub commit: Option<String>,
    /// Name of the GPU adapter.
    pub adapter: Option<String>,
    /// Its driver, with version.
    pub driver: Option<String>,
    /// The CPU beside it, which a software adapter is, see [`crate::gpu::cpu`]; `None` in runs of earlier versions.
    #[serde(default)]
    pub cpu: Option<String>,
    /// Which kernels ran.
    #[serde(default)]
    pub kernels: Option<KernelsEntry>,
    /// The command line.
    pub command: String,
    /// Start, RFC 3339 in UTC.
    pub start: String,
    /// End; `None` while the run continues, and for ever if it was cut off.
    pub end: Option<String>,
    /// Duration, seconds.
    pub wall_seconds: Option<f64>,
    /// What took how long in the process that ended the run; `None` in runs of earlier versions.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// Seed of the training.
    pub seed: u64,
    /// Test fold.
    pub fold: Fold,
    /// How records were dealt to folds.
    pub split: SplitKind,
    /// Number of folds.
    pub folds: usize,
    /// Seed of the split.
    pub split_seed: u32,
    /// Records that train.
    pub train_records: usize,
    /// Records that test; their ids are in `split.json`.
    pub test_records: usize,
    /// What the data set held; `None` in runs of earlier versions.
    #[serde(default)]
    pub data: Option<Fingerprint>,
    /// Epoch whose network was kept, from 1, see [`crate::experiment::Select`]; `None` while the run continues.
    #[serde(default)]
    pub selected_epoch: Option<usize>,
    /// It is no network's run: it has neither epochs nor maps.
    #[serde(default)]
    pub baseline: bool,
}

impl RunRecord {
    /// A run of `experiment` that starts now, by this command line.
    pub fn start(experiment: &Experiment) -> Self {
        // the program by its name: where it lies is nobody's business
        let program = std::env::args_os().next().map(PathBuf::from);
        let program = program.as_deref().and_then(Path::file_name).unwrap_or_default().to_os_string();
        let words = std::iter::once(program).chain(std::env::args_os().skip(1));
        let words = words.map(|word| word.to_string_lossy().into_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: commit(),
            adapter: None,
            driver: None,
            cpu: None,
            kernels: None,
            command: words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
            start: rfc3339(SystemTime::now()),
            end: None,
            wall_seconds: None,
            phases: None,
            seed: experiment.train.seed,
            fold: experiment.train.fold,
            split: experiment.data.split,
            folds: experiment.data.folds,
            split_seed: experiment.data.split_seed,
            train_records: 0,
            test_records: 0,
            data: None,
            selected_epoch: None,
            baseline: false,
        }
    }

    /// Notes that the run has ended now, after `wall_seconds`.
    pub fn finish(&mut self, wall_seconds: f64) {
        self.end = Some(rfc3339(SystemTime::now()));
        self.wall_seconds = Some(wall_seconds);
    }
}

/// Phases of a run, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Opening the device and reading the data.
    pub data: f64,
    /// Training, with the compilation of its kernels.
    pub training: f64,
    /// Test: predictions, maps, perturbation curves, sanity rows.
    pub test: f64,
    /// Figures.
    pub figures: f64,
}

/// The program that runs: its version, and its commit where that is known.
pub fn program() -> String {
    std::iter::once(env!("CARGO_PKG_VERSION").to_owned()).chain(commit()).collect::<Vec<_>>().join(" ")
}

/// The content of `split.json`: ids of the records on either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// Names of the classes that were left after small ones were dropped.
    pub classes: Vec<String>,
    /// Records that train.
    pub train: Vec<String>,
    /// Records of the training fold that were only watched.
    #[serde(default)]
    pub validation: Vec<String>,
    /// Records that test.
    pub test: Vec<String>,
}

impl SplitRecord {
    /// The division of a data set, by ids.
    pub fn new(data: &Dataset, division: &Division) -> Self {
        let ids = |records: &[usize]| records.iter().map(|&r| data.strips[r].id.clone()).collect();
        let Division { train, validation, test, .. } = division;
        Self { classes: data.classes.clone(), train: ids(train), validation: ids(validation), test: ids(test) }
    }
}

/// A word as a shell would need it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The commit of the sources: what `EXGNET_COMMIT` said when they were compiled, else the commit that the folder they were
/// compiled in was at when the program was written, where that folder is still there; `-dirty` follows if tracked files
/// differed from it. The folder may have moved on since.
pub fn commit() -> Option<String> {
    if let Some(commit) = option_env!("EXGNET_COMMIT") {
        return Some(commit.into());
    }
    let program = std::env::current_exe().ok()?.metadata().ok()?.modified().ok()?;
    commit_at(Path::new(env!("CARGO_MANIFEST_DIR")), program)
}

/// The commit that a work tree was at at a time, after git's log of where HEAD was.
fn commit_at(tree: &Path, time: SystemTime) -> Option<String> {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").arg("-C").arg(tree).args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
        output.status.success().then_some(text)
    };
    // a folder without a repository of its own may lie in somebody else's
    if std::fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()? != std::fs::canonicalize(tree).ok()? {
        return None;
    }
    let then = git(&["rev-parse", &format!("HEAD@{{{}}}", rfc3339(time))]);
    let commit = then.or_else(|| git(&["rev-parse", "HEAD"]))?;
    // what was written later was not compiled
    let earlier = |name: &str| tree.join(name).metadata().and_then(|m| m.modified()).map_or(true, |at| at <= time);
    let dirty = git(&["diff", "--name-only", &commit])?.lines().any(earlier);
    Some(commit + if dirty { "-dirty" } else { "" })
}

/// A time as `2026-01-31T23:59:59Z`; times before 1970 are given as its start.
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // civil_from_days of H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that
    // the leap day is a year's last
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        // date -u -d @N +%FT%TZ
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00Z");
        assert_eq!(at(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00Z");
    }

    /// The folder moves on while a program that was built in it runs.
    #[test]
    fn the_commit_is_that_of_the_build() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        let git = |seconds: u64, args: &[&str]| {
            let date = rfc3339(at(seconds));
            let names = ["AUTHOR", "COMMITTER"]
                .map(|who| [("NAME", "n"), ("EMAIL", "e")].map(|(k, v)| (format!("GIT_{who}_{k}"), v)));
            let done = std::process::Command::new("git")
                .arg("-C")
                .arg(dir.path())
                .args(args)
                .envs(names.into_iter().flatten())
                .env("GIT_COMMITTER_DATE", date)
                .output()
                .expect("git");
            assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).expect("text").trim().to_owned()
        };
        let write = |seconds: u64, text: &str| {
            std::fs::write(dir.path().join("a.rs"), text).expect("written");
            let file = std::fs::File::options().write(true).open(dir.path().join("a.rs")).expect("a file");
            file.set_modified(at(seconds)).expect("a time");
        };
        let commit = |seconds: u64| {
            git(seconds, &["add", "."]);
            git(seconds, &["commit", "-q", "-m", "m"]);
            git(seconds, &["rev-parse", "HEAD"])
        };
        git(0, &["init", "-q"]);
        write(0, "one");
        let first = commit(10);
        let found = |seconds| commit_at(dir.path(), at(seconds)).expect("a commit");
        assert_eq!(found(20), first);
        write(30, "two");
        assert_eq!((found(20), found(40)), (first.clone(), format!("{first}-dirty")));
        let second = commit(50);
        assert_eq!((found(20), found(40), found(60)), (first.clone(), format!("{first}-dirty"), second));
        assert_eq!(commit_at(&dir.path().join("none"), at(60)), None);
    }

    #[test]
    fn words_of_a_command_line() {
        assert_eq!(quoted("--set=train.epochs"), "--set=train.epochs");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
