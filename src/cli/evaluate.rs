//! `exgnet evaluate`: a model's metrics on a data set.

use super::progress::reading;
use super::train::print_data;
use super::{Common, model, print_found, print_line};
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::prepared::{self, is_prepared};
use crate::ecg::sources::count;
use crate::ecg::{Dataset, Difference, SplitKind, resolve};
use crate::error::{Error, Result};
use crate::eval::{Tested, evaluate, randomise};
use crate::experiment::data::{self, Strips};
use crate::experiment::{Experiment, SourceList};
use crate::files::write_json;
use crate::nn::ModelInfo;
use crate::run::RunFolder;
use crate::run::metrics::text_table;
use crate::run::origin::{self, Of, Origin};
use crate::run::randomised::Randomised;
use clap::{Args, ValueEnum};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Test a model on a data set
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet evaluate --model results/quickstart                     its own test fold\n  \
                  exgnet evaluate --model results/mitbih --data wfdb:ludb --json\n  \
                  exgnet evaluate --model results/mitbih --out results/mitbih    all the files that `train` writes of a test\n\n\
                  Keys of metrics.json: classes, records, confusion (true classes in rows), accuracy, macro_f1, macro_sensitivity, \
                  macro_specificity, macro_auroc, absent_classes, per_class (by class: sensitivity, specificity, ppv, f1, auroc, support, \
                  training), baseline (accuracy, macro_f1), explanation (ncc, energy, pointing, deletion_auc, insertion_auc), calibration \
                  (ece, brier), databases (where there are several: name, records, patients, macro_f1, accuracy, f1, ncc, pointing, \
                  ncc_intervals, calibration), part, data, trained_on (patients that training had too; not there for none). What was \
                  not computed is null. A key keeps its name and meaning; new ones may come."
)]
pub(super) struct EvaluateArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// A prepared file, a source such as mitbih:PATH, or an experiment file whose [data] is meant; without it the run
    /// folder's own
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Only these records (ids, separated by commas)
    #[arg(long, value_name = "IDS", value_delimiter = ',', conflicts_with = "split")]
    records: Vec<String>,
    /// Only this part of the run's division; `test` is what a run folder gives without --data
    #[arg(long)]
    split: Option<Part>,
    /// Print metrics.json on standard output
    #[arg(long)]
    json: bool,
    /// Also compare the maps with those of the network as its parts take random weights, from the output backwards, over at
    /// most 64 records: what does not depend on what was learned stays alike. With --out also randomised.json
    #[arg(long)]
    randomise: bool,
    /// Folder for metrics.json, explanation.json, sanity.json, predictions.csv, explanations.safetensors and cost.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Train,
    Test,
    All,
}

/// The data set that `--data` (or the run folder) means. A source is read as the model needs it; strips that were made in
/// another way are refused.
pub(super) fn load(common: &Common, model: &Path, data: Option<&str>, info: &ModelInfo) -> Result<Dataset> {
    let wanted = &info.preprocessing;
    let experiment = match data {
        None => RunFolder::open(run_dir(model)?)?.read_config(&[])?,
        Some(text) if is_prepared(&resolve(text.as_ref())) => {
            let set = prepared::read(&resolve(text.as_ref()))?;
            let different = set.differences(wanted);
            let options: Vec<String> = different.iter().map(Difference::option).collect();
            model::refuse(text, &different, format!("prepare it again with {}", options.join(" ")))?;
            return Ok(set);
        }
        Some(text) if Path::new(text).is_file() => Experiment::load(text, &[])?,
        Some(text) => {
            // A source: its records keep their classes however few they are. Nothing is divided; by patient is the
            // one way that every source allows.
            let mut e = Experiment::default();
            e.data.source = SourceList::One(text.to_string());
            e.data.min_class = 0;
            e.data.split = SplitKind::Grouped;
            let data = &mut e.data;
            (data.classes, data.lead) = (wanted.scheme.clone(), wanted.lead.clone());
            (data.fs, data.seconds) = (wanted.fs, wanted.seconds);
            (data.clean, data.mains, data.detector) = (wanted.clean, wanted.mains, wanted.detector);
            e.validate()?;
            e
        }
    };
    let name = data.unwrap_or("config.toml of the run");
    let check = |different: &[Difference]| {
        let keys: Vec<String> = different.iter().map(|d| format!("data.{} = {}", d.data_key(), d.wanted)).collect();
        let hint = "set {}, or name the source itself (--data KIND:PATH): it is read as the model needs it";
        model::refuse(name, different, hint.replace("{}", &keys.join(", ")))
    };
    let mut different = wanted.differences(&experiment.data.load_options().preprocessing());
    // whether detected R peaks are there is known when the strips are
    different.retain(|d| d.key != "detector");
    check(&different)?;
    let set = data::load(&experiment, &reading(common.quiet))?;
    check(&set.differences(wanted))?;
    Ok(set)
}

pub(super) fn run_dir(model: &Path) -> Result<&Path> {
    let dir = if model.is_dir() { Some(model) } else { model.parent() };
    dir.filter(|d| d.join("config.toml").is_file()).ok_or_else(|| {
        Error::file(
            model,
            "is not in a run folder, so that there is no data set of its own",
            "name one with --data, for instance --data mitbih:mitdb",
        )
    })
}

/// Keeps the records whose class the model knows, numbered as the model numbers them.
pub(super) fn to_model_classes(common: &Common, mut set: Dataset, classes: &[String]) -> Dataset {
    let map: Vec<Option<usize>> = set.classes.iter().map(|c| classes.iter().position(|m| m == c)).collect();
    for ((name, n), known) in set.classes.iter().zip(set.counts()).zip(&map) {
        if known.is_none() && n > 0 {
            common.say(format!(
                "left out: {:>10}  class {name}, which the model does not know",
                count(n, "strip", "strips")
            ));
        }
    }
    set.strips.retain_mut(|s| map[s.label].map(|label| s.label_as(label)).is_some());
    set.classes = classes.to_vec();
    set
}

/// What the results will be of. Data that is not the run's is noted, and results go to no folder where they would pass for
/// others.
fn origin(common: &Common, args: &EvaluateArgs, part: Part, data: &Fingerprint) -> Result<Origin> {
    let tested = match part {
        _ if !args.records.is_empty() => origin::Part::Records,
        Part::Train => origin::Part::Train,
        Part::Test => origin::Part::Test,
        Part::All => origin::Part::All,
    };
    let origin = Origin::new(tested, data, &args.model)?;
    let run = run_dir(&args.model).ok();
    let trained = match run {
        Some(dir) => RunFolder::open(dir)?.read_run()?.and_then(|record| record.data),
        None => None,
    };
    if run.is_some() && trained.is_none() && args.data.is_none() {
        common.say(
            "note: the run does not record the data that it was trained on: whether this is the same was not compared",
        );
    }
    let differ = trained.as_ref().map(|trained| trained.differences(data));
    let own_data = differ.as_ref().map_or(args.data.is_none(), Vec::is_empty);
    if let Some(differ) = differ.filter(|d| !d.is_empty() && (args.data.is_none() || part != Part::All)) {
        common.say(format!(
            "note: this is not the data set that the run was trained on: its {} differ",
            differ.join(", ")
        ));
    }
    if let Some(dir) = &args.out {
        origin.may_go_to(dir, &args.model, run, own_data)?;
    }
    Ok(origin)
}

pub(super) fn run(common: &Common, args: &EvaluateArgs) -> Result<()> {
    let model = model::load(common, &args.model)?;
    let set = load(common, &args.model, args.data.as_deref(), &model.info)?;
    print_data(common, &set);
    let part =
        args.split.unwrap_or(if args.data.is_none() && args.records.is_empty() { Part::Test } else { Part::All });
    let mut origin = origin(common, args, part, &Fingerprint::of(&set, &set.guidance))?;
    let set = to_model_classes(common, set, &model.info.classes);
    let mut training = None;
    let mut records: Vec<usize> = (0..set.strips.len()).collect();
    if part != Part::All || args.data.is_none() {
        let split = RunFolder::open(run_dir(&args.model)?)?.read_split()?;
        let of = |ids: &[String]| {
            let ids: HashSet<&String> = ids.iter().collect();
            (0..set.strips.len()).filter(|&r| ids.contains(&set.strips[r].id)).collect::<Vec<_>>()
        };
        let train = training.insert(of(&split.train));
        match part {
            Part::Train => records.clone_from(train),
            Part::Test => records = of(&split.test),
            Part::All => {}
        }
    }
    if !args.records.is_empty() {
        if let Some(id) = args.records.iter().find(|id| !set.strips.iter().any(|s| s.id == **id)) {
            let example = set.strips.first().map_or(String::new(), |s| format!(", such as {}", s.id));
            return Err(Error::data(
                id,
                "no record of this name in the data set",
                format!("ids are those of predictions.csv{example}"),
            ));
        }
        records.retain(|&r| args.records.contains(&set.strips[r].id));
    }
    let trained = model.info.trained_on.as_ref();
    let known = trained.map(|trained| trained.among(records.iter().map(|&r| &set.strips[r])));
    origin.trained_on = known.filter(|n| *n > 0);
    if let Some(n) = origin.trained_on {
        common.say(format!(
            "note: the model was trained on {n} of the patients that it is tested on: it may know them by heart"
        ));
    }
    let gpu = common.gpu()?;
    let net = model.network(&gpu)?.folded()?;
    let strips = Strips::new(&set);
    // the maps are those that the run guided, if it is a run
    let experiment = match run_dir(&args.model).and_then(RunFolder::open) {
        Ok(folder) => folder.read_config(&[])?,
        Err(_) => Experiment::default(),
    };
    let tested = Tested {
        gpu: &gpu,
        net: &net,
        data: &set,
        strips: &strips,
        records: &records,
        train: training.as_deref(),
        scale: model.info.features.as_ref(),
        experiment: &experiment,
    };
    let found = evaluate(&tested, args.out.is_some())?;
    if let Some(dir) = &args.out {
        found.write(dir, &origin)?;
    }
    let randomised = if args.randomise { Some(randomise(&tested)?) } else { None };
    if let (Some(dir), Some(content)) = (&args.out, &randomised) {
        write_json(&dir.join(Randomised::FILE), &Of { content, origin: &origin })?;
    }
    let metrics = Of { content: &found.metrics, origin: &origin };
    let features = found.sanity.as_ref().and_then(|sanity| sanity.features.as_ref());
    print_found(args.json, &metrics, || print_line(&text_table(&found.metrics, features)));
    if let Some(found) = randomised {
        match args.json {
            true => common.say(found.text_table().trim_end()),
            false => print_line(found.text_table().trim_end()),
        }
    }
    Ok(())
}
