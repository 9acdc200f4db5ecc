//! The network of preset `exgnet` in burn on its CPU backend (flex), as a peer of `exgnet bench --suite`; the protocol is
//! described in `../torch_twin.py`.
//!
//!     cargo run --release -- BATCH SAMPLES

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig1d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation::relu};
use std::io::{BufRead, Write};
use std::time::Instant;

const WIDTHS: [usize; 8] = [32, 32, 64, 64, 128, 128, 256, 256];
const KERNELS: [usize; 3] = [5, 11, 21];
const CLASSES: usize = 5;

#[derive(Module, Debug)]
struct Block {
    branches: Vec<Conv1d>,
    bn: BatchNorm,
    shortcut: Option<Conv1d>,
    shortcut_bn: Option<BatchNorm>,
    dropout: Dropout,
}

#[derive(Module, Debug)]
struct Network {
    stem: Conv1d,
    bn: BatchNorm,
    pool: MaxPool1d,
    blocks: Vec<Block>,
    head: Linear,
}

fn conv(c_in: usize, c_out: usize, kernel: usize, stride: usize, device: &Device) -> Conv1d {
    let padding = PaddingConfig1d::Explicit(kernel / 2, kernel / 2);
    Conv1dConfig::new(c_in, c_out, kernel).with_stride(stride).with_padding(padding).with_bias(false).init(device)
}

impl Block {
    fn new(c_in: usize, width: usize, stride: usize, device: &Device) -> Self {
        let third = width / 3;
        let widths = [third, third, width - 2 * third];
        let branches = widths.iter().zip(KERNELS).map(|(&c, k)| conv(c_in, c, k, stride, device)).collect();
        let projects = c_in != width || stride != 1;
        Self {
            branches,
            bn: BatchNormConfig::new(width).init(device),
            shortcut: projects.then(|| conv(c_in, width, 1, stride, device)),
            shortcut_bn: projects.then(|| BatchNormConfig::new(width).init(device)),
            dropout: DropoutConfig::new(0.1).init(),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let y = self.bn.forward(Tensor::cat(self.branches.iter().map(|b| b.forward(x.clone())).collect(), 1));
        let shortcut = match (&self.shortcut, &self.shortcut_bn) {
            (Some(conv), Some(bn)) => bn.forward(conv.forward(x)),
            _ => x,
        };
        self.dropout.forward(relu(y + shortcut))
    }
}

impl Network {
    fn new(device: &Device) -> Self {
        let mut c_in = 32;
        let mut blocks = Vec::new();
        for (i, &width) in WIDTHS.iter().enumerate() {
            blocks.push(Block::new(c_in, width, 1 + i % 2, device));
            c_in = width;
        }
        Self {
            stem: conv(1, 32, 15, 2, device),
            bn: BatchNormConfig::new(32).init(device),
            pool: MaxPool1dConfig::new(2).with_stride(2).init(),
            blocks,
            head: LinearConfig::new(c_in, CLASSES).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut y = self.pool.forward(relu(self.bn.forward(self.stem.forward(x))));
        for block in &self.blocks {
            y = block.forward(y);
        }
        self.head.forward(y.mean_dim(2).squeeze_dim(2))
    }
}

/// Most bytes the process held (Linux).
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let [batch, samples] = sizes[..2] else { panic!("usage: burn_twin BATCH SAMPLES") };
    let device = Device::flex().autodiff();
    let mut net = Network::new(&device);
    let mut adam = AdamConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let x: Tensor<3> = Tensor::random([batch, 1, samples], Distribution::Normal(0.0, 1.0), &device);
    let labels: Vec<i32> = (0..batch).map(|i| (i % CLASSES) as i32).collect();
    let y: Tensor<1, Int> = Tensor::from_data(TensorData::from(labels.as_slice()), &device);
    let mut train = || {
        let l = loss.forward(net.forward(x.clone()), y.clone());
        let gradients = GradientsParams::from_grads(l.backward(), &net);
        net = adam.step(1e-3, net.clone(), gradients);
        let _: f32 = l.into_scalar();
    };
    train();
    println!("ready burn 0.22.1 on its CPU backend (flex)");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let start = Instant::now();
        match line.trim() {
            "train" => train(),
            "memory" => {
                println!("{}", memory());
                continue;
            }
            other => panic!("'{other}': expected train or memory"),
        }
        println!("{}", 1e3 * start.elapsed().as_secs_f64());
        std::io::stdout().flush().expect("standard output");
    }
}
