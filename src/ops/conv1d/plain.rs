//! The plain convolutions: `shaders/conv1d.wgsl` (forward and input gradient) and `conv1d_weight_grad.wgsl`;
//! `conv1d_pack.wgsl` lays out what they read four channels at a time.

use super::{Branch, ConvSpec, Sizes};
use crate::error::Result;
use crate::gpu::{Gpu, Launch};
use crate::ops::reduce::{Term, launch_sum};
use crate::tensor::{DType, Tensor};

/// Positions and taps a thread computes: the register tiles written out in the shaders.
const POSITIONS: usize = 16;
const TAPS: usize = 12;

impl ConvSpec {
    /// The convolution (`src` = x, `dst` = y; with a bias `max(0, . + bias)`) or its input gradient (`transposed`; `src` = the output's gradient, `dst`
    /// = the input's), branch by branch.
    pub(super) fn launch(
        &self,
        gpu: &Gpu,
        transposed: bool,
        (src, weights, bias, dst): (&Tensor, &[&Tensor], Option<&Tensor>, &Tensor),
        sizes: &[Sizes],
    ) -> Result<()> {
        let mut all = weights.iter().zip(sizes).enumerate();
        all.try_for_each(|(j, (w, s))| self.launch_one(gpu, transposed, ([src, w, dst], bias), (j, s)))
    }

    /// One branch; in the input gradient all branches but the first add to `dst`.
    fn launch_one(
        &self,
        gpu: &Gpu,
        transposed: bool,
        ([src, w, dst], bias): ([&Tensor; 3], Option<&Tensor>),
        (j, s): (usize, &Sizes),
    ) -> Result<()> {
        let Branch { dilation, pad_left, .. } = self.branches[j];
        let input = [s.c_in, 0, s.len, s.in_g];
        let output = [s.channels, s.first, s.out_len, s.out_g];
        let (from, to) = if transposed { (output, input) } else { (input, output) };
        let [depth, width, dst_len] = [from[3], to[3], to[2]];
        let blocks = width.div_ceil(4);

        let (phases, taps) = (s.m.min(s.kernel), s.kernel.div_ceil(s.m));
        let n = self.groups * blocks * depth * phases * taps;
        let packed = Tensor::empty(gpu, &[n, 4], DType::F32)?;
        Launch::new("conv1d_pack")
            .constant("TRANSPOSED", transposed.into())
            .uint([n, self.groups, blocks, s.out_g, s.in_g, s.kernel, s.m, phases, taps])
            .bind(w.storage())
            .bind(packed.storage())
            .threads(gpu, n, 64)?;

        let gap = if transposed { s.m * dilation } else { s.q };
        let tiles = dst_len.div_ceil(POSITIONS * gap) * gap;
        let n = s.batch * self.groups * blocks * tiles;
        Launch::new("conv1d")
            .constant("TRANSPOSED", transposed.into())
            .constant("ADD", (transposed && j > 0).into())
            .constant("RELU", bias.is_some().into())
            .constant("FOURS", (taps >= 4).into())
            .constant("REST", (taps % 4) as u32)
            .uint([n, self.groups, blocks, tiles])
            .uint(from)
            .uint(to)
            .uint([self.stride, dilation, pad_left, s.q, s.m, phases, taps, taps / 4])
            .bind(src.storage())
            .bind(packed.storage())
            .bind(dst.storage())
            .bind(bias.unwrap_or(&packed).storage())
            .threads(gpu, n, 64)
    }

    /// The gradient `dw` of branch `j`'s weight.
    pub(super) fn launch_weight_grad(
        &self,
        gpu: &Gpu,
        x: &Tensor,
        g: &Tensor,
        dw: &Tensor,
        j: usize,
        s: &Sizes,
    ) -> Result<()> {
        let Branch { dilation, pad_left, .. } = self.branches[j];
        let blocks = s.out_g.div_ceil(4);
        // Four steps over each of q phases make a turn of the kernel's loop.
        let steps = s.out_len.next_multiple_of(4 * s.q);
        let n = s.batch * self.groups * blocks * steps;
        let packed = Tensor::empty(gpu, &[n, 4], DType::F32)?;
        Launch::new("conv1d_pack")
            .entry("gradient")
            .uint([n / 4, self.groups, blocks, s.out_g])
            .uint([0; 5])
            .uint([s.channels, s.first, s.out_len, steps / 4])
            .bind(g.storage())
            .bind(packed.storage())
            .threads(gpu, n / 4, 64)?;

        let tap_blocks = s.kernel.div_ceil(s.m).div_ceil(TAPS) * s.m;
        let per_slice = self.groups * blocks * s.in_g * tap_blocks;
        // Enough threads to fill the device, and no more partial sums than that takes.
        let wanted = if gpu.report().is_software { 1 << 11 } else { 1 << 16 };
        let slices = usize::div_ceil(wanted, per_slice).clamp(1, s.batch);
        let slice = s.batch.div_ceil(slices);
        let slices = s.batch.div_ceil(slice);
        let part = if slices == 1 { dw.clone() } else { Tensor::empty(gpu, &[slices, dw.numel()], DType::F32)? };
        let n = slices * per_slice;
        Launch::new("conv1d_weight_grad")
            .uint([n, self.groups, blocks, tap_blocks, s.c_in, s.len, s.in_g, s.out_g])
            .uint([s.kernel, self.stride, dilation, pad_left, s.q, s.m, steps, steps / (4 * s.q), s.batch, slice])
            .bind(x.storage())
            .bind(packed.storage())
            .bind(part.storage())
            .threads(gpu, n, 64)?;
        if slices > 1 {
            launch_sum(gpu, &part, [1, slices, dw.numel()], Term::Value, dw)?;
        }
        Ok(())
    }
}
