//! `exgnet export`: a model without what only its training needed.

use super::Common;
use crate::error::{Error, Result};
use crate::nn::{ModelFile, model_file};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the part of a model that inference needs, without the train-only part
#[derive(Args)]
#[command(after_help = "Example:\n  exgnet export --model results/quickstart --out quickstart.safetensors\n\n\
                        The file is taken wherever a model is: by predict, explain and evaluate.")]
pub(super) struct ExportArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// Model file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Result<ExitCode> {
    let model = ModelFile::read(&args.model)?;
    let real = |path: &Path| path.canonicalize().ok();
    if real(&args.out).is_some_and(|out| real(&model_file::path_of(&args.model)) == Some(out)) {
        return Err(Error::file(&args.out, "is the model itself", "choose another name for the exported one"));
    }
    model.export(&args.out)?;
    common.say(format!("{} values: {}", model.inference_values(), args.out.display()));
    Ok(ExitCode::SUCCESS)
}
