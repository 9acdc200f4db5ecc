//! The tables of a page: what ran, metrics, classes, explanation scores. What was not computed is `-`.

use super::nothing;
use crate::error::{Error, Result};
use crate::explain::scores::GroupScores;
use crate::run::metrics::{MACRO, Metrics, lacking_by_fold};
use crate::run::read::{Found, Missing, Run};
use crate::run::sanity::Sanity;
use crate::stats::{fold_means, mean_sd};
use crate::tables::collect::collect;
use crate::tables::{Best, Cell, Column, Table, escape_html};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Longer tables can be folded away, and are at first.
const LONG: usize = 16;

/// The tables as HTML, by section.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// What ran.
    pub ran: String,
    /// Metrics of runs, over folds, and of the baselines.
    pub metrics: String,
    /// The same by class.
    pub classes: String,
    /// Scores of the maps.
    pub explanation: String,
}

/// All tables. Where a sweep cannot be gathered, why is added to what is missing.
///
/// # Errors
/// None that a user can cause.
pub fn tables(found: &mut Found) -> Result<Tables> {
    let mut tables = Tables { ran: ran(&found.runs)?, ..Tables::default() };
    let mut gathered = false;
    for sweep in &found.sweeps {
        match collect(sweep, None) {
            Ok(all) => {
                gathered = true;
                tables.metrics += &wide(&all.table.html());
                tables.classes += &folded("Mean and sd over folds", all.per_class.row_count(), &all.per_class.html());
                if let Some(patients) = &all.patients {
                    tables.metrics += &folded("Accuracy of every patient", patients.row_count(), &patients.html());
                }
            }
            Err(e) => {
                let what = format!("no means over its folds: {}", told(&e));
                found.missing.push(Missing::new(sweep.display().to_string(), what));
            }
        }
    }
    let tested: Vec<(&Run, &Metrics)> = found.runs.iter().filter_map(|r| Some((r, r.metrics.as_ref()?))).collect();
    if tested.is_empty() {
        (tables.metrics, tables.classes) = (nothing("No run has results of a test"), nothing("No results by class"));
    } else {
        if !gathered && tested.windows(2).any(|two| two[0].0.variant == two[1].0.variant) {
            tables.metrics += &wide(&over_folds(&tested)?.html());
        }
        let (each, classes) = (each_run(&tested)?, each_class(&tested)?);
        tables.metrics += &folded("Every run", each.row_count(), &each.html());
        tables.classes += &folded("Every run", classes.row_count(), &classes.html());
    }
    tables.explanation = explanation(&found.runs)?;
    Ok(tables)
}

/// A table that scrolls by itself where the window is narrow.
fn wide(table: &str) -> String {
    format!("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">\n{table}</div>\n")
}

fn folded(title: &str, rows: usize, table: &str) -> String {
    let open = if rows <= LONG { " open=\"open\"" } else { "" };
    format!("<details{open}><summary>{} ({rows} rows)</summary>\n{}</details>\n", escape_html(title), wide(table))
}

/// An error without its hint, in one line.
fn told(e: &Error) -> String {
    e.to_string().split("\nHINT").next().unwrap_or_default().replace('\n', " ")
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

/// What the runs have in common as a list, what not as a table.
fn ran(runs: &[Run]) -> Result<String> {
    let records = || runs.iter().filter_map(|r| r.record.as_ref());
    let commit = |c: &Option<String>| c.clone().unwrap_or_else(|| "not known".into());
    let mut html = String::from("<dl>\n");
    let mut facts = |name: &str, values: Vec<String>| {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        values.iter().for_each(|v| *counts.entry(v).or_default() += 1);
        let several = counts.len() > 1;
        let told = counts.iter().map(|(v, n)| {
            let n = if several { format!(" ({n} runs)") } else { String::new() };
            format!("<dd>{}{n}</dd>", escape_html(v))
        });
        let told: String = if counts.is_empty() { "<dd>not known</dd>".into() } else { told.collect() };
        let _ = writeln!(html, "<div><dt>{name}</dt>{told}</div>");
    };
    facts("version", records().map(|r| r.version.clone()).collect());
    facts("commit", records().map(|r| commit(&r.commit)).collect());
    facts("adapter", records().map(|r| commit(&r.adapter)).collect());
    facts("driver", records().map(|r| commit(&r.driver)).collect());
    let split = |s| serde_json::to_value(s).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    facts(
        "split",
        records().map(|r| format!("{}, {} folds, seed {}", split(r.split), r.folds, r.split_seed)).collect(),
    );
    let classes = |m: &Metrics| m.classes.join(", ");
    facts("classes", runs.iter().filter_map(|r| r.metrics.as_ref()).map(classes).collect());
    html += "</dl>\n";

    let columns = ["fold", "seed", "train records", "test records", "epochs", "epoch kept", "start (UTC)", "end (UTC)"];
    let mut columns: Vec<Column> = columns.map(|name| Column::new(name, 0)).into();
    columns.push(Column::new("duration", 1).unit("min"));
    let mut table = Table::new("", "variant", columns);
    for run in runs {
        let r = run.record.as_ref();
        let end = r.map(|r| r.end.clone().unwrap_or_else(|| "not finished".into()));
        table.push(
            run.variant.clone(),
            vec![
                r.map_or(Cell::Missing, |r| words(r.fold.to_string())),
                value(r.map(|r| r.seed as f64)),
                r.map_or(Cell::Missing, |r| count(r.train_records)),
                r.map_or(Cell::Missing, |r| count(r.test_records)),
                if run.log.is_empty() { Cell::Missing } else { count(run.log.len()) },
                r.and_then(|r| r.selected_epoch).map_or(Cell::Missing, count),
                r.map_or(Cell::Missing, |r| words(time(&r.start))),
                end.map_or(Cell::Missing, |end| words(time(&end))),
                value(r.and_then(|r| r.wall_seconds).map(|s| s / 60.0)),
            ],
        )?;
    }
    html += &folded("Runs", table.row_count(), &table.html());
    html += &configurations(runs);
    Ok(html)
}

/// A time without its T and Z.
fn time(rfc3339: &str) -> String {
    rfc3339.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// The experiment of each variant and the commands, folded away.
fn configurations(runs: &[Run]) -> String {
    let mut html = String::new();
    for own in runs.chunk_by(|a, b| a.variant == b.variant) {
        let (name, first) = (escape_html(&own[0].variant), &own[0]);
        let commands = own.iter().filter_map(|r| r.record.as_ref()).map(|r| escape_html(&r.command));
        let commands = commands.collect::<Vec<_>>().join("\n");
        let config = first.config.as_deref().map_or_else(|| "not there".into(), escape_html);
        let _ = write!(
            html,
            "<details><summary>Experiment and commands: {name}</summary>\n<p>config.toml of {}</p>\n<pre \
             tabindex=\"0\">{config}</pre>\n<p>Commands</p>\n<pre tabindex=\"0\">{commands}</pre>\n</details>\n",
            escape_html(&first.cell())
        );
    }
    html
}

/// A number of a tested run.
type Of = fn(&Metrics) -> Option<f64>;

const NUMBERS: [(&str, Of); 5] = [
    ("accuracy", |m| Some(m.accuracy)),
    ("macro-F1", |m| Some(m.macro_f1)),
    ("macro-sensitivity", |m| Some(m.macro_sensitivity)),
    ("macro-specificity", |m| Some(m.macro_specificity)),
    ("macro-AUROC", |m| m.macro_auroc),
];

const MAPS: [(&str, Of, Best); 5] = [
    ("NCC", |m| m.explanation.ncc, Best::Largest),
    ("energy", |m| m.explanation.energy, Best::Largest),
    ("pointing", |m| m.explanation.pointing, Best::Largest),
    ("deletion", |m| m.explanation.deletion_auc, Best::Smallest),
    ("insertion", |m| m.explanation.insertion_auc, Best::Largest),
];

fn over_folds(tested: &[(&Run, &Metrics)]) -> Result<Table> {
    let mut columns = vec![Column::new("runs", 0)];
    columns.extend(NUMBERS.map(|(name, _)| Column::new(name, 3).best(Best::Largest)));
    columns.extend(MAPS.map(|(name, _, best)| Column::new(name, 3).best(best)));
    let mut table = Table::new("Mean and sd over folds, seeds averaged within a fold", "variant", columns);
    for own in tested.chunk_by(|a, b| a.0.variant == b.0.variant) {
        let mut row = vec![count(own.len())];
        row.extend(NUMBERS.map(|(_, of)| of).into_iter().chain(MAPS.map(|(_, of, _)| of)).map(|of| {
            let cell = |(run, m): &(&Run, &Metrics)| Some((run.fold_and_seed()?, of(m)?));
            let cells: BTreeMap<(usize, u64), f64> = own.iter().filter_map(cell).collect();
            let (mean, sd) = mean_sd(&fold_means(&cells));
            if cells.is_empty() { Cell::Missing } else { Cell::MeanSd { mean, sd } }
        }));
        table.push(own[0].0.variant.clone(), row)?;
    }
    if let Some(folds) = lacking_by_fold(tested.iter().filter_map(|(run, m)| Some((run.fold_and_seed()?.0, *m)))) {
        table.note(format!("No test record in {folds}. {MACRO}"));
    }
    Ok(table)
}

/// A row a run, each followed by what it is held against: those rows are of the fold, not of the variant, and stand once.
fn each_run(tested: &[(&Run, &Metrics)]) -> Result<Table> {
    let mut columns = vec![Column::new("fold and seed", 0), Column::new("test records", 0)];
    columns.extend(NUMBERS.map(|(name, _)| Column::new(name, 3)));
    let mut table = Table::new("", "variant", columns);
    let mut baselines: Vec<(&str, Vec<Cell>)> = Vec::new();
    for (run, m) in tested {
        let start = |n: usize| vec![words(run.cell()), count(n)];
        let mut row = start(m.records);
        row.extend(NUMBERS.map(|(_, of)| value(of(m))));
        table.push(run.variant.clone(), row)?;
        let mut baseline = |name, cells: [Option<f64>; 5], n| {
            let mut row = start(n);
            row.extend(cells.map(value));
            // every variant has the same ones
            if !baselines.contains(&(name, row.clone())) {
                baselines.push((name, row));
            }
        };
        baseline("class prior", [m.baseline.accuracy, m.baseline.macro_f1, None, None, None], m.records);
        if let Some(f) = run.sanity.as_ref().and_then(|s| s.features.as_ref()) {
            baseline("17 features alone", NUMBERS.map(|(_, of)| of(f)), f.records);
        }
    }
    baselines.sort_by_key(|(name, _)| *name != "class prior");
    baselines.into_iter().try_for_each(|(name, row)| table.push(name, row))?;
    table.note(
        "Class prior: always the most frequent class of the training fold. 17 features alone: a small classifier on \
         them, fitted on the training fold.",
    );
    Ok(table)
}

fn each_class(tested: &[(&Run, &Metrics)]) -> Result<Table> {
    let heads = ["sensitivity", "specificity", "PPV", "F1", "AUROC", "NCC", "energy", "pointing"];
    let mut columns = vec![Column::new("class", 0), Column::new("fold and seed", 0), Column::new("test records", 0)];
    columns.extend(heads.map(|name| Column::new(name, 3)));
    let mut table = Table::new("", "variant", columns);
    for (run, m) in tested {
        for (c, (class, of)) in m.per_class.iter().enumerate() {
            let there = (of.support > 0).then_some(());
            let maps = run.explanation.as_ref().and_then(|e| e.true_class.per_class.get(c)?.scores.means);
            let numbers = [
                there.map(|()| of.sensitivity),
                Some(of.specificity),
                there.map(|()| of.ppv),
                there.map(|()| of.f1),
                of.auroc,
                maps.map(|s| s.ncc),
                maps.map(|s| s.energy),
                maps.map(|s| s.pointing),
            ];
            let mut row = vec![words(class.clone()), words(run.cell()), count(of.support)];
            row.extend(numbers.map(value));
            table.push(run.variant.clone(), row)?;
        }
    }
    table.note(
        "A class without test records has no sensitivity, PPV and F1; in the macro means it counts as 0 where it is \
         predicted, and not at all elsewhere (scikit-learn's average=\"macro\"). Maps for the true class.",
    );
    Ok(table)
}

fn explanation(runs: &[Run]) -> Result<String> {
    let heads = ["NCC", "NCC with B", "NCC with I", "energy", "pointing", "deletion", "insertion"];
    let mut columns = vec![Column::new("map of", 0), Column::new("fold and seed", 0)];
    columns.extend(["strips", "valid target", "dead map"].map(|name| Column::new(name, 0)));
    columns.extend(heads.map(|name| Column::new(name, 3)));
    let mut table = Table::new("", "variant", columns);
    let mut baselines: Vec<(&str, Vec<Cell>)> = Vec::new();
    for run in runs {
        let row = |of: &str, g: &GroupScores, areas: [Option<f64>; 2]| {
            let mut row = vec![words(of), words(run.cell()), count(g.strips), count(g.valid), count(g.dead)];
            let means = g.means;
            let scores = [
                means.map(|m| m.ncc),
                means.map(|m| m.ncc_beats),
                means.map(|m| m.ncc_intervals),
                means.map(|m| m.energy),
            ];
            row.extend(scores.into_iter().chain([means.map(|m| m.pointing)]).chain(areas).map(value));
            row
        };
        if let Some(e) = &run.explanation {
            let areas = run.metrics.as_ref().map(|m| m.explanation);
            let areas = [areas.and_then(|a| a.deletion_auc), areas.and_then(|a| a.insertion_auc)];
            table.push(run.variant.clone(), row("true class", &e.true_class.overall, areas))?;
            table.push(run.variant.clone(), row("predicted class", &e.predicted_class.overall, [None; 2]))?;
        }
        if let Some(s) = &run.sanity {
            for (name, group) in nulls(s) {
                let row = row("-", &group, [None; 2]);
                if !baselines.contains(&(name, row.clone())) {
                    baselines.push((name, row));
                }
            }
        }
    }
    if table.row_count() == 0 && baselines.is_empty() {
        return Ok(nothing("No run has scores of its maps"));
    }
    baselines.sort_by_key(|(name, _)| ["uniform map", "map |dx/dt|", "random weights"].iter().position(|n| n == name));
    baselines.into_iter().try_for_each(|(name, row)| table.push(name, row))?;
    table.note(
        "NCC of map and guidance target G, with its beats B and its intervals I alone; energy: share of the map where G > \
         0.5; pointing: maximum within 75 ms of an R peak or where G > 0.5; deletion (low is good) and insertion (high is \
         good): areas, of a few records of each class. Dead maps count as 0.",
    );
    table.note(
        "What these numbers must be held against: a uniform map (its pointing is that of chance), the map |dx/dt|, which \
         is a beat detector that learned nothing, and a network with random weights.",
    );
    Ok(folded("Scores of the maps", table.row_count(), &table.html()))
}

/// The maps of no use.
fn nulls(s: &Sanity) -> [(&'static str, GroupScores); 3] {
    let mut uniform = s.uniform.overall;
    if let (Some(means), Some(chance)) = (&mut uniform.means, s.pointing_chance.overall) {
        means.pointing = chance;
    }
    [("uniform map", uniform), ("map |dx/dt|", s.slope.overall), ("random weights", s.random_network.overall)]
}
