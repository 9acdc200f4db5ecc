//! What a network is made of for strips of a length: found by running it on a device of shapes alone, so that the forward pass
//! is its only description.

use super::config::NetworkConfig;
use super::graph::Graph;
use super::layers::Mode;
use super::network::{FEATURES, Model, expected_tensors};
use crate::autograd::operations;
use crate::error::Result;
use crate::gpu::{Gpu, ShaderSource, lock};
use crate::ops::{About, Branch, DropoutState, MaxPool};
use crate::tensor::{DType, Tensor, numel};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A part of a network: what its parameters' names begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Shape of its output for one strip.
    pub output: Vec<usize>,
    /// Trainable values.
    pub parameters: usize,
}

/// Parts that an exported model does not have.
const TRAIN_ONLY: [&str; 3] = ["feature", "joint", "regressor"];

/// What a network is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its parts in the order of the model file; those that exist only while training behind the others.
    pub parts: Vec<Part>,
    /// Length of every map of [`NetworkConfig::maps`]: the resolution of Grad-CAM there.
    pub lengths: Vec<usize>,
    /// Multiply-adds of convolutions and linear layers for one strip, without the parts that only training has.
    pub multiply_adds: u64,
    /// Convolutions in their order; those of one operation, which read one input, together.
    pub convolutions: Vec<Vec<Convolution>>,
    /// Every max pooling, with channels and length of what it reads.
    pub pooled: Vec<([usize; 2], MaxPool)>,
    /// Channels and length of what every normalisation reads.
    pub normalised: Vec<[usize; 2]>,
    /// What it computes from one of its last two maps to the other.
    pub last: Option<Graph>,
}

/// A convolution of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Its part, with the kernel where that has several.
    pub layer: String,
    /// Channels and length of its input.
    pub input: [usize; 2],
    /// Output channels, input channels and samples of its kernel.
    pub weight: [usize; 3],
    /// Samples from one output to the next.
    pub stride: usize,
    /// Samples from one tap to the next.
    pub dilation: usize,
}

/// A network's table, classes, whether it is in training, and samples.
type Key = (String, usize, bool, usize);
/// Outlines of this process: a sweep asks for the same again and again.
static KNOWN: Mutex<BTreeMap<Key, Arc<Outline>>> = Mutex::new(BTreeMap::new());

impl Outline {
    /// Of a network for strips of `samples`; `train_only` adds the parts that only training has.
    pub fn new(config: &NetworkConfig, classes: usize, train_only: bool, samples: usize) -> Result<Arc<Self>> {
        let key = (config.to_json(), classes, train_only, samples);
        if let Some(known) = lock(&KNOWN).get(&key) {
            return Ok(known.clone());
        }
        let made = Arc::new(Self::of(config, classes, train_only, samples)?);
        lock(&KNOWN).insert(key, made.clone());
        Ok(made)
    }

    fn of(config: &NetworkConfig, classes: usize, train_only: bool, samples: usize) -> Result<Self> {
        let gpu = Gpu::of_shapes(None, ShaderSource::default())?;
        let model = Model::new(&gpu, config, classes, train_only, 0)?;
        let x = Tensor::empty(&gpu, &[1, 1, samples], DType::F32)?.leaf();
        // dropout is on to be seen
        let dropout = DropoutState::new(&gpu, 0)?;
        let mode = Mode { dropout: Some(&dropout), ..Mode::EVAL };
        let mut out = None;
        let launched = gpu.launched(|| {
            out = Some(model.forward(&x, &mode)?);
            Ok(())
        })?;
        let out = out.expect("the forward pass was run");
        let counted = |file: &str| ["conv1d/", "matmul/"].iter().any(|family| file.starts_with(family));
        let operations: f64 = launched.iter().filter(|l| counted(&l.file)).map(|l| l.cost[0]).sum();
        let mut made = Self {
            parts: parts(config, classes, train_only),
            lengths: out.maps.iter().map(|layer| layer.dim(2)).collect(),
            multiply_adds: (operations / 2.0) as u64,
            convolutions: Vec::new(),
            pooled: Vec::new(),
            normalised: Vec::new(),
            last: None,
        };
        let names = model.params().trainable().iter().map(|(name, t)| (t.id(), name.as_str())).collect();
        made.walk(&names, &out.logits);
        let maps = config.maps();
        maps.iter().zip(&out.maps).for_each(|(name, map)| made.set_output(name, map));
        made.last = Graph::last(&maps, &out, &x, &names);
        Ok(made)
    }

    fn set_output(&mut self, part: &str, output: &Tensor) {
        self.parts.iter_mut().filter(|p| p.name == part).for_each(|p| p.output = output.shape()[1..].to_vec());
    }

    /// Goes through the operations that made the logits, in their order; `names` are those of the parameters.
    fn walk(&mut self, names: &BTreeMap<u64, &str>, logits: &Tensor) {
        let mut last: Option<String> = None;
        for t in operations(logits) {
            let Some(history) = t.history() else { continue };
            let input = &history.inputs[0];
            let rows = |t: &Tensor| [t.dim(1), t.dim(2)];
            match history.op.about() {
                About::MaxPool(pool) => self.pooled.push((rows(input), pool)),
                About::Normalisation { .. } if t.rank() == 3 => self.normalised.push(rows(&t)),
                _ => {}
            }
            let own: Vec<(&str, &Tensor)> =
                history.inputs.iter().filter_map(|input| Some((*names.get(&input.id())?, input))).collect();
            let Some(part) = own.first().map(|(name, _)| part_of(name)) else { continue };
            // what a part reads is what the one before gives
            if last.as_ref() != Some(&part)
                && let Some(before) = last.replace(part.clone())
            {
                self.set_output(&before, input);
            }
            if let About::Convolutions { spec, .. } = history.op.about() {
                let one = |((_, w), branch): (&(&str, &Tensor), &Branch)| Convolution {
                    layer: format!("{part} k{}", w.dim(2)),
                    input: rows(input),
                    weight: [w.dim(0), w.dim(1), w.dim(2)],
                    stride: spec.stride,
                    dilation: branch.dilation,
                };
                self.convolutions.push(own.iter().zip(&spec.branches).map(one).collect());
            }
        }
        // a part of one convolution needs no other name
        let all: Vec<String> = self.convolutions.iter().flatten().map(|c| c.layer.clone()).collect();
        for c in self.convolutions.iter_mut().flatten() {
            let part = c.layer.rsplit_once(' ').map_or("", |(part, _)| part);
            if all.iter().filter(|other| other.rsplit_once(' ').is_some_and(|(p, _)| p == part)).count() == 1 {
                c.layer = part.to_owned();
            }
        }
    }

    /// Trainable values.
    pub fn parameters(&self) -> usize {
        self.parts.iter().map(|p| p.parameters).sum()
    }

    /// Trainable values that an exported model has.
    pub fn parameters_inference(&self) -> usize {
        self.parts.iter().filter(|p| !TRAIN_ONLY.contains(&p.name.as_str())).map(|p| p.parameters).sum()
    }
}

/// The part that a parameter belongs to.
fn part_of(name: &str) -> String {
    let mut words = name.split('.');
    let first = words.next().unwrap_or_default();
    match words.next().filter(|_| first == "blocks") {
        Some(i) => format!("{first}.{i}"),
        None => first.to_owned(),
    }
}

/// The parts with their parameters, and the outputs of those that the forward pass does not run.
fn parts(config: &NetworkConfig, classes: usize, train_only: bool) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (tensor, shape) in expected_tensors(config, classes, train_only) {
        if tensor.contains(".running_") {
            continue;
        }
        let name = part_of(&tensor);
        let output = match name.as_str() {
            "regressor" => vec![FEATURES],
            // feature.fc2 comes last
            "feature" => vec![shape[0]],
            _ => vec![classes],
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
