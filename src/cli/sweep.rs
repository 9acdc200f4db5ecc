//! `exgnet sweep`: a grid of runs.

use super::progress::results;
use super::signals::{self, InOrder, Resumes, STOP_LINE};
use super::train::{self, CommandHost};
use super::{Common, INTERRUPTED, print_line};
use crate::error::{Error, Result};
use crate::experiment::sweep::{Sweep, Task};
use crate::gpu::lock;
use crate::job::{self, Begin, State};
use crate::run::RunFolder;
use crate::run::folder::EpochLog;
use clap::Args;
use std::ffi::OsStr;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Between two looks whether a child has ended.
pub(super) const POLL: Duration = Duration::from_millis(20);
/// Between two looks into the log of a child's run.
const LOOK: Duration = Duration::from_secs(1);

/// What is said where a sweep ends early.
const RESUMES: &str = "the same command resumes the runs that are not finished";

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
    /// Print the tasks, numbered from 0, and where each stands: to do, under way, interrupted, finished, or why it fails
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
    /// Draw no figures of the runs; `exgnet figures DIR` draws them later
    #[arg(long)]
    no_figures: bool,
    /// Stop when standard input says so or ends, as it does with the sweep that started this process
    #[arg(long, hide = true, requires = "task")]
    follow: bool,
}

/// Where a task stands, on a line.
fn in_words(host: &CommandHost, task: &Task) -> String {
    match job::state(host, &task.experiment, &task.dir) {
        Ok(State::ToDo) => "to do".into(),
        Ok(State::UnderWay) => "under way".into(),
        Ok(State::Interrupted { epoch, epochs }) => format!("interrupted: resumes in epoch {epoch} of {epochs}"),
        Ok(State::Finished) => "finished".into(),
        Err(e) => format!("fails: {}", e.to_string().replace('\n', "; ")),
    }
}

pub(super) fn run(common: &Common, args: &SweepArgs) -> Result<ExitCode> {
    let (sweep, tasks) = Sweep::load(&args.grid, args.out.as_deref())?;
    let host = CommandHost::new(common, args.no_figures);
    if args.list {
        for (i, task) in tasks.iter().enumerate() {
            let state = in_words(&host, task);
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
        return train::job(&host, &task.experiment, &task.dir, Begin::Resume);
    }
    let _resumes = Resumes::new(|| Some(RESUMES.into()));
    let (elsewhere, failed): (Vec<_>, Vec<_>) =
        (if args.jobs.get() > 1 { in_processes(common, args, &tasks)? } else { one_by_one(common, args, &tasks) })
            .into_iter()
            .partition(|&i| RunFolder::is_under_way(&tasks[i].dir));
    if signals::is_stopped() {
        common.say(format!("stopped; {RESUMES}"));
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
fn one_by_one(common: &Common, args: &SweepArgs, tasks: &[Task]) -> Vec<usize> {
    let mut failed = Vec::new();
    let mut host = CommandHost::new(common, args.no_figures);
    for (i, task) in tasks.iter().enumerate() {
        common.say(title(tasks, i));
        if let Err(e) = train::job(&host, &task.experiment, &task.dir, Begin::Resume) {
            // should the device be the cause, the next run opens it again
            host = CommandHost::new(common, args.no_figures);
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
    let host = CommandHost::new(common, args.no_figures);
    for (i, task) in tasks.iter().enumerate() {
        // one that fails says why
        if !matches!(job::state(&host, &task.experiment, &task.dir), Ok(State::Finished)) {
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
            if args.no_figures {
                command.arg("--no-figures");
            }
            // Mesa's software driver: threads of one process
            if std::env::var_os("LP_NUM_THREADS").is_none() {
                command.env("LP_NUM_THREADS", &share);
            }
            if common.threads == 0 {
                command.args(["--threads", &share]);
            }
            let mut epochs = Epochs::new(common, i, &tasks[i]);
            let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
            let done = child.and_then(|child| wait(child, || epochs.look()));
            epochs.print();
            let interrupted = done.as_ref().is_ok_and(|s| s.code() == Some(i32::from(INTERRUPTED)));
            if interrupted {
                signals::stop();
            } else if done.is_ok_and(|s| s.success()) {
                common.say(format!("task {i}: finished"));
            } else {
                lock(&failed).push(i);
            }
        }
    };
    std::thread::scope(|scope| (0..args.jobs.get().min(todo.len())).for_each(|_| drop(scope.spawn(worker))));
    Ok(std::mem::take(&mut *lock(&failed)))
}

/// Prints the epochs of a run in another process as its log has them.
struct Epochs<'a> {
    common: &'a Common,
    i: usize,
    task: &'a Task,
    /// Epochs of the log that were there before, or were printed.
    seen: usize,
    looked: Instant,
}

impl<'a> Epochs<'a> {
    fn new(common: &'a Common, i: usize, task: &'a Task) -> Self {
        let mut all = Self { common, i, task, seen: 0, looked: Instant::now() };
        all.seen = all.log().len();
        all
    }

    /// The log; empty where there is none yet.
    fn log(&self) -> Vec<EpochLog> {
        RunFolder::open(&self.task.dir).and_then(|folder| folder.read_log()).unwrap_or_default()
    }

    /// Prints what is new, now and then.
    fn look(&mut self) {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.print();
        }
    }

    fn print(&mut self) {
        let log = self.log();
        // a run that resumes shortens it to its checkpoint
        for epoch in &log[self.seen.min(log.len())..] {
            let of = self.task.experiment.train.epochs;
            self.common.say(format!("task {}: epoch {:>3} of {of}  {}", self.i, epoch.epoch, results(epoch)));
        }
        self.seen = log.len();
    }
}

/// Waits for a child, and stops it when this process is stopped; `look` is called again and again. The pipe to it stays open until
/// it ends: should this process be gone before, the child stops too.
fn wait(mut child: Child, mut look: impl FnMut()) -> std::io::Result<ExitStatus> {
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        look();
        if signals::is_stopped() && !asked {
            asked = true;
            // one that has just ended does not read it
            let _ = child.stdin.as_mut().map(|pipe| pipe.write_all(STOP_LINE.as_bytes()));
        }
        std::thread::sleep(POLL);
    }
}
