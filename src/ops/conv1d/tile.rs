//! The convolutions in register tiles (`shaders/conv1d_tile.wgsl`, `conv1d_weight_tile.wgsl`) and in workgroup tiles
//! (`conv1d_wide.wgsl`, `conv1d_weight_wide.wgsl`): plans, and the weight's gradient; the other two passes are in `sum.rs`.
//! Groups of channels go the plain way.

use super::rows::{Geometry, LONGEST, MOST_POSITIONS, Reduced, Rows};
use super::{ConvSpec, Numbers, Sizes};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Launch, OldChoice, Setting, Variant};
use crate::ops::reduce::{Term, launch_sum};
use crate::tensor::{DType, Tensor};
use std::sync::{Arc, Mutex};

/// Rows of side a, and times `ub` those of side b, of a group of `conv1d_weight_wide`.
const WIDE_ROWS: [usize; 2] = [16, 4];

/// A convolution whose branches all fit the tiles, with the way to run it.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    /// One a branch, or a single one for all.
    choices: Vec<OldChoice>,
    pub(super) reduced: Vec<Reduced>,
    geometry: Geometry,
    pub(super) lanes: usize,
    half: bool,
    /// Multiplies in f16.
    pub(super) native: bool,
}

/// The input of convolutions with its rows, kept for others that read it and for the gradients.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<SharedState>);

#[derive(Debug, Default)]
struct SharedState {
    /// When the input was written that the rows are of.
    stamp: u64,
    rows: Vec<Rows>,
}

/// What the gradients of one convolution read of the output's gradient: its rows, one entry for each way of folding.
pub(super) type GradRows = Vec<(Reduced, Rows)>;

impl Tiles {
    /// `None` where the plain version is chosen, or the only one that can.
    pub(super) fn new(gpu: &Gpu, choices: Vec<OldChoice>, spec: &ConvSpec, sizes: &[Sizes]) -> Option<Self> {
        let variant = choices.first()?.variant;
        // branches share their rows, whose layout depends on the version
        let lanes = |variant| match variant {
            Variant::Plain => None,
            Variant::Tile | Variant::Fast => gpu.tile_lanes(),
            Variant::Wide => Some(WIDE_ROWS[0]),
        };
        let wide = |variant| variant == Variant::Wide;
        if choices.iter().any(|c| wide(c.variant) != wide(variant) || lanes(c.variant).is_none()) {
            return None;
        }
        let lanes = lanes(variant)?;
        if spec.groups > 1 || sizes.iter().any(|s| s.kernel > LONGEST) {
            return None;
        }
        let reduced = (0..sizes.len()).map(|j| Reduced::new(spec, j)).collect::<Option<Vec<_>>>()?;
        if reduced.iter().any(|r| r.stride > 4 || r.folds > 64) {
            return None;
        }
        let geometry = Geometry::new(reduced.iter().zip(sizes));
        let half = spec.numbers != Numbers::F32;
        let native = wide(variant) && spec.numbers == Numbers::NativeF16 && gpu.report().shader_f16;
        Some(Self { choices, reduced, geometry, lanes, half, native })
    }

    pub(super) fn choice(&self, j: usize) -> &OldChoice {
        &self.choices[j.min(self.choices.len() - 1)]
    }

    /// Rows of input `x` for branch `j`: those that are there, or new ones that stay.
    pub(super) fn input_rows(&self, gpu: &Gpu, x: &Tensor, shared: &Shared, j: usize, kernel: usize) -> Result<Rows> {
        let r = &self.reduced[j];
        let phases = r.phases(kernel);
        // rows that are there stand for the input: what the launches would check
        x.storage().check_kept()?;
        let mut all = crate::gpu::lock(&shared.0);
        if all.stamp != x.storage().stamp() {
            *all = SharedState { stamp: x.storage().stamp(), rows: Vec::new() };
        }
        if let Some(rows) = all.rows.iter().find_map(|rows| rows.serve(r, phases, &self.geometry, self.half)) {
            return Ok(rows);
        }
        let rows = Rows::pack(gpu, (x, self.half), r, Some(phases), self.geometry)?;
        all.rows.push(rows.clone());
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
            let serving = crate::gpu::lock(&shared.0)
                .rows
                .iter()
                .find_map(|x| x.serve(r, r.phases(s.kernel), &self.geometry, self.half));
            let geometry = serving.map_or(self.geometry, |x| x.geometry);
            all.push((*r, Rows::pack(gpu, (g, self.half), r, None, geometry)?));
        }
        Ok(all)
    }
}

/// Channels a group computes: the number up to `most` that wastes least of `n`, larger ones first.
pub(super) fn channels(n: usize, most: usize) -> usize {
    (1..=most.min(n)).rev().min_by_key(|&c| n.div_ceil(c) * c + n.div_ceil(c)).unwrap_or(1)
}

/// Positions of a thread: what the rule says, or fewer where the signal is short.
pub(super) fn positions(places: usize, lanes: usize, rule: usize) -> usize {
    [rule, 8, 4].into_iter().find(|&p| lanes * p <= places.max(1)).unwrap_or(4).min(rule)
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
            return Err(Error::gpu(
                "conv1d_weight_grad: found the rows of another convolution, expected its own",
                "please report it",
            ));
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
        let settings: [Setting; 11] = [
            ("lanes", lanes),
            ("va", va),
            ("ub", ub),
            ("p", p),
            ("taps", w.taps),
            ("shift", first % 4),
            ("mv", choice.get("mv", mv).min(va)),
            ("mj", choice.get("mj", mj)),
            ("swap", swap.into()),
            ("half", self.half.into()),
            ("native", self.native.into()),
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
