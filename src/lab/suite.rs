//! All measurements for the tables of one network: its layers, where its step goes, how it scales, and other engines
//! beside it (`experiments/kernels.toml`, `exgnet bench --suite`).

use super::Spread;
use super::ceilings::Ceilings;
use super::measure::{Arm, Row, Timing, measure};
use super::peers::{Compared, Peer, PeerConfig, compare};
use super::profile::{Bench, Profile, profile};
use super::workloads::layer_workloads;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::gpu::Gpu;
use crate::ops::Pass;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const MIB: f64 = (1 << 20) as f64;

/// The `[suite]` table beside the tables of an experiment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuiteConfig {
    /// Times that everything is measured.
    pub rounds: usize,
    /// Samples of a strip, for the scaling with the length.
    pub lengths: Vec<usize>,
    /// Records of a batch, for the scaling with the batch.
    pub batches: Vec<usize>,
    /// Threads that peers may use.
    pub threads: usize,
    /// Ours, where the subject is no network of an experiment but a program: then those are compared alone ([`super::twins`]).
    pub ours: Option<PeerConfig>,
    /// Steps after which such programs have to have computed the same.
    pub steps: usize,
    /// Programs to compare with.
    pub peers: Vec<PeerConfig>,
}

impl Default for SuiteConfig {
    fn default() -> Self {
        let (lengths, batches, peers) = (Vec::new(), Vec::new(), Vec::new());
        Self { rounds: 5, lengths, batches, threads: 2, ours: None, steps: 20, peers }
    }
}

/// Reads a suite's file: its experiment and its `[suite]` table.
pub fn read(path: &Path, sets: &[String]) -> Result<(Experiment, SuiteConfig)> {
    let hint = "experiments/kernels.toml is an example";
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, format!("cannot be read: {e}"), hint))?;
    let mut tables: toml::Table =
        text.parse().map_err(|e| Error::file(path, format!("is no experiment: {e}"), hint))?;
    let suite = match tables.remove("suite") {
        Some(value) => value.try_into().map_err(|e| Error::file(path, format!("[suite]: {e}"), hint))?,
        None => SuiteConfig::default(),
    };
    let rest = toml::to_string(&tables).map_err(|e| Error::file(path, e.to_string(), hint))?;
    Ok((Experiment::parse_with(&rest, &path.display().to_string(), sets)?, suite))
}

/// A training step and an inference batch at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// Records a batch.
    pub batch: usize,
    /// Samples a strip.
    pub samples: usize,
    /// A training step, ms.
    #[serde(default)]
    pub train_ms: Spread,
    /// An inference batch, ms.
    #[serde(default)]
    pub infer_ms: Spread,
    /// Time of a step per sample, as a multiple of that at the suite's own size (the median of the times that this was
    /// measured): linear growth is 1.
    #[serde(skip_deserializing)]
    pub relative: f64,
}

/// What the suite found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Adapter and driver.
    pub adapter: String,
    /// What its kernels reach at most.
    pub ceilings: Ceilings,
    /// Every convolution of the network, in its three passes.
    pub layers: Vec<Row>,
    /// Where a step goes.
    pub step: Profile,
    /// Rate of the convolutions within the step, GFLOP/s: forward, input gradient, weight gradient.
    pub conv_gflops: [f64; 3],
    /// Share of the step's device time outside the convolutions.
    pub outside: f64,
    /// The step as a whole against the ceilings.
    pub whole_step: WholeStep,
    /// Growth with length and batch.
    pub lengths: Vec<Scaled>,
    /// Growth with the batch.
    pub batches: Vec<Scaled>,
    /// Ours, then the peers.
    pub peers: Vec<Compared>,
    /// Seconds from the start of a process to the end of the quick start's first step, with the driver's shader cache as
    /// it is and with an empty one.
    pub first_step_seconds: [f64; 2],
    /// The same of the network that is measured.
    pub own_first_step_seconds: [f64; 2],
    /// Bytes that such a process held at the most until then.
    pub own_first_step_bytes: [u64; 2],
}

/// What a training step does, and the shares of the adapter's ceilings that it reaches from its first call to its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WholeStep {
    /// Floating-point operations of its convolutions, computed directly, 1e9.
    pub gflop: f64,
    /// Bytes that its kernels must move, 1e9.
    pub gb: f64,
    /// Share of the ceiling of multiply-adds.
    pub of_multiply_adds: f64,
    /// Share of the ceiling of a copy.
    pub of_copy: f64,
}

/// Kernels that are convolutions themselves (the transform of fast ones with them), without laying out what they read, which
/// is a family of its own: forward or input gradient, weight gradient.
fn conv_kernel(name: &str) -> Option<bool> {
    match name.split_once('/')?.0 {
        "conv1d" | "conv1d_input_grad" => Some(false),
        "conv1d_weight_grad" => Some(true),
        _ => None,
    }
}

/// Measures everything. `watch` hears what comes next.
pub fn run(gpu: &Gpu, e: &Experiment, suite: &SuiteConfig, serve: &[String], watch: impl Fn(&str)) -> Result<Report> {
    let (batch, samples) = (e.train.batch, e.data.samples());
    let Some((program, own)) = serve.split_first() else {
        return Err(Error::config("bench: found no program to start, expected exgnet's own", "please report it"));
    };
    // before the peers, so that what ours holds beside them is without the driver's compiler
    watch("first step");
    let [warm, cold] = first_steps(program, &["bench".into(), "--serve".into()])?;
    let [own_warm, own_cold] = first_steps(program, own)?;
    watch("peers");
    let ours = PeerConfig { name: "exgnet".into(), command: serve.to_vec(), infer: true, source: None };
    let start = |config: &PeerConfig| Ok((config.clone(), config.start((batch, samples), suite.threads)?));
    let mut all = std::iter::once(&ours).chain(&suite.peers).map(start).collect::<Result<Vec<_>>>()?;
    let peers = compare(&mut all, suite.rounds)?;
    drop(all);
    watch("step");
    // an interval of the median of ratios wants more rounds than a median
    let step = profile(gpu, e, 4 * suite.rounds)?;
    watch("layers");
    let workloads = layer_workloads(gpu, &e.network, (batch, samples), e.train.precision)?;
    let workloads: Vec<_> = workloads.into_iter().map(|s| (s, vec![Arm::usual(gpu)])).collect();
    let (ceilings, layers) = measure(&workloads, None, &Timing::rounds(suite.rounds))?;
    drop(workloads);
    let flops = |pass: Pass| -> f64 {
        let of = layers.iter().filter(|r| r.operation == pass.name());
        of.map(|r| r.flops).sum()
    };
    let ms = |phase: &str, weight: bool| -> f64 {
        let of = step.by_kernel.iter().filter(|k| k.phase == phase && conv_kernel(&k.kernel) == Some(weight));
        of.map(|k| k.ms).sum()
    };
    let conv = [ms("forward", false), ms("backward", false), ms("backward", true)];
    let conv_gflops = [
        1e-6 * flops(Pass::Forward) / conv[0],
        1e-6 * flops(Pass::InputGrad) / conv[1],
        1e-6 * flops(Pass::WeightGrad) / conv[2],
    ];
    let total: f64 = step.by_kernel.iter().map(|k| k.ms).sum();
    let outside = 1.0 - conv.iter().sum::<f64>() / total;
    let gflop = 1e-9 * layers.iter().map(|r| r.flops).sum::<f64>();
    let gb = 1e-9 * step.by_group.iter().map(|g| g.bytes).sum::<f64>();
    let share = |work: f64, most: f64| 1e3 * work / step.train_step_ms / most;
    let (of_multiply_adds, of_copy) = (share(gflop, ceilings.gflops), share(gb, ceilings.gb_per_s));
    let whole_step = WholeStep { gflop, gb, of_multiply_adds, of_copy };
    watch("scaling");
    let at = |batch: usize, samples: usize| scaled(gpu, e, (batch, samples), suite.rounds.min(3));
    let mut lengths = suite.lengths.iter().map(|&l| at(batch, l)).collect::<Result<Vec<_>>>()?;
    let mut batches = suite.batches.iter().map(|&b| at(b, samples)).collect::<Result<Vec<_>>>()?;
    relate(step.train_step_ms, (batch, samples), lengths.iter_mut().chain(&mut batches));
    Ok(Report {
        adapter: step.adapter.clone(),
        ceilings,
        conv_gflops,
        outside,
        whole_step,
        lengths,
        batches,
        layers,
        step,
        peers,
        first_step_seconds: [warm.seconds, cold.seconds],
        own_first_step_seconds: [own_warm.seconds, own_cold.seconds],
        own_first_step_bytes: [own_warm.bytes, own_cold.bytes],
    })
}

fn scaled(gpu: &Gpu, e: &Experiment, (batch, samples): (usize, usize), rounds: usize) -> Result<Scaled> {
    let mut e = e.clone();
    e.train.batch = batch;
    e.data.seconds = samples as f64 / e.data.fs;
    let mut bench = Bench::new(gpu, &e, 5)?;
    bench.step()?;
    bench.infer()?;
    let (mut train, mut infer) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        train.push(bench.step()?.step());
        infer.push(bench.infer()?);
    }
    Ok(Scaled { batch, samples, train_ms: Spread::of(train), infer_ms: Spread::of(infer), relative: f64::NAN })
}

/// Relates the times to that at the suite's own size, where a step took `ms`.
fn relate<'a>(ms: f64, own: (usize, usize), all: impl Iterator<Item = &'a mut Scaled>) {
    let mut all: Vec<&mut Scaled> = all.collect();
    let again = all.iter().filter(|s| (s.batch, s.samples) == own).map(|s| s.train_ms.median);
    let base = Spread::of(again.chain([ms]).collect()).median / (own.0 * own.1) as f64;
    for s in &mut all {
        s.relative = s.train_ms.median / (base * (s.batch * s.samples) as f64);
    }
}

/// A start of a program up to its first step.
struct FirstStep {
    seconds: f64,
    /// Bytes that its process held at the most.
    bytes: u64,
}

/// Starts a program up to its first step in a new process, three times each and the median of the seconds: with the driver's
/// cache (after one start that fills it), and without.
fn first_steps(program: &str, arguments: &[String]) -> Result<[FirstStep; 2]> {
    let start = |cache: Option<&Path>| {
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(dir) = cache {
            command.env("MESA_SHADER_CACHE_DIR", dir);
        }
        let mut peer = Peer::start("exgnet", command)?;
        Ok::<_, Error>(FirstStep { seconds: peer.start_seconds, bytes: peer.ask("memory")? as u64 })
    };
    let cold = || {
        let dir = std::env::temp_dir().join(format!("exgnet-cold-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| {
            Error::file(dir.clone(), format!("cannot be made: {e}"), "set TMPDIR to a folder that can be written")
        })?;
        let _at_signal = crate::files::RemovedAtSignal::new(&dir);
        let cold = start(Some(&dir));
        // a few megabytes in the temporary folder: not worth a failure
        let _ = std::fs::remove_dir_all(&dir);
        cold
    };
    let median = |start: &dyn Fn() -> Result<FirstStep>| {
        let mut all = (0..3).map(|_| start()).collect::<Result<Vec<_>>>()?;
        all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        Ok::<_, Error>(all.swap_remove(1))
    };
    start(None)?;
    Ok([median(&|| start(None))?, median(&cold)?])
}

/// A row of the table of targets; `less` is better, or more.
struct Target {
    name: &'static str,
    found: Option<f64>,
    /// Where it lies, where that is measured: a bound within is neither met nor missed.
    interval: Option<[f64; 2]>,
    unit: &'static str,
    target: f64,
    stretch: f64,
    less: bool,
}

impl Report {
    /// The targets and what was measured, as a Markdown table.
    pub fn targets(&self) -> String {
        let of = |name: &str| self.peers.iter().find(|p| p.name.starts_with(name));
        let torch = of("PyTorch");
        let guided = self.step.guidance.iter().find(|g| g.name == "xai");
        let more = |ratio: f64| 100.0 * (ratio - 1.0);
        let memory = torch.zip(self.peers.first()).map(|(t, ours)| ours.memory_bytes as f64 / t.memory_bytes as f64);
        let larger = self.lengths.iter().chain(&self.batches);
        let grown = larger
            .filter(|s| s.batch * s.samples > self.step.batch * self.step.samples)
            .map(|s| s.relative)
            .fold(f64::NAN, f64::max);
        let conv = self.conv_gflops.map(Some);
        let [warm, cold] = self.first_step_seconds.map(Some);
        let share = Some(100.0 * self.conv_gflops[0] / self.ceilings.gflops);
        let row = |less: bool| {
            move |name, found, unit, target, stretch| Target {
                name,
                found,
                interval: None,
                unit,
                target,
                stretch,
                less,
            }
        };
        let (at_most, at_least) = (row(true), row(false));
        let burn = of("burn").map(|b| b.train_ratio);
        let rows = [
            at_most("training step against PyTorch CPU", torch.map(|t| t.train_ratio), "x", 1.5, 1.0),
            at_most("inference batch against PyTorch CPU", torch.and_then(|t| t.infer_ratio), "x", 1.3, 1.0),
            at_most("training step against burn's CPU backend", burn, "x", 0.7, 0.35),
            at_least("convolutions, forward", conv[0], " GFLOP/s", 50.0, 80.0),
            at_least("convolutions, input gradient", conv[1], " GFLOP/s", 45.0, 75.0),
            at_least("convolutions, weight gradient", conv[2], " GFLOP/s", 35.0, 60.0),
            at_least("convolutions, forward, of the multiply-add ceiling", share, " %", 25.0, 40.0),
            at_most("time outside convolutions", Some(100.0 * self.outside), " %", 15.0, 10.0),
            Target {
                interval: guided.map(|g| [more(g.interval.low), more(g.interval.high)]),
                ..at_most("XAI guidance adds to a step", guided.map(|g| more(g.ratio)), " %", 5.0, 3.0)
            },
            at_most("first step after process start, shader cache warm", warm, " s", 0.7, 0.5),
            at_most("first step after process start, shader cache cold", cold, " s", 8.0, 5.0),
            at_most("peak memory of the process against PyTorch's", memory, "x", 0.8, 0.6),
            at_most("time per sample at larger batches and lengths", Some(grown), "x", 1.05, 1.0),
        ];
        let mut text = String::from("| | measured | target | stretch target | met |\n|---|---|---|---|---|\n");
        for Target { name, found, interval, unit, target, stretch, less } in rows {
            let bound = if less { "at most" } else { "at least" };
            let meets = |v: f64| if less { v <= target } else { v >= target };
            let (cell, met) = match (found, interval) {
                (Some(v), Some([low, high])) if v.is_finite() => {
                    let met = match (meets(low), meets(high)) {
                        (true, true) => "yes",
                        (false, false) => "no",
                        _ => "not shown",
                    };
                    (format!("{v:.2}{unit} ({low:.2} to {high:.2})"), met)
                }
                (Some(v), None) if v.is_finite() => (format!("{v:.2}{unit}"), if meets(v) { "yes" } else { "no" }),
                _ => ("-".to_owned(), "-"),
            };
            // writing into a String cannot fail
            let _ = writeln!(text, "| {name} | {cell} | {bound} {target}{unit} | {stretch}{unit} | {met} |");
        }
        text
    }

    /// Where a step goes, as a Markdown table, and its shares of the ceilings.
    pub fn step_table(&self) -> String {
        let mut text = String::from(
            "| a step | dispatches | ms | share | bytes, MB | GB/s | of a copy's |\n|---|---:|---:|---:|---:|---:|---:|\n",
        );
        let cell = |v: Option<f64>, digits: usize| v.map_or("-".into(), |v| format!("{v:.digits$}"));
        for g in &self.step.by_group {
            let (rate, copy) = (cell(g.gb_per_s, 1), cell(g.of_copy.map(|share| 100.0 * share), 0));
            // writing into a String cannot fail
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {:.1} % | {:.0} | {rate} | {copy} % |",
                g.group,
                g.count,
                g.ms,
                100.0 * g.of_step,
                1e-6 * g.bytes
            );
        }
        let WholeStep { gflop, gb, of_multiply_adds, of_copy } = self.whole_step;
        let _ = writeln!(
            text,
            "\nThe whole step of {:.0} ms: {gflop:.2} GFLOP of direct convolutions, {:.0} % of the multiply-add ceiling \
             ({:.1} GFLOP/s); at least {gb:.2} GB, {:.0} % of a copy's ({:.1} GB/s).",
            self.step.train_step_ms,
            100.0 * of_multiply_adds,
            self.ceilings.gflops,
            100.0 * of_copy,
            self.ceilings.gb_per_s
        );
        let [warm, cold] = self.own_first_step_seconds;
        let [warm_mib, cold_mib] = self.own_first_step_bytes.map(|bytes| bytes as f64 / MIB);
        let _ = writeln!(
            text,
            "\nThe first step of this network after the start of a process: {warm:.1} s and {warm_mib:.0} MiB; {cold:.1} s and \
             {cold_mib:.0} MiB where the driver's shader cache is empty."
        );
        text
    }

    /// Peers side by side, as a Markdown table.
    pub fn peers_table(&self) -> String {
        let mut text = String::from(
            "| | training step, ms | ours / its | inference batch, ms | ours / its | memory, MiB |\n|---|---|---|---|---|---|\n",
        );
        let spread = |s: Spread| format!("{:.0} ({:.0} to {:.0})", s.median, s.low, s.high);
        for p in &self.peers {
            let (infer, ratio) =
                (p.infer_ms.map_or("-".into(), spread), p.infer_ratio.map_or("-".into(), |r| format!("{r:.2}")));
            let memory = p.memory_bytes as f64 / MIB;
            // writing into a String cannot fail
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {infer} | {ratio} | {memory:.0} |",
                p.version,
                spread(p.train_ms),
                p.train_ratio
            );
        }
        text
    }
}
