//! `exgnet ladder`: the versions of a family in their order, and what each step brought.

use super::bench::{timing, verdict};
use super::recorded::Recorded;
use super::watch::{self, Watch};
use super::{Common, print_json, print_line, within};
use crate::error::{Error, Result, nearest};
use crate::figures::{catalogue, kernels};
use crate::files::{self, guard};
use crate::lab::ladder::{Ladder, Report, ladder};
use crate::lab::operations::{OPERATIONS, Operation};
use crate::plot::{Format, Look};
use clap::Args;
use std::path::{Path, PathBuf};

/// Show the versions of a kernel in their order: what each step changed, its time, and how near the ceiling it comes
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet ladder conv1d\n  \
                  exgnet ladder conv1d --shape in=32,out=32,k=16,len=2500 --out results/ladder/conv1d\n  \
                  exgnet ladder pooling                     every kernel of the family that bench measures\n  \
                  exgnet ladder max_pool                    one of them\n\n\
                  --out writes ladder.md, ladder.csv, ladder.json and a figure for each operation; `exgnet figures DIR` draws it again.")]
pub(super) struct LadderArgs {
    /// Family of kernels, or one operation of it (exgnet bench --list)
    family: String,
    /// Sizes of the operation; what is left out is as `exgnet bench --list` shows it
    #[arg(long, value_name = "NAME=N,...")]
    shape: Option<String>,
    /// Times that each version is measured, in turn, at least
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Continue with rounds for at least this time
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    min_time: f64,
    /// Leave out a version that would take longer than this for one run
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    limit: f64,
    /// Folder for ladder.md, ladder.csv, ladder.json and the figures
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

/// The operations of a name: of a family, or one.
fn operations(name: &str) -> Result<Vec<&'static Operation>> {
    // conv1d is both: a family of that operation alone
    let of_family = Operation::of_family(name);
    if !of_family.is_empty() {
        return Ok(of_family);
    }
    if let Some(one) = OPERATIONS.iter().find(|o| o.name == name) {
        return Ok(vec![one]);
    }
    let mut known: Vec<&str> = OPERATIONS.iter().flat_map(|o| [o.family, o.name]).collect();
    known.sort_unstable();
    known.dedup();
    let near = nearest(name, known.iter().copied()).unwrap_or("conv1d");
    let what = format!("no ladder of '{name}', expected a family or an operation that bench measures");
    Err(Error::config(what, format!("did you mean {near}? Known are {}", known.join(", "))))
}

pub(super) fn run(common: &Common, args: &LadderArgs) -> Result<()> {
    within("--limit", args.limit, 0.01..=86_400.0, "0.01 to 86400 seconds", "20 is usual")?;
    let timing = timing(args.rounds, args.min_time, args.limit)?;
    let mut all = Vec::new();
    for operation in operations(&args.family)? {
        all.push((operation, operation.shape(args.shape.as_deref().unwrap_or(""))?));
    }
    let file = args.out.as_ref().map(|dir| dir.join("ladder.json"));
    let earlier = file.as_ref().and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    let earlier: serde_json::Value = serde_json::from_slice(&earlier).unwrap_or_default();
    if let Some(dir) = args.out.as_ref().filter(|_| earlier.get("ladders").is_none()) {
        // something else: found out before the measurements
        TABLES.iter().try_for_each(|name| guard::check(&dir.join(name), None))?;
    }
    let gpu = common.gpu()?;
    let _watch = Watch::new(&gpu, watch::LIMIT, "--shape takes a smaller one");
    let mut ladders = Vec::new();
    for (operation, shape) in all {
        common.say(format!("measuring: {}", operation.title(shape)));
        let found = ladder(&gpu, operation, shape, &timing)?;
        if !args.json {
            if ladders.is_empty() {
                print_line(&gpu.report().title());
            }
            print(&found);
        }
        ladders.push(found);
    }
    let report = Report { adapter: gpu.report().title(), family: args.family.clone(), ladders };
    let recorded = Recorded::of(&report);
    if let Some(dir) = &args.out {
        write(common, dir, &recorded, earlier.get("ladders").is_some())?;
    }
    if args.json {
        print_json(&recorded, true);
    }
    verdict(report.bad(), report.ladders.iter().map(|l| l.rungs.len()).sum())
}

const TABLES: [&str; 3] = ["ladder.json", "ladder.csv", "ladder.md"];

/// One line a version, with what changed below it.
fn print(ladder: &Ladder) {
    print_line(&format!("\n{}", ladder.about().replacen(": ", "\n", 1)));
    let wide = ladder.rungs.iter().map(|r| r.row.version.len()).max().unwrap_or(0).max(8);
    print_line(&format!(
        "\n{:<wide$} {:>10} {:>8} {:>7} {:>6} {:>8} {:>8}  what changed",
        "version", "ms", "GFLOP/s", "GB/s", "share", "error", "faster"
    ));
    for rung in &ladder.rungs {
        let [ms, gflops, gb_per_s, share, error, faster, change] = rung.cells();
        let room = 150_usize.saturating_sub(wide + 56);
        let faster = if faster == "-" { faster } else { format!("{faster}x") };
        let text = match rung.reason() {
            reason if reason.is_empty() => change,
            reason => reason,
        };
        let text =
            if text.chars().count() > room { text.chars().take(room - 1).chain(['…']).collect() } else { text };
        print_line(&format!(
            "{:<wide$} {ms:>10} {gflops:>8} {gb_per_s:>7} {share:>6} {error:>8} {faster:>8}  {text}",
            rung.row.version
        ));
    }
}

/// Writes tables and figures.
fn write(common: &Common, dir: &Path, recorded: &Recorded<Report>, again: bool) -> Result<()> {
    if again {
        TABLES.iter().for_each(|name| guard::replaces(&dir.join(name)));
    }
    let [json, csv, md] = TABLES.map(|name| dir.join(name));
    let report = recorded.found;
    files::write_json(&json, recorded)?;
    files::write_atomically(&csv, &report.csv())?;
    let tables = format!("{}\n{}\n", report.markdown(), recorded.sentence(&report.adapter));
    files::write_atomically(&md, tables.as_bytes())?;
    let of = dir.file_name().map_or("measurements".into(), |n| n.to_string_lossy());
    for figure in report.ladders.iter().flat_map(|l| kernels::ladder(&report.adapter, l, &Look::default())) {
        catalogue::write(figure, &dir.join("figures"), &[Format::Png, Format::Svg], &of)?;
    }
    common.say(format!("wrote {}", dir.display()));
    Ok(())
}
