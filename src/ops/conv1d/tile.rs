//! The convolutions in register tiles (`shaders/conv1d_tile.wgsl`, `conv1d_weight_tile.wgsl`) and in workgroup tiles
//! (`conv1d_wide.wgsl`, `conv1d_weight_wide.wgsl`): plans and launches. Groups of channels go the plain way.

use super::rows::{Geometry, LONGEST, MOST_POSITIONS, Reduced, Rows};
use super::{ConvSpec, Sizes};
use crate::error::{Error, Result};
use crate::gpu::{Choice, Gpu, Launch, Setting, Variant};
use crate::ops::reduce::{Term, launch_sum};
use crate::tensor::{DType, Tensor};
use std::sync::{Arc, Mutex};

/// Branches that one kernel sums at most.
const MOST_PARTS: usize = 4;
/// Positions of a group of `conv1d_wide`.
const WIDE_POSITIONS: usize = 128;
/// Rows of side a, and times `ub` those of side b, of a group of `conv1d_weight_wide`.
const WIDE_ROWS: [usize; 2] = [16, 4];

/// A convolution whose branches all fit the tiles, with the way to run it.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    /// One a branch, or a single one for all.
    choices: Vec<Choice>,
    reduced: Vec<Reduced>,
    geometry: Geometry,
    lanes: usize,
}

/// The input of convolutions with its rows, kept for others that read it and for the gradients.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Vec<Rows>>);

/// What the gradients of one convolution read of the output's gradient: its rows, one entry for each way of folding.
pub(super) type GradRows = Vec<(Reduced, Rows)>;

impl Tiles {
    /// `None` where the plain version is chosen, or the only one that can.
    pub(super) fn new(gpu: &Gpu, keys: &[String], spec: &ConvSpec, sizes: &[Sizes]) -> Option<Self> {
        let choices: Vec<Choice> = keys.iter().map(|key| gpu.choice(key)).collect();
        let variant = choices.first()?.variant;
        // branches share their rows, whose layout depends on the version
        if choices.iter().any(|c| c.variant != variant) {
            return None;
        }
        let lanes = match variant {
            Variant::Plain => return None,
            Variant::Tile => gpu.tile_lanes()?,
            Variant::Wide => WIDE_ROWS[0],
        };
        if spec.groups > 1 || sizes.iter().any(|s| s.kernel > LONGEST) {
            return None;
        }
        let reduced = (0..sizes.len()).map(|j| Reduced::new(spec, j)).collect::<Option<Vec<_>>>()?;
        if reduced.iter().any(|r| r.stride > 4 || r.folds > 64) {
            return None;
        }
        let geometry = Geometry::new(reduced.iter().zip(sizes));
        Some(Self { choices, reduced, geometry, lanes })
    }

    fn choice(&self, j: usize) -> &Choice {
        &self.choices[j.min(self.choices.len() - 1)]
    }

    /// Rows of input `x` for branch `j`: those that are there, or new ones that stay.
    fn input_rows(&self, gpu: &Gpu, x: &Tensor, shared: &Shared, j: usize, kernel: usize) -> Result<Rows> {
        let r = &self.reduced[j];
        let phases = r.phases(kernel);
        let mut all = crate::gpu::lock(&shared.0);
        if let Some(rows) = all.iter().find_map(|rows| rows.serve(r, phases, &self.geometry)) {
            return Ok(rows);
        }
        let rows = Rows::pack(gpu, x, r, Some(phases), self.geometry)?;
        all.push(rows.clone());
        Ok(rows)
    }

    /// Rows of the output's gradient `g`, laid out as the input's rows in `shared` are (the weight's gradient goes
    /// along both).
    pub(super) fn grad_rows(&self, gpu: &Gpu, g: &Tensor, shared: &Shared, sizes: &[Sizes]) -> Result<GradRows> {
        let mut all = GradRows::new();
        for (r, s) in self.reduced.iter().zip(sizes) {
            if all.iter().any(|(other, _)| other.same_rows(r)) {
                continue;
            }
            let serving =
                crate::gpu::lock(&shared.0).iter().find_map(|x| x.serve(r, r.phases(s.kernel), &self.geometry));
            let geometry = serving.map_or(self.geometry, |x| x.geometry);
            all.push((*r, Rows::pack(gpu, g, r, None, geometry)?));
        }
        Ok(all)
    }
}

/// Channels a group computes: the number up to `most` that wastes least of `n`, larger ones first.
fn channels(n: usize, most: usize) -> usize {
    (1..=most.min(n)).rev().min_by_key(|&c| n.div_ceil(c) * c + n.div_ceil(c)).unwrap_or(1)
}

/// Positions of a thread: what the rule says, or fewer where the signal is short.
fn positions(places: usize, lanes: usize, rule: usize) -> usize {
    [rule, 8, 4].into_iter().find(|&p| lanes * p <= places.max(1)).unwrap_or(4).min(rule)
}

/// Constants of `conv1d_tile`.
struct Shape {
    oc: usize,
    p: usize,
    mo: usize,
    mq: usize,
    du: usize,
}

impl Shape {
    /// For windows of at most `taps` and `width` virtual channels. The unrolled body (`taps oc p` multiply-adds) must fit
    /// the instruction cache, and every weight and sample serve as many of them as may be.
    fn new(choice: &Choice, taps: usize, width: usize, places: usize, lanes: usize) -> Self {
        let (most, p, mo, mq, du) = match (choice.variant, taps) {
            // what is staged must fit 16 KiB of workgroup memory
            (Variant::Wide, ..=15) => (16, 8, 2, 4, 4),
            (Variant::Wide, _) => (16, 8, 2, 4, 2),
            (_, 1) => (32, 8, 4, 2, 4),
            (_, 2..=3) => (16, 16, 4, 2, 1),
            (_, 4..=15) => (8, 24, 2, 4, 1),
            _ => (5, 16, 5, 2, 1),
        };
        let p = positions(places, lanes, choice.get("p", p)).min(MOST_POSITIONS);
        let oc = channels(width, choice.get("oc", most));
        Self { oc, p, mo: choice.get("mo", mo).min(oc), mq: choice.get("mq", mq), du: choice.get("du", du) }
    }
}

/// A part of a sum of convolutions: the rows it reads and the weight it multiplies them with.
struct Part<'a> {
    rows: Rows,
    first_row: usize,
    weight: &'a Tensor,
    reduced: Reduced,
    s: &'a Sizes,
}

/// Where the sums go.
struct Target<'a> {
    dst: &'a Tensor,
    /// Channels of `dst` and the first one written; virtual channels, phases of a channel.
    channels: usize,
    first: usize,
    width: usize,
    split: usize,
    /// From one position of the convolution to the next in `dst`.
    every: usize,
    len: usize,
    add: bool,
}

/// Names of a part's constants in the template.
const PART_SETTINGS: [[&str; 3]; MOST_PARTS] = [
    ["taps_0", "shift_0", "du_0"],
    ["taps_1", "shift_1", "du_1"],
    ["taps_2", "shift_2", "du_2"],
    ["taps_3", "shift_3", "du_3"],
];

impl Tiles {
    fn sum(&self, gpu: &Gpu, choice: &Choice, transposed: bool, parts: &[Part<'_>], to: &Target<'_>) -> Result<()> {
        let rows = &parts[0].rows;
        let places = rows.records * rows.geometry.pitch;
        let windows: Vec<_> =
            parts.iter().map(|p| p.reduced.window(p.s.kernel, p.rows.geometry.lead, transposed)).collect();
        let taps = windows.iter().map(|w| w.taps).max().unwrap_or(1);
        let shape = Shape::new(choice, taps, to.width, places, self.lanes);
        let load = if choice.variant == Variant::Tile { 4 * self.lanes } else { 4 };
        let blocks = to.width.div_ceil(shape.oc);
        let trips = |p: &Part<'_>| p.depth(transposed).div_ceil(shape.du);
        let row = |taps: usize| (taps * shape.oc * shape.du).next_multiple_of(load);
        let sizes: Vec<usize> = parts.iter().zip(&windows).map(|(p, w)| blocks * trips(p) * row(w.taps)).collect();
        let laid = Tensor::empty(gpu, &[sizes.iter().sum()], DType::F32)?;
        let mut settings: Vec<Setting> = vec![
            ("lanes", self.lanes),
            ("oc", shape.oc),
            ("p", shape.p),
            ("parts", parts.len()),
            ("mo", shape.mo),
            ("mq", shape.mq),
            ("add", to.add.into()),
        ];
        let mut numbers = Vec::new();
        let mut base = 0;
        for (i, names) in PART_SETTINGS.iter().enumerate() {
            let Some((part, w)) = parts.get(i).zip(windows.get(i)) else {
                settings.extend(names.map(|name| (name, 0)));
                continue;
            };
            let (r, s) = (&part.reduced, part.s);
            let phases = if transposed { r.stride } else { part.rows.phases };
            let n = blocks * trips(part);
            Launch::new("conv1d_tile_weights")
                .constant("TRANSPOSED", transposed.into())
                .constant("WG", if gpu.report().is_software { 8 } else { 32 })
                .uint([n, base, row(w.taps), part.depth(transposed), trips(part), shape.du, shape.oc])
                .uint([w.taps, r.stride, phases, r.pad])
                .int([w.first as isize - part.rows.geometry.lead as isize])
                .uint([s.out_g, s.c_in, s.kernel])
                .bind(part.weight.storage())
                .bind(laid.storage())
                .groups(gpu, n)?;
            settings.extend(names.iter().copied().zip([w.taps, w.shift(), shape.du]));
            numbers.extend([part.depth(transposed), part.first_row, w.first / 4, base / 4]);
            base += sizes[i];
        }
        let (shader, tiles) = match choice.variant {
            Variant::Wide => ("conv1d_wide", places.div_ceil(WIDE_POSITIONS)),
            _ => ("conv1d_tile", places.div_ceil(self.lanes * shape.p)),
        };
        let n = tiles * blocks;
        Launch::new(shader)
            .settings(&settings)
            .uint([n, tiles, rows.records, rows.geometry.pitch, rows.quads, to.channels, to.first, to.len])
            .uint([to.width, to.split, parts[0].reduced.folds, to.every])
            .uint(numbers)
            .bind(rows.data.storage())
            .bind(laid.storage())
            .bind(to.dst.storage())
            .groups(gpu, n)
    }

    /// The convolution of `x` into `y`, branch by branch.
    pub(super) fn forward(
        &self,
        gpu: &Gpu,
        (x, shared): (&Tensor, &Shared),
        weights: &[&Tensor],
        y: &Tensor,
        sizes: &[Sizes],
    ) -> Result<()> {
        for (j, (weight, s)) in weights.iter().zip(sizes).enumerate() {
            let rows = self.input_rows(gpu, x, shared, j, s.kernel)?;
            let part = Part { rows, first_row: 0, weight, reduced: self.reduced[j], s };
            let to = Target {
                dst: y,
                channels: s.channels,
                first: s.first,
                width: s.out_g,
                split: 1,
                every: 1,
                len: s.out_len,
                add: false,
            };
            self.sum(gpu, self.choice(j), false, &[part], &to)?;
        }
        Ok(())
    }

    /// The gradient with respect to the input into `dx`: one sum over all branches that can read the same rows.
    pub(super) fn input_grad(
        &self,
        gpu: &Gpu,
        (g, rows): (&Tensor, GradRows),
        weights: &[&Tensor],
        dx: &Tensor,
        sizes: &[Sizes],
    ) -> Result<()> {
        let rows = if rows.is_empty() { self.grad_rows(gpu, g, &Shared::default(), sizes)? } else { rows };
        let mut add = false;
        for (r, rows) in rows {
            let of = (0..sizes.len()).filter(|&j| self.reduced[j].same_rows(&r));
            let parts: Vec<Part<'_>> = of
                .map(|j| Part {
                    rows: rows.clone(),
                    first_row: sizes[j].first,
                    weight: weights[j],
                    reduced: self.reduced[j],
                    s: &sizes[j],
                })
                .collect();
            if r.every > 1 && !add {
                // samples that no tap reads
                gpu.record_clear(dx.storage());
                add = true;
            }
            for parts in parts.chunks(MOST_PARTS) {
                let s = parts[0].s;
                let to = Target {
                    dst: dx,
                    channels: s.c_in,
                    first: 0,
                    width: s.c_in * r.stride,
                    split: r.stride,
                    every: r.every,
                    len: s.len,
                    add,
                };
                self.sum(gpu, self.choice(0), true, parts, &to)?;
                add = true;
            }
        }
        Ok(())
    }
}

impl Part<'_> {
    /// Rows that a sum runs over.
    fn depth(&self, transposed: bool) -> usize {
        if transposed { self.s.out_g } else { self.rows.rows }
    }
}

impl Tiles {
    /// The gradient `dw` of branch `j`'s weight.
    pub(super) fn weight_grad(
        &self,
        gpu: &Gpu,
        (x, shared): (&Tensor, &Shared),
        (g, grad): (&Tensor, GradRows),
        (dw, j, sizes): (&Tensor, usize, &[Sizes]),
    ) -> Result<()> {
        let (s, r, choice) = (&sizes[j], &self.reduced[j], self.choice(j));
        let x_rows = self.input_rows(gpu, x, shared, j, s.kernel)?;
        let grad = if grad.is_empty() { self.grad_rows(gpu, g, shared, sizes)? } else { grad };
        let g_rows = grad.into_iter().find(|(other, rows)| other.same_rows(r) && rows.geometry == x_rows.geometry);
        let Some((_, g_rows)) = g_rows else {
            return Err(Error::gpu("rows of another convolution", "please report it"));
        };
        let lead = x_rows.geometry.lead;
        let w = r.window(s.kernel, lead, false);
        let lanes = self.lanes;
        // lanes hold rows of the side that leaves fewer of them idle
        let idle = |n: usize| n.next_multiple_of(lanes) * 100 / n;
        let swap = choice.get("swap", usize::from(idle(x_rows.rows) < idle(s.out_g))) == 1;
        let (a_rows, b_rows) = if swap { (x_rows.rows, s.out_g) } else { (s.out_g, x_rows.rows) };
        let wide = choice.variant == Variant::Wide;
        let (va, ub, p) = match w.taps {
            1 if wide => (1, 8, 32),
            _ if wide => (1, 32_usize.div_ceil(w.taps).min(4), 32),
            1 => (8, 16, 4),
            2..=7 => (4, 8, 8),
            8..=11 => (2, 4, 8),
            _ => (1, 4, 8),
        };
        let va = channels(a_rows.div_ceil(lanes), choice.get("va", va));
        let ub = channels(b_rows, choice.get("ub", ub));
        let p = choice.get("p", p).min(MOST_POSITIONS);
        let [mv, mj] = match (va, w.taps) {
            (1, _) => [1, 8],
            (_, 1) => [4, 1],
            _ => [2, 4],
        };
        let (a_blocks, b_blocks) =
            (a_rows.div_ceil(va * lanes), b_rows.div_ceil(if wide { WIDE_ROWS[1] * ub } else { ub }));
        let trips = (x_rows.records * x_rows.geometry.pitch).div_ceil(p);
        let wanted = if gpu.report().is_software { 64 } else { 1024 };
        let slices = usize::div_ceil(wanted, a_blocks * b_blocks).clamp(1, trips);
        let slice = trips.div_ceil(slices);
        let slices = trips.div_ceil(slice);
        let part = if slices == 1 { dw.clone() } else { Tensor::empty(gpu, &[slices, dw.numel()], DType::F32)? };
        let n = slices * a_blocks * b_blocks;
        // where the other side's window begins when this one's position is at the lead
        let mirrored = 2 * lead + 1 - w.first - w.taps;
        let first = if swap { mirrored } else { w.first };
        let x_side = [x_rows.quads, 0, x_rows.rows];
        let g_side = [g_rows.quads, s.first, s.out_g];
        let (a, b) = if swap { (x_side, g_side) } else { (g_side, x_side) };
        let settings: [Setting; 9] = [
            ("lanes", lanes),
            ("va", va),
            ("ub", ub),
            ("p", p),
            ("taps", w.taps),
            ("shift", first % 4),
            ("mv", choice.get("mv", mv).min(va)),
            ("mj", choice.get("mj", mj)),
            ("swap", swap.into()),
        ];
        let (a_data, b_data) = if swap { (&x_rows.data, &g_rows.data) } else { (&g_rows.data, &x_rows.data) };
        let shader = if wide { "conv1d_weight_wide" } else { "conv1d_weight_tile" };
        Launch::new(shader)
            .settings(&settings)
            .uint([n, a_blocks, b_blocks, trips, slice])
            .uint(a)
            .uint([lead / 4])
            .uint(b)
            .uint([first / 4, s.out_g, s.c_in, s.kernel, r.stride, x_rows.phases, r.pad])
            .int([w.first as isize - lead as isize])
            .bind(a_data.storage())
            .bind(b_data.storage())
            .bind(part.storage())
            .groups(gpu, n)?;
        if slices > 1 {
            launch_sum(gpu, &part, [1, slices, dw.numel()], Term::Value, dw)?;
        }
        Ok(())
    }
}

/// Rows that several operations share.
pub(super) type SharedRows = Arc<Shared>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_waste_little() {
        assert_eq!((channels(5, 8), channels(10, 8), channels(22, 8), channels(32, 8)), (5, 5, 8, 8));
        assert_eq!((channels(85, 5), channels(86, 5)), (5, 5));
        assert_eq!((positions(5000, 8, 24), positions(100, 8, 24), positions(40, 8, 24)), (24, 8, 4));
    }
}
