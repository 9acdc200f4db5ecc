//! Blocks for evaluation, each one convolution: running estimates are constants, so BatchNorm scales the weights before it
//! and adds a bias, and a shortcut, which reads one sample for each position, is a tap more in the middle of a kernel:
//! ```text
//! max(0, gain (w * x) + shift + gain' (w' * x) + shift') = max(0, (gain w + gain' w' at the middle tap) * x + shift + shift')
//! ```
//! The same function with fewer passes (values differ by rounding); training keeps its parts apart.

use super::layers::{Added, BatchNorm, Convs, Mode};
use crate::autograd::no_grad;
use crate::error::Result;
use crate::ops::{self, ConvInput};
use crate::tensor::Tensor;

/// Convolutions with all that follows them folded in.
#[derive(Debug, Clone)]
pub(super) struct Folded {
    convs: Convs,
    bias: Tensor,
    /// What a recording of the folding reads each time, and nobody writes again.
    _identity: Option<Tensor>,
}

/// What a block adds before its ReLU.
#[derive(Clone, Copy)]
pub(super) enum Shortcut<'a> {
    /// Nothing.
    Nothing,
    /// Its input.
    Identity,
    /// Convolutions of one tap, and their normalisation.
    Conv(&'a Convs, &'a BatchNorm),
}

/// Convolutions, their normalisation and a ReLU: one pass where they are folded.
#[derive(Debug, Clone)]
pub(super) struct ConvNorm {
    convs: Convs,
    bn: BatchNorm,
    folded: Option<Folded>,
}

impl ConvNorm {
    pub(super) fn new(convs: Convs, bn: BatchNorm) -> Self {
        Self { convs, bn, folded: None }
    }

    pub(super) fn forward(&self, x: &ConvInput<'_>, mode: &Mode<'_>) -> Result<Tensor> {
        match self.folded.as_ref().filter(|_| !mode.batch_stats) {
            Some(folded) => folded.forward(x),
            None => self.bn.relu(&self.convs.forward(x, mode)?, Added::Nothing, mode, None),
        }
    }

    /// Folds it, from parameters and running estimates as they are now.
    pub(super) fn fold(&mut self) -> Result<()> {
        self.folded = Folded::new(&self.convs, &self.bn, Shortcut::Nothing)?;
        Ok(())
    }
}

impl Folded {
    /// Folds `max(0, bn(convs) + shortcut)`; `None` where a kernel has no tap in the middle for the shortcut.
    pub(super) fn new(convs: &Convs, bn: &BatchNorm, shortcut: Shortcut<'_>) -> Result<Option<Self>> {
        no_grad(|| Self::of(convs, bn.gain_and_shift()?, shortcut))
    }

    /// `max(0, bn(convs))` where the convolutions give the normalisation's channels from `first` on, others the rest.
    pub(super) fn part(convs: &Convs, bn: &BatchNorm, first: usize) -> Result<Option<Self>> {
        no_grad(|| {
            let (gain, shift) = bn.gain_and_shift()?;
            let end = first + convs.weights.iter().map(|w| w.dim(0)).sum::<usize>();
            let own = |t: &Tensor| ops::slice(t, 0, first, end);
            Self::of(convs, (own(&gain)?, own(&shift)?), Shortcut::Nothing)
        })
    }

    fn of(convs: &Convs, (gain, mut bias): (Tensor, Tensor), shortcut: Shortcut<'_>) -> Result<Option<Self>> {
        let middle = convs.spec.branches.iter().map(|b| {
            let fits = matches!(shortcut, Shortcut::Nothing) || b.pad_left.is_multiple_of(b.dilation);
            fits.then_some(b.pad_left / b.dilation)
        });
        let Some(middle) = middle.collect::<Option<Vec<usize>>>() else { return Ok(None) };
        let channels = gain.numel();
        let scaled = |w: &Tensor, gain: &Tensor| ops::mul(w, &ops::reshape(gain, &[gain.numel(), 1, 1])?);
        let mut identity = None;
        let added = match shortcut {
            Shortcut::Nothing => None,
            Shortcut::Identity => Some(identity.insert(unchanged(&gain)?).clone()),
            Shortcut::Conv(conv, bn) => {
                let (gain, shift) = bn.gain_and_shift()?;
                bias = ops::add(&bias, &shift)?;
                Some(scaled(&conv.weights[0], &gain)?)
            }
        };
        let (mut weights, mut first) = (Vec::new(), 0);
        for (w, &middle) in convs.weights.iter().zip(&middle) {
            let end = first + w.dim(0);
            let mut folded = scaled(w, &ops::slice(&gain, 0, first, end)?)?;
            if let Some(added) = &added {
                let tap = ops::slice(added, 0, first, end)?;
                folded = ops::add(&folded, &ops::pad(&tap, 2, middle, w.dim(2) - 1 - middle)?)?;
            }
            weights.push(folded.leaf());
            first = end;
        }
        debug_assert_eq!(first, channels);
        Ok(Some(Self { convs: Convs { spec: convs.spec.clone(), weights }, bias: bias.leaf(), _identity: identity }))
    }

    pub(super) fn forward(&self, x: &ConvInput<'_>) -> Result<Tensor> {
        x.branches_relu(&self.convs.weights.iter().collect::<Vec<_>>(), &self.bias, &self.convs.spec)
    }
}

/// The weight `[C, C, 1]` that leaves a signal as it is; `like` has C values.
fn unchanged(like: &Tensor) -> Result<Tensor> {
    let c = like.numel();
    let mut values = vec![0.0; c * c];
    values.iter_mut().step_by(c + 1).for_each(|v| *v = 1.0);
    Tensor::from_f32(like.gpu(), &[c, c, 1], &values)
}
