//! What there is to tune in convolutions.

use super::{Task, Work};
use crate::error::Result;
use crate::gpu::{Choice, Gpu, Variant};
use crate::lab::subjects::noise;
use crate::nn::config::{BlockKind, NetworkConfig, branch_channels};
use crate::ops::{self, Branch, ConvSpec, Numbers, Pass};
use std::collections::BTreeSet;

/// What a candidate must save of the rule of thumb's time, ms a call: the rule's kernels serve many shapes, and a further one
/// costs up to three seconds to compile, and half a second when it is found compiled.
const WORTH_MS: f64 = 2.0;
/// Multiply-adds of an unrolled body that no instruction cache holds.
const LONGEST_BODY: usize = 3200;

/// One shape to tune: a convolution, or the branches of a block together.
struct Shape {
    spec: ConvSpec,
    /// `[C_out, C_in, K]` of each branch.
    weights: Vec<[usize; 3]>,
    batch: usize,
    len: usize,
}

/// Convolutions of a network, each shape once, in their three passes.
pub(super) fn tasks(gpu: &Gpu, network: &NetworkConfig, (batch, samples): (usize, usize)) -> Vec<Task> {
    let task = |(pass, shape): (Pass, Shape)| {
        let weights: Vec<&[usize]> = shape.weights.iter().map(<[usize; 3]>::as_slice).collect();
        Task {
            key: shape.key(pass),
            usual: shape.spec.usual(gpu, pass, &weights)[0],
            candidates: shape.candidates(gpu, pass),
            worth_ms: WORTH_MS,
            work: Box::new(move |gpu| shape.work(gpu, pass)),
        }
    };
    shapes(network, batch, samples).into_iter().map(task).collect()
}

/// Shapes of a network, each once.
fn shapes(network: &NetworkConfig, batch: usize, samples: usize) -> Vec<(Pass, Shape)> {
    let single = |w: [usize; 3], stride: usize, dilation: usize, len: usize| Shape {
        spec: ConvSpec::single(stride, 1, Branch::same(w[2], dilation)),
        weights: vec![w],
        batch,
        len,
    };
    let mut all = vec![
        (Pass::Forward, single([network.stem_channels, 1, network.stem_kernel], 2, 1, samples)),
        (Pass::WeightGrad, single([network.stem_channels, 1, network.stem_kernel], 2, 1, samples)),
    ];
    let mut len = samples.div_ceil(2) / 2;
    for ((c_in, width, stride), out_len) in network.blocks().zip(network.block_lengths(samples)) {
        let (kernels, dilations) = (network.branch_kernels(), network.branch_dilations());
        let (mut from, mut branches) = ((c_in, len, stride), Vec::new());
        for (j, out) in branch_channels(width).into_iter().enumerate() {
            let weight = [out, from.0, kernels[j]];
            for pass in [Pass::Forward, Pass::WeightGrad] {
                all.push((pass, single(weight, from.2, dilations[j], from.1)));
            }
            branches.push((weight, Branch::same(kernels[j], dilations[j])));
            if network.kind == BlockKind::Cascade {
                all.push((Pass::InputGrad, single(weight, from.2, dilations[j], from.1)));
                from = (out, out_len, 1);
            }
        }
        if network.kind == BlockKind::Parallel {
            let spec =
                ConvSpec { stride, groups: 1, branches: branches.iter().map(|b| b.1).collect(), numbers: Numbers::F32 };
            let weights = branches.iter().map(|b| b.0).collect();
            all.push((Pass::InputGrad, Shape { spec, weights, batch, len }));
        }
        if c_in != width || stride != 1 {
            all.extend(Pass::ALL.map(|pass| (pass, single([width, c_in, 1], stride, 1, len))));
        }
        len = out_len;
    }
    let mut seen = BTreeSet::new();
    all.retain(|(pass, s)| seen.insert(s.key(*pass)));
    all
}

impl Shape {
    fn key(&self, pass: Pass) -> String {
        let weights: Vec<&[usize]> = self.weights.iter().map(<[usize; 3]>::as_slice).collect();
        self.spec.keys(pass, &weights).swap_remove(0)
    }

    /// Longest window of the pass: the taps that a tile unrolls.
    fn taps(&self) -> usize {
        let longest = self.weights.iter().map(|w| w[2]).max().unwrap_or(1);
        longest.div_ceil(self.spec.stride)
    }

    fn candidates(&self, gpu: &Gpu, pass: Pass) -> Vec<Choice> {
        let mut all: Vec<Choice> = Vec::new();
        all.extend([Variant::Plain, Variant::Wide].map(|v| Choice::usual(v.name())));
        if gpu.tile_lanes().is_none() {
            return all;
        }
        all.push(Choice::usual("tile"));
        let mut with = |variant, names: &[&str], values: &[usize]| {
            let settings = names.iter().map(|n| (*n).to_owned()).zip(values.iter().map(|&v| v as i64)).collect();
            all.push(Choice { version: Variant::name(variant).to_owned(), settings });
        };
        let mut tile = |names: &[&str], values: &[usize]| with(Variant::Tile, names, values);
        let taps = self.taps();
        if pass == Pass::WeightGrad {
            for [va, ub, p, mv, mj] in [
                [1, 4, 8, 1, 8],
                [2, 4, 8, 2, 4],
                [2, 8, 12, 2, 3],
                [4, 8, 8, 2, 4],
                [8, 16, 4, 4, 1],
                [4, 16, 8, 4, 1],
            ] {
                if va * ub * taps * p <= LONGEST_BODY {
                    for swap in [0, 1] {
                        tile(&["va", "ub", "p", "mv", "mj", "swap"], &[va, ub, p, mv, mj, swap]);
                    }
                }
            }
        } else {
            for [oc, p, mo, mq, du] in [
                [5, 16, 5, 2, 1],
                [4, 16, 4, 2, 1],
                [6, 12, 6, 2, 1],
                [8, 24, 2, 4, 1],
                [8, 16, 4, 2, 1],
                [10, 20, 5, 2, 1],
                [16, 16, 4, 2, 1],
                [32, 8, 4, 2, 4],
            ] {
                if oc * p * du * taps <= LONGEST_BODY {
                    tile(&["oc", "p", "mo", "mq", "du"], &[oc, p, mo, mq, du]);
                }
            }
            if taps >= 4 {
                with(Variant::Fast, &[], &[]);
                for [oc, p, mo, mq] in [[8, 24, 2, 4], [12, 16, 4, 2], [16, 16, 4, 2]] {
                    with(Variant::Fast, &["oc", "p", "mo", "mq"], &[oc, p, mo, mq]);
                }
            }
        }
        all
    }

    fn work(&self, gpu: &Gpu, pass: Pass) -> Result<Work> {
        let c_in = self.weights[0][1];
        let t = (self.len - 1) / self.spec.stride + 1;
        let out = self.weights.iter().map(|w| w[0]).sum();
        let (x, _) = noise(gpu, &[self.batch, c_in, self.len], 1)?;
        let (g, _) = noise(gpu, &[self.batch, out, t], 2)?;
        let weights = self.weights.iter().map(|w| Ok(noise(gpu, w, 3)?.0)).collect::<Result<Vec<_>>>()?;
        let (spec, len, weight) = (self.spec.clone(), self.len, self.weights[0]);
        Ok(match pass {
            Pass::Forward => Box::new(move || ops::branches(&x, &weights.iter().collect::<Vec<_>>(), &spec)),
            Pass::InputGrad => {
                Box::new(move || ops::branches_input_grad(&g, &weights.iter().collect::<Vec<_>>(), &spec, len))
            }
            Pass::WeightGrad => Box::new(move || ops::conv1d_weight_grad(&x, &g, weight, &spec)),
        })
    }
}
