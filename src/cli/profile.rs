//! `exgnet profile`: where a training step goes.

use super::{Common, print_json, print_line};
use crate::error::{Error, Result};
use crate::lab::profile::{Profile, profile};
use crate::train::Experiment;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure where a training step goes: phases, kernels, guidance, memory
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet profile                                      the quick start's step\n  \
                  exgnet profile experiments/mitbih.toml --batch 64 --json\n  \
                  exgnet profile --set network.preset=exgnet --set data.fs=500")]
pub(super) struct ProfileArgs {
    /// Experiment file; without one the built-in quick start
    config: Option<PathBuf>,
    /// Change one setting of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Records a batch; without it the experiment's
    #[arg(long, value_name = "B")]
    batch: Option<usize>,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    steps: usize,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, args: &ProfileArgs) -> Result<ExitCode> {
    let mut sets = args.sets.clone();
    sets.extend(args.batch.map(|b| format!("train.batch={b}")));
    let experiment = match &args.config {
        Some(path) => Experiment::load(path, &sets)?,
        None => Experiment::quickstart(&sets)?,
    };
    if !(1..=10_000).contains(&args.steps) {
        return Err(Error::config(format!("--steps {}: expected 1 to 10000", args.steps), "5 is usual"));
    }
    let found = profile(&common.gpu()?, &experiment, args.steps)?;
    if args.json {
        print_json(&found, true);
    } else {
        table(&found);
    }
    Ok(ExitCode::SUCCESS)
}

fn table(p: &Profile) {
    print_line(&p.adapter);
    print_line(&format!("batch {}, {} samples a strip, {} parameters", p.batch, p.samples, p.parameters));
    let line = |name: &str, s: crate::lab::Spread, tail: String| {
        print_line(&format!("{name:<16}{:>9.2} ms  ({:.2} to {:.2}){tail}", s.median, s.low, s.high));
    };
    line("training step", p.train_step, String::new());
    line("inference batch", p.infer_batch, String::new());
    let [replayed, described] = p.replay.host_ms;
    let tail = format!("  {:+.1} % replayed; host {replayed:.2} ms for {described:.2}", 100.0 * (p.replay.ratio - 1.0));
    line("not replayed", p.replay.described_ms, tail);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    print_line(&format!("most memory     {:>9.1} MiB", mib(p.peak_memory_bytes)));
    let m = &p.memory;
    for (name, bytes) in
        [("parameters", m.parameters), ("activations", m.activations), ("losses", m.losses), ("backward", m.backward)]
    {
        print_line(&format!("  {name:<14}{:>9.1} MiB", mib(bytes)));
    }
    print_line("\nguidance, interleaved");
    for g in &p.guidance {
        line(&format!("  {}", g.name), g.step_ms, format!("  {:+.1} %", 100.0 * (g.ratio - 1.0)));
    }
    print_line("\nphase, ms a step");
    p.by_phase.iter().for_each(|(name, ms)| print_line(&format!("  {name:<12}{ms:>9.2}")));
    if p.by_kernel.is_empty() {
        print_line("\n(no kernel times: this adapter has no timestamps)");
        return;
    }
    let total: f64 = p.by_kernel.iter().map(|k| k.ms).sum();
    print_line(&format!("\n{:<10} {:<56} {:>5} {:>9} {:>6}", "phase", "kernel", "count", "ms", "share"));
    for k in &p.by_kernel {
        print_line(&format!(
            "{:<10} {:<56} {:>5} {:>9.3} {:>5.1}%",
            k.phase,
            k.kernel,
            k.count,
            k.ms,
            100.0 * k.ms / total
        ));
    }
}
