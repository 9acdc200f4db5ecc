//! Families of kernels beside their operations, and launches by name. What a version's file asks for by name (parameters,
//! constants, buffers) is what the operation gives here.

use super::FAMILIES;
use crate::error::Result;
use crate::gpu::{Chosen, Gpu, Number, Plan, Sizes, Storage, Values, Version};
use crate::tensor::{DType, Tensor};
use std::sync::Arc;

/// A family of kernels: `shaders/<name>/NN_version.wgsl`.
#[derive(Debug)]
pub struct Family {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// What it computes.
    pub kernels: &'static [&'static Kernel],
    /// Entries of [`super::REGISTRY`] whose cases run it.
    pub operations: &'static [&'static str],
}

/// A kernel of a family: a formula, with what its versions may ask for.
#[derive(Debug)]
pub struct Kernel {
    /// The family.
    pub family: &'static str,
    /// Its name: the entry point's, or that of the family.
    pub name: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// Buffers by name, with shapes.
    pub operands: &'static [(&'static str, &'static str)],
    /// Integers by name, with values that a text can be compiled for.
    pub sizes: &'static [(&'static str, i64)],
    /// Floats by name, likewise.
    pub floats: &'static [(&'static str, f64)],
    /// Layouts of operands other than plain that the operation can make, as `operand=layout`.
    pub layouts: &'static [&'static str],
}

/// Whether an override constant of a version is given to it, by the launch of some kernel of its family or by its header. One that
/// is not is misspelt.
pub(crate) fn is_given(version: &Version, name: &str) -> bool {
    version.declares(name) || kernels_of(&version.family).filter(|k| version.has(k.name)).any(|k| k.gives(name))
}

/// The kernels of a family; none where there is no such family.
pub(crate) fn kernels_of(family: &str) -> impl Iterator<Item = &'static Kernel> {
    FAMILIES.iter().filter(move |f| f.name == family).flat_map(|f| f.kernels).copied()
}

impl Kernel {
    /// A kernel of a family, without floats and of plain layouts.
    pub(super) const fn of(family: &'static str) -> Self {
        Self { family, name: family, formula: "", operands: &[], sizes: &[], floats: &[], layouts: &[] }
    }

    /// Sizes for which every text can be compiled.
    pub fn sample(&self) -> Values {
        let ints = self.sizes.iter().map(|&(name, v)| (name.to_owned(), Number::Int(v)));
        ints.chain(self.floats.iter().map(|&(name, v)| (name.to_owned(), Number::Float(v)))).collect()
    }

    /// Whether its launches give a number of this name.
    fn gives(&self, name: &str) -> bool {
        self.sizes.iter().any(|(n, _)| *n == name) || self.floats.iter().any(|(n, _)| *n == name)
    }

    /// A launch for the shape that tuning tables know as `key`.
    pub(crate) fn on<'a>(&'static self, gpu: &'a Gpu, key: String) -> Call<'a> {
        Call { kernel: self, gpu, key, sizes: Sizes::default(), buffers: Vec::new(), cost: [0.0; 2], chosen: None }
    }

    /// A launch that tuning tables know by the kernel's name and these dimensions: `pooling.max_pool 16 x 5 x 2500`.
    pub(crate) fn at<'a>(&'static self, gpu: &'a Gpu, dims: &[usize]) -> Call<'a> {
        let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
        let own = if self.name == self.family { String::new() } else { format!(".{}", self.name) };
        self.on(gpu, format!("{}{own} {}", self.family, dims.join(" x ")))
    }
}

/// A launch of a kernel, described by names.
pub(crate) struct Call<'a> {
    kernel: &'static Kernel,
    gpu: &'a Gpu,
    key: String,
    sizes: Sizes,
    buffers: Vec<(&'static str, &'a Storage)>,
    cost: [f64; 2],
    chosen: Option<Chosen>,
}

impl<'a> Call<'a> {
    /// Sets integers.
    pub(crate) fn ints(mut self, all: &[(&'static str, usize)]) -> Self {
        all.iter().for_each(|&(name, v)| self.sizes.set(name, Number::Int(v as i64)));
        self
    }

    /// Sets an integer that may be negative.
    pub(crate) fn int(mut self, name: &'static str, v: i64) -> Self {
        self.sizes.set(name, Number::Int(v));
        self
    }

    /// Sets a float.
    pub(crate) fn float(mut self, name: &'static str, v: f32) -> Self {
        self.sizes.set(name, Number::Float(f64::from(v)));
        self
    }

    /// Sets 0 or 1.
    pub(crate) fn flag(self, name: &'static str, on: bool) -> Self {
        self.int(name, on.into())
    }

    /// Gives a buffer.
    pub(crate) fn bind(mut self, name: &'static str, tensor: &'a Tensor) -> Self {
        self.buffers.push((name, tensor.storage()));
        self
    }

    /// Says what the launch is worth: floating-point operations, and bytes that must be moved at least.
    pub(crate) fn cost(mut self, flops: f64, bytes: f64) -> Self {
        self.cost = [flops, bytes];
        self
    }

    /// Runs this version, which was chosen before.
    pub(crate) fn with(mut self, chosen: Chosen) -> Self {
        self.chosen = Some(chosen);
        self
    }

    /// The version that runs for these sizes, of those whose layouts `can` make.
    pub(crate) fn choose(&self, can: &dyn Fn(&Version) -> bool) -> Result<Chosen> {
        self.gpu.chosen((self.kernel.family, self.kernel.name), &self.key, can, &self.sizes)
    }

    /// Integers of the chosen version's header, of those that depend on what is known so far.
    pub(crate) fn numbers<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N]> {
        let chosen = self.version()?;
        let values = self.gpu.resolved(&chosen, &self.sizes)?;
        let mut all = [0; N];
        for (number, name) in all.iter_mut().zip(names) {
            *number = chosen.version.int(name, &values)?;
        }
        Ok(all)
    }

    fn version(&self) -> Result<Chosen> {
        match &self.chosen {
            Some(chosen) => Ok(chosen.clone()),
            None => self.choose(&|v| v.layouts.is_empty()),
        }
    }

    /// What runs, with the numbers of its header.
    pub(crate) fn plan(&self) -> Result<Arc<Plan>> {
        let chosen = self.version()?;
        self.gpu.plan(self.kernel.name, &chosen, &self.sizes, &|name| is_given(&chosen.version, name))
    }

    /// Records the launch.
    pub(crate) fn run(self) -> Result<()> {
        let plan = self.plan()?;
        let scratch =
            plan.scratch.iter().map(|(_, n)| Tensor::empty(self.gpu, &[*n], DType::F32)).collect::<Result<Vec<_>>>()?;
        let mut buffers: Vec<(&str, &Storage)> = self.buffers.clone();
        buffers.extend(plan.scratch.iter().zip(&scratch).map(|((name, _), tensor)| (name.as_str(), tensor.storage())));
        self.gpu.run_plan(&plan, &buffers, &self.key, self.cost)
    }
}
