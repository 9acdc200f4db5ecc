//! A whole run, from an experiment to its finished folder: lock, split, training, test, files, figures. What `exgnet train`
//! and `exgnet sweep` do; a program makes a run folder with [`run`] and whatever [`Host`] it has, a [`Gpu`] being enough.
//!
//! May use: `ecg`, `error`, `eval`, `experiment`, `figures`, `files`, `gpu`, `lab`, `nn`, `plot`, `run`, `train`.
//!
//! ```no_run
//! use exgnet::experiment::Experiment;
//! use exgnet::gpu::Gpu;
//! use exgnet::job::{self, Begin};
//!
//! let experiment = Experiment::quickstart(&["train.epochs=2".into()])?;
//! job::run(&Gpu::from_env()?, &experiment, "my-run".as_ref(), Begin::New { force: false })?;
//! # Ok::<(), exgnet::Error>(())
//! ```

mod baselines;
mod checks;

use crate::ecg::Dataset;
use crate::ecg::features::FeatureScale;
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::sources::{Progress as Reading, count};
use crate::error::{Error, Result};
use crate::eval::{Tested, evaluate};
use crate::experiment::data::{self, Strips};
use crate::experiment::{Experiment, Select};
use crate::figures::catalogue::{Cause, FIGURES, NotDrawn, draw_runs};
use crate::gpu::{Forced, Gpu, ShaderSource, cpu};
use crate::lab::tune;
use crate::nn::model_file::TrainedOn;
use crate::nn::{ModelInfo, model_file};
use crate::plot::{Format, Look};
use crate::run::folder::EpochLog;
use crate::run::kernels::{Kernels, KernelsEntry};
use crate::run::lock::RunLock;
use crate::run::origin::{Origin, Part};
use crate::run::read::read_all;
use crate::run::record::{Phases, RunRecord, SplitRecord};
use crate::run::{Metrics, RunFolder};
use crate::train::batch_fit::with_batch;
use crate::train::estimate::map_length;
use crate::train::fit::{Ended, Observer, Progress, Safety};
use crate::train::{Sampler, Targets, Training};
pub use baselines::run_baselines;
pub use checks::{State, keeps_inputs, state, to_resume};
use checks::{are_same_kernels, is_same_data};
use std::path::Path;
use std::time::Instant;

/// How a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// From the start; `force` removes an earlier run.
    New {
        /// Remove an earlier run.
        force: bool,
    },
    /// Where the last checkpoint left it, from the start where there is none.
    Resume,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// With a finished folder.
    Finished {
        /// Results of the test fold; `None` without one.
        metrics: Option<Box<Metrics>>,
        /// The same of a classifier on the 17 features alone, which the network is to be compared with.
        features: Option<Box<Metrics>>,
        /// Figures that could not be drawn. A run is complete without them: `exgnet figures` draws them from its folder.
        not_drawn: Vec<NotDrawn>,
    },
    /// It was finished before, and left alone.
    Before,
    /// It was stopped, and wrote a checkpoint.
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
}

/// Reads the data set and reports to what it is given how far it is.
pub type Load<'a> = dyn FnMut(&(dyn Fn(Reading) + Sync)) -> Result<Dataset> + 'a;

/// Who runs a job: gives the device, and hears what happens. A [`Gpu`] is one that logs and never stops.
pub trait Host {
    /// The device, asked for when the run needs it.
    fn gpu(&self) -> Result<Gpu>;

    /// The kernels that the device has or will have; asked for before the device is opened.
    fn kernels(&self) -> Result<(ShaderSource, Forced)>;

    /// A line for people.
    fn say(&self, line: String) {
        log::info!("{line}");
    }

    /// What the data set holds and what was left out.
    fn data(&self, data: &Dataset) {
        data.notes.iter().for_each(|note| self.say(format!("note: {note}")));
    }

    /// Reads the data set by `load`, and shows how far it is.
    fn reading(&self, load: &mut Load<'_>) -> Result<Dataset> {
        load(&|_| {})
    }

    /// Follows the training; while it lives, a stop waits for the end of a step.
    fn observer(&self) -> Box<dyn Observer + '_> {
        Box::new(())
    }

    /// Whether the training is to stop after this step.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Find where a NaN comes from: every operation's output is read. Slow.
    fn traces_nan(&self) -> bool {
        false
    }

    /// Draw the figures at the end; `exgnet figures` draws them from the folder at any time.
    fn draws_figures(&self) -> bool {
        true
    }
}

impl Host for Gpu {
    fn gpu(&self) -> Result<Gpu> {
        Ok(self.clone())
    }

    fn kernels(&self) -> Result<(ShaderSource, Forced)> {
        Ok((self.shaders().clone(), self.forced().clone()))
    }
}

/// Appends every epoch to the log before anybody hears of it.
struct Logged<'a> {
    folder: &'a RunFolder,
    observer: Box<dyn Observer + 'a>,
}

impl Observer for Logged<'_> {
    fn step(&mut self, progress: &Progress) {
        self.observer.step(progress);
    }

    fn epoch(&mut self, log: &EpochLog) -> Result<()> {
        self.folder.append_log(log)?;
        self.observer.epoch(log)
    }
}

/// Runs an experiment into the folder `dir`. A finished run is left alone with [`Begin::Resume`].
///
/// # Errors
/// [`Error::File`] for a folder that is in use, holds another run or cannot be written; whatever keeps the data from being
/// read, the network from training or the device from working.
pub fn run(host: &dyn Host, experiment: &Experiment, dir: &Path, begin: Begin) -> Result<Outcome> {
    let start = Instant::now();
    // what a run records of its folder is where it is
    let experiment = &experiment.clone().into_folder(dir);
    let run_to_resume = || RunFolder::open(dir).ok().filter(|_| begin == Begin::Resume);
    let is_finished = |run: &Option<RunFolder>| match run {
        Some(folder) => {
            let finished = checks::is_finished(host, experiment, folder)?;
            if finished {
                host.say(format!("finished already: {}", dir.display()));
            }
            Ok(finished)
        }
        None => Ok(false),
    };
    // one that is finished is only read, and may lie where nothing can be written
    if is_finished(&run_to_resume())? {
        return Ok(Outcome::Before);
    }
    // a run to resume is read below: from here on nobody else may change it
    let mut lock = if RunFolder::open(dir).is_ok() { Some(take(host, dir)?) } else { None };
    let earlier = run_to_resume();
    if is_finished(&earlier)? {
        return Ok(Outcome::Before);
    }
    let checkpoint = match &earlier {
        Some(folder) => checks::checkpoint(experiment, folder)?,
        None => None,
    };
    let gpu = host.gpu()?;
    let adapter = gpu.report();
    host.say(adapter.title());
    let dataset = host.reading(&mut |watch| data::load(experiment, watch))?;
    host.data(&dataset);
    let division = data::divide(experiment, &dataset)?;
    let bins = map_length(experiment, dataset.classes.len(), dataset.samples())?;
    if lock.is_none() {
        lock = Some(take(host, dir)?);
    }
    let folder = match (earlier, &checkpoint) {
        (Some(folder), Some(_)) => {
            folder.clear_temporaries()?;
            folder
        }
        // cut off before its first checkpoint: it begins again
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
    record.driver = Some(adapter.driver_and_version());
    record.cpu = Some(cpu());
    record.kernels = Some(KernelsEntry::Listed(kernels.clone()));
    record.data = Some(fingerprint.clone());
    record.train_records = division.train.len();
    record.test_records = division.test.len();
    folder.write_run(&record)?;
    // from here on the first signal waits for the end of a step
    let mut observer = Logged { folder: &folder, observer: host.observer() };
    folder.write_split(&split)?;
    if let Some(folds) = &division.folds {
        folds.write(&folder.folds())?;
    }
    host.say(format!(
        "training on {}, watching {}, testing on {}",
        count(division.train.len(), "strip", "strips"),
        division.validation.len(),
        division.test.len()
    ));

    let (trained, others) = dataset.with_leads(&division.train);
    let strips = Strips::new(&trained);
    // features are of windows; a target has every lead
    let features = division.train.iter().map(|&w| &dataset.strips[w].features);
    let scale = FeatureScale::of(features.clone());
    FeatureScale::warning(features)
        .filter(|_| experiment.losses.train_only())
        .into_iter()
        .for_each(|line| host.say(line));
    let leads: Vec<usize> = division.train.iter().copied().chain(others.values().cloned().flatten()).collect();
    let targets = Targets::new(&trained, &leads, Some(&scale), experiment, bins);
    let sampler = Sampler::new(experiment, &dataset, &division.train, others);
    let training = Training {
        gpu: &gpu,
        experiment,
        strips: &strips,
        targets: &targets,
        classes: &dataset.classes,
        records: &division.train,
        sampler: &sampler,
        validation: &division.validation,
        trace: host.traces_nan(),
    };
    sampler.line().into_iter().for_each(|line| host.say(line));
    if let Some(c) = &checkpoint {
        folder.trim_log(c.epoch)?;
        host.say(format!("resuming after step {} (epoch {})", c.step, c.epoch + 1));
    }
    let path = folder.checkpoint();
    let safety = Safety { path: &path, stop: &|| host.is_stopped() };
    let in_memory = |e| with_batch(e, experiment, dataset.classes.len(), dataset.samples());
    let mut phase_begun = start;
    let mut phase_ends = || {
        let took = phase_begun.elapsed();
        phase_begun += took;
        took.as_secs_f64()
    };
    let mut phases = Phases { data: phase_ends(), ..Phases::default() };
    let ended = training.run(checkpoint, &safety, &mut observer).map_err(in_memory)?;
    drop(observer);
    let net = match ended {
        Ended::Done { net, epoch } => {
            record.selected_epoch = Some(epoch);
            net
        }
        Ended::Stopped { step, steps } => return Ok(Outcome::Stopped { step, steps }),
    };
    if let (Select::Best, Some(epoch)) = (experiment.train.select, record.selected_epoch) {
        host.say(format!("the network of epoch {epoch} is kept, the best on the strips that were watched"));
    }
    let info = ModelInfo {
        config: experiment.network.clone(),
        classes: dataset.classes.clone(),
        preprocessing: dataset.preprocessing.clone(),
        features: targets.scale().cloned(),
        trained_on: Some(TrainedOn::new(
            division.train.iter().chain(&division.validation).map(|&r| &dataset.strips[r]),
        )),
    };
    model_file::save(&folder.model(), &net, &info)?;
    phases.training = phase_ends();
    let (mut metrics, mut features) = (None, None);
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
        metrics = Some(Box::new(found.metrics));
        features = found.sanity.and_then(|sanity| sanity.features).map(Box::new);
    }
    phases.test = phase_ends();
    let not_drawn = if host.draws_figures() { draw(&folder) } else { Vec::new() };
    phases.figures = phase_ends();
    record.phases = Some(phases);
    record.finish(start.elapsed().as_secs_f64());
    folder.write_run(&record)?;
    folder.remove_checkpoint()?;
    drop(lock);
    if let Some(differ) = kernels.differences_from_built_in() {
        host.say(format!(
            "note: made with {differ}: config.toml alone does not give this run again, run.json names them"
        ));
    }
    Ok(Outcome::Finished { metrics, features, not_drawn })
}

/// Draws what `exgnet figures` draws of the folder; what fails keeps nothing else from being drawn.
fn draw(folder: &RunFolder) -> Vec<NotDrawn> {
    let failed =
        |name: &str, why: Error| vec![NotDrawn { figure: name.into(), why: why.to_string(), cause: Cause::Failed }];
    let found = match read_all(&[folder.dir().to_path_buf()]) {
        Ok(found) => found,
        Err(e) => return failed("of the run", e),
    };
    let (look, formats) = (Look::default(), [Format::Png, Format::Svg]);
    let one = |kind| {
        let drawn = draw_runs(&found, [kind], &look, &formats, &folder.figures(), &mut |_| {});
        drawn.unwrap_or_else(|e| failed(kind.stem, e))
    };
    FIGURES.iter().flat_map(one).filter(|n| n.cause == Cause::Failed).collect()
}

/// Takes the folder of a run for this process.
fn take(host: &dyn Host, dir: &Path) -> Result<RunLock> {
    let lock = RunFolder::lock(dir)?;
    if let Some(owner) = lock.left_by() {
        host.say(format!("note: {} was left by {owner}, which is no more: taken over", dir.display()));
    }
    Ok(lock)
}
