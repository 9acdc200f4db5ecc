//! EXGnet (arXiv 2506.12404): a stem, multiresolution blocks, and a head on the global average of the last.

mod sizes;

pub use sizes::{BRANCHES, BlockKind, Head, Sizes, branch_channels};

use crate::error::Result;
use crate::nn::config::Problem;
use crate::nn::fold::{ConvNorm, Folded, Shortcut};
use crate::nn::layers::{Added, BatchNorm, Convs, Linear, Mode};
use crate::nn::{Network, Output, ParamBuilder, Params, models};
use crate::ops::{self, ConvInput, DropoutAt, MaxPool};
use crate::tensor::Tensor;

// Places where dropout draws numbers of its own; block i has BLOCK_SITE + i.
const HEAD_SITE: u32 = 1;
const BLOCK_SITE: u32 = 16;

/// The network.
#[derive(Debug, Clone)]
struct Exgnet {
    sizes: Sizes,
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: Classifier,
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

pub(crate) fn branch_name(block: usize, branch: usize) -> String {
    format!("blocks.{block}.branches.{branch}.weight")
}

pub(crate) fn has_shortcut(c_in: usize, width: usize, stride: usize) -> bool {
    c_in != width || stride != 1
}

impl Block {
    fn new(c: &Sizes, p: &Params, i: usize, (c_in, width, stride): (usize, usize, usize)) -> Result<Self> {
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

impl models::Sizes for Sizes {
    fn name(&self) -> Option<String> {
        Some(self.trunk_name())
    }

    fn check(&self) -> Result<(), Problem> {
        self.problem()
    }

    fn maps(&self) -> Vec<String> {
        models::stem_and_blocks(self.widths.len())
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn embedding(&self) -> usize {
        self.widths.last().copied().unwrap_or(self.stem_channels)
    }

    fn declare(&self, classes: usize, p: &mut ParamBuilder) {
        let c = self;
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
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![("exgnet", Self::default()), ("exgnet-small", Self::small()), ("exgnet-se", Self::squeezed())]
    }

    /// The presets' kernels are for parallel branches; a cascade has one.
    fn of(self, kind: &str) -> Self {
        match kind {
            "cascade" => Self { kind: BlockKind::Cascade, kernels: vec![16], dilations: vec![1; BRANCHES], ..self },
            _ => Self { kind: BlockKind::Parallel, ..self },
        }
    }

    fn build(&self, p: &Params) -> Result<Box<dyn Network>> {
        let stem = ConvNorm::new(Convs::new(p, &["stem.conv.weight".into()], 2, &[1])?, BatchNorm::new(p, "stem.bn")?);
        let blocks = self.blocks().enumerate().map(|(i, sizes)| Block::new(self, p, i, sizes));
        let blocks = blocks.collect::<Result<_>>()?;
        let head = match self.head {
            Head::Linear => Classifier::Linear(Linear::new(p, "head")?),
            Head::Mlp => Classifier::Mlp(Linear::new(p, "head.fc1")?, Linear::new(p, "head.fc2")?),
        };
        Ok(Box::new(Exgnet { sizes: self.clone(), stem, blocks, head }))
    }
}

impl Network for Exgnet {
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output> {
        let y = self.stem.forward(&ConvInput::new(x), mode)?;
        let mut y = ops::max_pool(&y, MaxPool { kernel: 2, stride: 2, pad: 0 })?;
        let mut maps = vec![y.clone()];
        for (i, block) in self.blocks.iter().enumerate() {
            let (rate, site) = (self.sizes.dropout, BLOCK_SITE + i as u32);
            if mode.pre_dropout.has(maps.len()) || !block.ends_in_one_pass(mode) {
                maps.push(block.forward(&y, mode, None)?);
                y = mode.drop(&maps[i + 1], rate, site)?;
            } else {
                y = block.forward(&y, mode, mode.dropout_at(rate, site).as_ref())?;
                maps.push(y.clone());
            }
        }
        let embedding = ops::global_avg_pool(&y)?;
        Ok(Output { logits: self.classify(&embedding, mode)?, embedding, maps })
    }

    /// BatchNorm and shortcuts are folded into the convolutions; blocks that cannot be folded (a cascade,
    /// squeeze-and-excitation) stay as they are.
    fn folded(&self) -> Result<Box<dyn Network>> {
        let mut net = self.clone();
        net.stem.fold()?;
        for block in &mut net.blocks {
            block.folded = block.fold()?;
        }
        Ok(Box::new(net))
    }
}

impl Exgnet {
    fn classify(&self, e: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        match &self.head {
            Classifier::Linear(head) => head.forward(e),
            Classifier::Mlp(fc1, fc2) => {
                let h = ops::relu(&fc1.forward(e)?)?;
                fc2.forward(&mode.drop(&h, self.sizes.dropout, HEAD_SITE)?)
            }
        }
    }
}
