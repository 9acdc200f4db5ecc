//! `exgnet baselines`: what networks must be compared with, on the same division.

use super::train::{CommandHost, ExperimentArgs};
use super::{Common, print_line};
use crate::error::Result;
use crate::job::run_baselines;
use clap::Args;
use std::path::PathBuf;

/// Fit and test baselines on an experiment's strips: class shares, a rule of rate and irregularity, the 17 features
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet baselines --out results/quickstart-baselines\n  \
                  exgnet baselines experiments/mitbih.toml --fold 1 --out results/mitbih-ablation   as variants of that sweep\n\n\
                  prior: shares of the classes. rule: thresholds of the mean RR interval and of its irregularity, found on the\n\
                  training strips. mlp: a multilayer perceptron on the 17 features. boosting: gradient-boosted trees on them.\n\
                  Their beats are those that data.detector finds; mlp-annotated is fitted to the strips' own features, those of\n\
                  annotated beats where there are some. Each is written to DIR/NAME/fold-K-seed-S: exgnet collect DIR.")]
pub(super) struct BaselinesArgs {
    #[command(flatten)]
    chosen: ExperimentArgs,
    /// Folder for theirs; the folder of a sweep takes them as its variants
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(common: &Common, args: &BaselinesArgs) -> Result<()> {
    let experiment = args.chosen.experiment()?;
    let found = run_baselines(&CommandHost::new(common, false), &experiment, &args.out, common.force)?;
    let width = found.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, metrics) in &found {
        print_line(&format!("{name:width$}  accuracy {:.3}  macro-F1 {:.3}", metrics.accuracy, metrics.macro_f1));
    }
    common.say(format!("written to {}", args.out.display()));
    Ok(())
}
