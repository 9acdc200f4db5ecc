//! `exgnet synth`: artificial ECG as files.

use super::train::print_data;
use super::{Common, print_line};
use crate::ecg::sources::{Kind, count};
use crate::ecg::{GuidanceConfig, LoadOptions, Source, SyntheticOptions, export, prepared};
use crate::error::Result;
use crate::experiment::Experiment;
use crate::files::guard;
use clap::Args;
use std::path::PathBuf;

/// Write synthetic ECG as WFDB records and as a prepared data set
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet synth --out synthetic --n 600\n  \
                  exgnet synth --out hard --n 60 --noise 2 --classes SR,SI,AFIB/AFL")]
pub(super) struct SynthArgs {
    /// Folder for the records and synthetic.safetensors
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of records; the classes take turns
    #[arg(long, value_name = "N")]
    n: usize,
    /// Seed: record i of a seed is the same however many are made
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Rhythms, separated by commas, among SR, SB, ST, SI, AFIB/AFL, SVT/AT; by default those that the quick start knows
    #[arg(long, value_delimiter = ',', default_values_t = quick_start())]
    classes: Vec<String>,
    /// Sampling rate, Hz
    #[arg(long, value_name = "HZ", default_value_t = 500.0)]
    fs: f64,
    /// Length of a record, s
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Baseline wander, mains hum and muscle noise: 1 as in an ordinary recording, 0 none
    #[arg(long, default_value_t = 1.0)]
    noise: f64,
    /// Share of records with ectopic beats
    #[arg(long, default_value_t = 0.25)]
    ectopic: f64,
    /// How much the rates of ST and SVT/AT overlap, 0 to 1
    #[arg(long, default_value_t = 1.0)]
    overlap: f64,
}

/// The classes of the model that `exgnet train` makes.
fn quick_start() -> Vec<String> {
    Experiment::quickstart(&[]).map(|e| e.data.synthetic.classes).expect("the built-in experiment is valid")
}

pub(super) fn run(common: &Common, args: &SynthArgs) -> Result<()> {
    let synthetic = SyntheticOptions {
        records: args.n,
        seed: args.seed,
        classes: args.classes.clone(),
        fs: args.fs,
        seconds: args.seconds,
        noise: args.noise,
        ectopic: args.ectopic,
        overlap: args.overlap,
    };
    let options = LoadOptions { fs: args.fs, seconds: args.seconds, min_class: 0, synthetic, ..LoadOptions::default() };
    let file = args.out.join("synthetic.safetensors");
    // the records of somebody's database are not for a set of artificial ones
    if !file.exists() {
        guard::check(&args.out.join("RECORDS"), None)?;
    }
    let sources = [Source::new(Kind::Synthetic, "")];
    prepared::prepare(&sources, &options, &GuidanceConfig::default(), &file, &|_| {})?;
    let set = prepared::read(&file)?;
    export::write_wfdb(&args.out, &set)?;
    print_data(common, &set);
    print_line(&format!("written: {} and {}", count(set.strips.len(), "record", "records"), file.display()));
    Ok(())
}
