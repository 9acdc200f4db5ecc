//! `exgnet export`: a model without what only its training needed, for this program or for others.

use super::{Common, model};
use crate::error::{Error, Result};
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
    /// What to write; where not given, the file's name decides, which then ends in .safetensors or .onnx
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

impl ExportArgs {
    /// The format asked for, else the one that the file's name ends in.
    fn format(&self) -> Result<Format> {
        let ending = self.out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        // a folder is refused as such where it would be written over
        let of_folder = || self.out.is_dir().then_some(Format::Safetensors);
        let by_name = || Format::from_str(ending.as_deref().unwrap_or_default(), false).ok().or_else(of_folder);
        let asked = self.format.or(self.onnx.then_some(Format::Onnx));
        asked.or_else(by_name).ok_or_else(|| {
            let what = "is the name of no known format, expected one that ends in .safetensors or .onnx";
            Error::file(
                &self.out,
                what,
                "let the name end so, or write the format: --format safetensors or --format onnx",
            )
        })
    }
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Result<()> {
    let format = args.format()?;
    let model = model::load(common, &args.model)?;
    match format {
        Format::Onnx => onnx::export(&model, args.half, args.input == OnnxInput::Cleaned, &args.out)?,
        Format::Safetensors => model.export(&args.out, args.half)?,
    }
    common.say(format!("{} values: {}", model.inference_values(), args.out.display()));
    Ok(())
}
