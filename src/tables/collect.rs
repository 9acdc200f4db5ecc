//! Gathers the runs of a sweep into tables, and the tables into files.

use super::by_database::{Pool, database_table};
use super::contents::{COSTS, MEASURED, class_table, main_table, patient_table};
use super::latex::TEXT_WIDTH;
use super::methods::methods;
use crate::error::{Error, Result};
use crate::run::missing::{Missing, by_kind};
use crate::run::origin::again;
use crate::run::read::{Run, read_all};
use crate::run::set::RunSet;
use crate::tables::Table;
use std::path::Path;

/// What [`collect`] found.
pub struct Collected {
    /// Name of the sweep.
    pub name: String,
    /// A row a variant and a baseline: means over folds, intervals, the comparison with the reference, what a prediction costs.
    pub table: Table,
    /// A row for each of those and each class.
    pub per_class: Table,
    /// A row a patient, where some have several records.
    pub patients: Option<Table>,
    /// A row for each variant and database, seeds averaged, where there are several of either.
    pub databases: Option<Table>,
    /// Finished runs.
    pub runs: usize,
    /// What the tables leave out, as their notes say: runs that were never begun or are not finished, and those whose fold and
    /// seed another variant lacks.
    pub left_out: Vec<Missing>,
}

/// The columns of the tables for a paper, the most important first: those that fit are taken.
const IMPORTANT: &str = "macro-F1,accuracy,NCC,p,AUROC,difference,effect,pointing,energy,deletion,insertion,pooled macro-F1,\
                         parameters,multiply-adds,runs,no test record in";
const IMPORTANT_OF_CLASS: &str =
    "class,F1,support,NCC,sensitivity,PPV,specificity,AUROC,energy,pointing,NCC with B,NCC with I,folds";

/// Options that choose others.
const OPTIONS: [(&str, &str); 2] = [("table", "--latex-columns"), ("per_class", "--latex-class-columns")];

impl Collected {
    /// The files of the tables, by name: Markdown, CSV and LaTeX of each. Measured times differ whenever a sweep is run, and
    /// are in files of their own. The tables for a paper have the named columns of the main table (with those of the times) and
    /// of the one by class (beside the class); where none are named, the most important that fit.
    pub fn files(&self, columns: Option<&[String]>, class_columns: Option<&[String]>) -> Result<Vec<(String, String)>> {
        let of_class = class_columns.map(|own| {
            let class = (!own.iter().any(|name| name == "class")).then(|| "class".to_owned());
            class.into_iter().chain(own.iter().cloned()).collect::<Vec<_>>()
        });
        let list = |names: &'static str| names.split(',').collect::<Vec<_>>();
        let (same, costs) = (self.table.without(&MEASURED), self.table.only(&COSTS.map(|cost| cost.0)));
        let times = Table { title: format!("{}: what an inference costs", self.name), ..costs };
        let mut tables = vec![
            ("table", &same, self.paper("table", &self.table, &list(IMPORTANT), columns)?),
            (
                "per_class",
                &self.per_class,
                self.paper("per_class", &self.per_class, &list(IMPORTANT_OF_CLASS), of_class.as_deref())?,
            ),
        ];
        if let Some(patients) = &self.patients {
            // accuracies, which are last, before numbers of records
            let names: Vec<&str> = patients.names().into_iter().rev().collect();
            tables.push(("patients", patients, self.paper("patients", patients, &names, None)?));
        }
        if let Some(table) = &self.databases {
            let important =
                ["database", "macro-F1", "difference", "accuracy", "NCC", "pointing", "records", "patients"];
            tables.push(("by_database", table, self.paper("by_database", table, &important, None)?));
        }
        if !times.names().is_empty() {
            tables.push(("times", &times, self.paper("times", &times, &times.names(), None)?));
        }
        let three = |(stem, table, paper): (&str, &Table, String)| {
            let texts = [("md", table.markdown()), ("csv", table.csv()), ("tex", paper)];
            texts.map(|(end, text)| (format!("{stem}.{end}"), text))
        };
        Ok(tables.into_iter().flat_map(three).collect())
    }

    /// All tables.
    fn tables(&mut self) -> impl Iterator<Item = &mut Table> {
        [&mut self.table, &mut self.per_class].into_iter().chain(&mut self.patients).chain(&mut self.databases)
    }

    /// A table for a paper, with what it leaves out in a comment.
    fn paper(&self, stem: &str, table: &Table, important: &[&str], chosen: Option<&[String]>) -> Result<String> {
        let shown = chosen.map_or_else(|| Ok(table.fitted(important.iter().copied())), |names| table.select(names))?;
        let mut comment = String::new();
        let left = table.without(&shown.names());
        if chosen.is_none() && !left.names().is_empty() {
            comment += &format!("% left out to fit \\textwidth of a 10 pt article: {}\n", left.names().join(", "));
            if let Some((_, option)) = OPTIONS.iter().find(|(of, _)| *of == stem) {
                comment += &format!("% other columns: exgnet collect SWEEP {option} \"{}\"\n", shown.names().join(","));
            }
        }
        let width = shown.latex_width();
        if width > TEXT_WIDTH {
            comment += &format!("% about {width:.0} pt wide: \\textwidth of a 10 pt article is {TEXT_WIDTH} pt\n");
        }
        let label = if stem == "table" { self.name.clone() } else { format!("{}-{stem}", self.name) };
        Ok(comment + &shown.latex(&label))
    }
}

/// Reads the finished runs of a sweep. The others are compared with the variant `reference`, which comes first; without one
/// with the first, `plain` where there is one. Results by database also have a row for each of the `pools`.
///
/// # Errors
/// [`Error::File`] where there is no run; [`Error::Data`] where a file is damaged, no run is finished, the reference has
/// none, or runs have different classes, splits or test records.
pub fn collect(dir: &Path, reference: Option<&str>, pools: &[Pool]) -> Result<Collected> {
    let mut found = read_all(&[dir.to_path_buf()])?;
    found.undamaged()?;
    let begun = found.runs.len();
    found.runs.retain(|run| run.metrics.is_some() && run.is_finished());
    if found.runs.is_empty() {
        let what = format!("no finished run, {begun} unfinished");
        let resume = found.missing.iter().find_map(|missing| missing.command.as_ref());
        let hint = resume.map_or("give the folder that `exgnet sweep` writes its runs to".into(), |command| {
            format!("finish one: {command}")
        });
        return Err(Error::data(dir.display().to_string(), what, hint));
    }
    found.missing.retain(|missing| missing.left_out.is_some());
    found.on_common_folds()?;
    if let Some(variant) = reference {
        found.begin_with(variant)?;
    }
    let mut all = of_runs(&found.names[0], &RunSet::new(&found)?, pools)?;
    for lack in by_kind(&found.missing) {
        let note = format!("Left out: {}: {}.", lack.places, lack.what);
        all.tables().for_each(|table| table.note(&note));
    }
    all.left_out = found.missing;
    Ok(all)
}

/// The tables of tested runs of the same classes; the variants are compared with the first.
pub(crate) fn of_runs(name: &str, set: &RunSet<'_>, pools: &[Pool]) -> Result<Collected> {
    set.check_tests()?;
    check(&set.runs)?;
    let methods = methods(set);
    Ok(Collected {
        name: name.to_owned(),
        table: main_table(name, set, &methods, &set.variants[0])?,
        per_class: class_table(name, set, &methods)?,
        patients: patient_table(name, set)?,
        databases: database_table(name, set, pools, &set.variants[0])?,
        runs: set.runs.len(),
        left_out: Vec::new(),
    })
}

/// What tables need of runs beyond one set of classes.
fn check(runs: &[&Run]) -> Result<()> {
    let first = runs[0];
    for run in runs {
        let fail = |what: String, hint: String| Err(Error::data(run.dir.display().to_string(), what, hint));
        if run.fold_and_seed().is_none() {
            return fail("names no test fold".into(), "leave runs on all records out of a sweep".into());
        }
        if run.predictions.is_none() {
            return fail("no predictions.csv".into(), format!("write it: {}", again(&run.dir)));
        }
        if run.grouped() != first.grouped() {
            let folds = |run: &Run| if run.grouped() { "folds by patient" } else { "folds by record" };
            let what = format!("{}, expected {} as in {}", folds(run), folds(first), first.dir.display());
            return fail(what, "compare runs of one data set and one split".into());
        }
    }
    Ok(())
}
