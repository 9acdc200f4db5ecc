//! The SE-ResNet of `..` in candle on its CPU backend.

use candle_core::{D, DType, Device, Module, ModuleT, Result, Tensor, Var};
use candle_nn::{
    AdamW, BatchNorm, Conv1d, Conv1dConfig, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, batch_norm,
    conv1d_no_bias, linear, loss, ops::sigmoid,
};

#[path = "../../protocol.rs"]
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

fn conv(vb: VarBuilder, c_in: usize, c_out: usize, kernel: usize, stride: usize) -> Result<Conv1d> {
    conv1d_no_bias(c_in, c_out, kernel, Conv1dConfig { padding: kernel / 2, stride, ..Default::default() }, vb)
}

impl Block {
    fn new(vb: VarBuilder, c_in: usize, width: usize, stride: usize) -> Result<Self> {
        let shortcut = if c_in != width || stride != 1 {
            let bn = batch_norm(width, 1e-5, vb.pp("shortcut_bn"))?;
            Some((conv(vb.pp("shortcut"), c_in, width, 1, stride)?, bn))
        } else {
            None
        };
        Ok(Self {
            conv1: conv(vb.pp("conv1"), c_in, width, 5, stride)?,
            bn1: batch_norm(width, 1e-5, vb.pp("bn1"))?,
            conv2: conv(vb.pp("conv2"), width, width, 5, 1)?,
            bn2: batch_norm(width, 1e-5, vb.pp("bn2"))?,
            squeeze: linear(width, width / 4, vb.pp("squeeze"))?,
            excite: linear(width / 4, width, vb.pp("excite"))?,
            shortcut,
        })
    }
}

impl ModuleT for Block {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.bn1.forward_t(&self.conv1.forward(x)?, train)?.relu()?;
        let y = self.bn2.forward_t(&self.conv2.forward(&y)?, train)?;
        let gate = self.squeeze.forward(&y.mean(D::Minus1)?)?.relu()?;
        let y = y.broadcast_mul(&sigmoid(&self.excite.forward(&gate)?)?.unsqueeze(2)?)?;
        match &self.shortcut {
            Some((conv, bn)) => (y + bn.forward_t(&conv.forward(x)?, train)?)?.relu(),
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
    fn new(vb: VarBuilder) -> Result<Self> {
        let sizes = [(32, 32, 1), (32, 64, 2), (64, 64, 2), (64, 128, 2)];
        let block = |(i, (c_in, width, stride))| Block::new(vb.pp(format!("blocks.{i}")), c_in, width, stride);
        Ok(Self {
            stem: conv(vb.pp("stem"), 1, 32, 7, 2)?,
            bn: batch_norm(32, 1e-5, vb.pp("bn"))?,
            blocks: sizes.into_iter().enumerate().map(block).collect::<Result<_>>()?,
            head: linear(128, CLASSES, vb.pp("head"))?,
        })
    }
}

impl ModuleT for Network {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = self.bn.forward_t(&self.stem.forward(x)?, train)?.relu()?;
        for block in &self.blocks {
            y = block.forward_t(&y, train)?;
        }
        self.head.forward(&y.mean(D::Minus1)?)
    }
}

struct Training {
    net: Network,
    vars: VarMap,
    adam: AdamW,
    x: Tensor,
    y: Tensor,
}

impl Training {
    fn new(device: &Device, batch: usize, samples: usize, path: &str) -> Result<Self> {
        let mut vars = VarMap::new();
        let net = Network::new(VarBuilder::from_varmap(&vars, DType::F32, device))?;
        vars.load(path)?;
        let (x, y) = data(batch, samples);
        let adam = AdamW::new(vars.all_vars(), ParamsAdamW { weight_decay: 0.0, ..Default::default() })?;
        let x = Tensor::from_vec(x, (batch, 1, samples), device)?;
        Ok(Self { net, vars, adam, x, y: Tensor::from_vec(y, batch, device)? })
    }

    fn step(&mut self) -> Result<f32> {
        let loss = loss::cross_entropy(&self.net.forward_t(&self.x, true)?, &self.y)?;
        self.adam.backward_step(&loss)?;
        loss.to_scalar()
    }

    fn logits(&self) -> Result<Vec<f32>> {
        self.net.forward_t(&self.x, false)?.flatten_all()?.to_vec1()
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
        let vars = self.vars.data().lock().map_err(|e| e.to_string())?;
        let mut names: Vec<&String> = vars.keys().collect();
        names.sort();
        let values = names.into_iter().map(|n| vars[n].flatten_all()?.to_vec1::<f32>());
        Ok(values.collect::<Result<Vec<_>>>()?.concat())
    }

    fn second_order(&mut self) -> protocol::Result<f64> {
        let x = Var::from_tensor(&self.x)?;
        let loss = loss::cross_entropy(&self.net.forward_t(x.as_tensor(), true)?, &self.y)?;
        let slope = loss.backward()?.remove(x.as_tensor()).ok_or("the loss has no gradient at x")?;
        let gradients = slope.sqr()?.mean_all()?.backward()?;
        let second = gradients.get(self.net.stem.weight()).ok_or("the gradient at x has no history")?;
        Ok(f64::from(second.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
    }
}

fn main() -> protocol::Result<()> {
    let (batch, samples, path) = arguments();
    serve("candle 0.11.1 on its CPU backend", &mut Training::new(&Device::Cpu, batch, samples, &path)?)
}
