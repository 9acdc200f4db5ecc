//! What there is to tune in convolutions.

use super::{Subject, Work};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::lab::subjects::noise;
use crate::nn::config::{BlockKind, NetworkConfig, branch_channels};
use crate::ops::{self, Branch, ConvSpec, Numbers, Pass};

/// What a candidate must save of the rule of thumb's time, ms a call: the rule's kernels serve many shapes, and a further one
/// costs up to three seconds to compile, and half a second when it is found compiled.
const WORTH_MS: f64 = 2.0;
/// One shape to tune: a convolution, or the branches of a block together.
struct Shape {
    spec: ConvSpec,
    /// `[C_out, C_in, K]` of each branch.
    weights: Vec<[usize; 3]>,
    batch: usize,
    len: usize,
}

/// Convolutions of a network, each shape once, in their three passes.
pub(super) fn subjects(network: &NetworkConfig, (batch, samples): (usize, usize)) -> Vec<Subject> {
    let mut all: Vec<Subject> = Vec::new();
    for (pass, shape) in shapes(network, batch, samples) {
        let (key, weight) = (shape.key(pass), shape.operations());
        match all.iter_mut().find(|s| s.key.as_ref() == Some(&key)) {
            Some(subject) => subject.weight += weight,
            None => all.push(Subject {
                family: Some(pass.name()),
                key: Some(key),
                weight,
                worth_ms: WORTH_MS,
                work: Box::new(move |gpu| shape.work(gpu, pass)),
            }),
        }
    }
    all
}

/// Shapes of a network, those of a step.
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
    all
}

impl Shape {
    fn key(&self, pass: Pass) -> String {
        let weights: Vec<&[usize]> = self.weights.iter().map(<[usize; 3]>::as_slice).collect();
        self.spec.keys(pass, &weights).swap_remove(0)
    }

    /// Multiply-adds of a pass.
    fn operations(&self) -> f64 {
        let t = (self.len - 1) / self.spec.stride + 1;
        let weights: usize = self.weights.iter().map(|w| w.iter().product::<usize>()).sum();
        (self.batch * t * weights) as f64
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
