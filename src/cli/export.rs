//! `exgnet export`: a model without what only its training needed, for this program or for others.

use super::{Common, model};
use crate::error::Result;
use crate::onnx;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Write the part of a model that inference needs, without the train-only part
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet export --model results/quickstart --out quickstart.safetensors\n  \
                  exgnet export --model results/quickstart --out quickstart.onnx\n\n\
                  A .safetensors file is taken wherever a model is: by predict, explain and evaluate. An ONNX file is for other \
                  programs; z-scoring is part of its graph, resampling, cleaning and cutting to the model's length are not.")]
pub(super) struct ExportArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep the weights of convolutions and linear layers in 16 bits: half the size, computed with in 32
    #[arg(long)]
    half: bool,
    /// What to write; where not given, the file's name decides: ONNX if it ends in .onnx
    #[arg(long)]
    format: Option<Format>,
    /// Write ONNX, whatever the file's name
    #[arg(long, conflicts_with = "format")]
    onnx: bool,
    /// What an ONNX file of a model that was trained on cleaned strips is given: cleaning cannot be part of its graph, so
    /// the caller must do it, and says so with `cleaned`
    #[arg(long, value_name = "STRIPS", default_value = "raw")]
    input: OnnxInput,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnnxInput {
    Raw,
    Cleaned,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Safetensors,
    Onnx,
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Result<()> {
    let model = model::load(common, &args.model)?;
    let by_name = args.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
    let onnx = args.onnx || args.format.map_or(by_name, |f| f == Format::Onnx);
    match onnx {
        true => onnx::export(&model, args.half, args.input == OnnxInput::Cleaned, &args.out)?,
        false => model.export(&args.out, args.half)?,
    }
    common.say(format!("{} values: {}", model.inference_values(), args.out.display()));
    Ok(())
}
