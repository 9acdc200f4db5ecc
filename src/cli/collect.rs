//! `exgnet collect`: the runs of a sweep as a table.

use super::{Common, print_line};
use crate::error::Result;
use crate::files::{guard, write_atomically};
use crate::tables::collect::collect;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Gather the runs of a sweep into tables (Markdown, CSV, LaTeX)
#[derive(Args)]
#[command(after_help = "Example:\n  exgnet collect results/mitbih-ablation\n\n\
                  table: mean and sd over folds; intervals draw patients, from the records of all folds and seeds, also\n\
                  for the difference to the reference (--reference, else `plain`, else the first by name); p and effect (rank-biserial) of\n\
                  Wilcoxon's signed-rank test against it, over fold means where folds are by patient, else over the\n\
                  cells of fold and seed. Below: class prior, the 17 features alone, maps of no use.\n\
                  per_class: the same by class. patients: accuracy of every patient, where patients have several records.")]
pub(super) struct CollectArgs {
    /// Folder of the sweep
    dir: PathBuf,
    /// Variant that the others are compared with; without it `plain`, or the first by name
    #[arg(long, value_name = "VARIANT")]
    reference: Option<String>,
}

pub(super) fn run(common: &Common, args: &CollectArgs) -> Result<ExitCode> {
    let found = collect(&args.dir, args.reference.as_deref())?;
    let write = |name: &str, text: String| write_atomically(&args.dir.join(name), text.as_bytes());
    // tables that an earlier call made of this sweep
    let known = |stem: &str, new: &str| {
        let old = std::fs::read_to_string(args.dir.join(format!("{stem}.md"))).unwrap_or_default();
        if old.lines().next().is_some_and(|title| new.lines().next() == Some(title)) {
            ["md", "csv", "tex"].iter().for_each(|end| guard::replaces(&args.dir.join(format!("{stem}.{end}"))));
        }
    };
    for (stem, table) in [("table", &found.table), ("per_class", &found.per_class)] {
        known(stem, &table.markdown());
        write(&format!("{stem}.md"), table.markdown())?;
        write(&format!("{stem}.csv"), table.csv())?;
        write(&format!("{stem}.tex"), table.latex())?;
    }
    let mut names = vec!["table.{md,csv,tex}", "per_class.{md,csv,tex}"];
    if let Some(patients) = &found.patients {
        known("patients", &patients.markdown());
        write("patients.md", patients.markdown())?;
        write("patients.csv", patients.csv())?;
        names.push("patients.{md,csv}");
    }
    print_line(found.table.markdown().trim_end());
    found.unfinished.iter().for_each(|dir| common.say(format!("not finished: {}", dir.display())));
    common.say(format!("{} runs; written to {}: {}", found.runs, args.dir.display(), names.join(", ")));
    Ok(ExitCode::SUCCESS)
}
