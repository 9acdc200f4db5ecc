//! EXGnet: stem, multiresolution blocks, signal head, and the parts that exist
//! only while training (feature branch, joint head, feature regressor).

use super::config::{BRANCHES, BlockKind, Head, NetworkConfig, branch_channels};
use super::fold::{Folded, Shortcut};
use super::layers::{Added, BatchNorm, Convs, Linear, Mode};
use super::params::{ParamBuilder, Params};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::{self, ConvInput, DropoutAt, MaxPool};
use crate::tensor::{Tensor, numel};
use std::collections::BTreeMap;

/// Number of quantitative ECG features that the train-only part works on.
pub const FEATURES: usize = 17;
/// Hidden and output width of the feature branch.
pub(crate) const FEATURE_WIDTHS: [usize; 2] = [128, 64];

// Places where dropout draws numbers of its own; block i has BLOCK_SITE + i.
const HEAD_SITE: u32 = 1;
const FEATURE_SITE: u32 = 2;
const BLOCK_SITE: u32 = 16;

/// The network, its parameters included.
#[derive(Debug, Clone)]
pub struct Exgnet {
    config: NetworkConfig,
    classes: usize,
    params: Params,
    stem: (Convs, BatchNorm),
    folded_stem: Option<Folded>,
    blocks: Vec<Block>,
    head: Classifier,
    train_only: Option<TrainOnly>,
}

/// What a forward pass gives.
#[derive(Debug)]
pub struct Output {
    /// `[B, classes]`.
    pub logits: Tensor,
    /// `[B, width of the last block]`: the global average of the last block.
    pub embedding: Tensor,
    /// Output of every block, `[B, width, T]`: the target layers of Grad-CAM. That is before its dropout for the blocks of
    /// [`Mode::kept`] (and wherever there is no dropout), after it for others.
    pub blocks: Vec<Tensor>,
}

#[derive(Debug, Clone)]
struct Block {
    convs: Arrangement,
    bn: BatchNorm,
    squeeze: Option<(Linear, Linear)>,
    shortcut: Option<(Convs, BatchNorm)>,
    folded: Option<Folded>,
}

#[derive(Debug, Clone)]
enum Arrangement {
    Parallel(Convs),
    Cascade(Vec<Convs>),
}

#[derive(Debug, Clone)]
enum Classifier {
    Linear(Linear),
    Mlp(Linear, Linear),
}

#[derive(Debug, Clone)]
struct TrainOnly {
    feature: (Linear, Linear),
    joint: Linear,
    regressor: Linear,
}

pub(crate) fn branch_name(block: usize, branch: usize) -> String {
    format!("blocks.{block}.branches.{branch}.weight")
}

/// Declares all parameters under the names of the model file.
fn declare(c: &NetworkConfig, classes: usize, train_only: bool, p: &mut ParamBuilder) {
    Convs::declare(p, "stem.conv.weight", 1, c.stem_channels, c.stem_kernel);
    BatchNorm::declare(p, "stem.bn", c.stem_channels);
    let mut last = c.stem_channels;
    for (i, (c_in, width, stride)) in c.blocks().enumerate() {
        let mut from = c_in;
        for (j, (channels, kernel)) in branch_channels(width).into_iter().zip(c.branch_kernels()).enumerate() {
            Convs::declare(p, &branch_name(i, j), from, channels, kernel);
            if c.kind == BlockKind::Cascade {
                from = channels;
            }
        }
        BatchNorm::declare(p, &format!("blocks.{i}.bn"), width);
        if let Some(hidden) = c.se_hidden(width) {
            Linear::declare(p, &format!("blocks.{i}.se.fc1"), width, hidden);
            Linear::declare(p, &format!("blocks.{i}.se.fc2"), hidden, width);
        }
        if has_shortcut(c_in, width, stride) {
            Convs::declare(p, &format!("blocks.{i}.shortcut.conv.weight"), c_in, width, 1);
            BatchNorm::declare(p, &format!("blocks.{i}.shortcut.bn"), width);
        }
        last = width;
    }
    match c.head {
        Head::Linear => Linear::declare(p, "head", last, classes),
        Head::Mlp => {
            Linear::declare(p, "head.fc1", last, c.head_hidden);
            Linear::declare(p, "head.fc2", c.head_hidden, classes);
        }
    }
    if train_only {
        Linear::declare(p, "feature.fc1", FEATURES, FEATURE_WIDTHS[0]);
        Linear::declare(p, "feature.fc2", FEATURE_WIDTHS[0], FEATURE_WIDTHS[1]);
        Linear::declare(p, "joint", last + FEATURE_WIDTHS[1], classes);
        Linear::declare(p, "regressor", last, FEATURES);
    }
}

pub(crate) fn has_shortcut(c_in: usize, width: usize, stride: usize) -> bool {
    c_in != width || stride != 1
}

/// Multiply-adds of convolutions and linear layers for a strip of `samples`, without the parts that only training has.
pub fn multiply_adds(config: &NetworkConfig, classes: usize, samples: usize) -> u64 {
    let lengths = config.block_lengths(samples);
    let places = |name: &str| match name.split('.').collect::<Vec<_>>()[..] {
        ["stem", ..] => samples.div_ceil(2),
        ["blocks", i, "branches" | "shortcut", ..] => {
            i.parse().ok().and_then(|i: usize| lengths.get(i).copied()).unwrap_or(1)
        }
        _ => 1,
    };
    let tensors = expected_tensors(config, classes, false);
    let weights = tensors.iter().filter(|(_, shape)| shape.len() > 1);
    weights.map(|(name, shape)| (numel(shape) * places(name)) as u64).sum()
}

/// Names and shapes of the tensors that a model file of this network holds.
pub fn expected_tensors(config: &NetworkConfig, classes: usize, train_only: bool) -> Vec<(String, Vec<usize>)> {
    let mut p = ParamBuilder::new(0);
    declare(config, classes, train_only, &mut p);
    p.expected()
}

impl Block {
    fn new(c: &NetworkConfig, p: &Params, i: usize, (c_in, width, stride): (usize, usize, usize)) -> Result<Self> {
        let dilations = c.branch_dilations();
        let names: Vec<String> = (0..BRANCHES).map(|j| branch_name(i, j)).collect();
        let convs = match c.kind {
            BlockKind::Parallel => Arrangement::Parallel(Convs::new(p, &names, stride, &dilations)?),
            BlockKind::Cascade => Arrangement::Cascade(
                (0..BRANCHES)
                    .map(|j| Convs::new(p, &names[j..=j], if j == 0 { stride } else { 1 }, &dilations[j..=j]))
                    .collect::<Result<_>>()?,
            ),
        };
        let squeeze = match c.se_hidden(width) {
            Some(_) => {
                Some((Linear::new(p, &format!("blocks.{i}.se.fc1"))?, Linear::new(p, &format!("blocks.{i}.se.fc2"))?))
            }
            None => None,
        };
        let shortcut = if has_shortcut(c_in, width, stride) {
            let conv = Convs::new(p, &[format!("blocks.{i}.shortcut.conv.weight")], stride, &[1])?;
            Some((conv, BatchNorm::new(p, &format!("blocks.{i}.shortcut.bn"))?))
        } else {
            None
        };
        Ok(Self { convs, bn: BatchNorm::new(p, &format!("blocks.{i}.bn"))?, squeeze, shortcut, folded: None })
    }

    /// The block as one convolution; `None` where it is more than that.
    fn fold(&self) -> Result<Option<Folded>> {
        match &self.convs {
            Arrangement::Parallel(convs) if self.squeeze.is_none() => {
                let shortcut = self.shortcut.as_ref().map_or(Shortcut::Identity, |(conv, bn)| Shortcut::Conv(conv, bn));
                Folded::new(convs, &self.bn, shortcut)
            }
            _ => Ok(None),
        }
    }

    /// Whether sum, ReLU and dropout are one pass.
    fn ends_in_one_pass(&self, mode: &Mode<'_>) -> bool {
        self.squeeze.is_none() && (mode.batch_stats || self.folded.is_none())
    }

    /// `dropout` only where it [is one pass](Self::ends_in_one_pass) with the rest.
    fn forward(&self, x: &Tensor, mode: &Mode<'_>, dropout: Option<&DropoutAt<'_>>) -> Result<Tensor> {
        let input = ConvInput::new(x);
        if let Some(folded) = self.folded.as_ref().filter(|_| !mode.batch_stats) {
            return folded.forward(&input);
        }
        let y = match &self.convs {
            Arrangement::Parallel(convs) => convs.forward(&input, mode)?,
            Arrangement::Cascade(chain) => {
                let mut parts = Vec::new();
                let mut last = x.clone();
                for conv in chain {
                    last = conv.forward(&ConvInput::new(&last), mode)?;
                    parts.push(last.clone());
                }
                ops::concat(&parts.iter().collect::<Vec<_>>(), 1)?
            }
        };
        let shortcut = match &self.shortcut {
            Some((conv, bn)) => Some((conv.forward(&input, mode)?, bn)),
            None => None,
        };
        let added = shortcut.as_ref().map_or(Added::Tensor(x), |(z, bn)| Added::Norm(z, bn));
        let Some((fc1, fc2)) = &self.squeeze else {
            return self.bn.relu(&y, added, mode, dropout);
        };
        let y = self.bn.forward(&y, mode)?;
        let s = fc2.forward(&ops::relu(&fc1.forward(&ops::global_avg_pool(&y)?)?)?)?;
        let s = ops::reshape(&ops::sigmoid(&s)?, &[y.dim(0), y.dim(1), 1])?;
        let y = ops::mul(&y, &s)?;
        match &shortcut {
            Some((z, bn)) => ops::relu(&ops::add(&y, &bn.forward(z, mode)?)?),
            None => ops::relu(&ops::add(&y, x)?),
        }
    }
}

impl Exgnet {
    /// A network with starting values from `seed`; `train_only` adds the parts that work on the features.
    pub fn new(gpu: &Gpu, config: &NetworkConfig, classes: usize, train_only: bool, seed: u64) -> Result<Self> {
        Self::with_values(gpu, config, classes, train_only, seed, &BTreeMap::new())
    }

    /// A network with given values by name; what is not given starts from `seed`.
    pub fn with_values(
        gpu: &Gpu,
        config: &NetworkConfig,
        classes: usize,
        train_only: bool,
        seed: u64,
        values: &BTreeMap<String, Vec<f32>>,
    ) -> Result<Self> {
        config.validate()?;
        if classes < 2 {
            return Err(Error::config(
                format!("a network for {classes} classes, expected at least 2"),
                "use data of several classes, or lower data.min_class so that more of them stay",
            ));
        }
        let mut builder = ParamBuilder::new(seed);
        declare(config, classes, train_only, &mut builder);
        let p = builder.build(gpu, values)?;
        let stem = (Convs::new(&p, &["stem.conv.weight".into()], 2, &[1])?, BatchNorm::new(&p, "stem.bn")?);
        let blocks = config.blocks().enumerate().map(|(i, sizes)| Block::new(config, &p, i, sizes));
        let blocks = blocks.collect::<Result<_>>()?;
        let head = match config.head {
            Head::Linear => Classifier::Linear(Linear::new(&p, "head")?),
            Head::Mlp => Classifier::Mlp(Linear::new(&p, "head.fc1")?, Linear::new(&p, "head.fc2")?),
        };
        let extra = || -> Result<TrainOnly> {
            Ok(TrainOnly {
                feature: (Linear::new(&p, "feature.fc1")?, Linear::new(&p, "feature.fc2")?),
                joint: Linear::new(&p, "joint")?,
                regressor: Linear::new(&p, "regressor")?,
            })
        };
        let train_only = train_only.then(extra).transpose()?;
        Ok(Self { config: config.clone(), classes, params: p, stem, folded_stem: None, blocks, head, train_only })
    }

    /// The same network, for evaluation: BatchNorm and shortcuts are folded into the convolutions, as the parameters and
    /// running estimates are now. Blocks that cannot be folded (a cascade, squeeze-and-excitation) stay as they are, and so
    /// does training. Logits and maps differ from those of the network as trained by rounding only.
    pub fn folded(&self) -> Result<Self> {
        let mut net = self.clone();
        net.folded_stem = Folded::new(&self.stem.0, &self.stem.1, Shortcut::Nothing)?;
        for block in &mut net.blocks {
            block.folded = block.fold()?;
        }
        Ok(net)
    }

    /// The sizes.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Whether the parts that work on the features are there.
    pub fn has_train_only(&self) -> bool {
        self.train_only.is_some()
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Runs the signal part on `x` `[B, 1, L]`, z-scored strips.
    pub fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output> {
        let y = match self.folded_stem.as_ref().filter(|_| !mode.batch_stats) {
            Some(folded) => folded.forward(&ConvInput::new(x))?,
            None => self.stem.1.relu(&self.stem.0.forward(&ConvInput::new(x), mode)?, Added::Nothing, mode, None)?,
        };
        let mut y = ops::max_pool(&y, MaxPool { kernel: 2, stride: 2, pad: 0 })?;
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (i, block) in self.blocks.iter().enumerate() {
            let (rate, site) = (self.config.dropout, BLOCK_SITE + i as u32);
            if mode.kept.has(i) || !block.ends_in_one_pass(mode) {
                blocks.push(block.forward(&y, mode, None)?);
                y = mode.drop(&blocks[i], rate, site)?;
            } else {
                y = block.forward(&y, mode, mode.dropout_at(rate, site).as_ref())?;
                blocks.push(y.clone());
            }
        }
        let embedding = ops::global_avg_pool(&y)?;
        Ok(Output { logits: self.classify(&embedding, mode)?, embedding, blocks })
    }

    fn classify(&self, e: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        match &self.head {
            Classifier::Linear(head) => head.forward(e),
            Classifier::Mlp(fc1, fc2) => {
                let h = ops::relu(&fc1.forward(e)?)?;
                fc2.forward(&mode.drop(&h, self.config.dropout, HEAD_SITE)?)
            }
        }
    }

    /// The train-only part on an embedding and standardised `features` `[B, 17]`: the joint head's logits `[B, classes]`
    /// and the regressed features `[B, 17]`.
    pub fn train_only(&self, embedding: &Tensor, features: &Tensor, mode: &Mode<'_>) -> Result<(Tensor, Tensor)> {
        let Some(part) = &self.train_only else {
            return Err(Error::config(
                "the network has no train-only part, expected feature branch, joint head and regressor",
                "make it with train_only, or load a model file that was not stripped for export",
            ));
        };
        let h = ops::relu(&part.feature.0.forward(features)?)?;
        let h = mode.drop(&h, self.config.dropout, FEATURE_SITE)?;
        let g = ops::relu(&part.feature.1.forward(&h)?)?;
        let joint = part.joint.forward(&ops::concat(&[embedding, &g], 1)?)?;
        Ok((joint, part.regressor.forward(embedding)?))
    }

    /// The standardised features `[B, 17]` that the regressor makes of an embedding; `None` for a network without the
    /// train-only part.
    pub fn regress(&self, embedding: &Tensor) -> Result<Option<Tensor>> {
        self.train_only.as_ref().map(|part| part.regressor.forward(embedding)).transpose()
    }
}
