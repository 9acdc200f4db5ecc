//! A case of an operation: inputs, what runs on the device, and the same in f64 on the host. Everything that looks at kernels
//! ([`crate::lab`]) is made from cases.

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

type Run = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;
type Oracle = Box<dyn Fn(&[Array]) -> Array>;

/// One setting of an operation with inputs and oracle.
pub struct Case {
    /// Shapes and settings, for the table.
    pub label: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) run: Run,
    pub(crate) cpu: Oracle,
    pub(crate) differentiable: bool,
    pub(crate) tolerance: [f64; 2],
}

impl Case {
    /// `run` on the device against `cpu` in f64.
    pub fn new(
        label: impl Into<String>,
        inputs: Vec<Input>,
        run: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
        cpu: impl Fn(&[Array]) -> Array + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            inputs,
            run: Box::new(run),
            cpu: Box::new(cpu),
            differentiable: true,
            tolerance: [1e-5, 1e-5],
        }
    }

    /// No derivative is checked: the operation works in place, or the case is about values only.
    pub fn oracle_only(mut self) -> Self {
        self.differentiable = false;
        self
    }

    /// Number of its inputs.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Runs the operation once with input `i` of the other element type: ones as integers for floats, or zeros as floats for
    /// integers. It is to be an error.
    ///
    /// # Errors
    /// That of the operation.
    pub fn run_with_other_type(&self, gpu: &Gpu, i: usize) -> Result<Tensor> {
        let mut inputs: Vec<Tensor> = self.inputs.iter().map(|input| input.upload(gpu)).collect::<Result<_>>()?;
        let Input { shape, values, kind } = &self.inputs[i];
        inputs[i] = match kind {
            Kind::Index => Tensor::zeros(gpu, shape)?,
            Kind::Float | Kind::Fixed => Tensor::from_u32(gpu, shape, &vec![1; values.len()])?,
        };
        (self.run)(&inputs)
    }

    /// Another absolute and relative tolerance of the values.
    pub fn tolerance(mut self, atol: f64, rtol: f64) -> Self {
        self.tolerance = [atol, rtol];
        self
    }
}
