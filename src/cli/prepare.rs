//! `exgnet prepare`: sources to one prepared data set.

use super::progress::reading;
use super::train::print_data;
use super::{Common, print_found, print_line};
use crate::ecg::exclusions::{in_units, total};
use crate::ecg::guidance::GuidanceConfig;
use crate::ecg::rpeaks::Detector;
use crate::ecg::{Dataset, Exclusion, LoadOptions, Source, SyntheticOptions, prepared};
use crate::error::{Error, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::PathBuf;

/// Read sources once into a prepared data set
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet prepare --source mitbih:mitdb --fs 250 --out mitdb.safetensors\n  \
                  exgnet prepare --source wfdb:ludb --source cinc2017:cinc2017 --classes af3 --out af.safetensors\n  \
                  exgnet prepare --source csv:Chapman.csv --out chapman.safetensors\n\n\
                  Sources: mitbih:DIR (long WFDB records with rhythm annotations), wfdb:DIR (10-s WFDB records with the\n\
                  diagnosis in the header), cinc2017:DIR, csv:FILE (one row a strip), muse:DIR (Diagnostics.xlsx and one\n\
                  CSV file a record), table:DIR (WFDB, .npy, .csv or .txt records and labels.csv with the columns\n\
                  record,start,end,class,patient; table:FILE.csv another table), synthetic. Relative paths are also tried\n\
                  below EXGNET_DATA.")]
pub(super) struct PrepareArgs {
    /// What to read, KIND:PATH or synthetic; NAME=KIND:PATH names it otherwise than its folder; may be repeated
    #[arg(long = "source", value_name = "[NAME=]KIND:PATH", required = true)]
    sources: Vec<String>,
    /// The file to write; what was left out is listed beside it in <name>.exclusions.csv
    #[arg(long, value_name = "F.safetensors")]
    out: PathBuf,
    /// Class scheme: rhythm6, rhythm4 or af3
    #[arg(long, default_value = "rhythm6")]
    classes: String,
    /// Sampling rate of the strips, Hz
    #[arg(long, value_name = "HZ", default_value_t = 500.0)]
    fs: f64,
    /// Length of the strips, s
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The lead
    #[arg(long, default_value = "II")]
    lead: String,
    /// Remove baseline wander and mains hum
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    clean: Switch,
    /// Frequency of the mains, Hz
    #[arg(long, value_name = "HZ", default_value_t = 50.0)]
    mains: f64,
    /// Finds the R peaks where no expert did: gradient (the published method) or adaptive
    #[arg(long, default_value = "gradient")]
    detector: String,
    /// Windows with ectopic, paced or unclassifiable beats (mitbih)
    #[arg(long, value_enum, default_value_t = Ectopic::Keep)]
    ectopic: Ectopic,
    /// Drop classes with fewer strips
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_class: usize,
    /// Drop classes of fewer patients
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_patients: usize,
    /// Which leads of WFDB records are read: the one of --lead, or all, for trainings with data.leads = "all"
    #[arg(long, value_enum, default_value_t = Leads::One)]
    leads: Leads,
    /// Sampling rate of files that state none, Hz: csv sources, and the .npy, .csv and .txt files of table sources
    #[arg(long, value_name = "HZ", default_value_t = 500.0)]
    csv_fs: f64,
    /// How record names give patients: auto (the names of public databases), none, or a pattern with one group
    #[arg(long, value_name = "PATTERN", default_value = "auto")]
    patient_pattern: String,
    /// Records of a synthetic source
    #[arg(long, value_name = "N", default_value_t = 600)]
    records: usize,
    /// Seed of a synthetic source
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Leave out records whose checksum or first value is not what the header says
    #[arg(long)]
    strict: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ectopic {
    Keep,
    Drop,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Leads {
    One,
    All,
}

impl PrepareArgs {
    fn options(&self) -> Result<LoadOptions> {
        let detector: Detector = self.detector.parse()?;
        Ok(LoadOptions {
            classes: self.classes.clone(),
            fs: self.fs,
            seconds: self.seconds,
            lead: self.lead.clone(),
            min_class: self.min_class,
            min_patients: self.min_patients,
            leads: match self.leads {
                Leads::One => crate::ecg::Leads::One,
                Leads::All => crate::ecg::Leads::All,
            },
            ectopic_keep: self.ectopic == Ectopic::Keep,
            clean: self.clean == Switch::On,
            strict: self.strict,
            mains: self.mains,
            detector,
            csv_fs: self.csv_fs,
            patient_pattern: self.patient_pattern.clone(),
            synthetic: SyntheticOptions { records: self.records, seed: self.seed, ..SyntheticOptions::default() },
        })
    }
}

pub(super) fn run(common: &Common, args: &PrepareArgs) -> Result<()> {
    if !args.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        return Err(Error::file(
            &args.out,
            "is no name of a prepared data set",
            "let the name end in .safetensors: by that the other commands know what it is",
        ));
    }
    let sources = args.sources.iter().map(|s| s.parse()).collect::<Result<Vec<Source>>>()?;
    prepared::prepare(&sources, &args.options()?, &GuidanceConfig::default(), &args.out, &reading(common.quiet))?;
    // read back as every other command reads it
    let set = prepared::read(&args.out)?;
    print_found(args.json, &summary(&set), || {
        print_data(common, &set);
        print_line(&table(&set));
    });
    let beside = prepared::exclusions_path(&args.out);
    common.say(format!("written: {}, {}", args.out.display(), beside.display()));
    Ok(())
}

/// Strips of each source and class, and what was left out of it.
fn table(set: &Dataset) -> String {
    let sources = source_names(set);
    let width = sources.iter().map(|s| s.len()).max().unwrap_or(0).max(6);
    let mut lines = vec![String::new()];
    let mut row = |name: &str, counts: &[String], left_out: &str| {
        let cells: Vec<String> = counts.iter().map(|c| format!("{c:>9}")).collect();
        lines.push(format!("{name:<width$}{}  {left_out}", cells.concat()));
    };
    let head: Vec<String> = set.classes.iter().cloned().chain(["strips".into()]).collect();
    row("source", &head, "left out");
    for source in &sources {
        let counts = counts_of(set, source);
        let kept: usize = counts.iter().sum();
        let numbers: Vec<String> = counts.iter().chain([&kept]).map(ToString::to_string).collect();
        row(source, &numbers, &in_units(excluded(set, source)));
    }
    lines.join("\n")
}

/// Every source that gave a strip or an exclusion, in order.
fn source_names(set: &Dataset) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let excluded = set.exclusions.iter().map(Exclusion::source);
    for name in set.strips.iter().map(|s| s.source.as_str()).chain(excluded) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn counts_of(set: &Dataset, source: &str) -> Vec<usize> {
    let mut counts = vec![0; set.classes.len()];
    set.strips.iter().filter(|s| s.source == source).for_each(|s| counts[s.label] += 1);
    counts
}

fn excluded<'a>(set: &'a Dataset, source: &str) -> impl Iterator<Item = &'a Exclusion> {
    set.exclusions.iter().filter(move |e| e.source() == source)
}

/// The summary that `--json` prints.
fn summary(set: &Dataset) -> serde_json::Value {
    let counts: serde_json::Map<_, _> =
        set.classes.iter().zip(set.counts()).map(|(c, n)| (c.clone(), n.into())).collect();
    let sources: serde_json::Map<_, _> = source_names(set)
        .into_iter()
        .map(|s| {
            let counts: serde_json::Map<_, _> =
                set.classes.iter().zip(counts_of(set, s)).map(|(c, n)| (c.clone(), n.into())).collect();
            (s.to_string(), json!({"counts": counts, "left_out": total(excluded(set, s))}))
        })
        .collect();
    let made = &set.preprocessing;
    json!({
        "strips": set.strips.len(), "fs": made.fs, "seconds": made.seconds, "lead": made.lead, "scheme": made.scheme,
        "clean": made.clean, "mains": made.mains, "detector": made.detector, "counts": counts, "sources": sources,
        "exclusions": set.exclusions_by_reason(), "notes": set.notes,
    })
}
