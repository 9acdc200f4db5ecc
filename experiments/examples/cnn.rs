//! Trains a plain 1-D convolutional network to classify three rhythms, on synthetic ECG strips of the library's own
//! generator, and tests it on strips that it never saw.
//!
//! `cargo run --release --example cnn`

use exgnet::ecg::{Dataset, SyntheticOptions, synthesize};
use exgnet::experiment::data::Strips;
use exgnet::experiment::data::batches;
use exgnet::prelude::*;
use std::process::ExitCode;

const CLASSES: [&str; 3] = ["SB", "AFIB/AFL", "SVT/AT"];
const CHANNELS: [usize; 4] = [1, 8, 16, 32];
const KERNEL: usize = 9;
const RECORDS: usize = 240;
const EPOCHS: usize = 10;
const BATCH: usize = 20;
const RATE: f64 = 5e-3;
/// A third of the strips would be right by chance.
const LEARNED: f64 = 0.8;

/// Three times convolution of stride 2, BatchNorm, ReLU and max pooling; the mean over time; a linear classifier.
struct Cnn {
    layers: Vec<(Conv1d, BatchNorm)>,
    head: Linear,
}

impl Cnn {
    /// The network with its parameters; the seed is that of their starting values.
    fn new(gpu: &Gpu, seed: u64) -> Result<(Self, Params)> {
        let mut p = ParamBuilder::new(seed);
        let options = ConvOptions { stride: 2, ..ConvOptions::default() };
        let mut layer = |(i, c): (usize, &[usize])| {
            (p.conv1d(&format!("conv.{i}"), c[0], c[1], KERNEL, options), p.batch_norm(&format!("bn.{i}"), c[1]))
        };
        let layers = CHANNELS.windows(2).enumerate().map(&mut layer).collect();
        let net = Self { layers, head: p.linear("head", CHANNELS[3], CLASSES.len()) };
        Ok((net, p.init(gpu)?))
    }

    /// Logits `[B, classes]` of strips `[B, 1, L]`.
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let mut x = x.clone();
        for (conv, bn) in &self.layers {
            x = bn.relu(&conv.forward(&x)?, Added::Nothing, mode, None)?;
            x = ops::max_pool(&x, MaxPool { kernel: 2, stride: 2, pad: 0 })?;
        }
        self.head.forward(&ops::global_avg_pool(&x)?)
    }
}

/// Trains on four fifths of the strips; returns the share of the others that it classifies rightly.
pub fn run(gpu: &Gpu) -> Result<f64> {
    let set: Dataset = synthesize(&SyntheticOptions {
        records: RECORDS,
        classes: CLASSES.map(String::from).to_vec(),
        fs: 100.0,
        seconds: 5.0,
        ..SyntheticOptions::default()
    })?;
    let strips = Strips::new(&set);
    // the classes take turns: every part has all of them
    let (train, test): (Vec<usize>, Vec<usize>) = (0..RECORDS).partition(|i| !(i / CLASSES.len()).is_multiple_of(5));
    let class_weights = Tensor::full(gpu, &[CLASSES.len()], 1.0)?;

    let (net, params) = Cnn::new(gpu, 1)?;
    let mut adam = Optimizer::new(&params, Hyper::default())?;
    let steps = EPOCHS * batches(&train, BATCH, 1, 0).len();
    let mut step = 0;
    for epoch in 0..EPOCHS {
        let mut loss = 0.0;
        for records in batches(&train, BATCH, 1, epoch) {
            let logits = net.forward(&strips.batch(gpu, &records)?, &Mode::TRAIN)?;
            let targets = ops::cross_entropy_targets(&strips.batch_labels(gpu, &records)?, &class_weights, 0.0)?;
            let ce = ops::cross_entropy(&logits, &targets)?;
            adam.step(&params, &params.gradients(&ce)?, learning_rate(RATE, step, steps, 0.1, true))?;
            loss = ce.item()?;
            step += 1;
        }
        println!("epoch {}  loss of the last batch {loss:.4}", epoch + 1);
    }

    let logits = no_grad(|| net.forward(&strips.batch(gpu, &test)?, &Mode::EVAL))?;
    let predicted = logits.argmax(1, Keep::No)?.to_vec_u32()?;
    let right =
        predicted.iter().zip(&test).filter(|(class, record)| **class as usize == strips.label(**record)).count();
    let accuracy = right as f64 / test.len() as f64;
    println!("accuracy on {} strips not trained on: {accuracy:.3} (learned: above {LEARNED})", test.len());
    Ok(accuracy)
}

/// Whether an accuracy is high enough.
pub fn learned(accuracy: f64) -> bool {
    accuracy > LEARNED
}

fn main() -> ExitCode {
    match Gpu::from_env().and_then(|gpu| run(&gpu)) {
        Ok(accuracy) if learned(accuracy) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
