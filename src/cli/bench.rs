//! `exgnet bench`: operations, and a whole network beside other engines.

use super::{Common, print_json, print_line};
use crate::error::{Error, Result};
use crate::files::{self, guard};
use crate::gpu::{Gpu, Variant};
use crate::lab::measure::{Row, Shape, layer_subjects, measure, versions};
use crate::lab::subjects::Subject;
use crate::lab::{ceilings::Ceilings, peers, suite};
use crate::train::Experiment;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measure operations against the adapter's own ceilings and against f64
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet bench                                       every convolution of the quick start's network\n  \
                  exgnet bench conv1d --shape in=128,out=85,k=21,len=157 --variant all\n  \
                  exgnet bench conv1d --shader-dir shaders           after editing shaders/conv1d_tile.wgsl\n  \
                  exgnet bench --suite experiments/kernels.toml --out results/kernels"
)]
pub(super) struct BenchArgs {
    /// Operation; without one all convolutions of a network
    op: Option<String>,
    /// Sizes of the operation; what is left out is
    /// batch=32,in=64,len=625,out=64,k=5,stride=1,dilation=1,numbers=f32 (or f16, f16-native)
    #[arg(long, value_name = "NAME=N,...", requires = "op")]
    shape: Option<String>,
    /// Version of the kernels: plain, tile, fast, wide, all, or default
    #[arg(long, value_name = "VERSION", default_value = "default")]
    variant: String,
    /// Times that each is measured, in turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Experiment file whose network is taken; without one the built-in quick start
    #[arg(long, value_name = "FILE", conflicts_with = "op")]
    config: Option<PathBuf>,
    /// Change one setting of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Measure a network as a whole, as this file says: layers, steps, scaling, other engines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["op", "config"])]
    suite: Option<PathBuf>,
    /// Folder for what the suite finds
    #[arg(long, value_name = "DIR", requires = "suite")]
    out: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    /// Answer another process's suite (see experiments/peers)
    #[arg(long, hide = true)]
    serve: bool,
}

#[derive(Serialize)]
struct Found {
    adapter: String,
    ceilings: Ceilings,
    rows: Vec<Row>,
}

pub(super) fn run(common: &Common, args: &BenchArgs) -> Result<ExitCode> {
    if !(1..=1000).contains(&args.rounds) {
        return Err(Error::config(format!("--rounds {}: expected 1 to 1000", args.rounds), "5 is usual"));
    }
    if args.serve {
        let experiment = match (&args.suite, &args.config) {
            (Some(path), _) => suite::read(path, &args.sets)?.0,
            (None, path) => experiment(path.as_deref(), &args.sets)?,
        };
        peers::serve(&common.gpu()?, &experiment)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.suite {
        return whole(common, args, path);
    }
    let gpu = common.gpu()?;
    let subjects = subjects(&gpu, args)?;
    let operation = args.op.as_deref().unwrap_or("conv1d");
    let known = versions(&gpu, operation);
    let variants = match args.variant.as_str() {
        "default" => vec![None],
        "all" => known,
        name => {
            let found = Variant::ALL.into_iter().find(|v| v.name() == name).map(Some).filter(|v| known.contains(v));
            let names: Vec<&str> = known.iter().flatten().map(|v| v.name()).collect();
            vec![found.ok_or_else(|| {
                let has = format!("default, all, {}", names.join(", "));
                Error::config(
                    format!("--variant {name}: expected one of {has} for {operation} on this adapter"),
                    "`all` measures every version in turn",
                )
            })?]
        }
    };
    common.say(format!("{} measurements of {} rounds", subjects.len() * variants.len(), args.rounds));
    let (ceilings, rows) = measure(&gpu, &subjects, &variants, args.rounds)?;
    let adapter = format!("{} ({})", gpu.report().name, gpu.report().driver_info);
    if args.json {
        print_json(&Found { adapter, ceilings, rows }, true);
    } else {
        print_line(&adapter);
        table(&ceilings, &rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn experiment(path: Option<&Path>, sets: &[String]) -> Result<Experiment> {
    match path {
        Some(path) => Experiment::load(path, sets),
        None => Experiment::quickstart(sets),
    }
}

fn subjects(gpu: &Gpu, args: &BenchArgs) -> Result<Vec<(Option<String>, Shape, Subject)>> {
    if let Some(op) = &args.op {
        let shape = Shape::parse(args.shape.as_deref().unwrap_or(""))?;
        return Ok(vec![(None, shape, Subject::new(gpu, op, shape)?)]);
    }
    let e = experiment(args.config.as_deref(), &args.sets)?;
    layer_subjects(gpu, &e.network, (e.train.batch, e.data.samples()), e.train.precision)
}

fn table(c: &Ceilings, rows: &[Row]) {
    print_line(&format!("ceilings: {:.1} GFLOP/s, {:.1} GB/s through a kernel", c.gflops, c.gb_per_s));
    print_line(&format!(
        "\n{:<14} {:<19} {:<27} {:<8} {:>9} {:>17} {:>8} {:>7} {:>6} {:>8} {:>8}",
        "layer",
        "operation",
        "B x C x L -> C k s d",
        "version",
        "ms",
        "(low to high)",
        "GFLOP/s",
        "GB/s",
        "share",
        "error",
        "first"
    ));
    for r in rows {
        let s = r.shape;
        let shape = format!("{}x{}x{} -> {} k{} s{} d{}", s.batch, s.c_in, s.len, s.out, s.k, s.stride, s.dilation);
        print_line(&format!(
            "{:<14} {:<19} {shape:<27} {:<8} {:>9.3} {:>17} {:>8.1} {:>7.1} {:>5.0}% {:>8.1e} {:>8.0}",
            r.layer.as_deref().unwrap_or("-"),
            r.operation,
            r.variant,
            r.ms.median,
            format!("({:.3} to {:.3})", r.ms.low, r.ms.high),
            r.gflops,
            r.gb_per_s,
            100.0 * r.share,
            r.error,
            r.first_ms,
        ));
    }
    print_line(
        "\nms: device time, with the layout of what is read; share: of the nearer ceiling; error: worst, relative, against",
    );
    print_line(
        "f64; first: ms that the first dispatch took beyond the others (compilation, where the driver had no cache of it)",
    );
}

fn whole(common: &Common, args: &BenchArgs, path: &Path) -> Result<ExitCode> {
    let (experiment, config) = suite::read(path, &args.sets)?;
    let program =
        std::env::current_exe().map_err(|e| Error::file("exgnet", e.to_string(), "start it by its full path"))?;
    let mut serve = vec![program.display().to_string()];
    serve.extend(common.arguments().iter().map(|a| a.to_string_lossy().into_owned()));
    serve.extend(["bench".into(), "--serve".into(), "--suite".into(), path.display().to_string()]);
    serve.extend(args.sets.iter().flat_map(|s| ["--set".to_owned(), s.clone()]));
    const FILES: [&str; 2] = ["suite.json", "table.md"];
    let earlier = args.out.as_ref().and_then(|dir| std::fs::read(dir.join(FILES[0])).ok()).unwrap_or_default();
    let earlier: serde_json::Value = serde_json::from_slice(&earlier).unwrap_or_default();
    if let Some(dir) = args.out.as_ref().filter(|_| earlier.get("layers").is_none()) {
        // something else: found out before the measurements
        FILES.iter().try_for_each(|name| guard::check(&dir.join(name)))?;
    }
    let report =
        suite::run(&common.gpu()?, &experiment, &config, &serve, |what| common.say(format!("measuring: {what}")))?;
    let tables = format!("{}\n{}", report.goals(), report.peers_table());
    if let Some(dir) = &args.out {
        // times measured again on the same adapter
        if earlier["adapter"] == report.adapter.as_str() {
            FILES.iter().for_each(|name| guard::replaces(&dir.join(name)));
        }
        files::write_json(&dir.join("suite.json"), &report)?;
        files::write_atomically(&dir.join("table.md"), tables.as_bytes())?;
        common.say(format!("wrote {}", dir.display()));
    }
    if args.json {
        print_json(&report, true);
    } else {
        print_line(&report.adapter);
        table(&report.ceilings, &report.layers);
        print_line(&format!("\n{tables}"));
    }
    Ok(ExitCode::SUCCESS)
}
