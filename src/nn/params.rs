//! Parameters of a network: named leaves that lie in one flat buffer, so that the
//! optimiser updates all of them in one launch.

use super::layers::Mode;
use super::parameter::{Parameter, matches};
use crate::autograd::grad;
use crate::error::{Error, Result, nearest};
use crate::gpu::{Gpu, hash_of};
use crate::ops::DropoutState;
use crate::ops::adam::BLOCK;
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A named tensor on the host: name, shape, values.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Parts of the flat buffer start at multiples of this many elements (256 bytes, what a binding's offset needs).
const ALIGN: usize = BLOCK;

/// Starting value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `+-1 / sqrt(fan_in)`.
    FanIn(usize),
    /// Normal around 0 with this standard deviation.
    Normal(f32),
    /// One value everywhere.
    Value(f32),
}

/// Collects names, shapes and starting values before anything is on the device, and hands out layers of them: a layer is
/// declared once, and has its tensors as soon as [`ParamBuilder::init`] has run. A module of one's own is a struct of layers
/// that takes them from a builder.
///
/// ```
/// use exgnet::prelude::*;
///
/// struct Block {
///     conv: Conv1d,
///     bn: BatchNorm,
/// }
///
/// impl Block {
///     fn new(p: &mut ParamBuilder, c_in: usize, c_out: usize) -> Self {
///         let options = ConvOptions { dilation: 2, bias: false, ..ConvOptions::default() };
///         Self { conv: p.conv1d("conv", c_in, c_out, 5, options), bn: p.batch_norm("bn", c_out) }
///     }
///
///     fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
///         self.bn.relu(&self.conv.forward(x)?, Added::Nothing, mode, None)
///     }
/// }
///
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1); // the seed of the starting values
/// let blocks = [(1, 8), (8, 16)].map(|(i, o)| p.scope(format!("blocks.{i}"), |p| Block::new(p, i, o)));
/// let head = p.linear("head", 16, 3);
/// let params = p.init(&gpu)?;
///
/// let mut x = Tensor::zeros(&gpu, &[4, 1, 32])?;
/// for block in &blocks {
///     x = block.forward(&x, &Mode::EVAL)?;
/// }
/// assert_eq!(head.forward(&ops::global_avg_pool(&x)?)?.shape(), [4, 3]);
/// assert!(params.get("blocks.8.conv.weight").is_ok());
/// # Ok::<(), Error>(())
/// ```
pub struct ParamBuilder {
    seed: u64,
    prefix: String,
    entries: Vec<Entry>,
    buffers: Vec<(String, usize, f32)>,
    slots: Vec<Parameter>,
    sites: Vec<u32>,
    fault: Option<Error>,
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    init: Init,
}

impl ParamBuilder {
    /// Starting values from `seed`.
    pub fn new(seed: u64) -> Self {
        let prefix = String::new();
        let (entries, buffers, slots, sites) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { seed, prefix, entries, buffers, slots, sites, fault: None }
    }

    /// Declares what `f` does under names that begin with `name.`; scopes nest.
    pub fn scope<T>(&mut self, name: impl Display, f: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.len();
        self.prefix.push_str(&format!("{name}."));
        let made = f(self);
        self.prefix.truncate(outer);
        made
    }

    /// Adds a trainable parameter.
    pub fn param(&mut self, name: impl Into<String>, shape: &[usize], init: Init) {
        let name = self.full(&name.into());
        self.entries.push(Entry { name, shape: shape.to_vec(), init });
    }

    /// Adds a vector that is saved but not trained (a running estimate).
    pub fn buffer(&mut self, name: impl Into<String>, len: usize, value: f32) {
        let name = self.full(&name.into());
        self.buffers.push((name, len, value));
    }

    /// Adds a trainable parameter for a layer of one's own, which keeps what is returned.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Parameter {
        self.param(name, shape, init);
        self.slot(name)
    }

    /// Adds a running estimate for a layer of one's own, which keeps what is returned.
    pub fn estimate(&mut self, name: &str, len: usize, value: f32) -> Parameter {
        self.buffer(name, len, value);
        self.slot(name)
    }

    /// What was declared as `name`, for a layer that is filled when everything is built.
    pub(super) fn slot(&mut self, name: &str) -> Parameter {
        let slot = Parameter::declared(self.full(name));
        self.slots.push(slot.clone());
        slot
    }

    /// A place for dropout of its own, by the name alone where no other has it.
    pub(super) fn site(&mut self, name: &str) -> u32 {
        let mut site = hash_of(&self.full(name)) as u32;
        while self.sites.contains(&site) {
            site = site.wrapping_add(1);
        }
        self.sites.push(site);
        site
    }

    /// An error that [`ParamBuilder::init`] returns, so that declaring layers reads without one.
    pub(super) fn fault(&mut self, fault: Error) {
        self.fault.get_or_insert(fault);
    }

    pub(super) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn start(&self, entry: &Entry) -> Vec<f32> {
        let n = numel(&entry.shape);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // by the name alone: adding a part to a network leaves the starting values of the rest as they were
        rng.set_stream(hash_of(&entry.name));
        match entry.init {
            Init::Value(v) => vec![v; n],
            Init::Normal(sd) => {
                let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
                (0..n).map(|_| sd * normal()).collect()
            }
            Init::FanIn(fan_in) => {
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

    /// Puts everything on the device with its starting values; the layers that were handed out have their tensors now.
    ///
    /// # Errors
    /// [`Error::Shape`] for a name that was declared twice, and for options that a layer cannot have; [`Error::Gpu`].
    pub fn init(self, gpu: &Gpu) -> Result<Params> {
        self.build(gpu, &BTreeMap::new())
    }

    /// Puts everything on the device, with `values` (by name) instead of the starting values where given.
    ///
    /// # Errors
    /// As [`ParamBuilder::init`]; [`Error::Shape`] for a value of another size.
    pub fn build(mut self, gpu: &Gpu, values: &BTreeMap<String, Vec<f32>>) -> Result<Params> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let value = |name: &str, len: usize, start: &dyn Fn() -> Vec<f32>| match values.get(name) {
            Some(v) if v.len() == len => Ok(v.clone()),
            Some(v) => Err(Error::shape(
                "parameters",
                format!("{} values for '{name}'", v.len()),
                format!("{len}"),
                "the model was made for another network",
            )),
            None => Ok(start()),
        };
        let mut names: Vec<String> = self.expected().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let hint = "give every layer of the network a name of its own";
            return Err(Error::shape("parameters", format!("'{}' twice", pair[0]), "every name once", hint));
        }
        if let Some((name, shape)) = self.expected().into_iter().find(|(_, shape)| numel(shape) == 0) {
            let (found, hint) = (format!("'{name}' of shape {shape:?}"), "a layer has at least one channel");
            return Err(Error::shape("parameters", found, "at least one value", hint));
        }
        let mut host = Vec::new();
        let mut offsets = Vec::new();
        for e in &self.entries {
            offsets.push(host.len());
            host.extend(value(&e.name, numel(&e.shape), &|| self.start(e))?);
            host.resize(host.len().next_multiple_of(ALIGN), 0.0);
        }
        let flat = Tensor::from_f32(gpu, &[host.len()], &host)?;
        let leaves = self.entries.iter().zip(&offsets);
        let params: Vec<_> = leaves.map(|(e, &o)| (e.name.clone(), flat.part(o, &e.shape).leaf())).collect();
        let mut buffers = Vec::new();
        for (name, len, start) in &self.buffers {
            buffers.push((name.clone(), Tensor::from_f32(gpu, &[*len], &value(name, *len, &|| vec![*start; *len])?)?));
        }
        let dropout = match self.sites.is_empty() {
            true => None,
            false => Some((self.seed, DropoutState::new(gpu, self.seed)?)),
        };
        let frozen = self.entries.iter().map(|_| AtomicBool::new(false)).collect();
        let params = Params { flat, offsets, params, buffers, frozen, dropout };
        self.slots.iter().try_for_each(|slot| slot.fill(&params))?;
        Ok(params)
    }
}

/// The parameters and running estimates of a network, on the device. A clone shares them.
#[derive(Debug, Clone)]
pub struct Params {
    flat: Tensor,
    offsets: Vec<usize>,
    params: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
    frozen: Arc<[AtomicBool]>,
    /// Seed and state of the [`Dropout`](super::Dropout) layers, where there are some.
    dropout: Option<(u64, DropoutState)>,
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

    /// The trainable parameters in order.
    pub fn trainable(&self) -> &[(String, Tensor)] {
        &self.params
    }

    /// Gradients of `loss` with respect to [`Params::trainable`], in that order: what
    /// [`Optimizer::step`](super::Optimizer::step) takes. `None` where the loss does not depend on a parameter, and where one
    /// is [frozen](Params::freeze).
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let free: Vec<usize> = (0..self.params.len()).filter(|&i| !self.is_frozen(i)).collect();
        let wrt: Vec<&Tensor> = free.iter().map(|&i| &self.params[i].1).collect();
        let mut all = vec![None; self.params.len()];
        free.iter().zip(grad(loss, &wrt, None, false)?).for_each(|(&i, g)| all[i] = g);
        Ok(all)
    }

    /// Which of [`Params::trainable`] have a name of a pattern, in which each `*` stands for any characters: `blocks.*.bn.*`.
    ///
    /// # Errors
    /// [`Error::Shape`] where none has.
    pub fn matching(&self, pattern: &str) -> Result<Vec<usize>> {
        let found: Vec<usize> = (0..self.params.len()).filter(|&i| matches(pattern, &self.params[i].0)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let near = nearest(pattern, self.params.iter().map(|(n, _)| n.as_str()));
        Err(Error::shape(
            "parameters",
            format!("no trainable parameter of the pattern '{pattern}'"),
            near.map_or("one that was declared".into(), |near| format!("one that was declared, such as '{near}'")),
            "* stands for any characters: 'head.*' is all of the layer 'head'",
        ))
    }

    /// Keeps the parameters of a pattern ([`Params::matching`]) as they are from here on: they get no gradients, and an
    /// optimiser leaves them and their moments alone. BatchNorm's running estimates are not parameters: run the frozen part
    /// with [`Mode::EVAL`] to keep those too. Holds for all clones.
    pub fn freeze(&self, pattern: &str) -> Result<()> {
        self.set_frozen(pattern, true)
    }

    /// Takes [`Params::freeze`] back.
    pub fn unfreeze(&self, pattern: &str) -> Result<()> {
        self.set_frozen(pattern, false)
    }

    fn set_frozen(&self, pattern: &str, frozen: bool) -> Result<()> {
        self.matching(pattern)?.into_iter().for_each(|i| self.frozen[i].store(frozen, Ordering::Relaxed));
        Ok(())
    }

    /// Whether the `i`th of [`Params::trainable`] is frozen.
    pub(crate) fn is_frozen(&self, i: usize) -> bool {
        self.frozen[i].load(Ordering::Relaxed)
    }

    /// Training, with the [`Dropout`](super::Dropout) layers on: batch statistics, and numbers that belong to `batch` and to the
    /// builder's seed. Give every batch a number of its own (the optimiser's steps, the loader's batches): a training that is
    /// resumed with the same number draws the same. Replaces what earlier modes draw, so take gradients before the next one.
    pub fn train_mode(&self, batch: u32) -> Result<Mode<'_>> {
        match &self.dropout {
            Some((seed, state)) => {
                state.set(*seed, batch)?;
                Ok(Mode::train(state))
            }
            None => Ok(Mode::TRAIN),
        }
    }

    /// Replaces the values of a parameter or running estimate, in place.
    pub fn set(&self, name: &str, values: &[f32]) -> Result<()> {
        let tensor = self.get(name)?;
        if values.len() != tensor.numel() {
            let found = format!("{} values for '{name}'", values.len());
            let expected = format!("{} for shape {:?}", tensor.numel(), tensor.shape());
            return Err(Error::shape("parameters", found, expected, "values are in row-major order"));
        }
        tensor.overwrite(values)
    }

    /// Everything, parameters before running estimates.
    pub(crate) fn all(&self) -> impl Iterator<Item = &(String, Tensor)> {
        self.params.iter().chain(&self.buffers)
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
