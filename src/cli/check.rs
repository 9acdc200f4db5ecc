//! `exgnet check`: every version of every kernel against f64 oracles on this adapter, to second order.

use super::progress::bar;
use super::watch::{self, Watch};
use super::{Common, print_json, print_line};
use crate::ecg::sources::count;
use crate::error::{Error, Result};
use crate::lab::check::{CaseReport, Checker, Deviation, Ran, Report, Target, UnderWay, VersionReport};
use clap::Args;
use indicatif::ProgressBar;

/// Wrong cases of a version that are printed, unless more are asked for.
const SHOWN: usize = 3;

/// Check kernels in all their versions on this adapter: values, first and second derivatives, equal bits when run twice
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet check                                            everything\n  \
                        exgnet check conv1d --version fast                      after editing shaders/conv1d/05_fast.wgsl\n  \
                        exgnet check pooling --version 90 --shader-dir mine     a version of one's own\n  \
                        exgnet check batch_norm --case 'B 9' --fail-fast")]
pub(super) struct CheckArgs {
    /// Families of kernels, or operations; all of them if none is named
    #[arg(value_name = "FAMILY|OPERATION")]
    names: Vec<String>,
    /// Only this version of the families: its number, name or alias
    #[arg(long, value_name = "VERSION", requires = "names")]
    version: Option<String>,
    /// Only cases whose label contains this
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Stop at the first case that is wrong
    #[arg(long)]
    fail_fast: bool,
    /// Give up, and name case and kernel, where the device does not answer for this time
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    limit: f64,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, args: &CheckArgs) -> Result<()> {
    let limit = watch::limit(args.limit)?;
    let targets = match args.names.is_empty() {
        true => Target::all(),
        false => args.names.iter().map(|name| Target::named(name)).collect::<Result<Vec<_>>>()?.concat(),
    };
    let gpu = common.gpu()?;
    let mut plan = Vec::new();
    for target in &targets {
        match target.versions(&gpu, args.version.as_deref())?.as_slice() {
            [] => plan.push((target, None)),
            versions => plan.extend(versions.iter().map(|v| (target, Some(v.clone())))),
        }
    }
    common.say(format!("checking on {}", gpu.report().title()));
    if !args.json {
        print_line(&format!(
            "{:<42} {:>5}  {:>9} {:>9} {:>9}  {:<6}  ",
            "family and version", "cases", "values", "first", "second", "bits"
        ));
    }
    let mut checker = Checker::new();
    checker.case.clone_from(&args.case);
    checker.fail_fast = args.fail_fast;
    let watch = Watch::new(&gpu, limit, watch::LONGER);
    let bar = bar(common.quiet || args.json, "{msg} {bar:24} {pos}/{len}");
    let mut rows = Vec::new();
    for (target, version) in plan {
        let row = checker.check(&gpu, target, version.as_ref(), |under_way| {
            bar.iter().for_each(|bar| show(bar, under_way));
            watch.begins(format!("{}, case '{}'", under_way.version, under_way.case));
        })?;
        bar.iter().for_each(ProgressBar::finish_and_clear);
        end_of_row(&mut rows, row, common, args);
        if args.fail_fast && rows.iter().any(|r: &VersionReport| !r.passed()) {
            break;
        }
    }
    if args.names.is_empty() && args.case.is_none() {
        end_of_row(&mut rows, checker.others(&gpu), common, args);
    }
    let cases = rows.iter().map(|r| r.cases.len()).sum::<usize>();
    if cases == 0 && args.case.is_some() && rows.iter().all(VersionReport::passed) {
        return Err(Error::config(
            format!("--case {}: found no case whose label contains it", args.case.as_deref().unwrap_or_default()),
            "-v lists the cases",
        ));
    }
    let failed: Vec<String> = rows.iter().filter(|r| !r.passed()).map(VersionReport::name).collect();
    if args.json {
        print_json(&rows, true);
    } else {
        print_line("worst absolute error against the f64 oracle; '-': no derivative is checked");
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::gpu(
        format!("{} of {} are wrong on this adapter: {}", failed.len(), rows.len(), failed.join(", ")),
        "do not train with them; if you edited a shader, look there first (-v lists the cases)",
    ))
}

fn show(bar: &ProgressBar, under_way: &UnderWay) {
    let UnderWay { version, case, at: [done, all] } = under_way;
    bar.set_length(*all as u64);
    bar.set_position(*done as u64);
    bar.set_message(format!("{version}: {case}"));
}

fn end_of_row(rows: &mut Vec<VersionReport>, row: VersionReport, common: &Common, args: &CheckArgs) {
    if !args.json {
        print_row(&row, common.verbose);
    }
    rows.push(row);
}

/// Worst error of one kind over the cases; `None` where no case has it.
fn worst(row: &VersionReport, of: impl Fn(&Report) -> Option<Deviation>) -> Option<f64> {
    row.cases.iter().filter_map(|c| of(c.report.as_ref()?).map(|d| d.error)).reduce(f64::max)
}

fn print_row(row: &VersionReport, verbose: bool) {
    let cell = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.1e}"));
    let bits = row.cases.iter().filter_map(|c| c.report.as_ref()).map(|r| r.same_bits).reduce(|a, b| a && b);
    let bits = bits.map_or("-", |same| if same { "same" } else { "DIFFER" });
    let verdict = match (&row.lacks, row.passed()) {
        (_, false) => "FAILED".to_owned(),
        (Some(lacks), true) => format!("compiled only (needs {lacks})"),
        (None, true) if row.cases.is_empty() => "compiled".to_owned(),
        (None, true) => "ok".to_owned(),
    };
    print_line(&format!(
        "{:<42} {:>5}  {:>9} {:>9} {:>9}  {bits:<6}  {verdict}",
        row.name(),
        row.cases.len(),
        cell(worst(row, |c| Some(c.values))),
        cell(worst(row, |c| c.gradient)),
        cell(worst(row, |c| c.second)),
    ));
    for said in &row.problems {
        said.lines().for_each(|line| print_line(&format!("    {line}")));
    }
    let mut shown: Vec<&CaseReport> = row.cases.iter().filter(|c| verbose || !c.passed()).collect();
    if !verbose {
        // the smallest are the easiest to understand
        shown.sort_by_key(|c| c.elements);
    }
    let more = if verbose { 0 } else { shown.len().saturating_sub(SHOWN) };
    shown.truncate(shown.len() - more);
    let mut before = None;
    for case in shown {
        print_case(case, before, cell);
        before = case.said();
    }
    if more > 0 {
        print_line(&format!("    and {} wrong (-v lists them)", count(more, "more is", "more are")));
    }
}

/// Prints a case; an error that is the one `before` it is not repeated.
fn print_case(case: &CaseReport, before: Option<&str>, cell: impl Fn(Option<f64>) -> String) {
    let label = format!("{} {}", case.operation, case.label());
    let verdict = if case.passed() { "ok" } else { "FAILED" };
    match (&case.report, case.said()) {
        (Some(r), _) => print_line(&format!(
            "    {label:<64} {:>9} {:>9} {:>9}  {verdict}",
            cell(Some(r.values.error)),
            cell(r.gradient.map(|d| d.error)),
            cell(r.second.map(|d| d.error)),
        )),
        (None, said) => {
            print_line(&format!("    {label:<64} {verdict}"));
            let said = if said == before { Some("the same error") } else { said };
            said.unwrap_or_default().lines().for_each(|line| print_line(&format!("        {line}")));
        }
    }
    if case.passed() {
        return;
    }
    if let Some(wrong) = case.report.as_ref().and_then(|r| r.wrong.as_ref()) {
        print_line(&format!("        {wrong}"));
    }
    if case.report.as_ref().is_some_and(|r| !r.same_bits) {
        print_line("        two runs differ: a race between threads, or memory that was not written");
    }
    case.ran.iter().for_each(|ran| print_line(&format!("        {}", in_words(ran))));
}

/// A kernel with its constants.
fn in_words(ran: &Ran) -> String {
    let constants: Vec<String> = ran.constants.iter().map(|(name, v)| format!("{name}={v}")).collect();
    format!("{} {}: {}", ran.version, ran.kernel, constants.join(" "))
}
