//! `exgnet tune`: finds the kernels that suit a network on this adapter.

use super::{Common, print_json, print_line};
use crate::error::{Error, Result};
use crate::files;
use crate::lab::tune::{read, tune, user_file};
use crate::train::Experiment;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Try the kernels' versions and settings on this adapter and keep the fastest that are right
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet tune                                 the quick start's network\n  \
                  exgnet tune experiments/mitbih.toml --rounds 5\n  \
                  exgnet tune --out results/tuning/llvmpipe.json    the table that is built in")]
pub(super) struct TuneArgs {
    /// Experiment file; without one the built-in quick start
    config: Option<PathBuf>,
    /// Change one setting of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Times that each candidate is measured, in turn
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Only kernels whose name begins so, such as conv1d_weight_grad or batch_norm
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Table to write, added to if it is there; without it the one in the cache folder that later runs use
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, args: &TuneArgs) -> Result<ExitCode> {
    if !(1..=1000).contains(&args.rounds) {
        return Err(Error::config(format!("--rounds {}: expected 1 to 1000", args.rounds), "3 is usual"));
    }
    let e = match &args.config {
        Some(path) => Experiment::load(path, &args.sets)?,
        None => Experiment::quickstart(&args.sets)?,
    };
    let gpu = common.gpu()?;
    let path = match args.out.clone().or_else(|| user_file(gpu.report())) {
        Some(path) => path,
        None => {
            return Err(Error::config(
                "no cache folder: neither XDG_CACHE_HOME nor HOME is set",
                "name a file with --out",
            ));
        }
    };
    let before = read(&path)?;
    match &before {
        Some(old) if old.adapter != gpu.report().name => {
            let what =
                format!("is the table of another adapter: found {}, expected {}", old.adapter, gpu.report().name);
            return Err(Error::file(&path, what, "name another file with --out"));
        }
        Some(_) => files::guard::replaces(&path),
        None => files::guard::check(&path)?,
    }
    let size = (e.train.batch, e.data.samples());
    let mut table = tune(&gpu, &e.network, size, (&args.only, args.rounds), |i, n, key, f| {
        common.say(format!(
            "{i:>3}/{n} {key:<44} {:>8.2} ms  rule {:>8.2}  plain {:>8.2}  {}",
            f.ms,
            f.rule_ms,
            f.plain_ms,
            f.choice.in_words()
        ));
    })?;
    if table.found.is_empty() {
        return Err(Error::config(
            format!("--only {}: found no kernel of that name in this network", args.only),
            "names begin with conv1d, conv1d_input_grad, conv1d_weight_grad, batch_norm or max_pool",
        ));
    }
    let (rule, best) = table.found.values().fold((0.0, 0.0), |(r, b), f| (r + f.rule_ms, b + f.ms));
    let rejected: usize = table.found.values().map(|f| f.rejected).sum();
    let shapes = table.found.len();
    if let Some(mut old) = before {
        old.found.extend(std::mem::take(&mut table.found));
        table.found = old.found;
    }
    files::write_json(&path, &table)?;
    if args.json {
        print_json(&table, true);
    } else {
        print_line(&format!(
            "{shapes} shapes: {best:.1} ms, by the rules of thumb {rule:.1} ms; {rejected} candidates gave wrong values\nwrote {}",
            path.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
