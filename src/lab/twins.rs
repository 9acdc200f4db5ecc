//! One network written with several libraries, ours among them, each a program that is a peer ([`super::peers`]): whether they
//! compute the same, what a step and a batch take, the memory, the lines. Such a program answers more: `value` with the loss
//! of its last step (the first was before `ready`) or the sum of the logits' sizes of its last batch, `bits` with a checksum of
//! its parameters, `second` with the norm of a gradient of a gradient, or `NaN` where the library has none.

use super::Spread;
use super::peers::{Compared, Peer, PeerConfig, compare};
use super::suite::SuiteConfig;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Ends what is counted of a program's text.
const COUNTED: &str = "counted to here";

/// What a fresh process found that trained a few steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trained {
    /// Loss of each step.
    pub losses: Vec<f64>,
    /// Checksum of all parameters after them.
    pub bits: u64,
    /// Sum of the logits' sizes, by the running estimates.
    pub logits: f64,
    /// Norm of the stem's gradient of the mean square of the loss's gradient at the signals, after one step.
    pub second: Option<f64>,
}

/// A program beside ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Twin {
    /// Times and memory.
    #[serde(flatten)]
    pub compared: Compared,
    /// Lines of network, training step and inference that are neither empty nor comments.
    pub lines: usize,
    /// What it found.
    pub trained: Trained,
    /// A second process found the same bits.
    pub repeated: bool,
}

/// All of them; ours is the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Twins {
    /// Mean number of running processes in the minute before and in the last one (Linux).
    pub load: [String; 2],
    /// Threads that each may use.
    pub threads: usize,
    /// Records a batch.
    pub batch: usize,
    /// Samples a record.
    pub samples: usize,
    /// Times that each was measured.
    pub rounds: usize,
    /// The programs.
    pub twins: Vec<Twin>,
}

/// Measures `ours` and the peers of a suite. `watch` hears what comes next.
pub fn run(e: &Experiment, ours: &PeerConfig, suite: &SuiteConfig, watch: impl Fn(&str)) -> Result<Twins> {
    let size = (e.train.batch, e.data.samples());
    let all: Vec<&PeerConfig> = std::iter::once(ours).chain(&suite.peers).collect();
    let before = load();
    let mut found = Vec::new();
    for config in &all {
        watch(&config.name);
        let start = || config.start(size, suite.threads);
        // first, as the two that can then have the same parameters; it moves the running estimates, hence a process of its own
        let second = Some(start()?.ask("second")?).filter(|v| v.is_finite());
        let trained = || trained(&mut start()?, suite.steps, second);
        found.push((lines(config)?, trained()?, trained()?));
    }
    watch("times");
    let start = |config: &&PeerConfig| Ok(((*config).clone(), config.start(size, suite.threads)?));
    let compared = compare(&mut all.iter().map(start).collect::<Result<Vec<_>>>()?, suite.rounds)?;
    let twin = |(compared, (lines, trained, again)): (Compared, (usize, Trained, Trained))| Twin {
        compared,
        lines,
        repeated: trained.bits == again.bits,
        trained,
    };
    Ok(Twins {
        load: [before, load()],
        threads: suite.threads,
        batch: size.0,
        samples: size.1,
        rounds: suite.rounds,
        twins: compared.into_iter().zip(found).map(twin).collect(),
    })
}

fn trained(peer: &mut Peer, steps: usize, second: Option<f64>) -> Result<Trained> {
    let mut losses = vec![peer.ask("value")?];
    for _ in 1..steps {
        peer.ask("train")?;
        losses.push(peer.ask("value")?);
    }
    let bits = peer.ask("bits")? as u64;
    peer.ask("infer")?;
    let logits = peer.ask("value")?;
    Ok(Trained { losses, bits, logits, second })
}

fn lines(config: &PeerConfig) -> Result<usize> {
    let Some(path) = &config.source else { return Ok(0) };
    let hint = "start it in the folder that the paths of the suite's file begin at";
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, format!("cannot be read: {e}"), hint))?;
    Ok(count(&text))
}

/// Lines before the mark, without empty ones, comments, and the Python kind of documentation.
fn count(text: &str) -> usize {
    let mut quoted = false;
    let code = |line: &&str| {
        let quotes = line.matches("\"\"\"").count();
        let was = quoted;
        quoted ^= quotes % 2 == 1;
        !(was
            || quotes > 0
            || line.is_empty()
            || line.starts_with("//")
            || line.starts_with('#') && !line.starts_with("#["))
    };
    text.lines().map(str::trim).take_while(|line| !line.contains(COUNTED)).filter(code).count()
}

fn load() -> String {
    let text = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Distance from ours as a share of ours.
fn off(a: f64, ours: f64) -> f64 {
    (a - ours).abs() / ours.abs()
}

impl Twins {
    /// The programs side by side on this CPU, as a Markdown table.
    pub fn table(&self, cpu: &str) -> String {
        let Self { load, threads, batch, samples, rounds, twins } = self;
        let Some(ours) = twins.first() else { return String::new() };
        let steps = ours.trained.losses.len();
        let mut text = format!(
            "{cpu}; {threads} threads; batch {batch} x {samples}; medians (smallest to largest) of {rounds} rounds in turn; load {} \
             before, {} at the end\n\n\
             | | training step, ms | ours / its | inference batch, ms | ours / its | peak RSS (VmHWM), MiB | lines | loss of step 1, off | \
             of steps 2 to {steps}, off | logits after them, off | bits repeated | second order |\n{}\n",
            load[0],
            load[1],
            "|---".repeat(12) + "|"
        );
        let spread = |s: Spread| format!("{:.0} ({:.0} to {:.0})", s.median, s.low, s.high);
        let yes = |is: bool| if is { "yes" } else { "no" };
        for Twin { compared: c, lines, trained, repeated } in twins {
            let mut losses = trained.losses.iter().zip(&ours.trained.losses).map(|(&a, &b)| off(a, b));
            let first = losses.next().unwrap_or(f64::NAN);
            let worst = losses.fold(0.0, f64::max);
            let second = match (trained.second, ours.trained.second) {
                (Some(a), Some(b)) => format!("yes (off {:.0e})", off(a, b)),
                (a, _) => yes(a.is_some()).to_owned(),
            };
            // writing into a String cannot fail
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {} | {} | {:.0} | {lines} | {first:.0e} | {worst:.0e} | {:.0e} | {} | {second} |",
                c.version,
                spread(c.train_ms),
                c.train_ratio,
                c.infer_ms.map_or("-".into(), spread),
                c.infer_ratio.map_or("-".into(), |r| format!("{r:.2}")),
                c.memory_bytes as f64 / f64::from(1 << 20),
                off(trained.logits, ours.trained.logits),
                yes(*repeated),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_code_before_the_mark() {
        let rust = "//! Doc.\n\nuse a::b;\n#[derive(Debug)]\nstruct A;\n    // why\nfn f() {}\n// counted to here\nfn g() {}\n";
        assert_eq!(count(rust), 4);
        let python = "#!/usr/bin/env python3\n\"\"\"Doc\n\n  more\n\"\"\"\nimport a\n\ndef f():\n    \"\"\"One line.\"\"\"\n    return 1  # so\n";
        assert_eq!(count(python), 3);
    }
}
