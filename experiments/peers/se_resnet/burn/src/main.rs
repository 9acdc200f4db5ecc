//! The SE-ResNet of `..` in burn on its CPU backend (flex).

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig1d};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::{ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Int, Tensor, TensorData};

#[path = "../../protocol.rs"]
mod protocol;
use protocol::{CLASSES, Result, Twin, arguments, data, serve};

#[derive(Module, Debug)]
struct Block {
    conv1: Conv1d,
    bn1: BatchNorm,
    conv2: Conv1d,
    bn2: BatchNorm,
    squeeze: Linear,
    excite: Linear,
    shortcut: Option<Conv1d>,
    shortcut_bn: Option<BatchNorm>,
}

fn conv(c_in: usize, c_out: usize, kernel: usize, stride: usize, device: &Device) -> Conv1d {
    let padding = PaddingConfig1d::Explicit(kernel / 2, kernel / 2);
    Conv1dConfig::new(c_in, c_out, kernel).with_stride(stride).with_padding(padding).with_bias(false).init(device)
}

impl Block {
    fn new(c_in: usize, width: usize, stride: usize, device: &Device) -> Self {
        let projects = c_in != width || stride != 1;
        Self {
            conv1: conv(c_in, width, 5, stride, device),
            bn1: BatchNormConfig::new(width).init(device),
            conv2: conv(width, width, 5, 1, device),
            bn2: BatchNormConfig::new(width).init(device),
            squeeze: LinearConfig::new(width, width / 4).init(device),
            excite: LinearConfig::new(width / 4, width).init(device),
            shortcut: projects.then(|| conv(c_in, width, 1, stride, device)),
            shortcut_bn: projects.then(|| BatchNormConfig::new(width).init(device)),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let y = relu(self.bn1.forward(self.conv1.forward(x.clone())));
        let y = self.bn2.forward(self.conv2.forward(y));
        let gate = relu(self.squeeze.forward(y.clone().mean_dim(2).squeeze_dim::<2>(2)));
        let y = y * sigmoid(self.excite.forward(gate)).unsqueeze_dim(2);
        match (&self.shortcut, &self.shortcut_bn) {
            (Some(conv), Some(bn)) => relu(y + bn.forward(conv.forward(x))),
            _ => relu(y + x),
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    stem: Conv1d,
    bn: BatchNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let sizes = [(32, 32, 1), (32, 64, 2), (64, 64, 2), (64, 128, 2)];
        Self {
            stem: conv(1, 32, 7, 2, device),
            bn: BatchNormConfig::new(32).init(device),
            blocks: sizes.iter().map(|&(c_in, width, stride)| Block::new(c_in, width, stride, device)).collect(),
            head: LinearConfig::new(128, CLASSES).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut y = relu(self.bn.forward(self.stem.forward(x)));
        for block in &self.blocks {
            y = block.forward(y);
        }
        self.head.forward(y.mean_dim(2).squeeze_dim(2))
    }
}

struct Training {
    net: Network,
    adam: ModuleOptimizer,
    loss: CrossEntropyLoss,
    x: Tensor<3>,
    y: Tensor<1, Int>,
}

impl Training {
    fn new(device: &Device, batch: usize, samples: usize, path: &str) -> Result<Self> {
        let mut net = Network::new(device);
        net.load_from(&mut SafetensorsStore::from_file(path).with_from_adapter(PyTorchToBurnAdapter))?;
        let (x, y) = data(batch, samples);
        let y: Vec<i32> = y.into_iter().map(|y| y as i32).collect();
        Ok(Self {
            net,
            adam: AdamConfig::new().with_epsilon(1e-8).init(),
            loss: CrossEntropyLossConfig::new().init(device),
            x: Tensor::from_data(TensorData::new(x, [batch, 1, samples]), device),
            y: Tensor::from_data(TensorData::new(y, [batch]), device),
        })
    }

    fn step(&mut self) -> Result<f32> {
        let loss = self.loss.forward(self.net.forward(self.x.clone()), self.y.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = self.adam.step(1e-3, self.net.clone(), gradients);
        Ok(loss.into_scalar())
    }

    fn logits(&self) -> Result<Vec<f32>> {
        Ok(self.net.valid().forward(self.x.clone().inner()).into_data().try_into_vec::<f32>()?)
    }
}

// counted to here; below is what the measurement asks beside

struct Values(Vec<f32>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.extend(param.val().into_data().iter::<f32>());
    }
}

impl Twin for Training {
    fn train(&mut self) -> Result<f32> {
        self.step()
    }

    fn infer(&mut self) -> Result<Vec<f32>> {
        self.logits()
    }

    fn parameters(&self) -> Result<Vec<f32>> {
        let mut values = Values(Vec::new());
        self.net.visit(&mut values);
        Ok(values.0)
    }

    fn second_order(&mut self) -> Result<f64> {
        let x = self.x.clone().require_grad();
        let loss = self.loss.forward(self.net.forward(x.clone()), self.y.clone());
        let slope = x.grad(&loss.backward()).ok_or("the loss has no gradient at x")?;
        let penalty = slope.square().mean();
        if !penalty.is_tracked() {
            return Err("the gradient at x has no history".into());
        }
        let second = self.net.stem.weight.grad(&penalty.backward()).ok_or("no gradient at the stem")?;
        Ok(f64::from(second.square().sum().into_scalar::<f32>()).sqrt())
    }
}

fn main() -> Result<()> {
    let (batch, samples, path) = arguments();
    let device = Device::flex().autodiff();
    serve("burn 0.22.1 on its CPU backend (flex)", &mut Training::new(&device, batch, samples, &path)?)
}
