//! Parameters of a network: named leaves that lie in one flat buffer, so that the
//! optimiser updates all of them in one launch.

use crate::autograd::grad;
use crate::error::{Error, Result, nearest};
use crate::gpu::{Gpu, hash_of};
use crate::ops::adam::BLOCK;
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A named tensor on the host: name, shape, values.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Parts of the flat buffer start at multiples of this many elements (256 bytes, what a binding's offset needs).
const ALIGN: usize = BLOCK;

/// Starting value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `+-1 / sqrt(fan_in)`.
    FanIn(usize),
    /// One value everywhere.
    Value(f32),
}

/// Collects names, shapes and starting values before anything is on the device.
pub struct ParamBuilder {
    seed: u64,
    entries: Vec<Entry>,
    buffers: Vec<(String, usize, f32)>,
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    init: Init,
}

impl ParamBuilder {
    /// Starting values from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, entries: Vec::new(), buffers: Vec::new() }
    }

    /// Adds a trainable parameter.
    pub fn param(&mut self, name: impl Into<String>, shape: &[usize], init: Init) {
        self.entries.push(Entry { name: name.into(), shape: shape.to_vec(), init });
    }

    /// Adds a vector that is saved but not trained (a running estimate).
    pub fn buffer(&mut self, name: impl Into<String>, len: usize, value: f32) {
        self.buffers.push((name.into(), len, value));
    }

    fn start(&self, entry: &Entry) -> Vec<f32> {
        let n = numel(&entry.shape);
        match entry.init {
            Init::Value(v) => vec![v; n],
            Init::FanIn(fan_in) => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                // by the name alone: adding a part to a network leaves the starting values of the rest as they were
                rng.set_stream(hash_of(&entry.name));
                let bound = 1.0 / (fan_in as f32).sqrt();
                (0..n).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound).collect()
            }
        }
    }

    /// Names and shapes of everything a model file must hold, parameters before running estimates.
    pub fn expected(&self) -> Vec<(String, Vec<usize>)> {
        let params = self.entries.iter().map(|e| (e.name.clone(), e.shape.clone()));
        params.chain(self.buffers.iter().map(|(n, len, _)| (n.clone(), vec![*len]))).collect()
    }

    /// Puts everything on the device with its starting values.
    pub fn init(self, gpu: &Gpu) -> Result<Params> {
        self.build(gpu, &BTreeMap::new())
    }

    /// Puts everything on the device, with `values` (by name) instead of the starting values where given.
    ///
    /// # Errors
    /// [`Error::Shape`] for a name that was declared twice and for a value of another size; [`Error::Gpu`].
    pub fn build(self, gpu: &Gpu, values: &BTreeMap<String, Vec<f32>>) -> Result<Params> {
        let value = |name: &str, len: usize, start: Vec<f32>| match values.get(name) {
            Some(v) if v.len() == len => Ok(v.clone()),
            Some(v) => Err(Error::shape(
                "parameters",
                format!("{} values for '{name}'", v.len()),
                format!("{len}"),
                "the model was made for another network",
            )),
            None => Ok(start),
        };
        let mut names: Vec<String> = self.expected().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let hint = "give every layer of the network a name of its own";
            return Err(Error::shape("parameters", format!("'{}' twice", pair[0]), "every name once", hint));
        }
        let mut host = Vec::new();
        let mut offsets = Vec::new();
        for e in &self.entries {
            offsets.push(host.len());
            host.extend(value(&e.name, numel(&e.shape), self.start(e))?);
            host.resize(host.len().next_multiple_of(ALIGN), 0.0);
        }
        let flat = Tensor::from_f32(gpu, &[host.len()], &host)?;
        let leaves = self.entries.iter().zip(&offsets);
        let params = leaves.map(|(e, &o)| (e.name.clone(), flat.part(o, &e.shape).leaf())).collect();
        let mut buffers = Vec::new();
        for (name, len, start) in &self.buffers {
            buffers.push((name.clone(), Tensor::from_f32(gpu, &[*len], &value(name, *len, vec![*start; *len])?)?));
        }
        Ok(Params { flat, offsets, params, buffers })
    }
}

/// The parameters and running estimates of a network, on the device. A clone shares them.
#[derive(Debug, Clone)]
pub struct Params {
    flat: Tensor,
    offsets: Vec<usize>,
    params: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
}

impl Params {
    /// A parameter or running estimate by name.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let found = self.all().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        found.ok_or_else(|| {
            let near = nearest(name, self.all().map(|(n, _)| n.as_str()));
            Error::shape(
                "parameters",
                format!("no parameter '{name}'"),
                near.map_or("one that was declared".into(), |near| format!("one that was declared, such as '{near}'")),
                "a layer is declared and made under the same name",
            )
        })
    }

    /// First element of each of [`Params::trainable`] in [`Params::flat`].
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// All of them, running estimates last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &(String, Tensor)> {
        self.params.iter().chain(&self.buffers)
    }

    /// The trainable parameters in order.
    pub fn trainable(&self) -> &[(String, Tensor)] {
        &self.params
    }

    /// Gradients of `loss` with respect to [`Params::trainable`], in that order: what
    /// [`Optimizer::step`](super::Optimizer::step) takes. `None` where the loss does not depend on a parameter.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let params: Vec<&Tensor> = self.params.iter().map(|(_, p)| p).collect();
        grad(loss, &params, None, false)
    }

    /// Number of trainable values.
    pub fn count(&self) -> usize {
        self.params.iter().map(|(_, t)| t.numel()).sum()
    }

    /// The buffer that holds all trainable parameters (with gaps).
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// Gathers gradients (in the order of [`Params::trainable`]) into `out`, which is laid out like [`Params::flat`]; zeros
    /// where a gradient is `None`.
    pub fn gather(&self, gradients: &[Option<Tensor>], out: &Tensor) -> Result<()> {
        let wrong = |found: String, expected: String| {
            Error::shape("optimizer", found, expected, "give it what Params::gradients returns, in that order")
        };
        if gradients.len() != self.params.len() {
            return Err(wrong(format!("{} gradients", gradients.len()), format!("{}", self.params.len())));
        }
        for ((g, &offset), (name, p)) in gradients.iter().zip(&self.offsets).zip(&self.params) {
            match g {
                Some(g) if g.shape() != p.shape() => {
                    let found = format!("a gradient of shape {:?} for '{name}'", g.shape());
                    return Err(wrong(found, format!("{:?}", p.shape())));
                }
                Some(g) => out.copy_from(offset, g)?,
                None => out.part(offset, p.shape()).clear(),
            }
        }
        Ok(())
    }

    /// Reads everything back: name, shape, values.
    pub fn read(&self) -> Result<Vec<NamedTensor>> {
        let pending: Vec<_> = self.all().map(|(n, t)| Ok((n, t, t.read_later()?))).collect::<Result<_>>()?;
        pending
            .into_iter()
            .map(|(n, t, read)| Ok((n.clone(), t.shape().to_vec(), bytemuck::pod_collect_to_vec(&read.wait()?))))
            .collect()
    }
}
