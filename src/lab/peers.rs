//! Other engines beside ours, step by step in turn. A peer is a program that prints `ready NAME` and then answers each line
//! on its standard input with a number: `train` and `infer` with the milliseconds of one step or one batch, `memory`
//! with the most bytes it held. `exgnet bench --serve` is such a program too, so that both sides are measured alike.

use super::Spread;
use super::profile::Bench;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::gpu::Gpu;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// A program to compare with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// How tables call it.
    pub name: String,
    /// The program and its arguments; `{batch}`, `{samples}` and `{threads}` are filled in.
    pub command: Vec<String>,
    /// Does inference batches too.
    #[serde(default)]
    pub infer: bool,
    /// Its text, whose lines are counted ([`super::twins`]).
    #[serde(default)]
    pub source: Option<PathBuf>,
}

impl PeerConfig {
    /// Starts it, with the size of a batch and the threads in the places of its command.
    pub fn start(&self, (batch, samples): (usize, usize), threads: usize) -> Result<Peer> {
        let fill = |text: &String| {
            let text = text.replace("{batch}", &batch.to_string()).replace("{samples}", &samples.to_string());
            text.replace("{threads}", &threads.to_string())
        };
        let mut filled = self.command.iter().map(fill);
        let Some(program) = filled.next() else {
            let hint = "give it the program and its arguments: command = [\"program\", \"{batch}\"]";
            return Err(Error::config(format!("peer '{}': found no command", self.name), hint));
        };
        let mut command = Command::new(program);
        command.args(filled);
        Peer::start(&self.name, command)
    }
}

/// A peer that runs.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    name: String,
    /// What it said after `ready`.
    pub version: String,
    /// Seconds from its start to `ready`.
    pub start_seconds: f64,
}

impl Peer {
    /// Starts it and waits until it is ready.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let start = Instant::now();
        let failed = |what: String| {
            let hint = "see experiments/peers and the commands in the suite's file; remove the peer to go without it";
            Error::config(format!("peer '{name}': {what}"), hint)
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(format!("{}: {e}", command.get_program().to_string_lossy())))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no standard input and output".into()));
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).map_err(|e| failed(e.to_string()))?;
        let Some(version) = line.trim().strip_prefix("ready ").map(str::to_owned) else {
            // best effort: it may be gone already
            let _ = child.kill();
            return Err(failed(format!("it said '{}', expected 'ready NAME'", line.trim())));
        };
        let start_seconds = start.elapsed().as_secs_f64();
        Ok(Self { child, input, output, name: name.to_owned(), version, start_seconds })
    }

    /// Asks for one number.
    pub fn ask(&mut self, what: &str) -> Result<f64> {
        let gone =
            |e: String| Error::config(format!("peer '{}': {e}", self.name), "run its command by hand to see why");
        let mut line = String::new();
        writeln!(self.input, "{what}").and_then(|()| self.input.flush()).map_err(|e| gone(e.to_string()))?;
        self.output.read_line(&mut line).map_err(|e| gone(e.to_string()))?;
        line.trim().parse().map_err(|_| gone(format!("it answered '{}' to '{what}', expected a number", line.trim())))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // it ends with its input, or is ended; either way it must not outlive us
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Most bytes that this process held (Linux; 0 elsewhere).
pub fn peak_process_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kib.unwrap_or(0)
}

/// Our side of the protocol, until standard input ends: ready after the first training step.
pub fn serve(gpu: &Gpu, experiment: &Experiment) -> Result<()> {
    let mut bench = Bench::new(gpu, experiment, 5)?;
    bench.step()?;
    let say = |text: String| {
        let mut out = std::io::stdout();
        // a reader that went away ends the loop with its input
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    };
    say(format!("ready exgnet {} on {}", env!("CARGO_PKG_VERSION"), gpu.report().name));
    for line in std::io::stdin().lock().lines().map_while(std::result::Result::ok) {
        say(match line.trim() {
            "" => continue,
            "train" => bench.step()?.step().to_string(),
            "infer" => bench.infer()?.to_string(),
            "memory" => peak_process_bytes().to_string(),
            other => {
                let what = format!("standard input: found '{other}', expected train, infer or memory");
                return Err(Error::config(what, "`bench --serve` is for `bench --suite`, which asks it"));
            }
        });
    }
    Ok(())
}

/// Ours and a peer, or several, measured in turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Name in the suite's file; `exgnet` is ours.
    pub name: String,
    /// What the program said it is.
    pub version: String,
    /// A training step, ms.
    pub train_ms: Spread,
    /// Median of our time divided by its time, round by round.
    pub train_ratio: f64,
    /// An inference batch, ms.
    pub infer_ms: Option<Spread>,
    /// Median of our time divided by its time, round by round.
    pub infer_ratio: Option<f64>,
    /// Most bytes of the process.
    pub memory_bytes: u64,
}

/// Measures `ours` and the peers, in turn, `rounds` times after one that does not count.
pub fn compare(all: &mut [(PeerConfig, Peer)], rounds: usize) -> Result<Vec<Compared>> {
    let mut times = vec![[Vec::new(), Vec::new()]; all.len()];
    for round in 0..=rounds {
        for (kind, what) in ["train", "infer"].into_iter().enumerate() {
            for ((config, peer), times) in all.iter_mut().zip(&mut times) {
                if what == "infer" && !config.infer {
                    continue;
                }
                let ms = peer.ask(what)?;
                if round > 0 {
                    times[kind].push(ms);
                }
            }
        }
    }
    let ours = times[0].clone();
    let ratio = |kind: usize, of: &[f64]| {
        let ratios: Vec<f64> = ours[kind].iter().zip(of).map(|(a, b)| a / b).collect();
        (!ratios.is_empty()).then(|| Spread::of(ratios).median)
    };
    let mut rows = Vec::new();
    for ((config, peer), [train, infer]) in all.iter_mut().zip(times) {
        rows.push(Compared {
            name: config.name.clone(),
            version: peer.version.clone(),
            train_ratio: ratio(0, &train).unwrap_or(f64::NAN),
            train_ms: Spread::of(train),
            infer_ratio: ratio(1, &infer),
            infer_ms: (!infer.is_empty()).then(|| Spread::of(infer)),
            memory_bytes: peer.ask("memory")? as u64,
        });
    }
    Ok(rows)
}
