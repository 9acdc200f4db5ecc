//! `exgnet predict`: the class of single strips.

use super::{Common, print_json, print_line};
use crate::autograd::no_grad;
use crate::ecg::{InputStrip, strip_input, zscore};
use crate::error::Result;
use crate::explain::{argmax, probabilities};
use crate::nn::{Mode, ModelFile, ModelInfo};
use crate::tensor::Tensor;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Classify strips: .npy, .csv, .txt or WFDB records
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet predict --model results/quickstart strip.npy --fs 500\n  \
                  exgnet predict --model results/mitbih mitdb/201@120 --json")]
pub(super) struct PredictArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// Strips; `RECORD@SECONDS` takes a long record from there on
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Sampling rate of inputs that do not say theirs (the model's where not given)
    #[arg(long, value_name = "HZ")]
    fs: Option<f64>,
    /// Print one JSON object per input on standard output
    #[arg(long)]
    json: bool,
}

/// Reads a strip and brings it to the model's rate and length.
pub(super) fn load(common: &Common, path: &Path, fs: Option<f64>, info: &ModelInfo) -> Result<InputStrip> {
    let strip = strip_input::prepare(&strip_input::read(path, &info.lead)?, fs, info.fs, info.seconds)?;
    strip.notes.iter().for_each(|n| common.say(format!("note: {n}")));
    Ok(strip)
}

/// A z-scored strip as `[1, 1, L]`.
pub(super) fn upload(gpu: &crate::gpu::Gpu, signal: &[f32]) -> Result<Tensor> {
    let mut x = signal.to_vec();
    zscore(&mut x);
    Tensor::from_f32(gpu, &[1, 1, x.len()], &x)
}

/// Runs `f` on each input; one that fails is told and the others go on.
pub(super) fn for_each(inputs: &[PathBuf], mut f: impl FnMut(&Path) -> Result<()>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for path in inputs {
        if let Err(e) = f(path) {
            eprintln!("error: {e}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

pub(super) fn run(common: &Common, args: &PredictArgs) -> Result<ExitCode> {
    let model = ModelFile::read(&args.model)?;
    let gpu = common.gpu()?;
    let net = model.network(&gpu)?.folded()?;
    let classes = &model.info.classes;
    Ok(for_each(&args.inputs, |path| {
        let strip = load(common, path, args.fs, &model.info)?;
        let x = upload(&gpu, &strip.signal)?;
        let logits = no_grad(|| net.forward(&x, &Mode::EVAL))?.logits.to_vec()?;
        let p = probabilities(&logits);
        let class = &classes[argmax(&logits)];
        if args.json {
            let named: serde_json::Map<String, serde_json::Value> =
                classes.iter().zip(&p).map(|(c, &p)| (c.clone(), p.into())).collect();
            let input = path.to_string_lossy();
            print_json(
                &serde_json::json!({"input": input, "class": class, "probabilities": named, "logits": logits}),
                false,
            );
        } else {
            let all: Vec<String> = classes.iter().zip(&p).map(|(c, p)| format!("{c} {p:.3}")).collect();
            print_line(&format!("{}: {class}  ({})", path.display(), all.join(", ")));
        }
        Ok(())
    }))
}
