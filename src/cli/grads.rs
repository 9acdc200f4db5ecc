//! `exgnet grads`: loss terms and gradients of chosen records, to compare this engine with another.

use super::evaluate::{load, run_dir, to_model_classes};
use super::train::print_data;
use super::{Common, model, print_found, print_line};
use crate::autograd::grad;
use crate::ecg::Dataset;
use crate::error::{Error, Result};
use crate::experiment::data::Strips;
use crate::experiment::{Experiment, LossConfig};
use crate::files::write_atomically;
use crate::nn::Outline;
use crate::nn::params::NamedTensor;
use crate::nn::{Mode, model_file};
use crate::run::RunFolder;
use crate::tensor::Tensor;
use crate::train::Targets;
use crate::train::losses::{Terms, losses};
use clap::Args;
use std::path::PathBuf;

/// Write loss terms and every parameter's gradient for chosen records
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet grads --model results/quickstart --data set.safetensors --records 0,1,2,3 \
                        --out grads.safetensors --json\n  \
                        exgnet grads --model results/quickstart --data set.safetensors --records 0,1 \
                        --set losses.target_layer=blocks.1 --train-mode --out grads.safetensors\n\n\
                        Dropout is off. The weights of the terms are the run's (or the defaults), changed by --set."
)]
pub(super) struct GradsArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// A prepared file, a source such as mitbih:PATH, or an experiment file; without it the run folder's own
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Records, by number from 0 in the data set or by id, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    records: Vec<String>,
    /// Change a setting, for instance losses.xai=1 or guidance.tolerance=0.2; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// BatchNorm with the batch's statistics instead of the running estimates
    #[arg(long)]
    train_mode: bool,
    /// The gradients, a tensor for each parameter under its name
    #[arg(long, value_name = "G.safetensors")]
    out: PathBuf,
    /// Print the terms as JSON
    #[arg(long)]
    json: bool,
}

/// Indices of the records that were asked for.
fn chosen(set: &Dataset, records: &[String]) -> Result<Vec<usize>> {
    let find = |text: &String| {
        let number = text.parse::<usize>().ok().filter(|&i| i < set.strips.len());
        number.or_else(|| set.strips.iter().position(|s| s.id == *text)).ok_or_else(|| {
            let example = set.strips.first().map_or("", |s| s.id.as_str());
            Error::data(
                text,
                format!("no such record among {}", set.strips.len()),
                format!("give numbers from 0 to {} or ids such as {example}", set.strips.len().saturating_sub(1)),
            )
        })
    };
    records.iter().map(find).collect()
}

/// The loss terms are what can be set: network and strips are the model's, and nothing is trained.
fn apply(sets: &[String]) -> Result<()> {
    let of_terms = |set: &&String| ["losses.", "guidance."].iter().any(|table| set.trim_start().starts_with(table));
    match sets.iter().find(|set| !of_terms(set)) {
        None => Ok(()),
        Some(set) => Err(Error::config(
            format!("--set {set}: does not apply to gradients, expected a key of losses or guidance"),
            "network and strips are those of the model; another data set is named with --data",
        )),
    }
}

pub(super) fn run(common: &Common, args: &GradsArgs) -> Result<()> {
    let model = model::load(common, &args.model)?;
    apply(&args.sets)?;
    let mut experiment = match run_dir(&args.model).and_then(RunFolder::open) {
        Ok(folder) => folder.read_config(&args.sets)?,
        Err(_) => Experiment::parse_with("", "the defaults", &args.sets)?,
    };
    if !model.train_only {
        (experiment.losses.joint, experiment.losses.feature) = (0.0, 0.0);
    }
    let set = load(common, &args.model, args.data.as_deref(), &model.info)?;
    print_data(common, &set);
    let set = to_model_classes(common, set, &model.info.classes);
    let records = chosen(&set, &args.records)?;
    let gpu = common.gpu()?;
    let net = model.network(&gpu)?;
    let (loss, config) = (&experiment.losses, &model.info.config);
    let lengths = &Outline::new(config, model.info.classes.len(), false, set.samples())?.lengths;
    let bins = lengths[loss.layer(config)?];
    let scale = model.info.features.as_ref();
    let targets = Targets::new(&set, &records, scale, &experiment, bins);
    let strips = Strips::new(&set);
    let k = model.info.classes.len();
    let class_weights = Tensor::full(&gpu, &[k], 1.0)?;
    let batch =
        targets.batch(&gpu, &strips, (&records, &vec![0; records.len()]), &class_weights, loss.label_smoothing)?;
    let mode = Mode { batch_stats: args.train_mode, update_running: false, ..Mode::EVAL };
    let out = net.forward(&strips.batch(&gpu, &records)?, &mode)?;
    let terms = losses(&net, &out, &batch, loss, &mode)?;
    let params = net.params().trainable();
    let wrt: Vec<&Tensor> = params.iter().map(|(_, t)| t).collect();
    let mut gradients: Vec<NamedTensor> = Vec::new();
    for ((name, t), gradient) in params.iter().zip(grad(&terms.total, &wrt, None, false)?) {
        let values = gradient.map_or_else(|| Ok(vec![0.0; t.numel()]), |g| g.to_vec())?;
        gradients.push((name.clone(), t.shape().to_vec(), values));
    }
    let ids: Vec<&str> = records.iter().map(|&r| set.strips[r].id.as_str()).collect();
    let mut metadata = vec![("format", "exgnet-grads-1".to_owned()), ("records", serde_json::json!(ids).to_string())];
    let values = read(&terms)?;
    metadata.push(("terms", serde_json::json!(values).to_string()));
    write_atomically(&args.out, &model_file::safetensors_bytes(&gradients, &metadata))?;
    print_found(args.json, &values, || {
        values.iter().for_each(|(name, value)| print_line(&format!("{name:<8} {value}")));
    });
    common.say(format!("written: {}", args.out.display()));
    Ok(())
}

/// The terms by name; what was not computed is `null`.
fn read(terms: &Terms) -> Result<serde_json::Map<String, serde_json::Value>> {
    let mut values = serde_json::Map::new();
    for name in LossConfig::terms() {
        let value = terms.get(name).map(|t| t.to_vec().map(|v| f64::from(v[0]))).transpose()?;
        values.insert(name.into(), value.into());
    }
    Ok(values)
}
