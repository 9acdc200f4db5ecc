//! What training, evaluation, explanation and export need of a network: [`Network`], which the files of [`super::models`]
//! implement, and [`Model`], a network with its parameters and the parts that exist only while training (feature branch, joint
//! head, feature regressor).

use super::config::NetworkConfig;
use super::layers::{Linear, Mode};
use super::params::{ParamBuilder, Params};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops;
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of quantitative ECG features that the train-only part works on.
pub const FEATURES: usize = 17;
/// Hidden and output width of the feature branch.
pub(crate) const FEATURE_WIDTHS: [usize; 2] = [128, 64];

/// Where the feature branch's dropout draws numbers of its own; networks have other places.
const FEATURE_SITE: u32 = 2;

/// What a forward pass gives.
#[derive(Debug)]
pub struct Output {
    /// `[B, classes]`.
    pub logits: Tensor,
    /// `[B, E]`: what the head reads, and the train-only part.
    pub embedding: Tensor,
    /// What can be target layer of Grad-CAM, `[B, C, T]` each, in the order of [`NetworkConfig::maps`]. The blocks of EXGnet
    /// are given before their dropout where [`Mode::pre_dropout`] has them (and wherever there is no dropout), after it elsewhere.
    pub maps: Vec<Tensor>,
}

/// A network, from z-scored strips to logits.
pub trait Network: std::fmt::Debug + Send + Sync {
    /// Runs it on `x` `[B, 1, L]`.
    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Output>;

    /// The same for evaluation alone, with fewer passes where it can be had: what is constant is computed once, from the
    /// parameters and running estimates as they are now. Values may differ by rounding.
    fn folded(&self) -> Result<Box<dyn Network>>;
}

/// A network with its parameters. A clone shares them.
#[derive(Debug, Clone)]
pub struct Model {
    config: NetworkConfig,
    classes: usize,
    params: Params,
    network: Arc<dyn Network>,
    train_only: Option<TrainOnly>,
}

#[derive(Debug, Clone)]
struct TrainOnly {
    feature: (Linear, Linear),
    joint: Linear,
    regressor: Linear,
}

/// Declares all parameters under the names of the model file.
fn declare(config: &NetworkConfig, classes: usize, train_only: bool, p: &mut ParamBuilder) {
    let sizes = config.sizes();
    sizes.declare(classes, p);
    if train_only {
        let embedding = sizes.embedding();
        Linear::declare(p, "feature.fc1", FEATURES, FEATURE_WIDTHS[0]);
        Linear::declare(p, "feature.fc2", FEATURE_WIDTHS[0], FEATURE_WIDTHS[1]);
        Linear::declare(p, "joint", embedding + FEATURE_WIDTHS[1], classes);
        Linear::declare(p, "regressor", embedding, FEATURES);
    }
}

/// Names and shapes of the tensors that a model file of this network holds.
pub fn expected_tensors(config: &NetworkConfig, classes: usize, train_only: bool) -> Vec<(String, Vec<usize>)> {
    let mut p = ParamBuilder::new(0);
    declare(config, classes, train_only, &mut p);
    p.expected()
}

impl Model {
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
        let network = config.sizes().build(&p)?.into();
        let extra = || -> Result<TrainOnly> {
            Ok(TrainOnly {
                feature: (Linear::new(&p, "feature.fc1")?, Linear::new(&p, "feature.fc2")?),
                joint: Linear::new(&p, "joint")?,
                regressor: Linear::new(&p, "regressor")?,
            })
        };
        let train_only = train_only.then(extra).transpose()?;
        Ok(Self { config: config.clone(), classes, params: p, network, train_only })
    }

    /// The same for evaluation, see [`Network::folded`]; it shares the parameters, and training it is as before.
    pub fn folded(&self) -> Result<Self> {
        Ok(Self { network: self.network.folded()?.into(), ..self.clone() })
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
        self.network.forward(x, mode)
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
        let h = mode.drop(&h, self.config.sizes().dropout(), FEATURE_SITE)?;
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
