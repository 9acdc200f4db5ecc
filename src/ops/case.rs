//! A case of an operation: inputs, what runs on the device, and the same in f64 on the host. Everything that looks at kernels
//! ([`crate::lab`]) is made from cases.

use crate::autograd::with_history;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops::Array;
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An input of a case.
#[derive(Debug, Clone)]
pub struct Input {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Fixed,
    Index,
}

fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Roughly normal values: the sum of four uniforms, centred.
pub(crate) fn normals(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = generator(seed);
    (0..n).map(|_| ((0..4).map(|_| rng.random::<f32>()).sum::<f32>() - 2.0) * 1.7).collect()
}

impl Input {
    /// Random values around 0.
    pub fn normal(shape: &[usize], seed: u64) -> Self {
        Self { shape: shape.to_vec(), values: normals(numel(shape), seed), kind: Kind::Float }
    }

    /// Random values at least 0.03 apart from each other, from 0 and from 1: no kink of a maximum or of relu is near.
    pub fn spaced(shape: &[usize], seed: u64) -> Self {
        let n = numel(shape);
        let mut steps: Vec<i32> = (0..n as i32).map(|i| if i % 2 == 0 { i / 2 } else { -(i / 2) - 1 }).collect();
        let mut rng = generator(seed);
        for i in (1..n).rev() {
            steps.swap(i, rng.random_range(0..=i));
        }
        // 0.04 is no divisor of 1.02: nothing falls on 1.
        let values = steps
            .into_iter()
            .map(|s| 0.04 * s as f32 + 0.02)
            .map(|v| if (v.abs() - 1.0).abs() < 0.03 { v * 1.1 } else { v });
        Self { shape: shape.to_vec(), values: values.collect(), kind: Kind::Float }
    }

    /// Random values in 0.5 to 2.
    pub fn positive(shape: &[usize], seed: u64) -> Self {
        let mut rng = generator(seed);
        let values = (0..numel(shape)).map(|_| 0.5 + 1.5 * rng.random::<f32>()).collect();
        Self { shape: shape.to_vec(), values, kind: Kind::Float }
    }

    /// Given values that are not differentiated.
    pub fn fixed(shape: &[usize], values: Vec<f32>) -> Self {
        Self { shape: shape.to_vec(), values, kind: Kind::Fixed }
    }

    /// Integers below 2^24.. as labels and positions, or any words whose f64 value the oracle wants.
    pub fn index(shape: &[usize], values: Vec<u32>) -> Self {
        // Kept as bits; the oracle gets the number, the device the integer.
        Self { shape: shape.to_vec(), values: values.into_iter().map(f32::from_bits).collect(), kind: Kind::Index }
    }

    /// Changes each value.
    pub fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        self.values.iter_mut().for_each(|v| *v = f(*v));
        self
    }

    /// The nearest values that f16 holds.
    pub(crate) fn in_f16(self) -> Self {
        self.map(|v| half::f16::from_f32(v).to_f32())
    }

    pub(crate) fn upload(&self, gpu: &Gpu) -> Result<Tensor> {
        match self.kind {
            Kind::Index => {
                let words: Vec<u32> = self.values.iter().map(|v| v.to_bits()).collect();
                Tensor::from_u32(gpu, &self.shape, &words)
            }
            Kind::Fixed => Tensor::from_f32(gpu, &self.shape, &self.values),
            Kind::Float => Ok(Tensor::from_f32(gpu, &self.shape, &self.values)?.leaf()),
        }
    }

    pub(crate) fn array(&self) -> Array {
        let value = |v: &f32| if self.kind == Kind::Index { f64::from(v.to_bits()) } else { f64::from(*v) };
        Array::new(&self.shape, self.values.iter().map(value).collect())
    }
}

type Run = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;
type Oracle = Box<dyn Fn(&[Array]) -> Array + Send + Sync>;

/// What of a case is compared with the oracle beside its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derivatives {
    /// Nothing: the operation works in place, or the case is about values.
    None,
    /// The first derivative along a few directions, which costs two runs of the oracle each, however large the case.
    Along,
    /// Every element of the first and the second derivative.
    All,
}

/// One setting of an operation with inputs and oracle.
pub struct Case {
    /// Shapes and settings, for the table.
    pub label: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) run: Run,
    pub(crate) cpu: Oracle,
    /// Made of the inputs once, with its history, and handed to `run` behind them.
    before: Option<Run>,
    pub(crate) derivatives: Derivatives,
    pub(crate) tolerance: [f64; 2],
    /// Floating-point operations, and bytes that must be read and written at least; 0 where nobody counted.
    pub(crate) cost: [f64; 2],
}

impl Case {
    /// `run` on the device against `cpu` in f64.
    pub fn new(
        label: impl Into<String>,
        inputs: Vec<Input>,
        run: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
        cpu: impl Fn(&[Array]) -> Array + Send + Sync + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            inputs,
            run: Box::new(run),
            cpu: Box::new(cpu),
            before: None,
            derivatives: Derivatives::All,
            tolerance: [1e-5, 1e-5],
            cost: [0.0; 2],
        }
    }

    /// No derivative is checked: the operation works in place, or the case is about values only.
    pub fn oracle_only(mut self) -> Self {
        self.derivatives = Derivatives::None;
        self
    }

    /// Of the derivatives only the first is checked, along a few directions: for cases too large for every element.
    pub(crate) fn along(mut self) -> Self {
        self.derivatives = Derivatives::Along;
        self
    }

    /// `before` makes a tensor of the inputs once, with its history; `run` finds it behind them. So a backward pass is a
    /// case whose time is that of the backward pass alone.
    pub(crate) fn after(mut self, before: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// What one run costs: floating-point operations, and the bytes that must be read and written at least.
    pub(crate) fn cost(mut self, flops: f64, bytes: f64) -> Self {
        self.cost = [flops, bytes];
        self
    }

    /// The inputs on the device, as `run` takes them.
    pub(crate) fn tensors(&self, gpu: &Gpu) -> Result<Vec<Tensor>> {
        self.prepared(self.inputs.iter().map(|i| i.upload(gpu)).collect::<Result<_>>()?)
    }

    fn prepared(&self, mut all: Vec<Tensor>) -> Result<Vec<Tensor>> {
        if let Some(before) = &self.before {
            let made = with_history(|| before(&all))?;
            all.push(made);
        }
        Ok(all)
    }

    /// What the oracle gives for the inputs.
    pub(crate) fn expected(&self) -> Array {
        (self.cpu)(&self.inputs.iter().map(Input::array).collect::<Vec<_>>())
    }

    /// Number of its inputs.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Runs the operation once with input `i` of the other element type: ones as integers for floats, or zeros as floats for
    /// integers. It is to be an error.
    pub fn run_with_other_type(&self, gpu: &Gpu, i: usize) -> Result<Tensor> {
        let mut inputs: Vec<Tensor> = self.inputs.iter().map(|i| i.upload(gpu)).collect::<Result<_>>()?;
        let Input { shape, values, kind } = &self.inputs[i];
        inputs[i] = match kind {
            Kind::Index => Tensor::zeros(gpu, shape)?,
            Kind::Float | Kind::Fixed => Tensor::from_u32(gpu, shape, &vec![1; values.len()])?,
        };
        (self.run)(&self.prepared(inputs)?)
    }

    /// Another absolute tolerance of the values, for sums of many terms.
    pub(crate) fn within(mut self, atol: f64) -> Self {
        self.tolerance[0] = atol;
        self
    }

    /// Another absolute and relative tolerance of the values.
    pub fn tolerance(mut self, atol: f64, rtol: f64) -> Self {
        self.tolerance = [atol, rtol];
        self
    }
}
