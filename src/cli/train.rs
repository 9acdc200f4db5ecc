//! `exgnet train`: the main job, from an experiment file to a run folder.

mod checks;

use super::progress::{Display, Reading};
use super::{Common, INTERRUPTED, dry_run, print_line, signals};
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::prepared::is_prepared;
use crate::ecg::{Dataset, Source, resolve};
use crate::error::{Error, Result};
use crate::eval::Tested;
use crate::eval::evaluate;
use crate::experiment::data;
use crate::experiment::data::Strips;
use crate::experiment::{Experiment, Select};
use crate::gpu::Gpu;
use crate::lab::tune;
use crate::nn::{ModelInfo, model_file};
use crate::run::RunFolder;
use crate::run::kernels::{Kernels, KernelsEntry};
use crate::run::metrics::text_table;
use crate::run::origin::{Origin, Part};
use crate::run::record::{RunRecord, SplitRecord, quoted};
use crate::train::checkpoint::Checkpoint;
use crate::train::fit::{Ended, Safety};
use crate::train::room::with_batch;
use crate::train::{Targets, Training, report};
use checks::{are_same_kernels, is_finished, is_same_data, keeps_inputs, take, to_resume};
use clap::Args;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Train EXGnet and test it on the held-out fold
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet train                                    the quick start, on synthetic ECG\n  \
                  exgnet train experiments/mitbih.toml --fold 1 --set train.epochs=10 --out results/mitbih-1\n  \
                  exgnet train experiments/chapman.toml --dry-run  parameters, memory and time of a run"
)]
pub(super) struct TrainArgs {
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
    /// Run folder to write
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resume the run in that folder at its last checkpoint, or from its start where it has none
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Find where a NaN comes from: after every operation its output is read, and the first that is no number is told with
    /// its shapes. Slow
    #[arg(long, conflicts_with = "dry_run")]
    trace_nan: bool,
    /// Check the experiment and its data, and tell parameters, memory and time, without training or making a run folder
    #[arg(long, conflicts_with_all = ["force", "resume"])]
    dry_run: bool,
    /// Print what a dry run tells as JSON on standard output
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

pub(super) fn run(common: &Common, args: &TrainArgs) -> Result<ExitCode> {
    let mut sets = args.sets.clone();
    // settings by options of their own, and how they were written
    let mut options: Vec<(String, String)> = Vec::new();
    if let Some(data) = &args.data {
        options.extend(data_sets(data)?.into_iter().map(|set| (set, format!("--data {data}"))));
    }
    let fold = |k: &String| (format!("train.fold={k}"), format!("--fold {}", k.trim_matches('"')));
    options.extend(args.fold.iter().map(fold));
    options.extend(args.seed.iter().map(|s| (format!("train.seed={s}"), format!("--seed {s}"))));
    sets.extend(options.iter().map(|(set, _)| set.clone()));
    let as_written = |e| match e {
        Error::Config { what, hint } => {
            let written =
                |text: String, (set, option): &(String, String)| text.replace(&format!("--set {set}"), option);
            Error::Config { what: options.iter().fold(what, written), hint }
        }
        other => other,
    };
    let experiment = match &args.config {
        Some(path) => Experiment::load(path, &sets),
        None => Experiment::quickstart(&sets),
    };
    let mut experiment = experiment.map_err(as_written)?;
    if args.dry_run {
        return dry_run::run(common, &experiment, args.json);
    }
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(&experiment.output.dir));
    if args.resume {
        to_resume(&dir)?;
        // whatever run is there
        if args.config.is_none() && sets.is_empty() && RunFolder::open(&dir).is_ok() {
            experiment = Experiment::load(dir.join("config.toml"), &[])?;
        }
    }
    keeps_inputs(args.config.as_deref(), &experiment, &dir)?;
    // The quick start is there to be run again and again; any other run is kept unless told otherwise.
    let again = args.config.is_none() && args.out.is_none();
    let begin = match args.resume {
        true => Begin::Resume,
        false => Begin::New { force: common.force || again },
    };
    let device = Device { trace: args.trace_nan, ..Device::new(common) };
    job(common, &device, &experiment, &dir, begin)
}

/// The GPU that several runs share; opened when the first needs it.
pub(super) struct Device<'a> {
    common: &'a Common,
    gpu: OnceCell<Gpu>,
    /// Look for the origin of a NaN.
    trace: bool,
}

impl<'a> Device<'a> {
    pub(super) fn new(common: &'a Common) -> Self {
        Self { common, gpu: OnceCell::new(), trace: false }
    }

    fn gpu(&self) -> Result<Gpu> {
        if let Some(gpu) = self.gpu.get() {
            return Ok(gpu.clone());
        }
        let gpu = self.common.gpu()?;
        Ok(self.gpu.get_or_init(|| gpu).clone())
    }
}

/// How a run begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// From the start; `force` removes an earlier run.
    New { force: bool },
    /// Where the last checkpoint left it, from the start where there is none.
    Resume,
}

/// One run, from the experiment to the finished folder. A finished one is left alone with [`Begin::Resume`].
pub(super) fn job(
    common: &Common,
    device: &Device,
    experiment: &Experiment,
    dir: &Path,
    begin: Begin,
) -> Result<ExitCode> {
    let start = Instant::now();
    let run_to_resume = || RunFolder::open(dir).ok().filter(|_| begin == Begin::Resume);
    // one that is finished is only read, and may lie where nothing can be written
    if let Some(folder) = run_to_resume()
        && is_finished(common, experiment, &folder)?
    {
        return Ok(ExitCode::SUCCESS);
    }
    // a run to go on with is read below: from here on nobody else may change it
    let mut lock = if RunFolder::open(dir).is_ok() { Some(take(common, dir)?) } else { None };
    let earlier = run_to_resume();
    if let Some(folder) = &earlier
        && is_finished(common, experiment, folder)?
    {
        return Ok(ExitCode::SUCCESS);
    }
    let checkpoint = match &earlier {
        Some(folder) if folder.checkpoint().exists() => Some(Checkpoint::read(&folder.checkpoint())?),
        _ => None,
    };
    if let Some(c) = &checkpoint
        && c.experiment != experiment.to_toml()
    {
        return Err(Error::file(
            dir.join("checkpoint.safetensors"),
            "belongs to another experiment than config.toml",
            "begin anew with --force",
        ));
    }
    let gpu = device.gpu()?;
    let adapter = gpu.report();
    common.say(format!("{} ({} {})", adapter.name, adapter.driver, adapter.driver_info));
    let dataset = data::load(&experiment.data, &experiment.guidance, &Reading::new(common.quiet).watch())?;
    tell(common, &dataset);
    let division = data::divide(experiment, &dataset)?;
    if lock.is_none() {
        lock = Some(take(common, dir)?);
    }
    let folder = match (earlier, &checkpoint) {
        (Some(folder), Some(_)) => {
            folder.clear_temporaries()?;
            folder
        }
        // cut off before its first checkpoint: it begins anew
        (earlier, _) => RunFolder::create(dir, earlier.is_some() || begin == Begin::New { force: true })?,
    };
    let fingerprint = Fingerprint::of(&dataset, &experiment.guidance);
    let split = SplitRecord::new(&dataset, &division);
    let kernels = Kernels::of(&gpu, &tune::built_in(&gpu)?);
    if checkpoint.is_some() {
        are_same_kernels(&folder, &kernels)?;
        is_same_data(&folder, &fingerprint, &split)?;
    }
    folder.write_config_of(experiment, &kernels)?;
    let mut record = RunRecord::start(experiment);
    record.adapter = Some(adapter.name.clone());
    record.driver = Some(format!("{} {}", adapter.driver, adapter.driver_info));
    record.kernels = Some(KernelsEntry::Listed(kernels.clone()));
    record.data = Some(fingerprint.clone());
    record.train_records = division.train.len();
    record.test_records = division.test.len();
    folder.write_run(&record)?;
    // from here on the first signal waits for the end of a step
    let in_order = signals::InOrder::new();
    folder.write_split(&split)?;
    if let Some(folds) = &division.folds {
        folds.write(&folder.folds())?;
    }
    common.say(format!(
        "training on {} strips, watching {}, testing on {}",
        division.train.len(),
        division.validation.len(),
        division.test.len()
    ));

    let strips = Strips::new(&dataset);
    let weights = experiment.losses.weights(experiment.network.widths.len())?;
    let bins = experiment.network.block_lengths(dataset.samples())[weights.block];
    let targets = Targets::new(&dataset, &division.train, None, &weights, &experiment.guidance, bins);
    let training = Training {
        gpu: &gpu,
        experiment,
        strips: &strips,
        targets: &targets,
        classes: &dataset.classes,
        records: &division.train,
        validation: &division.validation,
        trace: device.trace,
    };
    let mut display = Display::new(&folder, common.quiet);
    if let Some(c) = &checkpoint {
        display.log = folder.trim_log(c.epoch)?;
        common.say(format!("going on after step {} (epoch {})", c.step, c.epoch + 1));
    }
    let path = folder.checkpoint();
    let safety = Safety { path: &path, stop: &signals::is_stopped };
    let in_memory = |e| with_batch(e, experiment, dataset.classes.len(), dataset.samples());
    let ended = training.run(checkpoint, &safety, &mut display).map_err(in_memory)?;
    drop(in_order);
    let net = match ended {
        Ended::Done { net, epoch } => {
            record.selected_epoch = Some(epoch);
            net
        }
        Ended::Stopped { step, steps } => {
            drop(display);
            let mut words: Vec<String> =
                common.arguments().iter().map(|word| quoted(&word.to_string_lossy())).collect();
            words.push(format!("train --out {} --resume", quoted(&dir.display().to_string())));
            common.say(format!("stopped after step {step} of {steps}; resume with: exgnet {}", words.join(" ")));
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let log = std::mem::take(&mut display.log);
    drop(display);
    if let (Select::Best, Some(epoch)) = (experiment.train.select, record.selected_epoch) {
        common.say(format!("the network of epoch {epoch} is kept, the best on the strips that were watched"));
    }
    let info = ModelInfo {
        config: experiment.network.clone(),
        classes: dataset.classes.clone(),
        preprocessing: dataset.preprocessing.clone(),
        features: targets.scale().cloned(),
    };
    model_file::save(&folder.model(), &net, &info)?;
    let mut not_drawn = report::draw_curves(&folder, &log);
    if !division.test.is_empty() {
        let tested = Tested {
            gpu: &gpu,
            net: &net.folded()?,
            data: &dataset,
            strips: &strips,
            records: &division.test,
            train: Some(&division.train),
            scale: targets.scale(),
            experiment,
        };
        let found = evaluate(&tested, true)?;
        found.write(folder.dir(), &Origin::new(Part::Test, &fingerprint, folder.dir())?)?;
        not_drawn.extend(report::draw_confusion(&folder, &found.metrics));
        not_drawn.extend(report::draw_grad_cam(&folder, &tested, &found.predictions, experiment.output.gradcam));
        print_line(&text_table(&found.metrics));
    }
    for (figure, why) in &not_drawn {
        common.say(format!("warning: the figure {figure} is not drawn: {why}"));
    }
    record.finish(start.elapsed().as_secs_f64());
    folder.write_run(&record)?;
    folder.remove_checkpoint()?;
    drop(lock);
    if let Some(differ) = kernels.differences_from_built_in() {
        common.say(format!(
            "note: made with {differ}: config.toml alone does not give this run again, run.json names them"
        ));
    }
    common.say(format!("done in {:.1} s: {}", start.elapsed().as_secs_f64(), folder.dir().display()));
    Ok(ExitCode::SUCCESS)
}

/// Reasons that are printed one by one: many name a record's own numbers.
const MOST_REASONS: usize = 12;

/// Prints what a data set holds and what was left out.
pub(super) fn tell(common: &Common, data: &Dataset) {
    let counts: Vec<String> = data.classes.iter().zip(data.counts()).map(|(c, n)| format!("{c} {n}")).collect();
    let (seconds, fs) = (data.preprocessing.seconds, data.preprocessing.fs);
    common.say(format!("{} strips of {seconds} s at {fs} Hz: {}", data.strips.len(), counts.join(", ")));
    data.notes.iter().for_each(|n| common.say(format!("note: {n}")));
    let mut reasons: Vec<(String, usize)> = data.exclusions_by_reason().into_iter().collect();
    if reasons.len() > MOST_REASONS {
        reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    }
    for (reason, n) in reasons.iter().take(MOST_REASONS) {
        common.say(format!("left out: {n:>5}  {reason}"));
    }
    if let Some(rest) = reasons.get(MOST_REASONS..).filter(|rest| !rest.is_empty()) {
        let n: usize = rest.iter().map(|(_, n)| n).sum();
        common.say(format!("left out: {n:>5}  for {} other reasons (-v lists every record)", rest.len()));
    }
    if common.verbose {
        data.exclusions.iter().for_each(|e| common.say(format!("left out: {}: {}", e.record, e.reason)));
    }
}
