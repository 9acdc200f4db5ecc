//! The SE-ResNet of this folder on exgnet (`README.md` there). Writes its starting values, which the others read.

use exgnet::prelude::*;

#[path = "protocol.rs"]
mod protocol;
use protocol::{CLASSES, Twin, arguments, data, serve};

struct Block {
    conv1: Conv1d,
    bn1: BatchNorm,
    conv2: Conv1d,
    bn2: BatchNorm,
    squeeze: Linear,
    excite: Linear,
    shortcut: Option<(Conv1d, BatchNorm)>,
}

fn conv(p: &mut ParamBuilder, name: &str, c_in: usize, c_out: usize, kernel: usize, stride: usize) -> Conv1d {
    p.conv1d(name, c_in, c_out, kernel, ConvOptions { stride, bias: false, ..ConvOptions::default() })
}

impl Block {
    fn new(p: &mut ParamBuilder, c_in: usize, width: usize, stride: usize) -> Self {
        let projects = c_in != width || stride != 1;
        Self {
            conv1: conv(p, "conv1", c_in, width, 5, stride),
            bn1: p.batch_norm("bn1", width),
            conv2: conv(p, "conv2", width, width, 5, 1),
            bn2: p.batch_norm("bn2", width),
            squeeze: p.linear("squeeze", width, width / 4),
            excite: p.linear("excite", width / 4, width),
            shortcut: projects
                .then(|| (conv(p, "shortcut", c_in, width, 1, stride), p.batch_norm("shortcut_bn", width))),
        }
    }

    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let y = self.bn1.relu(&self.conv1.forward(x)?, Added::Nothing, mode, None)?;
        let y = self.bn2.forward(&self.conv2.forward(&y)?, mode)?;
        let gate = self.squeeze.forward(&ops::global_avg_pool(&y)?)?.relu()?;
        let y = (y * self.excite.forward(&gate)?.sigmoid()?.unsqueeze(2)?)?;
        match &self.shortcut {
            Some((conv, bn)) => bn.relu(&conv.forward(x)?, Added::Tensor(&y), mode, None),
            None => (y + x)?.relu(),
        }
    }
}

struct Network {
    stem: Conv1d,
    bn: BatchNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl Network {
    fn new(p: &mut ParamBuilder) -> Self {
        let sizes = [(32, 32, 1), (32, 64, 2), (64, 64, 2), (64, 128, 2)];
        let block = |(i, (c_in, width, stride))| p.scope(format!("blocks.{i}"), |p| Block::new(p, c_in, width, stride));
        let blocks = sizes.into_iter().enumerate().map(block).collect();
        let stem = conv(p, "stem", 1, 32, 7, 2);
        Self { stem, bn: p.batch_norm("bn", 32), blocks, head: p.linear("head", 128, CLASSES) }
    }

    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let mut y = self.bn.relu(&self.stem.forward(x)?, Added::Nothing, mode, None)?;
        for block in &self.blocks {
            y = block.forward(&y, mode)?;
        }
        self.head.forward(&ops::global_avg_pool(&y)?)
    }
}

struct Training {
    net: Network,
    params: Params,
    adam: Optimizer,
    x: Tensor,
    targets: Tensor,
}

impl Training {
    fn new(gpu: &Gpu, batch: usize, samples: usize, path: &str) -> Result<Self> {
        let mut p = ParamBuilder::new(1);
        let net = Network::new(&mut p);
        let params = p.init(gpu)?;
        params.save(path)?;
        let (x, y) = data(batch, samples);
        let even = Tensor::full(gpu, &[CLASSES], 1.0)?;
        Ok(Self {
            net,
            adam: Optimizer::new(&params, Hyper::default())?,
            params,
            x: Tensor::from_f32(gpu, &[batch, 1, samples], &x)?,
            targets: ops::cross_entropy_targets(&Tensor::from_u32(gpu, &[batch], &y)?, &even, 0.0)?,
        })
    }

    fn step(&mut self) -> Result<f32> {
        let loss = ops::cross_entropy(&self.net.forward(&self.x, &Mode::TRAIN)?, &self.targets)?;
        self.adam.step(&self.params, &self.params.gradients(&loss)?, 1e-3)?;
        loss.item()
    }

    fn logits(&self) -> Result<Vec<f32>> {
        no_grad(|| self.net.forward(&self.x, &Mode::EVAL))?.to_vec()
    }
}

// counted to here; below is what the measurement asks beside

impl Twin for Training {
    fn train(&mut self) -> protocol::Result<f32> {
        Ok(self.step()?)
    }

    fn infer(&mut self) -> protocol::Result<Vec<f32>> {
        Ok(self.logits()?)
    }

    fn parameters(&self) -> protocol::Result<Vec<f32>> {
        let all = self.params.read()?;
        Ok(all.into_iter().flat_map(|(_, _, values)| values).collect())
    }

    fn second_order(&mut self) -> protocol::Result<f64> {
        let x = self.x.leaf();
        let loss = ops::cross_entropy(&self.net.forward(&x, &Mode::TRAIN)?, &self.targets)?;
        let slope = grad(&loss, &[&x], None, true)?.remove(0).ok_or("the loss depends on x")?;
        let stem = self.params.get("stem.weight")?;
        let second = grad(&slope.square()?.mean_all()?, &[&stem], None, false)?.remove(0).ok_or("and on the stem")?;
        Ok(f64::from(second.square()?.sum_all()?.item()?).sqrt())
    }
}

fn main() -> protocol::Result<()> {
    let (batch, samples, path) = arguments();
    let gpu = Gpu::from_env()?;
    let name = format!("exgnet {} on {}", env!("CARGO_PKG_VERSION"), gpu.report().name);
    serve(&name, &mut Training::new(&gpu, batch, samples, &path)?)
}
