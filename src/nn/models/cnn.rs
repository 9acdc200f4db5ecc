//! A plain convolutional network, to begin with: blocks of a convolution, BatchNorm, ReLU and max pooling, then a linear layer
//! on the global average.

use super::AverageHead;
use crate::error::{Error, Result};
use crate::nn::config::{MOST_BLOCKS, MOST_CHANNELS, MOST_KERNEL, Problem, dropout, number};
use crate::nn::fold::ConvNorm;
use crate::nn::layers::{BatchNorm, Convs, Mode};
use crate::nn::{Network, Output, ParamBuilder, Params, models};
use crate::ops::{self, ConvInput, MaxPool};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Its value of `network.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Always.
    #[default]
    Cnn,
}

/// Its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// The kind.
    pub kind: Kind,
    /// Output channels of every block.
    pub widths: Vec<usize>,
    /// Stride of every block's convolution.
    pub strides: Vec<usize>,
    /// Kernel of every convolution, samples.
    pub kernel: usize,
    /// Share of the embedding dropped while training, 0 to below 1.
    pub dropout: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { kind: Kind::Cnn, widths: vec![16, 32, 64], strides: vec![2, 1, 1], kernel: 9, dropout: 0.0 }
    }
}

impl models::Sizes for Sizes {
    fn check(&self) -> Result<(), Problem> {
        models::check_blocks(&self.widths, &self.strides, MOST_BLOCKS, 1)?;
        number("kernel", self.kernel, 1, MOST_KERNEL, "9 is usual")?;
        dropout(self.dropout)
    }

    fn maps(&self) -> Vec<String> {
        models::blocks(self.widths.len()).collect()
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn embedding(&self) -> usize {
        self.widths.last().copied().unwrap_or(MOST_CHANNELS)
    }

    fn declare(&self, classes: usize, p: &mut ParamBuilder) {
        let inputs = std::iter::once(&1).chain(&self.widths);
        for (i, (&c_in, &width)) in inputs.zip(&self.widths).enumerate() {
            Convs::declare(p, &format!("blocks.{i}.conv.weight"), c_in, width, self.kernel);
            BatchNorm::declare(p, &format!("blocks.{i}.bn"), width);
        }
        AverageHead::declare(self, classes, p);
    }

    fn build(&self, p: &Params) -> Result<Box<dyn Network>> {
        let block = |(i, &stride): (usize, &usize)| {
            let conv = Convs::new(p, &[format!("blocks.{i}.conv.weight")], stride, &[1])?;
            Ok(ConvNorm::new(conv, BatchNorm::new(p, &format!("blocks.{i}.bn"))?))
        };
        let blocks = self.strides.iter().enumerate().map(block).collect::<Result<_>>()?;
        Ok(Box::new(Cnn { blocks, head: AverageHead::new(self, p)? }))
    }
}

#[derive(Debug, Clone)]
struct Cnn {
    blocks: Vec<ConvNorm>,
    head: AverageHead,
}

impl Network for Cnn {
    /// Target layers are the blocks before their pooling.
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output> {
        let mut x = x.clone();
        let mut maps = Vec::with_capacity(self.blocks.len());
        for (i, block) in self.blocks.iter().enumerate() {
            if i > 0 {
                if x.dim(2) < 2 {
                    return Err(Error::shape(
                        format!("blocks.{i} of the cnn"),
                        format!("{} sample to pool in twos", x.dim(2)),
                        "2 or more: every block but the first halves the length, and its stride divides it",
                        "take fewer blocks (network.widths and network.strides), smaller strides or longer strips",
                    ));
                }
                x = ops::max_pool(&x, MaxPool { kernel: 2, stride: 2, pad: 0 })?;
            }
            x = block.forward(&ConvInput::new(&x), mode)?;
            maps.push(x.clone());
        }
        self.head.output(maps, mode)
    }

    fn folded(&self) -> Result<Box<dyn Network>> {
        let mut net = self.clone();
        net.blocks.iter_mut().try_for_each(ConvNorm::fold)?;
        Ok(Box::new(net))
    }
}
