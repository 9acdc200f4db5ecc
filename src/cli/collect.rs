//! `exgnet collect`: the runs of a sweep as a table.

use super::{Common, print_line};
use crate::error::Result;
use crate::files::write_atomically;
use crate::train::collect::collect;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Gather the runs of a sweep into table.md, table.csv and table.tex
#[derive(Args)]
#[command(after_help = "Example:\n  exgnet collect results/mitbih-ablation\n\n\
                  Mean and sd over folds; the interval draws patients, from the records of all folds and seeds; p and\n\
                  effect (rank-biserial) of Wilcoxon's signed-rank test over fold x seed cells against the reference\n\
                  (`plain`, else the first variant). Cells share training records: read p with care.")]
pub(super) struct CollectArgs {
    /// Folder of the sweep
    dir: PathBuf,
}

pub(super) fn run(common: &Common, args: &CollectArgs) -> Result<ExitCode> {
    let found = collect(&args.dir)?;
    let markdown = found.table.markdown();
    write_atomically(&args.dir.join("table.md"), markdown.as_bytes())?;
    write_atomically(&args.dir.join("table.csv"), found.table.csv().as_bytes())?;
    write_atomically(&args.dir.join("table.tex"), found.table.latex().as_bytes())?;
    print_line(markdown.trim_end());
    found.unfinished.iter().for_each(|dir| common.say(format!("not finished: {}", dir.display())));
    common.say(format!("{} runs; written: {}", found.runs, args.dir.join("table.{md,csv,tex}").display()));
    Ok(ExitCode::SUCCESS)
}
