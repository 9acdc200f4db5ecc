//! A network of one's own, trained with a loss of one's own that differentiates a gradient, saved, loaded, and asked where it
//! looks. Signals of noise have a bump upwards, one downwards, or none; the loss keeps the gradient of the logits with respect
//! to the signal small (double backpropagation, Drucker and LeCun 1992); the explanation is Grad-CAM.
//!
//! `cargo run --release --example own_network`

use exgnet::prelude::*;
use std::path::Path;
use std::process::ExitCode;

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
fn signals(n: usize) -> (Vec<f32>, Vec<u32>) {
    let noise = |i: usize| (i as f32 * 12.9898).sin() * 43758.547 % 0.5;
    let bump = |i: usize, t: usize| [0.0, 2.0, -2.0][i % 3] * (-((t as f32 - center(i) as f32) / 3.0).powi(2)).exp();
    let x = (0..n).flat_map(|i| (0..LENGTH).map(move |t| noise(i * LENGTH + t) + bump(i, t)));
    (x.collect(), (0..n).map(|i| (i % 3) as u32).collect())
}

/// Grad-CAM `[B, 64]` of the logits of the `labels`.
fn explain(logits: &Tensor, maps: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let gradient = grad(&ops::pick(logits, labels)?, &[maps], None, false)?.remove(0).expect("logits come from maps");
    let weighted = ops::mul(maps, &ops::mean(&gradient, &[2])?)?;
    ops::reshape(&ops::relu(&ops::sum(&weighted, &[1])?)?, &[maps.dim(0), LENGTH])
}

/// Trains, saves and loads; returns the accuracy and the mean distance of a map's peak from the bump, in samples.
pub fn run(gpu: &Gpu, path: &Path) -> Result<(f64, f64)> {
    let ((x, labels), (net, params)) = (signals(240), Net::new(gpu, 1)?);
    let mut loader =
        Loader::new(&x, &[1, LENGTH], 24)?.labels(&labels)?.only(&(0..180).collect::<Vec<_>>())?.shuffled(1);
    let hyper = Hyper { weight_decay: 1e-2, decoupled: true, ..Hyper::default() };
    let mut adam = Optimizer::new(&params, hyper)?.with_decay_of_weights_only(&params)?;
    let even = Tensor::full(gpu, &[3], 1.0)?;
    while loader.epoch() < 15 {
        let Some(batch) = loader.next_of_epoch(gpu)? else { continue };
        let x = batch.x.leaf();
        let (logits, _) = net.forward(&x, &params.train_mode(adam.steps())?)?;
        let ce = ops::cross_entropy(&logits, &ops::cross_entropy_targets(batch.labels()?, &even, 0.0)?)?;
        let slope =
            grad(&ops::pick(&logits, batch.labels()?)?, &[&x], None, true)?.remove(0).expect("logits come from x");
        let loss = ops::add(&ce, &ops::scale(&ops::mean(&ops::square(&slope)?, &[0, 1, 2])?, 0.1)?)?;
        adam.step(&params, &params.gradients(&loss)?, 2e-2)?;
    }
    params.save(path)?;
    let (net, params) = Net::new(gpu, 2)?;
    params.load(path)?;
    let mut test = Loader::new(&x, &[1, LENGTH], 60)?.labels(&labels)?.only(&(180..240).collect::<Vec<_>>())?;
    let batch = test.next_batch(gpu)?;
    let (logits, maps) = net.forward(&batch.x, &Mode::EVAL)?;
    let cam = explain(&logits, &maps, batch.labels()?)?.to_vec()?;
    let largest = |row: &[f32]| (0..row.len()).fold(0, |a, b| if row[b] > row[a] { b } else { a });
    let right = logits.to_vec()?.chunks(3).zip(&batch.rows).filter(|(row, i)| largest(row) == *i % 3).count();
    let bumps = cam.chunks(LENGTH).zip(&batch.rows).filter(|(_, i)| *i % 3 > 0);
    let distances: Vec<f64> = bumps.map(|(cam, &i)| largest(cam).abs_diff(center(i)) as f64).collect();
    Ok((right as f64 / batch.rows.len() as f64, distances.iter().sum::<f64>() / distances.len() as f64))
}

fn main() -> ExitCode {
    let path = std::env::temp_dir().join("own_network.safetensors");
    let done = Gpu::from_env().and_then(|gpu| run(&gpu, &path));
    match done {
        Ok((right, off)) => println!("accuracy {right:.3}, explanations {off:.1} samples off, in {}", path.display()),
        Err(ref e) => eprintln!("error: {e}"),
    }
    ExitCode::from(u8::from(done.is_err()))
}
