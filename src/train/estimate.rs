//! What a training costs before it is begun: parameters, and the memory of a step.
//!
//! **Memory** (f32, so four bytes a value) is the sum of four parts:
//! 1. parameters `P`: themselves, their gradients as they come and gathered for the optimiser, two moments: `5 P`;
//! 2. activations: the engine keeps the output of every operation of the forward pass until the step ends. Per record
//!    that is the strip, once more as the input of the recorded step; in the stem `2 C T` (convolution, BatchNorm with ReLU) and `2 C T / 2` (pooling and its index); in
//!    a block of output `C x T` `2 C T` (convolution, BatchNorm with sum, ReLU and dropout), and `C T` for each of: dropout
//!    that is an operation of its own (in the target block, and with squeeze-and-excitation), the concatenation of a
//!    cascade, a shortcut with a convolution; `3 C T` for squeeze-and-excitation, whose BatchNorm, sum and ReLU are
//!    operations of their own; and the input of every convolution once more, in padded rows (half of it in f16);
//! 3. guidance: what the map keeps. `2 C T` in the target block (gradient, gradient times activation) and, because its
//!    gradient is differentiated again, the reverse pass down to it: `C T` for dropout in the target block and in the
//!    last one for the average, and in each later block `3 C T` (dropout, ReLU, BatchNorm), `C T` for a shortcut's
//!    BatchNorm, and 2 inputs (3 with a shortcut) for convolutions and their sum. Nothing of this for
//!    `detach_alpha`, apart from the product;
//! 4. gradients in flight: `3 C T` of the stem, the largest there are; where BatchNorms of blocks after the target block
//!    are differentiated twice, `12 C T` of the largest of them if that is more.
//!
//! The pool rounds buffers up, by a quarter at most and some 5 % usually, which is not counted. Nor is what it keeps free at
//! the peak, buffers of sizes that nothing asks for then: a third on top for the quick start, more for smaller networks. A dry
//! run tells both as measured.

use super::losses::BatchTargets;
use crate::error::Result;
use crate::experiment::{Experiment, XaiGoal};
use crate::gpu::Gpu;
use crate::nn::config::{BRANCHES, BlockKind, NetworkConfig, branch_channels};
use crate::nn::network::{FEATURES, expected_tensors};
use crate::ops::{self, Numbers};
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A part of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the model file: `stem`, `blocks.0`, ...
    pub name: String,
    /// Channels and length of its output for one strip; of the parts behind the trunk the number of outputs.
    pub output: Vec<usize>,
    /// Trainable parameters.
    pub parameters: usize,
}

/// What a training costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The parts in order.
    pub parts: Vec<Part>,
    /// Trainable parameters.
    pub parameters: usize,
    /// Those of the exported model.
    pub parameters_inference: usize,
    /// Bytes of parameters, gradients and moments.
    pub parameter_bytes: u64,
    /// Bytes of the activations of a batch.
    pub activation_bytes: u64,
    /// Bytes that XAI guidance keeps on top.
    pub guidance_bytes: u64,
    /// Bytes of the gradients in flight.
    pub flight_bytes: u64,
}

impl Estimate {
    /// For the experiment's network of `classes` classes in training on strips of `samples` samples; an error for a target layer
    /// that it does not have.
    pub fn new(experiment: &Experiment, classes: usize, samples: usize) -> Result<Self> {
        let batch = experiment.train.batch;
        let parts = parts(&experiment.network, classes, experiment.losses.train_only(), samples);
        let count = |keep: &dyn Fn(&Part) -> bool| parts.iter().filter(|p| keep(p)).map(|p| p.parameters).sum();
        let parameters: usize = count(&|_| true);
        let bytes = |values: usize| 4 * values as u64;
        let [kept, guided, flying] = values_per_record(experiment, samples)?;
        Ok(Self {
            parameters,
            parameters_inference: count(&|p| !TRAIN_ONLY.contains(&p.name.as_str())),
            parameter_bytes: bytes(5 * parameters),
            activation_bytes: bytes(kept * batch),
            guidance_bytes: bytes(guided * batch),
            flight_bytes: bytes(flying * batch),
            parts,
        })
    }

    /// Bytes of a step in all.
    pub fn memory_bytes(&self) -> u64 {
        self.parameter_bytes + self.activation_bytes + self.guidance_bytes + self.flight_bytes
    }
}

/// Parts that an exported model does not have.
const TRAIN_ONLY: [&str; 3] = ["feature", "joint", "regressor"];

fn parts(network: &NetworkConfig, classes: usize, train_only: bool, samples: usize) -> Vec<Part> {
    let lengths = network.block_lengths(samples);
    let mut parts: Vec<Part> = Vec::new();
    for (tensor, shape) in expected_tensors(network, classes, train_only) {
        if tensor.ends_with("running_mean") || tensor.ends_with("running_var") {
            continue;
        }
        let mut words = tensor.split('.');
        let first = words.next().unwrap_or_default();
        let block = words.next().filter(|_| first == "blocks").and_then(|i| i.parse::<usize>().ok());
        let (name, output) = match (first, block) {
            (_, Some(i)) => (format!("blocks.{i}"), vec![network.widths[i], lengths[i]]),
            ("stem", _) => (first.into(), vec![network.stem_channels, samples.div_ceil(2) / 2]),
            ("regressor", _) => (first.into(), vec![FEATURES]),
            // feature.fc2 comes last
            ("feature", _) => (first.into(), vec![shape[0]]),
            _ => (first.into(), vec![classes]),
        };
        match parts.iter_mut().find(|p| p.name == name) {
            Some(part) => {
                part.parameters += numel(&shape);
                part.output = output;
            }
            None => parts.push(Part { name, output, parameters: numel(&shape) }),
        }
    }
    parts
}

/// Places of a record in a padded row (`ops::conv1d`), with its share of the row's end.
fn padded(samples: usize, reach: usize, batch: usize) -> usize {
    (samples + reach).next_multiple_of(4) + 370 / batch
}

/// Values of activations, guidance and gradients in flight that one record asks for.
fn values_per_record(experiment: &Experiment, samples: usize) -> Result<[usize; 3]> {
    let Experiment { network, losses, train, .. } = experiment;
    let (batch, target) = (train.batch, losses.block(network.widths.len())?);
    // rows in f16 take half a value each
    let rows = |values: usize| if train.precision != Numbers::F32 { values / 2 } else { values };
    let lengths = network.block_lengths(samples);
    let stem = network.stem_channels * samples.div_ceil(2);
    let dropout = usize::from(network.dropout > 0.0);
    let (guided, twice) = (losses.xai > 0.0, losses.xai > 0.0 && !losses.detach_alpha);
    let stem_rows = rows(2 * padded(samples.div_ceil(2), network.stem_kernel.div_ceil(4), batch));
    let [mut kept, mut map, mut flying] = [2 * samples + stem_rows + 2 * stem + 2 * (stem / 2), 0, 3 * stem];
    let mut length = samples.div_ceil(2) / 2;
    let mut input = stem / 2;
    for (i, (c_in, width, stride)) in network.blocks().enumerate() {
        let output = width * lengths[i];
        let shortcut = usize::from(c_in != width || stride != 1);
        let squeeze = usize::from(network.se_reduction > 0);
        let cascade = usize::from(network.kind == BlockKind::Cascade);
        let last = usize::from(i + 1 == lengths.len());
        let dropped = dropout * usize::from(squeeze == 1 || guided && i == target);
        kept += output * (2 + dropped + cascade + 3 * squeeze + shortcut);
        let reach = |j: usize| (network.branch_kernels()[j] / 2 * network.branch_dilations()[j]).div_ceil(stride);
        let longest = (0..BRANCHES).map(reach).max().unwrap_or(0);
        kept += rows(c_in * stride * padded(length.div_ceil(stride), longest, batch));
        if cascade == 1 {
            let channels = branch_channels(width)[..BRANCHES - 1].iter().sum::<usize>();
            kept += rows(channels * padded(lengths[i], reach(0), batch));
        }
        length = lengths[i];
        if guided && i == target {
            map += output * (1 + usize::from(twice) * (1 + dropout * last));
        }
        if twice && i > target {
            map += output * (2 + dropout + shortcut + last + 2 * squeeze) + input * (2 + shortcut);
            flying = flying.max(12 * output);
        }
        input = output;
    }
    Ok([kept, map, flying])
}

/// A batch of noise that a step of the experiment can be taken on: strips `[B, 1, samples]` and what they are to learn.
///
/// # Errors
/// [`crate::Error::Memory`] where a step on it cannot fit, before anything is allocated.
pub fn random_batch(
    gpu: &Gpu,
    experiment: &Experiment,
    classes: usize,
    samples: usize,
) -> Result<(Tensor, BatchTargets)> {
    super::room::check(gpu, experiment, classes, samples)?;
    let (batch, losses) = (experiment.train.batch, &experiment.losses);
    let mut rng = ChaCha8Rng::seed_from_u64(experiment.train.seed);
    let mut noise = |shape: &[usize], low: f32, high: f32| {
        let values: Vec<f32> = (0..numel(shape)).map(|_| rng.random_range(low..high)).collect();
        Tensor::from_f32(gpu, shape, &values)
    };
    let spread = 3.0_f32.sqrt();
    let x = noise(&[batch, 1, samples], -spread, spread)?;
    let labels: Vec<u32> = (0..batch).map(|i| (i % classes) as u32).collect();
    let labels = Tensor::from_u32(gpu, &[batch], &labels)?;
    let ones = Tensor::full(gpu, &[classes], 1.0)?;
    let features = if losses.train_only() { Some(noise(&[batch, FEATURES], -spread, spread)?) } else { None };
    let guidance = if losses.xai > 0.0 {
        let bins = experiment.network.block_lengths(samples)[losses.block(experiment.network.widths.len())?];
        let terms = match losses.xai_goal {
            XaiGoal::Mixed => 1,
            XaiGoal::Separate => 2,
        };
        let weight = 1.0 / (terms * batch) as f32;
        let term = |_| Ok((noise(&[batch, bins], 0.0, 1.0)?, Tensor::full(gpu, &[batch], weight)?));
        (0..terms).map(term).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    let distribution = ops::cross_entropy_targets(&labels, &ones, losses.label_smoothing as f32)?;
    Ok((x, BatchTargets { classes: labels, distribution, features, guidance, inside: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(sets: &[&str], classes: usize, samples: usize) -> Estimate {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
        let e = Experiment::parse_with("", "e.toml", &sets).expect("an experiment");
        Estimate::new(&e, classes, samples).expect("an estimate")
    }

    #[test]
    fn parameters_and_shapes_are_those_of_the_method() {
        let full = estimate(&[], 5, 5000);
        assert_eq!(full.parameters, 1_777_339);
        // feature 17 -> 128 -> 64, joint [256 + 64 -> 5], regressor 256 -> 17
        let train_only = 17 * 128 + 128 + 128 * 64 + 64 + 320 * 5 + 5 + 256 * 17 + 17;
        assert_eq!(full.parameters - full.parameters_inference, train_only);
        let shapes: Vec<(&str, &[usize])> = full.parts.iter().map(|p| (p.name.as_str(), p.output.as_slice())).collect();
        assert_eq!(shapes[0], ("stem", &[32, 1250][..]));
        assert_eq!((shapes[1], shapes[8]), (("blocks.0", &[32, 1250][..]), ("blocks.7", &[256, 79][..])));
        assert_eq!(&shapes[9..], [("head", &[5][..]), ("feature", &[64]), ("joint", &[5]), ("regressor", &[17])]);
        assert_eq!(full.parts.iter().map(|p| p.parameters).sum::<usize>(), full.parameters);
        let plain = estimate(&["losses.joint=0", "losses.feature=0", "losses.xai=0"], 5, 5000);
        assert_eq!((plain.parameters, plain.guidance_bytes), (full.parameters_inference, 0));
    }

    #[test]
    fn memory_grows_with_what_needs_it() {
        let base = estimate(&[], 5, 5000);
        assert!(base.memory_bytes() > base.activation_bytes && base.guidance_bytes > 0);
        let twice = estimate(&["train.batch=64"], 5, 5000).activation_bytes as f64 / base.activation_bytes as f64;
        // the end of a padded row serves the whole batch
        assert!((1.98..=2.0).contains(&twice), "{twice}");
        let deeper = estimate(&["losses.target_layer=blocks.2"], 5, 5000);
        assert!(deeper.guidance_bytes > 3 * base.guidance_bytes);
        assert!(estimate(&["losses.detach_alpha=true"], 5, 5000).guidance_bytes < base.guidance_bytes);
        assert!(estimate(&["network.dropout=0"], 5, 5000).activation_bytes < base.activation_bytes);
    }
}
