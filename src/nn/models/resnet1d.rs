//! The residual network of Wang, Yan and Oates ("Time series classification from scratch with deep neural networks", 2017) in
//! the form that ECG benchmarks know as `resnet1d_wang` (Strodthoff et al. 2020): a stem, then blocks of two convolutions with
//! a shortcut. Its head is a linear layer on the global average, which Grad-CAM wants.

use super::AverageHead;
use crate::error::Result;
use crate::nn::config::{MOST_BLOCKS, MOST_CHANNELS, MOST_KERNEL, Problem, dropout, number};
use crate::nn::fold::ConvNorm;
use crate::nn::layers::{Added, BatchNorm, Convs, Mode};
use crate::nn::{Network, Output, ParamBuilder, Params, models};
use crate::ops::ConvInput;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Its value of `network.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Always.
    #[default]
    Resnet1d,
}

/// Its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// The kind.
    pub kind: Kind,
    /// Kernel of the stem's convolution, samples.
    pub stem_kernel: usize,
    /// Stride of the stem's convolution.
    pub stem_stride: usize,
    /// Output channels of every block; the stem has those of the first.
    pub widths: Vec<usize>,
    /// Stride of every block.
    pub strides: Vec<usize>,
    /// Kernels of a block's two convolutions, samples.
    pub kernels: [usize; 2],
    /// Share of the embedding dropped while training, 0 to below 1.
    pub dropout: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            kind: Kind::Resnet1d,
            stem_kernel: 7,
            stem_stride: 1,
            widths: vec![128; 3],
            strides: vec![1, 2, 2],
            kernels: [5, 3],
            dropout: 0.0,
        }
    }
}

impl Sizes {
    /// Input channels, output channels and stride of every block.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let inputs = self.widths.first().into_iter().chain(&self.widths);
        inputs.zip(&self.widths).zip(&self.strides).map(|((&c_in, &c_out), &stride)| (c_in, c_out, stride))
    }
}

fn conv_name(block: usize, conv: usize) -> String {
    format!("blocks.{block}.conv{}.weight", conv + 1)
}

fn bn_name(block: usize, bn: usize) -> String {
    format!("blocks.{block}.bn{}", bn + 1)
}

impl models::Sizes for Sizes {
    fn check(&self) -> Result<(), Problem> {
        number("stem_kernel", self.stem_kernel, 1, MOST_KERNEL, "7 is usual")?;
        number("stem_stride", self.stem_stride, 1, 16, "1 keeps the length, 2 halves it")?;
        models::check_blocks(&self.widths, &self.strides, MOST_BLOCKS, 1)?;
        for (i, &kernel) in self.kernels.iter().enumerate() {
            number(&format!("kernels[{i}]"), kernel, 1, MOST_KERNEL, "5 and 3 are usual")?;
        }
        dropout(self.dropout)
    }

    fn maps(&self) -> Vec<String> {
        models::stem_and_blocks(self.widths.len())
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn embedding(&self) -> usize {
        self.widths.last().copied().unwrap_or(MOST_CHANNELS)
    }

    fn declare(&self, classes: usize, p: &mut ParamBuilder) {
        let stem = self.widths[0];
        Convs::declare(p, "stem.conv.weight", 1, stem, self.stem_kernel);
        BatchNorm::declare(p, "stem.bn", stem);
        for (i, (c_in, width, stride)) in self.blocks().enumerate() {
            for (j, from) in [c_in, width].into_iter().enumerate() {
                Convs::declare(p, &conv_name(i, j), from, width, self.kernels[j]);
                BatchNorm::declare(p, &bn_name(i, j), width);
            }
            if c_in != width || stride != 1 {
                Convs::declare(p, &format!("blocks.{i}.shortcut.conv.weight"), c_in, width, 1);
                BatchNorm::declare(p, &format!("blocks.{i}.shortcut.bn"), width);
            }
        }
        AverageHead::declare(self, classes, p);
    }

    fn build(&self, p: &Params) -> Result<Box<dyn Network>> {
        let conv = |name: String, stride| Convs::new(p, &[name], stride, &[1]);
        let block = |(i, (c_in, width, stride)): (usize, (usize, usize, usize))| {
            let shortcut = match c_in != width || stride != 1 {
                true => {
                    let bn = BatchNorm::new(p, &format!("blocks.{i}.shortcut.bn"))?;
                    Some((conv(format!("blocks.{i}.shortcut.conv.weight"), stride)?, bn))
                }
                false => None,
            };
            Ok(Block {
                first: ConvNorm::new(conv(conv_name(i, 0), stride)?, BatchNorm::new(p, &bn_name(i, 0))?),
                second: (conv(conv_name(i, 1), 1)?, BatchNorm::new(p, &bn_name(i, 1))?),
                shortcut,
            })
        };
        Ok(Box::new(Resnet1d {
            stem: ConvNorm::new(conv("stem.conv.weight".into(), self.stem_stride)?, BatchNorm::new(p, "stem.bn")?),
            blocks: self.blocks().enumerate().map(block).collect::<Result<_>>()?,
            head: AverageHead::new(self, p)?,
        }))
    }
}

#[derive(Debug, Clone)]
struct Resnet1d {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: AverageHead,
}

#[derive(Debug, Clone)]
struct Block {
    first: ConvNorm,
    second: (Convs, BatchNorm),
    shortcut: Option<(Convs, BatchNorm)>,
}

impl Block {
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let input = ConvInput::new(x);
        let (conv, bn) = &self.second;
        let y = conv.forward(&ConvInput::new(&self.first.forward(&input, mode)?), mode)?;
        match &self.shortcut {
            Some((conv, other)) => bn.relu(&y, Added::Norm(&conv.forward(&input, mode)?, other), mode, None),
            None => bn.relu(&y, Added::Tensor(x), mode, None),
        }
    }
}

impl Network for Resnet1d {
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output> {
        let mut x = self.stem.forward(&ConvInput::new(x), mode)?;
        let mut maps = vec![x.clone()];
        for block in &self.blocks {
            x = block.forward(&x, mode)?;
            maps.push(x.clone());
        }
        self.head.output(maps, mode)
    }

    /// The sum of a block reads what another convolution does not, so that its second one stays as it is.
    fn folded(&self) -> Result<Box<dyn Network>> {
        let mut net = self.clone();
        net.stem.fold()?;
        net.blocks.iter_mut().try_for_each(|block| block.first.fold())?;
        Ok(Box::new(net))
    }
}
