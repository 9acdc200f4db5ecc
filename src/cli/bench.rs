//! `exgnet bench`: operations, and a whole network beside other engines.

pub(super) mod table;

use super::recorded::Recorded;
use super::watch::{self, Watch};
use super::{Common, print_found, print_line, within};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::files::{self, guard};
use crate::gpu::{Gpu, ShaderSource, cpu};
use crate::lab::measure::{Arm, Reference, Table, Timing, measure};
use crate::lab::operations::{OPERATIONS, Operation};
use crate::lab::workloads::{Workload, layer_workloads};
use crate::lab::{peers, suite, twins};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Measure operations: values against f64 first, then times in turn with the adapter's own ceilings
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet bench                                       every convolution of the quick start's network\n  \
                  exgnet bench conv1d --shape in=128,out=85,k=21,len=157 --version all\n  \
                  exgnet bench conv1d --shader-dir mine --version mine --against naive\n  \
                  exgnet bench conv1d --shader-dir mine --against built-in --min-time 10\n  \
                  exgnet bench --list                                operations with their sizes, versions with what changed\n  \
                  exgnet bench --suite experiments/kernels.toml --out results/kernels\n  \
                  exgnet bench --suite experiments/peers.toml --out results/peers\n\n\
                  A kernel whose values are wrong at the shape that is timed gets WRONG and no time, and the exit code is 1."
)]
pub(super) struct BenchArgs {
    /// Operation (--list names them); without one all convolutions of a network
    op: Option<String>,
    /// Sizes of the operation; --list shows which it has, and what is taken for those left out
    #[arg(long, value_name = "NAME=N,...", requires = "op")]
    shape: Option<String>,
    /// Versions of the kernels, separated by commas: names, numbers or aliases, `all`, or `default` for what the adapter takes
    #[arg(
        long = "version",
        alias = "variant",
        value_name = "VERSION",
        default_value = "default",
        value_delimiter = ','
    )]
    versions: Vec<String>,
    /// Compare with another version, with the texts in a folder such as --shader-dir takes, or with `built-in` ones, in turn in
    /// this process: the speed-up with its interval
    #[arg(long, value_name = "VERSION|DIR", requires = "op")]
    against: Option<String>,
    /// Times that each is measured, in turn, at least [default: 5, with --against 20]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Continue with rounds for at least this time
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    min_time: f64,
    /// Give up, and name the kernel, where the device does not answer for this time
    #[arg(long, value_name = "SECONDS", default_value_t = watch::LIMIT.as_secs_f64())]
    limit: f64,
    /// List operations with their sizes, and versions with what changed
    #[arg(long)]
    list: bool,
    /// Experiment file whose network is taken; without one the built-in quick start
    #[arg(long, value_name = "FILE", conflicts_with = "op")]
    config: Option<PathBuf>,
    /// Change one setting of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Measure a network as a whole, as this file says: layers, steps, scaling, other engines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["op", "config"])]
    suite: Option<PathBuf>,
    /// Folder for what the suite finds; that of a network goes into a folder of the adapter's name in it
    #[arg(long, value_name = "DIR", requires = "suite")]
    out: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    /// Answer another process's suite (see experiments/peers)
    #[arg(long, hide = true)]
    serve: bool,
}

/// Rounds and seconds that somebody can wait for.
pub(super) fn timing(rounds: usize, min_seconds: f64, limit_seconds: f64) -> Result<Timing> {
    within("--rounds", rounds, 1..=1000, "1 to 1000", "5 is usual")?;
    let hint = "10 gives hundreds of rounds of a small kernel";
    within("--min-time", min_seconds, 0.0..=3600.0, "0 to 3600 seconds", hint)?;
    Ok(Timing { rounds, min_seconds, limit_seconds })
}

pub(super) fn run(common: &Common, args: &BenchArgs) -> Result<()> {
    let usual = if args.against.is_some() { 20 } else { 5 };
    let timing = timing(args.rounds.unwrap_or(usual), args.min_time, f64::INFINITY)?;
    watch::limit(args.limit)?;
    if args.list {
        return list(common);
    }
    if args.serve {
        let experiment = match (&args.suite, &args.config) {
            (Some(path), _) => suite::read(path, &args.sets)?.0,
            (None, path) => Experiment::load_or_quickstart(path.as_deref(), &args.sets)?,
        };
        let (gpu, _watch) = open(common, args)?;
        return peers::serve(&gpu, &experiment);
    }
    if let Some(path) = &args.suite {
        return whole(common, args, path);
    }
    let (gpu, _watch) = open(common, args)?;
    let mut all = Vec::new();
    for workload in workloads(&gpu, args)? {
        let arms = arms(&gpu, workload.operation, &args.versions)?;
        all.push((workload, arms));
    }
    let reference = match (&args.against, all.first()) {
        (Some(name), Some((workload, arms))) => Some(reference(&gpu, workload.operation, arms, name)?),
        _ => None,
    };
    let rows: usize = all.iter().map(|(_, arms)| arms.len() + usize::from(reference.is_some())).sum();
    common.say(format!("{rows} measurements of {} rounds", timing.rounds));
    let (ceilings, rows) = measure(&all, reference.as_ref(), &timing)?;
    let bad = rows.iter().filter(|r| r.status.is_bad()).count();
    let found = Table { adapter: gpu.report().title(), ceilings, rows };
    print_found(args.json, &Recorded::of(&found), || {
        print_line(&found.adapter);
        table::print(&found.ceilings, &found.rows, common.verbose || args.op.is_some());
    });
    verdict(bad, found.rows.len())
}

/// The device, given up where it does not answer.
fn open(common: &Common, args: &BenchArgs) -> Result<(Gpu, Watch)> {
    let gpu = common.gpu()?;
    let watch = Watch::new(&gpu, watch::limit(args.limit)?, watch::LONGER);
    Ok((gpu, watch))
}

/// Success, if nothing is wrong.
pub(super) fn verdict(bad: usize, of: usize) -> Result<()> {
    if bad == 0 {
        return Ok(());
    }
    let what = format!("{bad} of {of} measurements have no time: their kernels give wrong values or do not compile");
    Err(Error::gpu(what, "`exgnet check` looks for the smallest case in which a kernel is wrong"))
}

fn workloads(gpu: &Gpu, args: &BenchArgs) -> Result<Vec<Workload>> {
    if let Some(op) = &args.op {
        if let Some(set) = args.sets.first() {
            return Err(Error::config(
                format!(
                    "--set {set}: found a setting of an experiment beside the operation {op}, expected --shape alone"
                ),
                "a knob's values are tried by `exgnet tune`, and baked in by editing its default in the version's file",
            ));
        }
        let operation = Operation::named(op)?;
        let shape = operation.shape(args.shape.as_deref().unwrap_or(""))?;
        return Ok(vec![Workload::new(gpu, operation, shape)?]);
    }
    let e = Experiment::load_or_quickstart(args.config.as_deref(), &args.sets)?;
    layer_workloads(gpu, &e.network, (e.train.batch, e.data.samples()), e.train.precision)
}

/// The versions of an operation that are asked for.
fn arms(gpu: &Gpu, operation: &Operation, versions: &[String]) -> Result<Vec<Arm>> {
    let mut arms = Vec::new();
    for name in versions.iter().map(|v| v.trim()) {
        match name {
            "default" => arms.push(Arm::usual(gpu)),
            "all" => arms.extend(operation.versions(gpu).map(|v| Arm::forced(gpu, v))),
            name => arms.push(Arm::named(gpu, operation.family, name)?),
        }
    }
    Ok(arms)
}

/// What to compare with: a version, or the same version of other texts.
fn reference(gpu: &Gpu, operation: &Operation, arms: &[Arm], name: &str) -> Result<Reference> {
    let unknown = match Arm::named(gpu, operation.family, name) {
        Ok(arm) => return Ok(Reference { again: arm.clone(), arm }),
        Err(e) => e,
    };
    let shaders = match name {
        "built-in" => ShaderSource::default(),
        dir if Path::new(dir).is_dir() || dir.contains(['/', '\\']) => ShaderSource::folder(dir)?,
        _ => {
            let Error::Config { what, hint } = unknown else { return Err(unknown) };
            let what = format!("--against {name}: neither a version nor a folder; {what}");
            return Err(Error::config(what, format!("{hint}; `built-in` compares with the built-in texts")));
        }
    };
    // the version that is measured, if the other texts have it
    let version = arms.first().and_then(|arm| arm.version.as_ref());
    let arm = || -> Result<Arm> {
        let other = gpu.beside(shaders.clone())?;
        let version = version.and_then(|v| other.versions(operation.family).iter().find(|o| o.name == v.name));
        let arm = version.map_or_else(|| Arm::usual(&other), |v| Arm::forced(&other, v));
        Ok(Arm { name: format!("{} of {name}", arm.name), ..arm })
    };
    Ok(Reference { arm: arm()?, again: arm()? })
}

fn list(common: &Common) -> Result<()> {
    let catalogue = common.shaders()?.catalogue()?;
    print_line(&format!("{:<21} {:<20} sizes (--shape) with what is taken for those left out", "operation", "family"));
    for operation in OPERATIONS {
        let sizes = operation.sizes_in_words(operation.usual());
        print_line(&format!("{:<21} {:<20} {sizes}", operation.name, operation.family));
    }
    for family in catalogue.families() {
        print_line(&format!("\n{family}: versions (--version)"));
        for version in catalogue.versions(family) {
            let aliases: Vec<&str> = version.aliases.iter().map(|a| a.name.as_str()).collect();
            let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
            print_line(&format!("  {:<38} {}", format!("{}{aliases}", version.label()), version.change));
        }
    }
    Ok(())
}

fn whole(common: &Common, args: &BenchArgs, path: &Path) -> Result<()> {
    let (experiment, config) = suite::read(path, &args.sets)?;
    let watch = |what: &str| common.say(format!("measuring: {what}"));
    if let Some(ours) = &config.ours {
        let out = Out::new(args.out.as_deref(), ["peers.json", "table.md"], ["twins", "cpu"], &cpu())?;
        let found = twins::run(&experiment, ours, &config, watch)?;
        let recorded = Recorded::of(&found);
        let table = found.table(&recorded.cpu);
        out.write(common, &recorded, &table)?;
        print_found(args.json, &recorded, || print_line(&table));
        return Ok(());
    }
    let own = std::env::current_exe().map_err(|e| Error::file("exgnet", e.to_string(), "start it by its full path"))?;
    let mut serve = vec![own.display().to_string()];
    serve.extend(common.arguments().iter().map(|a| a.to_string_lossy().into_owned()));
    let limit = args.limit.to_string();
    serve.extend([
        "bench".into(),
        "--serve".into(),
        "--limit".into(),
        limit,
        "--suite".into(),
        path.display().to_string(),
    ]);
    serve.extend(args.sets.iter().flat_map(|s| ["--set".to_owned(), s.clone()]));
    let (gpu, _watch) = open(common, args)?;
    // a folder for each kind of adapter and CPU
    let dir = args.out.as_ref().map(|out| out.join(gpu.report().slug()));
    let out = Out::new(dir.as_deref(), ["suite.json", "table.md"], ["layers", "adapter"], &gpu.report().title())?;
    let report = suite::run(&gpu, &experiment, &config, &serve, watch)?;
    let recorded = Recorded::of(&report);
    let tables = format!(
        "{}\n\n{}\n{}\n{}",
        recorded.sentence(&report.adapter),
        report.targets(),
        report.peers_table(),
        report.step_table()
    );
    out.write(common, &recorded, &tables)?;
    print_found(args.json, &recorded, || {
        print_line(&report.adapter);
        table::print(&report.ceilings, &report.layers, common.verbose);
        print_line(&format!("\n{tables}"));
    });
    verdict(report.layers.iter().filter(|r| r.status.is_bad()).count(), report.layers.len())
}

/// Where a suite's JSON and table go, if anywhere.
struct Out<'a> {
    dir: Option<&'a Path>,
    names: [&'static str; 2],
    /// Whether earlier times were measured on the same adapter or CPU.
    again: bool,
}

impl<'a> Out<'a> {
    /// Refuses, before the measurements, a folder with files that are none of a suite of this kind, which has `key`, or of
    /// another `place`.
    fn new(dir: Option<&'a Path>, names: [&'static str; 2], [key, at]: [&str; 2], place: &str) -> Result<Self> {
        let earlier = dir.and_then(|dir| std::fs::read(dir.join(names[0])).ok()).unwrap_or_default();
        let earlier: serde_json::Value = serde_json::from_slice(&earlier).unwrap_or_default();
        let again = earlier.get(key).is_some() && earlier[at] == place;
        if let Some(dir) = dir.filter(|_| !again) {
            names.iter().try_for_each(|name| guard::check(&dir.join(name), None))?;
        }
        Ok(Self { dir, names, again })
    }

    /// Times measured again on the same adapter or CPU replace the earlier ones.
    fn write(&self, common: &Common, found: &impl Serialize, tables: &str) -> Result<()> {
        let Some(dir) = self.dir else { return Ok(()) };
        if self.again {
            self.names.iter().for_each(|name| guard::replaces(&dir.join(name)));
        }
        files::write_json(&dir.join(self.names[0]), found)?;
        files::write_atomically(&dir.join(self.names[1]), tables.as_bytes())?;
        common.say(format!("wrote {}", dir.display()));
        Ok(())
    }
}
