//! What stands in the rows of the tables: variants, and what they are compared with.

use crate::explain::scores::{GroupScores, MeanScores, Summary};
use crate::run::cost::Cost;
use crate::run::metrics::{ClassMetrics, Explanation, Metrics};
use crate::run::predictions::Prediction;
use crate::run::read::Run;
use crate::run::sanity::{Chance, Sanity};
use crate::run::set::RunSet;
use crate::stats::{Case, Cells, fold_means, mean_sd};
use crate::tables::Cell;
use std::collections::BTreeMap;

/// What one run says of a method; empty where it says nothing.
#[derive(Default)]
pub(crate) struct Outcome<'r> {
    pub macro_f1: Option<f64>,
    pub accuracy: Option<f64>,
    pub auroc: Option<f64>,
    pub macro_sensitivity: Option<f64>,
    pub macro_specificity: Option<f64>,
    /// Scores of the maps for the true class.
    pub maps: Explanation,
    /// By class: one class against the rest, and the means of the maps' scores.
    pub classes: Vec<ClassMetrics>,
    pub scores: Vec<Option<MeanScores>>,
    /// The predictions.
    pub cases: Vec<Case>,
    /// What a prediction costs.
    pub cost: Option<&'r Cost>,
}

/// A row of the main table.
pub(crate) struct Method<'r> {
    pub name: String,
    /// Not a variant but something to compare the variants with.
    pub baseline: bool,
    /// By fold and seed.
    pub outcomes: BTreeMap<(usize, u64), Outcome<'r>>,
}

impl Method<'_> {
    /// A number of every run that has it.
    pub fn cells(&self, of: impl Fn(&Outcome<'_>) -> Option<f64>) -> Cells {
        self.outcomes.iter().filter_map(|(cell, outcome)| Some((*cell, of(outcome)?))).collect()
    }

    /// Its mean, where it does not vary or how is not of interest.
    pub fn mean(&self, of: impl Fn(&Outcome<'_>) -> Option<f64>) -> Cell {
        match self.over_folds(of) {
            Cell::MeanSd { mean, .. } => Cell::Value(mean),
            other => other,
        }
    }

    /// Its mean and sd over folds, seeds averaged within a fold.
    pub fn over_folds(&self, of: impl Fn(&Outcome<'_>) -> Option<f64>) -> Cell {
        let cells = self.cells(of);
        if cells.is_empty() {
            return Cell::Missing;
        }
        let (mean, sd) = mean_sd(&fold_means(&cells));
        Cell::MeanSd { mean, sd }
    }
}

/// What a table of several variants says of its baselines.
pub(crate) const OF_THE_FIRST: &str = "Rows below the variants are of the runs of the first.";

/// The variants in their order, then the baselines as the runs of the first variant have them.
pub(crate) fn methods<'r>(set: &RunSet<'r>) -> Vec<Method<'r>> {
    let patients = set.patients();
    let cases = |run: &Run, predicted: &dyn Fn(&Prediction) -> Option<usize>| {
        let case = |row: &Prediction| {
            Some(Case { patient: patients[row.patient.as_str()], truth: row.truth, predicted: predicted(row)? })
        };
        // none where one has no such class
        run.predictions.iter().flatten().map(case).collect::<Option<Vec<Case>>>().unwrap_or_default()
    };
    let mut all: Vec<Method<'r>> = Vec::new();
    let mut add = |name: &str, variant: &str, baseline, of: &dyn Fn(&'r Run) -> Option<Outcome<'r>>| {
        let outcomes: BTreeMap<_, _> = set.of(variant).filter_map(|r| Some((r.fold_and_seed()?, of(r)?))).collect();
        if !outcomes.is_empty() {
            all.push(Method { name: name.into(), baseline, outcomes });
        }
    };
    for variant in &set.variants {
        add(variant, variant, false, &|run| {
            let metrics = run.metrics.as_ref()?;
            let scores = run.explanation.as_ref().map_or(Vec::new(), |e| by_class(&e.true_class));
            let cases = cases(run, &|row| Some(row.predicted()));
            Some(Outcome { maps: metrics.explanation, scores, cases, cost: run.cost.as_ref(), ..of_metrics(metrics) })
        });
    }
    let Some(first) = set.variants.first() else { return all };
    let mut baseline = |name: &str, of: &dyn Fn(&'r Run) -> Option<Outcome<'r>>| add(name, first, true, of);
    baseline("class prior", &|run| {
        let prior = run.metrics.as_ref()?.baseline;
        Some(Outcome { macro_f1: prior.macro_f1, accuracy: prior.accuracy, ..Outcome::default() })
    });
    baseline("17 features alone", &|run| {
        let metrics = run.sanity.as_ref()?.features.as_ref()?;
        Some(Outcome { cases: cases(run, &|row| row.by_features), ..of_metrics(metrics) })
    });
    baseline("uniform map", &|run| run.sanity.as_ref().map(|s| of_maps(&uniform(s))));
    baseline("map |dx/dt|", &|run| run.sanity.as_ref().map(|s| of_maps(&s.slope)));
    baseline("random weights", &|run| run.sanity.as_ref().map(|s| of_maps(&s.random_network)));
    all
}

fn of_metrics<'r>(metrics: &Metrics) -> Outcome<'r> {
    Outcome {
        macro_f1: Some(metrics.macro_f1),
        accuracy: Some(metrics.accuracy),
        auroc: metrics.macro_auroc,
        macro_sensitivity: Some(metrics.macro_sensitivity),
        macro_specificity: Some(metrics.macro_specificity),
        classes: metrics.per_class.iter().map(|(_, c)| *c).collect(),
        ..Outcome::default()
    }
}

fn of_maps<'r>(summary: &Summary) -> Outcome<'r> {
    let means = summary.overall.means;
    let maps = Explanation {
        ncc: means.map(|m| m.ncc),
        energy: means.map(|m| m.energy),
        pointing: means.map(|m| m.pointing),
        ..Explanation::default()
    };
    Outcome { maps, scores: by_class(summary), ..Outcome::default() }
}

fn by_class(summary: &Summary) -> Vec<Option<MeanScores>> {
    summary.per_class.iter().map(|c| c.scores.means).collect()
}

/// The uniform map, whose maximum is anywhere: its pointing is that of chance.
pub(crate) fn uniform(sanity: &Sanity) -> Summary {
    let Chance { overall, per_class } = &sanity.pointing_chance;
    let with = |scores: &mut GroupScores, chance: Option<f64>| {
        if let (Some(means), Some(chance)) = (&mut scores.means, chance) {
            means.pointing = chance;
        }
    };
    let mut summary = sanity.uniform.clone();
    with(&mut summary.overall, *overall);
    summary.per_class.iter_mut().zip(per_class).for_each(|(c, chance)| with(&mut c.scores, *chance));
    summary
}
