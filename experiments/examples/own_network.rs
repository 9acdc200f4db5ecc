//! A network of one's own, trained with a loss of one's own that differentiates a gradient, saved, loaded, and asked where it
//! looks. Signals of noise have a bump upwards, one downwards, or none; the loss keeps the gradient of the logits with respect
//! to the signal small (double backpropagation, Drucker and LeCun 1992); the explanation is Grad-CAM.
//!
//! `cargo run --release --example own_network`

use exgnet::prelude::*;
use std::{ops::Range, path::Path, process::ExitCode};

const LENGTH: usize = 64;

struct Net(Conv1d, BatchNorm, Dropout, Linear);

impl Net {
    fn new(gpu: &Gpu, seed: u64) -> Result<(Self, Params)> {
        let mut p = ParamBuilder::new(seed);
        let conv = p.conv1d("conv", 1, 16, 9, ConvOptions { bias: false, ..ConvOptions::default() });
        let net = Self(conv, p.batch_norm("bn", 16), p.dropout("drop", 0.1), p.linear("head", 16, 3));
        Ok((net, p.init(gpu)?))
    }

    /// Logits `[B, 3]` and feature maps `[B, 16, 64]` of signals `[B, 1, 64]`.
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<(Tensor, Tensor)> {
        let maps = self.1.relu(&self.0.forward(x)?, Added::Nothing, mode, self.2.at(mode).as_ref())?;
        Ok((self.3.forward(&ops::global_avg_pool(&maps)?)?, maps))
    }
}

/// Where the bump of a signal is.
fn center(i: usize) -> usize {
    8 + i * 29 % 48
}

/// Noise of class 0, with a bump upwards of class 1, with one downwards of class 2.
fn signals(range: Range<usize>) -> (Vec<f32>, Vec<u32>) {
    let noise = |i: usize| (i as f32 * 12.9898).sin() * 43758.547 % 0.5;
    let bump = |i: usize, t: usize| [0.0, 2.0, -2.0][i % 3] * (-((t as f32 - center(i) as f32) / 3.0).powi(2)).exp();
    let one = |i: usize| (0..LENGTH).map(move |t| noise(i * LENGTH + t) + bump(i, t));
    (range.clone().flat_map(one).collect(), range.map(|i| (i % 3) as u32).collect())
}

/// Trains, saves and loads; returns the accuracy and the mean distance of a map's peak from the bump, in samples.
pub fn run(gpu: &Gpu, path: &Path) -> Result<(f64, f64)> {
    let ((x, labels), (net, params)) = (signals(0..180), Net::new(gpu, 1)?);
    let mut loader = Loader::new(&x, &[1, LENGTH], 20)?.labels(&labels)?.shuffled(1);
    let mut sgd = Optimizer::sgd(&params, Sgd { weight_decay: 1e-4, ..Sgd::default() })?;
    while loader.epoch() < 15 {
        let Some(batch) = loader.next_of_epoch(gpu)? else { continue };
        let (x, even) = (batch.x.leaf(), Tensor::full(gpu, &[3], 1.0)?);
        let (logits, _) = net.forward(&x, &params.train_mode(loader.batches())?)?;
        let ce = ops::cross_entropy(&logits, &ops::cross_entropy_targets(batch.labels()?, &even, 0.0)?)?;
        let slope = grad(&ops::pick(&logits, batch.labels()?)?, &[&x], None, true)?.remove(0).expect("x is used");
        let loss = ops::add(&ce, &ops::scale(&ops::mean(&ops::square(&slope)?, &[0, 1, 2])?, 0.1)?)?;
        sgd.step(&params, &params.gradients(&loss)?, 5e-2)?;
    }
    params.save(path)?;
    let ((x, labels), (net, params)) = (signals(180..240), Net::new(gpu, 2)?);
    params.load(path)?;
    let batch = Loader::new(&x, &[1, LENGTH], 60)?.labels(&labels)?.next_batch(gpu)?;
    let (logits, maps) = net.forward(&batch.x, &Mode::EVAL)?;
    let alpha = grad(&ops::pick(&logits, batch.labels()?)?, &[&maps], None, false)?.remove(0).expect("maps are used");
    let cam = ops::relu(&ops::sum(&ops::mul(&maps, &ops::mean(&alpha, &[2])?)?, &[1])?)?; // [B, 1, 64]
    let classes = logits.argmax(1, Keep::No)?.to_vec_u32()?;
    let right = classes.iter().zip(&labels).filter(|(found, class)| found == class).count();
    let peaks = cam.argmax(2, Keep::No)?.to_vec_u32()?;
    let bumps = peaks.iter().zip(180..).filter(|(_, i)| i % 3 > 0);
    let off: Vec<f64> = bumps.map(|(&peak, i)| (peak as usize).abs_diff(center(i)) as f64).collect();
    let (accuracy, off) = (right as f64 / labels.len() as f64, off.iter().sum::<f64>() / off.len() as f64);
    println!("accuracy {accuracy:.3}, explanations {off:.1} samples off; the network is in {}", path.display());
    Ok((accuracy, off))
}

fn main() -> ExitCode {
    let done = Gpu::from_env().and_then(|gpu| run(&gpu, &std::env::temp_dir().join("own_network.safetensors")));
    let Err(e) = done else { return ExitCode::SUCCESS };
    eprintln!("error: {e}");
    ExitCode::FAILURE
}
