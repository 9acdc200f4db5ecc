//! `exgnet sweep`: a grid of runs.

use super::signals::{self, InOrder, STOP_LINE};
use super::train::{CommandHost, job};
use super::{Common, INTERRUPTED, print_line};
use crate::error::{Error, Result};
use crate::experiment::sweep::{Sweep, Task};
use crate::gpu::lock;
use crate::job::Begin;
use crate::run::RunFolder;
use clap::Args;
use std::ffi::OsStr;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Between two looks whether a child has ended.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// Run variants of an experiment over folds and seeds
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet sweep experiments/mitbih-ablation.toml            all that is not finished yet\n  \
                  exgnet sweep experiments/mitbih-ablation.toml --list     the tasks, one a line\n  \
                  exgnet sweep experiments/mitbih-ablation.toml --task 3   one of them\n  \
                  exgnet sweep experiments/mitbih-ablation.toml --jobs 2   two runs at once\n\n\
                  Finished runs are skipped, interrupted ones resume from their checkpoint."
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
    /// Runs at once, each in a process of its own; on a software adapter one for each core makes the most of them
    #[arg(long, value_name = "N", default_value = "1", conflicts_with_all = ["list", "task"])]
    jobs: NonZeroUsize,
    /// Folder for the runs, instead of the file's own
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stop when standard input says so or ends, as it does with the sweep that started this process
    #[arg(long, hide = true, requires = "task")]
    follow: bool,
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
    if args.follow {
        signals::follow_parent();
    } else {
        // the sweep that started a following process has written it
        sweep.write_list(&tasks)?;
    }
    if let Some(i) = args.task {
        let task = tasks.get(i).ok_or_else(|| {
            let what = format!("has no task {i}, it has {}", tasks.len());
            Error::file(&args.grid, what, "tasks count from 0; --list prints them")
        })?;
        return job(&CommandHost::new(common), &task.experiment, &task.dir, Begin::Resume);
    }
    let (elsewhere, failed): (Vec<_>, Vec<_>) =
        (if args.jobs.get() > 1 { in_processes(common, args, &tasks)? } else { one_by_one(common, &tasks) })
            .into_iter()
            .partition(|&i| RunFolder::is_under_way(&tasks[i].dir));
    if signals::is_stopped() {
        common.say("stopped; the same command resumes the runs that are not finished");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let named = |of: &[usize]| {
        of.iter().map(|&i| format!("task {i} ({})", tasks[i].dir.display())).collect::<Vec<_>>().join(", ")
    };
    if failed.is_empty() && !elsewhere.is_empty() {
        return Err(Error::data(
            args.grid.display().to_string(),
            format!(
                "{} of {} runs are under way in other processes, the others are finished: {}",
                elsewhere.len(),
                tasks.len(),
                named(&elsewhere)
            ),
            "the same command says when they are finished, and resumes them should they end before that",
        ));
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
        format!("{} of {} runs failed: {}", failed.len(), tasks.len(), named(&failed)),
        "see their messages above; the same command tries them again",
    ))
}

fn title(tasks: &[Task], i: usize) -> String {
    let task = &tasks[i];
    format!("task {i} of {}: {}, fold {}, seed {}", tasks.len(), task.variant, task.fold, task.seed)
}

/// Runs all tasks in this process; returns those that failed. One failed run does not end the others.
fn one_by_one(common: &Common, tasks: &[Task]) -> Vec<usize> {
    let mut failed = Vec::new();
    let mut host = CommandHost::new(common);
    for (i, task) in tasks.iter().enumerate() {
        common.say(title(tasks, i));
        if let Err(e) = job(&host, &task.experiment, &task.dir, Begin::Resume) {
            // should the device be the cause, the next run opens it again
            host = CommandHost::new(common);
            common.say(format!("failed: {e}"));
            failed.push(i);
        }
        if signals::is_stopped() {
            break;
        }
    }
    failed
}

/// The same in processes of their own, some at once; the cores are divided among them. A software adapter's workers wait
/// for each other at every dispatch, so runs side by side use the cores better than one run on all.
fn in_processes(common: &Common, args: &SweepArgs, tasks: &[Task]) -> Result<Vec<usize>> {
    let fail =
        |e: std::io::Error| Error::data("exgnet sweep", format!("cannot start itself: {e}"), "run with --jobs 1");
    let program = std::env::current_exe().map_err(fail)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = (cores / args.jobs).max(1).to_string();
    let mut todo = Vec::new();
    for (i, task) in tasks.iter().enumerate() {
        if !is_finished(task)? {
            todo.push(i);
        }
    }
    // the first signal stops the children, which save checkpoints
    let _in_order = InOrder::new();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let worker = || {
        while let Some(&i) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
            if signals::is_stopped() {
                break;
            }
            common.say(title(tasks, i));
            let mut command = Command::new(&program);
            command.args(common.arguments()).arg("sweep").arg(&args.grid).args([
                "--task",
                &i.to_string(),
                "--quiet",
                "--follow",
            ]);
            command.args(args.out.iter().flat_map(|out| [OsStr::new("--out"), out.as_os_str()]));
            // Mesa's software driver: threads of one process
            if std::env::var_os("LP_NUM_THREADS").is_none() {
                command.env("LP_NUM_THREADS", &share);
            }
            if common.threads == 0 {
                command.args(["--threads", &share]);
            }
            let done = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().and_then(wait);
            let interrupted = done.as_ref().is_ok_and(|s| s.code() == Some(i32::from(INTERRUPTED)));
            if interrupted {
                signals::stop();
            } else if !done.is_ok_and(|s| s.success()) {
                lock(&failed).push(i);
            }
        }
    };
    std::thread::scope(|scope| (0..args.jobs.get().min(todo.len())).for_each(|_| drop(scope.spawn(worker))));
    Ok(std::mem::take(&mut *lock(&failed)))
}

/// Waits for a child, and stops it when this process is stopped. The pipe to it stays open until it ends: should this process
/// be gone before, the child stops too.
fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if signals::is_stopped() && !asked {
            asked = true;
            // one that has just ended does not read it
            let _ = child.stdin.as_mut().map(|pipe| pipe.write_all(STOP_LINE.as_bytes()));
        }
        std::thread::sleep(POLL);
    }
}
