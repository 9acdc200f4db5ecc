//! The tables of a page: what ran, metrics, classes, explanation scores. What was not computed is `-`.

use crate::error::Result;
use crate::explain::scores::GroupScores;
use crate::run::metrics::Explanation;
use crate::run::missing::Missing;
use crate::run::read::{Found, Run, first_line};
use crate::run::select::off_common_folds;
use crate::run::set::RunSet;
use crate::tables::collect::of_runs;
use crate::tables::contents::{COLUMNS, COSTS, MORE, OF_CLASS};
use crate::tables::methods::{OF_THE_FIRST, methods, uniform};
use crate::tables::{Cell, Column, Table};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Longer tables are folded away at first.
const LONG: usize = 16;

/// What the page says in lists and tables.
#[derive(Debug, Clone, Serialize)]
pub struct Tables {
    facts: Vec<Fact>,
    runs: HtmlTable,
    arms: Vec<Arm>,
    sections: [Section; 3],
}

/// Something that runs have in common, or not: each value with how many have it.
#[derive(Debug, Clone, Serialize)]
struct Fact {
    name: &'static str,
    values: Vec<String>,
}

/// A table as HTML under its summary.
#[derive(Debug, Clone, Serialize)]
struct HtmlTable {
    title: String,
    open: bool,
    html: String,
}

/// The experiment of an arm.
#[derive(Debug, Clone, Serialize)]
struct Arm {
    variant: String,
    of: String,
    config: String,
    commands: String,
}

/// A section of tables.
#[derive(Debug, Clone, Serialize)]
struct Section {
    id: &'static str,
    title: &'static str,
    /// What is said in their stead.
    nothing: &'static str,
    tables: Vec<HtmlTable>,
}

impl HtmlTable {
    fn new(title: &str, table: &Table) -> Self {
        let rows = table.row_count();
        Self { title: format!("{title} ({rows} rows)"), open: rows <= LONG, html: table.html() }
    }
}

impl Section {
    fn new(id: &'static str, title: &'static str, nothing: &'static str) -> Self {
        Self { id, title, nothing, tables: Vec::new() }
    }

    fn add(&mut self, title: &str, table: &Table) {
        if table.row_count() > 0 {
            self.tables.push(HtmlTable::new(title, table));
        }
    }
}

/// All tables, those of results for all runs of the same classes together. Where there are no means over folds, why is
/// added to what is missing.
pub fn tables(found: &mut Found) -> Result<Tables> {
    let mut metrics = Section::new("metrics", "Metrics", "No run has results of a test");
    let mut classes = Section::new("classes", "By class", "No results by class");
    let mut explanation = Section::new("explanation", "Explanation scores", "No run has scores of its maps");
    let mut sets: BTreeMap<&Vec<String>, Vec<&Run>> = BTreeMap::new();
    for run in found.runs.iter().filter(|run| run.metrics.is_some()) {
        sets.entry(run.classes.as_ref().unwrap_or(const { &Vec::new() })).or_default().push(run);
    }
    // means are of the folds and seeds that all arms have
    let (left, mut failed) = match off_common_folds(&found.runs) {
        Ok(left) => (left.keys().map(|&i| &found.runs[i].dir).collect(), left.values().cloned().collect()),
        Err(e) => (BTreeSet::new(), vec![Missing::new("means over folds", first_line(&e))]),
    };
    for set in sets.into_values().map(RunSet::of_runs).collect::<Result<Vec<_>>>()? {
        let compared: Vec<&Run> = set.runs.iter().copied().filter(|r| !left.contains(&r.dir)).collect();
        let means = match compared.is_empty() {
            true => None,
            false => Some(RunSet::of_runs(compared).and_then(|set| of_runs(&found.names.join(", "), &set, &[]))),
        };
        match means {
            None => {}
            Some(Ok(all)) => {
                let costs = COSTS.map(|cost| cost.0);
                // the notes say it too
                let numbers = all.table.without(&costs).without(&["no test record in"]);
                metrics.add("Means over folds", &numbers);
                let costs = all.table.only(&costs);
                if !costs.names().is_empty() {
                    metrics.add("What a prediction costs", &costs);
                }
                if let Some(patients) = &all.patients {
                    metrics.add("Accuracy of every patient", patients);
                }
                classes.add("Means over folds", &all.per_class);
            }
            Some(Err(e)) => {
                failed.push(Missing::new(set.variants.join(", "), format!("no means over folds: {}", first_line(&e))))
            }
        }
        if set.runs.len() > 1 {
            metrics.add("Every run", &each_run(&set)?);
        }
        classes.add("Every run", &each_class(&set)?);
    }
    explanation.add("Scores of the maps", &maps(&found.runs)?);
    let (facts, runs, arms) = (facts(&found.runs), ran(&found.runs)?, arms(&found.runs));
    found.missing.extend(failed);
    Ok(Tables { facts, runs, arms, sections: [metrics, classes, explanation] })
}

fn value(v: Option<f64>) -> Cell {
    v.map_or(Cell::Missing, Cell::Value)
}

fn words(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn count(n: usize) -> Cell {
    Cell::Value(n as f64)
}

/// What most runs have in common.
fn facts(runs: &[Run]) -> Vec<Fact> {
    let records = || runs.iter().filter_map(|r| r.record.as_ref());
    let known = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
    let fact = |name, values: Vec<String>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        values.into_iter().for_each(|v| *counts.entry(v).or_default() += 1);
        let several = counts.len() > 1;
        let line = |(v, n): (String, usize)| if several { format!("{v} ({n} runs)") } else { v };
        Fact { name, values: counts.into_iter().map(line).collect() }
    };
    let split = |s| serde_json::to_value(s).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    vec![
        fact("version", records().map(|r| r.version.clone()).collect()),
        fact("commit", records().map(|r| known(&r.commit)).collect()),
        fact("adapter", records().map(|r| known(&r.adapter)).collect()),
        fact("driver", records().map(|r| known(&r.driver)).collect()),
        fact(
            "split",
            records().map(|r| format!("{}, {} folds, seed {}", split(r.split), r.folds, r.split_seed)).collect(),
        ),
        fact("classes", runs.iter().filter_map(|r| r.classes.as_ref()).map(|c| c.join(", ")).collect()),
    ]
}

/// What each run has by itself.
fn ran(runs: &[Run]) -> Result<HtmlTable> {
    let columns = ["fold", "seed", "train records", "test records", "epochs", "epoch kept", "start (UTC)", "end (UTC)"];
    let mut columns: Vec<Column> = columns.map(|name| Column::new(name, 0)).into();
    columns.push(Column::new("duration", 1).unit("min"));
    let mut table = Table::new("", "variant", columns);
    let time = |rfc3339: &str| words(rfc3339.replace('T', " ").trim_end_matches('Z'));
    for run in runs {
        let epochs = if run.log.is_empty() { Cell::Missing } else { count(run.log.len()) };
        let cells = match &run.record {
            Some(r) => vec![
                words(r.fold.to_string()),
                count(r.seed as usize),
                count(r.train_records),
                count(r.test_records),
                epochs,
                r.selected_epoch.map_or(Cell::Missing, count),
                time(&r.start),
                r.end.as_deref().map_or_else(|| words("not finished"), time),
                value(r.wall_seconds.map(|s| s / 60.0)),
            ],
            None => (0..9).map(|i| if i == 4 { epochs.clone() } else { Cell::Missing }).collect(),
        };
        table.push(run.variant.clone(), cells)?;
    }
    Ok(HtmlTable::new("Runs", &table))
}

fn arms(runs: &[Run]) -> Vec<Arm> {
    let arm = |own: &[Run]| Arm {
        variant: own[0].variant.clone(),
        of: own[0].cell(),
        config: own[0].config.clone().unwrap_or_else(|| "not there".into()),
        commands: own.iter().filter_map(|r| Some(r.record.as_ref()?.command.as_str())).collect::<Vec<_>>().join("\n"),
    };
    runs.chunk_by(|a, b| a.variant == b.variant).map(arm).collect()
}

fn cell((fold, seed): (usize, u64)) -> Cell {
    words(format!("fold {fold}, seed {seed}"))
}

/// A row a run, then the baselines of each.
fn each_run(set: &RunSet<'_>) -> Result<Table> {
    let columns = || COLUMNS.iter().chain(&MORE);
    let mut heads = vec![Column::new("fold and seed", 0)];
    heads.extend(columns().map(|(name, ..)| Column::new(*name, 3)));
    let mut table = Table::new("", "variant", heads);
    for method in methods(set) {
        for (at, outcome) in &method.outcomes {
            let mut row = vec![cell(*at)];
            row.extend(columns().map(|(_, of, _)| value(of(outcome))));
            table.push(method.name.clone(), row)?;
        }
    }
    table.note(
        "Class prior: always the most frequent class of the training fold. 17 features alone: a small classifier on \
         them, fitted on the training fold.",
    );
    if set.variants.len() > 1 {
        table.note(OF_THE_FIRST);
    }
    Ok(table)
}

fn each_class(set: &RunSet<'_>) -> Result<Table> {
    let mut heads = vec![Column::new("class", 0), Column::new("fold and seed", 0), Column::new("test records", 0)];
    heads.extend(OF_CLASS.iter().map(|(name, _)| Column::new(*name, 3)));
    let mut table = Table::new("", "variant", heads);
    for method in methods(set).iter().filter(|m| !m.baseline) {
        for (at, outcome) in &method.outcomes {
            for (c, class) in set.classes.iter().enumerate() {
                let support = outcome.classes.get(c).map(|of| of.support);
                let mut row = vec![words(class.clone()), cell(*at), support.map_or(Cell::Missing, count)];
                row.extend(OF_CLASS.iter().map(|(_, of)| value(of(outcome, c))));
                table.push(method.name.clone(), row)?;
            }
        }
    }
    table.note(
        "A class without test records has no sensitivity, PPV and F1; in the macro means it counts as 0 where it is \
         predicted, and not at all elsewhere (scikit-learn's average=\"macro\"). Maps for the true class.",
    );
    Ok(table)
}

/// How good the maps are, and those that they are compared with.
fn maps(runs: &[Run]) -> Result<Table> {
    let heads = ["NCC", "energy", "pointing", "deletion", "insertion", "NCC with B", "NCC with I"];
    let mut columns = vec![Column::new("map of", 0), Column::new("fold and seed", 0)];
    columns.extend(["strips", "valid target", "dead map"].map(|name| Column::new(name, 0)));
    columns.extend(heads.map(|name| Column::new(name, 3)));
    let mut table = Table::new("", "variant", columns);
    let row = |run: &Run, of: &str, g: &GroupScores, areas: Explanation| {
        let mut row = vec![words(of), words(run.cell()), count(g.strips), count(g.valid), count(g.dead)];
        let of = |score: fn(&crate::explain::scores::MeanScores) -> f64| g.means.as_ref().map(score);
        let (beats, intervals) = (of(|m| m.ncc_beats), of(|m| m.ncc_intervals));
        let scores = [of(|m| m.ncc), of(|m| m.energy), of(|m| m.pointing), areas.deletion_auc, areas.insertion_auc];
        row.extend(scores.into_iter().chain([beats, intervals]).map(value));
        row
    };
    for run in runs {
        if let Some(e) = &run.explanation {
            let areas = run.metrics.as_ref().map(|m| m.explanation).unwrap_or_default();
            table.push(run.variant.clone(), row(run, "true class", &e.true_class.overall, areas))?;
            let predicted = row(run, "predicted class", &e.predicted_class.overall, Explanation::default());
            table.push(run.variant.clone(), predicted)?;
        }
    }
    // a baseline is of the fold and seed, not of the variant
    for (name, which) in [("uniform map", 0), ("map |dx/dt|", 1), ("random weights", 2)] {
        let mut known = HashSet::new();
        for (run, s) in runs.iter().filter_map(|r| Some((r, r.sanity.as_ref()?))) {
            if known.insert(run.cell()) {
                let scores = [uniform(s).overall, s.slope.overall, s.random_network.overall][which];
                table.push(name, row(run, "-", &scores, Explanation::default()))?;
            }
        }
    }
    table.note(
        "NCC of map and guidance target G, with its beats B and its intervals I alone; energy: share of the map where G > \
         0.5; pointing: maximum within 75 ms of an R peak or where G > 0.5; deletion (low is good) and insertion (high is \
         good): areas, of a few records of each class. Dead maps count as 0.",
    );
    table.note(
        "What these numbers must be compared with: a uniform map (its pointing is that of chance), the map |dx/dt|, which \
         is a beat detector that learned nothing, and a network with random weights.",
    );
    Ok(table)
}
