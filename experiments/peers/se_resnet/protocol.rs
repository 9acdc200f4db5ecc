//! What the SE-ResNets of this folder have in common in Rust: their data, and the protocol of a peer (`../README.md`).

use std::io::{BufRead, Write};
use std::time::Instant;

pub const CLASSES: usize = 5;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A network that is trained on one batch.
pub trait Twin {
    /// A training step; its loss.
    fn train(&mut self) -> Result<f32>;
    /// Logits of the batch with the running estimates.
    fn infer(&mut self) -> Result<Vec<f32>>;
    /// Trained parameters and running estimates, always in the same order.
    fn parameters(&self) -> Result<Vec<f32>>;
    /// Norm of the gradient, with respect to the stem's weight, of the mean square of the gradient of the loss with
    /// respect to the signals. An error where the library cannot.
    fn second_order(&mut self) -> Result<f64>;
}

/// Records, samples and the file of starting values from the command line.
pub fn arguments() -> (usize, usize, String) {
    let all: Vec<String> = std::env::args().collect();
    match (all.get(1).and_then(|a| a.parse().ok()), all.get(2).and_then(|a| a.parse().ok()), all.get(3)) {
        (Some(batch), Some(samples), Some(path)) => (batch, samples, path.clone()),
        _ => panic!("usage: {} BATCH SAMPLES STARTING_VALUES.safetensors", all[0]),
    }
}

/// Signals `[batch, 1, samples]`, triangles of a period that gives the class, in noise, and their classes. Every operation
/// is exact in f32, so that all languages have the same.
pub fn data(batch: usize, samples: usize) -> (Vec<f32>, Vec<u32>) {
    let noise = |i: usize| {
        let x = (i as u32).wrapping_mul(2_654_435_761);
        ((x ^ (x >> 15)).wrapping_mul(2_246_822_519) >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let triangle = |b: usize, t: usize| (t * (b % CLASSES + 1) % 128).abs_diff(64) as f32 / 32.0 - 1.0;
    let one = |b: usize| (0..samples).map(move |t| triangle(b, t) + noise(b * samples + t));
    ((0..batch).flat_map(one).collect(), (0..batch).map(|b| (b % CLASSES) as u32).collect())
}

/// Most bytes the process held (Linux).
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

/// FNV-1a of the bits of all parameters, of which 52 fit a number.
fn checksum(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)) >> 12
}

/// Answers until standard input ends.
pub fn serve(name: &str, twin: &mut impl Twin) -> Result<()> {
    let say = |text: String| {
        let mut out = std::io::stdout();
        writeln!(out, "{text}").and_then(|()| out.flush())
    };
    let mut value = twin.train()?;
    say(format!("ready {name}"))?;
    for line in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let ms = || 1e3 * start.elapsed().as_secs_f64();
        say(match line?.trim() {
            "train" => {
                value = twin.train()?;
                ms().to_string()
            }
            "infer" => {
                let logits = twin.infer()?;
                let ms = ms();
                value = logits.iter().map(|l| l.abs()).sum();
                ms.to_string()
            }
            "value" => value.to_string(),
            "bits" => checksum(&twin.parameters()?).to_string(),
            "memory" => memory().to_string(),
            "second" => twin
                .second_order()
                .unwrap_or_else(|e| {
                    eprintln!("{name}: no second order: {e}");
                    f64::NAN
                })
                .to_string(),
            other => return Err(format!("'{other}': expected train, infer, value, bits, memory or second").into()),
        })?;
    }
    Ok(())
}
