//! What there is to tune in kernels that go along rows and sum them: batch normalisation and pooling.

use super::{Subject, Work};
use crate::autograd::with_history;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::lab::subjects::{first_gradient, noise};
use crate::nn::config::NetworkConfig;
use crate::ops::{self, MaxPool, Norm, Plus};
use crate::tensor::Tensor;

/// What a candidate must save of the rule of thumb's time, ms a call: these kernels compile in some hundredths of a second.
const WORTH_MS: f64 = 0.3;
/// Multiply-adds that an element of these is worth: what a load costs on a software adapter.
const LOAD: f64 = 100.0;

/// An operation on `[B, C, T]`.
#[derive(Clone, Copy)]
enum Kind {
    Norm,
    NormGrad,
    Pool,
    PoolGrad,
}

/// Operations of a network along rows, each shape once; their kernels are found by running them.
pub(super) fn subjects(network: &NetworkConfig, (batch, samples): (usize, usize)) -> Vec<Subject> {
    let stem = [batch, network.stem_channels, samples.div_ceil(2)];
    let blocks = network.widths.iter().zip(network.block_lengths(samples)).map(|(&c, t)| [batch, c, t]);
    let mut all = vec![subject(Kind::Pool, stem, 1), subject(Kind::PoolGrad, stem, 1)];
    let mut norms: Vec<([usize; 3], usize)> = Vec::new();
    for dims in std::iter::once(stem).chain(blocks) {
        match norms.iter_mut().find(|(d, _)| *d == dims) {
            Some((_, count)) => *count += 1,
            None => norms.push((dims, 1)),
        }
    }
    all.extend(
        norms.into_iter().flat_map(|(dims, n)| [subject(Kind::Norm, dims, n), subject(Kind::NormGrad, dims, n)]),
    );
    all
}

fn subject(kind: Kind, dims: [usize; 3], count: usize) -> Subject {
    let passes = match kind {
        Kind::Norm => 2.0,
        Kind::NormGrad => 3.0,
        Kind::Pool | Kind::PoolGrad => 1.0,
    };
    Subject {
        family: None,
        key: None,
        weight: LOAD * passes * (count * dims.iter().product::<usize>()) as f64,
        worth_ms: WORTH_MS,
        work: Box::new(move |gpu| work(gpu, kind, dims)),
    }
}

/// The operation on noise: of everything in it but the kernel being tuned the rule of thumb's version runs.
fn work(gpu: &Gpu, kind: Kind, dims: [usize; 3]) -> Result<Work> {
    let [x, z, g] = [1, 2, 3].map(|seed| noise(gpu, &dims, seed).map(|(t, _)| t.leaf()));
    let (x, z, g) = (x?, z?, g?);
    let pool = MaxPool { kernel: 2, stride: 2, pad: 0 };
    let [w, b] = [4, 5].map(|seed| noise(gpu, &[dims[1]], seed).map(|(t, _)| t));
    let (w, b) = (w?, b?);
    let norm = move |x: &Tensor, z: &Tensor| {
        let of = |x| Norm { x, weight: &w, bias: &b, running: None };
        Ok(ops::batch_norm_relu(&of(x), &Plus::Norm(of(z)), None, 1e-5)?.0)
    };
    let gradient = |y: Tensor, x: Tensor, g: Tensor| -> Work { Box::new(move || first_gradient(&y, &[&x], &g)) };
    Ok(match kind {
        Kind::Pool => Box::new(move || ops::max_pool(&x, pool)),
        Kind::PoolGrad => {
            let y = with_history(|| ops::max_pool(&x, pool))?;
            let (g, _) = noise(gpu, y.shape(), 3)?;
            gradient(y, x, g)
        }
        Kind::Norm => Box::new(move || norm(&x, &z)),
        Kind::NormGrad => gradient(with_history(|| norm(&x, &z))?, x, g),
    })
}
