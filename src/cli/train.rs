//! `exgnet train`: the main job, from an experiment file to a run folder.

use super::progress::{Display, reading};
use super::signals::{self, Resumes};
use super::watch::Watch;
use super::{Common, INTERRUPTED, dry_run, print_line};
use crate::ecg::exclusions::{in_units, lines_of, most_first};
use crate::ecg::labels::Scheme;
use crate::ecg::prepared::is_prepared;
use crate::ecg::sources::count;
use crate::ecg::{Dataset, Source, Strip, resolve};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::figures::catalogue::NotDrawn;
use crate::gpu::{Forced, Gpu, ShaderSource};
use crate::job::{self, Begin, Host, Outcome};
use crate::run::RunFolder;
use crate::run::metrics::text_table;
use crate::run::record::quoted;
use crate::train::Observer;
use clap::Args;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

// an experiment, and what is changed of it: a doc comment would take the place of the command's
#[derive(Args)]
pub(super) struct ExperimentArgs {
    /// Experiment file; without one the built-in quick start (experiments/quickstart.toml)
    config: Option<PathBuf>,
    /// Data instead of the experiment's: a prepared file, or a source such as mitbih:mitdb
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Change one setting of the experiment, for instance train.epochs=3 or network.head=mlp; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Test fold, from 0; `all` trains on every record and tests on none
    #[arg(long, value_name = "K|all", value_parser = fold)]
    fold: Option<String>,
    /// Seed of starting weights, order of records and dropout
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Train EXGnet and test it on the held-out fold
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet train                                    the quick start, on synthetic ECG\n  \
                  exgnet train experiments/mitbih.toml --fold 1 --set train.epochs=10 --out results/mitbih-1\n  \
                  exgnet train experiments/chapman.toml --dry-run  parameters, memory and steps of a run\n\n\
                  Sources (data.source, test.sources): mitbih:DIR, wfdb:DIR, cinc2017:DIR, csv:FILE, muse:DIR, table:DIR or\n\
                  table:FILE.csv (records with a table of labels), synthetic; `exgnet prepare --help` says what each is."
)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    chosen: ExperimentArgs,
    /// Run folder to write
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resume the run in that folder at its last checkpoint, or from its start where it has none
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Find where a NaN comes from: after every operation its output is read, and the first that is not finite is reported
    /// with its shapes. Slow
    #[arg(long, conflicts_with = "dry_run")]
    trace_nan: bool,
    /// Draw no figures at the end; `exgnet figures DIR` draws them later
    #[arg(long)]
    no_figures: bool,
    /// Check the experiment and its data, and print parameters, memory and steps, without training or making a run folder; how long
    /// a step takes is measured by `exgnet profile`
    #[arg(long, conflicts_with_all = ["force", "resume"])]
    dry_run: bool,
    /// Print what a dry run reports as JSON on standard output
    #[arg(long, requires = "dry_run")]
    json: bool,
}

fn fold(text: &str) -> std::result::Result<String, String> {
    match text {
        "all" => Ok("\"all\"".into()),
        _ => text.parse::<usize>().map(|k| k.to_string()).map_err(|_| "expected a number from 0, or all".into()),
    }
}

/// The settings that `--data` stands for.
fn data_sets(data: &str) -> Result<Vec<String>> {
    let text = |key: &str, value: &str| format!("{key}={}", toml::Value::from(value));
    if !is_prepared(&resolve(data.as_ref())) {
        let source: Source = data.parse()?;
        return Ok(vec![text("data.prepared", ""), text("data.source", &source.to_string())]);
    }
    Ok(vec![text("data.prepared", data)])
}

impl ExperimentArgs {
    /// Nothing was chosen: the quick start as it is.
    fn is_untouched(&self) -> bool {
        let Self { config, data, sets, fold, seed } = self;
        config.is_none() && data.is_none() && sets.is_empty() && fold.is_none() && seed.is_none()
    }

    /// The experiment; an error names an option as it was written.
    pub(super) fn experiment(&self) -> Result<Experiment> {
        let mut sets = self.sets.clone();
        // settings by options of their own, and how they were written
        let mut options: Vec<(String, String)> = Vec::new();
        if let Some(data) = &self.data {
            options.extend(data_sets(data)?.into_iter().map(|set| (set, format!("--data {data}"))));
        }
        let fold = |k: &String| (format!("train.fold={k}"), format!("--fold {}", k.trim_matches('"')));
        options.extend(self.fold.iter().map(fold));
        options.extend(self.seed.iter().map(|s| (format!("train.seed={s}"), format!("--seed {s}"))));
        sets.extend(options.iter().map(|(set, _)| set.clone()));
        let as_written = |e| match e {
            Error::Config { what, hint } => {
                let written =
                    |text: String, (set, option): &(String, String)| text.replace(&format!("--set {set}"), option);
                Error::Config { what: options.iter().fold(what, written), hint }
            }
            other => other,
        };
        Experiment::load_or_quickstart(self.config.as_deref(), &sets).map_err(as_written)
    }
}

pub(super) fn run(common: &Common, args: &TrainArgs) -> Result<ExitCode> {
    let mut experiment = args.chosen.experiment()?;
    let ExperimentArgs { config, .. } = &args.chosen;
    if args.dry_run {
        return dry_run::run(common, &experiment, args.json).map(|()| ExitCode::SUCCESS);
    }
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(&experiment.output.dir));
    if args.resume {
        job::to_resume(&dir)?;
        // whatever run is there
        if args.chosen.is_untouched() && RunFolder::open(&dir).is_ok() {
            experiment = RunFolder::open(&dir)?.read_config(&[])?;
        }
    }
    job::keeps_inputs(config.as_deref(), &experiment, &dir)?;
    // The quick start is there to be run again and again; any other run is kept without `--force`.
    let again = config.is_none() && args.out.is_none();
    if again && !args.resume && !common.force && RunFolder::open(&dir).is_ok() {
        common.say(format!("note: the earlier quick start in {} is replaced; --out DIR keeps it", dir.display()));
    }
    let begin = match args.resume {
        true => Begin::Resume,
        false => Begin::New { force: common.force || again },
    };
    let host = CommandHost { traces_nan: args.trace_nan, ..CommandHost::new(common, args.no_figures) };
    job(&host, &experiment, &dir, begin)
}

/// The command line as host of runs. Its device is opened when the first run needs it, and shared by those that follow.
pub(super) struct CommandHost<'a> {
    common: &'a Common,
    gpu: OnceCell<Gpu>,
    watch: OnceCell<Watch>,
    traces_nan: bool,
    no_figures: bool,
}

impl<'a> CommandHost<'a> {
    pub(super) fn new(common: &'a Common, no_figures: bool) -> Self {
        Self { common, gpu: OnceCell::new(), watch: OnceCell::new(), traces_nan: false, no_figures }
    }
}

impl Host for CommandHost<'_> {
    fn gpu(&self) -> Result<Gpu> {
        if let Some(gpu) = self.gpu.get() {
            return Ok(gpu.clone());
        }
        let gpu = self.common.gpu()?;
        self.watch.get_or_init(|| Watch::of_a_stop(&gpu));
        Ok(self.gpu.get_or_init(|| gpu).clone())
    }

    fn kernels(&self) -> Result<(ShaderSource, Forced)> {
        Ok((self.common.shader_source()?, Forced::parse(&self.common.kernels)?))
    }

    fn say(&self, line: String) {
        self.common.say(line);
    }

    fn data(&self, data: &Dataset) {
        print_data(self.common, data);
    }

    fn reading(&self, load: &mut job::Load<'_>) -> Result<Dataset> {
        load(&reading(self.common.quiet))
    }

    fn observer(&self) -> Box<dyn Observer + '_> {
        Box::new(Display::new(self.common.quiet))
    }

    fn is_stopped(&self) -> bool {
        signals::is_stopped()
    }

    fn traces_nan(&self) -> bool {
        self.traces_nan
    }

    fn draws_figures(&self) -> bool {
        !self.no_figures
    }
}

/// One run, from the experiment to the finished folder, and what is printed about it.
pub(super) fn job(host: &CommandHost, experiment: &Experiment, dir: &Path, begin: Begin) -> Result<ExitCode> {
    let (common, start) = (host.common, Instant::now());
    let mut words: Vec<String> = common.arguments().iter().map(|word| quoted(&word.to_string_lossy())).collect();
    let figures = if host.no_figures { " --no-figures" } else { "" };
    words.push(format!("train --out {} --resume{figures}", quoted(&dir.display().to_string())));
    let resume = format!("exgnet {}", words.join(" "));
    let (at, command) = (dir.to_path_buf(), resume.clone());
    let _resumes = Resumes::new(move || how_to_resume(&at, &command));
    match job::run(host, experiment, dir, begin)? {
        Outcome::Before => Ok(ExitCode::SUCCESS),
        Outcome::Stopped { step, steps } => {
            common.say(format!("stopped after step {step} of {steps}; resume with: {resume}"));
            Ok(ExitCode::from(INTERRUPTED))
        }
        Outcome::Finished { metrics, features, not_drawn } => {
            metrics.iter().for_each(|metrics| print_line(&text_table(metrics, features.as_deref())));
            for NotDrawn { figure, why, .. } in &not_drawn {
                common.say(format!("warning: the figure {figure} is not drawn: {why}"));
            }
            common.say(format!("done in {:.1} s: {}", start.elapsed().as_secs_f64(), dir.display()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// How a run that is ended at once resumes; `None` where none was begun.
fn how_to_resume(dir: &Path, command: &str) -> Option<String> {
    let folder = RunFolder::open(dir).ok()?;
    folder.read_run().ok()?.filter(|record| record.end.is_none())?;
    Some(match folder.checkpoint().exists() {
        true => format!("resume at the last checkpoint with: {command}"),
        false => format!("there is no checkpoint; the run begins again with: {command}"),
    })
}

/// Reasons that are printed one by one: many name a record's own numbers.
const MOST_REASONS: usize = 12;

/// Prints what a data set holds and what was left out.
pub(super) fn print_data(common: &Common, data: &Dataset) {
    let (seconds, fs) = (data.preprocessing.seconds, data.preprocessing.fs);
    let line = |strips: &[Strip], what: &str| {
        let of = |class: usize| strips.iter().filter(|s| s.label == class).count();
        let counts: Vec<String> = data.classes.iter().enumerate().map(|(i, c)| format!("{c} {}", of(i))).collect();
        let all = count(strips.len(), "strip", "strips");
        common.say(format!("{all} of {seconds} s at {fs} Hz{what}: {}", counts.join(", ")));
    };
    let (pool, tests) = data.strips.split_at(data.pool().len());
    line(pool, "");
    if !tests.is_empty() {
        line(tests, " that only test");
    }
    Scheme::spelled(&data.classes).iter().for_each(|names| common.say(format!("classes: {names}")));
    let leads: usize = data.strips.iter().map(|s| s.others.len()).sum();
    if leads > 0 {
        common.say(format!("{} of other leads of them", count(leads, "strip", "strips")));
    }
    data.notes.iter().for_each(|n| common.say(format!("note: {n}")));
    let mut reasons = most_first(&data.exclusions);
    let rest = reasons.split_off(reasons.len().min(MOST_REASONS));
    for (reason, of) in reasons {
        let lines = lines_of(&of);
        common.say(format!("left out: {:>10}  {reason}{lines}", in_units(of)));
    }
    if !rest.is_empty() {
        let why = count(rest.len(), "other reason", "other reasons");
        let all = in_units(rest.into_iter().flat_map(|(_, of)| of));
        common.say(format!("left out: {all:>10}  for {why} (-v lists every record)"));
    }
    if common.verbose {
        data.exclusions
            .iter()
            .for_each(|e| common.say(format!("left out: {} ({}): {}", e.record, in_units([e]), e.why())));
    }
}
