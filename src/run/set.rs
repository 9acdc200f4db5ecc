//! The runs that figures are drawn of.

use crate::ecg::sources;
use crate::error::{Error, Result};
use crate::run::metrics::lacking_by_fold;
use crate::run::predictions::Prediction;
use crate::run::read::{Found, Run, is_named};
use crate::stats::Cells;
use std::collections::{BTreeSet, HashMap, HashSet};

impl Found {
    /// Puts the runs of a variant before all others: comparisons are with the first.
    ///
    /// # Errors
    /// [`Error::Data`] where no run is of it.
    pub fn begin_with(&mut self, variant: &str) -> Result<()> {
        if !self.runs.iter().any(|run| run.variant == variant) {
            let mut there: Vec<&str> = self.runs.iter().map(|run| run.variant.as_str()).collect();
            there.dedup();
            let what = format!("no finished run of variant '{variant}'");
            return Err(Error::data(self.names.join(", "), what, format!("there are {}", there.join(", "))));
        }
        // stable: the others keep their order
        self.runs.sort_by_key(|run| run.variant != variant);
        Ok(())
    }
}

/// Runs, in the order of their variants, and what they have in common.
#[derive(Debug, Clone, Default)]
pub struct RunSet<'r> {
    /// Runs, by variant (`plain` first, `both` last of the customary ones, baselines after all), then fold, then seed.
    pub runs: Vec<&'r Run>,
    /// Variants in that order.
    pub variants: Vec<String>,
    /// Names of the classes, those of the first run that has them.
    pub classes: Vec<String>,
    /// Strips were picked by their records: figures show all of them.
    pub picked: bool,
    /// The same without baselines, where there are some beside networks.
    networks: Option<Box<Self>>,
}

impl<'r> RunSet<'r> {
    /// What was found, see [`RunSet::check_tests`].
    pub fn new(found: &'r Found) -> Result<Self> {
        let picked = !found.picked.is_empty();
        let set = |runs| Ok::<_, Error>(Self { picked, ..Self::of_runs(runs)? });
        let mut all = set(found.runs.iter().collect())?;
        all.check_tests()?;
        let networks: Vec<&Run> = found.runs.iter().filter(|r| !r.is_baseline()).collect();
        if !networks.is_empty() && networks.len() < found.runs.len() {
            all.networks = Some(Box::new(set(networks)?));
        }
        Ok(all)
    }

    /// The runs of networks, as figures of epochs and maps show them; all where there are none.
    pub fn networks(&self) -> &Self {
        self.networks.as_deref().unwrap_or(self)
    }

    /// These runs, in their order.
    pub fn of_runs(runs: Vec<&'r Run>) -> Result<Self> {
        let mut set = Self { runs, ..Self::default() };
        for run in &set.runs {
            if !set.variants.contains(&run.variant) {
                set.variants.push(run.variant.clone());
            }
        }
        let with_classes = || set.runs.iter().filter_map(|r| Some((r, r.classes.as_ref()?)));
        if let Some((first, classes)) = with_classes().next() {
            if let Some((other, found)) = with_classes().find(|(_, found)| *found != classes) {
                return Err(Error::data(
                    other.dir.display().to_string(),
                    format!("classes {found:?}, expected {classes:?} as in {}", first.dir.display()),
                    "draw runs of one data set together, others by themselves",
                ));
            }
            set.classes.clone_from(classes);
        }
        Ok(set)
    }

    /// Each fold and seed of an arm once, and on the same records as those of other arms.
    ///
    /// # Errors
    /// [`Error::Data`] where one is there twice, or tests other records than that of another arm.
    pub fn check_tests(&self) -> Result<()> {
        let (mut cells, mut tests) = (HashSet::new(), HashMap::new());
        for run in &self.runs {
            let Some(cell) = run.fold_and_seed() else { continue };
            let at = || run.dir.display().to_string();
            if !cells.insert((&run.variant, cell)) {
                let what = format!("{} is there twice", run.name());
                return Err(Error::data(at(), what, "leave one of the two runs out"));
            }
            let Some(rows) = &run.predictions else { continue };
            let records: HashSet<&str> = rows.iter().map(|p| p.record.as_str()).collect();
            let first = tests.entry(cell).or_insert((run, records.clone()));
            if first.1 != records {
                let what = format!("tests other records than {}", first.0.dir.display());
                return Err(Error::data(
                    at(),
                    what,
                    "compare runs of one data set and one split, others by themselves",
                ));
            }
        }
        Ok(())
    }

    /// The runs of a variant.
    pub fn of<'a>(&'a self, variant: &'a str) -> impl Iterator<Item = &'r Run> + Clone + 'a {
        self.runs.iter().copied().filter(move |r| r.variant == variant)
    }

    /// The variants that are compared strip by strip: `plain`, or the first, and `both` (`guided`), or `xai`, or the
    /// last.
    pub(crate) fn pair(&self) -> Option<[&str; 2]> {
        let named = |name: &str| self.variants.iter().find(|v| is_named(v, name));
        let first = named("plain").or(self.variants.first())?;
        let second = named("both").or(named("guided")).or(named("xai")).or(self.variants.last())?;
        (first != second).then_some([first, second])
    }

    /// Numbers of the patients: a patient has the same in all runs.
    pub(crate) fn patients(&self) -> HashMap<&'r str, usize> {
        let mut numbers = HashMap::new();
        for p in self.runs.iter().filter_map(|r| r.predictions.as_ref()).flatten() {
            let next = numbers.len();
            numbers.entry(p.patient.as_str()).or_insert(next);
        }
        numbers
    }

    /// A number of every run of an arm that has it, by fold and seed.
    pub fn cells(&self, variant: &str, of: impl Fn(&Run) -> Option<f64>) -> Cells {
        self.of(variant).filter_map(|r| Some((r.fold_and_seed()?, of(r)?))).collect()
    }

    /// Every prediction of an arm with the number of its patient; `None` where there is none, or a run has none: some folds
    /// are not the whole.
    pub fn predictions(&self, variant: &str) -> Option<Vec<(usize, &'r Prediction)>> {
        let patients = self.patients();
        let runs: Option<Vec<&Vec<Prediction>>> = self.of(variant).map(|r| r.predictions.as_ref()).collect();
        let all = runs?.into_iter().flatten().map(|p| (patients[p.patient.as_str()], p)).collect::<Vec<_>>();
        (!all.is_empty()).then_some(all)
    }

    /// Which classes which test folds have no record of, in words; `None` where each has some of all.
    pub fn lacking(&self) -> Option<String> {
        lacking_by_fold(self.runs.iter().filter_map(|r| Some((r.fold_and_seed()?.0, r.metrics.as_ref()?))))
    }

    /// Patients are on one side of the split each.
    pub fn grouped(&self) -> bool {
        self.runs.iter().any(|r| r.grouped())
    }
}

/// Fold of a run, as a figure has it.
pub(crate) fn fold(run: &Run) -> String {
    run.fold_and_seed().map_or_else(|| "all records".into(), |(fold, _)| format!("fold {fold}"))
}

/// Which runs, in words: `4 runs (2 folds, 2 seeds)`, or nothing more than `1 run`.
pub(crate) fn describe<'a>(runs: impl Iterator<Item = &'a Run>) -> String {
    let cells: Vec<Option<(usize, u64)>> = runs.map(Run::fold_and_seed).collect();
    let (folds, seeds) = folds_and_seeds(cells.iter().copied().flatten());
    let runs = count(cells.len(), "run");
    match cells.len() {
        1 => runs,
        _ => format!("{runs} ({}, {})", count(folds, "fold"), count(seeds, "seed")),
    }
}

/// How many folds, and how many seeds.
pub(crate) fn folds_and_seeds(cells: impl Iterator<Item = (usize, u64)>) -> (usize, usize) {
    let (folds, seeds): (BTreeSet<usize>, BTreeSet<u64>) = cells.unzip();
    (folds.len(), seeds.len())
}

/// How many, in words: `1 run`, `3 runs`.
pub(crate) fn count(n: usize, what: &str) -> String {
    sources::count(n, what, &format!("{what}s"))
}
