//! `exgnet collect`: the runs of a sweep as a table.

use super::report::print_missing;
use super::{Common, print_line};
use crate::error::Result;
use crate::files::{guard, write_atomically};
use crate::run::set::count;
use crate::tables::by_database::Pool;
use crate::tables::collect::collect;
use clap::Args;
use std::path::PathBuf;

/// Gather the runs of a sweep into tables (Markdown, CSV, LaTeX)
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet collect results/mitbih-ablation\n  \
                  exgnet collect results/mitbih-ablation --latex-columns macro-F1,NCC,inference\n  \
                  exgnet collect results/pool --pool external=ludb+cinc2021\n  \
                  exgnet collect results/pool --reference mlp --out results/pool/against-mlp\n\n\
                  table: mean and standard deviation over folds; intervals draw patients, from the records of all folds\n\
                  and seeds, also for the difference to the reference; p and effect (rank-biserial) of Wilcoxon's\n\
                  signed-rank test against it, over fold means where folds are by patient, else over the cells of fold\n\
                  and seed. Below: class prior, the 17 features alone, maps of no use.\n\
                  per_class: the same by class. patients: accuracy of every patient, where patients have several\n\
                  records. by_database: by database and pooled, also differences of each class, seeds averaged, where there\n\
                  are several databases or seeds; intervals keep a patient's predictions by all seeds together. times: what a prediction costs, where runs say (cost.json).\n\
                  The .tex fit a page of LaTeX's article, and say what they leave out.")]
pub(super) struct CollectArgs {
    /// Folder of the sweep
    dir: PathBuf,
    /// Variant that the others are compared with, which comes first; without it `plain`, or the first by name
    #[arg(long, value_name = "VARIANT")]
    reference: Option<String>,
    /// Databases whose records also make a row of by_database together; may be repeated
    #[arg(long = "pool", value_name = "NAME=DATABASE+DATABASE")]
    pools: Vec<Pool>,
    /// Folder to write; without it that of the sweep
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Columns of table.tex, by name, also those of times; without it the most important ones that fit the page
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    latex_columns: Option<Vec<String>>,
    /// The same for per_class.tex
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    latex_class_columns: Option<Vec<String>>,
}

pub(super) fn run(common: &Common, args: &CollectArgs) -> Result<()> {
    let found = collect(&args.dir, args.reference.as_deref(), &args.pools)?;
    let files = found.files(args.latex_columns.as_deref(), args.latex_class_columns.as_deref())?;
    let dir = args.out.as_ref().unwrap_or(&args.dir);
    // the name of the sweep, which every title begins with
    let name = |text: &str| text.lines().next().and_then(|title| Some(title.split_once(": ")?.0.to_owned()));
    for (file, text) in &files {
        let path = dir.join(file);
        if file.ends_with(".md") {
            // tables that an earlier call made of this sweep, in its folder under whatever name that had
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            if name(&old).is_some() && (*dir == args.dir || name(&old) == name(text)) {
                ["md", "csv", "tex"].iter().for_each(|end| guard::replaces(&path.with_extension(end)));
            }
        }
        write_atomically(&path, text.as_bytes())?;
    }
    print_line(files[0].1.trim_end());
    print_missing(common, &found.left_out);
    let stems: Vec<&str> = files.iter().filter_map(|(file, _)| file.strip_suffix(".md")).collect();
    let (runs, dir) = (count(found.runs, "run"), dir.display());
    common.say(format!("{runs}; written to {dir}: {} (.md, .csv, .tex)", stems.join(", ")));
    Ok(())
}
