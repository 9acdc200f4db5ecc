//! InceptionTime (Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series classification", 2020), one network of
//! its ensemble: modules of a bottleneck and three long convolutions beside a max pooling, with a shortcut every third module.

use super::AverageHead;
use super::Sizes as _;
use crate::error::Result;
use crate::nn::config::{MOST_BLOCKS, MOST_CHANNELS, MOST_KERNEL, Problem, dropout, number};
use crate::nn::fold::Folded;
use crate::nn::layers::{Added, BatchNorm, Convs, Mode};
use crate::nn::{Network, Output, ParamBuilder, Params, models};
use crate::ops::{self, ConvInput, MaxPool};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Modules from one shortcut to the next.
const RESIDUAL: usize = 3;
/// Convolutions of a module that read its bottleneck.
const BRANCHES: usize = 3;

/// Its value of `network.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Always.
    #[default]
    Inceptiontime,
}

/// Its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// The kind.
    pub kind: Kind,
    /// Modules.
    pub depth: usize,
    /// Channels of each of a module's four parts, and of its bottleneck.
    pub filters: usize,
    /// Kernels of a module's three convolutions, samples.
    pub kernels: [usize; BRANCHES],
    /// Share of the embedding dropped while training, 0 to below 1.
    pub dropout: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { kind: Kind::Inceptiontime, depth: 6, filters: 32, kernels: [40, 20, 10], dropout: 0.0 }
    }
}

impl Sizes {
    /// Channels of a module's input; module 0 reads the strip.
    fn inputs(&self, module: usize) -> usize {
        if module == 0 { 1 } else { self.embedding() }
    }
}

fn name(module: usize, part: &str) -> String {
    format!("blocks.{module}.{part}")
}

impl models::Sizes for Sizes {
    fn check(&self) -> Result<(), Problem> {
        number("depth", self.depth, 1, MOST_BLOCKS, "6 is usual")?;
        number("filters", self.filters, 1, MOST_CHANNELS / (BRANCHES + 1), "32 is usual")?;
        for (i, &kernel) in self.kernels.iter().enumerate() {
            number(&format!("kernels[{i}]"), kernel, 1, MOST_KERNEL, "40, 20 and 10 are usual")?;
        }
        dropout(self.dropout)
    }

    fn maps(&self) -> Vec<String> {
        models::blocks(self.depth).collect()
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn embedding(&self) -> usize {
        (BRANCHES + 1) * self.filters
    }

    fn declare(&self, classes: usize, p: &mut ParamBuilder) {
        let (width, f) = (self.embedding(), self.filters);
        for i in 0..self.depth {
            let c_in = self.inputs(i);
            // a strip has nothing to be narrowed
            let from = if c_in > 1 { f } else { c_in };
            if c_in > 1 {
                Convs::declare(p, &name(i, "bottleneck.weight"), c_in, f, 1);
            }
            for (j, kernel) in self.kernels.into_iter().enumerate() {
                Convs::declare(p, &name(i, &format!("branches.{j}.weight")), from, f, kernel);
            }
            Convs::declare(p, &name(i, "pooled.weight"), c_in, f, 1);
            BatchNorm::declare(p, &name(i, "bn"), width);
            if i % RESIDUAL == RESIDUAL - 1 {
                Convs::declare(p, &name(i, "shortcut.conv.weight"), self.inputs(i + 1 - RESIDUAL), width, 1);
                BatchNorm::declare(p, &name(i, "shortcut.bn"), width);
            }
        }
        AverageHead::declare(self, classes, p);
    }

    fn build(&self, p: &Params) -> Result<Box<dyn Network>> {
        let conv = |name: String| Convs::new(p, &[name], 1, &[1]);
        let module = |i: usize| {
            let branches: Vec<String> = (0..BRANCHES).map(|j| name(i, &format!("branches.{j}.weight"))).collect();
            let residual = i % RESIDUAL == RESIDUAL - 1;
            Ok(Module {
                bottleneck: (self.inputs(i) > 1).then(|| conv(name(i, "bottleneck.weight"))).transpose()?,
                branches: Convs::new(p, &branches, 1, &[1; BRANCHES])?,
                pooled: conv(name(i, "pooled.weight"))?,
                bn: BatchNorm::new(p, &name(i, "bn"))?,
                shortcut: match residual {
                    true => {
                        let bn = BatchNorm::new(p, &name(i, "shortcut.bn"))?;
                        Some((conv(name(i, "shortcut.conv.weight"))?, bn))
                    }
                    false => None,
                },
                folded: None,
            })
        };
        let modules = (0..self.depth).map(module).collect::<Result<_>>()?;
        Ok(Box::new(InceptionTime { modules, head: AverageHead::new(self, p)? }))
    }
}

#[derive(Debug, Clone)]
struct InceptionTime {
    modules: Vec<Module>,
    head: AverageHead,
}

#[derive(Debug, Clone)]
struct Module {
    bottleneck: Option<Convs>,
    branches: Convs,
    pooled: Convs,
    bn: BatchNorm,
    /// From the input of the module two before.
    shortcut: Option<(Convs, BatchNorm)>,
    /// Branches and pooled part with their channels of the normalisation.
    folded: Option<[Folded; 2]>,
}

impl Module {
    fn fold(&mut self) -> Result<()> {
        let rest = self.branches.weights.iter().map(|w| w.dim(0)).sum();
        let branches = Folded::part(&self.branches, &self.bn, 0)?;
        self.folded = branches.zip(Folded::part(&self.pooled, &self.bn, rest)?).map(Into::into);
        Ok(())
    }

    fn forward(&self, x: &Tensor, residual: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let narrow = match &self.bottleneck {
            Some(conv) => conv.forward(&ConvInput::new(x), mode)?,
            None => x.clone(),
        };
        let pooled = ops::max_pool(x, MaxPool { kernel: 3, stride: 1, pad: 1 })?;
        let (narrow, pooled) = (ConvInput::new(&narrow), ConvInput::new(&pooled));
        let y = match self.folded.as_ref().filter(|_| !mode.batch_stats) {
            Some([branches, rest]) => ops::concat(&[&branches.forward(&narrow)?, &rest.forward(&pooled)?], 1)?,
            None => {
                let parts = [&self.branches.forward(&narrow, mode)?, &self.pooled.forward(&pooled, mode)?];
                self.bn.relu(&ops::concat(&parts, 1)?, Added::Nothing, mode, None)?
            }
        };
        match &self.shortcut {
            Some((conv, bn)) => {
                let z = conv.forward(&ConvInput::new(residual), mode)?;
                bn.relu(&z, Added::Tensor(&y), mode, None)
            }
            None => Ok(y),
        }
    }
}

impl Network for InceptionTime {
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output> {
        let (mut x, mut residual) = (x.clone(), x.clone());
        let mut maps = Vec::with_capacity(self.modules.len());
        for module in &self.modules {
            x = module.forward(&x, &residual, mode)?;
            if module.shortcut.is_some() {
                residual = x.clone();
            }
            maps.push(x.clone());
        }
        self.head.output(maps, mode)
    }

    /// Shortcuts stay as they are: they read what no other convolution of their module does.
    fn folded(&self) -> Result<Box<dyn Network>> {
        let mut net = self.clone();
        for module in &mut net.modules {
            module.fold()?;
        }
        Ok(Box::new(net))
    }
}
