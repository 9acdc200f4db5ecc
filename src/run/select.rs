//! Which of the runs that were found are shown together: those of a fold or seed, finished ones, those of common folds and
//! seeds, and what all of them have.

use crate::error::{Error, Result};
use crate::run::folder::{CONFIG, METRICS, PREDICTIONS, RECORD};
use crate::run::missing::{LeftOut, Missing};
use crate::run::read::{Found, Run, named};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

impl Found {
    /// Keeps the runs of one test fold, of one seed, and, of their strips, those of some records; what was given says so from
    /// then on.
    ///
    /// # Errors
    /// [`Error::Data`] where no run is of the fold or seed, or no run keeps a strip of a record.
    pub fn restrict(&mut self, fold: Option<usize>, seed: Option<u64>, records: &[String]) -> Result<()> {
        let mut of = self.only("fold", fold, |run| Some(run.fold_and_seed()?.0), |fold, _| fold)?;
        of.extend(self.only("seed", seed, |run| Some(run.record.as_ref()?.seed), |_, seed| seed)?);
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

    /// Keeps the runs of which `of` is `wanted`, a `what`; in words where that is one. `of_cell` is the same of a run's fold and
    /// seed.
    fn only<T: Ord + Display>(
        &mut self,
        what: &str,
        wanted: Option<T>,
        of: impl Fn(&Run) -> Option<T>,
        of_cell: impl Fn(usize, u64) -> T,
    ) -> Result<Vec<String>> {
        let Some(wanted) = wanted else { return Ok(Vec::new()) };
        let there: BTreeSet<T> = self.runs.iter().filter_map(&of).collect();
        let named = format!("{what} {wanted}");
        if !there.contains(&wanted) {
            let there: Vec<String> = there.iter().map(T::to_string).collect();
            let found = format!("found no run, expected one of the {what}s {}", there.join(", "));
            return Err(Error::data(named, found, format!("give a {what} of these runs with --{what}")));
        }
        let (kept, others): (Vec<Run>, Vec<Run>) =
            std::mem::take(&mut self.runs).into_iter().partition(|run| of(run).as_ref() == Some(&wanted));
        self.runs = kept;
        let others: BTreeSet<String> = others.iter().map(Run::name).collect();
        let is_other = |m: &Missing| match m.left_out {
            Some(LeftOut::NeverBegun(fold, seed)) => of_cell(fold, seed) != wanted,
            _ => others.contains(&m.place),
        };
        self.missing.retain(|missing| !is_other(missing));
        Ok(vec![named])
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
        // predictions are compared with the metrics
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
    pub(super) fn tell_apart(&mut self, inputs: &[PathBuf], from: &[usize]) {
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

/// By their places the runs that comparisons do without, with what is to be said of each: those that their sweep's file does not have
/// any more, and those of folds and seeds that not all of several arms have finished. Runs under way are of no fold where others are
/// finished.
///
/// # Errors
/// [`Error::Data`] where the arms have none in common.
pub fn off_common_folds(runs: &[Run]) -> Result<BTreeMap<usize, Missing>> {
    let some_finished = runs.iter().any(Run::is_finished);
    let ran = |run: &Run| run.is_finished() || !some_finished;
    // of a list that has none of them nothing follows: it is of another sweep
    let some_listed = runs.iter().any(|run| ran(run) && !run.unlisted && !run.is_baseline());
    let stale = |run: &Run| run.unlisted && some_listed;
    let counted = || runs.iter().enumerate().filter(|(_, run)| ran(run) && !stale(run));
    let what = "the sweep's file does not have it any more (nor does sweep.csv): remove its folder, or list it again";
    let unlisted = |(i, run): (usize, &Run)| (i, Missing::new(run.name(), what).leaves_out(LeftOut::Unlisted));
    let mut left: BTreeMap<usize, Missing> =
        runs.iter().enumerate().filter(|(_, run)| ran(run) && stale(run)).map(unlisted).collect();
    let arms: BTreeSet<&str> = counted().map(|(_, run)| run.variant.as_str()).collect();
    let cells: Option<Vec<(usize, u64)>> = counted().map(|(_, run)| run.fold_and_seed()).collect();
    let Some(cells) = cells.filter(|_| arms.len() > 1) else { return Ok(left) };
    let of = |arm: &&str| -> BTreeSet<(usize, u64)> {
        counted().zip(&cells).filter(|((_, run), _)| run.variant == *arm).map(|(_, cell)| *cell).collect()
    };
    let all: Vec<BTreeSet<(usize, u64)>> = arms.iter().map(of).collect();
    if all.iter().cloned().reduce(|a, b| &a & &b).is_some_and(|common| common.is_empty()) {
        let what = "found no fold and seed that all of them have runs of, expected one or more";
        let hint = "arms are compared on the same test folds: draw those of other folds by themselves";
        return Err(Error::data(Vec::from_iter(arms).join(", "), what, hint));
    }
    let lacks = |cell: &(usize, u64)| arms.iter().zip(&all).find(|(_, own)| !own.contains(cell)).map(|(arm, _)| *arm);
    let alone = |((i, run), cell): ((usize, &Run), &(usize, u64))| {
        let what = format!("left out of comparisons: no finished run of {} on this fold and seed", lacks(cell)?);
        Some((i, Missing::new(run.name(), what).leaves_out(LeftOut::Alone)))
    };
    left.extend(counted().zip(&cells).filter_map(alone));
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Experiment, Fold};
    use crate::run::record::RunRecord;

    /// Arms that were taken out of the sweep's file have no say in which folds are compared.
    #[test]
    fn runs_that_a_sweep_does_not_list_any_more_are_left_out() {
        let run = |variant: &str, fold, unlisted| {
            let mut record = RunRecord { fold: Fold::Index(fold), ..RunRecord::start(&Experiment::default()) };
            record.finish(1.0);
            Run { variant: variant.into(), record: Some(record), unlisted, ..Run::default() }
        };
        let mut runs = vec![run("both", 0, false), run("both", 1, false), run("old", 0, true)];
        let left = off_common_folds(&runs).unwrap();
        assert_eq!(left.into_iter().map(|(i, m)| (i, m.left_out)).collect::<Vec<_>>(), [(2, Some(LeftOut::Unlisted))]);
        // the list of another sweep says nothing
        runs.iter_mut().for_each(|run| run.unlisted = true);
        let left = off_common_folds(&runs).unwrap();
        assert_eq!(left.into_iter().map(|(i, m)| (i, m.left_out)).collect::<Vec<_>>(), [(1, Some(LeftOut::Alone))]);
    }

    #[test]
    fn what_runs_of_other_seeds_lack_is_not_reported() {
        let run = |seed| {
            let record = RunRecord { seed, fold: Fold::Index(0), ..RunRecord::start(&Experiment::default()) };
            Run { variant: "plain".into(), record: Some(record), ..Run::default() }
        };
        let mut found = Found { names: vec!["sweep".into()], runs: vec![run(1), run(2)], ..Found::default() };
        let never = |seed| {
            Missing::new(format!("both, fold 0, seed {seed}"), "never begun").leaves_out(LeftOut::NeverBegun(0, seed))
        };
        found.missing = vec![
            Missing::new("plain, fold 0, seed 1", "no map"),
            Missing::new("plain, fold 0, seed 2", "no map"),
            never(1),
            never(12),
        ];
        found.restrict(None, Some(1), &[]).unwrap();
        let places: Vec<&str> = found.missing.iter().map(|m| m.place.as_str()).collect();
        assert_eq!(places, ["plain, fold 0, seed 1", "both, fold 0, seed 1"]);
        assert_eq!((found.runs.len(), found.names[0].as_str()), (1, "sweep (seed 1)"));
        let e = found.restrict(None, Some(2), &[]).unwrap_err().to_string();
        assert!(e.contains("seeds 1") && e.contains("HINT"), "{e}");
    }
}
