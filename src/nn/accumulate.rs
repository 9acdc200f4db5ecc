//! Gradients of several batches as those of one.

use super::params::Params;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::ops::{add, scale};
use crate::tensor::Tensor;

/// The weighted mean of the gradients of several batches, for one step of the optimiser: that of a batch which would not fit.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let mut p = ParamBuilder::new(1);
/// let out = p.linear("out", 1, 1);
/// let params = p.init(&gpu)?;
/// let mut adam = Optimizer::new(&params, Hyper::default())?;
/// let gradients = |x: &[f32]| {
///     let y = out.forward(&Tensor::from_f32(&gpu, &[x.len(), 1], x)?)?;
///     params.gradients(&ops::mean(&ops::square(&y)?, &[0, 1])?)
/// };
///
/// let mut sum = Accumulator::new(&params);
/// for x in [&[1., 2.][..], &[3.][..]] {
///     sum.add(&gradients(x)?, x.len() as f64)?; // a mean over n records
/// }
/// let mean = sum.take()?;
/// let whole = gradients(&[1., 2., 3.])?;
/// for (a, b) in mean.iter().flatten().zip(whole.iter().flatten()) {
///     assert!((a.item()? - b.item()?).abs() < 1e-4);
/// }
/// adam.step(&params, &mean, 1e-3)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Accumulator {
    sums: Vec<Option<Tensor>>,
    weight: f64,
}

impl Accumulator {
    /// Without a batch so far.
    pub fn new(params: &Params) -> Self {
        Self { sums: vec![None; params.trainable().len()], weight: 0.0 }
    }

    /// Adds the gradients of a batch ([`Params::gradients`]) whose loss is a mean over `weight` records. A parameter without a
    /// gradient adds nothing; one that has none in any batch has none in the mean.
    pub fn add(&mut self, gradients: &[Option<Tensor>], weight: f64) -> Result<()> {
        if gradients.len() != self.sums.len() {
            return Err(Error::shape(
                "accumulator",
                format!("{} gradients", gradients.len()),
                format!("{}", self.sums.len()),
                "give it what Params::gradients returns, in that order",
            ));
        }
        if !(weight > 0.0 && weight.is_finite()) {
            let hint = "the weight is the number of records of the batch";
            return Err(Error::shape("accumulator", format!("weight {weight}"), "a finite number above 0", hint));
        }
        no_grad(|| {
            let sum = |(sum, g): (&Option<Tensor>, &Option<Tensor>)| match (sum, g) {
                (_, None) => Ok(sum.clone()),
                (None, Some(g)) => scale(g, weight as f32).map(Some),
                (Some(sum), Some(g)) => add(sum, &scale(g, weight as f32)?).map(Some),
            };
            self.sums = self.sums.iter().zip(gradients).map(sum).collect::<Result<_>>()?;
            self.weight += weight;
            Ok(())
        })
    }

    /// The mean, for [`Optimizer::step`](super::Optimizer::step); the next batch begins a new one.
    pub fn take(&mut self) -> Result<Vec<Option<Tensor>>> {
        if self.weight == 0.0 {
            let hint = "add the gradients of at least one batch before each step";
            return Err(Error::shape("accumulator", "no gradients", "those of a batch or more", hint));
        }
        let share = (1.0 / std::mem::take(&mut self.weight)) as f32;
        let sums = self.sums.iter_mut().map(Option::take);
        no_grad(|| sums.map(|sum| sum.map(|sum| scale(&sum, share)).transpose()).collect())
    }
}
