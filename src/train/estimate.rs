//! What a step of a training costs before it is begun: it is run on a device of shapes alone, so that its memory is that of the
//! step itself.

use super::losses::BatchTargets;
use super::step::Stepper;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::gpu::{Gpu, PhaseMemory, PoolStats, ShaderSource};
use crate::nn::network::FEATURES;
use crate::nn::{Outline, Part};
use crate::ops;
use crate::tensor::{DType, Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a training step takes.
#[derive(Debug)]
pub struct Estimate {
    /// The network's parts, with those that only training has where the losses need them.
    pub parts: Vec<Part>,
    /// Trainable values of all parts.
    pub parameters: usize,
    /// Of those, what an exported model has.
    pub parameters_inference: usize,
    /// Multiply-adds of convolutions and linear layers for one strip in inference.
    pub multiply_adds: u64,
    /// Memory of the step's phases, in order.
    pub phases: Vec<PhaseMemory>,
    /// Memory at the most, and with buffers that are kept free.
    pub memory: PoolStats,
}

impl Estimate {
    /// For the experiment's network of `classes` classes on strips of `samples` samples, as on `gpu`, or as on an adapter that
    /// has no more than every one has; an error for a target layer that the network does not have.
    pub fn new(gpu: Option<&Gpu>, experiment: &Experiment, classes: usize, samples: usize) -> Result<Self> {
        let shapes = match gpu {
            Some(gpu) => gpu.shapes()?,
            None => Gpu::of_shapes(None, ShaderSource::default())?,
        };
        Self::on(&shapes, experiment, classes, samples)
    }

    /// As [`Estimate::new`], on a device of shapes alone.
    pub(super) fn on(shapes: &Gpu, experiment: &Experiment, classes: usize, samples: usize) -> Result<Self> {
        let outline = Outline::new(&experiment.network, classes, experiment.losses.train_only(), samples)?;
        let mut memory = PoolStats::default();
        let phases = shapes.memory_by_phase(|| {
            let mut stepper = Stepper::new(shapes, experiment, &vec![1.0; classes], None)?;
            let (x, targets) = noise_batch(shapes, experiment, classes, samples)?;
            stepper.step(&x, &targets, experiment.train.lr)?;
            // while all of it is there
            memory = shapes.pool_stats();
            Ok(())
        })?;
        Ok(Self {
            parameters: outline.parameters(),
            parameters_inference: outline.parameters_inference(),
            multiply_adds: outline.multiply_adds,
            parts: outline.parts.clone(),
            phases,
            memory,
        })
    }

    /// Bytes of a step at the most.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.peak
    }
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
    super::batch_fit::check(gpu, experiment, classes, samples)?;
    noise_batch(gpu, experiment, classes, samples)
}

fn noise_batch(gpu: &Gpu, experiment: &Experiment, classes: usize, samples: usize) -> Result<(Tensor, BatchTargets)> {
    let (batch, losses) = (experiment.train.batch, &experiment.losses);
    let mut rng = ChaCha8Rng::seed_from_u64(experiment.train.seed);
    let mut noise = |shape: &[usize], low: f32, high: f32| {
        if gpu.has_shapes_alone() {
            return Tensor::empty(gpu, shape, DType::F32);
        }
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
        let bins = map_length(experiment, classes, samples)?;
        let terms = losses.xai_goal.terms();
        let weight = 1.0 / (terms * batch) as f32;
        let term = |_| Ok((noise(&[batch, bins], 0.0, 1.0)?, Tensor::full(gpu, &[batch], weight)?));
        (0..terms).map(term).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    let distribution = ops::cross_entropy_targets(&labels, &ones, losses.label_smoothing as f32)?;
    Ok((x, BatchTargets { classes: labels, distribution, features, guidance, inside: None }))
}

/// Resolution of the guided map.
///
/// # Errors
/// [`Error::Config`] for a map that a loss is to guide and that has one bin: it is the same wherever the network looks.
pub fn map_length(experiment: &Experiment, classes: usize, samples: usize) -> Result<usize> {
    let outline = Outline::new(&experiment.network, classes, false, samples)?;
    let (losses, layer) = (&experiment.losses, experiment.losses.layer(&experiment.network)?);
    let bins = outline.lengths[layer];
    if bins < 2 && (losses.xai > 0.0 || losses.entropy > 0.0) {
        let name = &experiment.network.maps()[layer];
        return Err(Error::config(
            format!(
                "losses.target_layer: the map of {name} is {bins} sample long at strips of {samples}, expected 2 or more"
            ),
            "guide an earlier layer (losses.target_layer), take smaller network.strides or longer strips, or set losses.xai and \
             losses.entropy to 0",
        ));
    }
    Ok(bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(sets: &[&str], classes: usize, samples: usize) -> Estimate {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
        let e = Experiment::parse_with("", "e.toml", &sets).expect("an experiment");
        Estimate::new(None, &e, classes, samples).expect("an estimate")
    }

    #[test]
    fn a_map_of_one_bin_is_not_guided() {
        let of = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
            map_length(&Experiment::parse_with("", "e.toml", &sets).expect("an experiment"), 5, 64)
        };
        let short = ["network.kind=cnn", "network.widths=[4,4]", "network.strides=[16,2]"];
        let e = of(&[&short[..], &["losses.xai=1"]].concat()).expect_err("one bin").to_string();
        assert!(e.contains("map of blocks.1 is 1 sample long at strips of 64") && e.contains("network.strides"), "{e}");
        assert!(of(&[&short[..], &["losses.xai=0", "losses.entropy=1"]].concat()).is_err());
        assert_eq!(of(&[&short[..], &["losses.xai=0"]].concat()).expect("not guided"), 1);
        assert_eq!(of(&[&short[..], &["losses.xai=1", "losses.target_layer=blocks.0"]].concat()).expect("4 bins"), 4);
    }

    /// Every block of a `cnn` but the first halves the length: the one that cannot is named.
    #[test]
    fn a_cnn_too_deep_for_its_strips_names_the_block() {
        let sets = ["network.kind=cnn", "network.widths=[4,4,4,4]", "network.strides=[16,2,2,1]"].map(String::from);
        let e = Experiment::parse_with("", "e.toml", &sets).expect("an experiment");
        let e = map_length(&e, 5, 64).expect_err("no samples left").to_string();
        assert!(e.contains("blocks.2") && e.contains("1 sample") && e.contains("network.widths"), "{e}");
    }

    #[test]
    fn parameters_and_shapes_are_those_of_the_method() {
        let full = estimate(&["train.batch=2"], 5, 5000);
        assert_eq!(full.parameters, 1_777_339);
        // feature 17 -> 128 -> 64, joint [256 + 64 -> 5], regressor 256 -> 17
        let train_only = 17 * 128 + 128 + 128 * 64 + 64 + 320 * 5 + 5 + 256 * 17 + 17;
        assert_eq!(full.parameters - full.parameters_inference, train_only);
        let shapes: Vec<(&str, &[usize])> = full.parts.iter().map(|p| (p.name.as_str(), p.output.as_slice())).collect();
        assert_eq!(shapes[0], ("stem", &[32, 1250][..]));
        assert_eq!((shapes[1], shapes[8]), (("blocks.0", &[32, 1250][..]), ("blocks.7", &[256, 79][..])));
        assert_eq!(&shapes[9..], [("head", &[5][..]), ("feature", &[64]), ("joint", &[5]), ("regressor", &[17])]);
        assert_eq!(full.parts.iter().map(|p| p.parameters).sum::<usize>(), full.parameters);
        let plain = estimate(&["losses.joint=0", "losses.feature=0", "losses.xai=0", "train.batch=2"], 5, 5000);
        assert_eq!(plain.parameters, full.parameters_inference);
        // with its train-only parts, as the network of 1.82 M that it stands beside
        let squeezed = estimate(&["network.preset=exgnet-se", "train.batch=2"], 5, 5000);
        assert_eq!(squeezed.parameters, 1_821_939);
        let phases: Vec<&str> = full.phases.iter().map(|p| p.phase).collect();
        assert_eq!(phases, ["forward", "loss", "backward", "optimizer"]);
    }
}
