//! The convolutions in register tiles (`shaders/conv1d_tile.wgsl`, `conv1d_weight_tile.wgsl`): launches for adapters where
//! [`Gpu::tile_lanes`] says so. Dilated and grouped convolutions go the plain way.
//!
//! Both directions become convolutions of stride 1 over padded rows. With `S` the stride, row `(c, r)` of a signal x holds
//! `x[S (m - lead) + r]` at place `m`; a tap `k` of a branch then reads place `n + j` with
//! - forward: `k = S (j - lead) + r + pad`, from x's rows to the output,
//! - input gradient: `k = pad + r - S (j - lead)`, from the gradient's rows to phase `r` of the input.

use super::{ConvSpec, Sizes};
use crate::error::Result;
use crate::gpu::{Gpu, Launch, Setting};
use crate::ops::reduce::{Term, launch_sum};
use crate::tensor::{DType, Tensor};

/// Longest kernel that is unrolled into a tile.
const LONGEST: usize = 64;

/// Lanes of the adapter's subgroup if all branches of the convolution can go this way.
pub(super) fn lanes(gpu: &Gpu, spec: &ConvSpec, weights: &[&[usize]]) -> Option<usize> {
    let fits = spec.groups == 1
        && spec.stride <= 4
        && spec.branches.iter().all(|b| b.dilation == 1)
        && weights.iter().all(|w| w[2] <= LONGEST);
    gpu.tile_lanes().filter(|_| fits)
}

/// First place and number of the taps of one branch's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    first: usize,
    taps: usize,
}

impl Window {
    fn shift(self) -> usize {
        self.first % 4
    }
}

/// A signal in padded rows.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    data: Tensor,
    /// Zeros before a row.
    lead: usize,
    /// Length of a row, a multiple of 4.
    pitch: usize,
    /// Rows of a record.
    rows: usize,
}

/// What the gradients of one convolution read: the rows of its input and of its output's gradient.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) x: Rows,
    pub(super) g: Rows,
    lanes: usize,
}

/// Zeros before the rows: enough for the farthest branch on either side, a multiple of 4.
fn lead(spec: &ConvSpec, sizes: &[Sizes]) -> usize {
    let far = spec.branches.iter().zip(sizes).map(|(b, s)| b.pad_left.max((s.kernel - 1).saturating_sub(b.pad_left)));
    far.max().unwrap_or(0).div_ceil(spec.stride).next_multiple_of(4)
}

/// Phases of the input that taps of a forward convolution meet: all, or one for kernels of a single unpadded tap.
fn phases(spec: &ConvSpec, sizes: &[Sizes]) -> usize {
    let single = spec.branches.iter().zip(sizes).all(|(b, s)| s.kernel == 1 && b.pad_left == 0);
    if single { 1 } else { spec.stride }
}

/// Places that the taps of a kernel take, over all phases.
fn window(kernel: usize, stride: usize, pad: usize, lead: usize, transposed: bool) -> Window {
    let (s, pad, lead) = (stride as isize, pad as isize, lead as isize);
    let place = |k: isize| {
        // forward: the phase of tap k is (k - pad) mod S; input gradient: every phase r = (k - pad) mod S
        let r = (k - pad).rem_euclid(s);
        if transposed { lead + (pad + r - k) / s } else { lead + (k - pad - r) / s }
    };
    let places = (0..kernel as isize).map(place);
    let first = places.clone().min().unwrap_or(0);
    let last = places.max().unwrap_or(0);
    Window { first: first as usize, taps: (last - first + 1) as usize }
}

/// Positions a lane computes: the multiple of 4 whose tiles waste least of `len`, larger ones before smaller.
fn positions(len: usize, lanes: usize, choices: &[usize]) -> usize {
    let cost = |p: usize| len.div_ceil(lanes * p) * lanes * p;
    let best = choices.iter().map(|&p| cost(p)).min().unwrap_or(0);
    // a few wasted positions cost less than more loads of weights
    *choices.iter().find(|&&p| cost(p) * 16 <= best * 17).unwrap_or(&4)
}

/// Channels a group computes: the number up to `most` that wastes least of `n`, larger ones first.
fn channels(n: usize, most: usize) -> usize {
    (1..=most.min(n)).rev().min_by_key(|&c| n.div_ceil(c) * c + n.div_ceil(c)).unwrap_or(1)
}

/// Vec4s behind a tile that a window's tail is read from.
fn edge_quads(w: Window, lanes: usize) -> usize {
    (w.shift() + w.taps - 1).div_ceil(4 * lanes) * lanes
}

/// Lays the rows of `x` `[B, C, L]` out in the first `phases` of `stride`; `reach` values of a row are read.
fn rows(gpu: &Gpu, x: &Tensor, (stride, phases): (usize, usize), lead: usize, reach: usize) -> Result<Rows> {
    let [b, c, len] = [x.dim(0), x.dim(1), x.dim(2)];
    let pitch = reach.next_multiple_of(4);
    let rows = c * phases;
    let data = Tensor::empty(gpu, &[b, rows, pitch], DType::F32)?;
    let chunks = (pitch / 4).div_ceil(4 * 32);
    let n = b * rows * chunks;
    Launch::new("conv1d_rows")
        .constant("WG", 32)
        .uint([n, chunks, pitch / 4, stride, phases, lead, len])
        .bind(x.storage())
        .bind(data.storage())
        .groups(gpu, n)?;
    Ok(Rows { data, lead, pitch, rows })
}

/// One branch of a convolution or of its input gradient as the tile kernel sees it.
struct Tile {
    window: Window,
    /// Positions and channels of a group.
    p: usize,
    oc: usize,
    /// Positions and virtual channels of the destination, phases of it.
    len: usize,
    width: usize,
    split: usize,
}

impl Tile {
    fn new(spec: &ConvSpec, j: usize, s: &Sizes, lanes: usize, lead: usize, transposed: bool) -> Self {
        let window = window(s.kernel, spec.stride, spec.branches[j].pad_left, lead, transposed);
        let (len, width, split) =
            if transposed { (s.len, s.c_in * spec.stride, spec.stride) } else { (s.out_len, s.out_g, 1) };
        let positions = positions(len.div_ceil(split), lanes, &[12, 8, 4]);
        // all channels share the window; how many sums stay near is what limits them
        let most = if window.taps == 1 { 16 } else { 8 };
        Self { window, p: positions, oc: channels(width, most), len, width, split }
    }

    fn tiles(&self, lanes: usize) -> usize {
        self.len.div_ceil(self.split).div_ceil(lanes * self.p)
    }

    /// Samples of a row that the tiles read.
    fn reach(&self, lanes: usize) -> usize {
        self.tiles(lanes) * lanes * self.p + self.window.first / 4 * 4 + 4 * edge_quads(self.window, lanes)
    }
}

/// The tiles of all branches, and the rows they read from: of x, or (`transposed`) of the output's gradient.
fn plan(spec: &ConvSpec, transposed: bool, sizes: &[Sizes], lead: usize, lanes: usize) -> (Vec<Tile>, usize) {
    let all: Vec<Tile> =
        sizes.iter().enumerate().map(|(j, s)| Tile::new(spec, j, s, lanes, lead, transposed)).collect();
    let reach = all.iter().map(|t| t.reach(lanes)).max().unwrap_or(0);
    (all, reach)
}

/// Rows of input `x` and of the output's gradient `g` for all gradients of a convolution.
pub(super) fn pack(
    gpu: &Gpu,
    spec: &ConvSpec,
    (x, g): (&Tensor, &Tensor),
    sizes: &[Sizes],
    lanes: usize,
) -> Result<Packed> {
    let lead = lead(spec, sizes);
    let (_, g_reach) = plan(spec, true, sizes, lead, lanes);
    let weight: Vec<WeightTile> = (0..sizes.len()).map(|j| WeightTile::new(spec, j, &sizes[j], lanes, lead)).collect();
    let x_reach = weight.iter().map(|t| t.reach(lanes)).max().unwrap_or(0);
    let covered = weight.iter().map(|t| t.covered(lanes)).max().unwrap_or(0);
    Ok(Packed {
        x: rows(gpu, x, (spec.stride, phases(spec, sizes)), lead, x_reach)?,
        g: rows(gpu, g, (1, 1), lead, g_reach.max(lead + covered))?,
        lanes,
    })
}

/// The convolution (`source` = x, `dst` = y), or its input gradient (`transposed`; `source` = the output's gradient, `dst` =
/// the input's); `packed` are the source's rows where they were made before.
pub(super) fn launch(
    gpu: &Gpu,
    spec: &ConvSpec,
    transposed: bool,
    (source, weights, dst): (&Tensor, &[&Tensor], &Tensor),
    (sizes, packed): (&[Sizes], Option<&Rows>),
    lanes: usize,
) -> Result<()> {
    let lead = lead(spec, sizes);
    let (all, reach) = plan(spec, transposed, sizes, lead, lanes);
    let phases = if transposed { spec.stride } else { phases(spec, sizes) };
    let from = match packed {
        Some(rows) => rows.clone(),
        None if transposed => rows(gpu, source, (1, 1), lead, reach)?,
        None => rows(gpu, source, (spec.stride, phases), lead, reach)?,
    };
    debug_assert!(from.pitch >= reach && from.lead == lead, "rows of another convolution");
    for (j, (tile, s)) in all.iter().zip(sizes).enumerate() {
        let depth = if transposed { s.out_g } else { from.rows };
        let blocks = tile.width.div_ceil(tile.oc);
        let row = (tile.window.taps * tile.oc).next_multiple_of(4 * lanes);
        let laid = Tensor::empty(gpu, &[blocks * depth, row], DType::F32)?;
        let n = blocks * depth * row;
        Launch::new("conv1d_tile_weights")
            .constant("TRANSPOSED", transposed.into())
            .uint([n, row, depth, tile.oc, tile.window.taps, spec.stride, phases, spec.branches[j].pad_left])
            .int([tile.window.first as isize - lead as isize])
            .uint([s.out_g, s.c_in, s.kernel])
            .bind(weights[j].storage())
            .bind(laid.storage())
            .threads(gpu, n, 64)?;
        let tiles = tile.tiles(lanes);
        let n = s.batch * blocks * tiles;
        let (first_row, channels, first) = if transposed { (s.first, s.c_in, 0) } else { (0, s.channels, s.first) };
        let settings: [Setting; 9] = [
            ("lanes", lanes),
            ("oc", tile.oc),
            ("p", tile.p),
            ("taps", tile.window.taps),
            ("shift", tile.window.shift()),
            ("mo", 2),
            ("mq", 4),
            ("split", tile.split),
            ("add", usize::from(transposed && j > 0)),
        ];
        Launch::new("conv1d_tile")
            .settings(&settings)
            .uint([n, tiles, blocks, depth, from.pitch / 4, from.rows, first_row, tile.window.first / 4])
            .uint([channels, first, tile.len, tile.width])
            .bind(from.data.storage())
            .bind(laid.storage())
            .bind(dst.storage())
            .groups(gpu, n)?;
    }
    Ok(())
}

/// The weight gradient of one branch as its kernel sees it.
struct WeightTile {
    window: Window,
    /// Positions a lane loads at once, and tiles of a row.
    p: usize,
    tiles: usize,
}

impl WeightTile {
    fn new(spec: &ConvSpec, j: usize, s: &Sizes, lanes: usize, lead: usize) -> Self {
        let p = positions(s.out_len, lanes, &[8, 4]);
        let window = window(s.kernel, spec.stride, spec.branches[j].pad_left, lead, false);
        Self { window, p, tiles: s.out_len.div_ceil(lanes * p) }
    }

    /// Positions that the tiles cover.
    fn covered(&self, lanes: usize) -> usize {
        self.tiles * lanes * self.p
    }

    /// Values of a row of x that the tiles read.
    fn reach(&self, lanes: usize) -> usize {
        self.covered(lanes) + self.window.first / 4 * 4 + 4 * edge_quads(self.window, lanes)
    }
}

/// The gradient `dw` of branch `j`'s weight.
pub(super) fn launch_weight_grad(
    gpu: &Gpu,
    spec: &ConvSpec,
    (packed, dw): (&Packed, &Tensor),
    (j, s): (usize, &Sizes),
) -> Result<()> {
    let Packed { x, g, lanes } = packed;
    let lanes = *lanes;
    let tile = WeightTile::new(spec, j, s, lanes, x.lead);
    let w = tile.window;
    // a group keeps about 128 sums, of as many input as output channels
    let sums = (128 / w.taps).max(1);
    let oc = channels(s.out_g, sums.min(8));
    let uc = channels(x.rows, (sums / oc).clamp(1, 8));
    let (o_blocks, u_blocks) = (s.out_g.div_ceil(oc), x.rows.div_ceil(uc));
    let slices = usize::div_ceil(64, o_blocks * u_blocks).clamp(1, s.batch);
    let slice = s.batch.div_ceil(slices);
    let slices = s.batch.div_ceil(slice);
    let part = if slices == 1 { dw.clone() } else { Tensor::empty(gpu, &[slices, dw.numel()], DType::F32)? };
    let n = slices * o_blocks * u_blocks;
    let settings: [Setting; 7] =
        [("lanes", lanes), ("oc", oc), ("uc", uc), ("p", tile.p), ("taps", w.taps), ("shift", w.shift()), ("mj", 8)];
    Launch::new("conv1d_weight_tile")
        .settings(&settings)
        .uint([n, o_blocks, u_blocks, tile.tiles, x.pitch / 4, x.rows, w.first / 4])
        .uint([g.pitch / 4, g.rows, s.first, g.lead / 4, s.batch, slice, s.out_g, s.c_in, s.kernel, spec.stride])
        .uint([x.rows / s.c_in, spec.branches[j].pad_left])
        .int([w.first as isize - x.lead as isize])
        .bind(x.data.storage())
        .bind(g.data.storage())
        .bind(part.storage())
        .groups(gpu, n)?;
    if slices > 1 {
        launch_sum(gpu, &part, [1, slices, dw.numel()], Term::Value, dw)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_every_tap_once() {
        for transposed in [false, true] {
            for (kernel, stride, pad) in
                [(1_usize, 1_usize, 0), (5, 1, 2), (21, 2, 10), (16, 2, 7), (7, 3, 0), (4, 4, 3), (1, 2, 0)]
            {
                let lead = pad.max(kernel - 1 - pad).div_ceil(stride).next_multiple_of(4);
                let w = window(kernel, stride, pad, lead, transposed);
                let mut seen = vec![0; kernel];
                for j in w.first..w.first + w.taps {
                    for r in 0..stride as isize {
                        let at = stride as isize * (j as isize - lead as isize);
                        let k = pad as isize + r + if transposed { -at } else { at };
                        if (0..kernel as isize).contains(&k) {
                            seen[k as usize] += 1;
                        }
                    }
                }
                assert_eq!(seen, vec![1; kernel], "{kernel} {stride} {pad} {transposed}");
            }
        }
    }

    #[test]
    fn tiles_waste_little() {
        assert_eq!((positions(625, 8, &[12, 8, 4]), positions(157, 8, &[12, 8, 4])), (12, 4));
        assert_eq!((channels(5, 8), channels(10, 8), channels(22, 8), channels(32, 8)), (5, 5, 8, 8));
    }
}
