//! Backward rules that several operations share.

use super::{Forward, Op, Saved, apply, reshape};
use crate::autograd;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};

/// An operation that is linear in its first input; what others it has are integers.
struct Linear<F, G> {
    name: &'static str,
    forward: F,
    /// The gradient of the first input, from that of the output and the inputs.
    backward: G,
}

impl<F, G> Op for Linear<F, G>
where
    F: Fn(&[&Tensor]) -> Result<Tensor> + Send + Sync,
    G: Fn(&Tensor, &[Tensor]) -> Result<Tensor> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn takes(&self, i: usize) -> Option<DType> {
        first_floats(i)
    }

    fn forward(&self, _: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        Ok((self.forward)(inputs)?.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let mut all = vec![None; s.inputs.len()];
        all[0] = Some((self.backward)(grad, s.inputs)?);
        Ok(all)
    }
}

/// Element types of floats with integers behind them.
pub(super) fn first_floats(i: usize) -> Option<DType> {
    Some(if i == 0 { DType::F32 } else { DType::U32 })
}

/// Runs an operation that is linear in its first input, by its rule and that of its gradient (from the output's, and the
/// inputs); inputs behind the first are integers.
pub(super) fn linear(
    name: &'static str,
    inputs: &[&Tensor],
    forward: impl Fn(&[&Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    backward: impl Fn(&Tensor, &[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    apply(Linear { name, forward, backward }, inputs)
}

/// Backward rule of a fused operation by way of its definition in simple
/// operations: `composed` is differentiated instead.
///
/// The inputs are renamed first, so that a path from one input to another (a
/// gradient that itself depends on `x`, say) is not counted twice.
pub(crate) fn backward_of_composed(
    saved: &Saved<'_>,
    grad: &Tensor,
    composed: impl FnOnce(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Option<Tensor>>> {
    let create_graph = autograd::recording();
    let renamed: Vec<Tensor> = if create_graph {
        saved.inputs.iter().map(|t| reshape(t, t.shape())).collect::<Result<_>>()?
    } else {
        saved.inputs.iter().map(Tensor::leaf).collect()
    };
    // The definition's own history is needed even where that of the result is not.
    let out = autograd::with_history(|| composed(&renamed))?;
    let wanted: Vec<usize> = (0..renamed.len()).filter(|&i| saved.needs[i]).collect();
    let wrt: Vec<&Tensor> = wanted.iter().map(|&i| &renamed[i]).collect();
    let grads = autograd::grad(&out, &wrt, Some(grad), create_graph)?;
    let mut all = vec![None; renamed.len()];
    for (i, g) in wanted.into_iter().zip(grads) {
        all[i] = g;
    }
    Ok(all)
}
