//! `exgnet check`: every operation against its f64 oracle on this adapter, to second order.

use super::{Common, print_json, print_line};
use crate::error::{Error, Result};
use crate::lab::check::{Deviation, Report, check_case};
use crate::ops::REGISTRY;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

/// Check operations on this adapter: values, first and second derivatives, equal bits when run twice
#[derive(Args)]
#[command(after_help = "Example: exgnet check conv1d batch_norm")]
pub(super) struct CheckArgs {
    /// Operations; all of them if none is named
    #[arg(value_name = "OP")]
    ops: Vec<String>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    op: &'static str,
    passed: bool,
    cases: Vec<Report>,
}

impl Row {
    /// Worst error of one kind over the cases; `None` where no case has it.
    fn worst(&self, of: impl Fn(&Report) -> Option<Deviation>) -> Option<f64> {
        self.cases.iter().filter_map(|c| of(c).map(|d| d.error)).reduce(f64::max)
    }
}

pub(super) fn run(common: &Common, args: &CheckArgs) -> Result<ExitCode> {
    if let Some(unknown) = args.ops.iter().find(|o| !REGISTRY.iter().any(|r| r.name == **o)) {
        let names: Vec<&str> = REGISTRY.iter().map(|r| r.name).collect();
        return Err(Error::config(format!("no operation '{unknown}'"), format!("known are {}", names.join(", "))));
    }
    let gpu = common.gpu()?;
    common.say(format!("checking on {} ({})", gpu.report().name, gpu.report().driver_info));
    if !args.json {
        print_line(&format!(
            "{:<20} {:>5}  {:>9} {:>9} {:>9}  {:<5}  ",
            "operation", "cases", "values", "first", "second", "bits"
        ));
    }
    let mut rows = Vec::new();
    for op in REGISTRY.iter().filter(|r| args.ops.is_empty() || args.ops.iter().any(|o| o == r.name)) {
        let cases = (op.cases)().iter().map(|c| check_case(&gpu, c)).collect::<Result<Vec<_>>>()?;
        let row = Row { op: op.name, passed: cases.iter().all(Report::passed), cases };
        if !args.json {
            print_row(&row, common.verbose);
        }
        rows.push(row);
    }
    let failed = rows.iter().filter(|r| !r.passed).count();
    if args.json {
        print_json(&rows, true);
    } else {
        print_line("worst absolute error against the f64 oracle; '-': the operation has no derivative");
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::gpu(
        format!("{failed} of {} operations are wrong on this adapter", rows.len()),
        "do not train on it; if you edited a shader, look there first (-v lists the cases)",
    ))
}

fn print_row(row: &Row, verbose: bool) {
    let cell = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.1e}"));
    let same = if row.cases.iter().all(|c| c.same_bits) { "same" } else { "DIFFER" };
    print_line(&format!(
        "{:<20} {:>5}  {:>9} {:>9} {:>9}  {same:<5}  {}",
        row.op,
        row.cases.len(),
        cell(row.worst(|c| Some(c.values))),
        cell(row.worst(|c| c.gradient)),
        cell(row.worst(|c| c.second)),
        if row.passed { "ok" } else { "FAILED" }
    ));
    for case in row.cases.iter().filter(|c| verbose || !c.passed()) {
        print_line(&format!(
            "    {:<60} {:>9} {:>9} {:>9}  {}",
            case.label,
            cell(Some(case.values.error)),
            cell(case.gradient.map(|d| d.error)),
            cell(case.second.map(|d| d.error)),
            if case.passed() { "ok" } else { "FAILED" }
        ));
    }
}
