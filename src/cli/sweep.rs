//! `exgnet sweep`: a grid of runs.

use super::train::{Begin, Device, INTERRUPTED, STOP, job};
use super::{Common, print_line};
use crate::error::{Error, Result};
use crate::train::RunFolder;
use crate::train::sweep::{Sweep, Task};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// Run variants of an experiment over folds and seeds
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet sweep experiments/mitbih-ablation.toml            all that is not finished yet\n  \
                  exgnet sweep experiments/mitbih-ablation.toml --list     the tasks, one a line\n  \
                  exgnet sweep experiments/mitbih-ablation.toml --task 3   one of them\n\n\
                  Finished runs are skipped, interrupted ones go on from their checkpoint."
)]
pub(super) struct SweepArgs {
    /// Sweep file
    grid: PathBuf,
    /// Print the tasks, numbered from 0, and whether they are finished
    #[arg(long)]
    list: bool,
    /// Run this task only
    #[arg(long, value_name = "N", conflicts_with = "list")]
    task: Option<usize>,
    /// Folder for the runs, instead of the file's own
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn is_finished(task: &Task) -> Result<bool> {
    RunFolder::open(&task.dir).map_or(Ok(false), |folder| folder.is_finished())
}

pub(super) fn run(common: &Common, args: &SweepArgs) -> Result<ExitCode> {
    let (sweep, tasks) = Sweep::load(&args.grid, args.out.as_deref())?;
    if args.list {
        for (i, task) in tasks.iter().enumerate() {
            let state = if is_finished(task)? { "finished" } else { "to do" };
            print_line(&format!("{i}\t{}\tfold {}\tseed {}\t{state}", task.variant, task.fold, task.seed));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(i) = args.task {
        let task = tasks.get(i).ok_or_else(|| {
            let what = format!("has no task {i}, it has {}", tasks.len());
            Error::file(&args.grid, what, "tasks count from 0; --list prints them")
        })?;
        return job(common, &Device::new(common), &task.experiment, &task.dir, Begin::Resume);
    }
    let mut failed = Vec::new();
    let mut device = Device::new(common);
    for (i, task) in tasks.iter().enumerate() {
        common.say(format!("task {i} of {}: {}, fold {}, seed {}", tasks.len(), task.variant, task.fold, task.seed));
        if let Err(e) = job(common, &device, &task.experiment, &task.dir, Begin::Resume) {
            // one failed run does not end the others; should the device be the cause, the next run opens it anew
            device = Device::new(common);
            common.say(format!("failed: {e}"));
            failed.push(format!("task {i} ({})", task.dir.display()));
        }
        if STOP.load(Ordering::Relaxed) {
            common.say("stopped; the same command goes on");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    if failed.is_empty() {
        common.say(format!(
            "all {} runs are finished; their tables: exgnet collect {}",
            tasks.len(),
            sweep.out.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::data(
        args.grid.display().to_string(),
        format!("{} of {} runs failed: {}", failed.len(), tasks.len(), failed.join(", ")),
        "see their messages above; the same command tries them again",
    ))
}
