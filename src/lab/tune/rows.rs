//! What there is to tune in kernels that go along rows and sum them: batch normalisation and pooling.

use super::{Task, Work};
use crate::autograd::with_history;
use crate::error::Result;
use crate::gpu::{Choice, Gpu, Variant};
use crate::lab::subjects::{first_gradient, noise};
use crate::nn::config::NetworkConfig;
use crate::ops::{self, MaxPool, Norm, Plus, groups};
use crate::tensor::Tensor;
use std::collections::BTreeSet;

/// What a candidate must save of the rule of thumb's time, ms a call: these kernels compile in some hundredths of a second.
const WORTH_MS: f64 = 0.3;

/// Kernels of a network along rows, each shape once.
pub(super) fn tasks(gpu: &Gpu, network: &NetworkConfig, (batch, samples): (usize, usize)) -> Vec<Task> {
    let stem = [batch, network.stem_channels, samples.div_ceil(2)];
    let blocks = network.widths.iter().zip(network.block_lengths(samples)).map(|(&c, t)| [batch, c, t]);
    let norms: BTreeSet<[usize; 3]> = std::iter::once(stem).chain(blocks).collect();
    let pools = groups::POOLS.map(|kernel| (kernel, stem));
    let norms = norms.into_iter().flat_map(|dims| groups::NORMS.map(|kernel| (kernel, dims)));
    pools.into_iter().chain(norms).map(|(kernel, dims)| task(gpu, kernel, dims)).collect()
}

fn task(gpu: &Gpu, kernel: &'static str, dims: [usize; 3]) -> Task {
    Task {
        key: groups::key(kernel, dims),
        usual: groups::usual(gpu),
        candidates: candidates(gpu, groups::SUMS.contains(&kernel)),
        worth_ms: WORTH_MS,
        work: Box::new(move |gpu| work(gpu, kernel, dims)),
    }
}

fn candidates(gpu: &Gpu, sums: bool) -> Vec<Choice> {
    let mut all: Vec<Choice> = [Variant::Plain, Variant::Tile, Variant::Wide].map(|v| Choice::usual(v.name())).to_vec();
    let mut with = |variant, settings: &[(&str, usize)]| {
        let settings = settings.iter().map(|(name, v)| ((*name).to_owned(), *v as i64)).collect();
        all.push(Choice { version: Variant::name(variant).to_owned(), settings });
    };
    let usual = groups::usual(gpu);
    if sums {
        [16, 32, 128, 256, 1024].into_iter().for_each(|n| with(usual, &[("groups", n)]));
        return all;
    }
    let mut all_of = |pairs: &[(usize, usize)]| {
        pairs.iter().for_each(|&(width, span)| with(usual, &[("width", width), ("span", span)]));
    };
    if usual == Variant::Tile {
        all_of(&[(8, 128), (8, 2048), (16, 512), (32, 1024)]);
    } else {
        all_of(&[(64, 64), (64, 1024), (128, 512), (256, 256), (256, 1024)]);
    }
    all
}

/// The operation that a kernel is part of: of everything else in it the rule of thumb's version runs.
fn work(gpu: &Gpu, kernel: &str, dims: [usize; 3]) -> Result<Work> {
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
    Ok(match kernel {
        "max_pool" => Box::new(move || ops::max_pool(&x, pool)),
        "max_pool_scatter" => {
            let y = with_history(|| ops::max_pool(&x, pool))?;
            let (g, _) = noise(gpu, y.shape(), 3)?;
            gradient(y, x, g)
        }
        "batch_norm" | "batch_norm_stats" => Box::new(move || norm(&x, &z)),
        _ => gradient(with_history(|| norm(&x, &z))?, x, g),
    })
}
