//! `exgnet tune`: finds the kernels that suit a network on this adapter.

use super::signals::Resumes;
use super::watch::{self, Watch};
use super::{Common, print_found, print_line, progress, within};
use crate::error::{Error, Result, nearest};
use crate::experiment::Experiment;
use crate::files;
use crate::gpu::AdapterReport;
use crate::lab::tune::{Options, Outcome, Progress, Table, read, tune, user_file};
use crate::ops::FAMILIES;
use clap::Args;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Try the kernels' versions and settings on this adapter and keep the fastest that are right
#[derive(Args)]
#[command(
    after_help = "The table is written after every shape; the same command resumes where it was stopped.\n\nExamples:\n  \
                  exgnet tune                                 the quick start's network\n  \
                  exgnet tune experiments/mitbih.toml --rounds 5 --budget 60\n  \
                  exgnet tune --shader-dir mine --only conv1d --again\n  \
                  exgnet tune --out results/tuning/llvmpipe-amd-avx512.json    the table that is built in"
)]
pub(super) struct TuneArgs {
    /// Experiment file; without one the built-in quick start
    config: Option<PathBuf>,
    /// Change one setting of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Times that each candidate is measured, in turn; one that is far behind at first only once
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Only these families, separated by commas, such as conv1d or conv1d_weight_grad,batch_norm; or shapes whose names in the table
    /// begin so in whole words, such as batch_norm.back or 'conv1d 128->86'
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Minutes after which no further candidate is tried; shapes that take most of a training step come first
    #[arg(long, value_name = "MINUTES", default_value_t = 15.0)]
    budget: f64,
    /// Milliseconds a call that a candidate must save. Without it: on a software adapter, where a kernel takes seconds to compile, 2
    /// for a convolution and 0.3 for others; else 0
    #[arg(long, value_name = "MS")]
    worth: Option<f64>,
    /// Tune shapes again that are in the table for these kernels
    #[arg(long)]
    again: bool,
    /// Table to write, added to if it is there; without it the one in the cache folder that later runs use
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, args: &TuneArgs) -> Result<()> {
    within("--rounds", args.rounds, 1..=1000, "1 to 1000", "3 is usual")?;
    within("--budget", args.budget, 0.01..=1e5, "minutes, 0.01 to 100000", "15 is usual")?;
    if let Some(ms) = args.worth {
        within("--worth", ms, 0.0..=1e6, "milliseconds, 0 to 1000000", "leave it out, or 0 for any gain")?;
    }
    if !common.kernels.is_empty() {
        return Err(Error::config(
            format!("--kernels {}: expected none, tuning chooses among the versions", common.kernels),
            "leave it out; --only takes the shapes of one family",
        ));
    }
    args.only.iter().try_for_each(|name| known(name))?;
    let e = Experiment::load_or_quickstart(args.config.as_deref(), &args.sets)?;
    let gpu = common.gpu()?;
    let _watch = Watch::new(&gpu, watch::LIMIT, "--set train.batch=N takes a smaller batch");
    let report = gpu.report();
    let path = args.out.clone().or_else(|| user_file(report)).ok_or_else(|| {
        Error::config("no cache folder: neither XDG_CACHE_HOME nor HOME is set", "name a file with --out")
    })?;
    let mut table = begun(common, report, &path, args.out.is_some())?;
    common.say(report.title());
    common.say(format!(
        "tuning kernels of {} at a batch of {}, for {} minutes at most; table: {}",
        e.network.kind(),
        e.train.batch,
        args.budget,
        path.display()
    ));
    common.say(format!(
        "\n{:>7}  {:<44} {:>9} {:>9} {:>9} {:>7}  {}",
        "", "shape", "best ms", "rule ms", "naive ms", "tried", "choice"
    ));
    let options = Options {
        only: args.only.clone(),
        rounds: args.rounds,
        again: args.again,
        worth_ms: args.worth,
        budget: Some(Duration::from_secs_f64(60.0 * args.budget)),
    };
    let bar = progress::bar(common.quiet, "{spinner} {msg}");
    let _resumes = Resumes::new(|| Some("the same command resumes: what was found so far is in the table".into()));
    let size = (e.train.batch, e.data.samples());
    let outcome = tune(&gpu, &e.network, size, &options, &mut table, &mut |progress, table| {
        show(common, bar.as_ref(), progress);
        if progress.found.is_some() {
            files::write_json(&path, table)?;
            // from here on it is this command's own
            files::guard::replaces(&path);
        }
        Ok(())
    })?;
    drop(bar);
    if outcome.tuned + outcome.known + outcome.left == 0 {
        return Err(Error::config(
            format!("--only {}: found no kernel of that name to tune in this network", args.only.join(",")),
            "leave --only away: the table that is then printed names all shapes that there are",
        ));
    }
    print_found(args.json, &table, || print_line(&in_words(&outcome, &path)));
    Ok(())
}

/// Refuses a name of `--only` that begins with no family's.
fn known(name: &str) -> Result<()> {
    let family = name.split([' ', '.']).next().unwrap_or_default();
    let families = || FAMILIES.iter().map(|f| f.name);
    if families().any(|known| known == family) {
        return Ok(());
    }
    let all: Vec<&str> = families().collect();
    let of_kernel = FAMILIES.iter().find(|f| f.kernels.iter().any(|kernel| kernel.name == family)).map(|f| f.name);
    let near = of_kernel.or_else(|| nearest(family, families())).unwrap_or("conv1d");
    Err(Error::config(
        format!("--only {name}: no family of kernels '{family}', expected one of {}", all.join(", ")),
        format!("did you mean {near}?"),
    ))
}

/// The table that is there, to be added to, or a new one. One that was named and is another adapter's is refused.
fn begun(common: &Common, report: &AdapterReport, path: &Path, named: bool) -> Result<Table> {
    let Some(old) = read(path)? else {
        files::guard::check(path, None)?;
        return Ok(Table::new(report));
    };
    let other_cpu = old.cpu.as_deref().zip(report.cpu).is_some_and(|(then, now)| then != now);
    if named && (old.adapter != report.name || other_cpu) {
        let of = |adapter: &str, cpu: Option<&str>| cpu.map_or(adapter.to_owned(), |cpu| format!("{adapter} on {cpu}"));
        let (then, now) = (of(&old.adapter, old.cpu.as_deref()), of(&report.name, report.cpu));
        let what = format!("is the table of another adapter: found {then}, expected {now}");
        return Err(Error::file(path, what, "name another file with --out"));
    }
    files::guard::replaces(path);
    if old.is_of(report) {
        return Ok(old);
    }
    common.say(format!("{}: of another driver or CPU, begun again", path.display()));
    Ok(Table::new(report))
}

fn in_words(o: &Outcome, path: &Path) -> String {
    let [rule, best] = o.ms;
    let known = if o.known > 0 { format!(", {} were in the table already (--again)", o.known) } else { String::new() };
    let rejected = if o.rejected > 0 { format!("; {} candidates were wrong", o.rejected) } else { String::new() };
    let mut all =
        format!("{} shapes tuned{known}: {best:.1} ms, by the rules of thumb {rule:.1} ms{rejected}", o.tuned);
    if o.left > 0 {
        all += &format!(
            "\ntime is up: {} operations, about {:.0} % of a step, keep the rules of thumb; the same command resumes",
            o.left,
            100.0 * o.left_share
        );
    }
    for own in &o.own {
        all += &format!("\n{}", own.in_words());
    }
    if o.tuned > 0 {
        all += &format!("\nwrote {}", path.display());
    }
    all
}

/// A row of the table when it is found, and on a terminal what is being tried.
fn show(common: &Common, bar: Option<&ProgressBar>, p: &Progress<'_>) {
    let (k, n) = p.at;
    let left = match p.left.as_secs() {
        s if s < 90 => format!("{s} s"),
        s => format!("{} min", (s + 30) / 60),
    };
    if let Some(bar) = bar {
        let (i, of) = p.tried;
        bar.set_message(format!("{k}/{n} {}: {i} of {of}, best {:.2} ms, about {left} left", p.key, p.best_ms));
        bar.tick();
    }
    let Some(f) = p.found else { return };
    let row = format!(
        "{:>7}  {:<44} {:>9.2} {:>9.2} {:>9} {:>7}  {}{}",
        format!("{k}/{n}"),
        p.key,
        f.ms,
        f.rule_ms,
        f.naive_ms.map_or("-".into(), |ms| format!("{ms:.2}")),
        f.timed + f.rejected,
        f.choice.as_ref().map_or("rule of thumb".into(), crate::gpu::Choice::in_words),
        // without a terminal this is the only place
        if bar.is_none() { format!("  ({left} left)") } else { String::new() },
    );
    match bar {
        Some(bar) => bar.suspend(|| common.say(row)),
        None => common.say(row),
    }
}
