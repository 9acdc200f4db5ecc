//! `exgnet profile`: where a training step goes.

use super::recorded::Recorded;
use super::{Common, print_found, print_line, within};
use crate::error::Result;
use crate::experiment::Experiment;
use crate::lab::Interval;
use crate::lab::ceilings::Bound;
use crate::lab::profile::{Profile, profile};
use clap::Args;
use std::path::PathBuf;

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

pub(super) fn run(common: &Common, args: &ProfileArgs) -> Result<()> {
    let mut sets = args.sets.clone();
    sets.extend(args.batch.map(|b| format!("train.batch={b}")));
    let experiment = Experiment::load_or_quickstart(args.config.as_deref(), &sets)?;
    within("--steps", args.steps, 1..=10_000, "1 to 10000", "5 is usual")?;
    let found = profile(&common.gpu()?, &experiment, args.steps)?;
    print_found(args.json, &Recorded::of(&found), || table(&found));
    Ok(())
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
    let tail = format!("  replayed: {}; host {replayed:.2} ms for {described:.2}", against(p.replay.interval));
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
        // the first is what the others are compared with
        let tail = if g.name == "plain" { String::new() } else { format!("  {}", against(g.interval)) };
        line(&format!("  {}", g.name), g.step_ms, tail);
    }
    print_line("\nphase, ms a step");
    p.by_phase.iter().for_each(|(name, ms)| print_line(&format!("  {name:<12}{ms:>9.2}")));
    if p.by_kernel.is_empty() {
        print_line("\n(no kernel times: this adapter has no timestamps)");
        return;
    }
    by_group(p);
    let total: f64 = p.by_kernel.iter().map(|k| k.ms).sum();
    let c = &p.ceilings;
    print_line(&format!(
        "\nkernels; ceilings: {:.0} GFLOP/s of multiply-adds, {:.1} GB/s of a copy",
        c.gflops, c.gb_per_s
    ));
    print_line(&format!(
        "{:<9} {:<39} {:<56} {:>5} {:>9} {:>7} {:>9} {:>8}  {}",
        "phase", "kernel", "shape", "count", "ms", "of step", "GFLOP/s", "reached", "of the ceiling of"
    ));
    for k in &p.by_kernel {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        print_line(&format!(
            "{:<9} {:<39} {:<56} {:>5} {:>9.3} {:>7} {:>9} {:>8}  {}",
            k.phase,
            k.kernel,
            k.shape,
            k.count,
            k.ms,
            percent(k.ms / total),
            or_none(k.gflops.map(|v| format!("{v:.2}"))),
            or_none(k.share.map(percent)),
            k.bound.map_or("-", Bound::name)
        ));
    }
}

fn by_group(p: &Profile) {
    print_line(&format!(
        "\n{:<24} {:>10} {:>9} {:>7} {:>9} {:>8} {:>8}",
        "what for", "dispatches", "ms", "of step", "MB", "GB/s", "of copy"
    ));
    for g in &p.by_group {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        print_line(&format!(
            "{:<24} {:>10} {:>9.3} {:>7} {:>9.1} {:>8} {:>8}",
            g.group,
            g.count,
            g.ms,
            percent(g.of_step),
            1e-6 * g.bytes,
            g.gb_per_s.map_or("-".into(), |v| format!("{v:.1}")),
            g.of_copy.map_or("-".into(), percent)
        ));
    }
}

/// A ratio of times as a difference, with its interval; in words where noise may be all of it.
fn against(ratio: Interval) -> String {
    let percent = |v: f64| format!("{:+.1} %", 100.0 * (v - 1.0));
    let (low, high) = (percent(ratio.low), percent(ratio.high));
    match ratio.holds(1.0) {
        true => format!("no difference within noise ({low} to {high})"),
        false => format!("{} ({low} to {high})", percent(ratio.median)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_no_difference() {
        let of = |values: &[f64]| against(Interval::of_median(values.to_vec()));
        assert_eq!(of(&[0.98, 1.01, 1.03]), "no difference within noise (-2.0 % to +3.0 %)");
        assert_eq!(of(&[1.2, 1.25, 1.3]), "+25.0 % (+20.0 % to +30.0 %)");
    }
}
